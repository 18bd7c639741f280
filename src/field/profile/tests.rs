#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;

const HEADER: &str = "id = \"x\"\nvendor = \"v\"\nmodels = [\"m\"]\nkind = \"gas\"\nsource = \"s\"\n";

fn point(more: &str) -> String {
    format!("{HEADER}[[point]]\nname = \"p\"\ntable = \"holding\"\naddress = 1\nclass = \"fast\"\n{more}\n")
}

fn faults(text: &str) -> Vec<ProfileFault> {
    Profile::parse(text, "x.toml").expect_err("must be refused")
}

#[test]
fn every_example_of_every_file_is_decoded_as_it_says() {
    let mut files = 0;
    for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/config/profiles")).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let profile = Profile::parse(&text, &path.display().to_string());
        let profile = profile.unwrap_or_else(|faults| panic!("{faults:#?}"));
        assert_eq!(path.file_stem().unwrap().to_str().unwrap(), profile.id);
        assert!(!profile.examples.is_empty(), "{} has no example", profile.id);
        assert_eq!(profile.run_examples(), []);
        assert!(builtin().contains_key(&profile.id), "{} is not shipped", profile.id);
        files += 1;
    }
    assert_eq!(files, builtin().len());
}

#[test]
fn an_example_that_does_not_hold_is_found() {
    let text = point(
        "type = \"u16\"\n[[example]]\nname = \"e\"\nraw = [{ table = \"holding\", address = 1, words = [5] }]\nvalues = { p = 6 }",
    );
    let found = Profile::parse(&text, "x.toml").unwrap().run_examples();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].subject, "point p");
}

#[test]
fn all_faults_come_at_once_and_each_with_its_place() {
    let text = point("type = \"u16\"\nword_order = \"little\"\nunit = \"parsec\"")
        + "[[point]]\nname = \"q\"\nnonsense = 1\n"
        + "[[action]]\nname = \"a\"\ntable = \"coil\"\naddress = 0\nvalue = 7\noutput = \"level\"\nstate = \"nowhere\"\n";
    let found = faults(&text);
    let places: Vec<&str> = found.iter().map(|fault| &text[fault.span.clone()]).collect();
    assert!(places.contains(&"\"little\""), "{places:?}");
    assert!(places.contains(&"\"parsec\""), "{places:?}");
    assert!(places.contains(&"nonsense"), "{places:?}");
    assert!(places.contains(&"7"), "{places:?}");
    assert!(places.contains(&"\"nowhere\""), "{places:?}");
}

#[test]
fn what_a_profile_may_not_say_is_refused() {
    let cases = [
        ("type = \"bool\"", "does not hold this type"),
        ("type = \"u16\"\nscale = 0", "zero"),
        ("type = \"u16\"\nscale = nan", "finite"),
        ("type = \"u16\"\nrange = [5, 1]", "range"),
        ("type = \"u16\"\nsentinels = [65536]", "fit"),
        ("type = \"i16\"\nbits = { 0 = \"a\" }", "unsigned"),
        ("type = \"u16\"\nbits = { 16 = \"a\" }", "0 to 15"),
        ("type = \"u16\"\nenum = { 1 = \"Not a name\" }", "not a name"),
        ("type = \"u16\"\ntwo_pow = 4\nscale = 0.1", "two_pow"),
        ("type = \"u16\"\nfall_per_s_max = -1", "above zero"),
        ("type = \"u16\"\ncount = 3", "{n}"),
        ("type = \"u16\"\nnot_in_service = [1]", "belong together"),
    ];
    for (more, expected) in cases {
        let found = faults(&point(more));
        assert!(found.iter().any(|fault| fault.sentence.contains(expected)), "{more}: {found:?}");
    }
}

#[test]
fn a_file_that_is_not_toml_is_one_fault() {
    assert_eq!(faults("id = ").len(), 1);
}

#[test]
fn repeats_count_names_and_addresses() {
    let bms = &builtin()["sim-bms"].profile;
    let last = &bms.points[bms.point("cell-temp-16").unwrap()];
    assert_eq!(last.address, 55);
    assert_eq!(bms.points.len(), 15 + 32);
    assert_eq!(bms.classes(), ["fast", "slow"]);
}

#[test]
fn values_have_names() {
    let bms = &builtin()["sim-bms"].profile;
    let label = |name: &str, value| bms.points[bms.point(name).unwrap()].label(value);
    assert_eq!(label("state", 2.0).unwrap(), "discharging");
    assert_eq!(label("state", 9.0), None);
    assert_eq!(label("alarms", 5.0).unwrap(), "cell-temp-high contactor-fault");
    assert_eq!(label("voltage", 5.0), None);
}

proptest::proptest! {
    #[test]
    fn a_damaged_file_is_refused_or_read_but_never_a_panic(
        file in proptest::sample::select(builtin().into_keys().collect::<Vec<_>>()),
        start in 0.0..1.0_f64,
        length in 0_usize..60,
        filler in proptest::sample::select(vec!["", "9", "\"", "[", "]", "= 1", "\n[[point]]\n", "-1", "nan", "é"]),
    ) {
        let text = builtin()[&file].text;
        #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, clippy::cast_sign_loss, reason = "a place in a short text")]
        let mut start = (start * text.len() as f64) as usize;
        let mut end = (start + length).min(text.len());
        while !text.is_char_boundary(start) { start -= 1; }
        while !text.is_char_boundary(end) { end += 1; }
        let damaged = format!("{}{filler}{}", &text[..start], &text[end..]);
        if let Err(faults) = Profile::parse(&damaged, "x") {
            proptest::prop_assert!(!faults.is_empty());
            for fault in faults {
                proptest::prop_assert!(damaged.get(fault.span.clone()).is_some(), "{:?}", fault);
            }
        }
    }
}

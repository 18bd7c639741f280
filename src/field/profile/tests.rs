#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;

mod actions;
mod walk;

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
fn every_real_device_has_two_examples_and_shows_a_frame_if_it_takes_commands() {
    for (id, shipped) in builtin().iter().filter(|(id, _)| !id.starts_with("sim-")) {
        let profile = &shipped.profile;
        assert!(2 <= profile.examples.len(), "{id}");
        let framed = profile.examples.iter().any(|example| example.frames.is_some());
        assert!(framed || profile.actions.is_empty(), "{id} shows no frame");
        let says_nothing = profile.identity.is_empty() && !shipped.text.contains("Identity: ");
        assert!(!says_nothing, "{id} does not say by what it is recognised, or that nothing is published");
    }
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

/// Keys of one point, and what is said of them.
const POINTS_REFUSED: &[(&str, &str)] = &[
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
    ("type = \"f32\"\nshift = 1\nwidth = 2", "only an integer"),
    ("type = \"u8_low\"\nmask = 3", "only an integer"),
    ("type = \"u16\"\nshift = 14\nwidth = 3", "do not lie in 16"),
    ("type = \"u16\"\nshift = 14", "shift needs width"),
    ("type = \"u16\"\nwidth = 0", "do not lie in 16"),
    ("type = \"u16\"\nmask = 5", "side by side"),
    ("type = \"u16\"\nmask = 0", "side by side"),
    ("type = \"u16\"\nmask = 0x10000", "do not lie in 16"),
    ("type = \"u16\"\nmask = 3\nwidth = 2", "a width or a mask"),
    ("type = \"u16\"\nmask = 3\nsentinels = [4]", "fit into 2 bits"),
    ("type = \"u16\"\nfactor = \"nobody\"", "no point \"nobody\""),
    ("type = \"u16\"\nfactor = \"p\"", "no scale factor"),
    ("type = \"u16\"\nmodel = 802", "through a SunSpec map"),
    ("type = \"u16\"\nmodel_index = 1", "needs a model"),
];

/// What may follow a point, likewise.
const OTHERS_REFUSED: &[(&str, &str)] = &[
    (
        "type = \"u16\"\n[[group]]\ncount = 65535\nstride = 65535\n[[group.group]]\ncount = 65535\nstride = 65535",
        "nothing in this group",
    ),
    (
        "type = \"u16\"\n[[group]]\ncount = 65535\nstride = 65535\n[[group.group]]\ncount = 65535\nstride = 65535\n[[group.group.action]]\nname = \"a-{n}-{m}\"\ntable = \"coil\"\naddress = 9\nvalue = 0\noutput = \"level\"",
        "beyond 65535",
    ),
    ("type = \"u16\"\nstride = 2", "only a repeated point"),
    ("type = \"u16\"\n[sunspec]\nbases = [0]", "no point lies in"),
    ("type = \"u16\"\n[sunspec]\nbases = []", "begins somewhere"),
    ("type = \"u16\"\n[limits]\npause = \"5\"", "no span of time"),
    ("type = \"u16\"\n[limits]\npause = \"5s\"", "at most 1 s"),
    ("type = \"u16\"\n[limits]\nreply_unit_offset = 300", "0 to 255"),
    ("type = \"u16\"\n[limits]\nforbidden = [{ table = \"holding\", first = 0, last = 5 }]", "forbidden"),
    (
        "type = \"u16\"\n[limits]\nread_clears = [{ table = \"holding\", first = 5, last = 0 }]",
        "before the first",
    ),
    ("type = \"u16\"\n[limits]\nread_clears = [{ table = \"holding\", first = 5 }]", "a first and a last"),
    ("type = \"u16\"\n[[text]]\nname = \"t\"\ntable = \"holding\"\naddress = 1\nwords = 126", "1 to 125"),
    ("type = \"u16\"\n[[text]]\nname = \"t\"\ntable = \"coil\"\naddress = 1\nwords = 1", "kept in registers"),
    ("type = \"u16\"\n[[identity]]\ntext = { name = \"t\", contains = \"x\" }", "no text \"t\""),
    ("type = \"u16\"\n[[identity]]\nserver_id = { contains = \" \" }", "every text"),
    ("type = \"u16\"\n[[identity]]\ndevice_id = { object = 9, contains = \"x\" }", "reserved"),
    (
        "type = \"u16\"\n[[identity]]\nregister = { table = \"holding\", address = 1, one_of = [] }",
        "never match",
    ),
    ("type = \"u16\"\n[[identity]]\nmodel = 802", "through a SunSpec map"),
    ("type = \"u16\"\n[[group]]\ncount = 2\nstride = 1", "nothing in this group"),
    (
        "type = \"u16\"\n[[group]]\ncount = 2\n[[group.point]]\nname = \"q-{n}\"\ntable = \"input\"\naddress = 1\ntype = \"u16\"\nclass = \"fast\"",
        "where the next member is",
    ),
    (
        "type = \"u16\"\n[[group]]\ncount = 2\nstride = 1\n[[group.point]]\nname = \"q\"\ntable = \"input\"\naddress = 1\ntype = \"u16\"\nclass = \"fast\"",
        "\"q\" already",
    ),
    (
        "type = \"u16\"\n[[group]]\ncount = 2\nstride = 1\n[[group.point]]\nname = \"q-{n}\"\ntable = \"input\"\naddress = 65535\ntype = \"u16\"\nclass = \"fast\"",
        "beyond 65535",
    ),
    (
        "type = \"u16\"\n[[group]]\ncount = 1\n[[group.group]]\ncount = 1\n[[group.group.group]]\ncount = 1",
        "at most 2 deep",
    ),
    (
        "type = \"u16\"\n[[group]]\ncount = 65535\nstride = 1\n[[group.group]]\ncount = 65535\nstride = 1\n[[group.group.point]]\nname = \"q-{n}-{m}\"\ntable = \"input\"\naddress = 0\ntype = \"u16\"\nclass = \"fast\"",
        "more than 10000 points",
    ),
    (
        "type = \"u16\"\natomic = 1\n[[point]]\nname = \"q\"\ntable = \"input\"\naddress = 1\ntype = \"u16\"\natomic = 1\nclass = \"fast\"",
        "in one request",
    ),
    (
        "type = \"u16\"\natomic = 1\n[[point]]\nname = \"q\"\ntable = \"holding\"\naddress = 126\ntype = \"u16\"\natomic = 1\nclass = \"fast\"",
        "in one request",
    ),
    ("type = \"u16\"\n[[example]]\nname = \"e\"\naction = \"a\"", "belong together"),
    ("type = \"u16\"\n[[example]]\nname = \"e\"\naction = \"a\"\nframes = [\"0\"]", "no row of bytes"),
];

#[test]
fn what_a_profile_may_not_say_is_refused() {
    for (more, expected) in POINTS_REFUSED.iter().chain(OTHERS_REFUSED) {
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
        filler in proptest::sample::select(vec![
            "", "9", "\"", "[", "]", "= 1", "\n[[point]]\n", "-1", "nan", "é", "65535", "\n[[action.step]]\n",
            "\n[[group]]\ncount = 3\nstride = 1\n", "\nmask = 6\n", "\nmodel = 802\n", "{n}", "\n[sunspec]\nbases = [0]\n",
        ]),
    ) {
        let text = builtin()[&file].text;
        #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, clippy::cast_sign_loss, reason = "a place in a short text")]
        let mut start = (start * text.len() as f64) as usize;
        let mut end = (start + length).min(text.len());
        while !text.is_char_boundary(start) { start -= 1; }
        while !text.is_char_boundary(end) { end += 1; }
        let damaged = format!("{}{filler}{}", &text[..start], &text[end..]);
        match Profile::parse(&damaged, "x") {
            // What is read well is run as well: an example may then be wrong, but nothing may break.
            Ok(profile) => {
                for fault in profile.run_examples() {
                    proptest::prop_assert!(damaged.get(fault.span.clone()).is_some(), "{:?}", fault);
                }
            }
            Err(faults) => {
                proptest::prop_assert!(!faults.is_empty());
                for fault in faults {
                    proptest::prop_assert!(damaged.get(fault.span.clone()).is_some(), "{:?}", fault);
                }
            }
        }
    }
}

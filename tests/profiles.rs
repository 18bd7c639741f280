//! `emberwatch profile`: the library as an engineer meets it on the command line.

use std::path::Path;
use std::process::Command;

/// Runs `emberwatch profile …`: exit code, stdout, stderr.
fn profile(args: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_emberwatch"));
    let output = command.arg("profile").args(args).env("NO_COLOR", "1").output().expect("it starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().expect("ended by no signal"), text(&output.stdout), text(&output.stderr))
}

fn write(dir: &Path, name: &str, text: &str) -> String {
    let path = dir.join(name);
    std::fs::write(&path, text).expect("written");
    path.display().to_string()
}

/// The cells of the row that begins with this word.
fn row<'a>(table: &'a str, first: &str) -> Vec<&'a str> {
    let line = table.lines().find(|line| line.split_whitespace().next() == Some(first));
    let line = line.unwrap_or_else(|| panic!("no row {first} in\n{table}"));
    line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect()
}

#[test]
fn the_list_has_a_row_for_each_shipped_profile() {
    let (code, out, _) = profile(&["list"]);
    assert_eq!(code, 0);
    let shipped = emberwatch::field::profile::builtin();
    assert_eq!(out.lines().count(), shipped.len() + 1);
    assert_eq!(row(&out, "id"), ["id", "kind", "vendor", "models", "points", "actions"]);
    assert_eq!(row(&out, "apc-smart-ups")[1..3], ["ups", "APC by Schneider Electric"]);
}

#[test]
fn show_says_where_each_value_is_and_what_each_action_writes() {
    let (code, out, _) = profile(&["show", "daly"]);
    assert_eq!(code, 0);
    assert_eq!(
        row(&out, "current"),
        ["current", "holding", "57", "u16", "× 0.1 -3000 A", "-1000 to 1000", "fast"]
    );
    assert!(out.contains("replies carry the unit of the request -48"), "{out}");
    assert_eq!(row(&out, "charge-off"), ["charge-off", "level", "register 289 ← 0x0000 (function 6)"]);

    let (_, out, _) = profile(&["show", "sunspec-battery-base"]);
    assert_eq!(row(&out, "soc")[..5], ["soc", "holding", "11 in 802", "u16", "× 10^sf-soc %"]);
    assert!(out.contains("looked for at 40000, 0, 50000"), "{out}");
}

#[test]
fn a_shown_file_is_a_copy_to_start_from() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let (code, out, _) = profile(&["show", "xy-md02", "--toml"]);
    assert_eq!(code, 0);
    let copy = write(dir.path(), "mine.toml", &out);
    let (code, out, err) = profile(&["test", &copy]);
    assert_eq!(code, 0, "{out}{err}");
}

#[test]
fn no_profile_of_that_name_is_wrong_use_and_names_those_there_are() {
    let (code, _, err) = profile(&["show", "soltaro"]);
    assert_eq!(code, 2);
    assert!(err.contains("`soltaro`") && err.contains("soltaro-rack"), "{err}");
}

#[test]
fn every_shipped_profile_holds() {
    let (code, out, err) = profile(&["test", "all"]);
    assert_eq!(code, 0, "{out}{err}");
    assert!(out.lines().all(|line| line.starts_with("ok ")), "{out}");
}

#[test]
fn an_example_that_does_not_hold_is_a_no_with_file_and_line() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let (_, text, _) = profile(&["show", "xy-md02", "--toml"]);
    let broken = text.replace("temp = 30.5", "temp = 31.5");
    let line = 1 + broken.lines().position(|line| line == "temp = 31.5").expect("in the file");
    let file = write(dir.path(), "broken.toml", &broken);
    let (code, out, err) = profile(&["test", &file, "daly"]);
    assert_eq!(code, 1, "{out}{err}");
    assert!(err.contains(&format!("{file}:{line}:1")), "{err}");
    assert!(err.contains("point temp gives 30.5 and not 31.5"), "{err}");
    assert!(err.contains("1 of 2 profiles hold"), "{err}");
}

#[test]
fn a_faulty_file_is_a_no_with_every_fault_in_its_place() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let (_, text, _) = profile(&["show", "xy-md02", "--toml"]);
    let broken = text.replacen("unit = \"degC\"", "unit = \"parsec\"", 1).replace("\"u16\"", "\"u17\"");
    let file = write(dir.path(), "broken.toml", &broken);
    let (code, out, err) = profile(&["test", &file]);
    assert_eq!(code, 1, "{out}{err}");
    assert!(err.contains("\"parsec\" is no unit") && err.contains("u17"), "{err}");
    let (code, ..) = profile(&["show", &file]);
    assert_eq!(code, 1);
}

#[test]
fn a_profile_that_shows_nothing_does_not_hold() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let list = write(dir.path(), "list.csv", "name,table,address\nvoltage,holding,1\n");
    let new = dir.path().join("new.toml").display().to_string();
    let (code, _, err) = profile(&["new", "--from-csv", &list, "--id", "new", "-o", &new]);
    assert_eq!(code, 0, "{err}");
    let (code, _, err) = profile(&["test", &new]);
    assert_eq!(code, 1);
    assert!(err.contains("no example says what comes out"), "{err}");
    let (code, _, err) = profile(&["new", "--from-csv", &list, "--id", "new", "-o", &new]);
    assert_eq!(code, 73, "a file that exists is left alone: {err}");
}

#[test]
fn a_list_with_modicon_numbers_becomes_a_profile_and_says_how_it_was_read() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let list = "Register;Description;Data type;Unit;Scaling;Remark;Owner\n\
                40001;Pack voltage;uint16;V;0,1;of the string;me\n\
                40003;Cell temp. (max);int16;°C;1/10;;\n\
                30010;Cell V;uint16;mV;;;\n\
                10005;Fault;bit;;;;\n";
    let list = write(dir.path(), "list.csv", list);
    let args =
        ["new", "--from-csv", &list, "--id", "acme-bms", "--vendor", "ACME \"Power\"", "--model", "B1"];
    let (code, out, err) = profile(&args);
    assert_eq!(code, 0, "{err}");
    assert!(err.contains("Modicon numbers") && err.contains("not used: Remark, Owner"), "{err}");
    let profile = emberwatch::field::profile::Profile::parse(&out, "new").expect("it is valid");
    assert_eq!(profile.vendor, "ACME \"Power\"");
    let point = |name: &str| {
        let point = &profile.points[profile.point(name).unwrap_or_else(|| panic!("no {name} in\n{out}"))];
        (point.table.word(), point.address, point.encoding.word(), point.scaling.scale, point.unit.name())
    };
    assert_eq!(point("pack-voltage"), ("holding", 0, "u16", 0.1, "V"));
    assert_eq!(point("cell-temp-max"), ("holding", 2, "i16", 0.1, "degC"));
    assert_eq!(point("cell-v"), ("input", 9, "u16", 0.001, "V"));
    assert_eq!(point("fault"), ("discrete", 4, "bool", 1.0, "none"));
}

#[test]
fn every_bad_row_is_named_and_nothing_is_written() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let list = "name,table,address,type,unit\n\
                v,holding,1,u16,V\n\
                w,holding,x,u16,V\n\
                x,holding,3,u99,parsec\n\
                y,coil,3,u16,\n\
                v,holding,70000,u16,V\n\
                v,holding,9,u16,V\n";
    let list = write(dir.path(), "list.csv", list);
    let new = dir.path().join("new.toml");
    let args = ["new", "--from-csv", &list, "--id", "new", "-o", &new.display().to_string()];
    let (code, out, err) = profile(&args);
    assert_eq!(code, 1, "{out}{err}");
    for (line, says) in
        [(3, "`x` is no address"), (4, "`u99`"), (4, "`parsec`"), (5, "coil"), (6, "65535"), (7, "line 2")]
    {
        let begin = format!("{list}:{line}: ");
        let found = err.lines().any(|text| text.starts_with(&begin) && text.contains(says));
        assert!(found, "line {line} does not say `{says}`:\n{err}");
    }
    assert!(!new.exists(), "half a map looks like a whole one");
}

#[test]
fn addresses_counted_from_one_are_said_to_be_so() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let list = write(dir.path(), "list.csv", "status,,563,u16\nmechanism,,564,u16\n");
    let args = ["new", "--from-csv", &list, "--id", "breaker", "--kind", "contact", "--table", "holding"];
    let (code, out, err) = profile(&[&args[..], &["--addresses", "from-one"]].concat());
    assert_eq!(code, 0, "{err}");
    assert!(err.contains("counted from 1") && err.contains("no row of column names"), "{err}");
    let profile = emberwatch::field::profile::Profile::parse(&out, "new").expect("it is valid");
    assert_eq!([profile.points[0].address, profile.points[1].address], [562, 563]);
}

#[test]
fn the_example_of_the_manual_is_a_profile_that_holds() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let manual = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/profiles.md"));
    let manual = manual.expect("shipped");
    let (_, rest) = manual.split_once("```toml\n").expect("an example");
    let (example, _) = rest.split_once("```").expect("its end");
    let file = write(dir.path(), "acme-rack.toml", example);
    let (code, out, err) = profile(&["test", &file]);
    assert_eq!(code, 0, "{out}{err}");
    assert!(out.contains("3 examples"), "{out}");
}

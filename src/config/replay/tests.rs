#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::replay::options::{From, Take, TimeUnit, What};
use crate::safety::risk::Level;
use crate::units::Millis;
use crate::wire::testsite;

const COLUMNS: [&str; 4] = ["Test Time [s]", "TC1 [C]", "TC2 [C]", "door"];

fn in_a_file<T>(text: &str, read: impl FnOnce(&Path) -> T) -> T {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("map.toml");
    std::fs::write(&path, text).unwrap();
    read(&path)
}

fn mapping(text: &str) -> Result<Mapping, Complaints> {
    let columns = COLUMNS.map(str::to_owned);
    in_a_file(text, |path| load_mapping(path, &testsite::site(), &columns)).map(|loaded| loaded.mapping)
}

/// Each complaint with its line: sentence, and help.
fn complaints(text: &str) -> Vec<(usize, String, String)> {
    let complaints = mapping(text).unwrap_err();
    said(&complaints)
}

fn said(complaints: &Complaints) -> Vec<(usize, String, String)> {
    let line = |place| complaints.locate(place).map_or(0, |(_, line, _)| line);
    let list = complaints.list.iter();
    list.map(|it| (it.place.map_or(0, line), it.sentence.clone(), it.help.clone())).collect()
}

const HEAD: &str = "time = { column = \"Test Time [s]\", unit = \"s\" }\npoll = \"1s\"\n";

#[test]
fn columns_feed_points_by_name() {
    let text = format!(
        "{HEAD}[[point]]\npoint = \"bms-1/cell-temp-max\"\ncolumns = [\"TC1 [C]\", \"TC2 [C]\"]\ntake = \"max\"\nunit = \"degC\"\n\
         [[point]]\npoint = \"brk-1/position\"\nvalue = 1\n"
    );
    let mapping = mapping(&text).unwrap();
    assert_eq!((mapping.time_column, mapping.time), (0, TimeUnit::Number(1000)));
    assert_eq!(mapping.poll, Millis(1000));
    assert_eq!(mapping.feeds[0].from, From::Columns(vec![1, 2], Take::Max));
    assert_eq!((mapping.feeds[1].point.0, &mapping.feeds[1].from), (2, &From::Constant(1.0)));
}

#[test]
fn a_slip_in_a_name_is_complained_about_with_its_line_and_the_name_that_was_meant() {
    let text = format!(
        "{HEAD}[[point]]\npoint = \"bms-1/cell-temp-mx\"\ncolumn = \"TC1 [C]\"\n\
         [[point]]\npoint = \"bms-1/soc\"\ncolumn = \"TC1[C]\"\n"
    );
    let said = complaints(&text);
    assert_eq!(said[0].0, 4);
    assert_eq!(said[0].1, "there is no point `bms-1/cell-temp-mx`");
    assert_eq!(said[0].2, "did you mean `bms-1/cell-temp-max`?");
    assert_eq!((said[1].0, said[1].2.as_str()), (8, "did you mean `TC1 [C]`?"));
    assert_eq!(said.len(), 2);
}

#[test]
fn every_other_fault_of_a_mapping_is_told_too() {
    let point = |rest: &str| format!("{HEAD}[[point]]\npoint = \"bms-1/cell-temp-max\"\n{rest}");
    for (text, line, sentence) in [
        (point("column = \"TC1 [C]\"\nunit = \"V\"\n"), 6, "the column is in V, but the point is in degC"),
        (point(""), 3, "a point is fed by exactly one of `column`, `columns` and `value`"),
        (point("columns = [\"TC1 [C]\"]\n"), 5, "several columns need `take`"),
        (point("column = \"TC1 [C]\"\nfrom = 1\n"), 6, "`from` is no key of `point`"),
        (point("value = nan\n"), 5, "`value` is not a finite number"),
        (HEAD.to_owned(), 1, "no point is fed"),
        (point("value = 1\n").replace("unit = \"s\"", "unit = \"d\""), 1, "`d` is no value of `unit`"),
        (point("value = 1\n").replace("\"1s\"", "\"1ms\""), 2, "`poll` = 1 ms is out of range"),
        (
            point("value = 1\n[[point]]\npoint = \"bms-1/cell-temp-max\"\nvalue = 2\n"),
            7,
            "point `bms-1/cell-temp-max` is fed twice",
        ),
    ] {
        let said = complaints(&text);
        let found = said.iter().any(|it| (it.0, it.1.as_str()) == (line, sentence));
        assert!(found, "{text}\n{said:#?}");
    }
    assert!(mapping("time = 1\n").is_err() && mapping("[[").is_err());
}

fn expectations(text: &str) -> Result<Vec<Expectation>, Complaints> {
    in_a_file(text, |path| load_expectations(path, &testsite::site()))
}

#[test]
fn expectations_name_a_zone_a_rule_an_alarm_or_a_sequence() {
    let text = "[[expect]]\nzone = \"rack-1\"\nlevel = \"danger\"\nnot_after = \"308s\"\n\
        [[expect]]\nrule = \"cell-hot\"\nlevel = \"watch\"\nnever = true\n\
        [[expect]]\nalarm = \"cell-temp\"\n\
        [[expect]]\nsequence = \"cut-rack-1\"\nstage = \"Open breaker\"\n\
        [[expect]]\nsequence = \"cut-rack-1\"\nevent = \"done\"\nnot_before = \"1min\"\n";
    let all = expectations(text).unwrap();
    assert!(matches!(all[0].what, What::Zone(_, Level::Danger)));
    assert_eq!((all[0].not_after, all[0].line), (Some(Millis::from_secs(308)), 1));
    assert!(all[1].never);
    assert!(matches!(all[3].what, What::Sequence(_, "stage-ordered", Some(0))));
    assert!(matches!(all[4].what, What::Sequence(_, "done", None)));
}

#[test]
fn expectations_that_cannot_be_meant_are_complained_about() {
    for (text, sentence) in [
        ("[[expect]]\nlevel = \"danger\"\n", "an expectation has exactly one subject"),
        ("[[expect]]\nzone = \"rack-1\"\nalarm = \"cell-temp\"\n", "an expectation has exactly one subject"),
        ("[[expect]]\nzone = \"rack-1\"\n", "what should `zone` come to?"),
        ("[[expect]]\nzone = \"rack-2\"\nlevel = \"watch\"\n", "there is no zone `rack-2`"),
        (
            "[[expect]]\nsequence = \"cut-rack-1\"\nevent = \"finished\"\n",
            "`finished` is no event of a sequence",
        ),
        ("[[expect]]\nsequence = \"cut-rack-1\"\nstage = \"Close\"\n", "there is no stage `Close`"),
        (
            "[[expect]]\nalarm = \"cell-temp\"\nnot_before = \"9s\"\nnot_after = \"8s\"\n",
            "`not_after` lies before `not_before`",
        ),
        ("", "nothing is expected"),
    ] {
        let said = said(&expectations(text).unwrap_err());
        assert!(said.iter().any(|it| it.1 == sentence), "{text}\n{said:#?}");
    }
}

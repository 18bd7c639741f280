//! Rules over several points: broken ones, appended to the base.

use std::collections::BTreeSet;

use super::corpus::changed;
use super::*;

/// A deviation with lines that are wrong.
const DEVIATIONS: &[(&str, Code, &str)] = &[
    ("points = [\"bms-1/cell-temp-max\"]\nagainst = \"median\"", Code::Members, "points"),
    ("points = [\"bms-1/cell-temp-max\"]\nagainst = \"bms-1/cell-temp-max\"", Code::Members, "against"),
    ("points = [\"bms-1/cell-temp-max\"]\nagainst = \"bms-1/voltage\"", Code::Members, "against"),
    ("points = [\"bms-1/cell-temp-max\", \"bms-1/voltage\"]\nagainst = \"median\"", Code::Members, "voltage"),
    (
        "points = [\"bms-1/cell-temp-{n}\", \"bms-1/cell-temp-3\"]\nagainst = \"median\"",
        Code::ChannelTwice,
        "points",
    ),
    ("points = [\"bms-1/cell-tmp-{n}\"]\nagainst = \"median\"", Code::UnknownName, "cell-tmp"),
    ("points = [\"bms-1/state\"]\nagainst = \"median\"", Code::KindMismatch, "state"),
];

const DEVIATION_REST: &str = "\nside = \"above\"\nmembers_min = 2\ndeadband = \"1 degC\"\n\
     watch = { limit = \"5 degC\", on_delay = \"0s\", off_delay = \"0s\" }\n";
const RULE_HEAD: &str =
    "[[rule]]\nid = \"apart\"\nzone = \"rack-1\"\nprinciple = \"temperature\"\non_unknown = \"hold\"\n";

/// A step of the voltage, with one line that is wrong.
const STEPS: &[(&str, Code, &str)] = &[
    ("gate = { point = \"bms-1/current\", change = \"5 A\" }", Code::MissingKey, "gate"),
    (
        "gate = { point = \"bms-1/current\", change = \"5 V\", on_unknown = \"judge\" }",
        Code::WrongUnit,
        "gate",
    ),
    (
        "gate = { point = \"bms-1/current\", change = \"0 A\", on_unknown = \"judge\" }",
        Code::OutOfRange,
        "gate",
    ),
    ("relative = true", Code::WrongUnit, "deadband"),
];

fn texts() -> Vec<(String, Code, &'static str)> {
    let deviation = |(lines, code, marked): &(&str, Code, &'static str)| {
        (format!("{RULE_HEAD}[rule.deviation]\n{lines}{DEVIATION_REST}"), *code, *marked)
    };
    let step = |(line, code, marked): &(&str, Code, &'static str)| {
        let text = format!(
            "{RULE_HEAD}[rule.step]\npoint = \"bms-1/voltage\"\nside = \"falling\"\nwindow = \"10min\"\n\
             samples_min = 3\n{line}\ndeadband = \"1 V\"\n\
             watch = {{ limit = \"5 V\", on_delay = \"0s\", off_delay = \"0s\" }}\n"
        );
        (text, *code, *marked)
    };
    DEVIATIONS.iter().map(deviation).chain(STEPS.iter().map(step)).collect()
}

#[test]
fn rules_over_several_points_that_are_wrong_are_found() {
    for (text, code, marked) in texts() {
        let whole = changed("", &text);
        let found = complaints(&[&whole]);
        assert!(codes(&found).contains(&code), "{text}\nwanted {code}, found\n{found}");
        let at = whole.lines().nth(line(&found, code) - 1).unwrap();
        assert!(at.contains(marked) || code == Code::MissingKey, "{code} marks `{at}`");
    }
}

#[test]
fn a_group_may_be_written_by_its_number() {
    let text = format!(
        "{RULE_HEAD}[rule.deviation]\npoints = [\"bms-1/cell-temp-{{n}}\"]\nagainst = \"spread\"{DEVIATION_REST}"
    );
    let site = load_texts(&[&changed("", &text)]).unwrap_or_else(|found| panic!("{found}")).site;
    let crate::safety::rules::RuleKind::Deviation(rule) = &site.rules.last().unwrap().kind else {
        panic!("a deviation")
    };
    assert_eq!(rule.points.len(), 16, "the cells of a simulated rack");
}

/// The codes of all cases.
pub(super) fn reached() -> BTreeSet<Code> {
    texts().into_iter().map(|(_, code, _)| code).collect()
}

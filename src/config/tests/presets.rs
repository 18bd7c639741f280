//! Presets: chosen, written out, changed, and chosen wrongly.

use std::collections::BTreeSet;

use super::corpus::changed;
use super::*;
use crate::safety::rules::RuleKind;

/// Each shipped preset with every part played by something in the base.
const WHOLE: [(&str, &str); 6] = [
    ("li-ion-nmc", LITHIUM),
    ("li-ion-lfp", LITHIUM),
    (
        "vrla",
        "block-temp = [\"bms-1/cell-temp-max\", \"bms-1/cell-temp-min\"]\nambient = \"bms-1/cell-temp-1\"\n\
         float-current = \"bms-1/current\"\nhydrogen = \"bms-1/soh\"\n",
    ),
    ("room-environment", "ambient = \"bms-1/cell-temp-min\"\nhumidity = \"bms-1/soc\"\n"),
    ("off-gas", "gas = \"gas-1/concentration\"\ngas-alarm = [\"bms-1/contactor\"]\n"),
    ("aspirating-smoke", "smoke-alert = \"bms-1/contactor\"\nsmoke-fire = \"box-1/position\"\n"),
];
const LITHIUM: &str = "cell-temp = [\"bms-1/cell-temp-max\", \"bms-1/cell-temp-min\"]\n\
     cell-voltage = [\"bms-1/cell-v-min\", \"bms-1/cell-v-max\"]\ncurrent = \"bms-1/current\"\n";

fn chosen(name: &str, points: &str, rest: &str) -> String {
    // The slow points of the base are read every 15 s: judged points are better read faster.
    let base = changed("slow = \"15s\"", "slow = \"5s\"");
    format!("{base}\n[[preset]]\nuse = \"{name}\"\nzone = \"rack-2\"\n[preset.points]\n{points}{rest}")
}

fn loaded(text: &str) -> Loaded {
    load_texts(&[text]).unwrap_or_else(|complaints| panic!("{complaints}"))
}

fn rule<'a>(loaded: &'a Loaded, name: &str) -> &'a RuleKind {
    let found = loaded.site.rules.iter().find(|rule| rule.name == name);
    let names: Vec<&str> = loaded.site.rules.iter().map(|rule| rule.name.as_str()).collect();
    &found.unwrap_or_else(|| panic!("no rule {name} in {names:?}")).kind
}

#[test]
fn every_shipped_preset_loads_with_every_part_played() {
    for (name, points) in WHOLE {
        let loaded = loaded(&chosen(name, points, ""));
        assert_eq!(codes(&loaded.warnings), [], "{name}: {}", loaded.warnings);
        assert!(PRESETS.iter().any(|(known, _)| *known == name));
    }
}

#[test]
fn every_rule_of_every_preset_cites_the_source_of_its_numbers() {
    for (name, points) in WHOLE {
        let effective = loaded(&chosen(name, points, "")).effective;
        let rules = effective.split("[[rule]]").filter(|text| text.contains("From the preset"));
        for rule in rules {
            let comment: Vec<&str> = rule.lines().filter(|line| line.starts_with("# ")).collect();
            assert!(2 <= comment.len(), "{name}: {rule}");
        }
    }
}

#[test]
fn a_rule_over_one_point_is_written_out_for_each_that_plays_the_part() {
    let loaded = loaded(&chosen("li-ion-nmc", LITHIUM, ""));
    for (name, point) in [("temp-rack-2-1", "cell-temp-max"), ("temp-rack-2-2", "cell-temp-min")] {
        let RuleKind::Limit(limit) = rule(&loaded, name) else { panic!("a limit") };
        assert_eq!(loaded.site[limit.point].name, point);
        assert!(limit.projection.is_some());
    }
    let RuleKind::Deviation(spread) = rule(&loaded, "spread-rack-2") else { panic!("a deviation") };
    assert_eq!(spread.points.len(), 2);
    assert!(loaded.site.alarms.iter().any(|alarm| alarm.message == "rack-2: a cell is too hot"));
}

#[test]
fn what_nobody_plays_is_left_out_and_a_gate_without_its_point_too() {
    let points = "cell-temp = \"bms-1/cell-temp-max\"\ncell-voltage = \"bms-1/cell-v-min\"\n";
    let loaded = loaded(&chosen("li-ion-nmc", points, ""));
    let RuleKind::Step(step) = rule(&loaded, "voltage-step-rack-2") else { panic!("a step") };
    assert_eq!(step.gate, None);
    assert!(
        !loaded.site.rules.iter().any(|rule| rule.name.starts_with("spread-")),
        "one point has no spread"
    );
}

#[test]
fn a_site_changes_single_keys_and_leaves_rules_out() {
    let rest = "[preset.change.temp]\nlimit = { danger = { limit = \"75 degC\" } }\n";
    let text = chosen("li-ion-nmc", LITHIUM, rest)
        .replace("zone = \"rack-2\"\n[preset", "zone = \"rack-2\"\nwithout = [\"runaway\"]\n[preset");
    let loaded = loaded(&text);
    let RuleKind::Limit(limit) = rule(&loaded, "temp-rack-2-1") else { panic!("a limit") };
    let danger = limit.steps[2].unwrap();
    assert!((danger.limit - 75.0).abs() < 1e-9);
    assert_eq!(danger.extreme, Some(100.0), "what was not changed stands");
    assert!(!loaded.site.rules.iter().any(|rule| rule.name.starts_with("runaway")));
    assert!(
        loaded.effective.contains("From the preset li-ion-nmc, changed by this site."),
        "{}",
        loaded.effective
    );
}

#[test]
fn what_is_printed_as_effective_is_a_configuration_with_the_same_rules() {
    let text = chosen("li-ion-nmc", LITHIUM, "");
    let first = loaded(&text);
    let start = text.find("[[rule]]").unwrap();
    let sequences = text.find("[[load_group]]").unwrap();
    let end = text.find("[[preset]]").unwrap();
    let again = format!("{}{}{}", &text[..start], first.effective, &text[sequences..end]);
    let second = loaded(&again);
    let names =
        |loaded: &Loaded| loaded.site.rules.iter().map(|rule| format!("{rule:?}")).collect::<Vec<_>>();
    assert_eq!(names(&first), names(&second));
}

/// (preset, points and the rest, the code, a part of the marked line).
const WRONG: &[(&str, &str, Code, &str)] = &[
    ("li-ion", "cell-temp = \"bms-1/cell-temp-max\"\n", Code::UnknownName, "use"),
    ("li-ion-nmc", "cells = \"bms-1/cell-temp-max\"\n", Code::UnknownName, "cells"),
    ("li-ion-nmc", "cell-temp = \"bms-1/cell-v-min\"\n", Code::PresetPart, "cell-temp"),
    ("li-ion-nmc", "current = [\"bms-1/current\", \"bms-1/current\"]\n", Code::PresetPart, "current"),
    ("li-ion-nmc", "", Code::PresetPart, "zone"),
    ("li-ion-nmc", "cell-temp = \"bms-1/cell-tmp\"\n", Code::UnknownName, "cell-tmp"),
    (
        "li-ion-nmc",
        "cell-temp = \"bms-1/cell-temp-max\"\n[preset.change.tmp]\nlatched = true\n",
        Code::UnknownName,
        "change.tmp",
    ),
    (
        "li-ion-nmc",
        "cell-temp = \"bms-1/cell-temp-max\"\n[preset.change.temp]\nlimit = { watch = { limit = \"60 degC\" } }\n",
        Code::LimitOrder,
        "",
    ),
];

#[test]
fn presets_that_are_chosen_wrongly_are_found_where_they_are_chosen() {
    for (name, points, code, marked) in WRONG {
        let text = chosen(name, points, "");
        let found = complaints(&[&text]);
        assert!(codes(&found).contains(code), "{points}\nwanted {code}, found\n{found}");
        let complaint = found.list.iter().find(|complaint| complaint.code == *code).unwrap();
        if !marked.is_empty() {
            assert_eq!(complaint.place.unwrap().file, 0, "{found}");
            let at = text.lines().nth(line(&found, *code) - 1).unwrap();
            assert!(at.contains(marked), "{code} marks `{at}`");
        }
    }
}

/// The codes of all cases.
pub(super) fn reached() -> BTreeSet<Code> {
    WRONG.iter().map(|case| case.2).collect()
}

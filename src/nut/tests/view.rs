//! What is shown of a UPS: readings, status, and what is missing.

use super::*;
use crate::safety::risk::{Level, LevelChange};

#[test]
fn the_status_is_what_is_measured_until_a_cut_is_near() {
    let mut view = view();
    assert_eq!(status(&view), Err(NoData::NotConnected));
    publish(&mut view, calm());
    assert_eq!(status(&view).unwrap(), "OL");
    publish(&mut view, vec![good(0, f64::from(0b100))]);
    assert_eq!(status(&view).unwrap(), "OL CHRG");
    publish(&mut view, vec![good(0, f64::from(0b010))]);
    assert_eq!(status(&view).unwrap(), "OB");
    publish(&mut view, vec![good(0, 0.0), changed(in_run(run(counting(Millis::from_secs(61)))))]);
    assert_eq!(status(&view).unwrap(), "OL");
    let alarm = view.variable(0, "ups.alarm", NOW).unwrap();
    assert!(alarm.contains("Isolate UPS A") && alarm.contains("Fail over to feed B."), "{alarm}");
    assert_eq!(view.variable(0, "ups.timer.shutdown", NOW).unwrap(), "181");
    publish(&mut view, vec![changed(in_run(run(counting(Millis::ZERO))))]);
    assert_eq!(status(&view).unwrap(), "OB LB");
    publish(&mut view, vec![changed(in_run(run(Step::Aborted { by: "kim".into() })))]);
    assert_eq!(status(&view).unwrap(), "OL", "aborted in time");
    publish(&mut view, vec![changed(in_run(run(waiting(1, Millis::from_secs(60)))))]);
    assert_eq!(status(&view).unwrap(), "FSD OB LB");
    assert_eq!(view.status(1, NOW).unwrap(), "OL", "the other UPS is not concerned");
    publish(&mut view, vec![changed(in_run(Run { commanded: 2, ..run(Step::Done) }))]);
    assert_eq!(status(&view).unwrap(), "FSD OB LB", "until it is reset");
    publish(&mut view, vec![changed(SequenceState { mode: Mode::Armed, phase: Phase::Idle, proven: None })]);
    assert_eq!(status(&view).unwrap(), "OL");
}

#[test]
fn a_warning_or_danger_in_the_zone_is_told_and_shuts_nothing_down() {
    let mut view = view();
    let mut facts = calm();
    let change = LevelChange {
        zone: ZoneId(0),
        level: Level::Danger,
        was: Level::Normal,
        because: Vec::new(),
        first_out: None,
    };
    facts.push(Fact::Level(change));
    publish(&mut view, facts);
    assert_eq!(status(&view).unwrap(), "OL");
    assert_eq!(view.variable(0, "ups.alarm", NOW).unwrap(), "UPS A: danger");
    assert_eq!(view.variable(1, "ups.alarm", NOW), Err(NoData::NotSupported));
}

#[test]
fn what_is_not_good_is_missing_and_never_old() {
    let mut view = view();
    publish(&mut view, calm());
    assert_eq!(view.variable(0, "battery.charge", NOW).unwrap(), "80");
    assert_eq!(view.variable(0, "battery.runtime", NOW).unwrap(), "750");
    publish(&mut view, vec![lost(1)]);
    assert_eq!(view.variable(0, "battery.charge", NOW), Err(NoData::Stale));
    let names: Vec<String> = view.variables(0, NOW).unwrap().into_iter().map(|(name, _)| name).collect();
    assert!(!names.contains(&"battery.charge".to_owned()) && names.contains(&"battery.runtime".to_owned()));
    // The status stands on point 0: without it, it is unknown, and unknown is not `OL`.
    publish(&mut view, vec![lost(0)]);
    assert_eq!(status(&view), Err(NoData::Stale));
    publish(&mut view, vec![lost(2)]);
    assert_eq!(view.variables(0, NOW), Err(NoData::Stale));
    assert_eq!(view.status(1, NOW).unwrap(), "OL");
    // A cut is told all the same.
    publish(&mut view, vec![changed(in_run(run(waiting(1, Millis::ZERO))))]);
    assert_eq!(status(&view).unwrap(), "FSD OB LB");
}

#[test]
fn all_is_stale_while_the_loop_is_silent_or_something_was_missed() {
    let mut view = view();
    publish(&mut view, calm());
    assert_eq!(view.status(0, NOW.plus(Millis(2500))), Err(NoData::Stale));
    publish(&mut view, vec![changed(in_run(run(waiting(1, Millis::from_secs(61)))))]);
    view.forget();
    publish(&mut view, Vec::new());
    assert_eq!(status(&view), Err(NoData::Stale), "what it was may long be over");
    publish(&mut view, vec![changed(SequenceState { mode: Mode::Armed, phase: Phase::Idle, proven: None })]);
    assert_eq!(status(&view).unwrap(), "OL");
}

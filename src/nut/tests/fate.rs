//! What a run means for the machines, by step, time, mode and what was told before.

use super::*;
use crate::nut::fate::{Fate, fate};

fn told(step: Step) -> (Fate, Option<Millis>) {
    fate(&sequence(), &in_run(run(step)), &OURS, NOW, EARLY, None)
}

#[test]
fn a_machine_is_told_by_the_time_until_its_own_feed_is_cut() {
    let idle = SequenceState { mode: Mode::Armed, phase: Phase::Idle, proven: None };
    assert_eq!(fate(&sequence(), &idle, &OURS, NOW, EARLY, None), (Fate::Safe, None));
    let s = Millis::from_secs;
    for (step, expected, left) in [
        (counting(s(120)), Fate::Ahead, Some(s(240))),
        (counting(s(61)), Fate::Ahead, Some(s(181))),
        (counting(s(60)), Fate::Low, Some(s(180))),
        (counting(Millis::ZERO), Fate::Low, Some(s(120))),
        (waiting(1, s(61)), Fate::Low, Some(s(61))),
        (waiting(1, s(60)), Fate::Forced, Some(s(60))),
        (waiting(1, Millis::ZERO), Fate::Forced, Some(Millis::ZERO)),
        // Other means: their turn has come, so the stage before has failed.
        (waiting(2, s(30)), Fate::Forced, Some(s(30))),
        (Step::Held { stage: 1, until: Some(NOW.plus(s(10))) }, Fate::Forced, Some(s(40))),
        // A person decides: there is no time.
        (Step::Held { stage: 0, until: None }, Fate::Ahead, None),
        // Whether it goes on after a restart is not known yet.
        (
            Step::Rereading { stage: 1, attempt: 0, from: NOW, until: NOW.plus(s(10)) },
            Fate::Ahead,
            Some(s(120)),
        ),
        (Step::Aborted { by: "kim".into() }, Fate::Safe, None),
        (Step::Done, Fate::Safe, None),
        (Step::Failed, Fate::Safe, None),
    ] {
        let (got, time) = told(step.clone());
        assert_eq!((got, time), (expected, left), "{step:?}");
    }
}

#[test]
fn feed_b_waits_for_a_person_and_a_battery_is_no_feed() {
    let feed_b = [FeedId(1)];
    let state = in_run(run(waiting(1, Millis::ZERO)));
    assert_eq!(fate(&sequence(), &state, &feed_b, NOW, EARLY, None), (Fate::Ahead, None));
    let mut battery = sequence();
    battery.stages = vec![stage(Cuts::Battery, StageWhen::Always, Millis::ZERO)];
    let state = in_run(run(counting(Millis::ZERO)));
    assert_eq!(fate(&battery, &state, &OURS, NOW, EARLY, None), (Fate::Safe, None));
    assert_eq!(fate(&sequence(), &state, &[], NOW, EARLY, None), (Fate::Safe, None));
}

#[test]
fn neither_a_drill_nor_shadow_nor_a_disarmed_run_tells_machines_anything() {
    let step = waiting(1, Millis::ZERO);
    let drill = Run { shadow: true, cause: Cause::Drill { by: "kim".into() }, ..run(step.clone()) };
    let shadow = Run { shadow: true, ..run(step.clone()) };
    let shadow_cut = Run { shadow: true, commanded: 0b10, ..run(Step::Done) };
    let disarmed = SequenceState { mode: Mode::Shadow, phase: Phase::Run(run(step)), proven: None };
    for (state, expected) in [
        (in_run(drill), Fate::Rehearsed),
        (in_run(shadow), Fate::Rehearsed),
        (in_run(shadow_cut), Fate::Safe),
        (disarmed, Fate::Rehearsed),
    ] {
        assert_eq!(fate(&sequence(), &state, &OURS, NOW, EARLY, None).0, expected, "{state:?}");
    }
}

#[test]
fn what_was_told_stays_told_while_the_run_goes_on_and_after_the_cut_until_the_reset() {
    let given = Some(RunId(7));
    let held = in_run(run(Step::Held { stage: 0, until: None }));
    assert_eq!(fate(&sequence(), &held, &OURS, NOW, EARLY, given).0, Fate::Forced);
    assert_eq!(fate(&sequence(), &held, &OURS, NOW, EARLY, Some(RunId(6))).0, Fate::Ahead);
    let cut = in_run(Run { commanded: 0b10, ..run(Step::Done) });
    assert_eq!(fate(&sequence(), &cut, &OURS, NOW, EARLY, None).0, Fate::Forced);
    let aborted = in_run(run(Step::Aborted { by: "kim".into() }));
    assert_eq!(fate(&sequence(), &aborted, &OURS, NOW, EARLY, given).0, Fate::Safe, "nothing was cut");
}

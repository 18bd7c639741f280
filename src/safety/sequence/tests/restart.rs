//! R12: where a run goes on after a restart.

use super::*;
use crate::safety::memory::SequenceMemory;
use crate::safety::sequence::restore::{REREAD_WAIT, restored_phase};
use crate::safety::sequence::{Cause, RunId, StageFault, StageState};

/// A bench that was killed while its only stage was being read back, and started again a second later.
fn killed_while_verifying(cause_stands: bool, change: impl FnOnce(&mut Sequence)) -> Bench {
    let mut spec = sequence(vec![stage("open")]);
    spec.countdown = Millis(0);
    let mut bench = Bench::new(spec);
    bench.reads(HEAT, HOT);
    bench.answer(Ok(()));
    assert!(matches!(bench.step(), Step::Verifying { .. }), "{:?}", bench.step());
    if !cause_stands {
        bench.plant[HEAT.index()] = Some(CALM);
    }
    bench.restart(1000, true, change)
}

fn is_rereading(bench: &Bench) -> bool {
    matches!(bench.step(), Step::Rereading { .. })
}

#[test]
fn a_switch_may_still_move_after_a_restart_and_no_longer_than_it_may() {
    let mut bench = killed_while_verifying(true, |_| {});
    // It reads closed all the while: 2 s are its time to move, counted from the start.
    bench.pass(1900);
    assert!(is_rereading(&bench), "{:?}", bench.step());
    bench.pass(100);
    assert_eq!(*bench.step(), Step::Failed, "its one try is spent");
    assert_eq!(bench.run().stages, [StageState::Failed(StageFault::NoEffect(OPEN))]);
}

#[test]
fn what_opened_while_nobody_looked_is_seen_and_not_commanded_again() {
    let mut bench = killed_while_verifying(true, |_| {});
    bench.reads(OPEN, 1.0);
    assert_eq!((bench.step(), bench.orders.len()), (&Step::Done, 0));
}

#[test]
fn feedback_that_was_not_read_yet_is_waited_for_until_the_time_of_rereading_is_up() {
    let mut bench = killed_while_verifying(true, |_| {});
    bench.plant[OPEN.index()] = None;
    bench.pass(REREAD_WAIT.0 - 100);
    assert!(is_rereading(&bench), "{:?}", bench.step());
    bench.pass(100);
    assert_eq!(*bench.step(), Step::Failed);
}

#[test]
fn feedback_that_says_closed_after_its_time_is_not_waited_for_any_longer() {
    let mut bench = killed_while_verifying(true, |_| {});
    bench.plant[OPEN.index()] = None;
    bench.pass(5000);
    assert!(is_rereading(&bench), "{:?}", bench.step());
    bench.reads(OPEN, 0.0);
    assert_eq!(*bench.step(), Step::Failed);
}

/// A bench that was killed while its only stage waited for its delay, and started again a second later.
fn killed_while_waiting(heat: Option<f64>, policy: OnRestart) -> Bench {
    let mut spec = sequence(vec![stage("open")]);
    (spec.countdown, spec.stages[0].delay) = (Millis(0), Millis(5000));
    let mut bench = Bench::new(spec);
    bench.reads(HEAT, HOT);
    bench.plant[HEAT.index()] = heat;
    bench.restart(1000, true, |spec| spec.on_restart = policy)
}

#[test]
fn the_cause_decides_and_where_it_is_gone_or_unknown_the_written_policy() {
    let table = [
        // What is read, the policy; whether it goes on at once, and what it does when the time is up.
        (Some(HOT), OnRestart::Hold, true, false),
        (Some(HOT), OnRestart::Resume, true, false),
        (Some(CALM), OnRestart::Hold, false, true),
        (Some(CALM), OnRestart::Resume, false, false),
        (None, OnRestart::Hold, false, true),
        (None, OnRestart::Resume, false, false),
    ];
    for (heat, policy, at_once, held) in table {
        let mut bench = killed_while_waiting(heat, policy);
        bench.pass(100);
        assert_eq!(!is_rereading(&bench), at_once, "{heat:?}, {policy:?}: {:?}", bench.step());
        bench.pass(REREAD_WAIT.0 - 200);
        assert_eq!(!is_rereading(&bench), at_once, "{heat:?}, {policy:?}: {:?}", bench.step());
        bench.pass(100);
        assert!(!is_rereading(&bench), "{heat:?}, {policy:?}");
        let is_held = matches!(bench.step(), Step::Held { stage: 0, until: None });
        assert_eq!(is_held, held, "{heat:?}, {policy:?}: {:?}", bench.step());
    }
}

#[test]
fn a_countdown_goes_on_after_a_crash_and_begins_anew_after_a_reboot() {
    let counted = |same_boot, again: bool| {
        let mut bench = Bench::new(sequence(vec![stage("open")]));
        bench.reads(HEAT, HOT);
        let Step::Countdown { until } = *bench.step() else { panic!("{:?}", bench.step()) };
        bench.pass(2000);
        let mut bench = bench.restart(1000, same_boot, |_| {});
        if again {
            // A second crash before anything was read.
            bench = bench.restart(1000, same_boot, |_| {});
        }
        let born = bench.ms;
        bench.pass(100);
        let Step::Countdown { until: now_until } = *bench.step() else { panic!("{:?}", bench.step()) };
        (now_until == until, now_until == Uptime(born + 10_000))
    };
    for again in [false, true] {
        assert_eq!(counted(true, again), (true, false), "what was left of it");
        assert_eq!(counted(false, again), (false, true), "uptime of another boot says nothing");
    }
}

#[test]
fn the_deadline_of_a_person_stays_over_a_crash_and_is_had_again_after_a_reboot() {
    let held = |same_boot, on_fail| {
        let mut spec = sequence(vec![stage("open"), stage("open more")]);
        (spec.countdown, spec.stages[0].on_fail) = (Millis(0), OnFail::HoldFor(Millis(30_000)));
        let mut bench = Bench::new(spec);
        bench.reads(HEAT, HOT);
        bench.answer(Err(DriveFault::NotAllowed));
        let Step::Held { until: Some(before), .. } = *bench.step() else { panic!("{:?}", bench.step()) };
        bench.pass(5000);
        let mut bench = bench.restart(1000, same_boot, |spec| spec.stages[0].on_fail = on_fail);
        let born = bench.ms;
        bench.pass(100);
        let Step::Held { stage: 0, until } = *bench.step() else { panic!("{:?}", bench.step()) };
        (until == Some(before), until.map(|until| until.0 - born))
    };
    let wait = OnFail::HoldFor(Millis(30_000));
    assert!(held(true, wait).0);
    assert_eq!(held(false, wait), (false, Some(30_000)));
    assert_eq!(held(false, OnFail::Hold), (false, None), "the site has taken the deadline away");
}

#[test]
fn a_drill_does_not_outlive_its_daemon() {
    let mut bench = Bench::new(sequence(vec![stage("open")]));
    bench.pass(100);
    assert_eq!(bench.ask("kim", Request::Drill { sequence: CUT }), Ok(()));
    assert!(bench.run().cause.is_drill());
    let bench = bench.restart(1000, true, |_| {});
    assert_eq!(bench.state().phase, Phase::Idle);
}

#[test]
fn s9_a_run_of_other_stages_is_held_with_a_state_for_each_stage_that_is_there_now() {
    let mut bench = killed_while_verifying(true, |spec| spec.stages.push(stage("open more")));
    assert_eq!(bench.run().stages, [StageState::Pending, StageState::Pending]);
    bench.pass(100);
    assert_eq!(*bench.step(), Step::Held { stage: 0, until: None });
    assert!(bench.orders.is_empty());
}

#[test]
fn s9_a_run_is_held_where_a_restart_finds_other_stages_than_it_began_with() {
    let run = |step| Run {
        id: RunId(7),
        cause: Cause::Vote { voting: 0b11, by_policy: false },
        since: WallTime(0),
        shadow: false,
        step,
        stages: vec![StageState::Verified, StageState::Pending],
        commanded: 0b1,
        aborting: None,
        told: None,
    };
    let after = |stages: &[&str], step| {
        let before = SequenceMemory {
            state: SequenceState { mode: Mode::Armed, phase: Phase::Run(run(step)), proven: None },
            configured: Mode::Armed,
            stages: vec!["stop charging".into(), "open contactor".into()],
        };
        let spec = sequence(stages.iter().map(|name| stage(name)).collect());
        match restored_phase(&spec, &before, true, Uptime(1000)) {
            Phase::Run(run) => run.step,
            Phase::Idle => panic!("a run is never forgotten"),
        }
    };
    let under_way = Step::Verifying { stage: 1, attempt: 1, after: Uptime(500), until: Uptime(5500) };
    let same = after(&["stop charging", "open contactor"], under_way.clone());
    assert!(matches!(same, Step::Rereading { stage: 1, .. }), "{same:?}");
    for other in [
        &["stop charging", "open breaker"][..],
        &["open contactor", "stop charging"],
        &["stop charging"],
        &["stop charging", "open contactor", "open breaker"],
    ] {
        let step = after(other, under_way.clone());
        assert!(matches!(step, Step::Held { .. }), "{other:?}: {step:?}");
        assert_eq!(after(other, Step::Done), Step::Done, "what is over stays over");
    }
}

//! What people may ask, in which state, and what comes of it.

use super::*;
use crate::safety::fact::Operator;
use crate::safety::sequence::requests::SELECT_VALID;
use crate::safety::sequence::spec::ProofTest;
use crate::safety::sequence::{Cause, Proven, RunId, StageFault, StageState};

const ARM: Request = Request::Arm { sequence: CUT };
const DISARM: Request = Request::Disarm { sequence: CUT };
const SELECT: Request = Request::Select { sequence: CUT };
const START: Request = Request::Start { sequence: CUT };
const RESET: Request = Request::ResetSequence { sequence: CUT };
const DRILL: Request = Request::Drill { sequence: CUT };

const fn abort(run: Option<RunId>) -> Request {
    Request::Abort { sequence: CUT, run }
}

/// One stage, at once.
fn quick() -> Sequence {
    Sequence { countdown: Millis(0), ..sequence(vec![stage("open")]) }
}

/// The ways a sequence can stand that bear on what may be asked of it.
fn benches() -> Vec<(&'static str, Bench)> {
    let idle = |mode| Bench::new(Sequence { mode, ..sequence(vec![stage("open"), stage("open more")]) });
    let drilled = |ms| {
        let mut bench = idle(Mode::Armed);
        bench.pass(100);
        bench.ask("kim", DRILL).unwrap();
        bench.pass(ms);
        bench
    };
    let mut counting = idle(Mode::Armed);
    counting.reads(HEAT, HOT);
    let mut waiting = Bench::new(quick());
    waiting.plant[OPEN.index()] = Some(0.0);
    waiting.reads(HEAT, HOT);
    let mut over = Bench::new(quick());
    over.reads(HEAT, HOT);
    over.answer(Ok(()));
    over.reads(OPEN, 1.0);
    let mut cold = Bench::new(quick());
    cold.reads(HEAT, HOT);
    cold.answer(Ok(()));
    cold.reads(OPEN, 1.0);
    cold.reads(HEAT, CALM);
    let mut shadow = Bench::new(Sequence { mode: Mode::Shadow, ..quick() });
    shadow.reads(HEAT, HOT);
    let mut held = Bench::new(quick());
    held.core.site = Arc::new(site(vec![Sequence {
        stages: vec![Stage { on_fail: OnFail::Hold, ..stage("open") }],
        ..quick()
    }]));
    held.reads(HEAT, HOT);
    held.answer(Err(DriveFault::NotAllowed));
    vec![
        ("disabled", idle(Mode::Disabled)),
        ("shadow", idle(Mode::Shadow)),
        ("armed", idle(Mode::Armed)),
        ("drill under way", drilled(100)),
        ("drill over", drilled(11_000)),
        ("counting down", counting),
        ("ordered", waiting),
        ("done, cause stands", over),
        ("done, cause gone", cold),
        ("shadow run done, cause stands", shadow),
        ("held", held),
    ]
}

#[test]
fn what_may_be_asked_depends_on_how_the_sequence_stands() {
    use Refusal::{CauseStands, NotNow, NothingToDo};
    let ok = Ok(());
    let table = [
        // The state; arm, disarm (the first of two), select, reset (the first of two, where something was cut), drill, abort.
        ("disabled", [ok, Err(NothingToDo), Err(NotNow), Err(NothingToDo), Err(NotNow), Err(NotNow)]),
        ("shadow", [ok, Err(NothingToDo), ok, Err(NothingToDo), ok, Err(NotNow)]),
        ("armed", [Err(NothingToDo), ok, ok, Err(NothingToDo), ok, Err(NotNow)]),
        ("drill under way", [Err(NothingToDo), ok, ok, Err(NotNow), Err(NotNow), ok]),
        ("drill over", [Err(NothingToDo), ok, ok, ok, ok, Err(NotNow)]),
        ("counting down", [Err(NothingToDo), Err(NotNow), ok, Err(NotNow), Err(NotNow), ok]),
        (
            "ordered",
            [Err(NothingToDo), Err(NotNow), Err(NotNow), Err(NotNow), Err(NotNow), Err(Refusal::TooLate)],
        ),
        (
            "done, cause stands",
            [Err(NothingToDo), ok, Err(NotNow), Err(CauseStands), Err(NotNow), Err(NotNow)],
        ),
        ("done, cause gone", [Err(NothingToDo), ok, Err(NotNow), ok, Err(NotNow), Err(NotNow)]),
        ("shadow run done, cause stands", [ok, Err(NothingToDo), Err(NotNow), ok, Err(NotNow), Err(NotNow)]),
        ("held", [Err(NothingToDo), Err(NotNow), ok, Err(CauseStands), Err(NotNow), Err(Refusal::TooLate)]),
    ];
    for (row, (name, expected)) in table.into_iter().enumerate() {
        let asked = [ARM, DISARM, SELECT, RESET, DRILL, abort(None)];
        for (request, expected) in asked.into_iter().zip(expected) {
            let (which, mut bench) = benches().swap_remove(row);
            assert_eq!(which, name);
            assert_eq!(bench.ask("kim", request.clone()), expected, "{name}: {request:?}");
        }
    }
}

#[test]
fn a_run_is_let_go_only_while_it_is_known_that_its_cause_is_gone() {
    let mut bench = Bench::new(quick());
    bench.reads(HEAT, HOT);
    bench.answer(Ok(()));
    bench.reads(OPEN, 1.0);
    bench.reads(HEAT, CALM);
    // The sensor falls silent: it may burn again.
    bench.plant[HEAT.index()] = None;
    bench.pass(70_000);
    assert_eq!(bench.ask("kim", RESET), Err(Refusal::CauseStands));
    bench.reads(HEAT, CALM);
    assert_eq!(bench.ask("kim", RESET), Ok(()));
    assert_ne!(bench.state().phase, Phase::Idle, "R15: it takes two");
    assert_eq!(bench.ask("lee", RESET), Ok(()));
    assert_eq!((&bench.state().phase, bench.mode()), (&Phase::Idle, Mode::Shadow), "I8");
}

#[test]
fn an_abort_of_another_run_than_the_one_that_was_seen_is_refused() {
    let mut bench = Bench::new(sequence(vec![stage("open")]));
    bench.reads(HEAT, HOT);
    let RunId(number) = bench.run().id;
    assert_eq!(bench.ask("kim", abort(Some(RunId(number + 1)))), Err(Refusal::OutOfDate));
    assert_eq!(bench.ask("kim", abort(Some(RunId(number)))), Ok(()));
    assert_eq!(*bench.step(), Step::Aborted { by: "kim".into() });
}

#[test]
fn the_second_step_of_a_cut_by_hand_counts_for_ten_seconds_after_the_first() {
    for (after, started) in [(SELECT_VALID.0, true), (SELECT_VALID.0 + 100, false)] {
        let mut bench = Bench::new(sequence(vec![stage("open")]));
        bench.pass(100);
        bench.ask("kim", SELECT).unwrap();
        bench.pass(after - 100);
        assert_eq!(bench.ask("kim", START).is_ok(), started, "{after} ms");
        assert_eq!(bench.orders.len(), usize::from(started));
    }
    let mut bench = Bench::new(sequence(vec![stage("open")]));
    bench.pass(100);
    assert_eq!(bench.ask("kim", START), Err(Refusal::NotNow), "never in one step");
    bench.ask("kim", SELECT).unwrap();
    assert_eq!(bench.ask("lee", START), Err(Refusal::NotNow), "and not by two");
}

#[test]
fn what_is_real_ends_a_drill_and_does_not_wait_for_it() {
    let mut bench = Bench::new(quick());
    bench.core.site = Arc::new(site(vec![Sequence {
        stages: vec![Stage { delay: Millis(5000), ..stage("open") }],
        ..quick()
    }]));
    bench.pass(100);
    bench.ask("kim", DRILL).unwrap();
    assert!(matches!(bench.step(), Step::Waiting { .. }), "{:?}", bench.step());
    bench.ask("lee", SELECT).unwrap();
    bench.ask("lee", START).unwrap();
    assert_eq!(bench.run().cause, Cause::Manual { by: "lee".into() });
    assert!(!bench.run().shadow);
}

#[test]
fn a_held_run_goes_on_with_what_was_never_commanded_and_after_what_was() {
    let three = |first: Stage| Sequence {
        countdown: Millis(0),
        ..sequence(vec![first, stage("open more"), stage("open all")])
    };
    // An order that failed: the next stage.
    let mut bench = Bench::new(three(Stage { on_fail: OnFail::Hold, ..stage("open") }));
    bench.reads(HEAT, HOT);
    bench.answer(Err(DriveFault::NotAllowed));
    assert_eq!(*bench.step(), Step::Held { stage: 0, until: None });
    bench.ask("kim", SELECT).unwrap();
    bench.ask("kim", START).unwrap();
    assert_eq!(bench.orders.last().map(|order| order.stage), Some(1), "what was commanded has had its tries");
    // A stage that a person must tell to go on: that stage.
    let mut bench = Bench::new(three(Stage { when: StageWhen::ByPersons(1), ..stage("open") }));
    bench.reads(HEAT, HOT);
    assert_eq!(*bench.step(), Step::Held { stage: 0, until: None });
    bench.ask("kim", SELECT).unwrap();
    bench.ask("kim", START).unwrap();
    assert_eq!(bench.orders.last().map(|order| order.stage), Some(0));
    // Two persons, where the stage says so.
    let mut bench = Bench::new(three(Stage { when: StageWhen::ByPersons(2), ..stage("open") }));
    bench.reads(HEAT, HOT);
    bench.ask("kim", SELECT).unwrap();
    assert_eq!(bench.ask("kim", START), Err(Refusal::SecondPerson));
    bench.ask("lee", START).unwrap();
    assert_eq!(bench.orders.last().map(|order| order.stage), Some(0));
}

#[test]
fn who_goes_on_after_a_stage_has_told_the_next_one() {
    for state in [StageState::Failed(StageFault::NoEffect(OPEN)), StageState::Verified] {
        let first = Stage { on_fail: OnFail::Hold, ..stage("open") };
        let next = Stage { when: StageWhen::ByPersons(1), ..stage("open more") };
        let mut bench = Bench::new(Sequence { countdown: Millis(0), ..sequence(vec![first, next]) });
        bench.reads(HEAT, HOT);
        bench.answer(Err(DriveFault::NotAllowed));
        let Phase::Run(run) = &mut bench.core.sequences.tracks[0].state.phase else { panic!("a run") };
        run.stages[0] = state;
        bench.ask("kim", SELECT).unwrap();
        bench.ask("kim", START).unwrap();
        assert_eq!(bench.orders.last().map(|order| order.stage), Some(1), "{state:?}: asked once, not twice");
    }
}

#[test]
fn a_held_run_goes_on_after_a_stage_by_what_became_of_it() {
    // What the second stage is told about the first: its state, whether it was commanded, how many persons.
    let table = [
        (StageState::Pending, false, 1, 0),
        (StageState::Failed(StageFault::Budget), false, 1, 0),
        (StageState::Failed(StageFault::Budget), true, 1, 1),
        (StageState::Failed(StageFault::Maintenance), false, 1, 0),
        (StageState::Failed(StageFault::Requires(0)), false, 1, 0),
        (StageState::Failed(StageFault::LastFeed(crate::safety::site::FeedId(0))), false, 1, 1),
        (StageState::Failed(StageFault::LastFeed(crate::safety::site::FeedId(0))), false, 2, 0),
        (StageState::Failed(StageFault::LastFeed(crate::safety::site::FeedId(0))), true, 2, 1),
        (StageState::Failed(StageFault::NoEffect(OPEN)), true, 1, 1),
        // Other means are not needed after what had its effect: the third.
        (StageState::Verified, true, 1, 2),
    ];
    for (state, commanded, persons, next) in table {
        let other_means = Stage { when: StageWhen::AfterFailure, ..stage("other means") };
        let stages = vec![Stage { on_fail: OnFail::Hold, ..stage("open") }, other_means, stage("open all")];
        let mut bench = Bench::new(Sequence { countdown: Millis(0), ..sequence(stages) });
        bench.reads(HEAT, HOT);
        bench.answer(Err(DriveFault::NotAllowed));
        let Phase::Run(run) = &mut bench.core.sequences.tracks[0].state.phase else { panic!("a run") };
        (run.stages[0], run.commanded) = (state, u32::from(commanded));
        bench.ask("kim", SELECT).unwrap();
        let second: Operator = if persons == 2 { "lee" } else { "kim" }.into();
        bench.ask(&second, START).unwrap();
        let order = bench.orders.last().unwrap();
        assert_eq!(order.stage, next, "{state:?}, commanded {commanded}, {persons}");
    }
}

#[test]
fn a_proof_is_wanted_when_there_is_none_or_of_something_else_or_too_old() {
    let asked = ProofTest { every: Millis(1000), of: "this".into() };
    let spec = Sequence { proof: Some(asked), ..quick() };
    let proven = |of: &str| Proven { by: ["kim".into(), "lee".into()], at: WallTime(5000), of: of.into() };
    let wants = |of: &str, now| spec.wants_proof(Some(&proven(of)), WallTime(now));
    assert!(spec.wants_proof(None, WallTime(5000)));
    assert!(wants("that", 5000));
    assert_eq!([5000, 5999, 6000, 6001].map(|now| wants("this", now)), [false, false, false, true]);
    assert!(!wants("this", 0), "a clock that was set back says nothing");
    assert!(!quick().wants_proof(None, WallTime(5000)), "nobody asks for one");
}

#[test]
fn a_key_that_cannot_arm_is_told_only_where_something_must_be_done_first() {
    let key = Some(expect(KEY, 1));
    let mut bench = Bench::new(Sequence { arming_key: key, ..quick() });
    assert_eq!(bench.mode(), Mode::Shadow, "a key has to be turned first");
    bench.pass(100);
    bench.reads(KEY, 1.0);
    assert_eq!((bench.mode(), bench.refused.len()), (Mode::Armed, 0));
    bench.reads(KEY, 0.0);
    assert_eq!(bench.mode(), Mode::Shadow);
    let proof = Some(ProofTest { every: Millis(1000), of: "this".into() });
    let mut bench = Bench::new(Sequence { arming_key: key, proof, ..quick() });
    bench.pass(100);
    bench.reads(KEY, 1.0);
    assert_eq!(
        (bench.mode(), bench.refused.pop()),
        (Mode::Shadow, Some(("key-switch".into(), Refusal::Unproven)))
    );
    // Armed already when it is turned: nothing to tell.
    let mut bench = Bench::new(Sequence { arming_key: key, ..quick() });
    bench.pass(100);
    bench.reads(KEY, 1.0);
    bench.plant[KEY.index()] = None;
    bench.pass(100);
    bench.reads(KEY, 1.0);
    assert_eq!((bench.mode(), bench.refused.len()), (Mode::Armed, 0));
}

#[test]
fn what_is_under_way_is_known_from_what_rehearses_or_is_over() {
    let expected = [
        ("disabled", false),
        ("shadow", false),
        ("armed", false),
        ("drill under way", false),
        ("drill over", false),
        ("counting down", true),
        ("ordered", true),
        ("done, cause stands", false),
        ("done, cause gone", false),
        ("shadow run done, cause stands", false),
        ("held", true),
    ];
    for ((name, under_way), (which, bench)) in expected.into_iter().zip(benches()) {
        let told = |about: bool| bench.core.sequences.is_under_way(&bench.core.site, |_| about);
        assert_eq!((which, told(true), told(false)), (name, under_way, false));
        assert_eq!(bench.core.is_cutting(), under_way, "{name}");
    }
}

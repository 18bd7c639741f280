//! What service owners are told, and when.

use super::*;
use crate::safety::sequence::{Cause, NOTICE_MARKS, NoticeStage, RunId, StageState, Told};

/// Stages of these delays in seconds. The names say what is special: `-` cuts nothing, `!` other means, `1` `2` persons.
fn stages(all: &[(&str, u64)]) -> Vec<Stage> {
    let one = |(name, delay): &(&str, u64)| Stage {
        delay: Millis::from_secs(*delay),
        cuts: if name.contains('-') { Cuts::Nothing } else { Cuts::Battery },
        when: match *name {
            it if it.contains('!') => StageWhen::AfterFailure,
            it if it.contains('1') => StageWhen::ByPersons(1),
            it if it.contains('2') => StageWhen::ByPersons(2),
            _ => StageWhen::Always,
        },
        ..stage(name)
    };
    all.iter().map(one).collect()
}

fn run(step: Step, count: usize) -> Run {
    Run {
        id: RunId(1),
        cause: Cause::Vote { voting: 1, by_policy: false },
        since: WallTime(0),
        shadow: false,
        step,
        stages: vec![StageState::Pending; count],
        commanded: 0,
        aborting: None,
        told: None,
    }
}

const NOW: Uptime = Uptime(1_000_000);

fn soon(seconds: u64) -> Uptime {
    NOW.plus(Millis::from_secs(seconds))
}

fn waiting(stage: u8, attempt: u8, seconds: u64) -> Step {
    Step::Waiting { stage, attempt, from: soon(seconds), until: soon(seconds + 3) }
}

fn rereading(stage: u8, attempt: u8, seconds: u64) -> Step {
    Step::Rereading { stage, attempt, from: soon(seconds), until: soon(10) }
}

fn ordered(stage: u8) -> Step {
    Step::Ordered { stage, order: crate::safety::fact::OrderId(1), attempt: 1, answer_by: soon(2) }
}

fn verifying(stage: u8) -> Step {
    Step::Verifying { stage, attempt: 1, after: NOW, until: soon(2) }
}

const fn held(stage: u8, until: Option<Uptime>) -> Step {
    Step::Held { stage, until }
}

#[test]
fn the_next_cut_is_the_sum_of_what_must_pass_before_it() {
    let plain = stages(&[("a-", 5), ("b", 10), ("c", 20)]);
    let means = stages(&[("a", 5), ("b!", 10), ("c", 20)]);
    let people = stages(&[("a-", 5), ("b1", 10), ("c", 20)]);
    let pair = stages(&[("a-", 5), ("b2", 10), ("c", 20)]);
    let table = [
        // Where the run is, its stages; seconds to the next cut, if one comes without a person.
        (Step::Countdown { until: soon(60) }, &plain, Some(60 + 5 + 10)),
        (waiting(0, 0, 3), &plain, Some(3 + 10)),
        (waiting(1, 0, 3), &plain, Some(3)),
        // A further try is of the stage that was commanded: what comes next is the stage after.
        (waiting(0, 1, 3), &plain, Some(10)),
        (waiting(1, 1, 3), &plain, Some(20)),
        (rereading(0, 0, 3), &plain, Some(3 + 5 + 10)),
        (rereading(1, 0, 3), &plain, Some(3 + 10)),
        (rereading(1, 1, 3), &plain, Some(20)),
        (ordered(0), &plain, Some(10)),
        (ordered(1), &plain, Some(20)),
        (ordered(2), &plain, None),
        (verifying(1), &plain, Some(20)),
        (held(1, Some(soon(30))), &plain, Some(30 + 20)),
        (held(1, None), &plain, None),
        (Step::Done, &plain, None),
        (Step::Failed, &plain, None),
        (Step::Aborted { by: "kim".into() }, &plain, None),
        // Other means come only after a failure.
        (verifying(0), &means, Some(20)),
        (ordered(0), &means, Some(20)),
        (waiting(1, 0, 3), &means, Some(3)),
        (waiting(1, 1, 3), &means, Some(20)),
        (rereading(1, 0, 3), &means, Some(3 + 10)),
        (held(0, Some(soon(30))), &means, Some(30 + 10)),
        (held(1, Some(soon(30))), &means, Some(30 + 20)),
        (Step::Countdown { until: soon(60) }, &means, Some(60 + 5)),
        // What persons must tell has no time.
        (Step::Countdown { until: soon(60) }, &people, None),
        (verifying(0), &people, None),
        (verifying(1), &people, Some(20)),
        (waiting(1, 0, 3), &people, None),
        (verifying(0), &pair, None),
    ];
    for (step, stages, seconds) in table {
        let run = run(step.clone(), 3);
        let cut = run.cut_within(&sequence(stages.clone()), NOW, Cuts::something);
        assert_eq!(cut, seconds.map(Millis::from_secs), "{step:?} of {:?}", names(stages));
    }
    // Told by so many persons to go on with the second stage.
    for (stages, persons, seconds) in [(&people, 1, Some(3)), (&pair, 1, None), (&pair, 2, Some(3))] {
        let run = Run { told: Some(Told { stage: 1, persons }), ..run(waiting(1, 0, 3), 3) };
        let cut = run.cut_within(&sequence(stages.clone()), NOW, Cuts::something);
        assert_eq!(cut, seconds.map(Millis::from_secs), "{persons} of {:?}", names(stages));
    }
}

fn names(stages: &[Stage]) -> Vec<&str> {
    stages.iter().map(|stage| stage.name.as_str()).collect()
}

#[test]
fn a_stage_that_waits_for_machines_may_cut_as_soon_as_they_have_left() {
    let mut all = stages(&[("a", 5)]);
    all[0].wait_for_logins =
        Some(crate::safety::sequence::spec::LoginWait { ups: "ups".into(), at_most: Millis::from_secs(20) });
    let run = run(waiting(0, 0, 25), 1);
    assert_eq!(run.cut_within(&sequence(all), NOW, Cuts::something), Some(Millis::from_secs(5)));
}

#[test]
fn it_can_be_aborted_until_the_point_of_no_return_may_be_reached() {
    let all = stages(&[("a-", 5), ("b-", 10), ("c", 20)]);
    let table = [
        // Where the run is, from which stage on nobody can abort; for how many seconds one still can.
        (Step::Countdown { until: soon(60) }, 0, 60),
        (Step::Countdown { until: soon(60) }, 1, 60 + 5),
        (Step::Countdown { until: soon(60) }, 3, 60 + 5 + 10 + 20),
        (waiting(0, 0, 3), 0, 0),
        (waiting(0, 0, 3), 1, 3),
        (waiting(0, 0, 3), 2, 3 + 10),
        (waiting(1, 0, 3), 1, 0),
        (waiting(1, 0, 3), 3, 3 + 20),
        (rereading(0, 0, 3), 2, 3 + 5 + 10),
        (ordered(0), 2, 10),
        (verifying(1), 2, 0),
        (verifying(1), 3, 20),
        (verifying(2), 2, 0),
        (held(0, Some(soon(30))), 2, 30 + 10),
        (held(0, None), 2, 0),
        (Step::Done, 3, 0),
    ];
    for (step, no_return, seconds) in table {
        let spec = Sequence { no_return, ..sequence(all.clone()) };
        let left = |cause: Cause| {
            super::super::notice::abortable_for(&Run { cause, ..run(step.clone(), 3) }, &spec, NOW)
        };
        let vote = Cause::Vote { voting: 1, by_policy: false };
        assert_eq!(left(vote), Millis::from_secs(seconds), "{step:?}, no return from {no_return}");
        assert_eq!(left(Cause::Manual { by: "kim".into() }), Millis::ZERO, "I5: what a person demanded");
    }
}

#[test]
fn every_step_knows_the_stage_it_is_about() {
    let table = [
        (Step::Countdown { until: NOW }, Some(0)),
        (rereading(2, 0, 0), Some(2)),
        (waiting(2, 0, 0), Some(2)),
        (ordered(2), Some(2)),
        (verifying(2), Some(2)),
        (held(2, None), Some(2)),
        (Step::Done, None),
        (Step::Failed, None),
        (Step::Aborted { by: "kim".into() }, None),
    ];
    for (step, stage) in table {
        assert_eq!(step.next(), stage, "{step:?}");
    }
}

#[test]
fn a_notice_has_times_where_something_is_to_come() {
    let (earliest, abortable) = (Millis(5000), Millis(3000));
    let table = [
        (NoticeStage::Countdown { earliest, abortable }, (Some(earliest), Some(abortable))),
        (NoticeStage::Cutting { earliest: Some(earliest) }, (Some(earliest), None)),
        (NoticeStage::Cutting { earliest: None }, (None, None)),
        (NoticeStage::Prepare, (None, None)),
        (NoticeStage::Done, (None, None)),
    ];
    for (stage, times) in table {
        assert_eq!(stage.times(), times, "{stage:?}");
    }
}

/// The stages of the notices since this was asked last, with their times left out.
fn told(bench: &mut Bench) -> Vec<&'static str> {
    let word = |notice: &Notice| match notice.stage {
        NoticeStage::Prepare => "prepare",
        NoticeStage::Countdown { .. } => "countdown",
        NoticeStage::Cutting { .. } => "cutting",
        NoticeStage::Done => "done",
        NoticeStage::Failed => "failed",
        NoticeStage::Aborted => "aborted",
        NoticeStage::AllClear => "all clear",
    };
    let words = bench.notices.iter().map(word).collect();
    bench.notices.clear();
    words
}

#[test]
fn owners_hear_from_warning_on_each_minute_and_that_it_is_over() {
    for (mode, shadow) in [(Mode::Armed, false), (Mode::Shadow, true)] {
        let mut bench = Bench::new(Sequence { mode, ..sequence(vec![stage("open")]) });
        bench.pass(1000);
        assert_eq!(bench.core.level(ZoneId(0)), Level::Normal);
        assert!(bench.notices.is_empty());
        bench.reads(HEAT, WARM);
        let first = bench.notices[0].clone();
        assert_eq!((first.number, first.previous, first.shadow, first.drill), (1, None, shadow, false));
        assert_eq!(told(&mut bench), ["prepare"]);
        bench.pass(59_900);
        assert_eq!(told(&mut bench), [""; 0]);
        bench.pass(100);
        let second = bench.notices[0].clone();
        assert_eq!((second.number, second.previous), (2, Some(1)));
        assert_eq!(told(&mut bench), ["prepare"]);
        bench.reads(HEAT, CALM);
        assert_eq!(told(&mut bench), ["all clear"]);
        bench.pass(120_000);
        assert_eq!(told(&mut bench), [""; 0]);
        bench.reads(HEAT, WARM);
        assert_eq!((bench.notices[0].number, bench.notices[0].previous), (4, None), "another matter");
    }
    let mut bench = Bench::new(Sequence { mode: Mode::Disabled, ..sequence(vec![stage("open")]) });
    bench.reads(HEAT, WARM);
    assert_eq!(told(&mut bench), [""; 0]);
}

#[test]
fn a_countdown_is_told_at_its_marks_and_each_minute() {
    let countdown = Millis::from_secs(400);
    let mut bench = Bench::new(Sequence { countdown, ..sequence(vec![stage("open")]) });
    bench.reads(HEAT, HOT);
    bench.pass(399_900);
    let earliest: Vec<u64> = bench
        .notices
        .iter()
        .map(|notice| match notice.stage {
            NoticeStage::Countdown { earliest, abortable } => {
                assert_eq!(earliest, abortable);
                earliest.0 / 1000
            }
            other => panic!("{other:?}"),
        })
        .collect();
    let marks = NOTICE_MARKS.map(|mark| mark.0 / 1000);
    assert!(marks.iter().all(|mark| earliest.contains(mark)), "{earliest:?} has each of {marks:?}");
    // At its beginning, a minute later, at each mark, and a minute after the last before.
    assert_eq!(earliest, [400, 340, 300, 240, 180, 120, 60, 30, 10]);
    told(&mut bench);
    bench.pass(100);
    assert_eq!(told(&mut bench), ["cutting"]);
    bench.answer(Ok(()));
    bench.reads(OPEN, 1.0);
    assert_eq!(told(&mut bench), ["done"]);
}

#[test]
fn stages_that_cut_nothing_are_still_a_countdown_and_what_follows_a_cut_says_when_more_goes() {
    let all = stages(&[("siren-", 0), ("b", 5), ("c", 30)]);
    let mut bench = Bench::new(Sequence { countdown: Millis(0), ..sequence(all) });
    bench.plant[OPEN.index()] = Some(1.0);
    bench.reads(HEAT, HOT);
    assert!(
        matches!(bench.notices[0].stage, NoticeStage::Countdown { earliest: Millis(5000), .. }),
        "{:?}",
        bench.notices
    );
    assert_eq!(bench.notices[0].next, Some(0));
    told(&mut bench);
    bench.answer(Ok(()));
    bench.pass(100);
    assert_eq!((bench.notices[0].next, told(&mut bench)), (Some(1), vec!["countdown"]), "another stage");
    bench.pass(5000);
    assert!(
        matches!(bench.notices[0].stage, NoticeStage::Cutting { earliest: Some(Millis(30_000)) }),
        "{:?}",
        bench.notices
    );
    told(&mut bench);
    bench.answer(Ok(()));
    bench.pass(100);
    assert_eq!((bench.notices[0].next, told(&mut bench)), (Some(2), vec!["cutting"]));
    bench.pass(19_000);
    assert_eq!(told(&mut bench), [""; 0]);
    bench.pass(2000);
    assert_eq!(told(&mut bench), ["cutting"], "ten seconds to the next");
    bench.pass(10_000);
    assert!(matches!(bench.notices[0].stage, NoticeStage::Cutting { earliest: None }), "nothing more goes");
}

#[test]
fn a_run_that_only_sounds_a_siren_never_speaks_of_a_countdown_to_a_cut() {
    let all = stages(&[("siren-", 5)]);
    let mut bench = Bench::new(Sequence { countdown: Millis(0), ..sequence(all) });
    bench.reads(HEAT, HOT);
    assert!(matches!(bench.notices[0].stage, NoticeStage::Cutting { earliest: None }), "{:?}", bench.notices);
}

#[test]
fn a_run_that_waits_for_a_person_before_anything_was_cut_asks_to_prepare() {
    let all = stages(&[("a1", 0), ("b", 0)]);
    let mut bench = Bench::new(Sequence { countdown: Millis(0), ..sequence(all) });
    bench.reads(HEAT, HOT);
    assert_eq!(told(&mut bench), ["prepare"]);
}

#[test]
fn while_more_may_go_a_notice_is_repeated_each_minute() {
    let all = vec![Stage { on_fail: OnFail::Hold, ..stage("a") }, stage("b")];
    let mut bench = Bench::new(Sequence { countdown: Millis(0), ..sequence(all) });
    bench.reads(HEAT, HOT);
    bench.answer(Err(DriveFault::NotAllowed));
    assert!(matches!(bench.step(), Step::Held { .. }), "{:?}", bench.step());
    told(&mut bench);
    bench.pass(59_900);
    assert_eq!(told(&mut bench), [""; 0]);
    bench.pass(100);
    assert_eq!(told(&mut bench), ["cutting"]);
}

#[test]
fn what_happened_has_a_word_a_stage_and_a_person() {
    use crate::safety::sequence::StageFault;
    let kim = || Arc::<str>::from("kim");
    let table = [
        (SequenceEvent::Mode { by: Some(kim()) }, "mode", None, true),
        (SequenceEvent::Mode { by: None }, "mode", None, false),
        (SequenceEvent::Selected { by: kim() }, "selected", None, true),
        (SequenceEvent::Started, "countdown", None, false),
        (SequenceEvent::Resumed, "resumed", None, false),
        (SequenceEvent::StageBegun(2), "stage-begun", Some(2), false),
        (SequenceEvent::StageOrdered(2), "stage-ordered", Some(2), false),
        (SequenceEvent::StageConfirmed(2), "stage-confirmed", Some(2), false),
        (SequenceEvent::StageVerified(2), "stage-verified", Some(2), false),
        (SequenceEvent::StageRetried(2), "stage-retried", Some(2), false),
        (SequenceEvent::StageSkipped(2), "stage-skipped", Some(2), false),
        (SequenceEvent::StageFailed(2, StageFault::Budget), "stage-failed", Some(2), false),
        (SequenceEvent::Held(2), "held", Some(2), false),
        (SequenceEvent::Told { by: ["lee".into(), kim()], stage: 2 }, "told", Some(2), true),
        (SequenceEvent::Done, "done", None, false),
        (SequenceEvent::Failed, "failed", None, false),
        (SequenceEvent::Aborted { by: kim() }, "aborted", None, true),
        (SequenceEvent::Reset { by: kim() }, "reset", None, true),
        (SequenceEvent::Proven { by: kim() }, "proven", None, true),
    ];
    for (event, word, stage, by) in table {
        let said = (event.word(), event.stage(), event.by().map(|by| &**by));
        assert_eq!(said, (word, stage, by.then_some("kim")), "{event:?}");
    }
}

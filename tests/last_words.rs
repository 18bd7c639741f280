//! What a run made durable just before it was killed is told once more: all of it, as it was, and nothing after a stop.
#![expect(clippy::unwrap_used, reason = "tests")]

#[path = "support/site.rs"]
mod site;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use emberwatch::exchange::Publication;
use emberwatch::safety::alarm::{AlarmChange, AlarmEvent};
use emberwatch::safety::fact::{CommandRecord, Fact, Operator, Refusal, Request};
use emberwatch::safety::risk::{Evidence, Finding, Level, LevelChange};
use emberwatch::safety::sequence::spec::Mode;
use emberwatch::safety::sequence::*;
use emberwatch::safety::site::*;
use emberwatch::safety::waiver::{Waived, Waiver, WaiverChange};
use emberwatch::store::options::JournalOptions;
use emberwatch::store::{Journal, Recovered};
use emberwatch::units::{Millis, Uptime, Value};
use site::{publication, raised};
use tokio::sync::mpsc;

const BOOT: &str = "boot-a";

fn open(directory: &Path) -> (Journal, Recovered) {
    let options = JournalOptions {
        directory: directory.to_owned(),
        segment_bytes_max: 1 << 20,
        total_bytes_max: 16 << 20,
    };
    let (inbox, _) = mpsc::channel(64);
    Journal::open(&options, BOOT, &site::site(), inbox).unwrap()
}

/// What a start finds after a crash at this moment: everything that was noted is durable.
async fn after_a_crash(directory: &Path, journal: &Journal) -> Recovered {
    let durable = async {
        while journal.health().durable < journal.health().made {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), durable).await.expect("durable within 20 s");
    let copy = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
    }
    open(copy.path()).1
}

fn facts(recovered: &Recovered) -> Vec<Fact> {
    recovered.last_words.iter().flat_map(|publication| publication.facts.clone()).collect()
}

fn who(name: &str) -> Operator {
    name.into()
}

fn alarm(number: u64, event: AlarmEvent) -> Fact {
    let Fact::Alarm(change) = raised(number, 0, Priority::Critical) else { panic!("an alarm") };
    Fact::Alarm(AlarmChange { event, ..change })
}

fn sequence(event: SequenceEvent) -> Fact {
    let now = SequenceState { mode: Mode::Armed, phase: Phase::Idle, proven: None };
    Fact::Sequence(Box::new(SequenceChange { sequence: SequenceId(0), event, now }))
}

fn notice(stage: NoticeStage) -> Fact {
    Fact::Notice(Box::new(Notice {
        sequence: SequenceId(0),
        zone: ZoneId(0),
        level: Level::Warning,
        run: Some(RunId(3)),
        number: 8,
        previous: Some(7),
        stage,
        shadow: true,
        drill: true,
        next: Some(1),
        evidence: Evidence::Votes { voting: 5, unknown: 0, needed: 2, had: 2, of: 3, by_policy: false },
        autonomy: Value::new(412.5),
    }))
}

fn finding() -> Finding {
    Finding {
        rule: RuleId(0),
        zone: ZoneId(0),
        level: Level::Danger,
        was: Level::Warning,
        known: true,
        evidence: Evidence::None,
    }
}

fn of_alarms() -> Vec<Fact> {
    let by = || who("ada");
    let events = [
        AlarmEvent::Raised,
        AlarmEvent::Escalated,
        AlarmEvent::Acknowledged { by: by() },
        AlarmEvent::ReAlarmed,
        AlarmEvent::Returned,
        AlarmEvent::Reset { by: by() },
        AlarmEvent::Cleared,
        AlarmEvent::Shelved { by: by() },
        AlarmEvent::Unshelved { by: None },
        AlarmEvent::Unshelved { by: Some(by()) },
        AlarmEvent::Suppressed,
        AlarmEvent::Unsuppressed,
        AlarmEvent::TakenOut { by: by() },
        AlarmEvent::PutBack { by: None },
        AlarmEvent::Noted,
        AlarmEvent::Restored,
    ];
    (1..).zip(events).map(|(number, event)| alarm(number, event)).collect()
}

fn of_sequences() -> Vec<Fact> {
    let by = || who("ada");
    let events = [
        SequenceEvent::Mode { by: None },
        SequenceEvent::Mode { by: Some(by()) },
        SequenceEvent::Selected { by: by() },
        SequenceEvent::Started,
        SequenceEvent::Resumed,
        SequenceEvent::StageBegun(0),
        SequenceEvent::StageOrdered(1),
        SequenceEvent::StageConfirmed(0),
        SequenceEvent::StageVerified(1),
        SequenceEvent::StageRetried(0),
        SequenceEvent::StageSkipped(1),
        SequenceEvent::StageFailed(0, StageFault::NoEffect(PointId(0))),
        SequenceEvent::Held(1),
        SequenceEvent::Told { by: [by(), who("bob")], stage: 1 },
        SequenceEvent::Done,
        SequenceEvent::Failed,
        SequenceEvent::Aborted { by: by() },
        SequenceEvent::Proven { by: by() },
        SequenceEvent::Reset { by: by() },
    ];
    events.into_iter().map(sequence).collect()
}

fn of_notices() -> Vec<Fact> {
    let stages = [
        NoticeStage::Prepare,
        NoticeStage::Countdown { earliest: Millis(60_000), abortable: Millis(30_000) },
        NoticeStage::Cutting { earliest: Some(Millis(5)) },
        NoticeStage::Cutting { earliest: None },
        NoticeStage::Done,
        NoticeStage::Failed,
        NoticeStage::Aborted,
        NoticeStage::AllClear,
    ];
    stages.into_iter().map(notice).collect()
}

fn requests() -> Vec<Request> {
    let (alarm, sequence, lasting) = (AlarmId(1), SequenceId(0), Millis(60_000));
    vec![
        Request::Acknowledge { alarm, occurrence: 4 },
        Request::ResetAlarm { alarm },
        Request::Shelve { alarm, occurrence: Some(4), lasting, one_shot: true },
        Request::Unshelve { alarm },
        Request::OutOfService { alarm, reason: "repair".into() },
        Request::InService { alarm },
        Request::Waive { alarm, lasting, reason: "repair".into() },
        Request::EndWaiver { alarm },
        Request::Abort { sequence, run: Some(RunId(3)) },
        Request::Arm { sequence },
        Request::Disarm { sequence },
        Request::Select { sequence },
        Request::Start { sequence },
        Request::ResetSequence { sequence },
        Request::ProofTested { sequence },
        Request::Drill { sequence },
    ]
}

fn of_people() -> Vec<Fact> {
    let refusals = [
        Refusal::NothingToDo,
        Refusal::OutOfDate,
        Refusal::TooLate,
        Refusal::NotNow,
        Refusal::CauseStands,
        Refusal::LifeSafety,
        Refusal::TooLong,
        Refusal::NoReason,
        Refusal::ByHand,
        Refusal::SecondPerson,
        Refusal::ByKey,
        Refusal::WouldBlind(RuleId(0)),
        Refusal::Unproven,
    ];
    let disarm = Request::Disarm { sequence: SequenceId(0) };
    let followed = requests().into_iter().map(|request| Fact::Followed { by: who("ada"), request });
    let refused = refusals.map(|why| Fact::Refused { by: who("ada"), request: disarm.clone(), why });
    let proposed = Fact::Proposed { by: who("ada"), request: disarm.clone(), until: Uptime(90_000) };
    let commanded = CommandRecord {
        room: RoomId(0),
        by: who("mqtt:console"),
        actor: "ada".into(),
        verb: "abort".into(),
        target: "cut-rack-a".into(),
        id: "1".into(),
        reason: "false alarm".into(),
        rejected: "too-old".into(),
        unrecorded: 2,
    };
    followed.chain(refused).chain([proposed, Fact::Commanded(Box::new(commanded))]).collect()
}

fn of_the_rest() -> Vec<Fact> {
    let waiver = Waiver { by: [who("ada"), who("bob")], reason: "repair".into(), until: Uptime(90_000) };
    let waived =
        |now, ended_by| Fact::Waiver(Box::new(WaiverChange { what: Waived::Zone(ZoneId(0)), now, ended_by }));
    let level = LevelChange {
        zone: ZoneId(0),
        level: Level::Danger,
        was: Level::Watch,
        because: vec![finding()],
        first_out: Some(RuleId(0)),
    };
    vec![
        Fact::Finding(finding()),
        Fact::Level(level),
        Fact::LoneVote { rule: RuleId(0), channel: RuleId(0) },
        waived(Some(waiver), None),
        waived(None, Some(who("ada"))),
        Fact::Gap { lasted: Millis(7) },
        Fact::ClockStepped { by_ms: -3 },
    ]
}

#[tokio::test]
async fn after_a_crash_every_kind_of_fact_is_told_again_as_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let (journal, first) = open(directory.path());
    assert!(first.last_words.is_empty(), "a first start");
    let told = [of_alarms(), of_sequences(), of_notices(), of_people(), of_the_rest()].concat();
    for (number, fact) in (1..).zip(&told) {
        journal.note(&publication(number, vec![fact.clone()]));
    }
    let recovered = after_a_crash(directory.path(), &journal).await;
    for (again, fact) in facts(&recovered).iter().zip(&told) {
        assert_eq!(again, fact);
    }
    assert_eq!(recovered.last_words.len(), told.len());
    let numbers: Vec<u64> = recovered.last_words.iter().map(|publication| publication.number).collect();
    assert!(numbers.is_sorted(), "each has the number of its record: {numbers:?}");
    let at = |publication: &Arc<Publication>| publication.now.uptime.0 - 50_000;
    assert!(recovered.last_words.iter().map(at).eq(1..=told.len() as u64), "and its own time");
}

#[tokio::test]
async fn only_the_last_moment_is_told_again() {
    let directory = tempfile::tempdir().unwrap();
    let (journal, _) = open(directory.path());
    for (number, at) in [(1, 0), (2, 3200), (3, 3300), (4, 3500)] {
        let mut publication =
            Arc::into_inner(publication(number, vec![raised(number, 0, Priority::Low)])).unwrap();
        publication.now.uptime = Uptime(50_000 + at);
        journal.note(&Arc::new(publication));
    }
    let recovered = after_a_crash(directory.path(), &journal).await;
    assert_eq!(facts(&recovered), [raised(3, 0, Priority::Low), raised(4, 0, Priority::Low)]);
}

#[tokio::test]
async fn what_a_crashed_start_had_still_to_tell_is_told_by_the_next() {
    let directory = tempfile::tempdir().unwrap();
    let (journal, _) = open(directory.path());
    let uptime = emberwatch::clock::uptime();
    let mut said = Arc::into_inner(publication(1, vec![raised(1, 0, Priority::Low)])).unwrap();
    said.now.uptime = uptime;
    journal.note(&Arc::new(said));
    let copy = tempfile::tempdir().unwrap();
    after_a_crash(directory.path(), &journal).await;
    for entry in std::fs::read_dir(directory.path()).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
    }
    let (second, _) = open(copy.path());
    let third = after_a_crash(copy.path(), &second).await;
    assert_eq!(facts(&third), [raised(1, 0, Priority::Low)]);
}

#[tokio::test]
async fn after_a_stop_as_it_should_be_nothing_is_told_again_and_numbers_go_on() {
    let directory = tempfile::tempdir().unwrap();
    let (journal, _) = open(directory.path());
    journal.note(&publication(1, vec![raised(7, 0, Priority::Critical)]));
    assert!(journal.close(Millis(20_000)).await);
    let (_journal, recovered) = open(directory.path());
    assert!(recovered.last_words.is_empty());
    assert_eq!(recovered.memory.numbers.alarm_change, 7);
}

#[tokio::test]
async fn after_a_crash_no_number_is_given_that_others_may_have_heard_before() {
    let directory = tempfile::tempdir().unwrap();
    let (journal, _) = open(directory.path());
    journal.note(&publication(1, vec![raised(7, 0, Priority::Critical), notice(NoticeStage::Prepare)]));
    let recovered = after_a_crash(directory.path(), &journal).await;
    let numbers = recovered.memory.numbers;
    assert_eq!((numbers.alarm_change, numbers.notice), (10_007, 10_008));
}

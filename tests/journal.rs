//! The journal against crashes at any byte, flipped bits, and disks that fail, fall short or stall.
#![expect(clippy::unwrap_used, reason = "tests")]

#[path = "support/site.rs"]
mod site;

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use emberwatch::safety::alarm::{AlarmChange, AlarmEvent, AlarmRecord, AlarmState, Away, AwayHow};
use emberwatch::safety::fact::{DriveFault, Fact, Input, Order, OrderId};
use emberwatch::safety::memory::{Memory, SequenceMemory};
use emberwatch::safety::reading::Distrust;
use emberwatch::safety::risk::{Evidence, Level};
use emberwatch::safety::sequence::spec::Mode;
use emberwatch::safety::sequence::*;
use emberwatch::safety::site::*;
use emberwatch::safety::waiver::Waiver;
use emberwatch::store::options::JournalOptions;
use emberwatch::store::record::Body;
use emberwatch::store::{Audit, Directory, Disk, Durable, Journal, OpenFault, Recovered, SegmentFile, audit};
use emberwatch::units::{Millis, Uptime, Value, WallTime};
use proptest::prelude::*;
use site::{publication, raised};
use tokio::sync::mpsc;

const BOOT: &str = "boot-a";
const LONG: Millis = Millis(20_000);

fn options(directory: &Path) -> JournalOptions {
    JournalOptions { directory: directory.to_owned(), segment_bytes_max: 1 << 20, total_bytes_max: 16 << 20 }
}

fn open(directory: &Path, boot: &str) -> (Journal, Recovered, mpsc::Receiver<Vec<Input>>) {
    let (inbox, inputs) = mpsc::channel(64);
    let (journal, recovered) = Journal::open(&options(directory), boot, &site::site(), inbox).expect("opens");
    (journal, recovered, inputs)
}

fn order(id: u64, run: u64, stage: u8) -> Order {
    Order {
        id: OrderId(id),
        run: RunId(run),
        sequence: SequenceId(0),
        stage,
        action: ActionId(0),
        attempt: 1,
        answer_by: Uptime(60_000),
    }
}

fn run(id: u64, step: Step, stages: Vec<StageState>) -> SequenceState {
    let cause = Cause::Vote { voting: 0b101, by_policy: false };
    let run = Run {
        id: RunId(id),
        cause,
        since: WallTime(1),
        shadow: false,
        step,
        stages,
        aborting: None,
        commanded: 0,
        told: None,
    };
    SequenceState { mode: Mode::Armed, phase: Phase::Run(run), proven: None }
}

fn changed(state: SequenceState) -> Fact {
    Fact::Sequence(Box::new(SequenceChange {
        sequence: SequenceId(0),
        event: SequenceEvent::Started,
        now: state,
    }))
}

/// A test must not wait for ever for a file of another thread: a condition with a deadline.
async fn until(mut met: impl FnMut() -> bool) {
    let wait = async {
        while !met() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), wait).await.expect("happens within 20 s");
}

fn fault_of(inputs: &[Input]) -> bool {
    match inputs {
        [Input::System { fault: SystemFault::Journal, failing }] => *failing,
        other => panic!("not about the journal: {other:?}"),
    }
}

#[tokio::test]
async fn what_stood_before_a_restart_stands_after_it() {
    let directory = tempfile::tempdir().unwrap();
    let (journal, first, _inputs) = open(directory.path(), BOOT);
    assert_eq!(first.memory, Memory::default());
    assert!(!first.last_stop_clean);
    let waiting = Step::Waiting { stage: 0, attempt: 0, from: Uptime(1), until: Uptime(2) };
    journal.note(&publication(1, vec![raised(7, 0, Priority::Critical)]));
    journal.note(&publication(
        2,
        vec![changed(run(4, waiting, vec![StageState::Waiting, StageState::Pending]))],
    ));
    assert_eq!(journal.intent(&order(9, 4, 0), LONG).await, Durable::Yes);
    journal.answer(OrderId(9), Uptime(5), Err(DriveFault::NoAnswer));
    assert!(journal.close(LONG).await);

    let (_journal, recovered, _inputs) = open(directory.path(), BOOT);
    assert!(recovered.last_stop_clean && !recovered.torn_tail);
    assert_eq!((recovered.damaged, recovered.missing), (0, 0));
    assert!(recovered.memory.same_boot);
    assert_eq!(recovered.memory.alarms["temp-high"].occurrence, 1);
    let numbers = recovered.memory.numbers;
    assert_eq!((numbers.alarm_change, numbers.order, numbers.run), (7, 9, 4));
    // The intent alone says that the stage is under way: its order must not be given again.
    let Phase::Run(run) = &recovered.memory.sequences["cut-rack-a"].state.phase else { panic!("a run") };
    assert_eq!(run.stages, [StageState::Ordered, StageState::Pending]);
    assert!(matches!(run.step, Step::Ordered { stage: 0, order: OrderId(9), attempt: 1, .. }));
    let kinds: Vec<Body> = Journal::read(directory.path()).unwrap().map(|record| record.body).collect();
    assert!(kinds.iter().any(|body| matches!(body, Body::Answer { order: 9, fault: Some(_), .. })));
}

#[tokio::test]
async fn a_durable_intent_is_found_after_a_crash() {
    let directory = tempfile::tempdir().unwrap();
    let (journal, _, _inputs) = open(directory.path(), BOOT);
    let waiting = Step::Waiting { stage: 1, attempt: 0, from: Uptime(1), until: Uptime(2) };
    let stages = vec![StageState::Verified, StageState::Waiting];
    journal.note(&publication(1, vec![changed(run(4, waiting, stages))]));
    assert_eq!(journal.intent(&order(9, 4, 1), LONG).await, Durable::Yes);
    // What is on disk at this moment is what a crash would leave.
    let after = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(directory.path()).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), after.path().join(entry.file_name())).unwrap();
    }
    let (_journal, recovered, _inputs) = open(after.path(), BOOT);
    assert!(!recovered.last_stop_clean);
    assert_eq!(recovered.memory.numbers.order, 9);
    let Phase::Run(run) = &recovered.memory.sequences["cut-rack-a"].state.phase else { panic!("a run") };
    assert_eq!(run.stages, [StageState::Verified, StageState::Ordered]);
}

#[tokio::test]
async fn space_that_was_set_aside_before_a_crash_is_given_back_by_the_next_start() {
    use std::os::unix::fs::MetadataExt as _;
    let directory = tempfile::tempdir().unwrap();
    let (journal, _, _inputs) = open(directory.path(), BOOT);
    assert!(journal.close(LONG).await);
    let entries = std::fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().path());
    let last = entries.filter(|path| path.extension().is_some_and(|it| it == "log")).max().unwrap();
    // As a kill leaves it: the content is there, and so is the room for more.
    let file = std::fs::OpenOptions::new().write(true).open(&last).unwrap();
    rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::KEEP_SIZE, 0, 1 << 20).unwrap();
    let allocated = || last.metadata().unwrap().blocks() * 512;
    let (length, before) = (last.metadata().unwrap().len(), allocated());
    assert!(1 << 20 <= before, "{before}");
    let (journal, recovered, _inputs) = open(directory.path(), BOOT);
    assert!(recovered.last_stop_clean);
    until(|| allocated() < 1 << 20).await;
    assert_eq!(last.metadata().unwrap().len(), length, "and nothing of it is lost");
    assert!(journal.close(LONG).await);
}

#[tokio::test]
async fn in_another_boot_ages_are_unknown_until_the_core_has_taken_over() {
    let directory = tempfile::tempdir().unwrap();
    let (journal, _, _inputs) = open(directory.path(), BOOT);
    journal.note(&publication(1, vec![raised(1, 0, Priority::High)]));
    assert!(journal.close(LONG).await);
    let (journal, recovered, _inputs) = open(directory.path(), "boot-b");
    assert!(!recovered.memory.same_boot);
    assert!(journal.close(LONG).await);
    let (journal, again, _inputs) = open(directory.path(), "boot-b");
    assert!(!again.memory.same_boot, "the alarm's uptimes are still of the first boot");
    journal.remember(again.memory);
    assert!(journal.close(LONG).await);
    let (_journal, taken_over, _inputs) = open(directory.path(), "boot-b");
    assert!(taken_over.memory.same_boot);
    assert_eq!(taken_over.memory.alarms.len(), 1);
}

#[tokio::test]
async fn a_second_instance_is_told_so() {
    let directory = tempfile::tempdir().unwrap();
    let (_journal, _, _inputs) = open(directory.path(), BOOT);
    let (inbox, _inputs) = mpsc::channel(1);
    let second = Journal::open(&options(directory.path()), BOOT, &site::site(), inbox);
    assert!(matches!(second, Err(OpenFault::InUse(_))));
}

#[tokio::test]
async fn rotation_keeps_the_memory_and_the_quota() {
    let directory = tempfile::tempdir().unwrap();
    let options =
        JournalOptions { segment_bytes_max: 4096, total_bytes_max: 32 << 10, ..options(directory.path()) };
    let (inbox, _inputs) = mpsc::channel(64);
    let (journal, _) = Journal::open(&options, BOOT, &site::site(), inbox).unwrap();
    journal.note(&publication(1, vec![raised(1, 1, Priority::Critical)]));
    for number in 2..400 {
        journal.note(&publication(number, vec![raised(number, 0, Priority::High)]));
        if number % 20 == 0 {
            assert_eq!(journal.intent(&order(number, 1, 0), LONG).await, Durable::Yes);
        }
    }
    assert!(journal.close(LONG).await);
    let sizes: u64 = std::fs::read_dir(directory.path())
        .unwrap()
        .map(|entry| entry.unwrap().metadata().unwrap().len())
        .sum();
    assert!(sizes <= 48 << 10, "{sizes} bytes");
    let (_journal, recovered, _inputs) = open(directory.path(), BOOT);
    assert_eq!((recovered.damaged, recovered.missing), (0, 0));
    assert_eq!(recovered.memory.alarms.len(), 2, "the first record is gone, its alarm is not");
    assert_eq!(recovered.memory.numbers.alarm_change, 399);
}

#[tokio::test]
async fn d09_files_of_others_and_of_newer_versions_are_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let newer = directory.path().join("journal-00000000000000ff.log");
    let mut head = b"EWJOURNL".to_vec();
    head.extend_from_slice(&9_u32.to_le_bytes());
    head.extend_from_slice(&255_u64.to_le_bytes());
    head.extend_from_slice(&crc32fast::hash(&head).to_le_bytes());
    std::fs::write(&newer, &head).unwrap();
    std::fs::write(directory.path().join("notes.txt"), "hello").unwrap();
    let (journal, recovered, _inputs) = open(directory.path(), BOOT);
    assert_eq!(recovered.foreign, ["journal-00000000000000ff.log", "notes.txt"]);
    assert!(journal.close(LONG).await);
    assert_eq!(std::fs::read(&newer).unwrap(), head);
}

#[tokio::test]
async fn without_a_directory_the_alarm_stands_and_nothing_is_held_up() {
    let (inbox, mut inputs) = mpsc::channel(8);
    let journal = Journal::without_disk(&site::site(), inbox);
    assert!(fault_of(&inputs.recv().await.unwrap()));
    assert_eq!(journal.intent(&order(1, 1, 0), LONG).await, Durable::Failed);
    journal.note(&publication(1, vec![raised(1, 0, Priority::High)]));
    assert!(journal.health().failing);
}

// ---- disks that fail ------------------------------------------------------------------------------------

/// What a disk does wrong, and for how many more operations.
#[derive(Debug, Default)]
struct Trouble {
    write: Mutex<Option<(i32, u32)>>,
    sync: Mutex<Option<(i32, u32)>>,
    create: Mutex<Option<(i32, u32)>>,
    short: AtomicU32,
    stalled: Mutex<()>,
}

impl Trouble {
    fn strike(which: &Mutex<Option<(i32, u32)>>) -> io::Result<()> {
        let mut which = which.lock().unwrap();
        match *which {
            Some((errno, times)) if 0 < times => {
                *which = Some((errno, times - 1));
                Err(io::Error::from_raw_os_error(errno))
            }
            _ => Ok(()),
        }
    }
}

struct BadDisk(Directory, Arc<Trouble>);
struct BadFile(Box<dyn SegmentFile>, Arc<Trouble>, bool);

impl Disk for BadDisk {
    fn list(&mut self) -> io::Result<Vec<String>> {
        self.0.list()
    }
    fn size(&mut self, name: &str) -> io::Result<u64> {
        self.0.size(name)
    }
    fn read(&mut self, name: &str) -> io::Result<Vec<u8>> {
        self.0.read(name)
    }
    fn create(&mut self, name: &str, bytes: u64) -> io::Result<Box<dyn SegmentFile>> {
        Trouble::strike(&self.1.create)?;
        Ok(Box::new(BadFile(self.0.create(name, bytes)?, Arc::clone(&self.1), false)))
    }
    fn cut(&mut self, name: &str, length: u64) -> io::Result<()> {
        self.0.cut(name, length)
    }
    fn remove(&mut self, name: &str) -> io::Result<()> {
        self.0.remove(name)
    }
    fn sync(&mut self) -> io::Result<()> {
        self.0.sync()
    }
}

impl SegmentFile for BadFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        assert!(!self.2, "a file that failed is never touched again");
        let _stall = self.1.stalled.lock().unwrap();
        Trouble::strike(&self.1.write).inspect_err(|_| self.2 = true)?;
        let short = self.1.short.load(Ordering::Relaxed) as usize;
        self.0.write(if 0 < short { &bytes[..bytes.len().min(short)] } else { bytes })
    }
    fn sync_data(&mut self) -> io::Result<()> {
        assert!(!self.2, "a file that failed is never touched again");
        let _stall = self.1.stalled.lock().unwrap();
        Trouble::strike(&self.1.sync).inspect_err(|_| self.2 = true)?;
        self.0.sync_data()
    }
}

fn open_bad(directory: &Path, trouble: &Arc<Trouble>) -> (Journal, mpsc::Receiver<Vec<Input>>) {
    let (inbox, inputs) = mpsc::channel(64);
    let disk = BadDisk(Directory::lock(directory).unwrap(), Arc::clone(trouble));
    let (journal, _) =
        Journal::open_on(Box::new(disk), &options(directory), BOOT, &site::site(), inbox).unwrap();
    (journal, inputs)
}

const EIO: i32 = 5;
const ENOSPC: i32 = 28;
const EROFS: i32 = 30;

#[tokio::test]
async fn d04_one_failed_sync_costs_the_file_and_no_record() {
    let directory = tempfile::tempdir().unwrap();
    let trouble = Arc::new(Trouble::default());
    let (journal, _inputs) = open_bad(directory.path(), &trouble);
    assert_eq!(journal.intent(&order(1, 1, 0), LONG).await, Durable::Yes);
    *trouble.sync.lock().unwrap() = Some((EIO, 1));
    journal.note(&publication(1, vec![raised(1, 0, Priority::High)]));
    assert_eq!(journal.intent(&order(2, 1, 1), LONG).await, Durable::Yes);
    assert_eq!(journal.health().errors, 1);
    assert!(journal.close(LONG).await);
    let (_journal, recovered, _inputs) = open(directory.path(), BOOT);
    assert_eq!((recovered.missing, recovered.memory.numbers.order), (0, 2));
    assert_eq!(recovered.memory.alarms.len(), 1);
    let intents = Journal::read(directory.path()).unwrap();
    let intents = intents.filter(|record| matches!(record.body, Body::Intent { .. })).count();
    assert_eq!(intents, 2, "each once, though one was written twice");
}

#[tokio::test]
async fn d02_d03_a_full_or_read_only_disk_raises_the_alarm_until_it_works_again() {
    for errno in [ENOSPC, EROFS, EIO] {
        let directory = tempfile::tempdir().unwrap();
        let trouble = Arc::new(Trouble::default());
        let (journal, mut inputs) = open_bad(directory.path(), &trouble);
        assert_eq!(journal.intent(&order(1, 1, 0), LONG).await, Durable::Yes);
        *trouble.write.lock().unwrap() = Some((errno, u32::MAX));
        *trouble.create.lock().unwrap() = Some((errno, u32::MAX));
        journal.note(&publication(1, vec![raised(1, 0, Priority::High)]));
        assert_eq!(journal.intent(&order(2, 1, 0), LONG).await, Durable::Failed);
        assert!(fault_of(&inputs.recv().await.unwrap()));
        *trouble.write.lock().unwrap() = None;
        *trouble.create.lock().unwrap() = None;
        assert!(!fault_of(&inputs.recv().await.unwrap()), "works again by itself");
        assert!(journal.close(LONG).await);
        let (_journal, recovered, _inputs) = open(directory.path(), BOOT);
        assert_eq!((recovered.missing, recovered.memory.numbers.order), (0, 2), "nothing was lost");
    }
}

/// A disk that takes so many more operations, and nothing after: the machine has stopped there.
struct StoppingDisk(Directory, Arc<AtomicU32>);
struct StoppingFile(Box<dyn SegmentFile>, Arc<AtomicU32>);

/// Whether this operation still reaches the disk.
fn still_runs(left: &AtomicU32) -> io::Result<()> {
    let taken = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
    taken.map(|_| ()).map_err(|_| io::Error::from_raw_os_error(EIO))
}

impl Disk for StoppingDisk {
    fn list(&mut self) -> io::Result<Vec<String>> {
        self.0.list()
    }
    fn size(&mut self, name: &str) -> io::Result<u64> {
        self.0.size(name)
    }
    fn read(&mut self, name: &str) -> io::Result<Vec<u8>> {
        self.0.read(name)
    }
    fn create(&mut self, name: &str, bytes: u64) -> io::Result<Box<dyn SegmentFile>> {
        still_runs(&self.1)?;
        Ok(Box::new(StoppingFile(self.0.create(name, bytes)?, Arc::clone(&self.1))))
    }
    fn cut(&mut self, name: &str, length: u64) -> io::Result<()> {
        still_runs(&self.1)?;
        self.0.cut(name, length)
    }
    fn remove(&mut self, name: &str) -> io::Result<()> {
        still_runs(&self.1)?;
        self.0.remove(name)
    }
    fn sync(&mut self) -> io::Result<()> {
        still_runs(&self.1)?;
        self.0.sync()
    }
}

impl SegmentFile for StoppingFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        still_runs(&self.1)?;
        self.0.write(bytes)
    }
    fn sync_data(&mut self) -> io::Result<()> {
        still_runs(&self.1)?;
        self.0.sync_data()
    }
}

#[tokio::test]
async fn d07_stopped_between_any_two_operations_on_the_disk_it_opens_with_all_that_was_durable() {
    // Small segments: some are begun and some removed on the way.
    let small = |directory: &Path| JournalOptions {
        segment_bytes_max: 4096,
        total_bytes_max: 12 << 10,
        ..options(directory)
    };
    let mut removed = false;
    for operations in 0..400 {
        let directory = tempfile::tempdir().unwrap();
        let left = Arc::new(AtomicU32::new(operations));
        let (inbox, _inputs) = mpsc::channel(1024);
        let disk = StoppingDisk(Directory::lock(directory.path()).unwrap(), Arc::clone(&left));
        let options = small(directory.path());
        let opened = Journal::open_on(Box::new(disk), &options, BOOT, &site::site(), inbox);
        let mut durable = 0;
        if let Ok((journal, _)) = opened {
            for number in 1..=40 {
                journal.note(&publication(number, vec![raised(number, 0, Priority::High)]));
                let told = journal.intent(&order(number, 1, 0), Millis(50)).await;
                if told != Durable::Yes {
                    break;
                }
                durable = number;
            }
            let _ = journal.close(Millis(50)).await;
        }
        // The lock goes with the writer, which may still be at its last operation.
        let (inbox, _inputs) = mpsc::channel(64);
        let again = || Journal::open(&options, BOOT, &site::site(), inbox.clone());
        let mut opened = again();
        for _ in 0..200 {
            if !matches!(opened, Err(OpenFault::InUse(_))) {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            opened = again();
        }
        let (_journal, recovered) = opened.unwrap_or_else(|fault| panic!("after {operations}: {fault}"));
        assert!(durable <= recovered.memory.numbers.order, "after {operations}: {durable} were durable");
        removed |= !directory.path().join("journal-0000000000000001.log").exists() && 0 < durable;
        if durable == 40 && 0 < left.load(Ordering::Relaxed) {
            assert!(removed, "old segments were removed on the way");
            return;
        }
    }
    panic!("forty intents take more than 400 operations");
}

#[tokio::test]
async fn d01_a_disk_that_is_full_makes_room_by_its_oldest_segments_only() {
    let directory = tempfile::tempdir().unwrap();
    for number in 1..6 {
        let (journal, _, _inputs) = open(directory.path(), BOOT);
        journal.note(&publication(number, vec![raised(number, 0, Priority::High)]));
        assert!(journal.close(LONG).await);
    }
    let trouble = Arc::new(Trouble::default());
    *trouble.write.lock().unwrap() = Some((ENOSPC, 2));
    let (journal, _inputs) = open_bad(directory.path(), &trouble);
    until(|| 0 < journal.health().durable).await;
    assert!(journal.close(LONG).await);
    let first = directory.path().join("journal-0000000000000001.log");
    let last = directory.path().join("journal-0000000000000005.log");
    assert!(!first.exists() && last.exists());
    let (_journal, recovered, _inputs) = open(directory.path(), BOOT);
    assert_eq!(recovered.memory.alarms.len(), 1);
    assert_eq!(recovered.memory.numbers.alarm_change, 5);
}

#[tokio::test]
async fn short_writes_are_completed() {
    let directory = tempfile::tempdir().unwrap();
    let trouble = Arc::new(Trouble::default());
    trouble.short.store(7, Ordering::Relaxed);
    let (journal, _inputs) = open_bad(directory.path(), &trouble);
    journal.note(&publication(1, vec![raised(1, 0, Priority::High)]));
    assert!(journal.close(LONG).await);
    let (_journal, recovered, _inputs) = open(directory.path(), BOOT);
    assert_eq!((recovered.damaged, recovered.memory.alarms.len()), (0, 1));
}

#[tokio::test]
async fn d08_a_stalled_disk_holds_up_nobody() {
    let directory = tempfile::tempdir().unwrap();
    let trouble = Arc::new(Trouble::default());
    let (journal, mut inputs) = open_bad(directory.path(), &trouble);
    assert_eq!(journal.intent(&order(1, 1, 0), LONG).await, Durable::Yes);
    let stalling = Arc::clone(&trouble);
    let (stop, stopped) = std::sync::mpsc::sync_channel::<()>(0);
    let (ready, is_ready) = std::sync::mpsc::sync_channel::<()>(0);
    let stall = std::thread::spawn(move || {
        let _stalled = stalling.stalled.lock().unwrap();
        ready.send(()).unwrap();
        stopped.recv().unwrap();
    });
    is_ready.recv().unwrap();
    let begun = emberwatch::clock::uptime();
    assert_eq!(journal.intent(&order(2, 1, 0), Millis(200)).await, Durable::TooLate);
    for number in 1..20_000 {
        journal.note(&publication(number, vec![raised(number, 0, Priority::High)]));
    }
    assert!(emberwatch::clock::uptime().since(begun) < Millis(5000));
    assert!(fault_of(&inputs.recv().await.unwrap()));
    assert!(0 < journal.health().dropped);
    stop.send(()).unwrap();
    stall.join().unwrap();
    assert!(!fault_of(&inputs.recv().await.unwrap()));
    journal.remember(Memory::default());
    journal.note(&publication(20_000, vec![raised(20_000, 1, Priority::High)]));
    until(|| journal.health().busy_for == Millis::ZERO).await;
    assert!(journal.close(LONG).await);
    let (_journal, recovered, _inputs) = open(directory.path(), BOOT);
    assert!(0 < recovered.missing, "what was dropped shows as a gap");
    assert_eq!(recovered.memory.numbers.alarm_change, 20_000);
}

// ---- any memory, any damage -----------------------------------------------------------------------------

fn value() -> impl Strategy<Value = Value> {
    any::<f64>().prop_filter_map("finite", Value::new)
}

fn limit() -> impl Strategy<Value = f64> {
    any::<f64>().prop_filter("equality is tested", |limit| !limit.is_nan())
}

fn evidence() -> impl Strategy<Value = Evidence> {
    let point = || (0..6_u32).prop_map(PointId);
    let time = || any::<u64>().prop_map(Uptime);
    prop_oneof![
        Just(Evidence::None),
        (point(), value(), limit(), time()).prop_map(|(point, value, limit, taken)| Evidence::Limit {
            point,
            value,
            limit,
            taken
        }),
        (point(), value(), limit(), limit(), time()).prop_map(|(point, value, per_minute, limit, taken)| {
            Evidence::Rate { point, value, per_minute, limit, taken }
        }),
        (point(), value(), time()).prop_map(|(point, value, taken)| Evidence::State { point, value, taken }),
        (point(), prop::sample::select(Distrust::TABLE.map(|row| row.0).to_vec()))
            .prop_map(|(point, why)| Evidence::Unbelieved { point, why }),
        (point(), any::<u64>())
            .prop_map(|(point, lasted)| Evidence::Silent { point, lasted: Millis(lasted) }),
        any::<(u32, u32, u8, u8, u8, bool)>().prop_map(|(voting, unknown, needed, had, of, by_policy)| {
            Evidence::Votes { voting, unknown, needed, had, of, by_policy }
        }),
        (point(), value(), limit(), limit(), time()).prop_map(|(point, last, value, limit, taken)| {
            Evidence::Projected { point, last, value, limit, taken }
        }),
        (point(), value(), limit(), limit(), time()).prop_map(|(point, value, from, limit, taken)| {
            Evidence::Apart { point, value, from, limit, taken }
        }),
        (point(), value(), limit(), any::<bool>(), limit(), time()).prop_map(
            |(point, value, from, relative, limit, taken)| Evidence::Step {
                point,
                value,
                from,
                relative,
                limit,
                taken
            }
        ),
    ]
}

fn alarm_record() -> impl Strategy<Value = AlarmRecord> {
    let state = prop::sample::select(AlarmState::ALL[1..].to_vec());
    let priority = prop::option::of(prop::sample::select(vec![
        Priority::Low,
        Priority::Medium,
        Priority::High,
        Priority::Critical,
    ]));
    let level = prop::sample::select(Level::ALL.to_vec());
    let rest = (any::<(u64, u32, i64, u64, bool)>(), any::<(bool, bool, u32)>(), prop::option::of(away()));
    (state, priority, level, rest, evidence(), prop::option::of(".{0,12}")).prop_map(
        |(state, priority, level, (times, chatter, away), evidence, by)| {
            let (occurrence, revision, since, raised, first_out) = times;
            let (stands, chattering, flips) = chatter;
            AlarmRecord {
                state,
                stands,
                away: away.map(Box::new),
                chattering,
                flips,
                origin: chattering.then_some(AlarmId(1)),
                priority,
                occurrence,
                revision,
                since: WallTime(since),
                raised: Uptime(raised),
                level,
                evidence,
                first_out,
                acknowledged_by: by.map(Into::into),
            }
        },
    )
}

fn away() -> impl Strategy<Value = Away> {
    let how = prop_oneof![
        (".{0,12}", any::<u64>(), any::<bool>()).prop_map(|(by, until, one_shot)| AwayHow::Shelved {
            by: by.into(),
            until: Uptime(until),
            one_shot,
            holds: Priority::Medium,
        }),
        Just(AwayHow::Suppressed { group: AlarmId(1) }),
        (".{0,12}", ".{0,30}")
            .prop_map(|(by, reason)| AwayHow::OutOfService { by: by.into(), reason: reason.into() }),
    ];
    (how, any::<bool>()).prop_map(|(how, told)| Away { how, told })
}

fn drive_fault() -> impl Strategy<Value = DriveFault> {
    prop_oneof![
        Just(DriveFault::NotSent),
        any::<u8>().prop_map(DriveFault::Exception),
        Just(DriveFault::NoAnswer),
        Just(DriveFault::WrongEcho),
        Just(DriveFault::NotAllowed),
    ]
}

fn stage_state() -> impl Strategy<Value = StageState> {
    let point = || (0..6_u32).prop_map(PointId);
    prop_oneof![
        Just(StageState::Pending),
        Just(StageState::Waiting),
        Just(StageState::Ordered),
        Just(StageState::Confirmed),
        Just(StageState::Verified),
        Just(StageState::Skipped),
        point().prop_map(|point| StageState::Failed(StageFault::Permissive(point))),
        drive_fault().prop_map(|fault| StageState::Failed(StageFault::Drive(fault))),
        point().prop_map(|point| StageState::Failed(StageFault::NoEffect(point))),
        any::<u8>().prop_map(|stage| StageState::Failed(StageFault::Requires(stage))),
        Just(StageState::Failed(StageFault::LastFeed(FeedId(0)))),
        Just(StageState::Failed(StageFault::Budget)),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let numbers = any::<(u8, u64, u8, u64)>();
    (0..9_u8, numbers, ".{0,12}").prop_map(|(which, (stage, a, attempt, b), by)| match which {
        0 => Step::Countdown { until: Uptime(a) },
        1 => Step::Rereading { stage, attempt, from: Uptime(a), until: Uptime(b) },
        2 => Step::Waiting { stage, attempt, from: Uptime(a), until: Uptime(b) },
        3 => Step::Ordered { stage, order: OrderId(a), attempt, answer_by: Uptime(b) },
        4 => Step::Verifying { stage, attempt, after: Uptime(a), until: Uptime(b) },
        5 => Step::Held { stage, until: (attempt < 128).then_some(Uptime(a)) },
        6 => Step::Done,
        7 => Step::Failed,
        _ => Step::Aborted { by: by.into() },
    })
}

fn sequence_memory() -> impl Strategy<Value = SequenceMemory> {
    let mode = || prop::sample::select(vec![Mode::Disabled, Mode::Shadow, Mode::Armed]);
    let cause = prop_oneof![
        any::<(u32, bool)>().prop_map(|(voting, by_policy)| Cause::Vote { voting, by_policy }),
        ".{0,12}".prop_map(|by| Cause::Manual { by: by.into() }),
        ".{0,12}".prop_map(|by| Cause::Drill { by: by.into() }),
    ];
    let told = (any::<u32>(), prop::option::of(any::<(u8, u8)>()));
    let aborting = prop::option::of(".{0,12}");
    let run = (
        any::<(u64, i64, bool)>(),
        cause,
        step(),
        prop::collection::vec(stage_state(), 0..5),
        aborting,
        told,
    );
    let run = run.prop_map(|((id, since, shadow), cause, step, stages, aborting, (commanded, told))| Run {
        id: RunId(id),
        cause,
        since: WallTime(since),
        shadow,
        step,
        stages,
        aborting: aborting.map(Into::into),
        commanded,
        told: told.map(|(stage, persons)| Told { stage, persons }),
    });
    let proven = (any::<[String; 2]>(), any::<i64>(), ".{0,12}").prop_map(|(by, at, of)| Proven {
        by: by.map(Into::into),
        at: WallTime(at),
        of: of.into(),
    });
    let stages = prop::collection::vec(".{0,12}", 0..4);
    (mode(), mode(), prop::option::of(run), stages, prop::option::of(proven)).prop_map(
        |(mode, configured, run, stages, proven)| SequenceMemory {
            state: SequenceState { mode, phase: run.map_or(Phase::Idle, Phase::Run), proven },
            configured,
            stages,
        },
    )
}

fn memory() -> impl Strategy<Value = Memory> {
    let alarms = prop::collection::btree_map(".{0,12}", alarm_record(), 0..5);
    let sequences = prop::collection::btree_map(".{0,12}", sequence_memory(), 0..4);
    let waiver = (any::<[String; 2]>(), ".{0,12}", any::<u64>()).prop_map(|(by, reason, until)| Waiver {
        by: by.map(Into::into),
        reason: reason.into(),
        until: Uptime(until),
    });
    let waivers = prop::collection::btree_map(".{0,12}", waiver, 0..4);
    let numbers = any::<[u64; 4]>();
    (alarms, sequences, waivers, numbers).prop_map(|(alarms, sequences, waivers, [a, b, c, d])| Memory {
        alarms,
        sequences,
        waivers,
        numbers: emberwatch::safety::memory::Numbers { alarm_change: a, order: b, run: c, notice: d },
        same_boot: true,
    })
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// A journal of 20 alarm changes, whole; and its only file.
fn twenty() -> (Vec<u8>, String) {
    let directory = tempfile::tempdir().unwrap();
    let (journal, _, _inputs) = open(directory.path(), BOOT);
    // The snapshot at the head must be of the empty memory, not of what follows.
    block_on(until(|| 0 < journal.health().durable));
    for number in 1..=20 {
        let mut fact = raised(number, 0, Priority::High);
        if let Fact::Alarm(AlarmChange { now, event, .. }) = &mut fact {
            now.occurrence = number;
            *event = AlarmEvent::Escalated;
        }
        journal.note(&publication(number, vec![fact]));
    }
    assert!(block_on(journal.close(LONG)));
    let name = "journal-0000000000000001.log".to_owned();
    (std::fs::read(directory.path().join(&name)).unwrap(), name)
}

/// A journal of several segments, each of a few records.
async fn of_segments(directory: &Path) -> Vec<std::path::PathBuf> {
    let options = JournalOptions { segment_bytes_max: 4096, total_bytes_max: 16 << 20, ..options(directory) };
    for round in 0..3 {
        let (inbox, _inputs) = mpsc::channel(64);
        let (journal, _) = Journal::open(&options, BOOT, &site::site(), inbox).expect("opens");
        for number in 0..20 {
            journal.note(&publication(number, vec![raised(round * 20 + number, 0, Priority::High)]));
            assert_eq!(journal.intent(&order(round * 20 + number, 1, 0), LONG).await, Durable::Yes);
        }
        assert!(journal.close(LONG).await);
    }
    let mut files: Vec<_> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "log"))
        .collect();
    files.sort();
    files
}

fn audited(directory: &Path) -> Audit {
    audit(directory).expect("a directory")
}

#[tokio::test]
async fn an_untouched_journal_is_whole_over_segments_and_restarts() {
    let directory = tempfile::tempdir().unwrap();
    let files = of_segments(directory.path()).await;
    let found = audited(directory.path());
    assert!(3 < files.len() && found.segments.len() == files.len());
    assert!(found.is_whole(), "{found:?}");
    assert_eq!(found.chain.as_ref().map(String::len), Some(64));
}

#[tokio::test]
async fn a_segment_that_was_taken_out_or_replaced_breaks_the_chain() {
    let directory = tempfile::tempdir().unwrap();
    let files = of_segments(directory.path()).await;
    std::fs::remove_file(&files[1]).unwrap();
    let found = audited(directory.path());
    let complaints = found.segments[1].complaints.join("; ");
    assert!(complaints.contains("does not follow") && complaints.contains("missing"), "{complaints}");

    // Another journal's segment under the same name: its own chain is whole, it is not this one's.
    let other = tempfile::tempdir().unwrap();
    let others = of_segments(other.path()).await;
    std::fs::copy(&others[1], &files[1]).unwrap();
    assert!(!audited(directory.path()).is_whole());
}

#[tokio::test]
async fn d06_every_flipped_byte_of_a_journal_breaks_its_audit_and_costs_one_record_at_most() {
    let directory = tempfile::tempdir().unwrap();
    let files = of_segments(directory.path()).await;
    let whole = audited(directory.path());
    for file in [&files[0], files.last().unwrap()] {
        let bytes = std::fs::read(file).unwrap();
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 0x20;
            std::fs::write(file, &flipped).unwrap();
            let found = audited(directory.path());
            // At the very end it may as well be a record that was being written when power went.
            let noticed = !found.is_whole() || found.segments.iter().any(|segment| segment.torn);
            assert!(noticed, "byte {at} of {} went unnoticed", file.display());
            let lost = whole.records() - found.records();
            assert!(lost <= 1, "byte {at} of {} cost {lost} records", file.display());
        }
        std::fs::write(file, &bytes).unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_memory_survives_exactly(memory in memory()) {
        let directory = tempfile::tempdir().unwrap();
        let (journal, _, _inputs) = open(directory.path(), BOOT);
        journal.remember(memory.clone());
        prop_assert!(block_on(journal.close(LONG)));
        let (_journal, recovered, _inputs) = open(directory.path(), BOOT);
        prop_assert_eq!(recovered.memory, memory);
        prop_assert_eq!(recovered.damaged, 0);
    }

    #[test]
    fn cut_anywhere_it_opens_and_loses_only_what_was_cut(cut in any::<prop::sample::Index>()) {
        let (bytes, name) = twenty();
        let cut = cut.index(bytes.len());
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join(&name), &bytes[..cut]).unwrap();
        let (journal, recovered, _inputs) = open(directory.path(), BOOT);
        prop_assert_eq!(recovered.damaged, 0);
        let last = recovered.memory.alarms.get("temp-high").map_or(0, |alarm| alarm.occurrence);
        let whole = String::from_utf8_lossy(&bytes[..cut]).matches("\"occurrence\":").count() as u64;
        prop_assert!(whole.saturating_sub(1) <= last && last <= whole, "{} of {}", last, whole);
        prop_assert!(block_on(journal.close(LONG)));
        let (_journal, again, _inputs) = open(directory.path(), BOOT);
        prop_assert!(again.last_stop_clean && !again.torn_tail);
        prop_assert_eq!(again.memory.alarms, recovered.memory.alarms);
    }

    #[test]
    fn flipped_bytes_are_noticed_and_cost_their_records_only(
        flips in prop::collection::vec((any::<prop::sample::Index>(), 1..=255_u8), 1..4),
    ) {
        let (bytes, name) = twenty();
        let directory = tempfile::tempdir().unwrap();
        let (_, whole, _inputs) = {
            std::fs::write(directory.path().join(&name), &bytes).unwrap();
            open(directory.path(), BOOT)
        };
        let other = tempfile::tempdir().unwrap();
        let mut flipped = bytes.clone();
        for (at, mask) in &flips {
            let at = at.index(bytes.len());
            flipped[at] = bytes[at] ^ mask;
        }
        std::fs::write(other.path().join(&name), &flipped).unwrap();
        let (_journal, recovered, _inputs) = open(other.path(), BOOT);
        let noticed = 0 < recovered.damaged || recovered.torn_tail || !recovered.foreign.is_empty();
        prop_assert!(noticed);
        let lost = whole.records - recovered.records;
        prop_assert!(lost <= flips.len() as u64, "{} records lost by {} flips", lost, flips.len());
    }
}

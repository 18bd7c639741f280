#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::lane::Lane;
use super::*;
use crate::disk::SegmentFile;
use crate::safety::fact::Input;
use crate::safety::site::SystemFault;
use crate::units::Millis;

/// A disk in memory: what is written is there, what is synced survives a crash.
#[derive(Clone, Default)]
struct Memory(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    files: BTreeMap<String, File>,
    /// Bytes that may still be written before the disk is full.
    room: Option<usize>,
    /// Calls that may still succeed before each fails.
    calls: Option<usize>,
    read_only: bool,
}

#[derive(Clone, Default)]
struct File {
    bytes: Vec<u8>,
    synced: usize,
    known: bool,
}

impl Memory {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a loss of power leaves: what was synced, and some of the rest.
    fn crash(&self, torn: usize) {
        let mut inner = self.inner();
        inner.files.retain(|_, file| file.known || torn.is_multiple_of(2));
        for file in inner.files.values_mut() {
            let kept = file.synced + torn.min(file.bytes.len() - file.synced);
            file.bytes.truncate(kept);
            file.synced = kept;
        }
        (inner.room, inner.calls, inner.read_only) = (None, None, false);
    }

    fn call(&self) -> io::Result<MutexGuard<'_, Inner>> {
        let mut inner = self.inner();
        if let Some(calls) = &mut inner.calls {
            *calls = calls.checked_sub(1).ok_or(io::Error::from_raw_os_error(5))?;
        }
        if inner.read_only { Err(io::ErrorKind::ReadOnlyFilesystem.into()) } else { Ok(inner) }
    }
}

impl Disk for Memory {
    fn list(&mut self) -> io::Result<Vec<String>> {
        Ok(self.inner().files.keys().cloned().collect())
    }
    fn size(&mut self, name: &str) -> io::Result<u64> {
        Ok(self.inner().files.get(name).ok_or(io::ErrorKind::NotFound)?.bytes.len() as u64)
    }
    fn read(&mut self, name: &str) -> io::Result<Vec<u8>> {
        Ok(self.inner().files.get(name).ok_or(io::ErrorKind::NotFound)?.bytes.clone())
    }
    fn create(&mut self, name: &str, _: u64) -> io::Result<Box<dyn SegmentFile>> {
        self.call()?.files.insert(name.to_owned(), File::default());
        Ok(Box::new(Writing(self.clone(), name.to_owned())))
    }
    fn cut(&mut self, name: &str, length: u64) -> io::Result<()> {
        let length = usize::try_from(length).unwrap();
        self.call()?.files.get_mut(name).unwrap().bytes.truncate(length);
        Ok(())
    }
    fn remove(&mut self, name: &str) -> io::Result<()> {
        let mut inner = self.call()?;
        let file = inner.files.remove(name).ok_or(io::ErrorKind::NotFound)?;
        if let Some(room) = &mut inner.room {
            *room += file.bytes.len();
        }
        Ok(())
    }
    fn sync(&mut self) -> io::Result<()> {
        self.call()?.files.values_mut().for_each(|file| file.known = true);
        Ok(())
    }
}

struct Writing(Memory, String);

impl SegmentFile for Writing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut inner = self.0.call()?;
        let count = bytes.len().min(inner.room.unwrap_or(usize::MAX));
        if count == 0 && !bytes.is_empty() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        if let Some(room) = &mut inner.room {
            *room -= count;
        }
        let file = inner.files.get_mut(&self.1).ok_or(io::ErrorKind::NotFound)?;
        file.bytes.extend_from_slice(&bytes[..count]);
        Ok(count)
    }
    fn sync_data(&mut self) -> io::Result<()> {
        let mut inner = self.0.call()?;
        let file = inner.files.get_mut(&self.1).ok_or(io::ErrorKind::NotFound)?;
        file.synced = file.bytes.len();
        Ok(())
    }
}

const BIG: usize = 1 << 20;

fn opened(disk: &mut Memory) -> Lane {
    let mut lane = Lane::new(Kind::Telemetry);
    let names = disk.list().unwrap();
    let survey = lane.survey(disk, &names).unwrap();
    lane.adopt(survey);
    lane
}

fn put(lane: &mut Lane, text: &str) {
    lane.append(1, text.as_bytes(), false);
}

fn texts(lane: &mut Lane, disk: &mut Memory) -> Vec<String> {
    let (blocks, _) = lane.fetch(disk, BIG).unwrap();
    blocks.into_iter().map(|block| String::from_utf8(block.payload).unwrap()).collect()
}

fn flush(lane: &mut Lane, disk: &mut Memory, segment: u64) {
    lane.write(disk, segment).unwrap();
    lane.sync(disk).unwrap();
}

#[test]
fn what_was_put_in_comes_out_in_order_also_after_a_restart() {
    let mut disk = Memory::default();
    let mut lane = opened(&mut disk);
    (0..50).for_each(|number| put(&mut lane, &format!("entry {number}")));
    flush(&mut lane, &mut disk, 300);
    assert!(3 < disk.inner().files.len(), "several segments");
    let all: Vec<String> = (0..50).map(|number| format!("entry {number}")).collect();
    assert_eq!(texts(&mut lane, &mut disk), all);
    assert_eq!(texts(&mut lane, &mut disk), Vec::<String>::new(), "once");
    let mut lane = opened(&mut disk);
    assert_eq!(texts(&mut lane, &mut disk), all);
}

#[test]
fn k2_what_is_settled_is_not_sent_again_after_a_clean_restart() {
    let mut disk = Memory::default();
    let mut lane = opened(&mut disk);
    (0..50).for_each(|number| put(&mut lane, &format!("entry {number}")));
    flush(&mut lane, &mut disk, 300);
    let (blocks, _) = lane.fetch(&mut disk, BIG).unwrap();
    for block in &blocks[..20] {
        assert_eq!(lane.settle(&block.numbers), 1);
        assert_eq!(lane.settle(&block.numbers), 0, "counted once");
    }
    lane.close(&mut disk, 300).unwrap();
    let mut lane = opened(&mut disk);
    assert_eq!(lane.waiting(), 30);
    assert_eq!(texts(&mut lane, &mut disk)[0], "entry 20");
    lane.settle(&(0..1000));
    lane.close(&mut disk, 300).unwrap();
    assert!(disk.inner().files.is_empty(), "nothing is left behind: {:?}", disk.inner().files.keys());
}

#[test]
fn d5_a_tail_torn_at_any_byte_costs_only_what_was_not_durable() {
    let mut disk = Memory::default();
    let mut lane = opened(&mut disk);
    (0..3).for_each(|number| put(&mut lane, &format!("entry {number}")));
    flush(&mut lane, &mut disk, 1000);
    let durable = disk.inner().files.values().next().unwrap().bytes.len();
    put(&mut lane, "the last entry");
    lane.write(&mut disk, 1000).unwrap();
    let whole = disk.inner().files.values().next().unwrap().bytes.clone();
    for length in 0..=whole.len() {
        let mut torn = Memory::default();
        let file = File { bytes: whole[..length].to_vec(), synced: length, known: true };
        torn.inner().files.insert("data-00000000-0000000000000000.spool".into(), file);
        let mut lane = opened(&mut torn);
        let kept = texts(&mut lane, &mut torn).len();
        assert!(length < durable || 3 <= kept, "{length} of {durable}: {kept}");
        put(&mut lane, "new");
        flush(&mut lane, &mut torn, 1000);
        assert_eq!(texts(&mut lane, &mut torn), ["new"], "it goes on after {length} bytes");
        assert_eq!(texts(&mut opened(&mut torn), &mut torn).len(), kept + 1);
    }
}

#[test]
fn d6_a_damaged_block_is_counted_and_the_rest_delivered() {
    for bit in (0..2400).step_by(7) {
        let mut disk = Memory::default();
        let mut lane = opened(&mut disk);
        (0..10).for_each(|number| lane.append(7, format!("block {number}").as_bytes(), false));
        flush(&mut lane, &mut disk, 150);
        let mut inner = disk.inner();
        let total: usize = inner.files.values().map(|file| file.bytes.len()).sum();
        let mut at = (bit / 8) % total;
        for file in inner.files.values_mut() {
            if at < file.bytes.len() {
                file.bytes[at] ^= 1 << (bit % 8);
                break;
            }
            at -= file.bytes.len();
        }
        drop(inner);
        let mut lane = Lane::new(Kind::Telemetry);
        let names = disk.list().unwrap();
        let survey = lane.survey(&mut disk, &names).unwrap();
        let torn = survey.damaged;
        lane.adopt(survey);
        let (blocks, loss) = lane.fetch(&mut disk, BIG).unwrap();
        let got: u64 = blocks.iter().map(Block::count).sum();
        assert!(63 <= got, "bit {bit}: {got}");
        assert!(got == 70 || torn || got + loss.damaged == 70, "bit {bit}: {got}, {loss:?}");
    }
}

#[test]
fn d9_a_newer_version_and_strangers_are_left_alone() {
    let mut disk = Memory::default();
    let mut newer = frame::header(0, 0);
    newer[7] = 9;
    let crc = crc32fast::hash(&newer[..24]);
    newer[24..].copy_from_slice(&crc.to_le_bytes());
    let strange =
        [("data-00000000-0000000000000000.spool", newer.to_vec()), ("notes.txt", b"hello".to_vec())];
    for (name, bytes) in strange.clone() {
        disk.inner().files.insert(name.into(), File { synced: bytes.len(), bytes, known: true });
    }
    let mut lane = opened(&mut disk);
    put(&mut lane, "one");
    flush(&mut lane, &mut disk, 1000);
    assert_eq!(texts(&mut lane, &mut disk), ["one"]);
    lane.settle(&(0..100));
    lane.close(&mut disk, 1000).unwrap();
    for (name, bytes) in strange {
        assert_eq!(disk.inner().files[name].bytes, bytes);
    }
}

#[derive(Clone, Debug)]
enum Step {
    Append,
    Flush,
    Fetch,
    Settle,
    Crash(usize),
    Restart,
    FailAfter(usize),
    Full(usize),
    DropOldest,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        5 => Just(Step::Append),
        3 => Just(Step::Flush),
        3 => Just(Step::Fetch),
        3 => Just(Step::Settle),
        1 => (0..200_usize).prop_map(Step::Crash),
        1 => Just(Step::Restart),
        1 => (0..6_usize).prop_map(Step::FailAfter),
        1 => (0..200_usize).prop_map(Step::Full),
        1 => Just(Step::DropOldest),
    ];
    proptest::collection::vec(step, 1..80)
}

/// What is known of every entry that was put in, by the text of its block.
#[derive(Default)]
struct Account {
    appended: BTreeSet<u32>,
    /// Of this life, and not known to be durable.
    fresh: BTreeSet<u32>,
    durable: BTreeSet<u32>,
    delivered: BTreeSet<u32>,
    in_hand: Vec<Block>,
}

impl Account {
    /// Whatever was delivered, or can be now.
    fn everything(&mut self, lane: &mut Lane, disk: &mut Memory) -> BTreeSet<u32> {
        loop {
            // What was delivered or dropped right before a crash may be missing after it, and is called damaged then.
            let (blocks, _) = lane.fetch(disk, 1000).unwrap();
            if blocks.is_empty() {
                break;
            }
            self.in_hand.extend(blocks);
        }
        let mut out = self.delivered.clone();
        for block in &self.in_hand {
            assert!(self.appended.contains(&number(block)), "never put in");
            out.insert(number(block));
        }
        out
    }
}

fn number(block: &Block) -> u32 {
    String::from_utf8(block.payload.clone()).unwrap().parse().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// K1 and D4, D7: whatever crashes, fills up or fails, an entry that was durable is delivered, waits, or was dropped
    /// and counted; nothing comes out that was not put in.
    #[test]
    fn k1_d4_d7_whatever_was_durable_is_delivered_waiting_or_counted(steps in steps()) {
        let mut disk = Memory::default();
        let mut lane = opened(&mut disk);
        let (mut account, mut next, mut dropped) = (Account::default(), 0, 0_u64);
        for step in steps {
            match step {
                Step::Append => {
                    lane.append(1, next.to_string().as_bytes(), false);
                    account.appended.insert(next);
                    account.fresh.insert(next);
                    next += 1;
                }
                Step::Flush => {
                    let wrote = lane.write(&mut disk, 200).and_then(|_| lane.save_low(&mut disk, 200));
                    if wrote.and_then(|_| lane.sync(&mut disk)).is_ok() {
                        account.durable.append(&mut account.fresh);
                    } else {
                        lane.abandon(&mut disk);
                        let mut inner = disk.inner();
                        (inner.calls, inner.room) = (None, None);
                    }
                    lane.tidy(&mut disk);
                }
                Step::Fetch => {
                    let (blocks, _) = lane.fetch(&mut disk, 20).unwrap();
                    account.in_hand.extend(blocks);
                }
                Step::Settle => {
                    for block in account.in_hand.drain(..) {
                        prop_assert!(account.appended.contains(&number(&block)));
                        lane.settle(&block.numbers);
                        account.delivered.insert(number(&block));
                    }
                }
                Step::DropOldest => {
                    if let Some(loss) = lane.drop_oldest(&mut disk) {
                        dropped += loss.dropped;
                    }
                }
                Step::FailAfter(calls) => disk.inner().calls = Some(calls),
                Step::Full(room) => disk.inner().room = Some(room),
                Step::Crash(_) | Step::Restart => {
                    if let Step::Crash(torn) = step {
                        disk.crash(torn);
                    } else {
                        (disk.inner().calls, disk.inner().room) = (None, None);
                        if lane.write(&mut disk, 200).is_ok() && lane.close(&mut disk, 200).is_ok() {
                            account.durable.append(&mut account.fresh);
                        }
                    }
                    account.in_hand.clear();
                    account.fresh.clear();
                    lane = opened(&mut disk);
                }
            }
        }
        (disk.inner().calls, disk.inner().room) = (None, None);
        let out = account.everything(&mut lane, &mut disk);
        let missing = account.durable.difference(&out).count() as u64;
        prop_assert!(missing <= dropped, "{missing} missing, {dropped} counted");
    }
}

struct Running {
    spool: Spool,
    inputs: tokio::sync::mpsc::Receiver<Vec<Input>>,
    disk: Memory,
}

fn running(bytes_max: u64, disk: &Memory) -> Running {
    let options = SpoolOptions { directory: "unused".into(), bytes_max, sync_every: Millis(20) };
    let (inbox, inputs) = tokio::sync::mpsc::channel(64);
    let opens = disk.clone();
    let open: OpenDisk = Box::new(move || Ok(Box::new(opens.clone()) as Box<dyn Disk>));
    let fault = FaultReport::renewed(inbox, SystemFault::MqttSpool);
    let spool = Spool::start_on(open, &options, fault, Arc::default()).unwrap();
    Running { spool, inputs, disk: disk.clone() }
}

impl Running {
    async fn until(&self, what: &str, met: impl Fn(&SpoolCounters) -> bool) {
        for _ in 0..2000 {
            if met(self.spool.counters()) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("{what}: {:?}", self.spool.counters());
    }

    async fn told(&mut self) -> bool {
        let told = tokio::time::timeout(Duration::from_secs(10), self.inputs.recv()).await.unwrap().unwrap();
        match told.as_slice() {
            [Input::System { fault: SystemFault::MqttSpool, failing }] => *failing,
            other => panic!("{other:?}"),
        }
    }

    async fn all(&self, kind: Kind) -> Vec<String> {
        let mut all = Vec::new();
        loop {
            let blocks = self.spool.fetch(kind, 1 << 16).await.unwrap();
            if blocks.is_empty() {
                return all;
            }
            all.extend(blocks.into_iter().map(|block| String::from_utf8(block.payload).unwrap()));
        }
    }
}

#[tokio::test]
async fn k3_d1_a_full_spool_drops_the_oldest_telemetry_and_no_event() {
    let mut running = running(20_000, &Memory::default());
    assert!(!running.told().await);
    let noise = |seed: u32| {
        (0..200_u32)
            .map(|n| char::from(33 + (n.wrapping_mul(seed * 2 + 7919) >> 3).to_le_bytes()[0] % 90))
            .collect::<String>()
    };
    for number in 0..400_u32 {
        assert!(running.spool.telemetry(10, format!("{number} {}", noise(number)).into_bytes()));
        if number.is_multiple_of(10) {
            running.spool.event(format!("event {number}").into_bytes()).unwrap();
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
    }
    running.until("drops", |counters| 0 < SpoolCounters::get(&counters.dropped)).await;
    assert!(running.told().await, "an alarm stands");
    let counters = Arc::clone(running.spool.counters());
    running.spool.close().within(Duration::from_secs(5)).await;
    assert!(SpoolCounters::get(&counters.bytes) <= 22_000);
    assert_eq!(SpoolCounters::get(&counters.dropped_events), 0);
    let disk = running.disk.clone();
    let running = self::running(20_000, &disk);
    running.until("it is open", |counters| 0 < SpoolCounters::get(&counters.found)).await;
    assert_eq!(running.all(Kind::Events).await.len(), 40, "every event");
    let data = running.all(Kind::Telemetry).await;
    assert!(data.last().unwrap().starts_with("399 "), "the newest is there");
    let kept = data.len() as u64 * 10;
    assert_eq!(kept + SpoolCounters::get(&counters.dropped), 4000, "every entry is there or counted");
}

#[tokio::test]
async fn d3_a_read_only_disk_starts_and_alarms_and_takes_everything_once_it_can() {
    let disk = Memory::default();
    disk.inner().read_only = true;
    let mut running = running(1 << 20, &disk);
    running.spool.event(b"alarm".to_vec()).unwrap();
    running.spool.telemetry(5, b"five".to_vec());
    while !running.told().await {}
    assert_eq!(
        running.all(Kind::Events).await.len() + running.all(Kind::Telemetry).await.len(),
        1,
        "from memory"
    );
    disk.inner().read_only = false;
    while running.told().await {}
    running.spool.close().within(Duration::from_secs(5)).await;
    let running = self::running(1 << 20, &disk);
    running.until("it is open", |counters| SpoolCounters::get(&counters.found) == 6).await;
    assert_eq!(running.all(Kind::Events).await, ["alarm"]);
}

#[tokio::test]
async fn k4_memory_is_bounded_while_the_disk_fails_and_what_goes_is_counted() {
    let disk = Memory::default();
    disk.inner().calls = Some(0);
    let running = running(1 << 30, &disk);
    let mut state = 1_u64;
    for _ in 0..60 {
        let noise: Vec<u8> = (0..200_000)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (state >> 33).to_le_bytes()[0]
            })
            .collect();
        running.spool.telemetry(1, noise);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    running
        .until("counted", |counters| {
            let (dropped, waiting) =
                (SpoolCounters::get(&counters.dropped), SpoolCounters::get(&counters.waiting));
            dropped + waiting == 60 && waiting <= 21
        })
        .await;
}

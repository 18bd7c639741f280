//! A journal that ends anywhere: whatever byte was the last on the disk, the cut goes on in order, with no stage skipped and
//! no pulse given twice (S10, S11, D5).
//!
//! Each shape of a sequence is played once, with its journal in memory. Then, for every length that a power failure could
//! leave of it, the journal is opened anew and the core goes on with what it remembers. The last order that is in it had
//! left, or had not: both are played. `EMBERWATCH_TORN=1 cargo test --release --test torn -- --nocapture` plays every byte
//! of every shape; without it one length in so many.

#![expect(clippy::print_stdout, reason = "the summary is what it is for")]

#[path = "support/judging.rs"]
mod judging;
#[expect(dead_code, reason = "scenarios use the rest of it")]
#[path = "support/mirror.rs"]
mod mirror;
#[expect(dead_code, reason = "scenarios use the rest of it")]
#[path = "support/words.rs"]
mod words;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use emberwatch::exchange::Publication;
use emberwatch::safety::fact::{Input, Order, OrderId, Output};
use emberwatch::safety::memory::Memory;
use emberwatch::safety::sequence::{Phase, Run, StageState, Step};
use emberwatch::safety::site::{OutputKind, PointId, SequenceId, Site};
use emberwatch::safety::{Safety, TICK};
use emberwatch::store::options::JournalOptions;
use emberwatch::store::{Disk, Journal, SegmentFile};
use emberwatch::units::{ClockSync, Millis, Now, Uptime, Value, WallTime};
use tokio::sync::mpsc;

use crate::mirror::SiteText;

const BOOT: &str = "one-boot";
/// How long the first life lasts: past the end of every shape.
const LIFE: u64 = 30_000;
/// How long a life is dead.
const DEAD: u64 = 2_000;
/// Without every byte being asked for, one length in so many. A prime, so that records are hit at all their places.
const SAMPLED: usize = 149;

/// A stage: what it switches, what the site wrote of it, and whether its switch moves.
#[derive(Clone, Copy)]
struct StageShape {
    output: &'static str,
    after_failure: bool,
    on_fail: &'static str,
    attempts: u8,
    moves: bool,
}

const LEVEL: StageShape =
    StageShape { output: "level", after_failure: false, on_fail: "next", attempts: 2, moves: true };
const PULSE: StageShape = StageShape { output: "pulse", attempts: 1, ..LEVEL };
const STUCK: StageShape = StageShape { moves: false, ..LEVEL };
const STUCK_PULSE: StageShape = StageShape { moves: false, ..PULSE };
const UPSTREAM: StageShape = StageShape { after_failure: true, ..PULSE };

const SHAPES: [(&str, &[StageShape]); 9] = [
    ("one level", &[LEVEL]),
    ("one pulse", &[PULSE]),
    ("level, pulse, level", &[LEVEL, PULSE, LEVEL]),
    ("stuck level, pulse upstream", &[STUCK, UPSTREAM]),
    ("stuck pulse, pulse upstream", &[STUCK_PULSE, UPSTREAM]),
    ("other means not needed", &[PULSE, UPSTREAM, LEVEL]),
    ("three pulses", &[PULSE, PULSE, PULSE]),
    (
        "stuck level, stuck pulse upstream, level",
        &[STUCK, StageShape { after_failure: true, ..STUCK_PULSE }, LEVEL],
    ),
    ("stuck level that holds", &[LEVEL, StageShape { on_fail: "hold", ..STUCK }, LEVEL]),
];

/// The site of a shape: two detectors that both show danger, and a switch with a contact for each stage.
fn site(shape: &[StageShape]) -> Arc<Site> {
    let mut text = String::from(SITE);
    for index in 0..shape.len() {
        let _ = write!(text, "[[device.point]]\nid = \"contact-{index}\"\nreads = 1\n");
    }
    for (index, stage) in shape.iter().enumerate() {
        let output = stage.output;
        let _ = write!(
            text,
            "[[breaker]]\nid = \"switch/open-{index}\"\ndevice = \"switch\"\noutput = \"{output}\"\ntakes = \"200ms\"\n\
             moves = {{ \"switch/contact-{index}\" = 0 }}\n"
        );
    }
    text += SEQUENCE;
    for (index, stage) in shape.iter().enumerate() {
        let StageShape { after_failure, on_fail, attempts, .. } = stage;
        let _ = write!(
            text,
            "[[sequence.stage]]\nname = \"stage-{index}\"\naction = \"switch/open-{index}\"\n\
             after_failure = {after_failure}\npermissives = []\npermissive_age_max = \"2s\"\npermissive_wait = \"2s\"\n\
             delay = \"500ms\"\nverify = [{{ point = \"switch/contact-{index}\", is = 0 }}]\nverify_within = \"2s\"\n\
             attempts = {attempts}\non_fail = \"{on_fail}\"\n"
        );
    }
    let text: SiteText = toml::from_str(&text).unwrap_or_else(|why| panic!("{why}\n{text}"));
    Arc::new(text.plant().site)
}

const SITE: &str = r#"
[[zone]]
id = "rack"
room = "room"
[[device]]
id = "gas"
zone = "rack"
scan = "500ms"
[[device.point]]
id = "alarm"
reads = 1
[[device]]
id = "smoke"
zone = "rack"
scan = "500ms"
[[device.point]]
id = "alarm"
reads = 1
[[rule]]
id = "gas"
zone = "rack"
principle = "gas"
on_unknown = "hold"
[rule.state]
point = "gas/alarm"
on_delay = "0s"
off_delay = "5s"
cases = [{ is = 1, level = "danger" }]
[[rule]]
id = "smoke"
zone = "rack"
principle = "smoke"
on_unknown = "hold"
[rule.state]
point = "smoke/alarm"
on_delay = "0s"
off_delay = "5s"
cases = [{ is = 1, level = "danger" }]
[[rule]]
id = "fire"
zone = "rack"
principle = "vote"
on_unknown = "hold"
[rule.together]
channels = ["gas", "smoke"]
needed = 2
votes_at = "danger"
level = "danger"
hold = "60s"
on_channel_fault = "availability"
on_all_lost = "alarm"
grace = "15s"
one_vote_per = []
repair_within = "72h"
[[device]]
id = "switch"
zone = "rack"
scan = "500ms"
"#;

const SEQUENCE: &str = r#"
[[sequence]]
id = "cut"
zone = "rack"
mode = "armed"
trigger = "fire"
countdown = "1s"
on_restart = "resume"
"#;

/// Files in memory.
#[derive(Clone, Debug, Default)]
struct MemoryDisk(Arc<Mutex<BTreeMap<String, Vec<u8>>>>);

impl MemoryDisk {
    fn with<T>(&self, act: impl FnOnce(&mut BTreeMap<String, Vec<u8>>) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Disk for MemoryDisk {
    fn list(&mut self) -> io::Result<Vec<String>> {
        Ok(self.with(|files| files.keys().cloned().collect()))
    }
    fn size(&mut self, name: &str) -> io::Result<u64> {
        self.read(name).map(|bytes| bytes.len() as u64)
    }
    fn read(&mut self, name: &str) -> io::Result<Vec<u8>> {
        self.with(|files| files.get(name).cloned()).ok_or_else(|| io::ErrorKind::NotFound.into())
    }
    fn create(&mut self, name: &str, _: u64) -> io::Result<Box<dyn SegmentFile>> {
        self.with(|files| files.insert(name.to_owned(), Vec::new()));
        Ok(Box::new(MemoryFile { disk: self.clone(), name: name.to_owned() }))
    }
    fn cut(&mut self, name: &str, length: u64) -> io::Result<()> {
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        self.with(|files| files.entry(name.to_owned()).or_default().truncate(length));
        Ok(())
    }
    fn remove(&mut self, name: &str) -> io::Result<()> {
        self.with(|files| files.remove(name));
        Ok(())
    }
    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct MemoryFile {
    disk: MemoryDisk,
    name: String,
}

impl SegmentFile for MemoryFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.disk.with(|files| files.entry(self.name.clone()).or_default().extend_from_slice(bytes));
        Ok(bytes.len())
    }
    fn sync_data(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn open(disk: MemoryDisk, site: &Arc<Site>) -> (Journal, Memory) {
    let (inbox, _inputs) = mpsc::channel(64);
    let options =
        JournalOptions { directory: "/memory".into(), segment_bytes_max: 1 << 20, total_bytes_max: 16 << 20 };
    let opened = Journal::open_on(Box::new(disk), &options, BOOT, site, inbox);
    let (journal, recovered) = opened.expect("a journal that ends anywhere opens");
    (journal, recovered.memory)
}

/// The plant: which contacts are closed, and what is on its way.
struct World<'a> {
    shape: &'a [StageShape],
    first_contact: u32,
    closed: Vec<bool>,
    moving: Vec<(u64, usize)>,
    answers: Vec<(u64, OrderId)>,
    /// Stages in the order in which their commands arrived.
    arrived: Vec<u8>,
}

impl<'a> World<'a> {
    fn new(shape: &'a [StageShape], site: &Site) -> Self {
        let switch = &site.devices[site.devices.len() - 1];
        Self {
            shape,
            first_contact: switch.points.start,
            closed: vec![true; shape.len()],
            moving: Vec::new(),
            answers: Vec::new(),
            arrived: Vec::new(),
        }
    }

    fn arrives(&mut self, stage: u8, now: u64) {
        self.arrived.push(stage);
        if self.shape[usize::from(stage)].moves {
            self.moving.push((now + 200, usize::from(stage)));
        }
    }

    fn moves(&mut self, now: u64) {
        for (_, stage) in self.moving.extract_if(.., |(due, _)| *due <= now) {
            self.closed[stage] = false;
        }
    }

    fn reads(&self, point: u32) -> f64 {
        match point.checked_sub(self.first_contact) {
            Some(contact) => f64::from(u8::from(self.closed[contact as usize])),
            None => 1.0,
        }
    }
}

/// One life of the core over the world; orders go to the journal first.
fn live(
    site: &Arc<Site>,
    memory: &Memory,
    world: &mut World<'_>,
    journal: Option<&Journal>,
    from: u64,
) -> Run {
    let moment = |ms: u64| Now { uptime: Uptime(ms), wall: WallTime(1_790_000_000_000) };
    let mut core = Safety::new(site.clone(), memory, moment(from));
    let ticks = (from..from + LIFE).step_by(usize::try_from(TICK.0).expect("small"));
    for (number, now) in (1_u64..).zip(ticks) {
        world.moves(now);
        let mut inputs = Vec::new();
        let answered = world.answers.extract_if(.., |(due, _)| *due <= now);
        for (due, order) in answered {
            if let Some(journal) = journal {
                journal.answer(order, Uptime(due), Ok(()));
            }
            inputs.push(Input::Answered { order, at: Uptime(due), result: Ok(()) });
        }
        if now % 500 == 0 && from < now {
            for point in 0..u32::try_from(site.points.len()).expect("few") {
                let result =
                    Value::new(world.reads(point)).ok_or(emberwatch::safety::reading::ReadFault::Timeout);
                inputs.push(Input::Sampled {
                    point: PointId(point),
                    asked: Uptime(now - 50),
                    taken: Uptime(now),
                    result,
                });
            }
        }
        let mut out = Vec::new();
        core.scan(moment(now), &inputs, &mut out);
        let (mut facts, mut orders): (Vec<_>, Vec<Order>) = (Vec::new(), Vec::new());
        for output in out {
            match output {
                Output::Fact(fact) => facts.push(fact),
                Output::Order(order) => orders.push(order),
            }
        }
        if let Some(journal) = journal {
            journal.note(&Arc::new(Publication {
                number,
                now: moment(now),
                clock: ClockSync::Unknown,
                facts,
            }));
        }
        for order in orders {
            if let Some(journal) = journal {
                drop(journal.intent(&order, Millis(0)));
            }
            world.arrives(order.stage, now);
            world.answers.push((now + 100, order.id));
        }
    }
    match &core.sequence(SequenceId(0)).phase {
        Phase::Run(run) => run.clone(),
        Phase::Idle => panic!("a vote that stands has started a run"),
    }
}

/// One order in a journal.
struct Intent {
    stage: u8,
    /// Where its record ends: it leaves only once that is on the disk.
    durable_at: usize,
    /// Where its answer is told: it had left before.
    answered_at: usize,
}

/// The orders that are told in these bytes, in order.
fn intents(bytes: &[u8]) -> Vec<Intent> {
    let find = |needle: &str, from: usize| {
        let rest = &bytes[from..];
        rest.windows(needle.len()).position(|window| window == needle.as_bytes()).map(|at| from + at)
    };
    let mut all = Vec::new();
    while let Some(begin) = find(&format!("\"intent\":{{\"order\":{},", all.len() + 1), 0) {
        let end = begin + bytes[begin..].iter().position(|byte| *byte == b'}').expect("a record ends");
        let record = String::from_utf8_lossy(&bytes[begin..end]).into_owned();
        let stage = record.split("\"stage\":").nth(1).and_then(|rest| rest.split(',').next()?.parse().ok());
        let answer = find(&format!("\"answer\":{{\"order\":{},", all.len() + 1), end);
        all.push(Intent {
            stage: stage.expect("an intent has a stage"),
            durable_at: end + 1,
            answered_at: answer.unwrap_or(bytes.len()),
        });
    }
    all
}

/// What is wrong with how it went on, if anything.
fn complaint(shape: &[StageShape], world: &World<'_>, run: &Run) -> Option<String> {
    for (index, stage) in (0_u8..).zip(shape) {
        let times = world.arrived.iter().map(|arrived| usize::from(*arrived == index)).sum::<usize>();
        let most = if stage.output == "pulse" { 1 } else { usize::from(stage.attempts) };
        if most < times {
            return Some(format!("S10: stage {index} came {times} times"));
        }
    }
    if !world.arrived.is_sorted() {
        return Some(format!("S11: out of order: {:?}", world.arrived));
    }
    let rests = run.step.is_over() || matches!(run.step, Step::Held { .. });
    if !rests {
        return Some(format!("it has not come to an end: {:?}", run.step));
    }
    let last = run.stages.iter().rposition(|state| !matches!(state, StageState::Pending)).unwrap_or(0);
    let passed = |state: &StageState| {
        matches!(state, StageState::Verified | StageState::Skipped | StageState::Failed(_))
    };
    if !run.stages[..last].iter().all(passed) {
        return Some(format!("S11: a stage was skipped: {:?}", run.stages));
    }
    // What it says it saw is so.
    for (index, state) in run.stages.iter().enumerate() {
        if *state == StageState::Verified && world.closed[index] {
            return Some(format!("S21: stage {index} is verified and closed"));
        }
    }
    (run.step == Step::Done
        && shape
            .iter()
            .zip(&world.closed)
            .any(|(stage, closed)| stage.output == "level" && stage.moves && *closed))
    .then(|| "done, and a switch that moves is closed".to_owned())
}

/// The journal of a whole cut of this shape.
fn whole(shape: &[StageShape], site: &Arc<Site>) -> (String, Vec<u8>) {
    let disk = MemoryDisk::default();
    let (journal, memory) = open(disk.clone(), site);
    // A segment is headed by all that is known when it is begun: wait until nothing has happened yet at its head.
    while disk.with(|files| files.values().all(Vec::is_empty)) {
        std::thread::yield_now();
    }
    let mut world = World::new(shape, site);
    let run = live(site, &memory, &mut world, Some(&journal), 0);
    assert_eq!(complaint(shape, &world, &run), None, "without any failure");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    assert!(runtime.block_on(journal.close(Millis(20_000))), "everything is in it");
    disk.with(BTreeMap::pop_first).expect("a segment")
}

/// Plays what a power failure after so many bytes leaves; the complaints.
fn torn(
    shape: &[StageShape],
    site: &Arc<Site>,
    name: &str,
    bytes: &[u8],
    length: usize,
) -> (u64, Vec<String>) {
    let all = intents(bytes);
    let durable: Vec<&Intent> = all.iter().filter(|intent| intent.durable_at <= length).collect();
    let may_not_have_left = durable.last().is_some_and(|last| length < last.answered_at);
    let (mut cases, mut complaints) = (0, Vec::new());
    for last_left in [true, false] {
        if !last_left && !may_not_have_left {
            break;
        }
        cases += 1;
        let disk = MemoryDisk::default();
        disk.with(|files| files.insert(name.to_owned(), bytes[..length].to_vec()));
        let (journal, memory) = open(disk, site);
        let mut world = World::new(shape, site);
        for (index, intent) in durable.iter().enumerate() {
            if last_left || index + 1 < durable.len() {
                world.arrives(intent.stage, 0);
            }
        }
        world.moves(u64::MAX);
        let run = live(site, &memory, &mut world, None, LIFE + DEAD);
        drop(journal);
        if let Some(complaint) = complaint(shape, &world, &run) {
            let left = if last_left { "had left" } else { "had not left" };
            complaints
                .push(format!("at byte {length} of {}, the last order {left}: {complaint}", bytes.len()));
        }
    }
    (cases, complaints)
}

#[test]
fn d05_s11_a_cut_goes_on_in_order_wherever_its_journal_ends() {
    let step = if std::env::var_os("EMBERWATCH_TORN").is_some() { 1 } else { SAMPLED };
    let (mut cases, mut complaints) = (0_u64, Vec::new());
    for (what, shape) in SHAPES {
        let site = site(shape);
        assert!(
            site.actions
                .iter()
                .zip(shape)
                .all(|(action, stage)| { (action.output == OutputKind::Pulse) == (stage.output == "pulse") })
        );
        let (name, bytes) = whole(shape, &site);
        for length in (0..=bytes.len()).step_by(step) {
            let (played, found) = torn(shape, &site, &name, &bytes, length);
            cases += played;
            complaints.extend(found.into_iter().map(|complaint| format!("{what}: {complaint}")));
        }
        println!("{what}: {} bytes, {cases} cases so far, {} complaints", bytes.len(), complaints.len());
    }
    complaints.truncate(10);
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

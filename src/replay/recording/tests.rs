//! What is written is read, and what is damaged is told.

#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::replay::{Source as _, Step, matched};
use crate::safety::alarm::{AlarmRecord, AlarmState};
use crate::safety::fact::{CommandRecord, DriveFault, Input, OrderId, Request};
use crate::safety::memory::{Memory, SequenceMemory};
use crate::safety::reading::ReadFault;
use crate::safety::sequence::spec::Mode;
use crate::safety::sequence::{Phase, RunId, SequenceState};
use crate::safety::site::{AlarmId, PointId, Priority, SequenceId, SystemFault};
use crate::units::{Millis, Now, Uptime, Value, WallTime};
use crate::wire::testsite;

fn now(ms: u64) -> Now {
    Now { uptime: Uptime(5_000_000 + ms), wall: WallTime(1_795_369_325_120 + ms.cast_signed()) }
}

fn sample(point: u32, ms: u64, result: Result<f64, ReadFault>) -> Input {
    let (asked, taken) = (now(ms).uptime, now(ms + 12).uptime);
    let result = result.map(|number| Value::new(number).unwrap());
    Input::Sampled { point: PointId(point), asked, taken, result }
}

/// Some seconds with everything that can come in.
fn steps() -> Vec<Step> {
    let by = || "A. Kim".into();
    let (alarm, sequence) = (AlarmId(1), SequenceId(0));
    let requests = [
        Request::Acknowledge { alarm, occurrence: 7 },
        Request::ResetAlarm { alarm },
        Request::Abort { sequence, run: Some(RunId(0)) },
        Request::Abort { sequence, run: None },
        Request::Arm { sequence },
        Request::Disarm { sequence },
        Request::Select { sequence },
        Request::Start { sequence },
        Request::ResetSequence { sequence },
    ];
    let faults = [
        ReadFault::Timeout,
        ReadFault::Disconnected,
        ReadFault::Exception(255),
        ReadFault::Mismatch,
        ReadFault::Malformed,
        ReadFault::Sentinel,
        ReadFault::NotANumber,
        ReadFault::NotInService,
    ];
    let answers = [
        Ok(()),
        Err(DriveFault::NotSent),
        Err(DriveFault::Exception(4)),
        Err(DriveFault::NoAnswer),
        Err(DriveFault::WrongEcho),
        Err(DriveFault::NotAllowed),
    ];
    let mut all = vec![Step { now: now(0), inputs: Vec::new() }];
    for (index, request) in requests.into_iter().enumerate() {
        all.push(Step { now: now(100 * index as u64), inputs: vec![Input::Asked { by: by(), request }] });
    }
    let inputs = faults.into_iter().map(|fault| sample(2, 1000, Err(fault))).collect();
    all.push(Step { now: now(1000), inputs });
    let inputs =
        answers.into_iter().map(|result| Input::Answered { order: OrderId(9), at: Uptime(77), result });
    all.push(Step { now: now(1100), inputs: inputs.collect() });
    let inputs = SystemFault::TABLE.into_iter().map(|(fault, _)| Input::System { fault, failing: true });
    let logins = Input::Logins { ups: "ups-a".into(), at: Uptime(1190), count: 3 };
    all.push(Step { now: now(1200), inputs: inputs.chain([logins]).collect() });
    let receipt =
        |taken| Input::Delivered { sequence: SequenceId(1), notice: 7, target: "owners".into(), taken };
    let command = CommandRecord {
        room: crate::safety::site::RoomId(1),
        by: "mqtt:console".into(),
        actor: "j.doe".into(),
        verb: "abort".into(),
        target: "cut-rack-1".into(),
        id: "01KAXQ".into(),
        reason: "steam".into(),
        rejected: "stale-revision".into(),
        unrecorded: 300,
    };
    let command = Input::Commanded(Box::new(command));
    all.push(Step { now: now(1250), inputs: vec![receipt(true), receipt(false), command] });
    // The wall clock steps back by an hour.
    let stepped = Now { wall: WallTime(now(1300).wall.0 - 3_600_000), ..now(1300) };
    all.push(Step { now: stepped, inputs: vec![sample(1, 1290, Ok(23.4)), sample(0, 1290, Ok(-0.1))] });
    for second in 2..40_u64 {
        let value = 20.0 + 0.1 * f64::from(u32::try_from(second % 5).unwrap());
        let inputs = (0..3).map(|point| sample(point, 1000 * second, Ok(value))).collect();
        all.push(Step { now: now(1000 * second + 20), inputs });
    }
    all
}

fn memory() -> Memory {
    let mut memory = Memory { same_boot: true, ..Memory::default() };
    let record = AlarmRecord {
        state: AlarmState::LatchedUnack,
        priority: Some(Priority::Critical),
        occurrence: 3,
        acknowledged_by: Some("A. Kim".into()),
        ..AlarmRecord::default()
    };
    memory.alarms.insert("cell-temp".to_owned(), record);
    let state = SequenceState { mode: Mode::Shadow, phase: Phase::Idle, proven: None };
    let sequence = SequenceMemory { state, configured: Mode::Armed, stages: vec!["Open breaker".to_owned()] };
    memory.sequences.insert("cut-rack-1".to_owned(), sequence);
    memory.numbers.order = 41;
    memory
}

/// A recording of `steps`, in blocks of a few scans, and where its blocks begin.
fn recording(steps: &[Step]) -> (Vec<u8>, Vec<usize>) {
    let site = testsite::site();
    let head = Head { site: "s1".into(), started_wall_ms: -5, ..Head::default() };
    let mut bytes = Encoder::opening(&head, &Names::of(&site), &Beginning::of(&memory()));
    let mut encoder = Encoder::default();
    let mut starts = vec![bytes.len()];
    for (index, step) in steps.iter().enumerate() {
        let lost = if index == 5 { Lost { scans: 2, inputs: 60 } } else { Lost::default() };
        encoder.add(step.now, &step.inputs, lost);
        if index % 8 == 7 {
            bytes.extend(encoder.close_block());
            starts.push(bytes.len());
        }
    }
    bytes.extend(Encoder::frames("room", &[Frame { wall_us: 1, sent: true, bytes: vec![1, 3] }]));
    bytes.extend(encoder.close());
    (bytes, starts)
}

fn read(bytes: &[u8]) -> (Vec<Step>, Reader<&[u8]>) {
    let mut reader = Reader::open(bytes).unwrap();
    let mut steps = Vec::new();
    while let Some((step, _)) = reader.next_scan() {
        steps.push(step);
    }
    (steps, reader)
}

#[test]
fn everything_that_came_in_is_read_back_exactly() {
    let steps = steps();
    let (bytes, _) = recording(&steps);
    let (back, reader) = read(&bytes);
    assert_eq!(back, steps);
    assert_eq!((reader.ending(), reader.frames), (Some(&Ending::Whole), 1));
    assert_eq!((reader.totals.lost_scans, reader.totals.lost_inputs), (2, 60));
    assert_eq!(reader.head.started_wall_ms, -5);
    assert_eq!(reader.names.points[0], ("bms-1/cell-temp-max".to_owned(), "degC".to_owned()));
    assert_eq!(reader.beginning.memory(), memory());
}

#[test]
fn a_file_cut_at_any_byte_plays_up_to_the_cut_and_says_so() {
    let steps = steps();
    let (bytes, starts) = recording(&steps);
    for cut in starts[0]..bytes.len() {
        let (back, reader) = read(&bytes[..cut]);
        assert_eq!(back, steps[..back.len()], "cut at {cut}");
        let whole_blocks = starts.iter().filter(|start| **start <= cut).count() - 1;
        assert!(8 * whole_blocks <= back.len(), "cut at {cut}: {} scans", back.len());
        assert_ne!(reader.ending(), Some(&Ending::Whole), "cut at {cut}");
    }
    for cut in 0..starts[0] {
        assert!(Reader::open(&bytes[..cut]).is_err(), "a head cut at {cut}");
    }
}

#[test]
fn a_flipped_bit_in_any_block_is_found_and_located() {
    let steps = steps();
    let (bytes, starts) = recording(&steps);
    for at in starts[0]..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1 << (at % 8);
        let (back, reader) = read(&damaged);
        assert_eq!(back, steps[..back.len()], "bit of byte {at}");
        let Some(Ending::Damaged(damage)) = reader.ending() else {
            panic!("byte {at}: {:?}", reader.ending())
        };
        assert!(damage.offset <= at as u64, "{damage}");
        let before = starts.iter().rfind(|start| **start <= at).unwrap();
        assert!(*before as u64 <= damage.offset, "{damage} for byte {at}");
    }
}

proptest::proptest! {
    #[test]
    fn any_bytes_in_a_block_that_is_whole_are_read_without_a_panic(
        payload in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200),
    ) {
        let (mut bytes, starts) = recording(&steps());
        bytes.truncate(starts[0]);
        bytes.extend(block(BlockKind::Scans, &payload));
        let mut reader = Reader::open(&bytes[..]).unwrap();
        while reader.next_scan().is_some() {}
        assert_ne!(reader.ending(), Some(&Ending::Whole));
    }
}

#[test]
fn another_file_is_refused_and_another_version_named() {
    assert!(matches!(Reader::open(&b"time,value\n1,2\n"[..]), Err(OpenFault::NoRecording)));
    assert!(matches!(Reader::open(&b"EMBERREC 2\n"[..]), Err(OpenFault::Version)));
}

#[test]
fn many_samples_cost_few_bytes() {
    let mut encoder = Encoder::default();
    let mut bytes = 0;
    for second in 0..60_u64 {
        let inputs: Vec<Input> = (0..1000)
            .map(|point| sample(point, 1000 * second, Ok(20.0 + 0.1 * f64::from(point % 9))))
            .collect();
        encoder.add(now(1000 * second + 30), &inputs, Lost::default());
        if encoder.is_due() {
            bytes += encoder.close_block().len();
        }
    }
    bytes += encoder.close().len();
    assert!(bytes < 60_000 * 2, "{bytes} bytes for 60,000 samples");
}

#[test]
fn a_site_takes_from_a_recording_what_it_has_and_polls_can_be_thinned_out() {
    let steps = steps();
    let (bytes, _) = recording(&steps);
    let mut site = testsite::site();
    site.points[1].unit = crate::units::Unit::Volt;
    site.points[2].name = "place".to_owned();
    let reader = Reader::open(&bytes[..]).unwrap();
    let found = matched(&reader.names, &site);
    assert_eq!(found.points, [Some(PointId(0)), None, None]);
    assert_eq!(found.unknown, ["brk-1/position"]);
    assert_eq!(found.other_unit, [("bms-1/soc".to_owned(), "%".to_owned(), "V".to_owned())]);
    let mut source = RecordingSource::new(reader, found, Some(Millis::from_secs(10)));
    let mut taken = Vec::new();
    while let Some(step) = source.next() {
        for input in step.inputs {
            if let Input::Sampled { point, taken: at, .. } = input {
                taken.push((point.0, at.0 / 10_000));
            }
        }
    }
    taken.dedup();
    assert_eq!(taken, [(0, 500), (0, 501), (0, 502), (0, 503)], "one a poll, and only of points that fit");
    assert_eq!(source.gaps.len(), 1);
}

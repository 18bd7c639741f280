//! How many times faster than real time a replay goes: 2,500 points at 1 s, as `emberwatch replay` plays them (with
//! timeline, summary and digest). `cargo bench --bench replay`.

#![expect(clippy::print_stdout, reason = "the result of a measurement")]

use std::sync::Arc;

use emberwatch::clock;
use emberwatch::replay::recording::{Beginning, Encoder, Head, Lost, Names, Reader, RecordingSource};
use emberwatch::replay::{Answers, Digest, Firsts, Player, Timeline, matched};
use emberwatch::safety::TICK;
use emberwatch::safety::fact::Input;
use emberwatch::safety::memory::Memory;
use emberwatch::safety::rules::limit::{Limit, Side, Step};
use emberwatch::safety::rules::{OnUnknown, Rule, RuleKind};
use emberwatch::safety::site::{
    Device, DeviceId, DeviceKind, Labels, Point, PointId, Room, RoomId, Site, Zone, ZoneId,
};
use emberwatch::units::{Millis, Now, Unit, Uptime, Value, WallTime};

const POINTS: u32 = 2500;
const PER_DEVICE: u32 = 125;
const SECONDS: u64 = 600;
/// What is aimed at.
const GOAL: f64 = 1000.0;

fn main() {
    let site = Arc::new(site());
    let bytes = recording(&site);
    #[expect(clippy::cast_precision_loss, reason = "a few megabytes")]
    let per_hour = bytes.len() as f64 * 3600.0 / SECONDS as f64 / 1e6;
    println!("{POINTS} points at 1 s: {per_hour:.1} MB an hour");
    for round in 1..=3 {
        let begun = clock::uptime_us();
        let reader = Reader::open(&bytes[..]).expect("just written");
        let found = matched(&reader.names, &site);
        let fed = found.fed(&site);
        let mut source = RecordingSource::new(reader, found, None);
        let player = Player::new(Arc::clone(&site), Memory::default(), Answers::Recorded, fed, None);
        let (mut timeline, mut firsts, mut digest) =
            (Timeline::default(), Firsts::default(), Digest::default());
        let played = player.play(&mut source, &mut |site, moment| {
            timeline.hear(site, moment);
            firsts.hear(site, moment);
            digest.hear(site, moment);
        });
        #[expect(clippy::cast_precision_loss, reason = "a duration in microseconds")]
        let took = (clock::uptime_us() - begun) as f64 / 1e6;
        let times = played.lasted.as_secs_f64() / took;
        let samples = played.inputs;
        println!("round {round}: {samples} samples in {took:.3} s: {times:.0} x real time (goal {GOAL:.0})");
        drop(digest.finish());
    }
}

fn moment(ms: u64) -> Now {
    Now { uptime: Uptime(1_000_000 + ms), wall: WallTime(0) }
}

/// Two devices every 100 ms, each with all its points: 2,500 samples a second in ten scans.
fn recording(site: &Site) -> Vec<u8> {
    let mut bytes = Encoder::opening(&Head::default(), &Names::of(site), &Beginning::default());
    let mut encoder = Encoder::default();
    for tick in 0..SECONDS * 1000 / TICK.0 {
        let now = moment(tick * TICK.0);
        let first = u32::try_from(tick % 10).expect("below ten") * 2 * PER_DEVICE;
        let inputs: Vec<Input> = (first..first + 2 * PER_DEVICE)
            .map(|point| {
                let step = u32::try_from(tick % 70).expect("below seventy") / 10;
                let value = 20.0 + f64::from((point + step) % 9) * 0.1;
                let result = Ok(Value::new(value).expect("finite"));
                Input::Sampled { point: PointId(point), asked: now.uptime, taken: now.uptime, result }
            })
            .collect();
        encoder.add(now, &inputs, Lost::default());
        if encoder.is_due() {
            bytes.extend(encoder.close_block());
        }
    }
    bytes.extend(encoder.close());
    bytes
}

/// Every point has a limit.
fn site() -> Site {
    let mut site = Site::default();
    site.rooms.push(Room { name: "room-a".into(), title: String::new() });
    site.zones.push(Zone { name: "zone-a".into(), title: String::new(), room: RoomId(0) });
    let delay = Millis(2000);
    let step = |limit| Some(Step { limit, on_delay: delay, off_delay: delay, extreme: None });
    for device in 0..POINTS / PER_DEVICE {
        site.devices.push(Device {
            name: format!("device-{device}"),
            title: String::new(),
            zone: ZoneId(0),
            kind: DeviceKind::Battery,
            points: device * PER_DEVICE..(device + 1) * PER_DEVICE,
            silent_after: Millis(3000),
            switches: false,
        });
    }
    for point in 0..POINTS {
        site.points.push(Point {
            name: format!("point-{point}"),
            device: DeviceId(point / PER_DEVICE),
            unit: Unit::Celsius,
            period: Millis(1000),
            stale_after: Millis(3000),
            range: Some((-40.0, 200.0)),
            fall_per_s_max: None,
            frozen: None,
            labels: Labels::None,
        });
        let steps = [step(45.0), step(55.0), step(80.0)];
        let limit =
            Limit { point: PointId(point), side: Side::Above, deadband: 1.0, steps, projection: None };
        site.rules.push(Rule {
            name: format!("rule-{point}"),
            zone: ZoneId(0),
            principle: "temperature".into(),
            on_unknown: OnUnknown::Hold,
            kind: RuleKind::Limit(limit),
        });
    }
    site
}

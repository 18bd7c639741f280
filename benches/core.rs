//! How many samples a second one core carries through quality, rules and risk.
//!
//! 2,500 points on 40 devices in 8 zones, each point with a limit, every tenth with a rate, a vote per zone;
//! batches of 125 samples per scan, as a poll of two devices gives. `cargo bench --bench core`.

use std::sync::Arc;

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use emberwatch::safety::fact::{Input, Output};
use emberwatch::safety::memory::Memory;
use emberwatch::safety::risk::Level;
use emberwatch::safety::rules::limit::{Limit, Side, Step};
use emberwatch::safety::rules::rate::Rate;
use emberwatch::safety::rules::together::{OnAllLost, OnChannelFault, Together};
use emberwatch::safety::rules::{OnUnknown, Rule, RuleKind};
use emberwatch::safety::site::{
    Device, DeviceId, DeviceKind, Frozen, Labels, Point, PointId, Room, RoomId, RuleId, Site, Zone, ZoneId,
};
use emberwatch::safety::{GAP_MAX, Safety};
use emberwatch::units::{Millis, Now, Unit, Uptime, Value, WallTime};

const ZONES: u32 = 8;
const DEVICES: u32 = 40;
const POINTS: u32 = 2500;
const BATCH: usize = 125;
/// One round of all points takes so long: 2,500 points a second in batches 50 ms apart.
const SCAN_EVERY: u64 = 50;

fn main() {
    divan::main();
}

/// Every point has a limit and nothing else: the floor.
#[divan::bench]
fn limits_only(bencher: Bencher<'_, '_>) {
    carry(bencher, &site(0, 0));
}

/// The plant of the target: limits, every tenth point with a rate, a vote per zone.
#[divan::bench]
fn limits_rates_and_votes(bencher: Bencher<'_, '_>) {
    carry(bencher, &site(10, 0));
}

/// The same, with every fifth point watched for standing still.
#[divan::bench]
fn limits_rates_votes_and_frozen(bencher: Bencher<'_, '_>) {
    carry(bencher, &site(10, 5));
}

fn carry(bencher: Bencher<'_, '_>, site: &Arc<Site>) {
    let mut core = Safety::new(site.clone(), &Memory::default(), moment(0));
    let mut batches: Vec<Vec<Input>> = samples(POINTS).chunks(BATCH).map(<[Input]>::to_vec).collect();
    let (mut now, mut turn) = (0, 0);
    let mut out: Vec<Output> = Vec::new();
    let mut scan = || {
        now += SCAN_EVERY;
        let count = batches.len();
        let batch = &mut batches[turn % count];
        turn += 1;
        stamp(batch, now);
        out.clear();
        core.scan(moment(now), black_box(batch), &mut out);
        out.len()
    };
    // A minute first: windows full, everything known.
    for _ in 0..60_000 / SCAN_EVERY {
        scan();
    }
    bencher.counter(ItemsCount::new(BATCH)).bench_local(scan);
}

/// One hour of a room of 40 points, read every 10 s, with the loop's own ticks in between: room-hours a second.
#[divan::bench]
fn room_hours(bencher: Bencher<'_, '_>) {
    const ROOM: u32 = 40;
    let site = plant(ROOM, 8, 1, 10, 0);
    let mut core = Safety::new(site, &Memory::default(), moment(0));
    let mut batch = samples(ROOM);
    let mut now = 0;
    let mut out: Vec<Output> = Vec::new();
    let mut hour = || {
        for _ in 0..3_600_000 / GAP_MAX.0 {
            now += GAP_MAX.0;
            out.clear();
            if now % 10_000 == 0 {
                stamp(&mut batch, now);
                core.scan(moment(now), black_box(&batch), &mut out);
            } else {
                core.scan(moment(now), &[], &mut out);
            }
        }
        out.len()
    };
    hour();
    bencher.counter(ItemsCount::new(1_usize)).bench_local(hour);
}

/// Whether cost grows with the plant: one round of all points, from 1,000 to 100,000 of them.
#[divan::bench(args = [1_000, 10_000, 100_000])]
fn one_round(bencher: Bencher<'_, '_>, points: u32) {
    let site = plant(points, points / 50, 8, 10, 0);
    let mut core = Safety::new(site, &Memory::default(), moment(0));
    let mut batches: Vec<Vec<Input>> = samples(points).chunks(BATCH).map(<[Input]>::to_vec).collect();
    let mut now = 0;
    let mut out: Vec<Output> = Vec::new();
    let mut round = || {
        now += 1000;
        for batch in &mut batches {
            stamp(batch, now);
            out.clear();
            core.scan(moment(now), black_box(batch), &mut out);
        }
        out.len()
    };
    for _ in 0..3 {
        round();
    }
    bencher.counter(ItemsCount::new(points)).bench_local(round);
}

fn stamp(batch: &mut [Input], now: u64) {
    for input in batch {
        if let Input::Sampled { asked, taken, .. } = input {
            (*asked, *taken) = (Uptime(now - 20), Uptime(now - 10));
        }
    }
}

fn moment(now: u64) -> Now {
    Now { uptime: Uptime(now), wall: WallTime(0) }
}

fn samples(points: u32) -> Vec<Input> {
    let one = |point| Input::Sampled {
        point: PointId(point),
        asked: Uptime(0),
        taken: Uptime(0),
        result: Ok(Value::new(20.0 + f64::from(point % 7)).expect("finite")),
    };
    (0..points).map(one).collect()
}

/// `rate_every`th point has a rate and `frozen_every`th is watched for standing still; zero for none.
fn site(rate_every: u32, frozen_every: u32) -> Arc<Site> {
    plant(POINTS, DEVICES, ZONES, rate_every, frozen_every)
}

fn plant(points: u32, devices: u32, zones: u32, rate_every: u32, frozen_every: u32) -> Arc<Site> {
    let mut site = Site::default();
    site.rooms.push(Room { name: "room-a".into(), title: String::new() });
    for zone in 0..zones {
        site.zones.push(Zone { name: format!("zone-{zone}"), title: String::new(), room: RoomId(0) });
    }
    let per_device = points / devices;
    for device in 0..devices {
        let last = if device + 1 == devices { points } else { (device + 1) * per_device };
        site.devices.push(Device {
            name: format!("device-{device}"),
            title: String::new(),
            zone: ZoneId(device % zones),
            kind: DeviceKind::Battery,
            points: device * per_device..last,
            silent_after: Millis(31_000),
            switches: false,
        });
    }
    for point in 0..points {
        let is_nth = |every: u32| every != 0 && point.is_multiple_of(every);
        let device = DeviceId((point / per_device).min(devices - 1));
        let siblings = (1..=3).map(|step| PointId((point + step) % points)).collect();
        site.points.push(Point {
            name: format!("point-{point}"),
            device,
            unit: Unit::Celsius,
            period: Millis(10_000),
            stale_after: Millis(31_000),
            range: Some((-40.0, 200.0)),
            fall_per_s_max: None,
            frozen: is_nth(frozen_every).then_some(Frozen { after: Millis(600_000), siblings, moved: 2.0 }),
            labels: Labels::None,
        });
        let zone = site[device].zone;
        add_rule(&mut site, zone, RuleKind::Limit(limit(PointId(point))));
        if is_nth(rate_every) {
            add_rule(&mut site, zone, RuleKind::Rate(rate(PointId(point))));
        }
    }
    if rate_every != 0 {
        for zone in 0..zones {
            let channels: Vec<RuleId> = (0..site.rules.len())
                .map(RuleId::at)
                .filter(|rule| site[*rule].zone == ZoneId(zone))
                .take(3)
                .collect();
            add_rule(&mut site, ZoneId(zone), RuleKind::Together(vote(channels)));
        }
    }
    Arc::new(site)
}

fn add_rule(site: &mut Site, zone: ZoneId, kind: RuleKind) {
    let name = format!("rule-{}", site.rules.len());
    site.rules.push(Rule { name, zone, principle: "temperature".into(), on_unknown: OnUnknown::Hold, kind });
}

fn steps(limits: [f64; 3]) -> [Option<Step>; 3] {
    let delay = Millis(2000);
    limits.map(|limit| Some(Step { limit, on_delay: delay, off_delay: delay, extreme: None }))
}

fn limit(point: PointId) -> Limit {
    Limit { point, side: Side::Above, deadband: 1.0, steps: steps([45.0, 55.0, 80.0]), projection: None }
}

fn rate(point: PointId) -> Rate {
    Rate {
        point,
        side: Side::Above,
        window: Millis(60_000),
        samples_min: 3,
        floor: None,
        deadband: 0.5,
        steps: steps([3.0, 6.0, 10.0]),
    }
}

fn vote(channels: Vec<RuleId>) -> Together {
    Together {
        one_vote_per: Vec::new(),
        rivals: vec![0; channels.len()],
        repair_within: Millis(72 * 3_600_000),
        channels,
        needed: 2,
        votes_at: Level::Danger,
        level: Level::Danger,
        hold: Millis(60_000),
        on_channel_fault: OnChannelFault::Safety,
        on_all_lost: OnAllLost::Alarm,
        grace: Millis(15_000),
    }
}

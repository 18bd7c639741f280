//! Invariants that compare two histories, and that the seeded simulation therefore cannot see in one: S7, S19 and S23,
//! on the shipped example with its sequences armed.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::Path;
use std::sync::Arc;

use emberwatch::safety::fact::{Fact, Input, Output, Request};
use emberwatch::safety::memory::Memory;
use emberwatch::safety::reading::ReadFault;
use emberwatch::safety::risk::Level;
use emberwatch::safety::sequence::spec::Mode;
use emberwatch::safety::site::{Labels, PointId, Priority, Site};
use emberwatch::safety::{GAP_MAX, Safety};
use emberwatch::units::{Millis, Now, Unit, Uptime, Value, WallTime};
use proptest::prelude::*;

/// The example, with all that cuts armed.
fn armed_example() -> Arc<Site> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/emberwatch.toml");
    let loaded = emberwatch::config::load(&[path]).unwrap_or_else(|complaints| panic!("{complaints}"));
    let mut site = Site::clone(&loaded.site);
    // What sounds a siren or starts a fan does so at a single warning, and is meant to.
    for sequence in &mut site.sequences {
        let cuts = sequence.stages.iter().any(|stage| stage.cuts.something());
        sequence.mode = if cuts { Mode::Armed } else { Mode::Shadow };
    }
    Arc::new(site)
}

fn point(site: &Site, name: &str) -> PointId {
    let (device, point) = name.split_once('/').unwrap();
    let is = |spec: &emberwatch::safety::site::Point| spec.name == point && site[spec.device].name == device;
    PointId::at(site.points.iter().position(is).unwrap_or_else(|| panic!("no point {name}")))
}

/// The example's room, read once a second.
struct Room {
    site: Arc<Site>,
    core: Safety,
    now: u64,
    reads: Vec<f64>,
    silent: Vec<bool>,
    late: Vec<(u64, Input)>,
    orders: usize,
}

impl Room {
    fn new(site: &Arc<Site>) -> Self {
        let reads = site.points.iter().map(|spec| match (spec.unit, &spec.labels) {
            (Unit::Celsius, _) if spec.name.contains("spread") => 1.0,
            (Unit::Celsius, _) => 25.0,
            (Unit::Volt, _) => 3.3,
            // Contacts are closed, and no alarm bit is set.
            (Unit::None, Labels::Enum(_)) => 1.0,
            _ => 0.0,
        });
        let core = Safety::new(Arc::clone(site), &Memory::default(), moment(0));
        let (reads, silent) = (reads.collect(), vec![false; site.devices.len()]);
        Self { site: Arc::clone(site), core, now: 0, reads, silent, late: Vec::new(), orders: 0 }
    }

    /// One second: all points are read, then the loop ticks. `fate` says what becomes of each sample: delivered after
    /// so many milliseconds, so many times, or lost.
    fn second(&mut self, mut fate: impl FnMut(PointId) -> Option<(u64, usize)>) {
        let asked = Uptime(self.now);
        for (index, spec) in self.site.points.iter().enumerate() {
            let id = PointId::at(index);
            let Some((delay, times)) = fate(id) else { continue };
            let beats = spec.name.contains("heartbeat");
            #[expect(clippy::cast_precision_loss, reason = "seconds of a test")]
            let value = if beats { self.now as f64 / 1000.0 } else { self.reads[index] };
            let taken = asked.plus(Millis(20 + delay));
            let result = if self.silent[spec.device.index()] {
                Err(ReadFault::Timeout)
            } else {
                Value::new(value).ok_or(ReadFault::NotANumber)
            };
            for copy in 0..times {
                let due = taken.0 + 700 * copy as u64;
                self.late.push((due, Input::Sampled { point: id, asked, taken, result }));
            }
        }
        for _ in 0..1000 / GAP_MAX.0 {
            self.now += GAP_MAX.0;
            let due: Vec<Input> =
                self.late.extract_if(.., |(due, _)| *due <= self.now).map(|(_, input)| input).collect();
            let mut out = Vec::new();
            self.core.scan(moment(self.now), &due, &mut out);
            self.orders += out.iter().filter(|output| matches!(output, Output::Order(_))).count();
        }
    }

    fn read(&mut self, seconds: usize) {
        for _ in 0..seconds {
            self.second(|_| Some((0, 1)));
        }
    }

    fn worst(&self) -> Level {
        (0..self.site.zones.len())
            .map(|zone| self.core.level(emberwatch::safety::site::ZoneId::at(zone)))
            .max()
            .unwrap()
    }
}

fn moment(ms: u64) -> Now {
    Now { uptime: Uptime(ms), wall: WallTime(0) }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn s7_a_higher_value_after_the_same_history_never_looks_safer(
        history in prop::collection::vec(0.0..30.0_f64, 0..40),
        last in 0.0..60.0_f64,
        more in 0.0..60.0_f64,
        name in prop::sample::select(vec!["bms-1/cell-temp-spread", "gas-1/concentration", "bms-1/cell-temp-max"]),
    ) {
        let site = armed_example();
        let judged = point(&site, name);
        let level_after = |end: f64| {
            let mut room = Room::new(&site);
            for value in history.iter().chain([&end]) {
                // What falls faster than it can is doubted and holds: that is another rule.
                room.reads[judged.index()] = if name.ends_with("max") { 25.0 + value / 10.0 } else { *value };
                room.read(1);
            }
            room.worst()
        };
        // Outside of its physical range no number is believed: a detector ends at 100 %LFL.
        prop_assert!(level_after(last) <= level_after((last + more).min(99.0)));
    }

    #[test]
    fn s7_older_data_after_the_same_history_never_looks_safer(
        history in prop::collection::vec(0.0..30.0_f64, 1..30),
        silence in 0..60_usize,
        more in 0..60_usize,
    ) {
        let site = armed_example();
        let (judged, device) = (point(&site, "bms-1/cell-temp-spread"), point(&site, "bms-1/soc"));
        let level_after = |seconds: usize| {
            let mut room = Room::new(&site);
            for value in &history {
                room.reads[judged.index()] = *value;
                room.read(1);
            }
            room.silent[site[device].device.index()] = true;
            let mut worst = room.worst();
            for _ in 0..seconds {
                room.read(1);
                // A level that was left while data grew older would be one that silence cleared.
                assert!(worst <= room.worst(), "silence cleared {worst:?}");
                worst = room.worst();
            }
            worst
        };
        prop_assert!(level_after(silence) <= level_after(silence + more));
    }

    #[test]
    fn s19_lost_late_and_repeated_messages_never_cause_a_command(seed in any::<u64>()) {
        let site = armed_example();
        let (heat, gas) = (point(&site, "bms-1/cell-temp-max"), point(&site, "gas-1/concentration"));
        // One principle after the other at danger, further apart than a vote is held: no command without a fault.
        let story = |room: &mut Room, second: u64| {
            room.reads[heat.index()] = if (20..50).contains(&second) { 90.0 } else { 25.0 };
            room.reads[gas.index()] = if (250..280).contains(&second) { 60.0 } else { 0.0 };
        };
        let mut plain = Room::new(&site);
        let mut disturbed = Room::new(&site);
        let mut dice = seed | 1;
        let mut roll = |of: u64| {
            dice ^= dice << 13;
            dice ^= dice >> 7;
            dice ^= dice << 17;
            dice % of
        };
        for second in 0..340 {
            story(&mut plain, second);
            story(&mut disturbed, second);
            plain.read(1);
            disturbed.second(|_| match roll(10) {
                0 => None,
                1 => Some((roll(2500), 1)),
                2 => Some((0, 2)),
                _ => Some((0, 1)),
            });
        }
        prop_assert_eq!(plain.orders, 0);
        prop_assert_eq!(disturbed.orders, 0);
    }
}

#[test]
fn s23_an_armed_sequence_with_a_silent_switch_has_a_critical_alarm_within_five_seconds() {
    let site = armed_example();
    let relay = site[point(&site, "relay-1/breaker-1")].device;
    assert!(site[relay].switches);
    let mut room = Room::new(&site);
    room.read(10);
    let index = site.alarms.iter().position(|alarm| alarm.name == "relay-1-silent").unwrap();
    let alarm = emberwatch::safety::site::AlarmId::at(index);
    assert!(!room.core.alarm(alarm).state.is_active());
    room.silent[relay.index()] = true;
    room.read(5);
    let record = room.core.alarm(alarm);
    assert!(record.state.is_active(), "{record:?}");
    assert_eq!(record.priority, Some(Priority::Critical));
}

#[test]
fn the_room_of_these_tests_warns_and_cuts_when_it_burns() {
    let site = armed_example();
    let mut room = Room::new(&site);
    room.read(10);
    assert_eq!((room.worst(), room.orders), (Level::Normal, 0));
    room.reads[point(&site, "bms-1/cell-temp-spread").index()] = 12.0;
    room.read(12);
    assert_eq!(room.worst(), Level::Warning);
    room.reads[point(&site, "bms-1/cell-temp-max").index()] = 90.0;
    room.reads[point(&site, "gas-1/concentration").index()] = 60.0;
    room.read(60);
    assert_eq!(room.worst(), Level::Danger);
    assert!(0 < room.orders, "the sequences of this room can cut");
}

#[test]
fn s16_a_detector_of_the_example_can_be_bypassed_by_two_persons() {
    let site = armed_example();
    let mut room = Room::new(&site);
    room.read(30);
    let index = site.alarms.iter().position(|alarm| alarm.name == "smoke-rack-1-bypassed").unwrap();
    let alarm = emberwatch::safety::site::AlarmId::at(index);
    for (who, proposed) in [("anna", true), ("ben", false)] {
        let request = Request::Waive { alarm, lasting: Millis::from_secs(60), reason: "new sensor".into() };
        let asked = Input::Asked { by: who.into(), request };
        let mut out = Vec::new();
        room.core.scan(moment(room.now), &[asked], &mut out);
        let said = out.iter().find_map(|output| match output {
            Output::Fact(Fact::Proposed { .. }) => Some(Ok(true)),
            Output::Fact(Fact::Followed { .. }) => Some(Ok(false)),
            Output::Fact(Fact::Refused { why, .. }) => Some(Err(*why)),
            _ => None,
        });
        assert_eq!(said, Some(Ok(proposed)), "{who}");
    }
    assert!(room.core.alarm(alarm).state.is_active());
}

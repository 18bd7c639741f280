//! The whole core on a small site: scans in, facts and what can be asked out.

use super::*;
use crate::safety::reading::{Distrust, ReadFault};
use crate::safety::rules::limit::{Limit, Side, Step};
use crate::safety::rules::together::{OnAllLost, OnChannelFault, Together};
use crate::safety::rules::{OnUnknown, Rule, RuleKind};
use crate::safety::sequence::spec::{LoginWait, OnFail, Sequence, Stage};
use crate::safety::sequence::tests::{sequence, stage};
use crate::safety::site::{
    Action, Alarm, Device, DeviceId, DeviceKind, Labels, OutputKind, Point, Room, RoomId, RuleId,
    SystemFault, Zone,
};
use crate::units::{Unit, Value, WallTime};

const HOT: AlarmId = AlarmId(0);
const SILENT: AlarmId = AlarmId(1);
const SWITCH_SILENT: AlarmId = AlarmId(2);
const FAULTY: AlarmId = AlarmId(3);
const WEAKENED: AlarmId = AlarmId(4);
const BLIND: AlarmId = AlarmId(5);
const JOURNAL: AlarmId = AlarmId(6);

/// A sensor and a switch, both silent after 3 s; a limit on the sensor, and a vote of it alone.
fn site() -> Site {
    let mut site = Site::default();
    site.rooms.push(Room { name: "room".into(), title: String::new() });
    site.zones.push(Zone { name: "rack".into(), title: String::new(), room: RoomId(0) });
    for (device, name) in (0..).zip(["bms", "relay"]) {
        site.devices.push(Device {
            name: name.into(),
            title: String::new(),
            zone: ZoneId(0),
            kind: DeviceKind::Battery,
            points: device..device + 1,
            silent_after: Millis(3000),
            switches: device == 1,
        });
        site.points.push(Point {
            name: format!("{name}-point"),
            device: DeviceId(device),
            unit: Unit::Celsius,
            period: Millis(1000),
            stale_after: Millis(3000),
            range: Some((-40.0, 300.0)),
            fall_per_s_max: None,
            frozen: None,
            labels: Labels::None,
        });
    }
    let step = Some(Step { limit: 45.0, on_delay: Millis(0), off_delay: Millis(0), extreme: None });
    let danger = step.map(|step| Step { limit: 80.0, ..step });
    let (point, steps) = (PointId(0), [step, None, danger]);
    let limit = Limit { point, side: Side::Above, deadband: 0.0, steps, projection: None };
    let vote = Together {
        channels: vec![RuleId(0)],
        needed: 1,
        votes_at: Level::Danger,
        level: Level::Danger,
        hold: Millis(0),
        on_channel_fault: OnChannelFault::Availability,
        on_all_lost: OnAllLost::Alarm,
        grace: Millis(5000),
        one_vote_per: Vec::new(),
        rivals: vec![0],
        repair_within: Millis(3_600_000),
    };
    site.rules = [RuleKind::Limit(limit), RuleKind::Together(vote)].map(rule).to_vec();
    let sources = [
        AlarmSource::Rule(RuleId(0)),
        AlarmSource::Silent(DeviceId(0)),
        AlarmSource::Silent(DeviceId(1)),
        AlarmSource::Faulty(DeviceId(0)),
        AlarmSource::VoteWeakened(RuleId(1)),
        AlarmSource::VoteBlind(RuleId(1)),
        AlarmSource::System(SystemFault::Journal),
    ];
    site.alarms = (0..).zip(sources).map(|(index, source)| alarm(index, source)).collect();
    site
}

fn rule(kind: RuleKind) -> Rule {
    let on_unknown = OnUnknown::Hold;
    Rule { name: "rule".into(), zone: ZoneId(0), principle: "temperature".into(), on_unknown, kind }
}

fn alarm(index: u32, source: AlarmSource) -> Alarm {
    Alarm {
        name: format!("alarm-{index}"),
        room: RoomId(0),
        source,
        latched: false,
        message: String::new(),
        consequence: String::new(),
        action: String::new(),
    }
}

/// A sequence that the vote triggers, with a countdown of a minute.
fn cut(mode: Mode) -> Sequence {
    let open =
        Stage { permissive_wait: Millis(1000), verify: Vec::new(), on_fail: OnFail::Hold, ..stage("open") };
    Sequence { mode, countdown: Millis(60_000), ..sequence(vec![open]) }
}

struct Bench(Safety);

impl Bench {
    fn new() -> Self {
        let mut bench = Self(Safety::new(Arc::new(site()), &Memory::default(), at(1000)));
        bench.scan(1000, &[]);
        bench
    }

    fn scan(&mut self, ms: u64, inputs: &[Input]) -> Vec<Fact> {
        let mut out = Vec::new();
        self.0.scan(at(ms), inputs, &mut out);
        let facts = out.into_iter().map(|output| match output {
            Output::Fact(fact) => fact,
            Output::Order(order) => panic!("nothing is to be cut: {order:?}"),
        });
        facts.collect()
    }

    /// Scans each tick up to this time; then both devices answer, the sensor with this.
    fn read(&mut self, ms: u64, value: f64) -> Vec<Fact> {
        self.pass(ms - 100);
        self.scan(ms, &[sampled(0, ms, value), sampled(1, ms, 1.0)])
    }

    /// Scans each tick up to and at this time.
    fn pass(&mut self, ms: u64) {
        while let Some(last) = self.0.last_scan
            && last.uptime.plus(TICK) <= Uptime(ms)
        {
            self.scan(last.uptime.plus(TICK).0, &[]);
        }
    }

    fn priority(&self, alarm: AlarmId) -> Option<Priority> {
        let record = self.0.alarm(alarm);
        record.stands.then_some(record.priority).flatten()
    }
}

fn at(ms: u64) -> Now {
    Now { uptime: Uptime(ms), wall: WallTime(ms.cast_signed()) }
}

fn sampled(point: u32, ms: u64, value: f64) -> Input {
    let result = Value::new(value).ok_or(ReadFault::NotANumber);
    Input::Sampled { point: PointId(point), asked: Uptime(ms), taken: Uptime(ms), result }
}

#[test]
fn r14_more_than_two_ticks_between_scans_are_a_gap() {
    assert_eq!((TICK, GAP_MAX), (Millis(100), Millis(200)));
    let gap = |lasted: u64| {
        let facts = Bench::new().scan(1000 + lasted, &[]);
        facts.iter().any(|fact| matches!(fact, Fact::Gap { lasted: told } if told.0 == lasted))
    };
    assert_eq!([200, 201].map(gap), [false, true]);
}

#[test]
fn r13_a_wall_clock_that_is_set_by_more_than_a_second_is_an_event_and_no_slew_is() {
    // By how much the wall clock moved while the other counted 100 ms, and what is told of it.
    for (moved, told) in [
        (100, None),
        (1100, None),
        (1101, Some(1001)),
        (-900, None),
        (-901, Some(-1001)),
        (3_600_100, Some(3_600_000)),
        (-315_576_000_000, Some(-315_576_000_100)),
    ] {
        let mut bench = Bench::new();
        bench.scan(1000, &[]);
        let mut out = Vec::new();
        let stepped =
            |ms: u64| Now { uptime: Uptime(ms), wall: WallTime(1000 + moved + ms.cast_signed() - 1100) };
        bench.0.scan(stepped(1100), &[], &mut out);
        bench.0.scan(stepped(1200), &[], &mut out);
        let steps: Vec<i64> = out
            .iter()
            .filter_map(|output| match output {
                Output::Fact(Fact::ClockStepped { by_ms }) => Some(*by_ms),
                _ => None,
            })
            .collect();
        assert_eq!(
            steps,
            told.into_iter().collect::<Vec<i64>>(),
            "{moved}: once, and with the scan that saw it"
        );
    }
}

#[test]
fn what_is_known_can_be_asked_for() {
    let mut bench = Bench::new();
    bench.read(2000, 50.0);
    assert_eq!(bench.0.reading(PointId(0)).good().map(|good| good.0.get()), Some(50.0));
    assert_eq!(bench.0.level(ZoneId(0)), Level::Watch);
    assert_eq!(bench.0.alarm(HOT).state, AlarmState::UnackActive);
    assert_eq!(bench.0.alarm_figures(Uptime(2000)).standing, 1);
    assert!(bench.0.judgement().finding(&bench.0.site, RuleId(0)).known);
}

#[test]
fn what_is_remembered_are_the_alarms_that_ever_stood() {
    let mut bench = Bench::new();
    bench.read(2000, 50.0);
    let by: Operator = "kim".into();
    let request = Request::Acknowledge { alarm: HOT, occurrence: 1 };
    bench.scan(2100, &[Input::Asked { by, request }]);
    bench.read(3000, 25.0);
    assert_eq!(bench.0.alarm(HOT).state, AlarmState::Normal);
    let memory = bench.0.memory();
    assert!(memory.same_boot);
    assert_eq!(memory.alarms.keys().collect::<Vec<_>>(), ["alarm-0"]);
    assert_eq!(memory.numbers.alarm_change, 3, "raised, acknowledged, cleared");
}

#[test]
fn a_device_is_silent_after_its_time_and_a_switch_matters_more() {
    let mut bench = Bench::new();
    bench.read(2000, 25.0);
    bench.pass(4900);
    bench.scan(5000, &[]);
    assert_eq!([SILENT, SWITCH_SILENT].map(|it| bench.priority(it)), [None, None]);
    bench.scan(5001, &[]);
    let [sensor, switch] = [SILENT, SWITCH_SILENT].map(|it| bench.priority(it));
    assert_eq!((sensor, switch), (Some(Priority::High), Some(Priority::Critical)));
    bench.scan(5100, &[sampled(0, 5100, 25.0)]);
    assert_eq!(bench.priority(SILENT), None);
    assert_eq!(bench.priority(SWITCH_SILENT), Some(Priority::Critical));
}

#[test]
fn of_two_devices_each_is_silent_in_its_own_millisecond() {
    let mut bench = Bench::new();
    bench.scan(1100, &[sampled(0, 1100, 25.0)]);
    bench.scan(1101, &[sampled(1, 1101, 1.0)]);
    bench.pass(4051);
    bench.scan(4101, &[]);
    assert_eq!([SILENT, SWITCH_SILENT].map(|it| bench.priority(it).is_some()), [true, false]);
    bench.scan(4102, &[]);
    assert!(bench.priority(SWITCH_SILENT).is_some());
}

#[test]
fn a_device_that_was_never_heard_is_silent_as_long_after_the_start() {
    let mut bench = Bench::new();
    bench.pass(4000);
    assert_eq!(bench.priority(SILENT), None);
    bench.scan(4001, &[]);
    assert_eq!(bench.priority(SILENT), Some(Priority::High));
}

#[test]
fn a_silence_of_before_a_restart_ends_with_an_answer_and_not_with_the_restart() {
    let mut bench = Bench::new();
    bench.pass(6000);
    let memory = bench.0.memory();
    let mut bench = Bench(Safety::new(Arc::new(site()), &memory, at(7000)));
    bench.scan(7000, &[]);
    bench.pass(8000);
    assert_eq!(bench.priority(SILENT), Some(Priority::High));
    bench.read(9000, 25.0);
    assert_eq!(bench.priority(SILENT), None);
}

#[test]
fn a_number_that_is_not_believed_raises_an_alarm_that_says_which_and_why() {
    let mut bench = Bench::new();
    for second in 2..=6 {
        bench.read(second * 1000, 900.0);
    }
    assert_eq!(bench.priority(FAULTY), Some(Priority::High));
    let evidence = Evidence::Unbelieved { point: PointId(0), why: Distrust::OutOfRange };
    assert_eq!(bench.0.alarm(FAULTY).evidence, evidence);
    bench.read(7000, 25.0);
    assert_eq!(bench.priority(FAULTY), None);
}

#[test]
fn a_blind_vote_is_critical_and_shows_its_tally() {
    let mut bench = Bench::new();
    bench.read(2000, 25.0);
    bench.pass(12_000);
    assert_eq!(bench.priority(BLIND), Some(Priority::Critical));
    assert_eq!(bench.priority(WEAKENED), Some(Priority::High));
    for alarm in [BLIND, WEAKENED] {
        assert!(matches!(bench.0.alarm(alarm).evidence, Evidence::Votes { unknown: 1, .. }), "{alarm:?}");
    }
    bench.read(13_000, 25.0);
    assert_eq!([BLIND, WEAKENED].map(|it| bench.priority(it)), [None, None]);
}

#[test]
fn a_fault_of_emberwatch_itself_stands_as_long_as_it_lasts() {
    let mut bench = Bench::new();
    for (ms, failing) in [(1100, true), (1200, false)] {
        bench.scan(ms, &[Input::System { fault: SystemFault::Journal, failing }]);
        assert_eq!(bench.priority(JOURNAL), failing.then_some(Priority::High));
    }
}

#[test]
fn only_a_run_that_is_armed_is_a_cut() {
    for (mode, cutting) in [(Mode::Armed, true), (Mode::Shadow, false), (Mode::Disabled, false)] {
        let site = Site { sequences: vec![cut(mode)], ..site() };
        let mut bench = Bench(Safety::new(Arc::new(site), &Memory::default(), at(1000)));
        bench.scan(1000, &[]);
        bench.read(2000, 25.0);
        assert!(!bench.0.is_cutting());
        bench.read(3000, 90.0);
        assert_eq!(bench.0.level(ZoneId(0)), Level::Danger);
        assert_eq!(bench.0.is_cutting(), cutting, "{mode:?}");
    }
}

#[test]
fn a_sample_of_no_point_and_a_request_about_no_alarm_change_nothing() {
    let mut bench = Bench::new();
    assert!(bench.scan(1100, &[sampled(2, 1100, 90.0)]).is_empty());
    let request = Request::ResetAlarm { alarm: AlarmId(999) };
    let facts = bench.scan(1200, &[Input::Asked { by: "kim".into(), request }]);
    assert!(matches!(facts.as_slice(), [Fact::Refused { why: Refusal::NothingToDo, .. }]), "{facts:?}");
}

/// When the command of a stage leaves that waits for machines for 20 s at most; its vote is complete at 3 s. `count`
/// tells how many are left.
fn ordered_at(count: impl Fn(u64) -> Option<u32>) -> u64 {
    let mut sequence = Sequence { countdown: Millis(0), ..cut(Mode::Armed) };
    sequence.stages[0].wait_for_logins = Some(LoginWait { ups: "ups-a".into(), at_most: Millis(20_000) });
    let action = Action { name: "relay/open".into(), device: DeviceId(1), output: OutputKind::Level };
    let site = Site { sequences: vec![sequence], actions: vec![action], ..site() };
    let mut core = Safety::new(Arc::new(site), &Memory::default(), at(1000));
    for ms in (1000..60_000).step_by(100) {
        let mut inputs = Vec::new();
        if ms % 1000 == 0 {
            let value = if ms < 3000 { 25.0 } else { 90.0 };
            inputs.extend([sampled(0, ms, value), sampled(1, ms, 1.0)]);
            inputs.extend(count(ms).map(|count| Input::Logins {
                ups: "ups-a".into(),
                at: Uptime(ms),
                count,
            }));
            inputs.push(Input::Logins { ups: "ups-b".into(), at: Uptime(ms), count: 0 });
        }
        let mut out = Vec::new();
        core.scan(at(ms), &inputs, &mut out);
        if out.iter().any(|output| matches!(output, Output::Order(_))) {
            return ms;
        }
    }
    panic!("no order ever");
}

#[test]
fn a_stage_waits_for_machines_until_none_is_left_and_never_longer_than_it_may() {
    assert_eq!(ordered_at(|_| Some(0)), 3000, "nobody to wait for");
    assert_eq!(ordered_at(|ms| Some(u32::from(ms < 9000))), 9000, "the last one left");
    assert_eq!(ordered_at(|_| Some(3)), 23_000, "they never leave");
    assert_eq!(ordered_at(|_| None), 23_000, "nobody counts");
    let dies_with_none_left = |ms: u64| (ms < 2000).then_some(0);
    assert_eq!(ordered_at(dies_with_none_left), 3000, "a count is believed for a while");
    assert_eq!(ordered_at(|ms| if ms < 3000 { Some(2) } else { None }), 23_000, "it died with two left");
}

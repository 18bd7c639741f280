//! A small site and what happens in it, for tests of the edges.

use std::sync::Arc;

use emberwatch::exchange::Publication;
use emberwatch::safety::alarm::{AlarmChange, AlarmEvent, AlarmRecord, AlarmState};
use emberwatch::safety::fact::Fact;
use emberwatch::safety::risk::{Evidence, Level};
use emberwatch::safety::rules::limit::{Limit, Side};
use emberwatch::safety::rules::{OnUnknown, Rule, RuleKind};
use emberwatch::safety::sequence::spec::{Cuts, Mode, OnFail, OnRestart, Sequence, Stage, StageWhen};
use emberwatch::safety::site::*;
use emberwatch::units::{ClockSync, Millis, Now, Unit, Uptime, Value, WallTime};

/// 2026-11-22T17:42:05.120Z.
pub(crate) const WALL_MS: i64 = 1_795_369_325_120;

/// One room, one rack, a battery, a relay box, two alarms, one sequence.
pub(crate) fn site() -> Arc<Site> {
    let point = |name: &str, device, unit, labels| Point {
        name: name.into(),
        device: DeviceId(device),
        unit,
        period: Millis(1000),
        stale_after: Millis(3000),
        range: None,
        fall_per_s_max: None,
        frozen: None,
        labels,
    };
    let device = |name: &str, kind, points| Device {
        name: name.into(),
        title: name.into(),
        zone: ZoneId(0),
        kind,
        points,
        silent_after: Millis(3000),
        switches: kind == DeviceKind::Contact,
    };
    let alarm = |name: &str, source| Alarm {
        name: name.into(),
        room: RoomId(0),
        source,
        latched: true,
        message: format!("{name} is \"high\""),
        consequence: "fire".into(),
        action: "do not enter".into(),
    };
    Arc::new(Site {
        name: "s1".into(),
        gateway: "gw1".into(),
        rooms: vec![Room { name: "b1".into(), title: "Battery room 1".into() }],
        zones: vec![Zone { name: "rack-a".into(), title: "Rack A".into(), room: RoomId(0) }],
        devices: vec![
            device("bms-1", DeviceKind::Battery, 0..5),
            device("relay-1", DeviceKind::Contact, 5..6),
        ],
        points: vec![
            point("temp-max", 0, Unit::Celsius, Labels::None),
            point("cell-v-1", 0, Unit::Volt, Labels::None),
            point("cell-v-2", 0, Unit::Volt, Labels::None),
            point("soc", 0, Unit::Percent, Labels::None),
            point("status", 0, Unit::None, Labels::Enum(vec![(3, "charging".into())])),
            point("q1", 1, Unit::None, Labels::None),
        ],
        heartbeats: Vec::new(),
        redundant: Vec::new(),
        rules: vec![rule()],
        actions: vec![Action { name: "relay-1/open".into(), device: DeviceId(1), output: OutputKind::Pulse }],
        load_groups: vec![LoadGroup { name: "row-1".into(), title: "Server row 1".into() }],
        feeds: vec![Feed { name: "a".into(), group: LoadGroupId(0), alive: Vec::new() }],
        sequences: vec![sequence()],
        alarms: vec![
            alarm("temp-high", AlarmSource::Rule(RuleId(0))),
            alarm("cutting", AlarmSource::Cutting(SequenceId(0))),
        ],
        ..Site::default()
    })
}

fn rule() -> Rule {
    Rule {
        name: "temp-high".into(),
        zone: ZoneId(0),
        principle: "temperature".into(),
        on_unknown: OnUnknown::Hold,
        kind: RuleKind::Limit(Limit {
            point: PointId(0),
            side: Side::Above,
            deadband: 2.0,
            steps: [None; 3],
            projection: None,
        }),
    }
}

fn sequence() -> Sequence {
    let stage = |name: &str| Stage {
        name: name.into(),
        action: ActionId(0),
        cuts: Cuts::Battery,
        when: StageWhen::Always,
        requires: Vec::new(),
        life_safety: false,
        permissives: Vec::new(),
        permissive_age_max: Millis(1000),
        permissive_wait: Millis(5000),
        wait_for_logins: None,
        delay: Millis(0),
        verify: Vec::new(),
        verify_within: Millis(5000),
        attempts: 1,
        on_fail: OnFail::Next,
    };
    Sequence {
        name: "cut-rack-a".into(),
        title: "Cut rack A".into(),
        zone: ZoneId(0),
        mode: Mode::Shadow,
        trigger: RuleId(0),
        countdown: Millis(30_000),
        on_restart: OnRestart::Hold,
        no_return: 1,
        arming_key: None,
        abort_input: None,
        proof: None,
        notice: "fail over now".into(),
        contact: None,
        autonomy: None,
        stages: vec![stage("open string"), stage("open bank")],
    }
}

/// What was published at this uptime.
pub(crate) fn publication(number: u64, facts: Vec<Fact>) -> Arc<Publication> {
    let now = Now { uptime: Uptime(50_000 + number), wall: WallTime(WALL_MS) };
    Arc::new(Publication { number, now, clock: ClockSync::Unknown, facts })
}

/// An alarm that stands, by its first occurrence.
pub(crate) fn raised(number: u64, alarm: u32, priority: Priority) -> Fact {
    let evidence = Evidence::Limit {
        point: PointId(0),
        value: Value::new(81.3).expect("finite"),
        limit: 80.0,
        taken: Uptime(49_000),
    };
    let now = AlarmRecord {
        state: AlarmState::UnackActive,
        priority: Some(priority),
        occurrence: 1,
        revision: 1,
        since: WallTime(WALL_MS),
        raised: Uptime(50_000),
        level: Level::Danger,
        evidence,
        first_out: true,
        stands: true,
        ..AlarmRecord::default()
    };
    Fact::Alarm(AlarmChange { number, alarm: AlarmId(alarm), event: AlarmEvent::Raised, now })
}

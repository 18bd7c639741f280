//! A small plant for the tests of documents.

use std::sync::Arc;

use super::Envelope;
use crate::safety::risk::Level;
use crate::safety::rules::limit::{Limit, Side, Step};
use crate::safety::rules::together::{OnAllLost, OnChannelFault, Together};
use crate::safety::rules::{OnUnknown, Rule, RuleKind, state};
use crate::safety::sequence::spec::{
    Condition, Cuts, Expect, Mode, OnFail, OnRestart, Sequence, Stage, StageWhen,
};
use crate::safety::site::{
    Action, ActionId, Alarm, AlarmSource, Device, DeviceId, DeviceKind, Labels, OutputKind, Point, PointId,
    Room, RoomId, RuleId, SequenceId, Site, SystemFault, Zone, ZoneId,
};
use crate::units::{ClockSync, Millis, Now, Unit, Uptime, WallTime};

/// The moment of `envelope`.
pub(crate) const NOW: Now = Now { uptime: Uptime(10_000), wall: WallTime(1_795_369_325_120) };

pub(crate) fn envelope(site: &Site) -> Envelope<'_> {
    Envelope { site, boot: "B1", seq: 7, now: NOW, clock: ClockSync::Unknown }
}

pub(crate) fn shared() -> Arc<Site> {
    Arc::new(site())
}

/// One room, one zone, a battery with two points and a breaker with one, three rules, one sequence.
pub(crate) fn site() -> Site {
    Site {
        name: "s1".into(),
        gateway: "gw1".into(),
        rooms: vec![Room { name: "b1".into(), title: "Room 1".into() }],
        zones: vec![Zone { name: "rack-1".into(), title: "Rack 1".into(), room: RoomId(0) }],
        devices: vec![device("bms-1", DeviceKind::Battery, 0..2), device("brk-1", DeviceKind::Contact, 2..3)],
        points: vec![
            point("cell-temp-max", 0, Unit::Celsius, Labels::None),
            point("soc", 0, Unit::Percent, Labels::None),
            point("position", 1, Unit::None, Labels::Enum(vec![(0, "open".into()), (1, "closed".into())])),
        ],
        rules: rules(),
        heartbeats: Vec::new(),
        redundant: Vec::new(),
        actions: vec![Action { name: "brk-1/open".into(), device: DeviceId(1), output: OutputKind::Level }],
        sequences: vec![sequence()],
        alarms: vec![
            alarm("cell-temp", AlarmSource::Rule(RuleId(0))),
            alarm("bms-1-silent", AlarmSource::Silent(DeviceId(0))),
            alarm("cutting-rack-1", AlarmSource::Cutting(SequenceId(0))),
            alarm("mqtt-down", AlarmSource::System(SystemFault::Mqtt)),
            alarm("vote", AlarmSource::Rule(RuleId(2))),
        ],
        ..Site::default()
    }
}

fn device(name: &str, kind: DeviceKind, points: std::ops::Range<u32>) -> Device {
    let title = format!("Device {name}");
    Device {
        name: name.into(),
        title,
        zone: ZoneId(0),
        kind,
        points,
        silent_after: Millis::from_secs(4),
        switches: kind == DeviceKind::Contact,
    }
}

fn point(name: &str, device: u32, unit: Unit, labels: Labels) -> Point {
    Point {
        name: name.into(),
        device: DeviceId(device),
        unit,
        period: Millis::from_secs(1),
        stale_after: Millis::from_secs(3),
        range: Some((-40.0, 150.0)),
        fall_per_s_max: None,
        frozen: None,
        labels,
    }
}

fn rules() -> Vec<Rule> {
    let step = |limit| Some(Step { limit, on_delay: Millis::ZERO, off_delay: Millis::ZERO, extreme: None });
    let rule = |name: &str, kind| Rule {
        name: name.into(),
        zone: ZoneId(0),
        principle: "temperature".into(),
        on_unknown: OnUnknown::Hold,
        kind,
    };
    let limit = Limit {
        point: PointId(0),
        side: Side::Above,
        deadband: 1.0,
        steps: [step(45.0), step(55.0), step(60.0)],
        projection: None,
    };
    let cases = vec![state::Case { when: state::When::Is(0), level: Level::Watch }];
    let state = state::State { point: PointId(2), cases, on_delay: Millis::ZERO, off_delay: Millis::ZERO };
    let vote = Together {
        channels: vec![RuleId(0), RuleId(1)],
        needed: 2,
        votes_at: Level::Warning,
        level: Level::Danger,
        hold: Millis::from_secs(60),
        on_channel_fault: OnChannelFault::Safety,
        on_all_lost: OnAllLost::Alarm,
        grace: Millis::from_secs(60),
        one_vote_per: Vec::new(),
        rivals: vec![0; 2],
        repair_within: Millis::from_secs(72 * 3600),
    };
    vec![
        rule("cell-hot", RuleKind::Limit(limit)),
        rule("breaker-open", RuleKind::State(state)),
        rule("fire", RuleKind::Together(vote)),
    ]
}

fn sequence() -> Sequence {
    let open = Expect { point: PointId(2), is: Condition::Is(0) };
    Sequence {
        name: "cut-rack-1".into(),
        title: "Cut rack 1".into(),
        zone: ZoneId(0),
        mode: Mode::Armed,
        trigger: RuleId(2),
        countdown: Millis::from_secs(30),
        on_restart: OnRestart::Hold,
        no_return: 1,
        arming_key: None,
        abort_input: None,
        proof: None,
        notice: "Fail over to room 2.".into(),
        contact: None,
        autonomy: None,
        stages: vec![Stage {
            name: "Open breaker".into(),
            action: ActionId(0),
            cuts: Cuts::Battery,
            when: StageWhen::Always,
            requires: Vec::new(),
            life_safety: false,
            permissives: vec![Expect { point: PointId(2), is: Condition::Is(1) }],
            permissive_age_max: Millis::from_secs(3),
            permissive_wait: Millis::from_secs(5),
            wait_for_logins: None,
            delay: Millis::ZERO,
            verify: vec![open],
            verify_within: Millis::from_secs(5),
            attempts: 3,
            on_fail: OnFail::Hold,
        }],
    }
}

fn alarm(name: &str, source: AlarmSource) -> Alarm {
    Alarm {
        name: name.into(),
        room: RoomId(0),
        source,
        latched: false,
        message: format!("{name}: something is wrong"),
        consequence: "Cell venting.".into(),
        action: "Do not enter.".into(),
    }
}

//! What machines are told, and what clients are answered.

#![expect(clippy::unwrap_used, reason = "tests")]

mod dialogue;
mod fate;
mod server;
mod view;

use std::net::SocketAddr;
use std::sync::Arc;

use secrecy::SecretString;

use super::fate::Early;
use super::options::*;
use super::view::{NoData, View};
use crate::exchange::Publication;
use crate::safety::fact::Fact;
use crate::safety::reading::{Loss, Reading};
use crate::safety::sequence::spec::{
    Condition, Cuts, Expect, LoginWait, Mode, OnFail, OnRestart, Sequence, Stage, StageWhen,
};
use crate::safety::sequence::{
    Cause, Phase, Run, RunId, SequenceChange, SequenceEvent, SequenceState, StageState, Step,
};
use crate::safety::site::*;
use crate::units::{ClockSync, Millis, Now, Unit, Uptime, Value, WallTime};

const NOW: Uptime = Uptime(1_000_000);
const EARLY: Early = Early { fsd: Millis::from_secs(60), low_battery: Some(Millis::from_secs(180)) };
const OURS: [FeedId; 1] = [FeedId(0)];

fn stage(cuts: Cuts, when: StageWhen, delay: Millis) -> Stage {
    Stage {
        name: "stage".into(),
        action: ActionId(0),
        cuts,
        when,
        requires: Vec::new(),
        life_safety: false,
        permissives: Vec::new(),
        permissive_age_max: Millis(1000),
        permissive_wait: Millis(5000),
        wait_for_logins: None,
        delay,
        verify: Vec::new(),
        verify_within: Millis(5000),
        attempts: 1,
        on_fail: OnFail::Next,
    }
}

/// Stop charging, then feed a after two minutes, then feed a by other means.
fn sequence() -> Sequence {
    let feed = || Cuts::Feeds(vec![FeedId(0)]);
    Sequence {
        name: "cut-ups-a".into(),
        title: "Isolate UPS A".into(),
        zone: ZoneId(0),
        mode: Mode::Armed,
        trigger: RuleId(0),
        countdown: Millis::from_secs(120),
        on_restart: OnRestart::Hold,
        no_return: 2,
        arming_key: None,
        abort_input: None,
        proof: None,
        notice: "Fail over to feed B.".into(),
        contact: None,
        autonomy: None,
        stages: vec![
            stage(Cuts::Nothing, StageWhen::Always, Millis::ZERO),
            Stage {
                wait_for_logins: Some(LoginWait { ups: "ups-a".into(), at_most: Millis::from_secs(300) }),
                ..stage(feed(), StageWhen::Always, Millis::from_secs(120))
            },
            stage(feed(), StageWhen::AfterFailure, Millis::from_secs(30)),
            stage(Cuts::Feeds(vec![FeedId(1)]), StageWhen::ByPersons(1), Millis::ZERO),
        ],
    }
}

fn run(step: Step) -> Run {
    Run {
        id: RunId(7),
        cause: Cause::Vote { voting: 3, by_policy: false },
        since: WallTime(0),
        shadow: false,
        step,
        stages: vec![StageState::Pending; 4],
        commanded: 0,
        aborting: None,
        told: None,
    }
}

fn in_run(run: Run) -> SequenceState {
    SequenceState { mode: Mode::Armed, phase: Phase::Run(run), proven: None }
}

fn counting(left: Millis) -> Step {
    Step::Countdown { until: NOW.plus(left) }
}

/// Stage 1 waits for machines besides: what is left is the time until it may be commanded if none is left.
fn waiting(stage: u8, left: Millis) -> Step {
    let from = NOW.plus(left).plus(sequence().stages[usize::from(stage)].login_wait());
    Step::Waiting { stage, attempt: 0, from, until: from.plus(Millis(5000)) }
}

fn site() -> Arc<Site> {
    let point = |name: &str, device, unit| Point {
        name: name.into(),
        device: DeviceId(device),
        unit,
        period: Millis(1000),
        stale_after: Millis(3000),
        range: None,
        fall_per_s_max: None,
        frozen: None,
        labels: Labels::None,
    };
    let device = |name: &str, zone, points| Device {
        name: name.into(),
        title: name.into(),
        zone: ZoneId(zone),
        kind: DeviceKind::Ups,
        points,
        silent_after: Millis(3000),
        switches: false,
    };
    let zone = |name: &str, title: &str| Zone { name: name.into(), title: title.into(), room: RoomId(0) };
    Arc::new(Site {
        rooms: vec![Room { name: "b1".into(), title: "Room 1".into() }],
        zones: vec![zone("ups-a", "UPS A"), zone("ups-b", "UPS B")],
        devices: vec![device("ups-1", 0, 0..3), device("ups-2", 1, 3..4)],
        points: vec![
            point("status", 0, Unit::None),
            point("soc", 0, Unit::Percent),
            point("runtime", 0, Unit::Minute),
            point("soc", 1, Unit::Percent),
        ],
        sequences: vec![sequence()],
        ..Site::default()
    })
}

fn options(listen: SocketAddr) -> NutOptions {
    let bit = |bit| Expect { point: PointId(0), is: Condition::BitSet(bit) };
    let variable = |name: &str, point, factor| Variable { name: name.into(), point: PointId(point), factor };
    let user = |name: &str, role| UserOptions {
        name: name.into(),
        password: SecretString::from("correct-horse"),
        role,
    };
    let ups = |name: &str, zone, device, feed| UpsOptions {
        name: name.into(),
        description: format!("Row 1 on {name}"),
        zone: ZoneId(zone),
        device: Some(DeviceId(device)),
        feeds: vec![FeedId(feed)],
        status: Vec::new(),
        variables: Vec::new(),
    };
    NutOptions {
        listen,
        connections_max: 4,
        idle_timeout: Millis::from_secs(60),
        tls: None,
        allow_plaintext: false,
        fsd_before: EARLY.fsd,
        low_battery_before: EARLY.low_battery,
        users: vec![user("big", Role::Primary), user("small", Role::Secondary)],
        upses: vec![
            UpsOptions {
                status: vec![(StatusWord::OnBattery, bit(1)), (StatusWord::Charging, bit(2))],
                variables: vec![variable("battery.charge", 1, 1.0), variable("battery.runtime", 2, 60.0)],
                ..ups("ups-a", 0, 0, 0)
            },
            ups("ups-b", 1, 1, 1),
        ],
    }
}

fn good(point: u32, value: f64) -> Fact {
    let reading = Reading::Good { value: Value::new(value).unwrap(), taken: NOW };
    Fact::Reading { point: PointId(point), reading }
}

fn lost(point: u32) -> Fact {
    let last = Some((Value::new(80.0).unwrap(), NOW));
    Fact::Reading { point: PointId(point), reading: Reading::Bad { last, why: Loss::Stale } }
}

fn changed(state: SequenceState) -> Fact {
    let change = SequenceChange { sequence: SequenceId(0), event: SequenceEvent::Started, now: state };
    Fact::Sequence(Box::new(change))
}

fn view() -> View {
    View::new(site(), Arc::new(options(([127, 0, 0, 1], 0).into())))
}

fn publish(view: &mut View, facts: Vec<Fact>) {
    view.apply(&Publication {
        number: 1,
        now: Now { uptime: NOW, wall: WallTime(0) },
        clock: ClockSync::Unknown,
        facts,
    });
}

fn calm() -> Vec<Fact> {
    vec![good(0, 1.0), good(1, 80.0), good(2, 12.5), good(3, 55.0)]
}

fn status(view: &View) -> Result<String, NoData> {
    view.status(0, NOW)
}

//! One sequence on a small plant, scan by scan: truth tables of what it decides, says and lets people do.
#![expect(clippy::unwrap_used, reason = "tests")]

mod decide;
mod interlock;
mod notice;
mod requests;
mod restart;

use std::sync::Arc;

use super::spec::{Condition, Cuts, Expect, OnFail, OnRestart, Sequence, Stage, StageWhen};
use super::{Phase, Run, SequenceEvent, SequenceState, Step};
use crate::safety::fact::{DriveFault, Fact, Input, Order, Output, Refusal, Request};
use crate::safety::memory::Memory;
use crate::safety::risk::Level;
use crate::safety::rules::limit::{Limit, Side, Step as LimitStep};
use crate::safety::rules::together::{OnAllLost, OnChannelFault, Together};
use crate::safety::rules::{OnUnknown, Rule, RuleKind};
use crate::safety::sequence::Notice;
use crate::safety::sequence::spec::Mode;
use crate::safety::site::{
    Action, ActionId, Device, DeviceId, DeviceKind, Labels, OutputKind, Point, PointId, Room, RoomId, RuleId,
    SequenceId, Site, Zone, ZoneId,
};
use crate::safety::{Safety, TICK};
use crate::units::{Millis, Now, Unit, Uptime, Value, WallTime};

const CUT: SequenceId = SequenceId(0);

/// The points, in the order of `Bench::plant`: a temperature; the position of a switch, 1 for open; a permissive; and a key.
const HEAT: PointId = PointId(0);
const OPEN: PointId = PointId(1);
const MAY: PointId = PointId(2);
const KEY: PointId = PointId(3);

const CALM: f64 = 25.0;
const WARM: f64 = 65.0;
const HOT: f64 = 90.0;

/// When each bench begins.
const BORN: u64 = 100_000;

fn expect(point: PointId, value: u32) -> Expect {
    Expect { point, is: Condition::Is(value) }
}

/// Opens the switch, and believes it when it reads open.
pub(in crate::safety) fn stage(name: &str) -> Stage {
    Stage {
        name: name.into(),
        action: ActionId(0),
        cuts: Cuts::Battery,
        when: StageWhen::Always,
        requires: Vec::new(),
        life_safety: false,
        permissives: Vec::new(),
        permissive_age_max: Millis(1000),
        permissive_wait: Millis(3000),
        wait_for_logins: None,
        delay: Millis(0),
        verify: vec![expect(OPEN, 1)],
        verify_within: Millis(2000),
        attempts: 1,
        on_fail: OnFail::Next,
    }
}

/// Armed, triggered by heat, with a countdown of ten seconds and abortable until the first stage.
pub(in crate::safety) fn sequence(stages: Vec<Stage>) -> Sequence {
    Sequence {
        name: "cut".into(),
        title: String::new(),
        zone: ZoneId(0),
        mode: Mode::Armed,
        trigger: RuleId(1),
        countdown: Millis(10_000),
        on_restart: OnRestart::Resume,
        no_return: 0,
        arming_key: None,
        abort_input: None,
        proof: None,
        notice: String::new(),
        contact: None,
        autonomy: None,
        stages,
    }
}

pub(in crate::safety) fn rule(name: &str, kind: RuleKind) -> Rule {
    let on_unknown = OnUnknown::Hold;
    Rule { name: name.into(), zone: ZoneId(0), principle: "temperature".into(), on_unknown, kind }
}

fn site(sequences: Vec<Sequence>) -> Site {
    let mut site = Site::default();
    site.rooms.push(Room { name: "room".into(), title: String::new() });
    site.zones.push(Zone { name: "rack".into(), title: String::new(), room: RoomId(0) });
    for (device, name) in (0..).zip(["bms", "switch", "door", "key"]) {
        site.devices.push(Device {
            name: name.into(),
            title: String::new(),
            zone: ZoneId(0),
            kind: DeviceKind::Battery,
            points: device..device + 1,
            silent_after: Millis(3000),
            switches: name == "switch",
        });
        site.points.push(Point {
            name: name.into(),
            device: DeviceId(device),
            unit: Unit::None,
            period: Millis(1000),
            stale_after: Millis(60_000),
            range: None,
            fall_per_s_max: None,
            frozen: None,
            labels: Labels::None,
        });
    }
    let step = |limit| Some(LimitStep { limit, on_delay: Millis(0), off_delay: Millis(0), extreme: None });
    let steps = [None, step(60.0), step(80.0)];
    let limit = Limit { point: HEAT, side: Side::Above, deadband: 0.0, steps, projection: None };
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
    site.rules = vec![rule("hot", RuleKind::Limit(limit)), rule("fire", RuleKind::Together(vote))];
    let action = Action { name: "switch/open".into(), device: DeviceId(1), output: OutputKind::Level };
    site.actions.push(action);
    site.sequences = sequences;
    site
}

fn moment(ms: u64) -> Now {
    Now { uptime: Uptime(ms), wall: WallTime(ms.cast_signed()) }
}

/// The core with a plant that answers at each tick, and all that was said.
struct Bench {
    core: Safety,
    ms: u64,
    /// What each point reads now; `None`: it does not answer.
    plant: [Option<f64>; 4],
    orders: Vec<Order>,
    events: Vec<SequenceEvent>,
    notices: Vec<Notice>,
    refused: Vec<(String, Refusal)>,
}

impl Bench {
    fn new(sequence: Sequence) -> Self {
        Self::on(site(vec![sequence]), &Memory::default(), BORN)
    }

    fn on(site: Site, memory: &Memory, ms: u64) -> Self {
        let mut bench = Self {
            core: Safety::new(Arc::new(site), memory, moment(ms)),
            ms,
            plant: [Some(CALM), Some(0.0), Some(1.0), Some(0.0)],
            orders: Vec::new(),
            events: Vec::new(),
            notices: Vec::new(),
            refused: Vec::new(),
        };
        bench.scan(ms, &[]);
        bench
    }

    /// One scan at this time, with these inputs and no more.
    fn scan(&mut self, ms: u64, inputs: &[Input]) {
        let mut out = Vec::new();
        self.ms = ms;
        self.core.scan(moment(ms), inputs, &mut out);
        for output in out {
            match output {
                Output::Order(order) => self.orders.push(order),
                Output::Fact(Fact::Sequence(change)) => self.events.push(change.event.clone()),
                Output::Fact(Fact::Notice(notice)) => self.notices.push(*notice),
                Output::Fact(Fact::Refused { by, why, .. }) => self.refused.push((by.to_string(), why)),
                Output::Fact(_) => {}
            }
        }
    }

    /// What the plant answers at this moment.
    fn samples(&self, ms: u64) -> Vec<Input> {
        let points = (0..).map(PointId).zip(self.plant);
        points
            .filter_map(|(point, value)| {
                let (asked, taken) = (Uptime(ms), Uptime(ms));
                Some(Input::Sampled { point, asked, taken, result: Ok(Value::new(value?)?) })
            })
            .collect()
    }

    /// Scans each tick for so long; the plant answers at each.
    fn pass(&mut self, ms: u64) {
        let end = self.ms + ms;
        while self.ms < end {
            let next = end.min(self.ms + TICK.0);
            self.scan(next, &self.samples(next));
        }
    }

    /// The plant reads so from now on, and the next scan sees it.
    fn reads(&mut self, point: PointId, value: f64) {
        self.plant[point.index()] = Some(value);
        self.pass(TICK.0);
    }

    /// The last order comes to this end, in a scan of its own.
    fn answer(&mut self, result: Result<(), DriveFault>) {
        let order = self.orders.last().unwrap().id;
        let next = self.ms + TICK.0;
        self.scan(next, &[Input::Answered { order, at: Uptime(next), result }]);
    }

    /// Somebody asks; what came of it.
    fn ask(&mut self, by: &str, request: Request) -> Result<(), Refusal> {
        let before = self.refused.len();
        let next = self.ms + TICK.0;
        let mut inputs = self.samples(next);
        inputs.push(Input::Asked { by: by.into(), request });
        self.scan(next, &inputs);
        match self.refused.get(before) {
            Some((_, why)) => Err(*why),
            None => Ok(()),
        }
    }

    fn state(&self) -> &SequenceState {
        self.core.sequence(CUT)
    }

    fn mode(&self) -> Mode {
        self.state().mode
    }

    fn run(&self) -> &Run {
        match &self.state().phase {
            Phase::Run(run) => run,
            Phase::Idle => panic!("there is no run"),
        }
    }

    fn step(&self) -> &Step {
        &self.run().step
    }

    /// The daemon is started again so long after it was killed.
    fn restart(self, after: u64, same_boot: bool, change: impl FnOnce(&mut Sequence)) -> Self {
        let mut sequence = self.core.site.sequences[CUT.index()].clone();
        change(&mut sequence);
        let memory = Memory { same_boot, ..self.core.memory() };
        let mut site = site(vec![sequence]);
        site.cut_budget = self.core.site.cut_budget;
        let mut again = Self::on(site, &memory, self.ms + after);
        again.plant = self.plant;
        again
    }
}

//! A site as a scenario file describes it, turned into the core's `Site`.
//!
//! The keys are those of the real configuration; what a scenario does not need (links, registers) is left
//! out, and what only a scenario has (what a breaker moves when it opens) is added. A scenario may build on
//! a shared site and change it: tables are merged key by key, lists of tables by `id` or `name`.

use std::collections::BTreeMap;

use emberwatch::safety::risk::Level;
use emberwatch::safety::rules::limit::{Limit, Side, Step};
use emberwatch::safety::rules::rate::Rate;
use emberwatch::safety::rules::silence::Silence;
use emberwatch::safety::rules::state::{Case, State, When};
use emberwatch::safety::rules::together::{OnAllLost, OnChannelFault, Together};
use emberwatch::safety::rules::{OnUnknown, Rule, RuleKind};
use emberwatch::safety::sequence::spec::{
    Condition, Expect, Mode, OnFail, OnRestart, Sequence, Stage, StageWhen,
};
use emberwatch::safety::site::{
    Action, ActionId, Alarm, AlarmSource, Device, DeviceId, DeviceKind, Frozen, Labels, OutputKind, Point,
    PointId, Room, RoomId, RuleId, SequenceId, Site, SystemFault, Zone, ZoneId,
};
use emberwatch::units::{Millis, Unit};
use serde::Deserialize;

use crate::words::{self, Duration, Quantity, Word};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SiteText {
    zone: Vec<ZoneText>,
    device: Vec<DeviceText>,
    rule: Vec<RuleText>,
    #[serde(default)]
    alarms: AlarmsText,
    #[serde(default)]
    sequence: Vec<SequenceText>,
    #[serde(default)]
    pub(crate) breaker: Vec<BreakerText>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct AlarmsText {
    re_alarm: Option<Duration>,
    shelve_max: Option<Duration>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ZoneText {
    id: String,
    room: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct DeviceText {
    id: String,
    zone: String,
    scan: Duration,
    point: Vec<PointText>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PointText {
    id: String,
    unit: Option<String>,
    range: Option<(f64, f64)>,
    fall_per_s_max: Option<f64>,
    frozen: Option<FrozenText>,
    /// What it reads at the start.
    reads: f64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FrozenText {
    after: Duration,
    siblings: Vec<String>,
    moved: f64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleText {
    id: String,
    zone: String,
    principle: String,
    on_unknown: Word<OnUnknown>,
    #[serde(default)]
    latched: bool,
    limit: Option<LimitText>,
    rate: Option<RateText>,
    state: Option<StateText>,
    silence: Option<SilenceText>,
    together: Option<TogetherText>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct LimitText {
    point: String,
    side: Word<Side>,
    deadband: Quantity,
    watch: Option<StepText>,
    warning: Option<StepText>,
    danger: Option<StepText>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RateText {
    point: String,
    side: Word<Side>,
    window: Duration,
    samples_min: usize,
    floor: Option<Quantity>,
    deadband: Quantity,
    watch: Option<StepText>,
    warning: Option<StepText>,
    danger: Option<StepText>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct StepText {
    limit: Quantity,
    on_delay: Duration,
    off_delay: Duration,
    extreme: Option<Quantity>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct StateText {
    point: String,
    on_delay: Duration,
    off_delay: Duration,
    cases: Vec<CaseText>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseText {
    level: Word<Level>,
    is: Option<u32>,
    is_not: Option<u32>,
    any_bit: Option<Vec<u8>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SilenceText {
    points: Vec<String>,
    after: Duration,
    level: Word<Level>,
    level_if_abnormal: Word<Level>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TogetherText {
    channels: Vec<String>,
    needed: u8,
    votes_at: Word<Level>,
    level: Word<Level>,
    hold: Duration,
    on_channel_fault: Word<OnChannelFault>,
    on_all_lost: Word<OnAllLost>,
    grace: Duration,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SequenceText {
    id: String,
    zone: String,
    mode: Word<Mode>,
    trigger: String,
    countdown: Duration,
    on_restart: Word<OnRestart>,
    /// The name of the first stage that cannot be aborted; without it every stage can.
    no_return: Option<String>,
    stage: Vec<StageText>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct StageText {
    name: String,
    action: String,
    #[serde(default)]
    after_failure: bool,
    permissives: Vec<ExpectText>,
    permissive_age_max: Duration,
    permissive_wait: Duration,
    delay: Duration,
    verify: Vec<ExpectText>,
    verify_within: Duration,
    attempts: u8,
    on_fail: Word<OnFail>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectText {
    point: String,
    is: Option<u32>,
    at_least: Option<f64>,
    at_most: Option<f64>,
    bit_set: Option<u8>,
    bit_clear: Option<u8>,
}

/// A breaker, a relay or a contactor, and what it moves in the plant.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BreakerText {
    /// `device/action`.
    pub(crate) id: String,
    device: String,
    output: Word<OutputKind>,
    /// What the plant reads after it has moved.
    pub(crate) moves: BTreeMap<String, f64>,
    /// How long moving takes.
    pub(crate) takes: Duration,
}

/// The site with its names.
#[derive(Debug)]
pub(crate) struct Plant {
    pub(crate) site: Site,
    /// What each point reads at the start.
    pub(crate) reads: Vec<f64>,
    /// A vote may name rules that stand further down.
    rule_names: Vec<String>,
}

impl Plant {
    pub(crate) fn point(&self, name: &str) -> PointId {
        let found = (0..self.site.points.len()).map(PointId::at).find(|id| self.point_name(*id) == name);
        found.unwrap_or_else(|| panic!("no point is called `{name}`"))
    }

    pub(crate) fn point_name(&self, id: PointId) -> String {
        let point = &self.site[id];
        format!("{}/{}", self.site[point.device].name, point.name)
    }

    pub(crate) fn device(&self, name: &str) -> DeviceId {
        DeviceId::at(position("device", name, self.site.devices.iter().map(|device| device.name.as_str())))
    }

    pub(crate) fn sequence(&self, name: &str) -> SequenceId {
        SequenceId::at(position(
            "sequence",
            name,
            self.site.sequences.iter().map(|found| found.name.as_str()),
        ))
    }

    fn zone(&self, name: &str) -> ZoneId {
        ZoneId::at(position("zone", name, self.site.zones.iter().map(|zone| zone.name.as_str())))
    }

    fn rule(&self, name: &str) -> RuleId {
        RuleId::at(position("rule", name, self.rule_names.iter().map(String::as_str)))
    }

    fn expects(&self, texts: &[ExpectText]) -> Vec<Expect> {
        texts.iter().map(|text| Expect { point: self.point(&text.point), is: text.condition() }).collect()
    }
}

fn position<'a>(what: &str, name: &str, mut names: impl Iterator<Item = &'a str>) -> usize {
    names.position(|known| known == name).unwrap_or_else(|| panic!("no {what} is called `{name}`"))
}

impl SiteText {
    pub(crate) fn plant(&self) -> Plant {
        let rule_names = self.rule.iter().map(|rule| rule.id.clone()).collect();
        let mut plant = Plant { site: Site::default(), reads: Vec::new(), rule_names };
        plant.site.name = "scenario".into();
        plant.site.gateway = "test".into();
        for zone in &self.zone {
            let known = plant.site.rooms.iter().position(|room| room.name == zone.room);
            let room = RoomId::at(known.unwrap_or_else(|| {
                plant.site.rooms.push(Room { name: zone.room.clone(), title: zone.room.clone() });
                plant.site.rooms.len() - 1
            }));
            plant.site.zones.push(Zone { name: zone.id.clone(), title: zone.id.clone(), room });
        }
        self.add_devices(&mut plant);
        self.add_frozen(&mut plant);
        for rule in &self.rule {
            let rule = rule.rule(&plant);
            plant.site.rules.push(rule);
        }
        for breaker in &self.breaker {
            let device = plant.device(&breaker.device);
            plant.site.devices[device.index()].switches = true;
            plant.site.actions.push(Action { name: breaker.id.clone(), device, output: breaker.output.0 });
        }
        for sequence in &self.sequence {
            let sequence = sequence.sequence(&plant);
            plant.site.sequences.push(sequence);
        }
        self.add_alarms(&mut plant.site);
        let settings = &mut plant.site.alarm_settings;
        settings.re_alarm = self.alarms.re_alarm.map_or(settings.re_alarm, |it| it.0);
        settings.shelve_max = self.alarms.shelve_max.map_or(settings.shelve_max, |it| it.0);
        plant
    }

    fn add_devices(&self, plant: &mut Plant) {
        for device in &self.device {
            let first = u32::try_from(plant.site.points.len()).expect("a small site");
            let id = DeviceId::at(plant.site.devices.len());
            let period = device.scan.0;
            // Three missed polls, at least 3 s (R4), and the time of the transaction itself.
            let stale_after = Millis(period.times(3).0.max(3000) + 100);
            for point in &device.point {
                let unit = point.unit.as_deref().map_or(Unit::None, |name| {
                    Unit::from_name(name).unwrap_or_else(|| panic!("no unit is called `{name}`"))
                });
                plant.site.points.push(Point {
                    name: point.id.clone(),
                    device: id,
                    unit,
                    period,
                    stale_after,
                    range: point.range,
                    fall_per_s_max: point.fall_per_s_max,
                    frozen: None,
                    labels: Labels::None,
                });
                plant.reads.push(point.reads);
            }
            let last = u32::try_from(plant.site.points.len()).expect("a small site");
            let zone = plant.zone(&device.zone);
            plant.site.devices.push(Device {
                name: device.id.clone(),
                title: device.id.clone(),
                zone,
                kind: DeviceKind::Battery,
                points: first..last,
                silent_after: stale_after,
                switches: false,
            });
        }
    }

    fn add_frozen(&self, plant: &mut Plant) {
        let texts: Vec<&PointText> = self.device.iter().flat_map(|device| &device.point).collect();
        for (index, text) in texts.iter().enumerate() {
            let Some(frozen) = &text.frozen else { continue };
            let siblings = frozen.siblings.iter().map(|name| plant.point(name)).collect();
            plant.site.points[index].frozen =
                Some(Frozen { after: frozen.after.0, siblings, moved: frozen.moved });
        }
    }

    fn add_alarms(&self, site: &mut Site) {
        let mut alarms: Vec<(String, RoomId, AlarmSource, bool)> = Vec::new();
        for (index, rule) in site.rules.iter().enumerate() {
            let (room, id) = (site[rule.zone].room, RuleId::at(index));
            alarms.push((rule.name.clone(), room, AlarmSource::Rule(id), self.rule[index].latched));
            if let RuleKind::Together(_) = rule.kind {
                alarms.push((format!("blind-{}", rule.name), room, AlarmSource::VoteBlind(id), false));
            }
        }
        for (index, device) in site.devices.iter().enumerate() {
            let source = AlarmSource::Silent(DeviceId::at(index));
            alarms.push((format!("silent-{}", device.name), site[device.zone].room, source, false));
        }
        for (index, sequence) in site.sequences.iter().enumerate() {
            let (room, id) = (site[sequence.zone].room, SequenceId::at(index));
            for (word, source) in [
                ("not-armed", AlarmSource::NotArmed(id)),
                ("cutting", AlarmSource::Cutting(id)),
                ("cut-failed", AlarmSource::CutFailed(id)),
            ] {
                alarms.push((format!("{word}-{}", sequence.name), room, source, false));
            }
        }
        for (index, room) in site.rooms.iter().enumerate() {
            let id = RoomId::at(index);
            alarms.push((format!("flood-{}", room.name), id, AlarmSource::Flood(id), false));
        }
        for (fault, name) in SystemFault::TABLE {
            alarms.push((name.to_owned(), RoomId(0), AlarmSource::System(fault), false));
        }
        site.alarms = alarms
            .into_iter()
            .map(|(name, room, source, latched)| Alarm {
                message: name.clone(),
                consequence: String::new(),
                action: String::new(),
                name,
                room,
                source,
                latched,
            })
            .collect();
    }
}

impl RuleText {
    fn rule(&self, plant: &Plant) -> Rule {
        let kinds = [
            self.limit.as_ref().map(|text| RuleKind::Limit(text.limit(plant))),
            self.rate.as_ref().map(|text| RuleKind::Rate(text.rate(plant))),
            self.state.as_ref().map(|text| RuleKind::State(text.state(plant))),
            self.silence.as_ref().map(|text| RuleKind::Silence(text.silence(plant))),
            self.together.as_ref().map(|text| RuleKind::Together(text.together(plant))),
        ];
        let mut kinds: Vec<RuleKind> = kinds.into_iter().flatten().collect();
        assert_eq!(kinds.len(), 1, "rule `{}` needs exactly one kind", self.id);
        Rule {
            name: self.id.clone(),
            zone: plant.zone(&self.zone),
            principle: self.principle.clone(),
            on_unknown: self.on_unknown.0,
            kind: kinds.remove(0),
        }
    }
}

impl LimitText {
    fn limit(&self, plant: &Plant) -> Limit {
        Limit {
            point: plant.point(&self.point),
            side: self.side.0,
            deadband: self.deadband.0,
            steps: [&self.watch, &self.warning, &self.danger].map(|step| step.as_ref().map(StepText::step)),
        }
    }
}

impl RateText {
    fn rate(&self, plant: &Plant) -> Rate {
        Rate {
            point: plant.point(&self.point),
            side: self.side.0,
            window: self.window.0,
            samples_min: self.samples_min,
            floor: self.floor.as_ref().map(|floor| floor.0),
            deadband: self.deadband.0,
            steps: [&self.watch, &self.warning, &self.danger].map(|step| step.as_ref().map(StepText::step)),
        }
    }
}

impl StepText {
    fn step(&self) -> Step {
        Step {
            limit: self.limit.0,
            on_delay: self.on_delay.0,
            off_delay: self.off_delay.0,
            extreme: self.extreme.as_ref().map(|extreme| extreme.0),
        }
    }
}

impl StateText {
    fn state(&self, plant: &Plant) -> State {
        let cases = self.cases.iter().map(|case| Case { when: case.when(), level: case.level.0 }).collect();
        State {
            point: plant.point(&self.point),
            cases,
            on_delay: self.on_delay.0,
            off_delay: self.off_delay.0,
        }
    }
}

impl CaseText {
    fn when(&self) -> When {
        match (self.is, self.is_not, &self.any_bit) {
            (Some(value), None, None) => When::Is(value),
            (None, Some(value), None) => When::IsNot(value),
            (None, None, Some(bits)) => When::AnyBit(bits.iter().fold(0, |mask, bit| mask | 1 << bit)),
            _ => panic!("a case has exactly one of is, is_not, any_bit"),
        }
    }
}

impl SilenceText {
    fn silence(&self, plant: &Plant) -> Silence {
        Silence {
            points: self.points.iter().map(|name| plant.point(name)).collect(),
            after: self.after.0,
            level: self.level.0,
            level_if_abnormal: self.level_if_abnormal.0,
        }
    }
}

impl TogetherText {
    fn together(&self, plant: &Plant) -> Together {
        Together {
            channels: self.channels.iter().map(|name| plant.rule(name)).collect(),
            needed: self.needed,
            votes_at: self.votes_at.0,
            level: self.level.0,
            hold: self.hold.0,
            on_channel_fault: self.on_channel_fault.0,
            on_all_lost: self.on_all_lost.0,
            grace: self.grace.0,
        }
    }
}

impl SequenceText {
    fn sequence(&self, plant: &Plant) -> Sequence {
        let index_of =
            |name: &String| position("stage", name, self.stage.iter().map(|stage| stage.name.as_str()));
        let no_return = self.no_return.as_ref().map_or(self.stage.len(), index_of);
        Sequence {
            name: self.id.clone(),
            title: self.id.clone(),
            zone: plant.zone(&self.zone),
            mode: self.mode.0,
            trigger: plant.rule(&self.trigger),
            countdown: self.countdown.0,
            on_restart: self.on_restart.0,
            no_return: u8::try_from(no_return).expect("few stages"),
            notice: String::new(),
            stages: self.stage.iter().map(|stage| stage.stage(plant)).collect(),
        }
    }
}

impl StageText {
    fn stage(&self, plant: &Plant) -> Stage {
        let actions = plant.site.actions.iter().map(|action| action.name.as_str());
        Stage {
            name: self.name.clone(),
            action: ActionId::at(position("breaker", &self.action, actions)),
            when: if self.after_failure { StageWhen::AfterFailure } else { StageWhen::Always },
            permissives: plant.expects(&self.permissives),
            permissive_age_max: self.permissive_age_max.0,
            permissive_wait: self.permissive_wait.0,
            delay: self.delay.0,
            verify: plant.expects(&self.verify),
            verify_within: self.verify_within.0,
            attempts: self.attempts,
            on_fail: self.on_fail.0,
        }
    }
}

impl ExpectText {
    fn condition(&self) -> Condition {
        let given = [
            self.is.map(Condition::Is),
            self.at_least.map(Condition::AtLeast),
            self.at_most.map(Condition::AtMost),
            self.bit_set.map(Condition::BitSet),
            self.bit_clear.map(Condition::BitClear),
        ];
        let mut given = given.into_iter().flatten();
        let condition = given.next().unwrap_or_else(|| panic!("`{}`: expected to be what?", self.point));
        assert!(given.next().is_none(), "`{}`: more than one condition", self.point);
        condition
    }
}

/// With every table of a list that says `copies = 300` in the place of so many, `{n}` in its texts being 1 to 300.
pub(crate) fn with_copies(value: toml::Value) -> toml::Value {
    use toml::Value::{Array, Integer, String, Table};
    fn numbered(value: &toml::Value, n: i64) -> toml::Value {
        match value {
            String(text) => String(text.replace("{n}", &n.to_string())),
            Array(items) => Array(items.iter().map(|item| numbered(item, n)).collect()),
            Table(table) => {
                let members = table.iter().filter(|(key, _)| *key != "copies");
                Table(members.map(|(key, member)| (key.clone(), numbered(member, n))).collect())
            }
            other => other.clone(),
        }
    }
    match value {
        Array(items) => Array(
            items
                .into_iter()
                .flat_map(|item| match item.get("copies") {
                    Some(Integer(copies)) => (1..=*copies).map(|n| numbered(&item, n)).collect(),
                    _ => vec![with_copies(item)],
                })
                .collect(),
        ),
        Table(table) => Table(table.into_iter().map(|(key, member)| (key, with_copies(member))).collect()),
        other => other,
    }
}

/// `over`, with what `change` says instead: tables key by key, lists of tables by `id` or `name`.
pub(crate) fn merged(over: toml::Value, change: toml::Value) -> toml::Value {
    use toml::Value::{Array, Table};
    match (over, change) {
        (Table(mut base), Table(change)) => {
            for (key, value) in change {
                let value = match base.remove(&key) {
                    Some(before) => merged(before, value),
                    None => value,
                };
                base.insert(key, value);
            }
            Table(base)
        }
        (Array(mut base), Array(change)) if change.iter().all(|item| words::name_of(item).is_some()) => {
            for item in change {
                match base.iter_mut().find(|known| words::name_of(known) == words::name_of(&item)) {
                    Some(known) => *known = merged(known.clone(), item),
                    None => base.push(item),
                }
            }
            Array(base)
        }
        (_, change) => change,
    }
}

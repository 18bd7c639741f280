//! A site as a scenario file describes it, turned into the core's `Site`.
//!
//! The keys are those of the real configuration; what a scenario does not need (links, registers) is left
//! out, and what only a scenario has (what a breaker moves when it opens) is added. A scenario may build on
//! a shared site and change it: tables are merged key by key, lists of tables by `id` or `name`.

use std::collections::BTreeMap;

use emberwatch::safety::rules::{Rule, RuleKind};
use emberwatch::safety::sequence::spec::{
    Condition, CutBudget, Cuts, Expect, Mode, OnFail, OnRestart, ProofTest, Sequence, Stage, StageWhen,
};
use emberwatch::safety::site::{
    Action, ActionId, Alarm, AlarmSource, Device, DeviceId, DeviceKind, Feed, FeedId, Frozen, Heartbeat,
    Labels, LoadGroup, LoadGroupId, OutputKind, Point, PointId, Room, RoomId, RuleId, SequenceId, Site,
    SystemFault, Zone, ZoneId,
};
use emberwatch::units::{Millis, Unit};
use serde::Deserialize;

use crate::judging::RuleText;
use crate::words::{self, Duration, Word};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SiteText {
    zone: Vec<ZoneText>,
    device: Vec<DeviceText>,
    rule: Vec<RuleText>,
    #[serde(default)]
    alarms: AlarmsText,
    #[serde(default)]
    load_group: Vec<LoadGroupText>,
    cut_budget: Option<BudgetText>,
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

/// The feeds of a load group, and what shows that each carries power.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct LoadGroupText {
    id: String,
    feed: BTreeMap<String, Vec<ExpectText>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct BudgetText {
    per_zone_max: u8,
    rate_max: u8,
    rate_within: Duration,
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
    heartbeat: Option<HeartbeatText>,
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
struct HeartbeatText {
    point: String,
    after: Duration,
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
struct SequenceText {
    id: String,
    zone: String,
    mode: Word<Mode>,
    trigger: String,
    countdown: Duration,
    on_restart: Word<OnRestart>,
    /// The name of the first stage that cannot be aborted; without it every stage can.
    no_return: Option<String>,
    arming_key: Option<ExpectText>,
    abort_input: Option<ExpectText>,
    /// The digest of what must have been proven.
    proof_of: Option<String>,
    stage: Vec<StageText>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct StageText {
    name: String,
    action: String,
    #[serde(default)]
    after_failure: bool,
    /// It waits for this many persons.
    by_persons: Option<u8>,
    /// `["nothing"]`, or feeds; a battery if left out.
    cuts: Option<Vec<String>>,
    #[serde(default)]
    requires: Vec<String>,
    #[serde(default)]
    life_safety: bool,
    permissives: Vec<ExpectText>,
    permissive_age_max: Duration,
    permissive_wait: Duration,
    delay: Duration,
    verify: Vec<ExpectText>,
    verify_within: Duration,
    attempts: u8,
    on_fail: Word<OnFail>,
    /// Held for no longer than this.
    hold_for: Option<Duration>,
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

    pub(crate) fn zone(&self, name: &str) -> ZoneId {
        ZoneId::at(position("zone", name, self.site.zones.iter().map(|zone| zone.name.as_str())))
    }

    pub(crate) fn rule(&self, name: &str) -> RuleId {
        RuleId::at(position("rule", name, self.rule_names.iter().map(String::as_str)))
    }

    fn expects(&self, texts: &[ExpectText]) -> Vec<Expect> {
        texts.iter().map(|text| self.expect(text)).collect()
    }

    fn expect(&self, text: &ExpectText) -> Expect {
        Expect { point: self.point(&text.point), is: text.condition() }
    }

    /// `group/feed`.
    fn feed(&self, name: &str) -> FeedId {
        let site = &self.site;
        let full = |feed: &Feed| format!("{}/{}", site[feed.group].name, feed.name);
        let found = site.feeds.iter().position(|feed| full(feed) == name);
        FeedId::at(found.unwrap_or_else(|| panic!("no feed is called `{name}`")))
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
        for device in &self.device {
            if let Some(beat) = &device.heartbeat {
                let point = plant.point(&format!("{}/{}", device.id, beat.point));
                plant.site.heartbeats.push(Heartbeat { point, after: beat.after.0 });
            }
        }
        for rule in &self.rule {
            let rule = rule.rule(&plant, &self.rule);
            plant.site.rules.push(rule);
        }
        for breaker in &self.breaker {
            let device = plant.device(&breaker.device);
            plant.site.devices[device.index()].switches = true;
            plant.site.actions.push(Action { name: breaker.id.clone(), device, output: breaker.output.0 });
        }
        for group in &self.load_group {
            let id = LoadGroupId::at(plant.site.load_groups.len());
            plant.site.load_groups.push(LoadGroup { name: group.id.clone(), title: group.id.clone() });
            for (name, alive) in &group.feed {
                let feed = Feed { name: name.clone(), group: id, alive: plant.expects(alive) };
                plant.site.feeds.push(feed);
            }
        }
        plant.site.cut_budget = self.cut_budget.as_ref().map(|budget| CutBudget {
            per_zone_max: budget.per_zone_max,
            rate_max: budget.rate_max,
            rate_within: budget.rate_within.0,
        });
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
                alarms.push((format!("weakened-{}", rule.name), room, AlarmSource::VoteWeakened(id), false));
                alarms.push((format!("blind-{}", rule.name), room, AlarmSource::VoteBlind(id), false));
            }
        }
        for (index, rule) in site.rules.iter().enumerate() {
            let (room, id) = (site[rule.zone].room, RuleId::at(index));
            let votes_in =
                |other: &Rule| matches!(&other.kind, RuleKind::Together(vote) if vote.channels.contains(&id));
            if site.rules.iter().any(votes_in) {
                alarms.push((format!("bypassed-{}", rule.name), room, AlarmSource::Bypassed(id), false));
            }
        }
        for (index, zone) in site.zones.iter().enumerate() {
            let source = AlarmSource::Maintenance(ZoneId::at(index));
            alarms.push((format!("maintenance-{}", zone.name), zone.room, source, false));
        }
        for (index, device) in site.devices.iter().enumerate() {
            let source = AlarmSource::Silent(DeviceId::at(index));
            alarms.push((format!("silent-{}", device.name), site[device.zone].room, source, false));
            let source = AlarmSource::Faulty(DeviceId::at(index));
            alarms.push((format!("faulty-{}", device.name), site[device.zone].room, source, false));
        }
        for (index, sequence) in site.sequences.iter().enumerate() {
            let (room, id) = (site[sequence.zone].room, SequenceId::at(index));
            for (word, source) in [
                ("not-armed", AlarmSource::NotArmed(id)),
                ("unproven", AlarmSource::Unproven(id)),
                ("cutting", AlarmSource::Cutting(id)),
                ("cut-failed", AlarmSource::CutFailed(id)),
                ("opened-by-other", AlarmSource::OpenedByOther(id)),
                ("current-flows", AlarmSource::CurrentFlows(id)),
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
            arming_key: self.arming_key.as_ref().map(|key| plant.expect(key)),
            abort_input: self.abort_input.as_ref().map(|input| plant.expect(input)),
            proof: self
                .proof_of
                .as_ref()
                .map(|of| ProofTest { every: Millis::from_secs(365 * 86_400), of: of.as_str().into() }),
            notice: String::new(),
            contact: None,
            autonomy: None,
            stages: self.stage.iter().map(|stage| stage.stage(plant, &self.stage)).collect(),
        }
    }
}

impl StageText {
    fn stage(&self, plant: &Plant, all: &[Self]) -> Stage {
        let actions = plant.site.actions.iter().map(|action| action.name.as_str());
        Stage {
            name: self.name.clone(),
            action: ActionId::at(position("breaker", &self.action, actions)),
            cuts: match self.cuts.as_deref() {
                None => Cuts::Battery,
                Some([word]) if word == "battery" => Cuts::Battery,
                Some([word]) if word == "nothing" => Cuts::Nothing,
                Some(feeds) => Cuts::Feeds(feeds.iter().map(|feed| plant.feed(feed)).collect()),
            },
            when: match (self.by_persons, self.after_failure) {
                (Some(persons), _) => StageWhen::ByPersons(persons),
                (None, true) => StageWhen::AfterFailure,
                (None, false) => StageWhen::Always,
            },
            requires: self
                .requires
                .iter()
                .map(|name| position("stage", name, all.iter().map(|stage| stage.name.as_str())))
                .map(|place| u8::try_from(place).expect("few stages"))
                .collect(),
            life_safety: self.life_safety,
            permissives: plant.expects(&self.permissives),
            permissive_age_max: self.permissive_age_max.0,
            permissive_wait: self.permissive_wait.0,
            wait_for_logins: None,
            delay: self.delay.0,
            verify: plant.expects(&self.verify),
            verify_within: self.verify_within.0,
            attempts: self.attempts,
            on_fail: self.hold_for.map_or(self.on_fail.0, |wait| OnFail::HoldFor(wait.0)),
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

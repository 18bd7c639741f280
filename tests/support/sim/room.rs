//! A random site: one to three rooms, each with two to five channels, a vote, breakers and sequences.

use std::collections::BTreeSet;

use emberwatch::safety::alarm::settings::AlarmSettings;
use emberwatch::safety::risk::Level;
use emberwatch::safety::rules::deviation::{Against, Deviation, Sides};
use emberwatch::safety::rules::limit::{Limit, Side, Step};
use emberwatch::safety::rules::rate::Rate;
use emberwatch::safety::rules::silence::Silence;
use emberwatch::safety::rules::state::{Case, State, When};
use emberwatch::safety::rules::step::StepChange;
use emberwatch::safety::rules::together::{OnAllLost, OnChannelFault, Together};
use emberwatch::safety::rules::{OnUnknown, Rule, RuleKind};
use emberwatch::safety::sequence::spec::{
    Condition, CutBudget, Cuts, Expect, Mode, OnFail, OnRestart, Sequence, Stage, StageWhen,
};
use emberwatch::safety::site::{
    Action, ActionId, Alarm, AlarmSource, Device, DeviceId, DeviceKind, Feed, FeedId, Frozen, Labels,
    LoadGroup, LoadGroupId, OutputKind, Point, PointId, Room, RoomId, RuleId, SequenceId, Site, Zone, ZoneId,
};
use emberwatch::units::{Millis, Unit};

use super::dice::Dice;

/// The physical range of the channels; outside it nothing is believed.
pub(crate) const RANGE: (f64, f64) = (-40.0, 300.0);
/// What a channel reads in a fire.
pub(crate) const BURNING: f64 = 95.0;
/// A calm channel.
pub(crate) const CALM: f64 = 25.0;
/// At or above this a channel is at danger.
pub(crate) const DANGER: f64 = 80.0;
/// Where configured, at or above this without delay.
pub(crate) const EXTREME: f64 = 120.0;

/// A site and where its parts are.
#[derive(Debug)]
pub(crate) struct House {
    pub(crate) site: Site,
    pub(crate) rooms: Vec<RoomMap>,
    /// The contact that each action opens.
    pub(crate) contact_of: Vec<PointId>,
    /// What each point is.
    pub(crate) roles: Vec<Role>,
    /// Devices are read so many times less often than in a house that is read as fast as possible.
    slower: u64,
}

/// What a point is, and of which room.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Role {
    /// The contact of this action.
    Contact(usize),
    /// A switch that forbids to cut.
    Lockout,
    /// What flows as long as nothing is cut.
    Current { room: usize },
    /// A channel; a state or a measurement.
    Channel { room: usize, rule: RuleId, measures: bool },
    /// Moves with the day.
    Ambient,
}

#[derive(Debug)]
pub(crate) struct RoomMap {
    pub(crate) vote: RuleId,
    /// Point and rule of each channel; each on a device of its own.
    pub(crate) channels: Vec<(PointId, RuleId)>,
    pub(crate) current: PointId,
    pub(crate) lockout: PointId,
    pub(crate) sequences: Vec<SequenceId>,
}

impl House {
    pub(crate) fn random(slower: u64, interlocked: bool, dice: &mut Dice) -> Self {
        let mut house = Self {
            site: Site::default(),
            rooms: Vec::new(),
            contact_of: Vec::new(),
            roles: Vec::new(),
            slower,
        };
        for index in 0..dice.between(1, 3) {
            house.add_room(index, dice);
        }
        if interlocked {
            house.add_interlocks(dice);
        }
        house.add_alarms();
        house.roles = (0..house.site.points.len()).map(|index| house.role(PointId::at(index))).collect();
        house
    }

    fn role(&self, point: PointId) -> Role {
        if let Some(action) = self.contact_of.iter().position(|contact| *contact == point) {
            return Role::Contact(action);
        }
        let of_room = |(index, room): (usize, &RoomMap)| {
            if room.lockout == point {
                return Some(Role::Lockout);
            }
            if room.current == point {
                return Some(Role::Current { room: index });
            }
            let &(_, rule) = room.channels.iter().find(|(channel, _)| *channel == point)?;
            let measures = matches!(self.site[rule].kind, RuleKind::Limit(_));
            Some(Role::Channel { room: index, rule, measures })
        };
        self.rooms.iter().enumerate().find_map(of_room).unwrap_or(Role::Ambient)
    }

    fn add_room(&mut self, index: u64, dice: &mut Dice) {
        let room = RoomId::at(self.site.rooms.len());
        let zone = ZoneId::at(self.site.zones.len());
        self.site.rooms.push(Room { name: format!("room-{index}"), title: String::new() });
        self.site.zones.push(Zone { name: format!("zone-{index}"), title: String::new(), room });
        let channels: Vec<(PointId, RuleId)> =
            (0..dice.between(2, 5)).map(|_| self.add_channel(zone, dice)).collect();
        self.add_onlookers(zone, &channels, dice);
        let vote = self.add_vote(zone, &channels, dice);
        let period = Millis(dice.pick(&[1000, 2000]) * self.slower);
        let relay = self.add_device(zone, period, DeviceKind::Contact);
        self.site.devices[relay.index()].switches = true;
        let current = self.add_point(relay, period);
        let lockout = self.add_point(relay, period);
        let count = if dice.chance(3000) { 2 } else { 1 };
        let sequences = (0..count)
            .map(|_| self.add_sequence(zone, vote, (relay, period, current, lockout), dice))
            .collect();
        self.rooms.push(RoomMap { vote, channels, current, lockout, sequences });
    }

    fn add_device(&mut self, zone: ZoneId, period: Millis, kind: DeviceKind) -> DeviceId {
        let first = u32::try_from(self.site.points.len()).expect("a small site");
        let name = format!("device-{}", self.site.devices.len());
        let silent_after = Millis(period.times(3).0.max(3000) + 500);
        self.site.devices.push(Device {
            title: name.clone(),
            name,
            zone,
            kind,
            points: first..first,
            silent_after,
            switches: false,
        });
        DeviceId::at(self.site.devices.len() - 1)
    }

    fn add_point(&mut self, device: DeviceId, period: Millis) -> PointId {
        self.site.points.push(Point {
            name: format!("point-{}", self.site.points.len()),
            device,
            unit: Unit::None,
            period,
            stale_after: Millis(period.times(3).0.max(3000) + 500),
            range: Some(RANGE),
            fall_per_s_max: None,
            frozen: None,
            labels: Labels::None,
        });
        self.site.devices[device.index()].points.end += 1;
        PointId::at(self.site.points.len() - 1)
    }

    fn add_rule(&mut self, zone: ZoneId, on_unknown: OnUnknown, kind: RuleKind) -> RuleId {
        let name = format!("rule-{}", self.site.rules.len());
        self.site.rules.push(Rule { name, zone, principle: "any".into(), on_unknown, kind });
        RuleId::at(self.site.rules.len() - 1)
    }

    fn add_channel(&mut self, zone: ZoneId, dice: &mut Dice) -> (PointId, RuleId) {
        let period = Millis(dice.pick(&[1000, 2000, 5000, 5000]) * self.slower);
        let device = self.add_device(zone, period, DeviceKind::Battery);
        let point = self.add_point(device, period);
        // States stand still for good reasons; only measurements are doubted for it, or for falling.
        let measures = dice.chance(7000);
        if measures && dice.chance(3000) {
            let sibling = self.add_point(device, period);
            let after = Millis::from_secs(dice.between(20, 120));
            self.site.points[point.index()].frozen =
                Some(Frozen { after, siblings: vec![sibling], moved: 3.0 });
        }
        if measures && dice.chance(2000) {
            self.site.points[point.index()].fall_per_s_max = Some(5.0);
        }
        let on_unknown = dice.pick(&[
            OnUnknown::Hold,
            OnUnknown::AtLeast(Level::Watch),
            OnUnknown::AtLeast(Level::Warning),
            OnUnknown::AtLeast(Level::Danger),
        ]);
        let on_delay = Millis(dice.pick(&[1, 1000, 3000]));
        let off_delay = Millis(dice.pick(&[0, 5000, 30_000]));
        let step = |limit, extreme| Some(Step { limit, on_delay, off_delay, extreme });
        let kind = if measures {
            let extreme = dice.chance(5000).then_some(EXTREME);
            let steps = [step(45.0, None), step(55.0, None), step(DANGER, extreme)];
            let projection = dice.chance(5000).then_some(10.0);
            RuleKind::Limit(Limit { point, side: Side::Above, deadband: 2.0, steps, projection })
        } else {
            let case = |number, level| Case { when: When::Is(number), level };
            let cases = vec![case(60, Level::Warning), case(95, Level::Danger), case(130, Level::Danger)];
            RuleKind::State(State { point, cases, on_delay, off_delay })
        };
        (point, self.add_rule(zone, on_unknown, kind))
    }

    /// Rules that vote for nothing, to be there.
    fn add_onlookers(&mut self, zone: ZoneId, channels: &[(PointId, RuleId)], dice: &mut Dice) {
        let point = channels[0].0;
        let step = |limit| Some(Step { limit, on_delay: Millis(0), off_delay: Millis(0), extreme: None });
        let rate = RuleKind::Rate(Rate {
            point,
            side: Side::Above,
            window: Millis::from_secs(60),
            samples_min: 3,
            floor: None,
            deadband: 0.5,
            steps: [step(3.0), step(6.0), None],
        });
        self.add_rule(zone, OnUnknown::Hold, rate);
        let silence = RuleKind::Silence(Silence {
            points: vec![point],
            after: Millis::from_secs(30),
            level: Level::Watch,
            level_if_abnormal: Level::Warning,
        });
        self.add_rule(zone, OnUnknown::Hold, silence);
        let against =
            dice.pick(&[Against::Median, Against::Spread, Against::Point(channels[channels.len() - 1].0)]);
        let deviation = RuleKind::Deviation(Deviation {
            points: channels[..channels.len() - 1].iter().map(|(point, _)| *point).collect(),
            against,
            side: dice.pick(&[Sides::Above, Sides::Below, Sides::Either]),
            members_min: 1,
            deadband: 1.0,
            steps: [step(5.0), step(10.0), None],
            rising: dice.chance(5000).then_some(Millis::from_secs(30)),
        });
        self.add_rule(zone, OnUnknown::AtLeast(Level::Watch), deviation);
        let change = RuleKind::Step(StepChange {
            point,
            side: Sides::Either,
            window: Millis::from_secs(600),
            samples_min: 3,
            relative: dice.chance(5000),
            deadband: 0.5,
            steps: [step(5.0), step(20.0), None],
            gate: None,
        });
        self.add_rule(zone, OnUnknown::Hold, change);
    }

    fn add_vote(&mut self, zone: ZoneId, channels: &[(PointId, RuleId)], dice: &mut Dice) -> RuleId {
        let rivals = random_rivals(channels.len(), dice);
        let all = (1_u32 << channels.len()) - 1;
        let most = super::referee::independent(&rivals, all) as u64;
        let needed = dice.between(2.min(most), most);
        let needed = if dice.chance(1000) { 1 } else { needed };
        let vote = RuleKind::Together(Together {
            channels: channels.iter().map(|(_, rule)| *rule).collect(),
            needed: u8::try_from(needed).expect("few channels"),
            votes_at: Level::Danger,
            level: Level::Danger,
            hold: Millis::from_secs(dice.pick(&[0, 10, 60])),
            on_channel_fault: dice.pick(&[
                OnChannelFault::Safety,
                OnChannelFault::Availability,
                OnChannelFault::Dependent,
            ]),
            on_all_lost: dice.pick(&[OnAllLost::Alarm, OnAllLost::TripIfLastWarn, OnAllLost::Trip]),
            grace: Millis::from_secs(dice.pick(&[5, 15])),
            one_vote_per: Vec::new(),
            rivals,
            repair_within: Millis::from_secs(dice.pick(&[60, 600])),
        });
        self.add_rule(zone, OnUnknown::Hold, vote)
    }

    fn add_sequence(
        &mut self,
        zone: ZoneId,
        trigger: RuleId,
        (relay, period, current, lockout): (DeviceId, Millis, PointId, PointId),
        dice: &mut Dice,
    ) -> SequenceId {
        let count = dice.between(1, 4);
        let mut stages = Vec::new();
        for index in 0..count {
            let output = dice.pick(&[OutputKind::Level, OutputKind::Pulse]);
            let contact = self.add_point(relay, period);
            let name = format!("device-{}/open-{}", relay.index(), self.site.actions.len());
            self.site.actions.push(Action { name, device: relay, output });
            self.contact_of.push(contact);
            let mut verify = vec![Expect { point: contact, is: Condition::Is(0) }];
            if index == 0 && dice.chance(4000) {
                verify.push(Expect { point: current, is: Condition::AtMost(0.5) });
            }
            stages.push(Stage {
                name: format!("stage-{index}"),
                action: ActionId::at(self.site.actions.len() - 1),
                cuts: Cuts::Battery,
                requires: Vec::new(),
                life_safety: false,
                when: if index != 0 && dice.chance(4000) {
                    StageWhen::AfterFailure
                } else {
                    StageWhen::Always
                },
                permissives: if dice.chance(7000) {
                    vec![Expect { point: lockout, is: Condition::Is(0) }]
                } else {
                    Vec::new()
                },
                permissive_age_max: Millis(period.0 * 2),
                permissive_wait: Millis::from_secs(dice.between(5, 20)),
                wait_for_logins: None,
                delay: Millis(dice.pick(&[0, 500, 3000])),
                verify,
                verify_within: Millis::from_secs(dice.between(3, 8)),
                attempts: if output == OutputKind::Pulse { 1 } else { dice.pick(&[1, 2, 3]) },
                on_fail: dice.pick(&[OnFail::Next, OnFail::Next, OnFail::Hold]),
            });
        }
        let name = format!("sequence-{}", self.site.sequences.len());
        self.site.sequences.push(Sequence {
            title: name.clone(),
            name,
            zone,
            mode: dice.pick(&[
                Mode::Armed,
                Mode::Armed,
                Mode::Armed,
                Mode::Armed,
                Mode::Shadow,
                Mode::Disabled,
            ]),
            trigger,
            countdown: Millis::from_secs(dice.pick(&[0, 5, 30])),
            on_restart: dice.pick(&[OnRestart::Resume, OnRestart::Hold]),
            no_return: u8::try_from(dice.between(0, count)).expect("few stages"),
            arming_key: None,
            abort_input: None,
            proof: None,
            notice: String::new(),
            contact: None,
            autonomy: None,
            stages,
        });
        SequenceId::at(self.site.sequences.len() - 1)
    }

    /// A budget, a load group with a feed behind each of two contacts, and stages that wait for others or for persons.
    fn add_interlocks(&mut self, dice: &mut Dice) {
        self.site.cut_budget = Some(CutBudget {
            per_zone_max: dice.pick(&[1, 2, 4]),
            rate_max: dice.pick(&[1, 2, 4, 8]),
            rate_within: Millis::from_secs(dice.pick(&[60, 600])),
        });
        let group = LoadGroupId(0);
        self.site.load_groups.push(LoadGroup { name: "row".into(), title: String::new() });
        for (index, contact) in self.contact_of.iter().take(3).enumerate() {
            let alive = vec![Expect { point: *contact, is: Condition::Is(1) }];
            self.site.feeds.push(Feed { name: format!("feed-{index}"), group, alive });
        }
        for sequence in &mut self.site.sequences {
            for (index, stage) in (0_u8..).zip(&mut sequence.stages) {
                stage.cuts = match self.site.feeds.get(stage.action.index()) {
                    Some(_) => Cuts::Feeds(vec![FeedId::at(stage.action.index())]),
                    None if dice.chance(3000) => Cuts::Nothing,
                    None => Cuts::Battery,
                };
                if 0 < index && dice.chance(3000) {
                    stage.requires = vec![u8::try_from(dice.between(0, u64::from(index) - 1)).expect("few")];
                    stage.life_safety = dice.chance(5000);
                }
                if dice.chance(1000) {
                    stage.when = StageWhen::ByPersons(dice.pick(&[1, 2]));
                }
                if dice.chance(3000) {
                    stage.on_fail = OnFail::HoldFor(Millis::from_secs(dice.between(5, 60)));
                }
            }
        }
    }

    /// What persons may put aside: each channel, and each room's zone.
    pub(crate) fn add_waivers(&mut self) {
        let channels = self.rooms.iter().flat_map(|room| &room.channels).map(|(_, rule)| *rule);
        let zones: BTreeSet<ZoneId> = self.site.sequences.iter().map(|sequence| sequence.zone).collect();
        let sources: Vec<AlarmSource> = channels
            .map(AlarmSource::Bypassed)
            .chain(zones.into_iter().map(AlarmSource::Maintenance))
            .collect();
        for source in sources {
            let name = format!("alarm-{}", self.site.alarms.len());
            let [message, consequence, action] = [const { String::new() }; 3];
            let alarm = Alarm { name, room: RoomId(0), source, latched: false, message, consequence, action };
            self.site.alarms.push(alarm);
        }
    }

    fn add_alarms(&mut self) {
        let rules = (0..self.site.rules.len()).map(|index| AlarmSource::Rule(RuleId::at(index)));
        let devices = (0..self.site.devices.len()).map(|index| AlarmSource::Silent(DeviceId::at(index)));
        let sequences = (0..self.site.sequences.len())
            .map(SequenceId::at)
            .flat_map(|id| [AlarmSource::NotArmed(id), AlarmSource::Cutting(id), AlarmSource::CutFailed(id)]);
        let flood = AlarmSource::Flood(RoomId(0));
        let sources: Vec<AlarmSource> = rules.chain(devices).chain(sequences).chain([flood]).collect();
        // So that there are floods, and that what was seen is told anew.
        self.site.alarm_settings = AlarmSettings {
            re_alarm: Millis::from_secs(600),
            flood_begins: 3,
            flood_ends: 2,
            flood_within: Millis::from_secs(60),
            ..AlarmSettings::default()
        };
        self.site.alarms = sources
            .into_iter()
            .enumerate()
            .map(|(index, source)| Alarm {
                name: format!("alarm-{index}"),
                room: RoomId(0),
                source,
                latched: index.is_multiple_of(5) && source != flood,
                message: String::new(),
                consequence: String::new(),
                action: String::new(),
            })
            .collect();
    }
}

/// Channels that share something, in half of the houses: one vote between them.
fn random_rivals(count: usize, dice: &mut Dice) -> Vec<u32> {
    let mut rivals = vec![0; count];
    if dice.chance(5000) {
        return rivals;
    }
    for a in 0..count {
        for b in 0..a {
            if dice.chance(2500) {
                rivals[a] |= 1 << b;
                rivals[b] |= 1 << a;
            }
        }
    }
    rivals
}

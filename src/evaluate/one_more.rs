//! The same site with one more sensor at each rack.

use std::collections::BTreeMap;

use super::roles::{Role, Roles};
use crate::safety::risk::Level;
use crate::safety::rules::deviation::Sides;
use crate::safety::rules::limit::{Limit, Side, Step};
use crate::safety::rules::state::{Case, State, When};
use crate::safety::rules::step::StepChange;
use crate::safety::rules::together::{CHANNELS_MAX, Independence, Together};
use crate::safety::rules::{OnUnknown, Rule, RuleKind};
use crate::safety::sequence::spec::Mode;
use crate::safety::site::{Device, DeviceId, DeviceKind, Labels, Point, PointId, RuleId, Site, ZoneId};
use crate::sim::physics::Measured;
use crate::units::{Millis, Unit};

/// How often an added sensor is read.
const PERIOD: Millis = Millis::from_secs(1);
/// When it is stale.
const STALE_AFTER: Millis = Millis(3500);

/// A sensor that a site could add to each rack, as a channel of the votes of its zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Addition {
    /// A gas detector in the cabinet: danger at 25 % of the lower flammability limit.
    CabinetGas,
    /// Aspirating smoke detection in the cabinet: danger at its first fire stage.
    CabinetSmoke,
    /// A temperature sensor of its own on the hottest cell: danger at 80 °C.
    CellTemp,
    /// A cell voltage of its own: danger at a sudden fall by a quarter, latched.
    CellVoltage,
}

impl Addition {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::CabinetGas, Self::CabinetSmoke, Self::CellTemp, Self::CellVoltage];

    /// For people.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::CabinetGas => "a gas detector in each cabinet",
            Self::CabinetSmoke => "a smoke detector in each cabinet",
            Self::CellTemp => "a temperature sensor of its own at the cells",
            Self::CellVoltage => "cell voltages of its own",
        }
    }

    const fn kind(self) -> DeviceKind {
        match self {
            Self::CabinetGas => DeviceKind::Gas,
            Self::CabinetSmoke => DeviceKind::Smoke,
            Self::CellTemp | Self::CellVoltage => DeviceKind::Battery,
        }
    }

    const fn principle(self) -> &'static str {
        match self {
            Self::CabinetGas => "gas",
            Self::CabinetSmoke => "smoke",
            Self::CellTemp => "temperature",
            Self::CellVoltage => "voltage",
        }
    }

    const fn point(self) -> (Unit, (f64, f64)) {
        match self {
            Self::CabinetGas => (Unit::PercentLfl, (0.0, 100.0)),
            Self::CabinetSmoke => (Unit::None, (0.0, 31.0)),
            Self::CellTemp => (Unit::Celsius, (-40.0, 1000.0)),
            Self::CellVoltage => (Unit::Volt, (0.0, 6.0)),
        }
    }

    fn role(self, rack: usize) -> Role {
        match self {
            Self::CabinetGas => Role::Measures(Measured::CabinetGas(rack), 1.0),
            Self::CabinetSmoke => {
                Role::Bits(Measured::CabinetSmokeStages(rack), (0..5).map(|bit| (bit, bit)).collect())
            }
            Self::CellTemp => Role::Measures(Measured::CellTempMax(rack), 1.0),
            Self::CellVoltage => Role::Measures(Measured::CellVoltageMin(rack), 1.0),
        }
    }

    /// Its rule: the limits of the shipped presets.
    fn rule(self, point: PointId) -> RuleKind {
        let step = |limit: f64, on_delay: u64| {
            Some(Step { limit, on_delay: Millis(on_delay), off_delay: Millis::from_secs(60), extreme: None })
        };
        match self {
            Self::CabinetGas => RuleKind::Limit(Limit {
                point,
                side: Side::Above,
                deadband: 2.0,
                steps: [None, step(10.0, 3000), step(25.0, 3000)],
                projection: None,
            }),
            Self::CabinetSmoke => RuleKind::State(State {
                point,
                cases: vec![
                    Case { when: When::AnyBit(0b1), level: Level::Watch },
                    Case { when: When::AnyBit(0b110), level: Level::Warning },
                    Case { when: When::AnyBit(0b1_1000), level: Level::Danger },
                ],
                on_delay: Millis(3000),
                off_delay: Millis::from_secs(60),
            }),
            Self::CellTemp => RuleKind::Limit(Limit {
                point,
                side: Side::Above,
                deadband: 2.0,
                steps: [step(45.0, 60_000), step(55.0, 10_000), step(80.0, 3000)],
                projection: None,
            }),
            Self::CellVoltage => RuleKind::Step(StepChange {
                point,
                side: Sides::Below,
                window: Millis::from_secs(600),
                samples_min: 3,
                relative: true,
                deadband: 0.5,
                steps: [None, step(1.5, 2000), step(25.0, 2000)],
                gate: None,
            }),
        }
    }
}

/// The site with one more sensor at each rack, in every vote that triggers a sequence of its zone, or where none does in
/// every vote of it. `None` where no zone with a battery votes.
#[must_use]
pub fn with_one_more(site: &Site, roles: &Roles, addition: Addition) -> Option<(Site, Roles)> {
    let (mut site, mut roles) = (site.clone(), roles.clone());
    let mut added = false;
    for rack in 0..roles.racks.len() {
        let zone = site[roles.racks[rack]].zone;
        let votes = votes_of(&site, zone);
        if votes.is_empty() {
            continue;
        }
        added = true;
        let (unit, range) = addition.point();
        let first = u32::try_from(site.points.len()).ok()?;
        let device = DeviceId::at(site.devices.len());
        site.devices.push(Device {
            name: format!("one-more-{}", rack + 1),
            title: addition.title().to_owned(),
            zone,
            kind: addition.kind(),
            points: first..first + 1,
            silent_after: STALE_AFTER,
            switches: false,
        });
        site.points.push(Point {
            name: "value".to_owned(),
            device,
            unit,
            period: PERIOD,
            stale_after: STALE_AFTER,
            range: Some(range),
            fall_per_s_max: None,
            frozen: None,
            labels: Labels::None,
        });
        roles.of.push(addition.role(rack));
        let rule = RuleId::at(site.rules.len());
        site.rules.push(Rule {
            name: format!("one-more-{}", rack + 1),
            zone,
            principle: addition.principle().to_owned(),
            on_unknown: OnUnknown::Hold,
            kind: addition.rule(PointId(first)),
        });
        for vote in votes {
            join(&mut site, vote, rule, addition.principle());
        }
    }
    added.then_some((site, roles))
}

/// The votes of a zone that matter: those that trigger its sequences, or all of them.
fn votes_of(site: &Site, zone: ZoneId) -> Vec<RuleId> {
    let triggers: Vec<RuleId> = site
        .sequences
        .iter()
        .filter(|sequence| sequence.zone == zone && sequence.mode == Mode::Armed)
        .map(|sequence| sequence.trigger)
        .collect();
    if !triggers.is_empty() {
        return triggers;
    }
    let is_vote = |id: &RuleId| site[*id].zone == zone && matches!(site[*id].kind, RuleKind::Together(_));
    (0..site.rules.len()).map(RuleId::at).filter(is_vote).collect()
}

/// Makes a rule a channel of a vote. What shares its principle with it is one vote together, where the site counts so.
fn join(site: &mut Site, vote: RuleId, rule: RuleId, principle: &str) {
    let principles: Vec<String> = site.rules.iter().map(|rule| rule.principle.clone()).collect();
    let RuleKind::Together(Together { channels, rivals, one_vote_per, .. }) =
        &mut site.rules[vote.index()].kind
    else {
        return;
    };
    if channels.len() == CHANNELS_MAX {
        return;
    }
    let own = channels.len();
    let mut mask = 0;
    if one_vote_per.contains(&Independence::Principle) {
        for (other, channel) in channels.iter().enumerate() {
            if principles[channel.index()] == principle {
                mask |= 1 << other;
                rivals[other] |= 1 << own;
            }
        }
    }
    channels.push(rule);
    rivals.push(mask);
}

/// Devices whose points any channel of any vote reads, and how many do.
#[must_use]
pub fn voters(site: &Site) -> BTreeMap<DeviceId, usize> {
    let mut devices = BTreeMap::new();
    for rule in &site.rules {
        let RuleKind::Together(vote) = &rule.kind else { continue };
        for point in vote.channels.iter().flat_map(|channel| site[*channel].kind.points()) {
            *devices.entry(site[point].device).or_insert(0) += 1;
        }
    }
    devices
}

//! One trial: an incident and what is broken meanwhile, both drawn from a number, and what the core made of it.

use super::world::{CELLS, World};
use crate::replay::{Breaker, Moment};
use crate::safety::fact::{Fact, Output};
use crate::safety::risk::Level;
use crate::safety::sequence::SequenceEvent;
use crate::safety::sequence::spec::Mode;
use crate::safety::site::{DeviceId, PointId, Site, ZoneId};
use crate::safety::{GAP_MAX, Safety};
use crate::sim::Noise;
use crate::sim::physics::{Fault, Incident, IncidentKind};
use crate::units::{Millis, Now, Uptime, WallTime};

/// How long a battery may go on before it counts as harmless, s.
const INCIDENT_S: f64 = 1800.0;
/// How long is watched after a runaway: what has not cut by then has missed it. 5 min is what GB 38031 gives an alarm.
pub(super) const AFTER_S: f64 = 300.0;
/// How long a calm trial lasts, s.
pub(super) const CALM_S: f64 = 3600.0;
/// Of so many devices one is broken when a fire begins, and when none does.
const BROKEN_ONE_IN_FIRE: u32 = 50;
const BROKEN_ONE_IN_CALM: u32 = 5;

/// What a trial is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A battery is what is wrong: it must be found, and cut if it burns.
    Fire,
    /// An hour in which no battery is: sensors break, dust and solvents come, the cooling fails. Nothing may be cut.
    Calm,
}

/// One trial, before it is played.
#[derive(Clone, Debug)]
pub struct Trial {
    /// Its number: the same draws the same.
    pub number: u64,
    /// Its kind.
    pub kind: Kind,
    /// What happens; in a calm hour perhaps nothing.
    pub incident: Option<Incident>,
    /// When, s after the trial began.
    pub begins_s: f64,
    /// What is broken from the beginning: device, point (all without one), how.
    pub broken: Vec<(DeviceId, Option<PointId>, Fault)>,
}

/// What came of it. Times count from the incident, or from the start of a calm hour.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Its number.
    pub number: u64,
    /// What happened.
    pub kind: Option<IncidentKind>,
    /// A cell ran away.
    pub ran_away: Option<Millis>,
    /// The next cell did.
    pub spread: Option<Millis>,
    /// The zone's level reached watch, warning, danger.
    pub levels: [Option<Millis>; 3],
    /// The vote of a sequence of the zone was complete: its countdown began; its danger, where no sequence cuts it.
    pub decided: Option<Millis>,
    /// The first command to a breaker of the zone; its danger, where no sequence cuts it.
    pub cut: Option<Millis>,
    /// The zone was isolated, verified.
    pub isolated: Option<Millis>,
    /// The first command to a breaker of any other zone.
    pub cut_elsewhere: Option<Millis>,
    /// Devices that were broken.
    pub broken: usize,
}

impl Outcome {
    /// A cell burnt and nothing was cut until five minutes later.
    #[must_use]
    pub fn is_missed(&self) -> bool {
        self.ran_away.is_some() && self.cut.is_none()
    }

    /// How much sooner than the runaway something came, s; negative when it came later.
    #[must_use]
    pub fn lead_s(&self, at: Option<Millis>) -> Option<f64> {
        Some(self.ran_away?.as_secs_f64() - at?.as_secs_f64())
    }
}

impl Trial {
    /// Draws the trial of this number.
    #[must_use]
    pub fn draw(site: &Site, racks: usize, kind: Kind, seed: u64, number: u64) -> Self {
        let mut noise = Noise::new(seed ^ number.wrapping_mul(0xa24b_aed4_963e_e407));
        let incident = match kind {
            Kind::Fire => Some([
                IncidentKind::Short,
                IncidentKind::Short,
                IncidentKind::Overheating,
                IncidentKind::HardShort,
            ]),
            Kind::Calm if noise.one_in(2) => None,
            Kind::Calm => Some([
                IncidentKind::StraySmoke,
                IncidentKind::StraySmoke,
                IncidentKind::StrayGas,
                IncidentKind::CoolingFailure,
            ]),
        };
        let incident = incident.map(|kinds| {
            let kind = kinds[noise.index(kinds.len())];
            Incident::draw(kind, noise.index(racks.max(1)), CELLS, &mut noise)
        });
        let one_in = match kind {
            Kind::Fire => BROKEN_ONE_IN_FIRE,
            Kind::Calm => BROKEN_ONE_IN_CALM,
        };
        let mut broken = Vec::new();
        for index in 0..site.devices.len() {
            if noise.one_in(one_in) {
                broken.push(fault(site, DeviceId::at(index), &mut noise));
            }
        }
        let begins_s = noise.between(20.0, 900.0);
        Self { number, kind, incident, begins_s, broken }
    }

    /// The same trial at a site without this device: it never answers.
    #[must_use]
    pub fn without(mut self, device: DeviceId) -> Self {
        self.broken.retain(|(other, ..)| *other != device);
        self.broken.push((device, None, Fault::Silent));
        self
    }

    /// Plays it: `core` and `world` are calm, and `now` is where they are. Who hears it hears times since the trial began.
    #[must_use]
    pub fn play(
        &self,
        site: &Site,
        mut core: Safety,
        mut world: World,
        now: Uptime,
        hear: Hear<'_>,
    ) -> Outcome {
        world.reseed(self.number);
        for (device, point, fault) in &self.broken {
            world.breaks(*device, *point, *fault);
        }
        let mut watch = Watch::new(self, site, &world, now);
        let mut breaker = Breaker::new(vec![true; site.points.len()]);
        let (began, mut now, mut inputs, mut outputs) = (now, now, Vec::new(), Vec::new());
        while !watch.is_over(now) {
            now = now.plus(GAP_MAX);
            watch.lets_happen(self, now, &mut world);
            inputs.clear();
            world.pass(now, &mut inputs);
            let moment = Now { uptime: now, wall: WallTime(0) };
            breaker.play(site, moment, &mut inputs);
            outputs.clear();
            core.scan(moment, &inputs, &mut outputs);
            watch.sees(site, &world, now, &outputs);
            for output in &outputs {
                if let Output::Order(order) = output {
                    breaker.obey(site, order, now);
                }
            }
            let at = now.since(began);
            hear(site, Moment { now: moment, at, inputs: &inputs, outputs: &outputs });
        }
        watch.outcome
    }
}

/// Who wants to hear every scan of a trial.
pub(super) type Hear<'a> = &'a mut dyn FnMut(&Site, Moment<'_>);

/// Something that breaks in a device.
fn fault(site: &Site, device: DeviceId, noise: &mut Noise) -> (DeviceId, Option<PointId>, Fault) {
    let points = site[device].points.clone();
    let one = points.clone().nth(noise.index(points.len())).map(PointId);
    let range = one.and_then(|point| site[point].range).unwrap_or((0.0, 100.0));
    match noise.index(8) {
        0 => (device, None, Fault::Silent),
        1 => (device, None, Fault::FlatLine),
        2 => (device, None, Fault::Disowns),
        3 => (device, one, Fault::FlatLine),
        4 => (device, one, Fault::StuckAt(if noise.one_in(2) { range.0 } else { range.1 })),
        5 => (device, one, Fault::Offset((range.1 - range.0) * noise.between(-0.1, 0.1))),
        6 => (device, one, Fault::Drift((range.1 - range.0) * noise.between(-0.2, 0.2))),
        _ => (device, one, Fault::Spikes { to: range.1, one_in: 200 }),
    }
}

/// Watches one trial.
struct Watch {
    outcome: Outcome,
    /// The moment from which times count.
    begun: Uptime,
    over: Uptime,
    started: bool,
    stray_ends: Option<Uptime>,
    rack: usize,
    zone: Option<ZoneId>,
    has_sequence: bool,
    incident: bool,
}

impl Watch {
    fn new(trial: &Trial, site: &Site, world: &World, now: Uptime) -> Self {
        let rack = trial.incident.map_or(0, |incident| incident.rack);
        let of_battery = trial.incident.is_some_and(|incident| incident.kind.is_of_a_battery());
        let zone = world.zone_of(rack).filter(|_| of_battery);
        let begins = now.plus(seconds(trial.begins_s));
        let (begun, lasts_s) = match trial.kind {
            Kind::Fire => (begins, INCIDENT_S + AFTER_S),
            Kind::Calm => (now, CALM_S),
        };
        let outcome = Outcome {
            number: trial.number,
            kind: trial.incident.map(|incident| incident.kind),
            broken: trial.broken.len(),
            ..Outcome::default()
        };
        Self {
            outcome,
            begun,
            over: begun.plus(seconds(lasts_s)),
            started: false,
            stray_ends: None,
            rack,
            zone,
            has_sequence: site.sequences.iter().any(|it| it.mode == Mode::Armed && Some(it.zone) == zone),
            incident: of_battery,
        }
    }

    fn is_over(&self, now: Uptime) -> bool {
        self.over <= now
    }

    /// The incident begins, and what is stray ends.
    fn lets_happen(&mut self, trial: &Trial, now: Uptime, world: &mut World) {
        let Some(incident) = &trial.incident else { return };
        let begins = match trial.kind {
            Kind::Fire => self.begun,
            Kind::Calm => self.begun.plus(seconds(trial.begins_s)),
        };
        if !self.started && begins <= now {
            self.started = true;
            incident.begins(&mut world.plant);
            if !incident.kind.is_of_a_battery() {
                self.stray_ends = Some(now.plus(seconds(incident.lasts_s)));
            }
        }
        if self.stray_ends.is_some_and(|ends| ends <= now) {
            self.stray_ends = None;
            if incident.kind != IncidentKind::CoolingFailure {
                incident.ends(&mut world.plant);
            }
        }
    }

    fn sees(&mut self, site: &Site, world: &World, now: Uptime, outputs: &[Output]) {
        let at = now.since(self.begun);
        if self.incident && self.started {
            self.sees_fire(world, now, at);
        }
        for output in outputs {
            match output {
                Output::Order(order) => {
                    let own = Some(site[order.sequence].zone) == self.zone;
                    let slot = if own { &mut self.outcome.cut } else { &mut self.outcome.cut_elsewhere };
                    slot.get_or_insert(at);
                }
                Output::Fact(Fact::Level(change))
                    if Some(change.zone) == self.zone || self.zone.is_none() =>
                {
                    for (slot, level) in self.outcome.levels.iter_mut().zip(LEVELS) {
                        if level <= change.level {
                            slot.get_or_insert(at);
                        }
                    }
                    if change.level == Level::Danger && !self.has_sequence && self.zone.is_some() {
                        self.outcome.decided.get_or_insert(at);
                        self.outcome.cut.get_or_insert(at);
                    }
                }
                Output::Fact(Fact::Sequence(change)) if Some(site[change.sequence].zone) == self.zone => {
                    match change.event {
                        SequenceEvent::Started => self.outcome.decided.get_or_insert(at),
                        SequenceEvent::Done => self.outcome.isolated.get_or_insert(at),
                        _ => continue,
                    };
                }
                Output::Fact(_) => {}
            }
        }
    }

    fn sees_fire(&mut self, world: &World, now: Uptime, at: Millis) {
        let burning = world.plant.racks[self.rack].cells().iter().filter(|cell| cell.has_run_away()).count();
        if 0 < burning && self.outcome.ran_away.is_none() {
            self.outcome.ran_away = Some(at);
            self.over = now.plus(seconds(AFTER_S));
        }
        if 1 < burning {
            self.outcome.spread.get_or_insert(at);
        }
    }
}

const LEVELS: [Level; 3] = [Level::Watch, Level::Warning, Level::Danger];

fn seconds(seconds: f64) -> Millis {
    Millis::after_minutes(seconds / 60.0)
}

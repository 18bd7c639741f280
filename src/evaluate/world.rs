//! The room, its instruments and the polls: what would have come in over the buses.
//!
//! A poll answers at once or is lost; what buses do to time and frames is tried elsewhere, against real links.

use std::sync::Arc;

use super::calm::{self, Calm};
use super::roles::{Role, Roles};
use crate::safety::fact::Input;
use crate::safety::reading::ReadFault;
use crate::safety::site::{DeviceId, PointId, Site, ZoneId};
use crate::sim::Noise;
use crate::sim::physics::{Chemistry, Fault, Instrument, Plant, Reported};
use crate::units::{Millis, Uptime, Value};

/// Cells of each simulated rack.
pub(super) const CELLS: usize = 16;
/// The room is kept at this, °C, and its racks at this charge, %.
const ROOM_C: f64 = 22.0;
const SOC_PCT: f64 = 90.0;
/// One poll in so many is lost.
const LOST_ONE_IN: u32 = 1000;

/// The world of one trial.
#[derive(Clone, Debug)]
pub struct World {
    site: Arc<Site>,
    roles: Arc<Roles>,
    /// The room.
    pub plant: Plant,
    /// What decides by chance in it.
    pub noise: Noise,
    calm: Arc<Vec<Calm>>,
    instruments: Vec<Instrument>,
    polls: Vec<Poll>,
    now: Uptime,
}

/// Points of one device that are read together.
#[derive(Clone, Debug)]
struct Poll {
    points: Vec<PointId>,
    period: Millis,
    due: Uptime,
}

impl World {
    /// A calm world for this site, from `now` on.
    #[must_use]
    pub fn new(site: Arc<Site>, roles: Arc<Roles>, chemistry: Chemistry, seed: u64, now: Uptime) -> Self {
        let plant = Plant::new(chemistry, roles.racks.len().max(1), CELLS, SOC_PCT, ROOM_C);
        let calm = calm::values(&site, &roles, &plant);
        let instruments = roles.of.iter().map(|role| Instrument::new(role.noise())).collect();
        let polls = polls(&site, now);
        Self { calm: Arc::new(calm), instruments, polls, noise: Noise::new(seed), plant, site, roles, now }
    }

    /// The zone that a rack stands in.
    #[must_use]
    pub fn zone_of(&self, rack: usize) -> Option<ZoneId> {
        self.roles.racks.get(rack).map(|device| self.site[*device].zone)
    }

    /// Chance goes on from another seed.
    pub fn reseed(&mut self, seed: u64) {
        self.noise = Noise::new(seed);
    }

    /// From now on this is wrong with a device: with one point of it, or with all.
    pub fn breaks(&mut self, device: DeviceId, point: Option<PointId>, fault: Fault) {
        let at_s = self.plant.age_s();
        for index in self.site[device].points.clone() {
            let id = PointId(index);
            // What dies takes its counters and contacts along; what lies does so in what it measures.
            let measures = !matches!(self.roles.of[id.index()], Role::Counts | Role::Rests);
            let all = matches!(fault, Fault::Silent);
            if point.is_none_or(|only| only == id) && (measures || all) {
                self.instruments[id.index()].fails(fault, at_s);
            }
        }
    }

    /// Lets the room live until `now`, and gives what was read on the way.
    pub fn pass(&mut self, now: Uptime, inputs: &mut Vec<Input>) {
        let seconds = now.since(self.now).as_secs_f64();
        if 0.0 < seconds {
            self.plant.pass(seconds);
        }
        self.now = now;
        for index in 0..self.polls.len() {
            if self.polls[index].due <= now {
                self.polls[index].due = self.polls[index].due.plus(self.polls[index].period);
                self.read(index, inputs);
            }
        }
    }

    fn read(&mut self, poll: usize, inputs: &mut Vec<Input>) {
        let lost = self.noise.one_in(LOST_ONE_IN);
        let (asked, taken, at_s) = (self.now, self.now, self.plant.age_s());
        for point in &self.polls[poll].points {
            let index = point.index();
            let truth = truth(&self.plant, &self.roles.of[index], self.calm[index]);
            let range = self.site[*point].range.unwrap_or((f64::MIN, f64::MAX));
            let sound = !self.instruments[index].is_faulty();
            let result = match self.instruments[index].read(truth, at_s, &mut self.noise) {
                Reported::Nothing => Err(ReadFault::Timeout),
                Reported::Value(_) | Reported::Disowned if lost => Err(ReadFault::Timeout),
                Reported::Disowned => Err(ReadFault::Sentinel),
                // Noise ends where the instrument does: one that works shows no less than its zero.
                Reported::Value(value) if sound => {
                    Value::new(value.clamp(range.0, range.1)).ok_or(ReadFault::NotANumber)
                }
                Reported::Value(value) => Value::new(value).ok_or(ReadFault::NotANumber),
            };
            inputs.push(Input::Sampled { point: *point, asked, taken, result });
        }
    }
}

/// What a perfect instrument of this role would read.
fn truth(plant: &Plant, role: &Role, calm: Calm) -> f64 {
    match role {
        Role::Measures(what, scale) => plant.measure(*what) * scale,
        Role::Voltage(what) => calm.reads * plant.measure(*what) / calm.model,
        Role::Stages(what, alarms) => {
            let value = plant.measure(*what);
            bits(alarms.iter().filter(|(_, limit)| *limit <= value).map(|(bit, _)| *bit))
        }
        Role::Bits(what, stages) => {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "five bits")]
            let raised = plant.measure(*what) as u32;
            bits(stages.iter().filter(|(_, stage)| raised & (1 << stage) != 0).map(|(bit, _)| *bit))
        }
        Role::Counts => (plant.age_s() % 65_536.0).floor(),
        Role::Rests => calm.reads,
    }
}

fn bits(set: impl Iterator<Item = u32>) -> f64 {
    f64::from(set.fold(0_u32, |bits, bit| bits | 1 << bit.min(31)))
}

/// Which points are read together and when first: phases are spread, as a link spreads them.
fn polls(site: &Site, now: Uptime) -> Vec<Poll> {
    let mut polls: Vec<Poll> = Vec::new();
    for device in &site.devices {
        let first = polls.len();
        for point in device.points.clone().map(PointId) {
            let period = Millis(site[point].period.0.max(1));
            match polls[first..].iter_mut().find(|poll| poll.period == period) {
                Some(poll) => poll.points.push(point),
                None => polls.push(Poll { points: vec![point], period, due: now }),
            }
        }
    }
    let count = polls.len().max(1) as u64;
    for (index, poll) in polls.iter_mut().enumerate() {
        poll.due = now.plus(Millis(poll.period.0 * index as u64 / count));
    }
    polls
}

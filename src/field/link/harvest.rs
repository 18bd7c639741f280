//! What one poll brings in: the value, or the reason, of each of its points.

use std::sync::Arc;

use super::job::Job;
use super::worker::Worker;
use crate::clock;
use crate::field::decode;
use crate::field::profile::Profile;
use crate::safety::fact::Input;
use crate::safety::reading::ReadFault;
use crate::units::{Uptime, Value};

/// What became of the points of one poll, in the order of the job's points.
pub(super) struct Harvest {
    pub(super) asked: Uptime,
    slots: Vec<Slot>,
}

#[derive(Clone, Copy)]
struct Slot {
    taken: Uptime,
    result: Result<Value, ReadFault>,
}

impl Harvest {
    pub(super) fn unread(now: Uptime, points: usize, fault: ReadFault) -> Self {
        Self { asked: now, slots: vec![Slot { taken: now, result: Err(fault) }; points] }
    }

    /// Nothing read yet. What the device does not have is not in service.
    pub(super) fn new(now: Uptime, job: &Job, profile: &Profile) -> Self {
        let mut harvest = Self::unread(now, job.points.len(), ReadFault::Disconnected);
        for (slot, at) in harvest.slots.iter_mut().zip(&job.points) {
            if profile.absent.contains(at) || profile.points[*at].model.is_some() {
                slot.result = Err(ReadFault::NotInService);
            }
        }
        harvest
    }

    /// A block came without its words.
    pub(super) fn lose(&mut self, job: &Job, block: usize, taken: Uptime, fault: ReadFault) {
        for at in &job.asks[block].block.points {
            self.put(job, *at, Slot { taken, result: Err(fault) });
        }
    }

    /// Decodes the points of a block.
    pub(super) fn take(&mut self, job: &Job, block: usize, profile: &Profile, words: &[u16], taken: Uptime) {
        let block = &job.asks[block].block;
        for at in &block.points {
            let point = &profile.points[*at];
            let start = usize::from(point.address - block.address);
            let raw = words.get(start..start + usize::from(point.words())).unwrap_or(&[]);
            self.put(job, *at, Slot { taken, result: decode::value(point, raw) });
        }
    }

    fn put(&mut self, job: &Job, point: usize, slot: Slot) {
        let at = job.points.binary_search(&point).expect("a job's blocks are made of its own points");
        self.slots[at] = slot;
    }
}

impl Worker<'_> {
    /// Scale factors, states out of service, and devices that just came back: what becomes of decoded values.
    fn finish(&mut self, at: usize, harvest: &mut Harvest) {
        let job = &self.jobs[at];
        let map = &mut self.maps[job.unit];
        let profile = Arc::clone(&map.profile);
        for (slot, point) in harvest.slots.iter().zip(&job.points) {
            map.note(*point, slot.result);
        }
        for (slot, point) in harvest.slots.iter_mut().zip(&job.points) {
            if let Some(factor) = profile.points[*point].factor {
                slot.result = decode::with_factor(slot.result, map.factor(factor));
            }
        }
        for rule in &profile.services {
            let Ok(state) = job.points.binary_search(&rule.state) else { continue };
            let state = harvest.slots[state].result;
            for point in &rule.applies_to {
                if let Ok(slot) = job.points.binary_search(point) {
                    harvest.slots[slot].result = decode::in_service(rule, state, harvest.slots[slot].result);
                }
            }
        }
        if clock::uptime() < self.units[job.unit].settle_until {
            for slot in harvest.slots.iter_mut().filter(|slot| slot.result.is_ok()) {
                slot.result = Err(ReadFault::NotInService);
            }
        }
    }

    /// One batch of all points of the poll.
    pub(super) fn inputs(&mut self, at: usize, mut harvest: Harvest) -> Vec<Input> {
        self.finish(at, &mut harvest);
        let job = &self.jobs[at];
        let device = self.device(job.unit);
        let sampled = |(slot, at): (&Slot, &usize)| {
            if let Err(fault) = slot.result {
                self.outside.tally.lost(fault);
            }
            Input::Sampled {
                point: device.points[*at],
                asked: harvest.asked,
                taken: slot.taken,
                result: slot.result,
            }
        };
        harvest.slots.iter().zip(&job.points).map(sampled).collect()
    }
}

//! What a link knows of a device's register map: where it is, what it refuses, what asking for it costs; and
//! the plans that follow.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::worker::{Worker, permitted};
use crate::clock;
use crate::field::options::{DeviceOptions, LinkOptions};
use crate::field::plan::{self, Barrier, Cost};
use crate::field::profile::Profile;
use crate::field::profile::walk::{MODELS_MAX, WalkFault, WalkStep};
use crate::safety::reading::ReadFault;
use crate::units::{Millis, Uptime, Value};

/// After this, what was refused is asked for again: a device may have been replaced or updated.
const RELEARN_AFTER: Millis = Millis::from_secs(3600);

/// Plans are not made anew more often than this, however the cost moves.
const REPLAN_AFTER: Millis = Millis::from_secs(30);

/// Refusals that are remembered of one device.
const BARRIERS_MAX: usize = 1000;

/// Questions that a look-up of models may take.
const WALK_STEPS_MAX: usize = 4 * MODELS_MAX;

/// The map of one device, as far as it is known.
#[derive(Debug)]
pub(super) struct Map {
    /// With addresses as on the wire, once it is placed.
    pub(super) profile: Arc<Profile>,
    needs_placing: bool,
    cost: Cost,
    planned: Uptime,
    barriers: Vec<Barrier>,
    learnt: Option<Uptime>,
    /// The values of points that are the scale factors of others, by their position.
    factors: BTreeMap<usize, Result<Value, ReadFault>>,
}

impl Map {
    pub(super) fn new(
        link: &LinkOptions,
        device: &DeviceOptions,
        barriers: Vec<Barrier>,
        now: Uptime,
    ) -> Self {
        let profile = Arc::clone(&device.profile);
        let factors = profile.points.iter().filter_map(|point| point.factor);
        Self {
            needs_placing: profile.walk().is_some(),
            cost: cost(link, &profile, plan::default_turnaround_us(&link.endpoint)),
            planned: now,
            learnt: (!barriers.is_empty()).then_some(now),
            barriers,
            factors: factors.map(|at| (at, Err(ReadFault::NotANumber))).collect(),
            profile,
        }
    }

    /// Takes a value in, if it is the scale factor of others.
    pub(super) fn note(&mut self, at: usize, result: Result<Value, ReadFault>) {
        if let Some(factor) = self.factors.get_mut(&at) {
            *factor = result;
        }
    }

    pub(super) fn factor(&self, at: usize) -> Option<Result<Value, ReadFault>> {
        self.factors.get(&at).copied()
    }
}

fn cost(link: &LinkOptions, profile: &Profile, turnaround_us: u64) -> Cost {
    Cost::of(&link.endpoint, turnaround_us).with_pause(profile.limits.pause)
}

impl Worker<'_> {
    /// Plans all polls, and spreads them over their periods.
    pub(super) fn plan_all(&mut self, now: Uptime) {
        (0..self.units.len()).for_each(|unit| self.plan(unit, now));
        let shortest = self.jobs.iter().map(|job| job.period).min().unwrap_or(Millis::ZERO);
        let paces: Vec<_> =
            self.jobs.iter().map(|job| job.pace(self.maps[job.unit].cost, shortest)).collect();
        for (job, phase) in self.jobs.iter_mut().zip(plan::stagger(&paces)) {
            job.due = now.plus(phase);
        }
    }

    fn plan(&mut self, unit: usize, now: Uptime) {
        let map = &mut self.maps[unit];
        map.planned = now;
        for job in self.jobs.iter_mut().filter(|job| job.unit == unit) {
            job.plan(&map.profile, map.cost, &map.barriers);
        }
    }

    /// Makes sure that there is a plan to go by, and that it still fits what was measured and learnt.
    pub(super) async fn look_at_map(&mut self, unit: usize, now: Uptime) -> Result<(), ReadFault> {
        if self.maps[unit].needs_placing {
            self.place(unit).await?;
        }
        let map = &mut self.maps[unit];
        let is_old = map.learnt.is_some_and(|learnt| RELEARN_AFTER < now.since(learnt));
        if is_old {
            map.barriers.clear();
            map.learnt = None;
        }
        let measured = self.units[unit].latency.turnaround_us();
        let measured = measured.map(|turnaround_us| cost(self.options, &map.profile, turnaround_us));
        let drifted = measured
            .filter(|measured| plan::drifted(map.cost, *measured) && REPLAN_AFTER < now.since(map.planned));
        map.cost = drifted.unwrap_or(map.cost);
        if is_old || drifted.is_some() {
            self.plan(unit, now);
        }
        Ok(())
    }

    /// Looks up where the device keeps its values: once after it came.
    async fn place(&mut self, unit: usize) -> Result<(), ReadFault> {
        let device = self.device(unit);
        let Some(mut walk) = device.profile.walk() else { return Ok(()) };
        for _ in 0..WALK_STEPS_MAX {
            match walk.next() {
                WalkStep::Ask { table, address, count } => {
                    self.connected().await?;
                    self.serve_orders().await;
                    let words = self.read_block(unit, (table, address, count)).await;
                    walk.heard(words.as_deref().map_err(|fault| *fault));
                }
                WalkStep::Done(layout) => {
                    let map = &mut self.maps[unit];
                    map.profile = Arc::new(device.profile.placed(&layout));
                    map.needs_placing = false;
                    let (absent, models) = (map.profile.absent.len(), layout.models.len());
                    tracing::info!(device = device.name, models, absent, "map found");
                    self.plan(unit, clock::uptime());
                    self.permit();
                    return Ok(());
                }
                WalkStep::Failed(WalkFault::NoAnswer(fault)) => return Err(fault),
                WalkStep::Failed(fault) => {
                    tracing::warn!(device = device.name, %fault, "map not found");
                    return Err(ReadFault::Malformed);
                }
            }
        }
        Err(ReadFault::Malformed)
    }

    /// A device that was away may be another one: its map is looked up anew.
    pub(super) fn forget_place(&mut self, unit: usize) {
        let device = self.device(unit);
        let map = &mut self.maps[unit];
        if device.profile.walk().is_some() && !map.needs_placing {
            map.needs_placing = true;
        }
    }

    /// Tells the line what it may write now.
    pub(super) fn permit(&mut self) {
        let devices = self.options.devices.iter().zip(&self.maps);
        let writes = devices.flat_map(|(device, map)| permitted(device, &map.profile)).collect();
        self.line.permit(writes);
    }

    /// Keeps what refusals have taught.
    pub(super) fn learn(&mut self, unit: usize, lessons: Vec<Barrier>) {
        let (link, device) = (self.options, self.device(unit));
        let map = &mut self.maps[unit];
        let before = map.barriers.len();
        for lesson in lessons {
            if !map.barriers.contains(&lesson) && map.barriers.len() < BARRIERS_MAX {
                tracing::info!(link = link.name, device = device.name, refused = ?lesson, "device refuses");
                map.barriers.push(lesson);
            }
        }
        if before < map.barriers.len() {
            map.learnt.get_or_insert(clock::uptime());
            self.outside.learnt.keep(link, device, &map.barriers);
        }
    }
}

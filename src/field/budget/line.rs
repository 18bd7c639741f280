//! The line time of one link, and how long a poll can wait for it.
//!
//! Two bounds are known and the lower one counts. Whatever the order of polls, a line that is never idle while
//! one is due has done all of them within its longest **busy stretch**: the least L with
//! `L = lost + Σ ⌈L / period⌉ · cost`. And with the earliest deadline first, every poll is done before it falls
//! due again if for every stretch t the polls that must be done within it, and the longest one that may just
//! have begun, fit: `lost + longest + Σ ⌊t / period⌋ · cost ≤ t` (Jeffay, Stanat and Martel 1991).

use crate::field::budget::{DEAD_PERCENT, JobBudget, LinkBudget, Worst, assumed, ms};
use crate::field::options::{DeviceOptions, LinkOptions};
use crate::field::plan::{self, Block, Comparison, Cost};
use crate::field::profile::Table;
use crate::units::Millis;

/// Longer busy stretches are called endless: no value should be that old.
const BUSY_MAX_US: u64 = 600_000_000;

/// The period of a scan class that the configuration gives none for.
const PERIOD_FALLBACK: Millis = Millis(1000);

/// Silent polls until a unit counts as dead.
const SILENT_POLLS: u64 = 2;

pub(super) fn budget(options: &LinkOptions) -> LinkBudget {
    let turnaround_us = plan::default_turnaround_us(&options.endpoint);
    let mut comparison = Comparison::default();
    let mut jobs = Vec::new();
    for device in 0..options.devices.len() {
        jobs.extend(self::jobs(options, device, &mut comparison));
    }
    let request_max_us = jobs.iter().flat_map(|job| job.requests_us.iter().copied()).max().unwrap_or(0);
    let base_us = Cost::of(&options.endpoint, turnaround_us).base_us;
    let polls: Vec<Poll> = jobs.iter().map(Poll::of).collect();
    let alive = Line { polls: &polls, lost_us: 0, dead_percent: 0 };
    // A unit alone on its link has no other that could die.
    let others = 1 < options.devices.len();
    let silence_us = if others { options.timeout.0 * 1000 + base_us } else { 0 };
    let dead_percent = if others { DEAD_PERCENT } else { 0 };
    let dying = Line { polls: &polls, lost_us: SILENT_POLLS * silence_us, dead_percent };
    let dead = Line { polls: &polls, lost_us: silence_us, dead_percent };
    let queues = (alive.queues(), dying.queues(), dead.queues());
    for (at, job) in jobs.iter_mut().enumerate() {
        job.queue = Worst { alive: queues.0[at], dying: queues.1[at], dead: queues.2[at] };
        job.age = Worst::all(job.period).then(job.queue);
    }
    LinkBudget {
        name: options.name.clone(),
        place: options.endpoint.place(),
        units: options.devices.len(),
        turnaround_us,
        break_even_registers: Cost::of(&options.endpoint, turnaround_us).break_even_gap(Table::Holding),
        cycle: ms(polls.iter().map(|poll| poll.cost_us).sum()),
        busy_permille: alive.busy_ppm().div_ceil(1000),
        queue: jobs.iter().map(|job| job.queue).fold(Worst::NONE, Worst::max),
        dead_permille: DEAD_PERCENT * 10,
        request_max: ms(request_max_us),
        timeout: options.timeout,
        comparison,
        jobs,
    }
}

/// The scan classes of one device, with their plans.
fn jobs(options: &LinkOptions, at: usize, comparison: &mut Comparison) -> Vec<JobBudget> {
    let device = &options.devices[at];
    let cost = assumed(options, at);
    let mut jobs = Vec::new();
    for class in device.profile.classes() {
        let points = points_of(device, class);
        if points.is_empty() {
            continue;
        }
        let mut blocks = Vec::new();
        for wanted in by_model(device, &points) {
            let (specs, limits) = (&device.profile.points, &device.profile.limits);
            blocks.extend(plan::blocks(specs, &wanted, limits, cost, &[]));
            *comparison += plan::compare(specs, &wanted, limits, cost);
        }
        let requests_us: Vec<u64> =
            blocks.iter().map(|block| cost.request_us(block.table, block.count.into())).collect();
        let read = blocks.iter().map(|block| u32::from(block.count)).sum::<u32>();
        let filler: u32 = blocks.iter().map(|block| fillers(device, block)).sum();
        jobs.push(JobBudget {
            device: at,
            device_name: device.name.clone(),
            class: class.to_owned(),
            period: device.periods.get(class).copied().unwrap_or(PERIOD_FALLBACK).max(Millis(1)),
            cost_us: requests_us.iter().sum(),
            useful: read - filler,
            filler,
            queue: Worst::default(),
            age: Worst::default(),
            blocks,
            requests_us,
            points,
        });
    }
    jobs
}

fn points_of(device: &DeviceOptions, class: &str) -> Vec<usize> {
    let points = device.profile.points.iter().enumerate();
    let read = points.filter(|(at, point)| point.class == class && !device.profile.absent.contains(at));
    read.map(|(at, _)| at).collect()
}

/// Before a device was asked where its models lie, addresses of different models cannot share a request.
fn by_model(device: &DeviceOptions, points: &[usize]) -> Vec<Vec<usize>> {
    let mut sets = std::collections::BTreeMap::new();
    for at in points {
        sets.entry(device.profile.points[*at].model).or_insert_with(Vec::new).push(*at);
    }
    sets.into_values().collect()
}

fn fillers(device: &DeviceOptions, block: &Block) -> u32 {
    let holes = plan::fillers(&device.profile.points, block);
    holes.iter().map(|hole| u32::from(hole.last - hole.first) + 1).sum()
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Poll {
    pub(super) period_us: u64,
    pub(super) cost_us: u64,
}

impl Poll {
    fn of(job: &JobBudget) -> Self {
        Self { period_us: job.period.0.max(1) * 1000, cost_us: job.cost_us }
    }
}

/// A line with what it has to do, and what it loses to a unit that does not answer.
pub(super) struct Line<'a> {
    pub(super) polls: &'a [Poll],
    pub(super) lost_us: u64,
    pub(super) dead_percent: u64,
}

impl Line<'_> {
    /// How long each poll can take from falling due to its end; `None` without a limit.
    pub(super) fn queues(&self) -> Vec<Option<Millis>> {
        let busy_us = self.busy_us();
        let in_time = busy_us.is_some_and(|busy_us| self.is_in_time(busy_us));
        let queue = |poll: &Poll| {
            let busy_us = busy_us?;
            Some(ms(if in_time { busy_us.min(poll.period_us) } else { busy_us }))
        };
        self.polls.iter().map(queue).collect()
    }

    /// The longest stretch without a pause.
    fn busy_us(&self) -> Option<u64> {
        if 1_000_000 <= self.busy_ppm() + self.dead_percent * 10_000 {
            return None;
        }
        let once = self.lost_us + self.polls.iter().map(|poll| poll.cost_us).sum::<u64>();
        let mut length = once;
        while length <= BUSY_MAX_US {
            let polls = self.polls.iter().map(|poll| length.div_ceil(poll.period_us) * poll.cost_us);
            let next = self.lost_us + self.dead_us(length) + polls.sum::<u64>();
            if next <= length {
                return Some(length);
            }
            length = next;
        }
        None
    }

    /// Millionths of the line that the polls take in the long run.
    fn busy_ppm(&self) -> u64 {
        self.polls.iter().map(|poll| poll.cost_us.saturating_mul(1_000_000) / poll.period_us).sum()
    }

    /// Line time that dead units may take of a stretch.
    fn dead_us(&self, length: u64) -> u64 {
        (length * self.dead_percent).div_ceil(100)
    }

    /// Whether the earliest deadline first does every poll before it falls due again.
    fn is_in_time(&self, busy_us: u64) -> bool {
        let mut periods: Vec<u64> = self.polls.iter().map(|poll| poll.period_us).collect();
        periods.sort_unstable();
        periods.dedup();
        let ends = |period: &u64| (1..=busy_us / period).map(|turn| turn * period).collect::<Vec<u64>>();
        periods.iter().all(|period| ends(period).into_iter().all(|end| self.fits(end)))
    }

    fn fits(&self, end: u64) -> bool {
        let begun = self.polls.iter().filter(|poll| end < poll.period_us).map(|poll| poll.cost_us).max();
        let due = self.polls.iter().map(|poll| end / poll.period_us * poll.cost_us).sum::<u64>();
        self.lost_us + self.dead_us(end) + begun.unwrap_or(0) + due <= end
    }
}

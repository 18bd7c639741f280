//! The worst case on paper: how old a value can be, and how long a change in the room takes to become an alert
//! and a frame to a breaker. Computed from options and plan alone, before anything is connected.
//!
//! ```text
//! speed, plan, periods ─► line time ─► longest queue ─► age of a point ─► alert ─► first frame
//! ```
//!
//! What is assumed, all of it on the safe side unless said otherwise:
//! - Turnarounds: the defaults of [`default_turnaround_us`](crate::field::plan::default_turnaround_us) until units are measured. Not on the safe side
//!   for devices that answer more slowly. Pipelining gains nothing.
//! - A link is never idle while a poll is due, and one poll is not interrupted by another. A value is at most
//!   one period and one **queue** old: the longest time the line can be busy without a pause, or the period,
//!   where the earliest deadline first keeps all of them.
//! - A unit is dead after two silent polls, each as long as the link's time-out and a request. After that dead
//!   units are probed one at a time, each probe no longer than the time-out, and together take at most 5 % of
//!   the line, which is saved up before it is spent. The connection that a time-out ends is there again at once.
//!   One unit dies at a time, and once.
//! - A unit alone on its link has no other that could die. The dead unit is not one that the rule reads: what silence means, silence rules and votes say.
//! - A change is beyond every limit at once, and its device shows it at once. A delay ends with the first sample
//!   after it. A rate needs its whole window. Which channels of a vote see the change is not known: the slowest.
//! - The loop takes at most one tick to see an input; an intent is durable within its budget, or not waited for.
//! - Orders, and the polls that follow one at once, are rare and come on top.
//! - The breaker's link is connected. Its order waits for one request in progress, then for the state that is
//!   read first, where the action has one.
//!
//! It does not look at devices (repeated groups count as full), at brokers or at people.

mod line;
mod path;

use crate::field::options::LinkOptions;
use crate::field::plan::{Block, Comparison, Cost};
use crate::safety::site::{PointId, RuleId, Site};
use crate::units::Millis;

/// Parts of a line that dead units may use together, in a hundred.
pub const DEAD_PERCENT: u64 = 5;

/// How long an order may wait for its intent to be durable before it leaves.
pub const INTENT_MAX: Millis = Millis(200);

/// The worst case of a site.
#[derive(Clone, Debug, Default)]
pub struct Budget {
    /// By link, as in the options.
    pub links: Vec<LinkBudget>,
    /// By sequence, as in the site.
    pub sequences: Vec<SequenceBudget>,
    /// By point, as in the site.
    pub ages: Vec<Worst>,
}

/// A worst case with every unit answering, while one unit dies, and after that. `None`: without an upper limit,
/// because the line is asked for more than it can carry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Worst {
    /// Every unit answers.
    pub alive: Option<Millis>,
    /// One unit of the link dies meanwhile.
    pub dying: Option<Millis>,
    /// One unit of the link is dead already.
    pub dead: Option<Millis>,
}

/// What a link has to do.
#[derive(Clone, Debug)]
pub struct LinkBudget {
    /// Its id.
    pub name: String,
    /// Where it leads, for people.
    pub place: String,
    /// How many units answer on it.
    pub units: usize,
    /// The turnaround that was assumed, in microseconds.
    pub turnaround_us: u64,
    /// The widest hole worth reading across, in registers.
    pub break_even_registers: u32,
    /// The scan classes of its devices, in their order.
    pub jobs: Vec<JobBudget>,
    /// The time of one round in which every job is done once.
    pub cycle: Millis,
    /// Line time asked for in the long run, in thousandths of what there is.
    pub busy_permille: u64,
    /// The longest time until a poll that fell due is done.
    pub queue: Worst,
    /// The most line time that dead units may take, in thousandths.
    pub dead_permille: u64,
    /// The longest request of a poll.
    pub request_max: Millis,
    /// The time-out of the link.
    pub timeout: Millis,
    /// One round of all jobs under other planners.
    pub comparison: Comparison,
}

/// One scan class of one device.
#[derive(Clone, Debug)]
pub struct JobBudget {
    /// The device, by its position in the link's options.
    pub device: usize,
    /// Its id.
    pub device_name: String,
    /// The scan class.
    pub class: String,
    /// How often it falls due.
    pub period: Millis,
    /// The requests of one poll.
    pub blocks: Vec<Block>,
    /// Line time of each of them, in microseconds.
    pub requests_us: Vec<u64>,
    /// Line time of one poll, in microseconds.
    pub cost_us: u64,
    /// Registers (and bits) with a point.
    pub useful: u32,
    /// Registers (and bits) read along.
    pub filler: u32,
    /// The longest time until a poll that fell due is done.
    pub queue: Worst,
    /// The age its values may reach.
    pub age: Worst,
    /// The points, by their position in the profile.
    pub points: Vec<usize>,
}

/// How long a sequence takes to begin.
#[derive(Clone, Debug)]
pub struct SequenceBudget {
    /// From a physical change to the first alert.
    pub alert: Worst,
    /// From a physical change to the first frame to a breaker; `None` inside for a sequence without stages too.
    pub frame: Worst,
    /// The rule of the trigger that is the last to raise an alert, and the link that its points come by.
    pub alert_by: Option<(RuleId, usize)>,
    /// The same for its vote.
    pub frame_by: Option<(RuleId, usize)>,
    /// The link of the first breaker.
    pub breaker_link: Option<usize>,
    /// Where the time goes while one unit is dead, in order.
    pub parts: Vec<Part>,
}

/// One stretch on the way from a change to a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// What takes the time.
    pub what: &'static str,
    /// How long, at worst.
    pub lasts: Option<Millis>,
}

impl Budget {
    /// The worst case of a site with these links.
    #[must_use]
    pub fn of(site: &Site, links: &[LinkOptions]) -> Self {
        let budgets: Vec<LinkBudget> = links.iter().map(line::budget).collect();
        let mut ages = vec![Worst::default(); site.points.len()];
        let mut link_of_point = vec![None; site.points.len()];
        for (at, (options, budget)) in links.iter().zip(&budgets).enumerate() {
            for job in &budget.jobs {
                for point in &job.points {
                    let id = options.devices[job.device].points.get(*point).copied();
                    if let Some(id) = id.filter(|id| id.index() < ages.len()) {
                        ages[id.index()] = job.age;
                        link_of_point[id.index()] = Some(at);
                    }
                }
            }
        }
        let paths = path::Paths { site, options: links, links: &budgets, ages: &ages, link_of_point };
        let sequences = site.sequences.iter().map(|sequence| paths.sequence(sequence)).collect();
        Self { links: budgets, sequences, ages }
    }

    /// How old the value of a point can be.
    #[must_use]
    pub fn age(&self, point: PointId) -> Worst {
        self.ages.get(point.index()).copied().unwrap_or_default()
    }
}

impl LinkBudget {
    /// Requests of one round.
    #[must_use]
    pub fn requests(&self) -> usize {
        self.jobs.iter().map(|job| job.blocks.len()).sum()
    }

    /// Whether every poll is done before it falls due again, while all units answer.
    #[must_use]
    pub fn keeps_up(&self) -> bool {
        self.jobs.iter().all(JobBudget::keeps_up)
    }

    /// The oldest value of the link.
    #[must_use]
    pub fn oldest(&self) -> Worst {
        self.jobs.iter().map(|job| job.age).fold(Worst::NONE, Worst::max)
    }
}

impl JobBudget {
    /// Whether every poll is done before it falls due again, while all units answer.
    #[must_use]
    pub fn keeps_up(&self) -> bool {
        self.queue.alive.is_some_and(|queue| queue <= self.period)
    }
}

impl Worst {
    /// No time at all.
    pub const NONE: Self = Self::all(Millis::ZERO);

    /// The same whoever answers.
    #[must_use]
    pub const fn all(lasts: Millis) -> Self {
        Self { alive: Some(lasts), dying: Some(lasts), dead: Some(lasts) }
    }

    /// The same once more, later on: a unit dies once.
    #[must_use]
    pub const fn again(self) -> Self {
        Self { dying: self.dead, ..self }
    }

    /// One after the other.
    #[must_use]
    pub fn then(self, other: Self) -> Self {
        self.with(other, |one, two| Millis(one.0.saturating_add(two.0)))
    }

    /// Whichever takes longer.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        self.with(other, Ord::max)
    }

    fn with(self, other: Self, both: impl Fn(Millis, Millis) -> Millis) -> Self {
        let join = |one: Option<Millis>, two: Option<Millis>| Some(both(one?, two?));
        Self {
            alive: join(self.alive, other.alive),
            dying: join(self.dying, other.dying),
            dead: join(self.dead, other.dead),
        }
    }
}

/// Microseconds as milliseconds, rounded up.
const fn ms(us: u64) -> Millis {
    Millis(us.div_ceil(1000))
}

/// The cost of a link's requests to one of its devices, before anything is measured.
fn assumed(options: &LinkOptions, device: usize) -> Cost {
    let turnaround_us = crate::field::plan::default_turnaround_us(&options.endpoint);
    let pause = options.devices.get(device).map_or(Millis::ZERO, |device| device.profile.limits.pause);
    Cost::of(&options.endpoint, turnaround_us).with_pause(pause)
}

#[cfg(test)]
mod tests;

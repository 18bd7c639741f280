//! The polls that a link owes its units: when they are due, which blocks they ask for, and what refusals of
//! those blocks have taught.

use crate::field::link::backoff::doubled;
use crate::field::options::DeviceOptions;
use crate::field::plan::{self, Barrier, Block, Cost, Pace};
use crate::field::profile::{Forbidden, Profile, Table};
use crate::units::{Millis, Uptime};

/// A device that was busy is asked once more after this.
const BUSY_RETRY: Millis = Millis(100);

/// The first pause before a point that the device refused is tried again, and the longest.
const REFUSED_WAIT: (Millis, Millis) = (Millis(5000), Millis(600_000));

/// The period of a scan class that the configuration gives none for.
const PERIOD_FALLBACK: Millis = Millis(1000);

/// One scan class of one device.
#[derive(Debug)]
pub(super) struct Job {
    /// Its device, by the link's index.
    pub(super) unit: usize,
    pub(super) period: Millis,
    pub(super) due: Uptime,
    /// Asked once more before it is due, because the device was busy.
    retry: Option<Uptime>,
    retried: bool,
    /// Positions in the profile.
    pub(super) points: Vec<usize>,
    /// What to ask for, as learnt.
    pub(super) asks: Vec<Ask>,
    /// The blocks as they were before late replies made them ambiguous.
    whole: Option<Vec<Ask>>,
    /// Refused blocks that were cut in two, until it is known what was refused of them.
    cuts: Vec<Cut>,
}

/// One block, and what the device thinks of it.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    pub(super) block: Block,
    /// Set while a single point is refused.
    refused: Option<Refused>,
    accepted: bool,
}

#[derive(Clone, Copy, Debug)]
struct Refused {
    code: u8,
    times: u32,
    until: Uptime,
}

/// A cut through a refused block.
#[derive(Debug)]
struct Cut {
    hole: Option<Forbidden>,
    left: (u16, u16),
    right: (u16, u16),
    table: Table,
}

impl Ask {
    const fn new(block: Block) -> Self {
        Self { block, refused: None, accepted: false }
    }

    /// The exception to give without asking, while a refused point is left alone.
    pub(super) fn resting(&self, now: Uptime) -> Option<u8> {
        self.refused.filter(|refused| now < refused.until).map(|refused| refused.code)
    }

    pub(super) fn accept(&mut self) {
        (self.refused, self.accepted) = (None, true);
    }

    pub(super) fn refuse(&mut self, code: u8, now: Uptime) {
        let times = self.refused.map_or(0, |refused| refused.times.saturating_add(1));
        self.refused = Some(Refused { code, times, until: now.plus(doubled(REFUSED_WAIT, times)) });
    }

    fn is(&self, table: Table, (address, count): (u16, u16)) -> bool {
        (self.block.table, self.block.address, self.block.count) == (table, address, count)
    }
}

impl Job {
    /// The jobs of a link's devices, not planned yet.
    pub(super) fn all(devices: &[DeviceOptions], now: Uptime) -> Vec<Self> {
        let mut jobs = Vec::new();
        for (unit, device) in devices.iter().enumerate() {
            for class in device.profile.classes() {
                let points = &device.profile.points;
                let points = (0..points.len()).filter(|at| points[*at].class == class).collect();
                let period = device.periods.get(class).copied().unwrap_or(PERIOD_FALLBACK).max(Millis(1));
                jobs.push(Self::new(unit, period, points, now));
            }
        }
        jobs
    }

    fn new(unit: usize, period: Millis, points: Vec<usize>, now: Uptime) -> Self {
        Self {
            unit,
            period,
            due: now,
            retry: None,
            retried: false,
            points,
            asks: Vec::new(),
            whole: None,
            cuts: Vec::new(),
        }
    }

    /// How often it is due, and how long it takes on the line.
    pub(super) fn pace(&self, cost: Cost, shortest: Millis) -> Pace {
        let took = |ask: &Ask| cost.request_us(ask.block.table, ask.block.count.into());
        let cost_us = self.asks.iter().map(took).sum();
        Pace { period: self.period, cost_us, critical: self.period == shortest }
    }

    /// Plans its blocks anew. What was refused lately stays refused.
    pub(super) fn plan(&mut self, profile: &Profile, cost: Cost, barriers: &[Barrier]) {
        let present = |at: &usize| !profile.absent.contains(at) && profile.points[*at].model.is_none();
        let wanted: Vec<usize> = self.points.iter().copied().filter(present).collect();
        let blocks = plan::blocks(&profile.points, &wanted, &profile.limits, cost, barriers);
        let before = std::mem::take(&mut self.asks);
        self.asks = blocks.into_iter().map(Ask::new).collect();
        for old in before.iter().filter(|old| old.refused.is_some()) {
            if let Some(new) = self.asks.iter_mut().find(|new| new.block == old.block) {
                new.refused = old.refused;
            }
        }
        self.whole = None;
        self.cuts.clear();
    }

    /// Takes the next due time, in phase. Returns how many polls were missed: they are not caught up with.
    pub(super) fn advance(&mut self, now: Uptime) -> u64 {
        if self.retry.take().is_some() && now < self.due {
            return 0;
        }
        self.retried = false;
        let missed = now.since(self.due).0 / self.period.0;
        self.due = self.due.plus(self.period.times(missed + 1));
        missed
    }

    /// When it wants to be polled next.
    pub(super) fn next(&self) -> Uptime {
        self.retry.map_or(self.due, |retry| retry.min(self.due))
    }

    /// Polls it now.
    pub(super) fn hasten(&mut self, now: Uptime) {
        self.due = self.due.min(now);
    }

    /// The device was busy: asks once more soon, and then at the next period.
    pub(super) fn retry_soon(&mut self, now: Uptime) {
        if !std::mem::replace(&mut self.retried, true) {
            self.retry = Some(now.plus(BUSY_RETRY));
        }
    }

    /// Cuts a refused block in two. False for what cannot be cut.
    pub(super) fn split(&mut self, at: usize, profile: &Profile) -> bool {
        let Some((left, right)) = plan::split(&profile.points, &self.asks[at].block) else {
            return false;
        };
        let (end, next) = (u32::from(left.address) + u32::from(left.count), u32::from(right.address));
        let hole = (end < next).then(|| Forbidden {
            table: left.table,
            first: left.address + left.count,
            last: right.address - 1,
        });
        let place = |block: &Block| (block.address, block.count);
        self.cuts.push(Cut { hole, left: place(&left), right: place(&right), table: left.table });
        self.put(at, left, right);
        true
    }

    /// Cuts a block in two for as long as a late reply could be taken for that to the whole. False for what
    /// cannot be cut.
    pub(super) fn recut(&mut self, at: usize, profile: &Profile) -> bool {
        let Some((left, right)) = plan::split(&profile.points, &self.asks[at].block) else {
            return false;
        };
        self.whole.get_or_insert_with(|| self.asks.clone());
        self.put(at, left, right);
        true
    }

    fn put(&mut self, at: usize, left: Block, right: Block) {
        self.asks[at] = Ask::new(left);
        self.asks.insert(at + 1, Ask::new(right));
    }

    /// No late reply can come any more: the blocks are whole again.
    pub(super) fn uncut(&mut self) {
        if let Some(whole) = self.whole.take() {
            self.asks = whole;
        }
    }

    /// What refusals have taught by now: where both halves of a refused block are granted, the hole between
    /// them was refused.
    pub(super) fn lessons(&mut self) -> Vec<Barrier> {
        let mut lessons = Vec::new();
        let asks = &self.asks;
        let find = |table, place| asks.iter().find(|ask| ask.is(table, place));
        self.cuts.retain(|cut| match (find(cut.table, cut.left), find(cut.table, cut.right)) {
            (Some(left), Some(right)) if left.accepted && right.accepted => {
                lessons.extend(cut.hole.map(Barrier::Filler));
                false
            }
            (Some(_), Some(_)) => true,
            // Cut again: what was refused lies deeper.
            (None, _) | (_, None) => false,
        });
        lessons
    }

    /// Lets the block after this one be asked first at the next poll, so that one bad block cannot starve
    /// the others.
    pub(super) fn begin_after(&mut self, at: usize) {
        let count = self.asks.len();
        self.asks.rotate_left((at + 1) % count.max(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job() -> Job {
        Job::new(0, Millis(1000), vec![], Uptime(5000))
    }

    #[test]
    fn missed_polls_are_counted_and_not_caught_up_with() {
        let mut late = job();
        assert_eq!(late.advance(Uptime(5001)), 0);
        assert_eq!(late.due, Uptime(6000));
        assert_eq!(late.advance(Uptime(9500)), 3);
        assert_eq!(late.due, Uptime(10_000));
    }

    #[test]
    fn a_busy_device_is_asked_once_more_within_a_period() {
        let mut busy = job();
        busy.advance(Uptime(5000));
        busy.retry_soon(Uptime(5010));
        assert_eq!(busy.next(), Uptime(5110));
        assert_eq!(busy.advance(Uptime(5110)), 0);
        busy.retry_soon(Uptime(5120));
        assert_eq!(busy.next(), Uptime(6000));
        assert_eq!(busy.advance(Uptime(6000)), 0);
        assert_eq!(busy.next(), Uptime(7000));
    }

    #[test]
    fn a_refused_point_is_tried_again_ever_more_rarely() {
        let mut ask = Ask::new(Block { table: Table::Coil, address: 0, count: 1, points: vec![0] });
        ask.refuse(2, Uptime(0));
        assert_eq!(ask.resting(Uptime(4999)), Some(2));
        assert_eq!(ask.resting(Uptime(5000)), None);
        ask.refuse(2, Uptime(5000));
        assert_eq!(ask.resting(Uptime(14_999)), Some(2));
        ask.accept();
        assert_eq!(ask.resting(Uptime(5000)), None);
    }

    #[test]
    fn a_hole_is_blamed_only_when_both_sides_of_it_are_granted() {
        let point = |name: &str, address: u16| {
            format!(
                "[[point]]\nname = \"{name}\"\ntable = \"holding\"\naddress = {address}\ntype = \"u16\"\nclass = \"fast\"\n"
            )
        };
        let text = point("a", 10) + &point("b", 11) + &point("c", 15);
        let device = super::super::testing::device(1, &text, 20);
        let mut job = Job::new(0, Millis(20), vec![0, 1, 2], Uptime(0));
        job.plan(&device.profile, Cost::TCP, &[]);
        assert_eq!(job.asks.len(), 1);
        assert!(job.split(0, &device.profile));
        assert_eq!(job.lessons(), []);
        job.asks[0].accept();
        assert_eq!(job.lessons(), []);
        job.asks[1].accept();
        let hole = Forbidden { table: Table::Holding, first: 12, last: 14 };
        assert_eq!(job.lessons(), [Barrier::Filler(hole)]);
        job.plan(&device.profile, Cost::TCP, &[Barrier::Filler(hole)]);
        assert_eq!(job.asks.len(), 2);
        assert_eq!(job.lessons(), []);
    }
}

//! What a link knows of its units and of the polls it owes them.

use crate::field::frame::Station;
use crate::field::link::backoff::{Jitter, doubled};
use crate::field::link::latency::Latency;
use crate::field::options::DeviceOptions;
use crate::field::plan::{self, Block, Cost};
use crate::safety::reading::ReadFault;
use crate::units::{Millis, Uptime};

/// Polls without any answer after which a unit counts as dead …
const DEAD_AFTER: u32 = 2;

/// … and one that never answered.
const NEVER_ANSWERED_DEAD_AFTER: u32 = 1;

/// A device that was busy is asked once more after this.
const BUSY_RETRY: Millis = Millis(100);

/// The first pause before a dead unit is tried again, and the longest.
const PROBE_WAIT: (Millis, Millis) = (Millis(1000), Millis(30_000));

/// The first pause before a point that the device refused is tried again, and the longest.
const REFUSED_WAIT: (Millis, Millis) = (Millis(5000), Millis(600_000));

/// After this, blocks that were split because of a refusal are asked for whole again.
const RELEARN_AFTER: Millis = Millis::from_secs(3600);

/// The period of a scan class that the configuration gives none for.
const PERIOD_FALLBACK: Millis = Millis(1000);

/// Whether a unit answers.
#[derive(Debug)]
pub(super) struct Unit {
    pub(super) station: Station,
    pub(super) latency: Latency,
    /// The device wants to be left alone until then, in microseconds.
    pub(super) rest_until_us: u64,
    /// The device just came back: what it says means nothing until then.
    pub(super) settle_until: Uptime,
    answered_once: bool,
    failures: u32,
    /// Why, while it is dead, and when it may be tried again.
    dead: Option<(ReadFault, Uptime)>,
}

/// A change worth an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    Died,
    /// It was dead, and answers.
    Revived,
    /// It missed polls, and answers.
    Recovered,
    Same,
}

impl Unit {
    pub(super) fn new(device: &DeviceOptions) -> Self {
        Self {
            station: Station::new(device.unit, device.profile.limits.reply_unit_offset),
            latency: Latency::default(),
            rest_until_us: 0,
            settle_until: Uptime::default(),
            answered_once: false,
            failures: 0,
            dead: None,
        }
    }

    pub(super) const fn is_dead(&self) -> bool {
        self.dead.is_some()
    }

    /// Why it is dead.
    pub(super) fn fault(&self) -> Option<ReadFault> {
        self.dead.map(|(fault, _)| fault)
    }

    /// Try it at the next poll.
    pub(super) fn wake(&mut self) {
        if let Some((_, until)) = &mut self.dead {
            *until = Uptime::default();
        }
    }

    /// Whether it is dead and its rest is over.
    pub(super) fn may_be_tried(&self, now: Uptime) -> bool {
        self.dead.is_some_and(|(_, until)| until <= now)
    }

    /// Until when it rested: whoever waits longest is tried first.
    pub(super) fn tried(&self) -> Uptime {
        self.dead.map_or(Uptime::default(), |(_, until)| until)
    }

    /// Died so lately that it may have shared its cause with another unit that just recovered.
    pub(super) const fn died_lately(&self) -> bool {
        self.is_dead() && self.failures <= DEAD_AFTER + 1
    }

    pub(super) fn answered(&mut self) -> Turn {
        let turn = match (self.is_dead(), self.failures) {
            (true, _) => Turn::Revived,
            (false, 0) => Turn::Same,
            (false, _) => Turn::Recovered,
        };
        (self.failures, self.dead, self.answered_once) = (0, None, true);
        turn
    }

    pub(super) fn failed(&mut self, fault: ReadFault, now: Uptime, jitter: &mut Jitter) -> Turn {
        self.failures = self.failures.saturating_add(1);
        let dead_after = if self.answered_once { DEAD_AFTER } else { NEVER_ANSWERED_DEAD_AFTER };
        if self.failures < dead_after {
            return Turn::Same;
        }
        let wait = jitter.shorten(doubled(PROBE_WAIT, self.failures - dead_after));
        let turn = if self.is_dead() { Turn::Same } else { Turn::Died };
        self.dead = Some((fault, now.plus(wait)));
        turn
    }
}

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
    /// When the first block was split.
    learnt: Option<Uptime>,
    /// The blocks as they were before late replies made them ambiguous.
    whole: Option<Vec<Ask>>,
}

/// One block, and what the device thinks of it.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    pub(super) block: Block,
    /// Set while a single point is refused.
    refused: Option<Refused>,
}

#[derive(Clone, Copy, Debug)]
struct Refused {
    code: u8,
    times: u32,
    until: Uptime,
}

impl Ask {
    const fn new(block: Block) -> Self {
        Self { block, refused: None }
    }

    /// The exception to give without asking, while a refused point is left alone.
    pub(super) fn resting(&self, now: Uptime) -> Option<u8> {
        self.refused.filter(|refused| now < refused.until).map(|refused| refused.code)
    }

    pub(super) fn accepted(&mut self) {
        self.refused = None;
    }

    pub(super) fn refuse(&mut self, code: u8, now: Uptime) {
        let times = self.refused.map_or(0, |refused| refused.times.saturating_add(1));
        self.refused = Some(Refused { code, times, until: now.plus(doubled(REFUSED_WAIT, times)) });
    }
}

impl Job {
    /// The jobs of a link's devices, their first polls spread over the first second or period.
    pub(super) fn all(devices: &[DeviceOptions], now: Uptime) -> Vec<Self> {
        let mut jobs = Vec::new();
        for (unit, device) in devices.iter().enumerate() {
            for class in device.profile.classes() {
                let points = &device.profile.points;
                let points: Vec<usize> = (0..points.len()).filter(|at| points[*at].class == class).collect();
                let period = device.periods.get(class).copied().unwrap_or(PERIOD_FALLBACK).max(Millis(1));
                let mut job = Self {
                    unit,
                    period,
                    due: now,
                    retry: None,
                    retried: false,
                    points,
                    asks: Vec::new(),
                    learnt: None,
                    whole: None,
                };
                job.plan(device);
                jobs.push(job);
            }
        }
        let count = u64::try_from(jobs.len()).unwrap_or(u64::MAX);
        for (at, job) in (0_u64..).zip(&mut jobs) {
            job.due = now.plus(Millis(job.period.0.min(1000) * at / count));
        }
        jobs
    }

    fn plan(&mut self, device: &DeviceOptions) {
        let blocks =
            plan::blocks(&device.profile.points, &self.points, &device.profile.limits, Cost::TCP, &[]);
        self.asks = blocks.into_iter().map(Ask::new).collect();
        self.learnt = None;
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

    /// Forgets what was learnt long ago: a device may have been replaced or updated.
    pub(super) fn relearn(&mut self, device: &DeviceOptions, now: Uptime) {
        if self.learnt.is_some_and(|learnt| RELEARN_AFTER < now.since(learnt)) {
            self.plan(device);
        }
    }

    /// Cuts a refused block in two. False for a single point.
    pub(super) fn split(&mut self, at: usize, device: &DeviceOptions, now: Uptime) -> bool {
        let Some((left, right)) = plan::split(&device.profile.points, &self.asks[at].block) else {
            return false;
        };
        self.asks[at] = Ask::new(left);
        self.asks.insert(at + 1, Ask::new(right));
        self.learnt.get_or_insert(now);
        true
    }

    /// Cuts a block in two for as long as a late reply could be taken for that to the whole. False for a
    /// single point.
    pub(super) fn recut(&mut self, at: usize, device: &DeviceOptions) -> bool {
        let Some((left, right)) = plan::split(&device.profile.points, &self.asks[at].block) else {
            return false;
        };
        self.whole.get_or_insert_with(|| self.asks.clone());
        self.asks[at] = Ask::new(left);
        self.asks.insert(at + 1, Ask::new(right));
        true
    }

    /// No late reply can come any more: the blocks are whole again.
    pub(super) fn uncut(&mut self) {
        if let Some(whole) = self.whole.take() {
            self.asks = whole;
        }
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
        Job {
            unit: 0,
            period: Millis(1000),
            due: Uptime(5000),
            retry: None,
            retried: false,
            points: vec![],
            asks: vec![],
            learnt: None,
            whole: None,
        }
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
    fn a_unit_dies_at_its_second_silence_and_rests_longer_each_time_but_never_for_ever() {
        let mut jitter = Jitter::new("a", Uptime(1));
        let mut unit = Unit::new(&super::super::poll_tests::device(1, "", 20));
        let now = Uptime(1000);
        assert_eq!(unit.answered(), Turn::Same);
        assert_eq!(unit.failed(ReadFault::Timeout, now, &mut jitter), Turn::Same);
        assert_eq!(unit.failed(ReadFault::Timeout, now, &mut jitter), Turn::Died);
        assert_eq!(unit.fault(), Some(ReadFault::Timeout));
        assert!(!unit.may_be_tried(now) && unit.may_be_tried(now.plus(Millis(1000))));
        for _ in 0..100 {
            assert_eq!(unit.failed(ReadFault::Timeout, now, &mut jitter), Turn::Same);
        }
        assert!(!unit.may_be_tried(now.plus(Millis(14_999))));
        assert!(unit.may_be_tried(now.plus(Millis(30_000))));
        unit.wake();
        assert!(unit.may_be_tried(now));
        assert_eq!(unit.answered(), Turn::Revived);
        assert_eq!(unit.answered(), Turn::Same);
        assert_eq!(unit.failed(ReadFault::Timeout, now, &mut jitter), Turn::Same);
        assert_eq!(unit.answered(), Turn::Recovered);
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
    fn a_unit_that_never_answered_dies_at_its_first_silence() {
        let mut unit = Unit::new(&super::super::poll_tests::device(1, "", 20));
        let turn = unit.failed(ReadFault::Timeout, Uptime(1000), &mut Jitter::new("a", Uptime(1)));
        assert_eq!(turn, Turn::Died);
    }

    #[test]
    fn a_refused_point_is_tried_again_ever_more_rarely() {
        let mut ask = Ask::new(Block {
            table: crate::field::profile::Table::Coil,
            address: 0,
            count: 1,
            points: vec![0],
        });
        ask.refuse(2, Uptime(0));
        assert_eq!(ask.resting(Uptime(4999)), Some(2));
        assert_eq!(ask.resting(Uptime(5000)), None);
        ask.refuse(2, Uptime(5000));
        assert_eq!(ask.resting(Uptime(14_999)), Some(2));
        ask.accepted();
        assert_eq!(ask.resting(Uptime(5000)), None);
    }
}

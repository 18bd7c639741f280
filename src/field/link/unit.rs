//! Whether a unit answers, and how it is treated meanwhile.

use crate::field::frame::Station;
use crate::field::link::backoff::{Jitter, doubled};
use crate::field::link::latency::Latency;
use crate::field::options::DeviceOptions;
use crate::safety::reading::ReadFault;
use crate::units::{Millis, Uptime};

/// Polls without any answer after which a unit counts as dead …
const DEAD_AFTER: u32 = 2;

/// … and one that never answered.
const NEVER_ANSWERED_DEAD_AFTER: u32 = 1;

/// The first pause before a dead unit is tried again, and the longest.
const PROBE_WAIT: (Millis, Millis) = (Millis(1000), Millis(30_000));

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_dies_at_its_second_silence_and_rests_longer_each_time_but_never_for_ever() {
        let mut jitter = Jitter::new("a", Uptime(1));
        let mut unit = Unit::new(&super::super::testing::device(1, "", 20));
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
    fn a_unit_that_never_answered_dies_at_its_first_silence() {
        let mut unit = Unit::new(&super::super::testing::device(1, "", 20));
        let turn = unit.failed(ReadFault::Timeout, Uptime(1000), &mut Jitter::new("a", Uptime(1)));
        assert_eq!(turn, Turn::Died);
    }
}

//! How long a unit takes to answer, and how long it is therefore waited for.

use crate::units::Millis;

/// Replies that are remembered.
const REMEMBERED: usize = 16;

/// A unit is waited for this many times as long as the slowest of its last replies took.
const TIMES_SLOWEST: u64 = 4;

/// No deadline is shorter: adapters, gateways and busy machines add this much without any fault of the unit.
const FLOOR: Millis = Millis(100);

/// How far one reply moves the average, as a part of the difference.
const SMOOTHING: u64 = 8;

/// What was measured of one unit.
#[derive(Clone, Debug, Default)]
pub(super) struct Latency {
    slow_us: [u64; REMEMBERED],
    heard: usize,
    silences: u32,
    average_us: Option<u64>,
}

impl Latency {
    /// A reply came, this long after the request.
    pub(super) fn heard(&mut self, took_us: u64) {
        self.slow_us[self.heard % REMEMBERED] = took_us;
        self.heard += 1;
        self.silences = 0;
        let before = self.average_us.unwrap_or(took_us);
        self.average_us = Some(before - before / SMOOTHING + took_us / SMOOTHING);
    }

    /// No reply came in time: the next is given twice as long.
    pub(super) fn silent(&mut self) {
        self.silences = self.silences.saturating_add(1);
    }

    /// The deadline for the next request. Before the first reply, all that the link allows.
    pub(super) fn deadline(&self, ceiling: Millis) -> Millis {
        if self.heard == 0 {
            return ceiling;
        }
        let slowest = self.slow_us.iter().copied().max().unwrap_or(0);
        let wanted = Millis((slowest * TIMES_SLOWEST).div_ceil(1000)).max(FLOOR);
        let factor = 1_u64.checked_shl(self.silences).unwrap_or(u64::MAX);
        wanted.times(factor).min(ceiling)
    }

    /// The turnaround to plan with, once it has been measured often enough to mean something.
    pub(super) fn turnaround_us(&self) -> Option<u64> {
        self.average_us.filter(|_| REMEMBERED <= self.heard)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_follows_the_slowest_reply_and_grows_with_silence() {
        let ceiling = Millis(3000);
        let mut latency = Latency::default();
        assert_eq!(latency.deadline(ceiling), ceiling);
        latency.heard(2000);
        assert_eq!(latency.deadline(ceiling), FLOOR);
        latency.heard(200_000);
        assert_eq!(latency.deadline(ceiling), Millis(800));
        latency.silent();
        assert_eq!(latency.deadline(ceiling), Millis(1600));
        latency.silent();
        latency.silent();
        assert_eq!(latency.deadline(ceiling), ceiling);
        for _ in 0..REMEMBERED {
            latency.heard(2000);
        }
        assert_eq!(latency.deadline(ceiling), FLOOR);
        assert_eq!(latency.deadline(Millis(50)), Millis(50));
    }

    #[test]
    fn the_average_settles_on_what_is_measured() {
        let mut latency = Latency::default();
        assert_eq!(latency.turnaround_us(), None);
        (0..100).for_each(|_| latency.heard(40_000));
        (0..100).for_each(|_| latency.heard(20_000));
        let settled = latency.turnaround_us();
        assert!(settled.is_some_and(|us| (19_900..=20_100).contains(&us)), "{settled:?}");
    }
}

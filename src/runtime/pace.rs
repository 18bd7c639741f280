//! How punctual the safety loop is: by how much more than its tick a scan came after the one before.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::safety::TICK;
use crate::units::Uptime;

/// The upper end of each class but the last.
const CLASSES_MS: [u64; 5] = [1, 5, 20, 100, 1000];

/// Counts scans by their lateness. Inputs bring scans forward; a scan is never due later than a tick after the last.
#[derive(Debug, Default)]
pub(super) struct Pace {
    counts: [AtomicU64; CLASSES_MS.len() + 1],
    sum_ms: AtomicU64,
}

impl Pace {
    /// A scan now, after one at `last`.
    pub(super) fn scanned(&self, last: Uptime, now: Uptime) {
        let late_ms = now.since(last.plus(TICK)).0;
        let class = CLASSES_MS.partition_point(|end_ms| *end_ms < late_ms);
        self.counts[class].fetch_add(1, Ordering::Relaxed);
        self.sum_ms.fetch_add(late_ms, Ordering::Relaxed);
    }

    /// The upper end of each class in seconds with the scans in it, and the lateness of all of them.
    pub(super) fn classes(&self) -> (Vec<(f64, u64)>, f64) {
        #[expect(clippy::cast_precision_loss, reason = "milliseconds, exact up to 2^53")]
        let seconds = |ms: u64| ms as f64 / 1000.0;
        let ends = CLASSES_MS.into_iter().map(seconds).chain([f64::INFINITY]);
        let counts = self.counts.iter().map(|count| count.load(Ordering::Relaxed));
        (ends.zip(counts).collect(), seconds(self.sum_ms.load(Ordering::Relaxed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scan_is_late_by_what_it_came_after_its_tick() {
        let pace = Pace::default();
        for at in [1030, 1100, 1101, 1102, 1105, 1120, 1121, 1200, 2100, 2101] {
            pace.scanned(Uptime(1000), Uptime(at));
        }
        let (classes, sum) = pace.classes();
        let counts: Vec<u64> = classes.iter().map(|class| class.1).collect();
        assert_eq!(counts, [3, 2, 1, 2, 1, 1]);
        assert!((classes[2].0 - 0.02).abs() < 1e-9 && classes[5].0.is_infinite());
        assert!((sum - 2.15).abs() < 1e-9, "{sum}");
    }
}

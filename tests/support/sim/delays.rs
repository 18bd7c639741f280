//! How long things took, counted in steps of 100 ms.

use emberwatch::units::Millis;

const STEP_MS: u64 = 100;
const STEPS: usize = 1024;

/// Counts by length; what is longer than all steps counts as the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Delays {
    counts: [u64; STEPS],
}

impl Default for Delays {
    fn default() -> Self {
        Self { counts: [0; STEPS] }
    }
}

impl Delays {
    pub(crate) fn note(&mut self, span: Millis) {
        let step = usize::try_from(span.0.div_ceil(STEP_MS)).unwrap_or(STEPS);
        self.counts[step.min(STEPS - 1)] += 1;
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.counts.iter_mut().zip(other.counts).for_each(|(mine, more)| *mine += more);
    }

    /// Within this time so many of a hundred had come; `None` without any.
    pub(crate) fn quantile(&self, of_hundred: u64) -> Option<Millis> {
        let all: u64 = self.counts.iter().sum();
        let mut rest = (all * of_hundred).div_ceil(100);
        if all == 0 {
            return None;
        }
        for (step, count) in (0..).zip(self.counts) {
            if rest <= count {
                return Some(Millis(step * STEP_MS));
            }
            rest -= count;
        }
        None
    }

    /// The longest.
    pub(crate) fn latest(&self) -> Option<Millis> {
        let last = self.counts.iter().rposition(|count| 0 < *count)?;
        Some(Millis(last as u64 * STEP_MS))
    }
}

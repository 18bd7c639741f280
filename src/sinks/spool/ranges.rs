//! Sets of numbers that mostly stand in rows: kept as ranges, in order, none touching the next.

use std::collections::VecDeque;
use std::ops::Range;

/// A set of numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ranges(VecDeque<Range<u64>>);

impl Ranges {
    /// The range that begins lowest.
    pub(super) fn first(&self) -> Option<Range<u64>> {
        self.0.front().cloned()
    }

    /// How many numbers are in it.
    pub(super) fn len(&self) -> u64 {
        self.0.iter().map(|range| range.end - range.start).sum()
    }

    /// How many numbers of this range are in it.
    pub(super) fn len_in(&self, within: &Range<u64>) -> u64 {
        let cut =
            |range: &Range<u64>| range.end.min(within.end).saturating_sub(range.start.max(within.start));
        self.0.iter().map(cut).sum()
    }

    /// Puts a range in; what it touches or overlaps becomes one with it.
    pub(super) fn add(&mut self, mut new: Range<u64>) {
        if new.is_empty() {
            return;
        }
        // Nearly always at the end.
        let at = self.0.iter().rposition(|range| range.end < new.start).map_or(0, |before| before + 1);
        while let Some(range) = self.0.get(at).filter(|range| range.start <= new.end) {
            new = new.start.min(range.start)..new.end.max(range.end);
            self.0.remove(at);
        }
        self.0.insert(at, new);
    }

    /// Takes a range out.
    pub(super) fn remove(&mut self, gone: &Range<u64>) {
        if gone.is_empty() {
            return;
        }
        let mut left = VecDeque::with_capacity(self.0.len() + 1);
        for range in self.0.drain(..) {
            let (before, after) =
                (range.start..range.end.min(gone.start), range.start.max(gone.end)..range.end);
            left.extend([before, after].into_iter().filter(|part| !part.is_empty()));
        }
        self.0 = left;
    }

    /// Takes the lowest range out if it reaches down to `low`, and gives its end.
    pub(super) fn absorb(&mut self, low: u64) -> u64 {
        match self.0.front() {
            Some(range) if range.start <= low => {
                let end = low.max(range.end);
                self.0.pop_front();
                end
            }
            _ => low,
        }
    }

    /// Moves every number up.
    pub(super) fn shift(&mut self, by: u64) {
        for range in &mut self.0 {
            *range = range.start + by..range.end + by;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn ranges_are_a_set(steps in proptest::collection::vec((any::<bool>(), 0..40_u64, 0..9_u64), 0..60)) {
            let (mut ranges, mut set) = (Ranges::default(), BTreeSet::new());
            for (add, start, length) in steps {
                let range = start..start + length;
                if add {
                    ranges.add(range.clone());
                    set.extend(range);
                } else {
                    ranges.remove(&range);
                    set.retain(|number| !range.contains(number));
                }
                prop_assert_eq!(ranges.len(), set.len() as u64);
                prop_assert_eq!(ranges.first().map(|range| range.start), set.first().copied());
                prop_assert_eq!(ranges.len_in(&(5..20)), set.range(5..20).count() as u64);
                prop_assert!(ranges.0.iter().zip(ranges.0.iter().skip(1)).all(|(a, b)| a.end < b.start));
            }
        }
    }
}

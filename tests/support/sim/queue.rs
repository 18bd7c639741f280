//! What comes later: in the order of its time, and at one time in the order in which it was sent.

use std::collections::VecDeque;

/// Things under way, each with the time at which it is there, in milliseconds.
#[derive(Debug)]
pub(crate) struct Queue<T> {
    under_way: VecDeque<(u64, T)>,
}

impl<T> Queue<T> {
    pub(crate) const fn new() -> Self {
        Self { under_way: VecDeque::new() }
    }

    pub(crate) fn send(&mut self, when: u64, what: T) {
        // Nearly everything is sent to be there last.
        let before = self.under_way.iter().rposition(|(other, _)| *other <= when);
        self.under_way.insert(before.map_or(0, |before| before + 1), (when, what));
    }

    /// When the next is there.
    pub(crate) fn next(&self) -> Option<u64> {
        self.under_way.front().map(|(when, _)| *when)
    }

    /// The next that is there by now.
    pub(crate) fn take(&mut self, now: u64) -> Option<T> {
        self.next().filter(|when| *when <= now)?;
        self.under_way.pop_front().map(|(_, what)| what)
    }

    pub(crate) fn clear(&mut self) {
        self.under_way.clear();
    }
}

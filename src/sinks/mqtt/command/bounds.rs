//! What keeps a flood of commands from costing anything: a memory of bounded length, and a bucket that empties.

use std::collections::VecDeque;

use super::Answer;
use crate::units::{Millis, Uptime};

/// Answers that are remembered.
const ANSWERS_MAX: usize = 1024;

/// What is known of an id.
#[derive(Debug)]
pub(in crate::sinks::mqtt) enum Seen<'a> {
    /// Nothing.
    Never,
    /// Its answer is still awaited.
    UnderWay,
    /// This was its answer.
    Answered(&'a Answer),
}

/// The answers of late, by the ids of their commands: the same command twice is carried out once.
#[derive(Debug, Default)]
pub(in crate::sinks::mqtt) struct Recent(VecDeque<(Uptime, String, Option<Answer>)>);

impl Recent {
    /// What is known of this id.
    pub(in crate::sinks::mqtt) fn of(&self, id: &str) -> Seen<'_> {
        match self.0.iter().find(|known| known.1 == id) {
            None => Seen::Never,
            Some((_, _, None)) => Seen::UnderWay,
            Some((_, _, Some(answer))) => Seen::Answered(answer),
        }
    }

    /// Remembers that this id was seen, until `keep` is over. False if there is no room for one more.
    pub(in crate::sinks::mqtt) fn see(&mut self, id: &str, now: Uptime, keep: Millis) -> bool {
        while self.0.front().is_some_and(|oldest| keep < now.since(oldest.0)) {
            self.0.pop_front();
        }
        let room = self.0.len() < ANSWERS_MAX;
        if room {
            self.0.push_back((now, id.to_owned(), None));
        }
        room
    }

    /// What became of it.
    pub(in crate::sinks::mqtt) fn answered(&mut self, answer: &Answer) {
        let id = answer.id.as_deref().unwrap_or_default();
        if let Some(known) = self.0.iter_mut().rev().find(|known| known.1 == id) {
            known.2 = Some(answer.clone());
        }
    }
}

/// Lets so many through at once, and then one in each `every`; counts the rest.
#[derive(Debug)]
pub(in crate::sinks::mqtt) struct Bucket {
    most: u32,
    every: Millis,
    left: u32,
    filled: Uptime,
    turned_away: u64,
}

impl Bucket {
    pub(in crate::sinks::mqtt) const fn new(most: u32, every: Millis, now: Uptime) -> Self {
        Self { most, every, left: most, filled: now, turned_away: 0 }
    }

    /// Whether one more may pass; with it, how many could not since the last that did.
    pub(in crate::sinks::mqtt) fn take(&mut self, now: Uptime) -> Option<u64> {
        let due = now.since(self.filled).0 / self.every.0.max(1);
        if 0 < due {
            self.left = self.left.saturating_add(u32::try_from(due).unwrap_or(u32::MAX)).min(self.most);
            self.filled = self.filled.plus(self.every.times(due));
        }
        if self.left == 0 {
            self.turned_away = self.turned_away.saturating_add(1);
            return None;
        }
        self.left -= 1;
        Some(std::mem::take(&mut self.turned_away))
    }
}

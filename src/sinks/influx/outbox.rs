//! Lines that wait: bounded, events before readings; the oldest readings are dropped first and counted.
//!
//! With a spool nothing is dropped here: every event is on disk too from the moment it is heard, and readings go there
//! when the server is away or too slow.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::sinks::influx::schema::Lines;
use crate::sinks::spool::{Kind, Spool, Ticket};

/// What became of lines since the start.
#[derive(Debug, Default)]
pub struct Counters {
    pub(super) written: AtomicU64,
    pub(super) dropped: AtomicU64,
    pub(super) quarantined: AtomicU64,
    pub(super) missed: AtomicU64,
    pub(super) errors: AtomicU64,
    pub(super) requests: AtomicU64,
}

/// The counters at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Lines the server took.
    pub written: u64,
    /// Lines dropped because the outbox was full.
    pub dropped: u64,
    /// Lines the server called wrong: logged and set aside.
    pub quarantined: u64,
    /// Publications that were over before this sink heard them.
    pub missed: u64,
    /// Requests that failed.
    pub errors: u64,
    /// Requests in all.
    pub requests: u64,
    /// Lines waiting now.
    pub waiting: u64,
}

/// The lines that wait.
#[derive(Debug)]
pub(super) struct Outbox {
    lines_max: usize,
    waiting: Mutex<Waiting>,
    pub(super) counters: Counters,
    pub(super) filled: Arc<Notify>,
    pub(super) spool: Option<Spool>,
}

/// A line of an event, and what the spool calls it.
#[derive(Debug)]
pub(super) struct EventLine {
    pub(super) line: String,
    pub(super) ticket: Option<Ticket>,
}

#[derive(Debug, Default)]
struct Waiting {
    events: VecDeque<EventLine>,
    readings: VecDeque<String>,
}

impl Waiting {
    fn len(&self) -> usize {
        self.events.len() + self.readings.len()
    }
}

/// Lines taken for one request.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) events: Vec<EventLine>,
    pub(super) readings: Vec<String>,
}

/// A block of the spool has about this many bytes.
const BLOCK_BYTES: usize = 256 << 10;

impl Outbox {
    pub(super) fn new(lines_max: usize, spool: Option<Spool>, filled: Arc<Notify>) -> Self {
        Self { lines_max, waiting: Mutex::default(), counters: Counters::default(), filled, spool }
    }

    pub(super) fn put(&self, lines: Lines) {
        let spool = self.spool.as_ref();
        let events = lines.events.into_iter().map(|line| {
            let ticket = spool.and_then(|spool| spool.event(line.clone().into_bytes()));
            EventLine { line, ticket }
        });
        let mut waiting = self.waiting();
        waiting.events.extend(events);
        waiting.readings.extend(lines.readings);
        self.drop_excess(&mut waiting);
        drop(waiting);
        self.filled.notify_one();
    }

    pub(super) fn take(&self, lines_max: usize) -> Batch {
        let mut waiting = self.waiting();
        let events = lines_max.min(waiting.events.len());
        let events: Vec<EventLine> = waiting.events.drain(..events).collect();
        let readings = (lines_max - events.len()).min(waiting.readings.len());
        let readings = waiting.readings.drain(..readings).collect();
        Batch { events, readings }
    }

    /// What was not written. Readings go to the spool where there is one.
    pub(super) fn put_back(&self, batch: Batch) {
        let mut waiting = self.waiting();
        for event in batch.events.into_iter().rev() {
            waiting.events.push_front(event);
        }
        match &self.spool {
            Some(spool) => self.spool_readings(spool, batch.readings),
            None => {
                for line in batch.readings.into_iter().rev() {
                    waiting.readings.push_front(line);
                }
            }
        }
        self.drop_excess(&mut waiting);
    }

    /// Moves all readings to the spool: the server is away, and memory is not for that.
    pub(super) fn spill(&self) {
        if let Some(spool) = &self.spool {
            let readings = std::mem::take(&mut self.waiting().readings);
            self.spool_readings(spool, readings);
        }
    }

    fn spool_readings(&self, spool: &Spool, readings: impl IntoIterator<Item = String>) {
        let (mut block, mut count) = (String::new(), 0);
        let put = |block: &mut String, count: &mut u32| {
            if 0 < *count && !spool.telemetry(*count, std::mem::take(block).into_bytes()) {
                self.counters.dropped.fetch_add(u64::from(*count), Ordering::Relaxed);
            }
            *count = 0;
        };
        for line in readings {
            block.push_str(&line);
            count += 1;
            if BLOCK_BYTES <= block.len() {
                put(&mut block, &mut count);
            }
        }
        put(&mut block, &mut count);
    }

    pub(super) fn len(&self) -> usize {
        self.waiting().len()
    }

    pub(super) fn counts(&self) -> Counts {
        let get = |number: &AtomicU64| number.load(Ordering::Relaxed);
        Counts {
            written: get(&self.counters.written),
            dropped: get(&self.counters.dropped),
            quarantined: get(&self.counters.quarantined),
            missed: get(&self.counters.missed),
            errors: get(&self.counters.errors),
            requests: get(&self.counters.requests),
            waiting: self.len() as u64,
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn drop_excess(&self, waiting: &mut Waiting) {
        if let Some(spool) = &self.spool
            && self.lines_max < waiting.len()
        {
            // All of them, so that this happens once in a while and not with every line.
            self.spool_readings(spool, std::mem::take(&mut waiting.readings));
        }
        while self.lines_max < waiting.len() {
            // Readings first; an event goes only when there are no readings left, and then only out of memory if the
            // spool has it.
            if waiting.readings.pop_front().is_none()
                && let Some(event) = waiting.events.pop_front()
                && let (Some(spool), Some(ticket)) = (&self.spool, event.ticket)
            {
                spool.give_back(Kind::Events, ticket);
                continue;
            }
            self.counters.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn readings(range: std::ops::Range<u32>) -> Lines {
        Lines { events: Vec::new(), readings: range.map(|n| n.to_string()).collect() }
    }

    #[test]
    fn a_full_outbox_drops_the_oldest_readings_and_keeps_events() {
        let outbox = Outbox::new(4, None, Arc::default());
        outbox.put(readings(0..4));
        outbox.put(Lines { events: vec!["alarm".into()], readings: Vec::new() });
        outbox.put(readings(4..5));
        let batch = outbox.take(10);
        assert_eq!(batch.events[0].line, "alarm");
        assert_eq!(batch.readings, ["2", "3", "4"]);
        assert_eq!(outbox.counts().dropped, 2);
    }

    #[test]
    fn what_was_not_written_goes_first_again() {
        let outbox = Outbox::new(10, None, Arc::default());
        outbox.put(readings(0..4));
        let batch = outbox.take(2);
        outbox.put_back(batch);
        assert_eq!(outbox.take(3).readings, ["0", "1", "2"]);
        assert_eq!(outbox.len(), 1);
    }
}

//! The outbox and its spool: what goes to the disk, and what comes back from it.

use super::backlog;
use super::{Event, Message, MqttCounters, OVERHEAD, Outbox, Step, Ticket};
use crate::sinks::spool::{self, Kind, Spool};

/// So many readings go to the spool together.
const ASIDE_MAX: usize = 256;

impl Outbox {
    /// A reading that cannot be sent as a live one.
    pub(super) fn put_aside(&mut self, message: Message) {
        if self.spool.is_none() || !message.history {
            MqttCounters::add(&self.counters.dropped_readings, 1);
            return;
        }
        self.aside.push(message);
        if ASIDE_MAX <= self.aside.len() {
            self.flush_aside();
        }
    }

    fn flush_aside(&mut self) {
        let aside = std::mem::take(&mut self.aside);
        let Some(spool) = self.spool.as_ref().filter(|_| !aside.is_empty()) else { return };
        let count = u32::try_from(aside.len()).unwrap_or(u32::MAX);
        let payload = aside.iter().flat_map(backlog::encoded).collect();
        let counter = if spool.telemetry(count, payload) {
            &self.counters.spooled_readings
        } else {
            &self.counters.dropped_readings
        };
        MqttCounters::add(counter, u64::from(count));
    }

    /// Moves readings to the spool: all of them while the broker is away, else those that were put aside.
    pub(in crate::sinks::mqtt) fn spill(&mut self, away: bool) {
        if self.spool.is_none() {
            return;
        }
        if away {
            while let Some((_, reading)) = self.readings.pop_front() {
                // A heartbeat of a moment ago is of no use to anybody, and no loss.
                if reading.history {
                    self.put_aside(reading);
                }
            }
            self.count();
        }
        self.flush_aside();
    }

    /// Readings that were written to a broker of which nothing was heard since.
    pub(in crate::sinks::mqtt) fn doubtful(&mut self, readings: impl IntoIterator<Item = Message>) {
        readings.into_iter().for_each(|reading| self.put_aside(reading));
        self.flush_aside();
    }

    /// Which lane of the spool has something for which there is room here. Readings are of no use without a connection.
    pub(in crate::sinks::mqtt) fn wants(&self, connected: bool) -> Option<Kind> {
        let spool = self.spool.as_ref()?;
        let events = self.events.len() < self.max / 2 && 0 < spool.to_fetch(Kind::Events);
        let readings = connected && self.backlog.has_room() && 0 < spool.to_fetch(Kind::Telemetry);
        if events { Some(Kind::Events) } else { readings.then_some(Kind::Telemetry) }
    }

    /// The spool, where there is one.
    pub(in crate::sinks::mqtt) fn spool(&self) -> Option<&Spool> {
        self.spool.as_ref()
    }

    /// What the spool gave: events go before those of this run, readings last of all.
    pub(in crate::sinks::mqtt) fn stored(&mut self, blocks: Vec<spool::Block>) {
        for block in blocks {
            match block.kind {
                Kind::Telemetry => self.backlog.put(&block),
                Kind::Events => {
                    for message in backlog::decoded(&block.payload) {
                        let message = backlog::historical(message);
                        let event = Event { message, step: Step::Waiting, ticket: Some(block.ticket()) };
                        self.events.insert(self.stored_next, event);
                        self.cursor = self.cursor.min(self.stored_next);
                        self.stored_next += 1;
                    }
                }
            }
        }
        self.settle_backlog();
        self.count();
    }

    pub(super) fn settle_backlog(&mut self) {
        let Some(spool) = &self.spool else { return };
        self.backlog.finished().for_each(|ticket| spool.settle(Kind::Telemetry, ticket));
    }

    /// The next message of the backlog, if there is one.
    pub(in crate::sinks::mqtt) fn next_backlog(&mut self, size_max: usize) -> Option<(Ticket, Message)> {
        loop {
            let (id, message) = self.backlog.next()?;
            if message.topic.len() + message.payload.len() + OVERHEAD <= size_max {
                return Some((Ticket::Backlog(id), message));
            }
            MqttCounters::add(&self.counters.too_large, 1);
            self.backlog.delivered(id);
            self.settle_backlog();
        }
    }
}

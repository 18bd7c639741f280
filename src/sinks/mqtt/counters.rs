//! What the sink counts, for metrics. Everything only grows, except `connected` and `waiting`.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Counters of one broker.
#[derive(Debug, Default)]
pub struct MqttCounters {
    /// Messages written to the broker.
    pub published: AtomicU64,
    /// Messages that the broker acknowledged.
    pub acknowledged: AtomicU64,
    /// Messages that the broker refused, each try counted; only MQTT 5 can tell.
    pub refused: AtomicU64,
    /// Readings dropped because the outbox was full.
    pub dropped_readings: AtomicU64,
    /// Readings dropped because they were too old when the broker came back.
    pub expired_readings: AtomicU64,
    /// Readings that went to the spool.
    pub spooled_readings: AtomicU64,
    /// Events and notices dropped because the outbox was full.
    pub dropped_events: AtomicU64,
    /// Messages larger than the broker takes.
    pub too_large: AtomicU64,
    /// Publications missed because this sink was too slow.
    pub missed: AtomicU64,
    /// Connections made after the first.
    pub reconnects: AtomicU64,
    /// Connected now.
    pub connected: AtomicBool,
    /// Events and readings that wait now.
    pub waiting: AtomicU64,
}

impl MqttCounters {
    pub(super) fn add(counter: &AtomicU64, count: u64) {
        counter.fetch_add(count, Ordering::Relaxed);
    }

    /// The value of a counter.
    #[must_use]
    pub fn get(counter: &AtomicU64) -> u64 {
        counter.load(Ordering::Relaxed)
    }
}

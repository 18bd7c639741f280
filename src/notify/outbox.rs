//! What waits for one target and what became of the rest: shared by who hears, who delivers and who asks.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::exchange::Inbox;
use crate::notify::queue::{Message, Queue};
use crate::safety::fact::Input;
use crate::safety::site::SequenceId;

/// What became of messages to one target since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Messages answered with 2xx.
    pub delivered: u64,
    /// Tries that failed.
    pub failures: u64,
    /// Messages dropped because the queue was full or they were a day old.
    pub dropped: u64,
    /// Messages the target called wrong until they were given up.
    pub rejected: u64,
    /// Publications that were over before this target heard them.
    pub missed: u64,
    /// Messages waiting now.
    pub waiting: u64,
}

/// The outbox of one target.
#[derive(Debug)]
pub(super) struct Outbox {
    name: Arc<str>,
    inbox: Inbox,
    queue: Mutex<Queue>,
    /// Something was put in.
    pub(super) filled: Notify,
    pub(super) delivered: AtomicU64,
    pub(super) failures: AtomicU64,
    pub(super) dropped: AtomicU64,
    pub(super) rejected: AtomicU64,
    pub(super) missed: AtomicU64,
}

impl Outbox {
    pub(super) fn new(name: &str, queued_max: usize, inbox: Inbox) -> Self {
        Self {
            name: Arc::from(name),
            inbox,
            queue: Mutex::new(Queue::new(queued_max)),
            filled: Notify::new(),
            delivered: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            rejected: AtomicU64::new(0),
            missed: AtomicU64::new(0),
        }
    }

    pub(super) fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn put(&self, message: Message) {
        let dropped = self.queue().put(message);
        add(&self.dropped, dropped.len() as u64);
        for message in dropped {
            self.receipt(message.handling.notice, false);
        }
        self.filled.notify_one();
    }

    /// Says that a notice has come to its end here. Never waits: what finds the inbox full is only in the log.
    pub(super) fn receipt(&self, notice: Option<(SequenceId, u64)>, taken: bool) {
        let Some((sequence, notice)) = notice else { return };
        let input = Input::Delivered { sequence, notice, target: Arc::clone(&self.name), taken };
        if self.inbox.try_send(vec![input]).is_err() {
            tracing::warn!(target = %self.name, notice, taken, "receipt of a notice not recorded");
        }
    }

    pub(super) fn counts(&self) -> Counts {
        let get = |number: &AtomicU64| number.load(Ordering::Relaxed);
        Counts {
            delivered: get(&self.delivered),
            failures: get(&self.failures),
            dropped: get(&self.dropped),
            rejected: get(&self.rejected),
            missed: get(&self.missed),
            waiting: self.queue().len() as u64,
        }
    }
}

/// Counts.
pub(super) fn add(counter: &AtomicU64, by: u64) {
    counter.fetch_add(by, Ordering::Relaxed);
}

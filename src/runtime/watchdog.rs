//! Tells systemd that the loop lives: only the safety loop feeds it, and only while polling advances.
//!
//! A dead disk must not cause a restart loop, so the journal is no condition: it fails by an alarm (R16).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sd_notify::NotifyState;

use crate::units::{Millis, Uptime};

/// How often systemd is told at most.
const FEED_EVERY: Millis = Millis::from_secs(1);

/// Counts finished polls, whatever came of them.
pub(super) type PollCount = Arc<dyn Fn() -> u64 + Send + Sync>;

/// Feeds systemd's watchdog.
pub(super) struct Watchdog {
    polls: PollCount,
    /// How long polling may stand still: no device is asked more often than this.
    patience: Millis,
    polls_seen: u64,
    advanced: Uptime,
    fed: Uptime,
    /// Times that systemd was told.
    pings: Arc<AtomicU64>,
}

impl Watchdog {
    pub(super) fn new(polls: PollCount, patience: Millis, now: Uptime) -> Self {
        Self { polls, patience, polls_seen: 0, advanced: now, fed: Uptime(0), pings: Arc::default() }
    }

    /// Counts how often systemd was told.
    pub(super) fn pings(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.pings)
    }

    /// Called once a scan by the loop itself.
    pub(super) fn feed(&mut self, now: Uptime) {
        if now.since(self.fed) < FEED_EVERY {
            return;
        }
        let polls = (self.polls)();
        if polls != self.polls_seen {
            (self.polls_seen, self.advanced) = (polls, now);
        }
        if self.is_hungry(now) {
            return;
        }
        self.fed = now;
        self.pings.fetch_add(1, Ordering::Relaxed);
        if let Err(error) = sd_notify::notify(&[NotifyState::Watchdog]) {
            tracing::debug!(%error, "systemd was not told");
        }
    }

    /// Polling has stood still for too long: systemd may end us.
    fn is_hungry(&self, now: Uptime) -> bool {
        self.patience < now.since(self.advanced)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_goes_hungry_when_polling_stands_still_and_recovers_when_it_goes_on() {
        let count = Arc::new(AtomicU64::new(0));
        let seen = Arc::clone(&count);
        let polls: PollCount = Arc::new(move || seen.load(Ordering::Relaxed));
        let mut watchdog = Watchdog::new(polls, Millis(5000), Uptime(0));
        for second in 1..=5 {
            count.fetch_add(1, Ordering::Relaxed);
            watchdog.feed(Uptime(second * 1000));
        }
        assert!(!watchdog.is_hungry(Uptime(10_000)));
        watchdog.feed(Uptime(10_001));
        assert!(watchdog.is_hungry(Uptime(10_001)));
        count.fetch_add(1, Ordering::Relaxed);
        watchdog.feed(Uptime(11_002));
        assert!(!watchdog.is_hungry(Uptime(11_002)));
    }
}

//! Looks now and then whether something keeps the wall clock right. It labels what is told, and raises an alarm; no
//! decision depends on it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

use crate::clock::{self, SyncMark};
use crate::exchange::{FaultReport, Inbox};
use crate::safety::site::SystemFault;
use crate::units::{ClockSync, Millis, Uptime};

const LOOK_EVERY: Duration = Duration::from_secs(10);

/// What was seen last is not believed any more when a look takes longer.
const LOOK_MAX: Duration = Duration::from_secs(5);

/// An alarm after so long without: a gateway that has just been switched on needs a while to find its time.
const ALARM_AFTER: Millis = Millis::from_secs(600);

/// What was seen last, for the safety loop, which never waits for a disk.
#[derive(Debug, Default)]
pub(super) struct ClockStatus(AtomicU8);

impl ClockStatus {
    pub(super) fn now(&self) -> ClockSync {
        match self.0.load(Ordering::Relaxed) {
            1 => ClockSync::Synchronised,
            2 => ClockSync::Unsynchronised,
            _ => ClockSync::Unknown,
        }
    }

    fn set(&self, sync: ClockSync) {
        let code = match sync {
            ClockSync::Unknown => 0,
            ClockSync::Synchronised => 1,
            ClockSync::Unsynchronised => 2,
        };
        self.0.store(code, Ordering::Relaxed);
    }
}

/// Looks until the stop.
pub(super) async fn watch(status: Arc<ClockStatus>, mark: SyncMark, inbox: Inbox, stop: CancellationToken) {
    let fault = FaultReport::new(inbox, SystemFault::Clock);
    let mut wrong_since = None;
    let mut ticks = interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let looking = mark.clone();
        // On a thread of its own: even a file in memory may be behind a file system that hangs.
        let mut look = tokio::task::spawn_blocking(move || looking.look(clock::now().wall));
        let sync = if let Ok(seen) = timeout(LOOK_MAX, &mut look).await {
            seen.unwrap_or_default()
        } else {
            status.set(ClockSync::Unknown);
            look.await.unwrap_or_default()
        };
        status.set(sync);
        fault.set(is_alarming(&mut wrong_since, sync, clock::uptime()));
    }
}

/// Whether the clock has been unsynchronised for long. A status that is not known is none that is wrong: it stands in every
/// event.
fn is_alarming(wrong_since: &mut Option<Uptime>, sync: ClockSync, now: Uptime) -> bool {
    if sync != ClockSync::Unsynchronised {
        *wrong_since = None;
        return false;
    }
    ALARM_AFTER <= now.since(*wrong_since.get_or_insert(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_without_a_source_is_an_alarm_after_ten_minutes_and_no_longer_than_that_lasts() {
        let mut since = None;
        let mut at = |second: u64, sync| is_alarming(&mut since, sync, Uptime(second * 1000));
        assert!(!at(0, ClockSync::Unsynchronised));
        assert!(!at(599, ClockSync::Unsynchronised));
        assert!(at(600, ClockSync::Unsynchronised));
        assert!(!at(610, ClockSync::Synchronised));
        assert!(!at(1210, ClockSync::Unsynchronised));
        assert!(!at(5000, ClockSync::Unknown), "what nobody tells is not called wrong");
    }

    #[test]
    fn the_loop_reads_what_was_seen_last() {
        let status = ClockStatus::default();
        assert_eq!(status.now(), ClockSync::Unknown);
        for sync in [ClockSync::Synchronised, ClockSync::Unsynchronised, ClockSync::Unknown] {
            status.set(sync);
            assert_eq!(status.now(), sync);
        }
    }
}

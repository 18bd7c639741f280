//! Delivers what waits for one target, again and again until it is delivered.
//!
//! A failed try is repeated after 1, 2, 5, 10, 30 and then every 60 s, or later when the target says so
//! (`Retry-After`, 300 s at most), for a day. What is critical does not wait for the next try of something else.
//! A target that says it is gone (410) is still tried, slowly: an alarm path is never switched off by its receiver.
//! A message that only this target's 400, 413 or 422 stands against is given up after a few tries, so that it
//! cannot hold up the others.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::exchange::FaultReport;
use crate::notify::http::Verdict;
use crate::notify::outbox::{Outbox, add};
use crate::notify::parcel::{Packer, Parcel};
use crate::notify::queue::Urgency;
use crate::notify::way::Way;
use crate::units::Millis;

/// Waits before the second, third … try; the last one is repeated.
pub(super) const RETRY_WAITS: [Millis; 6] =
    [Millis(1000), Millis(2000), Millis(5000), Millis(10_000), Millis(30_000), Millis(60_000)];
/// A target that says it is gone is asked this often.
const GONE_WAIT: Millis = Millis::from_secs(300);
/// This many failed tries in a row raise the alarm; of something critical, the first one does.
pub(super) const FAILURES_ALARM: usize = 2;
/// Tries of a message that the target calls wrong.
const WRONG_TRIES_MAX: u32 = 3;
/// Older messages say nothing any more.
const AGE_MAX: Millis = Millis::from_secs(24 * 3600);
/// How long a try under way may still take at a stop.
const LAST_TRY_MAX: Duration = Duration::from_secs(2);
/// While the first address fails and nothing is to be said, it is tried this often with what was said last.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// Who delivers to one target.
pub(super) struct Courier {
    way: Way,
    packer: Packer,
    outbox: Arc<Outbox>,
    fault: FaultReport,
    /// Failed tries in a row.
    failures: usize,
    /// The parcel that the target called wrong last, and how often in a row.
    wrong: (Arc<str>, u32),
    last: Option<Parcel>,
}

impl Courier {
    pub(super) fn new(way: Way, packer: Packer, outbox: Arc<Outbox>, fault: FaultReport) -> Self {
        Self { way, packer, outbox, fault, failures: 0, wrong: (Arc::from(""), 0), last: None }
    }

    pub(super) async fn run(mut self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let parcel = tokio::select! {
                () = stop.cancelled() => return,
                parcel = self.next() => parcel,
            };
            let verdict = tokio::select! {
                verdict = self.way.deliver(&parcel) => verdict,
                () = past(&stop) => return,
            };
            let (pause, ours) = self.judge(&parcel, verdict);
            tokio::select! {
                () = stop.cancelled() => return,
                () = sleep(Duration::from_millis(pause.0)) => {}
                () = self.something_worse(parcel.urgency), if ours => {}
            }
        }
    }

    async fn next(&mut self) -> Parcel {
        loop {
            self.forget_the_old();
            let parcel = self.packer.next(&self.outbox.queue(), clock::now());
            if let Some(parcel) = parcel {
                return parcel;
            }
            let again = self.last.clone().filter(|_| self.way.is_degraded());
            tokio::select! {
                () = self.outbox.filled.notified() => {}
                () = sleep(LOOK_AGAIN), if again.is_some() => {
                    if let Some(parcel) = again {
                        self.way.look_again(&parcel).await;
                        self.fault.set(self.way.is_degraded());
                    }
                }
            }
        }
    }

    fn forget_the_old(&self) {
        let now = clock::uptime();
        loop {
            let old = self.outbox.queue().first().filter(|it| AGE_MAX < now.since(it.made)).cloned();
            let Some(message) = old else { return };
            self.outbox.queue().remove(&message.id);
            add(&self.outbox.dropped, 1);
            self.outbox.receipt(message.handling.notice, false);
        }
    }

    /// How long to wait before the next try, and whether that is our own choice.
    fn judge(&mut self, parcel: &Parcel, verdict: Verdict) -> (Millis, bool) {
        let target = self.way.name().to_owned();
        if verdict == Verdict::Delivered {
            self.done(parcel);
            self.failures = 0;
            self.fault.set(self.way.is_degraded());
            return (Millis::ZERO, true);
        }
        add(&self.outbox.failures, 1);
        let wait = RETRY_WAITS[self.failures.min(RETRY_WAITS.len() - 1)];
        self.failures = self.failures.saturating_add(1);
        let at_once = verdict == Verdict::Gone || parcel.urgency == Urgency::Critical;
        self.fault.set(self.fault.failing() || at_once || FAILURES_ALARM <= self.failures);
        match verdict {
            Verdict::Failed { why, after } => {
                tracing::warn!(%target, %why, id = %parcel.id, "message not delivered");
                // A target can only put us off for longer: "now" again and again must not become a hot loop.
                (jittered(wait).max(after.unwrap_or(Millis::ZERO)), after.is_none())
            }
            Verdict::Gone => {
                tracing::error!(%target, "target says it is gone (410); still trying");
                (GONE_WAIT, false)
            }
            Verdict::Wrong { why } => {
                tracing::error!(%target, %why, id = %parcel.id, "target calls the message wrong");
                (self.wrong(parcel, wait), true)
            }
            Verdict::Delivered => (Millis::ZERO, true),
        }
    }

    fn done(&mut self, parcel: &Parcel) {
        self.packer.close(parcel);
        let mut queue = self.outbox.queue();
        let before = queue.len();
        for id in &parcel.members {
            queue.remove(id);
        }
        add(&self.outbox.delivered, (before - queue.len()) as u64);
        drop(queue);
        self.outbox.receipt(parcel.notice, true);
        self.last = Some(parcel.clone());
    }

    fn wrong(&mut self, parcel: &Parcel, wait: Millis) -> Millis {
        if self.packer.refuse(parcel) {
            return Millis::ZERO;
        }
        let before = if self.wrong.0 == parcel.id { self.wrong.1 } else { 0 };
        self.wrong = (Arc::clone(&parcel.id), before + 1);
        if WRONG_TRIES_MAX <= self.wrong.1 {
            self.packer.close(parcel);
            self.outbox.queue().remove(&parcel.id);
            add(&self.outbox.rejected, 1);
            self.outbox.receipt(parcel.notice, false);
        }
        jittered(wait)
    }

    /// Ends when a message is first in the queue that is more urgent than the one that failed: it does not
    /// wait for the other's next try.
    async fn something_worse(&self, failed: Urgency) {
        loop {
            self.outbox.filled.notified().await;
            let worst = self.outbox.queue().urgency();
            if worst.is_some_and(|worst| failed < worst && worst == Urgency::Critical) {
                return;
            }
        }
    }
}

/// Up to a tenth longer, so that gateways do not march in step.
pub(super) fn jittered(wait: Millis) -> Millis {
    Millis(wait.0 + RandomState::new().build_hasher().finish() % (wait.0 / 10 + 1))
}

/// Ends a little after the stop: what is under way may still get through.
pub(super) async fn past(stop: &CancellationToken) {
    stop.cancelled().await;
    sleep(LAST_TRY_MAX).await;
}

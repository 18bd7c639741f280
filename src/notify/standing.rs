//! Tells an Alertmanager what stands, again and again: it keeps nothing over a restart of its own.
//!
//! Told at once when something changes, and every minute while anything stands. An alert is believed for four
//! minutes without being told again, so what emberwatch no longer knows of does not stand for ever. Its end is told
//! for five minutes, because the first telling may have been lost.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::exchange::FaultReport;
use crate::notify::courier::{FAILURES_ALARM, RETRY_WAITS, jittered, past};
use crate::notify::http::Verdict;
use crate::notify::outbox::{Outbox, add};
use crate::notify::parcel::Parcel;
use crate::notify::preset::alertmanager::Alert;
use crate::notify::preset::words::Severity;
use crate::notify::queue::Urgency;
use crate::notify::telling::{About, Stage, Telling};
use crate::notify::way::Way;
use crate::units::{Millis, Now, Uptime, WallTime};
use crate::wire::time::rfc3339;

const TELL_AGAIN: Millis = Millis::from_secs(60);
const BELIEVED_FOR: Millis = TELL_AGAIN.times(4);
const END_TOLD_FOR: Millis = Millis::from_secs(300);
/// Alerts in one request; the most severe go first.
const ALERTS_PER_POST: usize = 256;

/// What stands for one Alertmanager: never more than the site's alarms, in each severity.
#[derive(Debug, Default)]
pub(super) struct Alerts(BTreeMap<Key, Entry>);

/// Which alert, in the order of telling.
type Key = (std::cmp::Reverse<Severity>, String);

#[derive(Debug)]
struct Entry {
    alert: Alert,
    ended: Option<Now>,
}

impl Alerts {
    /// Takes in a change of an alarm; what is no alarm is no matter.
    fn take(&mut self, telling: &Telling<'_>, now: Now) -> bool {
        let About::Alarm(alarm) = &telling.data.about else { return false };
        let severity = telling.severity();
        let over = telling.stage() == Stage::Over;
        let mut changed = false;
        for ((other, name), entry) in &mut self.0 {
            let ends = over || other.0 != severity;
            if name == alarm.id && ends && entry.ended.is_none() {
                entry.ended = Some(now);
                changed = true;
            }
        }
        if !over {
            let entry = Entry { alert: Alert::new(telling, alarm), ended: None };
            self.0.insert((std::cmp::Reverse(severity), alarm.id.to_owned()), entry);
            changed = true;
        }
        changed
    }

    /// Drops the ends that have been told for long enough.
    fn forget(&mut self, now: Uptime) {
        self.0.retain(|_, entry| entry.ended.is_none_or(|ended| now.since(ended.uptime) <= END_TOLD_FOR));
    }

    /// Whether something critical stands.
    fn is_critical(&self) -> bool {
        self.0.iter().any(|((severity, _), entry)| severity.0 == Severity::Critical && entry.ended.is_none())
    }

    /// The requests that tell all of it.
    fn posts(&self, now: Now) -> Vec<Vec<u8>> {
        let until = rfc3339(WallTime(now.wall.0.saturating_add_unsigned(BELIEVED_FOR.0)));
        let alerts: Vec<serde_json::Value> = self
            .0
            .values()
            .map(|entry| match entry.ended {
                Some(ended) => entry.alert.posted(&rfc3339(ended.wall)),
                None => entry.alert.posted(&until),
            })
            .collect();
        alerts.chunks(ALERTS_PER_POST).filter_map(|chunk| serde_json::to_vec(chunk).ok()).collect()
    }
}

/// What stands, shared by who hears and who tells.
#[derive(Debug, Default)]
pub(super) struct Standing {
    alerts: Mutex<Alerts>,
    changed: Notify,
}

impl Standing {
    pub(super) fn take(&self, telling: &Telling<'_>) {
        if self.alerts().take(telling, clock::now()) {
            self.changed.notify_one();
        }
    }

    fn alerts(&self) -> std::sync::MutexGuard<'_, Alerts> {
        self.alerts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// When it is told next.
struct Pace {
    failures: usize,
    wait: Millis,
    /// It asked for that wait itself.
    put_off: bool,
}

/// Who tells one Alertmanager.
pub(super) struct Teller {
    pub(super) way: Way,
    pub(super) standing: Arc<Standing>,
    pub(super) outbox: Arc<Outbox>,
    pub(super) fault: FaultReport,
}

impl Teller {
    pub(super) async fn run(mut self, stop: CancellationToken) {
        let mut pace = Pace { failures: 0, wait: TELL_AGAIN, put_off: false };
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = sleep(Duration::from_millis(pace.wait.0)) => {}
                () = self.standing.changed.notified(), if !pace.put_off => {
                    // While it fails a change hurries too, but a flood of them must not become a hot loop.
                    if 0 < pace.failures {
                        sleep(Duration::from_millis(RETRY_WAITS[0].0)).await;
                    }
                }
            }
            let (posts, critical) = {
                let mut alerts = self.standing.alerts();
                alerts.forget(clock::uptime());
                (alerts.posts(clock::now()), alerts.is_critical())
            };
            let verdict = tokio::select! {
                verdict = self.tell(&posts) => verdict,
                () = past(&stop) => return,
            };
            pace = self.judge(verdict, pace.failures, critical);
        }
    }

    async fn tell(&mut self, posts: &[Vec<u8>]) -> Verdict {
        for body in posts {
            let parcel = Parcel {
                id: Arc::from("alerts"),
                urgency: Urgency::Critical,
                line: Arc::from("alerts"),
                body: Arc::from(body.as_slice()),
                members: Vec::new(),
                notice: None,
            };
            let verdict = self.way.deliver(&parcel).await;
            if verdict != Verdict::Delivered {
                return verdict;
            }
            add(&self.outbox.delivered, 1);
        }
        Verdict::Delivered
    }

    fn judge(&self, verdict: Verdict, failures: usize, critical: bool) -> Pace {
        let (why, after) = match verdict {
            Verdict::Delivered => {
                self.fault.set(self.way.is_degraded());
                return Pace { failures: 0, wait: TELL_AGAIN, put_off: false };
            }
            Verdict::Failed { why, after } => (why, after),
            Verdict::Gone => ("answered 410".to_owned(), None),
            Verdict::Wrong { why } => (why, None),
        };
        tracing::warn!(target = %self.way.name(), %why, "alerts not delivered");
        add(&self.outbox.failures, 1);
        let wait = jittered(RETRY_WAITS[failures.min(RETRY_WAITS.len() - 1)]);
        let failures = failures.saturating_add(1);
        self.fault.set(self.fault.failing() || critical || FAILURES_ALARM <= failures);
        Pace { failures, wait: wait.max(after.unwrap_or(Millis::ZERO)), put_off: after.is_some() }
    }
}

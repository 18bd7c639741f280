//! From what is heard to what is written: two tasks, so that a slow server cannot make this sink deaf.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::broadcast::error::RecvError;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::exchange::{FaultReport, Hearing, Inbox};
use crate::safety::site::{Site, SystemFault};
use crate::sinks::influx::client::{Server, SetupFault, Verdict};
use crate::sinks::influx::options::InfluxOptions;
use crate::sinks::influx::outbox::{Batch, Counts, Outbox};
use crate::sinks::influx::schema::lines_of;
use crate::units::Millis;

/// After a failed write the next try comes after about this, then after twice as long …
const RETRY_FIRST: Millis = Millis(1000);
/// … but never later than this.
const RETRY_MAX: Millis = Millis::from_secs(300);
/// A server that refuses us is asked again this often.
const REFUSED_RETRY: Millis = Millis::from_secs(60);
/// This many failed writes in a row raise the alarm; a refusal does at once.
const FAILURES_ALARM: u32 = 2;
/// The most requests spent on finding bad lines in one batch; what is left of it then is set aside whole.
const HALVING_REQUESTS_MAX: u32 = 64;
/// How long the last lines may take at a stop.
const LAST_WRITE_MAX: Millis = Millis::from_secs(2);

/// The sink as it runs.
#[derive(Debug)]
pub struct InfluxHandle {
    outbox: Arc<Outbox>,
    /// Ends soon after the stop token.
    pub task: JoinHandle<()>,
}

impl InfluxHandle {
    /// What became of lines so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.outbox.counts()
    }
}

/// Starts writing what is heard, until `stop`. Needs a tokio runtime.
pub fn spawn(
    options: &InfluxOptions,
    site: Arc<Site>,
    hearing: Hearing,
    inbox: Inbox,
    stop: CancellationToken,
) -> Result<InfluxHandle, SetupFault> {
    let server = Server::new(options)?;
    let outbox = Arc::new(Outbox::new(options.lines_queued_max));
    let pump = Pump {
        server,
        outbox: Arc::clone(&outbox),
        fault: FaultReport::new(inbox, SystemFault::Influx),
        lines_max: options.batch_lines_max.max(1),
        wait_max: options.batch_wait_max,
        failures: 0,
    };
    let ear = listen(site, hearing, Arc::clone(&outbox));
    let task = tokio::spawn(async move {
        // A panic of either ends the task, which its supervisor sees.
        tokio::select! {
            () = ear => {}
            () = pump.run(stop) => {}
        }
    });
    Ok(InfluxHandle { outbox, task })
}

async fn listen(site: Arc<Site>, mut hearing: Hearing, outbox: Arc<Outbox>) {
    loop {
        match hearing.recv().await {
            Ok(publication) => {
                let lines = lines_of(&site, &publication);
                if !lines.events.is_empty() || !lines.readings.is_empty() {
                    outbox.put(lines);
                }
            }
            Err(RecvError::Lagged(missed)) => {
                outbox.counters.missed.fetch_add(missed, Ordering::Relaxed);
            }
            // Nothing more will be said; what waits is still written, until the stop.
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}

struct Pump {
    server: Server,
    outbox: Arc<Outbox>,
    fault: FaultReport,
    lines_max: usize,
    wait_max: Millis,
    failures: u32,
}

/// What came of a batch.
enum Outcome {
    Done,
    Later,
    Refused,
}

impl Pump {
    async fn run(mut self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.fill() => {}
            }
            let batch = self.outbox.take(self.lines_max);
            let outcome = tokio::select! {
                outcome = self.send(batch) => outcome,
                () = past(&stop, LAST_WRITE_MAX) => return,
            };
            let pause = self.judge(&outcome);
            tokio::select! {
                () = stop.cancelled() => {}
                () = sleep(pause) => {}
            }
        }
    }

    /// How long to wait before the next write.
    fn judge(&mut self, outcome: &Outcome) -> Duration {
        match outcome {
            Outcome::Done => {
                self.failures = 0;
                self.fault.set(false);
                Duration::ZERO
            }
            Outcome::Later => {
                self.failures = self.failures.saturating_add(1);
                self.fault.set(self.fault.failing() || FAILURES_ALARM <= self.failures);
                back_off(self.failures)
            }
            Outcome::Refused => {
                self.fault.set(true);
                Duration::from_millis(REFUSED_RETRY.0)
            }
        }
    }

    /// Waits until there are lines, and then until a batch is full or has waited long enough.
    async fn fill(&self) {
        while self.outbox.len() == 0 {
            self.outbox.filled.notified().await;
        }
        let full = async {
            while self.outbox.len() < self.lines_max {
                self.outbox.filled.notified().await;
            }
        };
        let _ = timeout(Duration::from_millis(self.wait_max.0), full).await;
    }

    async fn send(&mut self, batch: Batch) -> Outcome {
        let events = batch.events.len();
        let lines: Vec<String> = batch.events.into_iter().chain(batch.readings).collect();
        // Ranges still to be written, the first on top.
        let mut ranges = vec![(0, lines.len())];
        let mut budget = HALVING_REQUESTS_MAX;
        while let Some((from, to)) = ranges.pop() {
            match self.write(&lines[from..to]).await {
                Verdict::Accepted => {}
                Verdict::Wrong(why) => {
                    budget = budget.saturating_sub(1);
                    if to - from == 1 || budget == 0 {
                        self.quarantine(&lines[from..to], &why);
                    } else {
                        let middle = from.midpoint(to);
                        ranges.push((middle, to));
                        ranges.push((from, middle));
                    }
                }
                verdict @ (Verdict::Later(_) | Verdict::Refused(_)) => {
                    ranges.push((from, to));
                    self.keep(&lines, &ranges, events);
                    let refused = matches!(verdict, Verdict::Refused(_));
                    return if refused { Outcome::Refused } else { Outcome::Later };
                }
            }
        }
        Outcome::Done
    }

    async fn write(&self, lines: &[String]) -> Verdict {
        let counters = &self.outbox.counters;
        counters.requests.fetch_add(1, Ordering::Relaxed);
        let verdict = self.server.write(lines).await;
        match &verdict {
            Verdict::Accepted => {
                counters.written.fetch_add(lines.len() as u64, Ordering::Relaxed);
            }
            Verdict::Wrong(why) | Verdict::Later(why) | Verdict::Refused(why) => {
                counters.errors.fetch_add(1, Ordering::Relaxed);
                tracing::debug!(%why, lines = lines.len(), "InfluxDB write failed");
            }
        }
        verdict
    }

    fn quarantine(&self, lines: &[String], why: &str) {
        self.outbox.counters.quarantined.fetch_add(lines.len() as u64, Ordering::Relaxed);
        let first = lines.first().map_or("", |line| line.trim_end());
        tracing::error!(%why, count = lines.len(), first, "InfluxDB calls this wrong; set aside");
    }

    fn keep(&self, lines: &[String], ranges: &[(usize, usize)], events: usize) {
        let mut back = Batch::default();
        for (from, to) in ranges.iter().rev() {
            for (offset, line) in lines[*from..*to].iter().enumerate() {
                let to = if from + offset < events { &mut back.events } else { &mut back.readings };
                to.push(line.clone());
            }
        }
        self.outbox.put_back(back);
    }
}

/// This long after the stop.
async fn past(stop: &CancellationToken, span: Millis) {
    stop.cancelled().await;
    sleep(Duration::from_millis(span.0)).await;
}

/// Doubles with each failure, with the upper half left to chance so that gateways do not march in step.
fn back_off(failures: u32) -> Duration {
    let factor = 1_u64 << failures.saturating_sub(1).min(16);
    let longest = RETRY_MAX.0.min(RETRY_FIRST.0.saturating_mul(factor));
    let chance = RandomState::new().build_hasher().finish() % (longest / 2 + 1);
    Duration::from_millis(longest / 2 + chance)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_back_off_to_five_minutes_and_never_hammer() {
        for (failures, longest) in [(1, 1), (2, 2), (5, 16), (9, 256), (10, 300), (u32::MAX, 300)] {
            for _ in 0..50 {
                let wait = back_off(failures).as_millis();
                assert!(longest * 500 <= wait && wait <= longest * 1000, "{failures}: {wait} ms");
            }
        }
    }
}

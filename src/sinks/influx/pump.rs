//! From what is heard to what is written: two tasks, so that a slow server cannot make this sink deaf.
//!
//! After an outage events go first, then what is new, then what the spool holds, one request at a time: new lines wait
//! for one request at most. While the server is away, readings move from memory to the spool once a second.

use std::collections::VecDeque;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::exchange::{FaultReport, Hearing, Inbox, Publication};
use crate::safety::site::{Site, SystemFault};
use crate::sinks::influx::client::{Server, SetupFault};
use crate::sinks::influx::dead_letters::DeadLetters;
use crate::sinks::influx::delivery::{Delivery, Outcome};
use crate::sinks::influx::options::InfluxOptions;
use crate::sinks::influx::outbox::{Batch, Counts, EventLine, Outbox};
use crate::sinks::influx::schema::{Lines, lines_of};
use crate::sinks::influx::stream::EventStream;
use crate::sinks::spool::{Block, Kind, Spool, SpoolCounters};
use crate::units::{Millis, Uptime};
use crate::wire::FROM_JOURNAL;

/// After a failed write the next try comes after about this, then after twice as long …
const RETRY_FIRST: Millis = Millis(1000);
/// … but never later than this.
const RETRY_MAX: Millis = Millis::from_secs(300);
/// A server that refuses us is asked again this often.
const REFUSED_RETRY: Millis = Millis::from_secs(60);
/// This many failed writes in a row raise the alarm; a refusal does at once.
const FAILURES_ALARM: u32 = 2;
/// How long the last lines may take at a stop, and the spool after them.
const LAST_WRITE_MAX: Millis = Millis(700);
const SPOOL_CLOSE_MAX: Duration = Duration::from_millis(300);
/// While the server is away, readings move to the spool this often.
const SPILL_EVERY: Duration = Duration::from_secs(1);
/// That publications were missed is told until this long after the last.
const MISSED_TOLD_FOR: Millis = Millis::from_secs(10);
/// The most bytes of the backlog that are in memory.
const BACKLOG_BYTES: usize = 1 << 20;

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

    /// A way to read the counters later, also when this has gone.
    pub fn reader(&self) -> impl Fn() -> (Counts, Option<Arc<SpoolCounters>>) + Send + use<> {
        let outbox = Arc::clone(&self.outbox);
        move || (outbox.counts(), outbox.spool.as_ref().map(Spool::counters).cloned())
    }

    /// What became of entries of the spool, where there is one.
    #[must_use]
    pub fn spool(&self) -> Option<&Arc<SpoolCounters>> {
        self.outbox.spool.as_ref().map(Spool::counters)
    }
}

/// What is written to a bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// Readings, and the changes of alarms and sequences.
    History,
    /// Every event with its whole document, nothing else. `boot` names this start of the gateway.
    Events {
        /// This start of the gateway.
        boot: String,
    },
}

/// Where the failures of a sink are told. One report serves all buckets of one server, so that an alarm stands while any
/// of them fails.
#[derive(Clone, Debug)]
pub struct Faults {
    down: FaultReport,
    spool: FaultReport,
    missed: FaultReport,
}

impl Faults {
    /// Those of one server.
    #[must_use]
    pub fn new(inbox: &Inbox) -> Self {
        let report = |fault| FaultReport::new(inbox.clone(), fault);
        Self {
            down: report(SystemFault::Influx),
            spool: report(SystemFault::InfluxSpool),
            missed: report(SystemFault::Overload),
        }
    }

    /// The server cannot be used at all, with these options.
    pub fn unusable(&self) {
        self.down.set(true);
    }
}

/// Starts writing what is heard, after what an earlier run may not have got away, until `stop`. Needs a tokio runtime.
pub fn spawn(
    options: &InfluxOptions,
    content: Content,
    site: Arc<Site>,
    last_words: &[Arc<Publication>],
    hearing: Hearing,
    faults: Faults,
    stop: CancellationToken,
) -> Result<InfluxHandle, SetupFault> {
    let server = Server::new(options, content.precision())?;
    let filled = Arc::new(Notify::new());
    let spool = options.spool.as_ref().map(|spool| {
        Spool::start(spool, faults.spool.clone(), Arc::clone(&filled)).map_err(SetupFault::Spool)
    });
    let outbox = Arc::new(Outbox::new(options.lines_queued_max, spool.transpose()?, filled));
    let lines_max = options.batch_lines_max.max(1);
    let dead_letters = options.dead_letters.clone().map(DeadLetters::new);
    let pump = Pump {
        delivery: Delivery::new(server, dead_letters, lines_max),
        outbox: Arc::clone(&outbox),
        fault: faults.down,
        lines_max,
        wait_max: options.batch_wait_max,
        failures: 0,
        backlog: VecDeque::new(),
        fetching: None,
        sending: Vec::new(),
        sending_from: 0,
    };
    let mut before = Writer::of(content.again());
    for publication in last_words {
        outbox.put(before.lines_of(&site, publication));
    }
    let ear = listen(Writer::of(content), site, hearing, Arc::clone(&outbox), faults.missed);
    let task = tokio::spawn(async move {
        // A panic of either ends the task, which its supervisor sees.
        tokio::select! {
            () = ear => {}
            () = pump.run(stop) => {}
        }
    });
    Ok(InfluxHandle { outbox, task })
}

impl Content {
    /// The same, told once more after a crash.
    fn again(&self) -> Self {
        match self {
            Self::History => Self::History,
            Self::Events { .. } => Self::Events { boot: FROM_JOURNAL.to_owned() },
        }
    }

    /// Of the times of its lines. Readings of one scan differ in their tags; events need a time each.
    const fn precision(&self) -> &'static str {
        match self {
            Self::History => "ms",
            Self::Events { .. } => "us",
        }
    }
}

/// Makes the lines of a publication.
enum Writer {
    History,
    Events(EventStream),
}

impl Writer {
    fn of(content: Content) -> Self {
        match content {
            Content::History => Self::History,
            Content::Events { boot } => Self::Events(EventStream::new(boot)),
        }
    }

    fn lines_of(&mut self, site: &Site, publication: &Publication) -> Lines {
        match self {
            Self::History => lines_of(site, publication),
            Self::Events(stream) => {
                Lines { events: stream.lines_of(site, publication), readings: Vec::new() }
            }
        }
    }
}

async fn listen(
    mut writer: Writer,
    site: Arc<Site>,
    mut hearing: Hearing,
    outbox: Arc<Outbox>,
    missed: FaultReport,
) {
    let mut last_missed: Option<Uptime> = None;
    loop {
        match hearing.recv().await {
            Ok(publication) => {
                let lines = writer.lines_of(&site, &publication);
                if !lines.events.is_empty() || !lines.readings.is_empty() {
                    outbox.put(lines);
                }
                let now = publication.now.uptime;
                if last_missed.is_some_and(|at| MISSED_TOLD_FOR <= now.since(at)) {
                    last_missed = None;
                    missed.set(false);
                }
            }
            Err(RecvError::Lagged(count)) => {
                outbox.counters.missed.fetch_add(count, Ordering::Relaxed);
                tracing::warn!(count, "the InfluxDB sink missed publications");
                last_missed = Some(clock::uptime());
                missed.set(true);
            }
            // Nothing more will be said; what waits is still written, until the stop.
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}

struct Pump {
    delivery: Delivery,
    outbox: Arc<Outbox>,
    fault: FaultReport,
    lines_max: usize,
    wait_max: Millis,
    failures: u32,
    /// Blocks of the spool that are being written.
    backlog: VecDeque<Block>,
    fetching: Option<oneshot::Receiver<Vec<Block>>>,
    /// New lines under way, those of events first; readings from here on.
    sending: Vec<String>,
    sending_from: usize,
}

impl Pump {
    async fn run(mut self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.fill() => {}
            }
            let outcome = tokio::select! {
                outcome = self.step() => outcome,
                () = past(&stop, LAST_WRITE_MAX) => break,
            };
            let pause = self.judge(outcome);
            self.pause(pause, &stop).await;
        }
        // Broken off: whether the server has them is not known, and twice does no harm.
        let readings = self.sending.split_off(self.sending_from.min(self.sending.len()));
        self.outbox.put_back(Batch { events: Vec::new(), readings });
        self.outbox.spill();
        if let Some(spool) = &self.outbox.spool {
            spool.close().within(SPOOL_CLOSE_MAX).await;
        }
    }

    /// How long to wait before the next write.
    fn judge(&mut self, outcome: Outcome) -> Duration {
        match outcome {
            Outcome::Done => {
                self.failures = 0;
                self.fault.set(false);
                Duration::ZERO
            }
            Outcome::Later(after) => {
                self.failures = self.failures.saturating_add(1);
                self.fault.set(self.fault.failing() || FAILURES_ALARM <= self.failures);
                // What the server asks for is the least; chance comes on top, so that gateways do not march in step.
                after.map_or_else(
                    || back_off(self.failures),
                    |after| Duration::from_millis(after.0) + back_off(1) / 10,
                )
            }
            Outcome::Refused => {
                self.fault.set(true);
                Duration::from_millis(REFUSED_RETRY.0)
            }
        }
    }

    /// Stays away; meanwhile readings go to the spool.
    async fn pause(&self, pause: Duration, stop: &CancellationToken) {
        if pause.is_zero() {
            return;
        }
        let rest = sleep(pause);
        tokio::pin!(rest);
        let mut spill = interval(SPILL_EVERY);
        spill.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = &mut rest => return,
                _ = spill.tick() => self.outbox.spill(),
            }
        }
    }

    /// Waits until there is something to write: new lines that are a batch or have waited long enough, or else backlog.
    async fn fill(&mut self) {
        while self.outbox.len() == 0 && self.backlog.is_empty() {
            self.fetch();
            let outbox = Arc::clone(&self.outbox);
            tokio::select! {
                () = outbox.filled.notified() => {}
                () = self.fetched() => {}
            }
        }
        let waited = sleep(Duration::from_millis(self.wait_max.0));
        tokio::pin!(waited);
        while self.outbox.len() < self.lines_max && self.backlog.is_empty() {
            self.fetch();
            let outbox = Arc::clone(&self.outbox);
            tokio::select! {
                () = &mut waited => break,
                () = outbox.filled.notified() => {}
                () = self.fetched() => {}
            }
        }
    }

    /// Asks the spool for what comes next, if it has something and was not asked yet.
    fn fetch(&mut self) {
        if self.fetching.is_some() || !self.backlog.is_empty() {
            return;
        }
        if let Some(spool) = &self.outbox.spool {
            let kinds = [Kind::Events, Kind::Telemetry];
            let kind = kinds.into_iter().find(|kind| 0 < spool.to_fetch(*kind));
            self.fetching = kind.map(|kind| spool.fetch(kind, BACKLOG_BYTES));
        }
    }

    /// Takes what the spool gave. Never, if it was not asked.
    async fn fetched(&mut self) {
        let Some(fetching) = &mut self.fetching else { return std::future::pending().await };
        // An error is the end of the spool: there is nothing more then.
        let blocks = fetching.await.unwrap_or_default();
        self.fetching = None;
        self.backlog.extend(blocks);
    }

    /// One batch of new lines and one of the backlog.
    async fn step(&mut self) -> Outcome {
        let batch = self.outbox.take(self.lines_max);
        if !batch.events.is_empty() || !batch.readings.is_empty() {
            let outcome = self.send(batch).await;
            if outcome != Outcome::Done {
                return outcome;
            }
        }
        let outcome = self.send_backlog().await;
        self.fetch();
        if let Some(Ok(blocks)) = self.fetching.as_mut().map(oneshot::Receiver::try_recv) {
            self.fetching = None;
            self.backlog.extend(blocks);
        }
        outcome
    }

    async fn send(&mut self, batch: Batch) -> Outcome {
        let (events, mut tickets): (Vec<String>, Vec<_>) =
            batch.events.into_iter().map(|event| (event.line, event.ticket)).unzip();
        self.sending_from = events.len();
        self.sending = events;
        self.sending.extend(batch.readings);
        let (outcome, rest) = self.delivery.deliver(&self.outbox.counters, &self.sending).await;
        let mut lines = std::mem::take(&mut self.sending);
        let mut back = Batch::default();
        for index in rest {
            let line = std::mem::take(&mut lines[index]);
            match tickets.get_mut(index) {
                Some(ticket) => back.events.push(EventLine { line, ticket: ticket.take() }),
                None => back.readings.push(line),
            }
        }
        if let Some(spool) = &self.outbox.spool {
            // Those that go back took theirs along.
            tickets.into_iter().flatten().for_each(|ticket| spool.settle(Kind::Events, ticket));
        }
        self.outbox.put_back(back);
        outcome
    }

    /// As many blocks as make a batch. They leave the spool only when all of their lines were taken or set aside.
    async fn send_backlog(&mut self) -> Outcome {
        let (mut blocks, mut lines) = (0, Vec::new());
        for block in &self.backlog {
            let text = String::from_utf8_lossy(&block.payload);
            if 0 < blocks && self.lines_max < lines.len() + text.matches('\n').count() {
                break;
            }
            lines.extend(text.split_inclusive('\n').map(str::to_owned));
            blocks += 1;
        }
        if blocks == 0 {
            return Outcome::Done;
        }
        let (outcome, _) = self.delivery.deliver(&self.outbox.counters, &lines).await;
        if outcome == Outcome::Done
            && let Some(spool) = &self.outbox.spool
        {
            for block in self.backlog.drain(..blocks) {
                spool.settle(block.kind, block.ticket());
            }
        }
        outcome
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

//! The spool of a sink: what it has not accepted yet, on disk, within bounds, through crashes and bad disks.
//!
//! ```text
//! sink ─► mailbox (bounded) ─► keeper thread ─► two lanes of segment files ─► blocks ─► sink ─► settled, file removed
//! ```
//!
//! Two lanes: *events* (alarms, notices, audit) are made durable at once, *telemetry* at most once in `sync_every`.
//! When the bound is reached the oldest telemetry goes first; events go only when no telemetry is left. Everything that
//! goes is counted and raises an alarm. An entry is settled when the sink says that its server has it, never before.
//! No call waits for the disk, except `Spool::fetch`, which its caller must not let hold up anything else.
//!
//! It deliberately knows nothing of what it keeps: bytes in, the same bytes out.

mod frame;
mod keeper;
mod lane;
pub mod options;
mod ranges;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};

use crate::disk::{Directory, Disk};
use crate::exchange::FaultReport;
use keeper::Keeper;
pub(crate) use lane::Block;
use options::SpoolOptions;

/// Bytes that may wait for the keeper; what finds this full is dropped and counted.
const MAILBOX_BYTES_MAX: usize = 8 << 20;

/// Which lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Alarms, sequences, notices, audit: durable at once, dropped last.
    Events,
    /// Everything else.
    Telemetry,
}

/// Entries of a lane, to be settled when the sink has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ticket {
    /// By the numbers in the files.
    Stored(Range<u64>),
    /// The so-many-th of this process: the keeper knows the numbers.
    Mine(u64),
}

/// What became of entries since the start.
#[derive(Debug, Default)]
pub struct SpoolCounters {
    /// Entries found at the start.
    pub found: AtomicU64,
    /// Entries put in.
    pub appended: AtomicU64,
    /// Entries that the sink has.
    pub settled: AtomicU64,
    /// Entries dropped to keep within the bounds.
    pub dropped: AtomicU64,
    /// Events among them.
    pub dropped_events: AtomicU64,
    /// Entries that were damaged on the disk.
    pub damaged: AtomicU64,
    /// Files that are not ours or of another version: left alone.
    pub foreign: AtomicU64,
    /// Entries waiting now.
    pub waiting: AtomicU64,
    /// Bytes in files now.
    pub bytes: AtomicU64,
    /// Bytes written to the disk.
    pub bytes_written: AtomicU64,
    /// Whether the disk takes what is written.
    pub failing: AtomicBool,
}

impl SpoolCounters {
    /// The value of a counter.
    #[must_use]
    pub fn get(counter: &AtomicU64) -> u64 {
        counter.load(Ordering::Relaxed)
    }
}

/// What sink and keeper share.
#[derive(Debug)]
struct Shared {
    mailbox: Mutex<Mailbox>,
    posted: Condvar,
    counters: Arc<SpoolCounters>,
    /// Entries of each lane that can be fetched.
    to_fetch: [AtomicU64; 2],
    /// There is something to fetch that was not there before.
    grown: Arc<Notify>,
}

#[derive(Debug, Default)]
struct Mailbox {
    appends: VecDeque<Append>,
    bytes: usize,
    settled: Vec<(Kind, Ticket)>,
    back: Vec<(Kind, Ticket)>,
    fetch: Vec<(Kind, usize, oneshot::Sender<Vec<Block>>)>,
    /// How many entries of each lane were put in.
    put: [u64; 2],
    close: Option<oneshot::Sender<()>>,
    closed: bool,
}

#[derive(Debug)]
struct Append {
    kind: Kind,
    count: u32,
    payload: Vec<u8>,
    /// Whether the sink has it in memory: it is not to be fetched.
    held: bool,
}

impl Shared {
    fn mailbox(&self) -> MutexGuard<'_, Mailbox> {
        self.mailbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The spool of one sink. Dropping it ends its thread once everything is on disk.
#[derive(Debug)]
pub(crate) struct Spool {
    shared: Arc<Shared>,
}

impl Drop for Spool {
    fn drop(&mut self) {
        self.shared.mailbox().closed = true;
        self.shared.posted.notify_one();
    }
}

/// Opens the directory, on the thread of the keeper.
type OpenDisk = Box<dyn FnMut() -> io::Result<Box<dyn Disk>> + Send>;

impl Spool {
    /// Starts the keeper. `grown` is notified when there is something to fetch.
    pub(crate) fn start(options: &SpoolOptions, fault: FaultReport, grown: Arc<Notify>) -> io::Result<Self> {
        let directory = options.directory.clone();
        let open = move || Ok(Box::new(Directory::lock(&directory)?) as Box<dyn Disk>);
        Self::start_on(Box::new(open), options, fault, grown)
    }

    fn start_on(
        open: OpenDisk,
        options: &SpoolOptions,
        fault: FaultReport,
        grown: Arc<Notify>,
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            mailbox: Mutex::default(),
            posted: Condvar::new(),
            counters: Arc::default(),
            to_fetch: [AtomicU64::new(0), AtomicU64::new(0)],
            grown,
        });
        let keeper = Keeper::new(open, options, fault, Arc::clone(&shared));
        std::thread::Builder::new().name("spool".to_owned()).spawn(move || keeper.run())?;
        Ok(Self { shared })
    }

    pub(crate) fn counters(&self) -> &Arc<SpoolCounters> {
        &self.shared.counters
    }

    /// Puts an event in that the sink holds in memory as well.
    pub(crate) fn event(&self, payload: Vec<u8>) -> Option<Ticket> {
        self.append(Append { kind: Kind::Events, count: 1, payload, held: true }).map(Ticket::Mine)
    }

    /// Puts telemetry in, so many entries together; it is to be fetched later. False if it was dropped.
    pub(crate) fn telemetry(&self, count: u32, payload: Vec<u8>) -> bool {
        self.append(Append { kind: Kind::Telemetry, count, payload, held: false }).is_some()
    }

    fn append(&self, append: Append) -> Option<u64> {
        let counters = &self.shared.counters;
        counters.appended.fetch_add(u64::from(append.count), Ordering::Relaxed);
        let mut mailbox = self.shared.mailbox();
        if MAILBOX_BYTES_MAX < mailbox.bytes + append.payload.len() {
            counters.dropped.fetch_add(u64::from(append.count), Ordering::Relaxed);
            if append.kind == Kind::Events {
                counters.dropped_events.fetch_add(1, Ordering::Relaxed);
            }
            return None;
        }
        let put = &mut mailbox.put[append.kind as usize];
        let number = *put;
        *put += u64::from(append.count);
        mailbox.bytes += append.payload.len();
        mailbox.appends.push_back(append);
        drop(mailbox);
        self.shared.posted.notify_one();
        Some(number)
    }

    /// The sink's server has these.
    pub(crate) fn settle(&self, kind: Kind, ticket: Ticket) {
        self.shared.mailbox().settled.push((kind, ticket));
        self.shared.posted.notify_one();
    }

    /// The sink does not hold these any more: they are to be fetched again.
    pub(crate) fn give_back(&self, kind: Kind, ticket: Ticket) {
        self.shared.mailbox().back.push((kind, ticket));
        self.shared.posted.notify_one();
    }

    /// Whether there is anything to fetch.
    pub(crate) fn to_fetch(&self, kind: Kind) -> u64 {
        self.shared.to_fetch[kind as usize].load(Ordering::Relaxed)
    }

    /// The oldest blocks that were not fetched yet, of about so many bytes. Waits for the disk.
    pub(crate) fn fetch(&self, kind: Kind, bytes_max: usize) -> oneshot::Receiver<Vec<Block>> {
        let (answer, blocks) = oneshot::channel();
        self.shared.mailbox().fetch.push((kind, bytes_max, answer));
        self.shared.posted.notify_one();
        blocks
    }

    /// Asks for everything to be made durable, and ends.
    pub(crate) fn close(&self) -> Closing {
        let (answer, closed) = oneshot::channel();
        {
            let mut mailbox = self.shared.mailbox();
            mailbox.close = Some(answer);
            mailbox.closed = true;
        }
        self.shared.posted.notify_one();
        Closing(closed)
    }
}

/// A spool that is being closed.
#[must_use]
pub(crate) struct Closing(oneshot::Receiver<()>);

impl Closing {
    /// Waits until everything is durable, at most so long.
    pub(crate) async fn within(self, span: Duration) {
        if tokio::time::timeout(span, self.0).await.is_err() {
            tracing::warn!("a spool was not made durable in time");
        }
    }
}

impl Block {
    /// To settle it, or to give it back.
    pub(crate) fn ticket(&self) -> Ticket {
        Ticket::Stored(self.numbers.clone())
    }
}

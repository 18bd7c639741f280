//! What the rest of emberwatch holds of the journal: hand records over, ask whether an intent is durable.
//!
//! No call here waits for the disk. Handing over keeps the memory in RAM right even if the record itself is
//! then dropped; waiting for an intent ends with the budget at the latest (D8), and what follows from
//! "failed" or "too late" is the caller's business: a stuck disk must not stop a cut.

use std::future::Future;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::clock;
use crate::disk::{Directory, Disk};
use crate::exchange::{FaultReport, Inbox, Publication};
use crate::safety::fact::{DriveFault, Order, OrderId};
use crate::safety::memory::Memory;
use crate::safety::site::{SequenceId, Site, SystemFault};
use crate::store::fold::Fold;
use crate::store::names;
use crate::store::options::JournalOptions;
use crate::store::record::{Body, SnapshotWire, is_kept};
use crate::store::recover::{Found, OpenFault, Records, Recovered, recover};
use crate::store::writer::{Item, Writer};
use crate::units::{Millis, Now, Uptime};

/// Items that may wait for the writer; what finds the queue full is dropped and counted.
const QUEUED_MAX: usize = 4096;
/// How often a stop asks for room in a full queue.
const CLOSE_RETRY: Duration = Duration::from_millis(10);
/// A disk that is busy with one write for longer than this is failing.
const STALL_MAX: Millis = Millis(5000);

/// The journal of a running emberwatch. Shared by reference; closing it once is enough.
#[derive(Debug)]
pub struct Journal {
    shared: Arc<Shared>,
    queue: Option<SyncSender<Item>>,
    fault: Arc<FaultReport>,
}

/// Whether an intent is on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durable {
    /// It is.
    Yes,
    /// It is not: the disk refused, or the queue is full.
    Failed,
    /// Not known within the budget.
    TooLate,
}

/// How the journal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Health {
    /// Whether its alarm stands.
    pub failing: bool,
    /// Records made since the start.
    pub made: u64,
    /// Records made durable since the start.
    pub durable: u64,
    /// Records dropped since the start; the memory holds what they said all the same.
    pub dropped: u64,
    /// Failed attempts to write.
    pub errors: u64,
    /// Segments begun and made durable since the start.
    pub segments: u64,
    /// For how long the writer has been busy with one write.
    pub busy_for: Millis,
}

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) site: Arc<Site>,
    fold: Mutex<Fold>,
    pub(super) segment_bytes_max: u64,
    pub(super) total_bytes_max: u64,
    made: AtomicU64,
    pub(super) durable: AtomicU64,
    pub(super) dropped: AtomicU64,
    pub(super) errors: AtomicU64,
    pub(super) segments: AtomicU64,
    pub(super) overfull: AtomicBool,
    /// Uptime in milliseconds since which the writer is busy; zero if it is not.
    pub(super) busy_since: AtomicU64,
}

impl Shared {
    fn fold(&self) -> MutexGuard<'_, Fold> {
        self.fold.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The memory now, and the last record in it.
    pub(super) fn snapshot(&self) -> (u64, SnapshotWire) {
        let fold = self.fold().clone();
        (fold.upto, fold.snapshot(&self.site))
    }
}

impl Journal {
    /// Takes the directory, reads what the last run left, and starts the writer.
    ///
    /// `boot` is the content of `/proc/sys/kernel/random/boot_id`: what it was decides whether uptimes of the
    /// last run mean anything. An error means that the directory cannot be used at all; a disk that cannot be
    /// written does not prevent a start, it raises the alarm.
    pub fn open(
        options: &JournalOptions,
        boot: &str,
        site: &Arc<Site>,
        inbox: Inbox,
    ) -> Result<(Self, Recovered), OpenFault> {
        let path = &options.directory;
        let disk = Directory::lock(path).map_err(|source| match source.kind() {
            io::ErrorKind::WouldBlock => OpenFault::InUse(path.clone()),
            _ => OpenFault::Unusable { path: path.clone(), source },
        })?;
        Self::open_on(Box::new(disk), options, boot, site, inbox)
    }

    /// The same on any disk.
    pub fn open_on(
        mut disk: Box<dyn Disk>,
        options: &JournalOptions,
        boot: &str,
        site: &Arc<Site>,
        inbox: Inbox,
    ) -> Result<(Self, Recovered), OpenFault> {
        let Found { recovered, mut fold, next_segment, follows } = recover(&mut *disk, boot, site)
            .map_err(|source| OpenFault::Unusable { path: options.directory.clone(), source })?;
        fold.enter_boot(boot);
        let shared = Arc::new(Shared::new(site, fold, options));
        let fault = Arc::new(FaultReport::new(inbox, SystemFault::Journal));
        let (queue, items) = sync_channel(QUEUED_MAX);
        let spared = recovered.foreign.iter().cloned().collect();
        let writer =
            Writer::new(disk, Arc::clone(&shared), Arc::clone(&fault), next_segment, follows, spared);
        let run = move || {
            let closed = writer.run(&items);
            if let Some((done, durable)) = closed {
                // Only now is the lock of the directory free.
                let _ = done.send(durable);
            }
        };
        thread::Builder::new().name("journal".to_owned()).spawn(run).map_err(OpenFault::Thread)?;
        let journal = Self { shared, queue: Some(queue), fault };
        journal.one(Body::Start {
            boot: boot.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            site: site.name.clone(),
            gateway: site.gateway.clone(),
        });
        Ok((journal, recovered))
    }

    /// A journal for when there is no usable directory: nothing is kept, and its alarm stands.
    #[must_use]
    pub fn without_disk(site: &Arc<Site>, inbox: Inbox) -> Self {
        let options =
            JournalOptions { directory: "/dev/null".into(), segment_bytes_max: 0, total_bytes_max: 0 };
        let fault = Arc::new(FaultReport::new(inbox, SystemFault::Journal));
        fault.set(true);
        Self { shared: Arc::new(Shared::new(site, Fold::default(), &options)), queue: None, fault }
    }

    /// The readable records of a journal, oldest first. Needs no lock.
    pub fn read(directory: &Path) -> io::Result<Records> {
        Records::open(directory)
    }

    /// Records the facts of one scan; readings are left out. Give it every publication, before the orders of
    /// the same scan.
    pub fn note(&self, publication: &Arc<Publication>) {
        let count = publication.facts.iter().filter(|fact| is_kept(fact)).count() as u64;
        if 0 < count {
            let mut fold = self.shared.fold();
            let first = fold.upto + 1;
            fold.upto += count;
            for fact in &publication.facts {
                fold.fact(&self.shared.site, fact);
            }
            // Sent under the lock: the queue keeps the order of the numbers.
            self.send(Item::Facts { first, publication: Arc::clone(publication) }, count);
        }
        self.watch(publication.now.uptime);
    }

    /// Records that an order is about to be carried out. Enqueued at once; the future says whether it is
    /// durable, at the latest after `budget`, and needs a tokio runtime to be awaited on.
    pub fn intent(&self, order: &Order, budget: Millis) -> impl Future<Output = Durable> + Send + 'static {
        let (done, durable) = oneshot::channel();
        let body = Body::of_intent(&self.shared.site, order);
        let sent = {
            let mut fold = self.shared.fold();
            fold.upto += 1;
            fold.intent(&self.shared.site, order);
            self.send(Self::item(fold.upto, clock::now(), body, Some(done)), 1)
        };
        let fault = Arc::clone(&self.fault);
        async move {
            if !sent {
                return Durable::Failed;
            }
            match tokio::time::timeout(Duration::from_millis(budget.0), durable).await {
                Ok(Ok(true)) => Durable::Yes,
                Ok(_) => Durable::Failed,
                Err(_) => {
                    fault.set(true);
                    Durable::TooLate
                }
            }
        }
    }

    /// Records what became of an order.
    pub fn answer(&self, order: OrderId, at: Uptime, result: Result<(), DriveFault>) {
        self.one(Body::Answer { order: order.0, at: at.0, fault: result.err().map(Into::into) });
    }

    /// Records that a part of emberwatch fails or works again.
    pub fn fault(&self, fault: SystemFault, failing: bool) {
        let row = SystemFault::TABLE.iter().find(|row| row.0 == fault);
        self.one(Body::Fault { fault: row.map_or("?", |row| row.1).to_owned(), failing });
    }

    /// Records that a notice reached one of those who are told, or was given up.
    pub fn delivered(&self, sequence: SequenceId, notice: u64, target: &str, taken: bool) {
        let sequence = names::of_sequence(&self.shared.site, sequence);
        self.one(Body::Delivered { sequence, notice, target: target.to_owned(), taken });
    }

    /// Takes this memory for the truth and writes it down. To be called once after a start, when the core has
    /// taken over what was recovered: from then on all uptimes are of the present boot.
    pub fn remember(&self, memory: Memory) {
        let mut fold = self.shared.fold();
        fold.replace(memory);
        self.send(Item::Snapshot, 0);
    }

    /// Records a stop as it should be and waits until it is durable or the budget is past. True: it is durable.
    /// Nothing is recorded afterwards.
    pub async fn close(&self, budget: Millis) -> bool {
        let Some(queue) = &self.queue else { return false };
        let (done, durable) = oneshot::channel();
        let number = {
            let mut fold = self.shared.fold();
            fold.upto += 1;
            fold.upto
        };
        let mut close = Item::Close { number, now: clock::now(), done };
        let closed = async {
            // A stop is worth waiting for: it is the last thing said.
            while let Err(TrySendError::Full(item)) = queue.try_send(close) {
                close = item;
                tokio::time::sleep(CLOSE_RETRY).await;
            }
            durable.await
        };
        matches!(tokio::time::timeout(Duration::from_millis(budget.0), closed).await, Ok(Ok(true)))
    }

    /// How it is.
    #[must_use]
    pub fn health(&self) -> Health {
        let get = |number: &AtomicU64| number.load(Ordering::Relaxed);
        Health {
            failing: self.fault.failing(),
            made: get(&self.shared.made),
            durable: get(&self.shared.durable),
            dropped: get(&self.shared.dropped),
            errors: get(&self.shared.errors),
            segments: get(&self.shared.segments),
            busy_for: self.busy_for(clock::uptime()),
        }
    }

    fn one(&self, body: Body) {
        let mut fold = self.shared.fold();
        fold.upto += 1;
        self.send(Self::item(fold.upto, clock::now(), body, None), 1);
    }

    fn item(number: u64, now: Now, body: Body, done: Option<oneshot::Sender<bool>>) -> Item {
        Item::One { number, now, body: Box::new(body), done }
    }

    fn send(&self, item: Item, records: u64) -> bool {
        self.shared.made.fetch_add(records, Ordering::Relaxed);
        let Some(queue) = &self.queue else { return false };
        match queue.try_send(item) {
            Ok(()) => true,
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                self.shared.dropped.fetch_add(records, Ordering::Relaxed);
                self.shared.overfull.store(true, Ordering::Relaxed);
                self.fault.set(true);
                false
            }
        }
    }

    fn watch(&self, now: Uptime) {
        if STALL_MAX < self.busy_for(now) {
            self.fault.set(true);
        }
    }

    fn busy_for(&self, now: Uptime) -> Millis {
        match self.shared.busy_since.load(Ordering::Relaxed) {
            0 => Millis::ZERO,
            since => now.since(Uptime(since)),
        }
    }
}

impl Shared {
    fn new(site: &Arc<Site>, fold: Fold, options: &JournalOptions) -> Self {
        Self {
            site: Arc::clone(site),
            fold: Mutex::new(fold),
            segment_bytes_max: options.segment_bytes_max,
            total_bytes_max: options.total_bytes_max,
            made: AtomicU64::new(0),
            durable: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            errors: AtomicU64::new(0),
            segments: AtomicU64::new(0),
            overfull: AtomicBool::new(false),
            busy_since: AtomicU64::new(0),
        }
    }
}

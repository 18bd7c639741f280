//! The journal's thread: takes records from the queue, writes them, makes them durable, and lives with disks
//! that fail.
//!
//! After an error a file is never touched again: what it has made durable is known, what it has not is written
//! again to a new one (a second `fdatasync` may report success for data that is gone). Each segment begins
//! with a snapshot of the memory, so that older ones can go.

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::clock;
use crate::disk::{Disk, SegmentFile};
use crate::exchange::{FaultReport, Publication};
use crate::store::journal::Shared;
use crate::store::record::{Body, Payload, is_kept};
use crate::store::segment::{self, Chain};
use crate::units::{Millis, Now, Uptime};

/// Routine records are made durable at the latest after this.
const SYNC_WITHIN: Millis = Millis(1000);
/// The most queue items written before a sync.
const BATCH_MAX: usize = 256;
/// While the disk fails, this many records are kept for writing later; older ones are dropped and counted.
const UNSYNCED_MAX: usize = 8192;
/// After a failure the disk is tried again after this, then after twice as long …
const RETRY_FIRST: Millis = Millis(1000);
/// … but never less often than this.
const RETRY_MAX: Millis = Millis(30_000);
/// There are never more segments than this, however small.
const SEGMENTS_MAX: usize = 1024;
/// The present segment and the one before it are never removed.
const SEGMENTS_MIN: usize = 2;

/// What goes through the queue.
pub(super) enum Item {
    /// The facts of one scan; the first that is kept has this number.
    Facts { first: u64, publication: Arc<Publication> },
    /// One record, and who waits for it to be durable.
    One { number: u64, now: Now, body: Box<Body>, done: Option<oneshot::Sender<bool>> },
    /// A snapshot now: the memory was replaced.
    Snapshot,
    /// The end: nothing follows. Answered once the directory is free again.
    Close { number: u64, now: Now, done: oneshot::Sender<bool> },
}

pub(super) struct Writer {
    disk: Box<dyn Disk>,
    shared: Arc<Shared>,
    fault: Arc<FaultReport>,
    next_segment: u64,
    /// The last segment of the run before, until what a crash left set aside for it is given back.
    before: Option<String>,
    /// The chain of the last frame that is durable: the next segment follows it.
    follows: Chain,
    /// Files with a segment's name that are not ours to remove.
    spared: BTreeSet<String>,
    segment: Option<Segment>,
    /// Records that are not durable yet; the first `written` of them are in the present file.
    unsynced: VecDeque<Encoded>,
    written: usize,
    waiting: Vec<oneshot::Sender<bool>>,
    unsynced_since: Option<Uptime>,
    retry: Option<Retry>,
    closing: Option<oneshot::Sender<bool>>,
}

struct Segment {
    file: Box<dyn SegmentFile>,
    name: String,
    before: Chain,
    /// Bytes in all.
    length: u64,
    /// Bytes up to the end of its snapshot.
    head: u64,
    /// Whether it begins with the whole memory, so that older segments can go.
    headed: bool,
    /// Whether anything in it is durable.
    proven: bool,
}

struct Encoded {
    number: u64,
    kind: u8,
    payload: Vec<u8>,
}

#[derive(Clone, Copy)]
struct Retry {
    at: Uptime,
    wait: Millis,
}

impl Writer {
    pub(super) fn new(
        disk: Box<dyn Disk>,
        shared: Arc<Shared>,
        fault: Arc<FaultReport>,
        next_segment: u64,
        follows: Chain,
        spared: BTreeSet<String>,
    ) -> Self {
        Self {
            disk,
            shared,
            fault,
            next_segment,
            before: next_segment.checked_sub(1).map(segment::file_name),
            follows,
            spared,
            segment: None,
            unsynced: VecDeque::new(),
            written: 0,
            waiting: Vec::new(),
            unsynced_since: None,
            retry: None,
            closing: None,
        }
    }

    /// Until the queue is closed. Returns who waits for the end, and whether all is durable.
    pub(super) fn run(mut self, queue: &Receiver<Item>) -> Option<(oneshot::Sender<bool>, bool)> {
        while self.closing.is_none() {
            let mut urgent = false;
            match queue.recv_timeout(Duration::from_millis(SYNC_WITHIN.0)) {
                Ok(item) => {
                    urgent |= self.take(item);
                    for item in queue.try_iter().take(BATCH_MAX) {
                        urgent |= self.take(item);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            self.settle(urgent);
        }
        self.retry = None;
        self.settle(true);
        let clean = self.unsynced.is_empty();
        self.end_segment();
        self.closing.map(|done| (done, clean))
    }

    /// Encodes an item. True if it must be durable soon.
    fn take(&mut self, item: Item) -> bool {
        match item {
            Item::Facts { first, publication } => {
                let site = Arc::clone(&self.shared.site);
                let mut urgent = false;
                let kept = publication.facts.iter().filter(|fact| is_kept(fact));
                let bodies = kept.filter_map(|fact| Body::of_fact(&site, fact));
                for (number, body) in (first..).zip(bodies) {
                    urgent |= !body.is_routine();
                    self.encode(number, publication.now, &body);
                }
                urgent
            }
            Item::One { number, now, body, done } => {
                self.encode(number, now, &body);
                self.waiting.extend(done);
                // Somebody waits: a failing disk is tried at once.
                if !self.waiting.is_empty() {
                    self.retry = None;
                }
                !body.is_routine()
            }
            Item::Close { number, now, done } => {
                self.encode(number, now, &Body::Stop {});
                self.closing = Some(done);
                true
            }
            Item::Snapshot => {
                self.end_segment();
                true
            }
        }
    }

    fn encode(&mut self, number: u64, now: Now, body: &Body) {
        let Some(payload) = encode(now, body) else { return };
        if UNSYNCED_MAX <= self.unsynced.len() {
            self.unsynced.pop_front();
            self.written = self.written.saturating_sub(1);
            self.shared.dropped.fetch_add(1, Ordering::Relaxed);
        }
        self.unsynced.push_back(Encoded { number, kind: body.kind(), payload });
    }

    /// Writes what there is, and makes it durable if it is time.
    fn settle(&mut self, urgent: bool) {
        let now = clock::uptime();
        if self.retry.is_some_and(|retry| now < retry.at) {
            self.answer(false);
            self.fault.set(true);
            return;
        }
        if self.unsynced.is_empty() && self.retry.is_none() && self.segment.is_some() {
            self.fault.set(self.shared.overfull.load(Ordering::Relaxed));
            return;
        }
        let since = *self.unsynced_since.get_or_insert(now);
        let due = urgent || !self.waiting.is_empty() || SYNC_WITHIN <= now.since(since);
        self.shared.busy_since.store(now.0.max(1), Ordering::Relaxed);
        // One more try than the present file has: its error costs this file, not the record.
        let tries = if self.segment.is_some() { 2 } else { 1 };
        let outcome = (0..tries).map(|_| self.write(due)).find(Result::is_ok);
        self.shared.busy_since.store(0, Ordering::Relaxed);
        match outcome {
            Some(Ok(true)) => self.durable(),
            Some(_) => {}
            None => self.failed(now),
        }
    }

    fn durable(&mut self) {
        let records = u64::try_from(self.unsynced.len()).unwrap_or(u64::MAX);
        self.shared.durable.fetch_add(records, Ordering::Relaxed);
        self.unsynced.clear();
        (self.written, self.unsynced_since, self.retry) = (0, None, None);
        self.answer(true);
        // Only now: an order that waits for its intent does not wait for this.
        self.give_back();
        self.shared.overfull.store(false, Ordering::Relaxed);
        self.fault.set(false);
        let segment_max = self.shared.segment_bytes_max;
        if self.segment.as_ref().is_some_and(|segment| segment_max <= segment.length - segment.head) {
            self.end_segment();
        }
    }

    fn failed(&mut self, now: Uptime) {
        let wait = self.retry.map_or(RETRY_FIRST, |retry| RETRY_MAX.min(retry.wait.times(2)));
        self.retry = Some(Retry { at: now.plus(wait), wait });
        self.answer(false);
        self.fault.set(true);
    }

    fn answer(&mut self, durable: bool) {
        for waiting in self.waiting.drain(..) {
            // Who no longer waits was told "too late".
            let _ = waiting.send(durable);
        }
    }

    /// True if all is durable. On an error the file is given up.
    fn write(&mut self, sync: bool) -> io::Result<bool> {
        let result = self.try_write(sync);
        if let Err(error) = &result {
            tracing::warn!(%error, "journal segment given up");
            self.shared.errors.fetch_add(1, Ordering::Relaxed);
            self.written = 0;
            if let Some(segment) = self.segment.take().filter(|segment| !segment.proven) {
                drop(segment.file);
                let _ = self.disk.remove(&segment.name);
            }
            if error.kind() == io::ErrorKind::StorageFull {
                let _ = self.remove_oldest();
            }
        }
        result
    }

    fn try_write(&mut self, sync: bool) -> io::Result<bool> {
        if self.segment.is_none() {
            self.begin_segment()?;
        }
        let Some(segment) = &mut self.segment else { return Err(io::Error::other("no segment")) };
        for record in self.unsynced.iter().skip(self.written) {
            let (bytes, chain) = segment::frame(&segment.before, record.number, record.kind, &record.payload);
            write_all(&mut *segment.file, &bytes)?;
            segment.length += bytes.len() as u64;
            segment.before = chain;
            self.written += 1;
        }
        if !sync {
            return Ok(false);
        }
        segment.file.sync_data()?;
        self.follows = segment.before;
        if !segment.proven {
            self.disk.sync()?;
            segment.proven = true;
            self.shared.segments.fetch_add(1, Ordering::Relaxed);
            if segment.headed {
                self.prune();
            }
        }
        Ok(true)
    }

    fn begin_segment(&mut self) -> io::Result<()> {
        let number = self.next_segment;
        self.next_segment += 1;
        let name = segment::file_name(number);
        let file = self.disk.create(&name, self.shared.segment_bytes_max)?;
        let (head, chain) = segment::header(number, &self.follows);
        let mut segment =
            Segment { file, name, before: chain, length: 0, head: 0, headed: false, proven: false };
        let (upto, snapshot) = self.shared.snapshot();
        let body = Body::Snapshot(Box::new(snapshot));
        let mut bytes = head.to_vec();
        if let Some(payload) = encode(clock::now(), &body) {
            let (frame, chain) = segment::frame(&chain, upto, body.kind(), &payload);
            bytes.extend_from_slice(&frame);
            segment.before = chain;
            segment.headed = true;
        }
        segment.length = bytes.len() as u64;
        segment.head = segment.length;
        // Held even while incomplete, so that a failure finds and removes it.
        let file = &mut self.segment.insert(segment).file;
        write_all(&mut **file, &bytes)
    }

    fn end_segment(&mut self) {
        let Some(segment) = self.segment.take() else { return };
        // What of it is not durable goes to the next one again.
        self.written = 0;
        drop(segment.file);
        // Gives back what was set aside; failing to costs space only.
        let _ = self.disk.cut(&segment.name, segment.length);
    }

    /// Gives back what was set aside for the last segment of a run that was killed: its length stays. Here, because a start
    /// must not wait for the disk.
    fn give_back(&mut self) {
        let Some(name) = self.before.take().filter(|name| !self.spared.contains(name)) else { return };
        if let Ok(length) = self.disk.size(&name) {
            let _ = self.disk.cut(&name, length);
        }
    }

    /// Removes the oldest segments beyond the quota. The present one is durable and holds the whole memory.
    fn prune(&mut self) {
        for _ in 0..SEGMENTS_MAX {
            let Ok(names) = self.segments() else { return };
            let sizes: u64 = names.iter().filter_map(|name| self.disk.size(name).ok()).sum();
            let over = self.shared.total_bytes_max < sizes || SEGMENTS_MAX < names.len();
            if !over || self.remove_oldest().is_err() {
                return;
            }
        }
    }

    fn remove_oldest(&mut self) -> io::Result<()> {
        let names = self.segments()?;
        if names.len() <= SEGMENTS_MIN {
            return Err(io::Error::other("nothing to spare"));
        }
        self.disk.remove(&names[0])?;
        tracing::info!(segment = %names[0], "oldest journal segment removed");
        Ok(())
    }

    fn segments(&mut self) -> io::Result<Vec<String>> {
        let mut names = self.disk.list()?;
        names.retain(|name| segment::number_in(name).is_some() && !self.spared.contains(name));
        names.sort();
        Ok(names)
    }
}

fn encode(now: Now, body: &Body) -> Option<Vec<u8>> {
    let payload = Payload { up: now.uptime.0, at: now.wall.0, is: body };
    let bytes = serde_json::to_vec(&payload).ok()?;
    (bytes.len() <= segment::PAYLOAD_BYTES_MAX).then_some(bytes)
}

fn write_all(file: &mut dyn SegmentFile, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match file.write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(wrote) => bytes = &bytes[wrote..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

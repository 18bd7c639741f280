//! The thread of a spool: takes what is in the mailbox, writes it, makes it durable, and lives with disks that fail.
//!
//! The directory is opened here too, and tried again until it opens; meanwhile everything is held in memory, within a
//! bound. All waiting for a disk happens on this thread.

use std::io;
use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::lane::{Lane, Loss};
use super::options::SpoolOptions;
use super::{Append, Kind, Mailbox, OpenDisk, Shared, Ticket};
use crate::clock;
use crate::disk::{Disk, LOCK_NAME};
use crate::exchange::FaultReport;
use crate::units::{Millis, Uptime};

/// A segment has this many bytes, or a sixteenth of the bound where that is less.
const SEGMENT_BYTES_MAX: u64 = 1 << 20;
const SEGMENTS_MIN: u64 = 16;
/// While the disk fails, so many bytes are kept in memory.
const UNSYNCED_BYTES_MAX: usize = 4 << 20;
/// With less than this free on the file system, telemetry takes no more of it.
const RESERVE_BYTES: u64 = 32 << 20;
/// After a failure the disk is tried again after this, then after twice as long …
const RETRY_FIRST: Millis = Millis(1000);
/// … but never less often than this.
const RETRY_MAX: Millis = Millis(30_000);
/// A loss raises the alarm for this long.
const LOSS_SHOWN: Millis = Millis::from_secs(60);
/// With nothing to do, the keeper looks up this often.
const IDLE: Duration = Duration::from_secs(2);

pub(super) struct Keeper {
    open: OpenDisk,
    disk: Option<Box<dyn Disk>>,
    lanes: [Lane; 2],
    /// Of each lane: the number of the first entry of this process.
    base: [u64; 2],
    bytes_max: u64,
    segment_bytes: u64,
    sync_every: Millis,
    shared: Arc<Shared>,
    fault: FaultReport,
    synced: Uptime,
    retry: Option<(Uptime, Millis)>,
    lost_at: Option<Uptime>,
    losses: u64,
}

impl Keeper {
    pub(super) fn new(
        open: OpenDisk,
        options: &SpoolOptions,
        fault: FaultReport,
        shared: Arc<Shared>,
    ) -> Self {
        Self {
            open,
            disk: None,
            lanes: [Lane::new(Kind::Events), Lane::new(Kind::Telemetry)],
            base: [0; 2],
            bytes_max: options.bytes_max,
            segment_bytes: SEGMENT_BYTES_MAX.min(options.bytes_max / SEGMENTS_MIN).max(1),
            sync_every: options.sync_every,
            shared,
            fault,
            synced: Uptime(0),
            retry: None,
            lost_at: None,
            losses: 0,
        }
    }

    pub(super) fn run(mut self) {
        self.attend(false);
        loop {
            let mut mail = self.wait();
            let (closed, close) = (mail.closed, mail.close.take());
            let urgent = self.sort(&mut mail);
            if closed {
                // Whatever is due is due now.
                (self.retry, self.sync_every) = (None, Millis::ZERO);
            }
            self.attend(urgent);
            self.answer(&mut mail);
            self.tell();
            if closed {
                self.finish();
                drop(self.disk.take());
                if let Some(close) = close {
                    let _ = close.send(());
                }
                return;
            }
        }
    }

    /// Until there is mail, or something is due.
    fn wait(&self) -> Mailbox {
        let now = clock::uptime();
        let dirty = self.lanes.iter().any(Lane::is_dirty);
        let due = match self.retry {
            Some((at, _)) => at.since(now),
            None if dirty => self.synced.plus(self.sync_every).since(now),
            None => Millis(u64::try_from(IDLE.as_millis()).unwrap_or(u64::MAX)),
        };
        let empty = |mail: &mut Mailbox| {
            mail.appends.is_empty()
                && mail.settled.is_empty()
                && mail.back.is_empty()
                && mail.fetch.is_empty()
                && !mail.closed
        };
        let mailbox = self.shared.mailbox();
        let waited = self.shared.posted.wait_timeout_while(mailbox, Duration::from_millis(due.0), empty);
        let (mut mailbox, _) = waited.unwrap_or_else(PoisonError::into_inner);
        Mailbox {
            appends: std::mem::take(&mut mailbox.appends),
            bytes: std::mem::take(&mut mailbox.bytes),
            settled: std::mem::take(&mut mailbox.settled),
            back: std::mem::take(&mut mailbox.back),
            fetch: std::mem::take(&mut mailbox.fetch),
            put: mailbox.put,
            close: mailbox.close.take(),
            closed: mailbox.closed,
        }
    }

    /// Files the mail. True if some of it must be durable at once.
    fn sort(&mut self, mail: &mut Mailbox) -> bool {
        let mut urgent = false;
        for Append { kind, count, payload, held } in mail.appends.drain(..) {
            urgent |= kind == Kind::Events;
            self.lanes[kind as usize].append(count, &payload, held);
        }
        for (kind, ticket) in mail.settled.drain(..) {
            let numbers = self.numbers(kind, ticket);
            let fresh = self.lanes[kind as usize].settle(&numbers);
            self.shared.counters.settled.fetch_add(fresh, Ordering::Relaxed);
        }
        for (kind, ticket) in mail.back.drain(..) {
            let numbers = self.numbers(kind, ticket);
            self.lanes[kind as usize].give_back(numbers);
        }
        urgent
    }

    fn numbers(&self, kind: Kind, ticket: Ticket) -> std::ops::Range<u64> {
        match ticket {
            Ticket::Stored(numbers) => numbers,
            Ticket::Mine(nth) => self.base[kind as usize] + nth..self.base[kind as usize] + nth + 1,
        }
    }

    /// Writes what there is, and makes it durable if it is time.
    fn attend(&mut self, urgent: bool) {
        let now = clock::uptime();
        self.bound_memory();
        if self.retry.is_some_and(|(at, _)| now < at) {
            return;
        }
        match self.write(urgent, now) {
            Ok(()) => {
                if self.retry.take().is_some() {
                    tracing::info!("the spool's disk takes data again");
                }
            }
            Err(error) => self.failed(&error, now),
        }
    }

    fn write(&mut self, urgent: bool, now: Uptime) -> io::Result<()> {
        if self.disk.is_none() {
            self.open()?;
        }
        let due = self.sync_every <= now.since(self.synced);
        if !urgent && !due {
            return Ok(());
        }
        self.make_room()?;
        let Some(disk) = self.disk.as_deref_mut() else { return Ok(()) };
        let mut bytes = 0;
        for (kind, lane) in [Kind::Events, Kind::Telemetry].into_iter().zip(&mut self.lanes) {
            if kind == Kind::Telemetry && !due {
                continue;
            }
            bytes += lane.write(disk, self.segment_bytes)?;
            if due {
                bytes += lane.save_low(disk, self.segment_bytes)?;
            }
            lane.sync(disk)?;
            lane.tidy(disk);
        }
        if due {
            self.synced = now;
        }
        self.shared.counters.bytes_written.fetch_add(bytes, Ordering::Relaxed);
        Ok(())
    }

    fn open(&mut self) -> io::Result<()> {
        let mut disk = (self.open)()?;
        let mut names = disk.list()?;
        names.retain(|name| name != LOCK_NAME);
        let foreign =
            names.iter().filter(|name| !self.lanes.iter().any(|lane| lane.owns(name))).count() as u64;
        if 0 < foreign {
            tracing::warn!(foreign, "files in the spool's directory that are not ours: left alone");
            self.lost(Loss::default());
        }
        let counters = Arc::clone(&self.shared.counters);
        counters.foreign.store(foreign, Ordering::Relaxed);
        let [events, data] = &self.lanes;
        let surveys = [events.survey(disk.as_mut(), &names)?, data.survey(disk.as_mut(), &names)?];
        for ((lane, base), survey) in self.lanes.iter_mut().zip(&mut self.base).zip(surveys) {
            let (before, damaged) = (lane.waiting(), survey.damaged);
            *base = lane.adopt(survey);
            counters.found.fetch_add(lane.waiting() - before, Ordering::Relaxed);
            if damaged {
                tracing::warn!(
                    "the end of a spool was damaged, as by a loss of power; the rest of it is there"
                );
                self.losses += 1;
                counters.damaged.fetch_add(1, Ordering::Relaxed);
                self.lost_at = Some(clock::uptime());
            }
        }
        self.disk = Some(disk);
        Ok(())
    }

    /// Keeps within the bound on disk: the oldest telemetry goes first.
    fn make_room(&mut self) -> io::Result<()> {
        loop {
            let Some(disk) = self.disk.as_deref_mut() else { return Ok(()) };
            let used: u64 = self.lanes.iter().map(Lane::bytes).sum();
            let coming: u64 = self.lanes.iter().map(|lane| lane.unsynced_bytes() as u64).sum();
            let crowded = self.bytes_max < used + coming;
            let tight = self.lanes[1].bytes() > self.segment_bytes && disk.free_bytes()? < RESERVE_BYTES;
            if !(crowded || tight) || used + coming == 0 {
                return Ok(());
            }
            let [events, data] = &mut self.lanes;
            let (kind, loss) = match data.drop_oldest(disk) {
                Some(loss) => (Kind::Telemetry, Some(loss)),
                None => (Kind::Events, events.drop_oldest(disk)),
            };
            let Some(loss) = loss else { return Ok(()) };
            self.dropped(kind, loss);
        }
    }

    /// Keeps within the bound in memory, while the disk fails.
    fn bound_memory(&mut self) {
        while UNSYNCED_BYTES_MAX < self.lanes.iter().map(Lane::unsynced_bytes).sum() {
            let (kind, loss) = match self.lanes[1].drop_pending() {
                Some(loss) => (Kind::Telemetry, Some(loss)),
                None => (Kind::Events, self.lanes[0].drop_pending()),
            };
            let Some(loss) = loss else { return };
            self.dropped(kind, loss);
        }
    }

    fn dropped(&mut self, kind: Kind, loss: Loss) {
        if kind == Kind::Events {
            self.shared.counters.dropped_events.fetch_add(loss.dropped, Ordering::Relaxed);
        }
        if 0 < loss.dropped {
            self.lost(loss);
        }
    }

    fn lost(&mut self, loss: Loss) {
        self.losses += 1;
        self.shared.counters.dropped.fetch_add(loss.dropped, Ordering::Relaxed);
        self.shared.counters.damaged.fetch_add(loss.damaged, Ordering::Relaxed);
        self.lost_at = Some(clock::uptime());
    }

    fn failed(&mut self, error: &io::Error, now: Uptime) {
        let wait = self.retry.map_or(RETRY_FIRST, |(_, wait)| wait.times(2).min(RETRY_MAX));
        if self.retry.is_none() {
            tracing::error!(%error, "the spool cannot be written; held in memory, within bounds");
        }
        self.retry = Some((now.plus(wait), wait));
        let Some(disk) = self.disk.as_deref_mut() else { return };
        for lane in &mut self.lanes {
            if lane.is_dirty() {
                lane.abandon(disk);
            }
        }
        let full = matches!(
            error.kind(),
            io::ErrorKind::StorageFull
                | io::ErrorKind::QuotaExceeded
                | io::ErrorKind::FileTooLarge
                | io::ErrorKind::WriteZero
        );
        // Room for what is newer, and for alarms first of all.
        if full
            && 0 < self.lanes[1].bytes()
            && let Some(loss) = self.lanes[1].drop_oldest(disk)
        {
            self.dropped(Kind::Telemetry, loss);
        }
    }

    /// Answers who asked for blocks.
    fn answer(&mut self, mail: &mut Mailbox) {
        for (kind, bytes_max, answer) in mail.fetch.drain(..) {
            let Some(disk) = self.disk.as_deref_mut() else {
                let _ = answer.send(Vec::new());
                continue;
            };
            match self.lanes[kind as usize].fetch(disk, bytes_max) {
                Ok((blocks, loss)) => {
                    if loss != Loss::default() {
                        tracing::warn!(entries = loss.damaged, "damaged in the spool");
                        self.lost(loss);
                    }
                    if let Err(blocks) = answer.send(blocks) {
                        // Nobody waits any more.
                        for block in blocks {
                            self.lanes[kind as usize].give_back(block.numbers);
                        }
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "the spool cannot be read");
                    let _ = answer.send(Vec::new());
                    self.failed(&error, clock::uptime());
                }
            }
        }
    }

    /// Says how things are: counters, the alarm, and whether there is something to fetch.
    fn tell(&mut self) {
        let counters = &self.shared.counters;
        counters.waiting.store(self.lanes.iter().map(Lane::waiting).sum(), Ordering::Relaxed);
        counters.bytes.store(self.lanes.iter().map(Lane::bytes).sum(), Ordering::Relaxed);
        let mut grown = false;
        for (lane, told) in self.lanes.iter().zip(&self.shared.to_fetch) {
            let now = if self.disk.is_some() { lane.to_fetch() } else { 0 };
            grown |= told.swap(now, Ordering::Relaxed) < now;
        }
        if grown {
            self.shared.grown.notify_one();
        }
        let failing = self.retry.is_some();
        counters.failing.store(failing, Ordering::Relaxed);
        let lately = self.lost_at.is_some_and(|at| clock::uptime().since(at) < LOSS_SHOWN);
        self.fault.set(failing || lately);
    }

    fn finish(&mut self) {
        let Some(disk) = self.disk.as_deref_mut() else { return };
        for lane in &mut self.lanes {
            if let Err(error) = lane.close(disk, self.segment_bytes) {
                tracing::warn!(%error, "the spool could not be closed cleanly");
            }
        }
    }
}

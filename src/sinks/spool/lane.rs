//! One lane of a spool: entries in order, in segment files of which the oldest is read and the newest written.
//!
//! Every entry has a number. It is *settled* once the sink has it, or it was dropped, or found damaged; a file goes when
//! all of it is settled. What is not durable yet is kept in memory as well: after an error a file is never written to
//! again, and what it may not have goes to the next one (a second sync may report success for data that is gone).

mod survey;

use std::collections::VecDeque;
use std::io;
use std::ops::Range;

use super::Kind;
use super::frame::{self, Kind as FrameKind};
use super::ranges::Ranges;
use crate::disk::{Disk, SegmentFile};

/// Some entries, as they were put in: numbers, and the bytes of all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    /// Of which lane.
    pub(crate) kind: Kind,
    pub(super) numbers: Range<u64>,
    /// What was appended.
    pub(crate) payload: Vec<u8>,
}

impl Block {
    /// How many entries it holds.
    #[cfg(test)]
    pub(super) fn count(&self) -> u64 {
        self.numbers.end - self.numbers.start
    }
}

/// A segment file.
#[derive(Debug)]
struct Segment {
    name: String,
    first: u64,
    bytes: u64,
    /// Of another version: not ours to read or to remove.
    spared: bool,
}

struct Open {
    file: Box<dyn SegmentFile>,
    /// Frames of `unsynced` that are in the file.
    written: usize,
    /// Whether the directory knows it for good.
    known: bool,
    dirty: bool,
}

struct Pending {
    numbers: Range<u64>,
    packed: Vec<u8>,
}

/// What was lost in a step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Loss {
    /// Entries dropped to keep within the bounds.
    pub(super) dropped: u64,
    /// Entries that were damaged on the disk.
    pub(super) damaged: u64,
}

pub(super) struct Lane {
    kind: Kind,
    prefix: &'static str,
    segments: VecDeque<Segment>,
    next_file: u64,
    /// The number of the next entry.
    next: u64,
    /// Every entry before this is settled.
    low: u64,
    /// Entries after `low` that are settled.
    settled: Ranges,
    /// Entries that nobody has fetched yet.
    todo: Ranges,
    open: Option<Open>,
    unsynced: VecDeque<Pending>,
    /// `low` as the newest file says it.
    low_saved: u64,
}

impl Lane {
    pub(super) fn new(kind: Kind) -> Self {
        let prefix = match kind {
            Kind::Events => "events",
            Kind::Telemetry => "data",
        };
        Self {
            kind,
            prefix,
            segments: VecDeque::new(),
            next_file: 0,
            next: 0,
            low: 0,
            settled: Ranges::default(),
            todo: Ranges::default(),
            open: None,
            unsynced: VecDeque::new(),
            low_saved: 0,
        }
    }

    fn parse(&self, name: &str) -> Option<(u64, u64)> {
        let (file, first) =
            name.strip_prefix(self.prefix)?.strip_prefix('-')?.strip_suffix(".spool")?.split_once('-')?;
        let ours = file.len() == 8 && first.len() == 16;
        let hex = |digits: &str| u64::from_str_radix(digits, 16).ok();
        if ours { Some((hex(file)?, hex(first)?)) } else { None }
    }

    /// Whether a file with this name is one of this lane.
    pub(super) fn owns(&self, name: &str) -> bool {
        self.parse(name).is_some()
    }

    /// Puts entries in; they are fetched only where somebody asks for that.
    pub(super) fn append(&mut self, count: u32, payload: &[u8], fetched: bool) {
        let numbers = self.next..self.next + u64::from(count);
        self.next = numbers.end;
        if !fetched {
            self.todo.add(numbers.clone());
        }
        self.unsynced.push_back(Pending { numbers, packed: frame::pack(payload) });
    }

    /// Entries that nobody holds any more: they are fetched again.
    pub(super) fn give_back(&mut self, numbers: Range<u64>) {
        let numbers = numbers.start.max(self.low)..numbers.end;
        if self.settled.len_in(&numbers) == 0 {
            self.todo.add(numbers);
        }
    }

    /// The sink has these. Returns how many of them were not settled before.
    pub(super) fn settle(&mut self, numbers: &Range<u64>) -> u64 {
        let numbers = numbers.start.max(self.low)..numbers.end.min(self.next);
        if numbers.is_empty() {
            return 0;
        }
        let fresh = numbers.end - numbers.start - self.settled.len_in(&numbers);
        self.todo.remove(&numbers);
        self.settled.add(numbers);
        self.advance();
        fresh
    }

    fn advance(&mut self) {
        self.low = self.settled.absorb(self.low);
    }

    /// Entries that are not settled.
    pub(super) fn waiting(&self) -> u64 {
        self.next - self.low - self.settled.len_in(&(self.low..self.next))
    }

    /// Entries that nobody has fetched.
    pub(super) fn to_fetch(&self) -> u64 {
        self.todo.len()
    }

    /// Bytes in files.
    pub(super) fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.bytes).sum()
    }

    /// Bytes that are only in memory.
    pub(super) fn unsynced_bytes(&self) -> usize {
        self.unsynced.iter().map(|pending| pending.packed.len() + frame::HEAD_BYTES).sum()
    }

    /// Whether there is anything for the disk.
    pub(super) fn is_dirty(&self) -> bool {
        !self.unsynced.is_empty() || self.open.as_ref().is_some_and(|open| open.dirty)
    }

    /// The next blocks in order, of about so many bytes, none of them fetched before. Blocks that are damaged are
    /// settled and counted.
    pub(super) fn fetch(&mut self, disk: &mut dyn Disk, bytes_max: usize) -> io::Result<(Vec<Block>, Loss)> {
        let (mut blocks, mut loss, mut bytes) = (Vec::new(), Loss::default(), 0);
        while let Some(wanted) = self.todo.first()
            && bytes < bytes_max
        {
            let before = bytes;
            if let Some(index) = self.unsynced.iter().position(|it| it.numbers.contains(&wanted.start)) {
                let numbers = self.unsynced[index].numbers.clone();
                let payload = frame::unpack(&self.unsynced[index].packed).unwrap_or_default();
                bytes += payload.len().max(1);
                self.todo.remove(&numbers);
                blocks.push(Block { kind: self.kind, numbers, payload });
            } else {
                self.fetch_from_file(disk, &wanted, bytes_max - bytes, &mut blocks, &mut loss)?;
                bytes = blocks.iter().map(|block| block.payload.len().max(1)).sum();
                if bytes == before && self.todo.first() == Some(wanted) {
                    break;
                }
            }
        }
        Ok((blocks, loss))
    }

    /// Reads on in the file that holds the first wanted entry.
    fn fetch_from_file(
        &mut self,
        disk: &mut dyn Disk,
        wanted: &Range<u64>,
        bytes_max: usize,
        blocks: &mut Vec<Block>,
        loss: &mut Loss,
    ) -> io::Result<()> {
        let memory = self.unsynced.front().map_or(self.next, |pending| pending.numbers.start);
        let Some(index) = self.segments.iter().rposition(|segment| segment.first <= wanted.start) else {
            // No file has it: it is gone with one that somebody removed.
            let end = self.segments.front().map_or(memory, |segment| segment.first).min(wanted.end);
            loss.damaged += self.settle(&(wanted.start..end));
            return Ok(());
        };
        let end =
            self.segments.get(index + 1).map_or(memory, |segment| segment.first.min(memory)).min(wanted.end);
        let content = disk.read(&self.segments[index].name)?;
        let Some(scan) = frame::scan(&content) else {
            self.segments[index].spared = true;
            loss.damaged += self.settle(&(wanted.start..end));
            return Ok(());
        };
        let (mut at, mut bytes) = (wanted.start, 0);
        for frame in scan.frames.iter().filter(|frame| frame.kind == FrameKind::Entries) {
            let numbers = frame.first..frame.first + u64::from(frame.count);
            if numbers.end <= at || end <= numbers.start {
                continue;
            }
            if bytes_max <= bytes {
                return Ok(());
            }
            loss.damaged += self.settle(&(at..numbers.start));
            at = numbers.end;
            self.todo.remove(&numbers);
            if let Some(payload) = frame::unpack(frame.payload) {
                bytes += payload.len().max(1);
                blocks.push(Block { kind: self.kind, numbers, payload });
            } else {
                loss.damaged += self.settle(&numbers);
            }
        }
        loss.damaged += self.settle(&(at..end));
        Ok(())
    }

    /// Writes what is not written yet. The first error ends the present file.
    pub(super) fn write(&mut self, disk: &mut dyn Disk, segment_bytes: u64) -> io::Result<u64> {
        let mut total = 0;
        if self.open.as_ref().is_none_or(|open| open.written == 0) {
            // What the sink had before the disk did needs no disk.
            while self.unsynced.front().is_some_and(|pending| pending.numbers.end <= self.low) {
                self.unsynced.pop_front();
            }
        }
        while self.open.as_ref().map_or(0, |open| open.written) < self.unsynced.len() {
            if self.open.is_none() {
                total += self.create(disk, segment_bytes)?;
            }
            let index = self.open.as_ref().map_or(0, |open| open.written);
            let pending = &self.unsynced[index];
            let count = u32::try_from(pending.numbers.end - pending.numbers.start).unwrap_or(u32::MAX);
            let bytes = frame::entries_packed(pending.numbers.start, count, &pending.packed);
            total += self.put(&bytes)?;
            if let Some(open) = &mut self.open {
                open.written += 1;
            }
            if segment_bytes <= self.segments.back().map_or(0, |segment| segment.bytes) {
                self.sync(disk)?;
                self.open = None;
            }
        }
        Ok(total)
    }

    fn create(&mut self, disk: &mut dyn Disk, segment_bytes: u64) -> io::Result<u64> {
        let first = self.unsynced.front().map_or(self.next, |pending| pending.numbers.start);
        let name = format!("{}-{:08x}-{first:016x}.spool", self.prefix, self.next_file);
        self.next_file += 1;
        let file = disk.create(&name, segment_bytes)?;
        self.segments.push_back(Segment { name, first, bytes: 0, spared: false });
        self.open = Some(Open { file, written: 0, known: false, dirty: true });
        let bytes = self.put(&frame::header(first, self.low))?;
        self.low_saved = self.low;
        Ok(bytes)
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<u64> {
        let (Some(open), Some(segment)) = (&mut self.open, self.segments.back_mut()) else { return Ok(0) };
        open.dirty = true;
        let mut rest = bytes;
        while !rest.is_empty() {
            match open.file.write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => {
                    segment.bytes += count as u64;
                    rest = rest.get(count..).unwrap_or_default();
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(bytes.len() as u64)
    }

    /// Says in the newest file what is settled, if that has changed.
    pub(super) fn save_low(&mut self, disk: &mut dyn Disk, segment_bytes: u64) -> io::Result<u64> {
        if self.low == self.low_saved || self.segments.is_empty() {
            return Ok(0);
        }
        let created = if self.open.is_none() { self.create(disk, segment_bytes)? } else { 0 };
        let low = self.low;
        let bytes = created + self.put(&frame::done(low))?;
        self.low_saved = low;
        Ok(bytes)
    }

    /// Makes durable what was written.
    pub(super) fn sync(&mut self, disk: &mut dyn Disk) -> io::Result<()> {
        let Some(open) = &mut self.open else { return Ok(()) };
        if open.dirty {
            open.file.sync_data()?;
            open.dirty = false;
        }
        if !open.known {
            disk.sync()?;
            open.known = true;
        }
        self.unsynced.drain(..open.written);
        open.written = 0;
        Ok(())
    }

    /// Ends the present file after an error: it is not touched again.
    pub(super) fn abandon(&mut self, disk: &mut dyn Disk) {
        self.open = None;
        let first_unsynced = self.unsynced.front().map_or(self.next, |pending| pending.numbers.start);
        // Where nothing in it is durable it only takes space.
        if self.segments.back().is_some_and(|segment| segment.first == first_unsynced)
            && let Some(useless) = self.segments.pop_back()
        {
            let _ = disk.remove(&useless.name);
        }
    }

    /// Removes files that are settled as a whole. The present one stays.
    pub(super) fn tidy(&mut self, disk: &mut dyn Disk) {
        while let Some(next) = self.segments.get(1)
            && next.first <= self.low
        {
            self.remove_first(disk);
        }
    }

    fn remove_first(&mut self, disk: &mut dyn Disk) {
        if let Some(segment) = self.segments.pop_front()
            && !segment.spared
        {
            // What cannot be removed is found settled at the next start.
            let _ = disk.remove(&segment.name);
        }
    }

    /// Drops the oldest file, or what is only in memory where there is none. `None` if there is nothing.
    pub(super) fn drop_oldest(&mut self, disk: &mut dyn Disk) -> Option<Loss> {
        let end = match self.segments.get(1) {
            Some(next) => next.first,
            None if self.segments.is_empty() => return self.drop_pending(),
            None => {
                self.open = None;
                self.unsynced.front().map_or(self.next, |pending| pending.numbers.start)
            }
        };
        let dropped = self.settle(&(self.low..end));
        self.remove_first(disk);
        Some(Loss { dropped, damaged: 0 })
    }

    /// Drops the oldest of what is only in memory.
    pub(super) fn drop_pending(&mut self) -> Option<Loss> {
        let pending = self.unsynced.pop_front()?;
        if let Some(open) = &mut self.open {
            open.written = open.written.saturating_sub(1);
        }
        Some(Loss { dropped: self.settle(&pending.numbers), damaged: 0 })
    }

    /// The end: nothing is left behind where everything is settled.
    pub(super) fn close(&mut self, disk: &mut dyn Disk, segment_bytes: u64) -> io::Result<()> {
        if self.low == self.next && self.unsynced.is_empty() {
            self.open = None;
            while !self.segments.is_empty() {
                self.remove_first(disk);
            }
            return disk.sync();
        }
        self.save_low(disk, segment_bytes)?;
        self.sync(disk)
    }
}

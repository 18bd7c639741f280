//! Reading a recording: up to its end, or up to the damage, and which of the two it was.

use std::collections::VecDeque;
use std::io::{self, Read};

use serde::{Deserialize, Serialize};

use super::head::{Beginning, Head, Names};
use super::scan::{Lost, Thread};
use super::{BlockKind, FRAMING_BYTES, MAGIC, PAYLOAD_BYTES_MAX, checksum};
use crate::replay::Step;
use crate::replay::codec::Bytes;

/// Why a recording cannot be replayed at all.
#[derive(Debug, thiserror::Error)]
pub enum OpenFault {
    /// It is something else.
    #[error("this is no recording of emberwatch")]
    NoRecording,
    /// Of a version that this one does not know.
    #[error("this recording is of another version of the format; this emberwatch reads version 1")]
    Version,
    /// The part before the scans is damaged.
    #[error("the head of the recording is damaged: {0}")]
    Head(Damage),
    /// It cannot be read.
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// Where a file is damaged, and how.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("block {block}, at byte {offset}: {what}")]
pub struct Damage {
    /// Blocks are counted from zero.
    pub block: u64,
    /// Where the block begins.
    pub offset: u64,
    /// What is the matter.
    pub what: &'static str,
}

/// How a file ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// As it should.
    Whole,
    /// Between two blocks: the recorder was killed, or the file cut there.
    Cut,
    /// In or before a block that cannot be believed.
    Damaged(Damage),
}

/// What a recording holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Scans of the core.
    pub scans: u64,
    /// Inputs of all scans.
    pub inputs: u64,
    /// Scans that the recorder was too slow for.
    pub lost_scans: u64,
    /// Inputs that went with them.
    pub lost_inputs: u64,
}

/// Whether these first bytes are those of a recording, of whatever version.
#[must_use]
pub fn is_recording(start: &[u8]) -> bool {
    start.starts_with(b"EMBERREC ")
}

/// A recording that is read.
#[derive(Debug)]
pub struct Reader<R> {
    input: R,
    /// What it says of itself.
    pub head: Head,
    /// The names behind its numbers.
    pub names: Names,
    /// How the core stood before.
    pub beginning: Beginning,
    /// What was read so far.
    pub totals: Totals,
    /// Raw frames that were passed by.
    pub frames: u64,
    block: u64,
    offset: u64,
    waiting: VecDeque<(Step, Lost)>,
    ending: Option<Ending>,
}

impl<R: Read> Reader<R> {
    /// Reads up to the first scan.
    ///
    /// # Errors
    /// `Head` where no scan could be understood, because the names are damaged.
    pub fn open(mut input: R) -> Result<Self, OpenFault> {
        let mut magic = [0; MAGIC.len()];
        input.read_exact(&mut magic).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => OpenFault::NoRecording,
            _ => OpenFault::Io(error),
        })?;
        if &magic != MAGIC {
            return Err(if is_recording(&magic) { OpenFault::Version } else { OpenFault::NoRecording });
        }
        let mut reader = Self {
            input,
            head: Head::default(),
            names: Names::default(),
            beginning: Beginning::default(),
            totals: Totals::default(),
            frames: 0,
            block: 0,
            offset: MAGIC.len() as u64,
            waiting: VecDeque::new(),
            ending: None,
        };
        // The memory is the last block before the scans.
        loop {
            let (kind, payload) = match reader.next_block() {
                Ok(Some(block)) => block,
                Ok(None) => return Err(OpenFault::Head(reader.damage("the file ends here"))),
                Err(damage) => return Err(OpenFault::Head(damage)),
            };
            let strange =
                |what| OpenFault::Head(Damage { block: reader.block - 1, offset: reader.offset, what });
            let unreadable = |_| strange("it is not what a head holds");
            match kind {
                BlockKind::Head => reader.head = serde_json::from_slice(&payload).map_err(unreadable)?,
                BlockKind::Names => {
                    reader.names.append(serde_json::from_slice(&payload).map_err(unreadable)?);
                }
                BlockKind::Memory => {
                    reader.beginning = serde_json::from_slice(&payload).map_err(unreadable)?;
                    return Ok(reader);
                }
                BlockKind::Scans | BlockKind::Frames | BlockKind::End => {
                    return Err(strange("scans before the names"));
                }
            }
        }
    }

    /// The next scan and what is missing before it; `None` at the end or the damage.
    pub fn next_scan(&mut self) -> Option<(Step, Lost)> {
        while self.waiting.is_empty() && self.ending.is_none() {
            self.ending = self.read_on();
        }
        let (step, lost) = self.waiting.pop_front()?;
        self.totals.scans += 1;
        self.totals.inputs += step.inputs.len() as u64;
        self.totals.lost_scans += lost.scans;
        self.totals.lost_inputs += lost.inputs;
        Some((step, lost))
    }

    /// How the file ended; `None` while it was not read to its end.
    #[must_use]
    pub const fn ending(&self) -> Option<&Ending> {
        self.ending.as_ref()
    }

    /// Reads one more block; how the file ends, if it does.
    fn read_on(&mut self) -> Option<Ending> {
        let begun = (self.block, self.offset);
        let (kind, payload) = match self.next_block() {
            Ok(Some(block)) => block,
            Ok(None) => return Some(Ending::Cut),
            Err(damage) => return Some(Ending::Damaged(damage)),
        };
        let damaged = |what| Some(Ending::Damaged(Damage { block: begun.0, offset: begun.1, what }));
        match kind {
            BlockKind::Scans => {
                let (mut thread, mut bytes) = (Thread::default(), Bytes(&payload));
                while !bytes.is_empty() {
                    match thread.take(&mut bytes) {
                        Some(scan) => self.waiting.push_back(scan),
                        None => return damaged("it holds something else than scans"),
                    }
                }
                None
            }
            BlockKind::Frames => {
                let mut bytes = Bytes(&payload);
                self.frames += bytes.text().and_then(|_| bytes.number()).unwrap_or(0);
                None
            }
            BlockKind::End => Some(Ending::Whole),
            BlockKind::Head | BlockKind::Names | BlockKind::Memory => damaged("a second head"),
        }
    }

    fn next_block(&mut self) -> Result<Option<(BlockKind, Vec<u8>)>, Damage> {
        let mut framing = [0; FRAMING_BYTES];
        let got = self.fill(&mut framing);
        if got == 0 {
            return Ok(None);
        }
        if got < FRAMING_BYTES {
            return Err(self.damage("the file is cut within it"));
        }
        let [kind_byte, a, b, c, d, sum @ ..] = framing;
        let length = u32::from_le_bytes([a, b, c, d]) as usize;
        let Some(kind) = BlockKind::of(kind_byte) else { return Err(self.damage("it is of no known kind")) };
        if PAYLOAD_BYTES_MAX < length {
            return Err(self.damage("its length cannot be right"));
        }
        let mut payload = vec![0; length];
        if self.fill(&mut payload) < length {
            return Err(self.damage("the file is cut within it"));
        }
        if checksum(&framing[..5], &payload) != u32::from_le_bytes(sum) {
            return Err(self.damage("its checksum does not fit"));
        }
        self.block += 1;
        self.offset += (FRAMING_BYTES + length) as u64;
        Ok(Some((kind, payload)))
    }

    /// Reads as much as there is. What cannot be read ends the file like a cut.
    fn fill(&mut self, buffer: &mut [u8]) -> usize {
        let mut got = 0;
        while let Some(rest) = buffer.get_mut(got..).filter(|rest| !rest.is_empty()) {
            match self.input.read(rest) {
                Ok(0) => break,
                Ok(count) => got += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        got
    }

    fn damage(&self, what: &'static str) -> Damage {
        Damage { block: self.block, offset: self.offset, what }
    }
}

//! Writing a recording: blocks of bytes in order, for whoever has a file.

use serde::Serialize;

use super::head::{Beginning, Head, Names};
use super::read::Totals;
use super::scan::{Frame, Lost, Thread};
use super::{BLOCK_BYTES, BlockKind, MAGIC, block};
use crate::replay::codec::{put, put_text};
use crate::safety::fact::Input;
use crate::units::Now;

/// Turns scans into blocks.
#[derive(Debug, Default)]
pub struct Encoder {
    thread: Thread,
    payload: Vec<u8>,
    totals: Totals,
}

impl Encoder {
    /// The first bytes of a recording: its head, its names, how the core stood.
    #[must_use]
    pub fn opening(head: &Head, names: &Names, beginning: &Beginning) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(json(BlockKind::Head, head));
        for portion in names.portions() {
            bytes.extend(json(BlockKind::Names, &portion));
        }
        bytes.extend(json(BlockKind::Memory, beginning));
        bytes
    }

    /// Takes one scan. `lost`: what is missing before it.
    pub fn add(&mut self, now: Now, inputs: &[Input], lost: Lost) {
        self.thread.put(&mut self.payload, now, inputs, lost);
        self.totals.scans += 1;
        self.totals.inputs += inputs.len() as u64;
        self.totals.lost_scans += lost.scans;
        self.totals.lost_inputs += lost.inputs;
    }

    /// Whether the block under way is long enough to be closed.
    #[must_use]
    pub fn is_due(&self) -> bool {
        BLOCK_BYTES <= self.payload.len()
    }

    /// Closes the block under way; nothing if there is none.
    #[must_use]
    pub fn close_block(&mut self) -> Vec<u8> {
        if self.payload.is_empty() {
            return Vec::new();
        }
        let payload = std::mem::take(&mut self.payload);
        // The next one stands alone.
        self.thread = Thread::default();
        block(BlockKind::Scans, &payload)
    }

    /// A block of raw frames of one link.
    #[must_use]
    pub fn frames(link: &str, frames: &[Frame]) -> Vec<u8> {
        let mut payload = Vec::new();
        put_text(&mut payload, link);
        put(&mut payload, frames.len() as u64);
        for frame in frames {
            put(&mut payload, frame.wall_us);
            payload.push(u8::from(frame.sent));
            put(&mut payload, frame.bytes.len() as u64);
            payload.extend_from_slice(&frame.bytes);
        }
        block(BlockKind::Frames, &payload)
    }

    /// What was taken so far.
    #[must_use]
    pub const fn totals(&self) -> Totals {
        self.totals
    }

    /// The last bytes: what is left, and the totals. A file without them was cut.
    #[must_use]
    pub fn close(mut self) -> Vec<u8> {
        let mut bytes = self.close_block();
        bytes.extend(json(BlockKind::End, &self.totals));
        bytes
    }
}

fn json<T: Serialize>(kind: BlockKind, what: &T) -> Vec<u8> {
    // Names and numbers only: there is nothing that JSON could not hold.
    block(kind, &serde_json::to_vec(what).unwrap_or_default())
}

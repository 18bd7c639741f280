//! The file of a recording: everything that came into the core, scan by scan, and how the core stood before.
//!
//! ```text
//! file    EMBERREC 1 \n │ block │ block │ …            block   kind u8 │ length u32 │ CRC-32 u32 │ payload
//! blocks  head (JSON: who, when) · names (JSON: points with units, alarms, sequences) · memory (JSON)
//!         scans (binary, see `scan`), again and again · frames (raw, optional) · end (JSON: totals)
//! ```
//!
//! Numbers of the framing are little-endian; the checksum covers kind, length and payload. A block of scans stands
//! alone: a damaged one costs what follows, never what came before, and reading says where it is. Scans that a
//! recorder was too slow for are counted in a gap record where they are missing.

mod head;
mod read;
mod scan;
mod source;
mod write;

pub use head::{Beginning, Head, Names};
pub use read::{Damage, Ending, OpenFault, Reader, Totals, is_recording};
pub use scan::{Frame, Lost};
pub use source::RecordingSource;
pub use write::Encoder;

/// The first bytes of every recording: a word for people, the version of the format, an end of line.
pub const MAGIC: &[u8; 11] = b"EMBERREC 1\n";

/// Bytes of a block before its payload.
const FRAMING_BYTES: usize = 9;

/// A block of scans is closed when its payload is this long.
pub const BLOCK_BYTES: usize = 24 * 1024;

/// The longest payload that is believed: a scan can be long, but not longer.
const PAYLOAD_BYTES_MAX: usize = 16 << 20;

/// What a block holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BlockKind {
    Head = 1,
    Names = 2,
    Memory = 3,
    Scans = 4,
    Frames = 5,
    End = 6,
}

impl BlockKind {
    const ALL: [Self; 6] = [Self::Head, Self::Names, Self::Memory, Self::Scans, Self::Frames, Self::End];

    fn of(byte: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == byte)
    }
}

/// A whole block.
fn block(kind: BlockKind, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(FRAMING_BYTES + payload.len());
    bytes.push(kind as u8);
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(&checksum(&bytes, payload).to_le_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

/// Over kind and length, then the payload.
fn checksum(start: &[u8], payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(start);
    hasher.update(payload);
    hasher.finalize()
}

#[cfg(test)]
mod tests;

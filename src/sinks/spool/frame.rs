//! Bytes of a spool's segment file: a header, then frames. Reading survives anything.
//!
//! ```text
//! header  "EWSPOOL"  version u8  first u64  done u64  crc u32                       little-endian throughout
//! frame   F6 'E' 'W' 'S'  length u32  crc u32  first u64  count u32  kind u8  payload
//! ```
//!
//! A frame holds `count` entries, numbered from `first` on, packed together; a frame of kind *done* says instead that
//! all entries before `first` are with the sink. `crc` is the CRC-32 of all that follows it and of the length. The
//! mark begins with a byte that no UTF-8 text contains: after damage, reading goes on at the next whole frame, and
//! the numbers say how many entries are missing.

use std::io::{Read, Write};

use crc32fast::Hasher;
use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;

/// The version written and the only one read.
const VERSION: u8 = 1;
const MAGIC: [u8; 7] = *b"EWSPOOL";
const MARK: [u8; 4] = [0xF6, b'E', b'W', b'S'];
/// Bytes of a segment's header.
pub(super) const HEADER_BYTES: usize = 28;
/// Bytes of a frame before its payload.
pub(super) const HEAD_BYTES: usize = 25;
/// Bytes of a frame that its CRC does not cover: mark, length, the CRC itself.
const UNCOVERED_BYTES: usize = 12;
/// No payload is longer, packed or unpacked.
pub(super) const PAYLOAD_BYTES_MAX: usize = 16 << 20;

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Entries, packed.
    Entries,
    /// Everything before this number is with the sink.
    Done,
}

/// A segment's header.
pub(super) fn header(first: u64, done: u64) -> [u8; HEADER_BYTES] {
    let mut bytes = [0; HEADER_BYTES];
    bytes[..7].copy_from_slice(&MAGIC);
    bytes[7] = VERSION;
    bytes[8..16].copy_from_slice(&first.to_le_bytes());
    bytes[16..24].copy_from_slice(&done.to_le_bytes());
    let crc = crc32fast::hash(&bytes[..24]);
    bytes[24..].copy_from_slice(&crc.to_le_bytes());
    bytes
}

/// A frame of entries that are packed already.
pub(super) fn entries_packed(first: u64, count: u32, packed: &[u8]) -> Vec<u8> {
    frame(Kind::Entries, first, count, packed)
}

/// A frame that says what is done.
pub(super) fn done(before: u64) -> Vec<u8> {
    frame(Kind::Done, before, 0, &[])
}

fn frame(kind: Kind, first: u64, count: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("payloads are bounded by PAYLOAD_BYTES_MAX");
    let mut bytes = Vec::with_capacity(HEAD_BYTES + payload.len());
    bytes.extend_from_slice(&MARK);
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(&first.to_le_bytes());
    bytes.extend_from_slice(&count.to_le_bytes());
    bytes.push(u8::from(kind == Kind::Done));
    bytes.extend_from_slice(payload);
    let crc = frame_crc(length, &bytes[UNCOVERED_BYTES..]);
    bytes[8..12].copy_from_slice(&crc.to_le_bytes());
    bytes
}

fn frame_crc(length: u32, covered: &[u8]) -> u32 {
    let mut hasher = Hasher::new();
    hasher.update(&length.to_le_bytes());
    hasher.update(covered);
    hasher.finalize()
}

/// The bytes of entries, for a frame.
pub(super) fn pack(payload: &[u8]) -> Vec<u8> {
    let mut packer = ZlibEncoder::new(Vec::with_capacity(payload.len() / 4), Compression::fast());
    // Writing to memory cannot fail.
    let _ = packer.write_all(payload);
    packer.finish().unwrap_or_default()
}

/// The entries of a frame as they were; `None` if they cannot be unpacked.
pub(super) fn unpack(payload: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(payload.len() * 4);
    let max = u64::try_from(PAYLOAD_BYTES_MAX).ok()?;
    ZlibDecoder::new(payload).take(max).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

/// One whole frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Frame<'a> {
    pub(super) kind: Kind,
    pub(super) first: u64,
    pub(super) count: u32,
    pub(super) payload: &'a [u8],
}

/// What a segment file holds.
#[derive(Debug)]
pub(super) struct Scan<'a> {
    /// The header's `first` and `done`; `None` where it is damaged.
    pub(super) header: Option<(u64, u64)>,
    /// Whole frames, in order.
    pub(super) frames: Vec<Frame<'a>>,
    /// Whether bytes were found that belong to no whole frame.
    pub(super) damaged: bool,
}

/// Reads a segment. `None`: of another version, or not a segment at all.
pub(super) fn scan(bytes: &[u8]) -> Option<Scan<'_>> {
    let header = read_header(bytes)?;
    let mut scan = Scan { header, frames: Vec::new(), damaged: header.is_none() && !bytes.is_empty() };
    let mut at = if header.is_some() { HEADER_BYTES } else { 0 };
    while at < bytes.len() {
        if let Some(frame) = frame_at(&bytes[at..]) {
            at += HEAD_BYTES + frame.payload.len();
            scan.frames.push(frame);
        } else {
            scan.damaged = true;
            let rest = bytes.get(at + 1..).unwrap_or_default();
            let found = rest.windows(MARK.len()).position(|window| window == MARK);
            at = found.map_or(bytes.len(), |found| at + 1 + found);
        }
    }
    Some(scan)
}

/// Outer `None`: of another version. Inner `None`: damaged.
#[expect(clippy::option_option, reason = "another version and damaged are different things")]
fn read_header(bytes: &[u8]) -> Option<Option<(u64, u64)>> {
    let Some(header) = bytes.first_chunk::<HEADER_BYTES>() else { return Some(None) };
    if header[..7] != MAGIC || u32_at(header, 24) != crc32fast::hash(&header[..24]) {
        return Some(None);
    }
    (header[7] == VERSION).then(|| Some((u64_at(header, 8), u64_at(header, 16))))
}

/// The frame that begins here.
fn frame_at(bytes: &[u8]) -> Option<Frame<'_>> {
    let head = bytes.first_chunk::<HEAD_BYTES>()?;
    if head[..4] != MARK {
        return None;
    }
    let length = u32_at(head, 4);
    let length_bytes = usize::try_from(length).ok().filter(|&length| length <= PAYLOAD_BYTES_MAX)?;
    let covered = bytes.get(UNCOVERED_BYTES..HEAD_BYTES + length_bytes)?;
    if u32_at(head, 8) != frame_crc(length, covered) {
        return None;
    }
    let kind = if head[24] == 0 { Kind::Entries } else { Kind::Done };
    let payload = &bytes[HEAD_BYTES..HEAD_BYTES + length_bytes];
    Some(Frame { kind, first: u64_at(head, 12), count: u32_at(head, 20), payload })
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn three() -> Vec<u8> {
        let mut bytes = header(1, 1).to_vec();
        for number in 1..=3 {
            bytes.extend(entries_packed(number, 1, &pack(format!("line {number}\n").as_bytes())));
        }
        bytes
    }

    #[test]
    fn what_was_written_is_read_back() {
        let mut bytes = three();
        bytes.extend(done(3));
        let scan = scan(&bytes).unwrap();
        assert_eq!((scan.header, scan.damaged, scan.frames.len()), (Some((1, 1)), false, 4));
        assert_eq!(unpack(scan.frames[1].payload).unwrap(), b"line 2\n");
        assert_eq!((scan.frames[3].kind, scan.frames[3].first), (Kind::Done, 3));
    }

    #[test]
    fn d6_every_flipped_bit_is_noticed_and_costs_one_frame_at_most() {
        let bytes = three();
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let scan = scan(&flipped).expect("one flip makes no newer version");
            assert!(scan.damaged, "bit {bit} went unnoticed");
            assert!(2 <= scan.frames.len(), "bit {bit}: {scan:?}");
            for frame in &scan.frames {
                assert_eq!(unpack(frame.payload).unwrap(), format!("line {}\n", frame.first).as_bytes());
            }
        }
    }

    #[test]
    fn d9_another_version_is_not_read() {
        let mut newer = three();
        newer[7] = 2;
        let crc = crc32fast::hash(&newer[..24]);
        newer[24..28].copy_from_slice(&crc.to_le_bytes());
        assert!(scan(&newer).is_none());
    }
}

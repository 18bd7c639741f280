//! Bytes of a segment file: a header, then frames. Writing is trivial; reading survives anything.
//!
//! ```text
//! header  "EWJOURNL"  version u32  segment u64  crc u32            little-endian throughout
//! frame   F7 'E' 'W' 'R'  length u32  crc u32  before u32  number u64  kind u8  payload
//! ```
//!
//! `crc` is the CRC-32 of all that follows it in the frame and of `length`; `before` is the `crc` of the frame
//! before in the same file (of the header, for the first), so that a missing frame is noticed too. The mark
//! begins with a byte that no UTF-8 text contains: after damage, reading goes on at the next frame that is whole.

use crc32fast::Hasher;

/// The version written and the newest one read.
pub(super) const VERSION: u32 = 1;
/// Bytes of a segment's header.
pub(super) const HEADER_BYTES: usize = 24;
/// Bytes of a frame before its payload.
pub(super) const FRAME_HEAD_BYTES: usize = 25;
/// No payload is longer.
pub(super) const PAYLOAD_BYTES_MAX: usize = 64 << 20;

const MAGIC: [u8; 8] = *b"EWJOURNL";
const MARK: [u8; 4] = [0xF7, b'E', b'W', b'R'];

/// A file name for a segment: sorts by number.
pub(super) fn file_name(segment: u64) -> String {
    format!("journal-{segment:016x}.log")
}

/// The segment number in a file name, if it is a segment's.
pub(super) fn number_in(name: &str) -> Option<u64> {
    let digits = name.strip_prefix("journal-")?.strip_suffix(".log")?;
    let ours = digits.len() == 16 && digits.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'a'..=b'f'));
    if ours { u64::from_str_radix(digits, 16).ok() } else { None }
}

/// A segment's header and its CRC.
pub(super) fn header(segment: u64) -> ([u8; HEADER_BYTES], u32) {
    let mut bytes = [0; HEADER_BYTES];
    bytes[..8].copy_from_slice(&MAGIC);
    bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
    bytes[12..20].copy_from_slice(&segment.to_le_bytes());
    let crc = crc32fast::hash(&bytes[..20]);
    bytes[20..].copy_from_slice(&crc.to_le_bytes());
    (bytes, crc)
}

/// A frame and its CRC.
pub(super) fn frame(before: u32, number: u64, kind: u8, payload: &[u8]) -> (Vec<u8>, u32) {
    let length = u32::try_from(payload.len()).expect("payloads are bounded by PAYLOAD_BYTES_MAX");
    let mut covered = Vec::with_capacity(13 + payload.len());
    covered.extend_from_slice(&before.to_le_bytes());
    covered.extend_from_slice(&number.to_le_bytes());
    covered.push(kind);
    covered.extend_from_slice(payload);
    let crc = frame_crc(length, &covered);
    let mut bytes = Vec::with_capacity(12 + covered.len());
    bytes.extend_from_slice(&MARK);
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(&crc.to_le_bytes());
    bytes.extend_from_slice(&covered);
    (bytes, crc)
}

fn frame_crc(length: u32, covered: &[u8]) -> u32 {
    let mut hasher = Hasher::new();
    hasher.update(&length.to_le_bytes());
    hasher.update(covered);
    hasher.finalize()
}

/// One whole frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Frame<'a> {
    pub(super) number: u64,
    pub(super) kind: u8,
    pub(super) payload: &'a [u8],
}

/// What a segment file holds.
#[derive(Debug)]
pub(super) struct Scan<'a> {
    /// Whole frames, in order.
    pub(super) frames: Vec<Frame<'a>>,
    /// Places where something is damaged or missing, the tail not counted.
    pub(super) damaged: u64,
    /// Where the last whole frame ends, if anything follows it.
    pub(super) torn_at: Option<usize>,
}

/// Reads a segment. `None`: of a newer version, or not a segment at all.
pub(super) fn scan(bytes: &[u8]) -> Option<Scan<'_>> {
    let mut scan = Scan { frames: Vec::new(), damaged: 0, torn_at: None };
    let mut before = read_header(bytes)?;
    let mut at = if before.is_some() { HEADER_BYTES } else { 0 };
    let mut damage_known = before.is_none();
    if damage_known && HEADER_BYTES <= bytes.len() {
        scan.damaged += 1;
    }
    let mut whole_to = at;
    while at < bytes.len() {
        if let Some((frame, claims, crc)) = frame_at(&bytes[at..]) {
            let skipped = whole_to < at;
            let follows_another = before.is_some_and(|before| before != claims);
            if !damage_known && (skipped || follows_another) {
                scan.damaged += 1;
            }
            at += FRAME_HEAD_BYTES + frame.payload.len();
            (whole_to, before, damage_known) = (at, Some(crc), false);
            scan.frames.push(frame);
        } else {
            at = next_mark(bytes, at + 1);
        }
    }
    let ours = before.is_some() || bytes.len() < HEADER_BYTES;
    if whole_to < bytes.len() {
        scan.torn_at = Some(whole_to);
    }
    ours.then_some(scan)
}

/// Outer `None`: of a newer version. Inner `None`: damaged.
#[expect(clippy::option_option, reason = "newer and damaged are different things")]
fn read_header(bytes: &[u8]) -> Option<Option<u32>> {
    let Some(header) = bytes.first_chunk::<HEADER_BYTES>() else { return Some(None) };
    let crc = u32_at(header, 20);
    if header[..8] != MAGIC || crc != crc32fast::hash(&header[..20]) {
        return Some(None);
    }
    (u32_at(header, 8) <= VERSION).then_some(Some(crc))
}

/// The frame that begins here, what it claims to follow, and its CRC.
fn frame_at(bytes: &[u8]) -> Option<(Frame<'_>, u32, u32)> {
    let head = bytes.first_chunk::<FRAME_HEAD_BYTES>()?;
    if head[..4] != MARK {
        return None;
    }
    let length = u32_at(head, 4);
    let length_bytes = usize::try_from(length).ok().filter(|&length| length <= PAYLOAD_BYTES_MAX)?;
    let covered = bytes.get(12..FRAME_HEAD_BYTES + length_bytes)?;
    let crc = u32_at(head, 8);
    if crc != frame_crc(length, covered) {
        return None;
    }
    let number = u64::from(u32_at(head, 16)) | u64::from(u32_at(head, 20)) << 32;
    Some((Frame { number, kind: head[24], payload: &covered[13..] }, u32_at(head, 12), crc))
}

fn next_mark(bytes: &[u8], from: usize) -> usize {
    let rest = bytes.get(from..).unwrap_or_default();
    rest.windows(MARK.len()).position(|window| window == MARK).map_or(bytes.len(), |found| from + found)
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn three() -> Vec<u8> {
        let (head, mut crc) = header(7);
        let mut bytes = head.to_vec();
        for number in 1..=3 {
            let (frame, next) = frame(crc, number, 1, format!("{{\"n\":{number}}}").as_bytes());
            bytes.extend_from_slice(&frame);
            crc = next;
        }
        bytes
    }

    #[test]
    fn an_undamaged_segment_reads_back_whole() {
        let bytes = three();
        let scan = scan(&bytes).unwrap();
        assert_eq!(scan.frames.iter().map(|frame| frame.number).collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!((scan.damaged, scan.torn_at), (0, None));
    }

    #[test]
    fn every_single_flipped_bit_is_noticed_and_costs_one_record_at_most() {
        let bytes = three();
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let scan = scan(&flipped).expect("one flip makes no newer version");
            assert!(2 <= scan.frames.len(), "bit {bit}: {scan:?}");
            assert!(0 < scan.damaged || scan.torn_at.is_some(), "bit {bit} went unnoticed");
        }
    }

    #[test]
    fn a_record_taken_out_is_noticed() {
        let bytes = three();
        let length = (bytes.len() - HEADER_BYTES) / 3;
        let mut cut = bytes[..HEADER_BYTES + length].to_vec();
        cut.extend_from_slice(&bytes[HEADER_BYTES + 2 * length..]);
        let scan = scan(&cut).unwrap();
        assert_eq!((scan.frames.len(), scan.damaged, scan.torn_at), (2, 1, None));
    }

    #[test]
    fn a_newer_version_and_a_stranger_are_not_read() {
        let mut newer = three();
        newer[8..12].copy_from_slice(&2_u32.to_le_bytes());
        let crc = crc32fast::hash(&newer[..20]);
        newer[20..24].copy_from_slice(&crc.to_le_bytes());
        assert!(scan(&newer).is_none());
        assert!(scan(b"a text that somebody left in this directory").is_none());
    }
}

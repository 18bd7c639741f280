//! Bytes of a segment file: a header, then frames. Writing is trivial; reading survives anything.
//!
//! ```text
//! header  "EWJOURNL"  version u32  segment u64  crc u32  follows [32]  crc u32   little-endian throughout
//! frame   F7 'E' 'W' 'R'  length u32  crc u32  number u64  kind u8  chain [32]  payload
//! ```
//!
//! `crc` is the CRC-32 of all that follows it in the frame and of `length`: it finds damage. `chain` is the SHA-256 of the
//! chain before it (of the header, for the first frame) and of the frame: it finds what was taken out, changed or put
//! in with care. `follows` is the chain of the last durable frame of the segment before, so that segments are one chain
//! too. The mark begins with a byte that no UTF-8 text contains: after damage, reading goes on at the next whole frame.

use crc32fast::Hasher;
use ring::digest;

/// The version written and the only one read.
pub(super) const VERSION: u32 = 2;
/// Bytes of a segment's header.
pub(super) const HEADER_BYTES: usize = HEAD_BYTES + 36;
/// Its first part, the same in every version: what it is, which version, which segment, and their CRC.
const HEAD_BYTES: usize = 24;
/// Bytes of a frame before its payload.
pub(super) const FRAME_HEAD_BYTES: usize = 53;
/// No payload is longer.
pub(super) const PAYLOAD_BYTES_MAX: usize = 64 << 20;

const MAGIC: [u8; 8] = *b"EWJOURNL";
const MARK: [u8; 4] = [0xF7, b'E', b'W', b'R'];
/// Bytes of a frame that its CRC does not cover: mark, length, the CRC itself.
const UNCOVERED_BYTES: usize = 12;

/// A link of the hash chain.
pub(super) type Chain = [u8; 32];

/// What the first segment of all follows.
pub(super) const NOTHING: Chain = [0; 32];

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

/// A segment's header, and the chain that begins with it.
pub(super) fn header(segment: u64, follows: &Chain) -> ([u8; HEADER_BYTES], Chain) {
    let mut bytes = [0; HEADER_BYTES];
    bytes[..8].copy_from_slice(&MAGIC);
    bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
    bytes[12..20].copy_from_slice(&segment.to_le_bytes());
    let crc = crc32fast::hash(&bytes[..20]);
    bytes[20..HEAD_BYTES].copy_from_slice(&crc.to_le_bytes());
    bytes[HEAD_BYTES..HEADER_BYTES - 4].copy_from_slice(follows);
    let crc = crc32fast::hash(&bytes[..HEADER_BYTES - 4]);
    bytes[HEADER_BYTES - 4..].copy_from_slice(&crc.to_le_bytes());
    (bytes, sha256(&[&bytes]))
}

/// A frame, and the chain that goes on with it.
pub(super) fn frame(before: &Chain, number: u64, kind: u8, payload: &[u8]) -> (Vec<u8>, Chain) {
    let length = u32::try_from(payload.len()).expect("payloads are bounded by PAYLOAD_BYTES_MAX");
    let chain = link(before, number, kind, payload);
    let mut covered = Vec::with_capacity(FRAME_HEAD_BYTES + payload.len());
    covered.extend_from_slice(&number.to_le_bytes());
    covered.push(kind);
    covered.extend_from_slice(&chain);
    covered.extend_from_slice(payload);
    let crc = frame_crc(length, &covered);
    let mut bytes = Vec::with_capacity(UNCOVERED_BYTES + covered.len());
    bytes.extend_from_slice(&MARK);
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(&crc.to_le_bytes());
    bytes.extend_from_slice(&covered);
    (bytes, chain)
}

/// The chain after a frame.
fn link(before: &Chain, number: u64, kind: u8, payload: &[u8]) -> Chain {
    sha256(&[before, &number.to_le_bytes(), &[kind], payload])
}

fn sha256(parts: &[&[u8]]) -> Chain {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in parts {
        context.update(part);
    }
    let mut chain = NOTHING;
    chain.copy_from_slice(context.finish().as_ref());
    chain
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
    /// The chain as the frame says it is.
    pub(super) chain: Chain,
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
    /// What the segment says that it follows; `None` where its header is damaged.
    pub(super) follows: Option<Chain>,
    /// The chain that begins with its header; `None` where that is damaged.
    pub(super) begins: Option<Chain>,
}

impl Scan<'_> {
    /// Where the chain is at its end.
    pub(super) fn ends(&self) -> Option<Chain> {
        self.frames.last().map(|frame| frame.chain).or(self.begins)
    }
}

/// Reads a segment. `None`: of another version, or not a segment at all.
pub(super) fn scan(bytes: &[u8]) -> Option<Scan<'_>> {
    let header = read_header(bytes)?;
    let mut before = header.map(|(chain, _)| chain);
    let follows = header.map(|(_, follows)| follows);
    let mut scan = Scan { frames: Vec::new(), damaged: 0, torn_at: None, follows, begins: before };
    let mut at = if before.is_some() { HEADER_BYTES } else { 0 };
    let mut damage_known = before.is_none();
    if damage_known && HEADER_BYTES <= bytes.len() {
        scan.damaged += 1;
    }
    let mut whole_to = at;
    while at < bytes.len() {
        if let Some(frame) = frame_at(&bytes[at..]) {
            let skipped = whole_to < at;
            let follows_another = before
                .is_some_and(|before| link(&before, frame.number, frame.kind, frame.payload) != frame.chain);
            if !damage_known && (skipped || follows_another) {
                scan.damaged += 1;
            }
            at += FRAME_HEAD_BYTES + frame.payload.len();
            (whole_to, before, damage_known) = (at, Some(frame.chain), false);
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

/// Outer `None`: of another version. Inner `None`: damaged. The chain that begins with it, and what it follows.
#[expect(clippy::option_option, reason = "another version and damaged are different things")]
fn read_header(bytes: &[u8]) -> Option<Option<(Chain, Chain)>> {
    if let Some(head) = bytes.first_chunk::<HEAD_BYTES>()
        && head[..8] == MAGIC
        && u32_at(head, 20) == crc32fast::hash(&head[..20])
        && u32_at(head, 8) != VERSION
    {
        return None;
    }
    let Some(header) = bytes.first_chunk::<HEADER_BYTES>() else { return Some(None) };
    if header[..8] != MAGIC
        || u32_at(header, HEADER_BYTES - 4) != crc32fast::hash(&header[..HEADER_BYTES - 4])
    {
        return Some(None);
    }
    let mut follows = NOTHING;
    follows.copy_from_slice(&header[HEAD_BYTES..HEADER_BYTES - 4]);
    Some(Some((sha256(&[header]), follows)))
}

/// The frame that begins here.
fn frame_at(bytes: &[u8]) -> Option<Frame<'_>> {
    let head = bytes.first_chunk::<FRAME_HEAD_BYTES>()?;
    if head[..4] != MARK {
        return None;
    }
    let length = u32_at(head, 4);
    let length_bytes = usize::try_from(length).ok().filter(|&length| length <= PAYLOAD_BYTES_MAX)?;
    let covered = bytes.get(UNCOVERED_BYTES..FRAME_HEAD_BYTES + length_bytes)?;
    if u32_at(head, 8) != frame_crc(length, covered) {
        return None;
    }
    let number = u64::from(u32_at(head, 12)) | u64::from(u32_at(head, 16)) << 32;
    let mut chain = NOTHING;
    chain.copy_from_slice(&head[21..FRAME_HEAD_BYTES]);
    let payload = &bytes[FRAME_HEAD_BYTES..FRAME_HEAD_BYTES + length_bytes];
    Some(Frame { number, kind: head[20], chain, payload })
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
        let (head, mut chain) = header(7, &NOTHING);
        let mut bytes = head.to_vec();
        for number in 1..=3 {
            let (frame, next) = frame(&chain, number, 1, format!("{{\"n\":{number}}}").as_bytes());
            bytes.extend_from_slice(&frame);
            chain = next;
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
    fn a_record_that_was_changed_with_a_fitting_checksum_is_noticed_by_the_chain() {
        let bytes = three();
        let length = (bytes.len() - HEADER_BYTES) / 3;
        let second = HEADER_BYTES + length..HEADER_BYTES + 2 * length;
        let mut forged = bytes.clone();
        let payload = second.start + FRAME_HEAD_BYTES..second.end;
        forged[payload.clone()].copy_from_slice(b"{\"n\":9}");
        let covered = forged[second.start + UNCOVERED_BYTES..second.end].to_vec();
        let crc = frame_crc(u32::try_from(payload.len()).unwrap(), &covered);
        forged[second.start + 8..second.start + 12].copy_from_slice(&crc.to_le_bytes());
        let scan = scan(&forged).unwrap();
        assert_eq!((scan.frames.len(), scan.damaged), (3, 1), "readable, and not believed");
    }

    #[test]
    fn another_version_and_a_stranger_are_not_read() {
        let (mut newer, _) = header(7, &NOTHING);
        newer[8..12].copy_from_slice(&3_u32.to_le_bytes());
        let crc = crc32fast::hash(&newer[..20]);
        newer[20..HEAD_BYTES].copy_from_slice(&crc.to_le_bytes());
        assert!(scan(&newer).is_none());
        assert!(scan(b"a text that somebody left in this directory, longer than any header").is_none());
    }
}

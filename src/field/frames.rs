//! Frames are evidence: a ring of the raw bytes that passed a link, always on.
//!
//! The oldest make room for new ones. What was received is kept as it came, also what was rejected.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use crate::clock;

/// Bytes of frames kept per link: some five minutes of a link that is read every second.
pub const FRAME_BYTES_KEPT: usize = 64 * 1024;

/// Bytes that a kept frame takes besides its own.
const HEADER_BYTES: usize = 16;

/// One run of bytes in one direction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawFrame {
    /// Counts the frames of the link, from 0.
    pub number: u64,
    /// Microseconds since the Unix epoch: a label, like every wall time.
    pub wall_us: u64,
    /// True for what we sent.
    pub sent: bool,
    /// As on the wire.
    pub bytes: Vec<u8>,
}

/// A handle to the ring of one link.
#[derive(Clone, Debug, Default)]
pub struct FrameLog {
    ring: Arc<Mutex<Ring>>,
}

#[derive(Debug, Default)]
struct Ring {
    /// Sixteen bytes of header (time and direction, length), then the frame.
    bytes: VecDeque<u8>,
    first: u64,
    count: u64,
}

impl FrameLog {
    /// Keeps a frame.
    pub fn push(&self, sent: bool, frame: &[u8]) {
        let mut ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        let frame = &frame[..frame.len().min(FRAME_BYTES_KEPT - HEADER_BYTES)];
        while FRAME_BYTES_KEPT < ring.bytes.len() + HEADER_BYTES + frame.len() {
            ring.forget();
        }
        ring.bytes.extend((clock::wall_us() << 1 | u64::from(sent)).to_be_bytes());
        ring.bytes.extend((frame.len() as u64).to_be_bytes());
        ring.bytes.extend(frame);
        ring.count += 1;
    }

    /// The kept frames from this number on.
    #[must_use]
    pub fn since(&self, number: u64) -> Vec<RawFrame> {
        let ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        let mut frames = Vec::new();
        let mut at = 0;
        for kept in ring.first..ring.first + ring.count {
            let (stamp, length) = ring.header(at);
            at += HEADER_BYTES;
            if number <= kept {
                let bytes = ring.bytes.range(at..at + length).copied().collect();
                frames.push(RawFrame { number: kept, wall_us: stamp >> 1, sent: stamp & 1 == 1, bytes });
            }
            at += length;
        }
        frames
    }

    /// The number that the next frame will have.
    #[must_use]
    pub fn next(&self) -> u64 {
        let ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        ring.first + ring.count
    }
}

impl Ring {
    fn header(&self, at: usize) -> (u64, usize) {
        let word =
            |from: usize| self.bytes.range(from..from + 8).fold(0, |word, byte| word << 8 | u64::from(*byte));
        (word(at), usize::try_from(word(at + 8)).expect("lengths were written from a usize"))
    }

    fn forget(&mut self) {
        let (_, length) = self.header(0);
        self.bytes.drain(..HEADER_BYTES + length);
        self.first += 1;
        self.count -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_frames_are_kept_whole_and_in_order() {
        let log = FrameLog::default();
        for number in 0..10_000_u32 {
            log.push(number % 2 == 0, &number.to_be_bytes());
        }
        let kept = log.since(0);
        assert_eq!(kept.len(), FRAME_BYTES_KEPT / (HEADER_BYTES + 4));
        assert_eq!(log.next(), 10_000);
        for frame in &kept {
            let number = u32::try_from(frame.number).expect("small");
            assert_eq!(
                (frame.sent, frame.bytes.as_slice()),
                (number % 2 == 0, number.to_be_bytes().as_slice())
            );
        }
        assert_eq!(log.since(9_999).len(), 1);
        assert_eq!(log.since(10_000), []);
    }

    #[test]
    fn a_frame_longer_than_the_ring_is_cut() {
        let log = FrameLog::default();
        log.push(true, &vec![7; 2 * FRAME_BYTES_KEPT]);
        assert_eq!(log.since(0)[0].bytes.len(), FRAME_BYTES_KEPT - HEADER_BYTES);
    }
}

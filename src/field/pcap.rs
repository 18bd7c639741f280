//! Frames as a capture file that Wireshark and tshark decode.
//!
//! What passed a TCP link becomes IPv4 segments of one connection to port 502, which Wireshark takes for Modbus
//! by itself; addresses are real where they are known, numbers of bytes and checksums are right, the handshake
//! is left out. What passed a serial line becomes records of the RTAC serial kind, whose header marks the
//! direction, with the frame as on the line; Wireshark has to be told that these are Modbus RTU.
//! Times are the wall clock's, in microseconds.

use std::io::{self, Write};
use std::net::Ipv4Addr;

use crate::field::frames::RawFrame;

/// Microseconds, big-endian, as this file writes all numbers of the file's own.
const MAGIC: u32 = 0xA1B2_C3D4;
/// The longest record.
const SNAP_BYTES: u32 = 262_144;
/// Raw IP.
const LINKTYPE_RAW: u32 = 101;
/// SEL RTAC serial.
const LINKTYPE_RTAC_SERIAL: u32 = 250;

/// The port by which Wireshark knows Modbus TCP.
const MODBUS_PORT: u16 = 502;
/// Ours; any port that is not known for something else.
const OUR_PORT: u16 = 49_502;
/// Addresses for documentation, where the real ones are not known.
const OUR_ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
/// As ours: from the range that is kept for documentation.
pub const THEIR_ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);

const IP_HEADER: usize = 20;
const TCP_HEADER: usize = 20;
const PROTOCOL_TCP: u8 = 6;
/// Acknowledges, and pushes data.
const FLAGS_PUSH_ACK: u8 = 0x18;
const WINDOW: u16 = 65_535;
const TTL: u8 = 64;
const DO_NOT_FRAGMENT: u16 = 0x4000;

/// A record of the RTAC kind: what was sent, what was received.
const RTAC_SENT: u8 = 1;
const RTAC_RECEIVED: u8 = 2;

/// What the frames travelled on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Medium {
    /// Modbus TCP to this server.
    Tcp(Ipv4Addr),
    /// RTU frames.
    Serial,
}

/// A capture file being written.
#[derive(Debug)]
pub struct Capture<W> {
    out: W,
    medium: Medium,
    /// Bytes that each side has sent: ours, theirs.
    ours: u32,
    theirs: u32,
    segments: u16,
}

impl<W: Write> Capture<W> {
    /// Begins the file.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn begin(mut out: W, medium: Medium) -> io::Result<Self> {
        let link = match medium {
            Medium::Tcp(_) => LINKTYPE_RAW,
            Medium::Serial => LINKTYPE_RTAC_SERIAL,
        };
        out.write_all(&MAGIC.to_be_bytes())?;
        // Version 2.4, no time zone, no accuracy given.
        out.write_all(&[0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0])?;
        out.write_all(&SNAP_BYTES.to_be_bytes())?;
        out.write_all(&link.to_be_bytes())?;
        Ok(Self { out, medium, ours: 1, theirs: 1, segments: 0 })
    }

    /// Adds one frame.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn add(&mut self, frame: &RawFrame) -> io::Result<()> {
        let record = match self.medium {
            Medium::Tcp(server) => self.segment(server, frame),
            Medium::Serial => serial_record(frame),
        };
        let seconds = u32::try_from(frame.wall_us / 1_000_000).unwrap_or(u32::MAX);
        let micros = u32::try_from(frame.wall_us % 1_000_000).unwrap_or(0);
        let length = u32::try_from(record.len()).unwrap_or(SNAP_BYTES);
        for number in [seconds, micros, length, length] {
            self.out.write_all(&number.to_be_bytes())?;
        }
        self.out.write_all(&record)
    }

    /// Ends the file.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.flush()?;
        Ok(self.out)
    }

    /// An IPv4 packet with the frame as the data of a TCP segment.
    fn segment(&mut self, server: Ipv4Addr, frame: &RawFrame) -> Vec<u8> {
        // An IPv4 packet cannot be longer; no Modbus frame comes near.
        let data = &frame.bytes[..frame.bytes.len().min(usize::from(u16::MAX) - IP_HEADER - TCP_HEADER)];
        let (from, to, ports, numbers) = if frame.sent {
            (OUR_ADDRESS, server, [OUR_PORT, MODBUS_PORT], [self.ours, self.theirs])
        } else {
            (server, OUR_ADDRESS, [MODBUS_PORT, OUR_PORT], [self.theirs, self.ours])
        };
        let sent = u32::try_from(data.len()).unwrap_or(0);
        let count = if frame.sent { &mut self.ours } else { &mut self.theirs };
        *count = count.wrapping_add(sent);
        let tcp = tcp_segment(from, to, ports, numbers, data);
        self.segments = self.segments.wrapping_add(1);
        let mut packet = ip_header(from, to, self.segments, tcp.len());
        packet.extend(tcp);
        packet
    }
}

fn ip_header(from: Ipv4Addr, to: Ipv4Addr, id: u16, data: usize) -> Vec<u8> {
    let length = u16::try_from(IP_HEADER + data).unwrap_or(u16::MAX);
    let mut header = vec![0x45, 0];
    for word in [length, id, DO_NOT_FRAGMENT, u16::from_be_bytes([TTL, PROTOCOL_TCP]), 0] {
        header.extend(word.to_be_bytes());
    }
    header.extend(from.octets());
    header.extend(to.octets());
    let sum = checksum(&header);
    header[10..12].copy_from_slice(&sum.to_be_bytes());
    header
}

fn tcp_segment(from: Ipv4Addr, to: Ipv4Addr, ports: [u16; 2], numbers: [u32; 2], data: &[u8]) -> Vec<u8> {
    let mut segment = Vec::with_capacity(TCP_HEADER + data.len());
    segment.extend(ports.into_iter().flat_map(u16::to_be_bytes));
    segment.extend(numbers.into_iter().flat_map(u32::to_be_bytes));
    segment.extend([0x50, FLAGS_PUSH_ACK]);
    for word in [WINDOW, 0, 0] {
        segment.extend(word.to_be_bytes());
    }
    segment.extend(data);
    let mut summed = [from.octets(), to.octets()].concat();
    let length = u16::try_from(segment.len()).unwrap_or(u16::MAX);
    summed.extend([0, PROTOCOL_TCP]);
    summed.extend(length.to_be_bytes());
    summed.extend(&segment);
    let sum = checksum(&summed);
    segment[16..18].copy_from_slice(&sum.to_be_bytes());
    segment
}

/// The Internet checksum (RFC 1071).
fn checksum(bytes: &[u8]) -> u16 {
    let words =
        bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | pair.get(1).map_or(0, |low| u32::from(*low)));
    let mut sum: u32 = words.sum();
    while 0xFFFF < sum {
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or(0)
}

fn serial_record(frame: &RawFrame) -> Vec<u8> {
    let seconds = u32::try_from(frame.wall_us / 1_000_000).unwrap_or(u32::MAX);
    let micros = u32::try_from(frame.wall_us % 1_000_000).unwrap_or(0);
    let mut record = [seconds.to_be_bytes(), micros.to_be_bytes()].concat();
    record.push(if frame.sent { RTAC_SENT } else { RTAC_RECEIVED });
    // No control lines of the port, no footer.
    record.extend([0, 0, 0]);
    record.extend(&frame.bytes);
    record
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn frame(sent: bool, bytes: &[u8]) -> RawFrame {
        RawFrame { number: 0, wall_us: 1_700_000_000_123_456, sent, bytes: bytes.to_vec() }
    }

    #[test]
    fn the_checksum_is_that_of_the_internet() {
        // The worked example of RFC 1071, section 3: the sum is 0xDDF2.
        assert_eq!(checksum(&[0x00, 0x01, 0xF2, 0x03, 0xF4, 0xF5, 0xF6, 0xF7]), !0xDDF2);
        assert_eq!(checksum(&[]), 0xFFFF);
        assert_eq!(checksum(&[0xAB]), !0xAB00);
    }

    #[test]
    fn packets_sum_up_and_their_numbers_follow_the_bytes_of_both_sides() {
        let mut capture = Capture::begin(Vec::new(), Medium::Tcp(THEIR_ADDRESS)).unwrap();
        capture.add(&frame(true, &[0, 1, 0, 0, 0, 6, 1, 3, 0, 0, 0, 1])).unwrap();
        capture.add(&frame(false, &[0, 1, 0, 0, 0, 5, 1, 3, 2, 0, 7])).unwrap();
        capture.add(&frame(true, &[0, 2, 0, 0, 0, 6, 1, 3, 0, 0, 0, 1])).unwrap();
        let file = capture.finish().unwrap();
        assert_eq!(file[..4], [0xA1, 0xB2, 0xC3, 0xD4]);
        assert_eq!(file[20..24], 101_u32.to_be_bytes());
        let (mut at, mut seen) = (24, Vec::new());
        while at < file.len() {
            let number = |from: usize| u32::from_be_bytes(file[from..from + 4].try_into().unwrap());
            assert_eq!((number(at), number(at + 4)), (1_700_000_000, 123_456));
            let length = usize::try_from(number(at + 8)).unwrap();
            let packet = &file[at + 16..at + 16 + length];
            assert_eq!(checksum(&packet[..20]), 0, "the header with its sum sums to nothing");
            let tcp = &packet[20..];
            let size = u16::try_from(tcp.len()).unwrap().to_be_bytes();
            let summed = [&packet[12..20], &[0, 6], &size, tcp].concat();
            assert_eq!(checksum(&summed), 0);
            let word = |from: usize| u32::from_be_bytes(tcp[from..from + 4].try_into().unwrap());
            seen.push((u16::from_be_bytes([tcp[2], tcp[3]]), word(4), word(8)));
            at += 16 + length;
        }
        assert_eq!(seen, [(502, 1, 1), (OUR_PORT, 1, 13), (502, 13, 12)]);
    }

    #[test]
    fn a_serial_record_says_which_way_it_went() {
        let mut capture = Capture::begin(Vec::new(), Medium::Serial).unwrap();
        capture.add(&frame(true, &[1, 3, 0, 0, 0, 1, 0x84, 0x0A])).unwrap();
        capture.add(&frame(false, &[1, 3, 2, 0, 7, 0xF9, 0x86])).unwrap();
        let file = capture.finish().unwrap();
        assert_eq!(file[20..24], 250_u32.to_be_bytes());
        let first = &file[40..];
        assert_eq!(first[..4], 1_700_000_000_u32.to_be_bytes());
        assert_eq!(first[8..13], [1, 0, 0, 0, 1]);
        assert_eq!(first[20 + 16 + 8], 2);
    }
}

//! Modbus RTU: unit, data unit, checksum; frames are told apart by silence (Modbus over serial line 1.02).
//!
//! Silence is lost behind USB adapters and serial servers, so a reply is found by what it must be: the unit,
//! the function, the length that the request implies, and the checksum. It may be preceded by noise; that is
//! left to the caller to count.

use crc::{CRC_16_MODBUS, Crc, Table};

use crate::field::pdu::{EXCEPTION, PDU_BYTES_MAX, Request};

/// The longest frame.
pub const FRAME_BYTES_MAX: usize = 1 + PDU_BYTES_MAX + 2;

/// Bytes of a request for registers or bits.
pub const READ_REQUEST_BYTES: usize = 8;

/// Bytes of the reply to a read, besides the values.
pub const READ_REPLY_BYTES: usize = 5;

/// Bytes of an exception.
const EXCEPTION_BYTES: usize = 5;

const CRC: Crc<u16, Table<1>> = Crc::<u16, Table<1>>::new(&CRC_16_MODBUS);

/// Appends the frame of a request.
pub fn encode(unit: u8, request: &Request, bytes: &mut Vec<u8>) {
    let start = bytes.len();
    bytes.push(unit);
    request.encode(bytes);
    let checksum = CRC.checksum(&bytes[start..]);
    bytes.extend(checksum.to_le_bytes());
}

/// The reply that is waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    unit: u8,
    function: u8,
    /// Bytes of a good reply, where the request says how many.
    good: Option<usize>,
    /// The number of data bytes that the reply itself must announce.
    announced: Option<u8>,
}

/// What is in the bytes that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// A reply: where it begins, and where it ends.
    Reply(usize, usize),
    /// A reply may have begun.
    Begun,
    /// Nothing that could become one. True if the length was right and the checksum was not.
    Nothing {
        /// A frame of the right shape whose checksum is wrong.
        damaged: bool,
    },
}

impl Expected {
    /// The reply of this unit to this request.
    #[must_use]
    pub fn of(replies_as: u8, request: &Request) -> Self {
        let announced = match request {
            Request::Read { .. } => request.reply_bytes().and_then(|bytes| u8::try_from(bytes - 2).ok()),
            Request::Write(_) | Request::ServerId | Request::DeviceId { .. } => None,
        };
        let good = request.reply_bytes().map(|pdu| 1 + pdu + 2);
        Self { unit: replies_as, function: request.function(), good, announced }
    }

    /// The unit whose reply it is.
    #[must_use]
    pub const fn unit(&self) -> u8 {
        self.unit
    }

    /// Whether these bytes are a whole reply of the unit to the same function, but not of the length asked for.
    #[must_use]
    pub fn is_answered_otherwise(&self, bytes: &[u8]) -> bool {
        bytes.starts_with(&[self.unit, self.function]) && is_intact(bytes)
    }

    /// Whether these bytes begin as the reply does.
    #[must_use]
    pub fn is_begun_by(&self, bytes: &[u8]) -> bool {
        bytes.starts_with(&[self.unit, self.function])
    }

    /// Whether a reply, or an exception, has this many bytes.
    #[must_use]
    pub fn is_as_long_as(&self, bytes: usize) -> bool {
        bytes == EXCEPTION_BYTES || self.good == Some(bytes)
    }

    /// Whether a reply to this could be taken for a reply to that.
    #[must_use]
    pub fn resembles(&self, other: &Self) -> bool {
        self.unit == other.unit && self.function == other.function && self.good == other.good
    }

    /// Looks for the reply, wherever it begins. The first whose checksum is right is it.
    #[must_use]
    pub fn find(&self, bytes: &[u8]) -> Found {
        let (mut begun, mut damaged) = (false, false);
        for start in 0..bytes.len() {
            match self.at(&bytes[start..]) {
                Shape::None => {}
                Shape::Short => begun = true,
                Shape::Whole(length) if is_intact(&bytes[start..start + length]) => {
                    return Found::Reply(start, start + length);
                }
                Shape::Whole(_) => damaged = true,
            }
        }
        if begun { Found::Begun } else { Found::Nothing { damaged } }
    }

    fn at(&self, bytes: &[u8]) -> Shape {
        let Some((unit, rest)) = bytes.split_first() else { return Shape::Short };
        if *unit != self.unit {
            return Shape::None;
        }
        let Some((function, data)) = rest.split_first() else { return Shape::Short };
        let length = if *function == self.function | EXCEPTION {
            Some(EXCEPTION_BYTES)
        } else if *function != self.function {
            return Shape::None;
        } else if let Some(announced) = self.announced {
            match data.first() {
                Some(count) if *count != announced => return Shape::None,
                Some(_) | None => self.good,
            }
        } else {
            self.good.or_else(|| length_by_content(self.function, data))
        };
        match length {
            Some(length) if length <= bytes.len() => Shape::Whole(length),
            Some(length) if FRAME_BYTES_MAX < length => Shape::None,
            Some(_) | None if bytes.len() < FRAME_BYTES_MAX => Shape::Short,
            Some(_) | None => Shape::None,
        }
    }
}

enum Shape {
    None,
    Short,
    Whole(usize),
}

/// The length of the two replies whose length only they themselves tell; `None` until it can be told.
fn length_by_content(function: u8, data: &[u8]) -> Option<usize> {
    if function == Request::ServerId.function() {
        return data.first().map(|count| 3 + usize::from(*count) + 2);
    }
    // Device identification: unit, function, then type, level, conformity, more, next, number of objects.
    let objects = *data.get(5)?;
    let mut at = 6;
    for _ in 0..objects {
        at += 2 + usize::from(*data.get(at + 1)?);
    }
    Some(2 + at + 2)
}

/// Whether there is a whole frame in these bytes, a request or a reply, of whomever.
#[must_use]
pub fn holds_frame(bytes: &[u8]) -> bool {
    let of_length = |rest: &[u8], length: usize| rest.get(..length).is_some_and(is_intact);
    (0..bytes.len()).any(|start| {
        let rest = &bytes[start..];
        match rest {
            [_, 1..=4, count, ..] => {
                of_length(rest, READ_REQUEST_BYTES) || of_length(rest, READ_REPLY_BYTES + usize::from(*count))
            }
            [_, 5 | 6 | 15 | 16, ..] => of_length(rest, 8),
            [_, function, ..] if *function & EXCEPTION != 0 => of_length(rest, EXCEPTION_BYTES),
            _ => false,
        }
    })
}

/// Whether a frame's checksum is right.
#[must_use]
pub fn is_intact(frame: &[u8]) -> bool {
    let Some((body, checksum)) = frame.split_last_chunk::<2>() else { return false };
    CRC.checksum(body) == u16::from_le_bytes(*checksum)
}

/// Function code and data of an intact frame.
#[must_use]
pub fn pdu(frame: &[u8]) -> &[u8] {
    frame.get(1..frame.len().saturating_sub(2)).unwrap_or(&[])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::field::profile::Table;

    fn read(count: u16) -> Request {
        Request::Read { table: Table::Holding, address: 0, count }
    }

    fn framed(bytes: &[u8]) -> Vec<u8> {
        [bytes, &CRC.checksum(bytes).to_le_bytes()].concat()
    }

    #[test]
    fn the_checksum_is_that_of_the_standard() {
        let mut bytes = Vec::new();
        encode(1, &Request::Read { table: Table::Holding, address: 0, count: 10 }, &mut bytes);
        assert_eq!(bytes, [1, 3, 0, 0, 0, 10, 0xC5, 0xCD]);
    }

    #[test]
    fn a_reply_is_found_after_noise_and_whatever_follows_it() {
        let expected = Expected::of(7, &read(2));
        let reply = framed(&[7, 3, 4, 0, 1, 0, 2]);
        assert_eq!(expected.find(&reply), Found::Reply(0, 9));
        let noisy = [&[0xFF, 7, 3, 9], reply.as_slice(), &[1, 2, 3]].concat();
        assert_eq!(expected.find(&noisy), Found::Reply(4, 13));
        for cut in 1..9 {
            assert_eq!(expected.find(&reply[..cut]), Found::Begun, "{cut}");
        }
        assert_eq!(expected.find(&framed(&[7, 0x83, 2])), Found::Reply(0, 5));
    }

    #[test]
    fn what_is_not_the_reply_is_not_found() {
        let expected = Expected::of(7, &read(2));
        for bytes in [
            framed(&[8, 3, 4, 0, 1, 0, 2]),
            framed(&[7, 4, 4, 0, 1, 0, 2]),
            framed(&[7, 3, 2, 0, 1]),
            framed(&[7, 3, 6, 0, 1, 0, 2, 0, 3]),
        ] {
            assert!(!matches!(expected.find(&bytes), Found::Reply(..)), "{bytes:?}");
        }
        let mut damaged = framed(&[7, 3, 4, 0, 1, 0, 2]);
        damaged[4] ^= 1;
        assert_eq!(expected.find(&damaged), Found::Nothing { damaged: true });
    }

    #[test]
    fn replies_that_tell_their_own_length_are_found_byte_by_byte() {
        let cases = [
            (Request::ServerId, framed(&[7, 17, 3, 1, 2, 3])),
            (
                Request::DeviceId { level: 1, object: 0 },
                framed(&[7, 43, 14, 1, 1, 0, 0, 2, 0, 2, b'A', b'B', 1, 1, b'C']),
            ),
        ];
        for (request, reply) in cases {
            let expected = Expected::of(7, &request);
            for cut in 1..reply.len() {
                assert_eq!(expected.find(&reply[..cut]), Found::Begun, "{request:?} {cut}");
            }
            assert_eq!(expected.find(&reply), Found::Reply(0, reply.len()));
            assert!(request.decode(pdu(&reply)).is_ok());
        }
    }

    proptest! {
        #[test]
        fn a_flipped_bit_is_never_believed(words in prop::collection::vec(any::<u8>(), 8), bit in 0_usize..104) {
            let mut reply = framed(&[&[7, 3, 8], words.as_slice()].concat());
            reply[bit / 8] ^= 1 << (bit % 8);
            let found = Expected::of(7, &read(4)).find(&reply);
            prop_assert!(!matches!(found, Found::Reply(..)));
        }

        #[test]
        fn no_bytes_make_the_search_panic(
            bytes in prop::collection::vec(any::<u8>(), 0..600), count in 1_u16..=125, which in 0_usize..3,
        ) {
            let requests = [read(count), Request::ServerId, Request::DeviceId { level: 1, object: 0 }];
            if let Found::Reply(start, end) = Expected::of(bytes.first().copied().unwrap_or(1), &requests[which]).find(&bytes) {
                prop_assert!(start < end && end <= bytes.len());
            }
        }
    }
}

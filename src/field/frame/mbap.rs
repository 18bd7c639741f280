//! Modbus TCP: seven bytes of header with a transaction id, then the data unit (Modbus messaging on TCP/IP
//! 1.0b, 3.1.3).

use super::Reject;
use crate::field::pdu::{PDU_BYTES_MAX, Request};

/// Transaction id, protocol, length, unit.
pub const HEADER_BYTES: usize = 7;

/// The longest frame.
pub const FRAME_BYTES_MAX: usize = HEADER_BYTES + PDU_BYTES_MAX;

/// One frame at the begin of what came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Its transaction id.
    pub transaction: u16,
    /// Its unit.
    pub unit: u8,
    /// Function code and data.
    pub pdu: &'a [u8],
}

impl Frame<'_> {
    /// Its length on the wire.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        HEADER_BYTES + self.pdu.len()
    }
}

/// Appends the frame of a request.
pub fn encode(transaction: u16, unit: u8, request: &Request, bytes: &mut Vec<u8>) {
    let start = bytes.len();
    bytes.extend(transaction.to_be_bytes());
    bytes.extend([0, 0, 0, 0, unit]);
    request.encode(bytes);
    let length = u16::try_from(bytes.len() - start - 6).expect("requests are checked with the profile");
    bytes[start + 4..start + 6].copy_from_slice(&length.to_be_bytes());
}

/// The first frame of what came; `None` while it is not complete.
///
/// # Errors
/// `Header` if these bytes can never be one: another protocol, or a length that no frame has.
pub fn first(bytes: &[u8]) -> Result<Option<Frame<'_>>, Reject> {
    let protocol_starts = bytes.iter().skip(2).take(2).all(|byte| *byte == 0);
    if !protocol_starts {
        return Err(Reject::Header);
    }
    let [t0, t1, _, _, l0, l1, unit, rest @ ..] = bytes else { return Ok(None) };
    let length = usize::from(u16::from_be_bytes([*l0, *l1]));
    if !(2..=1 + PDU_BYTES_MAX).contains(&length) {
        return Err(Reject::Header);
    }
    let transaction = u16::from_be_bytes([*t0, *t1]);
    Ok(rest.get(..length - 1).map(|pdu| Frame { transaction, unit: *unit, pdu }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::field::profile::Table;

    #[test]
    fn a_request_is_framed_and_read_again() {
        let mut bytes = Vec::new();
        let request = Request::Read { table: Table::Holding, address: 0x6B, count: 3 };
        encode(0x0102, 0x11, &request, &mut bytes);
        assert_eq!(bytes, [1, 2, 0, 0, 0, 6, 0x11, 3, 0, 0x6B, 0, 3]);
        let frame = Frame { transaction: 0x0102, unit: 0x11, pdu: &bytes[7..] };
        assert_eq!(first(&bytes), Ok(Some(frame)));
        for cut in 0..bytes.len() {
            assert_eq!(first(&bytes[..cut]), Ok(None), "{cut} bytes");
        }
    }

    #[test]
    fn impossible_lengths_are_refused_as_soon_as_they_are_seen() {
        for length in [0_u16, 1, 255, 65_535] {
            let [high, low] = length.to_be_bytes();
            assert_eq!(first(&[0, 1, 0, 0, high, low, 1]), Err(Reject::Header), "{length}");
        }
        assert_eq!(first(&[0, 1, 0, 1]), Err(Reject::Header));
    }

    proptest! {
        #[test]
        fn no_bytes_make_a_frame_longer_than_they_are(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            if let Ok(Some(frame)) = first(&bytes) {
                prop_assert!(frame.bytes() <= bytes.len().min(FRAME_BYTES_MAX));
            }
        }
    }
}

//! Frames: how a protocol data unit is wrapped on a connection, and which bytes that come belong to it.
//!
//! Pure: bytes in, frames or rejections out. Waiting, deadlines and what is done about a rejection are the
//! transaction's.

pub mod mbap;
pub mod rtu;

/// Why bytes that came were not believed, in the order in which they are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reject {
    /// A frame with a transaction id that no request of this connection had.
    Transaction,
    /// A frame that answers an earlier request: late, or sent twice.
    Late,
    /// A frame of another unit.
    Unit,
    /// The reply to another function, or of another length or place than was asked for.
    Content,
    /// No Modbus header, or one of an impossible length.
    Header,
    /// Bytes whose checksum does not match.
    Checksum,
    /// Our own request, heard again.
    Echo,
    /// Bytes that belong to nothing.
    Noise,
    /// Whole frames that nobody here asked for: another master is at work.
    Stranger,
}

/// How [`Reject`] is called in figures, in its order.
pub const REJECTS: [&str; 9] =
    ["transaction", "late", "unit", "content", "header", "checksum", "echo", "noise", "stranger"];

/// Where a request goes, and which unit answers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Station {
    /// The unit in the request.
    pub unit: u8,
    /// The unit in its reply: the same for nearly all devices.
    pub replies_as: u8,
}

impl Station {
    /// A unit of a device whose replies carry its own number plus this.
    #[must_use]
    pub fn new(unit: u8, reply_offset: i16) -> Self {
        let replies_as = u8::try_from(i16::from(unit) + reply_offset).unwrap_or(unit);
        Self { unit, replies_as }
    }
}

impl From<u8> for Station {
    fn from(unit: u8) -> Self {
        Self { unit, replies_as: unit }
    }
}

//! What is asked of a unit and what it answers, as Modbus protocol data units: function code and data.
//!
//! ```text
//! Request ─► bytes ─► (a frame of the transport) ─► bytes ─► Reply, or the reason why it is none
//! ```
//!
//! Only what emberwatch needs is here: reads, the writes of profile actions, and the two requests by which a
//! unit tells what it is. A reply is believed only if function, byte count, echoed address and value all
//! match its request (S20). Which bytes belong to which request on a connection is the frame's to decide.
//! The functions are those of the Modbus application protocol 1.1b3.

use crate::field::profile::{Table, Write};
use crate::safety::reading::ReadFault;

/// The longest protocol data unit.
pub const PDU_BYTES_MAX: usize = 253;

const REPORT_SERVER_ID: u8 = 17;
const ENCAPSULATED: u8 = 43;
const DEVICE_IDENTIFICATION: u8 = 14;

/// Set in the function code of a reply that carries an exception.
pub const EXCEPTION: u8 = 0x80;

/// One request to one unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Reads registers, or bits (functions 1 to 4).
    Read {
        /// From which table.
        table: Table,
        /// The first address.
        address: u16,
        /// 1 to 125 registers, or 1 to 2000 bits.
        count: u16,
    },
    /// Writes: only what an action of a profile holds (S22).
    Write(Write),
    /// What the unit says it is (function 17).
    ServerId,
    /// Device identification (function 43, type 14), a stream of objects.
    DeviceId {
        /// 1 basic, 2 regular, 3 extended, 4 one object.
        level: u8,
        /// The object to begin with.
        object: u8,
    },
}

/// What a unit answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Registers, or bits as words of 0 and 1: as many as were asked for.
    Words(Vec<u16>),
    /// The echo of a write.
    Done,
    /// The bytes of a server id, as the device sent them.
    ServerId(Vec<u8>),
    /// Objects of a device identification: `(object, text)`.
    DeviceId {
        /// What came with this reply.
        objects: Vec<(u8, Vec<u8>)>,
        /// The object to ask for next, if there are more.
        more: Option<u8>,
    },
}

impl Request {
    /// The function code.
    #[must_use]
    pub const fn function(&self) -> u8 {
        match self {
            Self::Read { table: Table::Coil, .. } => 1,
            Self::Read { table: Table::Discrete, .. } => 2,
            Self::Read { table: Table::Holding, .. } => 3,
            Self::Read { table: Table::Input, .. } => 4,
            Self::Write(write) => write.function(),
            Self::ServerId => REPORT_SERVER_ID,
            Self::DeviceId { .. } => ENCAPSULATED,
        }
    }

    /// Appends function code and data.
    pub fn encode(&self, bytes: &mut Vec<u8>) {
        bytes.push(self.function());
        match self {
            Self::Read { address, count, .. } => {
                bytes.extend(address.to_be_bytes());
                bytes.extend(count.to_be_bytes());
            }
            Self::Write(write) => encode_write(write, bytes),
            Self::ServerId => {}
            Self::DeviceId { level, object } => bytes.extend([DEVICE_IDENTIFICATION, *level, *object]),
        }
    }

    /// How long a good reply is, where the request says so: function code and data.
    #[must_use]
    pub fn reply_bytes(&self) -> Option<usize> {
        match self {
            Self::Read { table, count, .. } => Some(2 + read_bytes(*table, *count)),
            Self::Write(_) => Some(5),
            Self::ServerId | Self::DeviceId { .. } => None,
        }
    }

    /// Reads the reply to this request.
    ///
    /// # Errors
    /// `Exception` where the unit refused; `Mismatch` for the reply to another request; `Malformed` for what
    /// is no reply at all.
    pub fn decode(&self, pdu: &[u8]) -> Result<Reply, ReadFault> {
        let (function, data) = pdu.split_first().ok_or(ReadFault::Malformed)?;
        if *function == self.function() | EXCEPTION {
            return match data {
                [code] => Err(ReadFault::Exception(*code)),
                _ => Err(ReadFault::Malformed),
            };
        }
        if *function != self.function() {
            return Err(ReadFault::Mismatch);
        }
        match self {
            Self::Read { table, count, .. } => words(*table, *count, data).map(Reply::Words),
            Self::Write(write) => echo(write, data),
            Self::ServerId => match data.split_first() {
                Some((count, id)) if usize::from(*count) == id.len() => Ok(Reply::ServerId(id.to_vec())),
                _ => Err(ReadFault::Malformed),
            },
            Self::DeviceId { .. } => device_id(data),
        }
    }
}

/// How many data bytes of a read carry values.
fn read_bytes(table: Table, count: u16) -> usize {
    let count = usize::from(count);
    if table.holds_bits() { count.div_ceil(8) } else { 2 * count }
}

fn words(table: Table, count: u16, data: &[u8]) -> Result<Vec<u16>, ReadFault> {
    let (announced, data) = data.split_first().ok_or(ReadFault::Malformed)?;
    let expected = read_bytes(table, count);
    if usize::from(*announced) != expected || data.len() != expected {
        return Err(ReadFault::Mismatch);
    }
    Ok(if table.holds_bits() {
        (0..usize::from(count)).map(|bit| u16::from(data[bit / 8] >> (bit % 8) & 1)).collect()
    } else {
        data.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect()
    })
}

/// The word by which function 5 switches a coil.
const fn coil_word(on: bool) -> u16 {
    if on { 0xFF00 } else { 0 }
}

/// Bits packed as functions 15 and 1 carry them, the first in the lowest bit.
fn packed(bits: &[bool]) -> Vec<u8> {
    let byte = |chunk: &[bool]| (0..).zip(chunk).fold(0, |byte, (at, bit)| byte | u8::from(*bit) << at);
    bits.chunks(8).map(byte).collect()
}

fn encode_write(write: &Write, bytes: &mut Vec<u8>) {
    let mut head = |address: &u16, second: u16| {
        bytes.extend(address.to_be_bytes());
        bytes.extend(second.to_be_bytes());
    };
    match write {
        Write::Coil { address, on } => head(address, coil_word(*on)),
        Write::CoilWord { address, word } | Write::Register { address, word } => head(address, *word),
        Write::Coils { address, bits } => {
            head(address, length(bits.len()));
            let packed = packed(bits);
            bytes.push(u8::try_from(packed.len()).expect("at most 1968 coils, checked with the profile"));
            bytes.extend(packed);
        }
        Write::Registers { address, words } => {
            head(address, length(words.len()));
            bytes.push(
                u8::try_from(2 * words.len()).expect("at most 123 registers, checked with the profile"),
            );
            bytes.extend(words.iter().flat_map(|word| word.to_be_bytes()));
        }
    }
}

fn length(items: usize) -> u16 {
    u16::try_from(items).expect("lengths of writes are checked with the profile")
}

/// Functions 5 and 6 echo all of the request, 15 and 16 its address and quantity.
fn echo(write: &Write, data: &[u8]) -> Result<Reply, ReadFault> {
    let (address, second) = match write {
        Write::Coil { address, on } => (*address, coil_word(*on)),
        Write::CoilWord { address, word } | Write::Register { address, word } => (*address, *word),
        Write::Coils { address, bits } => (*address, length(bits.len())),
        Write::Registers { address, words } => (*address, length(words.len())),
    };
    let [a, b] = address.to_be_bytes();
    let [c, d] = second.to_be_bytes();
    if data == [a, b, c, d] { Ok(Reply::Done) } else { Err(ReadFault::Mismatch) }
}

fn device_id(data: &[u8]) -> Result<Reply, ReadFault> {
    let [DEVICE_IDENTIFICATION, _level, _conformity, more, next, count, objects @ ..] = data else {
        return Err(ReadFault::Malformed);
    };
    let (mut rest, mut found) = (objects, Vec::new());
    for _ in 0..*count {
        let [object, length, tail @ ..] = rest else { return Err(ReadFault::Malformed) };
        let (text, tail) = tail.split_at_checked(usize::from(*length)).ok_or(ReadFault::Malformed)?;
        found.push((*object, text.to_vec()));
        rest = tail;
    }
    if !rest.is_empty() {
        return Err(ReadFault::Malformed);
    }
    Ok(Reply::DeviceId { objects: found, more: (*more == 0xFF).then_some(*next) })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(table: Table, count: u16) -> Request {
        Request::Read { table, address: 0x0102, count }
    }

    fn encoded(request: &Request) -> Vec<u8> {
        let mut bytes = Vec::new();
        request.encode(&mut bytes);
        bytes
    }

    #[test]
    fn requests_are_encoded_as_the_protocol_says() {
        let words = vec![0x000A, 0x0102];
        let bits = vec![true, false, true, true, false, false, true, true, true];
        let cases: [(Request, &[u8]); 9] = [
            (read(Table::Coil, 9), &[1, 1, 2, 0, 9]),
            (read(Table::Holding, 3), &[3, 1, 2, 0, 3]),
            (Request::Write(Write::Coil { address: 7, on: true }), &[5, 0, 7, 0xFF, 0]),
            (Request::Write(Write::CoilWord { address: 0x0203, word: 7 }), &[5, 2, 3, 0, 7]),
            (Request::Write(Write::Register { address: 7, word: 0x55AA }), &[6, 0, 7, 0x55, 0xAA]),
            (Request::Write(Write::Coils { address: 0x13, bits }), &[15, 0, 0x13, 0, 9, 2, 0xCD, 1]),
            (Request::Write(Write::Registers { address: 1, words }), &[16, 0, 1, 0, 2, 4, 0, 0x0A, 1, 2]),
            (Request::ServerId, &[17]),
            (Request::DeviceId { level: 1, object: 0 }, &[43, 14, 1, 0]),
        ];
        for (request, bytes) in cases {
            assert_eq!(encoded(&request), bytes);
        }
    }

    #[test]
    fn a_reply_is_believed_only_if_everything_matches() {
        let request = read(Table::Holding, 2);
        assert_eq!(request.decode(&[3, 4, 0, 1, 0, 2]), Ok(Reply::Words(vec![1, 2])));
        assert_eq!(request.decode(&[4, 4, 0, 1, 0, 2]), Err(ReadFault::Mismatch));
        assert_eq!(request.decode(&[3, 2, 0, 1]), Err(ReadFault::Mismatch));
        assert_eq!(request.decode(&[3, 4, 0, 1, 0]), Err(ReadFault::Mismatch));
        assert_eq!(request.decode(&[3, 4, 0, 1, 0, 2, 9]), Err(ReadFault::Mismatch));
        assert_eq!(request.decode(&[0x83, 2]), Err(ReadFault::Exception(2)));
        assert_eq!(request.decode(&[0x83]), Err(ReadFault::Malformed));
        assert_eq!(request.decode(&[]), Err(ReadFault::Malformed));
        let write = Request::Write(Write::Coil { address: 7, on: true });
        assert_eq!(write.decode(&[5, 0, 7, 0xFF, 0]), Ok(Reply::Done));
        for flipped in 1..5 {
            let mut reply = [5, 0, 7, 0xFF, 0];
            reply[flipped] ^= 1;
            assert_eq!(write.decode(&reply), Err(ReadFault::Mismatch));
        }
    }

    #[test]
    fn bits_come_out_in_order() {
        let reply = read(Table::Coil, 10).decode(&[1, 2, 0b0000_0101, 0b10]);
        assert_eq!(reply, Ok(Reply::Words(vec![1, 0, 1, 0, 0, 0, 0, 0, 0, 1])));
    }

    #[test]
    fn a_device_identification_says_where_it_goes_on() {
        let request = Request::DeviceId { level: 1, object: 0 };
        let reply = [43, 14, 1, 1, 0xFF, 2, 2, 0, 2, b'A', b'B', 1, 1, b'C'];
        let objects = vec![(0, b"AB".to_vec()), (1, b"C".to_vec())];
        assert_eq!(request.decode(&reply), Ok(Reply::DeviceId { objects, more: Some(2) }));
        for cut in 0..reply.len() {
            assert!(request.decode(&reply[..cut]).is_err());
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_decoder_panic_or_give_another_count(
            pdu in prop::collection::vec(any::<u8>(), 0..260), count in 1_u16..=125, which in 0_usize..6,
        ) {
            let requests = [
                read(Table::Holding, count), read(Table::Input, count), read(Table::Coil, count),
                Request::ServerId, Request::DeviceId { level: 1, object: 0 },
                Request::Write(Write::Register { address: count, word: 1 }),
            ];
            if let Ok(Reply::Words(words)) = requests[which].decode(&pdu) {
                prop_assert_eq!(words.len(), usize::from(count));
            }
        }
    }
}

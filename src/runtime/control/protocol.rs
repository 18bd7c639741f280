//! What is said on the local socket: one JSON object a line, either way.
//!
//! Bytes are hexadecimal text. A fault of the field keeps its kind, so that a command on this side of the socket
//! judges it like one on a line of its own.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::field::options::{Endpoint, LinkOptions, Parity, SerialLine};
use crate::field::pdu::{Reply, Request};
use crate::field::profile::Table;
use crate::safety::reading::ReadFault;

pub use super::verb::{AlarmVerb, SequenceVerb};

/// The longest line, either way: the words of the longest read, as decimal text, and more than enough.
pub const LINE_BYTES_MAX: usize = 64 * 1024;

/// What a client asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case", deny_unknown_fields)]
pub enum Command {
    /// Which links there are. One `links` in reply.
    Links {},
    /// A read of one unit, between two polls. One of `words`, `server_id`, `device_id`, `fault` in reply.
    Ask {
        /// The link, by its id.
        link: String,
        /// The unit.
        unit: u8,
        /// What to ask it.
        request: Wanted,
    },
    /// The raw frames that are kept of a link, and those to come. `frame` for each, `end` after the last.
    Frames {
        /// The link, by its id.
        link: String,
        /// The first wanted, by its number.
        since: u64,
        /// Go on until the client hangs up, an hour at most.
        follow: bool,
    },
    /// How everything stands. One `status` in reply.
    Status {},
    /// The alarms that are not normal, also those that are put away. `alarm` for each, `end` after the last.
    Alarms {
        /// This one too, however it is.
        also: Option<String>,
    },
    /// A request about an alarm, in the name of the user at this end. `done` or `refused` in reply.
    Alarm {
        /// The alarm, by its id.
        id: String,
        /// What about it.
        #[serde(rename = "do")]
        verb: AlarmVerb,
    },
    /// All sequences as they stand. `sequence` for each, `end` after the last.
    Sequences {},
    /// A request about a sequence, in the name of the user at this end. `done`, `proposed` or `refused` in reply.
    Sequence {
        /// The sequence, by its id.
        id: String,
        /// What about it.
        #[serde(rename = "do")]
        verb: SequenceVerb,
    },
    /// What happens to a sequence from now on, an hour at most. `sequence` as it stands, then `happened` for each.
    Follow {
        /// The sequence, by its id.
        id: String,
    },
    /// A recording of all that comes into the core from now on: `recorded` again and again, until the client says
    /// anything (an empty line will do); `end` after the last.
    Record {},
}

/// What can be asked of a unit. There is no write among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Wanted {
    /// Registers or bits.
    Read {
        /// The table: `coil`, `discrete`, `input`, `holding`.
        table: Word,
        /// The first address.
        address: u16,
        /// How many.
        count: u16,
    },
    /// Function 17.
    ServerId,
    /// Function 43, type 14.
    DeviceId {
        /// 1 to 4.
        level: u8,
        /// The object to begin with.
        object: u8,
    },
}

/// A table, by its word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the words of the four Modbus tables")]
pub enum Word {
    Coil,
    Discrete,
    Input,
    Holding,
}

/// One line in reply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// All links.
    Links(Vec<LinkEntry>),
    /// What was read.
    Words(Vec<u16>),
    /// The bytes of a server id, in hexadecimal.
    ServerId(String),
    /// Objects of a device identification, their bytes in hexadecimal.
    DeviceId {
        /// What came.
        objects: Vec<(u8, String)>,
        /// The object to ask for next, if there are more.
        more: Option<u8>,
    },
    /// The unit gave no answer, or refused.
    Fault(FaultWord),
    /// One raw frame.
    Frame(FrameEntry),
    /// Bytes of a recording.
    Recorded(Recorded),
    /// No more frames, or no more of a recording.
    End {
        /// The number of the next.
        next: u64,
    },
    /// How everything stands, as a document.
    Status(Value),
    /// One alarm, as a document.
    Alarm(Value),
    /// One sequence, as a document.
    Sequence(Value),
    /// What happened to a sequence, with its document and the time.
    Happened(Value),
    /// The first of two persons has asked: another one must ask the same within this time.
    Proposed {
        /// In whose name.
        by: String,
        /// How long it waits.
        remaining_ms: u64,
    },
    /// The request was followed.
    Done {
        /// In whose name.
        by: String,
    },
    /// The request was refused: why.
    Refused(String),
    /// The link has no time for this question now: ask again.
    Busy(String),
    /// The request cannot be served: why, and what to do.
    Error(String),
}

/// A link of the daemon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkEntry {
    /// Its id.
    pub id: String,
    /// `tcp`, `tls`, `rtu_over_tcp` or `serial`.
    pub kind: String,
    /// `host:port` of the server and its backup, or the path of the port.
    pub places: Vec<String>,
    /// For people.
    pub place: String,
    /// Bits per second, where there is a serial line.
    pub baud: Option<u32>,
    /// `none`, `even` or `odd`, where there is a serial line.
    pub parity: Option<String>,
    /// 1 or 2, where there is a serial line.
    pub stop_bits: Option<u8>,
    /// Devices: unit, id, profile.
    pub units: Vec<(u8, String, String)>,
}

impl LinkEntry {
    /// How a link is told to clients.
    #[must_use]
    pub fn of(link: &LinkOptions) -> Self {
        let (kind, places) = match &link.endpoint {
            Endpoint::Tcp(addresses) => ("tcp", hosts(addresses)),
            Endpoint::Tls { addresses, .. } => ("tls", hosts(addresses)),
            Endpoint::RtuOverTcp { addresses, .. } => ("rtu_over_tcp", hosts(addresses)),
            Endpoint::Serial { path, .. } => ("serial", vec![path.display().to_string()]),
        };
        let line = link.endpoint.line();
        Self {
            id: link.name.clone(),
            kind: kind.to_owned(),
            places,
            place: link.endpoint.place(),
            baud: line.map(|line| line.baud),
            parity: line.map(|line| parity_word(line.parity).to_owned()),
            stop_bits: line.map(|line| line.stop_bits),
            units: link
                .devices
                .iter()
                .map(|device| (device.unit, device.name.clone(), device.profile.id.clone()))
                .collect(),
        }
    }

    /// Whether frames on it are RTU.
    #[must_use]
    pub fn is_rtu(&self) -> bool {
        self.baud.is_some()
    }

    /// How its serial line is set, if it has one.
    #[must_use]
    pub fn line(&self) -> Option<SerialLine> {
        let parity = parity_of(self.parity.as_deref()?)?;
        Some(SerialLine { baud: self.baud?, parity, stop_bits: self.stop_bits? })
    }
}

fn hosts(addresses: &crate::field::options::Addresses) -> Vec<String> {
    std::iter::once(&addresses.primary).chain(&addresses.backup).cloned().collect()
}

/// The word of a parity in configuration and on the socket.
#[must_use]
pub const fn parity_word(parity: Parity) -> &'static str {
    match parity {
        Parity::None => "none",
        Parity::Even => "even",
        Parity::Odd => "odd",
    }
}

/// The parity of this word.
#[must_use]
pub fn parity_of(word: &str) -> Option<Parity> {
    [Parity::None, Parity::Even, Parity::Odd].into_iter().find(|parity| parity_word(*parity) == word)
}

/// A raw frame.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrameEntry {
    /// Counts the frames of the link, from 0. A gap means that the ring was too small.
    pub number: u64,
    /// Microseconds since the Unix epoch.
    pub wall_us: u64,
    /// True for what the daemon sent.
    pub sent: bool,
    /// The bytes, in hexadecimal.
    pub hex: String,
}

/// The next bytes of a recording, and what it holds so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorded {
    /// The bytes, as base64.
    pub bytes: String,
    /// True where a block of the file ends with them.
    pub ends_block: bool,
    /// Scans of the core.
    pub scans: u64,
    /// Inputs of all scans.
    pub inputs: u64,
    /// Scans that the recorder was too slow for.
    pub lost_scans: u64,
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the reasons of `ReadFault`, by the same names")]
pub enum FaultWord {
    Timeout,
    Disconnected,
    Exception(u8),
    Mismatch,
    Malformed,
    Sentinel,
    NotANumber,
    NotInService,
}

impl From<ReadFault> for FaultWord {
    fn from(fault: ReadFault) -> Self {
        match fault {
            ReadFault::Timeout => Self::Timeout,
            ReadFault::Disconnected => Self::Disconnected,
            ReadFault::Exception(code) => Self::Exception(code),
            ReadFault::Mismatch => Self::Mismatch,
            ReadFault::Malformed => Self::Malformed,
            ReadFault::Sentinel => Self::Sentinel,
            ReadFault::NotANumber => Self::NotANumber,
            ReadFault::NotInService => Self::NotInService,
        }
    }
}

impl From<FaultWord> for ReadFault {
    fn from(word: FaultWord) -> Self {
        match word {
            FaultWord::Timeout => Self::Timeout,
            FaultWord::Disconnected => Self::Disconnected,
            FaultWord::Exception(code) => Self::Exception(code),
            FaultWord::Mismatch => Self::Mismatch,
            FaultWord::Malformed => Self::Malformed,
            FaultWord::Sentinel => Self::Sentinel,
            FaultWord::NotANumber => Self::NotANumber,
            FaultWord::NotInService => Self::NotInService,
        }
    }
}

impl Word {
    const ALL: [(Self, Table); 4] = [
        (Self::Coil, Table::Coil),
        (Self::Discrete, Table::Discrete),
        (Self::Input, Table::Input),
        (Self::Holding, Table::Holding),
    ];

    fn table(self) -> Table {
        Self::ALL.into_iter().find(|pair| pair.0 == self).map_or(Table::Holding, |pair| pair.1)
    }

    fn of(table: Table) -> Self {
        Self::ALL.into_iter().find(|pair| pair.1 == table).map_or(Self::Holding, |pair| pair.0)
    }
}

impl Wanted {
    /// As the field asks it; `None` for more than one request may read, or for nothing.
    #[must_use]
    pub fn request(self) -> Option<Request> {
        use crate::field::profile::{BITS_PER_READ_MAX, REGISTERS_PER_READ_MAX};
        Some(match self {
            Self::Read { table, address, count } => {
                let table = table.table();
                let most = if table.holds_bits() { BITS_PER_READ_MAX } else { REGISTERS_PER_READ_MAX };
                (1..=most).contains(&count).then_some(())?;
                address.checked_add(count - 1)?;
                Request::Read { table, address, count }
            }
            Self::ServerId => Request::ServerId,
            Self::DeviceId { level, object } => Request::DeviceId { level, object },
        })
    }

    /// As it is told on the socket; `None` for writes.
    #[must_use]
    pub fn of(request: &Request) -> Option<Self> {
        match request {
            Request::Read { table, address, count } => {
                Some(Self::Read { table: Word::of(*table), address: *address, count: *count })
            }
            Request::Write(_) => None,
            Request::ServerId => Some(Self::ServerId),
            Request::DeviceId { level, object } => Some(Self::DeviceId { level: *level, object: *object }),
        }
    }
}

impl Answer {
    /// A reply of the field as it is told.
    #[must_use]
    pub fn of(reply: Reply) -> Self {
        match reply {
            Reply::Words(words) => Self::Words(words),
            Reply::ServerId(bytes) => Self::ServerId(hex(&bytes)),
            Reply::DeviceId { objects, more } => Self::DeviceId {
                objects: objects.into_iter().map(|(object, text)| (object, hex(&text))).collect(),
                more,
            },
            Reply::Done => Self::Error("nothing is written here".to_owned()),
        }
    }
}

/// Bytes as hexadecimal text.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        for half in [byte >> 4, byte & 15] {
            text.push(char::from_digit(u32::from(half), 16).unwrap_or('?'));
        }
        text
    })
}

/// Hexadecimal text as bytes.
#[must_use]
pub fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text.chars().map(|digit| u8::try_from(digit.to_digit(16)?).ok()).collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0)?;
    Some(digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn requests_are_lines_that_people_can_type() {
        let text = r#"{"command":"ask","link":"room","unit":1,"request":{"read":{"table":"holding","address":100,"count":2}}}"#;
        let request = Wanted::Read { table: Word::Holding, address: 100, count: 2 };
        let ask = Command::Ask { link: "room".into(), unit: 1, request };
        assert_eq!(serde_json::from_str::<Command>(text).unwrap(), ask);
        assert_eq!(serde_json::to_string(&ask).unwrap(), text);
        assert_eq!(serde_json::from_str::<Command>(r#"{"command":"links"}"#).unwrap(), Command::Links {});
        let shelve = r#"{"command":"alarm","id":"hot","do":{"shelve":{"for_ms":60000,"one_shot":false,"occurrence":null}}}"#;
        let verb = AlarmVerb::Shelve { for_ms: 60_000, one_shot: false, occurrence: None };
        assert_eq!(serde_json::to_string(&Command::Alarm { id: "hot".into(), verb }).unwrap(), shelve);
        let id = r#"{"command":"ask","link":"room","unit":1,"request":"server_id"}"#;
        assert!(serde_json::from_str::<Command>(id).is_ok());
        for wrong in [r#"{"command":"write"}"#, r#"{"command":"links","more":1}"#, "", "[]"] {
            assert!(serde_json::from_str::<Command>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn nothing_longer_than_one_read_becomes_a_request() {
        let read = |count, address| Wanted::Read { table: Word::Input, address, count }.request();
        assert!(read(125, 0).is_some() && read(1, u16::MAX).is_some());
        assert_eq!((read(126, 0), read(0, 0), read(2, u16::MAX)), (None, None, None));
        let write = crate::field::profile::Write::Coil { address: 0, on: true };
        assert_eq!(Wanted::of(&Request::Write(write)), None);
    }

    #[test]
    fn bytes_survive_as_text() {
        assert_eq!(hex(&[0, 0xAB, 0x10]), "00ab10");
        assert_eq!(unhex("00ab10"), Some(vec![0, 0xAB, 0x10]));
        assert_eq!((unhex("0"), unhex("zz")), (None, None));
        for fault in [ReadFault::Timeout, ReadFault::Exception(11), ReadFault::NotInService] {
            assert_eq!(ReadFault::from(FaultWord::from(fault)), fault);
        }
    }
}

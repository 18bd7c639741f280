//! One request, one reply, one deadline, on whatever a link travels on.
//!
//! A reply belongs to a request only if the connection and transaction id (TCP) or the bus epoch (RTU), the
//! unit, the function, the byte count and an echo all match (S20). What does not is counted by reason and
//! never becomes a value.
//! On TCP, any error but a Modbus exception, a time-out above all, drops the connection: a late reply has
//! nowhere to arrive. On RTU the line cannot be dropped: whoever did not answer is not asked the like again
//! until its reply has come or can come no more (`rtu`).
//! A transaction that is cancelled half-way drops the connection, because it is taken out of the `Line` while
//! it is in use.

mod pipeline;
mod rtu;
mod tcp;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::clock;
use crate::field::frame::{REJECTS, Reject, Station};
use crate::field::frames::FrameLog;
use crate::field::options::Endpoint;
use crate::field::pdu::{Reply, Request};
use crate::field::profile::{BITS_PER_READ_MAX, REGISTERS_PER_READ_MAX, Table, Write};
use crate::field::transport::{Silence, Stream};
use crate::safety::fact::DriveFault;
use crate::safety::reading::ReadFault;
use crate::units::{Millis, Uptime};

/// A link's connection, whether it stands or not.
#[derive(Debug)]
pub struct Line {
    endpoint: Endpoint,
    /// Transaction ids are believed: off only for gateways that break them, where nothing is written.
    match_ids: bool,
    connection: Option<Connection>,
    /// The second address is tried next.
    backup: bool,
    transaction: u16,
    bus: rtu::Bus,
    /// The longest deadline that any request on this line is given.
    ceiling: Millis,
    frames: FrameLog,
    rejected: Arc<Rejected>,
    measured: Measured,
    sent_us: u64,
    wrote_us: u64,
    /// The last gate: what may be written, and to whom (S22). Empty unless told.
    permitted: Vec<(Station, Write)>,
}

#[derive(Debug)]
struct Connection {
    stream: Stream,
    /// What came and is not read yet.
    got: Vec<u8>,
    /// What is sent.
    out: Vec<u8>,
    /// True once a whole transaction went well on it.
    proven: bool,
    used: Uptime,
    /// The transaction id of its first request.
    first: Option<u16>,
    /// When the line was last in use, either way, in microseconds.
    busy_us: u64,
    /// On serial lines.
    silence: Option<Silence>,
    /// The last reply that was believed, to know it when it comes again.
    last: Vec<u8>,
}

/// How long the last good transaction took, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Measured {
    /// From the end of the request to the first byte of the reply, without the time that bytes take.
    pub turnaround_us: u64,
    /// From the first byte sent to the last received.
    pub whole_us: u64,
}

/// What was rejected, by reason.
#[derive(Debug, Default)]
pub struct Rejected {
    counts: [AtomicU64; REJECTS.len()],
}

impl Rejected {
    fn count(&self, reject: Reject) {
        self.counts[reject as usize].fetch_add(1, Relaxed);
    }

    /// How often, in the order of [`REJECTS`].
    #[must_use]
    pub fn counts(&self) -> [u64; REJECTS.len()] {
        std::array::from_fn(|at| self.counts[at].load(Relaxed))
    }

    fn total(&self) -> u64 {
        self.counts().iter().sum()
    }
}

/// Why a transaction failed, and whether a byte of it may have left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Broken {
    fault: ReadFault,
    sent: bool,
}

impl Line {
    /// A line to this endpoint, not connected yet.
    #[must_use]
    pub fn new(endpoint: &Endpoint) -> Self {
        let [.., high, low] = clock::uptime_us().to_be_bytes();
        Self {
            endpoint: endpoint.clone(),
            match_ids: true,
            connection: None,
            backup: false,
            // After a restart, replies to the process before are foreign.
            transaction: u16::from_be_bytes([high, low]),
            bus: rtu::Bus::default(),
            ceiling: Millis::ZERO,
            frames: FrameLog::default(),
            rejected: Arc::default(),
            measured: Measured::default(),
            sent_us: 0,
            wrote_us: 0,
            permitted: Vec::new(),
        }
    }

    /// Believes replies whatever their transaction id: for gateways that break them. Never where anything is
    /// written.
    #[must_use]
    pub const fn without_ids(mut self) -> Self {
        self.match_ids = false;
        self
    }

    /// A reply on a serial line may be as late as this deadline allows, though its request was given a shorter
    /// one.
    #[must_use]
    pub const fn with_ceiling(mut self, ceiling: Millis) -> Self {
        self.ceiling = ceiling;
        self
    }

    /// Lets these be written, and nothing else.
    pub fn permit(&mut self, writes: Vec<(Station, Write)>) {
        self.permitted = writes;
    }

    /// Keeps frames and counts of rejections in these, which outlive the line.
    #[must_use]
    pub fn with_records(mut self, frames: FrameLog, rejected: Arc<Rejected>) -> Self {
        (self.frames, self.rejected) = (frames, rejected);
        self
    }

    /// The raw frames that passed.
    #[must_use]
    pub fn frames(&self) -> FrameLog {
        self.frames.clone()
    }

    /// How long the last good transaction took.
    #[must_use]
    pub const fn measured(&self) -> Measured {
        self.measured
    }

    /// When the last write of an order had left, in microseconds of uptime.
    #[must_use]
    pub const fn wrote_us(&self) -> u64 {
        self.wrote_us
    }

    /// Whether a late reply of this station could be taken for the reply to this: such a request would have to
    /// wait, another one need not.
    #[must_use]
    pub fn is_ambiguous(&self, station: Station, request: &Request) -> bool {
        self.endpoint.line().is_some() && self.bus.is_ambiguous(station.replies_as, request)
    }

    /// Whether the bytes themselves take their time: then a transaction's deadline is for the device alone.
    #[must_use]
    pub const fn is_serial(&self) -> bool {
        self.endpoint.line().is_some()
    }

    /// Whether there is a connection, as far as is known.
    #[must_use]
    pub const fn is_connected(&self) -> bool {
        self.connection.is_some()
    }

    /// Lets the connection go.
    pub fn drop_connection(&mut self) {
        self.connection = None;
    }

    /// How long the connection has not been used; zero without one.
    #[must_use]
    pub fn idle(&self, now: Uptime) -> Millis {
        self.connection.as_ref().map_or(Millis::ZERO, |connection| now.since(connection.used))
    }

    /// Until when a reply of this station to an earlier request may still come, if one may: until then it is
    /// better not asked.
    #[must_use]
    pub fn unsettled_until_us(&self, station: Station) -> Option<u64> {
        self.bus.unsettled_until_us(station.replies_as, clock::uptime_us())
    }

    /// Connects, unless a connection stands. After a failure, or a connection on which nothing went well, the
    /// next attempt goes to the other address.
    ///
    /// # Errors
    /// The socket's error, `TimedOut` after `within`.
    pub async fn connect(&mut self, within: Millis) -> io::Result<()> {
        if self.connection.is_some() {
            return Ok(());
        }
        let attempt = Stream::open(&self.endpoint, self.backup, within).await;
        let stream = attempt.inspect_err(|_| self.backup = !self.backup)?;
        let silence = self.endpoint.line().map(|_| Silence::new()).transpose()?;
        self.connection = Some(Connection {
            stream,
            got: Vec::new(),
            out: Vec::new(),
            proven: false,
            used: clock::uptime(),
            first: None,
            busy_us: clock::uptime_us(),
            silence,
            last: Vec::new(),
        });
        Ok(())
    }

    /// One request and its reply. `within` is the deadline of the whole transaction; on a serial line the time
    /// that the bytes take is added.
    ///
    /// # Errors
    /// `Disconnected` without a connection, or if the peer closed it before a byte of the reply came.
    pub async fn ask(
        &mut self,
        station: impl Into<Station>,
        request: &Request,
        within: Millis,
    ) -> Result<Reply, ReadFault> {
        self.transact(station.into(), request, within).await.map_err(|broken| broken.fault)
    }

    /// Reads words, or bits as words of 0 and 1.
    ///
    /// # Errors
    /// As `ask`.
    ///
    /// # Panics
    /// If more is asked for than one request may read: plans are made within the limits.
    pub async fn read(
        &mut self,
        station: impl Into<Station>,
        table: Table,
        address: u16,
        count: u16,
        within: Millis,
    ) -> Result<Vec<u16>, ReadFault> {
        let most = if table.holds_bits() { BITS_PER_READ_MAX } else { REGISTERS_PER_READ_MAX };
        assert!((1..=most).contains(&count), "blocks are planned within what one request may read");
        match self.ask(station, &Request::Read { table, address, count }, within).await? {
            Reply::Words(words) => Ok(words),
            Reply::Done | Reply::ServerId(_) | Reply::DeviceId { .. } => Err(ReadFault::Mismatch),
        }
    }

    /// Reads as `read` does, and once more on a fresh connection if this one had been closed while it lay
    /// idle: some devices do so between two polls. Only for reads, which may be repeated.
    ///
    /// # Errors
    /// As `read`.
    pub async fn read_again(
        &mut self,
        station: Station,
        place: (Table, u16, u16),
        within: Millis,
        connect_within: Millis,
    ) -> Result<Vec<u16>, ReadFault> {
        let (table, address, count) = place;
        let proven = self.connection.as_ref().is_some_and(|connection| connection.proven);
        let first = self.read(station, table, address, count, within).await;
        if !(proven && first == Err(ReadFault::Disconnected)) {
            return first;
        }
        self.connect(connect_within).await.map_err(|_| ReadFault::Disconnected)?;
        self.read(station, table, address, count, within).await
    }

    /// Writes once, and checks that the reply is the echo, byte for byte.
    ///
    /// # Errors
    /// `NotAllowed` for what was not permitted. `NotSent` only where no byte has left. The exceptions 5 (accepted, still under way) and 11 (the unit
    /// behind the gateway did not answer) do not say that nothing happened: they count as `NoAnswer`.
    pub async fn write(
        &mut self,
        station: impl Into<Station>,
        write: &Write,
        within: Millis,
    ) -> Result<(), DriveFault> {
        let station = station.into();
        let permitted = self.permitted.iter().any(|(whom, what)| *whom == station && what == write);
        if !self.match_ids || !permitted {
            return Err(DriveFault::NotAllowed);
        }
        let outcome = self.transact(station, &Request::Write(write.clone()), within).await;
        outcome.map(|_| ()).map_err(|broken| match broken.fault {
            _ if !broken.sent => DriveFault::NotSent,
            ReadFault::Exception(5 | 11) | ReadFault::Timeout | ReadFault::Disconnected => {
                DriveFault::NoAnswer
            }
            ReadFault::Exception(code) => DriveFault::Exception(code),
            ReadFault::Mismatch
            | ReadFault::Malformed
            | ReadFault::Sentinel
            | ReadFault::NotANumber
            | ReadFault::NotInService => DriveFault::WrongEcho,
        })
    }

    async fn transact(
        &mut self,
        station: Station,
        request: &Request,
        within: Millis,
    ) -> Result<Reply, Broken> {
        // Taken out: whatever goes wrong below, also being cancelled, ends this connection.
        let Some(mut connection) = self.connection.take() else {
            return Err(Broken { fault: ReadFault::Disconnected, sent: false });
        };
        let outcome = match self.endpoint.line() {
            None => self.over_tcp(&mut connection, station, request, within).await,
            Some(line) => self.over_rtu(&mut connection, line, station, request, within).await,
        };
        if matches!(request, Request::Write(_))
            && outcome.as_ref().map_or_else(|broken| broken.sent, |_| true)
        {
            self.wrote_us = self.sent_us;
        }
        let fault = outcome.as_ref().err().map(|broken| broken.fault);
        self.put_back(connection, fault);
        outcome
    }

    /// Keeps the connection where it is still in step.
    fn put_back(&mut self, mut connection: Connection, fault: Option<ReadFault>) {
        let in_step = match fault {
            None | Some(ReadFault::Exception(_)) => true,
            Some(ReadFault::Disconnected) => false,
            Some(_) => self.endpoint.line().is_some(),
        };
        if matches!(fault, None | Some(ReadFault::Exception(_))) {
            connection.proven = true;
            connection.used = clock::uptime();
        }
        if in_step {
            self.connection = Some(connection);
        } else if !connection.proven {
            self.backup = !self.backup;
        }
    }
}

impl Connection {
    /// Sends all of `out`; says in `sent` whether a byte may have left.
    async fn send(&mut self, sent: &mut bool) -> io::Result<()> {
        let mut at = 0;
        while at < self.out.len() {
            let count = self.stream.write(&self.out[at..]).await?;
            if count == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            *sent = true;
            at += count;
        }
        Ok(())
    }
}

#[cfg(test)]
mod rtu_tests;
#[cfg(test)]
mod tests;

//! One request, one reply, one deadline, on one TCP connection.
//!
//! A reply belongs to a request only if the connection, transaction id, unit, function and byte count all
//! match (S20). Only `Client::call` of tokio-modbus is used: its helpers check counts and echoes in debug
//! builds alone. Here both are checked always, and the bytes on the wire are counted besides, so that a
//! reply with something behind it is refused too.
//! Any error but a Modbus exception, a time-out above all, drops the connection: a late reply has nowhere
//! to arrive. A transaction that is cancelled half-way drops it likewise, because the connection is taken out
//! of the `Line` while it is in use.

mod tap;

use std::borrow::Cow;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio_modbus::Slave;
use tokio_modbus::client::{Client as _, Context, tcp};
use tokio_modbus::prelude::{Request, Response, SlaveContext as _};

use self::tap::{Count, Tap};
use crate::clock;
use crate::field::options::Endpoint;
use crate::field::profile::{BITS_PER_READ_MAX, REGISTERS_PER_READ_MAX, Table, Write};
use crate::safety::fact::DriveFault;
use crate::safety::reading::ReadFault;
use crate::units::{Millis, Uptime};

/// The bytes of a Modbus TCP frame before the function code.
const HEADER_BYTES: usize = 7;

/// A link's connection, whether it stands or not.
#[derive(Debug)]
pub struct Line {
    address: String,
    connection: Option<Connection>,
}

struct Connection {
    context: Context,
    count: Arc<Count>,
    /// True once a whole transaction went well on it.
    proven: bool,
    used: Uptime,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("proven", &self.proven).finish_non_exhaustive()
    }
}

impl Line {
    /// A line to this endpoint, not connected yet.
    #[must_use]
    pub fn new(endpoint: &Endpoint) -> Self {
        Self { address: endpoint.place(), connection: None }
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

    /// Connects, unless a connection stands.
    ///
    /// # Errors
    /// The socket's error, `TimedOut` after `within`.
    pub async fn connect(&mut self, within: Millis) -> io::Result<()> {
        if self.connection.is_some() {
            return Ok(());
        }
        let attempt = TcpStream::connect(self.address.as_str());
        let stream = tokio::time::timeout(Duration::from_millis(within.0), attempt)
            .await
            .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
        stream.set_nodelay(true)?;
        let (tap, count) = Tap::new(stream);
        let context = tcp::attach_slave(tap, Slave(0));
        self.connection = Some(Connection { context, count, proven: false, used: clock::uptime() });
        Ok(())
    }

    /// Reads words, or bits as words of 0 and 1.
    ///
    /// # Errors
    /// `Disconnected` without a connection, or if the peer closed it before a byte of the reply came.
    ///
    /// # Panics
    /// If more is asked for than one request may read: plans are made within the limits.
    pub async fn read(
        &mut self,
        unit: u8,
        table: Table,
        address: u16,
        count: u16,
        within: Millis,
    ) -> Result<Vec<u16>, ReadFault> {
        let most = if table.holds_bits() { BITS_PER_READ_MAX } else { REGISTERS_PER_READ_MAX };
        assert!((1..=most).contains(&count), "blocks are planned within what one request may read");
        let request = match table {
            Table::Coil => Request::ReadCoils(address, count),
            Table::Discrete => Request::ReadDiscreteInputs(address, count),
            Table::Input => Request::ReadInputRegisters(address, count),
            Table::Holding => Request::ReadHoldingRegisters(address, count),
        };
        let count = usize::from(count);
        let bytes = if table.holds_bits() { count.div_ceil(8) } else { 2 * count };
        let check = |response, received| {
            if received != HEADER_BYTES + 2 + bytes {
                return Err(ReadFault::Mismatch);
            }
            match (table, response) {
                (Table::Input, Response::ReadInputRegisters(words))
                | (Table::Holding, Response::ReadHoldingRegisters(words))
                    if words.len() == count =>
                {
                    Ok(words)
                }
                (Table::Coil, Response::ReadCoils(bits))
                | (Table::Discrete, Response::ReadDiscreteInputs(bits))
                    if bits.len() == 8 * bytes =>
                {
                    Ok(bits.into_iter().take(count).map(u16::from).collect())
                }
                _ => Err(ReadFault::Mismatch),
            }
        };
        self.transact(unit, request, within, check).await.map_err(|broken| broken.fault)
    }

    /// Reads as `read` does, and once more on a fresh connection if this one had been closed while it lay
    /// idle: some devices do so between two polls. Only for reads, which may be repeated.
    ///
    /// # Errors
    /// As `read`.
    pub async fn read_again(
        &mut self,
        unit: u8,
        place: (Table, u16, u16),
        within: Millis,
        connect_within: Millis,
    ) -> Result<Vec<u16>, ReadFault> {
        let (table, address, count) = place;
        let proven = self.connection.as_ref().is_some_and(|connection| connection.proven);
        let first = self.read(unit, table, address, count, within).await;
        if !(proven && first == Err(ReadFault::Disconnected)) {
            return first;
        }
        self.connect(connect_within).await.map_err(|_| ReadFault::Disconnected)?;
        self.read(unit, table, address, count, within).await
    }

    /// Writes once, and checks that the reply is the echo, byte for byte.
    ///
    /// # Errors
    /// `NotSent` only where no byte has left. The exceptions 5 (accepted, still under way) and 11 (the unit
    /// behind the gateway did not answer) do not say that nothing happened: they count as `NoAnswer`.
    pub async fn write(&mut self, unit: u8, write: &Write, within: Millis) -> Result<(), DriveFault> {
        let request = match write {
            Write::Coil { address, on } => Request::WriteSingleCoil(*address, *on),
            Write::CoilWord { .. } => return Err(DriveFault::NotSent),
            Write::Coils { address, bits } => Request::WriteMultipleCoils(*address, Cow::Borrowed(bits)),
            Write::Register { address, word } => Request::WriteSingleRegister(*address, *word),
            Write::Registers { address, words } => {
                Request::WriteMultipleRegisters(*address, Cow::Borrowed(words))
            }
        };
        let check = |response, received| {
            let echo = match (write, response) {
                (Write::Coil { address, on }, Response::WriteSingleCoil(at, state)) => {
                    (at, state) == (*address, *on)
                }
                (Write::Register { address, word }, Response::WriteSingleRegister(at, echo)) => {
                    (at, echo) == (*address, *word)
                }
                (Write::Registers { address, words }, Response::WriteMultipleRegisters(at, count)) => {
                    at == *address && usize::from(count) == words.len()
                }
                _ => false,
            };
            if echo && received == HEADER_BYTES + 5 { Ok(()) } else { Err(ReadFault::Mismatch) }
        };
        self.transact(unit, request, within, check).await.map_err(|broken| match broken.fault {
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

    /// One request and its reply. `check` sees the reply and how many bytes came.
    async fn transact<T>(
        &mut self,
        unit: u8,
        request: Request<'_>,
        within: Millis,
        check: impl FnOnce(Response, usize) -> Result<T, ReadFault>,
    ) -> Result<T, Broken> {
        // Taken out: whatever goes wrong below, also being cancelled, ends this connection.
        let Some(mut connection) = self.connection.take() else {
            return Err(Broken { fault: ReadFault::Disconnected, sent: false });
        };
        connection.count.start();
        connection.context.set_slave(Slave(unit));
        let call = connection.context.call(request);
        let reply = tokio::time::timeout(Duration::from_millis(within.0), call).await;
        let count = &connection.count;
        let outcome = match reply {
            Err(_) => Err(ReadFault::Timeout),
            Ok(Err(tokio_modbus::Error::Transport(error))) => Err(transport_fault(&error, count)),
            Ok(Ok(Err(code))) if count.received() == HEADER_BYTES + 2 => {
                Err(ReadFault::Exception(code.into()))
            }
            Ok(Err(tokio_modbus::Error::Protocol(_)) | Ok(Err(_))) => Err(ReadFault::Mismatch),
            Ok(Ok(Ok(response))) => check(response, count.received()),
        };
        let sent = 0 < count.sent();
        if matches!(outcome, Ok(_) | Err(ReadFault::Exception(_))) {
            connection.proven = true;
            connection.used = clock::uptime();
            self.connection = Some(connection);
        }
        outcome.map_err(|fault| Broken { fault, sent })
    }
}

/// Why a transaction failed, and whether a byte of it may have left.
struct Broken {
    fault: ReadFault,
    sent: bool,
}

/// The text of these errors says nothing (a closed peer reads "Success"): what arrived decides.
fn transport_fault(error: &io::Error, count: &Count) -> ReadFault {
    let cut_short = count.is_closed() && 0 < count.received();
    match error.kind() {
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::UnexpectedEof => {
            ReadFault::Malformed
        }
        _ if cut_short => ReadFault::Malformed,
        _ => ReadFault::Disconnected,
    }
}

#[cfg(test)]
mod tests;

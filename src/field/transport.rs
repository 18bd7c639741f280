//! What bytes travel on: TCP, TLS or a serial port. Opened whole within a deadline, or not at all.

mod serial;
mod silence;
mod tls;

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::field::options::{Addresses, Endpoint};
use crate::units::Millis;

pub use silence::Silence;
pub use tls::role_in;

/// How long the kernel keeps sending what the peer does not acknowledge: a peer that vanished without a word
/// is noticed, also while nothing is asked of it.
const UNACKNOWLEDGED: Duration = Duration::from_secs(5);

/// An open way to the devices of a link.
#[derive(Debug)]
pub enum Stream {
    /// A TCP connection.
    Tcp(TcpStream),
    /// The same, in TLS.
    Tls(Box<tokio_rustls::client::TlsStream<TcpStream>>),
    /// A serial port.
    Serial(serial::Port),
}

impl Stream {
    /// Opens the way to an endpoint; `backup` takes its second address, where it has one.
    ///
    /// # Errors
    /// What the socket, the port or TLS says, with the place; `TimedOut` after `within`.
    pub async fn open(endpoint: &Endpoint, backup: bool, within: Millis) -> io::Result<Self> {
        let attempt = async {
            match endpoint {
                Endpoint::Tcp(addresses) | Endpoint::RtuOverTcp { addresses, .. } => {
                    tcp(of(addresses, backup)).await.map(Self::Tcp)
                }
                Endpoint::Tls { addresses, tls } => {
                    let address = of(addresses, backup);
                    let stream = tcp(address).await?;
                    tls::secured(stream, address, tls).await.map(|stream| Self::Tls(Box::new(stream)))
                }
                Endpoint::Serial { path, line, rs485 } => {
                    serial::Port::open(path, *line, *rs485).map(Self::Serial)
                }
            }
        };
        let attempt = tokio::time::timeout(Duration::from_millis(within.0), attempt);
        attempt.await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
    }

    /// Appends what came; 0 means that the peer closed.
    ///
    /// # Errors
    /// As the socket or the port.
    pub async fn read(&mut self, bytes: &mut Vec<u8>) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read_buf(bytes).await,
            Self::Tls(stream) => stream.read_buf(bytes).await,
            Self::Serial(port) => port.read(bytes).await,
        }
    }

    /// Sends some of these bytes; says how many.
    ///
    /// # Errors
    /// As the socket or the port.
    pub async fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(bytes).await,
            Self::Tls(stream) => {
                let sent = stream.write(bytes).await?;
                stream.flush().await?;
                Ok(sent)
            }
            Self::Serial(port) => port.write(bytes).await,
        }
    }
}

fn of(addresses: &Addresses, backup: bool) -> &str {
    addresses.backup.as_deref().filter(|_| backup).unwrap_or(&addresses.primary)
}

async fn tcp(address: &str) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    // Only noticed later without it: every transaction has a deadline of its own.
    let unacknowledged = u32::try_from(UNACKNOWLEDGED.as_millis()).unwrap_or(u32::MAX);
    _ = rustix::net::sockopt::set_tcp_user_timeout(&stream, unacknowledged);
    Ok(stream)
}

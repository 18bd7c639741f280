//! The room as RTU: on a pseudo terminal, paced like a line of its baud rate, and in TCP as serial servers do.
//!
//! Framing is written here anew, not taken from the field, so that a fault of one cannot hide in the other. A
//! request is complete when its function says so and its checksum fits; bytes that fit nothing are dropped at
//! the next silence. Requests to nobody, or with a broken checksum, get no answer: so does a real bus.

use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_modbus::{ExceptionCode, Request, Response};
use tokio_util::sync::CancellationToken;

use super::server::answer;
use crate::sim::Shared;

/// The longest frame: unit, protocol data unit, checksum.
const FRAME_BYTES_MAX: usize = 256;

/// Bits of a byte on the line: start, eight data, parity or second stop, stop.
const BITS_PER_BYTE: u64 = 11;

/// How long a device thinks.
const TURNAROUND: Duration = Duration::from_millis(5);

/// A pause after which what came is no frame: far longer than 3.5 bytes, because the kernel hands over late.
const SILENCE: Duration = Duration::from_millis(50);

/// Bytes that are handed over together: a line of 9600 baud has them in about 9 ms.
const CHUNK_BYTES: usize = 8;

/// Clients of a serial server at a time.
const CLIENTS_MAX: usize = 8;

/// A pseudo terminal; the other end is a serial port for whoever opens it.
#[derive(Debug)]
pub struct Pty {
    master: AsyncFd<OwnedFd>,
    /// Held open, so that the line does not hang up between two clients.
    _slave: std::fs::File,
    path: PathBuf,
}

impl Pty {
    /// Opens one, without echo or any translation.
    ///
    /// # Errors
    /// Those of the system: no pseudo terminals left, for instance. Needs a tokio runtime.
    pub fn open() -> io::Result<Self> {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        grantpt(&master)?;
        unlockpt(&master)?;
        let name = ptsname(&master, Vec::new())?;
        let path = PathBuf::from(name.into_string().map_err(io::Error::other)?);
        let slave = std::fs::OpenOptions::new().read(true).write(true).open(&path)?;
        let mut settings = tcgetattr(&slave)?;
        settings.make_raw();
        tcsetattr(&slave, OptionalActions::Now, &settings)?;
        rustix::io::ioctl_fionbio(&master, true)?;
        #[expect(deprecated, reason = "sound here: the descriptor is owned, and never lent out by safe code")]
        let master = AsyncFd::new(master)?;
        Ok(Self { master, _slave: slave, path })
    }

    /// Where clients find it.
    #[must_use]
    pub fn path(&self) -> &std::path::Path {
        &self.path
    }

    async fn read(&self, bytes: &mut [u8]) -> io::Result<usize> {
        loop {
            let mut ready = self.master.readable().await?;
            let read = ready.try_io(|master| Ok(rustix::io::read(master.get_ref(), &mut *bytes)?));
            if let Ok(done) = read {
                return done;
            }
        }
    }

    async fn write_all(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let mut ready = self.master.writable().await?;
            let write = ready.try_io(|master| Ok(rustix::io::write(master.get_ref(), bytes)?));
            if let Ok(done) = write {
                bytes = &bytes[done?..];
            }
        }
        Ok(())
    }
}

/// Serves the room on a pseudo terminal until the stop, at this many bits per second.
pub(super) async fn serve_pty(pty: Pty, baud: u32, shared: Arc<Shared>, stop: CancellationToken) {
    let serve = async {
        let mut got = Vec::new();
        let mut chunk = [0; FRAME_BYTES_MAX];
        loop {
            let Some(count) = heard(&mut got, pty.read(&mut chunk)).await? else { continue };
            got.extend_from_slice(&chunk[..count]);
            while let Some(frame) = take_frame(&mut got) {
                // The kernel hands a request over at once; on a line it takes its time.
                tokio::time::sleep(on_line(frame.len(), baud)).await;
                let Some(reply) = reply_to(&frame, &shared) else { continue };
                tokio::time::sleep(TURNAROUND).await;
                for part in reply.chunks(CHUNK_BYTES) {
                    tokio::time::sleep(on_line(part.len(), baud)).await;
                    pty.write_all(part).await?;
                }
            }
        }
    };
    let ended: Option<io::Result<()>> = tokio::select! {
        ended = serve => Some(ended),
        () = stop.cancelled() => None,
    };
    if let Some(Err(error)) = ended {
        tracing::warn!(%error, path = %pty.path.display(), "the simulated serial line ended");
    }
}

/// Serves the room as RTU in TCP until the stop.
pub(super) async fn serve_tcp(listener: TcpListener, shared: Arc<Shared>, stop: CancellationToken) {
    let places = Arc::new(Semaphore::new(CLIENTS_MAX));
    let mut clients = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            Some(_) = clients.join_next() => {}
            accepted = listener.accept() => {
                let (Ok((stream, _)), Ok(place)) = (accepted, Arc::clone(&places).try_acquire_owned()) else {
                    // A client too many is hung up on; so does a serial server.
                    tokio::time::sleep(SILENCE).await;
                    continue;
                };
                let shared = Arc::clone(&shared);
                clients.spawn(async move {
                    if let Err(error) = serve_client(stream, &shared).await {
                        tracing::debug!(%error, "a client of the simulated serial server ended");
                    }
                    drop(place);
                });
            }
        }
    }
    clients.abort_all();
}

async fn serve_client(mut stream: TcpStream, shared: &Shared) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut got = Vec::new();
    let mut chunk = [0; FRAME_BYTES_MAX];
    loop {
        let Some(count) = heard(&mut got, stream.read(&mut chunk)).await? else { continue };
        if count == 0 {
            return Ok(());
        }
        got.extend_from_slice(&chunk[..count]);
        while let Some(frame) = take_frame(&mut got) {
            if let Some(reply) = reply_to(&frame, shared) {
                tokio::time::sleep(TURNAROUND).await;
                stream.write_all(&reply).await?;
            }
        }
    }
}

/// What `read` brings; `None` after a silence, which also ends what had begun to come.
async fn heard(
    got: &mut Vec<u8>,
    read: impl Future<Output = io::Result<usize>>,
) -> io::Result<Option<usize>> {
    if got.is_empty() {
        return read.await.map(Some);
    }
    if let Ok(count) = tokio::time::timeout(SILENCE, read).await {
        return count.map(Some);
    }
    got.clear();
    Ok(None)
}

fn on_line(bytes: usize, baud: u32) -> Duration {
    Duration::from_micros(bytes as u64 * BITS_PER_BYTE * 1_000_000 / u64::from(baud.max(1)))
}

/// Takes the first whole request from the bytes that came. Without its checksum it goes, unanswered.
fn take_frame(got: &mut Vec<u8>) -> Option<Vec<u8>> {
    let length = request_length(got)?;
    if length <= got.len() {
        let frame: Vec<u8> = got.drain(..length).collect();
        if crc(&frame) == 0 {
            return Some(frame);
        }
        got.clear();
    } else if FRAME_BYTES_MAX < length {
        got.clear();
    }
    None
}

/// How long the request that begins here is, checksum included; `None` while that cannot be told.
fn request_length(got: &[u8]) -> Option<usize> {
    Some(match got.get(1)? {
        1..=6 => 8,
        7 | 11 | 12 | 17 => 4,
        15 | 16 => 9 + usize::from(*got.get(6)?),
        43 => 7,
        // Another function: all that came is taken for it.
        _ => got.len().max(4),
    })
}

fn reply_to(frame: &[u8], shared: &Shared) -> Option<Vec<u8>> {
    let (unit, function) = (frame[0], frame[1]);
    if shared.room().is_silent(unit) {
        return None;
    }
    let outcome = match request(frame) {
        Some(request) => answer(shared, unit, request),
        // Whether anybody is there shows at a read that is always allowed to fail.
        None => match answer(shared, unit, Request::ReadCoils(0, 1)) {
            Err(ExceptionCode::GatewayTargetDevice) => return None,
            _ => Err(ExceptionCode::IllegalFunction),
        },
    };
    let mut reply = vec![unit];
    match outcome {
        // A gateway would say so; on the bus itself nobody does.
        Err(ExceptionCode::GatewayTargetDevice) => return None,
        Err(code) => reply.extend([function | 0x80, code.into()]),
        Ok(response) => encode(function, &response, &mut reply)?,
    }
    let sum = crc(&reply).to_le_bytes();
    reply.extend(sum);
    Some(reply)
}

fn request(frame: &[u8]) -> Option<Request<'static>> {
    let word = |at: usize| Some(u16::from_be_bytes([*frame.get(at)?, *frame.get(at + 1)?]));
    let (address, second) = (word(2)?, word(4)?);
    Some(match frame[1] {
        1 => Request::ReadCoils(address, second),
        2 => Request::ReadDiscreteInputs(address, second),
        3 => Request::ReadHoldingRegisters(address, second),
        4 => Request::ReadInputRegisters(address, second),
        5 if matches!(second, 0 | 0xFF00) => Request::WriteSingleCoil(address, second == 0xFF00),
        15 => {
            let packed = frame.get(7..frame.len().checked_sub(2)?)?;
            let bits = (0..usize::from(second)).map(|bit| Some(packed.get(bit / 8)? >> (bit % 8) & 1 == 1));
            Request::WriteMultipleCoils(address, bits.collect::<Option<Vec<bool>>>()?.into())
        }
        _ => return None,
    })
}

/// Appends function and data; `None` for what the room never says.
fn encode(function: u8, response: &Response, reply: &mut Vec<u8>) -> Option<()> {
    reply.push(function);
    match response {
        Response::ReadCoils(bits) | Response::ReadDiscreteInputs(bits) => {
            reply.push(u8::try_from(bits.len().div_ceil(8)).ok()?);
            reply.extend(
                bits.chunks(8)
                    .map(|eight| (0..).zip(eight).fold(0, |byte, (at, bit)| byte | u8::from(*bit) << at)),
            );
        }
        Response::ReadHoldingRegisters(words) | Response::ReadInputRegisters(words) => {
            reply.push(u8::try_from(2 * words.len()).ok()?);
            reply.extend(words.iter().flat_map(|word| word.to_be_bytes()));
        }
        Response::WriteSingleCoil(address, on) => {
            reply.extend(address.to_be_bytes());
            reply.extend([if *on { 0xFF } else { 0 }, 0]);
        }
        Response::WriteMultipleCoils(address, count) => {
            reply.extend(address.to_be_bytes());
            reply.extend(count.to_be_bytes());
        }
        _ => return None,
    }
    Some(())
}

/// The checksum of Modbus RTU: zero over a frame that carries its own.
fn crc(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0xFFFF, |sum, byte| {
        (0..8).fold(sum ^ u16::from(*byte), |sum, _| if sum & 1 == 1 { sum >> 1 ^ 0xA001 } else { sum >> 1 })
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::sync::Mutex;

    use super::*;
    use crate::sim::{Room, Scenario};

    fn shared() -> Shared {
        Shared { room: Mutex::new(Room::new(1, Scenario::calm())), writes: Mutex::default() }
    }

    fn framed(bytes: &[u8]) -> Vec<u8> {
        [bytes, &crc(bytes).to_le_bytes()].concat()
    }

    #[test]
    fn the_checksum_is_that_of_the_specification() {
        // The example of the serial line guide: 02 07 has the checksum 41 12.
        assert_eq!(framed(&[2, 7]), [2, 7, 0x41, 0x12]);
        assert_eq!(crc(&framed(&[1, 3, 0, 0, 0, 1])), 0);
    }

    #[test]
    fn a_request_is_taken_when_it_is_whole_and_only_with_its_checksum() {
        let frame = framed(&[1, 3, 0, 0, 0, 2]);
        for cut in 0..frame.len() {
            let mut got = frame[..cut].to_vec();
            assert_eq!(take_frame(&mut got), None);
            got.extend(&frame[cut..]);
            assert_eq!(take_frame(&mut got).unwrap(), frame);
            assert!(got.is_empty());
        }
        let mut broken = frame.clone();
        broken[3] ^= 1;
        assert_eq!(take_frame(&mut broken), None);
        assert!(broken.is_empty());
    }

    #[test]
    fn units_answer_on_the_bus_and_nobody_answers_for_those_who_are_not_there() {
        let shared = shared();
        let reply = reply_to(&framed(&[1, 3, 0, 13, 0, 2]), &shared).unwrap();
        assert_eq!((crc(&reply), &reply[..7]), (0, &[1, 3, 4, 0, 1, 0, 1][..]));
        assert_eq!(reply_to(&framed(&[1, 3, 0, 99, 0, 1]), &shared).unwrap()[..3], [1, 0x83, 2]);
        assert_eq!(reply_to(&framed(&[40, 2, 0, 0, 0, 8]), &shared).unwrap()[..4], [40, 2, 1, 0b1_1111]);
        assert_eq!(reply_to(&framed(&[1, 17]), &shared).unwrap()[..3], [1, 0x91, 1]);
        assert_eq!(reply_to(&framed(&[9, 17]), &shared), None);
        assert_eq!(reply_to(&framed(&[99, 3, 0, 0, 0, 1]), &shared), None);
        let written = reply_to(&framed(&[40, 15, 0, 6, 0, 2, 1, 0b10]), &shared).unwrap();
        assert_eq!(written[..6], [40, 15, 0, 6, 0, 2]);
        assert_eq!(reply_to(&framed(&[40, 1, 0, 6, 0, 2]), &shared).unwrap()[..4], [40, 1, 1, 0b10]);
    }
}

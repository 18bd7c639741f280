//! The door: how many connections there are, how long a line may be, and how long each may keep us waiting.
//!
//! When all places are taken, the oldest connection that has not logged in gives way: idle sockets in any number cannot
//! keep out the machines that must be told. Those that have logged in keep their place.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::nut::dialogue::{Dialogue, House, Then};
use crate::nut::options::NutOptions;
use crate::nut::parse::LINE_BYTES_MAX;
use crate::nut::{HANDSHAKE_WITHIN, READ_WITHIN, WRONG_MAX, WRONG_WAITS, tls};

/// Time to wait when the machine has no more sockets.
const ACCEPT_AGAIN_AFTER: Duration = Duration::from_millis(200);

/// One connection, as others see it.
#[derive(Debug)]
struct Line {
    logged_in: AtomicBool,
    give_way: CancellationToken,
}

/// Takes connections in, within bounds, for ever.
pub(super) async fn serve(
    listener: TcpListener,
    options: Arc<NutOptions>,
    house: Arc<House>,
    stop: CancellationToken,
) {
    let mut lines: VecDeque<Weak<Line>> = VecDeque::new();
    let mut clients = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, remote)) => {
                    if let Some(line) = place(&mut lines, options.connections_max, &stop) {
                        let (options, house) = (Arc::clone(&options), Arc::clone(&house));
                        clients.spawn(client(stream, remote, options, house, line));
                    } else {
                        tracing::warn!(%remote, "all places of the NUT server are taken by machines that logged in");
                    }
                }
                // Either the peer has gone again, or there are no more sockets: the latter needs time.
                Err(_) => sleep(ACCEPT_AGAIN_AFTER).await,
            },
            Some(ended) = clients.join_next() => {
                if let Err(fault) = ended {
                    tracing::error!(%fault, "the talk with a NUT client ended by a bug");
                }
            }
        }
    }
}

/// A place for a newcomer, if there is one or somebody gives way.
fn place(lines: &mut VecDeque<Weak<Line>>, most: usize, stop: &CancellationToken) -> Option<Arc<Line>> {
    lines.retain(|line| 0 < line.strong_count());
    if most <= lines.len() {
        let idle =
            |line: &Weak<Line>| line.upgrade().is_some_and(|line| !line.logged_in.load(Ordering::Relaxed));
        let oldest = lines.iter().position(idle)?;
        let line = lines.remove(oldest)?.upgrade();
        line.inspect(|line| line.give_way.cancel());
    }
    let line = Arc::new(Line { logged_in: AtomicBool::new(false), give_way: stop.child_token() });
    lines.push_back(Arc::downgrade(&line));
    Some(line)
}

async fn client(
    stream: TcpStream,
    remote: SocketAddr,
    options: Arc<NutOptions>,
    house: Arc<House>,
    line: Arc<Line>,
) {
    let ip = remote.ip().to_canonical();
    let must_secure = !options.allow_plaintext && !ip.is_loopback();
    let mut dialogue = Dialogue::new(house, ip, must_secure);
    let talk = async {
        let mut stream = BufReader::with_capacity(LINE_BYTES_MAX, stream);
        if talk(&mut stream, &mut dialogue, &options, &line).await? == End::Over {
            return Ok(());
        }
        // What was sent in plain text after the word cannot be meant to be believed afterwards.
        let Some(files) = options.tls.as_ref().filter(|_| stream.buffer().is_empty()) else { return Ok(()) };
        let secure = timeout(HANDSHAKE_WITHIN, tls::accept(stream.into_inner(), files)).await??;
        dialogue.secured();
        let mut stream = BufReader::with_capacity(LINE_BYTES_MAX, secure);
        talk(&mut stream, &mut dialogue, &options, &line).await.map(|_| ())
    };
    let ended: Option<io::Result<()>> = tokio::select! {
        ended = talk => Some(ended),
        () = line.give_way.cancelled() => None,
    };
    match ended {
        Some(Err(fault)) => tracing::debug!(%remote, %fault, "a NUT client went"),
        None => tracing::debug!(%remote, "a NUT client gave way, or the server stops"),
        Some(Ok(())) => {}
    }
}

/// How a talk ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// For good.
    Over,
    /// To go on in TLS.
    Secure,
}

async fn talk<S>(
    stream: &mut BufReader<S>,
    dialogue: &mut Dialogue,
    options: &NutOptions,
    line: &Line,
) -> io::Result<End>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let idle = Duration::from_millis(options.idle_timeout.0);
    let mut wrong = 0;
    loop {
        let Some(text) = timeout(idle, read_line(stream)).await?? else { return Ok(End::Over) };
        let (answer, then) = dialogue.answer(&text);
        line.logged_in.store(dialogue.has_logged_in(), Ordering::Relaxed);
        if then == Then::Wait {
            wrong += 1;
            sleep(WRONG_WAITS).await;
        }
        let send = async {
            stream.write_all(answer.as_bytes()).await?;
            stream.flush().await
        };
        timeout(READ_WITHIN, send).await??;
        match then {
            Then::GoOn => {}
            Then::Wait if wrong < WRONG_MAX => {}
            Then::Wait | Then::Leave => return Ok(End::Over),
            Then::Secure => return Ok(End::Secure),
        }
    }
}

/// One line without its end; `None` at the end of the stream. A line that is too long, or no text, is an error.
async fn read_line<S: AsyncRead + Unpin>(stream: &mut BufReader<S>) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    loop {
        let buffer = stream.fill_buf().await?;
        if buffer.is_empty() {
            return Ok(None);
        }
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let part = end.unwrap_or(buffer.len());
        if LINE_BYTES_MAX < line.len() + part {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the line is too long"));
        }
        line.extend_from_slice(&buffer[..part]);
        stream.consume(end.map_or(part, |end| end + 1));
        if end.is_some() {
            if line.last() == Some(&b'\r') {
                line.pop();
            }
            let text = String::from_utf8(line);
            return text
                .map(Some)
                .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "the line is no text"));
        }
    }
}

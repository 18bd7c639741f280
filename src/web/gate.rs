//! The door: how many connections there are, and how long each may keep us waiting.
//!
//! A connection waits for the head of its request, is busy with it, and ends. While it waits it can be closed:
//! after `HEAD_WITHIN`, at the stop, or because a newcomer needs its place. That is how idle sockets in any
//! number cannot keep the page from those who have something to ask.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Sleep, sleep};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use crate::web::{CONNECTIONS_MAX, HEAD_BYTES_MAX, HEAD_WITHIN, READ_WITHIN};

/// Time to wait when the machine has no more sockets.
const ACCEPT_AGAIN_AFTER: Duration = Duration::from_millis(200);

/// Takes connections in, within bounds.
#[derive(Debug)]
pub(super) struct Gate {
    listener: TcpListener,
    lines: VecDeque<Weak<Line>>,
    stop: CancellationToken,
}

/// One connection, as others see it.
#[derive(Debug)]
pub(super) struct Line {
    busy: AtomicBool,
    give_way: CancellationToken,
}

impl Line {
    /// From now on its request is being served: it no longer has to give way.
    pub(super) fn head_is_complete(&self) {
        self.busy.store(true, Ordering::Relaxed);
    }

    fn is_waiting(&self) -> bool {
        !self.busy.load(Ordering::Relaxed)
    }
}

/// What handlers know of a connection.
#[derive(Clone, Debug)]
pub(super) struct Peer {
    /// Where the request comes from.
    pub(super) remote: IpAddr,
    /// The address of ours that it came to.
    pub(super) local: IpAddr,
    /// The connection itself.
    pub(super) line: Arc<Line>,
}

impl Connected<IncomingStream<'_, Gate>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Gate>) -> Self {
        let wire = stream.io();
        // Without an address of ours only loopback names pass, which is the narrow side.
        let local = wire.stream.local_addr().map_or(IpAddr::from([127, 0, 0, 1]), |local| local.ip());
        Self {
            remote: stream.remote_addr().ip().to_canonical(),
            local: local.to_canonical(),
            line: Arc::clone(&wire.line),
        }
    }
}

impl Gate {
    pub(super) const fn new(listener: TcpListener, stop: CancellationToken) -> Self {
        Self { listener, lines: VecDeque::new(), stop }
    }

    /// A place for a newcomer, if there is one or somebody gives way.
    fn place(&mut self) -> Option<Arc<Line>> {
        self.lines.retain(|line| 0 < line.strong_count());
        if CONNECTIONS_MAX <= self.lines.len() {
            let waiting = |line: &Weak<Line>| line.upgrade().is_some_and(|line| line.is_waiting());
            let oldest = self.lines.iter().position(waiting)?;
            let line = self.lines.remove(oldest)?.upgrade();
            line.inspect(|line| line.give_way.cancel());
        }
        let line = Arc::new(Line { busy: AtomicBool::new(false), give_way: self.stop.child_token() });
        self.lines.push_back(Arc::downgrade(&line));
        Some(line)
    }
}

impl Listener for Gate {
    type Io = Wire;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Wire, SocketAddr) {
        loop {
            let Ok((stream, remote)) = self.listener.accept().await else {
                // Either the peer has gone again, or there are no more sockets: the latter needs time.
                sleep(ACCEPT_AGAIN_AFTER).await;
                continue;
            };
            if let Some(line) = self.place() {
                return (Wire::new(stream, line), remote);
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A connection that does not wait for ever.
#[derive(Debug)]
pub(super) struct Wire {
    stream: TcpStream,
    line: Arc<Line>,
    head_bytes: usize,
    head_late: Pin<Box<Sleep>>,
    give_way: Pin<Box<WaitForCancellationFutureOwned>>,
    unread: Option<Pin<Box<Sleep>>>,
}

impl Wire {
    fn new(stream: TcpStream, line: Arc<Line>) -> Self {
        let give_way = Box::pin(line.give_way.clone().cancelled_owned());
        let head_late = Box::pin(sleep(HEAD_WITHIN));
        Self { stream, line, head_bytes: 0, head_late, give_way, unread: None }
    }

    fn has_waited_enough(&mut self, cx: &mut Context<'_>) -> bool {
        self.line.is_waiting()
            && (HEAD_BYTES_MAX <= self.head_bytes
                || self.head_late.as_mut().poll(cx).is_ready()
                || self.give_way.as_mut().poll(cx).is_ready())
    }

    /// Passes a write on, unless the client has read nothing for too long.
    fn within<T>(&mut self, cx: &mut Context<'_>, write: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if write.is_ready() {
            self.unread = None;
            return write;
        }
        let unread = self.unread.get_or_insert_with(|| Box::pin(sleep(READ_WITHIN)));
        ready!(unread.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let me = self.get_mut();
        if me.has_waited_enough(cx) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut me.stream).poll_read(cx, buf))?;
        me.head_bytes = me.head_bytes.saturating_add(buf.filled().len() - before);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let me = self.get_mut();
        let write = Pin::new(&mut me.stream).poll_write(cx, buf);
        me.within(cx, write)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let me = self.get_mut();
        let write = Pin::new(&mut me.stream).poll_write_vectored(cx, bufs);
        me.within(cx, write)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

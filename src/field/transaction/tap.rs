//! A socket that counts: how many bytes of this transaction left, how many came, and whether the peer closed.
//! It ends a reply that is longer than any Modbus frame.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// The longest Modbus TCP frame.
const FRAME_BYTES_MAX: usize = 260;

/// What passed since the transaction began. Written and read by the one task that owns the line.
#[derive(Debug, Default)]
pub(super) struct Count {
    sent: AtomicUsize,
    received: AtomicUsize,
    closed: AtomicBool,
}

impl Count {
    pub(super) fn start(&self) {
        self.sent.store(0, Relaxed);
        self.received.store(0, Relaxed);
    }

    pub(super) fn sent(&self) -> usize {
        self.sent.load(Relaxed)
    }

    pub(super) fn received(&self) -> usize {
        self.received.load(Relaxed)
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Relaxed)
    }
}

#[derive(Debug)]
pub(super) struct Tap {
    stream: TcpStream,
    count: Arc<Count>,
}

impl Tap {
    pub(super) fn new(stream: TcpStream) -> (Self, Arc<Count>) {
        let count = Arc::new(Count::default());
        (Self { stream, count: Arc::clone(&count) }, count)
    }
}

impl AsyncRead for Tap {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let (before, room) = (buf.filled().len(), buf.remaining());
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        let came = buf.filled().len() - before;
        if came == 0 && 0 < room {
            self.count.closed.store(true, Relaxed);
        }
        let received = self.count.received.fetch_add(came, Relaxed) + came;
        if FRAME_BYTES_MAX < received {
            return Poll::Ready(Err(io::Error::from(io::ErrorKind::InvalidData)));
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Tap {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let left = ready!(Pin::new(&mut self.stream).poll_write(cx, buf))?;
        self.count.sent.fetch_add(left, Relaxed);
        Poll::Ready(Ok(left))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

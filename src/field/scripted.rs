//! A Modbus TCP server for tests that does whatever a test tells it, byte by byte. Written by hand, so that
//! a fault of the codec cannot hide on both sides.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) raw: Vec<u8>,
}

impl Asked {
    pub(crate) fn unit(&self) -> u8 {
        self.raw[6]
    }

    pub(crate) fn function(&self) -> u8 {
        self.raw[7]
    }

    pub(crate) fn address(&self) -> u16 {
        u16::from_be_bytes([self.raw[8], self.raw[9]])
    }

    pub(crate) fn count(&self) -> u16 {
        u16::from_be_bytes([self.raw[10], self.raw[11]])
    }

    pub(crate) fn writes(&self) -> bool {
        matches!(self.function(), 5 | 6 | 15 | 16)
    }

    /// A reply to this request with this function code and what follows it.
    pub(crate) fn reply(&self, function: u8, rest: &[u8]) -> Vec<u8> {
        let length = u16::try_from(rest.len() + 2).unwrap().to_be_bytes();
        let head = [self.raw[0], self.raw[1], 0, 0, length[0], length[1], self.unit(), function];
        [&head, rest].concat()
    }

    pub(crate) fn words(&self, words: &[u16]) -> Vec<u8> {
        let mut rest = vec![u8::try_from(words.len() * 2).unwrap()];
        rest.extend(words.iter().flat_map(|word| word.to_be_bytes()));
        self.reply(self.function(), &rest)
    }

    pub(crate) fn exception(&self, code: u8) -> Vec<u8> {
        self.reply(self.function() | 0x80, &[code])
    }

    /// What a good device says: each register holds its own address, each bit is 1, writes are echoed.
    pub(crate) fn good(&self) -> Vec<u8> {
        match self.function() {
            1 | 2 => {
                let bytes = usize::from(self.count().div_ceil(8));
                let mut rest = vec![u8::try_from(bytes).unwrap()];
                rest.extend(std::iter::repeat_n(0xFF, bytes));
                self.reply(self.function(), &rest)
            }
            3 | 4 => {
                let words: Vec<u16> = (self.address()..self.address() + self.count()).collect();
                self.words(&words)
            }
            5 | 6 | 15 | 16 => self.reply(self.function(), &self.raw[8..12]),
            _ => self.exception(1),
        }
    }
}

/// What the server does with one request.
pub(crate) enum Act {
    Send(Vec<u8>),
    /// One byte at a time.
    Trickle(Vec<u8>),
    After(Duration, Vec<u8>),
    /// One byte each time this has passed.
    Every(Duration, Vec<u8>),
    /// This, and then a reset.
    Reset(Vec<u8>),
    /// This, and then zeros for ever.
    Endless(Vec<u8>),
    Silence,
    /// This, and then the end.
    Close(Vec<u8>),
}

/// The server. It ends with the test's runtime.
#[derive(Clone)]
pub(crate) struct Scripted {
    pub(crate) address: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

type Script = Arc<Mutex<dyn FnMut(&Asked) -> Act + Send>>;

impl Scripted {
    pub(crate) async fn start(script: impl FnMut(&Asked) -> Act + Send + 'static) -> Self {
        Self::start_at("127.0.0.1:0", script).await
    }

    pub(crate) async fn start_at(address: &str, script: impl FnMut(&Asked) -> Act + Send + 'static) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let server = Self { address: listener.local_addr().unwrap().to_string(), asked: Arc::default() };
        let asked = Arc::clone(&server.asked);
        let script: Script = Arc::new(Mutex::new(script));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&script), Arc::clone(&asked)));
            }
        });
        server
    }

    /// An address where nobody listens.
    pub(crate) async fn nowhere() -> String {
        TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().to_string()
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    pub(crate) fn writes(&self) -> usize {
        self.asked().iter().filter(|asked| asked.writes()).count()
    }
}

async fn serve(mut stream: TcpStream, script: Script, log: Arc<Mutex<Vec<Asked>>>) {
    stream.set_nodelay(true).unwrap();
    let mut head = [0; 6];
    while stream.read_exact(&mut head).await.is_ok() {
        let mut rest = vec![0; usize::from(u16::from_be_bytes([head[4], head[5]]))];
        if stream.read_exact(&mut rest).await.is_err() {
            return;
        }
        let asked = Asked { raw: [&head[..], &rest].concat() };
        log.lock().unwrap().push(asked.clone());
        let act = (script.lock().unwrap())(&asked);
        let done = match act {
            Act::Send(bytes) => stream.write_all(&bytes).await,
            Act::Silence => Ok(()),
            Act::After(wait, bytes) => {
                tokio::time::sleep(wait).await;
                stream.write_all(&bytes).await
            }
            Act::Trickle(bytes) => {
                for byte in bytes {
                    stream.write_all(&[byte]).await.ok();
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                Ok(())
            }
            Act::Every(wait, bytes) => {
                for byte in bytes {
                    tokio::time::sleep(wait).await;
                    if stream.write_all(&[byte]).await.is_err() {
                        return;
                    }
                }
                Ok(())
            }
            Act::Reset(bytes) => {
                stream.write_all(&bytes).await.ok();
                // Closing with nothing lingering resets the connection.
                let linger = Some(Duration::ZERO);
                rustix::net::sockopt::set_socket_linger(&stream, linger).unwrap();
                return;
            }
            Act::Endless(bytes) => {
                stream.write_all(&bytes).await.ok();
                while stream.write_all(&[0; 512]).await.is_ok() {}
                return;
            }
            Act::Close(bytes) => {
                stream.write_all(&bytes).await.ok();
                return;
            }
        };
        if done.is_err() {
            return;
        }
    }
}

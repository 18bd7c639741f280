//! A battery box with two contactors, over Modbus TCP: it keeps what it was told, and when it was read.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use emberwatch::clock;
use emberwatch::units::{Millis, Uptime};

/// From the command to the contactor's move.
const TRAVEL: Millis = Millis(60);

/// What the box is, and what it saw.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// Heat and gas: both channels of the vote.
    burns: bool,
    /// Contactors that do not move.
    stuck: [bool; 2],
    /// When each is open.
    open_at: [Option<Uptime>; 2],
    /// Coils that were written, in order, and whether the first contactor was open then.
    pub(crate) writes: Vec<(u16, bool)>,
    pub(crate) reads: u64,
}

/// The box; it ends when dropped.
pub(crate) struct Plant {
    state: Arc<Mutex<State>>,
    pub(crate) port: u16,
    over: Arc<AtomicBool>,
}

impl Plant {
    pub(crate) fn start(stuck: [bool; 2]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a port");
        let port = listener.local_addr().expect("it is bound").port();
        let state = Arc::new(Mutex::new(State { stuck, ..State::default() }));
        let over = Arc::new(AtomicBool::new(false));
        let (shared, ended) = (Arc::clone(&state), Arc::clone(&over));
        std::thread::spawn(move || {
            // Each daemon connects once or twice; the box ends by a connection of its own.
            for stream in listener.incoming() {
                if ended.load(Ordering::Relaxed) {
                    return;
                }
                let (shared, Ok(stream)) = (Arc::clone(&shared), stream) else { continue };
                std::thread::spawn(move || serve(&shared, stream));
            }
        });
        Self { state, port, over }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        locked(&self.state)
    }

    pub(crate) fn burn(&self) {
        self.state().burns = true;
    }
}

impl Drop for Plant {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

fn locked(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Answers until the daemon is gone.
fn serve(state: &Mutex<State>, mut stream: TcpStream) {
    let _ = stream.set_read_timeout(Some(Duration::from_secs(60)));
    let _ = stream.set_nodelay(true);
    let mut head = [0; 7];
    while stream.read_exact(&mut head).is_ok() {
        let length = usize::from(u16::from_be_bytes([head[4], head[5]]));
        let mut pdu = vec![0; length.saturating_sub(1).min(260)];
        if stream.read_exact(&mut pdu).is_err() {
            return;
        }
        let reply = locked(state).answer(&pdu);
        let [high, low] = u16::try_from(reply.len() + 1).expect("short").to_be_bytes();
        let mut frame = vec![head[0], head[1], 0, 0, high, low, head[6]];
        frame.extend(reply);
        if stream.write_all(&frame).is_err() {
            return;
        }
    }
}

impl State {
    pub(crate) fn is_open(&self, contactor: usize) -> bool {
        self.open_at[contactor].is_some_and(|at| at <= clock::uptime())
    }

    fn answer(&mut self, pdu: &[u8]) -> Vec<u8> {
        let word = |at: usize| u16::from_be_bytes([pdu[at], pdu[at + 1]]);
        match pdu {
            [1, ..] if pdu.len() == 5 => {
                let bits = (0..word(3)).fold(0, |bits, index| {
                    let coil = usize::from(word(1) + index);
                    bits | u8::from(coil < 2 && self.open_at[coil].is_none()) << index
                });
                vec![1, 1, bits]
            }
            [3, ..] if pdu.len() == 5 => {
                let registers = [
                    if self.burns { 950 } else { 250 },
                    if self.burns { 40 } else { 0 },
                    u16::from(!self.is_open(0)),
                    u16::from(!self.is_open(1)),
                ];
                let (from, count) = (usize::from(word(1)), usize::from(word(3)));
                let Some(words) = registers.get(from..from + count) else { return vec![0x83, 2] };
                self.reads += 1;
                let bytes = u8::try_from(2 * count).expect("four registers");
                [3, bytes].into_iter().chain(words.iter().flat_map(|word| word.to_be_bytes())).collect()
            }
            [5, ..] if pdu.len() == 5 => {
                let coil = word(1);
                let first_open = self.is_open(0);
                self.writes.push((coil, first_open));
                let place = usize::from(coil).min(1);
                if !self.stuck[place] {
                    self.open_at[place].get_or_insert(clock::uptime().plus(TRAVEL));
                }
                pdu.to_vec()
            }
            [function, ..] => vec![function | 0x80, 1],
            [] => vec![0x80, 1],
        }
    }
}

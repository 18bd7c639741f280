//! A serial line for tests: the far end of a pseudo terminal, played by a thread that paces bytes as a real
//! line does. Written by hand, so that a fault of the codec cannot hide on both sides.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::clock;
use crate::field::options::{Endpoint, Parity, SerialLine};

/// What the line does with one request.
pub(crate) enum Answer {
    /// This, after the turnaround in microseconds.
    After(u64, Vec<u8>),
    /// Several runs of bytes, each at its time after the request.
    Runs(Vec<(u64, Vec<u8>)>),
    Silence,
}

/// When each request was complete, and the request.
type Asked = Arc<Mutex<Vec<(u64, Vec<u8>)>>>;

type Script = Box<dyn FnMut(&[u8]) -> Answer + Send>;

/// The line. Its thread ends with it.
pub(crate) struct Bus {
    pub(crate) path: PathBuf,
    line: SerialLine,
    stop: Arc<AtomicBool>,
    asked: Asked,
}

impl Drop for Bus {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
    }
}

pub(crate) const FAST: SerialLine = SerialLine { baud: 115_200, parity: Parity::None, stop_bits: 1 };

impl Bus {
    pub(crate) fn start(line: SerialLine, script: impl FnMut(&[u8]) -> Answer + Send + 'static) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        rustix::io::ioctl_fionbio(&master, true).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let path = PathBuf::from(ptsname(&master, Vec::new()).unwrap().into_string().unwrap());
        let bus = Self { path, line, stop: Arc::default(), asked: Arc::default() };
        let (stop, asked) = (Arc::clone(&bus.stop), Arc::clone(&bus.asked));
        let script = Box::new(script);
        std::thread::spawn(move || {
            let mut far = FarEnd { master, line, script, request: Vec::new(), runs: VecDeque::new(), asked };
            while !stop.load(Relaxed) {
                far.turn();
            }
        });
        bus
    }

    pub(crate) fn endpoint(&self) -> Endpoint {
        Endpoint::Serial { path: self.path.clone(), line: self.line, rs485: false }
    }

    /// When each request was complete, and the request.
    pub(crate) fn asked(&self) -> Vec<(u64, Vec<u8>)> {
        self.asked.lock().unwrap().clone()
    }
}

struct FarEnd {
    master: OwnedFd,
    line: SerialLine,
    script: Script,
    request: Vec<u8>,
    /// When the last byte of each run has arrived, and what is left of it.
    runs: VecDeque<(u64, Vec<u8>)>,
    asked: Asked,
}

impl FarEnd {
    fn turn(&mut self) {
        let now = clock::uptime_us();
        while self.runs.front().is_some_and(|(at, _)| *at <= now) {
            let (_, bytes) = self.runs.pop_front().unwrap();
            // Nobody listens while the port is closed.
            _ = rustix::io::write(&self.master, &bytes);
        }
        let wait_us = self.runs.front().map_or(20_000, |(at, _)| (at - now).min(20_000));
        let wait = Timespec { tv_sec: 0, tv_nsec: i64::try_from(wait_us * 1000).unwrap() };
        let mut fds = [PollFd::new(&self.master, PollFlags::IN)];
        _ = poll(&mut fds, Some(&wait));
        let mut bytes = [0; 512];
        match rustix::io::read(&self.master, &mut bytes) {
            Ok(count) => self.request.extend_from_slice(&bytes[..count]),
            // The port is closed: poll reports that at once, again and again.
            Err(rustix::io::Errno::IO) => std::thread::sleep(std::time::Duration::from_millis(1)),
            Err(_) => {}
        }
        while let Some(length) = length(&self.request).filter(|length| *length <= self.request.len()) {
            let request: Vec<u8> = self.request.drain(..length).collect();
            self.answer(&request);
        }
    }

    /// On a real line the request takes its time, and so does every byte of the reply.
    fn answer(&mut self, request: &[u8]) {
        let heard_us = clock::uptime_us() + self.line.bytes_us(request.len());
        self.asked.lock().unwrap().push((heard_us, request.to_vec()));
        let runs = match (self.script)(request) {
            Answer::After(wait, bytes) => vec![(wait, bytes)],
            Answer::Runs(runs) => runs,
            Answer::Silence => Vec::new(),
        };
        for (wait, bytes) in runs {
            for (at, chunk) in bytes.chunks(16).enumerate() {
                let sent = 16 * at + chunk.len();
                self.runs.push_back((heard_us + wait + self.line.bytes_us(sent), chunk.to_vec()));
            }
        }
        self.runs.make_contiguous().sort_by_key(|(at, _)| *at);
    }
}

fn length(request: &[u8]) -> Option<usize> {
    match request.get(1)? {
        1..=6 => Some(8),
        15 | 16 => Some(9 + usize::from(*request.get(6)?)),
        17 => Some(4),
        43 => Some(7),
        _ => Some(request.len()),
    }
}

/// With its checksum, computed bit by bit.
pub(crate) fn framed(body: &[u8]) -> Vec<u8> {
    let mut crc = 0xFFFF_u16;
    for byte in body {
        crc ^= u16::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xA001 } else { crc >> 1 };
        }
    }
    [body, &crc.to_le_bytes()].concat()
}

/// What a good device says: each register holds its own address plus 256 times its unit, writes are echoed.
pub(crate) fn good(request: &[u8]) -> Vec<u8> {
    let word = |at: usize| u16::from_be_bytes([request[at], request[at + 1]]);
    match request[1] {
        3 | 4 => {
            let mut body = vec![request[0], request[1], u8::try_from(2 * word(4)).unwrap()];
            let unit = u16::from(request[0]) << 8;
            body.extend((word(2)..word(2) + word(4)).flat_map(|at| at.wrapping_add(unit).to_be_bytes()));
            framed(&body)
        }
        5 | 6 | 15 | 16 => framed(&request[..6]),
        _ => framed(&[request[0], request[1] | 0x80, 1]),
    }
}

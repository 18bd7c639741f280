//! What the measurements of the whole daemon share: a Modbus server that notes when it handed out what, a
//! broker, the daemon as a child process, and percentiles.
#![expect(clippy::unwrap_used, reason = "a measurement that cannot be set up must stop")]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Nanoseconds of CLOCK_MONOTONIC.
pub(crate) fn now_ns() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    u64::try_from(time.tv_sec * 1_000_000_000 + time.tv_nsec).unwrap()
}

/// What the server serves and what it has seen.
#[derive(Default)]
pub(crate) struct Room {
    /// Value of (unit, register); zero where nothing is set.
    pub(crate) registers: BTreeMap<(u8, u16), u16>,
    /// Coils by (unit, address).
    pub(crate) coils: BTreeMap<(u8, u16), bool>,
    /// When register 0 of a unit was last handed out with another value than before.
    pub(crate) handed_out: BTreeMap<u8, (u16, u64)>,
    /// When the last coil frame arrived.
    pub(crate) coil_written: Option<u64>,
    /// When each unit was asked, for lateness.
    pub(crate) asked: BTreeMap<u8, Vec<u64>>,
    /// Whether registers move by themselves.
    pub(crate) lively: bool,
}

/// A Modbus TCP server of raw frames, so that it costs little and hides nothing.
pub(crate) async fn serve(room: Arc<Mutex<Room>>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            stream.set_nodelay(true).unwrap();
            tokio::spawn(answer(stream, Arc::clone(&room)));
        }
    });
    address
}

async fn answer(mut stream: TcpStream, room: Arc<Mutex<Room>>) {
    let mut frame = [0_u8; 260];
    loop {
        if stream.read_exact(&mut frame[..6]).await.is_err() {
            return;
        }
        let length = usize::from(u16::from_be_bytes([frame[4], frame[5]]));
        if 254 < length || stream.read_exact(&mut frame[6..6 + length]).await.is_err() {
            return;
        }
        let body = reply(&frame[6..6 + length], &room);
        let mut out = frame[..4].to_vec();
        out.extend(u16::try_from(body.len()).unwrap().to_be_bytes());
        out.extend(body);
        if stream.write_all(&out).await.is_err() {
            return;
        }
    }
}

fn reply(request: &[u8], room: &Mutex<Room>) -> Vec<u8> {
    let mut room = room.lock().unwrap();
    let (unit, function) = (request[0], request[1]);
    let address = u16::from_be_bytes([request[2], request[3]]);
    let count = u16::from_be_bytes([request[4], request[5]]);
    let now = now_ns();
    match function {
        3 => {
            room.asked.entry(unit).or_default().push(now);
            let drift = if room.lively { u16::try_from(now / 1_000_000_000 % 100).unwrap() } else { 0 };
            let mut body = vec![unit, 3, u8::try_from(count * 2).unwrap()];
            for register in address..address + count {
                let value = room.registers.get(&(unit, register)).copied().unwrap_or(100 + drift);
                body.extend(value.to_be_bytes());
                if register == 0 && room.handed_out.get(&unit).is_none_or(|seen| seen.0 != value) {
                    room.handed_out.insert(unit, (value, now));
                }
            }
            body
        }
        1 => {
            let on = room.coils.get(&(unit, address)).copied().unwrap_or(true);
            vec![unit, 1, 1, u8::from(on)]
        }
        5 => {
            room.coil_written = Some(now);
            room.coils.insert((unit, address), count != 0);
            request.to_vec()
        }
        _ => vec![unit, function | 0x80, 1],
    }
}

/// A process that ends with its owner.
pub(crate) struct Running(pub(crate) Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Mosquitto on a free port, in memory.
pub(crate) fn mosquitto(dir: &Path) -> (Running, u16) {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let config = dir.join("mosquitto.conf");
    std::fs::write(
        &config,
        format!("listener {port} 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\n"),
    )
    .unwrap();
    let child = Command::new("mosquitto").arg("-c").arg(&config).stderr(Stdio::null()).spawn();
    let child = child.expect("mosquitto is needed: `apt-get install mosquitto` (or run ./test once)");
    for _ in 0..100 {
        if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    (Running(child), port)
}

/// The daemon itself, as users run it.
pub(crate) fn daemon(config: &Path) -> Running {
    let log = std::fs::File::create(config.with_extension("log")).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_emberwatch"));
    command.arg("run").arg("--config").arg(config).stdout(Stdio::null()).stderr(log);
    Running(command.spawn().unwrap())
}

/// Processor time and resident memory of a process: (seconds, MiB).
pub(crate) fn cost(pid: u32) -> (f64, f64) {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: f64 = fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap();
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let rss = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    let kib: f64 = rss.split_whitespace().nth(1).unwrap().parse().unwrap();
    // USER_HZ is 100 on Linux.
    (ticks / 100.0, kib / 1024.0)
}

/// The value below which this part of the samples lies.
pub(crate) fn percentile(samples: &mut [f64], part: f64) -> f64 {
    samples.sort_by(f64::total_cmp);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "an index"
    )]
    let index = ((samples.len() - 1) as f64 * part).round() as usize;
    samples[index]
}

/// A directory that is removed at the end.
pub(crate) fn scratch() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_owned();
    (dir, path)
}

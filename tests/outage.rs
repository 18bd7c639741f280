//! A long outage of the InfluxDB server, accelerated: nothing lost, memory flat, alerts before the backlog, the backlog
//! drained many times faster than it came.
//!
//! `EMBERWATCH_OUTAGE_S=604800 cargo test --release --test outage -- --nocapture` plays a week at 100 values a second, 6 x
//! 10^7 points; without it an hour is played. The time of the readings runs as fast as they can be made; that of the sink,
//! its disk and its server is real.
#![expect(clippy::unwrap_used, reason = "tests")]
#![expect(clippy::print_stdout, reason = "the figures are the output")]

use std::collections::BTreeMap;
use std::io::Read as _;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use emberwatch::clock;
use emberwatch::exchange::Publication;
use emberwatch::safety::alarm::{AlarmChange, AlarmEvent, AlarmRecord, AlarmState};
use emberwatch::safety::fact::Fact;
use emberwatch::safety::reading::Reading;
use emberwatch::safety::site::{
    Alarm, AlarmId, AlarmSource, Device, DeviceId, DeviceKind, Labels, Point, PointId, Priority, Room,
    RoomId, Site, Zone, ZoneId,
};
use emberwatch::sinks::influx::options::InfluxOptions;
use emberwatch::sinks::influx::{Content, Faults, spawn};
use emberwatch::sinks::spool::SpoolCounters;
use emberwatch::sinks::spool::options::SpoolOptions;
use emberwatch::units::{ClockSync, Millis, Now, Unit, Uptime, Value, WallTime};
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{broadcast, mpsc};
use tokio_util::sync::CancellationToken;

const DEVICES: u32 = 10;
const POINTS: u32 = 10;
/// 2026-11-22T17:42:05.000Z.
const WALL_MS: i64 = 1_795_369_325_000;

/// Ten batteries of ten values, each read once a second.
fn site() -> Arc<Site> {
    let devices = (0..DEVICES).map(|index| Device {
        name: format!("bms-{index}"),
        title: format!("Battery {index}"),
        zone: ZoneId(0),
        kind: DeviceKind::Battery,
        points: index * POINTS..(index + 1) * POINTS,
        silent_after: Millis(4000),
        switches: false,
    });
    let points = (0..DEVICES * POINTS).map(|index| Point {
        name: format!("temp-{}", index % POINTS),
        device: DeviceId(index / POINTS),
        unit: Unit::Celsius,
        period: Millis(1000),
        stale_after: Millis(3000),
        range: None,
        fall_per_s_max: None,
        frozen: None,
        labels: Labels::None,
    });
    Arc::new(Site {
        name: "s1".into(),
        gateway: "gw1".into(),
        rooms: vec![Room { name: "b1".into(), title: "Room 1".into() }],
        zones: vec![Zone { name: "rack-1".into(), title: "Rack 1".into(), room: RoomId(0) }],
        devices: devices.collect(),
        points: points.collect(),
        alarms: vec![Alarm {
            name: "bms-1-silent".into(),
            room: RoomId(0),
            source: AlarmSource::Silent(DeviceId(0)),
            latched: false,
            message: "Battery 1 does not answer".into(),
            consequence: "Nobody sees it.".into(),
            action: "Look.".into(),
        }],
        ..Site::default()
    })
}

/// All values at one second, with the noise of a sensor in their last digit.
fn second(number: u64, state: &mut u64) -> Publication {
    let uptime = Uptime(50_000 + number * 1000);
    let facts = (0..DEVICES * POINTS).map(|point| {
        *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let noise = f64::from(u32::try_from(*state >> 62).unwrap());
        let value = Value::new((250.0 + f64::from(point % 40) + noise) / 10.0).unwrap();
        Fact::Reading { point: PointId(point), reading: Reading::Good { value, taken: uptime } }
    });
    let wall = WallTime(WALL_MS + i64::try_from(number).unwrap() * 1000);
    Publication { number, now: Now { uptime, wall }, clock: ClockSync::Unknown, facts: facts.collect() }
}

fn raised(number: u64) -> Fact {
    let now = AlarmRecord {
        state: AlarmState::UnackActive,
        priority: Some(Priority::Critical),
        occurrence: number,
        ..AlarmRecord::default()
    };
    Fact::Alarm(AlarmChange { number, alarm: AlarmId(0), event: AlarmEvent::Raised, now })
}

/// What came in: per battery which seconds, and when an alarm and the newest line arrived.
#[derive(Default)]
struct Taken {
    seconds: BTreeMap<String, Vec<u64>>,
    lines: u64,
    alarms: BTreeMap<u64, Uptime>,
    newest: BTreeMap<i64, Uptime>,
    twice: u64,
}

impl Taken {
    fn take(&mut self, line: &str, live_from_ms: i64) {
        let time: i64 = line.rsplit(' ').next().unwrap().parse().unwrap();
        if let Some(rest) = line.split(" number=").nth(1) {
            let number = rest.split('i').next().unwrap().parse().unwrap();
            self.alarms.entry(number).or_insert_with(clock::uptime);
            return;
        }
        let device = line.split(',').nth(1).unwrap().to_owned();
        let second = usize::try_from((time - WALL_MS) / 1000).unwrap();
        let seen = self.seconds.entry(device).or_default();
        if seen.len() <= second / 64 {
            seen.resize(second / 64 + 1, 0);
        }
        self.twice += seen[second / 64] >> (second % 64) & 1;
        seen[second / 64] |= 1 << (second % 64);
        self.lines += 1;
        if live_from_ms <= time {
            self.newest.entry(time).or_insert_with(clock::uptime);
        }
    }
}

#[derive(Clone, Default)]
struct Server {
    up: Arc<AtomicBool>,
    live_from: Arc<AtomicU64>,
    taken: Arc<Mutex<Taken>>,
}

impl Server {
    async fn listen(&self) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = self.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(server.clone().serve(stream));
            }
        });
        address
    }

    async fn serve(self, stream: TcpStream) -> Option<()> {
        let mut stream = BufReader::new(stream);
        loop {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.ok()?);
            }
            let head = String::from_utf8(head).ok()?.to_lowercase();
            let length = head.split("content-length: ").nth(1)?.split("\r\n").next()?.parse().ok()?;
            let mut body = vec![0; length];
            stream.read_exact(&mut body).await.ok()?;
            let up = self.up.load(Ordering::Relaxed);
            if up {
                let mut text = String::new();
                flate2::read::GzDecoder::new(&*body).read_to_string(&mut text).ok()?;
                let live_from = WALL_MS + i64::try_from(self.live_from.load(Ordering::Relaxed)).ok()? * 1000;
                let mut taken = self.taken.lock().unwrap();
                text.lines().for_each(|line| taken.take(line, live_from));
            }
            let answer =
                if up { "HTTP/1.1 204 x\r\n\r\n" } else { "HTTP/1.1 503 x\r\ncontent-length: 0\r\n\r\n" };
            stream.write_all(answer.as_bytes()).await.ok()?;
        }
    }
}

fn options(address: SocketAddr, folder: &Path) -> InfluxOptions {
    InfluxOptions {
        url: format!("http://{address}"),
        org: "plant".into(),
        bucket: "emberwatch".into(),
        events_bucket: None,
        token: "a-token".into(),
        batch_lines_max: 5000,
        batch_wait_max: Millis(1000),
        lines_queued_max: 5000,
        spool: Some(SpoolOptions {
            directory: folder.join("spool"),
            bytes_max: 8 << 30,
            sync_every: Millis(1000),
        }),
        dead_letters: None,
    }
}

fn resident_mib() -> f64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i8_m1_a_long_outage_loses_nothing_drains_fast_and_delays_no_alert() {
    let seconds: u64 = std::env::var("EMBERWATCH_OUTAGE_S").map_or(3600, |text| text.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let server = Server::default();
    let address = server.listen().await;
    let options = options(address, folder.path());
    let (facts, hearing) = broadcast::channel(4096);
    let (inbox, mut inputs) = mpsc::channel(64);
    tokio::spawn(async move { while inputs.recv().await.is_some() {} });
    let stop = CancellationToken::new();
    let handle =
        spawn(&options, Content::History, site(), &[], hearing, Faults::new(&inbox), stop.clone()).unwrap();
    let spool = Arc::clone(handle.spool().unwrap());
    let (mut state, mut resident) = (1, Vec::new());
    let begun = clock::uptime();
    for number in 0..seconds {
        facts.send(Arc::new(second(number, &mut state))).unwrap();
        if number.is_multiple_of(500) {
            // As fast as the sink can, and not faster: a real gateway makes a hundred values a second.
            while SpoolCounters::get(&spool.appended) + 20_000 < number * u64::from(DEVICES) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
            resident.push(resident_mib());
        }
    }
    let lines = seconds * u64::from(DEVICES);
    while SpoolCounters::get(&spool.waiting) < lines.saturating_sub(5000) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let outage = clock::uptime().since(begun);
    let (bytes, written) = (SpoolCounters::get(&spool.bytes), SpoolCounters::get(&spool.bytes_written));
    println!(
        "outage: {seconds} s of {} values a second played in {outage}; spool {} MiB, {} bytes written per second of it",
        DEVICES * POINTS,
        bytes >> 20,
        written / seconds
    );
    drain(&facts, &server, &spool, seconds, &mut resident).await;
    let counts = handle.counts();
    assert_eq!((counts.dropped, counts.quarantined, counts.missed), (0, 0, 0));
    assert_eq!(SpoolCounters::get(&spool.dropped) + SpoolCounters::get(&spool.damaged), 0);
    let settled = resident.len() / 10;
    let (low, high) = resident[settled..]
        .iter()
        .fold((f64::MAX, 0.0_f64), |(low, high), now| (low.min(*now), high.max(*now)));
    println!("resident memory after the first tenth: {low:.1} to {high:.1} MiB");
    stop.cancel();
    handle.task.await.unwrap();
}

/// The server is back: live values once a second, an alarm with every fifth, until the spool is empty and ten of them were said.
async fn drain(
    facts: &broadcast::Sender<Arc<Publication>>,
    server: &Server,
    spool: &SpoolCounters,
    seconds: u64,
    resident: &mut Vec<f64>,
) {
    server.live_from.store(seconds, Ordering::Relaxed);
    let (mut state, mut said, mut alarmed) = (7, BTreeMap::new(), BTreeMap::new());
    server.up.store(true, Ordering::Relaxed);
    while server.taken.lock().unwrap().lines == 0 {
        // Its pauses between tries are minutes by now, as in life; the drain counts from its first success.
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let begun = clock::uptime();
    let mut drained = None;
    for number in 0_u64.. {
        let mut publication = second(seconds + number, &mut state);
        if number.is_multiple_of(5) {
            publication.facts.push(raised(number + 1));
            alarmed.insert(number + 1, clock::uptime());
        }
        said.insert(publication.now.wall.0, clock::uptime());
        facts.send(Arc::new(publication)).unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
        resident.push(resident_mib());
        if drained.is_none() && SpoolCounters::get(&spool.waiting) < 100 {
            drained = Some(clock::uptime().since(begun));
        }
        if drained.is_some() && 10 <= number {
            break;
        }
    }
    let drained = drained.unwrap();
    let faster = seconds * 1000 / drained.0.max(1);
    tokio::time::sleep(Duration::from_secs(3)).await;
    let taken = server.taken.lock().unwrap();
    for (device, seen) in &taken.seconds {
        let missing = (0..seconds).filter(|second| {
            let word = usize::try_from(second / 64).unwrap();
            seen[word] >> (second % 64) & 1 == 0
        });
        assert_eq!(missing.count(), 0, "seconds of {device} that never came");
    }
    assert_eq!(taken.seconds.len(), DEVICES as usize);
    let delay = |said: Uptime, came: Option<&Uptime>| came.expect("it came").since(said);
    let alert = alarmed.iter().map(|(number, at)| delay(*at, taken.alarms.get(number))).max().unwrap();
    let live = said.iter().map(|(time, at)| delay(*at, taken.newest.get(time))).max().unwrap();
    println!("drained in {drained}: {faster} x real time; written twice {}", taken.twice);
    println!("while draining: alerts at most {alert} late, live values {live}");
    assert!(20 <= faster, "{faster} x real time");
    assert!(alert <= Millis(5_000) && live <= Millis(10_000), "{alert}, {live}");
}

#[tokio::test]
async fn an_outage_at_the_pace_of_life_wears_little_flash_and_a_server_that_is_there_none() {
    const SECONDS: u64 = 12;
    let folder = tempfile::tempdir().unwrap();
    let server = Server::default();
    let options = options(server.listen().await, folder.path());
    let (facts, hearing) = broadcast::channel(4096);
    let (inbox, mut inputs) = mpsc::channel(64);
    tokio::spawn(async move { while inputs.recv().await.is_some() {} });
    let stop = CancellationToken::new();
    let handle =
        spawn(&options, Content::History, site(), &[], hearing, Faults::new(&inbox), stop.clone()).unwrap();
    let spool = Arc::clone(handle.spool().unwrap());
    let mut state = 1;
    let mut written = Vec::new();
    for up in [true, false] {
        server.up.store(up, Ordering::Relaxed);
        let before = SpoolCounters::get(&spool.bytes_written);
        let from = if up { 0 } else { SECONDS };
        for number in from..from + SECONDS {
            facts.send(Arc::new(second(number, &mut state))).unwrap();
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        written.push(SpoolCounters::get(&spool.bytes_written) - before);
    }
    println!(
        "bytes for the disk at 100 values a second: {} a day with a server, {} MB a day without",
        written[0] / SECONDS * 86_400,
        written[1] * 86_400 / SECONDS / 1_000_000
    );
    assert_eq!(written[0], 0, "nothing while it is taken");
    assert!(written[1] * 86_400 / SECONDS < 100_000_000, "{written:?}");
    stop.cancel();
    handle.task.await.unwrap();
}

//! Rows I1 to I8 of the fault matrix, against a scripted server: what each answer of an InfluxDB server does to the lines.
#![expect(clippy::unwrap_used, reason = "tests")]

#[path = "support/http.rs"]
mod http;
#[path = "support/site.rs"]
mod site;

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use emberwatch::clock;
use emberwatch::exchange::Publication;
use emberwatch::safety::fact::{Fact, Input};
use emberwatch::safety::reading::Reading;
use emberwatch::safety::site::{PointId, Priority, SystemFault};
use emberwatch::sinks::influx::options::InfluxOptions;
use emberwatch::sinks::influx::{Content, Faults, InfluxHandle, spawn};
use emberwatch::sinks::spool::SpoolCounters;
use emberwatch::sinks::spool::options::SpoolOptions;
use emberwatch::units::{Millis, Uptime, Value};
use http::{Reply, Request, Server, until};
use site::{publication, raised};
use tokio::sync::{broadcast, mpsc};
use tokio_util::sync::CancellationToken;

struct Running {
    facts: broadcast::Sender<Arc<Publication>>,
    inputs: mpsc::Receiver<Vec<Input>>,
    handle: InfluxHandle,
    stop: CancellationToken,
}

fn options(url: &str, folder: Option<&Path>) -> InfluxOptions {
    let spool = |folder: &Path| SpoolOptions {
        directory: folder.join("spool"),
        bytes_max: 64 << 20,
        sync_every: Millis(50),
    };
    InfluxOptions {
        url: url.to_owned(),
        org: "plant".into(),
        bucket: "emberwatch".into(),
        events_bucket: None,
        token: "a-token".into(),
        batch_lines_max: 5000,
        batch_wait_max: Millis(100),
        lines_queued_max: 1000,
        spool: folder.map(spool),
        dead_letters: folder.map(|folder| folder.join("dead-letters.lp")),
    }
}

fn to(server: &Server, folder: &Path) -> InfluxOptions {
    options(&format!("http://{}", server.address), Some(folder))
}

fn start(options: &InfluxOptions) -> Running {
    start_with(options, Content::History)
}

fn start_with(options: &InfluxOptions, content: Content) -> Running {
    let (facts, hearing) = broadcast::channel(4096);
    let (inbox, inputs) = mpsc::channel(64);
    let stop = CancellationToken::new();
    let handle =
        spawn(options, content, site::site(), &[], hearing, Faults::new(&inbox), stop.clone()).unwrap();
    Running { facts, inputs, handle, stop }
}

impl Running {
    /// A reading of its own time: each is another point of the same series.
    fn say(&self, number: u32) {
        let value = Value::new(f64::from(number)).unwrap();
        let reading = Reading::Good { value, taken: Uptime(50_000 + u64::from(number)) };
        let fact = Fact::Reading { point: PointId(0), reading };
        self.facts.send(publication(u64::from(number), vec![fact])).unwrap();
    }

    async fn down(&mut self) -> bool {
        loop {
            let told =
                tokio::time::timeout(Duration::from_secs(30), self.inputs.recv()).await.unwrap().unwrap();
            if let [Input::System { fault: SystemFault::Influx, failing }] = told.as_slice() {
                return *failing;
            }
        }
    }

    fn settled(&self) -> bool {
        let counts = self.handle.counts();
        let spool = self.handle.spool().unwrap();
        counts.waiting == 0 && SpoolCounters::get(&spool.waiting) == 0
    }

    async fn stop(self) {
        self.stop.cancel();
        self.handle.task.await.unwrap();
    }
}

/// The lines of a request, unpacked by a tool that is not ours.
fn lines(request: &Request) -> Vec<String> {
    if request.headers.get("content-encoding").is_none_or(|coding| coding != "gzip") {
        return String::from_utf8(request.body.clone()).unwrap().lines().map(str::to_owned).collect();
    }
    let mut gzip =
        Command::new("gzip").arg("-dc").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    gzip.stdin.take().unwrap().write_all(&request.body).unwrap();
    let output = gzip.wait_with_output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

/// The values of `temp_max_c` in lines.
fn values(lines: &[String]) -> Vec<u32> {
    let value = |line: &String| line.split("temp_max_c=").nth(1)?.split(['.', ',']).next()?.parse().ok();
    lines.iter().filter_map(value).collect()
}

/// A server that keeps what it takes, and answers with the status it has.
struct Store {
    server: Server,
    status: Arc<AtomicU16>,
    taken: Arc<Mutex<Vec<String>>>,
}

impl Store {
    async fn start(status: u16) -> Self {
        let (status, taken) = (Arc::new(AtomicU16::new(status)), Arc::new(Mutex::new(Vec::new())));
        let (now, keep) = (Arc::clone(&status), Arc::clone(&taken));
        let server = Server::start(move |_, request| {
            let status = now.load(Ordering::Relaxed);
            if status == 204 && request.line.starts_with("POST") {
                keep.lock().unwrap().extend(lines(request));
            }
            Reply::Status(status, "")
        })
        .await;
        Self { server, status, taken }
    }

    fn answer(&self, status: u16) {
        self.status.store(status, Ordering::Relaxed);
    }

    fn taken(&self) -> Vec<String> {
        self.taken.lock().unwrap().clone()
    }
}

#[tokio::test]
async fn i1_what_was_taken_without_an_answer_is_written_again_as_the_same_points() {
    let folder = tempfile::tempdir().unwrap();
    let server =
        Server::start(|number, _| if number == 0 { Reply::Cut } else { Reply::Status(204, "") }).await;
    let running = start(&to(&server, folder.path()));
    (0..20).for_each(|number| running.say(number));
    until(|| running.handle.counts().written == 20 && running.settled()).await;
    let all: Vec<String> = server.requests().iter().flat_map(lines).collect();
    let points: BTreeSet<&String> = all.iter().collect();
    assert_eq!((all.len(), points.len()), (40, 20), "twice, and the same points both times");
}

#[tokio::test]
async fn i2_one_wrong_line_is_found_in_few_requests_and_only_it_becomes_a_dead_letter() {
    for status in [400, 422] {
        let folder = tempfile::tempdir().unwrap();
        let held = Arc::new(AtomicBool::new(true));
        let (hold, taken) = (Arc::clone(&held), Arc::new(Mutex::new(Vec::new())));
        let keep = Arc::clone(&taken);
        let server = Server::start(move |_, request| {
            let lines = lines(request);
            if hold.load(Ordering::Relaxed) {
                return Reply::Status(503, "retry-after: 1\r\n");
            }
            if lines.iter().any(|line| line.contains("temp_max_c=777.0")) {
                return Reply::Status(status, "");
            }
            keep.lock().unwrap().extend(values(&lines));
            Reply::Status(204, "")
        })
        .await;
        let running = start(&to(&server, folder.path()));
        running.say(10_000);
        server.wait_for(1).await;
        (0..1023).for_each(|number| running.say(if number == 640 { 777 } else { number + 1000 }));
        until(|| running.handle.spool().is_some_and(|spool| 1024 <= SpoolCounters::get(&spool.appended)))
            .await;
        held.store(false, Ordering::Relaxed);
        until(|| running.handle.counts().quarantined == 1 && running.settled()).await;
        let counts = running.handle.counts();
        assert_eq!((counts.written, counts.dropped), (1023, 0), "every good line, once");
        assert_eq!(taken.lock().unwrap().iter().collect::<BTreeSet<_>>().len(), 1023);
        // The first that was refused, log2(1024) + 1 to find it, and those of the outage and of new lines.
        assert!(counts.requests <= 12 + 6, "{counts:?}");
        let path = folder.path().join("dead-letters.lp");
        until(|| path.exists() && std::fs::read_to_string(&path).unwrap().ends_with('\n')).await;
        let letters = std::fs::read_to_string(&path).unwrap();
        let found: Vec<&str> = letters.lines().filter(|line| !line.starts_with('#')).collect();
        assert!(found.len() == 1 && found[0].contains("temp_max_c=777.0"), "{letters}");
        assert!(letters.starts_with(&format!("# {status}")), "{letters}");
    }
}

#[tokio::test]
async fn i3_a_refusal_keeps_everything_alarms_and_asks_once_a_minute() {
    for status in [401, 403, 404] {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::start(status).await;
        let mut running = start(&to(&store.server, folder.path()));
        running.say(1);
        assert!(running.down().await, "an alarm at once");
        (2..50).for_each(|number| running.say(number));
        let spool = Arc::clone(running.handle.spool().unwrap());
        until(|| SpoolCounters::get(&spool.waiting) == 49).await;
        assert_eq!(running.handle.counts().requests, 1);
        // A restart by the person who mended it.
        running.stop().await;
        store.answer(204);
        let running = start(&to(&store.server, folder.path()));
        until(|| running.handle.counts().written == 49 && running.settled()).await;
        assert_eq!(values(&store.taken()).into_iter().collect::<BTreeSet<_>>(), (1..50).collect());
    }
}

#[tokio::test]
async fn i4_a_batch_that_is_too_large_is_halved_until_it_fits_and_a_line_that_never_fits_is_set_aside() {
    let folder = tempfile::tempdir().unwrap();
    let taken = Arc::new(Mutex::new(Vec::new()));
    let keep = Arc::clone(&taken);
    let server = Server::start(move |_, request| {
        let lines = lines(request);
        if 10 < lines.len() || lines.iter().any(|line| line.contains("temp_max_c=777.0")) {
            return Reply::Status(413, "");
        }
        keep.lock().unwrap().extend(values(&lines));
        Reply::Status(204, "")
    })
    .await;
    let running = start(&to(&server, folder.path()));
    (1..=200).for_each(|number| running.say(if number == 100 { 777 } else { number }));
    until(|| running.handle.counts().written == 199 && running.settled()).await;
    let counts = running.handle.counts();
    assert_eq!((counts.quarantined, counts.dropped), (1, 0));
    assert_eq!(taken.lock().unwrap().len(), 199, "each once");
}

#[tokio::test]
async fn i5_a_busy_server_is_left_alone_for_as_long_as_it_asks() {
    for status in [429, 503] {
        let folder = tempfile::tempdir().unwrap();
        let times = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&times);
        let server = Server::start(move |number, _| {
            seen.lock().unwrap().push(clock::uptime());
            match number {
                0 => Reply::Status(status, "retry-after: 3\r\n"),
                1 => Reply::Status(status, "retry-after: garbage\r\n"),
                _ => Reply::Status(204, ""),
            }
        })
        .await;
        let running = start(&to(&server, folder.path()));
        running.say(1);
        server.wait_for(1).await;
        (2..200).for_each(|number| running.say(number));
        until(|| running.handle.counts().written == 199 && running.settled()).await;
        let times = times.lock().unwrap();
        let first = times[1].since(times[0]);
        assert!(Millis(3_000) <= first && first < Millis(5_000), "as long as it asked for: {first}");
        assert!(Millis(500) <= times[2].since(times[1]), "no hot loop where it asks for nothing");
    }
}

#[tokio::test]
async fn i6_errors_and_slow_answers_hold_up_nobody_and_meet_a_deadline() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(|number, _| match number {
        0 => Reply::Status(500, ""),
        1 => Reply::Dribble,
        _ => Reply::Status(204, ""),
    })
    .await;
    let running = start(&to(&server, folder.path()));
    running.say(0);
    let mut worst = Millis::ZERO;
    for number in 1..600 {
        let begun = clock::uptime();
        running.say(number);
        worst = worst.max(clock::uptime().since(begun));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(worst < Millis(50), "whoever speaks never waits: {worst}");
    until(|| running.handle.counts().written == 600 && running.settled()).await;
    assert_eq!(running.handle.counts().missed, 0);
}

#[tokio::test]
async fn i7_a_connection_cut_in_the_body_loses_no_line() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::start(204).await;
    let cutting = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (proxy, behind) = (cutting.local_addr().unwrap(), store.server.address);
    tokio::spawn(async move {
        for number in 0.. {
            let (mut near, _) = cutting.accept().await.unwrap();
            let mut far = tokio::net::TcpStream::connect(behind).await.unwrap();
            tokio::spawn(async move {
                if number < 3 {
                    // The head and a part of the body, and no more.
                    let mut some = vec![0; 400];
                    let count = tokio::io::AsyncReadExt::read(&mut near, &mut some).await.unwrap();
                    let part = count.saturating_sub(20);
                    let _ = tokio::io::AsyncWriteExt::write_all(&mut far, &some[..part]).await;
                } else {
                    let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
                }
            });
        }
    });
    let running = start(&options(&format!("http://{proxy}"), Some(folder.path())));
    (0..100).for_each(|number| running.say(number));
    until(|| running.handle.counts().written == 100 && running.settled()).await;
    assert_eq!(values(&store.taken()).into_iter().collect::<BTreeSet<_>>().len(), 100);
    assert!(1 <= running.handle.counts().errors);
}

#[tokio::test]
async fn i8_after_an_outage_alarms_come_first_then_what_is_new_then_the_backlog() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::start(503).await;
    let mut running = start(&to(&store.server, folder.path()));
    (0..2000).for_each(|number| running.say(number));
    running.facts.send(publication(1, vec![raised(1, 0, Priority::Critical)])).unwrap();
    assert!(running.down().await);
    let spool = Arc::clone(running.handle.spool().unwrap());
    until(|| SpoolCounters::get(&spool.waiting) == 2001).await;
    assert_eq!(running.handle.counts().waiting, 1, "memory holds the alarm only");
    store.answer(204);
    until(|| {
        running.say(50_000);
        !store.taken().is_empty()
    })
    .await;
    until(|| running.settled()).await;
    let taken = store.taken();
    assert!(taken[0].starts_with("alarm_event"), "{}", taken[0]);
    assert_eq!(values(&taken[1..2]), [50_000], "then what is new");
    let all: BTreeSet<u32> = values(&taken).into_iter().collect();
    assert_eq!(all.len(), 2001, "then the rest, and all of it");
    assert!(!running.down().await);
}

#[tokio::test]
async fn k2_lines_that_the_server_has_are_not_written_again_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::start(503).await;
    let running = start(&to(&store.server, folder.path()));
    (0..100).for_each(|number| running.say(number));
    let spool = Arc::clone(running.handle.spool().unwrap());
    until(|| SpoolCounters::get(&spool.waiting) == 100).await;
    running.stop().await;
    store.answer(204);
    for expected in [100, 0] {
        let running = start(&to(&store.server, folder.path()));
        let spool = Arc::clone(running.handle.spool().unwrap());
        until(|| SpoolCounters::get(&spool.found) == expected && running.settled()).await;
        until(|| running.handle.counts().written == expected).await;
        running.stop().await;
    }
    assert_eq!(store.taken().len(), 100, "each once");
}

#[tokio::test]
async fn a_server_that_cannot_unpack_gets_plain_lines() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(|_, request| {
        let packed = request.headers.contains_key("content-encoding");
        Reply::Status(if packed { 415 } else { 204 }, "")
    })
    .await;
    let running = start(&to(&server, folder.path()));
    running.say(1);
    until(|| running.handle.counts().written == 1).await;
    running.say(2);
    until(|| running.handle.counts().written == 2).await;
    assert_eq!(server.requests().len(), 3, "asked once whether it can");
}

#[tokio::test]
async fn the_event_stream_is_kept_whole_and_in_order_through_an_outage_of_its_server_and_a_restart_of_the_gateway()
 {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::start(503).await;
    let everything =
        InfluxOptions { events_bucket: Some("events".into()), ..to(&store.server, folder.path()) };
    let options = everything.of_events().unwrap();
    let events = |boot: &str| Content::Events { boot: boot.to_owned() };
    let running = start_with(&options, events("boot-1"));
    // One scan of many events, and many scans of the same millisecond: none may overwrite another.
    let burst = (0..200).map(|number| raised(number, 0, Priority::High)).collect();
    running.facts.send(publication(1, burst)).unwrap();
    for number in 200..400 {
        let at_once = Publication {
            number,
            ..Arc::into_inner(publication(2, vec![raised(number, 0, Priority::High)])).unwrap()
        };
        running.facts.send(Arc::new(at_once)).unwrap();
    }
    // Readings are for the other bucket.
    running.say(5);
    until(|| running.handle.spool().is_some_and(|spool| SpoolCounters::get(&spool.appended) == 400)).await;
    running.stop().await;
    store.answer(204);
    let running = start_with(&options, events("boot-2"));
    until(|| running.handle.counts().written == 400 && running.settled()).await;
    let taken = store.taken();
    let mut points: Vec<(i64, u64)> = taken
        .iter()
        .map(|line| {
            assert!(line.starts_with("event,clock=unknown,"), "{line}");
            assert!(line.contains("type=alarm.raised") && line.contains("boot=\"boot-1\""), "{line}");
            let number = line.split("\\\"number\\\":").nth(1).unwrap();
            let number = number.split(|it: char| !it.is_ascii_digit()).next().unwrap();
            (line.rsplit(' ').next().unwrap().parse().unwrap(), number.parse().unwrap())
        })
        .collect();
    points.sort_unstable();
    points.dedup_by_key(|point| point.0);
    assert_eq!(points.iter().map(|point| point.1).collect::<Vec<_>>(), (0..400).collect::<Vec<u64>>());
    let requests = store.server.requests();
    let written = requests.iter().filter(|request| request.line.starts_with("POST"));
    for request in written {
        assert!(
            request.line.contains("bucket=events") && request.line.contains("precision=us"),
            "{}",
            request.line
        );
    }
    running.stop().await;
}

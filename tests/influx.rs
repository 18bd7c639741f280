//! The InfluxDB sink: error classes against a scripted server, values against a real VictoriaMetrics.
#![expect(clippy::unwrap_used, reason = "tests")]

#[path = "support/http.rs"]
mod http;
#[path = "support/site.rs"]
mod site;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use emberwatch::clock;
use emberwatch::exchange::Publication;
use emberwatch::safety::fact::{Fact, Input};
use emberwatch::safety::reading::{Doubt, Loss, Reading};
use emberwatch::safety::site::{PointId, Priority, SystemFault};
use emberwatch::sinks::influx::options::InfluxOptions;
use emberwatch::sinks::influx::{Content, Faults, InfluxHandle, SetupFault, spawn};
use emberwatch::units::{ClockSync, Millis, Now, Uptime, Value};
use http::{Reply, Request, Server, until};
use site::{WALL_MS, publication, raised};
use tokio::sync::{broadcast, mpsc};
use tokio_util::sync::CancellationToken;

struct Running {
    facts: broadcast::Sender<Arc<Publication>>,
    inputs: mpsc::Receiver<Vec<Input>>,
    handle: InfluxHandle,
    stop: CancellationToken,
}

fn options(url: String) -> InfluxOptions {
    InfluxOptions {
        url,
        org: "plant".into(),
        bucket: "emberwatch".into(),
        events_bucket: None,
        token: "a-token".into(),
        batch_lines_max: 5000,
        batch_wait_max: Millis(100),
        lines_queued_max: 1000,
        spool: None,
        dead_letters: None,
    }
}

fn start(options: &InfluxOptions) -> Running {
    let (facts, hearing) = broadcast::channel(4096);
    let (inbox, inputs) = mpsc::channel(64);
    let stop = CancellationToken::new();
    let handle =
        spawn(options, Content::History, site::site(), &[], hearing, Faults::new(&inbox), stop.clone())
            .unwrap();
    Running { facts, inputs, handle, stop }
}

fn to(server: &Server) -> InfluxOptions {
    options(format!("http://{}", server.address))
}

fn good(point: u32, value: f64) -> Fact {
    let value = Value::new(value).unwrap();
    Fact::Reading { point: PointId(point), reading: Reading::Good { value, taken: Uptime(50_000) } }
}

fn failing(inputs: &[Input]) -> bool {
    match inputs {
        [Input::System { fault: SystemFault::Influx, failing }] => *failing,
        other => panic!("not about InfluxDB: {other:?}"),
    }
}

/// The lines of a request, unpacked by a tool that is not ours.
fn lines(request: &Request) -> Vec<String> {
    assert_eq!(request.headers["content-encoding"], "gzip");
    let mut gzip =
        Command::new("gzip").arg("-dc").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    gzip.stdin.take().unwrap().write_all(&request.body).unwrap();
    let output = gzip.wait_with_output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn a_poll_is_one_line_per_device_and_cell() {
    let server = Server::start(|_, _| Reply::Status(204, "")).await;
    let running = start(&to(&server));
    let bad = Reading::Bad { last: Value::new(3.3).map(|v| (v, Uptime(1))), why: Loss::Stale };
    let doubted =
        Reading::Uncertain { value: Value::new(3.0).unwrap(), taken: Uptime(49_000), why: Doubt::TooFast };
    let facts = vec![
        good(0, 24.5),
        good(1, 3.312),
        Fact::Reading { point: PointId(2), reading: bad },
        good(3, 98.0),
        Fact::Reading { point: PointId(4), reading: doubted },
        good(5, 1.0),
        raised(7, 0, Priority::Critical),
    ];
    running.facts.send(publication(0, facts)).unwrap();
    let requests = server.wait_for(1).await;
    assert_eq!(requests[0].line, "POST /api/v2/write?bucket=emberwatch&org=plant&precision=ms HTTP/1.1");
    assert_eq!(requests[0].headers["authorization"], "Token a-token");
    assert_eq!(
        lines(&requests[0]),
        [
            format!(
                "alarm_event,alarm=temp-high,event=raised,priority=critical,room=b1,site=s1 number=7i,\
                 occ=\"1\",rev=1i,value=81.3,limit=80.0,reason=\"temp-high is \\\"high\\\"\" {WALL_MS}"
            ),
            format!(
                "battery_string,device=bms-1,room=b1,site=s1 temp_max_c=24.5,soc_pct=98.0,status=3i,\
                 q=500i {WALL_MS}"
            ),
            format!("battery_cell,cell=01,device=bms-1,room=b1,site=s1 voltage_v=3.312,q=192i {WALL_MS}"),
            format!("battery_cell,cell=02,device=bms-1,room=b1,site=s1 q=0i {WALL_MS}"),
            format!("contact,device=relay-1,point=q1,room=b1,site=s1 state=1i,q=192i {WALL_MS}"),
        ]
    );
    until(|| running.handle.counts().written == 5).await;
}

#[tokio::test]
async fn a_bad_line_is_found_by_halving_and_only_it_is_set_aside() {
    let server = Server::start(|_, request| {
        let bad = lines(request).iter().any(|line| line.contains("temp_max_c=13.0"));
        Reply::Status(if bad { 400 } else { 204 }, "")
    })
    .await;
    let running = start(&to(&server));
    for number in 0..32_u32 {
        running.facts.send(publication(u64::from(number), vec![good(0, f64::from(number))])).unwrap();
    }
    until(|| running.handle.counts().written == 31).await;
    let counts = running.handle.counts();
    assert_eq!((counts.quarantined, counts.dropped, counts.waiting), (1, 0, 0));
    assert!(counts.requests <= 12, "{counts:?}");
}

#[tokio::test]
async fn a_refusal_raises_the_alarm_keeps_the_lines_and_does_not_hammer() {
    for status in [401, 403, 404] {
        let server = Server::start(move |_, _| Reply::Status(status, "")).await;
        let mut running = start(&to(&server));
        running.facts.send(publication(0, vec![good(0, 1.0)])).unwrap();
        assert!(failing(&running.inputs.recv().await.unwrap()));
        until(|| running.handle.counts().waiting == 1).await;
        // A hot loop would have filled this second with requests.
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(running.handle.counts().requests, 1);
        running.stop.cancel();
        running.handle.task.await.unwrap();
    }
}

#[tokio::test]
async fn a_busy_server_gets_everything_later_and_the_alarm_comes_and_goes() {
    let server = Server::start(|number, _| match number {
        0 => Reply::Status(429, "retry-after: 1\r\n"),
        1 => Reply::Status(503, ""),
        2 => Reply::Cut,
        _ => Reply::Status(204, ""),
    })
    .await;
    let mut running = start(&to(&server));
    running.facts.send(publication(0, vec![good(0, 1.0), raised(1, 0, Priority::High)])).unwrap();
    assert!(failing(&running.inputs.recv().await.unwrap()));
    assert!(!failing(&running.inputs.recv().await.unwrap()));
    let requests = server.requests();
    assert_eq!(requests.len(), 4);
    assert_eq!(lines(&requests[0]), lines(&requests[3]), "the same lines with the same times");
    let counts = running.handle.counts();
    assert_eq!((counts.written, counts.errors, counts.waiting), (2, 3, 0));
}

#[tokio::test]
async fn an_answer_that_does_not_end_meets_the_deadline() {
    let server = Server::start(|number, _| match number {
        0 => Reply::Dribble,
        _ => Reply::Status(204, ""),
    })
    .await;
    let begun = clock::uptime();
    let running = start(&to(&server));
    running.facts.send(publication(0, vec![good(0, 1.0)])).unwrap();
    until(|| running.handle.counts().written == 1).await;
    let took = clock::uptime().since(begun);
    assert!(Millis(10_000) <= took && took < Millis(15_000), "{took}");
    assert_eq!(running.handle.counts().errors, 1);
}

#[tokio::test]
async fn a_dead_server_costs_the_oldest_readings_only() {
    let dead = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut running = start(&InfluxOptions { lines_queued_max: 10, ..options(format!("http://{dead}")) });
    running.facts.send(publication(0, vec![raised(1, 0, Priority::Critical)])).unwrap();
    for number in 1..=50 {
        running.facts.send(publication(number, vec![good(0, 1.0)])).unwrap();
    }
    assert!(failing(&running.inputs.recv().await.unwrap()));
    until(|| running.handle.counts().dropped == 41 && running.handle.counts().waiting == 10).await;
    assert_eq!(running.handle.counts().written, 0);
}

#[tokio::test]
async fn an_address_with_a_path_is_refused_because_it_would_be_dropped() {
    for url in ["nonsense", "ftp://host", "http://host:8086/influx"] {
        let (_facts, hearing) = broadcast::channel(1);
        let (inbox, _inputs) = mpsc::channel(1);
        let fault = spawn(
            &options(url.into()),
            Content::History,
            site::site(),
            &[],
            hearing,
            Faults::new(&inbox),
            CancellationToken::new(),
        );
        assert!(matches!(fault, Err(SetupFault::Url(_))), "{url}");
    }
}

/// A VictoriaMetrics of its own, on a free port, with its data in a directory that goes with it.
struct VictoriaMetrics {
    url: String,
    _process: tokio::process::Child,
    _data: tempfile::TempDir,
}

impl VictoriaMetrics {
    async fn start() -> Self {
        let data = tempfile::tempdir().unwrap();
        let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let process = tokio::process::Command::new("victoria-metrics")
            .arg(format!("-httpListenAddr={address}"))
            .arg(format!("-storageDataPath={}", data.path().display()))
            .args(["-retentionPeriod=12", "-search.latencyOffset=0s"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("this test needs VictoriaMetrics: install the Debian package `victoria-metrics`");
        let url = format!("http://{address}");
        let started = async {
            while tokio::net::TcpStream::connect(address).await.is_err() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), started).await.expect("VictoriaMetrics starts");
        Self { url, _process: process, _data: data }
    }

    /// All series it has: name and labels, with times and values.
    async fn export(&self) -> BTreeMap<String, (BTreeMap<String, String>, i64, f64)> {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        http.get(format!("{}/internal/force_flush", self.url)).send().await.unwrap();
        let export = format!("{}/api/v1/export?match[]=%7B__name__!=%22%22%7D", self.url);
        let text = http.get(export).send().await.unwrap().text().await.unwrap();
        let mut series = BTreeMap::new();
        for line in text.lines() {
            let json: serde_json::Value = serde_json::from_str(line).unwrap();
            let labels: BTreeMap<String, String> = serde_json::from_value(json["metric"].clone()).unwrap();
            let cell = labels.get("cell").map_or(String::new(), |cell| format!("/{cell}"));
            let name = format!("{}{cell}", labels["__name__"]);
            let (time, value) =
                (json["timestamps"][0].as_i64().unwrap(), json["values"][0].as_f64().unwrap());
            series.insert(name, (labels, time, value));
        }
        series
    }
}

#[tokio::test]
async fn a_real_server_gives_back_what_was_written() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let server = VictoriaMetrics::start().await;
    let running = start(&options(server.url.clone()));
    // The server keeps a year: the time must be of now.
    let wall = clock::now().wall;
    let mut facts = vec![good(0, 24.5), good(1, 3.312), good(3, -0.25), good(4, 3.0), good(5, 1.0)];
    facts.push(Fact::Reading { point: PointId(2), reading: Reading::NeverSeen });
    facts.push(raised(7, 0, Priority::Critical));
    let now = Now { uptime: Uptime(50_000), wall };
    running.facts.send(Arc::new(Publication { number: 1, now, clock: ClockSync::Unknown, facts })).unwrap();
    until(|| running.handle.counts().written == 5).await;
    let mut series = BTreeMap::new();
    for _ in 0..200 {
        series = server.export().await;
        if 13 <= series.len() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let expected = [
        ("battery_string_temp_max_c", 24.5),
        ("battery_string_soc_pct", -0.25),
        ("battery_string_status", 3.0),
        ("battery_string_q", 192.0),
        ("battery_cell_voltage_v/01", 3.312),
        ("battery_cell_q/01", 192.0),
        ("battery_cell_q/02", 0.0),
        ("contact_state", 1.0),
        ("contact_q", 192.0),
        ("alarm_event_value", 81.3),
        ("alarm_event_limit", 80.0),
        ("alarm_event_number", 7.0),
        ("alarm_event_rev", 1.0),
    ];
    for (name, value) in expected {
        let (labels, time, got) = series.get(name).unwrap_or_else(|| panic!("{name} of {series:#?}"));
        assert_eq!(got.to_bits(), f64::to_bits(value), "{name}");
        assert_eq!((labels["site"].as_str(), labels["room"].as_str()), ("s1", "b1"));
        assert_eq!(*time, wall.0, "{name}");
    }
    assert!(!series.contains_key("battery_cell_voltage_v/02"), "a value that never was");
    assert_eq!(running.handle.counts().errors, 0);
}

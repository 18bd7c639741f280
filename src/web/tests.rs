//! A served page, a fake screen and a fake safety loop; requests by hand, so that bad ones can be sent too.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use serde_json::{Value as Json, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{broadcast, mpsc};
use tokio::time::timeout;

use super::*;
use crate::safety::fact::{Fact, Input, Refusal, Request as Wish};
use crate::safety::sequence::spec::{Mode, OnRestart, Sequence};
use crate::safety::site::{Alarm, AlarmSource, RoomId, RuleId, SystemFault, ZoneId};
use crate::units::{ClockSync, Millis, Now};

const TOKEN: &str = "ann-has-a-token-1";
const PATIENCE: Duration = Duration::from_secs(20);

struct Counting(u64);

impl Screen for Counting {
    fn apply(&mut self, publication: &Publication) -> Option<Json> {
        self.0 = publication.number;
        Some(json!({ "seq": self.0 }))
    }
    fn snapshot(&self) -> Json {
        json!({ "v": 1, "seq": self.0 })
    }
    fn metrics(&self, form: Form) -> String {
        format!("{form:?} {}", self.0)
    }
    fn readiness(&self) -> Vec<Readiness> {
        vec![Readiness::of("told", 0 < self.0, || "nothing was told".to_owned())]
    }
}

struct Plant {
    web: WebHandle,
    facts: broadcast::Sender<Arc<Publication>>,
    stop: CancellationToken,
}

impl Plant {
    async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (facts, hearing) = broadcast::channel(8);
        let (inbox, asked) = mpsc::channel(8);
        let stop = CancellationToken::new();
        let operator = options::OperatorOptions { name: "ann".into(), token: TOKEN.into() };
        let options = WebOptions {
            listen: listener.local_addr().unwrap(),
            metrics_cells: false,
            operators: vec![operator],
        };
        let banner = Some("DEMO".to_owned());
        let screen = Box::new(Counting(0));
        let web = serve(listener, options, Arc::new(site()), screen, hearing, inbox, stop.clone(), banner);
        tokio::spawn(fake_core(asked, facts.clone()));
        Self { web, facts, stop }
    }

    fn publish(&self, number: u64) {
        let publication =
            Publication { number, now: Now::default(), clock: ClockSync::Unknown, facts: vec![] };
        self.facts.send(Arc::new(publication)).unwrap();
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.web.address()).await.unwrap()
    }

    /// A request as written, and everything that came back.
    async fn send(&self, request: &str) -> String {
        let mut stream = self.connect().await;
        stream.write_all(request.as_bytes()).await.unwrap();
        rest_of(&mut stream).await
    }

    async fn get(&self, path: &str) -> String {
        self.send(&format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")).await
    }

    async fn post(&self, path: &str, headers: &str, body: &str) -> String {
        let length = body.len();
        let head =
            format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n{headers}\r\n");
        self.send(&format!("{head}{body}")).await
    }

    async fn ask(&self, path: &str, body: &str) -> String {
        self.post(path, &format!("Authorization: Bearer {TOKEN}\r\n"), body).await
    }

    /// A follower that has received the state.
    async fn follow(&self) -> (TcpStream, String) {
        let mut stream = self.connect().await;
        stream.write_all(b"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
        let seen = read_until(&mut stream, &["event: state", "\n\n"]).await;
        (stream, seen)
    }
}

fn site() -> Site {
    let alarm = Alarm {
        name: "cell-temp".into(),
        room: RoomId(0),
        source: AlarmSource::System(SystemFault::Mqtt),
        latched: false,
        message: String::new(),
        consequence: String::new(),
        action: String::new(),
    };
    let sequence = Sequence {
        name: "cut-rack-1".into(),
        title: String::new(),
        zone: ZoneId(0),
        mode: Mode::Armed,
        trigger: RuleId(0),
        countdown: Millis(30_000),
        on_restart: OnRestart::Hold,
        no_return: 0,
        arming_key: None,
        abort_input: None,
        proof: None,
        notice: String::new(),
        contact: None,
        autonomy: None,
        stages: vec![],
    };
    Site { alarms: vec![alarm], sequences: vec![sequence], ..Site::default() }
}

/// Follows everything except an acknowledgement of occurrence 1 (too old) and a start (never answered).
async fn fake_core(mut asked: mpsc::Receiver<Vec<Input>>, facts: broadcast::Sender<Arc<Publication>>) {
    while let Some(inputs) = asked.recv().await {
        for input in inputs {
            let Input::Asked { by, request } = input else { continue };
            let fact = match request {
                Wish::Start { .. } => continue,
                Wish::Acknowledge { occurrence: 1, .. } => {
                    Fact::Refused { by, request, why: Refusal::OutOfDate }
                }
                request => Fact::Followed { by, request },
            };
            let publication =
                Publication { number: 1, now: Now::default(), clock: ClockSync::Unknown, facts: vec![fact] };
            facts.send(Arc::new(publication)).unwrap();
        }
    }
}

async fn rest_of(stream: &mut TcpStream) -> String {
    let mut reply = Vec::new();
    // A reset after the reply is an end too.
    let _end = timeout(PATIENCE, stream.read_to_end(&mut reply)).await.expect("the reply ends in time");
    String::from_utf8_lossy(&reply).into_owned()
}

/// Reads until all of these have come, in this order.
async fn read_until(stream: &mut TcpStream, wanted: &[&str]) -> String {
    let mut seen = String::new();
    let mut buffer = [0; 4096];
    let has_come =
        |seen: &str| wanted.iter().try_fold(seen, |rest, want| Some(rest.split_once(want)?.1)).is_some();
    while !has_come(&seen) {
        let read = timeout(PATIENCE, stream.read(&mut buffer)).await.expect("comes in time").unwrap();
        assert!(0 < read, "ended before {wanted:?}: {seen}");
        seen.push_str(&String::from_utf8_lossy(&buffer[..read]));
    }
    seen
}

fn status(reply: &str) -> u16 {
    reply.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
}

const ASKS: [(&str, &str); 12] = [
    ("/api/v1/alarms/cell-temp/ack", r#"{"occurrence":2}"#),
    ("/api/v1/alarms/cell-temp/shelve", r#"{"for_s":60,"one_shot":true}"#),
    ("/api/v1/alarms/cell-temp/unshelve", ""),
    ("/api/v1/alarms/cell-temp/out-of-service", r#"{"reason":"new sensor"}"#),
    ("/api/v1/alarms/cell-temp/in-service", ""),
    ("/api/v1/alarms/cell-temp/reset", ""),
    ("/api/v1/sequences/cut-rack-1/abort", r#"{"run":7}"#),
    ("/api/v1/sequences/cut-rack-1/abort", ""),
    ("/api/v1/sequences/cut-rack-1/arm", "{}"),
    ("/api/v1/sequences/cut-rack-1/disarm", ""),
    ("/api/v1/sequences/cut-rack-1/select", ""),
    ("/api/v1/sequences/cut-rack-1/reset", ""),
];

#[tokio::test]
async fn everybody_may_look_and_every_reply_is_locked_down() {
    let plant = Plant::new().await;
    let assets = assets::ALL.iter().map(|asset| asset.path);
    for path in
        assets.chain(["/livez", "/metrics", "/api/v1/state", "/nowhere", "/..%2f..%2fetc/passwd", "/%00"])
    {
        let reply = plant.get(path).await.to_lowercase();
        let found = if path.starts_with("/nowhere") || path.contains('%') { 404 } else { 200 };
        assert_eq!(status(&reply), found, "{path}: {reply}");
        for header in
            ["default-src 'self'", "frame-ancestors 'none'", "nosniff", "no-referrer", "cache-control"]
        {
            assert!(reply.contains(header), "{path} lacks {header}: {reply}");
        }
    }
    let state = plant.get("/api/v1/state").await;
    assert!(state.contains(r#""banner":"DEMO""#) && state.contains(r#""missed":0"#), "{state}");
}

#[tokio::test]
async fn only_an_operators_token_may_ask_on_any_route() {
    let plant = Plant::new().await;
    for (path, body) in ASKS {
        assert_eq!(status(&plant.post(path, "", body).await), 401, "{path} without a token");
        assert_eq!(status(&plant.post(path, "Authorization: Basic YTpi\r\n", body).await), 401, "{path}");
        assert_eq!(status(&plant.get(path).await), 405, "{path} by GET");
        let reply = plant.ask(path, body).await;
        assert!(status(&reply) == 200 && reply.contains(r#""result":"accepted""#), "{path}: {reply}");
    }
    let wrong = plant.post(ASKS[0].0, "Authorization: Bearer ann-has-a-token-2\r\n", ASKS[0].1).await;
    assert!(status(&wrong) == 403 && wrong.contains("application/problem+json"), "{wrong}");
    let two = format!("Authorization: Bearer {TOKEN}\r\nAuthorization: Bearer {TOKEN}\r\n");
    assert_eq!(status(&plant.post(ASKS[0].0, &two, ASKS[0].1).await), 401);
}

#[tokio::test]
async fn ten_wrong_tokens_shut_out_even_the_right_one() {
    let plant = Plant::new().await;
    for _ in 0..operators::WRONG_PER_WINDOW_MAX {
        assert_eq!(status(&plant.post(ASKS[0].0, "Authorization: Bearer wrong\r\n", "").await), 403);
    }
    let reply = plant.ask(ASKS[0].0, ASKS[0].1).await;
    assert!(status(&reply) == 429 && reply.to_lowercase().contains("retry-after"), "{reply}");
    assert_eq!(status(&plant.get("/api/v1/state").await), 200, "looking goes on");
}

#[tokio::test]
async fn a_refusal_of_the_core_is_told_with_its_reason() {
    let plant = Plant::new().await;
    let reply = plant.ask("/api/v1/alarms/cell-temp/ack", r#"{"occurrence":1}"#).await;
    assert!(status(&reply) == 409 && reply.contains("stale-revision"), "{reply}");
}

#[tokio::test]
async fn no_word_of_the_core_is_no_success() {
    let plant = Plant::new().await;
    let reply = plant.ask("/api/v1/sequences/cut-rack-1/start", "").await;
    assert!(status(&reply) == 504 && reply.contains("no-answer"), "{reply}");
}

#[tokio::test]
async fn malformed_requests_are_told_what_is_wrong() {
    let plant = Plant::new().await;
    let deep = "[".repeat(4000);
    for (path, body, expected) in [
        ("/api/v1/alarms/cell-temp/ack", "", 400),
        ("/api/v1/alarms/cell-temp/shelve", "", 400),
        ("/api/v1/alarms/cell-temp/out-of-service", "", 400),
        ("/api/v1/alarms/cell-temp/ack", r#"{"occurrence":-1}"#, 400),
        ("/api/v1/alarms/cell-temp/ack", r#"{"occurence":1}"#, 400),
        ("/api/v1/alarms/cell-temp/ack", deep.as_str(), 400),
        ("/api/v1/alarms/other/ack", r#"{"occurrence":2}"#, 404),
        ("/api/v1/alarms/%ff/ack", r#"{"occurrence":2}"#, 404),
        ("/api/v1/sequences/cut-rack-1/explode", "", 404),
    ] {
        assert_eq!(status(&plant.ask(path, body).await), expected, "{path} {body}");
    }
}

#[tokio::test]
async fn foreign_origins_and_hosts_are_refused() {
    let plant = Plant::new().await;
    let auth = format!("Authorization: Bearer {TOKEN}\r\n");
    for (path, body) in ASKS {
        for foreign in [
            "Origin: http://evil.example",
            "Origin: null",
            "Origin: http://localhost:1",
            "Sec-Fetch-Site: cross-site",
            "Sec-Fetch-Site: same-site",
        ] {
            let reply = plant.post(path, &format!("{auth}{foreign}\r\n"), body).await;
            assert!(status(&reply) == 403 && reply.contains("foreign-origin"), "{path} {foreign}: {reply}");
        }
        let ours = format!("{auth}Origin: http://localhost\r\nSec-Fetch-Site: same-origin\r\n");
        assert_eq!(status(&plant.post(path, &ours, body).await), 200, "{path}");
    }
    for hosts in ["Host: evil.example\r\n", "Host: localhost\r\nHost: localhost\r\n", ""] {
        let reply = plant.send(&format!("GET /api/v1/state HTTP/1.1\r\n{hosts}\r\n")).await;
        assert!(matches!(status(&reply), 421 | 400) && !reply.contains("seq"), "{hosts}: {reply}");
    }
}

#[tokio::test]
async fn bodies_and_heads_are_bounded() {
    let plant = Plant::new().await;
    let auth = format!("Host: localhost\r\nAuthorization: Bearer {TOKEN}\r\n");
    let path = ASKS[0].0;
    let large = format!("POST {path} HTTP/1.1\r\n{auth}Content-Length: 1073741824\r\n\r\n");
    assert_eq!(status(&plant.send(&large).await), 413);
    let chunk = format!("{:x}\r\n{}\r\n0\r\n\r\n", BODY_BYTES_MAX + 1, " ".repeat(BODY_BYTES_MAX + 1));
    let chunked = format!("POST {path} HTTP/1.1\r\n{auth}Transfer-Encoding: chunked\r\n\r\n{chunk}");
    assert_eq!(status(&plant.send(&chunked).await), 413);
    let many = format!("GET / HTTP/1.1\r\nHost: localhost\r\n{}\r\n", "a: b\r\n".repeat(1000));
    assert_eq!(status(&plant.send(&many).await), 431);
    let mut stream = plant.connect().await;
    let long = format!("GET / HTTP/1.1\r\na: {}", "b".repeat(2 * HEAD_BYTES_MAX));
    // It may be closed while this is still being sent.
    let _sent = stream.write_all(long.as_bytes()).await;
    assert_eq!(rest_of(&mut stream).await, "");
}

#[tokio::test]
async fn slow_heads_are_closed_in_time_and_slow_bodies_are_told_so() {
    let plant = Plant::new().await;
    let begun = crate::clock::uptime();
    let mut head = plant.connect().await;
    head.write_all(b"GET / HTTP/1.1\r\nHost: loc").await.unwrap();
    let mut body = plant.connect().await;
    let request = format!(
        "POST {} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: 9\r\n\r\n{{",
        ASKS[0].0
    );
    body.write_all(request.as_bytes()).await.unwrap();
    assert_eq!(rest_of(&mut head).await, "");
    let head_took = crate::clock::uptime().since(begun);
    assert_eq!(status(&rest_of(&mut body).await), 408);
    let body_took = crate::clock::uptime().since(begun);
    assert!(Millis(4900) <= head_took && head_took < Millis(9000), "{head_took}");
    assert!(Millis(9900) <= body_took && body_took < Millis(15_000), "{body_took}");
}

#[tokio::test]
async fn it_is_ready_when_every_check_holds_and_says_which_does_not() {
    let plant = Plant::new().await;
    let reply = plant.get("/readyz").await;
    assert_eq!(status(&reply), 503, "{reply}");
    assert!(
        reply.ends_with(r#"{"checks":[{"check":"told","ok":false,"why":"nothing was told"}],"ready":false}"#)
    );
    let (mut stream, _) = plant.follow().await;
    plant.publish(5);
    read_until(&mut stream, &["event: patch"]).await;
    let reply = plant.get("/readyz").await;
    assert_eq!(status(&reply), 200, "{reply}");
    assert!(reply.ends_with(r#"{"checks":[{"check":"told","ok":true}],"ready":true}"#), "{reply}");
}

#[tokio::test]
async fn metrics_come_in_the_form_that_the_scraper_takes_and_to_no_foreign_host() {
    let plant = Plant::new().await;
    let scrape = async |host: &str, accept: &str| {
        plant.send(&format!("GET /metrics HTTP/1.1\r\nHost: {host}\r\nAccept: {accept}\r\n\r\n")).await
    };
    let reply = scrape("localhost", "text/plain").await;
    assert!(reply.contains("text/plain; version=0.0.4") && reply.ends_with("Classic 0"), "{reply}");
    let reply = scrape("localhost", "application/openmetrics-text;version=1.0.0,*/*;q=0.1").await;
    assert!(
        reply.contains("application/openmetrics-text; version=1.0.0") && reply.ends_with("Open 0"),
        "{reply}"
    );
    assert_eq!(status(&scrape("evil.example", "*/*").await), 421);
}

#[tokio::test]
async fn idle_sockets_in_any_number_do_not_keep_others_out() {
    let plant = Plant::new().await;
    let mut idle = Vec::new();
    for _ in 0..4 * CONNECTIONS_MAX {
        idle.push(plant.connect().await);
    }
    let begun = crate::clock::uptime();
    assert_eq!(status(&plant.get("/livez").await), 200);
    assert!(crate::clock::uptime().since(begun) < Millis(1000));
}

#[tokio::test]
async fn a_follower_gets_the_state_then_patches_and_beats_while_publications_come() {
    let plant = Plant::new().await;
    let (mut stream, seen) = plant.follow().await;
    assert!(seen.contains("text/event-stream") && seen.contains(r#""seq":0"#), "{seen}");
    plant.publish(5);
    let seen = read_until(&mut stream, &["event: patch", r#""seq":5"#, "event: beat", "now_ms"]).await;
    assert!(!seen.contains("event: state"), "{seen}");
    // No publications: after a while the beats stop though the connection stands.
    let mut buffer = [0; 4096];
    let mut beats = 0;
    while let Ok(read) = timeout(Duration::from_secs(3), stream.read(&mut buffer)).await {
        assert!(0 < read.unwrap(), "the stream stands");
        beats += 1;
    }
    assert!(beats <= 4, "{beats} beats without publications");
}

#[tokio::test]
async fn publications_that_were_missed_are_owned_up_to() {
    let plant = Plant::new().await;
    let (mut stream, _) = plant.follow().await;
    // On this one thread the hub cannot run meanwhile; eight fit.
    for number in 1..=20 {
        plant.publish(number);
    }
    let seen = read_until(&mut stream, &["event: state", r#""missed":12"#, r#""seq":20"#]).await;
    assert!(seen.contains("event: patch"), "{seen}");
}

#[tokio::test]
async fn the_seventeenth_follower_is_told_that_there_is_no_seat() {
    let plant = Plant::new().await;
    let mut seats = Vec::new();
    for _ in 0..FOLLOWERS_MAX {
        seats.push(plant.follow().await.0);
    }
    let reply = plant.get("/api/v1/events").await;
    assert!(status(&reply) == 503 && reply.contains("too-many-followers"), "{reply}");
    assert_eq!(status(&plant.get("/api/v1/state").await), 200);
    drop(seats);
    let again = async {
        loop {
            let mut stream = plant.connect().await;
            stream.write_all(b"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
            if read_until(&mut stream, &["\r\n\r\n"]).await.contains(" 200 ") {
                break;
            }
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, again).await.expect("seats become free again");
}

#[tokio::test]
async fn the_stop_ends_streams_and_idle_sockets_within_a_second() {
    let mut plant = Plant::new().await;
    let (mut stream, _) = plant.follow().await;
    let mut idle = plant.connect().await;
    idle.write_all(b"GET / HT").await.unwrap();
    assert_eq!(status(&plant.get("/livez").await), 200);
    plant.stop.cancel();
    timeout(Duration::from_secs(1), plant.web.finished()).await.expect("ends in time").unwrap();
    rest_of(&mut stream).await;
    assert_eq!(rest_of(&mut idle).await, "");
}

#[tokio::test]
async fn what_a_browser_has_already_is_not_sent_again() {
    let plant = Plant::new().await;
    let reply = plant.get("/app.js").await;
    let tag = reply.lines().find_map(|line| line.strip_prefix("etag: ")).unwrap();
    let again = format!("GET /app.js HTTP/1.1\r\nHost: localhost\r\nIf-None-Match: {tag}\r\n\r\n");
    assert_eq!(status(&plant.send(&again).await), 304);
}

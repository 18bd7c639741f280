//! Webhooks against a scripted server: what it gets, and what becomes of what it answers.
#![expect(clippy::unwrap_used, reason = "tests")]

#[path = "support/http.rs"]
mod http;
#[path = "support/site.rs"]
mod site;

use std::sync::Arc;

use emberwatch::clock;
use emberwatch::exchange::{FaultReport, Publication};
use emberwatch::notify::options::{Hears, Preset, WebhookOptions};
use emberwatch::notify::{Common, SetupFault, TargetHandle, Texts, spawn};
use emberwatch::safety::alarm::AlarmChange;
use emberwatch::safety::fact::{Fact, Input};
use emberwatch::safety::risk::Level;
use emberwatch::safety::sequence::{Notice, NoticeStage, SequenceChange};
use emberwatch::safety::site::{Priority, SequenceId, Site, SystemFault, ZoneId};
use emberwatch::units::{Millis, Now};
use http::{Reply, Request, Server, until};
use serde_json::Value;
use site::{publication, raised};
use tokio::sync::{broadcast, mpsc};
use tokio_util::sync::CancellationToken;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

struct Plain;

impl Texts for Plain {
    fn alarm(&self, site: &Site, change: &AlarmChange, _: Now) -> String {
        site[change.alarm].message.clone()
    }
    fn sequence(&self, _: &Site, _: &SequenceChange, _: Now) -> String {
        "a sequence changed".into()
    }
    fn notice(&self, _: &Site, _: &Notice, _: Now) -> String {
        "power goes".into()
    }
}

struct Running {
    facts: broadcast::Sender<Arc<Publication>>,
    inputs: mpsc::Receiver<Vec<Input>>,
    handles: Vec<TargetHandle>,
    stop: CancellationToken,
}

fn options(url: String) -> WebhookOptions {
    WebhookOptions {
        name: "ops".into(),
        preset: Preset::Standard { keys: vec![SECRET.into()] },
        url: url.into(),
        url_backup: None,
        hears: Hears { priority_min: Some(Priority::Medium), ..Hears::default() },
        timeout: Millis(2000),
        queued_max: 100,
        allow_private: true,
        ca: None,
    }
}

fn common(inbox: mpsc::Sender<Vec<Input>>, stop: &CancellationToken) -> Common {
    Common {
        site: site::site(),
        boot: "boot-a".into(),
        texts: Arc::new(Plain),
        fault: FaultReport::new(inbox, SystemFault::Webhook),
        stop: stop.clone(),
    }
}

fn start(targets: &[WebhookOptions]) -> Running {
    let (facts, hearing) = broadcast::channel(64);
    let (inbox, inputs) = mpsc::channel(64);
    let stop = CancellationToken::new();
    let common = common(inbox, &stop);
    let one = |target| spawn(target, &common.clone(), hearing.resubscribe()).unwrap();
    let handles = targets.iter().map(one).collect();
    Running { facts, inputs, handles, stop }
}

fn to(server: &Server) -> Vec<WebhookOptions> {
    vec![options(format!("http://{}/hook", server.address))]
}

fn json(request: &Request) -> Value {
    serde_json::from_slice(&request.body).unwrap()
}

fn verify(request: &Request) {
    // Built by hand: the verifier's headers are of another crate than ours.
    let mut headers = reqwest::header::HeaderMap::new();
    for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
        headers.insert(name, request.headers[name].parse().unwrap());
    }
    let reference = standardwebhooks::Webhook::new(SECRET).unwrap();
    reference.verify(&request.body, &headers).expect("the reference accepts the signature");
}

fn failing(inputs: &[Input]) -> bool {
    match inputs {
        [Input::System { fault: SystemFault::Webhook, failing }] => *failing,
        other => panic!("not about webhooks: {other:?}"),
    }
}

#[tokio::test]
async fn an_alarm_arrives_signed_and_says_what_to_do() {
    let server = Server::start(|_, _| Reply::Status(204, "")).await;
    let running = start(&to(&server));
    running.facts.send(publication(1, vec![raised(7, 0, Priority::Critical)])).unwrap();
    let requests = server.wait_for(2).await;
    requests.iter().for_each(verify);
    let started = requests.iter().map(json).find(|body| body["type"] == "gateway.started").unwrap();
    assert_eq!(started["data"]["process"]["boot"], "boot-a");
    let alarm = requests.iter().map(json).find(|body| body["type"] == "alarm.raised").unwrap();
    assert_eq!(alarm["timestamp"], "2026-11-22T17:42:05.120Z");
    assert_eq!(alarm["data"]["room"], "b1");
    assert_eq!(alarm["data"]["message"], "temp-high is \"high\"");
    let about = &alarm["data"]["alarm"];
    assert_eq!((&about["id"], &about["state"]), (&"temp-high".into(), &"unack-active".into()));
    assert_eq!(about["value"], serde_json::json!({"v": 81.3, "u": "Cel", "point": "bms-1/temp-max"}));
    assert_eq!(about["action"], "do not enter");
    assert!(requests[0].line.starts_with("POST /hook "));
}

#[tokio::test]
async fn a_failed_try_is_repeated_under_the_same_id_and_the_alarm_comes_and_goes() {
    let server = Server::start(|number, _| match number {
        0 => Reply::Status(500, ""),
        1 => Reply::Cut,
        _ => Reply::Status(200, ""),
    })
    .await;
    let mut running = start(&to(&server));
    let requests = server.wait_for(3).await;
    requests.iter().for_each(verify);
    let ids: Vec<&String> = requests.iter().map(|request| &request.headers["webhook-id"]).collect();
    assert!(ids[0].starts_with("msg_") && ids.iter().all(|id| *id == ids[0]));
    assert!(failing(&running.inputs.recv().await.unwrap()));
    assert!(!failing(&running.inputs.recv().await.unwrap()));
    let counts = running.handles[0].counts();
    assert_eq!((counts.delivered, counts.failures, counts.waiting), (1, 2, 0));
}

#[tokio::test]
async fn redirects_are_failures_and_not_followed() {
    let inside = Server::start(|_, _| Reply::Status(200, "")).await;
    let location: &'static str = format!("location: http://{}/\r\n", inside.address).leak();
    let server = Server::start(move |_, _| Reply::Status(307, location)).await;
    let running = start(&to(&server));
    server.wait_for(2).await;
    assert_eq!(inside.requests().len(), 0);
    assert_eq!(running.handles[0].counts().delivered, 0);
}

#[tokio::test]
async fn a_slow_answer_meets_the_deadline_and_delays_no_other_target() {
    let slow = Server::start(|_, _| Reply::Dribble).await;
    let good = Server::start(|_, _| Reply::Status(200, "")).await;
    let mut targets = to(&slow);
    targets[0].timeout = Millis(1500);
    targets.extend(to(&good));
    let begun = clock::uptime();
    let running = start(&targets);
    good.wait_for(1).await;
    assert_eq!(running.handles[0].counts().failures, 0, "the other target still waits");
    until(|| running.handles[0].counts().failures == 1).await;
    let took = clock::uptime().since(begun);
    assert!(Millis(1500) <= took && took < Millis(10_000), "{took}");
}

#[tokio::test]
async fn a_target_that_is_gone_raises_the_alarm_at_once() {
    let server = Server::start(|_, _| Reply::Status(410, "")).await;
    let mut running = start(&to(&server));
    assert!(failing(&running.inputs.recv().await.unwrap()));
    assert_eq!(running.handles[0].counts().waiting, 1, "kept, not given up");
}

#[tokio::test]
async fn retry_after_is_honoured() {
    let server = Server::start(|number, _| match number {
        0 => Reply::Status(503, "retry-after: 3\r\n"),
        _ => Reply::Status(200, ""),
    })
    .await;
    let begun = clock::uptime();
    let _running = start(&to(&server));
    server.wait_for(2).await;
    assert!(Millis(2900) <= clock::uptime().since(begun));
}

#[tokio::test]
async fn a_notice_overtakes_what_waits_behind_a_failing_target() {
    let server = Server::start(|number, _| match number {
        0..=2 => Reply::Status(500, ""),
        _ => Reply::Status(200, ""),
    })
    .await;
    let running = start(&to(&server));
    // Two tries failed: the next is seconds away, unless something worse comes.
    server.wait_for(2).await;
    let notice = Notice {
        sequence: SequenceId(0),
        zone: ZoneId(0),
        level: Level::Danger,
        run: None,
        number: 1,
        previous: None,
        stage: NoticeStage::Countdown { earliest: Millis(120_000), abortable: Millis(110_000) },
        shadow: true,
        drill: false,
        next: Some(0),
        evidence: emberwatch::safety::risk::Evidence::None,
        autonomy: None,
    };
    running.facts.send(publication(1, vec![Fact::Notice(Box::new(notice))])).unwrap();
    let requests = server.wait_for(4).await;
    assert_eq!(json(&requests[0])["type"], "gateway.started");
    let notice = json(&requests[3]);
    assert_eq!((&notice["type"], &notice["data"]["shadow"]), (&"notice".into(), &true.into()));
    assert_eq!(notice["data"]["notice"]["earliest"], "2026-11-22T17:44:05.120Z");
    assert_eq!(notice["data"]["notice"]["what_to_do"], "fail over now");
}

#[tokio::test]
async fn alarms_below_the_targets_priority_are_not_sent_and_a_stop_ends_the_task() {
    let server = Server::start(|_, _| Reply::Status(200, "")).await;
    let mut running = start(&to(&server));
    let facts = vec![raised(1, 0, Priority::Low), raised(2, 1, Priority::Medium)];
    running.facts.send(publication(1, facts)).unwrap();
    let requests = server.wait_for(2).await;
    assert!(requests.iter().any(|request| json(request)["data"]["alarm"]["id"] == "cutting"));
    running.stop.cancel();
    running.handles.remove(0).task.await.unwrap();
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn private_targets_and_bad_secrets_are_refused_at_the_start() {
    let (_facts, hearing) = broadcast::channel(1);
    let (inbox, _inputs) = mpsc::channel(1);
    let common = common(inbox, &CancellationToken::new());
    let try_with = |target: WebhookOptions| spawn(&target, &common, hearing.resubscribe()).err();
    for url in ["http://127.0.0.1/", "http://[::1]/", "http://192.168.0.9:8080/x"] {
        let private = WebhookOptions { allow_private: false, ..options(url.into()) };
        assert!(matches!(try_with(private), Some(SetupFault::Private { .. })), "{url}");
    }
    let preset = Preset::Standard { keys: vec!["whsec_AAAA".into()] };
    let bad = WebhookOptions { preset, ..options("http://example.org/".into()) };
    assert!(matches!(try_with(bad), Some(SetupFault::Secret { .. })));
    assert!(matches!(try_with(options("ftp://example.org".into())), Some(SetupFault::Url { .. })));
}

#[tokio::test]
async fn a_name_that_leads_to_a_private_address_is_not_used() {
    let server = Server::start(|_, _| Reply::Status(200, "")).await;
    let url = format!("http://localhost:{}/", server.address.port());
    let running = start(&[WebhookOptions { allow_private: false, ..options(url) }]);
    until(|| 2 <= running.handles[0].counts().failures).await;
    assert_eq!(server.requests().len(), 0);
}

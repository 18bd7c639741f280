//! Webhooks against a scripted server: what it gets, and what becomes of what it answers.
#![expect(clippy::unwrap_used, reason = "tests")]

#[path = "support/http.rs"]
mod http;
#[path = "support/notify.rs"]
mod notify;
#[path = "webhook/presets.rs"]
mod presets;
#[path = "webhook/routes.rs"]
mod routes;
#[path = "support/site.rs"]
mod site;

use emberwatch::clock;
use emberwatch::notify::options::{Preset, WebhookOptions};
use emberwatch::notify::{SetupFault, spawn};
use emberwatch::safety::fact::Input;
use emberwatch::safety::site::{Priority, SystemFault};
use emberwatch::units::Millis;
use http::{Reply, Request, Server, until};
use notify::{SECRET, options, start};
use serde_json::Value;
use site::{publication, raised};
use tokio::sync::{broadcast, mpsc};
use tokio_util::sync::CancellationToken;

fn to(server: &Server) -> Vec<WebhookOptions> {
    vec![options(format!("http://{}/hook", server.address))]
}

pub(crate) fn json(request: &Request) -> Value {
    serde_json::from_slice(&request.body).unwrap()
}

pub(crate) fn verify(request: &Request) {
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
async fn w1_w7_a_failed_try_is_repeated_under_the_same_id_and_the_alarm_comes_and_goes() {
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
async fn w3_redirects_are_failures_and_not_followed() {
    let inside = Server::start(|_, _| Reply::Status(200, "")).await;
    let location: &'static str = format!("location: http://{}/\r\n", inside.address).leak();
    let server = Server::start(move |_, _| Reply::Status(307, location)).await;
    let running = start(&to(&server));
    server.wait_for(2).await;
    assert_eq!(inside.requests().len(), 0);
    assert_eq!(running.handles[0].counts().delivered, 0);
}

#[tokio::test]
async fn w2_a_slow_answer_meets_the_deadline_and_delays_no_other_target() {
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
async fn w6_a_target_that_is_gone_or_not_found_raises_the_alarm_and_is_never_switched_off() {
    for (status, tries) in [(410, 1), (404, 2)] {
        let server = Server::start(move |_, _| Reply::Status(status, "")).await;
        let mut running = start(&to(&server));
        server.wait_for(tries).await;
        assert!(failing(&running.inputs.recv().await.unwrap()));
        assert_eq!(running.handles[0].counts().waiting, 1, "kept, not given up");
    }
}

#[tokio::test]
async fn w8_when_no_target_can_be_reached_the_site_is_told_within_ten_seconds() {
    // Nobody listens on one port, the other takes connections and never answers.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let urls = [&silent, &closed].map(|listener| format!("http://{}/", listener.local_addr().unwrap()));
    drop(closed);
    let targets = urls.map(|url| WebhookOptions { timeout: Millis(10_000), ..options(url) });
    let begun = clock::uptime();
    let mut running = start(&targets);
    running.facts.send(publication(1, vec![raised(7, 0, Priority::Critical)])).unwrap();
    assert!(
        failing(&running.inputs.recv().await.unwrap()),
        "an alarm, for the page, the horn and the journal"
    );
    assert!(clock::uptime().since(begun) <= Millis(10_000));
    until(|| running.handles.iter().all(|handle| 1 <= handle.counts().waiting)).await;
    drop(silent);
}

#[tokio::test]
async fn a_target_that_recovers_does_not_take_back_the_alarm_of_one_that_still_fails() {
    let dead = Server::start(|_, _| Reply::Status(500, "")).await;
    let moody = Server::start(|number, _| Reply::Status(if number < 2 { 500 } else { 200 }, "")).await;
    let mut targets = to(&dead);
    targets.extend(to(&moody));
    let mut running = start(&targets);
    until(|| running.handles[1].counts().delivered == 1 && 3 <= running.handles[0].counts().failures).await;
    assert!(failing(&running.inputs.recv().await.unwrap()));
    assert!(running.inputs.try_recv().is_err(), "it still stands");
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
    running.facts.send(publication(1, vec![notify::notice(1)])).unwrap();
    let requests = server.wait_for(4).await;
    assert_eq!(json(&requests[0])["type"], "gateway.started");
    let notice = json(&requests[3]);
    assert_eq!((&notice["type"], &notice["data"]["shadow"]), (&"notice".into(), &false.into()));
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
    let common = notify::common(inbox, &CancellationToken::new());
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

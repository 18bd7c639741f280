//! What each preset posts: its shape, its keys, and how an incident goes from call to end.

use emberwatch::notify::TargetHandle;
use emberwatch::notify::options::{Hears, Preset, WebhookOptions};
use emberwatch::safety::alarm::{AlarmEvent, AlarmState};
use emberwatch::safety::fact::Fact;
use emberwatch::safety::site::Priority;
use serde_json::{Value, json};

use crate::http::{Reply, Request, Server, until};
use crate::notify::{Running, SECRET, change, notice, options, start};
use crate::site::{publication, raised};
use crate::{json as body_of, verify};

fn as_preset(server: &Server, path: &str, preset: Preset) -> WebhookOptions {
    // Without a message of the start, which tells nothing here.
    let hears = Hears { zones: Some(vec![emberwatch::safety::site::ZoneId(0)]), ..Hears::default() };
    WebhookOptions { preset, hears, ..options(format!("http://{}{path}", server.address)) }
}

fn seen() -> Fact {
    let by = AlarmEvent::Acknowledged { by: "kim".into() };
    change(2, 0, by, AlarmState::AckActive, Priority::Critical)
}

fn cleared() -> Fact {
    change(3, 0, AlarmEvent::Cleared, AlarmState::Normal, Priority::Critical)
}

/// One alarm from its call to its end, and a notice, each when the one before was taken.
async fn whole_story(server: &Server, running: &Running, counts: &[usize]) -> Vec<Request> {
    let facts = [raised(1, 0, Priority::Critical), seen(), cleared(), notice(7)];
    for ((number, fact), count) in (1..).zip(facts).zip(counts) {
        running.facts.send(publication(number, vec![fact])).unwrap();
        server.wait_for(*count).await;
    }
    server.requests()
}

fn is_idle(handle: &TargetHandle) -> bool {
    handle.counts().waiting == 0
}

#[tokio::test]
async fn pagerduty_gets_trigger_acknowledge_and_resolve_under_one_key() {
    let server = Server::start(|_, _| Reply::Status(202, "")).await;
    let preset = Preset::PagerDuty { routing_key: "a-routing-key".into() };
    let running = start(&[as_preset(&server, "/v2/enqueue", preset)]);
    let requests = whole_story(&server, &running, &[1, 2, 3, 4]).await;
    let bodies: Vec<Value> = requests.iter().map(body_of).collect();
    let actions: Vec<&str> = bodies.iter().map(|body| body["event_action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["trigger", "acknowledge", "resolve", "trigger"]);
    let keys: Vec<&str> = bodies.iter().map(|body| body["dedup_key"].as_str().unwrap()).collect();
    let alarm = "s1/rack-a/temp-high";
    assert_eq!(keys, [alarm, alarm, alarm, "s1/rack-a/cut-rack-a-notice"]);
    assert!(bodies.iter().all(|body| body["routing_key"] == "a-routing-key"));
    let payload = &bodies[0]["payload"];
    assert_eq!((&payload["severity"], &payload["source"]), (&json!("critical"), &json!("gw1")));
    assert_eq!(payload["summary"], "CRITICAL s1/b1/rack-a: temp-high is \"high\"");
    assert_eq!(payload["custom_details"]["What to do"], "do not enter");
    assert!(!requests[0].headers.contains_key("webhook-signature"), "no key, no signature");
}

#[tokio::test]
async fn pagerduty_knows_four_severities() {
    let server = Server::start(|_, _| Reply::Status(202, "")).await;
    let preset = Preset::PagerDuty { routing_key: "key".into() };
    let running = start(&[as_preset(&server, "/", preset)]);
    let priorities = [Priority::Critical, Priority::High, Priority::Medium, Priority::Low];
    for (number, priority) in (1..).zip(priorities) {
        running.facts.send(publication(number, vec![raised(number, 0, priority)])).unwrap();
        server.wait_for(usize::try_from(number).unwrap()).await;
    }
    let requests = server.requests();
    let severity = |request| body_of(request)["payload"]["severity"].as_str().unwrap().to_owned();
    let severities: Vec<String> = requests.iter().map(severity).collect();
    assert_eq!(severities, ["critical", "error", "warning", "info"]);
}

#[tokio::test]
async fn slack_gets_a_text_that_stands_alone_and_blocks_without_marks_of_its_own() {
    let server = Server::start(|_, _| Reply::Status(200, "")).await;
    let running = start(&[as_preset(&server, "/services/T/B/x", Preset::Slack)]);
    let requests = whole_story(&server, &running, &[1, 2, 3, 4]).await;
    let bodies: Vec<Value> = requests.iter().map(body_of).collect();
    assert_eq!(bodies[0]["text"], "CRITICAL s1/b1/rack-a: temp-high is \"high\"");
    assert_eq!(bodies[0]["blocks"][0]["type"], "header");
    let fields = bodies[0]["blocks"][1]["fields"].as_array().unwrap();
    assert!(fields.len() <= 10 && fields.iter().any(|it| it["text"] == "*What to do*\ndo not enter"));
    assert!(bodies[2]["text"].as_str().unwrap().starts_with("OVER "));
    let notice = bodies[3]["blocks"][1]["fields"].to_string();
    assert!(notice.contains("2026-11-22T17:44:05.120Z") && notice.contains("fail over now"), "{notice}");
}

#[tokio::test]
async fn teams_gets_an_adaptive_card() {
    let server = Server::start(|_, _| Reply::Status(202, "")).await;
    let running = start(&[as_preset(&server, "/workflows/x", Preset::Teams)]);
    let requests = whole_story(&server, &running, &[1, 2, 3, 4]).await;
    let first = body_of(&requests[0]);
    let attachment = &first["attachments"][0];
    assert_eq!(first["type"], "message");
    assert_eq!(attachment["contentType"], "application/vnd.microsoft.card.adaptive");
    let card = &attachment["content"];
    assert_eq!((&card["type"], &card["version"]), (&json!("AdaptiveCard"), &json!("1.4")));
    assert_eq!(card["body"][0]["color"], "Attention");
    let facts = card["body"][1]["facts"].as_array().unwrap();
    assert!(facts.contains(&json!({ "title": "What to do", "value": "do not enter" })));
    assert_eq!(body_of(&requests[2])["attachments"][0]["content"]["body"][0]["color"], "Good");
}

#[tokio::test]
async fn ntfy_gets_title_priority_and_tags_at_the_root_of_its_server() {
    let server = Server::start(|_, _| Reply::Status(200, "")).await;
    let preset = Preset::Ntfy { token: Some("tk_secret".into()) };
    let running = start(&[as_preset(&server, "/battery-rooms", preset)]);
    let requests = whole_story(&server, &running, &[1, 2, 3, 4]).await;
    assert!(requests[0].line.starts_with("POST / "), "{}", requests[0].line);
    assert_eq!(requests[0].headers["authorization"], "Bearer tk_secret");
    let bodies: Vec<Value> = requests.iter().map(body_of).collect();
    assert!(bodies.iter().all(|body| body["topic"] == "battery-rooms"));
    let priorities: Vec<u64> = bodies.iter().map(|body| body["priority"].as_u64().unwrap()).collect();
    assert_eq!(priorities, [5, 2, 2, 5]);
    assert_eq!(bodies[0]["tags"][0], "rotating_light");
    assert_eq!(bodies[0]["title"], "CRITICAL s1/b1/rack-a: temp-high is \"high\"");
}

#[tokio::test]
async fn cloudevents_carry_the_same_data_signed_in_the_same_way() {
    let server = Server::start(|_, _| Reply::Status(204, "")).await;
    let running = start(&[as_preset(&server, "/", Preset::CloudEvents { keys: vec![SECRET.into()] })]);
    let requests = whole_story(&server, &running, &[1, 2, 3, 4]).await;
    requests.iter().for_each(verify);
    assert_eq!(requests[0].headers["content-type"], "application/cloudevents+json");
    let event = body_of(&requests[0]);
    assert_eq!((&event["specversion"], &event["type"]), (&json!("1.0"), &json!("emberwatch.alarm.raised")));
    assert_eq!((&event["source"], &event["subject"]), (&json!("/emberwatch/s1/gw1"), &json!("s1/b1/rack-a")));
    assert_eq!(event["id"].as_str().unwrap(), requests[0].headers["webhook-id"]);
    assert_eq!(
        (&event["time"], &event["data"]["alarm"]["id"]),
        (&json!("2026-11-22T17:42:05.120Z"), &json!("temp-high"))
    );
}

#[tokio::test]
async fn two_keys_sign_while_they_are_rotated() {
    let server = Server::start(|_, _| Reply::Status(204, "")).await;
    let new = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    let keys = vec![new.into(), SECRET.into()];
    let running = start(&[as_preset(&server, "/", Preset::Standard { keys })]);
    running.facts.send(publication(1, vec![raised(1, 0, Priority::Critical)])).unwrap();
    let requests = server.wait_for(1).await;
    // The receiver still has the old key only.
    verify(&requests[0]);
    assert_eq!(requests[0].headers["webhook-signature"].split(' ').count(), 2);
}

#[tokio::test]
async fn alertmanager_is_told_what_stands_until_it_has_ended() {
    let server = Server::start(|_, _| Reply::Status(200, "")).await;
    let running = start(&[as_preset(&server, "/prefix/", Preset::Alertmanager)]);
    let requests = whole_story(&server, &running, &[1, 2, 3, 3]).await;
    assert!(requests[0].line.starts_with("POST /prefix/api/v2/alerts "), "{}", requests[0].line);
    let alerts: Vec<Value> = requests.iter().map(|request| body_of(request)[0].clone()).collect();
    let labels = json!({
        "alertname": "temp-high", "site": "s1", "gateway": "gw1", "room": "b1", "zone": "rack-a",
        "severity": "critical",
    });
    assert!(alerts.iter().all(|alert| alert["labels"] == labels), "stable: {alerts:?}");
    assert_eq!(alerts[0]["annotations"]["action"], "do not enter");
    let ends = |index: usize| alerts[index]["endsAt"].as_str().unwrap().to_owned();
    assert!(ends(2) < ends(0), "it has ended: {} {}", ends(0), ends(2));
    assert!(alerts.iter().all(|alert| alert["startsAt"].as_str() <= alert["endsAt"].as_str()));
    // An alarm that gets worse is another alert, and the one of the lower severity ends.
    let facts = vec![raised(4, 1, Priority::Medium)];
    running.facts.send(publication(5, facts)).unwrap();
    server.wait_for(4).await;
    running.facts.send(publication(6, vec![raised(5, 1, Priority::Critical)])).unwrap();
    let requests = server.wait_for(5).await;
    let now = emberwatch::wire::time::rfc3339(emberwatch::clock::now().wall);
    let mut severities: Vec<(String, bool)> = body_of(&requests[4])
        .as_array()
        .unwrap()
        .iter()
        .filter(|alert| alert["labels"]["alertname"] == "cutting")
        .map(|alert| {
            let stands = now.as_str() < alert["endsAt"].as_str().unwrap();
            (alert["labels"]["severity"].as_str().unwrap().to_owned(), stands)
        })
        .collect();
    severities.sort();
    assert_eq!(severities, [("critical".to_owned(), true), ("warning".to_owned(), false)]);
    until(|| is_idle(&running.handles[0])).await;
}

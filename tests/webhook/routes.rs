//! Who hears what: by zone, kind and priority, after a time without an acknowledgement, at a second address, in
//! groups; and the calls that stop with the safety loop.

use std::sync::Arc;
use std::time::Duration;

use emberwatch::clock;
use emberwatch::exchange::Publication;
use emberwatch::notify::options::{Hears, HeartbeatOptions, Kind, Preset, WebhookOptions};
use emberwatch::notify::spawn_heartbeat;
use emberwatch::safety::alarm::{AlarmEvent, AlarmState};
use emberwatch::safety::fact::Input;
use emberwatch::safety::site::{Priority, SequenceId, ZoneId};
use emberwatch::units::{ClockSync, Millis, Now};
use serde_json::Value;
use tokio::sync::{broadcast, mpsc};
use tokio_util::sync::CancellationToken;

use crate::http::{Reply, Server, until};
use crate::json;
use crate::notify::{SECRET, change, common, notice, options, start};
use crate::site::{publication, raised};

fn hearing(server: &Server, hears: Hears) -> WebhookOptions {
    WebhookOptions { hears, ..options(format!("http://{}/", server.address)) }
}

async fn good() -> Server {
    Server::start(|_, _| Reply::Status(200, "")).await
}

/// The types of what was posted.
fn kinds(server: &Server) -> Vec<String> {
    server.requests().iter().map(|request| json(request)["type"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn service_owners_get_notices_of_their_zones_and_operators_the_rest() {
    let (owners, others, operators) = (good().await, good().await, good().await);
    let of_zone =
        |zone| Hears { zones: Some(vec![ZoneId(zone)]), kinds: Some(vec![Kind::Notice]), ..Hears::default() };
    let plant = Hears { kinds: Some(vec![Kind::Alarm, Kind::Sequence]), ..Hears::default() };
    let targets = [hearing(&owners, of_zone(0)), hearing(&others, of_zone(1)), hearing(&operators, plant)];
    let mut running = start(&targets);
    running.facts.send(publication(1, vec![raised(1, 0, Priority::Low), notice(7)])).unwrap();
    owners.wait_for(1).await;
    operators.wait_for(2).await;
    assert_eq!(kinds(&owners), ["notice"]);
    assert_eq!(kinds(&operators).iter().filter(|kind| *kind == "notice").count(), 0);
    assert!(kinds(&others).is_empty());
    // Who was told is recorded.
    let receipt = running.inputs.recv().await.unwrap();
    let expected = Input::Delivered { sequence: SequenceId(0), notice: 7, target: "ops".into(), taken: true };
    assert_eq!(receipt, [expected]);
}

#[tokio::test]
async fn a_notice_that_a_target_calls_wrong_until_it_is_given_up_is_recorded_as_such() {
    let server = Server::start(|_, _| Reply::Status(422, "")).await;
    let hears = Hears { kinds: Some(vec![Kind::Notice]), ..Hears::default() };
    let mut running = start(&[hearing(&server, hears)]);
    running.facts.send(publication(1, vec![notice(7)])).unwrap();
    until(|| running.handles[0].counts().rejected == 1).await;
    let mut receipts = Vec::new();
    while let Ok(inputs) = running.inputs.try_recv() {
        receipts.extend(inputs.into_iter().filter(|input| matches!(input, Input::Delivered { .. })));
    }
    let expected =
        Input::Delivered { sequence: SequenceId(0), notice: 7, target: "ops".into(), taken: false };
    assert_eq!(receipts, [expected]);
}

#[tokio::test]
async fn the_next_in_line_hears_only_of_what_nobody_has_acknowledged_in_time() {
    let server = good().await;
    let hears = Hears { escalate_after: Some(Millis(700)), ..Hears::default() };
    let running = start(&[hearing(&server, hears)]);
    let by = AlarmEvent::Acknowledged { by: "kim".into() };
    let facts = vec![raised(1, 0, Priority::Critical), raised(2, 1, Priority::Critical), notice(1)];
    // The time counts from when it was said.
    let said = Publication { number: 1, now: clock::now(), clock: ClockSync::Unknown, facts };
    running.facts.send(Arc::new(said)).unwrap();
    let seen = change(3, 1, by.clone(), AlarmState::AckActive, Priority::Critical);
    running.facts.send(publication(2, vec![seen])).unwrap();
    let begun = clock::uptime();
    let requests = server.wait_for(1).await;
    assert!(Millis(500) <= clock::uptime().since(begun), "not before its time");
    let body = json(&requests[0]);
    assert_eq!(body["type"], "alarm.unacknowledged");
    assert_eq!(
        (&body["data"]["alarm"]["id"], &body["data"]["alarm"]["unacknowledged_ms"]),
        (&"temp-high".into(), &700.into())
    );
    assert!(body["data"]["message"].as_str().unwrap().starts_with("nobody has acknowledged for 700 ms: "));
    // And from then on to its end.
    let seen = change(4, 0, by, AlarmState::AckActive, Priority::Critical);
    running.facts.send(publication(3, vec![seen])).unwrap();
    server.wait_for(2).await;
    assert_eq!(kinds(&server), ["alarm.unacknowledged", "alarm.acknowledged"]);
}

#[tokio::test]
async fn a_second_address_takes_over_at_the_first_failure_and_the_first_is_not_forgotten() {
    let first = Server::start(|number, _| Reply::Status(if number < 3 { 503 } else { 200 }, "")).await;
    let second = good().await;
    let mut target = hearing(&first, Hears { kinds: Some(vec![Kind::Notice]), ..Hears::default() });
    target.url_backup = Some(format!("http://{}/", second.address).into());
    let mut running = start(&[target]);
    for number in 1..=3 {
        let begun = clock::uptime();
        running.facts.send(publication(number, vec![notice(number)])).unwrap();
        second.wait_for(usize::try_from(number).unwrap()).await;
        assert!(clock::uptime().since(begun) < Millis(900), "no wait for the next try");
        first.wait_for(usize::try_from(number).unwrap()).await;
    }
    let ids = |server: &Server| -> Vec<String> {
        server.requests().iter().map(|request| request.headers["webhook-id"].clone()).collect()
    };
    assert_eq!(ids(&first)[..3], ids(&second)[..], "both get the same, under the same id");
    // The failing way raises the alarm though everybody was reached, and takes it back when it works.
    let fault = Input::System { fault: emberwatch::safety::site::SystemFault::Webhook, failing: true };
    let mut heard = Vec::new();
    for number in 4.. {
        running.facts.send(publication(number, vec![notice(number)])).unwrap();
        until(|| number <= running.handles[0].counts().delivered).await;
        while let Ok(inputs) = running.inputs.try_recv() {
            heard.extend(inputs.into_iter().filter(|input| matches!(input, Input::System { .. })));
        }
        if 2 <= heard.len() {
            break;
        }
    }
    assert_eq!(heard[0], fault);
    assert!(matches!(heard[1], Input::System { failing: false, .. }));
}

#[tokio::test]
async fn alarms_in_numbers_go_together_critical_ones_first_and_none_is_lost() {
    // The first message holds the way for as long as it takes the alarms to come.
    let server = Server::start(|number, _| Reply::Status(if number == 0 { 500 } else { 200 }, "")).await;
    let mut target = hearing(&server, Hears::default());
    target.queued_max = 2_000;
    let running = start(&[target]);
    server.wait_for(1).await;
    let alarm = |n: u64| {
        if n.is_multiple_of(10) { raised(n, 0, Priority::Critical) } else { raised(n, 1, Priority::Medium) }
    };
    let facts = (1..=1_000).map(alarm).collect();
    let begun = clock::uptime();
    running.facts.send(publication(1, facts)).unwrap();
    let told = || -> Vec<Value> {
        let mut told = Vec::new();
        for request in server.requests().iter().skip(1) {
            let body = json(request);
            match body["data"]["messages"].as_array() {
                Some(messages) => told.extend(messages.clone()),
                None => told.push(body),
            }
        }
        told.retain(|message| message["type"] == "alarm.raised");
        told
    };
    until(|| 1_000 <= running.handles[0].counts().delivered).await;
    let took = clock::uptime().since(begun);
    report(&format!("1,000 alarms out after {took}, in {} messages", server.requests().len()));
    let told = told();
    let mut changes: Vec<u64> =
        told.iter().map(|message| message["data"]["alarm"]["change"].as_u64().unwrap()).collect();
    let critical = |message: &Value| message["data"]["alarm"]["priority"] == "critical";
    assert!(told.iter().take(100).all(critical), "what is critical goes first");
    changes.sort_unstable();
    changes.dedup();
    assert_eq!(changes, (1..=1_000).collect::<Vec<u64>>(), "none lost, none told under another number");
    assert!(server.requests().len() < 120, "{} requests", server.requests().len());
}

#[expect(clippy::print_stdout, reason = "the figure that the documentation names, with --nocapture")]
fn report(figure: &str) {
    println!("{figure}");
}

#[tokio::test]
async fn calls_stop_when_the_safety_loop_stands_still() {
    let server = good().await;
    let heartbeat = HeartbeatOptions {
        name: "dead-man".into(),
        url: format!("http://{}/ping/x", server.address).into(),
        every: Millis(200),
        timeout: Millis(1000),
        allow_private: true,
    };
    let (facts, hearing) = broadcast::channel(64);
    let (inbox, _inputs) = mpsc::channel(64);
    let stop = CancellationToken::new();
    let task = spawn_heartbeat(&heartbeat, &common(inbox, &stop), hearing).unwrap();
    let say = |now: Now| {
        facts
            .send(Arc::new(Publication { number: 1, now, clock: ClockSync::Unknown, facts: Vec::new() }))
            .unwrap();
    };
    // What the loop said long ago is no sign of life.
    let long_ago = Now { uptime: emberwatch::units::Uptime(1), ..clock::now() };
    say(long_ago);
    tokio::time::timeout(Duration::from_millis(700), server.wait_for(1)).await.unwrap_err();
    say(clock::now());
    let requests = server.wait_for(2).await;
    assert!(requests[0].line.starts_with("GET /ping/x "));
    // It speaks no more: within the time that a stall may take, the calls end.
    let begun = clock::uptime();
    loop {
        let more = server.requests().len() + 1;
        if tokio::time::timeout(Duration::from_millis(900), server.wait_for(more)).await.is_err() {
            break;
        }
        assert!(clock::uptime().since(begun) < Millis(20_000), "it is called for ever");
    }
    stop.cancel();
    task.await.unwrap();
}

#[tokio::test]
async fn a_target_of_groups_that_calls_them_wrong_gets_each_alarm_alone() {
    let server = Server::start(|number, request| {
        let group = String::from_utf8_lossy(&request.body).contains("alarm.group");
        Reply::Status(if group { 413 } else { 200 + u16::from(number == 0) * 300 }, "")
    })
    .await;
    let target = WebhookOptions {
        preset: Preset::Standard { keys: vec![SECRET.into()] },
        ..hearing(&server, Hears::default())
    };
    let running = start(&[target]);
    server.wait_for(1).await;
    let facts = (1..=12).map(|n| raised(n, 0, Priority::Medium)).collect();
    running.facts.send(publication(1, facts)).unwrap();
    until(|| running.handles[0].counts().delivered == 13).await;
    assert_eq!(running.handles[0].counts().rejected, 0);
}

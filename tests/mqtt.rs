//! The MQTT sink against a real broker: mosquitto, started here on a free loopback port.

#![expect(clippy::unwrap_used, reason = "tests")]

#[expect(dead_code, reason = "mqtt_faults.rs uses the rest of it")]
#[path = "mqtt_support/mod.rs"]
mod support;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use emberwatch::clock;
use emberwatch::safety::alarm::{AlarmChange, AlarmEvent, AlarmRecord, AlarmState};
use emberwatch::safety::fact::{Fact, Input, Refusal, Request};
use emberwatch::safety::reading::Reading;
use emberwatch::safety::site::{AlarmId, PointId, Priority, SystemFault};
use emberwatch::sinks::mqtt::MqttCounters;
use emberwatch::sinks::mqtt::options::{HomeAssistantOptions, MqttVersion, TlsOptions};
use emberwatch::units::Value;
use support::{Broker, Listener, Sink, authority, bad_link, from_environment, options, until};
use tokio::net::TcpListener;

const BOTH: [MqttVersion; 2] = [MqttVersion::V3, MqttVersion::V5];

fn alarm(state: AlarmState, event: AlarmEvent) -> Fact {
    let now = AlarmRecord { state, priority: Some(Priority::High), occurrence: 1, ..AlarmRecord::default() };
    Fact::Alarm(AlarmChange { number: 1, alarm: AlarmId(0), event, now })
}

fn reading(number: f64) -> Fact {
    let value = Value::new(number).unwrap();
    Fact::Reading { point: PointId(0), reading: Reading::Good { value, taken: clock::uptime() } }
}

/// Something that is one event.
fn happening() -> Fact {
    let request = Request::ResetAlarm { alarm: AlarmId(0) };
    Fact::Refused { by: "j.doe".into(), request, why: Refusal::NothingToDo }
}

fn mqtt(failing: bool) -> Input {
    Input::System { fault: SystemFault::Mqtt, failing }
}

const ALARM: &str = "emberwatch/1/s1/b1/alarm/bms-1-silent";
const EVENT: &str = "emberwatch/1/s1/b1/event";
const DISCOVERY: &str = "homeassistant/device/emberwatch_s1_b1_bms-1/config";
const STATUS: &str = "emberwatch/1/s1/gateway/gw1/status";

fn home_assistant() -> HomeAssistantOptions {
    HomeAssistantOptions {
        prefix: "homeassistant".into(),
        birth_topic: "homeassistant/status".into(),
        alarms: true,
        models: Vec::new(),
    }
}

#[tokio::test]
async fn retained_state_is_there_again_after_the_broker_lost_it() {
    for version in BOTH {
        let mut broker = Broker::start("").await;
        let mut sink = Sink::start(options(version, broker.port));
        sink.say(vec![alarm(AlarmState::UnackActive, AlarmEvent::Raised)]);
        let mut early = Listener::start(&broker, &[]).await;
        early.expect(|it| it.topic == ALARM && it.payload.contains("unack-active")).await;
        broker.restart().await;
        assert_eq!(sink.told().await, mqtt(false), "connected at first");
        assert_eq!(sink.told().await, mqtt(true));
        assert_eq!(sink.told().await, mqtt(false));
        let mut late = Listener::start(&broker, &[]).await;
        late.expect(|it| it.topic == ALARM && it.retain && it.payload.contains("unack-active")).await;
        late.expect(|it| it.topic == STATUS && it.retain && it.payload.contains("online")).await;
        late.expect(|it| it.topic.ends_with("device/bms-1/meta") && it.retain).await;
        late.expect(|it| it.topic.ends_with("zone/rack-1") && it.retain).await;
        assert_eq!(MqttCounters::get(&sink.counters().reconnects), 1);
    }
}

#[tokio::test]
async fn m10_a_gateway_that_dies_is_reported_lost_and_one_that_is_stopped_is_not() {
    for version in BOTH {
        let broker = Broker::start("").await;
        let mut listener = Listener::start(&broker, &[]).await;
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let doomed = {
            let _inside = runtime.enter();
            Sink::start(options(version, broker.port))
        };
        doomed.say(vec![]);
        listener.expect(|it| it.topic == STATUS && it.payload.contains("online")).await;
        runtime.shutdown_background();
        let lost = listener.expect(|it| it.topic == STATUS && it.payload.contains("lost")).await;
        assert!(lost.retain && lost.qos == 1);
        let sink = Sink::start(options(version, broker.port));
        sink.say(vec![]);
        listener.expect(|it| it.topic == STATUS && it.payload.contains("online")).await;
        let begun = clock::uptime();
        sink.stop().await;
        assert!(clock::uptime().since(begun).0 < 1000, "a stop takes less than a second");
        listener.expect(|it| it.topic == STATUS && it.payload.contains("stopping")).await;
        let rest = listener.gather(Duration::from_millis(300)).await;
        assert!(!rest.iter().any(|it| it.payload.contains("lost")), "{rest:?}");
    }
}

#[tokio::test]
async fn an_alarm_that_returned_is_told_once_more_and_then_taken_away() {
    for version in BOTH {
        let broker = Broker::start("").await;
        let mut listener = Listener::start(&broker, &[]).await;
        let sink = Sink::start(options(version, broker.port));
        sink.say(vec![alarm(AlarmState::UnackActive, AlarmEvent::Raised)]);
        listener.expect(|it| it.topic == ALARM && it.payload.contains("unack-active")).await;
        sink.say(vec![alarm(AlarmState::Normal, AlarmEvent::Cleared)]);
        let last =
            listener.expect(|it| it.topic == ALARM && it.payload.contains("\"state\":\"normal\"")).await;
        assert!(last.retain);
        listener.expect(|it| it.topic == ALARM && it.payload.is_empty()).await;
        let mut late = Listener::start(&broker, &[]).await;
        let kept = late.gather(Duration::from_millis(300)).await;
        assert!(!kept.iter().any(|it| it.topic == ALARM), "{kept:?}");
    }
}

#[tokio::test]
async fn what_must_not_look_alive_for_long_expires() {
    let broker = Broker::start("").await;
    let mut listener = Listener::start(&broker, &[]).await;
    let sink = Sink::start(options(MqttVersion::V5, broker.port));
    sink.until_connected().await;
    sink.say(vec![reading(31.4), alarm(AlarmState::UnackActive, AlarmEvent::Raised)]);
    let data = listener.expect(|it| it.topic.ends_with("bms-1/data")).await;
    assert_eq!((data.qos, data.retain, data.expiry), (0, false, Some(3)));
    let json: serde_json::Value = serde_json::from_str(&data.payload).unwrap();
    assert_eq!(json["points"]["cell-temp-max"], serde_json::json!({"v":31.4,"u":"Cel"}));
    let summary = listener.expect(|it| it.topic.ends_with("b1/summary")).await;
    assert!(summary.retain && summary.expiry.is_some_and(|it| (29..=30).contains(&it)), "{summary:?}");
    let raised = listener.expect(|it| it.topic == ALARM && !it.payload.is_empty()).await;
    assert_eq!((raised.qos, raised.retain, raised.expiry), (1, true, None));
    let event = listener.expect(|it| it.topic == EVENT).await;
    assert_eq!((event.qos, event.retain), (1, false));
}

/// Each event must be seen, in order, whatever becomes of the broker meanwhile.
#[tokio::test]
async fn a_broker_restart_half_way_loses_no_event() {
    const EVENTS: u64 = 2_000;
    for version in BOTH {
        let mut broker = Broker::start("persistence true\nmax_queued_messages 0\n").await;
        let session = ["-c", "-i", "keeper", "-x", "3600"];
        let listener = Listener::start(&broker, &session).await;
        drop(listener);
        let sink = Sink::start(options(version, broker.port));
        sink.until_connected().await;
        for number in 1..=EVENTS {
            sink.say(vec![happening()]);
            if number == EVENTS / 2 {
                until("half of the events", || MqttCounters::get(&sink.counters().acknowledged) > 100).await;
                broker.restart().await;
            }
        }
        until("an empty outbox", || MqttCounters::get(&sink.counters().waiting) == 0).await;
        let mut listener = Listener::start(&broker, &session).await;
        let mut numbers = Vec::new();
        while numbers.len() < usize::try_from(EVENTS).unwrap() {
            let event = listener.expect(|it| it.topic == EVENT).await;
            let json: serde_json::Value = serde_json::from_str(&event.payload).unwrap();
            let number = json["seq"].as_u64().unwrap();
            if !numbers.contains(&number) {
                numbers.push(number);
            }
        }
        assert!(numbers.is_sorted(), "in order");
        assert_eq!(MqttCounters::get(&sink.counters().dropped_events), 0);
    }
}

#[expect(clippy::print_stdout, reason = "figures of a long run")]
#[tokio::test]
async fn m6_a_link_that_is_cut_again_and_again_loses_no_event() {
    const EVENTS: u64 = 3_000;
    for version in BOTH {
        let broker = Broker::start("max_queued_messages 0\n").await;
        let mut listener = Listener::start(&broker, &[]).await;
        let sink = Sink::start(options(version, bad_link(broker.port, Duration::from_millis(60)).await));
        let counters = Arc::clone(sink.counters());
        let cuts = from_environment("EMBERWATCH_CUTS", 4);
        let all = AtomicU64::new(u64::MAX);
        let talk = async {
            let mut said = 0;
            while said < EVENTS || MqttCounters::get(&counters.reconnects) < cuts {
                (0..10).for_each(|_| sink.say(vec![happening(), reading(20.0)]));
                said += 10;
                let pause_ms = if said < EVENTS { 5 } else { 100 };
                tokio::time::sleep(Duration::from_millis(pause_ms)).await;
            }
            all.store(said + 1, Ordering::Relaxed);
            sink.say(vec![happening()]);
        };
        let hear = async {
            let (mut numbers, mut heard) = (BTreeSet::new(), 0);
            while (numbers.len() as u64) < all.load(Ordering::Relaxed) {
                let event = listener.expect(|it| it.topic == EVENT).await;
                let json: serde_json::Value = serde_json::from_str(&event.payload).unwrap();
                numbers.insert(json["seq"].as_u64().unwrap());
                heard += 1;
            }
            (numbers, heard)
        };
        let ((), (numbers, heard)) = tokio::join!(talk, hear);
        assert_eq!(numbers.last(), Some(&all.into_inner()));
        let reconnects = MqttCounters::get(&counters.reconnects);
        println!(
            "{reconnects} reconnects: {} events, {} of them twice",
            numbers.len(),
            heard - numbers.len()
        );
        assert!(cuts <= reconnects, "the link was cut");
        assert_eq!(MqttCounters::get(&counters.dropped_events), 0);
    }
}

#[tokio::test]
async fn a_broker_that_refuses_raises_the_fault_and_taking_it_again_clears_it() {
    let rules = "topic readwrite emberwatch/1/s1/gateway/#\ntopic readwrite test/#\n";
    let broker = Broker::with_acl(rules).await;
    let mut sink = Sink::start(options(MqttVersion::V5, broker.port));
    sink.say(vec![happening()]);
    assert_eq!(sink.told().await, mqtt(false), "connected");
    assert_eq!(sink.told().await, mqtt(true), "refused");
    assert!(MqttCounters::get(&sink.counters().refused) > 0);
    broker.allow_everything();
    assert_eq!(sink.told().await, mqtt(false), "accepted when it was offered again");
    until("an empty outbox", || MqttCounters::get(&sink.counters().waiting) == 0).await;
}

#[tokio::test]
async fn with_the_shipped_access_list_each_says_what_it_may_and_nobody_else_anything() {
    let broker = Broker::start("").await;
    let mut options = options(MqttVersion::V5, broker.port);
    options.homeassistant = Some(home_assistant());
    let mut sink = Sink::start(options);
    let raised = alarm(AlarmState::UnackActive, AlarmEvent::Raised);
    sink.say(vec![happening(), reading(31.4), raised]);
    assert_eq!(sink.told().await, mqtt(false), "connected");
    let counters = Arc::clone(sink.counters());
    until("all is acknowledged", || {
        let waiting = MqttCounters::get(&counters.waiting);
        waiting == 0 && 12 <= MqttCounters::get(&counters.acknowledged)
    })
    .await;
    assert_eq!(MqttCounters::get(&counters.refused), 0, "it may say everything, and hear Home Assistant");
    let ack = "emberwatch/1/s1/b1/cmd/ack";
    let allowed = [(Some("console"), ack), (Some("homeassistant"), "homeassistant/status")];
    for (user, topic) in allowed {
        let answer = support::answer_to(&broker, user, topic).await;
        assert!(!answer.to_lowercase().contains("not authori"), "{user:?} {topic}: {answer}");
    }
    let refused = [
        (Some("scada"), ack),
        (Some("scada"), ALARM),
        (Some("console"), ALARM),
        (Some("console"), "emberwatch/1/s1/b1/cmd/abort"),
        (Some("homeassistant"), ack),
        (Some("emberwatch"), "emberwatch/1/s2/b1/event"),
        (Some("emberwatch"), "homeassistant/status"),
        (None, ack),
    ];
    for (user, topic) in refused {
        let answer = support::answer_to(&broker, user, topic).await;
        assert!(answer.to_lowercase().contains("not authori"), "{user:?} {topic}: {answer}");
    }
}

#[tokio::test]
async fn home_assistant_is_told_again_when_it_comes_also_when_that_was_kept() {
    for (version, kept) in [(MqttVersion::V3, false), (MqttVersion::V5, false), (MqttVersion::V5, true)] {
        let broker = Broker::start("").await;
        if kept {
            support::publish(&broker, "homeassistant/status", "online", true).await;
        }
        let mut options = options(version, broker.port);
        options.homeassistant = Some(home_assistant());
        let mut listener = Listener::start(&broker, &[]).await;
        let sink = Sink::start(options);
        sink.say(vec![]);
        let device = |seen: &support::Seen| seen.topic == DISCOVERY && seen.payload.contains("Cell temp max");
        let told = listener.expect(device).await;
        assert_eq!((told.qos, told.retain), (1, true));
        if !kept {
            support::publish(&broker, "homeassistant/status", "online", false).await;
        }
        listener.expect(device).await;
        listener.expect(|it| it.topic.ends_with("zone/rack-1") && it.retain).await;
        sink.stop().await;
    }
}

#[tokio::test]
async fn home_assistant_forgets_all_devices_once_it_is_disabled() {
    let broker = Broker::start("").await;
    let folder = tempfile::tempdir().unwrap();
    let foreign = "homeassistant/device/emberwatch_s2_b1/config";
    support::publish(&broker, foreign, "{}", true).await;
    let mut enabled = options(MqttVersion::V5, broker.port);
    enabled.owned_topics = Some(folder.path().join("topics"));
    let mut disabled = enabled.clone();
    enabled.homeassistant = Some(home_assistant());
    let mut listener = Listener::start(&broker, &[]).await;
    let sink = Sink::start(enabled);
    listener.expect(|it| it.topic == DISCOVERY && !it.payload.is_empty()).await;
    sink.stop().await;
    disabled.client_id = "gw1-anew".into();
    let sink = Sink::start(disabled);
    listener.expect(|it| it.topic == DISCOVERY && it.payload.is_empty()).await;
    sink.until_connected().await;
    sink.stop().await;
    let kept = Listener::start(&broker, &[]).await.gather(Duration::from_millis(300)).await;
    let discovery = kept.iter().map(|it| it.topic.as_str()).filter(|it| it.starts_with("homeassistant/"));
    assert_eq!(discovery.collect::<Vec<_>>(), [foreign]);
}

#[tokio::test]
async fn the_outbox_stays_bounded_while_the_broker_is_away() {
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = nobody.local_addr().unwrap().port();
    drop(nobody);
    let mut options = options(MqttVersion::V5, port);
    options.outbox_max = 50;
    let mut sink = Sink::start(options);
    assert_eq!(sink.told().await, mqtt(true));
    for _ in 0..500 {
        sink.say(vec![reading(20.0), happening()]);
    }
    let counters = Arc::clone(sink.counters());
    until("dropped events", || MqttCounters::get(&counters.dropped_events) == 450).await;
    assert_eq!(MqttCounters::get(&counters.waiting), 50);
    assert!(MqttCounters::get(&counters.dropped_readings) >= 500, "a heartbeat is one, too");
    assert_eq!(MqttCounters::get(&counters.missed), 0);
    let begun = clock::uptime();
    sink.stop().await;
    assert!(clock::uptime().since(begun).0 < 1000);
}

#[tokio::test]
async fn tls_with_an_own_authority_verifies_both_sides() {
    let files = authority();
    let path = |name: &str| files.path().join(name);
    let config = format!(
        "cafile {0}/ca.pem\ncertfile {0}/server.pem\nkeyfile {0}/server.key\nrequire_certificate true\n",
        files.path().display()
    );
    for version in BOTH {
        let broker = Broker::start(&config).await;
        let tls = TlsOptions {
            ca_file: Some(path("ca.pem")),
            client: Some((path("client.pem"), path("client.key"))),
        };
        let mut trusted = options(version, broker.port);
        trusted.tls = Some(tls.clone());
        let mut sink = Sink::start(trusted.clone());
        sink.say(vec![happening()]);
        assert_eq!(sink.told().await, mqtt(false));
        until("an acknowledged event", || MqttCounters::get(&sink.counters().waiting) == 0).await;
        let mut stranger = trusted;
        stranger.client_id = "stranger".into();
        stranger.tls = Some(TlsOptions { ca_file: Some(path("other.pem")), ..tls });
        let mut sink = Sink::start(stranger);
        assert_eq!(sink.told().await, mqtt(true), "the broker is not who it says it is");
    }
}

#[tokio::test]
async fn a_publication_reaches_the_socket_at_once_when_idle() {
    let (port, mut written) = support::ears().await;
    let sink = Sink::start(options(MqttVersion::V3, port));
    sink.until_connected().await;
    while tokio::time::timeout(Duration::from_millis(200), written.recv()).await.is_ok() {}
    let mut best = Duration::MAX;
    for _ in 0..20 {
        let begun = tokio::time::Instant::now();
        sink.say(vec![reading(20.0)]);
        let at = written.recv().await.unwrap();
        best = best.min(at.duration_since(begun));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // The typical cost, not the worst of a busy machine.
    assert!(best < Duration::from_millis(5), "{best:?}");
}

/// A link that swallows everything: the broker stands still and the socket fills up.
#[tokio::test]
async fn m3_a_broker_that_stands_still_is_noticed_and_does_not_hold_up_a_stop() {
    let broker = Broker::start("").await;
    let mut sink = Sink::start(options(MqttVersion::V5, broker.port));
    sink.until_connected().await;
    assert_eq!(sink.told().await, mqtt(false));
    broker.freeze();
    for _ in 0..100 {
        for _ in 0..500 {
            sink.say(vec![reading(20.0)]);
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(sink.told().await, mqtt(true));
    broker.thaw();
    sink.say(vec![happening()]);
    assert_eq!(sink.told().await, mqtt(false));
    until("an empty outbox", || MqttCounters::get(&sink.counters().waiting) == 0).await;
    broker.freeze();
    sink.say(vec![happening()]);
    let begun = clock::uptime();
    sink.stop().await;
    assert!(clock::uptime().since(begun).0 < 1000);
    broker.thaw();
}

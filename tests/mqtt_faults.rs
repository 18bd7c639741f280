//! Rows M1 to M10 of the fault matrix that need a spool or a broker of a certain kind: mosquitto, started here. The rest are
//! in `mqtt.rs`.
#![expect(clippy::unwrap_used, reason = "tests")]

#[expect(dead_code, reason = "mqtt.rs uses the rest of it")]
#[path = "mqtt_support/mod.rs"]
mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use emberwatch::clock;
use emberwatch::safety::alarm::{AlarmChange, AlarmEvent, AlarmRecord, AlarmState};
use emberwatch::safety::fact::{Fact, Input, Refusal, Request};
use emberwatch::safety::reading::Reading;
use emberwatch::safety::site::{AlarmId, PointId, Priority, SystemFault};
use emberwatch::sinks::mqtt::MqttCounters;
use emberwatch::sinks::mqtt::options::{MqttOptions, MqttVersion};
use emberwatch::sinks::spool::SpoolCounters;
use emberwatch::sinks::spool::options::SpoolOptions;
use emberwatch::units::{Millis, Value};
use secrecy::SecretString;
use support::{Broker, Listener, Seen, Sink, from_environment, options, until};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const ALARM: &str = "emberwatch/1/s1/b1/alarm/bms-1-silent";
const EVENT: &str = "emberwatch/1/s1/b1/event";
const DATA: &str = "emberwatch/1/s1/b1/device/bms-1/data";
const BACKLOG: &str = "emberwatch/1/s1/b1/device/bms-1/backlog";

fn alarm(state: AlarmState, event: AlarmEvent) -> Fact {
    let now = AlarmRecord { state, priority: Some(Priority::High), occurrence: 1, ..AlarmRecord::default() };
    Fact::Alarm(AlarmChange { number: 1, alarm: AlarmId(0), event, now })
}

fn reading(number: u32) -> Fact {
    let value = Value::new(f64::from(number)).unwrap();
    Fact::Reading { point: PointId(0), reading: Reading::Good { value, taken: clock::uptime() } }
}

/// Something that is one event.
fn happening(by: &str) -> Fact {
    let request = Request::ResetAlarm { alarm: AlarmId(0) };
    Fact::Refused { by: by.into(), request, why: Refusal::NothingToDo }
}

fn spooled(version: MqttVersion, port: u16, folder: &Path) -> MqttOptions {
    let directory = folder.join("spool");
    let spool = Some(SpoolOptions { directory, bytes_max: 64 << 20, sync_every: Millis(50) });
    MqttOptions { spool, ..options(version, port) }
}

/// A way to a broker that can be closed, and be made slow.
#[derive(Clone)]
struct Gate {
    port: u16,
    open: Arc<AtomicBool>,
    /// Bytes a second towards the broker; zero is no limit.
    rate: Arc<AtomicU64>,
    connections: Arc<AtomicU64>,
}

impl Gate {
    async fn to(broker: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let gate = Self {
            port: listener.local_addr().unwrap().port(),
            open: Arc::default(),
            rate: Arc::default(),
            connections: Arc::default(),
        };
        let way = gate.clone();
        tokio::spawn(async move {
            loop {
                let (near, _) = listener.accept().await.unwrap();
                if !way.open.load(Ordering::Relaxed) {
                    continue;
                }
                way.connections.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(way.clone().pass(near, broker));
            }
        });
        gate
    }

    async fn pass(self, near: TcpStream, broker: u16) {
        // At the end of a test its broker goes first.
        let Ok(far) = TcpStream::connect(("127.0.0.1", broker)).await else { return };
        let ((mut from, mut back), (mut replies, mut to)) = (near.into_split(), far.into_split());
        let there = async {
            let mut some = vec![0; 512];
            while let Ok(count) = from.read(&mut some).await
                && 0 < count
                && self.open.load(Ordering::Relaxed)
            {
                let rate = self.rate.load(Ordering::Relaxed);
                if let Some(wait_ms) = (count as u64 * 1000).checked_div(rate) {
                    tokio::time::sleep(Duration::from_millis(wait_ms)).await;
                }
                if to.write_all(&some[..count]).await.is_err() {
                    break;
                }
            }
        };
        let here = async {
            let _ = tokio::io::copy(&mut replies, &mut back).await;
            // The last word of the broker must arrive before the socket goes.
            tokio::time::sleep(Duration::from_millis(300)).await;
        };
        tokio::select! { () = there => {}, () = here => {} }
    }

    fn set(&self, open: bool) {
        self.open.store(open, Ordering::Relaxed);
    }
}

fn value(seen: &Seen) -> Option<u32> {
    let json: serde_json::Value = serde_json::from_str(&seen.payload).ok()?;
    let value = json["points"]["cell-temp-max"]["v"].as_f64()?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole and small")]
    Some(value as u32)
}

/// Reads what the listener hears until every one of these values was heard on one of the two topics.
async fn hear_values(listener: &mut Listener, wanted: std::ops::Range<u32>) -> (BTreeSet<u32>, Vec<Seen>) {
    let (mut late, mut all, mut heard) = (BTreeSet::new(), Vec::new(), BTreeSet::new());
    while !wanted.clone().all(|number| heard.contains(&number)) {
        let seen = listener.expect(|_| true).await;
        if let Some(number) = value(&seen) {
            heard.insert(number);
            if seen.topic == BACKLOG {
                late.insert(number);
            }
        }
        all.push(seen);
    }
    (late, all)
}

#[tokio::test]
async fn m1_after_an_outage_and_a_restart_nothing_is_lost_and_nothing_retained_goes_back_in_time() {
    const READINGS: u32 = 600;
    for version in [MqttVersion::V3, MqttVersion::V5] {
        let folder = tempfile::tempdir().unwrap();
        let broker = Broker::start("max_queued_messages 0\n").await;
        let gate = Gate::to(broker.port).await;
        let mut listener = Listener::start(&broker, &[]).await;
        let sink = Sink::start(spooled(version, gate.port, folder.path()));
        for number in 0..READINGS / 2 {
            sink.say(vec![reading(number)]);
        }
        sink.say(vec![alarm(AlarmState::UnackActive, AlarmEvent::Raised)]);
        sink.say(vec![happening("one")]);
        let spool = Arc::clone(sink.spool());
        until("the spool to have it", || SpoolCounters::get(&spool.waiting) == u64::from(READINGS / 2) + 2)
            .await;
        // The gateway is restarted in the outage.
        sink.stop().await;
        let sink = Sink::start(spooled(version, gate.port, folder.path()));
        for number in READINGS / 2..READINGS {
            sink.say(vec![reading(number)]);
        }
        sink.say(vec![alarm(AlarmState::AckActive, AlarmEvent::Acknowledged { by: "j.doe".into() })]);
        let spool = Arc::clone(sink.spool());
        until("the spool to have it", || u64::from(READINGS) + 3 <= SpoolCounters::get(&spool.waiting)).await;
        gate.set(true);
        sink.until_connected().await;
        sink.say(vec![reading(READINGS)]);
        let (late, all) = hear_values(&mut listener, 0..READINGS + 1).await;
        assert_eq!(late, (0..READINGS).collect(), "what was not live is told as history");
        for seen in all.iter().filter(|seen| seen.topic == BACKLOG) {
            assert!(!seen.retain && seen.payload.starts_with("{\"historical\":true,"), "{seen:?}");
        }
        let place = |like: &dyn Fn(&Seen) -> bool| all.iter().position(like).unwrap();
        let new = place(&|seen| seen.topic == DATA && value(seen) == Some(READINGS));
        let first_late = place(&|seen| seen.topic == BACKLOG);
        let alarmed = place(&|seen| seen.topic == ALARM);
        assert!(alarmed < first_late, "alarms before the backlog");
        assert!(new < all.len() - 100, "what is new does not wait for the backlog");
        let events: Vec<&Seen> = all.iter().filter(|seen| seen.topic == EVENT).collect();
        assert_eq!(events.len(), 3, "{events:?}");
        assert!(
            events[0].payload.contains("historical") && events[1].payload.contains("one"),
            "in order: {events:?}"
        );
        let states: Vec<&str> =
            all.iter().filter(|seen| seen.topic == ALARM).map(|seen| seen.payload.as_str()).collect();
        assert!(
            states.iter().all(|state| state.contains("ack-active") && !state.contains("unack")),
            "{states:?}"
        );
        until("an empty spool", || SpoolCounters::get(&spool.waiting) == 0).await;
        assert_eq!(SpoolCounters::get(&spool.dropped), 0);
        let retained = Listener::start(&broker, &[]).await.gather(Duration::from_millis(300)).await;
        assert!(retained.iter().all(|seen| seen.topic != BACKLOG && seen.topic != DATA));
    }
}

#[tokio::test]
async fn m2_an_alarm_overtakes_the_backlog_on_a_slow_link() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start("max_queued_messages 0\n").await;
    let gate = Gate::to(broker.port).await;
    let mut listener = Listener::start(&broker, &[]).await;
    let sink = Sink::start(spooled(MqttVersion::V5, gate.port, folder.path()));
    let readings = from_environment("EMBERWATCH_BACKLOG", 3000);
    let spool = Arc::clone(sink.spool());
    for first in (0..readings).step_by(1000) {
        let until_here = readings.min(first + 1000);
        for number in first..until_here {
            sink.say(vec![reading(u32::try_from(number % 9000).unwrap())]);
        }
        until("the spool to have it", || SpoolCounters::get(&spool.waiting) == until_here).await;
    }
    gate.rate.store(8_000, Ordering::Relaxed);
    gate.set(true);
    listener.expect(|seen| seen.topic == BACKLOG).await;
    let begun = clock::uptime();
    sink.say(vec![alarm(AlarmState::UnackActive, AlarmEvent::Raised)]);
    listener.expect(|seen| seen.topic == ALARM && seen.payload.contains("unack-active")).await;
    let took = clock::uptime().since(begun);
    assert!(took < Millis(5_000), "{took}");
    assert!(readings - 1000 < SpoolCounters::get(&spool.waiting), "the backlog still waits");
    let begun = clock::uptime();
    sink.say(vec![reading(9999)]);
    listener.expect(|seen| seen.topic == DATA && value(seen) == Some(9999)).await;
    assert!(clock::uptime().since(begun) < Millis(5_000), "a new value does not wait for the backlog either");
}

#[tokio::test]
async fn m3_readings_written_into_a_dead_link_are_told_later() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start("max_queued_messages 0\n").await;
    let gate = Gate::to(broker.port).await;
    gate.set(true);
    let mut listener = Listener::start(&broker, &[]).await;
    let sink = Sink::start(spooled(MqttVersion::V5, gate.port, folder.path()));
    sink.until_connected().await;
    // Nothing passes any more, and nobody says so.
    gate.rate.store(1, Ordering::Relaxed);
    for number in 0..100 {
        sink.say(vec![reading(number)]);
    }
    until("they are written", || 100 <= MqttCounters::get(&sink.counters().published)).await;
    gate.set(false);
    gate.rate.store(0, Ordering::Relaxed);
    until("the link is given up", || !sink.counters().connected.load(Ordering::Relaxed)).await;
    gate.set(true);
    hear_values(&mut listener, 0..100).await;
}

#[tokio::test]
async fn m4_a_broker_that_does_not_let_us_in_is_asked_twice_a_minute_at_most() {
    for version in [MqttVersion::V3, MqttVersion::V5] {
        let broker = Broker::start("").await;
        let gate = Gate::to(broker.port).await;
        gate.set(true);
        let login = Some(("emberwatch".into(), SecretString::from("a wrong one".to_owned())));
        let mut sink = Sink::start(MqttOptions { login, ..options(version, gate.port) });
        assert_eq!(sink.told().await, Input::System { fault: SystemFault::Mqtt, failing: true });
        tokio::time::sleep(Duration::from_secs(4)).await;
        let tries = gate.connections.load(Ordering::Relaxed);
        assert!(tries <= 2, "half a minute to the next try: {tries} of {version:?}");
        sink.stop().await;
    }
}

#[tokio::test]
async fn m5_a_message_larger_than_the_broker_takes_is_counted_and_breaks_no_connection() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start("max_packet_size 1024\n").await;
    let mut listener = Listener::start(&broker, &[]).await;
    let sink = Sink::start(spooled(MqttVersion::V5, broker.port, folder.path()));
    sink.until_connected().await;
    sink.say(vec![happening(&"x".repeat(3000)), happening("small")]);
    listener.expect(|seen| seen.topic == EVENT && seen.payload.contains("small")).await;
    assert_eq!(MqttCounters::get(&sink.counters().too_large), 1);
    assert_eq!(MqttCounters::get(&sink.counters().reconnects), 0);
    let spool = Arc::clone(sink.spool());
    until("it does not stay in the spool", || SpoolCounters::get(&spool.waiting) == 0).await;
}

#[tokio::test]
async fn m8_m9_whatever_is_said_on_any_topic_moves_nothing() {
    let broker = Broker::start("").await;
    let mut listener = Listener::start(&broker, &[]).await;
    let mut sink = Sink::start(options(MqttVersion::V5, broker.port));
    sink.say(vec![alarm(AlarmState::UnackActive, AlarmEvent::Raised)]);
    sink.until_connected().await;
    assert_eq!(sink.told().await, Input::System { fault: SystemFault::Mqtt, failing: false });
    let command = r#"{"id":"01KAXQBE7Q","ts":"2020-01-01T00:00:00Z","actor":"x","target":"bms-1-silent"}"#;
    let garbage = "\u{1}".repeat(200_000);
    for (topic, payload, retain) in [
        ("emberwatch/1/s1/b1/cmd/ack", command, true),
        ("emberwatch/1/s1/b1/cmd/ack", command, false),
        ("emberwatch/1/s1/b1/cmd/cut", command, false),
        ("emberwatch/1/s1/b1/cmd/abort", "", true),
        (ALARM, &garbage, true),
        ("emberwatch/1/s1/gateway/gw1/status", "\u{0}[[[[", true),
    ] {
        support::publish(&broker, topic, payload, retain).await;
    }
    sink.say(vec![happening("after")]);
    listener.expect(|seen| seen.payload.contains("after")).await;
    assert_eq!(MqttCounters::get(&sink.counters().reconnects), 0);
    assert!(sink.quiet().await, "the core was told nothing");
}

#[tokio::test]
async fn of_several_brokers_the_next_is_asked_when_one_is_away() {
    let (mut first, second) = (Broker::start("").await, Broker::start("").await);
    let mut options = options(MqttVersion::V5, first.port);
    options.more = vec![("127.0.0.1".into(), second.port)];
    let mut sink = Sink::start(options);
    sink.say(vec![]);
    sink.until_connected().await;
    assert_eq!(sink.told().await, Input::System { fault: SystemFault::Mqtt, failing: false });
    let mut listener = Listener::start(&second, &[]).await;
    first.kill().await;
    sink.say(vec![happening("moved")]);
    listener.expect(|seen| seen.topic == EVENT && seen.payload.contains("moved")).await;
    assert!(sink.quiet().await, "no alarm while one of them takes everything");
}

#[tokio::test]
async fn topics_of_devices_that_are_no_more_are_taken_off_the_broker() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start("").await;
    let ghost = "emberwatch/1/s1/b1/device/bms-9/state";
    let foreign = "emberwatch/1/s1/b1/device/other-gateway/state";
    let elsewhere = "emberwatch/1/s2/b1/device/bms-1/state";
    for topic in [ghost, foreign, elsewhere] {
        support::publish(&broker, topic, "{}", true).await;
    }
    let path = folder.path().join("mqtt/topics");
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, format!("{ghost}\n{elsewhere}\n+/#\n")).unwrap();
    for start in 0..2 {
        let mut options = options(MqttVersion::V5, broker.port);
        options.owned_topics = Some(path.clone());
        let mut listener = Listener::start(&broker, &[]).await;
        let sink = Sink::start(options);
        sink.say(vec![]);
        listener.expect(|seen| seen.topic == ghost && seen.payload.is_empty()).await;
        sink.stop().await;
        let kept = Listener::start(&broker, &[]).await.gather(Duration::from_millis(300)).await;
        let topics: BTreeMap<&str, &str> =
            kept.iter().map(|seen| (seen.topic.as_str(), seen.payload.as_str())).collect();
        assert!(!topics.contains_key(ghost), "it is gone");
        assert!(
            topics.contains_key(foreign) && topics.contains_key(elsewhere),
            "others are not ours: {topics:?}"
        );
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains("device/bms-1/state\n") && !text.contains("/s2/"), "{text}");
        assert_eq!(text.contains(ghost), start == 0, "remembered for one more start: {text}");
    }
}

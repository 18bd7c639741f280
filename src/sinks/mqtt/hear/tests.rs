use std::sync::Mutex;

use tokio::sync::mpsc;

use super::super::outbox::Outbox;
use super::*;
use crate::safety::fact::Fact;
use crate::units::ClockSync;
use crate::units::Value as Number;
use crate::wire::testsite;

fn hear() -> Hear {
    let counters = Arc::new(MqttCounters::default());
    let outbox = Mutex::new(Outbox::new(100, None, Arc::clone(&counters)));
    let shared = Arc::new(Shared { outbox, filled: Arc::default(), counters });
    let site = testsite::shared();
    let topics = Topics::new("emberwatch", &site);
    let (inbox, _core) = mpsc::channel(1);
    Hear::new(Board::new(site, "B1".to_owned()), topics, None, None, shared, inbox)
}

fn said(hear: &Hear) -> Vec<(String, String, Option<u32>)> {
    let mut all = Vec::new();
    while let Some((_, it)) = hear.shared.outbox().next(clock::uptime(), true, 1 << 20) {
        let text = String::from_utf8_lossy(&it.payload).into_owned();
        all.push((it.topic.to_string(), text, it.expiry_s));
    }
    all
}

fn publication(facts: Vec<Fact>) -> Publication {
    Publication { number: 1, now: clock::now(), clock: ClockSync::Unknown, facts }
}

#[test]
fn the_heart_beats_only_while_the_loop_speaks() {
    let mut hear = hear();
    let heart = |hear: &Hear| said(hear).iter().any(|it| it.0.ends_with("/gw1/heartbeat"));
    hear.beat();
    assert!(!heart(&hear), "nothing was heard yet");
    hear.take(&publication(vec![]));
    hear.beat();
    assert!(heart(&hear));
    hear.heard = Some(Uptime(clock::uptime().0.saturating_sub(6_000)));
    hear.beat();
    let last = said(&hear);
    assert!(last.iter().all(|it| !it.0.ends_with("/heartbeat")));
    let status = last.iter().find(|it| it.0 == "emberwatch/1/s1/gateway/gw1/status");
    assert!(status.is_some_and(|it| it.1.contains("degraded")), "{status:?}");
}

#[test]
fn each_device_that_was_read_gets_one_document_with_its_expiry() {
    let mut hear = hear();
    let taken = clock::uptime();
    let value = Number::new(20.5).expect("finite");
    let good = |point| Fact::Reading { point: PointId(point), reading: Reading::Good { value, taken } };
    hear.take(&publication(vec![good(2), good(0), good(1)]));
    let data: Vec<_> = said(&hear).into_iter().filter(|it| it.0.ends_with("/data")).collect();
    assert_eq!(data.len(), 2);
    assert_eq!(data[0].0, "emberwatch/1/s1/b1/device/bms-1/data");
    assert!(data[0].1.contains("\"soc\":{\"v\":20.5,\"u\":\"%\"}"), "{}", data[0].1);
    assert_eq!((data[0].2, data[1].2), (Some(3), Some(3)));
}

#[test]
fn nothing_of_the_plant_is_said_before_anything_is_heard_and_then_all_of_it() {
    let mut hear = hear();
    let topics = |hear: &Hear| said(hear).into_iter().map(|it| it.0).collect::<Vec<_>>();
    let full = |leaf: &str| format!("emberwatch/1/s1/{leaf}");
    hear.introduce();
    let before = ["gateway/gw1/status", "b1/device/bms-1/meta", "b1/device/brk-1/meta", "gateway/gw1/info"];
    let mut told = topics(&hear);
    told.sort();
    let mut expected = before.map(full);
    expected.sort();
    assert_eq!(told, expected);
    hear.take(&publication(vec![]));
    let told = topics(&hear);
    let after = ["b1/device/brk-1/state", "b1/zone/rack-1", "b1/sequence/cut-rack-1", "b1/alarm/cell-temp"];
    for leaf in after.into_iter().chain(["b1/summary", "gateway/gw1/status"]) {
        assert!(told.contains(&full(leaf)), "{leaf}");
    }
}

#[test]
fn an_alarm_that_stood_before_a_restart_is_not_taken_away() {
    use crate::safety::alarm::{AlarmChange, AlarmEvent, AlarmRecord};
    let mut hear = hear();
    let now = AlarmRecord { state: AlarmState::LatchedAck, ..AlarmRecord::default() };
    let event = AlarmEvent::Returned;
    let change = AlarmChange { number: 1, alarm: AlarmId(0), event, now };
    hear.take(&publication(vec![Fact::Alarm(change)]));
    let told = said(&hear);
    let mut alarms = told.iter().filter(|it| it.0.ends_with("/alarm/cell-temp"));
    assert!(alarms.all(|it| it.1.contains("latched")), "{told:?}");
}

#[test]
fn no_reading_is_ever_retained() {
    let mut hear = hear();
    hear.take(&publication(vec![Fact::Reading { point: PointId(0), reading: Reading::NeverSeen }]));
    while let Some((_, it)) = hear.shared.outbox().next(clock::uptime(), true, 1 << 20) {
        assert!(!it.topic.ends_with("/data") || (!it.retain && !it.acknowledged));
    }
}

#[test]
fn m7_an_alarm_that_nobody_has_acknowledged_is_said_again_every_minute() {
    use crate::safety::alarm::{AlarmChange, AlarmEvent, AlarmRecord};
    let mut hear = hear();
    let change = |state, event| {
        let now = AlarmRecord { state, ..AlarmRecord::default() };
        vec![Fact::Alarm(AlarmChange { number: 1, alarm: AlarmId(0), event, now })]
    };
    let minute = |hear: &mut Hear| {
        said(hear);
        for _ in 0..REPEAT_EVERY {
            hear.heard = Some(clock::uptime());
            hear.beat();
        }
        said(hear).iter().filter(|it| it.0.ends_with("/alarm/cell-temp")).count()
    };
    assert_eq!(HEARTBEAT_EVERY * REPEAT_EVERY, Duration::from_secs(60));
    hear.take(&publication(change(AlarmState::UnackActive, AlarmEvent::Raised)));
    assert_eq!(minute(&mut hear), 1);
    assert_eq!(minute(&mut hear), 1);
    hear.take(&publication(change(AlarmState::AckActive, AlarmEvent::Raised)));
    assert_eq!(minute(&mut hear), 0, "somebody has seen it");
}

#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;

const HUGE: usize = 1 << 20;
const LATER: Uptime = Uptime(60_000);

fn outbox(max: usize) -> Outbox {
    Outbox::new(max, None, Arc::new(MqttCounters::default()))
}

fn message(topic: &str, text: &'static str, acknowledged: bool) -> Message {
    Message {
        topic: topic.into(),
        payload: Bytes::from_static(text.as_bytes()),
        acknowledged,
        retain: false,
        expiry_s: None,
        correlation: None,
        history: true,
    }
}

fn state(outbox: &mut Outbox, topic: &str, text: &'static str) {
    outbox.state(&topic.into(), Bytes::from_static(text.as_bytes()), Urgency::First, None);
}

fn drain(outbox: &mut Outbox) -> Vec<(Ticket, String)> {
    let mut all = Vec::new();
    while let Some((ticket, message)) = outbox.next(Uptime(0), true, HUGE) {
        let text = String::from_utf8(message.payload.to_vec()).unwrap();
        all.push((ticket, format!("{}={text}", message.topic)));
    }
    all
}

fn texts(outbox: &mut Outbox) -> Vec<String> {
    drain(outbox).into_iter().map(|(_, text)| text).collect()
}

#[test]
fn urgent_state_leaves_first_then_events_then_other_state_then_readings() {
    let mut outbox = outbox(10);
    outbox.reading(message("d", "1", false), LATER);
    outbox.state(&"z".into(), Bytes::from_static(b"1"), Urgency::Later, None);
    outbox.event(message("e", "1", true));
    state(&mut outbox, "a", "1");
    assert_eq!(texts(&mut outbox), ["a=1", "e=1", "z=1", "d=1"]);
}

#[test]
fn of_a_state_only_the_latest_is_sent() {
    let mut outbox = outbox(10);
    state(&mut outbox, "a", "1");
    state(&mut outbox, "a", "2");
    assert_eq!(texts(&mut outbox), ["a=2"]);
}

#[test]
fn a_full_outbox_drops_readings_first_and_oldest_first() {
    let mut outbox = outbox(3);
    outbox.reading(message("d", "1", false), LATER);
    outbox.reading(message("d", "2", false), LATER);
    outbox.event(message("e", "1", true));
    outbox.event(message("e", "2", true));
    assert_eq!(MqttCounters::get(&outbox.counters.dropped_readings), 1);
    outbox.event(message("e", "3", true));
    outbox.reading(message("d", "3", false), LATER);
    outbox.event(message("e", "4", true));
    assert_eq!(MqttCounters::get(&outbox.counters.dropped_readings), 3);
    assert_eq!(MqttCounters::get(&outbox.counters.dropped_events), 1);
    assert_eq!(texts(&mut outbox), ["e=2", "e=3", "e=4"]);
}

#[test]
fn what_was_not_acknowledged_is_sent_again_after_a_reconnect() {
    let mut outbox = outbox(10);
    for text in ["1", "2", "3"] {
        outbox.event(message("e", text, true));
    }
    let handed = drain(&mut outbox);
    outbox.delivered(&handed[1].0);
    assert_eq!(texts(&mut outbox), Vec::<String>::new());
    outbox.disconnected();
    assert_eq!(texts(&mut outbox), ["e=1", "e=3"]);
}

#[test]
fn all_state_is_sent_again_after_a_reconnect() {
    let mut outbox = outbox(10);
    state(&mut outbox, "a", "1");
    outbox.remember(&"n".into(), Bytes::from_static(b"1"));
    for (ticket, _) in drain(&mut outbox) {
        outbox.delivered(&ticket);
    }
    outbox.disconnected();
    assert_eq!(texts(&mut outbox), ["a=1", "n=1"]);
}

#[test]
fn a_cleared_state_is_told_once_more_and_then_taken_away() {
    let mut outbox = outbox(10);
    outbox.clear(&"a".into(), Bytes::from_static(b"normal"), Urgency::First);
    let handed = drain(&mut outbox);
    assert_eq!(handed.iter().map(|it| it.1.as_str()).collect::<Vec<_>>(), ["a=normal", "a="]);
    outbox.disconnected();
    let again = drain(&mut outbox);
    assert_eq!(again.len(), 2, "nothing was acknowledged, so all of it is sent again");
    for (ticket, _) in again {
        outbox.delivered(&ticket);
    }
    outbox.disconnected();
    assert_eq!(texts(&mut outbox), ["a="], "a broker may have kept an old one on its disk");
}

#[test]
fn a_state_raised_again_while_it_was_cleared_stays() {
    let mut outbox = outbox(10);
    outbox.clear(&"a".into(), Bytes::from_static(b"normal"), Urgency::First);
    let handed = drain(&mut outbox);
    state(&mut outbox, "a", "active");
    for (ticket, _) in &handed {
        outbox.delivered(ticket);
    }
    outbox.disconnected();
    assert_eq!(texts(&mut outbox), ["a=active"]);
}

#[test]
fn what_is_refused_stays_and_is_offered_again() {
    let mut outbox = outbox(10);
    state(&mut outbox, "a", "1");
    outbox.event(message("e", "1", true));
    for (ticket, _) in drain(&mut outbox) {
        outbox.refused(&ticket);
    }
    assert!(outbox.has_refused());
    assert_eq!(texts(&mut outbox), Vec::<String>::new());
    outbox.offer_refused();
    let again = drain(&mut outbox);
    assert_eq!(again.len(), 2);
    for (ticket, _) in again {
        outbox.delivered(&ticket);
    }
    assert!(!outbox.has_refused());
}

#[test]
fn a_reading_that_came_too_late_is_counted_and_not_sent() {
    let mut outbox = outbox(10);
    outbox.reading(message("d", "old", false), Uptime(1_000));
    outbox.reading(message("d", "new", false), Uptime(9_500));
    let (_, message) = outbox.next(Uptime(1_000), true, HUGE).unwrap();
    assert_eq!((&*message.payload, message.expiry_s), (&b"new"[..], Some(9)));
    assert_eq!(MqttCounters::get(&outbox.counters.expired_readings), 1);
}

#[test]
fn without_a_window_only_readings_leave() {
    let mut outbox = outbox(10);
    outbox.event(message("e", "1", true));
    outbox.reading(message("d", "1", false), LATER);
    assert_eq!(outbox.next(Uptime(0), false, HUGE).unwrap().0, Ticket::Reading);
    assert_eq!(outbox.next(Uptime(0), false, HUGE), None);
    assert!(matches!(outbox.next(Uptime(0), true, HUGE), Some((Ticket::Event(_), _))));
}

#[test]
fn a_message_too_large_for_the_broker_is_counted_and_does_not_block_others() {
    let mut outbox = outbox(10);
    outbox.event(message("e", "a rather long text that is too much", true));
    outbox.event(message("e", "1", true));
    let (_, next) = outbox.next(Uptime(0), true, OVERHEAD + 10).unwrap();
    assert_eq!(&*next.payload, b"1");
    assert_eq!(MqttCounters::get(&outbox.counters.too_large), 1);
}

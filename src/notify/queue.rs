//! Messages that wait for one target: bounded, most urgent first, oldest first among equals.
//!
//! Messages about the same subject keep their order: one that becomes urgent takes those before it along. When
//! the queue is full, the least urgent go first, and of those the oldest; they are counted.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::notify::message::Handling;
use crate::notify::preset::words::Severity;
use crate::units::Uptime;

/// How soon a message must be delivered. `Ord`: the most urgent is the greatest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Urgency {
    /// A start, an alarm of low priority.
    Low,
    /// An alarm of medium priority.
    Medium,
    /// An alarm of high priority.
    High,
    /// Fire risk, a cut, or a notice of one.
    Critical,
}

/// One message, the same on each try.
#[derive(Clone, Debug)]
pub(super) struct Message {
    pub(super) id: Arc<str>,
    pub(super) handling: Handling,
    pub(super) made: Uptime,
    pub(super) severity: Severity,
    /// The message in one line: what is left of it in a group, and the subject of a mail.
    pub(super) line: Arc<str>,
    pub(super) body: Body,
}

/// The bytes of a message. Some receivers want their key in it, so it is never printed.
#[derive(Clone)]
pub(super) struct Body(pub(super) Arc<[u8]>);

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

type Place = (Reverse<Urgency>, u64);

/// The messages that wait.
#[derive(Debug)]
pub(super) struct Queue {
    messages: BTreeMap<Place, Message>,
    next: u64,
    messages_max: usize,
}

impl Queue {
    pub(super) fn new(messages_max: usize) -> Self {
        Self { messages: BTreeMap::new(), next: 0, messages_max: messages_max.max(1) }
    }

    /// Returns what was dropped to make room.
    pub(super) fn put(&mut self, message: Message) -> Vec<Message> {
        let places: Vec<Place> = self
            .messages
            .iter()
            .filter(|(place, other)| {
                place.0.0 < message.handling.urgency && other.handling.subject == message.handling.subject
            })
            .map(|(place, _)| *place)
            .collect();
        for place in places {
            if let Some(before) = self.messages.remove(&place) {
                self.messages.insert((Reverse(message.handling.urgency), place.1), before);
            }
        }
        self.messages.insert((Reverse(message.handling.urgency), self.next), message);
        self.next += 1;
        let mut dropped = Vec::new();
        while self.messages_max < self.messages.len() {
            dropped.extend(self.drop_one());
        }
        dropped
    }

    /// The one to be delivered next.
    pub(super) fn first(&self) -> Option<&Message> {
        self.messages.values().next()
    }

    /// All that are as urgent as the first, in the order of delivery.
    pub(super) fn as_urgent_as_first(&self) -> impl Iterator<Item = &Message> {
        let most = self.messages.keys().next().map(|place| place.0);
        self.messages.iter().take_while(move |(place, _)| Some(place.0) == most).map(|(_, message)| message)
    }

    /// How urgent the first is by now: it may have been taken along by a later message.
    pub(super) fn urgency(&self) -> Option<Urgency> {
        self.messages.keys().next().map(|place| place.0.0)
    }

    /// Takes a message out by its id, wherever it stands by now.
    pub(super) fn remove(&mut self, id: &str) {
        self.messages.retain(|_, message| &*message.id != id);
    }

    /// Whether a message still waits, at this urgency.
    pub(super) fn has(&self, urgency: Urgency, id: &str) -> bool {
        let places = (Reverse(urgency), 0)..=(Reverse(urgency), u64::MAX);
        self.messages.range(places).any(|(_, message)| &*message.id == id)
    }

    pub(super) fn len(&self) -> usize {
        self.messages.len()
    }

    fn drop_one(&mut self) -> Option<Message> {
        let urgency = self.messages.last_key_value()?.0.0;
        let oldest = *self.messages.range((urgency, 0)..).next()?.0;
        self.messages.remove(&oldest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(id: &str, subject: &str, urgency: Urgency) -> Message {
        Message {
            id: id.into(),
            handling: Handling { subject: subject.into(), urgency, notice: None },
            made: Uptime(0),
            severity: Severity::Info,
            line: id.into(),
            body: Body(Arc::from(&b"{}"[..])),
        }
    }

    fn drain(queue: &mut Queue) -> Vec<String> {
        let mut ids = Vec::new();
        while let Some(first) = queue.first() {
            let id = first.id.to_string();
            queue.remove(&id);
            ids.push(id);
        }
        ids
    }

    #[test]
    fn the_most_urgent_goes_first() {
        let mut queue = Queue::new(10);
        queue.put(message("1", "a", Urgency::Low));
        queue.put(message("2", "b", Urgency::Critical));
        queue.put(message("3", "c", Urgency::High));
        queue.put(message("4", "d", Urgency::Critical));
        assert_eq!(drain(&mut queue), ["2", "4", "3", "1"]);
    }

    #[test]
    fn one_alarm_is_told_in_order_though_it_became_urgent() {
        let mut queue = Queue::new(10);
        queue.put(message("raised", "a", Urgency::Medium));
        queue.put(message("other", "b", Urgency::High));
        queue.put(message("escalated", "a", Urgency::Critical));
        assert_eq!(drain(&mut queue), ["raised", "escalated", "other"]);
    }

    #[test]
    fn a_full_queue_drops_the_least_urgent_oldest_first() {
        let mut queue = Queue::new(3);
        queue.put(message("1", "a", Urgency::Critical));
        queue.put(message("2", "b", Urgency::Low));
        queue.put(message("3", "c", Urgency::Low));
        assert_eq!(queue.put(message("4", "d", Urgency::High)).len(), 1);
        assert_eq!(drain(&mut queue), ["1", "4", "3"]);
    }
}

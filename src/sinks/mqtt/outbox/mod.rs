//! What the broker has not accepted yet: bounded, in order, the important first.
//!
//! Three kinds, in the order they leave:
//! - *state*, the latest per topic, retained: as many as the site has topics; urgent state first of all;
//! - *events*, each one, in order, until acknowledged: dropped only when no reading is left to drop;
//! - *readings*, not acknowledged, each with a time after which it is worthless: dropped first.
//!
//! With a spool, events are on disk as well from the moment they are heard; readings go there while the broker is away,
//! when they are too many, or when they are too old to be sent as live ones. What the spool holds leaves last, as *backlog*:
//! acknowledged, never retained, marked as historical, on a topic of its own.
//!
//! A message that was handed over stays here until it is acknowledged; `disconnected` makes everything that
//! was not ready to be sent again, and all state with it.

mod backlog;
mod spooling;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;

use super::counters::MqttCounters;
use super::topics::Topic;
use crate::sinks::spool::{self, Kind, Spool};
use crate::units::{Millis, Uptime};
use backlog::Backlog;
pub(super) use backlog::historical;

/// Room for the fixed header and the properties of a message, beside topic and payload.
const OVERHEAD: usize = 128;

/// One message for the broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) topic: Topic,
    pub(super) payload: Bytes,
    /// At least once, or at most once.
    pub(super) acknowledged: bool,
    pub(super) retain: bool,
    /// After this many seconds the broker forgets it (MQTT 5).
    pub(super) expiry_s: Option<u32>,
    /// What the asker knows an answer by (MQTT 5).
    pub(super) correlation: Option<Bytes>,
    /// Worth telling when it is no longer live.
    pub(super) history: bool,
}

/// What a message that was handed over is to the outbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ticket {
    State { topic: Topic, version: u64, empty: bool },
    Event(u64),
    Reading,
    Backlog(u64),
}

impl Ticket {
    pub(super) const fn acknowledged(&self) -> bool {
        !matches!(self, Self::Reading)
    }
}

/// How soon a state leaves after others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Urgency {
    /// Before events.
    First,
    /// After events.
    Later,
    /// After everything else; of these the lower first.
    Last(u8),
}

#[derive(Debug)]
struct State {
    payload: Bytes,
    expiry_s: Option<u32>,
    urgency: Urgency,
    version: u64,
    phase: Phase,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// To be seen by those who come late.
    Shown,
    /// The last state is sent, then an empty message takes it away.
    Clearing { last_sent: bool },
    /// Nothing is to be seen.
    Gone,
}

#[derive(Debug)]
struct Event {
    message: Message,
    step: Step,
    /// What the spool calls it.
    ticket: Option<spool::Ticket>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Waiting,
    Handed,
    Refused,
}

#[derive(Debug)]
pub(super) struct Outbox {
    max: usize,
    version: u64,
    states: BTreeMap<Topic, State>,
    /// States to be sent.
    ready: BTreeSet<(Urgency, Topic)>,
    refused_states: BTreeSet<Topic>,
    events: BTreeMap<u64, Event>,
    event_next: u64,
    /// No event before this one waits.
    cursor: u64,
    refused_events: usize,
    readings: VecDeque<(Uptime, Message)>,
    spool: Option<Spool>,
    /// Readings on their way to the spool.
    aside: Vec<Message>,
    backlog: Backlog,
    /// Events of an earlier run have numbers below those of this one.
    stored_next: u64,
    counters: Arc<MqttCounters>,
}

/// The first number of an event of this run.
const LIVE_FIRST: u64 = 1 << 40;

impl Outbox {
    pub(super) fn new(max: usize, spool: Option<Spool>, counters: Arc<MqttCounters>) -> Self {
        Self {
            max: max.max(1),
            version: 0,
            states: BTreeMap::new(),
            ready: BTreeSet::new(),
            refused_states: BTreeSet::new(),
            events: BTreeMap::new(),
            event_next: LIVE_FIRST,
            cursor: 0,
            refused_events: 0,
            readings: VecDeque::new(),
            spool,
            aside: Vec::new(),
            backlog: Backlog::default(),
            stored_next: 0,
            counters,
        }
    }

    /// A state as it is now; what was there before and has not been sent is forgotten.
    pub(super) fn state(&mut self, topic: &Topic, payload: Bytes, urgency: Urgency, expiry_s: Option<u32>) {
        self.put(topic, payload, urgency, expiry_s, Phase::Shown);
        self.ready.insert((urgency, Arc::clone(topic)));
    }

    /// A state that an event has already told: sent only after a reconnect.
    pub(super) fn remember(&mut self, topic: &Topic, payload: Bytes) {
        self.put(topic, payload, Urgency::Later, None, Phase::Shown);
    }

    /// A state for the last time; then an empty message takes it away.
    pub(super) fn clear(&mut self, topic: &Topic, last: Bytes, urgency: Urgency) {
        self.put(topic, last, urgency, None, Phase::Clearing { last_sent: false });
        self.ready.insert((urgency, Arc::clone(topic)));
    }

    /// A topic where nothing is to be seen: whatever the broker still has there is taken away.
    pub(super) fn gone(&mut self, topic: &Topic) {
        self.put(topic, Bytes::new(), Urgency::Later, None, Phase::Gone);
        self.ready.insert((Urgency::Later, Arc::clone(topic)));
    }

    fn put(&mut self, topic: &Topic, payload: Bytes, urgency: Urgency, expiry_s: Option<u32>, phase: Phase) {
        self.version += 1;
        let state = State { payload, expiry_s, urgency, version: self.version, phase };
        if let Some(was) = self.states.insert(Arc::clone(topic), state) {
            self.ready.remove(&(was.urgency, Arc::clone(topic)));
        }
    }

    /// Something that happened: kept until acknowledged.
    pub(super) fn event(&mut self, message: Message) {
        self.make_room();
        let ticket = self.spool.as_ref().and_then(|spool| spool.event(backlog::encoded(&message)));
        self.events.insert(self.event_next, Event { message, step: Step::Waiting, ticket });
        self.event_next += 1;
        self.count();
    }

    /// A reading that is worth something until `worthless`.
    pub(super) fn reading(&mut self, message: Message, worthless: Uptime) {
        if self.events.len() >= self.max {
            self.put_aside(message);
            return;
        }
        self.make_room();
        self.readings.push_back((worthless, message));
        self.count();
    }

    fn make_room(&mut self) {
        while self.events.len() + self.readings.len() >= self.max {
            if let Some((_, reading)) = self.readings.pop_front() {
                self.put_aside(reading);
            } else if let Some((_, event)) = self.events.pop_first() {
                self.refused_events -= usize::from(event.step == Step::Refused);
                match (&self.spool, event.ticket) {
                    // Out of memory only: it is told when there is room again.
                    (Some(spool), Some(ticket)) => spool.give_back(Kind::Events, ticket),
                    _ => MqttCounters::add(&self.counters.dropped_events, 1),
                }
            }
        }
    }

    fn count(&self) {
        let waiting = (self.events.len() + self.readings.len()) as u64;
        self.counters.waiting.store(waiting, Ordering::Relaxed);
    }

    /// The next message to hand over, of at most `size_max` bytes. Without `window` there is no room for
    /// one that must be acknowledged.
    pub(super) fn next(&mut self, now: Uptime, window: bool, size_max: usize) -> Option<(Ticket, Message)> {
        loop {
            let (ticket, message) = if window
                && let Some(next) =
                    self.next_state(true).or_else(|| self.next_event()).or_else(|| self.next_state(false))
            {
                next
            } else {
                (Ticket::Reading, self.next_reading(now)?)
            };
            if message.topic.len() + message.payload.len() + OVERHEAD <= size_max {
                return Some((ticket, message));
            }
            tracing::warn!(
                topic = &*message.topic,
                bytes = message.payload.len(),
                "larger than the broker takes"
            );
            MqttCounters::add(&self.counters.too_large, 1);
            if let Ticket::Event(id) = ticket {
                self.forget_event(id);
            }
        }
    }

    /// The next state, or the next that is urgent.
    fn next_state(&mut self, only_urgent: bool) -> Option<(Ticket, Message)> {
        if only_urgent && self.ready.first()?.0 != Urgency::First {
            return None;
        }
        let (urgency, topic) = self.ready.pop_first()?;
        let state = self.states.get_mut(&topic)?;
        let empty = match &mut state.phase {
            Phase::Shown => false,
            Phase::Clearing { last_sent } => std::mem::replace(last_sent, true),
            Phase::Gone => true,
        };
        if let Phase::Clearing { .. } = state.phase
            && !empty
        {
            self.ready.insert((urgency, Arc::clone(&topic)));
        }
        let payload = if empty { Bytes::new() } else { state.payload.clone() };
        let expiry_s = state.expiry_s.filter(|_| !empty);
        let ticket = Ticket::State { topic: Arc::clone(&topic), version: state.version, empty };
        let message = Message {
            topic,
            payload,
            acknowledged: true,
            retain: true,
            expiry_s,
            correlation: None,
            history: false,
        };
        Some((ticket, message))
    }

    fn next_event(&mut self) -> Option<(Ticket, Message)> {
        let waiting = self.events.range_mut(self.cursor..).find(|(_, event)| event.step == Step::Waiting);
        let Some((&id, event)) = waiting else {
            self.cursor = self.event_next;
            return None;
        };
        event.step = Step::Handed;
        self.cursor = id + 1;
        Some((Ticket::Event(id), event.message.clone()))
    }

    /// The oldest reading that is still worth something. Its expiry is what remains of it.
    fn next_reading(&mut self, now: Uptime) -> Option<Message> {
        while let Some((worthless, mut message)) = self.readings.pop_front() {
            self.count();
            let remains = worthless.since(now);
            if remains > Millis::ZERO {
                let seconds = u32::try_from(remains.0.div_ceil(1000)).unwrap_or(u32::MAX);
                message.expiry_s = Some(seconds);
                return Some(message);
            }
            if self.spool.is_some() && message.history {
                self.put_aside(message);
            } else {
                MqttCounters::add(&self.counters.expired_readings, 1);
            }
        }
        None
    }

    /// An event is settled, one way or another.
    fn forget_event(&mut self, id: u64) {
        if let Some(event) = self.events.remove(&id)
            && let (Some(spool), Some(ticket)) = (&self.spool, event.ticket)
        {
            spool.settle(Kind::Events, ticket);
        }
        self.count();
    }

    /// The broker has it.
    pub(super) fn delivered(&mut self, ticket: &Ticket) {
        match ticket {
            Ticket::State { topic, version, empty } => {
                self.refused_states.remove(topic);
                if let Some(state) = self.states.get_mut(topic)
                    && state.version == *version
                    && *empty
                {
                    state.phase = Phase::Gone;
                    state.payload = Bytes::new();
                }
            }
            Ticket::Event(id) => self.forget_event(*id),
            Ticket::Backlog(id) => {
                self.backlog.delivered(*id);
                self.settle_backlog();
            }
            Ticket::Reading => {}
        }
    }

    /// The broker does not want it. It stays, and is offered again by `offer_refused`.
    pub(super) fn refused(&mut self, ticket: &Ticket) {
        match ticket {
            Ticket::State { topic, .. } => {
                self.refused_states.insert(Arc::clone(topic));
            }
            Ticket::Event(id) => {
                if let Some(event) = self.events.get_mut(id) {
                    event.step = Step::Refused;
                    self.refused_events += 1;
                }
            }
            Ticket::Backlog(id) => self.backlog.refused(*id),
            Ticket::Reading => {}
        }
    }

    /// True while something refused has not been accepted since.
    pub(super) fn has_refused(&self) -> bool {
        self.refused_events > 0 || !self.refused_states.is_empty() || self.backlog.has_refused()
    }

    /// Makes everything refused ready to be sent again.
    pub(super) fn offer_refused(&mut self) {
        for topic in &self.refused_states {
            if let Some(state) = self.states.get_mut(topic) {
                if let Phase::Clearing { last_sent } = &mut state.phase {
                    *last_sent = false;
                }
                self.ready.insert((state.urgency, Arc::clone(topic)));
            }
        }
        if self.refused_events > 0 {
            self.wait_again(Step::Refused);
        }
        self.backlog.offer_refused();
    }

    /// The connection is gone: whatever was not acknowledged is sent again, and all state with it.
    pub(super) fn disconnected(&mut self) {
        self.wait_again(Step::Refused);
        self.wait_again(Step::Handed);
        self.backlog.disconnected();
        self.refused_states.clear();
        for (topic, state) in &mut self.states {
            if let Phase::Clearing { last_sent } = &mut state.phase {
                *last_sent = false;
            }
            self.ready.insert((state.urgency, Arc::clone(topic)));
        }
    }

    fn wait_again(&mut self, from: Step) {
        for (id, event) in &mut self.events {
            if event.step == from {
                event.step = Step::Waiting;
                self.cursor = self.cursor.min(*id);
            }
        }
        if from == Step::Refused {
            self.refused_events = 0;
        }
    }

    /// Drops all readings that cannot be told later, for a stop: nobody waits for them.
    pub(super) fn forget_readings(&mut self) {
        self.spill(true);
        self.readings.clear();
        self.count();
    }

    /// True if nothing waits to be handed over, and nothing handed over waits for its acknowledgement.
    pub(super) fn is_empty(&self) -> bool {
        self.ready.is_empty() && self.readings.is_empty() && self.events.len() == self.refused_events
    }
}

#[cfg(test)]
mod tests;

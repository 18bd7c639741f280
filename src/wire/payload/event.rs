//! `event`: every transition, in order. Readings and findings are no transitions; the levels and alarms
//! that follow from them are. Nor is new evidence for the same level.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::sequence::{SequenceExtras, notice, notice_word, sequence};
use super::{alarm::alarm, document, zone};
use crate::safety::fact::{CommandRecord, Fact, Request};
use crate::safety::site::{AlarmId, RoomId, RuleId, SequenceId};
use crate::safety::waiver::{Waived, WaiverChange};
use crate::units::Uptime;
use crate::wire::{Envelope, explain, text, time};

/// One transition: where it belongs and what it says.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// The room; `None` for the whole gateway.
    pub room: Option<RoomId>,
    /// `alarm.raised`, `sequence.aborted` …
    pub kind: String,
    /// The document.
    pub body: Value,
}

/// The transition that a fact is, if it is one. `place` is its position in the publication: with `boot`
/// and `seq` it makes the event unique.
#[must_use]
pub fn event_of(envelope: &Envelope, place: usize, fact: &Fact) -> Option<Event> {
    let site = envelope.site;
    match fact {
        Fact::Reading { .. } | Fact::Finding(_) | Fact::Outlook(_) | Fact::AlarmFigures(_) => None,
        Fact::Level(change) if change.level == change.was => None,
        Fact::Level(change) => {
            let body = json!({
                "zone": site[change.zone].name, "level": change.level.word(), "was": change.was.word(),
                "first_out": change.first_out.map(|rule| &site[rule].name),
                "because": zone::because(site, &change.because, &BTreeMap::new()),
            });
            let words = explain::level_change(site, change);
            Some(event(envelope, place, Some(site[change.zone].room), "zone.level".to_owned(), &words, body))
        }
        Fact::Alarm(change) => {
            let body = json!({
                "number": change.number, "alarm": alarm(envelope, change.alarm, &change.now, None),
            });
            let kind = format!("alarm.{}", change.event.word());
            let words = text::alarm_change(site, change);
            Some(event(envelope, place, Some(site[change.alarm].room), kind, &words, body))
        }
        Fact::Sequence(change) => {
            let id = change.sequence;
            let body = json!({
                "sequence": sequence(envelope, id, &change.now, SequenceExtras::default()),
            });
            let kind = format!("sequence.{}", change.event.word());
            let words = text::sequence_event(site, id, &change.now, &change.event);
            Some(event(envelope, place, Some(sequence_room(envelope, id)), kind, &words, body))
        }
        Fact::Notice(it) => {
            let kind = format!("notice.{}", notice_word(it.stage));
            let body = json!({ "notice": notice(envelope, it) });
            let room = site[it.zone].room;
            Some(event(envelope, place, Some(room), kind, &text::notice(site, it), body))
        }
        Fact::LoneVote { rule, channel } => Some(lone_vote(envelope, place, *rule, *channel)),
        Fact::Waiver(change) => Some(waiver(envelope, place, change)),
        Fact::Gap { lasted } => {
            let words = format!(
                "the loop was held up for {}: all data is stale until read again",
                text::span(*lasted)
            );
            let body = json!({ "lasted_ms": lasted.0 });
            Some(event(envelope, place, None, "gateway.gap".to_owned(), &words, body))
        }
        Fact::Commanded(record) => Some(commanded(envelope, place, record)),
        Fact::ClockStepped { by_ms } => {
            let (kind, body) = ("gateway.clock-stepped".to_owned(), json!({ "by_ms": by_ms }));
            Some(event(envelope, place, None, kind, &text::clock_stepped(*by_ms), body))
        }
        Fact::Proposed { by, request, until } => Some(proposed(envelope, place, by, request, *until)),
        Fact::Followed { by, request } => {
            let words = format!("{by}: {}", text::request(site, request));
            let body = json!({ "by": &**by, "request": request_body(envelope, request) });
            let room = request_room(envelope, request);
            Some(event(envelope, place, Some(room), "request.followed".to_owned(), &words, body))
        }
        Fact::Refused { by, request, why } => {
            let reason = text::refusal(site, *why);
            let words = format!("{by}: {}: refused, {reason}", text::request(site, request));
            let body = json!({ "by": &**by, "request": request_body(envelope, request), "why": reason });
            let room = request_room(envelope, request);
            Some(event(envelope, place, Some(room), "request.refused".to_owned(), &words, body))
        }
    }
}

/// A vote came and went alone.
fn lone_vote(envelope: &Envelope, place: usize, rule: RuleId, channel: RuleId) -> Event {
    let site = envelope.site;
    let words = text::lone_vote(site, rule, channel);
    let body = json!({ "vote": site[rule].name, "channel": site[channel].name });
    event(envelope, place, Some(site[site[rule].zone].room), "vote.alone".to_owned(), &words, body)
}

/// Something was put aside, or taken back.
fn waiver(envelope: &Envelope, place: usize, change: &WaiverChange) -> Event {
    let site = envelope.site;
    let (word, room) = match change.what {
        Waived::Channel(rule) => ("bypass", site[site[rule].zone].room),
        Waived::Zone(zone) => ("maintenance", site[zone].room),
    };
    let ending = if change.now.is_some() { "begun" } else { "ended" };
    let body = json!({
        "what": change.what.key(site),
        "now": change.now.as_ref().map(|waiver| json!({
            "by": waiver.by.each_ref().map(|by| &**by), "reason": &*waiver.reason,
            "until": time::rfc3339(envelope.wall(waiver.until)),
        })),
        "ended_by": change.ended_by.as_deref(),
    });
    event(envelope, place, Some(room), format!("{word}.{ending}"), &text::waiver_change(site, change), body)
}

/// Something was asked over a way that does not tell who speaks.
fn commanded(envelope: &Envelope, place: usize, it: &CommandRecord) -> Event {
    let result = if it.rejected.is_empty() { "accepted" } else { "rejected" };
    let body = json!({
        "by": &*it.by, "actor": &*it.actor, "verb": &*it.verb, "target": &*it.target, "id": &*it.id,
        "reason": &*it.reason, "rejected": (!it.rejected.is_empty()).then_some(&*it.rejected),
        "unrecorded": it.unrecorded,
    });
    let words = text::command(&it.by, &it.actor, &it.verb, &it.target, &it.rejected);
    event(envelope, place, Some(it.room), format!("command.{result}"), &words, body)
}

/// The first of two persons has asked.
fn proposed(envelope: &Envelope, place: usize, by: &str, request: &Request, until: Uptime) -> Event {
    let words = format!("{by}: {}", text::waits_for_second(envelope.site, request));
    let until = time::rfc3339(envelope.wall(until));
    let body = json!({ "by": by, "request": request_body(envelope, request), "until": until });
    let room = request_room(envelope, request);
    event(envelope, place, Some(room), "request.proposed".to_owned(), &words, body)
}

/// An event of the given kind, with its sentence and its own members.
#[must_use]
pub fn event(
    envelope: &Envelope,
    place: usize,
    room: Option<RoomId>,
    kind: String,
    words: &str,
    body: Value,
) -> Event {
    let mut all = json!({
        "n": place, "type": kind, "text": words, "drill": is_drill(&body),
        "room": room.map(|room| &envelope.site[room].name), "clock": envelope.clock.word(),
    });
    if let (Value::Object(all), Value::Object(body)) = (&mut all, body) {
        all.extend(body);
    }
    Event { room, kind, body: document(envelope, all) }
}

/// Whether the sequence or the notice that it is about is rehearsed.
fn is_drill(body: &Value) -> bool {
    let about = body.get("sequence").or_else(|| body.get("notice"));
    about.and_then(|about| about.get("drill")).and_then(Value::as_bool).unwrap_or(false)
}

/// What a request is about.
pub(crate) enum Target {
    /// An alarm.
    Alarm(AlarmId),
    /// A sequence.
    Sequence(SequenceId),
}

/// The verb of a request, and what it is about.
pub(crate) const fn target(request: &Request) -> (&'static str, Target) {
    match *request {
        Request::Acknowledge { alarm, .. } => ("acknowledge", Target::Alarm(alarm)),
        Request::ResetAlarm { alarm } => ("reset", Target::Alarm(alarm)),
        Request::Shelve { alarm, .. } => ("shelve", Target::Alarm(alarm)),
        Request::Unshelve { alarm } => ("unshelve", Target::Alarm(alarm)),
        Request::OutOfService { alarm, .. } => ("out-of-service", Target::Alarm(alarm)),
        Request::InService { alarm } => ("in-service", Target::Alarm(alarm)),
        Request::Waive { alarm, .. } => ("begin", Target::Alarm(alarm)),
        Request::EndWaiver { alarm } => ("end", Target::Alarm(alarm)),
        Request::Abort { sequence, .. } => ("abort", Target::Sequence(sequence)),
        Request::Arm { sequence } => ("arm", Target::Sequence(sequence)),
        Request::Disarm { sequence } => ("disarm", Target::Sequence(sequence)),
        Request::Select { sequence } => ("select", Target::Sequence(sequence)),
        Request::Start { sequence } => ("start", Target::Sequence(sequence)),
        Request::ResetSequence { sequence } => ("reset", Target::Sequence(sequence)),
        Request::ProofTested { sequence } => ("proof-tested", Target::Sequence(sequence)),
        Request::Drill { sequence } => ("drill", Target::Sequence(sequence)),
    }
}

fn request_body(envelope: &Envelope, request: &Request) -> Value {
    match target(request) {
        (verb, Target::Alarm(alarm)) => json!({ "verb": verb, "alarm": envelope.site[alarm].name }),
        (verb, Target::Sequence(it)) => json!({ "verb": verb, "sequence": envelope.site[it].name }),
    }
}

fn request_room(envelope: &Envelope, request: &Request) -> RoomId {
    match target(request).1 {
        Target::Alarm(alarm) => envelope.site[alarm].room,
        Target::Sequence(sequence) => sequence_room(envelope, sequence),
    }
}

fn sequence_room(envelope: &Envelope, sequence: SequenceId) -> RoomId {
    envelope.site[envelope.site[sequence].zone].room
}

//! Facts as webhook messages: type, subject, urgency and JSON body.

use std::sync::Arc;

use serde::Serialize;

use crate::exchange::Publication;
use crate::notify::Texts;
use crate::notify::queue::{Message, Urgency};
use crate::safety::alarm::AlarmChange;
use crate::safety::fact::Fact;
use crate::safety::risk::Evidence;
use crate::safety::sequence::spec::Mode;
use crate::safety::sequence::{Notice, NoticeStage, Phase, SequenceChange, SequenceEvent, Step};
use crate::safety::site::{PointId, Priority, SequenceId, Site};
use crate::units::{Millis, Now, WallTime};
use crate::wire::payload::priority;
use crate::wire::payload::sequence::{Affected, Autonomy, affected, notice_word, state_word};
use crate::wire::text;
use crate::wire::time::rfc3339;

/// Makes messages of one process: ids are unique over restarts.
#[derive(Clone)]
pub(super) struct Maker {
    pub(super) site: Arc<Site>,
    pub(super) texts: Arc<dyn Texts>,
    /// Boot and moment of the start.
    pub(super) process: Arc<str>,
    pub(super) priority_min: Priority,
}

#[derive(Serialize)]
struct Envelope<'a, D> {
    r#type: &'a str,
    timestamp: String,
    data: D,
}

#[derive(Serialize)]
struct Data<'a, T> {
    site: &'a str,
    gateway: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    room: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    zone: Option<&'a str>,
    /// The publication it came from: increases while the process runs.
    seq: u64,
    /// True if nothing is really switched.
    shadow: bool,
    /// True if somebody rehearses.
    drill: bool,
    #[serde(skip_serializing_if = "str::is_empty")]
    message: &'a str,
    #[serde(flatten)]
    about: T,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum About<'a> {
    Alarm(AlarmData<'a>),
    Sequence(SequenceData<'a>),
    Notice(NoticeData<'a>),
    Process { boot: &'a str, version: &'a str },
}

#[derive(Serialize)]
struct AlarmData<'a> {
    id: &'a str,
    change: u64,
    occ: u64,
    rev: u32,
    state: &'a str,
    priority: Option<&'a str>,
    level: &'a str,
    since: String,
    first_out: bool,
    latched: bool,
    title: &'a str,
    consequence: &'a str,
    action: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<Quantity>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<Quantity>,
}

#[derive(Serialize)]
struct Quantity {
    v: f64,
    u: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    point: Option<String>,
}

#[derive(Serialize)]
struct SequenceData<'a> {
    id: &'a str,
    title: &'a str,
    event: &'a str,
    mode: &'a str,
    state: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stage: Option<StageData<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deadline: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remaining_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<&'a str>,
}

#[derive(Serialize)]
struct StageData<'a> {
    n: u8,
    of: usize,
    name: &'a str,
}

#[derive(Serialize)]
struct NoticeData<'a> {
    number: u64,
    sequence: &'a str,
    level: &'a str,
    stage: &'a str,
    what_to_do: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    earliest_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    earliest: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    abortable_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    abortable_until: Option<String>,
    /// The stage that is carried out or comes next.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_stage: Option<&'a str>,
    /// The load groups whose feeds may go.
    affected: Vec<Affected<'a>>,
    /// For how long the load can go on without this supply.
    #[serde(skip_serializing_if = "Option::is_none")]
    autonomy: Option<Autonomy<'a>>,
    /// Who votes.
    evidence: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    contact: Option<&'a str>,
    /// The notice of the same matter before this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    previous: Option<u64>,
}

/// What every body needs besides its subject.
struct Frame<'a> {
    kind: &'a str,
    room: Option<&'a str>,
    zone: Option<&'a str>,
    shadow: bool,
    drill: bool,
    text: &'a str,
}

impl Maker {
    /// The messages of one publication.
    pub(super) fn messages_of(&self, publication: &Publication) -> Vec<Message> {
        let mut messages = Vec::new();
        for (index, fact) in publication.facts.iter().enumerate() {
            let made = match fact {
                Fact::Alarm(change) => self.alarm(change, publication),
                Fact::Sequence(change) => self.sequence(change, publication),
                Fact::Notice(notice) => self.notice(notice, publication),
                Fact::Reading { .. }
                | Fact::AlarmFigures(_)
                | Fact::Finding(_)
                | Fact::Outlook(_)
                | Fact::Level(_)
                | Fact::LoneVote { .. }
                // Its alarm tells of it.
                | Fact::Waiver(_)
                | Fact::Gap { .. }
                | Fact::Proposed { .. }
                | Fact::Followed { .. }
                | Fact::Refused { .. } => None,
            };
            if let Some((subject, urgency, body)) = made {
                let id = format!("msg_{}-{}-{index}", self.process, publication.number);
                messages.push(Message {
                    id: Arc::from(id),
                    subject,
                    urgency,
                    made: publication.now.uptime,
                    body: Arc::from(body),
                });
            }
        }
        messages
    }

    /// The message of a start.
    pub(super) fn started(&self, boot: &str, now: Now) -> Option<Message> {
        let about = About::Process { boot, version: env!("CARGO_PKG_VERSION") };
        let frame =
            Frame { kind: "gateway.started", room: None, zone: None, shadow: false, drill: false, text: "" };
        Some(Message {
            id: Arc::from(format!("msg_{}-started", self.process)),
            subject: "gateway".to_owned(),
            urgency: Urgency::Low,
            made: now.uptime,
            body: Arc::from(self.body(&frame, 0, now, about)?),
        })
    }

    fn alarm(&self, change: &AlarmChange, publication: &Publication) -> Option<(String, Urgency, Vec<u8>)> {
        let alarm = self.site.alarms.get(change.alarm.index())?;
        let urgent = change.now.priority.unwrap_or(Priority::Low);
        // The alarm of a flood stands for those it suppresses.
        if urgent < self.priority_min || change.event.is_quiet() {
            return None;
        }
        let kind = format!("alarm.{}", change.event.word());
        let words = self.texts.alarm(&self.site, change, publication.now);
        let (value, limit) = quantities(&self.site, &change.now.evidence);
        let by = change.event.by().map(|by| &**by);
        let about = About::Alarm(AlarmData {
            id: &alarm.name,
            change: change.number,
            occ: change.now.occurrence,
            rev: change.now.revision,
            state: change.now.state.word(),
            priority: change.now.priority.map(priority),
            level: change.now.level.word(),
            since: rfc3339(change.now.since),
            first_out: change.now.first_out,
            latched: alarm.latched,
            title: &alarm.message,
            consequence: &alarm.consequence,
            action: &alarm.action,
            by,
            value,
            limit,
        });
        let room = Some(self.site[alarm.room].name.as_str());
        let frame = Frame { kind: &kind, room, zone: None, shadow: false, drill: false, text: &words };
        let body = self.body(&frame, publication.number, publication.now, about)?;
        Some((format!("alarm/{}", alarm.name), urgency(urgent), body))
    }

    fn sequence(
        &self,
        change: &SequenceChange,
        publication: &Publication,
    ) -> Option<(String, Urgency, Vec<u8>)> {
        let sequence = self.site.sequences.get(change.sequence.index())?;
        let run = match &change.now.phase {
            Phase::Idle => None,
            Phase::Run(run) => Some(run),
        };
        let stage = change.event.stage().and_then(|n| {
            let name = &sequence.stages.get(usize::from(n))?.name;
            Some(StageData { n, of: sequence.stages.len(), name })
        });
        let remaining_ms = run.and_then(|run| match run.step {
            Step::Countdown { until } => Some(until.since(publication.now.uptime).0),
            _ => None,
        });
        let now = publication.now;
        let deadline = remaining_ms.map(|span| rfc3339(WallTime(now.wall.0.saturating_add_unsigned(span))));
        let words = self.texts.sequence(&self.site, change, now);
        let about = About::Sequence(SequenceData {
            id: &sequence.name,
            title: &sequence.title,
            event: change.event.word(),
            mode: text::mode(change.now.mode),
            state: state_word(&change.now.phase),
            run: run.map(|run| run.id.0),
            stage,
            deadline,
            remaining_ms,
            by: change.event.by().map(|by| &**by),
        });
        let shadow = run.map_or(change.now.mode != Mode::Armed, |run| run.shadow);
        let drill = run.is_some_and(|run| run.cause.is_drill());
        let (room, zone) = self.place(change.sequence);
        let (room, zone) = (Some(room), Some(zone));
        let frame = Frame { kind: kind_of(&change.event), room, zone, shadow, drill, text: &words };
        let body = self.body(&frame, publication.number, now, about)?;
        Some((format!("sequence/{}", sequence.name), Urgency::Critical, body))
    }

    fn notice(&self, notice: &Notice, publication: &Publication) -> Option<(String, Urgency, Vec<u8>)> {
        let sequence = self.site.sequences.get(notice.sequence.index())?;
        let now = publication.now;
        let words = self.texts.notice(&self.site, notice, now);
        let (earliest, abortable) = match notice.stage {
            NoticeStage::Countdown { earliest, abortable } => (Some(earliest), Some(abortable)),
            NoticeStage::Cutting { earliest } => (earliest, None),
            NoticeStage::Prepare
            | NoticeStage::Done
            | NoticeStage::Failed
            | NoticeStage::Aborted
            | NoticeStage::AllClear => (None, None),
        };
        let label = |span: Millis| rfc3339(WallTime(now.wall.0.saturating_add_unsigned(span.0)));
        let stage_name = |next: u8| Some(sequence.stages.get(usize::from(next))?.name.as_str());
        let about = About::Notice(NoticeData {
            number: notice.number,
            sequence: &sequence.name,
            level: notice.level.word(),
            stage: notice_word(notice.stage),
            what_to_do: &sequence.notice,
            run: notice.run.map(|run| run.0),
            earliest_ms: earliest.map(|span| span.0),
            earliest: earliest.map(label),
            abortable_ms: abortable.map(|span| span.0),
            abortable_until: abortable.map(label),
            next_stage: notice.next.and_then(stage_name),
            affected: affected(&self.site, sequence),
            autonomy: Autonomy::of(&self.site, sequence, notice),
            evidence: text::evidence(&self.site, Some(sequence.trigger), &notice.evidence),
            contact: sequence.contact.as_deref(),
            previous: notice.previous,
        });
        let (room, zone) = self.place(notice.sequence);
        let (room, zone) = (Some(room), Some(zone));
        let Notice { shadow, drill, .. } = *notice;
        let frame = Frame { kind: "notice", room, zone, shadow, drill, text: &words };
        let body = self.body(&frame, publication.number, now, about)?;
        Some((format!("notice/{}", sequence.name), Urgency::Critical, body))
    }

    fn body(&self, frame: &Frame<'_>, seq: u64, now: Now, about: About<'_>) -> Option<Vec<u8>> {
        let data = Data {
            site: &self.site.name,
            gateway: &self.site.gateway,
            room: frame.room,
            zone: frame.zone,
            seq,
            shadow: frame.shadow,
            drill: frame.drill,
            message: frame.text,
            about,
        };
        serde_json::to_vec(&Envelope { r#type: frame.kind, timestamp: rfc3339(now.wall), data }).ok()
    }

    fn place(&self, sequence: SequenceId) -> (&str, &str) {
        let zone = &self.site[self.site[sequence].zone];
        (&self.site[zone.room].name, &zone.name)
    }
}

/// The type of the message about what happened to a sequence.
fn kind_of(event: &SequenceEvent) -> &'static str {
    match event {
        SequenceEvent::Mode { .. } => "sequence.mode",
        SequenceEvent::Proven { .. } => "sequence.proven",
        SequenceEvent::Selected { .. } => "sequence.selected",
        SequenceEvent::Started => "sequence.countdown",
        SequenceEvent::Resumed
        | SequenceEvent::StageBegun(_)
        | SequenceEvent::StageOrdered(_)
        | SequenceEvent::StageConfirmed(_)
        | SequenceEvent::StageVerified(_)
        | SequenceEvent::StageRetried(_)
        | SequenceEvent::StageSkipped(_)
        | SequenceEvent::StageFailed(..) => "sequence.step",
        SequenceEvent::Held(_) => "sequence.held",
        SequenceEvent::Told { .. } => "sequence.told",
        SequenceEvent::Done => "sequence.done",
        SequenceEvent::Failed => "sequence.failed",
        SequenceEvent::Aborted { .. } => "sequence.aborted",
        SequenceEvent::Reset { .. } => "sequence.reset",
    }
}

fn urgency(priority: Priority) -> Urgency {
    match priority {
        Priority::Low => Urgency::Low,
        Priority::Medium => Urgency::Medium,
        Priority::High => Urgency::High,
        Priority::Critical => Urgency::Critical,
    }
}

fn quantities(site: &Site, evidence: &Evidence) -> (Option<Quantity>, Option<Quantity>) {
    let quantity = |id: PointId, v: f64, named: bool| {
        let point = site.points.get(id.index())?;
        let name = || format!("{}/{}", site[point.device].name, point.name);
        v.is_finite().then(|| Quantity { v, u: point.unit.ucum(), point: named.then(name) })
    };
    match *evidence {
        // The limit of a rate is per minute and not in the point's unit; the sentence says it.
        Evidence::Rate { point, value, .. } | Evidence::State { point, value, .. } => {
            (quantity(point, value.get(), true), None)
        }
        Evidence::Limit { point, value, limit, .. }
        | Evidence::Apart { point, value, limit, .. }
        | Evidence::Step { point, value, limit, relative: false, .. } => {
            (quantity(point, value.get(), true), quantity(point, limit, false))
        }
        Evidence::Step { point, value, relative: true, .. } => (quantity(point, value.get(), true), None),
        Evidence::Projected { point, value, limit, .. } => {
            (quantity(point, value, true), quantity(point, limit, false))
        }
        Evidence::None | Evidence::Silent { .. } | Evidence::Unbelieved { .. } | Evidence::Votes { .. } => {
            (None, None)
        }
    }
}

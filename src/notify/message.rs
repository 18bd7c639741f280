//! Facts as something to tell: type, subject, urgency and what is known. Receivers' formats are made of it elsewhere.

use std::sync::Arc;

use crate::notify::Texts;
use crate::notify::queue::Urgency;
use crate::notify::route::zone_of;
use crate::notify::telling::{
    About, AlarmData, Data, NoticeData, Quantity, SequenceData, Stage, StageData, Telling,
};
use crate::safety::alarm::{AlarmChange, AlarmState};
use crate::safety::risk::Evidence;
use crate::safety::sequence::spec::Mode;
use crate::safety::sequence::{Notice, NoticeStage, Phase, SequenceChange, SequenceEvent, Step};
use crate::safety::site::{PointId, Priority, SequenceId, Site};
use crate::units::{Millis, Now, WallTime};
use crate::wire::payload::priority;
use crate::wire::payload::sequence::{Autonomy, affected, notice_word, state_word};
use crate::wire::text;
use crate::wire::time::rfc3339;

/// Makes messages of one process: ids are unique over restarts.
#[derive(Clone)]
pub(super) struct Maker {
    pub(super) site: Arc<Site>,
    pub(super) texts: Arc<dyn Texts>,
    /// Boot and moment of the start.
    pub(super) process: Arc<str>,
}

/// When something was said: what every message of it bears.
#[derive(Clone, Copy)]
pub(super) struct Moment<'a> {
    /// The id of the message.
    pub(super) id: &'a str,
    /// The number of the publication.
    pub(super) seq: u64,
    pub(super) now: Now,
}

/// How a message is handled, whatever its format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Handling {
    /// Messages with the same subject are delivered in order.
    pub(super) subject: String,
    pub(super) urgency: Urgency,
    /// The notice whose delivery is recorded.
    pub(super) notice: Option<(SequenceId, u64)>,
}

/// Who takes what was made.
pub(super) type Sink<'a> = &'a mut dyn FnMut(Handling, &Telling<'_>);

/// What every message has besides its subject.
struct Frame<'a> {
    kind: &'a str,
    room: Option<&'a str>,
    zone: Option<&'a str>,
    shadow: bool,
    drill: bool,
    text: &'a str,
}

impl Maker {
    /// The id of a message of this process.
    pub(super) fn id(&self, what: std::fmt::Arguments<'_>) -> Arc<str> {
        Arc::from(format!("msg_{}-{what}", self.process))
    }

    /// The message of a start.
    pub(super) fn started(&self, boot: &str, at: Moment<'_>, sink: Sink<'_>) {
        let about = About::Process { boot, version: env!("CARGO_PKG_VERSION") };
        let handling = Handling { subject: "gateway".to_owned(), urgency: Urgency::Low, notice: None };
        sink(handling, &self.telling(&Frame::bare("gateway.started"), at, about));
    }

    /// A message by which a target is tried.
    pub(super) fn test(&self, target: &str, at: Moment<'_>, sink: Sink<'_>) {
        let about = About::Test { target, version: env!("CARGO_PKG_VERSION") };
        let handling = Handling { subject: "test".to_owned(), urgency: Urgency::Low, notice: None };
        sink(handling, &self.telling(&Frame::bare("test"), at, about));
    }

    /// A change of an alarm. `unacknowledged`: nobody has acknowledged it for this long.
    pub(super) fn alarm(
        &self,
        change: &AlarmChange,
        at: Moment<'_>,
        unacknowledged: Option<Millis>,
        sink: Sink<'_>,
    ) {
        let Some(alarm) = self.site.alarms.get(change.alarm.index()) else { return };
        let urgent = change.now.priority.unwrap_or(Priority::Low);
        let mut words = self.texts.alarm(&self.site, change, at.now);
        let mut kind = format!("alarm.{}", change.event.word());
        if let Some(span) = unacknowledged {
            "alarm.unacknowledged".clone_into(&mut kind);
            words = format!("nobody has acknowledged for {}: {words}", text::span(span));
        }
        let (value, limit) = quantities(&self.site, &change.now.evidence);
        let about = About::Alarm(AlarmData {
            id: &alarm.name,
            change: change.number,
            occ: change.now.occurrence,
            rev: change.now.revision,
            state: change.now.state.word(),
            stage: if unacknowledged.is_some() { Stage::Calls } else { stage_of_alarm(change.now.state) },
            priority_word: change.now.priority.map(priority),
            priority: urgent,
            level: change.now.level.word(),
            since: rfc3339(change.now.since),
            first_out: change.now.first_out,
            latched: alarm.latched,
            title: &alarm.message,
            consequence: &alarm.consequence,
            action: &alarm.action,
            by: change.event.by().map(|by| &**by),
            value,
            limit,
            unacknowledged_ms: unacknowledged.map(|span| span.0),
        });
        let room = Some(self.site[alarm.room].name.as_str());
        let zone = zone_of(&self.site, alarm.source).map(|zone| self.site[zone].name.as_str());
        let frame = Frame { room, zone, text: &words, ..Frame::bare(&kind) };
        let handling =
            Handling { subject: format!("alarm/{}", alarm.name), urgency: urgency(urgent), notice: None };
        sink(handling, &self.telling(&frame, at, about));
    }

    /// A step of a power cut.
    pub(super) fn sequence(&self, change: &SequenceChange, at: Moment<'_>, sink: Sink<'_>) {
        let Some(sequence) = self.site.sequences.get(change.sequence.index()) else { return };
        let run = match &change.now.phase {
            Phase::Idle => None,
            Phase::Run(run) => Some(run),
        };
        let stage = change.event.stage().and_then(|n| {
            let name = &sequence.stages.get(usize::from(n))?.name;
            Some(StageData { n, of: sequence.stages.len(), name })
        });
        let remaining_ms = run.and_then(|run| match run.step {
            Step::Countdown { until } => Some(until.since(at.now.uptime).0),
            _ => None,
        });
        let now = at.now;
        let deadline = remaining_ms.map(|span| rfc3339(WallTime(now.wall.0.saturating_add_unsigned(span))));
        let words = self.texts.sequence(&self.site, change, now);
        let about = About::Sequence(SequenceData {
            id: &sequence.name,
            title: &sequence.title,
            event: change.event.word(),
            progress: progress_of(&change.event),
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
        let handling = Handling {
            subject: format!("sequence/{}", sequence.name),
            urgency: Urgency::Critical,
            notice: None,
        };
        sink(handling, &self.telling(&frame, at, about));
    }

    /// What service owners should know.
    pub(super) fn notice(&self, notice: &Notice, at: Moment<'_>, sink: Sink<'_>) {
        let Some(sequence) = self.site.sequences.get(notice.sequence.index()) else { return };
        let now = at.now;
        let words = self.texts.notice(&self.site, notice, now);
        let (earliest, abortable) = notice.stage.times();
        let label = |span: Millis| rfc3339(WallTime(now.wall.0.saturating_add_unsigned(span.0)));
        let stage_name = |next: u8| Some(sequence.stages.get(usize::from(next))?.name.as_str());
        let about = About::Notice(NoticeData {
            number: notice.number,
            sequence: &sequence.name,
            level: notice.level.word(),
            stage: notice_word(notice.stage),
            progress: stage_of_notice(notice.stage),
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
        let handling = Handling {
            subject: format!("notice/{}", sequence.name),
            urgency: Urgency::Critical,
            notice: Some((notice.sequence, notice.number)),
        };
        sink(handling, &self.telling(&frame, at, about));
    }

    fn telling<'a>(&'a self, frame: &Frame<'a>, at: Moment<'a>, about: About<'a>) -> Telling<'a> {
        let data = Data {
            site: &self.site.name,
            gateway: &self.site.gateway,
            room: frame.room,
            zone: frame.zone,
            seq: at.seq,
            shadow: frame.shadow,
            drill: frame.drill,
            message: frame.text,
            about,
        };
        Telling { r#type: frame.kind, timestamp: rfc3339(at.now.wall), data, id: at.id }
    }

    fn place(&self, sequence: SequenceId) -> (&str, &str) {
        let zone = &self.site[self.site[sequence].zone];
        (&self.site[zone.room].name, &zone.name)
    }
}

impl<'a> Frame<'a> {
    const fn bare(kind: &'a str) -> Self {
        Self { kind, room: None, zone: None, shadow: false, drill: false, text: "" }
    }
}

const fn stage_of_alarm(state: AlarmState) -> Stage {
    match state {
        AlarmState::UnackActive => Stage::Calls,
        // Who was called still is, until somebody has seen it.
        AlarmState::UnackReturned | AlarmState::LatchedUnack => Stage::Aside,
        AlarmState::AckActive | AlarmState::LatchedAck => Stage::Seen,
        AlarmState::Normal | AlarmState::Shelved | AlarmState::Suppressed | AlarmState::OutOfService => {
            Stage::Over
        }
    }
}

const fn progress_of(event: &SequenceEvent) -> Stage {
    match event {
        SequenceEvent::Started | SequenceEvent::Held(_) | SequenceEvent::Failed => Stage::Calls,
        SequenceEvent::Done | SequenceEvent::Aborted { .. } | SequenceEvent::Reset { .. } => Stage::Over,
        SequenceEvent::Mode { .. }
        | SequenceEvent::Proven { .. }
        | SequenceEvent::Selected { .. }
        | SequenceEvent::Resumed
        | SequenceEvent::StageBegun(_)
        | SequenceEvent::StageOrdered(_)
        | SequenceEvent::StageConfirmed(_)
        | SequenceEvent::StageVerified(_)
        | SequenceEvent::StageRetried(_)
        | SequenceEvent::StageSkipped(_)
        | SequenceEvent::StageFailed(..)
        | SequenceEvent::Told { .. } => Stage::Aside,
    }
}

const fn stage_of_notice(stage: NoticeStage) -> Stage {
    match stage {
        NoticeStage::Prepare
        | NoticeStage::Countdown { .. }
        | NoticeStage::Cutting { .. }
        | NoticeStage::Failed => Stage::Calls,
        NoticeStage::Done | NoticeStage::Aborted | NoticeStage::AllClear => Stage::Over,
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

//! What a record says: one enum over everything the journal keeps, with names instead of ids.
//!
//! Everything but readings and figures is kept, and of findings only those at `danger`. The shapes are this file's own:
//! they must be readable for years, whatever the core's types become.

use serde::{Deserialize, Serialize};

use crate::safety::fact::{Fact, Order, Refusal, Request};
use crate::safety::memory::SequenceMemory;
use crate::safety::risk::{Finding, Level, LevelChange};
use crate::safety::sequence::{Notice, NoticeStage, SequenceChange, SequenceEvent};
use crate::safety::site::Site;
use crate::store::names;
pub use crate::store::run::*;
pub use crate::store::wire::*;

/// One record.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Increases by one with each record made; a gap is a record that was dropped or damaged.
    pub number: u64,
    /// Uptime in milliseconds when it was made.
    pub uptime_ms: u64,
    /// Milliseconds since 1970 when it was made, for people.
    pub wall_ms: i64,
    /// What it says.
    pub body: Body,
}

/// The payload of a frame.
#[derive(Serialize, Deserialize)]
pub(super) struct Payload<B> {
    pub(super) up: u64,
    pub(super) at: i64,
    pub(super) is: B,
}

/// What a record says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "fields are those of the core's facts, ids as names, times in milliseconds")]
pub enum Body {
    /// A process began to write.
    Start { boot: String, version: String, site: String, gateway: String },
    /// It stopped as it should.
    Stop {},
    /// The memory as it stands, at the head of each segment.
    Snapshot(Box<SnapshotWire>),
    /// An alarm changed.
    Alarm { change: u64, alarm: String, event: String, by: Option<String>, now: AlarmWire },
    /// A zone's level changed.
    Level {
        zone: String,
        level: LevelWord,
        was: LevelWord,
        first_out: Option<String>,
        because: Vec<FindingWire>,
    },
    /// A rule reached or left `danger`.
    Finding(FindingWire),
    /// A sequence changed.
    Sequence {
        sequence: String,
        event: String,
        stage: Option<u8>,
        by: Option<String>,
        /// The first of two persons.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        first: Option<String>,
        why: Option<StageFaultWire>,
        now: Box<SequenceWire>,
    },
    /// Service owners were told.
    Notice {
        sequence: String,
        zone: String,
        level: LevelWord,
        run: Option<u64>,
        notice: u64,
        stage: NoticeWire,
        shadow: bool,
        #[serde(default)]
        drill: bool,
        #[serde(default)]
        more: NoticeMore,
    },
    /// A vote came and went alone.
    LoneVote { rule: String, channel: String },
    /// A channel or a zone was put aside (`now`), or taken back.
    Waiver { what: String, now: Option<WaiverWire>, ended_by: Option<String> },
    /// The loop was held up.
    Gap { lasted: u64 },
    /// Something was asked over a way that does not tell who speaks.
    Commanded {
        room: String,
        by: String,
        actor: String,
        verb: String,
        target: String,
        id: String,
        reason: String,
        rejected: String,
        unrecorded: u64,
    },
    /// The wall clock was set by so many milliseconds.
    ClockStepped { by: i64 },
    /// The first of two persons asked.
    Proposed { by: String, request: RequestWire, until: u64 },
    /// A request was followed.
    Followed { by: String, request: RequestWire },
    /// A request was refused.
    Refused { by: String, request: RequestWire, why: RefusalWord },
    /// An order is about to be carried out.
    Intent { order: u64, run: u64, sequence: String, stage: u8, action: String, attempt: u8, answer_by: u64 },
    /// What became of it; `None`: confirmed.
    Answer { order: u64, at: u64, fault: Option<DriveWire> },
    /// A part of emberwatch fails or works again.
    Fault { fault: String, failing: bool },
    /// A notice was taken by one of those who are told, or given up.
    Delivered { sequence: String, notice: u64, target: String, taken: bool },
}

/// A rule's judgement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each field is the one of the core's Finding")]
pub struct FindingWire {
    pub rule: String,
    pub zone: String,
    pub level: LevelWord,
    pub was: LevelWord,
    pub known: bool,
    pub evidence: EvidenceWire,
}

/// What a notice announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each variant is the one of the core's NoticeStage, times in milliseconds")]
pub enum NoticeWire {
    Prepare,
    Countdown { earliest: u64, abortable: u64 },
    Cutting,
    Done,
    Failed,
    Aborted,
    AllClear,
}

/// The rest of what a notice said. Missing in records of before it was kept.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "each field is the one of the core's Notice, times in milliseconds")]
pub struct NoticeMore {
    pub previous: Option<u64>,
    pub next: Option<u8>,
    pub evidence: EvidenceWire,
    pub autonomy: Option<Exact>,
    /// Of `cutting`: when more is cut at the earliest.
    pub earliest: Option<u64>,
}

/// What a person asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each variant is the one of the core's Request, ids as names")]
pub enum RequestWire {
    Acknowledge { alarm: String, occurrence: u64 },
    ResetAlarm { alarm: String },
    Shelve { alarm: String, occurrence: Option<u64>, lasting: u64, one_shot: bool },
    Unshelve { alarm: String },
    OutOfService { alarm: String, reason: String },
    InService { alarm: String },
    Waive { alarm: String, lasting: u64, reason: String },
    EndWaiver { alarm: String },
    Abort { sequence: String, run: Option<u64> },
    Arm { sequence: String },
    Disarm { sequence: String },
    Select { sequence: String },
    Start { sequence: String },
    ResetSequence { sequence: String },
    Drill { sequence: String },
    ProofTested { sequence: String },
}

/// Why a request was not followed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each variant is the one of the core's Refusal")]
pub enum RefusalWord {
    NothingToDo,
    OutOfDate,
    TooLate,
    NotNow,
    CauseStands,
    LifeSafety,
    TooLong,
    NoReason,
    ByHand,
    SecondPerson,
    ByKey,
    WouldBlind { vote: String },
    Unproven,
}

/// Whether a fact is kept at all.
pub(super) fn is_kept(fact: &Fact) -> bool {
    match fact {
        // Kept as history, not as decisions.
        Fact::Reading { .. } | Fact::Outlook(_) | Fact::AlarmFigures(_) => false,
        Fact::Finding(finding) => finding.level == Level::Danger || finding.was == Level::Danger,
        Fact::Level(_)
        | Fact::Alarm(_)
        | Fact::Sequence(_)
        | Fact::LoneVote { .. }
        | Fact::Notice(_)
        | Fact::Waiver(_)
        | Fact::Gap { .. }
        | Fact::ClockStepped { .. }
        | Fact::Commanded(_)
        | Fact::Proposed { .. }
        | Fact::Followed { .. }
        | Fact::Refused { .. } => true,
    }
}

impl Body {
    /// What a fact says; `None` for readings, outlooks and figures, which are not kept.
    pub(super) fn of_fact(site: &Site, fact: &Fact) -> Option<Self> {
        Some(match fact {
            Fact::Reading { .. } | Fact::Outlook(_) | Fact::AlarmFigures(_) => return None,
            Fact::Finding(finding) => Self::Finding(finding_of(site, finding)),
            Fact::Level(change) => level_of(site, change),
            Fact::Alarm(change) => Self::Alarm {
                change: change.number,
                alarm: names::of_alarm(site, change.alarm),
                event: change.event.word().to_owned(),
                by: change.event.by().map(ToString::to_string),
                now: AlarmWire::of(site, &change.now),
            },
            Fact::Sequence(change) => sequence_of(site, change),
            Fact::Notice(notice) => notice_of(site, notice),
            Fact::LoneVote { rule, channel } => {
                Self::LoneVote { rule: names::of_rule(site, *rule), channel: names::of_rule(site, *channel) }
            }
            Fact::Waiver(change) => Self::Waiver {
                what: change.what.key(site),
                now: change.now.as_ref().map(WaiverWire::of),
                ended_by: change.ended_by.as_deref().map(str::to_owned),
            },
            Fact::Gap { lasted } => Self::Gap { lasted: lasted.0 },
            Fact::Commanded(it) => Self::Commanded {
                room: names::of_room(site, it.room),
                by: it.by.to_string(),
                actor: it.actor.to_string(),
                verb: it.verb.to_string(),
                target: it.target.to_string(),
                id: it.id.to_string(),
                reason: it.reason.to_string(),
                rejected: it.rejected.to_string(),
                unrecorded: it.unrecorded,
            },
            Fact::ClockStepped { by_ms } => Self::ClockStepped { by: *by_ms },
            Fact::Proposed { by, request, until } => {
                Self::Proposed { by: by.to_string(), request: request_of(site, request), until: until.0 }
            }
            Fact::Followed { by, request } => {
                Self::Followed { by: by.to_string(), request: request_of(site, request) }
            }
            Fact::Refused { by, request, why } => {
                let why = match why {
                    Refusal::NothingToDo => RefusalWord::NothingToDo,
                    Refusal::OutOfDate => RefusalWord::OutOfDate,
                    Refusal::TooLate => RefusalWord::TooLate,
                    Refusal::NotNow => RefusalWord::NotNow,
                    Refusal::CauseStands => RefusalWord::CauseStands,
                    Refusal::LifeSafety => RefusalWord::LifeSafety,
                    Refusal::TooLong => RefusalWord::TooLong,
                    Refusal::NoReason => RefusalWord::NoReason,
                    Refusal::ByHand => RefusalWord::ByHand,
                    Refusal::ByKey => RefusalWord::ByKey,
                    Refusal::Unproven => RefusalWord::Unproven,
                    Refusal::SecondPerson => RefusalWord::SecondPerson,
                    Refusal::WouldBlind(vote) => {
                        RefusalWord::WouldBlind { vote: names::of_rule(site, *vote) }
                    }
                };
                Self::Refused { by: by.to_string(), request: request_of(site, request), why }
            }
        })
    }

    /// What an order is going to do.
    pub(super) fn of_intent(site: &Site, order: &Order) -> Self {
        let action = site.actions.get(order.action.index()).map_or("?", |action| &action.name);
        Self::Intent {
            order: order.id.0,
            run: order.run.0,
            sequence: names::of_sequence(site, order.sequence),
            stage: order.stage,
            action: action.to_owned(),
            attempt: order.attempt,
            answer_by: order.answer_by.0,
        }
    }

    /// A number for the frame, so that a kind can be found without reading the payload.
    pub(super) const fn kind(&self) -> u8 {
        match self {
            Self::Start { .. } => 1,
            Self::Stop {} => 2,
            Self::Snapshot(_) => 3,
            Self::Alarm { .. } => 4,
            Self::Level { .. } => 5,
            Self::Finding(_) => 6,
            Self::Sequence { .. } => 7,
            Self::Notice { .. } => 8,
            Self::Gap { .. } => 9,
            Self::Followed { .. } => 10,
            Self::Refused { .. } => 11,
            Self::Intent { .. } => 12,
            Self::Answer { .. } => 13,
            Self::Fault { .. } => 14,
            Self::LoneVote { .. } => 15,
            Self::Proposed { .. } => 16,
            Self::Waiver { .. } => 17,
            Self::Delivered { .. } => 20,
            Self::ClockStepped { .. } => 21,
            Self::Commanded { .. } => 22,
        }
    }

    /// Whether it may wait for the next sync: it explains a decision, but is none.
    pub(super) const fn is_routine(&self) -> bool {
        matches!(
            self,
            Self::Level { .. }
                | Self::Finding(_)
                | Self::Gap { .. }
                | Self::ClockStepped { .. }
                | Self::Commanded { .. }
        )
    }
}

/// How a sequence of this site is remembered.
pub(super) fn memory_of(site: &Site, change: &SequenceChange) -> Option<SequenceMemory> {
    let sequence = site.sequences.get(change.sequence.index())?;
    Some(SequenceMemory {
        state: change.now.clone(),
        configured: sequence.mode,
        stages: sequence.stages.iter().map(|stage| stage.name.clone()).collect(),
    })
}

fn sequence_of(site: &Site, change: &SequenceChange) -> Body {
    let why = match change.event {
        SequenceEvent::StageFailed(_, why) => Some(StageFaultWire::of(site, why)),
        _ => None,
    };
    let now = memory_of(site, change).unwrap_or_else(|| SequenceMemory {
        state: change.now.clone(),
        configured: change.now.mode,
        stages: Vec::new(),
    });
    Body::Sequence {
        sequence: names::of_sequence(site, change.sequence),
        event: change.event.word().to_owned(),
        stage: change.event.stage(),
        by: change.event.by().map(ToString::to_string),
        first: match &change.event {
            SequenceEvent::Told { by: [first, _], .. } => Some(first.to_string()),
            _ => None,
        },
        why,
        now: Box::new(SequenceWire::of(site, &now)),
    }
}

fn finding_of(site: &Site, finding: &Finding) -> FindingWire {
    FindingWire {
        rule: site.rules.get(finding.rule.index()).map_or("?", |rule| &rule.name).to_owned(),
        zone: site.zones.get(finding.zone.index()).map_or("?", |zone| &zone.name).to_owned(),
        level: finding.level.into(),
        was: finding.was.into(),
        known: finding.known,
        evidence: EvidenceWire::of(site, &finding.evidence),
    }
}

fn level_of(site: &Site, change: &LevelChange) -> Body {
    let rule = |id: crate::safety::site::RuleId| site.rules.get(id.index()).map(|rule| rule.name.clone());
    Body::Level {
        zone: site.zones.get(change.zone.index()).map_or("?", |zone| &zone.name).to_owned(),
        level: change.level.into(),
        was: change.was.into(),
        first_out: change.first_out.and_then(rule),
        because: change.because.iter().map(|finding| finding_of(site, finding)).collect(),
    }
}

fn notice_of(site: &Site, notice: &Notice) -> Body {
    let stage = match notice.stage {
        NoticeStage::Prepare => NoticeWire::Prepare,
        NoticeStage::Countdown { earliest, abortable } => {
            NoticeWire::Countdown { earliest: earliest.0, abortable: abortable.0 }
        }
        NoticeStage::Cutting { .. } => NoticeWire::Cutting,
        NoticeStage::Done => NoticeWire::Done,
        NoticeStage::Failed => NoticeWire::Failed,
        NoticeStage::Aborted => NoticeWire::Aborted,
        NoticeStage::AllClear => NoticeWire::AllClear,
    };
    Body::Notice {
        sequence: names::of_sequence(site, notice.sequence),
        zone: site.zones.get(notice.zone.index()).map_or("?", |zone| &zone.name).to_owned(),
        level: notice.level.into(),
        run: notice.run.map(|run| run.0),
        notice: notice.number,
        stage,
        shadow: notice.shadow,
        drill: notice.drill,
        more: NoticeMore {
            previous: notice.previous,
            next: notice.next,
            evidence: EvidenceWire::of(site, &notice.evidence),
            autonomy: notice.autonomy.map(|value| Exact(value.get())),
            earliest: match notice.stage {
                NoticeStage::Cutting { earliest } => earliest.map(|earliest| earliest.0),
                _ => None,
            },
        },
    }
}

fn request_of(site: &Site, request: &Request) -> RequestWire {
    let alarm = |id| names::of_alarm(site, id);
    let sequence = |id| names::of_sequence(site, id);
    match *request {
        Request::Shelve { alarm: id, occurrence, lasting, one_shot } => {
            RequestWire::Shelve { alarm: alarm(id), occurrence, lasting: lasting.0, one_shot }
        }
        Request::Unshelve { alarm: id } => RequestWire::Unshelve { alarm: alarm(id) },
        Request::OutOfService { alarm: id, ref reason } => {
            RequestWire::OutOfService { alarm: alarm(id), reason: reason.to_string() }
        }
        Request::Waive { alarm: id, lasting, ref reason } => {
            RequestWire::Waive { alarm: alarm(id), lasting: lasting.0, reason: reason.to_string() }
        }
        Request::EndWaiver { alarm: id } => RequestWire::EndWaiver { alarm: alarm(id) },
        Request::InService { alarm: id } => RequestWire::InService { alarm: alarm(id) },
        Request::Acknowledge { alarm: id, occurrence } => {
            RequestWire::Acknowledge { alarm: alarm(id), occurrence }
        }
        Request::ResetAlarm { alarm: id } => RequestWire::ResetAlarm { alarm: alarm(id) },
        Request::Abort { sequence: id, run } => {
            RequestWire::Abort { sequence: sequence(id), run: run.map(|run| run.0) }
        }
        Request::Arm { sequence: id } => RequestWire::Arm { sequence: sequence(id) },
        Request::Disarm { sequence: id } => RequestWire::Disarm { sequence: sequence(id) },
        Request::Select { sequence: id } => RequestWire::Select { sequence: sequence(id) },
        Request::Start { sequence: id } => RequestWire::Start { sequence: sequence(id) },
        Request::ResetSequence { sequence: id } => RequestWire::ResetSequence { sequence: sequence(id) },
        Request::Drill { sequence: id } => RequestWire::Drill { sequence: sequence(id) },
        Request::ProofTested { sequence: id } => RequestWire::ProofTested { sequence: sequence(id) },
    }
}

//! What the last run made durable just before it died, as the facts that it was.
//!
//! Between the moment in which the journal has a record and the one in which another edge's spool has it lie milliseconds. A
//! kill in between would take the event away from everyone who only hears of it. So after a crash those who promise every
//! event at least once are told the last of them again, from the journal.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::exchange::Publication;
use crate::safety::alarm::{AlarmChange, AlarmEvent};
use crate::safety::fact::{CommandRecord, Fact, Operator, Refusal, Request};
use crate::safety::risk::{Finding, LevelChange};
use crate::safety::sequence::{Notice, NoticeStage, RunId, SequenceChange, SequenceEvent, StageFault};
use crate::safety::site::Site;
use crate::safety::waiver::{Waived, WaiverChange};
use crate::store::names;
use crate::store::record::{Body, FindingWire, NoticeWire, Record, RefusalWord, RequestWire};
use crate::units::{ClockSync, Millis, Now, Uptime, Value, WallTime};

/// Records made within this time before the last one are told again. A spool makes an event durable at once, and a disk
/// that takes longer than the budget of an intent (200 ms) for that is one that has raised its alarm.
const LAST_MOMENT: Millis = Millis(250);

/// So many records are told again at most.
const RECORDS_MAX: usize = 4096;

/// The records of the last moment, while a journal is read from its beginning.
#[derive(Debug, Default)]
pub(super) struct LastMoment(VecDeque<Record>);

impl LastMoment {
    /// The next record. A stop as it should be leaves nothing untold.
    pub(super) fn record(&mut self, record: Record) {
        if matches!(record.body, Body::Stop {}) {
            self.0.clear();
            return;
        }
        let now = Uptime(record.uptime_ms);
        let old = |it: &Record| now.0 < it.uptime_ms || LAST_MOMENT < now.since(Uptime(it.uptime_ms));
        while self.0.front().is_some_and(old) || RECORDS_MAX <= self.0.len() {
            self.0.pop_front();
        }
        self.0.push_back(record);
    }

    /// As publications, each with its record's number and times.
    pub(super) fn publications(self, site: &Site) -> Vec<Arc<Publication>> {
        let publication = |record: Record| {
            let now = Now { uptime: Uptime(record.uptime_ms), wall: WallTime(record.wall_ms) };
            let facts = vec![record.body.fact(site)?];
            Some(Arc::new(Publication { number: record.number, now, clock: ClockSync::Unknown, facts }))
        };
        self.0.into_iter().filter_map(publication).collect()
    }
}

impl Body {
    /// The fact that it was; `None` if it was none, or is about something that this site no longer has.
    pub(super) fn fact(&self, site: &Site) -> Option<Fact> {
        Some(match self {
            Self::Alarm { change, alarm, event, by, now } => Fact::Alarm(AlarmChange {
                number: *change,
                alarm: names::to_alarm(site, alarm)?,
                event: alarm_event(event, operator(by.as_deref()))?,
                now: now.to(site),
            }),
            Self::Level { zone, level, was, first_out, because } => Fact::Level(LevelChange {
                zone: names::to_zone(site, zone)?,
                level: (*level).into(),
                was: (*was).into(),
                because: because.iter().filter_map(|finding| finding.finding(site)).collect(),
                first_out: first_out.as_deref().and_then(|rule| names::to_rule(site, rule)),
            }),
            Self::Finding(finding) => Fact::Finding(finding.finding(site)?),
            Self::Sequence { sequence, event, stage, by, first, why, now } => {
                let why = why.as_ref().map(|why| why.to(site));
                let by = [operator(first.as_deref()), operator(by.as_deref())];
                Fact::Sequence(Box::new(SequenceChange {
                    sequence: names::to_sequence(site, sequence)?,
                    event: sequence_event(event, *stage, by, why)?,
                    now: now.to(site).state,
                }))
            }
            Self::Notice { .. } => Fact::Notice(Box::new(self.notice(site)?)),
            Self::LoneVote { rule, channel } => {
                Fact::LoneVote { rule: names::to_rule(site, rule)?, channel: names::to_rule(site, channel)? }
            }
            Self::Waiver { what, now, ended_by } => Fact::Waiver(Box::new(WaiverChange {
                what: Waived::of_key(site, what)?,
                now: now.as_ref().map(super::record::WaiverWire::to),
                ended_by: operator(ended_by.as_deref()),
            })),
            Self::Gap { lasted } => Fact::Gap { lasted: Millis(*lasted) },
            Self::ClockStepped { by } => Fact::ClockStepped { by_ms: *by },
            Self::Commanded { .. } => Fact::Commanded(Box::new(self.commanded(site)?)),
            Self::Proposed { by, request, until } => Fact::Proposed {
                by: by.as_str().into(),
                request: request.request(site)?,
                until: Uptime(*until),
            },
            Self::Followed { by, request } => {
                Fact::Followed { by: by.as_str().into(), request: request.request(site)? }
            }
            Self::Refused { by, request, why } => Fact::Refused {
                by: by.as_str().into(),
                request: request.request(site)?,
                why: why.refusal(site)?,
            },
            Self::Start { .. }
            | Self::Stop {}
            | Self::Snapshot(_)
            | Self::Intent { .. }
            | Self::Answer { .. }
            | Self::Fault { .. }
            | Self::Delivered { .. } => return None,
        })
    }

    fn notice(&self, site: &Site) -> Option<Notice> {
        let Self::Notice { sequence, zone, level, run, notice, stage, shadow, drill, more } = self else {
            return None;
        };
        let stage = match *stage {
            NoticeWire::Prepare => NoticeStage::Prepare,
            NoticeWire::Countdown { earliest, abortable } => {
                NoticeStage::Countdown { earliest: Millis(earliest), abortable: Millis(abortable) }
            }
            NoticeWire::Cutting => NoticeStage::Cutting { earliest: more.earliest.map(Millis) },
            NoticeWire::Done => NoticeStage::Done,
            NoticeWire::Failed => NoticeStage::Failed,
            NoticeWire::Aborted => NoticeStage::Aborted,
            NoticeWire::AllClear => NoticeStage::AllClear,
        };
        Some(Notice {
            sequence: names::to_sequence(site, sequence)?,
            zone: names::to_zone(site, zone)?,
            level: (*level).into(),
            run: run.map(RunId),
            number: *notice,
            previous: more.previous,
            stage,
            shadow: *shadow,
            drill: *drill,
            next: more.next,
            evidence: more.evidence.to(site),
            autonomy: more.autonomy.and_then(|value| Value::new(value.0)),
        })
    }

    fn commanded(&self, site: &Site) -> Option<CommandRecord> {
        let Self::Commanded { room, by, actor, verb, target, id, reason, rejected, unrecorded } = self else {
            return None;
        };
        Some(CommandRecord {
            room: names::to_room(site, room)?,
            by: by.as_str().into(),
            actor: actor.as_str().into(),
            verb: verb.as_str().into(),
            target: target.as_str().into(),
            id: id.as_str().into(),
            reason: reason.as_str().into(),
            rejected: rejected.as_str().into(),
            unrecorded: *unrecorded,
        })
    }
}

fn operator(name: Option<&str>) -> Option<Operator> {
    name.map(Operator::from)
}

fn alarm_event(word: &str, by: Option<Operator>) -> Option<AlarmEvent> {
    Some(match word {
        "raised" => AlarmEvent::Raised,
        "escalated" => AlarmEvent::Escalated,
        "acknowledged" => AlarmEvent::Acknowledged { by: by? },
        "re-alarmed" => AlarmEvent::ReAlarmed,
        "returned" => AlarmEvent::Returned,
        "reset" => AlarmEvent::Reset { by: by? },
        "cleared" => AlarmEvent::Cleared,
        "shelved" => AlarmEvent::Shelved { by: by? },
        "unshelved" => AlarmEvent::Unshelved { by },
        "suppressed" => AlarmEvent::Suppressed,
        "unsuppressed" => AlarmEvent::Unsuppressed,
        "out-of-service" => AlarmEvent::TakenOut { by: by? },
        "in-service" => AlarmEvent::PutBack { by },
        "noted" => AlarmEvent::Noted,
        "restored" => AlarmEvent::Restored,
        _ => return None,
    })
}

fn sequence_event(
    word: &str,
    stage: Option<u8>,
    by: [Option<Operator>; 2],
    why: Option<StageFault>,
) -> Option<SequenceEvent> {
    let [first, by] = by;
    Some(match word {
        "mode" => SequenceEvent::Mode { by },
        "selected" => SequenceEvent::Selected { by: by? },
        "countdown" => SequenceEvent::Started,
        "resumed" => SequenceEvent::Resumed,
        "stage-begun" => SequenceEvent::StageBegun(stage?),
        "stage-ordered" => SequenceEvent::StageOrdered(stage?),
        "stage-confirmed" => SequenceEvent::StageConfirmed(stage?),
        "stage-verified" => SequenceEvent::StageVerified(stage?),
        "stage-retried" => SequenceEvent::StageRetried(stage?),
        "stage-skipped" => SequenceEvent::StageSkipped(stage?),
        "stage-failed" => SequenceEvent::StageFailed(stage?, why?),
        "held" => SequenceEvent::Held(stage?),
        "told" => SequenceEvent::Told { by: [first?, by?], stage: stage? },
        "done" => SequenceEvent::Done,
        "failed" => SequenceEvent::Failed,
        "aborted" => SequenceEvent::Aborted { by: by? },
        "reset" => SequenceEvent::Reset { by: by? },
        "proven" => SequenceEvent::Proven { by: by? },
        _ => return None,
    })
}

impl FindingWire {
    fn finding(&self, site: &Site) -> Option<Finding> {
        Some(Finding {
            rule: names::to_rule(site, &self.rule)?,
            zone: names::to_zone(site, &self.zone)?,
            level: self.level.into(),
            was: self.was.into(),
            known: self.known,
            evidence: self.evidence.to(site),
        })
    }
}

impl RequestWire {
    fn request(&self, site: &Site) -> Option<Request> {
        let alarm = |name: &str| names::to_alarm(site, name);
        let sequence = |name: &str| names::to_sequence(site, name);
        Some(match self {
            Self::Acknowledge { alarm: name, occurrence } => {
                Request::Acknowledge { alarm: alarm(name)?, occurrence: *occurrence }
            }
            Self::ResetAlarm { alarm: name } => Request::ResetAlarm { alarm: alarm(name)? },
            Self::Shelve { alarm: name, occurrence, lasting, one_shot } => Request::Shelve {
                alarm: alarm(name)?,
                occurrence: *occurrence,
                lasting: Millis(*lasting),
                one_shot: *one_shot,
            },
            Self::Unshelve { alarm: name } => Request::Unshelve { alarm: alarm(name)? },
            Self::OutOfService { alarm: name, reason } => {
                Request::OutOfService { alarm: alarm(name)?, reason: reason.as_str().into() }
            }
            Self::InService { alarm: name } => Request::InService { alarm: alarm(name)? },
            Self::Waive { alarm: name, lasting, reason } => Request::Waive {
                alarm: alarm(name)?,
                lasting: Millis(*lasting),
                reason: reason.as_str().into(),
            },
            Self::EndWaiver { alarm: name } => Request::EndWaiver { alarm: alarm(name)? },
            Self::Abort { sequence: name, run } => {
                Request::Abort { sequence: sequence(name)?, run: run.map(RunId) }
            }
            Self::Arm { sequence: name } => Request::Arm { sequence: sequence(name)? },
            Self::Disarm { sequence: name } => Request::Disarm { sequence: sequence(name)? },
            Self::Select { sequence: name } => Request::Select { sequence: sequence(name)? },
            Self::Start { sequence: name } => Request::Start { sequence: sequence(name)? },
            Self::ResetSequence { sequence: name } => Request::ResetSequence { sequence: sequence(name)? },
            Self::Drill { sequence: name } => Request::Drill { sequence: sequence(name)? },
            Self::ProofTested { sequence: name } => Request::ProofTested { sequence: sequence(name)? },
        })
    }
}

impl RefusalWord {
    fn refusal(&self, site: &Site) -> Option<Refusal> {
        Some(match self {
            Self::NothingToDo => Refusal::NothingToDo,
            Self::OutOfDate => Refusal::OutOfDate,
            Self::TooLate => Refusal::TooLate,
            Self::NotNow => Refusal::NotNow,
            Self::CauseStands => Refusal::CauseStands,
            Self::LifeSafety => Refusal::LifeSafety,
            Self::TooLong => Refusal::TooLong,
            Self::NoReason => Refusal::NoReason,
            Self::ByHand => Refusal::ByHand,
            Self::SecondPerson => Refusal::SecondPerson,
            Self::ByKey => Refusal::ByKey,
            Self::WouldBlind { vote } => Refusal::WouldBlind(names::to_rule(site, vote)?),
            Self::Unproven => Refusal::Unproven,
        })
    }
}

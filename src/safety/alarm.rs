//! What an operator sees: alarms that stand, are acknowledged, return, and are latched.
//!
//! ```text
//!              cause              acknowledge
//!   Normal ──────────► UnackActive ──────────► AckActive
//!     ▲                   │    ▲                  │
//!     │       cause gone  │    │ cause            │ cause gone
//!     │                   ▼    │                  ▼
//!     ├─ acknowledge ─ UnackReturned    (not latched: Normal)
//!     └─ reset ─ LatchedAck ◄─ acknowledge ─ LatchedUnack   (latched, cause gone)
//! ```
//! (ISA-18.2 states A to F.) Alarms read findings and sequences; nothing that judges or cuts reads alarms.

use std::collections::BTreeMap;

use crate::safety::fact::{Fact, Operator, Output, Refusal};
use crate::safety::memory::Memory;
use crate::safety::risk::{Evidence, Level};
use crate::safety::site::{AlarmId, AlarmSource, Priority, RoomId, Site};
use crate::units::{Now, Uptime, WallTime};

/// Where an alarm is in its life (ISA-18.2 states A to F).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum AlarmState {
    /// A: no cause.
    #[default]
    Normal,
    /// B: the cause stands, nobody has seen it.
    UnackActive,
    /// C: the cause stands, somebody has seen it.
    AckActive,
    /// D: the cause has gone, nobody has seen it.
    UnackReturned,
    /// E: the cause has gone, nobody has seen it, held until reset.
    LatchedUnack,
    /// F: the cause has gone, somebody has seen it, held until reset.
    LatchedAck,
}

impl AlarmState {
    /// Its word in topics.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::UnackActive => "unack-active",
            Self::AckActive => "ack-active",
            Self::UnackReturned => "unack-rtn",
            Self::LatchedUnack => "latched-unack",
            Self::LatchedAck => "latched",
        }
    }
}

/// All that is known of one alarm.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AlarmRecord {
    /// Where it is in its life.
    pub state: AlarmState,
    /// How much it matters now; of the worst level since it was raised.
    pub priority: Option<Priority>,
    /// How often it has been raised: an acknowledgement names the occurrence it saw.
    pub occurrence: u64,
    /// Counts every change of this occurrence.
    pub revision: u32,
    /// When this occurrence began, for people.
    pub since: WallTime,
    /// When this occurrence began.
    pub raised: Uptime,
    /// The level behind it, where a rule is.
    pub level: Level,
    /// What it went by when last raised or worsened.
    pub evidence: Evidence,
    /// The first alarm of its room to stand in this episode.
    pub first_out: bool,
    /// Who acknowledged this occurrence.
    pub acknowledged_by: Option<Operator>,
}

/// One step in the life of an alarm.
#[derive(Clone, Debug, PartialEq)]
pub struct AlarmChange {
    /// Unique and increasing over all alarms (A1).
    pub number: u64,
    /// Which alarm.
    pub alarm: AlarmId,
    /// What happened.
    pub event: AlarmEvent,
    /// How it stands now.
    pub now: AlarmRecord,
}

/// What happened to an alarm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AlarmEvent {
    /// The cause appeared.
    Raised,
    /// The cause got worse: to be seen anew.
    Escalated,
    /// Somebody has seen it.
    Acknowledged {
        /// Who.
        by: Operator,
    },
    /// The cause has gone, but it was not seen yet or is latched.
    Returned,
    /// Somebody let a latched alarm go.
    Reset {
        /// Who.
        by: Operator,
    },
    /// Back to normal.
    Cleared,
    /// It stood before a restart, and still does.
    Restored,
}

impl AlarmEvent {
    /// Its word in topics.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Raised => "raised",
            Self::Escalated => "escalated",
            Self::Acknowledged { .. } => "acknowledged",
            Self::Returned => "returned",
            Self::Reset { .. } => "reset",
            Self::Cleared => "cleared",
            Self::Restored => "restored",
        }
    }
}

impl AlarmState {
    /// Whether the cause stands.
    #[must_use]
    pub const fn is_active(self) -> bool {
        match self {
            Self::UnackActive | Self::AckActive => true,
            Self::Normal | Self::UnackReturned | Self::LatchedUnack | Self::LatchedAck => false,
        }
    }

    /// The state after the cause is known to stand, or known to be gone.
    #[must_use]
    pub const fn after_cause(self, stands: bool, latched: bool) -> Self {
        match (self, stands) {
            (Self::Normal | Self::UnackReturned | Self::LatchedUnack | Self::LatchedAck, true) => {
                Self::UnackActive
            }
            (Self::UnackActive, false) if latched => Self::LatchedUnack,
            (Self::UnackActive, false) => Self::UnackReturned,
            (Self::AckActive, false) if latched => Self::LatchedAck,
            (Self::AckActive, false) => Self::Normal,
            (Self::UnackActive | Self::AckActive, true)
            | (Self::Normal | Self::UnackReturned | Self::LatchedUnack | Self::LatchedAck, false) => self,
        }
    }

    /// The state after somebody has seen it.
    #[must_use]
    pub const fn after_acknowledge(self) -> Self {
        match self {
            Self::UnackActive => Self::AckActive,
            Self::UnackReturned => Self::Normal,
            Self::LatchedUnack => Self::LatchedAck,
            Self::Normal | Self::AckActive | Self::LatchedAck => self,
        }
    }
}

/// Why an alarm stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Cause {
    pub(crate) priority: Priority,
    pub(crate) level: Level,
    pub(crate) evidence: Evidence,
}

impl Cause {
    /// A cause that is no rule's finding.
    pub(crate) const fn technical(priority: Priority) -> Self {
        Self { priority, level: Level::Normal, evidence: Evidence::None }
    }
}

impl Level {
    /// How much an alarm of this level matters.
    #[must_use]
    pub const fn priority(self) -> Option<Priority> {
        match self {
            Self::Normal => None,
            Self::Watch => Some(Priority::Medium),
            Self::Warning => Some(Priority::High),
            Self::Danger => Some(Priority::Critical),
        }
    }
}

/// All alarms of the site.
#[derive(Debug)]
pub struct Alarms {
    records: Vec<AlarmRecord>,
    by_source: BTreeMap<AlarmSource, AlarmId>,
    number: u64,
}

impl Alarms {
    pub(crate) fn new(site: &Site, memory: &Memory) -> Self {
        let records = site
            .alarms
            .iter()
            .map(|alarm| match alarm.source {
                // The part itself says so again, if it still fails.
                AlarmSource::System(_) => AlarmRecord::default(),
                AlarmSource::Rule(_)
                | AlarmSource::Silent(_)
                | AlarmSource::Faulty(_)
                | AlarmSource::NotArmed(_)
                | AlarmSource::Cutting(_)
                | AlarmSource::CutFailed(_)
                | AlarmSource::VoteWeakened(_)
                | AlarmSource::VoteBlind(_) => memory.alarms.get(&alarm.name).cloned().unwrap_or_default(),
            })
            .map(|record| {
                // Uptimes of another boot say nothing.
                if memory.same_boot { record } else { AlarmRecord { raised: Uptime(0), ..record } }
            })
            .collect();
        let by_source =
            site.alarms.iter().enumerate().map(|(index, alarm)| (alarm.source, AlarmId::at(index))).collect();
        Self { records, by_source, number: memory.numbers.alarm_change }
    }

    /// How an alarm stands.
    #[must_use]
    pub fn record(&self, alarm: AlarmId) -> &AlarmRecord {
        &self.records[alarm.index()]
    }

    /// Says what stood before a restart, so that everyone hears of it again.
    pub(crate) fn announce(&mut self, out: &mut Vec<Output>) {
        for index in 0..self.records.len() {
            if self.records[index].state != AlarmState::Normal {
                self.say(AlarmId::at(index), AlarmEvent::Restored, out);
            }
        }
    }

    pub(crate) const fn number(&self) -> u64 {
        self.number
    }

    /// Takes in whether a cause stands. A source without an alarm is no matter.
    pub(crate) fn cause(
        &mut self,
        site: &Site,
        source: AlarmSource,
        cause: Option<Cause>,
        now: Now,
        out: &mut Vec<Output>,
    ) {
        let Some(&alarm) = self.by_source.get(&source) else { return };
        let spec = &site[alarm];
        let before = self.records[alarm.index()].state;
        let after = before.after_cause(cause.is_some(), spec.latched);
        match cause {
            Some(cause) if before != after => {
                let first_out = source.is_of_the_plant() && self.room_is_calm(site, spec.room);
                let record = &mut self.records[alarm.index()];
                *record = AlarmRecord {
                    state: after,
                    priority: Some(cause.priority),
                    occurrence: record.occurrence + 1,
                    revision: 0,
                    since: now.wall,
                    raised: now.uptime,
                    level: cause.level,
                    evidence: cause.evidence,
                    first_out,
                    acknowledged_by: None,
                };
                self.say(alarm, AlarmEvent::Raised, out);
            }
            Some(cause) => self.worsen(alarm, cause, out),
            None if before != after => {
                self.records[alarm.index()].state = after;
                let event =
                    if after == AlarmState::Normal { AlarmEvent::Cleared } else { AlarmEvent::Returned };
                self.say(alarm, event, out);
            }
            None => {}
        }
    }

    /// A cause that stands already: only a worse one is news, and must be seen anew.
    fn worsen(&mut self, alarm: AlarmId, cause: Cause, out: &mut Vec<Output>) {
        let record = &mut self.records[alarm.index()];
        if (Some(cause.priority), cause.level) <= (record.priority, record.level) {
            return;
        }
        record.state = AlarmState::UnackActive;
        (record.priority, record.level, record.evidence) =
            (Some(cause.priority), cause.level, cause.evidence);
        record.acknowledged_by = None;
        self.say(alarm, AlarmEvent::Escalated, out);
    }

    pub(crate) fn acknowledge(
        &mut self,
        alarm: AlarmId,
        occurrence: u64,
        by: &Operator,
        out: &mut Vec<Output>,
    ) -> Result<(), Refusal> {
        let record = self.records.get_mut(alarm.index()).ok_or(Refusal::NothingToDo)?;
        if record.occurrence != occurrence {
            return Err(Refusal::OutOfDate);
        }
        let after = record.state.after_acknowledge();
        if after == record.state {
            return Err(Refusal::NothingToDo);
        }
        record.state = after;
        record.acknowledged_by = Some(by.clone());
        self.say(alarm, AlarmEvent::Acknowledged { by: by.clone() }, out);
        if after == AlarmState::Normal {
            self.say(alarm, AlarmEvent::Cleared, out);
        }
        Ok(())
    }

    pub(crate) fn reset(
        &mut self,
        alarm: AlarmId,
        by: &Operator,
        out: &mut Vec<Output>,
    ) -> Result<(), Refusal> {
        let record = self.records.get_mut(alarm.index()).ok_or(Refusal::NothingToDo)?;
        match record.state {
            AlarmState::LatchedAck => {
                record.state = AlarmState::Normal;
                self.say(alarm, AlarmEvent::Reset { by: by.clone() }, out);
                Ok(())
            }
            AlarmState::UnackActive | AlarmState::AckActive => Err(Refusal::CauseStands),
            AlarmState::LatchedUnack => Err(Refusal::NotNow),
            AlarmState::Normal | AlarmState::UnackReturned => Err(Refusal::NothingToDo),
        }
    }

    fn room_is_calm(&self, site: &Site, room: RoomId) -> bool {
        !site.alarms.iter().zip(&self.records).any(|(alarm, record)| {
            alarm.room == room && alarm.source.is_of_the_plant() && record.state != AlarmState::Normal
        })
    }

    fn say(&mut self, alarm: AlarmId, event: AlarmEvent, out: &mut Vec<Output>) {
        self.number += 1;
        let record = &mut self.records[alarm.index()];
        record.revision += 1;
        let change = AlarmChange { number: self.number, alarm, event, now: record.clone() };
        out.push(Output::Fact(Fact::Alarm(change)));
    }
}

impl AlarmSource {
    /// Whether it speaks of the plant rather than of emberwatch: only such an alarm can be the first out.
    const fn is_of_the_plant(self) -> bool {
        match self {
            Self::Rule(_) | Self::Silent(_) | Self::Faulty(_) => true,
            Self::NotArmed(_)
            | Self::Cutting(_)
            | Self::CutFailed(_)
            | Self::VoteWeakened(_)
            | Self::VoteBlind(_)
            | Self::System(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::AlarmState::{AckActive, LatchedAck, LatchedUnack, Normal, UnackActive, UnackReturned};

    #[test]
    fn every_state_under_every_cause_latched_or_not() {
        // (state, cause stands: either, cause gone: not latched, cause gone: latched)
        for (state, stands, gone, gone_latched) in [
            (Normal, UnackActive, Normal, Normal),
            (UnackActive, UnackActive, UnackReturned, LatchedUnack),
            (AckActive, AckActive, Normal, LatchedAck),
            (UnackReturned, UnackActive, UnackReturned, UnackReturned),
            (LatchedUnack, UnackActive, LatchedUnack, LatchedUnack),
            (LatchedAck, UnackActive, LatchedAck, LatchedAck),
        ] {
            assert_eq!(state.after_cause(true, false), stands, "{state:?}, cause");
            assert_eq!(state.after_cause(true, true), stands, "{state:?}, cause, latched");
            assert_eq!(state.after_cause(false, false), gone, "{state:?}, no cause");
            assert_eq!(state.after_cause(false, true), gone_latched, "{state:?}, no cause, latched");
        }
    }

    #[test]
    fn acknowledging_never_touches_the_cause() {
        for (state, seen) in [
            (Normal, Normal),
            (UnackActive, AckActive),
            (AckActive, AckActive),
            (UnackReturned, Normal),
            (LatchedUnack, LatchedAck),
            (LatchedAck, LatchedAck),
        ] {
            assert_eq!(state.after_acknowledge(), seen, "{state:?}");
            assert!(!seen.is_active() || state.is_active());
        }
    }
}

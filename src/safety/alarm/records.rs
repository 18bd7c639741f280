//! What is known of one alarm, and what can happen to it.

use std::sync::Arc;

use super::states::AlarmState;
use crate::safety::fact::Operator;
use crate::safety::risk::{Evidence, Level};
use crate::safety::site::{AlarmId, Priority};
use crate::units::{Uptime, WallTime};

/// All that is known of one alarm.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AlarmRecord {
    /// Where it is in its life.
    pub state: AlarmState,
    /// Whether its cause stands. Of what is put away the state does not tell.
    pub stands: bool,
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
    /// How it is put away, in the states G, H and I.
    pub away: Option<Box<Away>>,
    /// Its cause comes and goes too often to be told each time.
    pub chattering: bool,
    /// How often its cause came since it chatters: told when it is quiet again.
    pub flips: u32,
    /// Of the alarm of a flood: the first alarm of that flood.
    pub origin: Option<AlarmId>,
}

/// How an alarm is put away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Away {
    /// Which way.
    pub how: AwayHow,
    /// This occurrence was annunciated before: who heard of it will hear of its end.
    pub told: bool,
}

/// The ways to put an alarm away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AwayHow {
    /// By a person, for a time.
    Shelved {
        /// Who.
        by: Operator,
        /// When it ends by itself.
        until: Uptime,
        /// Ends as soon as the cause goes.
        one_shot: bool,
        /// What matters more comes through.
        holds: Priority,
    },
    /// By a flood: this alarm stands for it.
    Suppressed {
        /// The alarm of the flood.
        group: AlarmId,
    },
    /// By a person, for maintenance.
    OutOfService {
        /// Who.
        by: Operator,
        /// Why.
        reason: Arc<str>,
    },
}

impl AwayHow {
    /// What matters more than this comes through. Life safety always does (A2).
    pub(crate) const fn holds(&self) -> Priority {
        match self {
            Self::Shelved { holds, .. } => *holds,
            Self::Suppressed { .. } | Self::OutOfService { .. } => HELD_MAX,
        }
    }
}

/// Nothing holds what matters more than this (A2).
pub(crate) const HELD_MAX: Priority = Priority::High;

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
    /// The cause appeared, or stands where the alarm is no longer put away.
    Raised,
    /// The cause got worse: to be seen anew.
    Escalated,
    /// Somebody has seen it.
    Acknowledged {
        /// Who.
        by: Operator,
    },
    /// It has stood for long though somebody has seen it: to be seen anew.
    ReAlarmed,
    /// The cause has gone, but it was not seen yet or is latched.
    Returned,
    /// Somebody let a latched alarm go.
    Reset {
        /// Who.
        by: Operator,
    },
    /// Back to normal.
    Cleared,
    /// Somebody shelved it.
    Shelved {
        /// Who.
        by: Operator,
    },
    /// It is shelved no longer.
    Unshelved {
        /// Who; `None`: its time is over, its cause has gone, or it came through.
        by: Option<Operator>,
    },
    /// A flood suppressed it.
    Suppressed,
    /// It is suppressed no longer: its cause has gone, the flood is over, or it came through.
    Unsuppressed,
    /// Somebody took it out of service.
    TakenOut {
        /// Who.
        by: Operator,
    },
    /// It is in service again.
    PutBack {
        /// Who; `None`: it came through, or emberwatch was restarted.
        by: Option<Operator>,
    },
    /// Something of it changed that is nobody's call: the cause of what is put away, the end of chattering.
    Noted,
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
            Self::ReAlarmed => "re-alarmed",
            Self::Returned => "returned",
            Self::Reset { .. } => "reset",
            Self::Cleared => "cleared",
            Self::Shelved { .. } => "shelved",
            Self::Unshelved { .. } => "unshelved",
            Self::Suppressed => "suppressed",
            Self::Unsuppressed => "unsuppressed",
            Self::TakenOut { .. } => "out-of-service",
            Self::PutBack { .. } => "in-service",
            Self::Noted => "noted",
            Self::Restored => "restored",
        }
    }

    /// Who did it, where a person did.
    #[must_use]
    pub const fn by(&self) -> Option<&Operator> {
        match self {
            Self::Acknowledged { by } | Self::Reset { by } | Self::Shelved { by } | Self::TakenOut { by } => {
                Some(by)
            }
            Self::Unshelved { by } | Self::PutBack { by } => by.as_ref(),
            Self::Raised
            | Self::Escalated
            | Self::ReAlarmed
            | Self::Returned
            | Self::Cleared
            | Self::Suppressed
            | Self::Unsuppressed
            | Self::Noted
            | Self::Restored => None,
        }
    }

    /// Whether it calls somebody: the alarm sounds anew.
    #[must_use]
    pub const fn is_call(&self) -> bool {
        matches!(self, Self::Raised | Self::Escalated | Self::ReAlarmed)
    }

    /// Whether only lists change by it: it is recorded and shown, but nobody need be told.
    #[must_use]
    pub const fn is_quiet(&self) -> bool {
        matches!(self, Self::Suppressed | Self::Unsuppressed | Self::Noted)
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

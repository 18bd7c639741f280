//! What an operator sees: alarms that stand, are acknowledged, return, and are latched.

use crate::safety::fact::Operator;
use crate::safety::risk::{Evidence, Level};
use crate::safety::site::{AlarmId, Priority};
use crate::units::{Uptime, WallTime};

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
        }
    }
}

//! Findings become the level of each zone.

use crate::safety::site::{PointId, RuleId, ZoneId};
use crate::units::{Millis, Uptime, Value};

/// How dangerous a zone is. `Ord`: worst wins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// As it should be.
    #[default]
    Normal,
    /// Unusual: look.
    Watch,
    /// Something is wrong: people are told, and service owners prepare.
    Warning,
    /// Fire, or about to be: a vote for a cut.
    Danger,
}

impl Level {
    /// All, from calm to worst.
    pub const ALL: [Self; 4] = [Self::Normal, Self::Watch, Self::Warning, Self::Danger];

    /// Its word in topics and on screens.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Watch => "watch",
            Self::Warning => "warning",
            Self::Danger => "danger",
        }
    }
}

/// What a rule says of its zone now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Finding {
    /// The rule.
    pub rule: RuleId,
    /// Its zone.
    pub zone: ZoneId,
    /// What it says.
    pub level: Level,
    /// What it said before.
    pub was: Level,
    /// Whether it could judge.
    pub known: bool,
    /// What it goes by.
    pub evidence: Evidence,
}

/// What a finding goes by.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Evidence {
    /// Nothing yet: never judged.
    #[default]
    None,
    /// A value against a limit (the limit of the level found, or of the lowest step when normal).
    Limit {
        /// The point.
        point: PointId,
        /// What it reads.
        value: Value,
        /// The limit.
        limit: f64,
        /// When it was read.
        taken: Uptime,
    },
    /// A slope against a limit.
    Rate {
        /// The point.
        point: PointId,
        /// What it reads.
        value: Value,
        /// Its slope, in units per minute.
        per_minute: f64,
        /// The limit, in units per minute.
        limit: f64,
        /// When it was read.
        taken: Uptime,
    },
    /// A state that means something.
    State {
        /// The point.
        point: PointId,
        /// What it reads.
        value: Value,
        /// When it was read.
        taken: Uptime,
    },
    /// Nothing to go by from any of a rule's points.
    Silent {
        /// The first of the points.
        point: PointId,
        /// For how long; longer than any limit if never heard.
        lasted: Millis,
    },
    /// A tally. Bit `i` stands for channel `i` of the rule.
    Votes {
        /// Channels that vote now or did within the hold time.
        voting: u32,
        /// Channels that cannot judge.
        unknown: u32,
        /// How many votes are needed now, after degradation; zero when the vote cannot be completed.
        needed: u8,
        /// How many channels there are.
        of: u8,
        /// True if the policy for lost channels, not the votes, decided.
        by_policy: bool,
    },
}

/// A zone's level changed.
#[derive(Clone, Debug, PartialEq)]
pub struct LevelChange {
    /// The zone.
    pub zone: ZoneId,
    /// What it is now.
    pub level: Level,
    /// What it was.
    pub was: Level,
    /// The findings that are not normal, worst first, as many as `BECAUSE_MAX`.
    pub because: Vec<Finding>,
    /// The rule that left normal first in this episode: where it began.
    pub first_out: Option<RuleId>,
}

/// The most findings a level change carries.
pub const BECAUSE_MAX: usize = 16;

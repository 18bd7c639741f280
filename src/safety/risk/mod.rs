//! Readings become findings, findings become the level of each zone.
//!
//! This page has the words: level, finding, evidence. `judge` is one rule with what it remembers, `judgement`
//! is all of them and what they make of each zone.
//! A channel of a vote counts as `warning` at most for its zone: `danger` takes a complete vote.

mod judge;
mod judgement;
pub mod outlook;
#[cfg(test)]
mod tests;

pub use judgement::Judgement;

use crate::safety::reading::Distrust;
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
    /// A silent point, moved on from its last value at the fastest believable rate.
    Projected {
        /// The point.
        point: PointId,
        /// What it read last.
        last: Value,
        /// What it may read by now.
        value: f64,
        /// The limit.
        limit: f64,
        /// When it was last read.
        taken: Uptime,
    },
    /// A point that stands out from its group, or from a reference.
    Apart {
        /// The point that stands out most.
        point: PointId,
        /// What it reads.
        value: Value,
        /// What it is measured against: median, lowest member, reference.
        from: f64,
        /// How far apart is too far.
        limit: f64,
        /// When the newest of them was read.
        taken: Uptime,
    },
    /// A sudden change against what was usual.
    Step {
        /// The point.
        point: PointId,
        /// What it reads.
        value: Value,
        /// What was usual.
        from: f64,
        /// Whether the limit is in per cent of what was usual.
        relative: bool,
        /// How large a change is too large.
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
    /// A number that is not believed though the device delivers it.
    Unbelieved {
        /// The first such point of its device.
        point: PointId,
        /// What is the matter with it.
        why: Distrust,
    },
    /// A tally. Bit `i` stands for channel `i` of the rule.
    Votes {
        /// Channels that vote now or did within the hold time.
        voting: u32,
        /// Channels that cannot judge.
        unknown: u32,
        /// How many votes are needed now, after degradation; zero when the vote cannot be completed.
        needed: u8,
        /// How many votes there are: channels, those counted as one vote counted once.
        had: u8,
        /// How many votes there can be: channels, those counted as one vote counted once.
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

/// How a vote stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Vote {
    /// Enough channels agree, or the policy for lost channels says so.
    pub complete: bool,
    /// How many of its channels it can rely on.
    pub health: VoteHealth,
    /// Who votes, a bit per channel.
    pub voting: u32,
    /// The policy for lost channels decided.
    pub by_policy: bool,
}

/// How far a vote can be relied on. Channels that were lost for less than the grace time do not count as lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum VoteHealth {
    /// All channels can judge.
    #[default]
    Whole,
    /// Some cannot: fewer votes are needed, or fewer can be had. The repair clock runs.
    Weakened,
    /// Weakened for longer than the site allows.
    Overdue,
    /// So many are lost that the vote could not be completed.
    Blind,
}

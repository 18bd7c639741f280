//! What a person writes for a replay: which column feeds which point, and what is expected of the outcome.
//!
//! These are the validated forms; `config` reads them from TOML and complains about what is wrong.

use crate::safety::risk::Level;
use crate::safety::site::{AlarmId, PointId, RuleId, SequenceId, ZoneId};
use crate::units::Millis;

/// How a table of numbers becomes polls of points.
#[derive(Clone, Debug, PartialEq)]
pub struct Mapping {
    /// The column that holds the time.
    pub time_column: usize,
    /// How it is written.
    pub time: TimeUnit,
    /// How often every point is polled in the replay.
    pub poll: Millis,
    /// The points that are fed.
    pub feeds: Vec<Feed>,
}

/// How the time of a row is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeUnit {
    /// A number of so many milliseconds each.
    Number(u32),
    /// RFC 3339, for instance `2026-11-22T17:42:05Z`.
    Rfc3339,
}

/// What feeds one point.
#[derive(Clone, Debug, PartialEq)]
pub struct Feed {
    /// The point.
    pub point: PointId,
    /// Where its numbers come from.
    pub from: From,
    /// What each number is multiplied with …
    pub scale: f64,
    /// … and what is added then.
    pub offset: f64,
}

/// Where numbers come from.
#[derive(Clone, Debug, PartialEq)]
pub enum From {
    /// One or more columns, made into one number.
    Columns(Vec<usize>, Take),
    /// Always this.
    Constant(f64),
}

/// How several columns become one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Take {
    /// The highest.
    Max,
    /// The lowest.
    Min,
    /// The average.
    Mean,
    /// The highest less the lowest.
    Spread,
}

impl Take {
    /// Every way with its word in the mapping.
    pub const WORDS: [(&'static str, Self); 4] =
        [("max", Self::Max), ("min", Self::Min), ("mean", Self::Mean), ("spread", Self::Spread)];

    /// One number of some; `None` of none.
    #[must_use]
    pub fn of(self, numbers: &[f64]) -> Option<f64> {
        let max = numbers.iter().copied().reduce(f64::max)?;
        let min = numbers.iter().copied().reduce(f64::min)?;
        #[expect(clippy::cast_precision_loss, reason = "a table has fewer than 2^53 columns")]
        let count = numbers.len() as f64;
        Some(match self {
            Self::Max => max,
            Self::Min => min,
            Self::Mean => numbers.iter().sum::<f64>() / count,
            Self::Spread => max - min,
        })
    }
}

/// What is expected of a replay.
#[derive(Clone, Debug, PartialEq)]
pub struct Expectation {
    /// What must, or must not, happen.
    pub what: What,
    /// Not earlier than this, from the start of the recording's time.
    pub not_before: Option<Millis>,
    /// Not later than this.
    pub not_after: Option<Millis>,
    /// It must not happen at all (within those times, where they are given).
    pub never: bool,
    /// The line of the file, for the table of failures.
    pub line: usize,
}

/// Something that can happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A zone reaches at least this level.
    Zone(ZoneId, Level),
    /// A rule finds at least this level.
    Rule(RuleId, Level),
    /// An alarm is raised.
    Alarm(AlarmId),
    /// A sequence comes to this event (its word), of this stage where one is named.
    Sequence(SequenceId, &'static str, Option<u8>),
}

/// The events of a sequence that can be expected, by their words.
pub const SEQUENCE_EVENTS: [&str; 11] = [
    "countdown",
    "stage-begun",
    "stage-ordered",
    "stage-confirmed",
    "stage-verified",
    "stage-retried",
    "stage-skipped",
    "stage-failed",
    "held",
    "done",
    "failed",
];

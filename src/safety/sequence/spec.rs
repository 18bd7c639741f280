//! What a sequence is told to do, as validated.

use crate::safety::site::{ActionId, PointId, RuleId, ZoneId};
use crate::units::Millis;

/// One staged power cut of one zone.
#[derive(Clone, Debug)]
pub struct Sequence {
    /// Id in topics.
    pub name: String,
    /// For people.
    pub title: String,
    /// The zone it isolates; its `warning` sends the first notice.
    pub zone: ZoneId,
    /// The configured mode; a person's change outlives a restart until the configuration says otherwise.
    pub mode: Mode,
    /// The `together` rule whose complete vote starts it.
    pub trigger: RuleId,
    /// The abort window between the start and the first stage.
    pub countdown: Millis,
    /// What happens to a run that a restart interrupted and whose cause is gone or unknown.
    pub on_restart: OnRestart,
    /// The stage from which on nobody can abort, counted from zero. Equal to the number of stages: never.
    pub no_return: u8,
    /// What service owners should do, for their notice.
    pub notice: String,
    /// In order; the smallest part first.
    pub stages: Vec<Stage>,
}

/// What a sequence may do (R1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Nothing, not even judge.
    Disabled,
    /// Judge and record what it would do; write nothing.
    Shadow,
    /// Cut.
    Armed,
}

/// What happens to an interrupted run whose cause is gone or unknown (R3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnRestart {
    /// Go on at the first stage that was not verified.
    Resume,
    /// Wait for a person.
    Hold,
}

/// One step of a cut.
#[derive(Clone, Debug)]
pub struct Stage {
    /// For people: "open string contactor".
    pub name: String,
    /// What is commanded.
    pub action: ActionId,
    /// Whether it is part of every run, or the other means for when the stage before had no effect.
    pub when: StageWhen,
    /// What must hold, on good and fresh data, when the command is given (S1).
    pub permissives: Vec<Expect>,
    /// How old a permissive's reading may be; at most the site's R7 limit.
    pub permissive_age_max: Millis,
    /// How long to wait for the permissives before the stage fails.
    pub permissive_wait: Millis,
    /// Time between the end of the stage before and this one.
    pub delay: Millis,
    /// What must be read back, all of it, by reads begun after the command was confirmed (S21):
    /// position and, where there is one, current or voltage.
    pub verify: Vec<Expect>,
    /// How long that may take after the command.
    pub verify_within: Millis,
    /// How often the command may be given: one for pulses, up to `ATTEMPTS_MAX` for levels.
    pub attempts: u8,
    /// What follows when the stage fails.
    pub on_fail: OnFail,
}

/// When a stage is carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StageWhen {
    /// In every run.
    Always,
    /// Only if the stage before it failed: other means to the same end.
    AfterFailure,
}

/// The most tries a stage may have (R8).
pub const ATTEMPTS_MAX: u8 = 3;

/// What follows when a stage fails (R9). There is no silent end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFail {
    /// The next stage: other means, further upstream.
    Next,
    /// Stop here and call a person.
    Hold,
}

/// What a point is expected to read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Expect {
    /// The point.
    pub point: PointId,
    /// What must be true of it.
    pub is: Condition,
}

/// What must be true of a good value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Condition {
    /// Exactly this whole number.
    Is(u32),
    /// At least this.
    AtLeast(f64),
    /// At most this.
    AtMost(f64),
    /// Between these, limits included.
    Within(f64, f64),
    /// This bit (counted from 0) is set.
    BitSet(u8),
    /// This bit (counted from 0) is clear.
    BitClear(u8),
}

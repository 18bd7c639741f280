//! What a sequence is told to do, as validated.

use std::sync::Arc;

use crate::safety::site::{ActionId, FeedId, PointId, RuleId, ZoneId};
use crate::units::{Millis, Uptime};

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
    /// The key switch that arms: turning it arms, turning it back disarms, and nobody else may arm (I4). Where there is
    /// one, nothing is armed at the start before it was turned.
    pub arming_key: Option<Expect>,
    /// A hard-wired input that aborts, as an operator may, at the moment it begins to read so (I5).
    pub abort_input: Option<Expect>,
    /// What must have been proven before it is armed (I4); `None` where the site asks for no proof.
    pub proof: Option<ProofTest>,
    /// What service owners should do, for their notice.
    pub notice: String,
    /// Whom they can call, for their notice.
    pub contact: Option<String>,
    /// The point that tells for how long the load can go on without this zone's supply, for their notice.
    pub autonomy: Option<PointId>,
    /// In order; the smallest part first.
    pub stages: Vec<Stage>,
}

/// A proof test: that every stage does, at the plant itself, what this configuration says (I4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProofTest {
    /// How often it must be done again. An overdue one is an alarm and nothing else: the wall clock arms and disarms
    /// nothing (R13).
    pub every: Millis,
    /// The digest of all that the sequence goes by: its stages, the rules behind its vote, the devices, links and maps
    /// that these read and write. With another one the proof is of another cut.
    pub of: Arc<str>,
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
    /// What goes without power by it: what the interlocks count and look at.
    pub cuts: Cuts,
    /// When it is carried out.
    pub when: StageWhen,
    /// Earlier stages that must have been verified before this one is commanded (I2), counted from zero.
    pub requires: Vec<u8>,
    /// Life safety comes first: a required stage that failed, after all the time it had, no longer holds this one up (I2).
    pub life_safety: bool,
    /// What must hold, on good and fresh data, when the command is given (S1).
    pub permissives: Vec<Expect>,
    /// How old a permissive's reading may be; at most the site's R7 limit.
    pub permissive_age_max: Millis,
    /// How long to wait for the permissives before the stage fails.
    pub permissive_wait: Millis,
    /// Time between the end of the stage before and this one.
    pub delay: Millis,
    /// The machines it waits for after its delay, so that they may shut down before.
    pub wait_for_logins: Option<LoginWait>,
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

/// Machines that a stage waits for: until none has logged in to a UPS any more, or the time is up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginWait {
    /// Whose logins are counted.
    pub ups: Arc<str>,
    /// No longer than this after the delay of the stage, whatever is counted, and all of it where nobody counts.
    pub at_most: Millis,
}

impl Stage {
    /// For how long it waits for machines at most.
    #[must_use]
    pub fn login_wait(&self) -> Millis {
        self.wait_for_logins.as_ref().map_or(Millis::ZERO, |wait| wait.at_most)
    }

    /// When its turn comes if no machine is left, where it comes at `from` at the latest.
    pub(super) fn without_login_wait(&self, from: Uptime) -> Uptime {
        Uptime(from.0.saturating_sub(self.login_wait().0))
    }
}

/// What goes without power by a stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cuts {
    /// Nothing: it stops charging, transfers a load, sounds a siren, starts a fan.
    Nothing,
    /// A battery, or a part of one: the load goes on, with less autonomy or none.
    Battery,
    /// These feeds of load groups.
    Feeds(Vec<FeedId>),
}

impl Cuts {
    /// Whether it opens anything: what the budget of cuts counts (I3).
    #[must_use]
    pub const fn something(&self) -> bool {
        match self {
            Self::Nothing => false,
            Self::Battery | Self::Feeds(_) => true,
        }
    }

    /// The feeds that go.
    #[must_use]
    pub fn feeds(&self) -> &[FeedId] {
        match self {
            Self::Nothing | Self::Battery => &[],
            Self::Feeds(feeds) => feeds,
        }
    }
}

/// When a stage is carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StageWhen {
    /// In every run.
    Always,
    /// Only if the stage before it failed: other means to the same end.
    AfterFailure,
    /// Never by itself: the run is held before it until this many persons say so. One goes on in two steps; of two,
    /// one takes each step.
    ByPersons(u8),
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
    /// Stop here and call a person; the next stage if nobody has decided after this time.
    HoldFor(Millis),
}

/// How much may be cut by itself (I3). A person who cuts by hand is not bound by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CutBudget {
    /// The most stages that cut something, of all runs of one zone that have not been reset.
    pub per_zone_max: u8,
    /// The most of the whole site …
    pub rate_max: u8,
    /// … within this time.
    pub rate_within: Millis,
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

//! The staged power cut.
//!
//! ```text
//!  vote complete,                     delay over, permissives
//!  or by hand        until            and interlocks hold     confirmed              seen by feedback
//!  ──────────► Countdown ──► Waiting ──────────────► Ordered ─────────► Verifying ──────────────► next stage, or Done
//!                  │        ▲  │  ▲                     │ no answer: ──────▲  │
//!                abort      │  │  └── again, levels only ──────────────────────┤ not seen in time
//!                  ▼        │  │ not held in time                            ▼
//!               Aborted     │  └─────────────────────────────────────► stage failed ──► next stage, other means, Failed
//!                  ▲        │                                              │
//!                  │        │ one person, or two                           │ hold, or a stage for persons
//!                  └─ abort ┴────────────────────────────── Held ◄─────────┘
//!                                                             └─ nobody decided in time ──► next stage
//!
//!  restart: Rereading, then where it stood (R12)     Done, Failed, Aborted, Held: until two persons reset it (R10, S14)
//! ```
//! Abort is possible before the point of no return (R11). It reads findings and readings, never alarms.

pub(crate) mod decide;
mod engine;
mod interlock;
mod notice;
pub(crate) mod requests;
mod restore;
pub mod spec;
#[cfg(test)]
pub(in crate::safety) mod tests;

pub(crate) use engine::{Scene, Sequences};

use std::sync::Arc;

use crate::safety::fact::{DriveFault, Operator, OrderId};
use crate::safety::risk::{Evidence, Level};
use crate::safety::sequence::spec::Mode;
use crate::safety::site::{FeedId, PointId, SequenceId, ZoneId};
use crate::units::{Millis, Uptime, Value, WallTime};

/// The number of a run of any sequence: unique for a journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(pub u64);

/// What started a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The vote was complete; bit `i` stands for channel `i` of the trigger.
    Vote {
        /// Who voted.
        voting: u32,
        /// True if the policy for lost channels decided.
        by_policy: bool,
    },
    /// A person, in two steps.
    Manual {
        /// Who.
        by: Operator,
    },
    /// A person rehearses: everything is decided as in a cut, and nothing is written.
    Drill {
        /// Who.
        by: Operator,
    },
}

/// One sequence, as it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct SequenceState {
    /// What it may do.
    pub mode: Mode,
    /// What it does.
    pub phase: Phase,
    /// The last proof test, if there was one.
    pub proven: Option<Proven>,
}

/// A proof test that was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proven {
    /// Who did it: two persons.
    pub by: [Operator; 2],
    /// When, for people and for the next one.
    pub at: WallTime,
    /// The digest of what was proven.
    pub of: Arc<str>,
}

/// What a sequence does.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Phase {
    /// Nothing.
    #[default]
    Idle,
    /// A run, from its start until it is reset.
    Run(Run),
}

/// One run of a sequence.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// Its number.
    pub id: RunId,
    /// What started it.
    pub cause: Cause,
    /// When, for people.
    pub since: WallTime,
    /// True if it only records what it would do: the sequence was in shadow when it started, or it is a drill.
    pub shadow: bool,
    /// Where it is.
    pub step: Step,
    /// What became of each stage; one entry per stage.
    pub stages: Vec<StageState>,
    /// The stages whose commands have been given, or may have been; a bit each.
    pub commanded: u32,
    /// Who asked to stop it while a command was under way: it ends after that stage.
    pub aborting: Option<Operator>,
    /// The stage that persons told to go on, and how many: what stands in its way is theirs to judge then.
    pub told: Option<Told>,
}

/// How many persons told a stage to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    /// The stage.
    pub stage: u8,
    /// One, or two: only two lift the interlock of the last feed (I1).
    pub persons: u8,
}

/// Where a run is.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// The abort window: nothing is written before `until`.
    Countdown {
        /// When the first stage begins.
        until: Uptime,
    },
    /// After a restart: devices are read before anything is written (R12).
    Rereading {
        /// The first stage that was not verified.
        stage: u8,
        /// How often its command has been given already.
        attempt: u8,
        /// The stage does not begin before: what was left of the countdown.
        from: Uptime,
        /// When waiting for good readings ends.
        until: Uptime,
    },
    /// A stage waits for its delay and its permissives.
    Waiting {
        /// Which.
        stage: u8,
        /// How often its command has been given already.
        attempt: u8,
        /// Not before.
        from: Uptime,
        /// The stage fails if its permissives do not hold by then.
        until: Uptime,
    },
    /// A stage's command is under way.
    Ordered {
        /// Which.
        stage: u8,
        /// The order.
        order: OrderId,
        /// First, second or third try, counted from one.
        attempt: u8,
        /// Its outcome is unknown after this.
        answer_by: Uptime,
    },
    /// A stage's effect is being read back.
    Verifying {
        /// Which.
        stage: u8,
        /// First, second or third try, counted from one.
        attempt: u8,
        /// Only reads asked for after this count (S21).
        after: Uptime,
        /// The try fails if the effect is not seen by then.
        until: Uptime,
    },
    /// Stopped at a stage, waiting for a person.
    Held {
        /// Which.
        stage: u8,
        /// The next stage follows by itself then; `None` waits for as long as it takes.
        until: Option<Uptime>,
    },
    /// Every stage came to an end and the last one was verified.
    Done,
    /// Every stage came to an end, the last one without effect: the zone is not isolated.
    Failed,
    /// Stopped by a person before its point of no return.
    Aborted {
        /// Who.
        by: Operator,
    },
}

/// What became of a stage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StageState {
    /// Not begun.
    #[default]
    Pending,
    /// Waiting for delay and permissives.
    Waiting,
    /// The command is under way: sent, not confirmed.
    Ordered,
    /// The device confirmed; its effect is being read back.
    Confirmed,
    /// The effect was seen by independent feedback.
    Verified,
    /// Not needed: the stage before it was verified.
    Skipped,
    /// It had no effect, for this reason.
    Failed(StageFault),
}

/// Why a stage failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StageFault {
    /// This permissive did not hold in time.
    Permissive(PointId),
    /// The command was not carried out, after all its tries.
    Drive(DriveFault),
    /// The command was confirmed, but this feedback did not follow in time.
    NoEffect(PointId),
    /// This stage should have been verified before, and was not (I2).
    Requires(u8),
    /// It would have taken the last feed that is known to carry power from a load group; this is the feed that is not (I1).
    LastFeed(FeedId),
    /// As much as may be cut by itself had been cut already (I3).
    Budget,
    /// Somebody works on the zone: nothing is cut by itself (I10).
    Maintenance,
}

/// A sequence changed.
#[derive(Clone, Debug, PartialEq)]
pub struct SequenceChange {
    /// Which sequence.
    pub sequence: SequenceId,
    /// What happened.
    pub event: SequenceEvent,
    /// How it stands now.
    pub now: SequenceState,
}

/// What happened to a sequence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SequenceEvent {
    /// Its mode was changed.
    Mode {
        /// Who changed it; `None` at the start.
        by: Option<Operator>,
    },
    /// Somebody took the first step of a cut by hand.
    Selected {
        /// Who.
        by: Operator,
    },
    /// The vote was complete, or a person started it: the countdown runs.
    Started,
    /// A restart interrupted it; devices are read first.
    Resumed,
    /// This stage waits for its permissives.
    StageBegun(u8),
    /// This stage's command leaves (in shadow: would leave).
    StageOrdered(u8),
    /// The device confirmed this stage's command.
    StageConfirmed(u8),
    /// This stage's effect was seen.
    StageVerified(u8),
    /// This try of this stage had no effect; it is told again.
    StageRetried(u8),
    /// This stage was not needed.
    StageSkipped(u8),
    /// This stage failed.
    StageFailed(u8, StageFault),
    /// It waits for a person at this stage.
    Held(u8),
    /// Persons told it to go on from this stage, at which it was held.
    Told {
        /// Who took the first step, and who the second.
        by: [Operator; 2],
        /// The stage.
        stage: u8,
    },
    /// Done and verified.
    Done,
    /// At the end, and the zone is not isolated.
    Failed,
    /// Stopped by a person.
    Aborted {
        /// Who.
        by: Operator,
    },
    /// Two persons say that every stage did at the plant what the configuration says.
    Proven {
        /// The second of them.
        by: Operator,
    },
    /// Let go by a person; it can run again.
    Reset {
        /// Who.
        by: Operator,
    },
}

/// What service owners get before power goes.
#[derive(Clone, Debug, PartialEq)]
pub struct Notice {
    /// The sequence it is about.
    pub sequence: SequenceId,
    /// The zone whose power may go.
    pub zone: ZoneId,
    /// Its level.
    pub level: Level,
    /// The run, once there is one.
    pub run: Option<RunId>,
    /// Increases with every notice of this sequence.
    pub number: u64,
    /// The notice of this sequence before it, of the same matter.
    pub previous: Option<u64>,
    /// What is announced.
    pub stage: NoticeStage,
    /// Only recorded: the sequence is not armed, or it is a drill.
    pub shadow: bool,
    /// Somebody rehearses: nothing is cut.
    pub drill: bool,
    /// The stage that is carried out or comes next, counted from zero.
    pub next: Option<u8>,
    /// What the trigger said last: who votes.
    pub evidence: Evidence,
    /// For how long the load can go on without this supply, where the site has a point for that and it is good.
    pub autonomy: Option<Value>,
}

/// What a notice announces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoticeStage {
    /// A cut may become necessary: fail over now. No time is set.
    Prepare,
    /// The countdown runs, or stages that cut nothing are carried out: something is cut at the earliest in this time.
    Countdown {
        /// From now.
        earliest: Millis,
        /// For how long it can still be aborted.
        abortable: Millis,
    },
    /// Stages are being carried out; something was cut.
    Cutting {
        /// More is cut at the earliest in this time; `None` where a person must decide, or nothing more will be.
        earliest: Option<Millis>,
    },
    /// The zone is isolated.
    Done,
    /// The zone is not isolated.
    Failed,
    /// A person stopped it.
    Aborted,
    /// The zone is no longer at warning, and nothing was cut.
    AllClear,
}

impl NoticeStage {
    /// When something is cut at the earliest, and for how long it can be aborted, from now, where that is known.
    #[must_use]
    pub const fn times(self) -> (Option<Millis>, Option<Millis>) {
        match self {
            Self::Countdown { earliest, abortable } => (Some(earliest), Some(abortable)),
            Self::Cutting { earliest } => (earliest, None),
            Self::Prepare | Self::Done | Self::Failed | Self::Aborted | Self::AllClear => (None, None),
        }
    }
}

/// T-minus marks at which the notice is repeated, besides every minute. At zero it says something else: it cuts.
pub const NOTICE_MARKS: [Millis; 5] = [
    Millis::from_secs(300),
    Millis::from_secs(120),
    Millis::from_secs(60),
    Millis::from_secs(30),
    Millis::from_secs(10),
];

impl Cause {
    /// Whether a person wanted the cut.
    #[must_use]
    pub const fn is_by_hand(&self) -> bool {
        matches!(self, Self::Manual { .. })
    }

    /// Whether somebody rehearses.
    #[must_use]
    pub const fn is_drill(&self) -> bool {
        matches!(self, Self::Drill { .. })
    }
}

impl Run {
    /// How many persons told this stage to go on.
    #[must_use]
    pub fn told_by(&self, stage: u8) -> u8 {
        self.told.filter(|told| told.stage == stage).map_or(0, |told| told.persons)
    }

    /// Whether this stage's command has been given, or may have been: whatever became of it.
    #[must_use]
    pub fn has_commanded(&self, stage: usize) -> bool {
        self.commanded.checked_shr(u32::try_from(stage).unwrap_or(u32::MAX)).is_some_and(|bits| bits & 1 == 1)
    }

    /// This stage's command is about to be given.
    pub(crate) fn mark_commanded(&mut self, stage: u8) {
        self.commanded |= 1_u32.checked_shl(u32::from(stage)).unwrap_or(0);
    }
}

impl Step {
    /// Whether the run has come to an end and only waits to be reset.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        match self {
            Self::Done | Self::Failed | Self::Aborted { .. } => true,
            Self::Countdown { .. }
            | Self::Rereading { .. }
            | Self::Waiting { .. }
            | Self::Ordered { .. }
            | Self::Verifying { .. }
            | Self::Held { .. } => false,
        }
    }
}

impl SequenceEvent {
    /// Its word in topics and records.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Mode { .. } => "mode",
            Self::Selected { .. } => "selected",
            Self::Started => "countdown",
            Self::Resumed => "resumed",
            Self::StageBegun(_) => "stage-begun",
            Self::StageOrdered(_) => "stage-ordered",
            Self::StageConfirmed(_) => "stage-confirmed",
            Self::StageVerified(_) => "stage-verified",
            Self::StageRetried(_) => "stage-retried",
            Self::StageSkipped(_) => "stage-skipped",
            Self::StageFailed(..) => "stage-failed",
            Self::Held(_) => "held",
            Self::Told { .. } => "told",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Aborted { .. } => "aborted",
            Self::Reset { .. } => "reset",
            Self::Proven { .. } => "proven",
        }
    }

    /// The stage it is about, counted from zero.
    #[must_use]
    pub const fn stage(&self) -> Option<u8> {
        match self {
            Self::StageBegun(stage)
            | Self::StageOrdered(stage)
            | Self::StageConfirmed(stage)
            | Self::StageVerified(stage)
            | Self::StageRetried(stage)
            | Self::StageSkipped(stage)
            | Self::StageFailed(stage, _)
            | Self::Told { stage, .. }
            | Self::Held(stage) => Some(*stage),
            Self::Mode { .. }
            | Self::Selected { .. }
            | Self::Started
            | Self::Resumed
            | Self::Done
            | Self::Failed
            | Self::Aborted { .. }
            | Self::Proven { .. }
            | Self::Reset { .. } => None,
        }
    }

    /// Who made it happen.
    #[must_use]
    pub const fn by(&self) -> Option<&Operator> {
        match self {
            Self::Mode { by } => by.as_ref(),
            Self::Selected { by }
            | Self::Aborted { by }
            | Self::Reset { by }
            | Self::Proven { by }
            | Self::Told { by: [_, by], .. } => Some(by),
            Self::Started
            | Self::Resumed
            | Self::StageBegun(_)
            | Self::StageOrdered(_)
            | Self::StageConfirmed(_)
            | Self::StageVerified(_)
            | Self::StageRetried(_)
            | Self::StageSkipped(_)
            | Self::StageFailed(..)
            | Self::Held(_)
            | Self::Done
            | Self::Failed => None,
        }
    }
}

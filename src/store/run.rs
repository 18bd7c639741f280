//! Sequences and their runs as JSON and back, without loss: every step and every state of a stage.

use serde::{Deserialize, Serialize};

use crate::safety::fact::{DriveFault, Operator, OrderId};
use crate::safety::memory::SequenceMemory;
use crate::safety::sequence::{
    Cause, Phase, Proven, Run, RunId, SequenceState, StageFault, StageState, Step, Told,
};
use crate::safety::site::Site;
use crate::store::names;
use crate::store::wire::ModeWord;
use crate::units::{Uptime, WallTime};

/// What is remembered of a sequence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each field is the one of the core's SequenceMemory")]
pub struct SequenceWire {
    pub mode: ModeWord,
    pub configured: ModeWord,
    pub stages: Vec<String>,
    pub run: Option<RunWire>,
    /// Missing in records of before there were proof tests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proven: Option<ProvenWire>,
}

/// A proof test.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each field is the one of the core's Proven")]
pub struct ProvenWire {
    pub by: [String; 2],
    pub at: i64,
    pub of: String,
}

/// A run of a sequence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each field is the one of the core's Run")]
pub struct RunWire {
    pub id: u64,
    pub cause: CauseWire,
    pub since: i64,
    pub shadow: bool,
    pub step: StepWire,
    pub stages: Vec<StageWire>,
    /// Missing in records of before there was such a field: what the stages say then.
    pub commanded: Option<u32>,
    pub aborting: Option<String>,
    /// Stage and persons.
    #[serde(default)]
    pub told: Option<(u8, u8)>,
}

/// What started a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each variant and field is the one of the core's Cause")]
pub enum CauseWire {
    Vote { voting: u32, by_policy: bool },
    Manual { by: String },
    Drill { by: String },
}

/// Where a run is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each variant and field is the one of the core's Step")]
pub enum StepWire {
    Countdown {
        until: u64,
    },
    Rereading {
        stage: u8,
        attempt: u8,
        from: u64,
        until: u64,
    },
    Waiting {
        stage: u8,
        attempt: u8,
        from: u64,
        until: u64,
    },
    Ordered {
        stage: u8,
        order: u64,
        attempt: u8,
        answer_by: u64,
    },
    Verifying {
        stage: u8,
        attempt: u8,
        after: u64,
        until: u64,
    },
    Held {
        stage: u8,
        #[serde(default)]
        until: Option<u64>,
    },
    Done,
    Failed,
    Aborted {
        by: String,
    },
}

/// What became of a stage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each variant is the one of the core's StageState")]
pub enum StageWire {
    Pending,
    Waiting,
    Ordered,
    Confirmed,
    Verified,
    Skipped,
    Failed(StageFaultWire),
}

/// Why a stage failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each variant is the one of the core's StageFault")]
pub enum StageFaultWire {
    Permissive(String),
    Drive(DriveWire),
    NoEffect(String),
    Requires(u8),
    /// Load group and feed.
    LastFeed(String, String),
    Budget,
    Maintenance,
}

/// What became of an order that was not confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each variant is the one of the core's DriveFault")]
pub enum DriveWire {
    NotSent,
    Exception(u8),
    NoAnswer,
    WrongEcho,
    NotAllowed,
}

impl SequenceWire {
    pub(super) fn of(site: &Site, core: &SequenceMemory) -> Self {
        let run = match &core.state.phase {
            Phase::Idle => None,
            Phase::Run(run) => Some(RunWire::of(site, run)),
        };
        Self {
            mode: core.state.mode.into(),
            configured: core.configured.into(),
            stages: core.stages.clone(),
            run,
            proven: core.state.proven.as_ref().map(|proven| ProvenWire {
                by: proven.by.each_ref().map(ToString::to_string),
                at: proven.at.0,
                of: proven.of.to_string(),
            }),
        }
    }

    pub(super) fn to(&self, site: &Site) -> SequenceMemory {
        let phase = self.run.as_ref().map_or(Phase::Idle, |run| Phase::Run(run.to(site)));
        SequenceMemory {
            state: SequenceState {
                mode: self.mode.into(),
                phase,
                proven: self.proven.as_ref().map(ProvenWire::to),
            },
            configured: self.configured.into(),
            stages: self.stages.clone(),
        }
    }
}

impl ProvenWire {
    fn to(&self) -> Proven {
        Proven {
            by: self.by.each_ref().map(|by| Operator::from(by.as_str())),
            at: WallTime(self.at),
            of: self.of.as_str().into(),
        }
    }
}

impl RunWire {
    fn of(site: &Site, core: &Run) -> Self {
        let cause = match &core.cause {
            Cause::Vote { voting, by_policy } => CauseWire::Vote { voting: *voting, by_policy: *by_policy },
            Cause::Manual { by } => CauseWire::Manual { by: by.to_string() },
            Cause::Drill { by } => CauseWire::Drill { by: by.to_string() },
        };
        Self {
            id: core.id.0,
            cause,
            since: core.since.0,
            shadow: core.shadow,
            step: StepWire::of(&core.step),
            stages: core.stages.iter().map(|stage| StageWire::of(site, *stage)).collect(),
            commanded: Some(core.commanded),
            aborting: core.aborting.as_ref().map(ToString::to_string),
            told: core.told.map(|told| (told.stage, told.persons)),
        }
    }

    fn to(&self, site: &Site) -> Run {
        let cause = match &self.cause {
            CauseWire::Vote { voting, by_policy } => Cause::Vote { voting: *voting, by_policy: *by_policy },
            CauseWire::Manual { by } => Cause::Manual { by: Operator::from(by.as_str()) },
            CauseWire::Drill { by } => Cause::Drill { by: Operator::from(by.as_str()) },
        };
        Run {
            id: RunId(self.id),
            cause,
            since: WallTime(self.since),
            shadow: self.shadow,
            step: self.step.to(),
            stages: self.stages.iter().map(|stage| stage.to(site)).collect(),
            commanded: self.commanded.unwrap_or_else(|| commanded_by(&self.stages)),
            aborting: self.aborting.as_deref().map(Operator::from),
            told: self.told.map(|(stage, persons)| Told { stage, persons }),
        }
    }
}

/// The stages that had been commanded, as far as their states tell.
fn commanded_by(stages: &[StageWire]) -> u32 {
    let bit = |(index, stage): (usize, &StageWire)| match stage {
        StageWire::Pending | StageWire::Skipped | StageWire::Failed(StageFaultWire::Permissive(_)) => 0,
        _ => 1_u32.checked_shl(u32::try_from(index).unwrap_or(u32::MAX)).unwrap_or(0),
    };
    stages.iter().enumerate().map(bit).fold(0, |all, bit| all | bit)
}

impl StepWire {
    fn of(core: &Step) -> Self {
        match *core {
            Step::Countdown { until } => Self::Countdown { until: until.0 },
            Step::Rereading { stage, attempt, from, until } => {
                Self::Rereading { stage, attempt, from: from.0, until: until.0 }
            }
            Step::Waiting { stage, attempt, from, until } => {
                Self::Waiting { stage, attempt, from: from.0, until: until.0 }
            }
            Step::Ordered { stage, order, attempt, answer_by } => {
                Self::Ordered { stage, order: order.0, attempt, answer_by: answer_by.0 }
            }
            Step::Verifying { stage, attempt, after, until } => {
                Self::Verifying { stage, attempt, after: after.0, until: until.0 }
            }
            Step::Held { stage, until } => Self::Held { stage, until: until.map(|until| until.0) },
            Step::Done => Self::Done,
            Step::Failed => Self::Failed,
            Step::Aborted { ref by } => Self::Aborted { by: by.to_string() },
        }
    }

    pub(super) fn to(&self) -> Step {
        match *self {
            Self::Countdown { until } => Step::Countdown { until: Uptime(until) },
            Self::Rereading { stage, attempt, from, until } => {
                Step::Rereading { stage, attempt, from: Uptime(from), until: Uptime(until) }
            }
            Self::Waiting { stage, attempt, from, until } => {
                Step::Waiting { stage, attempt, from: Uptime(from), until: Uptime(until) }
            }
            Self::Ordered { stage, order, attempt, answer_by } => {
                Step::Ordered { stage, order: OrderId(order), attempt, answer_by: Uptime(answer_by) }
            }
            Self::Verifying { stage, attempt, after, until } => {
                Step::Verifying { stage, attempt, after: Uptime(after), until: Uptime(until) }
            }
            Self::Held { stage, until } => Step::Held { stage, until: until.map(Uptime) },
            Self::Done => Step::Done,
            Self::Failed => Step::Failed,
            Self::Aborted { ref by } => Step::Aborted { by: Operator::from(by.as_str()) },
        }
    }
}

impl StageWire {
    fn of(site: &Site, core: StageState) -> Self {
        match core {
            StageState::Pending => Self::Pending,
            StageState::Waiting => Self::Waiting,
            StageState::Ordered => Self::Ordered,
            StageState::Confirmed => Self::Confirmed,
            StageState::Verified => Self::Verified,
            StageState::Skipped => Self::Skipped,
            StageState::Failed(fault) => Self::Failed(StageFaultWire::of(site, fault)),
        }
    }

    fn to(&self, site: &Site) -> StageState {
        match self {
            Self::Pending => StageState::Pending,
            Self::Waiting => StageState::Waiting,
            Self::Ordered => StageState::Ordered,
            Self::Confirmed => StageState::Confirmed,
            Self::Verified => StageState::Verified,
            Self::Skipped => StageState::Skipped,
            Self::Failed(fault) => StageState::Failed(fault.to(site)),
        }
    }
}

impl StageFaultWire {
    pub(super) fn of(site: &Site, core: StageFault) -> Self {
        match core {
            StageFault::Permissive(point) => Self::Permissive(names::of_point(site, point)),
            StageFault::Drive(fault) => Self::Drive(fault.into()),
            StageFault::NoEffect(point) => Self::NoEffect(names::of_point(site, point)),
            StageFault::Requires(stage) => Self::Requires(stage),
            StageFault::LastFeed(feed) => {
                let (group, feed) = names::of_feed(site, feed);
                Self::LastFeed(group, feed)
            }
            StageFault::Budget => Self::Budget,
            StageFault::Maintenance => Self::Maintenance,
        }
    }

    /// The stage stays failed if its point is no longer there; why is then no longer known.
    pub(super) fn to(&self, site: &Site) -> StageFault {
        let unknown = StageFault::Drive(DriveFault::NoAnswer);
        match self {
            Self::Permissive(name) => names::to_point(site, name).map_or(unknown, StageFault::Permissive),
            Self::Drive(fault) => StageFault::Drive((*fault).into()),
            Self::NoEffect(name) => names::to_point(site, name).map_or(unknown, StageFault::NoEffect),
            Self::Requires(stage) => StageFault::Requires(*stage),
            // Without that feed the interlock is not known to be of this plant: it counts as spent, which commanded nothing.
            Self::LastFeed(group, feed) => {
                names::to_feed(site, group, feed).map_or(StageFault::Budget, StageFault::LastFeed)
            }
            Self::Budget => StageFault::Budget,
            Self::Maintenance => StageFault::Maintenance,
        }
    }
}

impl From<DriveFault> for DriveWire {
    fn from(core: DriveFault) -> Self {
        match core {
            DriveFault::NotSent => Self::NotSent,
            DriveFault::Exception(code) => Self::Exception(code),
            DriveFault::NoAnswer => Self::NoAnswer,
            DriveFault::WrongEcho => Self::WrongEcho,
            DriveFault::NotAllowed => Self::NotAllowed,
        }
    }
}

impl From<DriveWire> for DriveFault {
    fn from(wire: DriveWire) -> Self {
        match wire {
            DriveWire::NotSent => Self::NotSent,
            DriveWire::Exception(code) => Self::Exception(code),
            DriveWire::NoAnswer => Self::NoAnswer,
            DriveWire::WrongEcho => Self::WrongEcho,
            DriveWire::NotAllowed => Self::NotAllowed,
        }
    }
}

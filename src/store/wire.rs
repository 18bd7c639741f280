//! Memory as JSON and back, without loss: the core's types know nothing of files.
//!
//! Ids become names. Floating-point numbers are written as text, which is exact and also holds what JSON
//! numbers cannot. A name that the present configuration lacks loses its evidence, never its alarm or run.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::safety::alarm::{AlarmRecord, AlarmState};
use crate::safety::fact::{DriveFault, Operator, OrderId};
use crate::safety::memory::{Numbers, SequenceMemory};
use crate::safety::risk::{Evidence, Level};
use crate::safety::sequence::spec::Mode;
use crate::safety::sequence::{Cause, Phase, Run, RunId, SequenceState, StageFault, StageState, Step};
use crate::safety::site::{Priority, Site};
use crate::store::names;
use crate::units::{Millis, Uptime, Value, WallTime};

macro_rules! words {
    ($($(#[$doc:meta])* $word:ident = $core:ident { $($variant:ident),+ $(,)? })+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum $word { $(
            #[doc = concat!("`", stringify!($variant), "`.")]
            $variant
        ),+ }
        impl From<$core> for $word {
            fn from(core: $core) -> Self { match core { $($core::$variant => Self::$variant),+ } }
        }
        impl From<$word> for $core {
            fn from(word: $word) -> Self { match word { $($word::$variant => Self::$variant),+ } }
        }
    )+};
}

words! {
    /// A level, as a word.
    LevelWord = Level { Normal, Watch, Warning, Danger }
    /// A priority, as a word.
    PriorityWord = Priority { Low, Medium, High, Critical }
    /// An alarm's state, as a word.
    AlarmStateWord = AlarmState { Normal, UnackActive, AckActive, UnackReturned, LatchedUnack, LatchedAck }
    /// A sequence's mode, as a word.
    ModeWord = Mode { Disabled, Shadow, Armed }
}

/// A floating-point number as text: exact in both directions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Exact(pub f64);

impl Serialize for Exact {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Exact {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map(Self).map_err(de::Error::custom)
    }
}

/// An alarm's record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each field is the one of the core's AlarmRecord")]
pub struct AlarmWire {
    pub state: AlarmStateWord,
    pub priority: Option<PriorityWord>,
    pub occurrence: u64,
    pub revision: u32,
    pub since: i64,
    pub raised: u64,
    pub level: LevelWord,
    pub evidence: EvidenceWire,
    pub first_out: bool,
    pub acknowledged_by: Option<String>,
}

impl AlarmWire {
    pub(super) fn of(site: &Site, core: &AlarmRecord) -> Self {
        Self {
            state: core.state.into(),
            priority: core.priority.map(Into::into),
            occurrence: core.occurrence,
            revision: core.revision,
            since: core.since.0,
            raised: core.raised.0,
            level: core.level.into(),
            evidence: EvidenceWire::of(site, &core.evidence),
            first_out: core.first_out,
            acknowledged_by: core.acknowledged_by.as_deref().map(str::to_owned),
        }
    }

    pub(super) fn to(&self, site: &Site) -> AlarmRecord {
        AlarmRecord {
            state: self.state.into(),
            priority: self.priority.map(Into::into),
            occurrence: self.occurrence,
            revision: self.revision,
            since: WallTime(self.since),
            raised: Uptime(self.raised),
            level: self.level.into(),
            evidence: self.evidence.to(site),
            first_out: self.first_out,
            acknowledged_by: self.acknowledged_by.as_deref().map(Arc::from),
        }
    }
}

/// What a finding went by.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each variant and field is the one of the core's Evidence")]
pub enum EvidenceWire {
    None,
    Limit { point: String, value: Exact, limit: Exact, taken: u64 },
    Rate { point: String, value: Exact, per_minute: Exact, limit: Exact, taken: u64 },
    State { point: String, value: Exact, taken: u64 },
    Silent { point: String, lasted: u64 },
    Votes { voting: u32, unknown: u32, needed: u8, of: u8, by_policy: bool },
}

impl EvidenceWire {
    pub(super) fn of(site: &Site, core: &Evidence) -> Self {
        let name = |id| names::of_point(site, id);
        match *core {
            Evidence::None => Self::None,
            Evidence::Limit { point, value, limit, taken } => Self::Limit {
                point: name(point),
                value: Exact(value.get()),
                limit: Exact(limit),
                taken: taken.0,
            },
            Evidence::Rate { point, value, per_minute, limit, taken } => Self::Rate {
                point: name(point),
                value: Exact(value.get()),
                per_minute: Exact(per_minute),
                limit: Exact(limit),
                taken: taken.0,
            },
            Evidence::State { point, value, taken } => {
                Self::State { point: name(point), value: Exact(value.get()), taken: taken.0 }
            }
            Evidence::Silent { point, lasted } => Self::Silent { point: name(point), lasted: lasted.0 },
            Evidence::Votes { voting, unknown, needed, of, by_policy } => {
                Self::Votes { voting, unknown, needed, of, by_policy }
            }
        }
    }

    /// Without evidence if the point is no longer there.
    pub(super) fn to(&self, site: &Site) -> Evidence {
        self.try_to(site).unwrap_or(Evidence::None)
    }

    fn try_to(&self, site: &Site) -> Option<Evidence> {
        let id = |name: &str| names::to_point(site, name);
        Some(match self {
            Self::None => Evidence::None,
            Self::Limit { point, value, limit, taken } => Evidence::Limit {
                point: id(point)?,
                value: Value::new(value.0)?,
                limit: limit.0,
                taken: Uptime(*taken),
            },
            Self::Rate { point, value, per_minute, limit, taken } => Evidence::Rate {
                point: id(point)?,
                value: Value::new(value.0)?,
                per_minute: per_minute.0,
                limit: limit.0,
                taken: Uptime(*taken),
            },
            Self::State { point, value, taken } => {
                Evidence::State { point: id(point)?, value: Value::new(value.0)?, taken: Uptime(*taken) }
            }
            Self::Silent { point, lasted } => Evidence::Silent { point: id(point)?, lasted: Millis(*lasted) },
            &Self::Votes { voting, unknown, needed, of, by_policy } => {
                Evidence::Votes { voting, unknown, needed, of, by_policy }
            }
        })
    }
}

/// What is remembered of a sequence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each field is the one of the core's SequenceMemory")]
pub struct SequenceWire {
    pub mode: ModeWord,
    pub configured: ModeWord,
    pub stages: Vec<String>,
    pub run: Option<RunWire>,
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
    pub aborting: Option<String>,
}

/// What started a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each variant and field is the one of the core's Cause")]
pub enum CauseWire {
    Vote { voting: u32, by_policy: bool },
    Manual { by: String },
}

/// Where a run is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each variant and field is the one of the core's Step")]
pub enum StepWire {
    Countdown { until: u64 },
    Rereading { stage: u8, attempt: u8, from: u64, until: u64 },
    Waiting { stage: u8, attempt: u8, from: u64, until: u64 },
    Ordered { stage: u8, order: u64, attempt: u8, answer_by: u64 },
    Verifying { stage: u8, attempt: u8, after: u64, until: u64 },
    Held { stage: u8 },
    Done,
    Failed,
    Aborted { by: String },
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
        }
    }

    pub(super) fn to(&self, site: &Site) -> SequenceMemory {
        let phase = self.run.as_ref().map_or(Phase::Idle, |run| Phase::Run(run.to(site)));
        SequenceMemory {
            state: SequenceState { mode: self.mode.into(), phase },
            configured: self.configured.into(),
            stages: self.stages.clone(),
        }
    }
}

impl RunWire {
    fn of(site: &Site, core: &Run) -> Self {
        let cause = match &core.cause {
            Cause::Vote { voting, by_policy } => CauseWire::Vote { voting: *voting, by_policy: *by_policy },
            Cause::Manual { by } => CauseWire::Manual { by: by.to_string() },
        };
        Self {
            id: core.id.0,
            cause,
            since: core.since.0,
            shadow: core.shadow,
            step: StepWire::of(&core.step),
            stages: core.stages.iter().map(|stage| StageWire::of(site, *stage)).collect(),
            aborting: core.aborting.as_ref().map(ToString::to_string),
        }
    }

    fn to(&self, site: &Site) -> Run {
        let cause = match &self.cause {
            CauseWire::Vote { voting, by_policy } => Cause::Vote { voting: *voting, by_policy: *by_policy },
            CauseWire::Manual { by } => Cause::Manual { by: Operator::from(by.as_str()) },
        };
        Run {
            id: RunId(self.id),
            cause,
            since: WallTime(self.since),
            shadow: self.shadow,
            step: self.step.to(),
            stages: self.stages.iter().map(|stage| stage.to(site)).collect(),
            aborting: self.aborting.as_deref().map(Operator::from),
        }
    }
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
            Step::Held { stage } => Self::Held { stage },
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
            Self::Held { stage } => Step::Held { stage },
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
        }
    }

    /// The stage stays failed if its point is no longer there; why is then no longer known.
    fn to(&self, site: &Site) -> StageFault {
        let unknown = StageFault::Drive(DriveFault::NoAnswer);
        match self {
            Self::Permissive(name) => names::to_point(site, name).map_or(unknown, StageFault::Permissive),
            Self::Drive(fault) => StageFault::Drive((*fault).into()),
            Self::NoEffect(name) => names::to_point(site, name).map_or(unknown, StageFault::NoEffect),
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

/// The counters that must not start again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each field is the one of the core's Numbers")]
pub struct NumbersWire {
    pub alarm_change: u64,
    pub order: u64,
    pub run: u64,
    pub notice: u64,
}

impl From<Numbers> for NumbersWire {
    fn from(core: Numbers) -> Self {
        let Numbers { alarm_change, order, run, notice } = core;
        Self { alarm_change, order, run, notice }
    }
}

impl From<NumbersWire> for Numbers {
    fn from(wire: NumbersWire) -> Self {
        let NumbersWire { alarm_change, order, run, notice } = wire;
        Self { alarm_change, order, run, notice }
    }
}

/// All that the core must remember, as it stood when record `upto` was made.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SnapshotWire {
    /// The last record that is already in it.
    pub upto: u64,
    /// The boot whose uptimes the records after it carry.
    pub boot: String,
    /// Alarms by name.
    pub alarms: BTreeMap<String, Dated<AlarmWire>>,
    /// Sequences by name.
    pub sequences: BTreeMap<String, Dated<SequenceWire>>,
    /// Counters.
    pub numbers: NumbersWire,
}

/// Something with uptimes in it, which mean nothing in another boot.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Dated<T> {
    /// The boot whose uptimes these are.
    pub boot: String,
    /// The thing.
    pub is: T,
}

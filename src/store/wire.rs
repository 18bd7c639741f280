//! Memory as JSON and back, without loss: the core's types know nothing of files.
//!
//! Ids become names. Floating-point numbers are written as text, which is exact and also holds what JSON
//! numbers cannot. A name that the present configuration lacks loses its evidence, never its alarm or run.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::safety::alarm::{AlarmRecord, AlarmState, Away, AwayHow};
use crate::safety::memory::Numbers;
use crate::safety::reading::Distrust;
use crate::safety::risk::{Evidence, Level};
use crate::safety::sequence::spec::Mode;
use crate::safety::site::{Priority, Site};
use crate::safety::waiver::Waiver;
use crate::store::names;
use crate::store::run::SequenceWire;
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
    AlarmStateWord = AlarmState {
        Normal, UnackActive, AckActive, UnackReturned, LatchedUnack, LatchedAck, Shelved, Suppressed, OutOfService,
    }
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
    /// Absent in journals of before shelves: then the state tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stands: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub away: Option<AwayWire>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub chattering: bool,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub flips: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// How an alarm is put away.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each field is the one of the core's Away")]
pub struct AwayWire {
    pub told: bool,
    pub how: AwayHowWire,
}

/// The ways to put an alarm away.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each variant and field is the one of the core's AwayHow")]
pub enum AwayHowWire {
    Shelved { by: String, until: u64, one_shot: bool, holds: PriorityWord },
    Suppressed { group: String },
    OutOfService { by: String, reason: String },
}

impl AwayWire {
    fn of(site: &Site, core: &Away) -> Self {
        let how = match &core.how {
            AwayHow::Shelved { by, until, one_shot, holds } => AwayHowWire::Shelved {
                by: by.to_string(),
                until: until.0,
                one_shot: *one_shot,
                holds: (*holds).into(),
            },
            AwayHow::Suppressed { group } => AwayHowWire::Suppressed { group: names::of_alarm(site, *group) },
            AwayHow::OutOfService { by, reason } => {
                AwayHowWire::OutOfService { by: by.to_string(), reason: reason.to_string() }
            }
        };
        Self { told: core.told, how }
    }

    /// Nothing if the alarm of its flood is no longer there: then nobody stands for it.
    fn to(&self, site: &Site) -> Option<Away> {
        let how = match &self.how {
            AwayHowWire::Shelved { by, until, one_shot, holds } => AwayHow::Shelved {
                by: Arc::from(by.as_str()),
                until: Uptime(*until),
                one_shot: *one_shot,
                holds: (*holds).into(),
            },
            AwayHowWire::Suppressed { group } => AwayHow::Suppressed { group: names::to_alarm(site, group)? },
            AwayHowWire::OutOfService { by, reason } => {
                AwayHow::OutOfService { by: Arc::from(by.as_str()), reason: Arc::from(reason.as_str()) }
            }
        };
        Some(Away { told: self.told, how })
    }
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
            stands: Some(core.stands),
            away: core.away.as_deref().map(|away| AwayWire::of(site, away)),
            chattering: core.chattering,
            flips: core.flips,
            origin: core.origin.map(|alarm| names::of_alarm(site, alarm)),
        }
    }

    pub(super) fn to(&self, site: &Site) -> AlarmRecord {
        let state = AlarmState::from(self.state);
        AlarmRecord {
            state,
            stands: self.stands.unwrap_or(state.is_active()),
            priority: self.priority.map(Into::into),
            occurrence: self.occurrence,
            revision: self.revision,
            since: WallTime(self.since),
            raised: Uptime(self.raised),
            level: self.level.into(),
            evidence: self.evidence.to(site),
            first_out: self.first_out,
            acknowledged_by: self.acknowledged_by.as_deref().map(Arc::from),
            away: self.away.as_ref().and_then(|away| away.to(site)).map(Box::new),
            chattering: self.chattering,
            flips: self.flips,
            origin: self.origin.as_deref().and_then(|name| names::to_alarm(site, name)),
        }
    }
}

/// What a finding went by.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each variant and field is the one of the core's Evidence")]
pub enum EvidenceWire {
    #[default]
    None,
    Unbelieved {
        point: String,
        why: String,
    },
    Limit {
        point: String,
        value: Exact,
        limit: Exact,
        taken: u64,
    },
    Rate {
        point: String,
        value: Exact,
        per_minute: Exact,
        limit: Exact,
        taken: u64,
    },
    State {
        point: String,
        value: Exact,
        taken: u64,
    },
    Silent {
        point: String,
        lasted: u64,
    },
    Projected {
        point: String,
        last: Exact,
        value: Exact,
        limit: Exact,
        taken: u64,
    },
    Apart {
        point: String,
        value: Exact,
        from: Exact,
        limit: Exact,
        taken: u64,
    },
    Step {
        point: String,
        value: Exact,
        from: Exact,
        relative: bool,
        limit: Exact,
        taken: u64,
    },
    Votes {
        voting: u32,
        unknown: u32,
        needed: u8,
        #[serde(default)]
        had: u8,
        of: u8,
        by_policy: bool,
    },
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
            Evidence::Unbelieved { point, why } => {
                let word = Distrust::TABLE.into_iter().find(|row| row.0 == why).map_or("?", |row| row.1);
                Self::Unbelieved { point: name(point), why: word.to_owned() }
            }
            Evidence::Projected { point, last, value, limit, taken } => Self::Projected {
                point: name(point),
                last: Exact(last.get()),
                value: Exact(value),
                limit: Exact(limit),
                taken: taken.0,
            },
            Evidence::Apart { point, value, from, limit, taken } => Self::Apart {
                point: name(point),
                value: Exact(value.get()),
                from: Exact(from),
                limit: Exact(limit),
                taken: taken.0,
            },
            Evidence::Step { point, value, from, relative, limit, taken } => Self::Step {
                point: name(point),
                value: Exact(value.get()),
                from: Exact(from),
                relative,
                limit: Exact(limit),
                taken: taken.0,
            },
            Evidence::Votes { voting, unknown, needed, had, of, by_policy } => {
                Self::Votes { voting, unknown, needed, had, of, by_policy }
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
            Self::Unbelieved { point, why } => {
                let why = Distrust::TABLE.into_iter().find(|row| row.1 == *why)?.0;
                Evidence::Unbelieved { point: id(point)?, why }
            }
            Self::Projected { point, last, value, limit, taken } => Evidence::Projected {
                point: id(point)?,
                last: Value::new(last.0)?,
                value: value.0,
                limit: limit.0,
                taken: Uptime(*taken),
            },
            Self::Apart { point, value, from, limit, taken } => Evidence::Apart {
                point: id(point)?,
                value: Value::new(value.0)?,
                from: from.0,
                limit: limit.0,
                taken: Uptime(*taken),
            },
            Self::Step { point, value, from, relative, limit, taken } => Evidence::Step {
                point: id(point)?,
                value: Value::new(value.0)?,
                from: from.0,
                relative: *relative,
                limit: limit.0,
                taken: Uptime(*taken),
            },
            &Self::Votes { voting, unknown, needed, had, of, by_policy } => {
                Evidence::Votes { voting, unknown, needed, had, of, by_policy }
            }
        })
    }
}

/// Something that is put aside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each field is the one of the core's Waiver")]
pub struct WaiverWire {
    pub by: [String; 2],
    pub reason: String,
    pub until: u64,
}

impl WaiverWire {
    pub(super) fn of(core: &Waiver) -> Self {
        Self {
            by: core.by.each_ref().map(ToString::to_string),
            reason: core.reason.to_string(),
            until: core.until.0,
        }
    }

    pub(super) fn to(&self) -> Waiver {
        Waiver {
            by: self.by.each_ref().map(|by| Arc::from(by.as_str())),
            reason: Arc::from(self.reason.as_str()),
            until: Uptime(self.until),
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
    /// What is put aside, by its key; absent in journals of before there was any.
    #[serde(default)]
    pub waivers: BTreeMap<String, Dated<WaiverWire>>,
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

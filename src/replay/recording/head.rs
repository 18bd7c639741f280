//! What a recording says of itself: who, when, the names behind its numbers, and how the core stood before it.
//!
//! Shapes of this file's own, by name, so that a recording can be read for years. Of a run that was already under
//! way only that it was is kept: a replay starts without it, and says so.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::safety::alarm::{AlarmRecord, AlarmState};
use crate::safety::memory::{Memory, Numbers, SequenceMemory};
use crate::safety::risk::Level;
use crate::safety::sequence::spec::Mode;
use crate::safety::sequence::{Phase, SequenceState};
use crate::safety::site::{Priority, Site};
use crate::safety::waiver::Waiver;
use crate::units::{Uptime, WallTime};
use crate::wire::text;

/// Points per block of names: a block stays far below the longest payload.
pub(super) const NAMES_PER_BLOCK: usize = 512;

/// Who recorded, and when.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The version of emberwatch that recorded.
    pub emberwatch: String,
    /// The site's id.
    pub site: String,
    /// The gateway's id.
    pub gateway: String,
    /// The fingerprint of the configuration that ran.
    pub configuration: String,
    /// When the recording began, RFC 3339: a label.
    pub started: String,
    /// The same in milliseconds since 1970.
    pub started_wall_ms: i64,
    /// Uptime of the machine then, in milliseconds.
    pub started_uptime_ms: u64,
}

/// The names behind the numbers of a recording, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Names {
    /// Points as `device/point`, each with its unit.
    pub points: Vec<(String, String)>,
    /// Alarms.
    pub alarms: Vec<String>,
    /// Sequences.
    pub sequences: Vec<String>,
    /// Actions, as `device/action`.
    pub actions: Vec<String>,
}

impl Names {
    /// The names of a site.
    #[must_use]
    pub fn of(site: &Site) -> Self {
        let points = (0..site.points.len()).map(crate::safety::site::PointId::at);
        Self {
            points: points
                .map(|point| (text::point_key(site, point), site[point].unit.name().to_owned()))
                .collect(),
            alarms: site.alarms.iter().map(|alarm| alarm.name.clone()).collect(),
            sequences: site.sequences.iter().map(|sequence| sequence.name.clone()).collect(),
            actions: site.actions.iter().map(|action| action.name.clone()).collect(),
        }
    }

    /// Takes the names of one more block.
    pub(super) fn append(&mut self, more: Self) {
        self.points.extend(more.points);
        self.alarms.extend(more.alarms);
        self.sequences.extend(more.sequences);
        self.actions.extend(more.actions);
    }

    /// In portions for one block each; at least one.
    pub(super) fn portions(&self) -> Vec<Self> {
        let longest = self.points.len().max(self.alarms.len()).max(self.sequences.len());
        let count = longest.max(self.actions.len()).div_ceil(NAMES_PER_BLOCK).max(1);
        (0..count)
            .map(|index| Self {
                points: portion(&self.points, index),
                alarms: portion(&self.alarms, index),
                sequences: portion(&self.sequences, index),
                actions: portion(&self.actions, index),
            })
            .collect()
    }
}

fn portion<T: Clone>(all: &[T], index: usize) -> Vec<T> {
    all.iter().skip(index * NAMES_PER_BLOCK).take(NAMES_PER_BLOCK).cloned().collect()
}

/// How the core stood when the recording began.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Beginning {
    alarms: BTreeMap<String, Standing>,
    sequences: BTreeMap<String, ModeThen>,
    numbers: [u64; 4],
    waivers: BTreeMap<String, AsideThen>,
    /// Sequences with a run under way: a replay starts without it.
    pub running: Vec<String>,
}

/// What was put aside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct AsideThen {
    by: [String; 2],
    reason: String,
    until: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Standing {
    state: String,
    priority: Option<String>,
    occurrence: u64,
    revision: u32,
    since: i64,
    raised: u64,
    level: String,
    first_out: bool,
    acknowledged_by: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct ModeThen {
    mode: String,
    configured: String,
    stages: Vec<String>,
}

const STATES: [AlarmState; 6] = [
    AlarmState::Normal,
    AlarmState::UnackActive,
    AlarmState::AckActive,
    AlarmState::UnackReturned,
    AlarmState::LatchedUnack,
    AlarmState::LatchedAck,
];
const PRIORITIES: [(Priority, &str); 4] = [
    (Priority::Low, "low"),
    (Priority::Medium, "medium"),
    (Priority::High, "high"),
    (Priority::Critical, "critical"),
];
const MODES: [Mode; 3] = [Mode::Disabled, Mode::Shadow, Mode::Armed];

impl Beginning {
    /// What is kept of a memory.
    #[must_use]
    pub fn of(memory: &Memory) -> Self {
        let sequences = memory.sequences.iter().map(|(name, sequence)| {
            let (mode, configured) = (text::mode(sequence.state.mode), text::mode(sequence.configured));
            let then = ModeThen {
                mode: mode.to_owned(),
                configured: configured.to_owned(),
                stages: sequence.stages.clone(),
            };
            (name.clone(), then)
        });
        let running = memory.sequences.iter().filter(|(_, sequence)| sequence.state.phase != Phase::Idle);
        let Numbers { alarm_change, order, run, notice } = memory.numbers;
        Self {
            alarms: memory.alarms.iter().map(|(name, record)| (name.clone(), Standing::of(record))).collect(),
            running: running.map(|(name, _)| name.clone()).collect(),
            sequences: sequences.collect(),
            numbers: [alarm_change, order, run, notice],
            waivers: memory
                .waivers
                .iter()
                .map(|(key, waiver)| (key.clone(), AsideThen::of(waiver)))
                .collect(),
        }
    }

    /// The memory to start a core with.
    #[must_use]
    pub fn memory(&self) -> Memory {
        let mode = |word: &str| MODES.into_iter().find(|mode| text::mode(*mode) == word);
        let sequences = self.sequences.iter().filter_map(|(name, then)| {
            let state = SequenceState { mode: mode(&then.mode)?, phase: Phase::Idle, proven: None };
            let configured = mode(&then.configured)?;
            Some((name.clone(), SequenceMemory { state, configured, stages: then.stages.clone() }))
        });
        let alarms = self.alarms.iter().filter_map(|(name, then)| Some((name.clone(), then.record()?)));
        let [alarm_change, order, run, notice] = self.numbers;
        Memory {
            alarms: alarms.collect(),
            sequences: sequences.collect(),
            waivers: self.waivers.iter().map(|(key, then)| (key.clone(), then.waiver())).collect(),
            numbers: Numbers { alarm_change, order, run, notice },
            same_boot: true,
        }
    }
}

impl AsideThen {
    fn of(waiver: &Waiver) -> Self {
        Self {
            by: waiver.by.each_ref().map(ToString::to_string),
            reason: waiver.reason.to_string(),
            until: waiver.until.0,
        }
    }

    fn waiver(&self) -> Waiver {
        Waiver {
            by: self.by.each_ref().map(|by| Arc::from(by.as_str())),
            reason: Arc::from(self.reason.as_str()),
            until: Uptime(self.until),
        }
    }
}

impl Standing {
    fn of(record: &AlarmRecord) -> Self {
        let word = |priority| PRIORITIES.into_iter().find(|known| known.0 == priority).map(|known| known.1);
        Self {
            // What silences is forgotten, as over a restart.
            state: record.state.brought_back(record.stands).unwrap_or(record.state).word().to_owned(),
            priority: record.priority.and_then(word).map(str::to_owned),
            occurrence: record.occurrence,
            revision: record.revision,
            since: record.since.0,
            raised: record.raised.0,
            level: record.level.word().to_owned(),
            first_out: record.first_out,
            acknowledged_by: record.acknowledged_by.as_deref().map(str::to_owned),
        }
    }

    fn record(&self) -> Option<AlarmRecord> {
        let priority = |word: &String| PRIORITIES.into_iter().find(|known| known.1 == word);
        let state = STATES.into_iter().find(|state| state.word() == self.state)?;
        Some(AlarmRecord {
            state,
            stands: state.is_active(),
            priority: self.priority.as_ref().and_then(priority).map(|known| known.0),
            occurrence: self.occurrence,
            revision: self.revision,
            since: WallTime(self.since),
            raised: Uptime(self.raised),
            level: Level::ALL.into_iter().find(|level| level.word() == self.level)?,
            evidence: crate::safety::risk::Evidence::None,
            first_out: self.first_out,
            acknowledged_by: self.acknowledged_by.as_deref().map(Arc::from),
            ..AlarmRecord::default()
        })
    }
}

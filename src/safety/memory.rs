//! What survives a restart: by name, because the next configuration may number things otherwise.
//!
//! What protects is remembered (latched and standing alarms, a running sequence and the stage it reached,
//! the mode a person chose). What silences is forgotten: the worst case is a repeated horn. What was put aside for a
//! time ends in its time, and with the boot.

use std::collections::BTreeMap;

use crate::safety::alarm::AlarmRecord;
use crate::safety::sequence::SequenceState;
use crate::safety::sequence::spec::Mode;
use crate::safety::waiver::Waiver;

/// What the last run of the core left behind.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Memory {
    /// Alarms that were not normal, by name.
    pub alarms: BTreeMap<String, AlarmRecord>,
    /// Sequences, by name.
    pub sequences: BTreeMap<String, SequenceMemory>,
    /// What was put aside, by the key of what it is.
    pub waivers: BTreeMap<String, Waiver>,
    /// The highest numbers given out, so that none is given twice.
    pub numbers: Numbers,
    /// Whether the machine has been up since: otherwise all ages are unknown.
    pub same_boot: bool,
}

/// What is remembered of one sequence.
#[derive(Clone, Debug, PartialEq)]
pub struct SequenceMemory {
    /// How it stood.
    pub state: SequenceState,
    /// The mode that the configuration gave then. If it gives another one now, the configuration wins.
    pub configured: Mode,
    /// The names of its stages then. A run of other stages is held, never continued.
    pub stages: Vec<String>,
}

/// Counters that must not start again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Numbers {
    /// Of alarm changes.
    pub alarm_change: u64,
    /// Of orders.
    pub order: u64,
    /// Of runs.
    pub run: u64,
    /// Of notices.
    pub notice: u64,
}

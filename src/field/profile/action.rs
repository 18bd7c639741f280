//! Actions: the commands a device takes, as the exact writes they are made of.
//!
//! What may be written is decided twice, both times by the same list: when a profile is read, and again when
//! a request is about to leave ([`Profile::allows`]). Nothing outside of an action is ever written (S22).

use crate::safety::site::OutputKind;
use crate::units::Millis;

use super::{Forbidden, Profile, Table};

/// One command the device takes.
#[derive(Clone, Debug, PartialEq)]
pub struct ActionSpec {
    /// Its name: `[a-z0-9][a-z0-9-]{0,47}`.
    pub name: String,
    /// What is done, in order: 1 to [`STEPS_MAX`](super::STEPS_MAX) steps, of which at least one writes.
    pub steps: Vec<Step>,
    /// Whether giving it twice is harmless.
    pub output: OutputKind,
    /// What is read before the first step, and again after the last.
    pub state: Option<StateSpec>,
    /// How long what it switches takes to move, as the maker says; nothing where that is not known.
    pub travel: Millis,
    /// Once told, the device goes on by itself: no later command takes it back.
    pub irrevocable: bool,
    /// The model (SunSpec) that its addresses count from; `None` for addresses as on the wire.
    pub model: Option<u16>,
    /// Which of the models of this number, from 0.
    pub model_index: u16,
}

impl ActionSpec {
    /// All that it writes, in order.
    pub fn writes(&self) -> impl Iterator<Item = &Write> {
        self.steps.iter().filter_map(|step| match step {
            Step::Write(write) => Some(write),
            Step::Await(_) => None,
        })
    }
}

/// One step of an action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Writes, once.
    Write(Write),
    /// Reads a status until the device is done with what was written.
    Await(Await),
}

/// A status of the device that tells when, and how, a command ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Await {
    /// In which table.
    pub table: Table,
    /// Its address.
    pub address: u16,
    /// The bits of the word that are looked at.
    pub mask: u16,
    /// Still under way: ask again.
    pub busy: Vec<u16>,
    /// Done well: go on. Any word that is neither is a refusal.
    pub done: Vec<u16>,
    /// The pause between two questions.
    pub every: Millis,
    /// How long it may be busy.
    pub within: Millis,
}

/// What an action writes: these addresses and values, and nothing else (S22).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// One coil (function 5).
    Coil {
        /// The coil.
        address: u16,
        /// On or off.
        on: bool,
    },
    /// A word of the maker's own by the function that switches coils (5): a timed pulse, for instance.
    CoilWord {
        /// The address.
        address: u16,
        /// The word.
        word: u16,
    },
    /// Several coils at once (function 15).
    Coils {
        /// The first coil.
        address: u16,
        /// 1 to 1968 bits.
        bits: Vec<bool>,
    },
    /// One holding register (function 6).
    Register {
        /// The register.
        address: u16,
        /// The word.
        word: u16,
    },
    /// Several holding registers at once (function 16).
    Registers {
        /// The first register.
        address: u16,
        /// 1 to 123 words.
        words: Vec<u16>,
    },
}

impl Write {
    /// Its function code.
    #[must_use]
    pub const fn function(&self) -> u8 {
        match self {
            Self::Coil { .. } | Self::CoilWord { .. } => 5,
            Self::Coils { .. } => 15,
            Self::Register { .. } => 6,
            Self::Registers { .. } => 16,
        }
    }

    /// What it touches: the table, the first address, how many coils or registers.
    #[must_use]
    pub fn place(&self) -> (Table, u16, u16) {
        let count = |items: usize| u16::try_from(items).unwrap_or(u16::MAX);
        match self {
            Self::Coil { address, .. } | Self::CoilWord { address, .. } => (Table::Coil, *address, 1),
            Self::Coils { address, bits } => (Table::Coil, *address, count(bits.len())),
            Self::Register { address, .. } => (Table::Holding, *address, 1),
            Self::Registers { address, words } => (Table::Holding, *address, count(words.len())),
        }
    }

    /// Whether it touches one of these addresses.
    #[must_use]
    pub fn touches(&self, range: &Forbidden) -> bool {
        let (table, first, count) = self.place();
        range.table == table
            && first <= range.last
            && u32::from(range.first) < u32::from(first) + u32::from(count)
    }
}

impl Profile {
    /// Whether this may be written to the device: the last question before a request leaves. Only what an
    /// action of the profile holds, word for word, at an address as on the wire; never where the profile says
    /// that nothing may be written.
    #[must_use]
    pub fn allows(&self, write: &Write) -> bool {
        let offered = |(at, action): (usize, &ActionSpec)| {
            action.model.is_none()
                && !self.absent_actions.contains(&at)
                && action.writes().any(|own| own == write)
        };
        self.actions.iter().enumerate().any(offered)
            && !self.limits.unwritable.iter().any(|range| write.touches(range))
    }
}

/// What tells the state of an output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateSpec {
    /// In which table.
    pub table: Table,
    /// Its first address.
    pub address: u16,
    /// How many words or bits it takes.
    pub count: u16,
    /// The first word right after the write, where the device promises one. `None` where the state follows
    /// later, as an auxiliary contact does: then only the sequence's own feedback counts.
    pub read_back: Option<u16>,
}

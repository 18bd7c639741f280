//! Profiles: register maps of device models, as data.
//!
//! A profile says where a device keeps its values, how they are encoded, what they mean, and which commands
//! it takes. It is TOML, parsed once at the border (`Profile::parse`), which reports every fault with its
//! place in the file, and trusted inside. `[[example]]` blocks (raw words in, decoded values out) travel with
//! it and are run by the tests.
//! A profile holds no plant: where a device stands, how often it is polled and which of its actions may be
//! given is the configuration's to say.

mod check;
pub mod example;
mod raw;
mod shipped;

use std::ops::Range;

use crate::safety::site::{DeviceKind, Labels, OutputKind};
use crate::units::Unit;

pub use shipped::{Shipped, builtin};

/// The most registers one request may read (Modbus application protocol 1.1b3).
pub const REGISTERS_PER_READ_MAX: u16 = 125;

/// The most coils or discrete inputs one request may read.
pub const BITS_PER_READ_MAX: u16 = 2000;

/// The most registers one request may write.
pub const REGISTERS_PER_WRITE_MAX: usize = 123;

/// The most points a profile may hold, after repeats.
pub const POINTS_MAX: usize = 10_000;

/// Holes that a request may read across unless the profile says otherwise: many devices refuse a block that
/// touches an undefined register, and a refused block costs more than a second request.
pub const GAP_DEFAULT: u16 = 16;

/// The register map of one device model.
#[derive(Clone, Debug)]
pub struct Profile {
    /// Its id, as the configuration names it: `[a-z0-9][a-z0-9-]{0,47}`.
    pub id: String,
    /// Who makes the device.
    pub vendor: String,
    /// The models it fits.
    pub models: Vec<String>,
    /// What the device measures or does.
    pub kind: DeviceKind,
    /// The document or driver that the map was taken from, with its revision.
    pub source: String,
    /// How the device is usually reached, for people.
    pub transport: Option<String>,
    /// What one request to the device may ask for.
    pub limits: Limits,
    /// Its points, in the order of the file, repeats in place.
    pub points: Vec<PointSpec>,
    /// The commands it takes.
    pub actions: Vec<ActionSpec>,
    /// Which states take which points out of service.
    pub services: Vec<ServiceRule>,
    /// Worked examples.
    pub examples: Vec<example::Example>,
}

impl Profile {
    /// Parses and checks a profile.
    ///
    /// # Errors
    /// Every fault of the file at once, each with its place in `text`. `file_name` is only repeated in them.
    pub fn parse(text: &str, file_name: &str) -> Result<Self, Vec<ProfileFault>> {
        check::profile(text, file_name)
    }

    /// The position of the point with this name.
    #[must_use]
    pub fn point(&self, name: &str) -> Option<usize> {
        self.points.iter().position(|point| point.name == name)
    }

    /// The action with this name.
    #[must_use]
    pub fn action(&self, name: &str) -> Option<&ActionSpec> {
        self.actions.iter().find(|action| action.name == name)
    }

    /// The scan classes of its points, sorted, each once.
    #[must_use]
    pub fn classes(&self) -> Vec<&str> {
        let mut classes: Vec<&str> = self.points.iter().map(|point| point.class.as_str()).collect();
        classes.sort_unstable();
        classes.dedup();
        classes
    }
}

/// One fault of a profile file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}: {sentence}")]
pub struct ProfileFault {
    /// The file, as `Profile::parse` was told.
    pub file: String,
    /// Where in the text, in bytes.
    pub span: Range<usize>,
    /// What is wrong.
    pub sentence: String,
    /// What to do about it.
    pub help: Option<String>,
}

/// One of the four Modbus tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Table {
    /// Coils: bits that can be read (function 1) and written (5).
    Coil,
    /// Discrete inputs: bits that can be read (function 2).
    Discrete,
    /// Input registers: words that can be read (function 4).
    Input,
    /// Holding registers: words that can be read (function 3) and written (6, 16).
    Holding,
}

impl Table {
    /// True for the tables of single bits.
    #[must_use]
    pub const fn holds_bits(self) -> bool {
        matches!(self, Self::Coil | Self::Discrete)
    }

    /// Its word in profiles.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Coil => "coil",
            Self::Discrete => "discrete",
            Self::Input => "input",
            Self::Holding => "holding",
        }
    }
}

/// What one request to a device may ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Registers per read, 1 to 125.
    pub max_registers: u16,
    /// Coils or discrete inputs per read, 1 to 2000.
    pub max_bits: u16,
    /// The widest hole between two points that one request may read across.
    pub max_gap: u16,
    /// Never touched, not even as filler: undefined, cleared by reading, or slow.
    pub forbidden: Vec<Forbidden>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_registers: REGISTERS_PER_READ_MAX,
            max_bits: BITS_PER_READ_MAX,
            max_gap: GAP_DEFAULT,
            forbidden: Vec::new(),
        }
    }
}

/// Addresses that no read may touch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Forbidden {
    /// In which table.
    pub table: Table,
    /// The first address.
    pub first: u16,
    /// The last address, included.
    pub last: u16,
}

/// How a value is laid out in bits or words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// One coil or discrete input: 0 or 1.
    Bool,
    /// One word, unsigned.
    U16,
    /// One word, two's complement.
    I16,
    /// Two words, unsigned.
    U32,
    /// Two words, two's complement.
    I32,
    /// Four words, unsigned. Above 2^53 the nearest number a `Value` can hold.
    U64,
    /// Four words, two's complement. Beyond ±2^53 the nearest number a `Value` can hold.
    I64,
    /// Two words, IEEE 754.
    F32,
    /// Four words, IEEE 754.
    F64,
}

impl Encoding {
    /// How many words (or bits, for a bit) it takes.
    #[must_use]
    pub const fn words(self) -> u16 {
        match self {
            Self::Bool | Self::U16 | Self::I16 => 1,
            Self::U32 | Self::I32 | Self::F32 => 2,
            Self::U64 | Self::I64 | Self::F64 => 4,
        }
    }
}

/// Which half comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// The more significant half.
    #[default]
    Big,
    /// The less significant half.
    Little,
}

/// One value of the device.
#[derive(Clone, Debug, PartialEq)]
pub struct PointSpec {
    /// Its name: `[a-z0-9][a-z0-9-]{0,47}`.
    pub name: String,
    /// Where it is kept.
    pub table: Table,
    /// Its first address, as on the wire (counted from 0).
    pub address: u16,
    /// How it is laid out.
    pub encoding: Encoding,
    /// Order of the two bytes of each word.
    pub byte_order: Order,
    /// Order of the words of a longer value.
    pub word_order: Order,
    /// From the raw number to the unit.
    pub scaling: Scaling,
    /// The unit after scaling.
    pub unit: Unit,
    /// The physical range after scaling.
    pub range: Option<(f64, f64)>,
    /// Raw bit patterns by which the device says "no value".
    pub sentinels: Vec<u64>,
    /// The fastest believable fall, in units per second.
    pub fall_per_s_max: Option<f64>,
    /// The scan class it is read in.
    pub class: String,
    /// What its whole numbers mean.
    pub labels: Labels,
}

impl PointSpec {
    /// How many words (or bits) it takes.
    #[must_use]
    pub const fn words(&self) -> u16 {
        self.encoding.words()
    }

    /// What this value is called: the name of a state, or the names of the bits that are set.
    #[must_use]
    pub fn label(&self, value: f64) -> Option<String> {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be whole")]
        let whole = (0.0..=9.0e15).contains(&value).then_some(value.trunc() as u64)?;
        match &self.labels {
            Labels::None => None,
            Labels::Enum(names) => {
                names.iter().find(|(number, _)| u64::from(*number) == whole).map(|(_, name)| name.clone())
            }
            Labels::Bits(names) => {
                let set = names.iter().filter(|(bit, _)| whole >> bit & 1 == 1);
                Some(set.map(|(_, name)| name.as_str()).collect::<Vec<_>>().join(" "))
            }
        }
    }
}

/// From the raw number to the unit: `raw * scale + offset`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scaling {
    /// Units per count.
    pub scale: f64,
    /// Added after scaling.
    pub offset: f64,
    /// Ten to the number of decimals that `scale` and `offset` have, so that 305 × 0.1 is 30.5 and not
    /// 30.500000000000004. `None` where the value is not a decimal fraction.
    pub decimal: Option<f64>,
}

/// One command the device takes.
#[derive(Clone, Debug, PartialEq)]
pub struct ActionSpec {
    /// Its name: `[a-z0-9][a-z0-9-]{0,47}`.
    pub name: String,
    /// What is written.
    pub write: Write,
    /// Whether giving it twice is harmless.
    pub output: OutputKind,
    /// What is read before the write, and again after it.
    pub state: Option<StateSpec>,
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

/// A state that takes points out of service: warming up, inhibited, being calibrated.
#[derive(Clone, Debug, PartialEq)]
pub struct ServiceRule {
    /// The position of the state point.
    pub state: usize,
    /// The states in which the others do not measure.
    pub out_of_service: Vec<u32>,
    /// The positions of the points that then do not measure; read in the same scan class.
    pub applies_to: Vec<usize>,
}

#[cfg(test)]
mod tests;

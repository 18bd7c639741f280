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

use std::collections::BTreeSet;
use std::ops::Range;

use crate::safety::site::{DeviceKind, Labels, OutputKind};
use crate::units::{Millis, Unit};

pub use shipped::{Shipped, builtin};

/// The most registers one request may read (Modbus application protocol 1.1b3).
pub const REGISTERS_PER_READ_MAX: u16 = 125;

/// The most coils or discrete inputs one request may read.
pub const BITS_PER_READ_MAX: u16 = 2000;

/// The most registers one request may write.
pub const REGISTERS_PER_WRITE_MAX: usize = 123;

/// The most points a profile may hold, after repeats.
pub const POINTS_MAX: usize = 10_000;

/// The most coils one request may write.
pub const COILS_PER_WRITE_MAX: usize = 1968;

/// The most steps an action may have.
pub const STEPS_MAX: usize = 16;

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
    /// Texts the device can tell of itself: maker, model, serial number, firmware.
    pub texts: Vec<TextSpec>,
    /// By what the device is recognised, best first.
    pub identity: Vec<IdentityCheck>,
    /// What has to be asked of the device before its points have addresses.
    pub layout: LayoutSpec,
    /// Positions of points that this device does not have: members of a group beyond what it counts, points
    /// of models it does not list. They are not asked for. Empty until the profile is placed.
    pub absent: BTreeSet<usize>,
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
    /// The widest hole between two points that one request may read across. `None`: what the line's cost says.
    pub max_gap: Option<u16>,
    /// Never touched, not even as filler: undefined or slow.
    pub forbidden: Vec<Forbidden>,
    /// Cleared by reading, or with another effect of being read: read only as a point of its own, never as
    /// filler.
    pub read_clears: Vec<Forbidden>,
    /// Each point is asked for alone: the device refuses, or fills with zeros, what a longer read touches.
    pub single_reads: bool,
    /// The rest that the device needs between a reply and the next request.
    pub pause: Millis,
    /// How long after it came back the device's values mean nothing: a device that starts shows zeros.
    pub settle: Millis,
    /// Added to the unit of a request, it gives the unit that the reply carries. Zero for nearly all devices.
    pub reply_unit_offset: i16,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_registers: REGISTERS_PER_READ_MAX,
            max_bits: BITS_PER_READ_MAX,
            max_gap: None,
            forbidden: Vec::new(),
            read_clears: Vec::new(),
            single_reads: false,
            pause: Millis::ZERO,
            settle: Millis::ZERO,
            reply_unit_offset: 0,
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
    /// The point whose value is the exponent of ten by which this one is multiplied (SunSpec scale factor).
    pub factor: Option<usize>,
    /// Points of one number are always read in one request: a snapshot that must not be torn.
    pub atomic: Option<u16>,
    /// The model (SunSpec) that the address counts from; `None` for an address as on the wire.
    pub model: Option<u16>,
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
    /// What is done, in order: 1 to [`STEPS_MAX`] steps, of which at least one writes.
    pub steps: Vec<Step>,
    /// Whether giving it twice is harmless.
    pub output: OutputKind,
    /// What is read before the first step, and again after the last.
    pub state: Option<StateSpec>,
    /// The model (SunSpec) that its addresses count from; `None` for addresses as on the wire.
    pub model: Option<u16>,
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
}

/// A text the device can tell of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextSpec {
    /// Its name: `[a-z0-9][a-z0-9-]{0,47}`.
    pub name: String,
    /// Where it is kept: words of two characters.
    pub table: Table,
    /// Its first address.
    pub address: u16,
    /// How many words, 1 to 125.
    pub words: u16,
    /// Which of the two characters of a word comes first.
    pub byte_order: Order,
    /// The model (SunSpec) that the address counts from; `None` for an address as on the wire.
    pub model: Option<u16>,
}

/// One way to recognise the device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IdentityCheck {
    /// An object of its device identification (function 43/14) contains this text, whatever the case.
    DeviceId {
        /// The object: 0 vendor, 1 product code, 2 revision, 4 product name, 5 model name.
        object: u8,
        /// The text.
        contains: String,
    },
    /// Its server id (function 17) contains this text, whatever the case.
    ServerId {
        /// The text.
        contains: String,
    },
    /// One of its texts contains this, whatever the case.
    Text {
        /// Position among the profile's texts.
        text: usize,
        /// What it contains.
        contains: String,
    },
    /// A register, masked, holds one of these words.
    Register {
        /// In which table.
        table: Table,
        /// Its address.
        address: u16,
        /// The bits that are looked at.
        mask: u16,
        /// The words.
        one_of: Vec<u16>,
    },
    /// Its SunSpec chain lists this model.
    Model(u16),
}

/// What has to be asked of the device before its points have addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LayoutSpec {
    /// The addresses where a SunSpec map may begin; empty for devices without one.
    pub sunspec_bases: Vec<u16>,
    /// Groups that the device counts.
    pub groups: Vec<GroupSpec>,
}

/// A repeated group of points of which a device has as many as it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupSpec {
    /// In which table the number is kept.
    pub table: Table,
    /// At which address.
    pub address: u16,
    /// The model (SunSpec) that the address counts from; `None` for an address as on the wire.
    pub model: Option<u16>,
    /// The positions of the points of each member, in order. Those of members beyond the number are absent.
    pub members: Vec<Vec<usize>>,
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

//! Points: the values of a device, and how they are laid out in its registers.
//!
//! Everything here is data that `check` has proved consistent; `decode` reads it.

use crate::safety::site::Labels;
use crate::units::Unit;

use super::Table;

/// How a value is laid out in bits or words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    /// One word of four decimal digits. A digit above nine is `Malformed`.
    Bcd16,
    /// Two words of eight decimal digits. A digit above nine is `Malformed`.
    Bcd32,
    /// One word: the highest bit is the sign, the others the magnitude.
    Sm16,
}

impl Encoding {
    /// How many words (or bits, for a bit) it takes.
    #[must_use]
    pub const fn words(self) -> u16 {
        match self {
            Self::Bool | Self::U16 | Self::I16 | Self::Bcd16 | Self::Sm16 => 1,
            Self::U32 | Self::I32 | Self::F32 | Self::Bcd32 => 2,
            Self::U64 | Self::I64 | Self::F64 => 4,
        }
    }

    /// Its word in profiles.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::U16 => "u16",
            Self::I16 => "i16",
            Self::U32 => "u32",
            Self::I32 => "i32",
            Self::U64 => "u64",
            Self::I64 => "i64",
            Self::F32 => "f32",
            Self::F64 => "f64",
            Self::Bcd16 => "bcd16",
            Self::Bcd32 => "bcd32",
            Self::Sm16 => "sm16",
        }
    }
}

/// Some neighbouring bits of an integer, which are a number of their own: signed where the integer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// The lowest of them.
    pub shift: u8,
    /// How many, 1 to 64.
    pub width: u8,
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
    /// The bits that are its value, where they are not all.
    pub part: Option<Part>,
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
    /// Raw bit patterns (of the part, where there is one) by which the device says "no value".
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
    /// Which of the models of this number, from 0.
    pub model_index: u16,
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

//! Profiles: register maps of device models, as data.
//!
//! A profile says where a device keeps its values, how they are encoded, what they mean, and which commands
//! it takes. It is TOML, parsed once at the border (`Profile::parse`), which reports every fault with its
//! place in the file, and trusted inside. `[[example]]` blocks (raw words in, decoded values out) travel with
//! it and are run by the tests.
//! A profile holds no plant: where a device stands, how often it is polled and which of its actions may be
//! given is the configuration's to say.

mod action;
mod check;
pub mod example;
mod identity;
mod layout;
mod point;
mod raw;
mod shipped;
pub mod walk;

use std::collections::BTreeSet;
use std::ops::Range;

use crate::safety::site::DeviceKind;
use crate::units::Millis;

pub use action::{ActionSpec, Await, StateSpec, Step, Write};
pub use identity::{IdentityCheck, TextSpec};
pub use layout::{GroupSpec, Layout, LayoutSpec, ModelAt};
pub use point::{Encoding, Order, Part, PointSpec, Scaling, ServiceRule};
pub use shipped::{Shipped, builtin};
pub use walk::{Walk, WalkFault, WalkStep};

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
    /// Positions of actions that this device does not take, likewise.
    pub absent_actions: BTreeSet<usize>,
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
    /// Never written, whatever an action says.
    pub unwritable: Vec<Forbidden>,
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
            unwritable: Vec::new(),
            single_reads: false,
            pause: Millis::ZERO,
            settle: Millis::ZERO,
            reply_unit_offset: 0,
        }
    }
}

/// Addresses that must not be touched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forbidden {
    /// In which table.
    pub table: Table,
    /// The first address.
    pub first: u16,
    /// The last address, included.
    pub last: u16,
}

#[cfg(test)]
mod tests;

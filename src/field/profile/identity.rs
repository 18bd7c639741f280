//! How a device says what it is: texts, and the checks that recognise it.

use super::{Order, Table};

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
    /// Which of the models of this number, from 0.
    pub model_index: u16,
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

//! `state`: a bit, an enum value or a device's own alarm.

use crate::safety::risk::Level;
use crate::safety::site::PointId;
use crate::units::Millis;

/// Meanings of a point's whole-number values.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// The point judged.
    pub point: PointId,
    /// What means which level; the worst that matches counts, none is `normal`.
    pub cases: Vec<Case>,
    /// How long a case must hold.
    pub on_delay: Millis,
    /// How long it must be gone.
    pub off_delay: Millis,
}

/// One meaning.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Case {
    /// What matches.
    pub when: When,
    /// What it means.
    pub level: Level,
}

/// What matches a whole-number value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// The value is this.
    Is(u32),
    /// The value is anything but this.
    IsNot(u32),
    /// Any of these bits is set.
    AnyBit(u32),
}

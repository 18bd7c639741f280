//! A reading: a value with its time and quality, and always the reason where it is not good.

use crate::units::{Uptime, Value};

/// What is known of a point.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Reading {
    /// No answer yet since the start.
    #[default]
    NeverSeen,
    /// Believed.
    Good {
        /// What the device sent.
        value: Value,
        /// When the reply arrived.
        taken: Uptime,
    },
    /// A number that something speaks against: shown, but it votes for nothing.
    Uncertain {
        /// What the device sent.
        value: Value,
        /// When the reply arrived.
        taken: Uptime,
        /// What speaks against it.
        why: Doubt,
    },
    /// No number to go by.
    Bad {
        /// The last value that was believed, and when it was taken.
        last: Option<(Value, Uptime)>,
        /// What is the matter.
        why: Loss,
    },
}

impl Reading {
    /// Why a number that the device delivers is not believed; `None` for one that is, and for one that did not come.
    #[must_use]
    pub const fn distrusted(&self) -> Option<Distrust> {
        match *self {
            Self::Uncertain { why: Doubt::TooFast, .. } => Some(Distrust::TooFast),
            Self::Uncertain { why: Doubt::Disagrees, .. } => Some(Distrust::Disagrees),
            Self::Bad { why: Loss::OutOfRange, .. } => Some(Distrust::OutOfRange),
            Self::Bad { why: Loss::Frozen, .. } => Some(Distrust::Frozen),
            Self::Bad { why: Loss::HeartbeatStopped, .. } => Some(Distrust::HeartbeatStopped),
            Self::Bad { why: Loss::Fault(fault), .. } if fault.is_disowned() => Some(Distrust::Disowned),
            Self::NeverSeen | Self::Good { .. } | Self::Bad { why: Loss::Stale | Loss::Fault(_), .. } => None,
        }
    }

    /// The value, if it is good.
    #[must_use]
    pub const fn good(&self) -> Option<(Value, Uptime)> {
        match *self {
            Self::Good { value, taken } => Some((value, taken)),
            Self::NeverSeen | Self::Uncertain { .. } | Self::Bad { .. } => None,
        }
    }
}

/// What speaks against a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// It fell faster than the quantity can.
    TooFast,
    /// It has read calmer than what measures the same thing, for too long.
    Disagrees,
}

/// Why there is no number to go by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// The device did not deliver one.
    Fault(ReadFault),
    /// Too old: three polls were missed.
    Stale,
    /// Outside the physical range.
    OutOfRange,
    /// Bit-identical for too long while its siblings moved.
    Frozen,
    /// The device answers, but its heartbeat has stopped counting: what it sends is old.
    HeartbeatStopped,
}

/// What is the matter with a number that is not believed though the device delivers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Distrust {
    /// Outside the physical range.
    OutOfRange,
    /// It does not move while its siblings do.
    Frozen,
    /// Its device repeats itself.
    HeartbeatStopped,
    /// The device itself says that it has no value.
    Disowned,
    /// It fell faster than the quantity can.
    TooFast,
    /// It reads calmer than what measures the same thing.
    Disagrees,
}

impl Distrust {
    /// All, each with its word in records.
    pub const TABLE: [(Self, &'static str); 6] = [
        (Self::OutOfRange, "out-of-range"),
        (Self::Frozen, "frozen"),
        (Self::HeartbeatStopped, "heartbeat-stopped"),
        (Self::Disowned, "disowned"),
        (Self::TooFast, "rate-of-change"),
        (Self::Disagrees, "disagrees"),
    ];
}

/// Why a poll delivered no value. The border type of the field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ReadFault {
    /// No complete reply within the deadline of the transaction.
    Timeout,
    /// No connection to the link.
    Disconnected,
    /// The device answered with this Modbus exception code.
    Exception(u8),
    /// A reply of another transaction, unit, function or length: rejected, the link rebuilt.
    Mismatch,
    /// The reply was cut short or was no Modbus frame.
    Malformed,
    /// The device's own mark for "no value".
    Sentinel,
    /// Not a number, or infinite.
    NotANumber,
    /// The device says that it is warming up, inhibited or being calibrated.
    NotInService,
}

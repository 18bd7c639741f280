//! `limit`: a point above or below its limits.

use crate::safety::site::PointId;
use crate::units::Millis;

/// Limits of one point, one step per level.
#[derive(Clone, Debug, PartialEq)]
pub struct Limit {
    /// The point judged.
    pub point: PointId,
    /// Which side is dangerous.
    pub side: Side,
    /// How far back inside a limit a value must come before its level is left, in the point's unit; not negative.
    pub deadband: f64,
    /// At `watch`, `warning` and `danger`, where set; each at least as far out as the one before.
    pub steps: [Option<Step>; 3],
}

/// Which side of a limit is dangerous.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// At or above the limit.
    Above,
    /// At or below the limit.
    Below,
}

/// One level's limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// In the point's unit (or per minute, for `rate`).
    pub limit: f64,
    /// How long the value must be beyond the limit, on at least two good samples unless zero.
    pub on_delay: Millis,
    /// How long the value must be back before the level is left.
    pub off_delay: Millis,
    /// Beyond this the on-delay is skipped: one good sample is a finding (never a whole vote).
    pub extreme: Option<f64>,
}

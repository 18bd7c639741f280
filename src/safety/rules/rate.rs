//! `rate`: a point moving too fast.

use crate::safety::rules::limit::{Side, Step};
use crate::safety::site::PointId;
use crate::units::Millis;

/// The most samples a window holds; older ones are thinned out.
pub const WINDOW_SAMPLES_MAX: usize = 64;

/// Rates of change of one point, one step per level. Limits are in the point's unit **per minute**.
#[derive(Clone, Debug, PartialEq)]
pub struct Rate {
    /// The point judged.
    pub point: PointId,
    /// Rising or falling.
    pub side: Side,
    /// Over how long the slope is taken.
    pub window: Millis,
    /// The fewest good samples in the window that make a slope; at least three.
    pub samples_min: usize,
    /// Judge only while the value itself is at or beyond this.
    pub floor: Option<f64>,
    /// How far below a limit the slope must come before its level is left, per minute.
    pub deadband: f64,
    /// At `watch`, `warning` and `danger`, where set.
    pub steps: [Option<Step>; 3],
}

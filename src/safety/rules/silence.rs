//! `silence`: points that deliver nothing to go by.

use crate::safety::risk::Level;
use crate::safety::site::PointId;
use crate::units::Millis;

/// Silence of points, and what it means.
#[derive(Clone, Debug, PartialEq)]
pub struct Silence {
    /// Silent when none of these has been good …
    pub points: Vec<PointId>,
    /// … for this long.
    pub after: Millis,
    /// What that means in a calm zone.
    pub level: Level,
    /// What it means in a zone that was at `watch` or worse when the silence began: telemetry lost in a
    /// warning is the strongest electrical signature there is, so it may only be worse than `level`.
    pub level_if_abnormal: Level,
}

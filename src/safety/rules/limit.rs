//! `limit`: a point above or below its limits.

use crate::safety::risk::{Evidence, Level};
use crate::safety::rules::ladder::{Ladder, Place, Rung};
use crate::safety::site::PointId;
use crate::units::{Millis, Uptime, Value};

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

impl Limit {
    pub(crate) fn judge(&self, ladder: &mut Ladder, value: Value, taken: Uptime) -> (Level, Evidence) {
        let rungs = self.steps.map(|step| step.map(|step| step.rung(self.side, value.get(), self.deadband)));
        let level = ladder.feed(taken, rungs);
        let limit = limit_behind(&self.steps, level);
        (level, Evidence::Limit { point: self.point, value, limit, taken })
    }
}

impl Side {
    /// Whether a value is at or beyond a limit.
    #[must_use]
    pub fn is_beyond(self, value: f64, limit: f64) -> bool {
        match self {
            Self::Above => limit <= value,
            Self::Below => value <= limit,
        }
    }
}

impl Step {
    pub(crate) fn rung(&self, side: Side, value: f64, deadband: f64) -> Rung {
        let release = match side {
            Side::Above => self.limit - deadband,
            Side::Below => self.limit + deadband,
        };
        let place = if side.is_beyond(value, self.limit) {
            Place::Beyond { extreme: self.extreme.is_some_and(|extreme| side.is_beyond(value, extreme)) }
        } else if 0.0 < deadband && side.is_beyond(value, release) {
            Place::Between
        } else {
            Place::Inside
        };
        Rung { place, on_delay: self.on_delay, off_delay: self.off_delay }
    }
}

/// The limit that speaks for a level: its own step's, or the lowest there is when calm.
pub(crate) fn limit_behind(steps: &[Option<Step>; 3], level: Level) -> f64 {
    let own = match level {
        Level::Normal => None,
        Level::Watch => steps[0],
        Level::Warning => steps[1],
        Level::Danger => steps[2],
    };
    own.or_else(|| steps.iter().flatten().next().copied()).map_or(0.0, |step| step.limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(side: Side) -> Limit {
        let step = |limit| Some(Step { limit, on_delay: Millis(0), off_delay: Millis(0), extreme: None });
        let steps = match side {
            Side::Above => [step(45.0), step(55.0), step(80.0)],
            Side::Below => [step(3.0), step(2.8), step(2.5)],
        };
        Limit { point: PointId(0), side, deadband: 0.1, steps }
    }

    fn level_of(side: Side, values: &[f64]) -> Level {
        let (limit, mut ladder) = (limit(side), Ladder::default());
        let mut level = Level::Normal;
        for (second, value) in (0..).zip(values) {
            let value = Value::new(*value).expect("test values are finite");
            level = limit.judge(&mut ladder, value, Uptime(second * 1000)).0;
        }
        level
    }

    #[test]
    fn each_side_and_each_level_is_found_at_its_limit_exactly() {
        use Level::{Danger, Normal, Warning, Watch};
        for (value, level) in
            [(44.9, Normal), (45.0, Watch), (54.9, Watch), (55.0, Warning), (79.9, Warning), (80.0, Danger)]
        {
            assert_eq!(level_of(Side::Above, &[value]), level, "above at {value}");
        }
        for (value, level) in
            [(3.1, Normal), (3.0, Watch), (2.81, Watch), (2.8, Warning), (2.51, Warning), (2.5, Danger)]
        {
            assert_eq!(level_of(Side::Below, &[value]), level, "below at {value}");
        }
    }

    #[test]
    fn a_level_is_left_only_beyond_the_deadband() {
        assert_eq!(level_of(Side::Above, &[45.0, 44.95]), Level::Watch);
        assert_eq!(level_of(Side::Above, &[45.0, 44.8]), Level::Normal);
        assert_eq!(level_of(Side::Below, &[3.0, 3.05]), Level::Watch);
        assert_eq!(level_of(Side::Below, &[3.0, 3.2]), Level::Normal);
    }
}

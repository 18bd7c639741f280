//! `limit`: a point above or below its limits.
//!
//! A point that falls silent may be projected: its last value, moved on at the fastest believable rate, raises
//! `watch` and `warning` early (R4). A projection is a fear, not a reading: it never makes a vote (S6).

use crate::safety::risk::outlook::Ahead;
use crate::safety::risk::{Evidence, Level};
use crate::safety::rules::ladder::{Ladder, Place, Rung};
use crate::safety::rules::{Look, NEVER, Verdict, View};
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
    /// How fast the value may have moved toward danger while it is not known, in units per minute, above zero.
    /// `None`: the site wrote that nothing is to be feared of its silence.
    pub projection: Option<f64>,
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
    pub(crate) fn look(&self, ladder: &mut Ladder, view: View<'_>) -> Look {
        let look = view.one(self.point, |value, taken| {
            let (level, evidence) = self.judge(ladder, value, taken);
            Verdict::Judged(level, evidence)
        });
        match (&look.verdict, self.projection) {
            (Verdict::Unknown, Some(per_minute)) => self.fear(per_minute, view),
            (Verdict::Unknown, None)
            | (Verdict::Judged(..) | Verdict::Unchanged | Verdict::Learning | Verdict::Feared(..), _) => look,
        }
    }

    /// What the silent value may be by now. It grows no further than `warning`.
    fn fear(&self, per_minute: f64, view: View<'_>) -> Look {
        let Some(last) = view.picture.last_good(self.point) else {
            return Look { verdict: Verdict::Unknown, wake: NEVER };
        };
        let age = view.now.since(last.taken);
        let toward = match self.side {
            Side::Above => per_minute,
            Side::Below => -per_minute,
        };
        let value = last.value.get() + toward * age.as_secs_f64() / 60.0;
        let (mut level, mut wake) = (Level::Normal, NEVER);
        for (step, means) in self.steps.iter().zip([Level::Watch, Level::Warning, Level::Warning]) {
            let Some(step) = step else { continue };
            if self.side.is_beyond(value, step.limit) {
                level = level.max(means);
            } else {
                let minutes = (step.limit - last.value.get()) / toward;
                wake = wake.min(last.taken.plus(Millis::after_minutes(minutes)));
            }
        }
        let limit = limit_behind(&self.steps, level);
        let (point, last, taken) = (self.point, last.value, last.taken);
        Look {
            verdict: Verdict::Feared(level, Evidence::Projected { point, last, value, limit, taken }),
            wake,
        }
    }

    /// How far a value at this level is from its next limit; `None` for one that is normal or has no further.
    pub(crate) fn ahead(&self, level: Level, value: Value) -> Option<Ahead> {
        let next = match level {
            Level::Normal | Level::Danger => return None,
            Level::Watch => [(Level::Warning, self.steps[1]), (Level::Danger, self.steps[2])],
            Level::Warning => [(Level::Danger, self.steps[2]); 2],
        };
        let (level, limit) = next.into_iter().find_map(|(level, step)| Some((level, step?.limit)))?;
        let toward = |number: f64| match self.side {
            Side::Above => number,
            Side::Below => -number,
        };
        let (value, limit) = (toward(value.get()), toward(limit));
        (value < limit).then_some(Ahead { level, value, limit })
    }

    pub(crate) fn judge(&self, ladder: &mut Ladder, value: Value, taken: Uptime) -> (Level, Evidence) {
        let [watch, warning, danger] = &self.steps;
        let rung = |step: &Option<Step>| Some(step.as_ref()?.rung(self.side, value.get(), self.deadband));
        let level = ladder.feed(taken, [rung(watch), rung(warning), rung(danger)]);
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
    #[inline]
    pub(crate) fn rung(&self, side: Side, value: f64, deadband: f64) -> Rung {
        let release = match side {
            Side::Above => self.limit - deadband,
            Side::Below => self.limit + deadband,
        };
        let place = if side.is_beyond(value, self.limit) {
            Place::Beyond { extreme: self.extreme.is_some_and(|extreme| side.is_beyond(value, extreme)) }
        } else if side.is_beyond(value, release) {
            Place::Between
        } else {
            Place::Inside
        };
        Rung { place, on_delay: self.on_delay, off_delay: self.off_delay }
    }
}

/// The limit that speaks for a level: its own step's, or the lowest there is when calm.
#[inline]
pub(crate) fn limit_behind(steps: &[Option<Step>; 3], level: Level) -> f64 {
    let own = match level {
        Level::Normal => None,
        Level::Watch => steps[0].as_ref(),
        Level::Warning => steps[1].as_ref(),
        Level::Danger => steps[2].as_ref(),
    };
    own.or_else(|| steps.iter().flatten().next()).map_or(0.0, |step| step.limit)
}

/// The worst level that has a limit.
pub(crate) fn worst(steps: &[Option<Step>; 3]) -> Level {
    let levels = [Level::Watch, Level::Warning, Level::Danger];
    steps
        .iter()
        .zip(levels)
        .filter(|(step, _)| step.is_some())
        .map(|(_, level)| level)
        .max()
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::safety::rules::bench::Bench;

    fn limit(side: Side) -> Limit {
        let step = |limit| Some(Step { limit, on_delay: Millis(0), off_delay: Millis(0), extreme: None });
        let steps = match side {
            Side::Above => [step(45.0), step(55.0), step(80.0)],
            Side::Below => [step(3.0), step(2.8), step(2.5)],
        };
        Limit { point: PointId(0), side, deadband: 0.1, steps, projection: None }
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

    #[test]
    fn a_silent_value_is_feared_to_move_on_but_never_to_danger() {
        let fear = |silent_s: u64| {
            let mut bench = Bench::with_points(1);
            bench.read(0, &[Some(40.0)]);
            bench.read(silent_s, &[None]);
            let limit = Limit { projection: Some(6.0), ..limit(Side::Above) };
            limit.look(&mut Ladder::default(), bench.view())
        };
        // 6 degC a minute from 40: 45 after 50 s, 55 after 150 s, 80 after 400 s.
        for (silent_s, level, wake) in [
            (10, Level::Normal, Uptime(50_000)),
            (50, Level::Watch, Uptime(150_000)),
            (149, Level::Watch, Uptime(150_000)),
            (150, Level::Warning, Uptime(400_000)),
            (4000, Level::Warning, NEVER),
        ] {
            let look = fear(silent_s);
            let Verdict::Feared(found, Evidence::Projected { last, .. }) = look.verdict else {
                panic!("a silent value is projected")
            };
            assert_eq!((found, last.get(), look.wake), (level, 40.0, wake), "after {silent_s} s");
        }
        assert!(matches!(fear(2).verdict, Verdict::Unchanged), "a missed poll is not silence yet");
    }

    #[test]
    fn what_was_never_seen_is_unknown_and_not_projected() {
        let limit = Limit { projection: Some(6.0), ..limit(Side::Above) };
        let mut bench = Bench::with_points(1);
        bench.read(60, &[None]);
        assert!(matches!(limit.look(&mut Ladder::default(), bench.view()).verdict, Verdict::Unknown));
    }

    #[test]
    fn a_silent_value_is_feared_downward_where_low_is_dangerous() {
        let rule = Limit { projection: Some(0.6), ..limit(Side::Below) };
        // 0.6 V a minute from 3.5: 3.0 after 50 s, 2.8 after 70 s, 2.5 after 100 s.
        for (silent_s, level, feared, wake) in [
            (10, Level::Normal, 3.4, 50_000),
            (60, Level::Watch, 2.9, 70_000),
            (70, Level::Warning, 2.8, 100_000),
        ] {
            let mut bench = Bench::with_points(1);
            bench.read(0, &[Some(3.5)]);
            bench.read(silent_s, &[None]);
            let look = rule.look(&mut Ladder::default(), bench.view());
            let Verdict::Feared(found, Evidence::Projected { value, .. }) = look.verdict else {
                panic!("a silent value is projected")
            };
            assert_eq!(found, level, "after {silent_s} s");
            assert!((value - feared).abs() < 1e-9, "after {silent_s} s: {value}");
            assert!(look.wake.0.abs_diff(wake) <= 1, "after {silent_s} s: {:?}", look.wake);
        }
    }

    #[test]
    fn the_next_limit_is_the_next_that_is_set_and_only_while_it_is_ahead() {
        use Level::{Danger, Normal, Warning, Watch};
        let ahead = |rule: &Limit, level, value: f64| {
            let value = Value::new(value).expect("test values are finite");
            rule.ahead(level, value).map(|ahead| (ahead.level, ahead.value, ahead.limit))
        };
        let above = limit(Side::Above);
        assert_eq!(ahead(&above, Normal, 40.0), None);
        assert_eq!(ahead(&above, Watch, 50.0), Some((Warning, 50.0, 55.0)));
        assert_eq!(ahead(&above, Watch, 55.0), None, "it is there, and its delay runs");
        assert_eq!(ahead(&above, Warning, 60.0), Some((Danger, 60.0, 80.0)));
        assert_eq!(ahead(&above, Danger, 90.0), None);
        assert_eq!(ahead(&limit(Side::Below), Watch, 2.9), Some((Warning, -2.9, -2.8)));
        let without_warning = Limit { steps: [above.steps[0], None, above.steps[2]], ..above };
        assert_eq!(ahead(&without_warning, Watch, 60.0), Some((Danger, 60.0, 80.0)));
    }

    #[test]
    fn the_limit_that_is_shown_is_that_of_the_level_found_or_the_lowest() {
        let steps = limit(Side::Above).steps;
        let shown = |steps, limits: [f64; 4]| {
            for (level, limit) in Level::ALL.into_iter().zip(limits) {
                assert!((limit_behind(steps, level) - limit).abs() < f64::EPSILON, "{level:?}");
            }
        };
        shown(&steps, [45.0, 45.0, 55.0, 80.0]);
        shown(&[None, steps[1], steps[2]], [55.0, 55.0, 55.0, 80.0]);
    }
}

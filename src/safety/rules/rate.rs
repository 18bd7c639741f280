//! `rate`: a point moving too fast.
//!
//! The slope is a robust one (see `window`). It is judged only once the samples span half the window, so that
//! two close readings of a coarse sensor never look like a fire.

use crate::safety::risk::{Evidence, Level};
use crate::safety::rules::ladder::{Ladder, Place, Rung};
use crate::safety::rules::limit::{Side, Step, limit_behind};
use crate::safety::rules::window::Window;
use crate::safety::rules::{Look, Verdict, View};
use crate::safety::site::PointId;
use crate::units::{Millis, Uptime, Value};

pub use crate::safety::rules::window::WINDOW_SAMPLES_MAX;

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

impl Rate {
    pub(crate) fn look(&self, window: &mut Window, ladder: &mut Ladder, view: View<'_>) -> Look {
        view.one(self.point, |value, taken| {
            self.judge(window, ladder, value, taken)
                .map_or(Verdict::Learning, |(level, evidence)| Verdict::Judged(level, evidence))
        })
    }

    fn judge(
        &self,
        window: &mut Window,
        ladder: &mut Ladder,
        value: Value,
        taken: Uptime,
    ) -> Option<(Level, Evidence)> {
        window.push(taken, value.get(), self.window);
        if window.len() < self.samples_min || window.span().times(2) < self.window {
            return None;
        }
        let per_minute = window.per_minute()?;
        let above_floor = self.floor.is_none_or(|floor| self.side.is_beyond(value.get(), floor));
        let toward_danger = match self.side {
            Side::Above => per_minute,
            Side::Below => -per_minute,
        };
        let rungs = self.steps.map(|step| {
            step.map(|step| {
                if above_floor {
                    step.rung(Side::Above, toward_danger, self.deadband)
                } else {
                    Rung { place: Place::Inside, on_delay: step.on_delay, off_delay: step.off_delay }
                }
            })
        });
        let level = ladder.feed(taken, rungs);
        let limit = limit_behind(&self.steps, level);
        Some((level, Evidence::Rate { point: self.point, value, per_minute, limit, taken }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate() -> Rate {
        let step = |limit| Some(Step { limit, on_delay: Millis(0), off_delay: Millis(0), extreme: None });
        Rate {
            point: PointId(0),
            side: Side::Above,
            window: Millis::from_secs(60),
            samples_min: 3,
            floor: None,
            deadband: 0.5,
            steps: [step(3.0), step(6.0), step(10.0)],
        }
    }

    fn judged(rate: &Rate, value_at: impl Fn(u64) -> f64, seconds: u64) -> Option<(Level, f64)> {
        let (mut window, mut ladder) = (Window::default(), Ladder::default());
        let mut last = None;
        for second in 0..=seconds {
            let value = Value::new(value_at(second)).expect("test values are finite");
            last = rate.judge(&mut window, &mut ladder, value, Uptime(second * 1000)).map(
                |(level, evidence)| match evidence {
                    Evidence::Rate { per_minute, .. } => (level, per_minute),
                    _ => panic!("a rate gives a rate as evidence"),
                },
            );
        }
        last
    }

    #[expect(clippy::cast_precision_loss, reason = "seconds of a test")]
    fn ramp(per_minute: f64) -> impl Fn(u64) -> f64 {
        move |second| 20.0 + per_minute * second as f64 / 60.0
    }

    #[test]
    fn a_steady_ramp_is_measured_and_judged() {
        for (per_minute, level) in
            [(2.9, Level::Normal), (3.1, Level::Watch), (6.1, Level::Warning), (10.1, Level::Danger)]
        {
            let (found, slope) = judged(&rate(), ramp(per_minute), 90).expect("the window is full");
            assert!((slope - per_minute).abs() < 0.01, "slope {slope} of a ramp of {per_minute}");
            assert_eq!(found, level, "at {per_minute} per minute");
        }
    }

    #[test]
    fn two_noisy_samples_do_not_make_a_slope() {
        let spiky = |second: u64| if matches!(second, 40 | 56) { 60.0 } else { 20.0 };
        assert_eq!(judged(&rate(), spiky, 60).map(|found| found.0), Some(Level::Normal));
    }

    #[test]
    fn half_the_window_must_be_seen_first() {
        assert_eq!(judged(&rate(), ramp(20.0), 29), None);
        assert!(judged(&rate(), ramp(20.0), 30).is_some());
    }

    #[test]
    fn below_its_floor_a_slope_means_nothing() {
        let with_floor = Rate { floor: Some(50.0), ..rate() };
        assert_eq!(judged(&with_floor, ramp(10.0), 90).map(|found| found.0), Some(Level::Normal));
        assert_eq!(judged(&with_floor, ramp(30.0), 90).map(|found| found.0), Some(Level::Danger));
    }

    #[test]
    fn falling_fast_is_judged_where_falling_is_dangerous() {
        let falling = Rate { side: Side::Below, ..rate() };
        assert_eq!(judged(&falling, ramp(-7.0), 90).map(|found| found.0), Some(Level::Warning));
        assert_eq!(judged(&falling, ramp(7.0), 90).map(|found| found.0), Some(Level::Normal));
        assert_eq!(judged(&rate(), ramp(-7.0), 90).map(|found| found.0), Some(Level::Normal));
    }

    #[test]
    fn a_slope_takes_as_many_samples_as_are_written() {
        let value = Value::new(20.0).expect("test values are finite");
        let (mut window, mut ladder) = (Window::default(), Ladder::default());
        let mut known =
            |second: u64| rate().judge(&mut window, &mut ladder, value, Uptime(second * 1000)).is_some();
        assert_eq!([0, 40, 50].map(&mut known), [false, false, true]);
    }
}

//! `state`: a bit, an enum value or a device's own alarm.

use crate::safety::risk::{Evidence, Level};
use crate::safety::rules::ladder::{Ladder, Place, Rung};
use crate::safety::rules::{Look, Verdict, View};
use crate::safety::site::PointId;
use crate::units::{Millis, Uptime, Value};

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

impl State {
    pub(crate) fn look(&self, ladder: &mut Ladder, view: View<'_>) -> Look {
        view.one(self.point, |value, taken| {
            let (level, evidence) = self.judge(ladder, value, taken);
            Verdict::Judged(level, evidence)
        })
    }

    pub(crate) fn judge(&self, ladder: &mut Ladder, value: Value, taken: Uptime) -> (Level, Evidence) {
        let says = self.says(value);
        let rungs = [Level::Watch, Level::Warning, Level::Danger].map(|level| {
            let place = if level <= says { Place::Beyond { extreme: false } } else { Place::Inside };
            Some(Rung { place, on_delay: self.on_delay, off_delay: self.off_delay })
        });
        let level = ladder.feed(taken, rungs);
        (level, Evidence::State { point: self.point, value, taken })
    }

    /// The worst level that a value means by itself.
    fn says(&self, value: Value) -> Level {
        let matching = self.cases.iter().filter(|case| case.when.matches(value));
        matching.map(|case| case.level).max().unwrap_or_default()
    }
}

impl When {
    /// Whether this value is meant.
    #[must_use]
    pub fn matches(self, value: Value) -> bool {
        let whole = whole_number(value);
        match self {
            Self::Is(number) => whole == Some(number),
            Self::IsNot(number) => whole != Some(number),
            Self::AnyBit(mask) => whole.is_some_and(|whole| whole & mask != 0),
        }
    }
}

/// A value as a whole number that a state or bit field can hold; `None` if it is none.
pub(crate) fn whole_number(value: Value) -> Option<u32> {
    let number = value.get();
    let fits = (0.0..=f64::from(u32::MAX)).contains(&number) && number.fract().abs() < f64::EPSILON;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to fit just above")]
    fits.then_some(number as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_matching_case_counts_and_none_is_normal() {
        let case = |when, level| Case { when, level };
        let state = State {
            point: PointId(0),
            cases: vec![
                case(When::AnyBit(0b0_0001), Level::Watch),
                case(When::AnyBit(0b0_0110), Level::Warning),
                case(When::AnyBit(0b1_1000), Level::Danger),
            ],
            on_delay: Millis::ZERO,
            off_delay: Millis::ZERO,
        };
        for (value, level) in [
            (0.0, Level::Normal),
            (1.0, Level::Watch),
            (3.0, Level::Warning),
            (9.0, Level::Danger),
            (32.0, Level::Normal),
            (0.5, Level::Normal),
        ] {
            let value = Value::new(value).expect("test values are finite");
            assert_eq!(state.judge(&mut Ladder::default(), value, Uptime(0)).0, level, "at {value}");
        }
    }

    #[test]
    fn anything_but_the_expected_value_can_mean_a_level() {
        let value = |number| Value::new(number).expect("test values are finite");
        assert!(!When::IsNot(1).matches(value(1.0)));
        assert!(When::IsNot(1).matches(value(0.0)));
        assert!(When::IsNot(1).matches(value(-1.0)));
    }

    #[test]
    fn only_whole_numbers_that_fit_can_be_states() {
        let largest = f64::from(u32::MAX);
        for (number, whole) in [
            (0.0, Some(0)),
            (7.0, Some(7)),
            (largest, Some(u32::MAX)),
            (largest + 1.0, None),
            (-1.0, None),
            (7.5, None),
            (f64::EPSILON, None),
        ] {
            let value = Value::new(number).expect("test values are finite");
            assert_eq!(whole_number(value), whole, "{number}");
        }
    }
}

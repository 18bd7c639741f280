//! How long until the next limit, if a value goes on as it does.
//!
//! Told only where it means something: of a rule that has left normal, whose value moves toward danger, and with
//! how sure it is. It is for people; nothing is decided by it.

use crate::safety::risk::Level;
use crate::safety::rules::window::{Slope, Window};
use crate::safety::site::RuleId;
use crate::units::{Millis, Uptime};

/// Over how long the pace is taken.
const PACE_OVER: Millis = Millis::from_secs(120);
/// The fewest samples that make a pace. At their distance in the window they span half a minute.
const PACE_SAMPLES_MIN: usize = 6;
/// How often it is told anew at most.
const TOLD_EVERY: Millis = Millis::from_secs(10);
/// Further ahead nothing is said: a pace of two minutes tells nothing of tomorrow.
const HORIZON: Millis = Millis::from_secs(3600);

/// When a value may reach its next limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outlook {
    /// The level of that limit.
    pub level: Level,
    /// At the middle pace of the last two minutes.
    pub likely: Millis,
    /// At the pace that a quarter of the pairs of samples exceed.
    pub soonest: Millis,
    /// At the pace that a quarter of them stay below; `None` if at that pace never.
    pub latest: Option<Millis>,
}

/// What changed in the outlook of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutlookChange {
    /// The rule.
    pub rule: RuleId,
    /// What is ahead; `None` when there is nothing to say any more.
    pub outlook: Option<Outlook>,
}

/// What there is to tell of a value on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// Nothing new.
    Nothing,
    /// When it may be there.
    Ahead(Outlook),
    /// What was told holds no more.
    Over,
}

/// The pace of one value, and what was told of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pace {
    window: Window,
    told: Option<Uptime>,
}

/// A value on its way: how far it is from its next limit, on the dangerous side.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ahead {
    pub(crate) level: Level,
    /// Toward danger; in the unit of the point.
    pub(crate) value: f64,
    pub(crate) limit: f64,
}

impl Pace {
    /// Takes in where a value stands on its way; `None` for one that is normal or at its last limit. Gives what
    /// is to be told now, if anything: at most every ten seconds.
    pub(crate) fn follow(&mut self, taken: Uptime, ahead: Option<Ahead>) -> Told {
        let Some(ahead) = ahead else {
            if self.window.len() != 0 {
                self.window = Window::default();
            }
            return self.over();
        };
        self.window.push(taken, ahead.value, PACE_OVER);
        if self.told.is_some_and(|told| taken.since(told) < TOLD_EVERY) {
            return Told::Nothing;
        }
        match self.outlook(ahead) {
            Some(outlook) => {
                self.told = Some(taken);
                Told::Ahead(outlook)
            }
            None => self.over(),
        }
    }

    fn over(&mut self) -> Told {
        self.told.take().map_or(Told::Nothing, |_| Told::Over)
    }

    fn outlook(&self, ahead: Ahead) -> Option<Outlook> {
        if self.window.len() < PACE_SAMPLES_MIN {
            return None;
        }
        let Slope { per_minute, low, high } = self.window.slope()?;
        let at = |pace: f64| (0.0 < pace).then(|| Millis::after_minutes((ahead.limit - ahead.value) / pace));
        let likely = at(per_minute).filter(|likely| *likely <= HORIZON)?;
        let latest = at(low).filter(|latest| *latest <= HORIZON);
        Some(Outlook { level: ahead.level, likely, soonest: at(high)?, latest })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(values: impl IntoIterator<Item = f64>) -> Vec<(u64, Option<Outlook>)> {
        let mut pace = Pace::default();
        let ahead = |value| {
            (45.0..55.0).contains(&value).then_some(Ahead { level: Level::Warning, value, limit: 55.0 })
        };
        let follow = |(second, value)| match pace.follow(Uptime(second * 1000), ahead(value)) {
            Told::Nothing => None,
            Told::Ahead(outlook) => Some((second, Some(outlook))),
            Told::Over => Some((second, None)),
        };
        (0..).zip(values).filter_map(follow).collect()
    }

    #[test]
    fn a_steady_rise_is_told_with_the_time_that_is_left() {
        // A degree in ten seconds, from 45: 55 after 100 s.
        let told = told((0..90).map(|second| 45.0 + f64::from(second) / 10.0));
        let (first, outlook) = told[0];
        let outlook = outlook.expect("something is ahead");
        assert!((20..=40).contains(&first), "first told at {first} s");
        assert_eq!(outlook.level, Level::Warning);
        assert!(outlook.likely.0.abs_diff((100 - first) * 1000) < 500, "{outlook:?} at {first} s");
        assert_eq!((outlook.soonest.0 / 1000, outlook.latest.map(|it| it.0 / 1000)), {
            let likely = outlook.likely.0 / 1000;
            (likely, Some(likely))
        });
        assert!(told.windows(2).all(|pair| 10 <= pair[1].0 - pair[0].0), "at most every ten seconds");
    }

    #[test]
    fn a_value_that_stands_or_falls_has_nothing_ahead() {
        assert_eq!(told((0..200).map(|_| 47.0)), []);
        assert_eq!(told((0..200).map(|second| 54.0 - f64::from(second) / 30.0)), []);
    }

    #[test]
    fn when_it_is_over_that_is_told_once() {
        let rise = (0..60).map(|second| 45.0 + f64::from(second) / 10.0);
        let told = told(rise.chain((0..60).map(|_| 40.0)));
        assert_eq!(told.iter().filter(|(_, outlook)| outlook.is_none()).count(), 1);
        assert_eq!(told.last().map(|last| last.1), Some(None));
    }

    #[test]
    fn noise_widens_what_is_told() {
        let noisy = |second: i32| 45.0 + f64::from(second) / 20.0 + f64::from(second * 7 % 5) * 0.6;
        let told = told((0..110).map(noisy));
        let outlook = told.last().and_then(|last| last.1).expect("something is ahead");
        assert!(outlook.soonest < outlook.likely, "{outlook:?}");
        assert!(outlook.latest.is_none_or(|latest| outlook.likely < latest), "{outlook:?}");
    }

    #[test]
    fn it_is_told_from_six_samples_on_and_then_every_ten_seconds() {
        let told = told((0..80).map(|second| 45.0 + f64::from(second) / 10.0));
        let seconds: Vec<u64> = told.iter().map(|told| told.0).collect();
        assert_eq!(seconds, [33, 43, 53, 63, 73]);
    }

    #[test]
    fn a_second_rise_begins_without_the_past_of_the_first() {
        let rise = || (0..40).map(|second| 45.0 + f64::from(second) / 10.0);
        let told = told(rise().chain([40.0]).chain(rise()));
        let seconds: Vec<(u64, bool)> = told.iter().map(|told| (told.0, told.1.is_some())).collect();
        assert_eq!(seconds, [(33, true), (40, false), (74, true)]);
    }
}

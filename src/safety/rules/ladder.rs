//! The three steps that `limit`, `rate` and `state` share: each with its delays, driven by samples only.
//!
//! Time alone never raises or clears a step: a delay has passed when good samples that far apart all say so.
//! While nothing can be seen a delay stands still: it neither runs on nor begins anew. A dead sensor can
//! therefore neither ripen into a finding nor heal one, a flaky one cannot make a delay of two spikes (A3, S3,
//! S6), and lost messages cannot hold a finding much longer than it would have lasted (S19).

use crate::safety::risk::Level;
use crate::units::{Millis, Uptime};

/// Where one sample stands relative to one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// At or beyond the limit; `extreme` skips the on-delay.
    Beyond { extreme: bool },
    /// Back, but within the deadband.
    Between,
    /// Well inside.
    Inside,
}

/// One sample's place at one step, and the step's delays.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rung {
    pub(crate) place: Place,
    pub(crate) on_delay: Millis,
    pub(crate) off_delay: Millis,
}

/// The state of three steps.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Ladder {
    steps: [StepState; 3],
    last: Option<Uptime>,
    /// No step is active, and no delay towards one has begun.
    at_rest: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct StepState {
    active: bool,
    beyond: Delay,
    inside: Delay,
}

/// How long samples have agreed, without the time in which nothing could be seen.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Delay {
    since: Option<Uptime>,
    before: Millis,
}

impl Delay {
    /// One more sample that agrees: how long all of them have.
    fn run(&mut self, taken: Uptime) -> Millis {
        self.before.plus(taken.since(*self.since.get_or_insert(taken)))
    }

    /// Nothing can be seen after this last sample.
    fn pause(&mut self, last: Uptime) {
        if let Some(since) = self.since.take() {
            self.before = self.before.plus(last.since(since));
        }
    }

    fn reset(&mut self) {
        *self = Self::default();
    }
}

impl Ladder {
    /// Takes in one good sample; the same sample twice changes nothing.
    #[inline]
    pub(crate) fn feed(&mut self, taken: Uptime, rungs: [Option<Rung>; 3]) -> Level {
        if self.last != Some(taken) {
            self.last = Some(taken);
            let inside = rungs.iter().flatten().all(|rung| rung.place == Place::Inside);
            if self.at_rest && inside {
                return Level::Normal;
            }
            for (step, rung) in self.steps.iter_mut().zip(rungs) {
                if let Some(rung) = rung {
                    step.feed(taken, rung);
                }
            }
            self.at_rest = inside && self.steps.iter().all(|step| !step.active);
        }
        self.level()
    }

    /// Nothing can be seen for now: all delays stand still. What was found stands.
    pub(crate) fn interrupt(&mut self) {
        let Some(last) = self.last else { return };
        for step in &mut self.steps {
            step.beyond.pause(last);
            step.inside.pause(last);
        }
    }

    /// The highest step that is active.
    pub(crate) fn level(&self) -> Level {
        let [watch, warning, danger] = &self.steps;
        match [watch.active, warning.active, danger.active] {
            [_, _, true] => Level::Danger,
            [_, true, false] => Level::Warning,
            [true, false, false] => Level::Watch,
            [false, false, false] => Level::Normal,
        }
    }
}

impl StepState {
    fn feed(&mut self, taken: Uptime, rung: Rung) {
        match rung.place {
            Place::Beyond { extreme } => {
                self.inside.reset();
                // The first sample cannot satisfy a delay above zero, so that takes two at least.
                let lasted = self.beyond.run(taken);
                self.active |= extreme || rung.on_delay <= lasted;
            }
            Place::Between => {
                self.inside.reset();
                self.beyond.reset();
            }
            Place::Inside => {
                self.beyond.reset();
                let lasted = self.inside.run(taken);
                self.active &= lasted < rung.off_delay;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rung(place: Place) -> [Option<Rung>; 3] {
        [Some(Rung { place, on_delay: Millis(2000), off_delay: Millis(3000) }), None, None]
    }

    const BEYOND: Place = Place::Beyond { extreme: false };

    #[test]
    fn a_delay_needs_two_samples_that_far_apart() {
        let mut ladder = Ladder::default();
        assert_eq!(ladder.feed(Uptime(1000), rung(BEYOND)), Level::Normal);
        assert_eq!(ladder.feed(Uptime(2999), rung(BEYOND)), Level::Normal);
        assert_eq!(ladder.feed(Uptime(3000), rung(BEYOND)), Level::Watch);
    }

    #[test]
    fn the_same_sample_twice_changes_nothing() {
        let mut ladder = Ladder::default();
        ladder.feed(Uptime(1000), rung(BEYOND));
        let before = ladder;
        ladder.feed(Uptime(1000), rung(Place::Inside));
        assert_eq!(ladder, before);
    }

    #[test]
    fn an_extreme_value_skips_the_on_delay() {
        let mut ladder = Ladder::default();
        assert_eq!(ladder.feed(Uptime(1), rung(Place::Beyond { extreme: true })), Level::Watch);
    }

    #[test]
    fn while_nothing_is_seen_both_delays_stand_still() {
        let mut ladder = Ladder::default();
        ladder.feed(Uptime(0), rung(BEYOND));
        ladder.interrupt();
        assert_eq!(ladder.feed(Uptime(10_000), rung(BEYOND)), Level::Normal, "two spikes are no delay");
        ladder.feed(Uptime(11_000), rung(BEYOND));
        ladder.interrupt();
        ladder.interrupt();
        assert_eq!(ladder.feed(Uptime(20_000), rung(BEYOND)), Level::Normal, "one second was seen");
        assert_eq!(ladder.feed(Uptime(21_000), rung(BEYOND)), Level::Watch, "and one more");
        ladder.feed(Uptime(22_000), rung(Place::Inside));
        ladder.feed(Uptime(24_000), rung(Place::Inside));
        ladder.interrupt();
        assert_eq!(ladder.feed(Uptime(90_000), rung(Place::Inside)), Level::Watch, "two of three seconds");
        assert_eq!(ladder.feed(Uptime(91_000), rung(Place::Inside)), Level::Normal);
    }

    #[test]
    fn a_touch_of_the_deadband_starts_both_delays_again() {
        let mut ladder = Ladder::default();
        ladder.feed(Uptime(0), rung(BEYOND));
        ladder.feed(Uptime(1000), rung(Place::Between));
        assert_eq!(ladder.feed(Uptime(2000), rung(BEYOND)), Level::Normal);
        assert_eq!(ladder.feed(Uptime(4000), rung(BEYOND)), Level::Watch);
        ladder.feed(Uptime(5000), rung(Place::Inside));
        ladder.feed(Uptime(7000), rung(Place::Between));
        assert_eq!(ladder.feed(Uptime(8000), rung(Place::Inside)), Level::Watch);
        assert_eq!(ladder.feed(Uptime(10_999), rung(Place::Inside)), Level::Watch);
        assert_eq!(ladder.feed(Uptime(11_000), rung(Place::Inside)), Level::Normal);
    }
}

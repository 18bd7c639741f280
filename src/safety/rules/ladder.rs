//! The three steps that `limit`, `rate` and `state` share: each with its delays, driven by samples only.
//!
//! Time alone never raises or clears a step: a delay has passed when two good samples that far apart both
//! say so, with nothing lost in between. A dead sensor can therefore neither ripen into a finding nor heal
//! one, and a flaky one not make a delay of two spikes (A3, S3, S6).

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
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct StepState {
    active: bool,
    beyond: Option<Uptime>,
    inside: Option<Uptime>,
}

impl Ladder {
    /// Takes in one good sample; the same sample twice changes nothing.
    pub(crate) fn feed(&mut self, taken: Uptime, rungs: [Option<Rung>; 3]) -> Level {
        if self.last != Some(taken) {
            for (step, rung) in self.steps.iter_mut().zip(rungs) {
                if let Some(rung) = rung {
                    step.feed(taken, rung);
                }
            }
            self.last = Some(taken);
        }
        self.level()
    }

    /// Nothing can be seen for now: all delays begin anew. What was found stands.
    pub(crate) fn interrupt(&mut self) {
        for step in &mut self.steps {
            (step.beyond, step.inside) = (None, None);
        }
    }

    /// The highest step that is active.
    pub(crate) fn level(&self) -> Level {
        match self.steps.map(|step| step.active) {
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
                self.inside = None;
                let first = *self.beyond.get_or_insert(taken);
                // The first sample cannot satisfy a delay above zero, so that takes two at least.
                self.active |= extreme || rung.on_delay <= taken.since(first);
            }
            Place::Between => {
                self.inside = None;
                self.beyond = None;
            }
            Place::Inside => {
                self.beyond = None;
                let first = *self.inside.get_or_insert(taken);
                self.active &= taken.since(first) < rung.off_delay;
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
    fn what_is_lost_in_between_restarts_both_delays_and_clears_nothing() {
        let mut ladder = Ladder::default();
        ladder.feed(Uptime(0), rung(BEYOND));
        ladder.interrupt();
        assert_eq!(ladder.feed(Uptime(10_000), rung(BEYOND)), Level::Normal, "two spikes are no delay");
        assert_eq!(ladder.feed(Uptime(12_000), rung(BEYOND)), Level::Watch);
        ladder.feed(Uptime(13_000), rung(Place::Inside));
        ladder.interrupt();
        assert_eq!(ladder.level(), Level::Watch);
        assert_eq!(ladder.feed(Uptime(20_000), rung(Place::Inside)), Level::Watch);
        assert_eq!(ladder.feed(Uptime(23_000), rung(Place::Inside)), Level::Normal);
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

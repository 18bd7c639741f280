//! How the alarm system serves its operators, in the figures of ISA-18.2 and EEMUA 191. Counted as things
//! happen; nothing is walked through.

use super::settings::FIGURES_EVERY;
use super::states::AlarmState;
use crate::units::{Millis, Uptime};

/// How many minutes are counted together.
const MINUTES: usize = 10;

const MINUTE: Millis = Millis::from_secs(60);

/// The figures, now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AlarmFigures {
    /// Calls within the last ten minutes, by whole minutes: at most one is what a person can manage, ten are a
    /// flood.
    pub calls_10_min: u32,
    /// Alarms that are annunciated.
    pub standing: u32,
    /// Those of them that nobody has seen.
    pub unacknowledged: u32,
    /// Alarms whose cause has stood for more than a day.
    pub stale: u32,
    /// Alarms whose cause comes and goes too often to be told.
    pub chattering: u32,
    /// Alarms that a person shelved.
    pub shelved: u32,
    /// Alarms that a flood suppresses.
    pub suppressed: u32,
    /// Alarms out of service.
    pub out_of_service: u32,
    /// Rooms that are flooded.
    pub floods: u32,
    /// Floods that began since the start.
    pub floods_begun: u32,
}

impl AlarmFigures {
    /// Every figure with its name.
    #[must_use]
    pub const fn named(&self) -> [(&'static str, u32); 10] {
        [
            ("calls_10_min", self.calls_10_min),
            ("standing", self.standing),
            ("unacknowledged", self.unacknowledged),
            ("stale", self.stale),
            ("chattering", self.chattering),
            ("shelved", self.shelved),
            ("suppressed", self.suppressed),
            ("out_of_service", self.out_of_service),
            ("floods", self.floods),
            ("floods_begun", self.floods_begun),
        ]
    }
}

/// Counts.
#[derive(Clone, Debug)]
pub(super) struct Tally {
    states: [u32; AlarmState::ALL.len()],
    counts: Counts,
    calls: [u32; MINUTES],
    /// The minute of uptime that is being counted.
    minute: u64,
    /// Something was counted since the figures were last looked at.
    moved: bool,
    told: Option<(Uptime, AlarmFigures)>,
}

/// What is counted besides states and calls.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub(super) stale: u32,
    pub(super) chattering: u32,
    pub(super) floods_begun: u32,
}

impl Tally {
    pub(super) fn new() -> Self {
        Self {
            states: [0; AlarmState::ALL.len()],
            counts: Counts::default(),
            calls: [0; MINUTES],
            minute: 0,
            moved: true,
            told: None,
        }
    }

    /// What is counted, to be counted on.
    pub(super) fn counts(&mut self) -> &mut Counts {
        self.moved = true;
        &mut self.counts
    }

    /// There is an alarm in this state.
    pub(super) fn add(&mut self, state: AlarmState) {
        self.moved = true;
        self.states[state as usize] += 1;
    }

    /// An alarm went from one state to another.
    pub(super) fn shift(&mut self, from: AlarmState, to: AlarmState) {
        self.moved = true;
        self.states[from as usize] -= 1;
        self.states[to as usize] += 1;
    }

    /// Somebody was called.
    pub(super) fn call(&mut self, now: Uptime) {
        self.turn(now);
        self.moved = true;
        self.calls[MINUTES - 1] += 1;
    }

    fn turn(&mut self, now: Uptime) {
        let minute = now.0 / MINUTE.0;
        let passed = usize::try_from(minute.saturating_sub(self.minute)).unwrap_or(MINUTES).min(MINUTES);
        self.moved |= 0 < passed;
        self.minute = self.minute.max(minute);
        self.calls.rotate_left(passed);
        self.calls[MINUTES - passed..].fill(0);
    }

    pub(super) fn figures(&mut self, now: Uptime, floods: usize) -> AlarmFigures {
        self.turn(now);
        let sum = |wanted: fn(AlarmState) -> bool| {
            AlarmState::ALL.iter().filter(|it| wanted(**it)).map(|it| self.states[*it as usize]).sum()
        };
        AlarmFigures {
            calls_10_min: self.calls.iter().sum(),
            standing: sum(AlarmState::is_annunciated),
            unacknowledged: sum(AlarmState::is_unseen),
            stale: self.counts.stale,
            chattering: self.counts.chattering,
            shelved: self.states[AlarmState::Shelved as usize],
            suppressed: self.states[AlarmState::Suppressed as usize],
            out_of_service: self.states[AlarmState::OutOfService as usize],
            floods: u32::try_from(floods).unwrap_or(u32::MAX),
            floods_begun: self.counts.floods_begun,
        }
    }

    /// The figures, if they are others than those told last and it is time to tell them.
    pub(super) fn news(&mut self, now: Uptime, floods: usize) -> Option<AlarmFigures> {
        if let Some((when, before)) = &self.told {
            // Most of the time nothing moves at all.
            let still = !self.moved && self.minute == now.0 / MINUTE.0 && before.floods as usize == floods;
            if still || now.since(*when) < FIGURES_EVERY {
                return None;
            }
        }
        let figures = self.figures(now, floods);
        self.moved = false;
        if self.told.is_some_and(|(_, before)| before == figures) {
            return None;
        }
        self.told = Some((now, figures));
        Some(figures)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_those_of_the_last_ten_minutes() {
        let mut tally = Tally::new();
        let at = |minutes: u64| Uptime(minutes * MINUTE.0);
        tally.call(at(100));
        tally.call(at(100));
        tally.call(at(104));
        assert_eq!(tally.figures(at(104), 0).calls_10_min, 3);
        assert_eq!(tally.figures(at(109), 0).calls_10_min, 3);
        assert_eq!(tally.figures(at(110), 0).calls_10_min, 1);
        assert_eq!(tally.figures(at(114), 0).calls_10_min, 0);
        assert_eq!(tally.figures(at(100_000), 0).calls_10_min, 0);
    }

    #[test]
    fn figures_are_told_when_they_change_and_not_too_often() {
        let mut tally = Tally::new();
        tally.add(AlarmState::Normal);
        assert!(tally.news(Uptime(0), 0).is_some(), "the first word");
        assert!(tally.news(Uptime(60_000), 0).is_none(), "nothing new");
        tally.shift(AlarmState::Normal, AlarmState::Shelved);
        assert_eq!(tally.news(Uptime(60_100), 0).map(|it| it.shelved), Some(1));
        tally.shift(AlarmState::Shelved, AlarmState::Normal);
        assert!(tally.news(Uptime(60_200), 0).is_none(), "too soon");
        assert_eq!(tally.news(Uptime(70_100), 0).map(|it| it.shelved), Some(0));
    }
}

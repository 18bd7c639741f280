//! `step`: a sudden change against what was usual for the point.
//!
//! What was usual is the median of the window before. A cell that shorts inside drops by millivolts and then
//! recovers for a minute: the finding is held by the off-delay, which is its latch. A change of load moves
//! voltages too, and is no fault: a gate on the current keeps the rule from judging then.

use crate::safety::risk::Evidence;
use crate::safety::rules::deviation::Sides;
use crate::safety::rules::ladder::{Ladder, Place};
use crate::safety::rules::limit::{Side, Step, limit_behind};
use crate::safety::rules::window::Window;
use crate::safety::rules::{Look, Verdict, View};
use crate::safety::site::PointId;
use crate::units::{Millis, Uptime, Value};

/// A sudden change of one point.
#[derive(Clone, Debug, PartialEq)]
pub struct StepChange {
    /// The point judged.
    pub point: PointId,
    /// Which way is dangerous: `Above` rises, `Below` falls.
    pub side: Sides,
    /// Over how long the usual value is taken.
    pub window: Millis,
    /// The fewest samples that make a usual value; at least three.
    pub samples_min: usize,
    /// Whether limits and deadband are in per cent of the usual value, not in the point's unit.
    pub relative: bool,
    /// How far back inside a limit the change must come before its off-delay begins.
    pub deadband: f64,
    /// Changes at `watch`, `warning` and `danger`, where set; all above zero. The off-delay is the latch.
    pub steps: [Option<Step>; 3],
    /// What excuses a change.
    pub gate: Option<Gate>,
}

/// A change of load, which moves voltages without a fault.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gate {
    /// The current, usually.
    pub point: PointId,
    /// A change of it by more than this against its own usual value excuses; in its unit.
    pub change: f64,
    /// Whether a change counts while the load is not known.
    pub on_unknown: GateOnUnknown,
}

/// Whether a change counts while the load is not known. Written by every site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GateOnUnknown {
    /// It counts.
    Judge,
    /// It does not.
    Ignore,
}

/// What a step remembers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memory {
    ladder: Ladder,
    usual: Window,
    load: Window,
}

impl Memory {
    /// Nothing can be seen for now: all delays stand still.
    pub(crate) fn interrupt(&mut self) {
        self.ladder.interrupt();
    }
}

impl StepChange {
    /// The point and the load.
    pub(crate) fn reads(&self) -> Vec<PointId> {
        std::iter::once(self.point).chain(self.gate.map(|gate| gate.point)).collect()
    }

    pub(crate) fn look(&self, memory: &mut Memory, view: View<'_>) -> Look {
        let excused = self.gate.is_some_and(|gate| gate.excuses(&mut memory.load, self.window, view));
        view.one(self.point, |value, taken| self.judge(memory, excused, value, taken))
    }

    fn judge(&self, memory: &mut Memory, excused: bool, value: Value, taken: Uptime) -> Verdict {
        if memory.usual.newest() == Some(taken) {
            return Verdict::Unchanged;
        }
        let before = (self.samples_min <= memory.usual.len()).then(|| memory.usual.median()).flatten();
        memory.usual.push(taken, value.get(), self.window);
        let Some(from) = before else { return Verdict::Learning };
        let change = self.side.toward_danger(value.get() - from);
        let change = if self.relative { per_cent(change, from) } else { change };
        let rungs = self.steps.map(|step| {
            step.map(|step| {
                let mut rung = step.rung(Side::Above, change, self.deadband);
                if excused && matches!(rung.place, Place::Beyond { .. }) {
                    rung.place = Place::Between;
                }
                rung
            })
        });
        let level = memory.ladder.feed(taken, rungs);
        let limit = limit_behind(&self.steps, level);
        let (point, relative) = (self.point, self.relative);
        Verdict::Judged(level, Evidence::Step { point, value, from, relative, limit, taken })
    }
}

impl Gate {
    /// Whether the load has just changed so much that voltages move with it.
    fn excuses(self, load: &mut Window, window: Millis, view: View<'_>) -> bool {
        let Some((now, taken)) = view.standing(self.point) else {
            return self.on_unknown == GateOnUnknown::Ignore;
        };
        let usual = load.median();
        load.push(taken, now.get(), window);
        usual.is_some_and(|usual| self.change < (now.get() - usual).abs())
    }
}

/// A change in per cent of what was usual; of nothing usual, any change is infinite.
fn per_cent(change: f64, usual: f64) -> f64 {
    let share = change / usual.abs() * 100.0;
    if share.is_nan() { 0.0 } else { share }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::safety::risk::Level;
    use crate::safety::rules::bench::Bench;

    fn sag() -> StepChange {
        let step =
            |limit| Some(Step { limit, on_delay: Millis(0), off_delay: Millis(60_000), extreme: None });
        StepChange {
            point: PointId(0),
            side: Sides::Below,
            window: Millis(600_000),
            samples_min: 3,
            relative: false,
            deadband: 0.005,
            steps: [step(0.010), step(0.050), None],
            gate: None,
        }
    }

    /// The last level said over voltages and currents of each second, after five minutes of calm.
    fn said(rule: &StepChange, then: impl IntoIterator<Item = (f64, Option<f64>)>) -> Option<Level> {
        let (mut bench, mut memory, mut last) = (Bench::with_points(2), Memory::default(), None);
        let calm = std::iter::repeat_n((3.900, Some(10.0)), 300);
        for (second, (volts, amperes)) in (1..).zip(calm.chain(then)) {
            bench.read(second, &[Some(volts), amperes]);
            if let Verdict::Judged(level, _) = rule.look(&mut memory, bench.view()).verdict {
                last = Some(level);
            }
        }
        last
    }

    #[test]
    fn a_sudden_fall_is_found_at_its_limits_and_a_slow_one_is_not() {
        for (volts, level) in
            [(3.891, Level::Normal), (3.8899, Level::Watch), (3.851, Level::Watch), (3.8499, Level::Warning)]
        {
            assert_eq!(said(&sag(), [(volts, Some(10.0))]), Some(level), "at {volts} V");
        }
        // Ten millivolts over an hour are discharge, not a short.
        let slow = (0..3600).map(|second| (3.9 - f64::from(second) * 0.010 / 3600.0, Some(10.0)));
        assert_eq!(said(&sag(), slow), Some(Level::Normal));
    }

    #[test]
    fn it_is_held_over_the_recovery_until_its_off_delay_is_over() {
        let dips = |back_s: usize| {
            std::iter::repeat_n((3.84, Some(10.0)), 5).chain(std::iter::repeat_n((3.9, Some(10.0)), back_s))
        };
        assert_eq!(said(&sag(), dips(59)), Some(Level::Warning));
        assert_eq!(said(&sag(), dips(62)), Some(Level::Normal));
    }

    #[test]
    fn a_change_of_load_excuses_and_an_unknown_load_as_written() {
        let gate = |on_unknown| Some(Gate { point: PointId(1), change: 20.0, on_unknown });
        let gated = |on_unknown| StepChange { gate: gate(on_unknown), ..sag() };
        let judge = gated(GateOnUnknown::Judge);
        assert_eq!(said(&judge, [(3.8, Some(10.0))]), Some(Level::Warning), "no change of load");
        assert_eq!(said(&judge, [(3.8, Some(90.0))]), Some(Level::Normal), "the load explains it");
        let silent = || std::iter::repeat_n((3.9, None), 5).chain([(3.8, None)]);
        assert_eq!(said(&judge, silent()), Some(Level::Warning), "the load is not known");
        assert_eq!(said(&gated(GateOnUnknown::Ignore), silent()), Some(Level::Normal));
    }

    #[test]
    fn a_relative_step_is_in_per_cent_of_what_was_usual() {
        let step = |limit| Some(Step { limit, on_delay: Millis(0), off_delay: Millis(0), extreme: None });
        let rule = StepChange { relative: true, steps: [None, step(1.5), step(25.0)], ..sag() };
        for (volts, level) in [(3.8500, Level::Normal), (3.8414, Level::Warning), (2.92, Level::Danger)] {
            assert_eq!(said(&rule, [(volts, Some(10.0))]), Some(level), "at {volts} V");
        }
        assert!(per_cent(0.0, 0.0).abs() < f64::EPSILON);
    }

    #[test]
    fn without_enough_of_a_past_nothing_is_said() {
        let (mut bench, mut memory) = (Bench::with_points(2), Memory::default());
        for second in 1..=2 {
            bench.read(second, &[Some(if second == 1 { 3.9 } else { 2.0 }), Some(0.0)]);
            assert!(matches!(sag().look(&mut memory, bench.view()).verdict, Verdict::Learning));
        }
    }

    #[test]
    fn its_on_delay_stands_still_while_nothing_can_be_seen() {
        let step = Some(Step { limit: 0.010, on_delay: Millis(3000), off_delay: Millis(0), extreme: None });
        let rule = StepChange { steps: [step, None, None], ..sag() };
        let (mut bench, mut memory) = (Bench::with_points(1), Memory::default());
        let mut look = |second: u64, volts: f64, memory: &mut Memory| {
            bench.read(second, &[Some(volts)]);
            match rule.look(memory, bench.view()).verdict {
                Verdict::Judged(level, _) => Some(level),
                _ => None,
            }
        };
        for second in 1..=100 {
            look(second, 3.9, &mut memory);
        }
        assert_eq!(look(101, 3.8, &mut memory), Some(Level::Normal));
        assert_eq!(look(103, 3.8, &mut memory), Some(Level::Normal));
        memory.interrupt();
        assert_eq!(look(160, 3.8, &mut memory), Some(Level::Normal), "two seconds of three");
        assert_eq!(look(161, 3.8, &mut memory), Some(Level::Watch));
    }

    #[test]
    fn a_past_of_as_many_samples_as_are_written_is_enough() {
        let (mut bench, mut memory) = (Bench::with_points(1), Memory::default());
        let mut knows = |second| {
            bench.read(second, &[Some(3.9)]);
            matches!(sag().look(&mut memory, bench.view()).verdict, Verdict::Judged(..))
        };
        assert_eq!([1, 41, 81, 121].map(&mut knows), [false, false, false, true]);
    }

    #[test]
    fn the_same_sample_is_judged_once() {
        let (mut bench, mut memory) = (Bench::with_points(1), Memory::default());
        bench.read(1, &[Some(3.9)]);
        assert!(matches!(sag().look(&mut memory, bench.view()).verdict, Verdict::Learning));
        assert!(matches!(sag().look(&mut memory, bench.view()).verdict, Verdict::Unchanged));
    }

    #[test]
    fn only_a_change_of_load_beyond_its_limit_excuses_either_way() {
        let gate = Gate { point: PointId(1), change: 20.0, on_unknown: GateOnUnknown::Judge };
        let rule = StepChange { gate: Some(gate), ..sag() };
        // The usual load is 10 A.
        for (amperes, level) in
            [(30.0, Level::Warning), (30.1, Level::Normal), (-10.0, Level::Warning), (-10.1, Level::Normal)]
        {
            assert_eq!(said(&rule, [(3.8, Some(amperes))]), Some(level), "at {amperes} A");
        }
    }
}

//! Who answers the orders of a replay. Nothing is ever sent: a model obeys, or the recording says, or nobody does.
//!
//! The model takes every command, confirms it after a moment, and from then on what the stage wants to read back is
//! read back. It shows how a sequence would go if its breakers work; whether they do is for a drill to find out.

use std::collections::BTreeMap;

use crate::safety::fact::{Input, Order, OrderId};
use crate::safety::sequence::spec::Condition;
use crate::safety::site::{PointId, Site};
use crate::units::{Millis, Now, Uptime, Value};

/// How long the modelled breaker takes to confirm.
const CONFIRMS_AFTER: Millis = Millis(150);

/// Who answers the orders of a replay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answers {
    /// What was recorded: for a recording under the configuration that it was made with.
    Recorded,
    /// A breaker that obeys.
    Modelled,
    /// Nobody.
    Nobody,
}

/// The model of breakers that obey.
#[derive(Debug)]
pub struct Breaker {
    answers: Vec<(Uptime, OrderId)>,
    effects: BTreeMap<PointId, Vec<(Uptime, Condition)>>,
    fed: Vec<bool>,
    reads: BTreeMap<PointId, f64>,
    polls: BTreeMap<PointId, Uptime>,
}

impl Breaker {
    /// `fed`: which points the recording reads by itself.
    #[must_use]
    pub const fn new(fed: Vec<bool>) -> Self {
        Self {
            answers: Vec::new(),
            effects: BTreeMap::new(),
            fed,
            reads: BTreeMap::new(),
            polls: BTreeMap::new(),
        }
    }

    /// Takes an order.
    pub fn obey(&mut self, site: &Site, order: &Order, now: Uptime) {
        let done = now.plus(CONFIRMS_AFTER);
        self.answers.push((done, order.id));
        let Some(stage) = site[order.sequence].stages.get(usize::from(order.stage)) else { return };
        for expect in &stage.verify {
            self.effects.entry(expect.point).or_default().push((done, expect.is));
        }
    }

    /// Adds what the model has to say at this scan, and changes what is read of it.
    pub fn play(&mut self, site: &Site, now: Now, inputs: &mut Vec<Input>) {
        if self.answers.is_empty() && self.effects.is_empty() {
            return;
        }
        for input in inputs.iter_mut() {
            if let Input::Sampled { point, taken, result, .. } = input
                && let Some(effects) = self.effects.get(point)
            {
                let read = result.map_or(0.0, Value::get);
                if let Some(shown) = shown(effects, read, *taken)
                    && let Some(value) = Value::new(shown)
                {
                    *result = Ok(value);
                }
            }
        }
        for (point, effects) in &self.effects {
            let due = self.polls.get(point).is_none_or(|due| *due <= now.uptime);
            if self.fed.get(point.index()).copied().unwrap_or(false) || !due {
                continue;
            }
            let read = self.reads.get(point).copied().unwrap_or(0.0);
            if let Some(value) = shown(effects, read, now.uptime).and_then(Value::new) {
                self.reads.insert(*point, value.get());
                self.polls.insert(*point, now.uptime.plus(site[*point].period));
                let (asked, taken) = (now.uptime, now.uptime);
                inputs.push(Input::Sampled { point: *point, asked, taken, result: Ok(value) });
            }
        }
        let due = self.answers.extract_if(.., |(due, _)| *due <= now.uptime);
        inputs.extend(due.map(|(at, order)| Input::Answered { order, at, result: Ok(()) }));
    }
}

/// What is read after these effects; `None` where none has come yet.
fn shown(effects: &[(Uptime, Condition)], read: f64, at: Uptime) -> Option<f64> {
    let mut come = effects.iter().filter(|(from, _)| *from <= at).map(|(_, is)| *is).peekable();
    come.peek()?;
    Some(come.fold(read, met))
}

/// The number nearest to this one that meets a condition.
fn met(number: f64, is: Condition) -> f64 {
    let bits = |number: f64| {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a bit field; anything else is taken as none set"
        )]
        let bits = number.clamp(0.0, f64::from(u32::MAX)) as u32;
        bits
    };
    match is {
        Condition::Is(wanted) => f64::from(wanted),
        Condition::AtLeast(limit) => number.max(limit),
        Condition::AtMost(limit) => number.min(limit),
        Condition::Within(low, high) => number.max(low).min(high),
        Condition::BitSet(bit) => f64::from(bits(number) | 1 << u32::from(bit).min(31)),
        Condition::BitClear(bit) => f64::from(bits(number) & !(1 << u32::from(bit).min(31))),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn every_condition_is_met_by_what_the_model_shows() {
        for is in [
            Condition::Is(3),
            Condition::AtLeast(2.5),
            Condition::AtMost(-2.5),
            Condition::Within(-0.5, 0.5),
            Condition::BitSet(4),
            Condition::BitClear(0),
        ] {
            for number in [-17.0, 0.0, 1.0, 255.0] {
                let number = if matches!(is, Condition::BitSet(_) | Condition::BitClear(_)) {
                    f64::abs(number)
                } else {
                    number
                };
                assert!(is.holds(Value::new(met(number, is)).unwrap()), "{is:?} of {number}");
            }
        }
    }

    #[test]
    fn nothing_is_seen_before_the_command_is_confirmed() {
        let effects = [(Uptime(1000), Condition::Is(0))];
        assert_eq!(shown(&effects, 1.0, Uptime(999)), None);
        assert_eq!(shown(&effects, 1.0, Uptime(1000)), Some(0.0));
    }
}

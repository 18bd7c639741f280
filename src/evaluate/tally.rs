//! What many outcomes amount to.

use super::trial::{Kind, Outcome};
use crate::units::Millis;

/// How far something that was measured spreads, s.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// One in twenty is below this.
    pub p5: f64,
    /// The middle.
    pub p50: f64,
    /// One in twenty is above this.
    pub p95: f64,
}

/// The outcomes of one kind of trial.
#[derive(Clone, Debug)]
pub struct Tally {
    /// Which kind.
    pub kind: Kind,
    /// Each of them, by number.
    pub outcomes: Vec<Outcome>,
}

impl Tally {
    /// How many were played.
    #[must_use]
    pub fn count(&self) -> usize {
        self.outcomes.len()
    }

    /// How many of them are so.
    #[must_use]
    pub fn that(&self, so: impl Fn(&Outcome) -> bool) -> usize {
        self.outcomes.iter().filter(|outcome| so(outcome)).count()
    }

    /// In how many a cell ran away.
    #[must_use]
    pub fn burnt(&self) -> usize {
        self.that(|outcome| outcome.ran_away.is_some())
    }

    /// In how many a cell ran away and nothing was cut until five minutes later.
    #[must_use]
    pub fn missed(&self) -> usize {
        self.that(Outcome::is_missed)
    }

    /// In how many a zone was cut in which no battery was wrong: in calm hours any, in fires another one.
    #[must_use]
    pub fn spurious(&self) -> usize {
        self.that(|outcome| outcome.cut_elsewhere.is_some())
    }

    /// In how many of those that burnt this came before the runaway.
    #[must_use]
    pub fn in_time(&self, when: fn(&Outcome) -> Option<Millis>) -> usize {
        self.that(|outcome| outcome.lead_s(when(outcome)).is_some_and(|lead| 0.0 < lead))
    }

    /// How much sooner than the runaway it came, over those that burnt and in which it came; `None` if in none.
    #[must_use]
    pub fn lead(&self, when: fn(&Outcome) -> Option<Millis>) -> Option<Spread> {
        spread(&self.leads(when))
    }

    /// The leads, sorted, s.
    #[must_use]
    pub fn leads(&self, when: fn(&Outcome) -> Option<Millis>) -> Vec<f64> {
        let mut leads: Vec<f64> =
            self.outcomes.iter().filter_map(|outcome| outcome.lead_s(when(outcome))).collect();
        leads.sort_by(f64::total_cmp);
        leads
    }
}

/// The spread of sorted values.
fn spread(sorted: &[f64]) -> Option<Spread> {
    let last = sorted.len().checked_sub(1)?;
    let at = |per_cent: usize| sorted[last * per_cent / 100];
    Some(Spread { p5: at(5), p50: at(50), p95: at(95) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(ran_away: Option<u64>, cut: Option<u64>) -> Outcome {
        let at = |seconds: Option<u64>| seconds.map(Millis::from_secs);
        Outcome { ran_away: at(ran_away), cut: at(cut), ..Outcome::default() }
    }

    #[test]
    fn what_burnt_and_was_not_cut_is_missed_and_what_never_burnt_is_not() {
        let outcomes = vec![
            outcome(Some(100), Some(40)),
            outcome(Some(100), Some(130)),
            outcome(Some(100), None),
            outcome(None, None),
        ];
        let tally = Tally { kind: Kind::Fire, outcomes };
        assert_eq!((tally.count(), tally.burnt(), tally.missed()), (4, 3, 1));
        assert_eq!(tally.in_time(|outcome| outcome.cut), 1);
        assert_eq!(tally.leads(|outcome| outcome.cut), vec![-30.0, 60.0]);
    }

    #[test]
    fn the_spread_of_nothing_is_nothing_and_of_one_is_itself() {
        assert_eq!(spread(&[]), None);
        assert_eq!(spread(&[7.0]), Some(Spread { p5: 7.0, p50: 7.0, p95: 7.0 }));
    }
}

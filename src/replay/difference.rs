//! Two sets of rules over one recording: what comes earlier, later, newly, or no more.

use super::summary::{Firsts, Mark, Times};
use crate::units::Millis;

/// How one mark differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shift {
    /// It comes by so much earlier.
    Earlier(Millis),
    /// It comes by so much later.
    Later(Millis),
    /// It did not come before.
    New,
    /// It does not come any more.
    Gone,
    /// It comes first at the same time, but more or less often.
    Count,
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What differs.
    pub mark: Mark,
    /// When it came first, and how often, under the old rules.
    pub old: Option<(Millis, u64)>,
    /// And under the new ones.
    pub new: Option<(Millis, u64)>,
    /// By how much.
    pub shift: Shift,
}

/// All that differs, zones first; what is the same is left out.
#[must_use]
pub fn difference(old: &Firsts, new: &Firsts) -> Vec<Change> {
    let brief = |times: &Times| (times.first(), times.count);
    let mut changes: Vec<Change> = Vec::new();
    for (mark, times) in &old.marks {
        let (before, after) = (brief(times), new.marks.get(mark).map(brief));
        let shift = match after {
            None => Shift::Gone,
            Some((at, _)) if at < before.0 => Shift::Earlier(Millis(before.0.0 - at.0)),
            Some((at, _)) if before.0 < at => Shift::Later(Millis(at.0 - before.0.0)),
            Some((_, count)) if count != before.1 => Shift::Count,
            Some(_) => continue,
        };
        changes.push(Change { mark: mark.clone(), old: Some(before), new: after, shift });
    }
    for (mark, times) in new.marks.iter().filter(|(mark, _)| !old.marks.contains_key(mark)) {
        changes.push(Change { mark: mark.clone(), old: None, new: Some(brief(times)), shift: Shift::New });
    }
    changes.sort_by(|a, b| a.mark.cmp(&b.mark));
    changes
}

impl Shift {
    /// In words.
    #[must_use]
    pub fn words(self) -> String {
        let seconds = |span: Millis| format!("{:.1} s", span.as_secs_f64());
        match self {
            Self::Earlier(span) => format!("{} earlier", seconds(span)),
            Self::Later(span) => format!("{} later", seconds(span)),
            Self::New => "new".to_owned(),
            Self::Gone => "not any more".to_owned(),
            Self::Count => "as early, not as often".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::safety::risk::Level;

    fn firsts(marks: &[(&str, &[u64])]) -> Firsts {
        let times =
            |at: &[u64]| Times { at: at.iter().map(|at| Millis(*at)).collect(), count: at.len() as u64 };
        let marks = marks.iter().map(|(name, at)| (Mark::Zone((*name).to_owned(), Level::Watch), times(at)));
        Firsts { marks: marks.collect() }
    }

    #[test]
    fn what_is_earlier_later_new_gone_or_rarer_is_told_and_the_rest_is_not() {
        let old = firsts(&[("a", &[10]), ("b", &[10]), ("c", &[10]), ("d", &[10, 20]), ("e", &[10])]);
        let new = firsts(&[("a", &[4]), ("b", &[15]), ("d", &[10]), ("e", &[10]), ("f", &[1])]);
        let shifts: Vec<Shift> = difference(&old, &new).iter().map(|change| change.shift).collect();
        assert_eq!(
            shifts,
            [Shift::Earlier(Millis(6)), Shift::Later(Millis(5)), Shift::Gone, Shift::Count, Shift::New]
        );
        assert_eq!(difference(&old, &old), []);
    }
}

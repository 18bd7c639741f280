//! What was expected of a replay, and what came instead.

use super::options::{Expectation, What};
use super::summary::{Firsts, Mark};
use crate::safety::site::Site;
use crate::units::Millis;

/// The outcome of one expectation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The line of the file it is written in.
    pub line: usize,
    /// What was expected, in words.
    pub expected: String,
    /// What happened, in words.
    pub happened: String,
    /// Whether that is the same.
    pub met: bool,
}

/// Judges every expectation.
#[must_use]
pub fn judge(site: &Site, expectations: &[Expectation], firsts: &Firsts) -> Vec<Verdict> {
    expectations.iter().map(|expectation| verdict(site, expectation, firsts)).collect()
}

fn verdict(site: &Site, expectation: &Expectation, firsts: &Firsts) -> Verdict {
    let mark = mark(site, &expectation.what);
    let times = firsts.marks.get(&mark).map_or(&[] as &[Millis], |times| &times.at);
    let low = expectation.not_before.unwrap_or(Millis::ZERO);
    let high = expectation.not_after.unwrap_or(Millis(u64::MAX));
    let met = if expectation.never {
        !times.iter().any(|at| low <= *at && *at <= high)
    } else {
        times.first().is_some_and(|at| low <= *at && *at <= high)
    };
    let seconds = |at: Millis| format!("{:.1} s", at.as_secs_f64());
    let mut expected = mark.words();
    if expectation.never {
        expected.push_str(" never");
    }
    if let Some(at) = expectation.not_before {
        expected = format!("{expected}, not before {}", seconds(at));
    }
    if let Some(at) = expectation.not_after {
        expected = format!("{expected}, not after {}", seconds(at));
    }
    let happened = match times {
        [] => "did not happen".to_owned(),
        [once] => format!("at {}", seconds(*once)),
        [first, ..] => format!("first at {}, {} times", seconds(*first), firsts.marks[&mark].count),
    };
    Verdict { line: expectation.line, expected, happened, met }
}

fn mark(site: &Site, what: &What) -> Mark {
    match *what {
        What::Zone(zone, level) => Mark::Zone(site[zone].name.clone(), level),
        What::Rule(rule, level) => Mark::Rule(site[rule].name.clone(), level),
        What::Alarm(alarm) => Mark::Alarm(site[alarm].name.clone()),
        What::Sequence(sequence, event, stage) => Mark::Sequence(site[sequence].name.clone(), event, stage),
    }
}

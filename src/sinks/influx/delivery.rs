//! One batch against one server: what is wrong in it is found by halving, what is too large is cut smaller.
//!
//! A request that is refused as wrong has at least one wrong line. Its left half is tried: if that is taken the wrong line
//! is in the right half, and if not it is in the left one and the right waits. So a wrong line among n costs log2(n)
//! more requests to find, and one for all that waited. Found lines become dead letters; the rest goes on.

use std::sync::atomic::Ordering;

use crate::sinks::influx::client::{Server, Verdict};
use crate::sinks::influx::dead_letters::DeadLetters;
use crate::sinks::influx::outbox::Counters;
use crate::units::Millis;

/// The most requests spent on one batch; what is still called wrong then is set aside whole.
const REQUESTS_MAX: u32 = 128;
/// After so many requests in a row that were not too large, twice as many lines are tried again.
const GROW_AFTER: u32 = 256;

/// What came of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Every line was taken or set aside.
    Done,
    /// Later, and not before so long if the server said so.
    Later(Option<Millis>),
    /// The server does not let us.
    Refused,
}

/// How batches go to the server.
#[derive(Debug)]
pub(super) struct Delivery {
    pub(super) server: Server,
    dead_letters: Option<DeadLetters>,
    lines_max: usize,
    /// The most lines that the server has not called too large.
    fit: usize,
    fitted: u32,
}

impl Delivery {
    pub(super) fn new(server: Server, dead_letters: Option<DeadLetters>, lines_max: usize) -> Self {
        Self { server, dead_letters, lines_max, fit: lines_max, fitted: 0 }
    }

    /// Delivers these lines. Says what came of it, and the places of the lines that were neither taken nor set aside.
    pub(super) async fn deliver(&mut self, counters: &Counters, lines: &[String]) -> (Outcome, Vec<usize>) {
        let mut rest: Vec<usize> = (0..lines.len()).collect();
        let mut budget = REQUESTS_MAX;
        while !rest.is_empty() {
            let now: Vec<usize> = rest.drain(..self.fit.min(rest.len())).collect();
            budget = budget.saturating_sub(1);
            match self.write(counters, lines, &now).await {
                Verdict::Accepted => {}
                Verdict::TooLarge(why) if now.len() == 1 => self.set_aside(counters, lines, &now, &why),
                Verdict::TooLarge(_) => {
                    (self.fit, self.fitted) = (now.len() / 2, 0);
                    rest.splice(0..0, now);
                }
                Verdict::Wrong(why) if budget == 0 => self.set_aside(counters, lines, &now, &why),
                Verdict::Wrong(why) => {
                    let (outcome, back) = self.find(counters, lines, now, why, &mut budget).await;
                    rest.extend(back);
                    if outcome != Outcome::Done {
                        return (outcome, rest);
                    }
                }
                Verdict::Later(_, after) => {
                    rest.extend(now);
                    return (Outcome::Later(after), rest);
                }
                Verdict::Refused(_) => {
                    rest.extend(now);
                    return (Outcome::Refused, rest);
                }
            }
        }
        (Outcome::Done, rest)
    }

    /// Finds one wrong line among these and sets it aside. Gives back those that are still to be written.
    async fn find(
        &mut self,
        counters: &Counters,
        lines: &[String],
        mut suspects: Vec<usize>,
        mut why: String,
        budget: &mut u32,
    ) -> (Outcome, Vec<usize>) {
        let mut back = Vec::new();
        while 1 < suspects.len() && 0 < *budget {
            let right = suspects.split_off(suspects.len() / 2);
            *budget -= 1;
            match self.write(counters, lines, &suspects).await {
                Verdict::Accepted => suspects = right,
                Verdict::Wrong(said) => {
                    why = said;
                    back.extend(right);
                }
                other => {
                    back.extend(suspects);
                    back.extend(right);
                    let outcome = match other {
                        Verdict::Refused(_) => Outcome::Refused,
                        Verdict::Later(_, after) => Outcome::Later(after),
                        // Half of what was not too large: the next try will be of another size.
                        _ => Outcome::Done,
                    };
                    return (outcome, back);
                }
            }
        }
        self.set_aside(counters, lines, &suspects, &why);
        (Outcome::Done, back)
    }

    async fn write(&mut self, counters: &Counters, lines: &[String], which: &[usize]) -> Verdict {
        counters.requests.fetch_add(1, Ordering::Relaxed);
        let verdict = self.server.write(which.iter().map(|&index| lines[index].as_str())).await;
        match &verdict {
            Verdict::Accepted => {
                counters.written.fetch_add(which.len() as u64, Ordering::Relaxed);
                self.fitted += 1;
                if self.fitted.is_multiple_of(GROW_AFTER) {
                    self.fit = (self.fit * 2).clamp(1, self.lines_max);
                }
            }
            Verdict::Wrong(why) | Verdict::TooLarge(why) | Verdict::Later(why, _) | Verdict::Refused(why) => {
                counters.errors.fetch_add(1, Ordering::Relaxed);
                tracing::debug!(%why, lines = which.len(), "InfluxDB write failed");
            }
        }
        verdict
    }

    fn set_aside(&self, counters: &Counters, lines: &[String], which: &[usize], why: &str) {
        counters.quarantined.fetch_add(which.len() as u64, Ordering::Relaxed);
        let first = which.first().map_or("", |&index| lines[index].trim_end());
        tracing::error!(%why, count = which.len(), first, "InfluxDB does not take this; set aside");
        if let Some(dead_letters) = &self.dead_letters {
            let lines: Vec<String> = which.iter().map(|&index| lines[index].clone()).collect();
            dead_letters.put(why, &lines);
        }
    }
}

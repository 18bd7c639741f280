//! Who is there: units of a link, what they say they are, and which profile fits them.
//!
//! ```text
//! one register ─► answers? ─► identification, server id, SunSpec mark ─► each profile: checks, points ─► score
//! ```
//!
//! Reads only, one at a time, with a pause between them, and few: what was read once for a unit is not read
//! again, and a profile whose points the unit refuses is dropped at once. An exception is an answer too.
//! A score is a hint with its evidence, not a proof: a person compares it with the name plate.

mod chain;
mod fit;
mod notes;

use std::sync::Arc;
use std::time::Duration;

use crate::clock;
use crate::field::ask::Asker;
use crate::field::profile::{Profile, Table};
use crate::safety::reading::ReadFault;
use crate::units::Millis;

pub use fit::Candidate;
use notes::Notes;

/// Units that may answer alike before the device is taken for one that does not look at the unit at all.
const ALIKE_MAX: usize = 8;

/// Candidates that are kept for each unit.
const CANDIDATES_MAX: usize = 3;

/// The least score worth telling.
const SCORE_MIN: u8 = 20;

/// What to scan, and for what.
#[derive(Clone, Debug)]
pub struct ScanPlan {
    /// Units, in the order in which they are asked.
    pub units: Vec<u8>,
    /// The rest between two requests.
    pub pause: Millis,
    /// Profiles that may fit.
    pub profiles: Vec<Arc<Profile>>,
}

/// One unit that answers.
#[derive(Clone, Debug)]
pub struct Found {
    /// Its number.
    pub unit: u8,
    /// What it said to the first question: words, or an exception.
    pub greeting: Result<Vec<u16>, ReadFault>,
    /// What it says it is.
    pub identity: Identity,
    /// Profiles that may fit, best first.
    pub candidates: Vec<Candidate>,
}

/// What a unit says it is, as far as it does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// Objects of its device identification (function 43/14), printable.
    pub objects: Vec<(u8, String)>,
    /// Its server id (function 17), printable.
    pub server_id: Option<String>,
    /// Where its SunSpec map begins, and the models in it.
    pub sunspec: Option<(u16, Vec<u16>)>,
}

/// How far a scan is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Units asked.
    pub done: usize,
    /// Units to ask.
    pub total: usize,
    /// Units that answered.
    pub found: usize,
    /// How long it took so far.
    pub elapsed: Millis,
}

impl Progress {
    /// How long the rest takes, going by what is done.
    #[must_use]
    pub fn left(&self) -> Option<Millis> {
        let done = u64::try_from(self.done).ok().filter(|done| 0 < *done)?;
        let rest = u64::try_from(self.total - self.done).unwrap_or(0);
        Some(Millis(self.elapsed.0.saturating_mul(rest) / done))
    }
}

/// How a scan ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// All units were asked.
    Whole,
    /// The first units all answered and are the same: whatever the number, one device answers.
    AnyUnit,
    /// There is no connection: why.
    NoConnection(String),
}

/// Asks all units of the plan. What was found stays in `found`, also where this is cancelled.
pub async fn scan(
    asker: &mut impl Asker,
    plan: &ScanPlan,
    found: &mut Vec<Found>,
    mut progress: impl FnMut(Progress) + Send,
) -> Ended {
    let begun = clock::uptime();
    let before = found.len();
    for (done, unit) in plan.units.iter().enumerate() {
        let mut notes = Notes::new(asker, *unit, plan.pause);
        let greeting = notes.read(Table::Holding, 0, 1).await;
        if answers(&greeting) {
            let one = get_to_know(&mut notes, plan, greeting).await;
            found.push(one);
        } else if let Some(why) = asker.trouble() {
            return Ended::NoConnection(why.to_owned());
        }
        let elapsed = clock::uptime().since(begun);
        let mine = &found[before..];
        progress(Progress { done: done + 1, total: plan.units.len(), found: mine.len(), elapsed });
        if mine.len() == ALIKE_MAX && done + 1 == ALIKE_MAX && all_alike(mine) {
            found.truncate(before + 1);
            return Ended::AnyUnit;
        }
        tokio::time::sleep(Duration::from_millis(plan.pause.0)).await;
    }
    Ended::Whole
}

/// Whether at least one of these units answers: to find the settings of a serial line.
pub async fn anyone(asker: &mut impl Asker, units: &[u8], pause: Millis) -> Result<bool, String> {
    for unit in units {
        let greeting = Notes::new(asker, *unit, pause).read(Table::Holding, 0, 1).await;
        if answers(&greeting) {
            return Ok(true);
        }
        if let Some(why) = asker.trouble() {
            return Err(why.to_owned());
        }
        tokio::time::sleep(Duration::from_millis(pause.0)).await;
    }
    Ok(false)
}

/// A gateway that says that the unit does not answer (10, 11) is not the unit.
fn answers(greeting: &Result<Vec<u16>, ReadFault>) -> bool {
    match greeting {
        Ok(_) => true,
        Err(ReadFault::Exception(code)) => !matches!(code, 10 | 11),
        Err(_) => false,
    }
}

fn all_alike(found: &[Found]) -> bool {
    found.windows(2).all(|two| two[0].greeting == two[1].greeting && two[0].identity == two[1].identity)
}

async fn get_to_know<A: Asker>(
    notes: &mut Notes<'_, A>,
    plan: &ScanPlan,
    greeting: Result<Vec<u16>, ReadFault>,
) -> Found {
    let identity = Identity {
        objects: notes.device_id().await,
        server_id: notes.server_id().await,
        sunspec: chain::find(notes).await,
    };
    let mut candidates = Vec::new();
    for profile in &plan.profiles {
        candidates.extend(fit::judge(notes, &identity, profile).await);
    }
    candidates.retain(|candidate| SCORE_MIN <= candidate.score);
    candidates.sort_by_key(|candidate| std::cmp::Reverse(candidate.score));
    candidates.truncate(CANDIDATES_MAX);
    Found { unit: notes.unit, greeting, identity, candidates }
}

#[cfg(test)]
mod tests;

//! How well a profile fits a unit: 0 to 100, with the evidence.
//!
//! What a device says of itself weighs most; a profile whose checks it contradicts gets next to nothing. The
//! rest is plausibility: of a few points, how many answer, lie inside their range and have names for their
//! states. A zero fits nearly every range and counts half.

use std::sync::Arc;

use super::Identity;
use super::notes::{Notes, printable};
use crate::field::ask::Asker;
use crate::field::decode;
use crate::field::probe::placed;
use crate::field::profile::{IdentityCheck, Order, PointSpec, Profile, Table, TextSpec};
use crate::safety::reading::ReadFault;
use crate::safety::site::Labels;

/// Runs of neighbouring points that are read of each profile.
const RUNS_MAX: usize = 4;
/// The longest run, in registers or bits.
const RUN_WORDS_MAX: u16 = 32;

/// What an identity that matches is worth; the points give the rest.
const IDENTITY_SCORE: f64 = 60.0;
/// What the points alone are worth where a profile has no check of identity, or none that could be asked.
const POINTS_SCORE: f64 = 70.0;
/// The most where the device contradicts a check.
const CONTRADICTED_MAX: f64 = 10.0;
/// What an identity is worth where no point could be looked at.
const NO_POINTS: f64 = 0.5;

/// A profile that may fit.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The profile.
    pub profile: Arc<Profile>,
    /// 0 to 100.
    pub score: u8,
    /// Why, a sentence each.
    pub evidence: Vec<String>,
}

/// What a check of identity says.
enum Says {
    Yes(String),
    No(String),
    Nothing,
}

/// How its points look.
#[derive(Default)]
struct Looks {
    asked: f64,
    answered: f64,
    /// Points that could have looked wrong, and how right they look.
    judged: f64,
    right: f64,
}

pub(super) async fn judge<A: Asker>(
    notes: &mut Notes<'_, A>,
    identity: &Identity,
    profile: &Arc<Profile>,
) -> Option<Candidate> {
    // What its own models are is judged by its checks of identity.
    let here = &placed(notes, notes.unit, profile).await.unwrap_or_else(|_| Profile::clone(profile));
    let mut evidence = Vec::new();
    let (mut agrees, mut contradicts) = (false, false);
    for check in &profile.identity {
        match hear(notes, identity, here, check).await {
            Says::Yes(sentence) => {
                agrees = true;
                evidence.push(sentence);
                break;
            }
            Says::No(sentence) => {
                contradicts = true;
                evidence.push(sentence);
            }
            Says::Nothing => {}
        }
    }
    let looks = if contradicts && !agrees { Looks::default() } else { look(notes, here).await };
    if 0.0 < looks.asked {
        evidence.push(format!(
            "{} of {} points looked at answer, {:.0} of {:.0} look right",
            looks.answered,
            looks.asked,
            looks.right.floor(),
            looks.judged
        ));
    }
    let share = looks.share();
    let score = match (agrees, contradicts, share) {
        (true, _, Some(share)) => IDENTITY_SCORE + (100.0 - IDENTITY_SCORE) * share,
        (true, _, None) => IDENTITY_SCORE + (100.0 - IDENTITY_SCORE) * NO_POINTS,
        (false, true, _) => CONTRADICTED_MAX,
        (false, false, share) => POINTS_SCORE * share?,
    };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to fit")]
    let score = score.round().clamp(0.0, 100.0) as u8;
    Some(Candidate { profile: Arc::clone(profile), score, evidence })
}

impl Looks {
    /// How well the points fit, 0 to 1. Few judged points prove little.
    fn share(&self) -> Option<f64> {
        if self.asked < 1.0 {
            return None;
        }
        let right = if 0.0 < self.judged { self.right / self.judged } else { 0.5 };
        let weight = (self.judged / 3.0).min(1.0);
        Some(self.answered / self.asked * (right * weight + 0.5 * right * (1.0 - weight)))
    }
}

async fn hear<A: Asker>(
    notes: &mut Notes<'_, A>,
    identity: &Identity,
    profile: &Profile,
    check: &IdentityCheck,
) -> Says {
    match check {
        IdentityCheck::DeviceId { object, contains } => {
            let said = identity.objects.iter().find(|(number, _)| number == object);
            compare(said.map(|(_, text)| text.as_str()), contains, "its identification")
        }
        IdentityCheck::ServerId { contains } => {
            compare(identity.server_id.as_deref(), contains, "its server id")
        }
        IdentityCheck::Text { text, contains } => {
            let spec = &profile.texts[*text];
            let said = read_text(notes, spec).await;
            compare(said.as_deref(), contains, &format!("its {}", spec.name))
        }
        IdentityCheck::Register { table, address, mask, one_of } => {
            match notes.read(*table, *address, 1).await.as_deref() {
                Ok([word]) if one_of.contains(&(word & mask)) => {
                    Says::Yes(format!("{} {address} holds {word:#06x}", table.word()))
                }
                Ok([word]) => {
                    Says::No(format!("{} {address} holds {word:#06x}, which is another's", table.word()))
                }
                Err(ReadFault::Exception(2 | 3)) => {
                    Says::No(format!("{} {address} is refused", table.word()))
                }
                _ => Says::Nothing,
            }
        }
        IdentityCheck::Model(model) => match &identity.sunspec {
            Some((_, models)) if models.contains(model) => {
                Says::Yes(format!("its SunSpec map has model {model}"))
            }
            Some(_) => Says::No(format!("its SunSpec map has no model {model}")),
            None => Says::No("it has no SunSpec map".to_owned()),
        },
    }
}

fn compare(said: Option<&str>, contains: &str, what: &str) -> Says {
    match said {
        Some(text) if text.to_lowercase().contains(&contains.to_lowercase()) => {
            Says::Yes(format!("{what} says `{text}`"))
        }
        Some(text) if !text.is_empty() => Says::No(format!("{what} says `{text}`, not `{contains}`")),
        _ => Says::Nothing,
    }
}

/// A text at an address as on the wire; those of a SunSpec model are left to the model's own check.
async fn read_text<A: Asker>(notes: &mut Notes<'_, A>, spec: &TextSpec) -> Option<String> {
    if spec.model.is_some() {
        return None;
    }
    let words = notes.read(spec.table, spec.address, spec.words).await.ok()?;
    let bytes = words.iter().flat_map(|word| match spec.byte_order {
        Order::Big => word.to_be_bytes(),
        Order::Little => word.to_le_bytes(),
    });
    Some(printable(&bytes.collect::<Vec<_>>()))
}

async fn look<A: Asker>(notes: &mut Notes<'_, A>, profile: &Profile) -> Looks {
    let mut looks = Looks::default();
    for run in runs(profile) {
        let (first, last) = (&profile.points[run[0]], &profile.points[run[run.len() - 1]]);
        let count = last.address - first.address + last.words();
        let words = notes.read(first.table, first.address, count).await;
        for point in run.iter().map(|at| &profile.points[*at]) {
            looks.asked += 1.0;
            let Ok(words) = &words else { continue };
            looks.answered += 1.0;
            let start = usize::from(point.address - first.address);
            let raw = &words[start..start + usize::from(point.words())];
            if let Some(right) = looks_right(point, raw) {
                looks.judged += 1.0;
                looks.right += right;
            }
        }
        // A unit that refuses, or does not answer, the first run of a map does not have that map.
        if looks.answered < 1.0 {
            break;
        }
    }
    looks
}

/// Runs of neighbouring points, the longest first, that may be read in one request each.
fn runs(profile: &Profile) -> Vec<Vec<usize>> {
    let limits = &profile.limits;
    let clears = |point: &PointSpec| {
        let touches = |area: &crate::field::profile::Forbidden| {
            area.table == point.table && area.first <= point.address && point.address <= area.last
        };
        limits.read_clears.iter().chain(&limits.forbidden).any(touches)
    };
    // Points of a model that was not found, or with a factor elsewhere, have no value of their own.
    let whole = |point: &PointSpec| point.model.is_none() && point.factor.is_none() && !clears(point);
    let present = |at: &usize| whole(&profile.points[*at]) && !profile.absent.contains(at);
    let mut order: Vec<usize> = (0..profile.points.len()).filter(present).collect();
    order.sort_by_key(|at| (profile.points[*at].table, profile.points[*at].address));
    let mut runs: Vec<Vec<usize>> = Vec::new();
    for at in order {
        let point = &profile.points[at];
        let most = RUN_WORDS_MAX.min(longest(profile, point.table));
        let joins = |run: &Vec<usize>| {
            let (first, last) = (&profile.points[run[0]], &profile.points[run[run.len() - 1]]);
            let end = u32::from(point.address) + u32::from(point.words());
            let touches = u32::from(last.address) + u32::from(last.words()) == u32::from(point.address);
            // Of one table and sorted by address: only then is the end behind the first.
            first.table == point.table
                && touches
                && end - u32::from(first.address) <= u32::from(most)
                && !limits.single_reads
        };
        match runs.last_mut().filter(|run| joins(run)) {
            Some(run) => run.push(at),
            None => runs.push(vec![at]),
        }
    }
    runs.sort_by_key(|run| std::cmp::Reverse(run.len()));
    runs.truncate(RUNS_MAX);
    runs
}

fn longest(profile: &Profile, table: Table) -> u16 {
    if table.holds_bits() { profile.limits.max_bits } else { profile.limits.max_registers }
}

/// How right a point looks, 0 to 1; `None` where nothing could be wrong with it.
fn looks_right(point: &PointSpec, raw: &[u16]) -> Option<f64> {
    let value = match decode::value(point, raw) {
        Ok(value) => value.get(),
        Err(ReadFault::Sentinel) => return Some(1.0),
        Err(_) => return Some(0.0),
    };
    let named = match &point.labels {
        Labels::None | Labels::Bits(_) => None,
        Labels::Enum(_) => Some(point.label(value).is_some()),
    };
    let inside = point.range.map(|(low, high)| low <= value && value <= high);
    let right = match (named, inside) {
        (None, None) => return None,
        (named, inside) => named.unwrap_or(true) && inside.unwrap_or(true),
    };
    let is_zero = raw.iter().all(|word| *word == 0);
    Some(match (right, is_zero) {
        (false, _) => 0.0,
        (true, true) => 0.5,
        (true, false) => 1.0,
    })
}

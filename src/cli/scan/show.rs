//! What a scan tells: its progress on stderr, its findings on stdout.

use std::io::{IsTerminal as _, Write as _};

use super::Findings;
use crate::cli::{say, table};
use crate::field::scan::{Candidate, Ended, Found, Progress as Step};
use crate::units::Millis;
use crate::wire::why;

/// Without a terminal, progress is told once in so many units.
const PLAIN_EVERY: usize = 32;

/// Progress, as one line that is written anew or as plain lines.
#[derive(Default)]
pub(super) struct Progress {
    found: usize,
}

impl Progress {
    pub(super) fn show(&mut self, step: Step) {
        let left = step.left().map_or(String::new(), |left| format!(", {} left", span(left)));
        let line = format!("{} of {} units asked, {} found{left}", step.done, step.total, step.found);
        let is_last = step.done == step.total;
        if std::io::stderr().is_terminal() {
            let mut err = std::io::stderr().lock();
            let _ = write!(err, "\r\x1b[K{line}{}", if is_last { "\n" } else { "" });
            let _ = err.flush();
        } else if is_last || step.found != self.found || step.done.is_multiple_of(PLAIN_EVERY) {
            say(&line);
        }
        self.found = step.found;
    }
}

fn span(span: Millis) -> String {
    match span.0 / 1000 {
        seconds if seconds < 90 => format!("{seconds} s"),
        seconds => format!("{} min", seconds.div_ceil(60)),
    }
}

/// The findings of one place, for people.
pub(super) fn text(place: &Findings) -> Vec<String> {
    let mut lines = vec![place.endpoint.place()];
    let head = ["unit", "says it is", "profile", "score", "because"].map(str::to_owned).to_vec();
    let mut rows = vec![head];
    for unit in &place.found {
        let mut first = true;
        let fits: Vec<Option<&Candidate>> = match unit.candidates.as_slice() {
            [] => vec![None],
            some => some.iter().map(Some).collect(),
        };
        for fit in fits {
            let (number, says) =
                if first { (unit.unit.to_string(), identity(unit)) } else { (String::new(), String::new()) };
            first = false;
            rows.push(match fit {
                Some(fit) => {
                    vec![number, says, fit.profile.id.clone(), fit.score.to_string(), fit.evidence.join("; ")]
                }
                None => vec![number, says, "–".to_owned(), String::new(), "no profile fits".to_owned()],
            });
        }
    }
    lines.extend(table::lines(&rows).into_iter().map(|line| format!("  {line}")));
    if place.ended == Some(Ended::AnyUnit) {
        lines.push("  answers alike to every unit: it does not look at the number; use this one".to_owned());
    }
    lines
}

fn identity(unit: &Found) -> String {
    let mut parts: Vec<String> = unit.identity.objects.iter().map(|(_, text)| text.clone()).collect();
    parts.extend(unit.identity.server_id.as_ref().map(|id| format!("id `{id}`")));
    if let Some((base, models)) = &unit.identity.sunspec {
        let models: Vec<String> = models.iter().map(ToString::to_string).collect();
        parts.push(format!("SunSpec at {base}: {}", models.join(" ")));
    }
    parts.retain(|part| !part.is_empty());
    if parts.is_empty() { "–".to_owned() } else { parts.join(", ") }
}

/// The same as JSON, one unit a line.
pub(super) fn json(place: &Findings) -> Vec<String> {
    let unit = |unit: &Found| {
        let candidates: Vec<serde_json::Value> = unit
            .candidates
            .iter()
            .map(|fit| {
                serde_json::json!({ "profile": fit.profile.id, "score": fit.score, "evidence": fit.evidence })
            })
            .collect();
        let objects: Vec<serde_json::Value> = unit
            .identity
            .objects
            .iter()
            .map(|(object, text)| serde_json::json!({ "object": object, "text": text }))
            .collect();
        serde_json::json!({
            "place": place.endpoint.place(),
            "unit": unit.unit,
            "answer": match &unit.greeting {
                Ok(words) => serde_json::json!({ "words": words }),
                Err(fault) => serde_json::json!({ "fault": why::fault(*fault) }),
            },
            "identification": objects,
            "server_id": unit.identity.server_id,
            "sunspec": unit.identity.sunspec.as_ref().map(|(base, models)| {
                serde_json::json!({ "base": base, "models": models })
            }),
            "any_unit": place.ended == Some(Ended::AnyUnit),
            "candidates": candidates,
        })
        .to_string()
    };
    place.found.iter().map(unit).collect()
}

//! Plays every `tests/scenarios/*.toml` against the core and checks what must follow.
//!
//! A scenario is a timeline in, facts and orders out. On failure the whole timeline is printed in words.

#[path = "support/diary.rs"]
mod diary;
#[path = "support/judging.rs"]
mod judging;
#[path = "support/mirror.rs"]
mod mirror;
#[path = "support/play.rs"]
mod play;
#[path = "support/script.rs"]
mod script;
#[path = "support/words.rs"]
mod words;

use std::fmt::Write;
use std::path::{Path, PathBuf};

use crate::diary::Entry;
use crate::script::Scenario;
use emberwatch::safety::sequence::spec::Mode;

#[test]
fn every_scenario_ends_as_expected() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let entries = std::fs::read_dir(folder).expect("the folder of scenarios");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    files.sort();
    assert!(!files.is_empty(), "there are scenarios");
    let failures: Vec<String> = files.iter().filter_map(|path| failure(path)).collect();
    assert!(
        failures.is_empty(),
        "{} of {} scenarios failed\n{}",
        failures.len(),
        files.len(),
        failures.join("\n")
    );
}

/// How a scenario failed, with its timeline; `None` if it did not.
fn failure(path: &Path) -> Option<String> {
    let scenario = Scenario::read(path);
    let diary = play::play(&scenario, None);
    let mut complaints: Vec<String> =
        scenario.script.expect.iter().filter_map(|expected| expected.complaint(&diary)).collect();
    if let Some(name) = &scenario.script.same_decisions_if_armed {
        let armed = play::play(&scenario, Some((name, Mode::Armed)));
        if decisions(name, &diary) != decisions(name, &armed) {
            let (as_is, armed) = (decisions(name, &diary), decisions(name, &armed));
            complaints.push(format!("the decisions differ from armed ones:\n{as_is:#?}\narmed:\n{armed:#?}"));
        }
    }
    if complaints.is_empty() {
        return None;
    }
    let script = &scenario.script;
    let mut text = format!("\n== {}: {}\n   {}\n", path.display(), script.title, script.why.trim());
    for entry in diary.iter().filter(|entry| entry.kind != "notice" || entry.says != "cutting") {
        let _ = writeln!(text, "{entry}");
    }
    for complaint in complaints {
        let _ = writeln!(text, "   ✗ {complaint}");
    }
    Some(text)
}

/// What a sequence decided, without what only real devices say; the start and the first order with their time.
fn decisions(sequence: &str, diary: &[Entry]) -> Vec<String> {
    let own = format!("{sequence}/");
    let mut timed = 2;
    diary
        .iter()
        .filter(|entry| match entry.kind {
            "sequence" => entry.subject == sequence && !entry.says.starts_with("mode"),
            "stage" => entry.subject.starts_with(&own) && entry.says != "confirmed",
            _ => false,
        })
        .map(|entry| {
            let is_timed = 0 < timed && matches!(entry.says.as_str(), "started" | "ordered");
            timed -= i32::from(is_timed);
            let when = if is_timed { format!("at {} ms: ", entry.ms) } else { String::new() };
            format!("{when}{} {}", entry.subject, entry.says)
        })
        .collect()
}

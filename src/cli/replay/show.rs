//! A replay for people: timeline, summary, differences, verdicts.

use std::io::IsTerminal as _;

use super::{Report, Run, changes};
use crate::cli::{print, say, table};
use crate::replay::options::SEQUENCE_EVENTS;
use crate::replay::{Change, Entry, Kind, Mark, Shift};
use crate::safety::risk::Level;
use crate::safety::rules::RuleKind;
use crate::safety::site::{RuleId, Site};
use crate::units::Millis;

/// Escape codes, where they are wanted.
#[derive(Clone, Copy)]
pub(in crate::cli) struct Paint(bool);

impl Paint {
    /// For stdout: on a terminal, unless `NO_COLOR` is set.
    pub(in crate::cli) fn of_stdout() -> Self {
        Self(std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none())
    }

    fn level(self, level: Level, text: &str) -> String {
        let code = match level {
            Level::Normal => return text.to_owned(),
            Level::Watch => "33",
            Level::Warning => "38;5;208",
            Level::Danger => "1;31",
        };
        self.with(code, text)
    }

    fn with(self, code: &str, text: &str) -> String {
        if self.0 { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    pub(in crate::cli) fn heading(self, text: &str) -> String {
        self.with("1", text)
    }
}

/// Prints everything.
pub(super) fn print_report(report: &Report<'_>, only_difference: bool) {
    let paint = Paint::of_stdout();
    for note in &report.run.notes {
        say(&format!("note: {note}"));
    }
    if report.timeline {
        for entry in report.run.timeline.entries.iter().filter(|entry| report.from <= entry.at) {
            print(&line(entry, paint));
        }
        if 0 < report.run.timeline.dropped {
            print(&format!("… and {} more", report.run.timeline.dropped));
        }
        print("");
    }
    if !only_difference {
        summary(report.run, paint);
    }
    if let Some(changes) = changes(report) {
        differences(&changes, paint);
    }
    if !report.verdicts.is_empty() {
        verdicts(report, paint);
    }
    say(&speed(report.run));
}

/// One entry of a timeline.
pub(in crate::cli) fn line(entry: &Entry, paint: Paint) -> String {
    let text = match entry.kind {
        Kind::Level | Kind::Sequence | Kind::Order => paint.level(entry.level, &entry.text),
        Kind::Alarm | Kind::Finding | Kind::Notice | Kind::Vote | Kind::Request | Kind::Gap => {
            entry.text.clone()
        }
    };
    let kind = paint.level(entry.level, &format!("{:<8}", entry.kind.word()));
    format!("{:>12}  {kind}  {text}", seconds(entry.at))
}

fn seconds(at: Millis) -> String {
    format!("{:.1} s", at.as_secs_f64())
}

fn maybe(at: Option<Millis>) -> String {
    at.map_or_else(|| "–".to_owned(), seconds)
}

fn summary(run: &Run, paint: Paint) {
    let mut rows = vec![["zone", "watch", "warning", "danger"].map(str::to_owned).to_vec()];
    for zone in &run.site.zones {
        let first = |level| maybe(run.firsts.first(&Mark::Zone(zone.name.clone(), level)));
        rows.push(vec![zone.name.clone(), first(Level::Watch), first(Level::Warning), first(Level::Danger)]);
    }
    print(&paint.heading("Levels: reached first at"));
    show(&rows);
    let votes = votes(run);
    if 1 < votes.len() {
        print("");
        print(&paint.heading("Votes"));
        show(&votes);
    }
    let decisions = decisions(run);
    if !decisions.is_empty() {
        print("");
        print(&paint.heading("Decisions of sequences: first at"));
        show(&decisions);
    }
    let raised = run.timeline.entries.iter().filter(|entry| entry.event == "raised").count();
    print("");
    print(&format!("{raised} alarms raised, {} orders given, outputs {}", run.played.orders, run.digest));
}

fn votes(run: &Run) -> Vec<Vec<String>> {
    let mut rows = vec![["vote", "first", "by", "complete"].map(str::to_owned).to_vec()];
    for rule in &run.site.rules {
        let RuleKind::Together(vote) = &rule.kind else { continue };
        let first = run.firsts.first_vote(&rule.name);
        let complete = run.firsts.first(&Mark::Rule(rule.name.clone(), vote.level));
        rows.push(vec![
            rule.name.clone(),
            maybe(first.map(|(at, _)| at)),
            first.map_or("–", |(_, channel)| channel).to_owned(),
            maybe(complete),
        ]);
    }
    rows
}

fn decisions(run: &Run) -> Vec<Vec<String>> {
    let order = |event: &str| SEQUENCE_EVENTS.iter().position(|known| *known == event);
    let mut found = Vec::new();
    for (mark, times) in &run.firsts.marks {
        if let Mark::Sequence(name, event, stage) = mark
            && *event != "mode"
        {
            let stage = stage.map_or_else(String::new, |stage| stage_name(&run.site, name, stage));
            let row = vec![name.clone(), (*event).to_owned(), seconds(times.first()), stage];
            found.push(((times.first(), order(event)), row));
        }
    }
    found.sort_by_key(|(at, _)| *at);
    found.into_iter().map(|(_, row)| row).collect()
}

fn stage_name(site: &Site, sequence: &str, stage: u8) -> String {
    let sequence = site.sequences.iter().find(|known| known.name == sequence);
    let stage = sequence.and_then(|sequence| sequence.stages.get(usize::from(stage)));
    stage.map_or_else(String::new, |stage| stage.name.clone())
}

fn differences(changes: &[Change], paint: Paint) {
    print("");
    if changes.is_empty() {
        print(&paint.heading("The new rules change nothing"));
        return;
    }
    print(&paint.heading("What the new rules change"));
    let brief = |side: Option<(Millis, u64)>| match side {
        None => "–".to_owned(),
        Some((at, 1)) => seconds(at),
        Some((at, count)) => format!("{} ({count} times)", seconds(at)),
    };
    let mut rows = vec![["", "before", "new", ""].map(str::to_owned).to_vec()];
    for change in changes {
        let words = match change.shift {
            Shift::Gone | Shift::Later(_) => paint.with("33", &change.shift.words()),
            Shift::Earlier(_) | Shift::New | Shift::Count => change.shift.words(),
        };
        rows.push(vec![change.mark.words(), brief(change.old), brief(change.new), words]);
    }
    show(&rows);
}

fn verdicts(report: &Report<'_>, paint: Paint) {
    let mut rows = vec![["line", "expected", "happened"].map(str::to_owned).to_vec()];
    for verdict in report.verdicts.iter().filter(|verdict| !verdict.met) {
        rows.push(vec![verdict.line.to_string(), verdict.expected.clone(), verdict.happened.clone()]);
    }
    if 1 < rows.len() {
        print("");
        print(&paint.level(Level::Danger, "What did not come true"));
        show(&rows);
    }
}

fn show(rows: &[Vec<String>]) {
    for line in table::lines(rows) {
        print(&format!("  {line}"));
    }
}

fn speed(run: &Run) -> String {
    let real = run.played.lasted.as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "a duration in microseconds")]
    let took = run.took_us as f64 / 1e6;
    let times =
        if 0.0 < took { format!(", {:.0} times as fast as it was", real / took) } else { String::new() };
    format!(
        "{real:.1} s with {} scans and {} inputs played in {took:.2} s{times}",
        run.played.scans, run.played.inputs
    )
}

/// The zone that a rule speaks of, for programs.
pub(super) fn zone_of(site: &Site, rule: &str) -> Option<String> {
    let index = site.rules.iter().position(|known| known.name == rule)?;
    Some(site[site[RuleId::at(index)].zone].name.clone())
}

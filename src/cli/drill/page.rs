//! The report as a table for the terminal, and as a page that needs nothing else.

use std::fmt::Write as _;

use serde_json::Value;

use super::report::{Report, StageReport};
use super::seconds;

/// Width of the picture's time axis, and where it begins.
const AXIS: (f64, f64) = (640.0, 230.0);
/// Height of one row of the picture.
const ROW: f64 = 34.0;

/// The report for a terminal.
pub(super) fn table(report: &Report) -> Vec<String> {
    let mut rows = vec![["stage", "begun", "command", "end", "outcome", "cuts"].map(str::to_owned).to_vec()];
    let time = |ms: Option<u64>| ms.map_or_else(|| "-".to_owned(), |ms| format!("{:.1} s", seconds(ms)));
    for stage in &report.stages {
        rows.push(vec![
            stage.name.clone(),
            time(stage.begun_ms),
            time(stage.ordered_ms),
            time(stage.ended_ms),
            outcome(stage, report.simulated),
            if stage.cuts.is_empty() { "?".to_owned() } else { stage.cuts.clone() },
        ]);
    }
    let mut lines = vec![String::new(), headline(report)];
    lines.extend(crate::cli::table::lines(&rows));
    lines.push(String::new());
    if report.verdict.passed {
        lines.push("PASSED".to_owned());
    } else {
        lines.push(format!("NOT PASSED: {} findings", report.verdict.findings.len()));
        lines.extend(report.verdict.findings.iter().map(|finding| format!("  - {finding}")));
    }
    lines
}

fn headline(report: &Report) -> String {
    let how = if report.simulated {
        "in a simulated room, every command carried out"
    } else {
        "nothing was written"
    };
    format!("DRILL of {} ({}), {how}, by {} at {}", report.sequence, report.title, report.by, report.began)
}

fn outcome(stage: &StageReport, simulated: bool) -> String {
    match (stage.state.as_str(), simulated) {
        ("verified", false) => "would have been commanded".to_owned(),
        ("pending", _) => "not reached".to_owned(),
        (state, _) => state.to_owned(),
    }
}

/// The report as a page.
pub(super) fn page(report: &Report) -> String {
    let verdict = if report.verdict.passed { ("passed", "PASSED") } else { ("failed", "NOT PASSED") };
    let findings = report.verdict.findings.iter().fold(String::new(), |mut all, finding| {
        let _ = write!(all, "<li>{}</li>", escaped(finding));
        all
    });
    let findings =
        if findings.is_empty() { "<p>No findings.</p>".to_owned() } else { format!("<ul>{findings}</ul>") };
    include_str!("page.html")
        .replace("{{sequence}}", &escaped(&report.sequence))
        .replace("{{headline}}", &escaped(&headline(report)))
        .replace("{{site}}", &escaped(&format!("{}, gateway {}", report.site, report.gateway)))
        .replace("{{zone}}", &escaped(&report.zone))
        .replace("{{configuration}}", &escaped(report.configuration.as_deref().unwrap_or("not named")))
        .replace("{{class}}", verdict.0)
        .replace("{{verdict}}", verdict.1)
        .replace("{{findings}}", &findings)
        .replace("{{picture}}", &picture(report))
        .replace("{{stages}}", &stages(report))
        .replace("{{events}}", &events(report))
}

/// A row for the countdown and one for each stage: waiting, from the command to its end, and what became of it.
fn picture(report: &Report) -> String {
    let last = report.events.iter().map(|said| said.ms).max().unwrap_or(0).max(1000);
    #[expect(clippy::cast_precision_loss, reason = "a picture of minutes")]
    let x = |ms: u64| AXIS.1 + AXIS.0 * ms as f64 / last as f64;
    #[expect(clippy::cast_precision_loss, reason = "a few rows")]
    let y = |row: usize| 12.0 + ROW * row as f64;
    let mut all = String::new();
    let names = std::iter::once("countdown").chain(report.stages.iter().map(|stage| stage.name.as_str()));
    for (row, name) in names.enumerate() {
        let (at, name) = (y(row) + 14.0, escaped(&short(name)));
        let _ = write!(all, "<text x=\"{:.0}\" y=\"{at:.1}\" class=\"name\">{name}</text>", AXIS.1 - 10.0);
    }
    let mut bar = |row: usize, from: u64, to: u64, class: &str| {
        let (left, top, width) = (x(from), y(row), (x(to) - x(from)).max(3.0));
        let _ = write!(
            all,
            "<rect x=\"{left:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"18\" rx=\"3\" class=\"{class}\"/>"
        );
    };
    let first = report.stages.iter().filter_map(|stage| stage.begun_ms).min().unwrap_or(last);
    bar(0, 0, first, "wait");
    for (row, stage) in report.stages.iter().enumerate() {
        let row = row + 1;
        let Some(begun) = stage.begun_ms else {
            bar(row, last, last, "none");
            continue;
        };
        let ordered = stage.ordered_ms.unwrap_or_else(|| stage.ended_ms.unwrap_or(last));
        bar(row, begun, ordered, "wait");
        if stage.ordered_ms.is_some() {
            bar(row, ordered, stage.ended_ms.unwrap_or(last), &stage.state);
        }
    }
    let bottom = y(report.stages.len() + 1);
    for tick in 0..=4_u64 {
        let ms = last * tick / 4;
        let _ = write!(
            all,
            "<line x1=\"{0:.1}\" x2=\"{0:.1}\" y1=\"6\" y2=\"{bottom:.1}\" class=\"grid\"/><text x=\"{0:.1}\" y=\"{1:.1}\" \
             class=\"tick\">{2:.1} s</text>",
            x(ms),
            bottom + 14.0,
            seconds(ms),
        );
    }
    let height = bottom + 22.0;
    format!(
        "<svg viewBox=\"0 0 900 {height:.0}\" role=\"img\" aria-label=\"Timeline of the drill\">{all}</svg>"
    )
}

fn short(name: &str) -> String {
    if name.chars().count() <= 32 { name.to_owned() } else { name.chars().take(31).chain(['…']).collect() }
}

fn stages(report: &Report) -> String {
    let mut all = String::new();
    for (index, stage) in report.stages.iter().enumerate() {
        let time = |ms: Option<u64>| ms.map_or_else(|| "–".to_owned(), |ms| format!("{:.1} s", seconds(ms)));
        let writes = if stage.writes.is_empty() {
            "not known: name the configuration".to_owned()
        } else {
            stage.writes.join("; ")
        };
        let _ = write!(
            all,
            "<section class=\"stage {}\"><h3>{}. {}</h3><p class=\"state\">{}{}</p><dl><dt>Command</dt><dd>{}: <code>{}</code></dd>\
             <dt>Takes away</dt><dd>{}</dd><dt>Carried out</dt><dd>{}; after a delay of {:.1} s; if it fails: {}</dd>\
             <dt>Times</dt><dd>waited from {}, command at {}, end at {}; {:.1} s allowed for feedback</dd></dl>{}{}</section>",
            escaped(&stage.state),
            index + 1,
            escaped(&stage.name),
            escaped(&outcome(stage, report.simulated)),
            stage.why.as_deref().map(|why| format!(": {}", escaped(why))).unwrap_or_default(),
            escaped(&stage.action),
            escaped(&writes),
            escaped(&stage.cuts),
            escaped(&stage.when),
            seconds(stage.delay_ms),
            escaped(&stage.on_fail),
            time(stage.begun_ms),
            time(stage.ordered_ms),
            time(stage.ended_ms),
            seconds(stage.verify_within_ms),
            reads("Permissives when the command was due", &stage.permissives),
            reads("Read back", &stage.feedback),
        );
    }
    all
}

fn reads(title: &str, reads: &[Value]) -> String {
    if reads.is_empty() {
        return String::new();
    }
    let mut rows = String::new();
    for read in reads {
        let text = |key: &str| escaped(read[key].as_str().unwrap_or_default());
        let value = text("shown");
        let age = read["age_ms"].as_u64().map(|ms| format!("{:.1} s old", seconds(ms))).unwrap_or_default();
        let ok = match read["ok"].as_bool() {
            Some(true) => "as wanted",
            Some(false) => "not as wanted",
            None => "unknown",
        };
        let _ = write!(
            rows,
            "<tr><td>{}</td><td>{}</td><td>{value}</td><td>{age}</td><td>{ok}</td></tr>",
            text("id"),
            text("want")
        );
    }
    format!("<table><caption>{title}</caption><tr><th>point<th>wanted<th>read<th>age<th></tr>{rows}</table>")
}

fn events(report: &Report) -> String {
    report.events.iter().fold(String::new(), |mut all, said| {
        let _ = write!(
            all,
            "<tr><td class=\"t\">{:.1} s</td><td>{}</td></tr>",
            seconds(said.ms),
            escaped(&said.text)
        );
        all
    })
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

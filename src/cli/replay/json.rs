//! A replay for programs: one JSON object a line.

use serde_json::{Value, json};

use super::show::zone_of;
use super::{Report, changes};
use crate::cli::print;
use crate::replay::{Firsts, Kind, Mark};
use crate::units::Millis;
use crate::wire::time::rfc3339;

/// Prints everything; times in seconds since the origin of the replay.
pub(super) fn print_report(report: &Report<'_>) {
    let run = report.run;
    if report.timeline {
        for entry in run.timeline.entries.iter().filter(|entry| report.from <= entry.at) {
            let zone = if entry.kind == Kind::Finding { zone_of(&run.site, &entry.subject) } else { None };
            let mut line = json!({
                "at": entry.at.as_secs_f64(),
                "kind": entry.kind.word(),
                "subject": entry.subject,
                "level": entry.level.word(),
                "event": entry.event,
                "text": entry.text,
            });
            if let Some(zone) = zone {
                line["zone"] = Value::from(zone);
            }
            print(&line.to_string());
        }
    }
    for change in changes(report).unwrap_or_default() {
        let side = |side: Option<(Millis, u64)>| {
            side.map(|(at, count)| json!({ "first": at.as_secs_f64(), "count": count }))
        };
        let line = json!({
            "kind": "difference",
            "what": change.mark.words(),
            "before": side(change.old),
            "new": side(change.new),
            "change": change.shift.words(),
        });
        print(&line.to_string());
    }
    for verdict in report.verdicts {
        let line = json!({
            "kind": "expectation",
            "line": verdict.line,
            "expected": verdict.expected,
            "happened": verdict.happened,
            "met": verdict.met,
        });
        print(&line.to_string());
    }
    let summary = json!({
        "kind": "summary",
        "site": run.site.name,
        "began": rfc3339(run.played.began.wall),
        "ended_at": run.played.ended_at.as_secs_f64(),
        "scans": run.played.scans,
        "inputs": run.played.inputs,
        "orders": run.played.orders,
        "outputs_sha256": run.digest,
        "first": firsts(&run.firsts),
        "notes": run.notes,
    });
    print(&summary.to_string());
}

fn firsts(firsts: &Firsts) -> Value {
    let all = firsts.marks.iter().map(|(mark, times)| {
        let kind = match mark {
            Mark::Zone(..) => "zone",
            Mark::Vote(..) => "vote",
            Mark::Rule(..) => "rule",
            Mark::Sequence(..) => "sequence",
            Mark::Alarm(_) => "alarm",
        };
        json!({
            "kind": kind,
            "what": mark.words(),
            "at": times.first().as_secs_f64(),
            "count": times.count,
        })
    });
    Value::from(all.collect::<Vec<Value>>())
}

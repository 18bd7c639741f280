//! `status --nagios`: one line and an exit code, as Nagios, Icinga, Checkmk and their like read them.
//!
//! 0 is OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN. Silence is never OK: a loop that does not judge is critical, a daemon that
//! does not answer unknown. What follows the bar is performance data.

use serde_json::Value;

use super::{SILENT_MS_MAX, is_silent, list};
use crate::cli::Exit;

/// How bad it is. `Ord`: the worst is the greatest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    Ok,
    Warning,
    Critical,
}

/// The line, and how the command ends.
pub(super) fn report(status: &Value) -> (String, Exit) {
    let count = |priority: &str| -> u64 {
        let rooms = list(&status["rooms"], |room| room["alarms"][priority].as_u64());
        rooms.into_iter().sum()
    };
    let [critical, high, medium] = ["critical", "high", "medium"].map(count);
    let level = status["level"].as_str().unwrap_or("unknown");
    let silent = status["loop_silent_ms"].as_u64();
    let is_silent = is_silent(status);
    let failing = list(&status["failing"], Value::as_str);
    let by_level = match level {
        "normal" => State::Ok,
        "watch" | "warning" => State::Warning,
        _ => State::Critical,
    };
    let by_alarms = match (critical, high + medium) {
        (0, 0) => State::Ok,
        (0, _) => State::Warning,
        _ => State::Critical,
    };
    let by_parts = if failing.is_empty() { State::Ok } else { State::Warning };
    let by_loop = if is_silent { State::Critical } else { State::Ok };
    let state = by_level.max(by_alarms).max(by_parts).max(by_loop);
    let (word, exit) = match state {
        State::Ok => ("OK", Exit::Ok),
        State::Warning => ("WARNING", Exit::No),
        State::Critical => ("CRITICAL", Exit::Usage),
    };
    let mut says = vec![format!("{} is at {level}", status["site"].as_str().unwrap_or("the site"))];
    if is_silent {
        says.push("THE SAFETY LOOP IS SILENT".to_owned());
    }
    says.extend(
        [(critical, "critical"), (high, "high"), (medium, "medium")]
            .into_iter()
            .filter(|(count, _)| 0 < *count)
            .map(|(count, word)| format!("{count} {word} alarms")),
    );
    says.extend(list(&status["sequences"], running));
    if !failing.is_empty() {
        says.push(format!("failing: {}", failing.join(", ")));
    }
    let data = performance(status, &[("critical", critical), ("high", high), ("medium", medium)], silent);
    (format!("EMBERWATCH {word} - {} | {data}", says.join("; ")), exit)
}

/// Without an answer nothing is known.
pub(super) fn unknown(why: &str) -> (String, Exit) {
    // A bar would begin performance data.
    (format!("EMBERWATCH UNKNOWN - {}", why.replace('|', "/")), Exit::Unknown)
}

/// A sequence with a run.
fn running(sequence: &Value) -> Option<String> {
    let state = sequence["state"].as_str().filter(|state| *state != "idle")?;
    Some(format!("{} is {state}", sequence["id"].as_str()?))
}

fn performance(status: &Value, alarms: &[(&str, u64)], silent: Option<u64>) -> String {
    let mut data: Vec<String> =
        alarms.iter().map(|(priority, count)| format!("alarms_{priority}={count}")).collect();
    for room in list(&status["rooms"], Some) {
        let id = room["id"].as_str().unwrap_or("room");
        if let Some(pct) = room["quality_pct"].as_f64() {
            data.push(format!("{id}_quality={pct}%"));
        }
        if let (Some(online), Some(of)) = (room["devices"]["online"].as_u64(), room["devices"]["of"].as_u64())
        {
            data.push(format!("{id}_devices={online};;;0;{of}"));
        }
    }
    if let Some(silent) = silent {
        data.push(format!("loop_silent={silent}ms;;{SILENT_MS_MAX}"));
    }
    data.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn status(level: &str, alarms: &Value, silent: u64, failing: &[&str]) -> Value {
        json!({
            "site": "s1", "level": level, "loop_silent_ms": silent, "failing": failing,
            "rooms": [{
                "id": "b1", "alarms": alarms, "devices": { "online": 6, "of": 7 }, "quality_pct": 98.5,
            }],
            "sequences": [{ "id": "cut-1", "state": if level == "danger" { "countdown" } else { "idle" } }],
        })
    }

    #[test]
    fn the_worst_of_level_alarms_parts_and_loop_decides() {
        for (what, status, word, exit) in [
            ("calm", status("normal", &json!({}), 100, &[]), "OK", Exit::Ok),
            ("a low alarm", status("normal", &json!({ "low": 3 }), 100, &[]), "OK", Exit::Ok),
            ("a watch", status("watch", &json!({}), 100, &[]), "WARNING", Exit::No),
            ("a high alarm", status("normal", &json!({ "high": 1 }), 100, &[]), "WARNING", Exit::No),
            ("a broker down", status("normal", &json!({}), 100, &["mqtt-down"]), "WARNING", Exit::No),
            ("danger", status("danger", &json!({}), 100, &[]), "CRITICAL", Exit::Usage),
            (
                "a critical alarm",
                status("watch", &json!({ "critical": 1 }), 100, &[]),
                "CRITICAL",
                Exit::Usage,
            ),
            ("a silent loop", status("normal", &json!({}), 6_001, &[]), "CRITICAL", Exit::Usage),
            ("nothing said", json!({}), "CRITICAL", Exit::Usage),
        ] {
            let (line, ends) = report(&status);
            assert!(line.starts_with(&format!("EMBERWATCH {word} - ")), "{what}: {line}");
            assert_eq!(ends, exit, "{what}");
        }
        let codes = [Exit::Ok, Exit::No, Exit::Usage, Exit::Unknown].map(Exit::code);
        assert_eq!(codes, [0, 1, 2, 3], "the codes that plugins end with");
    }

    #[test]
    fn one_line_says_what_is_the_matter_and_carries_figures() {
        let (line, _) =
            report(&status("danger", &json!({ "critical": 2, "high": 1 }), 100, &["influx-down"]));
        assert_eq!(
            line,
            "EMBERWATCH CRITICAL - s1 is at danger; 2 critical alarms; 1 high alarms; cut-1 is countdown; \
             failing: influx-down | alarms_critical=2 alarms_high=1 alarms_medium=0 b1_quality=98.5% \
             b1_devices=6;;;0;7 loop_silent=100ms;;6000"
        );
        assert_eq!(unknown("a|b"), ("EMBERWATCH UNKNOWN - a/b".to_owned(), Exit::Unknown));
    }
}

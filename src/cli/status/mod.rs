//! `emberwatch status`: rooms, sequences and alarms of the running daemon, on one screen.

mod nagios;

use serde_json::Value;

use crate::cli::daemon::{DaemonArgs, failed};
use crate::cli::{Exit, print, table};

/// A loop that was silent for longer does not judge.
const SILENT_MS_MAX: u64 = 6_000;

/// The figures of the alarm system that are shown, and how people read them.
const FIGURES: [(&str, &str); 9] = [
    ("standing", "standing"),
    ("unacknowledged", "not seen"),
    ("calls_10_min", "calls in 10 min"),
    ("stale", "standing for over a day"),
    ("chattering", "chattering"),
    ("shelved", "shelved"),
    ("suppressed", "suppressed"),
    ("out_of_service", "out of service"),
    ("floods", "floods"),
];

/// Arguments of `status`.
#[derive(clap::Args)]
#[command(after_help = "\
  emberwatch status --config /etc/emberwatch/emberwatch.toml
  emberwatch status --json | jq .alarm_figures

  emberwatch status --nagios                              # a plugin for Nagios, Icinga, Checkmk

Ends with 0 if the daemon answers and its safety loop runs, 1 if the loop is silent, 69 without a daemon,
77 without the right to ask it. With --nagios: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN.")]
pub(crate) struct StatusArgs {
    /// One line with performance data, and the exit codes of monitoring plugins.
    #[arg(long, conflicts_with = "json")]
    nagios: bool,
    #[command(flatten)]
    daemon: DaemonArgs,
}

/// Shows how everything stands.
pub(crate) fn status(args: &StatusArgs) -> Exit {
    if args.nagios {
        return plugin(args);
    }
    args.daemon.with("status", async |mut client| {
        let status = client.status().await.map_err(failed)?;
        if args.daemon.json {
            print(&status.to_string());
        } else {
            for line in lines(&status) {
                print(&line);
            }
        }
        Ok(if is_silent(&status) { Exit::No } else { Exit::Ok })
    })
}

/// Whether nothing is judged; also where the daemon does not say.
fn is_silent(status: &Value) -> bool {
    status["loop_silent_ms"].as_u64().is_none_or(|silent| SILENT_MS_MAX < silent)
}

/// For monitoring: the one line goes to stdout whatever happens.
fn plugin(args: &StatusArgs) -> Exit {
    let asked = args.daemon.ask(async |mut client| client.status().await.map_err(failed));
    let (line, exit) = match asked {
        Ok(status) => nagios::report(&status),
        Err((_, why)) => nagios::unknown(&why),
    };
    print(&line);
    exit
}

fn lines(status: &Value) -> Vec<String> {
    let word = |key: &str| status[key].as_str().unwrap_or("?").to_owned();
    let mut lines = vec![format!(
        "{} at {}: {} (emberwatch {})",
        word("gateway"),
        word("site"),
        word("level").to_uppercase(),
        word("version")
    )];
    if let Some(silent) = status["loop_silent_ms"].as_u64().filter(|silent| SILENT_MS_MAX < *silent) {
        lines.push(format!("THE SAFETY LOOP IS SILENT for {} s: nothing is judged", silent / 1000));
    }
    let failing = list(&status["failing"], Value::as_str);
    if !failing.is_empty() {
        lines.push(format!("failing: {}", failing.join(", ")));
    }
    let head = |words: &[&str]| words.iter().map(ToString::to_string).collect::<Vec<_>>();
    let mut rooms = vec![head(&["room", "level", "alarms", "not seen", "put away", "devices", "good data"])];
    rooms.extend(list(&status["rooms"], Some).into_iter().map(room));
    let mut sequences = vec![head(&["sequence", "zone", "mode", "state"])];
    sequences.extend(list(&status["sequences"], Some).into_iter().map(|it| {
        ["id", "zone", "mode", "state"].map(|key| it[key].as_str().unwrap_or("?").to_owned()).to_vec()
    }));
    for rows in [rooms, sequences].iter().filter(|rows| 1 < rows.len()) {
        lines.push(String::new());
        lines.extend(table::lines(rows));
    }
    lines.push(String::new());
    lines.push(format!("alarms: {}", figures(&status["alarm_figures"])));
    lines
}

fn list<'a, T>(value: &'a Value, read: impl Fn(&'a Value) -> Option<T>) -> Vec<T> {
    value.as_array().map(|items| items.iter().filter_map(read).collect()).unwrap_or_default()
}

fn room(room: &Value) -> Vec<String> {
    let sum = |counts: &Value| -> u64 {
        counts.as_object().map_or(0, |counts| counts.values().filter_map(Value::as_u64).sum())
    };
    let devices = &room["devices"];
    vec![
        room["id"].as_str().unwrap_or("?").to_owned(),
        room["level"].as_str().unwrap_or("?").to_owned(),
        sum(&room["alarms"]).to_string(),
        room["unacknowledged"].to_string(),
        sum(&room["put_away"]).to_string(),
        format!("{} of {}", devices["online"], devices["of"]),
        room["quality_pct"].as_f64().map_or_else(|| "unknown".to_owned(), |pct| format!("{pct} %")),
    ]
}

/// Those that are not zero: `2 standing, 1 not seen`.
fn figures(figures: &Value) -> String {
    let some = FIGURES.iter().filter_map(|(key, words)| {
        let figure = figures[key].as_u64().filter(|figure| 0 < *figure)?;
        Some(format!("{figure} {words}"))
    });
    let some: Vec<String> = some.collect();
    if some.is_empty() { "none".to_owned() } else { some.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn one_screen_says_what_matters() {
        let status = json!({
            "gateway": "gw-1", "site": "example", "level": "watch", "version": "0.1.0", "loop_silent_ms": 100,
            "failing": ["mqtt-down"],
            "rooms": [{
                "id": "b1", "level": "watch", "alarms": { "medium": 2 }, "unacknowledged": 1,
                "put_away": { "shelved": 1 }, "devices": { "online": 6, "of": 7 }, "quality_pct": 98.5,
            }],
            "sequences": [{ "id": "cut-1", "zone": "rack-1", "mode": "shadow", "state": "idle" }],
            "alarm_figures": { "standing": 2, "unacknowledged": 1, "stale": 0, "shelved": 1 },
        });
        assert_eq!(
            lines(&status),
            [
                "gw-1 at example: WATCH (emberwatch 0.1.0)",
                "failing: mqtt-down",
                "",
                "room  level  alarms  not seen  put away  devices  good data",
                "b1    watch  2       1         1         6 of 7   98.5 %",
                "",
                "sequence  zone    mode    state",
                "cut-1     rack-1  shadow  idle",
                "",
                "alarms: 2 standing, 1 not seen, 1 shelved",
            ]
        );
        let silent = json!({ "loop_silent_ms": 61_000 });
        assert!(lines(&silent)[1].contains("SILENT for 61 s"));
        assert!(lines(&silent).last().is_some_and(|line| line == "alarms: none"));
    }
}

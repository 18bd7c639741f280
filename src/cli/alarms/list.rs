//! Alarms as people read them: the worst first, what is put away below, each with what to do.

use jiff::Timestamp;
use serde_json::Value;

use crate::cli::{print, table};
use crate::clock;
use crate::units::Millis;
use crate::wire::text::span;

const PRIORITIES: [&str; 4] = ["critical", "high", "medium", "low"];

/// The state's word in topics, and how people read it.
const STATES: [(&str, &str); 9] = [
    ("normal", "normal"),
    ("unack-active", "STANDING, not seen"),
    ("ack-active", "standing, seen"),
    ("unack-rtn", "gone, not seen"),
    ("latched-unack", "gone, latched, not seen"),
    ("latched", "gone, latched"),
    ("shelved", "shelved"),
    ("suppressed", "suppressed"),
    ("out-of-service", "out of service"),
];

/// Whether nobody has seen it.
pub(super) fn is_unseen(alarm: &Value) -> bool {
    word(alarm, "state").contains("unack")
}

fn is_away(alarm: &Value) -> bool {
    alarm["away"].is_object()
}

fn word<'a>(alarm: &'a Value, key: &str) -> &'a str {
    alarm[key].as_str().unwrap_or_default()
}

fn rank(alarm: &Value) -> usize {
    let priority = word(alarm, "priority");
    PRIORITIES.iter().position(|known| *known == priority).unwrap_or(PRIORITIES.len())
}

/// All of them, as a table or as JSON, one a line.
pub(super) fn show(alarms: &[Value], json: bool) {
    if json {
        for alarm in alarms {
            print(&alarm.to_string());
        }
        return;
    }
    let mut sorted: Vec<&Value> = alarms.iter().collect();
    // Of equal ones, that which stands longest first: times of one form sort as text.
    sorted.sort_by_key(|alarm| {
        (rank(alarm), !alarm["first_out"].as_bool().unwrap_or(false), word(alarm, "since"))
    });
    let (away, standing): (Vec<&Value>, Vec<&Value>) = sorted.into_iter().partition(|alarm| is_away(alarm));
    if standing.is_empty() {
        print("No alarms.");
    } else {
        show_table(&standing, standing_row);
    }
    if !away.is_empty() {
        print("");
        print(&format!("Put away: {}", away.len()));
        show_table(&away, away_row);
    }
}

fn show_table(alarms: &[&Value], row: fn(&Value) -> Vec<String>) {
    let mut rows: Vec<Vec<String>> = Vec::new();
    for alarm in alarms {
        rows.push(row(alarm));
        let advice = word(alarm, "action");
        if !advice.is_empty() && !is_away(alarm) {
            rows.push(vec![format!("    do: {advice}")]);
        }
    }
    for line in table::lines(&rows) {
        print(&line);
    }
}

fn standing_row(alarm: &Value) -> Vec<String> {
    let first = if alarm["first_out"] == true { ", first out" } else { "" };
    let chatter = if alarm["chattering"] == true { ", chattering" } else { "" };
    let by = alarm["ack"].as_str().map(|by| format!(" by {by}")).unwrap_or_default();
    vec![
        word(alarm, "priority").to_uppercase(),
        word(alarm, "id").to_owned(),
        format!("#{}", alarm["occurrence"]),
        format!("{}{by}{first}{chatter}", state(alarm)),
        age(alarm),
        word(alarm, "message").to_owned(),
    ]
}

fn away_row(alarm: &Value) -> Vec<String> {
    let cause = if alarm["active"] == true { "its cause stands" } else { "calm" };
    vec![
        state(alarm).to_owned(),
        word(alarm, "id").to_owned(),
        cause.to_owned(),
        held(alarm),
        word(alarm, "message").to_owned(),
    ]
}

/// By whom, until when, why.
fn held(alarm: &Value) -> String {
    let away = &alarm["away"];
    let by = away["by"].as_str().unwrap_or("?");
    let once = if away["one_shot"] == true { ", or until its cause goes" } else { "" };
    match (alarm["shelved_until"].as_str(), away["reason"].as_str()) {
        (Some(until), _) => format!("by {by} until {}{once}", minute(until)),
        (None, Some(reason)) => format!("by {by}: {reason}"),
        (None, None) => format!("by {by}"),
    }
}

fn state(alarm: &Value) -> &'static str {
    let word = word(alarm, "state");
    STATES.iter().find(|(known, _)| *known == word).map_or("?", |(_, words)| words)
}

/// `2026-11-22 17:42:05 UTC`.
fn minute(label: &str) -> String {
    let short = label.get(..19).unwrap_or(label).replace('T', " ");
    format!("{short} UTC")
}

fn age(alarm: &Value) -> String {
    let since: Option<Timestamp> = word(alarm, "since").parse().ok();
    let age = since.and_then(|since| u64::try_from(clock::now().wall.0 - since.as_millisecond()).ok());
    age.map(|age| span(Millis(age / 1000 * 1000))).unwrap_or_default()
}

/// One alarm in one line.
pub(super) fn line(alarm: &Value) -> String {
    format!(
        "{} #{}: {}, {}: {}",
        word(alarm, "id"),
        alarm["occurrence"],
        alarm["priority"].as_str().unwrap_or("never raised"),
        state(alarm),
        word(alarm, "message"),
    )
}

/// One alarm after something was done about it.
pub(super) fn show_one(alarm: &Value, by: &str, json: bool) {
    if json {
        print(&alarm.to_string());
    } else if is_away(alarm) {
        print(&format!("{}: {} {}", word(alarm, "id"), state(alarm), held(alarm)));
    } else {
        print(&format!("{}: {} (asked by {by})", word(alarm, "id"), state(alarm)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_state_has_words_for_people() {
        use crate::safety::alarm::AlarmState;
        for of in AlarmState::ALL {
            assert_ne!(state(&json!({ "state": of.word() })), "?", "{of:?}");
            assert_eq!(is_unseen(&json!({ "state": of.word() })), of.is_unseen(), "{of:?}");
        }
    }

    #[test]
    fn what_is_put_away_says_by_whom_until_when_and_why() {
        let shelved = json!({ "away": { "by": "local:kim", "one_shot": true }, "shelved_until": "2026-11-22T17:42:05.120Z" });
        assert_eq!(held(&shelved), "by local:kim until 2026-11-22 17:42:05 UTC, or until its cause goes");
        let out = json!({ "away": { "by": "local:kim", "reason": "new sensor" }, "shelved_until": null });
        assert_eq!(held(&out), "by local:kim: new sensor");
        assert_eq!(held(&json!({ "away": { "by": "b1-flood" } })), "by b1-flood");
    }
}

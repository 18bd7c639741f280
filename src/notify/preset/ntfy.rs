//! ntfy: title, text, priority and tags, published as JSON at the root of the server.

use serde_json::json;

use super::words::{Severity, clip};
use crate::notify::telling::{Stage, Telling};

/// The server turns longer texts into attachments.
const MESSAGE_CHARS_MAX: usize = 1300;
const TITLE_CHARS_MAX: usize = 200;

pub(super) fn render(telling: &Telling<'_>, topic: &str) -> Vec<u8> {
    let lines: Vec<String> =
        telling.details().into_iter().map(|(label, text)| format!("{label}: {text}")).collect();
    let (priority, tag) = match (telling.stage(), telling.severity()) {
        (Stage::Over | Stage::Seen, _) => (2, "white_check_mark"),
        (_, Severity::Critical) => (5, "rotating_light"),
        (_, Severity::Error) => (4, "warning"),
        (_, Severity::Warning) => (3, "warning"),
        (_, Severity::Info) => (2, "information_source"),
    };
    publish(topic, &telling.headline(), &lines.join("\n"), priority, tag)
}

pub(super) fn group(topic: &str, headline: &str, lines: &str, worst: Severity) -> Vec<u8> {
    let priority = if Severity::Error <= worst { 5 } else { 4 };
    publish(topic, headline, lines, priority, "rotating_light")
}

fn publish(topic: &str, title: &str, text: &str, priority: u8, tag: &str) -> Vec<u8> {
    json!({
        "topic": topic,
        "title": clip(title, TITLE_CHARS_MAX),
        "message": clip(text, MESSAGE_CHARS_MAX),
        "priority": priority,
        "tags": [tag, "emberwatch"],
    })
    .to_string()
    .into_bytes()
}

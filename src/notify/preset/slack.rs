//! Slack incoming webhooks: a text that can be read alone, and the same as blocks.

use serde_json::{Value, json};

use super::words::clip;
use crate::notify::telling::Telling;

const HEADER_CHARS_MAX: usize = 150;
const SECTION_CHARS_MAX: usize = 3000;
const FIELD_CHARS_MAX: usize = 2000;
/// A section takes ten.
const FIELDS_MAX: usize = 10;

pub(super) fn render(telling: &Telling<'_>) -> Vec<u8> {
    let headline = telling.headline();
    let fields: Vec<Value> = telling
        .details()
        .into_iter()
        .take(FIELDS_MAX)
        .map(|(label, text)| {
            // Clipped before it is escaped, so that no escape is torn; an escape is at most five characters.
            let text = clip(&text, FIELD_CHARS_MAX / 6);
            json!({ "type": "mrkdwn", "text": format!("*{label}*\n{}", escaped(&text)) })
        })
        .collect();
    message(&headline, &[json!({ "type": "section", "fields": fields })])
}

pub(super) fn group(headline: &str, lines: &str) -> Vec<u8> {
    let text = json!({ "type": "plain_text", "text": clip(lines, SECTION_CHARS_MAX) });
    message(headline, &[json!({ "type": "section", "text": text })])
}

fn message(headline: &str, blocks: &[Value]) -> Vec<u8> {
    let header = json!({
        "type": "header",
        "text": { "type": "plain_text", "text": clip(headline, HEADER_CHARS_MAX) },
    });
    let mut all = vec![header];
    all.extend_from_slice(blocks);
    json!({ "text": escaped(headline), "blocks": all }).to_string().into_bytes()
}

/// The three characters by which Slack marks links and mentions.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

//! Microsoft Teams, by a workflow that posts what its webhook gets: an adaptive card.

use serde_json::{Value, json};

use super::words::Severity;
use crate::notify::telling::{Stage, Telling};

pub(super) fn render(telling: &Telling<'_>) -> Vec<u8> {
    let colour = match (telling.stage(), telling.severity()) {
        (Stage::Over, _) => "Good",
        (_, Severity::Critical | Severity::Error) => "Attention",
        (_, Severity::Warning) => "Warning",
        (_, Severity::Info) => "Default",
    };
    let facts: Vec<Value> =
        telling.details().into_iter().map(|(label, text)| json!({ "title": label, "value": text })).collect();
    card(&telling.headline(), colour, &json!({ "type": "FactSet", "facts": facts }))
}

pub(super) fn group(headline: &str, lines: &str) -> Vec<u8> {
    // Single line breaks are blanks in a text block.
    let text = lines.replace('\n', "\n\n");
    card(headline, "Attention", &json!({ "type": "TextBlock", "text": text, "wrap": true }))
}

fn card(headline: &str, colour: &str, content: &Value) -> Vec<u8> {
    let title = json!({
        "type": "TextBlock",
        "text": headline,
        "weight": "Bolder",
        "size": "Medium",
        "color": colour,
        "wrap": true,
    });
    let card = json!({
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "msteams": { "width": "Full" },
        "body": [title, content],
    });
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": card,
        }],
    })
    .to_string()
    .into_bytes()
}

//! PagerDuty's Events API v2: one incident per alarm, sequence and notice, under one key from call to end.
//!
//! What nobody need be called for is not sent: a step of a sequence, a start of emberwatch.

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::words::clip;
use crate::notify::telling::{About, Stage, Telling};

const SUMMARY_CHARS_MAX: usize = 1024;

pub(super) fn render(telling: &Telling<'_>, routing_key: &SecretString) -> Option<Vec<u8>> {
    let action = match telling.stage() {
        Stage::Calls => "trigger",
        Stage::Seen => "acknowledge",
        Stage::Over => "resolve",
        Stage::Aside if matches!(telling.data.about, About::Test { .. }) => "trigger",
        Stage::Aside => return None,
    };
    let mut event = json!({
        "routing_key": routing_key.expose_secret(),
        "event_action": action,
        "dedup_key": dedup_key(telling),
    });
    if action == "trigger" {
        event["payload"] = payload(telling);
    }
    Some(event.to_string().into_bytes())
}

/// Ends the incident that a test opened.
pub(super) fn end_of_test(telling: &Telling<'_>, routing_key: &SecretString) -> Vec<u8> {
    let event = json!({
        "routing_key": routing_key.expose_secret(),
        "event_action": "resolve",
        "dedup_key": dedup_key(telling),
    });
    event.to_string().into_bytes()
}

fn payload(telling: &Telling<'_>) -> Value {
    let details: serde_json::Map<String, Value> =
        telling.details().into_iter().map(|(label, text)| (label.to_owned(), json!(text))).collect();
    json!({
        "summary": clip(&telling.headline(), SUMMARY_CHARS_MAX),
        "source": telling.data.gateway,
        "severity": telling.severity().word(),
        "timestamp": telling.timestamp,
        "component": telling.data.zone.or(telling.data.room),
        "group": telling.data.site,
        "class": telling.r#type,
        "custom_details": details,
    })
}

/// `{site}/{zone or room}/{alarm}`. Each part is an id of at most 48 characters, some with a suffix: well below
/// the 255 that are allowed.
fn dedup_key(telling: &Telling<'_>) -> String {
    let place = telling.data.zone.or(telling.data.room).unwrap_or("gateway");
    let what = match &telling.data.about {
        About::Alarm(alarm) => alarm.id.to_owned(),
        About::Sequence(sequence) => sequence.id.to_owned(),
        About::Notice(notice) => format!("{}-notice", notice.sequence),
        About::Process { .. } => "started".to_owned(),
        About::Test { target, .. } => format!("test-{target}"),
    };
    format!("{}/{place}/{what}", telling.data.site)
}

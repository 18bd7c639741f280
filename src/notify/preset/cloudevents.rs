//! The same messages as CloudEvents 1.0 in structured mode.

use serde_json::json;

use super::Head;
use crate::notify::telling::Telling;

pub(super) const CONTENT_TYPE: &str = "application/cloudevents+json";

pub(super) fn render(telling: &Telling<'_>) -> Option<Vec<u8>> {
    let data = serde_json::to_value(&telling.data).ok()?;
    let head = Head {
        id: telling.id,
        site: telling.data.site,
        gateway: telling.data.gateway,
        timestamp: &telling.timestamp,
    };
    let place = telling.place();
    Some(envelope(&head, telling.r#type, Some(&place), &data).to_string().into_bytes())
}

/// One event of the given type.
pub(super) fn envelope(
    head: &Head<'_>,
    kind: &str,
    subject: Option<&str>,
    data: &serde_json::Value,
) -> serde_json::Value {
    let mut event = json!({
        "specversion": "1.0",
        "id": head.id,
        "source": format!("/emberwatch/{}/{}", head.site, head.gateway),
        "type": format!("emberwatch.{kind}"),
        "time": head.timestamp,
        "datacontenttype": "application/json",
        "data": data,
    });
    if let Some(subject) = subject {
        event["subject"] = json!(subject);
    }
    event
}

//! Alerts for the v2 API of a Prometheus Alertmanager.
//!
//! Labels say which alarm it is and never what it measures: a label that changes makes another alert. Only the
//! severity is among them, because receivers are chosen by it; an alarm that gets worse ends the alert of the
//! lower severity and begins one of the higher.

use serde_json::{Value, json};

use crate::notify::telling::{AlarmData, Telling};

/// Where alerts are posted, below the address of the server.
pub(in crate::notify) const PATH: &str = "api/v2/alerts";

/// What an alert is, however it goes on.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::notify) struct Alert {
    pub(in crate::notify) labels: Value,
    pub(in crate::notify) annotations: Value,
    pub(in crate::notify) starts_at: String,
}

impl Alert {
    pub(in crate::notify) fn new(telling: &Telling<'_>, alarm: &AlarmData<'_>) -> Self {
        let mut labels = json!({
            "alertname": alarm.id,
            "site": telling.data.site,
            "gateway": telling.data.gateway,
            "severity": telling.severity().word(),
        });
        for (label, value) in [("room", telling.data.room), ("zone", telling.data.zone)] {
            if let Some(value) = value {
                labels[label] = json!(value);
            }
        }
        let annotations = json!({
            "summary": alarm.title,
            "description": telling.data.message,
            "consequence": alarm.consequence,
            "action": alarm.action,
            "state": alarm.state,
        });
        Self { labels, annotations, starts_at: alarm.since.clone() }
    }

    /// An alert that says that nothing has happened.
    pub(in crate::notify) fn test(telling: &Telling<'_>) -> Self {
        let labels = json!({
            "alertname": "emberwatch-test",
            "site": telling.data.site,
            "gateway": telling.data.gateway,
            "severity": telling.severity().word(),
        });
        let annotations = json!({ "summary": telling.headline() });
        Self { labels, annotations, starts_at: telling.timestamp.clone() }
    }

    /// As it is posted: `ends_at` in the past is the end of it, in the future the time until which it is believed
    /// without being told again.
    pub(in crate::notify) fn posted(&self, ends_at: &str) -> Value {
        // A wall clock that was set back must not make an alert end before it began: that is refused, with all
        // others of the request. Both are in UTC to the millisecond, so their order is that of their text.
        let starts_at = self.starts_at.as_str().min(ends_at);
        json!({
            "labels": self.labels,
            "annotations": self.annotations,
            "startsAt": starts_at,
            "endsAt": ends_at,
        })
    }
}

//! One file per receiver: what is told, in the form that it understands.
//!
//! A preset may have nothing to say about a matter: PagerDuty gets no step of a sequence. Alarms that wait in
//! numbers go together where the receiver can take that: one message with twenty lines, not twenty messages.
//! An Alertmanager has a task of its own beside these, because it is told what stands, not what changes.

pub(super) mod alertmanager;
mod cloudevents;
mod mail;
mod ntfy;
mod pagerduty;
mod slack;
mod standard;
mod teams;
pub(super) mod words;

use secrecy::SecretString;
use serde_json::{Value, json};

use crate::notify::telling::Telling;
use words::Severity;

/// How one target is told.
#[derive(Clone)]
pub(super) enum Renderer {
    Standard,
    CloudEvents,
    PagerDuty { routing_key: SecretString },
    Slack,
    Teams,
    Ntfy { topic: String },
    Mail,
}

/// What a message bears whatever it is about.
pub(super) struct Head<'a> {
    pub(super) id: &'a str,
    pub(super) site: &'a str,
    pub(super) gateway: &'a str,
    pub(super) timestamp: &'a str,
}

/// One of several messages that go together.
pub(super) struct Part<'a> {
    pub(super) id: &'a str,
    pub(super) line: &'a str,
    pub(super) severity: Severity,
    pub(super) body: &'a [u8],
}

impl Renderer {
    pub(super) const fn content_type(&self) -> &'static str {
        match self {
            Self::CloudEvents => cloudevents::CONTENT_TYPE,
            Self::Mail => "text/plain; charset=utf-8",
            Self::Standard | Self::PagerDuty { .. } | Self::Slack | Self::Teams | Self::Ntfy { .. } => {
                "application/json"
            }
        }
    }

    /// The body of one message; `None` where this receiver need not know.
    pub(super) fn render(&self, telling: &Telling<'_>) -> Option<Vec<u8>> {
        match self {
            Self::Standard => standard::render(telling),
            Self::CloudEvents => cloudevents::render(telling),
            Self::PagerDuty { routing_key } => pagerduty::render(telling, routing_key),
            Self::Slack => Some(slack::render(telling)),
            Self::Teams => Some(teams::render(telling)),
            Self::Ntfy { topic } => Some(ntfy::render(telling, topic)),
            Self::Mail => Some(mail::render(telling)),
        }
    }

    /// What takes back the traces of a test.
    pub(super) fn end_of_test(&self, telling: &Telling<'_>) -> Option<Vec<u8>> {
        match self {
            Self::PagerDuty { routing_key } => Some(pagerduty::end_of_test(telling, routing_key)),
            Self::Standard
            | Self::CloudEvents
            | Self::Slack
            | Self::Teams
            | Self::Ntfy { .. }
            | Self::Mail => None,
        }
    }

    /// Whether a start of emberwatch is worth a message: not where every message is an incident.
    pub(super) const fn takes_starts(&self) -> bool {
        !matches!(self, Self::PagerDuty { .. })
    }

    /// The body of several messages in one; `None` where this receiver takes them one by one only.
    pub(super) fn group(&self, head: &Head<'_>, parts: &[Part<'_>]) -> Option<Vec<u8>> {
        let lines = || parts.iter().map(|part| format!("• {}", part.line)).collect::<Vec<_>>().join("\n");
        let worst = parts.iter().map(|part| part.severity).max()?;
        let headline = format!("{} {}: {} alarms", worst.word().to_uppercase(), head.site, parts.len());
        match self {
            Self::Standard => {
                let group =
                    json!({ "type": GROUP, "timestamp": head.timestamp, "data": grouped(head, parts)? });
                Some(group.to_string().into_bytes())
            }
            Self::CloudEvents => {
                let event = cloudevents::envelope(head, GROUP, None, &grouped(head, parts)?);
                Some(event.to_string().into_bytes())
            }
            Self::PagerDuty { .. } => None,
            Self::Slack => Some(slack::group(&headline, &lines())),
            Self::Teams => Some(teams::group(&headline, &lines())),
            Self::Ntfy { topic } => Some(ntfy::group(topic, &headline, &lines(), worst)),
            Self::Mail => Some(mail::group(&headline, &lines(), head.gateway, head.id)),
        }
    }
}

/// The type of several alarms in one message.
const GROUP: &str = "alarm.group";

fn grouped(head: &Head<'_>, parts: &[Part<'_>]) -> Option<Value> {
    let one = |part: &Part<'_>| {
        let mut message: Value = serde_json::from_slice(part.body).ok()?;
        // Each keeps its id: when it comes again in another group, it is known.
        message.as_object_mut()?.insert("id".to_owned(), json!(part.id));
        Some(message)
    };
    let messages: Vec<Value> = parts.iter().map(one).collect::<Option<_>>()?;
    Some(json!({ "site": head.site, "gateway": head.gateway, "messages": messages }))
}

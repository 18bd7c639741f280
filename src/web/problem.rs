//! Refusals in the shape of RFC 9457, with a detail that says what to do.

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::safety::fact::Refusal;

/// A refusal.
#[derive(Debug)]
pub(super) struct Problem {
    status: StatusCode,
    kind: &'static str,
    detail: String,
    extra: Option<(HeaderName, HeaderValue)>,
}

impl Problem {
    /// `kind` is for programs, `detail` for people: what is the matter and what to do.
    pub(super) fn new(status: StatusCode, kind: &'static str, detail: impl Into<String>) -> Self {
        Self { status, kind, detail: detail.into(), extra: None }
    }

    /// With one more header.
    pub(super) fn with(mut self, name: HeaderName, value: impl Into<HeaderValue>) -> Self {
        self.extra = Some((name, value.into()));
        self
    }

    /// The core did not follow a request.
    pub(super) fn refused(why: Refusal) -> Self {
        let (kind, detail) = match why {
            Refusal::NothingToDo => {
                ("nothing-to-do", "There is nothing to acknowledge or reset: it may have been done already.")
            }
            Refusal::OutOfDate => (
                "stale-revision",
                "It has changed since you saw it: look at what stands now, then ask again.",
            ),
            Refusal::TooLate => (
                "too-late",
                "The run is past its point of no return and goes on. Stop it at the device if you must.",
            ),
            Refusal::NotNow => (
                "not-allowed-in-state",
                "Not from this state: a start needs a select by the same person within 10 seconds, and arming \
                 needs a sequence that is not running.",
            ),
            Refusal::LifeSafety => (
                "life-safety",
                "This alarm is about life safety, or stands for others: it cannot be shelved or taken out of \
                 service. Acknowledge it.",
            ),
            Refusal::TooLong => (
                "too-long",
                "No time, or too long a one: an alarm is shelved for `shelve_max` of the configuration at the most, a channel or a zone put aside for 8 hours.",
            ),
            Refusal::Unproven => (
                "unproven",
                "Its proof test is missing, or of another configuration: try every stage at the plant, then let two \
                 persons record it.",
            ),
            Refusal::ByKey => {
                ("by-key", "Its key switch arms it, and nothing else: turn the key at the room.")
            }
            Refusal::ByHand => (
                "by-hand",
                "Somebody demanded this cut by hand: it is not taken back. Stop it at the device if you must.",
            ),
            Refusal::SecondPerson => {
                ("second-person", "It takes two persons: one selects, another one starts within 10 seconds.")
            }
            Refusal::NoReason => (
                "no-reason",
                "An alarm is taken out of service, and a channel or a zone put aside, for a reason: one line of at most 200 characters.",
            ),
            Refusal::WouldBlind(_) => (
                "would-blind",
                "A vote by which an armed sequence cuts could not be completed without this channel: bring another one back first, or disarm the \
                 sequence.",
            ),
            Refusal::CauseStands => {
                ("cause-stands", "The cause is still there, or not known to be gone: remove it first.")
            }
        };
        Self::new(StatusCode::CONFLICT, kind, detail)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = json!({
            "type": format!("urn:emberwatch:problem:{}", self.kind),
            "title": self.status.canonical_reason().unwrap_or("Refused"),
            "status": self.status.as_u16(),
            "detail": self.detail,
        });
        let headers =
            [(header::CONTENT_TYPE, "application/problem+json"), (header::CACHE_CONTROL, "no-store")];
        let mut response = (self.status, headers, body.to_string()).into_response();
        if let Some((name, value)) = self.extra {
            response.headers_mut().insert(name, value);
        }
        response
    }
}

//! What came of a command: by the names of RFC 9457.

use serde_json::{Value, json};

use crate::units::WallTime;
use crate::wire::{VERSION, time};

/// Why a command was not even put to the core, or not followed by it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::sinks::mqtt) enum Rejection {
    /// The broker had kept it: nobody says it now.
    Retained,
    /// It is larger than any command.
    TooLarge,
    /// It is not the JSON that belongs here; what is wrong with it.
    Malformed(String),
    /// The site does not allow this verb, or not by this key.
    NotAllowed,
    /// No known key has signed it.
    Unauthorised,
    /// It is too old, from the future, or from before this start.
    Expired,
    /// Too many at once.
    Busy,
    /// What it expects is not so any more.
    StaleRevision,
    /// There is no such alarm or sequence in this room.
    UnknownTarget,
    /// The core has refused it; its reason.
    NotNow(String),
    /// The core has not said anything in time.
    NoAnswer,
}

impl Rejection {
    /// Its `type`.
    pub(in crate::sinks::mqtt) const fn word(&self) -> &'static str {
        match self {
            Self::Retained => "retained",
            Self::TooLarge => "too-large",
            Self::Malformed(_) => "malformed",
            Self::NotAllowed => "not-allowed",
            Self::Unauthorised => "unauthorised",
            Self::Expired => "expired",
            Self::Busy => "busy",
            Self::StaleRevision => "stale-revision",
            Self::UnknownTarget => "unknown-target",
            Self::NotNow(_) => "not-allowed-in-state",
            Self::NoAnswer => "no-answer",
        }
    }

    /// What it means, and what to do.
    pub(in crate::sinks::mqtt) fn detail(&self) -> String {
        let text = match self {
            Self::Retained => "A command must not be retained: publish it again without.",
            Self::TooLarge => "A command holds at most 64 KiB.",
            Self::Malformed(why) => return format!("It is not the JSON that belongs here: {why}."),
            Self::NotAllowed => {
                "The site does not allow this here: see `allow` under [mqtt.commands] and its keys."
            }
            Self::Unauthorised => {
                "It is not signed by a key of [mqtt.commands], or the signature is of another message."
            }
            Self::Expired => {
                "Its time is more than 30 s from the gateway's clock, or from before the gateway's start."
            }
            Self::Busy => "Too many commands at once: try again in a minute.",
            Self::StaleRevision => {
                "It is about an older occurrence, revision or run: look at the state, then ask again."
            }
            Self::UnknownTarget => "There is no such alarm or sequence in this room.",
            Self::NotNow(why) => return format!("Refused: {why}."),
            Self::NoAnswer => {
                "The safety loop has not answered in time; it may still follow. Look at the state."
            }
        };
        text.to_owned()
    }
}

/// The result of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::sinks::mqtt) struct Answer {
    /// Whose; unknown where it could not be read.
    pub(in crate::sinks::mqtt) id: Option<String>,
    /// `None`: accepted.
    pub(in crate::sinks::mqtt) rejection: Option<Rejection>,
    /// The same id was answered before; this is that answer.
    pub(in crate::sinks::mqtt) again: bool,
}

impl Answer {
    /// As a document.
    pub(in crate::sinks::mqtt) fn document(&self, now: WallTime) -> Value {
        let result = match (&self.rejection, self.again) {
            (Some(_), _) => "rejected",
            (None, true) => "duplicate",
            (None, false) => "accepted",
        };
        let mut document = json!({ "v": VERSION, "ts": time::rfc3339(now), "id": self.id, "result": result });
        if let (Some(rejection), Value::Object(members)) = (&self.rejection, &mut document) {
            members.insert("type".to_owned(), json!(rejection.word()));
            members.insert("detail".to_owned(), json!(rejection.detail()));
        }
        document
    }
}

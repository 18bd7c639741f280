//! What may be asked over MQTT: nothing, unless the site allows it verb by verb. There is no verb that arms or cuts.
//!
//! A command passes these checks, in this order, and the first that fails is its answer: retained, too large, malformed,
//! verb, key and signature, time, seen before, what it expects; then the core decides whether it is possible now. MQTT does
//! not tell who speaks, so what must be believed is signed; `actor` is what the sender claims, and only recorded.
//!
//! This room asks nothing by itself and publishes nothing: it turns messages into requests or answers.

mod answer;
mod bounds;
mod gate;
#[cfg(test)]
mod tests;

pub(super) use answer::{Answer, Rejection};
pub(super) use bounds::{Bucket, Recent};
pub(super) use gate::{Gate, Judged, Passed, Wish};

use bytes::Bytes;
use serde_json::{Value, json};

use crate::wire::VERSION;
use crate::wire::schema::{boolean, integer, moment, nullable, object, optional, string, words};

/// A message on a command topic, as it came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    /// `{root}/1/{site}/{room}/cmd/{verb}`.
    pub(super) topic: String,
    /// The JSON.
    pub(super) payload: Bytes,
    /// The broker had kept it.
    pub(super) retained: bool,
    /// Where the sender wants its answer, and what it wants to know it by.
    pub(super) response_topic: Option<String>,
    pub(super) correlation: Option<Bytes>,
    /// User properties: the name of the key, and the signature.
    pub(super) key: Option<String>,
    pub(super) signature: Option<String>,
}

/// User property with the name of the key.
pub(super) const KEY_PROPERTY: &str = "emberwatch-key";
/// User property with the signature: `v1a,` and the base64 of Ed25519 over the topic, a line feed, and the payload.
pub(super) const SIGNATURE_PROPERTY: &str = "emberwatch-signature";

/// The bytes that are signed.
pub(super) fn signed_bytes(topic: &str, payload: &[u8]) -> Vec<u8> {
    [topic.as_bytes(), b"\n", payload].concat()
}

/// The JSON Schema of a command.
pub(super) fn schema() -> Value {
    let expect =
        object(&[("occ", optional(string())), ("rev", optional(integer())), ("run", optional(string()))]);
    object(&[
        ("id", string()),
        ("ts", moment()),
        ("actor", optional(string())),
        ("reason", optional(string())),
        ("target", optional(string())),
        ("expect", optional(expect)),
        ("for_s", optional(integer())),
        ("one_shot", optional(boolean())),
    ])
}

/// The JSON Schema of an answer.
pub(super) fn result_schema() -> Value {
    object(&[
        ("v", json!({ "const": VERSION })),
        ("ts", moment()),
        ("id", nullable(string())),
        ("result", words(&["accepted", "duplicate", "rejected"])),
        ("type", optional(string())),
        ("detail", optional(string())),
    ])
}

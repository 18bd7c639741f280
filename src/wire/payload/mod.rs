//! One function per document: a fact and the site in, JSON out.
//!
//! Documents carry what a reader needs without asking back: names, units, limits, labels of time, the
//! sentence for people beside the fields for programs. `drill` is always there and always false outside a
//! rehearsal, so that no consumer can take one for the other.

pub mod alarm;
pub mod data;
pub mod device;
pub mod event;
pub mod gateway;
pub mod sequence;
pub mod zone;

pub use alarm::alarm;
pub use data::DataWriter;
pub use device::{device_meta, device_state};
pub use event::event_of;
pub use sequence::{notice, sequence};
pub use zone::{room_summary, zone_level};

use serde_json::{Map, Value, json};

use crate::safety::site::Priority;
use crate::wire::{Envelope, VERSION, time};

/// What every document begins with.
fn head(envelope: &Envelope) -> Map<String, Value> {
    let mut map = Map::new();
    map.insert("v".to_owned(), json!(VERSION));
    map.insert("ts".to_owned(), json!(time::rfc3339(envelope.now.wall)));
    map.insert("boot".to_owned(), json!(envelope.boot));
    map.insert("seq".to_owned(), json!(envelope.seq));
    map
}

/// The head and the members of `body`.
fn document(envelope: &Envelope, body: Value) -> Value {
    let mut map = head(envelope);
    if let Value::Object(members) = body {
        map.extend(members);
    }
    Value::Object(map)
}

/// A number with the UCUM code of its unit; `null` where it is not finite.
fn quantity(number: f64, unit: &str) -> Value {
    json!({ "v": number, "u": unit })
}

/// The word of a priority.
#[must_use]
pub const fn priority(priority: Priority) -> &'static str {
    match priority {
        Priority::Low => "low",
        Priority::Medium => "medium",
        Priority::High => "high",
        Priority::Critical => "critical",
    }
}

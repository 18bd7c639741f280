//! JSON Schema (draft 7) of every document, beside the functions that make them.
//!
//! This page has the words that schemas are made of; `documents` has one function per document. A schema says of each key
//! whether it is always there; `null` means that nothing is known. It does not forbid unknown keys: readers ignore them,
//! so that a new key is a minor change. Tests forbid them, so that none is forgotten here.

mod documents;

use serde_json::{Map, Value, json};

pub use documents::{
    GATEWAY_STATES, SEQUENCE_STATES, alarm, device_backlog, device_data, device_meta, device_state, event,
    gateway_info, gateway_status, heartbeat, notice, sequence, summary, zone,
};

/// Marks a key that may be missing; taken away by `object`.
const OPTIONAL: &str = "x-optional";

/// Anything.
#[must_use]
pub fn any() -> Value {
    json!({})
}

/// A text.
#[must_use]
pub fn string() -> Value {
    json!({ "type": "string" })
}

/// A finite number.
#[must_use]
pub fn number() -> Value {
    json!({ "type": "number" })
}

/// A whole number, not negative.
#[must_use]
pub fn integer() -> Value {
    json!({ "type": "integer", "minimum": 0 })
}

/// True or false.
#[must_use]
pub fn boolean() -> Value {
    json!({ "type": "boolean" })
}

/// A moment, UTC, RFC 3339.
#[must_use]
pub fn moment() -> Value {
    json!({ "type": "string", "format": "date-time" })
}

/// One of these words.
#[must_use]
pub fn words(words: &[&str]) -> Value {
    json!({ "type": "string", "enum": words })
}

/// A schema of this type, with another one under `key`.
fn container(kind: &str, key: &str, inner: Value) -> Value {
    Value::Object(Map::from_iter([("type".to_owned(), json!(kind)), (key.to_owned(), inner)]))
}

/// A list of such.
#[must_use]
pub fn array(items: Value) -> Value {
    container("array", "items", items)
}

/// An object with any keys and such values.
#[must_use]
pub fn map(values: Value) -> Value {
    container("object", "additionalProperties", values)
}

/// Such, or `null` where it is not known or there is none.
#[must_use]
pub fn nullable(schema: Value) -> Value {
    let either = vec![json!({ "type": "null" }), schema];
    Value::Object(Map::from_iter([("oneOf".to_owned(), Value::Array(either))]))
}

/// Of a key in `object`: it may be missing.
#[must_use]
pub fn optional(schema: Value) -> Value {
    let mut schema = schema;
    if let Value::Object(members) = &mut schema {
        members.insert(OPTIONAL.to_owned(), Value::Bool(true));
    }
    schema
}

/// An object with these keys, all of them always there but the optional ones.
#[must_use]
pub fn object(keys: &[(&str, Value)]) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for (key, schema) in keys {
        let mut schema = schema.clone();
        let optional = schema.as_object_mut().and_then(|members| members.remove(OPTIONAL)).is_some();
        if !optional {
            required.push(*key);
        }
        properties.insert((*key).to_owned(), schema);
    }
    json!({ "type": "object", "properties": properties, "required": required })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_required_unless_it_is_optional() {
        let schema = object(&[("a", string()), ("b", optional(nullable(integer())))]);
        assert_eq!(schema["required"], json!(["a"]));
        assert_eq!(
            schema["properties"]["b"],
            json!({ "oneOf": [{ "type": "null" }, { "type": "integer", "minimum": 0 }] })
        );
    }
}

//! One function per document of `payload`.

use serde_json::{Value, json};

use super::{any, array, boolean, integer, map, moment, nullable, number, object, optional, string, words};
use crate::wire::VERSION;

/// Whether something keeps the gateway's clock right.
const CLOCKS: [&str; 3] = ["synchronised", "unsynchronised", "unknown"];

/// What a gateway can be; the last is said by the broker.
pub const GATEWAY_STATES: [&str; 5] = ["starting", "online", "degraded", "stopping", "lost"];

/// How far a run can be.
pub const SEQUENCE_STATES: [&str; 9] =
    ["idle", "countdown", "rereading", "executing", "verifying", "held", "done", "failed", "aborted"];

const LEVELS: [&str; 4] = ["normal", "watch", "warning", "danger"];
const PRIORITIES: [&str; 4] = ["low", "medium", "high", "critical"];
const MODES: [&str; 3] = ["disabled", "shadow", "armed"];
const KINDS: [&str; 6] = ["ups", "battery", "gas", "smoke", "environment", "contact"];
const LINKS: [&str; 4] = ["never-seen", "online", "stale", "offline"];
const QUALITIES: [&str; 3] = ["good", "uncertain", "bad"];
const ALARM_STATES: [&str; 9] = [
    "normal",
    "unack-active",
    "ack-active",
    "unack-rtn",
    "latched-unack",
    "latched",
    "shelved",
    "suppressed",
    "out-of-service",
];
const NOTICE_STAGES: [&str; 7] =
    ["prepare", "countdown", "cutting", "done", "failed", "aborted", "all-clear"];
const STAGE_STATES: [&str; 7] =
    ["pending", "waiting", "ordered", "confirmed", "verified", "skipped", "failed"];

/// A document: the common head and these keys.
fn document(keys: &[(&str, Value)]) -> Value {
    let head = [("v", json!({ "const": VERSION })), ("ts", moment()), ("boot", string()), ("seq", integer())];
    object(&[&head, keys].concat())
}

/// What is set on a message that is told late.
fn historical() -> (&'static str, Value) {
    ("historical", optional(json!({ "const": true })))
}

fn level() -> Value {
    words(&LEVELS)
}

fn quantity() -> Value {
    object(&[("v", nullable(number())), ("u", string())])
}

/// `gateway/{gateway}/status`. What the broker says for a gateway that is gone has fewer keys.
#[must_use]
pub fn gateway_status() -> Value {
    object(&[
        ("v", json!({ "const": VERSION })),
        ("ts", optional(moment())),
        ("boot", string()),
        ("seq", optional(integer())),
        ("state", words(&GATEWAY_STATES)),
        ("failing", optional(array(string()))),
        ("clock", optional(words(&CLOCKS))),
    ])
}

/// `gateway/{gateway}/info`.
#[must_use]
pub fn gateway_info() -> Value {
    document(&[
        ("version", string()),
        ("site", string()),
        ("gateway", string()),
        ("rooms", map(object(&[("title", string()), ("zones", array(string()))]))),
        ("devices", integer()),
        ("points", integer()),
    ])
}

/// `gateway/{gateway}/heartbeat`.
#[must_use]
pub fn heartbeat() -> Value {
    document(&[
        ("loop_silent_ms", integer()),
        ("level", level()),
        ("priority", nullable(words(&PRIORITIES))),
        ("alarms", integer()),
        ("runs", integer()),
    ])
}

/// `{room}/summary`.
#[must_use]
pub fn summary() -> Value {
    document(&[
        ("id", string()),
        ("title", string()),
        ("level", level()),
        ("priority", nullable(words(&PRIORITIES))),
        ("alarms", map(integer())),
        ("annunciated", array(string())),
        ("unacknowledged", integer()),
        ("put_away", map(integer())),
        ("quality_pct", nullable(json!({ "type": "number", "minimum": 0, "maximum": 100 }))),
        ("devices", object(&[("online", integer()), ("of", integer())])),
        ("sequences", map(words(&SEQUENCE_STATES))),
        ("drill", boolean()),
    ])
}

fn because() -> Value {
    let outlook = object(&[
        ("level", level()),
        ("in_s", integer()),
        ("soonest_s", integer()),
        ("latest_s", nullable(integer())),
        ("text", string()),
    ]);
    array(object(&[
        ("rule", string()),
        ("level", level()),
        ("known", boolean()),
        ("text", string()),
        ("outlook", nullable(outlook)),
    ]))
}

/// `{room}/zone/{zone}`.
#[must_use]
pub fn zone() -> Value {
    document(&[
        ("id", string()),
        ("title", string()),
        ("room", string()),
        ("level", level()),
        ("since", nullable(moment())),
        ("first_out", nullable(string())),
        ("because", because()),
        ("drill", boolean()),
    ])
}

/// `{room}/device/{device}/state`.
#[must_use]
pub fn device_state() -> Value {
    document(&[
        ("id", string()),
        ("title", string()),
        ("zone", string()),
        ("kind", words(&KINDS)),
        ("state", words(&LINKS)),
        ("since", moment()),
        ("last_ok", nullable(moment())),
        ("why", nullable(string())),
    ])
}

/// `{room}/device/{device}/meta`.
#[must_use]
pub fn device_meta() -> Value {
    let labels = object(&[("values", optional(map(string()))), ("bits", optional(map(string())))]);
    let limits = object(&[
        ("rule", string()),
        ("side", words(&["above", "below"])),
        ("per", nullable(words(&["min"]))),
        ("watch", nullable(number())),
        ("warning", nullable(number())),
        ("danger", nullable(number())),
    ]);
    let point = object(&[
        ("u", string()),
        ("symbol", string()),
        ("period_ms", integer()),
        ("stale_after_ms", integer()),
        ("range", nullable(array(number()))),
        ("labels", nullable(labels)),
        ("limits", array(limits)),
    ]);
    document(&[
        ("id", string()),
        ("title", string()),
        ("room", string()),
        ("zone", string()),
        ("kind", words(&KINDS)),
        ("silent_after_ms", integer()),
        ("points", map(point)),
    ])
}

fn data(more: &[(&str, Value)]) -> Value {
    let point = object(&[
        ("v", nullable(number())),
        ("u", string()),
        ("q", optional(words(&["uncertain", "bad"]))),
        ("why", optional(string())),
        ("ts", optional(moment())),
        ("last", optional(object(&[("v", number()), ("ts", moment())]))),
    ]);
    document(&[more, &[("q", words(&QUALITIES)), ("points", map(point))]].concat())
}

/// `{room}/device/{device}/data`.
#[must_use]
pub fn device_data() -> Value {
    data(&[])
}

/// `{room}/device/{device}/backlog`.
#[must_use]
pub fn device_backlog() -> Value {
    data(&[("historical", json!({ "const": true }))])
}

/// `{room}/alarm/{alarm}`.
#[must_use]
pub fn alarm() -> Value {
    document(&alarm_keys())
}

fn alarm_keys() -> Vec<(&'static str, Value)> {
    let limit = object(&[("v", number()), ("u", string()), ("op", nullable(words(&[">=", "<="])))]);
    let away = object(&[("by", string()), ("one_shot", optional(boolean())), ("reason", optional(string()))]);
    vec![
        ("id", string()),
        ("occ", string()),
        ("occurrence", integer()),
        ("rev", integer()),
        ("state", words(&ALARM_STATES)),
        ("priority", nullable(words(&PRIORITIES))),
        ("level", level()),
        ("since", moment()),
        ("first_out", boolean()),
        ("latched", boolean()),
        ("room", string()),
        ("zone", nullable(string())),
        ("device", nullable(string())),
        ("value", nullable(quantity())),
        ("limit", nullable(limit)),
        ("votes", nullable(string())),
        ("because", nullable(string())),
        ("ack", nullable(string())),
        ("active", boolean()),
        ("chattering", boolean()),
        ("shelved_until", nullable(moment())),
        ("away", nullable(away)),
        ("until", nullable(moment())),
        ("flood_began_with", nullable(string())),
        ("message", string()),
        ("consequence", string()),
        ("action", string()),
        ("drill", boolean()),
    ]
}

/// `{room}/sequence/{sequence}`.
#[must_use]
pub fn sequence() -> Value {
    let trigger = object(&[
        ("kind", words(&["vote", "manual", "drill"])),
        ("rule", optional(string())),
        ("voting", optional(array(string()))),
        ("by_policy", optional(boolean())),
        ("by", optional(string())),
        ("text", string()),
    ]);
    let permissive = object(&[
        ("id", string()),
        ("want", string()),
        ("shown", nullable(string())),
        ("ok", nullable(boolean())),
    ]);
    let step = object(&[
        ("name", string()),
        ("action", string()),
        ("cuts", array(string())),
        ("state", words(&STAGE_STATES)),
        ("why", nullable(string())),
    ]);
    let proposed =
        object(&[("verb", string()), ("by", string()), ("until", moment()), ("remaining_ms", integer())]);
    document(&[
        ("id", string()),
        ("title", string()),
        ("zone", string()),
        ("run", nullable(string())),
        ("mode", words(&MODES)),
        ("drill", boolean()),
        ("shadow", boolean()),
        ("state", words(&SEQUENCE_STATES)),
        ("since", nullable(moment())),
        ("deadline", nullable(moment())),
        ("remaining_ms", nullable(integer())),
        ("countdown_ms", integer()),
        ("trigger", nullable(trigger)),
        ("abort", object(&[("allowed", boolean())])),
        ("permissives", array(permissive)),
        ("step", object(&[("n", integer()), ("of", integer())])),
        ("steps", array(step)),
        ("selected_by", nullable(string())),
        ("proposed", nullable(proposed)),
    ])
}

/// `{room}/zone/{zone}/notice`.
#[must_use]
pub fn notice() -> Value {
    let next = object(&[("n", integer()), ("of", integer()), ("name", string())]);
    let affected =
        object(&[("load_group", string()), ("title", string()), ("feed", string()), ("stage", string())]);
    document(&[
        historical(),
        ("number", integer()),
        ("stage", words(&NOTICE_STAGES)),
        ("room", string()),
        ("zone", string()),
        ("zone_title", string()),
        ("level", level()),
        ("sequence", string()),
        ("run", nullable(string())),
        ("earliest", nullable(moment())),
        ("earliest_ms", nullable(integer())),
        ("abortable_until", nullable(moment())),
        ("abortable_ms", nullable(integer())),
        ("next_stage", nullable(next)),
        ("affected", array(affected)),
        ("autonomy", nullable(object(&[("value", number()), ("unit", string())]))),
        ("evidence", string()),
        ("previous", nullable(integer())),
        ("shadow", boolean()),
        ("drill", boolean()),
        ("text", string()),
        ("action", string()),
        ("contact", any()),
    ])
}

/// `{room}/event`: `type` says what happened, and which of the other keys there are.
#[must_use]
pub fn event() -> Value {
    let request =
        object(&[("verb", string()), ("alarm", optional(string())), ("sequence", optional(string()))]);
    let waiver = object(&[("by", array(string())), ("reason", string()), ("until", moment())]);
    document(&[
        historical(),
        ("n", integer()),
        ("type", json!({ "type": "string", "pattern": "^[a-z]+\\.[a-z-]+$" })),
        ("text", string()),
        ("drill", boolean()),
        ("room", nullable(string())),
        ("clock", words(&CLOCKS)),
        ("by_ms", optional(integer())),
        ("id", optional(string())),
        ("verb", optional(string())),
        ("target", optional(string())),
        ("actor", optional(string())),
        ("reason", optional(string())),
        ("rejected", optional(nullable(string()))),
        ("unrecorded", optional(integer())),
        ("zone", optional(string())),
        ("level", optional(level())),
        ("was", optional(level())),
        ("first_out", optional(nullable(string()))),
        ("because", optional(because())),
        ("number", optional(integer())),
        ("alarm", optional(alarm())),
        ("sequence", optional(sequence())),
        ("notice", optional(notice())),
        ("vote", optional(string())),
        ("channel", optional(string())),
        ("device", optional(string())),
        ("state", optional(words(&LINKS))),
        ("what", optional(string())),
        ("now", optional(nullable(waiver))),
        ("ended_by", optional(nullable(string()))),
        ("lasted_ms", optional(integer())),
        ("by", optional(string())),
        ("request", optional(request)),
        ("until", optional(moment())),
        ("why", optional(nullable(string()))),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::safety::alarm::AlarmState;
    use crate::safety::risk::Level;
    use crate::wire::payload::gateway::GatewayState;

    #[test]
    fn the_words_are_those_of_the_documents() {
        assert_eq!(LEVELS, Level::ALL.map(Level::word));
        assert_eq!(ALARM_STATES, AlarmState::ALL.map(AlarmState::word));
        let states =
            [GatewayState::Starting, GatewayState::Online, GatewayState::Degraded, GatewayState::Stopping];
        assert_eq!(GATEWAY_STATES[..4], states.map(GatewayState::word));
    }
}

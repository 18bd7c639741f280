//! The gateway and its rooms: how they are, how dangerous, which alarms stand, how far a power cut is.

use serde_json::{Value, json};

use super::super::channel::{Channel, Delivery, Worth};
use super::super::topics::Topics;
use super::{Draft, component, gateway_availability, gateway_object, literal, named, room_object, spoken};
use crate::safety::risk::Level;
use crate::safety::sequence::spec::Mode;
use crate::safety::site::{AlarmId, RoomId, SequenceId, Site, ZoneId};
use crate::units::Millis;
use crate::wire::schema::{GATEWAY_STATES, SEQUENCE_STATES};
use crate::wire::text;

/// What a run is called that writes nothing: nobody may take one for a cut.
const ONLY_SAID: [&str; 2] = ["drill", "shadow"];

pub(super) fn gateway(site: &Site, topics: &Topics) -> Draft {
    let object = gateway_object(site);
    let status = named(topics.at(Channel::Status, 0));
    let working = json!({
        "state_topic": status, "device_class": "connectivity", "entity_category": "diagnostic",
        "value_template": "{{ 'ON' if value_json.state in ['online','degraded'] else 'OFF' }}",
    });
    let state = json!({
        "state_topic": status, "device_class": "enum", "options": GATEWAY_STATES, "entity_category": "diagnostic",
        "value_template": "{{ value_json.state }}",
        "json_attributes_topic": status,
        "json_attributes_template": "{{ {'failing': value_json.failing | default([])} | tojson }}",
    });
    let level = json!({
        "state_topic": named(topics.at(Channel::Heartbeat, 0)), "device_class": "enum", "options": levels(),
        "expire_after": expires(Channel::Heartbeat),
        "value_template": "{{ value_json.level }}",
    });
    let components = vec![
        component("binary_sensor", &object, "working", "Working", working),
        component("sensor", &object, "status", "Status", state),
        component("sensor", &object, "level", "Worst level", level),
    ];
    let device = json!({
        "ids": [object], "name": format!("emberwatch {}", site.gateway), "mf": "emberwatch", "mdl": "gateway",
        "sw": env!("CARGO_PKG_VERSION"),
    });
    // Its own state is known also when it is gone: nothing makes it unavailable.
    Draft { object, rank: 0, device, availability: Vec::new(), state_topic: None, components }
}

pub(super) fn room(site: &Site, topics: &Topics, id: RoomId, alarms: bool) -> Draft {
    let object = room_object(site, id);
    let mut components = glance(&object);
    let zones = (0..site.zones.len()).map(ZoneId::at).filter(|zone| site[*zone].room == id);
    components.extend(zones.map(|zone| zone_level(site, topics, zone, &object)));
    let sequences = (0..site.sequences.len()).map(SequenceId::at);
    let inside = sequences.filter(|sequence| site[site[*sequence].zone].room == id);
    components.extend(inside.flat_map(|sequence| of_sequence(site, topics, sequence, &object)));
    if alarms {
        let inside = (0..site.alarms.len()).map(AlarmId::at).filter(|alarm| site[*alarm].room == id);
        components.extend(inside.map(|id| alarm(site, topics, id, &object)));
    }
    let device = json!({
        "ids": [object], "name": site[id].title, "mf": "emberwatch", "mdl": "room",
        "via_device": gateway_object(site),
    });
    Draft {
        object,
        rank: 1,
        device,
        availability: vec![gateway_availability(topics)],
        state_topic: Some(topics.at(Channel::Summary, id.index()).clone()),
        components,
    }
}

fn levels() -> [&'static str; 4] {
    Level::ALL.map(Level::word)
}

/// How long a message of a channel without periods is worth something, in seconds.
fn expires(channel: Channel) -> Option<u64> {
    let span = match channel.row().delivery {
        Delivery::State { expiry } => expiry,
        Delivery::Reading { worth: Worth::Span(span) } => Some(span),
        Delivery::Reading { worth: Worth::Periods(_) }
        | Delivery::Event { .. }
        | Delivery::Backlog
        | Delivery::Heard => None,
    };
    span.map(|Millis(ms)| ms / 1000)
}

/// The room's summary.
fn glance(object: &str) -> Vec<(String, Value)> {
    let expire = expires(Channel::Summary);
    let level = json!({
        "device_class": "enum", "options": levels(), "expire_after": expire,
        "value_template": "{{ value_json.level }}",
    });
    let unseen = json!({
        "state_class": "measurement", "expire_after": expire,
        "value_template": "{{ value_json.unacknowledged }}",
    });
    let quality = json!({
        "unit_of_measurement": "%", "state_class": "measurement", "expire_after": expire,
        "entity_category": "diagnostic",
        "value_template": "{{ value_json.quality_pct }}",
    });
    vec![
        component("sensor", object, "level", "Worst level", level),
        component("sensor", object, "unacknowledged", "Unacknowledged alarms", unseen),
        component("sensor", object, "quality", "Good data", quality),
    ]
}

fn zone_level(site: &Site, topics: &Topics, id: ZoneId, object: &str) -> (String, Value) {
    let topic = named(topics.at(Channel::Zone, id.index()));
    let more = json!({
        "state_topic": topic, "device_class": "enum", "options": levels(),
        "value_template": "{{ value_json.level }}",
        "json_attributes_topic": topic,
        "json_attributes_template":
            "{{ {'since': value_json.since, 'first_out': value_json.first_out, \
             'because': value_json.because | map(attribute='text') | list} | tojson }}",
    });
    component(
        "sensor",
        object,
        &format!("zone_{}", site[id].name),
        &format!("{} level", site[id].title),
        more,
    )
}

/// Where a run is, what it may do, and when the next deadline is. A drill and a shadow run are called so.
fn of_sequence(site: &Site, topics: &Topics, id: SequenceId, object: &str) -> Vec<(String, Value)> {
    let spec = &site[id];
    let topic = named(topics.at(Channel::Sequence, id.index()));
    let plain = SEQUENCE_STATES.iter().map(|state| (*state).to_owned());
    let said = |how: &'static str| SEQUENCE_STATES.iter().map(move |state| format!("{how} {state}"));
    let options: Vec<String> = plain.chain(ONLY_SAID.into_iter().flat_map(said)).collect();
    let state = json!({
        "state_topic": topic, "device_class": "enum", "options": options,
        "value_template":
            "{{ ('drill ' if value_json.drill else 'shadow ' if value_json.shadow else '') ~ value_json.state }}",
        "json_attributes_topic": topic,
        "json_attributes_template":
            "{{ {'run': value_json.run, 'drill': value_json.drill, 'shadow': value_json.shadow, \
             'since': value_json.since, 'trigger': value_json.trigger, 'step': value_json.step, \
             'abort_allowed': value_json.abort.allowed, 'steps': value_json.steps} | tojson }}",
    });
    let modes = [Mode::Disabled, Mode::Shadow, Mode::Armed].map(text::mode);
    let mode = json!({
        "state_topic": topic, "device_class": "enum", "options": modes,
        "value_template": "{{ value_json.mode }}",
    });
    let deadline = json!({
        "state_topic": topic, "device_class": "timestamp",
        // To the second: it is reckoned anew for each message, and would seem to move by a millisecond.
        "value_template": "{{ value_json.deadline[:19] ~ 'Z' if value_json.deadline else none }}",
    });
    let title = if spec.title.is_empty() { spoken(&spec.name) } else { spec.title.clone() };
    let key = format!("sequence_{}", spec.name);
    vec![
        component("sensor", object, &key, &title, state),
        component("sensor", object, &format!("{key}_mode"), &format!("{title}: mode"), mode),
        component("sensor", object, &format!("{key}_deadline"), &format!("{title}: deadline"), deadline),
    ]
}

/// Whether an alarm stands. The room's summary says so, which is always there: of an alarm that is normal, there is no
/// topic. Its own topic has the rest.
fn alarm(site: &Site, topics: &Topics, id: AlarmId, object: &str) -> (String, Value) {
    let spec = &site[id];
    let is = format!("{{{{ 'ON' if {} in value_json.annunciated else 'OFF' }}}}", literal(&spec.name));
    let more = json!({
        "device_class": "problem",
        "value_template": is,
        "expire_after": expires(Channel::Summary),
        "json_attributes_topic": named(topics.at(Channel::Alarm, id.index())),
        "json_attributes_template":
            "{% if value %}{{ {'alarm_state': value_json.state, 'priority': value_json.priority, \
             'level': value_json.level, 'since': value_json.since, 'active': value_json.active, \
             'acknowledged_by': value_json.ack, 'because': value_json.because, \
             'consequence': value_json.consequence, 'action': value_json.action} | tojson }}\
             {% else %}{}{% endif %}",
    });
    let name = if spec.message.is_empty() { spoken(&spec.name) } else { spec.message.clone() };
    component("binary_sensor", object, &format!("alarm_{}", spec.name), &name, more)
}

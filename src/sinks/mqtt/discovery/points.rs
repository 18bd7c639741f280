//! One device: a sensor for each of its points, and whether it answers.
//!
//! A message of data has the points of one poll, not always all: a template says nothing about a point that is not in it,
//! and the entity stays as it is. A point that is in it without a value is `None`, which is shown as unknown.

use serde_json::{Map, Value, json};

use super::super::channel::Channel;
use super::super::options::DeviceModel;
use super::super::topics::Topics;
use super::units::{class_and_unit, trip_class};
use super::{Draft, component, device_object, gateway_availability, literal, named, room_object, spoken};
use crate::safety::risk::Level;
use crate::safety::rules::RuleKind;
use crate::safety::rules::limit::Side;
use crate::safety::rules::state::When;
use crate::safety::site::{DeviceId, Labels, Point, PointId, Site};

pub(super) fn device(site: &Site, topics: &Topics, id: DeviceId, model: Option<&DeviceModel>) -> Draft {
    let spec = &site[id];
    let object = device_object(site, id);
    let mut device = json!({
        "ids": [object], "name": spec.title, "via_device": room_object(site, site[spec.zone].room),
    });
    if let (Some(model), Some(device)) = (model, device.as_object_mut()) {
        device.insert("mf".to_owned(), json!(model.vendor));
        device.insert("mdl".to_owned(), json!(model.model));
    }
    let state = topics.at(Channel::DeviceState, id.index());
    let answers = json!({
        "topic": named(state),
        "value_template": "{{ 'online' if value_json.state == 'online' else 'offline' }}",
    });
    let mut components = vec![link(topics, id, &object)];
    components.extend(spec.points.clone().map(PointId).flat_map(|point| of_point(site, point, &object)));
    Draft {
        object,
        rank: 2,
        device,
        availability: vec![gateway_availability(topics), answers],
        state_topic: Some(topics.at(Channel::DeviceData, id.index()).clone()),
        components,
    }
}

/// Whether it answers: known also while it does not.
fn link(topics: &Topics, id: DeviceId, object: &str) -> (String, Value) {
    let state = topics.at(Channel::DeviceState, id.index());
    let more = json!({
        "state_topic": named(state),
        "value_template": "{{ 'ON' if value_json.state in ['online','stale'] else 'OFF' }}",
        "json_attributes_topic": named(state),
        "json_attributes_template":
            "{{ {'link': value_json.state, 'since': value_json.since, 'last_ok': value_json.last_ok, \
             'why': value_json.why} | tojson }}",
        "availability": [gateway_availability(topics)],
        "device_class": "connectivity",
        "entity_category": "diagnostic",
    });
    // An id of a point has no `_`.
    component("binary_sensor", object, "_link", "Link", more)
}

fn of_point(site: &Site, id: PointId, object: &str) -> Vec<(String, Value)> {
    let point = &site[id];
    let mut all = match &point.labels {
        Labels::None => vec![number(site, point, object)],
        Labels::Enum(names) => vec![state(point, names, object)],
        Labels::Bits(names) => names.iter().map(|name| bit(site, id, name, object)).collect(),
    };
    all.extend(trip(site, id, object));
    all
}

/// A template that gives `expression` of a point `p` that is in the message, and `missing` for one that is not.
fn template(point: &Point, expression: &str, missing: &str) -> String {
    let key = literal(&point.name);
    format!(
        "{{% set p = value_json.points[{key}] %}}{{% if p is defined %}}{{{{ {expression} }}}}{missing}{{% endif %}}"
    )
}

/// In seconds: when nothing was heard for as long as the core itself would take to call it stale, three periods and at
/// least three seconds, so that a fast point does not come and go with every hiccup of the network.
fn expire_after(point: &Point) -> u64 {
    point.stale_after.0.div_ceil(1000).max(1)
}

fn number(site: &Site, point: &Point, object: &str) -> (String, Value) {
    let (class, unit) = class_and_unit(point.unit, site[point.device].kind, &point.name);
    let more = json!({
        "device_class": class,
        "unit_of_measurement": unit,
        "state_class": "measurement",
        "expire_after": expire_after(point),
        "value_template": template(point, "p.v", ""),
    });
    component("sensor", object, &point.name, &spoken(&point.name), more)
}

/// One of several states. A number without a name is unknown: Home Assistant would keep the state before.
fn state(point: &Point, names: &[(u32, String)], object: &str) -> (String, Value) {
    let mut options: Vec<&str> = Vec::new();
    for (_, name) in names {
        if !options.contains(&name.as_str()) {
            options.push(name);
        }
    }
    let known: Vec<String> = names.iter().map(|(n, name)| format!("{n}: {}", literal(name))).collect();
    let expression = format!("{{{}}}.get(p.v)", known.join(", "));
    // An empty text is no state to it, and a complaint in its log: the state is said again as it is.
    let same = "{% else %}{{ none if this.state in ['unknown','unavailable'] else this.state }}";
    let more = json!({
        "device_class": "enum",
        "options": options,
        "expire_after": expire_after(point),
        "value_template": template(point, &expression, same),
    });
    component("sensor", object, &point.name, &spoken(&point.name), more)
}

/// One named bit; not shown by itself unless a rule judges it.
fn bit(site: &Site, id: PointId, (bit, name): &(u8, String), object: &str) -> (String, Value) {
    let point = &site[id];
    let judged = cases(site, id).any(|(when, _)| match when {
        When::AnyBit(mask) => mask.checked_shr(u32::from(*bit)).is_some_and(|rest| rest & 1 == 1),
        When::Is(_) | When::IsNot(_) => true,
    });
    let mut more = on_where(point, &is_set(*bit));
    if let (false, Some(more)) = (judged, more.as_object_mut()) {
        more.insert("entity_category".to_owned(), json!("diagnostic"));
        more.insert("enabled_by_default".to_owned(), json!(false));
    }
    let key = format!("{}_bit{bit}", point.name);
    component("binary_sensor", object, &key, &format!("{}: {}", spoken(&point.name), spoken(name)), more)
}

/// What a gas or smoke detector trips on: what the site's rules call a warning or worse.
fn trip(site: &Site, id: PointId, object: &str) -> Option<(String, Value)> {
    let point = &site[id];
    let (class, name) = trip_class(site[point.device].kind)?;
    let mut conditions: Vec<String> = Vec::new();
    let coded = cases(site, id).filter(|case| Level::Warning <= case.1).map(|(when, _)| match when {
        When::Is(number) => format!("p.v == {number}"),
        When::IsNot(number) => format!("p.v != {number}"),
        When::AnyBit(mask) => {
            let bits = (0..32).filter(|bit| mask >> bit & 1 == 1);
            bits.map(is_set).collect::<Vec<_>>().join(" or ")
        }
    });
    for condition in coded.chain(limits(site, id)) {
        if !conditions.contains(&condition) {
            conditions.push(condition);
        }
    }
    if conditions.is_empty() {
        return None;
    }
    let mut more = on_where(point, &conditions.join(" or "));
    if let Some(more) = more.as_object_mut() {
        more.insert("device_class".to_owned(), json!(class));
    }
    let key = format!("{}_trip", point.name);
    Some(component("binary_sensor", object, &key, &format!("{name} ({})", spoken(&point.name)), more))
}

/// From where on the rules of the site call a value a warning, or danger where they know no warning.
fn limits(site: &Site, id: PointId) -> impl Iterator<Item = String> {
    site.rules.iter().filter_map(move |rule| {
        let RuleKind::Limit(limit) = &rule.kind else { return None };
        let step = limit.steps[1].or(limit.steps[2]).filter(|_| limit.point == id)?;
        let beyond = match limit.side {
            Side::Above => ">=",
            Side::Below => "<=",
        };
        Some(format!("p.v {beyond} {}", step.limit))
    })
}

/// What the rules of the site say of whole-number values of a point.
fn cases(site: &Site, id: PointId) -> impl Iterator<Item = (When, Level)> {
    let of_point = site.rules.iter().filter_map(move |rule| match &rule.kind {
        RuleKind::State(state) if state.point == id => Some(&state.cases),
        RuleKind::State(_)
        | RuleKind::Limit(_)
        | RuleKind::Rate(_)
        | RuleKind::Deviation(_)
        | RuleKind::Step(_)
        | RuleKind::Silence(_)
        | RuleKind::Together(_) => None,
    });
    of_point.flatten().map(|case| (case.when, case.level))
}

fn is_set(bit: u8) -> String {
    format!("p.v | int // {} % 2 == 1", 1_u64 << bit)
}

/// A binary sensor that is on where `condition` holds of a point with a value.
fn on_where(point: &Point, condition: &str) -> Value {
    let expression = format!("none if p.v is none else ('ON' if {condition} else 'OFF')");
    let mut more = Map::new();
    more.insert("expire_after".to_owned(), json!(expire_after(point)));
    more.insert("value_template".to_owned(), json!(template(point, &expression, "")));
    Value::Object(more)
}

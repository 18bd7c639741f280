#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::safety::site::{DeviceKind, Labels, Point};
use crate::sinks::mqtt::options::DeviceModel;
use crate::units::Unit;
use crate::wire::testsite;

fn options() -> HomeAssistantOptions {
    HomeAssistantOptions {
        prefix: "homeassistant".into(),
        birth_topic: "homeassistant/status".into(),
        alarms: true,
        models: vec![Some(DeviceModel { vendor: "Acme".into(), model: "X1".into() })],
    }
}

fn told(site: &Site) -> Vec<(String, Value)> {
    let discovery = Discovery::new(&options(), site, &Topics::new("emberwatch", site));
    let parsed = |it: &Introduction| (it.topic.to_string(), serde_json::from_slice(&it.payload).unwrap());
    discovery.messages.iter().map(parsed).collect()
}

fn of(told: &[(String, Value)], object: &str) -> Value {
    let topic = format!("homeassistant/device/emberwatch_s1_{object}/config");
    let found = told.iter().find(|it| it.0 == topic);
    found.map_or_else(|| panic!("{topic}"), |it| it.1.clone())
}

#[test]
fn one_message_per_gateway_room_and_device_each_naming_the_one_before() {
    let told = told(&testsite::site());
    assert_eq!(told.len(), 4);
    let (gateway, room, device) = (of(&told, "gateway_gw1"), of(&told, "b1"), of(&told, "b1_bms-1"));
    assert_eq!(room["dev"]["via_device"], gateway["dev"]["ids"][0]);
    assert_eq!(device["dev"]["via_device"], room["dev"]["ids"][0]);
    assert_eq!((&device["dev"]["mf"], &device["dev"]["mdl"]), (&json!("Acme"), &json!("X1")));
    assert!(of(&told, "b1_brk-1")["dev"].get("mf").is_none(), "not known, not invented");
}

#[test]
fn a_point_has_class_unit_expiry_and_a_template_that_leaves_others_alone() {
    let told = told(&testsite::site());
    let device = of(&told, "b1_bms-1");
    assert_eq!(device["state_topic"], "emberwatch/1/s1/b1/device/bms-1/data");
    let hottest = &device["cmps"]["cell-temp-max"];
    assert_eq!(hottest["device_class"], "temperature");
    assert_eq!(hottest["unit_of_measurement"], "°C");
    assert_eq!(hottest["expire_after"], 3);
    assert_eq!(hottest["unique_id"], "emberwatch_s1_b1_bms-1_cell-temp-max");
    assert_eq!(
        hottest["value_template"],
        "{% set p = value_json.points[\"cell-temp-max\"] %}{% if p is defined %}{{ p.v }}{% endif %}"
    );
    assert_eq!(device["cmps"]["soc"]["device_class"], "battery");
    let position = &of(&told, "b1_brk-1")["cmps"]["position"];
    assert_eq!(
        (&position["device_class"], &position["options"]),
        (&json!("enum"), &json!(["open", "closed"]))
    );
    assert!(position.get("state_class").is_none());
}

#[test]
fn nothing_can_be_pressed() {
    for (topic, message) in told(&testsite::site()) {
        for (key, component) in message["cmps"].as_object().unwrap() {
            assert!(component["p"] == "sensor" || component["p"] == "binary_sensor", "{topic} {key}");
            assert!(component.get("command_topic").is_none(), "{topic} {key}");
        }
    }
}

#[test]
fn unique_ids_are_unique_over_all_messages() {
    let told = told(&testsite::site());
    let all = told.iter().flat_map(|it| it.1["cmps"].as_object().unwrap().values());
    let mut ids: Vec<&str> = all.map(|component| component["unique_id"].as_str().unwrap()).collect();
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count);
}

#[test]
fn a_device_with_very_many_points_is_told_in_parts_that_brokers_take() {
    let mut site = testsite::site();
    let pattern = site.points[0].clone();
    site.points = (0..1_000).map(|n| Point { name: format!("cell-{n}"), ..pattern.clone() }).collect();
    site.devices.truncate(1);
    site.devices[0].points = 0..1_000;
    (site.rules, site.sequences, site.alarms) = (Vec::new(), Vec::new(), Vec::new());
    let discovery = Discovery::new(&options(), &site, &Topics::new("emberwatch", &site));
    let parts: Vec<_> = discovery.messages.iter().filter(|it| it.rank == 2).collect();
    assert!(1 < parts.len());
    assert!(parts.iter().all(|part| part.payload.len() <= MESSAGE_BYTES_MAX));
    assert!(parts[1].topic.ends_with("emberwatch_s1_b1_bms-1__2/config"), "{}", parts[1].topic);
    let components = |part: &&&Introduction| {
        let message: Value = serde_json::from_slice(&part.payload).unwrap();
        message["cmps"].as_object().unwrap().len()
    };
    assert_eq!(parts.iter().map(|part| components(&part)).sum::<usize>(), 1_001, "and whether it answers");
}

#[test]
fn smoke_trips_where_a_rule_calls_it_a_warning() {
    use crate::safety::risk::Level;
    use crate::safety::rules::{RuleKind, state};
    let mut site = testsite::site();
    site.devices[1].kind = DeviceKind::Smoke;
    site.points[2].labels =
        Labels::Bits(vec![(0, "alert".into()), (3, "fire-1".into()), (4, "spare".into())]);
    let RuleKind::State(rule) = &mut site.rules[1].kind else { panic!("the rule of the breaker") };
    let case = |bit: u32, level| state::Case { when: state::When::AnyBit(bit), level };
    rule.cases = vec![case(1, Level::Watch), case(8, Level::Danger)];
    let told = told(&site);
    let components = &of(&told, "b1_brk-1")["cmps"];
    assert_eq!(components["position_trip"]["device_class"], "smoke");
    let template = components["position_trip"]["value_template"].as_str().unwrap();
    assert!(template.contains("'ON' if p.v | int // 8 % 2 == 1 else 'OFF'"), "{template}");
    assert!(components["position_bit3"].get("enabled_by_default").is_none());
    assert_eq!(components["position_bit4"]["enabled_by_default"], false, "no rule judges it");
}

#[test]
fn gas_trips_from_the_limit_on_that_a_rule_calls_a_warning() {
    let mut site = testsite::site();
    site.devices[0].kind = DeviceKind::Gas;
    let trip = of(&told(&site), "b1_bms-1")["cmps"]["cell-temp-max_trip"].clone();
    assert_eq!(trip["device_class"], "gas");
    let template = trip["value_template"].as_str().unwrap();
    assert!(template.contains("none if p.v is none else ('ON' if p.v >= 55 else 'OFF')"), "{template}");
}

#[test]
fn every_unit_is_one_that_is_known() {
    for (unit, ..) in Unit::TABLE {
        let (class, shown) = units::class_and_unit(unit, DeviceKind::Battery, "x");
        assert!(class.is_none() || shown.is_some(), "{unit:?}");
    }
}

#[test]
fn only_topics_of_this_site_are_called_ours() {
    let ours = ["homeassistant/device/emberwatch_s1_b1/config", "a/b/device/emberwatch_s1_b1_x/config"];
    assert!(ours.iter().all(|topic| is_of_site(topic, "s1")));
    let others = [
        "homeassistant/device/emberwatch_s12_b1/config",
        "homeassistant/device/other_s1_b1/config",
        "homeassistant/sensor/emberwatch_s1_b1/config",
        "homeassistant/device/emberwatch_s1_b1/state",
        "config",
    ];
    assert!(others.iter().all(|topic| !is_of_site(topic, "s1")));
}

#[test]
fn only_online_on_its_own_topic_is_a_birth() {
    let site = testsite::site();
    let discovery = Discovery::new(&options(), &site, &Topics::new("emberwatch", &site));
    assert!(discovery.is_birth("homeassistant/status", b"online"));
    assert!(!discovery.is_birth("homeassistant/status", b"offline"));
    assert!(!discovery.is_birth("other/status", b"online"));
}

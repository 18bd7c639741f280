//! What is really said over MQTT, by the real daemon through a broker with the shipped access list, against what is
//! written about it: the `AsyncAPI` document, and Home Assistant's own schemas and templates.
//!
//! What these need is installed by `./test`. A missing peer is a failure, never a reason to skip.

#[path = "../edges/bench.rs"]
#[allow(dead_code, reason = "shared with the tests of the edges, which use all of it")]
mod bench;
#[path = "../edges/box_plant.rs"]
#[allow(dead_code, reason = "shared with the tests of the edges, which use all of it")]
mod box_plant;
mod broker;
mod commands;
mod kills;
#[path = "../edges/program.rs"]
#[allow(dead_code, reason = "shared with the tests of the edges, which use all of it")]
mod program;
mod story;

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use program::{emberwatch, finish, missing, python};
use story::captured;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn what_is_printed_is_what_is_shipped() {
    let (code, out, err) = finish(&mut emberwatch(&["asyncapi"]));
    assert_eq!(code, 0, "{err}");
    let shipped = std::fs::read_to_string(root().join("docs/asyncapi.json")).expect("shipped");
    assert!(out == shipped, "make it anew: emberwatch asyncapi > docs/asyncapi.json");
}

#[test]
fn every_message_is_documented_and_everything_documented_is_said() {
    let official = root().join("target/npm/node_modules/@asyncapi/specs/schemas/3.0.0.json");
    assert!(official.exists(), "{}", missing("AsyncAPI's own schema"));
    let dir = tempfile::tempdir().expect("a temporary directory");
    let heard = dir.path().join("heard");
    std::fs::write(&heard, captured()).expect("written");
    let mut check = python("topics.py");
    check.arg(root().join("docs/asyncapi.json")).arg(official).arg(&heard);
    let (code, out, err) = finish(&mut check);
    assert_eq!(code, 0, "{out}\n{err}");
}

/// Python with the package `homeassistant`.
fn with_home_assistant() -> Command {
    let path = std::env::var_os("EMBERWATCH_HOMEASSISTANT")
        .map_or_else(|| root().join("target/homeassistant/bin/python"), PathBuf::from);
    assert!(path.exists(), "{}", missing(&format!("Python with Home Assistant at {}", path.display())));
    let mut command = Command::new(path);
    command.arg("-u").arg(root().join("tests/peers/discovery.py"));
    command
}

/// What Home Assistant shows of each entity at each mark, by unique id; fails if it does not take a message of discovery.
fn shown() -> Value {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let heard = dir.path().join("heard");
    std::fs::write(&heard, captured()).expect("written");
    let (code, out, err) = finish(with_home_assistant().arg(&heard));
    assert_eq!(code, 0, "{out}\n{err}");
    serde_json::from_str(out.lines().last().unwrap_or_default()).expect("its last line is JSON")
}

#[test]
fn home_assistant_takes_all_devices_and_shows_what_is_true_and_nothing_else() {
    let shown = shown();
    let at = |mark: &str, entity: &str| {
        let value = &shown[mark][format!("emberwatch_test_{entity}")];
        value.as_str().unwrap_or_else(|| panic!("{entity} at {mark}: {:#}", shown[mark])).to_owned()
    };
    assert_eq!(at("calm", "b1_box-1_temp"), "25");
    assert_eq!(at("calm", "b1_box-1_contactor"), "closed");
    assert_eq!(at("calm", "b1_box-1__link"), "ON");
    assert_eq!(at("calm", "b1_level"), "normal");
    assert_eq!(at("calm", "b1_alarm_temp"), "OFF", "known, though there is no topic of it");
    assert_eq!(at("calm", "b1_sequence_cut"), "idle");
    assert_eq!(at("calm", "gateway_gw-1_working"), "ON");

    assert_eq!(at("bad", "b1_box-1_temp"), "unknown", "not the value before, and no zero");
    assert_eq!(at("bad", "b1_box-1_contactor"), "closed", "the others are as they are");

    assert_eq!(at("burnt", "b1_box-1_temp"), "95");
    assert_eq!(at("burnt", "b1_box-1_contactor"), "open");
    assert_eq!(at("burnt", "b1_alarm_temp"), "ON");
    assert_eq!(at("burnt", "b1_sequence_cut"), "done");
    assert_eq!(at("burnt", "b1_zone_rack-1"), "danger");

    assert_eq!(at("offline", "b1_box-1_temp"), "unavailable");
    assert_eq!(at("offline", "b1_box-1_contactor"), "unavailable");
    assert_eq!(at("offline", "b1_box-1__link"), "OFF", "that it does not answer is known");
    assert_eq!(at("offline", "b1_alarm_box-1-silent"), "ON");

    assert_eq!(at("lost", "gateway_gw-1_working"), "OFF");
    assert_eq!(at("lost", "gateway_gw-1_status"), "lost");
    assert_eq!(at("lost", "b1_level"), "unavailable");
    assert_eq!(at("lost", "b1_alarm_temp"), "unavailable", "of a room that nobody watches nothing is known");
}

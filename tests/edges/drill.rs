//! Rehearsals: whole ones against the simulated room, and one in the running daemon that writes nothing.

use std::process::{Command, Output};

use serde_json::Value;

use super::bench::Daemon;
use super::box_plant::{Plan, Plant};
use super::program::free_port;

fn drill(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_emberwatch")).arg("drill").args(arguments).output().expect("runs")
}

fn report(output: &Output) -> Value {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}\n{err}"))
}

#[test]
fn on_the_simulator_every_stage_is_commanded_and_seen_and_the_page_tells_it() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let page = dir.path().join("drill.html");
    let output = drill(&["cut-rack-1", "--on-simulator", "--json", "--report", &page.display().to_string()]);
    let report = report(&output);
    assert_eq!(output.status.code(), Some(0), "{report:#}");
    assert_eq!(report["verdict"]["passed"], true);
    let states: Vec<&str> = report["stages"]
        .as_array()
        .expect("stages")
        .iter()
        .filter_map(|stage| stage["state"].as_str())
        .collect();
    assert_eq!(states, ["verified", "verified", "skipped"]);
    assert_eq!(report["stages"][1]["feedback"][0]["ok"], true, "{report:#}");
    assert!(report["stages"][1]["writes"][0].as_str().is_some_and(|write| write.contains("coil 1 := off")));
    let page = std::fs::read_to_string(page).expect("the page");
    for part in ["PASSED", "Open string contactor", "<svg", "coil 1 := off", "local:"] {
        assert!(page.contains(part), "{part}");
    }
}

#[test]
fn a_stuck_contactor_is_a_finding_and_other_means_follow() {
    let output = drill(&["cut-rack-1", "--on-simulator", "--scenario", "stuck-contactor", "--json"]);
    let report = report(&output);
    assert_eq!(output.status.code(), Some(1), "{report:#}");
    let finding = report["verdict"]["findings"][0].as_str().unwrap_or_default();
    assert!(finding.contains("did not follow"), "{report:#}");
    assert_eq!(report["stages"][2]["state"], "verified", "the breaker upstream: {report:#}");
}

#[test]
fn in_the_daemon_a_drill_writes_nothing_and_says_drill_everywhere() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let plant = Plant::start(dir.path(), "0.2");
    let page = free_port();
    let config = Plan::new(plant.port, page).write(dir.path());
    let daemon = Daemon::start(dir.path(), &config, page);
    daemon.until_calm();
    let output = drill(&["cut", "--json", "--config", &config.display().to_string()]);
    let report = report(&output);
    assert_eq!(output.status.code(), Some(0), "{report:#}");
    assert_eq!(report["verdict"]["passed"], true);
    assert_eq!(plant.writes(), Vec::<String>::new(), "nothing was written");
    let events = report["events"].as_array().expect("events");
    assert!(events.iter().all(|said| said["text"].as_str().is_some_and(|text| text.starts_with("DRILL"))));
    let state = daemon.until("the end of the drill", |state| state["sequences"]["cut"]["state"] == "done");
    assert_eq!(state["sequences"]["cut"]["drill"], true);
    assert_eq!(state["points"]["box-1/contactor"]["v"], 1.0);
}

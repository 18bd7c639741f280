//! Stops, asked for or not: no stop writes a coil, and no start writes one twice (R12).

use super::bench::Daemon;
use super::box_plant::{Plan, Plant};
use super::program::{emberwatch, finish, free_port};
use emberwatch::units::Millis;

/// A stop must take less than this.
const STOP_MAX: Millis = Millis::from_secs(2);

#[test]
fn sigterm_in_the_countdown_ends_well_in_time_and_writes_nothing() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut plant = Plant::start(dir.path(), "0.2");
    let page = free_port();
    let config = Plan { countdown: "20s", ..Plan::new(plant.port, page) }.write(dir.path());
    let mut daemon = Daemon::start(dir.path(), &config, page);
    daemon.until_calm();
    plant.burn();
    daemon.until_cut_is("countdown");
    let (code, took) = daemon.program.terminate();
    assert_eq!(code, 0, "{}", daemon.program.err());
    assert!(took < STOP_MAX, "took {took}");
    assert_eq!(plant.writes(), Vec::<String>::new());
}

#[test]
fn killed_in_the_countdown_the_run_goes_on_and_writes_once() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut plant = Plant::start(dir.path(), "0.2");
    let page = free_port();
    let config = Plan { countdown: "3s", ..Plan::new(plant.port, page) }.write(dir.path());
    let mut daemon = Daemon::start(dir.path(), &config, page);
    daemon.until_calm();
    plant.burn();
    let before = daemon.until_cut_is("countdown");
    daemon.program.kill();
    assert_eq!(plant.writes(), Vec::<String>::new(), "killed before the cut");

    let daemon = Daemon::start(dir.path(), &config, page);
    let first = daemon.until("the first word of the core", |state| state["seq"] != 0);
    assert_ne!(first["sequences"]["cut"]["state"], "idle", "never forgotten");
    let done = daemon.until_cut_is("done");
    assert_eq!(done["sequences"]["cut"]["since"], before["sequences"]["cut"]["since"], "the same run");
    assert_eq!(
        done["alarms"]["temp"]["occurrence"], before["alarms"]["temp"]["occurrence"],
        "the same alarm"
    );
    assert_eq!(done["alarms"]["temp"]["state"], "unack-active");
    assert_eq!(plant.writes(), ["write 0 0"]);
    the_journal_tells_the_run(&config, dir.path());
}

/// What `journal` makes of a run that was killed and went on, beside the daemon that still writes.
fn the_journal_tells_the_run(config: &std::path::Path, dir: &std::path::Path) {
    let config = config.display().to_string();
    let (code, out, err) = finish(&mut emberwatch(&["journal", "verify", "--config", &config]));
    assert_eq!(code, 0, "{out}{err}");
    assert!(out.contains("whole") && out.contains("chain "), "{out}");
    let (code, out, _) =
        finish(&mut emberwatch(&["journal", "show", "--config", &config, "--about", "cut", "--last", "100"]));
    assert_eq!(code, 0);
    let order = ["cut: countdown", "cut: resumed", "intent", "stage-verified 1", "cut: done"];
    let places: Vec<usize> =
        order.iter().map(|text| out.find(text).unwrap_or_else(|| panic!("`{text}` in\n{out}"))).collect();
    assert!(places.is_sorted(), "{places:?} in\n{out}");
    let file = dir.join("journal.jsonl").display().to_string();
    let (code, ..) = finish(&mut emberwatch(&["journal", "export", "--config", &config, "--out", &file]));
    assert_eq!(code, 0);
    let text = std::fs::read_to_string(&file).expect("exported");
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).expect("an object")).collect();
    assert!(lines.iter().any(|line| line["is"]["sequence"]["event"] == "done"), "{text}");
    assert_eq!(lines.last().map(|line| line["audit"]["whole"].clone()), Some(true.into()));
    let (code, ..) = finish(&mut emberwatch(&["journal", "export", "--config", &config, "--out", &file]));
    assert_eq!(code, 73, "what exists is not replaced");
}

#[test]
fn killed_after_the_write_it_reads_back_and_does_not_write_again() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut plant = Plant::start(dir.path(), "1.5");
    let page = free_port();
    let config = Plan::new(plant.port, page).write(dir.path());
    let mut daemon = Daemon::start(dir.path(), &config, page);
    daemon.until_calm();
    plant.burn();
    plant.wait_for_line("write 0 0");
    daemon.program.kill();
    // While nobody watches, the contactor moves and the cause goes away.
    plant.wait_for_line("moved");
    plant.temperature_c(25);
    plant.gas_pct_lfl(0);

    let daemon = Daemon::start(dir.path(), &config, page);
    let done = daemon.until_cut_is("done");
    assert_eq!(done["sequences"]["cut"]["steps"][0]["state"], "verified");
    daemon.until("latched alarms without a cause", |state| {
        ["temp", "fire"].iter().all(|name| state["alarms"][name]["state"] == "latched-unack")
    });
    assert_eq!(plant.writes(), ["write 0 0"]);
}

#[test]
fn killed_after_a_pulse_it_never_pulses_again_though_nothing_moved() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut plant = Plant::start(dir.path(), "never");
    let page = free_port();
    let plan = Plan { output: "pulse", verify_within: "2s", ..Plan::new(plant.port, page) };
    let config = plan.write(dir.path());
    let mut daemon = Daemon::start(dir.path(), &config, page);
    daemon.until_calm();
    plant.burn();
    plant.wait_for_line("write 0 0");
    daemon.program.kill();

    let mut daemon = Daemon::start(dir.path(), &config, page);
    let held = daemon.until_cut_is("held");
    assert_eq!(held["alarms"]["cut-failed"]["state"], "unack-active");
    let (code, took) = daemon.program.terminate();
    assert!(code == 0 && took < STOP_MAX, "ended with {code} after {took}");
    assert_eq!(plant.writes(), ["write 0 0"]);
}

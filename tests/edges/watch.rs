//! `run` watches a box played by pymodbus and publishes to mosquitto; broken neighbours change nothing.

use super::bench::{Daemon, Mosquitto, state};
use super::box_plant::{Plan, Plant};
use super::program::{free_port, until};

#[test]
fn armed_it_raises_the_alarm_cuts_once_and_verifies_by_feedback() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let (mut plant, mqtt) = (Plant::start(dir.path(), "0.3"), Mosquitto::start(dir.path()));
    let page = free_port();
    let config = Plan { more: mqtt.table(), ..Plan::new(plant.port, page) }.write(dir.path());
    let daemon = Daemon::start(dir.path(), &config, page);
    daemon.until_calm();
    let data = mqtt.heard.line("/b1/device/box-1/data ");
    assert!(data.starts_with("emberwatch/1/test/b1/device/box-1/data {"), "{data}");

    plant.temperature_c(60);
    daemon.until("the alarm", |state| state["alarms"]["temp"]["state"] == "unack-active");
    mqtt.heard.line("emberwatch/1/test/b1/alarm/temp ");
    assert_eq!(plant.writes(), Vec::<String>::new(), "one warning is no cut");

    plant.burn();
    let done = daemon.until_cut_is("done");
    assert_eq!(done["sequences"]["cut"]["steps"][0]["state"], "verified");
    assert_eq!(done["points"]["box-1/contactor"]["v"], 0.0);
    assert_eq!(plant.writes(), ["write 0 0"]);
    until(
        || format!("the cut over MQTT; heard:\n{}", mqtt.heard.out()),
        || {
            let all = mqtt.heard.out();
            all.lines()
                .any(|line| line.contains("/sequence/cut ") && line.contains(r#""state":"done""#))
                .then_some(())
        },
    );
}

#[test]
fn in_shadow_it_decides_the_same_and_writes_nothing() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut plant = Plant::start(dir.path(), "0.3");
    let page = free_port();
    let config = Plan { mode: "shadow", ..Plan::new(plant.port, page) }.write(dir.path());
    let mut daemon = Daemon::start(dir.path(), &config, page);
    daemon.until_calm();
    plant.burn();
    let end = daemon.until("the end of the shadow run", |state| {
        let cut = &state["sequences"]["cut"];
        cut["shadow"] == true && ["done", "failed", "held"].iter().any(|word| cut["state"] == *word)
    });
    assert_eq!(end["points"]["box-1/contactor"]["v"], 1.0);
    assert_eq!(daemon.program.terminate().0, 0);
    assert_eq!(plant.writes(), Vec::<String>::new());
}

#[test]
fn a_broker_that_dies_in_the_countdown_does_not_stop_the_cut() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let (mut plant, mut mqtt) = (Plant::start(dir.path(), "0.2"), Mosquitto::start(dir.path()));
    let page = free_port();
    let config =
        Plan { countdown: "1500ms", more: mqtt.table(), ..Plan::new(plant.port, page) }.write(dir.path());
    let daemon = Daemon::start(dir.path(), &config, page);
    daemon.until_calm();
    mqtt.heard.line("/b1/device/box-1/data ");
    plant.burn();
    daemon.until_cut_is("countdown");
    mqtt.broker.kill();
    assert_eq!(plant.writes(), Vec::<String>::new(), "the broker died before the cut");
    daemon.until_cut_is("done");
    assert_eq!(plant.writes(), ["write 0 0"]);
    daemon.until("the broker's alarm", |state| state["alarms"]["mqtt-down"]["state"] == "unack-active");
}

#[test]
fn without_a_journal_it_cuts_all_the_same_and_the_alarm_stands() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut plant = Plant::start(dir.path(), "0.2");
    let page = free_port();
    let file = dir.path().join("file");
    std::fs::write(&file, "no directory").expect("written");
    let plan = Plan { state_dir: Some(file.join("state")), ..Plan::new(plant.port, page) };
    let daemon = Daemon::start(dir.path(), &plan.write(dir.path()), page);
    daemon.until_calm();
    daemon
        .until("the journal's alarm", |state| state["alarms"]["journal-failing"]["state"] == "unack-active");
    plant.burn();
    let done = daemon.until_cut_is("done");
    assert_eq!(done["alarms"]["journal-failing"]["state"], "unack-active", "it stands");
    assert_eq!(plant.writes(), ["write 0 0"]);
}

#[test]
fn a_device_that_never_answers_delays_no_poll_of_another_link() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let plant = Plant::start(dir.path(), "never");
    let page = free_port();
    // The kernel accepts for it; nobody ever reads or answers.
    let dead = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = dead.local_addr().expect("bound");
    let more = format!(
        "\n[[link]]\nid = \"dead\"\ntimeout = \"3s\"\nconnect_timeout = \"3s\"\ntcp = {{ address = \"{address}\" }}\n\
         [[device]]\nid = \"box-2\"\nzone = \"rack-1\"\nlink = \"dead\"\nunit = 1\nprofile = \"box\"\n\
         scan = {{ fast = \"100ms\" }}\n"
    );
    let config = Plan { more, ..Plan::new(plant.port, page) }.write(dir.path());
    let daemon = Daemon::start(dir.path(), &config, page);
    daemon
        .until("the dead device's alarm", |state| state["alarms"]["box-2-silent"]["state"] == "unack-active");
    let before = plant.reads().len();
    until(|| "forty polls".to_owned(), || (before + 40 <= plant.reads().len()).then_some(()));
    let reads = plant.reads();
    let worst = reads.windows(2).map(|pair| pair[1] - pair[0]).max().expect("many reads");
    assert!(worst < 1000, "polled every 100 ms, but once only after {worst} ms");
    let state = state(page).expect("the page answers");
    assert_eq!(state["devices"]["box-1"]["state"], "online");
    assert_eq!(state["devices"]["box-2"]["state"], "offline");
}

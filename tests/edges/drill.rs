//! Rehearsals, whole ones against the simulated room and one in the running daemon that writes nothing; and a cut by hand
//! with everything dead that is not needed for it.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::OpenOptionsExt as _;
use std::process::{Command, Output};

use emberwatch::clock;
use emberwatch::units::Millis;
use serde_json::Value;

use super::bench::Daemon;
use super::box_plant::{Plan, Plant};
use super::program::{free_port, until};

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

/// Asks something of the sequence on the page, as the operator whose token it is; the status line of the answer.
fn ask(page: u16, verb: &str, token: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", page)).expect("the page listens");
    let request = format!(
        "POST /api/v1/sequences/cut/{verb} HTTP/1.1\r\nHost: 127.0.0.1:{page}\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{{}}"
    );
    stream.write_all(request.as_bytes()).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("answered");
    answer.lines().next().unwrap_or_default().to_owned()
}

#[test]
fn x8_a_cut_by_hand_takes_two_steps_and_no_second_with_broker_database_names_and_disk_dead() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let secret = |name: &str, text: &str| {
        let path = dir.path().join(name);
        let mut options = std::fs::OpenOptions::new();
        let mut file = options.write(true).create_new(true).mode(0o600).open(&path).expect("created");
        file.write_all(text.as_bytes()).expect("written");
        path.display().to_string()
    };
    let token = "an-operator-token-of-this-test";
    let (operator, webhook, influx) = (
        secret("operator", token),
        secret("webhook", "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="),
        secret("influx", "a-token-for-nobody"),
    );
    let more = format!(
        "\n[[web.operator]]\nname = \"kim\"\ntoken = {{ file = \"{operator}\" }}\n\
         [mqtt]\nhost = \"127.0.0.1\"\nport = {}\n\
         [influx]\nurl = \"http://127.0.0.1:{}\"\norg = \"o\"\nbucket = \"b\"\ntoken = {{ file = \"{influx}\" }}\n\
         [[webhook]]\nid = \"duty\"\nurl = \"https://nobody.invalid/x\"\nsecret = {{ file = \"{webhook}\" }}\n",
        free_port(),
        free_port()
    );
    let plant = Plant::start(dir.path(), "0.2");
    let page = free_port();
    // A directory that cannot be: no journal, no local socket.
    let state_dir = Some(dir.path().join("operator/state"));
    let config = Plan { more, state_dir, ..Plan::new(plant.port, page) }.write(dir.path());
    let daemon = Daemon::start(dir.path(), &config, page);
    daemon
        .until("the journal's alarm", |state| state["alarms"]["journal-failing"]["state"] == "unack-active");
    daemon.until("the broker's alarm", |state| state["alarms"]["mqtt-down"]["state"] == "unack-active");
    assert!(ask(page, "start", token).contains(" 409 "), "one step is none");
    let begun = clock::uptime();
    assert!(ask(page, "select", token).contains(" 200 "), "selected");
    assert!(ask(page, "start", token).contains(" 200 "), "started");
    until(|| "the coil frame".to_owned(), || (!plant.writes().is_empty()).then_some(()));
    let took = clock::uptime().since(begun);
    assert!(took <= Millis(1000), "{took} from the first step to the first frame");
    assert_eq!(daemon.until_cut_is("done")["points"]["box-1/contactor"]["v"], 0.0);
    assert_eq!(plant.writes(), ["write 0 0"]);
}

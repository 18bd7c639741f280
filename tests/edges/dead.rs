//! Cuts, by a vote and by hand, with everything dead that is not needed for them: broker, database, names, disk.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use emberwatch::clock;
use emberwatch::units::Millis;

use super::bench::Daemon;
use super::box_plant::{Plan, Plant};
use super::program::{free_port, until};

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

const TOKEN: &str = "an-operator-token-of-this-test";

/// A plan with a broker, a database, a name and a disk that are not there, and an operator.
fn all_dead(dir: &Path, modbus: u16, page: u16) -> Plan<'static> {
    let secret = |name: &str, text: &str| {
        let path = dir.join(name);
        let mut options = std::fs::OpenOptions::new();
        let mut file = options.write(true).create_new(true).mode(0o600).open(&path).expect("created");
        file.write_all(text.as_bytes()).expect("written");
        path.display().to_string()
    };
    let (operator, webhook, influx) = (
        secret("operator", TOKEN),
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
    // A directory that cannot be: no journal, no local socket.
    Plan { more, state_dir: Some(dir.join("operator/state")), ..Plan::new(modbus, page) }
}

#[test]
fn x8_a_cut_by_hand_takes_two_steps_and_no_second_with_broker_database_names_and_disk_dead() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let plant = Plant::start(dir.path(), "0.2");
    let page = free_port();
    let config = all_dead(dir.path(), plant.port, page).write(dir.path());
    let daemon = Daemon::start(dir.path(), &config, page);
    daemon
        .until("the journal's alarm", |state| state["alarms"]["journal-failing"]["state"] == "unack-active");
    daemon.until("the broker's alarm", |state| state["alarms"]["mqtt-down"]["state"] == "unack-active");
    assert!(ask(page, "start", TOKEN).contains(" 409 "), "one step is none");
    let begun = clock::uptime();
    assert!(ask(page, "select", TOKEN).contains(" 200 "), "selected");
    assert!(ask(page, "start", TOKEN).contains(" 200 "), "started");
    until(|| "the coil frame".to_owned(), || (!plant.writes().is_empty()).then_some(()));
    let took = clock::uptime().since(begun);
    assert!(took <= Millis(1000), "{took} from the first step to the first frame");
    assert_eq!(daemon.until_cut_is("done")["points"]["box-1/contactor"]["v"], 0.0);
    assert_eq!(plant.writes(), ["write 0 0"]);
}

#[test]
fn sc16_d2_a_vote_cuts_with_broker_database_names_and_disk_dead() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut plant = Plant::start(dir.path(), "0.2");
    let page = free_port();
    let config = all_dead(dir.path(), plant.port, page).write(dir.path());
    let daemon = Daemon::start(dir.path(), &config, page);
    daemon.until("the broker's alarm", |state| state["alarms"]["mqtt-down"]["state"] == "unack-active");
    plant.burn();
    let done = daemon.until_cut_is("done");
    assert_eq!(done["points"]["box-1/contactor"]["v"], 0.0);
    assert_eq!(plant.writes(), ["write 0 0"]);
    for alarm in ["journal-failing", "mqtt-down", "influx-down", "webhook-down"] {
        daemon.until(alarm, |state| state["alarms"][alarm]["state"] == "unack-active");
    }
}

//! A person at the terminal of the gateway: what stands, shelving it, and what the journal says of it.

use std::path::Path;

use crate::bench::Room;
use crate::daemon::Daemon;
use crate::program::until;

/// Rules that find something in the calm room: it is warmer than 5 and than 6 degrees.
const RULES: &str = r#"
[alarms]
shelve_max = "1h"
[[rule]]
id = "warm"
zone = "z"
principle = "temperature"
on_unknown = "hold"
message = "Rack 1 is warm"
action = "Open a window."
[rule.limit]
point = "bms-1/cell-temp-max"
side = "above"
deadband = "1 degC"
watch = { limit = "5 degC", on_delay = "0s", off_delay = "5s" }
[[rule]]
id = "fire"
zone = "z"
principle = "heat"
on_unknown = "hold"
[rule.limit]
point = "bms-1/cell-temp-max"
side = "above"
deadband = "1 degC"
danger = { limit = "6 degC", on_delay = "0s", off_delay = "5s" }
"#;

fn watched(dir: &Path) -> (Room, Daemon) {
    let room = Room::start(dir);
    let link = format!("tcp = {{ address = \"{}\" }}", room.tcp);
    let daemon = Daemon::start_with(dir, &link, RULES);
    until(|| daemon.program.err(), || daemon.ask(&["alarms"]).1.contains("Rack 1 is warm").then_some(()));
    (room, daemon)
}

#[test]
fn a_person_sees_what_stands_acknowledges_and_shelves_it() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let (_room, mut daemon) = watched(dir.path());

    let (code, out, err) = daemon.ask(&["alarms", "list"]);
    assert_eq!(code, 0, "{out}{err}");
    let row = out.lines().find(|line| line.contains(" warm ")).unwrap_or_else(|| panic!("{out}"));
    assert!(row.starts_with("MEDIUM") && row.contains("#1") && row.contains("STANDING, not seen"), "{out}");
    assert!(out.contains("    do: Open a window."), "{out}");

    let (code, out, err) = daemon.ask(&["alarms", "ack", "warm"]);
    assert!(code == 0 && out.contains("warm: standing, seen (asked by local:"), "{code} {out}{err}");
    let (code, _, err) = daemon.ask(&["alarms", "ack", "warm"]);
    assert!(code == 1 && err.contains("nothing to do"), "{code} {err}");
    let (code, _, err) = daemon.ask(&["alarms", "ack", "warm", "--occurrence", "7"]);
    assert!(code == 1 && err.contains("older occurrence"), "{code} {err}");

    let (code, out, err) = daemon.ask(&["alarms", "shelve", "warm", "--for", "30min", "--once"]);
    assert!(code == 0 && out.contains("warm: shelved by local:"), "{code} {out}{err}");
    assert!(out.contains("UTC, or until its cause goes"), "{out}");
    let (code, _, err) = daemon.ask(&["alarms", "shelve", "fire", "--for", "30min"]);
    assert!(code == 1 && err.contains("it is about life safety"), "{code} {err}");
    let (code, _, err) = daemon.ask(&["alarms", "unshelve", "attic"]);
    assert!(code == 2 && err.contains("no alarm `attic`"), "{code} {err}");
    let (code, _, err) = daemon.ask(&["alarms", "shelve", "warm", "--for", "soon"]);
    assert!(code == 2 && err.contains("soon"), "{code} {err}");

    let (code, out, err) = daemon.ask(&["status"]);
    assert!(code == 0 && out.contains("g at s: DANGER") && out.contains("1 shelved"), "{code} {out}{err}");
    let (_, out, _) = daemon.ask(&["status", "--json"]);
    let status: serde_json::Value = serde_json::from_str(&out).expect("one JSON document");
    assert_eq!(status["rooms"][0]["put_away"]["shelved"], 1);
    let (_, out, _) = daemon.ask(&["alarms"]);
    assert!(out.contains("Put away: 1") && out.contains("its cause stands"), "{out}");

    let (code, out, err) = daemon.ask(&["alarms", "unshelve", "warm", "--json"]);
    let after: serde_json::Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out}{err}"));
    assert_eq!((code, &after["state"], &after["occurrence"]), (0, &"unack-active".into(), &2.into()));
    let (code, out, _) = daemon.ask(&["alarms", "out-of-service", "warm", "--reason", "new sensor"]);
    assert!(code == 0 && out.contains("out of service by local:") && out.contains(": new sensor"), "{out}");
    assert_eq!(daemon.ask(&["alarms", "in-service", "warm"]).0, 0);
    assert_eq!(daemon.ask(&["alarms", "ack", "--all"]).0, 0);

    assert_eq!(daemon.program.terminate().0, 0);
    let (code, _, err) = daemon.ask(&["status"]);
    assert!(code == 69 && err.contains("no daemon listens"), "{code} {err}");
    journal_names_the_person(&dir.path().join("state"));
}

/// Who asked what is in the journal, also what was refused.
fn journal_names_the_person(state: &Path) {
    let files = std::fs::read_dir(state).expect("the state directory").flatten();
    let journal: String = files
        .filter(|file| file.file_name().to_string_lossy().starts_with("journal-"))
        .map(|file| String::from_utf8_lossy(&std::fs::read(file.path()).expect("readable")).into_owned())
        .collect();
    for text in
        ["\"shelve\":{\"alarm\":\"warm\"", "\"by\":\"local:", "life-safety", "\"reason\":\"new sensor\""]
    {
        assert!(journal.contains(text), "no {text} in the journal");
    }
}

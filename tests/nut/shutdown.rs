//! Who shuts down, when, and who does not.

use emberwatch::clock;
use emberwatch::units::Millis;

use super::machine::Machine;
use super::program::until;
use super::room::Room;

/// Told 8 s, and with `OB LB` 10 s, before the cut: as long as upsmon needs, asking every second.
const EARLY: &str = "fsd_before = \"8s\"\nlow_battery_before = \"10s\"";

/// A primary, a secondary, one that lives on both feeds, and one that lives on feed b.
fn machines(room: &Room, dir: &std::path::Path) -> [Machine; 4] {
    let start = |name, role, upses: &[&str]| Machine::start(dir, name, room.nut, role, upses);
    let machines = [
        start("big", "primary", &["ups-a"]),
        start("small", "secondary", &["ups-a"]),
        start("both", "secondary", &["ups-a", "ups-b"]),
        start("other", "secondary", &["ups-b"]),
    ];
    let logins = |room: &Room| ["ups-a", "ups-b"].map(|ups| room.logins(ups));
    until(
        || format!("all machines to log in: {:?}", logins(room)),
        || (logins(room) == [3, 2]).then_some(()),
    );
    machines
}

#[test]
fn in_a_countdown_the_machines_of_the_feed_go_down_in_time_and_no_others() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut room = Room::start(dir.path(), "armed", "12s", EARLY);
    let [big, small, mut both, mut other] = machines(&room, dir.path());
    room.plant.burn();
    room.daemon.until_cut_is("countdown");
    assert_eq!(room.status("ups-a"), "OL", "the cut is still far away");
    assert!(room.upsc("ups-a", "ups.alarm").1.contains("Fail over now."));
    room.until_status("ups-a", "OB LB");
    room.until_status("ups-a", "FSD OB LB");
    small.until_down();
    big.until_down();
    assert_eq!(room.plant.writes(), Vec::<String>::new(), "down before the cut");
    room.daemon.until_cut_is("done");
    assert_eq!(room.plant.writes(), ["write 0 0"]);
    assert_eq!(room.status("ups-a"), "FSD OB LB", "until it is reset");
    assert_eq!(room.status("ups-b"), "OL");
    assert!(small.events().contains("FSD ups-a"), "{}", small.events());
    both.until_event("FSD ups-a");
    both.assert_up();
    other.assert_up();
    assert!(!other.events().contains("FSD"), "{}", other.events());
    assert_eq!(room.logins("ups-b"), 2);
}

#[test]
fn aborted_in_time_nobody_goes_down() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut room = Room::start(dir.path(), "armed", "30s", EARLY);
    let mut small = Machine::start(dir.path(), "small", room.nut, "secondary", &["ups-a"]);
    room.plant.burn();
    room.daemon.until_cut_is("countdown");
    until(|| room.status("ups-a"), || room.upsc("ups-a", "ups.timer.shutdown").1.parse::<u32>().ok());
    room.ask("abort");
    room.daemon.until_cut_is("aborted");
    room.until_status("ups-a", "OL");
    small.assert_up();
    assert_eq!(room.upsc("ups-a", "ups.timer.shutdown").0, 1, "no cut is ahead");
}

#[test]
fn neither_a_warning_nor_lost_links_nor_a_dead_server_shuts_anything_down() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut room = Room::start(dir.path(), "armed", "12s", EARLY);
    let mut machines = machines(&room, dir.path());
    room.plant.temperature_c(60);
    until(
        || room.upsc("ups-a", "ups.alarm").1,
        || room.upsc("ups-a", "ups.alarm").1.contains("warning").then_some(()),
    );
    assert_eq!(room.status("ups-a"), "OL");
    assert_eq!(room.upsc("ups-a", "battery.temperature"), (0, "60".to_owned()));

    // The box goes, and with it its link.
    room.plant.program.kill();
    until(|| room.status("ups-a"), || room.status("ups-a").contains("Data stale").then_some(()));
    let (code, said) = room.upsc("ups-a", "battery.temperature");
    assert!(code != 0 && said.contains("Data stale"), "never the old value: {said}");
    for machine in &machines {
        machine.until_event("COMMBAD");
        machine.until_event("NOCOMM");
    }

    room.kill_daemon();
    room.start_daemon();
    until(|| room.status("ups-a"), || room.status("ups-a").contains("Driver not connected").then_some(()));
    room.kill_daemon();
    let told = |machine: &Machine| machine.events().matches("NOCOMM").count();
    let before: Vec<usize> = machines.iter().map(told).collect();
    // A whole interval of complaints later nobody has gone.
    for (machine, before) in machines.iter().zip(before) {
        until(|| machine.events(), || (before + 1 < told(machine)).then_some(()));
    }
    for machine in &mut machines {
        machine.assert_up();
    }
}

#[test]
fn in_shadow_it_says_so_and_nobody_goes_down() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut room = Room::start(dir.path(), "shadow", "4s", EARLY);
    let mut small = Machine::start(dir.path(), "small", room.nut, "secondary", &["ups-a"]);
    let mut big = Machine::start(dir.path(), "big", room.nut, "primary", &["ups-a"]);
    until(|| "two logins".to_owned(), || (room.logins("ups-a") == 2).then_some(()));
    room.plant.burn();
    room.daemon.until_cut_is("countdown");
    let alarm = room.upsc("ups-a", "ups.alarm").1;
    assert!(alarm.contains("in shadow, nothing is cut"), "{alarm}");
    assert_eq!(room.status("ups-a"), "OL");
    room.daemon.until_cut_is("done");
    assert_eq!(room.status("ups-a"), "OL");
    for machine in [&mut small, &mut big] {
        machine.assert_up();
        let events = machine.events();
        assert!(!events.contains("FSD") && !events.contains("LOWBATT"), "{events}");
    }
    assert_eq!(room.plant.writes(), Vec::<String>::new());
}

#[test]
fn a_client_that_says_fsd_or_commands_is_refused() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let room = Room::start(dir.path(), "armed", "12s", EARLY);
    let mut small = Machine::start(dir.path(), "small", room.nut, "secondary", &["ups-a"]);
    until(|| "a login".to_owned(), || (room.logins("ups-a") == 1).then_some(()));
    for line in ["FSD ups-a", "SET VAR ups-a battery.temperature 20", "INSTCMD ups-a load.off"] {
        assert_eq!(room.say(&["USERNAME primary", "PASSWORD correct-horse", line]), "ERR ACCESS-DENIED");
    }
    assert_eq!(room.status("ups-a"), "OL");
    small.assert_up();
    assert_eq!(room.plant.writes(), Vec::<String>::new());
}

#[test]
fn a_stage_waits_until_the_last_machine_has_left_and_then_cuts() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let wait = "wait_for_logins = { ups = \"ups-a\", at_most = \"25s\" }";
    let mut room = Room::start_with(dir.path(), "armed", "3s", "fsd_before = \"10s\"", wait);
    let lines = ["USERNAME secondary", "PASSWORD correct-horse", "LOGIN ups-a"];
    let (answer, slow) = room.say_and_stay(&lines);
    assert_eq!(answer, "OK");
    let small = Machine::start(dir.path(), "small", room.nut, "secondary", &["ups-a"]);
    until(|| "two logins".to_owned(), || (room.logins("ups-a") == 2).then_some(()));
    room.plant.burn();
    room.until_status("ups-a", "FSD OB LB");
    small.until_down();
    room.daemon
        .until("the stage to wait", |state| state["sequences"]["cut"]["steps"][0]["state"] == "waiting");
    assert_eq!(room.logins("ups-a"), 1);
    assert_eq!(room.plant.writes(), Vec::<String>::new(), "one machine is still there");
    let left = clock::uptime();
    drop(slow);
    room.daemon.until_cut_is("done");
    assert_eq!(room.plant.writes(), ["write 0 0"]);
    assert!(clock::uptime().since(left) < Millis::from_secs(10), "not at the deadline");
}

#[test]
fn machines_that_never_leave_hold_a_cut_up_to_its_deadline_only() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let wait = "wait_for_logins = { ups = \"ups-a\", at_most = \"4s\" }";
    let mut room = Room::start_with(dir.path(), "armed", "1s", "fsd_before = \"10s\"", wait);
    let lines = ["USERNAME secondary", "PASSWORD correct-horse", "LOGIN ups-a"];
    let (answer, _stays) = room.say_and_stay(&lines);
    assert_eq!(answer, "OK");
    room.plant.burn();
    room.daemon.until_cut_is("done");
    assert_eq!(room.logins("ups-a"), 1);
    assert_eq!(room.plant.writes(), ["write 0 0"]);
}

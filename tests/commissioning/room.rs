//! Scan, check, probe and sign, without a daemon.

use std::path::Path;

use rustix::process::{Pid, Signal, kill_process};

use crate::bench::{Room, alone, rows};
use crate::program::{Program, emberwatch, finish, free_port, python, until};

/// Scans a place, and follows what was written through check and probe.
fn scanned_written_and_probed(dir: &Path, target: &str, more: &[&str]) {
    let file = dir.join("site.toml").display().to_string();
    let mut args = vec!["scan", target, "--units", "1-3,10,20,30,40", "--write", &file];
    args.extend(more);
    let (code, out, err) = alone(dir, &args);
    assert_eq!(code, 0, "{out}{err}");
    assert!(err.contains("6 units found") && err.contains("7 of 7 units asked, 6 found"), "{err}");
    for (unit, profile) in [
        (1, "sim-bms"),
        (2, "sim-bms"),
        (10, "sim-ups"),
        (20, "sim-gas"),
        (30, "sim-smoke"),
        (40, "sim-relay"),
    ] {
        let unit = unit.to_string();
        let row = out.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let row = row.into_iter().find(|row| row.first() == Some(&unit.as_str()) && 3 < row.len());
        assert_eq!(row.unwrap_or_else(|| panic!("unit {unit} in\n{out}"))[2], profile, "{out}");
    }
    let (code, out, err) = finish(&mut emberwatch(&["check", &file]));
    assert_eq!(code, 0, "{out}{err}\n{}", std::fs::read_to_string(&file).unwrap_or_default());
    assert!(err.contains("6 devices on 1 links"), "{err}");
    let (code, out, err) = alone(dir, &["probe", "bms-1", "--config", &file]);
    assert_eq!(code, 0, "{out}{err}");
    assert!(err.contains("47 of 47 points good"), "{err}");
    // Never over a file that is there.
    let (code, _, err) = alone(dir, &args);
    assert!(code == 73 && err.contains("exists already"), "{code} {err}");
}

#[test]
fn a_room_on_tcp_is_found_written_down_and_probed() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let room = Room::start(dir.path());
    scanned_written_and_probed(dir.path(), &format!("tcp://{}", room.tcp), &[]);
    room.stop();
}

#[test]
fn a_room_on_a_serial_line_is_found_written_down_and_probed() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let room = Room::start(dir.path());
    let port = room.port.display().to_string();
    scanned_written_and_probed(dir.path(), &port, &["--baud", "115200"]);
}

#[test]
fn a_room_behind_a_serial_server_is_found_written_down_and_probed() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let room = Room::start(dir.path());
    scanned_written_and_probed(
        dir.path(),
        &format!("rtu+tcp://{}", room.rtu_over_tcp),
        &["--baud", "115200"],
    );
}

#[test]
fn without_settings_the_usual_ones_are_tried_until_somebody_answers() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let room = Room::start(dir.path());
    let port = room.port.display().to_string();
    let (code, out, err) = alone(dir.path(), &["scan", &port, "--units", "1,2", "--json"]);
    assert_eq!(code, 0, "{out}{err}");
    assert!(err.contains("trying 9600 8N1") && out.lines().count() == 2, "{out}{err}");
    let unit: serde_json::Value = serde_json::from_str(out.lines().next().unwrap_or("")).expect("JSON");
    assert_eq!(unit["candidates"][0]["profile"], "sim-bms");
}

#[test]
fn a_net_is_swept_only_when_it_is_named() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let room = Room::start(dir.path());
    let port = room.tcp.rsplit_once(':').expect("a port").1;
    let net = format!("tcp://127.0.0.0/29:{port}");
    let (code, out, err) = alone(dir.path(), &["scan", &net, "--units", "20"]);
    assert_eq!(code, 0, "{out}{err}");
    assert!(err.contains("6 hosts") && err.contains("1 hosts listen"), "{err}");
    assert_eq!(rows(&out, "sim-gas").len(), 1, "{out}");
}

#[test]
fn nobody_is_a_no_and_no_connection_is_unavailable() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let room = Room::start(dir.path());
    let target = format!("tcp://{}", room.tcp);
    assert_eq!(alone(dir.path(), &["scan", &target, "--units", "3-5"]).0, 1);
    let closed = format!("tcp://127.0.0.1:{}", free_port());
    let (code, _, err) = alone(dir.path(), &["scan", &closed, "--units", "1"]);
    assert!(code == 69 && err.contains("no connection"), "{code} {err}");
    assert_eq!(alone(dir.path(), &["scan", "bms-1"]).0, 2);
}

#[test]
fn ctrl_c_ends_a_scan_with_what_was_found() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let room = Room::start(dir.path());
    let target = format!("tcp://{}", room.tcp);
    let nowhere = dir.path().join("no-daemon.sock").display().to_string();
    let args = ["scan", &target, "--units", "1-247", "--pause", "200ms", "--socket", &nowhere];
    let mut scan = Program::start(dir.path(), "scan", &mut emberwatch(&args));
    until(|| scan.err(), || scan.err().contains(" 1 found").then_some(()));
    let id = i32::try_from(scan.child.id()).ok().and_then(Pid::from_raw).expect("a process id");
    kill_process(id, Signal::INT).expect("our own child");
    assert_eq!(scan.code(), 130, "{}", scan.err());
    assert!(
        scan.err().contains("interrupted") && scan.out().contains("sim-bms"),
        "{}{}",
        scan.out(),
        scan.err()
    );
}

#[test]
fn raw_registers_are_read_and_guessed_without_any_configuration() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let room = Room::start(dir.path());
    let target = format!("tcp://{}", room.tcp);
    let read = ["probe", &target, "--unit", "1", "--read", "holding:0:15", "--read", "coil:0:2"];
    let (code, out, err) = alone(dir.path(), &read);
    assert_eq!(code, 0, "{out}{err}");
    assert_eq!((rows(&out, "holding").len(), rows(&out, "coil").len()), (15, 2), "{out}");
    // The gas detector sends a float in two words; 0..100 is what it can measure.
    let guess = ["probe", &target, "--unit", "1", "--read", "holding:8:1", "--guess"];
    let (code, out, err) = alone(dir.path(), &[&guess[..], &["--expect-range", "10..60 degC"]].concat());
    assert_eq!(code, 0, "{out}{err}");
    let best = rows(&out, "fits").remove(0);
    assert!(best[1].ends_with("°C") && best[2] == "u16" && best[3] == "scale = 0.1", "{out}");
    // Outside of the map the device refuses: an answer, but no value.
    let (code, out, _) = alone(dir.path(), &["probe", &target, "--unit", "1", "--read", "holding:900"]);
    assert!(code == 1 && out.contains("modbus-exception-2"), "{out}");
    assert_eq!(alone(dir.path(), &["probe", &target, "--read", "holding:0"]).0, 2, "no unit");
}

#[test]
fn a_signed_check_holds_until_a_value_differs() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let room = Room::start(dir.path());
    let target = format!("tcp://{}", room.tcp);
    let signed = dir.path().join("signed.toml").display().to_string();
    let device = ["probe", &target, "--unit", "40", "--profile", "sim-relay"];
    let with = |more: &[&str]| alone(dir.path(), &[&device[..], more].concat());
    assert_eq!(with(&["--write-expect", &signed, "--by", "A. Kim"]).0, 0);
    let (code, out, err) = with(&["--expect", &signed]);
    assert_eq!(code, 0, "{out}{err}");
    assert!(err.contains("signed by A. Kim") && out.contains("as signed"), "{out}{err}");
    let text = std::fs::read_to_string(&signed).expect("written");
    std::fs::write(&signed, text.replacen("value = 1.0", "value = 0.0", 1)).expect("written");
    let (code, out, _) = with(&["--expect", &signed]);
    assert_eq!((code, rows(&out, "DIFFERS").len()), (1, 1), "{out}");
}

#[test]
fn a_watch_reads_on_marks_what_changed_and_ends_cleanly() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let room = Room::start(dir.path());
    let target = format!("tcp://{}", room.tcp);
    let nowhere = dir.path().join("no-daemon.sock").display().to_string();
    let args = ["probe", &target, "--unit", "1", "--read", "holding:0:2", "--watch", "--socket", &nowhere];
    let mut watch = Program::start(dir.path(), "watch", &mut emberwatch(&args));
    // The heartbeat counts seconds.
    let changed = watch.line("*");
    assert!(changed.trim_start().starts_with("holding  0"), "{changed}");
    assert_eq!(watch.terminate().0, 0, "{}", watch.err());
}

#[test]
fn two_units_of_a_panel_say_what_they_are() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let port = free_port();
    let panel = Program::start(dir.path(), "panel", python("panel.py").arg(port.to_string()));
    until(|| panel.err(), || std::net::TcpStream::connect(("127.0.0.1", port)).ok());
    let target = format!("tcp://127.0.0.1:{port}");
    let (code, out, err) = alone(dir.path(), &["scan", &target, "--units", "1-5", "--json"]);
    assert_eq!(code, 0, "{out}{err}");
    let units: Vec<serde_json::Value> =
        out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let told: Vec<_> = units
        .iter()
        .map(|unit| {
            (unit["unit"].as_u64(), unit["answer"]["words"][0].as_u64(), &unit["identification"][0]["text"])
        })
        .collect();
    let vendor = serde_json::Value::from("Panel Works");
    assert_eq!(told, [(Some(3), Some(11), &vendor), (Some(4), Some(21), &vendor)], "{out}");
}

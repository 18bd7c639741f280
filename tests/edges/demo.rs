//! `demo` tells its story to the end, obeys its keys, and leaves nothing behind.

use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use emberwatch::clock;
use emberwatch::units::{Millis, Uptime};
use serde_json::Value;
use tempfile::TempDir;

use super::bench::{Daemon, state};
use super::program::{DEADLINE, Program, emberwatch, free_port, peer, until};
use super::simulate::{Room, mbpoll};

/// The first value must be seen sooner than this after the start. Holds for debug builds too.
const FIRST_VALUE_MAX: Millis = Millis::from_secs(2);

/// A demonstration with a temporary directory of its own.
struct Demo {
    program: Program,
    begun: Uptime,
    temp: TempDir,
    _dir: TempDir,
}

impl Demo {
    fn start(args: &[&str]) -> Self {
        let (temp, dir) = (TempDir::new(), TempDir::new());
        let (temp, dir) = (temp.expect("a directory"), dir.expect("a directory"));
        let begun = clock::uptime();
        let mut command = emberwatch(&["demo", "--port", "0"]);
        let program = Program::start(dir.path(), "demo", command.args(args).env("TMPDIR", temp.path()));
        Self { program, begun, temp, _dir: dir }
    }

    fn press(&mut self, key: &str) {
        let stdin = self.program.stdin.as_mut().expect("kept until the end");
        stdin.write_all(key.as_bytes()).expect("it reads keys");
    }

    fn port_after(&self, label: &str, before: &str) -> u16 {
        let line = self.program.line(label);
        let (_, rest) = line.split_once(before).unwrap_or_else(|| panic!("`{before}` in {line}"));
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().expect("a port")
    }

    fn page(&self) -> u16 {
        self.port_after("  Page ", "http://127.0.0.1:")
    }

    fn modbus(&self) -> u16 {
        self.port_after("  Modbus ", "-p ")
    }

    fn ends_well_and_leaves_nothing(&mut self) -> String {
        let code = self.program.code();
        assert_eq!(code, 0, "{}\n{}", self.program.out(), self.program.err());
        let left: Vec<_> = std::fs::read_dir(self.temp.path()).expect("a directory").collect();
        assert!(left.is_empty(), "left behind: {left:?}");
        self.program.out()
    }
}

fn has_a_value(state: &Value) -> bool {
    let points = state["points"].as_object();
    points.is_some_and(|points| points.values().any(|point| !point["v"].is_null()))
}

fn first_value_after(begun: Uptime, page: u16) -> Millis {
    until(|| "a value".to_owned(), || state(page).filter(has_a_value));
    clock::uptime().since(begun)
}

#[test]
fn five_seconds_without_a_keyboard_introduce_the_story_and_leave_nothing() {
    let mut demo = Demo::start(&["--for", "5s"]);
    drop(demo.program.stdin.take());
    let took = first_value_after(demo.begun, demo.page());
    assert!(took < FIRST_VALUE_MAX, "the first value came after {took}");

    // The line as printed, run as printed.
    let line = demo.program.line("  MQTT ");
    let command = line.split_once("MQTT").expect("just found").1.trim();
    assert!(peer("mosquitto_sub").exists());
    let dir = TempDir::new().expect("a directory");
    let exec = format!("exec {command}");
    let heard = Program::start(dir.path(), "heard", Command::new("sh").args(["-c", &exec]));
    let fresh = |line: &str| {
        let json = line.strip_prefix("emberwatch/1/demo/b1/device/bms-1/data ")?;
        let json: Value = serde_json::from_str(json).ok()?;
        json["points"]["cell-temp-max"]["v"].as_f64()
    };
    let hottest = || heard.out().lines().find_map(fresh);
    let hottest = until(|| format!("device data; heard:\n{}\n{}", heard.out(), heard.err()), hottest);
    assert!((15.0..30.0).contains(&hottest), "{hottest} degC in a calm room");

    let out = demo.ends_well_and_leaves_nothing();
    let took = clock::uptime().since(demo.begun);
    assert!(Millis::from_secs(5) <= took && took < Millis::from_secs(8), "took {took}");
    assert!(out.contains("The story `cell-fire`"), "{out}");
    assert!(out.contains("cell 7 of rack 1 shorts inside"), "{out}");
}

#[test]
fn the_fire_ends_done_and_verified() {
    let mut demo = Demo::start(&["--speed", "6", "--for", "25s"]);
    demo.program.line("cut-rack-1: done and verified");
    let cut = |state: &Value| state["sequences"]["cut-rack-1"]["state"] == "done";
    let end = until(|| "the page to say so".to_owned(), || state(demo.page()).filter(cut));
    assert_eq!(end["points"]["bms-1/contactor"]["label"], "open");
    assert_eq!(end["points"]["bms-2/contactor"]["label"], "closed", "the other rack carries the load");
    // Registers 4 and 14, by another's eyes.
    assert_eq!(mbpoll(demo.modbus(), 1, "4", 4, 1), [0], "no current");
    assert_eq!(mbpoll(demo.modbus(), 1, "4", 14, 1), [0], "contactor open");
    assert_eq!(mbpoll(demo.modbus(), 40, "0", 1, 3), [0, 0, 0], "no breaker was needed");
    demo.press("q");
    demo.ends_well_and_leaves_nothing();
}

#[test]
fn the_key_a_in_the_countdown_aborts_and_no_coil_is_written() {
    let mut demo = Demo::start(&["--speed", "6", "--for", "25s"]);
    demo.program.line("cut-rack-1: the countdown of");
    demo.press("a");
    demo.program.line("cut-rack-1: aborted by terminal");
    let aborted = until(
        || "the page to say so".to_owned(),
        || state(demo.page()).filter(|state| state["sequences"]["cut-rack-1"]["state"] == "aborted"),
    );
    assert_eq!(aborted["points"]["bms-1/contactor"]["label"], "closed");
    // Past the moment at which the countdown would have ended: the story's last second, hastened.
    let after = Millis(62_000 / 6);
    let over = || (after <= clock::uptime().since(demo.begun)).then_some(());
    until(|| format!("{after} within {DEADLINE}"), over);
    assert_eq!(mbpoll(demo.modbus(), 1, "0", 1, 2), [1, 1], "charging and contactor as before");
    assert_eq!(mbpoll(demo.modbus(), 40, "0", 1, 3), [0, 0, 0], "no breaker was tripped");
    demo.press("q");
    let out = demo.ends_well_and_leaves_nothing();
    assert!(!out.contains("is commanded"), "{out}");
}

#[test]
fn false_smoke_warns_and_never_cuts() {
    let mut demo = Demo::start(&["--scenario", "false-smoke", "--speed", "6", "--for", "5s"]);
    let out = demo.ends_well_and_leaves_nothing();
    assert!(out.contains("Rack 1: WARNING"), "{out}");
    assert!(!out.contains("the countdown of") && !out.contains("is commanded"), "{out}");
}

#[test]
fn a_stuck_contactor_ends_with_the_breaker_tripped() {
    let mut demo = Demo::start(&["--scenario", "stuck-contactor", "--speed", "6", "--for", "25s"]);
    demo.program.line("stage 2 of 3 (Open string contactor) failed");
    demo.program.line("stage 3 of 3 (Trip rack breaker) is verified");
    demo.program.line("cut-rack-1: done and verified");
    assert_eq!(mbpoll(demo.modbus(), 1, "4", 14, 1), [1], "the contactor is welded");
    assert_eq!(mbpoll(demo.modbus(), 40, "1", 1, 3), [0, 1, 1], "only rack 1's breaker is open");
    demo.press("q");
    demo.ends_well_and_leaves_nothing();
}

#[test]
fn the_daemon_shows_a_value_within_two_seconds_of_its_start() {
    let dir = TempDir::new().expect("a directory");
    let room = Room::start(dir.path(), &[]);
    let page = free_port();
    let config = shipped_with(dir.path(), room.port, page);
    let begun = clock::uptime();
    let mut daemon = Daemon::start(dir.path(), &config, page);
    let took = first_value_after(begun, page);
    assert!(took < FIRST_VALUE_MAX, "the first value came after {took}");
    let (code, took) = daemon.program.terminate();
    assert!(code == 0 && took < Millis::from_secs(2), "ended with {code} after {took}");
}

/// The annotated example, on free ports.
fn shipped_with(dir: &Path, modbus: u16, page: u16) -> std::path::PathBuf {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/emberwatch.toml");
    let text = std::fs::read_to_string(example).expect("shipped");
    let text = text
        .replace("127.0.0.1:1502\"", &format!("127.0.0.1:{modbus}\""))
        .replace("127.0.0.1:1503\"", &format!("127.0.0.1:{modbus}\""))
        .replace("127.0.0.1:8080\"", &format!("127.0.0.1:{page}\""))
        .replace("port = 1883 ", &format!("port = {} ", free_port()))
        .replace("\"/var/lib/emberwatch\"", &format!("\"{}\"", dir.join("state").display()));
    let path = dir.join("emberwatch.toml");
    std::fs::write(&path, text).expect("written");
    path
}

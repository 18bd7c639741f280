//! `probe` shows what is in the registers, and its exit code says what to think of it.

use std::path::{Path, PathBuf};

use super::box_plant::{Plan, Plant};
use super::program::{emberwatch, finish, free_port};
use super::simulate::{Room, mbpoll};

/// The demonstration's configuration, for a room on another port.
fn demo_config(dir: &Path, port: u16) -> PathBuf {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("config/demo.toml"));
    let here = format!("127.0.0.1:{port}");
    let text = text.expect("shipped").replace("127.0.0.1:1502", &here).replace("127.0.0.1:1503", &here);
    let path = dir.join("demo.toml");
    std::fs::write(&path, text).expect("written");
    path
}

fn probe(device: &str, config: &Path) -> (i32, String, String) {
    finish(&mut emberwatch(&["probe", device, "--config", &config.display().to_string()]))
}

/// The cells of the row of a point.
fn row<'a>(table: &'a str, point: &str) -> Vec<&'a str> {
    let line = table.lines().find(|line| line.split_whitespace().next() == Some(point));
    let line = line.unwrap_or_else(|| panic!("no row {point} in\n{table}"));
    line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect()
}

#[test]
fn the_table_shows_words_values_units_and_quality() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let room = Room::start(dir.path(), &[]);
    let config = demo_config(dir.path(), room.port);
    let (code, out, err) = probe("bms-1", &config);
    assert_eq!(code, 0, "{out}{err}");
    assert!(err.contains("47 of 47 points good"), "{err}");
    assert_eq!(row(&out, "point"), ["point", "table", "address", "raw", "value", "unit", "quality"]);
    assert_eq!(row(&out, "contactor"), ["contactor", "holding", "13", "0001", "1 (closed)", "good"]);
    let hottest = row(&out, "cell-temp-max");
    let raw = u16::from_str_radix(hottest[3], 16).expect("a hexadecimal word");
    let value: f64 = hottest[4].parse().expect("a number");
    assert!((f64::from(raw) * 0.1 - value).abs() < 1e-6, "{hottest:?}");
    assert!((15.0..30.0).contains(&value), "{hottest:?}");
    assert_eq!(hottest[5..], ["°C", "good, in range"]);
    // Nothing was written by looking.
    assert_eq!(mbpoll(room.port, 1, "0", 1, 2), [1, 1]);

    let (code, out, err) = probe("gas-1", &config);
    assert_eq!(code, 0, "{out}{err}");
    assert_eq!(row(&out, "concentration")[3].len(), 9, "two words: {out}");
}

#[test]
fn no_device_of_that_name_is_wrong_use_and_names_those_there_are() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let (code, _, err) = probe("bms-9", &demo_config(dir.path(), free_port()));
    assert_eq!(code, 2, "{err}");
    assert!(err.contains("bms-9") && err.contains("bms-1, bms-2, ups-1, relay-1, gas-1, smoke-1"), "{err}");
}

#[test]
fn nobody_at_the_address_is_unavailable() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let (code, out, err) = probe("smoke-1", &demo_config(dir.path(), free_port()));
    assert_eq!(code, 69, "{err}");
    assert!(row(&out, "alarms").contains(&"–"), "unknown is never zero: {out}");
}

#[test]
fn a_value_out_of_its_range_is_a_no() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut plant = Plant::start(dir.path(), "never");
    let config = Plan::new(plant.port, free_port()).write(dir.path());
    assert_eq!(probe("box-1", &config).0, 0);
    plant.gas_pct_lfl(300);
    let (code, out, err) = probe("box-1", &config);
    assert_eq!(code, 1, "{out}{err}");
    assert!(err.contains("2 of 3 points good"), "{err}");
    assert!(row(&out, "gas").last().is_some_and(|quality| quality.contains("out of range")), "{out}");
}

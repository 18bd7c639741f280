//! `simulate` serves its room to Modbus clients that nobody here wrote.

use std::path::Path;
use std::process::Command;

use super::program::{Program, emberwatch, finish, peer, python, until};

/// A served room.
pub(crate) struct Room {
    _program: Program,
    pub(crate) port: u16,
}

impl Room {
    pub(crate) fn start(dir: &Path, more: &[&str]) -> Self {
        let mut command = emberwatch(&["simulate", "--listen", "127.0.0.1:0"]);
        let program = Program::start(dir, "simulate", command.args(more));
        let port = until(
            || format!("the room; stderr:\n{}", program.err()),
            || {
                let text = program.err();
                let (_, rest) = text.split_once("Modbus TCP on 127.0.0.1:")?;
                rest.split_once(':')?.0.parse().ok()
            },
        );
        Self { _program: program, port }
    }
}

/// Reads by mbpoll: one value a line, `[1]:  0x0001`. `table` is mbpoll's type, `first` counts from one.
pub(crate) fn mbpoll(port: u16, unit: u8, table: &str, first: u16, count: u16) -> Vec<u32> {
    let (port, unit) = (port.to_string(), unit.to_string());
    let (first, count) = (first.to_string(), count.to_string());
    let mut command = Command::new(peer("mbpoll"));
    command.args(["-m", "tcp", "-1", "-o", "5", "-p", &port, "-a", &unit, "-t", table]);
    let (code, out, err) = finish(command.args(["-r", &first, "-c", &count, "127.0.0.1"]));
    assert_eq!(code, 0, "{out}{err}");
    let values = out.lines().filter_map(|line| line.strip_prefix('[')?.split_once("]:"));
    values
        .map(|(_, value)| match value.trim().strip_prefix("0x") {
            Some(hex) => u32::from_str_radix(hex, 16).expect("a hexadecimal word"),
            None => value.trim().parse().expect("a number"),
        })
        .collect()
}

#[test]
fn mbpoll_reads_the_rack_and_opens_its_contactor() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let room = Room::start(dir.path(), &[]);
    let before = mbpoll(room.port, 1, "4:hex", 1, 15);
    assert_eq!(before.len(), 15);
    assert_eq!(before[13], 1, "the contactor is closed");
    assert!(0 < before[3], "it charges");

    let port = room.port.to_string();
    let mut write = Command::new(peer("mbpoll"));
    write.args(["-m", "tcp", "-a", "1", "-t", "0", "-r", "2", "-p", &port, "127.0.0.1", "0"]);
    let (code, out, err) = finish(&mut write);
    assert!(code == 0 && out.contains("Written 1 references"), "{out}{err}");

    let opened = |words: &Vec<u32>| words[13] == 0;
    let after = until(
        || "the contactor to open".to_owned(),
        || Some(mbpoll(room.port, 1, "4:hex", 1, 15)).filter(opened),
    );
    assert_eq!(after[3], 0, "no current through an open contactor");
}

#[test]
fn pymodbus_reads_all_four_tables_writes_a_coil_and_is_told_what_is_outside() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let room = Room::start(dir.path(), &[]);
    let (code, out, err) = finish(python("client.py").arg(room.port.to_string()));
    assert_eq!(code, 0, "{out}{err}");
    let lines: Vec<&str> = out.lines().collect();
    let numbers = |line: usize, name: &str| -> Vec<u32> {
        let rest = lines[line].strip_prefix(name).unwrap_or_else(|| panic!("{name} in {}", lines[line]));
        rest.split_whitespace().map(|word| word.parse().expect("a number")).collect()
    };
    assert_eq!(numbers(0, "holding ").len(), 15);
    assert_eq!(numbers(1, "input ")[0], 1, "the gas detector is in service");
    assert_eq!(
        numbers(2, "discrete "),
        [1, 1, 1, 1, 1, 0, 0, 0],
        "three breakers and two infeeds are closed"
    );
    assert_eq!(numbers(3, "coils-before "), [0; 8]);
    assert_eq!(lines[4..7], ["outside exception 2", "nobody exception 11", "written 1"]);
    assert_eq!(numbers(7, "coils-after "), [0, 0, 0, 0, 0, 0, 1, 0]);
    assert_eq!(lines[8], "write-outside exception 2");
}

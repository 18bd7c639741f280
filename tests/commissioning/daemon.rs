//! Asking a running daemon: its links belong to it, and what it heard can be had.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::bench::Room;
use crate::program::{Program, emberwatch, finish, peer, until};

/// A daemon that watches rack 1 of the room by this link.
pub(crate) struct Daemon {
    pub(crate) program: Program,
    config: PathBuf,
    socket: PathBuf,
}

impl Daemon {
    fn start(dir: &Path, link: &str) -> Self {
        Self::start_with(dir, link, "")
    }

    /// The same, with more of a configuration at the end.
    pub(crate) fn start_with(dir: &Path, link: &str, more: &str) -> Self {
        let state = dir.join("state");
        std::fs::create_dir(&state).expect("a new folder");
        let text = format!(
            "state_dir = \"{}\"\n[site]\nid = \"s\"\ngateway = \"g\"\n[[room]]\nid = \"r\"\n\
             [[zone]]\nid = \"z\"\nroom = \"r\"\n\
             [[link]]\nid = \"bus\"\ntimeout = \"500ms\"\nconnect_timeout = \"2s\"\n{link}\n\
             [[device]]\nid = \"bms-1\"\nzone = \"z\"\nlink = \"bus\"\nunit = 1\nprofile = \"sim-bms\"\n\
             scan = {{ fast = \"500ms\", slow = \"1s\" }}\n{more}",
            state.display()
        );
        let config = dir.join("site.toml");
        std::fs::write(&config, text).expect("written");
        let run = &mut emberwatch(&["run", "--config", &config.display().to_string()]);
        let program = Program::start(dir, "run", run);
        let socket = state.join("control.sock");
        until(|| program.err(), || socket.exists().then_some(()));
        Self { program, config, socket }
    }

    /// Asks with the socket named.
    pub(crate) fn ask(&self, args: &[&str]) -> (i32, String, String) {
        finish(emberwatch(args).args(["--socket", &self.socket.display().to_string()]))
    }
}

#[test]
fn scan_and_probe_go_through_the_daemon_that_owns_the_address() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let room = Room::start(dir.path());
    let mut daemon = Daemon::start(dir.path(), &format!("tcp = {{ address = \"{}\" }}", room.tcp));
    let mode = std::fs::metadata(&daemon.socket).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o660);

    let target = format!("tcp://{}", room.tcp);
    let (code, out, err) = daemon.ask(&["scan", &target, "--units", "1,2,20"]);
    assert_eq!(code, 0, "{out}{err}");
    assert!(err.contains("the running daemon owns") && err.contains("3 units found"), "{err}");

    let config = daemon.config.display().to_string();
    let (code, out, err) = finish(&mut emberwatch(&["probe", "bms-1", "--config", &config, "--frames"]));
    assert_eq!(code, 0, "{out}{err}");
    assert!(err.contains("the running daemon owns") && err.contains("47 of 47"), "{err}");
    assert!(out.contains("→ sent") && out.contains("← came"), "{out}");

    // The log knows who asked; the socket goes with the daemon.
    assert!(daemon.program.err().contains("local client"), "{}", daemon.program.err());
    assert_eq!(daemon.program.terminate().0, 0);
    assert!(!daemon.socket.exists());
    let (code, _, err) = finish(&mut emberwatch(&["probe", "bms-1", "--config", &config]));
    assert!(code == 0 && !err.contains("running daemon"), "{err}");
}

/// The fields of all packets that this filter lets through.
fn tshark(file: &Path, more: &[&str], fields: &[&str]) -> Vec<String> {
    let mut command = Command::new(peer("tshark"));
    command.arg("-r").arg(file).args(more).args(["-Y", "modbus", "-T", "fields"]);
    for field in fields {
        command.args(["-e", field]);
    }
    let (code, out, err) = finish(&mut command);
    assert_eq!(code, 0, "{out}{err}");
    out.lines().map(str::to_owned).collect()
}

/// Saves three seconds of the daemon's link.
fn captured(dir: &Path, daemon: &Daemon) -> PathBuf {
    let file = dir.join("bus.pcap");
    let out = file.display().to_string();
    let (code, _, err) = daemon.ask(&["capture", "--link", "bus", "--for", "3s", "--out", &out]);
    assert_eq!(code, 0, "{err}");
    let (code, _, err) = daemon.ask(&["capture", "--link", "bus", "--for", "0s", "--out", &out]);
    assert!(code == 73 && err.contains("cannot write"), "{code} {err}");
    let (code, _, err) = daemon.ask(&["capture", "--link", "attic", "--for", "0s", "--out", "/dev/null/x"]);
    assert!(code == 2 && err.contains("there are: bus"), "{code} {err}");
    file
}

#[test]
fn tshark_decodes_what_passed_a_tcp_link() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let room = Room::start(dir.path());
    let daemon = Daemon::start(dir.path(), &format!("tcp = {{ address = \"{}\" }}", room.tcp));
    let file = captured(dir.path(), &daemon);
    let check = ["-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE"];
    let lines = tshark(
        &file,
        &check,
        &[
            "mbtcp.unit_id",
            "modbus.func_code",
            "tcp.checksum.status",
            "ip.checksum.status",
            "tcp.analysis.flags",
        ],
    );
    assert!(8 < lines.len(), "{lines:?}");
    for line in &lines {
        assert_eq!(line.trim_end(), "1\t3\t1\t1", "unit, function, both checksums, nothing amiss");
    }
}

#[test]
fn tshark_decodes_what_passed_a_serial_line() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let room = Room::start(dir.path());
    let link = format!(
        "serial = {{ path = \"{}\", baud = 115200, parity = \"none\", stop_bits = 1 }}",
        room.port.display()
    );
    let daemon = Daemon::start(dir.path(), &link);
    let port = room.port.display().to_string();
    let (code, _, err) = daemon.ask(&["scan", &port, "--units", "1,2"]);
    assert!(code == 0 && err.contains("the running daemon owns"), "{err}");
    let file = captured(dir.path(), &daemon);
    let lines = tshark(&file, &["-d", "rtacser.data,mbrtu"], &["mbrtu.unit_id", "modbus.func_code"]);
    let of_rack = lines.iter().filter(|line| line.as_str() == "1\t3").count();
    assert!(8 < of_rack, "{lines:?}");
}

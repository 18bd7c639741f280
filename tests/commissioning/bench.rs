//! The simulated room, on all its ways in, and commands that are asked about it.

use std::path::{Path, PathBuf};

use crate::program::{Program, emberwatch, finish, until};

/// A room that is served on TCP, as RTU in TCP and on a pseudo terminal.
pub(crate) struct Room {
    program: Program,
    pub(crate) tcp: String,
    pub(crate) rtu_over_tcp: String,
    pub(crate) port: PathBuf,
}

impl Room {
    pub(crate) fn start(dir: &Path) -> Self {
        let port = dir.join("bus");
        let serial = port.display().to_string();
        let mut command =
            emberwatch(&["simulate", "--listen", "127.0.0.1:0", "--rtu-over-tcp", "127.0.0.1:0"]);
        let program = Program::start(dir, "simulate", command.args(["--pty", &serial, "--baud", "115200"]));
        let after = |text: &str| {
            let failure = || format!("`{text}`; stderr:\n{}", program.err());
            until(failure, || {
                let err = program.err();
                let (_, rest) = err.split_once(text)?;
                // `127.0.0.1:1502: units …`
                let (address, _) = rest.split_once(' ')?;
                Some(address.trim_end_matches(':').to_owned())
            })
        };
        let (tcp, rtu_over_tcp) = (after("Modbus TCP on "), after("RTU in TCP on "));
        until(|| "the pseudo terminal".to_owned(), || port.exists().then_some(()));
        Self { program, tcp, rtu_over_tcp, port }
    }

    pub(crate) fn stop(mut self) {
        assert_eq!(self.program.terminate().0, 0, "{}", self.program.err());
        assert!(!self.port.exists(), "the link to the pseudo terminal goes with it");
    }
}

/// Runs emberwatch to its end, with no daemon to be found: exit code, stdout, stderr.
pub(crate) fn alone(dir: &Path, args: &[&str]) -> (i32, String, String) {
    let nowhere = dir.join("no-daemon.sock").display().to_string();
    finish(emberwatch(args).args(["--socket", &nowhere]))
}

/// The columns of each line that holds this text.
pub(crate) fn rows<'a>(out: &'a str, text: &str) -> Vec<Vec<&'a str>> {
    let cells = |line: &'a str| line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect();
    out.lines().filter(|line| line.contains(text)).map(cells).collect()
}

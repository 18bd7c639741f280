//! A daemon under test and the peers around it.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use super::program::{Program, emberwatch, free_port, peer, until};

/// `emberwatch run`, seen through its page.
pub(crate) struct Daemon {
    pub(crate) program: Program,
    pub(crate) page: u16,
}

impl Daemon {
    pub(crate) fn start(dir: &Path, config: &Path, page: u16) -> Self {
        let config = config.display().to_string();
        let program = Program::start(dir, "run", &mut emberwatch(&["run", "--config", &config]));
        Self { program, page }
    }

    /// Waits until the state of everything is as wanted, and returns it.
    pub(crate) fn until(&self, what: &str, is: impl Fn(&Value) -> bool) -> Value {
        let failure = || {
            format!(
                "{what}; state:\n{:#}\nlog:\n{}",
                state(self.page).unwrap_or_default(),
                self.program.err()
            )
        };
        until(failure, || state(self.page).filter(&is))
    }

    pub(crate) fn until_cut_is(&self, word: &str) -> Value {
        self.until(&format!("the cut to be {word}"), |state| state["sequences"]["cut"]["state"] == word)
    }

    pub(crate) fn until_calm(&self) -> Value {
        self.until("the first readings", |state| state["points"]["box-1/contactor"]["v"] == 1.0)
    }
}

/// What `GET /api/v1/state` says; `None` while nobody answers.
pub(crate) fn state(page: u16) -> Option<Value> {
    let mut stream = TcpStream::connect(("127.0.0.1", page)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    write!(stream, "GET /api/v1/state HTTP/1.1\r\nHost: 127.0.0.1:{page}\r\nConnection: close\r\n\r\n")
        .ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    serde_json::from_str(body).ok()
}

/// A mosquitto of our own, and one who listens to all of it.
pub(crate) struct Mosquitto {
    pub(crate) broker: Program,
    pub(crate) heard: Program,
    pub(crate) port: u16,
}

impl Mosquitto {
    pub(crate) fn start(dir: &Path) -> Self {
        let port = free_port();
        let own = if rustix::process::geteuid().is_root() { "user root\n" } else { "" };
        let config = dir.join("mosquitto.conf");
        let text = format!("{own}listener {port} 127.0.0.1\nallow_anonymous true\n");
        std::fs::write(&config, text).expect("written");
        let broker = Program::start(dir, "mosquitto", Command::new(peer("mosquitto")).arg("-c").arg(config));
        let failure = || format!("mosquitto to listen: {}", broker.err());
        until(failure, || TcpStream::connect(("127.0.0.1", port)).ok());
        let mut listener = Command::new(peer("mosquitto_sub"));
        listener.args(["-h", "127.0.0.1", "-p", &port.to_string(), "-t", "emberwatch/#", "-v"]);
        let heard = Program::start(dir, "mosquitto_sub", &mut listener);
        Self { broker, heard, port }
    }

    /// The `[mqtt]` table for this broker.
    pub(crate) fn table(&self) -> String {
        format!("\n[mqtt]\nhost = \"127.0.0.1\"\nport = {}\n", self.port)
    }
}

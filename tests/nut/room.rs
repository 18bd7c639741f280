//! A battery box that feeds row 1 by feed a, a second zone with feed b, and the daemon that shows both as UPSs.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::bench::Daemon;
use super::box_plant::{Plan, Plant};
use super::program::{finish, free_port, peer, until};

pub(crate) const PASSWORD: &str = "correct-horse";
const TOKEN: &str = "kim-has-a-long-token";

/// The box, the daemon, and where they are.
pub(crate) struct Room {
    pub(crate) plant: Plant,
    pub(crate) daemon: Daemon,
    pub(crate) nut: u16,
    page: u16,
    config: PathBuf,
    dir: PathBuf,
}

impl Room {
    /// `more`: further keys of `[nut]`.
    pub(crate) fn start(dir: &Path, mode: &str, countdown: &str, more: &str) -> Self {
        Self::start_with(dir, mode, countdown, more, "")
    }

    /// The same, with further keys of the stage.
    pub(crate) fn start_with(dir: &Path, mode: &str, countdown: &str, more: &str, stage: &str) -> Self {
        let plant = Plant::start(dir, "0.2");
        let (page, nut) = (free_port(), free_port());
        let (password, token) = (dir.join("password"), dir.join("token"));
        secret(&password, PASSWORD);
        secret(&token, TOKEN);
        let tables = TABLES
            .replace("NUT_PORT", &nut.to_string())
            .replace("MORE", more)
            .replace("PASSWORD_FILE", &password.display().to_string());
        let plan = Plan { mode, countdown, more: tables, ..Plan::new(plant.port, page) };
        let config = plan.write(dir);
        let text = std::fs::read_to_string(&config).expect("written");
        let operator = format!(
            "[[web.operator]]\nname = \"kim\"\ntoken = {{ file = \"{}\" }}\n\n[log]",
            token.display()
        );
        let text = text.replacen("delay = \"0s\"\n", &format!("delay = \"0s\"\n{stage}\n"), 1);
        let text = text.replace("cuts = \"battery\"", "cuts = [\"row-1/a\"]").replace("[log]", &operator);
        std::fs::write(&config, text).expect("written");
        let daemon = Daemon::start(dir, &config, page);
        daemon.until_calm();
        let room = Self { plant, daemon, nut, page, config, dir: dir.to_owned() };
        room.until_status("ups-a", "OL");
        room
    }

    /// The daemon dies as by a power failure, and does not come back.
    pub(crate) fn kill_daemon(&mut self) {
        self.daemon.program.kill();
    }

    /// The daemon starts again.
    pub(crate) fn start_daemon(&mut self) {
        self.daemon = Daemon::start(&self.dir, &self.config, self.page);
    }

    /// What upsc says: exit code and answer.
    pub(crate) fn upsc(&self, ups: &str, variable: &str) -> (i32, String) {
        let target = format!("{ups}@127.0.0.1:{}", self.nut);
        let (code, out, err) = finish(Command::new(peer("upsc")).args([&target, variable]));
        (code, if code == 0 { out.trim().to_owned() } else { err.trim().to_owned() })
    }

    pub(crate) fn status(&self, ups: &str) -> String {
        self.upsc(ups, "ups.status").1
    }

    pub(crate) fn until_status(&self, ups: &str, status: &str) {
        let failure =
            || format!("{ups} to say {status}: {}\n{}", self.status(ups), self.daemon.program.err());
        until(failure, || (self.status(ups) == status).then_some(()));
    }

    /// Says these lines one after the other; returns the last answer.
    pub(crate) fn say(&self, lines: &[&str]) -> String {
        self.say_and_stay(lines).0
    }

    /// The same, and the connection stays as long as it is kept.
    pub(crate) fn say_and_stay(&self, lines: &[&str]) -> (String, BufReader<TcpStream>) {
        let mut stream = BufReader::new(TcpStream::connect(("127.0.0.1", self.nut)).expect("it listens"));
        let mut answer = String::new();
        for line in lines {
            answer.clear();
            writeln!(stream.get_mut(), "{line}").expect("said");
            stream.read_line(&mut answer).expect("answered");
        }
        (answer.trim_end().to_owned(), stream)
    }

    /// How many machines have logged in to a UPS.
    pub(crate) fn logins(&self, ups: &str) -> usize {
        let answer = self.say(&[&format!("GET NUMLOGINS {ups}")]);
        answer.rsplit(' ').next().and_then(|number| number.parse().ok()).expect("a number")
    }

    /// Asks for something about the sequence, as its operator.
    pub(crate) fn ask(&self, verb: &str) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.page)).expect("the page listens");
        let head = format!(
            "POST /api/v1/sequences/cut/{verb} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nAuthorization: Bearer {TOKEN}\r\n\
             Content-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{{}}",
            self.page
        );
        stream.write_all(head.as_bytes()).expect("asked");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("answered");
        assert!(answer.starts_with("HTTP/1.1 200"), "{verb}: {answer}");
    }
}

fn secret(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::write(path, text).expect("written");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).expect("our own file");
}

const TABLES: &str = r#"
[[zone]]
id = "rack-2"
room = "b1"

[[load_group]]
id = "row-1"
[[load_group.feed]]
id = "a"
alive = [{ point = "box-1/contactor", is = "closed" }]
[[load_group.feed]]
id = "b"
alive = [{ point = "box-1/temp", at_least = "-40 degC" }]

[nut]
listen = "127.0.0.1:NUT_PORT"
MORE

[[nut.user]]
name = "primary"
password = { file = "PASSWORD_FILE" }
role = "primary"

[[nut.user]]
name = "secondary"
password = { file = "PASSWORD_FILE" }
role = "secondary"

[[nut.ups]]
id = "ups-a"
desc = "Row 1, feed a"
device = "box-1"
feeds = ["row-1/a"]
variables = { "battery.temperature" = "box-1/temp" }
status = { BYPASS = { point = "box-1/contactor", is = "open" } }

[[nut.ups]]
id = "ups-b"
zone = "rack-2"
feeds = ["row-1/b"]
variables = { "battery.temperature" = "box-1/temp" }
"#;

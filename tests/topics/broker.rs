//! Mosquitto with the shipped access list, one who may hear and say everything, and a link that can be cut.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use super::program::{Program, finish, free_port, peer, until};

/// The broker, and what was heard of it.
pub(crate) struct Mosquitto {
    _broker: Program,
    pub(crate) heard: Program,
    port: u16,
    pub(crate) link: Link,
    password: String,
}

impl Mosquitto {
    pub(crate) fn start(dir: &Path) -> Self {
        let port = free_port();
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/mosquitto/acl");
        let acl = std::fs::read_to_string(shipped).expect("shipped").replace("/example/", "/test/");
        std::fs::write(
            dir.join("acl"),
            format!("{acl}\nuser emberwatch\ntopic write console/#\nuser test\ntopic readwrite #\n"),
        )
        .expect("written");
        std::fs::write(dir.join("passwords"), "emberwatch:ember\ntest:test\n").expect("written");
        let (code, _, err) =
            finish(Command::new(peer("mosquitto_passwd")).arg("-U").arg(dir.join("passwords")));
        assert_eq!(code, 0, "{err}");
        let own = if rustix::process::geteuid().is_root() { "user root\n" } else { "" };
        let config = dir.join("mosquitto.conf");
        let text = format!(
            "{own}allow_anonymous false\npassword_file {0}/passwords\nacl_file {0}/acl\nlistener {port} 127.0.0.1\n",
            dir.display()
        );
        std::fs::write(&config, text).expect("written");
        let broker = Program::start(dir, "mosquitto", Command::new(peer("mosquitto")).arg("-c").arg(config));
        let failure = || format!("mosquitto to listen: {}", broker.err());
        until(failure, || TcpStream::connect(("127.0.0.1", port)).ok());
        let mut listener = as_test("mosquitto_sub", port);
        listener.args(["-q", "1", "--retain-as-published", "-F", "%t\t%q\t%r\t%E\t%p"]);
        listener.args(["-t", "emberwatch/#", "-t", "homeassistant/#", "-t", "console/#", "-t", "mark"]);
        let heard = Program::start(dir, "mosquitto_sub", &mut listener);
        let password = dir.join("password");
        std::fs::write(&password, "ember").expect("written");
        std::fs::set_permissions(&password, std::fs::Permissions::from_mode(0o600)).expect("private");
        let all = Self {
            _broker: broker,
            heard,
            port,
            link: Link::to(port),
            password: password.display().to_string(),
        };
        // It hears itself: it is subscribed.
        until(
            || "the listener".to_owned(),
            || {
                all.say("mark", "begin", false);
                all.heard.out().contains("mark").then_some(())
            },
        );
        all
    }

    /// The `[mqtt]` table for it, by the link that can be cut.
    pub(crate) fn table(&self) -> String {
        format!(
            "\n[mqtt]\nhost = \"127.0.0.1\"\nport = {}\nkeep_alive = \"5s\"\n\
             login = {{ user = \"emberwatch\", password = {{ file = \"{}\" }} }}\n\
             [mqtt.homeassistant]\nenable = true\n",
            self.link.port, self.password
        )
    }

    pub(crate) fn say(&self, topic: &str, payload: &str, retain: bool) {
        let mut command = as_test("mosquitto_pub", self.port);
        command.args(["-q", "1", "-t", topic, "-m", payload]);
        if retain {
            command.arg("-r");
        }
        let (code, out, err) = finish(&mut command);
        assert_eq!(code, 0, "{out}{err}");
    }

    /// Says something with these further options of `mosquitto_pub`.
    pub(crate) fn say_with(&self, topic: &str, payload: &str, options: &[String]) {
        let mut command = as_test("mosquitto_pub", self.port);
        command.args(["-q", "1", "-t", topic, "-m", payload]).args(options);
        let (code, out, err) = finish(&mut command);
        assert_eq!(code, 0, "{out}{err}");
    }

    /// Waits for a message that was heard after the last mark.
    pub(crate) fn until(&self, topic: &str, holds: &[&str]) {
        let is = |line: &str| {
            let (heard, rest) = line.split_once('\t').unwrap_or_default();
            heard.ends_with(topic) && holds.iter().all(|text| rest.contains(text))
        };
        let failure =
            || format!("{holds:?} on {topic}; heard since the mark:\n{}", since_mark(&self.heard.out()));
        until(failure, || since_mark(&self.heard.out()).lines().any(is).then_some(()));
    }

    pub(crate) fn mark(&self, name: &str) {
        self.say("mark", name, false);
        self.heard.line(&format!("\t{name}"));
    }
}

fn since_mark(out: &str) -> String {
    let lines: Vec<&str> = out.lines().collect();
    let begin = lines.iter().rposition(|line| line.starts_with("mark\t")).unwrap_or(0);
    lines[begin..].join("\n")
}

fn as_test(program: &str, port: u16) -> Command {
    let mut command = Command::new(peer(program));
    command.args(["-V", "5", "-h", "127.0.0.1", "-p", &port.to_string(), "-u", "test", "-P", "test"]);
    command
}

/// A port that leads to another until it is cut.
pub(crate) struct Link {
    pub(crate) port: u16,
    up: Arc<AtomicBool>,
    sockets: Arc<Mutex<Vec<TcpStream>>>,
}

impl Link {
    /// Its threads end with the test's process.
    fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let own = listener.local_addr().expect("bound").port();
        let (up, sockets) = (Arc::new(AtomicBool::new(true)), Arc::new(Mutex::new(Vec::new())));
        let (is_up, all) = (Arc::clone(&up), Arc::clone(&sockets));
        std::thread::spawn(move || {
            for near in listener.incoming().filter_map(Result::ok).filter(|_| is_up.load(Ordering::SeqCst)) {
                let far = TcpStream::connect(("127.0.0.1", port)).expect("the broker listens");
                for (from, to) in [(&near, &far), (&far, &near)] {
                    let (from, to) = (from.try_clone().expect("a socket"), to.try_clone().expect("a socket"));
                    all.lock().expect("nobody panics with it").push(from.try_clone().expect("a socket"));
                    std::thread::spawn(move || pass_on(from, to));
                }
            }
        });
        Self { port: own, up, sockets }
    }

    pub(crate) fn cut(&self) {
        self.up.store(false, Ordering::SeqCst);
        for socket in self.sockets.lock().expect("nobody panics with it").drain(..) {
            let _may_be_closed_already = socket.shutdown(Shutdown::Both);
        }
    }

    pub(crate) fn mend(&self) {
        self.up.store(true, Ordering::SeqCst);
    }
}

fn pass_on(mut from: TcpStream, mut to: TcpStream) {
    let mut buffer = [0; 16_384];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        if to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    let _may_be_closed_already = to.shutdown(Shutdown::Both);
}

//! A broker, a subscriber and a sink for the tests of MQTT.
//!
//! Broker and subscriber are mosquitto's own programs, so that no mistake of ours agrees with itself.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use emberwatch::clock;
use emberwatch::exchange::{PUBLICATIONS_QUEUED_MAX, Publication};
use emberwatch::safety::fact::{Fact, Input};
use emberwatch::safety::site::{
    Alarm, AlarmSource, Device, DeviceId, DeviceKind, Labels, Point, Room, RoomId, Site, Zone, ZoneId,
};
use emberwatch::sinks::mqtt::options::{MqttOptions, MqttVersion};
use emberwatch::sinks::mqtt::{self, MqttCounters, MqttHandle};
use emberwatch::sinks::spool::SpoolCounters;
use emberwatch::units::{ClockSync, Millis, Unit};
use secrecy::SecretString;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, ChildStdout, Command};
use tokio::sync::{broadcast, mpsc};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

/// Longer than this nothing here takes, unless it fails.
const DEADLINE: Duration = Duration::from_secs(30);

/// Waits until `done`, looking often.
pub(crate) async fn until(what: &str, done: impl Fn() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !done() {
        assert!(Instant::now() < deadline, "waited too long for {what}");
        sleep(Duration::from_millis(5)).await;
    }
}

fn program(name: &str) -> PathBuf {
    let found = ["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin", "/opt/homebrew/bin"]
        .map(|folder| Path::new(folder).join(name))
        .into_iter()
        .find(|path| path.exists());
    found.unwrap_or_else(|| panic!("{name} is missing: install mosquitto and mosquitto-clients, and openssl"))
}

/// Users of the broker and their passwords: those of the shipped access list, and one who may do everything.
const USERS: [(&str, &str); 5] = [
    ("emberwatch", "ember"),
    ("scada", "scada"),
    ("console", "console"),
    ("homeassistant", "home"),
    ("test", "test"),
];

/// As the user who may do everything.
const AS_TEST: [&str; 4] = ["-u", "test", "-P", "test"];

/// What `test` and, in front of it, somebody else may do.
fn with_test(rules: &str) -> String {
    format!("{rules}\nuser test\ntopic readwrite #\n")
}

/// The access list as shipped, for the site of these tests.
fn shipped_acl() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/mosquitto/acl");
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.contains("/example/"), "the site's id is to be replaced");
    text.replace("/example/", "/s1/")
}

/// The shipped settings of the broker, but for files and listeners, which are those of the test.
fn shipped_settings(folder: &Path) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/mosquitto/emberwatch.conf");
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.contains("allow_anonymous false\n"), "nobody stays unnamed");
    let of_test = ["listener", "#", "max_queued_messages"];
    let kept = text.lines().filter(|line| !of_test.iter().any(|word| line.starts_with(word)));
    let folder = format!("{}/", folder.display());
    kept.map(|line| line.replace("/etc/mosquitto/", &folder) + "\n").collect()
}

/// A mosquitto of our own. Killed, by its id, when dropped.
pub(crate) struct Broker {
    pub(crate) port: u16,
    folder: TempDir,
    child: Child,
}

impl Broker {
    /// With the shipped access list: whatever the gateway says in any of these tests, it must be allowed to say.
    pub(crate) async fn start(extra: &str) -> Self {
        Self::begin(&shipped_acl(), extra).await
    }

    /// With these rules for the gateway.
    pub(crate) async fn with_acl(rules: &str) -> Self {
        Self::begin(&format!("user emberwatch\n{rules}"), "").await
    }

    async fn begin(rules: &str, extra: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("emberwatch.acl"), with_test(rules)).unwrap();
        let passwords = folder.path().join("emberwatch.passwd");
        let lines = USERS.map(|(user, word)| format!("{user}:{word}")).join("\n") + "\n";
        std::fs::write(&passwords, lines).unwrap();
        let hashed = Command::new(program("mosquitto_passwd")).arg("-U").arg(&passwords).status();
        assert!(hashed.await.unwrap().success());
        let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let own = if rustix::process::geteuid().is_root() { "user root\n" } else { "" };
        let config = format!(
            "{own}{}listener {port} 127.0.0.1\npersistence_location {}/\n{extra}",
            shipped_settings(folder.path()),
            folder.path().display()
        );
        std::fs::write(folder.path().join("mosquitto.conf"), config).unwrap();
        let child = Self::launch(&folder, port).await;
        Self { port, folder, child }
    }

    async fn launch(folder: &TempDir, port: u16) -> Child {
        let child = Command::new(program("mosquitto"))
            .arg("-c")
            .arg(folder.path().join("mosquitto.conf"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let deadline = Instant::now() + DEADLINE;
        while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            assert!(Instant::now() < deadline, "mosquitto does not listen");
            sleep(Duration::from_millis(10)).await;
        }
        child
    }

    fn signal(&self, signal: rustix::process::Signal) {
        let id = i32::try_from(self.child.id().unwrap()).unwrap();
        rustix::process::kill_process(rustix::process::Pid::from_raw(id).unwrap(), signal).unwrap();
    }

    /// Ends it properly, and starts it anew on the same port.
    pub(crate) async fn restart(&mut self) {
        self.signal(rustix::process::Signal::TERM);
        self.child.wait().await.unwrap();
        self.child = Self::launch(&self.folder, self.port).await;
    }

    /// Kills it.
    pub(crate) async fn kill(&mut self) {
        self.signal(rustix::process::Signal::KILL);
        self.child.wait().await.unwrap();
    }

    /// Lets it stand still, with its sockets open.
    pub(crate) fn freeze(&self) {
        self.signal(rustix::process::Signal::STOP);
    }

    /// Lets it go on.
    pub(crate) fn thaw(&self) {
        self.signal(rustix::process::Signal::CONT);
    }

    /// Opens the access list while it runs.
    pub(crate) fn allow_everything(&self) {
        let rules = with_test("user emberwatch\ntopic readwrite #");
        std::fs::write(self.folder.path().join("emberwatch.acl"), rules).unwrap();
        self.signal(rustix::process::Signal::HUP);
    }
}

/// Publishes one message as somebody else.
pub(crate) async fn publish(broker: &Broker, topic: &str, payload: &str, retain: bool) {
    let mut command = Command::new(program("mosquitto_pub"));
    let port = broker.port.to_string();
    command.args(["-V", "5", "-q", "1", "-h", "127.0.0.1", "-p", &port, "-t", topic]).args(AS_TEST);
    command.arg(if payload.is_empty() { "-n" } else { "-s" });
    if retain {
        command.arg("-r");
    }
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(payload.as_bytes()).await.unwrap();
    assert!(child.wait().await.unwrap().success());
}

/// What mosquitto_pub, as this user or as nobody, says to a message that it wants acknowledged.
pub(crate) async fn answer_to(broker: &Broker, user: Option<&str>, topic: &str) -> String {
    let port = broker.port.to_string();
    let mut command = Command::new(program("mosquitto_pub"));
    command.args(["-V", "5", "-q", "1", "-h", "127.0.0.1", "-p", &port, "-t", topic, "-m", "{}"]);
    if let Some((user, word)) = USERS.into_iter().find(|known| Some(known.0) == user) {
        command.args(["-u", user, "-P", word]);
    }
    let output = command.stdin(Stdio::null()).output().await.unwrap();
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

/// One message as a subscriber sees it.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) topic: String,
    pub(crate) qos: u8,
    pub(crate) retain: bool,
    pub(crate) expiry: Option<u32>,
    pub(crate) payload: String,
}

/// A subscriber to everything.
pub(crate) struct Listener {
    _child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    unread: Vec<Seen>,
}

impl Listener {
    /// Returns once it is subscribed: it has seen a message that was waiting for it.
    pub(crate) async fn start(broker: &Broker, more: &[&str]) -> Self {
        let port = broker.port.to_string();
        let common = ["-V", "5", "-h", "127.0.0.1", "-p", &port];
        let mark = Command::new(program("mosquitto_pub"))
            .args(common)
            .args(AS_TEST)
            .args(["-r", "-t", "test/ready", "-m", "ready"])
            .status();
        assert!(mark.await.unwrap().success());
        let mut child = Command::new(program("mosquitto_sub"))
            .args(common)
            .args(["-q", "1", "--retain-as-published", "-F", "%t\t%q\t%r\t%E\t%p"])
            .args(AS_TEST)
            .args(["-t", "test/ready", "-t", "emberwatch/#", "-t", "homeassistant/#"])
            .args(more)
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut listener = Self { _child: child, lines, unread: Vec::new() };
        let mut early = Vec::new();
        loop {
            let seen = listener.next().await;
            if seen.topic == "test/ready" {
                break;
            }
            early.push(seen);
        }
        listener.unread = early;
        listener
    }

    async fn next(&mut self) -> Seen {
        let line = timeout(DEADLINE, self.lines.next_line()).await.expect("waited too long for a message");
        let line = line.unwrap().expect("the subscriber ended");
        let mut parts = line.splitn(5, '\t');
        let mut part = || parts.next().unwrap_or_default();
        Seen {
            topic: part().to_owned(),
            qos: part().parse().unwrap(),
            retain: part() == "1",
            expiry: part().parse().ok(),
            payload: part().to_owned(),
        }
    }

    /// The first message like this; others stay for later.
    pub(crate) async fn expect(&mut self, like: impl Fn(&Seen) -> bool) -> Seen {
        if let Some(place) = self.unread.iter().position(&like) {
            return self.unread.remove(place);
        }
        loop {
            let seen = self.next().await;
            if like(&seen) {
                return seen;
            }
            self.unread.push(seen);
        }
    }

    /// Whatever comes in this time.
    pub(crate) async fn gather(&mut self, within: Duration) -> Vec<Seen> {
        let mut all = std::mem::take(&mut self.unread);
        let deadline = Instant::now() + within;
        while let Ok(seen) = tokio::time::timeout_at(deadline, self.next()).await {
            all.push(seen);
        }
        all
    }
}

/// The sink under test, with the safety loop's ends of its queues.
pub(crate) struct Sink {
    speak: broadcast::Sender<Arc<Publication>>,
    told: mpsc::Receiver<Vec<Input>>,
    stop: CancellationToken,
    handle: MqttHandle,
    number: std::sync::atomic::AtomicU64,
}

impl Sink {
    pub(crate) fn start(options: MqttOptions) -> Self {
        let (speak, hearing) = broadcast::channel(PUBLICATIONS_QUEUED_MAX);
        let (inbox, told) = mpsc::channel(16);
        let stop = CancellationToken::new();
        let handle = mqtt::spawn(options, Arc::new(site()), "B1".into(), &[], hearing, inbox, stop.clone());
        Self { speak, told, stop, handle, number: 0.into() }
    }

    pub(crate) fn say(&self, facts: Vec<Fact>) {
        let number = self.number.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1;
        let publication = Publication { number, now: clock::now(), clock: ClockSync::Unknown, facts };
        assert!(self.speak.send(Arc::new(publication)).is_ok());
    }

    pub(crate) fn counters(&self) -> &Arc<MqttCounters> {
        self.handle.counters()
    }

    pub(crate) async fn until_connected(&self) {
        let connected = &self.counters().connected;
        until("a connection", || connected.load(std::sync::atomic::Ordering::Relaxed)).await;
    }

    /// What became of what the spool was given.
    pub(crate) fn spool(&self) -> &Arc<SpoolCounters> {
        self.handle.spool().expect("a spool was asked for")
    }

    /// Whether the core is told nothing about MQTT for a moment.
    pub(crate) async fn quiet(&mut self) -> bool {
        timeout(Duration::from_millis(500), self.told()).await.is_err()
    }

    /// The next fault about MQTT that the core is told.
    pub(crate) async fn told(&mut self) -> Input {
        loop {
            let batch =
                timeout(DEADLINE, self.told.recv()).await.expect("waited too long for a fault").unwrap();
            let mqtt = |it: &Input| {
                matches!(it, Input::System { fault: emberwatch::safety::site::SystemFault::Mqtt, .. })
            };
            if let Some(input) = batch.into_iter().find(mqtt) {
                return input;
            }
        }
    }

    pub(crate) async fn stop(self) {
        self.stop.cancel();
        assert!(self.handle.stopped().await, "no task panicked");
    }
}

pub(crate) fn options(version: MqttVersion, port: u16) -> MqttOptions {
    MqttOptions {
        host: "127.0.0.1".into(),
        port,
        more: Vec::new(),
        client_id: "gw1".into(),
        root: "emberwatch".into(),
        version,
        login: Some(("emberwatch".into(), SecretString::from("ember".to_owned()))),
        tls: None,
        keep_alive: Millis::from_secs(5),
        outbox_max: 10_000,
        spool: None,
        owned_topics: None,
        homeassistant: None,
        commands: None,
    }
}

fn site() -> Site {
    Site {
        name: "s1".into(),
        gateway: "gw1".into(),
        rooms: vec![Room { name: "b1".into(), title: "Room 1".into() }],
        zones: vec![Zone { name: "rack-1".into(), title: "Rack 1".into(), room: RoomId(0) }],
        devices: vec![Device {
            name: "bms-1".into(),
            title: "Battery 1".into(),
            zone: ZoneId(0),
            kind: DeviceKind::Battery,
            points: 0..1,
            silent_after: Millis::from_secs(4),
            switches: false,
        }],
        points: vec![Point {
            name: "cell-temp-max".into(),
            device: DeviceId(0),
            unit: Unit::Celsius,
            period: Millis::from_secs(1),
            stale_after: Millis::from_secs(3),
            range: None,
            fall_per_s_max: None,
            frozen: None,
            labels: Labels::None,
        }],
        alarms: vec![Alarm {
            name: "bms-1-silent".into(),
            room: RoomId(0),
            source: AlarmSource::Silent(DeviceId(0)),
            latched: false,
            message: "Battery 1 does not answer".into(),
            consequence: "Nobody sees it.".into(),
            action: "Look.".into(),
        }],
        ..Site::default()
    }
}

/// A folder with an authority, certificates of a broker on 127.0.0.1 and of a client, and another authority.
pub(crate) fn authority() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let openssl = |line: &str| {
        let mut command = std::process::Command::new(program("openssl"));
        command.args(line.split_whitespace()).current_dir(folder.path());
        let output = command.stdout(Stdio::null()).stderr(Stdio::piped()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    std::fs::write(folder.path().join("san"), "subjectAltName=IP:127.0.0.1\nbasicConstraints=CA:FALSE\n")
        .unwrap();
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2";
    for name in ["ca", "other"] {
        openssl(&format!("req -x509 {key} -keyout {name}.key -out {name}.pem -subj /CN={name}"));
    }
    for name in ["server", "client"] {
        openssl(
            &format!("req {key} -keyout {name}.key -out {name}.csr -subj /CN={name}").replace(" -days 2", ""),
        );
        let sign = "-CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile san";
        openssl(&format!("x509 -req -in {name}.csr -out {name}.pem {sign}"));
    }
    folder
}

/// A broker of three lines that takes any 3.1.1 connection, acknowledges nothing more, and says when bytes
/// arrived.
pub(crate) async fn ears() -> (u16, mpsc::Receiver<Instant>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (tell, arrivals) = mpsc::channel(1024);
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut buffer = vec![0; 65_536];
        let _connect = socket.read(&mut buffer).await.unwrap();
        socket.write_all(&[0x20, 2, 0, 0]).await.unwrap();
        while socket.read(&mut buffer).await.is_ok_and(|count| count > 0) {
            if tell.send(Instant::now()).await.is_err() {
                return;
            }
        }
    });
    (port, arrivals)
}

/// A link to a broker that is cut again and again, after `each` time, in the middle of whatever is under way.
pub(crate) async fn bad_link(broker: u16, each: Duration) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (mut near, _) = listener.accept().await.unwrap();
            // At the end of a test its broker goes first.
            let Ok(mut far) = TcpStream::connect(("127.0.0.1", broker)).await else { return };
            // Whichever way it ends, both sockets are dropped.
            let _ = timeout(each, tokio::io::copy_bidirectional(&mut near, &mut far)).await;
        }
    });
    port
}

/// How much of something, as whoever runs this wants it.
pub(crate) fn from_environment(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().unwrap_or_else(|_| panic!("{name}: {text}")))
}

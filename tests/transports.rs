//! Every transport against servers that no one here wrote: pymodbus over TCP, TLS, RTU in TCP and a serial line.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use emberwatch::clock;
use emberwatch::field::options::{Addresses, Endpoint, Parity, SerialLine, TlsOptions};
use emberwatch::field::pdu::Request;
use emberwatch::field::profile::{Table, Write};
use emberwatch::field::transaction::Line;
use emberwatch::safety::fact::DriveFault;
use emberwatch::safety::reading::ReadFault;
use emberwatch::units::Millis;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

const MISSING: &str = "run ./test once: it installs what the tests need";
const DEADLINE: Duration = Duration::from_secs(20);
const UNIT: u8 = 7;
const WITHIN: Millis = Millis(1000);
const CONNECT: Millis = Millis(3000);
const LINE: SerialLine = SerialLine { baud: 19_200, parity: Parity::None, stop_bits: 1 };

/// A server of `peers/transports.py`, killed by its id when dropped.
struct Server {
    _child: Child,
    says: Lines<BufReader<ChildStdout>>,
    place: String,
}

impl Server {
    async fn start(args: &[&str]) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let python = std::env::var_os("EMBERWATCH_PYTHON")
            .map_or_else(|| root.join("target/peers/bin/python"), PathBuf::from);
        let mut command = Command::new(python);
        command.arg(root.join("tests/peers/transports.py")).args(args);
        let mut child = command.stdout(Stdio::piped()).kill_on_drop(true).spawn().expect(MISSING);
        let says = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut server = Self { _child: child, says, place: String::new() };
        server.place = server.until("listening ").await;
        server
    }

    /// What follows this word in the next line that begins with it.
    async fn until(&mut self, word: &str) -> String {
        let search = async {
            loop {
                let line = self.says.next_line().await.unwrap().expect(MISSING);
                if let Some(rest) = line.strip_prefix(word) {
                    return rest.to_owned();
                }
            }
        };
        timeout(DEADLINE, search).await.expect(word)
    }

    fn addresses(&self) -> Addresses {
        Addresses { primary: format!("127.0.0.1:{}", self.place), backup: None }
    }
}

/// Two pseudo terminals that are wired to each other, as long as it lives.
struct Wire {
    _socat: Child,
    ours: PathBuf,
    theirs: PathBuf,
}

impl Wire {
    async fn lay(folder: &Path) -> Self {
        let (ours, theirs) = (folder.join("ours"), folder.join("theirs"));
        let end = |path: &Path| format!("pty,raw,echo=0,link={}", path.display());
        let mut command = Command::new("socat");
        let socat = command.arg(end(&ours)).arg(end(&theirs)).kill_on_drop(true).spawn().expect(MISSING);
        let begun = clock::uptime();
        while !(ours.exists() && theirs.exists()) {
            assert!(clock::uptime().since(begun) < Millis(5000), "socat lays its wire");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Self { _socat: socat, ours, theirs }
    }

    fn endpoint(&self) -> Endpoint {
        Endpoint::Serial { path: self.ours.clone(), line: LINE, rs485: false }
    }
}

/// Reads, is refused, writes and reads back.
async fn everything_works(endpoint: &Endpoint, server: &mut Server) {
    let mut line = Line::new(endpoint);
    line.connect(CONNECT).await.unwrap();
    for address in 0..40 {
        let words = line.read(UNIT, Table::Holding, address, 5, WITHIN).await;
        let expected: Vec<u16> = (1000 + address..1005 + address).collect();
        assert_eq!(words, Ok(expected));
    }
    let beyond = line.read(UNIT, Table::Holding, 99, 2, WITHIN).await;
    assert_eq!(beyond, Err(ReadFault::Exception(2)));
    assert_eq!(line.read(UNIT, Table::Coil, 0, 9, WITHIN).await, Ok(vec![0; 9]));
    let coil = Write::Coil { address: 3, on: true };
    assert_eq!(line.write(UNIT, &coil, WITHIN).await, Err(DriveFault::NotAllowed));
    line.permit(vec![(UNIT.into(), coil.clone())]);
    assert_eq!(line.write(UNIT, &coil, WITHIN).await, Ok(()));
    assert_eq!(server.until("write ").await, "3 1");
    assert_eq!(line.read(UNIT, Table::Coil, 3, 1, WITHIN).await, Ok(vec![1]));
    // Best effort: what it says it is, in pieces or whole.
    let id = line.ask(UNIT, &Request::DeviceId { level: 1, object: 0 }, WITHIN).await;
    assert!(matches!(id, Ok(_) | Err(ReadFault::Exception(_))), "{id:?}");
}

#[tokio::test]
async fn modbus_tcp_works_with_pymodbus() {
    let mut server = Server::start(&["tcp"]).await;
    everything_works(&Endpoint::Tcp(server.addresses()), &mut server).await;
}

#[tokio::test]
async fn rtu_over_tcp_works_with_pymodbus() {
    let mut server = Server::start(&["rtu-over-tcp"]).await;
    let endpoint = Endpoint::RtuOverTcp { addresses: server.addresses(), line: LINE };
    everything_works(&endpoint, &mut server).await;
}

#[tokio::test]
async fn a_serial_line_works_with_pymodbus_and_is_opened_again_by_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let wire = Wire::lay(folder.path()).await;
    let endpoint = wire.endpoint();
    let mut server = Server::start(&["serial", &wire.theirs.display().to_string(), "19200"]).await;
    everything_works(&endpoint, &mut server).await;

    let mut line = Line::new(&endpoint);
    line.connect(CONNECT).await.unwrap();
    drop((wire, server));
    let begun = clock::uptime();
    while line.is_connected() {
        assert!(clock::uptime().since(begun) < Millis(10_000), "a port that is gone is noticed");
        _ = line.read(UNIT, Table::Holding, 0, 1, Millis(100)).await;
    }
    while folder.path().join("ours").exists() {
        assert!(clock::uptime().since(begun) < Millis(10_000), "socat takes its names away");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let wire = Wire::lay(folder.path()).await;
    let _server = Server::start(&["serial", &wire.theirs.display().to_string(), "19200"]).await;
    line.connect(CONNECT).await.unwrap();
    assert_eq!(line.read(UNIT, Table::Holding, 0, 1, WITHIN).await, Ok(vec![1000]));
}

#[tokio::test]
async fn a_port_that_cannot_switch_rs485_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let wire = Wire::lay(folder.path()).await;
    let endpoint = Endpoint::Serial { path: wire.ours.clone(), line: LINE, rs485: true };
    let refused = Line::new(&endpoint).connect(CONNECT).await.unwrap_err().to_string();
    assert!(refused.contains("rs485 = false"), "{refused}");
}

#[tokio::test]
async fn the_backup_address_is_taken_when_the_first_is_dead_or_mute() {
    let server = Server::start(&["tcp"]).await;
    let backup = Some(server.addresses().primary);
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mute = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    for primary in [nobody, mute.local_addr().unwrap()] {
        let addresses = Addresses { primary: primary.to_string(), backup: backup.clone() };
        let mut line = Line::new(&Endpoint::Tcp(addresses));
        let begun = clock::uptime();
        let words = loop {
            _ = line.connect(Millis(300)).await;
            match line.read(UNIT, Table::Holding, 0, 1, Millis(300)).await {
                Ok(words) => break words,
                Err(_) => assert!(clock::uptime().since(begun) < Millis(5000), "{primary}"),
            }
        };
        assert_eq!(words, [1000]);
    }
}

/// Certificates of a plant, made by openssl.
struct Plant {
    folder: tempfile::TempDir,
}

impl Plant {
    async fn new() -> Self {
        let plant = Self { folder: tempfile::tempdir().unwrap() };
        let extensions = "[server]\nsubjectAltName=DNS:localhost\n[client]\n\
                          1.3.6.1.4.1.50316.802.1=ASN1:UTF8String:Operator\n[plain]\nbasicConstraints=CA:FALSE\n";
        std::fs::write(plant.folder.path().join("extensions"), extensions).unwrap();
        for ca in ["ca", "other"] {
            plant.openssl(&format!(
                "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout {ca}.key -out {ca}.pem \
                 -days 30 -subj /CN={ca}"
            ))
            .await;
        }
        for (name, ca, kind, days) in [
            ("server", "ca", "server", 30),
            ("foreign", "other", "server", 30),
            ("expired", "ca", "server", -1),
            ("client", "ca", "client", 30),
            ("stranger", "other", "client", 30),
            ("roleless", "ca", "plain", 30),
        ] {
            plant.openssl(&format!(
                "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout {name}.key -out {name}.csr -subj /CN={name}"
            ))
            .await;
            plant.openssl(&format!(
                "x509 -req -in {name}.csr -CA {ca}.pem -CAkey {ca}.key -CAcreateserial -out {name}.pem -days {days} \
                 -extfile extensions -extensions {kind}"
            ))
            .await;
        }
        plant
    }

    async fn openssl(&self, args: &str) {
        let mut command = Command::new("openssl");
        command.args(args.split_whitespace()).current_dir(self.folder.path()).stderr(Stdio::null());
        assert!(command.status().await.expect(MISSING).success(), "openssl {args}");
    }

    fn file(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    async fn server(&self, name: &str) -> Server {
        let (certificate, key) = (self.file(&format!("{name}.pem")), self.file(&format!("{name}.key")));
        Server::start(&["tls", &certificate, &key, &self.file("ca.pem")]).await
    }

    fn endpoint(&self, server: &Server, client: &str) -> Endpoint {
        let tls = TlsOptions {
            ca: self.file("ca.pem").into(),
            certificate: self.file(&format!("{client}.pem")).into(),
            key: self.file(&format!("{client}.key")).into(),
            server_name: Some("localhost".to_owned()),
        };
        Endpoint::Tls { addresses: server.addresses(), tls }
    }
}

#[tokio::test]
async fn x12_modbus_security_works_with_pymodbus_and_asks_nobody_it_does_not_trust() {
    let plant = Plant::new().await;
    let mut server = plant.server("server").await;
    everything_works(&plant.endpoint(&server, "client"), &mut server).await;

    // Who shows no certificate of the plant, or one that has expired, is asked nothing.
    for (name, says) in [("foreign", "UnknownIssuer"), ("expired", "xpired")] {
        let mut server = plant.server(name).await;
        let refused = Line::new(&plant.endpoint(&server, "client")).connect(CONNECT).await.unwrap_err();
        assert!(refused.to_string().contains(says), "{name}: {refused}");
        let nothing = timeout(Duration::from_millis(200), server.until("read")).await;
        assert!(nothing.is_err(), "{name} was asked: {nothing:?}");
    }

    // Without a role nothing is even connected.
    let refused = Line::new(&plant.endpoint(&server, "roleless")).connect(CONNECT).await.unwrap_err();
    assert!(refused.to_string().contains("no role in the certificate"), "{refused}");

    // A server that does not trust us ends the connection, at the latest at the first question.
    let mut line = Line::new(&plant.endpoint(&server, "stranger"));
    if line.connect(CONNECT).await.is_ok() {
        let answer = line.read(UNIT, Table::Holding, 0, 1, WITHIN).await;
        assert!(matches!(answer, Err(ReadFault::Disconnected | ReadFault::Malformed)), "{answer:?}");
    }
}

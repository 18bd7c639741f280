//! STARTTLS, with a certificate that openssl made.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::machine::Machine;
use super::program::{finish, peer, until};
use super::room::Room;

const FILES: &str = "fsd_before = \"8s\"\ntls = { cert_file = \"CERT\", key_file = \"KEY\" }";

fn start(dir: &Path) -> Room {
    let (cert, key) = (dir.join("cert.pem"), dir.join("key.pem"));
    let (cert, key) = (cert.display().to_string(), key.display().to_string());
    let (code, _, err) = finish(Command::new(peer("openssl")).args([
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=localhost",
        "-addext",
        "subjectAltName=DNS:localhost",
        "-addext",
        "basicConstraints=critical,CA:FALSE",
        "-keyout",
        &key,
        "-out",
        &cert,
    ]));
    assert_eq!(code, 0, "{err}");
    Room::start(dir, "armed", "12s", &FILES.replace("CERT", &cert).replace("KEY", &key))
}

#[tokio::test]
async fn a_client_goes_on_in_tls_and_what_it_sent_before_is_forgotten() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let room = start(dir.path());
    let stream = TcpStream::connect(("127.0.0.1", room.nut)).await.expect("it listens");
    let mut plain = BufReader::new(stream);
    let mut answer = String::new();
    plain.write_all(b"USERNAME secondary\nSTARTTLS\n").await.expect("said");
    plain.read_line(&mut answer).await.expect("answered");
    plain.read_line(&mut answer).await.expect("answered");
    assert_eq!(answer, "OK\nOK STARTTLS\n");
    let mut roots = RootCertStore::empty();
    let cert = CertificateDer::from_pem_file(dir.path().join("cert.pem")).expect("made");
    roots.add(cert).expect("a certificate");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("known versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").expect("a name");
    let stream = TlsConnector::from(Arc::new(config)).connect(name, plain.into_inner()).await.expect("TLS");
    let mut secure = BufReader::new(stream);
    for (line, expected) in [
        ("LOGIN ups-a", "ERR USERNAME-REQUIRED\n"),
        ("STARTTLS", "ERR TLS-ALREADY-ENABLED\n"),
        ("GET VAR ups-a ups.status", "VAR ups-a ups.status \"OL\"\n"),
    ] {
        secure.write_all(format!("{line}\n").as_bytes()).await.expect("said");
        let mut answer = String::new();
        secure.read_line(&mut answer).await.expect("answered");
        assert_eq!(answer, expected, "{line}");
    }
}

#[test]
fn upsmon_logs_in_over_tls_where_it_takes_nothing_else() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let room = start(dir.path());
    let more = "FORCESSL 1\nCERTVERIFY 0";
    let mut machine = Machine::start_with(dir.path(), "small", room.nut, "secondary", &["ups-a"], more);
    until(|| machine.program.err(), || (room.logins("ups-a") == 1).then_some(()));
    machine.assert_up();
}

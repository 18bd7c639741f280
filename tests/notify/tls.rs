//! Row W5: whoever cannot prove to be the receiver gets nothing.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use emberwatch::notify::options::WebhookOptions;
use emberwatch::safety::fact::Input;
use emberwatch::safety::site::Priority;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ServerConfig, crypto};

use crate::notify::{options, start};
use crate::site::{publication, raised};
use crate::{certificates, until};

/// A TLS server that counts what it was told once the connection stood.
struct Receiver {
    port: u16,
    told: Arc<AtomicUsize>,
    connections: Arc<AtomicUsize>,
}

impl Receiver {
    async fn start(folder: &Path, name: &str) -> Self {
        let certificate = CertificateDer::from_pem_file(folder.join(format!("{name}.pem"))).unwrap();
        let key = PrivateKeyDer::from_pem_file(folder.join(format!("{name}.key"))).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (told, connections) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let counts = (Arc::clone(&told), Arc::clone(&connections));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let ended = answer(&acceptor, stream, &counts.0).await;
                counts.1.fetch_add(1, Ordering::SeqCst);
                drop(ended);
            }
        });
        Self { port, told, connections }
    }
}

async fn answer(acceptor: &TlsAcceptor, stream: tokio::net::TcpStream, told: &AtomicUsize) -> io::Result<()> {
    let mut stream = acceptor.accept(stream).await?;
    let mut bytes = [0; 8192];
    let count = stream.read(&mut bytes).await?;
    told.fetch_add(count, Ordering::SeqCst);
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await?;
    stream.shutdown().await
}

fn target(folder: &Path, port: u16) -> WebhookOptions {
    WebhookOptions { ca: Some(folder.join("ca.pem")), ..options(format!("https://localhost:{port}/")) }
}

fn failing(inputs: &[Input]) -> bool {
    matches!(inputs, [Input::System { failing: true, .. }])
}

#[tokio::test]
async fn w5_a_bad_name_an_expired_a_foreign_or_an_own_certificate_gets_no_byte_of_a_message() {
    let folder = tempfile::tempdir().unwrap();
    let names = [
        ("good", "DNS:localhost", true, 2),
        ("other", "DNS:other.example", true, 2),
        ("expired", "DNS:localhost", true, -1),
        ("own", "DNS:localhost", false, 2),
    ];
    certificates(folder.path(), &names).await;
    for (name, ..) in names {
        let receiver = Receiver::start(folder.path(), name).await;
        let mut running = start(&[target(folder.path(), receiver.port)]);
        running.facts.send(publication(1, vec![raised(1, 0, Priority::Critical)])).unwrap();
        until("a connection", async || (0 < receiver.connections.load(Ordering::SeqCst)).then_some(())).await;
        if name == "good" {
            until("delivery", async || (0 < running.handles[0].counts().delivered).then_some(())).await;
            assert!(0 < receiver.told.load(Ordering::SeqCst));
        } else {
            assert!(failing(&running.inputs.recv().await.unwrap()), "{name}: an alarm");
            assert_eq!(receiver.told.load(Ordering::SeqCst), 0, "{name}");
            assert_eq!(running.handles[0].counts().delivered, 0, "{name}");
        }
    }
}

#[tokio::test]
async fn w5_a_receiver_that_speaks_only_an_old_version_gets_no_byte_of_a_message() {
    let folder = tempfile::tempdir().unwrap();
    certificates(folder.path(), &[("good", "DNS:localhost", true, 2)]).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let ears = Arc::clone(&heard);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut bytes = [0; 8192];
            let count = stream.read(&mut bytes).await.unwrap_or(0);
            ears.lock().unwrap().extend_from_slice(&bytes[..count]);
            // A ServerHello of TLS 1.1: no extension, a suite of that time.
            let mut hello = vec![0x16, 3, 2, 0, 42, 2, 0, 0, 38, 3, 2];
            hello.extend_from_slice(&[7; 32]);
            hello.extend_from_slice(&[0, 0xc0, 0x13, 0]);
            let _ = stream.write_all(&hello).await;
            while let Ok(count @ 1..) = stream.read(&mut bytes).await {
                ears.lock().unwrap().extend_from_slice(&bytes[..count]);
            }
        }
    });
    let mut running = start(&[target(folder.path(), port)]);
    running.facts.send(publication(1, vec![raised(1, 0, Priority::Critical)])).unwrap();
    assert!(failing(&running.inputs.recv().await.unwrap()));
    let heard = heard.lock().unwrap().clone();
    assert_eq!(heard.first(), Some(&0x16), "a ClientHello");
    // Records of application data begin with 0x17: none came, and no text either.
    assert!(!heard.windows(4).any(|part| part == b"POST"));
    assert_eq!(running.handles[0].counts().delivered, 0);
}

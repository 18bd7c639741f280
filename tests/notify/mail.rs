//! A real mail server gets what people are told.

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;

use emberwatch::notify::options::{Hears, MailOptions, MailTls};
use emberwatch::notify::{TargetHandle, spawn_mail};
use emberwatch::safety::fact::Input;
use emberwatch::safety::site::Priority;
use emberwatch::units::Millis;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::sync::{broadcast, mpsc};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::notify::{common, notice};
use crate::site::{publication, raised};
use crate::{DEADLINE, MISSING, certificates};

/// `peers/smtp.py`, killed by its id when dropped.
struct Server {
    port: u16,
    says: Lines<BufReader<ChildStdout>>,
    _child: Child,
}

impl Server {
    async fn start(args: &[&str]) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let python = std::env::var_os("EMBERWATCH_PYTHON")
            .map_or_else(|| root.join("target/peers/bin/python"), std::path::PathBuf::from);
        let mut command = Command::new(python);
        command.arg(root.join("tests/peers/smtp.py")).args(args);
        let mut child = command.stdout(Stdio::piped()).kill_on_drop(true).spawn().expect(MISSING);
        let says = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut server = Self { port: 0, says, _child: child };
        server.port = server.until("listening ").await.parse().unwrap();
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

    async fn mail(&mut self) -> Value {
        serde_json::from_str(&self.until("mail ").await).unwrap()
    }
}

fn options(server: &Server) -> MailOptions {
    MailOptions {
        name: "duty-mail".into(),
        server: "127.0.0.1".into(),
        port: server.port,
        tls: MailTls::Plain,
        login: None,
        from: "Battery room <ember@example.com>".into(),
        to: vec!["kim@example.com".into(), "Lee <lee@example.com>".into()],
        // Without a mail of the start.
        hears: Hears { zones: Some(vec![emberwatch::safety::site::ZoneId(0)]), ..Hears::default() },
        timeout: Millis(5_000),
        queued_max: 100,
        ca: None,
    }
}

struct Running {
    facts: broadcast::Sender<Arc<emberwatch::exchange::Publication>>,
    inputs: mpsc::Receiver<Vec<Input>>,
    handle: TargetHandle,
}

fn start(options: &MailOptions) -> Running {
    let (facts, hearing) = broadcast::channel(64);
    let (inbox, inputs) = mpsc::channel(64);
    let handle = spawn_mail(options, &common(inbox, &CancellationToken::new()), hearing).unwrap();
    Running { facts, inputs, handle }
}

#[tokio::test]
async fn a_mail_says_what_where_and_what_to_do() {
    let mut server = Server::start(&[]).await;
    let mut running = start(&options(&server));
    running.facts.send(publication(1, vec![raised(1, 0, Priority::Critical), notice(7)])).unwrap();
    let mail = server.mail().await;
    assert_eq!(mail["from"], "ember@example.com");
    assert_eq!(mail["to"], serde_json::json!(["kim@example.com", "lee@example.com"]));
    let data = mail["data"].as_str().unwrap();
    for part in [
        "Subject: CRITICAL s1/b1/rack-a: temp-high is \"high\"",
        "Where: s1/b1/rack-a",
        "What to do: do not enter",
        "Measured: 81.3 Cel (bms-1/temp-max)",
        "Message-ID: <msg_boot-a-",
        "Content-Type: text/plain; charset=utf-8",
    ] {
        assert!(data.contains(part), "{part} is not in:\n{data}");
    }
    let notice = server.mail().await;
    assert!(notice["data"].as_str().unwrap().contains("Cut at the earliest: 2026-11-22T17:44:05.120Z"));
    let receipt = running.inputs.recv().await.unwrap();
    assert!(matches!(receipt[..], [Input::Delivered { notice: 7, taken: true, .. }]), "{receipt:?}");
}

#[tokio::test]
async fn a_mail_that_was_put_off_is_sent_again_under_the_same_id() {
    let mut server = Server::start(&["busy"]).await;
    let mut running = start(&options(&server));
    running.facts.send(publication(1, vec![raised(1, 0, Priority::Critical)])).unwrap();
    server.until("put-off").await;
    let mail = server.mail().await;
    assert!(mail["data"].as_str().unwrap().contains("Message-ID: <msg_boot-a-"));
    let failing = |inputs: Vec<Input>| matches!(inputs[..], [Input::System { failing: true, .. }]);
    assert!(failing(running.inputs.recv().await.unwrap()), "critical: at the first failure");
    assert!(!failing(running.inputs.recv().await.unwrap()));
    assert_eq!((running.handle.counts().failures, running.handle.counts().delivered), (1, 1));
}

#[tokio::test]
async fn a_mail_server_is_believed_by_its_authority_only_and_gets_the_password_after_that() {
    let folder = tempfile::tempdir().unwrap();
    certificates(folder.path(), &[("server", "IP:127.0.0.1", true, 2)]).await;
    let path = |name: &str| folder.path().join(name);
    let files = [path("server.pem"), path("server.key")].map(|path| path.display().to_string());
    let args = ["tls", files[0].as_str(), files[1].as_str(), "login", "ember", "a-pass-word"];
    let mut server = Server::start(&args).await;
    let login = Some(("ember".to_owned(), "a-pass-word".into()));
    let trusting =
        MailOptions { tls: MailTls::StartTls, ca: Some(path("ca.pem")), login, ..options(&server) };
    let doubting = start(&MailOptions { ca: None, ..trusting.clone() });
    doubting.facts.send(publication(1, vec![raised(1, 0, Priority::Critical)])).unwrap();
    crate::until("a refusal", async || (1 <= doubting.handle.counts().failures).then_some(())).await;
    let running = start(&trusting);
    running.facts.send(publication(1, vec![raised(2, 1, Priority::Critical)])).unwrap();
    let mail = server.mail().await;
    assert!(mail["data"].as_str().unwrap().contains("cutting"), "the first mail that came through: {mail}");
    assert_eq!((&mail["tls"], &mail["user"]), (&Value::Bool(true), &Value::String("ember".into())));
    assert_eq!(doubting.handle.counts().delivered, 0);
}

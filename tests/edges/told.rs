//! Service owners are told of a cut, and the journal keeps who was.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::mpsc;

use super::bench::Daemon;
use super::box_plant::{Plan, Plant};
use super::program::{emberwatch, finish, free_port, until};

/// Takes every message and hands it on, one at a time. Ends with the test's process.
fn taker() -> (u16, mpsc::Receiver<serde_json::Value>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    let (sender, messages) = mpsc::sync_channel(64);
    std::thread::spawn(move || {
        for stream in listener.incoming().filter_map(Result::ok) {
            let mut reader = BufReader::new(stream);
            let mut length = 0;
            let mut line = String::new();
            while reader.read_line(&mut line).is_ok_and(|count| 2 < count) {
                if let Some(number) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = number.trim().parse().unwrap_or(0);
                }
                line.clear();
            }
            let mut body = vec![0; length];
            let read = reader.read_exact(&mut body);
            let _ = reader.into_inner().write_all(b"HTTP/1.1 204 x\r\nconnection: close\r\n\r\n");
            if read.is_ok() {
                let _ = sender.try_send(serde_json::from_slice(&body).unwrap_or_default());
            }
        }
    });
    (port, messages)
}

#[test]
fn service_owners_get_every_notice_of_a_cut_and_the_journal_keeps_that_they_took_it() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut plant = Plant::start(dir.path(), "0.2");
    let (port, messages) = taker();
    let key = dir.path().join("key");
    std::fs::write(&key, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("written");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).expect("private");
    let target = |id: &str, more: &str| {
        format!(
            "[[webhook]]\nid = \"{id}\"\nurl = \"http://127.0.0.1:{port}/{id}\"\nallow_private = true\n\
             secret = {{ file = \"{}\" }}\n{more}",
            key.display()
        )
    };
    let more = format!("\n{}", target("owners", "kinds = [\"notice\"]\nzones = [\"rack-1\"]\n"));
    let page = free_port();
    let config = Plan { countdown: "1500ms", more, ..Plan::new(plant.port, page) }.write(dir.path());
    let daemon = Daemon::start(dir.path(), &config, page);
    daemon.until_calm();
    plant.burn();
    daemon.until_cut_is("done");
    let mut stages = Vec::new();
    until(
        || "the notice of the end".to_owned(),
        || {
            let heard = messages.try_iter().map(|message| {
                assert_eq!(message["type"], "notice", "of all kinds only this one");
                message["data"]["notice"]["stage"].as_str().unwrap_or_default().to_owned()
            });
            stages.extend(heard);
            stages.iter().any(|stage| stage == "done").then_some(())
        },
    );
    assert!(stages.iter().any(|stage| stage == "countdown"), "{stages:?}");
    let config = config.display().to_string();
    until(
        || "the receipts".to_owned(),
        || {
            let args = ["journal", "show", "--config", &config, "--about", "owners", "--last", "100"];
            let (_, out, _) = finish(&mut emberwatch(&args));
            let receipts = out.lines().filter(|line| line.contains("receipt    notice")).count();
            (stages.len() <= receipts && out.contains("of cut taken by owners")).then_some(())
        },
    );
}

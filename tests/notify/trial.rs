//! `emberwatch notify test`, as a person calls it.

use std::path::Path;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::process::Command;

use crate::notify::SECRET;
use crate::output;

/// A server that answers every request in the same way, and its port.
async fn answering(answer: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut bytes = [0; 8192];
            let _ = stream.read(&mut bytes).await;
            let _ = stream.write_all(answer.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
    });
    port
}

const TAKEN: &str = "HTTP/1.1 202 Accepted\r\ncontent-length: 11\r\nconnection: close\r\n\r\nthank you\r\n";
const REFUSED: &str = "HTTP/1.1 403 x\r\ncontent-length: 8\r\nconnection: close\r\n\r\nbad key\n";

async fn notify_test(targets: &str, args: &[&str]) -> (Option<i32>, String, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("targets.toml");
    std::fs::write(&file, targets).unwrap();
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/emberwatch.toml");
    let mut command = Command::new(env!("CARGO_BIN_EXE_emberwatch"));
    command.args(["notify", "test"]).args(args).arg("--config").arg(example).arg("--config").arg(file);
    command.env("EMBERWATCH_TEST_KEY", SECRET);
    command.env("EMBERWATCH_TEST_SEED", "whsk_nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=");
    let done = output(&mut command).await;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (done.status.code(), text(&done.stdout), text(&done.stderr))
}

fn webhook(id: &str, port: u16) -> String {
    format!(
        "[[webhook]]\nid = \"{id}\"\nurl = \"http://127.0.0.1:{port}/\"\nallow_private = true\n\
         secret = {{ env = \"EMBERWATCH_TEST_KEY\" }}\n"
    )
}

#[tokio::test]
async fn every_target_is_shown_with_what_it_answered() {
    let (good, bad) = (answering(TAKEN).await, answering(REFUSED).await);
    let heartbeat = format!(
        "[[heartbeat]]\nid = \"dead-man\"\nurl = \"http://127.0.0.1:{good}/x\"\nevery = \"60s\"\nallow_private = true\n"
    );
    let two = format!("{}{heartbeat}", webhook("good", good));
    let (code, out, err) = notify_test(&two, &[]).await;
    assert_eq!(code, Some(0), "{out}{err}");
    let line = out.lines().find(|line| line.starts_with("good ")).unwrap();
    assert!(line.contains("webhook") && line.contains("202") && line.ends_with("thank you"), "{line}");
    assert!(out.lines().any(|line| line.starts_with("dead-man  heartbeat  202")), "{out}");

    let all = format!("{two}{}", webhook("bad", bad));
    let (code, out, _) = notify_test(&all, &[]).await;
    assert_eq!(code, Some(1), "one says no: {out}");
    assert!(out.contains("403") && out.contains("bad key"), "{out}");
    let (code, out, _) = notify_test(&all, &["good"]).await;
    assert_eq!((code, out.lines().count()), (Some(0), 2), "only this one: {out}");
    let (code, _, err) = notify_test(&all, &["nobody"]).await;
    assert_eq!(code, Some(2), "{err}");

    let closed = format!("{all}{}", webhook("gone", crate::free_port()));
    let (code, out, _) = notify_test(&closed, &["--json"]).await;
    assert_eq!(code, Some(69), "one cannot be reached: {out}");
    let rows: Vec<serde_json::Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let taken: Vec<bool> = rows.iter().map(|row| row["taken"].as_bool().unwrap()).collect();
    assert_eq!(taken, [true, false, false, true]);
}

#[tokio::test]
async fn an_asymmetric_key_is_shown_by_its_public_half() {
    let port = answering(TAKEN).await;
    let target = webhook("good", port).replace("EMBERWATCH_TEST_KEY", "EMBERWATCH_TEST_SEED");
    let (code, _, err) = notify_test(&target, &[]).await;
    assert_eq!(code, Some(0), "{err}");
    assert!(err.contains("good: verify v1a with whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="), "{err}");
}

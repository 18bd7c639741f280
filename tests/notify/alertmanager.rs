//! A real Alertmanager: shows what stands, and that it has ended; asked by its own tool.

use std::process::Stdio;

use emberwatch::notify::options::{Hears, Preset, WebhookOptions};
use emberwatch::safety::alarm::{AlarmEvent, AlarmState};
use emberwatch::safety::site::Priority;
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::notify::{change, options, start};
use crate::site::{publication, raised};
use crate::{free_port, output, program, until};

/// Killed, by its id, when dropped.
struct Alertmanager {
    port: u16,
    folder: TempDir,
    child: Child,
}

impl Alertmanager {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = "route:\n  receiver: nobody\nreceivers:\n- name: nobody\n";
        std::fs::write(folder.path().join("alertmanager.yml"), config).unwrap();
        let port = free_port();
        let child = Self::launch(&folder, port);
        let this = Self { port, folder, child };
        this.is_ready().await;
        this
    }

    fn launch(folder: &TempDir, port: u16) -> Child {
        let mut command = Command::new(program("prometheus-alertmanager"));
        command
            .arg(format!("--config.file={}", folder.path().join("alertmanager.yml").display()))
            .arg(format!("--storage.path={}", folder.path().join("data").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .arg("--cluster.listen-address=");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
        command.spawn().unwrap()
    }

    async fn is_ready(&self) {
        until("the Alertmanager", async || {
            let done = output(&mut self.tool(&["alert"])).await;
            done.status.success().then_some(())
        })
        .await;
    }

    /// Ends it and starts it anew, without anything that it knew.
    async fn restart_empty(&mut self) {
        self.child.kill().await.unwrap();
        let _ = std::fs::remove_dir_all(self.folder.path().join("data"));
        self.child = Self::launch(&self.folder, self.port);
        self.is_ready().await;
    }

    fn tool(&self, args: &[&str]) -> Command {
        let mut command = Command::new(program("amtool"));
        command.args(args).arg(format!("--alertmanager.url=http://127.0.0.1:{}", self.port));
        command
    }

    /// The alerts that stand, by its own tool.
    async fn standing(&self) -> Vec<Value> {
        let done = output(&mut self.tool(&["alert", "query", "--output=json"])).await;
        serde_json::from_slice(&done.stdout).unwrap_or_default()
    }

    async fn until_standing(&self, count: usize) -> Vec<Value> {
        until(&format!("{count} alerts"), async || {
            let standing = self.standing().await;
            (standing.len() == count).then_some(standing)
        })
        .await
    }
}

#[tokio::test]
async fn an_alertmanager_shows_what_stands_and_that_it_has_ended() {
    let peer = Alertmanager::start().await;
    let target = WebhookOptions {
        preset: Preset::Alertmanager,
        hears: Hears::default(),
        ..options(format!("http://127.0.0.1:{}", peer.port))
    };
    let running = start(&[target]);
    let facts = vec![raised(1, 0, Priority::Critical), raised(2, 1, Priority::Medium)];
    running.facts.send(publication(1, facts)).unwrap();
    let alerts = peer.until_standing(2).await;
    let critical = alerts.iter().find(|alert| alert["labels"]["severity"] == "critical").unwrap();
    assert_eq!(critical["labels"]["alertname"], "temp-high");
    assert_eq!(critical["labels"]["zone"], "rack-a");
    assert_eq!(critical["annotations"]["action"], "do not enter");
    assert_eq!(critical["startsAt"], "2026-11-22T17:42:05.120Z");
    // Acknowledged, it still stands: an Alertmanager knows silences, not acknowledgements.
    let by = AlarmEvent::Acknowledged { by: "kim".into() };
    let seen = change(3, 0, by, AlarmState::AckActive, Priority::Critical);
    running.facts.send(publication(2, vec![seen])).unwrap();
    until("the state in the annotations", async || {
        let alerts = peer.standing().await;
        alerts.iter().any(|alert| alert["annotations"]["state"] == "ack-active").then_some(())
    })
    .await;
    assert_eq!(peer.standing().await.len(), 2);
    let cleared = change(4, 0, AlarmEvent::Cleared, AlarmState::Normal, Priority::Critical);
    running.facts.send(publication(3, vec![cleared])).unwrap();
    let left = peer.until_standing(1).await;
    assert_eq!(left[0]["labels"]["alertname"], "cutting");
    assert_eq!(running.handles[0].counts().failures, 0);
}

#[tokio::test]
async fn an_alertmanager_that_forgot_everything_is_told_again() {
    let mut peer = Alertmanager::start().await;
    let target = WebhookOptions {
        preset: Preset::Alertmanager,
        hears: Hears::default(),
        ..options(format!("http://127.0.0.1:{}", peer.port))
    };
    let running = start(&[target]);
    running.facts.send(publication(1, vec![raised(1, 0, Priority::Critical)])).unwrap();
    peer.until_standing(1).await;
    peer.restart_empty().await;
    assert!(peer.standing().await.is_empty());
    // Any change tells all of it; without one it would be a minute.
    running.facts.send(publication(2, vec![raised(2, 1, Priority::Medium)])).unwrap();
    peer.until_standing(2).await;
}

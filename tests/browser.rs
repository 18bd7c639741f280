//! The page in a real browser: the demonstration is started as people start it, and `peers/browser.py` looks
//! at it and touches it in a headless Chromium. Screenshots go to `target/screens`.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use emberwatch::clock;
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

/// Longer than this no story takes, unless something fails.
const DEADLINE: Duration = Duration::from_secs(80);
const MISSING: &str = "run ./test once: it installs what the tests need";

/// One browser at a time: two of them on a small machine measure each other.
static ONE_BROWSER: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

#[tokio::test]
async fn an_operator_sees_the_story_acknowledges_and_aborts() {
    play("abort").await;
}

#[tokio::test]
async fn a_cut_nobody_stops_is_verified_and_a_lost_link_is_shown() {
    play("done").await;
}

async fn play(story: &str) {
    let _alone = ONE_BROWSER.lock().await;
    timeout(DEADLINE, play_alone(story)).await.unwrap();
}

async fn play_alone(story: &str) {
    let mut browser = Browser::start(story).await;
    browser.until("ready").await;
    let started_ms = clock::now().wall.0;
    let demo = Demo::start().await;
    browser.tell(&format!("{} {}.{:03}", demo.url, started_ms / 1000, started_ms % 1000)).await;
    if story == "done" {
        browser.until("stop").await;
        demo.stop();
        browser.tell("stopping").await;
    }
    browser.succeeds().await;
}

/// The demonstration, killed by its id when dropped.
struct Demo {
    child: Child,
    url: String,
    _lines: Lines<BufReader<ChildStdout>>,
}

impl Demo {
    async fn start() -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_emberwatch"))
            .args(["demo", "--speed", "3", "--port", "0", "--for", "60s"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        loop {
            let line = lines.next_line().await.unwrap().expect("the demonstration says where its page is");
            if let Some(url) = line.trim().strip_prefix("Page") {
                return Self { child, url: url.trim().to_owned(), _lines: lines };
            }
        }
    }

    fn stop(&self) {
        let id = self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        kill_process(id.expect("it runs"), Signal::TERM).unwrap();
    }
}

/// The script that drives the browser, killed by its id when dropped.
struct Browser {
    child: Child,
    says: Lines<BufReader<ChildStdout>>,
    hears: ChildStdin,
}

impl Browser {
    async fn start(story: &str) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let python = std::env::var_os("EMBERWATCH_PYTHON")
            .map_or_else(|| root.join("target/peers/bin/python"), PathBuf::from);
        assert!(Path::new("/usr/bin/chromium").exists(), "no chromium: {MISSING}");
        let knows = Command::new(&python).args(["-c", "import playwright"]).status().await;
        assert!(
            knows.is_ok_and(|status| status.success()),
            "no {} with playwright: {MISSING}",
            python.display()
        );
        let screens = root.join("target/screens");
        std::fs::create_dir_all(&screens).unwrap();
        let mut child = Command::new(python)
            .arg(root.join("tests/peers/browser.py"))
            .arg(story)
            .arg(screens)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let says = BufReader::new(child.stdout.take().unwrap()).lines();
        let hears = child.stdin.take().unwrap();
        Self { child, says, hears }
    }

    /// Passes on what it says until it says this.
    async fn until(&mut self, word: &str) {
        loop {
            let line = self.says.next_line().await.unwrap();
            let line = line.unwrap_or_else(|| panic!("the browser's script ended before `{word}`"));
            if line == word {
                return;
            }
            tell(&line);
        }
    }

    async fn tell(&mut self, line: &str) {
        self.hears.write_all(format!("{line}\n").as_bytes()).await.unwrap();
    }

    async fn succeeds(mut self) {
        while let Some(line) = self.says.next_line().await.unwrap() {
            tell(&line);
        }
        let status = self.child.wait().await.unwrap();
        assert!(status.success(), "the browser's script failed: see what it says above");
    }
}

#[expect(clippy::print_stdout, reason = "figures for the reader of the test")]
fn tell(line: &str) {
    println!("{line}");
}

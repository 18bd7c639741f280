//! A running daemon is recorded while a rack burns; the replay decides the same, at the same times.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use emberwatch::exchange::Hearing;
use emberwatch::field::options::Endpoint;
use emberwatch::replay::recording::{Ending, Reader, RecordingSource};
use emberwatch::replay::{Answers, Player, matched};
use emberwatch::runtime::Daemon;
use emberwatch::runtime::control::{Client, socket_in};
use emberwatch::safety::fact::{Fact, Output};
use emberwatch::safety::risk::Level;
use emberwatch::safety::site::Site;
use emberwatch::sim::{Scenario, SimOptions, Simulator};
use emberwatch::units::Uptime;
use emberwatch::wire::{explain, text};
use tokio::net::TcpListener;
use tokio::time::timeout;

use crate::program::{Program, emberwatch as program, finish, until};

/// Longer than this no story takes, unless something fails.
const DEADLINE: Duration = Duration::from_secs(60);

/// The shipped demonstration on this address, with a short countdown, without broker and page.
fn configuration(dir: &Path, address: &str) -> std::path::PathBuf {
    let text = include_str!("../../config/demo.toml")
        .replace("/var/lib/emberwatch-demo", &dir.join("state").display().to_string())
        .replace("127.0.0.1:1502", address)
        .replace("127.0.0.1:1503", address)
        .replace("countdown = \"15s\"", "countdown = \"2s\"");
    let end = text.find("[mqtt]").unwrap_or(text.len()).min(text.find("[web]").unwrap_or(text.len()));
    let path = dir.join("demo.toml");
    std::fs::write(&path, &text[..end]).expect("written");
    path
}

/// What a fact says, and when; readings and what only one of two starts can say are left out.
fn said(site: &Site, at: Uptime, fact: &Fact) -> Option<(u64, String)> {
    let words = match fact {
        Fact::Level(change) => explain::level_change(site, change),
        Fact::Finding(finding) => {
            let evidence = text::evidence(site, Some(finding.rule), &finding.evidence);
            format!("{} {} {evidence}", site[finding.rule].name, finding.level.word())
        }
        Fact::Alarm(change) => {
            format!("{} {} #{}", text::alarm_change(site, change), change.event.word(), change.now.occurrence)
        }
        Fact::Sequence(change) => text::sequence_event(site, change.sequence, &change.now, &change.event),
        Fact::Notice(notice) => format!("{} #{}", text::notice(site, notice), notice.number),
        Fact::LoneVote { rule, channel } => text::lone_vote(site, *rule, *channel),
        Fact::Waiver(change) => text::waiver_change(site, change),
        Fact::Reading { .. }
        | Fact::Outlook(_)
        | Fact::AlarmFigures(_)
        | Fact::Gap { .. }
        | Fact::ClockStepped { .. }
        | Fact::Commanded(_)
        | Fact::Proposed { .. }
        | Fact::Followed { .. }
        | Fact::Refused { .. } => {
            return None;
        }
    };
    Some((at.0, words))
}

/// What was said from the first word about the story on: before, a core that was just started speaks of itself.
fn story(all: &[(u64, String)]) -> Vec<(u64, String)> {
    let first = all.iter().position(|(_, words)| words.starts_with("watch in "));
    all[first.expect("a story")..].to_vec()
}

/// Hears until the cut is done.
async fn hear(site: &Site, hearing: &mut Hearing) -> Vec<(u64, String)> {
    let mut all = Vec::new();
    loop {
        let publication = hearing.recv().await.expect("the daemon speaks");
        all.extend(publication.facts.iter().filter_map(|fact| said(site, publication.now.uptime, fact)));
        if all.iter().any(|(_, words)| words.contains("done and verified")) {
            return all;
        }
    }
}

/// Records until told to end; all bytes of the file.
async fn record(socket: &Path, mut end: tokio::sync::oneshot::Receiver<()>) -> Vec<u8> {
    let mut client = Client::connect(socket).await.expect("the daemon listens");
    client.begin_recording().await.expect("asked");
    let (mut bytes, mut ending) = (Vec::new(), false);
    loop {
        tokio::select! {
            _ = &mut end, if !ending => {
                client.end_recording().await.expect("asked");
                ending = true;
            }
            part = client.recorded() => match part.expect("a recording") {
                Some((more, totals)) => {
                    assert_eq!(totals.lost_scans, 0);
                    bytes.extend(more);
                }
                None => return bytes,
            },
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_under_the_same_rules_says_what_the_daemon_said_word_for_word_and_at_the_same_times() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let config = configuration(dir.path(), &address.to_string());
    let mut loaded = emberwatch::config::load(&[config]).unwrap_or_else(|complaints| panic!("{complaints}"));
    loaded.links[0].endpoint = Endpoint::tcp(address.to_string());
    let (site, fingerprint) = (Arc::clone(&loaded.site), loaded.fingerprint.clone());
    let socket = socket_in(&loaded.state_dir);
    let daemon = Daemon::start(loaded, None).await.expect("the daemon starts");
    let mut hearing = daemon.hearing();
    let (end, ends) = tokio::sync::oneshot::channel();
    let recording = tokio::spawn(async move { record(&socket, ends).await });
    let scenario = Scenario::find("cell-fire");
    let options = SimOptions { seed: 7, speed: 5.0, scenario: scenario.expect("a story") };
    let simulator = Simulator::start(listener, options);
    let live = timeout(DEADLINE, hear(&site, &mut hearing)).await.expect("the cut is done in time");
    // The loop hands a scan to recorders after it has spoken: once it speaks again, they have the one before.
    timeout(DEADLINE, hearing.recv()).await.expect("in time").expect("the daemon speaks");
    end.send(()).expect("still recording");
    let bytes = timeout(DEADLINE, recording).await.expect("in time").expect("no panic");
    daemon.stop().await;
    simulator.stop().await;

    let reader = Reader::open(&bytes[..]).expect("a recording");
    assert_eq!(reader.head.configuration, fingerprint);
    let found = matched(&reader.names, &site);
    let (memory, fed) = (reader.beginning.memory(), found.fed(&site));
    let mut source = RecordingSource::new(reader, found, None);
    let mut replayed = Vec::new();
    let played = Player::new(Arc::clone(&site), memory, Answers::Recorded, fed, None).play(
        &mut source,
        &mut |site, moment| {
            let facts = moment.outputs.iter().filter_map(|output| match output {
                Output::Fact(fact) => said(site, moment.now.uptime, fact),
                Output::Order(_) => None,
            });
            replayed.extend(facts);
        },
    );
    assert_eq!(source.reader.ending(), Some(&Ending::Whole));
    assert!(0 < played.orders && Level::Danger.word() == "danger");
    let (live, mut replayed) = (story(&live), story(&replayed));
    replayed.truncate(live.len());
    assert!(12 < live.len(), "{live:#?}");
    assert_eq!(replayed, live);
}

#[test]
fn a_recording_of_the_real_program_is_whole_and_plays_alike_twice_and_cut() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let room = Program::start(
        dir.path(),
        "room",
        program(&["simulate", "--listen", "127.0.0.1:0"]).arg("--speed=2"),
    );
    let address = until(
        || room.err(),
        || {
            let err = room.err();
            let (_, rest) = err.split_once("Modbus TCP on ")?;
            Some(rest.split_once(' ')?.0.trim_end_matches(':').to_owned())
        },
    );
    let config = configuration(dir.path(), &address).display().to_string();
    let mut daemon = Program::start(dir.path(), "run", &mut program(&["run", "--config", &config]));
    let socket = dir.path().join("state/control.sock");
    until(|| daemon.err(), || socket.exists().then_some(()));
    let file = dir.path().join("calm.rec").display().to_string();
    let mut command =
        program(&["record", "--config", &config, "--out", &file, "--for", "4s", "--link", "room"]);
    let (code, _, err) = finish(&mut command);
    assert!(code == 0 && err.contains("scans") && err.contains("raw frames"), "{code} {err}");
    let (code, _, err) = finish(&mut command);
    assert!(code == 73, "an existing file is not overwritten: {code} {err}");
    assert_eq!(daemon.terminate().0, 0);
    let (code, _, err) = finish(&mut program(&["record", "--config", &config, "--out", "/dev/null/x"]));
    assert!(code == 69 && err.contains("no daemon listens"), "{code} {err}");

    let replay = |file: &str| finish(&mut program(&["replay", file, "--config", &config, "--json"]));
    let (code, once, err) = replay(&file);
    assert_eq!(code, 0, "{err}");
    assert_eq!(replay(&file).1, once, "twice the same");
    assert!(
        once.contains("under this configuration") && once.contains("raw frames are in the file"),
        "{once}"
    );
    let bytes = std::fs::read(&file).expect("written");
    let cut = dir.path().join("cut.rec");
    std::fs::write(&cut, &bytes[..bytes.len() - 3]).expect("written");
    let (code, out, err) = replay(&cut.display().to_string());
    assert!(code == 0 && out.contains("the file is DAMAGED"), "{code} {out} {err}");
    std::fs::write(&cut, &bytes[..40]).expect("written");
    let (code, _, err) = replay(&cut.display().to_string());
    assert!(code == 69 && err.contains("the head of the recording is damaged"), "{code} {err}");
}

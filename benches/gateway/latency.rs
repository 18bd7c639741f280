//! How long an alarm and a cut take.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::{AsyncClient, Event, Incoming, MqttOptions};
use tokio::sync::mpsc;

use super::support::{Room, Running, daemon, mosquitto, now_ns, percentile, scratch, serve};
use super::{TOKEN, milliseconds, place, report};

/// Units of the probes whose alarms are measured, beside the two that vote.
const PROBES: std::ops::RangeInclusive<u8> = 3..=202;
/// Rounds of the cut: each runs a whole sequence.
const CUTS: usize = 60;
/// How long each sync of a disk that stalls takes, in microseconds.
const STALL_US: u64 = 30_000_000;

/// Messages of the alarm and sequence topics as they arrive: (time, topic, payload).
pub(crate) async fn subscriber(port: u16) -> mpsc::Receiver<(u64, String, String)> {
    let mut options = MqttOptions::new("bench", "127.0.0.1", port);
    options.set_keep_alive(Duration::from_secs(30));
    let (client, mut events) = AsyncClient::new(options, 64);
    client.subscribe("emberwatch/1/+/+/alarm/+", QoS::AtMostOnce).await.unwrap();
    client.subscribe("emberwatch/1/+/+/sequence/+", QoS::AtMostOnce).await.unwrap();
    let (sender, receiver) = mpsc::channel(4096);
    let (ready, go) = tokio::sync::oneshot::channel();
    tokio::spawn(async move {
        let (_client, mut ready) = (client, Some(ready));
        loop {
            match events.poll().await {
                Ok(Event::Incoming(Incoming::Publish(publish))) => {
                    let topic = String::from_utf8_lossy(&publish.topic).into_owned();
                    let payload = String::from_utf8_lossy(&publish.payload).into_owned();
                    if sender.send((now_ns(), topic, payload)).await.is_err() {
                        return;
                    }
                }
                Ok(Event::Incoming(Incoming::SubAck(_))) => {
                    if let Some(ready) = ready.take() {
                        let _ = ready.send(());
                    }
                }
                Ok(_) => {}
                // At the end, or else whoever waits for a message says so.
                Err(_) => return,
            }
        }
    });
    go.await.unwrap();
    receiver
}

/// Waits for a message that matches; gives when it arrived.
pub(crate) async fn await_message(
    heard: &mut mpsc::Receiver<(u64, String, String)>,
    topic: &str,
    word: &str,
) -> u64 {
    loop {
        let next = tokio::time::timeout(Duration::from_secs(20), heard.recv()).await;
        let (at, where_, payload) =
            next.unwrap_or_else(|_| panic!("no `{word}` on {topic} within 20 s")).unwrap();
        if where_.ends_with(topic) && payload.contains(word) {
            return at;
        }
    }
}

/// A room of two probes and a breaker, and who hears what the gateway says of it.
struct Scene {
    room: Arc<Mutex<Room>>,
    heard: mpsc::Receiver<(u64, String, String)>,
    web: u16,
    _running: (Running, Running),
    _keep: tempfile::TempDir,
}

impl Scene {
    /// Waits until the sequence is armed.
    async fn set(start: impl FnOnce(&Path) -> Running) -> Self {
        let (keep, dir) = scratch();
        let (broker, port) = mosquitto(&dir);
        let room = Arc::new(Mutex::new(Room::default()));
        {
            let mut room = room.lock().unwrap();
            for unit in 1..=*PROBES.end() {
                room.registers.insert((unit, 0), 20);
            }
            room.registers.insert((1, 1), 1);
        }
        let address = serve(Arc::clone(&room)).await;
        let web = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let config = latency_config(&dir, &address.to_string(), port, web);
        let mut heard = subscriber(port).await;
        let daemon = start(&config);
        await_message(&mut heard, "sequence/cut", "\"armed\"").await;
        Self { room, heard, web, _running: (daemon, broker), _keep: keep }
    }
}

/// A cut though the disk makes nothing durable.
pub(crate) async fn stalled() {
    let mut scene = Scene::set(on_a_stalled_disk).await;
    let cut_ms = cuts(&scene.room, &mut scene.heard, scene.web).await;
    report("the same with a disk of which each sync takes 30 s", cut_ms, 250.0, 250.0);
}

/// The daemon under `strace`, which delays every sync. It is the child itself, so that it ends with its owner.
fn on_a_stalled_disk(config: &Path) -> Running {
    let log = std::fs::File::create(config.with_extension("log")).unwrap();
    let delay = format!("inject=fsync,fdatasync:delay_enter={STALL_US}");
    let mut command = Command::new("strace");
    command.args([
        "-D",
        "-f",
        "--seccomp-bpf",
        "-o",
        "/dev/null",
        "-e",
        "trace=fsync,fdatasync",
        "-e",
        &delay,
    ]);
    command.arg(env!("CARGO_BIN_EXE_emberwatch")).arg("run").arg("--config").arg(config);
    let child = command.stdout(Stdio::null()).stderr(log).spawn();
    Running(child.expect("strace is needed: `apt-get install strace` (or run ./test once)"))
}

pub(crate) async fn latency() {
    let mut scene = Scene::set(daemon).await;
    let (room, heard) = (Arc::clone(&scene.room), &mut scene.heard);
    let (mut alarm_ms, mut phase_ms) = (Vec::new(), Vec::new());
    // Each probe once: an alarm that comes and goes is told once a minute. At danger, so that it comes through a flood.
    for unit in PROBES {
        // A different moment of the poll period each time.
        tokio::time::sleep(Duration::from_millis(40 + (u64::from(unit) * 7) % 50)).await;
        let set = now_ns();
        room.lock().unwrap().registers.insert((unit, 0), 60);
        let arrived = await_message(heard, &format!("alarm/hot-{unit}"), "unack-active").await;
        let (value, handed_out) = room.lock().unwrap().handed_out[&unit];
        assert_eq!(value, 60, "the alarm is about the value that was set");
        alarm_ms.push(milliseconds(arrived - handed_out));
        phase_ms.push(milliseconds(handed_out - set));
    }
    let cut_ms = cuts(&room, heard, scene.web).await;
    report("register value handed out -> alarm at an MQTT subscriber", alarm_ms, 1.0, 20.0);
    report("value completing the vote handed out -> coil frame at the breaker", cut_ms, 3.0, 50.0);
    let mut phase = phase_ms;
    println!(
        "(poll phase on top, at a period of 100 ms: p50 {:.1} ms, p99 {:.1} ms)",
        percentile(&mut phase, 0.5),
        percentile(&mut phase, 0.99)
    );
}

/// Runs whole cuts: two hot units complete the vote, the breaker opens, a person resets.
async fn cuts(
    room: &Arc<Mutex<Room>>,
    heard: &mut mpsc::Receiver<(u64, String, String)>,
    web: u16,
) -> Vec<f64> {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut cut_ms = Vec::new();
    for round in 0..CUTS {
        tokio::time::sleep(Duration::from_millis(150 + (round as u64 * 13) % 90)).await;
        {
            let mut room = room.lock().unwrap();
            room.coil_written = None;
            room.registers.insert((1, 0), 90);
            room.registers.insert((2, 0), 90);
        }
        loop {
            tokio::time::sleep(Duration::from_millis(5)).await;
            if room.lock().unwrap().coil_written.is_some() {
                break;
            }
        }
        {
            let mut room = room.lock().unwrap();
            let complete = room.handed_out[&1].1.max(room.handed_out[&2].1);
            cut_ms.push(milliseconds(room.coil_written.unwrap() - complete));
            // The auxiliary contact follows the coil.
            room.registers.insert((1, 1), 0);
        }
        await_message(heard, "sequence/cut", "\"done\"").await;
        {
            let mut room = room.lock().unwrap();
            room.registers.insert((1, 0), 20);
            room.registers.insert((2, 0), 20);
            room.registers.insert((1, 1), 1);
            room.coils.insert((1, 0), true);
        }
        reset(&http, web).await;
    }
    cut_ms
}

async fn reset(http: &reqwest::Client, web: u16) {
    for _ in 0..100 {
        let request = http
            .post(format!("http://127.0.0.1:{web}/api/v1/sequences/cut/reset"))
            .bearer_auth(TOKEN)
            .header("content-type", "application/json")
            .body("{}");
        if request.send().await.is_ok_and(|response| response.status().is_success()) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the sequence could not be reset");
}

fn latency_config(dir: &Path, modbus: &str, mqtt: u16, web: u16) -> PathBuf {
    let text = include_str!("latency.toml")
        .replace("@MODBUS@", modbus)
        .replace("@MQTT@", &mqtt.to_string())
        .replace("@WEB@", &web.to_string());
    let probe = include_str!("latency-probe.toml");
    let probes = PROBES.map(|unit| probe.replace("@UNIT@", &unit.to_string()));
    let text = probes.fold(text, |text, probe| text + &probe);
    place(dir, "latency.toml", &text, include_str!("probe.toml"))
}

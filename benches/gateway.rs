//! The whole daemon, measured from outside: `cargo bench --bench gateway -- [latency] [load]`.
//!
//! * latency: from the moment a device hands out a register's value to the alarm at an MQTT subscriber, and from
//!   the value that completes a vote to the first coil frame at the breaker, the journal's sync included. The poll
//!   phase (how long a value waits to be asked for) comes on top and is printed apart.
//! * load: 40 devices of 125 registers each second into Mosquitto, for 60 s: processor time, memory, late cycles; and the same
//!   without a broker, so that the difference is what publishing costs.
#![expect(clippy::unwrap_used, reason = "a measurement that cannot be set up must stop")]
#![expect(clippy::print_stdout, reason = "the figures are the output")]

mod support;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::{AsyncClient, Event, Incoming, MqttOptions};
use support::{Room, cost, daemon, mosquitto, now_ns, percentile, scratch, serve};
use tokio::sync::mpsc;

/// What the measurement presents to reset a run.
const TOKEN: &str = "a-token-for-the-measurement";

/// How often each latency is measured.
const ROUNDS: usize = 200;
/// Rounds of the cut: each runs a whole sequence.
const CUTS: usize = 60;
/// How long the load runs before it is watched.
const SETTLING: Duration = Duration::from_secs(5);
/// How long the load is watched.
const LOAD_S: u64 = 60;
/// A cycle that begins this much late is late.
const LATE_NS: u64 = 100_000_000;

fn main() {
    // For the HTTP client that resets runs; a second installation would only be refused.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let args: Vec<String> = std::env::args().collect();
    let wants = |what: &str| {
        args.iter().any(|arg| arg == what)
            || !args.iter().any(|arg| ["latency", "load"].contains(&arg.as_str()))
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        if wants("latency") {
            latency().await;
        }
        if wants("load") {
            load().await;
        }
    });
}

/// Messages of the alarm and sequence topics as they arrive: (time, topic, payload).
async fn subscriber(port: u16) -> mpsc::Receiver<(u64, String, String)> {
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
async fn await_message(heard: &mut mpsc::Receiver<(u64, String, String)>, topic: &str, word: &str) -> u64 {
    loop {
        let next = tokio::time::timeout(Duration::from_secs(20), heard.recv()).await;
        let (at, where_, payload) =
            next.unwrap_or_else(|_| panic!("no `{word}` on {topic} within 20 s")).unwrap();
        if where_.ends_with(topic) && payload.contains(word) {
            return at;
        }
    }
}

async fn latency() {
    let (_keep, dir) = scratch();
    let (_broker, port) = mosquitto(&dir);
    let room = Arc::new(Mutex::new(Room::default()));
    {
        let mut room = room.lock().unwrap();
        for unit in [1, 2] {
            room.registers.insert((unit, 0), 20);
        }
        room.registers.insert((1, 1), 1);
    }
    let address = serve(Arc::clone(&room)).await;
    let web = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let config = latency_config(&dir, &address.to_string(), port, web);
    let mut heard = subscriber(port).await;
    let _daemon = daemon(&config);
    await_message(&mut heard, "sequence/cut", "\"armed\"").await;

    let (mut alarm_ms, mut phase_ms) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        // A different moment of the poll period each time.
        tokio::time::sleep(Duration::from_millis(40 + (round as u64 * 7) % 50)).await;
        let set = now_ns();
        room.lock().unwrap().registers.insert((1, 0), 60);
        let arrived = await_message(&mut heard, "alarm/hot-1", "unack-active").await;
        let (value, handed_out) = room.lock().unwrap().handed_out[&1];
        assert_eq!(value, 60, "the alarm is about the value that was set");
        alarm_ms.push(milliseconds(arrived - handed_out));
        phase_ms.push(milliseconds(handed_out - set));
        room.lock().unwrap().registers.insert((1, 0), 20);
        await_message(&mut heard, "alarm/hot-1", "unack-rtn").await;
    }
    let cut_ms = cuts(&room, &mut heard, web).await;
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

async fn load() {
    println!("load: {LOAD_S} s of 40 devices x 125 registers at 1 s, published");
    let published = carry(true).await;
    println!(
        "devices {}, cycles {}, late cycles {}, worst deviation {:.1} ms",
        published.devices,
        published.cycles,
        published.late,
        milliseconds(published.worst_ns)
    );
    println!(
        "processor {:.2} % of one core (goal 1 %), resident {:.1} MiB (goal 25 MiB)",
        published.percent, published.rss
    );
    println!("load: the same, and nobody is told");
    let alone = carry(false).await;
    println!(
        "processor {:.2} % of one core: publishing 2,500 values a second costs {:.2} % (goal 3 %)",
        alone.percent,
        published.percent - alone.percent
    );
}

/// What the load cost, and how well it was carried.
struct Carried {
    devices: usize,
    cycles: u64,
    late: u64,
    worst_ns: u64,
    percent: f64,
    rss: f64,
}

async fn carry(publishing: bool) -> Carried {
    let (_keep, dir) = scratch();
    let (_broker, port) = mosquitto(&dir);
    let room = Arc::new(Mutex::new(Room { lively: true, ..Room::default() }));
    let address = serve(Arc::clone(&room)).await;
    let config = load_config(&dir, &address.to_string(), publishing.then_some(port));
    let daemon = daemon(&config);
    let pid = daemon.0.id();
    tokio::time::sleep(SETTLING).await;
    room.lock().unwrap().asked.clear();
    let (cpu_before, _) = cost(pid);
    tokio::time::sleep(Duration::from_secs(LOAD_S)).await;
    let (cpu_after, rss) = cost(pid);
    let asked = room.lock().unwrap().asked.clone();
    let percent = (cpu_after - cpu_before) / Duration::from_secs(LOAD_S).as_secs_f64() * 100.0;
    let mut carried = Carried { devices: asked.len(), cycles: 0, late: 0, worst_ns: 0, percent, rss };
    for moments in asked.values() {
        for pair in moments.windows(2) {
            let off = (pair[1] - pair[0]).abs_diff(1_000_000_000);
            carried.cycles += 1;
            carried.worst_ns = carried.worst_ns.max(off);
            carried.late += u64::from(LATE_NS < off);
        }
    }
    carried
}

fn milliseconds(ns: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "durations of a measurement")]
    let ns = ns as f64;
    ns / 1e6
}

fn report(what: &str, mut samples: Vec<f64>, p50: f64, p99: f64) {
    println!(
        "{what}: n {}, p50 {:.2} ms (goal {p50}), p99 {:.2} ms (goal {p99}), worst {:.2} ms",
        samples.len(),
        percentile(&mut samples, 0.5),
        percentile(&mut samples, 0.99),
        percentile(&mut samples, 1.0),
    );
}

/// A directory with the configuration's text, its profile, and a token.
fn place(dir: &Path, name: &str, text: &str, profile: &str) -> PathBuf {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::create_dir(dir.join("profiles")).unwrap();
    std::fs::write(dir.join("profiles/bench.toml"), profile).unwrap();
    let token = dir.join("token");
    std::fs::write(&token, TOKEN).unwrap();
    std::fs::set_permissions(&token, std::fs::Permissions::from_mode(0o600)).unwrap();
    let path = dir.join(name);
    std::fs::write(&path, text.replace("@DIR@", &dir.display().to_string())).unwrap();
    path
}

fn latency_config(dir: &Path, modbus: &str, mqtt: u16, web: u16) -> PathBuf {
    let text = include_str!("gateway/latency.toml")
        .replace("@MODBUS@", modbus)
        .replace("@MQTT@", &mqtt.to_string())
        .replace("@WEB@", &web.to_string());
    place(dir, "latency.toml", &text, include_str!("gateway/probe.toml"))
}

/// 40 devices of 63 values, half of them judged.
fn load_config(dir: &Path, modbus: &str, mqtt: Option<u16>) -> PathBuf {
    let mut text = include_str!("gateway/load.toml").replace("@MODBUS@", modbus);
    if let Some(port) = mqtt {
        let _ =
            write!(text, "\n[mqtt]\nhost = \"127.0.0.1\"\nport = {port}\nclient_id = \"emberwatch-bench\"\n");
    }
    for unit in 1..=40 {
        let device = include_str!("gateway/load-device.toml").replace("@UNIT@", &unit.to_string());
        text.push_str(&device);
        for register in (0..62).step_by(2) {
            let rule = include_str!("gateway/load-rule.toml").replace("@UNIT@", &unit.to_string());
            text.push_str(&rule.replace("@REGISTER@", &register.to_string()));
        }
    }
    let mut profile = include_str!("gateway/block.toml").to_owned();
    // 62 values of two registers and one of one: 125 registers.
    for register in (0..125).step_by(2) {
        let (kind, scale) = if register == 124 { ("u16", 0.1) } else { ("u32", 0.00001) };
        let _ = write!(
            profile,
            "\n[[point]]\nname = \"value-{register}\"\ntable = \"holding\"\naddress = {register}\ntype = \"{kind}\"\n\
             scale = {scale}\nunit = \"degC\"\nrange = [-40, 1000]\nclass = \"fast\"\n"
        );
    }
    place(dir, "load.toml", &text, &profile)
}

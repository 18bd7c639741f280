//! What the gateway costs, and whether it keeps up.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::latency::{await_message, subscriber};
use super::support::{Room, cost, daemon, mosquitto, now_ns, scratch, serve};
use super::{milliseconds, place, report};

/// How long the load runs before it is watched.
const SETTLING: Duration = Duration::from_secs(5);
/// How long the load is watched.
const LOAD_S: u64 = 60;
/// A cycle that begins this much late is late.
const LATE_NS: u64 = 100_000_000;
/// Devices on one link.
const UNITS: usize = 40;
/// Links of the tenfold load.
const LINKS: usize = 10;
/// A value that raises an alarm: 590 °C.
const HOT: u16 = 900;
/// How long the gateway may take until it has asked every device.
const START_MAX_S: u64 = 60;

pub(crate) async fn load() {
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
    let room = lively();
    let address = serve(Arc::clone(&room)).await.to_string();
    let config = Plan { links: &[address], mqtt: publishing.then_some(port), web: None }.write(&dir);
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

fn lively() -> Arc<Mutex<Room>> {
    Arc::new(Mutex::new(Room { lively: true, ..Room::default() }))
}

/// Ten times the devices on ten links, published: how late the loop looks, and how late an alarm is.
pub(crate) async fn tenfold() {
    let (_keep, dir) = scratch();
    let (_broker, port) = mosquitto(&dir);
    let rooms: Vec<Arc<Mutex<Room>>> = (0..LINKS).map(|_| lively()).collect();
    let mut links = Vec::new();
    for room in &rooms {
        links.push(serve(Arc::clone(room)).await.to_string());
    }
    let web = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let config = Plan { links: &links, mqtt: Some(port), web: Some(web) }.write(&dir);
    println!("tenfold: {} devices x 125 registers at 1 s, published", LINKS * UNITS);
    let mut heard = subscriber(port).await;
    let daemon = daemon(&config);
    let pid = daemon.0.id();
    wait_for_all(&rooms).await;
    tokio::time::sleep(SETTLING).await;
    let (before, (cpu_before, _), begun) = (lateness(web).await, cost(pid), now_ns());
    let mut alarm_ms = Vec::new();
    // Each device once: an alarm that comes and goes is told once a minute.
    for unit in 1..=u8::try_from(UNITS).unwrap() {
        tokio::time::sleep(Duration::from_millis(500 + (u64::from(unit) * 70) % 500)).await;
        rooms[0].lock().unwrap().registers.insert((unit, 0), HOT);
        let arrived = await_message(&mut heard, &format!("alarm/hot-0-{unit}-0"), "unack-active").await;
        let (value, handed_out) = rooms[0].lock().unwrap().handed_out[&unit];
        assert_eq!(value, HOT, "the alarm is about the value that was set");
        alarm_ms.push(milliseconds(arrived - handed_out));
    }
    let (after, (cpu_after, rss)) = (lateness(web).await, cost(pid));
    let watched_s = milliseconds(now_ns() - begun) / 1000.0;
    let scans = after["+Inf"] - before["+Inf"];
    println!("safety loop, {scans} scans in {watched_s:.0} s:");
    for end in ["0.001", "0.005", "0.02", "0.1"] {
        let within = (after[end] - before[end]) / scans * 100.0;
        println!("  at most {end} s late: {within:.3} %");
    }
    let within = (after["0.02"] - before["0.02"]) / scans;
    println!("  goal: 99.9 % at most 20 ms late: {}", if 0.999 <= within { "reached" } else { "MISSED" });
    report("value handed out -> alarm at an MQTT subscriber, at tenfold load", alarm_ms, 2000.0, 2000.0);
    println!(
        "processor {:.1} % of one core, resident {rss:.1} MiB",
        (cpu_after - cpu_before) / watched_s * 100.0
    );
}

/// Until every device was asked.
async fn wait_for_all(rooms: &[Arc<Mutex<Room>>]) {
    for _ in 0..START_MAX_S {
        if rooms.iter().all(|room| room.lock().unwrap().asked.len() == UNITS) {
            return;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    panic!("not every device was asked within {START_MAX_S} s");
}

/// How many scans were at most so many seconds late, by what the gateway says of itself.
async fn lateness(web: u16) -> BTreeMap<String, f64> {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("http://127.0.0.1:{web}/metrics");
    let text = http.get(url).send().await.unwrap().text().await.unwrap();
    let classes = text.lines().filter_map(|line| {
        let (end, count) =
            line.strip_prefix("emberwatch_control_loop_lateness_seconds_bucket{le=\"")?.split_once("\"} ")?;
        Some((end.to_owned(), count.parse().ok()?))
    });
    classes.collect()
}

/// What is watched, over which links, and who is told.
struct Plan<'a> {
    links: &'a [String],
    mqtt: Option<u16>,
    web: Option<u16>,
}

impl Plan<'_> {
    /// 40 devices of 63 values on each link, half of the values judged.
    fn write(&self, dir: &Path) -> PathBuf {
        let mut text = include_str!("load.toml").to_owned();
        if let Some(port) = self.mqtt {
            let _ = write!(
                text,
                "\n[mqtt]\nhost = \"127.0.0.1\"\nport = {port}\nclient_id = \"emberwatch-bench\"\n"
            );
        }
        if let Some(port) = self.web {
            let _ = write!(text, "\n[web]\nlisten = \"127.0.0.1:{port}\"\n");
        }
        for (link, address) in self.links.iter().enumerate() {
            let of_link =
                |piece: &str| piece.replace("@LINK@", &link.to_string()).replace("@MODBUS@", address);
            text.push_str(&of_link(include_str!("load-link.toml")));
            for unit in 1..=UNITS {
                let of_unit = |piece: &str| of_link(piece).replace("@UNIT@", &unit.to_string());
                text.push_str(&of_unit(include_str!("load-device.toml")));
                for register in (0..62).step_by(2) {
                    // Some are at once, so that their delay can be measured, and come through a flood.
                    let measured = (link, register) == (0, 0);
                    let (level, delay_s) = if measured { ("danger", "0") } else { ("warning", "10") };
                    let rule = of_unit(include_str!("load-rule.toml")).replace("@DELAY@", delay_s);
                    let rule = rule.replace("@LEVEL@", level);
                    text.push_str(&rule.replace("@REGISTER@", &register.to_string()));
                }
            }
        }
        place(dir, "load.toml", &text, &profile())
    }
}

/// 62 values of two registers and one of one: 125 registers.
fn profile() -> String {
    let mut profile = include_str!("block.toml").to_owned();
    for register in (0..125).step_by(2) {
        let (kind, scale) = if register == 124 { ("u16", 0.1) } else { ("u32", 0.00001) };
        let _ = write!(
            profile,
            "\n[[point]]\nname = \"value-{register}\"\ntable = \"holding\"\naddress = {register}\ntype = \"{kind}\"\n\
             scale = {scale}\nunit = \"degC\"\nrange = [-40, 1000]\nclass = \"fast\"\n"
        );
    }
    profile
}

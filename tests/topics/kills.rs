//! A gateway that is killed again and again while it publishes: what it has decided arrives, in order, and little of it twice.
//!
//! The journal says what was decided. `EMBERWATCH_PUBLISH_KILLS` sets how often it is killed: ten times unless told otherwise.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use emberwatch::clock;
use emberwatch::sim::Noise;
use serde_json::Value;

use super::bench::{Daemon, state};
use super::box_plant::{Plan, Plant};
use super::broker::Mosquitto;
use super::program::{emberwatch, finish, free_port, until};

/// Kills in the tests.
const KILLS: u32 = 10;
/// Messages that may be on their way when the gateway dies: the receive maximum of the broker (mosquitto.conf(5)).
const IN_FLIGHT_MAX: usize = 20;
/// The most telemetry that a kill may cost.
const LOSS_MAX_MS: i64 = 1000;

/// One change of an alarm, by its number, as it was heard: the alarm.
type Changes = Vec<(u64, String)>;

/// The events of alarms that were heard, doubles and all, in the order in which they came.
fn heard(mqtt: &Mosquitto) -> Changes {
    let out = mqtt.heard.out();
    let whole = out.rfind('\n').map_or("", |end| &out[..end]);
    let payloads = whole.lines().filter(|line| line.starts_with("emberwatch/1/test/b1/event\t"));
    payloads
        .filter_map(|line| serde_json::from_str::<Value>(line.rsplit('\t').next()?).ok())
        .filter_map(|event| Some((event["number"].as_u64()?, event["alarm"]["id"].as_str()?.to_owned())))
        .collect()
}

/// The times of the readings that were heard, in milliseconds.
fn readings(mqtt: &Mosquitto) -> Vec<i64> {
    let out = mqtt.heard.out();
    let whole = out.rfind('\n').map_or("", |end| &out[..end]);
    let of_box = ["emberwatch/1/test/b1/device/box-1/data\t", "emberwatch/1/test/b1/device/box-1/backlog\t"];
    let payloads = whole.lines().filter(|line| of_box.iter().any(|topic| line.starts_with(topic)));
    let time = |line: &str| {
        let event: Value = serde_json::from_str(line.rsplit('\t').next()?).ok()?;
        emberwatch::wire::time::parse(event["ts"].as_str()?).map(|at| at.0)
    };
    let mut times: Vec<i64> = payloads.filter_map(time).collect();
    times.sort_unstable();
    times
}

/// What the journal has: each change of an alarm with its number.
fn decided(config: &str) -> Changes {
    let (code, out, err) = finish(&mut emberwatch(&["journal", "export", "--config", config]));
    assert_eq!(code, 0, "{err}");
    let records = out.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let alarms = records.filter_map(|record| {
        let alarm = &record["is"]["alarm"];
        Some((alarm["change"].as_u64()?, alarm["alarm"].as_str()?.to_owned()))
    });
    alarms.collect()
}

/// Adds the changes that came after those known.
fn add(known: &mut Changes, journal: Changes) {
    let last = known.last().map_or(0, |change| change.0);
    known.extend(journal.into_iter().filter(|change| last < change.0));
}

#[test]
#[expect(clippy::print_stdout, reason = "figures for the README, and progress of a long run")]
fn killed_while_publishing_every_change_of_an_alarm_arrives_in_order_and_few_twice() {
    let kills =
        std::env::var("EMBERWATCH_PUBLISH_KILLS").ok().and_then(|it| it.parse().ok()).unwrap_or(KILLS);
    let dir = tempfile::tempdir().expect("a temporary directory");
    let (mut plant, mqtt) = (Plant::start(dir.path(), "never"), Mosquitto::start(dir.path()));
    let page = free_port();
    let plan = Plan { mode: "disabled", more: mqtt.table(), ..Plan::new(plant.port, page) };
    let config = plan.write(dir.path());
    let mut dice = Noise::new(1);
    let (mut deaths, mut known) = (Vec::new(), Changes::new());
    plant.temperature_c(25);
    for kill in 0..kills {
        let mut daemon = Daemon::start(dir.path(), &config, page);
        until(|| format!("start {kill}: {}", daemon.program.err()), || state(page));
        // Alarms come and go until it dies in the middle of it.
        let dies = clock::uptime().0 + 100 + dice.index(900) as u64;
        let mut hot = false;
        while clock::uptime().0 < dies {
            hot = !hot;
            plant.temperature_c(if hot { 95 } else { 25 });
            std::thread::sleep(Duration::from_millis(20 + dice.index(100) as u64));
        }
        deaths.push(clock::now().wall.0);
        daemon.program.kill();
        if kill % 50 == 49 {
            // A journal keeps so many segments, and each start begins one.
            add(&mut known, decided(&config.display().to_string()));
            println!("{} kills, {} events of alarms heard", kill + 1, heard(&mqtt).len());
        }
    }
    plant.temperature_c(25);
    let mut daemon = Daemon::start(dir.path(), &config, page);
    daemon.until_calm();
    add(&mut known, decided(&config.display().to_string()));
    let missing = || {
        let told: BTreeSet<u64> = heard(&mqtt).into_iter().map(|change| change.0).collect();
        known.iter().filter(|change| !told.contains(&change.0)).count()
    };
    until(|| format!("{} changes that never arrived", missing()), || (missing() == 0).then_some(()));
    daemon.program.terminate();

    let (all, decided) = (heard(&mqtt), known);
    assert!(decided.len() >= usize::try_from(kills).expect("few"), "{} changes in all", decided.len());
    let mut last: BTreeMap<&str, u64> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    let firsts: Vec<&(u64, String)> = all.iter().filter(|change| seen.insert(change.0)).collect();
    for (number, alarm) in &firsts {
        let before = last.insert(alarm, *number).unwrap_or(0);
        assert!(before < *number, "{alarm}: change {number} came after {before}");
    }
    let doubles = all.len() - firsts.len();
    assert!(doubles <= IN_FLIGHT_MAX * deaths.len(), "{doubles} doubles");
    let times = readings(&mqtt);
    let lost = |death: &i64| {
        let at = times.partition_point(|time| time <= death);
        at.checked_sub(1).map_or(i64::MAX, |last| death - times[last])
    };
    let mut losses: Vec<i64> = deaths.iter().map(lost).collect();
    losses.sort_unstable();
    println!(
        "{} kills: {} changes of alarms decided, {} heard, {doubles} of them twice; the last reading before a kill was \
         {} ms old as a rule and {} ms at most",
        deaths.len(),
        decided.len(),
        all.len(),
        losses[losses.len() / 2],
        losses[losses.len() - 1]
    );
    assert!(losses[losses.len() - 1] <= LOSS_MAX_MS, "{losses:?}");
}

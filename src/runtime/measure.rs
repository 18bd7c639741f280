//! Everything that is counted and measured, as samples.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::clock;
use crate::field::Field;
use crate::field::frame::REJECTS;
use crate::field::stats::REASONS;
use crate::metrics::names::{self as metric, Metric};
use crate::metrics::{Label, Samples, Sources};
use crate::notify;
use crate::runtime::pace::Pace;
use crate::runtime::screen::Counted;
use crate::safety::alarm::AlarmState;
use crate::safety::reading::Reading;
use crate::safety::sequence::spec::Mode;
use crate::safety::site::{AlarmId, DeviceId, PointId, SequenceId, ZoneId};
use crate::sinks::influx;
use crate::sinks::mqtt::MqttCounters;
use crate::sinks::spool::SpoolCounters;
use crate::units::{ClockSync, Unit};
use crate::wire::payload::device::Link;
use crate::wire::payload::priority;
use crate::wire::payload::sequence::{STATE_WORDS, state_word};
use crate::wire::{Board, text};

/// How the plant stands, as the board has it.
pub(super) fn plant(board: &Board, counted: &Counted, cells: bool, samples: &mut Samples) {
    let lag = clock::uptime().since(board.now().uptime).as_secs_f64();
    if 0 < board.seq() {
        samples.put(&metric::LOOP_LAG, [], lag);
    }
    match board.envelope().clock {
        ClockSync::Synchronised => samples.count(&metric::CLOCK_SYNCHRONISED, [], 1),
        ClockSync::Unsynchronised => samples.count(&metric::CLOCK_SYNCHRONISED, [], 0),
        ClockSync::Unknown => {}
    }
    points(board, cells, samples);
    devices(board, samples);
    alarms(board, counted, samples);
    sequences(board, counted, samples);
    for (index, zone) in board.site().zones.iter().enumerate() {
        let labels = [("room", board.site()[zone.room].name.clone()), ("zone", zone.name.clone())];
        let level = board.zone(ZoneId::at(index)).level as u64;
        samples.count(&metric::ZONE_LEVEL, labels, level);
    }
}

fn points(board: &Board, cells: bool, samples: &mut Samples) {
    let site = board.site();
    let mut qualities: BTreeMap<(&str, &'static str), u64> = BTreeMap::new();
    for room in &site.rooms {
        qualities.extend(["good", "uncertain", "bad"].map(|quality| ((room.name.as_str(), quality), 0)));
    }
    for (index, reading) in board.readings().iter().enumerate() {
        let point = &site[PointId::at(index)];
        let device = &site[point.device];
        let room = &site[site[device.zone].room].name;
        let (quality, value) = match reading {
            Reading::Good { value, .. } => ("good", Some(value.get())),
            Reading::Uncertain { value, .. } => ("uncertain", Some(value.get())),
            Reading::NeverSeen | Reading::Bad { .. } => ("bad", None),
        };
        *qualities.entry((room, quality)).or_default() += 1;
        let (Some(value), Some((metric, divisor))) = (value, measured(&point.name, point.unit)) else {
            continue;
        };
        if cells || !is_cell(&point.name) {
            let labels =
                [("room", room.clone()), ("device", device.name.clone()), ("point", point.name.clone())];
            samples.put(metric, labels, value / divisor);
        }
    }
    for ((room, quality), count) in qualities {
        samples.count(&metric::POINTS, [("room", room.to_owned()), ("quality", quality.to_owned())], count);
    }
}

/// The metric of a point, and what its value is divided by: base units alone, but for gases.
fn measured(name: &str, unit: Unit) -> Option<(&'static Metric, f64)> {
    Some(match unit {
        Unit::Celsius => (&metric::TEMPERATURE, 1.0),
        Unit::Volt => (&metric::VOLTAGE, 1.0),
        Unit::Ampere => (&metric::CURRENT, 1.0),
        Unit::Watt => (&metric::POWER_WATTS, 1.0),
        Unit::Percent if name.split('-').any(|word| word == "soc") => (&metric::STATE_OF_CHARGE, 100.0),
        Unit::Percent => (&metric::SHARE, 100.0),
        Unit::PercentLfl => (&metric::GAS_LFL, 100.0),
        Unit::Ppm => (&metric::GAS_PPM, 1.0),
        Unit::ObscurationPerMetre => (&metric::OBSCURATION, 100.0),
        _ => return None,
    })
}

/// `cell-v-3` is of cell 3.
fn is_cell(name: &str) -> bool {
    let number = name.strip_prefix("cell-").and_then(|rest| rest.rsplit_once('-'));
    number.is_some_and(|(_, number)| number.parse::<u32>().is_ok())
}

fn devices(board: &Board, samples: &mut Samples) {
    let site = board.site();
    for (index, device) in site.devices.iter().enumerate() {
        let status = board.device(DeviceId::at(index));
        let labels =
            || [("room", site[site[device.zone].room].name.clone()), ("device", device.name.clone())];
        if status.link != Link::NeverSeen || status.why.is_some() {
            samples.count(&metric::DEVICE_UP, labels(), u64::from(status.link == Link::Online));
        }
        if let Some(at) = status.last_ok {
            samples.put(&metric::DEVICE_LAST_SUCCESS, labels(), seconds(at.0));
        }
    }
}

fn alarms(board: &Board, counted: &Counted, samples: &mut Samples) {
    let site = board.site();
    let mut standing: BTreeMap<[&str; 3], u64> = BTreeMap::new();
    for (index, alarm) in site.alarms.iter().enumerate() {
        let record = board.alarm(AlarmId::at(index));
        if record.state != AlarmState::Normal {
            let priority = record.priority.map_or("none", priority);
            *standing.entry([&site[alarm.room].name, priority, record.state.word()]).or_default() += 1;
        }
    }
    for ([room, priority, state], count) in standing {
        let labels =
            [("room", room.to_owned()), ("priority", priority.to_owned()), ("state", state.to_owned())];
        samples.count(&metric::ALARMS, labels, count);
    }
    for ((alarm, event), count) in &counted.alarms {
        let spec = &site[*alarm];
        let room = site[spec.room].name.clone();
        let labels = [("room", room), ("alarm", spec.name.clone()), ("event", (*event).to_owned())];
        samples.count(&metric::ALARM_TRANSITIONS, labels, *count);
    }
}

fn sequences(board: &Board, counted: &Counted, samples: &mut Samples) {
    let site = board.site();
    for (index, spec) in site.sequences.iter().enumerate() {
        let now = board.sequence(SequenceId::at(index));
        let name = || ("sequence", spec.name.clone());
        for state in STATE_WORDS {
            let labels = [name(), ("state", state.to_owned())];
            samples.count(&metric::SEQUENCE_STATE, labels, u64::from(state == state_word(&now.phase)));
        }
        for mode in [Mode::Disabled, Mode::Shadow, Mode::Armed] {
            let labels = [name(), ("mode", text::mode(mode).to_owned())];
            samples.count(&metric::SEQUENCE_MODE, labels, u64::from(mode == now.mode));
        }
    }
    for ((sequence, mode, outcome), count) in &counted.runs {
        let name = site[*sequence].name.clone();
        let labels = [("sequence", name), ("mode", (*mode).to_owned()), ("outcome", (*outcome).to_owned())];
        samples.count(&metric::SEQUENCE_RUNS, labels, *count);
    }
}

/// What the process itself and its links count.
pub(super) fn process(sources: &Sources, field: &Arc<Field>, pings: Arc<AtomicU64>, pace: Arc<Pace>) {
    let loaded = seconds(clock::now().wall.0);
    sources.set("process", move |samples| {
        samples.count(&metric::BUILD, [("version", env!("CARGO_PKG_VERSION").to_owned())], 1);
        samples.count(&metric::CONFIG_LOADED, [], 1);
        samples.put(&metric::CONFIG_LOADED_AT, [], loaded);
        samples.count(&metric::WATCHDOG_PINGS, [], pings.load(Ordering::Relaxed));
        let (classes, sum) = pace.classes();
        samples.classes(&metric::TICK_LATENESS, [], classes, sum);
    });
    let field = Arc::clone(field);
    sources.set("field", move |samples| links(&field, samples));
}

fn links(field: &Field, samples: &mut Samples) {
    for link in field.stats() {
        let name = || ("link", link.name.clone());
        samples.count(&metric::LINK_UP, [name()], u64::from(link.connected));
        samples.count(&metric::POLLS, [name()], link.polls);
        samples.count(&metric::POLL_OVERRUNS, [name()], link.late_cycles);
        samples.count(&metric::REQUESTS, [name()], link.requests);
        samples.count(&metric::REQUEST_TIMEOUTS, [name()], link.timeouts);
        for (reason, count) in REASONS.into_iter().zip(link.errors) {
            samples.count(&metric::POINT_FAULTS, [name(), ("reason", reason.to_owned())], count);
        }
        for (reason, count) in REJECTS.into_iter().zip(link.rejects) {
            samples.count(&metric::FRAMES_REJECTED, [name(), ("reason", reason.to_owned())], count);
        }
        #[expect(clippy::cast_precision_loss, reason = "milliseconds of a round trip")]
        let end = |ms: Option<u64>| ms.map_or(f64::INFINITY, |ms| ms as f64 / 1000.0);
        let classes = link.rtt.iter().map(|(ms, count)| (end(*ms), *count)).collect();
        samples.classes(&metric::POLL_DURATION, [name()], classes, link.rtt_sum.as_secs_f64());
    }
}

/// What the MQTT sink counts.
pub(super) fn mqtt(sources: &Sources, counters: Arc<MqttCounters>, spool: Option<Arc<SpoolCounters>>) {
    sources.set("mqtt", move |samples| {
        let sink = || ("sink", "mqtt".to_owned());
        samples.count(&metric::SINK_UP, [sink()], u64::from(counters.connected.load(Ordering::Relaxed)));
        samples.count(&metric::OUTBOX_MESSAGES, [sink()], MqttCounters::get(&counters.waiting));
        samples.count(&metric::SINK_WRITTEN, [sink()], MqttCounters::get(&counters.published));
        let lost = [
            ("outbox-full", &counters.dropped_readings),
            ("too-old", &counters.expired_readings),
            ("outbox-full-event", &counters.dropped_events),
            ("too-large", &counters.too_large),
            ("missed", &counters.missed),
        ];
        for (reason, count) in lost {
            let labels = [sink(), ("reason", reason.to_owned())];
            samples.count(&metric::SINK_LOST, labels, MqttCounters::get(count));
        }
        if let Some(spool) = &spool {
            spooled(spool, &sink(), samples);
        }
    });
}

/// What one bucket of InfluxDB counts.
pub(super) fn influx(
    sources: &Sources,
    sink: &'static str,
    read: impl Fn() -> (influx::Counts, Option<Arc<SpoolCounters>>) + Send + 'static,
) {
    sources.set(sink, move |samples| {
        let (counts, spool) = read();
        let label = || ("sink", sink.to_owned());
        samples.count(&metric::OUTBOX_MESSAGES, [label()], counts.waiting);
        samples.count(&metric::SINK_WRITTEN, [label()], counts.written);
        let lost =
            [("outbox-full", counts.dropped), ("dead-letter", counts.quarantined), ("missed", counts.missed)];
        for (reason, count) in lost {
            samples.count(&metric::SINK_LOST, [label(), ("reason", reason.to_owned())], count);
        }
        if let Some(spool) = &spool {
            spooled(spool, &label(), samples);
        }
    });
}

fn spooled(spool: &SpoolCounters, sink: &Label, samples: &mut Samples) {
    let get = SpoolCounters::get;
    samples.count(&metric::SPOOL_BYTES, [sink.clone()], get(&spool.bytes));
    samples.count(&metric::SPOOL_WAITING, [sink.clone()], get(&spool.waiting));
    samples.count(&metric::SPOOL_WRITTEN, [sink.clone()], get(&spool.bytes_written));
    for (reason, count) in [("spool-full", &spool.dropped), ("spool-damaged", &spool.damaged)] {
        samples.count(&metric::SINK_LOST, [sink.clone(), ("reason", reason.to_owned())], get(count));
    }
}

/// What one target of messages counts.
pub(super) fn target(sources: &Sources, name: String, read: impl Fn() -> notify::Counts + Send + 'static) {
    sources.set(&format!("target {name}"), move |samples| {
        let counts = read();
        samples.count(&metric::OUTBOX_MESSAGES, [("sink", name.clone())], counts.waiting);
        let results = [
            ("delivered", counts.delivered),
            ("failed-try", counts.failures),
            ("dropped", counts.dropped),
            ("rejected", counts.rejected),
            ("missed", counts.missed),
        ];
        for (result, count) in results {
            let labels = [("target", name.clone()), ("result", result.to_owned())];
            samples.count(&metric::NOTIFICATIONS, labels, count);
        }
    });
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 are exact")]
fn seconds(wall_ms: i64) -> f64 {
    wall_ms as f64 / 1000.0
}

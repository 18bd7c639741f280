//! Where profiles come from. The one file that knows how `field::profile` spells things.

use std::sync::Arc;

use super::{ActionView, Fault, PointView, ProfileView};
use crate::field::profile::Profile;
use crate::safety::site::{DeviceKind, Labels, OutputKind};
use crate::units::Unit;

/// The profiles that are part of the program.
pub(super) fn builtin() -> Vec<ProfileView> {
    vec![bms(), ups(), gas(), smoke(), relay()]
}

/// One profile file.
pub(super) fn parse(_text: &str, file_name: &str) -> Result<ProfileView, Vec<Fault>> {
    Err(vec![Fault {
        span: 0..0,
        message: format!("`{file_name}` is not a profile"),
        help: "profiles describe register maps".to_owned(),
    }])
}

fn view(id: &str, kind: DeviceKind, points: Vec<PointView>, actions: Vec<ActionView>) -> ProfileView {
    ProfileView { id: id.to_owned(), kind, points, actions, profile: Arc::new(Profile {}) }
}

fn point(class: &str, name: &str, unit: Unit, range: Option<(f64, f64)>) -> PointView {
    PointView {
        name: name.to_owned(),
        unit,
        range,
        fall_per_s_max: None,
        labels: Labels::None,
        class: class.to_owned(),
    }
}

fn bits(name: &str, bits: &[&str]) -> PointView {
    let labels = bits.iter().zip(0u8..).map(|(bit, at)| (at, (*bit).to_owned())).collect();
    PointView { labels: Labels::Bits(labels), ..point("fast", name, Unit::None, None) }
}

fn words(name: &str, words: &[(u32, &str)]) -> PointView {
    let labels = words.iter().map(|(value, word)| (*value, (*word).to_owned())).collect();
    PointView { labels: Labels::Enum(labels), ..point("fast", name, Unit::None, None) }
}

fn action(name: &str, output: OutputKind, echo: Option<&str>) -> ActionView {
    ActionView { name: name.to_owned(), output, echoes: echo.map(str::to_owned).into_iter().collect() }
}

fn bms() -> ProfileView {
    let temperature = Some((-40.0, 1000.0));
    let mut points = vec![
        point("fast", "heartbeat", Unit::None, None),
        words("state", &[(0, "standby"), (1, "charging"), (2, "discharging"), (3, "fault")]),
        point("fast", "voltage", Unit::Volt, Some((0.0, 1000.0))),
        point("fast", "current", Unit::Ampere, Some((-1000.0, 1000.0))),
        point("fast", "soc", Unit::Percent, Some((0.0, 100.0))),
        point("fast", "soh", Unit::Percent, Some((0.0, 100.0))),
        point("fast", "cell-v-max", Unit::Volt, Some((0.0, 5.0))),
        point("fast", "cell-v-min", Unit::Volt, Some((0.0, 5.0))),
        point("fast", "cell-temp-max", Unit::Celsius, temperature),
        point("fast", "cell-temp-min", Unit::Celsius, temperature),
        point("fast", "cell-temp-spread", Unit::Celsius, Some((0.0, 1000.0))),
        point("fast", "insulation", Unit::Kiloohm, None),
        bits("alarms", &["cell-temp-high", "cell-voltage-low", "contactor-fault", "sensor-fault"]),
        words("contactor", &[(0, "open"), (1, "closed")]),
        words("charging-allowed", &[(0, "no"), (1, "yes")]),
    ];
    points.extend((1..=16).map(|n| point("slow", &format!("cell-v-{n}"), Unit::Volt, Some((0.0, 5.0)))));
    points.extend((1..=16).map(|n| point("slow", &format!("cell-temp-{n}"), Unit::Celsius, temperature)));
    let level = OutputKind::Level;
    view(
        "sim-bms",
        DeviceKind::Battery,
        points,
        vec![action("stop-charging", level, None), action("open-contactor", level, None)],
    )
}

fn ups() -> ProfileView {
    let points = vec![
        bits(
            "status",
            &["online", "on-battery", "bypass", "fault", "battery-disconnected", "bypass-available"],
        ),
        point("fast", "battery-v", Unit::Volt, None),
        point("fast", "battery-a", Unit::Ampere, None),
        point("fast", "battery-temp", Unit::Celsius, Some((-40.0, 1000.0))),
        point("fast", "load-w", Unit::Watt, None),
    ];
    view("sim-ups", DeviceKind::Ups, points, vec![action("output-off", OutputKind::Level, None)])
}

fn gas() -> ProfileView {
    let points = vec![
        words("state", &[(1, "normal"), (2, "warm-up"), (3, "inhibit"), (12, "calibration")]),
        point("fast", "concentration", Unit::PercentLfl, Some((0.0, 100.0))),
        bits("alarms", &["alarm-1", "alarm-2"]),
        bits("faults", &["sensor-fault"]),
        point("fast", "heartbeat", Unit::None, None),
    ];
    view("sim-gas", DeviceKind::Gas, points, Vec::new())
}

fn smoke() -> ProfileView {
    let points = vec![
        bits("alarms", &["alert", "action-1", "action-2", "fire-1", "fire-2"]),
        bits("faults", &["airflow", "detector"]),
        point("fast", "obscuration", Unit::ObscurationPerMetre, None),
        point("fast", "fan", Unit::Rpm, None),
        point("fast", "room-temp", Unit::Celsius, None),
    ];
    view("sim-smoke", DeviceKind::Smoke, points, Vec::new())
}

fn relay() -> ProfileView {
    let position = [(0, "open"), (1, "closed")];
    let onoff = [(0, "off"), (1, "on")];
    let points = vec![
        words("breaker-1", &position),
        words("breaker-2", &position),
        words("breaker-ups", &position),
        words("siren", &onoff),
        words("exhaust", &onoff),
    ];
    let level = OutputKind::Level;
    let actions = vec![
        action("trip-1", level, None),
        action("trip-2", level, None),
        action("trip-ups", level, None),
        action("siren-on", level, Some("siren")),
        action("exhaust-on", level, Some("exhaust")),
    ];
    view("sim-relay", DeviceKind::Contact, points, actions)
}

//! `gateway/{gw}/status`, `info` and `heartbeat`.

use serde_json::{Value, json};

use super::{document, priority};
use crate::safety::risk::Level;
use crate::safety::site::{Priority, Site};
use crate::wire::{Envelope, VERSION};

/// How the gateway itself is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GatewayState {
    /// It has not judged anything yet.
    Starting,
    /// It works.
    Online,
    /// It judges, but a part of it fails, or its loop is silent.
    Degraded,
    /// It is being stopped.
    Stopping,
}

impl GatewayState {
    /// Its word in documents.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Online => "online",
            Self::Degraded => "degraded",
            Self::Stopping => "stopping",
        }
    }
}

/// How the gateway is, and what of it fails (names of its own alarms).
#[must_use]
pub fn status(envelope: &Envelope, state: GatewayState, failing: &[&str]) -> Value {
    document(envelope, json!({ "state": state.word(), "failing": failing, "clock": envelope.clock.word() }))
}

/// What the broker says for a gateway that is gone.
#[must_use]
pub fn will(boot: &str) -> Value {
    json!({ "v": VERSION, "boot": boot, "state": "lost" })
}

/// What runs here.
#[must_use]
pub fn info(envelope: &Envelope) -> Value {
    let site = envelope.site;
    let rooms: serde_json::Map<String, Value> = site
        .rooms
        .iter()
        .map(|room| (room.name.clone(), json!({ "title": room.title, "zones": zones(site, &room.name) })))
        .collect();
    document(
        envelope,
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "site": site.name,
            "gateway": site.gateway,
            "rooms": rooms,
            "devices": site.devices.len(),
            "points": site.points.len(),
        }),
    )
}

fn zones<'a>(site: &'a Site, room: &str) -> Vec<&'a str> {
    let inside = site.zones.iter().filter(|zone| site[zone.room].name == room);
    inside.map(|zone| zone.name.as_str()).collect()
}

/// What a heartbeat tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pulse {
    /// Milliseconds since the loop last spoke.
    pub loop_silent_ms: u64,
    /// The worst level of any zone.
    pub level: Level,
    /// The worst priority of any standing alarm.
    pub priority: Option<Priority>,
    /// Standing alarms.
    pub alarms: usize,
    /// Runs under way.
    pub runs: usize,
}

/// The safety loop is alive.
#[must_use]
pub fn heartbeat(envelope: &Envelope, pulse: Pulse) -> Value {
    document(
        envelope,
        json!({
            "loop_silent_ms": pulse.loop_silent_ms,
            "level": pulse.level.word(),
            "priority": pulse.priority.map(priority),
            "alarms": pulse.alarms,
            "runs": pulse.runs,
        }),
    )
}

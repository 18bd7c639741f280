//! `device/{dev}/state` and `device/{dev}/meta`.

use std::borrow::Cow;

use serde_json::{Value, json};

use super::document;
use crate::safety::rules::RuleKind;
use crate::safety::rules::limit::{Side, Step};
use crate::safety::site::{DeviceId, DeviceKind, Labels, PointId, Site};
use crate::units::WallTime;
use crate::wire::{Envelope, time};

/// Whether a device answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Link {
    /// No answer since the start.
    #[default]
    NeverSeen,
    /// It answers.
    Online,
    /// It missed polls, but for less than its silence limit.
    Stale,
    /// Silent for longer than that.
    Offline,
}

impl Link {
    /// Its word in documents.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::NeverSeen => "never-seen",
            Self::Online => "online",
            Self::Stale => "stale",
            Self::Offline => "offline",
        }
    }
}

/// What is known of a device's link.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeviceStatus {
    /// Whether it answers.
    pub link: Link,
    /// Since when it is so.
    pub since: WallTime,
    /// When it last answered.
    pub last_ok: Option<WallTime>,
    /// Why it does not answer, from the closed list.
    pub why: Option<Cow<'static, str>>,
}

/// The word of a kind of device.
#[must_use]
pub const fn kind(kind: DeviceKind) -> &'static str {
    match kind {
        DeviceKind::Ups => "ups",
        DeviceKind::Battery => "battery",
        DeviceKind::Gas => "gas",
        DeviceKind::Smoke => "smoke",
        DeviceKind::Environment => "environment",
        DeviceKind::Contact => "contact",
    }
}

/// Whether a device answers, since when, and why not.
#[must_use]
pub fn device_state(envelope: &Envelope, device: DeviceId, status: &DeviceStatus) -> Value {
    let site = envelope.site;
    let spec = &site[device];
    document(
        envelope,
        json!({
            "id": spec.name,
            "title": spec.title,
            "zone": site[spec.zone].name,
            "kind": kind(spec.kind),
            "state": status.link.word(),
            "since": time::rfc3339(status.since),
            "last_ok": status.last_ok.map(time::rfc3339),
            "why": status.why,
        }),
    )
}

/// What a device measures: names, units, ranges, limits, periods.
#[must_use]
pub fn device_meta(envelope: &Envelope, device: DeviceId) -> Value {
    let site = envelope.site;
    let spec = &site[device];
    let points: serde_json::Map<String, Value> = spec
        .points
        .clone()
        .map(PointId)
        .map(|point| (site[point].name.clone(), point_meta(site, point)))
        .collect();
    document(
        envelope,
        json!({
            "id": spec.name,
            "title": spec.title,
            "room": site[site[spec.zone].room].name,
            "zone": site[spec.zone].name,
            "kind": kind(spec.kind),
            "silent_after_ms": spec.silent_after.0,
            "points": points,
        }),
    )
}

fn point_meta(site: &Site, point: PointId) -> Value {
    let spec = &site[point];
    let labels = match &spec.labels {
        Labels::None => Value::Null,
        Labels::Enum(names) => {
            json!({ "values": names.iter().map(|(n, name)| (n.to_string(), json!(name))).collect::<serde_json::Map<_, _>>() })
        }
        Labels::Bits(names) => {
            json!({ "bits": names.iter().map(|(n, name)| (n.to_string(), json!(name))).collect::<serde_json::Map<_, _>>() })
        }
    };
    json!({
        "u": spec.unit.ucum(),
        "symbol": spec.unit.symbol(),
        "period_ms": spec.period.0,
        "stale_after_ms": spec.stale_after.0,
        "range": spec.range.map(|(low, high)| [low, high]),
        "labels": labels,
        "limits": limits(site, point),
    })
}

/// The limits that rules set to a point.
fn limits(site: &Site, point: PointId) -> Vec<Value> {
    let mut limits = Vec::new();
    for rule in &site.rules {
        let (side, steps, per) = match &rule.kind {
            RuleKind::Limit(limit) if limit.point == point => (limit.side, &limit.steps, Value::Null),
            RuleKind::Rate(rate) if rate.point == point => (rate.side, &rate.steps, json!("min")),
            // The others judge what a point is beside other points or times: no line to draw at a value.
            RuleKind::Limit(_)
            | RuleKind::Rate(_)
            | RuleKind::Deviation(_)
            | RuleKind::Step(_)
            | RuleKind::State(_)
            | RuleKind::Silence(_)
            | RuleKind::Together(_) => continue,
        };
        let side = match side {
            Side::Above => "above",
            Side::Below => "below",
        };
        let at = |step: &Option<Step>| step.map(|step| step.limit);
        limits.push(json!({
            "rule": rule.name, "side": side, "per": per,
            "watch": at(&steps[0]), "warning": at(&steps[1]), "danger": at(&steps[2]),
        }));
    }
    limits
}

//! `zone/{zone}`, a zone's level with its evidence; and `summary`, a room at a glance.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{document, priority};
use crate::safety::risk::outlook::Outlook;
use crate::safety::risk::{Finding, Level, LevelChange};
use crate::safety::site::{Priority, RoomId, RuleId, Site, ZoneId};
use crate::units::WallTime;
use crate::wire::{Envelope, explain, text, time};

/// How dangerous a zone is, and why.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ZoneStatus {
    /// How dangerous.
    pub level: Level,
    /// Since when; `None` if it has been so since the start.
    pub since: Option<WallTime>,
    /// The rule that left normal first.
    pub first_out: Option<RuleId>,
    /// The findings that are not normal, worst first.
    pub because: Vec<Finding>,
    /// What is ahead of them, where that can be said.
    pub outlooks: BTreeMap<RuleId, Outlook>,
}

impl ZoneStatus {
    /// How it stands after this change.
    #[must_use]
    pub fn after(change: &LevelChange, at: WallTime) -> Self {
        Self {
            level: change.level,
            since: Some(at),
            first_out: change.first_out,
            because: change.because.clone(),
            outlooks: BTreeMap::new(),
        }
    }
}

/// The findings behind a level, worst first, each with its sentence, and with what is ahead of it.
#[must_use]
pub fn because(site: &Site, findings: &[Finding], outlooks: &BTreeMap<RuleId, Outlook>) -> Value {
    let ahead = |outlook: &Outlook| {
        json!({
            "level": outlook.level.word(),
            "in_s": outlook.likely.0 / 1000,
            "soonest_s": outlook.soonest.0 / 1000,
            "latest_s": outlook.latest.map(|latest| latest.0 / 1000),
            "text": explain::outlook(outlook),
        })
    };
    let one = |finding: &Finding| {
        json!({
            "rule": site[finding.rule].name,
            "level": finding.level.word(),
            "known": finding.known,
            "text": text::evidence(site, Some(finding.rule), &finding.evidence),
            "outlook": outlooks.get(&finding.rule).map(ahead),
        })
    };
    findings.iter().map(one).collect()
}

/// A zone's level, with the evidence.
#[must_use]
pub fn zone_level(envelope: &Envelope, zone: ZoneId, status: &ZoneStatus) -> Value {
    let site = envelope.site;
    let spec = &site[zone];
    document(
        envelope,
        json!({
            "id": spec.name,
            "title": spec.title,
            "room": site[spec.room].name,
            "level": status.level.word(),
            "since": status.since.map(time::rfc3339),
            "first_out": status.first_out.map(|rule| &site[rule].name),
            "because": because(site, &status.because, &status.outlooks),
            "drill": false,
        }),
    )
}

/// A room at a glance.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RoomSummary {
    /// The worst level of its zones.
    pub level: Level,
    /// Alarms that are shelved, suppressed or out of service, by that word.
    pub put_away: BTreeMap<&'static str, u32>,
    /// Standing alarms by priority.
    pub alarms: BTreeMap<Priority, u32>,
    /// The names of these, in the order of the site.
    pub annunciated: Vec<String>,
    /// Standing alarms that nobody has seen.
    pub unacknowledged: u32,
    /// Points that are good, of all points, in per cent; `None` without points.
    pub quality_pct: Option<f64>,
    /// Devices that answer.
    pub devices_online: u32,
    /// Devices there are.
    pub devices: u32,
    /// The state of each sequence, by name.
    pub sequences: BTreeMap<String, &'static str>,
}

/// A room at a glance: the worst of everything in it, and how much of its data is good.
#[must_use]
pub fn room_summary(envelope: &Envelope, room: RoomId, summary: &RoomSummary) -> Value {
    let spec = &envelope.site[room];
    let alarms: BTreeMap<&str, u32> =
        summary.alarms.iter().map(|(key, count)| (priority(*key), *count)).collect();
    document(
        envelope,
        json!({
            "id": spec.name,
            "title": spec.title,
            "level": summary.level.word(),
            "priority": summary.alarms.keys().next_back().copied().map(priority),
            "alarms": alarms,
            "annunciated": summary.annunciated,
            "unacknowledged": summary.unacknowledged,
            "put_away": summary.put_away,
            "quality_pct": summary.quality_pct.map(|pct| (pct * 10.0).round() / 10.0),
            "devices": { "online": summary.devices_online, "of": summary.devices },
            "sequences": summary.sequences,
            "drill": false,
        }),
    )
}

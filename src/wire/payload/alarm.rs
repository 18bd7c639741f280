//! `alarm/{alarm}`: one alarm as it stands.

use serde_json::{Value, json};

use super::{document, priority, quantity};
use crate::safety::alarm::{AlarmRecord, AwayHow};
use crate::safety::risk::Evidence;
use crate::safety::rules::RuleKind;
use crate::safety::rules::limit::Side;
use crate::safety::site::{AlarmId, AlarmSource, DeviceId, RuleId, Site, ZoneId};
use crate::safety::waiver::Waiver;
use crate::wire::{Envelope, text, time};

/// One alarm as it stands. `occurrence` is what an acknowledgement must name; `occ` is the same, unique
/// over restarts. `aside`: what it speaks of, where that is something that persons put aside.
#[must_use]
pub fn alarm(envelope: &Envelope, alarm: AlarmId, record: &AlarmRecord, aside: Option<&Waiver>) -> Value {
    let site = envelope.site;
    let spec = &site[alarm];
    let rule = rule(spec.source);
    let device = device(site, spec.source, &record.evidence);
    let zone = zone(site, spec.source, device);
    let (value, limit) = value_and_limit(site, rule, &record.evidence);
    let because = match record.evidence {
        Evidence::None => aside.map(text::waiver),
        _ => Some(text::evidence(site, rule, &record.evidence)),
    };
    document(
        envelope,
        json!({
            "id": spec.name,
            "occ": envelope.occurrence(record.occurrence),
            "occurrence": record.occurrence,
            "rev": record.revision,
            "state": record.state.word(),
            "priority": record.priority.map(priority),
            "level": record.level.word(),
            "since": time::rfc3339(record.since),
            "first_out": record.first_out,
            "latched": spec.latched,
            "room": site[spec.room].name,
            "zone": zone.map(|zone| &site[zone].name),
            "device": device.map(|device| &site[device].name),
            "value": value,
            "limit": limit,
            "votes": votes(&record.evidence),
            "because": because,
            "ack": record.acknowledged_by.as_deref(),
            "active": record.stands,
            "chattering": record.chattering,
            "shelved_until": record.shelved_until().map(|at| time::rfc3339(envelope.wall(at))),
            "away": record.away.as_deref().map(|away| put_away(site, &away.how)),
            "until": aside.map(|waiver| time::rfc3339(envelope.wall(waiver.until))),
            "flood_began_with": record.origin.map(|origin| &site[origin].name),
            "message": spec.message,
            "consequence": spec.consequence,
            "action": spec.action,
            "drill": false,
        }),
    )
}

/// How it is put away: by whom or what, and why.
fn put_away(site: &Site, how: &AwayHow) -> Value {
    match how {
        AwayHow::Shelved { by, one_shot, .. } => json!({ "by": &**by, "one_shot": one_shot }),
        AwayHow::Suppressed { group } => json!({ "by": site[*group].name }),
        AwayHow::OutOfService { by, reason } => json!({ "by": &**by, "reason": &**reason }),
    }
}

/// The rule behind an alarm.
#[must_use]
pub const fn rule(source: AlarmSource) -> Option<RuleId> {
    match source {
        AlarmSource::Rule(rule)
        | AlarmSource::VoteWeakened(rule)
        | AlarmSource::VoteBlind(rule)
        | AlarmSource::Bypassed(rule) => Some(rule),
        AlarmSource::Silent(_)
        | AlarmSource::Faulty(_)
        | AlarmSource::NotArmed(_)
        | AlarmSource::Unproven(_)
        | AlarmSource::Cutting(_)
        | AlarmSource::CutFailed(_)
        | AlarmSource::OpenedByOther(_)
        | AlarmSource::CurrentFlows(_)
        | AlarmSource::Maintenance(_)
        | AlarmSource::System(_)
        | AlarmSource::Flood(_) => None,
    }
}

fn device(site: &Site, source: AlarmSource, evidence: &Evidence) -> Option<DeviceId> {
    match (source, evidence) {
        (AlarmSource::Silent(device) | AlarmSource::Faulty(device), _) => Some(device),
        (
            _,
            Evidence::Limit { point, .. }
            | Evidence::Projected { point, .. }
            | Evidence::Apart { point, .. }
            | Evidence::Step { point, .. }
            | Evidence::Rate { point, .. }
            | Evidence::State { point, .. }
            | Evidence::Silent { point, .. }
            | Evidence::Unbelieved { point, .. },
        ) => Some(site[*point].device),
        (_, Evidence::None | Evidence::Votes { .. }) => None,
    }
}

fn zone(site: &Site, source: AlarmSource, device: Option<DeviceId>) -> Option<ZoneId> {
    match source {
        AlarmSource::Rule(rule)
        | AlarmSource::VoteWeakened(rule)
        | AlarmSource::VoteBlind(rule)
        | AlarmSource::Bypassed(rule) => Some(site[rule].zone),
        AlarmSource::Maintenance(zone) => Some(zone),
        AlarmSource::NotArmed(it)
        | AlarmSource::Unproven(it)
        | AlarmSource::Cutting(it)
        | AlarmSource::CutFailed(it)
        | AlarmSource::OpenedByOther(it)
        | AlarmSource::CurrentFlows(it) => Some(site[it].zone),
        AlarmSource::Silent(_) | AlarmSource::Faulty(_) | AlarmSource::System(_) | AlarmSource::Flood(_) => {
            device.map(|device| site[device].zone)
        }
    }
}

fn value_and_limit(site: &Site, rule: Option<RuleId>, evidence: &Evidence) -> (Value, Value) {
    let op = match rule.map(|rule| &site[rule].kind) {
        Some(RuleKind::Limit(limit)) => Some(limit.side),
        Some(RuleKind::Rate(rate)) => Some(rate.side),
        Some(RuleKind::Deviation(_) | RuleKind::Step(_)) => Some(Side::Above),
        Some(RuleKind::State(_) | RuleKind::Silence(_) | RuleKind::Together(_)) | None => None,
    };
    let op = op.map(|side| match side {
        Side::Above => ">=",
        Side::Below => "<=",
    });
    let against = |value: f64, limit: f64, unit: &str| {
        (quantity(value, unit), json!({ "v": limit, "u": unit, "op": op }))
    };
    match *evidence {
        Evidence::Limit { point, value, limit, .. } => against(value.get(), limit, site[point].unit.ucum()),
        Evidence::Projected { point, value, limit, .. } => against(value, limit, site[point].unit.ucum()),
        Evidence::Apart { point, value, from, limit, .. } => {
            against((value.get() - from).abs(), limit, site[point].unit.ucum())
        }
        Evidence::Step { point, value, from, relative, limit, .. } => {
            let (change, unit) = text::change(value.get(), from, relative, site[point].unit.ucum());
            against(change.abs(), limit, unit)
        }
        Evidence::Rate { point, per_minute, limit, .. } => {
            against(per_minute, limit, &format!("{}/min", site[point].unit.ucum()))
        }
        Evidence::State { point, value, .. } => (quantity(value.get(), site[point].unit.ucum()), Value::Null),
        Evidence::None | Evidence::Silent { .. } | Evidence::Unbelieved { .. } | Evidence::Votes { .. } => {
            (Value::Null, Value::Null)
        }
    }
}

fn votes(evidence: &Evidence) -> Option<String> {
    match *evidence {
        Evidence::Votes { needed, of, .. } if needed > 0 => Some(format!("{needed}oo{of}")),
        _ => None,
    }
}

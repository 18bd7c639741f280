//! Which target hears what: by zone, kind and priority.
//!
//! Zones are those that something is about: an alarm of a rule, device or sequence is about its zone, the alarm
//! of a flood about all zones of its room. What is about emberwatch itself is about no zone: a target that named
//! zones does not hear of it.

use crate::notify::options::{Hears, Kind};
use crate::safety::alarm::AlarmChange;
use crate::safety::site::{AlarmSource, Priority, Site, ZoneId};

impl Hears {
    /// Whether an alarm is for this target, apart from how long it has stood.
    pub(super) fn takes_alarm(&self, site: &Site, change: &AlarmChange) -> bool {
        let Some(alarm) = site.alarms.get(change.alarm.index()) else { return false };
        let urgent = self.priority_min <= Some(change.now.priority.unwrap_or(Priority::Low));
        let about = || match alarm.source {
            AlarmSource::Flood(room) => site.zones.iter().enumerate().any(|(index, zone)| {
                zone.room == room
                    && self.zones.as_ref().is_some_and(|zones| zones.contains(&ZoneId::at(index)))
            }),
            source => zone_of(site, source).is_some_and(|zone| self.names(zone)),
        };
        self.wants(Kind::Alarm) && urgent && (self.zones.is_none() || about())
    }

    /// Whether what happens to a sequence of this zone, or a notice of it, is for this target.
    pub(super) fn takes(&self, kind: Kind, zone: ZoneId) -> bool {
        self.escalate_after.is_none() && self.wants(kind) && self.names(zone)
    }

    /// Whether a start of emberwatch is for this target: not where somebody wants a part of it all.
    pub(super) fn takes_starts(&self) -> bool {
        self.escalate_after.is_none() && self.zones.is_none() && self.wants(Kind::Alarm)
    }

    fn wants(&self, kind: Kind) -> bool {
        self.kinds.as_ref().is_none_or(|kinds| kinds.contains(&kind))
    }

    fn names(&self, zone: ZoneId) -> bool {
        self.zones.as_ref().is_none_or(|zones| zones.contains(&zone))
    }
}

/// The zone that an alarm is about, where it is about one.
pub(super) fn zone_of(site: &Site, source: AlarmSource) -> Option<ZoneId> {
    match source {
        AlarmSource::Rule(rule)
        | AlarmSource::VoteWeakened(rule)
        | AlarmSource::VoteBlind(rule)
        | AlarmSource::Bypassed(rule) => site.rules.get(rule.index()).map(|rule| rule.zone),
        AlarmSource::Maintenance(zone) => Some(zone),
        AlarmSource::Silent(device) | AlarmSource::Faulty(device) => {
            site.devices.get(device.index()).map(|device| device.zone)
        }
        AlarmSource::NotArmed(sequence)
        | AlarmSource::Unproven(sequence)
        | AlarmSource::Cutting(sequence)
        | AlarmSource::CutFailed(sequence)
        | AlarmSource::OpenedByOther(sequence)
        | AlarmSource::CurrentFlows(sequence) => {
            site.sequences.get(sequence.index()).map(|sequence| sequence.zone)
        }
        AlarmSource::System(_) | AlarmSource::Flood(_) => None,
    }
}

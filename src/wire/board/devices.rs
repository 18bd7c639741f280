//! Whether each device answers, concluded from readings and their reasons.
//!
//! A device answers if anything came from it, even a refusal or nonsense in one register: what is wrong
//! with a point stands at the point. One block that times out while others answer is no silence either, so
//! a device is `stale` only after two of its shortest periods without any answer.

use std::collections::BTreeSet;

use serde_json::json;

use super::Changes;
use crate::safety::reading::{Loss, ReadFault, Reading};
use crate::safety::site::{DeviceId, PointId, Site};
use crate::units::{Millis, Uptime, WallTime};
use crate::wire::payload::device::{DeviceStatus, Link};
use crate::wire::payload::event::event;
use crate::wire::{Envelope, text, why};

/// Shortest periods without an answer after which a device is `stale`.
const STALE_PERIODS: u64 = 2;

#[derive(Debug)]
pub(super) struct Devices {
    all: Vec<Device>,
    /// Devices whose last reading was no answer and that are not offline yet: only time tells.
    watched: BTreeSet<DeviceId>,
}

#[derive(Debug)]
struct Device {
    status: DeviceStatus,
    last_ok: Option<Uptime>,
    stale_after: Millis,
}

impl Devices {
    pub(super) fn new(site: &Site, at: WallTime) -> Self {
        let device = |spec: &crate::safety::site::Device| {
            let points = spec.points.clone().map(|point| site[PointId(point)].period);
            let stale_after = points.min().unwrap_or_default().times(STALE_PERIODS).min(spec.silent_after);
            let status = DeviceStatus { since: at, ..DeviceStatus::default() };
            Device { status, last_ok: None, stale_after }
        };
        Self { all: site.devices.iter().map(device).collect(), watched: BTreeSet::new() }
    }

    pub(super) fn status(&self, device: DeviceId) -> &DeviceStatus {
        &self.all[device.index()].status
    }

    /// Hears the readings of a publication and lets time pass.
    pub(super) fn advance(&mut self, envelope: &Envelope, place: usize, changes: &mut Changes) {
        let site = envelope.site;
        let mut changed = Vec::new();
        for group in changes.readings.chunk_by(|a, b| site[a.0].device == site[b.0].device) {
            let id = site[group[0].0].device;
            let answered = group.iter().filter_map(|(_, it)| answered(it, envelope.now.uptime)).max();
            if let Some(at) = answered {
                let device = &mut self.all[id.index()];
                device.last_ok = device.last_ok.max(Some(at));
                device.status.last_ok = device.last_ok.map(|at| envelope.wall(at));
                device.status.why = None;
                self.watched.remove(&id);
                changed.extend(self.set(envelope, id, Link::Online));
            } else if group.iter().any(|(_, it)| !matches!(it, Reading::NeverSeen)) {
                self.all[id.index()].status.why = group.iter().find_map(|(_, it)| why::reading(it));
                self.watched.insert(id);
            }
        }
        for id in std::mem::take(&mut self.watched) {
            let link = self.link(site, id, envelope.now.uptime);
            changed.extend(self.set(envelope, id, link));
            if link != Link::Offline {
                self.watched.insert(id);
            }
        }
        for (id, was) in changed {
            changes.devices.insert(id);
            self.tell(envelope, place + changes.devices.len(), id, was, changes);
        }
    }

    /// Of a device whose last reading was no answer.
    fn link(&self, site: &Site, id: DeviceId, now: Uptime) -> Link {
        let device = &self.all[id.index()];
        match device.last_ok.map(|at| now.since(at)) {
            None => Link::Offline,
            Some(silent) if silent >= site[id].silent_after => Link::Offline,
            Some(silent) if silent >= device.stale_after => Link::Stale,
            Some(_) => device.status.link,
        }
    }

    fn set(&mut self, envelope: &Envelope, id: DeviceId, link: Link) -> Option<(DeviceId, Link)> {
        let status = &mut self.all[id.index()].status;
        let was = status.link;
        if was == link {
            return None;
        }
        status.link = link;
        status.since = envelope.now.wall;
        Some((id, was))
    }

    fn tell(&self, envelope: &Envelope, place: usize, id: DeviceId, was: Link, changes: &mut Changes) {
        let device = &self.all[id.index()];
        let spec = &envelope.site[id];
        let (kind, words) = match (was, device.status.link) {
            (_, Link::Offline) => {
                let words = match device.last_ok.map(|at| envelope.now.uptime.since(at)) {
                    Some(silent) => format!("no answer from {} for {}", spec.name, text::span(silent)),
                    None => format!("no answer from {} since the start", spec.name),
                };
                ("device.lost", words)
            }
            (Link::Offline, Link::Online) => ("device.restored", format!("{} answers again", spec.name)),
            _ => return,
        };
        let body =
            json!({ "device": spec.name, "state": device.status.link.word(), "why": device.status.why });
        let room = envelope.site[spec.zone].room;
        changes.events.push(event(envelope, place, Some(room), kind.to_owned(), &words, body));
    }
}

/// When the device answered, if this reading is an answer.
fn answered(reading: &Reading, now: Uptime) -> Option<Uptime> {
    match *reading {
        Reading::Good { taken, .. } | Reading::Uncertain { taken, .. } => Some(taken),
        Reading::Bad { why, .. } => match why {
            Loss::OutOfRange
            | Loss::Frozen
            | Loss::HeartbeatStopped
            | Loss::Fault(
                ReadFault::Exception(_)
                | ReadFault::Sentinel
                | ReadFault::NotANumber
                | ReadFault::NotInService,
            ) => Some(now),
            Loss::Fault(
                ReadFault::Timeout | ReadFault::Disconnected | ReadFault::Mismatch | ReadFault::Malformed,
            )
            | Loss::Stale => None,
        },
        Reading::NeverSeen => None,
    }
}

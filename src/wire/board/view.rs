//! The board as a page sees it: all of it, or what changed.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::Board;
use crate::exchange::Publication;
use crate::safety::alarm::AlarmState;
use crate::safety::reading::Reading;
use crate::safety::site::{AlarmId, DeviceId, PointId, RoomId, SequenceId, ZoneId};
use crate::wire::payload::device::kind;
use crate::wire::payload::{sequence, zone};
use crate::wire::{VERSION, text, time, why};

impl Board {
    /// Everything, for those who come late. Normal alarms are left out.
    #[must_use]
    pub fn snapshot(&self) -> Value {
        let site = &self.site;
        let mut all = self.frame();
        let rooms = (0..site.rooms.len()).map(|i| self.room_view(RoomId::at(i)));
        let zones = (0..site.zones.len()).map(|i| self.zone_view(ZoneId::at(i)));
        let devices = (0..site.devices.len()).map(|i| self.device_view(DeviceId::at(i)));
        let points = (0..site.points.len()).map(|i| self.point_view(PointId::at(i)));
        let alarms = (0..site.alarms.len()).map(AlarmId::at);
        let alarms = alarms.filter(|it| self.alarm(*it).state != AlarmState::Normal);
        let sequences = (0..site.sequences.len()).map(|i| self.sequence_view(SequenceId::at(i)));
        all.insert("rooms".to_owned(), Value::Object(rooms.collect()));
        all.insert("zones".to_owned(), Value::Object(zones.collect()));
        all.insert("devices".to_owned(), Value::Object(devices.collect()));
        all.insert("points".to_owned(), Value::Object(points.collect()));
        all.insert("alarms".to_owned(), Value::Object(alarms.map(|it| self.alarm_view(it)).collect()));
        all.insert("sequences".to_owned(), Value::Object(sequences.collect()));
        all.insert("alarm_figures".to_owned(), self.figures_view());
        all.insert("notices".to_owned(), self.notices.iter().cloned().collect());
        all.insert("events".to_owned(), self.events.iter().cloned().collect());
        Value::Object(all)
    }

    /// What the publication applied last has changed, keyed as in the snapshot; `None` if nothing, or if
    /// another publication was applied since. An alarm that returned is there once, as `normal`.
    #[must_use]
    pub fn patch(&self, publication: &Publication) -> Option<Value> {
        let changes = &self.changes;
        if changes.number != publication.number || changes.is_empty() {
            return None;
        }
        let mut all = self.frame();
        let mut put = |key: &str, members: Map<String, Value>| {
            if !members.is_empty() {
                all.insert(key.to_owned(), Value::Object(members));
            }
        };
        let rooms: BTreeSet<RoomId> = changes.zones.iter().map(|zone| self.site[*zone].room).collect();
        put("rooms", rooms.into_iter().map(|it| self.room_view(it)).collect());
        put("zones", changes.zones.iter().map(|it| self.zone_view(*it)).collect());
        put("devices", changes.devices.iter().map(|it| self.device_view(*it)).collect());
        put("points", changes.readings.iter().map(|(it, _)| self.point_view(*it)).collect());
        put("alarms", changes.alarms.iter().map(|it| self.alarm_view(*it)).collect());
        put("sequences", changes.sequences.iter().map(|it| self.sequence_view(*it)).collect());
        if changes.figures {
            all.insert("alarm_figures".to_owned(), self.figures_view());
        }
        if !changes.notices.is_empty() {
            let notices = changes.notices.iter().map(|(_, body)| body.clone());
            all.insert("notices".to_owned(), notices.collect());
        }
        if !changes.events.is_empty() {
            let events = changes.events.iter().map(|event| event.body.clone());
            all.insert("events".to_owned(), events.collect());
        }
        Some(Value::Object(all))
    }

    fn figures_view(&self) -> Value {
        self.figures().named().into_iter().map(|(name, figure)| (name.to_owned(), json!(figure))).collect()
    }

    fn frame(&self) -> Map<String, Value> {
        let frame = json!({
            "v": VERSION,
            "ts": time::rfc3339(self.now.wall),
            "boot": self.boot,
            "site": self.site.name,
            "gateway": self.site.gateway,
            "seq": self.seq,
        });
        match frame {
            Value::Object(map) => map,
            _ => Map::new(),
        }
    }

    fn room_view(&self, room: RoomId) -> (String, Value) {
        let spec = &self.site[room];
        (spec.name.clone(), json!({ "title": spec.title, "level": self.room_level(room).word() }))
    }

    fn zone_view(&self, zone: ZoneId) -> (String, Value) {
        let spec = &self.site[zone];
        let status = self.zone(zone);
        let view = json!({
            "room": self.site[spec.room].name,
            "title": spec.title,
            "level": status.level.word(),
            "since": status.since.map(time::rfc3339),
            "first_out": status.first_out.map(|rule| &self.site[rule].name),
            "because": zone::because(&self.site, &status.because, &status.outlooks),
            "judged": self.judged(zone),
        });
        (spec.name.clone(), view)
    }

    /// The points that a zone's rules go by, each once, in the order of the rules.
    fn judged(&self, zone: ZoneId) -> Vec<&str> {
        let mut seen = BTreeSet::new();
        let rules = self.site.rules.iter().filter(|rule| rule.zone == zone);
        let points = rules.flat_map(|rule| rule.kind.points()).filter(|point| seen.insert(point.index()));
        points.map(|point| self.keys[point.index()].as_str()).collect()
    }

    fn device_view(&self, device: DeviceId) -> (String, Value) {
        let spec = &self.site[device];
        let status = self.device(device);
        let view = json!({
            "title": spec.title,
            "room": self.site[self.site[spec.zone].room].name,
            "zone": self.site[spec.zone].name,
            "kind": kind(spec.kind),
            "state": status.link.word(),
            "since": time::rfc3339(status.since),
            "last_ok": status.last_ok.map(time::rfc3339),
            "why": status.why,
        });
        (spec.name.clone(), view)
    }

    fn point_view(&self, point: PointId) -> (String, Value) {
        let reading = &self.readings[point.index()];
        let shown = match *reading {
            Reading::Good { value, taken } | Reading::Uncertain { value, taken, .. } => Some((value, taken)),
            Reading::NeverSeen | Reading::Bad { .. } => None,
        };
        let last = match *reading {
            Reading::Bad { last, .. } => last,
            _ => None,
        };
        let label = |at: Option<crate::units::Uptime>| at.map(|at| time::rfc3339(self.envelope().wall(at)));
        let mut view = json!({
            "v": shown.map(|(value, _)| value.get()),
            "u": self.site[point].unit.symbol(),
            "q": why::quality(reading),
            "why": why::reading(reading),
            "ts": label(shown.or(last).map(|(_, at)| at)),
            "label": shown.and_then(|(value, _)| text::label(&self.site, point, value)),
        });
        if let Some((value, at)) = last {
            view["last"] = json!({ "v": value.get(), "ts": label(Some(at)) });
        }
        (self.keys[point.index()].clone(), view)
    }

    fn alarm_view(&self, id: AlarmId) -> (String, Value) {
        (self.site[id].name.clone(), self.alarm_document(id))
    }

    fn sequence_view(&self, id: SequenceId) -> (String, Value) {
        let view = sequence(&self.envelope(), id, self.sequence(id), self.extras(id));
        (self.site[id].name.clone(), view)
    }
}

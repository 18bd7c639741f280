//! How everything stands now, kept from what the core says.
//!
//! A board repeats facts, it never judges: its levels, alarms and runs are the last ones announced. The one
//! thing it concludes itself is whether a device answers, from the readings and their reasons.
//! `apply` takes publications in order and tells what changed; `snapshot` is for those who come late,
//! `patch` for those who were there. History here is short and bounded; the journal has all of it.

mod devices;
mod view;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use serde_json::Value;

use crate::clock;
use crate::exchange::Publication;
use crate::safety::alarm::{AlarmFigures, AlarmRecord, AlarmState};
use crate::safety::fact::{Fact, Operator};
use crate::safety::reading::Reading;
use crate::safety::risk::Level;
use crate::safety::sequence::{Phase, SequenceChange, SequenceEvent, SequenceState};
use crate::safety::site::{
    AlarmId, AlarmSource, DeviceId, PointId, Priority, RoomId, SequenceId, Site, ZoneId,
};
use crate::safety::waiver::{Waiver, WaiverChange};
use crate::units::{ClockSync, Millis, Now, Uptime};
use crate::wire::payload::device::{DeviceStatus, Link};
use crate::wire::payload::event::{Event, Target, event_of, target};
use crate::wire::payload::sequence::{self, Proposed, SequenceExtras, notice, state_word, under_way};
use crate::wire::payload::zone::{RoomSummary, ZoneStatus};
use crate::wire::{Envelope, payload, text};

use devices::Devices;

/// The notices a board keeps.
pub const NOTICES_MAX: usize = 20;

/// The events a board keeps.
pub const EVENTS_MAX: usize = 200;

/// How long the first step of a cut by hand is shown: as long as it counts.
const SELECTED_FOR: Millis = Millis::from_secs(10);

/// What one publication changed.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// The number of the publication.
    pub number: u64,
    /// Readings, ordered by point, one per point: those of one device are adjacent.
    pub readings: Vec<(PointId, Reading)>,
    /// Devices whose link changed.
    pub devices: BTreeSet<DeviceId>,
    /// Zones whose level or evidence changed.
    pub zones: BTreeSet<ZoneId>,
    /// Alarms that changed.
    pub alarms: BTreeSet<AlarmId>,
    /// Whether the figures of the alarm system changed.
    pub figures: bool,
    /// Sequences that changed.
    pub sequences: BTreeSet<SequenceId>,
    /// Notices, in order.
    pub notices: Vec<(ZoneId, Value)>,
    /// Transitions, in order.
    pub events: Vec<Event>,
}

impl Changes {
    /// True if nothing changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.readings.is_empty()
            && self.devices.is_empty()
            && self.zones.is_empty()
            && self.alarms.is_empty()
            && !self.figures
            && self.sequences.is_empty()
            && self.notices.is_empty()
            && self.events.is_empty()
    }
}

/// How everything stands now.
#[derive(Debug)]
pub struct Board {
    site: Arc<Site>,
    boot: String,
    seq: u64,
    clock: ClockSync,
    now: Now,
    /// `bms-1/cell-temp-max` by point.
    keys: Vec<String>,
    readings: Vec<Reading>,
    zones: Vec<ZoneStatus>,
    devices: Devices,
    alarms: Vec<AlarmRecord>,
    figures: AlarmFigures,
    sequences: Vec<SequenceState>,
    selected: BTreeMap<SequenceId, (Operator, Uptime)>,
    /// What is put aside, by the alarm that stands for it.
    aside: BTreeMap<AlarmId, Waiver>,
    /// What waits for a second person.
    proposed: BTreeMap<SequenceId, Proposed>,
    notices: VecDeque<Value>,
    events: VecDeque<Value>,
    changes: Changes,
}

impl Board {
    /// Nothing is known yet. `boot` names this start of the gateway.
    #[must_use]
    pub fn new(site: Arc<Site>, boot: String) -> Self {
        let now = clock::now();
        let idle = |mode| SequenceState { mode, phase: Phase::Idle, proven: None };
        Self {
            keys: (0..site.points.len()).map(|i| text::point_key(&site, PointId::at(i))).collect(),
            readings: vec![Reading::NeverSeen; site.points.len()],
            zones: vec![ZoneStatus::default(); site.zones.len()],
            devices: Devices::new(&site, now.wall),
            alarms: vec![AlarmRecord::default(); site.alarms.len()],
            figures: AlarmFigures::default(),
            sequences: site.sequences.iter().map(|spec| idle(spec.mode)).collect(),
            selected: BTreeMap::new(),
            aside: BTreeMap::new(),
            proposed: BTreeMap::new(),
            notices: VecDeque::with_capacity(NOTICES_MAX),
            events: VecDeque::with_capacity(EVENTS_MAX),
            changes: Changes::default(),
            seq: 0,
            clock: ClockSync::Unknown,
            now,
            site,
            boot,
        }
    }

    /// Takes the next publication and tells what it changed.
    pub fn apply(&mut self, publication: &Publication) -> &Changes {
        self.seq = publication.number;
        self.now = publication.now;
        self.clock = publication.clock;
        let site = Arc::clone(&self.site);
        let boot = std::mem::take(&mut self.boot);
        let envelope = Envelope { site: &site, boot: &boot, seq: self.seq, now: self.now, clock: self.clock };
        let mut changes = std::mem::take(&mut self.changes);
        changes.readings.clear();
        changes = Changes { number: publication.number, readings: changes.readings, ..Changes::default() };
        for (place, fact) in publication.facts.iter().enumerate() {
            self.take(&envelope, fact, &mut changes);
            changes.events.extend(event_of(&envelope, place, fact));
        }
        order(&mut changes.readings);
        self.devices.advance(&envelope, publication.facts.len(), &mut changes);
        for event in &changes.events {
            keep(&mut self.events, EVENTS_MAX, event.body.clone());
        }
        self.changes = changes;
        self.boot = boot;
        &self.changes
    }

    fn take(&mut self, envelope: &Envelope, fact: &Fact, changes: &mut Changes) {
        match fact {
            Fact::Reading { point, reading } => {
                self.readings[point.index()] = *reading;
                changes.readings.push((*point, *reading));
            }
            Fact::Level(change) => {
                let was = &mut self.zones[change.zone.index()];
                let mut next = ZoneStatus::after(change, envelope.now.wall);
                next.outlooks = std::mem::take(&mut was.outlooks);
                if was.level == next.level && was.since.is_some() {
                    next.since = was.since;
                }
                *was = next;
                changes.zones.insert(change.zone);
            }
            Fact::Alarm(change) => {
                self.alarms[change.alarm.index()] = change.now.clone();
                changes.alarms.insert(change.alarm);
            }
            Fact::AlarmFigures(figures) => {
                self.figures = *figures;
                changes.figures = true;
            }
            Fact::Sequence(change) => self.take_sequence(change, changes),
            Fact::Notice(it) => {
                let body = notice(envelope, it);
                keep(&mut self.notices, NOTICES_MAX, body.clone());
                changes.notices.push((it.zone, body));
            }
            Fact::Outlook(change) => {
                let zone = self.site[change.rule].zone;
                let outlooks = &mut self.zones[zone.index()].outlooks;
                match change.outlook {
                    Some(outlook) => outlooks.insert(change.rule, outlook),
                    None => outlooks.remove(&change.rule),
                };
                changes.zones.insert(zone);
            }
            Fact::Proposed { by, request, until } => {
                if let (verb, Target::Sequence(id)) = target(request) {
                    self.proposed.insert(id, Proposed { by: by.clone(), verb, until: *until });
                    changes.sequences.insert(id);
                }
            }
            Fact::Waiver(change) => self.take_waiver(change, changes),
            Fact::Finding(_)
            | Fact::LoneVote { .. }
            | Fact::Gap { .. }
            | Fact::ClockStepped { .. }
            | Fact::Commanded(_)
            | Fact::Followed { .. }
            | Fact::Refused { .. } => {}
        }
    }

    fn take_waiver(&mut self, change: &WaiverChange, changes: &mut Changes) {
        let source = change.what.alarm();
        let Some(index) = self.site.alarms.iter().position(|alarm| alarm.source == source) else { return };
        let alarm = AlarmId::at(index);
        match &change.now {
            Some(waiver) => self.aside.insert(alarm, waiver.clone()),
            None => self.aside.remove(&alarm),
        };
        changes.alarms.insert(alarm);
    }

    fn take_sequence(&mut self, change: &SequenceChange, changes: &mut Changes) {
        let id = change.sequence;
        self.sequences[id.index()] = change.now.clone();
        // It has changed: what was proposed was about another state.
        self.proposed.remove(&id);
        match &change.event {
            SequenceEvent::Selected { by } => {
                self.selected.insert(id, (Arc::clone(by), self.now.uptime));
            }
            _ => {
                self.selected.remove(&id);
            }
        }
        changes.sequences.insert(id);
    }

    /// The plant.
    #[must_use]
    pub fn site(&self) -> &Arc<Site> {
        &self.site
    }

    /// The moment of the last publication.
    #[must_use]
    pub fn now(&self) -> Now {
        self.now
    }

    /// The number of the last publication; zero before the first.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// What documents made now begin with.
    #[must_use]
    pub fn envelope(&self) -> Envelope<'_> {
        Envelope { site: &self.site, boot: &self.boot, seq: self.seq, now: self.now, clock: self.clock }
    }

    /// What the last publication changed.
    #[must_use]
    pub fn changes(&self) -> &Changes {
        &self.changes
    }

    /// What is known of each point.
    #[must_use]
    pub fn readings(&self) -> &[Reading] {
        &self.readings
    }

    /// How dangerous a zone is, and why.
    #[must_use]
    pub fn zone(&self, zone: ZoneId) -> &ZoneStatus {
        &self.zones[zone.index()]
    }

    /// Whether a device answers.
    #[must_use]
    pub fn device(&self, device: DeviceId) -> &DeviceStatus {
        self.devices.status(device)
    }

    /// How an alarm stands.
    #[must_use]
    pub fn alarm(&self, alarm: AlarmId) -> &AlarmRecord {
        &self.alarms[alarm.index()]
    }

    /// The document of an alarm.
    #[must_use]
    pub fn alarm_document(&self, alarm: AlarmId) -> Value {
        payload::alarm(&self.envelope(), alarm, self.alarm(alarm), self.aside.get(&alarm))
    }

    /// How a sequence stands.
    #[must_use]
    pub fn sequence(&self, sequence: SequenceId) -> &SequenceState {
        &self.sequences[sequence.index()]
    }

    /// A sequence as a document.
    #[must_use]
    pub fn sequence_document(&self, id: SequenceId) -> Value {
        sequence::sequence(&self.envelope(), id, self.sequence(id), self.extras(id))
    }

    /// What a sequence's document tells beyond its state.
    #[must_use]
    pub fn extras(&self, sequence: SequenceId) -> SequenceExtras<'_> {
        let selected = self.selected.get(&sequence);
        let selected = selected.filter(|(_, at)| self.now.uptime.since(*at) < SELECTED_FOR);
        let proposed = self.proposed.get(&sequence).filter(|proposed| self.now.uptime <= proposed.until);
        SequenceExtras { readings: &self.readings, selected_by: selected.map(|(by, _)| &**by), proposed }
    }

    /// The figures of the alarm system. The core tells them at most every ten seconds; what can be counted here
    /// is counted anew.
    #[must_use]
    pub fn figures(&self) -> AlarmFigures {
        let count = |wanted: fn(&AlarmRecord) -> bool| {
            u32::try_from(self.alarms.iter().filter(|it| wanted(it)).count()).unwrap_or(u32::MAX)
        };
        AlarmFigures {
            standing: count(|it| it.state.is_annunciated()),
            unacknowledged: count(|it| it.state.is_unseen()),
            chattering: count(|it| it.chattering),
            shelved: count(|it| it.state == AlarmState::Shelved),
            suppressed: count(|it| it.state == AlarmState::Suppressed),
            out_of_service: count(|it| it.state == AlarmState::OutOfService),
            ..self.figures
        }
    }

    /// Alarms that are annunciated: neither normal nor put away.
    pub fn annunciated(&self) -> impl Iterator<Item = (AlarmId, &AlarmRecord)> {
        self.standing().filter(|(_, record)| record.state.is_annunciated())
    }

    /// Alarms that are not normal, also those that are put away.
    pub fn standing(&self) -> impl Iterator<Item = (AlarmId, &AlarmRecord)> {
        let all = self.alarms.iter().enumerate().map(|(i, record)| (AlarmId::at(i), record));
        all.filter(|(_, record)| record.state != AlarmState::Normal)
    }

    /// Sequences with a run under way.
    pub fn runs_under_way(&self) -> impl Iterator<Item = SequenceId> {
        let all = self.sequences.iter().enumerate();
        all.filter(|(_, state)| under_way(&state.phase)).map(|(i, _)| SequenceId::at(i))
    }

    /// Names of alarms that say that a part of emberwatch itself fails now.
    #[must_use]
    pub fn failing(&self) -> Vec<&str> {
        // Also where somebody shelved it: it fails all the same.
        let active = |record: &AlarmRecord| record.stands || record.state.is_active();
        let own = self.standing().filter(|(alarm, record)| {
            matches!(self.site[*alarm].source, AlarmSource::System(_)) && active(record)
        });
        own.map(|(alarm, _)| self.site[alarm].name.as_str()).collect()
    }

    /// The worst level of a room's zones.
    #[must_use]
    pub fn room_level(&self, room: RoomId) -> Level {
        let inside = self.site.zones.iter().zip(&self.zones).filter(|(spec, _)| spec.room == room);
        inside.map(|(_, status)| status.level).max().unwrap_or_default()
    }

    /// The worst level of any zone.
    #[must_use]
    pub fn level(&self) -> Level {
        self.zones.iter().map(|zone| zone.level).max().unwrap_or_default()
    }

    /// A room at a glance. Looks at every point of the room: for every few seconds, not for every scan.
    #[must_use]
    pub fn summary(&self, room: RoomId) -> RoomSummary {
        let site = &self.site;
        let mut summary = RoomSummary { level: self.room_level(room), ..RoomSummary::default() };
        for (alarm, record) in self.standing().filter(|(alarm, _)| site[*alarm].room == room) {
            if record.state.is_away() {
                *summary.put_away.entry(record.state.word()).or_default() += 1;
                continue;
            }
            summary.annunciated.push(site[alarm].name.clone());
            *summary.alarms.entry(record.priority.unwrap_or(Priority::Low)).or_default() += 1;
            summary.unacknowledged += u32::from(record.state.is_unseen());
        }
        let (mut good, mut points) = (0_u32, 0_u32);
        for (index, spec) in site.devices.iter().enumerate() {
            if site[spec.zone].room != room {
                continue;
            }
            summary.devices += 1;
            let link = self.devices.status(DeviceId::at(index)).link;
            summary.devices_online += u32::from(link == Link::Online);
            for point in spec.points.clone().map(PointId) {
                points += 1;
                good += u32::from(matches!(self.readings[point.index()], Reading::Good { .. }));
            }
        }
        summary.quality_pct = (points > 0).then(|| 100.0 * f64::from(good) / f64::from(points));
        for (spec, state) in site.sequences.iter().zip(&self.sequences) {
            if site[spec.zone].room == room {
                summary.sequences.insert(spec.name.clone(), state_word(&state.phase));
            }
        }
        summary
    }
}

fn keep(list: &mut VecDeque<Value>, max: usize, item: Value) {
    if list.len() == max {
        list.pop_front();
    }
    list.push_back(item);
}

/// By point, and of each point only what was said last.
fn order(readings: &mut Vec<(PointId, Reading)>) {
    readings.sort_by_key(|(point, _)| *point);
    readings.dedup_by(|later, kept| {
        let same = later.0 == kept.0;
        if same {
            kept.1 = later.1;
        }
        same
    });
}

#[cfg(test)]
mod tests;

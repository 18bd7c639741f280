//! Floods: more alarms newly raised in one room than a person can read.
//!
//! A flood has one alarm, which stands for the further ones of its room. It begins when more than
//! `flood_begins` came within `flood_within`. It ends when, for a minute, fewer than `flood_ends` came within
//! that time and fewer than `flood_ends` are suppressed by it: what it lets go must not be a flood of its own.

use std::collections::VecDeque;

use super::settings::{AlarmSettings, BURST_WITHIN, FLOOD_CALM};
use crate::safety::site::{AlarmId, AlarmSource, RoomId, Site};
use crate::units::{Millis, Uptime};

/// The floods of all rooms.
#[derive(Clone, Debug)]
pub(super) struct Floods {
    rooms: Vec<RoomFlood>,
    begins: usize,
    ends: usize,
    within: Millis,
}

#[derive(Clone, Debug, Default)]
struct RoomFlood {
    /// The alarm of its flood. A room without one is never flooded.
    group: Option<AlarmId>,
    /// The latest new alarms, oldest first: one more than a flood needs.
    recent: VecDeque<(Uptime, AlarmId)>,
    flooded: bool,
    /// Since when so few come and stand that it may end.
    calm: Option<Uptime>,
    /// How many its flood suppresses.
    children: usize,
}

/// What begins with a flood.
pub(super) struct Onset {
    /// The alarm that stands from now on.
    pub(super) group: AlarmId,
    /// The first of the flood; it stays as it is.
    pub(super) first: AlarmId,
    /// The others of the burst.
    pub(super) burst: Vec<AlarmId>,
}

impl Floods {
    pub(super) fn new(site: &Site, settings: &AlarmSettings) -> Self {
        let count = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
        let mut rooms: Vec<RoomFlood> = site.rooms.iter().map(|_| RoomFlood::default()).collect();
        for (index, alarm) in site.alarms.iter().enumerate() {
            if let AlarmSource::Flood(room) = alarm.source
                && let Some(room) = rooms.get_mut(room.index())
            {
                room.group = Some(AlarmId::at(index));
                room.recent.reserve(count(settings.flood_begins) + 1);
            }
        }
        Self {
            rooms,
            begins: count(settings.flood_begins),
            ends: count(settings.flood_ends),
            within: settings.flood_within,
        }
    }

    /// The flood of before a restart still stands.
    pub(super) fn restore(&mut self, room: RoomId) {
        if let Some(room) = self.rooms.get_mut(room.index()) {
            room.flooded = true;
        }
    }

    /// Counts a new alarm of a room; says what begins with it.
    pub(super) fn count(&mut self, room: RoomId, alarm: AlarmId, now: Uptime) -> Option<Onset> {
        let (begins, within) = (self.begins, self.within);
        let room = self.rooms.get_mut(room.index())?;
        let group = room.group?;
        room.forget(now, within);
        // A flood is many alarms, not one that comes often.
        room.recent.retain(|(_, known)| *known != alarm);
        if begins < room.recent.len() {
            room.recent.pop_front();
        }
        room.recent.push_back((now, alarm));
        if room.flooded || room.recent.len() <= begins {
            return None;
        }
        room.flooded = true;
        let (_, first) = *room.recent.front()?;
        let young = room.recent.iter().filter(|(at, _)| now.since(*at) <= BURST_WITHIN);
        let burst = young.map(|(_, it)| *it).filter(|it| *it != first && *it != alarm).collect();
        Some(Onset { group, first, burst })
    }

    /// The alarm that stands for the others of this room now.
    pub(super) fn group(&self, room: RoomId) -> Option<AlarmId> {
        let room = self.rooms.get(room.index())?;
        room.group.filter(|_| room.flooded)
    }

    /// One more, or one less, is suppressed.
    pub(super) fn suppressed(&mut self, room: RoomId, by: isize) {
        if let Some(room) = self.rooms.get_mut(room.index()) {
            room.children = room.children.saturating_add_signed(by);
        }
    }

    /// How many rooms are flooded.
    pub(super) fn standing(&self) -> usize {
        self.rooms.iter().filter(|room| room.flooded).count()
    }

    /// Ends a flood that is over, and says which alarm stood for it.
    pub(super) fn over(&mut self, now: Uptime) -> Option<AlarmId> {
        let (ends, within) = (self.ends, self.within);
        for room in self.rooms.iter_mut().filter(|room| room.flooded) {
            room.forget(now, within);
            if ends <= room.recent.len().max(room.children) {
                room.calm = None;
            } else if FLOOD_CALM <= now.since(*room.calm.get_or_insert(now)) {
                (room.flooded, room.calm) = (false, None);
                return room.group;
            }
        }
        None
    }
}

impl RoomFlood {
    fn forget(&mut self, now: Uptime, within: Millis) {
        while self.recent.front().is_some_and(|(at, _)| within < now.since(*at)) {
            self.recent.pop_front();
        }
    }
}

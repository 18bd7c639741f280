//! Ids as names and back: a journal outlives the configuration that numbered things.
//!
//! Names are unique within a site, except those of points, which are `device/point`. A name that the present
//! configuration no longer has is found as nothing, never as something else.

use crate::safety::site::{AlarmId, FeedId, PointId, RoomId, RuleId, SequenceId, Site, ZoneId};

/// `device/point`; `?` for an id that is none of this site's.
pub(super) fn of_point(site: &Site, id: PointId) -> String {
    let Some(point) = site.points.get(id.index()) else { return "?".to_owned() };
    let device = site.devices.get(point.device.index()).map_or("?", |device| &device.name);
    format!("{device}/{}", point.name)
}

/// The point of this name.
pub(super) fn to_point(site: &Site, name: &str) -> Option<PointId> {
    let (device, point) = name.split_once('/')?;
    let matches = |id: &usize| {
        let candidate = &site.points[*id];
        candidate.name == point
            && site.devices.get(candidate.device.index()).is_some_and(|owner| owner.name == device)
    };
    (0..site.points.len()).find(matches).map(PointId::at)
}

/// Load group and feed.
pub(super) fn of_feed(site: &Site, id: FeedId) -> (String, String) {
    let Some(feed) = site.feeds.get(id.index()) else { return ("?".to_owned(), "?".to_owned()) };
    let group = site.load_groups.get(feed.group.index()).map_or("?", |group| &group.name);
    (group.to_owned(), feed.name.clone())
}

/// The feed of these names.
pub(super) fn to_feed(site: &Site, group: &str, name: &str) -> Option<FeedId> {
    let matches = |feed: &crate::safety::site::Feed| {
        feed.name == name && site.load_groups.get(feed.group.index()).is_some_and(|of| of.name == group)
    };
    site.feeds.iter().position(matches).map(FeedId::at)
}

/// The room's name.
pub(super) fn of_room(site: &Site, id: RoomId) -> String {
    site.rooms.get(id.index()).map_or_else(|| "?".to_owned(), |room| room.name.clone())
}

/// The room of this name.
pub(super) fn to_room(site: &Site, name: &str) -> Option<RoomId> {
    site.rooms.iter().position(|room| room.name == name).map(RoomId::at)
}

/// The zone of this name.
pub(super) fn to_zone(site: &Site, name: &str) -> Option<ZoneId> {
    site.zones.iter().position(|zone| zone.name == name).map(ZoneId::at)
}

/// The alarm's name.
pub(super) fn of_alarm(site: &Site, id: AlarmId) -> String {
    site.alarms.get(id.index()).map_or_else(|| "?".to_owned(), |alarm| alarm.name.clone())
}

/// The alarm of this name.
pub(super) fn to_alarm(site: &Site, name: &str) -> Option<AlarmId> {
    site.alarms.iter().position(|alarm| alarm.name == name).map(AlarmId::at)
}

/// The rule's name.
pub(super) fn of_rule(site: &Site, id: RuleId) -> String {
    site.rules.get(id.index()).map_or_else(|| "?".to_owned(), |rule| rule.name.clone())
}

/// The rule of this name.
pub(super) fn to_rule(site: &Site, name: &str) -> Option<RuleId> {
    site.rules.iter().position(|rule| rule.name == name).map(RuleId::at)
}

/// The sequence's name.
pub(super) fn of_sequence(site: &Site, id: SequenceId) -> String {
    site.sequences.get(id.index()).map_or_else(|| "?".to_owned(), |sequence| sequence.name.clone())
}

/// The sequence of this name.
pub(super) fn to_sequence(site: &Site, name: &str) -> Option<SequenceId> {
    site.sequences.iter().position(|sequence| sequence.name == name).map(SequenceId::at)
}

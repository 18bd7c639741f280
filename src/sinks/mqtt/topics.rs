//! The names of all topics, made once from the table of channels.

use std::sync::Arc;

use super::channel::{Channel, Per, TABLE};
use crate::safety::site::{DeviceId, RoomId, Site, ZoneId};
use crate::wire::VERSION;

/// A topic's name.
pub(super) type Topic = Arc<str>;

/// Every topic of one gateway below its site, by channel and the index of what it is about.
#[derive(Debug)]
pub(super) struct Topics {
    /// What all topics of the site begin with.
    pub(super) base: String,
    of: [Vec<Topic>; TABLE.len()],
}

impl Topics {
    pub(super) fn new(root: &str, site: &Site) -> Self {
        let of = TABLE.map(|row| {
            let fill = |names: Names<'_>| Topic::from(filled(row.address, root, site, &names));
            names(site, row.per).into_iter().map(fill).collect()
        });
        Self { base: format!("{root}/{VERSION}/{}/", site.name), of }
    }

    /// All of a channel.
    pub(super) fn all(&self, channel: Channel) -> &[Topic] {
        &self.of[channel as usize]
    }

    /// The one of a channel that is about the item at this index; 0 for the gateway itself.
    pub(super) fn at(&self, channel: Channel, index: usize) -> &Topic {
        &self.of[channel as usize][index]
    }

    /// Those that the broker keeps.
    pub(super) fn retained(&self) -> impl Iterator<Item = Topic> {
        let kept = TABLE.iter().filter(|row| row.is_retained());
        kept.flat_map(|row| self.all(row.channel)).cloned()
    }
}

/// What is filled into an address beside root, site and gateway.
type Names<'a> = Vec<(&'static str, &'a str)>;

/// One topic for each of these.
fn names(site: &Site, per: Per) -> Vec<Names<'_>> {
    let room = |room: RoomId| ("{room}", site[room].name.as_str());
    let zone_room = |zone: ZoneId| room(site[zone].room);
    match per {
        Per::Gateway => vec![Vec::new()],
        Per::Room => (0..site.rooms.len()).map(|index| vec![room(RoomId::at(index))]).collect(),
        Per::Zone => site.zones.iter().map(|zone| vec![room(zone.room), ("{zone}", &zone.name)]).collect(),
        Per::Device => {
            let ids = (0..site.devices.len()).map(|index| &site[DeviceId::at(index)]);
            ids.map(|device| vec![zone_room(device.zone), ("{device}", &device.name)]).collect()
        }
        Per::Alarm => {
            site.alarms.iter().map(|alarm| vec![room(alarm.room), ("{alarm}", &alarm.name)]).collect()
        }
        Per::Sequence => {
            site.sequences.iter().map(|it| vec![zone_room(it.zone), ("{sequence}", &it.name)]).collect()
        }
        Per::Elsewhere => Vec::new(),
    }
}

fn filled(address: &str, root: &str, site: &Site, names: &Names<'_>) -> String {
    let common = [("{root}", root), ("{site}", &site.name), ("{gateway}", &site.gateway)];
    let all = common.into_iter().chain(names.iter().copied());
    all.fold(address.to_owned(), |topic, (place, name)| topic.replace(place, name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::testsite;

    #[test]
    fn every_name_is_filled_in_and_no_two_topics_are_the_same() {
        let site = testsite::site();
        let topics = Topics::new("emberwatch", &site);
        let mut all: Vec<&str> = topics.of.iter().flatten().map(|topic| &**topic).collect();
        assert!(all.contains(&"emberwatch/1/s1/gateway/gw1/status"), "{all:?}");
        assert!(all.contains(&"emberwatch/1/s1/b1/device/bms-1/data"), "{all:?}");
        assert!(all.contains(&"emberwatch/1/s1/b1/zone/rack-1/notice"), "{all:?}");
        assert!(all.iter().all(|topic| topic.starts_with(&topics.base) && !topic.contains('{')), "{all:?}");
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
    }
}

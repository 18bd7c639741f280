//! The names of all topics, made once.

use std::sync::Arc;

use crate::safety::site::{RoomId, Site};
use crate::wire::VERSION;

/// A topic's name.
pub(super) type Topic = Arc<str>;

/// Every topic of one gateway, by the index of what it is about.
#[derive(Debug)]
pub(super) struct Topics {
    /// What all topics of the site begin with.
    pub(super) base: String,
    pub(super) status: Topic,
    pub(super) info: Topic,
    pub(super) heartbeat: Topic,
    pub(super) summary: Vec<Topic>,
    pub(super) event: Vec<Topic>,
    pub(super) zone: Vec<Topic>,
    pub(super) notice: Vec<Topic>,
    pub(super) device_state: Vec<Topic>,
    pub(super) device_meta: Vec<Topic>,
    pub(super) device_data: Vec<Topic>,
    pub(super) alarm: Vec<Topic>,
    pub(super) sequence: Vec<Topic>,
}

impl Topics {
    /// Those that the broker keeps.
    pub(super) fn retained(&self) -> impl Iterator<Item = Topic> {
        let lists = [
            &self.summary,
            &self.zone,
            &self.notice,
            &self.device_state,
            &self.device_meta,
            &self.alarm,
            &self.sequence,
        ];
        let single = [&self.status, &self.info].into_iter();
        single.chain(lists.into_iter().flatten()).cloned()
    }

    pub(super) fn new(root: &str, site: &Site) -> Self {
        let base = format!("{root}/{VERSION}/{}", site.name);
        let gateway = format!("{base}/gateway/{}", site.gateway);
        let room = |room: RoomId| format!("{base}/{}", site[room].name);
        let device = |leaf: &str| {
            let name = |spec: &crate::safety::site::Device| {
                Topic::from(format!("{}/device/{}/{leaf}", room(site[spec.zone].room), spec.name))
            };
            site.devices.iter().map(name).collect()
        };
        let rooms = |leaf: &str| {
            let ids = (0..site.rooms.len()).map(RoomId::at);
            ids.map(|id| Topic::from(format!("{}/{leaf}", room(id)))).collect()
        };
        let zones = |leaf: &str| {
            let name = |spec: &crate::safety::site::Zone| {
                Topic::from(format!("{}/zone/{}{leaf}", room(spec.room), spec.name))
            };
            site.zones.iter().map(name).collect()
        };
        let alarm = |spec: &crate::safety::site::Alarm| {
            Topic::from(format!("{}/alarm/{}", room(spec.room), spec.name))
        };
        let sequence = |spec: &crate::safety::sequence::spec::Sequence| {
            Topic::from(format!("{}/sequence/{}", room(site[spec.zone].room), spec.name))
        };
        Self {
            base: format!("{base}/"),
            status: format!("{gateway}/status").into(),
            info: format!("{gateway}/info").into(),
            heartbeat: format!("{gateway}/heartbeat").into(),
            summary: rooms("summary"),
            event: rooms("event"),
            zone: zones(""),
            notice: zones("/notice"),
            device_state: device("state"),
            device_meta: device("meta"),
            device_data: device("data"),
            alarm: site.alarms.iter().map(alarm).collect(),
            sequence: site.sequences.iter().map(sequence).collect(),
        }
    }
}

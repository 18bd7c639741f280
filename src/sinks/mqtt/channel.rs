//! The table of all that is said and heard over MQTT: one row per kind of topic.
//!
//! Everything about a topic is decided here and nowhere else: its name, what there is one of, how it is delivered, how long
//! the broker may keep it, and the schema of what it says. `topics` makes the names from it, `hear` publishes by it, and
//! `asyncapi` prints it; so the document cannot leave out a topic, nor tell another quality of service than is used.
//! What this table does not decide is when something is said.

use serde_json::Value;

use super::{command, discovery};
use crate::units::Millis;
use crate::wire::schema;

/// A kind of topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Channel {
    Status,
    Info,
    Heartbeat,
    Summary,
    Event,
    Zone,
    Notice,
    DeviceState,
    DeviceMeta,
    DeviceData,
    DeviceBacklog,
    Alarm,
    Sequence,
    Discovery,
    HomeAssistantStatus,
    Command,
    CommandResult,
}

/// What there is one topic of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Per {
    Gateway,
    Room,
    Zone,
    Device,
    Alarm,
    Sequence,
    /// Named elsewhere: not below the root of this site.
    Elsewhere,
}

/// How messages of a channel travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Delivery {
    /// How it stands: the latest, retained, acknowledged. Forgotten by the broker after `expiry`, where there is one.
    State { expiry: Option<Millis> },
    /// What happened: each one, in order, acknowledged. With `kept` the broker retains the last.
    Event { kept: bool },
    /// What is true now: at most once, never retained, and worthless after this.
    Reading { worth: Worth },
    /// What could not be told in time: acknowledged, never retained, for ever true as history.
    Backlog,
    /// What others say to us.
    Heard,
}

/// How long a reading is worth something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Worth {
    /// So long.
    Span(Millis),
    /// So many of its periods.
    Periods(u64),
}

/// One row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    pub(super) channel: Channel,
    /// Its name in the document.
    pub(super) name: &'static str,
    /// Its topic; names in braces are filled in.
    pub(super) address: &'static str,
    pub(super) per: Per,
    pub(super) delivery: Delivery,
    /// What it says, for people.
    pub(super) about: &'static str,
    /// The JSON Schema of its messages.
    pub(super) schema: fn() -> Value,
}

impl Row {
    /// Whether the broker keeps the last message.
    pub(super) const fn is_retained(&self) -> bool {
        matches!(self.delivery, Delivery::State { .. } | Delivery::Event { kept: true })
    }

    /// For how long a reading with this period is worth something.
    pub(super) const fn worth(&self, period: Millis) -> Millis {
        match self.delivery {
            Delivery::Reading { worth: Worth::Span(span) } => span,
            Delivery::Reading { worth: Worth::Periods(periods) } => period.times(periods),
            Delivery::State { .. } | Delivery::Event { .. } | Delivery::Backlog | Delivery::Heard => {
                Millis::ZERO
            }
        }
    }

    /// Quality of service: 1 where it is acknowledged.
    pub(super) const fn qos(&self) -> u8 {
        match self.delivery {
            Delivery::State { .. } | Delivery::Event { .. } | Delivery::Backlog | Delivery::Heard => 1,
            Delivery::Reading { .. } => 0,
        }
    }

    /// Whether the last word on it is an empty message, which removes what the broker keeps.
    pub(super) const fn is_removed(&self) -> bool {
        matches!(self.channel, Channel::Alarm | Channel::Discovery)
    }
}

impl Channel {
    /// Its row.
    pub(super) fn row(self) -> &'static Row {
        &TABLE[self as usize]
    }
}

const RETAINED: Delivery = Delivery::State { expiry: None };

/// All rows, in the order of `Channel`.
pub(super) const TABLE: [Row; 17] = [
    Row {
        channel: Channel::Status,
        name: "gatewayStatus",
        address: "{root}/1/{site}/gateway/{gateway}/status",
        per: Per::Gateway,
        delivery: RETAINED,
        about: "How the gateway itself is. The broker says `lost` for a gateway that is gone (last will).",
        schema: schema::gateway_status,
    },
    Row {
        channel: Channel::Info,
        name: "gatewayInfo",
        address: "{root}/1/{site}/gateway/{gateway}/info",
        per: Per::Gateway,
        delivery: RETAINED,
        about: "What runs there: version, rooms and zones.",
        schema: schema::gateway_info,
    },
    Row {
        channel: Channel::Heartbeat,
        name: "gatewayHeartbeat",
        address: "{root}/1/{site}/gateway/{gateway}/heartbeat",
        per: Per::Gateway,
        delivery: Delivery::Reading { worth: Worth::Span(Millis::from_secs(15)) },
        about: "The safety loop is alive: every five seconds, as long as it speaks.",
        schema: schema::heartbeat,
    },
    Row {
        channel: Channel::Summary,
        name: "roomSummary",
        address: "{root}/1/{site}/{room}/summary",
        per: Per::Room,
        delivery: Delivery::State { expiry: Some(Millis::from_secs(30)) },
        about: "A room at a glance. Renewed every ten seconds; a dead gateway leaves none behind.",
        schema: schema::summary,
    },
    Row {
        channel: Channel::Event,
        name: "roomEvent",
        address: "{root}/1/{site}/{room}/event",
        per: Per::Room,
        delivery: Delivery::Event { kept: false },
        about: "Every transition, in order, at least once: drop doubles by `boot`, `seq` and `n`. With `historical` it is \
                told late, out of the spool, or once more after a crash: `boot` is then `journal`.",
        schema: schema::event,
    },
    Row {
        channel: Channel::Zone,
        name: "zoneLevel",
        address: "{root}/1/{site}/{room}/zone/{zone}",
        per: Per::Zone,
        delivery: RETAINED,
        about: "How dangerous a zone is, with the evidence.",
        schema: schema::zone,
    },
    Row {
        channel: Channel::Notice,
        name: "zoneNotice",
        address: "{root}/1/{site}/{room}/zone/{zone}/notice",
        per: Per::Zone,
        delivery: Delivery::Event { kept: true },
        about: "What service owners get before power goes. Each one is told; the broker keeps the last. With `historical` \
                it is told late, and not kept.",
        schema: schema::notice,
    },
    Row {
        channel: Channel::DeviceState,
        name: "deviceState",
        address: "{root}/1/{site}/{room}/device/{device}/state",
        per: Per::Device,
        delivery: RETAINED,
        about: "Whether a device answers, since when, and why not.",
        schema: schema::device_state,
    },
    Row {
        channel: Channel::DeviceMeta,
        name: "deviceMeta",
        address: "{root}/1/{site}/{room}/device/{device}/meta",
        per: Per::Device,
        delivery: RETAINED,
        about: "What a device measures: units, ranges, limits, periods, names of states.",
        schema: schema::device_meta,
    },
    Row {
        channel: Channel::DeviceData,
        name: "deviceData",
        address: "{root}/1/{site}/{room}/device/{device}/data",
        per: Per::Device,
        delivery: Delivery::Reading { worth: Worth::Periods(3) },
        about: "What one poll of a device delivered: the points of that poll, not always all of them. Never retained: a \
                replayed reading looks alive. A bad point is `null` with its reason, never the value before.",
        schema: schema::device_data,
    },
    Row {
        channel: Channel::DeviceBacklog,
        name: "deviceBacklog",
        address: "{root}/1/{site}/{room}/device/{device}/backlog",
        per: Per::Device,
        delivery: Delivery::Backlog,
        about: "Readings that could not be told in time, told late: history, never how it is now.",
        schema: schema::device_backlog,
    },
    Row {
        channel: Channel::Alarm,
        name: "alarm",
        address: "{root}/1/{site}/{room}/alarm/{alarm}",
        per: Per::Alarm,
        delivery: RETAINED,
        about: "One alarm; there is one only while it is not normal. On its return it is told once more, as `normal`, and \
                an empty message takes it away.",
        schema: schema::alarm,
    },
    Row {
        channel: Channel::Sequence,
        name: "sequence",
        address: "{root}/1/{site}/{room}/sequence/{sequence}",
        per: Per::Sequence,
        delivery: RETAINED,
        about: "One staged power cut: its mode, and how far a run is. A drill says so.",
        schema: schema::sequence,
    },
    Row {
        channel: Channel::Discovery,
        name: "homeAssistantDiscovery",
        address: "{prefix}/device/{object}/config",
        per: Per::Elsewhere,
        delivery: RETAINED,
        about: "Home Assistant's device discovery, where `[mqtt.homeassistant]` enables it: one message per device, room \
                and gateway. An empty message takes one away.",
        schema: discovery::schema,
    },
    Row {
        channel: Channel::HomeAssistantStatus,
        name: "homeAssistantStatus",
        address: "{birth}",
        per: Per::Elsewhere,
        delivery: Delivery::Heard,
        about: "Home Assistant's own birth and will: at `online`, discovery and all state are published again.",
        schema: discovery::status_schema,
    },
    Row {
        channel: Channel::Command,
        name: "command",
        address: "{root}/1/{site}/{room}/cmd/{verb}",
        per: Per::Elsewhere,
        delivery: Delivery::Heard,
        about: "What may be asked, where `[mqtt.commands]` allows it: ack, shelve, unshelve, abort, refresh. Never \
                retained; MQTT 5 alone. The user properties emberwatch-key and emberwatch-signature sign it.",
        schema: command::schema,
    },
    Row {
        channel: Channel::CommandResult,
        name: "commandResult",
        address: "{root}/1/{site}/{room}/res/{verb}",
        per: Per::Elsewhere,
        delivery: Delivery::Reading { worth: Worth::Span(Millis::from_secs(60)) },
        about: "What came of a command, at most once: ask again with the same id for the same answer. Goes to the response \
                topic instead, where one is given and allowed.",
        schema: command::result_schema,
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_channel_has_its_own_row_in_order_with_its_own_name_and_topic() {
        for (index, row) in TABLE.iter().enumerate() {
            assert_eq!(row.channel as usize, index, "{}", row.name);
            let same = |other: &&Row| other.name == row.name || other.address == row.address;
            assert_eq!(TABLE.iter().filter(same).count(), 1, "{}", row.name);
        }
    }

    #[test]
    fn no_reading_is_retained_and_whatever_is_retained_is_acknowledged() {
        for row in &TABLE {
            assert!(!(row.is_retained() && row.qos() == 0), "{}", row.name);
            assert!(!(row.is_retained() && matches!(row.delivery, Delivery::Reading { .. })), "{}", row.name);
        }
    }
}

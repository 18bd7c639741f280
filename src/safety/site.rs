//! The plant as the core sees it: rooms, zones, devices, points, rules, actions, sequences, alarms.
//!
//! A `Site` is validated once, at the border (`Site::check`), and trusted inside. Everything is found by
//! index; names are for people and for what outlives a configuration (journal, topics).
//! There are no defaults here: a limit, a delay or a policy that is missing is a fault of the
//! configuration, never a number chosen in silence. The settings of alarms are the exception: they decide
//! nothing about judging or cutting.

use crate::safety::alarm::settings::AlarmSettings;
use crate::safety::rules::Rule;
use crate::safety::sequence::spec::{CutBudget, Expect, Sequence};
use crate::units::{Millis, Unit};

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident => $table:ident : $item:ty),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u32);

        impl $name {
            /// The position in its table of the site.
            #[must_use]
            pub const fn index(self) -> usize {
                self.0 as usize
            }

            /// The id of the item at this position of its table.
            #[must_use]
            pub fn at(index: usize) -> Self {
                Self(u32::try_from(index).expect("tables are checked to hold fewer than TABLE_MAX items"))
            }
        }

        impl std::ops::Index<$name> for Site {
            type Output = $item;
            fn index(&self, id: $name) -> &$item {
                &self.$table[id.index()]
            }
        }
    )+};
}

ids! {
    /// A battery room.
    RoomId => rooms: Room,
    /// A part of a room that can be judged and cut alone.
    ZoneId => zones: Zone,
    /// One unit on a link.
    DeviceId => devices: Device,
    /// One value of one device.
    PointId => points: Point,
    /// One judgement.
    RuleId => rules: Rule,
    /// One command that a sequence may give.
    ActionId => actions: Action,
    /// Servers that live on any one of their feeds.
    LoadGroupId => load_groups: LoadGroup,
    /// One way by which power reaches a load group.
    FeedId => feeds: Feed,
    /// One staged power cut.
    SequenceId => sequences: Sequence,
    /// One alarm that can stand.
    AlarmId => alarms: Alarm,
}

/// The most items a table of the site may hold: ids stay small and memory bounded.
pub const TABLE_MAX: usize = 1_000_000;

/// A facility's battery rooms, as validated.
#[derive(Clone, Debug, Default)]
pub struct Site {
    /// The site's id in topics and tags.
    pub name: String,
    /// The gateway's id in topics: which machine speaks.
    pub gateway: String,
    /// Rooms.
    pub rooms: Vec<Room>,
    /// Zones of all rooms.
    pub zones: Vec<Zone>,
    /// Devices of all links.
    pub devices: Vec<Device>,
    /// Points of all devices; the points of one device are adjacent.
    pub points: Vec<Point>,
    /// Points by whose counting devices show that they are alive.
    pub heartbeats: Vec<Heartbeat>,
    /// Points that measure the same thing as others.
    pub redundant: Vec<Redundant>,
    /// Rules of all zones.
    pub rules: Vec<Rule>,
    /// Commands that sequences may give: the only writes there are.
    pub actions: Vec<Action>,
    /// Servers by how they are fed.
    pub load_groups: Vec<LoadGroup>,
    /// The ways by which power reaches them.
    pub feeds: Vec<Feed>,
    /// Power cuts.
    pub sequences: Vec<Sequence>,
    /// How much they may cut by themselves; `None` where no sequence cuts anything.
    pub cut_budget: Option<CutBudget>,
    /// Alarms: of rules, devices, sequences and of emberwatch itself.
    pub alarms: Vec<Alarm>,
    /// How alarms are shelved, told anew and counted.
    pub alarm_settings: AlarmSettings,
}

/// A battery room.
#[derive(Clone, Debug)]
pub struct Room {
    /// Id in topics, `[a-z0-9][a-z0-9-]{0,47}`.
    pub name: String,
    /// For people.
    pub title: String,
}

/// A part of a room that can be judged and cut alone.
#[derive(Clone, Debug)]
pub struct Zone {
    /// Id in topics.
    pub name: String,
    /// For people.
    pub title: String,
    /// The room it is in.
    pub room: RoomId,
}

/// What a device measures or does; decides its measurement in the time-series store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DeviceKind {
    /// An uninterruptible power supply.
    Ups,
    /// A battery string or rack with its management system.
    Battery,
    /// A gas detector.
    Gas,
    /// A smoke detector.
    Smoke,
    /// Temperature and humidity of a room.
    Environment,
    /// Relays, breakers and contacts.
    Contact,
}

/// One unit on a link.
#[derive(Clone, Debug)]
pub struct Device {
    /// Id in topics.
    pub name: String,
    /// For people.
    pub title: String,
    /// Where it stands.
    pub zone: ZoneId,
    /// What it is.
    pub kind: DeviceKind,
    /// Its points: a range of `Site::points`.
    pub points: std::ops::Range<u32>,
    /// How long it may be silent before its alarm: at least three of its shortest periods, at least 3 s (R4).
    pub silent_after: Millis,
    /// True where a sequence commands it: its silence is critical at once (R5, S23).
    pub switches: bool,
}

/// One value of one device.
#[derive(Clone, Debug)]
pub struct Point {
    /// Id within its device, as in the profile.
    pub name: String,
    /// The device it belongs to.
    pub device: DeviceId,
    /// Its unit.
    pub unit: Unit,
    /// How often it is polled.
    pub period: Millis,
    /// Older than this and it is stale: three missed polls, at least 3 s (R4).
    pub stale_after: Millis,
    /// The physical range: outside it no number is believed.
    pub range: Option<(f64, f64)>,
    /// The fastest believable fall, in units per second. A faster rise is real in a fire and never doubted.
    pub fall_per_s_max: Option<f64>,
    /// When identical values are doubted.
    pub frozen: Option<Frozen>,
    /// Meanings of whole numbers, for states and bit fields.
    pub labels: Labels,
}

/// When a value that never moves is no longer believed.
#[derive(Clone, Debug, PartialEq)]
pub struct Frozen {
    /// Bit-identical for at least this long …
    pub after: Millis,
    /// … while any of these has moved by more than `moved` since.
    pub siblings: Vec<PointId>,
    /// What counts as movement of a sibling, in its unit.
    pub moved: f64,
}

/// By what a device shows that it is alive: a counter that must count.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Heartbeat {
    /// The counter. All of its device is silent while it stands still.
    pub point: PointId,
    /// Standing still for this long means that the device repeats old values.
    pub after: Millis,
}

/// A point that measures the same thing as others.
#[derive(Clone, Debug, PartialEq)]
pub struct Redundant {
    /// The point that is doubted …
    pub point: PointId,
    /// … when it reads calmer than the middle of these, at most `SIBLINGS_MAX` …
    pub with: Vec<PointId>,
    /// … by more than this, in its unit …
    pub by: f64,
    /// … for this long.
    pub after: Millis,
    /// The dangerous side: `Above`, and the lower of two is doubted.
    pub dangerous: crate::safety::rules::limit::Side,
}

/// What whole numbers mean.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Labels {
    /// Nothing but a number.
    #[default]
    None,
    /// One name per value.
    Enum(Vec<(u32, String)>),
    /// One name per bit.
    Bits(Vec<(u8, String)>),
}

/// One command that a sequence may give to a device.
#[derive(Clone, Debug)]
pub struct Action {
    /// `device/action`, as the profile names it.
    pub name: String,
    /// The device that carries it out.
    pub device: DeviceId,
    /// Whether giving it twice is harmless.
    pub output: OutputKind,
}

/// Servers that live on any one of their feeds: never are two of these cut by emberwatch alone (I1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadGroup {
    /// Id in notices: "row-3".
    pub name: String,
    /// For people: whose servers they are.
    pub title: String,
}

/// One way by which power reaches a load group.
#[derive(Clone, Debug, PartialEq)]
pub struct Feed {
    /// Id within its group: "a".
    pub name: String,
    /// Whom it feeds.
    pub group: LoadGroupId,
    /// What must be read, all of it on good data, for it to be known to carry power.
    pub alive: Vec<Expect>,
}

/// How an output behaves when told twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputKind {
    /// Holds what it is told: may be told again (R8).
    Level,
    /// Acts once each time it is told: never told twice by itself (R8, S10).
    Pulse,
}

/// How much an alarm matters. `Ord`: the most urgent is the greatest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// For diagnosis.
    Low,
    /// Look at it today.
    Medium,
    /// Look at it now.
    High,
    /// Fire risk, a cut that runs or failed, or protection lost.
    Critical,
}

/// One alarm that can stand.
#[derive(Clone, Debug)]
pub struct Alarm {
    /// Id in topics.
    pub name: String,
    /// The room it is shown in.
    pub room: RoomId,
    /// What raises it.
    pub source: AlarmSource,
    /// Whether it stands until reset though its cause has gone.
    pub latched: bool,
    /// What is the matter, for people.
    pub message: String,
    /// What happens if nobody does anything.
    pub consequence: String,
    /// What to do.
    pub action: String,
}

/// What raises an alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AlarmSource {
    /// A rule's finding; the priority follows its level.
    Rule(RuleId),
    /// A device does not answer.
    Silent(DeviceId),
    /// A device delivers numbers that are not believed, and somebody needs them.
    Faulty(DeviceId),
    /// A sequence is not armed: nobody cuts. Stands as long as that is so (R1).
    NotArmed(SequenceId),
    /// The proof test of a sequence is missing, of another configuration, or overdue (I4).
    Unproven(SequenceId),
    /// A sequence counts down or cuts.
    Cutting(SequenceId),
    /// A stage failed, or a cut could not be finished.
    CutFailed(SequenceId),
    /// A switch of a sequence opened, and no sequence had told it to.
    OpenedByOther(SequenceId),
    /// A switch of a sequence shows "open", and current flows.
    CurrentFlows(SequenceId),
    /// A vote has lost channels: it needs fewer votes now, or can have fewer. Critical when not repaired in time.
    VoteWeakened(RuleId),
    /// A vote has lost so many channels that it cannot be completed.
    VoteBlind(RuleId),
    /// A channel of votes is bypassed: two persons put it aside for a while (R15).
    Bypassed(RuleId),
    /// Nothing is cut by itself in this zone for a while: two persons put it into maintenance (I10).
    Maintenance(ZoneId),
    /// Something of emberwatch itself does not work.
    System(SystemFault),
    /// More new alarms of a room than a person can read: this one stands for them.
    Flood(RoomId),
}

/// What of emberwatch itself can fail. None of these stops polling, judging or cutting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SystemFault {
    /// Decisions are not being made durable: disk full, read-only, failing or too slow.
    Journal,
    /// The MQTT broker does not take messages.
    Mqtt,
    /// The InfluxDB server does not take points.
    Influx,
    /// A webhook target does not take messages.
    Webhook,
    /// What the MQTT broker has not accepted yet cannot be kept on disk, or some of it was dropped or damaged there.
    MqttSpool,
    /// The same of what the InfluxDB server has not accepted yet.
    InfluxSpool,
    /// Facts were dropped because a consumer was too slow.
    Overload,
    /// An edge task panicked and was restarted.
    Restarted,
    /// The loop was held up for longer than two ticks.
    Stall,
    /// A serial line damages so many frames that readings will be lost.
    LineNoise,
    /// Somebody else sends on a serial line: two masters garble each other.
    BusContention,
    /// A gateway answers with transaction ids that were never asked for.
    GatewayIds,
    /// Nothing has kept the wall clock right for a while.
    Clock,
}

impl SystemFault {
    /// Every fault with its alarm's name.
    pub const TABLE: [(Self, &'static str); 13] = [
        (Self::Journal, "journal-failing"),
        (Self::Mqtt, "mqtt-down"),
        (Self::Influx, "influx-down"),
        (Self::Webhook, "webhook-down"),
        (Self::MqttSpool, "mqtt-spool-failing"),
        (Self::InfluxSpool, "influx-spool-failing"),
        (Self::Overload, "facts-dropped"),
        (Self::Restarted, "task-restarted"),
        (Self::Stall, "loop-stalled"),
        (Self::LineNoise, "line-noisy"),
        (Self::BusContention, "second-master"),
        (Self::GatewayIds, "gateway-breaks-ids"),
        (Self::Clock, "clock-unsynchronised"),
    ];
}

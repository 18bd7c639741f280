//! Home Assistant's device discovery: what it must be told once to show every device, room and alarm by itself.
//!
//! One retained message per device, one per room, one for the gateway; in parts where a message would be too large for
//! common brokers. All of it follows from the site, so it is made once. Devices belong to their room, rooms to the gateway
//! (`via_device`). Nothing here can be pressed: no button aborts or cuts.
//! A value that is not good is `None` to Home Assistant, which shows it as unknown; a device that does not answer, or a
//! gateway that is gone, makes all of it unavailable.

mod places;
mod points;
mod units;

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::channel::Channel;
use super::options::HomeAssistantOptions;
use super::topics::{Topic, Topics};
use crate::safety::site::{DeviceId, RoomId, Site};
use crate::wire::schema::{any, array, integer, map, object, optional, string, words};

/// The largest message: brokers of cloud services take 128 KiB.
const MESSAGE_BYTES_MAX: usize = 64 << 10;

/// What all ids of ours begin with. Ids of sites, rooms and devices have no `_`: as a separator it makes no two the same.
const OURS: &str = "emberwatch_";

/// Home Assistant, as it wants to be spoken to.
#[derive(Debug)]
pub(super) struct Discovery {
    /// Where it says that it has come.
    pub(super) birth: String,
    /// What it is told, in order.
    pub(super) messages: Vec<Introduction>,
}

/// One message of discovery.
#[derive(Debug)]
pub(super) struct Introduction {
    pub(super) topic: Topic,
    pub(super) payload: Bytes,
    /// The gateway before its rooms, rooms before their devices: each names the one before.
    pub(super) rank: u8,
}

/// One device of Home Assistant, before it is cut into messages.
#[derive(Debug)]
struct Draft {
    object: String,
    rank: u8,
    device: Value,
    availability: Vec<Value>,
    state_topic: Option<Topic>,
    /// By key.
    components: Vec<(String, Value)>,
}

impl Discovery {
    pub(super) fn new(options: &HomeAssistantOptions, site: &Site, topics: &Topics) -> Self {
        let mut drafts = vec![places::gateway(site, topics)];
        let rooms = (0..site.rooms.len()).map(RoomId::at);
        drafts.extend(rooms.map(|room| places::room(site, topics, room, options.alarms)));
        let devices = (0..site.devices.len()).map(DeviceId::at);
        drafts.extend(devices.map(|device| {
            let model = options.models.get(device.index()).and_then(Option::as_ref);
            points::device(site, topics, device, model)
        }));
        let messages = drafts.iter().flat_map(|draft| draft.messages(&options.prefix)).collect();
        Self { birth: options.birth_topic.clone(), messages }
    }

    /// Whether this is Home Assistant saying that it has come; also where the broker had kept it.
    pub(super) fn is_birth(&self, topic: &str, payload: &[u8]) -> bool {
        topic == self.birth && payload.trim_ascii() == b"online"
    }
}

/// Whether a topic is of discovery, and of this site: under whatever prefix, which may have been another one.
pub(super) fn is_of_site(topic: &str, site: &str) -> bool {
    let mut levels = topic.rsplit('/');
    let (leaf, object, kind) = (levels.next(), levels.next(), levels.next());
    let of_site = |object: &str| {
        let rest = object.strip_prefix(OURS).and_then(|rest| rest.strip_prefix(site));
        rest.is_some_and(|rest| rest.starts_with('_'))
    };
    leaf == Some("config") && kind == Some("device") && object.is_some_and(of_site)
}

impl Draft {
    fn messages(&self, prefix: &str) -> Vec<Introduction> {
        let mut parts: Vec<(usize, Map<String, Value>)> = vec![(0, Map::new())];
        let fixed = self.payload(Map::new()).to_string().len();
        for (key, component) in &self.components {
            let bytes = key.len() + component.to_string().len() + 4;
            let full = |part: &&mut (usize, Map<String, Value>)| fixed + part.0 + bytes <= MESSAGE_BYTES_MAX;
            if let Some(part) = parts.last_mut().filter(full) {
                part.0 += bytes;
                part.1.insert(key.clone(), component.clone());
            } else {
                parts.push((bytes, Map::from_iter([(key.clone(), component.clone())])));
            }
        }
        let message = |(index, (_, components)): (usize, (usize, Map<String, Value>))| {
            let object = match index {
                0 => self.object.clone(),
                // No id is empty, so that nothing else can be called that.
                _ => format!("{}__{}", self.object, index + 1),
            };
            let address = Channel::Discovery.row().address;
            let topic = address.replace("{prefix}", prefix).replace("{object}", &object).into();
            let payload = Bytes::from(self.payload(components).to_string());
            Introduction { topic, payload, rank: self.rank }
        };
        parts.into_iter().enumerate().map(message).collect()
    }

    fn payload(&self, components: Map<String, Value>) -> Value {
        let mut payload = json!({
            "dev": self.device,
            "o": { "name": "emberwatch", "sw": env!("CARGO_PKG_VERSION") },
            "availability_mode": "all",
            "availability": self.availability,
            "qos": Channel::Discovery.row().qos(),
        });
        payload["cmps"] = Value::Object(components);
        if let Some(topic) = &self.state_topic {
            payload["state_topic"] = named(topic);
        }
        payload
    }
}

fn gateway_object(site: &Site) -> String {
    format!("{OURS}{}_gateway_{}", site.name, site.gateway)
}

fn room_object(site: &Site, room: RoomId) -> String {
    format!("{OURS}{}_{}", site.name, site[room].name)
}

fn device_object(site: &Site, device: DeviceId) -> String {
    let room = site[site[device].zone].room;
    format!("{}_{}", room_object(site, room), site[device].name)
}

/// Whether the gateway works, as Home Assistant asks it.
fn gateway_availability(topics: &Topics) -> Value {
    json!({
        "topic": named(topics.at(Channel::Status, 0)),
        "value_template": "{{ 'online' if value_json.state in ['online','degraded'] else 'offline' }}",
    })
}

/// A component: its platform, a unique id that stays, its name and what else there is.
fn component(platform: &str, object: &str, key: &str, name: &str, more: Value) -> (String, Value) {
    let mut all = Map::new();
    all.insert("p".to_owned(), json!(platform));
    all.insert("unique_id".to_owned(), json!(format!("{object}_{key}")));
    all.insert("name".to_owned(), json!(name));
    if let Value::Object(more) = more {
        all.extend(more.into_iter().filter(|(_, value)| !value.is_null()));
    }
    (key.to_owned(), Value::Object(all))
}

/// An id as people read it: `cell-temp-max` is "Cell temp max".
fn spoken(id: &str) -> String {
    let mut letters = id.chars().map(|letter| if letter == '-' { ' ' } else { letter });
    letters.next().into_iter().flat_map(char::to_uppercase).collect::<String>() + &letters.collect::<String>()
}

/// A text as a literal of a template.
fn literal(text: &str) -> String {
    Value::from(text).to_string()
}

/// The JSON Schema of a message of discovery.
pub(super) fn schema() -> Value {
    let component = object(&[
        ("p", words(&["sensor", "binary_sensor"])),
        ("unique_id", string()),
        ("name", string()),
        ("state_topic", optional(string())),
        ("value_template", optional(string())),
        ("json_attributes_topic", optional(string())),
        ("json_attributes_template", optional(string())),
        ("availability", optional(array(any()))),
        ("device_class", optional(string())),
        ("unit_of_measurement", optional(string())),
        ("state_class", optional(words(&["measurement"]))),
        ("options", optional(array(string()))),
        ("expire_after", optional(integer())),
        ("entity_category", optional(words(&["diagnostic"]))),
        ("enabled_by_default", optional(json!({ "type": "boolean" }))),
    ]);
    let device = object(&[
        ("ids", array(string())),
        ("name", string()),
        ("mf", optional(string())),
        ("mdl", optional(string())),
        ("sw", optional(string())),
        ("via_device", optional(string())),
    ]);
    object(&[
        ("dev", device),
        ("o", object(&[("name", string()), ("sw", string())])),
        ("availability_mode", words(&["all"])),
        ("availability", array(object(&[("topic", string()), ("value_template", string())]))),
        ("qos", integer()),
        ("state_topic", optional(string())),
        ("cmps", map(component)),
    ])
}

/// The JSON Schema of what Home Assistant says of itself.
pub(super) fn status_schema() -> Value {
    words(&["online", "offline"])
}

fn named(topic: &Topic) -> Value {
    Value::from(&**topic)
}

#[cfg(test)]
mod tests;

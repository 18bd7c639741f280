//! What the configuration says about the MQTT broker.

use std::path::PathBuf;

use secrecy::SecretString;

use crate::sinks::spool::options::SpoolOptions;
use crate::units::Millis;

/// One broker.
#[derive(Clone, Debug)]
pub struct MqttOptions {
    /// Host name or address.
    pub host: String,
    /// 1883 or, with TLS, 8883 as a rule.
    pub port: u16,
    /// More brokers, with their ports: asked in turn when the first is away.
    pub more: Vec<(String, u16)>,
    /// Client id; unique at the broker.
    pub client_id: String,
    /// First level of all topics, `emberwatch` by default.
    pub root: String,
    /// Protocol version.
    pub version: MqttVersion,
    /// User name and password.
    pub login: Option<(String, SecretString)>,
    /// TLS, or plain text.
    pub tls: Option<TlsOptions>,
    /// Seconds between keep-alives; at least 5.
    pub keep_alive: Millis,
    /// The most messages that wait while the broker is away; readings are dropped first, oldest first.
    pub outbox_max: usize,
    /// Where events and readings are kept on disk until the broker has them; in memory only when absent.
    pub spool: Option<SpoolOptions>,
    /// The file that remembers which retained topics this gateway once owned; ghosts are not removed when absent.
    pub owned_topics: Option<PathBuf>,
    /// Where Home Assistant is told of all devices; it is not when absent.
    pub homeassistant: Option<HomeAssistantOptions>,
    /// What others may ask; nothing is subscribed for it when absent.
    pub commands: Option<CommandOptions>,
}

/// Home Assistant's device discovery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HomeAssistantOptions {
    /// What its discovery topics begin with, `homeassistant` by default.
    pub prefix: String,
    /// Where it says `online`, `homeassistant/status` by default.
    pub birth_topic: String,
    /// Whether rooms' alarms become entities, one each.
    pub alarms: bool,
    /// Maker and model of each device, in the order of the site's; unknown where a device has no entry.
    pub models: Vec<Option<DeviceModel>>,
}

/// Who made a device, and what it is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceModel {
    /// The maker.
    pub vendor: String,
    /// The model, or the models that its profile is for.
    pub model: String,
}

impl MqttOptions {
    /// How many brokers there are.
    #[must_use]
    pub fn brokers(&self) -> usize {
        1 + self.more.len()
    }

    /// Host and port of one of them.
    #[must_use]
    pub fn address(&self, broker: usize) -> (&str, u16) {
        let other = broker.checked_sub(1).and_then(|index| self.more.get(index));
        other.map_or((&self.host, self.port), |(host, port)| (host, *port))
    }
}

/// MQTT protocol version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MqttVersion {
    /// 3.1.1, a compatibility mode: a broker cannot say that it refused a message.
    V3,
    /// 5.
    V5,
}

/// How the broker is verified, and how it verifies us.
#[derive(Clone, Debug)]
pub struct TlsOptions {
    /// PEM file of the authority that signed the broker's certificate; the system's when absent.
    pub ca_file: Option<PathBuf>,
    /// PEM files of our certificate and key.
    pub client: Option<(PathBuf, PathBuf)>,
}

/// What others may ask over MQTT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandOptions {
    /// The verbs that are allowed at all.
    pub allow: Vec<Verb>,
    /// Whether also what moves nothing must be signed.
    pub require_signature: bool,
    /// Where answers may go besides `res/`: beginnings of topics.
    pub respond_to: Vec<String>,
    /// Whose signatures are known.
    pub keys: Vec<KeyOptions>,
}

/// One key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyOptions {
    /// Its name in records.
    pub name: String,
    /// Ed25519.
    pub public_key: [u8; 32],
    /// The verbs that it may sign.
    pub allow: Vec<Verb>,
}

/// What may be asked. There is none that arms or cuts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// An occurrence of an alarm was seen.
    Ack,
    /// Do not tell of an alarm for a while.
    Shelve,
    /// Tell of it again.
    Unshelve,
    /// Stop a run before its point of no return.
    Abort,
    /// Tell everything that stands again.
    Refresh,
}

impl Verb {
    /// Every verb with its word in topics and configuration.
    pub const TABLE: [(&'static str, Self); 5] = [
        ("ack", Self::Ack),
        ("shelve", Self::Shelve),
        ("unshelve", Self::Unshelve),
        ("abort", Self::Abort),
        ("refresh", Self::Refresh),
    ];
}

//! `[mqtt]`.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::config::complaint::Desk;
use crate::config::explain::Code;
use crate::config::names::Names;
use crate::config::node::At;
use crate::config::plant::{as_table, is_host};
use crate::config::secrets::{self, Environment};
use crate::config::table::Table;
use crate::config::value;
use crate::sinks::mqtt::options::{
    CommandOptions, HomeAssistantOptions, KeyOptions, MqttOptions, MqttVersion, TlsOptions, Verb,
};
use crate::units::Millis;

use super::{QUEUE, count, spool, url};

const VERSIONS: &[(&str, MqttVersion)] = &[("5", MqttVersion::V5), ("3.1.1", MqttVersion::V3)];
/// Between keep-alives; the protocol counts whole seconds up to 65,535.
const KEEP_ALIVE_MS: std::ops::RangeInclusive<u64> = 5_000..=3_600_000;
const CLIENT_ID_CHARS_MAX: usize = 128;

pub(super) fn read(
    desk: &mut Desk,
    mut table: Table,
    env: Environment,
    gateway: &str,
    home: Option<PathBuf>,
) -> Option<MqttOptions> {
    let brokers = table.may(desk, "brokers", value::list(value::text)).filter(|list| !list.value.is_empty());
    let host = match &brokers {
        Some(_) => table.may(desk, "host", value::text),
        None => table.need(desk, "host", value::text),
    };
    let port = table.may(desk, "port", value::whole(1..=65_535));
    let client_id = table.may(desk, "client_id", value::filled);
    let root = table.may(desk, "root", value::text);
    let version = table.may(desk, "version", value::word(VERSIONS));
    let has_login = table.has("login");
    let login = table.may(desk, "login", |desk, key, node| {
        let mut login = as_table(desk, key, node)?;
        let user = login.need(desk, "user", value::filled);
        let password = login.need(desk, "password", |desk, key, node| secrets::read(desk, key, node, env));
        login.finish(desk);
        Some((user?.value, password?.value))
    });
    let tls = table.table(desk, "tls");
    let keep_alive = table.may(desk, "keep_alive", value::duration(KEEP_ALIVE_MS));
    let outbox = table.may(desk, "outbox_max", value::whole(QUEUE));
    let allow_plaintext = table.may(desk, "allow_plaintext", value::flag).unwrap_or(false);
    let spool = spool::read(desk, &mut table, home.as_deref());
    let homeassistant = table.table(desk, "homeassistant").and_then(|table| home_assistant(desk, table));
    let commands = table.table(desk, "commands").and_then(|table| commands(desk, table, version));
    table.finish(desk);
    let secure = tls.is_some();
    let port = port.and_then(|port| u16::try_from(port.value).ok());
    let port = port.unwrap_or(if secure { 8883 } else { 1883 });
    // `host` is the first of them, where both are written.
    let written = host.into_iter().chain(brokers.map(|list| list.value).unwrap_or_default());
    let mut addresses: Vec<(String, u16)> =
        written.filter_map(|broker| address(desk, &broker, port, secure || allow_plaintext)).collect();
    check_names(desk, root.as_ref(), client_id.as_ref());
    let tls = tls.map(|table| read_tls(desk, table));
    if has_login && login.is_none() {
        return None;
    }
    if addresses.is_empty() {
        return None;
    }
    let (host, port) = addresses.remove(0);
    Some(MqttOptions {
        host,
        port,
        more: addresses,
        client_id: client_id.map_or_else(|| format!("emberwatch-{gateway}"), |id| id.value),
        root: root.map_or_else(|| "emberwatch".to_owned(), |root| root.value),
        version: version.unwrap_or(MqttVersion::V5),
        login,
        tls: match tls {
            Some(tls) => Some(tls?),
            None => None,
        },
        keep_alive: keep_alive.map_or(Millis(30_000), |keep_alive| keep_alive.value),
        outbox_max: count(outbox, 10_000),
        spool,
        owned_topics: home.map(|home| home.join("topics")),
        homeassistant,
        commands,
    })
}

/// A broker as written: `host`, `host:port` or `[address]:port`.
fn address(desk: &mut Desk, broker: &At<String>, port: u16, may_be_plain: bool) -> Option<(String, u16)> {
    let text = broker.value.as_str();
    let is_v6 = |host: &str| host.parse::<std::net::Ipv6Addr>().is_ok();
    let (host, port) = match text.rsplit_once(':') {
        Some((host, digits)) if !is_v6(text) => {
            (host.trim_start_matches('[').trim_end_matches(']'), digits.parse().ok().filter(|port| 0 < *port))
        }
        _ => (text, Some(port)),
    };
    let Some(port) = port.filter(|_| is_host(host) || is_v6(host)) else {
        desk.say(Code::BadAddress, broker.at, format!("`{text}` is not a host"))
            .help("write a host name or address; for another port host:port in `brokers`, or the key `port`");
        return None;
    };
    if !may_be_plain && !url::is_loopback(host) {
        desk.say(Code::PlainText, broker.at, "MQTT would go over the network in plain text")
            .label("another machine, and no [mqtt.tls]")
            .help("add `[mqtt.tls]`, or allow_plaintext = true where the network is trusted");
        return None;
    }
    Some((host.to_owned(), port))
}

fn check_names(desk: &mut Desk, root: Option<&At<String>>, client_id: Option<&At<String>>) {
    if let Some(root) = root {
        let bad = |c: char| matches!(c, '/' | '+' | '#') || c.is_whitespace() || c.is_control();
        if root.value.is_empty() || root.value.contains(bad) || root.value.starts_with('$') {
            desk.say(Code::BadTopic, root.at, "`root` is not a single level of a topic")
                .help("write one word, for instance \"emberwatch\"");
        }
    }
    if let Some(id) = client_id
        && (CLIENT_ID_CHARS_MAX < id.value.len() || id.value.contains(|c: char| c.is_control()))
    {
        desk.say(Code::BadTopic, id.at, "`client_id` cannot be used")
            .help(format!("write up to {CLIENT_ID_CHARS_MAX} characters"));
    }
}

/// Home Assistant, where it is to be told of all devices. The models are filled in once the plant is known.
fn home_assistant(desk: &mut Desk, mut table: Table) -> Option<HomeAssistantOptions> {
    let enable = table.need(desk, "enable", value::flag);
    let prefix = table.may(desk, "prefix", value::text);
    let birth = table.may(desk, "birth_topic", value::text);
    let alarms = table.may(desk, "alarms", value::flag).unwrap_or(true);
    table.finish(desk);
    for topic in [&prefix, &birth].into_iter().flatten() {
        let bad = |c: char| matches!(c, '+' | '#') || c.is_whitespace() || c.is_control();
        if topic.value.contains(bad)
            || topic.value.starts_with('$')
            || topic.value.split('/').any(str::is_empty)
        {
            desk.say(Code::BadTopic, topic.at, format!("`{}` is not a topic", topic.value))
                .help("write what Home Assistant is set to, for instance \"homeassistant\"");
        }
    }
    let prefix = prefix.map_or_else(|| "homeassistant".to_owned(), |prefix| prefix.value);
    let birth_topic = birth.map_or_else(|| "homeassistant/status".to_owned(), |topic| topic.value);
    enable?.then(|| HomeAssistantOptions { prefix, birth_topic, alarms, models: Vec::new() })
}

/// What others may ask. Off unless `allow` names a verb.
fn commands(desk: &mut Desk, mut table: Table, version: Option<MqttVersion>) -> Option<CommandOptions> {
    let allow = table.need(desk, "allow", value::list(value::word(&Verb::TABLE)));
    let require_signature = table.may(desk, "require_signature", value::flag).unwrap_or(true);
    let respond_to = table.may(desk, "respond_to", value::list(value::filled));
    let allowed: Vec<Verb> = allow.map(|allow| allow.value).unwrap_or_default();
    let mut names = Names::new("key");
    let (mut keys, has_keys) = (Vec::new(), table.has("key"));
    for (index, mut table) in table.tables(desk, "key").into_iter().enumerate() {
        let name = table.need(desk, "name", value::id);
        let public = table.need(desk, "public_key", value::text);
        let may = table.may(desk, "allow", value::list(value::word(&Verb::TABLE)));
        table.finish(desk);
        if let Some(name) = &name {
            names.add(desk, name, index);
        }
        let (Some(name), Some(public)) = (name, public) else { continue };
        let bytes = STANDARD.decode(&public.value).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
        let Some(public_key) = bytes else {
            desk.say(Code::CommandKey, public.at, "this is no public key of Ed25519").help(
                "32 bytes in base64: openssl pkey -in key.pem -pubout -outform DER | tail -c 32 | base64",
            );
            continue;
        };
        let allow = may.map_or_else(|| allowed.clone(), |may| may.value);
        keys.push(KeyOptions { name: name.value, public_key, allow });
    }
    let at = table.at;
    table.finish(desk);
    if allowed.is_empty() {
        return None;
    }
    if version == Some(MqttVersion::V3) {
        desk.say(Code::CommandsUnsigned, at, "commands need MQTT 5").help(
            "3.1.1 hides whether a message was retained, and knows no signatures beside it: version = \"5\"",
        );
    }
    let unsigned = |verb: &Verb| !require_signature && verb.may_be_unsigned();
    if !has_keys && !allowed.iter().all(unsigned) {
        desk.say(Code::CommandsUnsigned, at, "commands are allowed, and nobody can sign them").help(
            "add `[[mqtt.commands.key]]`; only ack and refresh may come unsigned (require_signature = false)",
        );
    }
    let respond_to =
        respond_to.map(|list| list.value.into_iter().map(|topic| topic.value).collect()).unwrap_or_default();
    Some(CommandOptions { allow: allowed, require_signature, respond_to, keys })
}

fn read_tls(desk: &mut Desk, mut table: Table) -> Option<TlsOptions> {
    let has_ca = table.has("ca_file");
    let ca = table.may(desk, "ca_file", value::filled);
    let cert = table.may(desk, "cert_file", value::filled);
    let key = table.may(desk, "key_file", value::filled);
    let at = table.at;
    table.finish(desk);
    if cert.is_some() != key.is_some() {
        desk.say(Code::TlsFile, at, "a client certificate and its key belong together")
            .help("write both cert_file and key_file, or neither");
        return None;
    }
    let ca_file = ca.and_then(|path| secrets::pem(desk, &path));
    let client = match (cert, key) {
        (Some(cert), Some(key)) => {
            let (cert, key) = (secrets::pem(desk, &cert), secrets::pem(desk, &key));
            Some((cert?, key?))
        }
        _ => None,
    };
    (has_ca == ca_file.is_some()).then_some(TlsOptions { ca_file, client })
}

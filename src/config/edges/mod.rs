//! The edges: MQTT, InfluxDB, webhooks, mail, heartbeats, the local page, the log. Each is off when its table is absent.
//!
//! These are data paths, so they may have defaults; nothing about safety is decided here.

mod address;
mod hears;
mod mail;
mod mqtt;
mod spool;
mod url;
mod web;
mod webhook;

use std::path::{Path, PathBuf};

use crate::clock::SyncMark;
use crate::config::complaint::Desk;
use crate::config::explain::Code;
use crate::config::names::Names;
use crate::config::node::At;
use crate::config::secrets::{self, Environment};
use crate::config::table::Table;
use crate::config::value;
use crate::field::options::LinkOptions;
use crate::notify::options::{HeartbeatOptions, MailOptions, WebhookOptions};
use crate::sinks::influx::options::InfluxOptions;
use crate::sinks::mqtt::options::{DeviceModel, MqttOptions};
use crate::units::Millis;
use crate::web::options::WebOptions;

/// How and what to log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogOptions {
    /// From which level on.
    pub level: LogLevel,
    /// In which form.
    pub format: LogFormat,
}

/// From which level on events are logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLevel {
    /// Faults only.
    Error,
    /// Faults and doubtful events.
    Warn,
    /// What changes.
    Info,
    /// For finding faults.
    Debug,
}

/// The form of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// To the journal where the service was started by systemd, else as text.
    Auto,
    /// Lines for people.
    Text,
    /// Lines for programs.
    Json,
    /// Fields for the systemd journal.
    Journald,
}

/// What is said of all edges.
pub(super) struct Edges {
    pub(super) mqtt: Option<MqttOptions>,
    pub(super) influx: Option<InfluxOptions>,
    pub(super) webhooks: Vec<WebhookOptions>,
    pub(super) mails: Vec<MailOptions>,
    pub(super) heartbeats: Vec<HeartbeatOptions>,
    pub(super) web: Option<WebOptions>,
    pub(super) clock: SyncMark,
    pub(super) log: LogOptions,
}

/// The bound of a queue of messages or lines.
const QUEUE: std::ops::RangeInclusive<i64> = 10..=10_000_000;

/// How long after a time source was last heard the clock may count as synchronised.
const FRESH_MS: std::ops::RangeInclusive<u64> = 60_000..=7 * 86_400_000;

/// Reads the tables of all edges.
pub(super) fn read(
    desk: &mut Desk,
    root: &mut Table,
    env: Environment,
    gateway: &str,
    zones: &Names,
    state_dir: Option<&Path>,
) -> Edges {
    let home = |sink: &str| state_dir.map(|dir| dir.join(sink));
    let mqtt = root.table(desk, "mqtt").and_then(|table| mqtt::read(desk, table, env, gateway, home("mqtt")));
    let influx = root.table(desk, "influx").and_then(|table| influx(desk, table, env, home("influx")));
    let webhooks = webhook::read(desk, root, env, zones);
    let mails = mail::read(desk, root, env, zones);
    let heartbeats = mail::heartbeats(desk, root, env);
    let all = webhooks.iter().map(|webhook| &webhook.hears).chain(mails.iter().map(|mail| &mail.hears));
    hears::check_all(desk, root.at, all);
    let web = root.table(desk, "web").and_then(|table| web::read(desk, table, env));
    let clock = root.table(desk, "clock").map_or_else(SyncMark::of_timesyncd, |table| clock(desk, table));
    let log = root.table(desk, "log");
    Edges { mqtt, influx, webhooks, mails, heartbeats, web, clock, log: read_log(desk, log) }
}

/// `[clock]`: how this machine shows that something keeps its wall clock right.
fn clock(desk: &mut Desk, mut table: Table) -> SyncMark {
    let usual = SyncMark::of_timesyncd();
    let file = table.may(desk, "synchronised_file", value::text);
    let fresh = table.may(desk, "fresh_for", value::duration(FRESH_MS));
    table.finish(desk);
    SyncMark {
        file: file.and_then(|file| secrets::absolute(desk, &file)).unwrap_or(usual.file),
        fresh_for: fresh.map_or(usual.fresh_for, |fresh| fresh.value),
    }
}

/// Maker and model of each device of the site, from its profile.
pub(super) fn models(devices: usize, links: &[LinkOptions]) -> Vec<Option<DeviceModel>> {
    let mut models = vec![None; devices];
    for device in links.iter().flat_map(|link| &link.devices) {
        let (vendor, model) = (device.profile.vendor.clone(), device.profile.models.join(", "));
        models[device.device.index()] = Some(DeviceModel { vendor, model });
    }
    models
}

fn influx(
    desk: &mut Desk,
    mut table: Table,
    env: Environment,
    home: Option<PathBuf>,
) -> Option<InfluxOptions> {
    let url = table.need(desk, "url", value::text);
    let org = table.need(desk, "org", value::filled);
    let bucket = table.need(desk, "bucket", value::filled);
    let events = table.may(desk, "events_bucket", value::filled);
    let token = table.need(desk, "token", |desk, key, node| secrets::read(desk, key, node, env));
    let lines = table.may(desk, "batch_lines_max", value::whole(1..=100_000));
    let wait = table.may(desk, "batch_wait_max", value::duration(10..=600_000));
    let queued = table.may(desk, "lines_queued_max", value::whole(QUEUE));
    let spool = spool::read(desk, &mut table, home.as_deref());
    table.finish(desk);
    let url = url?;
    let parts = url::check(desk, &url)?;
    if !parts.secure && !parts.is_local() {
        desk.say(Code::ClearToken, url.at, "the token goes over the network in plain text")
            .label("http:// to another machine")
            .help("use https:// where the network is not trusted");
    }
    Some(InfluxOptions {
        url: url.value,
        org: org?.value,
        bucket: bucket?.value,
        events_bucket: events.map(|events| events.value),
        token: token?.value,
        batch_lines_max: count(lines, 5_000),
        batch_wait_max: wait.map_or(Millis(1_000), |wait| wait.value),
        lines_queued_max: count(queued, 200_000),
        spool,
        dead_letters: home.map(|home| home.join("dead-letters.lp")),
    })
}

const LEVELS: &[(&str, LogLevel)] = &[
    ("error", LogLevel::Error),
    ("warn", LogLevel::Warn),
    ("info", LogLevel::Info),
    ("debug", LogLevel::Debug),
];

const FORMATS: &[(&str, LogFormat)] = &[
    ("auto", LogFormat::Auto),
    ("text", LogFormat::Text),
    ("json", LogFormat::Json),
    ("journald", LogFormat::Journald),
];

fn read_log(desk: &mut Desk, table: Option<Table>) -> LogOptions {
    let mut log = LogOptions { level: LogLevel::Info, format: LogFormat::Auto };
    let Some(mut table) = table else { return log };
    log.level = table.may(desk, "level", value::word(LEVELS)).unwrap_or(log.level);
    log.format = table.may(desk, "format", value::word(FORMATS)).unwrap_or(log.format);
    table.finish(desk);
    log
}

fn count(number: Option<At<i64>>, default: usize) -> usize {
    number.and_then(|number| usize::try_from(number.value).ok()).unwrap_or(default)
}

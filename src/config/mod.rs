//! TOML configuration: loading, and all complaints at once.
//!
//! ```text
//! files ─► trees that know their places ─► plant ─► rules ─► sequences ─► alarms ─► Loaded
//!                                   every fault ─► Desk ─► Complaints (file, line, help)
//! ```
//!
//! What loads also starts: everything that can be known without the network is checked here, and a
//! configuration with one error is not used, not even partly. It does not ask devices or servers
//! anything, and it has no defaults for what decides about safety.

mod alarms;
mod complaint;
mod doubts;
mod edges;
mod explain;
mod files;
mod links;
mod names;
mod node;
mod nut;
mod paper;
mod plant;
mod presets;
mod profiles;
mod proof;
mod render;
mod replay;
mod rules;
mod secrets;
mod sequences;
mod suggest;
mod table;
#[cfg(test)]
mod tests;
mod value;

use std::path::PathBuf;
use std::sync::Arc;

pub use complaint::{Complaint, Complaints, Place};
pub use edges::{LogFormat, LogLevel, LogOptions};
pub use explain::{Code, explain};
pub use presets::SHIPPED as PRESETS;
pub use render::Look;
pub use replay::{LoadedMapping, POLL_MAX, load_expectations, load_mapping, nearest_name};

use crate::clock::SyncMark;
use crate::config::complaint::{Desk, Source};
use crate::config::node::At;
use crate::config::plant::Plant;
use crate::config::profiles::Library;
use crate::config::secrets::Environment;
use crate::config::table::Table;
use crate::field::budget::Budget;
use crate::field::options::LinkOptions;
use crate::notify::options::{HeartbeatOptions, MailOptions, WebhookOptions};
use crate::nut::options::NutOptions;
use crate::safety::site::{Site, TABLE_MAX};
use crate::sinks::influx::options::InfluxOptions;
use crate::sinks::mqtt::options::MqttOptions;
use crate::units::Millis;
use crate::web::options::WebOptions;

/// A configuration that can be run.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The plant.
    pub site: Arc<Site>,
    /// Connections, and the devices behind them.
    pub links: Vec<LinkOptions>,
    /// Its worst case on paper.
    pub budget: Budget,
    /// What the site states of its worst case.
    pub limits: Limits,
    /// The MQTT broker, if there is one.
    pub mqtt: Option<MqttOptions>,
    /// The InfluxDB server, if there is one.
    pub influx: Option<InfluxOptions>,
    /// Webhook targets.
    pub webhooks: Vec<WebhookOptions>,
    /// Recipients of mail.
    pub mails: Vec<MailOptions>,
    /// Services that notice when emberwatch is gone.
    pub heartbeats: Vec<HeartbeatOptions>,
    /// The local page and API, if wanted.
    pub web: Option<WebOptions>,
    /// The NUT server, if wanted.
    pub nut: Option<NutOptions>,
    /// How this machine shows that its wall clock is kept right.
    pub clock: SyncMark,
    /// Where journal and memory are kept; absolute.
    pub state_dir: PathBuf,
    /// How to log.
    pub log: LogOptions,
    /// All rules that are in effect, those of presets written out, as TOML with the source of their numbers.
    pub effective: String,
    /// SHA-256 of all that was read (configuration and profile files), in hexadecimal.
    pub fingerprint: String,
    /// What is doubtful, but no error.
    pub warnings: Complaints,
}

/// The worst case that a site states for itself (`[site.limits]`). A configuration that can miss it is not loaded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// From a physical change to the first alert.
    pub first_alert: Option<Millis>,
    /// From a physical change to the first frame to a breaker.
    pub first_frame: Option<Millis>,
}

/// Loads files and directories (their `*.toml` in the order of names) as one configuration.
///
/// Errors are all complaints of the run, warnings included.
pub fn load(paths: &[PathBuf]) -> Result<Loaded, Complaints> {
    load_over(paths, &[])
}

/// Loads a configuration with changes laid over it: a rule or sequence of the same id replaces the one below, any
/// other is added. Changes that have a `[site]` of their own are a whole configuration, and loaded alone.
///
/// Errors are all complaints of the run, warnings included.
pub fn load_over(paths: &[PathBuf], changes: &[PathBuf]) -> Result<Loaded, Complaints> {
    let mut desk = Desk::default();
    files::read_all(&mut desk, paths);
    let below = desk.complaints.sources.len();
    if !changes.is_empty() {
        files::read_all(&mut desk, changes);
    }
    judge_over(desk, below, &|name| std::env::var(name).ok())
}

/// Judges the texts that lie on the desk.
#[cfg(test)]
fn judge(desk: Desk, env: Environment) -> Result<Loaded, Complaints> {
    let below = desk.complaints.sources.len();
    judge_over(desk, below, env)
}

/// Judges the texts that lie on the desk; those from `below` on are laid over the ones before.
fn judge_over(mut desk: Desk, below: usize, env: Environment) -> Result<Loaded, Complaints> {
    let sources = desk.complaints.sources.clone();
    let mut roots: Vec<Table> = Vec::new();
    for (file, source) in sources.iter().enumerate() {
        let root = node::parse(&mut desk, file, &source.text);
        match roots.last_mut() {
            // Each side is one configuration, however many files it has.
            Some(before) if file != below => before.merge(&mut desk, root),
            _ => roots.push(root),
        }
    }
    let mut roots = roots.into_iter();
    let loaded = roots.next().and_then(|root| {
        let root = match roots.next() {
            Some(changes) if changes.has("site") => changes,
            Some(changes) => root.overlaid(changes),
            None => root,
        };
        build(&mut desk, root, env)
    });
    let fingerprint = fingerprint(&sources, &desk.complaints.sources);
    let complaints = desk.close();
    match loaded {
        Some(loaded) if complaints.errors() == 0 => {
            Ok(Loaded { fingerprint, warnings: complaints, ..loaded })
        }
        _ => {
            assert!(0 < complaints.errors(), "what cannot be built has been complained about");
            Err(complaints)
        }
    }
}

fn build(desk: &mut Desk, mut root: Table, env: Environment) -> Option<Loaded> {
    let state_dir = root.need(desk, "state_dir", value::text);
    let state_dir = state_dir.and_then(|path| secrets::absolute(desk, &path));
    let dirs = root.may(desk, "profile_dirs", value::list(value::text));
    let mut dirs: Vec<At<String>> = dirs.map(|dirs| dirs.value).unwrap_or_default();
    dirs.retain(|dir| secrets::absolute(desk, dir).is_some());
    let library = Library::load(desk, &dirs);
    let written = proof::Written::peek(&root);
    let mut plant = Plant::read(desk, &mut root, &library);
    let origins = presets::write_out(desk, &mut root, &plant);
    let effective = presets::print(&root.peek_tables("rule"), &origins);
    let written = written.with_rules(&root);
    let rules = rules::read(desk, &mut root, &plant);
    let mut sequences = sequences::read(desk, &mut root, &mut plant, &rules);
    for sequence in sequences.iter_mut().flatten().filter(|sequence| sequence.proof.is_some()) {
        let of = written.digest(&plant, &rules, sequence);
        if let Some(proof) = &mut sequence.proof {
            proof.of = of.into();
        }
    }
    let alarm_settings = alarms::settings(desk, &mut root);
    let (zones, home) = (&plant.zones, state_dir.as_deref());
    let mut edges = edges::read(desk, &mut root, env, &plant.site.gateway, zones, home);
    let nut = nut::read(desk, &mut root, env, &plant, &sequences);
    let at = root.at;
    root.finish(desk);
    let Plant { mut site, links, link_places, limits, .. } = plant;
    if TABLE_MAX <= site.points.len().max(rules.judged.len()) {
        desk.say(Code::OutOfRange, at, "the site is too large")
            .help(format!("at most {TABLE_MAX} points and rules"));
        return None;
    }
    site.rules = rules.judged.into_iter().collect::<Option<_>>()?;
    site.sequences = sequences.into_iter().collect::<Option<_>>()?;
    if site.rooms.is_empty() || site.zones.is_empty() {
        return None;
    }
    site.alarm_settings = alarm_settings;
    alarms::build(desk, &mut site, &rules.texts, &rules.places);
    if let Some(assistant) = edges.mqtt.as_mut().and_then(|mqtt| mqtt.homeassistant.as_mut()) {
        assistant.models = edges::models(site.devices.len(), &links);
    }
    let budget = Budget::of(&site, &links);
    paper::judge(desk, &site, &budget, &link_places, &limits);
    let limits = Limits {
        first_alert: limits.first_alert.map(|limit| limit.value),
        first_frame: limits.first_frame.map(|limit| limit.value),
    };
    Some(Loaded {
        site: Arc::new(site),
        links,
        budget,
        limits,
        mqtt: edges.mqtt,
        influx: edges.influx,
        webhooks: edges.webhooks,
        mails: edges.mails,
        heartbeats: edges.heartbeats,
        web: edges.web,
        nut,
        clock: edges.clock,
        state_dir: state_dir?,
        log: edges.log,
        effective,
        fingerprint: String::new(),
        warnings: Complaints::default(),
    })
}

/// Of the configuration as read (before secrets were masked) and of the profiles read after it.
fn fingerprint(sources: &[Source], all: &[Source]) -> String {
    let texts = sources.iter().chain(all.iter().skip(sources.len())).map(|source| source.text.as_bytes());
    digest(&texts.collect::<Vec<_>>())
}

/// SHA-256 of these texts, in hexadecimal.
fn digest(texts: &[&[u8]]) -> String {
    use std::fmt::Write;
    let mut context = ring::digest::Context::new(&ring::digest::SHA256);
    for text in texts {
        // The length first: text moved from one file to the next is another configuration.
        context.update(&text.len().to_be_bytes());
        context.update(text);
    }
    context.finish().as_ref().iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

//! What the configuration says about the NUT server.

pub mod names;

use std::net::SocketAddr;
use std::path::PathBuf;

use secrecy::SecretString;

use crate::safety::sequence::spec::Expect;
use crate::safety::site::{DeviceId, FeedId, PointId, ZoneId};
use crate::units::Millis;

/// The most connections that can be configured.
pub const CONNECTIONS_MAX: usize = 4096;

/// The NUT server.
#[derive(Clone, Debug)]
pub struct NutOptions {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Connections at a time, `CONNECTIONS_MAX` at most.
    pub connections_max: usize,
    /// A client that is silent for longer is disconnected; upsmon asks every few seconds.
    pub idle_timeout: Millis,
    /// Certificate and key for STARTTLS.
    pub tls: Option<TlsOptions>,
    /// Whether passwords and shutdowns may pass a network in plain text. On loopback they may.
    pub allow_plaintext: bool,
    /// Machines are told to shut down (FSD) this long before a stage cuts their feed.
    pub fsd_before: Millis,
    /// `OB LB` is shown from this long before a stage cuts their feed; `None`: as soon as the time is known.
    pub low_battery_before: Option<Millis>,
    /// Who may log in.
    pub users: Vec<UserOptions>,
    /// What is shown as UPSs.
    pub upses: Vec<UpsOptions>,
}

/// Certificate and key, both PEM; read at each handshake, so that renewed ones are taken without a restart.
#[derive(Clone, Debug)]
pub struct TlsOptions {
    /// The certificate, and those between it and the authority.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

/// Somebody who may log in.
#[derive(Clone, Debug)]
pub struct UserOptions {
    /// The user name of upsmon's MONITOR line.
    pub name: String,
    /// Its password.
    pub password: SecretString,
    /// What it may say of itself.
    pub role: Role,
}

/// What a client is to its UPS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It shuts down after all others.
    Primary,
    /// It shuts down when told.
    Secondary,
}

/// One UPS as NUT shows it.
#[derive(Clone, Debug)]
pub struct UpsOptions {
    /// Its name: `ups-a` in `ups-a@host`.
    pub name: String,
    /// For people.
    pub description: String,
    /// Where it stands.
    pub zone: ZoneId,
    /// The device it is, where it is one.
    pub device: Option<DeviceId>,
    /// The feeds by which it carries the machines: when a stage is about to cut one of them, they are told.
    pub feeds: Vec<FeedId>,
    /// Words of `ups.status` and what must be read for each.
    pub status: Vec<(StatusWord, Expect)>,
    /// What else is shown.
    pub variables: Vec<Variable>,
}

/// A word of `ups.status` that is measured. `OL` stands where neither `OB` nor `OFF` does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StatusWord {
    /// On battery.
    OnBattery,
    /// The battery is low: with `OnBattery` the machines shut down.
    LowBattery,
    /// The battery needs to be replaced.
    ReplaceBattery,
    /// The battery charges.
    Charging,
    /// The battery discharges.
    Discharging,
    /// On bypass.
    Bypass,
    /// The output is off.
    Off,
    /// Overloaded.
    Overloaded,
    /// It lowers the voltage.
    Trimming,
    /// It raises the voltage.
    Boosting,
}

impl StatusWord {
    /// All, each with its word of the protocol. `CAL` and `ALARM` are left out on purpose: with them upsmon takes a
    /// connection that is lost for a UPS that is dead, and shuts down.
    pub const TABLE: &[(&str, Self)] = &[
        ("OB", Self::OnBattery),
        ("LB", Self::LowBattery),
        ("RB", Self::ReplaceBattery),
        ("CHRG", Self::Charging),
        ("DISCHRG", Self::Discharging),
        ("BYPASS", Self::Bypass),
        ("OFF", Self::Off),
        ("OVER", Self::Overloaded),
        ("TRIM", Self::Trimming),
        ("BOOST", Self::Boosting),
    ];

    /// Its word of the protocol.
    #[must_use]
    pub fn word(self) -> &'static str {
        Self::TABLE.iter().find(|(_, word)| *word == self).map_or("", |(word, _)| word)
    }
}

/// A variable that shows a point.
#[derive(Clone, Debug, PartialEq)]
pub struct Variable {
    /// Its NUT name: `battery.charge`.
    pub name: String,
    /// The point it shows.
    pub point: PointId,
    /// What the value is multiplied with: NUT counts run times in seconds.
    pub factor: f64,
}

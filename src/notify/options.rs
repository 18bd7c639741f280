//! What the configuration says about who is told: targets, mail, heartbeats, and what each of them hears.

use std::path::PathBuf;

use secrecy::SecretString;

use crate::notify::{mail, sign};
use crate::safety::site::{Priority, ZoneId};
use crate::units::Millis;

/// Where events of all PagerDuty accounts go, unless the configuration says otherwise.
pub const PAGERDUTY_URL: &str = "https://events.pagerduty.com/v2/enqueue";

/// Whether this is a key that messages can be signed with: `whsec_…` or `whsk_…`.
#[must_use]
pub fn is_key(key: &SecretString) -> bool {
    sign::is_key(key)
}

/// Whether this can be written to: `name@example.com`, or `Name <name@example.com>`.
#[must_use]
pub fn is_mail_address(text: &str) -> bool {
    mail::is_address(text)
}

/// One webhook target.
#[derive(Clone, Debug)]
pub struct WebhookOptions {
    /// Id in logs and records.
    pub name: String,
    /// What the receiver understands.
    pub preset: Preset,
    /// Where to post. May itself be a secret: whoever knows the address of a chat's webhook can post there.
    pub url: SecretString,
    /// A second way, used beside the first as long as that one fails.
    pub url_backup: Option<SecretString>,
    /// What it hears.
    pub hears: Hears,
    /// How long one try may take.
    pub timeout: Millis,
    /// The most messages that wait for this target; the least urgent, oldest first, are dropped and counted.
    pub queued_max: usize,
    /// Whether loopback and private addresses are allowed.
    pub allow_private: bool,
    /// The only authorities believed, as a PEM file; `None`: those of the system.
    pub ca: Option<PathBuf>,
}

/// What a receiver understands, with the secrets that it needs.
#[derive(Clone, Debug)]
pub enum Preset {
    /// The project's own messages, signed by the Standard Webhooks scheme with each of these keys: `whsec_…`
    /// (HMAC) or `whsk_…` (Ed25519).
    Standard {
        /// The keys; more than one while they are being rotated.
        keys: Vec<SecretString>,
    },
    /// The same messages in an envelope of CloudEvents 1.0, signed in the same way.
    CloudEvents {
        /// The keys; more than one while they are being rotated.
        keys: Vec<SecretString>,
    },
    /// The API of a Prometheus Alertmanager: alarms only, told again for as long as they stand.
    Alertmanager,
    /// PagerDuty's Events API v2.
    PagerDuty {
        /// The integration's routing key.
        routing_key: SecretString,
    },
    /// A Slack incoming webhook.
    Slack,
    /// A Microsoft Teams workflow that takes adaptive cards.
    Teams,
    /// An ntfy topic; its name is the last part of the path.
    Ntfy {
        /// Access token, where the server asks for one.
        token: Option<SecretString>,
    },
}

/// What a target hears. Everything must fit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hears {
    /// Only what is about these zones, or about the rooms they are in; `None`: everything.
    pub zones: Option<Vec<ZoneId>>,
    /// Only these; `None`: all kinds.
    pub kinds: Option<Vec<Kind>>,
    /// Only alarms at least this urgent; `None`: all. Notices and sequences are not measured by it.
    pub priority_min: Option<Priority>,
    /// Only alarms that nobody has acknowledged for this long, and what becomes of them.
    pub escalate_after: Option<Millis>,
}

/// What a message is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// An alarm, for who runs the plant.
    Alarm,
    /// A step of a power cut, for who runs the plant.
    Sequence,
    /// That power goes and when, for who runs services on it.
    Notice,
}

/// One recipient of mail.
#[derive(Clone, Debug)]
pub struct MailOptions {
    /// Id in logs and records.
    pub name: String,
    /// Host name or address of the SMTP server.
    pub server: String,
    /// Its port.
    pub port: u16,
    /// How the connection is kept private.
    pub tls: MailTls,
    /// User name and password, where the server asks for them.
    pub login: Option<(String, SecretString)>,
    /// Who it is from: an address, or `Name <address>`.
    pub from: String,
    /// Who gets it.
    pub to: Vec<String>,
    /// What is sent.
    pub hears: Hears,
    /// How long one try may take.
    pub timeout: Millis,
    /// The most messages that wait for this server.
    pub queued_max: usize,
    /// The only authorities believed, as a PEM file; `None`: those of the system.
    pub ca: Option<PathBuf>,
}

/// How a connection to a mail server is kept private.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailTls {
    /// TLS from the first byte (port 465).
    Implicit,
    /// TLS after STARTTLS, or nothing is sent (port 587).
    StartTls,
    /// None.
    Plain,
}

/// A service that raises an alarm when it is no longer called.
#[derive(Clone, Debug)]
pub struct HeartbeatOptions {
    /// Id in logs.
    pub name: String,
    /// What is fetched.
    pub url: SecretString,
    /// How often.
    pub every: Millis,
    /// How long one try may take.
    pub timeout: Millis,
    /// Whether loopback and private addresses are allowed.
    pub allow_private: bool,
}

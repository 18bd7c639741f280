//! What the configuration says about webhook targets.

use secrecy::SecretString;

use crate::safety::site::Priority;
use crate::units::Millis;

/// One webhook target.
#[derive(Clone, Debug)]
pub struct WebhookOptions {
    /// Id in logs and records.
    pub name: String,
    /// Where to post.
    pub url: String,
    /// `whsec_…` by the Standard Webhooks scheme: base64 of 24 to 64 bytes.
    pub secret: SecretString,
    /// Alarms below this are not sent. Notices and sequences always are.
    pub priority_min: Priority,
    /// How long one try may take.
    pub timeout: Millis,
    /// The most messages that wait for this target; the least urgent, oldest first, are dropped and counted.
    pub queued_max: usize,
    /// Whether loopback and private addresses are allowed.
    pub allow_private: bool,
}

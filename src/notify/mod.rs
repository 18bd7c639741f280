//! Who is told, when, and why: webhooks of several forms, and mail.
//!
//! ```text
//! facts ─► ear (zone, kind, priority, unacknowledged?) ─► preset (its bytes) ─► queue (most urgent first) ─► courier
//!                                                    └─► what stands (Alertmanager) ─► teller
//! ```
//!
//! Each target has all of this for itself, in one task: one that is slow or dead delays no other. A message is
//! delivered when a target answers 2xx; until then it is tried again under the same id, and an alarm says that
//! people are not being reached. What a message says to people is written elsewhere and taken as [`Texts`].

mod address;
mod courier;
mod ear;
mod escalate;
mod heartbeat;
mod http;
mod mail;
mod message;
pub mod options;
mod outbox;
mod parcel;
mod preset;
mod queue;
mod route;
mod sign;
mod standing;
mod telling;
mod trial;
mod way;
mod webhook;

use crate::safety::alarm::AlarmChange;
use crate::safety::sequence::{Notice, SequenceChange};
use crate::safety::site::Site;
use crate::units::Now;

pub use heartbeat::spawn_heartbeat;
pub use http::{Answer, SetupFault};
pub use outbox::Counts;
pub use trial::{Trial, try_heartbeat, try_mail, try_webhook};
pub use webhook::{Common, TargetHandle, spawn, spawn_mail};

/// Sentences for people.
pub trait Texts: Send + Sync + 'static {
    /// What happened to an alarm.
    fn alarm(&self, site: &Site, change: &AlarmChange, now: Now) -> String;
    /// What happened to a sequence.
    fn sequence(&self, site: &Site, change: &SequenceChange, now: Now) -> String;
    /// What service owners should know and do.
    fn notice(&self, site: &Site, notice: &Notice, now: Now) -> String;
}

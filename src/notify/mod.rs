//! Who is told, when, and why: webhooks signed by the Standard Webhooks scheme.
//!
//! ```text
//! facts ─► message (JSON, signed on each try) ─► queue per target (most urgent first) ─► one task per target
//! ```
//!
//! Targets do not know of each other: one that is slow or dead delays no other. A message is delivered when a
//! target answers 2xx; until then it is tried again under the same id, and an alarm says that people are not
//! being reached. What a message says to people is written elsewhere and taken as [`Texts`].

mod address;
mod message;
pub mod options;
mod queue;
mod sign;
mod webhook;

use crate::safety::alarm::AlarmChange;
use crate::safety::sequence::{Notice, SequenceChange};
use crate::safety::site::Site;
use crate::units::Now;

pub use webhook::{Counts, SetupFault, WebhookHandle, spawn};

/// Sentences for people.
pub trait Texts: Send + Sync + 'static {
    /// What happened to an alarm.
    fn alarm(&self, site: &Site, change: &AlarmChange, now: Now) -> String;
    /// What happened to a sequence.
    fn sequence(&self, site: &Site, change: &SequenceChange, now: Now) -> String;
    /// What service owners should know and do.
    fn notice(&self, site: &Site, notice: &Notice, now: Now) -> String;
}

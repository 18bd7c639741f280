//! What programs see: facts as JSON, one shape for MQTT, webhook, journal and page.
//!
//! `payload` holds one function per document, `schema` what each looks like; `text` the sentences for people; `why` the closed list of
//! reasons; `time` the labels. `Board` keeps how everything stands now, so that somebody who comes late (a
//! page, a broker after a restart) can be told at once.
//! Nothing here decides: no limits are judged, no states invented. An unknown value is `null` with its
//! reason, never a zero and never the value before. Numbers are always finite. Readers ignore unknown keys:
//! a new key is a minor change, a changed meaning is a new major version.

pub mod board;
mod evidence;
pub mod explain;
pub mod json;
pub mod payload;
pub mod schema;
pub mod text;
pub mod time;
pub mod why;

#[cfg(test)]
pub(crate) mod testsite;

pub use board::Board;

use crate::safety::site::Site;
use crate::units::{ClockSync, Now, Uptime, WallTime};

/// The major version of every document.
pub const VERSION: u32 = 1;

/// The `boot` of what is told once more after a crash, from the journal: its `seq` is then the number of a record.
pub const FROM_JOURNAL: &str = "journal";

/// Who speaks, and when: what every document has in common.
#[derive(Clone, Copy, Debug)]
pub struct Envelope<'a> {
    /// The plant, for names.
    pub site: &'a Site,
    /// This start of the gateway: makes occurrence and run numbers unique for readers.
    pub boot: &'a str,
    /// The number of the publication.
    pub seq: u64,
    /// The moment of the publication.
    pub now: Now,
    /// How far its label can be believed.
    pub clock: ClockSync,
}

impl Envelope<'_> {
    /// The label of a moment of the monotonic clock, past or to come.
    #[must_use]
    pub fn wall(&self, at: Uptime) -> WallTime {
        time::wall_at(self.now, at)
    }

    /// An occurrence of an alarm as readers know it.
    #[must_use]
    pub fn occurrence(&self, number: u64) -> String {
        format!("{}-{number}", self.boot)
    }

    /// A run of a sequence as readers know it.
    #[must_use]
    pub fn run(&self, number: u64) -> String {
        format!("{}-{number}", self.boot)
    }
}

//! What the configuration says about the InfluxDB 2 server.

use std::path::PathBuf;

use secrecy::SecretString;

use crate::sinks::spool::options::SpoolOptions;
use crate::units::Millis;

/// The most that events wait with on disk: about a million of them.
const EVENTS_BYTES_MAX: u64 = 256 << 20;

/// One server.
#[derive(Clone, Debug)]
pub struct InfluxOptions {
    /// `http://host:8086`.
    pub url: String,
    /// Organisation.
    pub org: String,
    /// Bucket.
    pub bucket: String,
    /// Where every event goes as well, to be kept for long; nowhere when absent.
    pub events_bucket: Option<String>,
    /// API token.
    pub token: SecretString,
    /// The most lines of one write, 5,000 by default.
    pub batch_lines_max: usize,
    /// How long lines may wait for a batch to fill, 1 s by default.
    pub batch_wait_max: Millis,
    /// The most lines that wait while the server is away; in memory; the oldest go to the spool or,
    /// without one, are dropped and counted.
    pub lines_queued_max: usize,
    /// Where lines are kept on disk while the server is away; in memory only when absent.
    pub spool: Option<SpoolOptions>,
    /// The file for lines that the server calls wrong; only the log has them when absent.
    pub dead_letters: Option<PathBuf>,
}

impl InfluxOptions {
    /// The same server with the bucket of events, if there is one: a spool and a file for dead letters of its own.
    #[must_use]
    pub fn of_events(&self) -> Option<Self> {
        let bucket = self.events_bucket.clone()?;
        let spool = self.spool.as_ref().map(|spool| SpoolOptions {
            directory: spool.directory.with_file_name("events-spool"),
            bytes_max: spool.bytes_max.min(EVENTS_BYTES_MAX),
            ..spool.clone()
        });
        let dead_letters = self.dead_letters.as_ref().map(|file| file.with_file_name("dead-events.lp"));
        Some(Self { bucket, events_bucket: None, spool, dead_letters, ..self.clone() })
    }
}

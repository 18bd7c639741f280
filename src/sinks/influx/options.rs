//! What the configuration says about the InfluxDB 2 server.

use std::path::PathBuf;

use secrecy::SecretString;

use crate::sinks::spool::options::SpoolOptions;
use crate::units::Millis;

/// One server.
#[derive(Clone, Debug)]
pub struct InfluxOptions {
    /// `http://host:8086`.
    pub url: String,
    /// Organisation.
    pub org: String,
    /// Bucket.
    pub bucket: String,
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

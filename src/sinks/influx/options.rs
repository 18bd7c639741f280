//! What the configuration says about the InfluxDB 2 server.

use secrecy::SecretString;

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
    /// The most lines that wait while the server is away; the oldest are dropped and counted.
    pub lines_queued_max: usize,
}

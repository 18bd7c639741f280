//! What the configuration says about the spool of a sink.

use std::path::PathBuf;

use crate::units::Millis;

/// The spool of one sink.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpoolOptions {
    /// A directory of its own; made if need be.
    pub directory: PathBuf,
    /// The most bytes on disk; the oldest telemetry is dropped first and counted.
    pub bytes_max: u64,
    /// Telemetry is made durable this often: what a crash may cost, against the wear of the flash.
    pub sync_every: Millis,
}

//! What the configuration says about the journal.

use std::path::PathBuf;

/// Where the journal lives and how large it may grow.
#[derive(Clone, Debug)]
pub struct JournalOptions {
    /// The state directory; made with mode 0700 if it is not there.
    pub directory: PathBuf,
    /// A segment is ended when it has grown by this many bytes, 4 MiB by default.
    pub segment_bytes_max: u64,
    /// The oldest segments are removed beyond this many bytes in all, 256 MiB by default.
    pub total_bytes_max: u64,
}

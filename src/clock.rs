//! The one place that reads clocks. Everything else is told what time it is.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::units::{ClockSync, Millis, Now, Uptime, WallTime};
use rustix::time::{ClockId, clock_gettime};

/// Both clocks, read together.
#[must_use]
pub fn now() -> Now {
    Now { uptime: uptime(), wall: WallTime(millis(ClockId::Realtime)) }
}

/// `CLOCK_BOOTTIME` in milliseconds: goes on during suspend, never steps.
#[must_use]
pub fn uptime() -> Uptime {
    Uptime(u64::try_from(millis(ClockId::Boottime)).unwrap_or(0))
}

/// `CLOCK_BOOTTIME` in microseconds: for the silence between frames, and for measuring.
#[must_use]
pub fn uptime_us() -> u64 {
    micros(ClockId::Boottime)
}

/// The wall clock in microseconds since the Unix epoch: labels raw frames, decides nothing.
#[must_use]
pub fn wall_us() -> u64 {
    micros(ClockId::Realtime)
}

fn micros(clock: ClockId) -> u64 {
    let time = clock_gettime(clock);
    u64::try_from(time.tv_sec * 1_000_000 + time.tv_nsec / 1000).unwrap_or(0)
}

fn millis(clock: ClockId) -> i64 {
    let time = clock_gettime(clock);
    time.tv_sec * 1000 + time.tv_nsec / 1_000_000
}

/// How this machine shows that something keeps its wall clock right: a file that is touched whenever a time source has
/// set it, as systemd-timesyncd does. The kernel would tell more, but not to a service that may not touch the clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncMark {
    /// The file.
    pub file: PathBuf,
    /// How long after its last touch the clock counts as synchronised.
    pub fresh_for: Millis,
}

impl SyncMark {
    /// What systemd-timesyncd touches (systemd-timesyncd.service(8)), at least every 2,048 s unless configured otherwise
    /// (`PollIntervalMaxSec=` in timesyncd.conf(5)); three of them may fail.
    #[must_use]
    pub fn of_timesyncd() -> Self {
        let file = PathBuf::from("/run/systemd/timesync/synchronized");
        Self { file, fresh_for: Millis::from_secs(7200) }
    }

    /// Looks at it. Where not even its directory is there, nothing on this machine tells.
    #[must_use]
    pub fn look(&self, now: WallTime) -> ClockSync {
        let Ok(about) = std::fs::metadata(&self.file) else {
            let told_here = self.file.parent().is_some_and(Path::is_dir);
            return if told_here { ClockSync::Unsynchronised } else { ClockSync::Unknown };
        };
        let touched_ms = about.mtime().saturating_mul(1000);
        // A touch that is still to come was made under another clock than this one. A second for the rounding.
        match u64::try_from(now.0.saturating_sub(touched_ms).saturating_add(1000)) {
            Ok(ago) if ago <= self.fresh_for.0 => ClockSync::Synchronised,
            _ => ClockSync::Unsynchronised,
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_clock_is_synchronised_while_its_mark_is_fresh_and_unknown_where_nothing_tells() {
        let dir = tempfile::tempdir().unwrap();
        let at = |path: &str| SyncMark { file: dir.path().join(path), fresh_for: Millis::from_secs(60) };
        let now = super::now().wall;
        let later = |seconds: i64| WallTime(now.0 + seconds * 1000);
        assert_eq!(at("nobody/here").look(now), ClockSync::Unknown);
        assert_eq!(
            at("mark").look(now),
            ClockSync::Unsynchronised,
            "the service is there and has not set it yet"
        );
        std::fs::write(dir.path().join("mark"), "").unwrap();
        let told = [-3600, 0, 50, 70, 86_400]
            .map(|seconds| at("mark").look(later(seconds)) == ClockSync::Synchronised);
        assert_eq!(told, [false, true, true, false, false]);
    }
}

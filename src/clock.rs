//! The one place that reads clocks. Everything else is told what time it is.

use crate::units::{Now, Uptime, WallTime};
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

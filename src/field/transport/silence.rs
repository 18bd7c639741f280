//! The silence that separates frames on a serial line is a matter of a millisecond or two: finer than the
//! runtime's timers. One timer of the kernel per line.

use std::io;
use std::os::fd::OwnedFd;

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use tokio::io::unix::AsyncFd;

/// Waits to the microsecond, as far as the kernel can.
#[derive(Debug)]
pub struct Silence {
    timer: AsyncFd<OwnedFd>,
}

impl Silence {
    /// A timer that does not run.
    ///
    /// # Errors
    /// If the kernel has no more timers or descriptors.
    #[expect(deprecated, reason = "its successor is unsafe; this descriptor is owned, so nothing is unsound")]
    pub fn new() -> io::Result<Self> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        Ok(Self { timer: AsyncFd::new(timerfd_create(TimerfdClockId::Boottime, flags)?)? })
    }

    /// Waits this long. May be dropped half-way.
    ///
    /// # Errors
    /// As the kernel's timer: not expected.
    pub async fn wait(&mut self, wait_us: u64) -> io::Result<()> {
        if wait_us == 0 {
            return Ok(());
        }
        let zero = Timespec { tv_sec: 0, tv_nsec: 0 };
        let seconds = i64::try_from(wait_us / 1_000_000).unwrap_or(i64::MAX);
        let nanos = i64::try_from(wait_us % 1_000_000 * 1000).unwrap_or(0);
        let once = Itimerspec { it_interval: zero, it_value: Timespec { tv_sec: seconds, tv_nsec: nanos } };
        timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &once)?;
        loop {
            let mut ready = self.timer.readable().await?;
            let expired = ready.try_io(|timer| {
                let mut count = [0; 8];
                rustix::io::read(timer.get_ref(), &mut count).map_err(io::Error::from)
            });
            if let Ok(read) = expired {
                return read.map(|_| ());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::clock;

    #[tokio::test]
    async fn a_wait_is_never_shorter_than_asked_for() {
        let mut silence = Silence::new().unwrap();
        let begun = clock::uptime_us();
        silence.wait(1750).await.unwrap();
        assert!(1750 <= clock::uptime_us() - begun);
    }

    #[tokio::test]
    async fn a_wait_that_was_dropped_does_not_shorten_the_next() {
        let mut silence = Silence::new().unwrap();
        drop(tokio::time::timeout(std::time::Duration::from_millis(1), silence.wait(50_000)).await);
        let begun = clock::uptime_us();
        silence.wait(100_000).await.unwrap();
        assert!(100_000 <= clock::uptime_us() - begun);
    }
}

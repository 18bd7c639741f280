//! How long to leave alone what does not answer: longer each time up to a limit, never for ever, and never
//! in step with others that lost the same line.

use crate::units::{Millis, Uptime};

/// The first pause after a failed connection, and the longest.
const CONNECT_WAIT: (Millis, Millis) = (Millis(100), Millis(5000));

/// Pauses for connections.
#[derive(Debug, Default)]
pub(super) struct Reconnect {
    failures: u32,
    not_before: Uptime,
}

impl Reconnect {
    /// Whether a connection may be tried.
    pub(super) fn is_due(&self, now: Uptime) -> bool {
        self.not_before <= now
    }

    /// Whether the last try went well, or none was made.
    pub(super) const fn is_untried(&self) -> bool {
        self.failures == 0
    }

    pub(super) fn succeeded(&mut self) {
        *self = Self::default();
    }

    pub(super) fn failed(&mut self, now: Uptime, jitter: &mut Jitter) {
        let wait = jitter.shorten(doubled(CONNECT_WAIT, self.failures));
        self.failures = self.failures.saturating_add(1);
        self.not_before = now.plus(wait);
    }
}

/// The first span, doubled this often, at most the second.
pub(super) fn doubled((first, most): (Millis, Millis), times: u32) -> Millis {
    let factor = 1_u64.checked_shl(times).unwrap_or(u64::MAX);
    first.times(factor).min(most)
}

/// Enough chance to keep gateways from knocking in step; not for secrets.
#[derive(Debug)]
pub(super) struct Jitter(u64);

impl Jitter {
    /// Differs by link and by start.
    pub(super) fn new(name: &str, now: Uptime) -> Self {
        let seed = name.bytes().fold(now.0, |seed, byte| seed.wrapping_mul(31).wrapping_add(byte.into()));
        Self(seed | 1)
    }

    /// Between half of the span and all of it.
    pub(super) fn shorten(&mut self, span: Millis) -> Millis {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        let half = span.0 / 2;
        Millis(span.0 - self.0 % (half + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_limit_and_end_with_success() {
        let mut jitter = Jitter::new("a", Uptime(5));
        let mut reconnect = Reconnect::default();
        let now = Uptime(1000);
        assert!(reconnect.is_due(now));
        reconnect.failed(now, &mut jitter);
        assert!(!reconnect.is_due(now.plus(Millis(49))));
        assert!(reconnect.is_due(now.plus(Millis(100))));
        for _ in 0..100 {
            reconnect.failed(now, &mut jitter);
        }
        assert!(!reconnect.is_due(now.plus(Millis(2499))));
        assert!(reconnect.is_due(now.plus(Millis(5000))));
        reconnect.succeeded();
        assert!(reconnect.is_due(now));
    }
}

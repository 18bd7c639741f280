//! Whether a link itself is ill: a line that damages frames, a second master, a gateway that mixes up
//! transaction ids. Judged from what was rejected, told to the core as a fault of the system, once per change.

use std::sync::atomic::Ordering::Relaxed;

use crate::exchange::{FaultReport, Inbox};
use crate::field::frame::{REJECTS, Reject};
use crate::field::link::Outside;
use crate::safety::site::SystemFault;
use crate::units::{Millis, Uptime};

/// How often a link is looked at.
const LOOK: Millis = Millis(2000);

/// Looks over which damage is added up: half a minute.
const DAMAGE_LOOKS: u32 = 15;

/// A line is noisy once this many of a hundred requests met damaged bytes …
const NOISY_PERCENT: u64 = 8;

/// … and is not any more below this.
const QUIET_PERCENT: u64 = 4;

/// Requests below which no share is taken.
const REQUESTS_MIN: u64 = 20;

/// Strange frames, or ids, within one look that are no accident.
const STRANGE_MIN: u64 = 2;

/// How long without any before the fault is taken back.
const STRANGE_OVER: Millis = Millis::from_secs(60);

/// Who is told. One holder of each fault per link.
#[derive(Clone, Debug)]
pub(super) struct Reports {
    noise: FaultReport,
    contention: FaultReport,
    ids: FaultReport,
}

impl Reports {
    pub(super) fn new(inbox: &Inbox) -> Self {
        let report = |fault| FaultReport::new(inbox.clone(), fault);
        Self {
            noise: report(SystemFault::LineNoise),
            contention: report(SystemFault::BusContention),
            ids: report(SystemFault::GatewayIds),
        }
    }
}

/// What was seen at the last looks.
#[derive(Debug, Default)]
pub(super) struct Health {
    looked: Uptime,
    looks: u32,
    /// Counts at the begin of the window of damage, and at the last look.
    window: Counts,
    last: Counts,
    stranger: Option<Uptime>,
    ids: Option<Uptime>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    requests: u64,
    rejects: [u64; REJECTS.len()],
}

impl Counts {
    fn now(outside: &Outside) -> Self {
        Self { requests: outside.tally.requests.load(Relaxed), rejects: outside.rejected.counts() }
    }

    fn of(&self, reject: Reject) -> u64 {
        self.rejects[reject as usize]
    }

    fn damaged(&self) -> u64 {
        self.of(Reject::Checksum) + self.of(Reject::Noise)
    }
}

impl Health {
    /// Begins with what was counted before: a restarted link has no news.
    pub(super) fn from_now(outside: &Outside) -> Self {
        let counts = Counts::now(outside);
        Self { window: counts, last: counts, ..Self::default() }
    }

    /// Looks, if it is time.
    pub(super) fn look(&mut self, link: &str, outside: &Outside, now: Uptime) {
        if now.since(self.looked) < LOOK {
            return;
        }
        self.looked = now;
        let counts = Counts::now(outside);
        let more = |reject| STRANGE_MIN <= counts.of(reject) - self.last.of(reject);
        let seen = [more(Reject::Stranger), more(Reject::Transaction)];
        let since = [&mut self.stranger, &mut self.ids];
        for (seen, since) in seen.into_iter().zip(since) {
            match *since {
                _ if seen => *since = Some(now),
                Some(last) if STRANGE_OVER < now.since(last) => *since = None,
                Some(_) | None => {}
            }
        }
        let reports = &outside.reports;
        tell(link, "another master sends on this line", &reports.contention, self.stranger.is_some());
        tell(link, "the gateway breaks transaction ids", &reports.ids, self.ids.is_some());
        self.look_at_damage(link, &reports.noise, counts);
        self.last = counts;
    }

    fn look_at_damage(&mut self, link: &str, report: &FaultReport, counts: Counts) {
        let requests = counts.requests - self.window.requests;
        let damaged = counts.damaged() - self.window.damaged();
        self.looks += 1;
        if requests < REQUESTS_MIN && self.looks < DAMAGE_LOOKS {
            return;
        }
        let limit = if report.failing() { QUIET_PERCENT } else { NOISY_PERCENT };
        let is_noisy = 0 < damaged && requests * limit <= damaged * 100;
        // At once when it gets bad; back only at the end of a window.
        if is_noisy && REQUESTS_MIN <= requests {
            tell(link, "the line damages many frames", report, true);
        } else if DAMAGE_LOOKS <= self.looks {
            tell(link, "the line damages many frames", report, false);
        }
        if DAMAGE_LOOKS <= self.looks {
            (self.looks, self.window) = (0, counts);
        }
    }
}

fn tell(link: &str, what: &str, report: &FaultReport, failing: bool) {
    if report.failing() != failing {
        if failing {
            tracing::warn!(link, fault = what, "link is ill");
        } else {
            tracing::info!(link, fault = what, "link is well again");
        }
    }
    report.set(failing);
}

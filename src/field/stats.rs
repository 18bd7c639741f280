//! What a link has done so far: counters for metrics and for the watchdog, never for a decision.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use crate::field::frame::REJECTS;
use crate::field::transaction::Rejected;
use crate::safety::reading::ReadFault;
use crate::units::{Millis, Uptime};

/// One link, as it stands. Counters run from the start of the process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LinkStats {
    /// The link's name.
    pub name: String,
    /// Connected now?
    pub connected: bool,
    /// Units that are dead now.
    pub units_dead: u64,
    /// Polls that came to an end, well or not, also those that were not sent because of a back-off.
    pub polls: u64,
    /// Requests sent, orders and their reads included.
    pub requests: u64,
    /// Points that came without a value, by reason (`REASONS`).
    pub errors: [u64; REASONS.len()],
    /// Requests without a complete reply in time.
    pub timeouts: u64,
    /// Bytes that came and were not believed, by reason ([`REJECTS`]).
    pub rejects: [u64; REJECTS.len()],
    /// Polls that were tried again after a damaged reply.
    pub retries: u64,
    /// Polls that could not begin before their period was over.
    pub late_cycles: u64,
    /// Connections made.
    pub connects: u64,
    /// Orders carried out or refused.
    pub orders: u64,
    /// The longest an order took, from the lane to its answer.
    pub order_ms_max: u64,
    /// The longest an order waited, from the safety loop to its first frame, in microseconds.
    pub order_frame_us_max: u64,
    /// Times the link's task panicked and was restarted.
    pub restarts: u64,
    /// Half of the replies took at most this long; `None` before the first.
    pub rtt_p50: Option<Millis>,
    /// 99 of 100 replies took at most this long.
    pub rtt_p99: Option<Millis>,
    /// Replies by their round trips: up to so many milliseconds (`None`: longer), and how many.
    pub rtt: Vec<(Option<u64>, u64)>,
    /// The sum of all round trips.
    pub rtt_sum: Millis,
    /// When the last reply came.
    pub last_ok: Option<Uptime>,
}

/// The reasons that `LinkStats::errors` counts, in its order.
pub const REASONS: [&str; 8] = [
    "timeout",
    "disconnected",
    "exception",
    "mismatch",
    "malformed",
    "sentinel",
    "not-a-number",
    "not-in-service",
];

/// Upper ends of the classes in which round trips are counted, in milliseconds.
/// Longer ones count in the last class.
const RTT_MS: [u64; 20] =
    [0, 1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 150, 200, 300, 500, 1000, 3000, 10_000];

/// The counters behind `LinkStats`.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) connected: AtomicBool,
    pub(super) units_dead: AtomicU64,
    pub(super) polls: AtomicU64,
    pub(super) requests: AtomicU64,
    errors: [AtomicU64; REASONS.len()],
    timeouts: AtomicU64,
    pub(super) retries: AtomicU64,
    pub(super) late_cycles: AtomicU64,
    pub(super) connects: AtomicU64,
    pub(super) orders: AtomicU64,
    pub(super) order_ms_max: AtomicU64,
    pub(super) order_frame_us_max: AtomicU64,
    pub(super) restarts: AtomicU64,
    rtt: [AtomicU64; RTT_MS.len()],
    rtt_sum_ms: AtomicU64,
    last_ok_ms: AtomicU64,
}

impl Tally {
    /// A point came without a value.
    pub(super) fn lost(&self, fault: ReadFault) {
        let reason = match fault {
            ReadFault::Timeout => 0,
            ReadFault::Disconnected => 1,
            ReadFault::Exception(_) => 2,
            ReadFault::Mismatch => 3,
            ReadFault::Malformed => 4,
            ReadFault::Sentinel => 5,
            ReadFault::NotANumber => 6,
            ReadFault::NotInService => 7,
        };
        self.errors[reason].fetch_add(1, Relaxed);
    }

    /// A request came to an end.
    pub(super) fn ended(&self, fault: Option<ReadFault>, took: Millis, now: Uptime) {
        self.requests.fetch_add(1, Relaxed);
        match fault {
            None | Some(ReadFault::Exception(_)) => {
                let class = RTT_MS.iter().position(|end| took.0 <= *end).unwrap_or(RTT_MS.len() - 1);
                self.rtt[class].fetch_add(1, Relaxed);
                self.rtt_sum_ms.fetch_add(took.0, Relaxed);
                self.last_ok_ms.store(now.0, Relaxed);
            }
            Some(ReadFault::Timeout) => _ = self.timeouts.fetch_add(1, Relaxed),
            Some(_) => {}
        }
    }

    pub(super) fn snapshot(&self, name: &str, rejected: &Rejected) -> LinkStats {
        let last_ok = self.last_ok_ms.load(Relaxed);
        LinkStats {
            name: name.to_owned(),
            connected: self.connected.load(Relaxed),
            units_dead: self.units_dead.load(Relaxed),
            polls: self.polls.load(Relaxed),
            requests: self.requests.load(Relaxed),
            errors: std::array::from_fn(|reason| self.errors[reason].load(Relaxed)),
            timeouts: self.timeouts.load(Relaxed),
            rejects: rejected.counts(),
            retries: self.retries.load(Relaxed),
            late_cycles: self.late_cycles.load(Relaxed),
            connects: self.connects.load(Relaxed),
            orders: self.orders.load(Relaxed),
            order_ms_max: self.order_ms_max.load(Relaxed),
            order_frame_us_max: self.order_frame_us_max.load(Relaxed),
            restarts: self.restarts.load(Relaxed),
            rtt_p50: self.rtt_at_most(50),
            rtt_p99: self.rtt_at_most(99),
            rtt: self.rtt_classes(),
            rtt_sum: Millis(self.rtt_sum_ms.load(Relaxed)),
            last_ok: (0 < last_ok).then_some(Uptime(last_ok)),
        }
    }

    fn rtt_classes(&self) -> Vec<(Option<u64>, u64)> {
        let last = RTT_MS.len() - 1;
        let end = |class: usize| (class < last).then(|| RTT_MS[class]);
        self.rtt.iter().enumerate().map(|(class, count)| (end(class), count.load(Relaxed))).collect()
    }

    /// The class that holds this share of the round trips.
    fn rtt_at_most(&self, percent: u64) -> Option<Millis> {
        let counts: [u64; RTT_MS.len()] = std::array::from_fn(|class| self.rtt[class].load(Relaxed));
        let wanted = (counts.iter().sum::<u64>() * percent).div_ceil(100);
        if wanted == 0 {
            return None;
        }
        let mut seen = 0;
        for (class, count) in counts.iter().enumerate() {
            seen += count;
            if wanted <= seen {
                return Some(Millis(RTT_MS[class]));
            }
        }
        None
    }
}

//! What speaks against a number though it was read: it never moves, its device has stopped thinking, or it
//! reads calmer than what measures the same thing.
//!
//! Each remembers just what it needs of the points it watches; whose values they get are good ones.

use crate::safety::rules::limit::Side;
use crate::safety::rules::window::median;
use crate::safety::site::{DeviceId, Frozen, Heartbeat, PointId, Redundant, Site};
use crate::units::{Uptime, Value};

/// Since when a value has not moved, and whether its siblings have.
#[derive(Clone, Debug)]
pub(super) struct FrozenTrack {
    value: Option<Value>,
    since: Uptime,
    siblings_then: Vec<Option<Value>>,
    siblings_moved: bool,
}

impl FrozenTrack {
    pub(super) fn new(spec: &Frozen, now: Uptime) -> Self {
        let siblings_then = vec![None; spec.siblings.len()];
        Self { value: None, since: now, siblings_then, siblings_moved: false }
    }

    /// Takes in one value; true if it has stood still for too long while its siblings moved.
    pub(super) fn is_frozen(
        &mut self,
        spec: &Frozen,
        value: Value,
        taken: Uptime,
        good: impl Fn(PointId) -> Option<Value>,
    ) -> bool {
        let moved_anew = self.value != Some(value);
        if moved_anew {
            (self.value, self.since, self.siblings_moved) = (Some(value), taken, false);
        }
        for (then, sibling) in self.siblings_then.iter_mut().zip(&spec.siblings) {
            match (*then, good(*sibling)) {
                (_, seen) if moved_anew => *then = seen,
                (None, seen) => *then = seen,
                (Some(then), Some(now)) => {
                    self.siblings_moved |= spec.moved < (now.get() - then.get()).abs();
                }
                (Some(_), None) => {}
            }
        }
        self.siblings_moved && spec.after <= taken.since(self.since)
    }
}

/// The counters by which devices show that they are still thinking.
#[derive(Clone, Debug)]
pub(super) struct Heartbeats {
    beats: Vec<Beat>,
    /// The devices whose counter stands still.
    stopped: Vec<bool>,
}

#[derive(Clone, Copy, Debug)]
struct Beat {
    last: Option<(Value, Uptime)>,
}

impl Heartbeats {
    pub(super) fn new(site: &Site) -> Self {
        let beats = vec![Beat { last: None }; site.heartbeats.len()];
        Self { beats, stopped: vec![false; site.devices.len()] }
    }

    /// Whether a device repeats itself: its registers answer, its heartbeat does not count.
    pub(super) fn is_stopped(&self, device: DeviceId) -> bool {
        self.stopped[device.index()]
    }

    /// Takes in one value of a heartbeat.
    pub(super) fn heard(
        &mut self,
        slot: usize,
        spec: Heartbeat,
        device: DeviceId,
        (value, taken): (Value, Uptime),
    ) {
        let beat = &mut self.beats[slot];
        let since = match beat.last {
            Some((last, since)) if last == value => since,
            Some(_) | None => taken,
        };
        beat.last = Some((value, since));
        self.stopped[device.index()] = spec.after <= taken.since(since);
    }
}

/// Since when a point has read calmer than what measures the same thing.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RedundantTrack {
    calmer_since: Option<Uptime>,
}

impl RedundantTrack {
    /// Takes in one value; true if it has been calmer than the middle of its siblings for too long. The more
    /// alarming of two is never doubted: in a fire it is the one that is right.
    pub(super) fn disagrees(
        &mut self,
        spec: &Redundant,
        value: Value,
        taken: Uptime,
        good: impl Fn(PointId) -> Option<Value>,
    ) -> bool {
        let mut others = [0.0; SIBLINGS_MAX];
        let mut known = 0;
        for (slot, other) in others.iter_mut().zip(spec.with.iter().filter_map(|point| good(*point))) {
            *slot = other.get();
            known += 1;
        }
        let Some(middle) = median(&mut others[..known]) else {
            self.calmer_since = None;
            return false;
        };
        let calmer_by = match spec.dangerous {
            Side::Above => middle - value.get(),
            Side::Below => value.get() - middle,
        };
        if calmer_by <= spec.by {
            self.calmer_since = None;
            return false;
        }
        spec.after <= taken.since(*self.calmer_since.get_or_insert(taken))
    }
}

/// The most points that may measure the same thing as another.
pub const SIBLINGS_MAX: usize = 8;

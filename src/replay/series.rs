//! Values over time in bounded memory: where more samples come than are kept, neighbours share a bucket with their
//! lowest and highest.

use std::collections::BTreeMap;

use super::player::Moment;
use crate::safety::fact::{Fact, Output};
use crate::safety::site::PointId;

/// Buckets of all points together, and of one: a page stays below some ten megabytes, and a few points can be
/// looked at closely.
const BUCKETS_TOTAL_MAX: usize = 300_000;
const BUCKETS_MIN: usize = 1000;
const BUCKETS_MAX: usize = 8000;

/// One stretch of time of one point.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bucket {
    /// When it begins, in milliseconds since the origin.
    pub at: u64,
    /// The lowest value, the highest, and the last.
    pub low: f64,
    /// The highest value.
    pub high: f64,
    /// The last value.
    pub last: f64,
}

/// The values of one point.
#[derive(Clone, Debug)]
struct Track {
    /// How long a bucket is; zero while every sample has its own.
    width: u64,
    buckets: Vec<Bucket>,
    /// Where the value was lost since.
    lost: bool,
}

/// Values of some points.
#[derive(Clone, Debug, Default)]
pub struct Series {
    tracks: BTreeMap<PointId, Track>,
    buckets_max: usize,
    /// When values were lost, by point: from there on there is a hole.
    holes: BTreeMap<PointId, Vec<u64>>,
}

impl Series {
    /// Keeps these points only.
    #[must_use]
    pub fn of(points: impl IntoIterator<Item = PointId>) -> Self {
        let track = || Track { width: 0, buckets: Vec::new(), lost: false };
        let tracks: BTreeMap<_, _> = points.into_iter().map(|point| (point, track())).collect();
        let buckets_max = (BUCKETS_TOTAL_MAX / tracks.len().max(1)).clamp(BUCKETS_MIN, BUCKETS_MAX);
        Self { tracks, buckets_max, holes: BTreeMap::new() }
    }

    /// Takes in what one scan said.
    pub fn hear(&mut self, moment: Moment<'_>) {
        for output in moment.outputs {
            let Output::Fact(Fact::Reading { point, reading }) = output else { continue };
            let Some(track) = self.tracks.get_mut(point) else { continue };
            match reading.good() {
                Some((value, _)) => {
                    track.lost = false;
                    track.add(moment.at.0, value.get(), self.buckets_max);
                }
                None if !track.lost && !track.buckets.is_empty() => {
                    track.lost = true;
                    self.holes.entry(*point).or_default().push(moment.at.0);
                }
                None => {}
            }
        }
    }

    /// The values of a point, in order of time.
    #[must_use]
    pub fn buckets(&self, point: PointId) -> &[Bucket] {
        self.tracks.get(&point).map_or(&[], |track| &track.buckets)
    }

    /// When the value of a point was lost, in milliseconds since the origin.
    #[must_use]
    pub fn holes(&self, point: PointId) -> &[u64] {
        self.holes.get(&point).map_or(&[], |holes| holes.as_slice())
    }
}

impl Track {
    fn add(&mut self, at: u64, value: f64, buckets_max: usize) {
        if let Some(last) = self.buckets.last_mut()
            && at < last.at + self.width
        {
            last.low = last.low.min(value);
            last.high = last.high.max(value);
            last.last = value;
            return;
        }
        self.buckets.push(Bucket { at, low: value, high: value, last: value });
        if buckets_max < self.buckets.len() {
            self.halve(buckets_max);
        }
    }

    /// Twice as long buckets.
    fn halve(&mut self, buckets_max: usize) {
        let (first, last) = (self.buckets[0].at, self.buckets[self.buckets.len() - 1].at);
        let width = (2 * self.width).max(2 * (last - first) / buckets_max as u64).max(1);
        let mut merged: Vec<Bucket> = Vec::with_capacity(buckets_max);
        for bucket in self.buckets.drain(..) {
            match merged.last_mut() {
                Some(before) if bucket.at < before.at + width => {
                    before.low = before.low.min(bucket.low);
                    before.high = before.high.max(bucket.high);
                    before.last = bucket.last;
                }
                _ => merged.push(bucket),
            }
        }
        (self.width, self.buckets) = (width, merged);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_replay_stays_bounded_and_keeps_its_spikes() {
        let mut track = Track { width: 0, buckets: Vec::new(), lost: false };
        for second in 0..200_000_u64 {
            track.add(second * 1000, if second == 123_456 { 99.0 } else { 20.0 }, 2000);
        }
        assert!(track.buckets.len() <= 2000);
        let highest = track.buckets.iter().map(|bucket| bucket.high).fold(0.0, f64::max);
        assert!((highest - 99.0).abs() < f64::EPSILON);
        assert!(track.buckets.windows(2).all(|pair| pair[0].at < pair[1].at));
    }
}

//! The recent past of one quantity: few samples, evenly thinned, for slopes and for what was usual.
//!
//! The slope is the median of the slopes between all pairs of samples (Theil-Sen): up to 29 % of the samples may
//! be noise without moving it far. What was usual is the median of the samples.

use crate::units::{Millis, Uptime};

/// The most samples a window holds; closer ones are thinned out. Sixteen give 120 slopes to take the
/// median of: enough that noise on a few cannot make a slope, few enough to judge in a microsecond.
pub const WINDOW_SAMPLES_MAX: usize = 16;

const SLOPES_MAX: usize = WINDOW_SAMPLES_MAX * (WINDOW_SAMPLES_MAX - 1) / 2;

/// The samples of the last while.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Window {
    samples: Vec<(Uptime, f64)>,
}

/// A slope and how sure it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Slope {
    /// The median of all slopes, in units per minute.
    pub(crate) per_minute: f64,
    /// A quarter of the slopes are below this.
    pub(crate) low: f64,
    /// A quarter of the slopes are above this.
    pub(crate) high: f64,
}

impl Window {
    /// Takes in one sample, and lets go what is older than `window`. The same sample twice changes nothing.
    pub(crate) fn push(&mut self, taken: Uptime, value: f64, window: Millis) {
        if self.newest() == Some(taken) {
            return;
        }
        let spacing = Millis(window.0 / (WINDOW_SAMPLES_MAX as u64 - 1));
        // The newest sample is always there; the ones before it keep their distance.
        if let [.., before, newest] = self.samples.as_slice()
            && newest.0.since(before.0) < spacing
        {
            self.samples.pop();
        }
        self.samples.push((taken, value));
        self.samples.retain(|sample| taken.since(sample.0) <= window);
        if WINDOW_SAMPLES_MAX < self.samples.len() {
            self.samples.remove(0);
        }
    }

    /// When the newest sample was taken.
    pub(crate) fn newest(&self) -> Option<Uptime> {
        self.samples.last().map(|sample| sample.0)
    }

    /// How many samples there are.
    pub(crate) const fn len(&self) -> usize {
        self.samples.len()
    }

    /// From the oldest sample to the newest.
    pub(crate) fn span(&self) -> Millis {
        match (self.samples.first(), self.samples.last()) {
            (Some(first), Some(last)) => last.0.since(first.0),
            (None, _) | (_, None) => Millis::ZERO,
        }
    }

    /// The middle value; the upper one of two. `None` without samples.
    pub(crate) fn median(&self) -> Option<f64> {
        let mut values = [0.0; WINDOW_SAMPLES_MAX];
        for (slot, sample) in values.iter_mut().zip(&self.samples) {
            *slot = sample.1;
        }
        median(&mut values[..self.samples.len()])
    }

    /// The slope over all samples, in units per minute; `None` where there are not two at different times.
    pub(crate) fn per_minute(&self) -> Option<f64> {
        // Most of the time nothing moves at all.
        if let [(early, first), .., (late, _)] = *self.samples.as_slice()
            && early < late
            && self.samples.iter().all(|sample| sample.1.to_bits() == first.to_bits())
        {
            return Some(0.0);
        }
        let mut room = [0.0; SLOPES_MAX];
        median(self.slopes(&mut room))
    }

    /// The slope over all samples with its spread.
    pub(crate) fn slope(&self) -> Option<Slope> {
        let mut room = [0.0; SLOPES_MAX];
        let slopes = self.slopes(&mut room);
        let quarter = slopes.len() / 4;
        let per_minute = median(slopes)?;
        let low = nth(slopes, quarter)?;
        let high = nth(slopes, slopes.len() - 1 - quarter)?;
        Some(Slope { per_minute, low, high })
    }

    /// The slopes between all pairs of samples, in units per minute.
    fn slopes<'a>(&self, room: &'a mut [f64; SLOPES_MAX]) -> &'a mut [f64] {
        let mut count = 0;
        for (index, early) in self.samples.iter().enumerate() {
            for late in &self.samples[index + 1..] {
                #[expect(
                    clippy::cast_precision_loss,
                    reason = "spans below 2^53 ms (285,000 years) are exact"
                )]
                let ms = late.0.since(early.0).0 as f64;
                if 0.0 < ms {
                    room[count] = (late.1 - early.1) * 60_000.0 / ms;
                    count += 1;
                }
            }
        }
        &mut room[..count]
    }
}

fn nth(values: &mut [f64], index: usize) -> Option<f64> {
    (index < values.len()).then(|| *values.select_nth_unstable_by(index, f64::total_cmp).1)
}

/// The middle of some numbers; the upper one of two. `None` for none.
pub(crate) fn median(values: &mut [f64]) -> Option<f64> {
    let middle = values.len() / 2;
    nth(values, middle)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(values: impl IntoIterator<Item = f64>) -> Window {
        let mut window = Window::default();
        for (second, value) in (0..).zip(values) {
            window.push(Uptime(second * 1000), value, Millis(60_000));
        }
        window
    }

    #[test]
    fn a_window_is_bounded_and_keeps_newest_and_oldest() {
        let window = filled((0..600).map(f64::from));
        assert!(window.len() <= WINDOW_SAMPLES_MAX);
        assert_eq!(window.samples.last().map(|sample| sample.1), Some(599.0));
        assert!(Millis(56_000) <= window.span() && window.span() <= Millis(60_000), "{}", window.span());
    }

    #[test]
    fn what_was_usual_is_not_moved_by_a_few_odd_samples() {
        let odd = filled((0..60).map(|second| if second % 20 == 0 { 90.0 } else { 20.0 }));
        assert_eq!(odd.median(), Some(20.0));
        assert_eq!(Window::default().median(), None);
    }

    #[test]
    fn a_clean_ramp_has_a_sure_slope_and_a_noisy_one_a_wide_one() {
        let clean = filled((0..60).map(|second| f64::from(second) * 0.1)).slope().expect("two samples");
        assert!((clean.per_minute - 6.0).abs() < 1e-9 && (clean.high - clean.low).abs() < 1e-9, "{clean:?}");
        let noisy = filled((0..60).map(|second| f64::from(second) * 0.1 + f64::from(second % 3)));
        let noisy = noisy.slope().expect("two samples");
        assert!(noisy.low < noisy.per_minute && noisy.per_minute < noisy.high, "{noisy:?}");
        assert_eq!(filled([1.0]).slope(), None);
    }

    #[test]
    fn samples_keep_their_distance_however_fast_they_come() {
        let mut window = Window::default();
        for tick in 0..3_000 {
            window.push(Uptime(tick * 100), 20.0, Millis(60_000));
        }
        let times: Vec<u64> = window.samples.iter().map(|sample| sample.0.0).collect();
        let gaps: Vec<u64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let (last, others) = gaps.split_last().expect("many samples");
        assert!(others.iter().all(|gap| *gap == 4000) && *last <= 4000, "{gaps:?}");
        assert_eq!(window.len(), WINDOW_SAMPLES_MAX);
    }

    #[test]
    fn a_window_that_cannot_be_divided_evenly_is_bounded_too() {
        let mut window = Window::default();
        for sample in 0..16 {
            window.push(Uptime(sample * 4066), 20.0, Millis(61_000));
        }
        assert_eq!(window.len(), 16);
        window.push(Uptime(60_995), 30.0, Millis(61_000));
        assert_eq!((window.len(), window.newest()), (16, Some(Uptime(60_995))));
        assert_eq!(window.median(), Some(20.0));
    }

    #[test]
    fn sixteen_samples_have_a_hundred_and_twenty_slopes() {
        assert_eq!(SLOPES_MAX, 120);
        let full = filled((0..61).map(f64::from));
        assert_eq!((full.len(), full.slopes(&mut [0.0; SLOPES_MAX]).len()), (16, SLOPES_MAX));
    }

    #[test]
    fn a_slope_has_its_middle_and_its_quarters() {
        let mut window = Window::default();
        for (minute, value) in (0..).zip([0.0, 1.0, 4.0, 9.0]) {
            window.push(Uptime(minute * 60_000), value, Millis(900_000));
        }
        // Between all pairs: 1, 2, 3, 3, 4, 5 a minute.
        assert_eq!(window.slope(), Some(Slope { per_minute: 3.0, low: 2.0, high: 4.0 }));
        assert_eq!(window.per_minute(), Some(3.0));
    }

    #[test]
    fn a_sample_that_came_out_of_order_makes_no_slope() {
        let mut window = Window::default();
        window.push(Uptime(1000), 20.0, Millis(60_000));
        window.push(Uptime(500), 20.0, Millis(60_000));
        assert_eq!((window.per_minute(), window.slope()), (None, None));
    }
}

//! Samples become readings: good, uncertain or bad, always with the reason.
//!
//! What is decided here: range, implausible falls, frozen values, devices whose heartbeat has stopped, sensors
//! that read calmer than their twin, staleness. What is not: what a value means. A rise is never doubted, however steep: in a fire it is real. A missed poll leaves the last value
//! standing until it is stale; a value that the device itself disowns is lost at once.
//! After the loop was held up nothing counts that was asked for before it went on (R14, S18).

mod doubts;

pub use doubts::SIBLINGS_MAX;

use crate::safety::fact::{Fact, Output};
use crate::safety::quality::doubts::{FrozenTrack, Heartbeats, RedundantTrack};
use crate::safety::reading::{Doubt, Loss, ReadFault, Reading};
use crate::safety::site::{DeviceId, Point, PointId, Site};
use crate::units::{Uptime, Value};

/// A good value, with when it was asked for and when it came.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// What the device sent.
    pub value: Value,
    /// When the request left.
    pub asked: Uptime,
    /// When the reply arrived.
    pub taken: Uptime,
}

/// What a rule can see of a point.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Sight {
    /// A good value.
    Seen(Value, Uptime),
    /// Nothing new, but the last good value is not stale yet.
    Missed,
    /// Nothing to go by.
    Lost,
}

/// All that is known of all points.
#[derive(Clone, Debug)]
pub struct Picture {
    tracks: Vec<Track>,
    frozen: Vec<FrozenTrack>,
    redundant: Vec<RedundantTrack>,
    heartbeats: Heartbeats,
    /// When each device last answered anything at all.
    heard: Vec<Option<Uptime>>,
    /// What was asked for before this does not count.
    fresh_from: Uptime,
    /// When the core started: silence is counted from here.
    born: Uptime,
    /// No point can become stale before this.
    next_stale: Uptime,
}

#[derive(Clone, Debug, Default)]
struct Track {
    reading: Reading,
    good: Option<Sample>,
    /// When the newest answer taken in was asked for.
    asked: Option<Uptime>,
    frozen: Option<u32>,
    redundant: Option<u32>,
    heartbeat: Option<u32>,
}

impl Picture {
    pub(crate) fn new(site: &Site, now: Uptime) -> Self {
        let mut frozen = Vec::new();
        let mut tracks = vec![Track::default(); site.points.len()];
        for (track, point) in tracks.iter_mut().zip(&site.points) {
            if let Some(spec) = &point.frozen {
                track.frozen = u32::try_from(frozen.len()).ok();
                frozen.push(FrozenTrack::new(spec, now));
            }
        }
        for (index, spec) in site.redundant.iter().enumerate() {
            tracks[spec.point.index()].redundant = u32::try_from(index).ok();
        }
        for (index, spec) in site.heartbeats.iter().enumerate() {
            tracks[spec.point.index()].heartbeat = u32::try_from(index).ok();
        }
        Self {
            tracks,
            frozen,
            redundant: vec![RedundantTrack::default(); site.redundant.len()],
            heartbeats: Heartbeats::new(site),
            heard: vec![None; site.devices.len()],
            fresh_from: now,
            born: now,
            next_stale: now,
        }
    }

    /// What is known of a point.
    #[must_use]
    pub fn reading(&self, point: PointId) -> Reading {
        self.tracks[point.index()].reading
    }

    /// The point's value, if its reading is good and was asked for since the loop last went on.
    #[must_use]
    pub fn good(&self, point: PointId) -> Option<Sample> {
        self.tracks[point.index()].good_since(self.fresh_from)
    }

    /// The last good value, however old.
    pub(crate) fn last_good(&self, point: PointId) -> Option<Sample> {
        self.tracks[point.index()].good
    }

    /// When a device last answered anything since the core started.
    pub(crate) fn heard(&self, device: DeviceId) -> Option<Uptime> {
        self.heard[device.index()]
    }

    pub(crate) fn born(&self) -> Uptime {
        self.born
    }

    /// What was asked for before this does not count: the end of the last gap, or the start.
    pub(crate) fn fresh_from(&self) -> Uptime {
        self.fresh_from
    }

    /// The loop was held up until now: nothing asked for before counts.
    pub(crate) fn distrust_before(&mut self, now: Uptime) {
        self.fresh_from = now;
    }

    /// Takes in one poll result; gives what is now known of the point.
    pub(crate) fn absorb(
        &mut self,
        site: &Site,
        point: PointId,
        (asked, taken): (Uptime, Uptime),
        result: Result<Value, ReadFault>,
    ) -> Reading {
        let spec = &site[point];
        if let (Ok(value), Some(slot)) = (result, self.tracks[point.index()].heartbeat)
            && self.fresh_from <= asked
        {
            let slot = slot as usize;
            self.heartbeats.heard(slot, site.heartbeats[slot], spec.device, (value, taken));
        }
        // A device that only repeats itself is as silent as one that does not answer.
        if result.is_ok_or_answered() && !self.heartbeats.is_stopped(spec.device) {
            let heard = &mut self.heard[spec.device.index()];
            *heard = Some(taken).max(*heard);
        }
        let track = &mut self.tracks[point.index()];
        // A late answer never replaces a newer one, and one answer never counts twice (S19).
        if asked < self.fresh_from || track.asked.is_some_and(|newest| asked <= newest) {
            return track.reading;
        }
        track.asked = Some(asked);
        let reading = match result {
            Err(fault) => self.lost(point, Loss::Fault(fault)),
            Ok(value) => self.weigh(site, point, Sample { value, asked, taken }),
        };
        let track = &mut self.tracks[point.index()];
        track.reading = reading;
        if let Reading::Good { value, taken } = reading {
            track.good = Some(Sample { value, asked, taken });
        }
        reading
    }

    /// Finds points that have become stale since the last look, and says so.
    pub(crate) fn sweep(&mut self, site: &Site, now: Uptime, out: &mut Vec<Output>) -> Vec<PointId> {
        let mut grown_stale = Vec::new();
        if now < self.next_stale {
            return grown_stale;
        }
        let mut next = Uptime(u64::MAX);
        for (index, (track, spec)) in self.tracks.iter_mut().zip(&site.points).enumerate() {
            let Reading::Good { taken, .. } = track.reading else { continue };
            let stale_at = taken.plus(spec.stale_after);
            if now <= stale_at {
                next = next.min(stale_at);
                continue;
            }
            let last = track.good.map(|sample| (sample.value, sample.taken));
            track.reading = Reading::Bad { last, why: Loss::Stale };
            let point = PointId::at(index);
            grown_stale.push(point);
            out.push(Output::Fact(Fact::Reading { point, reading: track.reading }));
        }
        // A point that turns good later is stale at the earliest one shortest limit from now.
        let shortest = site.points.iter().map(|spec| spec.stale_after).min().unwrap_or_default();
        self.next_stale = next.min(now.plus(shortest));
        grown_stale
    }

    /// What a rule can see of a point now.
    #[inline]
    pub(crate) fn sight(&self, site: &Site, point: PointId, now: Uptime) -> Sight {
        let track = &self.tracks[point.index()];
        let stale_after = site[point].stale_after;
        let missed_since =
            |from: Uptime| if now.since(from) <= stale_after { Sight::Missed } else { Sight::Lost };
        match track.reading {
            Reading::Good { value, taken } if now.since(taken) <= stale_after => Sight::Seen(value, taken),
            Reading::Good { .. }
            | Reading::Bad {
                why: Loss::Stale | Loss::OutOfRange | Loss::Frozen | Loss::HeartbeatStopped,
                ..
            } => Sight::Lost,
            Reading::NeverSeen => missed_since(self.born),
            Reading::Uncertain { .. } => track.good.map_or(Sight::Lost, |good| missed_since(good.taken)),
            Reading::Bad { why: Loss::Fault(fault), .. } if fault.is_disowned() => Sight::Lost,
            Reading::Bad { why: Loss::Fault(_), .. } => {
                missed_since(track.good.map_or(self.born, |good| good.taken))
            }
        }
    }

    fn lost(&self, point: PointId, why: Loss) -> Reading {
        let last = self.tracks[point.index()].good.map(|sample| (sample.value, sample.taken));
        Reading::Bad { last, why }
    }

    fn weigh(&mut self, site: &Site, point: PointId, sample: Sample) -> Reading {
        let (spec, Sample { value, taken, .. }) = (&site[point], sample);
        if self.heartbeats.is_stopped(spec.device) {
            return self.lost(point, Loss::HeartbeatStopped);
        }
        if spec.range.is_some_and(|(low, high)| !(low <= value.get() && value.get() <= high)) {
            return self.lost(point, Loss::OutOfRange);
        }
        if self.is_frozen(spec, point, value, taken) {
            return self.lost(point, Loss::Frozen);
        }
        if self.fell_too_fast(spec, point, value, taken) {
            return Reading::Uncertain { value, taken, why: Doubt::TooFast };
        }
        if self.disagrees(site, point, value, taken) {
            return Reading::Uncertain { value, taken, why: Doubt::Disagrees };
        }
        Reading::Good { value, taken }
    }

    fn fell_too_fast(&self, spec: &Point, point: PointId, value: Value, taken: Uptime) -> bool {
        let (Some(limit), Some(last)) = (spec.fall_per_s_max, self.tracks[point.index()].good) else {
            return false;
        };
        let seconds = taken.since(last.taken).as_secs_f64();
        limit * seconds < last.value.get() - value.get() && 0.0 < seconds
    }

    fn is_frozen(&mut self, spec: &Point, point: PointId, value: Value, taken: Uptime) -> bool {
        let Self { tracks, frozen, fresh_from, .. } = self;
        let (Some(spec), Some(slot)) = (&spec.frozen, tracks[point.index()].frozen) else { return false };
        let good =
            |sibling: PointId| tracks[sibling.index()].good_since(*fresh_from).map(|sample| sample.value);
        frozen[slot as usize].is_frozen(spec, value, taken, good)
    }

    fn disagrees(&mut self, site: &Site, point: PointId, value: Value, taken: Uptime) -> bool {
        let Self { tracks, redundant, fresh_from, .. } = self;
        let Some(slot) = tracks[point.index()].redundant else { return false };
        let good =
            |sibling: PointId| tracks[sibling.index()].good_since(*fresh_from).map(|sample| sample.value);
        redundant[slot as usize].disagrees(&site.redundant[slot as usize], value, taken, good)
    }
}

impl Track {
    /// The value, if the reading is good and was asked for since then.
    fn good_since(&self, fresh_from: Uptime) -> Option<Sample> {
        self.reading.good()?;
        self.good.filter(|sample| fresh_from <= sample.asked)
    }
}

/// Whether a poll result shows that the device is there.
trait Heard {
    fn is_ok_or_answered(&self) -> bool;
}

impl Heard for Result<Value, ReadFault> {
    fn is_ok_or_answered(&self) -> bool {
        match self {
            Ok(_) => true,
            Err(fault) => fault.is_answer(),
        }
    }
}

impl ReadFault {
    /// Whether the device answered, though not with a value.
    #[must_use]
    pub const fn is_answer(self) -> bool {
        match self {
            // 10 and 11 are a gateway speaking for a device that does not (Modbus application protocol, 7).
            Self::Exception(code) => !matches!(code, 10 | 11),
            Self::Sentinel | Self::NotANumber | Self::NotInService => true,
            Self::Timeout | Self::Disconnected | Self::Mismatch | Self::Malformed => false,
        }
    }

    /// Whether the device itself says that it has no value: lost at once, without waiting for staleness.
    #[must_use]
    pub const fn is_disowned(self) -> bool {
        match self {
            Self::Sentinel | Self::NotANumber | Self::NotInService => true,
            // Illegal function, address or value: asking again will not help.
            Self::Exception(code) => matches!(code, 1..=3),
            Self::Timeout | Self::Disconnected | Self::Mismatch | Self::Malformed => false,
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::safety::reading::Distrust;
    use crate::safety::rules::limit::Side;
    use crate::safety::site::{Device, DeviceKind, Heartbeat, Labels, Redundant, ZoneId};
    use crate::units::{Millis, Unit};

    fn one_point() -> Site {
        let mut site = Site::default();
        site.devices.push(Device {
            name: "bms-1".into(),
            title: String::new(),
            zone: ZoneId(0),
            kind: DeviceKind::Battery,
            points: 0..1,
            silent_after: Millis(3000),
            switches: false,
        });
        site.points.push(Point {
            name: "cell-temp".into(),
            device: DeviceId(0),
            unit: Unit::Celsius,
            period: Millis(1000),
            stale_after: Millis(3000),
            range: None,
            fall_per_s_max: None,
            frozen: None,
            labels: Labels::None,
        });
        site
    }

    #[test]
    fn a_late_or_repeated_answer_changes_nothing() {
        let site = one_point();
        let mut picture = Picture::new(&site, Uptime(0));
        let mut hear = |asked, taken, number| {
            let times = (Uptime(asked), Uptime(taken));
            picture.absorb(&site, PointId(0), times, Ok(Value::new(number).unwrap()));
            picture.reading(PointId(0))
        };
        let newest = hear(2000, 2050, 20.0);
        assert_eq!(hear(1000, 2100, 90.0), newest, "asked for before, answered after");
        assert_eq!(hear(2000, 2050, 20.0), newest, "the same answer again");
        assert_eq!(hear(2000, 5000, 20.0), newest, "the same answer, delivered later");
        assert_ne!(hear(3000, 3050, 21.0), newest);
    }

    #[test]
    fn a_late_fault_does_not_hide_a_newer_value() {
        let site = one_point();
        let mut picture = Picture::new(&site, Uptime(0));
        picture.absorb(&site, PointId(0), (Uptime(2000), Uptime(2050)), Ok(Value::new(20.0).unwrap()));
        picture.absorb(&site, PointId(0), (Uptime(1000), Uptime(2100)), Err(ReadFault::Timeout));
        assert!(picture.good(PointId(0)).is_some());
    }

    /// One device with a value and a counter that must count.
    fn with_heartbeat() -> Site {
        let mut site = one_point();
        let counter = Point { name: "heartbeat".into(), unit: Unit::None, ..site.points[0].clone() };
        site.points.push(counter);
        site.devices[0].points = 0..2;
        site.heartbeats.push(Heartbeat { point: PointId(1), after: Millis(5000) });
        site
    }

    #[test]
    fn a_device_whose_heartbeat_stops_is_not_believed_and_counts_as_silent() {
        let site = with_heartbeat();
        let mut picture = Picture::new(&site, Uptime(0));
        let mut hear = |second: u64, beat: f64| {
            let at = Uptime(second * 1000);
            for (point, number) in [(1, beat), (0, 25.0)] {
                picture.absorb(&site, PointId(point), (at, at), Ok(Value::new(number).unwrap()));
            }
            (picture.reading(PointId(0)).distrusted(), picture.heard(DeviceId(0)))
        };
        for second in 1..=10 {
            assert_eq!(hear(second, f64::from(u32::try_from(second).unwrap())).0, None);
        }
        assert_eq!(hear(14, 10.0), (None, Some(Uptime(14_000))), "4 s is not yet too long");
        assert_eq!(hear(15, 10.0), (Some(Distrust::HeartbeatStopped), Some(Uptime(14_000))));
        assert_eq!(hear(60, 10.0), (Some(Distrust::HeartbeatStopped), Some(Uptime(14_000))));
        assert_eq!(hear(61, 11.0), (None, Some(Uptime(61_000))), "it counts again");
    }

    #[test]
    fn of_two_sensors_that_drift_apart_only_the_calmer_one_is_doubted() {
        let mut site = one_point();
        site.points.push(Point { name: "twin".into(), ..site.points[0].clone() });
        site.devices[0].points = 0..2;
        for (point, twin) in [(0, 1), (1, 0)] {
            site.redundant.push(Redundant {
                point: PointId(point),
                with: vec![PointId(twin)],
                by: 5.0,
                after: Millis(10_000),
                dangerous: Side::Above,
            });
        }
        let mut picture = Picture::new(&site, Uptime(0));
        let mut hear = |second: u64, values: [f64; 2]| {
            let at = Uptime(second * 1000);
            for (point, number) in (0..).zip(values) {
                picture.absorb(&site, PointId(point), (at, at), Ok(Value::new(number).unwrap()));
            }
            [0, 1].map(|point| picture.reading(PointId(point)).distrusted())
        };
        assert_eq!(hear(1, [25.0, 25.0]), [None, None]);
        assert_eq!(hear(2, [25.0, 31.0]), [None, None], "judged beside the twin's value of the poll before");
        assert_eq!(hear(3, [25.0, 31.0]), [None, None], "apart, but not for long");
        assert_eq!(hear(12, [25.0, 31.0]), [None, None]);
        assert_eq!(hear(13, [25.0, 31.0]), [Some(Distrust::Disagrees), None]);
        assert_eq!(hear(14, [25.0, 29.0]), [Some(Distrust::Disagrees), None]);
        assert_eq!(hear(15, [25.0, 29.0]), [None, None]);
    }

    /// A point with a sibling; `change` is what is special about the point.
    fn two_points(change: impl FnOnce(&mut Point)) -> Site {
        let mut site = one_point();
        site.points.push(Point { name: "sibling".into(), ..site.points[0].clone() });
        site.devices[0].points = 0..2;
        change(&mut site.points[0]);
        site
    }

    fn hear(picture: &mut Picture, site: &Site, point: u32, ms: u64, number: f64) -> Reading {
        let times = (Uptime(ms), Uptime(ms));
        picture.absorb(site, PointId(point), times, Ok(Value::new(number).unwrap()));
        picture.reading(PointId(point))
    }

    #[test]
    fn a_number_is_believed_up_to_the_ends_of_its_range() {
        let site = two_points(|point| point.range = Some((-40.0, 125.0)));
        let mut picture = Picture::new(&site, Uptime(0));
        for (second, number, distrust) in [
            (1, -40.1, Some(Distrust::OutOfRange)),
            (2, -40.0, None),
            (3, 125.0, None),
            (4, 125.1, Some(Distrust::OutOfRange)),
        ] {
            let reading = hear(&mut picture, &site, 0, second * 1000, number);
            assert_eq!(reading.distrusted(), distrust, "{number}");
        }
        let last = Some((Value::new(125.0).unwrap(), Uptime(3000)));
        assert_eq!(picture.reading(PointId(0)), Reading::Bad { last, why: Loss::OutOfRange });
    }

    #[test]
    fn a_fall_faster_than_can_be_is_doubted_and_a_rise_never() {
        let site = two_points(|point| point.fall_per_s_max = Some(3.0));
        let mut picture = Picture::new(&site, Uptime(0));
        for (ms, number, doubted) in [
            (1000, 50.0, false),
            (2000, 46.5, true),
            (3000, 44.5, false),
            (4000, 41.5, false),
            (5000, 38.4, true),
            (6000, 300.0, false),
        ] {
            let reading = hear(&mut picture, &site, 0, ms, number);
            let distrust = doubted.then_some(Distrust::TooFast);
            assert_eq!(reading.distrusted(), distrust, "{number} at {ms} ms");
        }
        // Two answers that arrive together say nothing about a pace.
        let together = (Uptime(6500), Uptime(6000));
        picture.absorb(&site, PointId(0), together, Ok(Value::new(20.0).unwrap()));
        assert!(picture.reading(PointId(0)).good().is_some());
    }

    /// Ten seconds without a bit of movement, while the sibling moves by more than two degrees.
    fn freezing() -> Site {
        two_points(|point| {
            let siblings = vec![PointId(1)];
            point.frozen = Some(crate::safety::site::Frozen { after: Millis(10_000), siblings, moved: 2.0 });
        })
    }

    /// Whether the point is taken for frozen after the seconds in which it and its sibling read so.
    fn frozen_after(seconds: impl IntoIterator<Item = (u64, f64, f64)>) -> bool {
        let site = freezing();
        let (mut picture, mut frozen) = (Picture::new(&site, Uptime(0)), false);
        for (second, point, sibling) in seconds {
            hear(&mut picture, &site, 1, second * 1000, sibling);
            let reading = hear(&mut picture, &site, 0, second * 1000, point);
            frozen = reading.distrusted() == Some(Distrust::Frozen);
        }
        frozen
    }

    #[test]
    fn a_value_is_frozen_when_it_stood_for_its_time_while_its_siblings_moved() {
        let one_move = |last| [(1, 25.0, 20.0), (5, 25.0, 30.0), (last, 25.0, 30.0)];
        assert!(!frozen_after(one_move(10)), "not for long enough");
        assert!(frozen_after(one_move(11)));
        let still = [(1, 25.0, 20.0), (5, 25.0, 20.0), (60, 25.0, 20.0)];
        assert!(!frozen_after(still), "nothing moves: that is a calm room");
        let a_little = [(1, 25.0, 20.0), (5, 25.0, 22.0), (60, 25.0, 18.0)];
        assert!(!frozen_after(a_little), "two degrees are not more than two");
        let falls = [(1, 25.0, 20.0), (5, 25.0, 17.9), (60, 25.0, 20.0)];
        assert!(frozen_after(falls), "it moved, though it came back");
    }

    #[test]
    fn what_siblings_did_before_the_value_moved_says_nothing() {
        let moved_before = [(1, 25.0, 20.0), (5, 25.0, 30.0), (6, 25.1, 30.0), (60, 25.1, 31.0)];
        assert!(!frozen_after(moved_before));
        assert!(frozen_after([(1, 25.0, 20.0), (6, 25.1, 30.0), (9, 25.1, 33.0), (60, 25.1, 33.0)]));
    }

    #[test]
    fn where_low_is_dangerous_the_higher_of_two_is_doubted_and_a_lost_twin_doubts_nothing() {
        let mut site = one_point();
        for name in ["b", "c", "d"] {
            site.points.push(Point { name: name.into(), ..site.points[0].clone() });
        }
        site.devices[0].points = 0..4;
        let with = vec![PointId(1), PointId(2), PointId(3)];
        let (by, after, dangerous) = (0.5, Millis(0), Side::Below);
        site.redundant.push(Redundant { point: PointId(0), with, by, after, dangerous });
        let doubted = |others: &[f64], number: f64| {
            let mut picture = Picture::new(&site, Uptime(0));
            for (point, other) in (1..).zip(others) {
                hear(&mut picture, &site, point, 1000, *other);
            }
            hear(&mut picture, &site, 0, 1000, number).distrusted() == Some(Distrust::Disagrees)
        };
        assert!(doubted(&[3.0, 3.0, 2.0], 3.6), "beside the middle of three, 3.0");
        assert!(!doubted(&[3.0, 3.0, 2.0], 3.5));
        assert!(!doubted(&[3.0, 3.0, 2.0], 1.0), "lower is the dangerous side");
        assert!(doubted(&[2.0, 2.5, 9.0], 3.1));
        assert!(doubted(&[2.0], 3.0), "two are not known");
        assert!(!doubted(&[], 99.0));
    }

    #[test]
    fn each_fault_says_whether_the_device_is_there_and_whether_asking_again_can_help() {
        use ReadFault::{
            Disconnected, Exception, Malformed, Mismatch, NotANumber, NotInService, Sentinel, Timeout,
        };
        for (fault, answer, disowned) in [
            (Timeout, false, false),
            (Disconnected, false, false),
            (Mismatch, false, false),
            (Malformed, false, false),
            (Sentinel, true, true),
            (NotANumber, true, true),
            (NotInService, true, true),
            (Exception(1), true, true),
            (Exception(3), true, true),
            (Exception(4), true, false),
            (Exception(6), true, false),
            (Exception(10), false, false),
            (Exception(11), false, false),
        ] {
            assert_eq!((fault.is_answer(), fault.is_disowned()), (answer, disowned), "{fault:?}");
            let site = one_point();
            let mut picture = Picture::new(&site, Uptime(0));
            picture.absorb(&site, PointId(0), (Uptime(900), Uptime(1000)), Err(fault));
            assert_eq!(picture.heard(DeviceId(0)), answer.then_some(Uptime(1000)), "{fault:?}");
        }
    }

    #[test]
    fn a_missed_poll_leaves_the_value_until_it_is_stale_and_a_disowned_value_is_lost_at_once() {
        let site = one_point();
        let sight_after = |fault: ReadFault, ms: u64| {
            let mut picture = Picture::new(&site, Uptime(0));
            hear(&mut picture, &site, 0, 1000, 25.0);
            picture.absorb(&site, PointId(0), (Uptime(2000), Uptime(2500)), Err(fault));
            picture.sight(&site, PointId(0), Uptime(ms))
        };
        assert_eq!(sight_after(ReadFault::Timeout, 4000), Sight::Missed);
        assert_eq!(sight_after(ReadFault::Timeout, 4001), Sight::Lost);
        assert_eq!(sight_after(ReadFault::Exception(6), 4000), Sight::Missed);
        assert_eq!(sight_after(ReadFault::Sentinel, 2500), Sight::Lost);
        let mut picture = Picture::new(&site, Uptime(500));
        assert_eq!(picture.born(), Uptime(500), "silence is counted from here");
        let seen = |picture: &Picture, ms| picture.sight(&site, PointId(0), Uptime(ms));
        assert_eq!((seen(&picture, 3500), seen(&picture, 3501)), (Sight::Missed, Sight::Lost), "never seen");
        hear(&mut picture, &site, 0, 4000, 25.0);
        let good = Sight::Seen(Value::new(25.0).unwrap(), Uptime(4000));
        assert_eq!((seen(&picture, 7000), seen(&picture, 7001)), (good, Sight::Lost), "too old");
    }

    #[test]
    fn a_point_is_said_to_be_stale_once_and_just_when_it_is() {
        let site = two_points(|point| point.stale_after = Millis(5000));
        let mut picture = Picture::new(&site, Uptime(0));
        hear(&mut picture, &site, 0, 1000, 25.0);
        hear(&mut picture, &site, 1, 1000, 25.0);
        let mut out = Vec::new();
        let mut stale = |ms| picture.sweep(&site, Uptime(ms), &mut out);
        let said = [1000, 4000, 4001, 4100, 6000, 6001, 9000].map(&mut stale);
        let (first, second) = (vec![PointId(1)], vec![PointId(0)]);
        assert_eq!(said, [vec![], vec![], first, vec![], vec![], second, vec![]]);
        assert_eq!(out.len(), 2);
        let last = Some((Value::new(25.0).unwrap(), Uptime(1000)));
        assert_eq!(picture.reading(PointId(0)), Reading::Bad { last, why: Loss::Stale });
    }

    #[test]
    fn r14_what_was_asked_for_before_a_gap_ended_does_not_count() {
        let site = with_heartbeat();
        let mut picture = Picture::new(&site, Uptime(0));
        hear(&mut picture, &site, 1, 1000, 7.0);
        hear(&mut picture, &site, 0, 1000, 25.0);
        assert!(picture.good(PointId(0)).is_some());
        picture.distrust_before(Uptime(2000));
        assert_eq!((picture.good(PointId(0)), picture.fresh_from()), (None, Uptime(2000)));
        assert_eq!(picture.last_good(PointId(0)).map(|good| good.asked), Some(Uptime(1000)));
        let mut answer = |point, asked, number| {
            let times = (Uptime(asked), Uptime(6500));
            picture.absorb(&site, PointId(point), times, Ok(Value::new(number).unwrap()));
            picture.good(PointId(point)).map(|good| good.value.get())
        };
        assert_eq!(answer(0, 1999, 90.0), None, "asked for before");
        assert_eq!(answer(0, 2000, 26.0), Some(26.0));
        // An old answer tells nothing of a heartbeat either: the counter stands still since 1 s, not yet known.
        assert_eq!(answer(1, 1999, 7.0), None);
        assert!(picture.reading(PointId(0)).good().is_some());
    }
}

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
}

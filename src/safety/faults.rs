//! Which devices deliver numbers that are not believed: those that somebody needs, after they have been so for
//! as long as a silence would take.

use crate::safety::reading::{Distrust, Reading};
use crate::safety::rules::RuleKind;
use crate::safety::site::{DeviceId, PointId, Site};
use crate::units::{Millis, Uptime};

/// Who is faulty, and who may be found so next.
#[derive(Clone, Debug)]
pub(super) struct Faults {
    /// Whether anybody goes by the point: a rule, or a stage of a sequence.
    needed: Vec<bool>,
    distrust: Vec<Option<Distrust>>,
    devices: Vec<Standing>,
    /// Devices to look at in this scan: something changed.
    touched: Vec<DeviceId>,
    /// No device can be found faulty before this.
    next: Uptime,
}

#[derive(Clone, Copy, Debug, Default)]
struct Standing {
    /// How many of its points are not believed, and since when any.
    count: u32,
    since: Option<Uptime>,
    said: bool,
}

/// What is to be said of a device.
pub(super) struct Found {
    pub(super) device: DeviceId,
    /// The first point that is not believed; `None` when all are.
    pub(super) fault: Option<(PointId, Distrust)>,
}

impl Faults {
    pub(super) fn new(site: &Site) -> Self {
        let mut needed = vec![false; site.points.len()];
        let judged = site.rules.iter().flat_map(|rule| match &rule.kind {
            // A silence tells of itself.
            RuleKind::Silence(_) => Vec::new(),
            kind => kind.points(),
        });
        let stages = site.sequences.iter().flat_map(|sequence| &sequence.stages);
        let checked =
            stages.flat_map(|stage| stage.permissives.iter().chain(&stage.verify)).map(|expect| expect.point);
        for point in judged.chain(checked) {
            needed[point.index()] = true;
        }
        Self {
            needed,
            distrust: vec![None; site.points.len()],
            devices: vec![Standing::default(); site.devices.len()],
            touched: Vec::new(),
            next: Uptime(u64::MAX),
        }
    }

    /// Takes in what is now known of a point. One that did not come says nothing: that is silence.
    pub(super) fn heard(&mut self, site: &Site, point: PointId, reading: &Reading, now: Uptime) {
        if !self.needed[point.index()] {
            return;
        }
        let was = &mut self.distrust[point.index()];
        let distrust = match reading {
            Reading::Good { .. } => None,
            Reading::NeverSeen | Reading::Uncertain { .. } | Reading::Bad { .. } => {
                reading.distrusted().or(*was)
            }
        };
        if *was == distrust {
            return;
        }
        let device = site[point].device;
        let standing = &mut self.devices[device.index()];
        match (was.is_some(), distrust.is_some()) {
            (false, true) => {
                standing.count += 1;
                let since = *standing.since.get_or_insert(now);
                self.next = self.next.min(since.plus(site[device].silent_after));
            }
            (true, false) => {
                standing.count -= 1;
                if standing.count == 0 {
                    standing.since = None;
                }
            }
            (true, true) | (false, false) => {}
        }
        *was = distrust;
        if standing.said && standing.count == 0 {
            self.touched.push(device);
        }
    }

    /// Whether there may be anything to say now.
    pub(super) fn is_due(&self, now: Uptime) -> bool {
        self.next <= now || !self.touched.is_empty()
    }

    /// What is to be said now.
    pub(super) fn take_due(&mut self, site: &Site, now: Uptime) -> Vec<Found> {
        let mut found: Vec<Found> = Vec::new();
        for device in std::mem::take(&mut self.touched) {
            let standing = &mut self.devices[device.index()];
            if standing.said && standing.count == 0 {
                standing.said = false;
                found.push(Found { device, fault: None });
            }
        }
        if now < self.next {
            return found;
        }
        self.next = Uptime(u64::MAX);
        for (index, standing) in self.devices.iter_mut().enumerate() {
            let (Some(since), false) = (standing.since, standing.said) else { continue };
            let device = DeviceId::at(index);
            let due = since.plus(Millis(site[device].silent_after.0));
            if now < due {
                self.next = self.next.min(due);
                continue;
            }
            let mut points = site[device].points.clone().map(PointId);
            let fault = points.find_map(|point| Some((point, self.distrust[point.index()]?)));
            standing.said = true;
            found.push(Found { device, fault });
        }
        found
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::safety::reading::{Loss, ReadFault};
    use crate::safety::risk::Level;
    use crate::safety::rules::deviation::{Against, Deviation, Sides};
    use crate::safety::rules::silence::Silence;
    use crate::safety::rules::{OnUnknown, Rule};
    use crate::safety::site::{Device, DeviceKind, Labels, Point, ZoneId};
    use crate::units::{Unit, Value};

    /// Two devices with two points each, silent after 3 s. A rule needs the first three; a silence watches the last.
    fn site() -> Site {
        let mut site = Site::default();
        for device in 0..2 {
            let points = device * 2..device * 2 + 2;
            site.devices.push(Device {
                name: format!("bms-{device}"),
                title: String::new(),
                zone: ZoneId(0),
                kind: DeviceKind::Battery,
                points: points.clone(),
                silent_after: Millis(3000),
                switches: false,
            });
            site.points.extend(points.map(|point| Point {
                name: format!("cell-{point}"),
                device: DeviceId(device),
                unit: Unit::Celsius,
                period: Millis(1000),
                stale_after: Millis(3000),
                range: None,
                fall_per_s_max: None,
                frozen: None,
                labels: Labels::None,
            }));
        }
        let rule = |kind| Rule {
            name: "rule".into(),
            zone: ZoneId(0),
            principle: "temperature".into(),
            on_unknown: OnUnknown::Hold,
            kind,
        };
        site.rules.push(rule(RuleKind::Deviation(Deviation {
            points: (0..3).map(PointId).collect(),
            against: Against::Median,
            side: Sides::Above,
            members_min: 2,
            deadband: 0.0,
            steps: [None; 3],
            rising: None,
        })));
        site.rules.push(rule(RuleKind::Silence(Silence {
            points: vec![PointId(3)],
            after: Millis(3000),
            level: Level::Watch,
            level_if_abnormal: Level::Warning,
        })));
        site
    }

    const FROZEN: Reading = Reading::Bad { last: None, why: Loss::Frozen };
    const OUT: Reading = Reading::Bad { last: None, why: Loss::OutOfRange };
    const SILENT: Reading = Reading::Bad { last: None, why: Loss::Fault(ReadFault::Timeout) };

    fn good() -> Reading {
        Reading::Good { value: Value::new(25.0).unwrap(), taken: Uptime(0) }
    }

    struct Bench(Site, Faults);

    impl Bench {
        fn new() -> Self {
            let site = site();
            let faults = Faults::new(&site);
            Self(site, faults)
        }

        fn hear(&mut self, ms: u64, point: u32, reading: Reading) {
            self.1.heard(&self.0, PointId(point), &reading, Uptime(ms));
        }

        /// Device and point of what is said now; no point where all is believed again.
        fn due(&mut self, ms: u64) -> Vec<(u32, Option<(u32, Distrust)>)> {
            let found = self.1.take_due(&self.0, Uptime(ms));
            found.into_iter().map(|it| (it.device.0, it.fault.map(|(point, why)| (point.0, why)))).collect()
        }
    }

    #[test]
    fn a_device_is_faulty_after_as_long_as_a_silence_and_until_all_is_believed_again() {
        let mut bench = Bench::new();
        bench.hear(1000, 1, FROZEN);
        assert_eq!(bench.due(1000), []);
        bench.hear(2500, 0, OUT);
        assert_eq!(bench.due(3999), []);
        assert_eq!(bench.due(4000), [(0, Some((0, Distrust::OutOfRange)))], "the first of its points");
        assert_eq!(bench.due(60_000), [], "said once");
        bench.hear(61_000, 1, good());
        assert_eq!(bench.due(61_000), [], "one is still not believed");
        bench.hear(62_000, 0, good());
        assert_eq!(bench.due(62_000), [(0, None)]);
        assert_eq!(bench.due(90_000), []);
        bench.hear(91_000, 0, FROZEN);
        assert_eq!(bench.due(93_999), [], "its time begins anew");
        assert_eq!(bench.due(94_000), [(0, Some((0, Distrust::Frozen)))]);
    }

    #[test]
    fn devices_are_found_each_in_its_time() {
        let mut bench = Bench::new();
        bench.hear(1000, 0, FROZEN);
        bench.hear(2000, 2, OUT);
        assert_eq!(bench.due(4000), [(0, Some((0, Distrust::Frozen)))]);
        assert_eq!(bench.due(4999), []);
        assert_eq!(bench.due(5000), [(1, Some((2, Distrust::OutOfRange)))]);
    }

    #[test]
    fn its_time_runs_while_any_of_its_points_is_not_believed_and_begins_anew_after_that() {
        let mut bench = Bench::new();
        bench.hear(1000, 0, OUT);
        bench.hear(2000, 0, good());
        assert_eq!(bench.due(9000), []);
        bench.hear(10_000, 0, OUT);
        assert_eq!(bench.due(12_999), []);
        bench.hear(12_999, 1, FROZEN);
        bench.hear(12_999, 0, good());
        assert_eq!(bench.due(13_500), [(0, Some((1, Distrust::Frozen)))], "one of them since 10 s");
    }

    #[test]
    fn what_nobody_goes_by_is_no_fault() {
        let mut bench = Bench::new();
        bench.hear(1000, 3, OUT);
        assert_eq!(bench.due(60_000), []);
    }

    #[test]
    fn what_does_not_come_changes_nothing_about_what_is_believed() {
        let mut bench = Bench::new();
        bench.hear(1000, 0, SILENT);
        assert_eq!(bench.due(60_000), [], "a silence is not a fault");
        bench.hear(61_000, 0, OUT);
        bench.hear(62_000, 0, SILENT);
        assert_eq!(bench.due(64_000), [(0, Some((0, Distrust::OutOfRange)))], "it was not believed before");
    }

    #[test]
    fn what_heals_and_fails_again_at_once_is_not_said_to_be_well() {
        let mut bench = Bench::new();
        bench.hear(1000, 0, OUT);
        assert_eq!(bench.due(4000).len(), 1);
        bench.hear(5000, 0, good());
        bench.hear(5000, 0, FROZEN);
        assert_eq!(bench.due(5000), []);
        bench.hear(6000, 0, good());
        assert_eq!(bench.due(6000), [(0, None)]);
    }
}

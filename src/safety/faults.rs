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

//! A workbench for the tests of rules: some points, what they read when, and a look at them.

use crate::safety::quality::Picture;
use crate::safety::reading::ReadFault;
use crate::safety::rules::View;
use crate::safety::site::{Device, DeviceId, DeviceKind, Labels, Point, PointId, Site, ZoneId};
use crate::units::{Millis, Unit, Uptime, Value};

/// Points of one device, stale after 3 s.
pub(crate) struct Bench {
    site: Site,
    picture: Picture,
    now: Uptime,
}

impl Bench {
    pub(crate) fn with_points(count: u32) -> Self {
        let mut site = Site::default();
        site.devices.push(Device {
            name: "bms-1".into(),
            title: String::new(),
            zone: ZoneId(0),
            kind: DeviceKind::Battery,
            points: 0..count,
            silent_after: Millis(3000),
            switches: false,
        });
        let point = |index| Point {
            name: format!("cell-{index}"),
            device: DeviceId(0),
            unit: Unit::Celsius,
            period: Millis(1000),
            stale_after: Millis(3000),
            range: None,
            fall_per_s_max: None,
            frozen: None,
            labels: Labels::None,
        };
        site.points.extend((0..count).map(point));
        let picture = Picture::new(&site, Uptime(0));
        Self { site, picture, now: Uptime(0) }
    }

    /// At this second, the points read so; `None` does not answer.
    pub(crate) fn read(&mut self, second: u64, values: &[Option<f64>]) {
        self.now = Uptime(second * 1000);
        for (index, value) in values.iter().enumerate() {
            let result = value.and_then(Value::new).ok_or(ReadFault::Timeout);
            self.picture.absorb(&self.site, PointId::at(index), (self.now, self.now), result);
        }
    }

    /// The picture now.
    pub(crate) const fn view(&self) -> View<'_> {
        View { site: &self.site, picture: &self.picture, now: self.now }
    }
}

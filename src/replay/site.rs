//! A recording's names against a configuration's, and a site as it would be if it were polled otherwise.

use crate::replay::recording::Names;
use crate::safety::rules::RuleKind;
use crate::safety::site::{AlarmId, PointId, SequenceId, Site};
use crate::units::Millis;
use crate::wire::text;

/// Polls that may be missed before a point is stale, and the least time for that (R4).
const STALE_POLLS: u64 = 3;
const STALE_MIN: Millis = Millis::from_secs(3);

/// What each number of a recording is in a site.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Matched {
    /// Points; `None` for one that the site does not have, or has in another unit.
    pub points: Vec<Option<PointId>>,
    /// Alarms.
    pub alarms: Vec<Option<AlarmId>>,
    /// Sequences.
    pub sequences: Vec<Option<SequenceId>>,
    /// Recorded points that the site does not have.
    pub unknown: Vec<String>,
    /// Recorded points whose unit is another one in the site: name, recorded, configured.
    pub other_unit: Vec<(String, String, String)>,
}

/// Finds everything of a recording in a site, by name.
#[must_use]
pub fn matched(names: &Names, site: &Site) -> Matched {
    let keys: std::collections::BTreeMap<String, PointId> =
        (0..site.points.len()).map(PointId::at).map(|point| (text::point_key(site, point), point)).collect();
    let mut found = Matched::default();
    for (name, unit) in &names.points {
        let point = keys.get(name).copied();
        let same = point.filter(|point| site[*point].unit.name() == unit);
        found.points.push(same);
        match (point, same) {
            (Some(point), None) => {
                let configured = site[point].unit.name().to_owned();
                found.other_unit.push((name.clone(), unit.clone(), configured));
            }
            (None, _) => found.unknown.push(name.clone()),
            (Some(_), Some(_)) => {}
        }
    }
    let alarm = |name: &String| site.alarms.iter().position(|alarm| alarm.name == *name).map(AlarmId::at);
    let sequence =
        |name: &String| site.sequences.iter().position(|known| known.name == *name).map(SequenceId::at);
    found.alarms = names.alarms.iter().map(alarm).collect();
    found.sequences = names.sequences.iter().map(sequence).collect();
    found
}

impl Matched {
    /// Whether a recording feeds each point of a site.
    #[must_use]
    pub fn fed(&self, site: &Site) -> Vec<bool> {
        let mut fed = vec![false; site.points.len()];
        for point in self.points.iter().flatten() {
            fed[point.index()] = true;
        }
        fed
    }
}

/// The site as it would be if every point were polled so often: what is stale, when a device is silent, and how long
/// a rule of silence waits at least follow. Limits, delays and windows stay as they are written.
#[must_use]
pub fn at_poll(site: &Site, poll: Millis) -> Site {
    let stale_after = poll.times(STALE_POLLS).max(STALE_MIN);
    let mut changed = site.clone();
    for point in &mut changed.points {
        point.period = poll;
        point.stale_after = stale_after;
    }
    for device in &mut changed.devices {
        device.silent_after = stale_after;
    }
    for rule in &mut changed.rules {
        if let RuleKind::Silence(silence) = &mut rule.kind {
            silence.after = silence.after.max(stale_after);
        }
    }
    changed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::testsite;

    #[test]
    fn another_poll_moves_what_follows_from_it_and_no_limit() {
        let site = testsite::site();
        let slow = at_poll(&site, Millis::from_secs(10));
        assert!(slow.points.iter().all(|point| point.stale_after == Millis::from_secs(30)));
        assert!(slow.devices.iter().all(|device| device.silent_after == Millis::from_secs(30)));
        let kinds =
            |site: &Site| format!("{:?}", site.rules.iter().map(|rule| &rule.kind).collect::<Vec<_>>());
        assert_eq!(kinds(&slow), kinds(&site));
        let fast = at_poll(&site, Millis(100));
        assert!(fast.points.iter().all(|point| point.stale_after == Millis::from_secs(3)), "never below 3 s");
    }
}

//! What makes a number doubtful though it is read: `[[device.frozen]]`, `heartbeat` and `[[device.redundant]]`.

use crate::config::complaint::{Desk, Place};
use crate::config::explain::Code;
use crate::config::node::At;
use crate::config::plant::Plant;
use crate::config::table::Table;
use crate::config::value;
use crate::safety::quality::SIBLINGS_MAX;
use crate::safety::rules::limit::Side;
use crate::safety::site::{Frozen, Heartbeat, Labels, PointId, Redundant};

/// Polls before identical values mean anything.
const FROZEN_POLLS_MIN: u64 = 30;
/// Polls in which a heartbeat must have counted.
const BEATS_POLLS_MIN: u64 = 3;
/// How long a value may stand still or apart.
const AFTER_MS: std::ops::RangeInclusive<u64> = 1_000..=86_400_000;

pub(super) fn frozen(desk: &mut Desk, plant: &mut Plant, device: usize, mut table: Table) {
    let home = plant.device_names[device].clone();
    let local = |name: At<String>| At { value: format!("{home}/{}", name.value), at: name.at };
    let point = table.need(desk, "point", value::text);
    let point = point.and_then(|name| Some((name.at, plant.point(desk, &local(name))?)));
    let after = table.need(desk, "after", value::duration(1_000..=86_400_000));
    let siblings = table.need(desk, "siblings", value::filled_list(value::text));
    let siblings: Option<Vec<(Place, PointId)>> = siblings.and_then(|names| {
        names.value.into_iter().map(|name| Some((name.at, plant.point(desk, &local(name))?))).collect()
    });
    let unit = siblings.as_ref().and_then(|list| list.first()).map(|(_, id)| plant.site[*id].unit);
    let moved = table.need(desk, "moved", |desk, key, node| value::quantity(unit?)(desk, key, node));
    table.finish(desk);
    let (Some((at, point)), Some(after), Some(siblings), Some(moved)) = (point, after, siblings, moved)
    else {
        return;
    };
    if let Some((at, _)) = siblings.iter().find(|(_, sibling)| *sibling == point) {
        desk.say(Code::FrozenSibling, *at, "a point cannot be its own sibling")
            .help("name points that move with it");
    }
    if let Some((at, _)) = siblings.iter().find(|(_, sibling)| Some(plant.site[*sibling].unit) != unit) {
        desk.say(Code::FrozenSibling, *at, "siblings must have one unit")
            .help("`moved` is one quantity: name points of one unit");
    }
    if moved.value <= 0.0 {
        desk.say(Code::OutOfRange, moved.at, "`moved` must be more than nothing")
            .help("write the least movement that is real");
    }
    if after.value < plant.site[point].period.times(FROZEN_POLLS_MIN) {
        desk.say(Code::FrozenSibling, after.at, format!("`after` is less than {FROZEN_POLLS_MIN} polls"))
            .help("write a longer time, or poll this point more often");
    }
    let slot = &mut plant.site.points[point.index()].frozen;
    if slot.is_some() {
        desk.say(Code::FrozenSibling, at, "there is already a frozen rule for this point").help("keep one");
    }
    let siblings = siblings.into_iter().map(|(_, sibling)| sibling).collect();
    *slot = Some(Frozen { after: after.value, siblings, moved: moved.value });
}

pub(super) fn heartbeat(desk: &mut Desk, plant: &mut Plant, device: usize, mut table: Table) {
    let home = plant.device_names[device].clone();
    let point = table.need(desk, "point", value::text);
    let point = point.and_then(|name| {
        let full = At { value: format!("{home}/{}", name.value), at: name.at };
        Some((name.at, plant.point(desk, &full)?))
    });
    let after = table.need(desk, "after", value::duration(AFTER_MS));
    table.finish(desk);
    let (Some((at, point)), Some(after)) = (point, after) else { return };
    let least = plant.site[point].period.times(BEATS_POLLS_MIN);
    if after.value < least {
        desk.say(Code::Doubt, after.at, format!("`after` is less than {BEATS_POLLS_MIN} polls"))
            .label(format!("the counter is read every {}", plant.site[point].period))
            .help(format!("write \"{least}\" or more, and more than the counter takes to count"));
    }
    if plant.site[point].labels != Labels::None {
        desk.say(Code::Doubt, at, "a heartbeat counts, this point has names for its numbers")
            .help("name the counter of the device");
    }
    plant.site.heartbeats.push(Heartbeat { point, after: after.value });
}

pub(super) fn redundant(desk: &mut Desk, plant: &mut Plant, device: usize, mut table: Table) {
    let home = plant.device_names[device].clone();
    let point = table.need(desk, "point", value::text);
    let point = point.and_then(|name| {
        let full = At { value: format!("{home}/{}", name.value), at: name.at };
        Some((name.at, plant.point(desk, &full)?))
    });
    let with = table.need(desk, "with", value::filled_list(value::text));
    let with: Option<Vec<(Place, PointId)>> = with.and_then(|names| {
        names.value.into_iter().map(|name| Some((name.at, plant.point(desk, &name)?))).collect()
    });
    let unit = point.map(|(_, id)| plant.site[id].unit);
    let by = table.need(desk, "by", |desk, key, node| value::quantity(unit?)(desk, key, node));
    let after = table.need(desk, "after", value::duration(AFTER_MS));
    let sides = &[("above", Side::Above), ("below", Side::Below)];
    let dangerous = table.need(desk, "dangerous", value::word(sides));
    table.finish(desk);
    let (Some((at, point)), Some(with), Some(by), Some(after), Some(dangerous)) =
        (point, with, by, after, dangerous)
    else {
        return;
    };
    for (at, other) in &with {
        if *other == point {
            desk.say(Code::Doubt, *at, "a point is redundant with itself").help("name the other sensors");
        }
        if Some(plant.site[*other].unit) != unit {
            desk.say(Code::Doubt, *at, format!("this point is in {}", plant.site[*other].unit.name()))
                .help("what measures the same thing has the same unit");
        }
    }
    if SIBLINGS_MAX < with.len() {
        desk.say(Code::Doubt, at, format!("{} siblings are too many", with.len()))
            .help(format!("name at most {SIBLINGS_MAX}"));
    }
    if by.value <= 0.0 {
        desk.say(Code::OutOfRange, by.at, "`by` must be more than nothing")
            .help("write how far apart two healthy sensors can be");
    }
    if plant.site.redundant.iter().any(|known| known.point == point) {
        desk.say(Code::Doubt, at, "this point is doubted twice").help("name all its siblings in one `with`");
    }
    let with = with.into_iter().map(|(_, other)| other).collect();
    plant.site.redundant.push(Redundant { point, with, by: by.value, after: after.value, dangerous });
}

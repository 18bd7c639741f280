//! Rules over several points: `deviation`, and `step` with its load.

use crate::config::complaint::{Desk, Place};
use crate::config::explain::Code;
use crate::config::node::At;
use crate::config::plant::{Plant, as_table};
use crate::config::table::Table;
use crate::config::value;
use crate::safety::rules::deviation::{Against, Deviation, MEMBERS_MAX, Sides};
use crate::safety::rules::limit::Side;
use crate::safety::rules::rate::WINDOW_SAMPLES_MAX;
use crate::safety::rules::step::{Gate, GateOnUnknown, StepChange};
use crate::safety::site::{Labels, PointId};
use crate::units::Unit;

use super::single::{self, SLOPE_SAMPLES_MIN, WINDOW_MS};
use super::steps::{self, Frame};

const SIDES: &[(&str, Sides)] =
    &[("above", Sides::Above), ("below", Sides::Below), ("either", Sides::Either)];
const WAYS: &[(&str, Sides)] =
    &[("rising", Sides::Above), ("falling", Sides::Below), ("either", Sides::Either)];
const ON_UNKNOWN: &[(&str, GateOnUnknown)] =
    &[("judge", GateOnUnknown::Judge), ("ignore", GateOnUnknown::Ignore)];

/// How far back what is usual may reach: slow runaways take hours.
const PAST_MS: std::ops::RangeInclusive<u64> = 1_000..=24 * 3_600_000;

/// A group of fewer has no middle and no spread.
const GROUP_MIN: usize = 2;

pub(super) fn deviation(desk: &mut Desk, mut table: Table, plant: &Plant) -> Option<Deviation> {
    let members = members(desk, &mut table, plant);
    let against = table.need(desk, "against", value::text);
    let side = table.need(desk, "side", value::word(SIDES));
    let members_min = table.need(desk, "members_min", value::whole(1..=1024));
    let rising = table.has("danger_while_rising");
    let rising_over = table.may(desk, "danger_while_rising", value::duration(WINDOW_MS));
    let Some((at, points)) = members else {
        single::skip_steps(&mut table);
        table.finish(desk);
        return None;
    };
    let unit = plant.site[points[0]].unit;
    let against = against.and_then(|against| reference(desk, plant, &against, at, &points));
    let frame = Frame { read: value::quantity(unit), side: Side::Above, range: Some((0.0, f64::INFINITY)) };
    let steps = steps::read(desk, &mut table, &frame);
    table.finish(desk);
    let (against, side, members_min) = (against?, side?, members_min?);
    if rising && rising_over.is_none() {
        return None;
    }
    let needed = usize::try_from(members_min.value).ok()?;
    let least = if matches!(against, Against::Point(_)) { 1 } else { GROUP_MIN };
    if needed < least || points.len() < needed {
        desk.say(Code::Members, members_min.at, format!("members_min = {needed} does not fit"))
            .label(format!("from {least} to {}", points.len()))
            .also(at, "the members")
            .help("a group needs two known members at least, and cannot need more than it has");
    }
    let (deadband, steps) = steps?;
    let rising = rising_over.map(|span| span.value);
    Some(Deviation { points, against, side, members_min: needed, deadband, steps, rising })
}

pub(super) fn step(desk: &mut Desk, mut table: Table, plant: &Plant) -> Option<StepChange> {
    let point = single::quantity_point(desk, &mut table, plant, "step");
    let side = table.need(desk, "side", value::word(WAYS));
    let window = table.need(desk, "window", value::duration(PAST_MS));
    let most = i64::try_from(WINDOW_SAMPLES_MAX).unwrap_or(i64::MAX);
    let samples = table.need(desk, "samples_min", value::whole(SLOPE_SAMPLES_MIN..=most));
    let relative = table.may(desk, "relative", value::flag).unwrap_or(false);
    let gated = table.has("gate");
    let gate = table.may(desk, "gate", as_table).and_then(|body| gate(desk, body, plant));
    let Some(point) = point else {
        single::skip_steps(&mut table);
        table.finish(desk);
        return None;
    };
    let unit = if relative { Unit::Percent } else { plant.site[point].unit };
    let frame = Frame { read: value::quantity(unit), side: Side::Above, range: Some((0.0, f64::INFINITY)) };
    let steps = steps::read(desk, &mut table, &frame);
    table.finish(desk);
    let (side, window, samples) = (side?, window?, samples?);
    if gated && gate.is_none() {
        return None;
    }
    let samples_min = usize::try_from(samples.value).ok()?;
    single::check_window(desk, plant.site[point].period, &window, samples.value);
    let (deadband, steps) = steps?;
    Some(StepChange { point, side, window: window.value, samples_min, relative, deadband, steps, gate })
}

fn gate(desk: &mut Desk, mut body: Table, plant: &Plant) -> Option<Gate> {
    let point = body.need(desk, "point", value::text).and_then(|name| plant.point(desk, &name));
    let unit = point.map(|point| plant.site[point].unit);
    let change = body.need(desk, "change", |desk, key, node| value::quantity(unit?)(desk, key, node));
    let on_unknown = body.need(desk, "on_unknown", value::word(ON_UNKNOWN));
    body.finish(desk);
    let (point, change, on_unknown) = (point?, change?, on_unknown?);
    if change.value <= 0.0 {
        desk.say(Code::OutOfRange, change.at, "`change` must be more than nothing")
            .help("write the least change of load that moves the voltage");
    }
    Some(Gate { point, change: change.value, on_unknown })
}

/// The members, each written as a point, or all of a repeating part at once with `{n}`.
fn members(desk: &mut Desk, table: &mut Table, plant: &Plant) -> Option<(Place, Vec<PointId>)> {
    let names = table.need(desk, "points", value::filled_list(value::text))?;
    let mut points: Vec<PointId> = Vec::new();
    let mut whole = true;
    for name in &names.value {
        let Some(found) = plant.points(desk, name) else {
            whole = false;
            continue;
        };
        for point in found {
            if points.contains(&point) {
                desk.say(Code::ChannelTwice, name.at, "a point is named twice").help("name each point once");
            }
            whole &= fits(desk, plant, name, point, points.first().copied().unwrap_or(point));
            points.push(point);
        }
    }
    if MEMBERS_MAX < points.len() {
        desk.say(Code::OutOfRange, names.at, format!("{} points are too many", points.len()))
            .help(format!("name at most {MEMBERS_MAX}, or make several rules"));
    }
    (whole && !points.is_empty()).then_some((names.at, points))
}

/// Whether a member is a quantity in the unit of the first.
fn fits(desk: &mut Desk, plant: &Plant, name: &At<String>, point: PointId, first: PointId) -> bool {
    single::check_period(desk, plant, name, point);
    let (spec, unit) = (&plant.site[point], plant.site[first].unit);
    if spec.labels != Labels::None {
        desk.say(Code::KindMismatch, name.at, "a deviation judges quantities")
            .label("the numbers of this point have names")
            .help("use a `state` rule");
        return false;
    }
    if spec.unit != unit {
        desk.say(Code::Members, name.at, format!("this point is in {}", spec.unit.name()))
            .label(format!("the first is in {}", unit.name()))
            .help("what is compared must be in one unit");
        return false;
    }
    true
}

fn reference(
    desk: &mut Desk,
    plant: &Plant,
    against: &At<String>,
    members_at: Place,
    members: &[PointId],
) -> Option<Against> {
    let group = match against.value.as_str() {
        "median" => Against::Median,
        "spread" => Against::Spread,
        _ => {
            let point = plant.point(desk, against)?;
            let name = At { value: against.value.clone(), at: against.at };
            if !fits(desk, plant, &name, point, members[0]) {
                return None;
            }
            if members.contains(&point) {
                desk.say(Code::Members, against.at, "a member is its own reference")
                    .also(members_at, "the members")
                    .help("name another point, or \"median\"");
            }
            return Some(Against::Point(point));
        }
    };
    if members.len() < GROUP_MIN {
        desk.say(Code::Members, members_at, "one point alone has no median and no spread")
            .help("name more points, or write against = \"device/point\"");
    }
    Some(group)
}

//! Rules over points: `limit`, `rate`, `state`, `silence`.

use crate::config::complaint::{Desk, Place};
use crate::config::explain::Code;
use crate::config::names;
use crate::config::node::{At, Node};
use crate::config::plant::Plant;
use crate::config::table::Table;
use crate::config::value;
use crate::safety::rules::limit::{Limit, Side};
use crate::safety::rules::rate::{Rate, WINDOW_SAMPLES_MAX};
use crate::safety::rules::silence::Silence;
use crate::safety::rules::state::{Case, State, When};
use crate::safety::site::{Labels, PointId};
use crate::units::{Millis, Unit};

use super::steps::{self, Frame};
use super::{DELAY_MS, LEVELS};

/// The fewest samples that make a slope.
pub(super) const SLOPE_SAMPLES_MIN: i64 = 3;
/// How long a window or a silence may be.
pub(super) const WINDOW_MS: std::ops::RangeInclusive<u64> = 1_000..=3_600_000;
/// Slower than this and judging comes too late: the legal ceiling in Korea since 2022.
const PERIOD_WARN: Millis = Millis(10_000);

pub(super) fn limit(desk: &mut Desk, mut table: Table, plant: &Plant) -> Option<Limit> {
    let point = quantity_point(desk, &mut table, plant, "limit");
    let side = table.need(desk, "side", value::word(&[("above", Side::Above), ("below", Side::Below)]));
    let site = &plant.site;
    let unit = point.map_or(Unit::None, |id| site[id].unit);
    let range = point.and_then(|id| site[id].range);
    if point.is_none() || side.is_none() {
        skip_steps(&mut table);
        table.finish(desk);
        return None;
    }
    let side = side?;
    let projected = table.has("projection");
    let projection = table.may(desk, "projection", value::rate(unit));
    let frame = Frame { read: value::quantity(unit), side, range };
    let steps = steps::read(desk, &mut table, &frame);
    table.finish(desk);
    let point = point?;
    if let Some(rate) = projection.as_ref().filter(|rate| rate.value <= 0.0) {
        desk.say(Code::OutOfRange, rate.at, "`projection` must be more than nothing")
            .help("write how fast the value may move toward danger while it is not known");
    }
    if projected && projection.is_none() {
        return None;
    }
    let (deadband, steps) = steps?;
    let projection = projection.map(|rate| rate.value);
    Some(Limit { point, side, deadband, steps, projection })
}

pub(super) fn rate(desk: &mut Desk, mut table: Table, plant: &Plant) -> Option<Rate> {
    let point = quantity_point(desk, &mut table, plant, "rate");
    let side = table.need(desk, "side", value::word(&[("rising", Side::Above), ("falling", Side::Below)]));
    let window = table.need(desk, "window", value::duration(WINDOW_MS));
    let most = i64::try_from(WINDOW_SAMPLES_MAX).unwrap_or(i64::MAX);
    let samples = table.need(desk, "samples_min", value::whole(SLOPE_SAMPLES_MIN..=most));
    let site = &plant.site;
    let unit = point.map_or(Unit::None, |id| site[id].unit);
    if point.is_none() || side.is_none() {
        table.take("floor");
        skip_steps(&mut table);
        table.finish(desk);
        return None;
    }
    let side = side?;
    let floor = table.may(desk, "floor", value::quantity(unit));
    // Limits of falling points are written without a sign: how fast it falls. A slope of nothing is calm.
    let frame = Frame { read: value::rate(unit), side: Side::Above, range: Some((0.0, f64::INFINITY)) };
    let steps = steps::read(desk, &mut table, &frame);
    table.finish(desk);
    let point = point?;
    let (window, samples) = (window?, samples?);
    let samples_min = usize::try_from(samples.value).ok()?;
    check_window(desk, site[point].period, &window, samples.value);
    let (deadband, steps) = steps?;
    Some(Rate {
        point,
        side,
        window: window.value,
        samples_min,
        floor: floor.map(|floor| floor.value),
        deadband,
        steps,
    })
}

pub(super) fn state(desk: &mut Desk, mut table: Table, plant: &Plant) -> Option<State> {
    let point = state_point(desk, &mut table, plant);
    let on_delay = table.need(desk, "on_delay", value::duration(DELAY_MS));
    let off_delay = table.need(desk, "off_delay", value::duration(DELAY_MS));
    let labels = point.map(|id| &plant.site[id].labels);
    let cases = table.need(
        desk,
        "cases",
        value::filled_list(|desk, key, node| {
            let body = crate::config::plant::as_table(desk, key, node)?;
            case(desk, body, labels)
        }),
    );
    table.finish(desk);
    Some(State { point: point?, cases: cases?.value, on_delay: on_delay?.value, off_delay: off_delay?.value })
}

fn case(desk: &mut Desk, mut body: Table, labels: Option<&Labels>) -> Option<Case> {
    let level = body.need(desk, "level", value::word(LEVELS));
    let given: Vec<&str> = ["is", "is_not", "any_bit"].into_iter().filter(|key| body.has(key)).collect();
    let is = body.take("is").map(|node| ("is", node));
    let is_not = body.take("is_not").map(|node| ("is_not", node));
    let any_bit = body.take("any_bit").map(|node| ("any_bit", node));
    let at = body.at;
    body.finish(desk);
    if given.len() != 1 {
        desk.say(Code::KindCount, at, "a case has exactly one of is, is_not, any_bit")
            .help("write one case for each meaning");
        return None;
    }
    let labels = labels?;
    let when = match is.or(is_not).or(any_bit)? {
        ("is", node) => When::Is(number(desk, "is", node, labels)?),
        ("is_not", node) => When::IsNot(number(desk, "is_not", node, labels)?),
        (key, node) => {
            let bits = value::filled_list(|desk, key, node| bit(desk, key, node, labels))(desk, key, node)?;
            When::AnyBit(bits.value.into_iter().fold(0, |mask, bit| mask | 1 << bit))
        }
    };
    Some(Case { when, level: level? })
}

/// A whole number, written as such or by its name.
pub(in crate::config) fn number(desk: &mut Desk, key: &str, node: At<Node>, labels: &Labels) -> Option<u32> {
    if let Labels::Bits(_) = labels {
        desk.say(Code::Expectation, node.at, format!("`{key}` does not fit a point of bits"))
            .help("name bits: any_bit = [\"…\"] in a rule, bit_set or bit_clear in a sequence");
        return None;
    }
    if let (Node::Text(name), Labels::Enum(names)) = (&node.value, labels) {
        if let Some((number, _)) = names.iter().find(|(_, known)| known == name) {
            return Some(*number);
        }
        let name = At { value: name.clone(), at: node.at };
        names::unknown(desk, "state", &name, names.iter().map(|(_, known)| known.as_str()));
        return None;
    }
    let number = value::whole(0..=i64::from(u32::MAX))(desk, key, node)?;
    u32::try_from(number.value).ok()
}

/// A bit, written by its number or its name.
pub(in crate::config) fn bit(desk: &mut Desk, key: &str, node: At<Node>, labels: &Labels) -> Option<u8> {
    if let Labels::Enum(_) = labels {
        desk.say(Code::Expectation, node.at, format!("`{key}` does not fit a point of states"))
            .help("use `is`");
        return None;
    }
    if let (Node::Text(name), Labels::Bits(names)) = (&node.value, labels) {
        if let Some((bit, _)) = names.iter().find(|(_, known)| known == name) {
            return Some(*bit);
        }
        let name = At { value: name.clone(), at: node.at };
        names::unknown(desk, "bit", &name, names.iter().map(|(_, known)| known.as_str()));
        return None;
    }
    let bit = value::whole(0..=31)(desk, key, node)?;
    u8::try_from(bit.value).ok()
}

pub(super) fn silence(desk: &mut Desk, mut table: Table, plant: &Plant) -> Option<Silence> {
    let points = table.need(
        desk,
        "points",
        value::filled_list(|desk, key, node| {
            let name = value::text(desk, key, node)?;
            Some((name.at, plant.point(desk, &name)))
        }),
    );
    let after = table.need(desk, "after", value::duration(WINDOW_MS));
    let level = table.need(desk, "level", value::word(LEVELS));
    let key = "level_if_abnormal";
    let at = table.at;
    let level_if_abnormal = table.need(desk, key, value::word(LEVELS));
    table.finish(desk);
    let points: Vec<(Place, PointId)> =
        points?.value.into_iter().map(|(at, point)| Some((at, point?))).collect::<Option<_>>()?;
    let (after, level, level_if_abnormal) = (after?, level?, level_if_abnormal?);
    for (index, (at, point)) in points.iter().enumerate() {
        if points[..index].iter().any(|(_, before)| before == point) {
            desk.say(Code::ChannelTwice, *at, "this point is named twice").help("name it once");
        }
    }
    let stale = points.iter().map(|(_, point)| plant.site[*point].stale_after).max()?;
    if after.value < stale {
        desk.say(Code::SilenceTooShort, after.at, "silence is called before three polls are missed")
            .label(format!("a value is stale after {stale}"))
            .help(format!("write \"{stale}\" or more"));
    }
    if level_if_abnormal < level {
        desk.say(Code::LevelOrder, at, "silence counts less in an abnormal zone")
            .label("level_if_abnormal is calmer than level")
            .help("write the same level or a worse one");
    }
    let points = points.into_iter().map(|(_, point)| point).collect();
    Some(Silence { points, after: after.value, level, level_if_abnormal })
}

fn read_point(desk: &mut Desk, table: &mut Table, plant: &Plant) -> Option<(Place, PointId)> {
    let name = table.need(desk, "point", value::text)?;
    let point = plant.point(desk, &name)?;
    check_period(desk, plant, &name, point);
    Some((name.at, point))
}

/// Warns of a point that is read too rarely to be judged in time.
pub(super) fn check_period(desk: &mut Desk, plant: &Plant, name: &At<String>, point: PointId) {
    let period = plant.site[point].period;
    if PERIOD_WARN < period {
        desk.say(Code::SlowPoll, name.at, format!("`{}` is read only every {period}", name.value))
            .label("judged by this rule")
            .help("poll its scan class at least every 10 s");
    }
}

/// Complains where the samples that are needed do not fit into a window.
pub(super) fn check_window(desk: &mut Desk, period: Millis, window: &At<Millis>, samples: i64) {
    let needed = period.times(u64::try_from(samples - 1).unwrap_or(0));
    if window.value < needed {
        desk.say(Code::Window, window.at, format!("{samples} samples do not fit into the window"))
            .label(format!("the point is read every {period}"))
            .help(format!("write at least \"{needed}\", or fewer samples_min"));
    }
}

/// The keys are known, but without the point their unit is not: they are not read.
pub(super) fn skip_steps(table: &mut Table) {
    for key in ["deadband", "watch", "warning", "danger", "projection"] {
        table.take(key);
    }
}

pub(super) fn quantity_point(
    desk: &mut Desk,
    table: &mut Table,
    plant: &Plant,
    kind: &str,
) -> Option<PointId> {
    let (at, point) = read_point(desk, table, plant)?;
    if plant.site[point].labels == Labels::None {
        return Some(point);
    }
    desk.say(Code::KindMismatch, at, format!("a {kind} judges quantities"))
        .label("the numbers of this point have names")
        .help("use a `state` rule");
    None
}

fn state_point(desk: &mut Desk, table: &mut Table, plant: &Plant) -> Option<PointId> {
    let (at, point) = read_point(desk, table, plant)?;
    if plant.site[point].unit == Unit::None {
        return Some(point);
    }
    desk.say(Code::KindMismatch, at, "a state rule judges whole numbers")
        .label(format!("this point is in {}", plant.site[point].unit.name()))
        .help("use `limit` or `rate`");
    None
}

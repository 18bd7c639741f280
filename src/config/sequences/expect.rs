//! `{ point = "…", is = … }`: what a point is expected to read.

use crate::config::complaint::{Desk, Place};
use crate::config::explain::Code;
use crate::config::node::{At, Node};
use crate::config::plant::{Plant, as_table};
use crate::config::rules::{bit, number};
use crate::config::value;
use crate::safety::sequence::spec::{Condition, Expect};
use crate::safety::site::{Labels, Point};
use crate::units::Unit;

const KINDS: [&str; 6] = ["is", "at_least", "at_most", "within", "bit_set", "bit_clear"];

/// Reads one expectation, with the place of its text.
pub(in crate::config) fn read(
    desk: &mut Desk,
    key: &str,
    node: At<Node>,
    plant: &Plant,
) -> Option<(Place, Expect)> {
    let mut table = as_table(desk, key, node)?;
    let at = table.at;
    let name = table.need(desk, "point", value::text);
    let mut given: Vec<(&'static str, At<Node>)> =
        KINDS.into_iter().filter_map(|kind| Some((kind, table.take(kind)?))).collect();
    table.finish(desk);
    if given.len() != 1 {
        desk.say(Code::KindCount, at, "an expectation says exactly one thing of its point")
            .help(format!("write one of: {}", KINDS.join(", ")));
        return None;
    }
    let (kind, node) = given.pop()?;
    let point = plant.point(desk, &name?)?;
    let is = condition(desk, kind, node, &plant.site[point])?;
    Some((at, Expect { point, is }))
}

fn condition(desk: &mut Desk, kind: &'static str, node: At<Node>, point: &Point) -> Option<Condition> {
    let whole = matches!(kind, "is" | "bit_set" | "bit_clear");
    let fits = if whole { point.unit == Unit::None } else { point.labels == Labels::None };
    if !fits {
        let what = if whole { "is a quantity" } else { "has names for its numbers" };
        desk.say(Code::Expectation, node.at, format!("`{kind}` does not fit: `{}` {what}", point.name))
            .help(if whole { "use at_least, at_most or within" } else { "use is, bit_set or bit_clear" });
        return None;
    }
    match kind {
        "is" => number(desk, kind, node, &point.labels).map(Condition::Is),
        "bit_set" => bit(desk, kind, node, &point.labels).map(Condition::BitSet),
        "bit_clear" => bit(desk, kind, node, &point.labels).map(Condition::BitClear),
        "at_least" => reachable(desk, kind, node, point).map(Condition::AtLeast),
        "at_most" => reachable(desk, kind, node, point).map(Condition::AtMost),
        _ => within(desk, kind, node, point),
    }
}

fn within(desk: &mut Desk, kind: &str, node: At<Node>, point: &Point) -> Option<Condition> {
    let ends = value::list(|desk, key, node| reachable(desk, key, node, point))(desk, kind, node)?;
    match ends.value[..] {
        [low, high] if low <= high => Some(Condition::Within(low, high)),
        _ => {
            desk.say(Code::Expectation, ends.at, "`within` takes two limits, the lower one first")
                .help("write within = [\"-0.5 A\", \"0.5 A\"], for instance");
            None
        }
    }
}

/// A quantity that the point can read.
fn reachable(desk: &mut Desk, key: &str, node: At<Node>, point: &Point) -> Option<f64> {
    let number = value::quantity(point.unit)(desk, key, node)?;
    if let Some((low, high)) = point.range
        && !(low <= number.value && number.value <= high)
    {
        desk.say(
            Code::Expectation,
            number.at,
            format!("{} is outside of the range of the point", number.value),
        )
        .label(format!("it reads from {low} to {high}"))
        .help("write a value within it");
        return None;
    }
    Some(number.value)
}

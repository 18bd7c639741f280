//! The mapping: which column of a table feeds which point.

use std::collections::BTreeMap;

use super::{found, point_names, twice};
use crate::config::complaint::Desk;
use crate::config::explain::Code;
use crate::config::node::{At, Node};
use crate::config::table::{Table, wrong_type};
use crate::config::{Place, value};
use crate::replay::options::{Feed, From, Mapping, Take, TimeUnit};
use crate::safety::site::{PointId, Site};
use crate::units::Unit;

/// The longest poll of a replay, in milliseconds: an hour.
pub const POLL_MAX: u64 = 3_600_000;

/// How times may be written.
const TIME_UNITS: [(&str, TimeUnit); 5] = [
    ("ms", TimeUnit::Number(1)),
    ("s", TimeUnit::Number(1000)),
    ("min", TimeUnit::Number(60_000)),
    ("h", TimeUnit::Number(3_600_000)),
    ("rfc3339", TimeUnit::Rfc3339),
];

/// Reads the whole file.
pub(super) fn read(desk: &mut Desk, mut root: Table, site: &Site, columns: &[String]) -> Option<Mapping> {
    let time = root.need(desk, "time", table).map(|mut time| {
        let column = time.need(desk, "column", value::filled);
        let unit = time.need(desk, "unit", value::word(&TIME_UNITS));
        time.finish(desk);
        (column.and_then(|name| found(desk, "column", &name, columns)), unit)
    });
    let poll = root.need(desk, "poll", value::duration(10..=POLL_MAX));
    let points = point_names(site);
    let at = root.at;
    let tables = root.tables(desk, "point");
    if tables.is_empty() {
        desk.say(Code::NothingToWatch, at, "no point is fed")
            .help("write a [[point]] with `column` and `point` for each column that matters");
    }
    let mut fed = BTreeMap::new();
    let feeds: Vec<Option<Feed>> =
        tables.into_iter().map(|table| feed(desk, table, site, &points, columns, &mut fed)).collect();
    root.finish(desk);
    let (time_column, time) = time?;
    Some(Mapping {
        time_column: time_column?,
        time: time?,
        poll: poll?.value,
        feeds: feeds.into_iter().collect::<Option<Vec<Feed>>>()?,
    })
}

fn table(desk: &mut Desk, key: &str, node: At<Node>) -> Option<Table> {
    if let Node::Table(table) = node.value {
        return Some(table);
    }
    wrong_type(desk, key, &node, "a table").help(format!("write {key} = {{ column = \"…\", unit = \"s\" }}"));
    None
}

fn feed(
    desk: &mut Desk,
    mut table: Table,
    site: &Site,
    points: &[String],
    columns: &[String],
    fed: &mut BTreeMap<String, Place>,
) -> Option<Feed> {
    let name = table.need(desk, "point", value::filled);
    let unit = table.may(desk, "unit", value::filled);
    let from = source(desk, &mut table, columns);
    let scale = table.may(desk, "scale", real).map_or(1.0, |scale| scale.value);
    let offset = table.may(desk, "offset", real).map_or(0.0, |offset| offset.value);
    table.finish(desk);
    let name = name?;
    if let Some(first) = fed.insert(name.value.clone(), name.at) {
        twice(desk, "point", &name, first);
        return None;
    }
    let point = PointId::at(found(desk, "point", &name, points)?);
    if let Some(unit) = unit {
        same_unit(desk, &unit, site, point)?;
    }
    Some(Feed { point, from: from?, scale, offset })
}

/// A unit that is written must be the one of the point: nothing is converted behind anybody's back.
fn same_unit(desk: &mut Desk, unit: &At<String>, site: &Site, point: PointId) -> Option<()> {
    let expected = site[point].unit;
    if Unit::from_name(&unit.value) == Some(expected) {
        return Some(());
    }
    desk.say(
        Code::WrongUnit,
        unit.at,
        format!("the column is in {}, but the point is in {}", unit.value, expected.name()),
    )
    .label(format!("expected {}", expected.name()))
    .help(format!("turn it into {} with `scale` and `offset`, and write that unit", expected.name()));
    None
}

/// Exactly one of `column`, `columns` with `take`, and `value`.
fn source(desk: &mut Desk, table: &mut Table, columns: &[String]) -> Option<From> {
    let given = ["column", "columns", "value"].iter().filter(|key| table.has(key)).count();
    let at = table.at;
    let column = table.may(desk, "column", value::filled);
    let many = table.may(desk, "columns", value::filled_list(value::filled));
    let constant = table.may(desk, "value", real);
    let take = table.may(desk, "take", value::word(&Take::WORDS));
    if given != 1 {
        desk.say(Code::KindCount, at, "a point is fed by exactly one of `column`, `columns` and `value`")
            .help("write column = \"…\" for one column, columns = [ … ] with take = \"max\" for several, value = … for a constant");
        return None;
    }
    if let Some(constant) = constant {
        return Some(From::Constant(constant.value));
    }
    if let Some(column) = column {
        return Some(From::Columns(vec![found(desk, "column", &column, columns)?], Take::Max));
    }
    let many = many?;
    let Some(take) = take else {
        desk.say(Code::MissingKey, many.at, "several columns need `take`")
            .help("write take = \"max\", \"min\", \"mean\" or \"spread\"");
        return None;
    };
    let indices: Vec<Option<usize>> =
        many.value.iter().map(|name| found(desk, "column", name, columns)).collect();
    Some(From::Columns(indices.into_iter().collect::<Option<_>>()?, take))
}

#[expect(clippy::needless_pass_by_value, reason = "all readers of values have one signature")]
fn real(desk: &mut Desk, key: &str, node: At<Node>) -> Option<At<f64>> {
    let value = match node.value {
        Node::Real(number) => number,
        #[expect(clippy::cast_precision_loss, reason = "scales and constants are far below 2^53")]
        Node::Whole(number) => number as f64,
        _ => {
            wrong_type(desk, key, &node, "a number");
            return None;
        }
    };
    if value.is_finite() {
        return Some(At { value, at: node.at });
    }
    desk.say(Code::NotFinite, node.at, format!("`{key}` is not a finite number")).help("write a number");
    None
}

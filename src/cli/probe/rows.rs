//! The points of a device as rows, and what to think of them.

use std::collections::BTreeMap;

use crate::cli::way::Way;
use crate::cli::{Exit, print, say, table};
use crate::field::ask::Asker as _;
use crate::field::probe::ProbeRow;
use crate::field::profile::{PointSpec, Profile};
use crate::units::Value;
use crate::wire::why;

/// Marks a row that is not what it was a second ago.
const CHANGED: &str = "*";

/// Prints a table; marks the rows that differ from the same table before, where there was one.
pub(super) fn show(cells: &[Vec<String>], before: &[Vec<String>]) {
    let marked: Vec<Vec<String>> = cells
        .iter()
        .enumerate()
        .map(|(at, row)| {
            let mut row = row.clone();
            if before.get(at).is_some_and(|old| *old != row) {
                row.push(CHANGED.to_owned());
            }
            row
        })
        .collect();
    for line in table::lines(&marked) {
        print(&line);
    }
}

/// The rows as cells, with a head.
pub(super) fn table(rows: &[ProbeRow]) -> Vec<Vec<String>> {
    let head = ["point", "table", "address", "raw", "value", "unit", "quality"].map(str::to_owned).to_vec();
    let cells = |row: &ProbeRow| {
        vec![
            row.point.clone(),
            row.table.word().to_owned(),
            row.address.to_string(),
            words(&row.words),
            value(row),
            row.unit.symbol().to_owned(),
            quality(row),
        ]
    };
    std::iter::once(head).chain(rows.iter().map(cells)).collect()
}

/// Words in hexadecimal.
pub(super) fn words(words: &[u16]) -> String {
    if words.is_empty() {
        return "–".to_owned();
    }
    words.iter().map(|word| format!("{word:04x}")).collect::<Vec<_>>().join(" ")
}

fn value(row: &ProbeRow) -> String {
    match (&row.result, &row.label) {
        (Ok(value), Some(label)) => format!("{value} ({label})"),
        (Ok(value), None) => value.to_string(),
        (Err(_), _) => "–".to_owned(),
    }
}

/// One row as JSON.
pub(super) fn json(row: &ProbeRow) -> String {
    serde_json::json!({
        "point": row.point,
        "table": row.table.word(),
        "address": row.address,
        "raw": row.words,
        "value": row.result.ok().map(Value::get),
        "label": row.label,
        "unit": row.unit.ucum(),
        "quality": quality(row),
    })
    .to_string()
}

fn is_good(row: &ProbeRow) -> bool {
    row.result.is_ok() && row.in_range != Some(false)
}

/// Quality and range verdict in words.
pub(super) fn quality(row: &ProbeRow) -> String {
    match (row.result, row.in_range) {
        (Ok(_), Some(true)) => "good, in range".to_owned(),
        (Ok(_), None) => "good".to_owned(),
        (Ok(_), Some(false)) => "bad: out of range".to_owned(),
        (Err(fault), _) => format!("bad: {}", why::fault(fault)),
    }
}

/// Each row with its point in the profile. Points that the device does not have have no row.
pub(super) fn with_specs<'a>(
    rows: &'a [ProbeRow],
    profile: &'a Profile,
) -> impl Iterator<Item = (&'a ProbeRow, &'a PointSpec)> {
    let specs: BTreeMap<&str, &PointSpec> =
        profile.points.iter().map(|point| (point.name.as_str(), point)).collect();
    rows.iter().filter_map(move |row| Some((row, *specs.get(row.point.as_str())?)))
}

/// Whether anything answered at all.
pub(super) fn anyone(rows: &[ProbeRow]) -> bool {
    rows.iter().any(|row| match row.result {
        Ok(_) => true,
        Err(fault) => fault.is_answer(),
    })
}

/// What to think of all of them.
pub(super) fn verdict(rows: &[ProbeRow], way: &Way) -> Exit {
    let good = rows.iter().filter(|row| is_good(row)).count();
    say(&format!("{good} of {} points good", rows.len()));
    match (anyone(rows), good == rows.len()) {
        (false, _) => no_answer(way),
        (true, true) => Exit::Ok,
        (true, false) => Exit::No,
    }
}

/// Says what to try next.
pub(super) fn no_answer(way: &Way) -> Exit {
    let why = way.trouble().map_or(String::new(), |trouble| format!(" ({trouble})"));
    say(&format!(
        "no answer{why}: check the address, the unit identifier, baud and parity and the wires of a serial line, \
         and that nothing else holds the only connection"
    ));
    Exit::Unavailable
}

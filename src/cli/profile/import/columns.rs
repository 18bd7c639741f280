//! Which column of a list holds what.

use std::collections::BTreeMap;

/// What a column can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Column {
    Name,
    Table,
    Address,
    Type,
    Unit,
    Scale,
    Offset,
    Class,
    Description,
}

/// The names by which lists call their columns, without blanks and signs.
const NAMES: [(Column, &str, &[&str]); 9] = [
    (Column::Name, "name", &["name", "point", "tag", "signal", "parameter", "label", "variable"]),
    (
        Column::Table,
        "table",
        &["table", "area", "registertype", "function", "functioncode", "fc", "objecttype", "space"],
    ),
    (
        Column::Address,
        "address",
        &["address", "addr", "register", "reg", "registeraddress", "modbusaddress", "registernumber"],
    ),
    (Column::Type, "type", &["type", "datatype", "format", "encoding"]),
    (Column::Unit, "unit", &["unit", "units", "uom"]),
    (Column::Scale, "scale", &["scale", "scaling", "factor", "multiplier", "gain", "resolution"]),
    (Column::Offset, "offset", &["offset", "bias"]),
    (Column::Class, "class", &["class", "scan", "scanclass", "poll"]),
    (
        Column::Description,
        "description",
        &["description", "comment", "remark", "remarks", "note", "notes", "title", "meaning"],
    ),
];

/// Where each column is.
pub(super) struct Columns {
    at: BTreeMap<Column, usize>,
    unused: Vec<String>,
    named: bool,
}

impl Columns {
    /// The columns that this row names, if it is a row of names: it names an address, and something to call it by.
    pub(super) fn named(row: &csv::StringRecord) -> Option<Self> {
        let mut columns = Self { at: BTreeMap::new(), unused: Vec::new(), named: true };
        for (at, cell) in row.iter().enumerate() {
            let plain: String = cell.chars().filter(|letter| letter.is_alphanumeric()).collect();
            let plain = plain.to_lowercase();
            let found = NAMES.iter().find(|(_, _, names)| names.contains(&plain.as_str()));
            match found {
                Some((column, ..)) if !columns.at.contains_key(column) => {
                    columns.at.insert(*column, at);
                }
                Some(_) | None => columns.unused.push(cell.to_owned()),
            }
        }
        if !columns.at.contains_key(&Column::Name)
            && let Some(description) = columns.at.remove(&Column::Description)
        {
            columns.at.insert(Column::Name, description);
        }
        let enough = columns.at.contains_key(&Column::Name) && columns.at.contains_key(&Column::Address);
        enough.then_some(columns)
    }

    /// The columns of a list without names: name, table, address, type, unit, scale, offset, class.
    pub(super) fn usual() -> Self {
        let at = NAMES.iter().enumerate().map(|(at, (column, ..))| (*column, at)).collect();
        Self { at, unused: Vec::new(), named: false }
    }

    /// The cell of a column; empty where there is none.
    pub(super) fn cell<'a>(&self, row: &'a csv::StringRecord, column: Column) -> &'a str {
        self.at.get(&column).and_then(|at| row.get(*at)).unwrap_or_default()
    }

    /// What was found, for people.
    pub(super) fn told(&self) -> String {
        let mut found: Vec<(usize, &str)> =
            NAMES.iter().filter_map(|(column, name, _)| self.at.get(column).map(|at| (*at, *name))).collect();
        found.sort_unstable();
        let found: Vec<&str> = found.into_iter().map(|(_, name)| name).collect();
        let how = if self.named { "columns" } else { "no row of column names, taken for" };
        let told = format!("{how}: {}", found.join(", "));
        if self.unused.is_empty() { told } else { format!("{told}; not used: {}", self.unused.join(", ")) }
    }
}

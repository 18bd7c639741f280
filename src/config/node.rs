//! TOML text as a tree in which every key and value knows its place.
//!
//! The parser recovers from syntax errors, so that one bad line does not hide what else is wrong.

use toml::de::{DeTable, DeValue};

use crate::config::complaint::{Desk, Place};
use crate::config::explain::Code;
use crate::config::table::Table;

/// Something with its place.
#[derive(Clone, Debug)]
pub(super) struct At<T> {
    pub(super) value: T,
    pub(super) at: Place,
}

/// One value.
#[derive(Clone, Debug)]
pub(super) enum Node {
    Text(String),
    Whole(i64),
    Real(f64),
    Flag(bool),
    List(Vec<At<Node>>),
    Table(Table),
    /// Nothing the format has a use for: dates, and integers of more than 64 bits.
    Other,
}

impl Node {
    /// What it is, for sentences.
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "text",
            Self::Whole(_) => "a whole number",
            Self::Real(_) => "a number",
            Self::Flag(_) => "true or false",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
            Self::Other => "a date or an oversized number",
        }
    }
}

/// The tree of one file. Syntax errors are complained about; the rest of the file is still read.
pub(super) fn parse(desk: &mut Desk, file: usize, text: &str) -> Table {
    let (root, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        let span = error.span().unwrap_or(0..0);
        let sentence = format!("not TOML: {}", error.message().replace('\n', "; "));
        desk.say(Code::Syntax, Place::new(file, span), sentence).help(
            "text stands in double quotes, `[name]` opens a table, `[[name]]` one more of several alike",
        );
    }
    table(file, "the file", Place::new(file, 0..0), root.into_inner())
}

fn table(file: usize, name: &str, at: Place, entries: DeTable<'_>) -> Table {
    let mut result = Table::new(name, at);
    for (key, value) in entries {
        let key_at = Place::new(file, key.span());
        let at = Place::new(file, value.span());
        let name = key.into_inner().into_owned();
        let value = node(file, &name, at, value.into_inner());
        result.put(At { value: name, at: key_at }, At { value, at });
    }
    result
}

fn node(file: usize, name: &str, at: Place, value: DeValue<'_>) -> Node {
    match value {
        DeValue::String(text) => Node::Text(text.into_owned()),
        DeValue::Integer(number) => {
            i64::from_str_radix(number.as_str(), number.radix()).map_or(Node::Other, Node::Whole)
        }
        DeValue::Float(number) => number.as_str().parse().map_or(Node::Other, Node::Real),
        DeValue::Boolean(flag) => Node::Flag(flag),
        DeValue::Datetime(_) => Node::Other,
        DeValue::Array(items) => Node::List(
            items
                .into_iter()
                .map(|item| {
                    let at = Place::new(file, item.span());
                    At { value: node(file, name, at, item.into_inner()), at }
                })
                .collect(),
        ),
        DeValue::Table(entries) => Node::Table(table(file, name, at, entries)),
    }
}

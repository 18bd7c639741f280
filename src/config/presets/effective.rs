//! The rules that are in effect, as text: what a site wrote and what it chose, each with its source.

use std::fmt::Write;

use crate::config::node::{At, Node};
use crate::config::table::Table;

use super::Origin;

/// All rules as the core gets them, as TOML with comments. Writing to a String cannot fail.
pub(crate) fn print(rules: &[Table], origins: &[Origin]) -> String {
    let mut text = String::new();
    for rule in rules {
        let id = match rule.entries().iter().find(|(key, _)| key.value == "id").map(|(_, node)| &node.value) {
            Some(Node::Text(id)) => id.as_str(),
            Some(_) | None => "",
        };
        match origins.iter().find(|origin| origin.rule == id) {
            Some(origin) => {
                let changed = if origin.changed { ", changed by this site" } else { "" };
                let _ = writeln!(text, "# From the preset {}{changed}.", origin.preset);
                for line in wrapped(&origin.source) {
                    let _ = writeln!(text, "# {line}");
                }
            }
            None => {
                let _ = writeln!(text, "# Written by this site.");
            }
        }
        let _ = writeln!(text, "[[rule]]");
        body(&mut text, rule, "rule");
        text.push('\n');
    }
    text
}

/// The order in which people write the keys of a rule; others follow.
const ORDER: [&str; 30] = [
    "id",
    "zone",
    "principle",
    "on_unknown",
    "latched",
    "message",
    "consequence",
    "action",
    "point",
    "points",
    "channels",
    "against",
    "needed",
    "votes_at",
    "level",
    "side",
    "window",
    "samples_min",
    "members_min",
    "relative",
    "floor",
    "deadband",
    "watch",
    "warning",
    "danger",
    "limit",
    "change",
    "on_delay",
    "off_delay",
    "extreme",
];

/// The entries of a table as people write them.
fn in_order(table: &Table) -> Vec<&(At<String>, At<Node>)> {
    let mut entries: Vec<&(At<String>, At<Node>)> = table.entries().iter().collect();
    let place = |key: &str| ORDER.iter().position(|known| *known == key).unwrap_or(ORDER.len());
    entries.sort_by_key(|(key, _)| place(&key.value));
    entries
}

/// First the keys with plain values, then the sub-tables of a rule, each under its own head.
fn body(text: &mut String, table: &Table, path: &str) {
    let is_kind = |node: &At<Node>| matches!(node.value, Node::Table(_)) && path == "rule";
    for (key, node) in in_order(table).into_iter().filter(|(_, node)| !is_kind(node)) {
        let _ = writeln!(text, "{} = {}", key.value, value(&node.value));
    }
    for (key, node) in in_order(table).into_iter().filter(|(_, node)| is_kind(node)) {
        if let Node::Table(kind) = &node.value {
            let path = format!("{path}.{}", key.value);
            let _ = writeln!(text, "[{path}]");
            body(text, kind, &path);
        }
    }
}

fn value(node: &Node) -> String {
    match node {
        Node::Text(text) => toml::Value::from(text.as_str()).to_string(),
        Node::Whole(number) => number.to_string(),
        Node::Real(number) => toml::Value::from(*number).to_string(),
        Node::Flag(flag) => flag.to_string(),
        Node::List(items) => {
            let items: Vec<String> = items.iter().map(|item| value(&item.value)).collect();
            format!("[{}]", items.join(", "))
        }
        Node::Table(table) => {
            let entry =
                |(key, node): &(At<String>, At<Node>)| format!("{} = {}", key.value, value(&node.value));
            let entries: Vec<String> = in_order(table).into_iter().map(entry).collect();
            format!("{{ {} }}", entries.join(", "))
        }
        Node::Other => "\"?\"".to_owned(),
    }
}

/// A table as one line that is the same however it was written: keys in the order of the alphabet, these left out
/// wherever they stand.
pub(crate) fn canonical(table: &Table, without: &[&str]) -> String {
    let mut entries: Vec<String> = table
        .entries()
        .iter()
        .filter(|(key, _)| !without.contains(&key.value.as_str()))
        .map(|(key, node)| format!("{} = {}", key.value, canonical_value(&node.value, without)))
        .collect();
    entries.sort();
    format!("{{ {} }}", entries.join(", "))
}

fn canonical_value(node: &Node, without: &[&str]) -> String {
    match node {
        Node::Table(table) => canonical(table, without),
        Node::List(items) => {
            let items: Vec<String> = items.iter().map(|item| canonical_value(&item.value, without)).collect();
            format!("[{}]", items.join(", "))
        }
        Node::Text(_) | Node::Whole(_) | Node::Real(_) | Node::Flag(_) | Node::Other => value(node),
    }
}

/// Lines of a comment.
fn wrapped(text: &str) -> Vec<String> {
    const WIDTH: usize = 110;
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let last = lines.len() - 1;
        if !lines[last].is_empty() && WIDTH < lines[last].chars().count() + 1 + word.chars().count() {
            lines.push(word.to_owned());
        } else {
            if !lines[last].is_empty() {
                lines[last].push(' ');
            }
            lines[last].push_str(word);
        }
    }
    lines.retain(|line| !line.is_empty());
    lines
}

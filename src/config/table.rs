//! Reading one table key by key: what is missing, what is unknown, what has the wrong type.
//!
//! A table learns its known keys by being asked for them, so the list for "did you mean" cannot go stale.
//! Whoever reads a table asks for every key it may have and then calls `finish`.

use crate::config::complaint::{Desk, Place};
use crate::config::explain::Code;
use crate::config::node::{At, Node};
use crate::config::suggest;

/// One table and what has been asked of it.
#[derive(Clone, Debug)]
pub(super) struct Table {
    pub(super) name: String,
    pub(super) at: Place,
    entries: Vec<(At<String>, At<Node>)>,
    asked: Vec<&'static str>,
    missing: Vec<&'static str>,
}

impl Table {
    pub(super) fn new(name: &str, at: Place) -> Self {
        Self { name: name.to_owned(), at, entries: Vec::new(), asked: Vec::new(), missing: Vec::new() }
    }

    pub(super) fn put(&mut self, key: At<String>, value: At<Node>) {
        self.entries.push((key, value));
    }

    /// Takes over what another file says: lists of tables go on, anything else may stand once.
    pub(super) fn merge(&mut self, desk: &mut Desk, other: Table) {
        for (key, value) in other.entries {
            let Some((first, before)) = self.entries.iter_mut().find(|(name, _)| name.value == key.value)
            else {
                self.entries.push((key, value));
                continue;
            };
            match (&mut before.value, value.value) {
                (Node::List(before), Node::List(more)) => before.extend(more),
                _ => {
                    desk.say(Code::SaidTwice, key.at, format!("`{}` is in two files", key.value))
                        .label("again here")
                        .also(first.at, "first here")
                        .help("keep one of the two");
                }
            }
        }
    }

    /// What it holds, in order.
    pub(super) fn entries(&self) -> &[(At<String>, At<Node>)] {
        &self.entries
    }

    /// The whole number of a key, without asking for it.
    pub(super) fn whole(&self, key: &str) -> Option<i64> {
        let (_, node) = self.entries.iter().find(|(name, _)| name.value == key)?;
        if let Node::Whole(number) = node.value { Some(number) } else { None }
    }

    /// Writes a key at the front, in place of what it said before.
    pub(super) fn set(&mut self, key: &str, node: At<Node>) {
        self.entries.retain(|(name, _)| name.value != key);
        self.entries.insert(0, (At { value: key.to_owned(), at: node.at }, node));
    }

    /// Takes over what `other` says, key by key: its values replace those that stand, tables go into tables.
    pub(super) fn overlay(&mut self, other: Table) {
        for (key, value) in other.entries {
            match self.entries.iter_mut().find(|(name, _)| name.value == key.value) {
                Some((_, At { value: Node::Table(mine), .. })) if matches!(value.value, Node::Table(_)) => {
                    if let Node::Table(theirs) = value.value {
                        mine.overlay(theirs);
                    }
                }
                Some((_, stands)) => *stands = value,
                None => self.entries.push((key, value)),
            }
        }
    }

    /// Puts items before those of a `[[key]]`.
    pub(super) fn put_first(&mut self, desk: &mut Desk, key: &'static str, mut items: Vec<At<Node>>) {
        let Some((_, stands)) = self.entries.iter_mut().find(|(name, _)| name.value == key) else {
            let at = items.first().map_or(self.at, |item| item.at);
            self.put(At { value: key.to_owned(), at }, At { value: Node::List(items), at });
            return;
        };
        if let Node::List(after) = &mut stands.value {
            items.append(after);
            *after = items;
        } else {
            wrong_type(desk, key, stands, "a list of tables").help(format!("write `[[{key}]]`"));
        }
    }

    /// This table with changes laid over it: in lists of tables one of the same id takes the place of the one
    /// below, another is added; anything else takes the place of what is there.
    pub(super) fn overlaid(mut self, changes: Table) -> Self {
        for (key, value) in changes.entries {
            let Some((_, below)) = self.entries.iter_mut().find(|(name, _)| name.value == key.value) else {
                self.entries.push((key, value));
                continue;
            };
            match (&mut below.value, value.value) {
                (Node::List(below), Node::List(above)) => {
                    for item in above {
                        let same =
                            |known: &&mut At<Node>| id_of(known).is_some() && id_of(known) == id_of(&item);
                        match below.iter_mut().find(same) {
                            Some(known) => *known = item,
                            None => below.push(item),
                        }
                    }
                }
                (below, above) => *below = above,
            }
        }
        self
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.entries.iter().any(|(name, _)| name.value == key)
    }

    /// Everything in it, for tables whose keys are names.
    pub(super) fn drain(&mut self) -> Vec<(At<String>, At<Node>)> {
        std::mem::take(&mut self.entries)
    }

    /// The value of a key that may be absent.
    pub(super) fn take(&mut self, key: &'static str) -> Option<At<Node>> {
        self.asked.push(key);
        let index = self.entries.iter().position(|(name, _)| name.value == key)?;
        Some(self.entries.remove(index).1)
    }

    /// Reads a key that must be there.
    pub(super) fn need<T>(
        &mut self,
        desk: &mut Desk,
        key: &'static str,
        read: impl FnOnce(&mut Desk, &str, At<Node>) -> Option<T>,
    ) -> Option<T> {
        if let Some(node) = self.take(key) {
            read(desk, key, node)
        } else {
            self.missing.push(key);
            None
        }
    }

    /// Reads a key that may be absent. `None` also when it is faulty: the complaint already stops the load.
    pub(super) fn may<T>(
        &mut self,
        desk: &mut Desk,
        key: &'static str,
        read: impl FnOnce(&mut Desk, &str, At<Node>) -> Option<T>,
    ) -> Option<T> {
        let node = self.take(key)?;
        read(desk, key, node)
    }

    /// The table `[key]` as it stands, without asking for it.
    pub(super) fn peek_table(&self, key: &str) -> Option<&Table> {
        match &self.entries.iter().find(|(name, _)| name.value == key)?.1.value {
            Node::Table(table) => Some(table),
            _ => None,
        }
    }

    /// The text of a key as it stands, without asking for it.
    pub(super) fn peek_text(&self, key: &str) -> Option<&str> {
        match &self.entries.iter().find(|(name, _)| name.value == key)?.1.value {
            Node::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The tables of a `[[key]]` as they stand, without asking for them.
    pub(super) fn peek_tables(&self, key: &str) -> Vec<Table> {
        let node = self.entries.iter().find(|(name, _)| name.value == key).map(|(_, node)| &node.value);
        let Some(Node::List(items)) = node else { return Vec::new() };
        let tables = items.iter().filter_map(|item| match &item.value {
            Node::Table(table) => Some(table.clone()),
            _ => None,
        });
        tables.collect()
    }

    /// The text of a key as it stands.
    pub(super) fn text(&self, key: &str) -> Option<&str> {
        self.entries.iter().find_map(|(name, node)| match &node.value {
            Node::Text(text) if name.value == key => Some(text.as_str()),
            _ => None,
        })
    }

    /// The tables of a `[[key]]`, none when absent.
    pub(super) fn tables(&mut self, desk: &mut Desk, key: &'static str) -> Vec<Table> {
        let Some(node) = self.take(key) else { return Vec::new() };
        let Node::List(items) = node.value else {
            wrong_type(desk, key, &node, "a list of tables").help(format!("write `[[{key}]]`"));
            return Vec::new();
        };
        let mut tables = Vec::new();
        for item in items {
            match item.value {
                Node::Table(table) => tables.push(table),
                _ => {
                    wrong_type(desk, key, &item, "a table");
                }
            }
        }
        tables
    }

    /// The one table `[key]`, `None` when absent.
    pub(super) fn table(&mut self, desk: &mut Desk, key: &'static str) -> Option<Table> {
        let node = self.take(key)?;
        if let Node::Table(table) = node.value {
            return Some(table);
        }
        wrong_type(desk, key, &node, "a table").help(format!("write `[{key}]` once"));
        None
    }

    /// Exactly one of several sub-tables, each a kind.
    pub(super) fn one_kind(
        &mut self,
        desk: &mut Desk,
        kinds: &[&'static str],
    ) -> Option<(&'static str, Table)> {
        let mut found = Vec::new();
        for &kind in kinds {
            if self.has(kind) {
                found.push((kind, self.table(desk, kind)));
            } else {
                self.asked.push(kind);
            }
        }
        if found.len() == 1 {
            let (kind, table) = found.remove(0);
            return Some((kind, table?));
        }
        let count = if found.is_empty() { "no kind" } else { "more than one kind" };
        desk.say(Code::KindCount, self.at, format!("this `{}` has {count}", self.name))
            .label("exactly one of its kinds must follow")
            .help(format!("kinds are: {}", kinds.join(", ")));
        None
    }

    /// Complains about keys nobody asked for and about keys that should be there.
    pub(super) fn finish(self, desk: &mut Desk) {
        let mut missing = self.missing;
        for (key, _) in &self.entries {
            let known = self.asked.iter().copied();
            if let Some(meant) = suggest::nearest(&key.value, missing.iter().copied()) {
                missing.retain(|&name| name != meant);
            }
            desk.say(Code::UnknownKey, key.at, format!("`{}` is no key of `{}`", key.value, self.name))
                .label("unknown key")
                .help(suggest::help(&key.value, known));
        }
        if !missing.is_empty() {
            let keys: Vec<String> = missing.iter().map(|key| format!("`{key}`")).collect();
            desk.say(Code::MissingKey, self.at, format!("`{}` lacks {}", self.name, keys.join(", ")))
                .label("must be written here")
                .help("nothing about safety has a default: write what this site has decided");
        }
    }
}

/// The `id` of a table, where it has one.
fn id_of(node: &At<Node>) -> Option<&str> {
    let Node::Table(table) = &node.value else { return None };
    table.entries.iter().find_map(|(key, value)| match &value.value {
        Node::Text(text) if key.value == "id" => Some(text.as_str()),
        _ => None,
    })
}

/// A complaint about a value of the wrong type.
pub(super) fn wrong_type<'d>(
    desk: &'d mut Desk,
    key: &str,
    node: &At<Node>,
    expected: &str,
) -> &'d mut crate::config::complaint::Complaint {
    let sentence = format!("`{key}` must be {expected}");
    desk.say(Code::WrongType, node.at, sentence).label(format!("this is {}", node.value.kind()))
}

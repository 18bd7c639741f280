//! Names of one kind: unique, and found again with "did you mean".

use std::collections::BTreeMap;

use crate::config::complaint::{Desk, Place};
use crate::config::explain::Code;
use crate::config::node::At;
use crate::config::suggest;

/// Kinds of which there must be one: where there is none, that is said once and not at each reference.
const PLANT: [&str; 4] = ["room", "zone", "link", "device"];

/// All ids of one kind.
pub(super) struct Names {
    what: &'static str,
    map: BTreeMap<String, (usize, Place)>,
}

impl Names {
    pub(super) const fn new(what: &'static str) -> Self {
        Self { what, map: BTreeMap::new() }
    }

    /// Takes a name for the item at `index` of its table. The same name twice is a complaint.
    pub(super) fn add(&mut self, desk: &mut Desk, name: &At<String>, index: usize) {
        if let Some((_, first)) = self.map.get(&name.value) {
            desk.say(Code::DuplicateId, name.at, format!("there are two {}s `{}`", self.what, name.value))
                .label("again here")
                .also(*first, "first here")
                .help("give each its own id; over several files, look for one that was copied");
            return;
        }
        self.map.insert(name.value.clone(), (index, name.at));
    }

    /// The index of a name; a complaint if there is none.
    pub(super) fn find(&self, desk: &mut Desk, name: &At<String>) -> Option<usize> {
        if let Some((index, _)) = self.map.get(&name.value) {
            return Some(*index);
        }
        if self.map.is_empty() && PLANT.contains(&self.what) {
            return None;
        }
        unknown(desk, self.what, name, self.map.keys().map(String::as_str));
        None
    }
}

/// A complaint about a name that is not known.
pub(super) fn unknown<'a>(
    desk: &mut Desk,
    what: &str,
    name: &At<String>,
    known: impl Iterator<Item = &'a str> + Clone,
) {
    desk.say(Code::UnknownName, name.at, format!("there is no {what} `{}`", name.value))
        .label(format!("no such {what}"))
        .help(suggest::help(&name.value, known));
}

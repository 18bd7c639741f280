//! Files that belong to a replay: the mapping of a table's columns, and what is expected. Complained about like a
//! configuration: all faults at once, each with file, line and what to do.

mod expect;
mod mapping;

use std::path::Path;

use crate::config::complaint::{Complaints, Desk, Source};
use crate::config::explain::Code;
use crate::config::files::read_text;
use crate::config::node::{self, At};
use crate::config::table::Table;
use crate::config::{names, suggest};
use crate::replay::options::{Expectation, Mapping};
use crate::safety::site::{PointId, Site};

pub use mapping::POLL_MAX;

/// A mapping, and what is doubtful about it.
#[derive(Clone, Debug)]
pub struct LoadedMapping {
    /// The mapping.
    pub mapping: Mapping,
    /// What is doubtful, but no error.
    pub warnings: Complaints,
}

/// Reads how the columns of a table feed the points of a site.
///
/// # Errors
/// All complaints about the file.
pub fn load_mapping(path: &Path, site: &Site, columns: &[String]) -> Result<LoadedMapping, Complaints> {
    let mut desk = Desk::default();
    let read = open(&mut desk, path).and_then(|root| mapping::read(&mut desk, root, site, columns));
    let complaints = desk.close();
    match read {
        Some(mapping) if complaints.errors() == 0 => Ok(LoadedMapping { mapping, warnings: complaints }),
        _ => Err(complaints),
    }
}

/// Reads what is expected of a replay.
///
/// # Errors
/// All complaints about the file.
pub fn load_expectations(path: &Path, site: &Site) -> Result<Vec<Expectation>, Complaints> {
    let mut desk = Desk::default();
    let root = open(&mut desk, path);
    let read = root.map(|root| expect::read(&mut desk, root, site));
    let complaints = desk.close();
    match read {
        Some(expectations) if complaints.errors() == 0 => Ok(expectations),
        _ => Err(complaints),
    }
}

/// The nearest of some known names, if it is near enough to be a slip of the pen.
#[must_use]
pub fn nearest_name<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    suggest::nearest(word, known)
}

fn open(desk: &mut Desk, path: &Path) -> Option<Table> {
    let text = read_text(desk, path, None)?;
    desk.complaints.sources.push(Source { path: path.to_owned(), text: text.clone() });
    Some(node::parse(desk, 0, &text))
}

/// The index of this name in a table of the site; a complaint if there is none.
fn found(desk: &mut Desk, what: &str, name: &At<String>, known: &[String]) -> Option<usize> {
    let index = known.iter().position(|known| *known == name.value);
    if index.is_none() {
        names::unknown(desk, what, name, known.iter().map(String::as_str));
    }
    index
}

/// Every point of a site, as `device/point`.
fn point_names(site: &Site) -> Vec<String> {
    let points = (0..site.points.len()).map(PointId::at);
    points.map(|point| format!("{}/{}", site[site[point].device].name, site[point].name)).collect()
}

/// A complaint that something is said twice.
fn twice(desk: &mut Desk, what: &str, name: &At<String>, first: crate::config::Place) {
    desk.say(Code::DuplicateId, name.at, format!("{what} `{}` is fed twice", name.value))
        .label("again here")
        .also(first, "first here")
        .help("one source for each point: keep one of the two");
}

#[cfg(test)]
mod tests;

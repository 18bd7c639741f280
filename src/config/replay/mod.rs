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
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::replay::options::{From, Take, TimeUnit, What};
    use crate::safety::risk::Level;
    use crate::units::Millis;
    use crate::wire::testsite;

    const COLUMNS: [&str; 4] = ["Test Time [s]", "TC1 [C]", "TC2 [C]", "door"];

    fn in_a_file<T>(text: &str, read: impl FnOnce(&Path) -> T) -> T {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("map.toml");
        std::fs::write(&path, text).unwrap();
        read(&path)
    }

    fn mapping(text: &str) -> Result<Mapping, Complaints> {
        let columns = COLUMNS.map(str::to_owned);
        in_a_file(text, |path| load_mapping(path, &testsite::site(), &columns)).map(|loaded| loaded.mapping)
    }

    /// Each complaint with its line: sentence, and help.
    fn complaints(text: &str) -> Vec<(usize, String, String)> {
        let complaints = mapping(text).unwrap_err();
        said(&complaints)
    }

    fn said(complaints: &Complaints) -> Vec<(usize, String, String)> {
        let line = |place| complaints.locate(place).map_or(0, |(_, line, _)| line);
        let list = complaints.list.iter();
        list.map(|it| (it.place.map_or(0, line), it.sentence.clone(), it.help.clone())).collect()
    }

    const HEAD: &str = "time = { column = \"Test Time [s]\", unit = \"s\" }\npoll = \"1s\"\n";

    #[test]
    fn columns_feed_points_by_name() {
        let text = format!(
            "{HEAD}[[point]]\npoint = \"bms-1/cell-temp-max\"\ncolumns = [\"TC1 [C]\", \"TC2 [C]\"]\ntake = \"max\"\nunit = \"degC\"\n\
             [[point]]\npoint = \"brk-1/position\"\nvalue = 1\n"
        );
        let mapping = mapping(&text).unwrap();
        assert_eq!((mapping.time_column, mapping.time), (0, TimeUnit::Number(1000)));
        assert_eq!(mapping.poll, Millis(1000));
        assert_eq!(mapping.feeds[0].from, From::Columns(vec![1, 2], Take::Max));
        assert_eq!((mapping.feeds[1].point.0, &mapping.feeds[1].from), (2, &From::Constant(1.0)));
    }

    #[test]
    fn a_slip_in_a_name_is_complained_about_with_its_line_and_the_name_that_was_meant() {
        let text = format!(
            "{HEAD}[[point]]\npoint = \"bms-1/cell-temp-mx\"\ncolumn = \"TC1 [C]\"\n\
             [[point]]\npoint = \"bms-1/soc\"\ncolumn = \"TC1[C]\"\n"
        );
        let said = complaints(&text);
        assert_eq!(said[0].0, 4);
        assert_eq!(said[0].1, "there is no point `bms-1/cell-temp-mx`");
        assert_eq!(said[0].2, "did you mean `bms-1/cell-temp-max`?");
        assert_eq!((said[1].0, said[1].2.as_str()), (8, "did you mean `TC1 [C]`?"));
        assert_eq!(said.len(), 2);
    }

    #[test]
    fn every_other_fault_of_a_mapping_is_told_too() {
        let point = |rest: &str| format!("{HEAD}[[point]]\npoint = \"bms-1/cell-temp-max\"\n{rest}");
        for (text, line, sentence) in [
            (
                point("column = \"TC1 [C]\"\nunit = \"V\"\n"),
                6,
                "the column is in V, but the point is in degC",
            ),
            (point(""), 3, "a point is fed by exactly one of `column`, `columns` and `value`"),
            (point("columns = [\"TC1 [C]\"]\n"), 5, "several columns need `take`"),
            (point("column = \"TC1 [C]\"\nfrom = 1\n"), 6, "`from` is no key of `point`"),
            (point("value = nan\n"), 5, "`value` is not a finite number"),
            (HEAD.to_owned(), 1, "no point is fed"),
            (point("value = 1\n").replace("unit = \"s\"", "unit = \"d\""), 1, "`d` is no value of `unit`"),
            (point("value = 1\n").replace("\"1s\"", "\"1ms\""), 2, "`poll` = 1 ms is out of range"),
            (
                point("value = 1\n[[point]]\npoint = \"bms-1/cell-temp-max\"\nvalue = 2\n"),
                7,
                "point `bms-1/cell-temp-max` is fed twice",
            ),
        ] {
            let said = complaints(&text);
            let found = said.iter().any(|it| (it.0, it.1.as_str()) == (line, sentence));
            assert!(found, "{text}\n{said:#?}");
        }
        assert!(mapping("time = 1\n").is_err() && mapping("[[").is_err());
    }

    fn expectations(text: &str) -> Result<Vec<Expectation>, Complaints> {
        in_a_file(text, |path| load_expectations(path, &testsite::site()))
    }

    #[test]
    fn expectations_name_a_zone_a_rule_an_alarm_or_a_sequence() {
        let text = "[[expect]]\nzone = \"rack-1\"\nlevel = \"danger\"\nnot_after = \"308s\"\n\
            [[expect]]\nrule = \"cell-hot\"\nlevel = \"watch\"\nnever = true\n\
            [[expect]]\nalarm = \"cell-temp\"\n\
            [[expect]]\nsequence = \"cut-rack-1\"\nstage = \"Open breaker\"\n\
            [[expect]]\nsequence = \"cut-rack-1\"\nevent = \"done\"\nnot_before = \"1min\"\n";
        let all = expectations(text).unwrap();
        assert!(matches!(all[0].what, What::Zone(_, Level::Danger)));
        assert_eq!((all[0].not_after, all[0].line), (Some(Millis::from_secs(308)), 1));
        assert!(all[1].never);
        assert!(matches!(all[3].what, What::Sequence(_, "stage-ordered", Some(0))));
        assert!(matches!(all[4].what, What::Sequence(_, "done", None)));
    }

    #[test]
    fn expectations_that_cannot_be_meant_are_complained_about() {
        for (text, sentence) in [
            ("[[expect]]\nlevel = \"danger\"\n", "an expectation has exactly one subject"),
            (
                "[[expect]]\nzone = \"rack-1\"\nalarm = \"cell-temp\"\n",
                "an expectation has exactly one subject",
            ),
            ("[[expect]]\nzone = \"rack-1\"\n", "what should `zone` come to?"),
            ("[[expect]]\nzone = \"rack-2\"\nlevel = \"watch\"\n", "there is no zone `rack-2`"),
            (
                "[[expect]]\nsequence = \"cut-rack-1\"\nevent = \"finished\"\n",
                "`finished` is no event of a sequence",
            ),
            ("[[expect]]\nsequence = \"cut-rack-1\"\nstage = \"Close\"\n", "there is no stage `Close`"),
            (
                "[[expect]]\nalarm = \"cell-temp\"\nnot_before = \"9s\"\nnot_after = \"8s\"\n",
                "`not_after` lies before `not_before`",
            ),
            ("", "nothing is expected"),
        ] {
            let said = said(&expectations(text).unwrap_err());
            assert!(said.iter().any(|it| it.1 == sentence), "{text}\n{said:#?}");
        }
    }
}

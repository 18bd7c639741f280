//! Every number of the rule book has its row in ARCHITECTURE.md, and every test that a row names is there.
//!
//! This reads the table and the sources as text: a test that is renamed or dropped leaves a rule without proof, and that
//! is found here.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What is not built, and why that is said in its row: whoever builds it names its test.
const NOT_BUILT: [&str; 0] = [];
/// The test that watches by number, and where the numbers are.
const SIMULATION: &str = "tests/simulation.rs::no_invariant_breaks_whatever_happens";
const REFEREE: &str = "tests/support/sim";

struct Row {
    enforced_in: Vec<String>,
    checked_by: Vec<String>,
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn text_of(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

/// Whether it is a number of the rule book: a letter of it and digits.
fn is_number(cell: &str) -> bool {
    cell.strip_prefix(['R', 'S', 'A', 'V', 'I']).is_some_and(|digits| digits.parse::<u32>().is_ok())
}

/// What stands between back-ticks.
fn quoted(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

fn rows() -> BTreeMap<String, Row> {
    let row = |line: &str| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [_, number, _, enforced_in, checked_by, _] = cells.as_slice() else { return None };
        let row = Row { enforced_in: quoted(enforced_in), checked_by: quoted(checked_by) };
        is_number(number).then(|| ((*number).to_owned(), row))
    };
    text_of(&root().join("ARCHITECTURE.md")).lines().filter_map(row).collect()
}

/// Whether a test bears this name in this file: `path::name`, or a scenario's path alone.
fn is_there(test: &str) -> bool {
    let Some((path, name)) = test.split_once("::") else {
        return test.starts_with("tests/scenarios/") && root().join(test).is_file();
    };
    let text = text_of(&root().join(path));
    let Some((before, _)) = text.split_once(&format!("fn {name}(")) else { return false };
    // The line above; beside other attributes it is further up.
    before.lines().rev().take(3).any(|line| line.contains("#[test]") || line.contains("#[tokio::test"))
}

#[test]
fn every_number_of_the_rule_book_has_a_row() {
    let rows = rows();
    let numbers = |letter: char, last: u32| (1..=last).map(move |number| format!("{letter}{number}"));
    let all = numbers('R', 16)
        .chain(numbers('I', 10))
        .chain(numbers('S', 23))
        .chain(numbers('A', 4))
        .chain(numbers('V', 3));
    let missing: Vec<String> = all.filter(|number| !rows.contains_key(number)).collect();
    assert!(missing.is_empty(), "without a row in ARCHITECTURE.md: {}", missing.join(", "));
}

#[test]
fn every_row_names_files_and_tests_that_are_there() {
    let mut complaints = Vec::new();
    for (number, Row { enforced_in, checked_by }) in rows() {
        if NOT_BUILT.contains(&number.as_str()) != checked_by.is_empty() {
            complaints.push(format!("{number}: a test, or an entry in NOT_BUILT, but not both"));
        }
        if enforced_in.is_empty() != checked_by.is_empty() {
            complaints.push(format!("{number}: enforced nowhere, or checked by nothing"));
        }
        for file in enforced_in.iter().filter(|file| !root().join(file).exists()) {
            complaints.push(format!("{number}: there is no {file}"));
        }
        for test in checked_by.iter().filter(|test| !is_there(test)) {
            complaints.push(format!("{number}: there is no test {test}"));
        }
        if checked_by.iter().any(|test| test == SIMULATION) && !is_watched(&number) {
            complaints.push(format!("{number}: the simulation does not watch it"));
        }
    }
    assert!(complaints.is_empty(), "ARCHITECTURE.md:\n{}", complaints.join("\n"));
}

/// Whether the referee of the simulation names it in a string: `"S1"`, or `"V1: …"`.
fn is_watched(number: &str) -> bool {
    let folder = std::fs::read_dir(root().join(REFEREE)).expect("the folder of the referee");
    let names = [format!("\"{number}\""), format!("\"{number}:")];
    folder.filter_map(Result::ok).filter(|entry| entry.file_name() != "campaign.rs").any(|entry| {
        let text = text_of(&entry.path());
        names.iter().any(|name| text.contains(name))
    })
}

//! Every row B1 to B30 of the matrix of field-bus faults has a test that bears its number.
//!
//! A row is `b07` in the name of a test function or of a scenario. This reads the sources as text: a test that is
//! renamed or dropped leaves a row without proof, and that is found here.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const ROWS: u32 = 30;

fn files_in(folder: &Path, found: &mut Vec<PathBuf>) {
    let entries = std::fs::read_dir(folder).expect("a folder of the sources");
    for path in entries.map(|entry| entry.expect("an entry").path()) {
        if path.is_dir() {
            files_in(&path, found);
        } else {
            found.push(path);
        }
    }
}

/// The rows that a name bears: `b21_b22_one_faulty_device` and `sc02-b20-flat-line-bms` have two and one.
fn rows_of(name: &str) -> BTreeSet<u32> {
    let row = |part: &str| part.strip_prefix('b').filter(|number| number.len() == 2)?.parse().ok();
    name.split(['_', '-']).filter_map(row).collect()
}

#[test]
fn every_row_of_the_field_bus_has_a_test_with_its_number() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in ["src", "tests"] {
        files_in(&root.join(folder), &mut files);
    }
    let mut proven = BTreeSet::new();
    for file in &files {
        match file.extension().and_then(|ending| ending.to_str()) {
            Some("toml") if file.parent().is_some_and(|folder| folder.ends_with("scenarios")) => {
                proven.extend(rows_of(&file.file_stem().unwrap_or_default().to_string_lossy()));
            }
            Some("rs") => {
                let text = std::fs::read_to_string(file).expect("a source file");
                let mut lines = text.lines().map(str::trim).peekable();
                while let Some(line) = lines.next() {
                    if line == "#[test]" || line.starts_with("#[tokio::test") {
                        let name = lines.peek().and_then(|next| next.split("fn ").nth(1)?.split('(').next());
                        proven.extend(name.map(rows_of).unwrap_or_default());
                    }
                }
            }
            Some(_) | None => {}
        }
    }
    let missing: Vec<String> =
        (1..=ROWS).filter(|row| !proven.contains(row)).map(|row| format!("B{row}")).collect();
    assert!(missing.is_empty(), "rows without a test: {}", missing.join(", "));
}

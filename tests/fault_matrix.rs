//! Every row of the matrix of faults that is listed here has a test that bears its number: B of the field bus, M of the
//! MQTT broker, I of the InfluxDB server, D of the disk.
//!
//! A row is `b07` or `m7` in the name of a test function or of a scenario. This reads the sources as text: a test that is
//! renamed or dropped leaves a row without proof, and that is found here.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const ROWS: [(char, u32); 4] = [('b', 30), ('m', 10), ('i', 8), ('d', 9)];

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
fn rows_of(name: &str) -> BTreeSet<(char, u32)> {
    let row = |part: &str| {
        let kind = part.chars().next().filter(|kind| ROWS.iter().any(|row| row.0 == *kind))?;
        let number = &part[1..];
        let digits = number.bytes().all(|byte| byte.is_ascii_digit()) && number.len() <= 2;
        // Rows of the field bus have two digits: one has been a letter and a digit of something else.
        let whole = kind != 'b' || number.len() == 2;
        if digits && whole { Some((kind, number.parse().ok()?)) } else { None }
    };
    name.split(['_', '-']).filter_map(row).collect()
}

#[test]
fn every_row_has_a_test_with_its_number() {
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
    let rows = ROWS.iter().flat_map(|(kind, last)| (1..=*last).map(|number| (*kind, number)));
    let missing: Vec<String> =
        rows.filter(|row| !proven.contains(row)).map(|(kind, number)| format!("{kind}{number}")).collect();
    assert!(missing.is_empty(), "rows without a test: {}", missing.join(", "));
}

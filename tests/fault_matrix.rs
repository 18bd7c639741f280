//! Every row B1 to B30 of the matrix of field-bus faults and W1 to W8 of that of webhooks has a test that bears its
//! number.
//!
//! A row is `b07` or `w3` in the name of a test function or of a scenario. This reads the sources as text: a test that is
//! renamed or dropped leaves a row without proof, and that is found here.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// A part of the matrix: its letter, how many rows it has, and by how many digits a name gives their number.
const PARTS: [(char, u32, usize); 2] = [('b', 30, 2), ('w', 8, 1)];

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
        let (letter, _, digits) = *PARTS.iter().find(|known| part.starts_with(known.0))?;
        let number = part.strip_prefix(letter).filter(|number| number.len() == digits)?;
        Some((letter, number.parse().ok()?))
    };
    name.split(['_', '-']).filter_map(row).collect()
}

#[test]
fn every_row_of_the_field_bus_and_of_webhooks_has_a_test_with_its_number() {
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
    let all = PARTS.iter().flat_map(|&(letter, rows, _)| (1..=rows).map(move |row| (letter, row)));
    let missing: Vec<String> = all
        .filter(|row| !proven.contains(row))
        .map(|(letter, row)| format!("{}{row}", letter.to_ascii_uppercase()))
        .collect();
    assert!(missing.is_empty(), "rows without a test: {}", missing.join(", "));
}

//! Every row of the matrix of faults that is played here has a test that bears its number: the field bus (B1 to B30), disks
//! (D1 to D9), processes and clocks (P1 to P14), webhooks (W1 to W8), the
//! MQTT broker (M1 to M10), the InfluxDB server (I1 to I8).
//!
//! A row is `b07` or `w3` in the name of a test function or of a scenario. This reads the sources as text: a test that is
//! renamed or dropped leaves a row without proof, and that is found here. What cannot be played on any machine stands in a
//! list, with the reason.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Families of rows, how many each has, and by how many digits a name gives their number.
const FAMILIES: [(char, u32, usize); 6] =
    [('b', 30, 2), ('d', 9, 2), ('p', 14, 2), ('w', 8, 1), ('m', 10, 1), ('i', 8, 1)];

/// Rows without a test, and why.
const NOT_PLAYED: [(char, u32, &str); 2] = [
    (
        'p',
        3,
        "what the kernel ends for memory, systemd starts again: a kill like that of P1, by another hand",
    ),
    ('p', 10, "threads are made at the start only, and Rust ends a process that finds no memory: again P1"),
];

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
        let (family, _, digits) = *FAMILIES.iter().find(|known| part.starts_with(known.0))?;
        let number =
            part.strip_prefix(family).filter(|number| digits <= number.len() && number.len() <= 2)?;
        Some((family, number.parse().ok()?))
    };
    name.split(['_', '-']).filter_map(row).collect()
}

#[test]
fn every_row_of_the_matrix_has_a_test_with_its_number() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in ["src", "tests"] {
        files_in(&root.join(folder), &mut files);
    }
    let mut proven = BTreeSet::new();
    for file in &files {
        // I1 to I10 are interlocks too: those of the database are in its own files.
        let of_influx = file.to_string_lossy().contains("influx");
        let rows_of = |name: &str| {
            let mut rows = rows_of(name);
            rows.retain(|(family, _)| *family != 'i' || of_influx);
            rows
        };
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
    let rows = FAMILIES.into_iter().flat_map(|(family, count, _)| (1..=count).map(move |row| (family, row)));
    let excused = |row: &(char, u32)| NOT_PLAYED.iter().any(|(family, number, _)| (*family, *number) == *row);
    let missing: Vec<String> = rows
        .filter(|row| proven.contains(row) == excused(row))
        .map(|(family, row)| format!("{}{row}", family.to_ascii_uppercase()))
        .collect();
    assert!(missing.is_empty(), "rows without a test, or with one and an excuse: {}", missing.join(", "));
}

//! `emberwatch probe`: one device, read once, as a table.

use std::path::PathBuf;

use crate::cli::check::load_or_complain;
use crate::cli::{Exit, config_paths, edge_runtime, print, say};
use crate::field::options::{DeviceOptions, LinkOptions};
use crate::field::probe::{self, ProbeRow};
use crate::wire::why;

/// Arguments of `probe`.
#[derive(clap::Args)]
pub(crate) struct ProbeArgs {
    /// A device of the configuration, by its id.
    device: String,
    /// A file, or a directory of `*.toml` files; may be given more than once.
    #[arg(short, long, value_name = "PATH")]
    config: Vec<PathBuf>,
    /// Print rows as JSON, one a line.
    #[arg(long)]
    json: bool,
}

/// Reads a device once. Ends with 1 when a value is missing or outside its range.
pub(crate) fn probe(args: &ProbeArgs) -> Exit {
    let Some(loaded) = load_or_complain(&config_paths(&args.config)) else { return Exit::Config };
    let Some((link, device)) = find(&loaded.links, &args.device) else {
        let names: Vec<&str> =
            loaded.links.iter().flat_map(|link| &link.devices).map(|device| device.name.as_str()).collect();
        say(&format!("emberwatch probe: no device `{}`; there are: {}", args.device, names.join(", ")));
        return Exit::Usage;
    };
    let runtime = match edge_runtime() {
        Ok(runtime) => runtime,
        Err(error) => {
            say(&format!("emberwatch probe: cannot start: {error}"));
            return Exit::Internal;
        }
    };
    let rows = runtime.block_on(probe::read(&link.endpoint, device.unit, &device.profile, link.timeout));
    say(&format!(
        "{} · unit {} at {} · profile {} ({})",
        device.name,
        device.unit,
        link.endpoint.place(),
        device.profile.id,
        device.profile.source
    ));
    if args.json {
        for row in &rows {
            print(&json(row));
        }
    } else {
        for line in table(&rows) {
            print(&line);
        }
    }
    verdict(&rows)
}

fn find<'a>(links: &'a [LinkOptions], name: &str) -> Option<(&'a LinkOptions, &'a DeviceOptions)> {
    links.iter().find_map(|link| Some((link, link.devices.iter().find(|device| device.name == name)?)))
}

/// The rows as text, columns aligned.
fn table(rows: &[ProbeRow]) -> Vec<String> {
    let cells: Vec<[String; 7]> =
        std::iter::once(["point", "table", "address", "raw", "value", "unit", "quality"].map(str::to_owned))
            .chain(rows.iter().map(|row| {
                [
                    row.point.clone(),
                    row.table.word().to_owned(),
                    row.address.to_string(),
                    words(&row.words),
                    value(row),
                    row.unit.symbol().to_owned(),
                    quality(row),
                ]
            }))
            .collect();
    let mut widths = [0; 7];
    for row in &cells {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    cells
        .iter()
        .map(|row| {
            let padded = row.iter().zip(widths).map(|(cell, width)| {
                let fill = width - cell.chars().count();
                format!("{cell}{}", " ".repeat(fill))
            });
            padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        })
        .collect()
}

fn words(words: &[u16]) -> String {
    if words.is_empty() {
        return "–".to_owned();
    }
    words.iter().map(|word| format!("{word:04x}")).collect::<Vec<_>>().join(" ")
}

fn value(row: &ProbeRow) -> String {
    match (&row.result, &row.label) {
        (Ok(value), Some(label)) => format!("{value} ({label})"),
        (Ok(value), None) => value.to_string(),
        (Err(_), _) => "–".to_owned(),
    }
}

fn json(row: &ProbeRow) -> String {
    serde_json::json!({
        "point": row.point,
        "table": row.table.word(),
        "address": row.address,
        "raw": row.words,
        "value": row.result.ok().map(crate::units::Value::get),
        "label": row.label,
        "unit": row.unit.ucum(),
        "quality": quality(row),
    })
    .to_string()
}

fn is_good(row: &ProbeRow) -> bool {
    row.result.is_ok() && row.in_range != Some(false)
}

/// Quality and range verdict in words.
fn quality(row: &ProbeRow) -> String {
    match (row.result, row.in_range) {
        (Ok(_), Some(true)) => "good, in range".to_owned(),
        (Ok(_), None) => "good".to_owned(),
        (Ok(_), Some(false)) => "bad: out of range".to_owned(),
        (Err(fault), _) => format!("bad: {}", why::fault(fault)),
    }
}

fn verdict(rows: &[ProbeRow]) -> Exit {
    let answered = rows.iter().any(|row| match row.result {
        Ok(_) => true,
        Err(fault) => fault.is_answer(),
    });
    let good = rows.iter().filter(|row| is_good(row)).count();
    say(&format!("{good} of {} points good", rows.len()));
    match (answered, good == rows.len()) {
        (false, _) => {
            say(
                "no answer: check the address, the unit identifier, and that nothing else holds the only connection",
            );
            Exit::Unavailable
        }
        (true, true) => Exit::Ok,
        (true, false) => Exit::No,
    }
}

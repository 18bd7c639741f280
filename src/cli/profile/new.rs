//! `emberwatch profile new`: a profile from a register list, with an example left to fill in.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;

use super::import::{self, Addresses, Defaults, Row};
use super::snippet::say_faults;
use crate::cli::{Exit, print, say};
use crate::field::profile::{Profile, Table};

/// Arguments of `profile new`.
#[derive(clap::Args)]
pub(crate) struct NewArgs {
    /// The register list. Columns: name, table, address, type, unit, scale, offset, class, description; in any order
    /// if the first row names them.
    #[arg(long, value_name = "FILE")]
    from_csv: PathBuf,
    /// The new profile's id.
    #[arg(long)]
    id: String,
    /// Who makes the device.
    #[arg(long, default_value = "unknown")]
    vendor: String,
    /// A model it fits; may be given more than once.
    #[arg(long)]
    model: Vec<String>,
    /// What the device is.
    #[arg(long, value_enum, default_value = "battery")]
    kind: Kind,
    /// The document that the list was taken from, with its revision; otherwise the name of the list.
    #[arg(long)]
    source: Option<String>,
    /// How the list writes addresses.
    #[arg(long, value_enum, default_value = "auto")]
    addresses: Addresses,
    /// The table of rows that do not name one.
    #[arg(long, value_enum)]
    table: Option<TableArg>,
    /// The scan class of rows that do not name one.
    #[arg(long, default_value = "fast")]
    class: String,
    /// The file to write; stdout without it. One that exists is left alone.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Kind {
    Ups,
    Battery,
    Gas,
    Smoke,
    Environment,
    Contact,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum TableArg {
    Coil,
    Discrete,
    Input,
    Holding,
}

/// Writes a profile. With one bad row nothing is written: half a map looks like a whole one.
pub(super) fn new(args: &NewArgs) -> Exit {
    let file = args.from_csv.display().to_string();
    let text = match std::fs::read(&args.from_csv) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) => {
            say(&format!("emberwatch profile new: cannot read `{file}`: {error}"));
            return Exit::Usage;
        }
    };
    let table = args.table.map(|table| match table {
        TableArg::Coil => Table::Coil,
        TableArg::Discrete => Table::Discrete,
        TableArg::Input => Table::Input,
        TableArg::Holding => Table::Holding,
    });
    let defaults = Defaults { addresses: args.addresses, table, class: &args.class };
    let imported = import::read(&text, &defaults);
    for note in &imported.notes {
        say(&format!("{file}: {note}"));
    }
    for (line, sentence) in &imported.complaints {
        say(&format!("{file}:{line}: {sentence}"));
    }
    if !imported.complaints.is_empty() {
        let (bad, good) = (imported.complaints.len(), imported.rows.len());
        say(&format!("{bad} complaints, {good} good rows: nothing is written until every row is understood"));
        return Exit::No;
    }
    let profile = written(args, &file, &imported.rows);
    if let Err(faults) = Profile::parse(&profile, "the new profile") {
        say_faults("the new profile", &profile, &faults);
        return Exit::No;
    }
    say(&format!(
        "{} points; now fill in the example, then: emberwatch profile test FILE",
        imported.rows.len()
    ));
    deliver(args, &profile)
}

fn deliver(args: &NewArgs, profile: &str) -> Exit {
    let Some(path) = &args.output else {
        print(profile.trim_end());
        return Exit::Ok;
    };
    let file = std::fs::File::create_new(path);
    match file.and_then(|mut file| file.write_all(profile.as_bytes())) {
        Ok(()) => Exit::Ok,
        Err(error) => {
            say(&format!("emberwatch profile new: cannot create `{}`: {error}", path.display()));
            Exit::CannotCreate
        }
    }
}

const INTRODUCTION: &str = "\
# Compare each point with the document before you trust it: table, address, type, scale, sign.
# A `range` (what is physically possible) lets a wrong map show itself; `sentinels` are the words that mean \"no value\".
# All keys: docs/profiles.md. Actions are never made from a list: write those yourself, and only what switches off.
";

fn written(args: &NewArgs, list: &str, rows: &[Row]) -> String {
    let kind = clap::ValueEnum::to_possible_value(&args.kind);
    let kind = kind.map_or_else(String::new, |kind| kind.get_name().to_owned());
    let models: Vec<String> = args.model.iter().map(|model| quoted(model)).collect();
    let source = args.source.clone().unwrap_or_else(|| list.to_owned());
    let mut text = format!("# Written from {} by `emberwatch profile new`.\n{INTRODUCTION}", one_line(list));
    let head = [
        ("id", quoted(&args.id)),
        ("vendor", quoted(&args.vendor)),
        ("models", format!("[{}]", models.join(", "))),
        ("kind", quoted(&kind)),
        ("source", quoted(&source)),
    ];
    for (key, value) in head {
        let _ = writeln!(text, "{key} = {value}");
    }
    for row in rows {
        text += &point(row);
    }
    text + &example(rows)
}

fn point(row: &Row) -> String {
    let mut text = String::from("\n[[point]]\n");
    if row.remark.is_empty() {
        let _ = writeln!(text, "name = {}", quoted(&row.name));
    } else {
        let _ = writeln!(text, "name = {}    # {}", quoted(&row.name), one_line(&row.remark));
    }
    let _ = writeln!(
        text,
        "table = \"{}\"\naddress = {}\ntype = \"{}\"",
        row.table.word(),
        row.address,
        row.encoding
    );
    if (row.scale - 1.0).abs() > f64::EPSILON {
        let _ = writeln!(text, "scale = {:?}", row.scale);
    }
    if row.offset.abs() > f64::EPSILON {
        let _ = writeln!(text, "offset = {:?}", row.offset);
    }
    if row.unit != "none" {
        let _ = writeln!(text, "unit = \"{}\"", row.unit);
    }
    let _ = writeln!(text, "class = {}", quoted(&row.class));
    text
}

/// An example that says nothing yet, with the first point as a pattern.
fn example(rows: &[Row]) -> String {
    let mut text = String::from(
        "\n# Words as the device or its document gives them, and the values that they stand for.\n\
         [[example]]\nname = \"fill in\"\nraw = [\n",
    );
    for row in rows.iter().take(1) {
        let _ = writeln!(
            text,
            "    # {{ table = \"{}\", address = {}, words = [0] }},\n]\n[example.values]\n# {} = 0",
            row.table.word(),
            row.address,
            row.name
        );
    }
    if rows.is_empty() {
        text += "]\n";
    }
    text
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// What may stand behind a `#`.
fn one_line(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

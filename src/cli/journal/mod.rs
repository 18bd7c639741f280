//! `emberwatch journal`: what was decided, read from the disk: whether it is whole, what it says, and all of it for others.
//!
//! It reads the files beside the daemon that writes them, and changes nothing. What is being written meanwhile may or may
//! not be seen.

mod text;

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::cli::check::show_complaints;
use crate::cli::{Exit, config_paths, print, say, table};
use crate::config;
use crate::store::record::Record;
use crate::store::{Audit, Journal, SegmentAudit, audit};
use crate::units::WallTime;
use crate::wire::time::rfc3339;

/// Arguments of `journal`.
#[derive(clap::Args)]
#[command(after_help = "\
  emberwatch journal verify --config /etc/emberwatch/emberwatch.toml    every checksum, link and number
  emberwatch journal show --last 20 --about cut-rack-1                  what was decided, newest last
  emberwatch journal export --out journal.jsonl                         all of it, one JSON object a line

Ends with 0 if the journal is whole, 1 if anything is damaged, changed or missing.")]
pub(crate) struct JournalArgs {
    #[command(subcommand)]
    command: JournalCommand,
}

#[derive(clap::Subcommand)]
enum JournalCommand {
    /// Check every checksum, every link of the hash chain and every number.
    Verify {
        #[command(flatten)]
        place: Place,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show records as text, newest last.
    Show {
        #[command(flatten)]
        place: Place,
        /// So many of them, the newest.
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
        last: u32,
        /// Only those that name this: an alarm, sequence, zone, rule or person.
        #[arg(long, value_name = "NAME")]
        about: Option<String>,
        /// Print JSON, one object a line.
        #[arg(long)]
        json: bool,
    },
    /// Write every record as JSON, one object a line; the last line says where the chain ends.
    Export {
        #[command(flatten)]
        place: Place,
        /// Where to; stdout when absent. A file that exists is not replaced.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
}

/// Where the journal is.
#[derive(clap::Args)]
struct Place {
    /// The configuration that names its directory.
    #[arg(short, long, value_name = "PATH")]
    config: Vec<PathBuf>,
    /// The directory itself.
    #[arg(long, value_name = "DIR", conflicts_with = "config")]
    dir: Option<PathBuf>,
}

/// How it fails, and what to say.
type Failure = (Exit, String);

/// Carries it out.
pub(crate) fn journal(args: &JournalArgs) -> Exit {
    let outcome = match &args.command {
        JournalCommand::Verify { place, json } => verify(place, *json),
        JournalCommand::Show { place, last, about, json } => show(place, *last, about.as_deref(), *json),
        JournalCommand::Export { place, out } => export(place, out.as_deref()),
    };
    outcome.unwrap_or_else(|(exit, sentence)| {
        if !sentence.is_empty() {
            say(&format!("emberwatch journal: {sentence}"));
        }
        exit
    })
}

impl Place {
    fn directory(&self) -> Result<PathBuf, Failure> {
        if let Some(dir) = &self.dir {
            return Ok(dir.clone());
        }
        let loaded = config::load(&config_paths(&self.config)).map_err(|complaints| {
            show_complaints(&complaints, false);
            (Exit::Config, String::new())
        })?;
        Ok(loaded.state_dir)
    }

    /// The directory, and what an audit of it found.
    fn audit(&self) -> Result<(PathBuf, Audit), Failure> {
        let directory = self.directory()?;
        let found = audit(&directory).map_err(|error| unreadable(&directory, &error))?;
        if found.segments.is_empty() {
            return Err((Exit::Unavailable, format!("{} holds no journal", directory.display())));
        }
        Ok((directory, found))
    }
}

fn unreadable(directory: &Path, error: &io::Error) -> Failure {
    let exit =
        if error.kind() == io::ErrorKind::PermissionDenied { Exit::Permission } else { Exit::Unavailable };
    (exit, format!("cannot read {}: {error}", directory.display()))
}

fn verify(place: &Place, as_json: bool) -> Result<Exit, Failure> {
    let (directory, found) = place.audit()?;
    if as_json {
        print(&json_of(&found).to_string());
    } else {
        let mut rows = vec![["segment", "records", "numbers", "from", "to", ""].map(str::to_owned).to_vec()];
        rows.extend(found.segments.iter().map(row));
        for line in table::lines(&rows) {
            print(&line);
        }
        print("");
        let verdict = if found.is_whole() { "whole" } else { "NOT WHOLE" };
        print(&format!("{}: {} records, {verdict}", directory.display(), found.records()));
        if let Some(chain) = &found.chain {
            print(&format!("chain {chain}"));
        }
    }
    Ok(if found.is_whole() { Exit::Ok } else { Exit::No })
}

fn row(segment: &SegmentAudit) -> Vec<String> {
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let numbers = segment.numbers.map(|(first, last)| format!("{first} to {last}"));
    let made =
        |pick: fn((i64, i64)) -> i64| or_dash(segment.made_ms.map(|made| rfc3339(WallTime(pick(made)))));
    let mut remarks = segment.complaints.clone();
    if segment.torn && remarks.is_empty() {
        remarks.push("ends in the middle of a record: power was lost, or it is being written".to_owned());
    }
    vec![
        segment.name.clone(),
        segment.records.to_string(),
        or_dash(numbers),
        made(|(first, _)| first),
        made(|(_, last)| last),
        remarks.join("; "),
    ]
}

fn json_of(found: &Audit) -> Value {
    let segment = |segment: &SegmentAudit| {
        json!({
            "name": segment.name,
            "bytes": segment.bytes,
            "records": segment.records,
            "first": segment.numbers.map(|(first, _)| first),
            "last": segment.numbers.map(|(_, last)| last),
            "from": segment.made_ms.map(|(from, _)| rfc3339(WallTime(from))),
            "to": segment.made_ms.map(|(_, to)| rfc3339(WallTime(to))),
            "torn": segment.torn,
            "complaints": segment.complaints,
        })
    };
    json!({
        "whole": found.is_whole(),
        "records": found.records(),
        "chain": found.chain,
        "segments": found.segments.iter().map(segment).collect::<Vec<_>>(),
    })
}

fn show(place: &Place, last: u32, about: Option<&str>, as_json: bool) -> Result<Exit, Failure> {
    let (directory, found) = place.audit()?;
    let records = Journal::read(&directory).map_err(|error| unreadable(&directory, &error))?;
    let mut newest: VecDeque<String> = VecDeque::new();
    let last = usize::try_from(last).unwrap_or(usize::MAX);
    for record in records.filter(|record| about.is_none_or(|name| text::names(record, name))) {
        if newest.len() == last {
            newest.pop_front();
        }
        newest.push_back(if as_json { object(&record).to_string() } else { text::line(&record) });
    }
    for line in newest {
        print(&line);
    }
    Ok(concluded(&found))
}

fn export(place: &Place, out: Option<&Path>) -> Result<Exit, Failure> {
    let (directory, found) = place.audit()?;
    let records = Journal::read(&directory).map_err(|error| unreadable(&directory, &error))?;
    let lines =
        records.map(|record| object(&record)).chain(std::iter::once(json!({ "audit": json_of(&found) })));
    let Some(path) = out else {
        lines.for_each(|line| print(&line.to_string()));
        return Ok(concluded(&found));
    };
    let cannot = |error: io::Error| (Exit::CannotCreate, format!("cannot write {}: {error}", path.display()));
    let mut file = BufWriter::new(File::create_new(path).map_err(cannot)?);
    for line in lines {
        writeln!(file, "{line}").map_err(cannot)?;
    }
    let file = file.into_inner().map_err(|error| cannot(error.into_error()))?;
    file.sync_all().map_err(cannot)?;
    say(&format!("{} records in {}", found.records(), path.display()));
    Ok(concluded(&found))
}

/// Says what is wrong with the journal that was just shown.
fn concluded(found: &Audit) -> Exit {
    for segment in found.segments.iter().filter(|segment| !segment.complaints.is_empty()) {
        say(&format!("{}: {}", segment.name, segment.complaints.join("; ")));
    }
    if found.is_whole() { Exit::Ok } else { Exit::No }
}

fn object(record: &Record) -> Value {
    json!({
        "number": record.number,
        "at": rfc3339(WallTime(record.wall_ms)),
        "uptime_ms": record.uptime_ms,
        "is": record.body,
    })
}

//! Who may import whom: reads `src/**/*.rs` and enforces the table of ARCHITECTURE.md.
//!
//! The safety core stays provable only while it is pure, and an edge stays replaceable only while no other
//! edge knows it. This test reads the sources as text: it strips comments and literals, flattens every path
//! (`use a::{b, c::d}` included) and asks the table. Test modules of edges are exempt, those of the core
//! are not. Each complaint names file, line, rule and what to do instead.

use std::fmt;
use std::path::{Path, PathBuf};

/// One path in the sources, flattened: `crate::safety::{fact, units}` gives two.
#[derive(Debug)]
struct Import {
    line: usize,
    segments: Vec<String>,
}

struct Complaint {
    file: String,
    line: usize,
    path: String,
    rule: &'static str,
    instead: &'static str,
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, path, rule, instead } = self;
        write!(f, "{file}:{line}: `{path}`: {rule}.\n    Instead: {instead}.")
    }
}

/// The rooms of the house and whom each may use. `None` is "everything of ours".
const TABLE: [(&str, Option<&[&str]>); 19] = [
    ("units", Some(&[])),
    ("safety", Some(&["units"])),
    ("clock", Some(&["units"])),
    ("exchange", Some(&["safety", "units"])),
    ("disk", Some(&[])),
    ("wire", Some(&["safety", "units", "clock", "exchange"])),
    ("field", Some(EDGE)),
    ("sinks", Some(EDGE)),
    ("notify", Some(EDGE)),
    ("nut", Some(EDGE)),
    ("store", Some(EDGE)),
    ("web", Some(EDGE)),
    ("sim", Some(EDGE)),
    ("replay", Some(&["safety", "units", "wire"])),
    ("evaluate", Some(&["safety", "units", "replay", "sim"])),
    ("metrics", Some(&[])),
    ("config", Some(&["safety", "units", "clock"])),
    (
        "runtime",
        Some(&[
            "safety", "units", "clock", "exchange", "wire", "field", "sinks", "notify", "nut", "store",
            "web", "sim", "replay", "config", "metrics",
        ]),
    ),
    ("cli", None),
];

const EDGE: &[&str] = &["safety", "units", "clock", "exchange", "metrics", "disk", "wire"];

/// Where each client crate lives: the prefixes of the files that may name it.
const CLIENTS: [(&str, &[&str]); 10] = [
    ("prometheus_client", &["metrics/"]),
    ("tokio_modbus", &["sim/"]),
    ("serial2_tokio", &["field/transport"]),
    ("tokio_rustls", &["field/transport", "nut/"]),
    ("rumqttc", &["sinks/mqtt"]),
    ("influxdb2", &["sinks/influx"]),
    ("axum", &["web/"]),
    ("reqwest", &["notify/", "sinks/influx"]),
    ("lettre", &["notify/"]),
    ("mqtt5", &["sim/", "cli/demo"]),
];

/// What the pure modules must never name.
const IMPURE: [&[&str]; 10] = [
    &["tokio"],
    &["serde"],
    &["serde_json"],
    &["tracing"],
    &["std", "fs"],
    &["std", "net"],
    &["std", "time"],
    &["std", "env"],
    &["std", "thread"],
    &["std", "io"],
];

/// Readings of a clock, by the last segments of their path.
const CLOCK_READS: [&[&str]; 6] = [
    &["SystemTime", "now"],
    &["Instant", "now"],
    &["Timestamp", "now"],
    &["Zoned", "now"],
    &["rustix", "time", "clock_gettime"],
    &["UNIX_EPOCH", "elapsed"],
];

#[test]
fn every_file_imports_only_what_its_room_may() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut complaints = Vec::new();
    for path in sources(&root) {
        let name = path.strip_prefix(&root).expect("found below the root");
        let name = name.to_string_lossy().replace('\\', "/");
        let text = std::fs::read_to_string(&path).expect("sources are readable");
        complaints.extend(complaints_of(&name, &text));
    }
    let list: Vec<String> = complaints.iter().map(ToString::to_string).collect();
    assert!(list.is_empty(), "{} imports break the layering:\n{}", list.len(), list.join("\n"));
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder of sources");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    let (folders, mut files): (Vec<_>, Vec<_>) = paths.into_iter().partition(|path| path.is_dir());
    files.retain(|path| path.extension().is_some_and(|extension| extension == "rs"));
    files.extend(folders.iter().flat_map(|folder| sources(folder)));
    files
}

/// The room a file is in: the first part of its path, without `.rs`.
fn room_of(file: &str) -> &str {
    let first = file.split('/').next().unwrap_or(file);
    first.strip_suffix(".rs").unwrap_or(first)
}

fn complaints_of(file: &str, text: &str) -> Vec<Complaint> {
    let room = room_of(file);
    let pure = matches!(room, "safety" | "units");
    let mut bare = without_comments_and_literals(text);
    if !pure && let Some(tests) = bare.find("#[cfg(test)]\nmod ") {
        bare.truncate(tests);
    }
    let complain = |import: &Import, rule, instead| Complaint {
        file: format!("src/{file}"),
        line: import.line,
        path: import.segments.join("::"),
        rule,
        instead,
    };
    let mut found = Vec::new();
    for import in imports(&bare) {
        let segments = resolved(&import.segments, file);
        if !may_use_ours(room, &segments) {
            found.push(complain(
                &import,
                "this room may not use that one (ARCHITECTURE.md, who may import whom)",
                "pass what is needed as an argument, or move the shared type to safety, exchange or wire",
            ));
        }
        let clients = CLIENTS.iter().find(|(name, _)| segments.first().is_some_and(|first| first == name));
        if let Some((_, homes)) = clients
            && !homes.iter().any(|home| file.starts_with(home))
        {
            found.push(complain(
                &import,
                "a client crate lives in one folder",
                "keep its types inside its folder and hand out types of our own",
            ));
        }
        if pure && IMPURE.iter().any(|impure| starts_with(&segments, impure)) {
            found.push(complain(
                &import,
                "safety and units are pure: no tokio, serde, tracing, files, net, clock, env, threads",
                "let an edge do it and hand the result in as an Input, or out as a Fact",
            ));
        }
        if file != "clock.rs" && CLOCK_READS.iter().any(|read| ends_with(&segments, read)) {
            found.push(complain(
                &import,
                "clocks are read in src/clock.rs only",
                "call clock::now or clock::uptime in the runtime and pass the time on",
            ));
        }
    }
    found
}

fn starts_with(segments: &[String], prefix: &[&str]) -> bool {
    prefix.len() <= segments.len() && segments.iter().zip(prefix).all(|(a, b)| a == b)
}

fn ends_with(segments: &[String], suffix: &[&str]) -> bool {
    suffix.len() <= segments.len() && segments.iter().rev().zip(suffix.iter().rev()).all(|(a, b)| a == b)
}

/// `super::` as far as the root, and the crate's own name, are `crate::`.
fn resolved(segments: &[String], file: &str) -> Vec<String> {
    let inner = file.strip_suffix("/mod.rs").or(file.strip_suffix(".rs")).unwrap_or(file);
    let depth = inner.split('/').count();
    let ups = segments.iter().take_while(|segment| *segment == "super").count();
    let rest = match segments.first().map(String::as_str) {
        // An inline module of a file is one deeper than the file.
        Some("super") if depth <= ups => &segments[ups..],
        Some("crate") => &segments[1..],
        // The command line and main are the only ones outside the library's own tree.
        Some("emberwatch") if !matches!(room_of(file), "main" | "cli") => &segments[1..],
        _ => return segments.to_vec(),
    };
    std::iter::once("crate".to_owned()).chain(rest.iter().cloned()).collect()
}

fn may_use_ours(room: &str, segments: &[String]) -> bool {
    let [first, target, rest @ ..] = segments else { return true };
    if first != "crate" || target == room || !TABLE.iter().any(|(name, _)| name == target) {
        return true;
    }
    let Some((_, allowed)) = TABLE.iter().find(|(name, _)| *name == room) else { return true };
    // The configuration fills in the option types of the edges, reads device profiles, and judges the worst case
    // on paper: these parts of the field are pure.
    let pure = ["profile", "plan", "budget"];
    let options = rest.iter().any(|segment| segment == "options")
        || (target == "field" && rest.first().is_some_and(|segment| pure.contains(&segment.as_str())));
    allowed.is_none_or(|allowed| allowed.contains(&target.as_str())) || (room == "config" && options)
}

/// Blanks comments, strings and characters; keeps the line breaks.
fn without_comments_and_literals(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let (mut out, mut at) = (String::with_capacity(text.len()), 0);
    let is_word = |index: usize| chars.get(index).is_some_and(|c| c.is_alphanumeric() || *c == '_');
    while let Some(&here) = chars.get(at) {
        let end = match (here, chars.get(at + 1)) {
            ('/', Some('/')) => (at..chars.len()).find(|i| chars[*i] == '\n').unwrap_or(chars.len()),
            ('/', Some('*')) => end_of_block_comment(&chars, at),
            ('"', _) => end_of_string(&chars, at),
            ('r', Some('"' | '#')) if at == 0 || !is_word(at - 1) => end_of_raw_string(&chars, at),
            // A character, not a lifetime.
            ('\'', Some('\\')) => (at + 3..chars.len()).find(|i| chars[*i] == '\'').map_or(at + 1, |i| i + 1),
            ('\'', Some(_)) if chars.get(at + 2) == Some(&'\'') => at + 3,
            _ => {
                out.push(here);
                at += 1;
                continue;
            }
        };
        out.extend(chars[at..end].iter().filter(|c| **c == '\n'));
        out.push(' ');
        at = end;
    }
    out
}

fn end_of_block_comment(chars: &[char], start: usize) -> usize {
    let (mut depth, mut at) = (0, start);
    while at + 1 < chars.len() {
        match (chars[at], chars[at + 1]) {
            ('/', '*') => (depth, at) = (depth + 1, at + 2),
            ('*', '/') if depth == 1 => return at + 2,
            ('*', '/') => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
    }
    chars.len()
}

fn end_of_string(chars: &[char], start: usize) -> usize {
    let mut at = start + 1;
    while at < chars.len() && chars[at] != '"' {
        at += if chars[at] == '\\' { 2 } else { 1 };
    }
    (at + 1).min(chars.len())
}

fn end_of_raw_string(chars: &[char], start: usize) -> usize {
    let hashes = chars[start + 1..].iter().take_while(|c| **c == '#').count();
    if chars.get(start + 1 + hashes) != Some(&'"') {
        return start + 1; // A raw identifier: `r#type`.
    }
    let closes = |at: &usize| {
        chars[*at] == '"' && chars[at + 1..].iter().take(hashes).filter(|c| **c == '#').count() == hashes
    };
    (start + 2 + hashes..chars.len()).find(closes).map_or(chars.len(), |at| at + 1 + hashes)
}

#[derive(Debug, PartialEq)]
enum Token {
    Word(String),
    PathSeparator,
    Other(char),
}

fn tokens(text: &str) -> Vec<(usize, Token)> {
    let chars: Vec<char> = text.chars().collect();
    let (mut found, mut at, mut line) = (Vec::new(), 0, 1);
    while let Some(&here) = chars.get(at) {
        if here.is_alphanumeric() || here == '_' {
            let length = chars[at..].iter().take_while(|c| c.is_alphanumeric() || **c == '_').count();
            found.push((line, Token::Word(chars[at..at + length].iter().collect())));
            at += length;
            continue;
        }
        if here == ':' && chars.get(at + 1) == Some(&':') {
            found.push((line, Token::PathSeparator));
            at += 2;
            continue;
        }
        line += usize::from(here == '\n');
        if !here.is_whitespace() {
            found.push((line, Token::Other(here)));
        }
        at += 1;
    }
    found
}

/// Every path of the text with more than one segment, groups flattened.
fn imports(text: &str) -> Vec<Import> {
    let tokens = tokens(text);
    let (mut found, mut at) = (Vec::new(), 0);
    while at < tokens.len() {
        match tokens[at].1 {
            Token::Word(_) => at = path_tree(&tokens, at, &[], &mut found),
            Token::PathSeparator | Token::Other(_) => at += 1,
        }
    }
    found.retain(|import| 1 < import.segments.len());
    found
}

/// Reads one path from `at`; returns where it ends.
fn path_tree(tokens: &[(usize, Token)], mut at: usize, before: &[String], found: &mut Vec<Import>) -> usize {
    let mut segments = before.to_vec();
    let line = tokens[at].0;
    while let Some((_, Token::Word(word))) = tokens.get(at) {
        segments.push(word.clone());
        at += 1;
        let Some((_, Token::PathSeparator)) = tokens.get(at) else { break };
        at += 1;
        if let Some((_, Token::Other('{'))) = tokens.get(at) {
            at += 1;
            while at < tokens.len() && tokens[at].1 != Token::Other('}') {
                match tokens[at].1 {
                    Token::Word(_) => at = path_tree(tokens, at, &segments, found),
                    Token::PathSeparator | Token::Other(_) => at += 1,
                }
            }
            return at + 1;
        }
    }
    found.push(Import { line, segments });
    at
}

fn planted(file: &str, text: &str) -> Vec<String> {
    complaints_of(file, text)
        .iter()
        .map(|complaint| format!("{}: {}", complaint.line, complaint.path))
        .collect()
}

#[test]
fn a_planted_import_against_the_table_is_found_in_every_disguise() {
    for (file, text, found) in [
        ("safety/risk.rs", "\nuse crate::field::poll;", "2: crate::field::poll"),
        ("safety/risk.rs", "use crate::{units::Now,\n wire::Topic};", "2: crate::wire::Topic"),
        ("safety/mod.rs", "use super::store;\nuse super::clock::now;", "2: super::clock::now"),
        ("units.rs", "fn f() { crate::safety::TICK; }", "1: crate::safety::TICK"),
        ("field/poll.rs", "use crate::sinks::mqtt::Sink;", "1: crate::sinks::mqtt::Sink"),
        ("sinks/mqtt/mod.rs", "use emberwatch::config::load;", "1: emberwatch::config::load"),
        ("web/api.rs", "use crate::runtime::Loop;", "1: crate::runtime::Loop"),
        ("wire/topic.rs", "use crate::field::order;", "1: crate::field::order"),
        ("config/plant.rs", "use crate::field::poll::Poll;", "1: crate::field::poll::Poll"),
        ("runtime.rs", "use crate::cli::run;", "1: crate::cli::run"),
    ] {
        assert!(planted(file, text).contains(&found.to_owned()), "{file}: {text}: {:?}", planted(file, text));
    }
}

#[test]
fn a_planted_client_crate_outside_its_folder_is_found() {
    for (file, text) in [
        ("notify/webhook.rs", "use tokio_modbus::client::Context;"),
        ("sinks/influx/mod.rs", "use rumqttc::v5::Client;"),
        ("sinks/mqtt/mod.rs", "fn f() -> influxdb2::Client {}"),
        ("runtime.rs", "use axum::Router;"),
        ("web/mod.rs", "use reqwest::Client;"),
        ("cli/run.rs", "use mqtt5::broker;"),
    ] {
        assert_eq!(planted(file, text).len(), 1, "{file}: {text}");
    }
}

#[test]
fn planted_impurity_and_clock_reads_are_found() {
    for (file, text) in [
        ("safety/mod.rs", "use std::{collections::BTreeMap, fs};"),
        ("safety/mod.rs", "fn f() { std::env::var(); }"),
        ("safety/mod.rs", "#[cfg(test)]\nmod tests { use std::time::Duration; }"),
        ("units.rs", "use serde::Serialize;"),
        ("safety/alarm.rs", "fn f() { tracing::info!(); }"),
        ("field/poll.rs", "fn f() { let t = Instant::now(); }"),
        ("store/journal.rs", "let t = std::time::SystemTime::now();"),
        ("runtime.rs", "use rustix::time::{ClockId, clock_gettime};"),
    ] {
        assert_eq!(planted(file, text).len(), 1, "{file}: {text}");
    }
}

#[test]
fn what_is_allowed_is_left_alone() {
    for (file, text) in [
        ("safety/risk.rs", "use crate::units::Now;\nuse std::collections::BTreeMap;"),
        (
            "safety/risk.rs",
            "// crate::field\n/* tokio::spawn */ const A: &str = \"std::fs::read crate::web::x\";",
        ),
        ("safety/risk.rs", "fn f<'a>(x: &'a str) -> char { ':' }"),
        ("safety/sequence/mod.rs", "use super::alarm::AlarmRecord; use super::site::Site;"),
        ("config/plant.rs", "use crate::sinks::mqtt::options::Mqtt;\nuse crate::field::profile::Profile;"),
        ("sim/mod.rs", "use tokio_modbus::prelude::*;\nuse crate::wire::Topic;"),
        ("field/mod.rs", "fn f() {}\n#[cfg(test)]\nmod tests { use crate::sim::Room; }"),
        ("clock.rs", "use rustix::time::{ClockId, clock_gettime};"),
        ("main.rs", "use emberwatch::cli::run;"),
        ("cli/demo.rs", "use mqtt5::broker; use crate::runtime::Loop;"),
    ] {
        assert_eq!(planted(file, text), Vec::<String>::new(), "{file}: {text}");
    }
}

#[test]
fn a_complaint_names_file_line_rule_and_remedy() {
    let complaints = complaints_of("safety/risk.rs", "\nuse crate::web::Page;");
    let said = complaints[0].to_string();
    for part in ["src/safety/risk.rs:2", "`crate::web::Page`", "ARCHITECTURE.md", "Instead: "] {
        assert!(said.contains(part), "{said}");
    }
}

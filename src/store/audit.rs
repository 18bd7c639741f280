//! Whether a journal is whole: every checksum, every link of its chain, every number.
//!
//! It reads, and changes nothing. What was taken off the end of the newest segment cannot be seen from the files alone:
//! only who kept the last number or the last chain elsewhere can tell.

use std::fmt::Write as _;
use std::io;
use std::path::Path;

use super::record::Body;
use super::recover::decode;
use super::segment::{self, Chain};
use crate::disk;

/// What was found in one segment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SegmentAudit {
    /// Its file name.
    pub name: String,
    /// Bytes of it.
    pub bytes: u64,
    /// Records that are whole.
    pub records: u64,
    /// The first and the last number in it, its snapshot not counted.
    pub numbers: Option<(u64, u64)>,
    /// When they were made, milliseconds since 1970.
    pub made_ms: Option<(i64, i64)>,
    /// What is wrong with it, one sentence each.
    pub complaints: Vec<String>,
    /// It ends in the middle of a record, as power lost while writing leaves it. Only the newest may.
    pub torn: bool,
}

/// What was found in a journal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Audit {
    /// Segments, oldest first.
    pub segments: Vec<SegmentAudit>,
    /// Files that are not ours, or of another version.
    pub foreign: Vec<String>,
    /// Where the chain ends, in hexadecimal: who notes it down can prove later that nothing before it was changed.
    pub chain: Option<String>,
}

impl Audit {
    /// Nothing is damaged, missing or out of the chain.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.segments.iter().all(|segment| segment.complaints.is_empty())
    }

    /// Whole records.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.segments.iter().map(|segment| segment.records).sum()
    }
}

/// Reads every segment in a directory, one in memory at a time.
///
/// Errors are those of listing the directory; a file that cannot be read is a complaint.
pub fn audit(directory: &Path) -> io::Result<Audit> {
    let mut names = disk::list(directory)?;
    names.sort();
    let last = names.iter().rfind(|name| segment::number_in(name).is_some()).cloned();
    let mut audit = Audit::default();
    let mut before = Before::default();
    for name in names {
        if segment::number_in(&name).is_none() {
            if name != disk::LOCK_NAME {
                audit.foreign.push(name);
            }
            continue;
        }
        let newest = last.as_ref() == Some(&name);
        match disk::read(directory, &name) {
            Ok(bytes) => match before.read(&name, &bytes, newest) {
                Some(segment) => audit.segments.push(segment),
                None => audit.foreign.push(name),
            },
            Err(error) => audit.segments.push(SegmentAudit {
                complaints: vec![format!("cannot be read: {error}")],
                name,
                ..SegmentAudit::default()
            }),
        }
    }
    audit.chain = before.ends.map(hexadecimal);
    Ok(audit)
}

/// What the segments before had.
#[derive(Default)]
struct Before {
    number: u64,
    /// Every chain that the segment before reached; empty before the first.
    chains: Vec<Chain>,
    ends: Option<Chain>,
}

impl Before {
    fn read(&mut self, name: &str, bytes: &[u8], newest: bool) -> Option<SegmentAudit> {
        let scan = segment::scan(bytes)?;
        let mut segment =
            SegmentAudit { name: name.to_owned(), bytes: bytes.len() as u64, ..SegmentAudit::default() };
        if 0 < scan.damaged {
            segment.complaints.push(format!("{} places are damaged, changed or missing", scan.damaged));
        }
        let follows =
            scan.follows.is_none_or(|follows| self.chains.is_empty() || self.chains.contains(&follows));
        if !follows {
            segment.complaints.push("it does not follow the segment before it".to_owned());
        }
        let mut strange = 0;
        for frame in &scan.frames {
            let Some(record) = decode(frame) else {
                strange += 1;
                continue;
            };
            segment.records += 1;
            if matches!(record.body, Body::Snapshot(_)) || record.number <= self.number {
                continue;
            }
            if 0 < self.number && self.number + 1 < record.number {
                segment.complaints.push(missing(self.number + 1, record.number - 1));
            }
            self.number = record.number;
            let first = segment.numbers.map_or(record.number, |(first, _)| first);
            segment.numbers = Some((first, record.number));
            let since = segment.made_ms.map_or(record.wall_ms, |(since, _)| since);
            segment.made_ms = Some((since, record.wall_ms));
        }
        if 0 < strange {
            segment.complaints.push(format!("{strange} records are whole but cannot be understood"));
        }
        segment.torn = scan.torn_at.is_some();
        if segment.torn && !newest {
            segment.complaints.push("it ends in the middle of a record, and is not the newest".to_owned());
        }
        self.chains = scan.begins.into_iter().chain(scan.frames.iter().map(|frame| frame.chain)).collect();
        self.ends = scan.ends().or(self.ends);
        Some(segment)
    }
}

fn missing(from: u64, to: u64) -> String {
    if from == to {
        format!("record {from} is missing")
    } else {
        format!("records {from} to {to} are missing")
    }
}

fn hexadecimal(chain: Chain) -> String {
    chain.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

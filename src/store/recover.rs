//! Reading a journal back: into memory at the start, or record by record for a person.
//!
//! Nothing here refuses to start over what it reads. A torn tail is cut, a damaged record costs itself and
//! is counted, and files that are not ours or of a newer version are left alone and named.

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize as _;

use crate::disk::{self, Disk, LOCK_NAME};
use crate::exchange::Publication;
use crate::safety::memory::Memory;
use crate::safety::site::Site;
use crate::store::fold::Fold;
use crate::store::record::{Body, Payload, Record};
use crate::store::retell::LastMoment;
use crate::store::segment::{self, Chain, Frame};

/// Why a journal cannot be used at all.
#[derive(Debug, thiserror::Error)]
pub enum OpenFault {
    /// Another process has it.
    #[error("the state directory {} is in use by another emberwatch", .0.display())]
    InUse(PathBuf),
    /// It cannot be made, locked or listed.
    #[error("the state directory {} cannot be used: {source}", .path.display())]
    Unusable {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The writer's thread could not be started.
    #[error("the journal's thread cannot be started: {0}")]
    Thread(io::Error),
}

/// What the last run left behind.
#[derive(Clone, Debug, Default)]
pub struct Recovered {
    /// For the core.
    pub memory: Memory,
    /// Records read.
    pub records: u64,
    /// Records, or places in files, that are damaged or missing.
    pub damaged: u64,
    /// Numbers that no record has: dropped when the disk was too slow, or damaged.
    pub missing: u64,
    /// Whether the last segment ended in the middle of a record: power was lost while writing.
    pub torn_tail: bool,
    /// Whether the last run ended as it should. False for a first start.
    pub last_stop_clean: bool,
    /// Files in the directory that are not ours, or of a newer version: left alone.
    pub foreign: Vec<String>,
    /// Segments that could not be read at all.
    pub unreadable: Vec<String>,
    /// What the last run said in the moment before it died, record by record: somebody may not have heard it. Empty
    /// after a stop as it should be.
    pub last_words: Vec<Arc<Publication>>,
}

/// What recovery hands to the writer besides.
pub(super) struct Found {
    pub(super) recovered: Recovered,
    pub(super) fold: Fold,
    /// No segment has this number or a higher one.
    pub(super) next_segment: u64,
    /// Where the chain of all records ends.
    pub(super) follows: Chain,
}

/// Reads all segments and folds them into memory.
pub(super) fn recover(disk: &mut dyn Disk, boot: &str, site: &Site) -> io::Result<Found> {
    let mut found = Found {
        recovered: Recovered::default(),
        fold: Fold::default(),
        next_segment: 1,
        follows: segment::NOTHING,
    };
    let mut seen = Seen::default();
    let names: BTreeSet<String> = disk.list()?.into_iter().collect();
    let last = names.iter().rfind(|name| segment::number_in(name).is_some()).cloned();
    for name in &names {
        let Some(number) = segment::number_in(name) else {
            if name != LOCK_NAME {
                found.recovered.foreign.push(name.clone());
            }
            continue;
        };
        found.next_segment = found.next_segment.max(number.saturating_add(1));
        let is_last = last.as_ref() == Some(name);
        match disk.read(name) {
            Ok(bytes) => {
                if let Some(cut_to) = read_segment(&bytes, name, is_last, &mut found, &mut seen, site) {
                    // On a disk that cannot be written this fails; the tail is then found again next time.
                    let _ = disk.cut(name, cut_to);
                }
            }
            Err(_) => found.recovered.unreadable.push(name.clone()),
        }
    }
    found.fold.upto = found.fold.upto.max(seen.number);
    if !found.recovered.last_stop_clean {
        found.fold.skip_numbers();
    }
    found.recovered.memory = found.fold.memory(boot);
    found.recovered.last_words = seen.last.publications(site);
    Ok(found)
}

#[derive(Default)]
struct Seen {
    number: u64,
    last: LastMoment,
}

/// Returns where to cut, if this is the last segment and its tail is torn.
fn read_segment(
    bytes: &[u8],
    name: &str,
    is_last: bool,
    found: &mut Found,
    seen: &mut Seen,
    site: &Site,
) -> Option<u64> {
    let recovered = &mut found.recovered;
    let Some(scan) = segment::scan(bytes) else {
        recovered.foreign.push(name.to_owned());
        return None;
    };
    recovered.damaged += scan.damaged;
    found.follows = scan.ends().unwrap_or(found.follows);
    for frame in &scan.frames {
        let Some(record) = decode(frame) else {
            recovered.damaged += 1;
            continue;
        };
        let is_snapshot = matches!(record.body, Body::Snapshot(_));
        let news = is_snapshot || seen.number < record.number;
        if !news {
            // Written twice: the file before was given up after an error, and its tail written again.
            continue;
        }
        recovered.records += 1;
        if !is_snapshot {
            if 0 < seen.number {
                recovered.missing += record.number - seen.number - 1;
            }
            seen.number = record.number;
            recovered.last_stop_clean = matches!(record.body, Body::Stop {});
        }
        if is_snapshot || found.fold.upto < record.number {
            found.fold.record(site, &record.body);
        }
        if !is_snapshot {
            seen.last.record(record);
        }
    }
    let torn_at = scan.torn_at?;
    if is_last {
        recovered.torn_tail = true;
        return u64::try_from(torn_at).ok();
    }
    recovered.damaged += 1;
    None
}

pub(super) fn decode(frame: &Frame<'_>) -> Option<Record> {
    let mut json = serde_json::Deserializer::from_slice(frame.payload);
    let payload = Payload::<Body>::deserialize(&mut json).ok()?;
    Some(Record { number: frame.number, uptime_ms: payload.up, wall_ms: payload.at, body: payload.is })
}

/// The readable records of a journal, oldest first, one segment in memory at a time. Needs no lock: what is
/// being written at the same time may or may not be seen.
#[derive(Debug)]
pub struct Records {
    directory: PathBuf,
    segments: VecDeque<String>,
    loaded: VecDeque<Record>,
    last: u64,
}

impl Records {
    pub(super) fn open(directory: &Path) -> io::Result<Self> {
        let mut names = disk::list(directory)?;
        names.retain(|name| segment::number_in(name).is_some());
        names.sort();
        Ok(Self { directory: directory.to_owned(), segments: names.into(), loaded: VecDeque::new(), last: 0 })
    }

    fn load(&mut self, name: &str) {
        let Ok(bytes) = disk::read(&self.directory, name) else { return };
        let Some(scan) = segment::scan(&bytes) else { return };
        for record in scan.frames.iter().filter_map(decode) {
            let is_snapshot = matches!(record.body, Body::Snapshot(_));
            if is_snapshot || self.last < record.number {
                if !is_snapshot {
                    self.last = record.number;
                }
                self.loaded.push_back(record);
            }
        }
    }
}

impl Iterator for Records {
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        while self.loaded.is_empty() {
            let name = self.segments.pop_front()?;
            self.load(&name);
        }
        self.loaded.pop_front()
    }
}

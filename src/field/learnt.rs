//! What devices refused, kept on disk: after a restart nobody asks again for what is known not to be there.
//!
//! Knowledge is kept by link, unit and profile, and forgotten when any of them changes. It is only ever a
//! short cut: a file that is missing, damaged or cannot be written costs a few requests, and nothing else.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::field::options::{DeviceOptions, LinkOptions};
use crate::field::plan::Barrier;
use crate::field::profile::{Forbidden, Profile, Table};

/// Devices that are remembered at most.
const DEVICES_MAX: usize = 10_000;

/// The largest file that is read.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// A handle to what was learnt. Without a file it lasts as long as the process.
#[derive(Clone, Debug, Default)]
pub struct Learnt {
    shared: Arc<Mutex<Shared>>,
}

#[derive(Debug, Default)]
struct Shared {
    path: Option<PathBuf>,
    devices: BTreeMap<String, Known>,
}

/// What is known of one device. Points by name: positions change with the profile.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Known {
    /// Table, first and last address.
    fillers: Vec<(String, u16, u16)>,
    points: Vec<String>,
}

impl Learnt {
    /// What was kept in this file, and from now on is kept there.
    #[must_use]
    pub fn at(path: PathBuf) -> Self {
        let devices = match read(&path) {
            Ok(devices) => devices,
            Err(error) => {
                tracing::warn!(file = %path.display(), %error, "what devices refuse is learnt anew");
                BTreeMap::new()
            }
        };
        Self { shared: Arc::new(Mutex::new(Shared { path: Some(path), devices })) }
    }

    /// What this device is known to refuse.
    #[must_use]
    pub fn of(&self, link: &LinkOptions, device: &DeviceOptions) -> Vec<Barrier> {
        let shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        shared.devices.get(&key(link, device)).map_or_else(Vec::new, |known| known.barriers(&device.profile))
    }

    /// Keeps what this device refuses. Written by a thread of its own: the disk never holds a link up.
    pub fn keep(&self, link: &LinkOptions, device: &DeviceOptions, barriers: &[Barrier]) {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        let key = key(link, device);
        if barriers.is_empty() {
            shared.devices.remove(&key);
        } else if shared.devices.len() < DEVICES_MAX {
            shared.devices.insert(key, Known::of(barriers, &device.profile));
        }
        let Some(path) = shared.path.clone() else { return };
        let text = serde_json::to_vec_pretty(&shared.devices).expect("names and numbers become JSON");
        drop(shared);
        tokio::task::spawn_blocking(move || {
            if let Err(error) = write(&path, &text) {
                tracing::warn!(file = %path.display(), %error, "what devices refuse is not kept");
            }
        });
    }
}

impl Known {
    fn of(barriers: &[Barrier], profile: &Profile) -> Self {
        let mut known = Self::default();
        for barrier in barriers {
            match barrier {
                Barrier::Filler(Forbidden { table, first, last }) => {
                    known.fillers.push((table.word().to_owned(), *first, *last));
                }
                Barrier::Point(at) => known.points.push(profile.points[*at].name.clone()),
            }
        }
        known
    }

    fn barriers(&self, profile: &Profile) -> Vec<Barrier> {
        let tables = [Table::Coil, Table::Discrete, Table::Input, Table::Holding];
        let filler = |(word, first, last): &(String, u16, u16)| {
            let table = tables.into_iter().find(|table| table.word() == word)?;
            Some(Barrier::Filler(Forbidden { table, first: *first, last: *last }))
        };
        let point = |name: &String| profile.point(name).map(Barrier::Point);
        self.fillers.iter().filter_map(filler).chain(self.points.iter().filter_map(point)).collect()
    }
}

/// Link, unit and profile; the register map itself is part of it.
fn key(link: &LinkOptions, device: &DeviceOptions) -> String {
    let map = crc32fast::hash(format!("{:?}", device.profile.points).as_bytes());
    format!("{}/{}/{}-{map:08x}", link.name, device.unit, device.profile.id)
}

fn read(path: &Path) -> std::io::Result<BTreeMap<String, Known>> {
    match std::fs::metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(error),
        Ok(about) if FILE_BYTES_MAX < about.len() => return Err(std::io::ErrorKind::FileTooLarge.into()),
        Ok(_) => {}
    }
    serde_json::from_slice(&std::fs::read(path)?).map_err(std::io::Error::other)
}

/// Beside it, then in its place: whoever reads it finds the old or the new.
fn write(path: &Path, text: &[u8]) -> std::io::Result<()> {
    let beside = path.with_extension("new");
    std::fs::write(&beside, text)?;
    std::fs::rename(&beside, path)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::field::link::testing::{device, link};

    const TWO: &str = "[[point]]\nname = \"r-{n}\"\ncount = 2\ntable = \"holding\"\naddress = 100\ntype = \"u16\"\nclass = \"fast\"\n";

    #[tokio::test]
    async fn what_was_learnt_outlives_the_process_but_not_a_change_of_the_map() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("learnt.json");
        let options = link("127.0.0.1:1", vec![device(1, TWO, 1000)]);
        let barriers =
            [Barrier::Filler(Forbidden { table: Table::Holding, first: 7, last: 9 }), Barrier::Point(1)];
        Learnt::at(file.clone()).keep(&options, &options.devices[0], &barriers);
        while !file.exists() {
            tokio::task::yield_now().await;
        }
        let again = Learnt::at(file.clone());
        assert_eq!(again.of(&options, &options.devices[0]), barriers);
        let moved = device(1, &TWO.replace("100", "101"), 1000);
        assert_eq!(again.of(&options, &moved), []);
        std::fs::write(&file, "{ not json").unwrap();
        assert_eq!(Learnt::at(file).of(&options, &options.devices[0]), []);
    }
}

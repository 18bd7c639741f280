//! The retained topics that this gateway once owned: what was taken out of the configuration is taken off the broker.
//!
//! A file has them, one a line. At the start, those that are no more are published empty, which removes them; they stay in
//! the file until the next start after that, since nobody knows what a broker has kept. Only topics of this site are touched,
//! below its root or among Home Assistant's discovery with the site in their name, under whatever prefix; and only those
//! that this gateway wrote itself: another gateway's are never in the file.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Shared;
use super::discovery;
use super::topics::Topic;

/// A longer file is none of ours.
const FILE_BYTES_MAX: u64 = 16 << 20;
/// Before a topic that is no more, and was taken away at the last start.
const GONE: char = '-';

/// What is to be remembered, and where.
#[derive(Debug)]
pub(super) struct Owned {
    path: PathBuf,
    /// All topics of this site begin with this.
    base: String,
    site: String,
    now: BTreeSet<Topic>,
}

impl Owned {
    /// `now` are the retained topics of this configuration: those below `base`, and those of discovery.
    pub(super) fn new(path: PathBuf, base: &str, site: &str, now: BTreeSet<Topic>) -> Self {
        Self { path, base: base.to_owned(), site: site.to_owned(), now }
    }

    /// Takes away what is no more, and remembers what there is. The disk is waited for elsewhere.
    pub(super) async fn bury(self, shared: Arc<Shared>) {
        let ghosts = tokio::task::spawn_blocking(move || self.turn_over()).await.unwrap_or_default();
        if !ghosts.is_empty() {
            tracing::info!(
                count = ghosts.len(),
                "retained topics of an earlier configuration are taken away"
            );
        }
        for ghost in ghosts {
            shared.outbox().gone(&ghost);
        }
        shared.filled.notify_one();
    }

    /// Reads the file, writes it anew, and gives the topics that are no more.
    fn turn_over(&self) -> Vec<Topic> {
        let before = read(&self.path).unwrap_or_else(|error| {
            if error.kind() != io::ErrorKind::NotFound {
                tracing::warn!(%error, path = %self.path.display(), "topics of earlier configurations are not known");
            }
            String::new()
        });
        let ours = |topic: &str| {
            let plain = !topic.contains(['+', '#', '\0']);
            let of_site = topic.starts_with(&self.base) || discovery::is_of_site(topic, &self.site);
            (plain && of_site).then(|| Topic::from(topic))
        };
        let mut ghosts = BTreeSet::new();
        let mut text: String = self.now.iter().flat_map(|topic| [&**topic, "\n"]).collect();
        for line in before.lines() {
            let (again, topic) = line.strip_prefix(GONE).map_or((false, line), |topic| (true, topic));
            let Some(topic) = ours(topic).filter(|topic| !self.now.contains(topic)) else { continue };
            if !again {
                text.push(GONE);
                text.push_str(&topic);
                text.push('\n');
            }
            ghosts.insert(topic);
        }
        if text != before
            && let Err(error) = write(&self.path, &text)
        {
            tracing::warn!(%error, path = %self.path.display(), "the topics of this configuration are not remembered");
        }
        ghosts.into_iter().collect()
    }
}

fn read(path: &Path) -> io::Result<String> {
    if FILE_BYTES_MAX < fs::metadata(path)?.len() {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(String::from_utf8_lossy(&fs::read(path)?).into_owned())
}

/// All or nothing, also when the power goes meanwhile.
fn write(path: &Path, text: &str) -> io::Result<()> {
    use io::Write;
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let new = path.with_extension("new");
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&new, path)
}

//! Lines that the server calls wrong: kept in a file, so that a person can look at them, mend them and send them.
//!
//! The file is line protocol; why a line is there stands before it as a comment. When it is full it becomes the old
//! one, and the old one before it goes: two files of bounded size. Where it cannot be written the log has the line.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// A file larger than this becomes the old one.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// Where dead letters go.
#[derive(Clone, Debug)]
pub(super) struct DeadLetters {
    path: PathBuf,
}

impl DeadLetters {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Sets these lines aside. The disk is waited for elsewhere.
    pub(super) fn put(&self, why: &str, lines: &[String]) {
        let path = self.path.clone();
        let mut text = format!("# {}\n", why.replace(char::is_control, " "));
        text.push_str(&lines.concat());
        tokio::task::spawn_blocking(move || {
            if let Err(error) = append(&path, &text) {
                tracing::error!(%error, path = %path.display(), "dead letters cannot be kept");
            }
        });
    }
}

fn append(path: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    if fs::metadata(path).is_ok_and(|about| FILE_BYTES_MAX < about.len() + text.len() as u64) {
        fs::rename(path, path.with_extension("old.lp"))?;
    }
    let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())
}

//! Finding and reading configuration files.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::config::complaint::{Desk, Place, Source};
use crate::config::explain::Code;

/// Others may write.
const WRITABLE_BY_ALL: u32 = 0o002;

/// Every `*.toml` of a directory, in the order of their names.
pub(super) fn toml_files_in(dir: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if path.extension().is_some_and(|ending| ending == "toml") && path.is_file() {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// Reads all files named by `paths`, files or directories.
pub(super) fn read_all(desk: &mut Desk, paths: &[PathBuf]) {
    for path in paths {
        let files = if path.is_dir() { toml_files_in(path) } else { Ok(vec![path.clone()]) };
        match files {
            Ok(files) => {
                for file in files {
                    if let Some(text) = read_text(desk, &file, None) {
                        desk.complaints.sources.push(Source { path: file, text });
                    }
                }
            }
            Err(error) => unreadable(desk, path, None, &error.to_string()),
        }
    }
    if desk.complaints.sources.is_empty() && desk.complaints.list.is_empty() {
        desk.say_outside(Code::NoFiles, "there is no configuration to read")
            .help("name a file, or a directory with files ending in .toml, with --config");
    }
}

/// Reads one file; complaints are about `named_at`, where a text names it.
pub(super) fn read_text(desk: &mut Desk, path: &Path, named_at: Option<Place>) -> Option<String> {
    match std::fs::metadata(path) {
        Ok(data) if data.permissions().mode() & WRITABLE_BY_ALL != 0 => {
            desk.push_at(
                Code::WritableByAll,
                named_at,
                format!("`{}` may be written by everybody", path.display()),
            )
            .help(format!("chmod o-w {}", path.display()));
        }
        Ok(_) | Err(_) => {}
    }
    match std::fs::read(path).map(String::from_utf8) {
        Ok(Ok(text)) => return Some(text),
        Ok(Err(_)) => unreadable(desk, path, named_at, "not UTF-8 text"),
        Err(error) => unreadable(desk, path, named_at, &error.to_string()),
    }
    None
}

fn unreadable(desk: &mut Desk, path: &Path, named_at: Option<Place>, why: &str) {
    desk.push_at(Code::Unreadable, named_at, format!("cannot read `{}`: {why}", path.display()))
        .help("check the path and who may read it");
}

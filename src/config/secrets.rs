//! Secrets: by reference only, read when the configuration is loaded, never shown.
//!
//! A secret written in plain is masked before the complaint about it can show its line.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use secrecy::SecretString;

use crate::config::complaint::{Desk, Place};
use crate::config::explain::Code;
use crate::config::node::{At, Node};
use crate::config::value;

/// Where environment variables come from: the process, or a test.
pub(super) type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Where systemd puts credentials.
const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";
/// Group and others.
const ANYBODY_ELSE: u32 = 0o077;

/// Reads a secret by its reference.
pub(super) fn read(desk: &mut Desk, key: &str, node: At<Node>, env: Environment) -> Option<At<SecretString>> {
    let at = node.at;
    let Node::Table(mut table) = node.value else {
        desk.mask(at);
        desk.say(Code::PlainSecret, at, format!("`{key}` is written in the configuration"))
            .label("a secret does not belong here")
            .help(format!(
                "write {key} = {{ file = \"/path\" }}, {{ credential = \"name\" }} or {{ env = \"NAME\" }}"
            ));
        return None;
    };
    let credential = table.may(desk, "credential", value::filled);
    let file = table.may(desk, "file", value::filled);
    let variable = table.may(desk, "env", value::filled);
    table.finish(desk);
    let text = match (credential, file, variable) {
        (Some(name), None, None) => from_credential(desk, &name, env),
        (None, Some(path), None) => from_file(desk, &path),
        (None, None, Some(name)) => {
            let found = env(&name.value);
            if found.is_none() {
                missing(desk, name.at, &format!("the environment variable {} is not set", name.value));
            }
            found
        }
        _ => {
            desk.say(Code::KindCount, at, format!("`{key}` must refer to exactly one secret"))
                .help("write one of: credential, file, env");
            None
        }
    }?;
    let text = text.trim();
    if text.is_empty() {
        missing(desk, at, "the secret is empty");
        return None;
    }
    Some(At { value: SecretString::from(text), at })
}

fn from_credential(desk: &mut Desk, name: &At<String>, env: Environment) -> Option<String> {
    if name.value.contains('/') || name.value.starts_with('.') {
        missing(desk, name.at, "a credential is named, not given by its path");
        return None;
    }
    let Some(dir) = env(CREDENTIALS) else {
        missing(desk, name.at, &format!("{CREDENTIALS} is not set: systemd passed no credentials"));
        return None;
    };
    content(desk, name.at, &PathBuf::from(dir).join(&name.value))
}

fn from_file(desk: &mut Desk, path: &At<String>) -> Option<String> {
    let file = absolute(desk, path)?;
    let text = content(desk, path.at, &file)?;
    check_private(desk, path, &file);
    Some(text)
}

/// Complains about a secret file that anybody but its owner may read.
pub(super) fn check_private(desk: &mut Desk, path: &At<String>, file: &Path) {
    let mode = std::fs::metadata(file).map_or(0, |data| data.permissions().mode());
    if mode & ANYBODY_ELSE != 0 {
        desk.say(Code::SecretReadable, path.at, "this secret may be read by others")
            .label(format!("its mode is {:03o}", mode & 0o777))
            .help(format!("chmod 600 {}", path.value));
    }
}

fn content(desk: &mut Desk, at: Place, path: &Path) -> Option<String> {
    match std::fs::read_to_string(path) {
        Ok(text) => Some(text),
        Err(error) => {
            missing(desk, at, &format!("cannot read the secret: {error}"));
            None
        }
    }
}

fn missing(desk: &mut Desk, at: Place, sentence: &str) {
    desk.say(Code::SecretMissing, at, sentence).help("secrets are read when the configuration is loaded");
}

/// A path that means the same wherever the service runs.
pub(super) fn absolute(desk: &mut Desk, path: &At<String>) -> Option<PathBuf> {
    let buffer = PathBuf::from(&path.value);
    if buffer.is_absolute() {
        return Some(buffer);
    }
    desk.say(Code::NotAbsolute, path.at, format!("`{}` is not an absolute path", path.value))
        .help("begin with `/`");
    None
}

/// The path of a readable PEM file.
pub(super) fn pem(desk: &mut Desk, path: &At<String>) -> Option<PathBuf> {
    let file = absolute(desk, path)?;
    let fault = match std::fs::read_to_string(&file) {
        Ok(text) if text.contains("-----BEGIN ") => return Some(file),
        Ok(_) => "it is no PEM file".to_owned(),
        Err(error) => error.to_string(),
    };
    desk.say(Code::TlsFile, path.at, format!("cannot use `{}`: {fault}", path.value))
        .help("name a PEM file that the service's user may read");
    None
}

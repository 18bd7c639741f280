//! Logs by tracing: one event per change, fields not prose. To stderr, or to the journal of systemd.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::config::{LogFormat, LogLevel, LogOptions};

/// Starts logging. A journal that cannot be reached falls back to text, and says so.
pub(crate) fn start(options: LogOptions) {
    let level = match options.level {
        LogLevel::Error => "error",
        LogLevel::Warn => "warn",
        LogLevel::Info => "info",
        LogLevel::Debug => "debug",
    };
    // Libraries speak only of what goes wrong.
    let filter = || EnvFilter::new(format!("warn,emberwatch={level}"));
    let registry = tracing_subscriber::registry();
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let text =
        || tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(colour).with_target(false);
    // systemd says so where it connects stderr to its journal.
    let format = match options.format {
        LogFormat::Auto if std::env::var_os("JOURNAL_STREAM").is_some() => LogFormat::Journald,
        LogFormat::Auto => LogFormat::Text,
        chosen @ (LogFormat::Text | LogFormat::Json | LogFormat::Journald) => chosen,
    };
    match format {
        LogFormat::Auto | LogFormat::Text => registry.with(filter()).with(text()).init(),
        LogFormat::Json => {
            registry.with(filter()).with(text().json().flatten_event(true)).init();
        }
        LogFormat::Journald => match tracing_journald::layer() {
            Ok(journald) => {
                registry.with(filter()).with(journald.with_field_prefix(Some("EMBERWATCH".into()))).init();
            }
            Err(error) => {
                registry.with(filter()).with(text()).init();
                tracing::warn!(%error, "no journal here, logging to stderr");
            }
        },
    }
}

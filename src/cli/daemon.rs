//! Asking the running daemon: where its socket is, and what a failed call means.

use std::path::PathBuf;

use crate::cli::check::load_or_complain;
use crate::cli::way::SocketArgs;
use crate::cli::{Exit, config_paths, edge_runtime, print, say};
use crate::runtime::control::{CallFault, Client, Said};

/// Which daemon.
#[derive(clap::Args)]
pub(crate) struct DaemonArgs {
    /// The configuration of the daemon, to find its socket: a file, or a directory.
    #[arg(short, long, value_name = "PATH", global = true)]
    config: Vec<PathBuf>,
    #[command(flatten)]
    socket: SocketArgs,
    /// Print JSON.
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

/// How a call failed: the exit code, and the sentence.
pub(crate) type Failed = (Exit, String);

impl DaemonArgs {
    /// Connects, does this, and says how it ended.
    pub(crate) fn with<F>(&self, command: &str, act: F) -> Exit
    where
        F: AsyncFnOnce(Client) -> Result<Exit, Failed>,
    {
        let outcome = self.ask(act);
        outcome.unwrap_or_else(|(exit, sentence)| {
            say(&format!("emberwatch {command}: {sentence}"));
            exit
        })
    }

    /// Connects and does this.
    pub(crate) fn ask<F, T>(&self, act: F) -> Result<T, Failed>
    where
        F: AsyncFnOnce(Client) -> Result<T, Failed>,
    {
        let state_dir = if self.config.is_empty() {
            None
        } else {
            let loaded = load_or_complain(&config_paths(&self.config));
            let loaded = loaded.ok_or_else(|| (Exit::Config, "nothing was asked".to_owned()))?;
            Some(loaded.state_dir)
        };
        let socket = self.socket.path(state_dir.as_deref());
        let runtime = edge_runtime().map_err(|error| (Exit::Internal, format!("cannot start: {error}")))?;
        runtime.block_on(async { act(Client::connect(&socket).await.map_err(failed)?).await })
    }
}

/// Tells that a second person must ask the same; `how` says in which ways, or on what the two must agree.
pub(crate) fn tell_proposed(said: &Said, how: &str, json: bool) {
    if let (Some(left), false) = (said.waits_ms, json) {
        let (by, seconds) = (&said.by, left / 1000);
        print(&format!(
            "Proposed by {by}: it takes two persons. Another one asks the same within {seconds} s, {how}."
        ));
    }
}

/// What a failed call means for the one who called.
#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
pub(crate) fn failed(fault: CallFault) -> Failed {
    let exit = match fault {
        CallFault::Forbidden(_) => Exit::Permission,
        CallFault::Refused(_) => Exit::Usage,
        CallFault::Declined(_) => Exit::No,
        CallFault::Nobody(_) | CallFault::Io(_) | CallFault::Strange => Exit::Unavailable,
    };
    let hint = if matches!(fault, CallFault::Nobody(_)) {
        ": start it, or name its configuration with --config or its socket with --socket"
    } else {
        ""
    };
    (exit, format!("{fault}{hint}"))
}

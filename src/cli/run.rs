//! `emberwatch run`: the daemon.

use std::path::PathBuf;
use std::time::Duration;

use sd_notify::NotifyState;

use crate::cli::check::load_or_complain;
use crate::cli::{Exit, config_paths, edge_runtime, ended, logging, say};
use crate::runtime::{Daemon, StartFault};

/// How often the main thread looks whether the safety loop still stands.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Arguments of `run`.
#[derive(clap::Args)]
pub(crate) struct RunArgs {
    /// A file, or a directory of `*.toml` files; may be given more than once.
    #[arg(short, long, value_name = "PATH")]
    config: Vec<PathBuf>,
}

/// Runs until SIGTERM or Ctrl-C. Nothing is polled unless the whole configuration is valid.
pub(crate) fn run(args: &RunArgs) -> Exit {
    let Some(loaded) = load_or_complain(&config_paths(&args.config)) else { return Exit::Config };
    logging::start(loaded.log);
    let runtime = match edge_runtime() {
        Ok(runtime) => runtime,
        Err(error) => {
            say(&format!("emberwatch run: cannot start: {error}"));
            return Exit::Internal;
        }
    };
    let exit = runtime.block_on(async {
        let daemon = match Daemon::start(loaded, None).await {
            Ok(daemon) => daemon,
            Err(fault) => return refuse(&fault),
        };
        tracing::info!(version = env!("CARGO_PKG_VERSION"), site = daemon.site.name, "watching");
        tell_systemd(&[NotifyState::Ready, NotifyState::Status("watching")]);
        let exit = tokio::select! {
            () = ended(None) => Exit::Ok,
            () = broken(&daemon) => Exit::Internal,
        };
        tell_systemd(&[NotifyState::Stopping]);
        daemon.stop().await;
        exit
    });
    runtime.shutdown_timeout(Duration::from_millis(100));
    tracing::info!(code = exit.code(), "stopped");
    exit
}

/// Resolves when the safety loop has ended by itself: then the process must not go on as a ghost.
pub(crate) async fn broken(daemon: &Daemon) {
    while !daemon.is_broken() {
        tokio::time::sleep(LOOK_EVERY).await;
    }
    tracing::error!("the safety loop has ended: an invariant of the core is broken");
}

/// Says why the daemon did not start, and with which code to end.
pub(crate) fn refuse(fault: &StartFault) -> Exit {
    say(&format!("emberwatch: {fault}"));
    match fault {
        StartFault::Busy(_) => Exit::Busy,
        StartFault::Listen { error, .. } | StartFault::ListenNut { error, .. }
            if error.kind() == std::io::ErrorKind::PermissionDenied =>
        {
            Exit::Permission
        }
        StartFault::Listen { .. } | StartFault::ListenNut { .. } => Exit::Unavailable,
        StartFault::Thread(_) => Exit::Internal,
    }
}

fn tell_systemd(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "systemd was not told");
    }
}

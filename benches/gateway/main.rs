//! The whole daemon, measured from outside: `cargo bench --bench gateway -- [latency] [stalled] [load] [tenfold]`.
//!
//! * latency: from the moment a device hands out a register's value to the alarm at an MQTT subscriber, and from
//!   the value that completes a vote to the first coil frame at the breaker, the journal's sync included. The poll
//!   phase (how long a value waits to be asked for) comes on top and is printed apart.
//! * stalled: the same cut while each sync of the disk takes 30 s. `strace` delays them.
//! * load: 40 devices of 125 registers each second into Mosquitto, for 60 s: processor time, memory, late cycles; and the same
//!   without a broker, so that the difference is what publishing costs.
//! * tenfold: 400 such devices, how late the safety loop looks, and how late an alarm is.
#![expect(clippy::unwrap_used, reason = "a measurement that cannot be set up must stop")]
#![expect(clippy::print_stdout, reason = "the figures are the output")]

mod latency;
mod load;
#[path = "../support/mod.rs"]
mod support;

use std::path::{Path, PathBuf};

use support::percentile;

/// What the measurement presents to reset a run.
const TOKEN: &str = "a-token-for-the-measurement";

/// What can be measured.
const WHAT: [&str; 4] = ["latency", "stalled", "load", "tenfold"];

fn main() {
    // For the HTTP client that resets runs; a second installation would only be refused.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let args: Vec<String> = std::env::args().collect();
    let wants = |what: &str| {
        args.iter().any(|arg| arg == what) || !args.iter().any(|arg| WHAT.contains(&arg.as_str()))
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        if wants("latency") {
            latency::latency().await;
        }
        if wants("stalled") {
            latency::stalled().await;
        }
        if wants("load") {
            load::load().await;
        }
        if wants("tenfold") {
            load::tenfold().await;
        }
    });
}

fn milliseconds(ns: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "durations of a measurement")]
    let ns = ns as f64;
    ns / 1e6
}

fn report(what: &str, mut samples: Vec<f64>, p50: f64, p99: f64) {
    println!(
        "{what}: n {}, p50 {:.2} ms (goal {p50}), p99 {:.2} ms (goal {p99}), worst {:.2} ms",
        samples.len(),
        percentile(&mut samples, 0.5),
        percentile(&mut samples, 0.99),
        percentile(&mut samples, 1.0),
    );
}

/// A directory with the configuration's text, its profile, and a token.
fn place(dir: &Path, name: &str, text: &str, profile: &str) -> PathBuf {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::create_dir(dir.join("profiles")).unwrap();
    std::fs::write(dir.join("profiles/bench.toml"), profile).unwrap();
    let token = dir.join("token");
    std::fs::write(&token, TOKEN).unwrap();
    std::fs::set_permissions(&token, std::fs::Permissions::from_mode(0o600)).unwrap();
    let path = dir.join(name);
    std::fs::write(&path, text.replace("@DIR@", &dir.display().to_string())).unwrap();
    path
}

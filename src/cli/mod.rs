//! One file per command. Data goes to stdout, talk to stderr; every way to end has its exit code.

mod alarms;
mod aside;
mod capture;
mod check;
mod daemon;
#[cfg(feature = "demo")]
mod demo;
mod drill;
mod evaluate;
mod journal;
mod logging;
mod notify;
mod probe;
mod profile;
mod record;
mod replay;
mod run;
mod scan;
mod sequence;
mod simulate;
mod status;
mod table;
mod target;
#[cfg(feature = "demo")]
mod terminal;
mod way;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Watches battery rooms: sees a fire coming, tells the people, and cuts power in verified stages.
///
/// Not a listed fire alarm: the fire panel, the battery management's own trips and the hard-wired
/// emergency power off stay in force beside it.
#[derive(Parser)]
#[command(version, max_term_width = 100, after_help = AFTER_HELP)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const AFTER_HELP: &str = "\
Try it:     emberwatch demo
Check it:   emberwatch check config/
Run it:     emberwatch run --config config/emberwatch.toml

Exit codes: 0 ok · 1 the answer is no · 2 usage · 69 unavailable · 70 internal error · 73 cannot create
output · 75 in use by another instance · 77 permission · 78 configuration invalid · 130 interrupted";

#[derive(Subcommand)]
enum Command {
    /// Play a story in a simulated battery room: daemon, broker and page, all on loopback.
    #[cfg(feature = "demo")]
    Demo(demo::DemoArgs),
    /// The daemon.
    Run(run::RunArgs),
    /// Rooms, sequences and alarms of the running daemon, on one screen.
    Status(status::StatusArgs),
    /// Power cuts of the running daemon: list, arm, disarm, abort, reset, cut by hand.
    Sequence(sequence::SequenceArgs),
    /// Rehearse a power cut, with a report.
    Drill(drill::DrillArgs),
    /// Alarms of the running daemon: list, acknowledge, shelve, take out of service.
    Alarms(alarms::AlarmsArgs),
    /// Channels of votes that are put aside for a while: list, begin, end.
    Bypass(aside::BypassArgs),
    /// Zones in which nothing is cut by itself for a while: list, begin, end.
    Maintenance(aside::MaintenanceArgs),
    /// The journal on disk: verify it, show it, export it.
    Journal(journal::JournalArgs),
    /// Try the targets of messages: webhooks, mail, heartbeats.
    Notify(notify::NotifyArgs),
    /// Print every complaint about a configuration, each with file, line and what to do.
    Check(check::CheckArgs),
    /// Find the units of a link and the profiles that fit them; reads only.
    Scan(scan::ScanArgs),
    /// Read one device: raw words, values, quality, verdict.
    Probe(probe::ProbeArgs),
    /// The library of device profiles: list, show, test, and write a new one from a register list.
    Profile(profile::ProfileArgs),
    /// Save the frames of a running daemon's link for Wireshark.
    Capture(capture::CaptureArgs),
    /// Record all that comes into a running daemon's core, for `replay`.
    Record(record::RecordArgs),
    /// Play a recording, or a table of numbers, through the same core: what it says, and what other rules change.
    Replay(replay::ReplayArgs),
    /// Ask what a configuration would miss: its rules over thousands of simulated fires and calm hours.
    Evaluate(evaluate::EvaluateArgs),
    /// Print the `AsyncAPI` document of all that is said over MQTT: topics, quality of service, schemas.
    Asyncapi,
    /// Serve a simulated battery room to any Modbus client: TCP, RTU in TCP, or a pseudo serial port.
    Simulate(simulate::SimulateArgs),
}

/// Where the configuration is, unless told otherwise.
pub(crate) const CONFIG_DEFAULT: &str = "/etc/emberwatch/emberwatch.toml";

/// How a command ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done.
    Ok,
    /// The answer is no.
    No,
    /// Called wrongly.
    Usage,
    /// A device, server or port is not to be had.
    Unavailable,
    /// A defect of emberwatch.
    Internal,
    /// Output could not be created.
    CannotCreate,
    /// Another instance has it.
    Busy,
    /// Not allowed to.
    Permission,
    /// The configuration is invalid; nothing was started.
    Config,
    /// Nothing is known: the word of monitoring plugins for it.
    Unknown,
    /// Ended by Ctrl-C before it was done.
    Interrupted,
}

impl Exit {
    /// Its number, from sysexits.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::No => 1,
            Self::Usage => 2,
            Self::Unknown => 3,
            Self::Unavailable => 69,
            Self::Internal => 70,
            Self::CannotCreate => 73,
            Self::Busy => 75,
            Self::Permission => 77,
            Self::Config => 78,
            Self::Interrupted => 130,
        }
    }
}

/// Parses the command line and carries it out.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            let code = if error.use_stderr() { Exit::Usage } else { Exit::Ok };
            return ExitCode::from(code.code());
        }
    };
    // One provider of cryptography for every TLS client; a second call would only say that there is one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let exit = match cli.command {
        #[cfg(feature = "demo")]
        Command::Demo(args) => demo::demo(&args),
        Command::Run(args) => run::run(&args),
        Command::Status(args) => status::status(&args),
        Command::Sequence(args) => sequence::sequence(&args),
        Command::Drill(args) => drill::drill(&args),
        Command::Alarms(args) => alarms::alarms(&args),
        Command::Bypass(args) => aside::bypass(&args),
        Command::Maintenance(args) => aside::maintenance(&args),
        Command::Journal(args) => journal::journal(&args),
        Command::Notify(args) => notify::notify(&args),
        Command::Check(args) => check::check(&args),
        Command::Scan(args) => scan::scan(&args),
        Command::Probe(args) => probe::probe(&args),
        Command::Profile(args) => profile::profile(&args),
        Command::Capture(args) => capture::capture(&args),
        Command::Record(args) => record::record(&args),
        Command::Replay(args) => replay::replay(&args),
        Command::Evaluate(args) => evaluate::evaluate(&args),
        Command::Asyncapi => {
            print(&format!("{:#}", crate::sinks::mqtt::asyncapi::document()));
            Exit::Ok
        }
        Command::Simulate(args) => simulate::simulate(&args),
    };
    ExitCode::from(exit.code())
}

/// A line for people, on stderr.
pub(crate) fn say(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// A line of data, on stdout. A reader that has gone away is no error.
pub(crate) fn print(line: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

/// The configuration's files, or the default one.
pub(crate) fn config_paths(given: &[PathBuf]) -> Vec<PathBuf> {
    if given.is_empty() { vec![PathBuf::from(CONFIG_DEFAULT)] } else { given.to_vec() }
}

/// A tokio runtime for the edges. One worker is enough for a room, and keeps wake-ups few.
pub(crate) fn edge_runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).thread_name("edges").enable_all().build()
}

/// A duration as people write it: `90s`, `5min`, `500ms`.
pub(crate) fn parse_duration(text: &str) -> Result<std::time::Duration, String> {
    let split = text.find(|letter: char| letter.is_ascii_alphabetic()).unwrap_or(text.len());
    let number: f64 = text[..split].trim().parse().map_err(|_| hint(text))?;
    let seconds = match &text[split..] {
        "ms" => 0.001,
        "s" | "" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        _ => return Err(hint(text)),
    };
    std::time::Duration::try_from_secs_f64(number * seconds).map_err(|_| hint(text))
}

fn hint(text: &str) -> String {
    format!("`{text}` is no duration; write for instance 90s, 5min or 500ms")
}

/// Waits for Ctrl-C, SIGTERM, or the end of the given time.
pub(crate) async fn ended(lasting: Option<std::time::Duration>) {
    use tokio::signal::unix::{SignalKind, signal};
    let terminated = async {
        match signal(SignalKind::terminate()) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    let elapsed = async {
        match lasting {
            Some(lasting) => tokio::time::sleep(lasting).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = terminated => {}
        () = elapsed => {}
    }
}

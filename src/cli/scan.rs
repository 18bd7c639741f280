//! `emberwatch scan`: which units are there, and which profiles fit them. It reads and never writes.

mod draft;
mod hosts;
mod show;

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::cli::target::{LineArgs, Target, USUAL, parse_units};
use crate::cli::way::{SocketArgs, Way, Within};
use crate::cli::{Exit, edge_runtime, ended, print, say};
use crate::field::options::{Endpoint, SerialLine};
use crate::field::profile::{Profile, builtin};
use crate::field::scan::{Ended, Found, ScanPlan, anyone, scan as scan_units};
use crate::runtime::control::protocol::LinkEntry;
use crate::units::Millis;

/// Units that are asked first, with each setting of a serial line, to find the one that is used.
const TASTE_UNITS: usize = 10;

/// The highest unit of a bus. Zero is for everybody, 248 to 255 are not for devices, but 255 is usual on TCP.
const UNIT_MAX: u8 = 247;

/// Arguments of `scan`.
#[derive(clap::Args)]
#[command(after_help = "\
  emberwatch scan tcp://192.0.2.10                          one panel, all units
  emberwatch scan tcp://192.0.2.0/24 --units 1,255          who speaks Modbus in this net
  emberwatch scan /dev/ttyUSB0 --baud 9600 --units 1-32     a serial line
  emberwatch scan /dev/ttyUSB0 --write site.toml            usual settings; a configuration to start from

Nothing answers? In this order: wires A and B swapped, baud and parity, unit identifier, a second master.
Ends with 0 if units were found, 1 if none, 69 if there is no connection, 130 after Ctrl-C.")]
pub(crate) struct ScanArgs {
    /// tcp://HOST[:PORT], tcp://NET/24[:PORT], rtu+tcp://HOST:PORT, or a serial port such as /dev/ttyUSB0.
    target: String,
    /// Units to ask; by default 1 to 247, and on TCP also 0 and 255.
    #[arg(short, long, value_name = "LIST", value_parser = parse_units)]
    units: Option<std::vec::Vec<u8>>,
    #[command(flatten)]
    line: LineArgs,
    /// How long a unit may take to answer; 500 ms on TCP, 300 ms on serial lines.
    #[arg(short, long, value_name = "DURATION", value_parser = super::parse_duration)]
    timeout: Option<std::time::Duration>,
    /// The rest between two requests.
    #[arg(long, value_name = "DURATION", default_value = "20ms", value_parser = super::parse_duration)]
    pause: std::time::Duration,
    /// Folders of more profiles.
    #[arg(long, value_name = "DIR")]
    profile_dir: Vec<PathBuf>,
    /// Print units as JSON, one a line.
    #[arg(long)]
    json: bool,
    /// Write links and devices as a configuration to start from; a file that exists is not overwritten.
    #[arg(short, long, value_name = "FILE")]
    write: Option<PathBuf>,
    #[command(flatten)]
    socket: SocketArgs,
}

/// What was found at one place.
pub(super) struct Findings {
    pub(super) endpoint: Endpoint,
    /// Links of the daemon keep their name.
    pub(super) link: Option<String>,
    pub(super) found: Vec<Found>,
    pub(super) ended: Option<Ended>,
}

/// Finds the units of a link.
pub(crate) fn scan(args: &ScanArgs) -> Exit {
    let target = match Target::parse(&args.target) {
        Ok(target) => target,
        Err(sentence) => return refuse(Exit::Usage, &sentence),
    };
    if let Some(file) = args.write.as_deref().filter(|file| file.exists()) {
        return refuse(Exit::CannotCreate, &format!("{} exists already: name another file", file.display()));
    }
    let profiles = match profiles(&args.profile_dir) {
        Ok(profiles) => profiles,
        Err(sentence) => return refuse(Exit::Usage, &sentence),
    };
    let runtime = match edge_runtime() {
        Ok(runtime) => runtime,
        Err(error) => return refuse(Exit::Internal, &format!("cannot start: {error}")),
    };
    let mut findings = Vec::new();
    let interrupted = runtime.block_on(async {
        tokio::select! {
            () = all(args, &target, profiles, &mut findings) => false,
            () = ended(None) => true,
        }
    });
    runtime.shutdown_background();
    conclude(args, &findings, interrupted)
}

fn refuse(exit: Exit, sentence: &str) -> Exit {
    say(&format!("emberwatch scan: {sentence}"));
    exit
}

/// The shipped profiles, and those of these folders.
pub(crate) fn profiles(dirs: &[PathBuf]) -> Result<Vec<Arc<Profile>>, String> {
    let mut all: Vec<Arc<Profile>> = builtin().into_values().map(|shipped| shipped.profile).collect();
    for dir in dirs {
        let entries =
            std::fs::read_dir(dir).map_err(|error| format!("cannot read {}: {error}", dir.display()))?;
        let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
        paths.sort();
        for path in paths {
            all.push(Arc::new(profile(&path)?));
        }
    }
    Ok(all)
}

fn profile(path: &Path) -> Result<Profile, String> {
    let text =
        std::fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    Profile::parse(&text, &path.display().to_string()).map_err(|faults| {
        let first = faults.first().map(ToString::to_string).unwrap_or_default();
        format!("{first} ({} faults; `emberwatch check` shows all)", faults.len())
    })
}

async fn all(args: &ScanArgs, target: &Target, profiles: Vec<Arc<Profile>>, findings: &mut Vec<Findings>) {
    let Target::Net(hosts, port) = target else {
        return one(args, target, profiles, findings).await;
    };
    say(&format!("looking for port {port} on {} hosts", hosts.len()));
    let open = hosts::open(hosts, *port, within(args, target).connect).await;
    say(&format!("{} hosts listen", open.len()));
    for host in open {
        one(args, &Target::Tcp(format!("{host}:{port}")), profiles.clone(), findings).await;
    }
}

async fn one(args: &ScanArgs, target: &Target, profiles: Vec<Arc<Profile>>, findings: &mut Vec<Findings>) {
    let plan = ScanPlan { units: units(args, target), pause: millis(args.pause), profiles };
    let Some((endpoint, mut way)) = settle(args, target, &plan).await else { return };
    let link = way.link().map(|link| link.id.clone());
    say(&format!("{}: asking {} units, reads only", endpoint.place(), plan.units.len()));
    findings.push(Findings { endpoint, link, found: Vec::new(), ended: None });
    let last = findings.len() - 1;
    let mut progress = show::Progress::default();
    let ended = scan_units(&mut way, &plan, &mut findings[last].found, |step| progress.show(step)).await;
    findings[last].ended = Some(ended);
}

fn units(args: &ScanArgs, target: &Target) -> Vec<u8> {
    let usual = || {
        let more: &[u8] = if matches!(target, Target::Tcp(_)) { &[255, 0] } else { &[] };
        (1..=UNIT_MAX).chain(more.iter().copied()).collect()
    };
    args.units.clone().unwrap_or_else(usual)
}

fn within(args: &ScanArgs, target: &Target) -> Within {
    let usual = if matches!(target, Target::Serial(_)) { 300 } else { 500 };
    let request = args.timeout.map_or(Millis(usual), millis);
    Within { request, connect: Millis(1000).max(request) }
}

fn millis(span: std::time::Duration) -> Millis {
    Millis(u64::try_from(span.as_millis()).unwrap_or(u64::MAX))
}

/// Finds the way, and with it the settings of a serial line where none were given.
async fn settle(args: &ScanArgs, target: &Target, plan: &ScanPlan) -> Option<(Endpoint, Way)> {
    let within = within(args, target);
    let socket = args.socket.path(None);
    let given = args.line.line().unwrap_or(USUAL[0]);
    let endpoint = target.endpoint(given)?;
    let way = Way::to(&endpoint, &socket, within).await;
    if let Some(line) = way.link().and_then(LinkEntry::line) {
        return Some((target.endpoint(line)?, way));
    }
    if args.line.line().is_some() || !matches!(target, Target::Serial(_)) || way.link().is_some() {
        return Some((endpoint, way));
    }
    drop(way);
    let (taste, rest) = plan.units.split_at(TASTE_UNITS.min(plan.units.len()));
    for units in [taste, rest] {
        for line in USUAL {
            let endpoint = target.endpoint(line)?;
            say(&format!("trying {line}"));
            let mut way = Way::to(&endpoint, &socket, within).await;
            match anyone(&mut way, units, plan.pause).await {
                Ok(false) => {}
                // Without a connection the scan itself says so, and ends.
                Ok(true) | Err(_) => return Some((endpoint, way)),
            }
        }
    }
    let settings: Vec<String> = USUAL.iter().map(SerialLine::to_string).collect();
    say(&format!("nobody answers at {}; give --baud and --parity for others", settings.join(", ")));
    None
}

fn conclude(args: &ScanArgs, findings: &[Findings], interrupted: bool) -> Exit {
    if interrupted && std::io::stderr().is_terminal() {
        // The line of progress is still open.
        say("");
    }
    for place in findings {
        let lines = if args.json { show::json(place) } else { show::text(place) };
        for line in &lines {
            print(line);
        }
    }
    let found: usize = findings.iter().map(|place| place.found.len()).sum();
    say(&format!("{found} units found{}", if interrupted { ", interrupted" } else { "" }));
    if let (Some(file), true) = (&args.write, 0 < found) {
        if let Err(error) = draft::write(file, findings) {
            return refuse(Exit::CannotCreate, &format!("cannot write {}: {error}", file.display()));
        }
        let file = file.display();
        say(&format!("written: {file}. Decide what its comments ask for, then: emberwatch check {file}"));
    }
    let no_connection = findings.iter().find_map(|place| match &place.ended {
        Some(Ended::NoConnection(why)) => Some(format!("no connection to {}: {why}", place.endpoint.place())),
        _ => None,
    });
    match (interrupted, found, no_connection) {
        (true, ..) => Exit::Interrupted,
        (false, 0, Some(sentence)) => refuse(Exit::Unavailable, &sentence),
        (false, 0, None) => {
            say(
                "nobody answered: check wires A and B, baud and parity, units, and that there is no other master",
            );
            Exit::No
        }
        (false, ..) => Exit::Ok,
    }
}

//! `emberwatch probe`: one device as a table; raw registers, what they could mean, and a signed check.

mod expect;
mod guess;
mod raw;
mod rows;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::cli::check::load_or_complain;
use crate::cli::scan::profiles;
use crate::cli::target::{LineArgs, Target, USUAL};
use crate::cli::way::{SocketArgs, Way, Within};
use crate::cli::{Exit, config_paths, edge_runtime, ended, print, say};
use crate::field::options::Endpoint;
use crate::field::profile::Profile;
use crate::units::Millis;

/// How often `--watch` reads.
const WATCH_EVERY: Duration = Duration::from_secs(1);

/// Time-outs without a configuration.
const WITHIN: Within = Within { request: Millis(1000), connect: Millis(2000) };

/// Arguments of `probe`.
#[derive(clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "one for each flag of the command line")]
#[command(after_help = "\
  emberwatch probe bms-1 --config site.toml                        every point of a configured device
  emberwatch probe tcp://192.0.2.10 --unit 1 --read holding:100:10
  emberwatch probe /dev/ttyUSB0 --baud 9600 --unit 1 --read input:0:2 --guess --expect-range '10..60 degC'
  emberwatch probe bms-1 --write-expect bms-1.signed.toml --by 'A. Kim'      then, at any time:
  emberwatch probe bms-1 --expect bms-1.signed.toml

Addresses are as on the wire, counted from 0: what a manual calls 40101 or 4x0101 is holding:100.
Ends with 0 if all is well, 1 if a value is missing, out of range or not as signed, 69 without an answer.")]
pub(crate) struct ProbeArgs {
    /// A device of the configuration, by its id; or a place as for `scan`, with --unit.
    device: String,
    /// A file, or a directory of `*.toml` files; may be given more than once.
    #[arg(short, long, value_name = "PATH")]
    config: Vec<PathBuf>,
    /// The unit, where a place is given.
    #[arg(short, long)]
    unit: Option<u8>,
    #[command(flatten)]
    line: LineArgs,
    /// Read these raw instead: TABLE:ADDRESS[:COUNT], with coil, discrete, input or holding; may be repeated.
    #[arg(short, long, value_name = "WHERE", value_parser = raw::parse)]
    read: Vec<raw::Where>,
    /// Read by this profile, where a place is given.
    #[arg(short, long, value_name = "ID", conflicts_with = "read")]
    profile: Option<String>,
    /// Folders of more profiles.
    #[arg(long, value_name = "DIR")]
    profile_dir: Vec<PathBuf>,
    /// Show what the words could mean, the likely first.
    #[arg(short, long)]
    guess: bool,
    /// The range in which the quantity must lie, for --guess: for instance '10..60 degC'.
    #[arg(long, value_name = "RANGE", value_parser = guess::parse_range, requires = "guess", allow_hyphen_values = true)]
    expect_range: Option<guess::Range>,
    /// Read again each second until Ctrl-C; what changed is marked.
    #[arg(short, long, conflicts_with_all = ["guess", "expect", "write_expect"])]
    watch: bool,
    /// Show the raw frames that passed.
    #[arg(short, long)]
    frames: bool,
    /// Compare with a signed check; ends with 1 where it differs.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["read", "guess"])]
    expect: Option<PathBuf>,
    /// Write a check of what is read now, to be looked through and signed; needs --by.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["read", "guess", "expect"], requires = "by")]
    write_expect: Option<PathBuf>,
    /// Who signs.
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// Print rows as JSON, one a line.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    socket: SocketArgs,
}

/// What is probed.
struct Subject {
    name: String,
    endpoint: Endpoint,
    unit: u8,
    /// Nothing to decode with where only raw words are wanted.
    profile: Option<Arc<Profile>>,
    within: Within,
    socket: PathBuf,
}

/// Reads a device. Ends with 1 when a value is missing or outside its range.
pub(crate) fn probe(args: &ProbeArgs) -> Exit {
    let subject = if Target::is_place(&args.device) { at_place(args) } else { configured(args) };
    let subject = match subject {
        Ok(subject) => subject,
        Err(exit) => return exit,
    };
    let runtime = match edge_runtime() {
        Ok(runtime) => runtime,
        Err(error) => return refuse(Exit::Internal, &format!("cannot start: {error}")),
    };
    let exit = runtime.block_on(async {
        tokio::select! {
            exit = carry_out(args, &subject) => exit,
            () = ended(None) => if args.watch { Exit::Ok } else { Exit::Interrupted },
        }
    });
    runtime.shutdown_background();
    exit
}

fn refuse(exit: Exit, sentence: &str) -> Exit {
    say(&format!("emberwatch probe: {sentence}"));
    exit
}

/// A device of the configuration.
fn configured(args: &ProbeArgs) -> Result<Subject, Exit> {
    if args.unit.is_some() || args.profile.is_some() {
        let sentence = "--unit and --profile go with a place (tcp://…, /dev/…); a device has its own";
        return Err(refuse(Exit::Usage, sentence));
    }
    let loaded = load_or_complain(&config_paths(&args.config)).ok_or(Exit::Config)?;
    let all = || loaded.links.iter().flat_map(|link| link.devices.iter().map(move |device| (link, device)));
    let Some((link, device)) = all().find(|(_, device)| device.name == args.device) else {
        let names: Vec<&str> = all().map(|(_, device)| device.name.as_str()).collect();
        let sentence = format!("no device `{}`; there are: {}", args.device, names.join(", "));
        return Err(refuse(Exit::Usage, &sentence));
    };
    Ok(Subject {
        name: device.name.clone(),
        endpoint: link.endpoint.clone(),
        unit: device.unit,
        profile: args.read.is_empty().then(|| Arc::clone(&device.profile)),
        within: Within { request: link.timeout, connect: link.connect_timeout },
        socket: args.socket.path(Some(&loaded.state_dir)),
    })
}

/// A unit at a place, without any configuration.
fn at_place(args: &ProbeArgs) -> Result<Subject, Exit> {
    let target = Target::parse(&args.device).map_err(|sentence| refuse(Exit::Usage, &sentence))?;
    let Some(endpoint) = target.endpoint(args.line.line().unwrap_or(USUAL[0])) else {
        return Err(refuse(Exit::Usage, "a net has no units: name one host; `scan` finds them"));
    };
    let Some(unit) = args.unit else {
        return Err(refuse(Exit::Usage, "name the unit with --unit; `scan` finds them"));
    };
    let profile = match &args.profile {
        None if args.read.is_empty() => {
            let sentence = "say what to read: --read holding:0:10, or --profile ID";
            return Err(refuse(Exit::Usage, sentence));
        }
        None => None,
        Some(id) => Some(find_profile(id, args)?),
    };
    let name = args.device.clone();
    Ok(Subject { name, endpoint, unit, profile, within: WITHIN, socket: args.socket.path(None) })
}

fn find_profile(id: &str, args: &ProbeArgs) -> Result<Arc<Profile>, Exit> {
    let all = profiles(&args.profile_dir).map_err(|sentence| refuse(Exit::Usage, &sentence))?;
    let names: Vec<&str> = all.iter().map(|profile| profile.id.as_str()).collect();
    let sentence = format!("no profile `{id}`; there are: {}", names.join(", "));
    let found = all.iter().find(|profile| profile.id == *id).cloned();
    found.ok_or_else(|| refuse(Exit::Usage, &sentence))
}

async fn carry_out(args: &ProbeArgs, subject: &Subject) -> Exit {
    let mut way = Way::to(&subject.endpoint, &subject.socket, subject.within).await;
    let mut next = if args.frames { way.frames(u64::MAX).await.map_or(0, |(_, next)| next) } else { 0 };
    say(&title(subject));
    let mut before = Vec::new();
    loop {
        let (exit, cells) = once(args, subject, &mut way).await;
        rows::show(&cells, &before);
        if args.frames {
            next = show_frames(&mut way, next).await;
        }
        if !args.watch {
            return exit;
        }
        before = cells;
        tokio::time::sleep(WATCH_EVERY).await;
        print("");
    }
}

fn title(subject: &Subject) -> String {
    let place = format!("{} · unit {} at {}", subject.name, subject.unit, subject.endpoint.place());
    match &subject.profile {
        Some(profile) => format!("{place} · profile {} ({})", profile.id, profile.source),
        None => place,
    }
}

/// One look: how it ended, and the table that is still to be shown.
async fn once(args: &ProbeArgs, subject: &Subject, way: &mut Way) -> (Exit, Vec<Vec<String>>) {
    let Some(profile) = &subject.profile else {
        return raw::look(args, subject.unit, way).await;
    };
    let found = crate::field::probe::read_through(way, subject.unit, profile).await;
    if let Some(file) = &args.expect {
        return expect::compare(file, &found);
    }
    if let (Some(file), Some(by)) = (&args.write_expect, &args.by) {
        let exit = expect::write(file, subject, profile, &found, by);
        return (exit, rows::table(&found));
    }
    if args.guess {
        return (rows::verdict(&found, way), guess::of_rows(&found, profile, args.expect_range));
    }
    if args.json {
        for row in &found {
            print(&rows::json(row));
        }
        return (rows::verdict(&found, way), Vec::new());
    }
    (rows::verdict(&found, way), rows::table(&found))
}

async fn show_frames(way: &mut Way, since: u64) -> u64 {
    match way.frames(since).await {
        Ok((frames, next)) => {
            for frame in frames {
                print(&raw::frame(&frame));
            }
            next
        }
        Err(fault) => {
            say(&format!("no frames: {fault}"));
            since
        }
    }
}

//! `emberwatch record`: all that comes into a running daemon's core, as a file that `replay` plays.

use std::fs::File;
use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::time::Duration;

use crate::cli::check::load_or_complain;
use crate::cli::way::SocketArgs;
use crate::cli::{Exit, config_paths, edge_runtime, ended, say};
use crate::clock;
use crate::field::frames::RawFrame;
use crate::replay::recording::{Encoder, Frame};
use crate::runtime::control::{CallFault, Client, Recorded};
use crate::units::Millis;
use crate::wire::text;

/// The daemon records no longer at a time.
const LASTING_MAX: Duration = Duration::from_secs(86_400);

/// How often progress is told: on a terminal in place, elsewhere a line now and then.
const PROGRESS_EVERY: Millis = Millis::from_secs(1);
const PROGRESS_LINE_EVERY: Millis = Millis::from_secs(60);

/// How often raw frames are fetched.
const FRAMES_EVERY: Duration = Duration::from_secs(1);

/// How long the last bytes may take to come.
const REST_MAX: Duration = Duration::from_secs(10);

/// Arguments of `record`.
#[derive(clap::Args)]
#[command(after_help = "\
Play it:  emberwatch replay FILE --config CONFIG
          emberwatch replay FILE --config CONFIG --rules NEW --diff

The file holds every sample with its times, every answer, request and fault, scan by scan: a replay under the same
configuration decides the same. It is written as it comes; one that was cut replays up to the cut. The daemon never
waits for a recorder: what one is too slow for is counted in the file.")]
pub(crate) struct RecordArgs {
    /// The file; one that exists is not overwritten.
    #[arg(short, long, value_name = "FILE")]
    out: PathBuf,
    /// How long; a day at most. Ctrl-C ends it earlier, and the file is whole.
    #[arg(long = "for", value_name = "DURATION", default_value = "1h", value_parser = super::parse_duration)]
    lasting: Duration,
    /// Keep the raw frames of this link in the file too.
    #[arg(short, long, value_name = "ID")]
    link: Option<String>,
    /// The configuration of the daemon, to find its socket: a file, or a directory.
    #[arg(short, long, value_name = "PATH")]
    config: Vec<PathBuf>,
    #[command(flatten)]
    socket: SocketArgs,
}

/// How a recording fails.
type Failure = (Exit, String);

/// Records until told to end.
pub(crate) fn record(args: &RecordArgs) -> Exit {
    let state_dir = if args.config.is_empty() {
        None
    } else {
        let Some(loaded) = load_or_complain(&config_paths(&args.config)) else { return Exit::Config };
        Some(loaded.state_dir)
    };
    let socket = args.socket.path(state_dir.as_deref());
    let runtime = match edge_runtime() {
        Ok(runtime) => runtime,
        Err(error) => {
            say(&format!("emberwatch record: cannot start: {error}"));
            return Exit::Internal;
        }
    };
    let outcome = runtime.block_on(async {
        let client = Client::connect(&socket).await.map_err(call)?;
        let frames = match &args.link {
            Some(link) => Some(FrameFetcher::start(&socket, link).await?),
            None => None,
        };
        save(client, frames, args).await
    });
    match outcome {
        Ok(()) => Exit::Ok,
        Err((exit, sentence)) => {
            say(&format!("emberwatch record: {sentence}"));
            exit
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn call(fault: CallFault) -> Failure {
    let exit = match fault {
        CallFault::Forbidden(_) => Exit::Permission,
        CallFault::Refused(_) => Exit::Usage,
        CallFault::Declined(_) => Exit::No,
        CallFault::Nobody(_) | CallFault::Io(_) | CallFault::Strange => Exit::Unavailable,
    };
    let hint = match fault {
        CallFault::Nobody(_) => {
            ": start it, or name its configuration with --config or its socket with --socket"
        }
        _ => "",
    };
    (exit, format!("{fault}{hint}"))
}

/// The file as it grows.
struct Out<'a> {
    file: File,
    bytes: u64,
    frames: u64,
    /// The last byte written was the last of a block.
    between_blocks: bool,
    args: &'a RecordArgs,
}

impl Out<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.bytes += bytes.len() as u64;
        self.file.write_all(bytes).map_err(|error| {
            (Exit::CannotCreate, format!("cannot write {}: {error}", self.args.out.display()))
        })
    }

    /// Writes what the daemon sent; before it, where that is between two blocks, the frames that wait.
    fn write_part(
        &mut self,
        bytes: &[u8],
        part: &Recorded,
        frames: &mut Vec<RawFrame>,
    ) -> Result<(), Failure> {
        if self.between_blocks && !frames.is_empty() {
            self.frames += frames.len() as u64;
            let frames: Vec<Frame> = frames.drain(..).map(frame).collect();
            let link = self.args.link.as_deref().unwrap_or_default();
            self.write(&Encoder::frames(link, &frames))?;
        }
        self.between_blocks = part.ends_block;
        self.write(bytes)
    }
}

fn frame(raw: RawFrame) -> Frame {
    Frame { wall_us: raw.wall_us, sent: raw.sent, bytes: raw.bytes }
}

async fn save(
    mut client: Client,
    mut frames: Option<FrameFetcher>,
    args: &RecordArgs,
) -> Result<(), Failure> {
    let cannot =
        |error: std::io::Error| (Exit::CannotCreate, format!("cannot write {}: {error}", args.out.display()));
    let file = File::create_new(&args.out).map_err(cannot)?;
    let mut out = Out { file, bytes: 0, frames: 0, between_blocks: false, args };
    client.begin_recording().await.map_err(call)?;
    let end = ended(Some(args.lasting.min(LASTING_MAX)));
    tokio::pin!(end);
    let mut progress = Progress::begin();
    let mut fetch = tokio::time::interval(FRAMES_EVERY);
    let (mut so_far, mut kept, mut ending) = (Recorded::default(), Vec::new(), false);
    loop {
        let part = tokio::select! {
            () = &mut end, if !ending => {
                client.end_recording().await.map_err(call)?;
                ending = true;
                continue;
            }
            _ = fetch.tick(), if !ending && frames.is_some() => {
                if let Some(frames) = &mut frames {
                    frames.fetch().await;
                    kept.append(&mut frames.kept);
                }
                continue;
            }
            part = next_part(&mut client, ending) => part,
        };
        match part {
            Ok(Some((bytes, part))) => {
                out.write_part(&bytes, &part, &mut kept)?;
                so_far = part;
                progress.tell(&so_far, &out);
            }
            Ok(None) if ending => break,
            Ok(None) => {
                progress.finish(&so_far, &out);
                return Err((Exit::Unavailable, "the daemon has ended the recording".to_owned()));
            }
            Err((exit, sentence)) => {
                progress.finish(&so_far, &out);
                return Err((exit, format!("{sentence}; what came before is in {}", args.out.display())));
            }
        }
    }
    out.file.sync_all().map_err(cannot)?;
    progress.finish(&so_far, &out);
    say(&format!("play it:  emberwatch replay {} --config CONFIG", args.out.display()));
    Ok(())
}

/// The next bytes; once the end was asked for they may not take long.
async fn next_part(client: &mut Client, ending: bool) -> Result<Option<(Vec<u8>, Recorded)>, Failure> {
    if !ending {
        return client.recorded().await.map_err(call);
    }
    let late = |_| (Exit::Unavailable, "the daemon did not send the end of the recording".to_owned());
    tokio::time::timeout(REST_MAX, client.recorded()).await.map_err(late)?.map_err(call)
}

/// The raw frames of one link, by a connection of their own; kept until there is a place for them in the file.
struct FrameFetcher {
    client: Client,
    next: u64,
    kept: Vec<RawFrame>,
}

impl FrameFetcher {
    async fn start(socket: &std::path::Path, link: &str) -> Result<Self, Failure> {
        let mut client = Client::connect(socket).await.map_err(call)?;
        let links = client.links().await.map_err(call)?;
        if !links.iter().any(|known| known.id == link) {
            let names: Vec<&str> = links.iter().map(|link| link.id.as_str()).collect();
            return Err((Exit::Usage, format!("no link `{link}`; there are: {}", names.join(", "))));
        }
        let mut client = client.on(link.to_owned());
        // What is kept from before is not of this recording.
        let (_, next) = client.frames_since(u64::MAX).await.map_err(call)?;
        Ok(Self { client, next, kept: Vec::new() })
    }

    /// A link that cannot be asked costs its frames, not the recording.
    async fn fetch(&mut self) {
        if let Ok((frames, next)) = self.client.frames_since(self.next).await {
            self.kept.extend(frames);
            self.next = next;
        }
    }
}

/// What is told while it lasts.
struct Progress {
    begun: crate::units::Uptime,
    told: crate::units::Uptime,
    in_place: bool,
}

impl Progress {
    fn begin() -> Self {
        let now = clock::uptime();
        let in_place = std::io::stderr().is_terminal();
        if in_place {
            say("recording; Ctrl-C ends it");
        }
        Self { begun: now, told: now, in_place }
    }

    fn tell(&mut self, so_far: &Recorded, out: &Out<'_>) {
        let now = clock::uptime();
        let every = if self.in_place { PROGRESS_EVERY } else { PROGRESS_LINE_EVERY };
        if now.since(self.told) < every {
            return;
        }
        self.told = now;
        let line = self.line(so_far, out);
        if self.in_place {
            let _ = write!(std::io::stderr().lock(), "\r\u{1b}[2K{line}");
        } else {
            say(&line);
        }
    }

    fn finish(&self, so_far: &Recorded, out: &Out<'_>) {
        if self.in_place {
            let _ = write!(std::io::stderr().lock(), "\r\u{1b}[2K");
        }
        say(&format!("{} in {}", self.line(so_far, out), out.args.out.display()));
    }

    fn line(&self, so_far: &Recorded, out: &Out<'_>) -> String {
        let lasted = text::span(clock::uptime().since(self.begun));
        let mut line =
            format!("{lasted}: {} scans, {} inputs, {}", so_far.scans, so_far.inputs, size(out.bytes));
        if 0 < out.frames {
            line = format!("{line}, {} raw frames", out.frames);
        }
        if 0 < so_far.lost_scans {
            line = format!("{line}; {} scans LOST (this recorder was too slow)", so_far.lost_scans);
        }
        line
    }
}

/// Bytes as people read them.
fn size(bytes: u64) -> String {
    match bytes {
        0..10_000 => format!("{bytes} bytes"),
        10_000..10_000_000 => format!("{} kB", bytes / 1000),
        _ => format!("{} MB", bytes / 1_000_000),
    }
}

//! `emberwatch drill`: a power cut rehearsed from the vote to the last stage, with a report for an inspector.
//!
//! In the running daemon the same engine decides in the same time over live readings, and the orders are left out at the
//! last step. Against the simulated room (`--on-simulator`) nothing is left out: there breakers move, stick or weld.

mod page;
mod report;
mod stage;

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use crate::cli::daemon::{Failed, failed};
use crate::cli::way::SocketArgs;
use crate::cli::{Exit, config_paths, edge_runtime, print, say};
use crate::config::Loaded;
use crate::runtime::control::Client;
use crate::runtime::control::protocol::SequenceVerb;

use report::Report;
use stage::Stage;

/// Arguments of `drill`.
#[derive(clap::Args)]
#[command(after_help = "\
  emberwatch drill cut-rack-1 --config /etc/emberwatch/emberwatch.toml --report drill.html
  emberwatch drill cut-rack-1 --on-simulator                               the whole cut, in a simulated room
  emberwatch drill cut-rack-1 --on-simulator --scenario stuck-contactor    … whose contactor is stuck

In the running daemon nothing is written: every decision, its time, the permissives, and what is read back are real, the
orders are left out. What it says is marked DRILL in topics, webhooks, journal and on the page; a real demand ends it.

Ends with 0 if it passed, 1 if the report has findings, 69 without a daemon, 77 without the right to ask it.")]
pub(crate) struct DrillArgs {
    /// The sequence, by its id.
    sequence: String,
    /// The configuration of the daemon: to find its socket, and to name what would be written. With --on-simulator: what
    /// is rehearsed; the demonstration's when absent.
    #[arg(short, long, value_name = "PATH")]
    config: Vec<PathBuf>,
    #[command(flatten)]
    socket: SocketArgs,
    /// Rehearse the whole of it in a simulated room of its own.
    #[arg(long)]
    on_simulator: bool,
    /// With --on-simulator: what happens in the room; `list` names them all.
    #[arg(long, default_value = "calm", requires = "on_simulator")]
    scenario: String,
    /// Write the report as a page; one that exists is replaced.
    #[arg(long, value_name = "OUT.html")]
    report: Option<PathBuf>,
    /// Print the report as JSON instead of the table.
    #[arg(long)]
    json: bool,
}

/// The longest a drill may take: countdown and stages are bounded by the configuration, persons are not waited for.
const DRILL_MAX: Duration = Duration::from_secs(2 * 3600);

/// Rehearses, reports, and says whether it passed.
pub(crate) fn drill(args: &DrillArgs) -> Exit {
    let runtime = match edge_runtime() {
        Ok(runtime) => runtime,
        Err(error) => {
            say(&format!("emberwatch drill: cannot start: {error}"));
            return Exit::Internal;
        }
    };
    let outcome = runtime.block_on(rehearse(args));
    runtime.shutdown_timeout(Duration::from_millis(100));
    let report = match outcome {
        Ok(report) => report,
        Err((exit, sentence)) => {
            if !sentence.is_empty() {
                say(&format!("emberwatch drill: {sentence}"));
            }
            return exit;
        }
    };
    if args.json {
        print(&serde_json::to_string_pretty(&report).unwrap_or_default());
    } else {
        for line in page::table(&report) {
            print(&line);
        }
    }
    if let Some(path) = &args.report
        && let Err(error) = write_page(path, &report)
    {
        say(&format!("emberwatch drill: cannot write {}: {error}", path.display()));
        return Exit::CannotCreate;
    }
    if report.verdict.passed { Exit::Ok } else { Exit::No }
}

fn write_page(path: &Path, report: &Report) -> std::io::Result<()> {
    std::fs::write(path, page::page(report))?;
    say(&format!("Report: {}", path.display()));
    Ok(())
}

async fn rehearse(args: &DrillArgs) -> Result<Report, Failed> {
    if args.on_simulator {
        let stage = Stage::set(&args.sequence, &args.config, &args.scenario).await?;
        let outcome = follow(&stage.socket, args, Some(&stage.loaded), args.json).await;
        stage.clear().await;
        return outcome;
    }
    let loaded = if args.config.is_empty() {
        None
    } else {
        let loaded = crate::cli::check::load_or_complain(&config_paths(&args.config));
        Some(loaded.ok_or_else(|| (Exit::Config, "nothing was rehearsed".to_owned()))?)
    };
    let socket = args.socket.path(loaded.as_ref().map(|loaded| loaded.state_dir.as_path()));
    follow(&socket, args, loaded.as_ref(), args.json).await
}

/// Begins it, and takes in what happens until it is over.
async fn follow(
    socket: &Path,
    args: &DrillArgs,
    loaded: Option<&Loaded>,
    quiet: bool,
) -> Result<Report, Failed> {
    let id = &args.sequence;
    let mut ear = Client::connect(socket).await.map_err(failed)?;
    let mut mouth = Client::connect(socket).await.map_err(failed)?;
    let document = ear.follow(id).await.map_err(failed)?;
    let status = mouth.status().await.map_err(failed)?;
    let mut report = Report::of(loaded, id, (&document, &status), args.on_simulator);
    begin(&mut mouth, id, args.on_simulator).await?;
    let state = tokio::time::timeout(DRILL_MAX, listen(&mut ear, &mut mouth, &mut report, id, quiet)).await;
    let state = state.map_err(|_| (Exit::Unavailable, "it has not ended in two hours".to_owned()))??;
    report.judge(&state);
    Ok(report)
}

async fn begin(mouth: &mut Client, id: &str, simulated: bool) -> Result<(), Failed> {
    if simulated {
        mouth.sequence(id, SequenceVerb::Select {}).await.map_err(failed)?;
        mouth.sequence(id, SequenceVerb::Start {}).await.map_err(failed)?;
    } else {
        mouth.sequence(id, SequenceVerb::Drill {}).await.map_err(failed)?;
    }
    Ok(())
}

/// Takes in events until the run is over; goes on once where one person may. Returns how it ended.
async fn listen(
    ear: &mut Client,
    mouth: &mut Client,
    report: &mut Report,
    id: &str,
    quiet: bool,
) -> Result<String, Failed> {
    let mut began = None;
    // Ends: a run has so many stages, each comes to its end once, and who follows is sent away after an hour.
    while let Some(happened) = ear.happened().await.map_err(failed)? {
        if happened["event"] == "selected" {
            continue;
        }
        let at = happened["at_ms"].as_u64().unwrap_or(0);
        let ms = at.saturating_sub(*began.get_or_insert(at));
        let rests = report.take(&happened, ms);
        if !quiet {
            say(&format!("{:>8.1} s  {}", seconds(ms), happened["text"].as_str().unwrap_or_default()));
        }
        if !rests {
            continue;
        }
        let state = happened["sequence"]["state"].as_str().unwrap_or_default().to_owned();
        if state != "held" || !goes_on(mouth, id, &happened).await? {
            return Ok(state);
        }
    }
    Err((Exit::Unavailable, "the daemon ended, and the drill with it".to_owned()))
}

/// Goes on where the run waits for one person: whoever rehearses is one. Where it takes two, or something failed, it is
/// left as it is, and a rehearsal in the daemon is ended.
async fn goes_on(mouth: &mut Client, id: &str, happened: &Value) -> Result<bool, Failed> {
    let steps = happened["sequence"]["steps"].as_array().into_iter().flatten();
    let failed_already = steps.into_iter().any(|step| step["state"] == "failed");
    if !failed_already
        && mouth.sequence(id, SequenceVerb::Select {}).await.is_ok()
        && mouth.sequence(id, SequenceVerb::Start {}).await.is_ok()
    {
        return Ok(true);
    }
    if happened["sequence"]["drill"] == true {
        mouth.sequence(id, SequenceVerb::Abort { run: None }).await.map_err(failed)?;
    }
    Ok(false)
}

/// Milliseconds as seconds.
fn seconds(ms: u64) -> f64 {
    Duration::from_millis(ms).as_secs_f64()
}

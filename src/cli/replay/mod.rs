//! `emberwatch replay`: the very same core over a recording or a table, in virtual time.

mod json;
mod run;
pub(in crate::cli) mod show;

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::cli::check::show_complaints;
use crate::cli::{Exit, config_paths, say};
use crate::config;
use crate::replay::options::Expectation;
use crate::replay::recording::is_recording;
use crate::replay::{Answers, Verdict, difference, judge};
use crate::units::Millis;

use run::{Run, Wanted};

/// Arguments of `replay`.
#[derive(clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
#[command(after_help = "\
  emberwatch replay night.rec --config site.toml                        what was said, and what was decided
  emberwatch replay night.rec --config site.toml --rules tighter.toml --diff   what other rules would change
  emberwatch replay test.csv --map test.toml --config site.toml --assert expected.toml
  emberwatch replay night.rec --config site.toml --plot night.html      values, limits, levels, decisions

Nothing is ever sent: orders are answered by what was recorded (same configuration), else by a modelled breaker that
obeys, or with --no-answers by nobody. NEW is a whole configuration, or only the rules and sequences that change: one
of the same id replaces the one below it.")]
pub(crate) struct ReplayArgs {
    /// A recording of `record`, or a table of numbers in CSV.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The configuration to judge by: a file, or a directory.
    #[arg(short, long, value_name = "PATH")]
    config: Vec<PathBuf>,
    /// How columns feed points, for a table; by default the file of its name ending in .toml.
    #[arg(long, value_name = "FILE")]
    map: Option<PathBuf>,
    /// Other rules: what they change is told.
    #[arg(long, value_name = "NEW")]
    rules: Vec<PathBuf>,
    /// Show only what other rules change.
    #[arg(long, requires = "rules")]
    diff: bool,
    /// What is expected; exit code 1 where it does not come true.
    #[arg(long, value_name = "FILE")]
    assert: Option<PathBuf>,
    /// Play as if every point were polled so often: of a recording fewer samples count, of a table other rows.
    #[arg(long, value_name = "DURATION", value_parser = super::parse_duration)]
    poll: Option<Duration>,
    /// For a table: the first poll comes so long after the first row.
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = super::parse_duration)]
    phase: Duration,
    /// Show nothing from before this time of the recording; the core plays it all the same.
    #[arg(long, value_name = "DURATION", value_parser = super::parse_duration)]
    from: Option<Duration>,
    /// End at this time of the recording.
    #[arg(long, value_name = "DURATION", value_parser = super::parse_duration)]
    to: Option<Duration>,
    /// Nobody answers the orders of the replay.
    #[arg(long, conflicts_with = "model_answers")]
    no_answers: bool,
    /// The modelled breaker answers, whatever was recorded.
    #[arg(long)]
    model_answers: bool,
    /// Write a page with values, limits, levels and decisions; one that exists is replaced.
    #[arg(long, value_name = "OUT.html")]
    plot: Option<PathBuf>,
    /// Print JSON, one object a line: entries, differences, verdicts, then a summary.
    #[arg(long)]
    json: bool,
    /// Leave the timeline out.
    #[arg(short, long)]
    quiet: bool,
}

/// How a replay fails, once told.
type Failure = (Exit, String);

/// Plays, and prints.
pub(crate) fn replay(args: &ReplayArgs) -> Exit {
    match play(args) {
        Ok(exit) => exit,
        Err((exit, sentence)) => {
            if !sentence.is_empty() {
                say(&format!("emberwatch replay: {sentence}"));
            }
            exit
        }
    }
}

/// All that is printed.
struct Report<'a> {
    run: &'a Run,
    /// Under the rules before, where there are others.
    before: Option<&'a Run>,
    verdicts: &'a [Verdict],
    from: Millis,
    timeline: bool,
}

fn play(args: &ReplayArgs) -> Result<Exit, Failure> {
    let paths = config_paths(&args.config);
    let loaded = config::load(&paths).map_err(complained)?;
    let other = if args.rules.is_empty() {
        None
    } else {
        Some(config::load_over(&paths, &args.rules).map_err(complained)?)
    };
    let judged = other.as_ref().unwrap_or(&loaded);
    show_complaints(&judged.warnings, false);
    let expectations = match &args.assert {
        Some(path) => config::load_expectations(path, &judged.site).map_err(complained)?,
        None => Vec::new(),
    };
    let wanted = wanted(args, other.is_some())?;
    let before = match &other {
        Some(_) => Some(run::play(&wanted, &loaded)?),
        None => None,
    };
    let played = run::play(&wanted, judged)?;
    let verdicts = judge(&played.site, &expectations, &played.firsts);
    let report = Report {
        run: &played,
        before: before.as_ref(),
        verdicts: &verdicts,
        from: args.from.map_or(Millis::ZERO, millis),
        timeline: !args.quiet && !args.diff,
    };
    if args.json {
        json::print_report(&report);
    } else {
        show::print_report(&report, args.diff);
    }
    if let Some(out) = &args.plot {
        plot(out, &args.file, &played)?;
    }
    Ok(verdict(&expectations, &verdicts, played.whole))
}

fn verdict(expectations: &[Expectation], verdicts: &[Verdict], whole: bool) -> Exit {
    let failed = verdicts.iter().filter(|verdict| !verdict.met).count();
    if !expectations.is_empty() {
        say(&format!("{} of {} expectations met", verdicts.len() - failed, verdicts.len()));
    }
    if !whole && expectations.iter().any(|expectation| expectation.never) {
        say("the file is not whole: what did not happen up to its damage may have happened after it");
        return Exit::No;
    }
    if failed == 0 { Exit::Ok } else { Exit::No }
}

#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn complained(complaints: config::Complaints) -> Failure {
    show_complaints(&complaints, false);
    (Exit::Config, String::new())
}

fn wanted(args: &ReplayArgs, compared: bool) -> Result<Wanted<'_>, Failure> {
    let unreadable =
        |error: std::io::Error| (Exit::Unavailable, format!("cannot read {}: {error}", args.file.display()));
    let mut start = Vec::new();
    let file = std::fs::File::open(&args.file).map_err(unreadable)?;
    file.take(16).read_to_end(&mut start).map_err(unreadable)?;
    let map = if is_recording(&start) { None } else { Some(mapping_of(args)?) };
    if let (None, Some(_)) = (&map, &args.map) {
        return Err((Exit::Usage, "a recording knows its points: --map is for tables".to_owned()));
    }
    let poll = args.poll.map(millis);
    if poll.is_some_and(|poll| !(10..=config::POLL_MAX).contains(&poll.0)) {
        return Err((Exit::Usage, "--poll takes 10 ms to an hour".to_owned()));
    }
    let answers = match (args.no_answers, args.model_answers || compared || poll.is_some()) {
        (true, _) => Some(Answers::Nobody),
        (false, true) => Some(Answers::Modelled),
        (false, false) => None,
    };
    let to = args.to.map_or(Millis(u64::MAX), millis);
    Ok(Wanted {
        file: &args.file,
        map,
        poll,
        phase: millis(args.phase),
        to,
        answers,
        plot: args.plot.is_some(),
    })
}

/// The mapping that was named, or the one beside the table.
fn mapping_of(args: &ReplayArgs) -> Result<PathBuf, Failure> {
    if let Some(map) = &args.map {
        return Ok(map.clone());
    }
    let beside = args.file.with_extension("toml");
    if beside.is_file() {
        return Ok(beside);
    }
    let sentence = format!(
        "{} is no recording; for a table name its mapping with --map (looked for {})",
        args.file.display(),
        beside.display()
    );
    Err((Exit::Usage, sentence))
}

fn plot(out: &Path, file: &Path, run: &Run) -> Result<(), Failure> {
    let title = file.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let page = run.page(&title);
    std::fs::write(out, page)
        .map_err(|error| (Exit::CannotCreate, format!("cannot write {}: {error}", out.display())))?;
    say(&format!("page: {}", out.display()));
    Ok(())
}

fn millis(duration: Duration) -> Millis {
    Millis(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}

/// What differs, where two sets of rules were played.
fn changes(report: &Report<'_>) -> Option<Vec<crate::replay::Change>> {
    report.before.map(|before| difference(&before.firsts, &report.run.firsts))
}

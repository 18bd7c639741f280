//! `emberwatch evaluate`: what a configuration would miss, over fires and calm hours that never happened.

mod show;

use std::collections::BTreeMap;
use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::cli::check::show_complaints;
use crate::cli::replay::show::{Paint, line};
use crate::cli::{Exit, config_paths, print, say};
use crate::clock;
use crate::config;
use crate::evaluate::{
    Addition, Campaign, Found, Kind, Page, Roles, Studied, WORDS, Worth, page, voters, with_one_more,
};
use crate::replay::Timeline;
use crate::safety::site::Site;
use crate::sim::physics::Chemistry;
use crate::units::{Millis, Uptime};

/// Arguments of `evaluate`.
#[derive(clap::Args)]
#[command(after_help = "\
  emberwatch evaluate config/emberwatch.toml                      what its limits and votes would miss
  emberwatch evaluate config/ --trials 5000 --page out.html       more of it, with a picture
  emberwatch evaluate config/ --only fire:17                      one trial, moment by moment

The room is simulated: heat, gas, smoke and voltage of burning cells, and every way in which a sensor fails. What each
point sees of it is guessed from its device, unit and name (`--roles` shows that); where the guess is wrong, say so in a
TOML file, a line per point:   \"bms-1/t3\" = \"cell-temp\"")]
pub(crate) struct EvaluateArgs {
    /// The configuration: files or directories.
    #[arg(value_name = "CONFIG")]
    config: Vec<PathBuf>,
    /// How many fires, and how many calm hours.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    trials: u64,
    /// How many of each for every sensor left out or added; 0 leaves that question out.
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u64).range(0..=1_000_000))]
    sensor_trials: u64,
    /// The same seed draws the same trials.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// What the cells are made of: `nmc` or `lfp`.
    #[arg(long, default_value = "nmc", value_parser = parse_chemistry)]
    chemistry: Chemistry,
    /// Show what each point sees, and end; with a file, what that says of them comes first.
    #[arg(long, value_name = "FILE", num_args = 0..=1)]
    #[expect(clippy::option_option, reason = "clap's way to tell a flag without its value")]
    roles: Option<Option<PathBuf>>,
    /// Play one trial alone, moment by moment: `fire:17` or `calm:3`.
    #[arg(long, value_name = "TRIAL", value_parser = parse_only)]
    only: Option<(Kind, u64)>,
    /// Write a page with the picture and all tables; one that exists is replaced.
    #[arg(long, value_name = "OUT.html")]
    page: Option<PathBuf>,
}

fn parse_chemistry(text: &str) -> Result<Chemistry, String> {
    match text {
        "nmc" => Ok(Chemistry::Nmc),
        "lfp" => Ok(Chemistry::Lfp),
        _ => Err(format!("`{text}` is not known; there are nmc and lfp")),
    }
}

fn parse_only(text: &str) -> Result<(Kind, u64), String> {
    let trial = text.split_once(':').and_then(|(kind, number)| {
        let kind = match kind {
            "fire" => Kind::Fire,
            "calm" => Kind::Calm,
            _ => return None,
        };
        Some((kind, number.parse().ok()?))
    });
    trial.ok_or_else(|| format!("`{text}` is no trial; write fire:NUMBER or calm:NUMBER"))
}

/// How an evaluation fails: its exit code, and what to say.
type Failure = (Exit, String);

/// Evaluates, and prints.
pub(crate) fn evaluate(args: &EvaluateArgs) -> Exit {
    match run(args) {
        Ok(exit) => exit,
        Err((exit, sentence)) => {
            if !sentence.is_empty() {
                say(&format!("emberwatch evaluate: {sentence}"));
            }
            exit
        }
    }
}

fn run(args: &EvaluateArgs) -> Result<Exit, Failure> {
    let loaded = config::load(&config_paths(&args.config)).map_err(|complaints| {
        show_complaints(&complaints, false);
        (Exit::Config, String::new())
    })?;
    let said = match args.roles.as_ref().and_then(Option::as_ref) {
        Some(file) => roles_in(file)?,
        None => BTreeMap::new(),
    };
    let roles = Roles::of(&loaded.site, &said).map_err(|why| (Exit::Config, why))?;
    if args.roles.is_some() && args.only.is_none() && args.page.is_none() && said.is_empty() {
        show::roles(&roles.seen(&loaded.site));
        return Ok(Exit::Ok);
    }
    if roles.racks.is_empty() {
        return Err((Exit::Config, "no device is a battery: there is nothing that could burn".to_owned()));
    }
    let study = Study { args, site: &loaded.site, threads: threads() };
    let studied = study.watch(&loaded.site, roles.clone())?;
    if let Some((kind, number)) = args.only {
        return Ok(study.one(&studied, kind, number));
    }
    let found = study.campaign("trials", &studied, args.trials, None);
    show::found(&found);
    let (without, with) =
        if args.sensor_trials == 0 { (Vec::new(), Vec::new()) } else { study.sensors(&studied, &roles)? };
    show::worths(&without, &with);
    if let Some(out) = &args.page {
        study.write(out, &found, &without, &with, &roles)?;
    }
    Ok(if found.fires.missed() + found.calm.spurious() == 0 { Exit::Ok } else { Exit::No })
}

/// What a site says of its points.
fn roles_in(file: &Path) -> Result<BTreeMap<String, String>, Failure> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| (Exit::Unavailable, format!("cannot read {}: {error}", file.display())))?;
    toml::from_str(&text).map_err(|error| {
        let words = WORDS.join(", ");
        (
            Exit::Config,
            format!("{}: {error}\nA line is \"device/point\" = \"role\"; roles are {words}", file.display()),
        )
    })
}

fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// The evaluation of one site.
struct Study<'a> {
    args: &'a EvaluateArgs,
    site: &'a Site,
    threads: usize,
}

impl Study<'_> {
    fn watch(&self, site: &Site, roles: Roles) -> Result<Studied, Failure> {
        Studied::new(site, &Arc::new(roles), self.args.chemistry, self.args.seed).map_err(|uncalm| {
            let lines: Vec<String> = uncalm.iter().map(ToString::to_string).collect();
            (Exit::Config, lines.join("\n"))
        })
    }

    fn campaign(
        &self,
        what: &str,
        studied: &Studied,
        trials: u64,
        without: Option<crate::safety::site::DeviceId>,
    ) -> Found {
        let campaign = Campaign { seed: self.args.seed, trials, threads: self.threads, without };
        let progress = Progress::begin(what, 2 * trials);
        let found = campaign.run(studied, &|played| progress.tell(played));
        progress.finish();
        found
    }

    /// The same trials without each sensor that votes, and with one more.
    fn sensors(&self, studied: &Studied, roles: &Roles) -> Result<(Vec<Worth>, Vec<Worth>), Failure> {
        let trials = self.args.sensor_trials;
        let as_it_is =
            Worth { what: "as it is".to_owned(), found: self.campaign("as it is", studied, trials, None) };
        let (mut without, mut with) = (vec![as_it_is.clone()], vec![as_it_is]);
        for device in voters(self.site).into_keys() {
            let what = format!("without {}", self.site[device].name);
            let found = self.campaign(&what, studied, trials, Some(device));
            without.push(Worth { what, found });
        }
        for addition in Addition::ALL {
            let Some((site, roles)) = with_one_more(self.site, roles, addition) else { continue };
            let what = format!("with {}", addition.title());
            let found = self.campaign(&what, &self.watch(&site, roles)?, trials, None);
            with.push(Worth { what, found });
        }
        Ok((without, with))
    }

    /// One trial, moment by moment.
    fn one(&self, studied: &Studied, kind: Kind, number: u64) -> Exit {
        let trial = studied.trial(kind, self.args.seed, number);
        show::trial(&trial, studied.site());
        let mut timeline = Timeline::default();
        let outcome = studied.play(&trial, &mut |site, moment| timeline.hear(site, moment));
        let paint = Paint::of_stdout();
        for entry in &timeline.entries {
            print(&line(entry, paint));
        }
        show::outcome(&outcome);
        if outcome.is_missed() || (kind == Kind::Calm && outcome.cut_elsewhere.is_some()) {
            Exit::No
        } else {
            Exit::Ok
        }
    }

    fn write(
        &self,
        out: &Path,
        found: &Found,
        without: &[Worth],
        with: &[Worth],
        roles: &Roles,
    ) -> Result<(), Failure> {
        let configuration: Vec<String> =
            config_paths(&self.args.config).iter().map(|path| path.display().to_string()).collect();
        let again =
            format!("emberwatch evaluate {} --seed {} --only", configuration.join(" "), self.args.seed);
        let campaign =
            Campaign { seed: self.args.seed, trials: self.args.trials, threads: self.threads, without: None };
        let text = page(&Page {
            site: &self.site.name,
            campaign,
            found,
            without,
            with,
            seen: &roles.seen(self.site),
            again: &again,
        });
        std::fs::write(out, text)
            .map_err(|error| (Exit::CannotCreate, format!("cannot write {}: {error}", out.display())))?;
        say(&format!("page: {}", out.display()));
        Ok(())
    }
}

/// How often progress is told: on a terminal in place, elsewhere a line now and then.
const TOLD_EVERY: Millis = Millis(500);
const TOLD_EVERY_AS_LINES: Millis = Millis::from_secs(10);

/// Progress on stderr.
struct Progress<'a> {
    what: &'a str,
    all: u64,
    begun: Uptime,
    told: AtomicU64,
    in_place: bool,
}

impl<'a> Progress<'a> {
    fn begin(what: &'a str, all: u64) -> Self {
        let begun = clock::uptime();
        Self { what, all, begun, told: AtomicU64::new(begun.0), in_place: std::io::stderr().is_terminal() }
    }

    fn tell(&self, played: u64) {
        let now = clock::uptime();
        let every = if self.in_place { TOLD_EVERY } else { TOLD_EVERY_AS_LINES };
        let told = self.told.load(Ordering::Relaxed);
        if now.since(Uptime(told)) < every
            || self.told.compare_exchange(told, now.0, Ordering::Relaxed, Ordering::Relaxed).is_err()
        {
            return;
        }
        let left_s = now.since(self.begun).0 / played.max(1) * (self.all - played) / 1000;
        let text = format!("{}: {played} of {} trials, {left_s} s left", self.what, self.all);
        if self.in_place {
            let _ = write!(std::io::stderr().lock(), "\r\u{1b}[K{text}");
        } else {
            say(&text);
        }
    }

    fn finish(&self) {
        if self.in_place {
            let _ = write!(std::io::stderr().lock(), "\r\u{1b}[K");
        }
        let took_s = clock::uptime().since(self.begun).as_secs_f64();
        say(&format!("{}: {} trials in {took_s:.1} s", self.what, self.all));
    }
}

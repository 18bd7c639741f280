//! `emberwatch check`: all complaints at once, and the worst case on paper of what is valid.

mod columns;
mod report;

use std::io::IsTerminal as _;
use std::path::PathBuf;

use crate::cli::{Exit, config_paths, print, say};
use crate::config::{self, Loaded, Look};

/// Arguments of `check`.
#[derive(clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(crate) struct CheckArgs {
    /// Files, or directories of `*.toml` files; together they are one configuration.
    paths: Vec<PathBuf>,
    /// Print complaints as JSON, one a line, on stdout; then the worst case as one more object.
    #[arg(long)]
    json: bool,
    /// Show every request, the age of every point, and where the time to a cut goes.
    #[arg(long)]
    plan: bool,
    /// Print all rules as they are in effect, those of presets written out, with the source of their numbers.
    #[arg(long, conflicts_with = "json")]
    print_effective: bool,
    /// Take warnings for errors.
    #[arg(long)]
    deny_warnings: bool,
    /// Say nothing when all is well.
    #[arg(short, long)]
    quiet: bool,
    /// Explain a complaint's code, for instance EW0107, and end.
    #[arg(long, value_name = "CODE")]
    explain: Option<String>,
}

/// Checks a configuration as `run` would load it.
pub(crate) fn check(args: &CheckArgs) -> Exit {
    if let Some(code) = &args.explain {
        return explain(code);
    }
    let paths = config_paths(&args.paths);
    match config::load(&paths) {
        Ok(loaded) => {
            show_complaints(&loaded.warnings, args.json);
            if args.deny_warnings && 0 < loaded.warnings.warnings() {
                return Exit::Config;
            }
            if args.print_effective {
                print(loaded.effective.trim_end());
                return Exit::Ok;
            }
            if !args.quiet {
                say(&summary(&loaded));
                let report = if args.json { report::json } else { report::text };
                print(report(&loaded, args.plan).trim_end());
            }
            Exit::Ok
        }
        Err(complaints) => {
            show_complaints(&complaints, args.json);
            Exit::Config
        }
    }
}

/// Loads a configuration for a command that needs one; complains and gives `None` if it is invalid.
pub(crate) fn load_or_complain(paths: &[PathBuf]) -> Option<Loaded> {
    match config::load(paths) {
        Ok(loaded) => {
            show_complaints(&loaded.warnings, false);
            Some(loaded)
        }
        Err(complaints) => {
            show_complaints(&complaints, false);
            None
        }
    }
}

/// Prints complaints: for people on stderr, or as JSON on stdout.
pub(crate) fn show_complaints(complaints: &config::Complaints, json: bool) {
    if complaints.errors() + complaints.warnings() == 0 {
        return;
    }
    if json {
        print(complaints.render_json().trim_end());
        return;
    }
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    say(complaints.render(if colour { Look::Styled } else { Look::Plain }).trim_end());
    say(&format!("{} errors, {} warnings", complaints.errors(), complaints.warnings()));
}

fn summary(loaded: &Loaded) -> String {
    let site = &loaded.site;
    format!(
        "valid: {} rooms, {} zones, {} devices on {} links, {} points, {} rules, {} sequences",
        site.rooms.len(),
        site.zones.len(),
        site.devices.len(),
        loaded.links.len(),
        site.points.len(),
        site.rules.len(),
        site.sequences.len(),
    )
}

fn explain(code: &str) -> Exit {
    let Some(text) = config::explain(code) else {
        say(&format!("no complaint has the code `{code}`; codes look like EW0101"));
        return Exit::Usage;
    };
    print(text.trim_end());
    Exit::Ok
}

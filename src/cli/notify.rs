//! `emberwatch notify test`: one test message to every target, and what each of them answers.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Subcommand;

use crate::cli::check::load_or_complain;
use crate::cli::{Exit, config_paths, edge_runtime, print, say, table};
use crate::config::Loaded;
use crate::notify::{self, SetupFault, Trial};

/// Arguments of `notify`.
#[derive(clap::Args)]
#[command(after_help = "\
  emberwatch notify test                 every target of the configuration
  emberwatch notify test duty            this one

Nothing waits and nothing is repeated: each target gets one message of type `test`, signed as all others are. An
incident that this opens at PagerDuty is closed at once; an alert at an Alertmanager ends after a minute.
Ends with 0 if every target took it, 1 if one refused it, 69 if one could not be reached.")]
pub(crate) struct NotifyArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Send a test message and show each target's answer.
    Test {
        /// A webhook, mail or heartbeat of the configuration, by its id; all of them without it.
        target: Option<String>,
        /// A file, or a directory of `*.toml` files; may be given more than once.
        #[arg(short, long, value_name = "PATH")]
        config: Vec<PathBuf>,
        /// Print rows as JSON, one a line.
        #[arg(long)]
        json: bool,
    },
}

/// One line of the table.
struct Row {
    target: String,
    kind: &'static str,
    outcome: Result<Trial, SetupFault>,
}

/// Carries out `notify`.
pub(crate) fn notify(args: &NotifyArgs) -> Exit {
    let What::Test { target, config, json } = &args.what;
    let Some(loaded) = load_or_complain(&config_paths(config)) else { return Exit::Config };
    let runtime = match edge_runtime() {
        Ok(runtime) => runtime,
        Err(error) => {
            say(&format!("cannot start: {error}"));
            return Exit::Internal;
        }
    };
    let (rows, keys) = runtime.block_on(try_all(&loaded, target.as_deref()));
    if rows.is_empty() {
        match target {
            Some(target) => say(&format!("there is no webhook, mail or heartbeat `{target}`")),
            None => say("the configuration names nobody to tell: add [[webhook]] or [[mail]]"),
        }
        return if target.is_some() { Exit::Usage } else { Exit::No };
    }
    if *json {
        for row in &rows {
            print(&row.json().to_string());
        }
    } else {
        let head = ["TARGET", "KIND", "STATUS", "TIME", "ANSWER"].map(str::to_owned).to_vec();
        let cells = std::iter::once(head).chain(rows.iter().map(Row::cells)).collect::<Vec<_>>();
        for line in table::lines(&cells) {
            print(&line);
        }
    }
    for key in keys {
        say(&key);
    }
    verdict(&rows)
}

async fn try_all(loaded: &Loaded, only: Option<&str>) -> (Vec<Row>, Vec<String>) {
    let wanted = |name: &str| only.is_none_or(|only| only == name);
    let (mut rows, mut keys) = (Vec::new(), Vec::new());
    let site = Arc::clone(&loaded.site);
    for options in loaded.webhooks.iter().filter(|it| wanted(&it.name)) {
        let row = |outcome| Row { target: options.name.clone(), kind: "webhook", outcome };
        match notify::try_webhook(options, &site).await {
            Ok((trials, public)) => {
                rows.extend(trials.into_iter().map(|trial| row(Ok(trial))));
                keys.extend(public.iter().map(|key| format!("{}: verify v1a with {key}", options.name)));
            }
            Err(fault) => rows.push(row(Err(fault))),
        }
    }
    for options in loaded.mails.iter().filter(|it| wanted(&it.name)) {
        let outcome = notify::try_mail(options, &site).await;
        rows.push(Row { target: options.name.clone(), kind: "mail", outcome });
    }
    for options in loaded.heartbeats.iter().filter(|it| wanted(&it.name)) {
        let outcome = notify::try_heartbeat(options).await;
        rows.push(Row { target: options.name.clone(), kind: "heartbeat", outcome });
    }
    (rows, keys)
}

impl Row {
    fn kind(&self) -> &'static str {
        match &self.outcome {
            Ok(trial) if trial.backup => "webhook, second address",
            _ => self.kind,
        }
    }

    fn cells(&self) -> Vec<String> {
        let mut cells = vec![self.target.clone(), self.kind().to_owned()];
        match &self.outcome {
            Ok(trial) => {
                let status = trial.answer.status.map_or_else(|| "none".to_owned(), |it| it.to_string());
                cells.extend([status, trial.took.to_string(), trial.answer.line.clone()]);
            }
            Err(fault) => cells.extend(["none".to_owned(), "-".to_owned(), fault.to_string()]),
        }
        cells
    }

    fn json(&self) -> serde_json::Value {
        let (status, took, line) = match &self.outcome {
            Ok(trial) => (trial.answer.status, Some(trial.took.0), trial.answer.line.clone()),
            Err(fault) => (None, None, fault.to_string()),
        };
        serde_json::json!({
            "target": self.target,
            "kind": self.kind(),
            "status": status,
            "took_ms": took,
            "answer": line,
            "taken": self.outcome.as_ref().is_ok_and(|trial| trial.answer.is_good()),
        })
    }

    fn is_unreachable(&self) -> bool {
        self.outcome.as_ref().is_ok_and(|trial| trial.answer.status.is_none())
    }

    fn is_good(&self) -> bool {
        self.outcome.as_ref().is_ok_and(|trial| trial.answer.is_good())
    }
}

/// Not to be reached is worse than refused: somebody may have to be called by other means.
fn verdict(rows: &[Row]) -> Exit {
    if rows.iter().any(Row::is_unreachable) {
        Exit::Unavailable
    } else if rows.iter().all(Row::is_good) {
        Exit::Ok
    } else {
        Exit::No
    }
}

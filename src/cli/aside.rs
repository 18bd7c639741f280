//! `emberwatch bypass` and `emberwatch maintenance`: what protects, and is put aside for a while by two persons.

use std::time::Duration;

use clap::Subcommand;
use serde_json::Value;

use crate::cli::daemon::{DaemonArgs, Failed, failed, tell_proposed};
use crate::cli::{Exit, print, table};
use crate::runtime::control::Client;
use crate::runtime::control::protocol::AlarmVerb;

/// Arguments of `bypass`.
#[derive(clap::Args)]
#[command(after_help = "\
  emberwatch bypass                                                  what is bypassed, by whom, until when
  emberwatch bypass begin off-gas --for 2h --reason 'new sensor'     propose it; another person asks the same …
  emberwatch bypass end off-gas                                      one person takes it back

A bypassed channel does not vote: its vote works on fewer channels, by `on_channel_fault`. A channel that its vote cannot
do without is not bypassed, nor is any while a cut that it bears on is under way. It ends by itself, after eight hours at
the most, and with a reboot; an alarm stands all the while. What the channel itself shows is told as ever.

Ends with 0, also where a second person is waited for, 1 if the daemon does not follow the request, 2 for a channel it
does not know, 69 without a daemon, 77 without the right to ask it.")]
pub(crate) struct BypassArgs {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    daemon: DaemonArgs,
}

/// Arguments of `maintenance`.
#[derive(clap::Args)]
#[command(after_help = "\
  emberwatch maintenance                                             which zones, by whom, until when
  emberwatch maintenance begin rack-1 --for 4h --reason 'cables'     propose it; another person asks the same …
  emberwatch maintenance end rack-1                                  one person takes it back

In maintenance nothing of the zone is cut by itself. Levels, alarms and notices are told as ever; a cut that would have
begun is held for a person, who can order it in two steps. It ends by itself, after eight hours at the most, and with a
reboot; an alarm stands all the while.

Ends with 0, also where a second person is waited for, 1 if the daemon does not follow the request, 2 for a zone it does
not know, 69 without a daemon, 77 without the right to ask it.")]
pub(crate) struct MaintenanceArgs {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    daemon: DaemonArgs,
}

#[derive(Subcommand)]
enum What {
    /// What is put aside now.
    List,
    /// Put it aside; takes two persons, who ask the same within a minute.
    Begin {
        /// The channel (the id of a rule that votes), or the zone.
        id: String,
        /// For how long; eight hours at the most.
        #[arg(long = "for", value_name = "DURATION", value_parser = crate::cli::parse_duration)]
        lasting: Duration,
        /// Why; the journal records it.
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Take it back.
    End {
        /// The channel, or the zone.
        id: String,
    },
}

/// Which of the two.
#[derive(Clone, Copy)]
struct Kind {
    command: &'static str,
    /// How the ids of their alarms end.
    ending: &'static str,
    what: &'static str,
}

const BYPASS: Kind = Kind { command: "bypass", ending: "-bypassed", what: "channel" };
const MAINTENANCE: Kind = Kind { command: "maintenance", ending: "-maintenance", what: "zone" };

/// Bypasses a channel of a vote.
pub(crate) fn bypass(args: &BypassArgs) -> Exit {
    aside(BYPASS, args.what.as_ref(), &args.daemon)
}

/// Puts a zone into maintenance.
pub(crate) fn maintenance(args: &MaintenanceArgs) -> Exit {
    aside(MAINTENANCE, args.what.as_ref(), &args.daemon)
}

fn aside(kind: Kind, what: Option<&What>, daemon: &DaemonArgs) -> Exit {
    daemon.with(kind.command, async |mut client| {
        match what {
            None | Some(What::List) => {}
            Some(What::Begin { id, lasting, reason }) => {
                let for_ms = u64::try_from(lasting.as_millis()).unwrap_or(u64::MAX);
                let verb = AlarmVerb::Waive { for_ms, reason: reason.clone() };
                ask(&mut client, kind, id, verb, daemon.json).await?;
            }
            Some(What::End { id }) => {
                ask(&mut client, kind, id, AlarmVerb::EndWaiver {}, daemon.json).await?;
            }
        }
        let alarms = client.alarms(None).await.map_err(failed)?;
        let stands = |alarm: &&Value| alarm["until"].is_string() && name(alarm, kind).is_some();
        show(&alarms.iter().filter(stands).collect::<Vec<_>>(), kind, daemon.json);
        Ok(Exit::Ok)
    })
}

/// Its alarm is what it is asked by.
async fn ask(client: &mut Client, kind: Kind, id: &str, verb: AlarmVerb, json: bool) -> Result<(), Failed> {
    let said =
        client.alarm(&format!("{id}{}", kind.ending), verb).await.map_err(|fault| match failed(fault) {
            (Exit::Usage, _) => (Exit::Usage, format!("there is no {} `{id}` to put aside", kind.what)),
            other => other,
        })?;
    tell_proposed(&said, "for the same time", json);
    Ok(())
}

fn name(alarm: &Value, kind: Kind) -> Option<&str> {
    alarm["id"].as_str()?.strip_suffix(kind.ending)
}

fn show(alarms: &[&Value], kind: Kind, json: bool) {
    if json {
        for alarm in alarms {
            print(&alarm.to_string());
        }
        return;
    }
    if alarms.is_empty() {
        return print(&format!("No {} is put aside.", kind.what));
    }
    let word = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let mut rows = vec![[kind.what, "until", "by whom, and why"].map(str::to_owned).to_vec()];
    for alarm in alarms {
        let name = name(alarm, kind).unwrap_or("-").to_owned();
        rows.push(vec![name, word(&alarm["until"]), word(&alarm["because"])]);
    }
    for line in table::lines(&rows) {
        print(&line);
    }
}

//! `emberwatch alarms`: what stands and what is put away, and what a person does about it.

mod list;

use std::time::Duration;

use clap::Subcommand;
use serde_json::Value;

use crate::cli::daemon::{DaemonArgs, Failed, failed};
use crate::cli::{Exit, say};
use crate::runtime::control::Client;
use crate::runtime::control::protocol::AlarmVerb;

/// Arguments of `alarms`.
#[derive(clap::Args)]
#[command(after_help = "\
  emberwatch alarms                                       what stands, and what is put away
  emberwatch alarms ack hot-cell                          I have seen it
  emberwatch alarms shelve hot-cell --for 2h              do not tell me of it for two hours
  emberwatch alarms shelve hot-cell --for 2h --once       … or until its cause goes, if that is earlier
  emberwatch alarms out-of-service gas --reason 'sensor is being changed'

The journal records who asked, as the kernel tells: `local:<user>`. Whoever may use the daemon's socket may ask:
root, its user, and the members of its group where the state directory is open to them. Nothing here changes judging or cutting. What is about life safety
cannot be shelved or taken out of service.

Ends with 0, with 1 if the daemon does not follow the request, 2 for an alarm it does not know, 69 without a
daemon, 77 without the right to ask it.")]
pub(crate) struct AlarmsArgs {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    daemon: DaemonArgs,
}

#[derive(Subcommand)]
enum What {
    /// What stands, and what is put away.
    List,
    /// Say that you have seen it, as it stands now.
    #[command(group(clap::ArgGroup::new("which").required(true).args(["id", "all"])))]
    Ack {
        /// The alarm, by its id.
        id: Option<String>,
        /// The occurrence that you saw; by default the one that stands now, which is shown.
        #[arg(long, value_name = "N", conflicts_with = "all")]
        occurrence: Option<u64>,
        /// All that nobody has seen; each is shown.
        #[arg(long)]
        all: bool,
    },
    /// Let go of a latched alarm whose cause has gone.
    Reset {
        /// The alarm, by its id.
        id: String,
    },
    /// Do not tell of it for a while.
    Shelve {
        /// The alarm, by its id.
        id: String,
        /// For how long; at most `shelve_max` of the configuration.
        #[arg(long = "for", value_name = "DURATION", value_parser = crate::cli::parse_duration)]
        lasting: Duration,
        /// End it as soon as the cause goes.
        #[arg(long)]
        once: bool,
        /// Only if this occurrence stands.
        #[arg(long, value_name = "N")]
        occurrence: Option<u64>,
    },
    /// Tell of it again.
    Unshelve {
        /// The alarm, by its id.
        id: String,
    },
    /// Take it out of service, for maintenance.
    OutOfService {
        /// The alarm, by its id.
        id: String,
        /// Why; the journal records it.
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Put it back into service.
    InService {
        /// The alarm, by its id.
        id: String,
    },
}

/// Lists alarms, or asks something about one.
pub(crate) fn alarms(args: &AlarmsArgs) -> Exit {
    let json = args.daemon.json;
    args.daemon.with("alarms", async |mut client| match &args.what {
        None | Some(What::List) => {
            let all = client.alarms(None).await.map_err(failed)?;
            list::show(&all, json);
            Ok(Exit::Ok)
        }
        Some(What::Ack { id: None, .. }) => acknowledge_all(&mut client, json).await,
        Some(What::Ack { id: Some(id), occurrence, .. }) => {
            let all = client.alarms(Some(id)).await.map_err(failed)?;
            let alarm = all.iter().find(|alarm| alarm["id"] == id.as_str());
            let alarm = alarm.ok_or_else(|| (Exit::Usage, format!("no alarm `{id}`")))?;
            acknowledge(&mut client, alarm, *occurrence, json).await
        }
        Some(What::Reset { id }) => ask(&mut client, id, AlarmVerb::Reset {}, json).await,
        Some(What::Shelve { id, lasting, once, occurrence }) => {
            let for_ms = u64::try_from(lasting.as_millis()).unwrap_or(u64::MAX);
            let verb = AlarmVerb::Shelve { for_ms, one_shot: *once, occurrence: *occurrence };
            ask(&mut client, id, verb, json).await
        }
        Some(What::Unshelve { id }) => ask(&mut client, id, AlarmVerb::Unshelve {}, json).await,
        Some(What::OutOfService { id, reason }) => {
            ask(&mut client, id, AlarmVerb::OutOfService { reason: reason.clone() }, json).await
        }
        Some(What::InService { id }) => ask(&mut client, id, AlarmVerb::InService {}, json).await,
    })
}

/// All that nobody has seen, each by the occurrence that is shown; goes on where one is refused.
async fn acknowledge_all(client: &mut Client, json: bool) -> Result<Exit, Failed> {
    let alarms = client.alarms(None).await.map_err(failed)?;
    let mut exit = Exit::Ok;
    for alarm in alarms.iter().filter(|alarm| list::is_unseen(alarm)) {
        if let Err((code, sentence)) = acknowledge(client, alarm, None, json).await {
            say(&format!("emberwatch alarms: {}: {sentence}", alarm["id"]));
            exit = code;
        }
    }
    Ok(exit)
}

/// Acknowledges the occurrence that was seen, and shows what that is.
async fn acknowledge(
    client: &mut Client,
    alarm: &Value,
    occurrence: Option<u64>,
    json: bool,
) -> Result<Exit, Failed> {
    let id = alarm["id"].as_str().unwrap_or_default();
    say(&list::line(alarm));
    let seen = occurrence.or_else(|| alarm["occurrence"].as_u64()).unwrap_or_default();
    ask(client, id, AlarmVerb::Ack { occurrence: seen }, json).await
}

/// Asks, and shows how the alarm is afterwards.
async fn ask(client: &mut Client, id: &str, verb: AlarmVerb, json: bool) -> Result<Exit, Failed> {
    let by = client.alarm(id, verb).await.map_err(failed)?.by;
    let after = client.alarms(Some(id)).await.map_err(failed)?;
    if let Some(alarm) = after.iter().find(|alarm| alarm["id"] == id) {
        list::show_one(alarm, &by, json);
    }
    Ok(Exit::Ok)
}

//! `emberwatch sequence`: how the power cuts of the running daemon stand, and what people ask of them.

use clap::Subcommand;
use serde_json::Value;

use crate::cli::daemon::{DaemonArgs, Failed, failed, tell_proposed};
use crate::cli::{Exit, print, table};
use crate::runtime::control::Client;
use crate::runtime::control::protocol::SequenceVerb;

/// Arguments of `sequence`.
#[derive(clap::Args)]
#[command(after_help = "\
  emberwatch sequence                          how each stands, and what waits for a second person
  emberwatch sequence abort cut-rack-1         stop a run before its point of no return
  emberwatch sequence select cut-rack-1        cut by hand: the first step …
  emberwatch sequence start cut-rack-1         … and the second, by the same person within ten seconds
  emberwatch sequence disarm cut-rack-1        takes two persons: another one asks the same within a minute

One person may cut; it takes two to disarm, and to let go of a cut that was carried out. The journal records who asked,
as the kernel tells: `local:<user>`. It works without network, broker and page.

Ends with 0, also where a second person is waited for, 1 if the daemon does not follow the request, 2 for a sequence it
does not know, 69 without a daemon, 77 without the right to ask it.")]
pub(crate) struct SequenceArgs {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    daemon: DaemonArgs,
}

#[derive(Subcommand)]
enum What {
    /// How each stands.
    List,
    /// Let it cut by itself.
    Arm {
        /// The sequence, by its id.
        id: String,
    },
    /// Let it judge and record only; takes two persons.
    Disarm {
        /// The sequence, by its id.
        id: String,
    },
    /// Let a finished run go; takes two persons where something was cut.
    Reset {
        /// The sequence, by its id.
        id: String,
    },
    /// Stop its run before the point of no return.
    Abort {
        /// The sequence, by its id.
        id: String,
        /// Only this run.
        #[arg(long, value_name = "N")]
        run: Option<u64>,
    },
    /// Record that every stage was tried at the plant and did what the configuration says; takes two persons.
    ProofTested {
        /// The sequence, by its id.
        id: String,
    },
    /// The first step of a cut by hand, or of going on where it is held.
    Select {
        /// The sequence, by its id.
        id: String,
    },
    /// The second step, within ten seconds.
    Start {
        /// The sequence, by its id.
        id: String,
    },
}

/// Lists sequences, or asks something about one.
pub(crate) fn sequence(args: &SequenceArgs) -> Exit {
    let json = args.daemon.json;
    args.daemon.with("sequence", async |mut client| {
        let (id, verb) = match &args.what {
            None | Some(What::List) => {
                show(&client.sequences().await.map_err(failed)?, json);
                return Ok(Exit::Ok);
            }
            Some(What::Arm { id }) => (id, SequenceVerb::Arm {}),
            Some(What::Disarm { id }) => (id, SequenceVerb::Disarm {}),
            Some(What::Reset { id }) => (id, SequenceVerb::Reset {}),
            Some(What::Abort { id, run }) => (id, SequenceVerb::Abort { run: *run }),
            Some(What::Select { id }) => (id, SequenceVerb::Select {}),
            Some(What::Start { id }) => (id, SequenceVerb::Start {}),
            Some(What::ProofTested { id }) => (id, SequenceVerb::ProofTested {}),
        };
        ask(&mut client, id, verb, json).await
    })
}

/// Asks, and shows how the sequence stands afterwards.
async fn ask(client: &mut Client, id: &str, verb: SequenceVerb, json: bool) -> Result<Exit, Failed> {
    let said = client.sequence(id, verb).await.map_err(failed)?;
    tell_proposed(&said, "by this command or on the page", json);
    let all = client.sequences().await.map_err(failed)?;
    let one: Vec<Value> = all.into_iter().filter(|sequence| sequence["id"] == id).collect();
    show(&one, json);
    Ok(Exit::Ok)
}

fn show(sequences: &[Value], json: bool) {
    if json {
        for sequence in sequences {
            print(&sequence.to_string());
        }
        return;
    }
    let word = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let mut rows = vec![["sequence", "zone", "mode", "state", "stage", "note"].map(str::to_owned).to_vec()];
    for sequence in sequences {
        let stage = match (&sequence["step"]["n"], &sequence["step"]["of"]) {
            (n, of) if n.as_u64().is_some_and(|n| 0 < n) => format!("{n} of {of}"),
            _ => "-".to_owned(),
        };
        rows.push(vec![
            word(&sequence["id"]),
            word(&sequence["zone"]),
            word(&sequence["mode"]),
            word(&sequence["state"]),
            stage,
            note(sequence),
        ]);
    }
    for line in table::lines(&rows) {
        print(&line);
    }
}

/// What one should know beside its state.
fn note(sequence: &Value) -> String {
    let mut notes = Vec::new();
    if sequence["drill"] == true {
        notes.push("DRILL: nothing is written".to_owned());
    } else if sequence["shadow"] == true {
        notes.push("only recorded".to_owned());
    }
    let proposed = &sequence["proposed"];
    if let (Some(verb), Some(by)) = (proposed["verb"].as_str(), proposed["by"].as_str()) {
        let left = proposed["remaining_ms"].as_u64().unwrap_or(0) / 1000;
        notes.push(format!("{verb} proposed by {by}, waits {left} s for a second person"));
    }
    if let Some(by) = sequence["selected_by"].as_str() {
        notes.push(format!("selected by {by}"));
    }
    let steps = sequence["steps"].as_array().into_iter().flatten();
    notes.extend(
        steps.filter_map(|step| Some(format!("{}: {}", step["name"].as_str()?, step["why"].as_str()?))),
    );
    notes.join("; ")
}

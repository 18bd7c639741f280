//! `emberwatch simulate`: the room, for any Modbus TCP client.

use std::net::SocketAddr;

use tokio::net::TcpListener;

use crate::cli::{Exit, edge_runtime, print, say};
use crate::sim::{Scenario, SimOptions, Simulator};

/// Arguments of `simulate`.
#[derive(clap::Args)]
pub(crate) struct SimulateArgs {
    /// Where to listen for Modbus TCP.
    #[arg(long, default_value = "127.0.0.1:1502")]
    listen: SocketAddr,
    /// What happens in the room; `list` names them all.
    #[arg(long, default_value = "calm")]
    scenario: String,
    /// How many times faster than real time.
    #[arg(long, default_value_t = 1.0)]
    speed: f64,
    /// Seed of the room's noise.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// End after this many seconds; never when absent.
    #[arg(long = "for", value_name = "DURATION", value_parser = super::parse_duration)]
    lasting: Option<std::time::Duration>,
}

/// Serves the room until Ctrl-C.
pub(crate) fn simulate(args: &SimulateArgs) -> Exit {
    let scenario = match find_scenario(&args.scenario) {
        Ok(scenario) => scenario,
        Err(exit) => return exit,
    };
    let runtime = match edge_runtime() {
        Ok(runtime) => runtime,
        Err(error) => {
            say(&format!("emberwatch simulate: cannot start: {error}"));
            return Exit::Internal;
        }
    };
    runtime.block_on(async {
        let listener = match TcpListener::bind(args.listen).await {
            Ok(listener) => listener,
            Err(error) => {
                say(&format!("emberwatch simulate: cannot listen on {}: {error}", args.listen));
                return Exit::Unavailable;
            }
        };
        let options = SimOptions { seed: args.seed, speed: args.speed, scenario };
        let simulator = Simulator::start(listener, options);
        say(&format!("Modbus TCP on {}: units 1 and 2 battery racks, 10 UPS, 20 gas, 30 smoke, 40 relays", simulator.address()));
        say("Try:  mbpoll -m tcp -a 1 -t 4:hex -r 1 -c 15 -1 -p PORT 127.0.0.1   (PORT as above; Ctrl-C ends)");
        super::ended(args.lasting).await;
        simulator.stop().await;
        Exit::Ok
    })
}

/// The scenario of this name; names them all where there is none, or where that was asked for.
pub(crate) fn find_scenario(name: &str) -> Result<Scenario, Exit> {
    if let Some(found) = Scenario::find(name) {
        return Ok(found);
    }
    let asked = name == "list";
    if !asked {
        say(&format!("no scenario `{name}`; there are:"));
    }
    for scenario in Scenario::all() {
        let line = format!("  {:<18} {}", scenario.name, scenario.about);
        if asked { print(&line) } else { say(&line) }
    }
    Err(if asked { Exit::Ok } else { Exit::Usage })
}

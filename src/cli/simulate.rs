//! `emberwatch simulate`: the room, for any Modbus client: TCP, RTU in TCP, or a pseudo serial port.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use tokio::net::TcpListener;

use crate::cli::{Exit, edge_runtime, print, say};
use crate::sim::{Pty, Scenario, SimOptions, Simulator};

/// Arguments of `simulate`.
#[derive(clap::Args)]
#[command(after_help = "\
  emberwatch simulate                                    Modbus TCP on 127.0.0.1:1502 and :1503
  emberwatch simulate --pty /tmp/bus --baud 19200        the same room on a serial line too
  emberwatch scan /tmp/bus --baud 19200 --units 1-40     and what a scan makes of it")]
pub(crate) struct SimulateArgs {
    /// Where to listen for Modbus TCP; several times for several links to the same room.
    #[arg(long, default_values = ["127.0.0.1:1502", "127.0.0.1:1503"])]
    listen: Vec<SocketAddr>,
    /// Serve it as RTU on a pseudo terminal too, whose path is printed; with LINK, that path leads to it.
    #[arg(long, value_name = "LINK", num_args = 0..=1)]
    #[expect(clippy::option_option, reason = "clap's way to tell a flag without its value")]
    pty: Option<Option<PathBuf>>,
    /// Bits per second that the pseudo terminal is paced to.
    #[arg(long, default_value_t = 9600, value_parser = clap::value_parser!(u32).range(300..=4_000_000))]
    baud: u32,
    /// Serve it as RTU in TCP too, as serial servers do.
    #[arg(long, value_name = "ADDRESS")]
    rtu_over_tcp: Option<SocketAddr>,
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
        let mut listeners = Vec::new();
        for address in &args.listen {
            match listen(*address).await {
                Ok(listener) => listeners.push(listener),
                Err(exit) => return exit,
            }
        }
        let at: Vec<String> = listeners
            .iter()
            .filter_map(|listener| Some(listener.local_addr().ok()?.to_string()))
            .collect();
        let mut listeners = listeners.into_iter();
        let Some(first) = listeners.next() else { return Exit::Usage };
        let options = SimOptions { seed: args.seed, speed: args.speed, scenario };
        let mut simulator = Simulator::start(first, options);
        listeners.for_each(|listener| simulator.also_on_tcp(listener));
        say(&format!(
            "Modbus TCP on {}: units 1 and 2 battery racks, 10 and 11 UPS A and B, 20 gas, 30 smoke, 40 relays",
            at.join(" and ")
        ));
        let _link = match serial(args, &mut simulator).await {
            Ok(link) => link,
            Err(exit) => return exit,
        };
        say("Try:  mbpoll -m tcp -a 1 -t 4:hex -r 1 -c 15 -1 -p PORT 127.0.0.1   (PORT as above; Ctrl-C ends)");
        super::ended(args.lasting).await;
        simulator.stop().await;
        Exit::Ok
    })
}

async fn listen(address: SocketAddr) -> Result<TcpListener, Exit> {
    TcpListener::bind(address).await.map_err(|error| {
        say(&format!("emberwatch simulate: cannot listen on {address}: {error}"));
        Exit::Unavailable
    })
}

/// The serial ways into the room, as far as they were asked for.
async fn serial(args: &SimulateArgs, simulator: &mut Simulator) -> Result<Option<Symlink>, Exit> {
    if let Some(address) = args.rtu_over_tcp {
        let listener = listen(address).await?;
        let address = listener.local_addr().unwrap_or(address);
        simulator.also_rtu_over_tcp(listener);
        say(&format!("RTU in TCP on {address}: the same units"));
    }
    let Some(link) = &args.pty else { return Ok(None) };
    let cannot = |what: &str, error: std::io::Error| {
        say(&format!("emberwatch simulate: cannot {what}: {error}"));
        Exit::CannotCreate
    };
    let pty = Pty::open().map_err(|error| cannot("open a pseudo terminal", error))?;
    let path = pty.path().to_owned();
    let link = link.as_deref().map(|link| Symlink::make(&path, link));
    let link = link.transpose().map_err(|error| cannot("make the link to the pseudo terminal", error))?;
    simulator.also_on_pty(pty, args.baud);
    let shown = link.as_ref().map_or(path.as_path(), |link| link.at.as_path());
    say(&format!("RTU on {} at {} baud: the same units", shown.display(), args.baud));
    Ok(link)
}

/// A symbolic link, removed when dropped.
struct Symlink {
    at: PathBuf,
}

impl Symlink {
    /// Replaces a link that leads to a pseudo terminal, as a killed process leaves it; nothing else.
    fn make(to: &Path, at: &Path) -> std::io::Result<Self> {
        if std::fs::read_link(at).is_ok_and(|old| old.starts_with("/dev/pts")) {
            std::fs::remove_file(at)?;
        }
        std::os::unix::fs::symlink(to, at)?;
        Ok(Self { at: at.to_owned() })
    }
}

impl Drop for Symlink {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.at);
    }
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

//! `emberwatch demo`: a simulated room over real Modbus TCP, the real daemon, a broker, and the page; all on
//! loopback, nothing outside a temporary directory.

mod broker;
mod narrator;
mod plant;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use tokio::net::TcpListener;

use crate::cli::check::show_complaints;
use crate::cli::run::{broken, refuse};
use crate::cli::simulate::find_scenario;
use crate::cli::terminal::Keys;
use crate::cli::{Exit, edge_runtime, ended, logging, parse_duration, print, say};
use crate::runtime::Daemon;
use crate::sim::{Scenario, SimOptions, Simulator};

use broker::Broker;
use narrator::Narrator;
use plant::{Addresses, TempDir};

/// Arguments of `demo`.
#[derive(clap::Args)]
pub(crate) struct DemoArgs {
    /// The story to play; `list` names them all.
    #[arg(long, default_value = "cell-fire")]
    scenario: String,
    /// How many times faster than life, 0.1 to 10.
    #[arg(long, default_value_t = 1.0, value_parser = parse_speed)]
    speed: f64,
    /// Seed of the room's noise.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Port of the page on loopback; a free one if it is taken.
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// End after this long, for instance 90s.
    #[arg(long = "for", value_name = "DURATION", value_parser = parse_duration)]
    lasting: Option<Duration>,
    /// Do not start a broker.
    #[arg(long)]
    no_broker: bool,
    /// Log what the daemon logs, on stderr.
    #[arg(short, long)]
    verbose: bool,
}

/// Plays the demonstration until its time is up, a key ends it, or Ctrl-C.
pub(crate) fn demo(args: &DemoArgs) -> Exit {
    let scenario = match find_scenario(&args.scenario) {
        Ok(scenario) => scenario,
        Err(exit) => return exit,
    };
    let dir = match TempDir::create() {
        Ok(dir) => dir,
        Err(error) => {
            say(&format!("emberwatch demo: cannot create a temporary directory: {error}"));
            return Exit::CannotCreate;
        }
    };
    let runtime = match edge_runtime() {
        Ok(runtime) => runtime,
        Err(error) => {
            say(&format!("emberwatch demo: cannot start: {error}"));
            return Exit::Internal;
        }
    };
    let exit = runtime.block_on(play(args, scenario, &dir.0));
    runtime.shutdown_timeout(Duration::from_millis(100));
    exit
}

async fn play(args: &DemoArgs, scenario: Scenario, dir: &Path) -> Exit {
    let stage = match Stage::set(args, &scenario, dir).await {
        Ok(stage) => stage,
        Err(exit) => return exit,
    };
    stage.introduce(args, &scenario);
    let mut keys = Keys::read();
    let narrator = Narrator::new(&stage.daemon);
    let exit = tokio::select! {
        exit = narrator.narrate(stage.daemon.hearing(), &mut keys) => exit,
        () = ended(args.lasting) => Exit::Ok,
        () = broken(&stage.daemon) => Exit::Internal,
    };
    drop(keys);
    stage.clear().await;
    exit
}

/// Everything that runs for the demonstration.
struct Stage {
    simulator: Simulator,
    broker: Option<Broker>,
    daemon: Daemon,
    token: String,
}

impl Stage {
    async fn set(args: &DemoArgs, scenario: &Scenario, dir: &Path) -> Result<Self, Exit> {
        let broker = if args.no_broker { None } else { Some(start_broker(dir).await?) };
        let room = listen(0).await?;
        let page = free_port(args.port).await?;
        let at = Addresses {
            room: room.local_addr().map_err(|_| Exit::Unavailable)?,
            broker: broker.as_ref().map(|broker| broker.address),
            page,
        };
        let token = plant::token();
        let loaded = plant::load(dir, args.speed, &at, &token).map_err(|complaints| {
            show_complaints(&complaints, false);
            Exit::Config
        })?;
        if args.verbose {
            logging::start(loaded.log);
        }
        let options = SimOptions { seed: args.seed, speed: args.speed, scenario: scenario.clone() };
        let simulator = Simulator::start(room, options);
        let banner = "DEMONSTRATION · a simulated room, nothing here is real".to_owned();
        let daemon = Daemon::start(loaded, Some(banner)).await.map_err(|fault| refuse(&fault))?;
        Ok(Self { simulator, broker, daemon, token })
    }

    fn introduce(&self, args: &DemoArgs, scenario: &Scenario) {
        print(
            "emberwatch demonstration: a simulated battery room, watched by the real daemon. Nothing leaves this machine.",
        );
        print("");
        if let Some(page) = self.daemon.web {
            print(&format!("  Page    http://{page}/#token={}", self.token));
        }
        if let Some(broker) = &self.broker {
            let (host, port) = (broker.address.ip(), broker.address.port());
            print(&format!("  MQTT    mosquitto_sub -h {host} -p {port} -t 'emberwatch/#' -v"));
        }
        let room = self.simulator.address();
        print(&format!("  Modbus  mbpoll -m tcp -p {} -a 1 -t 4 -r 1 -c 15 -1 {}", room.port(), room.ip()));
        print("");
        print(&format!("The story `{}`: {}", scenario.name, scenario.about));
        for step in scenario.story() {
            print(&format!("  {:>5.0} s  {}", step.at.as_secs_f64() / args.speed, step.text));
        }
        print("");
        print("Keys: a abort the cut · k acknowledge all alarms · q quit");
        print("");
    }

    async fn clear(self) {
        self.daemon.stop().await;
        self.simulator.stop().await;
        if let Some(broker) = self.broker {
            broker.stop();
        }
    }
}

async fn start_broker(dir: &Path) -> Result<Broker, Exit> {
    Broker::start(dir).await.map_err(|error| {
        say(&format!("emberwatch demo: the broker did not start: {error}; try --no-broker"));
        Exit::Unavailable
    })
}

async fn listen(port: u16) -> Result<TcpListener, Exit> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(|error| {
        say(&format!("emberwatch demo: cannot listen on 127.0.0.1:{port}: {error}"));
        Exit::Unavailable
    })
}

/// The wanted port of loopback if it is free, another one otherwise.
async fn free_port(wanted: u16) -> Result<SocketAddr, Exit> {
    if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, wanted)).await {
        return listener.local_addr().map_err(|_| Exit::Unavailable);
    }
    say(&format!("emberwatch demo: port {wanted} is taken, the page gets another one"));
    listen(0).await?.local_addr().map_err(|_| Exit::Unavailable)
}

fn parse_speed(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(speed) if (0.1..=10.0).contains(&speed) => Ok(speed),
        Ok(_) | Err(_) => Err(format!("`{text}` is no speed from 0.1 to 10")),
    }
}

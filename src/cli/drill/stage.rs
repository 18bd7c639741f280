//! The simulated room in which a whole cut is rehearsed: the real daemon, on loopback, with nobody to tell.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;

use crate::cli::check::load_or_complain;
use crate::cli::daemon::Failed;
use crate::cli::run::refuse;
use crate::cli::simulate::find_scenario;
use crate::cli::{Exit, config_paths};
use crate::config::Loaded;
use crate::field::options::Endpoint;
use crate::runtime::Daemon;
use crate::runtime::control::socket_in;
use crate::safety::sequence::spec::Mode;
use crate::sim::{SimOptions, Simulator};
use crate::units::Millis;

/// What is rehearsed where no configuration is named.
const DEMO: &str = include_str!("../../../config/demo.toml");

/// Everything that runs for the rehearsal.
pub(super) struct Stage {
    simulator: Simulator,
    daemon: Daemon,
    pub(super) loaded: Loaded,
    pub(super) socket: PathBuf,
    dir: PathBuf,
}

impl Stage {
    /// Starts room and daemon, the sequence armed, all others as they are written.
    pub(super) async fn set(id: &str, config: &[PathBuf], scenario: &str) -> Result<Self, Failed> {
        let scenario = find_scenario(scenario).map_err(|exit| (exit, String::new()))?;
        let dir = std::env::temp_dir().join(format!("emberwatch-drill-{}", std::process::id()));
        let cannot = |error: std::io::Error| (Exit::CannotCreate, format!("{}: {error}", dir.display()));
        std::fs::create_dir_all(&dir).map_err(cannot)?;
        let paths = if config.is_empty() {
            let demo = dir.join("demo.toml");
            std::fs::write(&demo, DEMO).map_err(cannot)?;
            vec![demo]
        } else {
            config_paths(config)
        };
        let load = || {
            let mut loaded = load_or_complain(&paths)?;
            loaded.state_dir = dir.join("state");
            (loaded.mqtt, loaded.influx, loaded.web) = (None, None, None);
            loaded.webhooks.clear();
            loaded.mails.clear();
            loaded.heartbeats.clear();
            Some(loaded)
        };
        let room = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(cannot)?;
        let address = room.local_addr().map_err(cannot)?.to_string();
        let armed = |mut loaded: Loaded| {
            let site = Arc::make_mut(&mut loaded.site);
            let sequence = site.sequences.iter_mut().find(|sequence| sequence.name == id)?;
            sequence.mode = Mode::Armed;
            for link in &mut loaded.links {
                link.endpoint = Endpoint::tcp(address.clone());
            }
            Some(loaded)
        };
        let nothing = || (Exit::Config, "nothing was rehearsed".to_owned());
        let unknown = || (Exit::Usage, format!("no sequence `{id}` in this configuration"));
        let loaded = load().ok_or_else(nothing)?;
        let running = armed(loaded.clone()).ok_or_else(unknown)?;
        let warm = polls(&running, id);
        let simulator = Simulator::start(room, SimOptions { scenario, ..SimOptions::default() });
        let banner = Some("DRILL in a simulated room: nothing here is real".to_owned());
        let socket = socket_in(&running.state_dir);
        let daemon = Daemon::start(running, banner).await.map_err(|fault| (refuse(&fault), String::new()))?;
        // Until what the stages look at has been read.
        tokio::time::sleep(warm).await;
        Ok(Self { simulator, daemon, loaded, socket, dir })
    }

    /// Ends both, and takes away what they kept.
    pub(super) async fn clear(self) {
        self.daemon.stop().await;
        self.simulator.stop().await;
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

/// Three polls of the slowest point that this sequence looks at, and a second to connect.
fn polls(loaded: &Loaded, id: &str) -> Duration {
    let stages =
        loaded.site.sequences.iter().filter(|sequence| sequence.name == id).flat_map(|it| &it.stages);
    let points = stages.flat_map(|stage| stage.permissives.iter().chain(&stage.verify));
    let slowest = points.map(|expect| loaded.site[expect.point].period).max().unwrap_or(Millis::ZERO);
    Duration::from_secs(1) + Duration::from_millis(slowest.times(3).0)
}

//! The way to a link: through the running daemon where it owns the link, on a line of our own otherwise.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::cli::say;
use crate::field::ask::{Asker, OwnLine};
use crate::field::frame::Station;
use crate::field::frames::RawFrame;
use crate::field::options::Endpoint;
use crate::field::pdu::{Reply, Request};
use crate::runtime::control::protocol::LinkEntry;
use crate::runtime::control::{CallFault, Client, socket_in};
use crate::safety::reading::ReadFault;
use crate::units::Millis;

/// Where a packaged daemon keeps its state.
const STATE_DIR_DEFAULT: &str = "/var/lib/emberwatch";

/// The daemon's socket.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct SocketArgs {
    /// The running daemon's socket; by default the one in its state directory.
    #[arg(long, value_name = "PATH", global = true)]
    socket: Option<PathBuf>,
}

impl SocketArgs {
    /// The socket of the daemon with this state directory, or the usual one, unless one was named.
    pub(crate) fn path(&self, state_dir: Option<&Path>) -> PathBuf {
        let usual = || socket_in(state_dir.unwrap_or(Path::new(STATE_DIR_DEFAULT)));
        self.socket.clone().unwrap_or_else(usual)
    }
}

/// How long a request and an attempt to connect may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Within {
    pub(crate) request: Millis,
    pub(crate) connect: Millis,
}

/// One of the two ways.
pub(crate) enum Way {
    Own(Box<OwnLine>),
    Daemon { client: Box<Client>, link: Box<LinkEntry> },
}

impl Way {
    /// Asks the daemon whether it owns this endpoint, and takes its way if so.
    pub(crate) async fn to(endpoint: &Endpoint, socket: &Path, within: Within) -> Self {
        if let Some(way) = Self::through_daemon(endpoint, socket).await {
            return way;
        }
        Self::Own(Box::new(OwnLine::new(endpoint, within.request, within.connect)))
    }

    async fn through_daemon(endpoint: &Endpoint, socket: &Path) -> Option<Self> {
        let links = match Client::connect(socket).await {
            Ok(mut client) => client.links().await.map(|links| (client, links)),
            Err(fault) => Err(fault),
        };
        let (client, links) = match links {
            Ok(both) => both,
            Err(CallFault::Nobody(_)) => return None,
            Err(fault) => {
                say(&format!("{fault}; going on without it"));
                return None;
            }
        };
        let places = resolved(&places_of(endpoint)).await;
        for link in links {
            let is_same = match endpoint {
                Endpoint::Serial { path, .. } => {
                    link.places.iter().any(|place| same_file(path, Path::new(place)))
                }
                _ => resolved(&link.places).await.iter().any(|place| places.contains(place)),
            };
            if is_same {
                say(&format!(
                    "the running daemon owns {} (link {}): asking through it, between its polls",
                    link.place, link.id
                ));
                let client = Box::new(client.on(link.id.clone()));
                return Some(Self::Daemon { client, link: Box::new(link) });
            }
        }
        None
    }

    /// The link of the daemon, where it is asked.
    pub(crate) const fn link(&self) -> Option<&LinkEntry> {
        match self {
            Self::Own(_) => None,
            Self::Daemon { link, .. } => Some(link),
        }
    }

    /// The frames from this number on, and the number of the next. Of the daemon's link, also those of its own
    /// polls.
    pub(crate) async fn frames(&mut self, since: u64) -> Result<(Vec<RawFrame>, u64), CallFault> {
        match self {
            Self::Own(line) => {
                let log = line.frames();
                Ok((log.since(since), log.next()))
            }
            Self::Daemon { client, .. } => client.frames_since(since).await,
        }
    }
}

impl Asker for Way {
    async fn ask(&mut self, unit: u8, request: &Request) -> Result<Reply, ReadFault> {
        match self {
            Self::Own(line) => line.ask(unit, request).await,
            Self::Daemon { client, .. } => client.ask(unit, request).await,
        }
    }

    fn expect(&mut self, station: Station) {
        if let Self::Own(line) = self {
            line.expect(station);
        }
    }

    fn trouble(&self) -> Option<&str> {
        match self {
            Self::Own(line) => line.trouble(),
            Self::Daemon { client, .. } => client.trouble(),
        }
    }
}

fn places_of(endpoint: &Endpoint) -> Vec<String> {
    match endpoint {
        Endpoint::Tcp(addresses)
        | Endpoint::Tls { addresses, .. }
        | Endpoint::RtuOverTcp { addresses, .. } => {
            std::iter::once(&addresses.primary).chain(&addresses.backup).cloned().collect()
        }
        Endpoint::Serial { .. } => Vec::new(),
    }
}

/// The addresses behind names; a name that cannot be found has none.
async fn resolved(places: &[String]) -> Vec<SocketAddr> {
    let mut all = Vec::new();
    for place in places {
        if let Ok(addresses) = tokio::net::lookup_host(place.as_str()).await {
            all.extend(addresses);
        }
    }
    all
}

fn same_file(one: &Path, other: &Path) -> bool {
    let real = |path: &Path| std::fs::canonicalize(path).ok();
    one == other || real(one).is_some_and(|one| real(other) == Some(one))
}

//! Puts the house together: opens the journal, starts the safety loop, then everything that may fail.
//!
//! ```text
//! field ──inputs──► safety loop ──facts──► journal, MQTT, InfluxDB, webhooks, page, log
//!   ▲                    │ orders
//!   └──── dispatch ◄─────┘   (intent durable first, 200 ms at most)
//! ```

mod clock_watch;
pub mod control;
mod dispatch;
mod edges;
mod log;
mod measure;
mod pace;
mod safety_loop;
mod screen;
mod supervise;
mod tap;
mod watchdog;

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{broadcast, mpsc};
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::config::Loaded;
use crate::exchange::{Hearing, INPUTS_QUEUED_MAX, Inbox, PUBLICATIONS_QUEUED_MAX, Publication};
use crate::field::Field;
use crate::field::learnt::Learnt;
use crate::metrics::Sources;
use crate::safety::Safety;
use crate::safety::site::Site;
use crate::store::options::JournalOptions;
use crate::store::{Journal, OpenFault, Recovered};
use crate::units::Millis;

use clock_watch::ClockStatus;
use pace::Pace;
use safety_loop::{ORDERS_QUEUED_MAX, SafetyLoop};
use tap::Tap;
use watchdog::Watchdog;

/// How long the edges get to say goodbye. With the rest of a stop it stays under two seconds.
const GOODBYE: Duration = Duration::from_millis(1200);

/// How long the last records may take to be durable.
const JOURNAL_CLOSE_MAX: Millis = Millis(300);

/// The journal's size: a segment, and all of them. A busy year of alarms is a few MiB.
const SEGMENT_BYTES_MAX: u64 = 4 << 20;
const JOURNAL_BYTES_MAX: u64 = 256 << 20;

/// Below the state directory: what devices refused.
const LEARNT_FILE: &str = "learnt.json";

/// Polling may stand still at least this long before the watchdog goes hungry.
const PATIENCE_MIN: Millis = Millis::from_secs(5);

/// Why the daemon did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartFault {
    /// Another instance has the state directory.
    #[error(
        "another emberwatch runs with the state directory {0}: stop it, or give this one its own `state_dir`"
    )]
    Busy(String),
    /// The page's address cannot be had.
    #[error("cannot listen on {address}: {error}; choose another `listen` under [web]")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why not.
        error: std::io::Error,
    },
    /// The NUT server's address cannot be had.
    #[error(
        "cannot listen on {address}: {error}; choose another `listen` under [nut], or stop the upsd that has it"
    )]
    ListenNut {
        /// Where.
        address: SocketAddr,
        /// Why not.
        error: std::io::Error,
    },
    /// A thread could not be started.
    #[error("cannot start a thread: {0}")]
    Thread(#[from] std::io::Error),
}

/// The running daemon.
pub struct Daemon {
    /// The plant.
    pub site: Arc<Site>,
    /// Where inputs go in.
    pub inbox: Inbox,
    /// Where the page is, if there is one.
    pub web: Option<SocketAddr>,
    facts: broadcast::Sender<Arc<Publication>>,
    journal: Arc<Journal>,
    safety: JoinHandle<()>,
    edges: tokio::task::JoinSet<()>,
    field: Arc<Field>,
    stop: CancellationToken,
}

impl Daemon {
    /// Starts everything. The safety loop runs before any sink does, and none of them can stop it.
    pub async fn start(loaded: Loaded, banner: Option<String>) -> Result<Self, StartFault> {
        let now = clock::now();
        let boot = boot_name(now.uptime.0);
        let stop = CancellationToken::new();
        let (inbox, inputs) = mpsc::channel(INPUTS_QUEUED_MAX);
        let (facts, _) = broadcast::channel(PUBLICATIONS_QUEUED_MAX);
        let (orders, ordered) = mpsc::channel(ORDERS_QUEUED_MAX);
        let site = Arc::clone(&loaded.site);

        let address = loaded.web.as_ref().map(|options| options.listen);
        let listener = listen(address, |address, error| StartFault::Listen { address, error }).await?;
        let address = loaded.nut.as_ref().map(|options| options.listen);
        let nut = listen(address, |address, error| StartFault::ListenNut { address, error }).await?;
        let (journal, recovered) = open_journal(&loaded, &site, &inbox)?;
        let patience = patience(&site);
        let learnt = Learnt::at(loaded.state_dir.join(LEARNT_FILE));
        let field =
            Arc::new(Field::spawn_with(loaded.links.clone(), inbox.clone(), &learnt, stop.child_token()));
        let polls = Arc::clone(&field);
        let safety = Safety::new(Arc::clone(&site), &recovered.memory, now);
        journal.remember(safety.memory());
        let (tap, taps) = Tap::new();
        let clock = Arc::new(ClockStatus::default());
        let watchdog = Watchdog::new(Arc::new(move || polls.polled()), patience, now.uptime);
        let sources = Sources::default();
        let pace = Arc::new(Pace::default());
        measure::process(&sources, &field, watchdog.pings(), Arc::clone(&pace));
        let safety = SafetyLoop {
            safety,
            inbox: inputs,
            facts: facts.clone(),
            orders,
            journal: Arc::clone(&journal),
            tap,
            clock: Arc::clone(&clock),
            pace,
            watchdog,
            stop: stop.child_token(),
        };
        let web = listener.as_ref().and_then(|listener| listener.local_addr().ok());
        let mut edges = tokio::task::JoinSet::new();
        edges.spawn(dispatch::dispatch(ordered, Arc::clone(&field), Arc::clone(&journal)));
        edges.spawn(log::log(Arc::clone(&site), facts.subscribe(), stop.child_token()));
        let ears = Ears {
            facts: facts.clone(),
            site: Arc::clone(&site),
            inbox: inbox.clone(),
            boot,
            sources: sources.clone(),
            stop: stop.clone(),
        };
        let watch = clock_watch::watch(clock, loaded.clock.clone(), inbox.clone(), stop.child_token());
        edges.spawn(watch);
        edges::spawn_sinks(&ears, &loaded, &recovered.last_words, &mut edges);
        edges::spawn_control(&ears, Arc::clone(&field), taps, &loaded, &mut edges).await;
        if let (Some(options), Some(listener)) = (loaded.web, listener) {
            edges::spawn_web(&ears, options, listener, banner, &mut edges);
        }
        if let (Some(options), Some(listener)) = (loaded.nut, nut) {
            edges::spawn_nut(&ears, options, listener, &mut edges);
        }
        // Last: everyone hears the first word of the loop.
        let safety = safety.spawn()?;
        Ok(Self { site, inbox, web, facts, journal, safety, edges, field, stop })
    }

    /// Hears every fact from now on.
    #[must_use]
    pub fn hearing(&self) -> Hearing {
        self.facts.subscribe()
    }

    /// The field, for its statistics.
    #[must_use]
    pub fn field(&self) -> &Field {
        &self.field
    }

    /// Whether the safety loop has ended though nobody stopped it: the process must not go on.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.safety.is_finished() && !self.stop.is_cancelled()
    }

    /// Stops everything within two seconds. No coil is written: outputs stay as they are.
    pub async fn stop(mut self) {
        self.stop.cancel();
        let goodbye = async { while self.edges.join_next().await.is_some() {} };
        if tokio::time::timeout(GOODBYE, goodbye).await.is_err() {
            tracing::warn!(still_running = self.edges.len(), "some edges did not end in time");
            self.edges.abort_all();
        }
        let safety = self.safety;
        let _ = tokio::task::spawn_blocking(move || safety.join()).await;
        self.journal.close(JOURNAL_CLOSE_MAX).await;
    }
}

/// What every edge needs to hear and to speak.
#[derive(Clone)]
struct Ears {
    facts: broadcast::Sender<Arc<Publication>>,
    site: Arc<Site>,
    inbox: Inbox,
    boot: String,
    /// Where what edges count is read.
    sources: Sources,
    stop: CancellationToken,
}

/// Listens where one is to listen.
async fn listen(
    address: Option<SocketAddr>,
    fault: impl FnOnce(SocketAddr, std::io::Error) -> StartFault,
) -> Result<Option<TcpListener>, StartFault> {
    let Some(address) = address else { return Ok(None) };
    TcpListener::bind(address).await.map(Some).map_err(|error| fault(address, error))
}

fn open_journal(
    loaded: &Loaded,
    site: &Arc<Site>,
    inbox: &Inbox,
) -> Result<(Arc<Journal>, Recovered), StartFault> {
    let options = JournalOptions {
        directory: loaded.state_dir.clone(),
        segment_bytes_max: SEGMENT_BYTES_MAX,
        total_bytes_max: JOURNAL_BYTES_MAX,
    };
    match Journal::open(&options, boot_id().trim(), site, inbox.clone()) {
        Ok((journal, recovered)) => {
            tracing::info!(
                records = recovered.records,
                damaged = recovered.damaged,
                clean = recovered.last_stop_clean,
                told_again = recovered.last_words.len(),
                "journal read back"
            );
            Ok((Arc::new(journal), recovered))
        }
        Err(OpenFault::InUse(_)) => Err(StartFault::Busy(loaded.state_dir.display().to_string())),
        Err(fault) => {
            // The room is watched all the same; the alarm stands for as long as that is so.
            tracing::error!(%fault, dir = %loaded.state_dir.display(), "no journal");
            Ok((Arc::new(Journal::without_disk(site, inbox.clone())), Recovered::default()))
        }
    }
}

/// How long polling may stand still: three of the shortest period.
fn patience(site: &Site) -> Millis {
    let shortest = site.points.iter().map(|point| point.period).min().unwrap_or(PATIENCE_MIN);
    shortest.times(3).max(PATIENCE_MIN)
}

/// A name for this start of the process: unique, short, and readable in a topic.
fn boot_name(uptime_ms: u64) -> String {
    format!("{}-{uptime_ms:x}", boot_id().get(..8).unwrap_or("0"))
}

/// The kernel's name for this boot of the machine.
fn boot_id() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default()
}

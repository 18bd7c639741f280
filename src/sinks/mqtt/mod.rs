//! MQTT: the topic tree.
//!
//! ```text
//! facts ─► hear (board, documents) ─► outbox (bounded) ─► connection (one fresh client per connection)
//!                                        ╰─► spool on disk ──╯  acknowledged, marked as historical
//! ```
//!
//! *State* is retained and published again after every reconnect; *readings* never are, because a replayed
//! reading looks alive. Transitions wait in order until the broker has acknowledged them; when the outbox is
//! full, readings go first, oldest first, and everything dropped is counted.
//! Nothing is subscribed unless the site wants it: that Home Assistant has come, and commands (`command`). A broker that is
//! away, slow or refusing raises an alarm and delays nothing else.

pub mod asyncapi;
pub mod options;

mod channel;
mod client;
mod command;
mod connection;
mod counters;
mod discovery;
mod hear;
mod outbox;
mod owned;
mod tls;
mod topics;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::exchange::{FaultReport, Hearing, Inbox, Publication};
use crate::safety::site::{RoomId, Site, SystemFault};
use crate::sinks::spool::{Spool, SpoolCounters};
use crate::wire::Board;

use channel::Channel;
use client::Filter;
pub use counters::MqttCounters;
use discovery::Discovery;
use options::MqttOptions;
use outbox::Outbox;
use owned::Owned;

/// How long the spool may take to make everything durable at a stop.
const SPOOL_CLOSE_MAX: Duration = Duration::from_millis(200);

/// What others said that nobody has looked at yet.
const HEARD_MAX: usize = 64;

/// What the two tasks share.
#[derive(Debug)]
struct Shared {
    outbox: Mutex<Outbox>,
    filled: Arc<Notify>,
    counters: Arc<MqttCounters>,
}

impl Shared {
    /// The outbox. A panic elsewhere cannot leave it half changed in a way that matters: it is only queues.
    fn outbox(&self) -> MutexGuard<'_, Outbox> {
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The running sink.
#[derive(Debug)]
pub struct MqttHandle {
    counters: Arc<MqttCounters>,
    spooled: Option<Arc<SpoolCounters>>,
    tasks: [JoinHandle<()>; 2],
}

impl MqttHandle {
    /// What it has done so far.
    #[must_use]
    pub fn counters(&self) -> &Arc<MqttCounters> {
        &self.counters
    }

    /// What became of entries of the spool, where there is one.
    #[must_use]
    pub fn spool(&self) -> Option<&Arc<SpoolCounters>> {
        self.spooled.as_ref()
    }

    /// True if one of its tasks has ended; without a stop that means it panicked.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.tasks.iter().any(JoinHandle::is_finished)
    }

    /// Waits until it has stopped: within a second after the stop was asked for. False if a task panicked.
    pub async fn stopped(self) -> bool {
        let [hear, connection] = self.tasks;
        hear.await.is_ok() & connection.await.is_ok()
    }
}

/// Starts publishing what is heard, after what an earlier run may not have got away. `boot` names this start of the
/// gateway. Failures are told to `inbox` as `SystemFault::Mqtt`, missed publications as `SystemFault::Overload`. Must be
/// called in a runtime.
#[must_use]
pub fn spawn(
    options: MqttOptions,
    site: Arc<Site>,
    boot: String,
    last_words: &[Arc<Publication>],
    hearing: Hearing,
    inbox: Inbox,
    stop: CancellationToken,
) -> MqttHandle {
    let counters = Arc::new(MqttCounters::default());
    let filled = Arc::new(Notify::new());
    let spool = options.spool.as_ref().and_then(|spool| {
        let started = Spool::start(
            spool,
            FaultReport::renewed(inbox.clone(), SystemFault::MqttSpool),
            Arc::clone(&filled),
        );
        started
            .inspect_err(|error| tracing::error!(%error, "no spool for MQTT: everything waits in memory"))
            .ok()
    });
    let spooled = spool.as_ref().map(|spool| Arc::clone(spool.counters()));
    let outbox = Outbox::new(options.outbox_max, spool, Arc::clone(&counters));
    let shared = Arc::new(Shared { outbox: Mutex::new(outbox), filled, counters: Arc::clone(&counters) });
    let topics = topics::Topics::new(&options.root, &site);
    let discovery = options.homeassistant.as_ref().map(|it| Discovery::new(it, &site, &topics));
    let introduced = discovery.iter().flat_map(|it| &it.messages).map(|it| Arc::clone(&it.topic));
    let kept = topics.retained().chain(introduced).collect();
    let owned = options.owned_topics.clone().map(|path| Owned::new(path, &topics.base, &site.name, kept));
    let will = client::Will::new(topics.at(Channel::Status, 0), &boot);
    let gate = options
        .commands
        .as_ref()
        .map(|it| command::Gate::new(it.clone(), rooms(&topics, &site), clock::now()));
    let births = discovery.iter().map(|it| Filter { topic: it.birth.clone(), kept: true });
    let asked = gate.iter().flat_map(command::Gate::filters).map(|topic| Filter { topic, kept: false });
    let filters = births.chain(asked).collect();
    let commands = gate.map(|gate| hear::Commands::new(gate, inbox.clone(), clock::now()));
    let (words, said) = mpsc::channel(HEARD_MAX);
    // Cancelled by the hearing task once its last words are in the outbox.
    let closing = CancellationToken::new();
    let board = Board::new(site, boot);
    let hear = hear::Hear::new(board, topics, discovery, commands, Arc::clone(&shared), inbox.clone());
    hear.tell_last_words(last_words);
    let kept = Arc::clone(&shared);
    let ears = (filters, words);
    let connection = connection::Connection::new(options, will, ears, shared, inbox, closing.clone());
    let ghosts = Arc::clone(&kept);
    let hear = tokio::spawn(async move {
        if let Some(owned) = owned {
            tokio::spawn(owned.bury(ghosts));
        }
        // Dropped by a panic too: the connection never outlives its hearing.
        let _closes = closing.drop_guard();
        hear.run(hearing, said, stop).await;
    });
    let connection = tokio::spawn(async move {
        connection.run().await;
        let closed = kept.outbox().spool().map(Spool::close);
        if let Some(closed) = closed {
            closed.within(SPOOL_CLOSE_MAX).await;
        }
    });
    MqttHandle { counters, spooled, tasks: [hear, connection] }
}

/// The rooms, by what their topics begin with.
fn rooms(topics: &topics::Topics, site: &Site) -> BTreeMap<String, RoomId> {
    let rooms = site.rooms.iter().enumerate();
    rooms.map(|(index, room)| (format!("{}{}", topics.base, room.name), RoomId::at(index))).collect()
}

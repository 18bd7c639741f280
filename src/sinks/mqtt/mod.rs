//! MQTT: the topic tree.
//!
//! ```text
//! facts ─► hear (board, documents) ─► outbox (bounded) ─► connection (one fresh client per connection)
//! ```
//!
//! *State* is retained and published again after every reconnect; *readings* never are, because a replayed
//! reading looks alive. Transitions wait in order until the broker has acknowledged them; when the outbox is
//! full, readings go first, oldest first, and everything dropped is counted.
//! Nothing is subscribed: no command comes in this way. A broker that is away, slow or refusing raises an
//! alarm and delays nothing else.

pub mod options;

mod client;
mod connection;
mod counters;
mod hear;
mod outbox;
mod tls;
mod topics;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::exchange::{Hearing, Inbox};
use crate::safety::site::Site;
use crate::wire::Board;

pub use counters::MqttCounters;
use options::MqttOptions;
use outbox::Outbox;

/// What the two tasks share.
#[derive(Debug)]
struct Shared {
    outbox: Mutex<Outbox>,
    filled: Notify,
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
    tasks: [JoinHandle<()>; 2],
}

impl MqttHandle {
    /// What it has done so far.
    #[must_use]
    pub fn counters(&self) -> &Arc<MqttCounters> {
        &self.counters
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

/// Starts publishing what is heard. `boot` names this start of the gateway. Failures are told to `inbox`
/// as `SystemFault::Mqtt`, missed publications as `SystemFault::Overload`. Must be called in a runtime.
#[must_use]
pub fn spawn(
    options: MqttOptions,
    site: Arc<Site>,
    boot: String,
    hearing: Hearing,
    inbox: Inbox,
    stop: CancellationToken,
) -> MqttHandle {
    let counters = Arc::new(MqttCounters::default());
    let outbox = Outbox::new(options.outbox_max, Arc::clone(&counters));
    let shared = Arc::new(Shared {
        outbox: Mutex::new(outbox),
        filled: Notify::new(),
        counters: Arc::clone(&counters),
    });
    let topics = topics::Topics::new(&options.root, &site);
    let will = client::Will::new(&topics.status, &boot);
    // Cancelled by the hearing task once its last words are in the outbox.
    let closing = CancellationToken::new();
    let board = Board::new(site, boot);
    let hear = hear::Hear::new(board, topics, Arc::clone(&shared), inbox.clone());
    let connection = connection::Connection::new(options, will, shared, inbox, closing.clone());
    let hear = tokio::spawn(async move {
        // Dropped by a panic too: the connection never outlives its hearing.
        let _closes = closing.drop_guard();
        hear.run(hearing, stop).await;
    });
    MqttHandle { counters, tasks: [hear, tokio::spawn(connection.run())] }
}

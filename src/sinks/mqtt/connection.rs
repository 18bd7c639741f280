//! Owns the connection: opens it, feeds it from the outbox, and opens the next one when it is gone.
//!
//! A message counts as delivered only when the broker has acknowledged it with a good reason. Whatever was
//! not is sent again on the next connection: at least once, so receivers drop doubles by `boot` and `seq`.

use std::collections::{BTreeMap, VecDeque};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;

use super::client::{Connected, Event, Filter, HANDED_MAX, Will};
use super::command::Said;
use super::counters::MqttCounters;
use super::options::{MqttOptions, TlsOptions};
use super::outbox::{Message, Ticket};
use super::{Shared, tls};
use crate::clock;
use crate::exchange::{FaultReport, Inbox};
use crate::safety::site::SystemFault;
use crate::sinks::spool::Block;
use crate::units::{Millis, Uptime};

/// The first and the longest pause between connections; each is drawn between half of it and all of it.
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// The longest pause after a broker has shown us the door: it is asked twice a minute at most.
const DENIED_PAUSE: Duration = Duration::from_secs(60);

/// How often what could not be told to the core is tried again.
const CHORES_EVERY: Duration = Duration::from_millis(500);

/// After so many chores, what the broker refused is offered again.
const OFFER_AFTER: u32 = 20;

/// After so many chores, readings that cannot be sent go to the spool.
const SPILL_AFTER: u32 = 2;

/// The most bytes of the backlog asked of the spool at a time.
const FETCH_BYTES: usize = 64 << 10;

/// Readings that are remembered until the broker has answered something that was sent after them.
const UNPROVEN_MAX: usize = 2048;

/// How long the last messages may take after a stop, and then the goodbye.
const FLUSH_WITHIN: Duration = Duration::from_millis(600);
const GOODBYE_WITHIN: Duration = Duration::from_millis(200);

/// Why a connection is over.
enum End {
    Stopped,
    Lost(String),
    /// The broker does not let us in.
    Denied(String),
}

pub(super) struct Connection {
    options: MqttOptions,
    will: Will,
    /// What is subscribed on each connection, and where it goes.
    filters: Vec<Filter>,
    words: mpsc::Sender<Said>,
    shared: Arc<Shared>,
    fault: FaultReport,
    closing: CancellationToken,
    pause: Duration,
    been_connected: bool,
    /// Which of the brokers is asked.
    broker: usize,
    /// What was asked of the spool. It outlives a connection: what it gives must not get lost.
    fetching: Option<oneshot::Receiver<Vec<Block>>>,
}

impl Connection {
    pub(super) fn new(
        options: MqttOptions,
        will: Will,
        (filters, words): (Vec<Filter>, mpsc::Sender<Said>),
        shared: Arc<Shared>,
        inbox: Inbox,
        closing: CancellationToken,
    ) -> Self {
        let fault = FaultReport::renewed(inbox, SystemFault::Mqtt);
        Self {
            options,
            will,
            filters,
            words,
            shared,
            fault,
            closing,
            pause: PAUSE_MIN,
            been_connected: false,
            broker: 0,
            fetching: None,
        }
    }

    pub(super) async fn run(mut self) {
        while !self.closing.is_cancelled() {
            let end = match self.tls().await {
                Ok(tls) => {
                    let address = self.options.address(self.broker);
                    let connected = Connected::open(&self.options, address, tls, &self.will);
                    Session::new(&mut self, connected).run().await
                }
                Err(why) => End::Lost(why),
            };
            self.shared.counters.connected.store(false, Ordering::Relaxed);
            let (why, denied) = match end {
                End::Stopped => return,
                End::Lost(why) => (why, false),
                End::Denied(why) => (why, true),
            };
            let (host, port) = self.options.address(self.broker);
            tracing::warn!(host, port, why, denied, "MQTT broker away");
            self.shared.outbox().disconnected();
            self.broker = (self.broker + 1) % self.options.brokers();
            // Another broker may be well: the alarm, and the longer pauses, come after all were asked.
            if self.broker == 0 || denied {
                self.fault.set(true);
            }
            self.wait(denied).await;
        }
    }

    /// Reads keys and certificates, off the tasks that must not wait for a disk.
    async fn tls(&self) -> Result<Option<Arc<rustls::ClientConfig>>, String> {
        let Some(options) = self.options.tls.clone() else { return Ok(None) };
        let read = tokio::task::spawn_blocking(move || read_tls(&options)).await;
        read.map_err(|panic| panic.to_string())?.map(Some)
    }

    /// The pause before the next connection.
    async fn wait(&mut self, denied: bool) {
        let pause = jittered(if denied { DENIED_PAUSE } else { self.pause });
        if self.broker == 0 {
            self.pause = (self.pause * 2).min(PAUSE_MAX);
        }
        let mut rest = std::pin::pin!(sleep(pause));
        let mut chores = interval(CHORES_EVERY);
        loop {
            tokio::select! {
                () = &mut rest => return,
                () = self.closing.cancelled() => return,
                blocks = fetched(&mut self.fetching) => self.shared.outbox().stored(blocks),
                _ = chores.tick() => {
                    self.fault.flush();
                    self.shared.outbox().spill(true);
                    self.fetch(false);
                }
            }
        }
    }

    /// Asks the spool for what comes next, if there is room for it and it was not asked yet. Events of an earlier run are
    /// asked for before there is a connection, so that they leave before those of this one.
    fn fetch(&mut self, connected: bool) {
        if self.fetching.is_none() {
            let outbox = self.shared.outbox();
            self.fetching =
                outbox.wants(connected).and_then(|kind| Some(outbox.spool()?.fetch(kind, FETCH_BYTES)));
        }
    }
}

/// What the spool gives, once it was asked.
async fn fetched(fetching: &mut Option<oneshot::Receiver<Vec<Block>>>) -> Vec<Block> {
    match fetching {
        // An error is the end of the spool: there is nothing more then.
        Some(asked) => {
            let blocks = asked.await.unwrap_or_default();
            *fetching = None;
            blocks
        }
        None => std::future::pending().await,
    }
}

fn read_tls(options: &TlsOptions) -> Result<Arc<rustls::ClientConfig>, String> {
    tls::client_config(options).map_err(|why| why.to_string())
}

/// Between half of `pause` and all of it, so that a hundred gateways do not come back in step.
fn jittered(pause: Duration) -> Duration {
    let random = RandomState::new().build_hasher().finish() % 1000;
    let share = 500 + u32::try_from(random).unwrap_or(0) / 2;
    pause * share / 1000
}

/// How long events of this run wait for those of an earlier one, which come from the disk.
const OLD_FIRST_MAX: Millis = Millis::from_secs(1);

/// One connection from its opening to its end.
struct Session<'a> {
    owner: &'a mut Connection,
    connected: Connected,
    /// Set once the broker has taken the connection: the window, and the largest message.
    limits: Option<(usize, usize)>,
    /// Handed over, not yet written, in order.
    handed: VecDeque<Ticket>,
    /// Written, not yet acknowledged.
    written: BTreeMap<u16, (u64, Ticket)>,
    /// Of both, those that will be acknowledged.
    unacknowledged: usize,
    /// How many messages were handed over, and how many written.
    handed_count: u64,
    written_count: u64,
    /// Readings that the broker may not have: it has answered nothing that was handed over after them.
    unproven: VecDeque<(u64, Message)>,
    chores: u32,
    /// The broker does not let us hear what we subscribed: what is asked of us, or that Home Assistant has come.
    deaf: bool,
    /// When the broker took this connection, and whether it waits no longer for events of an earlier run.
    opened: Uptime,
    old_told: bool,
}

impl<'a> Session<'a> {
    fn new(owner: &'a mut Connection, connected: Connected) -> Self {
        Self {
            owner,
            connected,
            limits: None,
            handed: VecDeque::with_capacity(HANDED_MAX),
            written: BTreeMap::new(),
            unacknowledged: 0,
            handed_count: 0,
            written_count: 0,
            unproven: VecDeque::new(),
            chores: 0,
            deaf: false,
            opened: clock::uptime(),
            old_told: false,
        }
    }

    async fn run(mut self) -> End {
        let end = self.serve().await;
        if matches!(end, End::Stopped) {
            return self.finish().await;
        }
        let doubtful = std::mem::take(&mut self.unproven).into_iter().map(|it| it.1);
        self.owner.shared.outbox().doubtful(doubtful);
        end
    }

    async fn serve(&mut self) -> End {
        let shared = Arc::clone(&self.owner.shared);
        let closing = self.owner.closing.clone();
        let mut chores = interval(CHORES_EVERY);
        chores.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            if !self.feed() {
                return End::Lost("the client takes no more messages".to_owned());
            }
            tokio::select! {
                event = self.connected.events.recv() => {
                    if let Err(end) = self.hear(event) {
                        return end;
                    }
                }
                blocks = fetched(&mut self.owner.fetching) => shared.outbox().stored(blocks),
                () = shared.filled.notified(), if self.limits.is_some() => {}
                _ = chores.tick() => self.chores(),
                () = closing.cancelled() => return End::Stopped,
            }
        }
    }

    /// Hands over whatever there is room for. False if the client is broken.
    fn feed(&mut self) -> bool {
        let Some((window, size_max)) = self.limits else {
            self.owner.fetch(false);
            return true;
        };
        let old_first = self.old_first();
        while self.handed.len() < HANDED_MAX {
            let room = self.unacknowledged < window && !old_first;
            let next = {
                let mut outbox = self.owner.shared.outbox();
                let live = outbox.next(clock::uptime(), room, size_max);
                // Half of the window stays free for what is new.
                let late = live.is_none() && self.unacknowledged < window.div_ceil(2);
                if late { outbox.next_backlog(size_max) } else { live }
            };
            let Some((ticket, message)) = next else { break };
            self.handed_count += 1;
            if ticket == Ticket::Reading && message.history {
                self.remember(&message);
            }
            self.unacknowledged += usize::from(ticket.acknowledged());
            self.handed.push_back(ticket);
            if !self.connected.hand_over(message) {
                return false;
            }
        }
        self.owner.fetch(!old_first);
        true
    }

    /// Whether events of an earlier run are still on their way from the disk: they leave before those of this one. A disk
    /// that hangs holds these up for a moment only.
    fn old_first(&mut self) -> bool {
        let coming = self.owner.fetching.is_some() || self.owner.shared.outbox().wants(false).is_some();
        let patient = clock::uptime().since(self.opened) < OLD_FIRST_MAX;
        self.old_told = self.old_told || !coming || !patient;
        !self.old_told
    }

    fn remember(&mut self, reading: &Message) {
        if self.owner.options.spool.is_some() {
            if UNPROVEN_MAX <= self.unproven.len() {
                self.unproven.pop_front();
            }
            self.unproven.push_back((self.handed_count, reading.clone()));
        }
    }

    fn hear(&mut self, event: Option<Event>) -> Result<(), End> {
        match event {
            None => Err(End::Lost("the connection's task ended".to_owned())),
            Some(Event::Ended(why)) => Err(End::Lost(why)),
            Some(Event::Denied(why)) => Err(End::Denied(why)),
            Some(Event::Connected { window, size_max }) => {
                self.welcome(window, size_max);
                let broken = || End::Lost("the client takes no subscription".to_owned());
                self.connected.listen(&self.owner.filters).then_some(()).ok_or_else(broken)
            }
            Some(Event::Heard(word)) => {
                // Nobody may fill our memory by talking: what finds no room was not heard.
                if let Err(lost) = self.owner.words.try_send(word) {
                    tracing::warn!(%lost, "too much is said to us over MQTT");
                }
                Ok(())
            }
            Some(Event::Deaf(why)) => {
                MqttCounters::add(&self.owner.shared.counters.refused, 1);
                tracing::warn!(why, filters = ?self.owner.filters, "MQTT broker refused a subscription");
                self.deaf = true;
                self.owner.fault.set(true);
                Ok(())
            }
            Some(Event::Written(number)) => {
                let strange = || End::Lost("a message was written that was not handed over".to_owned());
                let ticket = self.handed.pop_front().ok_or_else(strange)?;
                MqttCounters::add(&self.owner.shared.counters.published, 1);
                self.written_count += 1;
                if ticket.acknowledged() {
                    self.written.insert(number, (self.written_count, ticket));
                }
                Ok(())
            }
            Some(Event::Acknowledged { number, refused }) => {
                if let Some((place, ticket)) = self.written.remove(&number) {
                    // The broker reads in order: it has everything that was written before.
                    while self.unproven.front().is_some_and(|reading| reading.0 < place) {
                        self.unproven.pop_front();
                    }
                    self.unacknowledged = self.unacknowledged.saturating_sub(1);
                    self.settle(&ticket, refused);
                }
                Ok(())
            }
        }
    }

    fn welcome(&mut self, window: usize, size_max: usize) {
        let counters = &self.owner.shared.counters;
        counters.connected.store(true, Ordering::Relaxed);
        if std::mem::replace(&mut self.owner.been_connected, true) {
            MqttCounters::add(&counters.reconnects, 1);
        }
        let (host, port) = self.owner.options.address(self.owner.broker);
        tracing::info!(host, port, "MQTT broker connected");
        self.limits = Some((window, size_max));
        self.opened = clock::uptime();
        self.owner.fault.set(false);
    }

    fn settle(&mut self, ticket: &Ticket, refused: Option<String>) {
        let counters = &self.owner.shared.counters;
        let mut outbox = self.owner.shared.outbox();
        if let Some(why) = refused {
            MqttCounters::add(&counters.refused, 1);
            tracing::warn!(why, ?ticket, "MQTT broker refused a message");
            outbox.refused(ticket);
        } else {
            MqttCounters::add(&counters.acknowledged, 1);
            outbox.delivered(ticket);
            self.owner.pause = PAUSE_MIN;
        }
        self.owner.fault.set(self.deaf || outbox.has_refused());
    }

    fn chores(&mut self) {
        self.owner.fault.flush();
        self.chores += 1;
        if self.chores.is_multiple_of(SPILL_AFTER) {
            self.owner.shared.outbox().spill(self.limits.is_none());
        }
        if self.chores.is_multiple_of(OFFER_AFTER) {
            self.owner.shared.outbox().offer_refused();
        }
    }

    /// After a stop: the last words, then goodbye.
    async fn finish(mut self) -> End {
        self.owner.shared.outbox().forget_readings();
        if self.limits.is_none() {
            return End::Stopped;
        }
        let deadline = sleep(FLUSH_WITHIN);
        tokio::pin!(deadline);
        while self.feed() && !(self.unacknowledged == 0 && self.owner.shared.outbox().is_empty()) {
            tokio::select! {
                event = self.connected.events.recv() => {
                    if self.hear(event).is_err() {
                        return End::Stopped;
                    }
                }
                () = &mut deadline => break,
            }
        }
        self.connected.close(GOODBYE_WITHIN).await;
        End::Stopped
    }
}

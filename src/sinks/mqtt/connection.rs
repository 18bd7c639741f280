//! Owns the connection: opens it, feeds it from the outbox, and opens the next one when it is gone.
//!
//! A message counts as delivered only when the broker has acknowledged it with a good reason. Whatever was
//! not is sent again on the next connection: at least once, so receivers drop doubles by `boot` and `seq`.

use std::collections::{BTreeMap, VecDeque};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;

use super::client::{Connected, Event, HANDED_MAX, Will};
use super::counters::MqttCounters;
use crate::sinks::fault::FaultLine;
use super::options::{MqttOptions, TlsOptions};
use super::outbox::Ticket;
use super::{Shared, tls};
use crate::clock;
use crate::exchange::Inbox;
use crate::safety::site::SystemFault;

/// The first and the longest pause between connections; each is drawn between half of it and all of it.
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// How often what could not be told to the core is tried again.
const CHORES_EVERY: Duration = Duration::from_millis(500);

/// After so many chores, what the broker refused is offered again.
const OFFER_AFTER: u32 = 20;

/// How long the last messages may take after a stop, and then the goodbye.
const FLUSH_WITHIN: Duration = Duration::from_millis(600);
const GOODBYE_WITHIN: Duration = Duration::from_millis(200);

/// Why a connection is over.
enum End {
    Stopped,
    Lost(String),
}

pub(super) struct Connection {
    options: MqttOptions,
    will: Will,
    shared: Arc<Shared>,
    fault: FaultLine,
    closing: CancellationToken,
    pause: Duration,
    been_connected: bool,
}

impl Connection {
    pub(super) fn new(
        options: MqttOptions,
        will: Will,
        shared: Arc<Shared>,
        inbox: Inbox,
        closing: CancellationToken,
    ) -> Self {
        let fault = FaultLine::new(inbox, SystemFault::Mqtt);
        Self { options, will, shared, fault, closing, pause: PAUSE_MIN, been_connected: false }
    }

    pub(super) async fn run(mut self) {
        while !self.closing.is_cancelled() {
            let end = match self.tls().await {
                Ok(tls) => {
                    let connected = Connected::open(&self.options, tls, &self.will);
                    Session::new(&mut self, connected).run().await
                }
                Err(why) => End::Lost(why),
            };
            self.shared.counters.connected.store(false, Ordering::Relaxed);
            match end {
                End::Stopped => return,
                End::Lost(why) => {
                    tracing::warn!(
                        host = self.options.host,
                        port = self.options.port,
                        why,
                        "MQTT broker away"
                    );
                    self.shared.outbox().disconnected();
                    self.fault.set(true);
                    self.wait().await;
                }
            }
        }
    }

    /// Reads keys and certificates, off the tasks that must not wait for a disk.
    async fn tls(&self) -> Result<Option<Arc<rustls::ClientConfig>>, String> {
        let Some(options) = self.options.tls.clone() else { return Ok(None) };
        let read = tokio::task::spawn_blocking(move || read_tls(&options)).await;
        read.map_err(|panic| panic.to_string())?.map(Some)
    }

    /// The pause before the next connection.
    async fn wait(&mut self) {
        let pause = jittered(self.pause);
        self.pause = (self.pause * 2).min(PAUSE_MAX);
        let mut rest = std::pin::pin!(sleep(pause));
        let mut chores = interval(CHORES_EVERY);
        loop {
            tokio::select! {
                () = &mut rest => return,
                () = self.closing.cancelled() => return,
                _ = chores.tick() => self.fault.flush(),
            }
        }
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

/// One connection from its opening to its end.
struct Session<'a> {
    owner: &'a mut Connection,
    connected: Connected,
    /// Set once the broker has taken the connection: the window, and the largest message.
    limits: Option<(usize, usize)>,
    /// Handed over, not yet written, in order.
    handed: VecDeque<Ticket>,
    /// Written, not yet acknowledged.
    written: BTreeMap<u16, Ticket>,
    /// Of both, those that will be acknowledged.
    unacknowledged: usize,
    chores: u32,
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
            chores: 0,
        }
    }

    async fn run(mut self) -> End {
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
                    if let Err(why) = self.hear(event) {
                        return End::Lost(why);
                    }
                }
                () = shared.filled.notified(), if self.limits.is_some() => {}
                _ = chores.tick() => self.chores(),
                () = closing.cancelled() => return self.finish().await,
            }
        }
    }

    /// Hands over whatever there is room for. False if the client is broken.
    fn feed(&mut self) -> bool {
        let Some((window, size_max)) = self.limits else { return true };
        while self.handed.len() < HANDED_MAX {
            let room = self.unacknowledged < window;
            let next = self.owner.shared.outbox().next(clock::uptime(), room, size_max);
            let Some((ticket, message)) = next else { return true };
            self.unacknowledged += usize::from(ticket.acknowledged());
            self.handed.push_back(ticket);
            if !self.connected.hand_over(message) {
                return false;
            }
        }
        true
    }

    fn hear(&mut self, event: Option<Event>) -> Result<(), String> {
        match event {
            None => Err("the connection's task ended".to_owned()),
            Some(Event::Ended(why)) => Err(why),
            Some(Event::Connected { window, size_max }) => {
                self.welcome(window, size_max);
                Ok(())
            }
            Some(Event::Written(number)) => {
                let ticket =
                    self.handed.pop_front().ok_or("a message was written that was not handed over")?;
                MqttCounters::add(&self.owner.shared.counters.published, 1);
                if ticket.acknowledged() {
                    self.written.insert(number, ticket);
                }
                Ok(())
            }
            Some(Event::Acknowledged { number, refused }) => {
                if let Some(ticket) = self.written.remove(&number) {
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
        tracing::info!(
            host = self.owner.options.host,
            port = self.owner.options.port,
            "MQTT broker connected"
        );
        self.limits = Some((window, size_max));
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
        self.owner.fault.set(outbox.has_refused());
    }

    fn chores(&mut self) {
        self.owner.fault.flush();
        self.chores += 1;
        if self.chores.is_multiple_of(OFFER_AFTER) {
            self.owner.shared.outbox().offer_refused();
        }
    }

    /// After a stop: the last words, then goodbye.
    async fn finish(mut self) -> End {
        if self.limits.is_none() {
            return End::Stopped;
        }
        self.owner.shared.outbox().forget_readings();
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

//! The work of one link: who is asked next, and what becomes of the answer.
//!
//! ```text
//! orders ─► before every frame
//! polls of living units ─► the earliest deadline first
//! questions of people, tries of dead units ─► where they delay no poll
//! ```
//!
//! Between two frames the order lane is looked at first. A due poll ends in one batch of inputs, whatever
//! happened: points that could not be read carry the reason, also those that were not asked for because their
//! unit is dead or the link down. Dead units are left alone for longer each time, are tried in the pauses of
//! the others, and together may use one part in twenty of the line, as long as another unit answers; alone on
//! a link, a unit is simply polled.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::Outside;
use super::backoff::{Jitter, Reconnect};
use super::health::Health;
use super::job::Job;
use super::map::Map;
use super::unit::{Turn, Unit};
use crate::clock;
use crate::field::frame::Station;
use crate::field::options::{DeviceOptions, LinkOptions};
use crate::field::pdu::{Reply, Request};
use crate::field::profile::{ActionSpec, Profile, Write};
use crate::field::transaction::Line;
use crate::safety::fact::{Input, Order};
use crate::safety::reading::ReadFault;
use crate::safety::site::{ActionId, DeviceId};
use crate::units::{Millis, Uptime};

/// How often a link with dead units looks for a pause to try one.
const PROBE_LOOK: Duration = Duration::from_millis(20);

/// What a try may take beyond its deadline: the bytes themselves, and the machine.
const PROBE_MARGIN: Millis = Millis(20);

/// After a fruitless try of a dead unit, dead units rest this many times as long as it took: 5 % of the line.
const DEAD_SHARE: u64 = 19;

/// A dead unit that found no pause for this long is tried all the same.
const STARVED: Millis = Millis(1000);

/// Where a link hears what to do at once. Outlives the worker: a restart loses no order.
#[derive(Debug)]
pub(super) struct Lanes {
    pub(super) orders: mpsc::Receiver<Queued>,
    pub(super) refreshes: mpsc::Receiver<DeviceId>,
    pub(super) questions: mpsc::Receiver<Question>,
}

/// An order, and when the safety loop gave it, in microseconds of uptime.
#[derive(Debug)]
pub(super) struct Queued {
    pub(super) order: Order,
    pub(super) at_us: u64,
}

/// A read for a person, between two polls.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) unit: u8,
    pub(super) request: Request,
    pub(super) answer: oneshot::Sender<Result<Reply, ReadFault>>,
}

/// One life of a link's task.
pub(super) struct Worker<'a> {
    pub(super) options: &'a LinkOptions,
    pub(super) lanes: &'a mut Lanes,
    pub(super) outside: Outside,
    pub(super) line: Line,
    /// Device and profile action of every order that may be carried out here (S22).
    pub(super) allowed: BTreeMap<ActionId, (usize, usize)>,
    pub(super) units: Vec<Unit>,
    pub(super) maps: Vec<Map>,
    pub(super) jobs: Vec<Job>,
    pub(super) reconnect: Reconnect,
    jitter: Jitter,
    /// Until then, no dead unit is tried.
    pub(super) dead_rest_until: Uptime,
    pub(super) outbox: VecDeque<Vec<Input>>,
    pub(super) health: Health,
}

impl<'a> Worker<'a> {
    pub(super) fn new(options: &'a LinkOptions, lanes: &'a mut Lanes, outside: Outside) -> Self {
        let now = clock::uptime();
        // After a panic nothing is known of the units any more.
        outside.tally.units_dead.store(0, Relaxed);
        outside.tally.connected.store(false, Relaxed);
        let line = Line::new(&options.endpoint);
        let line = if options.ignore_transaction_ids { line.without_ids() } else { line };
        let line = line
            .with_ceiling(options.timeout)
            .with_records(outside.frames.clone(), Arc::clone(&outside.rejected));
        let health = Health::from_now(&outside);
        let map = |device| Map::new(options, device, outside.learnt.of(options, device), now);
        let maps = options.devices.iter().map(map).collect();
        let mut allowed = BTreeMap::new();
        for (unit, device) in options.devices.iter().enumerate() {
            for (id, name) in &device.actions {
                // A name that the profile does not know stays out: an order for it is refused.
                if let Some(at) = device.profile.actions.iter().position(|action| action.name == *name) {
                    allowed.insert(*id, (unit, at));
                }
            }
        }
        Self {
            options,
            lanes,
            line,
            outside,
            allowed,
            units: options.devices.iter().map(Unit::new).collect(),
            maps,
            jobs: Job::all(&options.devices, now),
            reconnect: Reconnect::default(),
            jitter: Jitter::new(&options.name, now),
            dead_rest_until: Uptime::default(),
            outbox: VecDeque::new(),
            health,
        }
    }

    /// Until both lanes are closed and empty.
    pub(super) async fn run(mut self) {
        self.plan_all(clock::uptime());
        self.permit();
        loop {
            self.serve_orders().await;
            while let Ok(device) = self.lanes.refreshes.try_recv() {
                self.hasten(device);
            }
            let now = clock::uptime();
            if let Some(job) = self.due(now) {
                self.poll(job, now).await;
                continue;
            }
            if let Some(job) = self.probe_due(now) {
                self.probe(job, now).await;
                continue;
            }
            let wait = self.wait(now);
            tokio::select! {
                biased;
                order = self.lanes.orders.recv() => {
                    let Some(order) = order else { return };
                    self.carry_out(order).await;
                }
                Some(device) = self.lanes.refreshes.recv() => self.hasten(device),
                Some(question) = self.lanes.questions.recv() => self.answer(question).await,
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// The poll to do now: the earliest deadline first, of equals the one with the shortest period.
    fn due(&self, now: Uptime) -> Option<usize> {
        let due = (0..self.jobs.len()).filter(|at| self.jobs[*at].next() <= now);
        due.min_by_key(|at| (self.jobs[*at].next().plus(self.jobs[*at].period), self.jobs[*at].period))
    }

    fn wait(&self, now: Uptime) -> Duration {
        let next = self.jobs.iter().map(Job::next).min();
        let wait = next.map_or(Duration::from_secs(3600), |due| Duration::from_millis(due.since(now).0));
        if self.others_answer() && self.units.iter().any(Unit::is_dead) { wait.min(PROBE_LOOK) } else { wait }
    }

    /// Whether a unit of this link answers. Without any, none is spared for another's sake.
    pub(super) fn others_answer(&self) -> bool {
        self.units.iter().any(|unit| !unit.is_dead())
    }

    /// A job of a dead unit that may be tried now: its rest is over, the dead have line time left, and the try
    /// ends before a living unit is due.
    fn probe_due(&self, now: Uptime) -> Option<usize> {
        if !self.others_answer() || now < self.dead_rest_until {
            return None;
        }
        let living = self.jobs.iter().filter(|job| !self.units[job.unit].is_dead());
        let pause = living.map(|job| job.next().since(now)).min().unwrap_or(Millis::ZERO);
        let starved = STARVED < now.since(self.dead_rest_until);
        let fits = |job: &Job| {
            let unit = &self.units[job.unit];
            let wanted = unit.latency.deadline(self.options.timeout).plus(PROBE_MARGIN);
            unit.may_be_tried(now) && (starved || wanted <= pause)
        };
        let candidates = (0..self.jobs.len()).filter(|at| fits(&self.jobs[*at]));
        candidates.min_by_key(|at| self.units[self.jobs[*at].unit].tried())
    }

    async fn answer(&mut self, question: Question) {
        let Question { unit, request, answer } = question;
        let result = match self.connected().await {
            Ok(()) => self.line.ask(self.station_of(unit), &request, self.options.timeout).await,
            Err(fault) => Err(fault),
        };
        self.outside.tally.connected.store(self.line.is_connected(), Relaxed);
        // Whoever asked may have gone.
        _ = answer.send(result);
    }

    /// As configured, where it is: some answer under another number.
    fn station_of(&self, unit: u8) -> Station {
        let known = self.units.iter().find(|known| known.station.unit == unit);
        known.map_or(unit.into(), |known| known.station)
    }

    pub(super) fn device(&self, unit: usize) -> &'a DeviceOptions {
        &self.options.devices[unit]
    }

    /// Polls this device next, also if it is in back-off.
    pub(super) fn hasten(&mut self, device: DeviceId) {
        let Some(unit) = self.options.devices.iter().position(|options| options.device == device) else {
            return;
        };
        let now = clock::uptime();
        self.units[unit].wake();
        self.dead_rest_until = Uptime::default();
        for job in self.jobs.iter_mut().filter(|job| job.unit == unit) {
            job.hasten(now);
        }
    }

    /// Connects for a poll; an order that comes meanwhile goes first, with a connection of its own.
    pub(super) async fn connected(&mut self) -> Result<(), ReadFault> {
        if self.line.is_connected() {
            return Ok(());
        }
        let attempt = self.line.connect(self.options.connect_timeout);
        let outcome = tokio::select! {
            biased;
            Some(order) = self.lanes.orders.recv() => Err(order),
            outcome = attempt => Ok(outcome),
        };
        match outcome {
            Ok(outcome) => self.note_connection(outcome),
            Err(order) => {
                self.carry_out(order).await;
                if self.line.is_connected() { Ok(()) } else { Err(ReadFault::Disconnected) }
            }
        }
    }

    pub(super) fn note_connection(&mut self, outcome: std::io::Result<()>) -> Result<(), ReadFault> {
        let link = &self.options.name;
        let was_down = !self.reconnect.is_untried();
        match outcome {
            Ok(()) => {
                self.reconnect.succeeded();
                self.outside.tally.connected.store(true, Relaxed);
                let first = self.outside.tally.connects.fetch_add(1, Relaxed) == 0;
                if first || was_down {
                    tracing::info!(link, "link up");
                }
                Ok(())
            }
            Err(error) => {
                self.reconnect.failed(clock::uptime(), &mut self.jitter);
                self.outside.tally.connected.store(false, Relaxed);
                if !was_down {
                    tracing::warn!(link, %error, "link down");
                }
                Err(ReadFault::Disconnected)
            }
        }
    }

    pub(super) fn note_answer(&mut self, unit: usize) {
        let turn = self.units[unit].answered();
        if turn != Turn::Same {
            self.units[unit].settle_until = clock::uptime().plus(self.device(unit).profile.limits.settle);
        }
        if turn == Turn::Revived {
            let device = self.device(unit);
            tracing::info!(
                link = self.options.name,
                device = device.name,
                unit = device.unit,
                "unit answers"
            );
            self.outside.tally.units_dead.fetch_sub(1, Relaxed);
        }
        // What silenced several units at once has passed for all of them: none waits out a rest of its own.
        if turn != Turn::Same {
            for unit in self.units.iter_mut().filter(|unit| unit.died_lately()) {
                unit.wake();
                self.dead_rest_until = Uptime::default();
            }
        }
    }

    pub(super) fn note_silence(&mut self, unit: usize, fault: ReadFault, asked: Uptime, now: Uptime) {
        let turn = self.units[unit].failed(fault, now, &mut self.jitter);
        if self.units[unit].is_dead() {
            self.dead_rest_until = now.plus(now.since(asked).times(DEAD_SHARE));
        }
        if turn == Turn::Died {
            self.forget_place(unit);
            let device = self.device(unit);
            tracing::warn!(
                link = self.options.name,
                device = device.name,
                unit = device.unit,
                ?fault,
                "unit dead"
            );
            self.outside.tally.units_dead.fetch_add(1, Relaxed);
        }
    }

    pub(super) async fn serve_orders(&mut self) {
        while let Ok(order) = self.lanes.orders.try_recv() {
            self.carry_out(order).await;
        }
    }

    pub(super) async fn carry_out(&mut self, order: Queued) {
        let answer = self.execute(order).await;
        self.outbox.push_back(vec![answer]);
        self.flush().await;
    }

    /// Hands everything over. While the inbox is full polling waits, but orders do not.
    pub(super) async fn flush(&mut self) {
        while let Some(batch) = self.outbox.pop_front() {
            let inbox = self.outside.inbox.clone();
            let order = tokio::select! {
                biased;
                Some(order) = self.lanes.orders.recv() => order,
                permit = inbox.reserve() => {
                    // A closed inbox means that the process ends.
                    if let Ok(permit) = permit { permit.send(batch); }
                    continue;
                }
            };
            self.outbox.push_front(batch);
            let answer = self.execute(order).await;
            self.outbox.push_front(vec![answer]);
        }
    }
}

/// What the actions given to a device write: the last gate has a list of its own.
pub(super) fn permitted(device: &DeviceOptions, profile: &Profile) -> Vec<(Station, Write)> {
    let station = Station::new(device.unit, profile.limits.reply_unit_offset);
    let given = device.actions.iter().filter_map(|(_, name)| profile.action(name));
    let writes = given.flat_map(ActionSpec::writes).filter(|write| profile.allows(write));
    writes.map(|write| (station, write.clone())).collect()
}

/// What is left of a transaction's deadline before this moment; `None` if nothing is.
pub(super) fn left(until: Uptime, now: Uptime, most: Millis) -> Option<Millis> {
    let left = until.since(now).min(most);
    (Millis::ZERO < left).then_some(left)
}

//! The work of one link: who is asked next, and what becomes of the answer.
//!
//! ```text
//! orders ─► before every frame         due polls ─► the earliest deadline first
//! ```
//!
//! Between two frames the order lane is looked at first. A due poll ends in one batch of inputs, whatever
//! happened: points that could not be read carry the reason, also those that were not asked for because their
//! unit is dead or the link down. Dead units are left alone for longer each time, and together may use one
//! part in twenty of the line, as long as another unit answers; alone on a link, a unit is simply polled.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::sync::mpsc;

use super::Outside;
use super::backoff::{Jitter, Reconnect};
use super::unit::{Job, Turn, Unit};
use crate::clock;
use crate::field::decode;
use crate::field::options::{DeviceOptions, LinkOptions};
use crate::field::plan::Block;
use crate::field::transaction::Line;
use crate::safety::fact::{Input, Order};
use crate::safety::reading::ReadFault;
use crate::safety::site::{ActionId, DeviceId};
use crate::units::{Millis, Uptime, Value};

/// After a fruitless try of a dead unit, dead units rest this many times as long as it took: 5 % of the line.
const DEAD_SHARE: u64 = 19;

/// Where a link hears what to do at once. Outlives the worker: a restart loses no order.
#[derive(Debug)]
pub(super) struct Lanes {
    pub(super) orders: mpsc::Receiver<Order>,
    pub(super) refreshes: mpsc::Receiver<DeviceId>,
}

/// One life of a link's task.
pub(super) struct Worker<'a> {
    pub(super) options: &'a LinkOptions,
    pub(super) lanes: &'a mut Lanes,
    pub(super) outside: Outside,
    pub(super) line: Line,
    /// Device and profile action of every order that may be carried out here (S22).
    pub(super) allowed: BTreeMap<ActionId, (usize, usize)>,
    units: Vec<Unit>,
    jobs: Vec<Job>,
    reconnect: Reconnect,
    jitter: Jitter,
    /// Until then, no dead unit is tried.
    dead_rest_until: Uptime,
    outbox: VecDeque<Vec<Input>>,
}

/// What became of the points of one poll, in the order of the job's points.
struct Poll {
    asked: Uptime,
    slots: Vec<Slot>,
}

#[derive(Clone, Copy)]
struct Slot {
    taken: Uptime,
    result: Result<Value, ReadFault>,
}

impl Poll {
    fn set(&mut self, job: &Job, block: &Block, taken: Uptime, fault: ReadFault) {
        for at in &block.points {
            self.put(job, *at, Slot { taken, result: Err(fault) });
        }
    }

    fn put(&mut self, job: &Job, point: usize, slot: Slot) {
        let at = job.points.binary_search(&point).expect("a job's blocks are made of its own points");
        self.slots[at] = slot;
    }
}

impl<'a> Worker<'a> {
    pub(super) fn new(options: &'a LinkOptions, lanes: &'a mut Lanes, outside: Outside) -> Self {
        let now = clock::uptime();
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
            outside,
            line: Line::new(options.address.clone()),
            allowed,
            units: options.devices.iter().map(|_| Unit::new()).collect(),
            jobs: Job::all(&options.devices, now),
            reconnect: Reconnect::default(),
            jitter: Jitter::new(&options.name, now),
            dead_rest_until: Uptime::default(),
            outbox: VecDeque::new(),
        }
    }

    /// Until both lanes are closed and empty.
    pub(super) async fn run(mut self) {
        loop {
            self.serve_orders().await;
            while let Ok(device) = self.lanes.refreshes.try_recv() {
                self.hasten(device);
            }
            let now = clock::uptime();
            let due = (0..self.jobs.len()).filter(|at| self.jobs[*at].due <= now);
            if let Some(job) = due.min_by_key(|at| self.jobs[*at].due.plus(self.jobs[*at].period)) {
                self.poll(job, now).await;
                continue;
            }
            let next = self.jobs.iter().map(|job| job.due).min();
            let wait = next.map_or(Duration::from_secs(3600), |due| Duration::from_millis(due.since(now).0));
            tokio::select! {
                biased;
                order = self.lanes.orders.recv() => {
                    let Some(order) = order else { return };
                    self.carry_out(order).await;
                }
                Some(device) = self.lanes.refreshes.recv() => self.hasten(device),
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    fn device(&self, unit: usize) -> &'a DeviceOptions {
        &self.options.devices[unit]
    }

    /// Polls this device next, also if it is in back-off.
    pub(super) fn hasten(&mut self, device: DeviceId) {
        let Some(unit) = self.options.devices.iter().position(|options| options.device == device) else { return };
        let now = clock::uptime();
        self.units[unit].wake();
        self.dead_rest_until = Uptime::default();
        for job in self.jobs.iter_mut().filter(|job| job.unit == unit) {
            job.due = job.due.min(now);
        }
    }

    async fn poll(&mut self, at: usize, now: Uptime) {
        let missed = self.jobs[at].advance(now);
        if 0 < missed {
            self.outside.tally.late_cycles.fetch_add(missed, Relaxed);
        }
        let unit = self.jobs[at].unit;
        self.jobs[at].relearn(&self.options.devices[unit], now);
        let poll = match self.resting(unit, now) {
            Some(fault) => {
                let slot = Slot { taken: now, result: Err(fault) };
                Poll { asked: now, slots: vec![slot; self.jobs[at].points.len()] }
            }
            None => self.ask(at, now).await,
        };
        let batch = self.inputs(&self.jobs[at], poll);
        self.outbox.push_back(batch);
        self.flush().await;
        self.outside.tally.polls.fetch_add(1, Relaxed);
        self.outside.polled.fetch_add(1, Relaxed);
    }

    /// Why this unit is not asked now, if it is not.
    fn resting(&self, unit: usize, now: Uptime) -> Option<ReadFault> {
        if !self.line.is_connected() && !self.reconnect.is_due(now) {
            return Some(ReadFault::Disconnected);
        }
        let others_answer = self.units.iter().any(|unit| !unit.is_dead());
        let unit = &self.units[unit];
        let rest = if now < self.dead_rest_until { unit.fault() } else { None };
        if others_answer { unit.resting(now).or(rest) } else { None }
    }

    /// Asks block by block. A unit that fails to answer one is not asked for the others of this poll.
    async fn ask(&mut self, at: usize, begun: Uptime) -> Poll {
        let unit = self.jobs[at].unit;
        let device = self.device(unit);
        let unread = Slot { taken: begun, result: Err(ReadFault::Disconnected) };
        let mut poll = Poll { asked: begun, slots: vec![unread; self.jobs[at].points.len()] };
        let mut asked = None;
        let mut answered = false;
        let mut block = 0;
        while block < self.jobs[at].asks.len() {
            let now = clock::uptime();
            if let Some(code) = self.jobs[at].asks[block].resting(now) {
                let job = &self.jobs[at];
                poll.set(job, &job.asks[block].block, now, ReadFault::Exception(code));
                block += 1;
                continue;
            }
            self.serve_orders().await;
            let result = match self.connected().await {
                Ok(()) => {
                    asked.get_or_insert_with(clock::uptime);
                    self.read(device.unit, &self.jobs[at].asks[block].block.clone()).await
                }
                Err(fault) => Err((fault, false)),
            };
            let taken = clock::uptime();
            match result {
                Ok(words) => {
                    answered = true;
                    self.jobs[at].asks[block].accepted();
                    let job = &self.jobs[at];
                    take(&mut poll, job, device, &job.asks[block].block, &words, taken);
                }
                // An illegal address or value teaches; the same block is asked again, smaller.
                Err((ReadFault::Exception(code @ (2 | 3)), _)) => {
                    answered = true;
                    if self.jobs[at].split(block, device, taken) {
                        continue;
                    }
                    self.jobs[at].asks[block].refuse(code, taken);
                    let job = &self.jobs[at];
                    poll.set(job, &job.asks[block].block, taken, ReadFault::Exception(code));
                }
                // The gateway answers for a unit that does not (10, 11).
                Err((fault, of_unit)) if of_unit && !matches!(fault, ReadFault::Exception(code) if !matches!(code, 10 | 11)) => {
                    self.give_up(at, block, &mut poll, fault, taken);
                    if !answered {
                        self.note_silence(unit, fault, asked.unwrap_or(taken), taken);
                        poll.asked = asked.unwrap_or(begun);
                        return poll;
                    }
                    break;
                }
                Err((ReadFault::Exception(code), _)) => {
                    answered = true;
                    let job = &self.jobs[at];
                    poll.set(job, &job.asks[block].block, taken, ReadFault::Exception(code));
                }
                Err((fault, _)) => {
                    self.give_up(at, block, &mut poll, fault, taken);
                    break;
                }
            }
            block += 1;
        }
        poll.asked = asked.unwrap_or(begun);
        if answered {
            self.note_answer(unit);
        }
        poll
    }

    /// This block and the ones after it stay unread.
    fn give_up(&mut self, at: usize, block: usize, poll: &mut Poll, fault: ReadFault, taken: Uptime) {
        let job = &self.jobs[at];
        for ask in &job.asks[block..] {
            poll.set(job, &ask.block, taken, fault);
        }
        self.jobs[at].begin_after(block);
    }

    /// The words of a block, or the fault and whether it is the unit's.
    async fn read(&mut self, unit: u8, block: &Block) -> Result<Vec<u16>, (ReadFault, bool)> {
        let begun = clock::uptime();
        let place = (block.table, block.address, block.count);
        let result =
            self.line.read_again(unit, place, self.options.timeout, self.options.connect_timeout).await;
        let now = clock::uptime();
        self.outside.tally.ended(result.as_ref().err().copied(), now.since(begun), now);
        if !self.line.is_connected() {
            self.outside.tally.connected.store(false, Relaxed);
        }
        result.map_err(|fault| (fault, true))
    }

    /// Connects for a poll; an order that comes meanwhile goes first, with a connection of its own.
    async fn connected(&mut self) -> Result<(), ReadFault> {
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

    fn note_answer(&mut self, unit: usize) {
        if self.units[unit].answered() == Turn::Revived {
            let device = self.device(unit);
            tracing::info!(link = self.options.name, device = device.name, unit = device.unit, "unit answers");
            self.outside.tally.units_dead.fetch_sub(1, Relaxed);
        }
    }

    fn note_silence(&mut self, unit: usize, fault: ReadFault, asked: Uptime, now: Uptime) {
        let turn = self.units[unit].failed(fault, now, &mut self.jitter);
        if self.units[unit].is_dead() {
            self.dead_rest_until = now.plus(now.since(asked).times(DEAD_SHARE));
        }
        if turn == Turn::Died {
            let device = self.device(unit);
            tracing::warn!(link = self.options.name, device = device.name, unit = device.unit, ?fault, "unit dead");
            self.outside.tally.units_dead.fetch_add(1, Relaxed);
        }
    }

    /// One batch of all points of the poll.
    fn inputs(&self, job: &Job, mut poll: Poll) -> Vec<Input> {
        let device = self.device(job.unit);
        for rule in &device.profile.services {
            let Ok(state) = job.points.binary_search(&rule.state) else { continue };
            let state = poll.slots[state].result;
            for point in &rule.applies_to {
                if let Ok(at) = job.points.binary_search(point) {
                    poll.slots[at].result = decode::in_service(rule, state, poll.slots[at].result);
                }
            }
        }
        let sampled = |(slot, at): (&Slot, &usize)| {
            if let Err(fault) = slot.result {
                self.outside.tally.lost(fault);
            }
            Input::Sampled { point: device.points[*at], asked: poll.asked, taken: slot.taken, result: slot.result }
        };
        poll.slots.iter().zip(&job.points).map(sampled).collect()
    }

    async fn serve_orders(&mut self) {
        while let Ok(order) = self.lanes.orders.try_recv() {
            self.carry_out(order).await;
        }
    }

    async fn carry_out(&mut self, order: Order) {
        let answer = self.execute(order).await;
        self.outbox.push_back(vec![answer]);
        self.flush().await;
    }

    /// Hands everything over. While the inbox is full polling waits, but orders do not.
    async fn flush(&mut self) {
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

/// Decodes the points of a block.
fn take(poll: &mut Poll, job: &Job, device: &DeviceOptions, block: &Block, words: &[u16], taken: Uptime) {
    for at in &block.points {
        let point = &device.profile.points[*at];
        let start = usize::from(point.address - block.address);
        let raw = words.get(start..start + usize::from(point.words())).unwrap_or(&[]);
        poll.put(job, *at, Slot { taken, result: decode::value(point, raw) });
    }
}

/// What is left of a transaction's deadline before this moment; `None` if nothing is.
pub(super) fn left(until: Uptime, now: Uptime, most: Millis) -> Option<Millis> {
    let left = until.since(now).min(most);
    (Millis::ZERO < left).then_some(left)
}

//! One poll: what is asked, what is heard, and the batch of inputs that comes of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use super::job::Job;
use super::worker::Worker;
use crate::clock;
use crate::field::decode;
use crate::field::pdu::{Reply, Request};
use crate::field::plan::{Barrier, Block};
use crate::field::profile::{Profile, Table};
use crate::safety::fact::Input;
use crate::safety::reading::ReadFault;
use crate::units::{Uptime, Value};

/// Exceptions by which a device says that it is at work on it, or busy with something else.
const ACKNOWLEDGED: u8 = 5;
const BUSY: u8 = 6;

/// How often a damaged reply is asked for again within one poll.
const RETRIES_MAX: u32 = 2;

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

/// What came of one request.
enum Heard {
    Words(Vec<u16>),
    /// An illegal address or value (2, 3): this block is not to be had.
    Refused(u8),
    /// The unit answers that it cannot now.
    Failed(u8),
    /// No answer of this unit that can be believed.
    Silence(ReadFault),
    /// Not asked: there is no connection.
    Down(ReadFault),
}

/// Where a block lies.
pub(super) type Place = (Table, u16, u16);

/// Replies that came before their block's turn.
type Ahead = BTreeMap<Place, Result<Vec<u16>, ReadFault>>;

fn place(block: &Block) -> Place {
    (block.table, block.address, block.count)
}

fn request(block: &Block) -> Request {
    Request::Read { table: block.table, address: block.address, count: block.count }
}

fn heard(result: Result<Vec<u16>, ReadFault>) -> Heard {
    match result {
        Ok(words) => Heard::Words(words),
        // An illegal address or value teaches which registers there are; no other exception does.
        Err(ReadFault::Exception(code @ (2 | 3))) => Heard::Refused(code),
        // The gateway answers for a unit that does not.
        Err(fault @ ReadFault::Exception(10 | 11)) => Heard::Silence(fault),
        Err(ReadFault::Exception(code)) => Heard::Failed(code),
        Err(fault) => Heard::Silence(fault),
    }
}

impl Poll {
    fn unread(now: Uptime, points: usize, fault: ReadFault) -> Self {
        Self { asked: now, slots: vec![Slot { taken: now, result: Err(fault) }; points] }
    }

    /// What the device does not have is not in service.
    fn absent(&mut self, job: &Job, profile: &Profile) {
        for (slot, at) in self.slots.iter_mut().zip(&job.points) {
            if profile.absent.contains(at) || profile.points[*at].model.is_some() {
                slot.result = Err(ReadFault::NotInService);
            }
        }
    }

    /// A block came without its words.
    fn lose(&mut self, job: &Job, block: usize, taken: Uptime, fault: ReadFault) {
        for at in &job.asks[block].block.points {
            self.put(job, *at, Slot { taken, result: Err(fault) });
        }
    }

    /// Decodes the points of a block.
    fn take(&mut self, job: &Job, block: usize, profile: &Profile, words: &[u16], taken: Uptime) {
        let block = &job.asks[block].block;
        for at in &block.points {
            let point = &profile.points[*at];
            let start = usize::from(point.address - block.address);
            let raw = words.get(start..start + usize::from(point.words())).unwrap_or(&[]);
            self.put(job, *at, Slot { taken, result: decode::value(point, raw) });
        }
    }

    fn put(&mut self, job: &Job, point: usize, slot: Slot) {
        let at = job.points.binary_search(&point).expect("a job's blocks are made of its own points");
        self.slots[at] = slot;
    }
}

impl Worker<'_> {
    /// A poll that is due.
    pub(super) async fn poll(&mut self, at: usize, now: Uptime) {
        let missed = self.jobs[at].advance(now);
        if 0 < missed {
            self.outside.tally.late_cycles.fetch_add(missed, Relaxed);
        }
        let poll = match self.resting(self.jobs[at].unit, now) {
            Some(fault) => Poll::unread(now, self.jobs[at].points.len(), fault),
            None => self.ask(at, now).await,
        };
        self.deliver(at, poll).await;
    }

    /// Tries a dead unit.
    pub(super) async fn probe(&mut self, at: usize, now: Uptime) {
        let poll = if self.line.is_connected() || self.reconnect.is_due(now) {
            self.ask(at, now).await
        } else {
            Poll::unread(now, self.jobs[at].points.len(), ReadFault::Disconnected)
        };
        self.deliver(at, poll).await;
    }

    async fn deliver(&mut self, at: usize, poll: Poll) {
        let batch = self.inputs(at, poll);
        self.outbox.push_back(batch);
        self.flush().await;
        self.health.look(&self.options.name, &self.outside, clock::uptime());
        self.outside.tally.polls.fetch_add(1, Relaxed);
        self.outside.polled.fetch_add(1, Relaxed);
    }

    /// Why this unit is not asked now, if it is not.
    fn resting(&self, unit: usize, now: Uptime) -> Option<ReadFault> {
        if !self.line.is_connected() && !self.reconnect.is_due(now) {
            return Some(ReadFault::Disconnected);
        }
        if self.others_answer() { self.units[unit].fault() } else { None }
    }

    /// Asks block by block. A unit that fails to answer one is not asked for the others of this poll.
    async fn ask(&mut self, at: usize, begun: Uptime) -> Poll {
        let unit = self.jobs[at].unit;
        if let Err(fault) = self.look_at_map(unit, begun).await {
            if !matches!(fault, ReadFault::Exception(_)) {
                self.note_silence(unit, fault, begun, clock::uptime());
            }
            return Poll::unread(begun, self.jobs[at].points.len(), fault);
        }
        let profile = Arc::clone(&self.maps[unit].profile);
        if self.line.unsettled_until_us(self.units[unit].station).is_none() {
            self.jobs[at].uncut();
        }
        let mut ahead = self.ask_ahead(at).await;
        let mut poll = Poll::unread(begun, self.jobs[at].points.len(), ReadFault::Disconnected);
        poll.absent(&self.jobs[at], &profile);
        let mut lessons = Vec::new();
        let mut asked = None;
        let mut answered = false;
        let mut block = 0;
        while block < self.jobs[at].asks.len() {
            if let Some(code) = self.jobs[at].asks[block].resting(clock::uptime()) {
                poll.lose(&self.jobs[at], block, clock::uptime(), ReadFault::Exception(code));
                block += 1;
                continue;
            }
            self.serve_orders().await;
            if self.is_ambiguous(at, block) {
                // A late reply could be taken for this one's: asked for otherwise, it cannot.
                if !self.jobs[at].recut(block, &profile) {
                    poll.lose(&self.jobs[at], block, clock::uptime(), ReadFault::Timeout);
                    block += 1;
                }
                continue;
            }
            let heard = self.hear(at, block, &mut asked, &mut ahead).await;
            let taken = clock::uptime();
            answered |= matches!(heard, Heard::Words(_) | Heard::Refused(_) | Heard::Failed(_));
            match heard {
                Heard::Words(words) => {
                    self.jobs[at].asks[block].accept();
                    poll.take(&self.jobs[at], block, &profile, &words, taken);
                }
                // What was refused is asked for again at once, in two parts.
                Heard::Refused(_) if self.jobs[at].split(block, &profile) => continue,
                Heard::Refused(code) => {
                    self.jobs[at].asks[block].refuse(code, taken);
                    lessons
                        .extend(self.jobs[at].asks[block].block.points.iter().copied().map(Barrier::Point));
                    poll.lose(&self.jobs[at], block, taken, ReadFault::Exception(code));
                }
                Heard::Failed(code) => {
                    if matches!(code, ACKNOWLEDGED | BUSY) {
                        self.jobs[at].retry_soon(taken);
                    }
                    poll.lose(&self.jobs[at], block, taken, ReadFault::Exception(code));
                }
                Heard::Silence(fault) | Heard::Down(fault) => {
                    for unread in block..self.jobs[at].asks.len() {
                        poll.lose(&self.jobs[at], unread, taken, fault);
                    }
                    self.jobs[at].begin_after(block);
                    if !answered && matches!(heard, Heard::Silence(_)) {
                        self.note_silence(unit, fault, asked.unwrap_or(taken), taken);
                    }
                    break;
                }
            }
            block += 1;
        }
        lessons.extend(self.jobs[at].lessons());
        self.learn(unit, lessons);
        poll.asked = asked.unwrap_or(begun);
        if answered {
            self.note_answer(unit);
        }
        poll
    }

    /// Whether a late reply of this unit could be taken for that to this block.
    fn is_ambiguous(&self, at: usize, block: usize) -> bool {
        let job = &self.jobs[at];
        self.line.is_ambiguous(self.units[job.unit].station, &request(&job.asks[block].block))
    }

    /// Where requests may overtake replies: all blocks at once. The first error ends it; what was not
    /// answered is asked for one by one.
    async fn ask_ahead(&mut self, at: usize) -> Ahead {
        let job = &self.jobs[at];
        if self.options.pipeline <= 1 || job.asks.len() <= 1 || !self.line.is_connected() {
            return Ahead::new();
        }
        let now = clock::uptime();
        let asks: Vec<Block> =
            job.asks.iter().filter(|ask| ask.resting(now).is_none()).map(|ask| ask.block.clone()).collect();
        let requests: Vec<Request> = asks.iter().map(request).collect();
        let unit = &self.units[job.unit];
        let within = unit.latency.deadline(self.options.timeout);
        let heard = self.line.ask_all(unit.station, &requests, self.options.pipeline, within).await;
        let ended = clock::uptime();
        for outcome in &heard {
            self.outside.tally.ended(outcome.as_ref().err().copied(), ended.since(now), ended);
        }
        let answered = |(block, outcome): (Block, Result<Reply, ReadFault>)| match outcome {
            Ok(Reply::Words(words)) => Some((place(&block), Ok(words))),
            Err(fault @ ReadFault::Exception(_)) => Some((place(&block), Err(fault))),
            Ok(_) | Err(_) => None,
        };
        asks.into_iter().zip(heard).filter_map(answered).collect()
    }

    /// One request and what came of it. Notes when the first of a poll was sent.
    async fn hear(
        &mut self,
        at: usize,
        block: usize,
        asked: &mut Option<Uptime>,
        ahead: &mut Ahead,
    ) -> Heard {
        let wanted = place(&self.jobs[at].asks[block].block);
        if let Some(result) = ahead.remove(&wanted) {
            asked.get_or_insert(clock::uptime());
            return heard(result);
        }
        if let Err(fault) = self.connected().await {
            return Heard::Down(fault);
        }
        let unit = self.jobs[at].unit;
        self.pause(unit).await;
        asked.get_or_insert(clock::uptime());
        let mut damaged = 0;
        loop {
            let result = self.read_block(unit, wanted).await;
            // A damaged reply says that the unit is there: on a noisy line it is asked again at once.
            if result == Err(ReadFault::Malformed) && self.line.is_serial() && damaged < RETRIES_MAX {
                damaged += 1;
                self.outside.tally.retries.fetch_add(1, Relaxed);
                self.serve_orders().await;
                continue;
            }
            return heard(result);
        }
    }

    pub(super) async fn read_block(&mut self, unit: usize, wanted: Place) -> Result<Vec<u16>, ReadFault> {
        let (station, within) =
            (self.units[unit].station, self.units[unit].latency.deadline(self.options.timeout));
        let begun = clock::uptime();
        let result = self.line.read_again(station, wanted, within, self.options.connect_timeout).await;
        let now = clock::uptime();
        self.outside.tally.ended(result.as_ref().err().copied(), now.since(begun), now);
        self.outside.tally.connected.store(self.line.is_connected(), Relaxed);
        let measured = self.line.measured();
        let latency = &mut self.units[unit].latency;
        match result {
            Ok(_) if self.line.is_serial() => latency.heard(measured.turnaround_us),
            Ok(_) => latency.heard(measured.whole_us),
            Err(ReadFault::Timeout) => latency.silent(),
            Err(_) => {}
        }
        let rest = self.device(unit).profile.limits.pause;
        self.units[unit].rest_until_us = clock::uptime_us() + rest.0 * 1000;
        result
    }

    /// Some devices need a rest between two requests.
    async fn pause(&mut self, unit: usize) {
        let wait_us = self.units[unit].rest_until_us.saturating_sub(clock::uptime_us());
        if 0 < wait_us {
            tokio::time::sleep(Duration::from_micros(wait_us)).await;
            self.serve_orders().await;
        }
    }

    /// Scale factors, states out of service, and devices that just came back: what becomes of decoded values.
    fn finish(&mut self, at: usize, poll: &mut Poll) {
        let job = &self.jobs[at];
        let map = &mut self.maps[job.unit];
        let profile = Arc::clone(&map.profile);
        for (slot, point) in poll.slots.iter().zip(&job.points) {
            map.note(*point, slot.result);
        }
        for (slot, point) in poll.slots.iter_mut().zip(&job.points) {
            if let Some(factor) = profile.points[*point].factor {
                slot.result = decode::with_factor(slot.result, map.factor(factor));
            }
        }
        for rule in &profile.services {
            let Ok(state) = job.points.binary_search(&rule.state) else { continue };
            let state = poll.slots[state].result;
            for point in &rule.applies_to {
                if let Ok(slot) = job.points.binary_search(point) {
                    poll.slots[slot].result = decode::in_service(rule, state, poll.slots[slot].result);
                }
            }
        }
        if clock::uptime() < self.units[job.unit].settle_until {
            for slot in poll.slots.iter_mut().filter(|slot| slot.result.is_ok()) {
                slot.result = Err(ReadFault::NotInService);
            }
        }
    }

    /// One batch of all points of the poll.
    fn inputs(&mut self, at: usize, mut poll: Poll) -> Vec<Input> {
        self.finish(at, &mut poll);
        let job = &self.jobs[at];
        let device = self.device(job.unit);
        let sampled = |(slot, at): (&Slot, &usize)| {
            if let Err(fault) = slot.result {
                self.outside.tally.lost(fault);
            }
            Input::Sampled {
                point: device.points[*at],
                asked: poll.asked,
                taken: slot.taken,
                result: slot.result,
            }
        };
        poll.slots.iter().zip(&job.points).map(sampled).collect()
    }
}

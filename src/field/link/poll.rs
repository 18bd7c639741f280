//! One poll: what is asked, what is heard, and the batch of inputs that comes of it.

use std::sync::atomic::Ordering::Relaxed;

use super::unit::Job;
use super::worker::Worker;
use crate::clock;
use crate::field::decode;
use crate::field::options::DeviceOptions;
use crate::safety::fact::Input;
use crate::safety::reading::ReadFault;
use crate::units::{Uptime, Value};

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

impl Poll {
    fn unread(now: Uptime, points: usize, fault: ReadFault) -> Self {
        Self { asked: now, slots: vec![Slot { taken: now, result: Err(fault) }; points] }
    }

    /// A block came without its words.
    fn lose(&mut self, job: &Job, block: usize, taken: Uptime, fault: ReadFault) {
        for at in &job.asks[block].block.points {
            self.put(job, *at, Slot { taken, result: Err(fault) });
        }
    }

    /// Decodes the points of a block.
    fn take(&mut self, job: &Job, block: usize, device: &DeviceOptions, words: &[u16], taken: Uptime) {
        let block = &job.asks[block].block;
        for at in &block.points {
            let point = &device.profile.points[*at];
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
    pub(super) async fn poll(&mut self, at: usize, now: Uptime) {
        let missed = self.jobs[at].advance(now);
        if 0 < missed {
            self.outside.tally.late_cycles.fetch_add(missed, Relaxed);
        }
        let unit = self.jobs[at].unit;
        self.jobs[at].relearn(&self.options.devices[unit], now);
        let poll = match self.resting(unit, now) {
            Some(fault) => Poll::unread(now, self.jobs[at].points.len(), fault),
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
        let mut poll = Poll::unread(begun, self.jobs[at].points.len(), ReadFault::Disconnected);
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
            let heard = self.hear(at, block, &mut asked).await;
            let taken = clock::uptime();
            answered |= matches!(heard, Heard::Words(_) | Heard::Refused(_) | Heard::Failed(_));
            match heard {
                Heard::Words(words) => {
                    self.jobs[at].asks[block].accepted();
                    poll.take(&self.jobs[at], block, device, &words, taken);
                }
                // What was refused is asked for again at once, in two parts.
                Heard::Refused(_) if self.jobs[at].split(block, device, taken) => continue,
                Heard::Refused(code) => {
                    self.jobs[at].asks[block].refuse(code, taken);
                    poll.lose(&self.jobs[at], block, taken, ReadFault::Exception(code));
                }
                Heard::Failed(code) => poll.lose(&self.jobs[at], block, taken, ReadFault::Exception(code)),
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
        poll.asked = asked.unwrap_or(begun);
        if answered {
            self.note_answer(unit);
        }
        poll
    }

    /// One request and what came of it. Notes when the first of a poll was sent.
    async fn hear(&mut self, at: usize, block: usize, asked: &mut Option<Uptime>) -> Heard {
        if let Err(fault) = self.connected().await {
            return Heard::Down(fault);
        }
        let begun = clock::uptime();
        asked.get_or_insert(begun);
        let job = &self.jobs[at];
        let block = &job.asks[block].block;
        let place = (block.table, block.address, block.count);
        let (timeout, connect_timeout) = (self.options.timeout, self.options.connect_timeout);
        let result =
            self.line.read_again(self.device(job.unit).unit.into(), place, timeout, connect_timeout).await;
        let now = clock::uptime();
        self.outside.tally.ended(result.as_ref().err().copied(), now.since(begun), now);
        self.outside.tally.connected.store(self.line.is_connected(), Relaxed);
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

//! One poll: what is asked, what is heard, and what becomes of each block.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use super::harvest::Harvest;
use super::worker::{Queued, Worker};
use crate::clock;
use crate::field::frame::Station;
use crate::field::pdu::{Reply, Request};
use crate::field::plan::{Barrier, Block};
use crate::field::profile::{Profile, Table};
use crate::safety::reading::ReadFault;
use crate::units::{Millis, Uptime};

/// Exceptions by which a device says that it is at work on it, or busy with something else.
const ACKNOWLEDGED: u8 = 5;
const BUSY: u8 = 6;

/// How long an order waits for the reply to the read before it.
const OVERTAKEN_AFTER: Duration = Duration::from_millis(10);

/// How often a damaged reply is asked for again within one poll.
const RETRIES_MAX: u32 = 2;

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

/// What is known of a poll while it goes on.
struct Round {
    harvest: Harvest,
    profile: Arc<Profile>,
    /// When the first request of it was sent.
    asked: Option<Uptime>,
    /// The unit said something.
    answered: bool,
    lessons: Vec<Barrier>,
}

/// Where a poll goes on.
enum Next {
    /// At what has taken the block's place.
    Same,
    Block,
    /// Not at all: the unit is silent.
    Unit,
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

impl Worker<'_> {
    /// A poll that is due.
    pub(super) async fn poll(&mut self, at: usize, now: Uptime) {
        let missed = self.jobs[at].advance(now);
        if 0 < missed {
            self.outside.tally.late_cycles.fetch_add(missed, Relaxed);
        }
        let harvest = match self.resting(self.jobs[at].unit, now) {
            Some(fault) => Harvest::unread(now, self.jobs[at].points.len(), fault),
            None => self.ask(at, now).await,
        };
        self.deliver(at, harvest).await;
    }

    /// Tries a dead unit.
    pub(super) async fn probe(&mut self, at: usize, now: Uptime) {
        let harvest = if self.line.is_connected() || self.reconnect.is_due(now) {
            self.ask(at, now).await
        } else {
            Harvest::unread(now, self.jobs[at].points.len(), ReadFault::Disconnected)
        };
        self.deliver(at, harvest).await;
    }

    async fn deliver(&mut self, at: usize, harvest: Harvest) {
        let batch = self.inputs(at, harvest);
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
    async fn ask(&mut self, at: usize, begun: Uptime) -> Harvest {
        let unit = self.jobs[at].unit;
        if let Err(fault) = self.look_at_map(unit, begun).await {
            if !matches!(fault, ReadFault::Exception(_)) {
                self.note_silence(unit, fault, begun, clock::uptime());
            }
            return Harvest::unread(begun, self.jobs[at].points.len(), fault);
        }
        let profile = Arc::clone(&self.maps[unit].profile);
        if self.line.unsettled_until_us(self.units[unit].station).is_none() {
            self.jobs[at].uncut();
        }
        let mut ahead = self.ask_ahead(at).await;
        let harvest = Harvest::new(begun, &self.jobs[at], &profile);
        let mut round = Round { harvest, profile, asked: None, answered: false, lessons: Vec::new() };
        let mut block = 0;
        while block < self.jobs[at].asks.len() {
            self.serve_orders().await;
            if let Some(next) = self.pass_over(at, block, &mut round) {
                block += usize::from(next);
                continue;
            }
            let heard = self.hear(at, block, &mut round.asked, &mut ahead).await;
            match self.settle_block(at, block, heard, &mut round) {
                Next::Same => {}
                Next::Block => block += 1,
                Next::Unit => break,
            }
        }
        round.lessons.extend(self.jobs[at].lessons());
        self.learn(unit, round.lessons);
        if round.answered {
            self.note_answer(unit);
        }
        round.harvest.asked = round.asked.unwrap_or(begun);
        round.harvest
    }

    /// Whether this block is not asked for as it is: `Some(true)` leaves it out, `Some(false)` looks at what
    /// has taken its place.
    fn pass_over(&mut self, at: usize, block: usize, round: &mut Round) -> Option<bool> {
        let (job, now) = (&mut self.jobs[at], clock::uptime());
        if let Some(code) = job.asks[block].resting(now) {
            round.harvest.lose(job, block, now, ReadFault::Exception(code));
            return Some(true);
        }
        let asks = request(&job.asks[block].block);
        if !self.line.is_ambiguous(self.units[job.unit].station, &asks) {
            return None;
        }
        // A late reply could be taken for this one's: asked for otherwise, it cannot.
        let is_cut = job.recut(block, &round.profile);
        if !is_cut {
            round.harvest.lose(job, block, now, ReadFault::Timeout);
        }
        Some(!is_cut)
    }

    /// What becomes of a block's points, and which is next.
    fn settle_block(&mut self, at: usize, block: usize, heard: Heard, round: &mut Round) -> Next {
        let (job, taken) = (&mut self.jobs[at], clock::uptime());
        round.answered |= matches!(heard, Heard::Words(_) | Heard::Refused(_) | Heard::Failed(_));
        match heard {
            Heard::Words(words) => {
                job.asks[block].accept();
                round.harvest.take(job, block, &round.profile, &words, taken);
                Next::Block
            }
            // What was refused is asked for again at once, in two parts.
            Heard::Refused(_) if job.split(block, &round.profile) => Next::Same,
            Heard::Refused(code) => {
                job.asks[block].refuse(code, taken);
                round.lessons.extend(job.asks[block].block.points.iter().copied().map(Barrier::Point));
                round.harvest.lose(job, block, taken, ReadFault::Exception(code));
                Next::Block
            }
            Heard::Failed(code) => {
                if matches!(code, ACKNOWLEDGED | BUSY) {
                    job.retry_soon(taken);
                }
                round.harvest.lose(job, block, taken, ReadFault::Exception(code));
                Next::Block
            }
            Heard::Silence(fault) | Heard::Down(fault) => {
                for unread in block..job.asks.len() {
                    round.harvest.lose(job, unread, taken, fault);
                }
                job.begin_after(block);
                let unit = job.unit;
                if !round.answered && matches!(heard, Heard::Silence(_)) {
                    self.note_silence(unit, fault, round.asked.unwrap_or(taken), taken);
                }
                Next::Unit
            }
        }
    }

    /// Where requests may overtake replies: all blocks at once. The first error ends it; what was not
    /// answered is asked for one by one.
    async fn ask_ahead(&mut self, at: usize) -> Ahead {
        if self.options.pipeline <= 1 || self.jobs[at].asks.len() <= 1 || self.connected().await.is_err() {
            return Ahead::new();
        }
        let job = &self.jobs[at];
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
        let (result, overtaken_by) = self.read_unless_overtaken(station, wanted, within).await;
        let now = clock::uptime();
        if let Some(order) = overtaken_by {
            self.carry_out(order).await;
        }
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

    /// A read, and an order that came meanwhile. On TCP a device that is slow to answer is not waited for then:
    /// its connection goes, and the order goes out on a new one. On a serial line the reply is on its way and
    /// cannot be stopped.
    async fn read_unless_overtaken(
        &mut self,
        station: Station,
        wanted: Place,
        within: Millis,
    ) -> (Result<Vec<u16>, ReadFault>, Option<Queued>) {
        let is_serial = self.line.is_serial();
        let read = self.line.read_again(station, wanted, within, self.options.connect_timeout);
        if is_serial {
            return (read.await, None);
        }
        tokio::pin!(read);
        let order = tokio::select! {
            biased;
            result = &mut read => return (result, None),
            Some(order) = self.lanes.orders.recv() => order,
        };
        let heard = tokio::time::timeout(OVERTAKEN_AFTER, read).await;
        (heard.unwrap_or(Err(ReadFault::Disconnected)), Some(order))
    }

    /// Some devices need a rest between two requests.
    async fn pause(&mut self, unit: usize) {
        let wait_us = self.units[unit].rest_until_us.saturating_sub(clock::uptime_us());
        if 0 < wait_us {
            tokio::time::sleep(Duration::from_micros(wait_us)).await;
            self.serve_orders().await;
        }
    }
}

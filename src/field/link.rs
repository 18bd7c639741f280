//! Links: one task each, which owns the connection and everything that is sent on it.
//!
//! `Field` is the handle: orders and refreshes go in by bounded lanes, inputs come out by the inbox.
//! A link's task that panics is caught, counted, reported and started anew with what it had learnt
//! forgotten; the orders in its lane wait for it.
//! After `stop` no write begins; orders that were waiting are not answered any more.

mod backoff;
mod harvest;
mod health;
mod job;
mod latency;
mod map;
mod order;
mod poll;
mod unit;
mod worker;

#[cfg(test)]
mod fault_tests;
#[cfg(test)]
mod map_tests;
#[cfg(test)]
mod order_tests;
#[cfg(test)]
mod poll_tests;
#[cfg(test)]
pub(crate) mod testing {
    pub(crate) use super::poll_tests::{device, link};
}

use std::collections::BTreeMap;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use self::health::Reports;
use self::worker::{Lanes, Question, Queued, Worker};
use crate::clock;
use crate::exchange::Inbox;
use crate::field::frames::FrameLog;
use crate::field::learnt::Learnt;
use crate::field::options::LinkOptions;
use crate::field::pdu::{Reply, Request};
use crate::field::stats::{LinkStats, Tally};
use crate::field::transaction::Rejected;
use crate::safety::fact::{DriveFault, Input, Order};
use crate::safety::reading::ReadFault;
use crate::safety::site::{ActionId, DeviceId, SystemFault};

/// Orders that may wait in the lane of one link. A sequence has one order under way at a time.
pub const ORDERS_QUEUED_MAX: usize = 64;

/// Refreshes that may wait for one link. One that finds no room is let go: the device is polled anyway.
pub const REFRESHES_QUEUED_MAX: usize = 256;

/// Questions of people that may wait for one link.
pub const QUESTIONS_QUEUED_MAX: usize = 16;

/// How long a link rests after a panic.
const RESTART_PAUSE: Duration = Duration::from_secs(1);

/// A restarted link that has run this long is whole again.
const RESTART_PROVEN: Duration = Duration::from_secs(60);

/// All links.
#[derive(Debug)]
pub struct Field {
    links: Vec<Link>,
    by_action: BTreeMap<ActionId, usize>,
    by_device: BTreeMap<DeviceId, usize>,
    inbox: Inbox,
    stop: CancellationToken,
    runtime: Handle,
    polled: Arc<AtomicU64>,
}

#[derive(Debug)]
struct Link {
    name: String,
    orders: mpsc::Sender<Queued>,
    refreshes: mpsc::Sender<DeviceId>,
    questions: mpsc::Sender<Question>,
    frames: FrameLog,
    rejected: Arc<Rejected>,
    tally: Arc<Tally>,
}

/// Why a question has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AskFault {
    /// There is no such link.
    #[error("there is no such link")]
    NoSuchLink,
    /// Too many questions wait already.
    #[error("too many questions wait for this link already")]
    Busy,
    /// Only reads may be asked for.
    #[error("only reads may be asked for")]
    Writes,
    /// The unit gave none.
    #[error("no answer: {0:?}")]
    Failed(ReadFault),
}

impl Field {
    /// Starts one task per link on the current runtime. They end with `stop`, or when the field is dropped
    /// and the poll under way is done.
    ///
    /// # Panics
    /// Outside of a tokio runtime, or if a device has not exactly one point id for each point of its profile.
    #[must_use]
    pub fn spawn(links: Vec<LinkOptions>, inbox: Inbox, stop: CancellationToken) -> Self {
        Self::spawn_with(links, inbox, &Learnt::default(), stop)
    }

    /// The same, with what was learnt of the devices before.
    ///
    /// # Panics
    /// As `spawn`.
    #[must_use]
    pub fn spawn_with(
        links: Vec<LinkOptions>,
        inbox: Inbox,
        learnt: &Learnt,
        stop: CancellationToken,
    ) -> Self {
        let polled = Arc::new(AtomicU64::new(0));
        let mut field = Self {
            links: Vec::with_capacity(links.len()),
            by_action: BTreeMap::new(),
            by_device: BTreeMap::new(),
            inbox,
            stop,
            runtime: Handle::current(),
            polled: Arc::clone(&polled),
        };
        let reports = Reports::new(&field.inbox);
        for (at, options) in links.into_iter().enumerate() {
            for device in &options.devices {
                let points = device.profile.points.len();
                assert_eq!(
                    device.points.len(),
                    points,
                    "the configuration gives each point of a profile an id"
                );
                field.by_device.insert(device.device, at);
                field.by_action.extend(device.actions.iter().map(|(action, _)| (*action, at)));
            }
            let (orders, order_lane) = mpsc::channel(ORDERS_QUEUED_MAX);
            let (refreshes, refresh_lane) = mpsc::channel(REFRESHES_QUEUED_MAX);
            let (questions, question_lane) = mpsc::channel(QUESTIONS_QUEUED_MAX);
            let (tally, frames, rejected) = (Arc::new(Tally::default()), FrameLog::default(), Arc::default());
            let outside = Outside {
                inbox: field.inbox.clone(),
                tally: Arc::clone(&tally),
                frames: frames.clone(),
                rejected: Arc::clone(&rejected),
                polled: Arc::clone(&polled),
                reports: Arc::new(reports.clone()),
                learnt: learnt.clone(),
                stop: field.stop.clone(),
            };
            let name = options.name.clone();
            field.links.push(Link { name, orders, refreshes, questions, frames, rejected, tally });
            let lanes = Lanes { orders: order_lane, refreshes: refresh_lane, questions: question_lane };
            tokio::spawn(run(options, lanes, outside));
        }
        field
    }

    /// Hands an order to its link, where it goes out at the next frame boundary, whatever the back-off and even
    /// if the link is down: then it is connected within the order's deadline. Does not wait. On TCP the reply to
    /// a read under way is waited for 10 ms, and no longer; on a serial line it is let finish.
    ///
    /// Each order is answered by one `Input::Answered`: `NotAllowed` if no device has the action,
    /// `NotSent` if the lane is full or the field was stopped. May be called from any thread.
    pub fn order(&self, order: Order) {
        let id = order.id;
        let why = match self.by_action.get(&order.action) {
            None => DriveFault::NotAllowed,
            Some(_) if self.stop.is_cancelled() => DriveFault::NotSent,
            Some(link) => {
                match self.links[*link].orders.try_send(Queued { order, at_us: clock::uptime_us() }) {
                    Ok(()) => return,
                    Err(_) => DriveFault::NotSent,
                }
            }
        };
        tracing::error!(order = id.0, ?why, "order refused");
        let inbox = self.inbox.clone();
        // As many of these tasks as orders under way: each sequence has at most one.
        self.runtime.spawn(async move {
            let answer = Input::Answered { order: id, at: clock::uptime(), result: Err(why) };
            inbox.send(vec![answer]).await
        });
    }

    /// Polls these devices as soon as their links are free, also those in back-off: for feedback that is
    /// waited for. A hint; the commanded device of an order needs none.
    pub fn refresh(&self, devices: &[DeviceId]) {
        for device in devices {
            if let Some(link) = self.by_device.get(device) {
                // A full lane means that the link is busy with refreshes already.
                _ = self.links[*link].refreshes.try_send(*device);
            }
        }
    }

    /// Reads something for a person, through the link's own task and between two polls.
    ///
    /// # Errors
    /// See [`AskFault`]; `Writes` for anything but a read: orders have a lane of their own.
    pub async fn ask(&self, link: &str, unit: u8, request: Request) -> Result<Reply, AskFault> {
        if matches!(request, Request::Write(_)) {
            return Err(AskFault::Writes);
        }
        let link = self.links.iter().find(|known| known.name == link).ok_or(AskFault::NoSuchLink)?;
        let (answer, heard) = oneshot::channel();
        link.questions.try_send(Question { unit, request, answer }).map_err(|_| AskFault::Busy)?;
        heard.await.unwrap_or(Err(ReadFault::Disconnected)).map_err(AskFault::Failed)
    }

    /// The raw frames of a link, always kept; `None` if there is no such link.
    #[must_use]
    pub fn frames(&self, link: &str) -> Option<FrameLog> {
        self.links.iter().find(|known| known.name == link).map(|link| link.frames.clone())
    }

    /// How every link stands, in the order they were given.
    #[must_use]
    pub fn stats(&self) -> Vec<LinkStats> {
        self.links.iter().map(|link| link.tally.snapshot(&link.name, &link.rejected)).collect()
    }

    /// Counts every poll of any link that came to an end, well or not: it stands still only if polling does.
    #[must_use]
    pub fn polled(&self) -> u64 {
        self.polled.load(Relaxed)
    }
}

/// What a link's task shares with the rest of the process.
#[derive(Clone, Debug)]
struct Outside {
    inbox: Inbox,
    tally: Arc<Tally>,
    frames: FrameLog,
    rejected: Arc<Rejected>,
    polled: Arc<AtomicU64>,
    reports: Arc<Reports>,
    learnt: Learnt,
    stop: CancellationToken,
}

async fn run(options: LinkOptions, mut lanes: Lanes, outside: Outside) {
    let stop = outside.stop.clone();
    let mut restarted = false;
    let work = async {
        loop {
            let worker = Worker::new(&options, &mut lanes, outside.clone());
            if supervised(worker.run(), &mut restarted, &outside.inbox).await.is_ok() {
                return;
            }
            outside.tally.restarts.fetch_add(1, Relaxed);
            tracing::error!(link = options.name, "link restarted after a panic");
            report(&outside.inbox, true).await;
            tokio::time::sleep(RESTART_PAUSE).await;
        }
    };
    tokio::select! {
        biased;
        () = stop.cancelled() => {}
        () = work => {}
    }
}

/// Runs until the task ends or panics; takes the report of an earlier panic back once it has run for long.
async fn supervised(task: impl Future<Output = ()>, restarted: &mut bool, inbox: &Inbox) -> Result<(), ()> {
    let task = AssertUnwindSafe(task).catch_unwind();
    tokio::pin!(task);
    let proven = tokio::time::sleep(RESTART_PROVEN);
    tokio::pin!(proven);
    loop {
        tokio::select! {
            outcome = &mut task => {
                *restarted = outcome.is_err();
                return outcome.map_err(|_| ());
            }
            () = &mut proven, if *restarted => {
                *restarted = false;
                report(inbox, false).await;
            }
        }
    }
}

async fn report(inbox: &Inbox, failing: bool) {
    // A closed inbox means that the process ends.
    _ = inbox.send(vec![Input::System { fault: SystemFault::Restarted, failing }]).await;
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_panic_is_caught_and_taken_back_after_a_minute_of_good_work() {
        let (inbox, mut heard) = mpsc::channel(4);
        let mut restarted = false;
        let panics = async { panic!("on purpose") };
        assert_eq!(supervised(panics, &mut restarted, &inbox).await, Err(()));
        assert!(restarted);
        let works = tokio::time::sleep(Duration::from_secs(61));
        assert_eq!(supervised(works, &mut restarted, &inbox).await, Ok(()));
        let input = heard.recv().await.unwrap().remove(0);
        assert_eq!(input, Input::System { fault: SystemFault::Restarted, failing: false });
    }
}

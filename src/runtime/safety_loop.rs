//! The loop that everything serves: gather, scan, perform. It runs on a thread of its own and waits for
//! nothing but its next input: no disk, broker, server or page can hold it up.

use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::sync::{broadcast, mpsc};
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::exchange::Publication;
use crate::runtime::clock_watch::ClockStatus;
use crate::runtime::pace::Pace;
use crate::runtime::tap::Tap;
use crate::runtime::watchdog::Watchdog;
use crate::safety::fact::{Input, Order, Output};
use crate::safety::{Safety, TICK};
use crate::store::Journal;
use crate::units::{Millis, Uptime};

/// The most batches judged in one scan, so that a flood of samples cannot delay an order for long.
const BATCHES_PER_SCAN_MAX: usize = 256;

/// Orders that may wait for their intent to be made durable. There are never more than there are sequences.
pub(super) const ORDERS_QUEUED_MAX: usize = 256;

/// When nothing is said for this long, an empty publication shows that the loop lives.
const BEAT: Millis = Millis::from_secs(1);

/// All that the loop needs.
pub(super) struct SafetyLoop {
    pub(super) safety: Safety,
    pub(super) inbox: mpsc::Receiver<Vec<Input>>,
    pub(super) facts: broadcast::Sender<Arc<Publication>>,
    pub(super) orders: mpsc::Sender<Order>,
    pub(super) journal: Arc<Journal>,
    pub(super) tap: Tap,
    pub(super) watchdog: Watchdog,
    pub(super) clock: Arc<ClockStatus>,
    pub(super) pace: Arc<Pace>,
    pub(super) stop: CancellationToken,
}

impl SafetyLoop {
    /// Starts the loop on its own thread. The thread ends with the stop token; if it ends otherwise, the
    /// core has broken an invariant of its own and the process must not go on.
    pub(super) fn spawn(self) -> std::io::Result<JoinHandle<()>> {
        let timer = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        std::thread::Builder::new().name("safety".into()).spawn(move || self.run(&timer))
    }

    fn run(mut self, timer: &tokio::runtime::Runtime) {
        let (mut inputs, mut outputs) = (Vec::new(), Vec::new());
        let (mut number, mut last_said, mut last_scan) = (0, Uptime(0), clock::uptime());
        while !self.stop.is_cancelled() {
            inputs.clear();
            timer.block_on(gather(&mut self.inbox, &self.stop, &mut inputs));
            let now = clock::now();
            self.pace.scanned(last_scan, now.uptime);
            last_scan = now.uptime;
            self.safety.scan(now, &inputs, &mut outputs);
            self.record(&inputs);
            let (mut facts, mut orders) = (Vec::with_capacity(outputs.len()), Vec::new());
            for output in outputs.drain(..) {
                match output {
                    Output::Order(order) => orders.push(order),
                    Output::Fact(fact) => facts.push(fact),
                }
            }
            if !facts.is_empty() || BEAT <= now.uptime.since(last_said) {
                number += 1;
                last_said = now.uptime;
                self.publish(Publication { number, now, clock: self.clock.now(), facts });
            }
            // After their facts, so that the journal has the decision before the intent. Both only queue.
            for order in orders {
                self.hand_over(order);
            }
            // Last: a recorder never stands between a decision and its order.
            self.tap.pass(now, &inputs, || self.safety.memory());
            self.watchdog.feed(now.uptime);
        }
    }

    /// What came in and is no fact of the core: outcomes of orders, faults of emberwatch itself, receipts of notices.
    fn record(&self, inputs: &[Input]) {
        for input in inputs {
            match input {
                Input::Answered { order, at, result } => self.journal.answer(*order, *at, *result),
                Input::System { fault, failing } => self.journal.fault(*fault, *failing),
                Input::Delivered { sequence, notice, target, taken } => {
                    self.journal.delivered(*sequence, *notice, target, *taken);
                }
                Input::Sampled { .. } | Input::Asked { .. } | Input::Logins { .. } | Input::Commanded(_) => {}
            }
        }
    }

    /// Orders never wait. An order that could not be queued gets no answer: the core reads back
    /// and tries again or goes on, as for any other order of unknown outcome.
    fn hand_over(&self, order: Order) {
        if let Err(refused) = self.orders.try_send(order) {
            tracing::error!(order = ?refused.into_inner().id, "order queue is full or closed");
        }
    }

    fn publish(&self, publication: Publication) {
        let publication = Arc::new(publication);
        self.journal.note(&publication);
        // Nobody listening is no fault: every sink may be off.
        let _ = self.facts.send(publication);
    }
}

/// Waits for inputs until the next tick, then takes all that are there.
async fn gather(inbox: &mut mpsc::Receiver<Vec<Input>>, stop: &CancellationToken, inputs: &mut Vec<Input>) {
    let tick = std::time::Duration::from_millis(TICK.0);
    tokio::select! {
        batch = inbox.recv() => inputs.extend(batch.unwrap_or_default()),
        () = tokio::time::sleep(tick) => {}
        () = stop.cancelled() => {}
    }
    for _ in 1..BATCHES_PER_SCAN_MAX {
        match inbox.try_recv() {
            Ok(batch) => inputs.extend(batch),
            Err(_) => break,
        }
    }
}

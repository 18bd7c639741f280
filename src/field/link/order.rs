//! Orders: the only writes there are.
//!
//! ```text
//! allowed? ─► connect ─► read the state ─► steps: write once ─► echo?, status ─► done? ─► read back ─► answer
//!    NotAllowed  └── NotSent ──┘                     NoAnswer, Exception, WrongEcho
//! ```
//!
//! An order is written at most once, and never after its deadline or the stop. The answer says what is known of the write
//! itself; whether the breaker moved is the sequence's to see in the points, which are read right after.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use super::worker::{Queued, Worker, left};
use crate::clock;
use crate::field::frame::Station;
use crate::field::profile::{ActionSpec, Await, StateSpec, Step, Write};
use crate::safety::fact::{DriveFault, Input, Order};
use crate::units::{Millis, Uptime};

/// A connection that lay idle for longer may have been closed unnoticed: an order without a state to read
/// first takes a new one.
const IDLE_TRUSTED_MAX: Millis = Millis(1500);

/// The Modbus exception that a refusal by status counts as: the device tried and could not.
const DEVICE_FAILURE: u8 = 4;

impl Worker<'_> {
    /// Carries an order out, and says what became of it.
    pub(super) async fn execute(&mut self, Queued { order, at_us }: Queued) -> Input {
        let begun = clock::uptime();
        let result = self.drive(&order).await;
        self.outside.tally.connected.store(self.line.is_connected(), Relaxed);
        let at = clock::uptime();
        let took = at.since(begun).0;
        self.outside.tally.orders.fetch_add(1, Relaxed);
        self.outside.tally.order_ms_max.fetch_max(took, Relaxed);
        let to_frame_us = self.line.wrote_us().saturating_sub(at_us);
        self.outside.tally.order_frame_us_max.fetch_max(to_frame_us, Relaxed);
        let link = &self.options.name;
        match result {
            Ok(()) => tracing::info!(link, order = order.id.0, took_ms = took, "order confirmed"),
            Err(fault) => {
                tracing::warn!(link, order = order.id.0, took_ms = took, ?fault, "order not confirmed");
            }
        }
        Input::Answered { order: order.id, at, result }
    }

    async fn drive(&mut self, order: &Order) -> Result<(), DriveFault> {
        let (unit, action) = *self.allowed.get(&order.action).ok_or(DriveFault::NotAllowed)?;
        let device = &self.options.devices[unit];
        // As placed now: what the device does not have cannot be ordered.
        let profile = Arc::clone(&self.maps[unit].profile);
        let action = &profile.actions[action];
        if action.model.is_some() {
            return Err(DriveFault::NotSent);
        }
        let result = self.write_once(self.units[unit].station, action, order.answer_by).await;
        self.hasten(device.device);
        result
    }

    async fn write_once(
        &mut self,
        unit: Station,
        action: &ActionSpec,
        until: Uptime,
    ) -> Result<(), DriveFault> {
        let now = clock::uptime();
        if action.state.is_none() && IDLE_TRUSTED_MAX < self.line.idle(now) {
            self.line.drop_connection();
        }
        if !self.line.is_connected() {
            let within = left(until, now, self.options.connect_timeout).ok_or(DriveFault::NotSent)?;
            let outcome = self.line.connect(within).await;
            self.note_connection(outcome).map_err(|_| DriveFault::NotSent)?;
        }
        if let Some(state) = &action.state {
            self.read_state(unit, state, until).await.ok_or(DriveFault::NotSent)?;
        }
        let mut begun = false;
        for step in &action.steps {
            let done = match step {
                Step::Write(write) => self.write_step(unit, write, until).await,
                Step::Await(status) => self.await_step(unit, status, until).await,
            };
            // Once something was written, what was not sent is no proof that nothing happened.
            done.map_err(|fault| match fault {
                DriveFault::NotSent if begun => DriveFault::NoAnswer,
                DriveFault::NotSent
                | DriveFault::Exception(_)
                | DriveFault::NoAnswer
                | DriveFault::WrongEcho
                | DriveFault::NotAllowed => fault,
            })?;
            begun = true;
        }
        let Some((state, expected)) = action.state.and_then(|state| Some((state, state.read_back?))) else {
            return Ok(());
        };
        // The echo came, but only what is read back counts: without it nobody knows.
        let words = self.read_state(unit, &state, until).await.ok_or(DriveFault::NoAnswer)?;
        if words.first() == Some(&expected) { Ok(()) } else { Err(DriveFault::WrongEcho) }
    }

    async fn write_step(&mut self, unit: Station, write: &Write, until: Uptime) -> Result<(), DriveFault> {
        let within = left(until, clock::uptime(), self.options.timeout).ok_or(DriveFault::NotSent)?;
        if self.outside.stop.is_cancelled() {
            return Err(DriveFault::NotSent);
        }
        let begun = clock::uptime();
        let written = self.line.write(unit, write, within).await;
        self.count(begun, written.err());
        written
    }

    /// Reads the device's status until it is done. A status that cannot be read is asked for again: the
    /// command is given, only its end is not known yet.
    async fn await_step(&mut self, unit: Station, status: &Await, until: Uptime) -> Result<(), DriveFault> {
        let give_up = until.min(clock::uptime().plus(status.within));
        let state = StateSpec { table: status.table, address: status.address, count: 1, read_back: None };
        loop {
            match self.read_state(unit, &state, give_up).await.and_then(|words| words.first().copied()) {
                Some(word) if status.done.contains(&(word & status.mask)) => return Ok(()),
                Some(word) if !status.busy.contains(&(word & status.mask)) => {
                    tracing::warn!(link = self.options.name, status = word, "the device refused the command");
                    return Err(DriveFault::Exception(DEVICE_FAILURE));
                }
                Some(_) | None => {}
            }
            let wait = left(give_up, clock::uptime(), status.every).ok_or(DriveFault::NoAnswer)?;
            tokio::time::sleep(Duration::from_millis(wait.0)).await;
        }
    }

    async fn read_state(&mut self, unit: Station, state: &StateSpec, until: Uptime) -> Option<Vec<u16>> {
        let now = clock::uptime();
        let within = left(until, now, self.options.timeout)?;
        let connect_within = left(until, now, self.options.connect_timeout)?;
        let place = (state.table, state.address, state.count);
        let result = self.line.read_again(unit, place, within, connect_within).await;
        let ended = clock::uptime();
        self.outside.tally.ended(result.as_ref().err().copied(), ended.since(now), ended);
        result.ok()
    }

    fn count(&self, begun: Uptime, fault: Option<DriveFault>) {
        use crate::safety::reading::ReadFault;
        let now = clock::uptime();
        let fault = fault.map(|fault| match fault {
            DriveFault::Exception(code) => ReadFault::Exception(code),
            DriveFault::NoAnswer => ReadFault::Timeout,
            DriveFault::WrongEcho => ReadFault::Mismatch,
            DriveFault::NotSent | DriveFault::NotAllowed => ReadFault::Disconnected,
        });
        self.outside.tally.ended(fault, now.since(begun), now);
    }
}

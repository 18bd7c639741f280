//! Orders: the only writes there are.
//!
//! ```text
//! allowed? ─► connect ─► read the state ─► write once ─► echo? ─► read the state back ─► answer
//!    NotAllowed  └── NotSent ──┘              NoAnswer, Exception, WrongEcho
//! ```
//!
//! An order is written at most once, and never after its deadline or the stop. The answer says what is known of the write
//! itself; whether the breaker moved is the sequence's to see in the points, which are read right after.

use std::sync::atomic::Ordering::Relaxed;

use super::worker::{Queued, Worker, left};
use crate::clock;
use crate::field::frame::Station;
use crate::field::profile::{ActionSpec, StateSpec};
use crate::safety::fact::{DriveFault, Input, Order};
use crate::units::{Millis, Uptime};

/// A connection that lay idle for longer may have been closed unnoticed: an order without a state to read
/// first takes a new one.
const IDLE_TRUSTED_MAX: Millis = Millis(1500);

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
        let action = &device.profile.actions[action];
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
        let within = left(until, clock::uptime(), self.options.timeout).ok_or(DriveFault::NotSent)?;
        if self.outside.stop.is_cancelled() {
            return Err(DriveFault::NotSent);
        }
        let begun = clock::uptime();
        for write in action.writes() {
            let written = self.line.write(unit, write, within).await;
            self.count(begun, written.err());
            written?;
        }
        let Some((state, expected)) = action.state.and_then(|state| Some((state, state.read_back?))) else {
            return Ok(());
        };
        // The echo came, but only what is read back counts: without it nobody knows.
        let words = self.read_state(unit, &state, until).await.ok_or(DriveFault::NoAnswer)?;
        if words.first() == Some(&expected) { Ok(()) } else { Err(DriveFault::WrongEcho) }
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

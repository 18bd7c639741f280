//! How the edges and the safety loop talk: inputs come in by one bounded queue, facts go out by another.
//!
//! The loop never waits for an edge. Facts go out by a broadcast of bounded length that forgets the oldest:
//! an edge that is too slow learns how many it missed, and the loop learns nothing of it. Inputs wait in a
//! bounded queue: when the loop is late, polling waits, nothing is lost. Orders have a way of their own.

use std::sync::Arc;

use tokio::sync::{broadcast, mpsc};

use crate::safety::fact::{Fact, Input};
use crate::safety::site::SystemFault;
use crate::units::{ClockSync, Now};

/// The facts of one scan, as every edge hears them.
#[derive(Debug)]
pub struct Publication {
    /// Increases by one with each publication of this process.
    pub number: u64,
    /// The moment of the scan.
    pub now: Now,
    /// How far its label can be believed.
    pub clock: ClockSync,
    /// What it said, in order.
    pub facts: Vec<Fact>,
}

/// Publications an edge may be behind before it misses some. An edge drains these at once into its own
/// bounded outbox, so this only covers scheduling.
pub const PUBLICATIONS_QUEUED_MAX: usize = 4096;

/// Batches of inputs that may wait for the loop before polling waits.
pub const INPUTS_QUEUED_MAX: usize = 1024;

/// Where an edge puts what happened: one batch is judged in one scan.
pub type Inbox = mpsc::Sender<Vec<Input>>;

/// Where an edge hears the facts.
pub type Hearing = broadcast::Receiver<Arc<Publication>>;

/// Tells the core that a part of emberwatch fails or works again: once per change, never waiting.
///
/// Each holder (each clone) speaks for one target; the fault stands while any of them fails. What finds the inbox full is
/// told at the next [`set`](Self::set) or [`flush`](Self::flush).
#[derive(Debug)]
pub struct FaultReport {
    shared: Arc<FaultShared>,
    mine: std::sync::atomic::AtomicBool,
}

#[derive(Debug)]
struct FaultShared {
    inbox: Inbox,
    fault: SystemFault,
    state: std::sync::Mutex<FaultState>,
}

#[derive(Debug, Default)]
struct FaultState {
    holders_failing: usize,
    stated: bool,
    told: Option<bool>,
}

impl FaultReport {
    /// The first holder of a fault that does not stand.
    #[must_use]
    pub fn new(inbox: Inbox, fault: SystemFault) -> Self {
        Self::told(inbox, fault, Some(false))
    }

    /// The first holder of a fault whose alarm may stand, for a part that was perhaps restarted: its first word is told
    /// even if all is well.
    #[must_use]
    pub fn renewed(inbox: Inbox, fault: SystemFault) -> Self {
        Self::told(inbox, fault, None)
    }

    fn told(inbox: Inbox, fault: SystemFault, told: Option<bool>) -> Self {
        let state = FaultState { told, ..FaultState::default() };
        let shared = FaultShared { inbox, fault, state: std::sync::Mutex::new(state) };
        Self { shared: Arc::new(shared), mine: std::sync::atomic::AtomicBool::new(false) }
    }

    /// States whether this holder's part fails now.
    pub fn set(&self, failing: bool) {
        let mut state = self.shared.state();
        state.stated = true;
        let was = self.mine.swap(failing, std::sync::atomic::Ordering::Relaxed);
        match (was, failing) {
            (false, true) => state.holders_failing += 1,
            (true, false) => state.holders_failing = state.holders_failing.saturating_sub(1),
            _ => {}
        }
        self.shared.tell(&mut state);
    }

    /// Tries again what could not be told; to be called now and then. Nothing was stated yet: nothing is told.
    pub fn flush(&self) {
        let mut state = self.shared.state();
        if state.stated {
            self.shared.tell(&mut state);
        }
    }

    /// Whether this holder's part fails.
    #[must_use]
    pub fn failing(&self) -> bool {
        self.mine.load(std::sync::atomic::Ordering::Relaxed)
    }
}

impl FaultShared {
    fn state(&self) -> std::sync::MutexGuard<'_, FaultState> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn tell(&self, state: &mut FaultState) {
        let failing = 0 < state.holders_failing;
        let input = Input::System { fault: self.fault, failing };
        if state.told != Some(failing) && self.inbox.try_send(vec![input]).is_ok() {
            state.told = Some(failing);
        }
    }
}

impl Drop for FaultReport {
    /// Its share goes; nothing is told, since that a part has ended is not that it works. Who comes in its place says how it is.
    fn drop(&mut self) {
        if self.failing() {
            let mut state = self.shared.state();
            state.holders_failing = state.holders_failing.saturating_sub(1);
        }
    }
}

impl Clone for FaultReport {
    /// Another holder, which does not fail yet.
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), mine: std::sync::atomic::AtomicBool::new(false) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(inputs: &mut mpsc::Receiver<Vec<Input>>) -> Option<bool> {
        match inputs.try_recv().ok()?.as_slice() {
            [Input::System { fault: SystemFault::Webhook, failing }] => Some(*failing),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_fault_stands_while_any_holder_fails_and_is_told_once() {
        let (inbox, mut inputs) = mpsc::channel(8);
        let one = FaultReport::new(inbox, SystemFault::Webhook);
        let other = one.clone();
        one.set(true);
        one.set(true);
        other.set(true);
        assert_eq!((told(&mut inputs), told(&mut inputs)), (Some(true), None));
        one.set(false);
        assert_eq!(told(&mut inputs), None);
        other.set(false);
        assert_eq!(told(&mut inputs), Some(false));
    }

    #[test]
    fn the_first_word_of_a_part_that_may_have_been_restarted_is_told_even_if_all_is_well() {
        let (inbox, mut inputs) = mpsc::channel(8);
        let new = FaultReport::new(inbox.clone(), SystemFault::Webhook);
        new.set(false);
        assert_eq!(told(&mut inputs), None);
        let report = FaultReport::renewed(inbox, SystemFault::Webhook);
        report.flush();
        assert_eq!(told(&mut inputs), None, "nothing was said yet");
        report.set(false);
        report.set(false);
        assert_eq!((told(&mut inputs), told(&mut inputs)), (Some(false), None));
    }

    #[test]
    fn a_holder_that_ends_while_failing_does_not_hold_the_alarm_for_ever() {
        let (inbox, mut inputs) = mpsc::channel(8);
        let first = FaultReport::new(inbox, SystemFault::Webhook);
        let panicked = first.clone();
        panicked.set(true);
        drop(panicked);
        assert_eq!(
            (told(&mut inputs), told(&mut inputs)),
            (Some(true), None),
            "its end is no sign that it works"
        );
        let again = first.clone();
        again.set(false);
        assert_eq!(told(&mut inputs), Some(false));
    }

    #[test]
    fn what_found_the_inbox_full_is_told_later() {
        let (inbox, mut inputs) = mpsc::channel(1);
        inbox.try_send(Vec::new()).expect("room for one");
        let report = FaultReport::new(inbox, SystemFault::Webhook);
        report.set(true);
        assert!(inputs.try_recv().is_ok());
        report.flush();
        assert_eq!(told(&mut inputs), Some(true));
        report.flush();
        assert_eq!(told(&mut inputs), None);
    }
}

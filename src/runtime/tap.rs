//! Copies of what the safety loop takes in, for recorders. The loop never waits for one.
//!
//! Recorders come by a bounded queue that the loop looks into once per scan, without a lock; each then has a bounded
//! queue of its own. What finds it full is counted, and the count goes out with the next scan that fits. A recorder
//! that has gone is forgotten.

use std::sync::Arc;

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{self, Receiver, Sender};

use crate::replay::recording::Lost;
use crate::safety::fact::Input;
use crate::safety::memory::Memory;
use crate::units::Now;

/// Recorders at a time.
pub(super) const RECORDERS_MAX: usize = 4;

/// Scans that may wait for a recorder: ten seconds of a busy gateway.
pub(super) const SCANS_QUEUED_MAX: usize = 1024;

/// What a recorder hears.
#[derive(Debug)]
pub(super) enum Heard {
    /// First: how the core stands.
    Beginning(Box<Memory>),
    /// Then: each scan and what came in.
    Scan {
        /// The moment of the scan.
        now: Now,
        /// What came in; shared by all recorders.
        inputs: Arc<[Input]>,
        /// What this recorder was too slow for before it.
        lost: Lost,
    },
}

/// The loop's end.
#[derive(Debug)]
pub(super) struct Tap {
    joining: Receiver<Sender<Heard>>,
    recorders: Vec<(Sender<Heard>, Lost)>,
}

/// Where recorders come from.
#[derive(Clone, Debug)]
pub(in crate::runtime) struct Taps {
    joining: Sender<Sender<Heard>>,
}

impl Tap {
    pub(super) fn new() -> (Self, Taps) {
        let (sender, joining) = mpsc::channel(RECORDERS_MAX);
        (Self { joining, recorders: Vec::with_capacity(RECORDERS_MAX) }, Taps { joining: sender })
    }

    /// Passes on one scan. Costs one look into an empty queue while nobody records.
    pub(super) fn pass(&mut self, now: Now, inputs: &[Input], memory: impl Fn() -> Memory) {
        if !self.recorders.is_empty() {
            self.copy(now, inputs);
        }
        while let Ok(recorder) = self.joining.try_recv() {
            // One that finds no place hears its queue end at once.
            if self.recorders.len() < RECORDERS_MAX
                && recorder.try_send(Heard::Beginning(Box::new(memory()))).is_ok()
            {
                self.recorders.push((recorder, Lost::default()));
            }
        }
    }

    fn copy(&mut self, now: Now, inputs: &[Input]) {
        let shared: Arc<[Input]> = Arc::from(inputs);
        self.recorders.retain_mut(|(recorder, lost)| {
            let scan = Heard::Scan { now, inputs: Arc::clone(&shared), lost: *lost };
            match recorder.try_send(scan) {
                Ok(()) => *lost = Lost::default(),
                Err(TrySendError::Full(_)) => {
                    lost.scans += 1;
                    lost.inputs += shared.len() as u64;
                }
                Err(TrySendError::Closed(_)) => return false,
            }
            true
        });
    }
}

impl Taps {
    /// Begins to listen; `None` where too many wait already, or the loop has ended.
    pub(in crate::runtime) fn listen(&self) -> Option<Receiver<Heard>> {
        let (sender, heard) = mpsc::channel(SCANS_QUEUED_MAX);
        self.joining.try_send(sender).ok()?;
        Some(heard)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::safety::site::SystemFault;
    use crate::units::{Uptime, WallTime};

    fn now(ms: u64) -> Now {
        Now { uptime: Uptime(ms), wall: WallTime(0) }
    }

    const INPUT: Input = Input::System { fault: SystemFault::Mqtt, failing: true };

    #[test]
    fn a_recorder_that_does_not_listen_loses_scans_and_is_told_how_many() {
        let (mut tap, taps) = Tap::new();
        let mut heard = taps.listen().unwrap();
        tap.pass(now(0), &[INPUT], Memory::default);
        assert!(matches!(heard.try_recv(), Ok(Heard::Beginning(_))), "what came before it joined is not its");
        for ms in 0..SCANS_QUEUED_MAX as u64 + 3 {
            tap.pass(now(ms), &[INPUT], Memory::default);
        }
        for _ in 0..SCANS_QUEUED_MAX {
            assert!(matches!(heard.try_recv(), Ok(Heard::Scan { lost: Lost { scans: 0, .. }, .. })));
        }
        assert!(heard.try_recv().is_err());
        tap.pass(now(9_999), &[], Memory::default);
        let Ok(Heard::Scan { lost, .. }) = heard.try_recv() else { panic!("one more") };
        assert_eq!(lost, Lost { scans: 3, inputs: 3 });
    }

    #[test]
    fn recorders_come_and_go_and_one_too_many_is_sent_away() {
        let (mut tap, taps) = Tap::new();
        let mut all: Vec<Receiver<Heard>> = Vec::new();
        for _ in 0..RECORDERS_MAX {
            all.push(taps.listen().unwrap());
        }
        assert!(taps.listen().is_none(), "the queue of those who join is full");
        tap.pass(now(0), &[], Memory::default);
        let mut one_too_many = taps.listen().unwrap();
        tap.pass(now(1), &[], Memory::default);
        assert!(matches!(one_too_many.try_recv(), Err(mpsc::error::TryRecvError::Disconnected)));
        all.clear();
        tap.pass(now(2), &[], Memory::default);
        assert!(tap.recorders.is_empty());
    }
}

//! How the edges and the safety loop talk: inputs come in by one bounded queue, facts go out by another.
//!
//! The loop never waits for an edge. Facts go out by a broadcast of bounded length that forgets the oldest:
//! an edge that is too slow learns how many it missed, and the loop learns nothing of it. Inputs wait in a
//! bounded queue: when the loop is late, polling waits, nothing is lost. Orders have a way of their own.

use std::sync::Arc;

use tokio::sync::{broadcast, mpsc};

use crate::safety::fact::{Fact, Input};
use crate::units::Now;

/// The facts of one scan, as every edge hears them.
#[derive(Debug)]
pub struct Publication {
    /// Increases by one with each publication of this process.
    pub number: u64,
    /// The moment of the scan.
    pub now: Now,
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

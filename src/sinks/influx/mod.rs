//! InfluxDB 2: time series of all readings, and the events of alarms and sequences.
//!
//! ```text
//! facts ─► lines ─► outbox (bounded; events before readings, oldest readings dropped) ─► batches ─► server
//! ```
//!
//! A server that is away, slow or refuses delays nobody: lines wait in memory up to a bound, what is dropped is
//! counted, and an alarm stands. A line that the server calls wrong is found by halving its batch and set
//! aside, so that it cannot hold up the others. Nothing is kept on disk here.

mod client;
mod lines;
pub mod options;
mod outbox;
mod pump;
mod schema;

pub use client::SetupFault;
pub use outbox::{Counters, Counts};
pub use pump::{InfluxHandle, spawn};

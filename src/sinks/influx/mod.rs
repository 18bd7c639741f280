//! InfluxDB 2: time series of all readings, the changes of alarms and sequences, and every event in a bucket of its own.
//!
//! ```text
//! facts ─► lines ─► outbox (bounded; events before readings) ─► batches ─► server
//!                       ╰──► spool on disk, while the server is away ──╯   ╰─► dead letters
//! ```
//!
//! A server that is away, slow or refuses delays nobody: lines wait on disk up to a bound, what is dropped is counted,
//! and an alarm stands. A line that the server calls wrong is found by halving its batch and set aside in a file, so that
//! it cannot hold up the others. Lines are written again after any doubt: same point, same time, so the server has it once.

mod client;
mod dead_letters;
mod delivery;
mod lines;
pub mod options;
mod outbox;
mod pump;
mod retry_after;
mod schema;
mod stream;

pub use client::SetupFault;
pub use outbox::{Counters, Counts};
pub use pump::{Content, Faults, InfluxHandle, spawn};

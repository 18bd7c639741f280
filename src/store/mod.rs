//! The journal: what was decided, on disk before it is done, and back in memory after a restart.
//!
//! ```text
//! facts ─► fold (memory, in RAM) ─► queue ─► writer thread ─► segment files ─► recover ─► memory
//! ```
//!
//! Everything but readings is recorded. Nothing here can hold up a caller: the queue is bounded, what finds
//! it full is counted, and a disk that is full, read-only, failing or stalled raises an alarm and stops
//! nothing (rows D1 to D9 of the fault matrix). It deliberately decides nothing: what follows from the
//! memory of the last run is the core's business (R12).

mod audit;
mod fold;
mod journal;
mod names;
pub mod options;
pub mod record;
mod recover;
mod retell;
mod run;
mod segment;
mod wire;
mod writer;

pub use crate::disk::{Directory, Disk, SegmentFile};
pub use audit::{Audit, SegmentAudit, audit};
pub use journal::{Durable, Health, Journal};
pub use recover::{OpenFault, Records, Recovered};

//! The core: pure, deterministic, without a clock, socket, task, file or log.
//!
//! ```text
//! samples ─► quality ─► rules ─► risk ─┬─► alarms ─────► people
//!                                      └─► sequences ──► breakers
//! ```
//!
//! Sequences read *findings*, never alarms: acknowledging or silencing an alarm can neither stop nor
//! delay a cut.

pub mod alarm;
pub mod fact;
pub mod memory;
pub mod reading;
pub mod risk;
pub mod rules;
pub mod sequence;
pub mod site;

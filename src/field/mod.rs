//! The field: links, planning, polling, decoding, profiles, and orders to breakers.
//!
//! ```text
//! profile ─► plan ─► link ─► transaction ─► decode ─► Input::Sampled
//!                     ▲  orders: next frame boundary ─► Input::Answered
//! options, profile ─► plan ─► budget: the worst case on paper, before anything is connected
//! ```
//!
//! One task owns one link and everything that is sent on it. Nothing here judges a value: a number that a
//! device sent goes on as it is, everything else goes on as a reason. Writes come only from orders, and only
//! to the actions a device was configured with (S22).

pub mod ask;
pub mod budget;
pub mod decode;
pub mod frame;
pub mod frames;
pub mod guess;
pub mod learnt;
pub mod link;
pub mod options;
pub mod pcap;
pub mod pdu;
pub mod plan;
pub mod probe;
pub mod profile;
pub mod scan;
pub mod stats;
pub mod transaction;
pub mod transport;

pub use link::Field;

#[cfg(test)]
mod scripted;
#[cfg(test)]
mod scripted_bus;

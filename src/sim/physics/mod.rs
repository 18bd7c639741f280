//! The physics of a battery room: cells that heat, vent and burn, the air they burn into, and instruments that lie.
//!
//! ```text
//! incident ─► cell (core, short, reaction) ─► rack (neighbours, cabinet) ─► air (gas, smoke, heat) ─► instrument
//! ```
//!
//! Lumps of heat, not fields: a cell is a core, the small spot of a short in it, and the sensor on its skin. What
//! counts is that the order and the lead times are those of real cells (`tests.rs` holds them to the published
//! figures), because limits and votes are tried on it. It does not predict any one product, knows nothing of
//! pressure waves and flames, and owns no clock: the same seed and the same steps give the same room.
//!
//! Steps are as long as the room is calm: ten seconds while nothing happens, a tenth where a cell reacts.

mod air;
mod cell;
mod chemistry;
mod incident;
mod instrument;
mod plant;
mod rack;
#[cfg(test)]
mod tests;

pub use air::{Air, Ventilation};
pub use cell::{Cell, Short};
pub use chemistry::Chemistry;
pub use incident::{Incident, IncidentKind};
pub use instrument::{Fault, Instrument, Reported};
pub use plant::{Measured, Plant};
pub use rack::Rack;

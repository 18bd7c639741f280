//! The simulation: dice, a random house, the game, and the referee.

mod alarms;
pub(crate) mod campaign;
mod delays;
pub(crate) mod dice;
pub(crate) mod game;
mod physical;
mod queue;
pub(crate) mod referee;
pub(crate) mod room;
mod waivers;

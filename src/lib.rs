//! emberwatch watches battery rooms: it sees a fire coming, tells the people who must know, and cuts the
//! power in verified stages. This page is the map of the house, in reading order.

pub mod cli;
pub mod clock;
pub mod config;
pub mod disk;
pub mod evaluate;
pub mod exchange;
pub mod field;
pub mod metrics;
pub mod notify;
pub mod nut;
pub mod replay;
pub mod runtime;
pub mod safety;
pub mod sim;
pub mod sinks;
pub mod store;
pub mod units;
pub mod web;
pub mod wire;

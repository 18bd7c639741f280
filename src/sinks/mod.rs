//! Where facts go out.

mod fault;
pub mod influx;
pub mod mqtt;
pub mod spool;

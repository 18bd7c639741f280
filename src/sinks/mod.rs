//! Where facts go out.

pub mod influx;
pub mod mqtt;
pub mod spool;

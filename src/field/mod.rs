//! The field: links, planning, polling, decoding, profiles, and orders to breakers.

pub mod options;
pub mod profile;

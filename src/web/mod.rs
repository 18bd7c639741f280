//! The local page and API.

pub mod options;

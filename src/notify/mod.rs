//! Who is told, when, and why.

pub mod options;

//! Commissioning from outside, with the real binary: a room is found, written down, checked, probed and signed;
//! a running daemon is asked instead of its one-client panel; what it saved is read by tshark.
//!
//! What this needs is installed by `./test`. A missing peer is a failure, never a reason to skip.

#[path = "../edges/program.rs"]
#[allow(dead_code, reason = "shared with the tests of the edges, which use all of it")]
mod program;

mod alarms;
mod bench;
mod daemon;
mod room;

//! Recording and replaying from outside: a running daemon against the simulated room, the real binary over tables
//! and recordings, and its page in a real browser.
//!
//! What these need is installed by `./test`. A missing browser is a failure, never a reason to skip.

#[path = "../edges/program.rs"]
#[allow(dead_code, reason = "shared with the tests of the edges, which use all of it")]
mod program;

mod bench;
mod page;
mod recorded;
mod table;

//! Machines that are told to shut down before their feed is cut: the real daemon, and NUT's own upsc and upsmon.
//!
//! Machines are upsmon processes whose shutdown touches a file. What they need is installed by `./test`. A missing peer
//! is a failure, never a reason to skip.

#[path = "../edges/bench.rs"]
#[allow(dead_code, reason = "shared with the tests of the edges, which use all of it")]
mod bench;
#[path = "../edges/box_plant.rs"]
#[allow(dead_code, reason = "shared with the tests of the edges, which use all of it")]
mod box_plant;
mod machine;
#[path = "../edges/program.rs"]
#[allow(dead_code, reason = "shared with the tests of the edges, which use all of it")]
mod program;
mod room;
mod shutdown;
mod tls;

//! The local socket: how commands of this machine ask the running daemon.
//!
//! ```text
//! scan, probe, capture ──► <state_dir>/control.sock ─┬─► the link's own task, between two polls
//! status, alarms, sequence, drill ►                             └─► the safety loop, as a request of this user
//! record ──────────────►                             └─► copies of what the safety loop takes in
//! ```
//!
//! Many panels accept one client only, and a serial line has room for one master: whoever wants to look at a
//! link that a daemon owns asks the daemon. One request a line, as JSON; one or more lines in reply. No
//! device can be written here by itself. What can be asked is about alarms, which changes nothing about judging or cutting,
//! and about sequences: each request is an input of the safety loop, with the rights that a person has. It runs among the
//! edges: what happens on it never waits for, and never holds up, the safety loop. Where it cannot be had, only this is missing, and the log says so.
//!
//! `record` is the one that looks at the safety loop: it is handed copies of what the loop took in, through a bounded
//! queue; what finds the queue full is counted and left out.
//!
//! Who may connect, and so ask, is a matter of file rights: the socket has mode 0660 and lies in the state
//! directory. Each client is logged with its user and process, as the kernel tells them; the journal records who
//! asked what as `local:<user>`.

mod client;
mod people;
mod place;
pub mod protocol;
mod record;
mod server;
mod verb;
mod who;

pub use client::{CallFault, Client, Said};
pub(super) use people::People;
pub use place::{SOCKET_NAME, socket_in};
pub use protocol::Recorded;
pub(super) use record::Recordings;
pub(super) use server::{Listening, Served};

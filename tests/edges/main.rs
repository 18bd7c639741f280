//! The real binary at its edges, against peers that nobody here wrote: mbpoll, pymodbus, mosquitto.
//!
//! What these need is installed by `./test`. A missing peer is a failure, never a reason to skip.

mod bench;
mod box_plant;
mod codes;
mod dead;
mod demo;
mod drill;
mod probe;
mod program;
mod restart;
mod simulate;
mod told;
mod watch;

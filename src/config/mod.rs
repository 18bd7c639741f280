//! TOML configuration: loading, and all complaints at once.

mod alarms;
mod complaint;
mod explain;
mod files;
mod names;
mod node;
mod plant;
mod profiles;
mod render;
mod rules;
mod sequences;
mod suggest;
mod table;
mod value;

pub use complaint::{Complaint, Complaints, Place};
pub use explain::{Code, explain};
pub use render::Look;

//! What a configuration would miss: its own rules over thousands of fires and of calm hours that never happened.
//!
//! ```text
//! points ─ roles ─► what each sees of the simulated room
//! seed ─► trial: an incident, broken sensors ─► world (physics, instruments, polls) ─► the very same core ─► outcome
//! outcomes ─► tally ─► table, picture;  the same trials without a sensor, or with one more ─► what each is worth
//! ```
//!
//! It reads no clock and sends nothing. It answers how limits and votes do against the physics of `sim/physics/`, not
//! whether a real site is safe: what is not modelled (wiring, people, this maker's cells) is not tried.

mod calm;
mod campaign;
mod one_more;
mod page;
mod roles;
mod tally;
mod trial;
mod world;

pub use calm::{Uncalm, site_for};
pub use campaign::{Campaign, Found, Progress, Studied};
pub use one_more::{Addition, voters, with_one_more};
pub use page::{Page, Worth, page};
pub use roles::{Role, Roles, Seen, WORDS};
pub use tally::{Spread, Tally};
pub use trial::{Kind, Outcome, Trial};
pub use world::World;

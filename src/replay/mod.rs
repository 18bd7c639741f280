//! Recordings and what can be made of them: the core plays again, in virtual time, over what once came in.
//!
//! ```text
//! running daemon ─► recording ─┐
//!                              ├─► source ─► player (the very same core) ─► timeline ─► summary, difference,
//! CSV and its column mapping ──┘                └─► modelled breaker                    expectations, plot
//! ```
//!
//! Nothing here reads a clock, opens a link or sends anything: an order given in a replay is answered by a
//! model that obeys, by what was recorded, or by nobody. Files are read and written through `std::io` by whoever
//! calls. What a rule means is not decided here, only shown.

mod breaker;
mod codec;
mod difference;
mod digest;
pub mod options;
mod player;
mod plot;
pub mod recording;
mod series;
mod site;
mod summary;
mod table;
mod timeline;
mod verdict;

pub use breaker::{Answers, Breaker};
pub use difference::{Change, Shift, difference};
pub use digest::Digest;
pub use player::{Moment, Played, Player};
pub use plot::{Plot, drawn, page};
pub use series::Series;
pub use site::{Matched, at_poll, matched};
pub use summary::{Firsts, Mark, Times};
pub use table::{CsvFault, CsvSource, header};
pub use timeline::{Entry, Kind, Timeline};
pub use verdict::{Verdict, judge};

use crate::safety::fact::Input;
use crate::units::Now;

/// What one scan of the core takes in.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The moment of the scan, in the recording's own time.
    pub now: Now,
    /// What came in, in order.
    pub inputs: Vec<Input>,
}

/// Where steps come from, in the order of time.
pub trait Source {
    /// The next step; `None` at the end, whether that is the real one or damage.
    fn next(&mut self) -> Option<Step>;
}

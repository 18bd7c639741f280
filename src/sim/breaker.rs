//! A switch with a position of its own: it takes time to move, and may not move at all.

/// What can be wrong with a switch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SwitchFault {
    /// Nothing.
    #[default]
    None,
    /// Takes the command and does not move: welded, or its mechanism is stuck.
    Stuck,
    /// Moves, but only after several seconds.
    Slow,
}

/// Seconds from command to position: contactors and motor breakers take 0.05 to 0.3 s.
const TRAVEL_S: f64 = 0.15;
const TRAVEL_SLOW_S: f64 = 8.0;

/// A contactor or breaker with its auxiliary contact.
#[derive(Clone, Debug)]
pub struct Switch {
    closed: bool,
    moving: Option<f64>,
    /// What is wrong with it.
    pub fault: SwitchFault,
}

impl Switch {
    pub(super) const fn closed() -> Self {
        Self { closed: true, moving: None, fault: SwitchFault::None }
    }

    /// The position that the auxiliary contact shows.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        self.closed
    }

    /// Told to open. Closing again is by hand, in the room.
    pub(super) fn open(&mut self) {
        if self.closed && self.moving.is_none() {
            self.moving = match self.fault {
                SwitchFault::None => Some(TRAVEL_S),
                SwitchFault::Slow => Some(TRAVEL_SLOW_S),
                SwitchFault::Stuck => None,
            };
        }
    }

    pub(super) fn step(&mut self, seconds: f64) {
        let Some(left) = &mut self.moving else { return };
        *left -= seconds;
        if *left <= 0.0 {
            self.closed = false;
            self.moving = None;
        }
    }
}

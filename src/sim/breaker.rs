//! A switch with a position of its own: it takes time to move, and may not move at all.
//!
//! What its auxiliary contact shows and what its main contacts do are two things: a welded contactor shows "open" while
//! current flows. That is why position alone proves nothing.

/// What can be wrong with a switch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SwitchFault {
    /// Nothing.
    #[default]
    None,
    /// Takes the command and does not move: its mechanism is stuck.
    Stuck,
    /// Moves, but only after several seconds.
    Slow,
    /// Its linkage and auxiliary contact move, its main contacts do not: current flows on.
    Welded,
    /// Its auxiliary contact chatters for seconds after every movement.
    Chatters,
}

/// Seconds from command to position: contactors and motor breakers take 0.05 to 0.3 s.
const TRAVEL_S: f64 = 0.15;
const TRAVEL_SLOW_S: f64 = 8.0;
/// How long a worn auxiliary contact chatters, and how long each of its states lasts, s.
const CHATTERS_S: f64 = 3.0;
const CHATTER_S: f64 = 0.4;

/// A contactor or breaker with its auxiliary contact.
#[derive(Clone, Debug)]
pub struct Switch {
    closed: bool,
    conducts: bool,
    moving: Option<f64>,
    /// Seconds since it moved.
    moved_s: f64,
    /// What is wrong with it.
    pub fault: SwitchFault,
}

impl Switch {
    pub(super) const fn closed() -> Self {
        Self { closed: true, conducts: true, moving: None, moved_s: f64::MAX, fault: SwitchFault::None }
    }

    /// The position that the auxiliary contact shows.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        let chatters = self.fault == SwitchFault::Chatters && self.moved_s < CHATTERS_S;
        let flipped = chatters && 1.0 <= (self.moved_s / CHATTER_S) % 2.0;
        self.closed != flipped
    }

    /// Whether current can flow.
    #[must_use]
    pub const fn conducts(&self) -> bool {
        self.conducts
    }

    /// Told to open. Closing again is by hand, in the room.
    pub(super) fn open(&mut self) {
        if self.closed && self.moving.is_none() {
            self.moving = match self.fault {
                SwitchFault::None | SwitchFault::Welded | SwitchFault::Chatters => Some(TRAVEL_S),
                SwitchFault::Slow => Some(TRAVEL_SLOW_S),
                SwitchFault::Stuck => None,
            };
        }
    }

    /// It opens though nobody told it to: its own protection, or a hand in the room.
    pub(super) fn opens_by_itself(&mut self) {
        (self.closed, self.conducts, self.moving, self.moved_s) = (false, false, None, 0.0);
    }

    pub(super) fn step(&mut self, seconds: f64) {
        self.moved_s += seconds;
        let Some(left) = &mut self.moving else { return };
        *left -= seconds;
        if *left <= 0.0 {
            (self.closed, self.moving, self.moved_s) = (false, None, 0.0);
            self.conducts = self.fault == SwitchFault::Welded;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told_to_open(fault: SwitchFault) -> Switch {
        let mut switch = Switch { fault, ..Switch::closed() };
        switch.open();
        switch.step(0.1);
        assert!(switch.is_closed() && switch.conducts(), "{fault:?}: no switch moves at once");
        switch.step(0.1);
        switch
    }

    #[test]
    fn every_fault_shows_in_position_and_current_as_it_would_in_the_room() {
        let seen = |fault| {
            let switch = told_to_open(fault);
            (switch.is_closed(), switch.conducts())
        };
        assert_eq!(seen(SwitchFault::None), (false, false));
        assert_eq!(seen(SwitchFault::Stuck), (true, true));
        assert_eq!(seen(SwitchFault::Slow), (true, true));
        assert_eq!(seen(SwitchFault::Welded), (false, true), "open by its contact, and current flows");
        let mut slow = told_to_open(SwitchFault::Slow);
        slow.step(8.0);
        assert!(!slow.is_closed() && !slow.conducts());
    }

    #[test]
    fn a_chattering_contact_shows_both_positions_for_a_while_and_then_the_true_one() {
        let mut switch = told_to_open(SwitchFault::Chatters);
        let mut shown = Vec::new();
        for _ in 0..20 {
            switch.step(0.1);
            shown.push(switch.is_closed());
        }
        assert!(shown.contains(&true) && shown.contains(&false), "{shown:?}");
        assert!(!switch.conducts());
        switch.step(5.0);
        assert!(!switch.is_closed());
    }

    #[test]
    fn a_breaker_may_open_though_nobody_told_it_to() {
        let mut switch = Switch::closed();
        switch.opens_by_itself();
        assert!(!switch.is_closed() && !switch.conducts());
    }
}

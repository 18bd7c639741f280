//! Chatter: a cause that comes and goes so often that telling it each time helps nobody.

use super::settings::{CHATTER_QUIET, CHATTER_RISES, CHATTER_WITHIN};
use crate::units::Uptime;

/// What is remembered of one cause.
#[derive(Clone, Debug, Default)]
pub(super) struct Chatter {
    /// Whether the cause stands, as it was last heard.
    pub(super) stands: bool,
    /// Whether it chatters: then its going is not told before it is quiet.
    pub(super) chatters: bool,
    /// The latest comings, oldest first.
    rises: [Option<Uptime>; CHATTER_RISES],
    /// When it last came or went.
    flipped: Uptime,
}

impl Chatter {
    /// The cause came; true if it chatters from now on.
    pub(super) fn came(&mut self, now: Uptime) -> bool {
        (self.stands, self.flipped) = (true, now);
        self.rises.rotate_left(1);
        self.rises[CHATTER_RISES - 1] = Some(now);
        let often = self.rises[0].is_some_and(|oldest| now.since(oldest) <= CHATTER_WITHIN);
        let begins = often && !self.chatters;
        self.chatters |= often;
        begins
    }

    /// The cause went.
    pub(super) fn went(&mut self, now: Uptime) {
        (self.stands, self.flipped) = (false, now);
    }

    /// When it will be quiet if nothing happens; `None` if it does not chatter.
    pub(super) fn quiet_at(&self) -> Option<Uptime> {
        self.chatters.then(|| self.flipped.plus(CHATTER_QUIET))
    }

    /// It is quiet again.
    pub(super) fn quiet(&mut self) {
        self.chatters = false;
        self.rises = [None; CHATTER_RISES];
    }
}

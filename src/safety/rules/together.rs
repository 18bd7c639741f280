//! `together`: other rules agreeing, M of N, with unknown channels.

use crate::safety::risk::Level;
use crate::safety::site::RuleId;
use crate::units::Millis;

/// The most channels one vote may have: their tally is a bit mask.
pub const CHANNELS_MAX: usize = 32;

/// A vote. Its channels' own `danger` counts as `warning` for their zone until the vote is complete:
/// one channel alone warns, it does not cut (R2).
#[derive(Clone, Debug, PartialEq)]
pub struct Together {
    /// The rules that vote; each is one channel.
    pub channels: Vec<RuleId>,
    /// How many must agree.
    pub needed: u8,
    /// From which level a channel votes.
    pub votes_at: Level,
    /// What a complete vote means.
    pub level: Level,
    /// How long a vote stays counted after its channel has stopped, so that real signals that do not
    /// coincide still combine.
    pub hold: Millis,
    /// What becomes of the vote when channels cannot judge.
    pub on_channel_fault: OnChannelFault,
    /// What happens when no channel can judge.
    pub on_all_lost: OnAllLost,
    /// How long all channels must be lost before `on_all_lost` acts.
    pub grace: Millis,
}

/// What becomes of a vote when channels cannot judge (R3). Written by every site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnChannelFault {
    /// One vote fewer is needed for each lost channel, but never fewer than one: 2oo3 becomes 1oo2.
    Safety,
    /// As many votes as before are needed: 2oo3 becomes 2oo2.
    Availability,
}

/// What happens when no channel can judge (R3). Written by every site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnAllLost {
    /// A critical alarm.
    Alarm,
    /// The vote is complete if the zone was at `warning` or worse when the last channel was lost.
    TripIfLastWarn,
    /// The vote is complete.
    Trip,
}

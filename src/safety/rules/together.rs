//! `together`: other rules agreeing, M of N, with unknown channels.

use crate::safety::risk::{Evidence, Level};
use crate::safety::site::RuleId;
use crate::units::{Millis, Uptime};

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

/// What a vote remembers.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tally {
    channels: Vec<Ballot>,
    /// Whether the last count was complete.
    pub(crate) complete: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Ballot {
    voting: bool,
    /// When it last voted, while that vote is still counted.
    voted: Option<Uptime>,
    lost_since: Option<Uptime>,
    /// Its vote has not been part of a complete vote yet.
    alone: bool,
}

/// What a channel says now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Channel {
    /// It can judge.
    pub(crate) known: bool,
    /// It can judge, and is at the level from which it votes.
    pub(crate) votes: bool,
    /// The last level it could judge.
    pub(crate) judged: Level,
}

/// The outcome of one count.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Count {
    /// Enough channels agree, or the policy for lost channels says so.
    pub(crate) complete: bool,
    /// So many channels are lost that they could not complete the vote any more.
    pub(crate) blind: bool,
    /// A channel cannot judge, but its grace time is not over: nobody knows yet what that makes of the vote.
    pub(crate) pending: bool,
    /// For people.
    pub(crate) evidence: Evidence,
    /// Channels whose vote ran out without any other agreeing; a bit each.
    pub(crate) lone: u32,
    /// When to count again, if nothing changes before.
    pub(crate) wake: Uptime,
}

impl Together {
    pub(crate) fn tally(&self) -> Tally {
        Tally { channels: vec![Ballot::default(); self.channels.len()], complete: false }
    }

    /// Counts the votes. A vote is cast only by a channel that can judge (S6), and is counted for the hold
    /// time after; a lost channel changes what is needed only after the grace time.
    pub(crate) fn count(&self, tally: &mut Tally, channels: &[Channel], now: Uptime) -> Count {
        let (mut voting, mut unknown, mut lone, mut lost) = (0_u32, 0_u32, 0_u32, 0_u8);
        let mut wake = Uptime(u64::MAX);
        let mut pending = false;
        for (index, (ballot, channel)) in tally.channels.iter_mut().zip(channels).enumerate() {
            let bit = 1 << index;
            if ballot.update(*channel, self.hold, now) {
                lone |= bit;
            }
            match ballot.voted {
                Some(voted) => {
                    voting |= bit;
                    if !ballot.voting {
                        wake = wake.min(voted.plus(Millis(self.hold.0 + 1)));
                    }
                }
                None => {
                    if let Some(since) = ballot.lost_since {
                        unknown |= bit;
                        if self.grace <= now.since(since) {
                            lost += 1;
                        } else {
                            pending = true;
                            wake = wake.min(since.plus(self.grace));
                        }
                    }
                }
            }
        }
        let of = self.size();
        let (needed, blind) = self.needed(lost);
        let by_votes = !blind && needed <= count_bits(voting);
        let by_policy = lost == of && self.trips_when_all_lost(channels);
        tally.complete = by_votes || by_policy;
        if tally.complete {
            tally.channels.iter_mut().for_each(|ballot| ballot.alone = false);
        }
        let evidence =
            Evidence::Votes { voting, unknown, needed: if blind { 0 } else { needed }, of, by_policy };
        Count { complete: tally.complete, blind, pending, evidence, lone, wake }
    }

    /// How many channels there are.
    fn size(&self) -> u8 {
        u8::try_from(self.channels.len()).unwrap_or(u8::MAX)
    }

    /// How many votes are needed with so many channels lost, and whether they cannot be had any more.
    fn needed(&self, lost: u8) -> (u8, bool) {
        let left = self.size().saturating_sub(lost);
        match self.on_channel_fault {
            OnChannelFault::Safety => (self.needed.saturating_sub(lost).max(1), left == 0),
            OnChannelFault::Availability => (self.needed, left < self.needed),
        }
    }

    fn trips_when_all_lost(&self, channels: &[Channel]) -> bool {
        match self.on_all_lost {
            OnAllLost::Alarm => false,
            OnAllLost::Trip => true,
            OnAllLost::TripIfLastWarn => channels.iter().any(|channel| Level::Warning <= channel.judged),
        }
    }
}

impl Ballot {
    /// Takes in what the channel says; true if its vote ran out without any other agreeing.
    fn update(&mut self, channel: Channel, hold: Millis, now: Uptime) -> bool {
        if channel.votes {
            self.alone |= self.voted.is_none();
            *self = Self { voting: true, voted: Some(now), lost_since: None, alone: self.alone };
            return false;
        }
        if self.voting {
            // It voted until this very moment.
            self.voting = false;
            self.voted = Some(now);
        }
        let ran_out = self.voted.is_some_and(|voted| hold < now.since(voted));
        if ran_out {
            self.voted = None;
        }
        self.lost_since = if channel.known { None } else { Some(self.lost_since.unwrap_or(now)) };
        ran_out && std::mem::take(&mut self.alone)
    }
}

fn count_bits(mask: u32) -> u8 {
    u8::try_from(mask.count_ones()).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUIET: Channel = Channel { known: true, votes: false, judged: Level::Normal };
    const VOTES: Channel = Channel { known: true, votes: true, judged: Level::Danger };
    const LOST: Channel = Channel { known: false, votes: false, judged: Level::Normal };
    const LOST_WARM: Channel = Channel { known: false, votes: false, judged: Level::Warning };

    fn vote(needed: u8, of: u32, on_channel_fault: OnChannelFault, on_all_lost: OnAllLost) -> Together {
        Together {
            channels: (0..of).map(RuleId).collect(),
            needed,
            votes_at: Level::Danger,
            level: Level::Danger,
            hold: Millis::from_secs(60),
            on_channel_fault,
            on_all_lost,
            grace: Millis::from_secs(15),
        }
    }

    /// The count after the channels have been like this for longer than the grace time.
    fn settled(vote: &Together, channels: &[Channel]) -> Count {
        let mut tally = vote.tally();
        vote.count(&mut tally, channels, Uptime(0));
        vote.count(&mut tally, channels, Uptime(20_000))
    }

    #[test]
    fn votes_lost_channels_and_policies_over_their_whole_product() {
        use OnChannelFault::{Availability, Safety};
        // (needed, of, lost, policy) -> votes needed now, or None when blind: the table of voting and degradation.
        let table = [
            (2, 3, 0, Safety, Some(2)),
            (2, 3, 1, Safety, Some(1)),
            (2, 3, 2, Safety, Some(1)),
            (2, 3, 3, Safety, None),
            (2, 3, 0, Availability, Some(2)),
            (2, 3, 1, Availability, Some(2)),
            (2, 3, 2, Availability, None),
            (2, 3, 3, Availability, None),
            (1, 2, 1, Safety, Some(1)),
            (1, 2, 1, Availability, Some(1)),
            (2, 2, 1, Safety, Some(1)),
            (2, 2, 1, Availability, None),
        ];
        for (needed, of, lost, policy, expected) in table {
            let vote = vote(needed, of, policy, OnAllLost::Alarm);
            for voting in 0..=of - lost {
                let channels: Vec<Channel> = (0..of)
                    .map(|index| match index {
                        index if index < lost => LOST,
                        index if index < lost + voting => VOTES,
                        _ => QUIET,
                    })
                    .collect();
                let count = settled(&vote, &channels);
                assert_eq!(count.blind, expected.is_none(), "{needed}oo{of}, {lost} lost, {policy:?}");
                let complete = expected.is_some_and(|needed| needed <= voting);
                assert_eq!(
                    count.complete, complete,
                    "{needed}oo{of}, {lost} lost, {voting} voting, {policy:?}"
                );
            }
        }
    }

    #[test]
    fn a_lost_channel_changes_nothing_within_the_grace_time() {
        let vote = vote(2, 3, OnChannelFault::Safety, OnAllLost::Trip);
        let mut tally = vote.tally();
        for ms in [0, 5000, 14_999] {
            assert!(!vote.count(&mut tally, &[LOST, LOST, VOTES], Uptime(ms)).complete, "at {ms} ms");
        }
        assert!(vote.count(&mut tally, &[LOST, LOST, VOTES], Uptime(15_000)).complete);
    }

    #[test]
    fn votes_that_do_not_coincide_combine_within_the_hold_time() {
        let vote = vote(2, 3, OnChannelFault::Availability, OnAllLost::Alarm);
        let mut tally = vote.tally();
        vote.count(&mut tally, &[VOTES, QUIET, QUIET], Uptime(0));
        vote.count(&mut tally, &[QUIET, QUIET, QUIET], Uptime(3000));
        assert!(vote.count(&mut tally, &[QUIET, VOTES, QUIET], Uptime(63_000)).complete);
        let mut tally = vote.tally();
        vote.count(&mut tally, &[VOTES, QUIET, QUIET], Uptime(0));
        vote.count(&mut tally, &[QUIET, QUIET, QUIET], Uptime(3000));
        let late = vote.count(&mut tally, &[QUIET, VOTES, QUIET], Uptime(63_001));
        assert!(!late.complete);
        assert_eq!(late.lone, 1, "the first vote came and went alone");
    }

    #[test]
    fn when_all_are_lost_only_the_written_policy_decides() {
        for (policy, channels, complete) in [
            (OnAllLost::Alarm, [LOST_WARM; 2], false),
            (OnAllLost::TripIfLastWarn, [LOST; 2], false),
            (OnAllLost::TripIfLastWarn, [LOST, LOST_WARM], true),
            (OnAllLost::Trip, [LOST; 2], true),
        ] {
            let count = settled(&vote(2, 2, OnChannelFault::Availability, policy), &channels);
            assert_eq!(count.complete, complete, "{policy:?}");
            assert!(count.blind);
        }
    }
}

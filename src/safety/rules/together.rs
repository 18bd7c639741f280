//! `together`: other rules agreeing, M of N, with unknown channels.

use crate::safety::risk::{Evidence, Level, Vote, VoteHealth};
use crate::safety::rules::NEVER;
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
    /// What channels must not share to be two votes: one instrument, one bus or one principle is one vote.
    pub one_vote_per: Vec<Independence>,
    /// Whom each channel shares any of that with: bit `j` of entry `i` says that channels `i` and `j` together
    /// are one vote. Worked out from `one_vote_per` where links are known; symmetric, no bit of its own.
    pub rivals: Vec<u32>,
    /// How long the vote may be weakened before its alarm is critical: the repair clock.
    pub repair_within: Millis,
}

/// What two channels must not share if both are to count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Independence {
    /// The physical principle of their rules.
    Principle,
    /// A device that they read.
    Device,
    /// A link that they are read over.
    Link,
}

/// What becomes of a vote when channels cannot judge (R3). Written by every site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnChannelFault {
    /// One vote fewer is needed for each lost channel, but never fewer than one: 2oo3 becomes 1oo2.
    Safety,
    /// As many votes as before are needed: 2oo3 becomes 2oo2.
    Availability,
    /// As many votes as before are needed; but once too few independent ones are left, channels that share
    /// something count each: with one principle left, two sensors of it.
    Dependent,
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
    weakened_since: Option<Uptime>,
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
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Channel {
    /// How far it can judge.
    pub(crate) sight: Sight,
    /// It can judge, and is at the level from which it votes.
    pub(crate) votes: bool,
    /// The last level it could judge.
    pub(crate) judged: Level,
}

/// How far a channel can judge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Sight {
    /// Not at all.
    #[default]
    Lost,
    /// It sees, but not for long enough yet.
    Learns,
    /// It can.
    Judges,
    /// Persons put it aside: it counts as one that cannot, and what it voted before no longer counts (S16).
    Bypassed,
}

/// The outcome of one count.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Count {
    /// How the vote stands.
    pub(crate) vote: Vote,
    /// A channel cannot judge, but its grace time is not over: nobody knows yet what that makes of the vote.
    pub(crate) pending: bool,
    /// For people.
    pub(crate) evidence: Evidence,
    /// Channels whose vote ran out without any other agreeing; a bit each.
    pub(crate) lone: u32,
    /// When to count again, if nothing changes before.
    pub(crate) wake: Uptime,
}

/// Which channels do what; a bit each.
#[derive(Clone, Copy, Debug, Default)]
struct Ballots {
    /// Voting, or did within the hold time.
    voting: u32,
    /// Not voting, and cannot judge.
    unknown: u32,
    /// Unknown for longer than the grace time.
    lost: u32,
    /// Their vote ran out alone.
    lone: u32,
}

impl Together {
    pub(crate) fn tally(&self) -> Tally {
        Tally { channels: vec![Ballot::default(); self.channels.len()], weakened_since: None }
    }

    /// How many votes there can be: channels that share something are one.
    #[must_use]
    pub fn votes_possible(&self) -> u8 {
        self.largest(self.all())
    }

    /// How many votes these channels are, a bit each.
    #[must_use]
    pub fn votes_of(&self, channels: u32) -> u8 {
        self.largest(channels & self.all())
    }

    /// Whether it can still be completed by votes with these channels lost, a bit each.
    pub(crate) fn can_do_without(&self, lost: u32) -> bool {
        self.needed_and_had(Ballots { lost: lost & self.all(), ..Ballots::default() }).0.is_some()
    }

    /// Counts the votes. A vote is cast only by a channel that can judge (S6), and is counted for the hold
    /// time after; a lost channel changes what is needed only after the grace time.
    pub(crate) fn count(&self, tally: &mut Tally, channels: &[Channel], now: Uptime) -> Count {
        let (ballots, mut wake) = self.collect(tally, channels, now);
        let Ballots { voting, unknown, lost, lone } = ballots;
        let all = self.all();
        let (needed, had) = self.needed_and_had(ballots);
        let by_votes = needed.is_some_and(|needed| needed <= had);
        let by_policy = lost == all && self.trips_when_all_lost(channels);
        let complete = by_votes || by_policy;
        if complete {
            tally.channels.iter_mut().for_each(|ballot| ballot.alone = false);
        }
        let health = self.health(tally, lost, needed, now);
        if health == VoteHealth::Weakened
            && let Some(since) = tally.weakened_since
        {
            wake = wake.min(since.plus(self.repair_within));
        }
        let of = self.votes_possible();
        let evidence = Evidence::Votes { voting, unknown, needed: needed.unwrap_or(0), had, of, by_policy };
        let vote = Vote { complete, health, voting, by_policy };
        Count { vote, pending: unknown != lost, evidence, lone, wake }
    }

    fn collect(&self, tally: &mut Tally, channels: &[Channel], now: Uptime) -> (Ballots, Uptime) {
        let (mut ballots, mut wake) = (Ballots::default(), NEVER);
        for (index, (ballot, channel)) in tally.channels.iter_mut().zip(channels).enumerate() {
            let bit = 1 << index;
            if ballot.update(*channel, self.hold, now) {
                ballots.lone |= bit;
            }
            match (ballot.voted, ballot.lost_since) {
                (Some(voted), _) => {
                    ballots.voting |= bit;
                    if !ballot.voting {
                        wake = wake.min(voted.plus(Millis(self.hold.0 + 1)));
                    }
                }
                (None, Some(since)) => {
                    ballots.unknown |= bit;
                    if self.grace <= now.since(since) {
                        ballots.lost |= bit;
                    } else {
                        wake = wake.min(since.plus(self.grace));
                    }
                }
                (None, None) => {}
            }
        }
        (ballots, wake)
    }

    /// All channels, a bit each.
    fn all(&self) -> u32 {
        (0..self.channels.len()).fold(0, |all, index| all | 1 << index)
    }

    /// How many votes are needed with these channels lost (`None` when so many cannot be had any more), and
    /// how many there are.
    fn needed_and_had(&self, ballots: Ballots) -> (Option<u8>, u8) {
        let left = self.all() & !ballots.lost;
        let can = self.largest(left);
        let had = self.largest(ballots.voting);
        let possible = |needed: u8, can: u8| (needed <= can).then_some(needed);
        match self.on_channel_fault {
            OnChannelFault::Dependent if can < self.needed => {
                (possible(self.needed, count_bits(left)), count_bits(ballots.voting))
            }
            OnChannelFault::Safety => {
                let fewer = self.largest(self.all()).saturating_sub(can);
                (possible(self.needed.saturating_sub(fewer).max(1), can), had)
            }
            OnChannelFault::Availability | OnChannelFault::Dependent => (possible(self.needed, can), had),
        }
    }

    fn health(&self, tally: &mut Tally, lost: u32, needed: Option<u8>, now: Uptime) -> VoteHealth {
        if lost == 0 {
            tally.weakened_since = None;
            return VoteHealth::Whole;
        }
        let since = *tally.weakened_since.get_or_insert(now);
        match needed {
            None => VoteHealth::Blind,
            Some(_) if self.repair_within <= now.since(since) => VoteHealth::Overdue,
            Some(_) => VoteHealth::Weakened,
        }
    }

    /// The most of these channels that are no rivals of each other: how many votes they are.
    fn largest(&self, mut channels: u32) -> u8 {
        let mut taken = 0;
        while channels != 0 {
            let rivals = |index: u32| self.rivals.get(index as usize).copied().unwrap_or(0) & channels;
            // A channel whose rivals are all rivals of each other can be taken: no choice among them gives more.
            let free = bits(channels).find(|&index| {
                let around = rivals(index);
                bits(around).all(|other| around & !(rivals(other) | 1 << other) == 0)
            });
            let Some(index) = free else {
                let first = channels.trailing_zeros();
                let with = 1 + self.largest(channels & !(rivals(first) | 1 << first));
                return taken + with.max(self.largest(channels & !(1 << first)));
            };
            taken += 1;
            channels &= !(rivals(index) | 1 << index);
        }
        taken
    }

    fn trips_when_all_lost(&self, channels: &[Channel]) -> bool {
        match self.on_all_lost {
            OnAllLost::Alarm => false,
            OnAllLost::Trip => true,
            OnAllLost::TripIfLastWarn => channels
                .iter()
                .any(|channel| channel.sight != Sight::Bypassed && Level::Warning <= channel.judged),
        }
    }
}

impl Ballot {
    /// Takes in what the channel says; true if its vote ran out without any other agreeing.
    fn update(&mut self, channel: Channel, hold: Millis, now: Uptime) -> bool {
        if channel.sight == Sight::Bypassed {
            *self = Self { lost_since: Some(self.lost_since.unwrap_or(now)), ..Self::default() };
            return false;
        }
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
        let healthy = matches!(channel.sight, Sight::Judges | Sight::Learns);
        self.lost_since = if healthy { None } else { Some(self.lost_since.unwrap_or(now)) };
        ran_out && std::mem::take(&mut self.alone)
    }
}

/// The numbers of the bits that are set.
fn bits(mask: u32) -> impl Iterator<Item = u32> {
    (0..32).filter(move |bit| mask & 1 << bit != 0)
}

fn count_bits(mask: u32) -> u8 {
    u8::try_from(mask.count_ones()).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUIET: Channel = Channel { sight: Sight::Judges, votes: false, judged: Level::Normal };
    const VOTES: Channel = Channel { sight: Sight::Judges, votes: true, judged: Level::Danger };
    const LOST: Channel = Channel { sight: Sight::Lost, votes: false, judged: Level::Normal };
    const LOST_WARM: Channel = Channel { sight: Sight::Lost, votes: false, judged: Level::Warning };

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
            one_vote_per: Vec::new(),
            rivals: vec![0; of as usize],
            repair_within: Millis::from_secs(72 * 3600),
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
                assert_eq!(
                    count.vote.health == VoteHealth::Blind,
                    expected.is_none(),
                    "{needed}oo{of}, {lost} lost, {policy:?}"
                );
                let complete = expected.is_some_and(|needed| needed <= voting);
                assert_eq!(
                    count.vote.complete, complete,
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
            assert!(!vote.count(&mut tally, &[LOST, LOST, VOTES], Uptime(ms)).vote.complete, "at {ms} ms");
        }
        assert!(vote.count(&mut tally, &[LOST, LOST, VOTES], Uptime(15_000)).vote.complete);
    }

    #[test]
    fn votes_that_do_not_coincide_combine_within_the_hold_time() {
        let vote = vote(2, 3, OnChannelFault::Availability, OnAllLost::Alarm);
        let mut tally = vote.tally();
        vote.count(&mut tally, &[VOTES, QUIET, QUIET], Uptime(0));
        vote.count(&mut tally, &[QUIET, QUIET, QUIET], Uptime(3000));
        assert!(vote.count(&mut tally, &[QUIET, VOTES, QUIET], Uptime(63_000)).vote.complete);
        let mut tally = vote.tally();
        vote.count(&mut tally, &[VOTES, QUIET, QUIET], Uptime(0));
        vote.count(&mut tally, &[QUIET, QUIET, QUIET], Uptime(3000));
        let late = vote.count(&mut tally, &[QUIET, VOTES, QUIET], Uptime(63_001));
        assert!(!late.vote.complete);
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
            assert_eq!(count.vote.complete, complete, "{policy:?}");
            assert_eq!(count.vote.health, VoteHealth::Blind);
        }
    }

    #[test]
    fn s16_a_bypassed_channel_is_a_lost_one_and_takes_its_held_vote_with_it() {
        let aside = |channel: Channel| Channel { sight: Sight::Bypassed, ..channel };
        let vote = vote(2, 3, OnChannelFault::Availability, OnAllLost::TripIfLastWarn);
        let mut tally = vote.tally();
        vote.count(&mut tally, &[VOTES, QUIET, QUIET], Uptime(0));
        // Its vote would be held for a minute; put aside, it is gone at once, and is nobody's lone vote.
        let count = vote.count(&mut tally, &[aside(VOTES), VOTES, QUIET], Uptime(1000));
        assert!(!count.vote.complete);
        assert_eq!((count.vote.voting, count.lone), (0b010, 0));
        assert_eq!(count.vote.health, VoteHealth::Whole, "within the grace time");
        let late = vote.count(&mut tally, &[aside(VOTES), VOTES, QUIET], Uptime(16_000));
        assert_eq!(late.vote.health, VoteHealth::Weakened);
        // Taken back, it votes again by itself.
        assert!(vote.count(&mut tally, &[VOTES, VOTES, QUIET], Uptime(17_000)).vote.complete);
        // What it judged before it was put aside is no sign of fire when all others are lost.
        assert!(!settled(&vote, &[aside(LOST_WARM), LOST, LOST]).vote.complete);
        assert!(settled(&vote, &[aside(LOST), LOST_WARM, LOST]).vote.complete);
    }

    #[test]
    fn s16_a_vote_does_without_as_many_channels_as_its_policy_leaves_it() {
        use OnChannelFault::{Availability, Dependent, Safety};
        for (needed, of, policy, lost, can) in [
            (2, 3, Availability, 0b001, true),
            (2, 3, Availability, 0b011, false),
            (2, 3, Safety, 0b011, true),
            (2, 3, Safety, 0b111, false),
            (2, 2, Availability, 0b01, false),
            (2, 2, Safety, 0b01, true),
            (2, 3, Dependent, 0b001, true),
            (2, 3, Dependent, 0b110, false),
        ] {
            let vote = vote(needed, of, policy, OnAllLost::Alarm);
            assert_eq!(vote.can_do_without(lost), can, "{needed}oo{of} {policy:?} without {lost:b}");
        }
    }

    #[test]
    fn a_window_that_fills_is_no_lost_channel() {
        let fills = Channel { sight: Sight::Learns, ..LOST };
        let vote = vote(2, 3, OnChannelFault::Safety, OnAllLost::Trip);
        let count = settled(&vote, &[fills, fills, VOTES]);
        assert!(!count.vote.complete, "two votes are still needed");
        assert_eq!(count.vote.health, VoteHealth::Whole);
        assert!(!settled(&vote, &[fills; 3]).vote.complete, "nothing is lost");
    }

    fn rivals(vote: &Together, pairs: &[(usize, usize)]) -> Together {
        let mut vote = vote.clone();
        for &(a, b) in pairs {
            vote.rivals[a] |= 1 << b;
            vote.rivals[b] |= 1 << a;
        }
        vote
    }

    #[test]
    fn channels_that_share_something_are_one_vote() {
        let plain = vote(2, 3, OnChannelFault::Availability, OnAllLost::Alarm);
        let shared = rivals(&plain, &[(0, 1)]);
        for (channels, alone, together) in [
            ([VOTES, VOTES, QUIET], true, false),
            ([VOTES, QUIET, VOTES], true, true),
            ([QUIET, VOTES, VOTES], true, true),
            ([VOTES, VOTES, VOTES], true, true),
            ([VOTES, QUIET, QUIET], false, false),
        ] {
            assert_eq!(settled(&plain, &channels).vote.complete, alone, "{channels:?}");
            assert_eq!(settled(&shared, &channels).vote.complete, together, "{channels:?}, two share");
        }
        assert_eq!(shared.votes_possible(), 2);
    }

    #[test]
    fn the_most_independent_votes_are_counted_over_any_sharing() {
        let by_trying = |vote: &Together, mask: u32| {
            let fits = |set: u32| bits(set).all(|bit| vote.rivals[bit as usize] & set == 0);
            (0..256_u32).filter(|set| set & !mask == 0 && fits(*set)).map(u32::count_ones).max().unwrap_or(0)
        };
        let mut state = 7_u64;
        for _ in 0..300 {
            let mut pairs = Vec::new();
            for a in 0..8 {
                for b in 0..a {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    if state >> 33 < 1 << 29 {
                        pairs.push((a, b));
                    }
                }
            }
            let vote = rivals(&vote(1, 8, OnChannelFault::Safety, OnAllLost::Alarm), &pairs);
            for mask in [0, 0b1, 0b1011_0110, 0xff] {
                assert_eq!(u32::from(vote.largest(mask)), by_trying(&vote, mask), "{pairs:?} of {mask:b}");
            }
        }
    }

    #[test]
    fn lost_channels_cost_as_many_votes_as_they_could_have_been() {
        // Two temperatures of one device, and gas: two votes. Losing one temperature loses none.
        let safety = rivals(&vote(2, 3, OnChannelFault::Safety, OnAllLost::Alarm), &[(0, 1)]);
        assert!(!settled(&safety, &[LOST, QUIET, VOTES]).vote.complete);
        assert!(settled(&safety, &[LOST, LOST, VOTES]).vote.complete, "2oo2 becomes 1oo1");
        // With one principle left, two sensors of it.
        let dependent = rivals(&vote(2, 3, OnChannelFault::Dependent, OnAllLost::Alarm), &[(0, 1)]);
        assert!(!settled(&dependent, &[VOTES, VOTES, QUIET]).vote.complete, "the other principle can judge");
        assert!(settled(&dependent, &[VOTES, VOTES, LOST]).vote.complete);
        assert!(!settled(&dependent, &[VOTES, QUIET, LOST]).vote.complete);
        assert_eq!(settled(&dependent, &[VOTES, LOST, LOST]).vote.health, VoteHealth::Blind);
    }

    #[test]
    fn a_weakened_vote_says_so_and_its_repair_clock_runs_out() {
        let vote = vote(2, 3, OnChannelFault::Safety, OnAllLost::Alarm);
        let mut tally = vote.tally();
        let mut health = |ms, channels: &[Channel]| vote.count(&mut tally, channels, Uptime(ms)).vote.health;
        let hour = 3_600_000;
        assert_eq!(health(0, &[LOST, QUIET, QUIET]), VoteHealth::Whole, "within the grace");
        assert_eq!(health(15_000, &[LOST, QUIET, QUIET]), VoteHealth::Weakened);
        assert_eq!(health(72 * hour, &[LOST, QUIET, QUIET]), VoteHealth::Weakened);
        assert_eq!(health(72 * hour + 15_000, &[LOST, QUIET, QUIET]), VoteHealth::Overdue);
        assert_eq!(health(72 * hour + 16_000, &[QUIET, QUIET, QUIET]), VoteHealth::Whole);
    }

    #[test]
    fn it_counts_again_when_a_grace_a_hold_and_the_repair_clock_end() {
        let vote = vote(2, 3, OnChannelFault::Safety, OnAllLost::Alarm);
        let mut tally = vote.tally();
        let mut wake = |ms, channels: &[Channel]| vote.count(&mut tally, channels, Uptime(ms)).wake;
        assert_eq!(wake(0, &[QUIET; 3]), NEVER);
        assert_eq!(wake(1000, &[VOTES, QUIET, QUIET]), NEVER, "a vote that stands has no end yet");
        assert_eq!(wake(2000, &[QUIET; 3]), Uptime(62_001), "the hold");
        assert_eq!(wake(3000, &[QUIET, LOST, QUIET]), Uptime(18_000), "the grace");
        assert_eq!(wake(18_000, &[QUIET, LOST, QUIET]), Uptime(62_001));
        assert_eq!(wake(70_000, &[QUIET, LOST, QUIET]), Uptime(18_000 + 72 * 3_600_000), "the repair");
        assert_eq!(wake(400_000_000, &[QUIET, LOST, QUIET]), NEVER, "overdue");
    }

    #[test]
    fn nobody_knows_the_vote_before_the_grace_is_over() {
        let vote = vote(2, 3, OnChannelFault::Safety, OnAllLost::Alarm);
        let mut tally = vote.tally();
        let mut pending = |ms, channels: &[Channel]| vote.count(&mut tally, channels, Uptime(ms)).pending;
        assert!(!pending(0, &[QUIET; 3]));
        assert!(pending(1000, &[LOST, QUIET, QUIET]));
        assert!(!pending(16_000, &[LOST, QUIET, QUIET]));
    }

    #[test]
    fn a_vote_is_lone_once_when_it_has_run_out() {
        let vote = vote(2, 3, OnChannelFault::Availability, OnAllLost::Alarm);
        let mut tally = vote.tally();
        let mut lone = |ms, channels: &[Channel]| vote.count(&mut tally, channels, Uptime(ms)).lone;
        assert_eq!(lone(0, &[QUIET, VOTES, QUIET]), 0);
        assert_eq!(lone(1000, &[QUIET; 3]), 0, "still held");
        assert_eq!(lone(61_001, &[QUIET; 3]), 0b010);
        assert_eq!(lone(62_000, &[QUIET; 3]), 0);
        assert_eq!(lone(100_000, &[VOTES, VOTES, QUIET]), 0);
        assert_eq!(lone(200_000, &[QUIET; 3]), 0);
        assert_eq!(lone(300_000, &[QUIET; 3]), 0, "they were a complete vote");
    }

    #[test]
    fn channels_that_share_something_are_as_many_votes_as_can_be_taken_together() {
        let shared = rivals(&vote(2, 4, OnChannelFault::Availability, OnAllLost::Alarm), &[(0, 1), (2, 3)]);
        for (channels, votes) in [(0, 0), (0b1, 1), (0b11, 1), (0b101, 2), (0b1111, 2), (!0, 2), (!0b1111, 0)]
        {
            assert_eq!(shared.votes_of(channels), votes, "{channels:b}");
        }
        assert_eq!(shared.votes_possible(), 2);
    }
}

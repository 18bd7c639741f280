//! `together`: M of N channels.

use std::collections::BTreeSet;

use crate::config::complaint::{Desk, Place};
use crate::config::explain::Code;
use crate::config::plant::Plant;
use crate::config::table::Table;
use crate::config::value;
use crate::field::options::LinkOptions;
use crate::safety::rules::together::{CHANNELS_MAX, Independence, OnAllLost, OnChannelFault, Together};
use crate::safety::rules::{Rule, RuleKind};
use crate::safety::site::{DeviceId, RuleId};

use super::{LEVELS, Rules};

const ON_CHANNEL_FAULT: &[(&str, OnChannelFault)] = &[
    ("safety", OnChannelFault::Safety),
    ("availability", OnChannelFault::Availability),
    ("dependent", OnChannelFault::Dependent),
];

const ONE_VOTE_PER: &[(&str, Independence)] =
    &[("principle", Independence::Principle), ("device", Independence::Device), ("link", Independence::Link)];

const ON_ALL_LOST: &[(&str, OnAllLost)] = &[
    ("alarm", OnAllLost::Alarm),
    ("trip_if_last_warn", OnAllLost::TripIfLastWarn),
    ("trip", OnAllLost::Trip),
];

/// How long a vote may be held.
const HOLD_MS: std::ops::RangeInclusive<u64> = 0..=3_600_000;
/// How long a vote may be weakened.
const REPAIR_MS: std::ops::RangeInclusive<u64> = 60_000..=31 * 24 * 3_600_000;
/// How long lost channels may be waited for.
const GRACE_MS: std::ops::RangeInclusive<u64> = 1_000..=600_000;

pub(super) fn read(desk: &mut Desk, mut table: Table, plant: &Plant, rules: &Rules) -> Option<Together> {
    let names = table.need(desk, "channels", value::filled_list(value::text));
    let needed = table.need(desk, "needed", value::whole(1..=255));
    let votes_at = table.need(desk, "votes_at", value::word(LEVELS));
    let level = table.need(desk, "level", value::word(LEVELS));
    let hold = table.need(desk, "hold", value::duration(HOLD_MS));
    let on_channel_fault = table.need(desk, "on_channel_fault", value::word(ON_CHANNEL_FAULT));
    let on_all_lost = table.need(desk, "on_all_lost", value::word(ON_ALL_LOST));
    let grace = table.need(desk, "grace", value::duration(GRACE_MS));
    let one_vote_per = table.need(desk, "one_vote_per", value::list(value::word(ONE_VOTE_PER)));
    let repair_within = table.need(desk, "repair_within", value::duration(REPAIR_MS));
    table.finish(desk);
    let names = names?;
    let count = names.value.len();
    if CHANNELS_MAX < count {
        desk.say(Code::OutOfRange, names.at, format!("{count} channels are too many"))
            .help(format!("name at most {CHANNELS_MAX}"));
    }
    if let Some(needed) = &needed
        && !usize::try_from(needed.value).is_ok_and(|needed| needed <= count)
    {
        desk.say(Code::TooFewChannels, needed.at, format!("{} of {count} can never agree", needed.value))
            .label("votes needed")
            .also(names.at, "channels")
            .help(format!("write a number from 1 to {count}, or add channels"));
    }
    let mut channels: Vec<(Place, usize)> = Vec::new();
    for name in &names.value {
        let Some(index) = rules.names.find(desk, name) else { continue };
        if let Some((first, _)) = channels.iter().find(|(_, before)| *before == index) {
            desk.say(Code::ChannelTwice, name.at, format!("`{}` votes twice", name.value))
                .label("again here")
                .also(*first, "first here")
                .help("name each channel once");
        }
        if rules.votes[index] {
            desk.say(Code::VoteOfVotes, name.at, format!("`{}` is itself a vote", name.value))
                .help("name the rules over points");
        }
        channels.push((name.at, index));
    }
    if channels.len() != count {
        return None;
    }
    let judged: Vec<(Place, &Rule)> =
        channels.iter().filter_map(|&(at, index)| Some((at, rules.judged[index].as_ref()?))).collect();
    check_channels(desk, plant, &judged, votes_at?, grace.as_ref()?);
    let one_vote_per = one_vote_per?;
    let channel_rules: Vec<&Rule> = judged.iter().map(|(_, rule)| *rule).collect();
    let rivals = rivals(plant, &channel_rules, &one_vote_per.value);
    let vote = Together {
        channels: channels.into_iter().map(|(_, index)| RuleId::at(index)).collect(),
        needed: u8::try_from(needed?.value).ok()?,
        votes_at: votes_at?,
        level: level?,
        hold: hold?.value,
        on_channel_fault: on_channel_fault?,
        on_all_lost: on_all_lost?,
        grace: grace?.value,
        one_vote_per: one_vote_per.value,
        rivals,
        repair_within: repair_within?.value,
    };
    let votes = vote.votes_possible();
    if channel_rules.len() == count && votes < vote.needed {
        desk.say(Code::TooFewChannels, one_vote_per.at, format!("{count} channels are only {votes} votes"))
            .label("channels that share any of these are one vote")
            .also(names.at, "channels")
            .help(format!("add channels that share nothing, until there are {} votes", vote.needed));
    }
    Some(vote)
}

/// Whom each channel shares something with that makes the two of them one vote.
fn rivals(plant: &Plant, rules: &[&Rule], per: &[Independence]) -> Vec<u32> {
    let devices = |rule: &Rule| -> BTreeSet<DeviceId> {
        rule.kind.points().iter().map(|point| plant.site[*point].device).collect()
    };
    let links = |rule: &Rule| -> BTreeSet<usize> {
        let devices = devices(rule);
        let on = |link: &LinkOptions| link.devices.iter().any(|device| devices.contains(&device.device));
        (0..plant.links.len()).filter(|link| on(&plant.links[*link])).collect()
    };
    let share = |a: &Rule, b: &Rule| {
        // A channel that is named twice is complained about, and is one vote meanwhile.
        let same = std::ptr::eq(a, b);
        same || per.iter().any(|independence| match independence {
            Independence::Principle => a.principle == b.principle,
            Independence::Device => !devices(a).is_disjoint(&devices(b)),
            Independence::Link => !links(a).is_disjoint(&links(b)),
        })
    };
    let with = |(index, rule): (usize, &&Rule)| {
        let others = rules.iter().enumerate().filter(|(other, _)| *other != index);
        others
            .filter(|(_, other)| share(rule, other))
            .fold(0, |mask, (other, _)| mask | 1_u32 << (other % 32))
    };
    rules.iter().enumerate().map(with).collect()
}

fn check_channels(
    desk: &mut Desk,
    plant: &Plant,
    judged: &[(Place, &Rule)],
    votes_at: crate::safety::risk::Level,
    grace: &crate::config::node::At<crate::units::Millis>,
) {
    for (at, rule) in judged {
        if rule.kind.worst() < votes_at {
            desk.say(Code::SilentChannel, *at, format!("`{}` can never vote", rule.name))
                .label(format!("never reaches {}", votes_at.word()))
                .help(format!("give it a limit or case at {}, or take it out", votes_at.word()));
        }
    }
    let points = judged.iter().flat_map(|(_, rule)| match &rule.kind {
        // Silence is its own measure of time.
        RuleKind::Silence(_) => Vec::new(),
        kind => kind.points(),
    });
    let stale = points.map(|point| plant.site[point].stale_after).max();
    if let Some(stale) = stale.filter(|&stale| grace.value < stale) {
        desk.say(Code::GraceTooShort, grace.at, "the grace is shorter than the staleness of the channels")
            .label(format!("a value is stale after {stale}"))
            .help(format!("write \"{stale}\" or more"));
    }
}

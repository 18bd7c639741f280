//! `[[sequence]]`: staged power cuts.
//!
//! A sequence is refused unless every stage has an effect that can be seen: a command is not an effect.

mod expect;
mod stage;

use std::collections::{BTreeMap, BTreeSet};

use crate::config::complaint::{Desk, Place};
use crate::config::explain::Code;
use crate::config::names::Names;
use crate::config::plant::Plant;
use crate::config::rules::Rules;
use crate::config::table::Table;
use crate::config::value;
use crate::safety::risk::Level;
use crate::safety::rules::RuleKind;
use crate::safety::rules::together::{CHANNELS_MAX, Together};
use crate::safety::sequence::spec::{Mode, OnRestart, Sequence};
use crate::safety::site::{DeviceId, RuleId, ZoneId};

const MODES: &[(&str, Mode)] =
    &[("disabled", Mode::Disabled), ("shadow", Mode::Shadow), ("armed", Mode::Armed)];

const ON_RESTART: &[(&str, OnRestart)] = &[("resume", OnRestart::Resume), ("hold", OnRestart::Hold)];

/// How long the abort window may be.
const COUNTDOWN_MS: std::ops::RangeInclusive<u64> = 0..=3_600_000;
/// The most stages: a run remembers each.
const STAGES_MAX: usize = 32;

/// Reads every `[[sequence]]` and enters its actions into the plant.
pub(super) fn read(
    desk: &mut Desk,
    root: &mut Table,
    plant: &mut Plant,
    rules: &Rules,
) -> Vec<Option<Sequence>> {
    let mut names = Names::new("sequence");
    let mut sequences = Vec::new();
    for (index, table) in root.tables(desk, "sequence").into_iter().enumerate() {
        sequences.push(sequence(desk, table, plant, rules, &mut names, index));
    }
    sequences
}

fn sequence(
    desk: &mut Desk,
    mut table: Table,
    plant: &mut Plant,
    rules: &Rules,
    names: &mut Names,
    index: usize,
) -> Option<Sequence> {
    let id = table.need(desk, "id", value::id);
    if let Some(id) = &id {
        names.add(desk, id, index);
    }
    let title = table.may(desk, "title", value::filled);
    let zone = table.need(desk, "zone", value::text).and_then(|zone| plant.zones.find(desk, &zone));
    let mode = table.need(desk, "mode", value::word(MODES));
    let trigger = table
        .need(desk, "trigger", value::text)
        .and_then(|name| Some((name.at, rules.names.find(desk, &name)?)));
    let countdown = table.need(desk, "countdown", value::duration(COUNTDOWN_MS));
    let on_restart = table.need(desk, "on_restart", value::word(ON_RESTART));
    let no_return = table.need(desk, "no_return", value::whole(0..=255));
    let notice = table.need(desk, "notice", value::filled);
    let stages = table.tables(desk, "stage");
    let at = table.at;
    table.finish(desk);
    let count = stages.len();
    if count == 0 {
        desk.say(Code::NoStages, at, "this sequence has no stages").help("add a `[[sequence.stage]]`");
    }
    if STAGES_MAX < count {
        desk.say(Code::OutOfRange, at, format!("{count} stages are too many"))
            .help(format!("write at most {STAGES_MAX}"));
    }
    if let Some(no_return) = &no_return
        && !usize::try_from(no_return.value).is_ok_and(|stage| stage <= count)
    {
        desk.say(Code::NoReturn, no_return.at, format!("there is no stage {}", no_return.value))
            .label("counted from zero")
            .help(format!("write 0 to {count}; {count} means that the cut can be aborted to its end"));
    }
    let stages: Vec<_> = stages.into_iter().map(|stage| stage::read(desk, stage, plant)).collect();
    if let (Some((at, rule)), Some(zone)) = (trigger, zone) {
        check_trigger(desk, plant, rules, (at, rule), zone, mode);
    }
    let name = id?.value;
    Some(Sequence {
        title: title.map_or_else(|| name.clone(), |title| title.value),
        name,
        zone: ZoneId::at(zone?),
        mode: mode?,
        trigger: RuleId::at(trigger?.1),
        countdown: countdown?.value,
        on_restart: on_restart?,
        no_return: u8::try_from(no_return?.value).ok()?,
        notice: notice?.value,
        stages: stages.into_iter().collect::<Option<_>>()?,
    })
}

fn check_trigger(
    desk: &mut Desk,
    plant: &Plant,
    rules: &Rules,
    (at, index): (Place, usize),
    zone: usize,
    mode: Option<Mode>,
) {
    if !rules.votes[index] {
        desk.say(Code::TriggerNotAVote, at, "a sequence is triggered by a vote")
            .label("this rule judges points")
            .help("write a `together` rule over several channels and name it");
        return;
    }
    let Some(rule) = &rules.judged[index] else { return };
    let RuleKind::Together(vote) = &rule.kind else { return };
    if vote.level != Level::Danger {
        desk.say(Code::TriggerNotAVote, at, format!("this vote means {}, not danger", vote.level.word()))
            .help("only a vote that means danger may cut: write level = \"danger\" in it");
    }
    if rule.zone.index() != zone {
        let other = &plant.site[rule.zone].name;
        desk.say(Code::TriggerZone, at, format!("this vote is about zone `{other}`"))
            .label("another zone than the sequence's")
            .help("name a vote of the zone that is cut");
    }
    if vote.needed == 1 && 1 < vote.channels.len() && mode == Some(Mode::Armed) {
        desk.say(Code::OneVoteCuts, at, format!("one of {} channels alone can cut", vote.channels.len()))
            .label("needs one vote, and the sequence is armed")
            .help("write needed = 2 or more");
    }
    let most = most_of_one_device(plant, rules, vote);
    if usize::from(vote.needed).max(2) <= most {
        desk.say(Code::OneDeviceVotes, at, format!("{most} votes are on one device"))
            .label(format!("needs {} of {}", vote.needed, vote.channels.len()))
            .help("one failing device could start a cut: write one_vote_per = [\"device\"], or use other devices");
    }
}

/// The most votes that a single device decides.
fn most_of_one_device(plant: &Plant, rules: &Rules, vote: &Together) -> usize {
    let mut channels: BTreeMap<DeviceId, u32> = BTreeMap::new();
    for (bit, channel) in vote.channels.iter().enumerate().take(CHANNELS_MAX) {
        let Some(rule) = &rules.judged[channel.index()] else { continue };
        let points = rule.kind.points();
        let devices: BTreeSet<DeviceId> = points.iter().map(|point| plant.site[*point].device).collect();
        if let [device] = devices.into_iter().collect::<Vec<_>>()[..] {
            *channels.entry(device).or_default() |= 1 << bit;
        }
    }
    channels.into_values().map(|mask| usize::from(vote.votes_of(mask))).max().unwrap_or(0)
}

//! `[[sequence]]`: staged power cuts.
//!
//! A sequence is refused unless every stage has an effect that can be seen: a command is not an effect.

mod clauses;
pub(super) mod expect;
pub(super) mod loads;
mod stage;

use std::collections::{BTreeMap, BTreeSet};

use crate::config::complaint::{Desk, Place};
use crate::config::explain::Code;
use crate::config::names::Names;
use crate::config::node::{At, Node};
use crate::config::plant::Plant;
use crate::config::rules::Rules;
use crate::config::table::Table;
use crate::config::value;
use crate::safety::risk::Level;
use crate::safety::rules::RuleKind;
use crate::safety::rules::together::{CHANNELS_MAX, Together};
use crate::safety::sequence::spec::{Mode, OnRestart, ProofTest, Sequence};
use crate::safety::site::{DeviceId, PointId, RuleId, ZoneId};
use crate::units::Unit;

const MODES: &[(&str, Mode)] =
    &[("disabled", Mode::Disabled), ("shadow", Mode::Shadow), ("armed", Mode::Armed)];

const ON_RESTART: &[(&str, OnRestart)] = &[("resume", OnRestart::Resume), ("hold", OnRestart::Hold)];

/// How long the abort window may be.
const COUNTDOWN_MS: std::ops::RangeInclusive<u64> = 0..=3_600_000;
/// How often a sequence may have to be proven: a day to five years.
const PROOF_MS: std::ops::RangeInclusive<u64> = 86_400_000..=5 * 366 * 86_400_000;
/// The most stages: a run remembers each.
const STAGES_MAX: usize = 32;

/// Reads every `[[sequence]]` and enters its actions into the plant.
pub(super) fn read(
    desk: &mut Desk,
    root: &mut Table,
    plant: &mut Plant,
    rules: &Rules,
) -> Vec<Option<Sequence>> {
    loads::groups(desk, root, plant);
    let mut names = Names::new("sequence");
    let mut sequences: Vec<Option<Sequence>> = Vec::new();
    for (index, table) in root.tables(desk, "sequence").into_iter().enumerate() {
        sequences.push(sequence(desk, table, plant, rules, &mut names, index));
    }
    let cuts = |sequence: &Sequence| sequence.stages.iter().any(|stage| stage.cuts.something());
    plant.site.cut_budget = loads::budget(desk, root, sequences.iter().flatten().any(cuts));
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
    let contact = table.may(desk, "contact", value::filled);
    let arming_key = table.may(desk, "arming_key", |d, k, n| expect::read(d, k, n, plant));
    let abort_input = table.may(desk, "abort_input", |d, k, n| expect::read(d, k, n, plant));
    let proof = table.may(desk, "proof_test_every", value::duration(PROOF_MS));
    let autonomy = table.may(desk, "autonomy", |d, k, n| autonomy(d, k, n, plant));
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
    let stages = stage::read_all(desk, stages, plant, no_return.as_ref());
    if let (Some((at, rule)), Some(zone)) = (trigger, zone) {
        let cuts = stages.iter().any(|stage| stage.as_ref().is_none_or(|stage| stage.cuts.something()));
        check_trigger(desk, plant, rules, &Trigger { at, index: rule, zone, mode, cuts });
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
        arming_key: arming_key.map(|(_, expect)| expect),
        abort_input: abort_input.map(|(_, expect)| expect),
        // What it is of is known when all of the configuration is.
        proof: proof.map(|every| ProofTest { every: every.value, of: "".into() }),
        notice: notice?.value,
        contact: contact.map(|contact| contact.value),
        autonomy,
        stages: stages.into_iter().collect::<Option<_>>()?,
    })
}

/// A point that counts minutes or seconds.
fn autonomy(desk: &mut Desk, key: &str, node: At<Node>, plant: &Plant) -> Option<PointId> {
    let name = value::text(desk, key, node)?;
    let point = plant.point(desk, &name)?;
    let unit = plant.site[point].unit;
    if !matches!(unit, Unit::Minute | Unit::Second) {
        desk.say(Code::Expectation, name.at, "this point does not tell a time")
            .label(format!("its unit is `{}`", unit.symbol()))
            .help("name the point by which the UPS tells how long it can carry its load");
    }
    Some(point)
}

/// What triggers a sequence, and what it may do.
struct Trigger {
    at: Place,
    index: usize,
    zone: usize,
    mode: Option<Mode>,
    /// Whether any stage cuts something.
    cuts: bool,
}

fn check_trigger(desk: &mut Desk, plant: &Plant, rules: &Rules, trigger: &Trigger) {
    let Trigger { at, index, zone, mode, cuts } = *trigger;
    if !rules.votes[index] {
        desk.say(Code::TriggerNotAVote, at, "a sequence is triggered by a vote")
            .label("this rule judges points")
            .help("write a `together` rule over several channels and name it");
        return;
    }
    let Some(rule) = &rules.judged[index] else { return };
    let RuleKind::Together(vote) = &rule.kind else { return };
    if vote.level != Level::Danger && cuts {
        desk.say(Code::HarmlessTrigger, at, format!("this vote means {}, not danger", vote.level.word()))
            .label("and a stage of this sequence cuts something")
            .help(
                "write level = \"danger\" in the vote, or move what cuts nothing into a sequence of its own",
            );
    }
    if rule.zone.index() != zone {
        let other = &plant.site[rule.zone].name;
        desk.say(Code::TriggerZone, at, format!("this vote is about zone `{other}`"))
            .label("another zone than the sequence's")
            .help("name a vote of the zone that is cut");
    }
    if cuts && vote.needed == 1 && 1 < vote.channels.len() && mode == Some(Mode::Armed) {
        desk.say(Code::OneVoteCuts, at, format!("one of {} channels alone can cut", vote.channels.len()))
            .label("needs one vote, and the sequence is armed")
            .help("write needed = 2 or more");
    }
    let most = most_of_one_device(plant, rules, vote);
    if !cuts {
        return;
    }
    if usize::from(vote.needed).max(2) <= most {
        desk.say(Code::OneDeviceVotes, at, format!("{most} votes are on one device"))
            .label(format!("needs {} of {}", vote.needed, vote.channels.len()))
            .help("one failing device could start a cut: write one_vote_per = [\"device\"], or use other devices");
    } else {
        check_links(desk, plant, rules, at, vote);
    }
}

/// All channels over one link: whatever happens to it happens to the vote.
fn check_links(desk: &mut Desk, plant: &Plant, rules: &Rules, at: Place, vote: &Together) {
    let mut links: BTreeSet<usize> = BTreeSet::new();
    for channel in &vote.channels {
        let Some(rule) = &rules.judged[channel.index()] else { return };
        for point in rule.kind.points() {
            let device = plant.site[point].device;
            links.extend(
                plant.links.iter().position(|link| link.devices.iter().any(|of| of.device == device)),
            );
        }
    }
    if let (Some(link), 1, 2..) = (links.first(), links.len(), vote.channels.len()) {
        desk.say(Code::OneLinkVotes, at, format!("all votes come over link `{}`", plant.links[*link].name))
            .label("a single point of failure")
            .help("read one channel over another link");
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

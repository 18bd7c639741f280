//! What a stage says beside its command: what it cuts, what it requires, and what follows when it fails.

use crate::config::complaint::Desk;
use crate::config::explain::Code;
use crate::config::names;
use crate::config::node::{At, Node};
use crate::config::plant::{Plant, as_table};
use crate::config::table::Table;
use crate::config::value;
use crate::safety::sequence::spec::{Cuts, LoginWait, OnFail};
use crate::safety::site::{FeedId, LoadGroupId};

use super::loads;

const ON_FAIL: &[(&str, OnFail)] = &[("next", OnFail::Next), ("hold", OnFail::Hold)];

/// What goes without power, where it is no list of feeds.
#[derive(Clone, Copy)]
enum Word {
    Nothing,
    Battery,
}

const CUTS: &[(&str, Word)] = &[("nothing", Word::Nothing), ("battery", Word::Battery)];

/// How long a person may have to decide.
const HOLD_MS: std::ops::RangeInclusive<u64> = 1_000..=86_400_000;

/// How long a stage may wait for machines.
const LOGINS_MS: std::ops::RangeInclusive<u64> = 1_000..=3_600_000;

/// `"nothing"`, `"battery"`, or a list of feeds: never all of one load group (I1).
pub(super) fn cuts(desk: &mut Desk, key: &str, node: At<Node>, plant: &Plant) -> Option<Cuts> {
    if let Node::Text(_) = node.value {
        return Some(match value::word(CUTS)(desk, key, node)? {
            Word::Nothing => Cuts::Nothing,
            Word::Battery => Cuts::Battery,
        });
    }
    let Node::List(_) = node.value else {
        desk.say(Code::WrongType, node.at, format!("`{key}` is {}", node.value.kind()))
            .help("write \"nothing\", \"battery\", or a list of feeds: [\"row-3/a\"]");
        return None;
    };
    let names = value::filled_list(value::text)(desk, key, node)?;
    let feeds: Vec<FeedId> = names.value.iter().filter_map(|name| loads::find(desk, plant, name)).collect();
    if feeds.len() < names.value.len() {
        return None;
    }
    for (index, group) in plant.site.load_groups.iter().enumerate() {
        let id = LoadGroupId::at(index);
        let of_group =
            || (0..plant.site.feeds.len()).map(FeedId::at).filter(|feed| plant.site[*feed].group == id);
        if 1 < of_group().count() && of_group().all(|feed| feeds.contains(&feed)) {
            desk.say(
                Code::BothFeeds,
                names.at,
                format!("this takes every feed of load group `{}`", group.name),
            )
            .label("its servers would go dark")
            .help("cut one of its feeds, and the other in a sequence of its own");
        }
    }
    Some(Cuts::Feeds(feeds))
}

/// `wait_for_logins = { ups = "ups-a", at_most = "120s" }`: the machines of a `[[nut.ups]]`.
pub(super) fn wait_for_logins(
    desk: &mut Desk,
    key: &str,
    node: At<Node>,
    plant: &Plant,
) -> Option<LoginWait> {
    let mut table = as_table(desk, key, node)?;
    let ups = table.need(desk, "ups", value::text);
    let at_most = table.need(desk, "at_most", value::duration(LOGINS_MS));
    table.finish(desk);
    let (ups, at_most) = (ups?, at_most?.value);
    if !plant.nut_upses.contains(&ups.value) {
        names::unknown(desk, "nut.ups", &ups, plant.nut_upses.iter().map(String::as_str));
        return None;
    }
    Some(LoginWait { ups: ups.value.into(), at_most })
}

/// `requires`, the names of stages before this one, and `life_safety`, which must be written with it (I2).
pub(super) fn requires(desk: &mut Desk, table: &mut Table, before: &[String]) -> (Option<Vec<u8>>, bool) {
    if !table.has("requires") {
        return (Some(Vec::new()), false);
    }
    let names = table.need(desk, "requires", value::filled_list(value::text));
    let life_safety = table.need(desk, "life_safety", value::flag).unwrap_or(false);
    let Some(names) = names else { return (None, life_safety) };
    let found = names.value.iter().map(|name| {
        let place = before.iter().position(|stage| *stage == name.value);
        if place.is_none() {
            desk.say(Code::Requires, name.at, format!("no stage before this one is called `{}`", name.value))
                .label("not an earlier stage of this sequence")
                .help(crate::config::suggest::help(&name.value, before.iter().map(String::as_str)));
        }
        place.and_then(|place| u8::try_from(place).ok())
    });
    (found.collect(), life_safety)
}

/// `"next"`, `"hold"`, or `{ hold_for = "5min" }`.
pub(super) fn on_fail(desk: &mut Desk, key: &str, node: At<Node>) -> Option<OnFail> {
    match node.value {
        Node::Text(_) => value::word(ON_FAIL)(desk, key, node),
        Node::Table(mut table) => {
            let wait = table.need(desk, "hold_for", value::duration(HOLD_MS));
            table.finish(desk);
            wait.map(|wait| OnFail::HoldFor(wait.value))
        }
        _ => {
            desk.say(Code::OnFail, node.at, format!("`{key}` is {}", node.value.kind()))
                .help("write \"next\", \"hold\", or { hold_for = \"5min\" }");
            None
        }
    }
}

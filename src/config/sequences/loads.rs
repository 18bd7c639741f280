//! `[[load_group]]` and `[cut_budget]`: what the interlocks look at and count.

use crate::config::complaint::Desk;
use crate::config::explain::Code;
use crate::config::names::Names;
use crate::config::node::At;
use crate::config::plant::Plant;
use crate::config::table::Table;
use crate::config::value;
use crate::safety::sequence::spec::CutBudget;
use crate::safety::site::{Feed, FeedId, LoadGroup, LoadGroupId, TABLE_MAX};

use super::expect;

/// How long the budget of cuts may look back.
const WITHIN_MS: std::ops::RangeInclusive<u64> = 1_000..=86_400_000;

/// Reads every `[[load_group]]` with its feeds into the plant.
pub(super) fn groups(desk: &mut Desk, root: &mut Table, plant: &mut Plant) {
    let mut names = Names::new("load_group");
    for (index, mut table) in root.tables(desk, "load_group").into_iter().enumerate().take(TABLE_MAX) {
        let id = table.need(desk, "id", value::id);
        let title = table.may(desk, "title", value::filled);
        let feeds = table.tables(desk, "feed");
        let at = table.at;
        table.finish(desk);
        if let Some(id) = &id {
            names.add(desk, id, index);
        }
        let name = id.map(|id| id.value).unwrap_or_default();
        let title = title.map_or_else(|| name.clone(), |title| title.value);
        plant.site.load_groups.push(LoadGroup { name, title });
        if feeds.is_empty() {
            desk.say(Code::LoadGroup, at, "this load group has no feeds")
                .help("add a `[[load_group.feed]]` for each way by which power reaches it");
        }
        let mut names = Names::new("feed");
        for (index, table) in feeds.into_iter().enumerate() {
            feed(desk, table, plant, LoadGroupId::at(plant.site.load_groups.len() - 1), &mut names, index);
        }
    }
}

fn feed(
    desk: &mut Desk,
    mut table: Table,
    plant: &mut Plant,
    group: LoadGroupId,
    names: &mut Names,
    index: usize,
) {
    let id = table.need(desk, "id", value::id);
    let alive = table.need(desk, "alive", value::filled_list(|d, k, n| expect::read(d, k, n, plant)));
    table.finish(desk);
    if let Some(id) = &id {
        names.add(desk, id, index);
    }
    let alive = alive.map(|list| list.value.into_iter().map(|(_, expect)| expect).collect());
    plant.site.feeds.push(Feed {
        name: id.map(|id| id.value).unwrap_or_default(),
        group,
        alive: alive.unwrap_or_default(),
    });
}

/// The feed of this name: `row-3/a`.
pub(in crate::config) fn find(desk: &mut Desk, plant: &Plant, name: &At<String>) -> Option<FeedId> {
    let site = &plant.site;
    let full = |feed: &Feed| format!("{}/{}", site[feed.group].name, feed.name);
    let found = site.feeds.iter().position(|feed| full(feed) == name.value);
    if found.is_none() {
        let known: Vec<String> = site.feeds.iter().map(full).collect();
        desk.say(Code::LoadGroup, name.at, format!("there is no feed `{}`", name.value))
            .label("no `[[load_group.feed]]` of this name")
            .help(crate::config::suggest::help(&name.value, known.iter().map(String::as_str)));
    }
    found.map(FeedId::at)
}

/// Reads `[cut_budget]`, which must be there as soon as a stage cuts something.
pub(super) fn budget(desk: &mut Desk, root: &mut Table, something_is_cut: bool) -> Option<CutBudget> {
    let at = root.at;
    let Some(mut table) = root.table(desk, "cut_budget") else {
        if something_is_cut {
            desk.say(Code::CutBudget, at, "nothing says how much may be cut without a person")
                .help("add [cut_budget] with per_zone_max, rate_max and rate_within");
        }
        return None;
    };
    let count = value::whole(1..=255);
    let per_zone_max = table.need(desk, "per_zone_max", count);
    let rate_max = table.need(desk, "rate_max", value::whole(1..=255));
    let rate_within = table.need(desk, "rate_within", value::duration(WITHIN_MS));
    table.finish(desk);
    Some(CutBudget {
        per_zone_max: u8::try_from(per_zone_max?.value).ok()?,
        rate_max: u8::try_from(rate_max?.value).ok()?,
        rate_within: rate_within?.value,
    })
}

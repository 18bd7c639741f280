//! `[[preset]]`: rules that a site chooses by name, for a zone, over points of its own.
//!
//! A preset is a data file: rules as the configuration writes them, with `$part` in place of points, each with
//! the source of its numbers. Choosing one writes its rules out as if they stood in the configuration, where the
//! same checks find the same faults. What is chosen can be seen (`check --print-effective`) and changed, key by
//! key. A preset holds limits; how votes are counted and what is cut, no preset decides.

mod effective;
mod expand;

use crate::config::complaint::{Desk, Place, Source};
use crate::config::explain::Code;
use crate::config::names::{self, Names};
use crate::config::node::{self, At, Node};
use crate::config::plant::{Plant, as_table};
use crate::config::table::Table;
use crate::config::value;
use crate::units::Unit;

pub(super) use effective::{canonical, print};

/// The presets that are part of the program: name and text.
pub const SHIPPED: [(&str, &str); 6] = [
    ("li-ion-nmc", include_str!("../../../config/presets/li-ion-nmc.toml")),
    ("li-ion-lfp", include_str!("../../../config/presets/li-ion-lfp.toml")),
    ("vrla", include_str!("../../../config/presets/vrla.toml")),
    ("room-environment", include_str!("../../../config/presets/room-environment.toml")),
    ("off-gas", include_str!("../../../config/presets/off-gas.toml")),
    ("aspirating-smoke", include_str!("../../../config/presets/aspirating-smoke.toml")),
];

/// One preset, as its file says it.
struct Preset {
    parts: Vec<Part>,
    /// Each `[[rule]]`, by its id.
    rules: Vec<(String, Table)>,
}

/// What a preset judges; the site says which points play the part.
struct Part {
    name: String,
    /// `None`: a state, a contact or a bit field.
    unit: Option<Unit>,
    /// Whether several points may play it; each is judged, or all together, as the rule says.
    many: bool,
}

/// One choice of a site: which preset, for which zone, over which points.
struct Choice {
    zone: At<String>,
    zone_title: String,
    parts: Vec<(String, Vec<At<String>>)>,
    changes: Vec<(At<String>, Table)>,
    without: Vec<At<String>>,
}

/// Where a rule comes from, for those who look at what is in effect.
pub(super) struct Origin {
    pub(super) rule: String,
    pub(super) preset: &'static str,
    pub(super) source: String,
    pub(super) changed: bool,
}

/// Writes the rules of all chosen presets into `[[rule]]`, before the site's own.
pub(super) fn write_out(desk: &mut Desk, root: &mut Table, plant: &Plant) -> Vec<Origin> {
    let mut origins = Vec::new();
    let mut written = Vec::new();
    for mut table in root.tables(desk, "preset") {
        let name = table.need(desk, "use", value::text);
        let choice = read_choice(desk, &mut table, plant);
        table.finish(desk);
        let (Some(name), Some(choice)) = (name, choice) else { continue };
        let Some((shipped, text)) = SHIPPED.iter().find(|(known, _)| *known == name.value) else {
            names::unknown(desk, "preset", &name, SHIPPED.iter().map(|(known, _)| *known));
            continue;
        };
        let preset = read_preset(desk, shipped, text);
        written.extend(expand::rules(desk, shipped, &preset, &choice, plant, &mut origins));
    }
    if !written.is_empty() {
        root.put_first(desk, "rule", written);
    }
    origins
}

fn read_choice(desk: &mut Desk, table: &mut Table, plant: &Plant) -> Option<Choice> {
    let zone = table.need(desk, "zone", value::text);
    let points = table.need(desk, "points", as_table);
    let change = table.may(desk, "change", as_table);
    let without = table.may(desk, "without", value::list(value::text));
    let zone = zone?;
    let index = plant.zones.find(desk, &zone)?;
    let mut parts = Vec::new();
    for (part, node) in points?.drain() {
        let names = match node.value {
            Node::Text(name) => vec![At { value: name, at: node.at }],
            _ => value::filled_list(value::text)(desk, &part.value, node)?.value,
        };
        parts.push((part, names));
    }
    let mut changes = Vec::new();
    for (rule, node) in change.map(|mut table| table.drain()).unwrap_or_default() {
        let body = as_table(desk, &rule.value, node)?;
        changes.push((rule, body));
    }
    let zone_title = plant.site.zones[index].title.clone();
    let parts = parts.into_iter().map(|(part, names)| (part.value, names)).collect();
    let without = without.map(|names| names.value).unwrap_or_default();
    Some(Choice { zone, zone_title, parts, changes, without })
}

/// Reads a preset's file; its places are in a source of their own, so that complaints can show them.
fn read_preset(desk: &mut Desk, name: &str, text: &str) -> Preset {
    let path = std::path::PathBuf::from(format!("preset {name}"));
    let known = desk.complaints.sources.iter().position(|source| source.path == path);
    let file = known.unwrap_or_else(|| {
        desk.complaints.sources.push(Source { path, text: text.to_owned() });
        desk.complaints.sources.len() - 1
    });
    let mut root = node::parse(desk, file, text);
    root.take("title");
    root.take("about");
    let mut parts = Vec::new();
    for (part, node) in root.may(desk, "part", as_table).map(|mut table| table.drain()).unwrap_or_default() {
        let Some(mut body) = as_table(desk, &part.value, node) else { continue };
        let unit = body.may(desk, "unit", value::text);
        let unit = unit.and_then(|unit| Unit::from_name(&unit.value));
        let many = body.may(desk, "many", value::flag).unwrap_or(false);
        body.take("is");
        body.finish(desk);
        parts.push(Part { name: part.value, unit, many });
    }
    let mut names = Names::new("rule");
    let mut rules = Vec::new();
    for (index, mut table) in root.tables(desk, "rule").into_iter().enumerate() {
        let Some(id) = table.need(desk, "id", value::id) else { continue };
        names.add(desk, &id, index);
        rules.push((id.value, table));
    }
    root.finish(desk);
    Preset { parts, rules }
}

/// A complaint about a part that does not fit.
fn misfit(desk: &mut Desk, at: Place, sentence: String, help: &str) {
    desk.say(Code::PresetPart, at, sentence).help(help);
}

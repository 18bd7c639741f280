//! From a preset and a choice to rules: points for parts, a rule per point where each is judged alone, and the
//! site's own changes over it all.

use crate::config::complaint::Desk;
use crate::config::names;
use crate::config::node::{At, Node};
use crate::config::plant::Plant;
use crate::config::table::Table;

use super::{Choice, Origin, Preset, misfit};

/// What of a preset's rule can be filled with points.
struct Filling<'a> {
    parts: &'a [(String, Vec<At<String>>)],
    /// Which of several points this copy of the rule judges.
    turn: usize,
    zone_title: &'a str,
}

/// The rules of one choice, as tables of the configuration.
pub(super) fn rules(
    desk: &mut Desk,
    name: &'static str,
    preset: &Preset,
    choice: &Choice,
    plant: &Plant,
    origins: &mut Vec<Origin>,
) -> Vec<At<Node>> {
    check_parts(desk, preset, choice, plant);
    check_names(desk, preset, choice);
    let mut written = Vec::new();
    for (id, table) in &preset.rules {
        if choice.without.iter().any(|without| without.value == *id) {
            continue;
        }
        let Some(copies) = copies(table, choice) else { continue };
        for turn in 0..copies {
            let filling = Filling { parts: &choice.parts, turn, zone_title: &choice.zone_title };
            let mut rule = filling.table(table);
            let source = match rule.take("source").map(|node| node.value) {
                Some(Node::Text(source)) => source,
                Some(_) | None => String::new(),
            };
            let number = if copies == 1 { String::new() } else { format!("-{}", turn + 1) };
            let own = format!("{id}-{}{number}", choice.zone.value);
            let text = |value: &str| At { value: Node::Text(value.to_owned()), at: choice.zone.at };
            rule.set("id", text(&own));
            rule.set("zone", text(&choice.zone.value));
            let change = choice.changes.iter().find(|(changed, _)| changed.value == *id);
            if let Some((_, change)) = change {
                rule.overlay(change.clone());
            }
            origins.push(Origin { rule: own, preset: name, source, changed: change.is_some() });
            written.push(At { at: rule.at, value: Node::Table(rule) });
        }
    }
    written
}

/// How many rules this one becomes: one per point of the part that it judges alone. `None` if nobody plays a part
/// that it cannot do without.
fn copies(table: &Table, choice: &Choice) -> Option<usize> {
    let mut copies = 1;
    for (_, node) in table.entries() {
        let Node::Table(kind) = &node.value else { continue };
        for (key, value) in kind.entries() {
            match &value.value {
                Node::Text(text) => {
                    if let Some(part) = text.strip_prefix('$') {
                        let played = played(choice, part)?;
                        if key.value == "point" {
                            copies = copies.max(played.len());
                        }
                    }
                }
                Node::List(items) => {
                    let of = |item: &At<Node>| match &item.value {
                        Node::Text(text) => text.strip_prefix('$').map(str::to_owned),
                        _ => None,
                    };
                    for part in items.iter().filter_map(of) {
                        let count = played(choice, &part)?.len();
                        let least = kind.whole("members_min").unwrap_or(1);
                        if i64::try_from(count).is_ok_and(|count| count < least) {
                            return None;
                        }
                    }
                }
                Node::Whole(_) | Node::Real(_) | Node::Flag(_) | Node::Table(_) | Node::Other => {}
            }
        }
    }
    Some(copies)
}

fn played<'a>(choice: &'a Choice, part: &str) -> Option<&'a [At<String>]> {
    choice.parts.iter().find(|(name, _)| name == part).map(|(_, points)| points.as_slice())
}

impl Filling<'_> {
    fn table(&self, from: &Table) -> Table {
        let mut to = Table::new(&from.name, from.at);
        for (key, node) in from.entries() {
            // What excuses or gates is left out where nobody plays the part; what judges was checked before.
            if let Node::Table(body) = &node.value
                && body.entries().iter().any(|(_, value)| self.is_unplayed(&value.value))
            {
                continue;
            }
            to.put(key.clone(), At { value: self.node(&node.value), at: node.at });
        }
        to
    }

    fn node(&self, node: &Node) -> Node {
        match node {
            Node::Table(table) => Node::Table(self.table(table)),
            Node::Text(text) => match self.points(text) {
                Some(points) => {
                    let point = &points[self.turn.min(points.len() - 1)];
                    Node::Text(point.value.clone())
                }
                None => Node::Text(text.replace("{zone}", self.zone_title)),
            },
            Node::List(items) => Node::List(items.iter().flat_map(|item| self.items(item)).collect()),
            Node::Whole(_) | Node::Real(_) | Node::Flag(_) | Node::Other => node.clone(),
        }
    }

    fn items(&self, item: &At<Node>) -> Vec<At<Node>> {
        if let Node::Text(text) = &item.value
            && let Some(points) = self.points(text)
        {
            return points
                .iter()
                .map(|point| At { value: Node::Text(point.value.clone()), at: point.at })
                .collect();
        }
        vec![At { value: self.node(&item.value), at: item.at }]
    }

    fn points(&self, text: &str) -> Option<&[At<String>]> {
        let part = text.strip_prefix('$')?;
        self.parts.iter().find(|(name, _)| name == part).map(|(_, points)| points.as_slice())
    }

    fn is_unplayed(&self, node: &Node) -> bool {
        matches!(node, Node::Text(text) if text.starts_with('$') && self.points(text).is_none())
    }
}

/// Every part that is played exists, has points that fit, and no more of them than it takes.
fn check_parts(desk: &mut Desk, preset: &Preset, choice: &Choice, plant: &Plant) {
    for (part, points) in &choice.parts {
        let Some(first) = points.first() else { continue };
        let Some(spec) = preset.parts.iter().find(|spec| spec.name == *part) else {
            let name = At { value: part.clone(), at: first.at };
            names::unknown(
                desk,
                "part of this preset",
                &name,
                preset.parts.iter().map(|spec| spec.name.as_str()),
            );
            continue;
        };
        if !spec.many && 1 < points.len() {
            let help = "name one point, or use the preset once for each";
            misfit(desk, points[1].at, format!("`{part}` is played by one point"), help);
        }
        for name in points {
            // A name that leads nowhere is complained about where the rule is read.
            let Some(unit) = spec.unit else { continue };
            let Some(point) = plant.known(&name.value) else { continue };
            let real = plant.site[point].unit;
            if real != unit {
                let sentence = format!("`{part}` is in {}, this point is in {}", unit.name(), real.name());
                misfit(desk, name.at, sentence, "name a point in that unit, or write a rule of your own");
            }
        }
    }
    if choice.parts.is_empty() {
        let help = "name the points that this preset judges";
        misfit(desk, choice.zone.at, "nobody plays a part in this preset".to_owned(), help);
    }
}

fn check_names(desk: &mut Desk, preset: &Preset, choice: &Choice) {
    let known = || preset.rules.iter().map(|(id, _)| id.as_str());
    let changed = choice.changes.iter().map(|(name, _)| name);
    for name in changed.chain(&choice.without) {
        if !known().any(|id| id == name.value) {
            names::unknown(desk, "rule of this preset", name, known());
        }
    }
}

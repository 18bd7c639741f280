//! What a sequence goes by, as one digest: a proof test holds for exactly that (I4).
//!
//! It covers the sequence itself, the rules behind its vote, the devices, links and register maps that these read and
//! write, the load groups and the budget. Words for people, comments, the order of keys and all that is elsewhere in the
//! configuration do not change it: another webhook, or a rack more, asks for no new proof.

use std::collections::BTreeSet;

use crate::config::plant::Plant;
use crate::config::presets;
use crate::config::rules::Rules;
use crate::config::table::Table;
use crate::safety::rules::RuleKind;
use crate::safety::sequence::spec::{Expect, Sequence};
use crate::safety::site::{DeviceId, PointId, RuleId};

/// Keys that are for people, and the one that says whether it is armed.
const WORDS: [&str; 8] =
    ["title", "message", "consequence", "notice", "contact", "mode", "proof_test_every", "location"];

/// The tables of a configuration, before anything was taken out of them.
pub(super) struct Written {
    sequences: Vec<Table>,
    rules: Vec<Table>,
    devices: Vec<Table>,
    links: Vec<Table>,
    groups: Vec<Table>,
    budget: Option<Table>,
}

impl Written {
    /// All but the rules, which presets add to.
    pub(super) fn peek(root: &Table) -> Self {
        Self {
            sequences: root.peek_tables("sequence"),
            rules: Vec::new(),
            devices: root.peek_tables("device"),
            links: root.peek_tables("link"),
            groups: root.peek_tables("load_group"),
            budget: root.peek_table("cut_budget").cloned(),
        }
    }

    /// With the rules that are in effect.
    pub(super) fn with_rules(self, root: &Table) -> Self {
        Self { rules: root.peek_tables("rule"), ..self }
    }

    /// The digest of a sequence, in hexadecimal.
    pub(super) fn digest(&self, plant: &Plant, rules: &Rules, sequence: &Sequence) -> String {
        let behind = behind(rules, sequence.trigger);
        let mut points: BTreeSet<PointId> = BTreeSet::new();
        for rule in &behind {
            if let Some(rule) = &rules.judged[rule.index()] {
                points.extend(rule.kind.points());
            }
        }
        let expects = |all: &[Expect]| all.iter().map(|expect| expect.point).collect::<Vec<_>>();
        for stage in &sequence.stages {
            points.extend(expects(&stage.permissives).into_iter().chain(expects(&stage.verify)));
        }
        points.extend(sequence.arming_key.iter().chain(&sequence.abort_input).map(|expect| expect.point));
        points.extend(plant.site.feeds.iter().flat_map(|feed| expects(&feed.alive)));
        let mut devices: BTreeSet<DeviceId> = points.iter().map(|point| plant.site[*point].device).collect();
        devices.extend(sequence.stages.iter().map(|stage| plant.site[stage.action].device));
        self.written(plant, rules, sequence, &behind, &devices)
    }

    fn written(
        &self,
        plant: &Plant,
        rules: &Rules,
        sequence: &Sequence,
        behind: &BTreeSet<RuleId>,
        devices: &BTreeSet<DeviceId>,
    ) -> String {
        let names = |known: Vec<&str>| known.into_iter().map(str::to_owned).collect::<BTreeSet<String>>();
        let rule_names = behind.iter().filter_map(|rule| rules.judged[rule.index()].as_ref());
        let device_names = names(devices.iter().map(|device| plant.site[*device].name.as_str()).collect());
        let used = |link: &&crate::field::options::LinkOptions| {
            link.devices.iter().any(|device| devices.contains(&device.device))
        };
        let link_names = names(plant.links.iter().filter(used).map(|link| link.name.as_str()).collect());
        let rule_names = names(rule_names.map(|rule| rule.name.as_str()).collect());
        let sequence_names = names(vec![&sequence.name]);
        let mut parts: Vec<String> = Vec::new();
        for (kind, tables, wanted) in [
            ("sequence", &self.sequences, &sequence_names),
            ("rule", &self.rules, &rule_names),
            ("device", &self.devices, &device_names),
            ("link", &self.links, &link_names),
        ] {
            for table in tables.iter().filter(|table| table.text("id").is_some_and(|id| wanted.contains(id)))
            {
                // What to do is words in a rule, and the command in a stage.
                let words: Vec<&str> =
                    WORDS.iter().copied().chain((kind == "rule").then_some("action")).collect();
                parts.push(format!("{kind}\n{}\n", presets::canonical(table, &words)));
            }
        }
        for table in self.groups.iter().chain(&self.budget) {
            parts.push(format!("loads\n{}\n", presets::canonical(table, &WORDS)));
        }
        for view in devices.iter().filter_map(|device| plant.views[device.index()].as_ref()) {
            parts.push(format!("map {}\n{}\n", view.id, view.map));
        }
        super::digest(&parts.iter().map(String::as_bytes).collect::<Vec<_>>())
    }
}

/// The rules that a vote goes by, itself among them. Ends: each is looked at once.
fn behind(rules: &Rules, trigger: RuleId) -> BTreeSet<RuleId> {
    let (mut found, mut open) = (BTreeSet::new(), vec![trigger]);
    while let Some(rule) = open.pop() {
        if found.insert(rule)
            && let Some(judged) = &rules.judged[rule.index()]
            && let RuleKind::Together(vote) = &judged.kind
        {
            open.extend(&vote.channels);
        }
    }
    found
}

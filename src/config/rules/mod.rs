//! `[[rule]]`: judgements over points, one sub-table per kind.
//!
//! Rules over points are read first, votes after them, because a vote looks at what its channels can say.

mod several;
mod single;
mod steps;
mod vote;

pub(super) use single::{bit, number};

use crate::config::complaint::{Desk, Place};
use crate::config::names::Names;
use crate::config::plant::Plant;
use crate::config::table::Table;
use crate::config::value;
use crate::safety::risk::Level;
use crate::safety::rules::{OnUnknown, Rule, RuleKind};
use crate::safety::site::ZoneId;

/// What a rule may say in words of the configuration.
pub(super) const LEVELS: &[(&str, Level)] =
    &[("watch", Level::Watch), ("warning", Level::Warning), ("danger", Level::Danger)];

const ON_UNKNOWN: &[(&str, OnUnknown)] = &[
    ("hold", OnUnknown::Hold),
    ("watch", OnUnknown::AtLeast(Level::Watch)),
    ("warning", OnUnknown::AtLeast(Level::Warning)),
    ("danger", OnUnknown::AtLeast(Level::Danger)),
];

const KINDS: &[&str] = &["limit", "rate", "deviation", "step", "state", "silence", "together"];

/// How long a delay of a rule may be.
const DELAY_MS: std::ops::RangeInclusive<u64> = 0..=3_600_000;

/// All rules, with what else the configuration says of them.
pub(super) struct Rules {
    pub(super) names: Names,
    /// By index; `None` where faulty.
    pub(super) judged: Vec<Option<Rule>>,
    pub(super) texts: Vec<Texts>,
    /// Where each rule's id stands.
    pub(super) places: Vec<Place>,
    /// Whether the rule is a vote, even a faulty one.
    pub(super) votes: Vec<bool>,
}

/// What people read in the alarm of a rule; `None`: a text made from the rule.
#[derive(Clone, Default)]
pub(super) struct Texts {
    pub(super) latched: bool,
    pub(super) message: Option<String>,
    pub(super) consequence: Option<String>,
    pub(super) action: Option<String>,
}

/// What all kinds have.
struct Head {
    name: Option<String>,
    zone: Option<usize>,
    principle: Option<String>,
    on_unknown: Option<OnUnknown>,
}

impl Head {
    fn rule(self, kind: RuleKind) -> Option<Rule> {
        Some(Rule {
            name: self.name?,
            zone: ZoneId::at(self.zone?),
            principle: self.principle?,
            on_unknown: self.on_unknown?,
            kind,
        })
    }
}

/// Reads every `[[rule]]`.
pub(super) fn read(desk: &mut Desk, root: &mut Table, plant: &Plant) -> Rules {
    let mut rules = Rules {
        names: Names::new("rule"),
        judged: Vec::new(),
        texts: Vec::new(),
        places: Vec::new(),
        votes: Vec::new(),
    };
    let mut votes = Vec::new();
    for (index, mut table) in root.tables(desk, "rule").into_iter().enumerate() {
        let head = read_head(desk, &mut table, plant, &mut rules, index);
        let kind = table.one_kind(desk, KINDS);
        table.finish(desk);
        rules.votes.push(matches!(kind, Some(("together", _))));
        let kind = match kind {
            Some(("limit", body)) => single::limit(desk, body, plant).map(RuleKind::Limit),
            Some(("rate", body)) => single::rate(desk, body, plant).map(RuleKind::Rate),
            Some(("deviation", body)) => several::deviation(desk, body, plant).map(RuleKind::Deviation),
            Some(("step", body)) => several::step(desk, body, plant).map(RuleKind::Step),
            Some(("state", body)) => single::state(desk, body, plant).map(RuleKind::State),
            Some(("silence", body)) => single::silence(desk, body, plant).map(RuleKind::Silence),
            Some((_, body)) => {
                votes.push((index, head, body));
                rules.judged.push(None);
                continue;
            }
            None => None,
        };
        rules.judged.push(kind.and_then(|kind| head.rule(kind)));
    }
    for (index, head, body) in votes {
        let vote = vote::read(desk, body, plant, &rules);
        rules.judged[index] = vote.and_then(|vote| head.rule(RuleKind::Together(vote)));
    }
    rules
}

fn read_head(desk: &mut Desk, table: &mut Table, plant: &Plant, rules: &mut Rules, index: usize) -> Head {
    let id = table.need(desk, "id", value::id);
    if let Some(id) = &id {
        rules.names.add(desk, id, index);
    }
    rules.places.push(id.as_ref().map_or(table.at, |id| id.at));
    rules.texts.push(Texts {
        latched: table.may(desk, "latched", value::flag).unwrap_or(false),
        message: table.may(desk, "message", value::filled).map(|text| text.value),
        consequence: table.may(desk, "consequence", value::filled).map(|text| text.value),
        action: table.may(desk, "action", value::filled).map(|text| text.value),
    });
    // For people who ask where a number comes from; nothing is done with it.
    table.may(desk, "source", value::filled);
    Head {
        name: id.map(|id| id.value),
        zone: table.need(desk, "zone", value::text).and_then(|zone| plant.zones.find(desk, &zone)),
        principle: table.need(desk, "principle", value::id).map(|principle| principle.value),
        on_unknown: table.need(desk, "on_unknown", value::word(ON_UNKNOWN)),
    }
}

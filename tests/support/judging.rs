//! Rules as a scenario file writes them, with the keys of the real configuration.

use std::collections::BTreeSet;

use emberwatch::safety::risk::Level;
use emberwatch::safety::rules::deviation::{Against, Deviation, Sides};
use emberwatch::safety::rules::limit::{Limit, Side, Step};
use emberwatch::safety::rules::rate::Rate;
use emberwatch::safety::rules::silence::Silence;
use emberwatch::safety::rules::state::{Case, State, When};
use emberwatch::safety::rules::step::{Gate, GateOnUnknown, StepChange};
use emberwatch::safety::rules::together::{Independence, OnAllLost, OnChannelFault, Together};
use emberwatch::safety::rules::{OnUnknown, Rule, RuleKind};
use serde::Deserialize;

use crate::mirror::Plant;
use crate::words::{Duration, Quantity, Word};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RuleText {
    pub(crate) id: String,
    zone: String,
    principle: String,
    on_unknown: Word<OnUnknown>,
    #[serde(default)]
    pub(crate) latched: bool,
    limit: Option<LimitText>,
    rate: Option<RateText>,
    deviation: Option<DeviationText>,
    step: Option<StepChangeText>,
    state: Option<StateText>,
    silence: Option<SilenceText>,
    together: Option<TogetherText>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct LimitText {
    point: String,
    side: Word<Side>,
    deadband: Quantity,
    watch: Option<StepText>,
    warning: Option<StepText>,
    danger: Option<StepText>,
    projection: Option<Quantity>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RateText {
    point: String,
    side: Word<Side>,
    window: Duration,
    samples_min: usize,
    floor: Option<Quantity>,
    deadband: Quantity,
    watch: Option<StepText>,
    warning: Option<StepText>,
    danger: Option<StepText>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct DeviationText {
    points: Vec<String>,
    against: String,
    side: Word<Sides>,
    members_min: usize,
    deadband: Quantity,
    watch: Option<StepText>,
    warning: Option<StepText>,
    danger: Option<StepText>,
    danger_while_rising: Option<Duration>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct StepChangeText {
    point: String,
    side: Word<Sides>,
    window: Duration,
    samples_min: usize,
    #[serde(default)]
    relative: bool,
    gate: Option<GateText>,
    deadband: Quantity,
    watch: Option<StepText>,
    warning: Option<StepText>,
    danger: Option<StepText>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct GateText {
    point: String,
    change: Quantity,
    on_unknown: Word<GateOnUnknown>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct StepText {
    limit: Quantity,
    on_delay: Duration,
    off_delay: Duration,
    extreme: Option<Quantity>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct StateText {
    point: String,
    on_delay: Duration,
    off_delay: Duration,
    cases: Vec<CaseText>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseText {
    level: Word<Level>,
    is: Option<u32>,
    is_not: Option<u32>,
    any_bit: Option<Vec<u8>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SilenceText {
    points: Vec<String>,
    after: Duration,
    level: Word<Level>,
    level_if_abnormal: Word<Level>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TogetherText {
    channels: Vec<String>,
    needed: u8,
    votes_at: Word<Level>,
    level: Word<Level>,
    hold: Duration,
    on_channel_fault: Word<OnChannelFault>,
    on_all_lost: Word<OnAllLost>,
    grace: Duration,
    one_vote_per: Vec<Word<Independence>>,
    repair_within: Duration,
}

impl RuleText {
    pub(crate) fn rule(&self, plant: &Plant, all: &[Self]) -> Rule {
        let kinds = [
            self.limit.as_ref().map(|text| RuleKind::Limit(text.limit(plant))),
            self.rate.as_ref().map(|text| RuleKind::Rate(text.rate(plant))),
            self.deviation.as_ref().map(|text| RuleKind::Deviation(text.deviation(plant))),
            self.step.as_ref().map(|text| RuleKind::Step(text.change(plant))),
            self.state.as_ref().map(|text| RuleKind::State(text.state(plant))),
            self.silence.as_ref().map(|text| RuleKind::Silence(text.silence(plant))),
            self.together.as_ref().map(|text| RuleKind::Together(text.together(plant, all))),
        ];
        let mut kinds: Vec<RuleKind> = kinds.into_iter().flatten().collect();
        assert_eq!(kinds.len(), 1, "rule `{}` needs exactly one kind", self.id);
        Rule {
            name: self.id.clone(),
            zone: plant.zone(&self.zone),
            principle: self.principle.clone(),
            on_unknown: self.on_unknown.0,
            kind: kinds.remove(0),
        }
    }

    /// The devices that the rule reads, by the names of its points.
    fn devices(&self) -> BTreeSet<&str> {
        let mut points: Vec<&String> = Vec::new();
        points.extend(self.limit.as_ref().map(|text| &text.point));
        points.extend(self.rate.as_ref().map(|text| &text.point));
        points.extend(self.deviation.iter().flat_map(|text| &text.points));
        points.extend(self.step.as_ref().map(|text| &text.point));
        points.extend(self.state.as_ref().map(|text| &text.point));
        points.extend(self.silence.iter().flat_map(|text| &text.points));
        points.into_iter().filter_map(|point| Some(point.split_once('/')?.0)).collect()
    }

    fn shares(&self, other: &Self, what: Independence) -> bool {
        match what {
            Independence::Principle => self.principle == other.principle,
            Independence::Device => !self.devices().is_disjoint(&other.devices()),
            Independence::Link => panic!("a scenario has no links"),
        }
    }
}

impl LimitText {
    fn limit(&self, plant: &Plant) -> Limit {
        Limit {
            point: plant.point(&self.point),
            side: self.side.0,
            deadband: self.deadband.0,
            steps: [&self.watch, &self.warning, &self.danger].map(|step| step.as_ref().map(StepText::step)),
            projection: self.projection.map(|rate| rate.0),
        }
    }
}

impl RateText {
    fn rate(&self, plant: &Plant) -> Rate {
        Rate {
            point: plant.point(&self.point),
            side: self.side.0,
            window: self.window.0,
            samples_min: self.samples_min,
            floor: self.floor.as_ref().map(|floor| floor.0),
            deadband: self.deadband.0,
            steps: [&self.watch, &self.warning, &self.danger].map(|step| step.as_ref().map(StepText::step)),
        }
    }
}

impl DeviationText {
    fn deviation(&self, plant: &Plant) -> Deviation {
        Deviation {
            points: self.points.iter().map(|name| plant.point(name)).collect(),
            against: match self.against.as_str() {
                "median" => Against::Median,
                "spread" => Against::Spread,
                name => Against::Point(plant.point(name)),
            },
            side: self.side.0,
            members_min: self.members_min,
            deadband: self.deadband.0,
            steps: [&self.watch, &self.warning, &self.danger].map(|step| step.as_ref().map(StepText::step)),
            rising: self.danger_while_rising.map(|span| span.0),
        }
    }
}

impl StepChangeText {
    fn change(&self, plant: &Plant) -> StepChange {
        StepChange {
            point: plant.point(&self.point),
            side: self.side.0,
            window: self.window.0,
            samples_min: self.samples_min,
            relative: self.relative,
            deadband: self.deadband.0,
            steps: [&self.watch, &self.warning, &self.danger].map(|step| step.as_ref().map(StepText::step)),
            gate: self.gate.as_ref().map(|gate| Gate {
                point: plant.point(&gate.point),
                change: gate.change.0,
                on_unknown: gate.on_unknown.0,
            }),
        }
    }
}

impl StepText {
    fn step(&self) -> Step {
        Step {
            limit: self.limit.0,
            on_delay: self.on_delay.0,
            off_delay: self.off_delay.0,
            extreme: self.extreme.as_ref().map(|extreme| extreme.0),
        }
    }
}

impl StateText {
    fn state(&self, plant: &Plant) -> State {
        let cases = self.cases.iter().map(|case| Case { when: case.when(), level: case.level.0 }).collect();
        State {
            point: plant.point(&self.point),
            cases,
            on_delay: self.on_delay.0,
            off_delay: self.off_delay.0,
        }
    }
}

impl CaseText {
    fn when(&self) -> When {
        match (self.is, self.is_not, &self.any_bit) {
            (Some(value), None, None) => When::Is(value),
            (None, Some(value), None) => When::IsNot(value),
            (None, None, Some(bits)) => When::AnyBit(bits.iter().fold(0, |mask, bit| mask | 1 << bit)),
            _ => panic!("a case has exactly one of is, is_not, any_bit"),
        }
    }
}

impl SilenceText {
    fn silence(&self, plant: &Plant) -> Silence {
        Silence {
            points: self.points.iter().map(|name| plant.point(name)).collect(),
            after: self.after.0,
            level: self.level.0,
            level_if_abnormal: self.level_if_abnormal.0,
        }
    }
}

impl TogetherText {
    fn together(&self, plant: &Plant, all: &[RuleText]) -> Together {
        let channel = |name: &String| all.iter().find(|rule| rule.id == *name).expect("a channel is a rule");
        let rules: Vec<&RuleText> = self.channels.iter().map(channel).collect();
        let rivals = rules.iter().enumerate().map(|(index, rule)| {
            let shares = |other: &RuleText| self.one_vote_per.iter().any(|what| rule.shares(other, what.0));
            let others = rules.iter().enumerate().filter(|(other, rule)| *other != index && shares(rule));
            others.fold(0, |mask, (other, _)| mask | 1 << other)
        });
        Together {
            channels: self.channels.iter().map(|name| plant.rule(name)).collect(),
            needed: self.needed,
            votes_at: self.votes_at.0,
            level: self.level.0,
            hold: self.hold.0,
            on_channel_fault: self.on_channel_fault.0,
            on_all_lost: self.on_all_lost.0,
            grace: self.grace.0,
            one_vote_per: self.one_vote_per.iter().map(|what| what.0).collect(),
            rivals: rivals.collect(),
            repair_within: self.repair_within.0,
        }
    }
}

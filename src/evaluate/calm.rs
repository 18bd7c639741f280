//! What points read that nothing in the simulated room moves: a value to which no rule objects.
//!
//! A state that is normal, a breaker that is closed, a voltage between its limits. If a rule objects to every value that
//! was tried, or to what the calm room itself measures, the evaluation would measure that objection and nothing else:
//! so it is refused, by name.

use std::fmt;

use super::roles::{Role, Roles, key};
use crate::safety::risk::Level;
use crate::safety::rules::RuleKind;
use crate::safety::rules::limit::{Limit, Side};
use crate::safety::rules::state::{State, When};
use crate::safety::sequence::spec::{Condition, Expect, Mode};
use crate::safety::site::{Labels, PointId, RuleId, Site};
use crate::sim::physics::Plant;
use crate::units::Value;

/// A rule that objects to a calm room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uncalm {
    /// The rule.
    pub rule: String,
    /// What it says.
    pub level: Level,
    /// The points that it reads.
    pub points: Vec<String>,
}

impl fmt::Display for Uncalm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "in a calm room {} is at {} over {}: say what these see, or choose the other chemistry",
            self.rule,
            self.level.word(),
            self.points.join(", ")
        )
    }
}

/// The site as it is evaluated: every sequence that cuts something is armed, so that what it would cut is seen. Sirens
/// and fans are no cuts.
#[must_use]
pub fn site_for(site: &Site) -> Site {
    let mut site = site.clone();
    for sequence in &mut site.sequences {
        let cuts = sequence.stages.iter().any(|stage| stage.cuts.something());
        sequence.mode = if cuts { Mode::Armed } else { Mode::Disabled };
    }
    site
}

/// A point in the calm room.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Calm {
    /// What it reads there.
    pub(super) reads: f64,
    /// What the room has of what it sees; what the site has may be another multiple of it.
    pub(super) model: f64,
}

/// What each point reads in the calm room.
pub(super) fn values(site: &Site, roles: &Roles, plant: &Plant) -> Vec<Calm> {
    let value = |index: usize| {
        let point = PointId::at(index);
        match &roles.of[index] {
            Role::Measures(what, scale) => Calm { reads: plant.measure(*what) * scale, model: 1.0 },
            Role::Voltage(what) => {
                let model = plant.measure(*what);
                Calm { reads: near(site, point, model), model }
            }
            Role::Stages(..) | Role::Bits(..) | Role::Counts => Calm { reads: 0.0, model: 1.0 },
            Role::Rests => Calm { reads: resting(site, point), model: 1.0 },
        }
    };
    (0..site.points.len()).map(value).collect()
}

/// The value nearest to what the model gives to which no limit objects.
fn near(site: &Site, point: PointId, model: f64) -> f64 {
    if objections(site, point, model) == 0 { model } else { resting(site, point) }
}

/// A value to which as few as possible object.
fn resting(site: &Site, point: PointId) -> f64 {
    candidates(site, point).into_iter().min_by_key(|value| objections(site, point, *value)).unwrap_or(0.0)
}

/// What is worth trying, the likeliest first.
fn candidates(site: &Site, point: PointId) -> Vec<f64> {
    let spec = &site[point];
    let mut values = Vec::new();
    if let Labels::Enum(labels) = &spec.labels {
        values.extend(labels.iter().map(|(value, _)| f64::from(*value)));
    }
    values.extend([0.0, 1.0]);
    for rule in &site.rules {
        if let RuleKind::Limit(Limit { point: judged, side, steps, deadband, .. }) = &rule.kind
            && *judged == point
        {
            let margin = 4.0 * deadband.max(0.01);
            values.extend(steps.iter().flatten().map(|step| match side {
                Side::Above => step.limit - margin,
                Side::Below => step.limit + margin,
            }));
        }
    }
    if let Some((low, high)) = spec.range {
        values.push(f64::midpoint(low, high));
        values.push(low + (high - low) * 0.25);
    }
    values
}

/// How many rules and stages object to a point that rests at this value. What a stage wants to read back must not be so
/// yet, what it waits for must.
fn objections(site: &Site, point: PointId, value: f64) -> usize {
    let Some(read) = Value::new(value) else { return usize::MAX };
    let outside = site[point].range.is_some_and(|(low, high)| value < low || high < value);
    let by_rules = site.rules.iter().filter(|rule| objects(&rule.kind, point, value)).count();
    let mentions = |expects: &[Expect], wanted: bool| {
        expects.iter().filter(|expect| expect.point == point && expect.is.holds(read) != wanted).count()
    };
    let stages = site.sequences.iter().flat_map(|sequence| &sequence.stages);
    let by_stages: usize = stages
        .map(|stage| {
            let exact: Vec<Expect> =
                stage.verify.iter().copied().filter(|expect| matches!(expect.is, Condition::Is(_))).collect();
            mentions(&exact, false) + mentions(&stage.permissives, true)
        })
        .sum();
    usize::from(outside) * 100 + by_rules * 10 + by_stages
}

fn objects(kind: &RuleKind, point: PointId, value: f64) -> bool {
    match kind {
        RuleKind::Limit(limit) if limit.point == point => {
            limit.steps.iter().flatten().any(|step| match limit.side {
                Side::Above => step.limit <= value,
                Side::Below => value <= step.limit,
            })
        }
        RuleKind::State(State { point: judged, cases, .. }) if *judged == point => {
            cases.iter().any(|case| Level::Normal < case.level && applies(case.when, value))
        }
        RuleKind::Limit(_)
        | RuleKind::State(_)
        | RuleKind::Rate(_)
        | RuleKind::Deviation(_)
        | RuleKind::Step(_)
        | RuleKind::Silence(_)
        | RuleKind::Together(_) => false,
    }
}

fn applies(when: When, value: f64) -> bool {
    Value::new(value).is_some_and(|value| when.matches(value))
}

/// Rules that object to the calm room, once it was watched for a while.
pub(super) fn uncalm(site: &Site, core: &crate::safety::Safety) -> Vec<Uncalm> {
    let said = |index: usize| {
        let rule = RuleId::at(index);
        let finding = core.judgement().finding(site, rule);
        (Level::Normal < finding.level).then(|| Uncalm {
            rule: site[rule].name.clone(),
            level: finding.level,
            points: site[rule].kind.points().iter().take(4).map(|point| key(site, *point)).collect(),
        })
    };
    (0..site.rules.len()).filter_map(said).collect()
}

//! From a change in the room to the first alert, and on to the first frame to a breaker.

use crate::field::budget::{INTENT_MAX, LinkBudget, Part, SequenceBudget, Worst, assumed, ms};
use crate::field::options::LinkOptions;
use crate::safety::TICK;
use crate::safety::risk::Level;
use crate::safety::rules::limit::Step;
use crate::safety::rules::{Rule, RuleKind};
use crate::safety::sequence::spec::{Sequence, Stage};
use crate::safety::site::{ActionId, PointId, RuleId, Site};
use crate::units::Millis;

/// What times are computed from.
pub(super) struct Paths<'a> {
    pub(super) site: &'a Site,
    pub(super) options: &'a [LinkOptions],
    pub(super) links: &'a [LinkBudget],
    pub(super) ages: &'a [Worst],
    pub(super) link_of_point: Vec<Option<usize>>,
}

impl Paths<'_> {
    pub(super) fn sequence(&self, sequence: &Sequence) -> SequenceBudget {
        let channels = self.channels(sequence.trigger);
        let slowest = |level: Level| {
            let times = channels.iter().map(|rule| (*rule, self.rule(&self.site[*rule], level)));
            times.max_by_key(|(_, (age, delay))| key(age.then(*delay)))
        };
        let link_of = |slow: (RuleId, (Worst, Worst))| Some((slow.0, self.link_of_rule(slow.0)?));
        let votes_at = match &self.site[sequence.trigger].kind {
            RuleKind::Together(vote) => vote.votes_at,
            _ => Level::Danger,
        };
        let (warns, votes) = (slowest(Level::Watch), slowest(votes_at));
        let scan = Worst::all(TICK);
        let alert = warns.map_or(Worst::default(), |(_, (age, delay))| age.then(delay).then(scan));
        let (age, delay) = votes.map(|(_, times)| times).unwrap_or_default();
        let mut parts = vec![
            ("until the change is read", age),
            ("delay of the slowest vote", delay),
            ("scan", scan),
            ("countdown", Worst::all(sequence.countdown)),
        ];
        let mut breaker_link = None;
        match sequence.stages.first() {
            Some(stage) => {
                breaker_link = self.link_of_action(stage.action);
                parts.push(("delay of the first stage", Worst::all(stage.delay)));
                parts.push(("machines that shut down before", Worst::all(stage.login_wait())));
                parts.push(("readings that permit it", self.permissives(stage)));
                parts.push(("scan", scan));
                parts.push(("record of the intent", Worst::all(INTENT_MAX)));
                let link = breaker_link.map(|link| &self.links[link]);
                parts.push(("request in progress", link.map_or(Worst::default(), in_progress)));
                parts.push(("state read first", self.state(stage.action)));
            }
            None => parts.push(("no stage", Worst::default())),
        }
        let frame = parts.iter().fold(Worst::NONE, |sum, (_, part)| sum.then(*part));
        parts.retain(|(_, part)| *part != Worst::NONE);
        SequenceBudget {
            alert,
            frame,
            alert_by: warns.and_then(link_of),
            frame_by: votes.and_then(link_of),
            breaker_link,
            parts: parts.into_iter().map(|(what, part)| Part { what, lasts: part.dying }).collect(),
        }
    }

    /// The rules that vote; a trigger that is no vote stands for itself.
    fn channels(&self, trigger: RuleId) -> Vec<RuleId> {
        match &self.site[trigger].kind {
            RuleKind::Together(vote) => vote.channels.clone(),
            _ => vec![trigger],
        }
    }

    /// Until a rule sees a change, and until it says at least this level.
    fn rule(&self, rule: &Rule, level: Level) -> (Worst, Worst) {
        let points = rule.kind.points();
        let age = points.iter().map(|point| self.age(*point)).fold(Worst::NONE, Worst::max);
        let ripe = |delay: Option<Millis>| match delay {
            None => Worst::default(),
            Some(Millis::ZERO) => Worst::NONE,
            // The delay ends with the first sample after it.
            Some(delay) => Worst::all(delay).then(age.again()),
        };
        let delay = match &rule.kind {
            RuleKind::Limit(limit) => ripe(shortest(&limit.steps, level)),
            RuleKind::Rate(rate) => Worst::all(rate.window).then(ripe(shortest(&rate.steps, level))),
            RuleKind::Deviation(deviation) => ripe(shortest(&deviation.steps, level)),
            RuleKind::Step(step) => ripe(shortest(&step.steps, level)),
            RuleKind::State(state) => ripe(Some(state.on_delay)),
            RuleKind::Silence(silence) => Worst::all(silence.after),
            RuleKind::Together(_) => Worst::default(),
        };
        (age, delay)
    }

    fn age(&self, point: PointId) -> Worst {
        self.ages.get(point.index()).copied().unwrap_or_default()
    }

    /// A stage waits for readings that are young enough: not at all where all of them always are.
    fn permissives(&self, stage: &Stage) -> Worst {
        let age = stage.permissives.iter().map(|it| self.age(it.point)).fold(Worst::NONE, Worst::max);
        let wait = |age: Option<Millis>| match age {
            Some(age) if age <= stage.permissive_age_max => Some(Millis::ZERO),
            Some(age) => Some(age.min(stage.permissive_wait)),
            None => Some(stage.permissive_wait),
        };
        Worst { alive: wait(age.alive), dying: wait(age.dying), dead: wait(age.dead) }
    }

    /// The request that reads an output's state before it is written.
    fn state(&self, action: ActionId) -> Worst {
        let name = self.site[action].name.rsplit('/').next().unwrap_or_default();
        let found = self.link_and_device(action).and_then(|(link, device)| {
            let spec = self.options[link].devices[device].profile.action(name)?;
            let state = spec.state?;
            Some(assumed(&self.options[link], device).request_us(state.table, state.count.into()))
        });
        found.map_or(Worst::NONE, |us| Worst::all(ms(us)))
    }

    fn link_of_action(&self, action: ActionId) -> Option<usize> {
        self.link_and_device(action).map(|(link, _)| link)
    }

    fn link_and_device(&self, action: ActionId) -> Option<(usize, usize)> {
        let wanted = self.site[action].device;
        self.options.iter().enumerate().find_map(|(link, options)| {
            let device = options.devices.iter().position(|device| device.device == wanted)?;
            Some((link, device))
        })
    }

    fn link_of_rule(&self, rule: RuleId) -> Option<usize> {
        let points = self.site[rule].kind.points();
        let worst = points.into_iter().max_by_key(|point| key(self.age(*point)))?;
        self.link_of_point.get(worst.index()).copied().flatten()
    }
}

/// What an order waits for at most: a request of a poll, or a time-out.
fn in_progress(link: &LinkBudget) -> Worst {
    let timeout = if 1 < link.units { link.timeout } else { Millis::ZERO };
    let silent = Some(link.request_max.max(timeout));
    Worst { alive: Some(link.request_max), dying: silent, dead: silent }
}

/// The shortest delay of the steps that mean at least this level.
fn shortest(steps: &[Option<Step>; 3], level: Level) -> Option<Millis> {
    let levels = [Level::Watch, Level::Warning, Level::Danger];
    let meant = steps.iter().zip(levels).filter(|(_, means)| level <= *means);
    meant.filter_map(|(step, _)| step.map(|step| step.on_delay)).min()
}

/// Orders by the worse case; what has no limit is the greatest.
fn key(worst: Worst) -> (u64, u64) {
    let ms = |lasts: Option<Millis>| lasts.map_or(u64::MAX, |lasts| lasts.0);
    (ms(worst.dying), ms(worst.alive))
}

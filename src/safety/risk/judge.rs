//! One rule at work: what it judges by, what it remembers, and what it says.

use crate::safety::risk::outlook::{Pace, Told};
use crate::safety::risk::{Evidence, Level, Vote};
use crate::safety::rules::deviation::{self, Deviation};
use crate::safety::rules::ladder::Ladder;
use crate::safety::rules::limit::Limit;
use crate::safety::rules::rate::Rate;
use crate::safety::rules::silence::Silence;
use crate::safety::rules::state::State;
use crate::safety::rules::step::{self, StepChange};
use crate::safety::rules::together::{Tally, Together};
use crate::safety::rules::window::Window;
use crate::safety::rules::{Look, NEVER, OnUnknown, Rule, RuleKind, Verdict, View};
use crate::units::Uptime;

/// One rule at work.
#[derive(Clone, Debug)]
pub(super) struct RuleState {
    /// What it says, with `on_unknown` applied.
    pub(super) level: Level,
    /// What it last said by itself.
    pub(super) judged: Level,
    pub(super) known: bool,
    /// It sees, but not for long enough yet.
    pub(super) learning: bool,
    pub(super) evidence: Evidence,
    /// When it must look again though nothing was read.
    pub(super) wake: Uptime,
    /// A point of its group was read in this scan.
    pub(super) touched: bool,
    pub(super) judge: Judge,
}

/// What a rule judges by, with what it remembers.
#[derive(Clone, Debug)]
pub(super) enum Judge {
    Limit(Box<Limit>, Ladder, Pace),
    Rate(Box<Rate>, Window, Ladder),
    Deviation(Box<Deviation>, Box<deviation::Memory>),
    Step(Box<StepChange>, Box<step::Memory>),
    State(Box<State>, Ladder),
    Silence(Silence),
    Together(Box<Together>, Tally, Vote),
}

impl RuleState {
    pub(super) fn new(rule: &Rule) -> Self {
        let judge = match &rule.kind {
            RuleKind::Limit(limit) => {
                Judge::Limit(Box::new(limit.clone()), Ladder::default(), Pace::default())
            }
            RuleKind::Rate(rate) => Judge::Rate(Box::new(rate.clone()), Window::default(), Ladder::default()),
            RuleKind::Deviation(deviation) => Judge::Deviation(Box::new(deviation.clone()), Box::default()),
            RuleKind::Step(step) => Judge::Step(Box::new(step.clone()), Box::default()),
            RuleKind::State(state) => Judge::State(Box::new(state.clone()), Ladder::default()),
            RuleKind::Silence(silence) => Judge::Silence(silence.clone()),
            RuleKind::Together(vote) => {
                Judge::Together(Box::new(vote.clone()), vote.tally(), Vote::default())
            }
        };
        Self {
            level: Level::Normal,
            judged: Level::Normal,
            known: false,
            learning: false,
            evidence: Evidence::None,
            wake: Uptime(0),
            touched: false,
            judge,
        }
    }

    /// Whether it is judged once a scan, when all that was read is known.
    pub(super) const fn is_over_a_group(&self) -> bool {
        match self.judge {
            Judge::Deviation(..) | Judge::Step(..) => true,
            Judge::Limit(..)
            | Judge::Rate(..)
            | Judge::State(..)
            | Judge::Silence(_)
            | Judge::Together(..) => false,
        }
    }

    /// What it says while it cannot judge: never less than it said last (A3).
    pub(super) fn said_in_doubt(&self, on_unknown: OnUnknown) -> Level {
        match on_unknown {
            OnUnknown::Hold => self.level,
            OnUnknown::AtLeast(level) => self.level.max(level),
        }
    }

    /// What is to be told of the way to its next limit, after it judged.
    pub(super) fn outlook(&mut self) -> Told {
        let Judge::Limit(limit, _, pace) = &mut self.judge else { return Told::Nothing };
        let Evidence::Limit { value, taken, .. } = self.evidence else { return Told::Nothing };
        pace.follow(taken, limit.ahead(self.judged, value))
    }

    /// Delays need what is seen: they stand still over a loss.
    fn interrupt(&mut self) {
        match &mut self.judge {
            Judge::Limit(_, ladder, _) | Judge::Rate(_, _, ladder) | Judge::State(_, ladder) => {
                ladder.interrupt();
            }
            Judge::Deviation(_, memory) => memory.interrupt(),
            Judge::Step(_, memory) => memory.interrupt(),
            Judge::Silence(_) | Judge::Together(..) => {}
        }
    }

    /// What it makes of the picture; `zone` is the level of its zone so far.
    pub(super) fn look(&mut self, zone: Level, view: View<'_>) -> Verdict {
        let Look { verdict, wake } = match &mut self.judge {
            Judge::Limit(limit, ladder, _) => limit.look(ladder, view),
            Judge::Rate(rate, window, ladder) => rate.look(window, ladder, view),
            Judge::Deviation(deviation, memory) => deviation.look(memory, view),
            Judge::Step(step, memory) => step.look(memory, view),
            Judge::State(state, ladder) => state.look(ladder, view),
            // A silence that has not begun ends at its own time, not with each sample.
            Judge::Silence(_) if self.level == Level::Normal && view.now < self.wake => {
                Look { verdict: Verdict::Unchanged, wake: self.wake }
            }
            Judge::Silence(silence) => silence.look(self.level, zone, view),
            Judge::Together(..) => Look { verdict: Verdict::Unchanged, wake: NEVER },
        };
        self.wake = wake;
        match verdict {
            Verdict::Unknown | Verdict::Feared(..) => self.interrupt(),
            Verdict::Judged(..) | Verdict::Unchanged | Verdict::Learning => {}
        }
        verdict
    }
}

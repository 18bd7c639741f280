//! Judgements over readings, one file per kind.
//!
//! Each kind has a `look`: it takes what it remembers and a view of the picture, and says what that means.

#[cfg(test)]
mod bench;
pub mod deviation;
pub(crate) mod ladder;
pub mod limit;
pub mod rate;
pub mod silence;
pub mod state;
pub mod step;
pub mod together;
pub(crate) mod window;

use crate::safety::quality::{Picture, Sight};
use crate::safety::risk::{Evidence, Level};
use crate::safety::site::{PointId, Site, ZoneId};
use crate::units::{Millis, Uptime, Value};

/// One judgement.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Id, also of its alarm.
    pub name: String,
    /// The zone it speaks of.
    pub zone: ZoneId,
    /// The independent physical principle it stands on (`temperature`, `gas`, `smoke`, `voltage` …).
    pub principle: String,
    /// What it says when it cannot judge. Always written, never defaulted.
    pub on_unknown: OnUnknown,
    /// How it judges.
    pub kind: RuleKind,
}

/// What a rule says when its reading is not good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnUnknown {
    /// What it said last.
    Hold,
    /// At least this.
    AtLeast(Level),
}

/// How a rule judges.
#[derive(Clone, Debug)]
pub enum RuleKind {
    /// A point above or below limits.
    Limit(limit::Limit),
    /// A point moving too fast.
    Rate(rate::Rate),
    /// Points apart from each other, or from a reference.
    Deviation(deviation::Deviation),
    /// A sudden change against what was usual.
    Step(step::StepChange),
    /// A bit, an enum value or a device's own alarm.
    State(state::State),
    /// A device or point that does not answer.
    Silence(silence::Silence),
    /// Other rules agreeing: M of N.
    Together(together::Together),
}

impl RuleKind {
    /// The points this kind reads directly.
    #[must_use]
    pub fn points(&self) -> Vec<PointId> {
        match self {
            Self::Limit(limit) => vec![limit.point],
            Self::Rate(rate) => vec![rate.point],
            Self::Deviation(deviation) => deviation.reads(),
            Self::Step(step) => step.reads(),
            Self::State(state) => vec![state.point],
            Self::Silence(silence) => silence.points.clone(),
            Self::Together(_) => Vec::new(),
        }
    }

    /// The worst it can find with a reading.
    #[must_use]
    pub fn worst(&self) -> Level {
        match self {
            Self::Limit(limit::Limit { steps, .. })
            | Self::Rate(rate::Rate { steps, .. })
            | Self::Deviation(deviation::Deviation { steps, .. })
            | Self::Step(step::StepChange { steps, .. }) => limit::worst(steps),
            Self::State(state) => state.cases.iter().map(|case| case.level).max().unwrap_or_default(),
            Self::Silence(silence) => silence.level_if_abnormal,
            Self::Together(vote) => vote.level,
        }
    }
}

/// The picture at one moment, as a rule looks at it.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    pub(crate) site: &'a Site,
    pub(crate) picture: &'a Picture,
    pub(crate) now: Uptime,
}

/// What a rule made of what it saw, and when it must look again though nothing was read.
pub(crate) struct Look {
    pub(crate) verdict: Verdict,
    pub(crate) wake: Uptime,
}

/// What one rule made of what it saw.
pub(crate) enum Verdict {
    /// It could judge.
    Judged(Level, Evidence),
    /// Nothing new: what it said stands.
    Unchanged,
    /// It sees, but not for long enough yet: its window fills. No finding, and no fault either.
    Learning,
    /// It cannot judge.
    Unknown,
    /// It cannot judge, but by the last it knew it may by now be this bad.
    Feared(Level, Evidence),
}

/// Nothing to wait for.
pub(crate) const NEVER: Uptime = Uptime(u64::MAX);

impl View<'_> {
    /// What can be seen of a point.
    #[inline]
    pub(crate) fn sight(self, point: PointId) -> Sight {
        self.picture.sight(self.site, point, self.now)
    }

    /// When the last good value of a point will have become too old; `NEVER` if it has.
    #[inline]
    pub(crate) fn wake_for(self, point: PointId) -> Uptime {
        let since = self.picture.last_good(point).map_or(self.picture.born(), |good| good.taken);
        let stale_at = since.plus(Millis(self.site[point].stale_after.0 + 1));
        if stale_at <= self.now { NEVER } else { stale_at }
    }

    /// A look at one point: judges what is seen of it.
    #[inline]
    pub(crate) fn one(self, point: PointId, judge: impl FnOnce(Value, Uptime) -> Verdict) -> Look {
        let verdict = match self.sight(point) {
            Sight::Seen(value, taken) => judge(value, taken),
            Sight::Missed => Verdict::Unchanged,
            Sight::Lost => Verdict::Unknown,
        };
        Look { verdict, wake: self.wake_for(point) }
    }

    /// The value to go by while it is not too old, seen or missed once, with when it was read.
    pub(crate) fn standing(self, point: PointId) -> Option<(Value, Uptime)> {
        match self.sight(point) {
            Sight::Seen(value, taken) => Some((value, taken)),
            Sight::Missed => self.picture.last_good(point).map(|good| (good.value, good.taken)),
            Sight::Lost => None,
        }
    }
}

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

#[cfg(test)]
mod tests {
    use super::bench::Bench;
    use super::limit::{Side, Step};
    use super::*;
    use crate::safety::rules::deviation::{Against, Deviation, Sides};
    use crate::safety::rules::state::{Case, When};
    use crate::safety::rules::step::{Gate, GateOnUnknown};
    use crate::safety::rules::together::{OnAllLost, OnChannelFault, Together};
    use crate::safety::site::RuleId;

    /// One rule of each kind, with the worst it can find and the points it reads.
    fn one_of_each() -> [(RuleKind, Level, Vec<PointId>); 7] {
        let step = Some(Step { limit: 1.0, on_delay: Millis(0), off_delay: Millis(0), extreme: None });
        let (point, window) = (PointId(3), Millis(60_000));
        let limit = limit::Limit {
            point,
            side: Side::Above,
            deadband: 0.0,
            steps: [step, step, None],
            projection: None,
        };
        let rate = rate::Rate {
            point,
            side: Side::Above,
            window,
            samples_min: 3,
            floor: None,
            deadband: 0.0,
            steps: [step, None, step],
        };
        let deviation = Deviation {
            points: vec![PointId(1), PointId(2)],
            against: Against::Point(point),
            side: Sides::Above,
            members_min: 1,
            deadband: 0.0,
            steps: [step, None, None],
            rising: None,
        };
        let change = step::StepChange {
            point: PointId(1),
            side: Sides::Below,
            window,
            samples_min: 3,
            relative: false,
            deadband: 0.0,
            steps: [None, step, None],
            gate: Some(Gate { point, change: 1.0, on_unknown: GateOnUnknown::Judge }),
        };
        let case = |level| Case { when: When::Is(1), level };
        let cases = vec![case(Level::Warning), case(Level::Watch)];
        let state = state::State { point, cases, on_delay: Millis(0), off_delay: Millis(0) };
        let silence = silence::Silence {
            points: vec![PointId(1), point],
            after: Millis(3000),
            level: Level::Watch,
            level_if_abnormal: Level::Warning,
        };
        let vote = Together {
            channels: vec![RuleId(0), RuleId(1)],
            needed: 2,
            votes_at: Level::Warning,
            level: Level::Danger,
            hold: Millis(0),
            on_channel_fault: OnChannelFault::Availability,
            on_all_lost: OnAllLost::Alarm,
            grace: Millis(0),
            one_vote_per: Vec::new(),
            rivals: vec![0; 2],
            repair_within: Millis(0),
        };
        [
            (RuleKind::Limit(limit), Level::Warning, vec![point]),
            (RuleKind::Rate(rate), Level::Danger, vec![point]),
            (RuleKind::Deviation(deviation), Level::Watch, vec![PointId(1), PointId(2), point]),
            (RuleKind::Step(change), Level::Warning, vec![PointId(1), point]),
            (RuleKind::State(state), Level::Warning, vec![point]),
            (RuleKind::Silence(silence), Level::Warning, vec![PointId(1), point]),
            (RuleKind::Together(vote), Level::Danger, Vec::new()),
        ]
    }

    #[test]
    fn every_kind_names_the_points_it_reads_and_the_worst_it_can_find() {
        for (kind, worst, points) in one_of_each() {
            assert_eq!(kind.points(), points, "{kind:?}");
            assert_eq!(kind.worst(), worst, "{kind:?}");
        }
    }

    #[test]
    fn a_rule_looks_again_when_its_value_has_just_become_too_old() {
        let mut bench = Bench::with_points(2);
        bench.read(5, &[Some(25.0)]);
        // Stale after 3 s: good at 8000 ms, not at 8001.
        for (ms, first, never_seen) in
            [(3000, 8001, 3001), (3001, 8001, NEVER.0), (8000, 8001, NEVER.0), (8001, NEVER.0, NEVER.0)]
        {
            let view = View { now: Uptime(ms), ..bench.view() };
            assert_eq!(view.wake_for(PointId(0)), Uptime(first), "at {ms} ms");
            assert_eq!(view.wake_for(PointId(1)), Uptime(never_seen), "at {ms} ms, never seen");
        }
    }
}

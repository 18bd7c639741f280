//! Interlocks: what keeps a stage from being commanded though its permissives hold.
//!
//! They look at the plant as a whole, over all sequences: the last feed of a load group stays (I1), a transfer comes
//! before what drops the load (I2), and no more is cut by itself than the site allows (I3). A person who tells a stage to
//! go on answers for the transfer and the budget; for the last feed it takes two.

use std::collections::VecDeque;

use crate::safety::sequence::decide::first_unmet;
use crate::safety::sequence::engine::{Scene, Sequences};
use crate::safety::sequence::spec::Stage;
use crate::safety::sequence::{Phase, Run, StageFault, StageState};
use crate::safety::site::{FeedId, SequenceId};
use crate::units::Uptime;

/// The most cuts whose time is remembered: as many as a budget can allow, and one more.
const CUTS_REMEMBERED_MAX: usize = 256;

/// When something was cut, for the budget of the site; the oldest first. After a restart it is empty: what runs have
/// commanded still counts for their zones.
#[derive(Clone, Debug, Default)]
pub(super) struct LatelyCut(VecDeque<(Uptime, bool)>);

impl LatelyCut {
    /// A stage that cuts something is commanded, or would be.
    pub(super) fn note(&mut self, now: Uptime, shadow: bool) {
        if self.0.len() == CUTS_REMEMBERED_MAX {
            self.0.pop_front();
        }
        self.0.push_back((now, shadow));
    }
}

impl Sequences {
    /// What stands in the way of this stage now; `None` if nothing does.
    pub(super) fn interlock(
        &self,
        id: SequenceId,
        run: &Run,
        stage: u8,
        scene: &Scene<'_>,
    ) -> Option<StageFault> {
        let told = run.told_by(stage);
        let spec = &scene.site[id].stages[usize::from(stage)];
        let missing = if told == 0 { missing(run, spec) } else { None };
        missing
            .map(StageFault::Requires)
            .or_else(|| {
                let spent = spec.cuts.something()
                    && told == 0
                    && !run.cause.is_by_hand()
                // A further try of what was commanded is no further cut.
                && !run.has_commanded(usize::from(stage))
                    && self.budget_is_spent(id, run, stage, scene);
                spent.then_some(StageFault::Budget)
            })
            .or_else(|| {
                let last = if told < 2 { self.last_feed(run, spec, scene) } else { None };
                last.map(StageFault::LastFeed)
            })
    }

    /// I3. A run that only records is bound by all others, so that it decides as an armed one would.
    fn budget_is_spent(&self, id: SequenceId, run: &Run, stage: u8, scene: &Scene<'_>) -> bool {
        let Some(budget) = scene.site.cut_budget else { return false };
        let lately = self.lately.0.iter().filter(|(when, shadow)| {
            scene.now.uptime.since(*when) < budget.rate_within && (run.shadow || !shadow)
        });
        if usize::from(budget.rate_max) <= lately.count() {
            return true;
        }
        let zone = scene.site[id].zone;
        let in_zone = self.commanded(run, scene).filter(|(sequence, other, spec)| {
            scene.site[*sequence].zone == zone
                && spec.cuts.something()
                && (*sequence, *other) != (id, usize::from(stage))
        });
        usize::from(budget.per_zone_max) <= in_zone.count()
    }

    /// I1: the feed beside those of this stage that is not known to carry power, where no other one is. A group with
    /// a single feed has nothing that could be kept.
    fn last_feed(&self, run: &Run, spec: &Stage, scene: &Scene<'_>) -> Option<FeedId> {
        let goes = spec.cuts.feeds();
        goes.iter().find_map(|feed| {
            let group = scene.site[*feed].group;
            let mut beside = (0..scene.site.feeds.len())
                .map(FeedId::at)
                .filter(|other| other != feed && scene.site[*other].group == group)
                .peekable();
            let first = *beside.peek()?;
            let stays = |other: FeedId| {
                let is_cut =
                    self.commanded(run, scene).any(|(_, _, spec)| spec.cuts.feeds().contains(&other));
                let alive = &scene.site[other].alive;
                !goes.contains(&other)
                    && !is_cut
                    && first_unmet(alive, |point| scene.fresh(point, spec.permissive_age_max)).is_none()
            };
            (!beside.any(stays)).then_some(first)
        })
    }

    /// The stages whose commands have or may have been given and that were not reset, as this run sees them.
    fn commanded<'a>(
        &'a self,
        run: &'a Run,
        scene: &'a Scene<'a>,
    ) -> impl Iterator<Item = (SequenceId, usize, &'a Stage)> {
        self.tracks.iter().enumerate().flat_map(move |(index, track)| {
            let id = SequenceId::at(index);
            let stages = scene.site[id].stages.iter().enumerate();
            stages.filter_map(move |(stage, spec)| match &track.state.phase {
                Phase::Run(other) if (run.shadow || !other.shadow) && other.has_commanded(stage) => {
                    Some((id, stage, spec))
                }
                Phase::Run(_) | Phase::Idle => None,
            })
        })
    }
}

/// I2: a stage that had to be verified before and was not.
fn missing(run: &Run, spec: &Stage) -> Option<u8> {
    let had = |stage: u8| match run.stages.get(usize::from(stage)) {
        Some(StageState::Verified) => true,
        Some(StageState::Failed(_)) => spec.life_safety,
        Some(
            StageState::Pending
            | StageState::Waiting
            | StageState::Ordered
            | StageState::Confirmed
            | StageState::Skipped,
        )
        | None => false,
    };
    spec.requires.iter().copied().find(|stage| !had(*stage))
}

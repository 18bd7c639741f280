//! What a sequence means for the machines behind a UPS: a pure function of its run and the time.
//!
//! Only a cut of a feed of theirs that an armed sequence carries out, or is about to, concerns them. A warning, a watch,
//! silence of any device, a drill and a sequence in shadow never shut a machine down. What was told to shut down stays
//! told while its run goes on, and, once the feed was commanded, until the run is reset: machines that come up again
//! too early are not fooled.

use crate::safety::sequence::spec::{Cuts, Mode, Sequence};
use crate::safety::sequence::{Phase, RunId, SequenceState, Step};
use crate::safety::site::FeedId;
use crate::units::{Millis, Uptime};

/// What lies ahead of a UPS. `Ord`: the worst is the greatest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// No run concerns it.
    Safe,
    /// A run rehearses or only records: what it would cut is not cut.
    Rehearsed,
    /// A run will cut a feed, later than anybody needs to be told, or at no time that is known.
    Ahead,
    /// A feed is about to be cut: `OB LB`.
    Low,
    /// Shut down now: `FSD OB LB`.
    Forced,
}

/// How early machines are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Early {
    /// `FSD` this long before the cut.
    pub fsd: Millis,
    /// `OB LB` this long before the cut; `None`: as soon as its time is known.
    pub low_battery: Option<Millis>,
}

/// What a sequence means for a UPS with these feeds, and how long until the first of them is cut, where that is known.
/// `given`: the run for which `FSD` was shown before.
#[must_use]
pub fn fate(
    spec: &Sequence,
    state: &SequenceState,
    feeds: &[FeedId],
    now: Uptime,
    early: Early,
    given: Option<RunId>,
) -> (Fate, Option<Millis>) {
    let ours = |cuts: &Cuts| cuts.feeds().iter().any(|feed| feeds.contains(feed));
    let Phase::Run(run) = &state.phase else { return (Fate::Safe, None) };
    if !spec.stages.iter().any(|stage| ours(&stage.cuts)) {
        return (Fate::Safe, None);
    }
    let was_given = given == Some(run.id);
    let armed = state.mode == Mode::Armed && !run.shadow;
    let mut stages = spec.stages.iter().enumerate();
    let commanded = stages.any(|(index, stage)| ours(&stage.cuts) && run.has_commanded(index));
    if commanded && !run.shadow && (armed || was_given) {
        return (Fate::Forced, None);
    }
    if run.step.is_over() {
        return (Fate::Safe, None);
    }
    let time = run.cut_within(spec, now, ours);
    if !armed {
        return (Fate::Rehearsed, time);
    }
    if was_given {
        return (Fate::Forced, time);
    }
    // After a restart devices are read first: whether the run goes on is not known yet. One that somebody stops does not.
    let undecided = matches!(run.step, Step::Rereading { .. }) || run.aborting.is_some();
    let fate = match time.filter(|_| !undecided) {
        Some(time) if time <= early.fsd => Fate::Forced,
        Some(time) if early.low_battery.is_none_or(|before| time <= before) => Fate::Low,
        None | Some(_) => Fate::Ahead,
    };
    (fate, time)
}

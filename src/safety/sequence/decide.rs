//! What a run does next: a pure function of the run, its specification and what is known now.

use crate::safety::fact::DriveFault;
use crate::safety::rules::state::whole_number;
use crate::safety::sequence::engine::{Scene, Sequences};
use crate::safety::sequence::spec::{Condition, Expect, OnRestart, Sequence, Stage};
use crate::safety::sequence::{Cause, Phase, Run, StageFault, Step};
use crate::safety::site::{OutputKind, PointId, SequenceId};
use crate::units::{Millis, Uptime, Value};

/// One move of a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Move {
    /// The countdown goes on after a restart.
    CountOn { until: Uptime },
    /// A stage's turn has come.
    Enter { stage: u8 },
    /// A stage's command leaves.
    Order { stage: u8, attempt: u8 },
    /// Nobody knows what became of the command: read back.
    ReadBack { stage: u8, attempt: u8 },
    /// A stage's effect was seen.
    Verified { stage: u8 },
    /// A try had no effect.
    Missed { stage: u8, attempt: u8, fault: StageFault },
    /// A person must decide.
    Hold { stage: u8 },
    /// Nobody has decided in time: the next stage.
    GoOn { stage: u8 },
}

impl Sequences {
    /// The next move of a sequence, if there is one now.
    pub(super) fn decide(&self, id: SequenceId, scene: &Scene<'_>) -> Option<Move> {
        let Phase::Run(run) = &self.tracks[id.index()].state.phase else { return None };
        let spec = &scene.site[id];
        match run.step {
            Step::Waiting { stage, attempt, from, until } => {
                let (now, stage_spec) = (scene.now.uptime, &spec.stages[usize::from(stage)]);
                let earliest = if attempt == 0 { stage_spec.without_login_wait(from) } else { from };
                let turn = if self.all_have_left(stage_spec, now) { earliest } else { from };
                if now < turn
                    || scene.after_gap
                    || (now < until && blind_since_gap(stage_spec, scene, earliest))
                {
                    return None;
                }
                let unmet = first_unmet(&stage_spec.permissives, |point| {
                    scene.fresh(point, stage_spec.permissive_age_max)
                });
                let obstacle =
                    unmet.map(StageFault::Permissive).or_else(|| self.interlock(id, run, stage, scene));
                match obstacle {
                    None => Some(Move::Order { stage, attempt: attempt + 1 }),
                    Some(fault) if until <= now => Some(Move::Missed { stage, attempt, fault }),
                    Some(_) => None,
                }
            }
            Step::Countdown { .. }
            | Step::Rereading { .. }
            | Step::Ordered { .. }
            | Step::Verifying { .. }
            | Step::Held { .. }
            | Step::Done
            | Step::Failed
            | Step::Aborted { .. } => decide_alone(run, spec, scene),
        }
    }
}

/// A move that no other sequence bears on.
fn decide_alone(run: &Run, spec: &Sequence, scene: &Scene<'_>) -> Option<Move> {
    let now = scene.now.uptime;
    match run.step {
        Step::Countdown { until } => (until <= now).then_some(Move::Enter { stage: 0 }),
        Step::Rereading { .. } => after_restart(run, spec, scene),
        Step::Ordered { stage, attempt, answer_by, .. } => {
            (answer_by <= now).then_some(Move::ReadBack { stage, attempt })
        }
        Step::Verifying { stage, attempt, after, until } => {
            match first_unseen(&spec.stages[usize::from(stage)], scene, after) {
                None => Some(Move::Verified { stage }),
                Some(point) if until <= now => {
                    Some(Move::Missed { stage, attempt, fault: StageFault::NoEffect(point) })
                }
                Some(_) => None,
            }
        }
        Step::Held { stage, until } => {
            until.is_some_and(|until| until <= now).then_some(Move::GoOn { stage })
        }
        Step::Waiting { .. } | Step::Done | Step::Failed | Step::Aborted { .. } => None,
    }
}

/// R12: the devices are the truth. A command that was given is looked for first; then the cause decides;
/// what neither shows, the site's written policy does. Nothing starts again at stage one.
fn after_restart(run: &Run, spec: &Sequence, scene: &Scene<'_>) -> Option<Move> {
    let Step::Rereading { stage, attempt, from, until } = run.step else { return None };
    let now = scene.now.uptime;
    let stage_spec = &spec.stages[usize::from(stage)];
    let time_is_up = until <= now;
    if 0 < attempt {
        let unseen = first_unseen(stage_spec, scene, scene.born);
        let moving = now < scene.born.plus(stage_spec.verify_within);
        match unseen {
            None => return Some(Move::Verified { stage }),
            // Not all of the feedback has been read yet, or the switch may still be moving: the effect may come.
            Some(_) if !time_is_up && (moving || !all_read(stage_spec, scene)) => return None,
            Some(_) => {}
        }
    }
    let cause_stands = match run.cause {
        Cause::Manual { .. } | Cause::Drill { .. } => true,
        Cause::Vote { .. } => scene.judgement.vote(spec.trigger).complete,
    };
    let goes_on = cause_stands || (time_is_up && spec.on_restart == OnRestart::Resume);
    match (goes_on, time_is_up) {
        (true, _) if 0 < attempt => {
            let point = first_unseen(stage_spec, scene, scene.born).unwrap_or(PointId(0));
            Some(Move::Missed { stage, attempt, fault: StageFault::NoEffect(point) })
        }
        (true, _) if now < from => Some(Move::CountOn { until: from }),
        (true, _) => Some(Move::Enter { stage }),
        (false, true) => Some(Move::Hold { stage }),
        (false, false) => None,
    }
}

/// The first expectation that is not met by a good reading asked for after `after` (S21).
fn first_unseen(stage: &Stage, scene: &Scene<'_>, after: Uptime) -> Option<PointId> {
    first_unmet(&stage.verify, |point| {
        scene.picture.good(point).filter(|sample| after <= sample.asked).map(|sample| sample.value)
    })
}

/// R14: the loop was held up since this stage began to wait, and nothing of what it acts on was read since.
fn blind_since_gap(stage: &Stage, scene: &Scene<'_>, from: Uptime) -> bool {
    from < scene.picture.fresh_from()
        && !stage.verify.iter().any(|expect| scene.picture.good(expect.point).is_some())
}

fn all_read(stage: &Stage, scene: &Scene<'_>) -> bool {
    stage.verify.iter().all(|expect| scene.picture.good(expect.point).is_some())
}

pub(super) fn first_unmet(expects: &[Expect], read: impl Fn(PointId) -> Option<Value>) -> Option<PointId> {
    let unmet = expects.iter().find(|expect| !read(expect.point).is_some_and(|value| expect.is.holds(value)));
    unmet.map(|expect| expect.point)
}

impl StageFault {
    /// Whether the next try of the same command may go better (R8).
    pub(super) const fn may_be_tried_again(self) -> bool {
        match self {
            Self::NoEffect(_)
            | Self::Drive(
                DriveFault::NotSent | DriveFault::Exception(_) | DriveFault::NoAnswer | DriveFault::WrongEcho,
            ) => true,
            Self::Drive(DriveFault::NotAllowed)
            | Self::Permissive(_)
            | Self::Requires(_)
            | Self::LastFeed(_)
            | Self::Maintenance
            | Self::Budget => false,
        }
    }
}

impl Condition {
    /// Whether a good value meets it.
    #[must_use]
    pub fn holds(self, value: Value) -> bool {
        let number = value.get();
        let bit = |bit: u8| whole_number(value).map(|whole| whole >> u32::from(bit).min(31) & 1 == 1);
        match self {
            Self::Is(expected) => whole_number(value) == Some(expected),
            Self::AtLeast(limit) => limit <= number,
            Self::AtMost(limit) => number <= limit,
            Self::Within(low, high) => low <= number && number <= high,
            Self::BitSet(index) => bit(index) == Some(true),
            Self::BitClear(index) => bit(index) == Some(false),
        }
    }
}

impl Scene<'_> {
    /// A point's value, if good and young enough for a permissive (S1).
    pub(super) fn fresh(&self, point: PointId, age_max: Millis) -> Option<Value> {
        let sample = self.picture.good(point)?;
        (self.now.uptime.since(sample.taken) <= age_max).then_some(sample.value)
    }

    /// Whether a stage's command may be given again (R8).
    pub(super) fn may_repeat(&self, stage: &Stage, attempt: u8) -> bool {
        match self.site[stage.action].output {
            OutputKind::Level => attempt < stage.attempts,
            OutputKind::Pulse => attempt == 0,
        }
    }
}

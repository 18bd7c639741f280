//! Notice to service owners: from `warning` on, not when the cut is decided. That alone gives them minutes.

use crate::safety::fact::{Fact, Output};
use crate::safety::risk::Level;
use crate::safety::sequence::engine::Actor;
use crate::safety::sequence::spec::{Cuts, Mode, Sequence, StageWhen};
use crate::safety::sequence::{NOTICE_MARKS, Notice, NoticeStage, Phase, Run, Step};
use crate::units::{Millis, Uptime};

/// How often a notice that still holds is repeated.
pub(super) const NOTICE_REPEAT: Millis = Millis::from_secs(60);

/// The last notice given.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct NoticeTrack {
    last: Option<Given>,
}

/// What was said, and when.
#[derive(Clone, Copy, Debug)]
struct Given {
    number: u64,
    stage: NoticeStage,
    next: Option<u8>,
    when: Uptime,
}

impl Actor<'_> {
    /// Gives the notice that is due now, if any.
    pub(super) fn notify(&mut self) {
        if self.track.state.mode == Mode::Disabled {
            return;
        }
        let now = self.scene.now.uptime;
        let Some(stage) = self.announcement() else {
            self.track.notice.last = None;
            return;
        };
        let run = match &self.track.state.phase {
            Phase::Run(run) => Some(run),
            Phase::Idle => None,
        };
        let next = run.and_then(|run| run.step.next());
        let last = self.track.notice.last;
        if last.is_some_and(|last| !is_due(last, stage, next, now)) {
            return;
        }
        self.numbers.notice += 1;
        let number = self.numbers.notice;
        self.track.notice.last = Some(Given { number, stage, next, when: now });
        let autonomy = self.spec.autonomy.and_then(|point| self.scene.picture.good(point));
        let notice = Notice {
            sequence: self.id,
            zone: self.spec.zone,
            level: self.scene.judgement.level(self.spec.zone),
            run: run.map(|run| run.id),
            number,
            previous: last.map(|last| last.number),
            stage,
            shadow: run.map_or(self.track.state.mode == Mode::Shadow, |run| run.shadow),
            drill: run.is_some_and(|run| run.cause.is_drill()),
            next,
            evidence: self.scene.judgement.finding(self.scene.site, self.spec.trigger).evidence,
            autonomy: autonomy.map(|sample| sample.value),
        };
        self.out.push(Output::Fact(Fact::Notice(Box::new(notice))));
    }

    /// What service owners should know now; `None` when there is nothing.
    fn announcement(&self) -> Option<NoticeStage> {
        let now = self.scene.now.uptime;
        let warned = Level::Warning <= self.scene.judgement.level(self.spec.zone);
        let Phase::Run(run) = &self.track.state.phase else {
            return match (warned, self.track.notice.last.map(|last| last.stage)) {
                (true, _) => Some(NoticeStage::Prepare),
                (false, Some(NoticeStage::AllClear) | None) => None,
                (false, Some(_)) => Some(NoticeStage::AllClear),
            };
        };
        Some(match run.step {
            Step::Countdown { .. }
            | Step::Rereading { .. }
            | Step::Waiting { .. }
            | Step::Ordered { .. }
            | Step::Verifying { .. }
            | Step::Held { .. } => match (has_cut(run, self.spec), next_cut(run, self.spec, now)) {
                (false, Some(earliest)) => {
                    NoticeStage::Countdown { earliest, abortable: abortable_for(run, self.spec, now) }
                }
                // Nothing has gone yet, and nothing will before a person decides.
                (false, None) if matches!(run.step, Step::Held { .. }) => NoticeStage::Prepare,
                (_, earliest) => NoticeStage::Cutting { earliest },
            },
            Step::Done => NoticeStage::Done,
            Step::Failed => NoticeStage::Failed,
            Step::Aborted { .. } => NoticeStage::Aborted,
        })
    }
}

/// A notice is given when it says something else than the last, when a cut comes nearer than a mark, and again
/// every minute while power may still go.
fn is_due(last: Given, stage: NoticeStage, next: Option<u8>, now: Uptime) -> bool {
    let repeat = NOTICE_REPEAT <= now.since(last.when);
    let nearer =
        |then: Millis, earliest: Millis| NOTICE_MARKS.iter().any(|mark| earliest <= *mark && *mark < then);
    match (last.stage, stage) {
        (
            NoticeStage::Countdown { earliest: then, .. } | NoticeStage::Cutting { earliest: Some(then) },
            NoticeStage::Countdown { earliest, .. } | NoticeStage::Cutting { earliest: Some(earliest) },
        ) if std::mem::discriminant(&last.stage) == std::mem::discriminant(&stage) => {
            repeat || last.next != next || nearer(then, earliest)
        }
        (NoticeStage::Prepare, NoticeStage::Prepare) => repeat,
        (NoticeStage::Cutting { earliest: then }, NoticeStage::Cutting { earliest }) => {
            repeat || last.next != next || then.is_some() != earliest.is_some()
        }
        (before, stage) => before != stage,
    }
}

impl Step {
    /// The stage that is carried out or comes next.
    pub(super) const fn next(&self) -> Option<u8> {
        match *self {
            Self::Countdown { .. } => Some(0),
            Self::Rereading { stage, .. }
            | Self::Waiting { stage, .. }
            | Self::Ordered { stage, .. }
            | Self::Verifying { stage, .. }
            | Self::Held { stage, .. } => Some(stage),
            Self::Done | Self::Failed | Self::Aborted { .. } => None,
        }
    }

    /// When the first stage that has not been commanded yet may be, and which that is; `None` where a person decides.
    fn resumes(&self, spec: &Sequence, now: Uptime) -> Option<(Millis, u8)> {
        match *self {
            Self::Countdown { until } => Some((until.since(now), 0)),
            // It waits for machines no longer than they need.
            Self::Waiting { stage, attempt: 0, from, .. } => {
                Some((spec.stages[usize::from(stage)].without_login_wait(from).since(now), stage))
            }
            Self::Rereading { stage, attempt: 0, from, .. } => Some((from.since(now), stage)),
            Self::Waiting { stage, .. }
            | Self::Rereading { stage, .. }
            | Self::Ordered { stage, .. }
            | Self::Verifying { stage, .. } => Some((Millis::ZERO, stage + 1)),
            Self::Held { stage, until: Some(until) } => Some((until.since(now), stage + 1)),
            Self::Held { until: None, .. } | Self::Done | Self::Failed | Self::Aborted { .. } => None,
        }
    }

    /// Whether this stage waits for its own delay now, or comes by itself when nobody has decided in time.
    const fn is_turn_of(&self, index: u8) -> bool {
        match *self {
            Self::Waiting { stage, .. } | Self::Rereading { stage, .. } => stage == index,
            Self::Held { stage, until: Some(_) } => stage + 1 == index,
            Self::Countdown { .. }
            | Self::Ordered { .. }
            | Self::Verifying { .. }
            | Self::Held { until: None, .. }
            | Self::Done
            | Self::Failed
            | Self::Aborted { .. } => false,
        }
    }

    /// Whether the delay of the stage that comes next is in that time already.
    const fn has_counted_delay(&self) -> bool {
        matches!(self, Self::Waiting { attempt: 0, .. })
    }
}

fn has_cut(run: &Run, spec: &Sequence) -> bool {
    spec.stages.iter().enumerate().any(|(stage, spec)| spec.cuts.something() && run.has_commanded(stage))
}

/// The earliest that something is cut next.
fn next_cut(run: &Run, spec: &Sequence, now: Uptime) -> Option<Millis> {
    run.cut_within(spec, now, Cuts::something)
}

impl Run {
    /// The earliest that a stage is commanded whose cut `counts`, as long as every stage has its effect at once; `None`
    /// if there is none to come. Other means come only after a failure, and what persons must tell to go on has no time.
    #[must_use]
    pub fn cut_within(&self, spec: &Sequence, now: Uptime, counts: impl Fn(&Cuts) -> bool) -> Option<Millis> {
        let (mut time, first) = self.step.resumes(spec, now)?;
        for (index, stage) in (0_u8..).zip(&spec.stages).skip(usize::from(first)) {
            match stage.when {
                // Where it is the turn of other means, the stage before has failed.
                StageWhen::AfterFailure if index != first || !self.step.is_turn_of(index) => continue,
                StageWhen::ByPersons(persons) if self.told_by(index) < persons => return None,
                StageWhen::Always | StageWhen::AfterFailure | StageWhen::ByPersons(_) => {}
            }
            if index != first || !self.step.has_counted_delay() {
                time = time.plus(stage.delay);
            }
            if counts(&stage.cuts) {
                return Some(time);
            }
        }
        None
    }
}

/// For how long it can still be aborted, at the least: until the point of no return may be reached.
pub(super) fn abortable_for(run: &Run, spec: &Sequence, now: Uptime) -> Millis {
    let passed = match run.step {
        Step::Countdown { .. } => false,
        ref step => step.next().is_none_or(|stage| spec.no_return <= stage),
    };
    let Some((left, first)) = run.step.resumes(spec, now).filter(|_| !passed && !run.cause.is_by_hand())
    else {
        return Millis::ZERO;
    };
    let counted = usize::from(first) + usize::from(run.step.has_counted_delay());
    let before = spec.stages.iter().take(usize::from(spec.no_return)).skip(counted);
    before.fold(left, |time, stage| time.plus(stage.delay))
}

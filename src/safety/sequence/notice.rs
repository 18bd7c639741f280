//! Notice to service owners: from `warning` on, not when the cut is decided. That alone gives them minutes.

use crate::safety::fact::{Fact, Output};
use crate::safety::risk::Level;
use crate::safety::sequence::engine::Actor;
use crate::safety::sequence::spec::Mode;
use crate::safety::sequence::{NOTICE_MARKS, Notice, NoticeStage, Phase, Step};
use crate::units::{Millis, Uptime};

/// How often a notice that still holds is repeated.
pub(super) const NOTICE_REPEAT: Millis = Millis::from_secs(60);

/// The last notice given.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct NoticeTrack {
    last: Option<(NoticeStage, Uptime)>,
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
        if !is_due(self.track.notice.last, stage, now) {
            return;
        }
        self.track.notice.last = Some((stage, now));
        self.numbers.notice += 1;
        let run = match &self.track.state.phase {
            Phase::Run(run) => Some(run),
            Phase::Idle => None,
        };
        let notice = Notice {
            sequence: self.id,
            zone: self.spec.zone,
            level: self.scene.judgement.level(self.spec.zone),
            run: run.map(|run| run.id),
            number: self.numbers.notice,
            stage,
            shadow: run.map_or(self.track.state.mode == Mode::Shadow, |run| run.shadow),
        };
        self.out.push(Output::Fact(Fact::Notice(Box::new(notice))));
    }

    /// What service owners should know now; `None` when there is nothing.
    fn announcement(&self) -> Option<NoticeStage> {
        let now = self.scene.now.uptime;
        let warned = Level::Warning <= self.scene.judgement.level(self.spec.zone);
        let Phase::Run(run) = &self.track.state.phase else {
            return match (warned, self.track.notice.last) {
                (true, _) => Some(NoticeStage::Prepare),
                (false, Some((NoticeStage::AllClear, _)) | None) => None,
                (false, Some(_)) => Some(NoticeStage::AllClear),
            };
        };
        Some(match run.step {
            Step::Countdown { until } | Step::Rereading { from: until, .. } => {
                let earliest = until.since(now);
                NoticeStage::Countdown { earliest, abortable: earliest }
            }
            Step::Waiting { .. } | Step::Ordered { .. } | Step::Verifying { .. } | Step::Held { .. } => {
                NoticeStage::Cutting
            }
            Step::Done => NoticeStage::Done,
            Step::Failed => NoticeStage::Failed,
            Step::Aborted { .. } => NoticeStage::Aborted,
        })
    }
}

/// A notice is given when it says something else than the last, when a countdown passes a mark, and again
/// every minute while power may still go.
fn is_due(last: Option<(NoticeStage, Uptime)>, stage: NoticeStage, now: Uptime) -> bool {
    let Some((before, when)) = last else { return true };
    let repeat = NOTICE_REPEAT <= now.since(when);
    match (before, stage) {
        (NoticeStage::Countdown { earliest: then, .. }, NoticeStage::Countdown { earliest, .. }) => {
            repeat || NOTICE_MARKS.iter().any(|mark| earliest <= *mark && *mark < then)
        }
        (NoticeStage::Prepare, NoticeStage::Prepare) | (NoticeStage::Cutting, NoticeStage::Cutting) => repeat,
        (before, stage) => before != stage,
    }
}

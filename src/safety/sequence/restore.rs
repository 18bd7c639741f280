//! How a sequence stands after a restart (R12): nothing is forgotten, nothing starts again at stage one.

use crate::safety::memory::{Memory, SequenceMemory};
use crate::safety::sequence::engine::{Sequences, Track};
use crate::safety::sequence::notice::NoticeTrack;
use crate::safety::sequence::spec::{Mode, OnFail, Sequence};
use crate::safety::sequence::{Phase, Run, SequenceEvent, SequenceState, StageState, Step};
use crate::safety::site::Site;
use crate::units::{Millis, Uptime};

/// How long a restart waits for good readings before the written policy decides (R12).
pub(super) const REREAD_WAIT: Millis = Millis::from_secs(10);

impl Track {
    pub(super) fn restore(spec: &Sequence, memory: &Memory, now: Uptime) -> Self {
        let before = memory.sequences.get(&spec.name);
        let mode = match before {
            // The configuration says what it said then, so what a person chose since still holds.
            Some(before) if before.configured == spec.mode => before.state.mode,
            // A key has to be turned first.
            Some(_) | None if spec.mode == Mode::Armed && spec.arming_key.is_some() => Mode::Shadow,
            Some(_) | None => spec.mode,
        };
        let proven = before.and_then(|before| before.state.proven.clone());
        // I4: what was changed since it was proven judges and records, until it is proven again.
        let mode = if mode == Mode::Armed && !spec.is_proven(proven.as_ref()) { Mode::Shadow } else { mode };
        let phase =
            before.map_or(Phase::Idle, |before| match restored_phase(spec, before, memory.same_boot, now) {
                // No longer armed: the run is not forgotten, but it writes nothing more by itself (S2).
                Phase::Run(run) if mode != Mode::Armed && !run.shadow => Phase::Run(run.held()),
                phase @ (Phase::Run(_) | Phase::Idle) => phase,
            });
        // A drill does not outlive its daemon: it wrote nothing, and nobody waits for it.
        let phase = match phase {
            Phase::Run(run) if run.cause.is_drill() => Phase::Idle,
            phase @ (Phase::Run(_) | Phase::Idle) => phase,
        };
        let first_word = match &phase {
            Phase::Run(run) if matches!(run.step, Step::Rereading { .. }) => SequenceEvent::Resumed,
            Phase::Run(Run { step: Step::Held { stage, .. }, .. }) => SequenceEvent::Held(*stage),
            Phase::Run(_) | Phase::Idle => SequenceEvent::Mode { by: None },
        };
        Self {
            state: SequenceState { mode, phase, proven },
            selected: None,
            notice: NoticeTrack::default(),
            key_is_on: None,
            abort_input_held: true,
            version: 0,
            first_word: Some(first_word),
        }
    }
}

pub(super) fn restored_phase(
    spec: &Sequence,
    before: &SequenceMemory,
    same_boot: bool,
    now: Uptime,
) -> Phase {
    let Phase::Run(run) = before.state.phase.clone() else { return Phase::Idle };
    let same_stages = spec.stages.iter().map(|stage| &stage.name).eq(before.stages.iter())
        && run.stages.len() == spec.stages.len();
    if !same_stages {
        // Another configuration: what that run was about to do no longer exists. A person decides.
        let stages = vec![StageState::Pending; spec.stages.len()];
        let step = if run.step.is_over() { run.step } else { Step::Held { stage: 0, until: None } };
        return Phase::Run(Run { step, stages, ..run });
    }
    let reread = |stage: u8, attempt: u8, from: Uptime| Step::Rereading {
        stage,
        attempt,
        from,
        until: now.plus(REREAD_WAIT),
    };
    let mut stages = run.stages.clone();
    if let Step::Waiting { stage, attempt: 0, .. } = run.step {
        // It was never commanded: whoever goes on, goes on with it and not after it (S11).
        stages[usize::from(stage)] = StageState::Pending;
    }
    let step = match run.step.clone() {
        // Uptime of another boot says nothing: the countdown is had again, in full.
        Step::Countdown { until } => reread(0, 0, if same_boot { until } else { now.plus(spec.countdown) }),
        // A restart soon after a restart: what was left of the countdown still is.
        Step::Rereading { stage, attempt, from, .. } if same_boot => reread(stage, attempt, from),
        Step::Rereading { stage: 0, attempt: 0, .. } => reread(0, 0, now.plus(spec.countdown)),
        Step::Waiting { stage, attempt, .. }
        | Step::Rereading { stage, attempt, .. }
        | Step::Ordered { stage, attempt, .. }
        | Step::Verifying { stage, attempt, .. } => reread(stage, attempt, now),
        // The deadline of a person is had again after a reboot, in full.
        Step::Held { stage, until: Some(_) } if !same_boot => {
            let until = match spec.stages[usize::from(stage)].on_fail {
                OnFail::HoldFor(wait) => Some(now.plus(wait)),
                OnFail::Next | OnFail::Hold => None,
            };
            Step::Held { stage, until }
        }
        over @ (Step::Held { .. } | Step::Done | Step::Failed | Step::Aborted { .. }) => over,
    };
    Phase::Run(Run { step, stages, ..run })
}

impl Run {
    /// This run, waiting for a person where it is.
    fn held(self) -> Self {
        let step = match self.step {
            Step::Countdown { .. } => Step::Held { stage: 0, until: None },
            Step::Rereading { stage, .. }
            | Step::Waiting { stage, .. }
            | Step::Ordered { stage, .. }
            | Step::Verifying { stage, .. }
            | Step::Held { stage, .. } => Step::Held { stage, until: None },
            over @ (Step::Done | Step::Failed | Step::Aborted { .. }) => over,
        };
        Self { step, ..self }
    }
}

impl Sequences {
    /// What must survive the next restart.
    pub(crate) fn remember(&self, site: &Site, memory: &mut Memory) {
        for (spec, track) in site.sequences.iter().zip(&self.tracks) {
            let kept = SequenceMemory {
                state: track.state.clone(),
                configured: spec.mode,
                stages: spec.stages.iter().map(|stage| stage.name.clone()).collect(),
            };
            memory.sequences.insert(spec.name.clone(), kept);
        }
        memory.numbers = self.numbers;
    }

    /// Whether any run is under way for real.
    pub(crate) fn is_cutting(&self) -> bool {
        self.tracks.iter().any(|track| match &track.state.phase {
            Phase::Run(run) => !run.shadow && !run.step.is_over() && track.state.mode != Mode::Disabled,
            Phase::Idle => false,
        })
    }
}

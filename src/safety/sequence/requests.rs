//! What people may ask of a sequence. Cutting is easy, stopping is bounded, undoing is hard.

use std::sync::Arc;

use crate::safety::fact::{Operator, Output, Refusal};
use crate::safety::sequence::engine::{Actor, Scene, Sequences};
use crate::safety::sequence::spec::{Mode, Sequence, StageWhen};
use crate::safety::sequence::{
    Cause, Phase, Proven, Run, RunId, SequenceEvent, StageFault, StageState, Step, Told,
};
use crate::safety::site::SequenceId;
use crate::units::{Millis, WallTime};

/// How long the first step of a cut by hand stays good for the second.
pub(crate) const SELECT_VALID: Millis = Millis::from_secs(10);

/// What may be asked of one sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    Abort(Option<RunId>),
    Arm,
    Disarm,
    Select,
    Start,
    Reset,
    Drill,
    ProofTested,
}

impl Sequences {
    /// Follows a request. Where one person is enough, the first is the second.
    pub(crate) fn ask(
        &mut self,
        scene: &Scene<'_>,
        sequence: SequenceId,
        wish: Wish,
        [first, by]: [&Operator; 2],
        out: &mut Vec<Output>,
    ) -> Result<(), Refusal> {
        if self.tracks.len() <= sequence.index() {
            return Err(Refusal::NothingToDo);
        }
        let mut actor = self.actor(sequence, scene, out);
        match wish {
            Wish::Abort(run) => actor.abort(run, by),
            Wish::Arm if actor.spec.arming_key.is_some() => Err(Refusal::ByKey),
            Wish::Arm => actor.arm(by),
            Wish::Disarm => actor.disarm(by),
            Wish::Select => actor.select(by),
            Wish::Start => actor.start_by_hand(by),
            Wish::Reset => actor.reset(by),
            Wish::Drill => actor.drill(by),
            Wish::ProofTested => actor.proof_tested([first, by]),
        }
    }
}

impl Sequences {
    /// The state that two persons must have seen, where it takes two (R15); refused at once what could not be followed.
    pub(crate) fn takes_two(
        &mut self,
        scene: &Scene<'_>,
        sequence: SequenceId,
        wish: Wish,
    ) -> Result<Option<u64>, Refusal> {
        if self.tracks.len() <= sequence.index() {
            return Err(Refusal::NothingToDo);
        }
        let mut nothing = Vec::new();
        let actor = self.actor(sequence, scene, &mut nothing);
        let two = match wish {
            Wish::Disarm => {
                actor.may_disarm()?;
                true
            }
            Wish::Reset => {
                actor.may_reset()?;
                actor.real_cut(|_, _| true)
            }
            Wish::ProofTested => {
                actor.spec.proof.as_ref().ok_or(Refusal::NothingToDo)?;
                true
            }
            Wish::Abort(_) | Wish::Arm | Wish::Select | Wish::Start | Wish::Drill => false,
        };
        Ok(two.then_some(actor.track.version))
    }
}

impl Sequence {
    /// Whether what is proven is what it would do now, where a proof is asked for at all.
    pub(super) fn is_proven(&self, proven: Option<&Proven>) -> bool {
        self.proof.as_ref().is_none_or(|asked| proven.is_some_and(|proven| proven.of == asked.of))
    }

    /// Whether its proof test is missing, of another configuration, or overdue. A clock that was set back says nothing.
    pub(crate) fn wants_proof(&self, proven: Option<&Proven>, now: WallTime) -> bool {
        let Some(asked) = &self.proof else { return false };
        let age = proven.map(|proven| u64::try_from(now.0.saturating_sub(proven.at.0)).unwrap_or(0));
        !self.is_proven(proven) || age.is_none_or(|age| asked.every.0 < age)
    }
}

impl Actor<'_> {
    /// R11: only before the point of no return, and never what a person demanded by hand (I5). A command that is under
    /// way is read back first; then the run ends.
    pub(super) fn abort(&mut self, seen: Option<RunId>, by: &Operator) -> Result<(), Refusal> {
        let no_return = self.spec.no_return;
        let Phase::Run(run) = &mut self.track.state.phase else { return Err(Refusal::NotNow) };
        if seen.is_some_and(|seen| seen != run.id) {
            return Err(Refusal::OutOfDate);
        }
        match run.step {
            Step::Done | Step::Failed | Step::Aborted { .. } => Err(Refusal::NotNow),
            _ if run.cause.is_by_hand() => Err(Refusal::ByHand),
            Step::Rereading { stage, .. }
            | Step::Waiting { stage, .. }
            | Step::Ordered { stage, .. }
            | Step::Verifying { stage, .. }
            | Step::Held { stage, .. }
                if no_return <= stage =>
            {
                Err(Refusal::TooLate)
            }
            Step::Ordered { .. } | Step::Verifying { .. } => {
                run.aborting = Some(by.clone());
                Ok(())
            }
            Step::Countdown { .. } | Step::Rereading { .. } | Step::Waiting { .. } | Step::Held { .. } => {
                run.step = Step::Aborted { by: by.clone() };
                self.say(SequenceEvent::Aborted { by: by.clone() });
                Ok(())
            }
        }
    }

    pub(super) fn arm(&mut self, by: &Operator) -> Result<(), Refusal> {
        match (self.track.state.mode, self.run()) {
            (Mode::Armed, _) => Err(Refusal::NothingToDo),
            _ if !self.spec.is_proven(self.track.state.proven.as_ref()) => Err(Refusal::Unproven),
            (Mode::Disabled | Mode::Shadow, Some(run)) if !run.shadow => Err(Refusal::NotNow),
            (Mode::Disabled | Mode::Shadow, _) => {
                // What a shadow run only recorded, an armed sequence does for real.
                if self.is_free() {
                    self.end_drill();
                }
                self.track.state.phase = Phase::Idle;
                self.set_mode(Mode::Armed, by);
                Ok(())
            }
        }
    }

    pub(super) fn may_disarm(&self) -> Result<(), Refusal> {
        match (self.track.state.mode, self.run()) {
            (Mode::Shadow | Mode::Disabled, _) => Err(Refusal::NothingToDo),
            (Mode::Armed, Some(run)) if !run.shadow && !run.step.is_over() => Err(Refusal::NotNow),
            (Mode::Armed, _) => Ok(()),
        }
    }

    fn disarm(&mut self, by: &Operator) -> Result<(), Refusal> {
        self.may_disarm()?;
        self.set_mode(Mode::Shadow, by);
        Ok(())
    }

    fn select(&mut self, by: &Operator) -> Result<(), Refusal> {
        if !self.can_start_by_hand() {
            return Err(Refusal::NotNow);
        }
        self.track.selected = Some((by.clone(), self.scene.now.uptime));
        self.say(SequenceEvent::Selected { by: by.clone() });
        Ok(())
    }

    /// A cut by hand has no countdown: a person has decided. A held run goes on where persons tell it to.
    fn start_by_hand(&mut self, by: &Operator) -> Result<(), Refusal> {
        let (first, when) = self.track.selected.clone().ok_or(Refusal::NotNow)?;
        let now = self.scene.now.uptime;
        if SELECT_VALID < now.since(when) || !self.can_start_by_hand() {
            return Err(Refusal::NotNow);
        }
        if let Some(stage) = self.held_at() {
            return self.go_on_by_hand(stage, [first, by.clone()]);
        }
        if first != *by {
            return Err(Refusal::NotNow);
        }
        self.track.selected = None;
        if self.is_free() {
            self.end_drill();
            self.start(Cause::Manual { by: by.clone() }, Step::Countdown { until: now });
        } else {
            // A countdown that runs already ends now.
            self.step(Step::Countdown { until: now });
        }
        Ok(())
    }

    /// One person goes on: with the stage that waits for persons or that an interlock stopped, else with the one after
    /// what failed. What would take the last feed (I1) takes two, one for each step.
    fn go_on_by_hand(&mut self, held: u8, by: [Operator; 2]) -> Result<(), Refusal> {
        let persons = if by[0] == by[1] { 1 } else { 2 };
        let state = self.run().and_then(|run| run.stages.get(usize::from(held)).copied());
        // What was commanded has had its tries (S10).
        let untried = self.run().is_some_and(|run| !run.has_commanded(usize::from(held)));
        let (stage, effective) = match state {
            Some(StageState::Pending) => (held, None),
            Some(StageState::Failed(
                StageFault::Requires(_) | StageFault::Budget | StageFault::Maintenance,
            )) if untried => (held, None),
            Some(StageState::Failed(StageFault::LastFeed(_))) if untried && persons == 2 => (held, None),
            Some(StageState::Verified) => (held + 1, Some(true)),
            _ => (held + 1, Some(false)),
        };
        let needs_two = |stage: u8| {
            let spec = self.spec.stages.get(usize::from(stage));
            spec.is_some_and(|spec| spec.when == StageWhen::ByPersons(2))
        };
        if effective.is_none() && needs_two(stage) && persons < 2 {
            return Err(Refusal::SecondPerson);
        }
        self.track.selected = None;
        if let Phase::Run(run) = &mut self.track.state.phase {
            run.told = Some(Told { stage, persons });
        }
        self.say(SequenceEvent::Told { by, stage: held });
        match effective {
            None => self.enter(stage),
            Some(effective) => self.go_on_after(held, effective),
        }
        Ok(())
    }

    fn held_at(&self) -> Option<u8> {
        self.run().and_then(|run| match run.step {
            Step::Held { stage, .. } => Some(stage),
            _ => None,
        })
    }

    fn can_start_by_hand(&self) -> bool {
        self.track.state.mode != Mode::Disabled
            && match &self.track.state.phase {
                Phase::Idle => true,
                Phase::Run(run) if run.cause.is_drill() => true,
                // A real run of a sequence that is no longer armed would write nothing and count it as done.
                Phase::Run(run) if !run.shadow && self.track.state.mode != Mode::Armed => false,
                Phase::Run(run) => matches!(run.step, Step::Held { .. } | Step::Countdown { .. }),
            }
    }

    /// Two persons say that every stage did at the plant what the configuration says (I4).
    fn proof_tested(&mut self, by: [&Operator; 2]) -> Result<(), Refusal> {
        let proof = self.spec.proof.as_ref().ok_or(Refusal::NothingToDo)?;
        let (by, of) = (by.map(Clone::clone), Arc::clone(&proof.of));
        let second = by[1].clone();
        self.track.state.proven = Some(Proven { by, at: self.scene.now.wall, of });
        self.say(SequenceEvent::Proven { by: second });
        Ok(())
    }

    /// A rehearsal: with all that a cut decides, and without a write. What is real ends it.
    fn drill(&mut self, by: &Operator) -> Result<(), Refusal> {
        let over = self.run().is_none_or(|run| run.cause.is_drill() && run.step.is_over());
        if !over || self.track.state.mode == Mode::Disabled {
            return Err(Refusal::NotNow);
        }
        self.track.state.phase = Phase::Idle;
        let until = self.scene.now.uptime.plus(self.spec.countdown);
        self.start(Cause::Drill { by: by.clone() }, Step::Countdown { until });
        Ok(())
    }

    /// R10: only what is over or held, and only with the cause known to be gone.
    fn may_reset(&self) -> Result<(), Refusal> {
        let run = self.run().ok_or(Refusal::NothingToDo)?;
        if !run.step.is_over() && !matches!(run.step, Step::Held { .. }) {
            return Err(Refusal::NotNow);
        }
        let trigger = self.scene.judgement.finding(self.scene.site, self.spec.trigger);
        let vote = self.scene.judgement.vote(self.spec.trigger);
        if !run.shadow && (vote.complete || !trigger.known) {
            return Err(Refusal::CauseStands);
        }
        Ok(())
    }

    /// Whether a stage that takes power from anything, of a run that is no rehearsal, is `so`.
    fn real_cut(&self, so: impl Fn(&Run, usize) -> bool) -> bool {
        self.run().filter(|run| !run.shadow).is_some_and(|run| {
            let stages = self.spec.stages.iter().enumerate();
            stages.filter(|(_, stage)| stage.cuts.something()).any(|(index, _)| so(run, index))
        })
    }

    /// I8: after a cut it is armed anew by a person, or not at all.
    fn reset(&mut self, by: &Operator) -> Result<(), Refusal> {
        self.may_reset()?;
        let locks_out = self.track.state.mode == Mode::Armed && self.real_cut(Run::has_commanded);
        self.track.state.phase = Phase::Idle;
        self.say(SequenceEvent::Reset { by: by.clone() });
        if locks_out {
            self.set_mode(Mode::Shadow, by);
        }
        Ok(())
    }

    pub(super) fn set_mode(&mut self, mode: Mode, by: &Operator) {
        self.track.state.mode = mode;
        self.say(SequenceEvent::Mode { by: Some(by.clone()) });
    }

    fn run(&self) -> Option<&Run> {
        match &self.track.state.phase {
            Phase::Run(run) => Some(run),
            Phase::Idle => None,
        }
    }
}

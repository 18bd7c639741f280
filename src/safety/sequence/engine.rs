//! Carries out the moves of runs, and says what happened.

use crate::safety::fact::{DriveFault, Fact, Order, OrderId, Output};
use crate::safety::memory::{Memory, Numbers};
use crate::safety::quality::Picture;
use crate::safety::risk::Judgement;
use crate::safety::sequence::decide::{Move, decide};
use crate::safety::sequence::notice::NoticeTrack;
use crate::safety::sequence::spec::{Mode, OnFail, Sequence, StageWhen};
use crate::safety::sequence::{
    Cause, Phase, Run, RunId, SequenceChange, SequenceEvent, SequenceState, StageFault, StageState, Step,
};
use crate::safety::site::{SequenceId, Site};
use crate::units::{Millis, Now, Uptime};

/// The most moves one run makes in one scan: enough to fall through every stage of a shadow run.
const MOVES_PER_SCAN_MAX: usize = 64;

/// What the sequences see.
pub(crate) struct Scene<'a> {
    pub(crate) site: &'a Site,
    pub(crate) picture: &'a Picture,
    pub(crate) judgement: &'a Judgement,
    pub(crate) now: Now,
    /// When this core started.
    pub(crate) born: Uptime,
    /// The loop was held up until this very scan: no command leaves in it (S18).
    pub(crate) after_gap: bool,
}

/// All sequences of the site.
#[derive(Clone, Debug)]
pub(crate) struct Sequences {
    pub(super) tracks: Vec<Track>,
    pub(super) numbers: Numbers,
}

/// One sequence.
#[derive(Clone, Debug)]
pub(super) struct Track {
    pub(super) state: SequenceState,
    /// Who took the first step of a cut by hand, and when.
    pub(super) selected: Option<(crate::safety::fact::Operator, Uptime)>,
    pub(super) notice: NoticeTrack,
    /// Something to say at the first scan: how it stands after a start.
    pub(super) first_word: Option<SequenceEvent>,
}

impl Sequences {
    pub(crate) fn new(site: &Site, memory: &Memory, now: Uptime) -> Self {
        let tracks = site.sequences.iter().map(|spec| Track::restore(spec, memory, now)).collect();
        Self { tracks, numbers: memory.numbers }
    }

    /// How a sequence stands.
    pub(crate) fn state(&self, sequence: SequenceId) -> &SequenceState {
        &self.tracks[sequence.index()].state
    }

    /// The loop was held up: what waits for readings waits that much longer. A countdown does not; its
    /// first stage waits for fresh readings anyway.
    pub(crate) fn forgive(&mut self, gap: Millis) {
        for track in &mut self.tracks {
            if let Phase::Run(run) = &mut track.state.phase {
                match &mut run.step {
                    Step::Waiting { until, .. }
                    | Step::Verifying { until, .. }
                    | Step::Rereading { until, .. } => *until = until.plus(gap),
                    Step::Ordered { answer_by, .. } => *answer_by = answer_by.plus(gap),
                    Step::Countdown { .. }
                    | Step::Held { .. }
                    | Step::Done
                    | Step::Failed
                    | Step::Aborted { .. } => {}
                }
            }
        }
    }

    /// Takes in the outcome of an order. The answer to an order that is no longer waited for is no matter.
    pub(crate) fn answered(
        &mut self,
        scene: &Scene<'_>,
        order: OrderId,
        at: Uptime,
        result: Result<(), DriveFault>,
        out: &mut Vec<Output>,
    ) {
        for index in 0..self.tracks.len() {
            let Phase::Run(run) = &self.tracks[index].state.phase else { continue };
            let Step::Ordered { stage, order: waiting_for, attempt, .. } = run.step else { continue };
            if waiting_for != order {
                continue;
            }
            let mut actor = self.actor(SequenceId::at(index), scene, out);
            match result {
                Ok(()) => actor.confirmed(stage, attempt, at),
                // Nobody knows what happened: the feedback does (R8).
                Err(DriveFault::NoAnswer | DriveFault::WrongEcho) => actor.read_back(stage, attempt, at),
                Err(fault @ (DriveFault::NotSent | DriveFault::Exception(_) | DriveFault::NotAllowed)) => {
                    actor.missed(stage, attempt, StageFault::Drive(fault));
                }
            }
        }
    }

    /// Starts what must start, and carries every run as far as it can go now.
    pub(crate) fn advance(&mut self, scene: &Scene<'_>, out: &mut Vec<Output>) {
        for index in 0..self.tracks.len() {
            let mut actor = self.actor(SequenceId::at(index), scene, out);
            if let Some(event) = actor.track.first_word.take() {
                actor.say(event);
            }
            actor.start_if_voted();
            for _ in 0..MOVES_PER_SCAN_MAX {
                let Phase::Run(run) = &actor.track.state.phase else { break };
                let Some(step) = decide(run, actor.spec, scene) else { break };
                actor.carry_out(step);
            }
            actor.notify();
        }
    }

    pub(super) fn actor<'a>(
        &'a mut self,
        id: SequenceId,
        scene: &'a Scene<'a>,
        out: &'a mut Vec<Output>,
    ) -> Actor<'a> {
        let track = &mut self.tracks[id.index()];
        Actor { id, spec: &scene.site[id], track, numbers: &mut self.numbers, scene, out }
    }
}

/// One sequence with all it needs to act.
pub(super) struct Actor<'a> {
    pub(super) id: SequenceId,
    pub(super) spec: &'a Sequence,
    pub(super) track: &'a mut Track,
    pub(super) numbers: &'a mut Numbers,
    pub(super) scene: &'a Scene<'a>,
    pub(super) out: &'a mut Vec<Output>,
}

impl Actor<'_> {
    fn start_if_voted(&mut self) {
        let vote = self.scene.judgement.vote(self.spec.trigger);
        if self.track.state.phase != Phase::Idle || self.track.state.mode == Mode::Disabled || !vote.complete
        {
            return;
        }
        let until = self.scene.now.uptime.plus(self.spec.countdown);
        self.start(Cause::Vote { voting: vote.voting, by_policy: vote.by_policy }, Step::Countdown { until });
    }

    pub(super) fn start(&mut self, cause: Cause, step: Step) {
        self.numbers.run += 1;
        self.track.state.phase = Phase::Run(Run {
            id: RunId(self.numbers.run),
            cause,
            since: self.scene.now.wall,
            shadow: self.track.state.mode == Mode::Shadow,
            step,
            stages: vec![StageState::Pending; self.spec.stages.len()],
            aborting: None,
        });
        self.say(SequenceEvent::Started);
    }

    fn carry_out(&mut self, step: Move) {
        match step {
            Move::CountOn { until } => {
                self.step(Step::Countdown { until });
                self.say(SequenceEvent::Resumed);
            }
            Move::Begin { stage, attempt } => self.begin(stage, attempt),
            Move::Order { stage, attempt } => self.order(stage, attempt),
            Move::ReadBack { stage, attempt } => self.read_back(stage, attempt, self.scene.now.uptime),
            Move::Verified { stage } => self.verified(stage),
            Move::Missed { stage, attempt, fault } => self.missed(stage, attempt, fault),
            Move::Hold { stage } => self.hold(stage),
        }
    }

    pub(super) fn begin(&mut self, stage: u8, attempt: u8) {
        let spec = &self.spec.stages[usize::from(stage)];
        let from = self.scene.now.uptime.plus(if attempt == 0 { spec.delay } else { Millis::ZERO });
        self.step(Step::Waiting { stage, attempt, from, until: from.plus(spec.permissive_wait) });
        self.mark(stage, StageState::Waiting);
        self.say(if attempt == 0 {
            SequenceEvent::StageBegun(stage)
        } else {
            SequenceEvent::StageRetried(stage)
        });
    }

    fn order(&mut self, stage: u8, attempt: u8) {
        let Phase::Run(run) = &self.track.state.phase else { return };
        // S2: whatever the run was, nothing leaves unless the sequence is armed now.
        let (run, shadow) = (run.id, run.shadow || self.track.state.mode != Mode::Armed);
        let spec = &self.spec.stages[usize::from(stage)];
        self.mark(stage, StageState::Ordered);
        if shadow {
            // Nothing was written, so nothing can be read back: the stage counts as carried out.
            self.say(SequenceEvent::StageOrdered(stage));
            return self.verified(stage);
        }
        self.numbers.order += 1;
        let id = OrderId(self.numbers.order);
        let answer_by = self.scene.now.uptime.plus(spec.verify_within);
        self.step(Step::Ordered { stage, order: id, attempt, answer_by });
        self.say(SequenceEvent::StageOrdered(stage));
        let order = Order { id, run, sequence: self.id, stage, action: spec.action, attempt, answer_by };
        self.out.push(Output::Order(order));
    }

    fn confirmed(&mut self, stage: u8, attempt: u8, at: Uptime) {
        self.mark(stage, StageState::Confirmed);
        self.read_back(stage, attempt, at);
        self.say(SequenceEvent::StageConfirmed(stage));
    }

    fn read_back(&mut self, stage: u8, attempt: u8, after: Uptime) {
        let until = self.scene.now.uptime.plus(self.spec.stages[usize::from(stage)].verify_within);
        self.step(Step::Verifying { stage, attempt, after, until });
    }

    fn verified(&mut self, stage: u8) {
        self.mark(stage, StageState::Verified);
        self.say(SequenceEvent::StageVerified(stage));
        self.conclude(stage, true);
    }

    fn missed(&mut self, stage: u8, attempt: u8, fault: StageFault) {
        let spec = &self.spec.stages[usize::from(stage)];
        let hopeless = matches!(fault, StageFault::Permissive(_) | StageFault::Drive(DriveFault::NotAllowed));
        if !hopeless && !self.is_aborting() && self.scene.may_repeat(spec, attempt) {
            return self.begin(stage, attempt);
        }
        self.mark(stage, StageState::Failed(fault));
        self.say(SequenceEvent::StageFailed(stage, fault));
        self.conclude(stage, false);
    }

    /// A stage has come to its end: what follows (R9). A failed stage never ends a run in silence.
    fn conclude(&mut self, stage: u8, effective: bool) {
        if self.is_aborting() || (!effective && self.spec.stages[usize::from(stage)].on_fail == OnFail::Hold)
        {
            return self.hold(stage);
        }
        self.go_on_after(stage, effective);
    }

    /// Stops at a stage: for good if a person has asked for that meanwhile, else until one decides.
    fn hold(&mut self, stage: u8) {
        let aborting = match &self.track.state.phase {
            Phase::Run(run) => run.aborting.clone(),
            Phase::Idle => None,
        };
        if let Some(by) = aborting {
            self.step(Step::Aborted { by: by.clone() });
            return self.say(SequenceEvent::Aborted { by });
        }
        self.step(Step::Held { stage });
        self.say(SequenceEvent::Held(stage));
    }

    /// The stage that follows, or the end of the run.
    pub(super) fn go_on_after(&mut self, stage: u8, effective: bool) {
        for (index, next) in (0_u8..).zip(&self.spec.stages).skip(usize::from(stage) + 1) {
            if effective && next.when == StageWhen::AfterFailure {
                self.mark(index, StageState::Skipped);
                self.say(SequenceEvent::StageSkipped(index));
            } else {
                return self.begin(index, 0);
            }
        }
        self.step(if effective { Step::Done } else { Step::Failed });
        self.say(if effective { SequenceEvent::Done } else { SequenceEvent::Failed });
    }

    fn is_aborting(&self) -> bool {
        matches!(&self.track.state.phase, Phase::Run(run) if run.aborting.is_some())
    }

    pub(super) fn step(&mut self, step: Step) {
        if let Phase::Run(run) = &mut self.track.state.phase {
            run.step = step;
        }
    }

    fn mark(&mut self, stage: u8, state: StageState) {
        if let Phase::Run(run) = &mut self.track.state.phase {
            run.stages[usize::from(stage)] = state;
        }
    }

    pub(super) fn say(&mut self, event: SequenceEvent) {
        let change = SequenceChange { sequence: self.id, event, now: self.track.state.clone() };
        self.out.push(Output::Fact(Fact::Sequence(Box::new(change))));
    }
}

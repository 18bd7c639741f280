//! Carries out the moves of runs, and says what happened.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::safety::fact::{DriveFault, Fact, Operator, Order, OrderId, Output, Refusal, Request};
use crate::safety::memory::{Memory, Numbers};
use crate::safety::quality::Picture;
use crate::safety::risk::Judgement;
use crate::safety::sequence::decide::Move;
use crate::safety::sequence::interlock::LatelyCut;
use crate::safety::sequence::notice::NoticeTrack;
use crate::safety::sequence::spec::{Mode, OnFail, Sequence, Stage, StageWhen};
use crate::safety::sequence::{
    Cause, Phase, Run, RunId, SequenceChange, SequenceEvent, SequenceState, StageFault, StageState, Step,
};
use crate::safety::site::{SequenceId, Site, ZoneId};
use crate::units::{Millis, Now, Uptime};

/// The most moves one run makes in one scan: enough to fall through every stage of a shadow run.
const MOVES_PER_SCAN_MAX: usize = 64;

/// Who is named where a real demand ends a drill.
const DEMAND: &str = "demand";

/// Who is named where the key arms and disarms.
const KEY: &str = "key-switch";

/// Who is named where the hard-wired input aborts.
const ABORT_INPUT: &str = "abort-input";

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
    pub(super) lately: LatelyCut,
    /// Zones in which somebody works: nothing is cut by itself there (I10).
    maintained: Vec<bool>,
    /// The machines that stages wait for, as counted last, and when; of the UPSs that stages name only.
    logins: BTreeMap<Arc<str>, Option<(u32, Uptime)>>,
}

/// A count of machines that is older than this is not believed.
const LOGINS_AGE_MAX: Millis = Millis::from_secs(5);

/// One sequence.
#[derive(Clone, Debug)]
pub(super) struct Track {
    pub(super) state: SequenceState,
    /// Who took the first step of a cut by hand, and when.
    pub(super) selected: Option<(Operator, Uptime)>,
    pub(super) notice: NoticeTrack,
    /// How the key was seen last: only its turning arms.
    pub(super) key_is_on: Option<bool>,
    /// The input that aborts reads so, or has not been seen otherwise yet: only its coming aborts.
    pub(super) abort_input_held: bool,
    /// Grows with everything that is said of it: what people have seen (R15).
    pub(super) version: u64,
    /// Something to say at the first scan: how it stands after a start.
    pub(super) first_word: Option<SequenceEvent>,
}

impl Sequences {
    pub(crate) fn new(site: &Site, memory: &Memory, now: Uptime) -> Self {
        let tracks = site.sequences.iter().map(|spec| Track::restore(spec, memory, now)).collect();
        let stages = site.sequences.iter().flat_map(|spec| &spec.stages);
        let waits = stages.filter_map(|stage| stage.wait_for_logins.as_ref());
        let logins = waits.map(|wait| (Arc::clone(&wait.ups), None)).collect();
        let maintained = vec![false; site.zones.len()];
        Self { tracks, numbers: memory.numbers, lately: LatelyCut::default(), maintained, logins }
    }

    /// Takes in a count of machines. Of a UPS that no stage waits for it is no matter.
    pub(crate) fn logged_in(&mut self, ups: &str, at: Uptime, count: u32) {
        if let Some(known) = self.logins.get_mut(ups) {
            *known = Some((count, at));
        }
    }

    /// Whether it is known that no machine is left for which this stage waits.
    pub(super) fn all_have_left(&self, stage: &Stage, now: Uptime) -> bool {
        let counted = stage.wait_for_logins.as_ref().and_then(|wait| *self.logins.get(&wait.ups)?);
        counted.is_some_and(|(count, at)| count == 0 && now.since(at) <= LOGINS_AGE_MAX)
    }

    /// How a sequence stands.
    pub(crate) fn state(&self, sequence: SequenceId) -> &SequenceState {
        &self.tracks[sequence.index()].state
    }

    /// Puts a zone into maintenance, or takes it out (I10).
    pub(crate) fn maintain(&mut self, zone: ZoneId, begins: bool) {
        self.maintained[zone.index()] = begins;
    }

    /// Whether a run that is no rehearsal is under way in this zone, or by one of these triggers.
    pub(crate) fn is_under_way(&self, site: &Site, about: impl Fn(&Sequence) -> bool) -> bool {
        self.tracks.iter().zip(&site.sequences).any(|(track, spec)| match &track.state.phase {
            Phase::Run(run) => about(spec) && !run.shadow && !run.step.is_over(),
            Phase::Idle => false,
        })
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
            let id = SequenceId::at(index);
            let mut actor = self.actor(id, scene, out);
            if let Some(event) = actor.track.first_word.take() {
                actor.say(event);
            }
            actor.heed_key();
            actor.heed_abort_input();
            actor.start_if_voted();
            for _ in 0..MOVES_PER_SCAN_MAX {
                let Some(step) = self.decide(id, scene) else { break };
                self.actor(id, scene, out).carry_out(step);
            }
            self.actor(id, scene, out).notify();
        }
    }

    pub(super) fn actor<'a>(
        &'a mut self,
        id: SequenceId,
        scene: &'a Scene<'a>,
        out: &'a mut Vec<Output>,
    ) -> Actor<'a> {
        let track = &mut self.tracks[id.index()];
        let spec = &scene.site[id];
        Actor {
            id,
            spec,
            in_maintenance: self.maintained[spec.zone.index()],
            track,
            numbers: &mut self.numbers,
            lately: &mut self.lately,
            scene,
            out,
        }
    }
}

/// One sequence with all it needs to act.
pub(super) struct Actor<'a> {
    pub(super) id: SequenceId,
    pub(super) spec: &'a Sequence,
    /// Somebody works on its zone.
    in_maintenance: bool,
    pub(super) track: &'a mut Track,
    pub(super) numbers: &'a mut Numbers,
    pub(super) lately: &'a mut LatelyCut,
    pub(super) scene: &'a Scene<'a>,
    pub(super) out: &'a mut Vec<Output>,
}

impl Actor<'_> {
    fn start_if_voted(&mut self) {
        let vote = self.scene.judgement.vote(self.spec.trigger);
        if self.track.state.mode == Mode::Disabled || !vote.complete || !self.is_free() {
            return;
        }
        self.end_drill();
        let cause = Cause::Vote { voting: vote.voting, by_policy: vote.by_policy };
        if self.in_maintenance {
            return self.start_held(cause);
        }
        let until = self.scene.now.uptime.plus(self.spec.countdown);
        self.start(cause, Step::Countdown { until });
    }

    /// No run is there, or only one that rehearses: it never stands in the way of a real one.
    pub(super) fn is_free(&self) -> bool {
        match &self.track.state.phase {
            Phase::Idle => true,
            Phase::Run(run) => run.cause.is_drill(),
        }
    }

    pub(super) fn end_drill(&mut self) {
        let Phase::Run(run) = &self.track.state.phase else { return };
        if !run.step.is_over() {
            let by = Operator::from(DEMAND);
            self.step(Step::Aborted { by: by.clone() });
            self.say(SequenceEvent::Aborted { by });
        }
        self.track.state.phase = Phase::Idle;
    }

    /// I4: turned, it arms; turned back, it disarms, though not under a run that is under way. What cannot be read stays
    /// as it was: a loose wire neither arms nor disarms.
    fn heed_key(&mut self) {
        let Some(key) = self.spec.arming_key else { return };
        let Some(sample) = self.scene.picture.good(key.point) else { return };
        let on = key.is.holds(sample.value);
        let before = self.track.key_is_on.replace(on);
        let turned = on && before == Some(false);
        let by = Operator::from(KEY);
        if turned {
            // Else refused only where it is armed already, or a run of before has not been reset.
            if self.arm(&by) == Err(Refusal::Unproven) {
                let request = Request::Arm { sequence: self.id };
                self.out.push(Output::Fact(Fact::Refused { by, request, why: Refusal::Unproven }));
            }
        } else if !on && self.may_disarm().is_ok() {
            self.set_mode(Mode::Shadow, &by);
        }
    }

    /// I5: the moment at which the input begins to read so. One that hangs aborts once, and stops nothing later.
    fn heed_abort_input(&mut self) {
        let Some(input) = self.spec.abort_input else { return };
        let Some(sample) = self.scene.picture.good(input.point) else { return };
        let held = input.is.holds(sample.value);
        let pressed = held && !self.track.abort_input_held;
        self.track.abort_input_held = held;
        if !pressed || self.track.state.phase == Phase::Idle {
            return;
        }
        let by = Operator::from(ABORT_INPUT);
        if let Err(why) = self.abort(None, &by) {
            let request = Request::Abort { sequence: self.id, run: None };
            self.out.push(Output::Fact(Fact::Refused { by, request, why }));
        }
    }

    /// I10: somebody works on the zone. Nothing counts down; a person decides, in two steps.
    fn start_held(&mut self, cause: Cause) {
        self.start(cause, Step::Held { stage: 0, until: None });
        self.mark(0, StageState::Failed(StageFault::Maintenance));
        self.say(SequenceEvent::StageFailed(0, StageFault::Maintenance));
        self.say(SequenceEvent::Held(0));
    }

    pub(super) fn start(&mut self, cause: Cause, step: Step) {
        self.numbers.run += 1;
        self.track.state.phase = Phase::Run(Run {
            id: RunId(self.numbers.run),
            since: self.scene.now.wall,
            shadow: self.track.state.mode == Mode::Shadow || cause.is_drill(),
            cause,
            step,
            stages: vec![StageState::Pending; self.spec.stages.len()],
            commanded: 0,
            aborting: None,
            told: None,
        });
        self.say(SequenceEvent::Started);
    }

    fn carry_out(&mut self, step: Move) {
        match step {
            Move::CountOn { until } => {
                self.step(Step::Countdown { until });
                self.say(SequenceEvent::Resumed);
            }
            Move::Enter { stage } => self.enter(stage),
            Move::Order { stage, attempt } => self.order(stage, attempt),
            Move::ReadBack { stage, attempt } => self.read_back(stage, attempt, self.scene.now.uptime),
            Move::Verified { stage } => self.verified(stage),
            Move::Missed { stage, attempt, fault } => self.missed(stage, attempt, fault),
            Move::Hold { stage } => self.hold(stage, None),
            Move::GoOn { stage } => self.go_on_after(stage, false),
        }
    }

    /// A stage's turn has come. One that is never carried out by itself waits for persons; who began the run by hand
    /// has said so once.
    pub(super) fn enter(&mut self, stage: u8) {
        let said = match &self.track.state.phase {
            Phase::Run(run) => run.told_by(stage).max(u8::from(run.cause.is_by_hand())),
            Phase::Idle => 0,
        };
        match self.spec.stages[usize::from(stage)].when {
            StageWhen::ByPersons(persons) if said < persons => self.hold(stage, None),
            StageWhen::Always | StageWhen::AfterFailure | StageWhen::ByPersons(_) => self.begin(stage, 0),
        }
    }

    fn begin(&mut self, stage: u8, attempt: u8) {
        let spec = &self.spec.stages[usize::from(stage)];
        // Who told it to go on has waited long enough.
        let told = matches!(&self.track.state.phase, Phase::Run(run) if 0 < run.told_by(stage));
        let delay = if attempt == 0 && !told { spec.delay.plus(spec.login_wait()) } else { Millis::ZERO };
        let from = self.scene.now.uptime.plus(delay);
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
        if let Phase::Run(run) = &mut self.track.state.phase {
            run.mark_commanded(stage);
        }
        if spec.cuts.something() && attempt == 1 {
            self.lately.note(self.scene.now.uptime, shadow);
        }
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
        if fault.may_be_tried_again() && !self.is_aborting() && self.scene.may_repeat(spec, attempt) {
            return self.begin(stage, attempt);
        }
        self.mark(stage, StageState::Failed(fault));
        self.say(SequenceEvent::StageFailed(stage, fault));
        self.conclude(stage, false);
    }

    /// A stage has come to its end: what follows (R9). A failed stage never ends a run in silence.
    fn conclude(&mut self, stage: u8, effective: bool) {
        match self.spec.stages[usize::from(stage)].on_fail {
            _ if self.is_aborting() => self.hold(stage, None),
            OnFail::Hold if !effective => self.hold(stage, None),
            OnFail::HoldFor(wait) if !effective => self.hold(stage, Some(self.scene.now.uptime.plus(wait))),
            OnFail::Next | OnFail::Hold | OnFail::HoldFor(_) => self.go_on_after(stage, effective),
        }
    }

    /// Stops at a stage: for good if a person has asked for that meanwhile, else until one decides or the time is up.
    fn hold(&mut self, stage: u8, until: Option<Uptime>) {
        let aborting = match &self.track.state.phase {
            Phase::Run(run) => run.aborting.clone(),
            Phase::Idle => None,
        };
        if let Some(by) = aborting {
            self.step(Step::Aborted { by: by.clone() });
            return self.say(SequenceEvent::Aborted { by });
        }
        self.step(Step::Held { stage, until });
        self.say(SequenceEvent::Held(stage));
    }

    /// The stage that follows, or the end of the run.
    pub(super) fn go_on_after(&mut self, stage: u8, effective: bool) {
        for (index, next) in (0_u8..).zip(&self.spec.stages).skip(usize::from(stage) + 1) {
            if effective && next.when == StageWhen::AfterFailure {
                self.mark(index, StageState::Skipped);
                self.say(SequenceEvent::StageSkipped(index));
            } else {
                return self.enter(index);
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
        self.track.version += 1;
        let change = SequenceChange { sequence: self.id, event, now: self.track.state.clone() };
        self.out.push(Output::Fact(Fact::Sequence(Box::new(change))));
    }
}

//! The core: pure, deterministic, without a clock, socket, task, file or log.
//!
//! ```text
//! samples ─► quality ─► rules ─► risk ─┬─► sequences ──► breakers
//!                                      └─► alarms ─────► people
//! ```
//!
//! Sequences read *findings*, never alarms: acknowledging or silencing an alarm can neither stop nor
//! delay a cut. The same core runs in the daemon, in the simulation and over recordings.

pub mod alarm;
pub(crate) mod approval;
mod contacts;
pub mod fact;
mod faults;
pub mod memory;
pub mod quality;
pub mod reading;
pub mod risk;
pub mod rules;
pub mod sequence;
mod silences;
pub mod site;
#[cfg(test)]
mod tests;
pub mod waiver;

use std::sync::Arc;

use crate::safety::alarm::requests::is_a_reason;
use crate::safety::alarm::{AlarmFigures, AlarmRecord, AlarmState, Alarms, Cause};
use crate::safety::approval::{Approvals, Heard};
use crate::safety::contacts::{Contacts, Misdeeds};
use crate::safety::fact::{Fact, Input, Operator, Output, Refusal, Request};
use crate::safety::faults::{Faults, Found};
use crate::safety::memory::Memory;
use crate::safety::quality::Picture;
use crate::safety::reading::Reading;
use crate::safety::risk::{Evidence, Finding, Judgement, Level, VoteHealth};
use crate::safety::sequence::requests::Wish;
use crate::safety::sequence::spec::{Mode, Sequence};
use crate::safety::sequence::{Phase, Scene, SequenceState, Sequences, StageState, Step};
use crate::safety::silences::Silences;
use crate::safety::site::{
    AlarmId, AlarmSource, PointId, Priority, RuleId, SequenceId, Site, SystemFault, ZoneId,
};
use crate::safety::waiver::{WAIVED_MAX, Waived, Waiver, Waivers};
use crate::units::{Millis, Now, Uptime, WallTime};

/// How often the loop scans at least.
pub const TICK: Millis = Millis(100);

/// A longer pause between two scans means that the loop was held up (R14).
pub const GAP_MAX: Millis = Millis(2 * TICK.0);

/// From this long a pause is an alarm; a shorter one is an event.
const STALL_MIN: Millis = Millis::from_secs(1);

/// A wall clock that moved by more than this against the monotonic one was set (R13). What a time daemon slews is far less.
const CLOCK_STEP_MIN: Millis = Millis::from_secs(1);

/// Judges one site.
#[derive(Clone, Debug)]
pub struct Safety {
    site: Arc<Site>,
    picture: Picture,
    judgement: Judgement,
    sequences: Sequences,
    approvals: Approvals,
    waivers: Waivers,
    alarms: Alarms,
    last_scan: Option<Now>,
    /// The loop was held up before the last scan.
    stalled: bool,
    /// After a longer pause between two scans the loop was held up.
    gap_max: Millis,
    born: Uptime,
    silences: Silences,
    faults: Faults,
    contacts: Contacts,
    /// What each sequence was last said to cause, per alarm of it; nothing yet at the start.
    cut_causes: Vec<Option<[Option<Priority>; 4]>>,
}

impl Safety {
    /// A core for this site that remembers what `memory` holds. Ages are counted from `now`.
    #[must_use]
    pub fn new(site: Arc<Site>, memory: &Memory, now: Now) -> Self {
        let mut core = Self {
            picture: Picture::new(&site, now.uptime),
            judgement: Judgement::new(&site),
            sequences: Sequences::new(&site, memory, now.uptime),
            approvals: Approvals::default(),
            waivers: Waivers::new(&site, memory),
            alarms: Alarms::new(&site, memory),
            last_scan: None,
            stalled: false,
            gap_max: GAP_MAX,
            born: now.uptime,
            silences: Silences::new(&site),
            faults: Faults::new(&site),
            contacts: Contacts::new(&site, memory),
            cut_causes: vec![None; site.sequences.len()],
            site,
        };
        // Before anything is judged.
        for what in core.waivers.all() {
            core.set_aside(what);
        }
        core
    }

    /// The same for a loop that scans at least this often instead of every `TICK`: for simulations, which then play
    /// more hours.
    #[must_use]
    pub const fn at_tick(mut self, tick: Millis) -> Self {
        self.gap_max = tick.times(2);
        self
    }

    /// One scan: sense, judge, cut, alarm. Pure in (self, now, inputs): the same inputs give the same outputs.
    /// Total: it cannot fail. Call it when something happened, and at least every `TICK`.
    pub fn scan(&mut self, now: Now, inputs: &[Input], out: &mut Vec<Output>) {
        self.notice_clock_step(now, out);
        let after_gap = self.notice_gap(now, out);
        self.waivers.advance(now.uptime, out);
        self.heed_waivers(now, out);
        for input in inputs {
            self.sense(input, now.uptime, out);
        }
        self.judge_time(now.uptime, out);
        let scene = Scene {
            site: &self.site,
            picture: &self.picture,
            judgement: &self.judgement,
            now,
            born: self.born,
            after_gap,
        };
        for input in inputs {
            let people = People {
                sequences: &mut self.sequences,
                approvals: &mut self.approvals,
                waivers: &mut self.waivers,
                alarms: &mut self.alarms,
            };
            people.heed(input, &scene, out);
        }
        self.sequences.advance(&scene, out);
        self.heed_waivers(now, out);
        self.raise_alarms(now, out);
        self.last_scan = Some(now);
    }

    /// What protects, to be remembered over a restart.
    #[must_use]
    pub fn memory(&self) -> Memory {
        let mut memory = Memory { same_boot: true, ..Memory::default() };
        for (index, alarm) in self.site.alarms.iter().enumerate() {
            let record = self.alarms.record(AlarmId::at(index));
            if 0 < record.occurrence || record.state != AlarmState::Normal {
                memory.alarms.insert(alarm.name.clone(), record.clone());
            }
        }
        self.sequences.remember(&self.site, &mut memory);
        self.waivers.remember(&self.site, &mut memory);
        memory.numbers.alarm_change = self.alarms.number();
        memory
    }

    /// What is known of a point.
    #[must_use]
    pub fn reading(&self, point: PointId) -> Reading {
        self.picture.reading(point)
    }

    /// The level of a zone.
    #[must_use]
    pub fn level(&self, zone: ZoneId) -> Level {
        self.judgement.level(zone)
    }

    /// What the rules say.
    #[must_use]
    pub const fn judgement(&self) -> &Judgement {
        &self.judgement
    }

    /// How an alarm stands.
    #[must_use]
    pub fn alarm(&self, alarm: AlarmId) -> &AlarmRecord {
        self.alarms.record(alarm)
    }

    /// The figures of the alarm system, now.
    pub fn alarm_figures(&mut self, now: Uptime) -> AlarmFigures {
        self.alarms.figures(now)
    }

    /// How a sequence stands.
    #[must_use]
    pub fn sequence(&self, sequence: SequenceId) -> &SequenceState {
        self.sequences.state(sequence)
    }

    /// What is put aside of this, if it is.
    #[must_use]
    pub fn waiver(&self, what: Waived) -> Option<&Waiver> {
        self.waivers.of(what)
    }

    /// Whether a cut is under way for real.
    #[must_use]
    pub fn is_cutting(&self) -> bool {
        self.sequences.is_cutting()
    }

    /// R13: a wall clock that was set is told, and moves nothing.
    fn notice_clock_step(&self, now: Now, out: &mut Vec<Output>) {
        let Some(by_ms) = self.last_scan.map(|last| now.stepped_since(last)) else { return };
        if CLOCK_STEP_MIN.0 < by_ms.unsigned_abs() {
            out.push(Output::Fact(Fact::ClockStepped { by_ms }));
        }
    }

    /// R14: after a pause all data is stale first, and what waits for data waits that much longer.
    fn notice_gap(&mut self, now: Now, out: &mut Vec<Output>) -> bool {
        let Some(last) = self.last_scan else {
            self.alarms.announce(&self.site, now, out);
            return false;
        };
        let lasted = now.uptime.since(last.uptime);
        let stalled = self.gap_max < lasted && STALL_MIN <= lasted;
        if std::mem::replace(&mut self.stalled, stalled) != stalled {
            // Over with the next scan in time; told until somebody has seen it.
            let cause = stalled.then_some(Cause::technical(Priority::High));
            self.alarms.cause(&self.site, AlarmSource::System(SystemFault::Stall), cause, now, out);
        }
        if lasted <= self.gap_max {
            return false;
        }
        self.picture.distrust_before(now.uptime);
        self.sequences.forgive(lasted);
        out.push(Output::Fact(Fact::Gap { lasted }));
        true
    }

    /// What was put aside no longer counts, and its alarm stands all the while (S16).
    fn heed_waivers(&mut self, now: Now, out: &mut Vec<Output>) {
        for what in self.waivers.take_changed() {
            self.set_aside(what);
            let cause = self.waivers.of(what).map(|_| Cause::technical(what.priority()));
            self.alarms.cause(&self.site, what.alarm(), cause, now, out);
        }
    }

    fn set_aside(&mut self, what: Waived) {
        let aside = self.waivers.of(what).is_some();
        match what {
            Waived::Channel(rule) => self.judgement.bypass(rule, aside),
            Waived::Zone(zone) => self.sequences.maintain(zone, aside),
        }
    }

    /// Takes in one sample, and judges what it bears on.
    fn sense(&mut self, input: &Input, now: Uptime, out: &mut Vec<Output>) {
        let Input::Sampled { point, asked, taken, result } = *input else { return };
        if self.site.points.len() <= point.index() {
            return;
        }
        let reading = self.picture.absorb(&self.site, point, (asked, taken), result);
        out.push(Output::Fact(Fact::Reading { point, reading }));
        self.faults.heard(&self.site, point, &reading, now);
        self.judgement.judge_point(&self.site, &self.picture, point, now, out);
        self.silences.heard(self.site[point].device);
        self.contacts.heard(point);
    }

    /// Judges what the passing of time bears on.
    fn judge_time(&mut self, now: Uptime, out: &mut Vec<Output>) {
        for point in self.picture.sweep(&self.site, now, out) {
            self.judgement.judge_point(&self.site, &self.picture, point, now, out);
        }
        self.judgement.judge_time(&self.site, &self.picture, now, out);
        self.judgement.announce_zones(&self.site, out);
    }

    fn raise_alarms(&mut self, now: Now, out: &mut Vec<Output>) {
        if !self.judgement.changed.is_empty() {
            self.raise_findings(now, out);
        }
        if self.silences.is_due(now.uptime) {
            self.raise_silences(now, out);
        }
        if self.faults.is_due(now.uptime) {
            self.raise_faults(now, out);
        }
        if self.contacts.is_due(now.uptime) {
            self.raise_contacts(now, out);
        }
        for index in 0..self.site.sequences.len() {
            self.raise_for_sequence(SequenceId::at(index), now, out);
        }
        self.alarms.advance(&self.site, now, out);
    }

    fn raise_findings(&mut self, now: Now, out: &mut Vec<Output>) {
        let mut changed = std::mem::take(&mut self.judgement.changed);
        for finding in changed.drain(..) {
            let source = AlarmSource::Rule(finding.rule);
            let cause = finding.level.priority().map(|priority| Cause {
                priority,
                level: finding.level,
                evidence: finding.evidence,
            });
            // Only what is known clears (A3): in doubt a rule never says less than before.
            if cause.is_some() || finding.known {
                self.alarms.cause(&self.site, source, cause, now, out);
            } else {
                self.alarms.doubt(source);
            }
            self.raise_for_vote(&finding, now, out);
        }
        self.judgement.changed = changed;
    }

    /// A vote that lost channels is weaker than the site wanted: that is an alarm of its own, with a repair clock.
    fn raise_for_vote(&mut self, finding: &Finding, now: Now, out: &mut Vec<Output>) {
        let (weak, blind) = match self.judgement.vote(finding.rule).health {
            VoteHealth::Whole => (None, None),
            VoteHealth::Weakened => (Some(Priority::High), None),
            VoteHealth::Overdue => (Some(Priority::Critical), None),
            VoteHealth::Blind => (Some(Priority::High), Some(Priority::Critical)),
        };
        let cause = |priority| Cause { evidence: finding.evidence, ..Cause::technical(priority) };
        let (weakened, is_blind) =
            (AlarmSource::VoteWeakened(finding.rule), AlarmSource::VoteBlind(finding.rule));
        self.alarms.cause(&self.site, weakened, weak.map(cause), now, out);
        self.alarms.cause(&self.site, is_blind, blind.map(cause), now, out);
    }

    fn raise_silences(&mut self, now: Now, out: &mut Vec<Output>) {
        let due = self.silences.take_due(&self.site, now.uptime);
        for &device in &due {
            let spec = &self.site[device];
            let heard = self.picture.heard(device);
            let silent_at = heard.unwrap_or(self.born).plus(spec.silent_after);
            let silent = silent_at < now.uptime;
            self.silences.note(device, silent, heard.is_some(), silent_at);
            // Only an answer ends a silence; a restart does not.
            if silent || heard.is_some() {
                // A room whose switch does not answer cannot be cut (R5, S23).
                let priority = if spec.switches { Priority::Critical } else { Priority::High };
                let cause = silent.then_some(Cause::technical(priority));
                self.alarms.cause(&self.site, AlarmSource::Silent(device), cause, now, out);
            }
        }
        self.silences.keep(due);
    }

    fn raise_faults(&mut self, now: Now, out: &mut Vec<Output>) {
        for Found { device, fault } in self.faults.take_due(&self.site, now.uptime) {
            let cause = fault.map(|(point, why)| Cause {
                evidence: Evidence::Unbelieved { point, why },
                ..Cause::technical(Priority::High)
            });
            self.alarms.cause(&self.site, AlarmSource::Faulty(device), cause, now, out);
        }
    }

    fn raise_contacts(&mut self, now: Now, out: &mut Vec<Output>) {
        let changed = self.contacts.look(&self.site, &self.picture, &self.sequences, now.uptime);
        for &sequence in &changed {
            let Misdeeds { opened, flows } = self.contacts.of(sequence);
            let cause = |evidence: Option<Evidence>, priority| {
                evidence.map(|evidence| Cause { evidence, ..Cause::technical(priority) })
            };
            let (opened, flows) = (cause(opened, Priority::High), cause(flows, Priority::Critical));
            self.alarms.cause(&self.site, AlarmSource::OpenedByOther(sequence), opened, now, out);
            self.alarms.cause(&self.site, AlarmSource::CurrentFlows(sequence), flows, now, out);
        }
        self.contacts.keep(changed);
    }

    fn raise_for_sequence(&mut self, sequence: SequenceId, now: Now, out: &mut Vec<Output>) {
        let causes = self.causes_of(sequence, now.wall);
        if self.cut_causes[sequence.index()].replace(causes) == Some(causes) {
            return;
        }
        let sources = [
            AlarmSource::NotArmed(sequence),
            AlarmSource::Cutting(sequence),
            AlarmSource::CutFailed(sequence),
            AlarmSource::Unproven(sequence),
        ];
        for (source, priority) in sources.into_iter().zip(causes) {
            self.alarms.cause(&self.site, source, priority.map(Cause::technical), now, out);
        }
    }

    /// How urgent it is that a sequence is not armed, that it cuts, that its cut failed, and that it wants a proof test.
    fn causes_of(&self, sequence: SequenceId, now: WallTime) -> [Option<Priority>; 4] {
        let configured = self.site[sequence].mode;
        let state = self.sequences.state(sequence);
        let not_armed = match (state.mode, configured) {
            (Mode::Armed, _) => None,
            (Mode::Shadow | Mode::Disabled, Mode::Armed) => Some(Priority::Critical),
            (Mode::Shadow | Mode::Disabled, Mode::Shadow | Mode::Disabled) => Some(Priority::High),
        };
        let run = match &state.phase {
            Phase::Run(run) => Some(run),
            Phase::Idle => None,
        };
        // Rehearsing is no alarm: it must not be mistaken for a cut.
        let cutting = run
            .filter(|run| !run.cause.is_drill())
            .map(|run| if run.shadow { Priority::Medium } else { Priority::Critical });
        let failed = run.filter(|run| !run.shadow).is_some_and(|run| {
            matches!(run.step, Step::Failed | Step::Held { .. })
                || run.stages.iter().any(|stage| matches!(stage, StageState::Failed(_)))
        });
        let unproven = self.site[sequence].wants_proof(state.proven.as_ref(), now);
        let [failed, unproven] = [(failed, Priority::Critical), (unproven, Priority::High)]
            .map(|(so, priority)| so.then_some(priority));
        [not_armed, cutting, failed, unproven]
    }
}

/// What became of a request that was not refused.
enum Said {
    /// It waits for a second person until then.
    Proposed(Uptime),
    Followed,
}

/// What people may move, and what else comes in that is no sample.
struct People<'a> {
    sequences: &'a mut Sequences,
    approvals: &'a mut Approvals,
    waivers: &'a mut Waivers,
    alarms: &'a mut Alarms,
}

impl People<'_> {
    /// Takes in answers to orders, requests of people, faults of emberwatch itself.
    fn heed(self, input: &Input, scene: &Scene<'_>, out: &mut Vec<Output>) {
        match input {
            Input::Sampled { .. } | Input::Delivered { .. } => {}
            Input::Commanded(record) => out.push(Output::Fact(Fact::Commanded(record.clone()))),
            Input::Logins { ups, at, count } => self.sequences.logged_in(ups, *at, *count),
            Input::Answered { order, at, result } => {
                self.sequences.answered(scene, *order, *at, *result, out);
            }
            Input::System { fault, failing } => {
                let cause = failing.then_some(Cause::technical(Priority::High));
                self.alarms.cause(scene.site, AlarmSource::System(*fault), cause, scene.now, out);
            }
            Input::Asked { by, request } => {
                let (by, request) = (by.clone(), request.clone());
                let answer = match self.grant(&by, &request, scene, out) {
                    Ok(Said::Followed) => Fact::Followed { by, request },
                    Ok(Said::Proposed(until)) => Fact::Proposed { by, request, until },
                    Err(why) => Fact::Refused { by, request, why },
                };
                out.push(Output::Fact(answer));
            }
        }
    }

    fn grant(
        self,
        by: &Operator,
        request: &Request,
        scene: &Scene<'_>,
        out: &mut Vec<Output>,
    ) -> Result<Said, Refusal> {
        if let Some(answer) = self.alarms.ask(by, request, scene.site, scene.now, out) {
            return answer.map(|()| Said::Followed);
        }
        let (sequence, wish) = match *request {
            Request::Abort { sequence, run } => (sequence, Wish::Abort(run)),
            Request::Arm { sequence } => (sequence, Wish::Arm),
            Request::Disarm { sequence } => (sequence, Wish::Disarm),
            Request::Select { sequence } => (sequence, Wish::Select),
            Request::Start { sequence } => (sequence, Wish::Start),
            Request::ResetSequence { sequence } => (sequence, Wish::Reset),
            Request::Drill { sequence } => (sequence, Wish::Drill),
            Request::ProofTested { sequence } => (sequence, Wish::ProofTested),
            Request::Waive { alarm, lasting, ref reason } => {
                return self.waive(by, request, (alarm, lasting, reason), scene, out);
            }
            Request::EndWaiver { alarm } => {
                let what = waived(scene.site, alarm).ok_or(Refusal::NothingToDo)?;
                return self.waivers.end(what, by, out).map(|()| Said::Followed);
            }
            Request::Acknowledge { .. }
            | Request::ResetAlarm { .. }
            | Request::Shelve { .. }
            | Request::Unshelve { .. }
            | Request::OutOfService { .. }
            | Request::InService { .. } => return Err(Refusal::NothingToDo),
        };
        let first = match self.sequences.takes_two(scene, sequence, wish)? {
            None => by.clone(),
            Some(version) => match self.approvals.hear(by, request, version, scene.now.uptime)? {
                Heard::Proposed(until) => return Ok(Said::Proposed(until)),
                Heard::Approved(first) => first,
            },
        };
        self.sequences.ask(scene, sequence, wish, [&first, by], out).map(|()| Said::Followed)
    }

    /// R15: two persons put a channel or a zone aside. Not while a cut that it bears on is under way, and not what a
    /// vote cannot do without.
    fn waive(
        self,
        by: &Operator,
        request: &Request,
        (alarm, lasting, reason): (AlarmId, Millis, &Arc<str>),
        scene: &Scene<'_>,
        out: &mut Vec<Output>,
    ) -> Result<Said, Refusal> {
        let what = waived(scene.site, alarm).ok_or(Refusal::NothingToDo)?;
        if self.waivers.of(what).is_some() {
            return Err(Refusal::NothingToDo);
        }
        if lasting == Millis::ZERO || WAIVED_MAX < lasting {
            return Err(Refusal::TooLong);
        }
        if !is_a_reason(reason) {
            return Err(Refusal::NoReason);
        }
        let under_way = match what {
            Waived::Channel(rule) => {
                let votes = scene.judgement.votes_with(rule);
                if let Some(vote) = self.blinded_without(rule, votes, scene) {
                    return Err(Refusal::WouldBlind(vote));
                }
                self.sequences.is_under_way(scene.site, |spec| votes.contains(&spec.trigger))
            }
            Waived::Zone(zone) => self.sequences.is_under_way(scene.site, |spec| spec.zone == zone),
        };
        if under_way {
            return Err(Refusal::NotNow);
        }
        let now = scene.now.uptime;
        match self.approvals.hear(by, request, self.waivers.version, now)? {
            Heard::Proposed(until) => Ok(Said::Proposed(until)),
            Heard::Approved(first) => {
                let waiver =
                    Waiver { by: [first, by.clone()], reason: Arc::clone(reason), until: now.plus(lasting) };
                self.waivers.begin(what, waiver, out);
                Ok(Said::Followed)
            }
        }
    }
}

impl People<'_> {
    /// The vote that could not be completed without this channel, where somebody counts on it: a sequence that is armed,
    /// or another vote. Who wants to do without that disarms, and everybody sees it.
    fn blinded_without(&self, channel: RuleId, votes: &[RuleId], scene: &Scene<'_>) -> Option<RuleId> {
        let sequences = || scene.site.sequences.iter().enumerate();
        let counted_on = |vote: RuleId| {
            let armed = |(index, spec): (usize, &Sequence)| {
                spec.trigger == vote && self.sequences.state(SequenceId::at(index)).mode == Mode::Armed
            };
            sequences().any(armed) || !scene.judgement.votes_with(vote).is_empty()
        };
        let mut blinded =
            votes.iter().filter(|vote| !scene.judgement.can_do_without(scene.site, **vote, channel));
        blinded.find(|vote| counted_on(**vote)).copied()
    }
}

/// What the alarm speaks of, if that can be put aside.
fn waived(site: &Site, alarm: AlarmId) -> Option<Waived> {
    match site.alarms.get(alarm.index())?.source {
        AlarmSource::Bypassed(rule) => Some(Waived::Channel(rule)),
        AlarmSource::Maintenance(zone) => Some(Waived::Zone(zone)),
        _ => None,
    }
}

//! Watches the core from outside: keeps its own books over inputs and outputs, and says which invariant of
//! the safety chapter a scan broke. It knows the rules of the game, not how the core plays it.

use std::sync::Arc;

use emberwatch::safety::Safety;
use emberwatch::safety::fact::{Fact, Input, Operator, Order, Output, Request};
use emberwatch::safety::rules::RuleKind;
use emberwatch::safety::rules::limit::Step;
use emberwatch::safety::rules::together::{OnAllLost, OnChannelFault, Together};
use emberwatch::safety::sequence::spec::{Expect, Mode, OnFail, StageWhen};
use emberwatch::safety::sequence::{Cause, Phase, Run, RunId, SequenceChange, SequenceEvent, StageFault};
use emberwatch::safety::site::{FeedId, OutputKind, RuleId, SequenceId};
use emberwatch::safety::waiver::Waived;
use emberwatch::units::{Millis, Uptime};

use super::alarms::AlarmBook;
use super::room::{House, RANGE, Role};
use super::waivers::WaiverBook;

/// What an invariant's breach looks like.
pub(crate) type Verdict = Result<(), String>;

/// A select by hand is good for this long.
const SELECT_VALID: Millis = Millis::from_secs(10);

#[derive(Debug)]
pub(crate) struct Referee {
    house: Arc<House>,
    points: Vec<PointBook>,
    /// Rooms in which a channel may vote, or did at the last scan.
    alarmed: Vec<bool>,
    sequences: Vec<SequenceBook>,
    alarms: AlarmBook,
    /// After a longer pause between two scans the loop was held up.
    gap_max: Millis,
    fresh_from: Uptime,
    last_scan: Option<Uptime>,
    pub(crate) starts: u64,
    /// What the first of two persons asked, and when; what was carried out or refused since is gone.
    proposed: Vec<(Operator, Request, Uptime)>,
    /// When something was cut, since the core was started last.
    cuts: Vec<Uptime>,
    /// Stages that an interlock stopped.
    pub(crate) interlocked: u64,
    waivers: WaiverBook,
}

/// What is known of a point from what was delivered.
#[derive(Clone, Debug)]
struct PointBook {
    /// When the newest delivered request was sent, when it was answered, and the number if it was one.
    newest: Option<(Uptime, Uptime, Option<f64>)>,
    last_good: Option<(f64, Uptime)>,
    /// Since when nothing believable was heard, at the latest.
    heard: Uptime,
    danger: DangerBook,
}

/// Whether a channel may count as voting, at the most.
#[derive(Clone, Debug, Default)]
struct DangerBook {
    beyond: Option<Uptime>,
    inside: Option<Uptime>,
    active: bool,
    voting: bool,
    voted: Option<Uptime>,
}

#[derive(Debug)]
struct SequenceBook {
    mode: Mode,
    run: Option<RunBook>,
    selected: Option<(Operator, Uptime)>,
}

#[derive(Debug)]
struct RunBook {
    id: RunId,
    shadow: bool,
    begun: Uptime,
    by_hand: bool,
    began: Began,
    /// The stage that persons told to go on, and how many.
    told: Option<(usize, u8)>,
    /// A person let the run go on from here.
    waived_to: usize,
    /// When the stage before came to its end.
    last_end: Uptime,
    stages: Vec<StageBook>,
}

/// What a run began by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Began {
    Vote,
    /// By a vote, while somebody worked on the zone.
    InMaintenance,
    ByHand,
}

#[derive(Clone, Debug, Default)]
struct StageBook {
    orders: u8,
    sent: Option<Uptime>,
    end: Option<End>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Verified,
    Failed,
    Skipped,
}

pub(crate) fn demand(holds: bool, invariant: &str, what: impl FnOnce() -> String) -> Verdict {
    if holds { Ok(()) } else { Err(format!("{invariant}: {}", what())) }
}

impl Referee {
    pub(crate) fn new(house: Arc<House>, tick: Millis, now: Uptime) -> Self {
        let book = PointBook::unheard(now);
        let sequences = house.site.sequences.iter();
        Self {
            points: vec![book; house.site.points.len()],
            alarmed: vec![false; house.rooms.len()],
            alarms: AlarmBook::new(&house.site),
            sequences: sequences
                .map(|spec| SequenceBook { mode: spec.mode, run: None, selected: None })
                .collect(),
            gap_max: tick.times(2),
            fresh_from: now,
            last_scan: None,
            starts: 0,
            proposed: Vec::new(),
            cuts: Vec::new(),
            interlocked: 0,
            waivers: WaiverBook::default(),
            house,
        }
    }

    /// The core was started anew: it knows no readings.
    pub(crate) fn restart(&mut self, now: Uptime, same_boot: bool) {
        self.waivers.restart(same_boot);
        self.points.fill(PointBook::unheard(now));
        self.fresh_from = now;
        self.last_scan = None;
        self.cuts.clear();
        self.proposed.clear();
        self.alarms.restart();
        self.sequences.iter_mut().for_each(|book| book.selected = None);
    }

    pub(crate) fn is_idle(&self, sequence: SequenceId) -> bool {
        self.sequences[sequence.index()].run.is_none()
    }

    pub(crate) fn mode(&self, sequence: SequenceId) -> Mode {
        self.sequences[sequence.index()].mode
    }

    /// Judges one scan.
    pub(crate) fn judge(&mut self, now: Uptime, inputs: &[Input], out: &[Output], core: &Safety) -> Verdict {
        let after_gap = self.last_scan.is_some_and(|last| self.gap_max < now.since(last));
        if after_gap {
            self.fresh_from = now;
        }
        self.last_scan = Some(now);
        for input in inputs {
            self.hear(input);
        }
        for room in 0..self.alarmed.len() {
            if self.alarmed[room] {
                self.count_dangers(room, now);
            }
        }
        for output in out {
            match output {
                Output::Order(order) => {
                    demand(!after_gap, "S18", || format!("{order:?} in the first scan after a gap"))?;
                    self.ordered(order, now)?;
                }
                Output::Fact(Fact::Sequence(change)) => self.changed(change, now, inputs)?,
                Output::Fact(Fact::Alarm(change)) => self.alarms.changed(&self.house.site, change)?,
                Output::Fact(Fact::Proposed { by, request, until }) => {
                    demand(*until == now.plus(Millis::from_secs(60)), "S15", || format!("until {until:?}"))?;
                    self.proposed.push((by.clone(), request.clone(), now));
                }
                Output::Fact(Fact::Followed { by, request }) => self.followed(by, request, now)?,
                Output::Fact(Fact::Waiver(change)) => self.waivers.changed(change, now)?,
                Output::Fact(
                    Fact::Reading { .. }
                    | Fact::Finding(_)
                    | Fact::Outlook(_)
                    | Fact::Level(_)
                    | Fact::AlarmFigures(_)
                    | Fact::LoneVote { .. }
                    | Fact::Notice(_)
                    | Fact::Gap { .. }
                    | Fact::ClockStepped { .. }
                    | Fact::Commanded(_)
                    | Fact::Refused { .. },
                ) => {}
            }
        }
        self.waivers.stand(&self.house.site, core, now)?;
        self.still_latched(core)
    }

    /// S14: what has started is left by a reset or by arming over a shadow run, in no other way.
    fn still_latched(&self, core: &Safety) -> Verdict {
        for (index, book) in self.sequences.iter().enumerate() {
            let state = core.sequence(SequenceId::at(index));
            let running = match &state.phase {
                Phase::Run(Run { id, .. }) => Some(*id),
                Phase::Idle => None,
            };
            let expected = book.run.as_ref().map(|run| run.id);
            demand(running == expected, "S14", || {
                format!("sequence {index}: {running:?}, not {expected:?}")
            })?;
            demand(state.mode == book.mode, "S2", || format!("sequence {index} is {:?}", state.mode))?;
        }
        Ok(())
    }

    fn hear(&mut self, input: &Input) {
        let Input::Sampled { point, asked, taken, result } = *input else { return };
        let house = &*self.house;
        let spec = &house.site[point];
        let book = &mut self.points[point.index()];
        if asked < self.fresh_from || book.newest.is_some_and(|(newest, ..)| asked <= newest) {
            return;
        }
        let number = result.ok().map(emberwatch::units::Value::get);
        let number = number.filter(|number| (RANGE.0..=RANGE.1).contains(number));
        let doubted = number.zip(book.last_good).zip(spec.fall_per_s_max).is_some_and(
            |((number, (last, when)), limit)| limit * taken.since(when).as_secs_f64() < last - number,
        );
        let number = number.filter(|_| !doubted);
        book.newest = Some((asked, taken, number));
        // Where standing still is doubted, only what moves is surely believed.
        let stands_still = spec.frozen.is_some() && book.last_good.map(|(last, _)| last) == number;
        // A loss may begin an off-delay anew: a vote may last longer for it.
        let paused = book.last_good.is_some_and(|(_, last)| spec.stale_after < taken.since(last));
        if number.is_none() || paused || stands_still {
            book.danger.inside = None;
        }
        let Some(number) = number else { return };
        if !stands_still {
            book.heard = taken;
        }
        book.last_good = Some((number, taken));
        if let Role::Channel { room, rule, .. } = house.roles[point.index()] {
            let book = &mut book.danger;
            book.feed(taken, danger_of(house, rule, number));
            // Two answers may be heard in one scan: a vote that lasts between them is a vote.
            book.voting |= book.active;
            self.alarmed[room] |= book.voting;
        }
    }

    /// Who may count as voting now, at the most.
    fn count_dangers(&mut self, room: usize, now: Uptime) {
        let house = &*self.house;
        self.alarmed[room] = false;
        for (point, _) in &house.rooms[room].channels {
            let stale_after = house.site[*point].stale_after;
            let book = &mut self.points[point.index()];
            let fresh = book.last_good.is_some_and(|(_, taken)| now.since(taken) <= stale_after);
            let can = book.danger.active && fresh;
            if can || book.danger.voting {
                book.danger.voted = Some(now);
            }
            book.danger.voting = can;
            self.alarmed[room] |= book.danger.active;
        }
    }

    fn changed(&mut self, change: &SequenceChange, now: Uptime, inputs: &[Input]) -> Verdict {
        let (id, index) = (change.sequence, change.sequence.index());
        match &change.event {
            SequenceEvent::Started => self.started(change, now, inputs),
            SequenceEvent::StageBegun(stage) => {
                let started_by_hand = inputs.iter().any(|input| {
                    matches!(input, Input::Asked { request: Request::Start { sequence }, .. } if *sequence == id)
                });
                let Some(run) = &mut self.sequences[index].run else {
                    return Err("S14: a stage began without a run".into());
                };
                if started_by_hand {
                    run.waived_to = run.waived_to.max(usize::from(*stage));
                }
                Ok(())
            }
            SequenceEvent::StageVerified(stage) => {
                self.verified(id, usize::from(*stage))?;
                self.end_stage(id, usize::from(*stage), End::Verified, now)
            }
            SequenceEvent::StageFailed(stage, why) => {
                self.interlocked += u64::from(matches!(
                    why,
                    StageFault::Requires(_) | StageFault::LastFeed(_) | StageFault::Budget
                ));
                self.end_stage(id, usize::from(*stage), End::Failed, now)
            }
            SequenceEvent::Told { by: [first, second], stage } => {
                let asked = inputs.iter().any(|input| {
                    matches!(input, Input::Asked { by, request: Request::Start { sequence } } if *sequence == id && by == second)
                });
                let book = &mut self.sequences[index];
                let selected = book.selected.as_ref().is_some_and(|(who, _)| who == first);
                demand(asked && selected, "R15", || format!("{first} and {second} never told {id:?}"))?;
                let Some(run) = &mut book.run else { return Err("S14: told without a run".into()) };
                run.told = Some((usize::from(*stage), if first == second { 1 } else { 2 }));
                Ok(())
            }
            SequenceEvent::StageSkipped(stage) => self.end_stage(id, usize::from(*stage), End::Skipped, now),
            SequenceEvent::Done => {
                let spec = &self.house.site[id];
                let run = self.sequences[index].run.as_ref();
                let last = run.and_then(|run| {
                    run.stages.iter().rev().find_map(|stage| match stage.end {
                        Some(End::Skipped) => None,
                        end => Some(end == Some(End::Verified)),
                    })
                });
                demand(last == Some(true), "R9", || format!("{} says done, its last stage is not", spec.name))
            }
            SequenceEvent::Mode { .. }
            | SequenceEvent::Selected { .. }
            | SequenceEvent::Resumed
            | SequenceEvent::StageOrdered(_)
            | SequenceEvent::StageConfirmed(_)
            | SequenceEvent::StageRetried(_)
            | SequenceEvent::Held(_)
            | SequenceEvent::Failed
            | SequenceEvent::Aborted { .. }
            | SequenceEvent::Proven { .. }
            | SequenceEvent::Reset { .. } => Ok(()),
        }
    }

    fn end_stage(&mut self, id: SequenceId, stage: usize, end: End, now: Uptime) -> Verdict {
        let Some(run) = &mut self.sequences[id.index()].run else {
            return Err("S14: a stage ended without a run".into());
        };
        run.stages[stage].end = Some(end);
        run.last_end = now;
        Ok(())
    }

    fn started(&mut self, change: &SequenceChange, now: Uptime, inputs: &[Input]) -> Verdict {
        let Phase::Run(run) = &change.now.phase else { return Err("S14: started without a run".into()) };
        let spec = &self.house.site[change.sequence];
        let book = &self.sequences[change.sequence.index()];
        demand(book.run.is_none(), "S14", || format!("{} started twice", spec.name))?;
        demand(book.mode != Mode::Disabled, "S2", || format!("{} is disabled and started", spec.name))?;
        demand(run.shadow == (book.mode == Mode::Shadow), "S2", || {
            format!("{} in the wrong mode", spec.name)
        })?;
        let by_hand = match &run.cause {
            Cause::Vote { voting, by_policy } => {
                self.starts += 1;
                self.vote_stands(spec.trigger, *voting, *by_policy, now)?;
                false
            }
            Cause::Drill { .. } => return Err("S2: nobody rehearses here".into()),
            Cause::Manual { by } => {
                let selected = book.selected.as_ref();
                let good = selected.is_some_and(|(who, when)| who == by && now.since(*when) <= SELECT_VALID);
                let asked = inputs.iter().any(|input| {
                    matches!(input, Input::Asked { by: who, request: Request::Start { .. } } if who == by)
                });
                demand(good && asked, "S3", || format!("{} started by hand without two steps", spec.name))?;
                true
            }
        };
        let began = match (by_hand, self.waivers.stood(Waived::Zone(spec.zone), now)) {
            (true, _) => Began::ByHand,
            (false, true) => Began::InMaintenance,
            (false, false) => Began::Vote,
        };
        self.sequences[change.sequence.index()].run = Some(RunBook {
            id: run.id,
            shadow: run.shadow,
            begun: now,
            by_hand,
            began,
            told: None,
            waived_to: 0,
            last_end: now,
            stages: vec![StageBook::default(); spec.stages.len()],
        });
        Ok(())
    }

    /// S3, S6: enough channels were at danger for their time, or all were lost and the site said so.
    fn vote_stands(&self, trigger: RuleId, voting: u32, by_policy: bool, now: Uptime) -> Verdict {
        let RuleKind::Together(vote) = &self.house.site[trigger].kind else { return Ok(()) };
        let channels: Vec<&PointBook> = vote.channels.iter().map(|rule| self.channel(*rule)).collect();
        let aside = |bit: usize| self.waivers.stood(Waived::Channel(vote.channels[bit]), now);
        let unheard = |bit: usize, book: &PointBook| aside(bit) || vote.grace <= now.since(book.heard);
        let lost = channels.iter().enumerate().filter(|(bit, book)| unheard(*bit, book)).count();
        if by_policy {
            let allowed = lost == channels.len() && vote.on_all_lost != OnAllLost::Alarm;
            return demand(allowed, "S3", || format!("policy {:?} with {lost} lost", vote.on_all_lost));
        }
        let may = |book: &&PointBook| book.danger.voted.is_some_and(|voted| now.since(voted) <= vote.hold);
        for (bit, book) in channels.iter().enumerate() {
            let claimed = voting & (1 << bit) != 0;
            demand(!(claimed && aside(bit)), "S16", || format!("channel {bit} is put aside and votes"))?;
            demand(!claimed || may(book), "S6", || format!("channel {bit} votes without danger: {book:?}"))?;
        }
        let mask = |is: &dyn Fn(usize, &&PointBook) -> bool| {
            let some = channels.iter().enumerate().filter(|(bit, book)| is(*bit, book));
            some.fold(0, |mask, (bit, _)| mask | 1 << bit)
        };
        // Of those that might vote, the core says which do; the others may be gone.
        let gone = mask(&|bit, book| unheard(bit, book)) & !voting;
        let (needed, count) = needed_and_had(vote, mask(&|_, book| may(book)), gone);
        demand(needed <= count, "S3", || format!("{count} of {needed} votes, {lost} lost: {vote:?}"))
    }

    fn channel(&self, rule: RuleId) -> &PointBook {
        let mut channels = self.house.rooms.iter().flat_map(|room| &room.channels);
        let found = channels.find(|(_, known)| *known == rule).expect("a vote's channels are a room's");
        &self.points[found.0.index()]
    }

    fn ordered(&mut self, order: &Order, now: Uptime) -> Verdict {
        let house = self.house.clone();
        let (spec, stage) = (&house.site[order.sequence], usize::from(order.stage));
        let stage_spec = &spec.stages[stage];
        demand(order.action == stage_spec.action, "S13 S22", || format!("{order:?} is not in the table"))?;
        for expect in &stage_spec.permissives {
            let fresh = self.good_since(expect, self.fresh_from, |taken| {
                now.since(taken) <= stage_spec.permissive_age_max
            });
            demand(fresh, "S1", || {
                format!("{order:?}: {expect:?}, {:?}", self.points[expect.point.index()])
            })?;
        }
        let book = &mut self.sequences[order.sequence.index()];
        let Some(run) = &mut book.run else { return Err(format!("S14: {order:?} without a run")) };
        let armed = book.mode == Mode::Armed && !run.shadow && run.id == order.run;
        demand(armed, "S2", || format!("{order:?} in {:?}, {run:?}", book.mode))?;
        demand(run.began != Began::InMaintenance || run.told.is_some(), "I10", || {
            format!("{order:?}: {run:?}")
        })?;
        for (before, (state, spec)) in run.stages.iter().zip(&spec.stages).enumerate().take(stage) {
            let passed = match state.end {
                Some(End::Verified | End::Skipped) => true,
                Some(End::Failed) => spec.on_fail != OnFail::Hold,
                None => false,
            };
            demand(passed || before < run.waived_to, "S8", || {
                format!("{order:?} before stage {before}: {run:?}")
            })?;
        }
        if stage_spec.when == StageWhen::AfterFailure && run.waived_to < stage {
            let failed = run.stages[stage - 1].end == Some(End::Failed);
            demand(failed, "S8", || format!("{order:?}: other means without need"))?;
        }
        if let StageWhen::ByPersons(persons) = stage_spec.when {
            let told =
                run.told.filter(|told| told.0 == stage || told.0 + 1 == stage).map_or(0, |told| told.1);
            let said = told.max(u8::from(run.began == Began::ByHand));
            demand(persons <= said, "R15", || format!("{order:?} without {persons} persons: {run:?}"))?;
        }
        let countdown = if run.by_hand || stage != 0 { Millis::ZERO } else { spec.countdown };
        let earliest = run.last_end.max(run.begun.plus(countdown));
        if order.attempt == 1 && !run.by_hand {
            let delay = stage_spec.delay;
            demand(earliest.plus(delay) <= now, "S8", || format!("{order:?} too early: {run:?}"))?;
        }
        self.interlocks(order, now)?;
        let book = &mut self.sequences[order.sequence.index()];
        let Some(run) = &mut book.run else { return Err(format!("S14: {order:?} without a run")) };
        let state = &mut run.stages[stage];
        state.orders += 1;
        state.sent = Some(now);
        let most = if house.site[order.action].output == OutputKind::Pulse { 1 } else { stage_spec.attempts };
        demand(state.orders <= most, "S10", || format!("{order:?}, number {}", state.orders))
    }

    /// I1, I2, I3, over the books of all sequences.
    fn interlocks(&mut self, order: &Order, now: Uptime) -> Verdict {
        let (house, stage) = (self.house.clone(), usize::from(order.stage));
        let (site, spec) = (&house.site, &house.site[order.sequence]);
        let stage_spec = &spec.stages[stage];
        let Some(run) = &self.sequences[order.sequence.index()].run else { return Ok(()) };
        let told = run.told.filter(|told| told.0 == stage || told.0 + 1 == stage).map_or(0, |told| told.1);
        let had = |required: &u8| match run.stages[usize::from(*required)].end {
            Some(End::Verified) => true,
            Some(End::Failed) => stage_spec.life_safety,
            Some(End::Skipped) | None => false,
        };
        demand(0 < told || stage_spec.requires.iter().all(had), "I2", || format!("{order:?}: {run:?}"))?;
        let commanded = || {
            let books = self.sequences.iter().enumerate();
            let real =
                books.filter_map(|(id, book)| Some((id, book.run.as_ref().filter(|run| !run.shadow)?)));
            real.flat_map(|(id, run)| {
                let stages = run.stages.iter().zip(&site.sequences[id].stages).enumerate();
                stages.filter(|(_, (book, _))| 0 < book.orders).map(move |(at, (_, spec))| (id, at, spec))
            })
        };
        for feed in stage_spec.cuts.feeds() {
            let beside: Vec<FeedId> = (0..site.feeds.len())
                .map(FeedId::at)
                .filter(|other| other != feed && site[*other].group == site[*feed].group)
                .collect();
            let stays = |other: &FeedId| {
                let alive = site[*other].alive.iter().all(|expect| {
                    let age = stage_spec.permissive_age_max;
                    self.good_since(expect, self.fresh_from, |taken| now.since(taken) <= age)
                });
                alive && !commanded().any(|(_, _, spec)| spec.cuts.feeds().contains(other))
            };
            let kept = beside.is_empty() || told == 2 || beside.iter().any(stays);
            demand(kept, "I1", || format!("{order:?} takes the last feed: {run:?}"))?;
        }
        if !stage_spec.cuts.something() || order.attempt != 1 {
            return Ok(());
        }
        if let (Some(budget), 0, false) = (site.cut_budget, told, run.began == Began::ByHand) {
            let lately = self.cuts.iter().filter(|when| now.since(**when) < budget.rate_within).count();
            demand(lately < usize::from(budget.rate_max), "I3", || format!("{order:?}: {lately} lately"))?;
            let this = (order.sequence.index(), stage);
            let in_zone = commanded().filter(|(id, at, other)| {
                site.sequences[*id].zone == spec.zone && other.cuts.something() && (*id, *at) != this
            });
            let in_zone = in_zone.count();
            demand(in_zone < usize::from(budget.per_zone_max), "I3", || {
                format!("{order:?}: {in_zone} in its zone")
            })?;
        }
        self.cuts.push(now);
        Ok(())
    }

    /// R9, S21: seen by feedback that was asked for after the command.
    fn verified(&self, id: SequenceId, stage: usize) -> Verdict {
        let Some(run) = &self.sequences[id.index()].run else {
            return Err("S14: verified without a run".into());
        };
        if run.shadow {
            return Ok(());
        }
        let Some(sent) = run.stages[stage].sent else {
            return Err(format!("S21: stage {stage} verified without a command"));
        };
        for expect in &self.house.site[id].stages[stage].verify {
            let seen = self.good_since(expect, sent.max(self.fresh_from), |_| true);
            let book = &self.points[expect.point.index()];
            demand(seen, "S21", || format!("stage {stage} verified, sent {sent:?}: {expect:?}, {book:?}"))?;
        }
        Ok(())
    }

    /// Whether the newest reading is good, was asked for since then, and is as expected.
    fn good_since(&self, expect: &Expect, since: Uptime, young: impl Fn(Uptime) -> bool) -> bool {
        self.points[expect.point.index()].newest.is_some_and(|(asked, taken, number)| {
            let value = number.and_then(emberwatch::units::Value::new);
            since <= asked && young(taken) && value.is_some_and(|value| expect.is.holds(value))
        })
    }

    /// S15: another person asked the same within a minute, and that was not used yet.
    fn second_of(&mut self, by: &Operator, request: &Request, now: Uptime) -> Verdict {
        let fits = |(first, asked, when): &(Operator, Request, Uptime)| {
            first != by && asked == request && now.since(*when) <= Millis::from_secs(60)
        };
        demand(self.proposed.iter().any(fits), "S15", || format!("{by} alone: {request:?}"))?;
        self.proposed.retain(|(_, asked, _)| asked != request);
        Ok(())
    }

    fn followed(&mut self, by: &Operator, request: &Request, now: Uptime) -> Verdict {
        match request {
            Request::Acknowledge { .. }
            | Request::ResetAlarm { .. }
            | Request::Shelve { .. }
            | Request::Unshelve { .. }
            | Request::OutOfService { .. }
            | Request::InService { .. }
            | Request::EndWaiver { .. }
            | Request::Drill { .. }
            | Request::ProofTested { .. }
            | Request::Abort { .. } => Ok(()),
            Request::Waive { alarm, lasting, .. } => {
                self.second_of(by, request, now)?;
                self.waivers.asked(self.house.site[*alarm].source, now.plus(*lasting))
            }
            Request::Arm { sequence } => {
                let book = &mut self.sequences[sequence.index()];
                let real = book.run.take().is_some_and(|run| !run.shadow);
                book.mode = Mode::Armed;
                demand(!real, "S14", || format!("arming let go of a real run of {sequence:?}"))
            }
            Request::Disarm { sequence } => {
                self.second_of(by, request, now)?;
                self.sequences[sequence.index()].mode = Mode::Shadow;
                Ok(())
            }
            Request::Select { sequence } => {
                self.sequences[sequence.index()].selected = Some((by.clone(), now));
                Ok(())
            }
            Request::Start { sequence } => {
                if let Some(run) = &mut self.sequences[sequence.index()].run {
                    run.by_hand = true;
                }
                Ok(())
            }
            Request::ResetSequence { sequence } => {
                let cuts = self.house.site[*sequence].stages.iter().any(|stage| stage.cuts.something());
                let real = self.sequences[sequence.index()].run.as_ref().is_some_and(|run| !run.shadow);
                if cuts && real {
                    self.second_of(by, request, now)?;
                    // I8: it is armed anew by a person, or not at all.
                    let spec = &self.house.site[*sequence];
                    let book = &mut self.sequences[sequence.index()];
                    let cut = book.run.as_ref().is_some_and(|run| {
                        let stages = run.stages.iter().zip(&spec.stages);
                        stages.into_iter().any(|(book, stage)| 0 < book.orders && stage.cuts.something())
                    });
                    if cut && book.mode == Mode::Armed {
                        book.mode = Mode::Shadow;
                    }
                }
                self.sequences[sequence.index()].run = None;
                Ok(())
            }
        }
    }
}

/// How dangerous one number is for a channel: not, inside the deadband, beyond, beyond without delay.
#[derive(Clone, Copy, Debug)]
struct Danger {
    beyond: bool,
    between: bool,
    extreme: bool,
    on_delay: Millis,
    off_delay: Millis,
}

fn danger_of(house: &House, rule: RuleId, number: f64) -> Danger {
    match &house.site[rule].kind {
        RuleKind::Limit(limit) => {
            let Some(Step { limit: at, on_delay, off_delay, extreme }) = limit.steps[2] else {
                unreachable!("every channel has a danger step")
            };
            Danger {
                beyond: at <= number,
                between: at - limit.deadband <= number && number < at,
                extreme: extreme.is_some_and(|extreme| extreme <= number),
                on_delay,
                off_delay,
            }
        }
        RuleKind::State(state) => Danger {
            beyond: (95.0..=95.0).contains(&number) || (130.0..=130.0).contains(&number),
            between: false,
            extreme: false,
            on_delay: state.on_delay,
            off_delay: state.off_delay,
        },
        RuleKind::Rate(_)
        | RuleKind::Deviation(_)
        | RuleKind::Step(_)
        | RuleKind::Silence(_)
        | RuleKind::Together(_) => {
            unreachable!("channels are limits and states")
        }
    }
}

impl PointBook {
    fn unheard(now: Uptime) -> Self {
        Self { newest: None, last_good: None, heard: now, danger: DangerBook::default() }
    }
}

impl DangerBook {
    fn feed(&mut self, taken: Uptime, danger: Danger) {
        if danger.beyond {
            self.inside = None;
            let first = *self.beyond.get_or_insert(taken);
            self.active |= danger.extreme || danger.on_delay <= taken.since(first);
            return;
        }
        self.beyond = None;
        if danger.between {
            self.inside = None;
            return;
        }
        let first = *self.inside.get_or_insert(taken);
        self.active &= taken.since(first) < danger.off_delay;
    }
}

/// How many votes are needed with these channels gone, and how many there are; tried out over all sets.
fn needed_and_had(vote: &Together, voting: u32, gone: u32) -> (usize, usize) {
    let all = (1_u32 << vote.channels.len()) - 1;
    let (can, left) = (independent(&vote.rivals, all), independent(&vote.rivals, all & !gone));
    let (needed, had) = (usize::from(vote.needed), independent(&vote.rivals, voting));
    match vote.on_channel_fault {
        OnChannelFault::Safety => (needed.saturating_sub(can - left).max(1), had),
        OnChannelFault::Dependent if left < needed => (needed, voting.count_ones() as usize),
        OnChannelFault::Availability | OnChannelFault::Dependent => (needed, had),
    }
}

/// The most of these channels of which no two share anything.
pub(crate) fn independent(rivals: &[u32], channels: u32) -> usize {
    let fits = |set: u32| (0..rivals.len()).all(|bit| set & 1 << bit == 0 || rivals[bit] & set == 0);
    let sets = (0..=channels).filter(|set| set & !channels == 0 && fits(*set));
    sets.map(|set| set.count_ones() as usize).max().unwrap_or(0)
}

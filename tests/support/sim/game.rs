//! One simulated run: a random house that drifts, burns and fails around the real core, with the referee
//! watching every scan. Rates of faults are drawn per run, many of them zero (swarm testing).

use std::sync::Arc;

use emberwatch::safety::fact::{DriveFault, Fact, Input, Order, OrderId, Output, Request};
use emberwatch::safety::memory::Memory;
use emberwatch::safety::reading::{ReadFault, Reading};
use emberwatch::safety::rules::RuleKind;
use emberwatch::safety::sequence::spec::Mode;
use emberwatch::safety::sequence::{Phase, RunId, Step};
use emberwatch::safety::site::{AlarmId, AlarmSource, DeviceId, PointId, RuleId, SequenceId};
use emberwatch::safety::waiver::Waived;
use emberwatch::safety::{Safety, TICK};
use emberwatch::units::{Millis, Now, Uptime, Value, WallTime};

use super::delays::Delays;
use super::dice::Dice;
use super::physical::Physical;
use super::queue::Queue;
use super::referee::Referee;
use super::room::{BURNING, CALM, House, Role};

/// Faults are off for so long at the end; all must be well after.
const SETTLE: u64 = 60_000;

/// At a coarser tick rooms are read so many times less often: up to every ten seconds, as the rules ask.
const SLOWER: u64 = 2;

/// What kind of run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Everything happens.
    Everything,
    /// The same, where load groups, budgets, required stages and stages for persons bound what is cut.
    Interlocked,
    /// The same, where persons put channels and zones aside.
    PutAside,
    /// The same, in rooms that burn by physics: what channels show follows from heat, gas and smoke.
    Physics,
    /// Exactly one device is faulty, nothing burns: nothing may start (S5).
    OneFaultyDevice,
}

/// What a run amounted to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Score {
    pub(crate) room_ms: u64,
    pub(crate) demands: u64,
    pub(crate) starts: u64,
    pub(crate) spurious: u64,
    pub(crate) orders: u64,
    pub(crate) done: u64,
    /// Stages that an interlock stopped.
    pub(crate) interlocked: u64,
    /// Channels and zones that were put aside.
    pub(crate) put_aside: u64,
    pub(crate) restarts: u64,
    pub(crate) gaps: u64,
    /// From a fire that healthy channels show to its run.
    pub(crate) found: Delays,
    /// Of all sequence events, orders and times: the same seed gives the same.
    pub(crate) trace: u64,
}

/// How often what fails, in ten thousand polls or commands; zero for many runs.
#[derive(Debug, Default)]
struct Rates {
    lost: u64,
    spike: u64,
    late: u64,
    twice: u64,
    episode: u64,
    breaker: u64,
    restart: u64,
    gap: u64,
    wall_step: u64,
    ask: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct DeviceFault {
    silent_until: u64,
    stuck_until: u64,
    disowns_until: u64,
    next_poll: u64,
}

#[derive(Clone, Debug)]
struct Fire {
    until: u64,
    /// These burn.
    points: Vec<PointId>,
    /// No fault touches these devices, so the fire must be seen.
    clean: bool,
    /// When it must have been acted on, unless something was held up.
    must_by: u64,
    takes: u64,
    begun: u64,
    found: bool,
}

pub(crate) struct Game {
    dice: Dice,
    kind: Kind,
    house: Arc<House>,
    site: Arc<emberwatch::safety::site::Site>,
    core: Safety,
    twin: Option<Safety>,
    referee: Referee,
    rates: Rates,
    now: u64,
    /// How often the core is called at least: the daemon's own tick, or a coarser one.
    tick: Millis,
    /// Something burns or is being cut: steps are half as long.
    busy: bool,
    /// The core is called at the latest then.
    scan_by: u64,
    /// So long something could have happened since dice were last thrown for it.
    unthrown: u64,
    wall_shift: i64,
    devices: Vec<DeviceFault>,
    faulty: Option<usize>,
    stuck: Vec<f64>,
    open: Vec<bool>,
    fires: Vec<Option<Fire>>,
    /// One for each room, where rooms burn by physics.
    physical: Vec<Physical>,
    last_fire: Vec<u64>,
    /// No device is polled before this.
    next_poll: u64,
    inbox: Queue<Input>,
    moves: Queue<usize>,
    /// What the core is given in a scan, and what it says: the lists are used again.
    inputs: Vec<Input>,
    out: Vec<Output>,
    twin_out: Vec<Output>,
    pub(crate) score: Score,
}

impl Game {
    pub(crate) fn new(seed: u64, kind: Kind, tick: Millis) -> Self {
        let mut dice = Dice::new(seed);
        let slower = if tick == TICK { 1 } else { SLOWER };
        let house = loop {
            let mut house = House::random(slower, kind == Kind::Interlocked, &mut dice);
            if kind == Kind::PutAside {
                house.add_waivers();
            }
            let votes_alone = house.rooms.iter().any(
                |room| matches!(&house.site[room.vote].kind, RuleKind::Together(vote) if vote.needed < 2),
            );
            if kind != Kind::OneFaultyDevice || !votes_alone {
                break Arc::new(house);
            }
        };
        let site = Arc::new(house.site.clone());
        let now = dice.between(0, 1_000_000);
        let core = |label| Safety::new(site.clone(), &Memory::default(), moment(now, label)).at_tick(tick);
        let twin = dice.chance(2500).then(|| core(77));
        let rates = Rates::random(&mut dice, kind);
        let rooms = if kind == Kind::Physics { house.rooms.len() as u64 } else { 0 };
        let physical = (0..rooms).map(|room| Physical::new(seed.wrapping_add(room), now)).collect();
        let faulty = (kind == Kind::OneFaultyDevice).then(|| dice.index(house.site.devices.len()));
        Self {
            referee: Referee::new(house.clone(), tick, Uptime(now)),
            devices: vec![DeviceFault { next_poll: now, ..DeviceFault::default() }; site.devices.len()],
            stuck: vec![CALM; site.points.len()],
            open: vec![false; site.actions.len()],
            fires: vec![None; house.rooms.len()],
            physical,
            last_fire: vec![0; house.rooms.len()],
            next_poll: now,
            inbox: Queue::new(),
            moves: Queue::new(),
            inputs: Vec::new(),
            out: Vec::new(),
            twin_out: Vec::new(),
            wall_shift: 0,
            score: Score::default(),
            dice,
            kind,
            house,
            core: core(0),
            twin,
            site,
            rates,
            now,
            tick,
            busy: false,
            scan_by: now,
            unthrown: 2 * TICK.0,
            faulty,
        }
    }

    /// Plays for so long, then lets all settle. `Err` names the invariant that broke.
    pub(crate) fn play(mut self, lasts: u64) -> Result<Score, String> {
        let begun = self.now;
        while self.now < begun + lasts {
            // As likely as if the daemon had scanned meanwhile.
            let pace = self.step(TICK);
            self.disturb(self.unthrown / pace);
            self.unthrown %= pace;
            self.turn()?;
        }
        self.rates = Rates::default();
        self.faulty = None;
        self.fires.iter_mut().for_each(|fire| *fire = None);
        for fault in &mut self.devices {
            (fault.silent_until, fault.stuck_until, fault.disowns_until) = (0, 0, 0);
        }
        let calm_from = self.now;
        while self.now < calm_from + SETTLE {
            self.turn()?;
        }
        for index in 0..self.site.points.len() {
            let reading = self.core.reading(PointId::at(index));
            if !matches!(reading, Reading::Good { .. }) {
                return Err(format!("V1: point {index} is {reading:?} a minute after the last fault"));
            }
        }
        self.score.room_ms = (self.now - begun) * self.house.rooms.len() as u64;
        self.score.starts = self.referee.starts;
        self.score.interlocked = self.referee.interlocked;
        Ok(self.score)
    }

    /// One step of time: the plant moves, the core scans, the referee judges, devices are asked.
    fn turn(&mut self) -> Result<(), String> {
        self.move_contacts();
        self.inputs.clear();
        while let Some(input) = self.inbox.take(self.now) {
            self.inputs.push(input);
        }
        let scans = !self.inputs.is_empty() || self.scan_by <= self.now;
        if scans {
            self.scan()?;
        }
        self.no_missed_fire()?;
        self.poll();
        self.busy = self.core.is_cutting() || self.fires.iter().any(Option::is_some);
        if scans {
            self.scan_by = self.now + self.step(self.tick);
        }
        let next = self.next_turn();
        self.unthrown += next - self.now;
        self.now = next;
        Ok(())
    }

    fn scan(&mut self) -> Result<(), String> {
        let now = moment(self.now, self.wall_shift);
        self.out.clear();
        self.core.scan(now, &self.inputs, &mut self.out);
        self.compare_twin()?;
        self.referee
            .judge(now.uptime, &self.inputs, &self.out, &self.core)
            .map_err(|why| format!("at {} ms: {why}", self.now))?;
        let out = std::mem::take(&mut self.out);
        for output in &out {
            self.act(output);
        }
        self.out = out;
        Ok(())
    }

    /// How long until the next step at this tick: half as many while nothing goes on.
    fn step(&self, tick: Millis) -> u64 {
        if self.busy { tick.0 } else { 2 * tick.0 }
    }

    /// At the daemon's own tick the core is called at each of them. At a coarser one it is called when something has
    /// come, as the daemon does too, and at its ticks.
    fn next_turn(&self) -> u64 {
        let at_ticks = self.now + self.step(self.tick);
        if self.tick == TICK {
            return at_ticks;
        }
        let comes = self.inbox.next().unwrap_or(at_ticks).min(self.next_poll).min(self.scan_by);
        comes.clamp(self.now + 1, at_ticks)
    }

    /// S17: another wall clock gives the same outputs but for labels.
    fn compare_twin(&mut self) -> Result<(), String> {
        let Some(twin) = &mut self.twin else { return Ok(()) };
        let (out, other) = (&self.out, &mut self.twin_out);
        other.clear();
        twin.scan(moment(self.now, -self.wall_shift * 3 + 5_000_000), &self.inputs, other);
        // That a clock was set is told of that clock (R13); nothing follows from it.
        let tells_effect = |it: &&Output| !matches!(it, Output::Fact(Fact::ClockStepped { .. }));
        let (mine, theirs) = (out.iter().filter(tells_effect), other.iter().filter(tells_effect));
        let same = mine.clone().count() == theirs.clone().count()
            && mine.zip(theirs).all(|(a, b)| same_but_for_labels(a, b));
        if same { Ok(()) } else { Err(format!("S17: {out:?}\nwith another wall clock: {other:?}")) }
    }

    fn act(&mut self, output: &Output) {
        match output {
            Output::Order(order) => {
                self.note(order.id.0 << 8 | u64::from(order.attempt));
                self.score.orders += 1;
                self.drive(order);
            }
            Output::Fact(Fact::Sequence(change)) => {
                use emberwatch::safety::sequence::SequenceEvent;
                self.note(change.sequence.index() as u64 | 1 << 40);
                self.score.done += u64::from(change.event == SequenceEvent::Done);
                if change.event == SequenceEvent::Started {
                    let room = self.room_of(change.sequence);
                    if let Some(fire) = &mut self.fires[room]
                        && fire.clean
                        && !std::mem::replace(&mut fire.found, true)
                    {
                        self.score.found.note(Millis(self.now - fire.begun));
                    }
                    let burns = self.fires[room].is_some() || self.now < self.last_fire[room] + 120_000;
                    self.score.spurious += u64::from(!burns);
                }
            }
            Output::Fact(Fact::Waiver(change)) => {
                self.score.put_aside += u64::from(change.now.is_some());
                if let Waived::Channel(rule) = change.what {
                    self.no_longer_asked_for(rule);
                }
            }
            Output::Fact(_) => {}
        }
    }

    /// A fire that a channel shows which is put aside, or was, need not be found.
    fn no_longer_asked_for(&mut self, channel: RuleId) {
        for (room, fire) in self.house.rooms.iter().zip(&mut self.fires) {
            if room.channels.iter().any(|(_, rule)| *rule == channel)
                && let Some(fire) = fire
            {
                fire.clean = false;
            }
        }
    }

    fn note(&mut self, what: u64) {
        self.score.trace = (self.score.trace ^ what ^ self.now << 20).wrapping_mul(0x100_0000_01b3);
    }

    fn room_of(&self, sequence: SequenceId) -> usize {
        let found = self.house.rooms.iter().position(|room| room.sequences.contains(&sequence));
        found.expect("every sequence is of a room")
    }

    /// S4: a fire that healthy channels show starts the cut in time.
    fn no_missed_fire(&self) -> Result<(), String> {
        for (room, fire) in self.fires.iter().enumerate() {
            let Some(fire) = fire else { continue };
            if !fire.clean || self.now <= fire.must_by {
                continue;
            }
            for sequence in &self.house.rooms[room].sequences {
                if self.referee.is_idle(*sequence) && self.referee.mode(*sequence) != Mode::Disabled {
                    return Err(format!("S4: at {} ms {sequence:?} has not started: {fire:?}", self.now));
                }
            }
        }
        Ok(())
    }

    fn drive(&mut self, order: &Order) {
        let (id, due) = (order.id, order.answer_by.0);
        let quick = self.now + self.dice.between(50, 400);
        let moved = quick + self.dice.between(100, 900);
        let broken = self.dice.chance(self.rates.breaker);
        let how = if broken { self.dice.between(1, 6) } else { 0 };
        let no_answer = Err(DriveFault::NoAnswer);
        let (answer, moves) = match how {
            0 => (Some((quick, Ok(()))), Some(moved)),
            1 => (Some((quick, Ok(()))), None),
            2 => (Some((quick, Err(DriveFault::Exception(4)))), None),
            3 => (Some((due, no_answer)), Some(moved)),
            4 => (None, Some(moved + 4000)),
            5 => (Some((due + 700, Ok(()))), Some(due + 700)),
            _ => (Some((quick, Err(DriveFault::NotSent))), None),
        };
        if let Some((when, result)) = answer {
            self.send(when, Input::Answered { order: id, at: Uptime(when), result });
            if self.dice.chance(self.rates.twice) {
                self.send(when + 3000, Input::Answered { order: OrderId(id.0), at: Uptime(when), result });
            }
        }
        if let Some(when) = moves {
            self.moves.send(when, order.action.index());
        }
    }

    fn move_contacts(&mut self) {
        while let Some(action) = self.moves.take(self.now) {
            self.open[action] = true;
        }
    }

    fn send(&mut self, when: u64, input: Input) {
        self.inbox.send(when.max(self.now + 1), input);
    }

    fn poll(&mut self) {
        if self.now < self.next_poll {
            return;
        }
        for index in 0..self.devices.len() {
            if self.now < self.devices[index].next_poll {
                continue;
            }
            let device = DeviceId::at(index);
            let points = self.site[device].points.clone();
            self.devices[index].next_poll = self.now + self.site.points[points.start as usize].period.0;
            let may_fail = self.may_fail(device);
            let fault = self.devices[index];
            let silent = may_fail && (self.now < fault.silent_until || self.dice.chance(self.rates.lost));
            let spike = may_fail && self.dice.chance(self.rates.spike);
            let late = may_fail && self.dice.chance(self.rates.late);
            let taken = self.now + if late { self.dice.between(200, 2500) } else { 50 };
            for point in points.map(PointId) {
                let truth = self.truth(point, may_fail && self.now < fault.stuck_until);
                let result = if silent {
                    Err(ReadFault::Timeout)
                } else if may_fail && self.now < fault.disowns_until {
                    Err(ReadFault::Sentinel)
                } else {
                    let wrong = self.dice.pick(&[130.0, 9999.0, 0.0]);
                    Value::new(if spike { wrong } else { truth }).ok_or(ReadFault::NotANumber)
                };
                let asked = Uptime(self.now);
                self.send(taken, Input::Sampled { point, asked, taken: Uptime(taken), result });
                if may_fail && self.dice.chance(self.rates.twice) {
                    let again = taken + self.dice.between(100, 6000);
                    let taken = Uptime(if self.dice.chance(5000) { again } else { taken });
                    self.send(again, Input::Sampled { point, asked, taken, result });
                }
            }
        }
        self.next_poll =
            self.devices.iter().map(|device| device.next_poll).min().expect("a house has devices");
    }

    /// Whether faults may touch a device now.
    fn may_fail(&self, device: DeviceId) -> bool {
        let protected = self
            .fires
            .iter()
            .flatten()
            .any(|fire| fire.clean && fire.points.iter().any(|point| self.site[*point].device == device));
        !protected && self.faulty.is_none_or(|faulty| faulty == device.index())
    }

    /// What a point would read now if nothing were wrong with it.
    #[expect(clippy::cast_precision_loss, reason = "a phase of a day")]
    fn truth(&mut self, point: PointId, stuck: bool) -> f64 {
        if stuck {
            return self.stuck[point.index()];
        }
        match self.house.roles[point.index()] {
            Role::Contact(action) => f64::from(u8::from(!self.open[action])),
            Role::Lockout => 0.0,
            Role::Current { room } => {
                let sequences = &self.house.rooms[room].sequences;
                let mut stages = sequences.iter().flat_map(|id| &self.site[*id].stages);
                if stages.any(|stage| self.open[stage.action.index()]) { 0.0 } else { 80.0 }
            }
            Role::Channel { room, measures, .. } => {
                let noise = if measures { self.dice.noise() * 0.2 } else { 0.0 };
                let value = noise + self.channel_reads(room, point, measures);
                self.stuck[point.index()] = value;
                value
            }
            Role::Ambient => {
                let part_of_day = (self.now % 86_400_000) as f64 / 86_400_000.0;
                CALM + 8.0 * (part_of_day * std::f64::consts::TAU).sin() + self.dice.noise()
            }
        }
    }

    fn channel_reads(&self, room: usize, point: PointId, measures: bool) -> f64 {
        match self.physical.get(room) {
            Some(physical) => physical.reads(point.index(), measures),
            None if self.fires[room].as_ref().is_some_and(|fire| fire.points.contains(&point)) => BURNING,
            None => CALM,
        }
    }

    /// What happens between two scans, so many times as likely as within one step of the daemon.
    fn disturb(&mut self, times: u64) {
        if times == 0 {
            return;
        }
        for room in 0..self.fires.len() {
            self.burn(room, times);
        }
        if self.dice.chance(self.rates.episode * times) {
            self.begin_episode();
        }
        if self.kind == Kind::OneFaultyDevice {
            return;
        }
        self.tidy_up(times);
        // Rare in calm times; a run is short, and what hits it then is what matters.
        let often = if self.core.is_cutting() { 2000 } else { 100 };
        if !self.dice.chance(often * times) {
            return;
        }
        if self.dice.chance(self.rates.ask) {
            self.ask();
        }
        if self.dice.chance(self.rates.wall_step) {
            self.wall_shift += i64::try_from(self.dice.between(0, 7_200_000)).unwrap_or(0) - 3_600_000;
        }
        if self.dice.chance(self.rates.gap) {
            self.score.gaps += 1;
            let lasts = self.dice.between(250, 90_000);
            self.pass(lasts);
        }
        if self.dice.chance(self.rates.restart) {
            self.restart();
        }
    }

    /// Nothing is scanned for so long; what is due in fires is due that much later.
    fn pass(&mut self, ms: u64) {
        self.now += ms;
        for fire in self.fires.iter_mut().flatten() {
            fire.must_by = self.now + fire.takes;
        }
    }

    fn burn(&mut self, room: usize, times: u64) {
        if !self.physical.is_empty() {
            return self.burn_by_physics(room, times);
        }
        if let Some(fire) = &self.fires[room] {
            if fire.until < self.now {
                self.last_fire[room] = self.now;
                self.fires[room] = None;
            }
            return;
        }
        // About every twenty minutes at five scans a second.
        if self.kind == Kind::OneFaultyDevice || !self.dice.chance(2 * times) {
            return;
        }
        let map = &self.house.rooms[room];
        let RuleKind::Together(vote) = &self.site[map.vote].kind else { return };
        let count = self.dice.between(u64::from(vote.needed), map.channels.len() as u64);
        let count = usize::try_from(count).expect("few channels");
        let first = self.dice.index(map.channels.len());
        let points: Vec<PointId> =
            map.channels.iter().cycle().skip(first).take(count).map(|(point, _)| *point).collect();
        let until = self.now + self.dice.between(60_000, 240_000);
        self.demand(room, points, until);
    }

    /// Heat, gas and smoke go on; once enough channels show danger, the cut is demanded, as long as they do.
    fn burn_by_physics(&mut self, room: usize, times: u64) {
        let shown = self.shown(room);
        let physical = &mut self.physical[room];
        physical.live(self.now, !shown.is_empty());
        if self.dice.chance(2 * times) {
            physical.begins(self.now, &mut self.dice);
        }
        match &self.fires[room] {
            Some(fire) if fire.points.iter().all(|point| shown.contains(point)) => {}
            Some(_) => {
                self.last_fire[room] = self.now;
                self.fires[room] = None;
            }
            None if shown.is_empty() => {}
            None => self.demand(room, shown, u64::MAX),
        }
    }

    /// The channels of a room that show danger now, if they are enough for its vote.
    fn shown(&self, room: usize) -> Vec<PointId> {
        let physical = &self.physical[room];
        if physical.is_calm() {
            return Vec::new();
        }
        let map = &self.house.rooms[room];
        let RuleKind::Together(vote) = &self.site[map.vote].kind else { return Vec::new() };
        let shows = |point: PointId, rule: RuleId| {
            let measures = matches!(self.site[rule].kind, RuleKind::Limit(_));
            physical.shows_danger(point.index(), measures)
        };
        let points: Vec<PointId> = map
            .channels
            .iter()
            .filter(|(point, rule)| shows(*point, *rule))
            .map(|(point, _)| *point)
            .collect();
        if points.len() < usize::from(vote.needed) { Vec::new() } else { points }
    }

    /// From now on these channels show a fire.
    fn demand(&mut self, room: usize, points: Vec<PointId>, until: u64) {
        let map = &self.house.rooms[room];
        let RuleKind::Together(vote) = &self.site[map.vote].kind else { return };
        let takes = points.iter().map(|point| {
            let spec = &self.site[*point];
            let doubt = if spec.fall_per_s_max.is_some() { 10_000 } else { 0 };
            // Two polls, the longest on-delay, an answer under way, two ticks.
            spec.period.0 * 2 + 3000 + doubt + 3000 + 2 * (self.tick.0 - TICK.0)
        });
        let takes = takes.max().unwrap_or_default();
        // Only a fire that enough independent channels show can be asked to be found.
        let shown = map.channels.iter().enumerate().filter(|(_, (point, _))| points.contains(point));
        let mask = shown.fold(0, |mask, (bit, _)| mask | 1 << bit);
        let enough = usize::from(vote.needed) <= super::referee::independent(&vote.rivals, mask);
        let aside = |rule: RuleId| self.core.waiver(Waived::Channel(rule)).is_some();
        let whole = !map.channels.iter().any(|(_, rule)| aside(*rule));
        let clean = enough && self.dice.chance(7000) && whole;
        self.fires[room] = Some(Fire {
            until,
            points,
            clean,
            must_by: self.now + takes,
            takes,
            begun: self.now,
            found: false,
        });
        self.score.demands += 1;
    }

    fn begin_episode(&mut self) {
        let index = self.faulty.unwrap_or_else(|| self.dice.index(self.devices.len()));
        let until = self.now + self.dice.between(500, 180_000);
        match self.dice.between(0, 2) {
            0 => self.devices[index].silent_until = until,
            1 => self.devices[index].stuck_until = until,
            _ => self.devices[index].disowns_until = until,
        }
    }

    /// After a run somebody closes the breakers by hand and resets.
    fn tidy_up(&mut self, times: u64) {
        if !self.dice.chance(20 * times) {
            return;
        }
        for index in 0..self.site.sequences.len() {
            let id = SequenceId::at(index);
            let Phase::Run(run) = &self.core.sequence(id).phase else { continue };
            let rests = run.step.is_over() || matches!(run.step, Step::Held { .. });
            if rests && self.fires[self.room_of(id)].is_none() {
                for stage in &self.site[id].stages {
                    self.open[stage.action.index()] = false;
                }
                self.people(Request::ResetSequence { sequence: id }, "anna");
                self.people(Request::ResetSequence { sequence: id }, "ben");
                // After a cut it takes a person to arm it again (I8).
                self.people(Request::Arm { sequence: id }, "anna");
            }
        }
    }

    fn people(&mut self, request: Request, who: &str) {
        self.send(self.now, Input::Asked { by: who.into(), request });
    }

    /// Two persons put something aside, or one ends it. The second may be the first one again, or come too late.
    fn put_aside(&mut self) {
        let may = |alarm: &emberwatch::safety::site::Alarm| {
            matches!(alarm.source, AlarmSource::Bypassed(_) | AlarmSource::Maintenance(_))
        };
        let all: Vec<usize> = (0..self.site.alarms.len()).filter(|at| may(&self.site.alarms[*at])).collect();
        let alarm = AlarmId::at(self.dice.pick(&all));
        let who = self.dice.pick(&["anna", "ben"]);
        if self.dice.chance(2500) {
            return self.people(Request::EndWaiver { alarm }, who);
        }
        let lasting = Millis(self.dice.between(1, 1_200_000));
        let request = Request::Waive { alarm, lasting, reason: "new sensor".into() };
        let by = if self.dice.chance(1000) { who } else { "carl" };
        let later = self.now + self.dice.between(0, 70_000);
        self.send(later, Input::Asked { by: by.into(), request: request.clone() });
        self.people(request, who);
    }

    fn ask(&mut self) {
        if self.kind == Kind::PutAside && self.dice.chance(7000) {
            return self.put_aside();
        }
        let sequence = SequenceId::at(self.dice.index(self.site.sequences.len()));
        let run = match &self.core.sequence(sequence).phase {
            Phase::Run(run) => Some(run.id),
            Phase::Idle => None,
        };
        let alarm = AlarmId::at(self.dice.index(self.site.alarms.len()));
        let stale = self.dice.chance(3000);
        let who = self.dice.pick(&["anna", "ben"]);
        let request = match self.dice.between(0, 6) {
            0 => Request::Abort { sequence, run: if stale { Some(RunId(0)) } else { run } },
            1 => Request::Arm { sequence },
            2 => {
                // The second person may be the first one again, or come too late.
                let later = self.now + self.dice.between(0, 80_000);
                let by = if stale { who } else { "carl" };
                self.send(later, Input::Asked { by: by.into(), request: Request::Disarm { sequence } });
                Request::Disarm { sequence }
            }
            3 | 4 => {
                self.people(Request::Select { sequence }, who);
                let later = self.now + self.dice.between(0, 12_000);
                let by = if stale { "carl" } else { who };
                self.send(later, Input::Asked { by: by.into(), request: Request::Start { sequence } });
                return;
            }
            5 => {
                let seen = self.core.alarm(alarm).occurrence;
                let occurrence = if stale { seen.saturating_sub(1) } else { seen };
                Request::Acknowledge { alarm, occurrence }
            }
            _ => self.about_alarm(alarm),
        };
        self.people(request, who);
    }

    /// What else people ask of alarms. Thrown with dice of its own, so that old seeds stay what they were.
    fn about_alarm(&self, alarm: AlarmId) -> Request {
        let mut dice = Dice::new(self.now);
        let lasting = Millis(dice.between(1, 1_200_000));
        match dice.between(0, 5) {
            0 | 1 => Request::Shelve { alarm, occurrence: None, lasting, one_shot: dice.chance(5000) },
            2 => Request::Unshelve { alarm },
            3 => Request::OutOfService { alarm, reason: "new sensor".into() },
            4 => Request::InService { alarm },
            _ => Request::ResetAlarm { alarm },
        }
    }

    /// Ends the core and starts it from its memory. Answers under way are lost, contacts go on moving. What
    /// the core would have said in the scan that was never finished has never left: orders are durable first.
    fn restart(&mut self) {
        self.score.restarts += 1;
        let mut memory = self.core.memory();
        let same_boot = self.dice.chance(7000);
        memory.same_boot = same_boot;
        let mut scratch = Vec::new();
        // A scan whose outputs are lost with the process.
        self.core.scan(moment(self.now, self.wall_shift), &[], &mut scratch);
        drop(scratch);
        self.inbox.clear();
        let down = self.dice.between(100, 20_000);
        self.pass(down);
        let now = moment(self.now, self.wall_shift);
        self.core = Safety::new(self.site.clone(), &memory, now).at_tick(self.tick);
        if let Some(twin) = &mut self.twin {
            let mut memory = twin.memory();
            memory.same_boot = same_boot;
            *twin = Safety::new(self.site.clone(), &memory, moment(self.now, 9)).at_tick(self.tick);
        }
        self.referee.restart(Uptime(self.now), same_boot);
    }
}

impl Rates {
    fn random(dice: &mut Dice, kind: Kind) -> Self {
        let mut rate = |most: u64| if dice.chance(4000) { 0 } else { dice.between(1, most) };
        match kind {
            Kind::Everything | Kind::Interlocked | Kind::PutAside | Kind::Physics => Self {
                lost: rate(1500),
                spike: rate(300),
                late: rate(1000),
                twice: rate(1000),
                episode: rate(20),
                breaker: rate(6000),
                restart: rate(300),
                gap: rate(300),
                wall_step: rate(500),
                ask: rate(if kind == Kind::PutAside { 3000 } else { 500 }),
            },
            Kind::OneFaultyDevice => Self {
                lost: rate(4000),
                spike: rate(4000),
                late: rate(3000),
                twice: rate(3000),
                episode: rate(30),
                ..Self::default()
            },
        }
    }
}

fn moment(now: u64, wall_shift: i64) -> Now {
    let label = i64::try_from(now).unwrap_or(0);
    Now { uptime: Uptime(now), wall: WallTime(1_790_000_000_000 + label + wall_shift) }
}

fn same_but_for_labels(a: &Output, b: &Output) -> bool {
    match (a, b) {
        (Output::Order(a), Output::Order(b)) => a == b,
        (Output::Fact(Fact::Alarm(a)), Output::Fact(Fact::Alarm(b))) => {
            let mut b = b.clone();
            b.now.since = a.now.since;
            *a == b
        }
        (Output::Fact(Fact::Sequence(a)), Output::Fact(Fact::Sequence(b))) => {
            let mut b = b.clone();
            if let (Phase::Run(a), Phase::Run(b)) = (&a.now.phase, &mut b.now.phase) {
                b.since = a.since;
            }
            *a == b
        }
        (Output::Fact(a), Output::Fact(b)) => a == b,
        (Output::Fact(_), Output::Order(_)) | (Output::Order(_), Output::Fact(_)) => false,
    }
}

impl Score {
    pub(crate) fn add(&mut self, other: Self) {
        self.room_ms += other.room_ms;
        self.demands += other.demands;
        self.starts += other.starts;
        self.spurious += other.spurious;
        self.orders += other.orders;
        self.done += other.done;
        self.interlocked += other.interlocked;
        self.put_aside += other.put_aside;
        self.restarts += other.restarts;
        self.gaps += other.gaps;
        self.found.add(&other.found);
        self.trace ^= other.trace;
    }
}

/// How long something lasts, for people.
pub(crate) fn hours(ms: u64) -> u64 {
    Millis(ms).0 / 3_600_000
}

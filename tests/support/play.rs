//! Plays a scenario in virtual time: polls, breakers, people and faults around the real core.

use std::collections::BTreeMap;
use std::sync::Arc;

use emberwatch::safety::fact::{DriveFault, Input, Order, OrderId, Output, Request};
use emberwatch::safety::reading::ReadFault;
use emberwatch::safety::sequence::RunId;
use emberwatch::safety::sequence::spec::Mode;
use emberwatch::safety::site::{AlarmId, PointId, SequenceId};
use emberwatch::safety::{Safety, TICK};
use emberwatch::units::{Millis, Now, Uptime, Value, WallTime};

use crate::diary::{Entry, entry};
use crate::mirror::{BreakerText, Plant};
use crate::script::{Ask, Behaviour, Moment, Ramp, Scenario};
use crate::words::Spelled;

/// How long a poll takes.
const POLL_TAKES: Millis = Millis(50);
/// How long a device takes to acknowledge a command.
const ACKNOWLEDGE_TAKES: Millis = Millis(150);
/// How much later than due a late answer comes.
const LATE_BY: Millis = Millis(1000);

struct Play<'a> {
    core: Safety,
    plant: Plant,
    breakers: &'a [BreakerText],
    behaviour: BTreeMap<&'a str, Behaviour>,
    reads: Vec<f64>,
    ramps: Vec<(PointId, f64, Ramp, u64)>,
    silent: Vec<bool>,
    no_value: Vec<bool>,
    moves: Vec<(u64, PointId, f64)>,
    answers: Vec<(u64, OrderId, Result<(), DriveFault>)>,
    /// What was asked, with when it is answered.
    polled: Vec<(u64, Input)>,
    slow_ms: Vec<u64>,
    spoils_every: Vec<u64>,
    polls: Vec<u64>,
    /// How far the wall clock was set, in milliseconds.
    wall_shift: i64,
    diary: Vec<Entry>,
    qualities: BTreeMap<String, String>,
}

/// The diary of a scenario; `mode_of` overrides the mode of a sequence.
pub(crate) fn play(scenario: &Scenario, mode_of: Option<(&str, Mode)>) -> Vec<Entry> {
    let site_text = scenario.site();
    let mut plant = site_text.plant();
    if let Some((name, mode)) = mode_of {
        let id = plant.sequence(name);
        plant.site.sequences[id.index()].mode = mode;
    }
    let core =
        Safety::new(Arc::new(plant.site.clone()), &emberwatch::safety::memory::Memory::default(), at(0));
    let mut play = Play {
        core,
        behaviour: BTreeMap::new(),
        reads: plant.reads.clone(),
        ramps: Vec::new(),
        silent: vec![false; plant.site.devices.len()],
        no_value: vec![false; plant.site.points.len()],
        moves: Vec::new(),
        answers: Vec::new(),
        polled: Vec::new(),
        slow_ms: vec![0; plant.site.devices.len()],
        spoils_every: vec![0; plant.site.devices.len()],
        polls: vec![0; plant.site.points.len()],
        wall_shift: 0,
        diary: Vec::new(),
        qualities: BTreeMap::new(),
        breakers: &site_text.breaker,
        plant,
    };
    play.run(scenario);
    play.diary
}

/// A moment of virtual time; the wall clock is a label only.
fn at(ms: u64) -> Now {
    let label = i64::try_from(ms).expect("scenarios are short");
    Now { uptime: Uptime(ms), wall: WallTime(1_790_000_000_000 + label) }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "seconds of a scenario")]
fn millis(seconds: f64) -> u64 {
    (seconds * 1000.0).round() as u64
}

impl<'a> Play<'a> {
    fn run(&mut self, scenario: &'a Scenario) {
        let mut moments: Vec<&'a Moment> = scenario.script.at.iter().collect();
        moments.sort_by(|a, b| a.s.total_cmp(&b.s));
        let mut moments = moments.into_iter().peekable();
        let end = millis(scenario.script.seconds);
        let mut now = 0;
        while now <= end {
            let mut inputs: Vec<Input> =
                self.polled.extract_if(.., |(due, _)| *due <= now).map(|(_, input)| input).collect();
            let mut pause = 0;
            while let Some(moment) = moments.next_if(|moment| millis(moment.s) <= now) {
                pause += self.happen(moment, now, &mut inputs);
            }
            if 0 < pause {
                now += pause;
                continue;
            }
            self.move_plant(now);
            let due = self.answers.extract_if(.., |(due, ..)| *due <= now);
            inputs.extend(due.map(|(due, order, result)| Input::Answered { order, at: Uptime(due), result }));
            self.scan(now, &inputs);
            self.poll(now);
            now += TICK.0;
        }
    }

    fn scan(&mut self, now: u64, inputs: &[Input]) {
        let mut out = Vec::new();
        let mut moment = at(now);
        moment.wall.0 += self.wall_shift;
        self.core.scan(moment, inputs, &mut out);
        for output in out {
            if let Some(entry) = entry(&self.plant, now, &output) {
                // A point is news when its quality changes, not with every value.
                let is_news = entry.kind != "point"
                    || self.qualities.insert(entry.subject.clone(), entry.says.clone()).as_ref()
                        != Some(&entry.says);
                if is_news {
                    self.diary.push(entry);
                }
            }
            if let Output::Order(order) = output {
                self.drive(&order, now);
            }
        }
    }

    fn drive(&mut self, order: &Order, now: u64) {
        let name = &self.plant.site[order.action].name;
        let breaker =
            self.breakers.iter().find(|breaker| breaker.id == *name).expect("an action is a breaker");
        let behaviour = self.behaviour.get(name.as_str()).copied().unwrap_or(Behaviour::Works);
        let acknowledged = now + ACKNOWLEDGE_TAKES.0;
        let late = order.answer_by.0 + LATE_BY.0;
        let (answer, moved) = match behaviour {
            Behaviour::Works => ((acknowledged, Ok(())), Some(acknowledged)),
            Behaviour::Ignores => ((acknowledged, Ok(())), None),
            Behaviour::Refuses => ((acknowledged, Err(DriveFault::Exception(4))), None),
            Behaviour::NoAnswer => ((order.answer_by.0, Err(DriveFault::NoAnswer)), None),
            Behaviour::MovesWithoutAnswer => {
                ((order.answer_by.0, Err(DriveFault::NoAnswer)), Some(acknowledged))
            }
            Behaviour::Late => ((late, Ok(())), Some(late)),
        };
        self.answers.push((answer.0, order.id, answer.1));
        if let Some(from) = moved {
            let when = from + breaker.takes.0.0;
            let moves = breaker.moves.iter().map(|(point, value)| (when, self.plant.point(point), *value));
            self.moves.extend(moves);
        }
    }

    fn move_plant(&mut self, now: u64) {
        for (_, point, value) in self.moves.extract_if(.., |(due, ..)| *due <= now) {
            self.reads[point.index()] = value;
        }
        for (point, from, ramp, since) in &self.ramps {
            let part = (at(now).uptime.since(Uptime(*since)).as_secs_f64() / ramp.over_s).min(1.0);
            self.reads[point.index()] = from + (ramp.to - from) * part;
        }
        self.ramps.retain(|(_, _, ramp, since)| now < since + millis(ramp.over_s));
    }

    /// Asks every device whose time has come; what it says is taken in by the next scan.
    fn poll(&mut self, now: u64) {
        for (index, point) in self.plant.site.points.iter().enumerate() {
            if !now.is_multiple_of(point.period.0) {
                continue;
            }
            let device = point.device.index();
            self.polls[index] += 1;
            let polls = self.polls[index];
            let every = self.spoils_every[device];
            let spoilt = every != 0 && polls.is_multiple_of(every);
            let result = if spoilt {
                // 6 is a device that is busy; the others were damaged on the way.
                Err(if polls.is_multiple_of(4) { ReadFault::Exception(6) } else { ReadFault::Timeout })
            } else if self.silent[point.device.index()] {
                Err(ReadFault::Timeout)
            } else if self.no_value[index] {
                Err(ReadFault::Sentinel)
            } else {
                Value::new(self.reads[index]).ok_or(ReadFault::NotANumber)
            };
            let taken = Uptime(now).plus(POLL_TAKES).plus(Millis(self.slow_ms[device]));
            let input = Input::Sampled { point: PointId::at(index), asked: Uptime(now), taken, result };
            self.polled.push((taken.0, input));
        }
    }

    /// What one moment brings; returns for how long nothing is scanned then.
    fn happen(&mut self, moment: &'a Moment, now: u64, inputs: &mut Vec<Input>) -> u64 {
        for (name, value) in &moment.set {
            let point = self.plant.point(name);
            self.reads[point.index()] = *value;
            self.ramps.retain(|(ramping, ..)| *ramping != point);
            self.no_value[point.index()] = false;
            self.diary.push(Entry::new(now, "plant", name, format!("reads {value}")));
        }
        if let Some(step) = moment.wall_step_s {
            #[expect(clippy::cast_possible_truncation, reason = "hours or years of a scenario")]
            let step = (step * 1000.0).round() as i64;
            self.wall_shift += step;
            self.diary.push(Entry::new(now, "plant", "wall clock", format!("set by {step} ms")));
        }
        for (name, ramp) in &moment.ramp {
            let point = self.plant.point(name);
            self.ramps.push((point, self.reads[point.index()], *ramp, now));
            self.diary.push(Entry::new(
                now,
                "plant",
                name,
                format!("goes to {} in {} s", ramp.to, ramp.over_s),
            ));
        }
        for (prefix, ramp) in &moment.ramp_each {
            let all = (0..self.plant.site.points.len()).map(PointId::at);
            let points: Vec<PointId> =
                all.filter(|point| self.plant.point_name(*point).starts_with(prefix)).collect();
            for (index, point) in points.iter().enumerate() {
                let begins = now + millis(moment.spread_s) * index as u64 / points.len() as u64;
                self.ramps.push((*point, self.reads[point.index()], *ramp, begins));
            }
            let says = format!("{} go to {} in {} s", points.len(), ramp.to, ramp.over_s);
            self.diary.push(Entry::new(now, "plant", prefix, says));
        }
        self.devices_change(moment, now);
        for ask in &moment.asks {
            inputs.push(self.asked(ask));
            self.diary.push(Entry::new(now, "person", &ask.who, format!("asks to {}", ask.what)));
        }
        if let Some(seconds) = moment.held_up_s {
            // What arrived is still there when the loop goes on.
            self.polled.extend(inputs.drain(..).map(|input| (now, input)));
            return millis(seconds);
        }
        let (down, same_boot) = match (moment.restart_s, moment.reboot_s) {
            (Some(seconds), None) => (millis(seconds), true),
            (None, Some(seconds)) => (millis(seconds), false),
            _ => return 0,
        };
        self.restart(moment, now + down, same_boot);
        inputs.clear();
        self.diary.push(Entry::new(now, "plant", "emberwatch", format!("is restarted, down for {down} ms")));
        down
    }

    /// How devices and breakers behave from this moment on.
    fn devices_change(&mut self, moment: &'a Moment, now: u64) {
        for (names, silent) in [(&moment.silent, true), (&moment.answers, false)] {
            for name in names {
                self.silent[self.plant.device(name).index()] = silent;
                self.diary.push(Entry::new(now, "plant", name, if silent { "is silent" } else { "answers" }));
            }
        }
        for name in &moment.no_value {
            self.no_value[self.plant.point(name).index()] = true;
            self.diary.push(Entry::new(now, "plant", name, "delivers no value"));
        }
        for (name, seconds) in &moment.slow_s {
            self.slow_ms[self.plant.device(name).index()] = millis(*seconds);
            self.diary.push(Entry::new(now, "plant", name, format!("takes {seconds} s to answer")));
        }
        for (name, every) in &moment.spoils_every {
            self.spoils_every[self.plant.device(name).index()] = *every;
            self.diary.push(Entry::new(now, "plant", name, format!("spoils one answer in {every}")));
        }
        for (name, behaviour) in &moment.breaker {
            assert!(self.breakers.iter().any(|known| known.id == *name), "no breaker is called `{name}`");
            self.behaviour.insert(name, *behaviour);
            self.diary.push(Entry::new(now, "plant", name, crate::words::plain(behaviour)));
        }
    }

    fn restart(&mut self, moment: &Moment, back: u64, same_boot: bool) {
        let mut memory = self.core.memory();
        memory.same_boot = same_boot;
        for (name, mode) in &moment.configured_mode {
            let id = self.plant.sequence(name);
            let known = Mode::WORDS.iter().find(|(word, _)| word == mode);
            self.plant.site.sequences[id.index()].mode = known.expect("a mode's word").1;
        }
        for (name, digest) in &moment.configured_proof {
            let id = self.plant.sequence(name);
            let proof = &mut self.plant.site.sequences[id.index()].proof;
            proof.as_mut().expect("a sequence that asks for a proof").of = digest.as_str().into();
        }
        self.core = Safety::new(Arc::new(self.plant.site.clone()), &memory, at(back));
        self.answers.clear();
    }

    fn asked(&self, ask: &Ask) -> Input {
        let sequence =
            || -> SequenceId { self.plant.sequence(ask.sequence.as_deref().expect("sequence = …")) };
        let alarm = || {
            let name = ask.alarm.as_deref().expect("alarm = …");
            let found = self.plant.site.alarms.iter().position(|alarm| alarm.name == name);
            AlarmId::at(found.unwrap_or_else(|| panic!("no alarm is called `{name}`")))
        };
        let request = match ask.what.as_str() {
            "acknowledge" => {
                let alarm = alarm();
                let seen = ask.occurrence.unwrap_or_else(|| self.core.alarm(alarm).occurrence);
                Request::Acknowledge { alarm, occurrence: seen }
            }
            "reset-alarm" => Request::ResetAlarm { alarm: alarm() },
            "shelve" => {
                let lasting = Millis(millis(ask.for_s.expect("for_s = …")));
                let (occurrence, one_shot) = (ask.occurrence, ask.one_shot);
                Request::Shelve { alarm: alarm(), occurrence, lasting, one_shot }
            }
            "unshelve" => Request::Unshelve { alarm: alarm() },
            "out-of-service" => Request::OutOfService { alarm: alarm(), reason: ask.reason.as_str().into() },
            "begin" => {
                let lasting = Millis(millis(ask.for_s.expect("for_s = …")));
                Request::Waive { alarm: alarm(), lasting, reason: ask.reason.as_str().into() }
            }
            "end" => Request::EndWaiver { alarm: alarm() },
            "in-service" => Request::InService { alarm: alarm() },
            "abort" => Request::Abort { sequence: sequence(), run: ask.run.map(RunId) },
            "arm" => Request::Arm { sequence: sequence() },
            "disarm" => Request::Disarm { sequence: sequence() },
            "select" => Request::Select { sequence: sequence() },
            "start" => Request::Start { sequence: sequence() },
            "proof-tested" => Request::ProofTested { sequence: sequence() },
            "drill" => Request::Drill { sequence: sequence() },
            "reset-sequence" => Request::ResetSequence { sequence: sequence() },
            other => panic!("nobody can ask to `{other}`"),
        };
        Input::Asked { by: ask.who.as_str().into(), request }
    }
}

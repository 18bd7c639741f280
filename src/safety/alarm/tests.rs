//! Alarms from outside: causes, people and time go in, changes come out.

#![expect(clippy::unwrap_used, reason = "tests")]

use super::settings::{AlarmSettings, CHATTER_QUIET, FLOOD_CALM, SHELVE_MAX, STALE_AFTER};
use super::*;
use crate::safety::fact::{Operator, Refusal, Request};
use crate::safety::memory::Memory;
use crate::safety::risk::Level;
use crate::safety::site::{Alarm, Room, RoomId, RuleId, SequenceId, SystemFault};
use crate::units::WallTime;

mod edges;

const RULES: u32 = 40;
const FLOOD: AlarmId = AlarmId(RULES);
const CUTTING: AlarmId = AlarmId(RULES + 1);
const NOT_ARMED: AlarmId = AlarmId(RULES + 2);
const CUT_FAILED: AlarmId = AlarmId(RULES + 3);
const BLIND: AlarmId = AlarmId(RULES + 4);
const MQTT: AlarmId = AlarmId(RULES + 5);
/// Among the rules: the last is latched.
const LATCHED: AlarmId = AlarmId(RULES - 1);
const HOT: AlarmId = AlarmId(0);

/// One room with forty rules, and the alarms that people may not put away.
struct Bench {
    site: Site,
    alarms: Alarms,
    now: u64,
}

/// What was told: the alarm, the event's word, and the state after it.
type Told = Vec<(AlarmId, &'static str, AlarmState)>;

impl Bench {
    fn new() -> Self {
        let mut sources: Vec<AlarmSource> = (0..RULES).map(|rule| AlarmSource::Rule(RuleId(rule))).collect();
        sources.extend([
            AlarmSource::Flood(RoomId(0)),
            AlarmSource::Cutting(SequenceId(0)),
            AlarmSource::NotArmed(SequenceId(0)),
            AlarmSource::CutFailed(SequenceId(0)),
            AlarmSource::VoteBlind(RuleId(0)),
            AlarmSource::System(SystemFault::Mqtt),
        ]);
        let alarm = |(index, source): (usize, AlarmSource)| Alarm {
            name: format!("alarm-{index}"),
            room: RoomId(0),
            source,
            latched: AlarmId::at(index) == LATCHED,
            message: String::new(),
            consequence: String::new(),
            action: String::new(),
        };
        let site = Site {
            rooms: vec![Room { name: "room".into(), title: String::new() }],
            alarms: sources.into_iter().enumerate().map(alarm).collect(),
            ..Site::default()
        };
        let alarms = Alarms::new(&site, &Memory::default());
        Self { site, alarms, now: 1_000 }
    }

    fn at(&self) -> Now {
        Now { uptime: Uptime(self.now), wall: WallTime(0) }
    }

    fn told(out: Vec<Output>) -> Told {
        out.into_iter()
            .filter_map(|output| match output {
                Output::Fact(Fact::Alarm(change)) => {
                    Some((change.alarm, change.event.word(), change.now.state))
                }
                _ => None,
            })
            .collect()
    }

    fn cause(&mut self, alarm: AlarmId, priority: Option<Priority>) -> Told {
        let level = |priority| Level::ALL.into_iter().find(|level| level.priority() == Some(priority));
        let cause = priority.map(|priority| Cause {
            level: level(priority).unwrap_or_default(),
            ..Cause::technical(priority)
        });
        let mut out = Vec::new();
        let source = self.site[alarm].source;
        self.alarms.cause(&self.site, source, cause, self.at(), &mut out);
        self.alarms.advance(&self.site, self.at(), &mut out);
        Self::told(out)
    }

    fn watch(&mut self, alarm: AlarmId) -> Told {
        self.cause(alarm, Some(Priority::Medium))
    }

    fn gone(&mut self, alarm: AlarmId) -> Told {
        self.cause(alarm, None)
    }

    fn pass(&mut self, span: Millis) -> Told {
        self.now += span.0;
        let mut out = Vec::new();
        self.alarms.advance(&self.site, self.at(), &mut out);
        Self::told(out)
    }

    fn ask(&mut self, request: &Request) -> (Result<(), Refusal>, Told) {
        let (by, mut out): (Operator, _) = ("kim".into(), Vec::new());
        let answer = self.alarms.ask(&by, request, &self.site, self.at(), &mut out).unwrap();
        (answer, Self::told(out))
    }

    fn seen(&mut self, alarm: AlarmId) {
        let occurrence = self.record(alarm).occurrence;
        self.ask(&Request::Acknowledge { alarm, occurrence }).0.unwrap();
    }

    fn shelve(&mut self, alarm: AlarmId, lasting: Millis, one_shot: bool) -> Result<(), Refusal> {
        self.ask(&Request::Shelve { alarm, occurrence: None, lasting, one_shot }).0
    }

    fn take_out(&mut self, alarm: AlarmId) -> Result<(), Refusal> {
        self.ask(&Request::OutOfService { alarm, reason: "new sensor".into() }).0
    }

    fn state(&self, alarm: AlarmId) -> AlarmState {
        self.record(alarm).state
    }

    fn record(&self, alarm: AlarmId) -> &AlarmRecord {
        self.alarms.record(alarm)
    }

    fn figures(&mut self) -> AlarmFigures {
        self.alarms.figures(Uptime(self.now))
    }

    /// The alarm in this state, with its cause there or gone.
    fn in_state(state: AlarmState, stands: bool) -> (Self, AlarmId) {
        let latched = matches!(state, AlarmState::LatchedUnack | AlarmState::LatchedAck);
        let (mut bench, alarm) = (Self::new(), if latched { LATCHED } else { HOT });
        match state {
            AlarmState::Normal => {}
            AlarmState::UnackActive => drop(bench.watch(alarm)),
            AlarmState::AckActive => {
                bench.watch(alarm);
                bench.seen(alarm);
            }
            AlarmState::UnackReturned | AlarmState::LatchedUnack => {
                bench.watch(alarm);
                bench.gone(alarm);
            }
            AlarmState::LatchedAck => {
                bench.watch(alarm);
                bench.seen(alarm);
                bench.gone(alarm);
            }
            AlarmState::Shelved => bench.shelve(alarm, SHELVE_MAX, false).unwrap(),
            AlarmState::OutOfService => bench.take_out(alarm).unwrap(),
            AlarmState::Suppressed => {
                (1..=11).for_each(|other| drop(bench.watch(AlarmId(other))));
                bench.watch(alarm);
            }
        }
        if stands && state.is_away() {
            bench.watch(alarm);
        }
        assert_eq!(bench.state(alarm), state);
        (bench, alarm)
    }
}

#[test]
fn a1_every_state_under_every_event_goes_where_the_picture_says_and_numbers_only_rise() {
    use AlarmState::{
        AckActive as C, LatchedAck as F, LatchedUnack as E, Normal as A, OutOfService as I, Shelved as G,
        Suppressed as H, UnackActive as B, UnackReturned as D,
    };
    // cause · worse · danger · gone · ack · reset · shelve · unshelve · out · in · its time is over
    let rows: [(AlarmState, bool, [AlarmState; 11]); 11] = [
        (A, false, [B, B, B, A, A, A, G, A, I, A, A]),
        (B, true, [B, B, B, D, C, B, G, B, I, B, B]),
        (C, true, [C, B, B, A, C, C, G, C, I, C, B]),
        (D, false, [B, B, B, D, A, D, G, D, I, D, D]),
        (E, false, [B, B, B, E, F, E, E, E, E, E, E]),
        (F, false, [B, B, B, F, F, A, F, F, F, F, F]),
        (G, false, [G, G, B, G, G, G, G, A, G, G, A]),
        (G, true, [G, G, B, G, G, G, G, B, G, G, B]),
        (H, true, [H, H, B, A, H, H, H, H, H, H, H]),
        (I, false, [I, I, B, I, I, I, I, I, I, A, I]),
        (I, true, [I, I, B, I, I, I, I, I, I, B, I]),
    ];
    for (state, stands, expected) in rows {
        for (event, expected) in expected.into_iter().enumerate() {
            let (mut bench, alarm) = Bench::in_state(state, stands);
            let number = bench.alarms.number();
            let occurrence = bench.record(alarm).occurrence;
            let told = match event {
                0 => bench.watch(alarm),
                1 => bench.cause(alarm, Some(Priority::High)),
                2 => bench.cause(alarm, Some(Priority::Critical)),
                3 => bench.gone(alarm),
                4 => bench.ask(&Request::Acknowledge { alarm, occurrence }).1,
                5 => bench.ask(&Request::ResetAlarm { alarm }).1,
                6 => {
                    let lasting = Millis(60_000);
                    bench.ask(&Request::Shelve { alarm, occurrence: None, lasting, one_shot: false }).1
                }
                7 => bench.ask(&Request::Unshelve { alarm }).1,
                8 => bench.ask(&Request::OutOfService { alarm, reason: "why".into() }).1,
                9 => bench.ask(&Request::InService { alarm }).1,
                _ => bench.pass(SHELVE_MAX),
            };
            assert_eq!(bench.state(alarm), expected, "{state:?}, cause {stands}, event {event}");
            let changed = told.iter().any(|(about, ..)| *about == alarm);
            assert!(changed || expected == state, "{state:?}, event {event}: {told:?}");
            assert_eq!(bench.alarms.number(), number + told.len() as u64, "{state:?}, event {event}");
        }
    }
}

#[test]
fn a2_what_is_about_life_safety_cannot_be_put_away() {
    let mut bench = Bench::new();
    for alarm in [CUTTING, NOT_ARMED, CUT_FAILED, BLIND, FLOOD] {
        for stands in [false, true] {
            if stands {
                bench.cause(alarm, Some(Priority::High));
            }
            assert_eq!(bench.shelve(alarm, Millis(1_000), false), Err(Refusal::LifeSafety));
            assert_eq!(bench.take_out(alarm), Err(Refusal::LifeSafety));
        }
    }
    bench.cause(HOT, Some(Priority::Critical));
    assert_eq!(bench.shelve(HOT, Millis(1_000), true), Err(Refusal::LifeSafety));
    bench.gone(HOT);
    assert_eq!(bench.take_out(HOT), Err(Refusal::LifeSafety), "nobody has seen it yet");
    bench.seen(HOT);
    assert_eq!(bench.shelve(HOT, Millis(1_000), false), Ok(()), "it is over");
}

#[test]
fn a2_danger_comes_through_every_way_of_putting_away() {
    for state in [AlarmState::Shelved, AlarmState::Suppressed, AlarmState::OutOfService] {
        let (mut bench, alarm) = Bench::in_state(state, true);
        let told = bench.cause(alarm, Some(Priority::Critical));
        let words: Vec<&str> = told.iter().map(|(_, word, _)| *word).collect();
        assert_eq!(words.last(), Some(&"raised"), "{state:?}: {told:?}");
        assert_eq!(bench.state(alarm), AlarmState::UnackActive);
        assert_eq!(bench.record(alarm).away, None);
    }
}

#[test]
fn a_shelf_holds_what_stood_and_nothing_worse() {
    let mut bench = Bench::new();
    bench.watch(HOT);
    bench.shelve(HOT, SHELVE_MAX, false).unwrap();
    assert_eq!(bench.watch(HOT), []);
    let told = bench.cause(HOT, Some(Priority::High));
    assert_eq!(told.last(), Some(&(HOT, "raised", AlarmState::UnackActive)), "{told:?}");
}

#[test]
fn a3_what_comes_and_goes_in_doubt_clears_late_never_early() {
    let mut bench = Bench::new();
    for _ in 0..3 {
        bench.watch(HOT);
        bench.pass(Millis(1_000));
        bench.gone(HOT);
        bench.pass(Millis(1_000));
    }
    // Chattering: the last going is not believed yet.
    assert_eq!((bench.state(HOT), bench.record(HOT).chattering), (AlarmState::UnackActive, true));
    assert_eq!(bench.pass(Millis(CHATTER_QUIET.0 - 1_001)), []);
    let told = bench.pass(Millis(1));
    assert_eq!(told, [(HOT, "returned", AlarmState::UnackReturned)]);
}

#[test]
fn a4_what_chatters_is_told_once_until_it_is_quiet_and_is_counted() {
    let mut bench = Bench::new();
    let (mut calls, mut changes) = (0, 0);
    for _ in 0..300 {
        for told in [bench.watch(HOT), bench.gone(HOT)] {
            calls += told.iter().filter(|(_, word, _)| *word == "raised").count();
            changes += told.len();
        }
        bench.pass(Millis(2_000));
    }
    assert!(calls == 3 && changes < 7, "{calls} calls, {changes} changes");
    assert_eq!(bench.figures().chattering, 1);
    assert_eq!(bench.record(HOT).flips, 298);
    bench.pass(CHATTER_QUIET);
    assert_eq!((bench.figures().chattering, bench.state(HOT)), (0, AlarmState::UnackReturned));
    // Worse is news, chattering or not.
    let (mut bench, _) = Bench::in_state(AlarmState::Normal, false);
    for _ in 0..3 {
        bench.watch(HOT);
        bench.gone(HOT);
    }
    bench.watch(HOT);
    assert_eq!(bench.cause(HOT, Some(Priority::Critical)), [(HOT, "escalated", AlarmState::UnackActive)]);
}

#[test]
fn a4_what_was_seen_is_told_anew_once_in_each_interval() {
    let (mut bench, _) = Bench::in_state(AlarmState::AckActive, true);
    let interval = AlarmSettings::default().re_alarm;
    for _ in 0..3 {
        assert_eq!(bench.pass(Millis(interval.0 - 1)), []);
        assert_eq!(bench.pass(Millis(1)), [(HOT, "re-alarmed", AlarmState::UnackActive)]);
        assert_eq!(bench.record(HOT).acknowledged_by, None);
        bench.seen(HOT);
    }
}

#[test]
fn shelves_end_by_time_by_cause_and_by_a_person() {
    let mut bench = Bench::new();
    assert_eq!(bench.shelve(HOT, SHELVE_MAX.plus(Millis(1)), true), Err(Refusal::TooLong));
    assert_eq!(bench.shelve(HOT, Millis::ZERO, false), Err(Refusal::TooLong));
    bench.watch(HOT);
    bench.seen(HOT);
    let stale = Request::Shelve { alarm: HOT, occurrence: Some(0), lasting: SHELVE_MAX, one_shot: false };
    assert_eq!(bench.ask(&stale).0, Err(Refusal::OutOfDate));

    bench.shelve(HOT, Millis(60_000), false).unwrap();
    assert_eq!(bench.record(HOT).shelved_until(), Some(Uptime(61_000)));
    let told = bench.pass(Millis(60_000));
    assert_eq!(told.last(), Some(&(HOT, "raised", AlarmState::UnackActive)), "never to C: {told:?}");
    assert_eq!(bench.record(HOT).occurrence, 2, "what was seen before is old");

    bench.shelve(HOT, Millis(60_000), true).unwrap();
    let told = bench.gone(HOT);
    assert_eq!(told.last(), Some(&(HOT, "cleared", AlarmState::Normal)), "one shot: {told:?}");

    bench.shelve(HOT, Millis(60_000), true).unwrap();
    assert_eq!(bench.pass(Millis(60_000)), [(HOT, "unshelved", AlarmState::Normal)], "one shot, at most");
    bench.shelve(HOT, Millis(60_000), false).unwrap();
    let (answer, told) = bench.ask(&Request::Unshelve { alarm: HOT });
    assert_eq!((answer, told), (Ok(()), vec![(HOT, "unshelved", AlarmState::Normal)]));
    assert_eq!(bench.ask(&Request::InService { alarm: HOT }).0, Err(Refusal::NothingToDo));
    let without = Request::OutOfService { alarm: HOT, reason: "  ".into() };
    assert_eq!(bench.ask(&without).0, Err(Refusal::NoReason));
    for reason in ["x".repeat(201), "two\nlines".into()] {
        let request = Request::OutOfService { alarm: HOT, reason: reason.into() };
        assert_eq!(bench.ask(&request).0, Err(Refusal::NoReason));
    }
}

#[test]
fn sc11_a_burst_gives_one_alarm_the_first_out_and_children() {
    let mut bench = Bench::new();
    let mut told = Told::new();
    for rule in 0..30 {
        told.extend(bench.watch(AlarmId(rule)));
        bench.pass(Millis(100));
    }
    let floods: Vec<_> = told.iter().filter(|(alarm, ..)| *alarm == FLOOD).collect();
    assert_eq!(floods, [&(FLOOD, "raised", AlarmState::UnackActive)]);
    assert_eq!(bench.record(FLOOD).origin, Some(HOT));
    assert!(bench.record(HOT).first_out);
    assert_eq!(bench.state(HOT), AlarmState::UnackActive, "the first of it stays");
    let figures = bench.figures();
    assert_eq!((figures.floods, figures.suppressed, figures.standing), (1, 29, 2));
    // Life safety and what is held until reset come through.
    bench.cause(AlarmId(31), Some(Priority::Critical));
    bench.watch(LATCHED);
    assert_eq!(
        (bench.state(AlarmId(31)), bench.state(LATCHED)),
        (AlarmState::UnackActive, AlarmState::UnackActive)
    );
    // It does not end while so many still stand behind it …
    assert_eq!(bench.pass(Millis::from_secs(3_600)), []);
    for rule in 1..26 {
        let told = bench.gone(AlarmId(rule));
        assert_eq!(told.first().map(|it| it.1), Some("unsuppressed"));
    }
    // … and the few that still stand a minute later are told before it goes.
    assert_eq!(bench.pass(Millis(FLOOD_CALM.0 - 1)), []);
    assert_eq!(bench.gone(AlarmId(26)).first().map(|it| it.1), Some("unsuppressed"));
    let told = bench.pass(Millis(1));
    assert_eq!(told.last(), Some(&(FLOOD, "returned", AlarmState::UnackReturned)), "{told:?}");
    for rule in 27..30 {
        assert_eq!(bench.state(AlarmId(rule)), AlarmState::UnackActive, "{rule}");
    }
    assert_eq!(bench.state(FLOOD), AlarmState::UnackReturned);
    assert_eq!((bench.figures().floods, bench.figures().suppressed), (0, 0));
}

#[test]
fn ten_alarms_in_ten_minutes_are_no_flood_and_eleven_are() {
    let mut bench = Bench::new();
    for rule in 0..10 {
        bench.watch(AlarmId(rule));
        bench.pass(Millis::from_secs(59));
    }
    assert_eq!(bench.figures().floods, 0);
    bench.watch(AlarmId(10));
    let figures = bench.figures();
    assert_eq!((figures.floods, figures.suppressed), (1, 1), "those before were told, and stay");
    // Fewer than five in ten minutes: over.
    bench.pass(Millis::from_secs(600));
    bench.pass(FLOOD_CALM);
    assert_eq!((bench.figures().floods, bench.state(AlarmId(10))), (0, AlarmState::UnackActive));
}

#[test]
fn one_alarm_that_comes_often_is_no_flood() {
    let mut bench = Bench::new();
    for _ in 0..15 {
        bench.watch(HOT);
        bench.pass(Millis::from_secs(20));
        bench.gone(HOT);
        bench.pass(Millis::from_secs(20));
    }
    assert_eq!(bench.figures().floods, 0);
}

#[test]
fn a_restart_forgets_shelves_and_keeps_floods() {
    let mut bench = Bench::new();
    (0..20).for_each(|rule| drop(bench.watch(AlarmId(rule))));
    bench.cause(MQTT, Some(Priority::High));
    for (alarm, shelf) in [(AlarmId(30), true), (AlarmId(31), true), (AlarmId(32), false)] {
        if shelf { bench.shelve(alarm, SHELVE_MAX, false).unwrap() } else { bench.take_out(alarm).unwrap() }
    }
    bench.watch(AlarmId(31));
    let mut memory = Memory { same_boot: true, ..Memory::default() };
    for (index, alarm) in bench.site.alarms.iter().enumerate() {
        memory.alarms.insert(alarm.name.clone(), bench.record(AlarmId::at(index)).clone());
    }
    bench.alarms = Alarms::new(&bench.site, &memory);
    let mut out = Vec::new();
    bench.alarms.announce(&bench.site, bench.at(), &mut out);
    let told = Bench::told(out);
    let of = |alarm| -> Vec<&str> {
        told.iter().filter(|(about, ..)| *about == alarm).map(|(_, word, _)| *word).collect()
    };
    assert_eq!(of(AlarmId(30)), ["unshelved"]);
    assert_eq!(of(AlarmId(31)), ["unshelved", "restored"], "its cause stood: everyone hears of it");
    assert_eq!(of(AlarmId(32)), ["in-service"]);
    assert_eq!(bench.state(AlarmId(31)), AlarmState::UnackActive);
    let figures = bench.figures();
    assert_eq!((figures.floods, figures.suppressed, figures.shelved), (1, 19, 0));
    (1..20).for_each(|rule| drop(bench.gone(AlarmId(rule))));
    bench.pass(Millis(1));
    bench.pass(FLOOD_CALM);
    assert_eq!(bench.figures().floods, 0, "it ends as it would have");
}

#[test]
fn what_stands_for_more_than_a_day_is_stale() {
    let (mut bench, _) = Bench::in_state(AlarmState::UnackActive, true);
    bench.pass(Millis(STALE_AFTER.0 - 1));
    assert_eq!(bench.figures().stale, 0);
    bench.pass(Millis(1));
    assert_eq!(bench.figures().stale, 1);
    bench.gone(HOT);
    assert_eq!(bench.figures().stale, 0);
}

#[test]
fn nothing_is_told_and_nothing_is_planned_while_nothing_changes() {
    let mut bench = Bench::new();
    bench.watch(HOT);
    bench.pass(Millis(11_000));
    for _ in 0..100 {
        let mut out = Vec::new();
        bench.now += 100;
        let source = bench.site[HOT].source;
        let cause = Cause { level: Level::Watch, ..Cause::technical(Priority::Medium) };
        bench.alarms.cause(&bench.site, source, Some(cause), bench.at(), &mut out);
        bench.alarms.advance(&bench.site, bench.at(), &mut out);
        assert_eq!((out.len(), out.capacity()), (0, 0));
    }
}

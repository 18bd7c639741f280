//! The seldom and the exact: what was told before, what comes at the very moment, what is counted.

use super::*;
use crate::safety::fact::Operator;
use crate::safety::rules::limit::{Limit, Side, Step};
use crate::safety::rules::{OnUnknown, Rule, RuleKind};
use crate::safety::site::{DeviceId, PointId, ZoneId};

fn words(told: &Told) -> Vec<&'static str> {
    told.iter().map(|it| it.1).collect()
}

/// A bench whose rules take this long to be left, restarted now with all that stood.
fn restarted(mut bench: Bench, off_delay: Millis) -> Bench {
    let step = Some(Step { limit: 1.0, on_delay: Millis(0), off_delay, extreme: None });
    bench.site.rules = (0..RULES)
        .map(|index| Rule {
            name: format!("rule-{index}"),
            zone: ZoneId(0),
            principle: "temperature".into(),
            on_unknown: OnUnknown::Hold,
            kind: RuleKind::Limit(Limit {
                point: PointId(0),
                side: Side::Above,
                deadband: 0.0,
                steps: [step, None, None],
                projection: None,
            }),
        })
        .collect();
    let mut memory = Memory { same_boot: true, ..Memory::default() };
    for (index, alarm) in bench.site.alarms.iter().enumerate() {
        memory.alarms.insert(alarm.name.clone(), bench.record(AlarmId::at(index)).clone());
    }
    memory.numbers.alarm_change = bench.alarms.number();
    bench.alarms = Alarms::new(&bench.site, &memory);
    bench
}

fn announced(bench: &mut Bench) -> Told {
    let mut out = Vec::new();
    bench.alarms.announce(&bench.site, bench.at(), &mut out);
    Bench::told(out)
}

#[test]
fn a3_after_a_restart_what_stood_clears_only_after_the_delay_of_its_rule() {
    let (bench, _) = Bench::in_state(AlarmState::AckActive, true);
    let mut bench = restarted(bench, Millis(60_000));
    assert_eq!(words(&announced(&mut bench)), ["restored"]);
    assert_eq!(bench.gone(HOT), []);
    assert_eq!(bench.pass(Millis(59_999)), []);
    assert_eq!(words(&bench.pass(Millis(1))), ["cleared"]);
}

#[test]
fn a3_doubt_ends_the_time_after_which_it_would_have_cleared() {
    let (bench, _) = Bench::in_state(AlarmState::AckActive, true);
    let mut bench = restarted(bench, Millis(60_000));
    bench.gone(HOT);
    bench.pass(Millis(30_000));
    bench.alarms.doubt(bench.site[HOT].source);
    assert_eq!(bench.pass(Millis(600_000)), [], "it is not known to be gone");
    bench.gone(HOT);
    assert_eq!(bench.pass(Millis(59_999)), []);
    assert_eq!(words(&bench.pass(Millis(1))), ["cleared"]);
}

#[test]
fn a_cause_that_is_judged_again_after_a_restart_clears_as_ever() {
    let (bench, _) = Bench::in_state(AlarmState::AckActive, true);
    let mut bench = restarted(bench, Millis(60_000));
    bench.watch(HOT);
    assert_eq!(words(&bench.gone(HOT)), ["cleared"]);
}

#[test]
fn after_a_restart_the_interval_of_what_was_seen_begins_anew() {
    let (bench, _) = Bench::in_state(AlarmState::AckActive, true);
    let mut bench = restarted(bench, Millis(0));
    bench.now += 1_000_000;
    announced(&mut bench);
    let interval = AlarmSettings::default().re_alarm;
    assert_eq!(bench.pass(Millis(interval.0 - 1)), []);
    assert_eq!(words(&bench.pass(Millis(1))), ["re-alarmed"]);
}

#[test]
fn after_a_restart_the_first_out_is_still_taken_and_states_are_counted() {
    let mut bench = Bench::new();
    bench.watch(HOT);
    bench.watch(AlarmId(1));
    bench.seen(AlarmId(1));
    bench.cause(CUTTING, Some(Priority::Critical));
    let mut bench = restarted(bench, Millis(0));
    let figures = bench.figures();
    assert_eq!((figures.standing, figures.unacknowledged), (3, 2));
    bench.watch(AlarmId(2));
    assert!(!bench.record(AlarmId(2)).first_out, "others stood before");
    for alarm in [HOT, AlarmId(1), AlarmId(2)] {
        bench.watch(alarm);
        bench.gone(alarm);
    }
    bench.seen(HOT);
    bench.seen(AlarmId(2));
    bench.watch(AlarmId(3));
    assert!(bench.record(AlarmId(3)).first_out, "all of the plant had gone; a cut is not of the plant");
}

#[test]
fn a_latched_alarm_stays_latched_over_a_restart_and_returns_with_its_cause() {
    let (bench, _) = Bench::in_state(AlarmState::LatchedAck, false);
    let mut bench = restarted(bench, Millis(0));
    assert_eq!(announced(&mut bench), [(LATCHED, "restored", AlarmState::LatchedAck)]);
    assert!(!bench.record(LATCHED).stands);
    assert_eq!(words(&bench.watch(LATCHED)), ["raised"]);
}

#[test]
fn a_restart_in_a_chattering_alarm_knows_nothing_of_how_often_it_came() {
    let mut bench = Bench::new();
    for _ in 0..3 {
        bench.watch(HOT);
        bench.gone(HOT);
    }
    assert!(bench.record(HOT).chattering);
    let bench = restarted(bench, Millis(0));
    assert_eq!((bench.record(HOT).chattering, bench.record(HOT).flips), (false, 0));
}

#[test]
fn only_the_first_alarm_of_the_plant_in_a_calm_room_is_the_first_out() {
    let mut bench = Bench::new();
    bench.cause(MQTT, Some(Priority::High));
    assert!(!bench.record(MQTT).first_out);
    bench.watch(HOT);
    bench.watch(AlarmId(1));
    assert!(bench.record(HOT).first_out && !bench.record(AlarmId(1)).first_out);
    bench.cause(CUTTING, Some(Priority::Critical));
    assert!(!bench.record(CUTTING).first_out);
}

#[test]
fn what_comes_back_from_a_shelf_into_a_calm_room_is_its_first_out() {
    for (others, first) in [(false, true), (true, false)] {
        let (mut bench, _) = Bench::in_state(AlarmState::Shelved, true);
        if others {
            bench.watch(AlarmId(1));
        }
        let occurrence = bench.record(HOT).occurrence;
        bench.ask(&Request::Unshelve { alarm: HOT }).0.unwrap();
        assert_eq!(bench.record(HOT).first_out, first, "others stand: {others}");
        assert_eq!(bench.record(HOT).occurrence, occurrence + 1);
    }
}

#[test]
fn who_heard_of_an_alarm_hears_of_its_end_though_a_flood_kept_it_back() {
    let mut bench = Bench::new();
    bench.watch(HOT);
    bench.gone(HOT);
    assert_eq!(bench.state(HOT), AlarmState::UnackReturned);
    (1..=11).for_each(|other| drop(bench.watch(AlarmId(other))));
    assert_eq!(words(&bench.watch(HOT)), ["suppressed"]);
    assert_eq!(words(&bench.gone(HOT)), ["unsuppressed", "cleared"]);
    bench.watch(AlarmId(20));
    assert_eq!(words(&bench.gone(AlarmId(20))), ["unsuppressed"], "nobody ever heard of it");
}

#[test]
fn an_alarm_is_stale_once_after_a_day_whatever_it_is_looked_at_for() {
    let (mut bench, _) = Bench::in_state(AlarmState::AckActive, true);
    let interval = AlarmSettings::default().re_alarm;
    for hours in [8, 16, 24, 32] {
        bench.pass(interval);
        bench.seen(HOT);
        assert_eq!(bench.figures().stale, u32::from(24 <= hours), "after {hours} hours");
    }
    bench.gone(HOT);
    // What went long ago is not stale when its shelf ends.
    bench.shelve(HOT, Millis(60_000), false).unwrap();
    bench.pass(Millis(60_000));
    assert_eq!(bench.figures().stale, 0);
}

#[test]
fn what_chattered_and_stands_is_noted_when_it_is_quiet_and_goes_on_standing() {
    let mut bench = Bench::new();
    for _ in 0..3 {
        bench.gone(HOT);
        bench.watch(HOT);
    }
    assert!(bench.record(HOT).chattering);
    assert_eq!(bench.pass(CHATTER_QUIET), [(HOT, "noted", AlarmState::UnackActive)]);
    assert!(!bench.record(HOT).chattering && bench.record(HOT).stands);
    assert_eq!(words(&bench.gone(HOT)), ["returned"], "one more time is not chatter");
}

#[test]
fn three_times_in_a_minute_is_chatter_and_three_times_in_more_is_not() {
    for (pause_ms, chatters) in [(30_000, true), (30_001, false)] {
        let mut bench = Bench::new();
        for _ in 0..3 {
            bench.watch(HOT);
            bench.gone(HOT);
            bench.pass(Millis(pause_ms));
        }
        // The last coming was a pause ago: it is not quiet yet.
        assert_eq!(bench.record(HOT).chattering, chatters, "every {pause_ms} ms");
    }
}

#[test]
fn each_coming_while_it_chatters_is_counted_from_the_one_that_made_it_so() {
    let mut bench = Bench::new();
    for coming in 1..=5 {
        bench.watch(HOT);
        let flips = if 3 <= coming { coming - 2 } else { 0 };
        assert_eq!(bench.record(HOT).flips, flips, "after {coming}");
        bench.gone(HOT);
    }
    assert_eq!(bench.figures().chattering, 1);
    bench.pass(CHATTER_QUIET);
    assert_eq!(bench.figures().chattering, 0);
}

#[test]
fn a_worse_level_of_the_same_priority_is_news_and_an_equal_or_lesser_one_is_not() {
    let mut bench = Bench::new();
    let mut say = |level, priority| {
        let cause = Some(Cause { level, ..Cause::technical(priority) });
        let (mut out, at) = (Vec::new(), bench.at());
        bench.alarms.cause(&bench.site, bench.site[HOT].source, cause, at, &mut out);
        words(&Bench::told(out))
    };
    assert_eq!(say(Level::Watch, Priority::High), ["raised"]);
    assert_eq!(say(Level::Watch, Priority::High), [""; 0]);
    assert_eq!(say(Level::Normal, Priority::High), [""; 0]);
    assert_eq!(say(Level::Danger, Priority::Medium), [""; 0]);
    assert_eq!(say(Level::Warning, Priority::High), ["escalated"]);
}

#[test]
fn what_gets_worse_must_be_seen_anew() {
    let (mut bench, _) = Bench::in_state(AlarmState::AckActive, true);
    assert!(bench.record(HOT).acknowledged_by.is_some());
    bench.cause(HOT, Some(Priority::High));
    assert_eq!(
        (bench.state(HOT), bench.record(HOT).acknowledged_by.clone()),
        (AlarmState::UnackActive, None)
    );
}

#[test]
fn revisions_count_within_an_occurrence_and_occurrences_count_comings() {
    let mut bench = Bench::new();
    let count = |bench: &Bench| (bench.record(HOT).occurrence, bench.record(HOT).revision);
    bench.watch(HOT);
    assert_eq!(count(&bench), (1, 1));
    bench.seen(HOT);
    assert_eq!(count(&bench), (1, 2));
    bench.gone(HOT);
    assert_eq!(count(&bench), (1, 3));
    bench.watch(HOT);
    assert_eq!(count(&bench), (2, 1));
}

#[test]
fn a_reset_is_refused_with_what_stands_in_its_way() {
    for (state, stands, answer) in [
        (AlarmState::Normal, false, Err(Refusal::NothingToDo)),
        (AlarmState::UnackActive, true, Err(Refusal::CauseStands)),
        (AlarmState::AckActive, true, Err(Refusal::CauseStands)),
        (AlarmState::UnackReturned, false, Err(Refusal::NothingToDo)),
        (AlarmState::LatchedUnack, false, Err(Refusal::NotNow)),
        (AlarmState::LatchedAck, false, Ok(())),
    ] {
        let (mut bench, alarm) = Bench::in_state(state, stands);
        assert_eq!(bench.ask(&Request::ResetAlarm { alarm }).0, answer, "{state:?}");
    }
}

#[test]
fn an_acknowledgement_names_what_it_saw_and_is_told_with_its_end() {
    let mut bench = Bench::new();
    bench.watch(HOT);
    let ask = |bench: &mut Bench, occurrence| bench.ask(&Request::Acknowledge { alarm: HOT, occurrence });
    assert_eq!(ask(&mut bench, 0).0, Err(Refusal::OutOfDate));
    assert_eq!(ask(&mut bench, 1), (Ok(()), vec![(HOT, "acknowledged", AlarmState::AckActive)]));
    assert_eq!(ask(&mut bench, 1).0, Err(Refusal::NothingToDo));
    bench.gone(HOT);
    bench.watch(HOT);
    bench.gone(HOT);
    assert_eq!(words(&ask(&mut bench, 2).1), ["acknowledged", "cleared"]);
    let nobody = Request::ResetAlarm { alarm: AlarmId(10_000) };
    assert_eq!(bench.ask(&nobody).0, Err(Refusal::NothingToDo), "there is no such alarm");
}

#[test]
fn a_shelf_may_last_as_long_as_is_allowed_and_a_reason_may_fill_its_line() {
    let mut bench = Bench::new();
    assert_eq!(bench.shelve(HOT, SHELVE_MAX, false), Ok(()));
    let reason = "x".repeat(200).into();
    assert_eq!(bench.ask(&Request::OutOfService { alarm: AlarmId(1), reason }).0, Ok(()));
    let seen =
        Request::Shelve { alarm: AlarmId(2), occurrence: Some(0), lasting: Millis(1), one_shot: false };
    assert_eq!(bench.ask(&seen).0, Ok(()));
    let control = Request::OutOfService { alarm: AlarmId(3), reason: "a\u{7}b".into() };
    assert_eq!(bench.ask(&control).0, Err(Refusal::NoReason));
}

#[test]
fn a_shelf_set_while_calm_holds_all_but_danger() {
    let (mut bench, _) = Bench::in_state(AlarmState::Shelved, false);
    assert_eq!(words(&bench.cause(HOT, Some(Priority::High))), ["noted"]);
    assert_eq!(bench.state(HOT), AlarmState::Shelved);
    // What was bad once and is normal again is shelved as calm.
    let mut bench = Bench::new();
    bench.watch(HOT);
    bench.seen(HOT);
    bench.gone(HOT);
    bench.shelve(HOT, SHELVE_MAX, false).unwrap();
    assert_eq!(words(&bench.cause(HOT, Some(Priority::High))), ["noted"]);
}

#[test]
fn what_was_told_and_put_away_is_cleared_when_it_comes_back_without_its_cause() {
    for (told, last) in [(true, "cleared"), (false, "unshelved")] {
        let mut bench = Bench::new();
        if told {
            bench.watch(HOT);
        }
        bench.shelve(HOT, SHELVE_MAX, false).unwrap();
        bench.gone(HOT);
        let (_, told) = bench.ask(&Request::Unshelve { alarm: HOT });
        assert_eq!(words(&told).last(), Some(&last));
    }
}

#[test]
fn a_flood_takes_the_young_and_unseen_and_nothing_that_must_be_told() {
    let mut bench = Bench::new();
    bench.watch(HOT);
    bench.pass(Millis(20_000));
    for alarm in [1, 2] {
        bench.watch(AlarmId(alarm));
    }
    bench.pass(Millis(1));
    for alarm in 3..=8 {
        bench.watch(AlarmId(alarm));
    }
    bench.seen(AlarmId(3));
    bench.cause(AlarmId(4), Some(Priority::Critical));
    bench.watch(LATCHED);
    bench.pass(Millis(9_999));
    // Ten so far. The next is one too many; those at 20 s are ten seconds old, and of the same burst.
    bench.watch(AlarmId(9));
    let away: Vec<u32> =
        (0..RULES).filter(|it| bench.state(AlarmId(*it)) == AlarmState::Suppressed).collect();
    assert_eq!(away, [1, 2, 5, 6, 7, 8, 9]);
    assert_eq!((bench.state(FLOOD), bench.figures().floods_begun), (AlarmState::UnackActive, 1));
    assert_eq!(bench.record(FLOOD).priority, Some(Priority::High));
    assert_eq!(bench.record(FLOOD).origin, Some(HOT));
}

#[test]
fn new_alarms_are_counted_within_ten_minutes_and_not_a_millisecond_longer() {
    for (pause_ms, floods) in [(600_000, 1), (600_001, 0)] {
        let mut bench = Bench::new();
        bench.watch(HOT);
        bench.pass(Millis(pause_ms));
        (1..=10).for_each(|alarm| drop(bench.watch(AlarmId(alarm))));
        assert_eq!(bench.figures().floods, floods, "after {pause_ms} ms");
    }
}

#[test]
fn what_an_alarm_event_means_to_those_who_are_told() {
    let kim: Operator = "kim".into();
    let by = || kim.clone();
    for (event, word, who, call, quiet) in [
        (AlarmEvent::Raised, "raised", false, true, false),
        (AlarmEvent::Escalated, "escalated", false, true, false),
        (AlarmEvent::Acknowledged { by: by() }, "acknowledged", true, false, false),
        (AlarmEvent::ReAlarmed, "re-alarmed", false, true, false),
        (AlarmEvent::Returned, "returned", false, false, false),
        (AlarmEvent::Reset { by: by() }, "reset", true, false, false),
        (AlarmEvent::Cleared, "cleared", false, false, false),
        (AlarmEvent::Shelved { by: by() }, "shelved", true, false, false),
        (AlarmEvent::Unshelved { by: Some(by()) }, "unshelved", true, false, false),
        (AlarmEvent::Unshelved { by: None }, "unshelved", false, false, false),
        (AlarmEvent::Suppressed, "suppressed", false, false, true),
        (AlarmEvent::Unsuppressed, "unsuppressed", false, false, true),
        (AlarmEvent::TakenOut { by: by() }, "out-of-service", true, false, false),
        (AlarmEvent::PutBack { by: Some(by()) }, "in-service", true, false, false),
        (AlarmEvent::Noted, "noted", false, false, true),
        (AlarmEvent::Restored, "restored", false, false, false),
    ] {
        assert_eq!((event.word(), event.is_call(), event.is_quiet()), (word, call, quiet));
        assert_eq!(event.by(), who.then_some(&kim), "{event:?}");
    }
}

#[test]
fn what_is_of_the_plant_and_what_is_protected() {
    let (rule, sequence, device) = (RuleId(0), SequenceId(0), DeviceId(0));
    for (source, of_the_plant, is_protected) in [
        (AlarmSource::Rule(rule), true, false),
        (AlarmSource::Silent(device), true, false),
        (AlarmSource::Faulty(device), true, false),
        (AlarmSource::NotArmed(sequence), false, true),
        (AlarmSource::Cutting(sequence), false, true),
        (AlarmSource::CutFailed(sequence), false, true),
        (AlarmSource::VoteWeakened(rule), false, true),
        (AlarmSource::VoteBlind(rule), false, true),
        (AlarmSource::System(SystemFault::Mqtt), false, false),
        (AlarmSource::Flood(RoomId(0)), false, true),
    ] {
        assert_eq!(
            (source.is_of_the_plant(), source.is_protected()),
            (of_the_plant, is_protected),
            "{source:?}"
        );
    }
}

#[test]
fn every_figure_is_named_and_given() {
    let figures = AlarmFigures {
        calls_10_min: 1,
        standing: 2,
        unacknowledged: 3,
        stale: 4,
        chattering: 5,
        shelved: 6,
        suppressed: 7,
        out_of_service: 8,
        floods: 9,
        floods_begun: 10,
    };
    let named = figures.named();
    assert_eq!(named.map(|it| it.1), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    assert_eq!((named[0].0, named[9].0), ("calls_10_min", "floods_begun"));
}

#[test]
fn the_numbers_of_the_alarm_system_are_those_of_their_sources() {
    use super::super::settings::{FIGURES_EVERY, RE_ALARM};
    let day = 24 * 3_600_000;
    assert_eq!([STALE_AFTER.0, SHELVE_MAX.0, RE_ALARM.0], [day, day / 3, day / 3]);
    let mut bench = Bench::new();
    let mut out = Vec::new();
    let mut figures_told = |ms| {
        let at = Now { uptime: Uptime(ms), wall: WallTime(0) };
        bench.alarms.tally.call(at.uptime);
        bench.alarms.advance(&bench.site, at, &mut out);
        std::mem::take(&mut out).iter().any(|it| matches!(it, Output::Fact(Fact::AlarmFigures(_))))
    };
    assert_eq!([1, FIGURES_EVERY.0, FIGURES_EVERY.0 + 1].map(&mut figures_told), [true, false, true]);
}

#[test]
fn what_stands_as_high_may_be_shelved() {
    let mut bench = Bench::new();
    bench.cause(HOT, Some(Priority::High));
    assert_eq!(bench.shelve(HOT, Millis(60_000), false), Ok(()));
}

#[test]
fn what_a_restart_brings_back_from_a_shelf_is_a_new_occurrence() {
    let (bench, _) = Bench::in_state(AlarmState::Shelved, true);
    let occurrence = bench.record(HOT).occurrence;
    assert_eq!(restarted(bench, Millis(0)).record(HOT).occurrence, occurrence + 1);
}

#[test]
fn a3_after_a_restart_a_vote_clears_after_the_delays_of_its_channels_and_its_hold() {
    use crate::safety::rules::together::{OnAllLost, OnChannelFault, Together};
    let (bench, _) = Bench::in_state(AlarmState::AckActive, true);
    let mut bench = restarted(bench, Millis(60_000));
    let vote = Together {
        channels: vec![RuleId(1), RuleId(2)],
        needed: 2,
        votes_at: Level::Danger,
        level: Level::Danger,
        hold: Millis(30_000),
        on_channel_fault: OnChannelFault::Availability,
        on_all_lost: OnAllLost::Alarm,
        grace: Millis(0),
        one_vote_per: Vec::new(),
        rivals: vec![0; 2],
        repair_within: Millis(0),
    };
    bench.site.rules[0].kind = RuleKind::Together(vote);
    bench.gone(HOT);
    assert_eq!(bench.pass(Millis(89_999)), []);
    assert_eq!(words(&bench.pass(Millis(1))), ["cleared"]);
}

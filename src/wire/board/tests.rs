#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::safety::alarm::{AlarmChange, AlarmEvent};
use crate::safety::reading::{Loss, ReadFault};
use crate::safety::risk::{Evidence, Finding, LevelChange};
use crate::safety::sequence::{Cause, Notice, NoticeStage, Run, RunId, StageState, Step};
use crate::safety::site::RuleId;
use crate::units::{ClockSync, Value as Number, WallTime};
use crate::wire::testsite::{NOW, shared};

fn number(number: f64) -> Number {
    Number::new(number).unwrap()
}

fn at(ms: u64) -> Now {
    let ahead = i64::try_from(ms).unwrap();
    Now { uptime: Uptime(NOW.uptime.0 + ms), wall: WallTime(NOW.wall.0 + ahead) }
}

fn said(number: u64, now: Now, facts: Vec<Fact>) -> Publication {
    Publication { number, now, clock: ClockSync::Unknown, facts }
}

fn board() -> Board {
    Board::new(shared(), "B1".to_owned())
}

fn good(point: u32, value: f64, now: Now) -> Fact {
    Fact::Reading {
        point: PointId(point),
        reading: Reading::Good { value: number(value), taken: now.uptime },
    }
}

fn timed_out(point: u32, last: Option<(Number, Uptime)>) -> Fact {
    let why = Loss::Fault(ReadFault::Timeout);
    Fact::Reading { point: PointId(point), reading: Reading::Bad { last, why } }
}

fn alarm(state: AlarmState, event: AlarmEvent) -> Fact {
    let evidence = Evidence::Limit { point: PointId(0), value: number(46.2), limit: 45.0, taken: NOW.uptime };
    let now = AlarmRecord {
        state,
        priority: Some(Priority::High),
        occurrence: 3,
        evidence,
        level: Level::Warning,
        ..AlarmRecord::default()
    };
    Fact::Alarm(AlarmChange { number: 1, alarm: AlarmId(0), event, now })
}

fn running(step: Step, event: SequenceEvent) -> Fact {
    let run = Run {
        id: RunId(9),
        cause: Cause::Vote { voting: 0b11, by_policy: false },
        since: NOW.wall,
        shadow: false,
        step,
        stages: vec![StageState::Pending],
        aborting: None,
        commanded: 0,
        told: None,
    };
    let now = SequenceState {
        mode: crate::safety::sequence::spec::Mode::Armed,
        phase: Phase::Run(run),
        proven: None,
    };
    Fact::Sequence(Box::new(SequenceChange { sequence: SequenceId(0), event, now }))
}

#[test]
fn before_anything_is_heard_nothing_is_claimed() {
    let view = board().snapshot();
    assert_eq!(view["points"]["bms-1/soc"]["q"], "never-seen");
    assert_eq!(view["points"]["bms-1/soc"]["why"], "not-yet-read");
    assert!(view["points"]["bms-1/soc"]["v"].is_null());
    assert_eq!(view["devices"]["bms-1"]["state"], "never-seen");
    assert!(view["devices"]["bms-1"]["last_ok"].is_null());
    assert_eq!(view["zones"]["rack-1"]["level"], "normal");
    assert_eq!(view["sequences"]["cut-rack-1"]["state"], "idle");
    assert_eq!(view["alarms"].as_object().unwrap().len(), 0);
}

#[test]
fn a_reading_is_shown_with_its_unit_time_and_label() {
    let mut board = board();
    let publication = said(1, NOW, vec![good(0, 31.4, NOW), good(2, 1.0, NOW)]);
    board.apply(&publication);
    let patch = board.patch(&publication).unwrap();
    assert_eq!(
        patch["points"]["bms-1/cell-temp-max"],
        serde_json::json!({"v":31.4,"u":"°C","q":"good","why":null,"ts":"2026-11-22T17:42:05.120Z","label":null})
    );
    assert_eq!(patch["points"]["brk-1/position"]["label"], "closed");
    assert_eq!(patch["devices"]["bms-1"]["state"], "online");
    assert!(patch.get("alarms").is_none() && patch.get("zones").is_none());
}

#[test]
fn an_empty_publication_changes_nothing() {
    let mut board = board();
    let publication = said(1, NOW, vec![]);
    assert!(board.apply(&publication).is_empty());
    assert_eq!(board.patch(&publication), None);
    assert_eq!(board.snapshot()["seq"], 1);
}

#[test]
fn a_bad_reading_shows_no_value_but_the_last_one_apart() {
    let mut board = board();
    let bad = timed_out(0, Some((number(31.4), NOW.uptime)));
    board.apply(&said(1, at(1_000), vec![bad]));
    let view = board.snapshot();
    let point = &view["points"]["bms-1/cell-temp-max"];
    assert!(point["v"].is_null());
    assert_eq!(point["q"], "bad");
    assert_eq!(point["why"], "timeout");
    assert_eq!(point["last"]["v"], 31.4);
}

#[test]
fn a_device_goes_from_online_to_stale_to_offline_and_back() {
    let mut board = board();
    board.apply(&said(1, NOW, vec![good(0, 20.0, NOW)]));
    let last = Some((number(20.0), NOW.uptime));
    board.apply(&said(2, at(1_000), vec![timed_out(0, last)]));
    assert_eq!(board.device(DeviceId(0)).link, Link::Online, "one missed poll is no silence");
    board.apply(&said(3, at(2_000), vec![]));
    assert_eq!(board.device(DeviceId(0)).link, Link::Stale);
    let changes = board.apply(&said(4, at(4_000), vec![]));
    assert_eq!(changes.events[0].kind, "device.lost");
    assert_eq!(changes.events[0].body["text"], "no answer from bms-1 for 4 s");
    assert_eq!(board.device(DeviceId(0)).link, Link::Offline);
    assert_eq!(board.device(DeviceId(0)).why.as_deref(), Some("timeout"));
    let changes = board.apply(&said(5, at(5_000), vec![good(0, 20.0, at(5_000))]));
    assert_eq!(changes.events[0].kind, "device.restored");
    assert_eq!(board.device(DeviceId(0)).link, Link::Online);
}

#[test]
fn a_device_that_only_refuses_still_answers() {
    let mut board = board();
    let why = Loss::Fault(ReadFault::Exception(2));
    let reading = Reading::Bad { last: None, why };
    board.apply(&said(1, NOW, vec![Fact::Reading { point: PointId(0), reading }]));
    assert_eq!(board.device(DeviceId(0)).link, Link::Online);
}

#[test]
fn a_device_that_never_answered_is_offline_once_it_was_asked() {
    let mut board = board();
    board.apply(&said(1, NOW, vec![timed_out(0, None)]));
    assert_eq!(board.device(DeviceId(0)).link, Link::Offline);
    assert_eq!(board.snapshot()["devices"]["bms-1"]["why"], "timeout");
}

#[test]
fn a_normal_alarm_is_sent_once_and_then_left_out() {
    let mut board = board();
    board.apply(&said(1, NOW, vec![alarm(AlarmState::UnackActive, AlarmEvent::Raised)]));
    let view = &board.snapshot()["alarms"]["cell-temp"];
    assert_eq!(view["occ"], "B1-3");
    assert_eq!(view["occurrence"], 3);
    assert_eq!(view["value"], serde_json::json!({"v":46.2,"u":"Cel"}));
    assert_eq!(view["limit"], serde_json::json!({"v":45.0,"u":"Cel","op":">="}));
    assert_eq!(view["because"], "cell-temp-max of bms-1 46.2 °C, limit 45 °C");
    assert_eq!(view["device"], "bms-1");
    assert_eq!(view["drill"], false);
    let cleared = said(2, at(1_000), vec![alarm(AlarmState::Normal, AlarmEvent::Cleared)]);
    board.apply(&cleared);
    assert_eq!(board.patch(&cleared).unwrap()["alarms"]["cell-temp"]["state"], "normal");
    assert!(board.snapshot()["alarms"].as_object().unwrap().is_empty());
    assert_eq!(board.snapshot()["events"].as_array().unwrap().len(), 2);
}

#[test]
fn a_countdown_tells_what_remains_and_that_it_can_be_aborted() {
    let mut board = board();
    let step = Step::Countdown { until: at(21_400).uptime };
    let facts = vec![good(2, 1.0, NOW), running(step, SequenceEvent::Started)];
    board.apply(&said(1, NOW, facts));
    let view = &board.snapshot()["sequences"]["cut-rack-1"];
    assert_eq!(view["state"], "countdown");
    assert_eq!(view["run"], "B1-9");
    assert_eq!(view["mode"], "armed");
    assert_eq!(view["remaining_ms"], 21_400);
    assert_eq!(view["countdown_ms"], 30_000);
    assert_eq!(view["deadline"], "2026-11-22T17:42:26.520Z");
    assert_eq!(view["abort"]["allowed"], true);
    assert_eq!(view["trigger"]["voting"], serde_json::json!(["cell-hot", "breaker-open"]));
    let permissive = serde_json::json!({"id":"brk-1/position","want":"= closed","shown":"closed","ok":true});
    assert_eq!(view["permissives"][0], permissive);
    assert_eq!(view["steps"][0]["state"], "pending");
    assert_eq!(view["steps"][0]["action"], "brk-1/open");
}

#[test]
fn a_selection_is_shown_only_as_long_as_it_counts() {
    let mut board = board();
    let by: Operator = "j.doe".into();
    let selected = running(Step::Held { stage: 0, until: None }, SequenceEvent::Selected { by });
    board.apply(&said(1, NOW, vec![selected]));
    assert_eq!(board.snapshot()["sequences"]["cut-rack-1"]["selected_by"], "j.doe");
    board.apply(&said(2, at(10_000), vec![]));
    assert!(board.snapshot()["sequences"]["cut-rack-1"]["selected_by"].is_null());
}

#[test]
fn a_level_brings_its_evidence_and_where_it_began() {
    let mut board = board();
    let evidence = Evidence::Votes { voting: 0b11, unknown: 0, needed: 2, had: 2, of: 2, by_policy: false };
    let finding = Finding {
        rule: RuleId(2),
        zone: ZoneId(0),
        level: Level::Danger,
        was: Level::Normal,
        known: true,
        evidence,
    };
    let change = LevelChange {
        zone: ZoneId(0),
        level: Level::Danger,
        was: Level::Normal,
        because: vec![finding],
        first_out: Some(RuleId(0)),
    };
    let publication = said(1, NOW, vec![Fact::Level(change)]);
    board.apply(&publication);
    let patch = board.patch(&publication).unwrap();
    assert_eq!(patch["rooms"]["b1"]["level"], "danger");
    assert_eq!(patch["zones"]["rack-1"]["first_out"], "cell-hot");
    assert_eq!(patch["zones"]["rack-1"]["since"], "2026-11-22T17:42:05.120Z");
    let because = &patch["zones"]["rack-1"]["because"][0];
    assert_eq!(because["text"], "2 of 2 votes: cell-hot, breaker-open (2 needed)");
}

#[test]
fn history_is_bounded_and_keeps_the_newest() {
    let mut board = board();
    for n in 1..=300 {
        let notice = Notice {
            sequence: SequenceId(0),
            zone: ZoneId(0),
            level: Level::Warning,
            run: None,
            number: n,
            previous: None,
            stage: NoticeStage::Prepare,
            shadow: false,
            drill: false,
            next: Some(0),
            evidence: Evidence::None,
            autonomy: None,
        };
        board.apply(&said(n, NOW, vec![Fact::Notice(Box::new(notice))]));
    }
    let view = board.snapshot();
    assert_eq!(view["notices"].as_array().unwrap().len(), NOTICES_MAX);
    assert_eq!(view["notices"][NOTICES_MAX - 1]["number"], 300);
    assert_eq!(view["notices"][0]["text"], "Rack 1 is at warning: fail over now");
    assert_eq!(view["notices"][0]["action"], "Fail over to room 2.");
    assert_eq!(view["events"].as_array().unwrap().len(), EVENTS_MAX);
}

#[test]
fn of_several_readings_of_one_point_the_last_one_counts() {
    let mut board = board();
    let facts = vec![good(1, 1.0, NOW), good(0, 2.0, NOW), good(1, 3.0, NOW)];
    let changes = board.apply(&said(1, NOW, facts));
    let points: Vec<u32> = changes.readings.iter().map(|(point, _)| point.0).collect();
    assert_eq!(points, [0, 1]);
    assert_eq!(changes.readings[1].1.good().unwrap().0, number(3.0));
}

#[test]
fn a_summary_counts_alarms_quality_and_devices() {
    let mut board = board();
    board.apply(&said(1, NOW, vec![good(0, 2.0, NOW), alarm(AlarmState::UnackActive, AlarmEvent::Raised)]));
    let summary = board.summary(RoomId(0));
    assert_eq!(summary.alarms.get(&Priority::High), Some(&1));
    assert_eq!(summary.unacknowledged, 1);
    assert_eq!((summary.devices_online, summary.devices), (1, 2));
    assert!((summary.quality_pct.unwrap() - 100.0 / 3.0).abs() < 1e-9);
    assert_eq!(summary.sequences["cut-rack-1"], "idle");
}

//! Each check, their order, and hostile commands in numbers.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::{Value, json};

use super::*;
use crate::exchange::Publication;
use crate::safety::alarm::{AlarmChange, AlarmEvent, AlarmRecord, AlarmState};
use crate::safety::fact::{Fact, Request};
use crate::safety::sequence::spec::Mode;
use crate::safety::sequence::{Cause, Phase, Run, RunId, SequenceChange, SequenceEvent, SequenceState, Step};
use crate::safety::site::{AlarmId, RoomId, SequenceId};
use crate::sinks::mqtt::options::{CommandOptions, KeyOptions, Verb};
use crate::units::{ClockSync, Millis, Now, Uptime, WallTime};
use crate::wire::{Board, testsite, time};

const ROOM: &str = "emberwatch/1/s1/b1";
/// A minute after the start.
const NOW: Now = Now { uptime: Uptime(1_060_000), wall: WallTime(1_795_369_385_000) };

fn pair(seed: u8) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap()
}

fn key(name: &str, seed: u8, allow: &[Verb]) -> KeyOptions {
    let public_key = pair(seed).public_key().as_ref().try_into().unwrap();
    KeyOptions { name: name.into(), public_key, allow: allow.to_vec() }
}

fn all() -> Vec<Verb> {
    Verb::TABLE.map(|it| it.1).to_vec()
}

fn gate(allow: Vec<Verb>, require_signature: bool) -> Gate {
    let keys = vec![key("console", 1, &all()), key("tablet", 2, &[Verb::Ack])];
    let respond_to = vec!["scada/replies/".to_owned()];
    let options = CommandOptions { allow, require_signature, respond_to, keys };
    let start = Now { uptime: Uptime(1_000_000), wall: WallTime(NOW.wall.0 - 60_000) };
    Gate::new(options, BTreeMap::from([(ROOM.to_owned(), RoomId(0))]), start)
}

/// A board with an alarm that stands for the third time and a run that counts down.
fn board() -> Board {
    let site = Arc::new(testsite::site());
    let mut board = Board::new(Arc::clone(&site), "B1".into());
    let record =
        AlarmRecord { state: AlarmState::UnackActive, occurrence: 3, revision: 5, ..AlarmRecord::default() };
    let alarm = AlarmChange { alarm: AlarmId(0), event: AlarmEvent::Raised, number: 1, now: record };
    let run = Run {
        id: RunId(7),
        cause: Cause::Vote { voting: 1, by_policy: false },
        since: WallTime(0),
        shadow: false,
        step: Step::Countdown { until: Uptime(2_000_000) },
        stages: Vec::new(),
        commanded: 0,
        aborting: None,
        told: None,
    };
    let state = SequenceState { mode: Mode::Armed, phase: Phase::Run(run), proven: None };
    let sequence = SequenceChange { sequence: SequenceId(0), event: SequenceEvent::Started, now: state };
    let facts = vec![Fact::Alarm(alarm), Fact::Sequence(Box::new(sequence))];
    board.apply(&Publication { number: 1, now: NOW, clock: ClockSync::Unknown, facts });
    board
}

fn body(id: &str) -> Value {
    let site = testsite::site();
    json!({
        "id": id, "ts": time::rfc3339(NOW.wall), "actor": "j.doe", "reason": "seen on camera 4",
        "target": site.alarms[0].name, "expect": { "occ": "B1-3" },
    })
}

fn abort(id: &str) -> Value {
    let site = testsite::site();
    json!({ "id": id, "ts": time::rfc3339(NOW.wall), "target": site.sequences[0].name, "expect": { "run": "B1-7" } })
}

fn said(verb: &str, body: &Value) -> Said {
    Said { topic: format!("{ROOM}/cmd/{verb}"), payload: body.to_string().into(), ..Said::default() }
}

fn signed_by(name: &str, seed: u8, said: Said) -> Said {
    let signature = pair(seed).sign(&signed_bytes(&said.topic, &said.payload));
    let signature = format!("v1a,{}", STANDARD.encode(signature));
    Said { key: Some(name.to_owned()), signature: Some(signature), ..said }
}

fn signed(verb: &str, body: &Value) -> Said {
    signed_by("console", 1, said(verb, body))
}

fn judge(gate: &mut Gate, said: &Said, now: Now) -> Judged {
    let place = gate.place(&said.topic).expect("a command topic");
    gate.judge(said, place, &board(), now)
}

fn rejected(gate: &mut Gate, said: &Said, now: Now) -> &'static str {
    match judge(gate, said, now) {
        Judged::Answered(Answer { rejection: Some(rejection), .. }) => rejection.word(),
        Judged::Answered(_) => "answered before",
        Judged::Passed(_) => "passed",
        Judged::UnderWay => "under way",
    }
}

#[test]
fn each_verb_becomes_what_the_core_is_asked_under_the_name_of_the_key() {
    let mut shelve = body("b");
    shelve["for_s"] = json!(3600);
    let (alarm, sequence) = (AlarmId(0), SequenceId(0));
    let lasting = Millis::from_secs(3600);
    let table = [
        ("ack", body("a"), Wish::Ask(Request::Acknowledge { alarm, occurrence: 3 })),
        (
            "shelve",
            shelve,
            Wish::Ask(Request::Shelve { alarm, occurrence: Some(3), lasting, one_shot: false }),
        ),
        ("unshelve", body("c"), Wish::Ask(Request::Unshelve { alarm })),
        ("abort", abort("d"), Wish::Ask(Request::Abort { sequence, run: Some(RunId(7)) })),
        ("refresh", json!({ "id": "e", "ts": time::rfc3339(NOW.wall) }), Wish::Refresh),
    ];
    let mut gate = gate(all(), true);
    for (verb, body, wish) in table {
        let Judged::Passed(passed) = judge(&mut gate, &signed(verb, &body), NOW) else { panic!("{verb}") };
        assert_eq!((&*passed.by, &passed.wish), ("mqtt:console", &wish), "{verb}");
    }
    for verb in ["arm", "cut", "disarm", "reset", "start", "select", "drill", "silence", ""] {
        assert_eq!(rejected(&mut gate, &signed(verb, &abort("x")), NOW), "not-allowed", "{verb}");
    }
}

#[test]
fn m8_m9_the_first_check_that_fails_is_the_answer() {
    // Everything is wrong at first; then one thing after the other is put right, in the order of the checks.
    let mut gate = gate(vec![Verb::Ack], true);
    let now = NOW;
    let topic = format!("{ROOM}/cmd/abort");
    let large = vec![b' '; (64 << 10) + 1];
    let mut all_wrong = Said { topic, payload: large.into(), retained: true, ..Said::default() };
    assert_eq!(rejected(&mut gate, &all_wrong, now), "retained");
    all_wrong.retained = false;
    assert_eq!(rejected(&mut gate, &all_wrong, now), "too-large");
    all_wrong.payload = vec![b' '; 64 << 10].into();
    assert_eq!(rejected(&mut gate, &all_wrong, now), "malformed");
    let mut old = body("x");
    old["ts"] = json!(time::rfc3339(WallTime(NOW.wall.0 - 30_001)));
    old["expect"] = json!({ "occ": "B1-2" });
    assert_eq!(rejected(&mut gate, &said("abort", &old), now), "not-allowed");
    assert_eq!(rejected(&mut gate, &said("ack", &old), now), "unauthorised");
    assert_eq!(rejected(&mut gate, &signed("ack", &old), now), "expired");
    old["ts"] = json!(time::rfc3339(WallTime(NOW.wall.0 - 30_000)));
    assert_eq!(rejected(&mut gate, &signed("ack", &old), now), "stale-revision");
    assert_eq!(
        rejected(&mut gate, &signed("ack", &old), now),
        "stale-revision",
        "the same id: the same answer"
    );
    assert_eq!(rejected(&mut gate, &signed("ack", &body("y")), now), "passed");
}

#[test]
fn m9_only_what_a_known_key_has_signed_as_it_stands_passes() {
    let mut gate = gate(all(), false);
    let good = signed("abort", &abort("a"));
    let flipped = |at: usize| {
        let mut payload = good.payload.to_vec();
        payload[at] ^= 1;
        Said { payload: payload.into(), ..good.clone() }
    };
    let of = |change: fn(&mut Said)| {
        let mut other = good.clone();
        change(&mut other);
        other
    };
    let table = [
        ("unsigned", of(|it| (it.key, it.signature) = (None, None))),
        ("no signature", of(|it| it.signature = None)),
        ("no key", of(|it| it.key = None)),
        ("unknown key", of(|it| it.key = Some("nobody".into()))),
        ("the key of another", of(|it| it.key = Some("tablet".into()))),
        ("no scheme", of(|it| it.signature = it.signature.take().map(|it| it[4..].to_owned()))),
        ("no base64", of(|it| it.signature = Some("v1a,???".into()))),
        ("another topic", of(|it| it.topic = format!("{ROOM}/cmd/unshelve"))),
    ];
    for (what, said) in table {
        assert_eq!(rejected(&mut gate, &said, NOW), "unauthorised", "{what}");
    }
    let readable =
        (0..good.payload.len()).filter(|at| serde_json::from_slice::<Value>(&flipped(*at).payload).is_ok());
    for at in readable {
        let word = rejected(&mut gate, &flipped(at), NOW);
        assert!(matches!(word, "unauthorised" | "malformed"), "bit of byte {at}: {word}");
    }
    assert_eq!(rejected(&mut gate, &signed_by("tablet", 2, said("abort", &abort("b"))), NOW), "not-allowed");
    assert_eq!(
        rejected(&mut gate, &said("ack", &body("c")), NOW),
        "passed",
        "what the site lets pass unsigned"
    );
    assert_eq!(rejected(&mut gate, &said("shelve", &body("d")), NOW), "unauthorised", "this never");
    assert_eq!(rejected(&mut gate, &good, NOW), "passed");
}

#[test]
fn m9_a_command_counts_half_a_minute_and_never_from_before_the_start_or_a_clock_set_back() {
    let at = |offset_ms: i64| {
        let mut body = body(&format!("t{offset_ms}"));
        body["ts"] = json!(time::rfc3339(WallTime(NOW.wall.0 + offset_ms)));
        signed("ack", &body)
    };
    for (offset_ms, word) in
        [(-30_001, "expired"), (-30_000, "passed"), (30_000, "passed"), (30_001, "expired")]
    {
        assert_eq!(rejected(&mut gate(all(), true), &at(offset_ms), NOW), word, "{offset_ms} ms");
    }
    // The start was at -60 s: nothing from before -30 s counts, for a clock of then may have been that far ahead.
    let soon = Now { uptime: Uptime(1_010_000), wall: WallTime(NOW.wall.0 - 50_000) };
    assert_eq!(rejected(&mut gate(all(), true), &at(-50_000), soon), "expired");
    assert_eq!(rejected(&mut gate(all(), true), &at(-30_000), soon), "passed");
    // The clock is set back by an hour: what was said in that hour is not young again.
    let mut gate = gate(all(), true);
    assert_eq!(rejected(&mut gate, &at(0), NOW), "passed");
    let back = Now { wall: WallTime(NOW.wall.0 - 3_600_000), ..NOW };
    assert_eq!(rejected(&mut gate, &at(-3_600_000), back), "expired");
    assert_eq!(rejected(&mut gate, &at(-1), Now { wall: WallTime(NOW.wall.0 - 2), ..NOW }), "expired");
}

#[test]
fn m9_the_same_command_twice_is_carried_out_once_and_answered_twice() {
    let mut gate = gate(all(), true);
    let first = signed("ack", &body("a"));
    let Judged::Passed(passed) = judge(&mut gate, &first, NOW) else { panic!("it passes") };
    assert_eq!(rejected(&mut gate, &first, NOW), "under way");
    let answer = Answer { id: Some(passed.id), rejection: None, again: false };
    gate.answered(&answer);
    assert_eq!(judge(&mut gate, &first, NOW), Judged::Answered(Answer { again: true, ..answer }));
}

#[test]
fn m9_more_commands_than_can_be_remembered_are_refused_and_not_forgotten() {
    let mut gate = gate(all(), true);
    let words: Vec<&str> = (0..1100)
        .map(|number| rejected(&mut gate, &signed("ack", &body(&number.to_string())), NOW))
        .collect();
    assert!(words[..1024].iter().all(|word| *word == "passed"));
    assert!(words[1024..].iter().all(|word| *word == "busy"));
    assert_eq!(rejected(&mut gate, &signed("ack", &body("0")), NOW), "under way", "the first is still known");
}

#[test]
fn what_a_command_expects_must_be_so() {
    let with = |change: fn(&mut Value)| {
        let mut it = body("a");
        change(&mut it);
        it
    };
    let aborts = |run: &str| json!({ "id": "a", "ts": time::rfc3339(NOW.wall), "target": abort("a")["target"], "expect": { "run": run } });
    let table = [
        ("ack", with(|it| it["target"] = json!("nothing")), "unknown-target"),
        ("ack", with(|it| it["expect"] = json!({})), "malformed"),
        ("ack", with(|it| it["expect"]["occ"] = json!("B0-3")), "stale-revision"),
        ("ack", with(|it| it["expect"]["occ"] = json!("3")), "stale-revision"),
        ("ack", with(|it| it["expect"]["rev"] = json!(4)), "stale-revision"),
        ("ack", with(|it| it["expect"]["rev"] = json!(5)), "passed"),
        ("ack", with(|it| it["surprise"] = json!(5)), "malformed"),
        ("ack", with(|it| it["id"] = json!("")), "malformed"),
        ("ack", with(|it| it["id"] = json!("x".repeat(65))), "malformed"),
        ("ack", with(|it| it["reason"] = json!("two\nlines")), "malformed"),
        ("ack", with(|it| it["ts"] = json!("yesterday")), "malformed"),
        ("shelve", body("a"), "malformed"),
        ("abort", aborts("B1-6"), "stale-revision"),
        ("abort", aborts("B0-7"), "stale-revision"),
        ("abort", aborts("B1-7"), "passed"),
        ("abort", json!({ "id": "a", "ts": time::rfc3339(NOW.wall), "target": "nothing" }), "unknown-target"),
    ];
    for (verb, body, word) in table {
        assert_eq!(rejected(&mut gate(all(), true), &signed(verb, &body), NOW), word, "{verb} {body}");
    }
}

#[test]
fn answers_go_only_below_our_results_or_where_the_site_allows() {
    let gate = gate(all(), true);
    let table = [
        (format!("{ROOM}/res/ack"), true),
        (format!("{ROOM}/res/console-3"), true),
        ("scada/replies/x".to_owned(), true),
        (format!("{ROOM}/alarm/hot"), false),
        (format!("{ROOM}/cmd/abort"), false),
        (format!("{ROOM}/res/#"), false),
        ("emberwatch/1/s1/b2/res/ack".to_owned(), false),
        ("scada/orders".to_owned(), false),
        (String::new(), false),
    ];
    for (topic, allowed) in table {
        assert_eq!(gate.may_answer_on(&topic), allowed, "{topic}");
    }
    assert_eq!(gate.filters(), [format!("{ROOM}/cmd/+")]);
    for topic in ["emberwatch/1/s1/b2/cmd/ack", "emberwatch/1/s1/b1/alarm/x", "cmd/ack", ""] {
        assert_eq!(gate.place(topic), None, "{topic}");
    }
}

#[test]
fn m9_of_a_hundred_thousand_hostile_commands_none_passes() {
    let mut gate = gate(all(), true);
    let (board, good) = (board(), signed("abort", &abort("good")));
    let place = gate.place(&good.topic).map(|(room, verb)| (room, verb.to_owned())).unwrap();
    let mut state = 42_u64;
    let mut dice = |sides: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % sides
    };
    for number in 0..100_000_u64 {
        let mut said = good.clone();
        match dice(6) {
            0 => said.retained = true,
            1 => said.signature = None,
            2 => {
                let at = usize::try_from(dice(said.payload.len() as u64)).unwrap();
                let mut payload = said.payload.to_vec();
                payload[at] ^= 1 << dice(8);
                said.payload = payload.into();
            }
            3 => {
                said.payload =
                    said.payload.slice(..usize::try_from(dice(said.payload.len() as u64)).unwrap());
            }
            4 => said.key = Some("tablet".into()),
            _ => {
                // Replayed after its time, whatever it was once.
                let later = Now {
                    wall: WallTime(NOW.wall.0 + 30_001 + i64::try_from(dice(1_000_000)).unwrap()),
                    ..NOW
                };
                let judged = gate.judge(&said, (place.0, &place.1), &board, later);
                assert!(!matches!(judged, Judged::Passed(_)), "{number}");
                continue;
            }
        }
        let judged = gate.judge(&said, (place.0, &place.1), &board, NOW);
        assert!(!matches!(judged, Judged::Passed(_)), "{number}: {said:?}");
    }
}

#[test]
fn a_bucket_lets_a_few_through_and_counts_the_rest() {
    let mut bucket = Bucket::new(2, Millis(1000), Uptime(0));
    let passed: Vec<Option<u64>> =
        [0, 1, 2, 3, 1000, 1001, 10_000, 10_001, 10_002].map(|ms| bucket.take(Uptime(ms))).to_vec();
    assert_eq!(passed, [Some(0), Some(0), None, None, Some(2), None, Some(1), Some(0), None]);
}

#[test]
fn an_answer_is_a_document_with_the_names_of_rfc_9457() {
    let id = || Some("a".to_owned());
    let accepted = Answer { id: id(), rejection: None, again: false };
    assert_eq!(
        accepted.document(NOW.wall),
        json!({ "v": 1, "ts": time::rfc3339(NOW.wall), "id": "a", "result": "accepted" })
    );
    assert_eq!(Answer { again: true, ..accepted }.document(NOW.wall)["result"], "duplicate");
    let rejected = Answer { id: None, rejection: Some(Rejection::NotNow("too late".into())), again: false };
    let document = rejected.document(NOW.wall);
    assert_eq!(
        (&document["result"], &document["type"]),
        (&json!("rejected"), &json!("not-allowed-in-state"))
    );
    assert_eq!((&document["detail"], &document["id"]), (&json!("Refused: too late."), &Value::Null));
}

//! What machines are told, and what clients are answered.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use secrecy::SecretString;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{broadcast, mpsc};
use tokio_util::sync::CancellationToken;

use super::dialogue::{Dialogue, House, Then};
use super::fate::{Early, Fate, fate};
use super::options::*;
use super::users::{Logins, Users};
use super::view::{NoData, View};
use crate::clock;
use crate::exchange::Publication;
use crate::safety::fact::{Fact, Input, OrderId};
use crate::safety::reading::{Loss, Reading};
use crate::safety::risk::{Level, LevelChange};
use crate::safety::sequence::spec::{
    Condition, Cuts, Expect, LoginWait, Mode, OnFail, OnRestart, Sequence, Stage, StageWhen,
};
use crate::safety::sequence::{
    Cause, Phase, Run, RunId, SequenceChange, SequenceEvent, SequenceState, StageState, Step,
};
use crate::safety::site::*;
use crate::units::{Millis, Now, Unit, Uptime, Value, WallTime};

const NOW: Uptime = Uptime(1_000_000);
const EARLY: Early = Early { fsd: Millis::from_secs(60), low_battery: Some(Millis::from_secs(180)) };
const OURS: [FeedId; 1] = [FeedId(0)];

fn stage(cuts: Cuts, when: StageWhen, delay: Millis) -> Stage {
    Stage {
        name: "stage".into(),
        action: ActionId(0),
        cuts,
        when,
        requires: Vec::new(),
        life_safety: false,
        permissives: Vec::new(),
        permissive_age_max: Millis(1000),
        permissive_wait: Millis(5000),
        wait_for_logins: None,
        delay,
        verify: Vec::new(),
        verify_within: Millis(5000),
        attempts: 1,
        on_fail: OnFail::Next,
    }
}

/// Stop charging, then feed a after two minutes, then feed a by other means.
fn sequence() -> Sequence {
    let feed = || Cuts::Feeds(vec![FeedId(0)]);
    Sequence {
        name: "cut-ups-a".into(),
        title: "Isolate UPS A".into(),
        zone: ZoneId(0),
        mode: Mode::Armed,
        trigger: RuleId(0),
        countdown: Millis::from_secs(120),
        on_restart: OnRestart::Hold,
        no_return: 2,
        arming_key: None,
        abort_input: None,
        notice: "Fail over to feed B.".into(),
        contact: None,
        autonomy: None,
        stages: vec![
            stage(Cuts::Nothing, StageWhen::Always, Millis::ZERO),
            Stage {
                wait_for_logins: Some(LoginWait { ups: "ups-a".into(), at_most: Millis::from_secs(300) }),
                ..stage(feed(), StageWhen::Always, Millis::from_secs(120))
            },
            stage(feed(), StageWhen::AfterFailure, Millis::from_secs(30)),
            stage(Cuts::Feeds(vec![FeedId(1)]), StageWhen::ByPersons(1), Millis::ZERO),
        ],
    }
}

fn run(step: Step) -> Run {
    Run {
        id: RunId(7),
        cause: Cause::Vote { voting: 3, by_policy: false },
        since: WallTime(0),
        shadow: false,
        step,
        stages: vec![StageState::Pending; 4],
        commanded: 0,
        aborting: None,
        told: None,
    }
}

fn in_run(run: Run) -> SequenceState {
    SequenceState { mode: Mode::Armed, phase: Phase::Run(run) }
}

fn counting(left: Millis) -> Step {
    Step::Countdown { until: NOW.plus(left) }
}

/// Stage 1 waits for machines besides: what is left is the time until it may be commanded if none is left.
fn waiting(stage: u8, left: Millis) -> Step {
    let from = NOW.plus(left).plus(sequence().stages[usize::from(stage)].login_wait());
    Step::Waiting { stage, attempt: 0, from, until: from.plus(Millis(5000)) }
}

fn told(step: Step) -> (Fate, Option<Millis>) {
    fate(&sequence(), &in_run(run(step)), &OURS, NOW, EARLY, None)
}

#[test]
fn a_machine_is_told_by_the_time_until_its_own_feed_is_cut() {
    let idle = SequenceState { mode: Mode::Armed, phase: Phase::Idle };
    assert_eq!(fate(&sequence(), &idle, &OURS, NOW, EARLY, None), (Fate::Safe, None));
    let s = Millis::from_secs;
    for (step, expected, left) in [
        (counting(s(120)), Fate::Ahead, Some(s(240))),
        (counting(s(61)), Fate::Ahead, Some(s(181))),
        (counting(s(60)), Fate::Low, Some(s(180))),
        (counting(Millis::ZERO), Fate::Low, Some(s(120))),
        (waiting(1, s(61)), Fate::Low, Some(s(61))),
        (waiting(1, s(60)), Fate::Forced, Some(s(60))),
        (waiting(1, Millis::ZERO), Fate::Forced, Some(Millis::ZERO)),
        // Other means: their turn has come, so the stage before has failed.
        (waiting(2, s(30)), Fate::Forced, Some(s(30))),
        (Step::Held { stage: 1, until: Some(NOW.plus(s(10))) }, Fate::Forced, Some(s(40))),
        // A person decides: there is no time.
        (Step::Held { stage: 0, until: None }, Fate::Ahead, None),
        // Whether it goes on after a restart is not known yet.
        (
            Step::Rereading { stage: 1, attempt: 0, from: NOW, until: NOW.plus(s(10)) },
            Fate::Ahead,
            Some(s(120)),
        ),
        (Step::Aborted { by: "kim".into() }, Fate::Safe, None),
        (Step::Done, Fate::Safe, None),
        (Step::Failed, Fate::Safe, None),
    ] {
        let (got, time) = told(step.clone());
        assert_eq!((got, time), (expected, left), "{step:?}");
    }
}

#[test]
fn feed_b_waits_for_a_person_and_a_battery_is_no_feed() {
    let feed_b = [FeedId(1)];
    let state = in_run(run(waiting(1, Millis::ZERO)));
    assert_eq!(fate(&sequence(), &state, &feed_b, NOW, EARLY, None), (Fate::Ahead, None));
    let mut battery = sequence();
    battery.stages = vec![stage(Cuts::Battery, StageWhen::Always, Millis::ZERO)];
    let state = in_run(run(counting(Millis::ZERO)));
    assert_eq!(fate(&battery, &state, &OURS, NOW, EARLY, None), (Fate::Safe, None));
    assert_eq!(fate(&sequence(), &state, &[], NOW, EARLY, None), (Fate::Safe, None));
}

#[test]
fn neither_a_drill_nor_shadow_nor_a_disarmed_run_tells_machines_anything() {
    let step = waiting(1, Millis::ZERO);
    let drill = Run { shadow: true, cause: Cause::Drill { by: "kim".into() }, ..run(step.clone()) };
    let shadow = Run { shadow: true, ..run(step.clone()) };
    let shadow_cut = Run { shadow: true, commanded: 0b10, ..run(Step::Done) };
    let disarmed = SequenceState { mode: Mode::Shadow, phase: Phase::Run(run(step)) };
    for (state, expected) in [
        (in_run(drill), Fate::Rehearsed),
        (in_run(shadow), Fate::Rehearsed),
        (in_run(shadow_cut), Fate::Safe),
        (disarmed, Fate::Rehearsed),
    ] {
        assert_eq!(fate(&sequence(), &state, &OURS, NOW, EARLY, None).0, expected, "{state:?}");
    }
}

#[test]
fn what_was_told_stays_told_while_the_run_goes_on_and_after_the_cut_until_the_reset() {
    let given = Some(RunId(7));
    let held = in_run(run(Step::Held { stage: 0, until: None }));
    assert_eq!(fate(&sequence(), &held, &OURS, NOW, EARLY, given).0, Fate::Forced);
    assert_eq!(fate(&sequence(), &held, &OURS, NOW, EARLY, Some(RunId(6))).0, Fate::Ahead);
    let cut = in_run(Run { commanded: 0b10, ..run(Step::Done) });
    assert_eq!(fate(&sequence(), &cut, &OURS, NOW, EARLY, None).0, Fate::Forced);
    let aborted = in_run(run(Step::Aborted { by: "kim".into() }));
    assert_eq!(fate(&sequence(), &aborted, &OURS, NOW, EARLY, given).0, Fate::Safe, "nothing was cut");
}

fn site() -> Arc<Site> {
    let point = |name: &str, device, unit| Point {
        name: name.into(),
        device: DeviceId(device),
        unit,
        period: Millis(1000),
        stale_after: Millis(3000),
        range: None,
        fall_per_s_max: None,
        frozen: None,
        labels: Labels::None,
    };
    let device = |name: &str, zone, points| Device {
        name: name.into(),
        title: name.into(),
        zone: ZoneId(zone),
        kind: DeviceKind::Ups,
        points,
        silent_after: Millis(3000),
        switches: false,
    };
    let zone = |name: &str, title: &str| Zone { name: name.into(), title: title.into(), room: RoomId(0) };
    Arc::new(Site {
        rooms: vec![Room { name: "b1".into(), title: "Room 1".into() }],
        zones: vec![zone("ups-a", "UPS A"), zone("ups-b", "UPS B")],
        devices: vec![device("ups-1", 0, 0..3), device("ups-2", 1, 3..4)],
        points: vec![
            point("status", 0, Unit::None),
            point("soc", 0, Unit::Percent),
            point("runtime", 0, Unit::Minute),
            point("soc", 1, Unit::Percent),
        ],
        sequences: vec![sequence()],
        ..Site::default()
    })
}

fn options(listen: SocketAddr) -> NutOptions {
    let bit = |bit| Expect { point: PointId(0), is: Condition::BitSet(bit) };
    let variable = |name: &str, point, factor| Variable { name: name.into(), point: PointId(point), factor };
    let user = |name: &str, role| UserOptions {
        name: name.into(),
        password: SecretString::from("correct-horse"),
        role,
    };
    let ups = |name: &str, zone, device, feed| UpsOptions {
        name: name.into(),
        description: format!("Row 1 on {name}"),
        zone: ZoneId(zone),
        device: Some(DeviceId(device)),
        feeds: vec![FeedId(feed)],
        status: Vec::new(),
        variables: Vec::new(),
    };
    NutOptions {
        listen,
        connections_max: 4,
        idle_timeout: Millis::from_secs(60),
        tls: None,
        allow_plaintext: false,
        fsd_before: EARLY.fsd,
        low_battery_before: EARLY.low_battery,
        users: vec![user("big", Role::Primary), user("small", Role::Secondary)],
        upses: vec![
            UpsOptions {
                status: vec![(StatusWord::OnBattery, bit(1)), (StatusWord::Charging, bit(2))],
                variables: vec![variable("battery.charge", 1, 1.0), variable("battery.runtime", 2, 60.0)],
                ..ups("ups-a", 0, 0, 0)
            },
            ups("ups-b", 1, 1, 1),
        ],
    }
}

fn good(point: u32, value: f64) -> Fact {
    let reading = Reading::Good { value: Value::new(value).unwrap(), taken: NOW };
    Fact::Reading { point: PointId(point), reading }
}

fn lost(point: u32) -> Fact {
    let last = Some((Value::new(80.0).unwrap(), NOW));
    Fact::Reading { point: PointId(point), reading: Reading::Bad { last, why: Loss::Stale } }
}

fn changed(state: SequenceState) -> Fact {
    let change = SequenceChange { sequence: SequenceId(0), event: SequenceEvent::Started, now: state };
    Fact::Sequence(Box::new(change))
}

fn view() -> View {
    View::new(site(), Arc::new(options(([127, 0, 0, 1], 0).into())))
}

fn publish(view: &mut View, facts: Vec<Fact>) {
    view.apply(&Publication { number: 1, now: Now { uptime: NOW, wall: WallTime(0) }, facts });
}

fn calm() -> Vec<Fact> {
    vec![good(0, 1.0), good(1, 80.0), good(2, 12.5), good(3, 55.0)]
}

fn status(view: &View) -> Result<String, NoData> {
    view.status(0, NOW)
}

#[test]
fn the_status_is_what_is_measured_until_a_cut_is_near() {
    let mut view = view();
    assert_eq!(status(&view), Err(NoData::NotConnected));
    publish(&mut view, calm());
    assert_eq!(status(&view).unwrap(), "OL");
    publish(&mut view, vec![good(0, f64::from(0b100))]);
    assert_eq!(status(&view).unwrap(), "OL CHRG");
    publish(&mut view, vec![good(0, f64::from(0b010))]);
    assert_eq!(status(&view).unwrap(), "OB");
    publish(&mut view, vec![good(0, 0.0), changed(in_run(run(counting(Millis::from_secs(61)))))]);
    assert_eq!(status(&view).unwrap(), "OL");
    let alarm = view.variable(0, "ups.alarm", NOW).unwrap();
    assert!(alarm.contains("Isolate UPS A") && alarm.contains("Fail over to feed B."), "{alarm}");
    assert_eq!(view.variable(0, "ups.timer.shutdown", NOW).unwrap(), "181");
    publish(&mut view, vec![changed(in_run(run(counting(Millis::ZERO))))]);
    assert_eq!(status(&view).unwrap(), "OB LB");
    publish(&mut view, vec![changed(in_run(run(Step::Aborted { by: "kim".into() })))]);
    assert_eq!(status(&view).unwrap(), "OL", "aborted in time");
    publish(&mut view, vec![changed(in_run(run(waiting(1, Millis::from_secs(60)))))]);
    assert_eq!(status(&view).unwrap(), "FSD OB LB");
    assert_eq!(view.status(1, NOW).unwrap(), "OL", "the other UPS is not concerned");
    publish(&mut view, vec![changed(in_run(Run { commanded: 2, ..run(Step::Done) }))]);
    assert_eq!(status(&view).unwrap(), "FSD OB LB", "until it is reset");
    publish(&mut view, vec![changed(SequenceState { mode: Mode::Armed, phase: Phase::Idle })]);
    assert_eq!(status(&view).unwrap(), "OL");
}

#[test]
fn a_warning_or_danger_in_the_zone_is_told_and_shuts_nothing_down() {
    let mut view = view();
    let mut facts = calm();
    let change = LevelChange {
        zone: ZoneId(0),
        level: Level::Danger,
        was: Level::Normal,
        because: Vec::new(),
        first_out: None,
    };
    facts.push(Fact::Level(change));
    publish(&mut view, facts);
    assert_eq!(status(&view).unwrap(), "OL");
    assert_eq!(view.variable(0, "ups.alarm", NOW).unwrap(), "UPS A: danger");
    assert_eq!(view.variable(1, "ups.alarm", NOW), Err(NoData::NotSupported));
}

#[test]
fn what_is_not_good_is_missing_and_never_old() {
    let mut view = view();
    publish(&mut view, calm());
    assert_eq!(view.variable(0, "battery.charge", NOW).unwrap(), "80");
    assert_eq!(view.variable(0, "battery.runtime", NOW).unwrap(), "750");
    publish(&mut view, vec![lost(1)]);
    assert_eq!(view.variable(0, "battery.charge", NOW), Err(NoData::Stale));
    let names: Vec<String> = view.variables(0, NOW).unwrap().into_iter().map(|(name, _)| name).collect();
    assert!(!names.contains(&"battery.charge".to_owned()) && names.contains(&"battery.runtime".to_owned()));
    // The status stands on point 0: without it, it is unknown, and unknown is not `OL`.
    publish(&mut view, vec![lost(0)]);
    assert_eq!(status(&view), Err(NoData::Stale));
    publish(&mut view, vec![lost(2)]);
    assert_eq!(view.variables(0, NOW), Err(NoData::Stale));
    assert_eq!(view.status(1, NOW).unwrap(), "OL");
    // A cut is told all the same.
    publish(&mut view, vec![changed(in_run(run(waiting(1, Millis::ZERO))))]);
    assert_eq!(status(&view).unwrap(), "FSD OB LB");
}

#[test]
fn all_is_stale_while_the_loop_is_silent_or_something_was_missed() {
    let mut view = view();
    publish(&mut view, calm());
    assert_eq!(view.status(0, NOW.plus(Millis(2500))), Err(NoData::Stale));
    view.forget();
    assert_eq!(status(&view), Err(NoData::Stale));
    publish(&mut view, vec![changed(SequenceState { mode: Mode::Armed, phase: Phase::Idle })]);
    assert_eq!(status(&view).unwrap(), "OL");
}

fn house() -> Arc<House> {
    let options = options(([127, 0, 0, 1], 0).into());
    let mut view = View::new(site(), Arc::new(options.clone()));
    view.apply(&Publication { number: 1, now: clock::now(), facts: calm() });
    Arc::new(House {
        view: Mutex::new(view),
        users: Users::new(&options.users),
        logins: Logins::new(options.upses.len()),
        has_tls: false,
    })
}

fn dialogue(house: &Arc<House>) -> Dialogue {
    Dialogue::new(Arc::clone(house), IpAddr::from([127, 0, 0, 1]), false)
}

fn as_user(house: &Arc<House>, name: &str) -> Dialogue {
    let mut client = dialogue(house);
    assert_eq!(client.answer(&format!("USERNAME {name}")).0, "OK\n");
    assert_eq!(client.answer("PASSWORD correct-horse").0, "OK\n");
    client
}

#[test]
fn anybody_may_look() {
    let house = house();
    let mut client = dialogue(&house);
    for (line, answer) in [
        (
            "LIST UPS",
            "BEGIN LIST UPS\nUPS ups-a \"Row 1 on ups-a\"\nUPS ups-b \"Row 1 on ups-b\"\nEND LIST UPS\n",
        ),
        ("GET VAR ups-a ups.status", "VAR ups-a ups.status \"OL\"\n"),
        ("GET VAR ups-a battery.charge", "VAR ups-a battery.charge \"80\"\n"),
        ("GET VAR ups-a battery.volts", "ERR VAR-NOT-SUPPORTED\n"),
        ("GET VAR ups-c ups.status", "ERR UNKNOWN-UPS\n"),
        ("GET TYPE ups-a battery.charge", "TYPE ups-a battery.charge NUMBER\n"),
        ("GET TYPE ups-a ups.status", "TYPE ups-a ups.status STRING:512\n"),
        ("GET DESC ups-a battery.charge", "DESC ups-a battery.charge \"Battery charge (percent of full)\"\n"),
        ("GET UPSDESC ups-a", "UPSDESC ups-a \"Row 1 on ups-a\"\n"),
        ("GET NUMLOGINS ups-a", "NUMLOGINS ups-a 0\n"),
        ("GET CMDDESC ups-a load.off", "ERR CMD-NOT-SUPPORTED\n"),
        ("LIST RW ups-a", "BEGIN LIST RW ups-a\nEND LIST RW ups-a\n"),
        ("LIST CMD ups-a", "BEGIN LIST CMD ups-a\nEND LIST CMD ups-a\n"),
        ("LIST CLIENT ups-a", "BEGIN LIST CLIENT ups-a\nEND LIST CLIENT ups-a\n"),
        (
            "LIST ENUM ups-a battery.charge",
            "BEGIN LIST ENUM ups-a battery.charge\nEND LIST ENUM ups-a battery.charge\n",
        ),
        (
            "LIST RANGE ups-a battery.charge",
            "BEGIN LIST RANGE ups-a battery.charge\nEND LIST RANGE ups-a battery.charge\n",
        ),
        ("NETVER", "1.3\n"),
        ("FETCH", "ERR UNKNOWN-COMMAND\n"),
        ("GET VAR", "ERR INVALID-ARGUMENT\n"),
        ("STARTTLS", "ERR FEATURE-NOT-CONFIGURED\n"),
    ] {
        assert_eq!(client.answer(line), (answer.to_owned(), Then::GoOn), "{line}");
    }
    let (all, _) = client.answer("LIST VAR ups-a");
    for line in
        ["BEGIN LIST VAR ups-a\n", "VAR ups-a device.type \"ups\"\n", "VAR ups-a battery.runtime \"750\"\n"]
    {
        assert!(all.contains(line), "{all}");
    }
    assert_eq!(client.answer("LOGOUT"), ("OK Goodbye\n".to_owned(), Then::Leave));
}

#[test]
fn logging_in_takes_name_password_and_ups_and_is_counted_until_the_end() {
    let house = house();
    let mut client = dialogue(&house);
    assert_eq!(client.answer("LOGIN ups-a").0, "ERR USERNAME-REQUIRED\n");
    assert_eq!(client.answer("USERNAME small").0, "OK\n");
    assert_eq!(client.answer("USERNAME big").0, "ERR ALREADY-SET-USERNAME\n");
    assert_eq!(client.answer("LOGIN ups-a").0, "ERR PASSWORD-REQUIRED\n");
    assert_eq!(client.answer("PASSWORD wrong-horse").0, "OK\n");
    assert_eq!(client.answer("LOGIN ups-a"), ("ERR ACCESS-DENIED\n".to_owned(), Then::Wait));
    assert_eq!(client.answer("PASSWORD correct-horse").0, "ERR ALREADY-SET-PASSWORD\n");

    let mut client = as_user(&house, "small");
    assert_eq!(client.answer("LOGIN ups-c").0, "ERR UNKNOWN-UPS\n");
    assert_eq!(client.answer("LOGIN ups-a").0, "OK\n");
    assert_eq!(client.answer("LOGIN ups-b").0, "ERR ALREADY-ATTACHED\n");
    assert_eq!(client.answer("PRIMARY ups-a").0, "ERR ACCESS-DENIED\n");
    let mut primary = as_user(&house, "big");
    assert_eq!(primary.answer("PRIMARY ups-a").0, "OK PRIMARY-GRANTED\n");
    assert_eq!(primary.answer("MASTER ups-a").0, "OK MASTER-GRANTED\n");
    assert_eq!(primary.answer("GET NUMLOGINS ups-a").0, "NUMLOGINS ups-a 1\n");
    assert_eq!(
        primary.answer("LIST CLIENT ups-a").0,
        "BEGIN LIST CLIENT ups-a\nCLIENT ups-a 127.0.0.1\nEND LIST CLIENT ups-a\n"
    );
    drop(client);
    assert_eq!(primary.answer("GET NUMLOGINS ups-a").0, "NUMLOGINS ups-a 0\n");
}

#[test]
fn nobody_may_start_a_cut_or_set_or_command_anything() {
    let house = house();
    for name in ["big", "small"] {
        for line in ["FSD ups-a", "SET VAR ups-a battery.charge 1", "INSTCMD ups-a load.off"] {
            let mut client = as_user(&house, name);
            assert_eq!(client.answer(line), ("ERR ACCESS-DENIED\n".to_owned(), Then::Wait), "{name}: {line}");
        }
    }
    assert_eq!(house.view().status(0, clock::uptime()).unwrap(), "OL");
    let mut nobody = dialogue(&house);
    assert_eq!(nobody.answer("FSD ups-a").0, "ERR USERNAME-REQUIRED\n");
    // Told already: there is nothing left to start, and the primary goes on in good order.
    house.view().apply(&Publication {
        number: 2,
        now: Now { uptime: NOW, wall: WallTime(0) },
        facts: vec![
            changed(in_run(run(Step::Ordered { stage: 1, order: OrderId(1), attempt: 1, answer_by: NOW }))),
            changed(in_run(run(waiting(1, Millis::ZERO)))),
        ],
    });
    assert_eq!(as_user(&house, "big").answer("FSD ups-a").0, "OK FSD-SET\n");
    assert_eq!(as_user(&house, "small").answer("FSD ups-a").0, "ERR ACCESS-DENIED\n");
}

#[test]
fn who_must_be_in_tls_is_told_nothing_before() {
    let house = house();
    let mut client = Dialogue::new(Arc::clone(&house), IpAddr::from([192, 0, 2, 7]), true);
    for line in ["LIST UPS", "USERNAME big", "GET VAR ups-a ups.status", "LOGIN ups-a"] {
        assert_eq!(client.answer(line).0, "ERR TLS-NOT-ENABLED\n", "{line}");
    }
    assert_eq!(client.answer("NETVER").0, "1.3\n");
    client.secured();
    assert_eq!(client.answer("STARTTLS").0, "ERR TLS-ALREADY-ENABLED\n");
    assert_eq!(client.answer("GET UPSDESC ups-a").0, "UPSDESC ups-a \"Row 1 on ups-a\"\n");
}

struct Server {
    address: SocketAddr,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
    _facts: broadcast::Sender<Arc<Publication>>,
    inputs: mpsc::Receiver<Vec<Input>>,
}

async fn server() -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (facts, hearing) = broadcast::channel(8);
    let stop = CancellationToken::new();
    let (inbox, inputs) = mpsc::channel(8);
    let task = super::serve(listener, options(address), site(), hearing, inbox, false, &stop);
    Server { address, stop, task, _facts: facts, inputs }
}

async fn ask(client: &mut BufReader<TcpStream>, line: &str) -> String {
    client.write_all(format!("{line}\r\n").as_bytes()).await.unwrap();
    let mut answer = String::new();
    client.read_line(&mut answer).await.unwrap();
    answer
}

async fn connect(server: &Server) -> BufReader<TcpStream> {
    BufReader::new(TcpStream::connect(server.address).await.unwrap())
}

/// Whether the server has closed this connection.
async fn is_closed(client: &mut BufReader<TcpStream>) -> bool {
    let mut rest = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(10), client.read_to_end(&mut rest)).await;
    read.is_ok()
}

#[tokio::test]
async fn idle_sockets_give_way_and_machines_that_logged_in_stay() {
    let server = server().await;
    let mut machine = connect(&server).await;
    assert_eq!(ask(&mut machine, "USERNAME small").await, "OK\n");
    assert_eq!(ask(&mut machine, "PASSWORD correct-horse").await, "OK\n");
    assert_eq!(ask(&mut machine, "LOGIN ups-a").await, "OK\n");
    let mut first = connect(&server).await;
    assert_eq!(ask(&mut first, "NETVER").await, "1.3\n");
    let mut others = Vec::new();
    for _ in 0..20 {
        let mut other = connect(&server).await;
        assert_eq!(ask(&mut other, "NETVER").await, "1.3\n");
        others.push(other);
    }
    assert!(is_closed(&mut first).await);
    assert_eq!(ask(&mut machine, "GET NUMLOGINS ups-a").await, "NUMLOGINS ups-a 1\n");
}

#[tokio::test(start_paused = true)]
async fn the_core_is_told_how_many_machines_are_left() {
    let mut server = server().await;
    let mut count = async || match server.inputs.recv().await.unwrap().as_slice() {
        [Input::Logins { ups, count, .. }] if &**ups == "ups-a" => *count,
        other => panic!("{other:?}"),
    };
    assert_eq!(count().await, 0);
    let mut machine = BufReader::new(TcpStream::connect(server.address).await.unwrap());
    for line in ["USERNAME small", "PASSWORD correct-horse", "LOGIN ups-a"] {
        assert_eq!(ask(&mut machine, line).await, "OK\n");
    }
    while count().await == 0 {}
    drop(machine);
    while count().await == 1 {}
}

#[tokio::test]
async fn a_line_too_long_or_no_text_ends_the_connection_and_nothing_else() {
    let server = server().await;
    let mut other = connect(&server).await;
    assert_eq!(ask(&mut other, "VER").await.split(' ').next(), Some("emberwatch"));
    for bytes in [vec![b'x'; 4096], b"GET \xff\n".to_vec(), b"LOGOUT\n".to_vec()] {
        let mut client = connect(&server).await;
        let _may_be_closed_already = client.write_all(&bytes).await;
        assert!(is_closed(&mut client).await);
    }
    assert_eq!(ask(&mut other, "NETVER").await, "1.3\n");
    server.stop.cancel();
    server.task.await.unwrap();
    assert!(is_closed(&mut other).await);
}

#[tokio::test]
async fn wrong_passwords_wait_and_then_end_the_connection() {
    tokio::time::pause();
    let server = server().await;
    let mut client = connect(&server).await;
    assert_eq!(ask(&mut client, "USERNAME small").await, "OK\n");
    assert_eq!(ask(&mut client, "PASSWORD guess-number-1").await, "OK\n");
    for _ in 0..super::WRONG_MAX {
        assert_eq!(ask(&mut client, "LOGIN ups-a").await, "ERR ACCESS-DENIED\n");
    }
    assert!(is_closed(&mut client).await);
}

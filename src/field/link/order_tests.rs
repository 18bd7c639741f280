//! Orders against scripted devices.

use super::poll_tests::{Room, device, link, room};
use super::*;
use crate::field::scripted::{Act, Asked, Scripted};
use crate::safety::fact::OrderId;
use crate::safety::sequence::RunId;
use crate::safety::site::SequenceId;
use crate::units::Millis;

/// A breaker: a coil that is written and read back, a sleepy register, and a pulse without a state.
const BREAKER: &str = "
[[point]]\nname = \"position\"\ntable = \"discrete\"\naddress = 0\ntype = \"bool\"\nclass = \"fast\"
[[action]]\nname = \"trip\"\ntable = \"coil\"\naddress = 3\nvalue = 1\noutput = \"level\"\nstate = { table = \"coil\", address = 3 }
[[action]]\nname = \"sleep\"\ntable = \"holding\"\naddress = 9\nvalue = 0xAA\noutput = \"level\"\nstate = \"position\"
[[action]]\nname = \"pulse\"\ntable = \"coil\"\naddress = 4\nvalue = 1\noutput = \"pulse\"
";
const TRIP: ActionId = ActionId(1);
const SLEEP: ActionId = ActionId(2);
const PULSE: ActionId = ActionId(3);
const NOT_GIVEN: ActionId = ActionId(4);

/// Polled rarely, so that what is seen is the order's.
fn breaker(address: &str) -> LinkOptions {
    let mut breaker = device(7, BREAKER, 600_000);
    let named = |(id, name): (ActionId, &str)| (id, name.to_owned());
    breaker.actions = [(TRIP, "trip"), (SLEEP, "sleep"), (PULSE, "pulse")].map(named).to_vec();
    link(address, vec![breaker])
}

fn order(action: ActionId, within: u64) -> Order {
    Order {
        id: OrderId(42),
        run: RunId(1),
        sequence: SequenceId(0),
        stage: 0,
        action,
        attempt: 1,
        answer_by: clock::uptime().plus(Millis(within)),
    }
}

async fn answer(room: &mut Room) -> Result<(), DriveFault> {
    loop {
        for input in room.batch().await {
            if let Input::Answered { order, result, .. } = input {
                assert_eq!(order, OrderId(42));
                return result;
            }
        }
    }
}

type Script = fn(&Asked) -> Act;

/// Name, device, order, answer, and how often it was written.
type Case = (&'static str, Script, ActionId, Result<(), DriveFault>, usize);

#[tokio::test]
async fn an_order_is_written_once_and_its_answer_says_what_is_known() {
    let wrong_echo: Script =
        |asked| Act::Send(if asked.writes() { asked.reply(5, &[0, 4, 0xFF, 0]) } else { asked.good() });
    let silent_write: Script = |asked| if asked.writes() { Act::Silence } else { Act::Send(asked.good()) };
    let refused: Script = |asked| Act::Send(if asked.writes() { asked.exception(3) } else { asked.good() });
    let unreadable: Script =
        |asked| Act::Send(if asked.function() == 1 { asked.exception(4) } else { asked.good() });
    let does_not_stick: Script =
        |asked| Act::Send(if asked.function() == 1 { asked.reply(1, &[1, 0]) } else { asked.good() });
    let good: Script = |asked| Act::Send(asked.good());
    let cases: [Case; 9] = [
        ("good", good, TRIP, Ok(()), 1),
        ("register", good, SLEEP, Ok(()), 1),
        ("pulse", good, PULSE, Ok(()), 1),
        ("wrong echo", wrong_echo, TRIP, Err(DriveFault::WrongEcho), 1),
        ("silent", silent_write, TRIP, Err(DriveFault::NoAnswer), 1),
        ("silent pulse", silent_write, PULSE, Err(DriveFault::NoAnswer), 1),
        ("refused", refused, TRIP, Err(DriveFault::Exception(3)), 1),
        ("unreadable before", unreadable, TRIP, Err(DriveFault::NotSent), 0),
        ("does not stick", does_not_stick, TRIP, Err(DriveFault::WrongEcho), 1),
    ];
    for (name, script, action, expected, writes) in cases {
        let server = Scripted::start(script).await;
        let mut room = room(vec![breaker(&server.address)], 8);
        room.field.order(order(action, 5000));
        assert_eq!(answer(&mut room).await, expected, "{name}");
        assert_eq!(server.writes(), writes, "{name}");
    }
}

#[tokio::test]
async fn an_echo_without_a_state_read_back_is_no_answer() {
    let mut written = false;
    let server = Scripted::start(move |asked| {
        written |= asked.writes();
        if written && !asked.writes() { Act::Silence } else { Act::Send(asked.good()) }
    })
    .await;
    let mut room = room(vec![breaker(&server.address)], 8);
    room.field.order(order(TRIP, 5000));
    assert_eq!(answer(&mut room).await, Err(DriveFault::NoAnswer));
    assert_eq!(server.writes(), 1);
}

#[tokio::test]
async fn only_actions_that_were_given_are_sent() {
    let server = Scripted::start(|asked| Act::Send(asked.good())).await;
    let mut options = breaker(&server.address);
    // Configured, but the profile does not know it: refused at the last gate.
    options.devices[0].actions.push((ActionId(5), "no-such-action".to_owned()));
    let mut room = room(vec![options], 8);
    for action in [NOT_GIVEN, ActionId(5)] {
        room.field.order(order(action, 5000));
        assert_eq!(answer(&mut room).await, Err(DriveFault::NotAllowed));
    }
    assert_eq!(server.writes(), 0);
}

#[tokio::test]
async fn an_order_past_its_deadline_is_never_sent() {
    let server = Scripted::start(|asked| Act::Send(asked.good())).await;
    let mut room = room(vec![breaker(&server.address)], 8);
    room.field.order(order(TRIP, 0));
    assert_eq!(answer(&mut room).await, Err(DriveFault::NotSent));
    assert_eq!(server.writes(), 0);
}

#[tokio::test]
async fn without_a_server_an_order_is_not_sent() {
    let mut room = room(vec![breaker(&Scripted::nowhere().await)], 8);
    room.field.order(order(TRIP, 5000));
    assert_eq!(answer(&mut room).await, Err(DriveFault::NotSent));
}

#[tokio::test]
async fn an_order_connects_at_once_though_the_link_is_in_back_off() {
    let address = Scripted::nowhere().await;
    let mut options = breaker(&address);
    options.devices[0].periods.values_mut().for_each(|period| *period = Millis(10));
    let mut room = room(vec![options], 64);
    for _ in 0..40 {
        room.batch().await;
    }
    let server = Scripted::start_at(&address, |asked| Act::Send(asked.good())).await;
    room.field.order(order(TRIP, 5000));
    assert_eq!(answer(&mut room).await, Ok(()));
    assert_eq!(server.writes(), 1);
}

#[tokio::test]
async fn the_commanded_device_is_polled_right_after_the_answer() {
    let server = Scripted::start(|asked| Act::Send(asked.good())).await;
    let mut room = room(vec![breaker(&server.address)], 8);
    room.batch().await;
    room.field.order(order(TRIP, 5000));
    let answered = room.batch().await;
    let Input::Answered { at, .. } = answered[0] else { panic!("{answered:?}") };
    let next = room.batch().await;
    assert!(matches!(next[0], Input::Sampled { asked, .. } if at <= asked), "{next:?}");
}

#[tokio::test]
async fn an_order_does_not_wait_for_a_full_inbox() {
    let server = Scripted::start(|asked| Act::Send(asked.good())).await;
    let mut options = breaker(&server.address);
    options.devices[0].periods.values_mut().for_each(|period| *period = Millis(5));
    let room = room(vec![options], 1);
    let patience = async {
        while server.asked().len() < 2 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        room.field.order(order(TRIP, 5000));
        while server.writes() == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), patience).await.expect("the write must leave");
}

#[tokio::test]
async fn after_the_stop_nothing_is_written() {
    let server = Scripted::start(|asked| Act::Send(asked.good())).await;
    let mut room = room(vec![breaker(&server.address)], 8);
    room.batch().await;
    room.stop.cancel();
    room.field.order(order(TRIP, 5000));
    let Room { field, mut heard, .. } = room;
    drop(field);
    // Every task has ended once nobody holds the inbox any more.
    let ended = async { while heard.recv().await.is_some() {} };
    tokio::time::timeout(Duration::from_secs(10), ended).await.expect("the link must end");
    assert_eq!(server.writes(), 0);
}

#[tokio::test]
async fn an_order_that_waits_when_the_stop_comes_is_not_written() {
    let server = Scripted::start(|_| Act::Silence).await;
    let room = room(vec![breaker(&server.address)], 8);
    while server.asked().is_empty() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    // The poll under way has 100 ms to go: the order waits for its end.
    room.field.order(order(PULSE, 5000));
    room.stop.cancel();
    let Room { field, mut heard, .. } = room;
    drop(field);
    let ended = async { while heard.recv().await.is_some() {} };
    tokio::time::timeout(Duration::from_secs(10), ended).await.expect("the link must end");
    assert_eq!(server.writes(), 0);
}

#[tokio::test]
async fn an_order_overtakes_a_read_that_is_slow_to_be_answered() {
    let server =
        Scripted::start(|asked| if asked.unit() == 1 { Act::Silence } else { Act::Send(asked.good()) }).await;
    let mut options = breaker(&server.address);
    options.timeout = Millis(2000);
    let slow =
        "[[point]]\nname = \"r\"\ntable = \"holding\"\naddress = 0\ntype = \"u16\"\nclass = \"fast\"\n";
    options.devices.push(device(1, slow, 20));
    let mut room = room(vec![options], 64);
    while !server.asked().iter().any(|asked| asked.unit() == 1) {
        tokio::task::yield_now().await;
    }
    let begun = clock::uptime();
    room.field.order(order(TRIP, 1500));
    assert_eq!(answer(&mut room).await, Ok(()));
    let took = clock::uptime().since(begun);
    assert!(took < Millis(200), "{took}");
    assert_eq!(server.writes(), 1);
}

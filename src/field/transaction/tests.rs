#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::field::scripted::{Act, Asked, Scripted};

const SOON: Millis = Millis(2000);
const SHORT: Millis = Millis(100);

type Fault = (&'static str, fn(&Asked) -> Act, ReadFault);

fn changed(asked: &Asked, at: usize, by: u8) -> Act {
    let mut bytes = asked.good();
    bytes[at] = bytes[at].wrapping_add(by);
    Act::Send(bytes)
}

const FAULTS: [Fault; 17] = [
    ("transaction id", |asked| changed(asked, 1, 1), ReadFault::Mismatch),
    ("unit", |asked| changed(asked, 6, 1), ReadFault::Mismatch),
    ("function", |asked| changed(asked, 7, 1), ReadFault::Mismatch),
    ("unknown function", |asked| Act::Send(asked.reply(0x55, &[1, 2])), ReadFault::Mismatch),
    ("exception of another function", |asked| Act::Send(asked.reply(0x84, &[2])), ReadFault::Mismatch),
    ("exception with more behind it", |asked| Act::Send(asked.reply(0x83, &[2, 0])), ReadFault::Malformed),
    ("one word too few", |asked| Act::Send(asked.words(&[7])), ReadFault::Mismatch),
    ("one word too many", |asked| Act::Send(asked.words(&[7, 8, 9])), ReadFault::Mismatch),
    ("bytes behind the words", |asked| Act::Send(asked.reply(3, &[4, 0, 1, 0, 2, 9])), ReadFault::Mismatch),
    ("half a word", |asked| Act::Send(asked.reply(3, &[3, 0, 1, 0])), ReadFault::Mismatch),
    ("fewer bytes than counted", |asked| Act::Send(asked.reply(3, &[4, 0, 1])), ReadFault::Mismatch),
    ("another protocol", |asked| changed(asked, 3, 1), ReadFault::Malformed),
    ("no length", |_| Act::Send(vec![0; 12]), ReadFault::Malformed),
    ("cut short", |asked| Act::Close(asked.good()[..10].to_vec()), ReadFault::Malformed),
    ("endless", |_| Act::Endless(vec![0, 0, 0, 0, 0xFF, 0xFF, 1, 3]), ReadFault::Malformed),
    ("closed", |_| Act::Close(vec![]), ReadFault::Disconnected),
    ("silent", |_| Act::Silence, ReadFault::Timeout),
];

async fn read(line: &mut Line, address: u16) -> Result<Vec<u16>, ReadFault> {
    line.connect(SOON).await.unwrap();
    line.read(1, Table::Holding, address, 2, SHORT).await
}

#[tokio::test]
async fn a_reply_that_does_not_belong_gives_a_reason_and_the_next_request_a_value() {
    for (name, act, fault) in FAULTS {
        let mut requests = 0;
        let server = Scripted::start(move |asked| {
            requests += 1;
            if requests == 1 { act(asked) } else { Act::Send(asked.good()) }
        })
        .await;
        let mut line = Line::new(&Endpoint::tcp(server.address));
        assert_eq!(read(&mut line, 40).await, Err(fault), "{name}");
        assert!(!line.is_connected(), "{name}: the connection must be gone");
        assert_eq!(read(&mut line, 40).await, Ok(vec![40, 41]), "{name}");
    }
}

#[tokio::test]
async fn a_late_reply_has_nowhere_to_arrive() {
    let mut requests = 0;
    let server = Scripted::start(move |asked| {
        requests += 1;
        if requests == 1 {
            Act::After(std::time::Duration::from_millis(150), asked.good())
        } else {
            Act::Send(asked.good())
        }
    })
    .await;
    let mut line = Line::new(&Endpoint::tcp(server.address));
    assert_eq!(read(&mut line, 10).await, Err(ReadFault::Timeout));
    for address in 100..200 {
        assert_eq!(read(&mut line, address).await, Ok(vec![address, address + 1]));
    }
}

#[tokio::test]
async fn a_second_reply_to_one_request_is_never_taken_for_the_next() {
    let server = Scripted::start(|asked| Act::Send([asked.good(), asked.good()].concat())).await;
    let mut line = Line::new(&Endpoint::tcp(server.address));
    for address in 0..20 {
        match read(&mut line, address).await {
            Ok(words) => assert_eq!(words, [address, address + 1]),
            Err(fault) => assert_eq!(fault, ReadFault::Mismatch),
        }
    }
}

#[tokio::test]
async fn one_byte_at_a_time_is_a_good_reply() {
    let server = Scripted::start(|asked| Act::Trickle(asked.good())).await;
    let mut line = Line::new(&Endpoint::tcp(server.address));
    line.connect(SOON).await.unwrap();
    assert_eq!(line.read(1, Table::Input, 5, 3, SOON).await, Ok(vec![5, 6, 7]));
    assert_eq!(line.read(1, Table::Coil, 5, 9, SOON).await, Ok(vec![1; 9]));
    assert_eq!(line.read(1, Table::Discrete, 0, 8, SOON).await, Ok(vec![1; 8]));
}

#[tokio::test]
async fn an_exception_is_an_answer_and_keeps_the_connection() {
    let server = Scripted::start(|asked| Act::Send(asked.exception(6))).await;
    let mut line = Line::new(&Endpoint::tcp(server.address));
    assert_eq!(read(&mut line, 1).await, Err(ReadFault::Exception(6)));
    assert!(line.is_connected());
}

#[tokio::test]
async fn a_transaction_that_is_cancelled_ends_its_connection() {
    let server = Scripted::start(|_| Act::Silence).await;
    let mut line = Line::new(&Endpoint::tcp(server.address));
    line.connect(SOON).await.unwrap();
    let cancelled =
        tokio::time::timeout(std::time::Duration::from_millis(20), line.read(1, Table::Coil, 0, 1, SOON));
    assert!(cancelled.await.is_err());
    assert!(!line.is_connected());
}

#[tokio::test]
async fn a_connection_closed_between_polls_costs_no_reading() {
    let mut requests = 0;
    let server = Scripted::start(move |asked| {
        requests += 1;
        if requests == 1 { Act::Close(asked.good()) } else { Act::Send(asked.good()) }
    })
    .await;
    let mut line = Line::new(&Endpoint::tcp(server.address));
    assert_eq!(read(&mut line, 1).await, Ok(vec![1, 2]));
    assert_eq!(line.read_again(1.into(), (Table::Holding, 2, 1), SOON, SOON).await, Ok(vec![2]));
}

const COIL: Write = Write::Coil { address: 3, on: true };

#[tokio::test]
async fn b29_only_the_exact_echo_confirms_a_write() {
    type Case = (Write, fn(&Asked) -> Act, Result<(), DriveFault>);
    let register = Write::Register { address: 5, word: 0xAA };
    let registers = Write::Registers { address: 5, words: vec![1, 2] };
    let cases: [Case; 15] = [
        (COIL, |asked| Act::Send(asked.good()), Ok(())),
        (register.clone(), |asked| Act::Send(asked.good()), Ok(())),
        (registers.clone(), |asked| Act::Send(asked.good()), Ok(())),
        (COIL, |asked| changed(asked, 9, 1), Err(DriveFault::WrongEcho)),
        (COIL, |asked| Act::Send(asked.reply(5, &[0, 3, 0, 0])), Err(DriveFault::WrongEcho)),
        (COIL, |asked| Act::Send(asked.reply(5, &[0, 3, 0x55, 0])), Err(DriveFault::WrongEcho)),
        (COIL, |asked| Act::Send(asked.reply(5, &[0, 3, 0xFF, 0, 0])), Err(DriveFault::WrongEcho)),
        (COIL, |asked| Act::Send(asked.reply(6, &[0, 3, 0xFF, 0])), Err(DriveFault::WrongEcho)),
        (register, |asked| changed(asked, 11, 1), Err(DriveFault::WrongEcho)),
        (registers, |asked| changed(asked, 11, 1), Err(DriveFault::WrongEcho)),
        (COIL, |asked| Act::Send(asked.exception(4)), Err(DriveFault::Exception(4))),
        (COIL, |asked| Act::Send(asked.exception(5)), Err(DriveFault::NoAnswer)),
        (COIL, |asked| Act::Send(asked.exception(11)), Err(DriveFault::NoAnswer)),
        (COIL, |_| Act::Silence, Err(DriveFault::NoAnswer)),
        (COIL, |_| Act::Close(vec![]), Err(DriveFault::NoAnswer)),
    ];
    for (at, (write, act, expected)) in cases.into_iter().enumerate() {
        let server = Scripted::start(act).await;
        let mut line = Line::new(&Endpoint::tcp(server.address.clone()));
        line.connect(SOON).await.unwrap();
        line.permit(vec![(1.into(), write.clone())]);
        assert_eq!(line.write(1, &write, SHORT).await, expected, "case {at}");
        assert_eq!(server.writes(), 1, "case {at}");
    }
}

#[tokio::test]
async fn without_a_connection_nothing_is_sent() {
    let mut line = Line::new(&Endpoint::tcp(Scripted::nowhere().await));
    assert!(line.connect(SOON).await.is_err());
    line.permit(vec![(1.into(), COIL)]);
    assert_eq!(line.write(1, &COIL, SHORT).await, Err(DriveFault::NotSent));
    assert_eq!(line.read(1, Table::Coil, 0, 1, SHORT).await, Err(ReadFault::Disconnected));
}

#[tokio::test]
async fn c06_what_was_not_permitted_never_leaves() {
    let server = Scripted::start(|asked| Act::Send(asked.good())).await;
    let mut line = Line::new(&Endpoint::tcp(server.address.clone()));
    line.connect(SOON).await.unwrap();
    assert_eq!(line.write(1, &COIL, SHORT).await, Err(DriveFault::NotAllowed));
    line.permit(vec![(1.into(), COIL)]);
    let others = [Write::Coil { address: 3, on: false }, Write::Coil { address: 4, on: true }];
    for other in &others {
        assert_eq!(line.write(1, other, SHORT).await, Err(DriveFault::NotAllowed));
    }
    assert_eq!(line.write(2, &COIL, SHORT).await, Err(DriveFault::NotAllowed));
    assert_eq!(server.writes(), 0);
}

#[tokio::test]
async fn b29_no_byte_of_an_echo_may_differ() {
    for at in 0..12 {
        let server = Scripted::start(move |asked| changed(asked, at, 1)).await;
        let mut line = Line::new(&Endpoint::tcp(server.address.clone()));
        line.connect(SOON).await.unwrap();
        line.permit(vec![(1.into(), COIL)]);
        let outcome = line.write(1, &COIL, SHORT).await;
        assert!(
            matches!(outcome, Err(DriveFault::WrongEcho | DriveFault::NoAnswer)),
            "byte {at}: {outcome:?}"
        );
    }
}

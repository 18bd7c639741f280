//! Transactions on a serial line that misbehaves.
#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::field::scripted_bus::{Answer, Bus, FAST, framed, good};

const SOON: Millis = Millis(2000);
const SHORT: Millis = Millis(60);

async fn read(line: &mut Line, unit: u8, address: u16, count: u16) -> Result<Vec<u16>, ReadFault> {
    line.connect(SOON).await.unwrap();
    line.read(unit, Table::Holding, address, count, SHORT).await
}

fn expected(unit: u8, address: u16, count: u16) -> Vec<u16> {
    (address..address + count).map(|at| at + (u16::from(unit) << 8)).collect()
}

/// What the first reply is, the fault it gives, and the reason that is counted.
type Fault = (&'static str, fn(&[u8]) -> Answer, Result<Vec<u16>, ReadFault>, Option<Reject>);

fn changed(request: &[u8], at: usize) -> Answer {
    let mut bytes = good(request);
    bytes[at] ^= 0x10;
    Answer::After(0, bytes)
}

#[tokio::test]
async fn b04_b07_b24_b25_a_bad_reply_gives_a_reason_and_the_next_request_a_value() {
    let right = || Ok(expected(1, 40, 2));
    let faults: Vec<Fault> = vec![
        ("damaged", |asked| changed(asked, 4), Err(ReadFault::Malformed), Some(Reject::Checksum)),
        ("unit damaged", |asked| changed(asked, 0), Err(ReadFault::Malformed), Some(Reject::Checksum)),
        (
            "another unit",
            |asked| Answer::After(0, framed(&[&[9], &good(asked)[1..7]].concat())),
            Err(ReadFault::Malformed),
            Some(Reject::Checksum),
        ),
        (
            "another function",
            |asked| Answer::After(0, framed(&[&[1, 4], &good(asked)[2..7]].concat())),
            Err(ReadFault::Malformed),
            Some(Reject::Checksum),
        ),
        (
            "another length",
            |asked| Answer::After(0, framed(&[&asked[..1], &[3, 2, 0, 7]].concat())),
            Err(ReadFault::Mismatch),
            Some(Reject::Content),
        ),
        (
            "cut short",
            |asked| Answer::After(0, good(asked)[..6].to_vec()),
            Err(ReadFault::Malformed),
            Some(Reject::Checksum),
        ),
        ("silent", |_| Answer::Silence, Err(ReadFault::Timeout), None),
        ("echo first", |asked| Answer::After(0, [asked, &good(asked)].concat()), right(), Some(Reject::Echo)),
        (
            "noise first",
            |asked| Answer::After(0, [&[0xFF, 0, 1, 3], good(asked).as_slice()].concat()),
            right(),
            Some(Reject::Noise),
        ),
        ("twice", |asked| Answer::After(0, [good(asked), good(asked)].concat()), right(), None),
        (
            "in pieces",
            |asked| {
                let reply = good(asked);
                let piece = |(at, byte): (u64, &u8)| (at * 3000, vec![*byte]);
                Answer::Runs((0..).zip(&reply).map(piece).collect())
            },
            right(),
            None,
        ),
    ];
    for (name, fault, outcome, reject) in faults {
        let mut first = true;
        let bus = Bus::start(FAST, move |asked| {
            if std::mem::replace(&mut first, false) { fault(asked) } else { Answer::After(0, good(asked)) }
        });
        let mut line = Line::new(&bus.endpoint());
        assert_eq!(read(&mut line, 1, 40, 2).await, outcome, "{name}");
        let counts = line.rejected.counts();
        if let Some(reject) = reject {
            assert_eq!(counts[reject as usize], 1, "{name}: {counts:?}");
        } else {
            assert_eq!(counts.iter().sum::<u64>(), 0, "{name}: {counts:?}");
        }
        assert_eq!(read(&mut line, 1, 80, 3).await, Ok(expected(1, 80, 3)), "{name}: the next request");
        while line.unsettled_until_us(1.into()).is_some() {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        assert_eq!(read(&mut line, 1, 40, 2).await, Ok(expected(1, 40, 2)), "{name}: the same again");
    }
}

#[tokio::test]
async fn b04_a_late_reply_is_never_taken_for_the_next_and_delays_no_other_unit() {
    // Unit 1 answers after up to three deadlines, always with the same length; unit 2 at once.
    let mut turn = 0_u64;
    let bus = Bus::start(FAST, move |asked| {
        turn += 1;
        let late_us = if asked[0] == 1 { turn % 4 * 60_000 } else { 0 };
        Answer::After(late_us, good(asked))
    });
    let mut line = Line::new(&bus.endpoint());
    let (mut good_ones, mut missed) = (0, 0);
    for round in 0..24_u16 {
        let address = 10 * round;
        match read(&mut line, 1, address, 2).await {
            Ok(words) => {
                assert_eq!(words, expected(1, address, 2));
                good_ones += 1;
            }
            Err(fault) => {
                assert!(matches!(fault, ReadFault::Timeout | ReadFault::Malformed), "{fault:?}");
                missed += 1;
            }
        }
        // A late reply may collide with the other unit's, as on a real line; it is never taken for it.
        for again in 0..3 {
            let begun = clock::uptime_us();
            match read(&mut line, 2, address, 2).await {
                Ok(words) => {
                    assert_eq!(words, expected(2, address, 2), "{again}");
                    break;
                }
                Err(fault) => assert_eq!(fault, ReadFault::Malformed),
            }
            assert!(clock::uptime_us() - begun < 60_000, "the other unit does not wait for a deadline");
        }
    }
    assert!(4 < good_ones && 4 < missed, "{good_ones} good, {missed} missed");
}

#[tokio::test]
async fn the_silence_between_frames_is_kept() {
    let slow = crate::field::options::SerialLine { baud: 19_200, ..FAST };
    let bus = Bus::start(slow, |asked| Answer::After(500, good(asked)));
    let mut line = Line::new(&bus.endpoint());
    for _ in 0..20 {
        assert!(read(&mut line, 1, 0, 4).await.is_ok());
    }
    let frames = line.frames().since(0);
    for pair in frames.windows(2).filter(|pair| !pair[0].sent && pair[1].sent) {
        let gap_us = pair[1].wall_us - pair[0].wall_us;
        assert!(slow.silence_us() <= gap_us + 50, "{gap_us} us");
    }
}

#[tokio::test]
async fn b25_an_echo_does_not_confirm_a_write() {
    let mut writes_answered = false;
    let bus = Bus::start(FAST, move |asked| {
        let mut bytes = asked.to_vec();
        if asked[1] == 3 || std::mem::replace(&mut writes_answered, true) {
            bytes.extend(good(asked));
        }
        Answer::After(0, bytes)
    });
    let mut line = Line::new(&bus.endpoint());
    assert!(read(&mut line, 1, 0, 1).await.is_ok());
    let coil = Write::Coil { address: 3, on: true };
    line.permit(vec![(1.into(), coil.clone()), (2.into(), coil.clone())]);
    assert_eq!(line.write(1, &coil, SHORT).await, Err(DriveFault::NoAnswer));
    assert_eq!(line.write(2, &coil, SHORT).await, Ok(()));
}

#[tokio::test]
async fn a_reply_from_another_unit_number_is_taken_where_the_profile_says_so() {
    let bus = Bus::start(FAST, |asked| {
        let reply = good(asked);
        Answer::After(0, framed(&[&[0x51], &reply[1..reply.len() - 2]].concat()))
    });
    let mut line = Line::new(&bus.endpoint());
    line.connect(SOON).await.unwrap();
    let station = Station::new(0x81, -0x30);
    assert!(line.read(station, Table::Holding, 0, 2, SHORT).await.is_ok());
    assert_eq!(line.read(0x81, Table::Holding, 0, 2, SHORT).await, Err(ReadFault::Malformed));
}

#[tokio::test]
async fn a_write_that_is_answered_at_once_is_confirmed_where_reads_showed_no_echo() {
    let bus = Bus::start(FAST, |asked| Answer::After(0, good(asked)));
    // The line is said to be slow and is not: the reply comes before the request could have left.
    let slow = crate::field::options::SerialLine { baud: 300, ..FAST };
    let endpoint = Endpoint::Serial { path: bus.path.clone(), line: slow, rs485: false };
    let mut line = Line::new(&endpoint);
    assert!(read(&mut line, 1, 0, 1).await.is_ok());
    let coil = Write::Coil { address: 3, on: true };
    line.permit(vec![(1.into(), coil.clone())]);
    assert_eq!(line.write(1, &coil, SHORT).await, Ok(()));
}

//! The rows of the fault matrix that a link must survive, by their numbers.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::io::{Read as _, Write as _};

use super::poll_tests::{Room, device, link, room};
use super::*;
use crate::field::options::{Endpoint, Parity, SerialLine};
use crate::field::scripted::{Act, Asked, Scripted};
use crate::field::scripted_bus::{Answer, Bus, FAST, framed, good};
use crate::safety::site::{PointId, SystemFault};
use crate::units::{Millis, Uptime};

const TWO: &str = "[[point]]\nname = \"r-{n}\"\ncount = 2\ntable = \"holding\"\naddress = 100\ntype = \"u16\"\nclass = \"fast\"\n";

fn serial(bus: &Bus, devices: Vec<crate::field::options::DeviceOptions>) -> LinkOptions {
    LinkOptions { endpoint: bus.endpoint(), ..link("", devices) }
}

/// One poll: its unit, when it was asked, and its values or the fault of the first.
struct Polled {
    unit: u32,
    asked: Uptime,
    taken: Uptime,
    values: Result<Vec<f64>, ReadFault>,
}

impl Room {
    async fn polled(&mut self) -> Polled {
        loop {
            let batch = self.batch().await;
            let Some(Input::Sampled { point: PointId(id), asked, taken, .. }) = batch.first() else {
                continue;
            };
            let value = |input: &Input| match input {
                Input::Sampled { result, .. } => result.map(crate::units::Value::get),
                other => panic!("{other:?}"),
            };
            let values = batch.iter().map(value).collect();
            return Polled { unit: id / 1000, asked: *asked, taken: *taken, values };
        }
    }

    /// Waits until the core is told of this fault; says how long it took.
    async fn told(&mut self, wanted: SystemFault) -> Millis {
        let begun = clock::uptime();
        loop {
            for input in self.batch().await {
                if let Input::System { fault, failing: true } = input
                    && fault == wanted
                {
                    return clock::uptime().since(begun);
                }
            }
            assert!(clock::uptime().since(begun) < Millis(30_000), "{wanted:?} was never told");
        }
    }
}

#[tokio::test]
async fn b01_mute_units_delay_no_poll_of_the_healthy_one() {
    const PERIOD: u64 = 250;
    let bus =
        Bus::start(FAST, |asked| if asked[0] == 9 { Answer::After(0, good(asked)) } else { Answer::Silence });
    let devices = (1..=16).map(|unit| device(unit, TWO, PERIOD)).collect();
    let mut room = room(vec![serial(&bus, devices)], 64);
    let (mut asked, mut polls) = (Vec::new(), 0);
    while asked.len() < 30 {
        let poll = room.polled().await;
        polls += 1;
        assert!(polls < 20_000);
        if poll.unit == 9 {
            assert!(poll.values.is_ok());
            asked.push(poll.asked.0);
        }
    }
    // After the first round, in which each is asked once, nothing delays it.
    let steady = &asked[16..];
    for pair in steady.windows(2) {
        let late = (pair[1] - pair[0]).abs_diff(PERIOD);
        assert!(late <= 50, "{late} ms late: {steady:?}");
    }
}

#[tokio::test]
async fn b02_a_reply_in_single_bytes_ends_at_the_deadline_of_the_whole() {
    let server = Scripted::start(|asked| Act::Every(Duration::from_millis(90), asked.good())).await;
    let mut room = room(vec![link(&server.address, vec![device(1, TWO, 50)])], 8);
    for _ in 0..3 {
        let poll = room.polled().await;
        assert_eq!(poll.values, Err(ReadFault::Timeout));
        let took = poll.taken.since(poll.asked);
        assert!(took <= Millis(150), "{took}");
    }
}

#[tokio::test]
async fn b03_b28_late_and_repeated_replies_are_never_taken_for_others() {
    let mut turn = 0_u64;
    let server = Scripted::start(move |asked| {
        turn += 1;
        match turn % 5 {
            0 => Act::After(Duration::from_millis(turn * 37 % 300), asked.good()),
            1 => Act::Send([asked.good(), asked.good()].concat()),
            _ => Act::Send(asked.good()),
        }
    })
    .await;
    let other =
        "[[point]]\nname = \"o\"\ntable = \"holding\"\naddress = 300\ntype = \"u32\"\nclass = \"fast\"\n";
    let devices = vec![device(1, TWO, 2), device(2, other, 2)];
    let mut room = room(vec![link(&server.address, devices)], 64);
    let (mut right, mut missed) = (0, 0);
    while right < 300 {
        let poll = room.polled().await;
        match poll.values {
            Ok(values) if poll.unit == 1 => assert_eq!(values, [100.0, 101.0]),
            Ok(values) => assert_eq!(values, [f64::from(300 * 65_536 + 301)]),
            Err(_) => {
                missed += 1;
                continue;
            }
        }
        right += 1;
    }
    assert!(3 < missed, "late replies were played: {missed}");
    assert!(3 < room.field.stats()[0].rejects[crate::field::frame::Reject::Late as usize]);
}

#[tokio::test]
async fn b05_a_reply_of_another_unit_is_dropped_and_the_right_one_still_taken() {
    let server = Scripted::start(|asked| {
        let mut other = asked.good();
        other[6] = other[6].wrapping_add(1);
        other[10] ^= 0x55;
        Act::Send([other, asked.good()].concat())
    })
    .await;
    let mut room = room(vec![link(&server.address, vec![device(1, TWO, 1)])], 64);
    for _ in 0..200 {
        assert_eq!(room.polled().await.values, Ok(vec![100.0, 101.0]));
    }
}

#[tokio::test]
async fn b06_a_gateway_that_breaks_transaction_ids_is_named_and_never_believed() {
    let server = Scripted::start(|asked| {
        let mut reply = asked.good();
        (reply[0], reply[1]) = (0xAB, 0xCD);
        Act::Send(reply)
    })
    .await;
    let mut room = room(vec![link(&server.address, vec![device(1, TWO, 50)])], 8);
    assert_eq!(room.polled().await.values, Err(ReadFault::Mismatch));
    assert!(room.told(SystemFault::GatewayIds).await < Millis(8000));
}

#[tokio::test]
async fn b08_b12_a_reply_cut_at_any_byte_is_no_value_and_the_next_poll_is_good() {
    for reset in [false, true] {
        for cut in 0..13 {
            let mut requests = 0;
            let server = Scripted::start(move |asked| {
                requests += 1;
                match (requests, reset) {
                    (1, false) => Act::Close(asked.good()[..cut].to_vec()),
                    (1, true) => Act::Reset(asked.good()[..cut].to_vec()),
                    _ => Act::Send(asked.good()),
                }
            })
            .await;
            let mut room = room(vec![link(&server.address, vec![device(1, TWO, 30)])], 8);
            let begun = clock::uptime();
            assert!(room.polled().await.values.is_err(), "{cut}");
            assert_eq!(room.polled().await.values, Ok(vec![100.0, 101.0]), "{cut}");
            let took = clock::uptime().since(begun);
            assert!(took < Millis(1000), "{took}");
        }
    }
}

#[tokio::test]
async fn b09_impossible_lengths_and_endless_streams_end_at_once() {
    let heads: [[u8; 4]; 4] = [[0, 0, 0, 0], [0, 0, 0, 1], [0, 0, 0, 255], [0, 0, 0xFF, 0xFF]];
    for head in heads {
        let server =
            Scripted::start(move |asked| Act::Endless([&asked.raw[..2], &head, &[1, 3]].concat())).await;
        let mut room = room(vec![link(&server.address, vec![device(1, TWO, 30)])], 8);
        for _ in 0..3 {
            let poll = room.polled().await;
            assert_eq!(poll.values, Err(ReadFault::Malformed), "{head:?}");
        }
    }
}

/// Flips a bit of one reply in so many.
fn noisy(every: u64) -> impl FnMut(&[u8]) -> Answer + Send {
    let mut turn = 0_u64;
    move |asked| {
        turn += 1;
        let mut reply = good(asked);
        if turn.is_multiple_of(every) {
            let at = usize::try_from(turn).unwrap() % reply.len();
            reply[at] ^= 0x20;
        }
        Answer::After(0, reply)
    }
}

#[tokio::test]
async fn b10_damaged_frames_cost_no_value_and_a_noisy_line_is_named() {
    let bus = Bus::start(FAST, noisy(100));
    let mut calm = room(vec![serial(&bus, vec![device(1, TWO, 5)])], 64);
    for _ in 0..500 {
        assert_eq!(calm.polled().await.values, Ok(vec![356.0, 357.0]), "asked again within the poll");
    }
    assert!(4 <= calm.field.stats()[0].retries);

    for every in [2, 10] {
        let bus = Bus::start(FAST, noisy(every));
        let mut loud = room(vec![serial(&bus, vec![device(1, TWO, 5)])], 64);
        let took = loud.told(SystemFault::LineNoise).await;
        assert!(took < Millis(20_000), "{took}");
    }
}

#[tokio::test]
async fn b11_no_exception_is_ever_a_value_and_a_busy_device_is_asked_again_soon() {
    for code in [1, 2, 3, 4, 5, 6, 8, 10, 11] {
        for table in ["coil", "discrete", "input", "holding"] {
            let encoding = if matches!(table, "coil" | "discrete") { "bool" } else { "u16" };
            let profile = format!(
                "[[point]]\nname = \"p\"\ntable = \"{table}\"\naddress = 1\ntype = \"{encoding}\"\nclass = \"fast\"\n"
            );
            let mut requests = 0;
            let server = Scripted::start(move |asked| {
                requests += 1;
                Act::Send(if requests == 1 { asked.exception(code) } else { asked.good() })
            })
            .await;
            let mut room = room(vec![link(&server.address, vec![device(1, &profile, 400)])], 8);
            let first = room.polled().await;
            assert_eq!(first.values, Err(ReadFault::Exception(code)), "{code} {table}");
            if matches!(code, 5 | 6) {
                let again = room.polled().await;
                assert_eq!(again.values, Ok(vec![1.0]));
                let wait = again.asked.since(first.taken);
                assert!((95..=200).contains(&wait.0), "{wait}");
            }
        }
    }
}

#[tokio::test]
async fn b15_a_device_that_allows_one_connection_never_refuses_one() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (refused, served) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let (counted, counting) = (Arc::clone(&refused), Arc::clone(&served));
    // One at a time; a second that is open at the same moment is counted. Every connection ends after a reply.
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            counting.fetch_add(1, Relaxed);
            let mut request = [0; 12];
            if stream.read_exact(&mut request).is_err() {
                continue;
            }
            listener.set_nonblocking(true).unwrap();
            if listener.accept().is_ok() {
                counted.fetch_add(1, Relaxed);
            }
            listener.set_nonblocking(false).unwrap();
            stream.write_all(&Asked { raw: request.to_vec() }.good()).unwrap();
        }
    });
    let mut room = room(vec![link(&address, vec![device(1, TWO, 2)])], 64);
    for _ in 0..200 {
        assert_eq!(room.polled().await.values, Ok(vec![100.0, 101.0]));
    }
    assert_eq!(refused.load(Relaxed), 0);
    assert!(200 <= served.load(Relaxed));
}

#[tokio::test]
async fn b16_a_device_that_starts_shows_nothing_until_it_has_settled() {
    let mut requests = 0;
    let server = Scripted::start(move |asked| {
        requests += 1;
        match requests {
            2 | 3 => Act::Reset(Vec::new()),
            4..=8 => Act::Send(asked.words(&[0, 0])),
            _ => Act::Send(asked.good()),
        }
    })
    .await;
    let mut settling = device(1, TWO, 40);
    Arc::get_mut(&mut settling.profile).unwrap().limits.settle = Millis(400);
    let mut room = room(vec![link(&server.address, vec![settling])], 64);
    assert_eq!(room.polled().await.values, Ok(vec![100.0, 101.0]));
    let mut withheld = 0;
    loop {
        match room.polled().await.values {
            Ok(values) => {
                assert_eq!(values, [100.0, 101.0], "zeros are not values");
                break;
            }
            Err(ReadFault::NotInService) => withheld += 1,
            Err(fault) => {
                assert!(matches!(fault, ReadFault::Disconnected | ReadFault::Malformed), "{fault:?}");
            }
        }
    }
    assert!(5 <= withheld, "{withheld}");
}

#[tokio::test]
async fn b17_a_map_shorter_than_its_profile_costs_the_missing_points_alone() {
    let server = Scripted::start(|asked| {
        let end = asked.address() + asked.count();
        Act::Send(if 106 < end { asked.exception(2) } else { asked.good() })
    })
    .await;
    let ten = TWO.replace("count = 2", "count = 10");
    let mut room = room(vec![link(&server.address, vec![device(1, &ten, 20)])], 8);
    for round in 0..3 {
        for (at, input) in room.batch().await.into_iter().enumerate() {
            let Input::Sampled { result, .. } = input else { panic!("{input:?}") };
            assert_eq!(result.is_ok(), at < 6, "round {round}, point {at}: {result:?}");
        }
    }
}

#[tokio::test]
async fn b25_a_second_master_is_named() {
    let bus = Bus::start(FAST, |asked| {
        // The other master's question to unit 3 and its answer pass after every reply of ours.
        let theirs = [framed(&[3, 3, 0, 0, 0, 1]), framed(&[3, 3, 2, 0, 9])].concat();
        Answer::Runs(vec![(0, good(asked)), (4000, theirs)])
    });
    let mut room = room(vec![serial(&bus, vec![device(1, TWO, 20)])], 64);
    let took = room.told(SystemFault::BusContention).await;
    assert!(took < Millis(5000), "{took}");
    for _ in 0..50 {
        if let Ok(values) = room.polled().await.values {
            assert_eq!(values, [356.0, 357.0]);
        }
    }
}

#[tokio::test]
async fn b26_a_serial_port_that_goes_and_comes_back_is_opened_by_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let name = folder.path().join("by-id");
    let bus = Bus::start(FAST, |asked| Answer::After(0, good(asked)));
    std::os::unix::fs::symlink(&bus.path, &name).unwrap();
    let endpoint = Endpoint::Serial { path: name.clone(), line: FAST, rs485: false };
    let mut room = room(vec![LinkOptions { endpoint, ..link("", vec![device(1, TWO, 50)]) }], 64);
    assert_eq!(room.polled().await.values, Ok(vec![356.0, 357.0]));
    std::fs::remove_file(&name).unwrap();
    drop(bus);
    while room.polled().await.values != Err(ReadFault::Disconnected) {}
    // Another minor number, the same name.
    let bus = Bus::start(FAST, |asked| Answer::After(0, good(asked)));
    std::os::unix::fs::symlink(&bus.path, &name).unwrap();
    let back = clock::uptime();
    while room.polled().await.values.is_err() {}
    let took = clock::uptime().since(back);
    assert!(took < Millis(5000), "{took}");
}

#[tokio::test]
async fn b27_a_line_at_the_wrong_rate_gives_no_value_and_is_named() {
    let bus = Bus::start(FAST, |asked| {
        let garbled = good(asked).iter().map(|byte| byte.rotate_left(3) ^ 0xE7).collect();
        Answer::After(0, garbled)
    });
    let mut room = room(vec![serial(&bus, vec![device(1, TWO, 50)])], 64);
    let took = room.told(SystemFault::LineNoise).await;
    assert!(took < Millis(30_000), "{took}");
    let asked = bus.asked().len();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let more = bus.asked().len() - asked;
    assert!(more <= 70, "no spin: {more} requests in a second");
}

#[tokio::test]
async fn b13_a_link_that_dies_without_a_word_is_back_soon_after_it_heals() {
    let dead = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let is_dead = Arc::clone(&dead);
    let server = Scripted::start(
        move |asked| {
            if is_dead.load(Relaxed) { Act::Silence } else { Act::Send(asked.good()) }
        },
    )
    .await;
    let mut room = room(vec![link(&server.address, vec![device(1, TWO, 100)])], 64);
    assert!(room.polled().await.values.is_ok());
    dead.store(true, Relaxed);
    while room.polled().await.values.is_ok() {}
    tokio::time::sleep(Duration::from_secs(3)).await;
    while room.heard.try_recv().is_ok() {}
    dead.store(false, Relaxed);
    let healed = clock::uptime();
    while room.polled().await.values.is_err() {}
    let took = clock::uptime().since(healed);
    assert!(took < Millis(2000), "{took}");
}

#[tokio::test]
async fn a_slow_line_is_read_at_its_own_pace() {
    let slow = SerialLine { baud: 19_200, parity: Parity::None, stop_bits: 1 };
    let bus = Bus::start(slow, |asked| Answer::After(2000, good(asked)));
    let mut room = room(vec![serial(&bus, vec![device(1, TWO, 1), device(2, TWO, 1)])], 64);
    for _ in 0..30 {
        let poll = room.polled().await;
        let unit = f64::from(poll.unit * 256);
        assert_eq!(poll.values, Ok(vec![100.0 + unit, 101.0 + unit]));
    }
}

#[tokio::test]
async fn b14_a_connection_that_is_never_answered_ends_in_time_and_delays_no_other_link() {
    // A listener whose queue is full: further attempts are dropped without a word.
    let full =
        rustix::net::socket(rustix::net::AddressFamily::INET, rustix::net::SocketType::STREAM, None).unwrap();
    let any: std::net::SocketAddr = "127.0.0.1:0".parse().unwrap();
    rustix::net::bind(&full, &any).unwrap();
    rustix::net::listen(&full, 0).unwrap();
    let address: std::net::SocketAddr = rustix::net::getsockname(&full).unwrap().try_into().unwrap();
    let mut queued = Vec::new();
    for _ in 0..4 {
        let attempt = tokio::net::TcpStream::connect(address);
        queued.extend(tokio::time::timeout(Duration::from_millis(100), attempt).await.ok());
    }
    let server = Scripted::start(|asked| Act::Send(asked.good())).await;
    let dark = link(&address.to_string(), vec![device(1, TWO, 100)]);
    let mut room = room(vec![dark, link(&server.address, vec![device(2, TWO, 100)])], 64);
    let (mut asked, mut refused) = (Vec::new(), 0);
    while asked.len() < 20 || refused < 2 {
        let poll = room.polled().await;
        match poll.values {
            Ok(_) => asked.push(poll.asked.0),
            Err(fault) => {
                assert_eq!((poll.unit, fault), (1, ReadFault::Disconnected));
                refused += 1;
            }
        }
        assert!(asked.len() < 1000, "the attempt ends at its time-out");
    }
    for pair in asked.windows(2) {
        assert!((pair[1] - pair[0]).abs_diff(100) <= 50, "{asked:?}");
    }
}

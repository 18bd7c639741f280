//! Measurements over TCP.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use emberwatch::clock;
use emberwatch::field::Field;
use emberwatch::field::options::Endpoint;
use emberwatch::field::profile::Profile;
use emberwatch::safety::fact::{Input, Order, OrderId};
use emberwatch::safety::sequence::RunId;
use emberwatch::safety::site::{ActionId, SequenceId};
use emberwatch::units::{Millis, Uptime};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::plant::{Manner, Servers, device, link, profile};
use crate::{lateness, percentile, processor_s};

const DEVICES: usize = 8;
const REGISTERS: u16 = 10;
const MEASURED_S: u64 = 5;

fn at(port: u16) -> Endpoint {
    Endpoint::tcp(format!("127.0.0.1:{port}"))
}

/// Reads per second and processor time per read, beside a bare C loop.
pub(crate) async fn against_libmodbus() {
    let servers = Servers::start(DEVICES, Manner::Prompt);
    let loop_in_c = build_loop();
    let profile = profile(50, REGISTERS);
    let mut ratios = Vec::new();
    println!(
        "tcp: {DEVICES} devices, {REGISTERS} registers a read, one request in flight each, {MEASURED_S} s a turn"
    );
    for turn in 1..=3 {
        let ports: Vec<String> = servers.ports.iter().map(ToString::to_string).collect();
        let mut beside = Command::new(&loop_in_c);
        beside.arg(MEASURED_S.to_string()).arg(REGISTERS.to_string()).args(&ports);
        let out = beside.output().unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        let out = String::from_utf8(out.stdout).unwrap();
        let (reads, cpu) = out.trim().split_once(' ').unwrap();
        let (c_reads, c_cpu): (f64, f64) = (reads.parse().unwrap(), cpu.parse().unwrap());
        let (ours, our_cpu) = read_for(&servers, &profile).await;
        #[expect(clippy::cast_precision_loss, reason = "a figure")]
        let (c_rate, rate) = (c_reads / MEASURED_S as f64, ours / MEASURED_S as f64);
        let (c_each, each) = (c_cpu * 1e6 / c_reads, our_cpu * 1e6 / ours);
        println!(
            "  turn {turn}: libmodbus {c_rate:.0} reads/s at {c_each:.1} us, emberwatch {rate:.0} reads/s at {each:.1} us: \
             {:.2} x the reads, {:.2} x the processor time per read",
            rate / c_rate,
            each / c_each
        );
        ratios.push((rate / c_rate, each / c_each));
    }
    ratios.sort_by(|a, b| a.0.total_cmp(&b.0));
    println!(
        "  median {:.2} x the reads (goal >= 0.7), {:.2} x the processor time (goal <= 1.3)",
        ratios[1].0, ratios[1].1
    );
}

fn build_loop() -> std::path::PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/field/libmodbus_loop.c");
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("libmodbus_loop");
    let mut compiler = Command::new("cc");
    compiler.args(["-O2", "-o"]).arg(&program).arg(source).args(["-lmodbus", "-lpthread"]);
    assert!(
        compiler.status().is_ok_and(|status| status.success()),
        "needs cc and libmodbus: apt-get install build-essential libmodbus-dev"
    );
    program
}

/// Polls for as long as is measured: (reads, processor seconds).
async fn read_for(servers: &Servers, profile: &Arc<Profile>) -> (f64, f64) {
    let devices = servers.ports.iter().enumerate();
    let links = devices.map(|(number, port)| {
        link(format!("l{number}"), at(*port), Millis(1000), vec![device(number, 1, profile, Millis(1))])
    });
    let (inbox, mut heard) = mpsc::channel(1024);
    let stop = CancellationToken::new();
    let field = Field::spawn(links.collect(), inbox, stop.clone());
    let drain = tokio::spawn(async move { while heard.recv().await.is_some() {} });
    let requests = |field: &Field| field.stats().iter().map(|stats| stats.requests).sum::<u64>();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let (before, cpu) = (requests(&field), processor_s());
    tokio::time::sleep(Duration::from_secs(MEASURED_S)).await;
    let (after, used) = (requests(&field), processor_s() - cpu);
    let failed: u64 = field.stats().iter().map(|stats| stats.timeouts).sum();
    assert_eq!(failed, 0, "no reply is missing");
    stop.cancel();
    drain.abort();
    #[expect(clippy::cast_precision_loss, reason = "a figure")]
    ((after - before) as f64, used)
}

/// Ten silent and five refusing devices among forty.
pub(crate) async fn silent_devices() {
    const PERIOD: u64 = 1000;
    let prompt = Servers::start(25, Manner::Prompt);
    let silent = Servers::start(10, Manner::Silent);
    let refusing = Servers::start(5, Manner::Prompt);
    let refused = refusing.ports.clone();
    drop(refusing);
    let profile = profile(1, 100);
    let ports = prompt.ports.iter().chain(&silent.ports).chain(&refused);
    let links = ports.enumerate().map(|(number, port)| {
        link(format!("l{number}"), at(*port), Millis(500), vec![device(number, 1, &profile, Millis(PERIOD))])
    });
    let (mut asked, _) = poll_for(links.collect(), 25, 30).await;
    let mut late: Vec<u64> = asked.iter_mut().flat_map(|of_device| lateness(of_device, PERIOD)).collect();
    let missed: usize = asked.iter().map(|of_device| 29_usize.saturating_sub(of_device.len())).sum();
    println!(
        "silent: 40 TCP devices, 10 silent, 5 refusing, 30 s: lateness of the other 25 p50 {} ms, p99 {} ms (goal <= 20), max {} ms; {missed} polls missed",
        percentile(&mut late, 0.5),
        percentile(&mut late, 0.99),
        percentile(&mut late, 1.0),
    );
}

/// Runs links for so many seconds: when the first devices were asked for the values that came, and how many
/// values were wrong.
pub(crate) async fn poll_for(
    links: Vec<emberwatch::field::options::LinkOptions>,
    devices: usize,
    seconds: u64,
) -> (Vec<Vec<u64>>, u64) {
    let (inbox, mut heard) = mpsc::channel(1024);
    let stop = CancellationToken::new();
    let _field = Field::spawn(links, inbox, stop.clone());
    let mut asked = vec![Vec::new(); devices];
    let until = clock::uptime().plus(Millis::from_secs(seconds));
    let mut bad = 0;
    while clock::uptime() < until {
        let Ok(Some(batch)) = tokio::time::timeout(Duration::from_millis(100), heard.recv()).await else {
            continue;
        };
        if let Some(Input::Sampled { point, asked: when, result, .. }) = batch.first() {
            let number = point.0 as usize / 4096;
            match asked.get_mut(number) {
                Some(of_device) if result.is_ok() => of_device.push(when.0),
                Some(_) => bad += 1,
                None => {}
            }
        }
    }
    stop.cancel();
    (asked, bad)
}

/// Whether a value is the one asked for, and not older than its question.
pub(crate) fn is_right(register: u16, asked: Uptime, taken: Uptime, value: f64) -> bool {
    if register.is_multiple_of(2) {
        return (value - f64::from(register)).abs() < 0.5;
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "sixteen bits")]
    let said = u64::from(value as u16);
    let age = (taken.0.wrapping_sub(said)) & 0xFFFF;
    age <= taken.since(asked).0 + 1
}

/// A million polls with late replies.
pub(crate) async fn late_replies() {
    const LINKS: usize = 200;
    const WANTED: u64 = 1_000_000;
    let servers = Servers::start(LINKS, Manner::Late(60));
    let profile = profile(1, 4);
    let devices = servers.ports.iter().enumerate();
    let links = devices.map(|(number, port)| {
        link(format!("l{number}"), at(*port), Millis(20), vec![device(number, 1, &profile, Millis(1))])
    });
    count_wrong("late: TCP", links.collect(), WANTED).await;
}

/// Polls until so many requests came to an end; prints what was right, missing and wrong.
pub(crate) async fn count_wrong(
    name: &str,
    links: Vec<emberwatch::field::options::LinkOptions>,
    wanted: u64,
) {
    let (inbox, mut heard) = mpsc::channel(1024);
    let stop = CancellationToken::new();
    let field = Field::spawn(links, inbox, stop.clone());
    let (mut polls, mut right, mut wrong, begun) = (0_u64, 0_u64, 0_u64, clock::uptime());
    let mut told = 0;
    while polls < wanted {
        let batch = heard.recv().await.unwrap();
        // What a unit in back-off was not asked for is no poll.
        polls = field.stats().iter().map(|stats| stats.requests).sum();
        let mut good = true;
        for input in &batch {
            let Input::Sampled { point, asked, taken, result } = input else { continue };
            let register = u16::try_from(point.0 % 4096).unwrap();
            match result {
                Ok(value) if is_right(register, *asked, *taken, value.get()) => {}
                Ok(_) => wrong += 1,
                Err(_) => good = false,
            }
        }
        right += u64::from(good);
        if told < polls * 10 / wanted {
            told = polls * 10 / wanted;
            println!("  {name}: {polls} of {wanted} polls, {} s", clock::uptime().since(begun).0 / 1000);
        }
    }
    let rejected: u64 = field.stats().iter().flat_map(|stats| stats.rejects).sum();
    stop.cancel();
    println!(
        "{name}: {polls} requests in {} s with replies up to three time-outs late: {right} good, {} missed, {rejected} times bytes rejected, {wrong} wrong values (goal 0)",
        clock::uptime().since(begun).0 / 1000,
        polls.saturating_sub(right)
    );
}

const BREAKER: &str = "id = \"b\"\nvendor = \"v\"\nmodels = []\nkind = \"contact\"\nsource = \"a measurement\"\n\
    [[point]]\nname = \"r-{n}\"\ntable = \"holding\"\naddress = 0\ntype = \"u16\"\nclass = \"fast\"\ncount = 100\n\
    [[action]]\nname = \"trip\"\ntable = \"holding\"\naddress = 7\nvalue = 1\noutput = \"pulse\"\n";

/// Orders while the link polls as fast as it can.
pub(crate) async fn orders() {
    let servers = Servers::start(1, Manner::Prompt);
    let endpoint = at(servers.ports[0]);
    give_orders("order: TCP at full load", endpoint, 1000, Millis(1)).await;
}

/// Gives orders at odd moments and prints how long each took to its first frame.
pub(crate) async fn give_orders(name: &str, endpoint: Endpoint, rounds: u32, period: Millis) {
    let profile = Arc::new(Profile::parse(BREAKER, "breaker").unwrap());
    let mut breaker = device(0, 1, &profile, period);
    breaker.actions.push((ActionId(1), "trip".to_owned()));
    let (inbox, mut heard) = mpsc::channel(1024);
    let stop = CancellationToken::new();
    let field =
        Field::spawn(vec![link("l".to_owned(), endpoint, Millis(1000), vec![breaker])], inbox, stop.clone());
    let frames = field.frames("l").unwrap();
    let mut took = Vec::new();
    for round in 0..rounds {
        let odd = Duration::from_micros(u64::from(round) * 7919 % 5000);
        let until = tokio::time::Instant::now() + Duration::from_millis(3) + odd;
        while tokio::time::timeout_at(until, heard.recv()).await.is_ok() {}
        let (next, begun) = (frames.next(), clock::wall_us());
        field.order(Order {
            id: OrderId(u64::from(round)),
            run: RunId(1),
            sequence: SequenceId(0),
            stage: 0,
            action: ActionId(1),
            attempt: 1,
            answer_by: clock::uptime().plus(Millis(5000)),
        });
        loop {
            let batch = heard.recv().await.unwrap();
            if batch.iter().any(|input| matches!(input, Input::Answered { .. })) {
                break;
            }
        }
        let is_write = |bytes: &[u8]| bytes.get(7) == Some(&6) || bytes.get(1) == Some(&6);
        let frame = frames.since(next).into_iter().find(|frame| frame.sent && is_write(&frame.bytes));
        took.push(frame.expect("the order left").wall_us.saturating_sub(begun));
    }
    stop.cancel();
    println!(
        "{name}, {rounds} orders: to the first frame p50 {} us, p99 {} us, max {} us",
        percentile(&mut took, 0.5),
        percentile(&mut took, 0.99),
        percentile(&mut took, 1.0)
    );
}

/// A hundred thousand points each second.
pub(crate) async fn many_points() {
    const LINKS: usize = 100;
    const SECONDS: u64 = 30;
    let servers = Servers::start(LINKS, Manner::Prompt);
    let profile = profile(8, 125);
    let devices = servers.ports.iter().enumerate();
    let links = devices.map(|(number, port)| {
        link(format!("l{number}"), at(*port), Millis(500), vec![device(number, 1, &profile, Millis(1000))])
    });
    let (inbox, mut heard) = mpsc::channel(1024);
    let stop = CancellationToken::new();
    let field = Field::spawn(links.collect(), inbox, stop.clone());
    let counting = tokio::spawn(async move {
        let mut good = 0_u64;
        while let Some(batch) = heard.recv().await {
            good += batch.iter().filter(|input| matches!(input, Input::Sampled { result: Ok(_), .. })).count()
                as u64;
        }
        good
    });
    tokio::time::sleep(Duration::from_secs(2)).await;
    let cpu = processor_s();
    tokio::time::sleep(Duration::from_secs(SECONDS)).await;
    let used = processor_s() - cpu;
    let stats = field.stats();
    let late: u64 = stats.iter().map(|stats| stats.late_cycles).sum();
    let polls: u64 = stats.iter().map(|stats| stats.polls).sum();
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let memory = status.lines().find(|line| line.starts_with("VmHWM")).unwrap().to_owned();
    stop.cancel();
    drop(field);
    let good = counting.await.unwrap();
    #[expect(clippy::cast_precision_loss, reason = "a figure")]
    let share = used / SECONDS as f64 * 100.0;
    println!(
        "points: {LINKS} devices of 1,000 points at 1 s for {SECONDS} s, field and decoding: {polls} polls, {good} values, {late} late cycles (goal 0), {share:.1} % of a core (goal <= 100), {memory}"
    );
}

//! Measurements on serial lines: pseudo terminals paced as a real line is.

use std::sync::Arc;

use emberwatch::field::options::{Parity, SerialLine};
use emberwatch::field::profile::Profile;
use emberwatch::units::Millis;

use crate::bus::{Answer, Bus, framed};
use crate::plant::{device, link, profile, registers};
use crate::tcp::{count_wrong, give_orders, poll_for};
use crate::{lateness, percentile};

const TURNAROUND_US: u64 = 5000;

fn line(baud: u32) -> SerialLine {
    SerialLine { baud, parity: Parity::None, stop_bits: 1 }
}

/// What a good device answers.
fn reply(request: &[u8]) -> Vec<u8> {
    let word = |at: usize| u16::from_be_bytes([request[at], request[at + 1]]);
    if request[1] != 3 {
        return framed(&request[..6]);
    }
    let mut body = vec![request[0], 3, u8::try_from(2 * word(4)).unwrap()];
    body.extend(registers(word(2), word(4)).flat_map(u16::to_be_bytes));
    framed(&body)
}

/// What a cycle takes at least: bytes of requests and replies, turnarounds, and the silence between frames.
fn minimum_us(line: SerialLine, units: u64, profile: &Profile) -> u64 {
    let blocks = profile.points.len() as u64 / 40;
    let request = line.bytes_us(8) + line.bytes_us(5 + 2 * 40) + TURNAROUND_US + line.silence_us();
    units * blocks * request
}

/// The cycle of sixteen units of 40 registers, polled without a pause.
pub(crate) async fn cycles() {
    for baud in [9600, 19_200] {
        let line = line(baud);
        let profile = profile(1, 40);
        let bus = Bus::start(line, |request| Answer::After(TURNAROUND_US, reply(request)));
        let units = (0..16).map(|unit| device(unit, u8::try_from(unit + 1).unwrap(), &profile, Millis(1)));
        let links = vec![link("l".to_owned(), bus.endpoint(), Millis(500), units.collect())];
        let (asked, bad) = poll_for(links, 16, 30).await;
        let minimum = minimum_us(line, 16, &profile);
        let cycle = cycle_us(&asked[3]);
        println!(
            "rtu: 16 units of 40 registers at {baud} baud: cycle {:.1} ms, theoretical minimum {:.1} ms: {:.3} x (goal <= 1.03), {bad} polls without values",
            ms(cycle),
            ms(minimum),
            ratio(cycle, minimum),
        );
    }
}

/// The mean time between two polls of a unit, without the first.
fn cycle_us(asked: &[u64]) -> u64 {
    let steady = asked.get(3..).unwrap_or(&[]);
    match (steady.first(), steady.last()) {
        (Some(first), Some(last)) if first < last => (last - first) * 1000 / (steady.len() as u64 - 1),
        _ => 0,
    }
}

#[expect(clippy::cast_precision_loss, reason = "a figure")]
fn ms(us: u64) -> f64 {
    us as f64 / 1000.0
}

#[expect(clippy::cast_precision_loss, reason = "a figure")]
fn ratio(a: u64, b: u64) -> f64 {
    a as f64 / b as f64
}

/// What the living feel of the dead.
pub(crate) async fn dead_units() {
    let line = line(19_200);
    let profile = profile(1, 40);
    let living_only = Bus::start(line, |request| Answer::After(TURNAROUND_US, reply(request)));
    let alive = |unit: &u8| *unit != 5 && *unit != 11;
    let units: Vec<u8> = (1..=16).collect();
    let devices = |units: &mut dyn Iterator<Item = u8>| {
        units.enumerate().map(|(at, unit)| device(at, unit, &profile, Millis(1))).collect::<Vec<_>>()
    };
    let alone = devices(&mut units.iter().copied().filter(alive));
    let links = vec![link("l".to_owned(), living_only.endpoint(), Millis(500), alone)];
    let (asked, _) = poll_for(links, 14, 30).await;
    let own = cycle_us(&asked[2]);
    drop(living_only);
    let bus = Bus::start(line, move |request| {
        if alive(&request[0]) { Answer::After(TURNAROUND_US, reply(request)) } else { Answer::Silence }
    });
    let links = vec![link("l".to_owned(), bus.endpoint(), Millis(500), devices(&mut units.iter().copied()))];
    let (asked, _) = poll_for(links, 16, 60).await;
    let with_dead = cycle_us(&asked[2]);
    println!(
        "dead: 2 of 16 units dead at 19200 baud: cycle of the living {:.1} ms, without the dead {:.1} ms: {:.3} x (goal <= 1.05)",
        ms(with_dead),
        ms(own),
        ratio(with_dead, own),
    );
    one_of_many(line, &profile).await;
}

async fn one_of_many(line: SerialLine, profile: &Arc<Profile>) {
    const PERIOD: u64 = 1000;
    let bus = Bus::start(line, |request| {
        if request[0] == 7 { Answer::After(TURNAROUND_US, reply(request)) } else { Answer::Silence }
    });
    let units = (1..=32).map(|unit| device(unit - 1, u8::try_from(unit).unwrap(), profile, Millis(PERIOD)));
    let links = vec![link("l".to_owned(), bus.endpoint(), Millis(500), units.collect())];
    let (asked, missed) = poll_for(links, 7, 90).await;
    let _ = missed;
    // The first round asks everybody once: it is not counted.
    let steady = &asked[6][asked[6].len().min(30)..];
    let mut late = lateness(steady, PERIOD);
    let tries = bus.asked().iter().filter(|(_, request)| request[0] != 7).count();
    println!(
        "dead: 31 of 32 units dead at 19200 baud: lateness of the living p50 {} ms, p99 {} ms (goal <= 50), max {} ms of {} polls; {tries} tries of the dead",
        percentile(&mut late, 0.5),
        percentile(&mut late, 0.99),
        percentile(&mut late, 1.0),
        late.len(),
    );
    let frames = bus.asked();
    drop(frames);
}

/// A hundred thousand polls with late replies, on many lines at once.
pub(crate) async fn late_replies() {
    const LINES: usize = 40;
    let profile = profile(1, 4);
    let mut chance = 1_u64;
    let buses: Vec<Bus> = (0..LINES)
        .map(|_| {
            Bus::start(line(115_200), move |request| {
                chance =
                    chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let late_us = if (chance >> 33).is_multiple_of(3) { (chance >> 40) % 60_000 } else { 0 };
                Answer::After(late_us, reply(request))
            })
        })
        .collect();
    let links = buses.iter().enumerate().map(|(number, bus)| {
        let units = [1, 2].map(|unit| device(2 * number + usize::from(unit), unit, &profile, Millis(5)));
        link(format!("l{number}"), bus.endpoint(), Millis(20), units.to_vec())
    });
    count_wrong("late: RTU", links.collect(), 100_000).await;
}

/// Orders on a line that polls without a pause.
pub(crate) async fn orders() {
    for baud in [9600, 19_200] {
        let line = line(baud);
        let bus = Bus::start(line, |request| Answer::After(TURNAROUND_US, reply(request)));
        let frame = line.bytes_us(8) + TURNAROUND_US + line.bytes_us(205) + 2 * line.silence_us();
        println!("  (a poll of 100 registers takes {:.1} ms at {baud} baud)", ms(frame));
        give_orders(&format!("order: RTU at {baud} baud at full load"), bus.endpoint(), 60, Millis(1)).await;
    }
}

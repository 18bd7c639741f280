//! The daemon, killed at every system call of a cut: it always starts again, forgets no run and no alarm, skips no
//! stage, and pulses nothing twice.
//!
//! A point is a shape of sequence, a system call and its number: `strace` kills the daemon as one of its threads is about
//! to make that call for that time, counted from just before the fire. Which calls there are is found by a run of each
//! shape that nobody kills. Where no process may be traced it is killed at times instead, and the test says so. Then the
//! daemon is started again, beside the same box, and judged by what the box saw.
//!
//! `cargo test --test kill` plays a sample. All points, again and again until there were so many, with progress and a
//! table: `EMBERWATCH_KILLS=10000 cargo test --test kill -- --nocapture`.

#![expect(clippy::print_stdout, reason = "the table of a campaign is what it is for")]

mod faults;
mod plant;
mod point;
mod shape;
mod tracer;

use std::fmt::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use emberwatch::clock;
use emberwatch::units::Millis;

use point::{Outcome, Point};
use shape::Shape;

/// Points of a normal test run.
const SAMPLE: usize = 60;
/// How many daemons are killed side by side. They mostly wait.
const SIDE_BY_SIDE: usize = 8;
/// How often progress is told.
const TOLD_EVERY: usize = 100;

#[test]
fn p01_p02_killed_at_any_system_call_of_a_cut_it_goes_on_where_it_stood() {
    let asked: Option<usize> = std::env::var("EMBERWATCH_KILLS").ok().and_then(|count| count.parse().ok());
    let kills = asked.unwrap_or(SAMPLE);
    let all: Vec<Point> = Shape::ALL.into_iter().flat_map(point::points_of).collect();
    assert!(Shape::ALL.len() * 30 < all.len(), "only {} points", all.len());
    // A sample is spread over all of them; a campaign plays each, and then all again.
    let chosen: Vec<Point> =
        (0..kills).map(|index| all[(index * all.len() / kills.min(all.len())) % all.len()].clone()).collect();
    let (next, begun) = (AtomicUsize::new(0), clock::uptime());
    let outcomes: Mutex<Vec<(Point, Result<Outcome, String>)>> = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..SIDE_BY_SIDE {
            scope.spawn(|| {
                while let Some(point) = chosen.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let outcome = point.play();
                    let mut outcomes = outcomes.lock().expect("nobody panics with it");
                    outcomes.push((point.clone(), outcome));
                    if asked.is_some() && outcomes.len().is_multiple_of(TOLD_EVERY) {
                        tell(outcomes.len(), kills, clock::uptime().since(begun));
                    }
                }
            });
        }
    });
    let outcomes = outcomes.into_inner().expect("nobody panics with it");
    println!("{}", table(&outcomes, all.len()));
    let failures: Vec<String> = outcomes
        .iter()
        .filter_map(|(point, outcome)| Some(format!("{point}: {}", outcome.as_ref().err()?)))
        .collect();
    assert!(failures.is_empty(), "{} points failed\n{}", failures.len(), failures.join("\n"));
    let killed = outcomes.iter().filter(|(_, outcome)| outcome.as_ref().is_ok_and(|it| it.killed)).count();
    assert!(kills / 2 < killed, "only {killed} of {kills} were killed before the cut was done");
}

fn tell(done: usize, of: usize, took: Millis) {
    let left = Millis(took.0 / done as u64 * (of - done) as u64);
    println!("{done} of {of} points, {took} so far, about {left} left");
}

fn table(outcomes: &[(Point, Result<Outcome, String>)], all: usize) -> String {
    let mut text = format!(
        "{:14} {:>6} {:>7} {:>7} {:>12} {:>12} {:>12}\n",
        "shape", "points", "killed", "failed", "polls p50", "polls max", "resumed max"
    );
    for shape in Shape::ALL {
        let of: Vec<_> = outcomes.iter().filter(|(point, _)| point.shape == shape).collect();
        let good: Vec<&Outcome> = of.iter().filter_map(|(_, outcome)| outcome.as_ref().ok()).collect();
        let mut polls: Vec<Millis> = good.iter().map(|outcome| outcome.polls_after).collect();
        polls.sort();
        let resumed = good.iter().filter(|outcome| outcome.killed).map(|outcome| outcome.over_after).max();
        let cell = |time: Option<Millis>| time.map_or("-".into(), |time| format!("{} ms", time.0));
        let _ = writeln!(
            text,
            "{:14} {:>6} {:>7} {:>7} {:>12} {:>12} {:>12}",
            shape.name(),
            of.len(),
            good.iter().filter(|outcome| outcome.killed).count(),
            of.len() - good.len(),
            cell(polls.get(polls.len() / 2).copied()),
            cell(polls.last().copied()),
            cell(resumed),
        );
    }
    text + &format!(
        "{all} different points: each system call of each shape's cut, up to {} seen",
        tracer::CALLS_MAX
    )
}

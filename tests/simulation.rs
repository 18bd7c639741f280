//! Thousands of room-hours around the real core, with the invariants of the safety chapter after every scan.
//!
//! `EMBERWATCH_SIM_SEED=17 cargo test --test simulation` plays one seed again, in both kinds of run.
//! `EMBERWATCH_SIM_HOURS=100000 cargo test --test simulation` plays that many room-hours.

#![expect(clippy::print_stdout, reason = "the summary of a simulation is what it is for")]

#[path = "support/sim/mod.rs"]
mod sim;

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::sim::dice::Dice;
use crate::sim::game::{Game, Kind, Score, hours};

/// Room-hours in a normal test run.
const HOURS: u64 = 2000;
/// How long one run lasts.
const RUN_MS: u64 = 2 * 3_600_000;
/// How many run side by side.
const THREADS: u64 = 2;

/// Seeds that failed once, and what they found. They are played first, for ever.
const ONCE_FAILED: &[u64] = &[9, 13, 15, 6, 26, 54, 145, 375, 435, 60, 130, 188, 105];

fn env(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Plays one seed; a breach or a panic in the core names the seed.
fn play(seed: u64, kind: Kind) -> Result<Score, String> {
    let replay = format!("EMBERWATCH_SIM_SEED={seed} cargo test --test simulation");
    match catch_unwind(AssertUnwindSafe(|| Game::new(seed, kind).play(RUN_MS))) {
        Ok(Ok(score)) => Ok(score),
        Ok(Err(why)) => Err(format!("seed {seed} ({kind:?}): {why}\n    replay: {replay}")),
        Err(_) => Err(format!("seed {seed} ({kind:?}): the core panicked\n    replay: {replay}")),
    }
}

/// Plays seeds until so many room-hours have passed, on all threads; stops early once something is found.
fn campaign(kind: Kind, room_ms: u64, first_seed: u64) -> (Score, Vec<String>) {
    let part = move |thread: u64| {
        let (mut total, mut failures) = (Score::default(), Vec::new());
        let mut seed = first_seed + thread;
        while total.room_ms < room_ms / THREADS && failures.len() < 3 {
            match play(seed, kind) {
                Ok(score) => total.add(score),
                Err(why) => failures.push(why),
            }
            seed += THREADS;
        }
        (total, failures)
    };
    let threads: Vec<_> = (0..THREADS).map(|thread| std::thread::spawn(move || part(thread))).collect();
    let (mut total, mut failures) = (Score::default(), Vec::new());
    for thread in threads {
        let (score, found) = thread.join().expect("breaches are returned, panics caught");
        total.add(score);
        failures.extend(found);
    }
    (total, failures)
}

impl Score {
    fn add(&mut self, other: Self) {
        self.room_ms += other.room_ms;
        self.demands += other.demands;
        self.starts += other.starts;
        self.spurious += other.spurious;
        self.orders += other.orders;
        self.done += other.done;
        self.restarts += other.restarts;
        self.gaps += other.gaps;
        self.trace ^= other.trace;
    }
}

fn report(what: &str, score: &Score, failures: &[String]) {
    println!(
        "{what}: {} room-hours, {} demands, {} starts, 0 missed, {} without a fire, {} commands, {} cuts done, \
         {} restarts, {} gaps",
        hours(score.room_ms),
        score.demands,
        score.starts,
        score.spurious,
        score.orders,
        score.done,
        score.restarts,
        score.gaps
    );
    assert!(failures.is_empty(), "{} failing seeds\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn no_invariant_breaks_whatever_happens() {
    if let Some(seed) = env("EMBERWATCH_SIM_SEED") {
        let failures: Vec<String> = play(seed, Kind::Everything).err().into_iter().collect();
        return report("one seed", &Score::default(), &failures);
    }
    let again: Vec<String> =
        ONCE_FAILED.iter().filter_map(|seed| play(*seed, Kind::Everything).err()).collect();
    report("seeds that once failed", &Score::default(), &again);
    let room_ms = env("EMBERWATCH_SIM_HOURS").unwrap_or(HOURS) * 3_600_000;
    let (score, failures) = campaign(Kind::Everything, room_ms * 9 / 10, 1);
    report("everything", &score, &failures);
    assert!(0 < score.demands && 0 < score.done && 0 < score.restarts && 0 < score.gaps, "{score:?}");
}

#[test]
fn b21_b22_one_faulty_device_never_starts_a_cut() {
    if let Some(seed) = env("EMBERWATCH_SIM_SEED") {
        let failures: Vec<String> = play(seed, Kind::OneFaultyDevice).err().into_iter().collect();
        return report("one seed", &Score::default(), &failures);
    }
    let room_ms = env("EMBERWATCH_SIM_HOURS").unwrap_or(HOURS) * 3_600_000;
    let (score, mut failures) = campaign(Kind::OneFaultyDevice, room_ms / 10, 1_000_000);
    if score.starts + score.orders != 0 {
        failures.push(format!("S5: {} starts, {} commands", score.starts, score.orders));
    }
    report("one faulty device", &score, &failures);
}

#[test]
fn the_same_seed_gives_the_same_run() {
    for seed in [3, 4] {
        assert_eq!(play(seed, Kind::Everything), play(seed, Kind::Everything));
    }
    assert_ne!(Dice::new(1).next(), Dice::new(2).next());
}

//! Many runs side by side: seeds, progress with the time left, and what all of it amounted to.

use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use emberwatch::clock;
use emberwatch::units::Millis;

use super::game::{Game, Kind, Score, hours};

/// How long one run lasts.
pub(crate) const RUN_MS: u64 = 2 * 3_600_000;
/// How many run side by side. The same seeds are played whatever the machine has.
const THREADS: u64 = 2;
/// A thread that found so many breaches stops.
const BREACHES_MAX: usize = 3;
/// How often progress is told.
const TOLD_EVERY: Millis = Millis::from_secs(10);

/// One campaign: a kind of run, so many room-hours, from this seed on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Campaign {
    pub(crate) what: &'static str,
    pub(crate) kind: Kind,
    /// How often the core is called at least.
    pub(crate) tick: Millis,
    pub(crate) room_hours: u64,
    pub(crate) first_seed: u64,
    /// Whether somebody watches.
    pub(crate) tells: bool,
}

/// What a campaign amounted to.
#[derive(Debug)]
pub(crate) struct Result {
    campaign: Campaign,
    pub(crate) score: Score,
    pub(crate) failures: Vec<String>,
    runs: u64,
    took: Millis,
}

/// Plays one seed; a breach or a panic in the core names the seed.
pub(crate) fn play(seed: u64, kind: Kind, tick: Millis) -> std::result::Result<Score, String> {
    let replay = format!("EMBERWATCH_SIM_SEED={seed} cargo test --test simulation");
    match catch_unwind(AssertUnwindSafe(|| Game::new(seed, kind, tick).play(RUN_MS))) {
        Ok(Ok(score)) => Ok(score),
        Ok(Err(why)) => Err(format!("seed {seed} ({kind:?}, tick {tick}): {why}\n    replay: {replay}")),
        Err(_) => {
            Err(format!("seed {seed} ({kind:?}, tick {tick}): the core panicked\n    replay: {replay}"))
        }
    }
}

impl Campaign {
    /// Plays until so many room-hours have passed, on all threads; stops early once something is found.
    pub(crate) fn run(self) -> Result {
        let begun = clock::uptime();
        let played = Arc::new(AtomicU64::new(0));
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                let played = Arc::clone(&played);
                std::thread::spawn(move || self.part(thread, &played))
            })
            .collect();
        let mut told = begun;
        while self.tells && !threads.iter().all(std::thread::JoinHandle::is_finished) {
            std::thread::park_timeout(std::time::Duration::from_millis(100));
            if TOLD_EVERY <= clock::uptime().since(told) {
                told = clock::uptime();
                self.tell(played.load(Ordering::Relaxed), told.since(begun));
            }
        }
        let mut result = Result {
            campaign: self,
            score: Score::default(),
            failures: Vec::new(),
            runs: 0,
            took: Millis::ZERO,
        };
        for thread in threads {
            let (score, runs, failures) = thread.join().expect("breaches are returned, panics caught");
            result.score.add(score);
            result.runs += runs;
            result.failures.extend(failures);
        }
        result.took = clock::uptime().since(begun);
        result
    }

    fn part(self, thread: u64, played: &AtomicU64) -> (Score, u64, Vec<String>) {
        let (mut total, mut runs, mut failures) = (Score::default(), 0, Vec::new());
        let mut seed = self.first_seed + thread;
        while total.room_ms < self.room_hours * 3_600_000 / THREADS && failures.len() < BREACHES_MAX {
            match play(seed, self.kind, self.tick) {
                Ok(score) => {
                    played.fetch_add(score.room_ms, Ordering::Relaxed);
                    total.add(score);
                }
                Err(why) => failures.push(why),
            }
            seed += THREADS;
            runs += 1;
        }
        (total, runs, failures)
    }

    fn tell(self, played_ms: u64, so_far: Millis) {
        let (done, all) = (hours(played_ms), self.room_hours);
        let left = if played_ms == 0 {
            "?".to_owned()
        } else {
            let rest = (all * 3_600_000).saturating_sub(played_ms);
            Millis(rest / 1000 * so_far.0 / (played_ms / 1000).max(1) / 1000 * 1000).to_string()
        };
        println!("{}, tick {}: {done} of {all} room-hours, {left} left", self.what, self.tick);
    }
}

impl Result {
    /// Complains about every breach.
    pub(crate) fn assert_clean(&self) {
        let Self { failures, .. } = self;
        assert!(failures.is_empty(), "{} failing seeds\n{}", failures.len(), failures.join("\n"));
    }
}

/// How many breaches are of these invariants.
fn breaches(failures: &[String], of: &[&str]) -> usize {
    failures.iter().filter(|why| of.iter().any(|name| why.contains(name))).count()
}

/// The table of some campaigns. What people or a written policy for lost channels start without a fire is neither
/// missed nor spurious.
pub(crate) fn table(results: &[Result]) -> String {
    let mut text = format!(
        "\n{:<34} {:>10} {:>9} {:>7} {:>7} {:>8} {:>9} {:>9} {:>8} {:>8} {:>8} {:>6} {:>7}  {}\n",
        "runs",
        "room-hours",
        "demands",
        "cut",
        "missed",
        "spurious",
        "by people",
        "found p50",
        "p99",
        "latest",
        "restarts",
        "gaps",
        "took",
        "hash"
    );
    for result in results {
        let Result { campaign, score, failures, runs, took } = result;
        let seconds =
            |span: Option<Millis>| span.map_or("-".to_owned(), |span| format!("{:.1} s", span.as_secs_f64()));
        let _ = writeln!(
            text,
            "{:<34} {:>10} {:>9} {:>7} {:>7} {:>8} {:>9} {:>9} {:>8} {:>8} {:>8} {:>6} {:>5} s  {:016x}",
            format!("{}, tick {} ({runs})", campaign.what, campaign.tick),
            hours(score.room_ms),
            score.demands,
            score.done,
            breaches(failures, &["S4"]),
            breaches(failures, &["S3", "S5", "S6"]),
            score.spurious,
            seconds(score.found.quantile(50)),
            seconds(score.found.quantile(99)),
            seconds(score.found.latest()),
            score.restarts,
            score.gaps,
            took.0 / 1000,
            score.trace,
        );
    }
    text
}

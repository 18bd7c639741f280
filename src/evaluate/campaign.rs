//! Many trials, on all processors: the same numbers give the same outcomes on every machine.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::calm::{self, Uncalm, site_for};
use super::roles::Roles;
use super::tally::Tally;
use super::trial::{Hear, Kind, Outcome, Trial};
use super::world::World;
use crate::safety::fact::Output;
use crate::safety::memory::Memory;
use crate::safety::rules::RuleKind;
use crate::safety::site::{DeviceId, Site};
use crate::safety::{GAP_MAX, Safety};
use crate::sim::physics::Chemistry;
use crate::units::{Millis, Now, Uptime, WallTime};

/// The room is watched for at least so long before trials begin, and at most so long.
const WARM_MIN: Millis = Millis::from_secs(120);
const WARM_MAX: Millis = Millis::from_secs(1800);
/// Threads at most.
const THREADS_MAX: usize = 16;

/// A site that is ready for trials: its core has watched the calm room until every window is full.
#[derive(Debug)]
pub struct Studied {
    site: Arc<Site>,
    core: Safety,
    world: World,
    now: Uptime,
    racks: usize,
}

impl Studied {
    /// Watches the calm room with this site's rules.
    ///
    /// Errors are rules that object to the calm room: with them nothing else would be measured.
    pub fn new(
        site: &Site,
        roles: &Arc<Roles>,
        chemistry: Chemistry,
        seed: u64,
    ) -> Result<Self, Vec<Uncalm>> {
        let site = Arc::new(site_for(site));
        let begins = Uptime(60_000);
        let mut core = Safety::new(Arc::clone(&site), &Memory::default(), moment(begins));
        let mut world = World::new(Arc::clone(&site), Arc::clone(roles), chemistry, seed, begins);
        let (mut now, mut inputs, mut outputs): (_, _, Vec<Output>) = (begins, Vec::new(), Vec::new());
        let warm = begins.plus(longest_window(&site));
        while now < warm {
            now = now.plus(GAP_MAX);
            inputs.clear();
            outputs.clear();
            world.pass(now, &mut inputs);
            core.scan(moment(now), &inputs, &mut outputs);
        }
        let uncalm = calm::uncalm(&site, &core);
        if uncalm.is_empty() {
            Ok(Self { racks: roles.racks.len(), site, core, world, now })
        } else {
            Err(uncalm)
        }
    }

    /// Draws one trial.
    #[must_use]
    pub fn trial(&self, kind: Kind, seed: u64, number: u64) -> Trial {
        Trial::draw(&self.site, self.racks, kind, seed, number)
    }

    /// Plays one trial; whoever listens hears every scan.
    #[must_use]
    pub fn play(&self, trial: &Trial, hear: Hear<'_>) -> Outcome {
        trial.play(&self.site, self.core.clone(), self.world.clone(), self.now, hear)
    }

    /// The site as it is tried.
    #[must_use]
    pub const fn site(&self) -> &Arc<Site> {
        &self.site
    }
}

/// So many trials of each kind, from this seed.
#[derive(Clone, Copy, Debug)]
pub struct Campaign {
    /// Draws all of them.
    pub seed: u64,
    /// Of each kind.
    pub trials: u64,
    /// How many play side by side.
    pub threads: usize,
    /// A device that the site does without.
    pub without: Option<DeviceId>,
}

/// What a campaign found.
#[derive(Clone, Debug)]
pub struct Found {
    /// Fires.
    pub fires: Tally,
    /// Calm hours.
    pub calm: Tally,
}

/// Hears how many trials have been played.
pub type Progress<'a> = &'a (dyn Fn(u64) + Sync);

impl Campaign {
    /// Plays all trials.
    #[must_use]
    pub fn run(self, studied: &Studied, progress: Progress<'_>) -> Found {
        let played = AtomicU64::new(0);
        let of = |kind| Tally { kind, outcomes: self.play(studied, kind, &played, progress) };
        Found { fires: of(Kind::Fire), calm: of(Kind::Calm) }
    }

    fn play(self, studied: &Studied, kind: Kind, played: &AtomicU64, progress: Progress<'_>) -> Vec<Outcome> {
        let threads = self.threads.clamp(1, THREADS_MAX) as u64;
        let part = |first: u64| {
            let mut outcomes = BTreeMap::new();
            for number in (first..self.trials).step_by(usize::try_from(threads).unwrap_or(1)) {
                let trial = studied.trial(kind, self.seed, number);
                let trial =
                    self.without.map_or_else(|| trial.clone(), |device| trial.clone().without(device));
                outcomes.insert(number, studied.play(&trial, &mut |_, _| {}));
                progress(played.fetch_add(1, Ordering::Relaxed) + 1);
            }
            outcomes
        };
        let mut all = BTreeMap::new();
        std::thread::scope(|scope| {
            let handles: Vec<_> = (0..threads).map(|first| scope.spawn(move || part(first))).collect();
            for handle in handles {
                match handle.join() {
                    Ok(outcomes) => all.extend(outcomes),
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
        });
        all.into_values().collect()
    }
}

/// How long the room must be watched until every window of every rule is full.
fn longest_window(site: &Site) -> Millis {
    let of = |kind: &RuleKind| match kind {
        RuleKind::Rate(rate) => rate.window,
        RuleKind::Step(step) => step.window,
        RuleKind::Deviation(deviation) => deviation.rising.unwrap_or_default(),
        RuleKind::Limit(_) | RuleKind::State(_) | RuleKind::Silence(_) | RuleKind::Together(_) => {
            Millis::ZERO
        }
    };
    let longest = site.rules.iter().map(|rule| of(&rule.kind)).max().unwrap_or_default();
    Millis(longest.0 + 60_000).clamp(WARM_MIN, WARM_MAX)
}

fn moment(uptime: Uptime) -> Now {
    Now { uptime, wall: WallTime(0) }
}

//! When the polls of a link begin, so that they do not all fall due at once.
//!
//! Each poll gets a phase within its period. Polls are placed one by one, critical and frequent ones first, each
//! where the cycles (of the shortest period) that it falls into have least to do, within those where it waits
//! least for others; of equally good places the earliest. Nothing is measured and nothing is left to chance:
//! the same polls give the same phases.
//! Phases are kept short: after a start every point has been asked for within [`PHASE_MAX`], or twice the time
//! that all polls take, if that is longer.

use crate::units::Millis;

/// The latest first poll after a start, as far as the line can carry it.
pub const PHASE_MAX: Millis = Millis::from_secs(10);

/// Slots of the timetable per shortest period, and in all.
const SLOTS_PER_PERIOD: u64 = 16;
const SLOTS_MAX: u64 = 2048;

/// One recurring poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// How often it falls due; at least 1 ms.
    pub period: Millis,
    /// How long it takes on the line, in microseconds.
    pub cost_us: u64,
    /// Placed before the others: what decides about a cut.
    pub critical: bool,
}

/// The phase of each poll, in the order given: how long after the start it first falls due.
#[must_use]
pub fn stagger(paces: &[Pace]) -> Vec<Millis> {
    let Some(shortest_us) = paces.iter().map(|pace| pace.period.0.max(1) * 1000).min() else {
        return Vec::new();
    };
    let all_us: u64 = paces.iter().map(|pace| pace.cost_us).sum();
    let longest_us = paces.iter().map(|pace| pace.period.0.max(1) * 1000).max().unwrap_or(shortest_us);
    let phase_max_us = (PHASE_MAX.0 * 1000).max(all_us.saturating_mul(2));
    let slot_us = (shortest_us / SLOTS_PER_PERIOD).max(1000);
    let slots = (longest_us.min(phase_max_us) / slot_us).clamp(1, SLOTS_MAX);
    let mut order: Vec<usize> = (0..paces.len()).collect();
    order.sort_by_key(|at| (!paces[*at].critical, paces[*at].period, u64::MAX - paces[*at].cost_us));
    let mut table = Timetable { slot_us, load_us: vec![0; usize::try_from(slots).unwrap_or(1)] };
    let mut phases = vec![Millis::ZERO; paces.len()];
    for at in order {
        phases[at] = Millis(table.place(&paces[at]) * slot_us / 1000);
    }
    phases
}

/// How busy the line is in each slot.
struct Timetable {
    slot_us: u64,
    load_us: Vec<u64>,
}

impl Timetable {
    /// Takes the best phase for this poll, in slots.
    fn place(&mut self, pace: &Pace) -> u64 {
        let slots = self.load_us.len() as u64;
        let period = (pace.period.0.max(1) * 1000 / self.slot_us).max(1);
        let per_cycle = usize::try_from(SLOTS_PER_PERIOD).unwrap_or(1);
        let cycles_us: Vec<u64> = self.load_us.chunks(per_cycle).map(|cycle| cycle.iter().sum()).collect();
        let key = |phase: u64| {
            let busy = self.turns(phase, period, pace.cost_us);
            busy.fold((0, 0), |(cycle_us, slot_us), (slot, _)| {
                (cycles_us[slot / per_cycle].max(cycle_us), self.load_us[slot].max(slot_us))
            })
        };
        let best = (0..period.min(slots)).min_by_key(|phase| (key(*phase), *phase)).unwrap_or(0);
        let turns: Vec<(usize, u64)> = self.turns(best, period, pace.cost_us).collect();
        for (slot, share_us) in turns {
            self.load_us[slot] += share_us;
        }
        best
    }

    /// Every slot that a poll keeps busy, with how much of it, over the whole table; the end runs on at the start.
    fn turns(&self, phase: u64, period: u64, cost_us: u64) -> impl Iterator<Item = (usize, u64)> {
        let (slots, slot_us) = (self.load_us.len() as u64, self.slot_us);
        let long = cost_us.div_ceil(slot_us).clamp(1, slots);
        (phase..slots).step_by(usize::try_from(period).unwrap_or(usize::MAX)).flat_map(move |start| {
            (0..long).map(move |part| {
                let share_us = cost_us.saturating_sub(part * slot_us).min(slot_us);
                (usize::try_from((start + part) % slots).unwrap_or(0), share_us)
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(period_ms: u64, cost_ms: u64, critical: bool) -> Pace {
        Pace { period: Millis(period_ms), cost_us: cost_ms * 1000, critical }
    }

    /// The most line time asked for within any `window_ms`, over the first minute after the phases.
    fn peak_ms(paces: &[Pace], phases: &[Millis], window_ms: usize) -> u64 {
        let mut asked = vec![0; 60_000];
        for (pace, phase) in paces.iter().zip(phases) {
            let mut due = phase.0;
            while due < 60_000 {
                asked[usize::try_from(due).expect("small")] += pace.cost_us / 1000;
                due += pace.period.0;
            }
        }
        asked[20_000..].windows(window_ms).map(|window| window.iter().sum()).max().unwrap_or(0)
    }

    #[test]
    fn nothing_gives_nothing_and_one_poll_begins_at_once() {
        assert_eq!(stagger(&[]), []);
        assert_eq!(stagger(&[pace(1000, 10, false)]), [Millis::ZERO]);
        assert_eq!(stagger(&[Pace { period: Millis::ZERO, cost_us: 0, critical: false }]), [Millis::ZERO]);
    }

    #[test]
    fn slow_polls_are_spread_over_fast_cycles() {
        let mut paces = vec![pace(1000, 100, true), pace(1000, 100, false)];
        paces.extend([pace(10_000, 300, false); 10]);
        let phases = stagger(&paces);
        assert!(600 <= peak_ms(&paces, &[Millis::ZERO; 12], 1000));
        assert_eq!(peak_ms(&paces, &phases, 1000), 500, "one slow poll a second: {phases:?}");
        assert_eq!(phases[0], Millis::ZERO, "the critical one goes first");
    }

    #[test]
    fn every_phase_is_short_of_its_period_and_of_a_long_start() {
        let paces: Vec<Pace> =
            (0..200).map(|at| pace([250, 1000, 15_000, 600_000][at % 4], 3, at % 8 == 0)).collect();
        let phases = stagger(&paces);
        for (pace, phase) in paces.iter().zip(&phases) {
            assert!(phase < &pace.period && phase <= &PHASE_MAX, "{pace:?} {phase:?}");
        }
        assert_eq!(phases, stagger(&paces), "the same polls give the same phases");
    }

    #[test]
    fn more_than_the_line_can_carry_is_spread_all_the_same() {
        let paces = [pace(100, 500, false); 8];
        assert!(stagger(&paces).iter().all(|phase| phase.0 < 100));
        let slow = [pace(60_000, 1500, false); 20];
        let phases = stagger(&slow);
        assert!(peak_ms(&slow, &phases, 1500) <= 3000, "{phases:?}");
    }
}

//! Stories: what happens in the room, when, and how it is announced to people.

use crate::sim::breaker::SwitchFault;
use crate::sim::physics::Short;
use crate::sim::room::STUCK;
use crate::units::Millis;

/// How a battery management lies about what it measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lie {
    /// It repeats what it measured once; its heartbeat counts on. So did the one of Pangyo.
    FlatLine,
    /// All of it stands still, its heartbeat too.
    Stale,
    /// Temperatures are ten times too high.
    TenTimes,
}

/// Something that happens in the room.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Event {
    /// A cell is heated from within, as by an internal short.
    Heat {
        /// Rack 0 or 1.
        rack: usize,
        /// Cell 0 to 15.
        cell: usize,
        /// Watts.
        watts: f64,
    },
    /// A cell shorts inside.
    Short {
        /// Rack 0 or 1.
        rack: usize,
        /// Cell 0 to 15.
        cell: usize,
        /// How.
        short: Short,
    },
    /// How well a cell's sensor sits, and how its vent behaves.
    Arrange {
        /// Rack 0 or 1.
        rack: usize,
        /// Cell 0 to 15.
        cell: usize,
        /// How much of a short's spot the sensor sees, 0 to 1.
        nearness: f64,
        /// Part of the gas that leaves before it burns, 0 to 1.
        early_gas: f64,
    },
    /// The room is no longer cooled.
    CoolingFails,
    /// Something is wrong with a rack's contactor.
    ContactorFault {
        /// Rack 0 or 1.
        rack: usize,
        /// What.
        fault: SwitchFault,
    },
    /// Something is wrong with a rack's breaker.
    BreakerFault {
        /// Rack 0 or 1.
        rack: usize,
        /// What.
        fault: SwitchFault,
    },
    /// A rack's breaker opens though nobody told it to.
    OpensByItself {
        /// Rack 0 or 1.
        rack: usize,
    },
    /// The smoke detector signals these bits, smoke or not.
    Smoke(u16),
    /// The smoke detector reports these faults.
    SmokeFault(u16),
    /// A unit stops answering.
    Silence(u8),
    /// A unit answers again.
    Voice(u8),
    /// A cell's temperature register stops moving.
    FlatLine {
        /// Rack 0 or 1.
        rack: usize,
        /// Cell 0 to 15.
        cell: usize,
    },
    /// A rack's management begins to lie.
    Lies {
        /// Rack 0 or 1.
        rack: usize,
        /// How.
        lie: Lie,
    },
}

/// One step of a story.
#[derive(Clone, Debug)]
pub struct StoryStep {
    /// When, in simulated time.
    pub at: Millis,
    /// For people.
    pub text: &'static str,
    /// What happens.
    pub events: Vec<Event>,
}

/// A story.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Its name on the command line.
    pub name: &'static str,
    /// One line for people.
    pub about: &'static str,
    pub(super) steps: Vec<StoryStep>,
}

impl Scenario {
    /// Nothing happens.
    #[must_use]
    pub fn calm() -> Self {
        Self { name: "calm", about: "nothing happens", steps: vec![step(0, "the room is calm", vec![])] }
    }

    /// Every scenario.
    #[must_use]
    pub fn all() -> Vec<Self> {
        vec![
            cell_fire(),
            stuck_contactor(),
            welded_contactor(),
            breaker_opens(),
            internal_short(),
            lying_bms(),
            false_smoke(),
            silent_bms(),
            flat_line(),
            cooling_failure(),
            Self::calm(),
        ]
    }

    /// The scenario of this name.
    #[must_use]
    pub fn find(name: &str) -> Option<Self> {
        Self::all().into_iter().find(|scenario| scenario.name == name)
    }

    /// What is about to happen, for people.
    #[must_use]
    pub fn story(&self) -> &[StoryStep] {
        &self.steps
    }
}

fn step(seconds: u64, text: &'static str, events: Vec<Event>) -> StoryStep {
    StoryStep { at: Millis::from_secs(seconds), text, events }
}

/// The cell that burns: the seventh of rack 1.
const BURNING: usize = 6;

const fn heat(watts: f64) -> Event {
    Event::Heat { rack: 0, cell: BURNING, watts }
}

/// The steps of a cell that shorts, heats, vents and burns.
fn fire_steps() -> Vec<StoryStep> {
    let gassing = Event::Arrange { rack: 0, cell: BURNING, nearness: 0.0, early_gas: 0.5 };
    vec![
        step(0, "calm room: both racks on float charge, no gas, no smoke", vec![gassing]),
        step(8, "cell 7 of rack 1 shorts inside and heats", vec![heat(2600.0)]),
        step(16, "heat reaches its skin: `watch` at 45 °C, `warning` and notice at 55 °C", vec![heat(900.0)]),
        step(
            28,
            "the short deepens: at 80 °C one vote for a cut, which alone only warns",
            vec![heat(3300.0)],
        ),
        step(37, "the cell vents: gas agrees with heat, `danger`, the countdown runs", vec![]),
        step(
            58,
            "unless aborted: charging stops, the contactor opens, position and current prove it",
            vec![],
        ),
    ]
}

fn cell_fire() -> Scenario {
    Scenario {
        name: "cell-fire",
        about: "one cell heats, vents and burns; rack 1 is cut in verified stages",
        steps: fire_steps(),
    }
}

fn stuck_contactor() -> Scenario {
    let mut steps = fire_steps();
    steps[0].events.push(Event::ContactorFault { rack: 0, fault: STUCK });
    steps.push(step(
        60,
        "the contactor takes the command and does not move: the rack breaker is tripped instead",
        vec![],
    ));
    Scenario { name: "stuck-contactor", about: "the same fire, but rack 1's contactor is stuck", steps }
}

fn welded_contactor() -> Scenario {
    let mut steps = fire_steps();
    steps[0].events.push(Event::ContactorFault { rack: 0, fault: SwitchFault::Welded });
    steps.push(step(
        60,
        "the contactor shows `open`, but current flows: the rack breaker is tripped instead",
        vec![],
    ));
    Scenario {
        name: "welded-contactor",
        about: "the same fire, but rack 1's contactor is welded behind a contact that says `open`",
        steps,
    }
}

fn breaker_opens() -> Scenario {
    Scenario {
        name: "breaker-opens",
        about: "the breaker of rack 1 opens by itself, in a calm room",
        steps: vec![
            step(0, "calm room", vec![]),
            step(
                8,
                "the breaker of rack 1 opens though nobody told it to",
                vec![Event::OpensByItself { rack: 0 }],
            ),
        ],
    }
}

fn false_smoke() -> Scenario {
    Scenario {
        name: "false-smoke",
        about: "one smoke detector cries fire alone, then breaks: no cut is right",
        steps: vec![
            step(0, "calm room", vec![]),
            step(6, "the smoke detector signals Fire 1, nothing else does", vec![Event::Smoke(0b0_1111)]),
            step(9, "it falls quiet and reports a fault", vec![Event::Smoke(0), Event::SmokeFault(0b01)]),
            step(15, "warning and notice, but no cut: one principle alone never cuts", vec![]),
        ],
    }
}

/// As in the indentation tests at 90 % charge that the physics are fitted to, and as slow.
const DEEPENING: Short = Short { first_w: 31.0, then_w: 68.0, after_s: 26.0, ramp_s: 20.0 };

fn internal_short() -> Scenario {
    let near = Event::Arrange { rack: 0, cell: BURNING, nearness: 0.4, early_gas: 0.0 };
    Scenario {
        name: "internal-short",
        about: "a cell shorts inside at the pace of a recorded one: no gas, little heat, then a fire",
        steps: vec![
            step(0, "calm room", vec![near]),
            step(
                10,
                "cell 7 of rack 1 shorts inside: its voltage sags, its sensor warms",
                vec![Event::Short { rack: 0, cell: BURNING, short: DEEPENING }],
            ),
            step(87, "it runs away: gas and smoke at once", vec![]),
            step(300, "the cells beside it follow, one every three to five minutes", vec![]),
        ],
    }
}

fn lying_bms() -> Scenario {
    let mut steps = fire_steps();
    steps.insert(1, step(6, "the battery management of rack 1 repeats itself: a straight line", vec![LYING]));
    Scenario {
        name: "lying-bms",
        about: "the same fire, while rack 1's battery management shows a straight line, as at Pangyo",
        steps,
    }
}

const LYING: Event = Event::Lies { rack: 0, lie: Lie::FlatLine };

fn cooling_failure() -> Scenario {
    Scenario {
        name: "cooling-failure",
        about: "the cooling fails: the room warms by sixteen degrees within the hour",
        steps: vec![step(0, "calm room", vec![]), step(10, "the cooling fails", vec![Event::CoolingFails])],
    }
}

fn silent_bms() -> Scenario {
    Scenario {
        name: "silent-bms",
        about: "rack 1 is warm when its battery management stops answering, for twenty seconds",
        steps: vec![
            step(0, "calm room", vec![]),
            step(5, "cell 7 of rack 1 warms to about 50 °C", vec![heat(2000.0)]),
            step(15, "its heat spreads to its sensor", vec![heat(0.0)]),
            step(22, "bms-1 stops answering: silence in a warm rack escalates", vec![Event::Silence(1)]),
            step(42, "it answers again", vec![Event::Voice(1)]),
        ],
    }
}

fn flat_line() -> Scenario {
    Scenario {
        name: "flat-line",
        about: "one temperature register of rack 1 freezes while the others move",
        steps: vec![
            step(0, "calm room", vec![]),
            step(5, "the register of cell 3 stops moving", vec![Event::FlatLine { rack: 0, cell: 2 }]),
            step(8, "cell 4 warms a little", vec![Event::Heat { rack: 0, cell: 3, watts: 200.0 }]),
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::Room;

    type Seen = fn(&Room) -> bool;

    /// The first second at which something is so, up to a limit.
    fn when(room: &mut Room, limit_s: f64, so: impl Fn(&Room) -> bool) -> Option<f64> {
        while room.age_s() < limit_s {
            if so(room) {
                return Some(room.age_s());
            }
            room.step(0.1);
        }
        None
    }

    #[test]
    fn the_fire_passes_its_milestones_in_order_whatever_the_seed() {
        for seed in [1, 7, 42] {
            let mut room = Room::new(seed, cell_fire());
            let milestones: [(&str, Seen, f64, f64); 6] = [
                ("45 °C", |room| 45.0 <= room.hottest_c(0), 15.0, 21.0),
                ("55 °C", |room| 55.0 <= room.hottest_c(0), 20.0, 27.0),
                ("80 °C", |room| 80.0 <= room.hottest_c(0), 32.0, 39.0),
                ("10 %LFL", |room| 10.0 <= room.gas_pct_lfl(), 36.0, 42.0),
                ("25 %LFL", |room| 25.0 <= room.gas_pct_lfl(), 39.0, 46.0),
                ("fire 1", |room| room.smoke_alarms() & 0b0_1000 != 0, 39.0, 50.0),
            ];
            for (name, so, earliest, latest) in milestones {
                let at = when(&mut room, 90.0, so).unwrap_or(f64::INFINITY);
                assert!(earliest <= at && at <= latest, "seed {seed}: {name} at {at:.1} s");
            }
            assert!(room.hottest_c(1) < 30.0, "rack 2 stays cool");
        }
    }

    #[test]
    fn a_calm_shift_stays_inside_all_limits() {
        let mut room = Room::new(3, Scenario::calm());
        for _ in 0..6 * 36_000 {
            room.step(0.1);
            assert!(room.hottest_c(0) < 30.0 && room.gas_pct_lfl() < 1.0 && room.smoke_alarms() == 0);
        }
    }

    #[test]
    fn every_scenario_is_found_by_its_name_and_tells_its_story_in_order() {
        for scenario in Scenario::all() {
            assert_eq!(Scenario::find(scenario.name).map(|found| found.about), Some(scenario.about));
            assert!(scenario.story().is_sorted_by_key(|step| step.at));
        }
    }
}

//! The room: two racks of sixteen cells, a UPS, gas and smoke detectors, a panel of breakers.

use crate::sim::breaker::{Switch, SwitchFault};
use crate::sim::cell::Cell;
use crate::sim::noise::Noise;
use crate::sim::story::{Event, Scenario};

/// Cells of a rack.
pub(super) const CELLS: usize = 16;
/// Heat between neighbouring cells, W/K.
const NEIGHBOUR_W_PER_K: f64 = 0.6;
/// Volume in which gas gathers before it spreads: rack 1 and its detector, m³.
const ENCLOSURE_M3: f64 = 1.2;
/// Lower flammability limit of vent gas, a part of the volume (6 to 10 % for lithium cells).
const LFL: f64 = 0.08;
/// How fast gas leaves the enclosure, s; with the exhaust fan on, s.
const GAS_LEAVES_TAU_S: f64 = 180.0;
const GAS_EXHAUSTED_TAU_S: f64 = 40.0;
/// Smoke of a venting cell, %/m per m³ of gas.
const SMOKE_PER_M3: f64 = 40.0;
const SMOKE_LEAVES_TAU_S: f64 = 240.0;
/// Smoke levels, %/m: alert, action 1, action 2, fire 1, fire 2 (an aspirating detector's usual settings).
const SMOKE_STEPS: [f64; 5] = [0.04, 0.08, 0.3, 1.0, 2.0];
/// Charge current of a rack on float, A.
const FLOAT_A: f64 = 1.5;

/// One rack.
#[derive(Clone, Debug)]
pub struct Rack {
    pub(super) cells: Vec<Cell>,
    /// The battery management's main contactor.
    pub contactor: Switch,
    /// The breaker of the rack, opened by a shunt trip.
    pub breaker: Switch,
    pub(super) charging_allowed: bool,
    pub(super) contactor_held: bool,
    pub(super) frozen_cell: Option<(usize, f64)>,
    pub(super) soc_pct: f64,
}

impl Rack {
    fn new(ambient_c: f64, noise: &mut Noise) -> Self {
        Self {
            cells: (0..CELLS).map(|_| Cell::at(ambient_c + 0.3 * noise.even())).collect(),
            contactor: Switch::closed(),
            breaker: Switch::closed(),
            charging_allowed: true,
            contactor_held: true,
            frozen_cell: None,
            soc_pct: 98.0,
        }
    }

    /// Whether it is on the battery bus.
    pub(super) fn is_on_bus(&self) -> bool {
        self.contactor.is_closed() && self.breaker.is_closed()
    }

    pub(super) fn voltage(&self) -> f64 {
        self.cells.iter().map(Cell::voltage).sum()
    }
}

/// What detectors and panel hold.
#[derive(Clone, Debug, Default)]
pub(super) struct Detectors {
    pub(super) gas_m3: f64,
    pub(super) smoke_pct_m: f64,
    pub(super) smoke_forced: u16,
    pub(super) smoke_faults: u16,
    pub(super) coils: [bool; 8],
}

/// The simulated room.
#[derive(Clone, Debug)]
pub struct Room {
    /// Seconds since the story began.
    pub(super) age_s: f64,
    pub(super) ambient_c: f64,
    /// Rack 1 and rack 2.
    pub racks: [Rack; 2],
    pub(super) ups_breaker: Switch,
    pub(super) ups_output: bool,
    pub(super) detectors: Detectors,
    /// Units that do not answer.
    pub(super) silent: Vec<u8>,
    scenario: Scenario,
    told: usize,
    pub(super) noise: Noise,
}

impl Room {
    /// A calm room in which `scenario` will happen.
    #[must_use]
    pub fn new(seed: u64, scenario: Scenario) -> Self {
        let mut noise = Noise::new(seed);
        let ambient_c = 24.0;
        Self {
            age_s: 0.0,
            ambient_c,
            racks: [Rack::new(ambient_c, &mut noise), Rack::new(ambient_c, &mut noise)],
            ups_breaker: Switch::closed(),
            ups_output: true,
            detectors: Detectors::default(),
            silent: Vec::new(),
            scenario,
            told: 0,
            noise,
        }
    }

    /// Seconds since the story began.
    #[must_use]
    pub const fn age_s(&self) -> f64 {
        self.age_s
    }

    /// The hottest cell's sensor of a rack (0 or 1), °C.
    #[must_use]
    pub fn hottest_c(&self, rack: usize) -> f64 {
        self.racks[rack].cells.iter().map(Cell::skin_c).fold(f64::MIN, f64::max)
    }

    /// What the gas detector reads, per cent of the lower flammability limit.
    #[must_use]
    pub fn gas_pct_lfl(&self) -> f64 {
        (self.detectors.gas_m3 / ENCLOSURE_M3 / LFL * 100.0).min(100.0)
    }

    /// What the smoke detector signals, a bit each: alert, action 1, action 2, fire 1, fire 2.
    #[must_use]
    pub fn smoke_alarms(&self) -> u16 {
        let steps = SMOKE_STEPS.iter().enumerate().filter(|(_, step)| **step <= self.detectors.smoke_pct_m);
        steps.map(|(bit, _)| 1 << bit).sum::<u16>() | self.detectors.smoke_forced
    }

    /// Lets up to a tenth of a second pass.
    pub fn step(&mut self, seconds: f64) {
        self.age_s += seconds;
        self.tell();
        let mut freed = 0.0;
        for rack in &mut self.racks {
            rack.contactor.step(seconds);
            rack.breaker.step(seconds);
            freed += step_cells(&mut rack.cells, seconds, self.ambient_c);
        }
        self.ups_breaker.step(seconds);
        let exhaust = self.detectors.coils[7];
        let leaves = if exhaust { GAS_EXHAUSTED_TAU_S } else { GAS_LEAVES_TAU_S };
        let detectors = &mut self.detectors;
        detectors.gas_m3 += freed - detectors.gas_m3 * seconds / leaves;
        detectors.smoke_pct_m += freed * SMOKE_PER_M3 - detectors.smoke_pct_m * seconds / SMOKE_LEAVES_TAU_S;
    }

    /// Makes happen what the story says by now.
    fn tell(&mut self) {
        while let Some(step) = self.scenario.steps.get(self.told) {
            if self.age_s < step.at.as_secs_f64() {
                return;
            }
            for event in step.events.clone() {
                self.happen(event);
            }
            self.told += 1;
        }
    }

    /// Makes one thing happen now.
    pub fn happen(&mut self, event: Event) {
        match event {
            Event::Heat { rack, cell, watts } => self.racks[rack].cells[cell].heater_w = watts,
            Event::ContactorFault { rack, fault } => self.racks[rack].contactor.fault = fault,
            Event::BreakerFault { rack, fault } => self.racks[rack].breaker.fault = fault,
            Event::Smoke(bits) => self.detectors.smoke_forced = bits,
            Event::SmokeFault(bits) => self.detectors.smoke_faults = bits,
            Event::Silence(unit) => self.silent.push(unit),
            Event::Voice(unit) => self.silent.retain(|silent| *silent != unit),
            Event::FlatLine { rack, cell } => {
                let frozen = self.racks[rack].cells[cell].skin_c();
                self.racks[rack].frozen_cell = Some((cell, frozen));
            }
        }
    }

    /// Current of a rack, A; positive charges. Float current flows only through closed switches all the way to
    /// the charger.
    pub(super) fn current_a(&self, rack: usize) -> f64 {
        let rack = &self.racks[rack];
        let flows = self.ups_breaker.is_closed() && rack.is_on_bus() && rack.charging_allowed;
        if flows { FLOAT_A } else { 0.0 }
    }

    /// What the UPS sees at its battery terminals, V: the racks on the bus, in parallel; nothing behind an open breaker.
    pub(super) fn battery_v(&self) -> f64 {
        let on_bus = self.racks.iter().filter(|rack| rack.is_on_bus()).map(Rack::voltage);
        if self.ups_breaker.is_closed() { on_bus.fold(0.0, f64::max) } else { 0.0 }
    }

    /// Whether this unit hangs instead of answering.
    pub(super) fn is_silent(&self, unit: u8) -> bool {
        self.silent.contains(&unit)
    }

    /// A client wrote a coil. False if there is no such coil.
    pub(super) fn write_coil(&mut self, unit: u8, coil: u16, on: bool) -> bool {
        match (unit, coil) {
            (1 | 2, 0) => self.racks[usize::from(unit) - 1].charging_allowed = on,
            (1 | 2, 1) => {
                let rack = &mut self.racks[usize::from(unit) - 1];
                rack.contactor_held = on;
                if !on {
                    rack.contactor.open();
                }
            }
            (10, 0) => self.ups_output = on,
            (40, coil @ 0..=7) => {
                self.detectors.coils[usize::from(coil)] = on;
                match (on, coil) {
                    (true, 0 | 1) => self.racks[usize::from(coil)].breaker.open(),
                    (true, 2) => self.ups_breaker.open(),
                    (true | false, _) => {}
                }
            }
            (_, _) => return false,
        }
        true
    }
}

/// Every cell exchanges heat with the ones beside it; gives the gas set free.
fn step_cells(cells: &mut [Cell], seconds: f64, air_c: f64) -> f64 {
    let skins: Vec<f64> = cells.iter().map(Cell::skin_c).collect();
    let mut freed = 0.0;
    for (index, cell) in cells.iter_mut().enumerate() {
        let beside = [index.checked_sub(1), Some(index + 1)];
        let inflow: f64 = beside
            .into_iter()
            .flatten()
            .filter_map(|other| skins.get(other))
            .map(|skin| NEIGHBOUR_W_PER_K * (skin - skins[index]))
            .sum();
        freed += cell.step(seconds, air_c, inflow);
    }
    freed
}

/// A stuck switch, for tests and stories.
pub(super) const STUCK: SwitchFault = SwitchFault::Stuck;

//! The room that is served: two racks of sixteen cells, a UPS, gas and smoke detectors, a panel of breakers.
//!
//! Its physics are [`Plant`]; here are the switches in front of it, what its devices say of it, and their lies.

use crate::sim::breaker::{Switch, SwitchFault};
use crate::sim::noise::Noise;
use crate::sim::physics::{Chemistry, Measured, Plant};
use crate::sim::story::{Event, Lie, Scenario};

/// Cells of a rack.
pub(super) const CELLS: usize = 16;
/// Racks.
const RACKS: usize = 2;
/// The room is kept at this, °C.
const ROOM_C: f64 = 24.0;
/// Charge of the racks, %.
const SOC_PCT: f64 = 90.0;
/// Charge current of a rack on float, A.
const FLOAT_A: f64 = 1.5;

/// What stands between a rack and the battery bus, and what its management makes of it.
#[derive(Clone, Debug)]
pub struct Battery {
    /// The battery management's main contactor.
    pub contactor: Switch,
    /// The breaker of the rack, opened by a shunt trip.
    pub breaker: Switch,
    pub(super) charging_allowed: bool,
    pub(super) contactor_held: bool,
    /// A cell whose temperature register stands still, and at what.
    pub(super) frozen_cell: Option<(usize, f64)>,
    /// How the management lies, and what it said when it began to.
    pub(super) lie: Option<(Lie, Vec<(u16, u16)>)>,
}

impl Battery {
    const fn new() -> Self {
        Self {
            contactor: Switch::closed(),
            breaker: Switch::closed(),
            charging_allowed: true,
            contactor_held: true,
            frozen_cell: None,
            lie: None,
        }
    }

    /// Whether it is on the battery bus: what conducts counts, not what auxiliary contacts show.
    pub(super) const fn is_on_bus(&self) -> bool {
        self.contactor.conducts() && self.breaker.conducts()
    }
}

/// One UPS: where its power comes from, and whether it passes it on.
#[derive(Clone, Debug)]
pub(super) struct Ups {
    /// Its output is switched on.
    pub(super) output: bool,
    /// The load hangs on the mains behind its back.
    pub(super) bypass: bool,
    /// The breaker towards the mains.
    pub(super) infeed: Switch,
}

impl Ups {
    const fn new() -> Self {
        Self { output: true, bypass: false, infeed: Switch::closed() }
    }
}

/// What detectors and panel hold.
#[derive(Clone, Debug, Default)]
pub(super) struct Detectors {
    pub(super) smoke_forced: u16,
    pub(super) smoke_faults: u16,
    pub(super) coils: [bool; 8],
}

/// The simulated room.
#[derive(Clone, Debug)]
pub struct Room {
    pub(super) plant: Plant,
    /// In front of rack 1 and rack 2.
    pub racks: [Battery; RACKS],
    pub(super) ups_breaker: Switch,
    /// UPS A, on this room's racks, and UPS B.
    pub(super) ups: [Ups; 2],
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
        Self {
            plant: Plant::new(Chemistry::Nmc, RACKS, CELLS, SOC_PCT, ROOM_C),
            racks: [Battery::new(), Battery::new()],
            ups_breaker: Switch::closed(),
            ups: [Ups::new(), Ups::new()],
            detectors: Detectors::default(),
            silent: Vec::new(),
            scenario,
            told: 0,
            noise: Noise::new(seed),
        }
    }

    /// Seconds since the story began.
    #[must_use]
    pub const fn age_s(&self) -> f64 {
        self.plant.age_s()
    }

    /// The hottest cell's sensor of a rack (0 or 1), °C.
    #[must_use]
    pub fn hottest_c(&self, rack: usize) -> f64 {
        self.plant.measure(Measured::CellTempMax(rack))
    }

    /// What the gas detector reads, per cent of the lower flammability limit.
    #[must_use]
    pub fn gas_pct_lfl(&self) -> f64 {
        self.plant.measure(Measured::CeilingGas)
    }

    /// What the smoke detector signals, a bit each: alert, action 1, action 2, fire 1, fire 2.
    #[must_use]
    pub fn smoke_alarms(&self) -> u16 {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "five bits")]
        let stages = self.plant.measure(Measured::CeilingSmokeStages) as u16;
        stages | self.detectors.smoke_forced
    }

    /// Lets up to a tenth of a second pass.
    pub fn step(&mut self, seconds: f64) {
        self.tell();
        for rack in 0..RACKS {
            self.racks[rack].contactor.step(seconds);
            self.racks[rack].breaker.step(seconds);
            self.plant.racks[rack].current_a = self.current_a(rack);
        }
        self.ups_breaker.step(seconds);
        self.ups.iter_mut().for_each(|ups| ups.infeed.step(seconds));
        self.plant.air.ventilation.exhaust = self.detectors.coils[7];
        self.plant.pass(seconds);
    }

    /// Makes happen what the story says by now.
    fn tell(&mut self) {
        while let Some(step) = self.scenario.steps.get(self.told) {
            if self.age_s() < step.at.as_secs_f64() {
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
            Event::Heat { rack, cell, watts } => self.plant.racks[rack].heat(cell, watts),
            Event::Short { rack, cell, short } => self.plant.racks[rack].short(cell, short),
            Event::Arrange { rack, cell, nearness, early_gas } => {
                self.plant.racks[rack].arrange(cell, nearness, early_gas);
            }
            Event::CoolingFails => self.plant.air.ventilation.uncooled = true,
            Event::ContactorFault { rack, fault } => self.racks[rack].contactor.fault = fault,
            Event::BreakerFault { rack, fault } => self.racks[rack].breaker.fault = fault,
            Event::OpensByItself { rack } => self.racks[rack].breaker.opens_by_itself(),
            Event::Smoke(bits) => self.detectors.smoke_forced = bits,
            Event::SmokeFault(bits) => self.detectors.smoke_faults = bits,
            Event::Silence(unit) => self.silent.push(unit),
            Event::Voice(unit) => self.silent.retain(|silent| *silent != unit),
            Event::FlatLine { rack, cell } => {
                let frozen = self.plant.measure(Measured::CellTemp(rack, cell));
                self.racks[rack].frozen_cell = Some((cell, frozen));
            }
            Event::Lies { rack, lie } => {
                let said = self.rack_words(rack);
                self.racks[rack].lie = Some((lie, said));
            }
        }
    }

    /// Current of a rack, A; positive charges. Float current flows only through closed switches all the way to
    /// the charger.
    pub(super) fn current_a(&self, rack: usize) -> f64 {
        let rack = &self.racks[rack];
        let flows = self.ups_breaker.conducts() && rack.is_on_bus() && rack.charging_allowed;
        if flows { FLOAT_A } else { 0.0 }
    }

    /// What the UPS sees at its battery terminals, V: the racks on the bus, in parallel; nothing behind an open breaker.
    pub(super) fn battery_v(&self) -> f64 {
        let on_bus = (0..RACKS).filter(|rack| self.racks[*rack].is_on_bus());
        let highest_v = on_bus.map(|rack| self.plant.racks[rack].voltage()).fold(0.0, f64::max);
        if self.ups_breaker.conducts() { highest_v } else { 0.0 }
    }

    /// Whether a UPS carries its load: from the mains, or from a battery that is connected.
    pub(super) fn ups_is_live(&self, index: usize) -> bool {
        let ups = &self.ups[index];
        let racks = self.racks.iter().any(Battery::is_on_bus);
        let battery = index == 1 || (self.ups_breaker.conducts() && racks);
        ups.output && (ups.infeed.conducts() || (battery && !ups.bypass))
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
            (10 | 11, 0) => self.ups[usize::from(unit) - 10].output = on,
            (10 | 11, 1) => self.ups[usize::from(unit) - 10].bypass = on,
            (40, coil @ 0..=7) => {
                self.detectors.coils[usize::from(coil)] = on;
                match (on, coil) {
                    (true, 0 | 1) => self.racks[usize::from(coil)].breaker.open(),
                    (true, 2) => self.ups_breaker.open(),
                    (true, 3 | 4) => self.ups[usize::from(coil) - 3].infeed.open(),
                    (true | false, _) => {}
                }
            }
            (_, _) => return false,
        }
        true
    }
}

/// A stuck switch, for tests and stories.
pub(super) const STUCK: SwitchFault = SwitchFault::Stuck;

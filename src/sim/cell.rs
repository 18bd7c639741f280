//! One lithium cell: a hot core under a cooler skin, that heats itself once it is hot enough, and vents.
//!
//! Two lumps of heat. The sensor sits on the skin, so the core is well ahead of what can be measured: that is
//! why spread and gas come before temperature. Self-heating follows Arrhenius' law and ends when the cell's
//! energy is spent. Parameters are of the order of a 26 Ah pouch cell: 0.65 kg at about 1 kJ/(kg K); an
//! activation energy near 1.1 eV for the first exothermic reactions; up to 2 litres of gas per Ah.

/// Heat capacity of the core, J/K.
const CORE_J_PER_K: f64 = 450.0;
/// Heat capacity of the skin, J/K.
const SKIN_J_PER_K: f64 = 200.0;
/// From core to skin, W/K.
const CORE_TO_SKIN_W_PER_K: f64 = 25.0;
/// From skin to the air of the rack, W/K.
const SKIN_TO_AIR_W_PER_K: f64 = 0.25;
/// Self-heating at the reference temperature, W.
const SELF_W: f64 = 250.0;
/// Where self-heating has that power, K.
const SELF_AT_K: f64 = 393.0;
/// Activation energy over the gas constant, K (1.1 eV).
const ACTIVATION_K: f64 = 12_765.0;
/// The most that self-heating gives: the reactions are limited by what is left to mix, W.
const SELF_W_MAX: f64 = 6_000.0;
/// What there is to release, J: 26 Ah at 3.6 V.
const ENERGY_J: f64 = 337_000.0;
/// The core vents from here on, °C.
const VENT_C: f64 = 112.0;
/// Gas of the whole cell, m³.
const GAS_M3: f64 = 0.052;
/// How fast it comes, s.
const GAS_TAU_S: f64 = 8.0;

/// One cell.
#[derive(Clone, Debug)]
pub(super) struct Cell {
    core_c: f64,
    skin_c: f64,
    /// An internal short or a heater, W.
    pub(super) heater_w: f64,
    energy_j: f64,
    gas_m3: f64,
    pub(super) vented: bool,
}

impl Cell {
    pub(super) const fn at(temp_c: f64) -> Self {
        Self {
            core_c: temp_c,
            skin_c: temp_c,
            heater_w: 0.0,
            energy_j: ENERGY_J,
            gas_m3: GAS_M3,
            vented: false,
        }
    }

    /// What a sensor on it reads, °C.
    pub(super) const fn skin_c(&self) -> f64 {
        self.skin_c
    }

    /// Its voltage: sags with an internal short, collapses as the core burns.
    pub(super) fn voltage(&self) -> f64 {
        let sag = if 0.0 < self.heater_w { 0.06 } else { 0.0 };
        let burnt = ((self.core_c - 120.0) / 60.0).clamp(0.0, 1.0);
        (3.31 - sag) * (1.0 - 0.97 * burnt)
    }

    /// Lets time pass; `from_neighbours_w` flows into the skin. Gives the gas set free, m³.
    pub(super) fn step(&mut self, seconds: f64, air_c: f64, from_neighbours_w: f64) -> f64 {
        let kelvin = self.core_c + 273.15;
        let arrhenius = (ACTIVATION_K / SELF_AT_K - ACTIVATION_K / kelvin).exp();
        let self_w = (SELF_W * arrhenius).min(SELF_W_MAX).min(self.energy_j / seconds);
        self.energy_j -= self_w * seconds;
        let outward_w = CORE_TO_SKIN_W_PER_K * (self.core_c - self.skin_c);
        let lost_w = SKIN_TO_AIR_W_PER_K * (self.skin_c - air_c);
        self.core_c += (self.heater_w + self_w - outward_w) * seconds / CORE_J_PER_K;
        self.skin_c += (outward_w + from_neighbours_w - lost_w) * seconds / SKIN_J_PER_K;
        self.vented |= VENT_C <= self.core_c;
        if !self.vented {
            return 0.0;
        }
        let freed = self.gas_m3 * (seconds / GAS_TAU_S).min(1.0);
        self.gas_m3 -= freed;
        freed
    }
}

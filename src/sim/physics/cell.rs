//! One lithium cell: a core, the spot of a short in it, and the sensor on its skin.
//!
//! A short heats a few grams around it, which is why a sensor beside it shows 100 °C while the terminal shows nothing.
//! Where the spot melts the separator around it, a front eats through the cell. Without a short, a cell that is
//! heated from outside runs away by its own reaction, after Arrhenius.

use super::chemistry::Kinetics;

/// Heat capacity of a cell of 26 Ah, J/K: 0.65 kg at 1 kJ/(kg K).
const CORE_J_PER_K: f64 = 650.0;
/// Heat capacity of the spot, J/K, and its way to the core, W/K. Fitted to the sensors beside the punch in Sandia's
/// indentation tests (DOI 10.17632/sn2kv34r4h.1): a time of 10 s, and 64 °C over the core at the power that a sag
/// of the cell by 50 mV stands for.
const SPOT_J_PER_K: f64 = 6.5;
const SPOT_TO_CORE_W_PER_K: f64 = 0.65;
/// From the core to the air of the cabinet, W/K.
const CORE_TO_AIR_W_PER_K: f64 = 0.25;
/// Where the separator around a short shrinks and a front begins, °C (105 °C in the test at 90 % charge; the one at 75 %
/// stayed at 95 °C for an hour).
const SHRINK_C: f64 = 105.0;
/// What a front heats its spot to, °C, and how fast, s.
const FRONT_C: f64 = 320.0;
const FRONT_HEATS_S: f64 = 4.0;
/// A short burns itself out, s: in the test at 75 % the spot was 74 °C over the core at first, and 42 °C 340 s later.
const SHORT_FADES_S: f64 = 600.0;
/// The sensor follows the skin, s.
const SENSOR_S: f64 = 8.0;
/// From the first loss of voltage to the last, once the separator melts, s.
const COLLAPSE_S: f64 = 25.0;
/// What is lost by a short for each ampere of it, Ω: 60 mV at 55 W, as measured.
pub(super) const SAG_OHM: f64 = 0.0045;
/// How fast the first gas leaves an opened vent, s.
const VENTS_S: f64 = 8.0;
/// Below this a cell's own reaction is slower than an hour can show, °C.
const AWAKE_C: f64 = 60.0;

/// An internal short: first so strong, then stronger, as it deepens.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Short {
    /// Power at first, W.
    pub first_w: f64,
    /// Power after it has deepened, W.
    pub then_w: f64,
    /// When it deepens, s after it began.
    pub after_s: f64,
    /// How fast it deepens, s.
    pub ramp_s: f64,
}

impl Short {
    /// Power at this age, W.
    fn power_w(&self, age_s: f64) -> f64 {
        let deeper = ((age_s - self.after_s) / self.ramp_s).max(0.0);
        let deepened_w = self.first_w + (self.then_w - self.first_w) * (1.0 - (-deeper).exp());
        deepened_w * (-(age_s - self.after_s).max(0.0) / SHORT_FADES_S).exp()
    }
}

/// One cell.
#[derive(Clone, Debug)]
pub struct Cell {
    core_c: f64,
    spot_c: f64,
    sensor_c: f64,
    /// What heats it from outside, W: a loose joint, a failing charger, a tester's plate.
    pub(super) heater_w: f64,
    short: Option<(Short, f64)>,
    /// How much of the spot its sensor sees, 0 (the terminal) to 1 (right above it).
    pub(super) nearness: f64,
    /// Part of its gas that leaves with the vent, before it burns: in most of twelve tests with NMC modules (BAM,
    /// DOI 10.1039/D3RA02881J) there was none.
    pub(super) early_gas: f64,
    reacted: f64,
    front: bool,
    vented: bool,
    collapsed: f64,
    gas_left: f64,
    rate_c_per_s: f64,
    runaway: bool,
}

/// What leaves a cell in a step.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Freed {
    /// Flammable gas, m³.
    pub(super) gas_m3: f64,
    /// Part of it that smokes: what burns does, what is vented hardly.
    pub(super) smoke_m3: f64,
    /// Heat into the cabinet, J.
    pub(super) heat_j: f64,
}

impl Cell {
    /// A sound cell at this temperature, °C.
    #[must_use]
    pub const fn at(temp_c: f64) -> Self {
        Self {
            core_c: temp_c,
            spot_c: temp_c,
            sensor_c: temp_c,
            heater_w: 0.0,
            short: None,
            nearness: 0.3,
            early_gas: 0.25,
            reacted: 0.0,
            front: false,
            vented: false,
            collapsed: 0.0,
            gas_left: 1.0,
            rate_c_per_s: 0.0,
            runaway: false,
        }
    }

    /// Begins a short.
    pub(super) const fn shorts(&mut self, short: Short) {
        self.short = Some((short, 0.0));
    }

    /// What its sensor reads, °C.
    #[must_use]
    pub const fn sensor_c(&self) -> f64 {
        self.sensor_c
    }

    /// Temperature of the bulk, °C.
    #[must_use]
    pub const fn core_c(&self) -> f64 {
        self.core_c
    }

    /// Temperature of the spot of a short, °C; that of the core without one.
    #[must_use]
    pub const fn spot_c(&self) -> f64 {
        self.spot_c
    }

    /// Whether its vent has opened.
    #[must_use]
    pub const fn has_vented(&self) -> bool {
        self.vented
    }

    /// Whether it has run away: a front, or more than 1 °C/s by itself (GB 38031, sign c).
    #[must_use]
    pub const fn has_run_away(&self) -> bool {
        self.runaway
    }

    /// How fast its core warms, °C/s.
    #[must_use]
    pub const fn rate_c_per_s(&self) -> f64 {
        self.rate_c_per_s
    }

    /// Whether its voltage has begun to collapse.
    #[must_use]
    pub const fn is_collapsing(&self) -> bool {
        0.0 < self.collapsed
    }

    /// Its voltage: `rest_v` less what a short and a current (A, positive charges) through `ohm` take.
    #[must_use]
    pub fn voltage(&self, rest_v: f64, current_a: f64, ohm: f64) -> f64 {
        let sag = self.short_w() / rest_v * SAG_OHM;
        ((rest_v - sag) * (1.0 - self.collapsed) + current_a * ohm * (1.0 - self.collapsed)).max(0.0)
    }

    /// Power of its short now, W; a cell without voltage feeds none.
    fn short_w(&self) -> f64 {
        self.short.map_or(0.0, |(short, age_s)| short.power_w(age_s) * (1.0 - self.collapsed))
    }

    /// The longest step that this cell may take, s.
    pub(super) fn step_max_s(&self) -> f64 {
        if self.front || 0.2 < self.rate_c_per_s {
            0.1
        } else if self.short.is_some() || 0.0 < self.heater_w {
            0.5
        } else if AWAKE_C < self.core_c {
            2.0
        } else {
            10.0
        }
    }

    /// Lets time pass. `flows_in_w` comes from neighbours and from current.
    pub(super) fn step(&mut self, seconds: f64, kinetics: &Kinetics, air_c: f64, flows_in_w: f64) -> Freed {
        let before = self.core_c;
        let outward_w = CORE_TO_AIR_W_PER_K * (self.core_c - air_c);
        let spot_w = if self.short.is_some() { self.step_spot(seconds) } else { 0.0 };
        self.core_c += (self.heater_w + flows_in_w + spot_w - outward_w) * seconds / CORE_J_PER_K;
        let burnt = if AWAKE_C < self.core_c.max(self.spot_c) { self.react(seconds, kinetics) } else { 0.0 };
        self.core_c += burnt * kinetics.rise_k;
        if self.short.is_none() {
            self.spot_c = self.core_c;
        }
        self.rate_c_per_s = (self.core_c - before) / seconds;
        self.runaway |= self.front || 1.0 <= burnt * kinetics.rise_k / seconds;
        let skin_c = self.core_c + self.nearness * (self.spot_c - self.core_c);
        self.sensor_c += (skin_c - self.sensor_c) * (1.0 - (-seconds / SENSOR_S).exp());
        Freed { heat_j: outward_w * seconds, ..self.vent(seconds, burnt, kinetics) }
    }

    /// The spot of a short; gives what flows from it into the core, W.
    fn step_spot(&mut self, seconds: f64) -> f64 {
        let power_w = self.short_w();
        let inward_w = SPOT_TO_CORE_W_PER_K * (self.spot_c - self.core_c);
        self.spot_c += (power_w - inward_w) * seconds / SPOT_J_PER_K;
        if self.front {
            self.spot_c += (FRONT_C - self.spot_c).max(0.0) * (seconds / FRONT_HEATS_S).min(1.0);
        }
        if let Some((_, age_s)) = &mut self.short {
            *age_s += seconds;
        }
        inward_w
    }

    /// The reaction: gives the part of the whole that burnt.
    fn react(&mut self, seconds: f64, kinetics: &Kinetics) -> f64 {
        let left = 1.0 - self.reacted;
        if left <= 0.0 {
            self.front = false;
            return 0.0;
        }
        self.front |= SHRINK_C <= self.spot_c && self.short.is_some() && kinetics.front_s.is_finite();
        let by_front = if self.front { seconds / kinetics.front_s } else { 0.0 };
        let burnt = (kinetics.rate(self.core_c) * left * seconds + by_front).min(left);
        self.reacted += burnt;
        if kinetics.collapse_c <= self.core_c {
            self.collapsed += seconds / COLLAPSE_S;
        }
        // A front leaves the voltage for a while: the cells in parallel inside are eaten one by one.
        let eaten = if self.front { ((self.reacted - 0.4) / 0.6).max(0.0).powi(2) } else { 0.0 };
        self.collapsed = self.collapsed.max(eaten).min(1.0);
        burnt
    }

    fn vent(&mut self, seconds: f64, burnt: f64, kinetics: &Kinetics) -> Freed {
        self.vented |= kinetics.vent_c <= self.core_c || self.front;
        if !self.vented {
            return Freed::default();
        }
        let early_left = (self.gas_left - (1.0 - self.early_gas)).max(0.0);
        let early = early_left * (seconds / VENTS_S).min(1.0);
        let late = (burnt * (1.0 - self.early_gas)).min(self.gas_left - early);
        self.gas_left -= early + late;
        // Shares of the cell's gas; the rack makes volumes of them.
        Freed { gas_m3: early + late, smoke_m3: 0.15 * early + late, heat_j: 0.0 }
    }
}

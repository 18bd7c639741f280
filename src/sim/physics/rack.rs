//! A rack: cells in a row in a cabinet, in series, that heat each other and the air around them.

use super::cell::{Cell, Freed, Short};
use super::chemistry::{Chemistry, Kinetics};

/// Between the cores of neighbouring cells, W/K: a neighbour of a burnt cell runs away after 2 to 15 min (five cells in
/// a row, github matwerkzdev4/Thermal-runaway-analysis, `Thermal_Runaway_200C_Findings_Report.md`).
const NEIGHBOUR_W_PER_K: f64 = 0.6;
/// What the air and the sheets of the cabinet take, J/K, and how fast it follows the room, s.
const CABINET_J_PER_K: f64 = 20_000.0;
const CABINET_TO_ROOM_S: f64 = 900.0;
/// Resistance of a cell to its load, Ω.
const CELL_OHM: f64 = 0.0015;
/// Charge of a cell, A s.
const CELL_AS: f64 = 26.0 * 3600.0;
/// The behaviour of the cells is looked up anew when the charge has moved by this, %.
const SOC_STEP: f64 = 0.5;

/// One rack.
#[derive(Clone, Debug)]
pub struct Rack {
    /// In the order in which they touch each other.
    cells: Vec<Cell>,
    /// Current through all of them, A; positive charges.
    pub current_a: f64,
    chemistry: Chemistry,
    soc_pct: f64,
    kinetics: Kinetics,
    kinetics_soc_pct: f64,
    cabinet_c: f64,
    /// Time that has passed and that no step has covered yet, s.
    owed_s: f64,
    /// What flows into each cell from its neighbours, W; kept so that steps need no memory of their own.
    flows_w: Vec<f64>,
}

impl Rack {
    /// A rack of sound cells at the temperature of the room.
    #[must_use]
    pub fn new(chemistry: Chemistry, cells: usize, soc_pct: f64, room_c: f64) -> Self {
        assert!(0 < cells, "a rack without cells has no hottest one");
        Self {
            cells: vec![Cell::at(room_c); cells],
            current_a: 0.0,
            chemistry,
            soc_pct,
            kinetics: chemistry.at(soc_pct),
            kinetics_soc_pct: soc_pct,
            cabinet_c: room_c,
            owed_s: 0.0,
            flows_w: vec![0.0; cells],
        }
    }

    /// Its cells, in the order in which they touch each other.
    #[must_use]
    pub fn cells(&self) -> &[Cell] {
        &self.cells
    }

    /// A cell is heated from outside from now on, W; 0 ends it.
    pub fn heat(&mut self, cell: usize, watts: f64) {
        self.catch_up();
        self.cells[cell].heater_w = watts;
    }

    /// A cell shorts inside from now on.
    pub fn short(&mut self, cell: usize, short: Short) {
        self.catch_up();
        self.cells[cell].shorts(short);
    }

    /// How much of the spot of a short a cell's sensor sees, 0 (it sits on the terminal) to 1 (right above it), and which
    /// part of its gas leaves with the vent, before it burns.
    pub fn arrange(&mut self, cell: usize, nearness: f64, early_gas: f64) {
        (self.cells[cell].nearness, self.cells[cell].early_gas) = (nearness, early_gas);
    }

    /// Covers what was saved up for a long step, before something begins: it must not have begun earlier.
    fn catch_up(&mut self) {
        let owed_s = std::mem::take(&mut self.owed_s);
        if 0.0 < owed_s {
            let _nothing_leaves_a_calm_rack = self.step(owed_s, self.cabinet_c);
        }
    }

    /// State of charge, %.
    #[must_use]
    pub const fn soc_pct(&self) -> f64 {
        self.soc_pct
    }

    /// Temperature of the air in the cabinet, °C.
    #[must_use]
    pub const fn cabinet_c(&self) -> f64 {
        self.cabinet_c
    }

    /// Voltage of one cell, V.
    #[must_use]
    pub fn cell_v(&self, cell: usize) -> f64 {
        self.cells[cell].voltage(self.chemistry.rest_v(self.soc_pct), self.current_a, CELL_OHM)
    }

    /// Voltage of the string, V.
    #[must_use]
    pub fn voltage(&self) -> f64 {
        (0..self.cells.len()).map(|cell| self.cell_v(cell)).sum()
    }

    /// The lowest and the highest cell voltage, V.
    #[must_use]
    pub fn voltages(&self) -> (f64, f64) {
        bounds((0..self.cells.len()).map(|cell| self.cell_v(cell)))
    }

    /// The lowest and the highest temperature that sensors show, °C.
    #[must_use]
    pub fn sensors_c(&self) -> (f64, f64) {
        bounds(self.cells.iter().map(Cell::sensor_c))
    }

    /// Whether any cell has run away.
    #[must_use]
    pub fn has_run_away(&self) -> bool {
        self.cells.iter().any(Cell::has_run_away)
    }

    /// Lets time pass, in steps as long as the hottest cell allows; a calm rack saves time up for one long step. Gives
    /// what left the cells.
    pub(super) fn pass(&mut self, seconds: f64, room_c: f64) -> Freed {
        self.owed_s += seconds;
        let mut freed = Freed::default();
        loop {
            let longest = self.cells.iter().map(Cell::step_max_s).fold(f64::MAX, f64::min);
            // What is calm waits for a whole step; what is not takes also what is left.
            let step = if longest < 10.0 { longest.min(self.owed_s) } else { longest };
            if step <= 0.0 || self.owed_s < step {
                return freed;
            }
            self.owed_s -= step;
            let one = self.step(step, room_c);
            freed.gas_m3 += one.gas_m3;
            freed.smoke_m3 += one.smoke_m3;
            freed.heat_j += one.heat_j;
        }
    }

    fn step(&mut self, seconds: f64, room_c: f64) -> Freed {
        self.charge(seconds);
        let joule_w = self.current_a * self.current_a * CELL_OHM;
        for cell in 0..self.cells.len() {
            let core_c = self.cells[cell].core_c();
            let beside = |other: usize| self.cells[other].core_c() - core_c;
            let before = if 0 < cell { beside(cell - 1) } else { 0.0 };
            let after = if cell + 1 < self.cells.len() { beside(cell + 1) } else { 0.0 };
            self.flows_w[cell] = joule_w + NEIGHBOUR_W_PER_K * (before + after);
        }
        let mut freed = Freed::default();
        for (cell, flow_w) in self.cells.iter_mut().zip(&self.flows_w) {
            let one = cell.step(seconds, &self.kinetics, self.cabinet_c, *flow_w);
            freed.gas_m3 += one.gas_m3 * self.chemistry.gas_m3();
            freed.smoke_m3 += one.smoke_m3 * self.chemistry.gas_m3();
            freed.heat_j += one.heat_j;
        }
        let to_room = 1.0 - (-seconds / CABINET_TO_ROOM_S).exp();
        self.cabinet_c += freed.heat_j / CABINET_J_PER_K + (room_c - self.cabinet_c) * to_room;
        freed
    }

    fn charge(&mut self, seconds: f64) {
        self.soc_pct = (self.soc_pct + self.current_a * seconds / CELL_AS * 100.0).clamp(0.0, 100.0);
        if SOC_STEP < (self.soc_pct - self.kinetics_soc_pct).abs() {
            self.kinetics = self.chemistry.at(self.soc_pct);
            self.kinetics_soc_pct = self.soc_pct;
        }
    }
}

/// The lowest and the highest of some values.
fn bounds(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values.fold((f64::MAX, f64::MIN), |(low, high), value| (low.min(value), high.max(value)))
}

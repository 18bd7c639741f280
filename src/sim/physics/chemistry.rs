//! What cells are made of, and what that means once they are hot.
//!
//! The figures for LFP were fitted, by bisection, so that a cell that is heated at about 6 °C/min takes as long from venting
//! to runaway, burns as fast and loses its voltage as early as the prismatic cells did whose tests are quoted below.
//! What is not published for NMC is of the order that calorimeters give for such cells, and marked so.

/// The kind of cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chemistry {
    /// Lithium iron phosphate, prismatic.
    Lfp,
    /// Nickel manganese cobalt or its blends with manganese spinel, pouch, 26 Ah.
    Nmc,
}

/// How a cell of one kind and charge behaves when hot.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kinetics {
    /// The core vents from here on, °C.
    pub(super) vent_c: f64,
    /// Part of the whole that reacts each second at `vent_c`.
    pub(super) rate_at_vent: f64,
    /// No part reacts faster than this: what burns must first meet, 1/s.
    pub(super) rate_max: f64,
    /// How far the whole reaction heats the cell, K.
    pub(super) rise_k: f64,
    /// The separator melts: voltage begins to collapse, °C.
    pub(super) collapse_c: f64,
    /// How long a runaway takes to eat through the cell from the spot where it began, s; infinite if it dies out.
    pub(super) front_s: f64,
}

/// Activation energy over the gas constant, K: 1.1 eV, of the first exothermic reactions in either kind.
pub(super) const ACTIVATION_K: f64 = 12_765.0;

/// Charge in per cent, then the figures of [`Kinetics`] in their order.
type Knot = (f64, [f64; 6]);

/// LFP prismatic, heated: from vent to runaway 250, 179, 47, 21 s at 25, 50, 75, 100 % charge; peak rates 1.8, 12,
/// 17.6, 24.9 °C/s; voltage collapse 78, 35, 23, 4 s before the runaway; at 0 % it vents and does not run away
/// (wiki.rapiddraft.ai/battery-pack-china/thermal-propagation, tests of prismatic LFP cells). Vent at 150 °C, the rise
/// by charge and the front are of the usual order, not from there.
const LFP: [Knot; 5] = [
    (0.0, [150.0, 1.0e-4, 0.004, 80.0, 190.0, f64::INFINITY]),
    (25.0, [150.0, 1.397e-4, 0.0138, 180.0, 177.8, f64::INFINITY]),
    (50.0, [150.0, 1.627e-4, 0.0717, 260.0, 180.2, 150.0]),
    (75.0, [150.0, 6.012e-4, 0.0693, 340.0, 158.7, 80.0]),
    (100.0, [150.0, 8.977e-4, 0.0749, 420.0, 160.2, 40.0]),
];

/// NMC-LMO pouch: at 90 % it reached 850 °C within 16 s of the runaway and kept its voltage for 8 s of them (Sandia
/// National Laboratories, indentation tests, DOI 10.17632/sn2kv34r4h.1). Self-heating of 1 °C/s near 165 °C and the
/// vent of a pouch near 120 °C are of the order that calorimeters give for such cells.
const NMC: [Knot; 5] = [
    (0.0, [120.0, 1.0e-6, 0.002, 150.0, 165.0, f64::INFINITY]),
    (25.0, [120.0, 2.0e-5, 0.02, 350.0, 160.0, f64::INFINITY]),
    (50.0, [120.0, 6.0e-5, 0.06, 550.0, 155.0, 40.0]),
    (90.0, [120.0, 1.1e-4, 0.10, 800.0, 150.0, 13.0]),
    (100.0, [120.0, 1.3e-4, 0.12, 850.0, 150.0, 6.0]),
];

impl Chemistry {
    /// How it behaves at this charge, %.
    pub(super) fn at(self, soc_pct: f64) -> Kinetics {
        let knots = match self {
            Self::Lfp => &LFP,
            Self::Nmc => &NMC,
        };
        let soc = soc_pct.clamp(0.0, 100.0);
        let above = knots.iter().position(|(at, _)| soc <= *at).unwrap_or(knots.len() - 1).max(1);
        let ((low, from), (high, to)) = (knots[above - 1], knots[above]);
        let part = (soc - low) / (high - low);
        let between = |figure: usize| {
            let (from, to) = (from[figure], to[figure]);
            // A front that dies out at the lower charge does so up to the middle.
            if from.is_finite() {
                from + (to - from) * part
            } else if part < 0.5 {
                from
            } else {
                to
            }
        };
        Kinetics {
            vent_c: between(0),
            rate_at_vent: between(1),
            rate_max: between(2),
            rise_k: between(3),
            collapse_c: between(4),
            front_s: between(5),
        }
    }

    /// Voltage of a resting cell at this charge, %: a straight line through the plateau of each kind.
    pub(super) fn rest_v(self, soc_pct: f64) -> f64 {
        match self {
            Self::Lfp => 3.20 + 0.0013 * soc_pct + if 95.0 < soc_pct { 0.02 * (soc_pct - 95.0) } else { 0.0 },
            Self::Nmc => 3.45 + 0.0068 * soc_pct,
        }
    }

    /// Gas of a whole cell of 26 Ah, m³: 0.5 litres per Ah of LFP, 2 of NMC.
    pub(super) const fn gas_m3(self) -> f64 {
        match self {
            Self::Lfp => 0.013,
            Self::Nmc => 0.052,
        }
    }
}

impl Kinetics {
    /// Part of the whole that reacts each second at this temperature, °C.
    pub(super) fn rate(&self, core_c: f64) -> f64 {
        let exponent = ACTIVATION_K * (1.0 / (self.vent_c + 273.15) - 1.0 / (core_c + 273.15));
        (self.rate_at_vent * exponent.exp()).min(self.rate_max)
    }
}

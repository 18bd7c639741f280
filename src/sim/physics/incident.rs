//! What can begin in a room, and how much it differs from one time to the next.

use super::cell::Short;
use super::plant::Plant;
use crate::sim::noise::Noise;

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum IncidentKind {
    /// A cell shorts inside, weakly at first, and deepens until a front eats through it, or until it stops short of that.
    Short,
    /// A cell shorts inside so hard that it runs away within seconds: no lead time is possible.
    HardShort,
    /// A cell is heated from outside, by a loose joint or a failing charger, over minutes.
    Overheating,
    /// The cooling fails: the room warms by degrees within an hour.
    CoolingFailure,
    /// Dust or welding: smoke that is no battery's.
    StraySmoke,
    /// Solvent or cleaner: gas that is no battery's.
    StrayGas,
}

impl IncidentKind {
    /// Every kind.
    pub const ALL: [Self; 6] = [
        Self::Short,
        Self::HardShort,
        Self::Overheating,
        Self::CoolingFailure,
        Self::StraySmoke,
        Self::StrayGas,
    ];

    /// For people.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Short => "internal short",
            Self::HardShort => "hard internal short",
            Self::Overheating => "cell overheats",
            Self::CoolingFailure => "cooling fails",
            Self::StraySmoke => "dust or welding smoke",
            Self::StrayGas => "solvent vapour",
        }
    }

    /// Whether a battery is what is wrong.
    #[must_use]
    pub const fn is_of_a_battery(self) -> bool {
        match self {
            Self::Short | Self::HardShort | Self::Overheating => true,
            Self::CoolingFailure | Self::StraySmoke | Self::StrayGas => false,
        }
    }
}

/// One incident, with all its chances drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Incident {
    /// What.
    pub kind: IncidentKind,
    /// In which rack, where one matters.
    pub rack: usize,
    /// In which cell of it.
    pub cell: usize,
    /// How strong: W of a heater, %/m, % of the lower flammability limit.
    strength: f64,
    short: Short,
    nearness: f64,
    early_gas: f64,
    /// How long what is stray stays, s.
    pub lasts_s: f64,
}

/// In twelve tests with NMC modules most had no gas before the runaway (BAM, DOI 10.1039/D3RA02881J).
const NO_EARLY_GAS: f64 = 0.6;

impl Incident {
    /// Draws one of this kind for a rack.
    #[must_use]
    pub fn draw(kind: IncidentKind, rack: usize, cells: usize, noise: &mut Noise) -> Self {
        let first_w = match kind {
            IncidentKind::HardShort => noise.between(250.0, 500.0),
            IncidentKind::Short
            | IncidentKind::Overheating
            | IncidentKind::CoolingFailure
            | IncidentKind::StraySmoke
            | IncidentKind::StrayGas => noise.between(18.0, 40.0),
        };
        // The tests at 75 and 90 % charge lie at 48 and 61 W: some shorts stop short of a fire.
        let then_w = first_w.max(noise.between(42.0, 90.0));
        let short =
            Short { first_w, then_w, after_s: noise.between(20.0, 240.0), ramp_s: noise.between(8.0, 60.0) };
        let strength = match kind {
            IncidentKind::StraySmoke => noise.between(0.05, 3.0),
            IncidentKind::StrayGas => noise.between(3.0, 30.0),
            IncidentKind::Short
            | IncidentKind::HardShort
            | IncidentKind::Overheating
            | IncidentKind::CoolingFailure => noise.between(80.0, 400.0),
        };
        let early_gas = if noise.unit() < NO_EARLY_GAS { 0.0 } else { noise.between(0.05, 0.3) };
        Self {
            kind,
            rack,
            cell: noise.index(cells),
            strength,
            short,
            nearness: noise.between(0.0, 0.6),
            early_gas,
            lasts_s: noise.between(5.0, 300.0),
        }
    }

    /// Begins.
    pub fn begins(&self, plant: &mut Plant) {
        match self.kind {
            IncidentKind::Short | IncidentKind::HardShort => {
                plant.racks[self.rack].arrange(self.cell, self.nearness, self.early_gas);
                plant.racks[self.rack].short(self.cell, self.short);
            }
            IncidentKind::Overheating => {
                plant.racks[self.rack].arrange(self.cell, self.nearness, self.early_gas);
                plant.racks[self.rack].heat(self.cell, self.strength);
            }
            IncidentKind::CoolingFailure => plant.air.ventilation.uncooled = true,
            IncidentKind::StraySmoke => plant.air.stray_smoke_pct_m = self.strength,
            IncidentKind::StrayGas => plant.air.stray_gas_pct = self.strength,
        }
    }

    /// Ends, as far as it can: what is stray blows away, cooling is repaired. A burning cell burns on.
    pub fn ends(&self, plant: &mut Plant) {
        match self.kind {
            IncidentKind::Short | IncidentKind::HardShort | IncidentKind::Overheating => {}
            IncidentKind::CoolingFailure => plant.air.ventilation.uncooled = false,
            IncidentKind::StraySmoke => plant.air.stray_smoke_pct_m = 0.0,
            IncidentKind::StrayGas => plant.air.stray_gas_pct = 0.0,
        }
    }
}

//! The whole room: racks and the air around them, and what can be measured in it.

use super::air::Air;
use super::chemistry::Chemistry;
use super::rack::Rack;

/// Smoke levels of an aspirating detector, %/m: alert, action 1, action 2, fire 1, fire 2 (usual settings).
const SMOKE_STEPS: [f64; 5] = [0.04, 0.08, 0.3, 1.0, 2.0];

/// Something that an instrument in the room can measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Measured {
    /// The hottest cell's sensor of a rack, °C.
    CellTempMax(usize),
    /// The coolest cell's sensor of a rack, °C.
    CellTempMin(usize),
    /// The difference of the two, K.
    CellTempSpread(usize),
    /// One cell's sensor, °C.
    CellTemp(usize, usize),
    /// The highest cell voltage of a rack, V.
    CellVoltageMax(usize),
    /// The lowest cell voltage of a rack, V.
    CellVoltageMin(usize),
    /// The difference of the two, V.
    CellVoltageSpread(usize),
    /// One cell's voltage, V.
    CellVoltage(usize, usize),
    /// The string's voltage, V.
    StringVoltage(usize),
    /// The string's current, A; positive charges.
    Current(usize),
    /// State of charge, %.
    Charge(usize),
    /// The air in a rack's cabinet, °C.
    CabinetTemp(usize),
    /// Gas in a rack's cabinet, per cent of the lower flammability limit.
    CabinetGas(usize),
    /// Smoke in a rack's cabinet, %/m.
    CabinetSmoke(usize),
    /// The stages of an aspirating detector at a rack's cabinet, as bits.
    CabinetSmokeStages(usize),
    /// The room, °C.
    RoomTemp,
    /// Humidity of the room, %.
    RoomHumidity,
    /// Gas under the ceiling: what the worst cabinet lets out, per cent of the lower flammability limit.
    CeilingGas,
    /// Smoke in the worst sampling hole of the room, %/m.
    CeilingSmoke,
    /// The stages of an aspirating detector of the room, as bits.
    CeilingSmokeStages,
}

/// The room.
#[derive(Clone, Debug)]
pub struct Plant {
    /// Its racks.
    pub racks: Vec<Rack>,
    /// Its air.
    pub air: Air,
    age_s: f64,
}

impl Plant {
    /// A calm room with racks of this many cells each.
    #[must_use]
    pub fn new(chemistry: Chemistry, racks: usize, cells: usize, soc_pct: f64, room_c: f64) -> Self {
        Self {
            racks: (0..racks).map(|_| Rack::new(chemistry, cells, soc_pct, room_c)).collect(),
            air: Air::new(racks, room_c),
            age_s: 0.0,
        }
    }

    /// How long it has existed, s.
    #[must_use]
    pub const fn age_s(&self) -> f64 {
        self.age_s
    }

    /// Lets time pass.
    pub fn pass(&mut self, seconds: f64) {
        self.age_s += seconds;
        for (cabinet, rack) in self.racks.iter_mut().enumerate() {
            let freed = rack.pass(seconds, self.air.room_c());
            self.air.takes(cabinet, freed.gas_m3, freed.smoke_m3);
        }
        self.air.pass(seconds);
    }

    /// What a perfect instrument would read.
    #[must_use]
    pub fn measure(&self, what: Measured) -> f64 {
        match what {
            Measured::CellTempMax(rack) => self.racks[rack].sensors_c().1,
            Measured::CellTempMin(rack) => self.racks[rack].sensors_c().0,
            Measured::CellTempSpread(rack) => {
                let (low, high) = self.racks[rack].sensors_c();
                high - low
            }
            Measured::CellTemp(rack, cell) => self.racks[rack].cells()[cell].sensor_c(),
            Measured::CellVoltageMax(rack) => self.racks[rack].voltages().1,
            Measured::CellVoltageMin(rack) => self.racks[rack].voltages().0,
            Measured::CellVoltageSpread(rack) => {
                let (low, high) = self.racks[rack].voltages();
                high - low
            }
            Measured::CellVoltage(rack, cell) => self.racks[rack].cell_v(cell),
            Measured::StringVoltage(rack) => self.racks[rack].voltage(),
            Measured::Current(rack) => self.racks[rack].current_a,
            Measured::Charge(rack) => self.racks[rack].soc_pct(),
            Measured::CabinetTemp(rack) => self.racks[rack].cabinet_c(),
            Measured::CabinetGas(rack) => self.air.cabinet_gas_pct_lfl(rack).min(100.0),
            Measured::CabinetSmoke(rack) => self.air.cabinet_smoke_pct_m(rack),
            Measured::CabinetSmokeStages(rack) => smoke_stages(self.air.cabinet_smoke_pct_m(rack)),
            Measured::RoomTemp => self.air.room_c(),
            Measured::RoomHumidity => self.air.humidity_pct(),
            Measured::CeilingGas => self.ceiling_gas_pct_lfl(),
            Measured::CeilingSmoke => self.ceiling_smoke_pct_m(),
            Measured::CeilingSmokeStages => smoke_stages(self.ceiling_smoke_pct_m()),
        }
    }

    /// The detector hangs over the cabinets: it sees what the worst of them lets out, or the room if that is worse.
    fn ceiling_gas_pct_lfl(&self) -> f64 {
        let worst = (0..self.racks.len()).map(|rack| self.air.cabinet_gas_pct_lfl(rack));
        worst.fold(self.air.room_gas_pct_lfl(), f64::max).min(100.0)
    }

    fn ceiling_smoke_pct_m(&self) -> f64 {
        let worst = (0..self.racks.len()).map(|rack| self.air.cabinet_smoke_pct_m(rack));
        worst.fold(self.air.room_smoke_pct_m(), f64::max)
    }
}

/// The stages that this much smoke raises, a bit each.
fn smoke_stages(pct_m: f64) -> f64 {
    let raised = SMOKE_STEPS.iter().enumerate().filter(|(_, step)| **step <= pct_m);
    f64::from(raised.map(|(bit, _)| 1_u16 << bit).sum::<u16>())
}

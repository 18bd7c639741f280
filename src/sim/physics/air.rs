//! The air of the room and of its cabinets: gas, smoke, warmth, and the fans that move them.

/// Free volume of a cabinet, in which gas and smoke gather first, m³.
const CABINET_M3: f64 = 0.5;
/// Volume of the room, m³.
const ROOM_M3: f64 = 120.0;
/// Lower flammability limit of what lithium cells vent, as a part of the volume: 6 to 10 %.
const LFL: f64 = 0.08;
/// How fast gas and smoke leave a cabinet for the room, s; with its exhaust fan on, s.
const CABINET_S: f64 = 180.0;
const CABINET_EXHAUSTED_S: f64 = 40.0;
/// How fast they leave the room: two changes of air an hour, or ten, s.
const ROOM_S: f64 = 1800.0;
const ROOM_EXHAUSTED_S: f64 = 360.0;
/// Obscuration by a volume of smoke, %/m for each part of the volume.
const OBSCURES: f64 = 200.0;
/// From morning to afternoon the room follows the day by so much, K: cooled rooms hardly do.
const DAY_K: f64 = 1.5;
const DAY_S: f64 = 86_400.0;
/// How fast the room follows its cooling, s, and where it ends without it, K above.
const COOLING_S: f64 = 1200.0;
const UNCOOLED_K: f64 = 16.0;
/// The air is moved in steps of this, s: they are exact, and short enough for every instrument.
const STEP_S: f64 = 1.0;
/// Relative humidity of the cooled room, %.
const HUMIDITY_PCT: f64 = 45.0;

/// What moves the air.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ventilation {
    /// The exhaust fan runs.
    pub exhaust: bool,
    /// The cooling has failed.
    pub uncooled: bool,
}

/// What is in one volume.
#[derive(Clone, Copy, Debug, Default)]
struct Cloud {
    gas_m3: f64,
    smoke_m3: f64,
}

impl Cloud {
    /// What leaves in a step, at this pace.
    fn leaves(&mut self, seconds: f64, pace_s: f64) -> Self {
        let part = 1.0 - (-seconds / pace_s).exp();
        let gone = Self { gas_m3: self.gas_m3 * part, smoke_m3: self.smoke_m3 * part };
        self.gas_m3 -= gone.gas_m3;
        self.smoke_m3 -= gone.smoke_m3;
        gone
    }

    fn takes(&mut self, other: Self) {
        self.gas_m3 += other.gas_m3;
        self.smoke_m3 += other.smoke_m3;
    }
}

/// The air.
#[derive(Clone, Debug)]
pub struct Air {
    /// What moves it.
    pub ventilation: Ventilation,
    /// Solvent vapour that is no battery's, as a part of the lower flammability limit, %.
    pub stray_gas_pct: f64,
    /// Dust or welding smoke that is no battery's, %/m.
    pub stray_smoke_pct_m: f64,
    set_c: f64,
    room_c: f64,
    humidity_pct: f64,
    age_s: f64,
    /// Time that has passed and that no step has covered yet, s.
    owed_s: f64,
    cabinets: Vec<Cloud>,
    room: Cloud,
}

impl Air {
    pub(super) fn new(cabinets: usize, room_c: f64) -> Self {
        Self {
            ventilation: Ventilation::default(),
            stray_gas_pct: 0.0,
            stray_smoke_pct_m: 0.0,
            set_c: room_c,
            room_c,
            humidity_pct: HUMIDITY_PCT,
            age_s: 0.0,
            owed_s: 0.0,
            cabinets: vec![Cloud::default(); cabinets],
            room: Cloud::default(),
        }
    }

    /// Temperature of the room, °C.
    #[must_use]
    pub const fn room_c(&self) -> f64 {
        self.room_c
    }

    /// Relative humidity of the room, %.
    #[must_use]
    pub const fn humidity_pct(&self) -> f64 {
        self.humidity_pct
    }

    /// Gas in a cabinet, per cent of the lower flammability limit.
    #[must_use]
    pub fn cabinet_gas_pct_lfl(&self, cabinet: usize) -> f64 {
        pct_lfl(self.cabinets[cabinet], CABINET_M3) + self.stray_gas_pct
    }

    /// Gas in the room, per cent of the lower flammability limit.
    #[must_use]
    pub fn room_gas_pct_lfl(&self) -> f64 {
        pct_lfl(self.room, ROOM_M3) + self.stray_gas_pct
    }

    /// Smoke in a cabinet, %/m.
    #[must_use]
    pub fn cabinet_smoke_pct_m(&self, cabinet: usize) -> f64 {
        obscuration(self.cabinets[cabinet], CABINET_M3) + self.stray_smoke_pct_m
    }

    /// Smoke in the room, %/m.
    #[must_use]
    pub fn room_smoke_pct_m(&self) -> f64 {
        obscuration(self.room, ROOM_M3) + self.stray_smoke_pct_m
    }

    /// Gas and smoke that a rack set free, m³.
    pub(super) fn takes(&mut self, cabinet: usize, gas_m3: f64, smoke_m3: f64) {
        self.cabinets[cabinet].takes(Cloud { gas_m3, smoke_m3 });
    }

    /// Lets time pass.
    pub(super) fn pass(&mut self, seconds: f64) {
        self.owed_s += seconds;
        if STEP_S <= self.owed_s {
            let owed_s = std::mem::take(&mut self.owed_s);
            self.step(owed_s);
        }
    }

    /// Exact for steps of any length.
    fn step(&mut self, seconds: f64) {
        self.age_s += seconds;
        let exhausted = self.ventilation.exhaust;
        let (cabinet_s, room_s) =
            if exhausted { (CABINET_EXHAUSTED_S, ROOM_EXHAUSTED_S) } else { (CABINET_S, ROOM_S) };
        for cabinet in &mut self.cabinets {
            let gone = cabinet.leaves(seconds, cabinet_s);
            self.room.takes(gone);
        }
        let _outside = self.room.leaves(seconds, room_s);
        let of_day = DAY_K * (self.age_s / DAY_S * std::f64::consts::TAU).sin();
        let aims_c = self.set_c + of_day + if self.ventilation.uncooled { UNCOOLED_K } else { 0.0 };
        self.room_c += (aims_c - self.room_c) * (1.0 - (-seconds / COOLING_S).exp());
        // The same water in warmer air: about 6 % of the humidity for each kelvin.
        self.humidity_pct = (HUMIDITY_PCT * (-0.06 * (self.room_c - self.set_c)).exp()).clamp(5.0, 95.0);
    }
}

fn pct_lfl(cloud: Cloud, volume_m3: f64) -> f64 {
    cloud.gas_m3 / volume_m3 / LFL * 100.0
}

fn obscuration(cloud: Cloud, volume_m3: f64) -> f64 {
    cloud.smoke_m3 / volume_m3 * OBSCURES
}

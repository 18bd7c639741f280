//! What stands between the room and a reading: noise, and every way in which a sensor or its device can fail.
//!
//! A fault here is one of the sensor or of the device behind it, not of the bus: what a bus does to frames is tried
//! against real links elsewhere.

use crate::sim::noise::Noise;

/// What is wrong with an instrument.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    /// It does not answer.
    Silent,
    /// It says itself that it has no value: a sentinel, a fault bit.
    Disowns,
    /// It repeats what it read when the fault began: a frozen register, a management that has stopped measuring.
    FlatLine,
    /// It reads so much too high.
    Offset(f64),
    /// It wanders by so much an hour.
    Drift(f64),
    /// It is scaled wrongly: 10 for tenths read as units, 0 for a block that was never filled.
    Scale(f64),
    /// It rests at a value: a broken wire, a full scale.
    StuckAt(f64),
    /// Now and then it reads this instead, once in so many readings.
    Spikes {
        /// What it reads then.
        to: f64,
        /// How often: one reading in this many.
        one_in: u32,
    },
}

/// What comes of a reading.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reported {
    /// A value.
    Value(f64),
    /// No answer.
    Nothing,
    /// An answer that says it is none.
    Disowned,
}

/// An instrument over one quantity.
#[derive(Clone, Debug)]
pub struct Instrument {
    /// Noise of a sound reading, to either side.
    noise: f64,
    fault: Option<(Fault, f64)>,
    frozen: Option<f64>,
}

impl Instrument {
    /// A sound instrument with so much noise to either side.
    #[must_use]
    pub const fn new(noise: f64) -> Self {
        Self { noise, fault: None, frozen: None }
    }

    /// From `at_s` on this is wrong with it.
    pub const fn fails(&mut self, fault: Fault, at_s: f64) {
        self.fault = Some((fault, at_s));
        self.frozen = None;
    }

    /// It is repaired.
    pub const fn recovers(&mut self) {
        self.fault = None;
        self.frozen = None;
    }

    /// Whether something is wrong with it.
    #[must_use]
    pub const fn is_faulty(&self) -> bool {
        self.fault.is_some()
    }

    /// Reads `truth` at this time, s.
    pub fn read(&mut self, truth: f64, at_s: f64, noise: &mut Noise) -> Reported {
        let noisy = if self.noise == 0.0 { truth } else { truth + self.noise * noise.even() };
        let Some((fault, since_s)) = self.fault else { return Reported::Value(noisy) };
        Reported::Value(match fault {
            Fault::Silent => return Reported::Nothing,
            Fault::Disowns => return Reported::Disowned,
            Fault::FlatLine => *self.frozen.get_or_insert(noisy),
            Fault::Offset(by) => noisy + by,
            Fault::Drift(per_hour) => noisy + per_hour * (at_s - since_s) / 3600.0,
            Fault::Scale(by) => noisy * by,
            Fault::StuckAt(value) => value,
            Fault::Spikes { to, one_in } => {
                if noise.one_in(one_in) {
                    to
                } else {
                    noisy
                }
            }
        })
    }
}

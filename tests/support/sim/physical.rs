//! A room that burns by physics: its channels see the heat, gas and smoke of cells that short, instead of being told.

use emberwatch::sim::Noise;
use emberwatch::sim::physics::{Chemistry, Incident, IncidentKind, Measured, Plant};

use emberwatch::units::Millis;

use super::dice::Dice;
use super::room::{CALM, DANGER, RANGE};

/// Cells of the room's rack.
const CELLS: usize = 4;
/// After so long the rack is replaced by a new one, if nothing shows danger any more.
const REPLACED_AFTER_MS: u64 = 45 * 60_000;
/// What state channels read at warning and at danger.
const WARNS: f64 = 60.0;
const ALARMS: f64 = 95.0;
/// A temperature must be so far beyond its limit before it counts as shown: noise is to either side.
const BEYOND: f64 = 1.0;

/// The room's plant, and what has begun in it.
#[derive(Debug)]
pub(crate) struct Physical {
    plant: Plant,
    noise: Noise,
    /// Until when the plant has lived, ms.
    lived: u64,
    begun: Option<u64>,
    incident: Option<Incident>,
}

impl Physical {
    pub(crate) fn new(seed: u64, now: u64) -> Self {
        let chemistry = if seed.is_multiple_of(2) { Chemistry::Nmc } else { Chemistry::Lfp };
        let plant = Plant::new(chemistry, 1, CELLS, 90.0, 22.0);
        Self { plant, noise: Noise::new(seed), lived: now, begun: None, incident: None }
    }

    /// Lets the plant live until now, and replaces it when it has burnt out.
    pub(crate) fn live(&mut self, now: u64, shows_danger: bool) {
        let seconds = Millis(now - self.lived).as_secs_f64();
        if 0.0 < seconds {
            self.plant.pass(seconds);
            self.lived = now;
        }
        let Some(begun) = self.begun else { return };
        if let Some(incident) = &self.incident
            && !incident.kind.is_of_a_battery()
            && incident.lasts_s < Millis(now - begun).as_secs_f64()
        {
            incident.ends(&mut self.plant);
        }
        if begun + REPLACED_AFTER_MS < now && !shows_danger {
            let seed = now ^ begun;
            *self = Self::new(seed, now);
        }
    }

    /// Something begins, unless something has already.
    pub(crate) fn begins(&mut self, now: u64, dice: &mut Dice) {
        if self.begun.is_some() {
            return;
        }
        let kinds = [
            IncidentKind::Short,
            IncidentKind::HardShort,
            IncidentKind::Overheating,
            IncidentKind::StraySmoke,
            IncidentKind::StrayGas,
        ];
        let incident = Incident::draw(dice.pick(&kinds), 0, CELLS, &mut self.noise);
        incident.begins(&mut self.plant);
        (self.begun, self.incident) = (Some(now), Some(incident));
    }

    /// Whether nothing has begun: nothing can show danger.
    pub(crate) const fn is_calm(&self) -> bool {
        self.begun.is_none()
    }

    /// What the channel of this number reads without noise: a temperature, or the alarms of gas and smoke in turn.
    pub(crate) fn reads(&self, channel: usize, measures: bool) -> f64 {
        if measures {
            return self.plant.measure(Measured::CellTempMax(0)).min(RANGE.1 - 10.0);
        }
        let (value, warns, alarms) = if channel.is_multiple_of(2) {
            (self.plant.measure(Measured::CeilingGas), 10.0, 25.0)
        } else {
            (self.plant.measure(Measured::CeilingSmoke), 0.08, 1.0)
        };
        if alarms <= value {
            ALARMS
        } else if warns <= value {
            WARNS
        } else {
            CALM
        }
    }

    /// Whether that channel shows danger, whatever the noise.
    pub(crate) fn shows_danger(&self, channel: usize, measures: bool) -> bool {
        let limit = if measures { DANGER + BEYOND } else { ALARMS };
        limit <= self.reads(channel, measures)
    }
}

//! What each point of a configuration sees of the simulated room.
//!
//! Devices do not say what they measure in one language, so it is guessed from what a device is, the unit of the point
//! and its name; a site can say it itself. What no guess fits rests at a calm value: it is listed, never hidden.

use std::collections::BTreeMap;

use super::world::CELLS;
use crate::safety::site::{DeviceId, DeviceKind, Labels, Point, PointId, Site};
use crate::sim::physics::Measured;
use crate::units::Unit;

/// Volume parts per million at the lower flammability limit of vent gas (8 % of the volume), for each per cent of it.
const PPM_PER_PCT_LFL: f64 = 800.0;
/// Gas alarms of a detector that names them by number, % of the lower flammability limit.
const GAS_ALARMS: [f64; 2] = [10.0, 25.0];
/// Bits of the stages that `Measured::CabinetSmokeStages` gives, by the words that devices use for them.
const SMOKE_WORDS: [(&str, u32); 7] = [
    ("alert", 0),
    ("action-1", 1),
    ("action-2", 2),
    ("action", 1),
    ("fire-1", 3),
    ("fire-2", 4),
    ("fire", 3),
];

/// What a point sees.
#[derive(Clone, Debug, PartialEq)]
pub enum Role {
    /// A quantity of the room, times this.
    Measures(Measured, f64),
    /// A voltage in the range of this site: the calm value, moving as the room's does by its parts.
    Voltage(Measured),
    /// Bits: each is set while the quantity is at or above its limit.
    Stages(Measured, Vec<(u32, f64)>),
    /// Bits: each is set while this bit of the detector's stages is.
    Bits(Measured, Vec<(u32, u32)>),
    /// Counts, as a device that is alive does.
    Counts,
    /// Nothing that happens in the room moves it.
    Rests,
}

/// What each point sees, and which racks there are.
#[derive(Clone, Debug)]
pub struct Roles {
    /// One for each point of the site.
    pub of: Vec<Role>,
    /// The battery device of each rack.
    pub racks: Vec<DeviceId>,
}

/// One line of what is known of a point's role, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// `device/point`.
    pub point: String,
    /// What it sees, or that it rests.
    pub role: String,
    /// Whether it sees anything that can happen.
    pub sees: bool,
}

/// The words with which a site can say what a point sees, beside `rests` and `counts`.
pub const WORDS: [&str; 17] = [
    "cell-temp-max",
    "cell-temp-min",
    "cell-temp-spread",
    "cell-temp",
    "cell-voltage-max",
    "cell-voltage-min",
    "cell-voltage-spread",
    "string-voltage",
    "cabinet-temp",
    "cabinet-gas",
    "cabinet-smoke",
    "room-temp",
    "room-humidity",
    "ceiling-gas",
    "ceiling-smoke",
    "counts",
    "rests",
];

impl Roles {
    /// Guesses the roles of all points; what `said` says of a `device/point` goes before every guess.
    ///
    /// Errors name an entry of `said` that is no point of the site or no role.
    pub fn of(site: &Site, said: &BTreeMap<String, String>) -> Result<Self, String> {
        let racks: Vec<DeviceId> = (0..site.devices.len())
            .map(DeviceId::at)
            .filter(|device| site[*device].kind == DeviceKind::Battery)
            .collect();
        let mut left: BTreeMap<&str, &str> = said.iter().map(|(key, word)| (&**key, &**word)).collect();
        let mut of = Vec::with_capacity(site.points.len());
        for index in 0..site.points.len() {
            let place = Place::of(site, PointId::at(index), &racks);
            let role = match left.remove(place.key.as_str()) {
                Some(word) => place.said(word).ok_or_else(|| {
                    format!("{}: `{word}` is no role; there are {}", place.key, WORDS.join(", "))
                })?,
                None => place.guess(),
            };
            of.push(role);
        }
        match left.keys().next() {
            Some(unknown) => Err(format!("{unknown} is no point of this configuration")),
            None => Ok(Self { of, racks }),
        }
    }

    /// What is known of each point, for people.
    #[must_use]
    pub fn seen(&self, site: &Site) -> Vec<Seen> {
        let line = |(index, role): (usize, &Role)| Seen {
            point: key(site, PointId::at(index)),
            role: role.text(),
            sees: !matches!(role, Role::Rests | Role::Counts),
        };
        self.of.iter().enumerate().map(line).collect()
    }
}

impl Role {
    /// Noise of a sound reading, to either side: of the order of common instruments.
    pub(super) const fn noise(&self) -> f64 {
        match self {
            Self::Measures(what, scale) => noise_of(*what) * *scale,
            Self::Voltage(_) => 0.05,
            Self::Stages(..) | Self::Bits(..) | Self::Counts | Self::Rests => 0.0,
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Measures(what, _) | Self::Voltage(what) => words(*what),
            Self::Stages(what, _) | Self::Bits(what, _) => format!("alarms of {}", words(*what)),
            Self::Counts => "counts".to_owned(),
            Self::Rests => "rests".to_owned(),
        }
    }
}

const fn noise_of(what: Measured) -> f64 {
    match what {
        Measured::CellTempMax(_)
        | Measured::CellTempMin(_)
        | Measured::CellTempSpread(_)
        | Measured::CellTemp(..)
        | Measured::CabinetTemp(_)
        | Measured::RoomTemp
        | Measured::Current(_) => 0.1,
        Measured::CellVoltageMax(_)
        | Measured::CellVoltageMin(_)
        | Measured::CellVoltageSpread(_)
        | Measured::CellVoltage(..) => 0.001,
        Measured::StringVoltage(_) | Measured::Charge(_) => 0.05,
        Measured::CabinetGas(_) | Measured::CeilingGas => 0.3,
        Measured::CabinetSmoke(_) | Measured::CeilingSmoke => 0.004,
        Measured::RoomHumidity => 0.5,
        Measured::CabinetSmokeStages(_) | Measured::CeilingSmokeStages => 0.0,
    }
}

fn words(what: Measured) -> String {
    let of = |what: &str, rack: usize| format!("{what}, rack {}", rack + 1);
    match what {
        Measured::CellTempMax(rack) => of("hottest cell", rack),
        Measured::CellTempMin(rack) => of("coolest cell", rack),
        Measured::CellTempSpread(rack) => of("spread of cell temperatures", rack),
        Measured::CellTemp(rack, cell) => format!("cell {}, rack {}", cell + 1, rack + 1),
        Measured::CellVoltageMax(rack) => of("highest cell voltage", rack),
        Measured::CellVoltageMin(rack) => of("lowest cell voltage", rack),
        Measured::CellVoltageSpread(rack) => of("spread of cell voltages", rack),
        Measured::CellVoltage(rack, cell) => format!("voltage of cell {}, rack {}", cell + 1, rack + 1),
        Measured::StringVoltage(rack) => of("string voltage", rack),
        Measured::Current(rack) => of("string current", rack),
        Measured::Charge(rack) => of("charge", rack),
        Measured::CabinetTemp(rack) => of("air of the cabinet", rack),
        Measured::CabinetGas(rack) => of("gas in the cabinet", rack),
        Measured::CabinetSmoke(rack) | Measured::CabinetSmokeStages(rack) => of("smoke in the cabinet", rack),
        Measured::RoomTemp => "room temperature".to_owned(),
        Measured::RoomHumidity => "room humidity".to_owned(),
        Measured::CeilingGas => "gas at the ceiling".to_owned(),
        Measured::CeilingSmoke | Measured::CeilingSmokeStages => "smoke at the ceiling".to_owned(),
    }
}

/// `device/point`.
pub(super) fn key(site: &Site, point: PointId) -> String {
    format!("{}/{}", site[site[point].device].name, site[point].name)
}

/// A point and where it is.
struct Place<'a> {
    point: &'a Point,
    kind: DeviceKind,
    key: String,
    /// The rack that it stands at; `None` for what is in the room.
    rack: Option<usize>,
    is_heartbeat: bool,
}

impl<'a> Place<'a> {
    fn of(site: &'a Site, id: PointId, racks: &[DeviceId]) -> Self {
        let point = &site[id];
        let device = &site[point.device];
        // A detector in the zone of exactly one rack stands at that rack.
        let own = racks.iter().position(|rack| *rack == point.device);
        let mut in_zone = (0..racks.len()).filter(|rack| site[racks[*rack]].zone == device.zone);
        let rack = own.or_else(|| in_zone.next().filter(|_| in_zone.next().is_none()));
        let is_heartbeat = site.heartbeats.iter().any(|beat| beat.point == id);
        Self { point, kind: device.kind, key: key(site, id), rack, is_heartbeat }
    }

    fn named(&self, parts: &[&str]) -> bool {
        parts.iter().any(|part| self.point.name.contains(part))
    }

    /// The number that ends its name, counted from zero.
    fn number(&self) -> Option<usize> {
        let digits =
            self.point.name.len() - self.point.name.trim_end_matches(|it: char| it.is_ascii_digit()).len();
        let number = &self.point.name[self.point.name.len() - digits..];
        number.parse::<usize>().ok().map(|number| number.saturating_sub(1) % CELLS)
    }

    fn guess(&self) -> Role {
        if self.is_heartbeat || self.named(&["heartbeat"]) {
            return Role::Counts;
        }
        match (self.kind, self.point.unit) {
            (DeviceKind::Battery, Unit::Celsius) => self.cell_temp(),
            (DeviceKind::Battery, Unit::Volt) => self.voltage(),
            (_, Unit::Celsius) if self.named(&["cell", "battery", "cabinet", "rack"]) => match self.rack {
                Some(rack) => Role::Measures(Measured::CabinetTemp(rack), 1.0),
                None => Role::Measures(Measured::RoomTemp, 1.0),
            },
            (_, Unit::Celsius) => Role::Measures(Measured::RoomTemp, 1.0),
            (DeviceKind::Environment, Unit::Percent) => Role::Measures(Measured::RoomHumidity, 1.0),
            (DeviceKind::Gas, Unit::PercentLfl) => Role::Measures(self.gas(), 1.0),
            (DeviceKind::Gas, Unit::Ppm) => Role::Measures(self.gas(), PPM_PER_PCT_LFL),
            (_, Unit::ObscurationPerMetre) => Role::Measures(self.smoke(), 1.0),
            (DeviceKind::Gas, Unit::None) => self.gas_alarms(),
            (DeviceKind::Smoke, Unit::None) => self.smoke_stages(),
            (_, _) => Role::Rests,
        }
    }

    fn gas(&self) -> Measured {
        self.rack.map_or(Measured::CeilingGas, Measured::CabinetGas)
    }

    fn smoke(&self) -> Measured {
        self.rack.map_or(Measured::CeilingSmoke, Measured::CabinetSmoke)
    }

    fn cell_temp(&self) -> Role {
        let Some(rack) = self.rack else { return Role::Rests };
        let what = if self.named(&["spread", "diff", "delta", "range"]) {
            Measured::CellTempSpread(rack)
        } else if self.named(&["ambient", "environment", "cabinet", "board", "mos"]) {
            Measured::CabinetTemp(rack)
        } else if self.named(&["min", "low"]) {
            Measured::CellTempMin(rack)
        } else if let Some(cell) = self.number() {
            Measured::CellTemp(rack, cell)
        } else {
            Measured::CellTempMax(rack)
        };
        Role::Measures(what, 1.0)
    }

    fn voltage(&self) -> Role {
        let Some(rack) = self.rack else { return Role::Rests };
        let of_cells = self.named(&["cell"]) || self.point.range.is_some_and(|(_, high)| high <= 6.0);
        if !of_cells {
            return Role::Voltage(Measured::StringVoltage(rack));
        }
        let what = if self.named(&["spread", "diff", "delta", "range"]) {
            Measured::CellVoltageSpread(rack)
        } else if self.named(&["min", "low"]) {
            Measured::CellVoltageMin(rack)
        } else if let Some(cell) = self.number() {
            Measured::CellVoltage(rack, cell)
        } else if self.named(&["max", "high"]) {
            Measured::CellVoltageMax(rack)
        } else {
            Measured::CellVoltageMin(rack)
        };
        Role::Measures(what, 1.0)
    }

    /// A detector's alarms as bits, by the numbers or words in their names.
    fn gas_alarms(&self) -> Role {
        let Labels::Bits(bits) = &self.point.labels else { return Role::Rests };
        let is_fault = |name: &str| name.contains("fault") || name.contains("fail");
        let limit = |name: &str| {
            if name.contains('2') || name.contains("high") { GAS_ALARMS[1] } else { GAS_ALARMS[0] }
        };
        let alarms: Vec<(u32, f64)> = bits
            .iter()
            .filter(|(_, name)| !is_fault(name) && (name.contains("alarm") || name.contains("gas")))
            .map(|(bit, name)| (u32::from(*bit), limit(name)))
            .collect();
        if alarms.is_empty() { Role::Rests } else { Role::Stages(self.gas(), alarms) }
    }

    fn smoke_stages(&self) -> Role {
        let Labels::Bits(bits) = &self.point.labels else { return Role::Rests };
        let stage = |name: &str| {
            let found = SMOKE_WORDS.iter().find(|(word, _)| name.contains(word));
            found.filter(|_| !name.contains("fault")).map(|(_, stage)| *stage)
        };
        let stages: Vec<(u32, u32)> =
            bits.iter().filter_map(|(bit, name)| Some((u32::from(*bit), stage(name)?))).collect();
        let what = self.rack.map_or(Measured::CeilingSmokeStages, Measured::CabinetSmokeStages);
        if stages.is_empty() { Role::Rests } else { Role::Bits(what, stages) }
    }

    /// What a site says itself.
    fn said(&self, word: &str) -> Option<Role> {
        let rack = self.rack.unwrap_or(0);
        let what = match word {
            "rests" => return Some(Role::Rests),
            "counts" => return Some(Role::Counts),
            "string-voltage" => return Some(Role::Voltage(Measured::StringVoltage(rack))),
            "cell-temp-max" => Measured::CellTempMax(rack),
            "cell-temp-min" => Measured::CellTempMin(rack),
            "cell-temp-spread" => Measured::CellTempSpread(rack),
            "cell-temp" => Measured::CellTemp(rack, self.number().unwrap_or(0)),
            "cell-voltage-max" => Measured::CellVoltageMax(rack),
            "cell-voltage-min" => Measured::CellVoltageMin(rack),
            "cell-voltage-spread" => Measured::CellVoltageSpread(rack),
            "cabinet-temp" => Measured::CabinetTemp(rack),
            "cabinet-gas" => Measured::CabinetGas(rack),
            "cabinet-smoke" => Measured::CabinetSmoke(rack),
            "room-temp" => Measured::RoomTemp,
            "room-humidity" => Measured::RoomHumidity,
            "ceiling-gas" => Measured::CeilingGas,
            "ceiling-smoke" => Measured::CeilingSmoke,
            _ => return None,
        };
        let scale = if self.point.unit == Unit::Ppm { PPM_PER_PCT_LFL } else { 1.0 };
        Some(Role::Measures(what, scale))
    }
}

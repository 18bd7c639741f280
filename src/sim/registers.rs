//! The room as Modbus tables: addresses, scales and sentinels as `config/profiles/sim-*.toml` describe them.

use tokio_modbus::ExceptionCode;

use crate::sim::physics::Measured;
use crate::sim::room::{Battery, CELLS, Room};
use crate::sim::story::Lie;

/// Rack 1 and rack 2, UPS A and B, the gas and smoke detectors, the breaker panel.
const UNITS: [u8; 7] = [1, 2, 10, 11, 20, 30, 40];

/// What a unit that does not exist answers, as a gateway would.
const NO_SUCH_UNIT: ExceptionCode = ExceptionCode::GatewayTargetDevice;

type Words = Result<Vec<u16>, ExceptionCode>;
type Bits = Result<Vec<bool>, ExceptionCode>;

impl Room {
    pub(super) fn holding(&mut self, unit: u8, address: u16, count: u16) -> Words {
        exists(unit)?;
        if !matches!(unit, 1 | 2) {
            return Err(ExceptionCode::IllegalDataAddress);
        }
        let words = self.management_says(usize::from(unit) - 1);
        pick(address, count, |at| words.iter().find(|(register, _)| *register == at).map(|(_, word)| *word))
    }

    pub(super) fn input(&mut self, unit: u8, address: u16, count: u16) -> Words {
        exists(unit)?;
        let words = match unit {
            10 | 11 => self.ups_words(usize::from(unit) - 10),
            20 => self.gas_words(),
            30 => self.smoke_words(),
            _ => return Err(ExceptionCode::IllegalDataAddress),
        };
        pick(address, count, |at| words.get(usize::from(at)).copied())
    }

    pub(super) fn coils(&self, unit: u8, address: u16, count: u16) -> Bits {
        exists(unit)?;
        let bits: Vec<bool> = match unit {
            1 | 2 => {
                let rack = &self.racks[usize::from(unit) - 1];
                vec![rack.charging_allowed, rack.contactor_held]
            }
            10 | 11 => {
                let ups = &self.ups[usize::from(unit) - 10];
                vec![ups.output, ups.bypass]
            }
            40 => self.detectors.coils.to_vec(),
            _ => return Err(ExceptionCode::IllegalDataAddress),
        };
        pick(address, count, |at| bits.get(usize::from(at)).copied())
    }

    pub(super) fn discrete(&self, unit: u8, address: u16, count: u16) -> Bits {
        exists(unit)?;
        if unit != 40 {
            return Err(ExceptionCode::IllegalDataAddress);
        }
        let [first, second] = &self.racks;
        let mut bits = [false; 8];
        bits[0] = first.breaker.is_closed();
        bits[1] = second.breaker.is_closed();
        bits[2] = self.ups_breaker.is_closed();
        bits[3] = self.ups[0].infeed.is_closed();
        bits[4] = self.ups[1].infeed.is_closed();
        pick(address, count, |at| bits.get(usize::from(at)).copied())
    }

    /// Seconds, as a counter that wraps.
    fn heartbeat(&self) -> u16 {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "wraps on purpose")]
        let beat = (self.age_s() as u64 & 0xffff) as u16;
        beat
    }

    /// What the management of a rack answers: the truth, or what its lie makes of it. It never lies about switches: those
    /// are other wires.
    fn management_says(&mut self, index: usize) -> Vec<(u16, u16)> {
        let mut words = self.rack_words(index);
        let Some((lie, said)) = &self.racks[index].lie else { return words };
        for (at, (register, word)) in words.iter_mut().enumerate() {
            let measured = matches!(register, 2..=10 | 20..=55);
            let repeated = match lie {
                Lie::FlatLine => measured,
                Lie::Stale => measured || *register == 0,
                Lie::TenTimes => {
                    if matches!(register, 8..=10 | 40..=55) {
                        *word = word.saturating_mul(10);
                    }
                    false
                }
            };
            if repeated {
                *word = said[at].1;
            }
        }
        words
    }

    /// What is so, as the management measures it.
    pub(super) fn rack_words(&mut self, index: usize) -> Vec<(u16, u16)> {
        let beat = self.heartbeat();
        let current = self.current_a(index);
        let (plant, rack) = (&self.plant, &self.racks[index]);
        let noise = &mut self.noise;
        let temps: Vec<f64> = (0..CELLS)
            .map(|cell| match rack.frozen_cell {
                Some((frozen, temp)) if frozen == cell => temp,
                Some(_) | None => plant.measure(Measured::CellTemp(index, cell)) + 0.08 * noise.even(),
            })
            .collect();
        let volts: Vec<f64> = (0..CELLS)
            .map(|cell| plant.measure(Measured::CellVoltage(index, cell)) + 0.001 * noise.even())
            .collect();
        let (hottest, coolest) = bounds(&temps);
        let (highest, lowest) = bounds(&volts);
        let current = match current {
            calm if calm.abs() < f64::EPSILON => 0.0,
            charging => charging + 0.1 * noise.even(),
        };
        let mut words = vec![
            (0, beat),
            (1, u16::from(0.0 < current)),
            (2, unsigned(volts.iter().sum(), 0.1)),
            (3, signed(current, 0.1)),
            (4, unsigned(plant.racks[index].soc_pct(), 0.1)),
            (5, unsigned(99.0, 0.1)),
            (6, unsigned(highest, 0.001)),
            (7, unsigned(lowest, 0.001)),
            (8, signed(hottest, 0.1)),
            (9, signed(coolest, 0.1)),
            (10, signed(hottest - coolest, 0.1)),
            (11, 2500),
            (12, rack_alarms(rack, hottest, lowest)),
            (13, u16::from(rack.contactor.is_closed())),
            (14, u16::from(rack.charging_allowed)),
        ];
        words.extend((20..).zip(volts.iter().map(|volt| unsigned(*volt, 0.001))));
        words.extend((40..).zip(temps.iter().map(|temp| signed(*temp, 0.1))));
        assert_eq!(words.len(), 15 + 2 * CELLS);
        words
    }

    /// UPS A hangs on this room's racks; UPS B has a battery elsewhere, of which only the UPS tells.
    fn ups_words(&mut self, index: usize) -> Vec<u16> {
        let on_bus = if index == 0 { self.racks.iter().filter(|rack| rack.is_on_bus()).count() } else { 2 };
        let connected = index == 1 || (self.ups_breaker.is_closed() && 0 < on_bus);
        let (volts, amps) = match index {
            0 => (self.battery_v(), self.current_a(0) + self.current_a(1)),
            _ => (54.0, 0.0),
        };
        let (infeed, live) = (self.ups[index].infeed.conducts(), self.ups_is_live(index));
        let bypass = self.ups[index].bypass && infeed;
        let room_c = if index == 0 { self.plant.measure(Measured::RoomTemp) } else { 24.0 };
        let status = u16::from(infeed && !bypass)
            | u16::from(!infeed && live) << 1
            | u16::from(bypass) << 2
            | u16::from(!connected) << 4
            | u16::from(infeed) << 5;
        let mut noise = || self.noise.even();
        let load_w = if live { 12_000.0 + 60.0 * noise() } else { 0.0 };
        // Half the racks, half the time: 24 minutes at this load with both.
        let runtime: u16 = if connected { 720 * u16::try_from(on_bus).unwrap_or(0) } else { 0 };
        vec![
            status,
            unsigned(if infeed { 231.0 + 0.4 * noise() } else { 0.0 }, 0.1),
            unsigned(if live { 230.0 + 0.2 * noise() } else { 0.0 }, 0.1),
            unsigned(load_w / 20_000.0 * 100.0, 0.1),
            unsigned(volts, 0.1),
            signed(amps, 0.1),
            0,
            runtime,
            signed(room_c + 3.0 + 0.1 * noise(), 0.1),
            unsigned(load_w, 10.0),
        ]
    }

    fn gas_words(&mut self) -> Vec<u16> {
        let beat = self.heartbeat() / 5;
        let lfl = (self.gas_pct_lfl() + 0.05 * self.noise.even()).max(0.0);
        #[expect(clippy::cast_possible_truncation, reason = "the device sends a 32-bit float")]
        let bits = (lfl as f32).to_bits();
        let alarms = u16::from(10.0 <= lfl) | u16::from(25.0 <= lfl) << 1;
        let [high, low] = [bits >> 16, bits & 0xffff].map(|half| u16::try_from(half).unwrap_or(0));
        vec![1, high, low, alarms, 0, beat]
    }

    fn smoke_words(&mut self) -> Vec<u16> {
        let smoke = (self.plant.measure(Measured::CeilingSmoke) + 0.002 * self.noise.even()).max(0.0);
        let temp = self.plant.measure(Measured::RoomTemp) + 0.1 * self.noise.even();
        vec![
            self.smoke_alarms(),
            self.detectors.smoke_faults,
            unsigned(smoke, 0.001),
            unsigned(2400.0 + 15.0 * self.noise.even(), 1.0),
            signed(temp, 0.1),
        ]
    }
}

fn exists(unit: u8) -> Result<(), ExceptionCode> {
    if UNITS.contains(&unit) { Ok(()) } else { Err(NO_SUCH_UNIT) }
}

fn pick<T>(address: u16, count: u16, at: impl Fn(u16) -> Option<T>) -> Result<Vec<T>, ExceptionCode> {
    if count == 0 {
        return Err(ExceptionCode::IllegalDataValue);
    }
    let end = address.checked_add(count).ok_or(ExceptionCode::IllegalDataAddress)?;
    (address..end).map(|address| at(address).ok_or(ExceptionCode::IllegalDataAddress)).collect()
}

fn rack_alarms(rack: &Battery, hottest_c: f64, lowest_v: f64) -> u16 {
    let contactor = rack.contactor_held != rack.contactor.is_closed() && !rack.contactor_held;
    u16::from(60.0 <= hottest_c) | u16::from(lowest_v <= 2.5) << 1 | u16::from(contactor) << 2
}

fn bounds(values: &[f64]) -> (f64, f64) {
    let high = values.iter().copied().fold(f64::MIN, f64::max);
    (high, values.iter().copied().fold(f64::MAX, f64::min))
}

/// A value as the device sends it; the sentinel 0xFFFF is never sent for a real one.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to fit")]
fn unsigned(value: f64, scale: f64) -> u16 {
    (value / scale).round().clamp(0.0, 65_534.0) as u16
}

/// A value as the device sends it; the sentinel 0x8000 is never sent for a real one.
#[expect(clippy::cast_possible_truncation, reason = "clamped to fit")]
fn signed(value: f64, scale: f64) -> u16 {
    ((value / scale).round().clamp(-32_767.0, 32_767.0) as i16).cast_unsigned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::Scenario;

    #[test]
    fn current_is_zero_and_position_open_after_the_contactor_has_travelled() {
        let mut room = Room::new(1, Scenario::calm());
        assert!(12 <= room.holding(1, 3, 1).map_or(0, |words| words[0]), "charges at about 1.5 A");
        assert!(room.write_coil(1, 1, false));
        room.step(0.1);
        assert_eq!(room.holding(1, 13, 1), Ok(vec![1]), "still travelling");
        room.step(0.1);
        assert_eq!(room.holding(1, 13, 1), Ok(vec![0]));
        assert_eq!(room.holding(1, 3, 1), Ok(vec![0]));
    }

    #[test]
    fn no_current_flows_behind_the_open_breaker_of_the_ups() {
        let mut room = Room::new(1, Scenario::calm());
        assert!(room.write_coil(40, 2, true));
        room.pass(0.5);
        assert_eq!(room.discrete(40, 2, 1), Ok(vec![false]));
        for rack in [1, 2] {
            assert_eq!(room.holding(rack, 3, 1), Ok(vec![0]));
        }
        assert_eq!(room.input(10, 4, 2), Ok(vec![0, 0]), "voltage and current at the battery terminals");
    }

    #[test]
    fn outside_of_the_map_is_an_exception() {
        let mut room = Room::new(1, Scenario::calm());
        assert_eq!(room.holding(1, 15, 1), Err(ExceptionCode::IllegalDataAddress));
        assert_eq!(room.holding(1, 0xffff, 2), Err(ExceptionCode::IllegalDataAddress));
        assert_eq!(room.input(20, 0, 7), Err(ExceptionCode::IllegalDataAddress));
        assert_eq!(room.coils(99, 0, 1), Err(NO_SUCH_UNIT));
        assert_eq!(room.discrete(40, 0, 0), Err(ExceptionCode::IllegalDataValue));
        assert!(!room.write_coil(1, 2, true));
    }

    #[test]
    fn a_management_that_lies_repeats_its_measurements_or_scales_them_and_never_hides_its_contactor() {
        let said = |lie| {
            let mut room = Room::new(1, Scenario::calm());
            room.pass(5.0);
            let before = room.holding(1, 0, 15).expect("the map");
            room.happen(crate::sim::Event::Lies { rack: 0, lie });
            let lied = room.holding(1, 0, 15).expect("the map");
            room.happen(crate::sim::Event::Heat { rack: 0, cell: 2, watts: 2000.0 });
            assert!(room.write_coil(1, 1, false));
            room.pass(30.0);
            (before, lied, room.holding(1, 0, 15).expect("the map"), room.hottest_c(0))
        };
        for (lie, beats) in [(Lie::FlatLine, true), (Lie::Stale, false)] {
            let (_, lied, after, hottest_c) = said(lie);
            assert!(60.0 < hottest_c && after[8] == lied[8] && after[7] == lied[7], "{lie:?}: {after:?}");
            assert_eq!(after[0] != lied[0], beats, "{lie:?}: the heartbeat");
            assert_eq!(after[13], 0, "{lie:?}: the contactor is another wire");
        }
        let (before, lied, ..) = said(Lie::TenTimes);
        assert!(8 * before[8] < lied[8], "{} is ten times {}", lied[8], before[8]);
    }

    #[test]
    fn the_same_seed_gives_the_same_registers() {
        let trace = |seed| {
            let mut room = Room::new(seed, Scenario::find("cell-fire").unwrap_or_else(Scenario::calm));
            let mut words = Vec::new();
            for _ in 0..600 {
                room.step(0.1);
                words.extend(room.holding(1, 0, 15));
            }
            words
        };
        assert_eq!(trace(5), trace(5));
        assert_ne!(trace(5), trace(6));
    }
}

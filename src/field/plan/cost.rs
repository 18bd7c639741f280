//! What a request costs on a line: `base + per byte of data`, from the line's speed and the measured turnaround.
//!
//! On a serial line a read takes 8 bytes there and 5 bytes plus its data back, each frame closed by a silence
//! of 3.5 bytes (1.75 ms above 19,200 baud), and the device's own time. On TCP the round trip and the device's
//! time are nearly all of it. The **turnaround** is all that is neither bytes nor silence: the device's own
//! time, and the round trip where a network lies between. It is measured; before that a default stands in.

use crate::field::options::{Endpoint, SerialLine};
use crate::field::profile::Table;
use crate::units::Millis;

/// Modbus TCP and TLS before anything is measured: devices on a LAN answer in 1 to 5 ms, gateways in 5 to 50 ms.
const TURNAROUND_TCP_US: u64 = 5_000;
/// A serial device before anything is measured: makers name 5 to 50 ms.
const TURNAROUND_SERIAL_US: u64 = 20_000;
/// A byte of data over TCP: 5 µs for two. Frames of a LAN are far from full; what is left is the device's copying.
const BYTE_TCP_NS: u64 = 2_500;
/// Bytes of a read request on a serial line: unit, function, address, count, check sum.
const REQUEST_BYTES: usize = 8;
/// Bytes of its reply apart from the data: unit, function, length, check sum.
const REPLY_BYTES: usize = 5;

/// What requests cost on one line. Integers throughout: two plans compare the same way on every machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// A request apart from its data, in microseconds.
    pub base_us: u64,
    /// Each byte of data in the reply, in nanoseconds: a register is two bytes, eight bits are one.
    pub byte_ns: u64,
}

impl Cost {
    /// Modbus TCP before anything is measured.
    pub const TCP: Self = Self { base_us: TURNAROUND_TCP_US, byte_ns: BYTE_TCP_NS };

    /// What requests cost at this endpoint to a unit with this turnaround, in microseconds (see
    /// [`turnaround_us`] for measuring, [`default_turnaround_us`] before that).
    #[must_use]
    pub fn of(endpoint: &Endpoint, turnaround_us: u64) -> Self {
        match endpoint.line() {
            Some(line) => Self { base_us: frames_us(line) + turnaround_us, byte_ns: byte_ns(line) },
            None => Self { base_us: turnaround_us, byte_ns: BYTE_TCP_NS },
        }
    }

    /// The same where the device needs a rest between a reply and the next request.
    #[must_use]
    pub const fn with_pause(self, pause: Millis) -> Self {
        Self { base_us: self.base_us.saturating_add(pause.0.saturating_mul(1000)), ..self }
    }

    /// What one request for so many registers or bits costs, in microseconds, rounded up.
    #[must_use]
    pub fn request_us(self, table: Table, count: u32) -> u64 {
        self.request_ns(table, count).div_ceil(1000)
    }

    /// The same, exactly: what plans are compared by.
    pub(super) fn request_ns(self, table: Table, count: u32) -> u64 {
        self.base_us.saturating_mul(1000).saturating_add(data_bytes(table, count) * self.byte_ns)
    }

    /// The widest hole, in registers or bits, that costs no more to read across than a request of its own.
    /// `u32::MAX` where data is free.
    #[must_use]
    pub fn break_even_gap(self, table: Table) -> u32 {
        let base_ns = self.base_us.saturating_mul(1000);
        let gap = match (self.byte_ns, table.holds_bits()) {
            (0, _) => u64::MAX,
            (byte_ns, true) => base_ns.saturating_mul(8) / byte_ns,
            (byte_ns, false) => base_ns / (2 * byte_ns),
        };
        u32::try_from(gap).unwrap_or(u32::MAX)
    }
}

/// Whether a plan made for one cost is worth making again for another: either part is off by more than a fifth.
#[must_use]
pub const fn drifted(planned: Cost, measured: Cost) -> bool {
    const fn apart(planned: u64, measured: u64) -> bool {
        planned / 5 < planned.abs_diff(measured)
    }
    apart(planned.base_us, measured.base_us) || apart(planned.byte_ns, measured.byte_ns)
}

/// What is assumed of a unit at this endpoint before anything is measured, in microseconds: 5 ms on TCP and TLS,
/// 20 ms on a serial line, 25 ms on a serial line behind a server.
#[must_use]
pub const fn default_turnaround_us(endpoint: &Endpoint) -> u64 {
    match endpoint {
        Endpoint::Tcp(_) | Endpoint::Tls { .. } => TURNAROUND_TCP_US,
        Endpoint::Serial { .. } => TURNAROUND_SERIAL_US,
        Endpoint::RtuOverTcp { .. } => TURNAROUND_SERIAL_US + TURNAROUND_TCP_US,
    }
}

/// The turnaround that a read shows which took so long from the first byte sent to the last one received.
#[must_use]
pub fn turnaround_us(endpoint: &Endpoint, table: Table, count: u32, took_us: u64) -> u64 {
    took_us.saturating_sub(Cost::of(endpoint, 0).request_us(table, count))
}

/// Bytes of data in a reply.
fn data_bytes(table: Table, count: u32) -> u64 {
    if table.holds_bits() { u64::from(count.div_ceil(8)) } else { 2 * u64::from(count) }
}

/// Both frames without data and turnaround.
fn frames_us(line: SerialLine) -> u64 {
    line.bytes_us(REQUEST_BYTES + REPLY_BYTES) + 2 * line.silence_us()
}

fn byte_ns(line: SerialLine) -> u64 {
    (u64::from(line.bits_per_byte()) * 1_000_000_000).div_ceil(u64::from(line.baud.max(1)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::field::options::Parity;

    fn serial(baud: u32, parity: Parity) -> Endpoint {
        let line = SerialLine { baud, parity, stop_bits: 1 };
        Endpoint::Serial { path: "/dev/ttyS0".into(), line, rs485: false }
    }

    #[test]
    fn the_hole_worth_reading_follows_from_the_line_and_the_device() {
        for (baud, parity, turnaround_ms, gap) in [
            (9_600, Parity::None, 10, 14),
            (9_600, Parity::None, 50, 34),
            (19_200, Parity::Even, 20, 27),
            (115_200, Parity::None, 5, 55),
        ] {
            let cost = Cost::of(&serial(baud, parity), turnaround_ms * 1000);
            assert_eq!(cost.break_even_gap(Table::Holding), gap, "{baud} baud, {turnaround_ms} ms");
            assert!(gap * 16 <= cost.break_even_gap(Table::Coil), "bits are sixteen times cheaper");
        }
        assert_eq!(Cost::TCP.break_even_gap(Table::Input), 1000, "on TCP the cap of a read comes first");
        let free = Cost { base_us: 1, byte_ns: 0 };
        assert_eq!(free.break_even_gap(Table::Input), u32::MAX);
    }

    #[test]
    fn a_read_of_120_registers_at_9600_baud_takes_290_ms() {
        let cost = Cost::of(&serial(9_600, Parity::None), 20_000);
        let took = cost.request_us(Table::Holding, 120);
        assert!((289_000..292_000).contains(&took), "{took} µs");
        assert_eq!(cost.with_pause(Millis(30)).request_us(Table::Holding, 120), took + 30_000);
    }

    #[test]
    fn bits_are_eight_to_the_byte() {
        let cost = Cost { base_us: 0, byte_ns: 1000 };
        assert_eq!([1, 8, 9, 2000].map(|bits| cost.request_us(Table::Coil, bits)), [1, 1, 2, 250]);
        assert_eq!(cost.request_us(Table::Holding, 125), 250);
    }

    #[test]
    fn a_measured_read_gives_back_the_turnaround_it_was_made_with() {
        for endpoint in [serial(19_200, Parity::Even), Endpoint::tcp("h:502".to_owned())] {
            let took = Cost::of(&endpoint, 12_345).request_us(Table::Input, 77);
            assert_eq!(turnaround_us(&endpoint, Table::Input, 77, took), 12_345);
            assert_eq!(turnaround_us(&endpoint, Table::Input, 77, 0), 0);
        }
    }

    #[test]
    fn a_plan_is_made_again_when_the_cost_is_off_by_more_than_a_fifth() {
        let planned = Cost { base_us: 10_000, byte_ns: 2_500 };
        for (base_us, byte_ns, again) in [
            (10_000, 2_500, false),
            (12_000, 2_500, false),
            (12_001, 2_500, true),
            (7_999, 2_500, true),
            (10_000, 3_100, true),
        ] {
            assert_eq!(drifted(planned, Cost { base_us, byte_ns }), again, "{base_us} {byte_ns}");
        }
        assert!(drifted(Cost { base_us: 0, byte_ns: 0 }, planned));
    }
}

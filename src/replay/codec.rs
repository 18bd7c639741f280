//! Scans as few bytes: what did not change since the sample before costs one.
//!
//! Whole numbers are varints (seven bits a byte, the low ones first), signed ones folded so that small ones are
//! short. A value is the difference to the last value of its point, in the decimals that it has; one without
//! short decimals is its eight bytes. Exact in both directions: what is read back is bit for bit what was written.

use std::collections::BTreeMap;

/// Appends a whole number.
pub(super) fn put(out: &mut Vec<u8>, mut number: u64) {
    while 0x7F < number {
        out.push(low_byte(number) | 0x80);
        number >>= 7;
    }
    out.push(low_byte(number));
}

/// Appends a signed number.
pub(super) fn put_signed(out: &mut Vec<u8>, number: i64) {
    put(out, number.wrapping_shl(1).cast_unsigned() ^ (number >> 63).cast_unsigned());
}

/// Appends a text with its length.
pub(super) fn put_text(out: &mut Vec<u8>, text: &str) {
    put(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

const fn low_byte(number: u64) -> u8 {
    (number & 0x7F) as u8
}

/// Bytes that are read one number after the other. `None` where they are not what was written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bytes<'a>(pub(super) &'a [u8]);

impl<'a> Bytes<'a> {
    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    pub(super) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    pub(super) fn number(&mut self) -> Option<u64> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7F).checked_shl(shift)?;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    pub(super) fn small(&mut self) -> Option<u32> {
        u32::try_from(self.number()?).ok()
    }

    pub(super) fn signed(&mut self) -> Option<i64> {
        let folded = self.number()?;
        Some((folded >> 1).cast_signed() ^ -(folded & 1).cast_signed())
    }

    pub(super) fn text(&mut self) -> Option<&'a str> {
        let length = usize::try_from(self.number()?).ok()?;
        std::str::from_utf8(self.take(length)?).ok()
    }
}

/// Powers of ten that values are scaled by.
const SCALES: [f64; 7] = [1.0, 10.0, 100.0, 1_000.0, 10_000.0, 100_000.0, 1_000_000.0];

/// Beyond this, scaled values are not exact.
const EXACT_MAX: f64 = 9e15;

/// Divided by a power of ten, multiplied with its inverse (as devices' scales do), or eight bytes.
const MULTIPLIED: u8 = 8;
const RAW: u8 = 15;

/// The last value of each point, as whole number and scale.
#[derive(Debug, Default)]
pub(super) struct Values {
    last: BTreeMap<u32, (u8, i64)>,
}

impl Values {
    /// Appends the value of a point.
    pub(super) fn put(&mut self, out: &mut Vec<u8>, point: u32, value: f64) {
        let before = self.last.get(&point).copied();
        // The scale that the point had before is the likeliest.
        let likely = before.and_then(|(scale, _)| Some((scale, whole(value, scale)?)));
        let found = likely.or_else(|| {
            let scales = (0..7).chain(MULTIPLIED + 1..MULTIPLIED + 7);
            scales.into_iter().find_map(|scale| Some((scale, whole(value, scale)?)))
        });
        if let Some((scale, number)) = found {
            let base = before.filter(|before| before.0 == scale).map_or(0, |before| before.1);
            out.push(scale);
            put_signed(out, number.wrapping_sub(base));
            self.last.insert(point, (scale, number));
        } else {
            out.push(RAW);
            out.extend_from_slice(&value.to_bits().to_le_bytes());
        }
    }

    /// Reads the value of a point.
    pub(super) fn take(&mut self, bytes: &mut Bytes<'_>, point: u32) -> Option<f64> {
        let scale = bytes.byte()?;
        if scale == RAW {
            let raw: [u8; 8] = bytes.take(8)?.try_into().ok()?;
            return Some(f64::from_bits(u64::from_le_bytes(raw)));
        }
        let base = self.last.get(&point).filter(|before| before.0 == scale).map_or(0, |before| before.1);
        let number = base.wrapping_add(bytes.signed()?);
        self.last.insert(point, (scale, number));
        scaled(number, scale)
    }
}

/// The whole number that gives exactly this value at this scale.
fn whole(value: f64, scale: u8) -> Option<i64> {
    let power = SCALES.get(usize::from(scale & 7))?;
    let number = (value * power).round();
    if EXACT_MAX < number.abs() {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "whole and below 2^53, as just checked")]
    let number = number as i64;
    (scaled(number, scale)?.to_bits() == value.to_bits()).then_some(number)
}

fn scaled(number: i64, scale: u8) -> Option<f64> {
    let power = *SCALES.get(usize::from(scale & 7))?;
    #[expect(clippy::cast_precision_loss, reason = "below 2^53 unless the file lies")]
    let number = number as f64;
    Some(if scale < MULTIPLIED { number / power } else { number * power.recip() })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use proptest::prelude::*;

    use super::*;

    fn there_and_back(values: &[f64]) -> (usize, Vec<u64>) {
        let (mut out, mut values_out) = (Vec::new(), Values::default());
        for value in values {
            values_out.put(&mut out, 3, *value);
        }
        let (mut bytes, mut values_in) = (Bytes(&out), Values::default());
        let back = values.iter().map(|_| values_in.take(&mut bytes, 3).unwrap().to_bits()).collect();
        assert!(bytes.is_empty());
        (out.len(), back)
    }

    #[test]
    fn values_with_decimals_are_short_and_exact() {
        let values = [23.4, 23.5, 23.5, 24.0, 234.0 * 0.1, -0.003, 3.972];
        let (length, back) = there_and_back(&values);
        assert_eq!(back, values.map(f64::to_bits));
        assert!(length < 7 * 4, "{length} bytes");
        assert_eq!(there_and_back(&[-0.0]).1, [(-0.0_f64).to_bits()]);
    }

    proptest! {
        #[test]
        fn any_number_comes_back_as_it_was(
            values in prop::collection::vec(any::<f64>(), 1..20), wholes in any::<u64>(), signed in any::<i64>(),
        ) {
            let bits: Vec<u64> = values.iter().map(|value| value.to_bits()).collect();
            prop_assert_eq!(there_and_back(&values).1, bits);
            let mut out = Vec::new();
            put(&mut out, wholes);
            put_signed(&mut out, signed);
            put_text(&mut out, "büro");
            let mut bytes = Bytes(&out);
            prop_assert_eq!((bytes.number(), bytes.signed(), bytes.text()), (Some(wholes), Some(signed), Some("büro")));
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let mut left = Bytes(&bytes);
            let mut values = Values::default();
            while values.take(&mut left, 0).is_some() && left.text().is_some() && left.signed().is_some() {}
        }
    }
}

//! One `[[point]]`: what it may say of its value.

use std::collections::BTreeMap;

use toml::Spanned;

use super::super::{Encoding, Part, PointSpec, Scaling, raw};
use super::Faults;
use crate::safety::site::Labels;
use crate::units::Unit;

/// The most decimals that a scale is rounded to.
const DECIMALS_MAX: i32 = 9;

pub(super) fn single(raw: &raw::Point, faults: &mut Faults<'_>) -> PointSpec {
    let (encoding, byte) = encoding(*raw.encoding.get_ref());
    let part = part(raw, encoding, byte, faults);
    if raw.table.holds_bits() != (encoding == Encoding::Bool) {
        let word = raw.table.word();
        faults.add(
            raw.encoding.span(),
            format!("the table \"{word}\" does not hold this type"),
            "bool is for coil and discrete, all other types for input and holding",
        );
    }
    if let Some(order) = &raw.word_order
        && encoding.words() == 1
    {
        faults.add(
            order.span(),
            "word_order on a single word means nothing",
            "leave it out; the order of bytes is byte_order",
        );
    }
    if let Some(order) = &raw.byte_order
        && encoding == Encoding::Bool
    {
        faults.add(order.span(), "byte_order on a bit means nothing", "leave it out");
    }
    faults.name(raw.class.get_ref(), raw.class.span());
    PointSpec {
        name: raw.name.get_ref().clone(),
        table: raw.table,
        address: *raw.address.get_ref(),
        encoding,
        part,
        byte_order: raw.byte_order.as_ref().map(|order| *order.get_ref()).unwrap_or_default(),
        word_order: raw.word_order.as_ref().map(|order| *order.get_ref()).unwrap_or_default(),
        scaling: scaling(raw, encoding, faults),
        unit: unit(raw.unit.as_ref(), faults),
        range: range(raw, faults),
        sentinels: sentinels(raw, encoding, part, faults),
        fall_per_s_max: fall(raw, faults),
        class: raw.class.get_ref().clone(),
        labels: labels(raw, encoding, part, faults),
        factor: None,
        atomic: raw.atomic.as_ref().map(|number| *number.get_ref()),
        model: None,
        model_index: 0,
    }
}

/// What a type of the file is, and which byte of the word it takes.
const fn encoding(name: raw::Type) -> (Encoding, Option<Part>) {
    const HIGH: Option<Part> = Some(Part { shift: 8, width: 8 });
    const LOW: Option<Part> = Some(Part { shift: 0, width: 8 });
    match name {
        raw::Type::Bool => (Encoding::Bool, None),
        raw::Type::U16 => (Encoding::U16, None),
        raw::Type::I16 => (Encoding::I16, None),
        raw::Type::U32 => (Encoding::U32, None),
        raw::Type::I32 => (Encoding::I32, None),
        raw::Type::U64 => (Encoding::U64, None),
        raw::Type::I64 => (Encoding::I64, None),
        raw::Type::F32 => (Encoding::F32, None),
        raw::Type::F64 => (Encoding::F64, None),
        raw::Type::Bcd16 => (Encoding::Bcd16, None),
        raw::Type::Bcd32 => (Encoding::Bcd32, None),
        raw::Type::Sm16 => (Encoding::Sm16, None),
        raw::Type::U8High => (Encoding::U16, HIGH),
        raw::Type::U8Low => (Encoding::U16, LOW),
        raw::Type::I8High => (Encoding::I16, HIGH),
        raw::Type::I8Low => (Encoding::I16, LOW),
    }
}

/// Whether an encoding is an integer of bits that can be taken apart.
const fn is_integer(encoding: Encoding) -> bool {
    matches!(
        encoding,
        Encoding::U16 | Encoding::I16 | Encoding::U32 | Encoding::I32 | Encoding::U64 | Encoding::I64
    )
}

/// The bits that are the value, given by `shift` and `width`, by `mask`, or by the type.
fn part(raw: &raw::Point, encoding: Encoding, byte: Option<Part>, faults: &mut Faults<'_>) -> Option<Part> {
    let bits = 16 * encoding.words();
    let (given, part) = match (&raw.shift, &raw.width, &raw.mask) {
        (None, None, None) => return byte,
        (shift, Some(width), None) => {
            let shift = shift.as_ref().map_or(0, |shift| *shift.get_ref());
            (width.span(), Part { shift, width: *width.get_ref() })
        }
        (None, None, Some(mask)) => {
            let bits = *mask.get_ref();
            let shift = if bits == 0 { 0 } else { bits.trailing_zeros() };
            let width = bits.count_ones();
            if bits == 0 || bits >> shift != u64::MAX >> (64 - width) {
                faults.add(mask.span(), "the bits of a mask lie side by side", "one point for each number");
            }
            let small = |number: u32| u8::try_from(number).unwrap_or(u8::MAX);
            (mask.span(), Part { shift: small(shift), width: small(width) })
        }
        (Some(lone), ..) => {
            faults.add(lone.span(), "shift needs width, and no mask", "give shift and width, or mask");
            return None;
        }
        (None, Some(lone), Some(_)) => {
            faults.add(lone.span(), "a part has a width or a mask", "give one of them");
            return None;
        }
    };
    if byte.is_some() || !is_integer(encoding) {
        faults.add(given, "only an integer of whole words has parts", "use u16, i16, u32, i32, u64 or i64");
        return byte;
    }
    if part.width == 0 || bits < u16::from(part.shift) + u16::from(part.width) {
        faults.add(given, format!("these bits do not lie in {bits}"), "");
        return None;
    }
    Some(part)
}

fn unit(raw: Option<&Spanned<String>>, faults: &mut Faults<'_>) -> Unit {
    let Some(name) = raw else { return Unit::None };
    Unit::from_name(name.get_ref()).unwrap_or_else(|| {
        let known = Unit::TABLE.map(|row| row.1).join(", ");
        faults.add(name.span(), format!("\"{}\" is no unit", name.get_ref()), &format!("one of {known}"));
        Unit::None
    })
}

fn scaling(raw: &raw::Point, encoding: Encoding, faults: &mut Faults<'_>) -> Scaling {
    let mut finite = |given: &Option<Spanned<f64>>, default: f64| {
        let Some(given) = given else { return default };
        if !given.get_ref().is_finite() {
            faults.add(given.span(), "it must be a finite number", "");
        }
        *given.get_ref()
    };
    let scale = finite(&raw.scale, 1.0);
    let offset = finite(&raw.offset, 0.0);
    if let Some(given) = &raw.scale
        && scale == 0.0
    {
        faults.add(given.span(), "a scale of zero loses the value", "");
    }
    let floating = matches!(encoding, Encoding::F32 | Encoding::F64);
    let Some(pow) = &raw.two_pow else {
        let decimal = (!floating).then(|| decimal(scale, offset)).flatten();
        return Scaling { scale, offset, decimal };
    };
    if raw.scale.is_some() || floating || 63 < *pow.get_ref() {
        faults.add(pow.span(), "two_pow is for integers without a scale, 0 to 63", "value = raw / 2^two_pow");
    }
    Scaling { scale: 0.5_f64.powi(i32::from(*pow.get_ref())), offset, decimal: None }
}

/// Ten to the number of decimals of both, if there are that few.
fn decimal(scale: f64, offset: f64) -> Option<f64> {
    let whole = |number: f64, power: f64| {
        let shifted = number * power;
        (shifted - shifted.round()).abs() <= 1e-9 * shifted.abs().max(1e-3)
    };
    (0..=DECIMALS_MAX)
        .map(|digits| 10_f64.powi(digits))
        .find(|power| whole(scale, *power) && whole(offset, *power))
}

fn range(raw: &raw::Point, faults: &mut Faults<'_>) -> Option<(f64, f64)> {
    let given = raw.range.as_ref()?;
    let [low, high] = *given.get_ref();
    if !(low.is_finite() && high.is_finite() && low < high) {
        faults.add(
            given.span(),
            "a range goes from a lower to a higher finite number",
            "range = [low, high]",
        );
    }
    Some((low, high))
}

fn fall(raw: &raw::Point, faults: &mut Faults<'_>) -> Option<f64> {
    let given = raw.fall_per_s_max.as_ref()?;
    if !(given.get_ref().is_finite() && 0.0 < *given.get_ref()) {
        faults.add(given.span(), "the fastest fall is a number above zero", "");
    }
    Some(*given.get_ref())
}

/// As bit patterns: -32768 and 0x8000 are the same mark of an i16.
fn sentinels(raw: &raw::Point, encoding: Encoding, part: Option<Part>, faults: &mut Faults<'_>) -> Vec<u64> {
    let width = part.map_or(u32::from(encoding.words()) * 16, |part| u32::from(part.width));
    let lowest = -(1_i128 << (width - 1));
    let highest = (1_i128 << width) - 1;
    let mut patterns = Vec::new();
    for given in &raw.sentinels {
        let number = *given.get_ref();
        if lowest <= number && number <= highest {
            patterns.push(u64::try_from(number & highest).unwrap_or(u64::MAX));
        } else {
            faults.add(
                given.span(),
                format!("{number} does not fit into {width} bits"),
                "give the raw words",
            );
        }
    }
    patterns
}

fn labels(raw: &raw::Point, encoding: Encoding, part: Option<Part>, faults: &mut Faults<'_>) -> Labels {
    let width = part.map_or(u32::from(encoding.words()) * 16, |part| u32::from(part.width));
    // A value holds whole numbers up to 2^53.
    let highest_bit = width.min(53) - 1;
    match (&raw.states, &raw.bits) {
        (None, None) => Labels::None,
        (Some(states), None) => Labels::Enum(numbered(states, u32::MAX, faults)),
        (None, Some(bits)) => {
            if !matches!(encoding, Encoding::U16 | Encoding::U32 | Encoding::U64) {
                faults.add(bits.span(), "bits have names only in an unsigned number", "use u16, u32 or u64");
            }
            let named = numbered(bits, highest_bit, faults);
            Labels::Bits(
                named.into_iter().map(|(bit, name)| (u8::try_from(bit).unwrap_or(0), name)).collect(),
            )
        }
        (Some(states), Some(_)) => {
            faults.add(states.span(), "a point has either `enum` or `bits`", "");
            Labels::None
        }
    }
}

fn numbered(
    raw: &Spanned<BTreeMap<String, String>>,
    highest: u32,
    faults: &mut Faults<'_>,
) -> Vec<(u32, String)> {
    let mut names = Vec::new();
    for (number, name) in raw.get_ref() {
        faults.name(name, raw.span());
        match number.parse() {
            Ok(number) if number <= highest => names.push((number, name.clone())),
            _ => faults.add(raw.span(), format!("\"{number}\" is not a number from 0 to {highest}"), ""),
        }
    }
    names.sort_unstable();
    names
}

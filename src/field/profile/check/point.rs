//! One `[[point]]`: what it may say, and the points it stands for.

use std::collections::BTreeMap;

use toml::Spanned;

use super::super::{Encoding, Limits, PointSpec, Scaling, raw};
use super::Faults;
use crate::safety::site::Labels;
use crate::units::Unit;

/// The most decimals that a scale is rounded to.
const DECIMALS_MAX: i32 = 9;

/// The point, or `count` of them `stride` addresses apart, `{n}` in the name counting from `first`.
pub(super) fn repeated(raw: &raw::Point, limits: &Limits, faults: &mut Faults<'_>) -> Vec<PointSpec> {
    let one = single(raw, faults);
    let count = raw.count.as_ref().map_or(1, |count| *count.get_ref());
    let stride = raw.stride.as_ref().map_or(one.words(), |stride| *stride.get_ref());
    let named = raw.name.get_ref().contains("{n}");
    if raw.count.is_some() != named {
        faults.add(raw.name.span(), "a repeated point has `count`, and {n} in its name", "give both or none");
    }
    if count == 0 || (1 < count && stride < one.words()) {
        faults.add(raw.name.span(), "repeated points overlap, or there are none", "check count and stride");
        return Vec::new();
    }
    let mut points = Vec::with_capacity(usize::from(count));
    for n in 0..count {
        let first = u32::from(one.address) + u32::from(n) * u32::from(stride);
        let last = first + u32::from(one.words()) - 1;
        let Some((address, last)) = u16::try_from(first).ok().zip(u16::try_from(last).ok()) else {
            faults.add(raw.address.span(), "its last address is beyond 65535", "");
            break;
        };
        let touches = |range: &super::super::Forbidden| range.first <= last && address <= range.last;
        if limits.forbidden.iter().any(|range| range.table == one.table && touches(range)) {
            faults.add(raw.address.span(), "it lies in a range that is forbidden to read", "");
        }
        let number = u32::from(raw.first.unwrap_or(1)) + u32::from(n);
        let name = one.name.replace("{n}", &number.to_string());
        faults.name(&name, raw.name.span());
        points.push(PointSpec { name, address, ..one.clone() });
    }
    points
}

fn single(raw: &raw::Point, faults: &mut Faults<'_>) -> PointSpec {
    let encoding = *raw.encoding.get_ref();
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
        byte_order: raw.byte_order.as_ref().map(|order| *order.get_ref()).unwrap_or_default(),
        word_order: raw.word_order.as_ref().map(|order| *order.get_ref()).unwrap_or_default(),
        scaling: scaling(raw, faults),
        unit: unit(raw.unit.as_ref(), faults),
        range: range(raw, faults),
        sentinels: sentinels(raw, faults),
        fall_per_s_max: fall(raw, faults),
        class: raw.class.get_ref().clone(),
        labels: labels(raw, faults),
        factor: None,
        atomic: None,
        model: None,
    }
}

fn unit(raw: Option<&Spanned<String>>, faults: &mut Faults<'_>) -> Unit {
    let Some(name) = raw else { return Unit::None };
    Unit::from_name(name.get_ref()).unwrap_or_else(|| {
        let known = Unit::TABLE.map(|row| row.1).join(", ");
        faults.add(name.span(), format!("\"{}\" is no unit", name.get_ref()), &format!("one of {known}"));
        Unit::None
    })
}

fn scaling(raw: &raw::Point, faults: &mut Faults<'_>) -> Scaling {
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
    let floating = matches!(raw.encoding.get_ref(), Encoding::F32 | Encoding::F64);
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
fn sentinels(raw: &raw::Point, faults: &mut Faults<'_>) -> Vec<u64> {
    let width = u32::from(raw.encoding.get_ref().words()) * 16;
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

fn labels(raw: &raw::Point, faults: &mut Faults<'_>) -> Labels {
    let highest_bit = match raw.encoding.get_ref() {
        Encoding::U32 => 31,
        Encoding::U64 => 52,
        _ => 15,
    };
    match (&raw.states, &raw.bits) {
        (None, None) => Labels::None,
        (Some(states), None) => Labels::Enum(numbered(states, u32::MAX, faults)),
        (None, Some(bits)) => {
            if !matches!(raw.encoding.get_ref(), Encoding::U16 | Encoding::U32 | Encoding::U64) {
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

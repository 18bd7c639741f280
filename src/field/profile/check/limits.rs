//! What one request may ask for, and where a SunSpec map may begin.

use std::ops::Range;

use toml::Spanned;

use super::super::{Forbidden, Limits, raw};
use super::Faults;
use crate::units::Millis;

/// The longest rest that a device may be given between a reply and the next request.
const PAUSE_MAX: Millis = Millis(1000);

/// The longest that a device that came back may take before its values mean something.
const SETTLE_MAX: Millis = Millis::from_secs(600);

pub(super) fn limits(raw: &raw::Limits, faults: &mut Faults<'_>) -> Limits {
    let default = Limits::default();
    let mut cap = |given: &Option<Spanned<u16>>, most: u16| {
        let Some(given) = given else { return most };
        if !(1..=most).contains(given.get_ref()) {
            faults.add(given.span(), format!("{} is outside 1 to {most}", given.get_ref()), "");
        }
        *given.get_ref()
    };
    let max_registers = cap(&raw.max_registers, default.max_registers);
    let max_bits = cap(&raw.max_bits, default.max_bits);
    let pause = span(raw.pause.as_ref(), "a pause", PAUSE_MAX, faults);
    let settle = span(raw.settle.as_ref(), "settling", SETTLE_MAX, faults);
    if let Some(offset) = &raw.reply_unit_offset
        && !(-255..=255).contains(offset.get_ref())
    {
        faults.add(offset.span(), "units are numbers from 0 to 255", "");
    }
    Limits {
        max_registers,
        max_bits,
        max_gap: raw.max_gap,
        forbidden: ranges(&raw.forbidden, faults),
        read_clears: ranges(&raw.read_clears, faults),
        unwritable: ranges(&raw.unwritable, faults),
        single_reads: raw.single_reads,
        pause: pause.unwrap_or_default(),
        settle: settle.unwrap_or_default(),
        reply_unit_offset: raw.reply_unit_offset.as_ref().map_or(0, |offset| *offset.get_ref()),
    }
}

fn span(
    given: Option<&Spanned<String>>,
    what: &str,
    most: Millis,
    faults: &mut Faults<'_>,
) -> Option<Millis> {
    let given = given?;
    let lasts = duration(given, faults)?;
    if most < lasts {
        faults.add(given.span(), format!("{what} is at most {most}"), "");
    }
    Some(lasts)
}

fn ranges(raws: &[Spanned<raw::Range>], faults: &mut Faults<'_>) -> Vec<Forbidden> {
    let mut ranges = Vec::new();
    for given in raws {
        let raw::Range { table, first, last } = *given.get_ref();
        if first.is_some() != last.is_some() {
            let help = "leave both out for the whole table";
            faults.add(given.span(), "a range has a first and a last address", help);
        }
        let range = Forbidden { table, first: first.unwrap_or(0), last: last.unwrap_or(u16::MAX) };
        if range.last < range.first {
            faults.add(given.span(), "the last address is before the first", "");
        }
        ranges.push(range);
    }
    ranges
}

pub(super) fn bases(raw: &Spanned<raw::SunSpec>, faults: &mut Faults<'_>) -> Vec<u16> {
    let bases = &raw.get_ref().bases;
    if bases.get_ref().is_empty() {
        faults.add(bases.span(), "a SunSpec map begins somewhere", "usually bases = [40000, 0, 50000]");
    }
    if bases.get_ref().iter().any(|base| u16::MAX - 4 < *base) {
        faults.add(bases.span(), "there is no room for a map behind this address", "");
    }
    bases.get_ref().clone()
}

/// A span of time: whole milliseconds or seconds, above zero.
pub(super) fn duration(given: &Spanned<String>, faults: &mut Faults<'_>) -> Option<Millis> {
    let parsed = parse_duration(given.get_ref());
    if parsed.is_none() {
        let sentence = format!("\"{}\" is no span of time", given.get_ref());
        faults.add(given.span(), sentence, "a whole number of ms or s, for instance \"20ms\" or \"1s\"");
    }
    parsed
}

fn parse_duration(text: &str) -> Option<Millis> {
    let (number, ms) = match text.strip_suffix("ms") {
        Some(number) => (number, 1),
        None => (text.strip_suffix('s')?, 1000),
    };
    let number: u32 = number.trim_end().parse().ok()?;
    (0 < number).then(|| Millis(u64::from(number) * ms))
}

/// A stretch of addresses that would end beyond the last one.
pub(super) fn beyond(first: u32, words: u16, span: Range<usize>, faults: &mut Faults<'_>) -> bool {
    let beyond = 0x1_0000 < first.saturating_add(u32::from(words));
    if beyond {
        faults.add(span, "its last address is beyond 65535", "");
    }
    beyond
}

//! What raw words could mean, beside the range that the quantity must lie in.

use super::raw::Where;
use super::rows::words;
use crate::field::guess::{Guess, guesses};
use crate::field::probe::ProbeRow;
use crate::field::profile::{Order, Profile};
use crate::units::Unit;

/// Interpretations shown for one address.
const SHOWN_MAX: usize = 8;

/// A range, and its unit where one was written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Range {
    low: f64,
    high: f64,
    unit: Unit,
}

impl std::fmt::Display for Range {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let symbol = self.unit.symbol();
        write!(f, "{}..{}{}{symbol}", self.low, self.high, if symbol.is_empty() { "" } else { " " })
    }
}

/// Reads `10..60 degC`.
pub(super) fn parse_range(text: &str) -> Result<Range, String> {
    let wrong = || format!("`{text}` is no range; write for instance '10..60 degC' or '-40..85'");
    let (low, rest) = text.split_once("..").ok_or_else(wrong)?;
    let rest = rest.trim_start();
    let (high, unit) = rest.split_once(' ').unwrap_or((rest, "none"));
    let number = |text: &str| text.trim().parse().ok().filter(|number: &f64| number.is_finite());
    let (low, high) = (number(low).ok_or_else(wrong)?, number(high).ok_or_else(wrong)?);
    let unit = Unit::from_name(unit.trim()).ok_or_else(|| {
        let names: Vec<&str> = Unit::TABLE.iter().map(|row| row.1).collect();
        format!("`{unit}` is no unit; units are {}", names.join(", "))
    })?;
    if high < low {
        return Err(wrong());
    }
    Ok(Range { low, high, unit })
}

/// For each address of a raw read, what may begin there.
pub(super) fn of_words(place: Where, read: &[u16], range: Option<Range>) -> Vec<Vec<String>> {
    let mut cells = Vec::new();
    for (offset, address) in (0..read.len()).zip(place.address..=u16::MAX) {
        let name = format!("{}:{address}", place.table.word());
        cells.extend(block(&name, &read[offset..], range));
    }
    cells
}

/// For each point of a profile, what else its words could mean.
pub(super) fn of_rows(rows: &[ProbeRow], profile: &Profile, range: Option<Range>) -> Vec<Vec<String>> {
    let mut cells = Vec::new();
    for (row, point) in super::rows::with_specs(rows, profile) {
        if row.words.is_empty() || point.table.holds_bits() {
            continue;
        }
        let own = point.range.map(|(low, high)| Range { low, high, unit: point.unit });
        cells.extend(block(&point.name, &row.words, range.or(own)));
    }
    cells
}

fn block(name: &str, read: &[u16], range: Option<Range>) -> Vec<Vec<String>> {
    let all = guesses(read, range.map(|range| (range.low, range.high)));
    let fits = all.iter().filter(|guess| guess.plausible).count();
    let wanted = range.map_or("no range given".to_owned(), |range| format!("wanted {range}"));
    let shown = fits.clamp(3, SHOWN_MAX);
    let raw = words(&read[..read.len().min(4)]);
    let mut cells = vec![vec![format!("{name}  {raw}  {wanted}, {fits} of {} fit", all.len())]];
    cells.extend(all.iter().take(shown).map(|guess| line(guess, range)));
    cells
}

fn line(guess: &Guess, range: Option<Range>) -> Vec<String> {
    let order = |name: &str, order| match order {
        Order::Big => String::new(),
        Order::Little => format!("{name} = little"),
    };
    let symbol = range.map_or("", |range| range.unit.symbol());
    let number = number(guess.value);
    let settings =
        [guess.scale.text(), order("byte_order", guess.byte_order), order("word_order", guess.word_order)];
    let settings: Vec<String> = settings.into_iter().filter(|setting| !setting.is_empty()).collect();
    vec![
        if guess.plausible { "  fits" } else { "  –" }.to_owned(),
        format!("{number} {symbol}").trim_end().to_owned(),
        guess.layout.name(),
        settings.join(", "),
    ]
}

/// With as many digits as a 32-bit float has.
fn number(value: f64) -> String {
    let size = value.abs();
    if value == 0.0 || (1e-4..1e12).contains(&size) {
        let decimals = if 1e9 <= size { 0 } else { 6 };
        let text = format!("{value:.decimals$}");
        if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
    } else {
        format!("{value:.3e}")
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn ranges_are_read_as_people_write_them() {
        assert_eq!(parse_range("10..60 degC").unwrap().to_string(), "10..60 °C");
        assert_eq!(parse_range("-40..85").unwrap().to_string(), "-40..85");
        for wrong in ["10", "60..10", "a..b", "1..2 furlong", ""] {
            assert!(parse_range(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn numbers_are_shown_with_the_digits_they_have() {
        let cases = [(25.0, "25"), (-20.5, "-20.5"), (0.0, "0"), (1e-17, "1.000e-17"), (2e15, "2.000e15")];
        for (value, text) in cases {
            assert_eq!(number(value), text);
        }
        assert_eq!(number(f64::from(0.013_924_715_f32)), "0.013925");
    }
}

//! What stands in one cell of a list. Each function says in one sentence what it does not understand.

use crate::field::profile::Table;
use crate::units::Unit;

/// The longest name a point may have.
const NAME_MAX: usize = 48;

/// A name as profiles write it: `Cell Temp. (max)` becomes `cell-temp-max`.
pub(super) fn name(cell: &str) -> Result<String, String> {
    let mut name = String::new();
    for letter in cell.chars().flat_map(char::to_lowercase) {
        if letter.is_ascii_alphanumeric() {
            name.push(letter);
        } else if !name.is_empty() && !name.ends_with('-') {
            name.push('-');
        }
    }
    let name = name.trim_end_matches('-');
    match name.len() {
        0 => Err(format!("`{cell}` leaves no name: letters and digits of ASCII are needed")),
        1..=NAME_MAX => Ok(name.to_owned()),
        _ => Err(format!("`{cell}` is longer than {NAME_MAX} letters as a name")),
    }
}

/// A table by its name or by the function that reads it; `None` for an empty cell.
pub(super) fn table(cell: &str) -> Result<Option<Table>, String> {
    let plain: String = cell.chars().filter(char::is_ascii_alphanumeric).collect();
    let plain = plain.to_ascii_lowercase();
    let plain = plain.trim_start_matches("fc").trim_start_matches("0x").trim_start_matches('0');
    Ok(Some(match plain {
        "" if cell.is_empty() => return Ok(None),
        "1" | "coil" | "coils" | "do" | "digitaloutput" => Table::Coil,
        "2" | "discrete" | "discreteinput" | "discreteinputs" | "di" | "digitalinput" | "contact" => {
            Table::Discrete
        }
        "3" | "holding" | "holdingregister" | "holdingregisters" | "hr" => Table::Holding,
        "4" | "input" | "inputregister" | "inputregisters" | "ir" => Table::Input,
        _ => {
            return Err(format!(
                "`{cell}` is no table: coil, discrete, input or holding, or function 1 to 4"
            ));
        }
    }))
}

/// An address as written: decimal, `0x1F3F` or `1F3Fh`.
pub(super) fn address(cell: &str) -> Result<u32, String> {
    let lower = cell.to_ascii_lowercase();
    let hexadecimal = lower.strip_prefix("0x").or_else(|| lower.strip_suffix('h'));
    let number = match hexadecimal {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => lower.parse().ok(),
    };
    number.ok_or_else(|| format!("`{cell}` is no address"))
}

/// Table and address of a Modicon number of five or six digits.
pub(super) fn modicon(cell: &str) -> Option<(Table, u16)> {
    if !matches!(cell.len(), 5 | 6) || !cell.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let (table, number) = cell.split_at(1);
    let table = match table {
        "0" => Table::Coil,
        "1" => Table::Discrete,
        "3" => Table::Input,
        "4" => Table::Holding,
        _ => return None,
    };
    let number: u32 = number.parse().ok()?;
    Some((table, u16::try_from(number.checked_sub(1)?).ok()?))
}

/// A type under one of its many names; an empty cell is a bit, or one unsigned word.
pub(super) fn encoding(cell: &str, table: Table) -> Result<&'static str, String> {
    let plain: String = cell.chars().filter(char::is_ascii_alphanumeric).collect();
    let found = match plain.to_ascii_lowercase().as_str() {
        "" if table.holds_bits() => "bool",
        "" | "u16" | "uint16" | "uint" | "word" | "ushort" | "unsigned16" | "16bitunsigned" => "u16",
        "bool" | "bit" | "boolean" | "binary" => "bool",
        "i16" | "int16" | "s16" | "short" | "sint16" | "signed16" | "16bitsigned" => "i16",
        "u32" | "uint32" | "dword" | "ulong" | "unsigned32" | "32bitunsigned" => "u32",
        "i32" | "int32" | "s32" | "long" | "sint32" | "signed32" | "dint" | "32bitsigned" => "i32",
        "u64" | "uint64" | "qword" => "u64",
        "i64" | "int64" | "s64" | "lint" => "i64",
        "f32" | "float" | "float32" | "real" | "single" => "f32",
        "f64" | "double" | "float64" | "lreal" => "f64",
        "bcd" | "bcd16" => "bcd16",
        "bcd32" => "bcd32",
        "u8high" => "u8_high",
        "u8low" => "u8_low",
        "i8high" => "i8_high",
        "i8low" => "i8_low",
        "sm16" => "sm16",
        _ => return Err(format!("`{cell}` is no type that is known here: u16, i16, u32, i32, f32 …")),
    };
    if table.holds_bits() != (found == "bool") {
        return Err(format!("the table {} does not hold the type `{cell}`", table.word()));
    }
    Ok(found)
}

/// Units under other names, with what a number in them is multiplied by.
const UNITS: [(&str, &str, f64); 24] = [
    ("°c", "degC", 1.0),
    ("c", "degC", 1.0),
    ("degc", "degC", 1.0),
    ("celsius", "degC", 1.0),
    ("mv", "V", 0.001),
    ("kv", "V", 1000.0),
    ("volt", "V", 1.0),
    ("volts", "V", 1.0),
    ("ma", "A", 0.001),
    ("amp", "A", 1.0),
    ("amps", "A", 1.0),
    ("kw", "W", 1000.0),
    ("watt", "W", 1.0),
    ("%rh", "%", 1.0),
    ("percent", "%", 1.0),
    ("%lel", "%LFL", 1.0),
    ("sec", "s", 1.0),
    ("minutes", "min", 1.0),
    ("kω", "kOhm", 1.0),
    ("kohm", "kOhm", 1.0),
    ("ohm", "kOhm", 0.001),
    ("mah", "Ah", 0.001),
    ("1/min", "rpm", 1.0),
    ("-", "none", 1.0),
];

/// A unit, and what a number in it is multiplied by to be in it.
pub(super) fn unit(cell: &str) -> Result<(&'static str, f64), String> {
    if cell.is_empty() {
        return Ok(("none", 1.0));
    }
    let lower = cell.to_lowercase();
    let own = Unit::TABLE.iter().find(|row| row.1.to_lowercase() == lower).map(|row| (row.1, 1.0));
    let other = UNITS.iter().find(|row| row.0 == lower).map(|row| (row.1, row.2));
    own.or(other).ok_or_else(|| {
        let known: Vec<&str> = Unit::TABLE.iter().map(|row| row.1).collect();
        format!("`{cell}` is no unit that is known here: {}", known.join(", "))
    })
}

/// A multiplier: `0.1`, `x0.1`, `1/10`, `/10`.
pub(super) fn scale(cell: &str, comma: bool) -> Result<f64, String> {
    let plain = cell.trim_start_matches(['x', 'X', '*', '×']).trim();
    let scale = match plain.split_once('/') {
        Some((over, under)) => number(over, comma, 1.0)? / number(under, comma, 1.0)?,
        None => number(plain, comma, 1.0)?,
    };
    if scale.is_finite() && scale.abs() > 0.0 { Ok(scale) } else { Err(format!("`{cell}` is no multiplier")) }
}

/// A number, or what holds for an empty cell.
pub(super) fn number(cell: &str, comma: bool, empty: f64) -> Result<f64, String> {
    let cell = cell.trim();
    if cell.is_empty() {
        return Ok(empty);
    }
    let plain = if comma { cell.replace(',', ".") } else { cell.to_owned() };
    let number = plain.parse().ok().filter(|number: &f64| number.is_finite());
    number.ok_or_else(|| format!("`{cell}` is no number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_names_of_points() {
        assert_eq!(name("Cell Temp. (max)"), Ok("cell-temp-max".to_owned()));
        assert_eq!(name("1st_alarm"), Ok("1st-alarm".to_owned()));
        assert!(name("°").is_err());
    }

    #[test]
    fn modicon_numbers_say_their_table_and_count_from_one() {
        assert_eq!(modicon("40001"), Some((Table::Holding, 0)));
        assert_eq!(modicon("30384"), Some((Table::Input, 383)));
        assert_eq!(modicon("10001"), Some((Table::Discrete, 0)));
        assert_eq!(modicon("00017"), Some((Table::Coil, 16)));
        assert_eq!(modicon("465536"), Some((Table::Holding, 65_535)));
        for odd in ["40000", "4001", "20001", "0x9C41", "465537", ""] {
            assert_eq!(modicon(odd), None, "{odd}");
        }
    }

    #[test]
    fn multipliers_and_units_have_many_spellings() {
        assert_eq!(scale("1/10", false), Ok(0.1));
        assert_eq!(scale("x0.1", false), Ok(0.1));
        assert_eq!(scale("0,01", true), Ok(0.01));
        assert!(scale("0", false).is_err() && scale("1/0", false).is_err());
        assert_eq!(unit("mV"), Ok(("V", 0.001)));
        assert_eq!(unit("°C"), Ok(("degC", 1.0)));
        assert!(unit("parsec").is_err());
        assert_eq!(table("FC03"), Ok(Some(Table::Holding)));
        assert_eq!(table("Input Register"), Ok(Some(Table::Input)));
        assert_eq!(address("1F3Fh"), Ok(0x1F3F));
    }
}

//! Raw registers, without any profile, and raw frames.

use super::ProbeArgs;
use super::guess;
use super::rows::{no_answer, words};
use crate::cli::way::Way;
use crate::cli::{Exit, print};
use crate::field::ask::Asker as _;
use crate::field::frames::RawFrame;
use crate::field::profile::{BITS_PER_READ_MAX, REGISTERS_PER_READ_MAX, Table};
use crate::safety::reading::ReadFault;
use crate::wire::why;

/// What to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Where {
    pub(super) table: Table,
    pub(super) address: u16,
    pub(super) count: u16,
}

/// Reads `TABLE:ADDRESS[:COUNT]`.
pub(super) fn parse(text: &str) -> Result<Where, String> {
    let wrong = || {
        format!(
            "`{text}`: write TABLE:ADDRESS[:COUNT], for instance holding:100:10; tables are coil, discrete, input, holding"
        )
    };
    let mut parts = text.split(':');
    let word = parts.next().unwrap_or_default();
    let tables = [Table::Coil, Table::Discrete, Table::Input, Table::Holding];
    let table = tables.into_iter().find(|table| table.word() == word).ok_or_else(wrong)?;
    let address = parts.next().and_then(number).ok_or_else(wrong)?;
    let count = parts.next().map_or(Some(1), number).ok_or_else(wrong)?;
    let most = if table.holds_bits() { BITS_PER_READ_MAX } else { REGISTERS_PER_READ_MAX };
    if parts.next().is_some() {
        return Err(wrong());
    }
    if !(1..=most).contains(&count) || address.checked_add(count - 1).is_none() {
        return Err(format!("`{text}`: one read takes 1 to {most} of this table, below address 65536"));
    }
    Ok(Where { table, address, count })
}

/// Decimal, or hexadecimal with 0x.
fn number(text: &str) -> Option<u16> {
    match text.strip_prefix("0x") {
        Some(digits) => u16::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

/// Reads all places that were asked for.
pub(super) async fn look(args: &ProbeArgs, unit: u8, way: &mut Way) -> (Exit, Vec<Vec<String>>) {
    let mut cells = Vec::new();
    let (mut answered, mut well) = (false, true);
    for place in &args.read {
        let read = way.read(unit, place.table, place.address, place.count).await;
        answered |= read.as_ref().map_or_else(|fault| fault.is_answer(), |_| true);
        well &= read.is_ok();
        if args.json {
            print(&json(*place, &read));
            continue;
        }
        match read {
            Ok(read) if args.guess && !place.table.holds_bits() => {
                cells.extend(guess::of_words(*place, &read, args.expect_range));
            }
            Ok(read) => cells.extend(table(*place, &read)),
            Err(fault) => cells.push(vec![
                place.table.word().to_owned(),
                place.address.to_string(),
                "–".to_owned(),
                format!("bad: {}", why::fault(fault)),
            ]),
        }
    }
    let exit = match (answered, well) {
        (false, _) => no_answer(way),
        (true, true) => Exit::Ok,
        (true, false) => Exit::No,
    };
    (exit, cells)
}

/// A row for each register or bit.
fn table(place: Where, read: &[u16]) -> Vec<Vec<String>> {
    let row = |(address, word): (u16, &u16)| {
        let mut row = vec![place.table.word().to_owned(), address.to_string()];
        if place.table.holds_bits() {
            row.push(word.to_string());
        } else {
            let signed = if *word < 0x8000 { String::new() } else { word.cast_signed().to_string() };
            row.extend([words(&[*word]), word.to_string(), signed]);
        }
        row
    };
    (place.address..=u16::MAX).zip(read).map(row).collect()
}

fn json(place: Where, read: &Result<Vec<u16>, ReadFault>) -> String {
    serde_json::json!({
        "table": place.table.word(),
        "address": place.address,
        "words": read.as_ref().ok(),
        "fault": read.as_ref().err().map(|fault| why::fault(*fault)),
    })
    .to_string()
}

/// A frame as a line: time of day, direction, bytes.
pub(super) fn frame(frame: &RawFrame) -> String {
    let micros = i64::try_from(frame.wall_us).unwrap_or(i64::MAX);
    let time = jiff::Timestamp::from_microsecond(micros)
        .map_or_else(|_| frame.wall_us.to_string(), |time| format!("{time:.6}"));
    let bytes: Vec<String> = frame.bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{time}  {}  {}", if frame.sent { "→ sent" } else { "← came" }, bytes.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_as_people_write_them() {
        let place = |table, address, count| Ok(Where { table, address, count });
        assert_eq!(parse("holding:100:10"), place(Table::Holding, 100, 10));
        assert_eq!(parse("coil:0x10"), place(Table::Coil, 16, 1));
        assert_eq!(parse("discrete:0:2000"), place(Table::Discrete, 0, 2000));
        for wrong in
            ["holding", "holding:a", "holding:0:126", "holding:0:0", "input:65535:2", "x:1", "coil:1:1:1"]
        {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_frame_is_a_line_with_its_time_and_direction() {
        let raw = RawFrame { number: 0, wall_us: 1_700_000_000_123_456, sent: true, bytes: vec![1, 0xAB] };
        assert_eq!(frame(&raw), "2023-11-14T22:13:20.123456Z  → sent  01 ab");
    }
}

//! A register list as manufacturers and integrators keep it: rows of a CSV file, read as points.
//!
//! Columns are found by their names, in any order. Every row that cannot be understood is complained of with its
//! line; nothing is guessed without saying so.

mod cells;
mod columns;

use std::collections::BTreeMap;

use self::columns::{Column, Columns};
use crate::field::profile::Table;

/// How addresses are written in the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Addresses {
    /// Modicon numbers if every address looks like one, else as on the wire.
    Auto,
    /// As on the wire, counted from 0.
    Wire,
    /// Register numbers, counted from 1.
    FromOne,
    /// 4xxxx holding, 3xxxx input, 1xxxx discrete, 0xxxx coil; counted from 1.
    Modicon,
}

/// What to take for granted where the list is silent.
pub(super) struct Defaults<'a> {
    pub(super) addresses: Addresses,
    pub(super) table: Option<Table>,
    pub(super) class: &'a str,
}

/// One point of the list.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) table: Table,
    pub(super) address: u16,
    pub(super) encoding: &'static str,
    pub(super) unit: &'static str,
    pub(super) scale: f64,
    pub(super) offset: f64,
    pub(super) class: String,
    /// What the list says of it besides.
    pub(super) remark: String,
}

/// What came of a list.
#[derive(Default)]
pub(super) struct Imported {
    pub(super) rows: Vec<Row>,
    /// What was understood, and how.
    pub(super) notes: Vec<String>,
    /// What was not: the line, and why.
    pub(super) complaints: Vec<(u64, String)>,
}

/// Reads a list.
pub(super) fn read(text: &str, defaults: &Defaults<'_>) -> Imported {
    let mut imported = Imported::default();
    let text = text.trim_start_matches('\u{feff}');
    let delimiter = delimiter(text);
    let mut records = Vec::new();
    let mut reader = csv::ReaderBuilder::new();
    let reader = reader.has_headers(false).flexible(true).trim(csv::Trim::All).delimiter(delimiter);
    for record in reader.from_reader(text.as_bytes()).records() {
        match record {
            Ok(record) if record.iter().all(str::is_empty) => {}
            Ok(record) => records.push(record),
            Err(error) => {
                let line = error.position().map_or(0, csv::Position::line);
                imported.complaints.push((line, format!("not CSV: {error}")));
            }
        }
    }
    let columns = match records.first().map(Columns::named) {
        None => {
            imported.complaints.push((1, "the list is empty".to_owned()));
            return imported;
        }
        Some(Some(columns)) => {
            records.remove(0);
            columns
        }
        Some(None) => Columns::usual(),
    };
    imported.notes.push(columns.told());
    let modicon = modicon(&records, &columns, defaults, &mut imported.notes);
    let mut first_lines: BTreeMap<String, u64> = BTreeMap::new();
    for record in &records {
        let line = record.position().map_or(0, csv::Position::line);
        let reader = RowReader { record, columns: &columns, defaults, modicon, comma: delimiter == b';' };
        match reader.row() {
            Err(faults) => imported.complaints.extend(faults.into_iter().map(|fault| (line, fault))),
            Ok(row) => {
                if let Some(first) = first_lines.get(&row.name) {
                    let sentence = format!("line {first} has a point `{}` already", row.name);
                    imported.complaints.push((line, sentence));
                    continue;
                }
                first_lines.insert(row.name.clone(), line);
                imported.rows.push(row);
            }
        }
    }
    imported
}

/// The delimiter that the first line has most of.
fn delimiter(text: &str) -> u8 {
    let first = text.lines().next().unwrap_or_default();
    let count = |delimiter: u8| first.bytes().filter(|byte| *byte == delimiter).count();
    [b',', b';', b'\t'].into_iter().rev().max_by_key(|delimiter| count(*delimiter)).unwrap_or(b',')
}

/// Whether addresses are Modicon numbers, and aloud why.
fn modicon(
    records: &[csv::StringRecord],
    columns: &Columns,
    defaults: &Defaults<'_>,
    notes: &mut Vec<String>,
) -> bool {
    let looks = |record: &csv::StringRecord| {
        let table = cells::table(columns.cell(record, Column::Table)).ok().flatten();
        cells::modicon(columns.cell(record, Column::Address))
            .is_some_and(|(found, _)| table.is_none_or(|table| table == found))
    };
    let (modicon, how) = match defaults.addresses {
        Addresses::Auto if !records.is_empty() && records.iter().all(looks) => {
            (true, "every address looks like one; --addresses wire if they are not")
        }
        Addresses::Auto => {
            (false, "not every one is a Modicon number; --addresses from-one if 1 is the first")
        }
        Addresses::Modicon => (true, "as asked"),
        Addresses::Wire | Addresses::FromOne => (false, "as asked"),
    };
    let what = match (modicon, defaults.addresses) {
        (true, _) => "Modicon numbers (40001 is holding register 0)",
        (false, Addresses::FromOne) => "register numbers counted from 1 (1 is address 0)",
        (false, _) => "addresses as on the wire, counted from 0",
    };
    notes.push(format!("addresses are taken for {what}: {how}"));
    modicon
}

/// One record, and how to read it.
struct RowReader<'a> {
    record: &'a csv::StringRecord,
    columns: &'a Columns,
    defaults: &'a Defaults<'a>,
    modicon: bool,
    /// Decimals are written with a comma.
    comma: bool,
}

impl RowReader<'_> {
    fn cell(&self, column: Column) -> &str {
        self.columns.cell(self.record, column)
    }

    /// The point, or all that is wrong with the row.
    fn row(&self) -> Result<Row, Vec<String>> {
        let mut faults = Vec::new();
        let mut keep = |fault: String| faults.push(fault);
        let name = cells::name(self.cell(Column::Name)).map_err(&mut keep).ok();
        let place = self.place().map_err(&mut keep).ok();
        let unit = cells::unit(self.cell(Column::Unit)).map_err(&mut keep).ok();
        let scale = cells::scale(self.cell(Column::Scale), self.comma).map_err(&mut keep).ok();
        let offset = cells::number(self.cell(Column::Offset), self.comma, 0.0).map_err(&mut keep).ok();
        let class = match self.cell(Column::Class) {
            "" => Some(self.defaults.class.to_owned()),
            class => cells::name(class).map_err(&mut keep).ok(),
        };
        let kind = self.cell(Column::Type);
        let encoding = match place {
            Some((table, _)) => cells::encoding(kind, table),
            // Without a place it is enough that any table holds the type.
            None => cells::encoding(kind, Table::Holding).or_else(|_| cells::encoding(kind, Table::Coil)),
        };
        let encoding = encoding.map_err(&mut keep).ok();
        let all = (name, place, unit, scale, offset, class, encoding);
        let (
            Some(name),
            Some((table, address)),
            Some(unit),
            Some(scale),
            Some(offset),
            Some(class),
            Some(encoding),
        ) = all
        else {
            return Err(faults);
        };
        let (unit, power) = unit;
        let (scale, offset) = (cells::times_ten_to(scale, power), cells::times_ten_to(offset, power));
        if !(scale.is_finite() && offset.is_finite() && 0.0 < scale.abs()) {
            return Err(vec!["its scale or offset is too large or too small a number".to_owned()]);
        }
        let remark = self.cell(Column::Description);
        let given = self.cell(Column::Name);
        let remark = if given == name { remark.to_owned() } else { format!("{given} {remark}") };
        let remark = remark.split_whitespace().collect::<Vec<_>>().join(" ");
        Ok(Row { name, table, address, encoding, unit, scale, offset, class, remark })
    }

    /// Table and address on the wire.
    fn place(&self) -> Result<(Table, u16), String> {
        let table = cells::table(self.cell(Column::Table))?;
        let given = self.cell(Column::Address);
        if self.modicon {
            let (found, address) = cells::modicon(given)
                .ok_or_else(|| format!("`{given}` is no Modicon number, such as 40001"))?;
            return match table {
                Some(table) if table != found => {
                    Err(format!("`{given}` is in the table {}, not {}", found.word(), table.word()))
                }
                Some(_) | None => Ok((found, address)),
            };
        }
        let address = cells::address(given)?;
        let address = match self.defaults.addresses {
            Addresses::FromOne => address
                .checked_sub(1)
                .ok_or_else(|| "0 is no register number: they count from 1".to_owned())?,
            Addresses::Auto | Addresses::Wire | Addresses::Modicon => address,
        };
        let table = table.or(self.defaults.table);
        let table =
            table.ok_or_else(|| "it does not say in which table; give --table for all of them".to_owned())?;
        let address = u16::try_from(address).map_err(|_| format!("{address} is beyond 65535"))?;
        Ok((table, address))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_list_breaks_it_and_what_it_takes_is_in_range(
            text in "(name|addr|tag|Register|fc|unit|scale|[a-z]{0,3})([,;\t](address|type|units|x|offset)){0,6}\n\
                     (([\"a-zäµ 0-9.]{0,8}|4000[0-9]|0x[0-9a-f]{0,5}|-?[0-9]{1,6}|1/10|mV|u16|f32|holding)[,;\t\n]){0,40}",
            addresses in prop::sample::select(vec![
                Addresses::Auto, Addresses::Wire, Addresses::FromOne, Addresses::Modicon,
            ]),
        ) {
            let defaults = Defaults { addresses, table: Some(Table::Holding), class: "fast" };
            let imported = read(&text, &defaults);
            for row in imported.rows {
                prop_assert!(!row.name.is_empty() && row.name.len() <= 48, "{row:?}");
                prop_assert!(row.scale.is_finite() && row.offset.is_finite(), "{row:?}");
                prop_assert_eq!(row.table.holds_bits(), row.encoding == "bool");
            }
        }
    }
}

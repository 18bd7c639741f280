//! A signed check: what a device read when someone looked at its display and put their name to it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;

use serde::Deserialize;

use super::{Subject, rows};
use crate::cli::{Exit, say};
use crate::clock;
use crate::field::probe::ProbeRow;
use crate::field::profile::{Encoding, PointSpec, Profile};
use crate::safety::site::Labels;
use crate::units::{Unit, Value};
use crate::wire::why;

/// By how much a value may differ from what was signed, unless a person writes another tolerance: this part of
/// the value, …
const TOLERANCE: f64 = 0.05;
/// … less for voltages, …
const TOLERANCE_VOLTS: f64 = 0.02;
/// … but at least so many degrees or per cent, …
const TOLERANCE_MIN: f64 = 2.0;
/// … and so many of the device's own steps.
const TOLERANCE_STEPS: f64 = 10.0;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Signed {
    #[serde(rename = "signed")]
    head: Head,
    #[serde(default)]
    point: Vec<Wanted>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    device: String,
    by: String,
    when: String,
    profile: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    name: String,
    value: Option<f64>,
    #[serde(default)]
    tolerance: f64,
    range: Option<[f64; 2]>,
}

impl Wanted {
    fn bounds(&self) -> Option<(f64, f64)> {
        match (self.value, self.range) {
            (Some(value), None) => Some((value - self.tolerance, value + self.tolerance)),
            (None, Some([low, high])) => Some((low, high)),
            _ => None,
        }
    }

    fn text(&self) -> String {
        match (self.value, self.range) {
            (Some(value), _) if self.tolerance == 0.0 => value.to_string(),
            (Some(value), _) => format!("{value} ± {}", self.tolerance),
            (None, Some([low, high])) => format!("{low}..{high}"),
            (None, None) => "–".to_owned(),
        }
    }
}

/// Compares what was read with a signed check.
pub(super) fn compare(file: &Path, found: &[ProbeRow]) -> (Exit, Vec<Vec<String>>) {
    let refuse = |sentence: String| {
        say(&format!("emberwatch probe: {}: {sentence}", file.display()));
        (Exit::Usage, Vec::new())
    };
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) => return refuse(format!("cannot be read: {error}")),
    };
    let signed: Signed = match toml::from_str(&text) {
        Ok(signed) => signed,
        Err(error) => return refuse(format!("is no signed check: {error}")),
    };
    if let Some(wrong) = signed.point.iter().find(|point| point.bounds().is_none()) {
        return refuse(format!("point `{}` needs either `value` or `range`", wrong.name));
    }
    if signed.point.is_empty() {
        return refuse("it holds no [[point]]: nothing would be checked".to_owned());
    }
    let head = &signed.head;
    say(&format!("signed by {} on {} for {} ({})", head.by, head.when, head.device, head.profile));
    judge(&signed.point, found)
}

fn judge(wanted: &[Wanted], found: &[ProbeRow]) -> (Exit, Vec<Vec<String>>) {
    let by_name: BTreeMap<&str, &ProbeRow> = found.iter().map(|row| (row.point.as_str(), row)).collect();
    let mut cells = vec![["point", "signed", "reads", "unit", "verdict"].map(str::to_owned).to_vec()];
    let mut good = 0;
    for point in wanted {
        let row = by_name.get(point.name.as_str());
        let verdict = match row.map(|row| row.result) {
            None => "no such point".to_owned(),
            Some(Err(fault)) => format!("bad: {}", why::fault(fault)),
            Some(Ok(value)) => match point.bounds() {
                Some((low, high)) if low <= value.get() && value.get() <= high => "as signed".to_owned(),
                _ => "DIFFERS".to_owned(),
            },
        };
        good += usize::from(verdict == "as signed");
        let reads = row.and_then(|row| row.result.ok()).map_or("–".to_owned(), |value| value.to_string());
        let unit = row.map_or("", |row| row.unit.symbol()).to_owned();
        cells.push(vec![point.name.clone(), point.text(), reads, unit, verdict]);
    }
    say(&format!("{good} of {} points as signed", wanted.len()));
    let exit = match (good == wanted.len(), rows::anyone(found)) {
        (true, _) => Exit::Ok,
        (false, true) => Exit::No,
        (false, false) => Exit::Unavailable,
    };
    (exit, cells)
}

/// Writes a check of what was read; the file must not exist.
pub(super) fn write(file: &Path, subject: &Subject, profile: &Profile, found: &[ProbeRow], by: &str) -> Exit {
    if !rows::anyone(found) {
        say("emberwatch probe: no answer: there is nothing to sign");
        return Exit::Unavailable;
    }
    let text = draft(&subject.name, profile, found, by);
    let written = File::create_new(file).and_then(|mut out| {
        out.write_all(text.as_bytes())?;
        out.sync_all()
    });
    if let Err(error) = written {
        say(&format!("emberwatch probe: cannot write {}: {error}", file.display()));
        return Exit::CannotCreate;
    }
    let name = file.display();
    say(&format!(
        "written: {name}. Compare each value with the device's display, then keep it with the site"
    ));
    Exit::Ok
}

fn draft(device: &str, profile: &Profile, found: &[ProbeRow], by: &str) -> String {
    let when = jiff::Timestamp::from_millisecond(clock::now().wall.0).unwrap_or_default();
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let mut text = format!(
        "# What the device read when this was written. Compare each value with its display or a second instrument,\n\
         # widen or narrow tolerances, delete what changes by itself. Checked by: emberwatch probe … --expect FILE\n\
         [signed]\ndevice = {}\nby = {}\nwhen = \"{when:.0}\"\nprofile = {}\n",
        quoted(device),
        quoted(by),
        quoted(&profile.id)
    );
    for (row, point) in rows::with_specs(found, profile) {
        // Writing to a String cannot fail.
        let _ = match (row.result, tolerance(point, row.result.ok())) {
            (Ok(value), Some(tolerance)) => writeln!(
                text,
                "\n[[point]]\nname = \"{}\"\nvalue = {:?}{}\ntolerance = {tolerance:?}",
                row.point,
                value.get(),
                comment(row)
            ),
            (Ok(value), None) => writeln!(text, "\n# {} = {value}: counts or codes, not compared", row.point),
            (Err(fault), _) => writeln!(text, "\n# {}: not read ({})", row.point, why::fault(fault)),
        };
    }
    text
}

fn comment(row: &ProbeRow) -> String {
    let more = row.label.as_deref().unwrap_or(row.unit.symbol());
    if more.is_empty() { String::new() } else { format!("  # {more}") }
}

/// By how much a point may differ; `None` for what says nothing of itself, such as counters.
fn tolerance(point: &PointSpec, value: Option<Value>) -> Option<f64> {
    let size = value?.get().abs();
    if !matches!(point.labels, Labels::None) {
        return Some(0.0);
    }
    let part = match point.unit {
        Unit::None => return None,
        Unit::Volt => TOLERANCE_VOLTS * size,
        Unit::Celsius | Unit::Percent | Unit::PercentLfl => (TOLERANCE * size).max(TOLERANCE_MIN),
        _ => TOLERANCE * size,
    };
    let is_float = matches!(point.encoding, Encoding::F32 | Encoding::F64);
    let steps = if is_float { 0.0 } else { TOLERANCE_STEPS * point.scaling.scale.abs() };
    Some(rounded(part.max(steps)))
}

fn rounded(number: f64) -> f64 {
    (number * 1000.0).ceil() / 1000.0
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::field::profile::builtin;
    use crate::safety::reading::ReadFault;

    fn rows(profile: &Profile) -> Vec<ProbeRow> {
        let row = |point: &PointSpec| ProbeRow {
            point: point.name.clone(),
            table: point.table,
            address: point.address,
            words: vec![1],
            result: Ok(Value::new(1.0).unwrap()),
            unit: point.unit,
            in_range: None,
            label: point.label(1.0),
        };
        profile.points.iter().map(row).collect()
    }

    #[test]
    fn what_was_written_is_as_signed_until_a_value_differs() {
        let profile = builtin().remove("sim-bms").unwrap().profile;
        let mut found = rows(&profile);
        let text = draft("bms-1", &profile, &found, "A. \"Kim\"");
        let signed: Signed = toml::from_str(&text).unwrap();
        assert_eq!((signed.head.by.as_str(), signed.head.device.as_str()), ("A. \"Kim\"", "bms-1"));
        assert_eq!(judge(&signed.point, &found).0, Exit::Ok);
        let state = found.iter().position(|row| row.point == "state").unwrap();
        found[state].result = Ok(Value::new(2.0).unwrap());
        let (exit, cells) = judge(&signed.point, &found);
        assert_eq!(exit, Exit::No);
        assert_eq!(cells.iter().filter(|row| row[4] == "DIFFERS").count(), 1);
        for row in &mut found {
            row.result = Err(ReadFault::Timeout);
        }
        assert_eq!(judge(&signed.point, &found).0, Exit::Unavailable);
        assert!(!text.contains("heartbeat\"\n"), "a counter is not compared:\n{text}");
    }
}

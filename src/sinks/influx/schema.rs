//! Which line a fact becomes: measurements, tags and fields.
//!
//! One line per device and publication with all points of it that were read; cells and the contacts of a
//! relay box get lines of their own. Fields:
//!
//! - name: the point's, `-` as `_`, and its unit as a last word (`_c`, `_v`, `_pct` …) unless it has that word
//!   already: `temp-max` in °C is `temp_max_c`, `cell-v-min` in V stays `cell_v_min`.
//! - type: integer where the point has labels (states, bit fields) or is a contact, float everywhere else.
//! - a point without a good or uncertain value has no field; `q` is the worst of the line: 192 good,
//!   500 uncertain, 0 bad. The old value is never repeated.

use std::collections::BTreeMap;

use crate::exchange::Publication;
use crate::safety::alarm::{AlarmChange, AlarmFigures};
use crate::safety::fact::Fact;
use crate::safety::reading::Reading;
use crate::safety::risk::Evidence;
use crate::safety::sequence::{Phase, SequenceChange, SequenceEvent};
use crate::safety::site::{Device, DeviceKind, Labels, Point, PointId, Site};
use crate::sinks::influx::lines::LineBuilder;
use crate::units::{Now, Unit, Uptime, Value};
use crate::wire::payload::priority;
use crate::wire::text;

const GOOD: i64 = 192;
const UNCERTAIN: i64 = 500;
const BAD: i64 = 0;

/// The lines of one publication.
#[derive(Debug, Default)]
pub(super) struct Lines {
    pub(super) events: Vec<String>,
    pub(super) readings: Vec<String>,
}

/// What a publication says, as lines.
pub(super) fn lines_of(site: &Site, publication: &Publication) -> Lines {
    let mut lines = Lines::default();
    let mut rows: BTreeMap<(u32, Row), Vec<(PointId, Reading)>> = BTreeMap::new();
    for fact in &publication.facts {
        match fact {
            Fact::Reading { point, reading } => {
                if let Some(spec) = site.points.get(point.index()) {
                    let row = Row::of(&site[spec.device], spec);
                    rows.entry((spec.device.0, row)).or_default().push((*point, *reading));
                }
            }
            Fact::Alarm(change) => lines.events.extend(alarm_line(site, change, publication.now)),
            Fact::AlarmFigures(figures) => {
                lines.readings.extend(figures_line(site, figures, publication.now));
            }
            Fact::Sequence(change) => lines.events.extend(sequence_line(site, change, publication.now)),
            Fact::Finding(_)
            | Fact::Outlook(_)
            | Fact::Level(_)
            | Fact::LoneVote { .. }
            | Fact::Waiver(_)
            | Fact::Notice(_)
            | Fact::Gap { .. }
            | Fact::ClockStepped { .. }
            | Fact::Commanded(_)
            | Fact::Proposed { .. }
            | Fact::Followed { .. }
            | Fact::Refused { .. } => {}
        }
    }
    for ((_, row), readings) in rows {
        lines.readings.extend(reading_line(site, &row, &readings, publication.now));
    }
    lines
}

/// Which line of its device a point goes to.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Row {
    Device,
    Cell(u32),
    Contact(String),
}

impl Row {
    fn of(device: &Device, point: &Point) -> Self {
        match device.kind {
            DeviceKind::Battery => cell(&point.name).map_or(Self::Device, |(_, cell)| Self::Cell(cell)),
            DeviceKind::Contact if point.unit == Unit::None => Self::Contact(point.name.clone()),
            DeviceKind::Contact
            | DeviceKind::Ups
            | DeviceKind::Gas
            | DeviceKind::Smoke
            | DeviceKind::Environment => Self::Device,
        }
    }
}

/// `cell-v-3` is `v` of cell 3.
fn cell(name: &str) -> Option<(&str, u32)> {
    let (what, number) = name.strip_prefix("cell-")?.rsplit_once('-')?;
    Some((what, number.parse().ok()?))
}

fn reading_line(site: &Site, row: &Row, readings: &[(PointId, Reading)], now: Now) -> Option<String> {
    let device = &site[site[readings.first()?.0].device];
    let zone = &site[device.zone];
    let mut line = LineBuilder::new(measurement(device.kind, row));
    if let Row::Cell(number) = row {
        line.tag("cell", &format!("{number:02}"));
    }
    line.tag("device", &device.name);
    if let Row::Contact(point) = row {
        line.tag("point", point);
    }
    line.tag("room", &site[zone.room].name);
    line.tag("site", &site.name);
    if device.kind == DeviceKind::Smoke {
        line.tag("zone", &zone.name);
    }
    let mut quality = GOOD;
    let mut newest: Option<Uptime> = None;
    for (id, reading) in readings {
        let (value, mut point_quality) = value_of(reading);
        if let Some((value, taken)) = value {
            newest = newest.max(Some(taken));
            if !write_field(&mut line, row, &site[*id], value) {
                point_quality = BAD;
            }
        }
        quality = worst(quality, point_quality);
    }
    line.int("q", quality);
    // When it was read, on the wall clock of now; a line without values is of now.
    let age = newest.map_or(0, |taken| now.uptime.since(taken).0);
    line.at(now.wall.0.saturating_sub_unsigned(age))
}

fn measurement(kind: DeviceKind, row: &Row) -> &'static str {
    match (kind, row) {
        (_, Row::Cell(_)) => "battery_cell",
        (DeviceKind::Ups, _) => "ups",
        (DeviceKind::Battery, _) => "battery_string",
        (DeviceKind::Gas, _) => "gas",
        (DeviceKind::Smoke, _) => "smoke",
        (DeviceKind::Environment, _) => "environment",
        (DeviceKind::Contact, _) => "contact",
    }
}

fn value_of(reading: &Reading) -> (Option<(Value, Uptime)>, i64) {
    match *reading {
        Reading::Good { value, taken } => (Some((value, taken)), GOOD),
        Reading::Uncertain { value, taken, .. } => (Some((value, taken)), UNCERTAIN),
        Reading::NeverSeen | Reading::Bad { .. } => (None, BAD),
    }
}

fn worst(one: i64, other: i64) -> i64 {
    match (one, other) {
        (BAD, _) | (_, BAD) => BAD,
        (UNCERTAIN, _) | (_, UNCERTAIN) => UNCERTAIN,
        _ => GOOD,
    }
}

/// False if the value is not of the field's type: one field has one type for ever.
fn write_field(line: &mut LineBuilder, row: &Row, point: &Point, value: Value) -> bool {
    let name = match row {
        Row::Contact(_) => "state".to_owned(),
        Row::Cell(_) => cell_field(point),
        Row::Device => field_name(&point.name, point.unit),
    };
    if matches!(row, Row::Contact(_)) || point.labels != Labels::None {
        let whole = value.get();
        if whole.fract() != 0.0 || 9e15 < whole.abs() {
            return false;
        }
        #[expect(clippy::cast_possible_truncation, reason = "whole and below 2^53, as just checked")]
        line.int(&name, whole as i64);
    } else {
        line.float(&name, value.get());
    }
    true
}

fn cell_field(point: &Point) -> String {
    match cell(&point.name) {
        Some(("v" | "voltage", _)) => "voltage_v".to_owned(),
        Some(("t" | "temp", _)) => "temp_c".to_owned(),
        Some((what, _)) => field_name(what, point.unit),
        None => field_name(&point.name, point.unit),
    }
}

/// The name of a point's field: its unit is a word of it.
pub(super) fn field_name(point: &str, unit: Unit) -> String {
    let name = point.replace('-', "_");
    let suffix = suffix(unit);
    let has_it = suffix.is_empty() || format!("_{name}_").contains(&format!("_{suffix}_"));
    if has_it { name } else { format!("{name}_{suffix}") }
}

fn suffix(unit: Unit) -> &'static str {
    match unit {
        Unit::None => "",
        Unit::Celsius => "c",
        Unit::Volt => "v",
        Unit::Ampere => "a",
        Unit::Watt => "w",
        Unit::Percent => "pct",
        Unit::PercentLfl => "lfl_pct",
        Unit::Ppm => "ppm",
        Unit::ObscurationPerMetre => "pct_m",
        Unit::Second => "s",
        Unit::Minute => "min",
        Unit::Hertz => "hz",
        Unit::Kiloohm => "kohm",
        Unit::AmpereHour => "ah",
        Unit::Rpm => "rpm",
    }
}

fn alarm_line(site: &Site, change: &AlarmChange, now: Now) -> Option<String> {
    let alarm = site.alarms.get(change.alarm.index())?;
    let mut line = LineBuilder::new("alarm_event");
    line.tag("alarm", &alarm.name);
    line.tag("event", change.event.word());
    line.tag("priority", change.now.priority.map_or("none", priority));
    line.tag("room", &site[alarm.room].name);
    line.tag("site", &site.name);
    line.int("number", i64::try_from(change.number).unwrap_or(i64::MAX));
    line.string("occ", &change.now.occurrence.to_string());
    line.int("rev", i64::from(change.now.revision));
    match change.now.evidence {
        Evidence::Limit { value, limit, .. }
        | Evidence::Apart { value, limit, .. }
        | Evidence::Step { value, limit, .. } => {
            line.float("value", value.get());
            line.float("limit", limit);
        }
        Evidence::Rate { per_minute: value, limit, .. } | Evidence::Projected { value, limit, .. } => {
            line.float("value", value);
            line.float("limit", limit);
        }
        Evidence::State { value, .. } => line.float("value", value.get()),
        Evidence::None | Evidence::Silent { .. } | Evidence::Unbelieved { .. } | Evidence::Votes { .. } => {}
    }
    if let Some(by) = change.event.by() {
        line.string("actor", by);
    }
    line.string("reason", &alarm.message);
    line.at(now.wall.0)
}

/// How the alarm system serves its operators.
fn figures_line(site: &Site, figures: &AlarmFigures, now: Now) -> Option<String> {
    let mut line = LineBuilder::new("alarm_figures");
    line.tag("gateway", &site.gateway);
    line.tag("site", &site.name);
    for (name, figure) in figures.named() {
        line.int(name, i64::from(figure));
    }
    line.at(now.wall.0)
}

fn sequence_line(site: &Site, change: &SequenceChange, now: Now) -> Option<String> {
    let sequence = site.sequences.get(change.sequence.index())?;
    let room = &site[site[sequence.zone].room].name;
    let mut line = LineBuilder::new("sequence_event");
    line.tag("event", change.event.word());
    line.tag("mode", text::mode(change.now.mode));
    line.tag("room", room);
    line.tag("sequence", &sequence.name);
    line.tag("site", &site.name);
    if let Phase::Run(run) = &change.now.phase {
        line.string("run", &run.id.0.to_string());
        line.int("shadow", i64::from(run.shadow));
    }
    if let Some(step) = change.event.stage() {
        line.int("step", i64::from(step));
    }
    line.string("detail", &detail(site, &change.event));
    line.at(now.wall.0)
}

/// What is to be said of an event beside its word: why, or who.
fn detail(site: &Site, event: &SequenceEvent) -> String {
    match event {
        SequenceEvent::StageFailed(_, why) => text::stage_fault(site, why),
        _ => event.by().map(ToString::to_string).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_has_its_unit_as_a_word_once() {
        for (point, unit, field) in [
            ("temp-max", Unit::Celsius, "temp_max_c"),
            ("cell-v-min", Unit::Volt, "cell_v_min"),
            ("input-v-l1", Unit::Volt, "input_v_l1"),
            ("current", Unit::Ampere, "current_a"),
            ("soc", Unit::Percent, "soc_pct"),
            ("lfl-pct", Unit::PercentLfl, "lfl_pct"),
            ("lel", Unit::PercentLfl, "lel_lfl_pct"),
            ("runtime-s", Unit::Second, "runtime_s"),
            ("status", Unit::None, "status"),
        ] {
            assert_eq!(field_name(point, unit), field);
        }
    }

    #[test]
    fn a_cell_is_found_by_its_name() {
        assert_eq!(cell("cell-v-3"), Some(("v", 3)));
        assert_eq!(cell("cell-temp-12"), Some(("temp", 12)));
        assert_eq!(cell("cell-v-min"), None);
        assert_eq!(cell("soc"), None);
    }

    #[test]
    fn the_worst_quality_of_a_line_counts() {
        assert_eq!(worst(GOOD, UNCERTAIN), UNCERTAIN);
        assert_eq!(worst(UNCERTAIN, BAD), BAD);
        assert_eq!(worst(GOOD, GOOD), GOOD);
    }
}

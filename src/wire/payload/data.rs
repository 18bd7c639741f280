//! `device/{dev}/data`: what one poll of a device delivered. Written thousands of times a second, so by
//! hand into a reused buffer, with everything that does not change prepared once.

use crate::safety::reading::Reading;
use crate::safety::site::{PointId, Site};
use crate::units::{Uptime, Value, WallTime};
use crate::wire::{Envelope, VERSION, json, time, why};

/// Writes device data of one site.
#[derive(Debug)]
pub struct DataWriter {
    /// `"cell-temp-max":{"v":` by point.
    begins: Vec<Box<str>>,
    /// `,"u":"Cel"` by point.
    units: Vec<Box<str>>,
}

impl DataWriter {
    /// Prepares what does not change.
    #[must_use]
    pub fn new(site: &Site) -> Self {
        let mut begins = Vec::with_capacity(site.points.len());
        let mut units = Vec::with_capacity(site.points.len());
        for point in &site.points {
            let mut begin = String::new();
            json::string(&mut begin, &point.name);
            begin.push_str(":{\"v\":");
            begins.push(begin.into());
            let mut unit = ",\"u\":".to_owned();
            json::string(&mut unit, point.unit.ucum());
            units.push(unit.into());
        }
        Self { begins, units }
    }

    /// Appends the document of these readings, all of one device. Its `ts` is when the newest of the
    /// replies arrived; a point that was taken at another time says so.
    pub fn write(&self, out: &mut String, envelope: &Envelope, readings: &[(PointId, Reading)]) {
        let newest = readings.iter().filter_map(|(_, reading)| taken(reading)).max();
        let ts = newest.map_or(envelope.now.wall, |at| envelope.wall(at));
        out.push_str("{\"v\":");
        json::whole(out, u64::from(VERSION));
        stamp(out, ts);
        out.push_str(",\"boot\":");
        json::string(out, envelope.boot);
        out.push_str(",\"seq\":");
        json::whole(out, envelope.seq);
        out.push_str(",\"q\":\"");
        out.push_str(quality(readings));
        out.push_str("\",\"points\":{");
        for (index, (point, reading)) in readings.iter().enumerate() {
            if index > 0 {
                out.push(',');
            }
            self.point(out, envelope, *point, reading, newest);
        }
        out.push_str("}}");
    }

    fn point(
        &self,
        out: &mut String,
        envelope: &Envelope,
        point: PointId,
        reading: &Reading,
        newest: Option<Uptime>,
    ) {
        out.push_str(&self.begins[point.index()]);
        match reading {
            Reading::Good { value, .. } | Reading::Uncertain { value, .. } => json::number(out, value.get()),
            Reading::NeverSeen | Reading::Bad { .. } => out.push_str("null"),
        }
        out.push_str(&self.units[point.index()]);
        if let Some(why) = why::reading(reading) {
            let quality = if matches!(reading, Reading::Uncertain { .. }) { "uncertain" } else { "bad" };
            out.push_str(",\"q\":\"");
            out.push_str(quality);
            out.push_str("\",\"why\":\"");
            out.push_str(&why);
            out.push('"');
        }
        if let Reading::Bad { last: Some((value, at)), .. } = *reading {
            last(out, value, envelope.wall(at));
        }
        if let Some(at) = taken(reading).filter(|at| Some(*at) != newest) {
            stamp(out, envelope.wall(at));
        }
        out.push('}');
    }
}

fn last(out: &mut String, value: Value, at: WallTime) {
    out.push_str(",\"last\":{\"v\":");
    json::number(out, value.get());
    stamp(out, at);
    out.push('}');
}

fn stamp(out: &mut String, at: WallTime) {
    out.push_str(",\"ts\":\"");
    out.push_str(&time::rfc3339(at));
    out.push('"');
}

const fn taken(reading: &Reading) -> Option<Uptime> {
    match *reading {
        Reading::Good { taken, .. } | Reading::Uncertain { taken, .. } => Some(taken),
        Reading::NeverSeen | Reading::Bad { .. } => None,
    }
}

/// Of a message as a whole: good or bad if all of it is, otherwise uncertain.
fn quality(readings: &[(PointId, Reading)]) -> &'static str {
    let bad = |reading: &Reading| matches!(reading, Reading::Bad { .. } | Reading::NeverSeen);
    if readings.iter().all(|(_, reading)| matches!(reading, Reading::Good { .. })) {
        "good"
    } else if readings.iter().all(|(_, reading)| bad(reading)) {
        "bad"
    } else {
        "uncertain"
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::safety::reading::{Doubt, Loss, ReadFault};
    use crate::wire::testsite;

    fn written(readings: &[(PointId, Reading)]) -> serde_json::Value {
        let site = testsite::site();
        let mut out = String::new();
        DataWriter::new(&site).write(&mut out, &testsite::envelope(&site), readings);
        serde_json::from_str(&out).unwrap()
    }

    fn value(number: f64) -> Value {
        Value::new(number).unwrap()
    }

    #[test]
    fn a_good_point_carries_value_and_unit_and_no_quality() {
        let reading = Reading::Good { value: value(31.4), taken: Uptime(9_880) };
        let json = written(&[(PointId(0), reading)]);
        assert_eq!(
            json,
            serde_json::json!({"v":1,"ts":"2026-11-22T17:42:05.000Z","boot":"B1","seq":7,"q":"good",
                "points":{"cell-temp-max":{"v":31.4,"u":"Cel"}}})
        );
    }

    #[test]
    fn a_bad_point_has_no_value_but_its_reason_and_the_last_one() {
        let why = Loss::Fault(ReadFault::Exception(2));
        let bad = Reading::Bad { last: Some((value(-3.1), Uptime(4_000))), why };
        let good = Reading::Good { value: value(98.2), taken: Uptime(10_000) };
        let json = written(&[(PointId(0), bad), (PointId(1), good)]);
        assert_eq!(json["q"], "uncertain");
        assert_eq!(
            json["points"]["cell-temp-max"],
            serde_json::json!({"v":null,"u":"Cel","q":"bad","why":"modbus-exception-2",
                "last":{"v":-3.1,"ts":"2026-11-22T17:41:59.120Z"}})
        );
    }

    #[test]
    fn a_point_never_read_is_null_and_the_message_is_bad() {
        let json = written(&[(PointId(0), Reading::NeverSeen)]);
        assert_eq!(json["q"], "bad");
        assert_eq!(json["points"]["cell-temp-max"]["why"], "not-yet-read");
        assert!(json["points"]["cell-temp-max"]["v"].is_null());
    }

    #[test]
    fn a_doubted_point_shows_its_value_and_its_own_time() {
        let doubted = Reading::Uncertain { value: value(5.5), taken: Uptime(9_000), why: Doubt::TooFast };
        let good = Reading::Good { value: value(98.2), taken: Uptime(10_000) };
        let json = written(&[(PointId(0), doubted), (PointId(1), good)]);
        assert_eq!(
            json["points"]["cell-temp-max"],
            serde_json::json!({"v":5.5,"u":"Cel","q":"uncertain","why":"rate-of-change",
                "ts":"2026-11-22T17:42:04.120Z"})
        );
    }

    #[test]
    fn thousands_of_readings_a_second_cost_little() {
        let site = testsite::site();
        let writer = DataWriter::new(&site);
        let reading = Reading::Good { value: value(31.4), taken: Uptime(9_880) };
        let readings = vec![(PointId(0), reading); 50];
        let mut out = String::new();
        let begun = crate::clock::uptime();
        for _ in 0..50 {
            out.clear();
            writer.write(&mut out, &testsite::envelope(&site), &readings);
        }
        // One second's worth of a full gateway; the bound is generous because tests run unoptimised.
        assert!(crate::clock::uptime().since(begun).0 < 500);
    }
}

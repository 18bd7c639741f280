//! A replay as one HTML page that needs nothing else: values with their limits, levels, alarms and decisions.
//!
//! The page carries its data as JSON and its script inline; it asks no network and works from a file.

use serde_json::{Value, json};

use super::series::{Bucket, Series};
use super::summary::{Firsts, Mark};
use super::timeline::{Entry, Kind, Timeline};
use crate::safety::rules::RuleKind;
use crate::safety::site::{PointId, Site, ZoneId};
use crate::units::{Millis, Unit};
use crate::wire::text;

/// Points that are drawn; beyond this only those that a rule judges by, and never more.
const POINTS_MAX: usize = 96;

/// Entries that are listed below the charts.
const ENTRIES_MAX: usize = 2000;

const PAGE: &str = include_str!("plot.html");
const SCRIPT: &str = include_str!("plot.js");

/// What a page is made of.
#[derive(Clone, Copy, Debug)]
pub struct Plot<'a> {
    /// The rules that were played.
    pub site: &'a Site,
    /// The recording's name.
    pub title: &'a str,
    /// What else is to be known of it, one sentence each.
    pub notes: &'a [String],
    /// Time of the last scan.
    pub ended_at: Millis,
    /// Values.
    pub series: &'a Series,
    /// What the core said.
    pub timeline: &'a Timeline,
    /// What came first.
    pub firsts: &'a Firsts,
}

/// The points worth drawing: all that are fed, or where they are many those that rules judge by.
#[must_use]
pub fn drawn(site: &Site, fed: &[bool]) -> Vec<PointId> {
    let fed = |point: &PointId| fed.get(point.index()).copied().unwrap_or(false);
    let all: Vec<PointId> = (0..site.points.len()).map(PointId::at).filter(fed).collect();
    if all.len() <= POINTS_MAX {
        return all;
    }
    let judged = |point: &PointId| site.rules.iter().any(|rule| rule.kind.points().contains(point));
    all.into_iter().filter(judged).take(POINTS_MAX).collect()
}

/// The whole page.
#[must_use]
pub fn page(plot: &Plot<'_>) -> String {
    // A text that looks like a tag must not end the script it is in.
    let data = data(plot).to_string().replace('<', "\\u003c");
    let title = plot.title.replace('&', "&amp;").replace('<', "&lt;");
    PAGE.replace("{{title}}", &title).replace("{{script}}", SCRIPT).replace("{{data}}", &data)
}

fn data(plot: &Plot<'_>) -> Value {
    let groups: Vec<Value> = groups(plot.site, plot.series)
        .into_iter()
        .map(|((zone, unit), points)| group(plot, zone, unit, &points))
        .collect();
    let zones: Vec<Value> = plot.site.zones.iter().map(|zone| bands(plot, &zone.name, &zone.title)).collect();
    let entries = plot.timeline.entries.iter().filter(|entry| entry.kind != Kind::Finding);
    let entries: Vec<Value> = entries.take(ENTRIES_MAX).map(entry).collect();
    json!({
        "title": plot.title,
        "site": plot.site.name,
        "notes": plot.notes,
        "end": plot.ended_at.0,
        "begin": begin(plot),
        "groups": groups,
        "zones": zones,
        "entries": entries,
        "votes": votes(plot),
    })
}

/// Where the drawing begins: at the first thing there is to see.
fn begin(plot: &Plot<'_>) -> u64 {
    let points = (0..plot.site.points.len()).map(PointId::at);
    points.filter_map(|point| plot.series.buckets(point).first()).map(|bucket| bucket.at).min().unwrap_or(0)
}

/// Points that have values, by zone and unit.
fn groups(site: &Site, series: &Series) -> std::collections::BTreeMap<(ZoneId, Unit), Vec<PointId>> {
    let mut groups = std::collections::BTreeMap::<_, Vec<PointId>>::new();
    for point in (0..site.points.len()).map(PointId::at) {
        if !series.buckets(point).is_empty() {
            let zone = site[site[point].device].zone;
            groups.entry((zone, site[point].unit)).or_default().push(point);
        }
    }
    groups
}

fn group(plot: &Plot<'_>, zone: ZoneId, unit: Unit, points: &[PointId]) -> Value {
    let site = plot.site;
    let mut limits = Vec::new();
    for rule in &site.rules {
        // Only limits are lines over values; slopes and votes are in the list below.
        if let RuleKind::Limit(limit) = &rule.kind
            && points.contains(&limit.point)
        {
            for (step, level) in limit.steps.iter().zip(["watch", "warning", "danger"]) {
                if let Some(step) = step {
                    limits.push(json!({ "rule": rule.name, "level": level, "value": step.limit }));
                }
            }
        }
    }
    let zone = &site[zone];
    let series: Vec<Value> = points.iter().map(|point| line(plot, *point)).collect();
    json!({
        "zone": if zone.title.is_empty() { &zone.name } else { &zone.title },
        "unit": unit.symbol(),
        "limits": limits,
        "series": series,
    })
}

fn line(plot: &Plot<'_>, point: PointId) -> Value {
    let buckets = plot.series.buckets(point);
    let of =
        |pick: fn(&Bucket) -> f64| buckets.iter().map(|bucket| rounded(pick(bucket))).collect::<Vec<f64>>();
    let spread = buckets.iter().any(|bucket| bucket.low < bucket.high);
    json!({
        "name": text::point_key(plot.site, point),
        "t": buckets.iter().map(|bucket| bucket.at).collect::<Vec<u64>>(),
        "v": of(|bucket| bucket.last),
        "lo": if spread { of(|bucket| bucket.low) } else { Vec::new() },
        "hi": if spread { of(|bucket| bucket.high) } else { Vec::new() },
        "holes": plot.series.holes(point),
    })
}

/// Six digits are more than a screen shows.
fn rounded(number: f64) -> f64 {
    format!("{number:.6}").parse().unwrap_or(number)
}

fn bands(plot: &Plot<'_>, zone: &str, title: &str) -> Value {
    let changes =
        plot.timeline.entries.iter().filter(|entry| entry.kind == Kind::Level && entry.subject == zone);
    let bands: Vec<Value> = changes.map(|entry| json!([entry.at.0, entry.level.word()])).collect();
    json!({ "name": zone, "title": if title.is_empty() { zone } else { title }, "bands": bands })
}

fn entry(entry: &Entry) -> Value {
    json!({
        "t": entry.at.0,
        "kind": entry.kind.word(),
        "level": entry.level.word(),
        "event": entry.event,
        "subject": entry.subject,
        "text": entry.text,
    })
}

fn votes(plot: &Plot<'_>) -> Vec<Value> {
    let votes = plot.firsts.marks.iter().filter_map(|(mark, times)| match mark {
        Mark::Vote(vote, channel) => Some(json!({ "t": times.first().0, "vote": vote, "channel": channel })),
        _ => None,
    });
    votes.collect()
}

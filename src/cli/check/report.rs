//! The worst case on paper, as `emberwatch check` prints it: a line per link, a line per sequence; with
//! `--plan` every request and the age of every point as well.

use crate::cli::check::columns::{Columns, Side, line_time, percent, span, worst};
use crate::config::Loaded;
use crate::field::budget::{DEAD_PERCENT, JobBudget, LinkBudget, SequenceBudget};
use crate::field::profile::REGISTERS_PER_READ_MAX;
use crate::safety::sequence::spec::Mode;
use crate::safety::site::PointId;
use crate::units::Millis;

/// The report for people.
pub(super) fn text(loaded: &Loaded, with_plan: bool) -> String {
    let mut text = links(loaded);
    text.push('\n');
    text.push_str(&sequences(loaded));
    text.push_str(&limits(loaded));
    if with_plan {
        for link in &loaded.budget.links {
            text.push('\n');
            text.push_str(&plan(link));
        }
        for (at, sequence) in loaded.budget.sequences.iter().enumerate() {
            text.push('\n');
            text.push_str(&parts(&loaded.site.sequences[at].name, sequence));
        }
        text.push('\n');
        text.push_str(&ages(loaded));
    } else {
        text.push_str("\nEvery request and the age of every point: emberwatch check --plan\n");
    }
    text
}

fn links(loaded: &Loaded) -> String {
    let mut columns = Columns::new(&[
        ("link", Side::Left),
        ("units", Side::Right),
        ("requests", Side::Right),
        ("registers", Side::Right),
        ("filler", Side::Right),
        ("round", Side::Right),
        ("busy", Side::Right),
        ("oldest value", Side::Right),
        ("if a unit dies", Side::Right),
        ("leads to", Side::Left),
    ]);
    for link in &loaded.budget.links {
        let sum = |of: fn(&JobBudget) -> u32| link.jobs.iter().map(of).sum::<u32>().to_string();
        columns.row(vec![
            link.name.clone(),
            link.units.to_string(),
            link.requests().to_string(),
            sum(|job| job.useful),
            sum(|job| job.filler),
            span(link.cycle),
            percent(link.busy_permille),
            worst(link.oldest().alive),
            worst(link.oldest().dying),
            link.place.clone(),
        ]);
    }
    format!(
        "Worst case on paper, with the answering times that are usual before any is measured\n{}  \
         Units that do not answer take at most {} of a line on top.\n",
        columns.render(),
        percent(DEAD_PERCENT * 10)
    )
}

fn sequences(loaded: &Loaded) -> String {
    let site = &loaded.site;
    if site.sequences.is_empty() {
        return "There is no sequence: nothing is cut.\n".to_owned();
    }
    let mut columns = Columns::new(&[
        ("sequence", Side::Left),
        ("mode", Side::Left),
        ("first alert", Side::Right),
        ("if a unit dies", Side::Right),
        ("breaker frame", Side::Right),
        ("if a unit dies", Side::Right),
        ("slowest rule", Side::Left),
    ]);
    for (sequence, budget) in site.sequences.iter().zip(&loaded.budget.sequences) {
        let slowest = budget.frame_by.map_or(String::new(), |(rule, link)| {
            format!("{} on {}", site[rule].name, loaded.budget.links[link].name)
        });
        columns.row(vec![
            sequence.name.clone(),
            mode(sequence.mode).to_owned(),
            worst(budget.alert.alive),
            worst(budget.alert.dying),
            worst(budget.frame.alive),
            worst(budget.frame.dying),
            slowest,
        ]);
    }
    format!("From a change in the room, at the latest\n{}", columns.render())
}

const fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Disabled => "disabled",
        Mode::Shadow => "shadow",
        Mode::Armed => "armed",
    }
}

/// What loaded keeps its limits: else it would not have loaded.
fn limits(loaded: &Loaded) -> String {
    let limits =
        [("first alert", loaded.limits.first_alert), ("first breaker frame", loaded.limits.first_frame)];
    let kept: Vec<String> =
        limits.iter().filter_map(|(what, limit)| Some(format!("{what} {}", (*limit)?))).collect();
    if kept.is_empty() {
        String::new()
    } else {
        format!("The limits of the site are kept: {}\n", kept.join(", "))
    }
}

fn plan(link: &LinkBudget) -> String {
    let mut columns = Columns::new(&[
        ("device", Side::Left),
        ("class", Side::Left),
        ("every", Side::Right),
        ("done within", Side::Right),
        ("table", Side::Left),
        ("from", Side::Right),
        ("count", Side::Right),
        ("points", Side::Right),
        ("line time", Side::Right),
    ]);
    for job in &link.jobs {
        for (at, (block, request_us)) in job.blocks.iter().zip(&job.requests_us).enumerate() {
            let first = |text: String| if at == 0 { text } else { String::new() };
            columns.row(vec![
                first(job.device_name.clone()),
                first(job.class.clone()),
                first(span(job.period)),
                first(done_within(job)),
                block.table.word().to_owned(),
                block.address.to_string(),
                block.count.to_string(),
                block.points.len().to_string(),
                line_time(*request_us),
            ]);
        }
    }
    let told = link.comparison;
    format!(
        "Link {}, {}: {} assumed for a device to answer, {}\n{}  \
         One round: {} as planned, {} without holes, {} with holes up to 50, {} point by point\n",
        link.name,
        link.place,
        line_time(link.turnaround_us),
        holes(link.break_even_registers),
        columns.render(),
        line_time(told.planned_us),
        line_time(told.gap_0_us),
        line_time(told.gap_50_us),
        line_time(told.per_point_us),
    )
}

fn done_within(job: &JobBudget) -> String {
    let late = if job.keeps_up() { "" } else { " (late)" };
    format!("{}{late}", worst(job.queue.alive))
}

/// What is worth reading across, where the device allows it.
fn holes(break_even: u32) -> String {
    if u32::from(REGISTERS_PER_READ_MAX) <= break_even {
        return "any hole is worth reading across".to_owned();
    }
    format!("holes up to {break_even} registers are worth reading across")
}

fn parts(name: &str, sequence: &SequenceBudget) -> String {
    let mut columns =
        Columns::new(&[("to the first breaker frame", Side::Left), ("if a unit dies", Side::Right)]);
    for part in &sequence.parts {
        columns.row(vec![part.what.to_owned(), worst(part.lasts)]);
    }
    columns.row(vec!["in all".to_owned(), worst(sequence.frame.dying)]);
    format!("Sequence {name}\n{}", columns.render())
}

fn ages(loaded: &Loaded) -> String {
    let site = &loaded.site;
    let mut columns = Columns::new(&[
        ("point", Side::Left),
        ("read every", Side::Right),
        ("age up to", Side::Right),
        ("if a unit dies", Side::Right),
        ("and after that", Side::Right),
        ("stale after", Side::Right),
    ]);
    for (at, point) in site.points.iter().enumerate() {
        let age = loaded.budget.age(PointId::at(at));
        columns.row(vec![
            format!("{}/{}", site[point.device].name, point.name),
            span(point.period),
            worst(age.alive),
            worst(age.dying),
            worst(age.dead),
            span(point.stale_after),
        ]);
    }
    format!("Every point\n{}", columns.render())
}

/// The report for programs: one JSON object.
pub(super) fn json(loaded: &Loaded, with_plan: bool) -> String {
    let site = &loaded.site;
    let ms = |lasts: Option<Millis>| lasts.map(|lasts| lasts.0);
    let links: Vec<serde_json::Value> =
        (loaded.budget.links.iter()).map(|link| json_link(link, with_plan)).collect();
    let sequences = site.sequences.iter().zip(&loaded.budget.sequences).map(|(sequence, budget)| {
        serde_json::json!({
            "id": sequence.name,
            "mode": mode(sequence.mode),
            "first_alert_ms": ms(budget.alert.alive),
            "first_alert_unit_dies_ms": ms(budget.alert.dying),
            "first_breaker_frame_ms": ms(budget.frame.alive),
            "first_breaker_frame_unit_dies_ms": ms(budget.frame.dying),
            "slowest_rule": budget.frame_by.map(|(rule, _)| site[rule].name.clone()),
        })
    });
    let mut report = serde_json::json!({ "links": links, "sequences": sequences.collect::<Vec<_>>() });
    if with_plan {
        let points = site.points.iter().enumerate().map(|(at, point)| {
            let age = loaded.budget.age(PointId::at(at));
            serde_json::json!({
                "point": format!("{}/{}", site[point.device].name, point.name),
                "period_ms": point.period.0,
                "age_ms": ms(age.alive),
                "age_unit_dies_ms": ms(age.dying),
                "age_unit_dead_ms": ms(age.dead),
            })
        });
        report["points"] = points.collect();
    }
    serde_json::json!({ "report": report }).to_string()
}

fn json_link(link: &LinkBudget, with_plan: bool) -> serde_json::Value {
    let ms = |lasts: Option<Millis>| lasts.map(|lasts| lasts.0);
    let mut object = serde_json::json!({
        "id": link.name,
        "place": link.place,
        "units": link.units,
        "requests": link.requests(),
        "useful_registers": link.jobs.iter().map(|job| job.useful).sum::<u32>(),
        "filler_registers": link.jobs.iter().map(|job| job.filler).sum::<u32>(),
        "round_ms": link.cycle.0,
        "busy_permille": link.busy_permille,
        "dead_permille_max": link.dead_permille,
        "turnaround_us": link.turnaround_us,
        "break_even_registers": link.break_even_registers,
        "keeps_up": link.keeps_up(),
        "age_max_ms": ms(link.oldest().alive),
        "age_max_unit_dies_ms": ms(link.oldest().dying),
    });
    if with_plan {
        let jobs = link.jobs.iter().map(|job| {
            let blocks = job.blocks.iter().zip(&job.requests_us).map(|(block, request_us)| {
                serde_json::json!({
                    "table": block.table.word(),
                    "address": block.address,
                    "count": block.count,
                    "points": block.points.len(),
                    "line_us": request_us,
                })
            });
            serde_json::json!({
                "device": job.device_name,
                "class": job.class,
                "period_ms": job.period.0,
                "done_within_ms": ms(job.queue.alive),
                "blocks": blocks.collect::<Vec<_>>(),
            })
        });
        object["polls"] = jobs.collect();
        object["round_us_by_plan"] = serde_json::json!({
            "planned": link.comparison.planned_us,
            "gap_0": link.comparison.gap_0_us,
            "gap_50": link.comparison.gap_50_us,
            "per_point": link.comparison.per_point_us,
        });
    }
    object
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::config;

    fn example() -> Loaded {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("config/emberwatch.toml");
        config::load(&[path]).unwrap_or_else(|complaints| panic!("{complaints}"))
    }

    #[test]
    fn the_report_fits_a_terminal_and_names_what_a_site_has() {
        let loaded = example();
        let short = text(&loaded, false);
        let names =
            loaded.links.iter().map(|link| &link.name).chain(loaded.site.sequences.iter().map(|it| &it.name));
        for name in names {
            assert!(short.contains(name.as_str()), "{name}: {short}");
        }
        assert!(short.contains("The limits of the site are kept: first alert 10 s"), "{short}");
        for line in text(&loaded, true).lines() {
            assert!(line.chars().count() <= 110 && line.trim_end() == line, "{line}");
        }
    }

    #[test]
    fn the_plan_shows_every_point_and_every_request() {
        let loaded = example();
        let long = text(&loaded, true);
        for point in &loaded.site.points {
            let name = format!("{}/{} ", loaded.site[point.device].name, point.name);
            assert!(long.contains(&name), "{name}");
        }
        let requests: usize = loaded.budget.links.iter().map(LinkBudget::requests).sum();
        let tables = ["coil", "discrete", "input", "holding"];
        let rows = long.lines().filter(|line| line.split_whitespace().any(|word| tables.contains(&word)));
        assert_eq!(rows.count(), requests);
    }

    #[test]
    fn programs_get_the_same_figures_as_one_object() {
        let loaded = example();
        let object: serde_json::Value = serde_json::from_str(&json(&loaded, true)).unwrap();
        let report = &object["report"];
        assert_eq!(report["points"].as_array().unwrap().len(), loaded.site.points.len());
        assert_eq!(report["links"][0]["round_ms"], loaded.budget.links[0].cycle.0);
        assert!(report["links"][0]["polls"].is_array());
        let short: serde_json::Value = serde_json::from_str(&json(&loaded, false)).unwrap();
        assert!(short["report"]["points"].is_null());
    }
}

//! An evaluation for people.

use crate::cli::{print, table};
use crate::evaluate::{Found, Outcome, Seen, Tally, Trial, Worth};
use crate::safety::site::Site;
use crate::sim::physics::IncidentKind;
use crate::units::Millis;

/// When something came in an outcome.
type When = fn(&Outcome) -> Option<Millis>;

const MILESTONES: [(&str, When); 6] = [
    ("watch", |outcome| outcome.levels[0]),
    ("warning", |outcome| outcome.levels[1]),
    ("danger", |outcome| outcome.levels[2]),
    ("cut decided", DECIDED),
    ("first breaker commanded", |outcome| outcome.cut),
    ("isolated, verified", |outcome| outcome.isolated),
];

/// When the countdown of a cut began.
const DECIDED: When = |outcome| outcome.decided;

/// Trials named one by one.
const NAMED_MAX: usize = 8;

/// What each point sees.
pub(super) fn roles(seen: &[Seen]) {
    let rows: Vec<Vec<String>> =
        seen.iter().map(|line| vec![line.point.clone(), line.role.clone()]).collect();
    for line in table::lines(&rows) {
        print(&line);
    }
}

/// What was found.
pub(super) fn found(found: &Found) {
    fires(&found.fires);
    print("");
    calm(&found.calm);
}

fn fires(fires: &Tally) {
    let burnt = fires.burnt();
    print(&format!("{} fires: in {burnt} a cell ran away, the others stopped short of it", fires.count()));
    let heading = ["", "reached", "before the runaway", "lead: 1 in 20 less", "middle", "1 in 20 more"];
    let mut rows = vec![heading.map(str::to_owned).to_vec()];
    for (name, when) in MILESTONES {
        let lead = fires.lead(when);
        let seconds = |pick: fn(crate::evaluate::Spread) -> f64| {
            lead.map_or_else(|| "-".to_owned(), |lead| format!("{:.0} s", pick(lead)))
        };
        rows.push(vec![
            name.to_owned(),
            share(fires.leads(when).len(), burnt),
            share(fires.in_time(when), burnt),
            seconds(|lead| lead.p5),
            seconds(|lead| lead.p50),
            seconds(|lead| lead.p95),
        ]);
    }
    show(&rows);
    print(&format!(
        "missed (nothing cut 5 min after the runaway): {}{}",
        fires.missed(),
        named(fires, "fire", Outcome::is_missed)
    ));
    print(&format!("another zone was cut too: {}", fires.spurious()));
    by_kind(fires);
}

fn by_kind(fires: &Tally) {
    print("");
    let heading = ["", "trials", "ran away", "missed", "decided before", "middle lead of the decision"];
    let mut rows = vec![heading.map(str::to_owned).to_vec()];
    for kind in IncidentKind::ALL {
        let outcomes: Vec<Outcome> =
            fires.outcomes.iter().filter(|outcome| outcome.kind == Some(kind)).cloned().collect();
        let part = Tally { kind: fires.kind, outcomes };
        if part.count() == 0 {
            continue;
        }
        rows.push(vec![
            kind.title().to_owned(),
            part.count().to_string(),
            part.burnt().to_string(),
            part.missed().to_string(),
            share(part.in_time(DECIDED), part.burnt()),
            part.lead(DECIDED).map_or_else(|| "-".to_owned(), |lead| format!("{:.0} s", lead.p50)),
        ]);
    }
    show(&rows);
}

fn calm(calm: &Tally) {
    print(&format!(
        "{} calm hours, {} with dust, solvent or failed cooling, {} with broken devices",
        calm.count(),
        calm.that(|outcome| outcome.kind.is_some()),
        calm.that(|outcome| 0 < outcome.broken),
    ));
    let spurious = |outcome: &Outcome| outcome.cut_elsewhere.is_some();
    print(&format!("spurious cuts: {}{}", calm.spurious(), named(calm, "calm", spurious)));
    print(&format!("hours with a warning or worse: {}", calm.that(|outcome| outcome.levels[1].is_some())));
}

/// The trials that are so, as `--only` takes them.
fn named(tally: &Tally, kind: &str, so: impl Fn(&Outcome) -> bool) -> String {
    let numbers: Vec<String> = tally
        .outcomes
        .iter()
        .filter(|outcome| so(outcome))
        .map(|outcome| format!("{kind}:{}", outcome.number))
        .collect();
    if numbers.is_empty() {
        return String::new();
    }
    let more = if NAMED_MAX < numbers.len() { " …" } else { "" };
    format!("  (--only {}{more})", numbers[..numbers.len().min(NAMED_MAX)].join(", "))
}

/// What sensors are worth.
pub(super) fn worths(without: &[Worth], with: &[Worth]) {
    for worths in [without, with] {
        if worths.len() < 2 {
            continue;
        }
        print("");
        let heading =
            ["", "missed", "decided before the runaway", "middle lead of the decision", "spurious cuts"];
        let mut rows = vec![heading.map(str::to_owned).to_vec()];
        for worth in worths {
            let fires = &worth.found.fires;
            rows.push(vec![
                worth.what.clone(),
                share(fires.missed(), fires.burnt()),
                share(fires.in_time(DECIDED), fires.burnt()),
                fires.lead(DECIDED).map_or_else(|| "-".to_owned(), |lead| format!("{:.0} s", lead.p50)),
                worth.found.calm.spurious().to_string(),
            ]);
        }
        show(&rows);
    }
}

/// What is going to happen in one trial.
pub(super) fn trial(trial: &Trial, site: &Site) {
    let incident = trial.incident.map_or_else(
        || "nothing happens".to_owned(),
        |incident| {
            format!("{}, rack {}, cell {}", incident.kind.title(), incident.rack + 1, incident.cell + 1)
        },
    );
    print(&format!("trial {}: {incident}", trial.number));
    for (device, point, fault) in &trial.broken {
        let whole = site[*device].name.clone();
        let what = point.map_or(whole.clone(), |point| format!("{whole}/{}", site[point].name));
        print(&format!("broken: {what}, {fault:?}"));
    }
}

/// What came of it: of a fire, counted from its beginning.
pub(super) fn outcome(outcome: &Outcome) {
    print("");
    print("after the incident began (of a calm hour: after the trial began)");
    let at = |when: Option<Millis>| {
        when.map_or_else(|| "never".to_owned(), |at| format!("{:.1} s", at.as_secs_f64()))
    };
    let mut rows = vec![vec!["a cell ran away".to_owned(), at(outcome.ran_away)]];
    rows.push(vec!["the next cell".to_owned(), at(outcome.spread)]);
    rows.extend(MILESTONES.map(|(name, when)| vec![name.to_owned(), at(when(outcome))]));
    rows.push(vec!["a zone without fire commanded".to_owned(), at(outcome.cut_elsewhere)]);
    show(&rows);
}

fn share(part: usize, whole: usize) -> String {
    #[expect(clippy::cast_precision_loss, reason = "counts of trials")]
    let per_cent = part as f64 / whole.max(1) as f64 * 100.0;
    format!("{per_cent:.1} %")
}

fn show(rows: &[Vec<String>]) {
    for line in table::lines(rows) {
        print(&format!("  {line}"));
    }
}

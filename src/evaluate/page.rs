//! The evaluation as a page that needs nothing else: figures, a picture of the lead times, tables.

use std::fmt::Write as _;

use super::roles::Seen;
use super::tally::{Spread, Tally};
use super::trial::Outcome;
use super::{Campaign, Found};
use crate::units::Millis;

/// What a change of the sensors is worth.
#[derive(Clone, Debug)]
pub struct Worth {
    /// What was changed.
    pub what: String,
    /// What became of the same trials.
    pub found: Found,
}

/// What the page shows.
#[derive(Clone, Copy, Debug)]
pub struct Page<'a> {
    /// The site.
    pub site: &'a str,
    /// Trials.
    pub campaign: Campaign,
    /// What came of them.
    pub found: &'a Found,
    /// Without each sensor that votes.
    pub without: &'a [Worth],
    /// With one more of each.
    pub with: &'a [Worth],
    /// What each point sees.
    pub seen: &'a [Seen],
    /// How one trial is played again; the number follows.
    pub again: &'a str,
}

/// When something came in an outcome.
type When = fn(&Outcome) -> Option<Millis>;

/// What is drawn and tabled: its name, its colour, when it came.
const MILESTONES: [(&str, &str, When); 5] = [
    ("watch", "watch", |outcome| outcome.levels[0]),
    ("warning", "warning", |outcome| outcome.levels[1]),
    ("danger", "danger", |outcome| outcome.levels[2]),
    ("cut decided: the countdown begins", "decided", |outcome| outcome.decided),
    ("first breaker commanded", "cut", |outcome| outcome.cut),
];

/// When people were told, when the cut was decided, and when it began.
const WARNED: When = |outcome| outcome.levels[1];
const DECIDED: When = |outcome| outcome.decided;
const CUT: When = |outcome| outcome.cut;

/// Trials that are listed one by one.
const LISTED_MAX: usize = 20;

/// The page.
#[must_use]
pub fn page(page: &Page<'_>) -> String {
    let mut html = String::from(HEAD);
    let Page { site, campaign, found, .. } = page;
    let (fires, calm) = (&found.fires, &found.calm);
    let _ = write!(
        html,
        "<h1>{}: what its limits would miss</h1><p class=meta>{} fires and {} calm hours of a simulated room, seed {}. \
         Physics of the model, not of your cells: it ranks limits, votes and sensors; it does not certify them.</p>",
        escaped(site),
        fires.count(),
        calm.count(),
        campaign.seed
    );
    html.push_str(&cards(fires, calm));
    html.push_str("<section class=card><h2>How much sooner than the runaway</h2>");
    html.push_str(&picture(fires));
    html.push_str(&milestones(fires));
    html.push_str("</section>");
    html.push_str(&worths(
        "Without one sensor",
        "The more is lost without it, the more hangs on it.",
        page.without,
    ));
    html.push_str(&worths("With one more", "As a further channel of the votes.", page.with));
    html.push_str(&listed(page));
    html.push_str(&seen(page.seen));
    html.push_str("</main></body></html>\n");
    html
}

fn cards(fires: &Tally, calm: &Tally) -> String {
    let burnt = fires.burnt();
    let card = |figure: String, text: &str, bad: bool| {
        format!(
            "<div class=\"figure{}\"><b>{figure}</b><span>{text}</span></div>",
            if bad { " bad" } else { "" }
        )
    };
    let warned = fires.in_time(WARNED);
    let cut = fires.in_time(CUT);
    [
        "<section class=figures>".to_owned(),
        card(share(warned, burnt), "warned before the runaway", false),
        card(share(cut, burnt), "cut before the runaway", false),
        card(
            format!("{} of {burnt}", fires.missed()),
            "missed: not cut 5 min after the runaway",
            0 < fires.missed(),
        ),
        card(
            format!("{} of {}", calm.spurious(), calm.count()),
            "calm hours with a cut",
            0 < calm.spurious(),
        ),
        card(
            format!("{} of {}", fires.spurious(), fires.count()),
            "fires in which another zone was cut too",
            false,
        ),
        "</section>".to_owned(),
    ]
    .concat()
}

/// Left and right end of the picture, s before the runaway.
const FROM_S: f64 = 600.0;
const TO_S: f64 = -300.0;
const WIDE: f64 = 900.0;
const HIGH: f64 = 260.0;

/// Which part of the fires that burnt had reached each level, by the time before their runaway.
fn picture(fires: &Tally) -> String {
    let burnt = fires.burnt().max(1);
    let x = |lead: f64| 50.0 + (FROM_S - lead.clamp(TO_S, FROM_S)) / (FROM_S - TO_S) * (WIDE - 70.0);
    #[expect(clippy::cast_precision_loss, reason = "counts of trials")]
    let y = |count: usize| 15.0 + (1.0 - count as f64 / burnt as f64) * (HIGH - 55.0);
    let mut svg = format!("<svg viewBox=\"0 0 {WIDE} {HIGH}\" role=img aria-label=\"lead times\">");
    for per_cent in [0, 25, 50, 75, 100] {
        let at = y(burnt * per_cent / 100);
        let _ = write!(
            svg,
            "<line class=grid x1=50 x2={:.0} y1={at:.1} y2={at:.1} /><text x=44 y={:.1} text-anchor=end>{per_cent} %</text>",
            WIDE - 20.0,
            at + 4.0
        );
    }
    for minutes in [10, 8, 6, 4, 2, 0, -2, -4] {
        let at = x(f64::from(minutes) * 60.0);
        let text = match minutes {
            0 => "runaway".to_owned(),
            before if 0 < before => format!("{before} min before"),
            after => format!("{} after", -after),
        };
        let class = if minutes == 0 { "zero" } else { "grid" };
        let _ = write!(
            svg,
            "<line class={class} x1={at:.1} x2={at:.1} y1=15 y2={:.1} /><text x={at:.1} y={:.1} text-anchor=middle>{text}</text>",
            HIGH - 40.0,
            HIGH - 22.0
        );
    }
    for (_, class, when) in MILESTONES {
        let mut leads = fires.leads(when);
        leads.reverse();
        let mut path = format!("M{:.1} {:.1}", x(FROM_S), y(0));
        for (index, lead) in leads.iter().enumerate() {
            let _ = write!(path, "H{:.1}V{:.1}", x(*lead), y(index + 1));
        }
        let _ = write!(path, "H{:.1}", x(TO_S));
        let _ = write!(svg, "<path class=\"line {class}\" d=\"{path}\" />");
    }
    svg.push_str("</svg>");
    svg
}

fn milestones(fires: &Tally) -> String {
    let mut table = String::from(
        "<table><tr><th><th>reached<th>before the runaway<th>lead: 1 in 20 less<th>middle<th>1 in 20 more</tr>",
    );
    let burnt = fires.burnt();
    for (name, class, when) in MILESTONES {
        let reached = fires.leads(when).len();
        let cells = fires.lead(when).map_or_else(|| "<td>-<td>-<td>-".to_owned(), spread);
        let _ = write!(
            table,
            "<tr><td><i class=\"key {class}\"></i>{name}<td>{}<td>{}{cells}</tr>",
            share(reached, burnt),
            share(fires.in_time(when), burnt)
        );
    }
    table.push_str("</table>");
    table
}

fn spread(spread: Spread) -> String {
    format!("<td>{:.0} s<td>{:.0} s<td>{:.0} s", spread.p5, spread.p50, spread.p95)
}

fn worths(title: &str, about: &str, worths: &[Worth]) -> String {
    if worths.is_empty() {
        return String::new();
    }
    let mut html = format!(
        "<section class=card><h2>{title}</h2><p class=meta>{about}</p><table><tr><th><th>missed<th>cut decided before the runaway<th>middle lead of the decision<th>calm hours with a cut</tr>"
    );
    for Worth { what, found } in worths {
        let fires = &found.fires;
        let lead = fires.lead(DECIDED).map_or_else(|| "-".to_owned(), |lead| format!("{:.0} s", lead.p50));
        let _ = write!(
            html,
            "<tr><td>{}<td>{}<td>{}<td>{lead}<td>{}</tr>",
            escaped(what),
            share(fires.missed(), fires.burnt()),
            share(fires.in_time(DECIDED), fires.burnt()),
            found.calm.spurious()
        );
    }
    html.push_str("</table></section>");
    html
}

fn listed(page: &Page<'_>) -> String {
    let missed = page.found.fires.outcomes.iter().filter(|outcome| outcome.is_missed());
    let spurious = page.found.calm.outcomes.iter().filter(|outcome| outcome.cut_elsewhere.is_some());
    let lines: Vec<String> = missed
        .map(|outcome| (outcome, "missed", "fire"))
        .chain(spurious.map(|outcome| (outcome, "spurious", "calm")))
        .take(LISTED_MAX)
        .map(|(outcome, what, kind)| {
            let incident = outcome.kind.map_or("nothing but broken sensors", |kind| kind.title());
            format!(
                "<tr><td>{what}<td>{incident}<td>{} broken<td><code>{} {kind}:{}</code></tr>",
                outcome.broken,
                escaped(page.again),
                outcome.number
            )
        })
        .collect();
    if lines.is_empty() {
        return String::new();
    }
    format!(
        "<section class=card><h2>To be looked at</h2><table><tr><th><th>incident<th>devices<th>play it again</tr>{}</table></section>",
        lines.concat()
    )
}

fn seen(seen: &[Seen]) -> String {
    let mut html =
        String::from("<section class=card><h2>What each point sees</h2><table><tr><th>point<th>sees</tr>");
    for line in seen.iter().filter(|line| line.sees) {
        let _ = write!(html, "<tr><td>{}<td>{}</tr>", escaped(&line.point), escaped(&line.role));
    }
    let rest = seen.iter().filter(|line| !line.sees).count();
    let _ = write!(
        html,
        "</table><p class=meta>{rest} further points see nothing that happens in the simulated room.</p></section>"
    );
    html
}

fn share(part: usize, whole: usize) -> String {
    #[expect(clippy::cast_precision_loss, reason = "counts of trials")]
    let per_cent = part as f64 / whole.max(1) as f64 * 100.0;
    format!("{per_cent:.1} %")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

const HEAD: &str = "<!doctype html><html lang=en><head><meta charset=utf-8>\
<meta name=viewport content=\"width=device-width, initial-scale=1\"><link rel=icon href=\"data:,\"><title>emberwatch evaluation</title><style>\
:root{color-scheme:light dark;--ground:#f6f7f9;--card:#fff;--ink:#17202b;--soft:#5a6675;--line:#dfe3e8;--watch:#c79b00;--warning:#e8730c;--danger:#d11a2a;--cut:#17202b}\
@media(prefers-color-scheme:dark){:root{--ground:#0e1217;--card:#161c24;--ink:#e7ecf2;--soft:#9eabba;--line:#2a333f;--watch:#e5b81c;--warning:#f5853a;--danger:#f0485a;--cut:#f2f5f8}}\
*{box-sizing:border-box}body{margin:0;background:var(--ground);color:var(--ink);font:14px/1.45 system-ui,sans-serif}\
main{max-width:1000px;margin:0 auto;padding:20px}h1{font-size:20px;margin:0}h2{font-size:14px;margin:0 0 6px}.meta{color:var(--soft);margin:4px 0 10px}\
.card{background:var(--card);border:1px solid var(--line);border-radius:10px;margin-top:14px;padding:12px 14px;overflow-x:auto}\
.figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(170px,1fr));gap:10px}\
.figure{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:10px 14px}.figure b{display:block;font-size:22px;font-weight:650}\
.figure span{color:var(--soft)}.figure.bad b{color:var(--danger)}\
table{width:100%;border-collapse:collapse;font-variant-numeric:tabular-nums}th{text-align:left;color:var(--soft);font-weight:500}th,td{padding:4px 10px 4px 0;border-bottom:1px solid var(--line)}\
svg{width:100%;height:auto}svg text{font-size:11px;fill:var(--soft)}.grid{stroke:var(--line)}.zero{stroke:var(--soft);stroke-dasharray:3 3}\
.line{fill:none;stroke-width:2}.line.watch{stroke:var(--watch)}.line.warning{stroke:var(--warning)}.line.danger{stroke:var(--danger)}.line.decided{stroke:var(--cut)}.line.cut{stroke:var(--cut);stroke-dasharray:6 3}\
.key{display:inline-block;width:14px;height:3px;margin-right:7px;vertical-align:3px}.key.watch{background:var(--watch)}.key.warning{background:var(--warning)}.key.danger{background:var(--danger)}.key.decided,.key.cut{background:var(--cut)}.key.cut{opacity:.5}\
code{font-size:12px}</style></head><body><main>";

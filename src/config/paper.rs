//! The worst case on paper against what the site states: `[site.limits]`, and what its links can carry.

use crate::config::complaint::{Desk, Place};
use crate::config::explain::Code;
use crate::config::node::At;
use crate::config::plant::SiteLimits;
use crate::field::budget::{Budget, SequenceBudget, Worst};
use crate::safety::site::{RuleId, Site};
use crate::units::Millis;

/// Complains about limits that can be missed, and links that are asked for too much.
pub(super) fn judge(desk: &mut Desk, site: &Site, budget: &Budget, links: &[Place], limits: &SiteLimits) {
    for (link, at) in budget.links.iter().zip(links) {
        if link.keeps_up() {
            continue;
        }
        let percent = percent(link.busy_permille);
        let sentence = match link.jobs.iter().find(|job| !job.keeps_up()) {
            Some(job) if link.busy_permille < 1000 => format!(
                "link `{}` cannot poll `{}` ({}) every {}",
                link.name, job.device_name, job.class, job.period
            ),
            _ => format!("link `{}` is asked for {percent} % of its time", link.name),
        };
        desk.say(Code::LinkOverload, *at, sentence)
            .label(format!("a round of its {} requests takes {}", link.requests(), link.cycle))
            .help("poll more slowly, or spread the devices over more links");
    }
    let alert = |it: &SequenceBudget| (it.alert, it.alert_by);
    let frame = |it: &SequenceBudget| (it.frame, it.frame_by);
    if let Some(limit) = &limits.first_alert {
        hold(desk, site, budget, limit, ("first_alert", "an alert", &alert));
    }
    if let Some(limit) = &limits.first_frame {
        hold(desk, site, budget, limit, ("first_breaker_frame", "a frame to a breaker", &frame));
    }
}

/// A key of `[site.limits]`, what it limits, and the figure with the rule and link behind it.
type Limited<'a> = (&'a str, &'a str, &'a dyn Fn(&SequenceBudget) -> (Worst, Option<(RuleId, usize)>));

fn hold(desk: &mut Desk, site: &Site, budget: &Budget, limit: &At<Millis>, (key, what, of): Limited<'_>) {
    if site.sequences.is_empty() {
        desk.say(Code::LimitMissed, limit.at, format!("there is no sequence that `{key}` could be of"))
            .help("add a sequence (mode \"shadow\" writes nothing), or take the limit out");
    }
    for (sequence, worst) in site.sequences.iter().zip(&budget.sequences) {
        let (worst, by) = of(worst);
        let lasts = worst.dying;
        if lasts.is_some_and(|lasts| lasts <= limit.value) {
            continue;
        }
        let slowest = by.map(|(rule, link)| (&site[rule].name, &budget.links[link]));
        let by = slowest
            .map_or(String::new(), |(rule, link)| format!(" by rule `{rule}` over link `{}`", link.name));
        let lasts = lasts.map_or("without limit".to_owned(), |lasts| format!("up to {}", seconds(lasts)));
        let sentence = format!("sequence `{}`: from a change to {what}{by} it takes {lasts}", sequence.name);
        desk.say(Code::LimitMissed, limit.at, sentence)
            .label(format!("the site states {}", limit.value))
            .help("`emberwatch check --plan` without the limit shows where the time goes");
    }
}

/// Thousandths as per cent, with one decimal.
fn percent(permille: u64) -> String {
    format!("{}.{}", permille / 10, permille % 10)
}

/// In seconds, with one decimal, rounded up.
fn seconds(span: Millis) -> String {
    let tenths = span.0.div_ceil(100);
    format!("{}.{} s", tenths / 10, tenths % 10)
}

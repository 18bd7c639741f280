//! Why a zone is as dangerous as it is, in one sentence: "danger in rack-3: concentration of gas-1 31 %LFL ≥ 25 and
//! cell-temp-spread of bms-3 22 °C ≥ 20; 2 of 3 principles agree".

use crate::safety::risk::outlook::Outlook;
use crate::safety::risk::{Evidence, Finding, Level, LevelChange};
use crate::safety::rules::RuleKind;
use crate::safety::rules::limit::Side;
use crate::safety::rules::together::{Independence, Together};
use crate::safety::site::{RuleId, Site};
use crate::wire::text::{self, number, quantity, span};

/// The most reasons that one sentence names.
const REASONS_MAX: usize = 4;

/// A zone's new level, and why.
#[must_use]
pub fn level_change(site: &Site, change: &LevelChange) -> String {
    let zone = &site[change.zone].name;
    if change.level == Level::Normal {
        return format!("{zone} is normal again, after {}", change.was.word());
    }
    let mut sentence = format!("{} in {zone}", change.level.word());
    let vote = change.because.iter().find(|finding| finding.level == change.level && agreed(finding));
    let reasons: Vec<String> = if let Some(vote) = vote {
        voters(site, vote, &change.because).map(|finding| reason(site, finding)).collect()
    } else {
        let worst = change.because.iter().filter(|finding| change.level <= finding.level);
        worst.take(REASONS_MAX).map(|finding| reason(site, finding)).collect()
    };
    if !reasons.is_empty() {
        sentence = format!("{sentence}: {}", reasons.join(" and "));
    }
    if let Some(vote) = vote {
        sentence = format!("{sentence}; {}", agreement(site, vote));
    }
    sentence
}

/// What is ahead: "at this pace warning in about 3 min (2 min to 5 min)".
#[must_use]
pub fn outlook(outlook: &Outlook) -> String {
    let latest = outlook.latest.map_or_else(|| "later, or never".to_owned(), span);
    let (level, likely, soonest) = (outlook.level.word(), span(outlook.likely), span(outlook.soonest));
    format!("at this pace {level} in about {likely} ({soonest} to {latest})")
}

/// Whether a finding is a vote's.
const fn agreed(finding: &Finding) -> bool {
    matches!(finding.evidence, Evidence::Votes { .. })
}

fn vote_of<'a>(site: &'a Site, finding: &Finding) -> Option<&'a Together> {
    match &site[finding.rule].kind {
        RuleKind::Together(vote) => Some(vote),
        RuleKind::Limit(_)
        | RuleKind::Rate(_)
        | RuleKind::Deviation(_)
        | RuleKind::Step(_)
        | RuleKind::State(_)
        | RuleKind::Silence(_) => None,
    }
}

/// The findings of the channels that vote.
fn voters<'a>(site: &Site, vote: &Finding, because: &'a [Finding]) -> impl Iterator<Item = &'a Finding> {
    let Evidence::Votes { voting, .. } = vote.evidence else { unreachable!("asked of votes only") };
    let channels: Vec<RuleId> = vote_of(site, vote).map_or_else(Vec::new, |spec| {
        let bits = spec.channels.iter().enumerate().filter(|(bit, _)| voting & 1 << (bit % 32) != 0);
        bits.map(|(_, channel)| *channel).collect()
    });
    because.iter().filter(move |finding| channels.contains(&finding.rule)).take(REASONS_MAX)
}

fn agreement(site: &Site, vote: &Finding) -> String {
    let Evidence::Votes { had, of, by_policy, .. } = vote.evidence else { return String::new() };
    if by_policy {
        return "decided by the policy for lost channels".to_owned();
    }
    let by_principle =
        vote_of(site, vote).is_some_and(|vote| vote.one_vote_per.contains(&Independence::Principle));
    format!("{had} of {of} {} agree", if by_principle { "principles" } else { "votes" })
}

/// One finding, as short as it can be said.
fn reason(site: &Site, finding: &Finding) -> String {
    let rule = Some(finding.rule);
    let said = match finding.evidence {
        Evidence::Limit { point, value, limit, .. } => {
            let sign = match &site[finding.rule].kind {
                RuleKind::Limit(limit) if limit.side == Side::Below => "≤",
                _ => "≥",
            };
            let value = quantity(value.get(), site[point].unit.symbol());
            format!("{} {value} {sign} {}", text::point(site, point), number(limit))
        }
        Evidence::None
        | Evidence::Projected { .. }
        | Evidence::Apart { .. }
        | Evidence::Step { .. }
        | Evidence::Rate { .. }
        | Evidence::State { .. }
        | Evidence::Silent { .. }
        | Evidence::Unbelieved { .. }
        | Evidence::Votes { .. } => text::evidence(site, rule, &finding.evidence),
    };
    if finding.known { said } else { format!("{said} (cannot be judged now)") }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::safety::site::{PointId, ZoneId};
    use crate::units::{Millis, Uptime, Value};
    use crate::wire::testsite;

    fn finding(rule: u32, level: Level, evidence: Evidence) -> Finding {
        Finding { rule: RuleId(rule), zone: ZoneId(0), level, was: Level::Normal, known: true, evidence }
    }

    fn changed(level: Level, was: Level, because: Vec<Finding>) -> String {
        let change = LevelChange { zone: ZoneId(0), level, was, because, first_out: None };
        level_change(&testsite::site(), &change)
    }

    #[test]
    fn a_vote_is_explained_by_its_voters() {
        let value = |number| Value::new(number).unwrap();
        let taken = Uptime(0);
        let votes = Evidence::Votes { voting: 0b11, unknown: 0, needed: 2, had: 2, of: 2, by_policy: false };
        let hot = Evidence::Limit { point: PointId(0), value: value(81.3), limit: 60.0, taken };
        let open = Evidence::State { point: PointId(2), value: value(0.0), taken };
        let because = vec![
            finding(2, Level::Danger, votes),
            finding(0, Level::Danger, hot),
            finding(1, Level::Watch, open),
        ];
        assert_eq!(
            changed(Level::Danger, Level::Warning, because),
            "danger in rack-1: cell-temp-max of bms-1 81.3 °C ≥ 60 and position of brk-1 is open; 2 of 2 votes agree"
        );
        assert_eq!(
            changed(Level::Watch, Level::Normal, vec![finding(0, Level::Watch, hot)]),
            "watch in rack-1: cell-temp-max of bms-1 81.3 °C ≥ 60"
        );
        assert_eq!(changed(Level::Normal, Level::Watch, vec![]), "rack-1 is normal again, after watch");
    }

    #[test]
    fn what_is_ahead_is_said_with_its_doubt() {
        let mut ahead = Outlook {
            level: Level::Warning,
            likely: Millis::from_secs(180),
            soonest: Millis::from_secs(120),
            latest: Some(Millis::from_secs(300)),
        };
        assert_eq!(outlook(&ahead), "at this pace warning in about 3 min (2 min to 5 min)");
        ahead.latest = None;
        assert_eq!(outlook(&ahead), "at this pace warning in about 3 min (2 min to later, or never)");
    }
}

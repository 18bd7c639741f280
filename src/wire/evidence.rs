//! What a finding goes by, as a sentence for people.

use crate::safety::risk::Evidence;
use crate::safety::rules::RuleKind;
use crate::safety::rules::deviation::{Against, Sides};
use crate::safety::site::{PointId, RuleId, Site};
use crate::units::Millis;
use crate::wire::text::{label, number, point, quantity, span};
use crate::wire::why;

/// Longer silence than this means: never heard.
const NEVER: Millis = Millis(u64::MAX / 2);

/// What a rule goes by. The rule names the channels of a vote.
#[must_use]
pub fn evidence(site: &Site, rule: Option<RuleId>, evidence: &Evidence) -> String {
    match *evidence {
        Evidence::None => "never judged".to_owned(),
        Evidence::Limit { point: at, value, limit, .. } => {
            let symbol = site[at].unit.symbol();
            format!(
                "{} {}, limit {}",
                point(site, at),
                quantity(value.get(), symbol),
                quantity(limit, symbol)
            )
        }
        Evidence::Rate { point: at, per_minute, limit, .. } => {
            let symbol = format!("{}/min", site[at].unit.symbol());
            let verb = if per_minute < 0.0 { "falls" } else { "rises" };
            let rate = (per_minute.abs() * 10.0).round() / 10.0;
            format!(
                "{} {verb} {}, limit {}",
                point(site, at),
                quantity(rate, &symbol),
                quantity(limit.abs(), &symbol)
            )
        }
        Evidence::State { point: at, value, .. } => {
            let reads =
                label(site, at, value).unwrap_or_else(|| quantity(value.get(), site[at].unit.symbol()));
            format!("{} is {reads}", point(site, at))
        }
        Evidence::Silent { point: at, lasted } => {
            let device = &site[site[at].device].name;
            if lasted >= NEVER {
                format!("no answer from {device} since the start")
            } else {
                format!("no answer from {device} for {}", span(lasted))
            }
        }
        Evidence::Projected { point: at, last, value, limit, .. } => {
            let symbol = site[at].unit.symbol();
            format!(
                "{} is silent at {} and may be at {} by now, limit {}",
                point(site, at),
                quantity(last.get(), symbol),
                quantity((value * 10.0).round() / 10.0, symbol),
                quantity(limit, symbol)
            )
        }
        Evidence::Apart { point: at, value, from, limit, .. } => {
            let symbol = site[at].unit.symbol();
            format!(
                "{} {}, {} from {}, limit {}",
                point(site, at),
                quantity(value.get(), symbol),
                quantity((value.get() - from).abs(), symbol),
                reference(site, rule, from),
                quantity(limit, symbol)
            )
        }
        Evidence::Step { point: at, value, from, relative, limit, .. } => {
            let (change, unit) = change(value.get(), from, relative, site[at].unit.symbol());
            stepped(site, at, from, (change, unit), limit)
        }
        Evidence::Unbelieved { point: at, why } => format!("{} {}", point(site, at), why::distrust(why)),
        Evidence::Votes { voting, unknown, needed, had, of, by_policy } => {
            votes(site, rule, &Tally { voting, unknown, needed, had, of, by_policy })
        }
    }
}

fn stepped(site: &Site, at: PointId, from: f64, (change, unit): (f64, &str), limit: f64) -> String {
    let verb = if change < 0.0 { "fell" } else { "rose" };
    format!(
        "{} {verb} from {} by {}, limit {}",
        point(site, at),
        quantity(from, site[at].unit.symbol()),
        quantity((change.abs() * 1000.0).round() / 1000.0, unit),
        quantity(limit, unit)
    )
}

/// What the points of a rule are measured against, with its value.
fn reference(site: &Site, rule: Option<RuleId>, from: f64) -> String {
    let Some(RuleKind::Deviation(deviation)) = rule.map(|rule| &site[rule].kind) else {
        return number(from);
    };
    let symbol = deviation.points.first().map_or("", |id| site[*id].unit.symbol());
    let what = match (deviation.against, deviation.side) {
        (Against::Median, _) => "the median".to_owned(),
        (Against::Spread, Sides::Above | Sides::Either) => "the lowest".to_owned(),
        (Against::Spread, Sides::Below) => "the highest".to_owned(),
        (Against::Point(at), _) => point(site, at),
    };
    format!("{what} {}", quantity(from, symbol))
}

/// A change from a value that was usual, in its unit or in per cent.
#[must_use]
pub fn change(value: f64, from: f64, relative: bool, unit: &str) -> (f64, &str) {
    if relative { ((value - from) / from.abs() * 100.0, "%") } else { (value - from, unit) }
}

struct Tally {
    voting: u32,
    unknown: u32,
    needed: u8,
    had: u8,
    of: u8,
    by_policy: bool,
}

fn votes(site: &Site, rule: Option<RuleId>, tally: &Tally) -> String {
    let voting = channels(site, rule, tally.voting);
    let mut text = format!("{} of {} votes", tally.had, tally.of);
    if !voting.is_empty() {
        text = format!("{text}: {}", voting.join(", "));
    }
    if tally.needed == 0 {
        text.push_str("; the vote cannot be completed");
    } else {
        text = format!("{text} ({} needed)", tally.needed);
    }
    let unknown = channels(site, rule, tally.unknown);
    if !unknown.is_empty() {
        text = format!("{text}; cannot judge: {}", unknown.join(", "));
    }
    if tally.by_policy {
        text.push_str("; decided by the policy for lost channels");
    }
    text
}

/// The names of the channels of a vote whose bits are set.
#[must_use]
pub fn channels(site: &Site, rule: Option<RuleId>, mask: u32) -> Vec<&str> {
    let Some(RuleKind::Together(vote)) = rule.map(|rule| &site[rule].kind) else { return Vec::new() };
    let bits = vote.channels.iter().enumerate().filter(|(bit, _)| *bit < 32 && mask >> bit & 1 == 1);
    bits.map(|(_, &channel)| site[channel].name.as_str()).collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::safety::rules::deviation::Deviation;
    use crate::units::{Uptime, Value};
    use crate::wire::testsite;

    fn value(number: f64) -> Value {
        Value::new(number).unwrap()
    }

    #[test]
    fn evidence_reads_as_a_sentence() {
        let site = testsite::site();
        let say = |it: Evidence| evidence(&site, Some(RuleId(2)), &it);
        let (point, taken) = (PointId(0), Uptime(1));
        assert_eq!(
            say(Evidence::Limit { point, value: value(46.2), limit: 45.0, taken }),
            "cell-temp-max of bms-1 46.2 °C, limit 45 °C"
        );
        assert_eq!(
            say(Evidence::Rate { point, value: value(46.2), per_minute: 7.08, limit: 6.0, taken }),
            "cell-temp-max of bms-1 rises 7.1 °C/min, limit 6 °C/min"
        );
        assert_eq!(
            say(Evidence::State { point: PointId(2), value: value(0.0), taken }),
            "position of brk-1 is open"
        );
        assert_eq!(say(Evidence::Silent { point, lasted: Millis(4_000) }), "no answer from bms-1 for 4 s");
        assert_eq!(
            say(Evidence::Silent { point, lasted: Millis(u64::MAX) }),
            "no answer from bms-1 since the start"
        );
        let (last, from) = (value(40.0), 40.0);
        assert_eq!(
            say(Evidence::Projected { point, last, value: 45.04, limit: 45.0, taken }),
            "cell-temp-max of bms-1 is silent at 40 °C and may be at 45 °C by now, limit 45 °C"
        );
        assert_eq!(
            say(Evidence::Step { point, value: value(39.0), from, relative: false, limit: 0.5, taken }),
            "cell-temp-max of bms-1 fell from 40 °C by 1 °C, limit 0.5 °C"
        );
        assert_eq!(
            say(Evidence::Step { point, value: value(50.0), from, relative: true, limit: 20.0, taken }),
            "cell-temp-max of bms-1 rose from 40 °C by 25 %, limit 20 %"
        );
        assert_eq!(
            say(Evidence::Votes { voting: 0b01, unknown: 0b10, needed: 1, had: 1, of: 2, by_policy: true }),
            "1 of 2 votes: cell-hot (1 needed); cannot judge: breaker-open; decided by the policy for lost channels"
        );
    }

    #[test]
    fn what_stands_out_is_told_with_what_it_is_measured_against() {
        let mut site = testsite::site();
        for (against, side, expected) in [
            (Against::Median, Sides::Above, "the median 25 °C"),
            (Against::Spread, Sides::Above, "the lowest 25 °C"),
            (Against::Spread, Sides::Below, "the highest 25 °C"),
            (Against::Point(PointId(1)), Sides::Either, "soc of bms-1 25 °C"),
        ] {
            let points = vec![PointId(0)];
            site.rules[0].kind = RuleKind::Deviation(Deviation {
                points,
                against,
                side,
                members_min: 1,
                deadband: 0.0,
                steps: [None; 3],
                rising: None,
            });
            let (point, taken) = (PointId(0), Uptime(0));
            let apart = Evidence::Apart { point, value: value(31.0), from: 25.0, limit: 5.0, taken };
            assert_eq!(
                evidence(&site, Some(RuleId(0)), &apart),
                format!("cell-temp-max of bms-1 31 °C, 6 °C from {expected}, limit 5 °C")
            );
        }
    }
}

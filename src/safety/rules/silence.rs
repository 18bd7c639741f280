//! `silence`: points that deliver nothing to go by.

use crate::safety::risk::{Evidence, Level};
use crate::safety::rules::{Look, NEVER, Verdict, View};
use crate::safety::site::PointId;
use crate::units::Millis;

/// Silence of points, and what it means.
#[derive(Clone, Debug, PartialEq)]
pub struct Silence {
    /// Silent when none of these has been good …
    pub points: Vec<PointId>,
    /// … for this long.
    pub after: Millis,
    /// What that means in a calm zone.
    pub level: Level,
    /// What it means in a zone that was at `watch` or worse when the silence began: telemetry lost in a
    /// warning is the strongest electrical signature there is, so it may only be worse than `level`.
    pub level_if_abnormal: Level,
}

impl Silence {
    /// The level of the zone counts only at the moment when the silence is noticed: what the silence itself does
    /// to the zone must not feed back.
    pub(crate) fn look(&self, was: Level, zone: Level, view: View<'_>) -> Look {
        let heard = self
            .points
            .iter()
            .filter_map(|point| view.picture.last_good(*point))
            .map(|good| good.taken)
            .max();
        let since = heard.unwrap_or(view.picture.born());
        let lasted = view.now.since(since);
        let point = self.points.first().copied().unwrap_or(PointId(0));
        let evidence = Evidence::Silent { point, lasted };
        if lasted <= self.after {
            let wake = since.plus(Millis(self.after.0 + 1));
            return Look { verdict: Verdict::Judged(Level::Normal, evidence), wake };
        }
        let level = match (was, zone) {
            (Level::Normal, Level::Normal) => self.level,
            (Level::Normal, _) => self.level_if_abnormal,
            (already, _) => already,
        };
        Look { verdict: Verdict::Judged(level, evidence), wake: NEVER }
    }
}

#[cfg(test)]
mod tests {
    use super::Level::{Danger, Normal, Warning, Watch};
    use super::*;
    use crate::safety::rules::bench::Bench;
    use crate::units::Uptime;

    #[test]
    fn silence_begins_after_its_time_and_its_level_is_that_of_the_moment_it_began() {
        let rule = Silence {
            points: vec![PointId(0), PointId(1)],
            after: Millis(3000),
            level: Watch,
            level_if_abnormal: Danger,
        };
        let mut bench = Bench::with_points(2);
        bench.read(2, &[Some(25.0), None]);
        let look = |ms, was, zone| {
            let look = rule.look(was, zone, View { now: Uptime(ms), ..bench.view() });
            let Verdict::Judged(level, Evidence::Silent { lasted, .. }) = look.verdict else {
                panic!("a silence can always be judged")
            };
            (level, lasted.0, look.wake)
        };
        assert_eq!(look(5000, Normal, Warning), (Normal, 3000, Uptime(5001)));
        assert_eq!(look(5001, Normal, Normal), (Watch, 3001, NEVER));
        assert_eq!(look(5001, Normal, Watch), (Danger, 3001, NEVER));
        assert_eq!(
            look(9000, Watch, Danger),
            (Watch, 7000, NEVER),
            "what it does to the zone feeds nothing back"
        );
    }
}

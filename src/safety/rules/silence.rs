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

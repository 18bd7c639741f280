//! `deviation`: points that should read alike, and do not.
//!
//! Three measures: how far the worst member is from the median of its group, how far the highest is from the
//! lowest (the spread of a module is the earliest thermal sign there is), or how far one point is from a
//! named reference: the ambient, or a second sensor of the same thing.
//! A member that is lost is left out. As long as one that stood out is lost, what it stood for is not cleared (A3).

use crate::safety::risk::{Evidence, Level};
use crate::safety::rules::ladder::{Ladder, Place};
use crate::safety::rules::limit::{Side, Step, limit_behind};
use crate::safety::rules::window::{Window, median};
use crate::safety::rules::{Look, NEVER, Verdict, View};
use crate::safety::site::PointId;
use crate::units::{Millis, Uptime, Value};

/// The most members of one group: the cells of a large rack.
pub const MEMBERS_MAX: usize = 1024;

/// Points that should read alike.
#[derive(Clone, Debug, PartialEq)]
pub struct Deviation {
    /// The members, in one unit; at most `MEMBERS_MAX`.
    pub points: Vec<PointId>,
    /// What they are measured against.
    pub against: Against,
    /// On which side a member is dangerous.
    pub side: Sides,
    /// The fewest members that must be known.
    pub members_min: usize,
    /// How far back inside a limit the difference must come before its level is left, in the points' unit.
    pub deadband: f64,
    /// Differences at `watch`, `warning` and `danger`, where set; all above zero.
    pub steps: [Option<Step>; 3],
    /// Where set, `danger` is found only while the difference has grown over this time: a burnt-out cell that
    /// cools is no new danger.
    pub rising: Option<Millis>,
}

/// What members are measured against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Against {
    /// The middle of all members that are known.
    Median,
    /// The lowest member (or the highest, where low is dangerous): the difference is the spread.
    Spread,
    /// Another point.
    Point(PointId),
}

/// On which side a difference is dangerous.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sides {
    /// Above the reference.
    Above,
    /// Below the reference.
    Below,
    /// On either side.
    Either,
}

impl Sides {
    /// How far a difference is on the dangerous side.
    pub(crate) const fn toward_danger(self, difference: f64) -> f64 {
        match self {
            Self::Above => difference,
            Self::Below => -difference,
            Self::Either => difference.abs(),
        }
    }
}

/// What a deviation remembers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memory {
    ladder: Ladder,
    trend: Window,
    /// Members that stood out when last seen, and how far: few, if any.
    stood_out: Vec<(PointId, f64)>,
    members: Vec<(PointId, f64)>,
    sorted: Vec<f64>,
}

/// The member that stands out most.
#[derive(Clone, Copy)]
struct Worst {
    point: PointId,
    value: f64,
    from: f64,
}

impl Memory {
    /// Nothing can be seen for now: all delays stand still.
    pub(crate) fn interrupt(&mut self) {
        self.ladder.interrupt();
    }
}

impl Deviation {
    /// Members and reference.
    pub(crate) fn reads(&self) -> Vec<PointId> {
        let reference = match self.against {
            Against::Point(point) => Some(point),
            Against::Median | Against::Spread => None,
        };
        self.points.iter().copied().chain(reference).collect()
    }

    pub(crate) fn look(&self, memory: &mut Memory, view: View<'_>) -> Look {
        memory.members.clear();
        let (mut newest, mut wake, mut lost_apart) = (None, NEVER, None);
        for &point in &self.points {
            wake = wake.min(view.wake_for(point));
            if let Some((value, taken)) = view.standing(point) {
                newest = newest.max(Some(taken));
                memory.members.push((point, value.get()));
            } else {
                let stood_out = memory.stood_out.iter().find(|(lost, _)| *lost == point);
                lost_apart =
                    stood_out.map(|(_, apart)| *apart).into_iter().chain(lost_apart).reduce(f64::max);
            }
        }
        if let Against::Point(point) = self.against {
            wake = wake.min(view.wake_for(point));
        }
        let verdict = match (newest, self.stands_out(memory, view)) {
            (Some(taken), Some(worst)) if self.members_min <= memory.members.len() => {
                self.judge(memory, worst, taken, lost_apart)
            }
            (None, _) | (_, None) | (Some(_), Some(_)) => Verdict::Unknown,
        };
        Look { verdict, wake }
    }

    /// `lost_apart`: how far the farthest of those that stood out and are lost was, when it was last seen.
    fn judge(&self, memory: &mut Memory, worst: Worst, taken: Uptime, lost_apart: Option<f64>) -> Verdict {
        self.remember(memory, worst.from);
        let apart = self.side.toward_danger(worst.value - worst.from);
        let [watch, warning, danger] = &self.steps;
        let rung = |step: &Option<Step>| Some(step.as_ref()?.rung(Side::Above, apart, self.deadband));
        let mut rungs = [rung(watch), rung(warning), rung(danger)];
        if let Some(window) = self.rising {
            memory.trend.push(taken, apart, window);
            if let Some(danger) = &mut rungs[2]
                && matches!(danger.place, Place::Beyond { .. })
                && !memory.trend.per_minute().is_some_and(|slope| 0.0 < slope)
            {
                // Far apart, but no longer growing: what was found stands, nothing new is.
                danger.place = Place::Between;
            }
        }
        let mut ladder = memory.ladder;
        let level = ladder.feed(taken, rungs);
        let stands = memory.ladder.level();
        if level < stands && lost_apart.is_some_and(|apart| self.keeps(stands, apart)) {
            return Verdict::Unknown;
        }
        memory.ladder = ladder;
        let Some(value) = Value::new(worst.value) else { return Verdict::Unknown };
        let limit = limit_behind(&self.steps, level);
        Verdict::Judged(level, Evidence::Apart { point: worst.point, value, from: worst.from, limit, taken })
    }

    /// Whether a member that is so far apart keeps this level from being left.
    fn keeps(&self, level: Level, apart: f64) -> bool {
        let step = (level as usize).checked_sub(1).and_then(|index| self.steps[index].as_ref());
        step.is_none_or(|step| step.limit - self.deadband <= apart)
    }

    /// Notes who stands out, and who no longer does; who is lost is left as it was.
    fn remember(&self, memory: &mut Memory, from: f64) {
        let Memory { members, stood_out, .. } = memory;
        let lowest = self.steps.iter().flatten().map(|step| step.limit).fold(f64::INFINITY, f64::min);
        for (point, value) in members {
            let apart = self.side.toward_danger(*value - from);
            let before = stood_out.iter().position(|(other, _)| other == point);
            match (before, lowest - self.deadband <= apart) {
                (Some(at), true) => stood_out[at].1 = apart,
                (Some(at), false) => {
                    stood_out.swap_remove(at);
                }
                (None, true) => stood_out.push((*point, apart)),
                (None, false) => {}
            }
        }
    }

    fn stands_out(&self, memory: &mut Memory, view: View<'_>) -> Option<Worst> {
        let from = match self.against {
            Against::Median => {
                memory.sorted.clear();
                memory.sorted.extend(memory.members.iter().map(|member| member.1));
                median(&mut memory.sorted)?
            }
            Against::Spread => {
                let values = memory.members.iter().map(|member| member.1);
                match self.side {
                    Sides::Above | Sides::Either => values.reduce(f64::min)?,
                    Sides::Below => values.reduce(f64::max)?,
                }
            }
            Against::Point(point) => view.standing(point)?.0.get(),
        };
        let apart = |member: &(PointId, f64)| self.side.toward_danger(member.1 - from);
        let worst = memory.members.iter().max_by(|a, b| apart(a).total_cmp(&apart(b)))?;
        Some(Worst { point: worst.0, value: worst.1, from })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::safety::rules::bench::Bench;

    fn group(against: Against, side: Sides) -> Deviation {
        let step = |limit| Some(Step { limit, on_delay: Millis(0), off_delay: Millis(0), extreme: None });
        let points = (0..4).map(PointId).collect();
        let steps = [step(5.0), step(10.0), step(20.0)];
        Deviation { points, against, side, members_min: 2, deadband: 1.0, steps, rising: None }
    }

    /// What it says after each second's readings; `None` where it cannot judge.
    fn said(rule: &Deviation, seconds: &[&[Option<f64>]]) -> Vec<Option<Level>> {
        let (mut bench, mut memory) = (Bench::with_points(5), Memory::default());
        let look = |(second, values): (u64, &&[Option<f64>])| {
            bench.read(second, values);
            match rule.look(&mut memory, bench.view()).verdict {
                Verdict::Judged(level, _) => Some(level),
                Verdict::Unchanged | Verdict::Learning | Verdict::Unknown | Verdict::Feared(..) => None,
            }
        };
        (1..).zip(seconds).map(look).collect()
    }

    fn one(rule: &Deviation, values: [f64; 5]) -> Option<Level> {
        said(rule, &[&values.map(Some)])[0]
    }

    #[test]
    fn each_measure_finds_each_level_at_its_limit_exactly() {
        use Level::{Danger, Normal, Warning, Watch};
        let table = [(29.9, Normal), (30.0, Watch), (34.9, Watch), (35.0, Warning), (45.0, Danger)];
        for (hot, level) in table {
            // The median of 25, 25, 25 and the hot one is 25; so is the lowest, and so the fifth point.
            for against in [Against::Median, Against::Spread, Against::Point(PointId(4))] {
                let found = one(&group(against, Sides::Above), [25.0, hot, 25.0, 25.0, 25.0]);
                assert_eq!(found, Some(level), "{against:?} at {hot}");
                let cold = one(&group(against, Sides::Below), [25.0, 50.0 - hot, 25.0, 25.0, 25.0]);
                assert_eq!(cold, Some(level), "{against:?}, below");
            }
        }
    }

    #[test]
    fn the_other_side_is_not_dangerous_unless_either_is() {
        let cold = [25.0, 10.0, 25.0, 25.0, 25.0];
        assert_eq!(one(&group(Against::Median, Sides::Above), cold), Some(Level::Normal));
        assert_eq!(one(&group(Against::Median, Sides::Either), cold), Some(Level::Warning));
        assert_eq!(one(&group(Against::Point(PointId(4)), Sides::Either), cold), Some(Level::Warning));
    }

    #[test]
    fn too_few_known_members_or_no_reference_is_unknown() {
        let some = |values: [Option<f64>; 5]| said(&group(Against::Median, Sides::Above), &[&values])[0];
        assert_eq!(some([Some(25.0), None, None, None, None]), None);
        assert_eq!(some([Some(25.0), Some(26.0), None, None, None]), Some(Level::Normal));
        let against_fifth = group(Against::Point(PointId(4)), Sides::Above);
        assert_eq!(said(&against_fifth, &[&[Some(25.0), Some(99.0), Some(25.0), Some(25.0), None]]), [None]);
    }

    #[test]
    fn losing_the_member_that_stands_out_clears_nothing() {
        let calm = [Some(25.0); 5];
        let hot = [Some(25.0), Some(36.0), Some(25.0), Some(25.0), Some(25.0)];
        let lost = [Some(25.0), None, Some(25.0), Some(25.0), Some(25.0)];
        // Missed for up to 3 s it stands, then it is unknown, and only its own return clears.
        let said =
            said(&group(Against::Median, Sides::Above), &[&hot, &lost, &lost, &lost, &lost, &lost, &calm]);
        let stands = Some(Level::Warning);
        assert_eq!(said, [stands, stands, stands, stands, None, None, Some(Level::Normal)]);
    }

    #[test]
    fn a_member_that_calms_does_not_clear_what_a_lost_one_stood_for() {
        let a_hot = [Some(25.0), Some(36.0), Some(25.0), Some(25.0), Some(25.0)];
        let b_hot = [Some(25.0), None, Some(37.0), Some(25.0), Some(25.0)];
        let b_calm = [Some(25.0), None, Some(25.0), Some(25.0), Some(25.0)];
        let all_calm = [Some(25.0); 5];
        let rows = [&a_hot, &b_hot, &b_hot, &b_hot, &b_hot, &b_hot, &b_calm, &b_calm, &all_calm];
        let rows: Vec<&[Option<f64>]> = rows.iter().map(|row| &row[..]).collect();
        let said = said(&group(Against::Spread, Sides::Above), &rows);
        assert_eq!(said[5], Some(Level::Warning), "the second one stands out");
        assert_eq!(said[6..], [None, None, Some(Level::Normal)], "the first one is still lost");
    }

    #[test]
    fn a_lost_member_holds_no_more_than_it_stood_for() {
        let a_warm = [Some(25.0), Some(31.0), Some(25.0), Some(25.0), Some(25.0)];
        let b_hot = [Some(25.0), None, Some(37.0), Some(25.0), Some(25.0)];
        let b_warm = [Some(25.0), None, Some(32.0), Some(25.0), Some(25.0)];
        let rows = [&a_warm, &b_hot, &b_hot, &b_hot, &b_hot, &b_hot, &b_warm];
        let rows: Vec<&[Option<f64>]> = rows.iter().map(|row| &row[..]).collect();
        let said = said(&group(Against::Spread, Sides::Above), &rows);
        assert_eq!(said[6], Some(Level::Watch), "a warning is left, the watch is not");
    }

    #[test]
    fn losing_another_member_hides_neither_the_hot_one_nor_its_return() {
        let hot = [None, Some(36.0), Some(25.0), Some(25.0), Some(25.0)];
        let calm = [None, Some(25.0), Some(25.0), Some(25.0), Some(25.0)];
        let said =
            said(&group(Against::Median, Sides::Above), &[&[Some(25.0); 5], &hot, &hot, &hot, &hot, &calm]);
        assert_eq!(said[5], Some(Level::Normal));
        assert_eq!(said[4], Some(Level::Warning));
    }

    #[test]
    fn danger_only_while_it_grows_where_the_site_says_so() {
        let rule = Deviation { rising: Some(Millis(10_000)), ..group(Against::Spread, Sides::Above) };
        let at = |hot: f64| [Some(25.0), Some(hot), Some(25.0), Some(25.0), Some(25.0)];
        let falling: Vec<[Option<f64>; 5]> = [80.0, 75.0, 70.0, 65.0].map(at).to_vec();
        let rows: Vec<&[Option<f64>]> = falling.iter().map(<[_; 5]>::as_slice).collect();
        assert_eq!(said(&rule, &rows), [Some(Level::Warning); 4], "cools down");
        let growing: Vec<[Option<f64>; 5]> = [40.0, 44.0, 48.0].map(at).to_vec();
        let rows: Vec<&[Option<f64>]> = growing.iter().map(<[_; 5]>::as_slice).collect();
        assert_eq!(said(&rule, &rows).last(), Some(&Some(Level::Danger)), "heats up");
    }

    #[test]
    fn a_difference_that_stands_still_is_no_new_danger() {
        let rule = Deviation { rising: Some(Millis(10_000)), ..group(Against::Spread, Sides::Above) };
        let still: &[Option<f64>] = &[Some(25.0), Some(60.0), Some(25.0), Some(25.0), Some(25.0)];
        assert_eq!(said(&rule, &[still; 5]), [Some(Level::Warning); 5]);
    }

    #[test]
    fn another_member_that_stands_out_as_far_keeps_the_finding_known() {
        let both = [Some(25.0), Some(37.0), Some(36.0), Some(25.0), Some(25.0)];
        let one_lost = [Some(25.0), None, Some(36.0), Some(25.0), Some(25.0)];
        let rule = group(Against::Spread, Sides::Above);
        let rows: Vec<&[Option<f64>]> = std::iter::once(&both[..]).chain([&one_lost[..]; 6]).collect();
        assert_eq!(said(&rule, &rows), [Some(Level::Warning); 7]);
    }

    #[test]
    fn its_delays_stand_still_while_nothing_can_be_seen() {
        let step = Some(Step { limit: 5.0, on_delay: Millis(3000), off_delay: Millis(0), extreme: None });
        let rule = Deviation { steps: [step, None, None], ..group(Against::Spread, Sides::Above) };
        let (mut bench, mut memory) = (Bench::with_points(5), Memory::default());
        let mut look = |second: u64, memory: &mut Memory| {
            bench.read(second, &[Some(25.0), Some(36.0), Some(25.0), Some(25.0)]);
            match rule.look(memory, bench.view()).verdict {
                Verdict::Judged(level, _) => level,
                _ => panic!("all members are known"),
            }
        };
        assert_eq!(look(1, &mut memory), Level::Normal);
        assert_eq!(look(3, &mut memory), Level::Normal);
        memory.interrupt();
        assert_eq!(look(60, &mut memory), Level::Normal, "two seconds of three");
        assert_eq!(look(61, &mut memory), Level::Watch);
    }
}

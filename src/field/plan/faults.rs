//! What a profile asks for that no plan can give: found at load, before a link runs on it.

use std::collections::BTreeMap;

use crate::field::plan::{Block, cover, fillers};
use crate::field::profile::{Forbidden, Limits, PointSpec, Profile, Table};

/// Why the points of one atomic group cannot be read together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanFault {
    /// They are kept in two tables.
    #[error("the atomic group of `{0}` lies in two tables, which no request reads together")]
    TwoTables(String),
    /// They are read in two scan classes.
    #[error("the atomic group of `{0}` has two scan classes, which are never read together")]
    TwoClasses(String),
    /// They lie further apart than one request may read.
    #[error("the atomic group of `{point}` spans {span}, and the device reads at most {longest} at once")]
    TooLong {
        /// Its first point.
        point: String,
        /// How many registers or bits it spans.
        span: u32,
        /// How many one request may read.
        longest: u32,
    },
    /// A hole between them is wider than the device allows.
    #[error("the atomic group of `{point}` has a hole of {hole}, and the device allows at most {gap_max}")]
    Gap {
        /// Its first point.
        point: String,
        /// The hole, in registers or bits.
        hole: u32,
        /// The widest hole the device allows.
        gap_max: u16,
    },
    /// An address between them must not be read.
    #[error("the atomic group of `{point}` goes across {address}, which must not be read along")]
    Forbidden {
        /// Its first point.
        point: String,
        /// The first address of the range that is in the way.
        address: u16,
    },
    /// The device wants each point asked for alone.
    #[error("the atomic group of `{0}` cannot be read at once: the device wants single reads")]
    SingleReads(String),
}

/// Every atomic group of the profile that cannot be read whole, each with the first reason.
#[must_use]
pub fn faults(profile: &Profile) -> Vec<PlanFault> {
    let mut groups: BTreeMap<u16, Vec<usize>> = BTreeMap::new();
    for (at, point) in profile.points.iter().enumerate() {
        if let Some(group) = point.atomic {
            groups.entry(group).or_default().push(at);
        }
    }
    groups.values().filter_map(|members| fault(&profile.points, members, &profile.limits)).collect()
}

fn fault(points: &[PointSpec], members: &[usize], limits: &Limits) -> Option<PlanFault> {
    let first = &points[*members.first()?];
    let name = || first.name.clone();
    if members.iter().any(|at| points[*at].table != first.table) {
        return Some(PlanFault::TwoTables(name()));
    }
    if members.iter().any(|at| points[*at].class != first.class) {
        return Some(PlanFault::TwoClasses(name()));
    }
    if 1 < members.len() && limits.single_reads {
        return Some(PlanFault::SingleReads(name()));
    }
    let items = cover::items(points, members, first.table);
    let item = items.first()?;
    let (span, longest) = (item.end - item.start, cover::longest(limits, first.table));
    if longest < span {
        return Some(PlanFault::TooLong { point: name(), span, longest });
    }
    let block: Block = cover::block(first.table, &items);
    let holes = fillers(points, &block);
    let hole = holes.iter().map(|hole| u32::from(hole.last - hole.first) + 1).max().unwrap_or(0);
    match limits.max_gap {
        Some(gap_max) if u32::from(gap_max) < hole => Some(PlanFault::Gap { point: name(), hole, gap_max }),
        _ => {
            let address = in_the_way(first.table, &holes, limits)?;
            Some(PlanFault::Forbidden { point: name(), address })
        }
    }
}

fn in_the_way(table: Table, holes: &[Forbidden], limits: &Limits) -> Option<u16> {
    let ranges = limits.forbidden.iter().chain(&limits.read_clears).filter(|range| range.table == table);
    let meets =
        |range: &Forbidden| holes.iter().any(|hole| hole.first <= range.last && range.first <= hole.last);
    ranges.copied().find(meets).map(|range| range.first)
}

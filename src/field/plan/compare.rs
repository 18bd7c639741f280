//! How much line time a plan saves over those of simpler planners: for the report of `emberwatch check --plan`.
//!
//! All of them get the same device limits and the same forbidden addresses, so that only the planning differs:
//! a plan that the device would refuse is no cheaper plan.

use crate::field::plan::{Cost, TABLES, cover};
use crate::field::profile::{Limits, PointSpec};

/// Line time of one round of polls, in microseconds, by planner.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// The plan of [`blocks`](super::blocks).
    pub planned_us: u64,
    /// One request for each point, atomic groups whole.
    pub per_point_us: u64,
    /// Neighbours together, never across a hole.
    pub gap_0_us: u64,
    /// On across holes of up to fifty, as long as the device allows, whatever they cost.
    pub gap_50_us: u64,
}

impl std::ops::AddAssign for Comparison {
    fn add_assign(&mut self, other: Self) {
        self.planned_us += other.planned_us;
        self.per_point_us += other.per_point_us;
        self.gap_0_us += other.gap_0_us;
        self.gap_50_us += other.gap_50_us;
    }
}

/// What reading these points once costs under each planner.
#[must_use]
pub fn compare(points: &[PointSpec], wanted: &[usize], limits: &Limits, cost: Cost) -> Comparison {
    let mut sum = Comparison::default();
    for table in TABLES {
        let items = cover::items(points, wanted, table);
        let request_us = |item: &cover::Item| cost.request_us(table, item.end - item.start);
        sum.per_point_us += items.iter().map(request_us).sum::<u64>();
        for (gap, total) in
            [(None, &mut sum.planned_us), (Some(0), &mut sum.gap_0_us), (Some(50), &mut sum.gap_50_us)]
        {
            let sorted = cover::sort(items.clone(), table, limits, &[], gap);
            *total += sorted.alone.iter().map(request_us).sum::<u64>();
            for pool in &sorted.pools {
                let runs = if gap.is_none() { pool.cheapest(table, cost) } else { pool.greedy() };
                let blocks = runs.into_iter().map(|run| pool.block(table, run));
                *total += blocks.map(|block| cost.request_us(table, block.count.into())).sum::<u64>();
            }
        }
    }
    sum
}

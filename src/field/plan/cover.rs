//! The cheapest cover of points by reads: what must stay apart is sorted out first, the rest is exact.
//!
//! An **item** is what one read must hold whole: a point, or all points of an atomic group. Items that may
//! share a read with no other (refused points, items longer than the device's limit, everything where the
//! device wants single reads) are reads of their own. Items in one range that is cleared by reading share
//! reads only with each other and without any hole. The others form one **pool**, and of the pool consecutive
//! runs by start address are enough: of two reads, the one that starts later can take every item starting at
//! or after its own start without growing, or lies in the other one whole.

use crate::field::plan::{Barrier, Block, Cost};
use crate::field::profile::{Forbidden, Limits, PointSpec, Table};

/// What one read must hold whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) start: u32,
    /// One past the last address.
    pub(super) end: u32,
    /// Positions in the profile, by address.
    pub(super) points: Vec<usize>,
}

/// The items of one table, by start and end.
pub(super) fn items(points: &[PointSpec], wanted: &[usize], table: Table) -> Vec<Item> {
    let mut members: Vec<usize> = wanted.iter().copied().filter(|at| points[*at].table == table).collect();
    members.sort_unstable_by_key(|at| (points[*at].atomic, points[*at].address, end_of(&points[*at]), *at));
    members.dedup();
    let mut items: Vec<Item> = Vec::with_capacity(members.len());
    let mut last_group = None;
    for at in members {
        let (start, end) = (u32::from(points[at].address), end_of(&points[at]));
        let group = points[at].atomic;
        match items.last_mut() {
            Some(item) if group.is_some() && group == last_group => {
                item.end = item.end.max(end);
                item.points.push(at);
            }
            _ => items.push(Item { start, end, points: vec![at] }),
        }
        last_group = group;
    }
    items.sort_unstable_by_key(|item| (item.start, item.end, item.points[0]));
    items
}

/// One past the last address of a point.
pub(super) fn end_of(point: &PointSpec) -> u32 {
    u32::from(point.address) + u32::from(point.words())
}

/// The most one read of this table may hold.
pub(super) fn longest(limits: &Limits, table: Table) -> u32 {
    u32::from(if table.holds_bits() { limits.max_bits } else { limits.max_registers })
}

/// Items that may share reads, and what keeps them apart.
pub(super) struct Pool {
    pub(super) items: Vec<Item>,
    /// Whether a read may go on across the hole before each item.
    joins: Vec<bool>,
    longest: u32,
}

/// What the rules of a device make of its items.
pub(super) struct Sorted {
    /// Reads of their own.
    pub(super) alone: Vec<Item>,
    /// Sets that are covered each by itself.
    pub(super) pools: Vec<Pool>,
}

/// Sorts the items of one table by what may share a read. `gap_max` narrows what the device allows.
pub(super) fn sort(
    items: Vec<Item>,
    table: Table,
    limits: &Limits,
    barriers: &[Barrier],
    gap_max: Option<u32>,
) -> Sorted {
    let longest = longest(limits, table);
    let clears: Vec<Forbidden> = limits.read_clears.iter().copied().filter(|it| it.table == table).collect();
    let refused = |item: &Item| {
        barriers.iter().any(|barrier| matches!(barrier, Barrier::Point(at) if item.points.contains(at)))
    };
    let mut walls: Vec<Forbidden> = limits.forbidden.iter().copied().filter(|it| it.table == table).collect();
    walls.extend(&clears);
    walls.extend(barriers.iter().filter_map(|barrier| match barrier {
        Barrier::Filler(range) if range.table == table => Some(*range),
        Barrier::Filler(_) | Barrier::Point(_) => None,
    }));
    let mut alone = Vec::new();
    let mut clearing: Vec<Vec<Item>> = vec![Vec::new(); clears.len()];
    let mut open = Vec::new();
    for item in items {
        let cleared = clears.iter().position(|range| touches(*range, item.start, item.end));
        let bad = !barriers.is_empty() && refused(&item);
        if bad {
            walls.push(range_of(&item, table));
        }
        match cleared {
            _ if bad || limits.single_reads || longest < item.end - item.start => alone.push(item),
            Some(at) if holds(clears[at], &item) => clearing[at].push(item),
            Some(_) => alone.push(item),
            None => open.push(item),
        }
    }
    let gap = gap_max.unwrap_or(u32::MAX).min(limits.max_gap.map_or(u32::MAX, u32::from));
    let mut pools = vec![Pool::new(open, longest, gap, &walls)];
    pools.extend(clearing.into_iter().map(|items| Pool::new(items, longest, 0, &walls)));
    Sorted { alone, pools }
}

fn touches(range: Forbidden, start: u32, end: u32) -> bool {
    u32::from(range.first) < end && start <= u32::from(range.last)
}

fn holds(range: Forbidden, item: &Item) -> bool {
    u32::from(range.first) <= item.start && item.end <= u32::from(range.last) + 1
}

fn range_of(item: &Item, table: Table) -> Forbidden {
    let address = |at: u32| u16::try_from(at).unwrap_or(u16::MAX);
    Forbidden { table, first: address(item.start), last: address(item.end - 1) }
}

impl Pool {
    /// `gap_max` is the widest hole; `walls` are addresses that no hole may touch.
    fn new(items: Vec<Item>, longest: u32, gap_max: u32, walls: &[Forbidden]) -> Self {
        // What starts at one address is best read together: the longest of it holds the others.
        let mut merged: Vec<Item> = Vec::with_capacity(items.len());
        for item in items {
            match merged.last_mut() {
                Some(before) if before.start == item.start => {
                    before.end = before.end.max(item.end);
                    before.points.extend(item.points);
                }
                _ => merged.push(item),
            }
        }
        // A hole is what no item covers: an early long item may reach beyond later ones.
        let mut covered = 0;
        let joins = |item: &Item| {
            let (from, to) = (covered, item.start);
            covered = covered.max(item.end);
            let hole = to.saturating_sub(from);
            hole == 0 || (hole <= gap_max && !walls.iter().any(|wall| touches(*wall, from, to)))
        };
        let joins = merged.iter().map(joins).collect();
        Self { items: merged, joins, longest }
    }

    /// The runs of items, as ranges of positions, that cost the least; of equal plans the one with fewer reads.
    pub(super) fn cheapest(&self, table: Table, cost: Cost) -> Vec<std::ops::Range<usize>> {
        // least[j]: cost and reads of the first j items, and where the last of their runs begins.
        let mut least: Vec<(u64, u32, usize)> = vec![(0, 0, 0)];
        for count in 1..=self.items.len() {
            let mut best = (u64::MAX, u32::MAX, count - 1);
            let mut end = 0;
            for first in (0..count).rev() {
                end = end.max(self.items[first].end);
                let span = end - self.items[first].start;
                if self.longest < span {
                    break;
                }
                let (before, reads, _) = least[first];
                best = best.min((before.saturating_add(cost.request_ns(table, span)), reads + 1, first));
                if !self.joins[first] {
                    break;
                }
            }
            least.push(best);
        }
        let mut runs = Vec::new();
        let mut end = self.items.len();
        while 0 < end {
            let start = least[end].2;
            runs.push(start..end);
            end = start;
        }
        runs.reverse();
        runs
    }

    /// The runs of a planner that goes on for as long as the gap and the device allow.
    pub(super) fn greedy(&self) -> Vec<std::ops::Range<usize>> {
        let mut runs: Vec<std::ops::Range<usize>> = Vec::new();
        let mut end = 0;
        for (at, item) in self.items.iter().enumerate() {
            let span = |run: &std::ops::Range<usize>| end.max(item.end) - self.items[run.start].start;
            match runs.last_mut() {
                Some(run) if self.joins[at] && span(run) <= self.longest => {
                    run.end = at + 1;
                    end = end.max(item.end);
                }
                _ => {
                    runs.push(at..at + 1);
                    end = item.end;
                }
            }
        }
        runs
    }

    /// The read of a run.
    pub(super) fn block(&self, table: Table, run: std::ops::Range<usize>) -> Block {
        block(table, &self.items[run])
    }
}

/// The read that holds exactly these items.
pub(super) fn block(table: Table, items: &[Item]) -> Block {
    let start = items.iter().map(|item| item.start).min().unwrap_or(0);
    let end = items.iter().map(|item| item.end).max().unwrap_or(start);
    Block {
        table,
        address: u16::try_from(start).unwrap_or(u16::MAX),
        count: u16::try_from(end - start).unwrap_or(u16::MAX),
        points: items.iter().flat_map(|item| item.points.iter().copied()).collect(),
    }
}

//! Which registers to ask for together.
//!
//! A request costs a base and each byte it carries costs a little more ([`Cost`]); a hole between two points is
//! worth reading across while that costs less than a second request. [`blocks`] finds the cheapest reads
//! exactly, within what the device allows: longest read, widest hole, addresses never to be touched or cleared
//! by reading, points that must not be torn apart, and what was learnt from refusals ([`Barrier`]).
//! A filler is never a value: a block names the points it was made for, and nothing else in it is read.
//! Points of different tables or scan classes never share a block.
//!
//! It decides nothing about time: when blocks are asked for is the link's business, with [`stagger()`] to help.

mod compare;
mod cost;
mod cover;
mod faults;
mod stagger;

use crate::field::profile::{Forbidden, Limits, PointSpec, Table};

pub use compare::{Comparison, compare};
pub use cost::{Cost, default_turnaround_us, drifted, turnaround_us};
pub use faults::{PlanFault, faults};
pub use stagger::{PHASE_MAX, Pace, stagger};

const TABLES: [Table; 4] = [Table::Coil, Table::Discrete, Table::Input, Table::Holding];

/// One request and the points it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// In which table.
    pub table: Table,
    /// The first address.
    pub address: u16,
    /// How many registers or bits.
    pub count: u16,
    /// The positions of its points in the profile, by address.
    pub points: Vec<usize>,
}

/// What refusals have taught.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Barrier {
    /// Addresses that made a read fail though no point lies there: never filler again.
    Filler(Forbidden),
    /// The position of a point that was refused when it was asked for alone: it stays alone, and no other read
    /// goes across it.
    Point(usize),
}

/// The blocks that read these points of a profile at the least cost, by table and address.
///
/// Atomic groups stay whole whatever the limits [`faults()`] tells at load which cannot. `wanted` leaves out
/// what the device does not have, and holds the points of one scan class.
#[must_use]
pub fn blocks(
    points: &[PointSpec],
    wanted: &[usize],
    limits: &Limits,
    cost: Cost,
    barriers: &[Barrier],
) -> Vec<Block> {
    let mut blocks = Vec::new();
    for table in TABLES {
        let sorted = cover::sort(cover::items(points, wanted, table), table, limits, barriers, None);
        let from = blocks.len();
        blocks.extend(sorted.alone.iter().map(|item| cover::block(table, std::slice::from_ref(item))));
        for pool in &sorted.pools {
            blocks.extend(pool.cheapest(table, cost).into_iter().map(|run| pool.block(table, run)));
        }
        blocks[from..].sort_by_key(|block| (block.address, block.count));
    }
    blocks
}

/// The same block in two, cut at its widest hole, or in the middle where it has none. `None` where nothing can
/// be cut: one point, or one group that must not be torn.
#[must_use]
pub fn split(points: &[PointSpec], block: &Block) -> Option<(Block, Block)> {
    let items = cover::items(points, &block.points, block.table);
    let mut end = items.first()?.end;
    let mut best: Option<(bool, u32, usize, usize)> = None;
    for at in 1..items.len() {
        let start = items[at].start;
        let centred = items.len() - at.abs_diff(items.len() - at);
        // A cut through a longer value would read it twice and gain nothing: only where there is no other.
        best = best.max(Some((end <= start, start.saturating_sub(end), centred, at)));
        end = end.max(items[at].end);
    }
    let (left, right) = items.split_at(best?.3);
    Some((cover::block(block.table, left), cover::block(block.table, right)))
}

/// The addresses a block reads without a point of its own there, first to last. What a device refuses in a
/// block whose points it grants one by one is among them.
#[must_use]
pub fn fillers(points: &[PointSpec], block: &Block) -> Vec<Forbidden> {
    let mut spans: Vec<(u32, u32)> =
        block.points.iter().map(|at| (u32::from(points[*at].address), cover::end_of(&points[*at]))).collect();
    spans.sort_unstable();
    let mut holes = Vec::new();
    let mut covered = u32::from(block.address);
    for (start, end) in spans {
        if covered < start {
            let address = |at: u32| u16::try_from(at).unwrap_or(u16::MAX);
            holes.push(Forbidden { table: block.table, first: address(covered), last: address(start - 1) });
        }
        covered = covered.max(end);
    }
    holes
}

#[cfg(test)]
mod tests;

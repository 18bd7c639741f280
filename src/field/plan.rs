//! Which registers to ask for together.
//!
//! A request costs `base` and each register it carries costs `each`; a hole between two points is worth
//! reading across while it costs less than a second request. Blocks are cut by dynamic programming over the
//! points sorted by address: some optimal cover uses consecutive runs of them, because of two requests the
//! one that ends later can take every point starting at or after its own start. `best[j]` is the least cost
//! of the first `j` points.
//! A filler is never a value: a block names the points it was made for, and nothing else in it is read.
//! Values of several words lie in one block whole. Points of different tables or scan classes never share one.

use crate::field::profile::{Forbidden, Limits, PointSpec, Table};

/// What a request costs on a line, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// For the request itself: round trip and the device's own time.
    pub base_us: u64,
    /// For each register of the reply.
    pub register_us: u64,
}

impl Cost {
    /// Modbus TCP: 5 ms for a request and 5 µs for a register, so that only the device's limits and its
    /// widest allowed hole keep points apart. Slow devices behind gateways answer in 5 to 50 ms; on a LAN
    /// two bytes are lost in the frame.
    pub const TCP: Self = Self { base_us: 5000, register_us: 5 };

    /// Bits cost a sixteenth of a register: rounded up over the block.
    const fn of(self, table: Table, count: u32) -> u64 {
        let registers = if table.holds_bits() { count.div_ceil(16) } else { count };
        self.base_us + self.register_us * registers as u64
    }
}

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

/// The blocks that read these points of a profile at the least cost.
#[must_use]
pub fn blocks(points: &[PointSpec], wanted: &[usize], limits: &Limits, cost: Cost) -> Vec<Block> {
    let tables = [Table::Coil, Table::Discrete, Table::Input, Table::Holding];
    tables.into_iter().flat_map(|table| of_table(points, wanted, table, limits, cost)).collect()
}

/// The same block in two, cut at its widest hole, or in the middle where it has none. `None` for one point.
#[must_use]
pub fn split(points: &[PointSpec], block: &Block) -> Option<(Block, Block)> {
    let runs = block.points.len();
    let mut end = 0;
    let mut best: Option<(u32, usize, usize)> = None;
    for at in 0..runs {
        let start = u32::from(points[block.points[at]].address);
        // A cut through a longer value would read it twice and gain nothing.
        if 0 < at && end <= start {
            let off_centre = at.abs_diff(runs - at);
            let cut = (start - end, runs - off_centre, at);
            best = best.max(Some(cut));
        }
        end = end.max(start + u32::from(points[block.points[at]].words()));
    }
    let cut = match best {
        Some((.., cut)) => cut,
        None if 1 < runs => runs / 2,
        None => return None,
    };
    let (left, right) = block.points.split_at(cut);
    Some((made_for(points, block.table, left), made_for(points, block.table, right)))
}

/// The block that reads exactly these points.
fn made_for(points: &[PointSpec], table: Table, members: &[usize]) -> Block {
    let first = members.iter().map(|at| u32::from(points[*at].address)).min().unwrap_or(0);
    let end = members.iter().map(|at| end_of(&points[*at])).max().unwrap_or(first);
    Block {
        table,
        address: u16::try_from(first).expect("addresses are sixteen bits"),
        count: u16::try_from(end - first).expect("blocks are at most 2000 long"),
        points: members.to_vec(),
    }
}

fn end_of(point: &PointSpec) -> u32 {
    u32::from(point.address) + u32::from(point.words())
}

fn of_table(points: &[PointSpec], wanted: &[usize], table: Table, limits: &Limits, cost: Cost) -> Vec<Block> {
    let mut members: Vec<usize> = wanted.iter().copied().filter(|at| points[*at].table == table).collect();
    members.sort_by_key(|at| (points[*at].address, end_of(&points[*at])));
    let longest = u32::from(if table.holds_bits() { limits.max_bits } else { limits.max_registers });
    let members = Members { ends: running_ends(points, &members), at: members, points, table };
    let members_count = members.at.len();
    // least[j]: the least cost of the first j members, and where the last of their blocks begins.
    let mut least: Vec<(u64, usize)> = vec![(0, 0)];
    for j in 1..=members_count {
        least.push(members.last_block(j, &least, longest, limits, cost));
    }
    let mut blocks = Vec::new();
    let mut end = members_count;
    while 0 < end {
        let start = least[end].1;
        blocks.push(made_for(points, table, &members.at[start..end]));
        end = start;
    }
    blocks.reverse();
    blocks
}

/// For each member, the highest end of it and all before it: a long value may reach beyond later ones.
fn running_ends(points: &[PointSpec], members: &[usize]) -> Vec<u32> {
    let mut end = 0;
    let highest = |at: &usize| {
        end = end.max(end_of(&points[*at]));
        end
    };
    members.iter().map(highest).collect()
}

/// The points of one table that are wanted, by address.
struct Members<'a> {
    at: Vec<usize>,
    ends: Vec<u32>,
    points: &'a [PointSpec],
    table: Table,
}

impl Members<'_> {
    fn start(&self, member: usize) -> u32 {
        u32::from(self.points[self.at[member]].address)
    }

    /// Where the block that ends with the last of the first `count` members had best begin.
    fn last_block(
        &self,
        count: usize,
        least: &[(u64, usize)],
        longest: u32,
        limits: &Limits,
        cost: Cost,
    ) -> (u64, usize) {
        let mut best = None;
        let mut end = 0;
        for first in (0..count).rev() {
            end = end.max(end_of(&self.points[self.at[first]]));
            let span = end - self.start(first);
            // One value longer than the device's limit is asked for alone: the device has the last word.
            if longest < span && first + 1 < count {
                break;
            }
            let total = least[first].0 + cost.of(self.table, span);
            if best.is_none_or(|(least, _)| total < least) {
                best = Some((total, first));
            }
            if first == 0 || !self.joins(first, limits) {
                break;
            }
        }
        best.expect("a block of the last member alone is always possible")
    }

    /// Whether one request may read across the hole before this member.
    fn joins(&self, member: usize, limits: &Limits) -> bool {
        let (end, next) = (self.ends[member - 1], self.start(member));
        let barrier = |range: &Forbidden| {
            range.table == self.table && u32::from(range.first) < next && end <= u32::from(range.last)
        };
        next <= end
            || (next - end <= limits.max_gap.map_or(u32::MAX, u32::from)
                && !limits.forbidden.iter().any(barrier))
    }
}

#[cfg(test)]
mod tests;

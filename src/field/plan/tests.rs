#![expect(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;

use super::*;
use crate::field::profile::Profile;

/// Points at these (address, words) of the holding registers.
fn points(at: &[(u16, u16)]) -> Vec<PointSpec> {
    let header = "id = \"x\"\nvendor = \"v\"\nmodels = []\nkind = \"gas\"\nsource = \"s\"\n";
    let point = |(n, (address, words)): (usize, &(u16, u16))| {
        let kind = ["", "u16", "u32", "", "u64"][usize::from(*words)];
        format!(
            "[[point]]\nname = \"p-{n}\"\ntable = \"holding\"\naddress = {address}\ntype = \"{kind}\"\nclass = \"fast\"\n"
        )
    };
    let text: String = at.iter().enumerate().map(point).collect();
    Profile::parse(&format!("{header}{text}"), "x").unwrap().points
}

fn limits(max_registers: u16, max_gap: u16, forbidden: &[(u16, u16)]) -> Limits {
    let forbidden =
        forbidden.iter().map(|(first, last)| Forbidden { table: Table::Holding, first: *first, last: *last });
    Limits { max_registers, max_gap: Some(max_gap), forbidden: forbidden.collect(), ..Limits::default() }
}

/// (address, count) of each block.
fn planned(at: &[(u16, u16)], limits: &Limits, cost: Cost) -> Vec<(u16, u16)> {
    let points = points(at);
    let wanted: Vec<usize> = (0..points.len()).collect();
    blocks(&points, &wanted, limits, cost).into_iter().map(|block| (block.address, block.count)).collect()
}

/// Name, points, limits of the device, and the blocks that are best: (address, words).
type Case = (&'static str, &'static [(u16, u16)], Limits, &'static [(u16, u16)]);

#[test]
fn a_hole_is_read_across_while_it_costs_less_than_a_request() {
    // Ten registers cost as much as a request.
    let cost = Cost { base_us: 100, register_us: 10 };
    let free = limits(125, 125, &[]);
    let cases: [Case; 12] = [
        ("nothing", &[], free.clone(), &[]),
        ("touching", &[(0, 1), (1, 1)], free.clone(), &[(0, 2)]),
        ("hole of nine", &[(0, 1), (10, 1)], free.clone(), &[(0, 11)]),
        ("hole of eleven", &[(0, 1), (12, 1)], free.clone(), &[(0, 1), (12, 1)]),
        ("gap forbidden by the device", &[(0, 1), (2, 1)], limits(125, 0, &[]), &[(0, 1), (2, 1)]),
        ("gap allowed by the device", &[(0, 1), (2, 1)], limits(125, 1, &[]), &[(0, 3)]),
        ("forbidden register between", &[(0, 1), (5, 1)], limits(125, 125, &[(3, 3)]), &[(0, 1), (5, 1)]),
        ("forbidden register beside", &[(0, 1), (5, 1)], limits(125, 125, &[(6, 9)]), &[(0, 6)]),
        ("at the cap", &[(0, 2), (2, 2)], limits(4, 125, &[]), &[(0, 4)]),
        ("over the cap, nothing torn", &[(0, 2), (2, 2)], limits(3, 125, &[]), &[(0, 2), (2, 2)]),
        ("a short value inside a long one", &[(10, 4), (10, 1), (12, 1)], free.clone(), &[(10, 4)]),
        ("cut at the widest hole", &[(0, 1), (3, 1), (4, 1)], limits(4, 125, &[]), &[(0, 1), (3, 2)]),
    ];
    for (name, at, limits, expected) in cases {
        assert_eq!(planned(at, &limits, cost), expected, "{name}");
    }
}

#[test]
fn a_full_block_and_the_last_address_are_planned() {
    let at: Vec<(u16, u16)> = (65411..=65535).map(|address| (address, 1)).collect();
    assert_eq!(planned(&at, &Limits::default(), Cost::TCP), [(65411, 125)]);
}

#[test]
fn tables_never_share_a_block_and_only_wanted_points_are_read() {
    let bms = &crate::field::profile::builtin()["sim-ups"].profile;
    let all: Vec<usize> = (0..bms.points.len()).collect();
    let blocks = blocks(&bms.points, &all, &bms.limits, Cost::TCP);
    let places: Vec<_> = blocks.iter().map(|block| (block.table, block.address, block.count)).collect();
    assert_eq!(places, [(Table::Coil, 0, 1), (Table::Input, 0, 10)]);
    let one = super::blocks(&bms.points, &[3], &bms.limits, Cost::TCP);
    assert_eq!((one.len(), &one[0].points[..]), (1, &[3][..]));
}

#[test]
fn a_refused_block_is_cut_at_its_widest_hole_and_never_through_a_value() {
    let split_of = |at: &[(u16, u16)]| {
        let points = points(at);
        let all: Vec<usize> = (0..points.len()).collect();
        let block = made_for(&points, Table::Holding, &all);
        split(&points, &block).map(|(left, right)| (left.points, right.points))
    };
    assert_eq!(split_of(&[(0, 1)]), None);
    assert_eq!(split_of(&[(0, 1), (1, 1), (5, 1)]), Some((vec![0, 1], vec![2])));
    assert_eq!(split_of(&[(0, 1), (1, 1), (2, 1), (3, 1)]), Some((vec![0, 1], vec![2, 3])));
    assert_eq!(split_of(&[(0, 4), (1, 1), (4, 1)]), Some((vec![0, 1], vec![2])));
    assert_eq!(split_of(&[(0, 4), (1, 1)]), Some((vec![0], vec![1])));
}

/// The least cost over all ways to share the points out.
fn brute_force(points: &[PointSpec], limits: &Limits, cost: Cost) -> u64 {
    fn place(
        points: &[PointSpec],
        groups: &mut Vec<Vec<usize>>,
        next: usize,
        limits: &Limits,
        cost: Cost,
    ) -> u64 {
        if next == points.len() {
            let costs: Option<Vec<u64>> =
                groups.iter().map(|group| priced(points, group, limits, cost)).collect();
            return costs.map_or(u64::MAX, |costs| costs.iter().sum());
        }
        let mut best = u64::MAX;
        for at in 0..groups.len() {
            groups[at].push(next);
            best = best.min(place(points, groups, next + 1, limits, cost));
            groups[at].pop();
        }
        groups.push(vec![next]);
        best = best.min(place(points, groups, next + 1, limits, cost));
        groups.pop();
        best
    }
    place(points, &mut Vec::new(), 0, limits, cost)
}

/// What one request for these points costs, if the device allows it.
fn priced(points: &[PointSpec], group: &[usize], limits: &Limits, cost: Cost) -> Option<u64> {
    let block = made_for(points, Table::Holding, group);
    if limits.max_registers < block.count && 1 < group.len() {
        return None;
    }
    let covered = |address: u32| {
        points.iter().any(|point| u32::from(point.address) <= address && address < end_of(point))
    };
    let mut hole = 0;
    for address in u32::from(block.address)..u32::from(block.address) + u32::from(block.count) {
        hole = if covered(address) { 0 } else { hole + 1 };
        let forbidden = limits
            .forbidden
            .iter()
            .any(|range| (u32::from(range.first)..=u32::from(range.last)).contains(&address));
        if limits.max_gap.map_or(u32::MAX, u32::from) < hole || (0 < hole && forbidden) {
            return None;
        }
    }
    Some(cost.of(Table::Holding, block.count.into()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_plan_is_cheaper_and_every_point_is_read_whole_and_once(
        at in proptest::collection::vec((0_u16..40, prop_oneof![Just(1_u16), Just(2), Just(4)]), 1..7),
        cap in 4_u16..20,
        gap in 0_u16..12,
        forbidden in proptest::option::of(41_u16..50),
        base_us in 1_u64..200,
    ) {
        // The points lie on both sides of what is forbidden.
        let at: Vec<(u16, u16)> = at.into_iter().map(|(address, words)| (if 20 < address { address + 40 } else { address + 15 }, words)).collect();
        let points = points(&at);
        let forbidden: Vec<(u16, u16)> = forbidden.map(|address| (address, address)).into_iter().collect();
        let limits = limits(cap, gap, &forbidden);
        let cost = Cost { base_us, register_us: 10 };
        let all: Vec<usize> = (0..points.len()).collect();
        let planned = blocks(&points, &all, &limits, cost);
        let mut seen: Vec<usize> = planned.iter().flat_map(|block| block.points.clone()).collect();
        seen.sort_unstable();
        prop_assert_eq!(seen, all);
        let mut total = 0;
        for block in &planned {
            for point in &block.points {
                prop_assert!(block.address <= points[*point].address);
                prop_assert!(end_of(&points[*point]) <= u32::from(block.address) + u32::from(block.count));
            }
            total += priced(&points, &block.points, &limits, cost).unwrap();
        }
        prop_assert_eq!(total, brute_force(&points, &limits, cost));
    }
}

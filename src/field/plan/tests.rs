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
    places(&blocks(&points, &all(&points), limits, cost, &[]))
}

fn all(points: &[PointSpec]) -> Vec<usize> {
    (0..points.len()).collect()
}

fn places(blocks: &[Block]) -> Vec<(u16, u16)> {
    blocks.iter().map(|block| (block.address, block.count)).collect()
}

fn holding(first: u16, last: u16) -> Forbidden {
    Forbidden { table: Table::Holding, first, last }
}

/// Ten registers cost as much as a request.
const COST: Cost = Cost { base_us: 100, byte_ns: 5000 };

/// Name, points, limits of the device, and the blocks that are best: (address, words).
type Case = (&'static str, &'static [(u16, u16)], Limits, &'static [(u16, u16)]);

#[test]
fn a_hole_is_read_across_while_it_costs_less_than_a_request() {
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
        assert_eq!(planned(at, &limits, COST), expected, "{name}");
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
    let blocks = blocks(&bms.points, &all, &bms.limits, Cost::TCP, &[]);
    let places: Vec<_> = blocks.iter().map(|block| (block.table, block.address, block.count)).collect();
    assert_eq!(places, [(Table::Coil, 0, 2), (Table::Input, 0, 10)]);
    let one = super::blocks(&bms.points, &[3], &bms.limits, Cost::TCP, &[]);
    assert_eq!((one.len(), &one[0].points[..]), (1, &[3][..]));
}

#[test]
fn a_hole_that_costs_just_as_much_as_a_request_is_read_across_to_ask_less_often() {
    assert_eq!(planned(&[(0, 1), (11, 1)], &Limits::default(), COST), [(0, 12)]);
    assert_eq!(COST.break_even_gap(Table::Holding), 10);
}

#[test]
fn without_a_limit_of_the_device_only_the_cost_keeps_points_apart() {
    let far = [(0, 1), (100, 1)];
    assert_eq!(planned(&far, &Limits::default(), COST), [(0, 1), (100, 1)]);
    assert_eq!(planned(&far, &Limits::default(), Cost::TCP), [(0, 101)]);
}

#[test]
fn a_device_that_wants_single_reads_is_asked_point_by_point() {
    let limits = Limits { single_reads: true, ..Limits::default() };
    assert_eq!(planned(&[(0, 1), (1, 2), (1, 1)], &limits, COST), [(0, 1), (1, 1), (1, 2)]);
}

#[test]
fn what_reading_clears_is_neither_filler_nor_read_with_others() {
    let limits = Limits { read_clears: vec![holding(5, 9)], ..Limits::default() };
    assert_eq!(planned(&[(4, 1), (10, 1)], &limits, COST), [(4, 1), (10, 1)], "not as filler");
    assert_eq!(
        planned(&[(4, 1), (5, 1), (10, 1)], &limits, COST),
        [(4, 1), (5, 1), (10, 1)],
        "not with others"
    );
    assert_eq!(planned(&[(5, 2), (7, 1), (9, 1)], &limits, COST), [(5, 3), (9, 1)], "without fillers inside");
    assert_eq!(planned(&[(4, 2), (6, 1)], &limits, COST), [(4, 2), (6, 1)], "half inside stays alone");
}

#[test]
fn points_of_one_group_are_never_torn() {
    let mut points = points(&[(0, 1), (1, 1), (3, 1), (4, 1)]);
    (points[1].atomic, points[2].atomic) = (Some(7), Some(7));
    let narrow = limits(3, 125, &[]);
    assert_eq!(places(&blocks(&points, &all(&points), &narrow, COST, &[])), [(0, 1), (1, 3), (4, 1)]);
    let too_narrow = limits(2, 0, &[(2, 2)]);
    let alone = blocks(&points, &all(&points), &too_narrow, COST, &[]);
    assert_eq!(places(&alone), [(0, 1), (1, 3), (4, 1)], "whole whatever the limits say; `faults` complains");
    assert_eq!(split(&points, &alone[1]), None);
}

#[test]
fn what_was_refused_is_learnt() {
    let points = points(&[(0, 1), (2, 1), (3, 1), (4, 1)]);
    let learnt =
        |barriers: &[Barrier]| places(&blocks(&points, &all(&points), &Limits::default(), COST, barriers));
    assert_eq!(learnt(&[]), [(0, 5)]);
    assert_eq!(learnt(&[Barrier::Filler(holding(1, 1))]), [(0, 1), (2, 3)]);
    assert_eq!(learnt(&[Barrier::Filler(Forbidden { table: Table::Input, first: 1, last: 1 })]), [(0, 5)]);
    assert_eq!(learnt(&[Barrier::Point(2)]), [(0, 3), (3, 1), (4, 1)], "no read goes across a refused point");
}

#[test]
fn fillers_are_the_addresses_without_a_point() {
    let points = points(&[(0, 4), (1, 1), (6, 1), (9, 1)]);
    let block = &blocks(&points, &all(&points), &Limits::default(), COST, &[])[0];
    assert_eq!(fillers(&points, block), [holding(4, 5), holding(7, 8)]);
}

#[test]
fn a_group_that_no_request_can_hold_is_a_fault_of_the_profile() {
    let fault = |change: &dyn Fn(&mut Profile)| {
        let mut profile = (*crate::field::profile::builtin()["sim-bms"].profile).clone();
        profile.points = points(&[(0, 1), (4, 2)]);
        profile.limits = Limits::default();
        profile.points.iter_mut().for_each(|point| point.atomic = Some(1));
        change(&mut profile);
        faults(&profile).first().map(ToString::to_string)
    };
    assert_eq!(fault(&|_| {}), None);
    for (change, word) in [
        (&(|it: &mut Profile| it.limits.max_registers = 5) as &dyn Fn(&mut Profile), "spans 6"),
        (&|it| it.limits.max_gap = Some(2), "hole of 3"),
        (&|it| it.limits.forbidden.push(holding(2, 2)), "across 2"),
        (&|it| it.limits.read_clears.push(holding(3, 9)), "across 3"),
        (&|it| it.limits.single_reads = true, "single reads"),
        (&|it| it.points[1].class = "slow".to_owned(), "two scan classes"),
        (&|it| it.points[1].table = Table::Input, "two tables"),
    ] {
        let said = fault(change).unwrap_or_default();
        assert!(said.contains(word) && said.contains("p-0"), "{word}: {said}");
    }
}

#[test]
fn simpler_planners_are_never_cheaper_and_keep_to_the_same_limits() {
    let points = points(&[(0, 1), (1, 1), (11, 1), (60, 1), (61, 2)]);
    let told = compare(&points, &all(&points), &Limits::default(), COST);
    assert_eq!(told, Comparison { planned_us: 350, per_point_us: 560, gap_0_us: 360, gap_50_us: 730 });
    let strict = compare(&points, &all(&points), &limits(125, 0, &[]), COST);
    assert_eq!((strict.planned_us, strict.gap_50_us), (360, 360));
}

#[test]
fn every_shipped_profile_can_be_planned() {
    for (name, shipped) in crate::field::profile::builtin() {
        assert_eq!(faults(&shipped.profile), [], "{name}");
    }
}

#[test]
fn a_refused_block_is_cut_at_its_widest_hole_and_never_through_a_value() {
    let split_of = |at: &[(u16, u16)]| {
        let points = points(at);
        let block = cover::block(Table::Holding, &cover::items(&points, &all(&points), Table::Holding));
        split(&points, &block).map(|(left, right)| (left.points, right.points))
    };
    assert_eq!(split_of(&[(0, 1)]), None);
    assert_eq!(split_of(&[(0, 1), (1, 1), (5, 1)]), Some((vec![0, 1], vec![2])));
    assert_eq!(split_of(&[(0, 1), (1, 1), (2, 1), (3, 1)]), Some((vec![0, 1], vec![2, 3])));
    assert_eq!(split_of(&[(0, 4), (1, 1), (4, 1)]), Some((vec![0, 1], vec![2])));
    assert_eq!(split_of(&[(0, 4), (1, 1)]), Some((vec![0], vec![1])));
}

/// Limits of the device and what was learnt of it, as one case of the property below.
#[derive(Clone, Debug)]
struct World {
    limits: Limits,
    barriers: Vec<Barrier>,
    base_us: u64,
}

/// What keeps an item from others.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kept {
    Open,
    Alone,
    Clearing(usize),
}

impl World {
    fn kept(&self, item: &cover::Item) -> Kept {
        let bad = self.barriers.iter().any(|it| matches!(it, Barrier::Point(at) if item.points.contains(at)));
        if bad || self.limits.single_reads || u32::from(self.limits.max_registers) < item.end - item.start {
            return Kept::Alone;
        }
        let clears = self.limits.read_clears.iter();
        match clears.clone().position(|range| addresses(item).any(|at| inside(*range, at))) {
            Some(at) if addresses(item).all(|one| inside(self.limits.read_clears[at], one)) => {
                Kept::Clearing(at)
            }
            Some(_) => Kept::Alone,
            None => Kept::Open,
        }
    }

    /// What one request for these items costs, if the device allows it.
    fn priced(&self, items: &[cover::Item], group: &[usize]) -> Option<u64> {
        let members: Vec<cover::Item> = group.iter().map(|at| items[*at].clone()).collect();
        let block = cover::block(Table::Holding, &members);
        let total = self.cost().request_ns(Table::Holding, block.count.into());
        let [first, _, ..] = &members[..] else { return Some(total) };
        let kept = self.kept(first);
        if kept == Kept::Alone
            || members.iter().any(|item| self.kept(item) != kept)
            || self.limits.max_registers < block.count
        {
            return None;
        }
        let covered =
            |at: u32| items.iter().any(|it| self.kept(it) == kept && addresses(it).any(|one| one == at));
        let most = if kept == Kept::Open { self.limits.max_gap.map_or(u32::MAX, u32::from) } else { 0 };
        let mut hole = 0;
        for at in u32::from(block.address)..u32::from(block.address) + u32::from(block.count) {
            hole = if covered(at) { 0 } else { hole + 1 };
            if most < hole || (0 < hole && self.is_wall(items, at)) {
                return None;
            }
        }
        Some(total)
    }

    fn is_wall(&self, items: &[cover::Item], at: u32) -> bool {
        let ranges = self.limits.forbidden.iter().chain(&self.limits.read_clears);
        ranges.clone().any(|range| inside(*range, at))
            || self.barriers.iter().any(|barrier| match barrier {
                Barrier::Filler(range) => inside(*range, at),
                Barrier::Point(bad) => {
                    items.iter().any(|it| it.points.contains(bad) && addresses(it).any(|one| one == at))
                }
            })
    }

    fn cost(&self) -> Cost {
        Cost { base_us: self.base_us, byte_ns: 5000 }
    }

    /// The least cost over all ways to share the items out.
    fn brute_force(&self, items: &[cover::Item], groups: &mut Vec<Vec<usize>>, next: usize) -> u64 {
        if next == items.len() {
            let costs: Option<Vec<u64>> = groups.iter().map(|group| self.priced(items, group)).collect();
            return costs.map_or(u64::MAX, |costs| costs.iter().sum());
        }
        let mut best = u64::MAX;
        for at in 0..groups.len() {
            groups[at].push(next);
            best = best.min(self.brute_force(items, groups, next + 1));
            groups[at].pop();
        }
        groups.push(vec![next]);
        best = best.min(self.brute_force(items, groups, next + 1));
        groups.pop();
        best
    }
}

fn addresses(item: &cover::Item) -> std::ops::Range<u32> {
    item.start..item.end
}

fn inside(range: Forbidden, at: u32) -> bool {
    (u32::from(range.first)..=u32::from(range.last)).contains(&at)
}

fn some_range() -> impl Strategy<Value = Vec<Forbidden>> {
    let range = (0_u16..45, 0_u16..6).prop_map(|(first, long)| holding(first, first + long));
    proptest::collection::vec(range, 0..2)
}

fn some_world() -> impl Strategy<Value = World> {
    let barriers = proptest::collection::vec(
        prop_oneof![
            (0_u16..45).prop_map(|at| Barrier::Filler(holding(at, at))),
            (0_usize..7).prop_map(Barrier::Point),
        ],
        0..3,
    );
    let device = (3_u16..20, proptest::option::of(0_u16..12), proptest::bool::weighted(0.05));
    (device, some_range(), some_range(), barriers, 1_u64..200).prop_map(
        |((max_registers, max_gap, single_reads), forbidden, read_clears, barriers, base_us)| {
            let limits =
                Limits { max_registers, max_gap, forbidden, read_clears, single_reads, ..Limits::default() };
            World { limits, barriers, base_us }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_plan_is_cheaper_and_every_point_is_read_whole_and_once(
        at in proptest::collection::vec(
            (0_u16..45, prop_oneof![Just(1_u16), Just(2), Just(4)], prop_oneof![3 => Just(None), 1 => (0_u16..2).prop_map(Some)]),
            1..7,
        ),
        world in some_world(),
    ) {
        let places: Vec<(u16, u16)> = at.iter().map(|(address, words, _)| (*address, *words)).collect();
        let mut points = points(&places);
        for (point, (.., group)) in points.iter_mut().zip(&at) {
            point.atomic = *group;
        }
        let planned = blocks(&points, &all(&points), &world.limits, world.cost(), &world.barriers);
        let mut seen: Vec<usize> = planned.iter().flat_map(|block| block.points.clone()).collect();
        seen.sort_unstable();
        prop_assert_eq!(seen, all(&points));
        let items = cover::items(&points, &all(&points), Table::Holding);
        let mut total = 0;
        for block in &planned {
            for point in &block.points {
                prop_assert!(block.address <= points[*point].address);
                prop_assert!(cover::end_of(&points[*point]) <= u32::from(block.address) + u32::from(block.count));
            }
            let group: Vec<usize> =
                (0..items.len()).filter(|at| block.points.contains(&items[*at].points[0])).collect();
            prop_assert!(group.iter().flat_map(|at| &items[*at].points).all(|at| block.points.contains(at)), "torn");
            let price = world.priced(&items, &group);
            prop_assert!(price.is_some(), "{:?} is not allowed", block);
            total += price.unwrap_or_default();
        }
        prop_assert_eq!(total, world.brute_force(&items, &mut Vec::new(), 0));
    }

    #[test]
    fn cutting_ends_at_single_items_and_loses_no_point(
        at in proptest::collection::vec((0_u16..45, prop_oneof![Just(1_u16), Just(4)], prop_oneof![3 => Just(None), 1 => Just(Some(0))]), 1..9),
    ) {
        let places: Vec<(u16, u16)> = at.iter().map(|(address, words, _)| (*address, *words)).collect();
        let mut points = points(&places);
        for (point, (.., group)) in points.iter_mut().zip(&at) {
            point.atomic = *group;
        }
        let mut open = blocks(&points, &all(&points), &Limits::default(), Cost::TCP, &[]);
        let mut whole = Vec::new();
        while let Some(block) = open.pop() {
            match split(&points, &block) {
                Some((left, right)) => open.extend([left, right]),
                None => whole.extend(block.points),
            }
        }
        whole.sort_unstable();
        prop_assert_eq!(whole, all(&points));
    }
}

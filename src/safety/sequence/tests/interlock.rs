//! What keeps a stage from being commanded though its permissives hold.

use super::*;
use crate::safety::sequence::spec::CutBudget;
use crate::safety::sequence::{StageFault, StageState};
use crate::safety::site::{Feed, FeedId, LoadGroup, LoadGroupId};

/// Two sequences of one stage each, triggered alike; the second records only where `shadow` says so.
fn two(shadow: [bool; 2], delay_ms: u64, budget: CutBudget) -> Bench {
    let of = |shadow: bool, name: &str, delay: u64| Sequence {
        name: name.into(),
        mode: if shadow { Mode::Shadow } else { Mode::Armed },
        countdown: Millis(0),
        ..sequence(vec![Stage { delay: Millis(delay), ..stage("open") }])
    };
    let mut site = site(vec![of(shadow[0], "first", 0), of(shadow[1], "second", delay_ms)]);
    site.cut_budget = Some(budget);
    let mut bench = Bench::on(site, &Memory::default(), BORN);
    bench.reads(HEAT, HOT);
    bench.pass(delay_ms);
    bench
}

/// What became of the second one's stage.
fn second(bench: &Bench) -> StageState {
    match &bench.core.sequence(SequenceId(1)).phase {
        Phase::Run(run) => run.stages[0],
        Phase::Idle => panic!("both are triggered"),
    }
}

#[test]
fn i3_the_rate_counts_what_was_cut_within_its_time_and_not_a_moment_longer() {
    let budget = CutBudget { per_zone_max: 9, rate_max: 1, rate_within: Millis(5000) };
    for (delay_ms, waits) in [(4900, true), (5000, false), (5100, false)] {
        let bench = two([false, false], delay_ms, budget);
        let state = second(&bench);
        assert_eq!(state == StageState::Waiting, waits, "{delay_ms} ms after the first: {state:?}");
    }
}

#[test]
fn i3_what_only_records_is_bound_by_all_and_binds_nobody_who_cuts() {
    let budget = CutBudget { per_zone_max: 9, rate_max: 1, rate_within: Millis(60_000) };
    // Who records; whether the second waits for the budget.
    let table = [([false, false], true), ([true, false], false), ([false, true], true), ([true, true], true)];
    for (shadow, waits) in table {
        let state = second(&two(shadow, 1000, budget));
        assert_eq!(state == StageState::Waiting, waits, "{shadow:?}: {state:?}");
    }
}

#[test]
fn i3_tries_and_stages_that_cut_nothing_are_no_cuts() {
    // One cut is allowed: a siren before it and a second try of it must not use it up, and a second cut must find it used up.
    let budget = CutBudget { per_zone_max: 9, rate_max: 2, rate_within: Millis(60_000) };
    let siren = Stage { cuts: Cuts::Nothing, ..stage("siren") };
    let tried = Stage { attempts: 2, ..stage("open") };
    let stages = vec![siren, tried, stage("open more"), stage("open all")];
    let mut site = site(vec![Sequence { countdown: Millis(0), ..sequence(stages) }]);
    site.cut_budget = Some(budget);
    let mut bench = Bench::on(site, &Memory::default(), BORN);
    bench.plant[OPEN.index()] = Some(1.0);
    bench.reads(HEAT, HOT);
    bench.answer(Ok(()));
    bench.pass(100);
    bench.answer(Err(DriveFault::NotSent));
    bench.pass(100);
    bench.answer(Ok(()));
    bench.pass(100);
    bench.answer(Ok(()));
    bench.pass(100);
    let orders: Vec<(u8, u8)> = bench.orders.iter().map(|order| (order.stage, order.attempt)).collect();
    assert_eq!(orders, [(0, 1), (1, 1), (1, 2), (2, 1)]);
    bench.pass(3000);
    assert_eq!(bench.run().stages[3], StageState::Failed(StageFault::Budget));
}

#[test]
fn i1_only_a_feed_of_the_same_group_counts_as_the_one_that_stays() {
    // Two groups of two feeds; the stage takes the first of the first group. `MAY` says whether its other feed is alive,
    // `KEY` whether the feeds of the other group are.
    for (own, others, cut) in [(1.0, 1.0, true), (0.0, 1.0, false), (1.0, 0.0, true), (0.0, 0.0, false)] {
        let cuts = Cuts::Feeds(vec![FeedId(0)]);
        let mut site =
            site(vec![Sequence { countdown: Millis(0), ..sequence(vec![Stage { cuts, ..stage("open") }]) }]);
        for (group, name) in (0..).zip(["row-1", "row-2"]) {
            site.load_groups.push(LoadGroup { name: name.into(), title: String::new() });
            let alive = if group == 0 { expect(MAY, 1) } else { expect(KEY, 1) };
            for feed in ["a", "b"] {
                let group = LoadGroupId(group);
                site.feeds.push(Feed { name: feed.into(), group, alive: vec![alive] });
            }
        }
        let mut bench = Bench::on(site, &Memory::default(), BORN);
        (bench.plant[MAY.index()], bench.plant[KEY.index()]) = (Some(own), Some(others));
        bench.reads(HEAT, HOT);
        assert_eq!(bench.orders.len(), usize::from(cut), "own {own}, others {others}");
        bench.pass(3000);
        let failed = StageState::Failed(StageFault::LastFeed(FeedId(1)));
        assert_eq!(bench.run().stages[0] == failed, !cut, "{:?}", bench.run().stages);
    }
}

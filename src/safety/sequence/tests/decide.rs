//! What a run does next.

use super::*;
use crate::safety::sequence::StageFault;

#[test]
fn a_condition_holds_or_not() {
    let holds = |condition: Condition, number: f64| condition.holds(Value::new(number).unwrap());
    let table = [
        (Condition::Is(3), [(3.0, true), (2.0, false), (3.5, false), (-3.0, false)].as_slice()),
        (Condition::AtLeast(2.5), &[(2.4, false), (2.5, true), (9.0, true)]),
        (Condition::AtMost(2.5), &[(2.6, false), (2.5, true), (-9.0, true)]),
        (Condition::Within(1.0, 2.0), &[(0.9, false), (1.0, true), (1.5, true), (2.0, true), (2.1, false)]),
        // Five is bits 0 and 2. What is no whole number has no bits, set or clear.
        (Condition::BitSet(0), &[(5.0, true), (4.0, false), (2.0, false), (5.5, false), (0.0, false)]),
        (Condition::BitSet(2), &[(5.0, true), (4.0, true), (2.0, false), (1.0, false), (-5.0, false)]),
        (Condition::BitClear(2), &[(5.0, false), (4.0, false), (2.0, true), (1.0, true), (5.5, false)]),
        (Condition::BitClear(0), &[(5.0, false), (4.0, true), (0.0, true), (-4.0, false)]),
    ];
    for (condition, cases) in table {
        for (number, expected) in cases {
            assert_eq!(holds(condition, *number), *expected, "{condition:?} of {number}");
        }
    }
}

/// A bench whose only stage waits, since `waited` milliseconds before its loop is held up for two seconds and nothing is
/// read any more.
fn blind(waited: u64) -> Bench {
    let mut sequence = sequence(vec![stage("open")]);
    sequence.countdown = Millis(1000);
    sequence.stages[0].permissive_wait = Millis(5000);
    // It waits as long as this delay lasts; the permissive wait begins after it.
    sequence.stages[0].delay = Millis(1000 + waited);
    let mut bench = Bench::new(sequence);
    bench.reads(HEAT, HOT);
    bench.pass(1000);
    assert!(matches!(bench.step(), Step::Waiting { .. }), "{:?}", bench.step());
    bench.pass(waited);
    bench.plant = [None; 4];
    bench.scan(bench.ms + 2000, &[]);
    bench
}

#[test]
fn r14_after_a_gap_a_stage_waits_for_something_read_and_no_longer_than_it_may() {
    let mut bench = blind(500);
    let Step::Waiting { until, .. } = *bench.step() else { panic!("{:?}", bench.step()) };
    bench.pass(until.0 - bench.ms - 100);
    assert!(bench.orders.is_empty(), "nothing of what it acts on was read since");
    bench.pass(100);
    assert_eq!(bench.orders.len(), 1, "a missed cut is worse than one that is not read back");
}

#[test]
fn r14_what_is_read_after_a_gap_lets_a_stage_go_on() {
    let mut bench = blind(500);
    bench.pass(300);
    assert!(bench.orders.is_empty());
    bench.reads(OPEN, 0.0);
    assert_eq!(bench.orders.len(), 1);
}

#[test]
fn r14_a_stage_that_began_to_wait_with_the_scan_after_a_gap_is_not_held_up_by_it() {
    let mut sequence = sequence(vec![stage("open")]);
    sequence.countdown = Millis(2000);
    let mut bench = Bench::new(sequence);
    bench.reads(HEAT, HOT);
    bench.pass(100);
    bench.plant = [None; 4];
    // The countdown ends within the gap: the stage begins to wait in the scan that ends it.
    bench.scan(bench.ms + 3000, &[]);
    assert!(matches!(bench.step(), Step::Waiting { .. }), "{:?}", bench.step());
    assert!(bench.orders.is_empty(), "S18: never in the scan that ends a gap");
    bench.scan(bench.ms + 100, &[]);
    assert_eq!(bench.orders.len(), 1);
}

#[test]
fn the_loop_held_up_gives_readings_that_much_longer_and_a_countdown_no_time() {
    let mut bench = Bench::new(sequence(vec![stage("open")]));
    bench.reads(HEAT, HOT);
    let Step::Countdown { until } = *bench.step() else { panic!("{:?}", bench.step()) };
    bench.scan(bench.ms + 1000, &[]);
    assert_eq!(*bench.step(), Step::Countdown { until });
    bench.pass(until.0 - bench.ms);
    let Step::Ordered { answer_by, .. } = *bench.step() else { panic!("{:?}", bench.step()) };
    bench.scan(bench.ms + 1000, &[]);
    assert!(
        matches!(bench.step(), Step::Ordered { answer_by: later, .. } if *later == answer_by.plus(Millis(1000)))
    );
    bench.answer(Ok(()));
    let Step::Verifying { until, .. } = *bench.step() else { panic!("{:?}", bench.step()) };
    bench.scan(bench.ms + 1000, &[]);
    assert!(
        matches!(bench.step(), Step::Verifying { until: later, .. } if *later == until.plus(Millis(1000)))
    );
}

#[test]
fn a_permissive_counts_while_it_is_fresh_and_good_and_fails_the_stage_when_its_time_is_up() {
    let mut sequence = sequence(vec![stage("open")]);
    sequence.stages[0].permissives = vec![expect(MAY, 1)];
    for (reads, age, left) in [
        (Some(1.0), 0, true),
        (Some(1.0), 1000, true),
        (Some(1.0), 1001, false),
        (Some(0.0), 0, false),
        (None, 0, false),
    ] {
        let mut bench = Bench::new(sequence.clone());
        bench.plant[MAY.index()] = None;
        bench.reads(HEAT, HOT);
        let Step::Countdown { until } = *bench.step() else { panic!("{:?}", bench.step()) };
        bench.pass(until.0 - bench.ms - 1100);
        // Read once, so long before the stage looks.
        if let Some(value) = reads.and_then(Value::new) {
            let at = Uptime(until.0 - age);
            bench.pass(at.0 - 50 - bench.ms);
            let sample = Input::Sampled { point: MAY, asked: at, taken: at, result: Ok(value) };
            bench.scan(at.0, &[sample]);
        }
        bench.pass(until.0 - bench.ms);
        assert_eq!(bench.orders.len(), usize::from(left), "{reads:?}, {age} ms old");
        bench.pass(2900);
        assert_eq!(matches!(bench.step(), Step::Waiting { .. }), !left);
        bench.pass(100);
        if !left {
            assert_eq!(*bench.step(), Step::Failed);
            assert!(
                bench.events.contains(&SequenceEvent::StageFailed(0, StageFault::Permissive(MAY))),
                "{:?}",
                bench.events
            );
        }
    }
}

#[test]
fn each_order_of_a_run_has_a_number_of_its_own() {
    let mut sequence = sequence(vec![stage("open"), stage("open more")]);
    sequence.stages[0].attempts = 2;
    sequence.countdown = Millis(0);
    let mut bench = Bench::new(sequence);
    bench.reads(HEAT, HOT);
    bench.answer(Err(DriveFault::NotSent));
    bench.pass(100);
    bench.answer(Ok(()));
    bench.reads(OPEN, 1.0);
    let orders: Vec<(u64, u8, u8)> = bench.orders.iter().map(|it| (it.id.0, it.stage, it.attempt)).collect();
    assert_eq!(orders, [(1, 0, 1), (2, 0, 2), (3, 1, 1)]);
}

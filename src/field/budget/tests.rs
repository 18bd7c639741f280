#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;

use super::line::{Line, Poll};
use super::*;
use crate::field::options::{DeviceOptions, Endpoint, Parity, SerialLine};
use crate::field::profile::Profile;
use crate::safety::site::DeviceId;

/// A device with so many neighbouring registers in class `fast`.
fn device(at: usize, registers: u16, period_ms: u64) -> DeviceOptions {
    let text = format!(
        "id = \"x\"\nvendor = \"v\"\nmodels = []\nkind = \"gas\"\nsource = \"s\"\n[[point]]\nname = \"p-{{n}}\"\n\
         table = \"holding\"\naddress = 0\ntype = \"u16\"\nclass = \"fast\"\ncount = {registers}\n"
    );
    let profile = Profile::parse(&text, "x").unwrap();
    let first = u32::try_from(at).unwrap() * u32::from(registers);
    DeviceOptions {
        device: DeviceId::at(at),
        name: format!("d-{at}"),
        unit: u8::try_from(at + 1).unwrap(),
        points: (first..first + u32::from(registers)).map(PointId).collect(),
        profile: Arc::new(profile),
        periods: BTreeMap::from([("fast".to_owned(), Millis(period_ms))]),
        actions: Vec::new(),
    }
}

fn line_9600(devices: Vec<DeviceOptions>) -> LinkOptions {
    let line = SerialLine { baud: 9600, parity: Parity::None, stop_bits: 1 };
    LinkOptions {
        name: "bus".to_owned(),
        endpoint: Endpoint::Serial { path: "/dev/ttyS0".into(), line, rs485: false },
        timeout: Millis(500),
        connect_timeout: Millis(1000),
        pipeline: 1,
        ignore_transaction_ids: false,
        devices,
    }
}

#[test]
fn twenty_units_of_120_registers_at_9600_baud_take_5_8_s_and_one_dying_costs_little() {
    let link = line::budget(&line_9600((0..20).map(|at| device(at, 120, 10_000)).collect()));
    assert_eq!((link.requests(), link.units), (20, 20));
    assert!((5_700..5_900).contains(&link.cycle.0), "{}", link.cycle);
    assert!((570..590).contains(&link.busy_permille), "{}", link.busy_permille);
    assert_eq!(link.oldest().alive, Some(Millis(10_000 + link.cycle.0)));
    // Two time-outs until it is dead, then a twentieth of the line.
    let dead = link.queue.dying.unwrap().0;
    assert!((7_000..7_500).contains(&dead), "{dead} ms");
    let after = link.queue.dead.unwrap().0;
    assert!(link.cycle.0 < after && after < dead, "{after} ms");
    assert!(link.keeps_up());
    assert_eq!(link.break_even_registers, 19);
}

#[test]
fn a_line_that_is_asked_for_too_much_has_no_worst_case() {
    let link = line::budget(&line_9600((0..20).map(|at| device(at, 120, 5_000)).collect()));
    assert!(1000 < link.busy_permille && !link.keeps_up());
    assert_eq!((link.oldest().alive, link.queue.dying), (None, None));
    let just = line::budget(&line_9600((0..20).map(|at| device(at, 120, 6_000)).collect()));
    assert!(just.keeps_up() && just.queue.dying.is_none(), "97 % and 5 % for dead units are too much");
}

#[test]
fn a_link_without_devices_has_nothing_to_wait_for() {
    let link = line::budget(&line_9600(Vec::new()));
    assert_eq!((link.cycle, link.requests(), link.oldest()), (Millis::ZERO, 0, Worst::NONE));
    assert!(link.keeps_up());
}

#[test]
fn absent_points_and_pauses_count() {
    let mut lonely = device(0, 120, 1_000);
    let mut profile = (*lonely.profile).clone();
    profile.absent = (10..120).collect();
    profile.limits.pause = Millis(30);
    lonely.profile = Arc::new(profile);
    let link = line::budget(&line_9600(vec![lonely]));
    assert_eq!(link.jobs[0].useful, 10);
    assert!((90..95).contains(&link.cycle.0), "{}", link.cycle);
}

#[test]
fn every_point_of_the_site_gets_the_age_of_its_poll() {
    let site = Site { points: Vec::new(), ..Site::default() };
    let links = [line_9600(vec![device(0, 3, 1000)])];
    assert_eq!(Budget::of(&site, &links).age(PointId(1)), Worst::default(), "no such point");
}

#[test]
fn frequent_polls_need_not_wait_for_all_slow_ones() {
    let fast = Poll { period_us: 1_000_000, cost_us: 100_000 };
    let slow = Poll { period_us: 60_000_000, cost_us: 500_000 };
    let polls = [fast, slow, slow, slow, slow];
    let queues = Line { polls: &polls, lost_us: 0, dead_percent: 0 }.queues();
    assert_eq!(queues[0], Some(Millis(1000)), "the deadline is kept");
    assert_eq!(queues[1], Some(Millis(2300)), "all of them, and the fast one three times");
}

/// The longest response of each poll when the earliest deadline goes first, no poll is interrupted, and the line
/// is lost once for some time.
fn played(polls: &[Poll], phases: &[u64], (lost_at, lost_us): (u64, u64)) -> Vec<u64> {
    let mut due: Vec<u64> = phases.to_vec();
    let mut longest = vec![0; polls.len()];
    let (mut now, mut is_lost) = (0, false);
    while now < 400_000 {
        if lost_at <= now && !is_lost {
            is_lost = true;
            now += lost_us;
        }
        let ready = (0..polls.len()).filter(|at| due[*at] <= now);
        let Some(at) = ready.min_by_key(|at| due[*at] + polls[*at].period_us) else {
            now = due.iter().copied().min().unwrap();
            continue;
        };
        now += polls[at].cost_us;
        longest[at] = longest[at].max(now - due[at]);
        due[at] += polls[at].period_us;
    }
    longest
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_poll_that_is_played_takes_longer_than_on_paper(
        drawn in proptest::collection::vec((1_u64..40, 1_u64..12, 0_u64..40), 1..6),
        lost in (0_u64..200_000, prop_oneof![Just(0), 0_u64..20_000]),
    ) {
        let polls: Vec<Poll> =
            drawn.iter().map(|(period, cost, _)| Poll { period_us: period * 1000, cost_us: cost * 500 }).collect();
        let phases: Vec<u64> = drawn.iter().map(|(.., phase)| phase * 1000).collect();
        let paper = Line { polls: &polls, lost_us: lost.1, dead_percent: 0 }.queues();
        for (paper, played) in paper.iter().zip(played(&polls, &phases, lost)) {
            if let Some(paper) = paper {
                prop_assert!(played <= paper.0 * 1000, "{} µs, on paper {}", played, paper);
            }
        }
    }
}

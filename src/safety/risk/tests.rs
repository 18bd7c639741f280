//! Rules, votes and zones together: answers and time go in, findings and levels come out.

#![expect(clippy::unwrap_used, reason = "tests")]

use super::judge::RuleState;
use super::*;
use crate::safety::fact::{Fact, Output};
use crate::safety::quality::Picture;
use crate::safety::reading::ReadFault;
use crate::safety::rules::deviation::{Against, Deviation, Sides};
use crate::safety::rules::limit::{Limit, Side, Step};
use crate::safety::rules::rate::Rate;
use crate::safety::rules::silence::Silence;
use crate::safety::rules::together::{OnAllLost, OnChannelFault, Together};
use crate::safety::rules::{OnUnknown, Rule, RuleKind, Verdict, View};
use crate::safety::site::{Device, DeviceId, DeviceKind, Labels, Point, Room, RoomId, Site, Zone};
use crate::units::Unit;

/// One zone with one device.
struct Plant {
    site: Site,
    picture: Picture,
    judgement: Judgement,
    out: Vec<Output>,
}

impl Plant {
    fn new(points: u32, rules: Vec<Rule>) -> Self {
        let mut site = Site { rules, ..Site::default() };
        site.rooms.push(Room { name: "room".into(), title: String::new() });
        site.zones.push(Zone { name: "rack".into(), title: String::new(), room: RoomId(0) });
        site.devices.push(Device {
            name: "bms".into(),
            title: String::new(),
            zone: ZoneId(0),
            kind: DeviceKind::Battery,
            points: 0..points,
            silent_after: Millis(3000),
            switches: false,
        });
        site.points.extend((0..points).map(|index| Point {
            name: format!("cell-{index}"),
            device: DeviceId(0),
            unit: Unit::Celsius,
            period: Millis(1000),
            stale_after: Millis(3000),
            range: None,
            fall_per_s_max: None,
            frozen: None,
            labels: Labels::None,
        }));
        let (picture, judgement) = (Picture::new(&site, Uptime(0)), Judgement::new(&site));
        Self { site, picture, judgement, out: Vec::new() }
    }

    /// One answer; `None` is one of the device's own marks for "no value".
    fn hear(&mut self, ms: u64, point: u32, value: Option<f64>) {
        let result = value.and_then(Value::new).ok_or(ReadFault::Sentinel);
        self.answer(ms, point, result);
    }

    fn answer(&mut self, ms: u64, point: u32, result: Result<Value, ReadFault>) {
        let (point, now) = (PointId(point), Uptime(ms));
        self.picture.absorb(&self.site, point, (now, now), result);
        self.judgement.judge_point(&self.site, &self.picture, point, now, &mut self.out);
    }

    /// The end of a scan: all that was said in it.
    fn end(&mut self, ms: u64) -> Vec<Fact> {
        self.judgement.judge_time(&self.site, &self.picture, Uptime(ms), &mut self.out);
        self.judgement.announce_zones(&self.site, &mut self.out);
        let facts = std::mem::take(&mut self.out).into_iter();
        facts.filter_map(|output| if let Output::Fact(fact) = output { Some(fact) } else { None }).collect()
    }

    /// One scan in which the points in order read so.
    fn scan(&mut self, ms: u64, values: &[Option<f64>]) -> Vec<Fact> {
        for (point, value) in (0..).zip(values) {
            self.hear(ms, point, *value);
        }
        self.end(ms)
    }

    /// What a rule says, and whether it knows.
    fn says(&self, rule: u32) -> (Level, bool) {
        let finding = self.judgement.finding(&self.site, RuleId(rule));
        (finding.level, finding.known)
    }

    /// Of which rules there is something for the alarms since last asked.
    fn news(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.judgement.changed).iter().map(|finding| finding.rule.0).collect()
    }
}

fn findings(facts: &[Fact]) -> Vec<(u32, Level)> {
    let finding = |fact: &Fact| match fact {
        Fact::Finding(finding) => Some((finding.rule.0, finding.level)),
        _ => None,
    };
    facts.iter().filter_map(finding).collect()
}

fn change(facts: &[Fact]) -> Option<&LevelChange> {
    facts.iter().find_map(|fact| if let Fact::Level(change) = fact { Some(change) } else { None })
}

fn rule(on_unknown: OnUnknown, kind: RuleKind) -> Rule {
    Rule { name: "rule".into(), zone: ZoneId(0), principle: "temperature".into(), on_unknown, kind }
}

fn steps() -> [Option<Step>; 3] {
    let step = |limit| Some(Step { limit, on_delay: Millis(0), off_delay: Millis(0), extreme: None });
    [step(45.0), step(55.0), step(80.0)]
}

/// `watch` at 45, `warning` at 55, `danger` at 80.
fn limit(point: u32) -> Limit {
    Limit { point: PointId(point), side: Side::Above, deadband: 0.0, steps: steps(), projection: None }
}

fn held(kind: RuleKind) -> Rule {
    rule(OnUnknown::Hold, kind)
}

/// As many limits, each on its own point.
fn limits(count: u32) -> Vec<Rule> {
    (0..count).map(|point| held(RuleKind::Limit(limit(point)))).collect()
}

/// A vote for danger of the first `of` rules, with a grace of 15 s and no hold.
fn vote(needed: u8, of: u32, on_all_lost: OnAllLost) -> Together {
    Together {
        channels: (0..of).map(RuleId).collect(),
        needed,
        votes_at: Level::Danger,
        level: Level::Danger,
        hold: Millis(0),
        on_channel_fault: OnChannelFault::Availability,
        on_all_lost,
        grace: Millis(15_000),
        one_vote_per: Vec::new(),
        rivals: vec![0; of as usize],
        repair_within: Millis(3_600_000),
    }
}

/// Limits, and a vote over them as the last rule.
fn voting(needed: u8, of: u32, on_all_lost: OnAllLost, on_unknown: OnUnknown) -> Plant {
    let mut rules = limits(of);
    rules.push(rule(on_unknown, RuleKind::Together(vote(needed, of, on_all_lost))));
    Plant::new(of, rules)
}

const HOT: Option<f64> = Some(90.0);
const CALM: Option<f64> = Some(25.0);
const LOST: Option<f64> = None;

#[test]
fn every_level_has_its_word() {
    assert_eq!(Level::ALL.map(Level::word), ["normal", "watch", "warning", "danger"]);
}

#[test]
fn a_group_is_judged_once_when_all_of_it_was_read() {
    let steps = steps().map(|step| step.map(|step| Step { limit: step.limit - 40.0, ..step }));
    let spread = Deviation {
        points: vec![PointId(0), PointId(1)],
        against: Against::Spread,
        side: Sides::Above,
        members_min: 2,
        deadband: 0.0,
        steps,
        rising: None,
    };
    let mut plant = Plant::new(2, vec![held(RuleKind::Deviation(spread))]);
    assert_eq!(findings(&plant.scan(1000, &[CALM, CALM])), [(0, Level::Normal)]);
    assert_eq!(findings(&plant.scan(2000, &[HOT, HOT])), [], "both rose: they were never apart");
    assert_eq!(findings(&plant.scan(3000, &[Some(96.0)])), [(0, Level::Watch)]);
    assert_eq!(findings(&plant.scan(4000, &[HOT, HOT])), [(0, Level::Normal)]);
}

#[test]
fn of_a_single_point_each_answer_is_judged_though_two_come_in_one_scan() {
    let mut plant = Plant::new(1, limits(1));
    plant.scan(1000, &[CALM]);
    plant.hear(1500, 0, HOT);
    plant.hear(1600, 0, CALM);
    assert_eq!(findings(&plant.end(1600)), [(0, Level::Danger), (0, Level::Normal)]);
}

#[test]
fn a_silence_is_looked_at_in_its_time_and_ends_with_an_answer() {
    let silence = Silence {
        points: vec![PointId(0)],
        after: Millis(3000),
        level: Level::Watch,
        level_if_abnormal: Level::Warning,
    };
    let mut plant = Plant::new(1, Vec::new());
    let mut state = RuleState::new(&held(RuleKind::Silence(silence)));
    let mut look = |plant: &Plant, ms| {
        let view = View { site: &plant.site, picture: &plant.picture, now: Uptime(ms) };
        let said = match state.look(Level::Normal, view) {
            Verdict::Judged(level, _) => Some(level),
            _ => None,
        };
        state.level = said.unwrap_or(state.level);
        said
    };
    plant.hear(1000, 0, CALM);
    assert_eq!(look(&plant, 1000), Some(Level::Normal));
    plant.hear(2000, 0, CALM);
    assert_eq!(look(&plant, 2000), None, "nothing to do before its time");
    assert_eq!(look(&plant, 4001), Some(Level::Normal), "it was heard since");
    assert_eq!(look(&plant, 5001), Some(Level::Watch));
    plant.hear(9000, 0, CALM);
    assert_eq!(look(&plant, 9000), Some(Level::Normal));
}

#[test]
fn a_rule_is_judged_in_the_very_millisecond_when_its_time_has_come() {
    let on_unknown = OnUnknown::AtLeast(Level::Watch);
    let mut plant = Plant::new(1, vec![rule(on_unknown, RuleKind::Limit(limit(0)))]);
    plant.scan(1000, &[CALM]);
    plant.answer(2000, 0, Err(ReadFault::Timeout));
    plant.end(2000);
    assert_eq!(findings(&plant.end(4000)), []);
    assert_eq!(findings(&plant.end(4001)), [(0, Level::Watch)]);
    assert_eq!(plant.says(0), (Level::Watch, false));
}

#[test]
fn a_fear_shows_what_raised_it_until_it_raises_more() {
    let feared = Limit { projection: Some(6.0), ..limit(0) };
    let mut plant = Plant::new(1, vec![held(RuleKind::Limit(feared))]);
    plant.scan(1000, &[Some(40.0)]);
    let shown = |plant: &Plant| match plant.judgement.finding(&plant.site, RuleId(0)).evidence {
        Evidence::Projected { value, .. } => Some((plant.says(0).0, value)),
        _ => None,
    };
    // 6 degC a minute from 40.
    for (ms, expected) in [
        (30_000, None),
        (51_000, Some((Level::Watch, 45.0))),
        (61_000, Some((Level::Watch, 45.0))),
        (151_000, Some((Level::Warning, 55.0))),
    ] {
        plant.answer(ms, 0, Err(ReadFault::Timeout));
        plant.end(ms);
        assert_eq!(shown(&plant), expected, "at {ms} ms");
    }
}

#[test]
fn a_channel_whose_window_fills_weakens_no_vote() {
    let rate = Rate {
        point: PointId(1),
        side: Side::Above,
        window: Millis(120_000),
        samples_min: 3,
        floor: None,
        deadband: 0.0,
        steps: steps(),
    };
    let mut rules = limits(1);
    rules.push(held(RuleKind::Rate(rate)));
    rules.push(held(RuleKind::Together(vote(1, 2, OnAllLost::Alarm))));
    let mut plant = Plant::new(2, rules);
    for second in 1..=40 {
        plant.scan(second * 1000, &[CALM, CALM]);
    }
    assert_eq!(plant.judgement.vote(RuleId(2)).health, VoteHealth::Whole);
    for second in 41..=60 {
        plant.scan(second * 1000, &[CALM, LOST]);
    }
    assert_eq!(plant.judgement.vote(RuleId(2)).health, VoteHealth::Weakened, "what is lost is a fault");
}

#[test]
fn a3_a_complete_vote_outlasts_the_grace_of_a_lost_channel_and_goes_when_all_is_calm() {
    let mut plant = voting(2, 2, OnAllLost::Alarm, OnUnknown::Hold);
    plant.scan(1000, &[CALM, CALM]);
    assert_eq!(plant.says(2), (Level::Normal, true));
    plant.scan(2000, &[HOT, HOT]);
    assert_eq!(plant.says(2), (Level::Danger, true));
    plant.scan(3000, &[HOT, LOST]);
    plant.scan(17_999, &[HOT, LOST]);
    assert_eq!(plant.says(2), (Level::Danger, true), "within the grace");
    plant.scan(18_000, &[HOT, LOST]);
    assert_eq!(plant.says(2), (Level::Danger, false), "blind: held in doubt");
    plant.scan(19_000, &[CALM, CALM]);
    assert_eq!(plant.says(2), (Level::Normal, true));
}

#[test]
fn a_vote_that_is_complete_does_not_wait_for_the_grace_of_another_channel() {
    let mut plant = voting(2, 3, OnAllLost::Alarm, OnUnknown::Hold);
    plant.scan(1000, &[CALM, CALM, CALM]);
    let facts = plant.scan(2000, &[HOT, HOT, LOST]);
    assert_eq!(plant.says(3), (Level::Danger, true));
    let level = change(&facts).unwrap();
    assert_eq!((level.was, level.level), (Level::Normal, Level::Danger));
}

#[test]
fn r3_when_all_are_lost_the_written_policy_is_known_and_blindness_is_not() {
    let after = |policy, on_unknown| {
        let mut plant = voting(2, 2, policy, on_unknown);
        plant.scan(1000, &[CALM, CALM]);
        plant.scan(2000, &[LOST, LOST]);
        assert_eq!(plant.says(2), (Level::Normal, true), "within the grace");
        plant.end(17_000);
        plant.says(2)
    };
    let warning = OnUnknown::AtLeast(Level::Warning);
    assert_eq!(after(OnAllLost::Trip, warning), (Level::Danger, true));
    assert_eq!(after(OnAllLost::Alarm, warning), (Level::Warning, false));
    assert_eq!(after(OnAllLost::Alarm, OnUnknown::Hold), (Level::Normal, false));
}

#[test]
fn alarms_hear_of_a_vote_when_its_health_changes_and_not_otherwise() {
    let mut plant = voting(2, 3, OnAllLost::Alarm, OnUnknown::Hold);
    plant.scan(1000, &[CALM; 3]);
    plant.news();
    plant.scan(2000, &[Some(50.0), CALM, CALM]);
    assert_eq!(plant.news(), [0], "a channel at watch is no news of its vote");
    plant.scan(3000, &[CALM, CALM, LOST]);
    assert_eq!(plant.news(), [0, 2]);
    plant.scan(18_000, &[CALM, CALM, LOST]);
    assert_eq!(plant.news(), [3], "the same level on weaker grounds");
    plant.scan(19_000, &[CALM; 3]);
    assert_eq!(plant.news(), [2, 3]);
    assert_eq!(plant.judgement.vote(RuleId(3)).health, VoteHealth::Whole);
}

#[test]
fn a_vote_that_ran_out_alone_is_said_with_its_channel() {
    let mut plant = voting(2, 2, OnAllLost::Alarm, OnUnknown::Hold);
    plant.scan(1000, &[CALM, CALM]);
    plant.scan(2000, &[CALM, HOT]);
    plant.scan(3000, &[CALM, CALM]);
    let facts = plant.end(3001);
    let lone = facts.iter().filter_map(|fact| match fact {
        Fact::LoneVote { rule, channel } => Some((rule.0, channel.0)),
        _ => None,
    });
    assert_eq!(lone.collect::<Vec<_>>(), [(2, 1)]);
}

#[test]
fn an_episode_of_a_zone_has_the_rule_with_which_it_began() {
    let mut plant = Plant::new(3, limits(3));
    let mut first_out = |ms, values: [f64; 3]| {
        let facts = plant.scan(ms, &values.map(Some));
        change(&facts).map(|change| (change.level, change.first_out.map(|rule| rule.0)))
    };
    assert_eq!(first_out(1000, [25.0, 25.0, 25.0]), None);
    assert_eq!(first_out(2000, [25.0, 50.0, 25.0]), Some((Level::Watch, Some(1))));
    assert_eq!(first_out(3000, [60.0, 50.0, 25.0]), Some((Level::Warning, Some(1))));
    assert_eq!(first_out(4000, [60.0, 25.0, 25.0]), None);
    assert_eq!(first_out(5000, [25.0, 25.0, 25.0]), Some((Level::Normal, Some(1))));
    assert_eq!(first_out(6000, [50.0, 25.0, 25.0]), Some((Level::Watch, Some(0))));
    let facts = Plant::new(2, limits(2)).scan(1000, &[CALM, HOT]);
    assert_eq!(change(&facts).unwrap().first_out, Some(RuleId(1)), "the first look finds one calm, one hot");
}

#[test]
fn a_zone_is_explained_by_its_findings_worst_first_and_by_no_more_than_fit() {
    let mut plant = Plant::new(20, limits(20));
    plant.scan(1000, &[CALM; 20]);
    let mut values = [CALM; 20];
    (values[3], values[7], values[9]) = (Some(50.0), Some(90.0), Some(60.0));
    let facts = plant.scan(2000, &values);
    let because = |facts: &[Fact]| -> Vec<(u32, Level)> {
        change(facts).unwrap().because.iter().map(|finding| (finding.rule.0, finding.level)).collect()
    };
    assert_eq!(because(&facts), [(7, Level::Danger), (9, Level::Warning), (3, Level::Watch)]);
    plant.scan(3000, &[CALM; 20]);
    let facts = plant.scan(4000, &[Some(50.0); 20]);
    assert_eq!(because(&facts).len(), BECAUSE_MAX);
}

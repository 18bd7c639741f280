//! `evaluate` tells good limits from bad ones, and says why it cannot when it cannot.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use emberwatch::config;
use emberwatch::evaluate::{Addition, Campaign, Found, Kind, Outcome, Roles, Studied, voters, with_one_more};
use emberwatch::safety::site::{DeviceId, Site};
use emberwatch::sim::physics::{Chemistry, IncidentKind};

const TRIALS: u64 = 24;

/// The annotated example, with some of its words replaced.
fn example(changes: &[(&str, &str)]) -> Arc<Site> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/emberwatch.toml");
    let mut text = std::fs::read_to_string(path).expect("the example");
    for (from, to) in changes {
        assert!(text.contains(from), "the example says no longer: {from}");
        text = text.replace(from, to);
    }
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("site.toml");
    std::fs::write(&file, text).expect("written");
    config::load(&[file]).unwrap_or_else(|complaints| panic!("{complaints:?}")).site
}

fn studied(site: &Site) -> Studied {
    let roles = Roles::of(site, &BTreeMap::new()).expect("roles");
    Studied::new(site, &Arc::new(roles), Chemistry::Nmc, 1).expect("calm")
}

fn found(site: &Site, without: Option<DeviceId>) -> Found {
    Campaign { seed: 1, trials: TRIALS, threads: 2, without }.run(&studied(site), &|_| {})
}

#[test]
fn the_shipped_example_finds_every_fire_and_cuts_in_no_calm_hour() {
    let found = found(&example(&[]), None);
    assert_eq!((found.fires.count(), found.calm.count()), (24, 24));
    assert!(12 <= found.fires.burnt(), "{}", found.fires.burnt());
    assert_eq!(found.fires.missed(), 0, "{:?}", found.fires.outcomes);
    assert_eq!(found.calm.spurious(), 0, "{:?}", found.calm.outcomes);
    let warned = found.fires.in_time(|outcome| outcome.levels[1]);
    assert!(0 < warned && warned < found.fires.burnt(), "a hard short leaves no time: {warned}");
}

#[test]
fn limits_that_no_fire_reaches_miss_every_fire() {
    let blind = [
        (
            "danger = { limit = \"80 degC\", on_delay = \"3s\", off_delay = \"60s\", extreme = \"100 degC\" }",
            "danger = { limit = \"900 degC\", on_delay = \"3s\", off_delay = \"60s\" }",
        ),
        ("needed = 2 ", "needed = 3 "),
    ];
    let found = found(&example(&blind), None);
    assert_eq!(found.fires.missed(), found.fires.burnt());
}

#[test]
fn a_vote_of_one_cuts_in_calm_hours() {
    let found = found(&example(&[("needed = 2 ", "needed = 1 ")]), None);
    assert!(0 < found.calm.spurious(), "dust alone would cut");
}

#[test]
fn without_a_sensor_that_votes_the_same_fires_are_found_later_or_not_at_all() {
    let site = example(&[]);
    let smoke = voters(&site).into_keys().find(|device| site[*device].name == "smoke-1").expect("it votes");
    let (with, without) = (found(&site, None), found(&site, Some(smoke)));
    let sum = |found: &Found| found.fires.leads(|outcome| outcome.cut).iter().sum::<f64>();
    assert!(with.fires.missed() < without.fires.missed() || sum(&without) < sum(&with));
}

#[test]
fn a_further_sensor_joins_the_votes_of_every_rack_and_misses_nothing_that_was_found() {
    let site = example(&[]);
    let roles = Roles::of(&site, &BTreeMap::new()).expect("roles");
    let before = found(&site, None);
    for addition in Addition::ALL {
        let (more, roles) = with_one_more(&site, &roles, addition).expect("racks vote");
        assert_eq!((more.devices.len(), more.rules.len()), (site.devices.len() + 2, site.rules.len() + 2));
        let studied = Studied::new(&more, &Arc::new(roles), Chemistry::Nmc, 1).expect("calm");
        let after = Campaign { seed: 1, trials: TRIALS, threads: 2, without: None }.run(&studied, &|_| {});
        assert!(after.fires.missed() <= before.fires.missed(), "{addition:?}");
        assert_eq!(after.calm.spurious(), 0, "{addition:?}");
    }
}

#[test]
fn the_same_number_is_the_same_trial_and_threads_change_nothing() {
    let site = example(&[]);
    let studied = studied(&site);
    let run = |threads| Campaign { seed: 9, trials: 6, threads, without: None }.run(&studied, &|_| {});
    let (alone, together) = (run(1), run(3));
    assert_eq!(alone.fires.outcomes, together.fires.outcomes);
    assert_eq!(alone.calm.outcomes, together.calm.outcomes);
    let trial = studied.trial(Kind::Fire, 9, 4);
    let again: Outcome = studied.play(&trial, &mut |_, _| {});
    assert_eq!(alone.fires.outcomes[4], again);
    assert!(alone.fires.outcomes.iter().any(|outcome| outcome.kind == Some(IncidentKind::Short)));
}

#[test]
fn a_rule_that_objects_to_the_calm_room_is_named_and_nothing_is_measured() {
    let site = example(&[("watch = { limit = \"45 degC\"", "watch = { limit = \"15 degC\"")]);
    let roles = Roles::of(&site, &BTreeMap::new()).expect("roles");
    let uncalm =
        Studied::new(&site, &Arc::new(roles), Chemistry::Nmc, 1).expect_err("15 °C is always passed");
    let text = uncalm[0].to_string();
    assert!(text.contains("temp-rack-1") && text.contains("bms-1/cell-temp-max"), "{text}");
}

#[test]
fn what_a_site_says_of_a_point_goes_before_the_guess_and_a_wrong_word_is_refused() {
    let site = example(&[]);
    let say =
        |point: &str, role: &str| Roles::of(&site, &BTreeMap::from([(point.to_owned(), role.to_owned())]));
    let seen = say("smoke-1/room-temp", "cell-temp-max").expect("a role").seen(&site);
    let line = seen.iter().find(|line| line.point == "smoke-1/room-temp").expect("listed");
    assert_eq!(line.role, "hottest cell, rack 1");
    assert!(say("smoke-1/room-temp", "warmth").expect_err("no role").contains("cell-temp-max"));
    assert!(say("smoke-9/room-temp", "rests").expect_err("no point").contains("smoke-9/room-temp"));
}

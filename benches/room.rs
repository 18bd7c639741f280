//! What the simulated room costs: an hour of its physics, calm and burning, and one trial of an evaluation.
//!
//! `cargo bench --bench room`.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use divan::{Bencher, black_box};
use emberwatch::config;
use emberwatch::evaluate::{Kind, Roles, Studied};
use emberwatch::sim::physics::{Chemistry, Measured, Plant, Short};

fn main() {
    divan::main();
}

/// Two racks of twenty cells, looked at every second.
#[divan::bench]
fn a_calm_hour_of_forty_cells(bencher: Bencher<'_, '_>) {
    let mut plant = Plant::new(Chemistry::Nmc, 2, 20, 90.0, 22.0);
    bencher.bench_local(|| hour(&mut plant));
}

/// The same, while one rack burns from cell to cell.
#[divan::bench]
fn a_burning_hour_of_forty_cells(bencher: Bencher<'_, '_>) {
    let burning = || {
        let mut plant = Plant::new(Chemistry::Nmc, 2, 20, 90.0, 22.0);
        plant.racks[0].short(10, Short { first_w: 40.0, then_w: 90.0, after_s: 20.0, ramp_s: 10.0 });
        plant
    };
    bencher.with_inputs(burning).bench_local_values(|mut plant| hour(&mut plant));
}

fn hour(plant: &mut Plant) -> f64 {
    let mut hottest = f64::MIN;
    for _ in 0..3600 {
        plant.pass(1.0);
        hottest = hottest.max(black_box(plant.measure(Measured::CellTempMax(0))));
    }
    hottest
}

/// One fire, and one calm hour, judged by the annotated example.
#[divan::bench(args = ["fire", "calm"])]
fn a_trial(bencher: Bencher<'_, '_>, kind: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/emberwatch.toml");
    let site = config::load(&[path]).unwrap_or_else(|complaints| panic!("{complaints:?}")).site;
    let roles = Roles::of(&site, &BTreeMap::new()).expect("roles");
    let studied = Studied::new(&site, &Arc::new(roles), Chemistry::Nmc, 1).expect("calm");
    let kind = if kind == "fire" { Kind::Fire } else { Kind::Calm };
    let mut number = 0;
    bencher.bench_local(|| {
        number += 1;
        studied.play(&studied.trial(kind, 1, number), &mut |_, _| {})
    });
}

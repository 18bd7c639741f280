//! The room against the published figures that it stands for (see the constants' sources), within their spread.

#![expect(clippy::print_stdout, reason = "the figures, with --nocapture")]

use super::*;
use crate::sim::noise::Noise;

/// Steps of the tests, s: finer than what is measured.
const STEP_S: f64 = 0.1;

/// When a heated cell did what, s.
#[derive(Debug, Default)]
struct Course {
    vents_at: Option<f64>,
    runs_away_at: Option<f64>,
    collapses_at: Option<f64>,
    peak_c_per_s: f64,
}

/// One cell alone, heated from outside at about 6 °C/min, until it is over.
fn heated(chemistry: Chemistry, soc_pct: f64) -> Course {
    let mut rack = Rack::new(chemistry, 1, soc_pct, 25.0);
    rack.heat(0, 97.5);
    let (mut course, mut at_s) = (Course::default(), 0.0);
    while at_s < 3000.0 {
        at_s += STEP_S;
        let _freed = rack.pass(STEP_S, 25.0);
        let cell = &rack.cells()[0];
        if cell.has_vented() {
            course.vents_at.get_or_insert(at_s);
        }
        if cell.has_run_away() {
            course.runs_away_at.get_or_insert(at_s);
        }
        if cell.is_collapsing() {
            course.collapses_at.get_or_insert(at_s);
        }
        course.peak_c_per_s = course.peak_c_per_s.max(cell.rate_c_per_s());
    }
    course
}

#[test]
fn a_heated_lfp_cell_keeps_the_published_lead_times_at_every_charge() {
    // Charge, vent to runaway, peak rate, collapse of voltage before the runaway (design figures, see `chemistry.rs`).
    let published = [
        (25.0, 250.0, 1.8, 78.0),
        (50.0, 179.0, 12.0, 35.0),
        (75.0, 47.0, 17.6, 23.0),
        (100.0, 21.0, 24.9, 4.0),
    ];
    for (soc_pct, lead_s, peak_c_per_s, collapse_s) in published {
        let course = heated(Chemistry::Lfp, soc_pct);
        println!("LFP {soc_pct} %: {course:?}");
        let runs_away_at = course.runs_away_at.expect("it runs away");
        let lead = runs_away_at - course.vents_at.expect("it vents");
        let collapse = runs_away_at - course.collapses_at.expect("its voltage collapses");
        assert!((lead / lead_s - 1.0).abs() < 0.1, "{soc_pct} %: vent to runaway {lead:.0} s, not {lead_s}");
        assert!((course.peak_c_per_s / peak_c_per_s - 1.0).abs() < 0.1, "{soc_pct} %: {course:?}");
        assert!((collapse - collapse_s).abs() < 5.0, "{soc_pct} %: collapse {collapse:.0} s before");
    }
    let empty = heated(Chemistry::Lfp, 0.0);
    assert!(empty.vents_at.is_some() && empty.runs_away_at.is_none(), "at 0 %: {empty:?}");
}

/// A pouch cell indented as in the recordings: seconds from the short to what was seen.
#[derive(Debug, Default)]
struct Indented {
    sags_10_mv_s: Option<f64>,
    spread_10_s: Option<f64>,
    spot_60_s: Option<f64>,
    spot_80_s: Option<f64>,
    terminal_60_s: Option<f64>,
    runs_away_s: Option<f64>,
    three_quarters_v_s: Option<f64>,
    hottest_c: f64,
}

fn indented(soc_pct: f64, ambient_c: f64, short: Short) -> Indented {
    let mut rack = Rack::new(Chemistry::Nmc, 1, soc_pct, ambient_c);
    rack.arrange(0, 0.0, 0.0);
    let rest_v = rack.voltage();
    rack.short(0, short);
    let (mut seen, mut at_s) = (Indented::default(), 0.0);
    while at_s < 3600.0 {
        at_s += STEP_S;
        let _freed = rack.pass(STEP_S, ambient_c);
        let (volts, cell) = (rack.voltage(), &rack.cells()[0]);
        let spread = cell.spot_c() - cell.core_c();
        let first = |slot: &mut Option<f64>, so: bool| {
            if so {
                slot.get_or_insert(at_s);
            }
        };
        first(&mut seen.sags_10_mv_s, volts <= rest_v - 0.010);
        first(&mut seen.spread_10_s, 10.0 <= spread);
        first(&mut seen.spot_60_s, 60.0 <= cell.spot_c());
        first(&mut seen.spot_80_s, 80.0 <= cell.spot_c());
        first(&mut seen.terminal_60_s, 60.0 <= cell.sensor_c());
        first(&mut seen.runs_away_s, cell.has_run_away());
        first(&mut seen.three_quarters_v_s, volts < 0.75 * rest_v);
        seen.hottest_c = seen.hottest_c.max(cell.spot_c()).max(cell.core_c());
    }
    seen
}

fn within(name: &str, value: Option<f64>, low: f64, high: f64) {
    let value = value.unwrap_or(f64::INFINITY);
    assert!(low <= value && value <= high, "{name}: {value:.1} s, not from {low} to {high}");
}

#[test]
fn an_indented_pouch_at_90_per_cent_shorts_heats_and_burns_as_recorded() {
    // Recorded from the short at 265 s on: spread 2, 60 °C 29, 80 °C 40, runaway 77, terminal at 60 °C 79, voltage
    // under three quarters 85 s; the hottest sensor reached 854 °C.
    let seen = indented(90.0, 12.0, Short { first_w: 31.0, then_w: 68.0, after_s: 26.0, ramp_s: 20.0 });
    println!("{seen:?}");
    within("sag", seen.sags_10_mv_s, 0.0, 2.0);
    within("spread", seen.spread_10_s, 1.0, 8.0);
    within("60 °C", seen.spot_60_s, 20.0, 40.0);
    within("80 °C", seen.spot_80_s, 32.0, 52.0);
    within("runaway", seen.runs_away_s, 60.0, 95.0);
    within("terminal", seen.terminal_60_s, 62.0, 105.0);
    within("voltage", seen.three_quarters_v_s, 68.0, 110.0);
    assert!((600.0..950.0).contains(&seen.hottest_c), "{seen:?}");
    assert!(seen.runs_away_s < seen.terminal_60_s && seen.runs_away_s < seen.three_quarters_v_s, "{seen:?}");
}

#[test]
fn an_indented_pouch_at_75_per_cent_heats_for_an_hour_and_does_not_burn() {
    // Recorded from the short at 244 s on: spread 2, 60 °C 12, 80 °C 65 s, peak 95 °C, the terminal never at 60 °C.
    let seen = indented(75.0, 18.0, Short { first_w: 31.0, then_w: 53.0, after_s: 50.0, ramp_s: 15.0 });
    println!("{seen:?}");
    within("spread", seen.spread_10_s, 1.0, 8.0);
    within("60 °C", seen.spot_60_s, 8.0, 35.0);
    within("80 °C", seen.spot_80_s, 50.0, 85.0);
    assert!((85.0..105.0).contains(&seen.hottest_c), "{seen:?}");
    assert_eq!((seen.runs_away_s, seen.three_quarters_v_s), (None, None), "{seen:?}");
}

#[test]
fn a_hard_short_gives_no_lead_time() {
    // The 33 Ah cell at 100 % charge ran away within 3 s of its short.
    let seen = indented(100.0, 20.0, Short { first_w: 400.0, then_w: 400.0, after_s: 0.0, ramp_s: 1.0 });
    within("runaway", seen.runs_away_s, 0.5, 3.0);
}

#[test]
fn a_burning_cell_lights_its_neighbours_within_minutes() {
    for chemistry in [Chemistry::Nmc, Chemistry::Lfp] {
        let mut rack = Rack::new(chemistry, 5, 100.0, 25.0);
        rack.heat(0, 300.0);
        let mut lit: Vec<Option<f64>> = vec![None; 5];
        let mut at_s = 0.0;
        while at_s < 7200.0 {
            at_s += STEP_S;
            let _freed = rack.pass(STEP_S, 25.0);
            for (lit, cell) in lit.iter_mut().zip(rack.cells()) {
                if cell.has_run_away() {
                    lit.get_or_insert(at_s);
                }
            }
            if lit[0].is_some() {
                rack.heat(0, 0.0);
            }
        }
        println!("{chemistry:?}: {lit:?}");
        // LFP may stop: it burns cooler. What spreads, spreads in 2 to 15 minutes from cell to cell.
        for pair in lit.windows(2) {
            if let [Some(before), Some(after)] = *pair {
                assert!((120.0..900.0).contains(&(after - before)), "{chemistry:?}: {lit:?}");
            }
        }
        assert!(chemistry == Chemistry::Lfp || lit.iter().all(Option::is_some), "{lit:?}");
    }
}

#[test]
fn a_calm_week_stays_calm_and_follows_the_day() {
    let mut plant = Plant::new(Chemistry::Nmc, 2, 20, 90.0, 22.0);
    let (mut low, mut high) = (f64::MAX, f64::MIN);
    for _ in 0..7 * 24 * 60 {
        plant.pass(60.0);
        let room_c = plant.measure(Measured::RoomTemp);
        (low, high) = (low.min(room_c), high.max(room_c));
        assert!(plant.measure(Measured::CellTempSpread(0)) < 0.5);
        assert!(
            plant.measure(Measured::CeilingGas) < 0.1 && plant.measure(Measured::CeilingSmokeStages) == 0.0
        );
    }
    assert!((1.5..4.0).contains(&(high - low)), "from {low:.1} to {high:.1} °C over a day");
    assert!((plant.measure(Measured::CellTempMax(1)) - plant.measure(Measured::RoomTemp)).abs() < 1.5);
}

#[test]
fn a_fire_is_smelt_and_seen_and_the_fan_clears_it() {
    let mut plant = Plant::new(Chemistry::Nmc, 2, 16, 90.0, 22.0);
    plant.racks[0].short(3, Short { first_w: 40.0, then_w: 90.0, after_s: 20.0, ramp_s: 10.0 });
    for _ in 0..1800 {
        plant.pass(0.1);
    }
    assert!(plant.racks[0].has_run_away());
    assert!(25.0 <= plant.measure(Measured::CeilingGas), "{:.1} %LFL", plant.measure(Measured::CeilingGas));
    assert!(15.0 <= plant.measure(Measured::CeilingSmokeStages), "fire 1 at least");
    assert!(plant.measure(Measured::CabinetGas(1)) < 20.0, "the other cabinet is hardly touched");
    let mut fanned = plant.clone();
    fanned.air.ventilation.exhaust = true;
    fanned.pass(120.0);
    plant.pass(120.0);
    assert!(fanned.measure(Measured::CeilingGas) < plant.measure(Measured::CeilingGas));
}

#[test]
fn a_long_calm_step_and_many_short_ones_come_to_the_same() {
    let run = |step_s: f64| {
        let mut plant = Plant::new(Chemistry::Lfp, 1, 8, 60.0, 22.0);
        plant.air.ventilation.uncooled = true;
        let mut left_s: f64 = 7200.0;
        while 0.0 < left_s {
            plant.pass(step_s);
            left_s -= step_s;
        }
        plant.measure(Measured::CellTempMax(0))
    };
    assert!((run(1.0) - run(60.0)).abs() < 0.2, "{} and {}", run(1.0), run(60.0));
}

#[test]
fn an_incident_begins_when_it_begins_however_long_it_was_calm_before() {
    let runaway_s = |calm_s: f64| -> f64 {
        let mut plant = Plant::new(Chemistry::Nmc, 1, 4, 90.0, 22.0);
        plant.pass(calm_s);
        plant.racks[0].short(1, Short { first_w: 40.0, then_w: 90.0, after_s: 20.0, ramp_s: 10.0 });
        let mut at_s = 0.0;
        while !plant.racks[0].has_run_away() && at_s < 600.0 {
            plant.pass(0.5);
            at_s += 0.5;
        }
        at_s
    };
    assert!((runaway_s(10.0) - runaway_s(19.5)).abs() <= 1.0);
}

#[test]
fn incidents_differ_and_the_same_seed_draws_the_same() {
    let draw = |seed| Incident::draw(IncidentKind::Short, 0, 16, &mut Noise::new(seed));
    assert_eq!(draw(7), draw(7));
    assert_ne!(draw(7), draw(8));
}

#[test]
fn of_random_shorts_some_burn_with_minutes_of_lead_and_some_never() {
    let mut leads = Vec::new();
    let mut noise = Noise::new(1);
    for _ in 0..60 {
        let mut plant = Plant::new(Chemistry::Nmc, 1, 4, 90.0, 22.0);
        Incident::draw(IncidentKind::Short, 0, 4, &mut noise).begins(&mut plant);
        let mut at_s = 0.0;
        while !plant.racks[0].has_run_away() && at_s < 1800.0 {
            plant.pass(1.0);
            at_s += 1.0;
        }
        leads.push(at_s);
    }
    let never = leads.iter().filter(|lead| 1800.0 <= **lead).count();
    let quick = leads.iter().filter(|lead| **lead < 600.0).count();
    assert!(
        (10..50).contains(&never) && (10..50).contains(&quick),
        "{never} never, {quick} quick: {leads:?}"
    );
}

#[test]
fn an_instrument_shows_its_fault_and_nothing_else() {
    let mut noise = Noise::new(3);
    let mut read = |fault: Option<Fault>, truths: &[f64]| {
        let mut instrument = Instrument::new(0.0);
        if let Some(fault) = fault {
            instrument.fails(fault, 0.0);
        }
        let read = |(second, truth): (usize, &f64)| {
            #[expect(clippy::cast_precision_loss, reason = "few")]
            instrument.read(*truth, second as f64 * 3600.0, &mut noise)
        };
        truths.iter().enumerate().map(read).collect::<Vec<_>>()
    };
    let value = |values: &[f64]| values.iter().copied().map(Reported::Value).collect::<Vec<_>>();
    assert_eq!(read(None, &[20.0, 30.0]), value(&[20.0, 30.0]));
    assert_eq!(read(Some(Fault::FlatLine), &[20.0, 30.0]), value(&[20.0, 20.0]));
    assert_eq!(read(Some(Fault::Silent), &[20.0]), vec![Reported::Nothing]);
    assert_eq!(read(Some(Fault::Disowns), &[20.0]), vec![Reported::Disowned]);
    assert_eq!(read(Some(Fault::Offset(-5.0)), &[20.0]), value(&[15.0]));
    assert_eq!(read(Some(Fault::Drift(2.0)), &[20.0, 20.0]), value(&[20.0, 22.0]));
    assert_eq!(read(Some(Fault::Scale(10.0)), &[20.0]), value(&[200.0]));
    assert_eq!(read(Some(Fault::StuckAt(0.0)), &[20.0, 90.0]), value(&[0.0, 0.0]));
    assert_eq!(read(Some(Fault::Spikes { to: 999.0, one_in: 1 }), &[20.0]), value(&[999.0]));
}

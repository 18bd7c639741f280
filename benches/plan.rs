//! How long planning takes: 10,000 sparse points, more than any device has. `cargo bench --bench plan`.

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use emberwatch::field::plan::{self, Cost, Pace};
use emberwatch::field::profile::{Limits, PointSpec, Profile, Table};
use emberwatch::units::Millis;

const POINTS: u16 = 10_000;

fn main() {
    divan::main();
}

/// Every sixth register: the line's cost leaves runs up to the device's limit open.
#[divan::bench]
fn sparse_registers_over_tcp(bencher: Bencher<'_, '_>) {
    planned(bencher, Table::Holding, Cost::TCP);
}

/// The same on a line of 9600 baud, where holes are dear.
#[divan::bench]
fn sparse_registers_at_9600_baud(bencher: Bencher<'_, '_>) {
    planned(bencher, Table::Holding, Cost { base_us: 40_834, byte_ns: 1_041_667 });
}

/// Bits: up to 2000 in a read, the widest window there is.
#[divan::bench]
fn sparse_bits_over_tcp(bencher: Bencher<'_, '_>) {
    planned(bencher, Table::Discrete, Cost::TCP);
}

/// The phases of a thousand polls.
#[divan::bench]
fn a_thousand_phases(bencher: Bencher<'_, '_>) {
    let periods = [250, 1_000, 5_000, 60_000];
    let pace =
        |at: usize| Pace { period: Millis(periods[at % 4]), cost_us: 900, critical: at.is_multiple_of(10) };
    let paces: Vec<Pace> = (0..1_000).map(pace).collect();
    bencher.bench(|| plan::stagger(black_box(&paces)));
}

fn planned(bencher: Bencher<'_, '_>, table: Table, cost: Cost) {
    let points = points(table);
    let wanted: Vec<usize> = (0..points.len()).collect();
    let limits = Limits::default();
    bencher
        .counter(ItemsCount::new(points.len()))
        .bench(|| plan::blocks(black_box(&points), &wanted, &limits, cost, &[]));
}

fn points(table: Table) -> Vec<PointSpec> {
    let text = "id = \"x\"\nvendor = \"v\"\nmodels = []\nkind = \"gas\"\nsource = \"s\"\n[[point]]\nname = \"p\"\n\
                table = \"holding\"\naddress = 0\ntype = \"u16\"\nclass = \"fast\"\n";
    let profile = Profile::parse(text, "x").unwrap_or_else(|faults| panic!("{faults:?}"));
    (0..POINTS).map(|at| PointSpec { table, address: 6 * at + at % 5, ..profile.points[0].clone() }).collect()
}

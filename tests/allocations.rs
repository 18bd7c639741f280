//! Carrying a sample takes no memory from the heap: proven by counting, on the shipped example with its sequences armed.
//!
//! The readings of the room move as real ones do, within what is normal. Windows are full after the warm-up; from then on
//! whole minutes of scans must not allocate once.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::Path;
use std::sync::Arc;

use emberwatch::safety::fact::{Fact, Input, Output};
use emberwatch::safety::memory::Memory;
use emberwatch::safety::sequence::spec::Mode;
use emberwatch::safety::site::{Labels, PointId, Site};
use emberwatch::safety::{GAP_MAX, Safety};
use emberwatch::units::{Millis, Now, Unit, Uptime, Value, WallTime};

fn armed_example() -> Arc<Site> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/emberwatch.toml");
    let loaded = emberwatch::config::load(&[path]).unwrap_or_else(|complaints| panic!("{complaints}"));
    let mut site = Site::clone(&loaded.site);
    for sequence in &mut site.sequences {
        sequence.mode = Mode::Armed;
    }
    Arc::new(site)
}

/// The example's room, read once a second. The lists are made once and used again.
struct Room {
    site: Arc<Site>,
    core: Safety,
    now: u64,
    inputs: Vec<Input>,
    out: Vec<Output>,
    /// What was said besides readings.
    news: usize,
}

impl Room {
    fn new() -> Self {
        let site = armed_example();
        let core = Safety::new(Arc::clone(&site), &Memory::default(), moment(0));
        let (inputs, out) = (Vec::with_capacity(site.points.len()), Vec::new());
        Self { site, core, now: 0, inputs, out, news: 0 }
    }

    /// So many seconds: all points are read once in each, and the loop ticks. Temperatures are this much higher.
    #[expect(clippy::cast_precision_loss, reason = "seconds of a test")]
    fn seconds(&mut self, count: u64, hotter: f64) {
        for _ in 0..count {
            self.inputs.clear();
            let (asked, taken) = (Uptime(self.now), Uptime(self.now + 20));
            for (index, spec) in self.site.points.iter().enumerate() {
                let ripple = (self.now / 1000 * 7 % 5) as f64 - 2.0;
                let number = match (spec.unit, &spec.labels) {
                    _ if spec.name.contains("heartbeat") => self.now as f64 / 1000.0,
                    (Unit::Celsius, _) if spec.name.contains("spread") => 1.0 + ripple / 10.0 + hotter,
                    (Unit::Celsius, _) => 25.0 + ripple / 10.0 + hotter,
                    (Unit::Volt, _) => 3.3 + ripple / 10_000.0,
                    // Contacts are closed, and no alarm bit is set.
                    (Unit::None, Labels::Enum(_)) => 1.0,
                    _ => 0.0,
                };
                let result = Ok(Value::new(number).unwrap());
                self.inputs.push(Input::Sampled { point: PointId::at(index), asked, taken, result });
            }
            for tick in 0..1000 / GAP_MAX.0 {
                self.now += GAP_MAX.0;
                self.out.clear();
                let inputs = if tick == 0 { self.inputs.as_slice() } else { &[] };
                self.core.scan(moment(self.now), inputs, &mut self.out);
                let is_news = |output: &&Output| !matches!(output, Output::Fact(Fact::Reading { .. }));
                self.news += self.out.iter().filter(is_news).count();
            }
        }
    }
}

fn moment(ms: u64) -> Now {
    Now { uptime: Uptime(ms), wall: WallTime(0) }
}

/// Longer than the longest window and the longest delay of the example.
const WARM_UP: Millis = Millis::from_secs(2 * 3600);

#[test]
fn a_sample_that_changes_nothing_allocates_nothing() {
    let mut room = Room::new();
    room.seconds(WARM_UP.0 / 1000, 0.0);
    room.news = 0;
    let counted = allocation_counter::measure(|| room.seconds(600, 0.0));
    assert_eq!(room.news, 0, "the room is calm");
    assert_eq!(counted.count_total, 0, "{counted:?}");
}

#[test]
fn what_is_counted_is_seen_when_the_room_burns() {
    let mut room = Room::new();
    room.seconds(60, 0.0);
    let counted = allocation_counter::measure(|| room.seconds(60, 70.0));
    assert!(0 < room.news && 0 < counted.count_total, "{counted:?}");
}

//! Polling against scripted devices.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::field::options::{DeviceOptions, Endpoint};
use crate::field::profile::Profile;
use crate::field::scripted::{Act, Scripted};
use crate::safety::reading::ReadFault;
use crate::safety::site::PointId;
use crate::units::Millis;

/// Nothing here takes this long unless it hangs.
const PATIENCE: Duration = Duration::from_secs(20);

pub(super) const HEADER: &str = "id = \"x\"\nvendor = \"v\"\nmodels = []\nkind = \"gas\"\nsource = \"s\"\n";

/// Ten registers from 100 on.
const TEN: &str = "[[point]]\nname = \"r-{n}\"\ncount = 10\ntable = \"holding\"\naddress = 100\ntype = \"u16\"\nclass = \"fast\"\n";

/// A device whose points have the ids `1000 × unit + position`.
pub(crate) fn device(unit: u8, profile: &str, period: u64) -> DeviceOptions {
    let profile = Profile::parse(&format!("{HEADER}{profile}"), "x").unwrap();
    let points = (0..profile.points.len()).map(|at| PointId::at(usize::from(unit) * 1000 + at)).collect();
    DeviceOptions {
        device: DeviceId(unit.into()),
        name: format!("device-{unit}"),
        unit,
        points,
        periods: BTreeMap::from([("fast".to_owned(), Millis(period))]),
        actions: Vec::new(),
        profile: Arc::new(profile),
    }
}

pub(crate) fn link(address: &str, devices: Vec<DeviceOptions>) -> LinkOptions {
    LinkOptions {
        name: "link".to_owned(),
        endpoint: Endpoint::tcp(address.to_owned()),
        pipeline: 1,
        ignore_transaction_ids: false,
        timeout: Millis(100),
        connect_timeout: Millis(500),
        devices,
    }
}

pub(super) struct Room {
    pub(super) field: Field,
    pub(super) heard: mpsc::Receiver<Vec<Input>>,
    pub(super) stop: CancellationToken,
}

pub(super) fn room(links: Vec<LinkOptions>, queued_max: usize) -> Room {
    let (inbox, heard) = mpsc::channel(queued_max);
    let stop = CancellationToken::new();
    Room { field: Field::spawn(links, inbox, stop.clone()), heard, stop }
}

/// A point's unit, position and result.
type Sample = (u32, u32, Result<f64, ReadFault>);

impl Room {
    pub(super) async fn batch(&mut self) -> Vec<Input> {
        tokio::time::timeout(PATIENCE, self.heard.recv()).await.unwrap().unwrap()
    }

    async fn samples(&mut self) -> Vec<Sample> {
        let sample = |input| match input {
            Input::Sampled { point: PointId(id), asked, taken, result } => {
                assert!(asked <= taken);
                (id / 1000, id % 1000, result.map(crate::units::Value::get))
            }
            other => panic!("{other:?}"),
        };
        self.batch().await.into_iter().map(sample).collect()
    }

    /// The first batch of this unit of which this is true.
    async fn until(&mut self, unit: u32, is: impl Fn(&[Sample]) -> bool) -> Vec<Sample> {
        let search = async {
            loop {
                let samples = self.samples().await;
                if samples[0].0 == unit && is(&samples) {
                    return samples;
                }
            }
        };
        tokio::time::timeout(PATIENCE, search).await.expect("it must come to that")
    }
}

fn good(samples: &[Sample]) -> bool {
    samples.iter().all(|sample| sample.2.is_ok())
}

#[tokio::test]
async fn one_poll_is_one_batch_of_all_points() {
    let server = Scripted::start(|asked| Act::Send(asked.good())).await;
    let mut room = room(vec![link(&server.address, vec![device(1, TEN, 20)])], 8);
    let samples = room.samples().await;
    let expected: Vec<Sample> = (0..10).map(|at| (1, at, Ok(f64::from(at + 100)))).collect();
    assert_eq!(samples, expected);
    room.samples().await;
    let stats = &room.field.stats()[0];
    assert!(stats.connected && 1 <= stats.polls && stats.last_ok.is_some() && stats.rtt_p99.is_some());
    assert!(1 <= room.field.polled());
}

#[tokio::test]
async fn whatever_a_device_answers_the_next_poll_is_good_again() {
    type Fault = (fn(&crate::field::scripted::Asked) -> Act, ReadFault);
    let faults: [Fault; 5] = [
        (|_| Act::Silence, ReadFault::Timeout),
        (|asked| Act::Send(asked.words(&[1])), ReadFault::Mismatch),
        (|asked| Act::Close(asked.good()[..9].to_vec()), ReadFault::Malformed),
        (|asked| Act::Send(asked.exception(4)), ReadFault::Exception(4)),
        (|asked| Act::After(Duration::from_millis(150), asked.good()), ReadFault::Timeout),
    ];
    for (act, fault) in faults {
        let mut requests = 0;
        let server = Scripted::start(move |asked| {
            requests += 1;
            if requests == 2 { act(asked) } else { Act::Send(asked.good()) }
        })
        .await;
        let mut room = room(vec![link(&server.address, vec![device(1, TEN, 30)])], 8);
        assert!(good(&room.samples().await));
        let bad = room.samples().await;
        assert!(bad.iter().all(|sample| sample.2 == Err(fault)), "{fault:?}: {bad:?}");
        let next = room.samples().await;
        assert!(good(&next) && next[3].2 == Ok(103.0), "after {fault:?}");
    }
}

#[tokio::test]
async fn a_dead_unit_costs_the_others_little_and_is_still_heard_of() {
    let server =
        Scripted::start(|asked| if asked.unit() == 1 { Act::Silence } else { Act::Send(asked.good()) }).await;
    let devices = vec![device(1, TEN, 20), device(2, TEN, 20)];
    let mut room = room(vec![link(&server.address, devices)], 8);
    let begun = clock::uptime();
    let (mut alive, mut dead) = (0, 0);
    while alive < 75 {
        let samples = room.samples().await;
        if samples[0].0 == 2 {
            assert!(good(&samples));
            alive += 1;
        } else {
            assert!(samples.iter().all(|sample| sample.2 == Err(ReadFault::Timeout)));
            dead += 1;
        }
    }
    // 75 polls at 20 ms are 1.5 s; two time-outs before it counts as dead, and 5 % of the line after.
    let took = clock::uptime().since(begun);
    assert!(took < Millis(3500), "{took}");
    assert!(20 <= dead, "{dead}");
    let probes = server.asked().iter().filter(|asked| asked.unit() == 1).count();
    assert!(probes <= 5, "{probes}");
    assert_eq!(room.field.stats()[0].units_dead, 1);
}

#[tokio::test]
async fn a_unit_that_was_dead_comes_back() {
    let mut silent = 3;
    let server = Scripted::start(move |asked| {
        if asked.unit() == 1 && 0 < silent {
            silent -= 1;
            return Act::Silence;
        }
        Act::Send(asked.good())
    })
    .await;
    let mut room = room(vec![link(&server.address, vec![device(1, TEN, 20), device(2, TEN, 20)])], 8);
    room.until(1, |samples| samples[0].2.is_err()).await;
    room.until(1, good).await;
    assert_eq!(room.field.stats()[0].units_dead, 0);
}

#[tokio::test]
async fn after_an_outage_of_the_whole_line_no_unit_waits_out_a_rest() {
    let mut requests = 0;
    let server = Scripted::start(move |asked| {
        requests += 1;
        if requests <= 3 { Act::Silence } else { Act::Send(asked.good()) }
    })
    .await;
    let mut room = room(vec![link(&server.address, vec![device(1, TEN, 20), device(2, TEN, 20)])], 8);
    let begun = clock::uptime();
    room.until(1, good).await;
    room.until(2, good).await;
    // Three time-outs of 100 ms; a rest would be 1.9 s.
    let took = clock::uptime().since(begun);
    assert!(took < Millis(1500), "{took}");
}

#[tokio::test]
async fn a_link_without_a_server_says_so_each_period_and_leaves_other_links_alone() {
    let server = Scripted::start(|asked| Act::Send(asked.good())).await;
    let dead = link(&Scripted::nowhere().await, vec![device(1, TEN, 20)]);
    let mut room = room(vec![dead, link(&server.address, vec![device(2, TEN, 20)])], 8);
    let (mut down, mut up) = (0, 0);
    while down < 20 || up < 20 {
        let samples = room.samples().await;
        if samples[0].0 == 1 {
            assert!(samples.iter().all(|sample| sample.2 == Err(ReadFault::Disconnected)));
            down += 1;
        } else {
            assert!(good(&samples));
            up += 1;
        }
    }
    assert!(!room.field.stats()[0].connected);
}

#[tokio::test]
async fn one_illegal_address_costs_one_point_and_is_not_asked_for_again_soon() {
    let server = Scripted::start(|asked| {
        let span = asked.address()..asked.address() + asked.count();
        Act::Send(if span.contains(&105) { asked.exception(2) } else { asked.good() })
    })
    .await;
    let mut room = room(vec![link(&server.address, vec![device(1, TEN, 20)])], 8);
    for _ in 0..3 {
        for (_, at, result) in room.samples().await {
            let expected = if at == 5 { Err(ReadFault::Exception(2)) } else { Ok(f64::from(at + 100)) };
            assert_eq!(result, expected, "point {at}");
        }
    }
    let alone = server.asked().iter().filter(|asked| (asked.address(), asked.count()) == (105, 1)).count();
    assert_eq!(alone, 1);
}

#[tokio::test]
async fn other_exceptions_teach_nothing() {
    let mut requests = 0;
    let server = Scripted::start(move |asked| {
        requests += 1;
        Act::Send(if requests == 1 { asked.exception(6) } else { asked.good() })
    })
    .await;
    let mut room = room(vec![link(&server.address, vec![device(1, TEN, 20)])], 8);
    assert_eq!(room.samples().await[0].2, Err(ReadFault::Exception(6)));
    assert!(good(&room.samples().await));
    assert!(server.asked().iter().all(|asked| asked.count() == 10));
}

#[tokio::test]
async fn sentinels_nan_and_states_out_of_service_reach_the_core_as_reasons() {
    let profile = "
        [[point]]\nname = \"state\"\ntable = \"input\"\naddress = 0\ntype = \"u16\"\nclass = \"fast\"
        not_in_service = [2]\napplies_to = [\"gas\"]
        [[point]]\nname = \"gas\"\ntable = \"input\"\naddress = 1\ntype = \"u16\"\nclass = \"fast\"
        [[point]]\nname = \"mark\"\ntable = \"input\"\naddress = 2\ntype = \"u16\"\nsentinels = [9]\nclass = \"fast\"
        [[point]]\nname = \"nan\"\ntable = \"input\"\naddress = 3\ntype = \"f32\"\nclass = \"fast\"";
    let server = Scripted::start(|asked| Act::Send(asked.words(&[2, 0, 9, 0x7FC0, 0]))).await;
    let mut room = room(vec![link(&server.address, vec![device(1, profile, 20)])], 8);
    let results: Vec<_> = room.samples().await.into_iter().map(|sample| sample.2).collect();
    let expected =
        [Ok(2.0), Err(ReadFault::NotInService), Err(ReadFault::Sentinel), Err(ReadFault::NotANumber)];
    assert_eq!(results, expected);
}

#[tokio::test]
async fn a_refresh_polls_at_once() {
    let server = Scripted::start(|asked| Act::Send(asked.good())).await;
    let mut room = room(vec![link(&server.address, vec![device(1, TEN, 600_000)])], 8);
    for _ in 0..3 {
        assert!(good(&room.samples().await));
        room.field.refresh(&[DeviceId(1), DeviceId(99)]);
    }
}

#[tokio::test]
async fn polls_that_begin_late_are_counted() {
    let server = Scripted::start(|asked| Act::After(Duration::from_millis(50), asked.good())).await;
    let mut room = room(vec![link(&server.address, vec![device(1, TEN, 10)])], 8);
    for _ in 0..4 {
        room.samples().await;
    }
    assert!(4 <= room.field.stats()[0].late_cycles);
}

#[tokio::test]
async fn a_probe_shows_raw_words_values_and_reasons() {
    let profile = format!(
        "{HEADER}{TEN}[[point]]\nname = \"state\"\ntable = \"coil\"\naddress = 7\ntype = \"bool\"\nclass = \"fast\"\nrange = [2, 3]\nenum = {{ 1 = \"on\" }}"
    );
    let profile = Profile::parse(&profile, "x").unwrap();
    let server = Scripted::start(|asked| {
        let span = asked.address()..asked.address() + asked.count();
        Act::Send(if span.contains(&102) { asked.exception(2) } else { asked.good() })
    })
    .await;
    let rows =
        crate::field::probe::read(&Endpoint::tcp(server.address.clone()), 1, &profile, Millis(500)).await;
    assert_eq!(rows.len(), 11);
    assert_eq!(rows[1].words, [101]);
    assert_eq!(rows[2].result, Err(ReadFault::Exception(2)));
    assert_eq!((rows[10].in_range, rows[10].label.as_deref()), (Some(false), Some("on")));
    let nobody =
        crate::field::probe::read(&Endpoint::tcp(Scripted::nowhere().await), 1, &profile, Millis(500)).await;
    assert!(nobody.iter().all(|row| row.result == Err(ReadFault::Disconnected)));
}

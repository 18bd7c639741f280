//! Maps that move, and what is learnt of them, against a scripted device.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;

use super::poll_tests::{Room, device, link, room};
use super::*;
use crate::field::options::DeviceOptions;
use crate::field::profile::builtin;
use crate::field::scripted::{Act, Scripted};
use crate::safety::fact::OrderId;
use crate::safety::sequence::RunId;
use crate::safety::site::{PointId, SequenceId};
use crate::units::Millis;

/// A SunSpec map: model 1, then 802, at this base.
fn chain(base: u16) -> BTreeMap<u16, u16> {
    let mut words = BTreeMap::new();
    let mut put = |at: u16, word: u16| _ = words.insert(at, word);
    put(base, 0x5375);
    put(base + 1, 0x6E53);
    let model_1 = base + 2;
    (0..68).for_each(|at| put(model_1 + at, 0));
    put(model_1, 1);
    put(model_1 + 1, 66);
    let model_802 = model_1 + 68;
    (0..64).for_each(|at| put(model_802 + at, 0));
    put(model_802, 802);
    put(model_802 + 1, 62);
    put(model_802 + 11, 873);
    put(model_802 + 56, (-1_i16).cast_unsigned());
    put(model_802 + 34, 7684);
    put(model_802 + 59, (-1_i16).cast_unsigned());
    put(model_802 + 64, 0xFFFF);
    put(model_802 + 65, 0);
    words
}

fn sunspec(unit: u8, period: u64) -> DeviceOptions {
    let profile = Arc::clone(&builtin()["sunspec-battery-base"].profile);
    let periods = profile.classes().iter().map(|class| ((*class).to_owned(), Millis(period))).collect();
    let points = (0..profile.points.len()).map(|at| PointId::at(usize::from(unit) * 1000 + at)).collect();
    DeviceOptions { profile, points, periods, ..device(unit, "", period) }
}

/// The newest value of this point, once it is good.
async fn value_of(room: &mut Room, options: &DeviceOptions, name: &str) -> f64 {
    let wanted = options.points[options.profile.point(name).unwrap()];
    let begun = clock::uptime();
    loop {
        for input in room.batch().await {
            if let Input::Sampled { point, result: Ok(value), .. } = input
                && point == wanted
            {
                return value.get();
            }
        }
        assert!(clock::uptime().since(begun) < Millis(10_000), "{name} never came");
    }
}

#[tokio::test]
async fn a_sunspec_map_is_found_wherever_it_begins_and_scaled_by_its_factors() {
    for base in [40_000, 0, 50_000] {
        let words = chain(base);
        let server = Scripted::start(move |asked| {
            let span = asked.address()..=asked.address().saturating_add(asked.count() - 1);
            let held: Vec<u16> = span.filter_map(|at| words.get(&at).copied()).collect();
            let whole = held.len() == usize::from(asked.count());
            Act::Send(match asked.function() {
                3 if whole => asked.words(&held),
                3 => asked.exception(2),
                _ => asked.good(),
            })
        })
        .await;
        let mut options = sunspec(1, 50);
        let opens = options.profile.actions[0].name.clone();
        options.actions.push((ActionId(1), opens));
        let mut room = room(vec![link(&server.address, vec![options.clone()])], 64);
        assert!((value_of(&mut room, &options, "soc").await - 87.3).abs() < 1e-9, "base {base}");
        room.field.order(Order {
            id: OrderId(1),
            run: RunId(1),
            sequence: SequenceId(0),
            stage: 0,
            action: ActionId(1),
            attempt: 1,
            answer_by: clock::uptime().plus(Millis(2000)),
        });
        let answered = |input: &Input| matches!(input, Input::Answered { .. });
        while !room.batch().await.iter().any(answered) {}
        let written: Vec<u16> = server
            .asked()
            .iter()
            .filter(|asked| asked.writes())
            .map(crate::field::scripted::Asked::address)
            .collect();
        assert_eq!(written, [base + 2 + 68 + 50], "SetOp of model 802");
    }
}

#[tokio::test]
async fn what_a_device_refused_is_not_asked_for_again_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("learnt.json");
    let points = "[[point]]\nname = \"a\"\ntable = \"holding\"\naddress = 10\ntype = \"u16\"\nclass = \"fast\"\n\
                  [[point]]\nname = \"b\"\ntable = \"holding\"\naddress = 13\ntype = \"u16\"\nclass = \"fast\"\n";
    let server = Scripted::start(|asked| {
        let span = asked.address()..asked.address() + asked.count();
        Act::Send(if span.contains(&11) { asked.exception(2) } else { asked.good() })
    })
    .await;
    let options = link(&server.address, vec![device(1, points, 30)]);
    for life in 0..2 {
        let (inbox, heard) = mpsc::channel(64);
        let stop = CancellationToken::new();
        let before = server.asked().len();
        let learnt = Learnt::at(file.clone());
        let field = Field::spawn_with(vec![options.clone()], inbox, &learnt, stop.clone());
        let mut room = Room { field, heard, stop };
        for _ in 0..4 {
            room.batch().await;
        }
        let refused = server.asked()[before..].iter().filter(|asked| asked.count() == 4).count();
        assert_eq!(refused, usize::from(life == 0), "life {life}");
        room.stop.cancel();
        let begun = clock::uptime();
        while !file.exists() {
            assert!(clock::uptime().since(begun) < Millis(5000), "it was never kept");
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn several_requests_at_once_are_told_apart_by_their_ids() {
    // Answers come in pairs, the second request first.
    let mut first: Option<Vec<u8>> = None;
    let server = Scripted::start(move |asked| match first.take() {
        None => {
            first = Some(asked.good());
            Act::Send(Vec::new())
        }
        Some(earlier) => Act::Send([asked.good(), earlier].concat()),
    })
    .await;
    let far = |name: &str, address: u16| {
        format!(
            "[[point]]\nname = \"{name}\"\ntable = \"holding\"\naddress = {address}\ntype = \"u16\"\nclass = \"fast\"\n"
        )
    };
    let points = ["a", "b", "c", "d"].iter().zip([100, 2000, 4000, 6000]).map(|(name, at)| far(name, at));
    let options = LinkOptions {
        pipeline: 2,
        ..link(&server.address, vec![device(1, &points.collect::<String>(), 50)])
    };
    let mut room = room(vec![options], 64);
    let mut good = 0;
    while good < 5 {
        let batch = room.batch().await;
        let value = |input: &Input| match input {
            Input::Sampled { result, .. } => result.ok().map(crate::units::Value::get),
            other => panic!("{other:?}"),
        };
        let values: Vec<Option<f64>> = batch.iter().map(value).collect();
        for (value, address) in values.iter().zip([100.0, 2000.0, 4000.0, 6000.0]) {
            assert!(value.is_none_or(|value| (value - address).abs() < 0.5), "{values:?}");
        }
        good += usize::from(values.iter().all(Option::is_some));
    }
}

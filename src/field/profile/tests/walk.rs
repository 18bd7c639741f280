//! Layouts: what is asked, what the answers mean, and where points are afterwards.

use proptest::prelude::*;

use super::super::walk::MODELS_MAX;
use super::*;
use crate::safety::reading::ReadFault;

const SUNS: [u16; 2] = [0x5375, 0x6E53];

/// A bank (model 802: 10 registers) and strings of it (803: a count, then two registers for each of at most 3).
const SUNSPEC: &str = r#"
[sunspec]
bases = [40000, 0]
[[point]]
name = "soc"
table = "holding"
address = 11
type = "u16"
model = 802
class = "fast"
[[group]]
count = 3
stride = 2
model = 803
count_from = { table = "holding", address = 2 }
[[group.point]]
name = "string-{n}-a"
table = "holding"
address = 3
type = "i16"
class = "fast"
[[group.action]]
name = "open-{n}"
table = "holding_multiple"
address = 4
values = [2]
output = "level"
state = "string-{n}-a"
"#;

fn sunspec() -> Profile {
    Profile::parse(&format!("{HEADER}{SUNSPEC}"), "x").unwrap()
}

/// A device that holds these words, and refuses all others.
fn layout(profile: &Profile, holding: &[(u16, &[u16])]) -> Result<Layout, WalkFault> {
    let mut walk = profile.walk().unwrap();
    loop {
        match walk.next() {
            WalkStep::Done(layout) => return Ok(layout),
            WalkStep::Failed(fault) => return Err(fault),
            WalkStep::Ask { address, count, .. } => {
                let words = holding.iter().find_map(|(first, words)| {
                    let start = usize::from(address.checked_sub(*first)?);
                    words.get(start..start + usize::from(count))
                });
                walk.heard(words.ok_or(ReadFault::Exception(2)));
            }
        }
    }
}

/// The map of a bank with so many strings and such a length of its second model.
fn chain(strings: u16, length: u16) -> Vec<u16> {
    let mut words = vec![SUNS[0], SUNS[1], 802, 10];
    words.resize(14, 0);
    words.extend([803, length, strings]);
    words.resize(16 + usize::from(length), 0);
    words.extend([0xFFFF, 0]);
    words
}

#[test]
fn a_profile_with_addresses_of_its_own_asks_for_nothing() {
    let profile = Profile::parse(&point("type = \"u16\""), "x").unwrap();
    assert!(profile.walk().is_none());
    assert_eq!(profile.placed(&Layout::default()).points, profile.points);
}

#[test]
fn the_chain_is_followed_from_the_base_that_bears_the_mark() {
    let profile = sunspec();
    let found = layout(&profile, &[(0, &chain(2, 7))]).unwrap();
    let models = [ModelAt { id: 802, address: 2, length: 10 }, ModelAt { id: 803, address: 14, length: 7 }];
    assert_eq!(found, Layout { models: models.to_vec(), counts: vec![Some(2)] });
    let placed = profile.placed(&found);
    let address = |name: &str| placed.points[placed.point(name).unwrap()].address;
    assert_eq!([address("soc"), address("string-1-a"), address("string-2-a")], [13, 17, 19]);
    assert_eq!(placed.absent, BTreeSet::from([placed.point("string-3-a").unwrap()]));
    assert!(placed.points.iter().all(|point| point.model.is_none()));
}

#[test]
fn what_lies_beyond_the_end_of_its_model_is_absent_whatever_the_count_says() {
    let placed = sunspec().placed(&layout(&sunspec(), &[(0, &chain(9, 3))]).unwrap());
    let absent = ["string-2-a", "string-3-a"].map(|name| placed.point(name).unwrap());
    assert_eq!(placed.absent, BTreeSet::from(absent));
}

#[test]
fn a_model_that_the_chain_lacks_takes_its_points_and_its_count_with_it() {
    let mut words = vec![SUNS[0], SUNS[1], 802, 10];
    words.resize(14, 0);
    words.extend([0xFFFF, 0]);
    let found = layout(&sunspec(), &[(40_000, &words)]).unwrap();
    assert_eq!(found.counts, [Some(0)]);
    let placed = sunspec().placed(&found);
    assert_eq!(placed.absent.len(), 3);
    assert!(!placed.absent.contains(&0));
}

#[test]
fn a_number_that_is_not_told_makes_nothing_absent() {
    let found = layout(&sunspec(), &[(0, &chain(0xFFFF, 7))]).unwrap();
    assert_eq!(found.counts, [None]);
    assert_eq!(sunspec().placed(&found).absent, BTreeSet::new());
}

#[test]
fn a_chain_without_end_mark_ends_where_the_device_refuses() {
    let words = chain(1, 7);
    let found = layout(&sunspec(), &[(0, &words[..words.len() - 2])]).unwrap();
    assert_eq!(found.models.len(), 2);
}

#[test]
fn a_device_of_another_kind_is_a_fault_and_not_an_empty_device() {
    assert_eq!(layout(&sunspec(), &[]), Err(WalkFault::NoMarker));
    assert_eq!(layout(&sunspec(), &[(0, &[1, 2])]), Err(WalkFault::NoMarker));
    let other = [SUNS[0], SUNS[1], 103, 2, 0, 0, 0xFFFF, 0];
    assert_eq!(layout(&sunspec(), &[(0, &other)]), Err(WalkFault::NoModel));
}

#[test]
fn silence_is_no_answer_wherever_it_comes() {
    let told: [&[u16]; 5] = [&SUNS, &[802, 10], &[803, 7], &[0xFFFF, 0], &[2]];
    for silent in 0..told.len() {
        for fault in [ReadFault::Timeout, ReadFault::Exception(11), ReadFault::Mismatch] {
            let mut walk = sunspec().walk().unwrap();
            told[..silent].iter().for_each(|words| walk.heard(Ok(words)));
            walk.heard(Err(fault));
            assert_eq!(walk.next(), WalkStep::Failed(WalkFault::NoAnswer(fault)));
            walk.heard(Ok(&SUNS));
            assert_eq!(walk.next(), WalkStep::Failed(WalkFault::NoAnswer(fault)), "it stays so");
        }
    }
}

#[test]
fn a_device_cannot_keep_it_walking() {
    let mut walk = sunspec().walk().unwrap();
    walk.heard(Ok(&SUNS));
    let mut headers = 0;
    while let WalkStep::Ask { .. } = walk.next() {
        walk.heard(Ok(&[1, 0]));
        headers += 1;
    }
    assert_eq!(walk.next(), WalkStep::Failed(WalkFault::Endless));
    assert_eq!(headers, MODELS_MAX);
}

#[test]
fn several_models_of_one_number_are_counted_in_the_order_of_the_chain() {
    let text = format!(
        "{HEADER}[sunspec]\nbases = [0]\n[[group]]\ncount = 2\nmodel = 805\n[[group.point]]\nname = \"m-{{n}}\"\n\
         table = \"holding\"\naddress = 2\ntype = \"u16\"\nclass = \"fast\"\n[[group.group]]\ncount = 2\nstride = 1\n\
         count_from = {{ table = \"holding\", address = 2 }}\n[[group.group.point]]\nname = \"m-{{n}}-c-{{m}}\"\n\
         table = \"holding\"\naddress = 3\ntype = \"u16\"\nclass = \"slow\"\n"
    );
    let profile = Profile::parse(&text, "x").unwrap();
    let words = [SUNS[0], SUNS[1], 805, 3, 2, 11, 12, 9, 1, 0, 805, 3, 1, 21, 22, 0xFFFF, 0];
    let placed = profile.placed(&layout(&profile, &[(0, &words)]).unwrap());
    let word = |name: &str| words[usize::from(placed.points[placed.point(name).unwrap()].address)];
    assert_eq!([word("m-1"), word("m-2"), word("m-1-c-2"), word("m-2-c-1")], [2, 1, 12, 21]);
    assert_eq!(placed.absent, BTreeSet::from([placed.point("m-2-c-2").unwrap()]));
}

#[test]
fn a_group_can_be_counted_without_models() {
    let text = format!(
        "{HEADER}[[group]]\ncount = 4\nstride = 25\ncount_from = {{ table = \"holding\", address = 2500 }}\n\
         [[group.point]]\nname = \"sensor-{{n}}\"\ntable = \"holding\"\naddress = 2504\ntype = \"u16\"\nclass = \"fast\"\n"
    );
    let profile = Profile::parse(&text, "x").unwrap();
    let placed = profile.placed(&layout(&profile, &[(2500, &[3])]).unwrap());
    assert_eq!(placed.absent, BTreeSet::from([3]));
    assert_eq!(placed.points[2].address, 2554);
}

#[test]
fn an_offset_is_never_written_as_if_it_were_an_address() {
    let profile = sunspec();
    let offset = profile.action("open-1").unwrap().writes().next().unwrap();
    assert!(!profile.allows(offset), "nothing of a model is allowed before it is placed");
    let placed = profile.placed(&layout(&profile, &[(0, &chain(2, 7))]).unwrap());
    let write = |address| Write::Registers { address, words: vec![2] };
    assert_eq!([18, 20, 22, 4].map(|address| placed.allows(&write(address))), [true, true, false, false]);
    assert!(!placed.allows(&Write::Registers { address: 18, words: vec![1] }), "no other word");
    assert!(!placed.allows(&Write::Register { address: 18, word: 2 }), "no other function");
    assert_eq!(placed.action("open-2").unwrap().state.unwrap().address, 19);
}

proptest! {
    #[test]
    fn no_answers_make_a_walk_panic_or_go_on_for_ever(
        file in prop::sample::select(vec!["sunspec-li-ion", "sunspec-battery-base"]),
        answers in prop::collection::vec(prop_oneof![
            6 => (prop::sample::select(vec![1_u16, 802, 803, 804, 805, 0xFFFF]), 0..200_u16).prop_map(|(id, length)| Ok(vec![id, length])),
            2 => any::<u16>().prop_map(|count| Ok(vec![count])),
            1 => prop::collection::vec(any::<u16>(), 0..4).prop_map(Ok),
            1 => prop::sample::select(vec![ReadFault::Exception(2), ReadFault::Timeout, ReadFault::Malformed]).prop_map(Err),
        ], 1..80),
    ) {
        let profile = &builtin()[file].profile;
        let mut walk = profile.walk().unwrap();
        walk.heard(Ok(&SUNS));
        let most = 3 + MODELS_MAX + profile.layout.groups.len();
        let mut asked = 0;
        while let WalkStep::Ask { .. } = walk.next() {
            let answer: &Result<Vec<u16>, ReadFault> = &answers[asked % answers.len()];
            walk.heard(answer.as_ref().map(Vec::as_slice).map_err(|fault| *fault));
            asked += 1;
            prop_assert!(asked <= most);
        }
        if let WalkStep::Done(layout) = walk.next() {
            let placed = profile.placed(&layout);
            for (at, point) in placed.points.iter().enumerate() {
                let last = u32::from(point.address) + u32::from(point.words()) - 1;
                prop_assert!(placed.absent.contains(&at) || (point.model.is_none() && last <= 0xFFFF));
            }
        }
    }
}

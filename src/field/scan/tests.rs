//! Scans of units that answer what a test wants.

#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::field::pdu::{Reply, Request};
use crate::field::profile::IdentityCheck;

/// Units by number: what each says to a request.
struct Bus<F>(F, usize);

impl<F: FnMut(u8, &Request) -> Result<Reply, ReadFault> + Send> Asker for Bus<F> {
    async fn ask(&mut self, unit: u8, request: &Request) -> Result<Reply, ReadFault> {
        assert!(!matches!(request, Request::Write(_)), "a scan only reads");
        self.1 += 1;
        (self.0)(unit, request)
    }

    fn trouble(&self) -> Option<&str> {
        None
    }
}

fn profile(text: &str) -> Arc<Profile> {
    let head = "vendor = \"v\"\nmodels = []\nkind = \"gas\"\nsource = \"s\"\n";
    Arc::new(Profile::parse(&format!("{head}{text}"), "x").unwrap())
}

fn thermometer(id: &str, address: u16) -> Arc<Profile> {
    profile(&format!(
        "id = \"{id}\"\n[[point]]\nname = \"t\"\ntable = \"holding\"\naddress = {address}\ntype = \"i16\"\n\
         scale = 0.1\nunit = \"degC\"\nrange = [-40, 85]\nclass = \"fast\"\n\
         [[point]]\nname = \"state\"\ntable = \"holding\"\naddress = {}\ntype = \"u16\"\nclass = \"fast\"\n\
         enum = {{ 1 = \"on\", 2 = \"off\" }}\n",
        address + 1
    ))
}

fn plan(units: std::ops::RangeInclusive<u8>, profiles: Vec<Arc<Profile>>) -> ScanPlan {
    ScanPlan { units: units.collect(), pause: Millis(10), profiles }
}

#[tokio::test(start_paused = true)]
async fn the_profile_whose_points_make_sense_comes_first_and_others_are_not_named() {
    let mut bus = Bus(
        |unit, request: &Request| match (unit, request) {
            (7, Request::Read { address: 100, count: 2, .. }) => Ok(Reply::Words(vec![235, 1])),
            (7, Request::DeviceId { .. }) => {
                Ok(Reply::DeviceId { objects: vec![(0, b"ACME \0".to_vec())], more: None })
            }
            (7, Request::ServerId) => Err(ReadFault::Exception(1)),
            (7, _) => Err(ReadFault::Exception(2)),
            (8, _) => Err(ReadFault::Exception(11)),
            _ => Err(ReadFault::Timeout),
        },
        0,
    );
    let (mut found, mut steps) = (Vec::new(), Vec::new());
    let plan = plan(6..=9, vec![thermometer("wrong", 300), thermometer("right", 100)]);
    let ended = scan(&mut bus, &plan, &mut found, |step| steps.push((step.done, step.found))).await;
    assert_eq!((ended, found.len()), (Ended::Whole, 1));
    assert_eq!((found[0].unit, &found[0].identity.objects[0].1[..]), (7, "ACME"));
    assert_eq!(found[0].identity.server_id, None);
    let names: Vec<&str> = found[0].candidates.iter().map(|one| one.profile.id.as_str()).collect();
    assert_eq!(names, ["right"]);
    assert!(30 < found[0].candidates[0].score, "{:?}", found[0].candidates);
    assert_eq!(steps, [(1, 0), (2, 1), (3, 1), (4, 1)]);
    // Three silences or refusals by the gateway; of unit 7 a greeting, two identities, three marks, two profiles.
    assert_eq!(bus.1, 3 + 1 + 2 + 3 + 2);
}

#[tokio::test(start_paused = true)]
async fn what_a_device_says_of_itself_beats_points_that_happen_to_fit() {
    let mut told = (*thermometer("told", 100)).clone();
    told.identity = vec![IdentityCheck::DeviceId { object: 0, contains: "acme".to_owned() }];
    let mut other = (*thermometer("other", 100)).clone();
    other.identity = vec![IdentityCheck::DeviceId { object: 0, contains: "elsewhere".to_owned() }];
    let mut bus = Bus(
        |_, request: &Request| match request {
            Request::Read { address: 100, count: 2, .. } => Ok(Reply::Words(vec![235, 2])),
            Request::Read { .. } => Err(ReadFault::Exception(2)),
            Request::DeviceId { .. } => {
                Ok(Reply::DeviceId { objects: vec![(0, b"ACME Ltd".to_vec())], more: None })
            }
            _ => Err(ReadFault::Exception(1)),
        },
        0,
    );
    let mut found = Vec::new();
    let profiles = vec![Arc::new(other), thermometer("mute", 100), Arc::new(told)];
    scan(&mut bus, &plan(1..=1, profiles), &mut found, |_| {}).await;
    let scores: Vec<(&str, u8)> =
        found[0].candidates.iter().map(|one| (one.profile.id.as_str(), one.score)).collect();
    assert_eq!(scores[0].0, "told");
    assert!(80 <= scores[0].1 && scores[1].0 == "mute" && scores[1].1 < 70, "{scores:?}");
    assert_eq!(scores.len(), 2, "a contradicted profile is no candidate: {scores:?}");
}

#[tokio::test(start_paused = true)]
async fn a_device_that_answers_to_any_number_is_found_once() {
    let mut bus = Bus(
        |_, request: &Request| match request {
            Request::Read { address: 0, count: 1, .. } => Ok(Reply::Words(vec![5])),
            Request::Read { .. } => Err(ReadFault::Exception(2)),
            _ => Err(ReadFault::Exception(1)),
        },
        0,
    );
    let mut found = Vec::new();
    let ended = scan(&mut bus, &plan(1..=247, Vec::new()), &mut found, |_| {}).await;
    assert_eq!((ended, found.len()), (Ended::AnyUnit, 1));
}

#[tokio::test(start_paused = true)]
async fn the_models_of_a_sunspec_map_are_listed() {
    let words = [0x5375, 0x6E53, 1, 2, 0, 0, 802, 1, 9, 0xFFFF, 0];
    let mut bus = Bus(
        |_, request: &Request| match request {
            Request::Read { address, count, .. } if 40_000 <= *address => {
                let at = usize::from(address - 40_000);
                let words = words.get(at..at + usize::from(*count)).ok_or(ReadFault::Exception(2))?;
                Ok(Reply::Words(words.to_vec()))
            }
            Request::Read { .. } => Err(ReadFault::Exception(2)),
            _ => Err(ReadFault::Exception(1)),
        },
        0,
    );
    let mut found = Vec::new();
    scan(&mut bus, &plan(1..=1, Vec::new()), &mut found, |_| {}).await;
    assert_eq!(found[0].identity.sunspec, Some((40_000, vec![1, 802])));
}

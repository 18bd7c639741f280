//! The profiles that come with the program: the same files that stand in `config/profiles`.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use super::Profile;

/// One shipped profile and its file.
#[derive(Clone, Debug)]
pub struct Shipped {
    /// As parsed.
    pub profile: Arc<Profile>,
    /// As written, for `profile show` and for a copy to start from.
    pub text: &'static str,
}

macro_rules! files {
    ($($name:literal),+ $(,)?) => {
        [$(($name, include_str!(concat!("../../../config/profiles/", $name, ".toml")))),+]
    };
}

/// Id and text of every shipped profile.
const FILES: [(&str, &str); 30] = files![
    "alber-bdsu",
    "apc-smart-ups",
    "byd-c130",
    "daly",
    "faast",
    "huawei-ups2000",
    "kmtronic-8",
    "liebert-aps",
    "liebert-nxl",
    "pylontech-powercube-m2",
    "schneider-mtz",
    "schneider-nsx",
    "sensepoint-xcl",
    "seplos-v3",
    "sim-bms",
    "sim-gas",
    "sim-relay",
    "sim-smoke",
    "sim-ups",
    "socomec-jbus",
    "soltaro-rack",
    "sunspec-battery-base",
    "sunspec-der-control",
    "sunspec-li-ion",
    "victron-gx-battery",
    "victron-gx-digital-input",
    "victron-gx-temperature",
    "waveshare-relay-16",
    "waveshare-relay-8",
    "xy-md02",
];

/// The shipped profiles by id.
///
/// # Panics
/// If a shipped file has a fault: the tests parse each.
#[must_use]
pub fn builtin() -> BTreeMap<String, Shipped> {
    static PARSED: OnceLock<BTreeMap<String, Shipped>> = OnceLock::new();
    let parse = |(name, text)| {
        let profile = Profile::parse(text, name).expect("shipped profiles are parsed by the tests");
        (profile.id.clone(), Shipped { profile: Arc::new(profile), text })
    };
    PARSED.get_or_init(|| FILES.into_iter().map(parse).collect()).clone()
}

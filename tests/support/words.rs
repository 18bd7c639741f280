//! The words of scenario files: durations, quantities, choices, and the core's answers in plain words.

use std::fmt::Debug;

use emberwatch::safety::risk::Level;
use emberwatch::safety::rules::OnUnknown;
use emberwatch::safety::rules::deviation::Sides;
use emberwatch::safety::rules::limit::Side;
use emberwatch::safety::rules::step::GateOnUnknown;
use emberwatch::safety::rules::together::{Independence, OnAllLost, OnChannelFault};
use emberwatch::safety::sequence::spec::{Mode, OnFail, OnRestart};
use emberwatch::safety::site::OutputKind;
use emberwatch::units::Millis;
use serde::de::Error;
use serde::{Deserialize, Deserializer};

/// `"250ms"`, `"10s"`, `"5min"`, `"1h"`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Duration(pub(crate) Millis);

/// `80.0` or, with its unit for the reader, `"80 degC"`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Quantity(pub(crate) f64);

/// One of the words that a key may have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Word<T>(pub(crate) T);

/// The words that stand for a type's values.
pub(crate) trait Spelled: Copy + 'static {
    const WORDS: &'static [(&'static str, Self)];
}

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(split);
        let factor = match unit.trim() {
            "ms" => 1,
            "s" => 1000,
            "min" => 60_000,
            "h" => 3_600_000,
            _ => {
                return Err(D::Error::custom(format!("`{text}` is no duration: write \"250ms\" or \"10s\"")));
            }
        };
        let number: u64 = number.parse().map_err(D::Error::custom)?;
        Ok(Self(Millis(number * factor)))
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum NumberOrText {
    Number(f64),
    Text(String),
}

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = match NumberOrText::deserialize(from)? {
            NumberOrText::Number(number) => return Ok(Self(number)),
            NumberOrText::Text(text) => text,
        };
        let number = text.split_whitespace().next().unwrap_or_default();
        number.parse().map(Self).map_err(|why| D::Error::custom(format!("`{text}`: {why}")))
    }
}

impl<'de, T: Spelled> Deserialize<'de> for Word<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let found = T::WORDS.iter().find(|(word, _)| *word == text).map(|(_, value)| Self(*value));
        let known: Vec<&str> = T::WORDS.iter().map(|(word, _)| *word).collect();
        found.ok_or_else(|| D::Error::custom(format!("`{text}` is none of {}", known.join(", "))))
    }
}

impl Spelled for Level {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("normal", Self::Normal),
        ("watch", Self::Watch),
        ("warning", Self::Warning),
        ("danger", Self::Danger),
    ];
}

impl Spelled for OnUnknown {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("hold", Self::Hold),
        ("watch", Self::AtLeast(Level::Watch)),
        ("warning", Self::AtLeast(Level::Warning)),
        ("danger", Self::AtLeast(Level::Danger)),
    ];
}

impl Spelled for Side {
    const WORDS: &'static [(&'static str, Self)] =
        &[("above", Self::Above), ("below", Self::Below), ("rising", Self::Above), ("falling", Self::Below)];
}

impl Spelled for OnChannelFault {
    const WORDS: &'static [(&'static str, Self)] =
        &[("safety", Self::Safety), ("availability", Self::Availability), ("dependent", Self::Dependent)];
}

impl Spelled for Independence {
    const WORDS: &'static [(&'static str, Self)] =
        &[("principle", Self::Principle), ("device", Self::Device), ("link", Self::Link)];
}

impl Spelled for Sides {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("above", Self::Above),
        ("below", Self::Below),
        ("rising", Self::Above),
        ("falling", Self::Below),
        ("either", Self::Either),
    ];
}

impl Spelled for GateOnUnknown {
    const WORDS: &'static [(&'static str, Self)] = &[("judge", Self::Judge), ("ignore", Self::Ignore)];
}

impl Spelled for OnAllLost {
    const WORDS: &'static [(&'static str, Self)] =
        &[("alarm", Self::Alarm), ("trip_if_last_warn", Self::TripIfLastWarn), ("trip", Self::Trip)];
}

impl Spelled for Mode {
    const WORDS: &'static [(&'static str, Self)] =
        &[("disabled", Self::Disabled), ("shadow", Self::Shadow), ("armed", Self::Armed)];
}

impl Spelled for OnRestart {
    const WORDS: &'static [(&'static str, Self)] = &[("resume", Self::Resume), ("hold", Self::Hold)];
}

impl Spelled for OnFail {
    const WORDS: &'static [(&'static str, Self)] = &[("next", Self::Next), ("hold", Self::Hold)];
}

impl Spelled for OutputKind {
    const WORDS: &'static [(&'static str, Self)] = &[("level", Self::Level), ("pulse", Self::Pulse)];
}

/// What an item of a list of tables is called.
pub(crate) fn name_of(item: &toml::Value) -> Option<&str> {
    item.get("id").or_else(|| item.get("name"))?.as_str()
}

/// The name of an enum's variant in words: `TooLate` is "too late".
pub(crate) fn plain(value: &impl Debug) -> String {
    let mut words = String::new();
    for c in format!("{value:?}").chars().take_while(|c| c.is_alphanumeric()) {
        if c.is_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.extend(c.to_lowercase());
    }
    words
}

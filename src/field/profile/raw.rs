//! A profile file as written, before anything is checked. Keys are snake_case; unknown keys are faults.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

use super::{Encoding, Forbidden, Order, Table};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Header {
    pub(super) id: Spanned<String>,
    pub(super) vendor: String,
    pub(super) models: Vec<String>,
    pub(super) kind: Kind,
    pub(super) source: Spanned<String>,
    pub(super) transport: Option<String>,
    pub(super) limits: Option<Limits>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    Ups,
    Battery,
    Gas,
    Smoke,
    Environment,
    Contact,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Limits {
    pub(super) max_registers: Option<Spanned<u16>>,
    pub(super) max_bits: Option<Spanned<u16>>,
    pub(super) max_gap: Option<u16>,
    #[serde(default)]
    pub(super) forbidden: Vec<Spanned<Forbidden>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Point {
    pub(super) name: Spanned<String>,
    pub(super) table: Table,
    pub(super) address: Spanned<u16>,
    #[serde(rename = "type")]
    pub(super) encoding: Spanned<Encoding>,
    pub(super) byte_order: Option<Spanned<Order>>,
    pub(super) word_order: Option<Spanned<Order>>,
    pub(super) scale: Option<Spanned<f64>>,
    pub(super) offset: Option<Spanned<f64>>,
    pub(super) two_pow: Option<Spanned<u8>>,
    pub(super) unit: Option<Spanned<String>>,
    pub(super) range: Option<Spanned<[f64; 2]>>,
    #[serde(default)]
    pub(super) sentinels: Vec<Spanned<i128>>,
    pub(super) fall_per_s_max: Option<Spanned<f64>>,
    pub(super) class: Spanned<String>,
    #[serde(rename = "enum")]
    pub(super) states: Option<Spanned<BTreeMap<String, String>>>,
    pub(super) bits: Option<Spanned<BTreeMap<String, String>>>,
    #[serde(default)]
    pub(super) not_in_service: Vec<u32>,
    #[serde(default)]
    pub(super) applies_to: Vec<Spanned<String>>,
    pub(super) count: Option<Spanned<u16>>,
    pub(super) stride: Option<Spanned<u16>>,
    pub(super) first: Option<u16>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Action {
    pub(super) name: Spanned<String>,
    pub(super) table: WriteTable,
    pub(super) address: Spanned<u16>,
    pub(super) value: Option<Spanned<u16>>,
    pub(super) values: Option<Spanned<Vec<u16>>>,
    pub(super) output: Output,
    pub(super) state: Option<Spanned<State>>,
    pub(super) read_back: Option<Spanned<u16>>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum WriteTable {
    Coil,
    Holding,
    HoldingMultiple,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Output {
    Level,
    Pulse,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "expected the name of a point or { table = …, address = … }")]
pub(super) enum State {
    Point(String),
    Address(Address),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Address {
    pub(super) table: Table,
    pub(super) address: u16,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Example {
    pub(super) name: String,
    pub(super) raw: Vec<Block>,
    #[serde(default)]
    pub(super) values: BTreeMap<Spanned<String>, f64>,
    #[serde(default)]
    pub(super) reasons: BTreeMap<Spanned<String>, Reason>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Block {
    pub(super) table: Table,
    pub(super) address: u16,
    pub(super) words: Vec<u16>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Reason {
    Sentinel,
    NotANumber,
    NotInService,
    Malformed,
}

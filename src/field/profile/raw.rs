//! A profile file as written, before anything is checked. Keys are snake_case; unknown keys are faults.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

use super::{Order, Table};

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
    pub(super) sunspec: Option<Spanned<SunSpec>>,
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
    pub(super) forbidden: Vec<Spanned<Range>>,
    #[serde(default)]
    pub(super) read_clears: Vec<Spanned<Range>>,
    #[serde(default)]
    pub(super) unwritable: Vec<Spanned<Range>>,
    #[serde(default)]
    pub(super) single_reads: bool,
    pub(super) pause: Option<Spanned<String>>,
    pub(super) settle: Option<Spanned<String>>,
    pub(super) reply_unit_offset: Option<Spanned<i16>>,
}

/// A stretch of a table; all of it where no addresses are given.
#[derive(Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Range {
    pub(super) table: Table,
    pub(super) first: Option<u16>,
    pub(super) last: Option<u16>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SunSpec {
    pub(super) bases: Spanned<Vec<u16>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Point {
    pub(super) name: Spanned<String>,
    pub(super) table: Table,
    pub(super) address: Spanned<u16>,
    #[serde(rename = "type")]
    pub(super) encoding: Spanned<Type>,
    pub(super) shift: Option<Spanned<u8>>,
    pub(super) width: Option<Spanned<u8>>,
    pub(super) mask: Option<Spanned<u64>>,
    pub(super) byte_order: Option<Spanned<Order>>,
    pub(super) word_order: Option<Spanned<Order>>,
    pub(super) scale: Option<Spanned<f64>>,
    pub(super) offset: Option<Spanned<f64>>,
    pub(super) two_pow: Option<Spanned<u8>>,
    pub(super) factor: Option<Spanned<String>>,
    pub(super) unit: Option<Spanned<String>>,
    pub(super) range: Option<Spanned<[f64; 2]>>,
    #[serde(default)]
    pub(super) sentinels: Vec<Spanned<i128>>,
    pub(super) fall_per_s_max: Option<Spanned<f64>>,
    pub(super) class: Spanned<String>,
    pub(super) atomic: Option<Spanned<u16>>,
    #[serde(rename = "enum")]
    pub(super) states: Option<Spanned<BTreeMap<String, String>>>,
    pub(super) bits: Option<Spanned<BTreeMap<String, String>>>,
    #[serde(default)]
    pub(super) not_in_service: Vec<u32>,
    #[serde(default)]
    pub(super) applies_to: Vec<Spanned<String>>,
    pub(super) count: Option<Spanned<u16>>,
    pub(super) stride: Option<Spanned<u16>>,
    pub(super) first: Option<Spanned<u16>>,
    pub(super) model: Option<Spanned<u16>>,
    pub(super) model_index: Option<Spanned<u16>>,
}

/// The types of points, as profiles name them.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Type {
    Bool,
    U16,
    I16,
    U32,
    I32,
    U64,
    I64,
    F32,
    F64,
    Bcd16,
    Bcd32,
    Sm16,
    U8High,
    U8Low,
    I8High,
    I8Low,
}

/// A group without its points, actions and inner groups.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GroupHead {
    pub(super) count: Spanned<u16>,
    pub(super) stride: Option<Spanned<u16>>,
    pub(super) first: Option<u16>,
    pub(super) model: Option<Spanned<u16>>,
    pub(super) count_from: Option<Spanned<CountFrom>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CountFrom {
    pub(super) table: Table,
    pub(super) address: u16,
    pub(super) model: Option<u16>,
}

/// A group, taken apart.
pub(super) struct Group {
    pub(super) head: Spanned<GroupHead>,
    pub(super) points: Vec<Point>,
    pub(super) actions: Vec<Action>,
    pub(super) groups: Vec<Group>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Action {
    pub(super) name: Spanned<String>,
    pub(super) output: Output,
    pub(super) state: Option<Spanned<State>>,
    pub(super) read_back: Option<Spanned<u16>>,
    pub(super) travel: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) irrevocable: bool,
    pub(super) model: Option<Spanned<u16>>,
    pub(super) model_index: Option<Spanned<u16>>,
    #[serde(default)]
    pub(super) step: Vec<Spanned<Step>>,
    // The short form: one write.
    pub(super) table: Option<WriteTable>,
    pub(super) address: Option<Spanned<u16>>,
    pub(super) value: Option<Spanned<u16>>,
    pub(super) values: Option<Spanned<Vec<u16>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Step {
    pub(super) write: Option<Spanned<Write>>,
    #[serde(rename = "await")]
    pub(super) status: Option<Spanned<Await>>,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Write {
    pub(super) table: WriteTable,
    pub(super) address: Spanned<u16>,
    pub(super) value: Option<Spanned<u16>>,
    pub(super) values: Option<Spanned<Vec<u16>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Await {
    pub(super) table: Table,
    pub(super) address: Spanned<u16>,
    pub(super) mask: Option<Spanned<u16>>,
    #[serde(default)]
    pub(super) busy: Vec<Spanned<u16>>,
    pub(super) done: Spanned<Vec<u16>>,
    pub(super) every: Option<Spanned<String>>,
    pub(super) within: Spanned<String>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum WriteTable {
    Coil,
    CoilWord,
    Coils,
    Holding,
    HoldingMultiple,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
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

#[derive(Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Address {
    pub(super) table: Table,
    pub(super) address: u16,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Text {
    pub(super) name: Spanned<String>,
    pub(super) table: Table,
    pub(super) address: Spanned<u16>,
    pub(super) words: Spanned<u16>,
    pub(super) byte_order: Option<Order>,
    pub(super) model: Option<Spanned<u16>>,
    pub(super) model_index: Option<Spanned<u16>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Identity {
    DeviceId(DeviceId),
    ServerId(ServerId),
    Text(IdentityText),
    Register(Register),
    Model(Spanned<u16>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DeviceId {
    pub(super) object: Spanned<u8>,
    pub(super) contains: Spanned<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ServerId {
    pub(super) contains: Spanned<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct IdentityText {
    pub(super) name: Spanned<String>,
    pub(super) contains: Spanned<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Register {
    pub(super) table: Table,
    pub(super) address: u16,
    pub(super) mask: Option<u16>,
    pub(super) one_of: Spanned<Vec<u16>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Example {
    pub(super) name: String,
    #[serde(default)]
    pub(super) raw: Vec<Block>,
    #[serde(default)]
    pub(super) values: BTreeMap<Spanned<String>, f64>,
    #[serde(default)]
    pub(super) reasons: BTreeMap<Spanned<String>, Reason>,
    #[serde(default)]
    pub(super) texts: BTreeMap<Spanned<String>, String>,
    #[serde(default)]
    pub(super) absent: Vec<Spanned<String>>,
    pub(super) action: Option<Spanned<String>>,
    pub(super) frames: Option<Spanned<Vec<String>>>,
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

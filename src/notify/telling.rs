//! What is told, before it is anybody's format: the standard message is this as JSON, presets pick from it.

use serde::Serialize;

use crate::safety::site::Priority;
use crate::wire::payload::sequence::{Affected, Autonomy};

/// One thing to tell. Serialised as it is, it is the body of the standard message.
#[derive(Serialize)]
pub(super) struct Telling<'a> {
    pub(super) r#type: &'a str,
    pub(super) timestamp: String,
    pub(super) data: Data<'a>,
    /// The id of the message.
    #[serde(skip)]
    pub(super) id: &'a str,
}

#[derive(Serialize)]
pub(super) struct Data<'a> {
    pub(super) site: &'a str,
    pub(super) gateway: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) room: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) zone: Option<&'a str>,
    /// The publication it came from: increases while the process runs.
    pub(super) seq: u64,
    /// True if nothing is really switched.
    pub(super) shadow: bool,
    /// True if somebody rehearses.
    pub(super) drill: bool,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(super) message: &'a str,
    #[serde(flatten)]
    pub(super) about: About<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum About<'a> {
    Alarm(AlarmData<'a>),
    Sequence(SequenceData<'a>),
    Notice(NoticeData<'a>),
    Process { boot: &'a str, version: &'a str },
    Test { target: &'a str, version: &'a str },
}

/// How far a matter is, for receivers that keep incidents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Somebody is called.
    Calls,
    /// Somebody has seen it.
    Seen,
    /// Nothing is left to do.
    Over,
    /// Nobody's call: for those who follow each step.
    Aside,
}

#[derive(Serialize)]
pub(super) struct AlarmData<'a> {
    pub(super) id: &'a str,
    pub(super) change: u64,
    pub(super) occ: u64,
    pub(super) rev: u32,
    pub(super) state: &'a str,
    #[serde(skip)]
    pub(super) stage: Stage,
    #[serde(rename = "priority")]
    pub(super) priority_word: Option<&'a str>,
    #[serde(skip)]
    pub(super) priority: Priority,
    pub(super) level: &'a str,
    pub(super) since: String,
    pub(super) first_out: bool,
    pub(super) latched: bool,
    pub(super) title: &'a str,
    pub(super) consequence: &'a str,
    pub(super) action: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) by: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) value: Option<Quantity>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) limit: Option<Quantity>,
    /// Nobody has acknowledged it for this long: why an escalation target hears of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) unacknowledged_ms: Option<u64>,
}

#[derive(Serialize)]
pub(super) struct Quantity {
    pub(super) v: f64,
    pub(super) u: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) point: Option<String>,
}

#[derive(Serialize)]
pub(super) struct SequenceData<'a> {
    pub(super) id: &'a str,
    pub(super) title: &'a str,
    pub(super) event: &'a str,
    #[serde(skip)]
    pub(super) progress: Stage,
    pub(super) mode: &'a str,
    pub(super) state: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) run: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) stage: Option<StageData<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) deadline: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) remaining_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) by: Option<&'a str>,
}

#[derive(Serialize)]
pub(super) struct StageData<'a> {
    pub(super) n: u8,
    pub(super) of: usize,
    pub(super) name: &'a str,
}

#[derive(Serialize)]
pub(super) struct NoticeData<'a> {
    pub(super) number: u64,
    pub(super) sequence: &'a str,
    pub(super) level: &'a str,
    pub(super) stage: &'a str,
    #[serde(skip)]
    pub(super) progress: Stage,
    pub(super) what_to_do: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) run: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) earliest_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) earliest: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) abortable_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) abortable_until: Option<String>,
    /// The stage that is carried out or comes next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next_stage: Option<&'a str>,
    /// The load groups whose feeds may go.
    pub(super) affected: Vec<Affected<'a>>,
    /// For how long the load can go on without this supply.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) autonomy: Option<Autonomy<'a>>,
    /// Who votes.
    pub(super) evidence: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) contact: Option<&'a str>,
    /// The notice of the same matter before this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) previous: Option<u64>,
}

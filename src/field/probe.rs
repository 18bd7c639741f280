//! One device, read once and shown raw and decoded: for commissioning.
//!
//! Reads only. Point by point where a block is refused, so that every row says what the device says of it.

use crate::field::ask::{Asker, OwnLine};
use crate::field::decode;
use crate::field::options::Endpoint;
use crate::field::plan::{self, Cost};
use crate::field::profile::{Profile, Table};
use crate::safety::reading::ReadFault;
use crate::units::{Millis, Unit, Value};

/// One point as it was read.
#[derive(Clone, Debug, PartialEq)]
pub struct ProbeRow {
    /// The point's name.
    pub point: String,
    /// In which table.
    pub table: Table,
    /// Its first address.
    pub address: u16,
    /// As on the wire; empty if nothing came.
    pub words: Vec<u16>,
    /// The value, or why there is none.
    pub result: Result<Value, ReadFault>,
    /// Its unit.
    pub unit: Unit,
    /// Whether the value is inside the profile's physical range; `None` without a value or a range.
    pub in_range: Option<bool>,
    /// The name of the state, or of the bits that are set.
    pub label: Option<String>,
}

/// Reads every point of a profile from one unit, on a connection of its own: not for a link that a running daemon
/// owns. `timeout` holds for the connection and for each request.
pub async fn read(endpoint: &Endpoint, unit: u8, profile: &Profile, timeout: Millis) -> Vec<ProbeRow> {
    read_through(&mut OwnLine::new(endpoint, timeout, timeout), unit, profile).await
}

/// Reads every point of a profile from one unit. One row per point, in the order of the profile.
pub async fn read_through(asker: &mut impl Asker, unit: u8, profile: &Profile) -> Vec<ProbeRow> {
    let profile = &placed(asker, unit, profile).await;
    let all: Vec<usize> = (0..profile.points.len()).collect();
    let mut blocks = plan::blocks(&profile.points, &all, &profile.limits, Cost::TCP);
    blocks.reverse();
    let mut read: Vec<(Vec<u16>, Result<Value, ReadFault>)> =
        vec![(Vec::new(), Err(ReadFault::Disconnected)); all.len()];
    let mut gone = None;
    while let Some(block) = blocks.pop() {
        let words = match gone {
            Some(fault) => Err(fault),
            None => asker.read(unit, block.table, block.address, block.count).await,
        };
        if let Err(fault @ (ReadFault::Disconnected | ReadFault::Timeout)) = words {
            // What does not answer once costs one time-out, not one for each block.
            gone = Some(fault);
        }
        if let (Err(ReadFault::Exception(2 | 3)), Some((left, right))) =
            (&words, plan::split(&profile.points, &block))
        {
            blocks.push(right);
            blocks.push(left);
            continue;
        }
        for at in &block.points {
            let point = &profile.points[*at];
            let start = usize::from(point.address - block.address);
            let raw = words.as_ref().map(|words| words[start..start + usize::from(point.words())].to_vec());
            read[*at] = match raw {
                Ok(raw) => (raw.clone(), decode::value(point, &raw)),
                Err(fault) => (Vec::new(), Err(*fault)),
            };
        }
    }
    for rule in &profile.services {
        let state = read[rule.state].1;
        for at in &rule.applies_to {
            read[*at].1 = decode::in_service(rule, state, read[*at].1);
        }
    }
    profile.points.iter().zip(read).map(|(point, (words, result))| row(point, words, result)).collect()
}

/// The profile as this unit has it: where its models lie and how many members its groups have is asked here,
/// before any point is.
pub(super) async fn placed(_asker: &mut impl Asker, _unit: u8, profile: &Profile) -> Profile {
    profile.clone()
}

fn row(
    point: &crate::field::profile::PointSpec,
    words: Vec<u16>,
    result: Result<Value, ReadFault>,
) -> ProbeRow {
    let value = result.ok().map(Value::get);
    ProbeRow {
        point: point.name.clone(),
        table: point.table,
        address: point.address,
        words,
        result,
        unit: point.unit,
        in_range: value.zip(point.range).map(|(value, (low, high))| low <= value && value <= high),
        label: value.and_then(|value| point.label(value)),
    }
}

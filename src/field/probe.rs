//! One device, read once and shown raw and decoded: for commissioning.
//!
//! Reads only. Point by point where a block is refused, so that every row says what the device says of it.

use crate::field::ask::{Asker, OwnLine};
use crate::field::decode;
use crate::field::frame::Station;
use crate::field::options::Endpoint;
use crate::field::plan::{self, Cost};
use crate::field::profile::{Profile, Table, WalkFault, WalkStep};
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
    asker.expect(Station::new(unit, profile.limits.reply_unit_offset));
    let profile = &match placed(asker, unit, profile).await {
        Ok(profile) => profile,
        Err(fault) => {
            return profile.points.iter().map(|point| row(point, Vec::new(), Err(fault))).collect();
        }
    };
    let has = |at: &usize| !profile.absent.contains(at) && profile.points[*at].model.is_none();
    let here: Vec<usize> = (0..profile.points.len()).filter(has).collect();
    let mut blocks = plan::blocks(&profile.points, &here, &profile.limits, Cost::TCP, &[]);
    blocks.reverse();
    let mut read: Vec<(Vec<u16>, Result<Value, ReadFault>)> =
        vec![(Vec::new(), Err(ReadFault::Disconnected)); profile.points.len()];
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
    for at in &here {
        if let Some(factor) = profile.points[*at].factor {
            read[*at].1 = decode::with_factor(read[*at].1, Some(read[factor].1));
        }
    }
    for rule in &profile.services {
        let state = read[rule.state].1;
        for at in &rule.applies_to {
            read[*at].1 = decode::in_service(rule, state, read[*at].1);
        }
    }
    let mut rows = Vec::with_capacity(here.len());
    for at in here {
        let (words, result) = std::mem::replace(&mut read[at], (Vec::new(), Err(ReadFault::Disconnected)));
        rows.push(row(&profile.points[at], words, result));
    }
    rows
}

/// The profile as this unit has it: where its models lie and how many members its groups have is asked here,
/// before any point is.
///
/// # Errors
/// Why the unit did not say so; `Mismatch` where it has none of the models.
pub(super) async fn placed(
    asker: &mut impl Asker,
    unit: u8,
    profile: &Profile,
) -> Result<Profile, ReadFault> {
    let Some(mut walk) = profile.walk() else { return Ok(profile.clone()) };
    // Ends: a walk is bounded by the models of a chain and the groups of the profile.
    loop {
        match walk.next() {
            WalkStep::Ask { table, address, count } => {
                let words = asker.read(unit, table, address, count).await;
                walk.heard(words.as_ref().map(Vec::as_slice).map_err(|fault| *fault));
            }
            WalkStep::Done(layout) => return Ok(profile.placed(&layout)),
            WalkStep::Failed(WalkFault::NoAnswer(fault)) => return Err(fault),
            WalkStep::Failed(_) => return Err(ReadFault::Mismatch),
        }
    }
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

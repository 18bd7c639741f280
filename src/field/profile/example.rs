//! Worked examples: raw words in, decoded values out; actions in, frames out. They travel with a profile and are
//! run by the tests and by `emberwatch profile test`.
//!
//! An example goes the whole way that a device's words go: the layout is looked up, the profile placed, values
//! decoded, scale factors applied, states asked whether anything measures at all.

use std::ops::Range;

use super::{Layout, Profile, Table, WalkStep};
use crate::field::decode;
use crate::field::pdu::Request;
use crate::safety::reading::ReadFault;
use crate::units::Value;

/// One worked example.
#[derive(Clone, Debug, PartialEq)]
pub struct Example {
    /// What it shows.
    pub name: String,
    /// Where it stands in the file, in bytes.
    pub span: Range<usize>,
    /// What the device sends.
    pub raw: Vec<RawBlock>,
    /// What must come out.
    pub expected: Vec<Expected>,
    /// What an action must send.
    pub frames: Option<Frames>,
}

/// One thing that must come out, and where the example says so.
#[derive(Clone, Debug, PartialEq)]
pub enum Expected {
    /// The value of the point at this position, or why there is none.
    Value(usize, Result<f64, ReadFault>, Range<usize>),
    /// The text at this position.
    Text(usize, String, Range<usize>),
    /// The device does not have the point at this position.
    Absent(usize, Range<usize>),
}

/// What an action must send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frames {
    /// The position of the action.
    pub action: usize,
    /// Function code and data of each write, in order.
    pub pdus: Vec<Vec<u8>>,
    /// Where the example says so.
    pub span: Range<usize>,
}

/// Words (or bits, one per entry) from one place of a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawBlock {
    /// In which table.
    pub table: Table,
    /// The first address.
    pub address: u16,
    /// As on the wire.
    pub words: Vec<u16>,
}

/// What came out otherwise than an example says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("example \"{example}\": {subject} gives {got} and not {expected}")]
pub struct ExampleFault {
    /// The example.
    pub example: String,
    /// Where it says so, in bytes of the file.
    pub span: Range<usize>,
    /// A point, a text, an action, or the look-up of the layout.
    pub subject: String,
    /// What the example says.
    pub expected: String,
    /// What came out.
    pub got: String,
}

impl Profile {
    /// Runs every example and compares.
    #[must_use]
    pub fn run_examples(&self) -> Vec<ExampleFault> {
        self.examples.iter().flat_map(|example| self.run_example(example)).collect()
    }

    fn run_example(&self, example: &Example) -> Vec<ExampleFault> {
        let fault = |span: &Range<usize>, subject: String, expected: String, got: String| ExampleFault {
            example: example.name.clone(),
            span: span.clone(),
            subject,
            expected,
            got,
        };
        let placed = match self.placed_by(&example.raw) {
            Ok(layout) => self.placed(&layout),
            Err(got) => {
                let subject = "the look-up of models and groups".to_owned();
                return vec![fault(&example.span, subject, "a layout".to_owned(), got)];
            }
        };
        let decoded = placed.decode_all(&example.raw);
        let mut faults = Vec::new();
        for expected in &example.expected {
            match expected {
                Expected::Value(at, value, span) if !same(*value, decoded[*at]) => {
                    let subject = format!("point {}", self.points[*at].name);
                    faults.push(fault(span, subject, told(Some(*value)), told(got(decoded[*at]))));
                }
                Expected::Text(at, text, span) => {
                    let got = placed.text_of(*at, &example.raw);
                    if got.as_ref() != Ok(text) {
                        let subject = format!("text {}", self.texts[*at].name);
                        let got = got.map_or_else(|fault| format!("{fault:?}"), |got| format!("{got:?}"));
                        faults.push(fault(span, subject, format!("{text:?}"), got));
                    }
                }
                Expected::Absent(at, span) if !placed.absent.contains(at) => {
                    let subject = format!("point {}", self.points[*at].name);
                    faults.push(fault(
                        span,
                        subject,
                        "absent".to_owned(),
                        "a place on the device".to_owned(),
                    ));
                }
                Expected::Value(..) | Expected::Absent(..) => {}
            }
        }
        if let Some(frames) = &example.frames {
            let sent = placed.sent_by(frames.action);
            if sent.as_ref() != Some(&frames.pdus) {
                let subject = format!("action {}", self.actions[frames.action].name);
                let sent = sent.map_or_else(|| "nothing: it is not allowed".to_owned(), |sent| bytes(&sent));
                faults.push(fault(&frames.span, subject, bytes(&frames.pdus), sent));
            }
        }
        faults
    }

    /// Looks the layout up in these words; a register that is not among them is refused.
    fn placed_by(&self, raw: &[RawBlock]) -> Result<Layout, String> {
        let Some(mut walk) = self.walk() else { return Ok(Layout::default()) };
        loop {
            match walk.next() {
                WalkStep::Ask { table, address, count } => {
                    walk.heard(find(raw, table, address, count).ok_or(ReadFault::Exception(2)));
                }
                WalkStep::Done(layout) => return Ok(layout),
                WalkStep::Failed(fault) => return Err(fault.to_string()),
            }
        }
    }

    fn decode_all(&self, raw: &[RawBlock]) -> Vec<Option<Result<Value, ReadFault>>> {
        let decode = |(at, point): (usize, &super::PointSpec)| {
            let present = point.model.is_none() && !self.absent.contains(&at);
            let words = present.then(|| find(raw, point.table, point.address, point.words())).flatten()?;
            Some(decode::value(point, words))
        };
        let plain: Vec<_> = self.points.iter().enumerate().map(decode).collect();
        let scaled = |(point, result): (&super::PointSpec, &Option<Result<Value, ReadFault>>)| {
            let factor = point.factor.map(|factor| plain[factor]);
            result.map(|result| match factor {
                Some(factor) => decode::with_factor(result, factor),
                None => result,
            })
        };
        let mut decoded: Vec<_> = self.points.iter().zip(&plain).map(scaled).collect();
        for rule in &self.services {
            let Some(state) = decoded[rule.state] else { continue };
            for &point in &rule.applies_to {
                if let Some(result) = &mut decoded[point] {
                    *result = decode::in_service(rule, state, *result);
                }
            }
        }
        decoded
    }

    fn text_of(&self, at: usize, raw: &[RawBlock]) -> Result<String, ReadFault> {
        let spec = &self.texts[at];
        let words = if spec.model.is_none() { find(raw, spec.table, spec.address, spec.words) } else { None };
        decode::text(spec, words.unwrap_or(&[]))
    }

    /// The protocol data units of an action's writes, if the device takes all of them.
    fn sent_by(&self, action: usize) -> Option<Vec<Vec<u8>>> {
        let pdu = |write: &super::Write| {
            let mut bytes = Vec::new();
            self.allows(write).then(|| Request::Write(write.clone()).encode(&mut bytes))?;
            Some(bytes)
        };
        self.actions[action].writes().map(pdu).collect()
    }
}

fn find(raw: &[RawBlock], table: Table, address: u16, count: u16) -> Option<&[u16]> {
    raw.iter().filter(|block| block.table == table).find_map(|block| {
        let start = usize::from(address.checked_sub(block.address)?);
        block.words.get(start..start + usize::from(count))
    })
}

/// The nine digits that an example is written with are enough.
fn same(expected: Result<f64, ReadFault>, got: Option<Result<Value, ReadFault>>) -> bool {
    match (expected, got) {
        (Ok(expected), Some(Ok(value))) => {
            (expected - value.get()).abs() <= 1e-9 * expected.abs().max(value.get().abs()).max(1.0)
        }
        (Err(expected), Some(Err(fault))) => expected == fault,
        (_, None) | (Ok(_), Some(Err(_))) | (Err(_), Some(Ok(_))) => false,
    }
}

fn got(decoded: Option<Result<Value, ReadFault>>) -> Option<Result<f64, ReadFault>> {
    decoded.map(|result| result.map(Value::get))
}

fn told(result: Option<Result<f64, ReadFault>>) -> String {
    match result {
        Some(Ok(value)) => value.to_string(),
        Some(Err(fault)) => format!("{fault:?}"),
        None => "nothing: its words are not in the example".to_owned(),
    }
}

fn bytes(pdus: &[Vec<u8>]) -> String {
    let pdu = |pdu: &Vec<u8>| pdu.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(" ");
    pdus.iter().map(pdu).collect::<Vec<_>>().join(" | ")
}

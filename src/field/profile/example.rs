//! Worked examples: raw words in, decoded values out. They travel with a profile and are run by the tests.

use super::{Profile, Table};
use crate::field::decode;
use crate::safety::reading::ReadFault;
use crate::units::Value;

/// One worked example.
#[derive(Clone, Debug, PartialEq)]
pub struct Example {
    /// What it shows.
    pub name: String,
    /// What the device sends.
    pub raw: Vec<RawBlock>,
    /// What must come out, by the position of the point.
    pub expected: Vec<(usize, Result<f64, ReadFault>)>,
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
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("example \"{example}\": point {point} gives {got:?} and not {expected:?}")]
pub struct ExampleFault {
    /// The example.
    pub example: String,
    /// The point's name.
    pub point: String,
    /// What the example says.
    pub expected: Result<f64, ReadFault>,
    /// What was decoded; `None` if its words are not in the example.
    pub got: Option<Result<Value, ReadFault>>,
}

impl Profile {
    /// Decodes every example and compares.
    #[must_use]
    pub fn run_examples(&self) -> Vec<ExampleFault> {
        self.examples.iter().flat_map(|example| self.run_example(example)).collect()
    }

    fn run_example(&self, example: &Example) -> Vec<ExampleFault> {
        let mut decoded: Vec<Option<Result<Value, ReadFault>>> = self
            .points
            .iter()
            .map(|point| find(point, &example.raw).map(|raw| decode::value(point, raw)))
            .collect();
        for rule in &self.services {
            let Some(state) = decoded[rule.state] else { continue };
            for &point in &rule.applies_to {
                if let Some(result) = &mut decoded[point] {
                    *result = decode::in_service(rule, state, *result);
                }
            }
        }
        let wrong = example.expected.iter().filter(|(point, expected)| !same(*expected, decoded[*point]));
        wrong
            .map(|(point, expected)| ExampleFault {
                example: example.name.clone(),
                point: self.points[*point].name.clone(),
                expected: *expected,
                got: decoded[*point],
            })
            .collect()
    }
}

fn find<'a>(point: &super::PointSpec, raw: &'a [RawBlock]) -> Option<&'a [u16]> {
    raw.iter().filter(|block| block.table == point.table).find_map(|block| {
        let start = usize::from(point.address.checked_sub(block.address)?);
        block.words.get(start..start + usize::from(point.words()))
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

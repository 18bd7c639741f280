//! The mark of SunSpec, and the models that follow it.

use super::notes::Notes;
use crate::field::ask::Asker;
use crate::field::profile::Table;

/// Where a SunSpec map may begin.
const BASES: [u16; 3] = [40_000, 0, 50_000];

/// `SunS`.
const MARK: [u16; 2] = [0x5375, 0x6E53];

/// The model id that ends the chain.
const END: u16 = 0xFFFF;

/// Models that are looked at.
const MODELS_MAX: usize = 40;

/// Where the map begins, and its models in order; `None` where there is none.
pub(super) async fn find<A: Asker>(notes: &mut Notes<'_, A>) -> Option<(u16, Vec<u16>)> {
    for base in BASES {
        if notes.read(Table::Holding, base, 2).await.is_ok_and(|words| words == MARK) {
            return Some((base, models(notes, base).await));
        }
    }
    None
}

async fn models<A: Asker>(notes: &mut Notes<'_, A>, base: u16) -> Vec<u16> {
    let (mut found, mut at) = (Vec::new(), base.checked_add(2));
    while let Some(address) = at.filter(|_| found.len() < MODELS_MAX) {
        let Ok(head) = notes.read(Table::Holding, address, 2).await else { break };
        let (model, length) = (head[0], head[1]);
        if model == END {
            break;
        }
        found.push(model);
        at = address.checked_add(2).and_then(|start| start.checked_add(length));
    }
    found
}

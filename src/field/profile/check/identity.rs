//! Texts, and the checks that recognise a device.

use std::collections::BTreeSet;

use toml::Spanned;

use super::super::{IdentityCheck, Limits, TextSpec, raw};
use super::{Faults, limits};

pub(super) fn texts(raws: &[raw::Text], limits: &Limits, faults: &mut Faults<'_>) -> Vec<TextSpec> {
    let mut seen = BTreeSet::new();
    let mut texts = Vec::new();
    for raw in raws {
        let name = raw.name.get_ref();
        faults.name(name, raw.name.span());
        if !seen.insert(name.clone()) {
            faults.twice("a text", name, raw.name.span());
        }
        if raw.table.holds_bits() {
            faults.add(raw.name.span(), "a text is kept in registers", "table is input or holding");
        }
        let words = *raw.words.get_ref();
        if !(1..=limits.max_registers).contains(&words) {
            let most = limits.max_registers;
            faults.add(raw.words.span(), format!("a text takes 1 to {most} registers here"), "");
        }
        limits::beyond(u32::from(*raw.address.get_ref()), words, raw.address.span(), faults);
        let model = raw.model.as_ref().map(|model| *model.get_ref());
        if let (None, Some(index)) = (model, &raw.model_index) {
            faults.add(index.span(), "model_index needs a model", "");
        }
        texts.push(TextSpec {
            name: name.clone(),
            table: raw.table,
            address: *raw.address.get_ref(),
            words,
            byte_order: raw.byte_order.unwrap_or_default(),
            model,
            model_index: raw.model_index.as_ref().map_or(0, |index| *index.get_ref()),
        });
    }
    texts
}

pub(super) fn checks(
    raws: Vec<raw::Identity>,
    texts: &[TextSpec],
    bases: &[u16],
    faults: &mut Faults<'_>,
) -> Vec<IdentityCheck> {
    raws.into_iter().filter_map(|raw| check(raw, texts, bases, faults)).collect()
}

fn check(
    raw: raw::Identity,
    texts: &[TextSpec],
    bases: &[u16],
    faults: &mut Faults<'_>,
) -> Option<IdentityCheck> {
    Some(match raw {
        raw::Identity::DeviceId(raw) => {
            let object = *raw.object.get_ref();
            if (7..128).contains(&object) {
                faults.add(raw.object.span(), "objects 7 to 127 are reserved", "0 to 6, or 128 to 255");
            }
            IdentityCheck::DeviceId { object, contains: something(raw.contains, faults) }
        }
        raw::Identity::ServerId(raw) => IdentityCheck::ServerId { contains: something(raw.contains, faults) },
        raw::Identity::Text(raw) => {
            let contains = something(raw.contains, faults);
            let Some(text) = texts.iter().position(|text| text.name == *raw.name.get_ref()) else {
                let sentence = format!("there is no text \"{}\"", raw.name.get_ref());
                faults.add(raw.name.span(), sentence, "");
                return None;
            };
            IdentityCheck::Text { text, contains }
        }
        raw::Identity::Register(raw) => {
            let mask = raw.mask.unwrap_or(u16::MAX);
            let one_of = raw.one_of.get_ref().clone();
            if one_of.is_empty() || one_of.iter().any(|word| word & !mask != 0) {
                let help = "words that the masked register can hold, at least one";
                faults.add(raw.one_of.span(), "this register can never match", help);
            }
            IdentityCheck::Register { table: raw.table, address: raw.address, mask, one_of }
        }
        raw::Identity::Model(model) => {
            if bases.is_empty() {
                faults.add(model.span(), "models are found through a SunSpec map", "give [sunspec] bases");
            }
            IdentityCheck::Model(*model.get_ref())
        }
    })
}

/// Every text contains the empty one: it would recognise anything.
fn something(contains: Spanned<String>, faults: &mut Faults<'_>) -> String {
    if contains.get_ref().trim().is_empty() {
        faults.add(contains.span(), "every text contains this one", "give what only this device says");
    }
    contains.into_inner()
}

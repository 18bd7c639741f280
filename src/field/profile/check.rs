//! From a file to a profile: every rule that a profile must keep, every fault with its place.
//!
//! Tables are deserialised one by one, so that a fault in one point does not hide those of the next.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use super::example::{Example, RawBlock};
use super::{
    ActionSpec, LayoutSpec, Limits, POINTS_MAX, PointSpec, Profile, ProfileFault, REGISTERS_PER_WRITE_MAX,
    ServiceRule, StateSpec, Step, Table, Write, raw,
};
use crate::safety::reading::ReadFault;
use crate::safety::site::{DeviceKind, OutputKind};

mod point;

pub(super) fn profile(text: &str, file: &str) -> Result<Profile, Vec<ProfileFault>> {
    let mut faults = Faults { file, found: Vec::new() };
    let profile = build(text, &mut faults);
    match profile {
        Some(profile) if faults.found.is_empty() => Ok(profile),
        Some(_) | None => Err(faults.found),
    }
}

/// Collects what is wrong.
struct Faults<'a> {
    file: &'a str,
    found: Vec<ProfileFault>,
}

impl Faults<'_> {
    fn add(&mut self, span: Range<usize>, sentence: impl Into<String>, help: &str) {
        let help = (!help.is_empty()).then(|| help.to_owned());
        self.found.push(ProfileFault { file: self.file.to_owned(), span, sentence: sentence.into(), help });
    }

    fn take<T>(&mut self, whole: Range<usize>, result: Result<T, toml::de::Error>) -> Option<T> {
        result.map_err(|error| self.add(error.span().unwrap_or(whole), error.message(), "")).ok()
    }

    /// Names are topic segments: the same rule as in the configuration.
    fn name(&mut self, name: &str, span: Range<usize>) {
        let bytes = name.as_bytes();
        let fits = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let good = bytes.first().is_some_and(fits)
            && bytes.len() <= 48
            && bytes.iter().all(|byte| fits(byte) || *byte == b'-');
        if !good {
            self.add(
                span,
                format!("\"{name}\" is not a name"),
                "lower-case letters, digits and hyphens, 1 to 48 of them, no hyphen first",
            );
        }
    }
}

/// The tables of a file, taken apart.
#[derive(Default)]
struct Parts<'a> {
    header: DeTable<'a>,
    points: Vec<Spanned<DeValue<'a>>>,
    actions: Vec<Spanned<DeValue<'a>>>,
    examples: Vec<Spanned<DeValue<'a>>>,
}

fn build(text: &str, faults: &mut Faults<'_>) -> Option<Profile> {
    let table = faults.take(0..text.len(), DeTable::parse(text))?;
    let whole = table.span();
    let mut parts = Parts::default();
    for (key, value) in table.into_inner() {
        let list = match key.get_ref().as_ref() {
            "point" => &mut parts.points,
            "action" => &mut parts.actions,
            "example" => &mut parts.examples,
            _ => {
                parts.header.insert(key, value);
                continue;
            }
        };
        let span = value.span();
        match value.into_inner() {
            DeValue::Array(items) => list.extend(items),
            _ => faults.add(span, format!("{} is a list of tables", key.get_ref()), "write [[…]]"),
        }
    }
    let header = DeValue::Table(parts.header);
    let header = raw::Header::deserialize(ValueDeserializer::from(Spanned::new(whole.clone(), header)));
    let header = faults.take(0..text.len().min(1), header);
    let points: Vec<raw::Point> = each(parts.points, faults);
    let actions: Vec<raw::Action> = each(parts.actions, faults);
    let examples: Vec<raw::Example> = each(parts.examples, faults);
    let limits = header.as_ref().and_then(|header| header.limits.as_ref()).map(|raw| limits(raw, faults));
    let limits = limits.unwrap_or_default();
    let (specs, services) = self::points(&points, &limits, faults);
    let actions = self::actions(actions, &specs, faults);
    let examples = examples.into_iter().map(|raw| example(raw, &specs, faults)).collect();
    let header = header?;
    faults.name(header.id.get_ref(), header.id.span());
    if header.source.get_ref().trim().is_empty() {
        faults.add(
            header.source.span(),
            "the source is empty",
            "name the document or driver and its revision",
        );
    }
    Some(Profile {
        id: header.id.into_inner(),
        vendor: header.vendor,
        models: header.models,
        kind: kind(header.kind),
        source: header.source.into_inner(),
        transport: header.transport,
        limits,
        points: specs,
        actions,
        services,
        examples,
        texts: Vec::new(),
        identity: Vec::new(),
        layout: LayoutSpec::default(),
        absent: BTreeSet::new(),
    })
}

fn each<'a, T: Deserialize<'a>>(items: Vec<Spanned<DeValue<'a>>>, faults: &mut Faults<'_>) -> Vec<T> {
    let parse = |item: Spanned<DeValue<'a>>| {
        let span = item.span();
        faults.take(span, T::deserialize(ValueDeserializer::from(item)))
    };
    items.into_iter().filter_map(parse).collect()
}

const fn kind(kind: raw::Kind) -> DeviceKind {
    match kind {
        raw::Kind::Ups => DeviceKind::Ups,
        raw::Kind::Battery => DeviceKind::Battery,
        raw::Kind::Gas => DeviceKind::Gas,
        raw::Kind::Smoke => DeviceKind::Smoke,
        raw::Kind::Environment => DeviceKind::Environment,
        raw::Kind::Contact => DeviceKind::Contact,
    }
}

fn limits(raw: &raw::Limits, faults: &mut Faults<'_>) -> Limits {
    let default = Limits::default();
    let mut cap = |given: &Option<Spanned<u16>>, most: u16| {
        let Some(given) = given else { return most };
        if !(1..=most).contains(given.get_ref()) {
            faults.add(given.span(), format!("{} is outside 1 to {most}", given.get_ref()), "");
        }
        *given.get_ref()
    };
    let max_registers = cap(&raw.max_registers, default.max_registers);
    let max_bits = cap(&raw.max_bits, default.max_bits);
    for range in &raw.forbidden {
        if range.get_ref().last < range.get_ref().first {
            faults.add(range.span(), "the last address is before the first", "");
        }
    }
    let forbidden = raw.forbidden.iter().map(|range| *range.get_ref()).collect();
    Limits { max_registers, max_bits, max_gap: raw.max_gap, forbidden, ..default }
}

fn points(
    raws: &[raw::Point],
    limits: &Limits,
    faults: &mut Faults<'_>,
) -> (Vec<PointSpec>, Vec<ServiceRule>) {
    let mut specs: Vec<PointSpec> = Vec::new();
    let mut states = Vec::new();
    let mut seen = BTreeSet::new();
    for raw in raws {
        if !raw.not_in_service.is_empty() || !raw.applies_to.is_empty() {
            states.push((specs.len(), raw));
        }
        for spec in point::repeated(raw, limits, faults) {
            if !seen.insert(spec.name.clone()) {
                faults.add(raw.name.span(), format!("there is a point \"{}\" already", spec.name), "");
            }
            specs.push(spec);
        }
    }
    if POINTS_MAX < specs.len() {
        faults.add(0..0, format!("{} points are more than {POINTS_MAX}", specs.len()), "");
        specs.truncate(POINTS_MAX);
    }
    let rules = states.into_iter().filter_map(|(state, raw)| service(state, raw, &specs, faults)).collect();
    (specs, rules)
}

fn service(
    state: usize,
    raw: &raw::Point,
    specs: &[PointSpec],
    faults: &mut Faults<'_>,
) -> Option<ServiceRule> {
    if raw.not_in_service.is_empty() || raw.applies_to.is_empty() {
        faults.add(raw.name.span(), "not_in_service and applies_to belong together", "give both or none");
    }
    let class = &specs.get(state)?.class;
    let mut applies_to = Vec::new();
    for name in &raw.applies_to {
        match specs.iter().position(|spec| spec.name == *name.get_ref()) {
            None => faults.add(name.span(), format!("there is no point \"{}\"", name.get_ref()), ""),
            Some(at) if specs[at].class != *class => faults.add(
                name.span(),
                format!("\"{}\" is not read in the scan class of its state", name.get_ref()),
                "give both points the same class, so that one poll reads both",
            ),
            Some(at) if at == state => faults.add(name.span(), "a state cannot apply to itself", ""),
            Some(at) => applies_to.push(at),
        }
    }
    Some(ServiceRule { state, out_of_service: raw.not_in_service.clone(), applies_to })
}

fn actions(raws: Vec<raw::Action>, specs: &[PointSpec], faults: &mut Faults<'_>) -> Vec<ActionSpec> {
    let mut seen = BTreeSet::new();
    let mut actions = Vec::new();
    for raw in raws {
        faults.name(raw.name.get_ref(), raw.name.span());
        if !seen.insert(raw.name.get_ref().clone()) {
            faults.add(raw.name.span(), format!("there is an action \"{}\" already", raw.name.get_ref()), "");
        }
        let Some(write) = write(&raw, faults) else { continue };
        let state = state(&raw, &write, specs, faults);
        let output = match raw.output {
            raw::Output::Level => OutputKind::Level,
            raw::Output::Pulse => OutputKind::Pulse,
        };
        let steps = vec![Step::Write(write)];
        actions.push(ActionSpec { name: raw.name.into_inner(), steps, output, state, model: None });
    }
    actions
}

fn write(raw: &raw::Action, faults: &mut Faults<'_>) -> Option<Write> {
    let address = *raw.address.get_ref();
    match (raw.table, &raw.value, &raw.values) {
        (raw::WriteTable::Coil, Some(value), None) => {
            if 1 < *value.get_ref() {
                faults.add(value.span(), "a coil is 0 or 1", "");
            }
            Some(Write::Coil { address, on: *value.get_ref() == 1 })
        }
        (raw::WriteTable::Holding, Some(value), None) => {
            Some(Write::Register { address, word: *value.get_ref() })
        }
        (raw::WriteTable::HoldingMultiple, None, Some(values)) => {
            let words = values.get_ref().clone();
            if !(1..=REGISTERS_PER_WRITE_MAX).contains(&words.len()) {
                let most = REGISTERS_PER_WRITE_MAX;
                faults.add(values.span(), format!("one request writes 1 to {most} registers"), "");
            }
            if 0x1_0000 < usize::from(address) + words.len() {
                faults.add(values.span(), "the last register is beyond 65535", "");
            }
            Some(Write::Registers { address, words })
        }
        (raw::WriteTable::Coil | raw::WriteTable::Holding, ..) => {
            faults.add(raw.name.span(), "this action needs one value", "give `value` and no `values`");
            None
        }
        (raw::WriteTable::HoldingMultiple, ..) => {
            faults.add(raw.name.span(), "this action needs a list of values", "give `values` and no `value`");
            None
        }
    }
}

fn state(
    raw: &raw::Action,
    write: &Write,
    specs: &[PointSpec],
    faults: &mut Faults<'_>,
) -> Option<StateSpec> {
    let Some(given) = &raw.state else {
        if let Some(read_back) = &raw.read_back {
            faults.add(read_back.span(), "read_back needs a state to read", "give `state`");
        }
        return None;
    };
    let (table, address, count) = match given.get_ref() {
        raw::State::Address(raw::Address { table, address }) => (*table, *address, 1),
        raw::State::Point(name) => {
            let Some(spec) = specs.iter().find(|spec| spec.name == *name) else {
                faults.add(given.span(), format!("there is no point \"{name}\""), "");
                return None;
            };
            (spec.table, spec.address, spec.words())
        }
    };
    let written = match write {
        Write::Coil { address, on } => (Table::Coil, *address, u16::from(*on)),
        Write::CoilWord { .. } => return None,
        Write::Coils { address, bits } => {
            (Table::Coil, *address, u16::from(bits.first().copied().unwrap_or(false)))
        }
        Write::Register { address, word } => (Table::Holding, *address, *word),
        Write::Registers { address, words } => {
            (Table::Holding, *address, words.first().copied().unwrap_or(0))
        }
    };
    let itself = ((table, address) == (written.0, written.1)).then_some(written.2);
    Some(StateSpec {
        table,
        address,
        count,
        read_back: raw.read_back.as_ref().map(|raw| *raw.get_ref()).or(itself),
    })
}

fn example(raw: raw::Example, specs: &[PointSpec], faults: &mut Faults<'_>) -> Example {
    let at: BTreeMap<&str, usize> =
        specs.iter().enumerate().map(|(at, spec)| (spec.name.as_str(), at)).collect();
    let reasons = raw.reasons.into_iter().map(|(name, reason)| {
        let fault = match reason {
            raw::Reason::Sentinel => ReadFault::Sentinel,
            raw::Reason::NotANumber => ReadFault::NotANumber,
            raw::Reason::NotInService => ReadFault::NotInService,
            raw::Reason::Malformed => ReadFault::Malformed,
        };
        (name, Err(fault))
    });
    let mut expected = Vec::new();
    for (name, result) in raw.values.into_iter().map(|(name, value)| (name, Ok(value))).chain(reasons) {
        match at.get(name.get_ref().as_str()) {
            Some(at) => expected.push((*at, result)),
            None => faults.add(name.span(), format!("there is no point \"{}\"", name.get_ref()), ""),
        }
    }
    let block = |raw: raw::Block| RawBlock { table: raw.table, address: raw.address, words: raw.words };
    Example { name: raw.name, raw: raw.raw.into_iter().map(block).collect(), expected }
}

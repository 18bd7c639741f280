//! From a file to a profile: every rule that a profile must keep, every fault with its place.
//!
//! Tables are deserialised one by one, so that a fault in one point does not hide those of the next.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use self::map::Map;
use super::{Profile, ProfileFault, raw};
use crate::safety::site::DeviceKind;

mod action;
mod example;
mod identity;
mod limits;
mod linked;
mod map;
mod point;

/// Faults after which no more are collected: a broken group repeats its own for each member.
const FAULTS_MAX: usize = 200;

/// How deep groups may lie in each other: strings, and modules in them.
const GROUPS_DEEP_MAX: usize = 2;

pub(super) fn profile(text: &str, file: &str) -> Result<Profile, Vec<ProfileFault>> {
    let mut faults = Faults { file, found: Vec::new() };
    let profile = build(text, &mut faults);
    match profile {
        Some(profile) if faults.found.is_empty() => Ok(profile),
        Some(_) | None => Err(faults.found),
    }
}

/// Collects what is wrong, each fault once.
struct Faults<'a> {
    file: &'a str,
    found: Vec<ProfileFault>,
}

impl Faults<'_> {
    fn add(&mut self, span: Range<usize>, sentence: impl Into<String>, help: &str) {
        let help = (!help.is_empty()).then(|| help.to_owned());
        let fault = ProfileFault { file: self.file.to_owned(), span, sentence: sentence.into(), help };
        if self.found.len() < FAULTS_MAX && !self.found.contains(&fault) {
            self.found.push(fault);
        }
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

    /// There is something of this name already.
    fn twice(&mut self, what: &str, name: &str, span: Range<usize>) {
        self.add(span, format!("there is {what} \"{name}\" already"), "");
    }

    /// There is no point of this name.
    fn no_point(&mut self, name: &str, span: Range<usize>) {
        self.add(span, format!("there is no point \"{name}\""), "");
    }
}

/// The tables of a file, taken apart.
#[derive(Default)]
struct Parts<'a> {
    header: DeTable<'a>,
    points: Vec<Spanned<DeValue<'a>>>,
    groups: Vec<Spanned<DeValue<'a>>>,
    actions: Vec<Spanned<DeValue<'a>>>,
    texts: Vec<Spanned<DeValue<'a>>>,
    identity: Vec<Spanned<DeValue<'a>>>,
    examples: Vec<Spanned<DeValue<'a>>>,
}

impl<'a> Parts<'a> {
    /// `inner`: a group, which holds points, actions and groups only.
    fn of(table: DeTable<'a>, inner: bool, faults: &mut Faults<'_>) -> Self {
        let mut parts = Self::default();
        for (key, value) in table {
            let list = match key.get_ref().as_ref() {
                "point" => &mut parts.points,
                "group" => &mut parts.groups,
                "action" => &mut parts.actions,
                "text" if !inner => &mut parts.texts,
                "identity" if !inner => &mut parts.identity,
                "example" if !inner => &mut parts.examples,
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
        parts
    }
}

fn build(text: &str, faults: &mut Faults<'_>) -> Option<Profile> {
    let table = faults.take(0..text.len(), DeTable::parse(text))?;
    let whole = table.span();
    let parts = Parts::of(table.into_inner(), false, faults);
    let header = DeValue::Table(parts.header);
    let header = raw::Header::deserialize(ValueDeserializer::from(Spanned::new(whole, header)));
    let header = faults.take(0..text.len().min(1), header);
    let points: Vec<raw::Point> = each(parts.points, faults);
    let actions: Vec<raw::Action> = each(parts.actions, faults);
    let groups = self::groups(parts.groups, 1, faults);
    let texts: Vec<raw::Text> = each(parts.texts, faults);
    let identity: Vec<raw::Identity> = each(parts.identity, faults);
    let examples: Vec<Spanned<raw::Example>> = each(parts.examples, faults);
    let limits = header.as_ref().and_then(|header| header.limits.as_ref());
    let limits = limits.map(|raw| limits::limits(raw, faults)).unwrap_or_default();
    let sunspec = header.as_ref().and_then(|header| header.sunspec.as_ref());
    let bases = sunspec.map(|raw| limits::bases(raw, faults)).unwrap_or_default();
    let map = Map::build(&points, &groups, &actions, &limits, faults);
    let texts = identity::texts(&texts, &limits, faults);
    let identity = identity::checks(identity, &texts, &bases, faults);
    let examples = examples
        .into_iter()
        .map(|raw| example::example(raw, &map.points, &map.actions, &texts, faults))
        .collect();
    map.bases_fit(&bases, sunspec.map_or(0..0, Spanned::span), faults);
    let header = header?;
    faults.name(header.id.get_ref(), header.id.span());
    if header.source.get_ref().trim().is_empty() {
        let help = "name the document or driver and its revision";
        faults.add(header.source.span(), "the source is empty", help);
    }
    let (points, actions, services, layout) = map.finish(bases);
    Some(Profile {
        id: header.id.into_inner(),
        vendor: header.vendor,
        models: header.models,
        kind: kind(header.kind),
        source: header.source.into_inner(),
        transport: header.transport,
        limits,
        points,
        actions,
        services,
        examples,
        texts,
        identity,
        layout,
        absent: BTreeSet::new(),
        absent_actions: BTreeSet::new(),
    })
}

fn groups(items: Vec<Spanned<DeValue<'_>>>, depth: usize, faults: &mut Faults<'_>) -> Vec<raw::Group> {
    let mut groups = Vec::new();
    for item in items {
        let span = item.span();
        let DeValue::Table(table) = item.into_inner() else {
            faults.add(span, "a group is a table", "write [[group]]");
            continue;
        };
        if GROUPS_DEEP_MAX < depth {
            faults.add(span, format!("groups lie at most {GROUPS_DEEP_MAX} deep"), "");
            continue;
        }
        let parts = Parts::of(table, true, faults);
        let head = ValueDeserializer::from(Spanned::new(span.clone(), DeValue::Table(parts.header)));
        let head = faults.take(span.clone(), raw::GroupHead::deserialize(head));
        let points = each(parts.points, faults);
        let actions = each(parts.actions, faults);
        let inner = self::groups(parts.groups, depth + 1, faults);
        if let Some(head) = head {
            groups.push(raw::Group { head: Spanned::new(span, head), points, actions, groups: inner });
        }
    }
    groups
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

/// Names, and where they stand.
type Names = BTreeMap<String, usize>;

//! What points say of each other: scale factors, states that take others out of service, snapshots.

use std::collections::BTreeMap;

use super::super::{Encoding, Limits, PointSpec, ServiceRule, raw};
use super::map::Place;
use super::{Faults, Names};

/// What can be the exponent of another point.
pub(super) fn is_factor(point: &PointSpec) -> bool {
    let plain = (point.scaling.scale - 1.0).abs() < f64::EPSILON && point.scaling.offset.abs() < f64::EPSILON;
    point.encoding == Encoding::I16 && point.part.is_none() && plain && point.factor.is_none()
}

/// The points that a state takes out of service, looked up.
pub(super) fn service(
    state: usize,
    raw: &raw::Point,
    place: &Place,
    points: &[PointSpec],
    names: &Names,
    faults: &mut Faults<'_>,
) -> ServiceRule {
    if raw.not_in_service.is_empty() || raw.applies_to.is_empty() {
        faults.add(raw.name.span(), "not_in_service and applies_to belong together", "give both or none");
    }
    let class = &points[state].class;
    let mut applies_to = Vec::new();
    for given in &raw.applies_to {
        let name = place.name(given.get_ref());
        match names.get(&name) {
            None => faults.no_point(&name, given.span()),
            Some(at) if points[*at].class != *class => faults.add(
                given.span(),
                format!("\"{name}\" is not read in the scan class of its state"),
                "give both points the same class, so that one poll reads both",
            ),
            Some(at) if *at == state => faults.add(given.span(), "a state cannot apply to itself", ""),
            Some(at) => applies_to.push(*at),
        }
    }
    ServiceRule { state, out_of_service: raw.not_in_service.clone(), applies_to }
}

/// Points that must not be torn apart have to fit into one request.
pub(super) fn atomic(
    points: &[PointSpec],
    linked: &[(usize, &raw::Point, Place)],
    limits: &Limits,
    faults: &mut Faults<'_>,
) {
    let mut first_of: BTreeMap<u16, usize> = BTreeMap::new();
    let mut reach: BTreeMap<u16, (u16, u32)> = BTreeMap::new();
    for (at, raw, _) in linked {
        let Some(number) = &raw.atomic else { continue };
        let point = &points[*at];
        let first = &points[*first_of.entry(*number.get_ref()).or_insert(*at)];
        let place = |point: &PointSpec| (point.table, point.class.clone(), point.model, point.model_index);
        if place(first) != place(point) {
            let help = "the points of one number share table, class and model";
            faults.add(number.span(), "these cannot be read in one request", help);
            continue;
        }
        let end = u32::from(point.address) + u32::from(point.words());
        let span = reach.entry(*number.get_ref()).or_insert((point.address, end));
        *span = (span.0.min(point.address), span.1.max(end));
        let most = if point.table.holds_bits() { limits.max_bits } else { limits.max_registers };
        if u32::from(most) < span.1 - u32::from(span.0) {
            let help = format!("one request reads at most {most} here");
            faults.add(number.span(), "these cannot be read in one request", &help);
        }
    }
}

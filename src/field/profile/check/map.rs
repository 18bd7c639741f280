//! All points and actions of a file: repeats and groups written out, names resolved to positions.
//!
//! A group is a pattern of points and actions that a device has several times over: a `stride` of addresses
//! apart, or, without a stride, each in a SunSpec model of its own. `{n}` in a name is the number of the member,
//! `{m}` that of the member of an inner group.

use std::ops::Range;

use super::super::{ActionSpec, GroupSpec, LayoutSpec, Limits, POINTS_MAX, PointSpec, ServiceRule, raw};
use super::linked::{atomic, is_factor, service};
use super::{Faults, Names, action, limits, point};

/// The points and actions of a file, written out.
#[derive(Default)]
pub(super) struct Map<'a> {
    pub(super) points: Vec<PointSpec>,
    pub(super) actions: Vec<ActionSpec>,
    services: Vec<ServiceRule>,
    groups: Vec<GroupSpec>,
    names: Names,
    /// Points whose other points are looked up when all are known.
    linked: Vec<(usize, &'a raw::Point, Place)>,
    /// Actions likewise; the position of each is that of the action it becomes.
    pending: Vec<(&'a raw::Action, Place)>,
    /// Where the file first speaks of a model.
    model: Option<Range<usize>>,
}

/// Where one copy of a pattern stands.
#[derive(Clone, Copy, Default)]
pub(super) struct Place {
    /// Added to its addresses.
    pub(super) shift: u32,
    /// The model they count from.
    pub(super) model: Option<u16>,
    pub(super) index: u16,
    outer: Option<u32>,
    inner: Option<u32>,
}

impl Place {
    /// The name of this copy.
    pub(super) fn name(&self, pattern: &str) -> String {
        let fill = |text: String, mark: &str, number: Option<u32>| match number {
            Some(number) => text.replace(mark, &number.to_string()),
            None => text,
        };
        fill(fill(pattern.to_owned(), "{n}", self.outer), "{m}", self.inner)
    }
}

impl<'a> Map<'a> {
    pub(super) fn build(
        points: &'a [raw::Point],
        groups: &'a [raw::Group],
        actions: &'a [raw::Action],
        limits: &Limits,
        faults: &mut Faults<'_>,
    ) -> Self {
        let mut map = Self::default();
        for raw in points {
            map.lone(raw, limits, faults);
        }
        for raw in groups {
            map.group(raw, Place::default(), limits, faults);
        }
        for raw in actions {
            let model = raw.model.as_ref().map(|model| *model.get_ref());
            if let Some(model) = &raw.model {
                map.model.get_or_insert(model.span());
            } else if let Some(index) = &raw.model_index {
                faults.add(index.span(), "model_index needs a model", "");
            }
            let index = raw.model_index.as_ref().map_or(0, |index| *index.get_ref());
            map.pending.push((raw, Place { model, index, ..Place::default() }));
        }
        if POINTS_MAX < map.points.len() {
            faults.add(0..0, format!("these are more than {POINTS_MAX} points"), "");
        }
        if POINTS_MAX < map.pending.len() {
            faults.add(0..0, format!("these are more than {POINTS_MAX} actions"), "");
        }
        map.link(faults);
        map.act(limits, faults);
        atomic(&map.points, &map.linked, limits, faults);
        map
    }

    pub(super) fn finish(
        self,
        bases: Vec<u16>,
    ) -> (Vec<PointSpec>, Vec<ActionSpec>, Vec<ServiceRule>, LayoutSpec) {
        let layout = LayoutSpec { sunspec_bases: bases, groups: self.groups };
        (self.points, self.actions, self.services, layout)
    }

    /// Models need a map to be found in, and a map needs models.
    pub(super) fn bases_fit(&self, bases: &[u16], sunspec: Range<usize>, faults: &mut Faults<'_>) {
        match &self.model {
            Some(span) if bases.is_empty() => {
                let help = "give [sunspec] with bases = [40000, 0, 50000]";
                faults.add(span.clone(), "a model is found through a SunSpec map", help);
            }
            None if !bases.is_empty() => {
                let help = "give points a model, or leave [sunspec] out";
                faults.add(sunspec, "no point lies in a SunSpec model", help);
            }
            Some(_) | None => {}
        }
    }

    /// A point of its own, or one repeated.
    fn lone(&mut self, raw: &'a raw::Point, limits: &Limits, faults: &mut Faults<'_>) {
        let count = raw.count.as_ref().map_or(1, |count| *count.get_ref());
        if raw.count.is_some() != raw.name.get_ref().contains("{n}") {
            let help = "give both or none";
            faults.add(raw.name.span(), "a repeated point has `count`, and {n} in its name", help);
        }
        for lone in [&raw.stride, &raw.first].into_iter().flatten().filter(|_| raw.count.is_none()) {
            faults.add(lone.span(), "only a repeated point has this", "give `count` too, or leave it out");
        }
        let start = raw.first.as_ref().map_or(1, |first| *first.get_ref());
        let words = point::single(raw, faults).words();
        let stride = raw.stride.as_ref().map_or(words, |stride| *stride.get_ref());
        if count == 0 || (1 < count && stride < words) {
            let help = "check count and stride";
            faults.add(raw.name.span(), "repeated points overlap, or there are none", help);
            return;
        }
        let model = raw.model.as_ref().map(|model| *model.get_ref());
        if let (None, Some(index)) = (model, &raw.model_index) {
            faults.add(index.span(), "model_index needs a model", "");
        }
        for n in 0..count {
            let place = Place {
                shift: u32::from(n) * u32::from(stride),
                model,
                index: raw.model_index.as_ref().map_or(0, |index| *index.get_ref()),
                outer: raw.count.as_ref().map(|_| u32::from(start) + u32::from(n)),
                inner: None,
            };
            if self.point(raw, place, limits, faults).is_none() {
                return;
            }
        }
    }

    /// One copy of a point; `None` once there is no room for more.
    fn point(
        &mut self,
        raw: &'a raw::Point,
        place: Place,
        limits: &Limits,
        faults: &mut Faults<'_>,
    ) -> Option<usize> {
        let one = point::single(raw, faults);
        let first = place.shift.saturating_add(u32::from(one.address));
        let beyond = limits::beyond(first, one.words(), raw.address.span(), faults);
        if beyond || POINTS_MAX < self.points.len() {
            return None;
        }
        let address = u16::try_from(first).ok()?;
        let last = first + u32::from(one.words()) - 1;
        let touches = |range: &super::super::Forbidden| {
            range.table == one.table && u32::from(range.first) <= last && address <= range.last
        };
        if place.model.is_none() && limits.forbidden.iter().any(touches) {
            faults.add(raw.address.span(), "it lies in a range that is forbidden to read", "");
        }
        if let Some(model) = &raw.model {
            self.model.get_or_insert(model.span());
        }
        let name = place.name(raw.name.get_ref());
        faults.name(&name, raw.name.span());
        let at = self.points.len();
        if self.names.insert(name.clone(), at).is_some() {
            faults.twice("a point", &name, raw.name.span());
        }
        let linked = raw.factor.is_some() || !raw.not_in_service.is_empty() || !raw.applies_to.is_empty();
        if linked || raw.atomic.is_some() {
            self.linked.push((at, raw, place));
        }
        self.points.push(PointSpec { name, address, model: place.model, model_index: place.index, ..one });
        Some(at)
    }

    /// All members of a group, the inner groups of each with it.
    fn group(
        &mut self,
        raw: &'a raw::Group,
        outer: Place,
        limits: &Limits,
        faults: &mut Faults<'_>,
    ) -> Vec<(Vec<usize>, Vec<usize>)> {
        let head = raw.head.get_ref();
        let nested = outer.outer.is_some();
        let own_model = head.model.as_ref().map(|model| *model.get_ref());
        self.check_group(raw, nested, faults);
        if raw.points.is_empty() && raw.actions.is_empty() && raw.groups.is_empty() {
            let help = "write [[group.point]]";
            faults.add(raw.head.span(), "there is nothing in this group", help);
            return Vec::new();
        }
        let count = *head.count.get_ref();
        let mut members = Vec::new();
        for n in 0..count {
            let number = Some(u32::from(head.first.unwrap_or(1)) + u32::from(n));
            let (shift, index) = match &head.stride {
                Some(stride) => (u32::from(n) * u32::from(*stride.get_ref()), 0),
                None => (0, n),
            };
            let place = Place {
                shift: outer.shift.saturating_add(shift),
                model: own_model.or(outer.model),
                index: outer.index.saturating_add(index),
                outer: if nested { outer.outer } else { number },
                inner: number.filter(|_| nested),
            };
            let Some(member) = self.member(raw, place, limits, faults) else { break };
            members.push(member);
        }
        if let Some(from) = &head.count_from {
            let from = from.get_ref();
            let address = outer.shift.saturating_add(u32::from(from.address));
            limits::beyond(address, 1, head.count.span(), faults);
            self.groups.push(GroupSpec {
                table: from.table,
                address: u16::try_from(address).unwrap_or(u16::MAX),
                model: from.model.or(own_model).or(outer.model),
                model_index: outer.index,
                members: members.iter().map(|(points, _)| points.clone()).collect(),
                actions: members.iter().map(|(_, actions)| actions.clone()).collect(),
            });
        }
        members
    }

    fn check_group(&mut self, raw: &raw::Group, nested: bool, faults: &mut Faults<'_>) {
        let head = raw.head.get_ref();
        if *head.count.get_ref() == 0 {
            faults.add(head.count.span(), "a group has at least one member", "the most a device can have");
        }
        if let Some(model) = &head.model {
            self.model.get_or_insert(model.span());
            if nested {
                faults.add(model.span(), "an inner group lies in the model of the outer one", "leave it out");
            }
        }
        let by_model = head.stride.is_none() && head.model.is_some();
        if head.stride.is_none() && !by_model && *head.count.get_ref() != 1 {
            let help = "give stride, or a model of which there is one for each member";
            faults.add(head.count.span(), "nothing says where the next member is", help);
        }
        if let Some(from) = &head.count_from
            && (by_model || from.get_ref().table.holds_bits())
        {
            let help = "models are counted by the chain itself; other numbers stand in input or holding";
            faults.add(from.span(), "this is not counted here", help);
        }
        for point in &raw.points {
            let own = [&point.count, &point.stride, &point.first, &point.model, &point.model_index];
            for given in own.into_iter().flatten() {
                let help = "give it to the group; for repeats within, write an inner group";
                faults.add(given.span(), "a point of a group does not have this", help);
            }
        }
    }

    /// One member: the positions of its points and actions. `None` once there is no room for more.
    fn member(
        &mut self,
        raw: &'a raw::Group,
        place: Place,
        limits: &Limits,
        faults: &mut Faults<'_>,
    ) -> Option<(Vec<usize>, Vec<usize>)> {
        let (mut points, mut actions) = (Vec::new(), Vec::new());
        for raw in &raw.points {
            points.push(self.point(raw, place, limits, faults)?);
        }
        for raw in &raw.actions {
            for given in [&raw.model, &raw.model_index].into_iter().flatten() {
                faults.add(given.span(), "an action of a group does not have this", "give it to the group");
            }
            if POINTS_MAX < self.pending.len() {
                return None;
            }
            actions.push(self.pending.len());
            self.pending.push((raw, place));
        }
        for inner in &raw.groups {
            for (inner_points, inner_actions) in self.group(inner, place, limits, faults) {
                points.extend(inner_points);
                actions.extend(inner_actions);
            }
        }
        Some((points, actions))
    }

    /// Looks up the points that points name.
    fn link(&mut self, faults: &mut Faults<'_>) {
        for (at, raw, place) in &self.linked {
            if let Some(factor) = &raw.factor {
                let name = place.name(factor.get_ref());
                match self.names.get(&name) {
                    None => faults.no_point(&name, factor.span()),
                    Some(found) if !is_factor(&self.points[*found]) => {
                        let help = "a factor is an i16 without scale, offset, labels or a factor of its own";
                        faults.add(factor.span(), format!("\"{name}\" is no scale factor"), help);
                    }
                    Some(found) => self.points[*at].factor = Some(*found),
                }
            }
            if !raw.not_in_service.is_empty() || !raw.applies_to.is_empty() {
                self.services.push(service(*at, raw, place, &self.points, &self.names, faults));
            }
        }
    }

    fn act(&mut self, limits: &Limits, faults: &mut Faults<'_>) {
        let mut names = Names::new();
        for (raw, place) in &self.pending {
            let name = place.name(raw.name.get_ref());
            faults.name(&name, raw.name.span());
            if names.insert(name.clone(), 0).is_some() {
                faults.twice("an action", &name, raw.name.span());
            }
            let known = action::Known { points: &self.points, names: &self.names, limits };
            self.actions.extend(action::action(raw, *place, name, &known, faults));
        }
    }
}

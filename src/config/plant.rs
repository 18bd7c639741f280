//! Rooms, zones, links and devices: what stands where, and which points there are.
//!
//! Ids are positions in the tables of the site, so a faulty item keeps its place: what refers to it is
//! not complained about a second time. Nothing of it is used once there is any error.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::config::complaint::{Desk, Place};
use crate::config::doubts;
use crate::config::explain::Code;
use crate::config::links;
use crate::config::names::{self, Names};
use crate::config::node::{At, Node};
use crate::config::nut;
use crate::config::profiles::{Library, ProfileView};
use crate::config::table::{Table, wrong_type};
use crate::config::value;
use crate::field::options::{DeviceOptions, LinkOptions};
use crate::field::plan;
use crate::safety::site::{Device, DeviceId, DeviceKind, Point, PointId, Room, RoomId, Site, Zone, ZoneId};
use crate::units::Millis;

/// How long a period of polling may be.
const PERIOD_MS: std::ops::RangeInclusive<u64> = 100..=600_000;
/// What a site may promise to itself.
const LIMIT_MS: std::ops::RangeInclusive<u64> = 1_000..=600_000;
/// Polls that may be missed before a value is stale (R4) …
const MISSED_POLLS: u64 = 3;
/// … but never less than this.
const STALE_MIN: Millis = Millis(3_000);

/// The plant as it is built up, with the names to find its parts.
pub(super) struct Plant {
    pub(super) site: Site,
    pub(super) links: Vec<LinkOptions>,
    /// Where each link's id stands.
    pub(super) link_places: Vec<Place>,
    /// What the site states of its worst case.
    pub(super) limits: SiteLimits,
    /// The profile of each device; `None` where it is faulty.
    pub(super) views: Vec<Option<Arc<ProfileView>>>,
    pub(super) zones: Names,
    devices: Names,
    pub(super) device_names: Vec<String>,
    /// The UPSs of the NUT server, whose machines stages may wait for.
    pub(super) nut_upses: Vec<String>,
}

/// Limits that a site states for its own worst case.
#[derive(Default)]
pub(super) struct SiteLimits {
    /// From a physical change to the first alert.
    pub(super) first_alert: Option<At<Millis>>,
    /// From a physical change to the first frame to a breaker.
    pub(super) first_frame: Option<At<Millis>>,
}

/// After how long without an answer a value polled with this period is stale.
pub(super) fn stale_after(period: Millis) -> Millis {
    period.times(MISSED_POLLS).max(STALE_MIN)
}

impl Plant {
    /// Reads `[site]`, `[[room]]`, `[[zone]]`, `[[link]]` and `[[device]]`.
    pub(super) fn read(desk: &mut Desk, root: &mut Table, library: &Library) -> Self {
        let mut plant = Self {
            site: Site::default(),
            links: Vec::new(),
            link_places: Vec::new(),
            limits: SiteLimits::default(),
            views: Vec::new(),
            zones: Names::new("zone"),
            devices: Names::new("device"),
            device_names: Vec::new(),
            nut_upses: nut::names(root),
        };
        plant.read_site(desk, root);
        let rooms = plant.read_rooms(desk, root);
        plant.read_zones(desk, root, &rooms);
        let links::Links { options, names, places } = links::read(desk, root);
        (plant.links, plant.link_places) = (options, places);
        plant.read_devices(desk, root, library, &names);
        for (what, count) in [
            ("room", plant.site.rooms.len()),
            ("zone", plant.site.zones.len()),
            ("link", plant.links.len()),
            ("device", plant.site.devices.len()),
        ] {
            if count == 0 {
                desk.say(Code::NothingToWatch, root.at, format!("there is no {what}"))
                    .help(format!("add a `[[{what}]]`"));
            }
        }
        plant
    }

    fn read_site(&mut self, desk: &mut Desk, root: &mut Table) {
        let Some(mut table) = root.need(desk, "site", as_table) else { return };
        let id = table.need(desk, "id", value::id);
        let gateway = table.need(desk, "gateway", value::id);
        if let Some(mut limits) = table.table(desk, "limits") {
            self.limits.first_alert = limits.may(desk, "first_alert", value::duration(LIMIT_MS));
            self.limits.first_frame = limits.may(desk, "first_breaker_frame", value::duration(LIMIT_MS));
            limits.finish(desk);
        }
        table.finish(desk);
        self.site.name = id.map(|id| id.value).unwrap_or_default();
        self.site.gateway = gateway.map(|id| id.value).unwrap_or_default();
    }

    fn read_rooms(&mut self, desk: &mut Desk, root: &mut Table) -> Names {
        let mut names = Names::new("room");
        for (index, mut table) in root.tables(desk, "room").into_iter().enumerate() {
            let id = table.need(desk, "id", value::id);
            let title = table.may(desk, "title", value::filled);
            table.finish(desk);
            if let Some(id) = &id {
                names.add(desk, id, index);
                if id.value == "gateway" {
                    desk.say(Code::ReservedId, id.at, "a room cannot be called `gateway`")
                        .label("stands for the machine itself in topics")
                        .help("use another id, and the title for people");
                }
            }
            let name = id.map(|id| id.value).unwrap_or_default();
            self.site
                .rooms
                .push(Room { title: title.map_or_else(|| name.clone(), |title| title.value), name });
        }
        names
    }

    fn read_zones(&mut self, desk: &mut Desk, root: &mut Table, rooms: &Names) {
        for (index, mut table) in root.tables(desk, "zone").into_iter().enumerate() {
            let id = table.need(desk, "id", value::id);
            let title = table.may(desk, "title", value::filled);
            let room = table.need(desk, "room", value::text);
            table.finish(desk);
            if let Some(id) = &id {
                self.zones.add(desk, id, index);
            }
            let room = room.and_then(|room| rooms.find(desk, &room)).unwrap_or(0);
            let name = id.map(|id| id.value).unwrap_or_default();
            let title = title.map_or_else(|| name.clone(), |title| title.value);
            self.site.zones.push(Zone { name, title, room: RoomId::at(room) });
        }
    }

    fn read_devices(&mut self, desk: &mut Desk, root: &mut Table, library: &Library, links: &Names) {
        let mut units: BTreeMap<(usize, i64), Place> = BTreeMap::new();
        let (mut frozen, mut heartbeats, mut redundant) = (Vec::new(), Vec::new(), Vec::new());
        for (index, mut table) in root.tables(desk, "device").into_iter().enumerate() {
            let id = table.need(desk, "id", value::id);
            let title = table.may(desk, "title", value::filled);
            let zone = table.need(desk, "zone", value::text).and_then(|zone| self.zones.find(desk, &zone));
            let link = table.need(desk, "link", value::text).and_then(|link| links.find(desk, &link));
            let unit = table.need(desk, "unit", value::whole(0..=255));
            let view = table.need(desk, "profile", value::text).and_then(|name| {
                let view = library.find(desk, &name)?;
                check_groups(desk, name.at, &view);
                Some(view)
            });
            let scan = table.need(desk, "scan", as_table);
            frozen.extend(table.tables(desk, "frozen").into_iter().map(|table| (index, table)));
            redundant.extend(table.tables(desk, "redundant").into_iter().map(|table| (index, table)));
            heartbeats.extend(table.may(desk, "heartbeat", as_table).map(|table| (index, table)));
            table.finish(desk);
            if let Some(id) = &id {
                self.devices.add(desk, id, index);
            }
            if let (Some(link), Some(unit)) = (link, &unit) {
                links::check_unit(desk, &self.links[link].endpoint, unit);
            }
            if let (Some(link), Some(unit)) = (link, &unit)
                && let Some(first) = units.insert((link, unit.value), unit.at)
            {
                desk.say(Code::UnitTaken, unit.at, format!("unit {} of this link is taken", unit.value))
                    .label("again here")
                    .also(first, "first here")
                    .help("check the unit identifiers of the devices");
            }
            let periods = scan.and_then(|scan| periods(desk, scan, view.as_deref()?));
            let name = id.map(|id| id.value).unwrap_or_default();
            self.device_names.push(name.clone());
            let title = title.map_or_else(|| name.clone(), |title| title.value);
            let unit = unit.and_then(|unit| u8::try_from(unit.value).ok()).unwrap_or(0);
            let device = NewDevice { name, title, zone: ZoneId::at(zone.unwrap_or(0)), link, unit };
            self.add_device(device, view.zip(periods));
        }
        for (device, table) in frozen {
            doubts::frozen(desk, self, device, table);
        }
        for (device, table) in heartbeats {
            doubts::heartbeat(desk, self, device, table);
        }
        for (device, table) in redundant {
            doubts::redundant(desk, self, device, table);
        }
    }

    fn add_device(&mut self, new: NewDevice, healthy: Option<(Arc<ProfileView>, BTreeMap<String, Millis>)>) {
        let device = DeviceId::at(self.site.devices.len());
        let first = PointId::at(self.site.points.len()).0;
        let mut shortest = Millis::ZERO;
        let mut kind = DeviceKind::Contact;
        if let Some((view, periods)) = &healthy {
            kind = view.kind;
            shortest = periods.values().copied().min().unwrap_or(Millis::ZERO);
            for point in &view.points {
                let period = periods.get(&point.class).copied().unwrap_or(shortest);
                self.site.points.push(Point {
                    name: point.name.clone(),
                    device,
                    unit: point.unit,
                    period,
                    stale_after: stale_after(period),
                    range: point.range,
                    fall_per_s_max: point.fall_per_s_max,
                    frozen: None,
                    labels: point.labels.clone(),
                });
            }
        }
        let points = first..PointId::at(self.site.points.len()).0;
        if let (Some(link), Some((view, periods))) = (new.link, &healthy) {
            self.links[link].devices.push(DeviceOptions {
                device,
                name: new.name.clone(),
                unit: new.unit,
                profile: Arc::clone(&view.profile),
                points: points.clone().map(PointId).collect(),
                periods: periods.clone(),
                actions: Vec::new(),
            });
        }
        self.site.devices.push(Device {
            name: new.name,
            title: new.title,
            zone: new.zone,
            kind,
            points,
            silent_after: stale_after(shortest),
            switches: false,
        });
        self.views.push(healthy.map(|(view, _)| view));
    }

    /// The point written `device/point`; a complaint if there is none, silence if its device is faulty.
    pub(super) fn point(&self, desk: &mut Desk, name: &At<String>) -> Option<PointId> {
        let (device, view, rest) = self.split(desk, name, "point")?;
        if let Some(index) = view.points.iter().position(|point| point.name == rest.value) {
            return Some(PointId::at(self.site.devices[device].points.start as usize + index));
        }
        names::unknown(desk, "point", &rest, view.points.iter().map(|point| point.name.as_str()));
        None
    }

    /// The device of this id; a complaint if there is none.
    pub(super) fn find_device(&self, desk: &mut Desk, name: &At<String>) -> Option<DeviceId> {
        self.devices.find(desk, name).map(DeviceId::at)
    }

    /// The point written `device/point`, if there is one.
    pub(super) fn known(&self, name: &str) -> Option<PointId> {
        let (device, point) = name.split_once('/')?;
        let device = self.device_names.iter().position(|known| known == device)?;
        let mut points = self.site.devices[device].points.clone().map(PointId);
        points.find(|id| self.site[*id].name == point)
    }

    /// The points written `device/point`, where `{n}` in the point stands for any number, as in the profiles of
    /// repeating parts; a complaint if there are none.
    pub(super) fn points(&self, desk: &mut Desk, name: &At<String>) -> Option<Vec<PointId>> {
        let (device, view, rest) = self.split(desk, name, "point")?;
        let Some((before, after)) = rest.value.split_once("{n}") else {
            return self.point(desk, name).map(|point| vec![point]);
        };
        let first = self.site.devices[device].points.start as usize;
        let like = |point: &str| {
            let number = point.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
            number
                .is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
        };
        let found = view.points.iter().enumerate().filter(|(_, point)| like(&point.name));
        let found: Vec<PointId> = found.map(|(index, _)| PointId::at(first + index)).collect();
        if found.is_empty() {
            names::unknown(desk, "point", &rest, view.points.iter().map(|point| point.name.as_str()));
            return None;
        }
        Some(found)
    }

    /// Device, profile and the rest of `device/rest`.
    pub(super) fn split(
        &self,
        desk: &mut Desk,
        name: &At<String>,
        what: &str,
    ) -> Option<(usize, Arc<ProfileView>, At<String>)> {
        let Some((device, rest)) = name.value.split_once('/') else {
            desk.say(Code::UnknownName, name.at, format!("`{}` is no {what}", name.value))
                .label("without its device")
                .help(format!("write `device/{what}`"));
            return None;
        };
        let device = self.devices.find(desk, &At { value: device.to_owned(), at: name.at })?;
        let view = self.views[device].clone()?;
        Some((device, view, At { value: rest.to_owned(), at: name.at }))
    }
}

struct NewDevice {
    name: String,
    title: String,
    zone: ZoneId,
    link: Option<usize>,
    unit: u8,
}

/// A value that is a table.
pub(super) fn as_table(desk: &mut Desk, key: &str, node: At<Node>) -> Option<Table> {
    if let Node::Table(table) = node.value {
        return Some(table);
    }
    wrong_type(desk, key, &node, "a table").help(format!("write {key} = {{ … }}"));
    None
}

/// Complains about points that the profile wants read together and the device cannot deliver so.
fn check_groups(desk: &mut Desk, at: Place, view: &ProfileView) {
    for fault in plan::faults(&view.profile) {
        desk.say(Code::TornGroup, at, fault.to_string())
            .label(format!("profile `{}`", view.id))
            .help("correct the group, or the limits of the device, in the profile");
    }
}

/// The period of each scan class of the profile: all of them, and no others.
fn periods(desk: &mut Desk, mut scan: Table, view: &ProfileView) -> Option<BTreeMap<String, Millis>> {
    let classes: std::collections::BTreeSet<&str> =
        view.points.iter().map(|point| point.class.as_str()).collect();
    let mut periods = BTreeMap::new();
    for (key, node) in scan.drain() {
        if !classes.contains(key.value.as_str()) {
            desk.say(Code::ScanClass, key.at, format!("`{}` has no scan class `{}`", view.id, key.value))
                .label("unknown class")
                .help(crate::config::suggest::help(&key.value, classes.iter().copied()));
        } else if let Some(period) = value::duration(PERIOD_MS)(desk, &key.value, node) {
            periods.insert(key.value, period.value);
        } else {
            return None;
        }
    }
    let missing: Vec<&str> = classes.iter().copied().filter(|class| !periods.contains_key(*class)).collect();
    if missing.is_empty() {
        return Some(periods);
    }
    desk.say(Code::ScanClass, scan.at, format!("no period for scan class {}", missing.join(", ")))
        .label("each class of the profile needs a period")
        .help(format!("add for instance {} = \"1s\"", missing[0]));
    None
}

/// Checks `host:port`.
pub(super) fn host_and_port(desk: &mut Desk, address: &At<String>) -> Option<(String, u16)> {
    let parts = address.value.rsplit_once(':').and_then(|(host, port)| {
        let port = port.parse::<u16>().ok().filter(|&port| 0 < port)?;
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let good = match bare {
            Some(ip) => ip.parse::<std::net::Ipv6Addr>().is_ok(),
            None => is_host(host),
        };
        good.then(|| (bare.unwrap_or(host).to_owned(), port))
    });
    if parts.is_none() {
        desk.say(Code::BadAddress, address.at, format!("`{}` is not host:port", address.value))
            .help("write for instance \"192.0.2.10:502\"; IPv6 addresses in brackets");
    }
    parts
}

/// Whether this can be a host name or an IPv4 address.
pub(super) fn is_host(host: &str) -> bool {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    !host.is_empty() && host.len() <= 253 && host.bytes().all(good)
}

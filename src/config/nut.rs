//! `[nut]`: the NUT server, its users, and what it shows as UPSs.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use secrecy::ExposeSecret;

use crate::config::complaint::{Desk, Place};
use crate::config::explain::Code;
use crate::config::names::Names;
use crate::config::node::{At, Node};
use crate::config::plant::Plant;
use crate::config::secrets::{self, Environment};
use crate::config::sequences::{expect, loads};
use crate::config::table::Table;
use crate::config::value;
use crate::nut::options::names as variables_of_nut;
use crate::nut::options::{
    CONNECTIONS_MAX, NutOptions, Role, StatusWord, TlsOptions, UpsOptions, UserOptions, Variable,
};
use crate::safety::sequence::spec::{Expect, Sequence, StageWhen};
use crate::safety::site::{DeviceId, FeedId, ZoneId};
use crate::units::Millis;

const ROLES: &[(&str, Role)] = &[("primary", Role::Primary), ("secondary", Role::Secondary)];

/// How long before a cut machines may be told.
const BEFORE_MS: std::ops::RangeInclusive<u64> = 0..=3_600_000;
/// How long a client may be silent: upsmon asks every few seconds.
const IDLE_MS: std::ops::RangeInclusive<u64> = 10_000..=3_600_000;
const IDLE: Millis = Millis::from_secs(300);
const CONNECTIONS: i64 = 256;
/// The shortest password.
const PASSWORD_CHARS_MIN: usize = 8;

/// The ids of all UPSs, without asking for them: stages name them before they are read.
pub(super) fn names(root: &Table) -> Vec<String> {
    let nut = root.peek_table("nut");
    let upses = nut.map(|nut| nut.peek_tables("ups")).unwrap_or_default();
    upses.iter().filter_map(|ups| ups.peek_text("id")).map(str::to_owned).collect()
}

/// Reads `[nut]`, if it is there.
pub(super) fn read(
    desk: &mut Desk,
    root: &mut Table,
    env: Environment,
    plant: &Plant,
    sequences: &[Option<Sequence>],
) -> Option<NutOptions> {
    let mut table = root.table(desk, "nut")?;
    let listen = table.need(desk, "listen", value::text);
    let most = i64::try_from(CONNECTIONS_MAX).unwrap_or(i64::MAX);
    let connections = table.may(desk, "connections_max", value::whole(1..=most));
    let idle = table.may(desk, "idle_timeout", value::duration(IDLE_MS));
    let fsd = table.need(desk, "fsd_before", value::duration(BEFORE_MS));
    let low = table.may(desk, "low_battery_before", value::duration(BEFORE_MS));
    let has_tls = table.has("tls");
    let tls = table.table(desk, "tls").and_then(|table| tls(desk, table));
    let allow_plaintext = table.may(desk, "allow_plaintext", value::flag).unwrap_or(false);
    let tables = table.tables(desk, "user");
    let users = users(desk, tables, env);
    let mut names = Names::new("nut.ups");
    let upses = table.tables(desk, "ups").into_iter().enumerate();
    let upses: Vec<Option<(Place, UpsOptions)>> =
        upses.map(|(index, table)| ups(desk, table, plant, &mut names, index)).collect();
    let at = table.at;
    table.finish(desk);
    if upses.is_empty() {
        desk.say(Code::NutUps, at, "there is no UPS to show").help("add `[[nut.ups]]`");
    }
    let (listen, fsd) = (address(desk, &listen?, has_tls || allow_plaintext)?, fsd?);
    if let Some(low) = &low
        && low.value < fsd.value
    {
        desk.say(Code::NutUps, low.at, "`OB LB` would be shown later than `FSD`")
            .also(fsd.at, "shut down this long before the cut")
            .help("write a longer time, or leave low_battery_before out");
    }
    let upses: Vec<(Place, UpsOptions)> = upses.into_iter().collect::<Option<_>>()?;
    for (at, ups) in &upses {
        check_time(desk, *at, ups, &fsd, sequences);
    }
    if has_tls && tls.is_none() {
        return None;
    }
    Some(NutOptions {
        listen,
        connections_max: usize::try_from(connections.map_or(CONNECTIONS, |it| it.value)).ok()?,
        idle_timeout: idle.map_or(IDLE, |idle| idle.value),
        tls,
        allow_plaintext,
        fsd_before: fsd.value,
        low_battery_before: low.map(|low| low.value),
        users: users?,
        upses: upses.into_iter().map(|(_, ups)| ups).collect(),
    })
}

fn address(desk: &mut Desk, listen: &At<String>, safe: bool) -> Option<SocketAddr> {
    let Ok(address) = listen.value.parse::<SocketAddr>() else {
        desk.say(Code::BadAddress, listen.at, format!("`{}` is not an address to listen on", listen.value))
            .help("write for instance \"127.0.0.1:3493\"; a host name cannot be listened on");
        return None;
    };
    if !address.ip().is_loopback() && !safe {
        desk.say(
            Code::NutPlainText,
            listen.at,
            "passwords and shutdowns would go over the network in plain text",
        )
        .label("not loopback, and no [nut.tls]")
        .help("add `[nut.tls]`, or allow_plaintext = true where the network is trusted");
    }
    Some(address)
}

fn tls(desk: &mut Desk, mut table: Table) -> Option<TlsOptions> {
    let certificate = table.need(desk, "cert_file", value::filled).map(|path| secrets::pem(desk, &path));
    let key = table.need(desk, "key_file", value::filled).map(|path| {
        let file = secrets::pem(desk, &path)?;
        secrets::check_private(desk, &path, &file);
        Some(file)
    });
    table.finish(desk);
    Some(TlsOptions { certificate: certificate??, key: key?? })
}

/// Every `[[nut.user]]`; `None` where one is faulty.
fn users(desk: &mut Desk, tables: Vec<Table>, env: Environment) -> Option<Vec<UserOptions>> {
    let mut names = Names::new("nut.user");
    let mut users = Vec::new();
    for (index, mut table) in tables.into_iter().enumerate() {
        let name = table.need(desk, "name", value::filled);
        let password = table.need(desk, "password", |desk, key, node| secrets::read(desk, key, node, env));
        let role = table.need(desk, "role", value::word(ROLES));
        table.finish(desk);
        if let Some(name) = &name {
            names.add(desk, name, index);
            if !is_word(&name.value) {
                desk.say(Code::SecretForm, name.at, "upsmon cannot send this name")
                    .help("use letters, digits and signs without blanks, quotes, `#` and `\\`");
            }
        }
        if let Some(password) = &password {
            let text = password.value.expose_secret();
            if text.chars().count() < PASSWORD_CHARS_MIN || !is_word(text) {
                desk.say(Code::SecretForm, password.at, "this password cannot be used")
                    .label(format!(
                        "at least {PASSWORD_CHARS_MIN} characters, no blanks, quotes, `#` and `\\`"
                    ))
                    .help("make one: head -c 18 /dev/urandom | base64");
            }
        }
        users.push((name, password, role));
    }
    let user = |(name, password, role): (Option<At<String>>, Option<At<_>>, Option<Role>)| {
        Some(UserOptions { name: name?.value, password: password?.value, role: role? })
    };
    users.into_iter().map(user).collect()
}

/// What upsmon's configuration and the protocol take as one word.
fn is_word(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_graphic() && !matches!(c, '"' | '\'' | '\\' | '#'))
}

fn ups(
    desk: &mut Desk,
    mut table: Table,
    plant: &Plant,
    known: &mut Names,
    index: usize,
) -> Option<(Place, UpsOptions)> {
    let at = table.at;
    let id = table.need(desk, "id", value::id);
    let desc = table.may(desk, "desc", value::filled);
    let zone = table.may(desk, "zone", value::text);
    let device = table.may(desk, "device", value::text);
    let feeds = table.need(desk, "feeds", value::list(value::text));
    let status = table.table(desk, "status").map(|table| status(desk, table, plant));
    let variables = table.table(desk, "variables").map(|table| variables(desk, table, plant));
    table.finish(desk);
    if let Some(id) = &id {
        known.add(desk, id, index);
    }
    let feeds: Option<Vec<FeedId>> =
        feeds.map(|feeds| feeds.value.iter().filter_map(|name| loads::find(desk, plant, name)).collect());
    let (zone, device) = place(desk, at, plant, zone.as_ref(), device.as_ref())?;
    let (status, variables) = (status.unwrap_or(Some(Vec::new())), variables.unwrap_or(Some(Vec::new())));
    let id = id?.value;
    let ups = UpsOptions {
        description: desc.map_or_else(|| plant.site[zone].title.clone(), |desc| desc.value),
        name: id,
        zone,
        device,
        feeds: feeds?,
        status: status?,
        variables: variables?,
    };
    let stands_there = plant.site.devices.iter().any(|device| device.zone == zone);
    if device.is_none() && !stands_there && ups.variables.is_empty() && ups.status.is_empty() {
        desk.say(Code::NutUps, at, "nothing shows that this UPS is there")
            .label("its zone has no device")
            .help("add [nut.ups.variables] or [nut.ups.status], or name its device");
    }
    Some((at, ups))
}

/// Where a UPS stands, and which device it is.
fn place(
    desk: &mut Desk,
    at: Place,
    plant: &Plant,
    zone: Option<&At<String>>,
    device: Option<&At<String>>,
) -> Option<(ZoneId, Option<DeviceId>)> {
    match (zone, device) {
        (Some(zone), None) => Some((ZoneId::at(plant.zones.find(desk, zone)?), None)),
        (None, Some(device)) => {
            let found = plant.find_device(desk, device)?;
            Some((plant.site[found].zone, Some(found)))
        }
        _ => {
            desk.say(Code::KindCount, at, "a UPS is exactly one device, or stands for exactly one zone")
                .help("write one of: zone, device");
            None
        }
    }
}

/// `OB = { point = "ups-1/status", bit_set = "on-battery" }`, for each word that is measured.
fn status(desk: &mut Desk, mut table: Table, plant: &Plant) -> Option<Vec<(StatusWord, Expect)>> {
    let mut list = Vec::new();
    for (key, node) in table.drain() {
        let Some((_, word)) = StatusWord::TABLE.iter().find(|(word, _)| *word == key.value) else {
            let known = StatusWord::TABLE.iter().map(|(word, _)| *word);
            desk.say(Code::UnknownKey, key.at, format!("`{}` is no status that can be measured", key.value))
                .label("FSD follows from sequences; CAL and ALARM are not shown")
                .help(crate::config::suggest::help(&key.value, known));
            list.push(None);
            continue;
        };
        list.push(expect::read(desk, &key.value, node, plant).map(|(_, expect)| (*word, expect)));
    }
    list.into_iter().collect()
}

/// `"battery.charge" = "ups-1/soc"`, for each variable.
fn variables(desk: &mut Desk, mut table: Table, plant: &Plant) -> Option<Vec<Variable>> {
    let mut list = Vec::new();
    let mut seen: BTreeSet<String> = BTreeSet::new();
    for (key, node) in table.drain() {
        list.push(variable(desk, &key, node, plant).filter(|_| seen.insert(key.value.clone())));
    }
    list.into_iter().collect()
}

fn variable(desk: &mut Desk, key: &At<String>, node: At<Node>, plant: &Plant) -> Option<Variable> {
    if !variables_of_nut::is_name(&key.value) || variables_of_nut::OWN.contains(&key.value.as_str()) {
        let own = variables_of_nut::OWN.contains(&key.value.as_str());
        desk.say(Code::NutVariable, key.at, format!("`{}` cannot be a variable", key.value))
            .label(if own { "emberwatch says this itself" } else { "no name of NUT" })
            .help(format!("names begin with one of: {}", variables_of_nut::DOMAINS.join(", ")));
        return None;
    }
    let name = value::text(desk, &key.value, node)?;
    let point = plant.point(desk, &name)?;
    let unit = plant.site[point].unit;
    if let Some(units) = variables_of_nut::units(&key.value)
        && !units.contains(&unit)
    {
        let wanted: Vec<&str> = units.iter().map(|unit| unit.name()).collect();
        desk.say(Code::NutVariable, name.at, format!("`{}` is not in {}", name.value, wanted.join(" or ")))
            .label(format!("its unit is {}", unit.name()))
            .help(format!("`{}` is a name for points in {}", key.value, wanted.join(" or ")));
        return None;
    }
    Some(Variable { name: key.value.clone(), point, factor: variables_of_nut::factor(unit) })
}

/// Warns where a sequence leaves less time than machines should have.
fn check_time(
    desk: &mut Desk,
    at: Place,
    ups: &UpsOptions,
    fsd: &At<Millis>,
    sequences: &[Option<Sequence>],
) {
    for sequence in sequences.iter().flatten() {
        let mut time = sequence.countdown;
        for stage in &sequence.stages {
            if stage.when != StageWhen::Always {
                continue;
            }
            time = time.plus(stage.delay);
            if stage.cuts.feeds().iter().any(|feed| ups.feeds.contains(feed)) {
                if time < fsd.value {
                    desk.say(
                        Code::ShortNotice,
                        fsd.at,
                        format!("sequence `{}` leaves machines {time} only", sequence.name),
                    )
                    .also(at, format!("the feed of `{}`", ups.name))
                    .help("lengthen the countdown or the delay of the stage, or be content with less");
                }
                break;
            }
        }
    }
}

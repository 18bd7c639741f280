//! `[[mail]]` and `[[heartbeat]]`.

use crate::config::complaint::Desk;
use crate::config::explain::Code;
use crate::config::names::Names;
use crate::config::node::At;
use crate::config::plant::is_host;
use crate::config::secrets::{self, Environment};
use crate::config::table::Table;
use crate::config::value;
use crate::notify::options::{HeartbeatOptions, MailOptions, MailTls, is_mail_address};
use crate::units::Millis;

use super::{QUEUE, address, count, hears, url};

const TLS: &[(&str, MailTls)] =
    &[("implicit", MailTls::Implicit), ("starttls", MailTls::StartTls), ("none", MailTls::Plain)];

/// A server may look at a mail for a while before it takes it.
const TIMEOUT: Millis = Millis::from_secs(30);
const EVERY_MS: std::ops::RangeInclusive<u64> = 1_000..=3_600_000;

pub(super) fn read(
    desk: &mut Desk,
    root: &mut Table,
    env: Environment<'_>,
    zones: &Names,
) -> Vec<MailOptions> {
    let mut names = Names::new("mail");
    let mut all = Vec::new();
    for (index, mut table) in root.tables(desk, "mail").into_iter().enumerate() {
        let id = table.need(desk, "id", value::id);
        if let Some(id) = &id {
            names.add(desk, id, index);
        }
        let options = mail(desk, &mut table, env, zones);
        table.finish(desk);
        if let (Some(id), Some(options)) = (id, options) {
            all.push(MailOptions { name: id.value, ..options });
        }
    }
    all
}

fn mail(desk: &mut Desk, table: &mut Table, env: Environment<'_>, zones: &Names) -> Option<MailOptions> {
    let server = table.need(desk, "server", value::text);
    let port = table.need(desk, "port", value::whole(1..=65_535));
    let tls = table.need(desk, "tls", value::word(TLS));
    let allow_plaintext = table.may(desk, "allow_plaintext", value::flag).unwrap_or(false);
    let user = table.may(desk, "user", value::filled);
    let password = table.may(desk, "password", |desk, key, node| secrets::read(desk, key, node, env));
    let from = table.need(desk, "from", value::filled);
    let to = table.need(desk, "to", value::filled_list(value::filled));
    let hears = hears::read(desk, table, zones, false);
    let timeout = table.may(desk, "timeout", value::duration(100..=300_000));
    let queued = table.may(desk, "queued_max", value::whole(QUEUE));
    let ca = table.may(desk, "ca", value::text);
    let ca = match ca {
        Some(ca) => Some(secrets::pem(desk, &ca)?),
        None => None,
    };
    let server = server.filter(|server| check_server(desk, server));
    for address in from.iter().chain(to.iter().flat_map(|to| &to.value)) {
        check_address(desk, address);
    }
    if user.is_some() != password.is_some() {
        desk.say(Code::Mail, table.at, "`user` and `password` belong together")
            .help("write both, or neither");
    }
    let server = server?;
    if tls == Some(MailTls::Plain) && !allow_plaintext && !url::is_loopback(&server.value) {
        desk.say(Code::Mail, server.at, "mail would go over the network in plain text")
            .label("tls = \"none\"")
            .help("use \"implicit\" or \"starttls\", or write allow_plaintext = true");
    }
    let login = user.map(|user| user.value).zip(password.map(|password| password.value));
    Some(MailOptions {
        name: String::new(),
        server: server.value,
        port: u16::try_from(port?.value).ok()?,
        tls: tls?,
        login,
        from: from?.value,
        to: to?.value.into_iter().map(|to| to.value).collect(),
        hears,
        timeout: timeout.map_or(TIMEOUT, |timeout| timeout.value),
        queued_max: count(queued, 1_000),
        ca,
    })
}

fn check_server(desk: &mut Desk, server: &At<String>) -> bool {
    let usable = is_host(&server.value) || server.value.parse::<std::net::IpAddr>().is_ok();
    if !usable {
        desk.say(Code::Mail, server.at, format!("`{}` is no host", server.value))
            .help("write the name or address of the mail server, without its port");
    }
    usable
}

fn check_address(desk: &mut Desk, address: &At<String>) {
    if !is_mail_address(&address.value) {
        desk.say(Code::Mail, address.at, format!("`{}` is no address of mail", address.value))
            .help("write name@example.com, or Name <name@example.com>");
    }
}

pub(super) fn heartbeats(desk: &mut Desk, root: &mut Table, env: Environment<'_>) -> Vec<HeartbeatOptions> {
    let mut names = Names::new("heartbeat");
    let mut all = Vec::new();
    for (index, mut table) in root.tables(desk, "heartbeat").into_iter().enumerate() {
        let id = table.need(desk, "id", value::id);
        if let Some(id) = &id {
            names.add(desk, id, index);
        }
        let url = table.need(desk, "url", address::read(false, env));
        let every = table.need(desk, "every", value::duration(EVERY_MS));
        let timeout = table.may(desk, "timeout", value::duration(100..=60_000));
        let allow_private = table.may(desk, "allow_private", value::flag).unwrap_or(false);
        table.finish(desk);
        let (Some(id), Some(url), Some(every)) = (id, url, every) else { continue };
        address::check_private(desk, &url, allow_private);
        all.push(HeartbeatOptions {
            name: id.value,
            url: url.value,
            every: every.value,
            timeout: timeout.map_or(Millis(10_000), |timeout| timeout.value),
            allow_private,
        });
    }
    all
}

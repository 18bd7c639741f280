//! `[[link]]`: Modbus connections and serial lines.
//!
//! Every link has one owner. Two on one serial port would tear each other's frames, which is refused; two on one
//! address are doubtful, because many panels serve one client only. How a serial line is set is always written,
//! never assumed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::config::complaint::{Desk, Place};
use crate::config::explain::Code;
use crate::config::names::Names;
use crate::config::node::At;
use crate::config::plant::{host_and_port, is_host};
use crate::config::table::Table;
use crate::config::{secrets, value};
use crate::field::options::{Addresses, Endpoint, LinkOptions, PIPELINE_MAX, Parity, SerialLine, TlsOptions};
use crate::units::Millis;

/// How long a transaction or a connection attempt may take.
const TIMEOUT_MS: std::ops::RangeInclusive<u64> = 20..=30_000;
/// What serial lines run at.
const BAUD: std::ops::RangeInclusive<i64> = 300..=4_000_000;
/// The registered port of Modbus/TCP Security.
const TLS_PORT: u16 = 802;
/// Where udev names serial ports by what is plugged in.
const STABLE_PORTS: &str = "/dev/serial/by-id";
/// Names that follow the order of plugging in.
const UNSTABLE_PORTS: [&str; 2] = ["/dev/ttyUSB", "/dev/ttyACM"];
/// Units of a serial line: 0 is for everybody at once, 248 to 255 are reserved (Modbus over serial line 1.02, 2.2).
const SERIAL_UNITS: std::ops::RangeInclusive<i64> = 1..=247;

const KINDS: &[&str] = &["tcp", "tls", "rtu_over_tcp", "serial"];
const PARITIES: &[(&str, Parity)] = &[("none", Parity::None), ("even", Parity::Even), ("odd", Parity::Odd)];

/// All links, with what is needed to refer to them.
pub(super) struct Links {
    pub(super) options: Vec<LinkOptions>,
    pub(super) names: Names,
    /// Where each link's id stands.
    pub(super) places: Vec<Place>,
}

/// Reads every `[[link]]`.
pub(super) fn read(desk: &mut Desk, root: &mut Table) -> Links {
    let mut links = Links { options: Vec::new(), names: Names::new("link"), places: Vec::new() };
    let mut taken = Taken::default();
    for (index, mut table) in root.tables(desk, "link").into_iter().enumerate() {
        let id = table.need(desk, "id", value::id);
        let timeout = table.need(desk, "timeout", value::duration(TIMEOUT_MS));
        let connect_timeout = table.need(desk, "connect_timeout", value::duration(TIMEOUT_MS));
        let pipeline = table.may(desk, "pipeline", value::whole(1..=i64::from(PIPELINE_MAX)));
        let ignore_ids = table.may(desk, "ignore_transaction_ids", value::flag).unwrap_or(false);
        let kind = table.one_kind(desk, KINDS);
        let at = table.at;
        table.finish(desk);
        let endpoint = kind.and_then(|(kind, body)| endpoint(desk, kind, body, &mut taken));
        if let (Some(endpoint), Some(pipeline)) = (&endpoint, &pipeline)
            && endpoint.line().is_some()
        {
            desk.say(Code::SerialPipeline, pipeline.at, "a serial line carries one request at a time")
                .label("several at once need transaction ids")
                .help("take `pipeline` out: only tcp and tls have transaction ids");
        }
        if let Some(id) = &id {
            links.names.add(desk, id, index);
        }
        links.places.push(id.as_ref().map_or(at, |id| id.at));
        links.options.push(LinkOptions {
            name: id.map(|id| id.value).unwrap_or_default(),
            // A faulty link keeps its place; nothing of it is used once there is any error.
            endpoint: endpoint.unwrap_or_else(|| Endpoint::tcp(String::new())),
            pipeline: pipeline.and_then(|depth| u8::try_from(depth.value).ok()).unwrap_or(1),
            ignore_transaction_ids: ignore_ids,
            timeout: timeout.map_or(Millis::ZERO, |timeout| timeout.value),
            connect_timeout: connect_timeout.map_or(Millis::ZERO, |timeout| timeout.value),
            devices: Vec::new(),
        });
    }
    links
}

/// Complains about a unit that cannot be on a serial line.
pub(super) fn check_unit(desk: &mut Desk, endpoint: &Endpoint, unit: &At<i64>) {
    if endpoint.line().is_some() && !SERIAL_UNITS.contains(&unit.value) {
        let what = if unit.value == 0 { "speaks to all devices at once" } else { "is reserved" };
        desk.say(Code::SerialUnit, unit.at, format!("unit {} {what} on a serial line", unit.value))
            .label("from 1 to 247")
            .help("look up the address set on the device");
    }
}

fn endpoint(desk: &mut Desk, kind: &str, mut table: Table, taken: &mut Taken) -> Option<Endpoint> {
    let endpoint = match kind {
        "tcp" => addresses(desk, &mut table, None, taken).map(Endpoint::Tcp),
        "tls" => {
            let addresses = addresses(desk, &mut table, Some(TLS_PORT), taken);
            let tls = tls(desk, &mut table);
            addresses.zip(tls).map(|(addresses, tls)| Endpoint::Tls { addresses, tls })
        }
        "rtu_over_tcp" => {
            let addresses = addresses(desk, &mut table, None, taken);
            let line = line(desk, &mut table);
            addresses.zip(line).map(|(addresses, line)| Endpoint::RtuOverTcp { addresses, line })
        }
        _ => {
            let path = table.need(desk, "path", value::text);
            let path = path.and_then(|path| port(desk, &path, taken));
            let line = line(desk, &mut table);
            let rs485 = table.may(desk, "rs485", value::flag).unwrap_or(false);
            path.zip(line).map(|(path, line)| Endpoint::Serial { path, line, rs485 })
        }
    };
    table.finish(desk);
    endpoint
}

fn addresses(desk: &mut Desk, table: &mut Table, port: Option<u16>, taken: &mut Taken) -> Option<Addresses> {
    let primary = table.need(desk, "address", value::text);
    let backup = table.may(desk, "backup", value::text);
    let primary = primary.and_then(|address| with_port(desk, address, port));
    let backup = backup.map(|address| with_port(desk, address, port));
    if let (Some(primary), Some(Some(backup))) = (&primary, &backup)
        && same(&primary.value) == same(&backup.value)
    {
        desk.say(Code::SameBackup, backup.at, "the backup is the primary again")
            .label("the same address")
            .also(primary.at, "first here")
            .help("write the address of the second way to the same devices, or take `backup` out");
        return None;
    }
    for address in primary.iter().chain(backup.iter().flatten()) {
        taken.take(desk, same(&address.value), address.at, Code::AddressTaken);
    }
    let backup = match backup {
        Some(backup) => Some(backup?.value),
        None => None,
    };
    Some(Addresses { primary: primary?.value, backup })
}

/// `host:port`, the port added where there is a usual one.
fn with_port(desk: &mut Desk, mut address: At<String>, usual: Option<u16>) -> Option<At<String>> {
    let bare = is_host(&address.value) || (address.value.starts_with('[') && address.value.ends_with(']'));
    if let (true, Some(port)) = (bare, usual) {
        address.value = format!("{}:{port}", address.value);
    }
    host_and_port(desk, &address)?;
    Some(address)
}

/// Host names are the same in capitals.
fn same(address: &str) -> String {
    address.to_ascii_lowercase()
}

fn tls(desk: &mut Desk, table: &mut Table) -> Option<TlsOptions> {
    let ca = table.need(desk, "ca", value::filled).map(|path| secrets::pem(desk, &path));
    let certificate = table.need(desk, "certificate", value::filled).map(|path| secrets::pem(desk, &path));
    let key = table.need(desk, "key", value::filled).map(|path| {
        let file = secrets::pem(desk, &path)?;
        secrets::check_private(desk, &path, &file);
        Some(file)
    });
    let server_name = table.may(desk, "server_name", value::text);
    if let Some(name) = &server_name
        && !is_host(&name.value)
    {
        desk.say(Code::BadAddress, name.at, format!("`{}` is not a host name", name.value))
            .help("write the name that stands in the server's certificate");
    }
    Some(TlsOptions {
        ca: ca??,
        certificate: certificate??,
        key: key??,
        server_name: server_name.map(|name| name.value),
    })
}

fn line(desk: &mut Desk, table: &mut Table) -> Option<SerialLine> {
    let baud = table.need(desk, "baud", value::whole(BAUD));
    let parity = table.need(desk, "parity", value::word(PARITIES));
    let stop_bits = table.need(desk, "stop_bits", value::whole(1..=2));
    Some(SerialLine {
        baud: u32::try_from(baud?.value).ok()?,
        parity: parity?,
        stop_bits: u8::try_from(stop_bits?.value).ok()?,
    })
}

/// The device file of a serial port.
fn port(desk: &mut Desk, path: &At<String>, taken: &mut Taken) -> Option<PathBuf> {
    let file = secrets::absolute(desk, path)?;
    taken.take(desk, path.value.clone(), path.at, Code::PortTaken);
    if UNSTABLE_PORTS.iter().any(|start| path.value.starts_with(start)) {
        let stable =
            stable_name(&file).map_or_else(|| format!("{STABLE_PORTS}/…"), |name| name.display().to_string());
        desk.say(Code::UnstablePort, path.at, format!("`{}` may be another port tomorrow", path.value))
            .label("numbered in the order of plugging in")
            .help(format!("write {stable} (ls -l {STABLE_PORTS})"));
    }
    Some(file)
}

/// The name that udev gives to what is plugged in there now.
fn stable_name(port: &Path) -> Option<PathBuf> {
    let names = std::fs::read_dir(STABLE_PORTS).ok()?;
    let mut names: Vec<PathBuf> = names.filter_map(|name| Some(name.ok()?.path())).collect();
    names.sort();
    names.into_iter().find(|name| std::fs::canonicalize(name).is_ok_and(|real| real == port))
}

/// Who owns which address or port.
#[derive(Default)]
struct Taken(BTreeMap<String, Place>);

impl Taken {
    fn take(&mut self, desk: &mut Desk, name: String, at: Place, code: Code) {
        if let Some(first) = self.0.get(&name) {
            desk.say(code, at, format!("there is already a link at `{name}`"))
                .label("again here")
                .also(*first, "first here")
                .help("put the devices on one link: units behind one connection share it");
            return;
        }
        self.0.insert(name, at);
    }
}

//! Where `scan` and `probe` are to look, as people write it: `tcp://…`, `rtu+tcp://…`, `/dev/…`.

use std::net::Ipv4Addr;
use std::path::PathBuf;

use crate::field::options::{Addresses, Endpoint, Parity, SerialLine};

/// Modbus TCP, unless another is given.
const PORT: u16 = 502;

/// The most hosts of a net that are looked at.
const HOSTS_MAX: u32 = 1024;

/// Settings of a serial line that devices are delivered with, the usual first.
pub(crate) const USUAL: [SerialLine; 6] = [
    line(9600, Parity::None),
    line(19_200, Parity::Even),
    line(9600, Parity::Even),
    line(19_200, Parity::None),
    line(115_200, Parity::None),
    line(38_400, Parity::None),
];

const fn line(baud: u32, parity: Parity) -> SerialLine {
    SerialLine { baud, parity, stop_bits: 1 }
}

/// How a serial line is set.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct LineArgs {
    /// Bits per second of a serial line; without it, `scan` tries the usual settings.
    #[arg(long, value_parser = clap::value_parser!(u32).range(300..=4_000_000))]
    baud: Option<u32>,
    /// Parity of a serial line.
    #[arg(long, default_value = "none", value_parser = ["none", "even", "odd"])]
    parity: String,
    /// Stop bits of a serial line.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=2))]
    stop_bits: u8,
}

impl LineArgs {
    /// The settings that were given.
    pub(crate) fn line(&self) -> Option<SerialLine> {
        let parity = crate::runtime::control::protocol::parity_of(&self.parity).unwrap_or(Parity::None);
        Some(SerialLine { baud: self.baud?, parity, stop_bits: self.stop_bits })
    }
}

/// Where to look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// One server.
    Tcp(String),
    /// All hosts of a net.
    Net(Vec<Ipv4Addr>, u16),
    /// A serial server.
    RtuOverTcp(String),
    /// A serial port of this machine.
    Serial(PathBuf),
}

impl Target {
    /// Whether this names a place and not a device of the configuration.
    pub(crate) fn is_place(text: &str) -> bool {
        text.starts_with('/') || text.contains("://")
    }

    /// Reads a target.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if text.starts_with('/') {
            return Ok(Self::Serial(PathBuf::from(text)));
        }
        match text.split_once("://") {
            Some(("tcp", rest)) if rest.contains('/') => net(rest),
            Some(("tcp", rest)) => Ok(Self::Tcp(with_port(rest)?)),
            Some(("rtu+tcp", rest)) if rest.rsplit_once(':').is_some() => {
                Ok(Self::RtuOverTcp(with_port(rest)?))
            }
            Some(("rtu+tcp", _)) => Err(format!("`{text}`: write the port of the serial server too")),
            _ => Err(format!(
                "`{text}` is no target; write tcp://HOST[:PORT], tcp://NET/24[:PORT], rtu+tcp://HOST:PORT or /dev/ttyX"
            )),
        }
    }

    /// The endpoint, with these settings where there is a serial line; `None` for a net.
    pub(crate) fn endpoint(&self, line: SerialLine) -> Option<Endpoint> {
        let addresses = |address: &String| Addresses { primary: address.clone(), backup: None };
        match self {
            Self::Tcp(address) => Some(Endpoint::tcp(address.clone())),
            Self::Net(..) => None,
            Self::RtuOverTcp(address) => Some(Endpoint::RtuOverTcp { addresses: addresses(address), line }),
            Self::Serial(path) => Some(Endpoint::Serial { path: path.clone(), line, rs485: false }),
        }
    }
}

/// `host` or `host:port`, as `host:port`.
fn with_port(text: &str) -> Result<String, String> {
    let text = text.trim_end_matches('/');
    let bare_ipv6 = text.ends_with(']');
    match text.rsplit_once(':').filter(|_| !bare_ipv6) {
        Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok_and(|port| 0 < port) => {
            Ok(text.to_owned())
        }
        None if !text.is_empty() => Ok(format!("{text}:{PORT}")),
        _ => Err(format!("`{text}` is not HOST or HOST:PORT (IPv6 addresses in brackets)")),
    }
}

fn net(text: &str) -> Result<Target, String> {
    let wrong = || format!("`{text}` is no net; write for instance 192.168.1.0/24 or 192.168.1.0/24:502");
    let (address, rest) = text.split_once('/').ok_or_else(wrong)?;
    let (bits, port) = rest.split_once(':').unwrap_or((rest, "502"));
    let address: Ipv4Addr = address.parse().map_err(|_| wrong())?;
    let bits: u32 = bits.parse().ok().filter(|bits| *bits <= 32).ok_or_else(wrong)?;
    let port: u16 = port.parse().ok().filter(|port| 0 < *port).ok_or_else(wrong)?;
    let size = 1_u64 << (32 - bits);
    if u64::from(HOSTS_MAX) < size {
        return Err(format!("`{text}` has {size} addresses; at most {HOSTS_MAX} (/22) are looked at"));
    }
    let size = u32::try_from(size).map_err(|_| wrong())?;
    let first = u32::from(address) & !(size - 1);
    // Of a real net, the first address is the net's and the last is everybody's.
    let hosts = if 2 < size { 1..size - 1 } else { 0..size };
    Ok(Target::Net(hosts.map(|host| Ipv4Addr::from(first + host)).collect(), port))
}

/// Units as people write them: `1-32`, `1,2,10-12`. Each once, in order.
pub(crate) fn parse_units(text: &str) -> Result<Vec<u8>, String> {
    let wrong = || format!("`{text}` names no units; write for instance 1-32 or 1,2,10-12");
    let mut units = std::collections::BTreeSet::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let number = |text: &str| text.trim().parse::<u8>().map_err(|_| wrong());
        let (first, last) = (number(first)?, number(last)?);
        if last < first {
            return Err(wrong());
        }
        units.extend(first..=last);
    }
    Ok(units.into_iter().collect())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn targets_are_read_as_people_write_them() {
        let tcp = |text: &str| Target::Tcp(text.to_owned());
        assert_eq!(Target::parse("tcp://panel").unwrap(), tcp("panel:502"));
        assert_eq!(Target::parse("tcp://192.0.2.7:1502").unwrap(), tcp("192.0.2.7:1502"));
        assert_eq!(Target::parse("tcp://[::1]").unwrap(), tcp("[::1]:502"));
        assert_eq!(Target::parse("tcp://[::1]:5020").unwrap(), tcp("[::1]:5020"));
        assert_eq!(Target::parse("rtu+tcp://a:4001").unwrap(), Target::RtuOverTcp("a:4001".to_owned()));
        assert_eq!(Target::parse("/dev/ttyUSB0").unwrap(), Target::Serial("/dev/ttyUSB0".into()));
        let Target::Net(hosts, 1502) = Target::parse("tcp://127.0.0.9/29:1502").unwrap() else { panic!() };
        assert_eq!((hosts.len(), hosts[0], hosts[5]), (6, [127, 0, 0, 9].into(), [127, 0, 0, 14].into()));
        for wrong in
            ["bms-1", "udp://a", "tcp://", "tcp://a:0", "rtu+tcp://a", "tcp://10.0.0.0/8", "tcp://a/24"]
        {
            assert!(Target::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn units_are_ranges_and_single_ones() {
        assert_eq!(parse_units("3,1-2,2").unwrap(), [1, 2, 3]);
        assert_eq!(parse_units("255").unwrap(), [255]);
        for wrong in ["", "2-1", "256", "1-", "a"] {
            assert!(parse_units(wrong).is_err(), "{wrong}");
        }
    }
}

//! `http://` and `https://` URLs, as far as they must be right before anything connects.

use std::net::IpAddr;

use crate::config::complaint::Desk;
use crate::config::explain::Code;
use crate::config::node::At;
use crate::config::plant::is_host;

/// What matters of a URL.
pub(super) struct Parts {
    pub(super) secure: bool,
    pub(super) host: String,
}

impl Parts {
    /// Whether it is on this machine.
    pub(super) fn is_local(&self) -> bool {
        is_loopback(&self.host)
    }

    /// Whether it is on this machine or, by its address, in a private network.
    pub(super) fn is_private(&self) -> bool {
        match self.host.parse::<IpAddr>() {
            Ok(IpAddr::V4(ip)) => {
                ip.is_loopback() || ip.is_private() || ip.is_link_local() || ip.is_unspecified()
            }
            Ok(IpAddr::V6(ip)) => {
                ip.is_loopback() || ip.is_unspecified() || ip.is_unique_local() || ip.is_unicast_link_local()
            }
            Err(_) => is_loopback(&self.host),
        }
    }
}

/// Whether a host name or address is this machine.
pub(super) fn is_loopback(host: &str) -> bool {
    let name = host.trim_end_matches('.').to_ascii_lowercase();
    name == "localhost"
        || name.ends_with(".localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// The parts of a URL; a complaint if it cannot be used.
pub(super) fn check(desk: &mut Desk, url: &At<String>) -> Option<Parts> {
    let parts = parse(&url.value);
    if parts.is_none() {
        let mut sentence = format!("`{}` cannot be used as a URL", url.value);
        if url.value.contains('@') {
            // What stands before the @ may be a password.
            desk.mask(url.at);
            "a URL must not carry a user name or password".clone_into(&mut sentence);
        }
        desk.say(Code::BadUrl, url.at, sentence)
            .help("write https://host/path or http://host:port/path, without user name or blanks");
    }
    parts
}

/// The parts of a URL that can be used.
pub(super) fn parse(url: &str) -> Option<Parts> {
    if !url.bytes().all(|byte| byte.is_ascii_graphic())
        || url.contains(['"', '<', '>', '\\', '^', '`', '{', '|', '}', '#'])
    {
        return None;
    }
    let (secure, rest) = match (url.strip_prefix("https://"), url.strip_prefix("http://")) {
        (Some(rest), _) => (true, rest),
        (None, Some(rest)) => (false, rest),
        (None, None) => return None,
    };
    let authority = rest.split(['/', '?']).next()?;
    let (host, port) = if let Some(inner) = authority.strip_prefix('[') {
        let (ip, port) = inner.split_once(']')?;
        ip.parse::<std::net::Ipv6Addr>().ok()?;
        (ip, port.strip_prefix(':').or_else(|| port.is_empty().then_some("80"))?)
    } else {
        let (host, port) = authority.split_once(':').unwrap_or((authority, "80"));
        if !is_host(host) {
            return None;
        }
        (host, port)
    };
    port.parse::<u16>().ok().filter(|&port| 0 < port)?;
    Some(Parts { secure, host: host.to_owned() })
}

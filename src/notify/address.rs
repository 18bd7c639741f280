//! Which addresses a webhook may go to.
//!
//! A target is named by configuration, but its name is resolved by others: unless the target allows it,
//! nothing is sent to loopback, private, link-local or otherwise special addresses. The check stands at the
//! resolution that the connection itself uses, so that a name cannot change in between. When a name server fails, the
//! addresses that were good last are tried once more: the receiver itself may be well.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// Less than a connection may take, so that there is time left for the addresses that were good last.
const RESOLVE_MAX: Duration = Duration::from_secs(2);

/// Asks a name server.
type Lookup = Arc<dyn Fn(String) -> BoxFuture<'static, std::io::Result<Vec<SocketAddr>>> + Send + Sync>;

/// A name with what was found for it.
type Found = (String, Vec<SocketAddr>);

/// Resolves names and leaves out addresses that are not allowed.
#[derive(Clone)]
pub(super) struct Guard {
    allow_private: bool,
    lookup: Lookup,
    /// What was found last; taken away by the one use that is made of it when nothing is found.
    good: Arc<Mutex<Option<Found>>>,
}

impl Guard {
    pub(super) fn new(allow_private: bool) -> Self {
        Self::with(allow_private, Arc::new(|name| Box::pin(ask(name))))
    }

    fn with(allow_private: bool, lookup: Lookup) -> Self {
        Self { allow_private, lookup, good: Arc::default() }
    }

    pub(super) fn allows(&self, address: IpAddr) -> bool {
        self.allow_private || is_public(address)
    }

    async fn find(&self, name: String) -> Result<Vec<SocketAddr>, String> {
        let why = match tokio::time::timeout(RESOLVE_MAX, (self.lookup)(name.clone())).await {
            Ok(Ok(mut found)) => {
                found.retain(|address| self.allows(address.ip()));
                if found.is_empty() {
                    return Err(format!("{name} has no address that this target may use"));
                }
                *self.good() = Some((name, found.clone()));
                return Ok(found);
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("the name server did not answer for {name}"),
        };
        match self.good().take() {
            Some((known, found)) if known == name => Ok(found),
            _ => Err(why),
        }
    }

    fn good(&self) -> std::sync::MutexGuard<'_, Option<Found>> {
        self.good.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn ask(name: String) -> std::io::Result<Vec<SocketAddr>> {
    Ok(tokio::net::lookup_host((name.as_str(), 0)).await?.collect())
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.clone();
        Box::pin(async move {
            let found = guard.find(name.as_str().to_owned()).await?;
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [first, second, third, _] = address.octets();
    let shared = first == 100 && (64..128).contains(&second);
    let benchmark = first == 198 && (18..20).contains(&second);
    let protocol = (first, second, third) == (192, 0, 0);
    !(address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || first == 0
        || 224 <= first
        || shared
        || benchmark
        || protocol)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    let [.., seventh, eighth] = address.segments();
    let [a, b] = seventh.to_be_bytes();
    let [c, d] = eighth.to_be_bytes();
    let embedded = Ipv4Addr::new(a, b, c, d);
    if address.to_ipv4_mapped().is_some() || (first, second) == (0x64, 0xff9b) {
        return is_public_v4(embedded);
    }
    // Global unicast is 2000::/3; of it, 6to4 and Teredo carry addresses that are not checked, and
    // 2001:db8::/32 is for documentation.
    let global = first & 0xe000 == 0x2000;
    global && first != 0x2002 && !(first == 0x2001 && (second == 0 || second == 0xdb8))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn only_public_addresses_are_public() {
        for special in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "255.255.255.255",
            "224.0.0.1",
            "::1",
            "::",
            "fe80::1",
            "fd00::1",
            "::ffff:127.0.0.1",
            "::127.0.0.1",
            "64:ff9b::a00:1",
            "2002:7f00:1::",
            "2001:db8::1",
        ] {
            assert!(!is_public(special.parse().unwrap()), "{special}");
        }
        for public in ["1.1.1.1", "100.128.0.1", "2606:4700::1111", "64:ff9b::101:101"] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn w4_a_name_server_that_fails_or_hangs_costs_one_more_use_of_the_last_good_address() {
        let calls = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let good: SocketAddr = "1.1.1.1:0".parse().unwrap();
        let lookup: Lookup = Arc::new(move |_| {
            let call = calls.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            Box::pin(async move {
                match call {
                    0 | 3 => Ok(vec![good]),
                    1 | 2 => Err(std::io::Error::other("no such name")),
                    _ => std::future::pending().await,
                }
            })
        });
        let guard = Guard::with(false, lookup);
        let mut found = Vec::new();
        for _ in 0..6 {
            found.push(guard.find("alerts.example".to_owned()).await.ok());
        }
        let yes = Some(vec![good]);
        assert_eq!(found, [yes.clone(), yes.clone(), None, yes.clone(), yes, None]);
    }

    #[tokio::test]
    async fn a_name_that_leads_to_private_addresses_only_leads_nowhere() {
        let private: SocketAddr = "10.0.0.1:0".parse().unwrap();
        let guard = Guard::with(false, Arc::new(move |_| Box::pin(async move { Ok(vec![private]) })));
        assert!(guard.find("inside.example".to_owned()).await.is_err());
        let allowed = Guard::with(true, Arc::new(move |_| Box::pin(async move { Ok(vec![private]) })));
        assert_eq!(allowed.find("inside.example".to_owned()).await, Ok(vec![private]));
    }
}

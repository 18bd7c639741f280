//! Which hosts of a net listen.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::net::TcpStream;

use crate::units::Millis;

/// Attempts under way at once: a net is asked, not flooded.
const CONNECTS_MAX: usize = 32;

/// The hosts that accept a connection at this port, in order.
pub(super) async fn open(hosts: &[Ipv4Addr], port: u16, within: Millis) -> Vec<Ipv4Addr> {
    let attempt = |host: Ipv4Addr| async move {
        let connect = TcpStream::connect(SocketAddr::from((host, port)));
        let connected = tokio::time::timeout(Duration::from_millis(within.0), connect).await;
        matches!(connected, Ok(Ok(_))).then_some(host)
    };
    let attempts = futures_util::stream::iter(hosts.iter().copied().map(attempt));
    attempts.buffered(CONNECTS_MAX).filter_map(std::future::ready).collect().await
}

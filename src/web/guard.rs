//! Who may talk to the page at all: against DNS rebinding, cross-site requests and framing.
//!
//! A page of a stranger can make a browser send requests here, under a name that the stranger's DNS points
//! here. Such a request carries a foreign `Host` or `Origin`; a name other than `localhost` is therefore
//! refused, and an address only passes if it is the one the connection came in on.

use std::net::IpAddr;

use axum::extract::{ConnectInfo, Request};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::web::gate::Peer;
use crate::web::problem::Problem;

/// On every reply. One request per connection: idle connections then need no clock of their own.
const HEADERS: [(HeaderName, &str); 7] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'self'; base-uri 'none'; object-src 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (header::CONNECTION, "close"),
];

/// The first to see each request and the last to see each reply.
pub(super) async fn guard(ConnectInfo(peer): ConnectInfo<Peer>, request: Request, next: Next) -> Response {
    peer.line.head_is_complete();
    let mut response = match check(&request, peer.local) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    };
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

fn check(request: &Request, local: IpAddr) -> Result<(), Problem> {
    let host = host(request.headers()).filter(|host| is_ours(host, local)).ok_or_else(|| {
        Problem::new(
            StatusCode::MISDIRECTED_REQUEST,
            "foreign-host",
            "Open the page as localhost, or by the IP address it listens on: other names are refused.",
        )
    })?;
    let asks = !matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if asks && !is_same_origin(request.headers(), &host) {
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            "foreign-origin",
            "The request comes from a page of another origin: ask from the page itself, or from a program.",
        ));
    }
    Ok(())
}

/// The only `Host` of a request.
fn host(headers: &HeaderMap) -> Option<Authority> {
    let mut all = headers.get_all(header::HOST).iter();
    let only = all.next().filter(|_| all.next().is_none())?;
    let host: Authority = only.to_str().ok()?.parse().ok()?;
    (!host.as_str().contains('@')).then_some(host)
}

fn is_ours(host: &Authority, local: IpAddr) -> bool {
    let name = host.host();
    if name.eq_ignore_ascii_case("localhost") {
        return true;
    }
    let literal = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    literal.parse().is_ok_and(|ip: IpAddr| ip.is_loopback() || ip.to_canonical() == local)
}

/// Programs send no `Origin`; browsers send one with each request that asks for something.
fn is_same_origin(headers: &HeaderMap, host: &Authority) -> bool {
    let site = headers.get("sec-fetch-site");
    let site_is_ours = site.is_none_or(|site| site == "same-origin" || site == "none");
    let mut origins = headers.get_all(header::ORIGIN).iter();
    site_is_ours
        && origins.all(|origin| {
            let origin = origin.to_str().unwrap_or("null");
            let authority = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
            authority.is_some_and(|authority| authority.eq_ignore_ascii_case(host.as_str()))
        })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn passes(host: &str, local: &str) -> bool {
        let mut headers = HeaderMap::new();
        headers.append(header::HOST, host.parse().unwrap());
        super::host(&headers).is_some_and(|host| is_ours(&host, local.parse().unwrap()))
    }

    #[test]
    fn only_localhost_and_the_address_of_the_connection_pass_as_host() {
        for host in
            ["localhost", "LocalHost:8080", "127.0.0.1:9", "[::1]:8080", "192.0.2.7:8080", "192.0.2.7"]
        {
            assert!(passes(host, "192.0.2.7"), "{host}");
        }
        for host in
            ["evil.example", "localhost.evil.example", "192.0.2.8", "a@localhost", "", "127.0.0.1.nip.io"]
        {
            assert!(!passes(host, "192.0.2.7"), "{host}");
        }
    }
}

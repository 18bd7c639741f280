//! Whose token a request carries.
//!
//! Tokens are compared as digests, in the same time whether they match early, late or not at all, and with
//! every operator. Wrong ones are counted per address: past `WRONG_PER_WINDOW_MAX` nobody at that address is
//! heard until the minute is over. That costs an operator behind the same address a minute at most; the local
//! ways to stop a cut do not pass here.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use ring::digest::{SHA256, digest};
use secrecy::ExposeSecret;
use subtle::{ConditionallySelectable, ConstantTimeEq};

use crate::clock;
use crate::safety::fact::Operator;
use crate::units::{Millis, Uptime};
use crate::web::options::OperatorOptions;
use crate::web::problem::Problem;

/// Wrong tokens that one address may send in a window.
pub(super) const WRONG_PER_WINDOW_MAX: u32 = 10;
/// The window.
const WINDOW: Millis = Millis::from_secs(60);
/// Addresses that are counted at a time; past it, the one counted longest is forgotten.
const ADDRESSES_MAX: usize = 256;
/// No operator: a place that no list reaches.
const NOBODY: u32 = u32::MAX;

type Digest = [u8; 32];

/// Everybody who may ask for something.
pub(super) struct Operators {
    all: Vec<(Operator, Digest)>,
    wrong: Mutex<BTreeMap<IpAddr, Wrong>>,
}

/// What one address has sent.
#[derive(Clone, Copy, Debug)]
struct Wrong {
    since: Uptime,
    count: u32,
}

impl Operators {
    pub(super) fn new(options: Vec<OperatorOptions>) -> Self {
        let all = options
            .into_iter()
            .map(|operator| (operator.name.into(), sha256(operator.token.expose_secret())))
            .collect();
        Self { all, wrong: Mutex::default() }
    }

    /// Who asks, or what to do about it.
    pub(super) fn identify(&self, headers: &HeaderMap, remote: IpAddr) -> Result<Operator, Problem> {
        let now = clock::uptime();
        let address = counted_as(remote);
        if let Some(wait) = self.shut_for(address, now) {
            let seconds = wait.0.div_ceil(1000);
            let detail =
                format!("Too many wrong tokens from this address: wait {seconds} s, then try again.");
            return Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, "too-many-tries", detail)
                .with(header::RETRY_AFTER, seconds));
        }
        let token = bearer(headers).ok_or_else(|| {
            let detail = "Asking for something needs a token: send it as `Authorization: Bearer <token>`.";
            Problem::new(StatusCode::UNAUTHORIZED, "unauthorised", detail)
                .with(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
        })?;
        self.find(token).ok_or_else(|| {
            self.count(address, now);
            let detail = if self.all.is_empty() {
                "No operators are configured, so this page is for looking only: add one to the configuration."
            } else {
                "No operator has this token: check it against the configuration's list of operators."
            };
            Problem::new(StatusCode::FORBIDDEN, "unauthorised", detail)
        })
    }

    fn find(&self, token: &str) -> Option<Operator> {
        let token = sha256(token);
        let mut found = NOBODY;
        for (place, (_, known)) in (0..NOBODY).zip(&self.all) {
            found.conditional_assign(&place, known.ct_eq(&token));
        }
        let (name, _) = self.all.get(usize::try_from(found).ok()?)?;
        Some(name.clone())
    }

    fn shut_for(&self, address: IpAddr, now: Uptime) -> Option<Millis> {
        let wrong = self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
        let of_this = wrong.get(&address).filter(|of_this| WRONG_PER_WINDOW_MAX <= of_this.count)?;
        let over = of_this.since.plus(WINDOW);
        (now < over).then(|| over.since(now))
    }

    fn count(&self, address: IpAddr, now: Uptime) {
        let mut wrong = self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
        wrong.retain(|_, of_one| now.since(of_one.since) < WINDOW);
        if ADDRESSES_MAX <= wrong.len() && !wrong.contains_key(&address) {
            let oldest = wrong.iter().min_by_key(|(_, of_one)| of_one.since).map(|(address, _)| *address);
            oldest.and_then(|oldest| wrong.remove(&oldest));
        }
        let of_this = wrong.entry(address).or_insert(Wrong { since: now, count: 0 });
        of_this.count = of_this.count.saturating_add(1);
    }
}

/// One household has one IPv6 network of 2^64 addresses: they count as one.
fn counted_as(remote: IpAddr) -> IpAddr {
    match remote {
        IpAddr::V4(_) => remote,
        IpAddr::V6(v6) => std::net::Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64).into(),
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut all = headers.get_all(header::AUTHORIZATION).iter();
    let only = all.next().filter(|_| all.next().is_none())?.to_str().ok()?;
    let (scheme, token) = only.split_once(' ')?;
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token.trim())
}

fn sha256(token: &str) -> Digest {
    let mut bytes = Digest::default();
    bytes.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
    bytes
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn operators() -> Operators {
        let of = |name: &str, token: &str| OperatorOptions { name: name.into(), token: token.into() };
        Operators::new(vec![of("ann", "ann-has-a-token-1"), of("ben", "ben-has-a-token-2")])
    }

    #[test]
    fn each_token_names_its_own_operator_and_nothing_else_names_one() {
        let operators = operators();
        assert_eq!(operators.find("ann-has-a-token-1").as_deref(), Some("ann"));
        assert_eq!(operators.find("ben-has-a-token-2").as_deref(), Some("ben"));
        for token in ["", "ann", "ann-has-a-token-", "ann-has-a-token-11", "ben-has-a-token-1"] {
            assert_eq!(operators.find(token), None, "{token}");
        }
        assert_eq!(Operators::new(vec![]).find(""), None);
    }

    #[test]
    fn ten_wrong_tokens_shut_an_address_for_the_rest_of_its_minute() {
        let operators = operators();
        let (here, there) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
        for tries in 0..WRONG_PER_WINDOW_MAX {
            assert_eq!(operators.shut_for(here, Uptime(1000)), None, "after {tries}");
            operators.count(here, Uptime(1000));
        }
        assert_eq!(operators.shut_for(here, Uptime(31_000)), Some(Millis(30_000)));
        assert_eq!(operators.shut_for(there, Uptime(31_000)), None);
        assert_eq!(operators.shut_for(here, Uptime(61_000)), None);
    }

    #[test]
    fn the_table_of_addresses_does_not_grow_past_its_bound() {
        let operators = operators();
        for address in 0..1000_u32 {
            operators.count(std::net::Ipv4Addr::from_bits(address).into(), Uptime(u64::from(address)));
        }
        assert_eq!(operators.wrong.lock().unwrap().len(), ADDRESSES_MAX);
    }
}

//! Posting one message to one address, and what the answer means.
//!
//! 2xx is delivered, everything else a failure. Redirects are failures and never followed. What an answer says
//! beyond its status is only read for `Retry-After`.

use std::net::IpAddr;
use std::time::Duration;

use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Client, Url, redirect};
use secrecy::{ExposeSecret, SecretString};

use crate::clock;
use crate::notify::address::Guard;
use crate::notify::options::{Preset, WebhookOptions};
use crate::notify::preset::{Renderer, alertmanager};
use crate::notify::sign::Signer;
use crate::units::Millis;

const CONNECT_MAX: Duration = Duration::from_secs(3);
/// A target may put us off for this long at most.
const RETRY_AFTER_MAX: Millis = Millis::from_secs(300);

/// Why a target cannot be used at all.
#[derive(Debug, thiserror::Error)]
pub enum SetupFault {
    /// Not `http://…` or `https://…` with a host.
    #[error("webhook {target}: not an http or https address")]
    Url {
        /// The target's name.
        target: String,
    },
    /// The address itself is loopback, private or special.
    #[error("webhook {target}: its address is private, which `allow_private` does not allow")]
    Private {
        /// The target's name.
        target: String,
    },
    /// Not `whsec_` and base64 of 24 to 64 bytes, nor `whsk_` and an Ed25519 key.
    #[error(
        "webhook {target}: a secret of it is neither whsec_ and base64 of 24 to 64 bytes nor whsk_ and an Ed25519 key"
    )]
    Secret {
        /// The target's name.
        target: String,
    },
    /// Not an address of mail.
    #[error("mail {target}: `{address}` is no address")]
    Address {
        /// The target's name.
        target: String,
        /// What was written.
        address: String,
    },
    /// The authorities cannot be used.
    #[error("{target}: its authorities cannot be used: {why}")]
    Authority {
        /// The target's name.
        target: String,
        /// Why not.
        why: String,
    },
    /// The HTTP client could not be built.
    #[error("webhook {target}: {source}")]
    Client {
        /// The target's name.
        target: String,
        /// What it said.
        source: reqwest::Error,
    },
}

/// Where messages go, and how they are made out.
pub(super) struct Target {
    pub(super) name: String,
    pub(super) url: Url,
    pub(super) url_backup: Option<Url>,
    content_type: &'static str,
    signer: Option<Signer>,
    bearer: Option<SecretString>,
    client: Client,
}

/// What a try came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Delivered,
    Failed { why: String, after: Option<Millis> },
    Gone,
    Wrong { why: String },
}

/// An answer as it came, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status, or the code of an SMTP reply; `None` if there was no answer.
    pub status: Option<u16>,
    /// The first line of the answer, or why there was none.
    pub line: String,
}

impl Target {
    pub(super) fn new(options: &WebhookOptions) -> Result<Self, SetupFault> {
        let target = || options.name.clone();
        let guard = Guard::new(options.allow_private);
        let parse = |url: &SecretString| checked(&guard, &options.name, url);
        let url = address(options, parse(&options.url)?)?;
        let url_backup = match &options.url_backup {
            Some(url) => Some(address(options, parse(url)?)?),
            None => None,
        };
        let signer = match &options.preset {
            Preset::Standard { keys } | Preset::CloudEvents { keys } => {
                Some(Signer::new(keys).ok_or_else(|| SetupFault::Secret { target: target() })?)
            }
            Preset::Alertmanager
            | Preset::PagerDuty { .. }
            | Preset::Slack
            | Preset::Teams
            | Preset::Ntfy { .. } => None,
        };
        let bearer = match &options.preset {
            Preset::Ntfy { token } => token.clone(),
            _ => None,
        };
        let mut builder = builder(guard, options.timeout);
        if let Some(path) = &options.ca {
            let authority = |why: String| SetupFault::Authority { target: target(), why };
            let pem = std::fs::read(path).map_err(|error| authority(error.to_string()))?;
            let certificates = reqwest::Certificate::from_pem_bundle(&pem)
                .map_err(|error| authority(innermost(&error).to_string()))?;
            builder = builder.tls_certs_only(certificates);
        }
        let client = builder.build().map_err(|source| SetupFault::Client { target: target(), source })?;
        let content_type = renderer(options).map_or("application/json", |it| it.content_type());
        Ok(Self { name: target(), url, url_backup, content_type, signer, bearer, client })
    }

    /// What receivers verify Ed25519 signatures with.
    pub(super) fn public_keys(&self) -> Vec<String> {
        self.signer.as_ref().map(Signer::public_keys).unwrap_or_default()
    }

    /// One try.
    pub(super) async fn post(&self, url: &Url, id: &str, body: &[u8]) -> Verdict {
        match self.request(url, id, body).send().await {
            // The answer's body says nothing that matters and is not read: it may be long or slow.
            Ok(response) => by_status(response.status().as_u16(), response.headers()),
            Err(error) => Verdict::Failed { why: reason(&error), after: None },
        }
    }

    /// One try, and what the answer says to people.
    pub(super) async fn ask(&self, url: &Url, id: &str, body: &[u8]) -> Answer {
        match self.request(url, id, body).send().await {
            Ok(response) => {
                let status = Some(response.status().as_u16());
                let line = first_line(response).await.unwrap_or_default();
                Answer { status, line }
            }
            Err(error) => Answer { status: None, line: reason(&error) },
        }
    }

    fn request(&self, url: &Url, id: &str, body: &[u8]) -> reqwest::RequestBuilder {
        let mut request = self.client.post(url.clone()).header("content-type", self.content_type);
        if let Some(signer) = &self.signer {
            let timestamp_s = clock::now().wall.0.div_euclid(1000);
            request = request
                .header("webhook-id", id)
                .header("webhook-timestamp", timestamp_s.to_string())
                .header("webhook-signature", signer.sign(id, timestamp_s, body));
        }
        if let Some(token) = &self.bearer {
            request = request.bearer_auth(token.expose_secret());
        }
        request.body(body.to_vec())
    }
}

/// A client that follows nothing, asks no proxy, and goes only where it may.
pub(super) fn builder(guard: Guard, timeout: Millis) -> reqwest::ClientBuilder {
    Client::builder()
        .no_proxy()
        .redirect(redirect::Policy::none())
        .connect_timeout(CONNECT_MAX)
        .timeout(Duration::from_millis(timeout.0))
        .dns_resolver(guard)
        .user_agent(concat!("emberwatch/", env!("CARGO_PKG_VERSION")))
}

/// A URL that may be used, by what can be known without the network.
pub(super) fn checked(guard: &Guard, target: &str, url: &SecretString) -> Result<Url, SetupFault> {
    let fault = || SetupFault::Url { target: target.to_owned() };
    let url = Url::parse(url.expose_secret()).map_err(|_| fault())?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(fault());
    }
    let host = url.host_str().ok_or_else(fault)?;
    // An address in the URL is not resolved, so the guard does not see it later.
    let literal = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    if literal.is_ok_and(|address| !guard.allows(address)) {
        return Err(SetupFault::Private { target: target.to_owned() });
    }
    Ok(url)
}

/// How a target is told; `None` for an Alertmanager, which is told what stands.
pub(super) fn renderer(options: &WebhookOptions) -> Option<Renderer> {
    Some(match &options.preset {
        Preset::Standard { .. } => Renderer::Standard,
        Preset::CloudEvents { .. } => Renderer::CloudEvents,
        Preset::Alertmanager => return None,
        Preset::PagerDuty { routing_key } => Renderer::PagerDuty { routing_key: routing_key.clone() },
        Preset::Slack => Renderer::Slack,
        Preset::Teams => Renderer::Teams,
        Preset::Ntfy { .. } => {
            let url = Url::parse(options.url.expose_secret()).ok()?;
            Renderer::Ntfy { topic: topic(&url)?.to_owned() }
        }
    })
}

/// What is posted to, by the address that people write.
fn address(options: &WebhookOptions, mut url: Url) -> Result<Url, SetupFault> {
    match &options.preset {
        Preset::Alertmanager => {
            let path = format!("{}/{}", url.path().trim_end_matches('/'), alertmanager::PATH);
            url.set_path(&path);
        }
        Preset::Ntfy { .. } => {
            let topic = topic(&url).ok_or_else(|| SetupFault::Url { target: options.name.clone() })?;
            let root = url.path().strip_suffix(topic).unwrap_or("/").to_owned();
            url.set_path(&root);
        }
        Preset::Standard { .. }
        | Preset::CloudEvents { .. }
        | Preset::PagerDuty { .. }
        | Preset::Slack
        | Preset::Teams => {}
    }
    Ok(url)
}

fn topic(url: &Url) -> Option<&str> {
    url.path().rsplit('/').next().filter(|topic| !topic.is_empty())
}

/// Enough for a line of an answer.
const ANSWER_BYTES_MAX: usize = 4096;

async fn first_line(mut response: reqwest::Response) -> Option<String> {
    let mut bytes = Vec::new();
    while bytes.len() < ANSWER_BYTES_MAX {
        match response.chunk().await {
            Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
            Ok(None) | Err(_) => break,
        }
    }
    let text = String::from_utf8_lossy(&bytes);
    let line = text.lines().map(str::trim).find(|line| !line.is_empty())?;
    // What a server says must not steer the terminal that shows it.
    Some(line.chars().filter(|letter| !letter.is_control()).collect())
}

/// The innermost cause: "error sending request" alone helps nobody. The address is left out, it may hold secrets.
pub(super) fn reason(error: &reqwest::Error) -> String {
    let cause = innermost(error);
    if error.is_timeout() { format!("no answer in time ({cause})") } else { cause.to_string() }
}

fn innermost(error: &reqwest::Error) -> &dyn std::error::Error {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause
}

fn by_status(status: u16, headers: &HeaderMap) -> Verdict {
    match status {
        200..=299 => Verdict::Delivered,
        410 => Verdict::Gone,
        400 | 413 | 422 => Verdict::Wrong { why: format!("answered {status}") },
        _ => Verdict::Failed { why: format!("answered {status}"), after: retry_after(headers) },
    }
}

fn retry_after(headers: &HeaderMap) -> Option<Millis> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = if let Ok(seconds) = text.parse() {
        Millis::from_secs(seconds)
    } else {
        let date = jiff::fmt::rfc2822::parse(text).ok()?;
        let wait_ms = date.timestamp().as_millisecond().saturating_sub(clock::now().wall.0);
        Millis(u64::try_from(wait_ms).unwrap_or(0))
    };
    Some(Millis(wait.0.min(RETRY_AFTER_MAX.0)))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn after(text: &str) -> Option<Millis> {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, text.parse().unwrap());
        retry_after(&headers)
    }

    #[test]
    fn a_target_can_put_us_off_for_five_minutes_at_most() {
        assert_eq!(after("7"), Some(Millis(7000)));
        assert_eq!(after("1000000000"), Some(RETRY_AFTER_MAX));
        assert_eq!(after("Fri, 31 Dec 2100 23:59:59 GMT"), Some(RETRY_AFTER_MAX));
        assert_eq!(after("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Millis::ZERO));
        assert_eq!(after("soon"), None);
        assert_eq!(after("-1"), None);
    }

    #[test]
    fn a_message_that_only_this_target_calls_wrong_is_told_from_a_failing_target() {
        let none = HeaderMap::new();
        assert_eq!(by_status(204, &none), Verdict::Delivered);
        assert_eq!(by_status(410, &none), Verdict::Gone);
        assert!(matches!(by_status(413, &none), Verdict::Wrong { .. }));
        for status in [302, 401, 404, 408, 429, 500, 503] {
            assert!(matches!(by_status(status, &none), Verdict::Failed { .. }), "{status}");
        }
    }
}

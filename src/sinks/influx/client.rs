//! One write to the server, and what its answer means.
//!
//! Lines are written by an HTTP client of our own: the client crate hides the headers of an answer, and with them
//! `Retry-After`. The crate asks whether a server that could not be reached is there again, which costs less than the
//! lines. Neither follows a proxy variable, and each call stands under a time-out around the client's own.

use std::io::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use influxdb2::{Client, ClientBuilder, RequestError};
use reqwest::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER};
use secrecy::ExposeSecret;

use crate::clock;
use crate::sinks::influx::options::InfluxOptions;
use crate::sinks::influx::retry_after;
use crate::units::Millis;

const CONNECT_MAX: Duration = Duration::from_secs(5);
const REQUEST_MAX: Duration = Duration::from_secs(10);
/// Around the whole call, should the client's own time-out not act.
const CALL_MAX: Duration = Duration::from_secs(12);

/// Why a server cannot be written to at all.
#[derive(Debug, thiserror::Error)]
pub enum SetupFault {
    /// The address is not `http://host:port` or `https://host:port` without a path.
    #[error("not the address of an InfluxDB server: {0}")]
    Url(String),
    /// The HTTP client could not be built.
    #[error("the InfluxDB client cannot be built: {0}")]
    Client(String),
    /// The thread of the spool could not be started.
    #[error("the spool cannot be started: {0}")]
    Spool(std::io::Error),
}

/// What a write came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Taken.
    Accepted,
    /// Something in it is wrong.
    Wrong(String),
    /// It is too large.
    TooLarge(String),
    /// The server is away, busy or broken: later, and not before so long if it said so.
    Later(String, Option<Millis>),
    /// The server does not let us: a person must act.
    Refused(String),
}

/// One server.
#[derive(Debug)]
pub(super) struct Server {
    http: reqwest::Client,
    write: reqwest::Url,
    authorization: String,
    asking: Client,
    /// Whether the server takes compressed bodies, as all do until one says otherwise.
    gzip: AtomicBool,
    /// Whether the last write found nobody.
    unreachable: AtomicBool,
}

impl Server {
    pub(super) fn new(options: &InfluxOptions, precision: &str) -> Result<Self, SetupFault> {
        let bad = || SetupFault::Url(options.url.clone());
        // The crate panics on an address it cannot parse and drops paths in silence.
        let url = reqwest::Url::parse(&options.url).map_err(|_| bad())?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() || url.path() != "/" {
            return Err(bad());
        }
        // The provider of TLS; a second installation is refused, and the first is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut write = url.join("api/v2/write").map_err(|_| bad())?;
        let query = [("bucket", &*options.bucket), ("org", &options.org), ("precision", precision)];
        write.query_pairs_mut().extend_pairs(query);
        let unusable = |fault: &dyn std::error::Error| SetupFault::Client(fault.to_string());
        let http = reqwest::Client::builder()
            .no_proxy()
            .connect_timeout(CONNECT_MAX)
            .timeout(REQUEST_MAX)
            .redirect(reqwest::redirect::Policy::none())
            .tcp_nodelay(true)
            .build()
            .map_err(|fault| unusable(&fault))?;
        let token = options.token.expose_secret();
        // The crate's HTTP crate is not ours and has no name here; its builder is found by its place.
        let asking = default_of(|http| ClientBuilder::with_builder(http, "http://localhost", "", ""))
            .no_proxy()
            .connect_timeout(CONNECT_MAX)
            .timeout(REQUEST_MAX);
        let asking = ClientBuilder::with_builder(asking, &options.url, &options.org, token)
            .build()
            .map_err(|fault| unusable(&fault))?;
        let authorization = format!("Token {token}");
        let (gzip, unreachable) = (AtomicBool::new(true), AtomicBool::new(false));
        Ok(Self { http, write, authorization, asking, gzip, unreachable })
    }

    /// Writes these lines.
    pub(super) async fn write<'a>(&self, lines: impl Iterator<Item = &'a str> + Clone) -> Verdict {
        if self.unreachable.load(Ordering::Relaxed)
            && let Err(why) = self.ask().await
        {
            return Verdict::Later(why, None);
        }
        let gzip = self.gzip.load(Ordering::Relaxed);
        let verdict = self.post(lines.clone(), gzip).await;
        match verdict {
            // 415: it cannot unpack, and says so.
            None if gzip => {
                tracing::info!("the InfluxDB server takes no compressed bodies: plain from now on");
                self.gzip.store(false, Ordering::Relaxed);
                let refused = || Verdict::Refused("415: neither packed nor plain".to_owned());
                self.post(lines, false).await.unwrap_or_else(refused)
            }
            None => Verdict::Refused("415: the server takes no line protocol".to_owned()),
            Some(verdict) => verdict,
        }
    }

    /// Whether anybody is there. Any answer will do.
    async fn ask(&self) -> Result<(), String> {
        match tokio::time::timeout(CALL_MAX, self.asking.ready()).await {
            Ok(Err(RequestError::ReqwestProcessing { source })) => Err(source.to_string()),
            Ok(_) => {
                self.unreachable.store(false, Ordering::Relaxed);
                Ok(())
            }
            Err(_) => Err("no answer in time".to_owned()),
        }
    }

    /// `None`: 415.
    async fn post<'a>(&self, lines: impl Iterator<Item = &'a str>, gzip: bool) -> Option<Verdict> {
        let mut request = self
            .http
            .post(self.write.clone())
            .header(AUTHORIZATION, &self.authorization)
            .header(CONTENT_TYPE, "text/plain; charset=utf-8");
        request = if gzip {
            request.header(CONTENT_ENCODING, "gzip").body(packed(lines))
        } else {
            request.body(lines.collect::<String>())
        };
        let call = async {
            let answer = request.send().await?;
            let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
            // What stands in the answer of a success is not of interest, and its end need not be waited for.
            let text = if status == 204 { String::new() } else { answer.text().await? };
            Ok((status, headers, text))
        };
        let (status, headers, text) = match tokio::time::timeout(CALL_MAX, call).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => return Some(self.unsent(&error)),
            Err(_) => return Some(Verdict::Later("no answer in time".to_owned(), None)),
        };
        let after = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let after = after.and_then(|text| retry_after::parse(text, clock::now().wall));
        (status != 415).then(|| by_status(status, &text, after))
    }

    fn unsent(&self, error: &reqwest::Error) -> Verdict {
        self.unreachable.store(error.is_connect(), Ordering::Relaxed);
        Verdict::Later(error.to_string(), None)
    }
}

/// The default of the argument that a function takes.
fn default_of<A: Default, R>(_: impl Fn(A) -> R) -> A {
    A::default()
}

fn packed<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::default());
    for line in lines {
        // Writing to memory cannot fail.
        let _ = packer.write_all(line.as_bytes());
    }
    packer.finish().unwrap_or_default()
}

/// The most of an answer's text that is logged.
const TEXT_MAX: usize = 300;

fn by_status(status: u16, text: &str, after: Option<Millis>) -> Verdict {
    let text = format!("{status}: {}", text.chars().take(TEXT_MAX).collect::<String>());
    match status {
        200..=299 => Verdict::Accepted,
        400 | 422 => Verdict::Wrong(text),
        413 => Verdict::TooLarge(text),
        401 | 403 | 404 => Verdict::Refused(text),
        _ => Verdict::Later(text, after),
    }
}

//! One write to the server, and what its answer means.
//!
//! The client crate has no time-outs of its own, follows redirects and honours proxy variables: its HTTP
//! client is built here with time-outs and without a proxy, and each call stands under one more time-out.

use std::io;
use std::time::Duration;

use futures_util::stream;
use influxdb2::api::write::TimestampPrecision;
use influxdb2::models::WriteDataPoint;
use influxdb2::{Client, ClientBuilder, RequestError};
use secrecy::ExposeSecret;

use crate::sinks::influx::options::InfluxOptions;

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
}

/// What a write came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Taken.
    Accepted,
    /// Something in it is wrong, or it is too large.
    Wrong(String),
    /// The server is away, busy or broken: later.
    Later(String),
    /// The server does not let us: a person must act.
    Refused(String),
}

/// One server.
#[derive(Debug)]
pub(super) struct Server {
    client: Client,
    bucket: String,
}

impl Server {
    pub(super) fn new(options: &InfluxOptions) -> Result<Self, SetupFault> {
        let bad = || SetupFault::Url(options.url.clone());
        // The client panics on an address it cannot parse and drops paths in silence.
        let url = reqwest::Url::parse(&options.url).map_err(|_| bad())?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() || url.path() != "/" {
            return Err(bad());
        }
        // The client's HTTP crate is not ours and has no name here; its builder is found by its place.
        let http = default_of(|http| ClientBuilder::with_builder(http, "http://localhost", "", ""))
            .no_proxy()
            .connect_timeout(CONNECT_MAX)
            .timeout(REQUEST_MAX)
            .tcp_nodelay(true);
        let token = options.token.expose_secret();
        let client = ClientBuilder::with_builder(http, &options.url, &options.org, token)
            .gzip(true)
            .build()
            .map_err(|fault| SetupFault::Client(fault.to_string()))?;
        Ok(Self { client, bucket: options.bucket.clone() })
    }

    /// Writes these lines.
    pub(super) async fn write(&self, lines: &[String]) -> Verdict {
        let body = Block(lines.concat());
        let precision = TimestampPrecision::Milliseconds;
        let call = self.client.write_with_precision(&self.bucket, stream::iter([body]), precision);
        match tokio::time::timeout(CALL_MAX, call).await {
            Ok(Ok(())) => Verdict::Accepted,
            Ok(Err(error)) => verdict(&error),
            Err(_) => Verdict::Later("no answer in time".to_owned()),
        }
    }
}

/// The default of the argument that a function takes.
fn default_of<A: Default, R>(_: impl Fn(A) -> R) -> A {
    A::default()
}

fn verdict(error: &RequestError) -> Verdict {
    match error {
        RequestError::Http { status, text } => by_status(status.as_u16(), text),
        RequestError::ReqwestProcessing { source } => Verdict::Later(source.to_string()),
        RequestError::Serializing { .. } | RequestError::Deserializing { .. } => {
            Verdict::Later(error.to_string())
        }
    }
}

/// The most of an answer's text that is logged.
const TEXT_MAX: usize = 300;

fn by_status(status: u16, text: &str) -> Verdict {
    let text = format!("{status}: {}", text.chars().take(TEXT_MAX).collect::<String>());
    match status {
        400 | 413 | 422 => Verdict::Wrong(text),
        401 | 403 | 404 => Verdict::Refused(text),
        _ => Verdict::Later(text),
    }
}

/// Whole lines, as they are.
struct Block(String);

impl WriteDataPoint for Block {
    fn write_data_point_to<W: io::Write>(&self, mut to: W) -> io::Result<()> {
        to.write_all(self.0.as_bytes())
    }
}

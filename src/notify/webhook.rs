//! One target: its queue, its tries, and what its answers mean.
//!
//! 2xx is delivered. Everything else is a failure and tried again after 0, 1, 2, 5, 10, 30 and then every 60 s,
//! or later when the target says so (`Retry-After`, 300 s at most). Redirects are failures and never followed. A target
//! that says it is gone (410) is still tried, slowly: an alarm path is never switched off by its receiver.
//! A message that only this target's 400, 413 or 422 stands against is given up after a few tries, so that it
//! cannot hold up the others.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Client, Url, redirect};
use tokio::sync::Notify;
use tokio::sync::broadcast::error::RecvError;
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::exchange::{FaultReport, Hearing, Inbox};
use crate::notify::Texts;
use crate::notify::address::Guard;
use crate::notify::message::Maker;
use crate::notify::options::WebhookOptions;
use crate::notify::queue::{Message, Queue, Urgency};
use crate::notify::sign::Signer;
use crate::safety::site::{Site, SystemFault};
use crate::units::Millis;

const CONNECT_MAX: Duration = Duration::from_secs(3);
/// Waits before the second, third … try; the last one is repeated.
const RETRY_WAITS: [Millis; 6] =
    [Millis(1000), Millis(2000), Millis(5000), Millis(10_000), Millis(30_000), Millis(60_000)];
/// A target that says it is gone is asked this often.
const GONE_WAIT: Millis = Millis::from_secs(300);
/// A target may put us off for this long at most.
const RETRY_AFTER_MAX: Millis = Millis::from_secs(300);
/// This many failed tries in a row raise the alarm.
const FAILURES_ALARM: usize = 2;
/// Tries of a message that the target calls wrong.
const WRONG_TRIES_MAX: u32 = 3;
/// Older messages say nothing any more.
const AGE_MAX: Millis = Millis::from_secs(24 * 3600);
/// How long a try under way may still take at a stop.
const LAST_TRY_MAX: Duration = Duration::from_secs(2);

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
    /// Not `whsec_` and base64 of 24 to 64 bytes.
    #[error("webhook {target}: its secret is not whsec_ and base64 of 24 to 64 bytes")]
    Secret {
        /// The target's name.
        target: String,
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

/// What became of messages to one target since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Messages answered with 2xx.
    pub delivered: u64,
    /// Tries that failed.
    pub failures: u64,
    /// Messages dropped because the queue was full or they were a day old.
    pub dropped: u64,
    /// Messages the target called wrong until they were given up.
    pub rejected: u64,
    /// Publications that were over before this target heard them.
    pub missed: u64,
    /// Messages waiting now.
    pub waiting: u64,
}

/// One target as it runs.
#[derive(Debug)]
pub struct WebhookHandle {
    /// The target's name.
    pub name: String,
    shared: Arc<Shared>,
    /// Ends soon after the stop token.
    pub task: JoinHandle<()>,
}

impl WebhookHandle {
    /// What became of messages so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let get = |number: &AtomicU64| number.load(Ordering::Relaxed);
        Counts {
            delivered: get(&self.shared.delivered),
            failures: get(&self.shared.failures),
            dropped: get(&self.shared.dropped),
            rejected: get(&self.shared.rejected),
            missed: get(&self.shared.missed),
            waiting: self.shared.queue().len() as u64,
        }
    }
}

#[derive(Debug)]
struct Shared {
    queue: Mutex<Queue>,
    filled: Notify,
    delivered: AtomicU64,
    failures: AtomicU64,
    dropped: AtomicU64,
    rejected: AtomicU64,
    missed: AtomicU64,
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, message: Message) {
        let dropped = self.queue().put(message);
        self.dropped.fetch_add(dropped, Ordering::Relaxed);
        self.filled.notify_one();
    }
}

/// Starts telling all targets what is heard, each in a task of its own, until `stop`. `boot` is the machine's
/// boot id. Needs a tokio runtime. Nothing is started if any target cannot be used.
pub fn spawn(
    targets: &[WebhookOptions],
    site: &Arc<Site>,
    boot: &str,
    hearing: &Hearing,
    inbox: Inbox,
    stop: &CancellationToken,
    texts: &Arc<dyn Texts>,
) -> Result<Vec<WebhookHandle>, SetupFault> {
    // Without a provider the TLS client would panic when it is built; a second installation is refused.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let ready: Vec<Target> = targets.iter().map(Target::new).collect::<Result<_, _>>()?;
    let fault = FaultReport::new(inbox, SystemFault::Webhook);
    let now = clock::now();
    let process: Arc<str> = Arc::from(format!("{boot}-{:x}", now.uptime.0));
    let mut handles = Vec::new();
    for (target, options) in ready.into_iter().zip(targets) {
        let maker = Maker {
            site: Arc::clone(site),
            texts: Arc::clone(texts),
            process: Arc::clone(&process),
            priority_min: options.priority_min,
        };
        let shared = Arc::new(Shared::new(options.queued_max));
        if let Some(message) = maker.started(boot, now) {
            shared.put(message);
        }
        let ear = listen(maker, hearing.resubscribe(), Arc::clone(&shared));
        let courier = Courier {
            target,
            shared: Arc::clone(&shared),
            fault: fault.clone(),
            failures: 0,
            wrong: (Arc::from(""), 0),
        };
        let stop = stop.clone();
        let task = tokio::spawn(async move {
            tokio::select! {
                () = ear => {}
                () = courier.run(stop) => {}
            }
        });
        handles.push(WebhookHandle { name: options.name.clone(), shared, task });
    }
    Ok(handles)
}

impl Shared {
    fn new(queued_max: usize) -> Self {
        Self {
            queue: Mutex::new(Queue::new(queued_max)),
            filled: Notify::new(),
            delivered: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            rejected: AtomicU64::new(0),
            missed: AtomicU64::new(0),
        }
    }
}

async fn listen(maker: Maker, mut hearing: Hearing, shared: Arc<Shared>) {
    loop {
        match hearing.recv().await {
            Ok(publication) => {
                for message in maker.messages_of(&publication) {
                    shared.put(message);
                }
            }
            Err(RecvError::Lagged(missed)) => {
                shared.missed.fetch_add(missed, Ordering::Relaxed);
            }
            // Nothing more will be said; what waits is still delivered, until the stop.
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}

/// Where a message goes, and how.
struct Target {
    name: String,
    url: Url,
    signer: Signer,
    client: Client,
}

/// What a try came to.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Delivered,
    Failed { why: String, after: Option<Millis> },
    Gone,
    Wrong { why: String },
}

impl Target {
    fn new(options: &WebhookOptions) -> Result<Self, SetupFault> {
        let target = || options.name.clone();
        let url = Url::parse(&options.url).map_err(|_| SetupFault::Url { target: target() })?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(SetupFault::Url { target: target() });
        }
        let Some(host) = url.host_str() else { return Err(SetupFault::Url { target: target() }) };
        let guard = Guard { allow_private: options.allow_private };
        // An address in the URL is not resolved, so the guard does not see it later.
        let literal = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        if literal.is_ok_and(|address| !guard.allows(address)) {
            return Err(SetupFault::Private { target: target() });
        }
        let signer = Signer::new(&options.secret).ok_or_else(|| SetupFault::Secret { target: target() })?;
        let client = Client::builder()
            .no_proxy()
            .redirect(redirect::Policy::none())
            .connect_timeout(CONNECT_MAX)
            .timeout(Duration::from_millis(options.timeout.0))
            .dns_resolver(guard)
            .user_agent(concat!("emberwatch/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|source| SetupFault::Client { target: target(), source })?;
        Ok(Self { name: options.name.clone(), url, signer, client })
    }

    async fn deliver(&self, message: &Message) -> Verdict {
        let timestamp_s = clock::now().wall.0.div_euclid(1000);
        let signature = self.signer.sign(&message.id, timestamp_s, &message.body);
        let request = self
            .client
            .post(self.url.clone())
            .header("content-type", "application/json")
            .header("webhook-id", &*message.id)
            .header("webhook-timestamp", timestamp_s.to_string())
            .header("webhook-signature", signature)
            .body(message.body.to_vec());
        match request.send().await {
            // The answer's body says nothing that matters and is not read: it may be long or slow.
            Ok(response) => by_status(response.status().as_u16(), response.headers()),
            Err(error) => Verdict::Failed { why: reason(&error), after: None },
        }
    }
}

/// The innermost cause: "error sending request" alone helps nobody. The address is left out, it may hold secrets.
fn reason(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    if error.is_timeout() { format!("no answer in time ({cause})") } else { cause.to_string() }
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

struct Courier {
    target: Target,
    shared: Arc<Shared>,
    fault: FaultReport,
    /// Failed tries in a row.
    failures: usize,
    /// The message that the target called wrong last, and how often in a row.
    wrong: (Arc<str>, u32),
}

impl Courier {
    async fn run(mut self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let message = tokio::select! {
                () = stop.cancelled() => return,
                message = self.next() => message,
            };
            let verdict = tokio::select! {
                verdict = self.target.deliver(&message) => verdict,
                () = past(&stop) => return,
            };
            let (pause, ours) = self.judge(&message, verdict);
            tokio::select! {
                () = stop.cancelled() => return,
                () = sleep(Duration::from_millis(pause.0)) => {}
                () = self.something_worse(&message), if ours => {}
            }
        }
    }

    async fn next(&self) -> Message {
        loop {
            let first = self.shared.queue().first().map(|(_, message)| message.clone());
            let Some(message) = first else {
                self.shared.filled.notified().await;
                continue;
            };
            if clock::uptime().since(message.made) <= AGE_MAX {
                return message;
            }
            self.shared.queue().remove(&message.id);
            self.shared.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How long to wait before the next try, and whether that is our own choice.
    fn judge(&mut self, message: &Message, verdict: Verdict) -> (Millis, bool) {
        let target = &self.target.name;
        if verdict == Verdict::Delivered {
            self.shared.queue().remove(&message.id);
            self.shared.delivered.fetch_add(1, Ordering::Relaxed);
            self.failures = 0;
            self.fault.set(false);
            return (Millis::ZERO, true);
        }
        self.shared.failures.fetch_add(1, Ordering::Relaxed);
        let wait = RETRY_WAITS[self.failures.min(RETRY_WAITS.len() - 1)];
        self.failures = self.failures.saturating_add(1);
        let gone = verdict == Verdict::Gone;
        self.fault.set(self.fault.failing() || gone || FAILURES_ALARM <= self.failures);
        match verdict {
            Verdict::Failed { why, after } => {
                tracing::warn!(%target, %why, id = %message.id, "webhook not delivered");
                // A target can only put us off for longer: "now" again and again must not become a hot loop.
                (jittered(wait).max(after.unwrap_or(Millis::ZERO)), after.is_none())
            }
            Verdict::Gone => {
                tracing::error!(%target, "webhook target says it is gone (410); still trying");
                (GONE_WAIT, false)
            }
            Verdict::Wrong { why } => {
                let before = if self.wrong.0 == message.id { self.wrong.1 } else { 0 };
                self.wrong = (Arc::clone(&message.id), before + 1);
                tracing::error!(%target, %why, id = %message.id, "webhook target calls the message wrong");
                if WRONG_TRIES_MAX <= self.wrong.1 {
                    self.shared.queue().remove(&message.id);
                    self.shared.rejected.fetch_add(1, Ordering::Relaxed);
                }
                (jittered(wait), true)
            }
            Verdict::Delivered => (Millis::ZERO, true),
        }
    }

    /// Ends when a message is first in the queue that is more urgent than the one that failed: it does not
    /// wait for the other's next try.
    async fn something_worse(&self, failed: &Message) {
        loop {
            self.shared.filled.notified().await;
            let worst = self.shared.queue().first().map(|(place, _)| place.0.0);
            if worst.is_some_and(|worst| failed.urgency < worst && worst == Urgency::Critical) {
                return;
            }
        }
    }
}

/// Up to a tenth longer, so that gateways do not march in step.
fn jittered(wait: Millis) -> Millis {
    Millis(wait.0 + RandomState::new().build_hasher().finish() % (wait.0 / 10 + 1))
}

async fn past(stop: &CancellationToken) {
    stop.cancelled().await;
    sleep(LAST_TRY_MAX).await;
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

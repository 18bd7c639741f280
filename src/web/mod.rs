//! The local page and API: what people on the spot see, and the few things they may ask.
//!
//! ```text
//! hearing ─► hub (one screen, one patch per publication) ─► events, state ─► browsers
//! browsers ─► gate (connections) ─► guard (host, origin) ─► ask (operator) ─► inbox
//! ```
//!
//! Looking needs no token, asking does: every request of a person carries that person's token, and is answered
//! with what the core did about it. This room decides nothing about the plant and shows nothing of its own
//! making: it forwards a screen that is kept elsewhere. Everything a client can make grow has a named bound.
//! There is no TLS here: the address is loopback unless configured otherwise, and a reverse proxy is the way
//! to more.

mod ask;
mod assets;
mod events;
mod gate;
mod guard;
mod hub;
mod operators;
pub mod options;
mod problem;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Serialize;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::exchange::{Hearing, Inbox, Publication};
use crate::metrics::Form;
use crate::safety::site::Site;
use gate::{Gate, Peer};
use hub::Hub;
use operators::Operators;
use options::WebOptions;
use problem::Problem;

/// Connections at a time. When they are all taken, the one that has waited longest for its request gives way.
pub const CONNECTIONS_MAX: usize = 64;
/// Pages that may follow the events at a time.
pub const FOLLOWERS_MAX: usize = 16;
/// Bytes in the body of a request.
pub const BODY_BYTES_MAX: usize = 4096;
/// Bytes of a request before its head is complete.
pub const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Time for a request's head to arrive.
pub const HEAD_WITHIN: Duration = Duration::from_secs(5);
/// Time for a request's body to arrive.
pub const BODY_WITHIN: Duration = Duration::from_secs(10);
/// Time a client may leave a reply unread before its connection is closed.
pub const READ_WITHIN: Duration = Duration::from_secs(10);
/// Time for the core to say what it did about a request.
pub const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// Time for replies under way to leave once the stop was asked for.
pub const STOP_WITHIN: Duration = Duration::from_secs(3);

/// What the page shows, kept up to date by publications.
pub trait Screen: Send {
    /// Takes in a publication; returns what it changed, if anything.
    fn apply(&mut self, publication: &Publication) -> Option<serde_json::Value>;
    /// Everything, as a JSON object.
    fn snapshot(&self) -> serde_json::Value;
    /// Everything that is counted and measured, for Prometheus.
    fn metrics(&self, form: Form) -> String;
    /// Whether each part that is needed works.
    fn readiness(&self) -> Vec<Readiness>;
}

/// One thing that must work before this gateway can be relied on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Readiness {
    /// What.
    pub check: &'static str,
    /// Whether it does.
    pub ok: bool,
    /// What is wrong, if it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

impl Readiness {
    /// A check, and why it fails if it does.
    pub fn of(check: &'static str, ok: bool, why: impl FnOnce() -> String) -> Self {
        Self { check, ok, why: (!ok).then(why) }
    }
}

/// Why the page ended without having been told to.
#[derive(Debug, thiserror::Error)]
pub enum WebFault {
    /// A bug: the task panicked.
    #[error("the task of the page and API panicked")]
    Panicked,
}

/// A page that is being served.
#[derive(Debug)]
pub struct WebHandle {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl WebHandle {
    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until it has ended: at most `STOP_WITHIN` after the stop, or by a bug.
    pub async fn finished(&mut self) -> Result<(), WebFault> {
        (&mut self.task).await.map_err(|_| WebFault::Panicked)
    }
}

/// Serves the page and API on `listener` until `stop`. `banner` stands on top of the page: that this is a
/// demonstration, for instance; only with a banner does the page take a token from its own address.
#[expect(clippy::too_many_arguments, reason = "what a page needs, each once; a struct would only rename it")]
#[expect(
    clippy::needless_pass_by_value,
    reason = "the page keeps a child of the stop: ended by itself, it stops no others"
)]
pub fn serve(
    listener: TcpListener,
    options: WebOptions,
    site: Arc<Site>,
    screen: Box<dyn Screen>,
    hearing: Hearing,
    inbox: Inbox,
    stop: CancellationToken,
    banner: Option<String>,
) -> WebHandle {
    let address = listener.local_addr().unwrap_or(options.listen);
    let (hub, ears) = Hub::new(screen, banner);
    let hub = Arc::new(hub);
    let stop = stop.child_token();
    let app = App {
        hub: Arc::clone(&hub),
        site,
        operators: Arc::new(Operators::new(options.operators)),
        inbox,
        seats: Arc::new(Semaphore::new(FOLLOWERS_MAX)),
        stop: stop.clone(),
    };
    let task = tokio::spawn(async move {
        // Dropped by a panic too: nobody goes on following a page that has ended.
        let _ends_all = stop.clone().drop_guard();
        let gate = Gate::new(listener, stop.clone());
        let service = router(app).into_make_service_with_connect_info::<Peer>();
        let serving = axum::serve(gate, service).with_graceful_shutdown(stop.clone().cancelled_owned());
        let both = async { tokio::join!(hub.run(hearing, ears, stop.clone()), serving) };
        let out_of_time = async {
            stop.cancelled().await;
            tokio::time::sleep(STOP_WITHIN).await;
        };
        tokio::select! {
            _ = both => {}
            () = out_of_time => tracing::warn!("some replies of the page did not leave in time"),
        }
    });
    WebHandle { address, task }
}

/// What handlers share.
#[derive(Clone)]
struct App {
    hub: Arc<Hub>,
    site: Arc<Site>,
    operators: Arc<Operators>,
    inbox: Inbox,
    seats: Arc<Semaphore>,
    stop: CancellationToken,
}

fn router(app: App) -> Router {
    let mut router = Router::new();
    for asset in &assets::ALL {
        router =
            router.route(asset.path, get(move |headers: HeaderMap| async move { asset.reply(&headers) }));
    }
    router
        .route("/livez", get(async || ([(header::CACHE_CONTROL, "no-store")], "ok\n")))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .route("/api/v1/state", get(state))
        .route("/api/v1/events", get(events::follow))
        .route("/api/v1/alarms/{id}/{verb}", post(ask::alarm))
        .route("/api/v1/sequences/{id}/{verb}", post(ask::sequence))
        .fallback(async || {
            Problem::new(StatusCode::NOT_FOUND, "unknown-target", "There is no such page here.")
        })
        .method_not_allowed_fallback(async || {
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "wrong-method", "Look with GET, ask with POST.")
        })
        .layer(axum::middleware::from_fn(guard::guard))
        .with_state(app)
}

async fn state(State(app): State<App>) -> Response {
    let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")];
    (headers, app.hub.state()).into_response()
}

async fn readyz(State(app): State<App>) -> Response {
    let checks = app.hub.readiness();
    let ready = checks.iter().all(|check| check.ok);
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = Json(json!({ "ready": ready, "checks": checks }));
    (status, [(header::CACHE_CONTROL, "no-store")], body).into_response()
}

async fn metrics(State(app): State<App>, headers: HeaderMap) -> Response {
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    let form = Form::accepted(accept.unwrap_or_default());
    let head = [(header::CONTENT_TYPE, form.content_type()), (header::CACHE_CONTROL, "no-store")];
    (head, app.hub.metrics(form)).into_response()
}

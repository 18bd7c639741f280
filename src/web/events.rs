//! The stream of events that a page follows: the whole state first, then what changes, and a beat.

use std::convert::Infallible;

use axum::body::Body;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::broadcast::{Receiver, error::RecvError};

use crate::web::problem::Problem;
use crate::web::{App, FOLLOWERS_MAX};

/// One who follows.
struct Follower {
    app: App,
    first: Option<Bytes>,
    frames: Receiver<Bytes>,
    _seat: OwnedSemaphorePermit,
}

impl Follower {
    /// The next frame; `None` at the stop, so that a graceful shutdown does not wait for those who look.
    async fn next(&mut self) -> Option<Bytes> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        let frame = tokio::select! {
            () = self.app.stop.cancelled() => return None,
            frame = self.frames.recv() => frame,
        };
        match frame {
            Ok(frame) => Some(frame),
            Err(RecvError::Lagged(_)) => {
                let (state, frames) = self.app.hub.follow();
                self.frames = frames;
                Some(state)
            }
            Err(RecvError::Closed) => None,
        }
    }
}

/// `GET /api/v1/events`.
pub(super) async fn follow(State(app): State<App>) -> Result<Response, Problem> {
    let seat = app.seats.clone().try_acquire_owned().map_err(|_| {
        let detail = format!("{FOLLOWERS_MAX} pages follow already: close one, then reload.");
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too-many-followers", detail)
    })?;
    let (first, frames) = app.hub.follow();
    let follower = Follower { app, first: Some(first), frames, _seat: seat };
    let frames = stream::unfold(follower, async |mut follower| {
        let frame = follower.next().await?;
        Some((Ok::<_, Infallible>(frame), follower))
    });
    let headers = [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-store")];
    Ok((headers, Body::from_stream(frames)).into_response())
}

//! One screen for all who look: each publication is applied once and each change is written out once.
//!
//! A follower gets the whole state and then patches, taken under one lock, so that none is missing and none
//! comes twice. A follower that is too slow gets the whole state again. The beat says that publications keep
//! coming: it stops when the safety loop hangs, though this task does not, and the page then says so.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::exchange::{Hearing, Publication};
use crate::metrics::Form;
use crate::units::Millis;
use crate::web::{Readiness, Screen};

/// Frames a follower may be behind before it gets the whole state again.
const FRAMES_QUEUED_MAX: usize = 256;
/// Requests that may wait for an ear of their own.
const EARS_QUEUED_MAX: usize = 16;
/// Time between beats.
const BEAT_EVERY: Duration = Duration::from_secs(1);
/// Without a publication for this long there is no beat: the loop publishes at least every second.
const SILENT_AFTER: Millis = Millis(2500);

/// The way to an ear: a hearing that starts now.
pub(super) type Ears = mpsc::Receiver<oneshot::Sender<Hearing>>;

/// The screen and those who follow it.
pub(super) struct Hub {
    view: Mutex<View>,
    frames: broadcast::Sender<Bytes>,
    ears: mpsc::Sender<oneshot::Sender<Hearing>>,
    banner: Option<String>,
}

struct View {
    screen: Box<dyn Screen>,
    /// Publications that never arrived: what they changed is unknown until it changes again.
    missed: u64,
    /// The whole state as text, until it changes.
    state: Option<Bytes>,
}

impl Hub {
    pub(super) fn new(screen: Box<dyn Screen>, banner: Option<String>) -> (Self, Ears) {
        let (ears, wanted) = mpsc::channel(EARS_QUEUED_MAX);
        let frames = broadcast::Sender::new(FRAMES_QUEUED_MAX);
        (Self { view: Mutex::new(View { screen, missed: 0, state: None }), frames, ears, banner }, wanted)
    }

    /// Everything, as a JSON object.
    pub(super) fn state(&self) -> Bytes {
        self.state_of(&mut self.view())
    }

    /// Everything that is counted and measured.
    pub(super) fn metrics(&self, form: Form) -> String {
        self.view().screen.metrics(form)
    }

    /// Whether each part that is needed works.
    pub(super) fn readiness(&self) -> Vec<Readiness> {
        self.view().screen.readiness()
    }

    /// The whole state as a frame, and the frames that follow it.
    pub(super) fn follow(&self) -> (Bytes, broadcast::Receiver<Bytes>) {
        let mut view = self.view();
        (frame("state", &self.state_of(&mut view)), self.frames.subscribe())
    }

    /// A hearing that starts now; `None` when nothing is being heard any more.
    pub(super) async fn ear(&self) -> Option<Hearing> {
        let (give, take) = oneshot::channel();
        self.ears.send(give).await.ok()?;
        take.await.ok()
    }

    /// Hears publications until `stop` or until there are no more; then everything that follows ends too.
    pub(super) async fn run(&self, mut hearing: Hearing, mut ears: Ears, stop: CancellationToken) {
        let mut beat = tokio::time::interval(BEAT_EVERY);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut heard = None;
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                publication = hearing.recv() => match publication {
                    Ok(publication) => {
                        self.hear(&publication);
                        heard = Some(clock::uptime());
                    }
                    Err(RecvError::Lagged(missed)) => self.miss(missed),
                    Err(RecvError::Closed) => break,
                },
                Some(give) = ears.recv() => {
                    // Whoever asked may have left meanwhile.
                    let _gone = give.send(hearing.resubscribe());
                }
                _ = beat.tick() => {
                    let now = clock::now();
                    if heard.is_some_and(|heard| now.uptime.since(heard) < SILENT_AFTER) {
                        self.send(frame("beat", json!({ "now_ms": now.wall.0 }).to_string().as_bytes()));
                    }
                }
            }
        }
        stop.cancel();
    }

    fn hear(&self, publication: &Arc<Publication>) {
        let mut view = self.view();
        view.state = None;
        if let Some(patch) = view.screen.apply(publication) {
            self.send(frame("patch", patch.to_string().as_bytes()));
        }
    }

    fn miss(&self, missed: u64) {
        tracing::warn!(missed, "the page was too slow for the publications and missed some");
        let mut view = self.view();
        view.missed = view.missed.saturating_add(missed);
        view.state = None;
        let state = self.state_of(&mut view);
        self.send(frame("state", &state));
    }

    fn send(&self, frame: Bytes) {
        // Nobody may be following.
        let _followers = self.frames.send(frame);
    }

    fn state_of(&self, view: &mut View) -> Bytes {
        if let Some(state) = &view.state {
            return state.clone();
        }
        let mut state = view.screen.snapshot();
        if let Value::Object(fields) = &mut state {
            fields.insert("banner".into(), self.banner.clone().into());
            fields.insert("missed".into(), view.missed.into());
        }
        let state = Bytes::from(state.to_string());
        view.state = Some(state.clone());
        state
    }

    fn view(&self) -> MutexGuard<'_, View> {
        // A panic of the screen ends the task that hears; until then the last state is better than none.
        self.view.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One server-sent event. JSON text has no line breaks of its own.
fn frame(event: &str, json: &[u8]) -> Bytes {
    [b"event: ", event.as_bytes(), b"\ndata: ", json, b"\n\n"].concat().into()
}

//! What people of this machine see and ask through the local socket: how everything stands, and requests about
//! alarms in their own name.
//!
//! A request is put to the safety loop like any other input, and its answer is the loop's own word. Sequences
//! are not commanded here: those who cut power by hand do so on the page, with a token of their own.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::broadcast::error::RecvError;

use super::protocol::{AlarmVerb, Answer};
use crate::clock;
use crate::exchange::{Hearing, Publication};
use crate::runtime::Ears;
use crate::safety::alarm::AlarmState;
use crate::safety::fact::{Fact, Input, Operator, Refusal, Request};
use crate::safety::site::{AlarmId, RoomId, SequenceId};
use crate::units::Millis;
use crate::wire::payload::sequence::state_word;
use crate::wire::{Board, payload, text};

/// The loop answers within a tick; longer than this it is not heard.
const ANSWER_MAX: Duration = Duration::from_secs(2);

/// The board, and the way to the loop.
pub(in crate::runtime) struct People {
    ears: Ears,
    view: Mutex<View>,
}

struct View {
    board: Board,
    missed: u64,
}

impl People {
    pub(in crate::runtime) fn new(ears: Ears) -> Self {
        let board = Board::new(Arc::clone(&ears.site), ears.boot.clone());
        Self { ears, view: Mutex::new(View { board, missed: 0 }) }
    }

    /// Keeps the board until the stop.
    pub(in crate::runtime) async fn hear(self: Arc<Self>, mut hearing: Hearing) {
        loop {
            let heard = tokio::select! {
                heard = hearing.recv() => heard,
                () = self.ears.stop.cancelled() => return,
            };
            match heard {
                Ok(publication) => {
                    self.view().board.apply(&publication);
                }
                Err(RecvError::Lagged(missed)) => {
                    tracing::warn!(missed, "the local socket's view fell behind");
                    self.view().missed += missed;
                }
                Err(RecvError::Closed) => return,
            }
        }
    }

    fn view(&self) -> MutexGuard<'_, View> {
        // A panic while applying ends the task that hears; until it is back the last view is better than none.
        self.view.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How everything stands.
    pub(super) fn status(&self) -> Value {
        let view = self.view();
        let board = &view.board;
        let (site, envelope) = (board.site(), board.envelope());
        let rooms = (0..site.rooms.len()).map(RoomId::at);
        let rooms: Vec<Value> =
            rooms.map(|room| payload::room_summary(&envelope, room, &board.summary(room))).collect();
        let sequences = (0..site.sequences.len()).map(SequenceId::at).map(|id| {
            let (spec, state) = (&site[id], board.sequence(id));
            json!({
                "id": spec.name, "title": spec.title, "zone": site[spec.zone].name,
                "mode": text::mode(state.mode), "state": state_word(&state.phase),
            })
        });
        let figures = board.figures().named();
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "site": site.name,
            "gateway": site.gateway,
            "boot": self.ears.boot,
            "seq": board.seq(),
            "loop_silent_ms": clock::uptime().since(board.now().uptime).0,
            "missed": view.missed,
            "level": board.level().word(),
            "failing": board.failing(),
            "rooms": rooms,
            "sequences": sequences.collect::<Vec<Value>>(),
            "alarm_figures": figures.iter().map(|(name, figure)| ((*name).to_owned(), json!(figure)))
                .collect::<serde_json::Map<String, Value>>(),
        })
    }

    /// The document of each alarm that is not normal; of this one also where it is.
    pub(super) fn alarms(&self, also: Option<&str>) -> Vec<Value> {
        let view = self.view();
        let (board, site) = (&view.board, view.board.site());
        let all = (0..site.alarms.len()).map(AlarmId::at);
        let shown = all.filter(|id| {
            board.alarm(*id).state != AlarmState::Normal || Some(site[*id].name.as_str()) == also
        });
        shown.map(|id| payload::alarm(&board.envelope(), id, board.alarm(id))).collect()
    }

    /// Asks the loop in the name of this person, and waits for its word.
    pub(super) async fn ask(&self, by: Operator, id: &str, verb: AlarmVerb) -> Answer {
        let Some(alarm) = self.ears.site.alarms.iter().position(|alarm| alarm.name == id) else {
            return Answer::Error(format!("no alarm `{id}`"));
        };
        let request = wish(AlarmId::at(alarm), verb);
        // An ear first: the answer cannot come before we listen.
        let hearing = self.ears.facts.subscribe();
        let input = Input::Asked { by: by.clone(), request: request.clone() };
        let asked = async {
            self.ears.inbox.send(vec![input]).await.ok()?;
            answer(hearing, &by, &request).await
        };
        tracing::info!(%by, ?request, "asked on the local socket");
        match tokio::time::timeout(ANSWER_MAX, asked).await {
            Ok(Some(Ok(()))) => Answer::Done { by: by.to_string() },
            Ok(Some(Err(why))) => Answer::Refused(text::refusal(why).to_owned()),
            Ok(None) => Answer::Error("emberwatch is stopping: nothing was asked".to_owned()),
            Err(_) => Answer::Error(
                "asked, but the safety loop has not answered in time: look at the alarm before asking again"
                    .to_owned(),
            ),
        }
    }
}

fn wish(alarm: AlarmId, verb: AlarmVerb) -> Request {
    match verb {
        AlarmVerb::Ack { occurrence } => Request::Acknowledge { alarm, occurrence },
        AlarmVerb::Reset {} => Request::ResetAlarm { alarm },
        AlarmVerb::Shelve { for_ms, one_shot, occurrence } => {
            Request::Shelve { alarm, occurrence, lasting: Millis(for_ms), one_shot }
        }
        AlarmVerb::Unshelve {} => Request::Unshelve { alarm },
        AlarmVerb::OutOfService { reason } => Request::OutOfService { alarm, reason: reason.into() },
        AlarmVerb::InService {} => Request::InService { alarm },
    }
}

async fn answer(mut hearing: Hearing, by: &Operator, wish: &Request) -> Option<Result<(), Refusal>> {
    loop {
        match hearing.recv().await {
            Ok(publication) => {
                if let Some(answer) = answer_in(&publication, by, wish) {
                    return Some(answer);
                }
            }
            Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => return None,
        }
    }
}

fn answer_in(publication: &Publication, by: &Operator, wish: &Request) -> Option<Result<(), Refusal>> {
    publication.facts.iter().find_map(|fact| match fact {
        Fact::Followed { by: who, request } if who == by && request == wish => Some(Ok(())),
        Fact::Refused { by: who, request, why } if who == by && request == wish => Some(Err(*why)),
        _ => None,
    })
}

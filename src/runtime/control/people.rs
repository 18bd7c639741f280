//! What people of this machine see and ask through the local socket: how everything stands, and requests in
//! their own name.
//!
//! A request is put to the safety loop like any other input, and its answer is the loop's own word. It works without
//! network, broker and page: the local way to stop a cut, and to begin one.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::watch;

use super::protocol::{AlarmVerb, Answer, SequenceVerb};
use crate::clock;
use crate::exchange::{Hearing, Publication};
use crate::runtime::Ears;
use crate::safety::alarm::AlarmState;
use crate::safety::fact::{Fact, Input, Operator, Refusal, Request};
use crate::safety::sequence::RunId;
use crate::safety::site::{AlarmId, RoomId, SequenceId};
use crate::units::Millis;
use crate::wire::payload::sequence::{SequenceExtras, state_word};
use crate::wire::{Board, Envelope, payload, text, time};

/// The loop answers within a tick; longer than this it is not heard.
const ANSWER_MAX: Duration = Duration::from_secs(2);

/// The board, and the way to the loop.
pub(in crate::runtime) struct People {
    ears: Ears,
    view: Mutex<View>,
    /// The last publication that the view has taken in.
    applied: watch::Sender<u64>,
}

struct View {
    board: Board,
    missed: u64,
}

impl People {
    pub(in crate::runtime) fn new(ears: Ears) -> Self {
        let board = Board::new(Arc::clone(&ears.site), ears.boot.clone());
        Self { ears, view: Mutex::new(View { board, missed: 0 }), applied: watch::Sender::new(0) }
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
                    self.applied.send_replace(publication.number);
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
        shown.map(|id| board.alarm_document(id)).collect()
    }

    /// The document of each sequence.
    pub(super) fn sequences(&self) -> Vec<Value> {
        let view = self.view();
        let board = &view.board;
        let all = (0..board.site().sequences.len()).map(SequenceId::at);
        all.map(|id| board.sequence_document(id)).collect()
    }

    /// The sequence of this id.
    pub(super) fn sequence_of(&self, id: &str) -> Result<SequenceId, Answer> {
        let sequences = &self.ears.site.sequences;
        let found = sequences.iter().position(|sequence| sequence.name == id).map(SequenceId::at);
        found.ok_or_else(|| {
            let names: Vec<&str> = sequences.iter().map(|sequence| sequence.name.as_str()).collect();
            Answer::Error(format!("no sequence `{id}`; there are: {}", names.join(", ")))
        })
    }

    /// An ear for what is published from now on.
    pub(super) fn ear(&self) -> Hearing {
        self.ears.facts.subscribe()
    }

    /// What of a publication happened to this sequence: time, event, sentence, and how it stands with its readings.
    pub(super) fn happened(&self, publication: &Publication, id: SequenceId) -> Vec<Value> {
        let site = &self.ears.site;
        let envelope = Envelope {
            site,
            boot: &self.ears.boot,
            seq: publication.number,
            now: publication.now,
            clock: publication.clock,
        };
        let about = |fact: &Fact| matches!(fact, Fact::Sequence(change) if change.sequence == id);
        if !publication.facts.iter().any(about) {
            return Vec::new();
        }
        // The board may not have heard this publication yet: what moved the sequence is in it.
        let mut readings = self.view().board.readings().to_vec();
        for fact in &publication.facts {
            if let Fact::Reading { point, reading } = fact {
                readings[point.index()] = *reading;
            }
        }
        let mut all = Vec::new();
        for fact in &publication.facts {
            let Fact::Sequence(change) = fact else { continue };
            if change.sequence != id {
                continue;
            }
            let extras = SequenceExtras { readings: &readings, ..SequenceExtras::default() };
            all.push(json!({
                "at_ms": publication.now.uptime.0,
                "at": time::rfc3339(publication.now.wall),
                "event": change.event.word(),
                "stage": change.event.stage().map(|stage| u32::from(stage) + 1),
                "text": text::sequence_event(site, id, &change.now, &change.event),
                "sequence": payload::sequence(&envelope, id, &change.now, extras),
                "feedback": payload::sequence::feedback(site, id, &readings, publication.now.uptime),
            }));
        }
        all
    }

    /// Asks something about a sequence in the name of this person.
    pub(super) async fn ask_sequence(&self, by: Operator, id: &str, verb: SequenceVerb) -> Answer {
        let sequence = match self.sequence_of(id) {
            Ok(sequence) => sequence,
            Err(answer) => return answer,
        };
        let request = match verb {
            SequenceVerb::Arm {} => Request::Arm { sequence },
            SequenceVerb::Disarm {} => Request::Disarm { sequence },
            SequenceVerb::Reset {} => Request::ResetSequence { sequence },
            SequenceVerb::Abort { run } => Request::Abort { sequence, run: run.map(RunId) },
            SequenceVerb::Select {} => Request::Select { sequence },
            SequenceVerb::Start {} => Request::Start { sequence },
            SequenceVerb::Drill {} => Request::Drill { sequence },
            SequenceVerb::ProofTested {} => Request::ProofTested { sequence },
        };
        self.put(by, request).await
    }

    /// Asks something about an alarm in the name of this person.
    pub(super) async fn ask(&self, by: Operator, id: &str, verb: AlarmVerb) -> Answer {
        let Some(alarm) = self.ears.site.alarms.iter().position(|alarm| alarm.name == id) else {
            return Answer::Error(format!("no alarm `{id}`"));
        };
        self.put(by, wish(AlarmId::at(alarm), verb)).await
    }

    /// Asks the loop, and waits for its word.
    async fn put(&self, by: Operator, request: Request) -> Answer {
        // An ear first: the answer cannot come before we listen.
        let hearing = self.ears.facts.subscribe();
        let input = Input::Asked { by: by.clone(), request: request.clone() };
        let asked = async {
            self.ears.inbox.send(vec![input]).await.ok()?;
            let (number, word) = answer(hearing, &by, &request).await?;
            // Who looks next sees what was done.
            self.applied.subscribe().wait_for(|applied| number <= *applied).await.ok()?;
            Some(word)
        };
        tracing::info!(%by, ?request, "asked on the local socket");
        match tokio::time::timeout(ANSWER_MAX, asked).await {
            Ok(Some(Ok(None))) => Answer::Done { by: by.to_string() },
            Ok(Some(Ok(Some(left)))) => Answer::Proposed { by: by.to_string(), remaining_ms: left.0 },
            Ok(Some(Err(why))) => Answer::Refused(text::refusal(&self.ears.site, why)),
            Ok(None) => Answer::Error("emberwatch is stopping: nothing was asked".to_owned()),
            Err(_) => Answer::Error(
                "asked, but the safety loop has not answered in time: look at how it stands before asking again"
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
        AlarmVerb::Waive { for_ms, reason } => {
            Request::Waive { alarm, lasting: Millis(for_ms), reason: reason.into() }
        }
        AlarmVerb::EndWaiver {} => Request::EndWaiver { alarm },
        AlarmVerb::InService {} => Request::InService { alarm },
    }
}

/// The loop's word: followed, or waiting for a second person for so long, or refused.
type Word = Result<Option<Millis>, Refusal>;

/// The word, and the publication that it came with.
async fn answer(mut hearing: Hearing, by: &Operator, wish: &Request) -> Option<(u64, Word)> {
    loop {
        match hearing.recv().await {
            Ok(publication) => {
                if let Some(answer) = answer_in(&publication, by, wish) {
                    return Some((publication.number, answer));
                }
            }
            Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => return None,
        }
    }
}

fn answer_in(publication: &Publication, by: &Operator, wish: &Request) -> Option<Word> {
    publication.facts.iter().find_map(|fact| match fact {
        Fact::Followed { by: who, request } if who == by && request == wish => Some(Ok(None)),
        Fact::Proposed { by: who, request, until } if who == by && request == wish => {
            Some(Ok(Some(until.since(publication.now.uptime))))
        }
        Fact::Refused { by: who, request, why } if who == by && request == wish => Some(Err(*why)),
        _ => None,
    })
}

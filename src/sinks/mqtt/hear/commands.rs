//! Commands from the message to the answer: what passes the gate is put to the core, and its word is awaited.

use std::sync::Arc;

use bytes::Bytes;

use super::super::command::{Answer, Bucket, Gate, Judged, Passed, Rejection, Said, Wish};
use crate::exchange::{Inbox, Publication};
use crate::safety::fact::{CommandRecord, Fact, Input, Refusal, Request};
use crate::safety::site::RoomId;
use crate::units::{Millis, Now, Uptime};
use crate::wire::{Board, text};

/// Commands that may wait for the core's word.
const WAITING_MAX: usize = 16;
/// How long they wait.
const ANSWER_WITHIN: Millis = Millis::from_secs(2);
/// Rejected commands that are recorded at once, and how soon one more is: nobody may fill the record by talking.
const RECORDED_MAX: u32 = 20;
const RECORDED_EVERY: Millis = Millis::from_secs(3);
/// Everything is told again at most this often.
const REFRESH_EVERY: Millis = Millis::from_secs(10);
/// The longest text of a command that is recorded.
const TEXT_CHARS_MAX: usize = 64;

/// What may be asked, and what was.
pub(in crate::sinks::mqtt) struct Commands {
    gate: Gate,
    inbox: Inbox,
    waiting: Vec<Waiting>,
    recorded: Bucket,
    refreshed: Bucket,
    /// Refreshes that were asked for: they are answered when all has been told.
    refreshing: Vec<(RoomId, String)>,
}

/// A command that the core has.
struct Waiting {
    call: Call,
    passed: Passed,
    request: Request,
    until: Uptime,
}

/// Who asked what, and how to answer.
#[derive(Clone, Debug)]
pub(in crate::sinks::mqtt) struct Call {
    room: RoomId,
    verb: String,
    target: String,
    response_topic: Option<String>,
    correlation: Option<Bytes>,
}

/// An answer on its way.
#[derive(Debug)]
pub(in crate::sinks::mqtt) struct Reply {
    pub(in crate::sinks::mqtt) room: RoomId,
    pub(in crate::sinks::mqtt) verb: String,
    /// Where the sender wants it, if it may.
    pub(in crate::sinks::mqtt) topic: Option<String>,
    pub(in crate::sinks::mqtt) correlation: Option<Bytes>,
    pub(in crate::sinks::mqtt) answer: Answer,
}

impl Commands {
    pub(in crate::sinks::mqtt) fn new(gate: Gate, inbox: Inbox, now: Now) -> Self {
        Self {
            gate,
            inbox,
            waiting: Vec::with_capacity(WAITING_MAX),
            recorded: Bucket::new(RECORDED_MAX, RECORDED_EVERY, now.uptime),
            refreshed: Bucket::new(1, REFRESH_EVERY, now.uptime),
            refreshing: Vec::new(),
        }
    }

    /// Somebody asks. What can be answered at once is.
    pub(in crate::sinks::mqtt) fn heard(&mut self, said: &Said, board: &Board, now: Now) -> Option<Reply> {
        let (room, verb) = self.gate.place(&said.topic)?;
        let call = Call {
            room,
            verb: clipped(verb),
            target: target(&said.payload),
            response_topic: said.response_topic.clone().filter(|topic| self.gate.may_answer_on(topic)),
            correlation: said.correlation.clone(),
        };
        match self.gate.judge(said, (room, verb), board, now) {
            Judged::UnderWay => None,
            Judged::Answered(answer) => {
                let by = said
                    .key
                    .as_deref()
                    .map_or_else(|| "mqtt".to_owned(), |key| format!("mqtt:{}", clipped(key)));
                // What was answered before was recorded before.
                if !answer.again {
                    self.record(&call, None, &by, &answer, now);
                }
                Some(reply(call, answer))
            }
            Judged::Passed(passed) => self.put(call, passed, now),
        }
    }

    fn put(&mut self, call: Call, passed: Passed, now: Now) -> Option<Reply> {
        match passed.wish.clone() {
            Wish::Refresh => {
                let taken = self.refreshed.take(now.uptime).is_some();
                if taken {
                    self.refreshing.push((call.room, passed.id.clone()));
                }
                Some(self.close(call, &passed, (!taken).then_some(Rejection::Busy), now))
            }
            Wish::Ask(request) => {
                let input = Input::Asked { by: passed.by.clone(), request: request.clone() };
                if WAITING_MAX <= self.waiting.len() || self.inbox.try_send(vec![input]).is_err() {
                    return Some(self.close(call, &passed, Some(Rejection::Busy), now));
                }
                let until = now.uptime.plus(ANSWER_WITHIN);
                self.waiting.push(Waiting { call, passed, request, until });
                None
            }
        }
    }

    /// What the core said about those that wait; and those that have waited for too long.
    pub(in crate::sinks::mqtt) fn follow(&mut self, publication: &Publication, board: &Board) -> Vec<Reply> {
        let mut replies = Vec::new();
        for waiting in std::mem::take(&mut self.waiting) {
            let word = publication.facts.iter().find_map(|fact| said_of(&waiting, fact));
            let rejection = match word {
                Some(Ok(())) => None,
                Some(Err(why)) => Some(Rejection::NotNow(text::refusal(board.site(), why))),
                None if waiting.until < publication.now.uptime => Some(Rejection::NoAnswer),
                None => {
                    self.waiting.push(waiting);
                    continue;
                }
            };
            replies.push(self.close(waiting.call, &waiting.passed, rejection, publication.now));
        }
        replies
    }

    /// Refreshes that were asked for since this was called last.
    pub(in crate::sinks::mqtt) fn take_refreshing(&mut self) -> Vec<(RoomId, String)> {
        std::mem::take(&mut self.refreshing)
    }

    fn close(&mut self, call: Call, passed: &Passed, rejection: Option<Rejection>, now: Now) -> Reply {
        let answer = Answer { id: Some(passed.id.clone()), rejection, again: false };
        self.gate.answered(&answer);
        self.record(&call, Some(passed), &passed.by, &answer, now);
        reply(call, answer)
    }

    /// For the journal and everybody who hears events. A record that finds the loop busy is lost with its count.
    fn record(&mut self, call: &Call, passed: Option<&Passed>, by: &str, answer: &Answer, now: Now) {
        let unrecorded = match &answer.rejection {
            None => 0,
            Some(_) => match self.recorded.take(now.uptime) {
                Some(unrecorded) => unrecorded,
                None => return,
            },
        };
        let record = CommandRecord {
            room: call.room,
            by: by.into(),
            actor: passed.map_or("", |passed| &passed.actor).into(),
            verb: call.verb.as_str().into(),
            target: call.target.as_str().into(),
            id: clipped(answer.id.as_deref().unwrap_or_default()).into(),
            reason: passed.map_or("", |passed| &passed.reason).into(),
            rejected: answer.rejection.as_ref().map_or("", Rejection::word).into(),
            unrecorded,
        };
        if self.inbox.try_send(vec![Input::Commanded(Box::new(record))]).is_err() {
            tracing::warn!(by, verb = call.verb, "the loop is busy: a command was not recorded");
        }
    }
}

fn said_of(waiting: &Waiting, fact: &Fact) -> Option<Result<(), Refusal>> {
    let is_it = |by: &Arc<str>, request: &Request| *by == waiting.passed.by && *request == waiting.request;
    match fact {
        Fact::Followed { by, request } if is_it(by, request) => Some(Ok(())),
        Fact::Refused { by, request, why } if is_it(by, request) => Some(Err(*why)),
        _ => None,
    }
}

fn reply(call: Call, answer: Answer) -> Reply {
    let Call { room, verb, response_topic: topic, correlation, .. } = call;
    Reply { room, verb, topic, correlation, answer }
}

/// What it is about, as far as that can be read; for the record only.
fn target(payload: &[u8]) -> String {
    #[derive(serde::Deserialize)]
    struct About<'a> {
        #[serde(borrow)]
        target: std::borrow::Cow<'a, str>,
    }
    let about = (payload.len() <= 64 << 10).then(|| serde_json::from_slice::<About>(payload).ok()).flatten();
    about.map(|about| clipped(&about.target)).unwrap_or_default()
}

/// A text of a stranger, made fit for a record.
fn clipped(text: &str) -> String {
    text.chars().filter(|it| !it.is_control()).take(TEXT_CHARS_MAX).collect()
}

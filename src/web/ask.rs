//! What people ask of the core, and what it did about it.
//!
//! A request is put to the safety loop like any other input. The reply waits for the loop's own word on it:
//! "accepted" means followed, not queued. What the page asked about (an occurrence, a run) goes along, so that
//! an answer to yesterday's alarm cannot touch today's.

use axum::Json;
use axum::body::{Body, to_bytes};
use axum::extract::rejection::PathRejection;
use axum::extract::{ConnectInfo, Path, Request, State};
use axum::http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::broadcast::error::RecvError;
use tokio::time::timeout;

use crate::exchange::Hearing;
use crate::safety::fact::{Fact, Input, Operator, Refusal, Request as Wish};
use crate::safety::sequence::RunId;
use crate::safety::site::{AlarmId, SequenceId};
use crate::units::Millis;
use crate::web::gate::Peer;
use crate::web::problem::Problem;
use crate::web::{ANSWER_WITHIN, App, BODY_BYTES_MAX, BODY_WITHIN};

type Target = Result<Path<(String, String)>, PathRejection>;

/// What may come with a request.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct About {
    /// The occurrence of the alarm that was seen.
    occurrence: Option<u64>,
    /// The run of the sequence that was seen.
    run: Option<u64>,
    /// For how long to shelve, in seconds.
    for_s: Option<u64>,
    /// Shelve until the cause goes, if that is earlier.
    #[serde(default)]
    one_shot: bool,
    /// Why an alarm is taken out of service.
    reason: Option<String>,
}

/// `POST /api/v1/alarms/{id}/{verb}`: `ack` with the occurrence that was seen, `reset`, `shelve` for so many
/// seconds, `unshelve`, `out-of-service` with a reason, `in-service`; `begin` for so many seconds with a reason and
/// `end` for the bypass or the maintenance that it stands for.
pub(super) async fn alarm(
    State(app): State<App>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    target: Target,
    request: Request,
) -> Result<Json<Value>, Problem> {
    let (by, about) = read(&app, &peer, request).await?;
    let (name, verb) = named(target)?;
    let found = app.site.alarms.iter().position(|alarm| alarm.name == name);
    let alarm = found.map(AlarmId::at).ok_or_else(|| unknown("alarm"))?;
    let wish = match verb.as_str() {
        "ack" => {
            let occurrence = about.occurrence.ok_or_else(|| {
                malformed("Send the occurrence that you saw: `{\"occurrence\": 3}`. The state lists it.")
            })?;
            Wish::Acknowledge { alarm, occurrence }
        }
        "reset" => Wish::ResetAlarm { alarm },
        "shelve" => {
            let seconds = about.for_s.ok_or_else(|| malformed("Send for how long: `{\"for_s\": 3600}`."))?;
            let (occurrence, one_shot) = (about.occurrence, about.one_shot);
            Wish::Shelve { alarm, occurrence, lasting: Millis::from_secs(seconds), one_shot }
        }
        "unshelve" => Wish::Unshelve { alarm },
        "out-of-service" => {
            let reason = about.reason.ok_or_else(|| malformed("Send the reason: `{\"reason\": \"…\"}`."))?;
            Wish::OutOfService { alarm, reason: reason.into() }
        }
        "in-service" => Wish::InService { alarm },
        "begin" => {
            let (Some(seconds), Some(reason)) = (about.for_s, about.reason) else {
                return Err(malformed("Send for how long and why: `{\"for_s\": 3600, \"reason\": \"…\"}`."));
            };
            Wish::Waive { alarm, lasting: Millis::from_secs(seconds), reason: reason.into() }
        }
        "end" => Wish::EndWaiver { alarm },
        _ => {
            return Err(unknown(
                "request; an alarm takes ack, reset, shelve, unshelve, out-of-service and in-service; begin and end \
                 where it stands for a bypass or for maintenance",
            ));
        }
    };
    put(&app, by, wish).await
}

/// `POST /api/v1/sequences/{id}/{verb}`: `abort` with the run that was seen or none, `arm`, `disarm`, `select`,
/// `start`, `reset`, `drill`, `proof-tested`.
pub(super) async fn sequence(
    State(app): State<App>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    target: Target,
    request: Request,
) -> Result<Json<Value>, Problem> {
    let (by, about) = read(&app, &peer, request).await?;
    let (name, verb) = named(target)?;
    let found = app.site.sequences.iter().position(|sequence| sequence.name == name);
    let sequence = found.map(SequenceId::at).ok_or_else(|| unknown("sequence"))?;
    let wish = match verb.as_str() {
        "abort" => Wish::Abort { sequence, run: about.run.map(RunId) },
        "arm" => Wish::Arm { sequence },
        "disarm" => Wish::Disarm { sequence },
        "select" => Wish::Select { sequence },
        "start" => Wish::Start { sequence },
        "reset" => Wish::ResetSequence { sequence },
        "drill" => Wish::Drill { sequence },
        "proof-tested" => Wish::ProofTested { sequence },
        _ => {
            return Err(unknown(
                "request; a sequence takes abort, arm, disarm, select, start, reset, drill and proof-tested",
            ));
        }
    };
    put(&app, by, wish).await
}

/// Who asks, then what about: nobody's body is read before they are known.
async fn read(app: &App, peer: &Peer, request: Request) -> Result<(Operator, About), Problem> {
    let (head, body) = request.into_parts();
    let by = app.operators.identify(&head.headers, peer.remote)?;
    let body = tokio::select! {
        () = app.stop.cancelled() => return Err(unavailable("emberwatch is stopping")),
        body = timeout(BODY_WITHIN, body_of(&head.headers, body)) => body.map_err(|_| {
            Problem::new(StatusCode::REQUEST_TIMEOUT, "too-slow", "The body did not arrive in time: send it again.")
        })??,
    };
    if body.is_empty() {
        return Ok((by, About::default()));
    }
    let about = serde_json::from_slice(&body)
        .map_err(|error| malformed(format!("The body is not the JSON that belongs here: {error}.")))?;
    Ok((by, about))
}

async fn body_of(headers: &HeaderMap, body: Body) -> Result<bytes::Bytes, Problem> {
    let announced =
        headers.get("content-length").and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|announced| (BODY_BYTES_MAX as u64) < announced) {
        return Err(too_large());
    }
    to_bytes(body, BODY_BYTES_MAX).await.map_err(|_| too_large())
}

/// Asks the core and waits for its word.
async fn put(app: &App, by: Operator, wish: Wish) -> Result<Json<Value>, Problem> {
    // An ear first, then the question: the answer cannot come before we listen.
    let ear = timeout(ANSWER_WITHIN, app.hub.ear()).await.ok().flatten();
    let ear = ear.ok_or_else(|| unavailable("emberwatch is stopping or busy"))?;
    let input = Input::Asked { by: by.clone(), request: wish.clone() };
    match timeout(ANSWER_WITHIN, app.inbox.send(vec![input])).await {
        Ok(Ok(())) => {}
        Ok(Err(_)) => return Err(unavailable("the safety loop is not running")),
        Err(_) => return Err(unavailable("the safety loop is busy")),
    }
    tracing::info!(%by, request = ?wish, "asked on the page");
    match timeout(ANSWER_WITHIN, answer(ear, &by, &wish)).await {
        Ok(Some(Ok(Heard::Done))) => Ok(Json(json!({ "result": "accepted", "by": &*by }))),
        Ok(Some(Ok(Heard::Waits(left)))) => Ok(Json(json!({
            "result": "proposed", "by": &*by, "remaining_ms": left.0,
            "detail": "It takes two persons: another operator must ask the same within this time.",
        }))),
        Ok(Some(Err(why))) => Err(Problem::refused(why)),
        Ok(None) | Err(_) => Err(Problem::new(
            StatusCode::GATEWAY_TIMEOUT,
            "no-answer",
            "Asked, but the safety loop has not answered in time: it may still be followed. Look at the state \
             before asking again.",
        )),
    }
}

/// What became of a request that was not refused.
enum Heard {
    Done,
    /// For the second of two persons, for so long.
    Waits(Millis),
}

async fn answer(mut ear: Hearing, by: &Operator, wish: &Wish) -> Option<Result<Heard, Refusal>> {
    loop {
        let publication = match ear.recv().await {
            Ok(publication) => publication,
            Err(RecvError::Lagged(_)) => continue,
            Err(RecvError::Closed) => return None,
        };
        let answer = publication.facts.iter().find_map(|fact| match fact {
            Fact::Followed { by: who, request } if who == by && request == wish => Some(Ok(Heard::Done)),
            Fact::Proposed { by: who, request, until } if who == by && request == wish => {
                Some(Ok(Heard::Waits(until.since(publication.now.uptime))))
            }
            Fact::Refused { by: who, request, why } if who == by && request == wish => Some(Err(*why)),
            _ => None,
        });
        if answer.is_some() {
            return answer;
        }
    }
}

fn named(target: Target) -> Result<(String, String), Problem> {
    target.map(|Path(named)| named).map_err(|_| unknown("target"))
}

fn unknown(what: &str) -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "unknown-target",
        format!("There is no such {what}: the state lists them."),
    )
}

fn malformed(detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "malformed", detail)
}

fn too_large() -> Problem {
    let detail = format!("The body may hold {BODY_BYTES_MAX} bytes.");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", detail)
}

fn unavailable(why: &str) -> Problem {
    let detail = format!("Nothing was asked: {why}. Use the local ways to stop a cut, and try again.");
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail)
}

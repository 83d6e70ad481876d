//! One turn: how far it is, its events, its end.

use actix_web::{
    HttpResponse,
    web::{Data, Json},
};
use hitesh_chat::{Snapshot, Turn};
use hitesh_domain::End;
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    Http,
    bodies::{StepBody, Timestamp, UsageBody},
    caller::Caller,
    error::{ApiError, Code, ErrorBody},
    extract::{Cursor, TurnPath},
    feedback::FeedbackBody,
    sse::{self, DeltaFrames, Opening},
};

/// A turn so far.
#[utoipa::path(
    get, path = "/api/chat/turns/{id}", tag = "turns", params(("id" = String, Path, description = "The turn")),
    responses(
        (status = 200, body = TurnBody),
        (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody),
    ),
)]
pub(super) async fn read(http: Data<Http>, caller: Caller, id: TurnPath) -> Result<Json<TurnBody>, ApiError> {
    let turn = find(&http, &caller, &id).await?;
    Ok(Json(TurnBody::from(turn.snapshot())))
}

/// A turn's events in the `deltas` form, from the start or after a cursor. A reader that has had them all is told 204,
/// which ends an `EventSource`. One that has had events which a crash took is told so by a `resync` event, without a
/// number: it discards what it has had, and gets all events from the first.
#[utoipa::path(
    get, path = "/api/chat/turns/{id}/events", tag = "turns",
    params(
        ("id" = String, Path, description = "The turn"),
        ("after" = Option<String>, Query, description = "Number or id of the last event that the reader has had"),
        ("Last-Event-ID" = Option<String>, Header, description = "The same, as an `EventSource` sends it; it wins"),
    ),
    responses(
        (status = 200, content_type = "text/event-stream", body = String), (status = 204),
        (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody),
    ),
)]
pub(super) async fn events(
    http: Data<Http>,
    caller: Caller,
    id: TurnPath,
    after: Cursor,
) -> Result<HttpResponse, ApiError> {
    let turn = find(&http, &caller, &id).await?;
    let frames = DeltaFrames::new(id.0);
    let frames = match Place::of(after, &turn.snapshot()) {
        Place::AtTheEnd => return Ok(HttpResponse::NoContent().finish()),
        Place::Lost { kept } => frames.resync(kept),
        Place::After(after) => frames.after(after),
    };
    Ok(sse::respond(Opening::at_once(turn.follow(0)), frames, http.keep_alive))
}

/// Ends a turn; the partial answer stays.
#[utoipa::path(
    post, path = "/api/chat/turns/{id}/stop", tag = "turns", params(("id" = String, Path, description = "The turn")),
    responses(
        (status = 200, body = TurnBody),
        (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody),
    ),
)]
pub(super) async fn stop(http: Data<Http>, caller: Caller, id: TurnPath) -> Result<Json<TurnBody>, ApiError> {
    let ended = http.engine.stop(&caller.owner, id.0).await?;
    ended.map(|turn| Json(TurnBody::from(turn))).ok_or_else(|| ApiError::new(Code::TurnNotFound))
}

async fn find(http: &Http, caller: &Caller, id: &TurnPath) -> Result<Turn, ApiError> {
    http.engine.turn(&caller.owner, id.0).await?.ok_or_else(|| ApiError::new(Code::TurnNotFound))
}

/// Where a reader that comes back stands in a turn.
enum Place {
    /// It goes on after this event.
    After(Option<u64>),
    /// It has had events that a crash took; the last one that was kept is `kept`.
    Lost { kept: u64 },
    /// It has had all.
    AtTheEnd,
}

impl Place {
    /// While a turn runs, a reader ahead of it waits.
    fn of(cursor: Cursor, turn: &Snapshot) -> Self {
        let kept = turn.transcript.event_count() as u64;
        match cursor.0.zip(turn.end_number()) {
            Some((after, end)) if after >= end => Place::AtTheEnd,
            Some((after, _)) if after > kept => Place::Lost { kept },
            _ => Place::After(cursor.0),
        }
    }
}

/// A turn so far.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TurnBody {
    /// Always `true`.
    success: bool,
    turn_id: String,
    session_id: String,
    persona: String,
    /// `running`, `completed`, `incomplete`, `stopped` or `failed`.
    #[schema(example = "running")]
    status: &'static str,
    /// Why the answer is not whole, if it has ended so.
    error: Option<&'static str>,
    question: String,
    /// What came so far; a step that is not whole has no timestamp.
    processing_steps: Vec<StepBody>,
    started_at: Timestamp,
    ended_at: Option<Timestamp>,
    /// `model`, `cache` or `joined`.
    #[schema(example = "model")]
    source: &'static str,
    provider: String,
    model: String,
    usage: Option<UsageBody>,
    /// The turn whose place this one was asked to take.
    replaces: Option<String>,
    /// The turn that took this one's place; null if it is current.
    replaced_by: Option<String>,
    feedback: Option<FeedbackBody>,
}

impl From<Snapshot> for TurnBody {
    fn from(turn: Snapshot) -> Self {
        Self {
            success: true,
            turn_id: turn.info.turn.to_string(),
            session_id: turn.info.session.to_string(),
            persona: turn.info.persona.to_string(),
            status: turn.end.map_or("running", End::status),
            error: turn.end.and_then(End::error).map(|code| code.as_str()),
            question: turn.question.as_str().to_owned(),
            processing_steps: StepBody::all(&turn.transcript),
            started_at: Timestamp(turn.info.started_at),
            ended_at: turn.ended_at.map(Timestamp),
            source: turn.source.as_str(),
            provider: turn.provider.to_string(),
            model: turn.model,
            usage: turn.transcript.usage.map(UsageBody::from),
            replaces: turn.info.replaces.map(|replaces| replaces.turn.to_string()),
            replaced_by: turn.replaced_by.map(|turn| turn.to_string()),
            feedback: turn.feedback.as_ref().map(FeedbackBody::from),
        }
    }
}

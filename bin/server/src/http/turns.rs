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
    sse::{self, DeltaFrames, Ended, Opening},
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
/// which ends an `EventSource`.
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
    let snapshot = turn.snapshot();
    if after.0.zip(last_event(&snapshot)).is_some_and(|(after, last)| after >= last) {
        return Ok(HttpResponse::NoContent().finish());
    }
    let ended = snapshot.ended_at.map_or(Ended::WhenSeen, Ended::At);
    let frames = DeltaFrames::new(id.0, ended).after(after.0);
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

/// The number of a turn's last event; none while it runs.
fn last_event(turn: &Snapshot) -> Option<u64> {
    turn.end.map(|_| turn.transcript.event_count() as u64 + 1)
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
        }
    }
}

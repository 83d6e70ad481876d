//! A question and its answer: as a whole, or as it is made.

use std::time::Duration;

use actix_web::{
    HttpResponse,
    web::{Data, Json},
};
use hitesh_chat::{Snapshot, Turn};
use hitesh_domain::{End, MessageId};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    Http,
    bodies::{StepBody, Timestamp, UsageBody},
    caller::Caller,
    chat_body::ChatBody,
    error::{ApiError, ErrorBody},
    extract::{IdempotencyHeader, JsonBody},
    sse::{self, DeltaFrames, Opening, SeedFrames},
};

/// How long the HTTP status of a stream may wait for a first event.
const STATUS_PATIENCE: Duration = Duration::from_secs(2);
/// Between the two sample events.
const SAMPLE_PAUSE: Duration = Duration::from_secs(1);

/// One whole answer.
#[utoipa::path(
    post, path = "/api/chat/send", tag = "chat", request_body = ChatBody,
    params(("Idempotency-Key" = Option<String>, Header, description = "The caller's mark for \"the same request again\"")),
    responses(
        (status = 200, body = ReplyBody),
        (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody),
    ),
)]
pub(super) async fn send(
    http: Data<Http>,
    caller: Caller,
    key: IdempotencyHeader,
    body: JsonBody<ChatBody>,
) -> Result<Json<ReplyBody>, ApiError> {
    whole(&http.engine.start(body.0.into_request(caller, key)?).await?).await
}

/// The same answer as Server-Sent Events: a step each as soon as it is whole; with `deltas`, each piece of text too.
#[utoipa::path(
    post, path = "/api/chat/stream", tag = "chat", request_body = ChatBody,
    params(("Idempotency-Key" = Option<String>, Header, description = "The caller's mark for \"the same request again\"")),
    responses(
        (status = 200, content_type = "text/event-stream", body = String),
        (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody),
    ),
)]
pub(super) async fn stream(
    http: Data<Http>,
    caller: Caller,
    key: IdempotencyHeader,
    body: JsonBody<ChatBody>,
) -> Result<HttpResponse, ApiError> {
    let deltas = body.0.deltas();
    let turn = http.engine.start(body.0.into_request(caller, key)?).await?;
    streamed(&turn, deltas, http.keep_alive).await
}

/// Two sample events, one second apart: proves that event streams pass the proxies on the way.
#[utoipa::path(
    get, path = "/api/chat/stream/test", tag = "chat",
    responses((status = 200, content_type = "text/event-stream", body = String), (status = "4XX", body = ErrorBody)),
)]
pub(super) async fn stream_test(_: Caller) -> HttpResponse {
    sse::event_stream(sse::sample_events(SAMPLE_PAUSE))
}

/// A turn's whole answer, once it has ended.
pub(super) async fn whole(turn: &Turn) -> Result<Json<ReplyBody>, ApiError> {
    ReplyBody::try_from(turn.ended().await).map(Json)
}

/// A turn's answer as it is made. A failure before the first step still has its HTTP status.
pub(super) async fn streamed(turn: &Turn, deltas: bool, keep_alive: Duration) -> Result<HttpResponse, ApiError> {
    let opening = Opening::of(turn.follow(0), STATUS_PATIENCE).await;
    if opening.has_failed() {
        return Err(ApiError::unfinished(turn.snapshot()));
    }
    let id = turn.info().turn;
    Ok(match deltas {
        true => sse::respond(opening, DeltaFrames::new(id), keep_alive),
        false => sse::respond(opening, SeedFrames::new(id), keep_alive),
    })
}

/// A whole answer.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ReplyBody {
    /// Always `true`.
    success: bool,
    message: AnswerBody,
    processing_steps: Vec<StepBody>,
    /// Always null.
    error: Option<String>,
    session_id: String,
    turn_id: String,
    /// `model`, `cache` or `joined`.
    #[schema(example = "model")]
    source: &'static str,
    provider: String,
    model: String,
    /// Null if the provider did not tell.
    usage: Option<UsageBody>,
    /// Of a turn that was asked in another one's place: that one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    replaces: Option<String>,
}

/// The mentor's message.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AnswerBody {
    id: String,
    /// Always `ai`.
    r#type: &'static str,
    /// The `output` step.
    content: String,
    timestamp: Timestamp,
}

impl TryFrom<Snapshot> for ReplyBody {
    type Error = ApiError;

    /// # Errors
    /// If the answer is not whole.
    fn try_from(turn: Snapshot) -> Result<Self, ApiError> {
        if turn.end != Some(End::Completed) {
            return Err(ApiError::unfinished(turn));
        }
        Ok(Self {
            success: true,
            message: AnswerBody {
                id: MessageId::answer_of(turn.info.turn).to_string(),
                r#type: "ai",
                content: turn.transcript.output().to_owned(),
                timestamp: Timestamp(turn.ended_at.unwrap_or(turn.info.started_at)),
            },
            processing_steps: StepBody::all(&turn.transcript),
            error: None,
            session_id: turn.info.session.to_string(),
            turn_id: turn.info.turn.to_string(),
            source: turn.source.as_str(),
            provider: turn.provider.to_string(),
            model: turn.model,
            usage: turn.transcript.usage.map(UsageBody::from),
            replaces: turn.info.replaces.map(|replaces| replaces.turn.to_string()),
        })
    }
}

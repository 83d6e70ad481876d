//! A session's messages.

use actix_web::web::{Data, Json, Query};
use hitesh_domain::{SessionId, TurnId};
use hitesh_sessions::{Page, StoredTurn};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    Http,
    bodies::Timestamp,
    caller::Caller,
    chat_body::session_id,
    error::{ApiError, Code, ErrorBody},
};

/// The longest page, in turns; also what comes without a `limit`.
const MAX_TURNS: usize = 500;

/// The newest turns of a session, oldest first. A turn that replaced another stands in its place.
#[utoipa::path(
    get, path = "/api/chat/history", tag = "sessions", params(HistoryQuery),
    responses(
        (status = 200, body = HistoryBody),
        (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody),
    ),
)]
pub(super) async fn read(
    http: Data<Http>,
    caller: Caller,
    query: Query<HistoryQuery>,
) -> Result<Json<HistoryBody>, ApiError> {
    let query = query.into_inner();
    let (page, session) = (query.page()?, query.session()?);
    let turns = http.engine.history(&caller.owner, &session, page).await?;
    Ok(Json(HistoryBody { success: true, messages: turns.iter().flat_map(MessageBody::of).collect(), error: None }))
}

/// Erases a session; stops its turns that run.
#[utoipa::path(
    delete, path = "/api/chat/history", tag = "sessions",
    params(("session_id" = String, Query, description = "The session")),
    responses(
        (status = 200, body = ErasedBody),
        (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody),
    ),
)]
pub(super) async fn erase(
    http: Data<Http>,
    caller: Caller,
    query: Query<HistoryQuery>,
) -> Result<Json<ErasedBody>, ApiError> {
    let erased = http.engine.erase(&caller.owner, &query.into_inner().session()?).await?;
    let message = if erased { "The session was erased." } else { "There was nothing to erase." };
    Ok(Json(ErasedBody { success: true, message }))
}

/// Which part of which session.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct HistoryQuery {
    /// The session.
    #[param(required = true)]
    session_id: Option<String>,
    /// At most so many turns, 1 to 500; a turn is a question and its answer.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 500)]
    limit: Option<String>,
    /// Only turns before this one.
    before: Option<String>,
    /// `true`: turns that were replaced too, each before the one that took its place.
    #[param(value_type = Option<bool>)]
    all: Option<String>,
}

impl HistoryQuery {
    fn session(self) -> Result<SessionId, ApiError> {
        let text = self.session_id.filter(|text| !text.is_empty());
        session_id(text.ok_or_else(|| ApiError::new(Code::SessionIdRequired))?)
    }

    fn page(&self) -> Result<Page, ApiError> {
        let limit = self.limit.as_ref().map_or(Some(MAX_TURNS), |text| text.parse().ok());
        let limit = limit
            .filter(|limit| (1..=MAX_TURNS).contains(limit))
            .ok_or_else(|| ApiError::field("limit", format_args!("has to be a number from 1 to {MAX_TURNS}")))?;
        let before = self.before.as_ref().map(|text| text.parse::<TurnId>()).transpose();
        let before = before.map_err(|_| ApiError::field("before", "has to be a turn id"))?;
        let replaced = match self.all.as_deref() {
            None | Some("false") => false,
            Some("true") => true,
            Some(_) => return Err(ApiError::field("all", "has to be `true` or `false`")),
        };
        Ok(Page { limit, before, replaced })
    }
}

/// A session's messages, oldest first.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct HistoryBody {
    /// Always `true`.
    success: bool,
    messages: Vec<MessageBody>,
    /// Always null.
    error: Option<String>,
}

/// One message.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct MessageBody {
    id: String,
    /// `user` or `ai`.
    #[schema(example = "user")]
    r#type: &'static str,
    /// The question, or the answer's `output` step.
    content: String,
    /// When the turn began, or ended.
    timestamp: Timestamp,
    turn_id: String,
    /// `running`, `completed`, `incomplete`, `stopped` or `failed`.
    #[schema(example = "completed")]
    status: &'static str,
    /// The turn that took this one's place; null if it is current.
    replaced_by: Option<String>,
}

impl MessageBody {
    /// The question, and the answer as far as there is one.
    fn of(turn: &StoredTurn) -> impl Iterator<Item = Self> + use<> {
        let status = turn.outcome.as_ref().map_or("running", |outcome| outcome.end.status());
        let turn_id = turn.info.turn.to_string();
        let replaced_by = turn.replaced_by.map(|turn| turn.to_string());
        let question = Self {
            id: turn.question_id().to_string(),
            r#type: "user",
            content: turn.question.as_str().to_owned(),
            timestamp: Timestamp(turn.info.started_at),
            turn_id: turn_id.clone(),
            status,
            replaced_by: replaced_by.clone(),
        };
        let ended_at = turn.outcome.as_ref().map_or(turn.info.started_at, |outcome| outcome.ended_at);
        let transcript = turn.outcome.as_ref().map(|outcome| &outcome.transcript).or(turn.partial.as_ref());
        let output = transcript.map(|transcript| transcript.output()).filter(|output| !output.is_empty());
        let answer = output.map(|output| Self {
            id: turn.answer_id().to_string(),
            r#type: "ai",
            content: output.to_owned(),
            timestamp: Timestamp(ended_at),
            turn_id,
            status,
            replaced_by,
        });
        std::iter::once(question).chain(answer)
    }
}

/// A session is gone.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ErasedBody {
    /// Always `true`.
    success: bool,
    message: &'static str,
}

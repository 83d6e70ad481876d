//! A turn asked again in its place: the same question, or another one.

use actix_web::{HttpResponse, web::Data};
use hitesh_chat::ReplaceRequest;
use hitesh_domain::Content;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{
    Http,
    caller::Caller,
    chat::{ReplyBody, streamed, whole},
    chat_body::idempotency,
    error::{ApiError, ErrorBody},
    extract::{IdempotencyHeader, JsonBody, OptionalJsonBody, TurnPath},
};

/// Asks the same question again, in the light of the turns before it: a new turn, which takes the place of this one when
/// it ends with some output. The old answer stays in the record. Answers as `send` does, or as `stream`.
#[utoipa::path(
    post, path = "/api/chat/turns/{id}/regenerate", tag = "turns", request_body = RegenerateBody,
    params(
        ("id" = String, Path, description = "The turn"),
        ("Idempotency-Key" = Option<String>, Header, description = "The caller's mark for \"the same request again\""),
    ),
    responses(
        (status = 200, content((ReplyBody = "application/json"), (String = "text/event-stream"))),
        (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody),
    ),
)]
pub(super) async fn regenerate(
    http: Data<Http>,
    caller: Caller,
    id: TurnPath,
    key: IdempotencyHeader,
    body: OptionalJsonBody<RegenerateBody>,
) -> Result<HttpResponse, ApiError> {
    let RegenerateBody { deltas, stream, idempotency_key } = body.0;
    let idempotency = idempotency(key, idempotency_key)?;
    let request = ReplaceRequest { owner: caller.owner, turn: id.0, content: None, idempotency };
    replace(&http, request, Form::of(stream, deltas)).await
}

/// Asks another question in this one's place, in the light of the turns before it. When the new turn ends with some output,
/// what followed the old one leaves the context, and stays in the record. Answers as `send` does, or as `stream`.
#[utoipa::path(
    post, path = "/api/chat/turns/{id}/edit", tag = "turns", request_body = EditBody,
    params(
        ("id" = String, Path, description = "The turn"),
        ("Idempotency-Key" = Option<String>, Header, description = "The caller's mark for \"the same request again\""),
    ),
    responses(
        (status = 200, content((ReplyBody = "application/json"), (String = "text/event-stream"))),
        (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody),
    ),
)]
pub(super) async fn edit(
    http: Data<Http>,
    caller: Caller,
    id: TurnPath,
    key: IdempotencyHeader,
    body: JsonBody<EditBody>,
) -> Result<HttpResponse, ApiError> {
    let EditBody { content, deltas, stream, idempotency_key } = body.0;
    let content = Content::try_from(content.ok_or_else(|| ApiError::field("content", "is missing"))?)?;
    let idempotency = idempotency(key, idempotency_key)?;
    let request = ReplaceRequest { owner: caller.owner, turn: id.0, content: Some(content), idempotency };
    replace(&http, request, Form::of(stream, deltas)).await
}

async fn replace(http: &Http, request: ReplaceRequest, form: Form) -> Result<HttpResponse, ApiError> {
    let turn = http.engine.start_replacement(request).await?;
    match form {
        Form::Whole => Ok(HttpResponse::Ok().json(whole(&turn).await?)),
        Form::Stream { deltas } => streamed(&turn, deltas, http.keep_alive).await,
    }
}

/// How the answer is given.
enum Form {
    Whole,
    Stream { deltas: bool },
}

impl Form {
    fn of(stream: Option<bool>, deltas: Option<bool>) -> Self {
        match (stream.unwrap_or(false), deltas.unwrap_or(false)) {
            (false, false) => Form::Whole,
            (_, deltas) => Form::Stream { deltas },
        }
    }
}

/// How an answer is asked for again. The body may be left out.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub(super) struct RegenerateBody {
    /// As a stream with each piece of text as it comes.
    deltas: Option<bool>,
    /// As a stream; without it the answer is one reply.
    stream: Option<bool>,
    /// The caller's mark for "the same request again"; also the header `Idempotency-Key`.
    #[schema(max_length = 255)]
    idempotency_key: Option<String>,
}

/// Another question.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct EditBody {
    /// The question: 1 to 2000 characters after trimming white space; no NUL.
    #[schema(value_type = String, required = true, max_length = 2000)]
    content: Option<String>,
    /// As a stream with each piece of text as it comes.
    deltas: Option<bool>,
    /// As a stream; without it the answer is one reply.
    stream: Option<bool>,
    /// The caller's mark for "the same request again"; also the header `Idempotency-Key`.
    #[schema(max_length = 255)]
    idempotency_key: Option<String>,
}

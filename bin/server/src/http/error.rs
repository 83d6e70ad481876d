//! What a caller is told when something goes wrong. The only file that knows which status a failure has.

use std::{borrow::Cow, fmt, time::Duration};

use actix_web::{
    HttpResponse, ResponseError,
    http::{StatusCode, header},
};
use hitesh_chat::{EngineError, Snapshot};
use hitesh_domain::{ContentError, End, ErrorCode};
use hitesh_llm::Failure;
use serde::Serialize;
use utoipa::ToSchema;

use super::bodies::StepBody;

/// A stable code of the contract's section 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Code {
    InvalidJson,
    InvalidRequest,
    ContentEmpty,
    ContentTooLong,
    ContentInvalid,
    SessionIdInvalid,
    SessionIdRequired,
    PersonaUnknown,
    BodyTooLarge,
    BodyTimeout,
    NotFound,
    MethodNotAllowed,
    UnsupportedMediaType,
    HostNotAllowed,
    Unauthorized,
    Forbidden,
    TurnNotFound,
    TurnRunning,
    IdempotencyConflict,
    SessionBusy,
    RateLimited,
    CacheUnavailable,
    /// What can also end a turn.
    Turn(ErrorCode),
}

impl Code {
    /// The code as the contract spells it.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Code::InvalidJson => "invalid_json",
            Code::InvalidRequest => "invalid_request",
            Code::ContentEmpty => "content_empty",
            Code::ContentTooLong => "content_too_long",
            Code::ContentInvalid => "content_invalid",
            Code::SessionIdInvalid => "session_id_invalid",
            Code::SessionIdRequired => "session_id_required",
            Code::PersonaUnknown => "persona_unknown",
            Code::BodyTooLarge => "body_too_large",
            Code::BodyTimeout => "body_timeout",
            Code::NotFound => "not_found",
            Code::MethodNotAllowed => "method_not_allowed",
            Code::UnsupportedMediaType => "unsupported_media_type",
            Code::HostNotAllowed => "host_not_allowed",
            Code::Unauthorized => "unauthorized",
            Code::Forbidden => "forbidden",
            Code::TurnNotFound => "turn_not_found",
            Code::TurnRunning => "turn_running",
            Code::IdempotencyConflict => "idempotency_conflict",
            Code::SessionBusy => "session_busy",
            Code::RateLimited => "rate_limited",
            Code::CacheUnavailable => "cache_unavailable",
            Code::Turn(code) => code.as_str(),
        }
    }

    fn status(self) -> StatusCode {
        match self {
            Code::InvalidJson | Code::SessionIdRequired | Code::HostNotAllowed => StatusCode::BAD_REQUEST,
            Code::InvalidRequest
            | Code::ContentEmpty
            | Code::ContentTooLong
            | Code::ContentInvalid
            | Code::SessionIdInvalid
            | Code::PersonaUnknown
            | Code::IdempotencyConflict => StatusCode::UNPROCESSABLE_ENTITY,
            Code::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Code::BodyTimeout => StatusCode::REQUEST_TIMEOUT,
            Code::NotFound | Code::TurnNotFound => StatusCode::NOT_FOUND,
            Code::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Code::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Code::Unauthorized => StatusCode::UNAUTHORIZED,
            Code::Forbidden => StatusCode::FORBIDDEN,
            // A stopped turn is a conflict with another request of the same caller.
            Code::SessionBusy | Code::TurnRunning | Code::Turn(ErrorCode::Stopped) => StatusCode::CONFLICT,
            Code::RateLimited => StatusCode::TOO_MANY_REQUESTS,
            Code::CacheUnavailable
            | Code::Turn(
                ErrorCode::ProviderUnavailable
                | ErrorCode::StoreUnavailable
                | ErrorCode::Draining
                | ErrorCode::Overloaded,
            ) => StatusCode::SERVICE_UNAVAILABLE,
            Code::Turn(ErrorCode::ProviderUnauthorized | ErrorCode::ProviderRejected | ErrorCode::Incomplete) => {
                StatusCode::BAD_GATEWAY
            }
            Code::Turn(ErrorCode::ProviderTimeout) => StatusCode::GATEWAY_TIMEOUT,
            Code::Turn(ErrorCode::Internal) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn sentence(self) -> &'static str {
        match self {
            Code::InvalidJson => "The request body is not valid JSON.",
            Code::InvalidRequest => "The request does not have the right shape; see /docs.",
            Code::ContentEmpty => "Please write a question: `content` is empty.",
            Code::ContentTooLong => "The question is too long: `content` may have at most 2000 characters.",
            Code::ContentInvalid => "`content` may not contain a NUL character.",
            Code::SessionIdInvalid => "`session_id` has to be 1 to 128 characters of A-Z a-z 0-9 _ - . :",
            Code::SessionIdRequired => "Please say which session: `session_id` is missing.",
            Code::PersonaUnknown => "There is no such persona; GET /api/personas lists them.",
            Code::BodyTooLarge => "The request body is too large: at most 64 KiB are taken.",
            Code::BodyTimeout => "The request body did not arrive in time.",
            Code::NotFound => "There is nothing at this address; GET /api lists what there is.",
            Code::MethodNotAllowed => {
                "This address does not take that method; the `Allow` header says which ones it does."
            }
            Code::UnsupportedMediaType => "Please send JSON, with `Content-Type: application/json`.",
            Code::HostNotAllowed => "This server does not answer for that `Host`.",
            Code::Unauthorized => "Please send a valid API key, as `Authorization: Bearer KEY` or `x-api-key: KEY`.",
            Code::Forbidden => {
                "This needs the admin key, or, when none is configured, a request from the server's own machine."
            }
            Code::TurnNotFound => "There is no such turn.",
            Code::TurnRunning => "This turn has not ended. Stop it first, or wait for its end.",
            Code::IdempotencyConflict => "This idempotency key was used for another request before. Use a new one.",
            Code::SessionBusy => "This session has too many questions in flight. Wait for an answer first.",
            Code::RateLimited => "Too many requests. Please slow down.",
            Code::CacheUnavailable => "The response cache is away. Please try again in a moment.",
            Code::Turn(code) => code.sentence(),
        }
    }

    /// When it may be worth to ask again, in cases that pass by themselves.
    fn retry_after(self) -> Option<Duration> {
        match self {
            Code::Turn(ErrorCode::ProviderUnavailable | ErrorCode::Draining) => Some(Duration::from_secs(5)),
            Code::CacheUnavailable
            | Code::RateLimited
            | Code::Turn(ErrorCode::StoreUnavailable | ErrorCode::Overloaded) => Some(Duration::from_secs(2)),
            _ => None,
        }
    }
}

/// A failure on its way to the caller. Its body is written by [`observe`](super::observe), which knows the request id.
#[derive(Debug)]
pub(super) struct ApiError {
    code: Code,
    status: StatusCode,
    message: Cow<'static, str>,
    details: Option<String>,
    retry_after: Option<Duration>,
    unfinished: Option<Box<Snapshot>>,
}

impl ApiError {
    pub(super) fn new(code: Code) -> Self {
        Self {
            code,
            status: code.status(),
            message: Cow::Borrowed(code.sentence()),
            details: None,
            retry_after: code.retry_after(),
            unfinished: None,
        }
    }

    /// `invalid_request` that names the field.
    pub(super) fn field(name: &str, rule: impl fmt::Display) -> Self {
        Self::new(Code::InvalidRequest).saying(format!("`{name}` {rule}."))
    }

    /// What a status that the framework chose means.
    pub(super) fn of_status(status: StatusCode) -> Self {
        let code = match status {
            StatusCode::NOT_FOUND => Code::NotFound,
            StatusCode::METHOD_NOT_ALLOWED => Code::MethodNotAllowed,
            StatusCode::PAYLOAD_TOO_LARGE => Code::BodyTooLarge,
            StatusCode::REQUEST_TIMEOUT => Code::BodyTimeout,
            StatusCode::UNSUPPORTED_MEDIA_TYPE => Code::UnsupportedMediaType,
            status if status.is_server_error() => Code::Turn(ErrorCode::Internal),
            _ => Code::InvalidRequest,
        };
        Self { status, ..Self::new(code) }
    }

    /// A turn that has no whole answer, with what came of it.
    pub(super) fn unfinished(snapshot: Snapshot) -> Self {
        let code = Code::Turn(snapshot.end.and_then(End::error).unwrap_or(ErrorCode::Internal));
        // A cap, should an upstream's word have none.
        let retry_after = snapshot.retry_after.filter(|_| code.status() == StatusCode::SERVICE_UNAVAILABLE);
        let error = Self { unfinished: Some(Box::new(snapshot)), ..Self::new(code) };
        Self { retry_after: retry_after.or(error.retry_after), ..error }
    }

    /// With a sentence that fits better than the code's own.
    pub(super) fn saying(self, message: impl Into<Cow<'static, str>>) -> Self {
        Self { message: message.into(), ..self }
    }

    /// With details, which only `DEBUG=true` shows.
    pub(super) fn because(self, details: impl fmt::Display) -> Self {
        Self { details: Some(details.to_string()), ..self }
    }

    /// With a time to wait that is better known than the code's own.
    pub(super) fn after(self, wait: Duration) -> Self {
        Self { retry_after: Some(wait), ..self }
    }

    #[cfg(test)]
    pub(super) fn code(&self) -> Code {
        self.code
    }

    /// The body that the caller gets.
    pub(super) fn body(&self, request_id: &str, debug: bool) -> ErrorBody {
        let turn = self.unfinished.as_deref();
        ErrorBody {
            success: false,
            error: self.code.as_str(),
            message: self.message.clone().into_owned(),
            details: self.details.clone().filter(|_| debug),
            request_id: request_id.to_owned(),
            processing_steps: turn.map(|turn| StepBody::all(&turn.transcript)),
            session_id: turn.map(|turn| turn.info.session.to_string()),
            turn_id: turn.map(|turn| turn.info.turn.to_string()),
        }
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.as_str(), self.message)
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status);
        if let Some(wait) = self.retry_after {
            // Rounded up: a caller that waits as long as it is told is not told to wait again.
            response.insert_header((header::RETRY_AFTER, wait.as_millis().div_ceil(1000).max(1).to_string()));
        }
        match self.code {
            Code::Unauthorized => {
                response.insert_header((header::WWW_AUTHENTICATE, "Bearer"));
            }
            // The rest of the body is not worth waiting for.
            Code::BodyTooLarge | Code::BodyTimeout => {
                response.force_close();
            }
            _ => {}
        }
        response.finish()
    }
}

impl From<EngineError> for ApiError {
    fn from(error: EngineError) -> Self {
        let code = match &error {
            EngineError::PersonaUnknown => Code::PersonaUnknown,
            EngineError::SessionBusy { .. } => Code::SessionBusy,
            EngineError::Overloaded { retry_after } => {
                return Self::new(Code::Turn(ErrorCode::Overloaded)).after(*retry_after);
            }
            EngineError::Draining => Code::Turn(ErrorCode::Draining),
            EngineError::StoreUnavailable(_) => Code::Turn(ErrorCode::StoreUnavailable),
            EngineError::NobodyToAsk(Failure { retry_after: Some(wait), .. }) => {
                let code = error.provider_code().unwrap_or(ErrorCode::ProviderUnavailable);
                return Self::new(Code::Turn(code)).because(&error).after(*wait);
            }
            EngineError::NobodyToAsk(Failure { error: reason, .. }) => {
                let what_to_do = format!(
                    "No language model can answer ({reason}). The operator has to mend that, or give another provider: a \
                     pulled model, OPENAI_API_KEY, or a list of providers in the settings."
                );
                return Self::new(Code::Turn(ErrorCode::ProviderUnavailable)).saying(what_to_do);
            }
            EngineError::TurnNotFound => Code::TurnNotFound,
            EngineError::TurnRunning => Code::TurnRunning,
            EngineError::IdempotencyConflict => Code::IdempotencyConflict,
            EngineError::CacheUnavailable => Code::CacheUnavailable,
            EngineError::Internal => Code::Turn(ErrorCode::Internal),
        };
        let source = std::error::Error::source(&error).map(|source| format!(": {source}")).unwrap_or_default();
        Self::new(code).because(format!("{error}{source}"))
    }
}

impl From<ContentError> for ApiError {
    fn from(error: ContentError) -> Self {
        match error {
            ContentError::Empty => Self::new(Code::ContentEmpty),
            ContentError::TooLong { .. } => Self::new(Code::ContentTooLong).because(error),
            ContentError::Invalid => Self::new(Code::ContentInvalid),
        }
    }
}

/// The one shape of every error.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ErrorBody {
    /// Always `false`.
    success: bool,
    /// A stable code.
    #[schema(example = "content_too_long")]
    error: &'static str,
    /// A sentence for people that says what to do.
    message: String,
    /// More for developers; only with `DEBUG=true`.
    details: Option<String>,
    /// The request's id, as in the header `x-request-id`.
    request_id: String,
    /// Of a turn that began: what came. The last step may be cut, and then has no timestamp.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    processing_steps: Option<Vec<StepBody>>,
    /// Of a turn that began.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    session_id: Option<String>,
    /// Of a turn that began.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    turn_id: Option<String>,
}

#[cfg(test)]
mod tests {
    use hitesh_llm::ProviderError;
    use hitesh_sessions::StoreError;

    use super::*;

    #[test]
    fn a_wait_is_rounded_up_to_whole_seconds() {
        let response = ApiError::new(Code::RateLimited).after(Duration::from_millis(1200)).error_response();
        assert_eq!(response.headers().get("retry-after").unwrap(), "2");
    }

    #[test]
    fn details_are_for_debugging_only() {
        let away = StoreError::Unavailable { reason: "the disk is full".to_owned() };
        let error = ApiError::from(EngineError::StoreUnavailable(away));
        assert_eq!(error.body("id", false).details, None);
        assert!(error.body("id", true).details.unwrap().contains("the disk is full"));
    }

    #[test]
    fn who_can_not_be_answered_is_told_what_to_do() {
        let error = ProviderError::Unavailable { reason: "local: the model is not here: pull it".to_owned() };
        let error = ApiError::from(EngineError::NobodyToAsk(Failure { error, retry_after: None }));
        assert!(error.body("id", false).message.contains("pull it"));
    }

    #[test]
    fn the_shape_is_the_contracts() {
        let body = serde_json::to_string(&ApiError::new(Code::ContentEmpty).body("r-1", false)).unwrap();
        assert_eq!(
            body,
            r#"{"success":false,"error":"content_empty","message":"Please write a question: `content` is empty.","details":null,"request_id":"r-1"}"#
        );
    }
}

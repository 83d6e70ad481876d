//! What comes in: bytes to typed values, with the contract's limits.

use std::{
    future::{Future, Ready, ready},
    pin::Pin,
    time::Duration,
};

use actix_web::{
    FromRequest, HttpMessage, HttpRequest,
    dev::Payload,
    http::header,
    web::{BytesMut, Data, Query},
};
use futures::StreamExt;
use hitesh_domain::{IdempotencyKey, TurnId};
use serde::{
    Deserialize,
    de::{DeserializeOwned, IgnoredAny},
};

use super::{
    Http,
    error::{ApiError, Code},
};

/// The largest body, in bytes.
const MAX_BODY: usize = 64 * 1024;

/// A JSON body: at most 64 KiB, in time, and of the right shape.
#[derive(Debug)]
pub(super) struct JsonBody<T>(pub(super) T);

impl<T: DeserializeOwned + 'static> FromRequest for JsonBody<T> {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ApiError>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let body = body(request, payload);
        Box::pin(async move { parse(&body.await?).map(Self) })
    }
}

/// A JSON body that may be left out: an empty one stands for the default.
#[derive(Debug)]
pub(super) struct OptionalJsonBody<T>(pub(super) T);

impl<T: DeserializeOwned + Default + 'static> FromRequest for OptionalJsonBody<T> {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ApiError>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let body = body(request, payload);
        Box::pin(async move {
            let body = body.await?;
            if body.is_empty() { Ok(Self(T::default())) } else { parse(&body).map(Self) }
        })
    }
}

/// The bytes of a body, within the limits.
fn body(request: &HttpRequest, payload: &mut Payload) -> impl Future<Output = Result<BytesMut, ApiError>> + use<> {
    let refused = refuse_unread(request);
    let patience = request.app_data::<Data<Http>>().map_or(Duration::ZERO, |http| http.body_timeout);
    let payload = payload.take();
    async move {
        refused?;
        let read = tokio::time::timeout(patience, read(payload)).await;
        read.map_err(|_| ApiError::new(Code::BodyTimeout))?
    }
}

/// What can be refused by its head alone.
fn refuse_unread(request: &HttpRequest) -> Result<(), ApiError> {
    let has_type = request.headers().contains_key(header::CONTENT_TYPE);
    // Programs may send JSON without naming its type; a wrong type is a mistake. A web page has to name it: without a
    // type its browser would not ask first whether the page may.
    let is_page = request.headers().contains_key(header::ORIGIN);
    if (has_type || is_page) && !is_json(request) {
        return Err(ApiError::new(Code::UnsupportedMediaType));
    }
    let length = request.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if length.is_some_and(|length: u64| length > MAX_BODY as u64) {
        return Err(ApiError::new(Code::BodyTooLarge));
    }
    Ok(())
}

fn is_json(request: &HttpRequest) -> bool {
    matches!(request.mime_type(), Ok(Some(mime))
        if mime.type_() == "application" && (mime.subtype() == "json" || mime.suffix().is_some_and(|s| s == "json")))
}

async fn read(mut payload: Payload) -> Result<BytesMut, ApiError> {
    let mut body = BytesMut::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk
            .map_err(|error| ApiError::new(Code::InvalidJson).saying("The request body broke off.").because(error))?;
        if body.len() + chunk.len() > MAX_BODY {
            return Err(ApiError::new(Code::BodyTooLarge));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    let text = std::str::from_utf8(body)
        .map_err(|error| ApiError::new(Code::InvalidJson).saying("The request body is not UTF-8.").because(error))?;
    // A wrong shape is told only of what is JSON to its end.
    serde_json::from_str::<IgnoredAny>(text).map_err(|error| not_json(&error))?;
    // Serde would take an array for the fields in their order.
    if !text.trim_ascii_start().starts_with('{') {
        return Err(ApiError::new(Code::InvalidRequest).saying("The request body has to be a JSON object."));
    }
    let mut json = serde_json::Deserializer::from_str(text);
    serde_path_to_error::deserialize(&mut json).map_err(|error| wrong_shape(&error))
}

fn not_json(error: &serde_json::Error) -> ApiError {
    let (line, column) = (error.line(), error.column());
    ApiError::new(Code::InvalidJson)
        .saying(format!("The request body is not valid JSON (line {line}, column {column})."))
        .because(error)
}

fn wrong_shape(error: &serde_path_to_error::Error<serde_json::Error>) -> ApiError {
    let field = ApiError::field(&error.path().to_string(), "has the wrong type, or is none of the allowed values");
    field.because(error.inner())
}

/// The header `Idempotency-Key`.
#[derive(Debug)]
pub(super) struct IdempotencyHeader(pub(super) Option<IdempotencyKey>);

impl FromRequest for IdempotencyHeader {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let key = request.headers().get("idempotency-key").map(|value| value.to_str().unwrap_or_default().try_into());
        ready(key.transpose().map(Self).map_err(|error: hitesh_domain::IdError| {
            ApiError::field("Idempotency-Key", format_args!("has to be {}", error.rule()))
        }))
    }
}

/// The `{id}` of a turn's address. What is no turn id is an unknown turn.
#[derive(Debug)]
pub(super) struct TurnPath(pub(super) TurnId);

impl FromRequest for TurnPath {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let id = request.match_info().get("id").and_then(|id| id.parse().ok());
        ready(id.map(Self).ok_or_else(|| ApiError::new(Code::TurnNotFound)))
    }
}

/// Where a reader goes on: the number of the last event that it has had.
#[derive(Debug)]
pub(super) struct Cursor(pub(super) Option<u64>);

#[derive(Deserialize)]
struct CursorQuery {
    after: Option<String>,
}

impl FromRequest for Cursor {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::of(request))
    }
}

impl Cursor {
    /// The header wins: a browser that reconnects sends it, and keeps the address that it began with.
    fn of(request: &HttpRequest) -> Result<Self, ApiError> {
        let id = request.match_info().get("id").unwrap_or_default();
        if let Some(header) = request.headers().get("last-event-id").filter(|header| !header.is_empty()) {
            return Self::parse("Last-Event-ID", header.to_str().unwrap_or_default(), id);
        }
        let query = Query::<CursorQuery>::from_query(request.query_string())
            .map_err(|error| ApiError::field("after", "may be given once").because(error))?;
        query.into_inner().after.map_or(Ok(Self(None)), |after| Self::parse("after", &after, id))
    }

    /// `<turn_id>:<n>` of this turn, or `<n>`.
    fn parse(name: &str, text: &str, id: &str) -> Result<Self, ApiError> {
        let number = match text.rsplit_once(':') {
            Some((turn, number)) if turn.parse::<TurnId>().is_ok_and(|turn| Ok(turn) == id.parse()) => Some(number),
            Some(_) => None,
            None => Some(text),
        };
        let number = number.filter(|number| number.bytes().all(|byte| byte.is_ascii_digit()));
        let number = number.and_then(|number| number.parse().ok());
        number.map(|number| Self(Some(number))).ok_or_else(|| {
            ApiError::field(name, "has to be the number of an event of this turn, or its id `<turn_id>:<n>`")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    struct Shape {
        #[serde(default)]
        flag: Option<bool>,
    }

    fn refusal(body: &[u8]) -> ApiError {
        parse::<Shape>(body).unwrap_err()
    }

    #[test]
    fn what_is_no_json_is_told_from_what_has_the_wrong_shape() {
        assert_eq!(refusal(b"").code(), Code::InvalidJson);
        assert_eq!(refusal(b"{").code(), Code::InvalidJson);
        assert_eq!(refusal(b"{} x").code(), Code::InvalidJson);
        assert_eq!(refusal(b"{\"flag\":1,").code(), Code::InvalidJson);
        assert_eq!(refusal(b"\xff").code(), Code::InvalidJson);
        assert_eq!(refusal(b"[]").code(), Code::InvalidRequest);
        assert_eq!(refusal(b"[true]").code(), Code::InvalidRequest);
        assert_eq!(refusal(b"7").code(), Code::InvalidRequest);
        assert!(parse::<Shape>(b"{\"other\":[1]}").unwrap().flag.is_none());
    }

    #[test]
    fn a_wrong_field_is_named() {
        let error = refusal(br#"{"flag":"yes"}"#);
        assert_eq!(error.code(), Code::InvalidRequest);
        assert!(error.to_string().contains("`flag`"));
    }

    #[test]
    fn a_cursor_is_a_number_or_an_event_id_of_this_turn() {
        let turn = "0190a0f0-0000-7000-8000-000000000001";
        let other = "0190a0f0-0000-7000-8000-000000000002";
        assert_eq!(Cursor::parse("after", "7", turn).unwrap().0, Some(7));
        assert_eq!(Cursor::parse("after", &format!("{turn}:7"), turn).unwrap().0, Some(7));
        for wrong in ["", "x", "-1", "+1", "1.5", &format!("{other}:7"), &format!("{turn}:"), ":7"] {
            assert!(Cursor::parse("after", wrong, turn).is_err(), "{wrong:?}");
        }
    }
}

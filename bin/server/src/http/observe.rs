//! What every reply has, whatever happened: a request id, the time it took, a line in the log, and, when it is a
//! refusal, the one shape of errors.

use std::{panic::AssertUnwindSafe, time::Instant};

use actix_web::{
    Error, HttpResponse, ResponseError,
    body::{BodySize, BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::{
        Method, StatusCode,
        header::{self, HeaderMap, HeaderName, HeaderValue},
    },
    middleware::Next,
    web::Data,
};
use futures::FutureExt;
use tracing::Instrument;
use uuid::Uuid;

use super::{Http, error::ApiError};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const PROCESS_TIME: HeaderName = HeaderName::from_static("x-process-time");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// The outermost middleware but compression.
pub(super) async fn observe<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let started = Instant::now();
    let id = request_id(request.headers());
    let http = request.app_data::<Data<Http>>().cloned();
    let debug = http.as_ref().is_some_and(|http| http.debug);
    let method = request.method().clone();
    let span = tracing::info_span!("request", id);
    let outcome = AssertUnwindSafe(next.call(request).instrument(span.clone())).catch_unwind().await;
    let failure = match outcome {
        Ok(Ok(response)) => {
            let mut response = shaped(response.map_into_boxed_body(), &id, debug);
            stamp(response.headers_mut(), &id, started);
            let path = response.request().match_pattern();
            span.in_scope(|| log(method.as_str(), path.as_deref(), response.status(), started));
            count(http.as_ref(), &method, path.as_deref(), response.status(), started);
            return Ok(response);
        }
        Ok(Err(error)) => Failure::new(&error, id, started, debug),
        // The panic hook has said where.
        Err(_) => Failure::of_status(StatusCode::INTERNAL_SERVER_ERROR, id, started, debug),
    };
    span.in_scope(|| log(method.as_str(), None, failure.error.status_code(), started));
    count(http.as_ref(), &method, None, failure.error.status_code(), started);
    Err(failure.into())
}

fn count(http: Option<&Data<Http>>, method: &Method, path: Option<&str>, status: StatusCode, started: Instant) {
    if let Some(http) = http {
        http.requests.answered(method, path, status, started.elapsed());
    }
}

/// The caller's id if it is a sane token, else a new one.
fn request_id(headers: &HeaderMap) -> String {
    let given = headers.get(REQUEST_ID).and_then(|value| value.to_str().ok());
    let sane = |id: &&str| {
        let token = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b':');
        (1..=128).contains(&id.len()) && id.bytes().all(token)
    };
    given.filter(sane).map_or_else(|| Uuid::new_v4().to_string(), str::to_owned)
}

fn stamp(headers: &mut HeaderMap, id: &str, started: Instant) {
    let seconds = format!("{:.6}", started.elapsed().as_secs_f64());
    for (name, value) in [(REQUEST_ID, id), (PROCESS_TIME, &seconds)] {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    }
}

/// Paths as they were registered, so that no id, query or text of a caller gets into the log.
fn log(method: &str, path: Option<&str>, status: StatusCode, started: Instant) {
    let ms = started.elapsed().as_micros() as f64 / 1000.0;
    tracing::info!(method, path = path.unwrap_or("unmatched"), status = status.as_u16(), ms, "answered");
}

/// The response, with the shape of errors if it is a refusal without a body of its own.
fn shaped(response: ServiceResponse<BoxBody>, id: &str, debug: bool) -> ServiceResponse<BoxBody> {
    let status = response.status();
    if !status.is_client_error() && !status.is_server_error() {
        return response;
    }
    let own = response.response().error().and_then(|error| error.as_error::<ApiError>());
    let body = match own {
        Some(error) => error_body(error, id, debug),
        None if has_json(response.response()) => return response,
        None => error_body(&ApiError::of_status(status), id, debug),
    };
    let mut response = response.map_body(|_, _| BoxBody::new(body));
    response.headers_mut().insert(header::CONTENT_TYPE, JSON);
    response.headers_mut().remove(header::CONTENT_LENGTH);
    response
}

fn has_json(response: &HttpResponse) -> bool {
    response.headers().get(header::CONTENT_TYPE) == Some(&JSON)
        && !matches!(response.body().size(), BodySize::None | BodySize::Sized(0))
}

fn error_body(error: &ApiError, id: &str, debug: bool) -> Vec<u8> {
    serde_json::to_vec(&error.body(id, debug)).unwrap_or_default()
}

/// A reply that no handler made.
#[derive(Debug)]
struct Failure {
    error: ApiError,
    id: String,
    started: Instant,
    debug: bool,
}

impl Failure {
    fn new(error: &Error, id: String, started: Instant, debug: bool) -> Self {
        let mut failure = Self::of_status(error.as_response_error().status_code(), id, started, debug);
        failure.error = failure.error.because(error);
        failure
    }

    fn of_status(status: StatusCode, id: String, started: Instant, debug: bool) -> Self {
        Self { error: ApiError::of_status(status), id, started, debug }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.error.fmt(f)
    }
}

impl ResponseError for Failure {
    fn status_code(&self) -> StatusCode {
        self.error.status_code()
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = self.error.error_response();
        response.headers_mut().insert(header::CONTENT_TYPE, JSON);
        stamp(response.headers_mut(), &self.id, self.started);
        response.set_body(BoxBody::new(error_body(&self.error, &self.id, self.debug)))
    }
}

#[cfg(test)]
mod tests {
    use actix_web::{
        App,
        middleware::from_fn,
        test::{TestRequest, init_service, try_call_service},
        web,
    };

    use super::*;

    #[actix_web::test]
    async fn a_panic_has_the_shape_of_errors() {
        let handler = || async { if true { panic!("a bug") } else { HttpResponse::Ok().finish() } };
        let app = init_service(App::new().wrap(from_fn(observe)).route("/", web::get().to(handler))).await;
        let request = TestRequest::get().insert_header((REQUEST_ID, "r-1")).to_request();
        let response = try_call_service(&app, request).await.unwrap_err().error_response();
        assert_eq!(
            (response.status().as_u16(), response.headers().get(REQUEST_ID).unwrap()),
            (500, &HeaderValue::from_static("r-1"))
        );
        let body = actix_web::body::to_bytes(response.into_body()).await.unwrap();
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!((&body["error"], &body["request_id"]), (&"internal".into(), &"r-1".into()));
    }

    fn id_for(given: &'static str) -> String {
        request_id(&[(REQUEST_ID, HeaderValue::from_static(given))].into_iter().collect())
    }

    #[test]
    fn a_sane_request_id_is_kept_and_any_other_replaced() {
        assert_eq!(id_for("a-Z_0.9:x"), "a-Z_0.9:x");
        for wrong in ["", "a b", "a/b", "<script>"] {
            assert_ne!(id_for(wrong), wrong);
        }
        assert_eq!(request_id(&HeaderMap::new()).len(), 36);
    }
}

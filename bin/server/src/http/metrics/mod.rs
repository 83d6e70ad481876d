//! Figures for a monitoring system, in the text form of Prometheus. No label holds what a caller may choose.

mod process;
mod requests;
mod snapshot;

use actix_web::{HttpRequest, HttpResponse, http::header, web::Data};
use hitesh_domain::ErrorCode;
use prometheus_client::{encoding::text, registry::Registry};

use self::snapshot::Snapshot;
pub(super) use self::{process::Process, requests::Requests};
use super::{
    Http, VERSION,
    caller::Admin,
    error::{ApiError, Code, ErrorBody},
};

/// What the names of all figures begin with.
const PREFIX: &str = "hitesh";
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Figures for Prometheus, since the server started. For the admin. Takes at most a second, also when a dependency is away.
#[utoipa::path(
    get, path = "/metrics", tag = "operations",
    responses(
        (status = 200, content((String = "text/plain"), (String = "application/openmetrics-text"))),
        (status = "4XX", body = ErrorBody),
    ),
)]
pub(super) async fn metrics(request: HttpRequest, http: Data<Http>, _: Admin) -> Result<HttpResponse, ApiError> {
    let mut registry = Registry::with_prefix(PREFIX);
    http.requests.register(&mut registry);
    registry.register_collector(Box::new(Snapshot::of(&http.engine, VERSION).await));
    let mut text = String::new();
    text::encode(&mut text, &registry)
        .map_err(|error| ApiError::new(Code::Turn(ErrorCode::Internal)).because(error))?;
    // The one text is well-formed in both; scrapers that say so are told that it is the newer form.
    let accept = request.headers().get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    let is_new = accept.is_some_and(|accept| accept.contains("application/openmetrics-text"));
    let kind = if is_new { OPEN_METRICS } else { PROMETHEUS };
    Ok(HttpResponse::Ok().content_type(kind).insert_header((header::CACHE_CONTROL, "no-store")).body(text))
}

use actix_cors::Cors;
use actix_web::http::header;

use crate::settings::{AllowedOrigins, CorsSettings};

/// Browsers ask again after an hour.
const PREFLIGHT_SECONDS: usize = 3600;

/// Which web pages may call, and with what.
pub(super) fn cors(settings: &CorsSettings) -> Cors {
    let cors = match &settings.allowed_origins {
        AllowedOrigins::Any => Cors::default().allow_any_origin().send_wildcard(),
        AllowedOrigins::Listed(origins) => {
            let listed = origins.iter().fold(Cors::default(), |cors, origin| cors.allowed_origin(origin));
            if settings.credentials { listed.supports_credentials() } else { listed }
        }
    };
    cors.allowed_methods(["GET", "HEAD", "POST", "DELETE"])
        .allowed_headers([header::CONTENT_TYPE, header::AUTHORIZATION])
        .allowed_headers(["x-api-key", "idempotency-key", "last-event-id", "x-request-id"])
        .expose_headers(["x-request-id"])
        .max_age(PREFLIGHT_SECONDS)
}

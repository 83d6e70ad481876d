use actix_web::{
    Error,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::header,
    middleware::Next,
    web::Data,
};

use super::{
    Http,
    error::{ApiError, Code},
};

/// Orchestrators ask for these by address, not by name.
const PROBES: [&str; 2] = ["/livez", "/readyz"];

/// Answers only for the configured hosts, if any are.
pub(super) async fn check_host<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let allowed = request.app_data::<Data<Http>>().is_none_or(|http| {
        let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        http.allowed_hosts.is_empty() || http.allowed_hosts.iter().any(|allowed| allowed.admits(host))
    });
    if allowed || PROBES.contains(&request.path()) {
        return Ok(next.call(request).await?.map_into_boxed_body());
    }
    Ok(request.error_response(ApiError::new(Code::HostNotAllowed)))
}

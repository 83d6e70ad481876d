//! How the service and what it depends on are.

use actix_web::{
    HttpResponse,
    web::{Data, Json},
};
use hitesh_chat::Health;
use hitesh_llm::{ProviderState, ProviderStatus};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Http, VERSION, bodies::Timestamp};

/// How the service is: `healthy`, `degraded` with why, or `draining`.
#[utoipa::path(
    get, path = "/api/chat/health", tag = "operations",
    responses((status = 200, body = HealthBody), (status = 503, description = "Draining", body = HealthBody)),
)]
pub(super) async fn health(http: Data<Http>) -> HttpResponse {
    let health = http.engine.health().await;
    let mut response = if health.draining { HttpResponse::ServiceUnavailable() } else { HttpResponse::Ok() };
    response.json(HealthBody::from(health))
}

/// Whether the process lives.
#[utoipa::path(get, path = "/livez", tag = "operations", responses((status = 200, body = ProbeBody)))]
pub(super) async fn livez() -> Json<ProbeBody> {
    Json(ProbeBody { status: "alive" })
}

/// Whether new questions should come here. A provider that is away does not count: it would be away from everywhere,
/// and an answer that says so is better than none.
#[utoipa::path(
    get, path = "/readyz", tag = "operations",
    responses((status = 200, body = ProbeBody), (status = 503, body = ProbeBody)),
)]
pub(super) async fn readyz(http: Data<Http>) -> HttpResponse {
    let health = http.engine.health().await;
    match (health.draining, health.store) {
        (true, _) => HttpResponse::ServiceUnavailable().json(ProbeBody { status: "draining" }),
        (false, Err(_)) => HttpResponse::ServiceUnavailable().json(ProbeBody { status: "session store unavailable" }),
        (false, Ok(_)) => HttpResponse::Ok().json(ProbeBody { status: "ready" }),
    }
}

/// How the service is.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct HealthBody {
    /// `healthy`, `degraded` or `draining`.
    #[schema(example = "healthy")]
    status: &'static str,
    timestamp: Timestamp,
    version: &'static str,
    checks: ChecksBody,
}

/// Each thing that the service depends on.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ChecksBody {
    /// In the order in which they are asked.
    providers: Vec<ProviderCheckBody>,
    sessions: CheckBody,
    cache: CheckBody,
}

/// A language model.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ProviderCheckBody {
    name: String,
    model: String,
    /// `ready`, `loading` or `unavailable`.
    #[schema(example = "ready")]
    status: &'static str,
    /// Why it is not ready, and what to do.
    reason: Option<String>,
    /// `closed`: it is asked; `open`: it failed too often and is left alone for a while; `half_open`: one question is
    /// let through, to see.
    #[schema(example = "closed")]
    breaker: &'static str,
}

/// A backend.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CheckBody {
    #[schema(example = "sqlite")]
    backend: &'static str,
    /// `ready`, `unavailable`, or `partly_unavailable`: some of it is kept elsewhere than the rest, and can't be reached.
    #[schema(example = "ready")]
    status: &'static str,
    reason: Option<String>,
}

/// The answer to a probe.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ProbeBody {
    #[schema(example = "ready")]
    status: &'static str,
}

impl From<Health> for HealthBody {
    fn from(health: Health) -> Self {
        let status = match (health.draining, health.is_degraded()) {
            (true, _) => "draining",
            (false, true) => "degraded",
            (false, false) => "healthy",
        };
        let checks = ChecksBody {
            sessions: CheckBody::of(health.store_backend, health.store.is_ok(), health.store_away()),
            cache: CheckBody::of(health.cache_backend, health.cache.is_ok(), health.cache_away()),
            providers: health.providers.into_iter().map(ProviderCheckBody::from).collect(),
        };
        Self { status, timestamp: Timestamp::now(), version: VERSION, checks }
    }
}

impl CheckBody {
    fn of(backend: &'static str, is_there: bool, away: Option<&str>) -> Self {
        let status = match (is_there, away) {
            (false, _) => "unavailable",
            (true, Some(_)) => "partly_unavailable",
            (true, None) => "ready",
        };
        Self { backend, status, reason: away.map(str::to_owned) }
    }
}

impl From<ProviderStatus> for ProviderCheckBody {
    fn from(provider: ProviderStatus) -> Self {
        let (status, breaker) = (state_name(&provider.state), provider.breaker.as_str());
        let reason = match provider.state {
            ProviderState::Unavailable(reason) => Some(reason),
            ProviderState::Ready | ProviderState::Loading => None,
        };
        Self { name: provider.id.to_string(), model: provider.model, status, reason, breaker }
    }
}

/// A provider's state by name.
pub(super) fn state_name(state: &ProviderState) -> &'static str {
    match state {
        ProviderState::Ready => "ready",
        ProviderState::Loading => "loading",
        ProviderState::Unavailable(_) => "unavailable",
    }
}

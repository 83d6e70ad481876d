use hitesh_chat::{CacheFigures, Health, Performance, ProviderFigures};
use serde::Serialize;
use utoipa::ToSchema;

use super::samples::{EVERY, SamplesBody};
use crate::http::{
    VERSION,
    health::{HealthBody, state_name},
};

/// What the dashboard shows.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct DashboardBody {
    version: &'static str,
    uptime_seconds: f64,
    /// How far apart samples are.
    every_seconds: u64,
    samples: SamplesBody,
    health: HealthBody,
    /// In the order in which they are asked.
    providers: Vec<ProviderBody>,
    cache: CacheBody,
    total_turns: u64,
    /// Share of the turns that gave no whole answer, stopped ones aside.
    error_rate: f64,
}

/// A provider since the server started.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ProviderBody {
    name: String,
    model: String,
    /// `ready`, `loading` or `unavailable`.
    state: &'static str,
    /// `closed`, `open` or `half_open`.
    breaker: &'static str,
    in_flight: usize,
    waiting: usize,
    calls: u64,
    failures: u64,
    avg_seconds: f64,
    prompt_tokens: u64,
    completion_tokens: u64,
    cost: f64,
}

/// The response cache since the server started.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CacheBody {
    backend: &'static str,
    entries: u64,
    hit_rate: f64,
}

impl DashboardBody {
    pub(super) fn new(samples: SamplesBody, health: Health, cache: CacheFigures, now: Performance) -> Self {
        Self {
            version: VERSION,
            uptime_seconds: now.uptime_seconds,
            every_seconds: EVERY.as_secs(),
            samples,
            health: health.into(),
            total_turns: now.total_requests,
            error_rate: now.error_rate,
            providers: now.providers.into_iter().map(ProviderBody::from).collect(),
            cache: CacheBody { backend: cache.backend, entries: cache.cache_size, hit_rate: cache.cache_hit_rate },
        }
    }
}

impl From<ProviderFigures> for ProviderBody {
    fn from(provider: ProviderFigures) -> Self {
        Self {
            name: provider.id.to_string(),
            state: state_name(&provider.status.state),
            breaker: provider.status.breaker.as_str(),
            in_flight: provider.status.in_flight,
            waiting: provider.status.waiting,
            model: provider.status.model,
            calls: provider.requests,
            failures: provider.errors,
            avg_seconds: provider.avg_time,
            prompt_tokens: provider.tokens.prompt_tokens,
            completion_tokens: provider.tokens.completion_tokens,
            cost: provider.cost,
        }
    }
}

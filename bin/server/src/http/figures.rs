//! Figures. Each is measured.

use std::collections::BTreeMap;

use actix_web::web::{Data, Json};
use hitesh_chat::{CacheFigures, FidelityFigures, Performance, ProviderFigures};
use hitesh_domain::Usage;
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    Http,
    caller::{Admin, Caller},
    error::{ApiError, ErrorBody},
    health::state_name,
};

/// How fast and how well questions are answered, since the server started. Times are in seconds.
#[utoipa::path(
    get, path = "/api/chat/performance", tag = "operations",
    responses((status = 200, body = PerformanceBody), (status = "4XX", body = ErrorBody)),
)]
pub(super) async fn performance(http: Data<Http>, _: Caller) -> Json<PerformanceBody> {
    Json(PerformanceBody { success: true, performance_stats: http.engine.performance().into() })
}

/// The response cache's figures, since the server started.
#[utoipa::path(
    get, path = "/api/chat/cache/stats", tag = "operations",
    responses((status = 200, body = CacheStatsReplyBody), (status = "4XX", body = ErrorBody)),
)]
pub(super) async fn cache_stats(http: Data<Http>, _: Caller) -> Json<CacheStatsReplyBody> {
    Json(CacheStatsReplyBody { success: true, cache_stats: http.engine.cache_stats().await.into() })
}

/// Empties the response cache. For the admin.
#[utoipa::path(
    post, path = "/api/chat/cache/clear", tag = "operations",
    responses(
        (status = 200, body = ClearedBody),
        (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody),
    ),
)]
pub(super) async fn clear_cache(http: Data<Http>, _: Admin) -> Result<Json<ClearedBody>, ApiError> {
    let cleared = http.engine.clear_cache().await?;
    Ok(Json(ClearedBody { success: true, message: "The response cache was emptied.", cleared }))
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PerformanceBody {
    /// Always `true`.
    success: bool,
    performance_stats: PerformanceStatsBody,
}

/// Times are in seconds, rates from 0 to 1.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PerformanceStatsBody {
    total_requests: u64,
    error_rate: f64,
    avg_response_time: f64,
    avg_processing_time: f64,
    total_processing_time: f64,
    p50_response_time: f64,
    p95_response_time: f64,
    p99_response_time: f64,
    avg_time_to_first_token: f64,
    cache_hit_rate: f64,
    active_sessions: u64,
    active_streams: u64,
    uptime_seconds: f64,
    tokens: TokensBody,
    /// By name.
    providers: BTreeMap<String, ProviderStatsBody>,
    /// How far whole answers are in character, by persona and then by provider.
    fidelity: BTreeMap<String, BTreeMap<String, FidelityStatsBody>>,
}

/// Each upstream answer counts once, however many questions it answered.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct FidelityStatsBody {
    answers: u64,
    /// From 0 to 1.
    avg_score: f64,
    histogram: Vec<ScoreBucketBody>,
    /// How many of the answers had a finding of this name.
    #[schema(example = json!({"wrong_language": 2}))]
    findings: BTreeMap<&'static str, u64>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ScoreBucketBody {
    /// The highest score that counts here; the lowest is above that of the bucket before.
    #[schema(example = 0.9)]
    up_to: f64,
    answers: u64,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TokensBody {
    prompt: u64,
    completion: u64,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ProviderStatsBody {
    requests: u64,
    errors: u64,
    avg_time: f64,
    /// `ready`, `loading` or `unavailable`.
    #[schema(example = "ready")]
    state: &'static str,
    /// `closed`, `open` or `half_open`.
    #[schema(example = "closed")]
    breaker: &'static str,
    /// Questions that it is answering.
    in_flight: u64,
    tokens: TokensBody,
    /// At the configured prices, in their currency; 0 without any.
    cost: f64,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CacheStatsReplyBody {
    /// Always `true`.
    success: bool,
    cache_stats: CacheStatsBody,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CacheStatsBody {
    #[schema(example = "moka")]
    backend: &'static str,
    /// Answers that are kept.
    cache_size: u64,
    /// Hits of all lookups; 0 when there were none.
    cache_hit_rate: f64,
    hits: u64,
    misses: u64,
    /// Of a lookup, in seconds.
    avg_response_time: f64,
    /// Lookups.
    total_requests: u64,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ClearedBody {
    /// Always `true`.
    success: bool,
    message: &'static str,
    /// Answers that were kept.
    cleared: u64,
}

impl From<Performance> for PerformanceStatsBody {
    fn from(figures: Performance) -> Self {
        let mut fidelity: BTreeMap<String, BTreeMap<String, FidelityStatsBody>> = BTreeMap::new();
        for figures in figures.fidelity {
            let of_persona = fidelity.entry(figures.persona.to_string()).or_default();
            of_persona.insert(figures.provider.to_string(), figures.into());
        }
        Self {
            total_requests: figures.total_requests,
            error_rate: figures.error_rate,
            avg_response_time: figures.avg_response_time,
            avg_processing_time: figures.avg_processing_time,
            total_processing_time: figures.total_processing_time,
            p50_response_time: figures.p50_response_time,
            p95_response_time: figures.p95_response_time,
            p99_response_time: figures.p99_response_time,
            avg_time_to_first_token: figures.avg_time_to_first_token,
            cache_hit_rate: figures.cache_hit_rate,
            active_sessions: figures.active_sessions,
            active_streams: figures.active_streams,
            uptime_seconds: figures.uptime_seconds,
            tokens: TokensBody::from(figures.tokens),
            providers: figures.providers.into_iter().map(|p| (p.id.to_string(), p.into())).collect(),
            fidelity,
        }
    }
}

impl From<Usage> for TokensBody {
    fn from(usage: Usage) -> Self {
        Self { prompt: usage.prompt_tokens, completion: usage.completion_tokens }
    }
}

impl From<ProviderFigures> for ProviderStatsBody {
    fn from(figures: ProviderFigures) -> Self {
        Self {
            requests: figures.requests,
            errors: figures.errors,
            avg_time: figures.avg_time,
            state: state_name(&figures.status.state),
            breaker: figures.status.breaker.as_str(),
            in_flight: figures.status.in_flight as u64,
            tokens: TokensBody::from(figures.tokens),
            cost: figures.cost,
        }
    }
}

impl From<FidelityFigures> for FidelityStatsBody {
    fn from(figures: FidelityFigures) -> Self {
        // To the digit that was meant: an f32's 0.9 is 0.8999999762 as an f64.
        let bucket = |(up_to, answers): (f32, u64)| ScoreBucketBody {
            up_to: (f64::from(up_to) * 100.0).round() / 100.0,
            answers,
        };
        Self {
            answers: figures.answers,
            avg_score: figures.avg_score,
            histogram: figures.histogram.into_iter().map(bucket).collect(),
            findings: figures.findings.into_iter().map(|(kind, count)| (kind.as_str(), count)).collect(),
        }
    }
}

impl From<CacheFigures> for CacheStatsBody {
    fn from(figures: CacheFigures) -> Self {
        Self {
            backend: figures.backend,
            cache_size: figures.cache_size,
            cache_hit_rate: figures.cache_hit_rate,
            hits: figures.hits,
            misses: figures.misses,
            avg_response_time: figures.avg_response_time,
            total_requests: figures.total_requests,
        }
    }
}

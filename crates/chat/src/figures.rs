use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;
use hitesh_domain::{End, PersonaId, ProviderId, Source, Usage};
use hitesh_llm::ProviderStatus;
use hitesh_persona::Fidelity;
use parking_lot::Mutex;

use crate::{
    fidelity::{FidelityFigures, Scores},
    live::LiveTurn,
};

/// What the engine measures, since start.
#[derive(Debug)]
pub(crate) struct Figures {
    since: Instant,
    open_readers: AtomicU64,
    turns: Mutex<TurnFigures>,
    providers: Mutex<BTreeMap<ProviderId, CallFigures>>,
    scores: Mutex<Scores>,
}

#[derive(Debug)]
struct TurnFigures {
    requests: u64,
    errors: u64,
    cache_hits: u64,
    /// Milliseconds from a turn's begin to its end.
    response: Option<Histogram<u64>>,
    response_total: Duration,
    first_token_total: Duration,
    first_tokens: u64,
}

#[derive(Debug, Clone, Copy, Default)]
struct CallFigures {
    requests: u64,
    errors: u64,
    total: Duration,
    usage: Usage,
    cost: f64,
}

/// The engine's figures since start. Times are in seconds.
#[derive(Debug, Clone, PartialEq)]
pub struct Performance {
    /// Turns that have ended, refused ones not counted.
    pub total_requests: u64,
    /// Share of them that did not end with a whole answer, stopped ones aside.
    pub error_rate: f64,
    /// Mean time from a turn's begin to its end.
    pub avg_response_time: f64,
    /// Mean time of an upstream call.
    pub avg_processing_time: f64,
    /// Time of all upstream calls together.
    pub total_processing_time: f64,
    /// Median of the time from a turn's begin to its end.
    pub p50_response_time: f64,
    /// Its 95th percentile.
    pub p95_response_time: f64,
    /// Its 99th percentile.
    pub p99_response_time: f64,
    /// Mean time from a turn's begin to the first piece of its answer.
    pub avg_time_to_first_token: f64,
    /// Share of the turns that were answered from the cache.
    pub cache_hit_rate: f64,
    /// Sessions that have a turn in flight.
    pub active_sessions: u64,
    /// Readers of live or stored turns at this moment.
    pub active_streams: u64,
    /// Since the engine was made.
    pub uptime_seconds: f64,
    /// Tokens of all upstream calls; those of cached and joined answers are not counted again.
    pub tokens: Usage,
    /// By provider, in the order of their names.
    pub providers: Vec<ProviderFigures>,
    /// How far answers are in character, by persona and provider, in the order of their names.
    pub fidelity: Vec<FidelityFigures>,
}

/// One provider's figures since start.
#[derive(Debug, Clone, PartialEq)]
pub struct ProviderFigures {
    /// Its configured name.
    pub id: ProviderId,
    /// Upstream calls.
    pub requests: u64,
    /// Those that did not give a whole answer.
    pub errors: u64,
    /// Mean time of a call in seconds.
    pub avg_time: f64,
    /// Tokens of its calls, failed ones included.
    pub tokens: Usage,
    /// What they cost at its configured prices; 0 without any.
    pub cost: f64,
    /// What it says of itself, and whether calls are let through to it.
    pub status: ProviderStatus,
}

/// The response cache's figures since start.
#[derive(Debug, Clone, PartialEq)]
pub struct CacheFigures {
    /// Its kind.
    pub backend: &'static str,
    /// Entries.
    pub cache_size: u64,
    /// `hits / (hits + misses)`, 0 when there were none.
    pub cache_hit_rate: f64,
    /// Lookups that found something.
    pub hits: u64,
    /// Lookups that found nothing.
    pub misses: u64,
    /// Mean time of a lookup in seconds.
    pub avg_response_time: f64,
    /// Lookups.
    pub total_requests: u64,
}

impl Figures {
    pub(crate) fn new() -> Self {
        Self {
            since: Instant::now(),
            open_readers: AtomicU64::new(0),
            turns: Mutex::new(TurnFigures {
                requests: 0,
                errors: 0,
                cache_hits: 0,
                // Up to an hour, to two significant digits; the bounds are valid, so there always is one.
                response: Histogram::new_with_bounds(1, 3_600_000, 2).ok(),
                response_total: Duration::ZERO,
                first_token_total: Duration::ZERO,
                first_tokens: 0,
            }),
            providers: Mutex::default(),
            scores: Mutex::default(),
        }
    }

    pub(crate) fn turn_ended(&self, live: &LiveTurn, end: End) {
        let first_token = live.generation().first_delta().map(|at| at.saturating_duration_since(live.started));
        self.turn(end, live.told().source, live.started.elapsed(), first_token);
    }

    pub(crate) fn turn(&self, end: End, source: Source, took: Duration, first_token: Option<Duration>) {
        let mut turns = self.turns.lock();
        turns.requests += 1;
        turns.errors += u64::from(!matches!(end, End::Completed | End::Stopped));
        turns.cache_hits += u64::from(source == Source::Cache);
        turns.response_total += took;
        if let Some(histogram) = &mut turns.response {
            histogram.saturating_record(u64::try_from(took.as_millis()).unwrap_or(u64::MAX));
        }
        if let Some(first_token) = first_token {
            turns.first_token_total += first_token;
            turns.first_tokens += 1;
        }
    }

    /// An upstream call has ended: counted once, however many turns followed it.
    pub(crate) fn provider_call(&self, provider: &ProviderId, took: Duration, whole: bool, usage: Usage, cost: f64) {
        let mut providers = self.providers.lock();
        let figures = providers.entry(provider.clone()).or_default();
        figures.requests += 1;
        figures.errors += u64::from(!whole);
        figures.total += took;
        figures.usage = sum(figures.usage, usage);
        figures.cost += cost;
    }

    /// How far an upstream call's whole answer is in character: once for each call, as with its usage.
    pub(crate) fn fidelity(&self, persona: &PersonaId, provider: &ProviderId, fidelity: &Fidelity) {
        self.scores.lock().count(persona, provider, fidelity);
    }

    pub(crate) fn performance(
        &self,
        active_sessions: usize,
        statuses: impl Iterator<Item = ProviderStatus>,
    ) -> Performance {
        let calls = self.providers.lock().clone();
        let providers = statuses
            .map(|status| {
                let call = calls.get(&status.id).copied().unwrap_or_default();
                ProviderFigures {
                    id: status.id.clone(),
                    requests: call.requests,
                    errors: call.errors,
                    avg_time: mean(call.total, call.requests),
                    tokens: call.usage,
                    cost: call.cost,
                    status,
                }
            })
            .collect();
        let processing: Duration = calls.values().map(|call| call.total).sum();
        let tokens = calls.values().fold(Usage::default(), |total, call| sum(total, call.usage));
        let calls: u64 = calls.values().map(|call| call.requests).sum();
        let turns = self.turns.lock();
        let quantile =
            |q| turns.response.as_ref().map_or(0.0, |h| Duration::from_millis(h.value_at_quantile(q)).as_secs_f64());
        Performance {
            total_requests: turns.requests,
            error_rate: share(turns.errors, turns.requests),
            avg_response_time: mean(turns.response_total, turns.requests),
            avg_processing_time: mean(processing, calls),
            total_processing_time: processing.as_secs_f64(),
            p50_response_time: quantile(0.50),
            p95_response_time: quantile(0.95),
            p99_response_time: quantile(0.99),
            avg_time_to_first_token: mean(turns.first_token_total, turns.first_tokens),
            cache_hit_rate: share(turns.cache_hits, turns.requests),
            active_sessions: active_sessions as u64,
            active_streams: self.open_readers.load(Ordering::Relaxed),
            uptime_seconds: self.since.elapsed().as_secs_f64(),
            tokens,
            providers,
            fidelity: self.scores.lock().figures(),
        }
    }
}

/// A reader that is counted while it exists.
#[derive(Debug)]
pub(crate) struct OpenReader(Arc<Figures>);

impl OpenReader {
    pub(crate) fn new(figures: &Arc<Figures>) -> Self {
        figures.open_readers.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(figures))
    }
}

impl Drop for OpenReader {
    fn drop(&mut self) {
        self.0.open_readers.fetch_sub(1, Ordering::Relaxed);
    }
}

fn sum(one: Usage, other: Usage) -> Usage {
    Usage {
        prompt_tokens: one.prompt_tokens.saturating_add(other.prompt_tokens),
        completion_tokens: one.completion_tokens.saturating_add(other.completion_tokens),
        cached_tokens: one.cached_tokens.saturating_add(other.cached_tokens),
    }
}

pub(crate) fn ratio(total: f64, count: u64) -> f64 {
    if count == 0 { 0.0 } else { total / count as f64 }
}

pub(crate) fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

pub(crate) fn mean(total: Duration, count: u64) -> f64 {
    ratio(total.as_secs_f64(), count)
}

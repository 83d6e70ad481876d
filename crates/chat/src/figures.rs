use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use hitesh_domain::{End, PersonaId, ProviderId, Source, Usage};
use hitesh_llm::ProviderStatus;
use hitesh_persona::Fidelity;
use parking_lot::Mutex;

use crate::{
    durations::{Distribution, Durations, Quantiles},
    fidelity::{FidelityFigures, Scores},
    live::LiveTurn,
    registry::Registry,
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
    errors: u64,
    cache_hits: u64,
    /// By status and source.
    ends: BTreeMap<(&'static str, &'static str), u64>,
    /// From a turn's begin to its end.
    response: Durations,
    /// From a turn's begin to the first piece of its answer.
    first_token: Durations,
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
    /// Turns that run.
    pub turns_in_flight: u64,
    /// Questions that wait for a place among them.
    pub turns_waiting: u64,
    /// How many turns ended in which way.
    pub turns: Vec<TurnCount>,
    /// From a turn's begin to its end.
    pub response: Distribution,
    /// From a turn's begin to the first piece of its answer.
    pub first_token: Distribution,
    /// Since the engine was made.
    pub uptime_seconds: f64,
    /// Tokens of all upstream calls; those of cached and joined answers are not counted again.
    pub tokens: Usage,
    /// By provider, in the order of their names.
    pub providers: Vec<ProviderFigures>,
    /// How far answers are in character, by persona and provider, in the order of their names.
    pub fidelity: Vec<FidelityFigures>,
}

/// How many turns ended in one way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TurnCount {
    /// `completed`, `incomplete`, `stopped` or `failed`.
    pub status: &'static str,
    /// Where the answer came from: `model`, `cache` or `joined`.
    pub source: &'static str,
    /// Since start.
    pub count: u64,
}

/// How turns went since the last look; none where there were none.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Recent {
    /// From a turn's begin to its end.
    pub response: Option<Quantiles>,
    /// From a turn's begin to the first piece of its answer.
    pub first_token: Option<Quantiles>,
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
                errors: 0,
                cache_hits: 0,
                ends: BTreeMap::new(),
                response: Durations::new(),
                first_token: Durations::new(),
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
        *turns.ends.entry((end.status(), source.as_str())).or_default() += 1;
        turns.errors += u64::from(!matches!(end, End::Completed | End::Stopped));
        turns.cache_hits += u64::from(source == Source::Cache);
        turns.response.record(took);
        if let Some(first_token) = first_token {
            turns.first_token.record(first_token);
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

    /// Since the last call: for one caller only.
    pub(crate) fn take_recent(&self) -> Recent {
        let mut turns = self.turns.lock();
        Recent { response: turns.response.take_recent(), first_token: turns.first_token.take_recent() }
    }

    pub(crate) fn performance(
        &self,
        registry: &Registry,
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
        let (quantiles, requests) = (turns.response.quantiles(), turns.response.count);
        let count = |(&(status, source), &count): (&(_, _), &u64)| TurnCount { status, source, count };
        Performance {
            total_requests: requests,
            error_rate: share(turns.errors, requests),
            avg_response_time: mean(turns.response.total, requests),
            avg_processing_time: mean(processing, calls),
            total_processing_time: processing.as_secs_f64(),
            p50_response_time: quantiles.p50,
            p95_response_time: quantiles.p95,
            p99_response_time: quantiles.p99,
            avg_time_to_first_token: mean(turns.first_token.total, turns.first_token.count),
            cache_hit_rate: share(turns.cache_hits, requests),
            active_sessions: registry.active_sessions() as u64,
            active_streams: self.open_readers.load(Ordering::Relaxed),
            turns_in_flight: registry.in_flight() as u64,
            turns_waiting: registry.waiting() as u64,
            turns: turns.ends.iter().map(count).collect(),
            response: turns.response.distribution(),
            first_token: turns.first_token.distribution(),
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

use std::{collections::VecDeque, time::Duration};

use hitesh_chat::{Engine, Performance};
use parking_lot::Mutex;
use serde::Serialize;
use time::OffsetDateTime;
use tokio::time::MissedTickBehavior;
use utoipa::ToSchema;

use crate::http::metrics::{Process, Requests};

/// How often a sample is taken,
pub(super) const EVERY: Duration = Duration::from_secs(5);
/// and how many are kept: fifteen minutes.
const KEPT: usize = 180;

/// What happened in the last fifteen minutes.
#[derive(Debug, Default)]
pub(in crate::http) struct Samples(Mutex<VecDeque<Sample>>);

/// Five seconds.
#[derive(Debug, Clone, Copy)]
struct Sample {
    at: i64,
    requests: u64,
    errors: u64,
    turns: u64,
    turn_errors: u64,
    response: [Option<f64>; 3],
    first_token: [Option<f64>; 2],
    open_streams: u64,
    turns_in_flight: u64,
    waiting: u64,
    cache_hit_rate: Option<f64>,
    prompt_tokens: u64,
    completion_tokens: u64,
    cost: f64,
    stored_sessions: Option<u64>,
    resident_bytes: Option<u64>,
}

/// Samples as columns, one value for each sample, oldest first. Counts are those of the five seconds before; times are in seconds, and none
/// where nothing ended.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(super) struct SamplesBody {
    /// When it was taken, in seconds since 1970.
    at: Vec<i64>,
    /// HTTP requests that were answered.
    requests: Vec<u64>,
    /// Those that were answered with a 5xx.
    errors: Vec<u64>,
    /// Turns that ended.
    turns: Vec<u64>,
    /// Those that ended without a whole answer, stopped ones aside.
    turn_errors: Vec<u64>,
    response_p50: Vec<Option<f64>>,
    response_p95: Vec<Option<f64>>,
    response_p99: Vec<Option<f64>>,
    first_token_p50: Vec<Option<f64>>,
    first_token_p95: Vec<Option<f64>>,
    open_streams: Vec<u64>,
    turns_in_flight: Vec<u64>,
    /// Questions that wait, for a place or in the local model's queue.
    waiting: Vec<u64>,
    /// Share of the lookups that found something.
    cache_hit_rate: Vec<Option<f64>>,
    prompt_tokens: Vec<u64>,
    completion_tokens: Vec<u64>,
    cost: Vec<f64>,
    stored_sessions: Vec<Option<u64>>,
    resident_bytes: Vec<Option<u64>>,
}

/// What has been counted so far.
#[derive(Debug, Clone, Copy, Default)]
struct Totals {
    requests: u64,
    errors: u64,
    turns: u64,
    turn_errors: u64,
    hits: u64,
    misses: u64,
    prompt_tokens: u64,
    completion_tokens: u64,
    cost: f64,
}

impl Samples {
    /// Takes one every five seconds, for ever.
    pub(super) async fn take(&self, engine: &Engine, requests: &Requests) {
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut before = Totals::default();
        loop {
            ticks.tick().await;
            let (health, cache) = futures::join!(engine.health(), engine.cache_stats());
            let now = engine.performance();
            let (answered, failed) = requests.totals();
            let totals = Totals {
                requests: answered,
                errors: failed,
                turns: now.total_requests,
                turn_errors: turn_errors(&now),
                hits: cache.hits,
                misses: cache.misses,
                prompt_tokens: now.tokens.prompt_tokens,
                completion_tokens: now.tokens.completion_tokens,
                cost: now.providers.iter().map(|provider| provider.cost).sum(),
            };
            let recent = engine.take_recent();
            let hits = totals.hits.saturating_sub(before.hits);
            let lookups = hits + totals.misses.saturating_sub(before.misses);
            let waiting: usize = now.providers.iter().map(|provider| provider.status.waiting).sum();
            self.push(Sample {
                at: OffsetDateTime::now_utc().unix_timestamp(),
                requests: totals.requests.saturating_sub(before.requests),
                errors: totals.errors.saturating_sub(before.errors),
                turns: totals.turns.saturating_sub(before.turns),
                turn_errors: totals.turn_errors.saturating_sub(before.turn_errors),
                response: spread(recent.response.map(|q| [q.p50, q.p95, q.p99])),
                first_token: spread(recent.first_token.map(|q| [q.p50, q.p95])),
                open_streams: now.active_streams,
                turns_in_flight: now.turns_in_flight,
                waiting: now.turns_waiting + waiting as u64,
                cache_hit_rate: (lookups > 0).then(|| hits as f64 / lookups as f64),
                prompt_tokens: totals.prompt_tokens.saturating_sub(before.prompt_tokens),
                completion_tokens: totals.completion_tokens.saturating_sub(before.completion_tokens),
                // What a reload took off the list counts no more.
                cost: (totals.cost - before.cost).max(0.0),
                stored_sessions: health.store.ok().map(|store| store.sessions),
                resident_bytes: Process::now().resident_bytes,
            });
            before = totals;
        }
    }

    pub(super) fn columns(&self) -> SamplesBody {
        let mut body = SamplesBody::default();
        for sample in self.0.lock().iter() {
            body.add(sample);
        }
        body
    }

    fn push(&self, sample: Sample) {
        let mut samples = self.0.lock();
        if samples.len() == KEPT {
            samples.pop_front();
        }
        samples.push_back(sample);
    }
}

impl SamplesBody {
    fn add(&mut self, sample: &Sample) {
        let Sample { response: [p50, p95, p99], first_token: [first_p50, first_p95], .. } = *sample;
        self.at.push(sample.at);
        self.requests.push(sample.requests);
        self.errors.push(sample.errors);
        self.turns.push(sample.turns);
        self.turn_errors.push(sample.turn_errors);
        self.response_p50.push(p50);
        self.response_p95.push(p95);
        self.response_p99.push(p99);
        self.first_token_p50.push(first_p50);
        self.first_token_p95.push(first_p95);
        self.open_streams.push(sample.open_streams);
        self.turns_in_flight.push(sample.turns_in_flight);
        self.waiting.push(sample.waiting);
        self.cache_hit_rate.push(sample.cache_hit_rate);
        self.prompt_tokens.push(sample.prompt_tokens);
        self.completion_tokens.push(sample.completion_tokens);
        self.cost.push(sample.cost);
        self.stored_sessions.push(sample.stored_sessions);
        self.resident_bytes.push(sample.resident_bytes);
    }
}

fn turn_errors(now: &Performance) -> u64 {
    let failed = now.turns.iter().filter(|turns| !matches!(turns.status, "completed" | "stopped"));
    failed.map(|turns| turns.count).sum()
}

fn spread<const N: usize>(values: Option<[f64; N]>) -> [Option<f64>; N] {
    values.map_or([None; N], |values| values.map(Some))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(at: i64) -> Sample {
        Sample {
            at,
            requests: 1,
            errors: 0,
            turns: 0,
            turn_errors: 0,
            response: [None; 3],
            first_token: [None; 2],
            open_streams: 0,
            turns_in_flight: 0,
            waiting: 0,
            cache_hit_rate: None,
            prompt_tokens: 0,
            completion_tokens: 0,
            cost: 0.0,
            stored_sessions: None,
            resident_bytes: None,
        }
    }

    #[test]
    fn fifteen_minutes_are_kept_and_no_more() {
        let samples = Samples::default();
        for at in 0..1000 {
            samples.push(sample(at));
        }
        let columns = samples.columns();
        assert_eq!((columns.at.first(), columns.at.last(), columns.at.len()), (Some(&820), Some(&999), KEPT));
        assert_eq!(EVERY * u32::try_from(KEPT).unwrap(), Duration::from_secs(15 * 60));
    }
}

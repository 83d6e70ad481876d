use std::fmt;

use hitesh_chat::{BOUNDS, CacheFigures, Distribution, Engine, Health, Performance};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeCounterValue, EncodeGaugeValue, NoLabelSet},
    metrics::MetricType,
    registry::Unit,
};

use super::process::Process;
use crate::http::health::state_name;

/// All that is known at one moment.
#[derive(Debug)]
pub(super) struct Snapshot {
    version: &'static str,
    performance: Performance,
    cache: CacheFigures,
    health: Health,
    process: Process,
}

/// Names and values of labels.
type Labels<'a, const N: usize> = [(&'static str, &'a str); N];

impl Snapshot {
    pub(super) async fn of(engine: &Engine, version: &'static str) -> Self {
        let (health, cache) = futures::join!(engine.health(), engine.cache_stats());
        Self { version, performance: engine.performance(), cache, health, process: Process::now() }
    }

    fn turns(&self, to: &mut Metrics<'_>) -> fmt::Result {
        let now = &self.performance;
        let ended = now.turns.iter().map(|turns| ([("status", turns.status), ("source", turns.source)], turns.count));
        to.counters("turns", "Turns that have ended, by how and by where their answer came from", ended)?;
        to.histogram("turn_duration", "From a turn's begin to its end", &now.response)?;
        to.histogram("turn_first_token", "From a turn's begin to the first piece of its answer", &now.first_token)?;
        to.gauge("turns_in_flight", "Turns that run", now.turns_in_flight)?;
        to.gauge("turns_waiting", "Questions that wait for a place among the turns that run", now.turns_waiting)?;
        to.gauge("open_streams", "Readers of turns", now.active_streams)?;
        to.gauge("active_sessions", "Sessions with a turn that runs", now.active_sessions)
    }

    fn providers(&self, to: &mut Metrics<'_>) -> fmt::Result {
        let all = || self.performance.providers.iter();
        to.counters("provider_calls", "Upstream calls", all().map(|p| ([("provider", p.id.as_str())], p.requests)))?;
        to.counters(
            "provider_call_failures",
            "Upstream calls that gave no whole answer",
            all().map(|p| ([("provider", p.id.as_str())], p.errors)),
        )?;
        to.counters(
            "provider_call_time_seconds",
            "Time of upstream calls together",
            all().map(|p| ([("provider", p.id.as_str())], p.avg_time * p.requests as f64)),
        )?;
        let tokens = all().flat_map(|p| {
            let kinds = [
                ("prompt", p.tokens.prompt_tokens),
                ("cached", p.tokens.cached_tokens),
                ("completion", p.tokens.completion_tokens),
            ];
            kinds.map(|(kind, count)| ([("provider", p.id.as_str()), ("kind", kind)], count))
        });
        to.counters("provider_tokens", "Tokens of upstream calls; cached ones are prompt tokens too", tokens)?;
        to.counters(
            "provider_cost",
            "What upstream calls cost, in the currency of the configured prices",
            all().map(|p| ([("provider", p.id.as_str())], p.cost)),
        )?;
        let gauge = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        to.gauges(
            "provider_in_flight",
            "Upstream calls that have a place",
            all().map(|p| ([("provider", p.id.as_str())], gauge(p.status.in_flight))),
        )?;
        to.gauges(
            "provider_waiting",
            "Questions that wait for this provider; those of the local model for its queue",
            all().map(|p| ([("provider", p.id.as_str())], gauge(p.status.waiting))),
        )?;
        let states = all().flat_map(|p| one_of("state", p.id.as_str(), STATES, state_name(&p.status.state)));
        to.gauges("provider_state", "1 for the state that the provider is in", states)?;
        let breakers = all().flat_map(|p| one_of("state", p.id.as_str(), BREAKERS, p.status.breaker.as_str()));
        to.gauges("provider_breaker", "1 for the state that the provider's breaker is in", breakers)
    }

    fn dependencies(&self, to: &mut Metrics<'_>) -> fmt::Result {
        let up = [("sessions", self.health.store_away().is_none()), ("cache", self.health.cache_away().is_none())];
        let up = up.map(|(name, is_up)| ([("dependency", name)], i64::from(is_up)));
        to.gauges("dependency_up", "Whether what keeps sessions and what caches answers can be reached", up)?;
        to.gauge("draining", "Whether the server takes no new turns any more", u64::from(self.health.draining))?;
        if let Ok(store) = &self.health.store {
            to.gauge("stored_sessions", "Sessions in the store; instances on one Redis share them", store.sessions)?;
            to.gauge("stored_turns", "Turns in the store", store.turns)?;
        }
        let lookups = [("hit", self.cache.hits), ("miss", self.cache.misses)];
        let lookups = lookups.map(|(result, count)| ([("result", result)], count));
        to.counters("cache_lookups", "Lookups in the response cache", lookups)?;
        to.gauge("cache_entries", "Entries of the response cache", self.cache.cache_size)
    }

    fn process(&self, to: &mut Metrics<'_>) -> fmt::Result {
        to.gauges("build_info", "The version that runs", [([("version", self.version)], 1)])?;
        if let Some(bytes) = self.process.resident_bytes {
            to.gauge("process_resident_memory_bytes", "Memory that the process has in RAM", bytes)?;
        }
        if let Some(seconds) = self.process.cpu_seconds {
            to.counters::<_, 0>("process_cpu_seconds", "Time of the process on processors", [([], seconds)])?;
        }
        if let Some(count) = self.process.open_files {
            to.gauge("process_open_fds", "Open files and sockets of the process", count)?;
        }
        if let Some(at) = self.process.started_at {
            to.gauges::<_, 0>("process_start_time_seconds", "When the process started", [([], at)])?;
        }
        Ok(())
    }
}

const STATES: [&str; 3] = ["ready", "loading", "unavailable"];
const BREAKERS: [&str; 3] = ["closed", "half_open", "open"];

/// A series for each state, 1 for the one that is.
fn one_of<'a>(
    label: &'static str,
    provider: &'a str,
    states: [&'static str; 3],
    is: &'static str,
) -> [(Labels<'a, 2>, i64); 3] {
    states.map(|state| ([("provider", provider), (label, state)], i64::from(state == is)))
}

/// Where figures are written.
struct Metrics<'e>(DescriptorEncoder<'e>);

impl Metrics<'_> {
    fn counters<'a, V: EncodeCounterValue, const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        series: impl IntoIterator<Item = (Labels<'a, N>, V)>,
    ) -> fmt::Result {
        let mut metric = self.0.encode_descriptor(name, help, None, MetricType::Counter)?;
        for (labels, value) in series {
            metric.encode_family(&labels)?.encode_counter::<NoLabelSet, _, u64>(&value, None)?;
        }
        Ok(())
    }

    fn gauges<'a, V: EncodeGaugeValue, const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        series: impl IntoIterator<Item = (Labels<'a, N>, V)>,
    ) -> fmt::Result {
        let mut metric = self.0.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (labels, value) in series {
            metric.encode_family(&labels)?.encode_gauge(&value)?;
        }
        Ok(())
    }

    fn gauge(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        self.gauges::<_, 0>(name, help, [([], value)])
    }

    fn histogram(&mut self, name: &str, help: &str, spread: &Distribution) -> fmt::Result {
        let bounds = BOUNDS.into_iter().chain([f64::INFINITY]);
        let buckets: Vec<_> = bounds.zip(spread.buckets).collect();
        let mut metric = self.0.encode_descriptor(name, help, Some(&Unit::Seconds), MetricType::Histogram)?;
        metric.encode_histogram::<NoLabelSet>(spread.sum, spread.count, &buckets, None)
    }
}

impl Collector for Snapshot {
    fn encode(&self, encoder: DescriptorEncoder) -> fmt::Result {
        let mut to = Metrics(encoder);
        self.turns(&mut to)?;
        self.providers(&mut to)?;
        self.dependencies(&mut to)?;
        self.process(&mut to)
    }
}

use std::time::Duration;

use hdrhistogram::Histogram;

/// Upper bounds of the buckets of a [`Distribution`], in seconds: from an answer out of memory to the deadline of a local
/// model.
pub const BOUNDS: [f64; 14] = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 300.0];

/// How long something took, each time since start, and each time since somebody looked last.
#[derive(Debug)]
pub(crate) struct Durations {
    since_start: Option<Histogram<u64>>,
    recent: Option<Histogram<u64>>,
    pub(crate) total: Duration,
    pub(crate) count: u64,
}

/// How durations are spread, since start.
#[derive(Debug, Clone, PartialEq)]
pub struct Distribution {
    /// How many there are up to each of [`BOUNDS`] and above the one before, and how many are above all of them.
    pub buckets: [u64; BOUNDS.len() + 1],
    /// All of them together, in seconds.
    pub sum: f64,
    /// How many there are.
    pub count: u64,
}

/// Quantiles of durations in seconds, to within one per cent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quantiles {
    /// The median.
    pub p50: f64,
    /// The 95th percentile.
    pub p95: f64,
    /// The 99th percentile.
    pub p99: f64,
}

impl Durations {
    pub(crate) fn new() -> Self {
        Self { since_start: histogram(), recent: histogram(), total: Duration::ZERO, count: 0 }
    }

    pub(crate) fn record(&mut self, took: Duration) {
        let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        for histogram in [&mut self.since_start, &mut self.recent].into_iter().flatten() {
            histogram.saturating_record(millis);
        }
        self.total += took;
        self.count += 1;
    }

    /// Of all since start; zeros if there were none.
    pub(crate) fn quantiles(&self) -> Quantiles {
        self.since_start.as_ref().map_or(Quantiles { p50: 0.0, p95: 0.0, p99: 0.0 }, quantiles)
    }

    /// Of those since the last call; none if there were none.
    pub(crate) fn take_recent(&mut self) -> Option<Quantiles> {
        let recent = self.recent.as_mut().filter(|recent| !recent.is_empty())?;
        let found = quantiles(recent);
        recent.reset();
        Some(found)
    }

    pub(crate) fn distribution(&self) -> Distribution {
        let mut buckets = [0; BOUNDS.len() + 1];
        let mut below = 0;
        for (bucket, bound) in buckets.iter_mut().zip(BOUNDS) {
            let up_to = self.since_start.as_ref().map_or(0, |all| all.count_between(0, (bound * 1000.0) as u64));
            *bucket = up_to - below;
            below = up_to;
        }
        if let Some(last) = buckets.last_mut() {
            *last = self.count.saturating_sub(below);
        }
        Distribution { buckets, sum: self.total.as_secs_f64(), count: self.count }
    }
}

fn histogram() -> Option<Histogram<u64>> {
    // Up to an hour, to two significant digits; the bounds are valid, so there always is one.
    Histogram::new_with_bounds(1, 3_600_000, 2).ok()
}

fn quantiles(histogram: &Histogram<u64>) -> Quantiles {
    let at = |quantile| Duration::from_millis(histogram.value_at_quantile(quantile)).as_secs_f64();
    Quantiles { p50: at(0.50), p95: at(0.95), p99: at(0.99) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_duration_is_in_the_bucket_of_its_bound() {
        let mut durations = Durations::new();
        for millis in [0, 10, 11, 1000, 250_000, 3_000_000] {
            durations.record(Duration::from_millis(millis));
        }
        let Distribution { buckets, sum, count } = durations.distribution();
        assert_eq!(buckets, [2, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 1]);
        assert_eq!((count, sum), (6, 3251.021));
    }

    #[test]
    fn what_is_recent_is_looked_at_once() {
        let mut durations = Durations::new();
        assert_eq!(durations.take_recent(), None);
        durations.record(Duration::from_millis(100));
        assert_eq!(durations.take_recent().map(|recent| recent.p50), Some(0.1));
        assert_eq!(durations.take_recent(), None);
        assert_eq!(durations.quantiles().p99, 0.1);
    }
}

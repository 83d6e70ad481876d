use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::time::Instant;

use super::window::Window;
use crate::ProviderError;

/// So many calls in a row that fail open it.
const IN_A_ROW: u32 = 5;
/// How long it is open at first; each probe that fails doubles it, up to the limit.
const OPEN: Duration = Duration::from_secs(10);
const OPEN_LIMIT: Duration = Duration::from_secs(60);

/// Whether a provider is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BreakerState {
    /// Yes.
    Closed,
    /// No: it failed too often, or asked to be left alone.
    Open,
    /// One call is let through, to see.
    HalfOpen,
}

impl BreakerState {
    /// Its name on every wire: `closed`, `open` or `half_open`.
    pub fn as_str(self) -> &'static str {
        match self {
            BreakerState::Closed => "closed",
            BreakerState::Open => "open",
            BreakerState::HalfOpen => "half_open",
        }
    }
}

/// Keeps calls from a provider that fails: after five failures in a row, or when half of the calls of the last 30 s
/// (20 or more) failed, or as long as it asked to be left alone.
#[derive(Debug)]
pub(super) struct Breaker(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// It never opens because of failures; a provider that asks to be left alone still is.
    stays_closed: bool,
    /// Failures since the last success.
    failures: u32,
    window: Window,
    /// Why nobody is let through, and until when.
    open: Option<Open>,
    /// For how long it was opened last; zero once it has closed.
    opened_for: Duration,
    /// The provider asked to be left alone until then.
    rest: Option<Open>,
}

#[derive(Debug, Clone)]
struct Open {
    until: Instant,
    error: ProviderError,
    /// The one call that is let through after `until` is under way.
    probing: bool,
}

/// Why a provider is not asked now.
#[derive(Debug, Clone)]
pub(super) struct Refusal {
    /// What it failed with last.
    pub(super) error: ProviderError,
    /// When it may be asked again.
    pub(super) wait: Duration,
}

/// A call that was let through. What becomes of it is told once; one that is dropped before tells nothing.
#[derive(Debug)]
pub(super) struct Pass {
    breaker: Arc<Breaker>,
    /// Nothing was told yet, and it holds the place of the probe of a breaker that was open until then.
    probes: Option<Instant>,
}

impl Breaker {
    pub(super) fn new(opens: bool) -> Self {
        Self(Mutex::new(Inner { stays_closed: !opens, ..Inner::default() }))
    }

    pub(super) fn state(&self) -> BreakerState {
        let inner = self.0.lock();
        let now = Instant::now();
        match (&inner.rest, &inner.open) {
            (Some(rest), _) if now < rest.until => BreakerState::Open,
            (_, Some(open)) if now < open.until => BreakerState::Open,
            (_, Some(_)) => BreakerState::HalfOpen,
            (_, None) => BreakerState::Closed,
        }
    }

    /// Whether a call would be let through now.
    pub(super) fn check(&self) -> Result<(), Refusal> {
        self.0.lock().check(Instant::now())
    }

    /// Lets a call through, if it may.
    pub(super) fn enter(self: &Arc<Self>) -> Result<Pass, Refusal> {
        let mut inner = self.0.lock();
        inner.check(Instant::now())?;
        let probes = inner.open.as_mut().map(|open| {
            open.probing = true;
            open.until
        });
        Ok(Pass { breaker: Arc::clone(self), probes })
    }
}

impl Inner {
    fn check(&self, now: Instant) -> Result<(), Refusal> {
        let refusal = |open: &Open, at_least| {
            let wait = open.until.saturating_duration_since(now).max(at_least);
            Err(Refusal { error: open.error.clone(), wait })
        };
        match (&self.rest, &self.open) {
            (Some(rest), _) if now < rest.until => refusal(rest, Duration::ZERO),
            (_, Some(open)) if now < open.until => refusal(open, Duration::ZERO),
            (_, Some(open)) if open.probing => refusal(open, Duration::from_secs(1)),
            _ => Ok(()),
        }
    }

    fn close(&mut self) {
        self.failures = 0;
        self.opened_for = Duration::ZERO;
        if self.open.take().is_some() {
            self.window = Window::default();
        }
    }

    /// The opening that a call probes, unless it has closed since, and perhaps opened anew.
    fn probed(&mut self, opening: Option<Instant>) -> Option<&mut Open> {
        self.open.as_mut().filter(|open| Some(open.until) == opening)
    }

    fn fail(&mut self, error: &ProviderError, opening: Option<Instant>) {
        let probed = self.probed(opening).is_some();
        let now = Instant::now();
        self.failures = self.failures.saturating_add(1);
        self.window.count(now, false);
        if let ProviderError::RateLimited { retry_after: Some(wait) } = error {
            self.rest = Some(Open { until: now + *wait, error: error.clone(), probing: false });
        }
        let opens = match &self.open {
            _ if self.stays_closed => false,
            None => self.failures >= IN_A_ROW || self.window.is_mostly_failed(now),
            // Calls that were under way when it opened say nothing new.
            Some(_) => probed,
        };
        if opens {
            self.opened_for = (self.opened_for * 2).clamp(OPEN, OPEN_LIMIT);
            self.open = Some(Open { until: now + self.opened_for, error: error.clone(), probing: false });
        }
    }
}

impl Pass {
    /// The provider answers: what is visible of it is enough to trust it again.
    pub(super) fn answers(&mut self) {
        self.probes = None;
        self.breaker.0.lock().close();
    }

    /// The call ended well.
    pub(super) fn succeeded(mut self) {
        self.answers();
        self.breaker.0.lock().window.count(Instant::now(), true);
    }

    /// The call failed through the provider's fault.
    pub(super) fn failed(mut self, error: &ProviderError) {
        let opening = self.probes.take();
        self.breaker.0.lock().fail(error, opening);
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        if let Some(open) = self.breaker.0.lock().probed(self.probes) {
            open.probing = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    fn away() -> ProviderError {
        ProviderError::Unavailable { reason: "it answers with status 500".to_owned() }
    }

    fn fail(breaker: &Arc<Breaker>, times: u32) {
        (0..times).for_each(|_| breaker.enter().unwrap().failed(&away()));
    }

    fn wait(breaker: &Breaker) -> Option<u64> {
        breaker.check().err().map(|refusal| refusal.wait.as_secs())
    }

    #[tokio::test(start_paused = true)]
    async fn five_failures_in_a_row_open_it_and_a_success_in_between_does_not() {
        let breaker = Arc::new(Breaker::new(true));
        fail(&breaker, 4);
        breaker.enter().unwrap().succeeded();
        fail(&breaker, 4);
        assert_eq!(breaker.state(), BreakerState::Closed);
        fail(&breaker, 1);
        assert_eq!(breaker.state(), BreakerState::Open);
        assert_eq!(wait(&breaker), Some(10));
        assert!(breaker.enter().is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_is_switched_off_only_keeps_the_wait_that_was_asked_for() {
        let breaker = Arc::new(Breaker::new(false));
        fail(&breaker, 100);
        assert_eq!(breaker.state(), BreakerState::Closed);
        breaker.enter().unwrap().failed(&ProviderError::RateLimited { retry_after: Some(Duration::from_secs(7)) });
        assert_eq!(wait(&breaker), Some(7));
    }

    #[tokio::test(start_paused = true)]
    async fn half_of_many_failures_open_it() {
        let breaker = Arc::new(Breaker::new(true));
        for _ in 0..9 {
            breaker.enter().unwrap().succeeded();
            fail(&breaker, 1);
        }
        breaker.enter().unwrap().succeeded();
        assert_eq!(breaker.state(), BreakerState::Closed, "19 calls are too few to tell");
        fail(&breaker, 1);
        assert_eq!(breaker.state(), BreakerState::Open);
    }

    #[tokio::test(start_paused = true)]
    async fn one_probe_is_let_through_and_its_success_closes_it() {
        let breaker = Arc::new(Breaker::new(true));
        fail(&breaker, 5);
        advance(Duration::from_secs(10)).await;
        assert_eq!(breaker.state(), BreakerState::HalfOpen);
        let probe = breaker.enter().unwrap();
        assert_eq!(wait(&breaker), Some(1), "a second one has to wait");
        probe.succeeded();
        assert_eq!((breaker.state(), wait(&breaker)), (BreakerState::Closed, None));
        fail(&breaker, 4);
        assert_eq!(breaker.state(), BreakerState::Closed, "what was before it opened is forgotten");
    }

    #[tokio::test(start_paused = true)]
    async fn a_probe_that_fails_doubles_the_wait_up_to_a_minute() {
        let breaker = Arc::new(Breaker::new(true));
        fail(&breaker, 5);
        for seconds in [10, 20, 40, 60, 60] {
            assert_eq!(wait(&breaker), Some(seconds));
            advance(Duration::from_secs(seconds)).await;
            fail(&breaker, 1);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_probe_that_nobody_waits_for_any_more_gives_its_place_back() {
        let breaker = Arc::new(Breaker::new(true));
        fail(&breaker, 5);
        advance(Duration::from_secs(10)).await;
        drop(breaker.enter().unwrap());
        assert!(breaker.enter().is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_probe_that_outlives_what_it_probes_leaves_the_next_one_alone() {
        let breaker = Arc::new(Breaker::new(true));
        let mut under_way = breaker.enter().unwrap();
        fail(&breaker, 5);
        advance(Duration::from_secs(10)).await;
        let slow_probe = breaker.enter().unwrap();
        under_way.answers();
        fail(&breaker, 5);
        advance(Duration::from_secs(10)).await;
        let _probe = breaker.enter().unwrap();
        drop(slow_probe);
        assert!(breaker.enter().is_err(), "one probe is under way");
    }

    #[tokio::test(start_paused = true)]
    async fn calls_that_were_under_way_do_not_prolong_it() {
        let breaker = Arc::new(Breaker::new(true));
        let late = breaker.enter().unwrap();
        fail(&breaker, 5);
        advance(Duration::from_secs(5)).await;
        late.failed(&away());
        assert_eq!(wait(&breaker), Some(5));
    }

    #[tokio::test(start_paused = true)]
    async fn a_provider_that_asks_for_time_gets_it() {
        let breaker = Arc::new(Breaker::new(true));
        let limited = ProviderError::RateLimited { retry_after: Some(Duration::from_secs(7)) };
        breaker.enter().unwrap().failed(&limited);
        let refusal = breaker.check().unwrap_err();
        assert_eq!((refusal.wait.as_secs(), refusal.error.to_string()), (7, limited.to_string()));
        advance(Duration::from_secs(7)).await;
        assert_eq!((breaker.state(), wait(&breaker)), (BreakerState::Closed, None));
    }
}

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::time::Instant;

use super::{
    hints::{Hint, Told},
    window::Window,
};
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
    /// The end of the last opening that others were told of.
    told: Option<Instant>,
    /// It answers again, and others were not told yet.
    recovered: bool,
}

#[derive(Debug, Clone)]
struct Open {
    until: Instant,
    error: ProviderError,
    /// The one call that is let through after `until` is under way.
    probing: bool,
    /// Another process found it so.
    heard: bool,
}

impl Open {
    fn found(until: Instant, error: &ProviderError) -> Self {
        Self { until, error: error.clone(), probing: false, heard: false }
    }

    fn heard(until: Instant, hint: &Hint) -> Self {
        Self { until, error: hint.error(), probing: false, heard: true }
    }
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

    /// What others, who ask the same provider, are to be told.
    pub(super) fn tell(&self) -> Told {
        self.0.lock().tell(Instant::now())
    }

    /// Others were `told`, and this is what they tell.
    pub(super) fn hear(&self, told: &Told, hint: Option<&Hint>) {
        self.0.lock().hear(told, hint, Instant::now());
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
            self.recovered = true;
        }
    }

    /// What this process has found itself, once for each opening: others may have found better since.
    fn tell(&self, now: Instant) -> Told {
        let own = [&self.rest, &self.open].into_iter().flatten().filter(|open| !open.heard && open.until > now);
        let Some(open) = own.max_by_key(|open| open.until) else {
            return if self.recovered { Told::Answers } else { Told::Nothing };
        };
        if self.told == Some(open.until) {
            return Told::Nothing;
        }
        Hint::new(&open.error, open.until - now).map_or(Told::Nothing, |hint| Told::Fails(hint, open.until))
    }

    fn hear(&mut self, told: &Told, hint: Option<&Hint>, now: Instant) {
        match told {
            Told::Fails(_, until) => self.told = Some(*until),
            Told::Answers => self.recovered = false,
            Told::Nothing => {}
        }
        let Some(hint) = hint else { return self.hear_nothing(now) };
        let is_rest = hint.is_asked_for();
        if self.stays_closed && !is_rest {
            return;
        }
        let place = if is_rest { &mut self.rest } else { &mut self.open };
        // What was found here counts more than what was heard, and the one call that looks is waited for.
        if place.as_ref().is_none_or(|open| (open.heard && !open.probing) || (is_rest && open.until <= now)) {
            *place = Some(Open::heard(now + hint.wait(), hint));
        }
    }

    /// Nobody says that it is to be left alone. Somebody did, and took it back: it answers.
    fn hear_nothing(&mut self, now: Instant) {
        let Some(open) = self.open.as_mut().filter(|open| open.until > now) else { return };
        if open.heard {
            self.open = None;
            self.failures = 0;
        } else if self.told == Some(open.until) {
            // One call looks whether that is so here too.
            open.until = now;
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
            self.rest = Some(Open::found(now + *wait, error));
        }
        let opens = match &self.open {
            _ if self.stays_closed => false,
            None => self.failures >= IN_A_ROW || self.window.is_mostly_failed(now),
            // Calls that were under way when it opened say nothing new.
            Some(_) => probed,
        };
        if opens {
            self.opened_for = (self.opened_for * 2).clamp(OPEN, OPEN_LIMIT);
            self.open = Some(Open::found(now + self.opened_for, error));
            self.recovered = false;
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

    /// A board between two breakers, as long as one has something to tell and the other has not.
    fn tell(from: &Breaker, to: &Breaker) {
        let told = from.tell();
        let hint = match &told {
            Told::Fails(hint, _) => Some(hint),
            Told::Answers | Told::Nothing => None,
        };
        from.hear(&told, hint);
        to.hear(&to.tell(), hint);
    }

    #[tokio::test(start_paused = true)]
    async fn what_one_finds_another_need_not() {
        let [one, other] = [(); 2].map(|()| Arc::new(Breaker::new(true)));
        fail(&one, 5);
        advance(Duration::from_secs(4)).await;
        tell(&one, &other);
        assert_eq!((other.state(), wait(&other)), (BreakerState::Open, Some(6)));
        assert!(matches!(other.check().unwrap_err().error, ProviderError::Unavailable { .. }));
        assert_eq!(other.tell(), Told::Nothing, "it was not found there");
        advance(Duration::from_secs(6)).await;
        assert_eq!(other.state(), BreakerState::HalfOpen);
        fail(&other, 1);
        assert!(matches!(other.tell(), Told::Fails(hint, _) if hint.wait() == OPEN), "now it was");
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_heard_goes_when_it_is_taken_back() {
        let [one, other] = [(); 2].map(|()| Arc::new(Breaker::new(true)));
        fail(&one, 5);
        tell(&one, &other);
        advance(Duration::from_secs(10)).await;
        fail(&one, 1);
        tell(&one, &other);
        assert_eq!(wait(&other), Some(20), "the newer counts");
        one.0.lock().close();
        assert_eq!(one.tell(), Told::Answers);
        tell(&one, &other);
        assert_eq!((one.state(), other.state()), (BreakerState::Closed, BreakerState::Closed));
        assert_eq!(one.tell(), Told::Nothing, "it is told once");
    }

    #[tokio::test(start_paused = true)]
    async fn what_others_find_answering_is_tried_here_too() {
        let breaker = Arc::new(Breaker::new(true));
        fail(&breaker, 5);
        let told = breaker.tell();
        let Told::Fails(hint, _) = told.clone() else { panic!("{told:?}") };
        breaker.hear(&told, Some(&hint));
        assert_eq!((breaker.tell(), wait(&breaker)), (Told::Nothing, Some(10)), "each opening is told once");
        breaker.hear(&Told::Nothing, None);
        assert_eq!(breaker.state(), BreakerState::HalfOpen);
    }

    #[tokio::test(start_paused = true)]
    async fn what_could_not_be_told_is_told_later() {
        let breaker = Arc::new(Breaker::new(true));
        fail(&breaker, 5);
        assert!(matches!(breaker.tell(), Told::Fails(..)));
        assert!(matches!(breaker.tell(), Told::Fails(..)));
        breaker.hear(&Told::Nothing, None);
        assert_eq!(breaker.state(), BreakerState::Open, "nobody has taken back what nobody was told");
    }

    #[tokio::test(start_paused = true)]
    async fn a_wrong_key_is_each_ones_own() {
        let breaker = Arc::new(Breaker::new(true));
        (0..5).for_each(|_| breaker.enter().unwrap().failed(&ProviderError::Unauthorized));
        assert_eq!((breaker.state(), breaker.tell()), (BreakerState::Open, Told::Nothing));
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_that_was_asked_for_is_kept_by_all_also_where_breakers_are_off() {
        let [one, other] = [(); 2].map(|()| Arc::new(Breaker::new(false)));
        one.enter().unwrap().failed(&ProviderError::RateLimited { retry_after: Some(Duration::from_secs(7)) });
        tell(&one, &other);
        assert_eq!(wait(&other), Some(7));
        let away = Hint::new(&away(), Duration::from_secs(60)).unwrap();
        other.hear(&Told::Nothing, Some(&away));
        advance(Duration::from_secs(7)).await;
        assert_eq!(wait(&other), None);
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

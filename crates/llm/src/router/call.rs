use std::{collections::VecDeque, sync::Arc, time::Duration};

use futures::StreamExt;
use hitesh_domain::Status;
use tokio::time::{Instant, timeout_at};

use super::{
    Route,
    breaker::Pass,
    places::{Place, Waiting},
};
use crate::{CompletionRequest, DeltaStream, Phase, Provider, ProviderError, ProviderEvent, ProviderState};

/// The wait before a provider is asked again, in milliseconds: spread, so that calls that failed together do not come
/// back together.
const BACKOFF_MILLIS: std::ops::Range<u64> = 50..250;
/// The longest `Retry-After` that a call waits for.
const WORTH_WAITING: Duration = Duration::from_secs(2);
/// How often one provider is asked for one call.
const ATTEMPTS: u32 = 2;
/// How long an upstream that has said its finish reason may take to say its usage and close.
const AFTER_FINISH: Duration = Duration::from_secs(2);
/// A provider without a total deadline has one all the same.
const FOR_EVER: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);

/// How much of a session goes into a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum History {
    /// As much as the settings say.
    Full,
    /// Less: the provider said that the prompt is too long.
    Less,
}

/// What a [`Call`] tells.
#[derive(Debug)]
pub enum CallEvent {
    /// What the answer waits for: a place at a provider, or, once an attempt has failed, the next one. Then whatever
    /// that attempt gave is void, and was not shown.
    Status(Status),
    /// This provider is asked now.
    Asked(Arc<dyn Provider>),
    /// The answer of the provider that was asked last, as it comes.
    Answer(ProviderEvent),
}

/// Why a call has no answer, or only a part of one.
#[derive(Debug, Clone)]
pub struct Failure {
    /// What the last provider that was asked failed with.
    pub error: ProviderError,
    /// When it may be worth to ask again, if that is known.
    pub retry_after: Option<Duration>,
}

type Build = Box<dyn Fn(&dyn Provider, History) -> CompletionRequest + Send + Sync>;

/// One question that is put to the providers until one answers: the only place where anything is tried again, and
/// only before [`commit`](Self::commit).
///
/// A provider is asked again once, after a short random wait, if what went wrong may pass and its retry budget allows;
/// then the next one is asked. A prompt that is too long is sent once more with less history. All attempts together
/// end within the total deadline of the provider that is being asked.
///
/// Dropping it stops the upstream work, and so does dropping a [`next`](Self::next) that has not resolved.
pub struct Call {
    routes: Arc<[Arc<Route>]>,
    build: Build,
    /// There is history that can be left out.
    has_history: bool,
    history: History,
    started: Instant,
    stage: Stage,
    /// The routes that nothing more is asked of.
    passed: Vec<usize>,
    ready: VecDeque<CallEvent>,
    /// What the last attempt failed with.
    failed: Option<ProviderError>,
    /// Something of the answer was shown.
    committed: bool,
}

enum Stage {
    /// The first of the routes that were not passed and can be asked is to be.
    Choose,
    /// This one is to be asked once more after a wait.
    Again { index: usize, attempt: u32, after: Duration },
    /// It has let the call through, which needs a place.
    Enter { asked: Asked },
    /// The call waits for that.
    Wait { asked: Asked, waiting: Waiting },
    /// It is to be asked.
    Ask { asked: Asked, place: Place },
    /// It answers.
    Answering { asked: Asked, stream: DeltaStream, finished: bool, place: Place },
    /// It ended in an orderly way and nothing was shown: the caller may find that there is no answer in it.
    Ended { asked: Asked },
    /// Nothing more is done.
    Over,
}

struct Asked {
    index: usize,
    route: Arc<Route>,
    pass: Pass,
    attempt: u32,
    /// When it was asked, or else let the call through.
    since: Instant,
}

impl Call {
    pub(super) fn new(routes: Arc<[Arc<Route>]>, has_history: bool, build: Build) -> Self {
        Self {
            routes,
            build,
            has_history,
            history: History::Full,
            started: Instant::now(),
            stage: Stage::Choose,
            passed: Vec::new(),
            ready: VecDeque::new(),
            failed: None,
            committed: false,
        }
    }

    /// Something of the answer was shown: from now on no other provider is asked, whatever happens. After the `None` of
    /// [`next`](Self::next) it says that there was an answer.
    pub fn commit(&mut self) {
        self.failed = None;
        if std::mem::replace(&mut self.committed, true) {
            return;
        }
        match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Ended { asked } => asked.pass.succeeded(),
            mut other => {
                if let Stage::Answering { asked, .. } = &mut other {
                    asked.pass.answers();
                }
                self.stage = other;
            }
        }
    }

    /// There is no answer in what the provider sent, although it ended in an orderly way: a failed attempt. For after
    /// the `None` of [`next`](Self::next), which is worth calling again then. Once something was shown it does nothing.
    pub fn reject(&mut self, reason: &'static str) {
        match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Ended { asked } => self.fail(asked, ProviderError::Broken { reason }),
            other => self.stage = other,
        }
    }

    /// Whether history was left out, because the prompt was too long.
    pub fn has_less_history(&self) -> bool {
        self.history == History::Less
    }

    /// The next thing that happens; `None` at the end of an answer that was not cut. After an error nothing comes.
    pub async fn next(&mut self) -> Option<Result<CallEvent, Failure>> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(Ok(event));
            }
            match std::mem::replace(&mut self.stage, Stage::Over) {
                Stage::Choose => self.choose(),
                Stage::Again { index, attempt, after } => self.again(index, attempt, after).await,
                Stage::Enter { asked } => self.enter(asked),
                Stage::Wait { asked, waiting } => self.wait(asked, waiting).await,
                Stage::Ask { asked, place } => self.ask(asked, place).await,
                Stage::Answering { asked, stream, finished, place } => self.read(asked, stream, finished, place).await,
                Stage::Ended { asked } => {
                    self.stage = Stage::Ended { asked };
                    return None;
                }
                Stage::Over => return self.failed.take().map(|error| Err(self.failure(error))),
            }
        }
    }

    /// The first route that can be asked, rather one that has a free place.
    fn choose(&mut self) {
        let chosen = self.able().find(|(_, route)| route.places.has_free()).or_else(|| self.able().next());
        let Some((index, route)) = chosen.map(|(index, route)| (index, Arc::clone(route))) else {
            if self.failed.is_none() {
                let error = refusal(&self.routes).error;
                tracing::warn!(%error, "there is no provider to ask");
                self.failed = Some(error);
            }
            return;
        };
        match route.enter() {
            Ok(pass) => {
                route.budget.deposit();
                if self.failed.is_some() {
                    self.tell_retry(&route);
                }
                self.enters(index, route, pass, 1);
            }
            // Another call took the only place of a probe in between.
            Err(_) => self.stage = Stage::Choose,
        }
    }

    fn enters(&mut self, index: usize, route: Arc<Route>, pass: Pass, attempt: u32) {
        self.stage = Stage::Enter { asked: Asked { index, route, pass, attempt, since: Instant::now() } };
    }

    /// The routes that were not passed and can be asked now.
    fn able(&self) -> impl Iterator<Item = (usize, &Arc<Route>)> {
        let now = Instant::now();
        self.routes.iter().enumerate().filter(move |(index, route)| {
            !self.passed.contains(index) && route.check().is_ok() && now < self.until(route)
        })
    }

    /// Asks another one, if there is any.
    fn pass(&mut self, index: usize) {
        self.passed.push(index);
        self.stage = Stage::Choose;
    }

    async fn again(&mut self, index: usize, attempt: u32, after: Duration) {
        tokio::time::sleep(after).await;
        let Some(route) = self.routes.get(index).cloned() else { return };
        match route.enter() {
            Ok(pass) => self.enters(index, route, pass, attempt),
            Err(_) => self.pass(index),
        }
    }

    fn enter(&mut self, asked: Asked) {
        match asked.route.places.try_take() {
            Some(place) => self.take(asked, place),
            None => match asked.route.places.queue() {
                Some(waiting) => {
                    self.ready.push_back(CallEvent::Status(Status::Queued {
                        position: waiting.position,
                        wait_seconds: None,
                    }));
                    self.stage = Stage::Wait { asked, waiting };
                }
                None => self.pass_on(&asked, ProviderError::Overloaded),
            },
        }
    }

    async fn wait(&mut self, asked: Asked, waiting: Waiting) {
        let limit = asked.route.listed.queue;
        match timeout_at(self.until(&asked.route).min(Instant::now() + limit), waiting.place()).await {
            Ok(Some(place)) => self.take(asked, place),
            Ok(None) => self.pass_on(&asked, ProviderError::Overloaded),
            Err(_) => self.pass_on(&asked, ProviderError::Timeout { phase: Phase::Queue, limit }),
        }
    }

    fn take(&mut self, asked: Asked, place: Place) {
        let asked = Asked { since: Instant::now(), ..asked };
        self.ready.push_back(CallEvent::Asked(Arc::clone(asked.route.provider())));
        self.stage = Stage::Ask { asked, place };
    }

    async fn ask(&mut self, asked: Asked, place: Place) {
        let provider = asked.route.provider();
        let request = (self.build)(provider.as_ref(), self.history);
        match timeout_at(self.until(&asked.route), provider.stream(request)).await {
            Ok(Ok(stream)) => self.stage = Stage::Answering { asked, stream, finished: false, place },
            Ok(Err(error)) => self.fail(asked, error),
            Err(_) => self.fail_late(asked),
        }
    }

    async fn read(&mut self, asked: Asked, mut stream: DeltaStream, finished: bool, place: Place) {
        let until = match finished {
            true => Instant::now() + AFTER_FINISH,
            false => self.until(&asked.route),
        };
        match timeout_at(until, stream.next()).await {
            Ok(Some(Ok(event))) => {
                let finished = finished || matches!(event, ProviderEvent::Finish(_));
                self.ready.push_back(CallEvent::Answer(event));
                self.stage = Stage::Answering { asked, stream, finished, place };
            }
            // After the finish reason nothing is missing but the usage.
            _ if finished && self.committed => asked.pass.succeeded(),
            _ if finished => self.stage = Stage::Ended { asked },
            Ok(Some(Err(error))) => self.fail(asked, error),
            Ok(None) => self.fail(asked, ProviderError::Broken { reason: "it ended before the answer did" }),
            Err(_) => self.fail_late(asked),
        }
    }

    fn fail_late(&mut self, asked: Asked) {
        let limit = asked.route.provider().total_deadline().unwrap_or(FOR_EVER);
        let error = ProviderError::Timeout { phase: Phase::Total, limit };
        // Others, or the queue, took the most of the time.
        if !self.committed && asked.since.elapsed() < limit / 2 {
            return self.pass_on(&asked, error);
        }
        self.fail(asked, error);
    }

    /// An attempt failed: says what is done next.
    fn fail(&mut self, mut asked: Asked, error: ProviderError) {
        tracing::warn!(provider = %asked.route.provider().id(), %error, "a call to the provider failed");
        let attempt = asked.attempt;
        match &error {
            _ if self.committed => {
                asked.pass.failed(&error);
                self.failed = Some(error);
            }
            // The provider is well; it is the question that nobody will answer.
            ProviderError::Rejected { .. } => {
                asked.pass.answers();
                self.failed = Some(error);
            }
            ProviderError::ContextTooLong => {
                asked.pass.answers();
                if self.has_history && self.history == History::Full {
                    self.history = History::Less;
                    self.again_here(&asked, attempt, Duration::ZERO);
                }
                self.failed = Some(error);
            }
            ProviderError::Overloaded => self.pass_on(&asked, error),
            _ => {
                let after = self.worth_waiting(&asked, &error);
                match after.filter(|_| attempt < ATTEMPTS && asked.route.budget.withdraw()) {
                    Some(after) => self.again_here(&asked, attempt + 1, after),
                    None => self.pass(asked.index),
                }
                asked.pass.failed(&error);
                self.failed = Some(error);
            }
        }
    }

    fn again_here(&mut self, asked: &Asked, attempt: u32, after: Duration) {
        self.tell_retry(&asked.route);
        self.stage = Stage::Again { index: asked.index, attempt, after };
    }

    fn tell_retry(&mut self, route: &Route) {
        let provider = Some(route.provider().id().clone());
        self.ready.push_back(CallEvent::Status(Status::Retrying { provider }));
    }

    /// Not the provider's fault: nothing is held against it.
    fn pass_on(&mut self, asked: &Asked, error: ProviderError) {
        self.failed = Some(error);
        self.pass(asked.index);
    }

    /// How long to wait before the same provider is asked again; `None` if that would be in vain.
    fn worth_waiting(&self, asked: &Asked, error: &ProviderError) -> Option<Duration> {
        let backoff = Duration::from_millis(fastrand::u64(BACKOFF_MILLIS));
        let after = match error {
            ProviderError::Unavailable { .. } | ProviderError::Broken { .. } => backoff,
            ProviderError::RateLimited { retry_after: Some(wait) }
                if *wait <= WORTH_WAITING && self.able().all(|(index, _)| index == asked.index) =>
            {
                *wait + backoff
            }
            _ => return None,
        };
        (Instant::now() + after < self.until(&asked.route)).then_some(after)
    }

    /// When an attempt at this route has to be over.
    fn until(&self, route: &Route) -> Instant {
        self.started + route.provider().total_deadline().unwrap_or(FOR_EVER).min(FOR_EVER)
    }

    fn failure(&self, error: ProviderError) -> Failure {
        let retry_after = match &error {
            _ if self.committed => None,
            ProviderError::RateLimited { retry_after: Some(wait) } => Some(*wait),
            _ if self.routes.iter().all(|route| route.check().is_err()) => refusal(&self.routes).retry_after,
            _ => None,
        };
        Failure { error, retry_after }
    }
}

/// Why nobody can be asked: what the provider that may be asked again first failed with; if none may, what they say of
/// themselves.
pub(super) fn refusal(routes: &[Arc<Route>]) -> Failure {
    let refusals = routes.iter().filter_map(|route| Some((route, route.check().err()?)));
    let (resting, unusable): (Vec<_>, Vec<_>) = refusals.partition(|(_, refusal)| !refusal.wait.is_zero());
    if let Some((_, first)) = resting.into_iter().min_by_key(|(_, refusal)| refusal.wait) {
        return Failure { error: first.error, retry_after: Some(first.wait) };
    }
    let reasons: Vec<_> = unusable
        .into_iter()
        .filter_map(|(route, _)| match route.provider().state() {
            ProviderState::Unavailable(reason) => Some(format!("{}: {reason}", route.provider().id())),
            ProviderState::Ready | ProviderState::Loading => None,
        })
        .collect();
    let reason = if reasons.is_empty() { "no provider is configured".to_owned() } else { reasons.join("; ") };
    Failure { error: ProviderError::Unavailable { reason }, retry_after: None }
}

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use hitesh_cache::{Cache, CacheKey};
use hitesh_domain::{ErrorCode, IncompleteReason, JournalEvent, LogId, ProviderId, Source, Status, Usage};
use hitesh_llm::{CallEvent, Failure, FinishReason, History, Prices, Provider, ProviderError, ProviderEvent, Router};
use hitesh_persona::{Completeness, StepEvent, StepParser};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{
    answer::CachedAnswer,
    ask::Ask,
    figures::Figures,
    flights::Flights,
    journal::{GenerationEnd, Journal},
    logged::Logged,
};

/// What ends a journal whose task did not come to its end.
pub(crate) const FAILED: GenerationEnd = GenerationEnd::Failed(ErrorCode::Internal);

/// One upstream call's answer. It knows no session and carries no ids.
#[derive(Debug)]
pub(crate) struct Generation {
    pub(crate) journal: Journal,
    /// The provider that is asked now.
    answerer: Mutex<Answerer>,
    /// When it may be worth to ask again, if an upstream said so.
    retry_after: OnceLock<Duration>,
    first_delta: OnceLock<Instant>,
    pub(crate) cancel: CancellationToken,
    /// Its answer is where equal questions find it from now on, if that is to be.
    pub(crate) landed: CancellationToken,
    /// Where its answer comes from, once that is known.
    pub(crate) source: watch::Sender<Option<Source>>,
    /// Its name in the log that other processes read.
    log: Option<LogId>,
    /// Whether that log has it, so far as it was told.
    is_logged: AtomicBool,
}

/// Who answers.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Answerer {
    pub(crate) provider: ProviderId,
    pub(crate) model: String,
}

impl Answerer {
    pub(crate) fn of(provider: &dyn Provider) -> Self {
        Self { provider: provider.id().clone(), model: provider.model().to_owned() }
    }
}

/// What a generation's task works with.
#[derive(Debug)]
pub(crate) struct Upstream {
    pub(crate) ask: Arc<Ask>,
    pub(crate) router: Router,
    pub(crate) figures: Arc<Figures>,
    /// Where a complete answer is kept, and for how long; `None` keeps nothing.
    pub(crate) keep: Option<(Arc<dyn Cache>, Duration)>,
    /// Where it is to be taken off when it has ended, if others may join it.
    pub(crate) flight: Option<(Arc<Flights>, CacheKey)>,
    /// Where it is written for other processes, if there are any.
    pub(crate) logged: Option<Logged>,
    /// The server is about to go.
    pub(crate) cut_off: CancellationToken,
}

impl Generation {
    pub(crate) fn new(asked: Answerer, logged: Option<&Logged>) -> Self {
        // Only one that others may have begun has to look where its answer comes from.
        let source = logged.is_none_or(|logged| !logged.joinable).then_some(Source::Model);
        Self {
            journal: Journal::new(),
            answerer: Mutex::new(asked),
            retry_after: OnceLock::new(),
            first_delta: OnceLock::new(),
            cancel: CancellationToken::new(),
            landed: CancellationToken::new(),
            source: watch::Sender::new(source),
            log: logged.map(|logged| logged.id),
            is_logged: AtomicBool::new(false),
        }
    }

    /// Where its answer comes from. Takes as long as it takes to ask the log, if there is one.
    pub(crate) async fn source(&self) -> Source {
        let known = self.source.subscribe().wait_for(Option::is_some).await.ok().and_then(|source| *source);
        known.unwrap_or(Source::Model)
    }

    /// Its name in the log.
    pub(crate) fn log(&self) -> Option<LogId> {
        self.log
    }

    /// Whether what it has so far is, or is about to be, where other processes find it.
    pub(crate) fn is_logged(&self) -> bool {
        self.is_logged.load(Relaxed)
    }

    pub(crate) fn set_logged(&self, is_logged: bool) {
        self.is_logged.store(is_logged, Relaxed);
    }

    pub(crate) fn set_answerer(&self, answerer: Answerer) {
        *self.answerer.lock() = answerer;
    }

    /// Takes events as another process wrote them.
    pub(crate) fn mirror(&self, events: impl Iterator<Item = JournalEvent>) {
        self.journal.append(events.inspect(|event| {
            if matches!(event, JournalEvent::StepDelta(..) | JournalEvent::ThinkReasoning(_)) {
                self.first_delta.get_or_init(Instant::now);
            }
        }));
    }

    /// The provider that answers, or was asked last.
    pub(crate) fn answerer(&self) -> Answerer {
        self.answerer.lock().clone()
    }

    /// When it may be worth to ask again, if it failed and that is known.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        self.retry_after.get().copied()
    }

    /// When the first piece of the answer came.
    pub(crate) fn first_delta(&self) -> Option<Instant> {
        self.first_delta.get().copied()
    }

    /// Stops the upstream call.
    pub(crate) fn cancel(&self) {
        self.cancel.cancel();
    }

    /// Asks the upstream, and writes the journal as the answer comes.
    pub(crate) async fn answer(&self, upstream: &Upstream) -> Finished {
        let ask = Arc::clone(&upstream.ask);
        let mut call =
            upstream.router.call(ask.has_history(), move |provider, history| ask.prepare(provider, history).request);
        let mut attempt: Option<Attempt<'_>> = None;
        loop {
            match call.next().await {
                Some(Ok(CallEvent::Status(status))) => {
                    // Counted now: the wait for the next one is not its time, and may be the end of all.
                    if matches!(status, Status::Retrying { .. })
                        && let Some(earlier) = attempt.take()
                    {
                        earlier.failed();
                    }
                    self.status(status);
                }
                Some(Ok(CallEvent::Asked(provider))) => {
                    *self.answerer.lock() = Answerer::of(provider.as_ref());
                    attempt = Some(Attempt::new(upstream, provider.as_ref()));
                }
                Some(Ok(CallEvent::Answer(event))) => {
                    if let Some(attempt) = &mut attempt {
                        self.take(attempt, event);
                    }
                    if self.is_visible() {
                        call.commit();
                    }
                }
                None => {
                    let Some(ended) = &mut attempt else { return Finished::part(FAILED) };
                    let completeness = self.close(ended, false);
                    if !self.is_visible() && ended.finish == Some(FinishReason::Stop) {
                        ended.is_failed = true;
                        call.reject("it ended without an answer");
                        continue;
                    }
                    call.commit();
                    let finished = self.judge(None, ended.finish, completeness);
                    ended.is_failed = finished.end != GenerationEnd::Complete;
                    return Finished { cacheable: finished.cacheable && !call.has_less_history(), ..finished };
                }
                Some(Err(Failure { error, retry_after })) => {
                    if let Some(wait) = retry_after {
                        self.retry_after.get_or_init(|| wait);
                    }
                    let Some(ended) = &mut attempt else {
                        return Finished::part(GenerationEnd::Failed(code_of(&error)));
                    };
                    let completeness = self.close(ended, true);
                    ended.is_failed = true;
                    return self.judge(Some(&error), None, completeness);
                }
            }
        }
    }

    /// Turns the upstream's text into journal events as it comes.
    fn take(&self, attempt: &mut Attempt<'_>, event: ProviderEvent) {
        match event {
            ProviderEvent::Delta(text) if attempt.finish.is_none() => {
                let Some(parser) = &mut attempt.parser else { return };
                let events = parser.push(&text);
                let reasons = parser.is_in_reasoning();
                self.append(events);
                self.tell_of_reasoning(&mut attempt.reasons, reasons);
            }
            ProviderEvent::Reasoning(text) => {
                if let Some(parser) = &mut attempt.parser {
                    parser.push_reasoning(&text);
                }
                self.tell_of_reasoning(&mut attempt.reasons, true);
            }
            ProviderEvent::Status(status) => self.status(status),
            ProviderEvent::Usage(counted) => attempt.usage = Some(counted),
            ProviderEvent::Finish(reason) => attempt.finish = attempt.finish.or(Some(reason)),
            ProviderEvent::Delta(_) => {}
        }
    }

    fn status(&self, status: Status) {
        if !self.is_visible() {
            self.journal.append([JournalEvent::Status(status)]);
        }
    }

    /// Whether a word of it has come.
    pub(crate) fn is_visible(&self) -> bool {
        self.first_delta.get().is_some()
    }

    /// No more text comes of this attempt: what its parser held back is shown.
    fn close(&self, attempt: &mut Attempt<'_>, broke_off: bool) -> Completeness {
        let Some(parser) = attempt.parser.take() else { return Completeness::NoOutput };
        let ended = !broke_off && matches!(attempt.finish, Some(FinishReason::Stop | FinishReason::Refusal));
        let (rest, completeness) = parser.finish(ended);
        self.append(rest);
        if self.is_visible() {
            self.journal.append(attempt.usage.map(JournalEvent::Usage));
        }
        completeness
    }

    fn judge(
        &self,
        error: Option<&ProviderError>,
        finish: Option<FinishReason>,
        completeness: Completeness,
    ) -> Finished {
        let came = self.is_visible();
        let part = |reason| {
            Finished::part(if came {
                GenerationEnd::Incomplete(reason)
            } else {
                GenerationEnd::Failed(error.map_or(ErrorCode::Incomplete, code_of))
            })
        };
        match (error, finish, completeness) {
            (Some(ProviderError::Timeout { .. }), _, _) => part(IncompleteReason::Timeout),
            (Some(_), _, _) | (None, None, _) => part(IncompleteReason::Cut),
            (None, Some(FinishReason::Stop), Completeness::Complete) => {
                Finished { end: GenerationEnd::Complete, cacheable: true }
            }
            (None, Some(FinishReason::Refusal | FinishReason::Filtered), Completeness::Complete) => {
                Finished { end: GenerationEnd::Complete, cacheable: false }
            }
            (None, Some(FinishReason::Filtered | FinishReason::Refusal), _) if !came => {
                Finished::part(GenerationEnd::Failed(ErrorCode::ProviderRejected))
            }
            (None, Some(FinishReason::Length), _) => part(IncompleteReason::Length),
            (None, Some(_), Completeness::NoOutput) => part(IncompleteReason::NoOutput),
            (None, Some(_), Completeness::Cut) => part(IncompleteReason::Cut),
        }
    }

    /// Says once that the model reasons, if that is what the readers wait for.
    fn tell_of_reasoning(&self, told: &mut bool, reasons: bool) {
        if reasons && !std::mem::replace(told, true) {
            self.status(Status::Reasoning);
        }
    }

    fn append(&self, events: Vec<StepEvent>) {
        if events.is_empty() {
            return;
        }
        if events.iter().any(|event| matches!(event, StepEvent::Delta(..) | StepEvent::Reasoning(_))) {
            self.first_delta.get_or_init(Instant::now);
        }
        self.journal.append(events.into_iter().map(|event| match event {
            StepEvent::Started(step) => JournalEvent::StepStarted(step),
            StepEvent::Reasoning(text) => JournalEvent::ThinkReasoning(text.into()),
            StepEvent::Delta(step, text) => JournalEvent::StepDelta(step, text.into()),
            StepEvent::Finished(step) => JournalEvent::StepFinished(step, OffsetDateTime::now_utc()),
        }));
    }

    /// Counts how far the complete answer is in character. A refusal is not measured: it is not the persona who speaks.
    pub(crate) fn measure(&self, upstream: &Upstream) {
        let persona = &upstream.ask.persona;
        let transcript = self.journal.transcript(usize::MAX);
        let steps = transcript.steps.iter().map(|record| (record.step, record.own_text()));
        let fidelity = persona.fidelity(upstream.ask.question.as_str(), steps);
        upstream.figures.fidelity(persona.id(), &self.answerer().provider, &fidelity);
    }

    /// Keeps the complete answer under the key of the provider that gave it.
    pub(crate) async fn keep(&self, upstream: &Upstream) {
        let Some((cache, ttl)) = &upstream.keep else { return };
        let Answerer { provider, model } = self.answerer();
        let Some(answered) = upstream.router.listed(&provider) else { return };
        let key = upstream.ask.prepare(answered.provider.as_ref(), History::Full).key;
        let answer = CachedAnswer {
            provider,
            model,
            transcript: self.journal.transcript(usize::MAX).coalesced(OffsetDateTime::now_utc()),
        };
        let Some(bytes) = answer.encode() else { return };
        if let Err(error) = cache.put(&key, bytes, *ttl).await {
            tracing::warn!(%error, "the answer was not cached");
        }
    }
}

/// How a generation ended, and whether its answer may be kept.
pub(crate) struct Finished {
    pub(crate) end: GenerationEnd,
    pub(crate) cacheable: bool,
}

impl Finished {
    pub(crate) fn part(end: GenerationEnd) -> Self {
        Self { end, cacheable: false }
    }
}

/// One provider's attempt at the answer. It is counted however it ends; one that was stopped because nobody wanted it any
/// more has not failed.
struct Attempt<'f> {
    figures: &'f Figures,
    provider: ProviderId,
    prices: Option<Prices>,
    started: Instant,
    /// None once no more text comes.
    parser: Option<StepParser>,
    /// Its readers were told that the model reasons.
    reasons: bool,
    usage: Option<Usage>,
    finish: Option<FinishReason>,
    is_failed: bool,
}

impl<'f> Attempt<'f> {
    fn new(upstream: &'f Upstream, provider: &dyn Provider) -> Self {
        let listed = upstream.router.listed(provider.id());
        Self {
            figures: &upstream.figures,
            provider: provider.id().clone(),
            prices: listed.and_then(|listed| listed.prices),
            started: Instant::now(),
            parser: Some(upstream.ask.parser(provider, listed.and_then(|listed| listed.reasons))),
            reasons: false,
            usage: None,
            finish: None,
            is_failed: false,
        }
    }

    fn failed(mut self) {
        self.is_failed = true;
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        let usage = self.usage.unwrap_or_default();
        let cost = self.prices.map_or(0.0, |prices| prices.cost(usage));
        self.figures.provider_call(&self.provider, self.started.elapsed(), !self.is_failed, usage, cost);
    }
}

/// The code that a caller is told when nothing of an answer came.
pub(crate) fn code_of(error: &ProviderError) -> ErrorCode {
    match error {
        ProviderError::RateLimited { .. } | ProviderError::Unavailable { .. } | ProviderError::Misconfigured { .. } => {
            ErrorCode::ProviderUnavailable
        }
        ProviderError::Overloaded => ErrorCode::Overloaded,
        ProviderError::Unauthorized => ErrorCode::ProviderUnauthorized,
        ProviderError::Rejected { .. } | ProviderError::ContextTooLong => ErrorCode::ProviderRejected,
        ProviderError::Timeout { .. } => ErrorCode::ProviderTimeout,
        ProviderError::Broken { .. } => ErrorCode::Incomplete,
    }
}

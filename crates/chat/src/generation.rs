use std::{
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use futures::StreamExt;
use hitesh_cache::{Cache, CacheKey};
use hitesh_domain::{ErrorCode, IncompleteReason, JournalEvent, ProviderId, Usage};
use hitesh_llm::{Answering, FinishReason, Provider, ProviderError, ProviderEvent, Router};
use hitesh_persona::{Completeness, StepEvent, StepParser};
use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;

use crate::{
    answer::CachedAnswer,
    ask::Ask,
    figures::Figures,
    flights::Flights,
    journal::{GenerationEnd, Journal},
};

/// How long an upstream that has said its finish reason may take to say its usage and close.
const AFTER_FINISH: Duration = Duration::from_secs(2);

/// One upstream call's answer. It knows no session and carries no ids.
#[derive(Debug)]
pub(crate) struct Generation {
    pub(crate) journal: Journal,
    /// The provider that is asked first.
    asked: Answerer,
    /// The provider that accepted.
    answered: OnceLock<Answerer>,
    first_delta: OnceLock<Instant>,
    cancel: CancellationToken,
}

/// Who answers.
#[derive(Debug, Clone)]
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
    pub(crate) router: Arc<Router>,
    pub(crate) figures: Arc<Figures>,
    /// Where a complete answer is kept, and for how long; `None` keeps nothing.
    pub(crate) keep: Option<(Arc<dyn Cache>, Duration)>,
    /// Where it is to be taken off when it has ended, if others may join it.
    pub(crate) flight: Option<(Arc<Flights>, CacheKey)>,
}

impl Generation {
    pub(crate) fn new(asked: Answerer) -> Self {
        Self {
            journal: Journal::new(),
            asked,
            answered: OnceLock::new(),
            first_delta: OnceLock::new(),
            cancel: CancellationToken::new(),
        }
    }

    pub(crate) fn answerer(&self) -> &Answerer {
        self.answered.get().unwrap_or(&self.asked)
    }

    /// When the first piece of the answer came.
    pub(crate) fn first_delta(&self) -> Option<Instant> {
        self.first_delta.get().copied()
    }

    /// Stops the upstream call.
    pub(crate) fn cancel(&self) {
        self.cancel.cancel();
    }

    /// Asks the upstream and writes the journal until it ends or nobody wants it any more. A complete answer is in
    /// the cache before others can no longer join it, so an equal question is never asked twice in between.
    pub(crate) async fn run(self: Arc<Self>, upstream: Upstream) {
        let mut landing =
            Landing { generation: &self, upstream: &upstream, end: GenerationEnd::Failed(ErrorCode::Internal) };
        let end = tokio::select! {
            biased;
            () = self.cancel.cancelled() => Finished::part(GenerationEnd::Incomplete(IncompleteReason::ReaderLeft)),
            end = self.answer(&upstream) => end,
        };
        if end.cacheable {
            self.measure(&upstream);
            self.keep(&upstream).await;
        }
        landing.end = end.end;
    }

    async fn answer(&self, upstream: &Upstream) -> Finished {
        let mut call = Call { upstream, provider: self.asked.provider.clone(), started: Instant::now(), failed: false };
        let answering = upstream.router.stream(|provider| upstream.ask.prepare(provider).request).await;
        let mut answering = match answering {
            Ok(answering) => answering,
            Err(error) => {
                tracing::warn!(provider = %self.asked.provider, %error, "no provider accepted the question");
                call.failed = true;
                return Finished::part(GenerationEnd::Failed(failure(&error)));
            }
        };
        let answerer = self.answered.get_or_init(|| Answerer::of(answering.provider.as_ref()));
        call.provider.clone_from(&answerer.provider);
        let finished = self.write(&mut answering, &upstream.figures).await;
        call.failed = finished.end != GenerationEnd::Complete;
        finished
    }

    /// Turns the upstream's text into journal events as it comes.
    async fn write(&self, answering: &mut Answering, figures: &Figures) -> Finished {
        let mut parser = StepParser::new(answering.provider.step_format());
        let mut usage: Option<Usage> = None;
        let mut finish = None;
        let mut error = None;
        while let Some(event) = next_event(answering, finish.is_some()).await {
            match event {
                Ok(ProviderEvent::Delta(text)) if finish.is_none() => self.append(parser.push(&text)),
                Ok(ProviderEvent::Status(status)) if self.first_delta.get().is_none() => {
                    self.journal.append([JournalEvent::Status(status)]);
                }
                Ok(ProviderEvent::Usage(counted)) => usage = Some(counted),
                Ok(ProviderEvent::Finish(reason)) => finish = finish.or(Some(reason)),
                Ok(ProviderEvent::Delta(_) | ProviderEvent::Status(_) | ProviderEvent::Reasoning(_)) => {}
                Err(failed) => {
                    // After the finish reason nothing is missing but the usage.
                    error = finish.is_none().then_some(failed);
                    break;
                }
            }
        }
        let (rest, completeness) = parser.finish(matches!(finish, Some(FinishReason::Stop | FinishReason::Refusal)));
        self.append(rest);
        self.journal.append(usage.map(JournalEvent::Usage));
        usage.into_iter().for_each(|usage| figures.usage(usage));
        if let Some(error) = &error {
            tracing::warn!(provider = %answering.provider.id(), %error, "the answer broke off");
        }
        self.judge(error.as_ref(), finish, completeness)
    }

    fn judge(
        &self,
        error: Option<&ProviderError>,
        finish: Option<FinishReason>,
        completeness: Completeness,
    ) -> Finished {
        let came = self.first_delta.get().is_some();
        let part = |reason| {
            Finished::part(if came {
                GenerationEnd::Incomplete(reason)
            } else {
                GenerationEnd::Failed(error.map_or(ErrorCode::Incomplete, failure))
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
            (None, Some(FinishReason::Filtered), _) if !came => {
                Finished::part(GenerationEnd::Failed(ErrorCode::ProviderRejected))
            }
            (None, Some(FinishReason::Length), _) => part(IncompleteReason::Length),
            (None, Some(_), Completeness::NoOutput) => part(IncompleteReason::NoOutput),
            (None, Some(_), Completeness::Cut) => part(IncompleteReason::Cut),
        }
    }

    fn append(&self, events: Vec<StepEvent>) {
        if events.is_empty() {
            return;
        }
        if events.iter().any(|event| matches!(event, StepEvent::Delta(..))) {
            self.first_delta.get_or_init(Instant::now);
        }
        self.journal.append(events.into_iter().map(|event| match event {
            StepEvent::Started(step) => JournalEvent::StepStarted(step),
            StepEvent::Delta(step, text) => JournalEvent::StepDelta(step, text.into()),
            StepEvent::Finished(step) => JournalEvent::StepFinished(step, OffsetDateTime::now_utc()),
        }));
    }

    /// Counts how far the complete answer is in character. A refusal is not measured: it is not the persona who speaks.
    fn measure(&self, upstream: &Upstream) {
        let persona = &upstream.ask.persona;
        let transcript = self.journal.transcript(usize::MAX);
        let steps = transcript.steps.iter().map(|record| (record.step, record.content.as_str()));
        let fidelity = persona.fidelity(upstream.ask.question.as_str(), steps);
        upstream.figures.fidelity(persona.id(), &self.answerer().provider, &fidelity);
    }

    /// Keeps the complete answer under the key of the provider that gave it.
    async fn keep(&self, upstream: &Upstream) {
        let (Some((cache, ttl)), Some(answerer)) = (&upstream.keep, self.answered.get()) else { return };
        let Some(provider) = upstream.router.providers().iter().find(|p| *p.id() == answerer.provider) else { return };
        let key = upstream.ask.prepare(provider.as_ref()).key;
        let answer = CachedAnswer {
            provider: answerer.provider.clone(),
            model: answerer.model.clone(),
            transcript: self.journal.transcript(usize::MAX).coalesced(OffsetDateTime::now_utc()),
        };
        let Some(bytes) = answer.encode() else { return };
        if let Err(error) = cache.put(&key, bytes, *ttl).await {
            tracing::warn!(%error, "the answer was not cached");
        }
    }
}

/// How a generation ended, and whether its answer may be kept.
struct Finished {
    end: GenerationEnd,
    cacheable: bool,
}

impl Finished {
    fn part(end: GenerationEnd) -> Self {
        Self { end, cacheable: false }
    }
}

/// Counts an upstream call however it ends. One that was stopped because nobody wanted it any more has not failed.
struct Call<'a> {
    upstream: &'a Upstream,
    provider: ProviderId,
    started: Instant,
    failed: bool,
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        self.upstream.figures.provider_call(&self.provider, self.started.elapsed(), !self.failed);
    }
}

/// Ends the journal however its task ends, so that no turn waits for ever: also when it panics.
struct Landing<'a> {
    generation: &'a Arc<Generation>,
    upstream: &'a Upstream,
    end: GenerationEnd,
}

impl Drop for Landing<'_> {
    fn drop(&mut self) {
        if let Some((flights, key)) = &self.upstream.flight {
            flights.land(*key, self.generation);
        }
        self.generation.journal.end(self.end);
    }
}

async fn next_event(answering: &mut Answering, finished: bool) -> Option<Result<ProviderEvent, ProviderError>> {
    if finished {
        tokio::time::timeout(AFTER_FINISH, answering.stream.next()).await.ok().flatten()
    } else {
        answering.stream.next().await
    }
}

/// The code that a caller is told when nothing of an answer came.
fn failure(error: &ProviderError) -> ErrorCode {
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

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use hitesh_cache::{Cache, CacheKey};
use hitesh_domain::{Owner, SessionId, Source, TurnId, TurnInfo};
use hitesh_llm::{Provider, ProviderError, Router};
use hitesh_sessions::{Claim, Context, NewTurn, Page, SessionStore, StoreError, StoredTurn};
use time::OffsetDateTime;
use tokio::runtime::Handle;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    answer::CachedAnswer,
    ask::{Ask, Prepared, prompt_size},
    error::EngineError,
    figures::{CacheFigures, Figures, Performance, mean, share},
    flights::{Flights, Wish},
    generation::{Answerer, Generation, Upstream},
    health::{Health, ProviderHealth},
    idempotency::{Beginnings, digest},
    live::LiveTurn,
    personas::Personas,
    registry::{Admission, Limits, Registry},
    request::{CachePolicy, TurnRequest},
    runner::Runner,
    turn::{Snapshot, Turn},
};

/// How long health waits for the session store.
const HEALTH_PATIENCE: Duration = Duration::from_secs(1);
/// How long turns that were told to end at shutdown may take to store it.
const DRAIN_END: Duration = Duration::from_secs(6);

/// Answers questions. A cheap handle; all clones are one engine.
#[derive(Debug, Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

/// What an engine is made of.
#[derive(Debug)]
pub struct EngineParts {
    /// Who answers.
    pub personas: Personas,
    /// The models, in their order of preference.
    pub router: Router,
    /// Where complete answers are kept for a while.
    pub cache: Arc<dyn Cache>,
    /// Where sessions live.
    pub store: Arc<dyn SessionStore>,
    /// Numbers.
    pub settings: EngineSettings,
    /// The main runtime: turns outlive the worker that began them.
    pub runtime: Handle,
}

/// Numbers that an operator may set.
#[derive(Debug, Clone)]
pub struct EngineSettings {
    /// How long a turn goes on without a reader.
    pub disconnect_grace: Duration,
    /// At most so many messages of a session go into a prompt.
    pub max_history_messages: usize,
    /// At most so many turns at once.
    pub max_in_flight: usize,
    /// At most so many of them in one session.
    pub max_per_session: usize,
    /// How long an answer is kept in the cache.
    pub cache_ttl: Duration,
    /// How long a turn's begin and its end wait for a session store that is away.
    pub store_patience: Duration,
}

impl Default for EngineSettings {
    fn default() -> Self {
        Self {
            disconnect_grace: Duration::from_secs(15),
            max_history_messages: 10,
            max_in_flight: 4096,
            max_per_session: 4,
            cache_ttl: Duration::from_secs(3600),
            store_patience: Duration::from_secs(5),
        }
    }
}

#[derive(Debug)]
struct Inner {
    personas: Personas,
    router: Arc<Router>,
    cache: Arc<dyn Cache>,
    store: Arc<dyn SessionStore>,
    settings: EngineSettings,
    runtime: Handle,
    tasks: TaskTracker,
    registry: Arc<Registry>,
    flights: Arc<Flights>,
    figures: Arc<Figures>,
    beginnings: Beginnings,
    /// No new turns begin.
    draining: CancellationToken,
    /// Turns that still run are to end now.
    cut_off: CancellationToken,
}

impl Engine {
    /// An engine of these parts. Nothing is asked or stored yet.
    pub fn new(parts: EngineParts) -> Self {
        let EngineParts { personas, router, cache, store, settings, runtime } = parts;
        let limits = Limits { in_flight: settings.max_in_flight, per_session: settings.max_per_session };
        let inner = Inner {
            personas,
            router: Arc::new(router),
            cache,
            store,
            settings,
            runtime,
            tasks: TaskTracker::new(),
            registry: Arc::new(Registry::new(limits)),
            flights: Arc::default(),
            figures: Arc::new(Figures::new()),
            beginnings: Beginnings::default(),
            draining: CancellationToken::new(),
            cut_off: CancellationToken::new(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Begins a turn, or finds the one that the same idempotency key began. It goes on when the caller is dropped, as
    /// long as its grace time.
    ///
    /// # Errors
    /// Before the turn exists. What happens after that is the turn's [`End`](hitesh_domain::End).
    pub async fn start(&self, request: TurnRequest) -> Result<Turn, EngineError> {
        let inner = Arc::clone(&self.inner);
        // A task of its own: a caller that is dropped halfway leaves no turn half begun.
        let begun = self.inner.tasks.spawn_on(async move { inner.start(request).await }, &self.inner.runtime);
        begun.await.unwrap_or(Err(EngineError::Internal))
    }

    /// A turn of this owner, live or from the store.
    pub async fn turn(&self, owner: &Owner, id: TurnId) -> Result<Option<Turn>, EngineError> {
        self.inner.turn(owner, id).await
    }

    /// Ends a turn and waits until that is stored; one that has ended stays as it is. `None`: there is no such turn.
    pub async fn stop(&self, owner: &Owner, id: TurnId) -> Result<Option<Snapshot>, EngineError> {
        if let Some(live) = self.inner.registry.get(owner, id) {
            live.stop.cancel();
        }
        let Some(turn) = self.inner.turn(owner, id).await? else { return Ok(None) };
        Ok(Some(turn.ended().await))
    }

    /// A page of a session's turns, oldest first.
    pub async fn history(
        &self,
        owner: &Owner,
        session: &SessionId,
        page: Page,
    ) -> Result<Vec<StoredTurn>, EngineError> {
        let mut turns = self.inner.patient(self.inner.store.history(owner, session, page)).await?;
        for turn in turns.iter_mut().filter(|turn| turn.outcome.is_none()) {
            // One that is open in the store may have ended since, or its end may not be stored yet.
            if let Some(known) = self.inner.turn(owner, turn.info.turn).await? {
                turn.outcome = known.snapshot().outcome();
            }
        }
        Ok(turns)
    }

    /// Forgets a session and stops its turns; whether there was anything.
    pub async fn erase(&self, owner: &Owner, session: &SessionId) -> Result<bool, EngineError> {
        let mut live = self.inner.registry.of_session(owner, session);
        let stored = self.inner.patient(self.inner.store.erase(owner, session)).await?;
        // A turn that was about to begin may have been erased with the others.
        live.extend(self.inner.registry.of_session(owner, session));
        for turn in &live {
            turn.stop.cancel();
        }
        Ok(stored || !live.is_empty())
    }

    /// Forgets the turns that ended longer than `retention` ago (`None`: none), and idempotency keys that are over
    /// 24 h old; how many turns.
    pub async fn sweep(&self, retention: Option<Duration>) -> Result<u64, EngineError> {
        let now = OffsetDateTime::now_utc();
        let older_than = retention.map_or(OffsetDateTime::UNIX_EPOCH, |retention| now - retention);
        Ok(self.inner.store.sweep(older_than).await?)
    }

    /// Who answers.
    pub fn personas(&self) -> &Personas {
        &self.inner.personas
    }

    /// Empties the response cache; how many entries it had.
    pub async fn clear_cache(&self) -> Result<u64, EngineError> {
        self.inner.cache.clear().await.map_err(|error| {
            tracing::error!(%error, "the cache could not be cleared");
            EngineError::CacheUnavailable
        })
    }

    /// The response cache's figures.
    pub async fn cache_stats(&self) -> CacheFigures {
        let stats = self.inner.cache.stats().await;
        let lookups = stats.hits + stats.misses;
        CacheFigures {
            backend: stats.backend,
            cache_size: stats.entries,
            cache_hit_rate: share(stats.hits, lookups),
            hits: stats.hits,
            misses: stats.misses,
            avg_response_time: mean(stats.lookup_time, lookups),
            total_requests: lookups,
        }
    }

    /// The engine's figures.
    pub fn performance(&self) -> Performance {
        let states = self.inner.router.providers().iter().map(|provider| (provider.id().clone(), provider.state()));
        self.inner.figures.performance(self.inner.registry.active_sessions(), states)
    }

    /// How the engine and what it depends on are. Takes at most a second.
    pub async fn health(&self) -> Health {
        let store = match tokio::time::timeout(HEALTH_PATIENCE, self.inner.store.stats()).await {
            Ok(Ok(stats)) => Ok(stats.backend),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err(format!("the session store gave no answer within {HEALTH_PATIENCE:?}")),
        };
        let providers = self.inner.router.providers().iter().map(|provider| ProviderHealth {
            id: provider.id().clone(),
            model: provider.model().to_owned(),
            state: provider.state(),
        });
        Health {
            draining: self.is_draining(),
            providers: providers.collect(),
            store_backend: store.as_ref().copied().unwrap_or("unavailable"),
            store: store.map(|_| ()),
            cache_backend: self.inner.cache.stats().await.backend,
        }
    }

    /// Prepares every provider for the default persona's prompts. For the start, in the background.
    ///
    /// # Errors
    /// Each provider that could not be prepared, with why.
    pub async fn warm_up(&self) -> Vec<(hitesh_domain::ProviderId, ProviderError)> {
        let mut failed = Vec::new();
        let Some(persona) = self.inner.personas.get(None) else { return failed };
        for provider in self.inner.router.providers() {
            let prefix = persona.prefix(provider.step_format(), prompt_size(provider.as_ref()));
            if let Err(error) = provider.warm_up(&prefix).await {
                failed.push((provider.id().clone(), error));
            }
        }
        failed
    }

    /// Whether it takes no new turns any more.
    pub fn is_draining(&self) -> bool {
        self.inner.draining.is_cancelled()
    }

    /// Takes no new turns from now on; those that run go on.
    pub fn begin_drain(&self) {
        self.inner.draining.cancel();
    }

    /// Lets go of the session store. For after [`drain`](Self::drain). Takes at most as long as the store is waited for.
    pub async fn close(&self) {
        if tokio::time::timeout(self.inner.settings.store_patience, self.inner.store.close()).await.is_err() {
            tracing::error!("the session store did not close in time");
        }
    }

    /// Takes no new turns, gives those that run `limit` to end, then ends them as `Incomplete(drained)`. When it
    /// returns, every turn has its end and that is stored.
    pub async fn drain(&self, limit: Duration) {
        self.begin_drain();
        self.inner.tasks.close();
        if tokio::time::timeout(limit, self.inner.tasks.wait()).await.is_err() {
            self.inner.cut_off.cancel();
            if tokio::time::timeout(DRAIN_END, self.inner.tasks.wait()).await.is_err() {
                tracing::error!(tasks = self.inner.tasks.len(), "some turns did not end in time");
            }
        }
    }
}

impl Inner {
    async fn start(self: &Arc<Self>, request: TurnRequest) -> Result<Turn, EngineError> {
        let Some(key) = request.idempotency.clone() else { return self.begin(request, TurnId::now()).await };
        let owner = request.owner.clone();
        let work = async {
            let digest = digest(&request);
            let claim = Claim { key: key.clone(), digest, turn: TurnId::now() };
            let bound = self.patient(self.store.claim(&owner, claim)).await?;
            if bound.digest != digest {
                return Err(EngineError::IdempotencyConflict);
            }
            match self.turn(&owner, bound.turn).await? {
                Some(turn) if turn.is_worth_repeating() => Ok(turn),
                // It came to nothing, and the caller asks again: that is a new turn.
                Some(_) => {
                    let bound = self.patient(self.store.rebind(&owner, bound, TurnId::now())).await?;
                    self.begin(request, bound.turn).await
                }
                // The key is new, or what it was bound to never began: this request is that turn.
                None => self.begin(request, bound.turn).await,
            }
        };
        self.beginnings.alone(&owner, &key, work).await
    }

    async fn begin(self: &Arc<Self>, request: TurnRequest, id: TurnId) -> Result<Turn, EngineError> {
        if self.draining.is_cancelled() {
            return Err(EngineError::Draining);
        }
        let started = Instant::now();
        let started_at = OffsetDateTime::now_utc();
        let persona = self.personas.get(request.persona.as_ref()).ok_or(EngineError::PersonaUnknown)?;
        let known = request.session.filter(|_| request.store);
        let context_of = known.clone();
        let session = known.unwrap_or_else(SessionId::random);
        let admission = self.registry.admit(&request.owner, &session)?;
        let context = match &context_of {
            None => Context::default(),
            Some(session) => {
                let turns = self.settings.max_history_messages.div_ceil(2);
                self.patient(self.store.context(&request.owner, session, turns)).await?
            }
        };
        let ask = Arc::new(Ask {
            owner: request.owner.clone(),
            persona: Arc::clone(persona),
            question: request.content.clone(),
            context,
            max_history_messages: self.settings.max_history_messages,
        });
        // With every provider away, an answer that exists can still be given.
        let available = self.router.first_available();
        let asked = available.or(self.router.providers().first()).ok_or_else(|| self.nobody())?;
        let prepared = ask.prepare(asked.as_ref());
        let mut turn = NewTurn {
            owner: request.owner,
            info: TurnInfo {
                turn: id,
                session,
                persona: persona.id().clone(),
                provider: asked.id().clone(),
                model: asked.model().to_owned(),
                source: Source::Model,
                started_at,
            },
            question: request.content,
            notes: prepared.notes.clone(),
        };
        if request.cache == CachePolicy::Use
            && let Some(answer) = self.cached(&prepared.key).await
        {
            return self.answer_from_cache(turn, answer, request.store, started).await;
        }
        if available.is_none() {
            return Err(self.nobody());
        }
        let (wish, joined) = self.generation(request.cache, ask, asked.as_ref(), &prepared);
        if joined {
            turn.info.source = Source::Joined;
        }
        self.run(turn, wish, admission, request.store, started).await
    }

    /// Begins the turn in the store and hands it to its task.
    async fn run(
        self: &Arc<Self>,
        turn: NewTurn,
        wish: Wish,
        admission: Admission,
        stored: bool,
        started: Instant,
    ) -> Result<Turn, EngineError> {
        let live =
            Arc::new(LiveTurn::new(turn.info.clone(), turn.owner.clone(), turn.question.clone(), &wish, started));
        // Before the store has it: whoever erases the session finds it here or there.
        self.registry.insert(Arc::clone(&live));
        let store = match stored {
            false => None,
            true => match self.store.begin(turn).await {
                Ok(durable) => Some((Arc::clone(&self.store), durable)),
                Err(error) => {
                    self.registry.remove(live.info.turn);
                    return Err(error.into());
                }
            },
        };
        let handle = Turn::live(Arc::clone(&live), Arc::clone(&self.figures));
        let runner = Runner {
            live,
            wish,
            admission,
            registry: Arc::clone(&self.registry),
            figures: Arc::clone(&self.figures),
            store,
            draining: self.draining.clone(),
            cut_off: self.cut_off.clone(),
            grace: self.settings.disconnect_grace,
            patience: self.settings.store_patience,
        };
        self.tasks.spawn_on(runner.run(), &self.runtime);
        Ok(handle)
    }

    /// The generation that this turn follows: a new one, or an equal question's that is being answered.
    fn generation(
        &self,
        policy: CachePolicy,
        ask: Arc<Ask>,
        asked: &dyn Provider,
        prepared: &Prepared,
    ) -> (Wish, bool) {
        let make = |flight| {
            let generation = Arc::new(Generation::new(Answerer::of(asked)));
            let upstream = Upstream {
                ask,
                router: Arc::clone(&self.router),
                figures: Arc::clone(&self.figures),
                keep: (policy != CachePolicy::Off).then(|| (Arc::clone(&self.cache), self.settings.cache_ttl)),
                flight,
            };
            self.tasks.spawn_on(Arc::clone(&generation).run(upstream), &self.runtime);
            generation
        };
        match policy {
            CachePolicy::Use => {
                let flight = (Arc::clone(&self.flights), prepared.key);
                self.flights.join_or_begin(prepared.key, || make(Some(flight)))
            }
            CachePolicy::Bypass | CachePolicy::Off => (Wish::alone(make(None)), false),
        }
    }

    async fn cached(&self, key: &CacheKey) -> Option<CachedAnswer> {
        match self.cache.get(key).await {
            Ok(bytes) => CachedAnswer::decode(&bytes?),
            Err(error) => {
                tracing::warn!(%error, "the cache gave nothing");
                None
            }
        }
    }

    async fn answer_from_cache(
        &self,
        mut turn: NewTurn,
        answer: CachedAnswer,
        stored: bool,
        started: Instant,
    ) -> Result<Turn, EngineError> {
        let outcome = answer.outcome(OffsetDateTime::now_utc());
        turn.info.source = Source::Cache;
        turn.info.provider = outcome.provider.clone();
        turn.info.model.clone_from(&outcome.model);
        if stored {
            self.patient(self.store.record(turn.clone(), outcome.clone())).await?;
        }
        let took = started.elapsed();
        self.figures.turn(outcome.end, Source::Cache, took, Some(took));
        let owner = turn.owner.clone();
        let snapshot = Snapshot::of_record(turn, outcome);
        if !stored {
            self.keep(owner, snapshot.clone());
        }
        Ok(Turn::over(snapshot, Arc::clone(&self.figures)))
    }

    /// Nobody can replay it from the store: it stays in memory for a reader that comes back.
    fn keep(&self, owner: Owner, snapshot: Snapshot) {
        let id = snapshot.info.turn;
        self.registry.keep(owner, snapshot);
        let (registry, draining) = (Arc::clone(&self.registry), self.draining.clone());
        let grace = self.settings.disconnect_grace;
        let forget = async move {
            tokio::select! { () = draining.cancelled() => {}, () = tokio::time::sleep(grace) => {} }
            registry.forget(id);
        };
        self.tasks.spawn_on(forget, &self.runtime);
    }

    async fn turn(&self, owner: &Owner, id: TurnId) -> Result<Option<Turn>, EngineError> {
        let figures = || Arc::clone(&self.figures);
        if let Some(live) = self.registry.get(owner, id) {
            return Ok(Some(Turn::live(live, figures())));
        }
        if let Some(snapshot) = self.registry.kept(owner, id) {
            return Ok(Some(Turn::over(Snapshot::clone(&snapshot), figures())));
        }
        let stored = self.patient(self.store.turn(owner, id)).await?;
        Ok(stored.map(|turn| Turn::over(Snapshot::of_stored(turn), figures())))
    }

    /// The store's answer, if it comes in time.
    async fn patient<T>(&self, work: impl Future<Output = Result<T, StoreError>>) -> Result<T, EngineError> {
        let limit = self.settings.store_patience;
        match tokio::time::timeout(limit, work).await {
            Ok(result) => Ok(result?),
            Err(_) => Err(StoreError::Unavailable { reason: format!("no answer within {limit:?}") }.into()),
        }
    }

    fn nobody(&self) -> EngineError {
        EngineError::ProviderUnavailable { reason: self.router.why_unavailable() }
    }
}

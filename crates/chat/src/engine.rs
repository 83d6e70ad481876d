use std::{sync::Arc, time::Duration};

use hitesh_cache::Cache;
use hitesh_domain::{Feedback, Owner, SessionId, TurnId};
use hitesh_llm::{BoardError, BreakerBoard, Listed, ProviderError, Router};
use hitesh_sessions::{Page, SessionStore, StoredTurn};
use hitesh_turnlog::TurnLog;
use time::OffsetDateTime;
use tokio::runtime::Handle;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    ask::prompt_size,
    elsewhere::orphaned,
    error::EngineError,
    figures::{CacheFigures, Figures, Performance, Recent, mean, share},
    flights::Flights,
    health::Health,
    idempotency::Beginnings,
    personas::Personas,
    registry::{Limits, Registry},
    request::{ReplaceRequest, TurnRequest},
    setup::CurrentSetup,
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
    /// Where processes that share the store read each other's generations; none if there are no others.
    pub log: Option<Arc<dyn TurnLog>>,
    /// Numbers.
    pub settings: EngineSettings,
    /// The main runtime: turns outlive the worker that began them.
    pub runtime: Handle,
}

/// Numbers that an operator may set.
#[derive(Debug, Clone)]
pub struct EngineSettings {
    /// How long a turn without a reader goes on before it is stopped; also how long one that is not stored can be read
    /// after its end.
    pub disconnect_grace: Duration,
    /// Whether a turn without a reader is stopped.
    pub on_disconnect: OnDisconnect,
    /// At most so many messages of a session go into a prompt.
    pub max_history_messages: usize,
    /// At most so many turns at once.
    pub max_in_flight: usize,
    /// At most so many questions wait for a place among them; two seconds at most.
    pub max_queued: usize,
    /// At most so many of them in one session.
    pub max_per_session: usize,
    /// How long an answer is kept in the cache.
    pub cache_ttl: Duration,
    /// How long a turn's begin and its end wait for a session store that is away.
    pub store_patience: Duration,
}

/// What becomes of a turn whose last reader has left.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OnDisconnect {
    /// It is stopped, unless a reader comes back within the grace time. What came is kept.
    #[default]
    Stop,
    /// It goes on to its end.
    Finish,
}

impl Default for EngineSettings {
    fn default() -> Self {
        Self {
            disconnect_grace: Duration::from_secs(15),
            on_disconnect: OnDisconnect::default(),
            max_history_messages: 10,
            max_in_flight: 4096,
            max_queued: 64,
            max_per_session: 4,
            cache_ttl: Duration::from_secs(3600),
            store_patience: Duration::from_secs(5),
        }
    }
}

/// What all handles share. How a turn begins is in `begin.rs`.
#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) setup: CurrentSetup,
    pub(crate) cache: Arc<dyn Cache>,
    pub(crate) store: Arc<dyn SessionStore>,
    pub(crate) log: Option<Arc<dyn TurnLog>>,
    pub(crate) settings: EngineSettings,
    pub(crate) runtime: Handle,
    pub(crate) tasks: TaskTracker,
    pub(crate) registry: Arc<Registry>,
    pub(crate) flights: Arc<Flights>,
    pub(crate) figures: Arc<Figures>,
    pub(crate) beginnings: Beginnings,
    /// No new turns begin.
    pub(crate) draining: CancellationToken,
    /// Turns that still run are to end now.
    pub(crate) cut_off: CancellationToken,
}

impl Engine {
    /// An engine of these parts. Nothing is asked or stored yet.
    pub fn new(parts: EngineParts) -> Self {
        let EngineParts { personas, router, cache, store, log, settings, runtime } = parts;
        let limits = Limits {
            in_flight: settings.max_in_flight,
            per_session: settings.max_per_session,
            queue: settings.max_queued,
        };
        let inner = Inner {
            setup: CurrentSetup::new(personas, router),
            cache,
            store,
            log,
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
        let begun = self.inner.tasks.spawn_on(async move { inner.start(request, None).await }, &self.inner.runtime);
        begun.await.unwrap_or(Err(EngineError::Internal))
    }

    /// Begins a turn in the place of one that has ended, in the light of the turns before that place. The model is asked
    /// anew, whatever the cache has. The new turn takes effect when it ends with some `output`; until then, and if it ends
    /// without any, the old one counts. Goes on as one that was [started](Self::start).
    ///
    /// # Errors
    /// As of `start`, and `TurnNotFound` or `TurnRunning`.
    pub async fn start_replacement(&self, request: ReplaceRequest) -> Result<Turn, EngineError> {
        let inner = Arc::clone(&self.inner);
        let begun =
            self.inner.tasks.spawn_on(async move { inner.start_replacement(request).await }, &self.inner.runtime);
        begun.await.unwrap_or(Err(EngineError::Internal))
    }

    /// Keeps what the learner thinks of a turn that has ended, in place of what was kept before; `None` takes it back.
    /// Durable when it returns.
    ///
    /// # Errors
    /// `TurnNotFound`, `TurnRunning` or `StoreUnavailable`.
    pub async fn feedback(&self, owner: &Owner, id: TurnId, feedback: Option<Feedback>) -> Result<(), EngineError> {
        self.inner.feedback(owner, id, feedback).await
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
        if turn.runs_elsewhere() {
            self.inner.patient(self.inner.store.ask_to_stop(owner, id)).await?;
        }
        Ok(Some(turn.ended().await))
    }

    /// A page of a session's turns, first to last.
    pub async fn history(
        &self,
        owner: &Owner,
        session: &SessionId,
        page: Page,
    ) -> Result<Vec<StoredTurn>, EngineError> {
        let mut turns = self.inner.patient(self.inner.store.history(owner, session, page)).await?;
        for turn in turns.iter_mut().filter(|turn| turn.outcome.is_none() && !turn.alive) {
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
        if !live.is_empty() {
            // One that was just beginning may have come into the store after that: once it has ended, it goes too.
            let ends = live.iter().map(|turn| Turn::live(Arc::clone(turn), Arc::clone(&self.inner.figures)));
            for turn in ends.collect::<Vec<_>>() {
                let _ = tokio::time::timeout(self.inner.settings.store_patience, turn.ended()).await;
            }
            self.inner.patient(self.inner.store.erase(owner, session)).await?;
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

    /// Ends the turns of processes that shared the store with this one and are no more; how many. For every second.
    pub async fn take_over(&self) -> Result<u64, EngineError> {
        let inner = &self.inner;
        let mut ended = 0;
        loop {
            let orphans = inner.patient(inner.store.orphans()).await?;
            let before = ended;
            for orphan in &orphans {
                let Some(outcome) = orphaned(orphan, inner.log.as_deref()).await else { continue };
                ended += u64::from(inner.patient(inner.store.adopt(orphan, outcome)).await?);
            }
            // Others are at it, or there are none.
            if ended == before {
                return Ok(ended);
            }
        }
    }

    /// Stops the turns that others who share the store asked to stop. For several times a second.
    pub async fn heed_stops(&self) -> Result<(), EngineError> {
        for turn in self.inner.patient(self.inner.store.asked_to_stop()).await? {
            self.inner.registry.stop(turn);
        }
        Ok(())
    }

    /// Tells other processes which shared providers are to be left alone, and hears the same from them. For every second or
    /// so.
    ///
    /// # Errors
    /// If `board` is away: then each goes by what it finds itself.
    pub async fn share_breakers(&self, board: &dyn BreakerBoard) -> Result<(), BoardError> {
        let router = self.inner.setup.get().router.clone();
        router.share(board).await
    }

    /// Who answers.
    pub fn personas(&self) -> Personas {
        self.inner.setup.get().personas.clone()
    }

    /// Answers with these personas and asks these providers from now on. Turns that have begun go on with those that
    /// they began with. What is known of a provider that was asked before, the very same one, is kept.
    pub fn reconfigure(&self, personas: Personas, providers: Vec<Listed>) {
        self.inner.setup.replace(personas, providers);
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
        let setup = self.inner.setup.get();
        self.inner.figures.performance(&self.inner.registry, setup.router.statuses())
    }

    /// How turns went since the last call. For one caller only: two would share what there is.
    pub fn take_recent(&self) -> Recent {
        self.inner.figures.take_recent()
    }

    /// How the engine and what it depends on are. Takes at most a second.
    pub async fn health(&self) -> Health {
        let store = match tokio::time::timeout(HEALTH_PATIENCE, self.inner.store.stats()).await {
            Ok(Ok(stats)) => Ok(stats),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err(format!("the session store gave no answer within {HEALTH_PATIENCE:?}")),
        };
        let cache = self.inner.cache.stats().await;
        Health {
            draining: self.is_draining(),
            providers: self.inner.setup.get().router.statuses().collect(),
            store_backend: store.as_ref().map_or("unavailable", |stats| stats.backend),
            store,
            cache_backend: cache.backend,
            cache: match &cache.away {
                Some(reason) => Err(reason.clone()),
                None => Ok(cache),
            },
        }
    }

    /// Prepares every provider for the default persona's prompts. For the start, in the background.
    ///
    /// # Errors
    /// Each provider that could not be prepared, with why.
    pub async fn warm_up(&self) -> Vec<(hitesh_domain::ProviderId, ProviderError)> {
        let mut failed = Vec::new();
        let setup = self.inner.setup.get();
        let Some(persona) = setup.personas.get(None) else { return failed };
        for provider in setup.router.providers() {
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

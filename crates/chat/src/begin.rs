//! How a request becomes a turn: admitted, put into its context, answered from the cache or given to a generation.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use hitesh_cache::CacheKey;
use hitesh_domain::{LogId, Owner, Replaces, SessionId, Source, TurnId, TurnInfo};
use hitesh_llm::{History, Provider, Router};
use hitesh_sessions::{Claim, Context, NewTurn, StoreError};
use time::OffsetDateTime;

use crate::{
    answer::CachedAnswer,
    ask::{Ask, Prepared},
    elsewhere::Elsewhere,
    engine::Inner,
    error::EngineError,
    flights::Wish,
    generation::{Answerer, Generation, Upstream},
    idempotency::digest,
    live::LiveTurn,
    logged::Logged,
    registry::Admission,
    request::{CachePolicy, TurnRequest},
    runner::Runner,
    turn::{Snapshot, Turn},
};

/// How long another instance may take from a key to the begin of its turn, before it counts as one that never comes: reads of the
/// context and the cache.
const BEGINNING: Duration = Duration::from_secs(1);

/// The session of a turn.
#[derive(Debug)]
struct Place {
    session: SessionId,
    /// Nothing can have been said in it.
    is_new: bool,
}

impl Place {
    fn of(request: &TurnRequest) -> Self {
        match request.session.clone().filter(|_| request.store) {
            Some(session) => Self { session, is_new: false },
            None => Self { session: SessionId::random(), is_new: true },
        }
    }
}

impl Inner {
    pub(crate) async fn start(
        self: &Arc<Self>,
        request: TurnRequest,
        replaces: Option<Replaces>,
    ) -> Result<Turn, EngineError> {
        let place = Place::of(&request);
        let owner = request.owner.clone();
        let new = self.store.new_turn(&owner, &place.session);
        let Some(key) = request.idempotency.clone() else {
            return self.begin(request, replaces, place, new).await;
        };
        let work = async {
            let digest = digest(&request, replaces.as_ref());
            let claim = Claim { key: key.clone(), digest, turn: new };
            let mut bound = self.patient(self.store.claim(&owner, claim)).await?;
            while bound.turn != new {
                if bound.digest != digest {
                    return Err(EngineError::IdempotencyConflict);
                }
                match self.bound_turn(&owner, bound.turn).await? {
                    Some(turn) if turn.is_worth_repeating() => return Ok(turn),
                    // It came to nothing, and the caller asks again: that is a new turn, unless another instance was first.
                    Some(_) => bound = self.patient(self.store.rebind(&owner, bound, new)).await?,
                    // What it was bound to never began: this request is that turn.
                    None => break,
                }
            }
            self.begin(request, replaces, place, bound.turn).await
        };
        self.beginnings.alone(&owner, &key, work).await
    }

    /// The turn that a key is bound to. One that is not there never began, or another instance is just beginning it: its id is then
    /// of now, if their clocks are not too far apart.
    async fn bound_turn(&self, owner: &Owner, id: TurnId) -> Result<Option<Turn>, EngineError> {
        let until = Instant::now() + BEGINNING;
        let is_new = || id.made_at().is_some_and(|made_at| OffsetDateTime::now_utc() - made_at < BEGINNING);
        loop {
            let turn = self.turn(owner, id).await?;
            if turn.is_some() || self.log.is_none() || !is_new() || Instant::now() >= until {
                return Ok(turn);
            }
            tokio::time::sleep(BEGINNING / 40).await;
        }
    }

    async fn begin(
        self: &Arc<Self>,
        request: TurnRequest,
        replaces: Option<Replaces>,
        place: Place,
        id: TurnId,
    ) -> Result<Turn, EngineError> {
        if self.draining.is_cancelled() {
            return Err(EngineError::Draining);
        }
        let started = Instant::now();
        let started_at = OffsetDateTime::now_utc();
        let setup = self.setup.get();
        let persona = setup.personas.get(request.persona.as_ref()).ok_or(EngineError::PersonaUnknown)?;
        let Place { session, is_new } = place;
        let admission = tokio::select! {
            admission = self.registry.admit(&request.owner, &session) => admission?,
            () = self.draining.cancelled() => return Err(EngineError::Draining),
        };
        let context = if is_new {
            Context::default()
        } else {
            let turns = self.settings.max_history_messages.div_ceil(2);
            let before = replaces.map(|replaces| replaces.turn);
            self.patient(self.store.context(&request.owner, &session, turns, before)).await?
        };
        self.registry.check_session(&admission, context.open_elsewhere)?;
        let ask = Arc::new(Ask {
            owner: request.owner.clone(),
            persona: Arc::clone(persona),
            question: request.content.clone(),
            context,
            max_history_messages: self.settings.max_history_messages,
        });
        // With every provider away, an answer that exists can still be given.
        let available = setup.router.first_available().map_err(EngineError::NobodyToAsk);
        let (asked, nobody) = match (available, setup.router.providers().next()) {
            (Ok(asked), _) => (asked, None),
            (Err(nobody), Some(first)) => (first, Some(nobody)),
            (Err(nobody), None) => return Err(nobody),
        };
        let prepared = ask.prepare(asked.as_ref(), History::Full);
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
                replaces,
                log: None,
            },
            question: request.content,
            notes: prepared.notes.clone(),
        };
        if request.cache == CachePolicy::Use
            && let Some(answer) = self.cached(&prepared.key).await
        {
            return self.answer_from_cache(turn, answer, request.store, started).await;
        }
        if let Some(nobody) = nobody {
            return Err(nobody);
        }
        let logged = self.logged(request.cache, &prepared.key, request.store);
        let (wish, joined) = self.generation(request.cache, ask, &setup.router, asked.as_ref(), &prepared, logged);
        if joined {
            turn.info.source = Source::Joined;
        }
        turn.info.log = wish.generation().log();
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
            on_disconnect: self.settings.on_disconnect,
            patience: self.settings.store_patience,
        };
        self.tasks.spawn_on(runner.run(), &self.runtime);
        Ok(handle)
    }

    /// Where other processes find its generation: also those that a reader of the turn comes to, if it is stored.
    fn logged(&self, policy: CachePolicy, key: &CacheKey, stored: bool) -> Option<Logged> {
        let joinable = policy == CachePolicy::Use;
        let log = self.log.clone().filter(|_| joinable || stored)?;
        let id = if joinable { LogId::of_flight(key.as_bytes()) } else { LogId::alone() };
        Some(Logged { log, id, joinable })
    }

    /// The generation that this turn follows: a new one, or an equal question's that is being answered.
    fn generation(
        &self,
        policy: CachePolicy,
        ask: Arc<Ask>,
        router: &Router,
        asked: &dyn Provider,
        prepared: &Prepared,
        logged: Option<Logged>,
    ) -> (Wish, bool) {
        let make = |flight| {
            let generation = Arc::new(Generation::new(Answerer::of(asked), logged.as_ref()));
            let upstream = Upstream {
                ask,
                router: router.clone(),
                figures: Arc::clone(&self.figures),
                keep: (policy != CachePolicy::Off).then(|| (Arc::clone(&self.cache), self.settings.cache_ttl)),
                flight,
                logged,
                cut_off: self.cut_off.clone(),
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

    pub(crate) async fn turn(&self, owner: &Owner, id: TurnId) -> Result<Option<Turn>, EngineError> {
        let figures = || Arc::clone(&self.figures);
        if let Some(live) = self.registry.get(owner, id) {
            return Ok(Some(Turn::live(live, figures())));
        }
        if let Some(snapshot) = self.registry.kept(owner, id) {
            return Ok(Some(Turn::over(Snapshot::clone(&snapshot), figures())));
        }
        let Some(stored) = self.patient(self.store.turn(owner, id)).await? else { return Ok(None) };
        let snapshot = Snapshot::of_stored(stored);
        if snapshot.end.is_some() {
            return Ok(Some(Turn::over(snapshot, figures())));
        }
        let elsewhere = Elsewhere::new(Arc::clone(&self.store), self.log.clone(), owner.clone(), snapshot).await;
        Ok(Some(Turn::elsewhere(elsewhere, figures())))
    }

    /// The store's answer, if it comes in time.
    pub(crate) async fn patient<T>(&self, work: impl Future<Output = Result<T, StoreError>>) -> Result<T, EngineError> {
        let limit = self.settings.store_patience;
        match tokio::time::timeout(limit, work).await {
            Ok(result) => Ok(result?),
            Err(_) => Err(StoreError::Unavailable { reason: format!("no answer within {limit:?}") }.into()),
        }
    }
}

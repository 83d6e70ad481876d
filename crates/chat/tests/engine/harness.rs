use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use hitesh_cache::{Cache, MokaCache};
use hitesh_chat::{CachePolicy, Engine, EngineParts, EngineSettings, Personas, Reader, TurnRequest};
use hitesh_domain::{Content, End, JournalEvent, Owner, ProviderId, SessionId, Step, StepFormat, TurnEvent, Usage};
use hitesh_llm::{
    CompletionRequest, DeltaStream, FinishReason, Listed, Provider, ProviderError, ProviderEvent, Router, Sampling,
};
use hitesh_persona::Persona;
use hitesh_sessions::{
    Page, SessionStore, StoredTurn,
    sqlite::{SqlitePath, SqliteSessions, SqliteSettings},
};
use hitesh_turnlog::TurnLog;
use tokio::{
    runtime::Handle,
    sync::{Mutex, mpsc},
    time::timeout,
};
use tokio_stream::wrappers::UnboundedReceiverStream;

type Events = mpsc::UnboundedSender<Result<ProviderEvent, ProviderError>>;

/// A provider whose calls arrive at the test, which answers them by hand.
#[derive(Debug)]
pub(crate) struct ByHand {
    id: ProviderId,
    sampling: Sampling,
    calls: mpsc::UnboundedSender<Call>,
    count: AtomicUsize,
}

/// One upstream call.
pub(crate) struct Call {
    pub(crate) request: CompletionRequest,
    events: Events,
}

#[async_trait]
impl Provider for ByHand {
    fn id(&self) -> &ProviderId {
        &self.id
    }

    fn model(&self) -> &str {
        "by-hand-1"
    }

    fn step_format(&self) -> StepFormat {
        StepFormat::Tagged
    }

    fn sampling(&self) -> &Sampling {
        &self.sampling
    }

    async fn probe(&self) -> Result<(), ProviderError> {
        Ok(())
    }

    async fn stream(&self, request: CompletionRequest) -> Result<DeltaStream, ProviderError> {
        self.count.fetch_add(1, Ordering::SeqCst);
        if request.messages.last().unwrap().content.contains("panic now") {
            panic!("as the test asked");
        }
        if request.messages.last().unwrap().content.contains("refuse the key") {
            return Err(ProviderError::Unauthorized);
        }
        let (events, stream) = mpsc::unbounded_channel();
        self.calls.send(Call { request, events }).unwrap();
        Ok(Box::pin(UnboundedReceiverStream::new(stream)))
    }
}

impl Call {
    pub(crate) fn say(&self, text: &str) {
        let _ = self.events.send(Ok(ProviderEvent::Delta(text.to_owned())));
    }

    pub(crate) fn reason(&self, text: &str) {
        let _ = self.events.send(Ok(ProviderEvent::Reasoning(text.to_owned())));
    }

    pub(crate) fn fail(&self, error: ProviderError) {
        let _ = self.events.send(Err(error));
    }

    pub(crate) fn finish_then_fail(self, reason: FinishReason, error: ProviderError) {
        let _ = self.events.send(Ok(ProviderEvent::Finish(reason)));
        self.fail(error);
    }

    pub(crate) fn finish(self, reason: FinishReason) {
        let _ = self.events.send(Ok(ProviderEvent::Finish(reason)));
        let usage = Usage { prompt_tokens: 100, completion_tokens: 10, cached_tokens: 0 };
        let _ = self.events.send(Ok(ProviderEvent::Usage(usage)));
    }

    /// A whole answer with `output`, piece by piece.
    pub(crate) fn answer(self, output: &str) {
        self.say("<analyze>a</analyze><think>t1 ");
        self.say("t2</think><output>");
        for piece in output.split_inclusive(' ') {
            self.say(piece);
        }
        self.say("</output>");
        self.finish(FinishReason::Stop);
    }

    /// Resolves when nobody takes this call's events any more.
    pub(crate) async fn dropped(&self) {
        soon(self.events.closed()).await;
    }
}

/// An engine with all that a test needs to play with it.
pub(crate) struct Bench {
    pub(crate) engine: Engine,
    pub(crate) store: Arc<dyn SessionStore>,
    pub(crate) cache: Arc<dyn Cache>,
    provider: Arc<ByHand>,
    calls: Mutex<mpsc::UnboundedReceiver<Call>>,
}

/// A provider of this name, whose calls arrive at the receiver.
pub(crate) fn by_hand(id: &str) -> (Arc<ByHand>, mpsc::UnboundedReceiver<Call>) {
    let (sender, calls) = mpsc::unbounded_channel();
    let (id, sampling) = (id.parse().unwrap(), Sampling::default());
    (Arc::new(ByHand { id, sampling, calls: sender, count: AtomicUsize::new(0) }), calls)
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self::with(EngineSettings::default(), memory_store())
    }

    /// One whose persona shows the reasoning of models.
    pub(crate) fn showing_reasoning() -> Self {
        let mut files = Persona::builtin_files("hitesh").unwrap();
        let about = files.iter_mut().find(|(path, _)| path == "persona.toml").unwrap();
        about.1.insert_str(0, "show_reasoning = true\n");
        Self::of(Persona::from_files(files).unwrap(), EngineSettings::default(), memory_store(), None)
    }

    pub(crate) fn with(settings: EngineSettings, store: Arc<dyn SessionStore>) -> Self {
        Self::of(Persona::builtin("hitesh").unwrap(), settings, store, None)
    }

    /// One that others share its log with.
    pub(crate) fn sharing(store: Arc<dyn SessionStore>, log: Arc<dyn TurnLog>) -> Self {
        Self::of(Persona::builtin("hitesh").unwrap(), EngineSettings::default(), store, Some(log))
    }

    fn of(
        persona: Persona,
        settings: EngineSettings,
        store: Arc<dyn SessionStore>,
        log: Option<Arc<dyn TurnLog>>,
    ) -> Self {
        let (provider, calls) = by_hand("hand");
        let cache: Arc<dyn Cache> = Arc::new(MokaCache::new(1 << 20));
        let id = persona.id().clone();
        let engine = Engine::new(EngineParts {
            personas: Personas::new(vec![persona], &id).unwrap(),
            router: Router::new(vec![Listed::unlimited(Arc::clone(&provider) as Arc<dyn Provider>)]),
            cache: Arc::clone(&cache),
            store: Arc::clone(&store),
            log,
            settings,
            runtime: Handle::current(),
        });
        Self { engine, store, cache, provider, calls: Mutex::new(calls) }
    }

    pub(crate) async fn call(&self) -> Call {
        soon(async { self.calls.lock().await.recv().await.unwrap() }).await
    }

    pub(crate) fn upstream_calls(&self) -> usize {
        self.provider.count.load(Ordering::SeqCst)
    }

    pub(crate) async fn cached(&self) -> u64 {
        self.cache.stats().await.entries
    }

    pub(crate) async fn history(&self, session: &str) -> Vec<StoredTurn> {
        let page = Page { limit: 100, before: None, replaced: false };
        self.engine.history(&Owner::public(), &session.parse().unwrap(), page).await.unwrap()
    }
}

pub(crate) fn memory_store() -> Arc<dyn SessionStore> {
    Arc::new(SqliteSessions::open(SqliteSettings { path: SqlitePath::Memory, ..SqliteSettings::default() }).unwrap())
}

pub(crate) fn ask(session: &str, question: &str) -> TurnRequest {
    TurnRequest {
        owner: Owner::public(),
        session: Some(SessionId::try_from(session).unwrap()),
        persona: None,
        content: Content::try_from(question).unwrap(),
        cache: CachePolicy::Use,
        store: true,
        idempotency: None,
    }
}

/// What must happen without further action; the limit only keeps a broken test from hanging.
pub(crate) async fn soon<T>(work: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(20), work).await.unwrap_or_else(|_| panic!("nothing happened"))
}

pub(crate) async fn all(mut reader: Reader) -> Vec<(u64, TurnEvent)> {
    let mut events = Vec::new();
    while let Some(event) = soon(reader.next()).await {
        events.push(event);
    }
    events
}

/// Reads until a piece of `step` comes.
pub(crate) async fn next_delta(reader: &mut Reader, step: Step) -> String {
    loop {
        match soon(reader.next()).await {
            Some((_, TurnEvent::Journal(JournalEvent::StepDelta(at, text)))) if at == step => return text.to_string(),
            Some((_, TurnEvent::Ended(end, _))) => panic!("it ended: {end:?}"),
            Some(_) => {}
            None => panic!("it is over"),
        }
    }
}

pub(crate) fn ends(events: &[(u64, TurnEvent)]) -> Vec<End> {
    events
        .iter()
        .filter_map(|(_, event)| match event {
            TurnEvent::Ended(end, _) => Some(*end),
            TurnEvent::Started(_) | TurnEvent::Journal(_) => None,
        })
        .collect()
}

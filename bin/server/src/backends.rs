//! From settings to backends: the only place that matches on their kinds.

use std::sync::Arc;

use hitesh_cache::{Cache, MokaCache, NoCache};
use hitesh_llm::{
    AbsentProvider, BreakerBoard, DeadlineSettings, Deadlines, Listed, Provider, ProviderState, RemoteSettingsError,
    Sampling,
    anthropic::{AnthropicProvider, AnthropicSettings},
    openai::{OpenAiProvider, OpenAiSettings, Preset},
};
use hitesh_sessions::{
    SessionStore, StoreError,
    sqlite::{OpenError, SqlitePath, SqliteSessions, SqliteSettings},
};
use hitesh_turnlog::TurnLog;

use crate::http::SharedLimit;
#[cfg(feature = "redis")]
use crate::redis;
use crate::settings::{
    CacheSettings, Protocol, ProviderKind, ProviderSettings, Remote, SessionsPlace, SessionsSettings, Settings,
};

/// All that the engine is built on.
#[derive(Debug)]
pub struct Backends {
    /// The models, in the operator's order.
    pub providers: Vec<Listed>,
    /// The response cache.
    pub cache: Arc<dyn Cache>,
    /// The session store.
    pub store: Arc<dyn SessionStore>,
    /// Where instances that share their sessions read each other's generations.
    pub log: Option<Arc<dyn TurnLog>>,
    /// Where instances tell each other how providers do.
    pub board: Option<Arc<dyn BreakerBoard>>,
    /// Where instances count the requests of one caller together.
    pub limit: Option<Arc<dyn SharedLimit>>,
}

/// Why a backend that the server can't do without is not there.
#[derive(Debug, thiserror::Error)]
pub enum BackendError {
    /// The session store can't be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The session store was opened and does not work.
    #[error("the session store does not work: {0}")]
    Store(#[from] StoreError),
    /// A provider's settings make no sense to it.
    #[error("provider {name}: {source}")]
    Provider {
        /// Its configured name.
        name: String,
        /// What is wrong.
        source: RemoteSettingsError,
    },
    /// Redis can't be set up.
    #[error("{0}")]
    Redis(String),
    /// The runtime is shutting down.
    #[error("the start was interrupted")]
    Interrupted,
}

impl Backends {
    /// Opens the store and ends the turns that a crash left open; makes the providers and the cache. Reaches no
    /// provider: one that is away now may be back later.
    ///
    /// # Errors
    /// If the store can't be used or a provider's settings are wrong. A local model that is not there is no error,
    /// but a provider that says so.
    pub async fn connect(settings: &Settings) -> Result<Self, BackendError> {
        let store = open_store(settings).await?;
        if settings.sessions.place == SessionsPlace::Redis {
            // It may come later: until then questions are refused. What dead instances left open is ended once this one
            // runs, with all that their logs have.
            match store.stats().await {
                Ok(_) => {}
                Err(error @ StoreError::Unavailable { .. }) => tracing::error!(%error, "the session store is away"),
                Err(error @ StoreError::Invalid { .. }) => return Err(error.into()),
            }
        } else {
            match store.recover().await? {
                0 => {}
                turns => tracing::warn!(turns, "turns that a crash left open were ended"),
            }
        }
        let Shared { cache, log, board, limit } = shared(settings)?;
        Ok(Self { providers: providers(settings)?, cache, store, log, board, limit })
    }

    /// The same with sessions in memory: for a chat in a terminal.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub async fn in_memory(settings: &Settings) -> Result<Self, BackendError> {
        let mut alone = settings.clone();
        alone.sessions = SessionsSettings { place: SessionsPlace::Memory, file: None, retention: None };
        alone.redis = None;
        let Shared { cache, log, board, limit } = shared(&alone)?;
        Ok(Self { providers: providers(settings)?, cache, store: open_store(&alone).await?, log, board, limit })
    }
}

/// Opens the session store. One in Redis is not reached by that.
///
/// # Errors
/// Each in one line.
pub async fn open_store(settings: &Settings) -> Result<Arc<dyn SessionStore>, BackendError> {
    let path = match &settings.sessions.place {
        SessionsPlace::File(path) => SqlitePath::File(path.clone()),
        SessionsPlace::Memory => SqlitePath::Memory,
        SessionsPlace::Redis => return shared_store(settings),
    };
    // Opening reads and may migrate a file: not on a thread of the runtime.
    let open = move || SqliteSessions::open(SqliteSettings { path, ..SqliteSettings::default() });
    let sessions = tokio::task::spawn_blocking(open).await.map_err(|_| BackendError::Interrupted)??;
    Ok(Arc::new(sessions))
}

/// What may be lost, and what an instance goes on without.
pub(crate) struct Shared {
    pub(crate) cache: Arc<dyn Cache>,
    pub(crate) log: Option<Arc<dyn TurnLog>>,
    pub(crate) board: Option<Arc<dyn BreakerBoard>>,
    pub(crate) limit: Option<Arc<dyn SharedLimit>>,
}

fn shared(settings: &Settings) -> Result<Shared, BackendError> {
    let CacheSettings { enabled, max_bytes, .. } = settings.cache;
    let own = enabled.then(|| MokaCache::new(max_bytes));
    #[cfg(feature = "redis")]
    if let Some(shared) = &settings.redis {
        let with_sessions = settings.sessions.place == SessionsPlace::Redis;
        return redis::shared(own, shared, with_sessions, settings.limits.rate());
    }
    let cache: Arc<dyn Cache> = match own {
        Some(own) => Arc::new(own),
        None => Arc::new(NoCache),
    };
    Ok(Shared { cache, log: None, board: None, limit: None })
}

fn shared_store(settings: &Settings) -> Result<Arc<dyn SessionStore>, BackendError> {
    #[cfg(feature = "redis")]
    if let Some(shared) = &settings.redis {
        return redis::sessions(shared);
    }
    let _ = settings;
    Err(BackendError::Redis("sessions are to be in Redis, and there is none".to_owned()))
}

/// The configured providers, each held to its deadlines.
///
/// # Errors
/// If one's settings are wrong.
pub fn providers(settings: &Settings) -> Result<Vec<Listed>, BackendError> {
    settings.providers.iter().map(|provider| Ok(listed(provider, connect_provider(settings, provider)?))).collect()
}

/// The providers of `settings`; those whose settings are as in `before`, whose list is `known`, are the same ones: a
/// model stays loaded, and connections stay open.
///
/// # Errors
/// If one's settings are wrong.
pub fn providers_again(settings: &Settings, before: &Settings, known: &[Listed]) -> Result<Vec<Listed>, BackendError> {
    let same = |provider: &ProviderSettings| {
        let position = before.providers.iter().position(|old| old.is_same_backend(provider))?;
        let is_same = provider.kind != ProviderKind::Local || settings.local == before.local;
        // One that could not be used may have been mended: a model pulled, for one.
        let usable = |listed: &&Listed| !matches!(listed.provider.state(), ProviderState::Unavailable(_));
        known.get(position).filter(|_| is_same).filter(usable).map(|listed| Arc::clone(&listed.provider))
    };
    let providers = settings.providers.iter().map(|provider| {
        let connected = match same(provider) {
            Some(connected) => connected,
            None => connect_provider(settings, provider)?,
        };
        Ok(listed(provider, connected))
    });
    providers.collect()
}

fn listed(settings: &ProviderSettings, provider: Arc<dyn Provider>) -> Listed {
    Listed {
        provider,
        max_in_flight: settings.max_in_flight,
        queue: settings.deadlines.queue,
        breaker: settings.breaker,
        shared: settings.share_breaker,
        prices: settings.prices,
        reasons: settings.reasons,
    }
}

fn connect_provider(settings: &Settings, provider: &ProviderSettings) -> Result<Arc<dyn Provider>, BackendError> {
    let inner: Arc<dyn Provider> = match &provider.kind {
        ProviderKind::Remote(server) => remote(provider, server)
            .map_err(|source| BackendError::Provider { name: provider.name.to_string(), source })?,
        ProviderKind::Local => local(settings, provider),
    };
    let deadlines = DeadlineSettings {
        queue: provider.deadlines.queue,
        first_token: provider.deadlines.first_token,
        silence: provider.deadlines.silence,
        total: provider.deadlines.total,
    };
    Ok(Arc::new(Deadlines::new(inner, deadlines)))
}

fn remote(provider: &ProviderSettings, server: &Remote) -> Result<Arc<dyn Provider>, RemoteSettingsError> {
    Ok(match &server.protocol {
        Protocol::OpenAi { preset } => Arc::new(openai(provider, server, *preset, None)?),
        Protocol::Azure { api_version } => Arc::new(openai(provider, server, None, Some(api_version.clone()))?),
        Protocol::Anthropic => Arc::new(anthropic(provider, server)?),
    })
}

fn openai(
    provider: &ProviderSettings,
    server: &Remote,
    preset: Option<&'static Preset>,
    azure_api_version: Option<String>,
) -> Result<OpenAiProvider, RemoteSettingsError> {
    let mut defaults = OpenAiSettings::new(provider.name.clone(), &server.base_url, provider.model.clone());
    if let Some(preset) = preset {
        defaults = defaults.of_preset(preset);
    }
    OpenAiProvider::new(OpenAiSettings {
        api_key: server.api_key.clone(),
        step_format: provider.step_format,
        sampling: over(&provider.sampling, &defaults.sampling),
        azure_api_version,
        connect_timeout: provider.deadlines.connect,
        proxy: server.proxy.clone(),
        ..defaults
    })
}

fn anthropic(provider: &ProviderSettings, server: &Remote) -> Result<AnthropicProvider, RemoteSettingsError> {
    let defaults = AnthropicSettings::new(provider.name.clone(), &server.base_url, provider.model.clone());
    AnthropicProvider::new(AnthropicSettings {
        api_key: server.api_key.clone(),
        sampling: over(&provider.sampling, &defaults.sampling),
        connect_timeout: provider.deadlines.connect,
        proxy: server.proxy.clone(),
        ..defaults
    })
}

/// What is set, and the defaults for the rest.
fn over(set: &Sampling, defaults: &Sampling) -> Sampling {
    Sampling {
        temperature: set.temperature.or(defaults.temperature),
        top_p: set.top_p.or(defaults.top_p),
        max_tokens: set.max_tokens.or(defaults.max_tokens),
    }
}

fn local(settings: &Settings, provider: &ProviderSettings) -> Arc<dyn Provider> {
    #[cfg(feature = "local")]
    let started = crate::local::start(settings, provider);
    #[cfg(not(feature = "local"))]
    let started: Result<Arc<dyn Provider>, String> = {
        let _ = settings;
        Err("this build has no local model: set OPENAI_API_KEY or OPENAI_BASE_URL, or list providers".to_owned())
    };
    started.unwrap_or_else(|reason| {
        tracing::error!(provider = %provider.name, "{reason}");
        Arc::new(AbsentProvider::new(provider.name.clone(), provider.model.clone(), reason))
    })
}

use hitesh_cache::CacheStats;
use hitesh_llm::{BreakerState, ProviderState, ProviderStatus};
use hitesh_sessions::StoreStats;

/// How the engine and what it depends on are.
#[derive(Debug, Clone)]
pub struct Health {
    /// It is shutting down.
    pub draining: bool,
    /// Each provider, in the order in which they are asked.
    pub providers: Vec<ProviderStatus>,
    /// The session store's figures, or why it does not answer.
    pub store: Result<StoreStats, String>,
    /// What kind of session store it is.
    pub store_backend: &'static str,
    /// The cache's figures, or why it can't be reached: answers go on without it.
    pub cache: Result<CacheStats, String>,
    /// What kind of cache it is.
    pub cache_backend: &'static str,
}

impl Health {
    /// Whether a question can be answered and stored now: some provider is ready or getting ready, and the store
    /// answers. A provider that failed too often counts: it is asked again before long.
    pub fn can_answer(&self) -> bool {
        self.store.is_ok()
            && self.providers.iter().any(|provider| !matches!(provider.state, ProviderState::Unavailable(_)))
    }

    /// Why the session store, or a part of it, can't be reached.
    pub fn store_away(&self) -> Option<&str> {
        match &self.store {
            Ok(stats) => stats.away.as_deref(),
            Err(reason) => Some(reason),
        }
    }

    /// Why the cache, or a part of it, can't be reached.
    pub fn cache_away(&self) -> Option<&str> {
        match &self.cache {
            Ok(stats) => stats.partly_away.as_deref(),
            Err(reason) => Some(reason),
        }
    }

    /// Whether anything is not as it should be.
    pub fn is_degraded(&self) -> bool {
        self.store_away().is_some()
            || self.cache_away().is_some()
            || self.providers.is_empty()
            || self.providers.iter().any(|p| p.state != ProviderState::Ready || p.breaker != BreakerState::Closed)
    }
}

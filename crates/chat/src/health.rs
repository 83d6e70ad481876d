use hitesh_domain::ProviderId;
use hitesh_llm::ProviderState;

/// How the engine and what it depends on are.
#[derive(Debug, Clone)]
pub struct Health {
    /// It is shutting down.
    pub draining: bool,
    /// Each provider, in the order in which they are asked.
    pub providers: Vec<ProviderHealth>,
    /// Why the session store does not answer, if it does not.
    pub store: Result<(), String>,
    /// What kind of session store it is.
    pub store_backend: &'static str,
    /// What kind of cache it is.
    pub cache_backend: &'static str,
}

/// How a provider is.
#[derive(Debug, Clone)]
pub struct ProviderHealth {
    /// Its configured name.
    pub id: ProviderId,
    /// Its exact model.
    pub model: String,
    /// Whether it can be asked.
    pub state: ProviderState,
}

impl Health {
    /// Whether a question can be answered and stored now: some provider is ready or getting ready, and the store
    /// answers.
    pub fn can_answer(&self) -> bool {
        self.store.is_ok()
            && self.providers.iter().any(|provider| !matches!(provider.state, ProviderState::Unavailable(_)))
    }

    /// Whether anything is not as it should be.
    pub fn is_degraded(&self) -> bool {
        self.store.is_err()
            || self.providers.is_empty()
            || self.providers.iter().any(|p| p.state != ProviderState::Ready)
    }
}

use std::sync::Arc;

use crate::{CompletionRequest, DeltaStream, Provider, ProviderError, ProviderState};

/// The providers in the operator's order of preference.
#[derive(Debug, Clone)]
pub struct Router {
    providers: Vec<Arc<dyn Provider>>,
}

/// Who accepted a question, and its answer.
pub struct Answering {
    /// The provider that answers.
    pub provider: Arc<dyn Provider>,
    /// Its stream.
    pub stream: DeltaStream,
}

impl Router {
    /// Asks `providers` in their order.
    pub fn new(providers: Vec<Arc<dyn Provider>>) -> Self {
        Self { providers }
    }

    /// All of them.
    pub fn providers(&self) -> &[Arc<dyn Provider>] {
        &self.providers
    }

    /// The one that is asked first: the first that is not known to be unavailable.
    pub fn first_available(&self) -> Option<&Arc<dyn Provider>> {
        self.available().next()
    }

    /// Asks one provider after the other until one accepts. `build` makes the request in a provider's own step
    /// format and size.
    ///
    /// # Errors
    /// The last provider's error; at once if no other provider can mend it; `Unavailable` if there is none to ask.
    pub async fn stream(
        &self,
        build: impl Fn(&dyn Provider) -> CompletionRequest + Send,
    ) -> Result<Answering, ProviderError> {
        let mut last = ProviderError::Unavailable { reason: self.why_unavailable() };
        for provider in self.available() {
            match provider.stream(build(provider.as_ref())).await {
                Ok(stream) => return Ok(Answering { provider: Arc::clone(provider), stream }),
                Err(error) if error.is_mendable_elsewhere() => {
                    tracing::warn!(provider = %provider.id(), %error, "the provider did not accept");
                    last = error;
                }
                Err(error) => return Err(error),
            }
        }
        Err(last)
    }

    fn available(&self) -> impl Iterator<Item = &Arc<dyn Provider>> {
        self.providers.iter().filter(|provider| !matches!(provider.state(), ProviderState::Unavailable(_)))
    }

    /// Why there is nobody to ask, for the operator.
    pub fn why_unavailable(&self) -> String {
        let reasons: Vec<_> = self
            .providers
            .iter()
            .filter_map(|provider| match provider.state() {
                ProviderState::Unavailable(reason) => Some(format!("{}: {reason}", provider.id())),
                ProviderState::Ready | ProviderState::Loading => None,
            })
            .collect();
        if reasons.is_empty() { "no provider is configured".to_owned() } else { reasons.join("; ") }
    }
}

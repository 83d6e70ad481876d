use async_trait::async_trait;
use hitesh_domain::{ProviderId, StepFormat};

use crate::{CompletionRequest, DeltaStream, Provider, ProviderError, ProviderState, Sampling};

/// A provider that is configured and can't be used in this process: its model is not there, or this build has no
/// local model. It keeps its place in the order, so that health says what is missing, and refuses every question.
#[derive(Debug)]
pub struct AbsentProvider {
    id: ProviderId,
    model: String,
    reason: String,
    sampling: Sampling,
}

impl AbsentProvider {
    /// `reason` is a sentence for the operator that says what to do.
    pub fn new(id: ProviderId, model: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { id, model: model.into(), reason: reason.into(), sampling: Sampling::default() }
    }

    fn error(&self) -> ProviderError {
        ProviderError::Unavailable { reason: self.reason.clone() }
    }
}

#[async_trait]
impl Provider for AbsentProvider {
    fn id(&self) -> &ProviderId {
        &self.id
    }

    fn model(&self) -> &str {
        &self.model
    }

    fn step_format(&self) -> StepFormat {
        StepFormat::Tagged
    }

    fn sampling(&self) -> &Sampling {
        &self.sampling
    }

    fn state(&self) -> ProviderState {
        ProviderState::Unavailable(self.reason.clone())
    }

    async fn probe(&self) -> Result<(), ProviderError> {
        Err(self.error())
    }

    async fn stream(&self, _request: CompletionRequest) -> Result<DeltaStream, ProviderError> {
        Err(self.error())
    }
}

use std::fmt;

use async_trait::async_trait;
use hitesh_domain::{ProviderId, StepFormat};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use super::{answer::Answer, body::MessagesBody, settings::AnthropicSettings};
use crate::{
    CompletionRequest, DeltaStream, Provider, ProviderError, Sampling,
    http::{BaseUrl, List, Probe, RemoteSettingsError, Upstream, check_sampling, key_header},
};

const API_KEY: HeaderName = HeaderName::from_static("x-api-key");
const VERSION: (HeaderName, HeaderValue) =
    (HeaderName::from_static("anthropic-version"), HeaderValue::from_static("2023-06-01"));

/// Anthropic, or a server that speaks its Messages API. Each question is exactly one request: what is to be tried
/// again, or elsewhere, others decide. What is the same for every question is marked to be kept in Anthropic's cache.
/// Of deadlines it keeps only the one for connecting; the others are [`Deadlines`](crate::Deadlines)'s.
pub struct AnthropicProvider {
    id: ProviderId,
    model: String,
    sampling: Sampling,
    base: BaseUrl,
    upstream: Upstream,
}

impl AnthropicProvider {
    /// Checks the settings; reaches nobody.
    ///
    /// # Errors
    /// The first setting that is wrong; and for an `https` server, if the system has no certificates to trust.
    pub fn new(settings: AnthropicSettings) -> Result<Self, RemoteSettingsError> {
        let AnthropicSettings { id, base_url, api_key, model, sampling, connect_timeout, proxy } = settings;
        if model.trim().is_empty() {
            return Err(RemoteSettingsError::Model("is empty"));
        }
        check_sampling(&sampling, 1)?;
        let base = BaseUrl::parse(&base_url)?;
        let mut headers = HeaderMap::from_iter([VERSION]);
        if let Some(value) = api_key.map(|key| key_header("", &key)).transpose()?.flatten() {
            headers.insert(API_KEY, value);
        }
        let upstream = Upstream::new(base.is_https(), headers, connect_timeout, proxy.as_ref())?;
        Ok(Self { id, model, sampling, base, upstream })
    }

    fn questions(&self) -> String {
        format!("{}/messages", self.base.as_str())
    }
}

/// Without the key and the base URL's path, either of which may be a secret.
impl fmt::Debug for AnthropicProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnthropicProvider")
            .field("id", &self.id)
            .field("host", &self.base.host())
            .field("model", &self.model)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Provider for AnthropicProvider {
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

    async fn probe(&self) -> Result<(), ProviderError> {
        let probe = Probe {
            models: format!("{}/models", self.base.as_str()),
            questions: self.questions(),
            model: &self.model,
            list: List::Telling,
        };
        self.upstream.probe(&probe).await
    }

    async fn stream(&self, request: CompletionRequest) -> Result<DeltaStream, ProviderError> {
        let body = MessagesBody::new(&self.model, &self.sampling, &request);
        self.upstream.ask::<Answer>(&self.questions(), &body).await
    }
}

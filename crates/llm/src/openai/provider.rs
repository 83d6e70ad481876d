use std::fmt;

use async_openai::config::Config;
use async_trait::async_trait;
use hitesh_domain::{ProviderId, StepFormat};

use super::{
    Preset, answer::Answer, body::CompletionBody, endpoint::Endpoint, known::Dialect, settings::OpenAiSettings,
};
use crate::{
    CompletionRequest, DeltaStream, Provider, ProviderError, Sampling,
    http::{List, Probe, RemoteSettingsError, Upstream, check_sampling},
};

/// OpenAI, or a server that speaks its chat completions API. Each question is exactly one request: what is to be
/// tried again, or elsewhere, others decide. Of deadlines it keeps only the one for connecting; the others are
/// [`Deadlines`](crate::Deadlines)'s.
pub struct OpenAiProvider {
    id: ProviderId,
    model: String,
    step_format: StepFormat,
    sampling: Sampling,
    dialect: Dialect,
    list: List,
    endpoint: Endpoint,
    upstream: Upstream,
}

impl OpenAiProvider {
    /// Checks the settings; reaches nobody.
    ///
    /// # Errors
    /// The first setting that is wrong; and for an `https` server, if the system has no certificates to trust.
    pub fn new(settings: OpenAiSettings) -> Result<Self, RemoteSettingsError> {
        let OpenAiSettings {
            id,
            base_url,
            api_key,
            model,
            preset,
            step_format,
            sampling,
            max_tokens_field,
            azure_api_version,
            connect_timeout,
            proxy,
        } = settings;
        if model.trim().is_empty() {
            return Err(RemoteSettingsError::Model("is empty"));
        }
        check_sampling(&sampling, 2)?;
        let api_key = api_key.as_ref();
        let (endpoint, mut dialect, list) = match azure_api_version {
            Some(version) => {
                let endpoint = Endpoint::azure(&base_url, api_key, &model, &version)?;
                // It lists what could be deployed.
                (endpoint, Dialect::azure(&model), List::OtherNames)
            }
            None => {
                let endpoint = Endpoint::new(&base_url, api_key)?;
                let known = preset.or_else(|| Preset::at(endpoint.host()));
                let is_public = known.is_some_and(|preset| preset.public_list);
                let list = if is_public { List::Public } else { List::Telling };
                (endpoint, Dialect::of(known, &model), list)
            }
        };
        dialect.max_tokens_field = max_tokens_field.unwrap_or(dialect.max_tokens_field);
        Ok(Self {
            upstream: Upstream::new(endpoint.is_https(), endpoint.headers(), connect_timeout, proxy.as_ref())?,
            step_format: step_format.unwrap_or(dialect.step_format),
            id,
            model,
            sampling,
            dialect,
            list,
            endpoint,
        })
    }
}

/// Without the key and the base URL's path, either of which may be a secret.
impl fmt::Debug for OpenAiProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenAiProvider")
            .field("id", &self.id)
            .field("host", &self.endpoint.host())
            .field("model", &self.model)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Provider for OpenAiProvider {
    fn id(&self) -> &ProviderId {
        &self.id
    }

    fn model(&self) -> &str {
        &self.model
    }

    fn step_format(&self) -> StepFormat {
        self.step_format
    }

    fn sampling(&self) -> &Sampling {
        &self.sampling
    }

    async fn probe(&self) -> Result<(), ProviderError> {
        let probe = Probe {
            models: self.endpoint.models(),
            questions: self.endpoint.completions(),
            model: &self.model,
            list: self.list,
        };
        self.upstream.probe(&probe).await
    }

    async fn stream(&self, request: CompletionRequest) -> Result<DeltaStream, ProviderError> {
        let body = CompletionBody::new(&self.model, &self.sampling, &self.dialect, &request);
        self.upstream.ask::<Answer>(&self.endpoint.completions(), &body).await
    }
}

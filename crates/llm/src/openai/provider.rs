use std::{fmt, time::Duration};

use async_openai::config::Config;
use async_trait::async_trait;
use hitesh_domain::{ProviderId, StepFormat};
use reqwest::{
    Method, RequestBuilder, Response, StatusCode,
    header::{ACCEPT, CONTENT_TYPE, HeaderValue},
};
use time::OffsetDateTime;
use tokio::time::timeout;

use super::{
    body::CompletionBody,
    client,
    endpoint::Endpoint,
    failure::{self, Complaint, misconfigured},
    known::Dialect,
    reading,
    settings::{self, OpenAiSettings, OpenAiSettingsError},
};
use crate::{CompletionRequest, DeltaStream, Phase, Provider, ProviderError, Sampling};

/// How much of an error's body is read for its code, and for how long.
const MAX_ERROR_BODY: usize = 64 * 1024;
const ERROR_BODY_TIME: Duration = Duration::from_secs(2);

/// How long a probe may take.
const PROBE_TIME: Duration = Duration::from_secs(5);

/// OpenAI, or a server that speaks its chat completions API. Each question is exactly one request: what is to be
/// tried again, or elsewhere, others decide. Of deadlines it keeps only the one for connecting; the others are
/// [`Deadlines`](crate::Deadlines)'s.
pub struct OpenAiProvider {
    id: ProviderId,
    model: String,
    step_format: StepFormat,
    sampling: Sampling,
    dialect: Dialect,
    endpoint: Endpoint,
    connect_timeout: Duration,
    http: reqwest::Client,
}

impl OpenAiProvider {
    /// Checks the settings; reaches nobody.
    ///
    /// # Errors
    /// The first setting that is wrong; and for an `https` server, if the system has no certificates to trust.
    pub fn new(settings: OpenAiSettings) -> Result<Self, OpenAiSettingsError> {
        let OpenAiSettings { id, base_url, api_key, model, step_format, sampling, max_tokens_field, connect_timeout } =
            settings;
        if model.trim().is_empty() {
            return Err(OpenAiSettingsError::Model);
        }
        settings::check_sampling(&sampling)?;
        let endpoint = Endpoint::new(&base_url, api_key.as_ref())?;
        let mut dialect = Dialect::of(endpoint.host(), &model);
        dialect.max_tokens_field = max_tokens_field.unwrap_or(dialect.max_tokens_field);
        Ok(Self {
            http: client::build(endpoint.is_https(), connect_timeout)?,
            step_format: step_format.unwrap_or(dialect.step_format),
            id,
            model,
            sampling,
            dialect,
            endpoint,
            connect_timeout,
        })
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, self.endpoint.url(path)).headers(self.endpoint.headers())
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response, ProviderError> {
        request.send().await.map_err(|error| failure::of_transport(&error, self.connect_timeout))
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
        let probing = async {
            let response = self.send(self.request(Method::GET, "/models")).await?;
            match response.status() {
                // Not every server lists its models; this one has been heard of nonetheless.
                StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => Ok(()),
                status if status.is_success() && is_html(&response) => Err(web_page()),
                status if status.is_success() => Ok(()),
                _ => Err(refusal(response).await),
            }
        };
        timeout(PROBE_TIME, probing)
            .await
            .unwrap_or(Err(ProviderError::Timeout { phase: Phase::Total, limit: PROBE_TIME }))
    }

    async fn stream(&self, request: CompletionRequest) -> Result<DeltaStream, ProviderError> {
        let body = CompletionBody::new(&self.model, &self.sampling, &self.dialect, &request);
        let body = serde_json::to_vec(&body).map_err(|_| ProviderError::Rejected { status: None })?;
        let request = self
            .request(Method::POST, "/chat/completions")
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .header(ACCEPT, HeaderValue::from_static("text/event-stream"))
            .body(body);
        let response = self.send(request).await?;
        if !response.status().is_success() {
            return Err(refusal(response).await);
        }
        if is_html(&response) {
            return Err(web_page());
        }
        // Some servers pass over `stream: true`. Their answer is as good, in one piece.
        let is_whole = content_type_has(&response, "json") && !content_type_has(&response, "event-stream");
        let body = response.bytes_stream();
        Ok(if is_whole { reading::completion(body) } else { reading::events(body) })
    }
}

/// Why a request was refused, from the response that says so.
async fn refusal(response: Response) -> ProviderError {
    let status = response.status().as_u16();
    let retry_after = failure::retry_after(response.headers(), OffsetDateTime::now_utc());
    let body = timeout(ERROR_BODY_TIME, reading::whole(response.bytes_stream(), MAX_ERROR_BODY)).await;
    // Without the body the status says enough.
    let complaint = match body {
        Ok(Ok(body)) => Complaint::of_body(&body),
        _ => Complaint::default(),
    };
    complaint.of_status(status, retry_after)
}

fn is_html(response: &Response) -> bool {
    content_type_has(response, "html")
}

fn content_type_has(response: &Response, kind: &str) -> bool {
    let content_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    content_type.is_some_and(|content_type| content_type.to_ascii_lowercase().contains(kind))
}

fn web_page() -> ProviderError {
    misconfigured("it answers with a web page (check base_url)")
}

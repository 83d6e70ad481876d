use std::time::Duration;

use reqwest::{
    Method, RequestBuilder, Response, StatusCode,
    header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue},
};
use serde::Serialize;
use time::OffsetDateTime;
use tokio::time::timeout;

use super::{
    RemoteSettingsError, client,
    failure::{self, Complaint, misconfigured},
    reading::{self, Reader},
};
use crate::{DeltaStream, Phase, ProviderError, SecretString};

/// How much of an error's body is read for its code, and for how long.
const MAX_ERROR_BODY: usize = 64 * 1024;
const ERROR_BODY_TIME: Duration = Duration::from_secs(2);

/// How long a probe may take.
const PROBE_TIME: Duration = Duration::from_secs(5);

/// A server that is asked over HTTP. Each question is exactly one request.
pub(crate) struct Upstream {
    http: reqwest::Client,
    headers: HeaderMap,
    connect_timeout: Duration,
    has_proxy: bool,
}

/// What a probe asks.
pub(crate) struct Probe {
    /// Where the server lists its models.
    pub(crate) models: String,
}

impl Upstream {
    /// `headers` go with each request.
    pub(crate) fn new(
        is_https: bool,
        headers: HeaderMap,
        connect_timeout: Duration,
        proxy: Option<&SecretString>,
    ) -> Result<Self, RemoteSettingsError> {
        let http = client::build(is_https, connect_timeout, proxy)?;
        Ok(Self { http, headers, connect_timeout, has_proxy: proxy.is_some() })
    }

    /// Asks, and reads the answer as an `R`.
    pub(crate) async fn ask<R: Reader>(&self, url: &str, body: &impl Serialize) -> Result<DeltaStream, ProviderError> {
        let body = serde_json::to_vec(body).map_err(|_| ProviderError::Rejected { status: None })?;
        let request = self
            .request(Method::POST, url)
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
        Ok(if is_whole { reading::completion::<R, _>(body) } else { reading::events::<R, _>(body) })
    }

    /// Reaches the server without asking a question.
    pub(crate) async fn probe(&self, probe: &Probe) -> Result<(), ProviderError> {
        let probing = async {
            let response = self.send(self.request(Method::GET, &probe.models)).await?;
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

    fn request(&self, method: Method, url: &str) -> RequestBuilder {
        self.http.request(method, url).headers(self.headers.clone())
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response, ProviderError> {
        request.send().await.map_err(|error| failure::of_transport(&error, self.connect_timeout, self.has_proxy))
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

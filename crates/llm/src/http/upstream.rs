use std::time::Duration;

use reqwest::{
    Method, RequestBuilder, Response,
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
use crate::{DeltaStream, ProviderError, SecretString};

/// How much of an error's body is read for its code, and for how long.
const MAX_ERROR_BODY: usize = 64 * 1024;
const ERROR_BODY_TIME: Duration = Duration::from_secs(2);

/// A server that is asked over HTTP. Each question is exactly one request.
pub(crate) struct Upstream {
    http: reqwest::Client,
    headers: HeaderMap,
    connect_timeout: Duration,
    has_proxy: bool,
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

    pub(super) fn request(&self, method: Method, url: &str) -> RequestBuilder {
        self.http.request(method, url).headers(self.headers.clone())
    }

    pub(super) async fn send(&self, request: RequestBuilder) -> Result<Response, ProviderError> {
        request.send().await.map_err(|error| failure::of_transport(&error, self.connect_timeout, self.has_proxy))
    }
}

/// Why a request was refused, from the response that says so.
pub(super) async fn refusal(response: Response) -> ProviderError {
    let status = response.status().as_u16();
    let retry_after = failure::retry_after(response.headers(), OffsetDateTime::now_utc());
    complaint(response).await.of_status(status, retry_after)
}

/// What a response complains of. Without a body the status says enough.
pub(super) async fn complaint(response: Response) -> Complaint {
    match timeout(ERROR_BODY_TIME, reading::whole(response.bytes_stream(), MAX_ERROR_BODY)).await {
        Ok(Ok(body)) => Complaint::of_body(&body),
        _ => Complaint::default(),
    }
}

pub(super) fn is_html(response: &Response) -> bool {
    content_type_has(response, "html")
}

fn content_type_has(response: &Response, kind: &str) -> bool {
    let content_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    content_type.is_some_and(|content_type| content_type.to_ascii_lowercase().contains(kind))
}

pub(super) fn web_page() -> ProviderError {
    misconfigured("it answers with a web page (check base_url)")
}
